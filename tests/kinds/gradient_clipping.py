from __future__ import annotations

import numpy as np

from tests.kinds import Kinds

RNG = np.random.default_rng(0)
G, W = 3 * RNG.standard_normal((5, 4)), RNG.standard_normal((5, 4))
LIMIT = np.array(0.5)
PART = "a part of a chain, which calls the function of its name"


CASES = {
    "norm": Kinds(lambda module, g: module.norm(g, 1), (G,), [((1,), 1)], rows=(0,)),
    "global_norm": Kinds(
        lambda module, g, w: module.global_norm({"g": g, "w": w}, 1), (G, W), [((1, 1), 1)], rows=(0, 1)
    ),
    "clip_by_value": Kinds(lambda module, g: module.clip_by_value(g, 0.5), (G,), "the limit is a length", rows=(0,)),
    "clip_by_norm": Kinds(lambda module, g: module.clip_by_norm(g, 0.5, 1), (G,), "the limit is a length", rows=(0,)),
    "clip_by_norm/scaled": Kinds(
        lambda module, g, limit: module.clip_by_norm(g, float(limit)),
        (G, LIMIT),
        [((1, 1), 1)],
        rows="one length for all",
        half="the limit is rounded",
        longdouble="the limit is a float",
        nan="a limit that is nan is refused",
        infinities="a limit must be finite",
    ),
    "clip_by_global_norm": Kinds(
        lambda module, g, w: module.clip_by_global_norm({"g": g, "w": w}, 0.5, 1),
        (G, W),
        "the limit is a length",
        rows=(0, 1),
    ),
    "unit_norms": Kinds(lambda module, g: module.unit_norms(g), (G,), [((1,), 1)], rows=(0,)),
    "shorten_units": Kinds(lambda module, g: module.shorten_units(g, 0.5), (G,), "the bound is a length", rows=(0,)),
    "clip_adaptively": Kinds(
        lambda module, g, w: module.clip_adaptively(g, w, 0.1, 1e-300), (G, W), [((1, 1), 1)], rows=(0, 1)
    ),
    **dict.fromkeys(("ClipByValue", "ClipByNorm", "ClipByGlobalNorm", "ClipAdaptively"), PART),
}
