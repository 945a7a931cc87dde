from __future__ import annotations

import numpy as np

from dlnotes.numpy import hyperparameter_search as search

RNG = np.random.default_rng(0)
RANGES = (search.Range(0.0, 1.0), search.Range(0.1, 1.0, log=True))
VALUES, LOSSES = np.full((4, 2), 0.5), np.zeros(4)
REFINE = {"ranges": RANGES, "values": VALUES, "losses": LOSSES, "keep": 2}


def evaluate(values, budget):
    return np.zeros(len(values))


SPACE = {"a": RANGES[0], "b": RANGES[1]}
UNDER = search.Under("b", (1,), RANGES[0])
STAGED = {"evaluate": evaluate, "ranges": RANGES, "generator": RNG}
POINTS = np.linspace(0, 1, 20).reshape(10, 2)


def sequences(name):
    return [
        (name, {"draws": -1, "dimensions": 2}, ValueError, "draws"),
        (name, {"draws": 2.0, "dimensions": 2}, TypeError, "draws"),
        (name, {"draws": 4, "dimensions": 0}, ValueError, "dimensions"),
        (name, {"draws": 4, "dimensions": 2, "shift": np.zeros(3)}, ValueError, "shift"),
        (name, {"draws": 4, "dimensions": 2, "shift": np.ones(2)}, ValueError, "shift"),
        (name, {"draws": 4, "dimensions": 2, "shift": np.zeros(2, dtype=int)}, TypeError, "shift"),
    ]


CASES = [
    ("Range", {"low": 1.0, "high": 1.0}, ValueError, "high"),
    ("Range", {"low": 0.0, "high": 1.0, "log": True}, ValueError, "low"),
    ("Range", {"low": np.nan, "high": 1.0}, ValueError, "low"),
    ("Range", {"low": 0.0, "high": 1.0, "log": "yes"}, TypeError, "log"),
    ("grid_points", {"counts": ()}, ValueError, "counts"),
    ("grid_points", {"counts": (3, 0)}, ValueError, "counts"),
    ("random_points", {"shape": (3,), "generator": RNG}, ValueError, "shape"),
    ("random_points", {"shape": (3, -1), "generator": RNG}, ValueError, "shape"),
    ("random_points", {"shape": (3, 2), "generator": 0}, TypeError, "generator"),
    ("random_points", {"shape": (3, 2), "generator": np.array([RNG]), "runs": (2,)}, ValueError, "generator"),
    *sequences("halton_points"),
    *sequences("sobol_points"),
    ("sobol_points", {"draws": 4, "dimensions": 11}, ValueError, "dimensions"),
    ("Whole", {"low": 2, "high": 2}, ValueError, "high"),
    ("Whole", {"low": 0, "high": 2, "log": True}, ValueError, "low"),
    ("Whole", {"low": 0.0, "high": 2}, TypeError, "low"),
    ("Whole", {"low": 1, "high": 2, "log": 1}, TypeError, "log"),
    ("Choices", {"options": ()}, ValueError, "options"),
    ("Choices", {"options": [1, 2]}, TypeError, "options"),
    ("Under", {"name": 1, "among": (1,), "part": RANGES[0]}, TypeError, "name"),
    ("Under", {"name": "a", "among": 1, "part": RANGES[0]}, TypeError, "among"),
    ("Under", {"name": "a", "among": (1,), "part": (0, 1)}, TypeError, "part"),
    ("scrambled_sobol_points", {"draws": -1, "dimensions": 2, "generator": RNG}, ValueError, "draws"),
    ("scrambled_sobol_points", {"draws": 4, "dimensions": 11, "generator": RNG}, ValueError, "dimensions"),
    ("scrambled_sobol_points", {"draws": 4, "dimensions": 2, "generator": 0}, TypeError, "generator"),
    ("scrambled_sobol_points", {"draws": 4, "dimensions": 2, "generator": RNG, "runs": (-1,)}, ValueError, "runs"),
    ("to_settings", {"points": VALUES, "space": RANGES}, TypeError, "space"),
    ("to_settings", {"points": VALUES, "space": {"a": RANGES[0]}}, ValueError, "points"),
    ("to_settings", {"points": VALUES + 1, "space": SPACE}, ValueError, "points"),
    ("to_settings", {"points": VALUES[0], "space": SPACE}, ValueError, "points"),
    ("to_settings", {"points": VALUES, "space": {"a": RANGES[0], "b": (0, 1)}}, TypeError, "space"),
    ("to_settings", {"points": VALUES, "space": {"a": UNDER, "b": RANGES[0]}}, ValueError, "condition"),
    ("to_ranges", {"points": VALUES + 1, "ranges": RANGES}, ValueError, "points"),
    ("to_ranges", {"points": VALUES[:, :1], "ranges": RANGES}, ValueError, "points"),
    ("to_ranges", {"points": VALUES.astype(int), "ranges": RANGES}, TypeError, "points"),
    ("to_ranges", {"points": VALUES, "ranges": ((0.0, 1.0), (0.0, 1.0))}, TypeError, "ranges"),
    ("to_ranges", {"points": VALUES, "ranges": ()}, ValueError, "ranges"),
    ("from_ranges", {"values": -VALUES, "ranges": RANGES}, ValueError, "values"),
    ("from_ranges", {"values": VALUES[:, :1], "ranges": RANGES}, ValueError, "values"),
    ("hit_probability", {"draws": -1, "share": 0.5}, ValueError, "draws"),
    ("hit_probability", {"draws": 1, "share": 1.5}, ValueError, "share"),
    ("draws_needed", {"probability": 1.0, "share": 0.5}, ValueError, "probability"),
    ("draws_needed", {"probability": 0.5, "share": 0.0}, ValueError, "share"),
    ("refine", {**REFINE, "keep": 0}, ValueError, "keep"),
    ("refine", {**REFINE, "keep": 5}, ValueError, "keep"),
    ("refine", {**REFINE, "margin": 0.0}, ValueError, "margin"),
    ("refine", {**REFINE, "losses": np.zeros(3)}, ValueError, "losses"),
    ("refine", {**REFINE, "values": VALUES[0]}, ValueError, "values"),
    ("coarse_to_fine", {**STAGED, "stages": ()}, ValueError, "stages"),
    ("coarse_to_fine", {**STAGED, "stages": (search.Stage(0, 1, 1),)}, ValueError, "stages"),
    ("coarse_to_fine", {**STAGED, "stages": (search.Stage(3, 0, 1),)}, ValueError, "stages"),
    ("coarse_to_fine", {**STAGED, "stages": (search.Stage(3, 1, 4),)}, ValueError, "keep"),
    ("coarse_to_fine", {**STAGED, "stages": (search.Stage(3, 1, 1),), "generator": 0}, TypeError, "generator"),
    ("successive_halving", {"evaluate": evaluate, "candidates": 0}, ValueError, "candidates"),
    ("successive_halving", {"evaluate": evaluate, "candidates": 4, "budget": 0}, ValueError, "budget"),
    ("successive_halving", {"evaluate": evaluate, "candidates": 4, "factor": 1}, ValueError, "factor"),
    ("successive_halving", {"evaluate": evaluate, "candidates": 4, "budget": 3, "largest": 2}, ValueError, "largest"),
    ("hyperband_brackets", {"largest": 0}, ValueError, "largest"),
    ("hyperband_brackets", {"largest": 9, "factor": 1}, ValueError, "factor"),
    ("to_promote", {"rungs": ({}, {}), "promoted": ({},), "factor": 2}, ValueError, "promoted"),
    ("to_promote", {"rungs": ({},), "promoted": ({},), "factor": 1}, ValueError, "factor"),
    ("importance", {"points": POINTS[:2], "losses": np.zeros(2), "bins": 1}, ValueError, "losses"),
    ("at_edge", {"ranges": RANGES, "values": POINTS + 0.1, "losses": np.zeros(9)}, ValueError, "losses"),
    ("at_edge", {"ranges": RANGES, "values": POINTS[0], "losses": np.zeros(10)}, ValueError, "values"),
    ("at_edge", {"ranges": RANGES, "values": POINTS + 0.1, "losses": np.zeros(10), "share": 0.5}, ValueError, "share"),
    ("at_edge", {"ranges": RANGES, "values": POINTS + 0.1, "losses": np.arange(10)}, TypeError, "losses"),
    ("importance", {"points": POINTS, "losses": np.full(10, np.nan), "bins": 3}, ValueError, "losses"),
    ("importance", {"points": POINTS, "losses": np.zeros(9), "bins": 3}, ValueError, "losses"),
    ("importance", {"points": POINTS, "losses": np.zeros(10), "bins": 6}, ValueError, "bins"),
    ("importance", {"points": POINTS, "losses": np.zeros(10), "bins": 0}, ValueError, "bins"),
    ("importance", {"points": POINTS[0], "losses": np.zeros(10), "bins": 3}, ValueError, "points"),
]
