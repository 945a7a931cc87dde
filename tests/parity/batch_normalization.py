from __future__ import annotations

import numpy as np

GENERATOR = np.random.default_rng(0)
DENSE = GENERATOR.normal(size=(2, 5, 6))  # two runs
IMAGES = GENERATOR.normal(size=(3, 4, 5, 2))
PARAMETERS = {
    name: GENERATOR.normal(size=shape)
    for name, shape in {"dense": (2, 6), "dense shift": (2, 6), "images": (4,), "images shift": (4,)}.items()
}
SHAPES = {"dense": (DENSE, 0), "images": (IMAGES, 2)}


def given(kind, array, *extra, **keywords):
    x, spatial = SHAPES[kind]
    parameters = array(PARAMETERS[kind]), array(PARAMETERS[f"{kind} shift"])
    return (array(x), *extra, *parameters), {"spatial_axes": spatial, **keywords}


def forward(kind, *extra, **keywords):
    return lambda backend, array: given(kind, array, *extra, **keywords)


def backward(name, kind, *extra, **keywords):
    def case(backend, array):
        args, kwargs = given(kind, array, *extra, **keywords)
        _, cache = getattr(backend, name)(*args, **kwargs)
        return (array(np.cos(np.arange(SHAPES[kind][0].size)).reshape(SHAPES[kind][0].shape)), cache), {}

    return case


def last(name, axes, *, is_backward, shift=True, shape=DENSE.shape, runs=0, **keywords):
    x = np.random.default_rng(1).normal(size=shape)
    parameters = [
        np.random.default_rng(seed).normal(size=(*shape[:runs], *shape[-axes:])) for seed in range(2 if shift else 1)
    ]

    def case(backend, array):
        args, kwargs = (array(x), *map(array, parameters)), {"normalized_axes": axes, **keywords}
        if not is_backward:
            return args, kwargs
        return (array(np.sin(x)), getattr(backend, name)(*args, **kwargs)[1]), {}

    return case


def statistics(kind, backend, array):
    shape = PARAMETERS[kind].shape
    mean, variance = array(np.full(shape, 0.3)), array(np.linspace(0.5, 2, PARAMETERS[kind].size).reshape(shape))
    return backend.RunningStatistics(mean, variance, 2)


def inference(kind, **keywords):
    def case(backend, array):
        args, kwargs = given(kind, array, **keywords)
        return (*args, statistics(kind, backend, array)), kwargs

    return case


def inference_backward(kind):
    def case(backend, array):
        (x, scale, _), kwargs = given(kind, array)
        return (array(np.sin(SHAPES[kind][0])), x, scale, statistics(kind, backend, array)), kwargs

    return case


def update(kind, **keywords):
    def case(backend, array):
        args, kwargs = given(kind, array)
        return (statistics(kind, backend, array), backend.batch_norm(*args, **kwargs)[1]), keywords

    return case


LAST = [
    {"axes": 1, "runs": 1},
    {"axes": 1},
    {"axes": 2},
    {"axes": 3},
    {"axes": 1, "shape": (5, 1), "epsilon": 0.0},
    {"axes": 1, "shape": (0, 4)},
]

CASES = {
    "batch_norm": [forward(kind, **keywords) for kind in SHAPES for keywords in ({}, {"epsilon": 0.0})],
    "batch_norm_backward": [backward("batch_norm", kind) for kind in SHAPES],
    "initial_running_statistics": [lambda backend, array: ((3,), {}), lambda backend, array: ((3,), {"runs": (2, 4)})],
    "update_running_statistics": [
        update(kind, **keywords) for kind in SHAPES for keywords in ({}, {"momentum": None}, {"momentum": 1.0})
    ],
    "batch_norm_inference": [inference(kind, **keywords) for kind in SHAPES for keywords in ({}, {"epsilon": 0.1})],
    "batch_norm_inference_backward": [inference_backward(kind) for kind in SHAPES],
    "layer_norm": [last("layer_norm", is_backward=False, **settings) for settings in LAST],
    "layer_norm_backward": [last("layer_norm", is_backward=True, **settings) for settings in LAST],
    "rms_norm": [last("rms_norm", is_backward=False, shift=False, **settings) for settings in LAST],
    "rms_norm_backward": [last("rms_norm", is_backward=True, shift=False, **settings) for settings in LAST],
    "group_norm": [forward("images", 2), forward("images", 4), forward("dense", 3)],
    "group_norm_backward": [backward("group_norm", "images", 2), backward("group_norm", "dense", 3)],
}
