from __future__ import annotations

import numpy as np

RNG = np.random.default_rng(0)
X, W, B = np.ones((5, 3)), np.ones((2, 3)), np.ones(2)
IMAGES, KERNEL = np.ones((2, 3, 5, 5)), np.ones((4, 3, 2, 2))
PARAMETERS = {"0.weight": W, "0.bias": B}
LABELS = np.zeros(5, dtype=int)


def conv(**wrong):
    return {"inputs": IMAGES, "weight": KERNEL, "bias": np.ones(4), **wrong}


def conv_backward(**wrong):
    return {"grad_output": np.ones((2, 4, 4, 4)), "inputs": IMAGES, "weight": KERNEL, **wrong}


def backward(grad, activation="relu", out=None):
    def kwargs(backend, array):
        parameters = {name: array(value) for name, value in PARAMETERS.items()}
        _, cache = backend.forward(parameters, array(X))
        given = {name: array(value) for name, value in out.items()} if isinstance(out, dict) else out
        named = {"grad_logits": array(grad), "parameters": parameters, "cache": cache, "activation": activation}
        return named | {"out": given}

    return kwargs


CASES = [
    ("dense", {"inputs": X.astype(int), "weight": W, "bias": B}, TypeError, "inputs"),
    ("dense", {"inputs": X[0], "weight": W, "bias": B}, ValueError, "inputs"),
    ("dense", {"inputs": X[:, :2], "weight": W, "bias": B}, ValueError, "inputs"),
    ("dense", {"inputs": X, "weight": W[0], "bias": B}, ValueError, "weight"),
    ("dense", {"inputs": X, "weight": W, "bias": np.ones(3)}, ValueError, "bias"),
    ("dense_backward", {"grad_output": np.ones((5, 3)), "inputs": X, "weight": W}, ValueError, "grad_output"),
    ("dense_backward", {"grad_output": np.ones((4, 2)), "inputs": X, "weight": W}, ValueError, "grad_output"),
    ("conv2d", conv(inputs=IMAGES[0]), ValueError, "inputs"),
    ("conv2d", conv(inputs=IMAGES.astype(int)), TypeError, "inputs"),
    ("conv2d", conv(inputs=IMAGES[:, :2]), ValueError, "inputs"),
    ("conv2d", conv(weight=KERNEL[:, :2]), ValueError, "weight"),
    ("conv2d", conv(weight=KERNEL[0]), ValueError, "weight"),
    ("conv2d", conv(weight=np.ones((4, 3, 6, 2))), ValueError, "inputs"),
    ("conv2d", conv(bias=np.ones(3)), ValueError, "bias"),
    ("conv2d", conv(stride=0), ValueError, "stride"),
    ("conv2d", conv(padding=-1), ValueError, "padding"),
    ("conv2d_backward", conv_backward(grad_output=np.ones((2, 4, 3, 4))), ValueError, "grad_output"),
    ("conv2d_backward", conv_backward(inputs=IMAGES[0]), ValueError, "inputs"),
    ("conv2d_backward", conv_backward(stride=1.5), TypeError, "stride"),
    ("layer_names", {"parameters": {"0.bias": B}}, ValueError, "parameters"),
    ("initialize", {"sizes": (3,), "generator": RNG}, ValueError, "sizes"),
    ("initialize", {"sizes": (3, 0), "generator": RNG}, ValueError, "sizes"),
    ("initialize", {"sizes": (3, 2.5), "generator": RNG}, TypeError, "sizes"),
    ("forward", {"parameters": PARAMETERS, "inputs": X, "activation": "rely"}, ValueError, "activation"),
    ("forward", {"parameters": PARAMETERS, "inputs": X[:, :2]}, ValueError, "inputs"),
    ("forward", {"parameters": {}, "inputs": X}, ValueError, "parameters"),
    ("backward", backward(np.ones((5, 3))), ValueError, "grad_logits"),
    ("backward", backward(np.ones((5, 2)), "rely"), ValueError, "activation"),
    ("backward", backward(np.ones((5, 2)), 3), TypeError, "activation"),
    ("backward", backward(np.ones((5, 2)), out=PARAMETERS | {"0.bias": np.ones(3)}), ValueError, "out"),
    ("backward", backward(np.ones((5, 2)), out=PARAMETERS | {"0.bias": np.ones(2, np.float32)}), TypeError, "out"),
    ("backward", backward(np.ones((5, 2)), out={"0.bias": np.ones(2)}), ValueError, "out"),
    ("backward", backward(np.ones((5, 2)), out=[np.ones(2)]), TypeError, "out"),
    ("loss_and_gradient", {"parameters": PARAMETERS, "inputs": X, "targets": LABELS + 2}, ValueError, "labels"),
    (
        "loss_and_gradient",
        {"parameters": PARAMETERS, "inputs": X, "targets": LABELS, "activation": None},
        TypeError,
        "activation",
    ),
]
