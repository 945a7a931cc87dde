from __future__ import annotations

import numpy as np

RUNS = (3, 2)
SHAPES = {"0.weight": (4, 3), "0.bias": (4,), "scale": (1,)}
MATRICES = {"tall": (5, 3), "wide": (3, 5)}
RATES = np.array([[0.1, 0.01], [0.3, 0.0], [1e-4, 2.0]])
BETAS = np.array([[0.1, 0.9], [0.0, 0.5], [0.99, 0.2]])


def drawn(shapes, runs, seed, dtype):
    generator = np.random.default_rng(seed)
    return {name: generator.normal(size=(*runs, *shape)).astype(dtype) for name, shape in shapes.items()}


def walk(*hyperparameters, shapes=SHAPES, runs=RUNS, steps=6, dtype=np.float64, **keywords):
    """Make an optimizer and take some steps; the updates of each and the last state are compared."""

    def case(backend, array):
        def given(value):
            return array(value) if isinstance(value, np.ndarray) else value

        def use(optimizer, array):
            params = {name: array(value) for name, value in drawn(shapes, runs, 0, dtype).items()}
            state, walked = optimizer.init(params), []
            for step in range(steps):
                grads = {name: array(value) for name, value in drawn(shapes, runs, 1 + step, dtype).items()}
                updates, state = optimizer.update(grads, state, params)
                walked.append(updates)
            return walked, state

        made = [given(value) for value in hyperparameters], {key: given(value) for key, value in keywords.items()}
        return (*made, use)

    return case


def singular(*arguments, shape, dtype=np.float64):
    matrix = np.random.default_rng(0).normal(size=shape).astype(dtype)
    return lambda backend, array: ((array(matrix), *arguments), {})


CASES = {
    "Adagrad": [walk(), walk(RATES, BETAS, 0.5)],
    "RMSprop": [walk(), walk(RATES, BETAS, 1e-3, 0.5, True), walk(0.1, momentum=BETAS), walk(0.1, centered=True)],
    "Adam": [
        walk(),
        walk(RATES, BETAS, BETAS / 2, RATES),
        walk(lambda step: 0.1 / (1 + step), runs=()),
        (walk(dtype=np.float32), 1e-5),
        (walk(RATES, BETAS, dtype=np.float32), 1e-5),
    ],
    "AdamW": [walk(), walk(RATES, BETAS, BETAS / 2, RATES, BETAS), walk(weight_decay=RATES[:, 0])],
    "AMSGrad": [walk(), walk(RATES, BETAS, BETAS / 2)],
    "NAdam": [walk(), walk(RATES, BETAS, BETAS / 2, RATES, RATES)],
    "Lion": [walk(), walk(RATES, BETAS, BETAS / 2, RATES)],
    "Partition": [
        lambda backend, array: (
            (lambda name: name == "scale", backend.Adam(array(RATES)), backend.Lion()),
            {},
            walk()(backend, array)[2],
        ),
    ],
    "newton_schulz": [
        singular(shape=(3, 2, 5, 3)),
        singular(3, shape=(3, 5)),
        singular(0, shape=(3, 3)),
        singular(40, (15 / 8, -10 / 8, 3 / 8), 1e-3, shape=(4, 6)),
        (singular(shape=(4, 6), dtype=np.float32), 1e-3),
    ],
    "Muon": [
        (walk(shapes=MATRICES, run_axes=2), 1e-10),
        (walk(RATES, BETAS, RATES, False, 3, 2, shapes=MATRICES), 1e-10),
        (walk(shapes=MATRICES, runs=()), 1e-10),
    ],
}
