from __future__ import annotations

import numpy as np

LOGS = np.log(np.full((3, 6, 4), 0.25))
LABELS = np.zeros(6, dtype=int)
PREDICTIONS = [
    (np.full((3, 6, 4), 0.25), ValueError),  # probabilities in place of their logarithms
    (np.full((3, 6, 4), np.nan), ValueError),
    (LOGS.astype(int), TypeError),
    (LOGS[:, :, :0], ValueError),
    (LOGS[0, 0], ValueError),
]
MEMBERS = [*PREDICTIONS, (LOGS[:0], ValueError), (LOGS[0], ValueError)]


def of(name, predictions, **others):
    return [(name, {"log_probabilities": value, **others}, error, "log_probabilities") for value, error in predictions]


def weighted(name):
    return [
        (name, {"log_probabilities": LOGS, "weights": weights}, error, "weights")
        for weights, error in (
            (np.ones(2), ValueError),
            (-np.ones(3), ValueError),
            (np.zeros(3), ValueError),
            (np.full(3, np.nan), ValueError),
            (np.ones(3, dtype=int), TypeError),
        )
    ]


def labelled(name, **others):
    return [
        (name, {"log_probabilities": LOGS, "labels": labels, **others}, error, "labels")
        for labels, error in ((LABELS[:5], ValueError), (LABELS + 4, ValueError), (LABELS + 0.0, TypeError))
    ]


CASES = [
    *of("average_probabilities", MEMBERS),
    *of("geometric_average", MEMBERS),
    *of("jensen_gap", MEMBERS, labels=LABELS),
    *of("disagreement", [*MEMBERS, (LOGS[:1], ValueError), (LOGS[:, :0], ValueError)]),
    *of("negative_log_likelihood", [*PREDICTIONS, (LOGS[:, :0], ValueError)], labels=LABELS),
    *(
        case
        for name in ("brier_score", "reliability", "calibration_error", "fit_temperature")
        for case in (*of(name, [*PREDICTIONS, (LOGS[:, :0], ValueError)], labels=LABELS), *labelled(name))
    ),
    ("reliability", {"log_probabilities": LOGS, "labels": LABELS, "bins": 0}, ValueError, "bins"),
    ("calibration_error", {"log_probabilities": LOGS, "labels": LABELS, "bins": 2.5}, TypeError, "bins"),
    *of("greedy_selection", [*MEMBERS, (LOGS[None], ValueError)], labels=LABELS, size=2),
    *weighted("average_probabilities"),
    *weighted("geometric_average"),
    *labelled("negative_log_likelihood"),
    *labelled("jensen_gap"),
    *labelled("greedy_selection", size=2),
    ("greedy_selection", {"log_probabilities": LOGS, "labels": LABELS, "size": 0}, ValueError, "size"),
    ("snapshot_steps", {"steps": 10, "cycles": 0}, ValueError, "cycles"),
    ("snapshot_steps", {"steps": 3, "cycles": 4}, ValueError, "steps"),
    ("snapshot_steps", {"steps": 3.5, "cycles": 2}, TypeError, "steps"),
    ("ExponentialWeightAverage", {"decay": 1.0}, ValueError, "decay"),
    ("ExponentialWeightAverage", {"decay": -0.1}, ValueError, "decay"),
    ("ExponentialWeightAverage", {"decay": "slow"}, TypeError, "decay"),
    ("ExponentialWeightAverage", {"warm_up": -1.0}, ValueError, "warm_up"),
]
