from __future__ import annotations

import numpy as np

from tests.kinds import Kinds

RNG = np.random.default_rng(0)
LOGITS = 2 * RNG.standard_normal((3, 5, 4))
LOGS = LOGITS - np.logaddexp.reduce(LOGITS, axis=-1, keepdims=True)
LABELS = np.array([0, 3, 1, 1, 2])
WEIGHTS = np.array([1.0, 0.5, 2.0])
LOG = "logarithms of probabilities have no scale"
MEMBERS = "the first axis is that of the members"
ABOVE = "a logarithm of a probability is at most 0, which is checked"

CASES = {
    "average_probabilities": Kinds(
        lambda module, logs, weights: module.average_probabilities(logs, weights=weights),
        (LOGS, WEIGHTS),
        scale=[((0, 1), 0)],
        rows=MEMBERS,
    ),
    "geometric_average": Kinds(
        lambda module, logs, weights: module.geometric_average(logs, weights=weights),
        (LOGS, WEIGHTS),
        scale=[((0, 1), 0)],
        rows=MEMBERS,
    ),
    "negative_log_likelihood": Kinds(
        lambda module, logs, labels: module.negative_log_likelihood(logs, labels),
        (LOGS, LABELS),
        scale=[((1, 0), 1)],
        rows=(0,),
    ),
    "jensen_gap": Kinds(lambda module, logs, labels: module.jensen_gap(logs, labels), (LOGS, LABELS), LOG, MEMBERS),
    "disagreement": Kinds(lambda module, logs: module.disagreement(logs), (LOGS,), scale=[((1,), 0)], rows=MEMBERS),
    "greedy_selection": Kinds(
        lambda module, logs, labels: module.greedy_selection(logs, labels, 3), (LOGS, LABELS), LOG, MEMBERS
    ),
    "brier_score": Kinds(lambda module, logs, labels: module.brier_score(logs, labels), (LOGS, LABELS), LOG, (0,)),
    "reliability": Kinds(lambda module, logs, labels: module.reliability(logs, labels, 3), (LOGS, LABELS), LOG, (0,)),
    "calibration_error": Kinds(
        lambda module, logs, labels: module.calibration_error(logs, labels, 3), (LOGS, LABELS), LOG, (0,)
    ),
    "fit_temperature": Kinds(
        lambda module, logs, labels: module.fit_temperature(logs, labels), (LOGS, LABELS), LOG, (0,)
    ),
    "snapshot_steps": "takes two integers",
    "EqualWeightAverage": "a state over many steps, see test_ensembles",
    "ExponentialWeightAverage": "a state over many steps, see test_ensembles",
}
