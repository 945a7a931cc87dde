from __future__ import annotations

import numpy as np

from dlnotes import measured

GENERATOR = np.random.default_rng(0)
MATRIX = GENERATOR.normal(size=(2, 4, 4)) / 2
FACTORS = GENERATOR.normal(size=(3, 10, 4, 4))
PARAMETERS = {"0.weight": GENERATOR.normal(size=(4, 3)), "0.bias": GENERATOR.normal(size=4)}
PARAMETERS |= {f"{layer}.weight": GENERATOR.normal(size=(4, 4)) for layer in (2, 4, 6)}
UPDATES = {name: 1e-3 * GENERATOR.normal(size=value.shape) for name, value in PARAMETERS.items()}


def arrays(array, tensors, **changes):
    return {name: array(changes.get(name.replace(".", "_"), value)) for name, value in tensors.items()}


def diagnosed(scale=lambda place: 1.0, with_updates=True, **changes):
    def case(backend, array):
        gradients = {name: value * scale(place) for place, (name, value) in enumerate(PARAMETERS.items())}
        updates = arrays(array, UPDATES) if with_updates else None
        return (arrays(array, PARAMETERS, **changes), arrays(array, gradients), updates), {}

    return case


def with_signals(backend, array):
    signals = {"2": measured.Signal(array(FACTORS[0, :, 0]), array(MATRIX[0]), array(MATRIX[1]))}
    signals["4"] = measured.Signal(given=array(MATRIX[0]))
    gradients = arrays(array, UPDATES) | {"0.weight": None, "0.bias": None}
    return (arrays(array, PARAMETERS), gradients), {"signals": signals, "outlier": 20.0}


CASES = {
    "matrix_power_by_eigenvalues": [
        lambda backend, array: ((array(MATRIX), 5), {}),
        lambda backend, array: ((array([[0.0, -1.0], [1.0, 0.0]]), 3), {}),
    ],
    "power_norms": [lambda backend, array: ((array(MATRIX), 7), {})],
    "lyapunov_exponent": [
        lambda backend, array, count=count: ((array(FACTORS),), {"count": count}) for count in (1, 4)
    ],
    "layer_jacobian": [lambda backend, array: ((array(MATRIX), array(MATRIX[:, :3])), {})],
    "per_layer_gradient_norms": [
        lambda backend, array: ((arrays(array, PARAMETERS),), {}),
        lambda backend, array: (({"0.weight": array(FACTORS), "0.bias": array(FACTORS[..., 0])},), {"run_axes": 2}),
        lambda backend, array: (({"0.weight": array([1e300, np.inf, 1.0]), "1.weight": array([0.0, 0.0])},), {}),
    ],
    "per_layer_update_ratios": [
        lambda backend, array: ((arrays(array, PARAMETERS), arrays(array, UPDATES)), {}),
        lambda backend, array: (({"0.weight": array([0.0])}, {"0.weight": array([1.0])}), {}),
    ],
    "diagnose": [
        diagnosed(),
        diagnosed(with_updates=False),
        diagnosed(lambda place: 100.0**place),
        diagnosed(lambda place: 100.0**-place),
        diagnosed(lambda place: float(place > 1)),
        diagnosed(**{"2_weight": np.full((4, 4), np.nan)}),
        with_signals,
    ],
}
