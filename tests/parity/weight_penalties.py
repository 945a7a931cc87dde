from __future__ import annotations

import numpy as np

GENERATOR = np.random.default_rng(0)
WEIGHT = GENERATOR.normal(size=(2, 4, 3))
WEIGHT[0, 0, 0] = 0.0
IMAGES = GENERATOR.normal(size=(2, 4, 3, 2, 2))
RUNS = np.array([0.3, 1.1])


def of(*numbers, weight=WEIGHT, **keywords):
    """Call with a weight and numbers, of which arrays are one a run."""

    def case(backend, array):
        given = (array(number) if isinstance(number, np.ndarray) else number for number in numbers)
        return (array(weight), *given), keywords

    return case


def part(**settings):
    def case(backend, array):
        def use(link, array):
            params = {"0.weight": array(WEIGHT), "0.bias": array(WEIGHT[..., 0])}
            grads = {"0.weight": array(np.sin(WEIGHT)), "0.bias": array(np.cos(WEIGHT[..., 1]))}
            first, state = link.update(grads, link.init(params), params)
            return first, link.update(grads, state, params)

        given = {name: array(value) if isinstance(value, np.ndarray) else value for name, value in settings.items()}
        return (), given, use

    return case


def rate(step):
    return 0.1 / (step + 1)


CASES = {
    "l1_penalty": [of(0.5), of(RUNS, 1), of(0.5, 2), of(0.5, weight=WEIGHT.astype(np.float32))],
    "l1_gradient": [of(0.5), of(RUNS)],
    "l2_penalty": [of(0.5), of(RUNS, 1)],
    "l2_gradient": [of(0.5), of(RUNS)],
    "elastic_net_penalty": [of(0.5, 0.2), of(RUNS, 0.2, 1), of(RUNS, RUNS, run_axes=2)],
    "elastic_net_gradient": [of(0.5, 0.2), of(RUNS, 0.2)],
    "soft_threshold": [of(0.5), of(RUNS), of(0.0), of(0.5, weight=np.array([np.inf, -np.inf, np.nan, 0.5]))],
    "group_soft_threshold": [of(1.0, 1), of(RUNS, 1), of(0.0, weight=WEIGHT[0]), of(RUNS, 1, weight=IMAGES)],
    "max_norm": [of(1.0, 1), of(RUNS, 1), of(1.0, weight=WEIGHT[0]), of(RUNS, 1, weight=IMAGES)],
    "PenaltyGradient": [part(l1=0.3, l2=0.2), part(l1=RUNS), part(l2=rate), part(l2=0.5, suffix=".weight")],
    "DecoupledWeightDecay": [part(strength=0.3, learning_rate=0.1), part(strength=RUNS, learning_rate=rate)],
    "ProximalL1": [part(strength=3.0, learning_rate=0.1), part(strength=RUNS, learning_rate=rate)],
    "ProximalGroups": [
        part(strength=3.0, learning_rate=0.1, run_axes=1),
        part(strength=RUNS, learning_rate=rate, run_axes=1),
    ],
    "MaxNorm": [part(limit=0.5, run_axes=1), part(limit=RUNS, run_axes=1)],
}
