from __future__ import annotations

import numpy as np

ONES, ZEROS = np.ones(3), np.zeros(3)
X = np.arange(12.0).reshape(4, 3)


def full(**changed):
    return {"x": X, "scale": ONES, "shift": ZEROS, **changed}


def by_feature(name, **extra):
    """Give the cases that all normalizations with one scale a feature share."""
    return [
        (name, full(x=X.astype(int), **extra), TypeError, "x"),
        (name, full(x=X.tolist(), **extra), TypeError, "x"),
        (name, full(x=X[0], **extra), ValueError, "x"),
        (name, full(x=X, spatial_axes=1, **extra), ValueError, "x"),
        (name, full(x=np.ones((2, 4, 0)), **extra), ValueError, "x"),
        (name, full(x=np.ones((4, 0, 2, 2)), spatial_axes=2, **extra), ValueError, "x"),
        (name, full(scale=np.ones(4), **extra), ValueError, "scale"),
        (name, full(scale=np.ones((1, 3)), **extra), ValueError, "scale"),
        (name, full(shift=np.zeros(2), **extra), ValueError, "shift"),
        (name, full(shift=np.zeros(3, dtype=int), **extra), TypeError, "shift"),
        (name, full(epsilon=-1e-5, **extra), ValueError, "epsilon"),
        (name, full(epsilon=np.nan, **extra), ValueError, "epsilon"),
        (name, full(spatial_axes=-1, **extra), ValueError, "spatial_axes"),
        (name, full(spatial_axes=0.5, **extra), TypeError, "spatial_axes"),
    ]


def running(backend, array, features=3, variance=1.0):
    return backend.RunningStatistics(array(np.zeros(features)), array(np.full(features, variance)), 1)


def inference(**changed):
    def kwargs(backend, array):
        statistics = running(backend, array, changed.get("features", 3), changed.get("variance", 1.0))
        given = full(**{key: value for key, value in changed.items() if key not in ("features", "variance")})
        given = {key: array(value) if isinstance(value, np.ndarray) else value for key, value in given.items()}
        return {**given, "running": statistics}

    return kwargs


def inference_backward(grad_output, features=3, variance=1.0):
    def kwargs(backend, array):
        statistics = running(backend, array, features, variance)
        return {"grad_output": array(grad_output), "x": array(X), "scale": array(ONES), "running": statistics}

    return kwargs


def after(name, grad_output, **keywords):
    """Give the arguments of a backward pass: the forward pass is run first."""

    def kwargs(backend, array):
        given = {key: array(value) for key, value in full().items() if key != "shift" or name != "rms_norm"}
        _, cache = getattr(backend, name)(**given, **keywords)
        return {"grad_output": array(grad_output), "cache": cache}

    return kwargs


def update(features, momentum):
    def kwargs(backend, array):
        _, cache = backend.batch_norm(array(X), array(ONES), array(ZEROS))
        return {"running": running(backend, array, features), "cache": cache, "momentum": momentum}

    return kwargs


def over_last(name, **parameters):
    return [
        (name, {"x": X.astype(int), **parameters}, TypeError, "x"),
        (name, {"x": X, **parameters, "scale": np.ones(4)}, ValueError, "scale"),
        (name, {"x": X, **parameters, "scale": np.ones((2, 3))}, ValueError, "scale"),
        (name, {"x": X, **parameters, "normalized_axes": 0}, ValueError, "normalized_axes"),
        (name, {"x": X, **parameters, "normalized_axes": 3}, ValueError, "x"),
        (name, {"x": np.ones((4, 0)), **parameters}, ValueError, "x"),
        (name, {"x": X, **parameters, "epsilon": -1.0}, ValueError, "epsilon"),
    ]


CASES = [
    *by_feature("batch_norm"),
    *by_feature("group_norm", groups=3),
    ("batch_norm", full(x=X[:1]), ValueError, "x"),
    ("batch_norm", full(x=X[:0]), ValueError, "x"),
    ("group_norm", full(groups=2), ValueError, "x"),
    ("group_norm", full(groups=0), ValueError, "groups"),
    ("batch_norm_inference", inference(features=2), ValueError, "running"),
    ("batch_norm_inference", inference(variance=-1.0), ValueError, "running.variance"),
    ("batch_norm_inference", inference(variance=np.nan), ValueError, "running.variance"),
    ("batch_norm_inference", inference(x=X.astype(int)), TypeError, "x"),
    ("batch_norm_inference", inference(scale=np.ones(2)), ValueError, "scale"),
    ("batch_norm_inference_backward", inference_backward(X[:2]), ValueError, "grad_output"),
    ("batch_norm_inference_backward", inference_backward(X, 2), ValueError, "running"),
    ("batch_norm_inference_backward", inference_backward(X, variance=-1e-3), ValueError, "running.variance"),
    ("initial_running_statistics", {"features": 0}, ValueError, "features"),
    ("update_running_statistics", update(3, 1.5), ValueError, "momentum"),
    ("update_running_statistics", update(2, 0.1), ValueError, "running"),
    *over_last("layer_norm", scale=ONES, shift=ZEROS),
    *over_last("rms_norm", scale=ONES),
    ("layer_norm", full(shift=np.zeros(2)), ValueError, "shift"),
    *(
        (f"{name}_backward", after(name, grad, **keywords), error, "grad_output")
        for name, keywords in {"batch_norm": {}, "layer_norm": {}, "rms_norm": {}, "group_norm": {"groups": 3}}.items()
        for grad, error in ((X[:2], ValueError), (X.astype(int), TypeError))
    ),
]
