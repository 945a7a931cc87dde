from __future__ import annotations

import numpy as np

W = np.ones((2, 3))
BAD = [(-0.1, ValueError), (np.nan, ValueError), (np.inf, ValueError), ("much", TypeError), (np.ones(3), ValueError)]


def of(name, argument, given="weight", **others):
    return [
        *((name, {given: W, **others, argument: value}, error, argument) for value, error in BAD),
        (name, {given: W.astype(int), **others, argument: 0.5}, TypeError, given),
        (name, {given: W.tolist(), **others, argument: 0.5}, TypeError, given),
    ]


CASES = [
    *of("l1_gradient", "strength"),
    *of("l2_gradient", "strength"),
    *of("elastic_net_gradient", "l1", l2=0.5),
    *of("elastic_net_gradient", "l2", l1=0.5),
    *of("elastic_net_penalty", "l1", l2=0.5, run_axes=1),
    *of("elastic_net_penalty", "l2", l1=0.5, run_axes=1),
    *of("l1_penalty", "strength", run_axes=1),
    *of("l2_penalty", "strength", run_axes=1),
    *of("soft_threshold", "threshold", given="x"),
    *of("group_soft_threshold", "threshold"),
    ("group_soft_threshold", {"weight": W, "threshold": 1.0, "run_axes": 1}, ValueError, "weight"),
    ("group_soft_threshold", {"weight": W, "threshold": 1.0, "run_axes": -1}, ValueError, "run_axes"),
    *of("max_norm", "limit"),
    ("max_norm", {"weight": W, "limit": 0.0}, ValueError, "limit"),
    ("max_norm", {"weight": W, "limit": 1.0, "run_axes": 1}, ValueError, "weight"),
    ("max_norm", {"weight": W, "limit": 1.0, "run_axes": -1}, ValueError, "run_axes"),
    ("l1_penalty", {"weight": W, "strength": 0.5, "run_axes": 3}, ValueError, "run_axes"),
    ("l2_penalty", {"weight": W, "strength": np.ones(2)}, ValueError, "run_axes"),
    ("PenaltyGradient", {"l1": -1.0}, ValueError, "l1"),
    ("PenaltyGradient", {"l2": np.nan}, ValueError, "l2"),
    ("DecoupledWeightDecay", {"strength": -1.0, "learning_rate": 0.1}, ValueError, "strength"),
    ("DecoupledWeightDecay", {"strength": 1.0, "learning_rate": -0.1}, ValueError, "learning_rate"),
    ("ProximalL1", {"strength": -1.0, "learning_rate": 0.1}, ValueError, "strength"),
    ("ProximalL1", {"strength": 1.0, "learning_rate": "fast"}, TypeError, "learning_rate"),
    ("ProximalL1", {"strength": 1.0, "learning_rate": 0.1, "suffix": 1}, TypeError, "suffix"),
    ("PenaltyGradient", {"suffix": None}, TypeError, "suffix"),
    ("DecoupledWeightDecay", {"strength": 1.0, "learning_rate": 0.1, "suffix": 1}, TypeError, "suffix"),
    ("ProximalGroups", {"strength": -1.0, "learning_rate": 0.1}, ValueError, "strength"),
    ("ProximalGroups", {"strength": 1.0, "learning_rate": "fast"}, TypeError, "learning_rate"),
    ("ProximalGroups", {"strength": 1.0, "learning_rate": 0.1, "suffix": 1}, TypeError, "suffix"),
    ("ProximalGroups", {"strength": 1.0, "learning_rate": 0.1, "run_axes": -1}, ValueError, "run_axes"),
    ("MaxNorm", {"limit": 0.0}, ValueError, "limit"),
    ("MaxNorm", {"limit": 1.0, "run_axes": -1}, ValueError, "run_axes"),
]
