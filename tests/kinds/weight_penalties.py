from __future__ import annotations

import numpy as np

from tests.kinds import Kinds

W = np.random.default_rng(0).standard_normal((5, 4))
PART = "a part of a chain, which calls the functions"

CASES = {
    "l1_penalty": Kinds(lambda module, w: module.l1_penalty(w, 0.5, 1), (W,), [((1,), 1)], rows=(0,)),
    "l1_gradient": Kinds(lambda module, w: module.l1_gradient(w, 0.5), (W,), [((1,), 0)], rows=(0,)),
    "l2_penalty": Kinds(
        lambda module, w: module.l2_penalty(w, 0.5, 1), (W,), "squares leave the range by themselves", rows=(0,)
    ),
    "l2_gradient": Kinds(lambda module, w: module.l2_gradient(w, 0.5), (W,), [((1,), 1)], rows=(0,)),
    "elastic_net_penalty": Kinds(
        lambda module, w: module.elastic_net_penalty(w, 0.5, 0.25, 1), (W,), "a sum of two powers", rows=(0,)
    ),
    "elastic_net_gradient": Kinds(
        lambda module, w: module.elastic_net_gradient(w, 0.5, 0.25), (W,), "a sum of two powers", rows=(0,)
    ),
    "soft_threshold": Kinds(
        lambda module, w: module.soft_threshold(w, 0.5), (W,), "the threshold is a length", rows=(0,)
    ),
    "group_soft_threshold": Kinds(
        lambda module, w: module.group_soft_threshold(w, 0.5), (W,), "the threshold is a length", rows=(0,)
    ),
    "max_norm": Kinds(lambda module, w: module.max_norm(w, 0.5), (W,), "the limit is a length", rows=(0,)),
    **dict.fromkeys(("PenaltyGradient", "DecoupledWeightDecay", "ProximalL1", "ProximalGroups", "MaxNorm"), PART),
}
