"""What the activations refuse."""

from __future__ import annotations

import numpy as np

from tests.parity.activations import CURVED, ONE_ARGUMENT

X = np.array([-1.0, 0.0, 2.0])
WHOLE = np.array([-1, 0, 2])
ROWS = np.ones((4, 6))

CASES = [
    *((name, {"x": WHOLE}, TypeError, "x") for name in ONE_ARGUMENT),
    *((f"{name}_slope", {"x": WHOLE}, TypeError, "x") for name in ONE_ARGUMENT),
    *((f"{name}_second_derivative", {"x": WHOLE}, TypeError, "x") for name in CURVED),
    *((name, {"x": 1.0}, TypeError, "x") for name in ("relu", "gelu", "normal_cdf", "normal_density", "tanh_slope")),
    *((name, {"x": WHOLE}, TypeError, "x") for name in ("normal_cdf", "normal_density", "maxout", "swiglu")),
    *(
        (f"{name}_backward", {"grad_output": X[:2], "x": X}, ValueError, "grad_output")
        for name in ONE_ARGUMENT
        if name != "identity"
    ),
    ("relu_backward", {"grad_output": WHOLE, "x": X}, TypeError, "grad_output"),
    ("relu_backward", {"grad_output": X, "x": WHOLE}, TypeError, "x"),
    ("leaky_relu", {"x": X, "negative_slope": np.inf}, ValueError, "negative_slope"),
    ("leaky_relu", {"x": X, "negative_slope": "0.1"}, TypeError, "negative_slope"),
    ("leaky_relu_slope", {"x": X, "negative_slope": np.nan}, ValueError, "negative_slope"),
    ("elu", {"x": X, "alpha": np.nan}, ValueError, "alpha"),
    ("elu_slope", {"x": X, "alpha": None}, TypeError, "alpha"),
    ("gelu", {"x": X, "approximate": "erf"}, ValueError, "approximate"),
    ("gelu", {"x": WHOLE, "approximate": "tanh"}, TypeError, "x"),
    ("gelu_slope", {"x": X, "approximate": True}, ValueError, "approximate"),
    ("gelu_slope", {"x": WHOLE, "approximate": "tanh"}, TypeError, "x"),
    ("prelu", {"x": X, "negative_slope": X}, ValueError, "x"),
    ("prelu", {"x": WHOLE[None], "negative_slope": X}, TypeError, "x"),
    ("prelu", {"x": ROWS, "negative_slope": X}, ValueError, "negative_slope"),
    ("prelu", {"x": ROWS, "negative_slope": WHOLE}, TypeError, "negative_slope"),
    ("prelu", {"x": np.ones((2, 4, 6)), "negative_slope": np.ones(6)}, ValueError, "negative_slope"),
    ("prelu_backward", {"grad_output": ROWS[:1], "x": ROWS, "negative_slope": np.ones(6)}, ValueError, "grad_output"),
    ("prelu_backward", {"grad_output": ROWS, "x": ROWS, "negative_slope": np.ones(5)}, ValueError, "negative_slope"),
    ("swiglu", {"x": X}, ValueError, "x"),
    ("swiglu_backward", {"grad_output": ROWS, "x": ROWS}, ValueError, "grad_output"),
    ("swiglu_backward", {"grad_output": np.ones((4, 3)), "x": np.ones((4, 5))}, ValueError, "x"),
    ("maxout", {"x": X, "pieces": 2}, ValueError, "x"),
    ("maxout", {"x": ROWS, "pieces": 0}, ValueError, "pieces"),
    ("maxout", {"x": ROWS, "pieces": 2.0}, TypeError, "pieces"),
    ("maxout_backward", {"grad_output": ROWS, "x": ROWS, "pieces": 2}, ValueError, "grad_output"),
    ("maxout_backward", {"grad_output": ROWS, "x": ROWS, "pieces": True}, TypeError, "pieces"),
    ("lookup", {"activation": "swish"}, ValueError, "activation"),
    ("lookup", {"activation": np.tanh}, TypeError, "activation"),
]
