from __future__ import annotations

import numpy as np

GENERATOR = np.random.default_rng(0)
LOGITS = 3 * GENERATOR.normal(size=(2, 5, 6, 4))
LOGS = LOGITS - np.logaddexp.reduce(LOGITS, axis=-1, keepdims=True)
VETO = LOGS.copy()
VETO[0, 1, 2, 3] = -np.inf
VETO[1, :, 0, 1] = -np.inf
LABELS = GENERATOR.integers(0, 3, 6)
WEIGHTS = np.array([1.0, 0.0, 2.0, 0.5, 1.0])
FAR = np.array([[[-1000.0, 0.0]], [[-1001.0, 0.0]]])


def of(*arrays, **keywords):
    def case(backend, array):
        given = {name: array(value) for name, value in keywords.items()}
        return tuple(array(value) for value in arrays), given

    return case


def averaging(*settings):
    def case(backend, array):
        def use(average, array):
            state = average.init({"w": array(LOGITS[:, 0]), "b": array(LOGITS[:, 0, 0])})
            for member in range(1, 4):
                params = {"w": array(LOGITS[:, member]), "b": array(LOGITS[:, member, 0])}
                state = average.update(params, state)
            return state

        return tuple(array(value) if isinstance(value, np.ndarray) else value for value in settings), {}, use

    return case


CASES = {
    "average_probabilities": [of(LOGS), of(LOGS, weights=WEIGHTS), of(VETO), of(FAR), of(LOGS[0, :, :0])],
    "geometric_average": [of(LOGS), of(LOGS, weights=WEIGHTS), of(VETO), of(FAR)],
    "negative_log_likelihood": [of(LOGS, LABELS), of(LOGS[0, 0], LABELS)],
    "jensen_gap": [of(LOGS, LABELS), of(LOGS[0], LABELS)],
    "disagreement": [of(LOGS), of(LOGS[0])],
    "brier_score": [of(LOGS[0], LABELS), of(LOGS[0, 0], LABELS)],
    "reliability": [
        lambda backend, array: ((array(LOGS[0]), array(LABELS)), {"bins": 4}),
        of(LOGS[0, 0], LABELS),
    ],
    "calibration_error": [of(LOGS[0], LABELS), of(LOGS[0, 0], LABELS)],
    "fit_temperature": [of(LOGS, LABELS), of(LOGS[0, 0], LABELS), of(VETO[0], LABELS)],
    "ExponentialWeightAverage": [
        averaging(0.9),
        averaging(np.array([0.5, 0.99])),
        averaging(0.9, 9.0),
        averaging(np.array([0.5, 0.99]), np.array([0.0, 2.0])),
        averaging(0.9, np.array([1.0, 9.0])),
    ],
    "EqualWeightAverage": [averaging()],
}
