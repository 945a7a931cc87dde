from __future__ import annotations

import numpy as np

G = np.ones((2, 3))

CASES = [
    ("norm", {"array": G.astype(int)}, TypeError, "array"),
    ("norm", {"array": G, "run_axes": 3}, ValueError, "run_axes"),
    ("norm", {"array": G, "run_axes": -1}, ValueError, "run_axes"),
    ("global_norm", {"grads": {}}, ValueError, "grads"),
    ("global_norm", {"grads": {"w": G}, "run_axes": -1}, ValueError, "run_axes"),
    ("clip_by_value", {"gradient": G.astype(int), "limit": 1.0}, TypeError, "gradient"),
    ("clip_by_value", {"gradient": G, "limit": 0.0}, ValueError, "limit"),
    ("clip_by_value", {"gradient": G, "limit": np.nan}, ValueError, "limit"),
    ("clip_by_norm", {"gradient": G, "max_norm": 0.0}, ValueError, "max_norm"),
    ("clip_by_norm", {"gradient": G, "max_norm": "long"}, TypeError, "max_norm"),
    ("clip_by_norm", {"gradient": G, "max_norm": 1.0, "run_axes": 5}, ValueError, "run_axes"),
    ("clip_by_global_norm", {"grads": {"w": G}, "max_norm": -1.0}, ValueError, "max_norm"),
    ("unit_norms", {"array": G, "run_axes": 3}, ValueError, "run_axes"),
    ("unit_norms", {"array": G.astype(int)}, TypeError, "array"),
    ("shorten_units", {"array": G.astype(int), "bound": 1.0}, TypeError, "array"),
    ("shorten_units", {"array": G, "bound": 0.0}, ValueError, "bound"),
    ("shorten_units", {"array": G, "bound": np.ones(3)}, ValueError, "bound"),
    ("shorten_units", {"array": G, "bound": 1.0, "run_axes": 3}, ValueError, "run_axes"),
    ("global_norm", {"grads": [G]}, TypeError, "grads"),
    ("global_norm", {"grads": {"w": G.astype(int)}}, TypeError, "grads"),
    ("clip_by_global_norm", {"grads": {"w": G.tolist()}, "max_norm": 1.0}, TypeError, "grads"),
    ("clip_adaptively", {"gradient": G, "parameter": G[0]}, ValueError, "gradient"),
    ("clip_adaptively", {"gradient": G, "parameter": G, "clipping": 0.0}, ValueError, "clipping"),
    ("clip_adaptively", {"gradient": G, "parameter": G, "epsilon": 0.0}, ValueError, "epsilon"),
    ("ClipByValue", {"limit": 0.0}, ValueError, "limit"),
    ("ClipByNorm", {"max_norm": np.array([1.0, -1.0])}, ValueError, "max_norm"),
    ("ClipByNorm", {"max_norm": 1.0, "run_axes": -1}, ValueError, "run_axes"),
    ("ClipByGlobalNorm", {"max_norm": np.nan}, ValueError, "max_norm"),
    ("ClipAdaptively", {"clipping": 0.0}, ValueError, "clipping"),
    ("ClipAdaptively", {"epsilon": 0.0}, ValueError, "epsilon"),
]
