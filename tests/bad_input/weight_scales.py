"""What the counts and variances of starting weights refuse."""

from __future__ import annotations

import numpy as np

CASES = [
    ("fans", {"shape": (3,)}, ValueError, "shape"),
    ("fans", {"shape": (3, 0)}, ValueError, "shape"),
    ("fans", {"shape": (3, 4.0)}, TypeError, "shape"),
    ("fans", {"shape": 3}, TypeError, "shape"),
    ("fans", {"shape": (True, 3)}, TypeError, "shape"),
    ("fans", {"shape": (6, 3, 3), "groups": 4}, ValueError, "shape"),
    ("fans", {"shape": (6, 3, 3), "groups": 0}, ValueError, "groups"),
    ("fans", {"shape": (6, 3, 3), "stride": 0}, ValueError, "stride"),
    ("fans", {"shape": (6, 3, 3), "stride": 1.5}, TypeError, "stride"),
    ("lecun_variance", {"fan_in": 0}, ValueError, "fan_in"),
    ("lecun_variance", {"fan_in": "3"}, TypeError, "fan_in"),
    ("xavier_variance", {"fan_in": 0, "fan_out": 3}, ValueError, "fan_in"),
    ("xavier_variance", {"fan_in": 3, "fan_out": -1}, ValueError, "fan_out"),
    ("he_variance", {"fan_in": 0}, ValueError, "fan_in"),
    ("he_variance", {"fan_in": np.nan}, ValueError, "fan_in"),
    ("he_variance", {"fan_in": 3, "negative_slope": np.inf}, ValueError, "negative_slope"),
    ("pytorch_default_variance", {"fan_in": -1}, ValueError, "fan_in"),
    ("truncated_deviation", {"bound": 0.0}, ValueError, "bound"),
    ("truncated_deviation", {"bound": "2"}, TypeError, "bound"),
    ("residual_scale", {"blocks": 0}, ValueError, "blocks"),
    ("residual_scale", {"blocks": 1.5}, TypeError, "blocks"),
    ("mup", {"shape": (3,), "layer": "input"}, ValueError, "shape"),
    ("mup", {"shape": (3, 4), "layer": "first"}, ValueError, "layer"),
    ("mup", {"shape": (3, 4), "layer": "input", "optimizer": "lion"}, ValueError, "optimizer"),
]
