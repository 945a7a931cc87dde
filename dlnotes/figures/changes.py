"""What a reader may change of each figure: the ranges of its arguments, and a smaller form to begin with.

In the page Python is many times slower than at home: figures whose numbers would take long there begin with the
arguments of `SMALLER`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlnotes.figures import ranges as known

# By figure: what stays as in the book, because the drawing names it or takes its places from it.
HELD: Mapping[str, tuple[str, ...]] = {
    "activations/race": ("hidden", "target"),
    "adaptive_methods/race": ("width",),
    "batch_normalization/grid": ("rates", "scales"),
    "batch_normalization/groups": ("sizes",),
    "gradient_checking/kinks": ("batches",),
    "initialization/trainability": ("depths",),
    "minibatch/adam": ("target",),
    "minibatch/critical": ("target",),
    "overfitting/remedies": ("false",),
    "overfitting/signs": ("false",),
    "overfitting/stopping": ("condition",),
    "vanishing_exploding/transient": ("size",),
}

SMALLER: Mapping[str, Mapping[str, Any]] = {
    "activations/growth": {"width": 30, "depth": 10, "networks": 2},
    "activations/signs": {"networks": 2, "largest": 7, "units": 40},
    "activations/centering": {"networks": 3},
    "activations/moments": {"width": 100, "networks": 3},
    "activations/race": {"width": 4, "seeds": 2, "epochs": 2},
    "activations/zig-zag": {"seeds": 100},
    "activations/dead-units": {"width": 16, "seeds": 3, "epochs": 1, "rates": 4},
    "activations/revival": {"width": 16, "seeds": 6},
    "adaptive_methods/correction": {"seeds": 2, "steps": 20, "last": 1000},
    "adaptive_methods/epsilon": {"seeds": 2, "steps": 20, "points": 6},
    "adaptive_methods/units": {"seeds": 2, "steps": 20, "decades": 2},
    "adaptive_methods/race": {"tuning": 2, "seeds": 2, "steps": 20},
    "batch_normalization/explosion": {"width": 64, "networks": 2, "batches": (4, 16, 64), "batch": 64},
    "batch_normalization/batch-noise": {"draws": 60},
    "batch_normalization/inference": {"seeds": 2, "sizes": (2, 8, 32), "steps": 150},
    "batch_normalization/weights": {"steps": 300, "every": 10, "seeds": 2},
    "batch_normalization/landscape": {"width": 24, "steps": 60, "seeds": 2},
    "batch_normalization/noisy": {"width": 24, "steps": 60, "seeds": 2},
    "batch_normalization/grid": {"width": 12, "seeds": 2, "steps": 12},
    "batch_normalization/depth": {"depths": (2, 4, 8), "width": 16, "seeds": 2, "steps": 30},
    "batch_normalization/groups": {"width": 12, "seeds": 2, "steps": 30},
    "conditioning/edge": {"width": 24, "examples": 100, "steps": 200},
    "conditioning/growth": {"width": 32, "examples": 100, "seeds": 2, "steps": 150},
    "conditioning/spectrum": {"width": 6, "examples": 60},
    "dropout/rates": {"widths": (4, 16), "steps": 40, "seeds": 2},
    "dropout/removed": {"units": 16, "steps": 100, "seeds": 2},
    "dropout/uncertainty": {"steps": 40, "passes": 3, "sets": 5},
    "dropout/variance-shift": {"width": 12, "steps": 40, "seeds": 2},
    "ensembles/calibration": {"networks": 2, "deal_count": 2, "steps": 100, "width": 8},
    "ensembles/members": {"networks": 2, "deal_count": 2, "steps": 20, "longer": 60},
    "ensembles/race": {"most": 2, "deal_count": 2, "tuning": 1, "steps": 10, "total": 32, "smaller": 16},
    "ensembles/sources": {"networks": 2, "deal_count": 2, "steps": 20},
    "ensembles/variance": {"networks": 6, "tables": 3, "steps": 20},
    "ensembles/weights": {"branches": 2, "deal_count": 2, "steps": 60, "after": 20},
    "gradient_checking/two-vs": {"seeds": 2, "steps": 14},
    "gradient_checking/least-errors": {"seeds": 2},
    "gradient_checking/complex-step": {"seeds": 2, "steps": 8},
    "gradient_checking/precision": {"seeds": 2, "bits": (8, 17, 32)},
    "gradient_checking/bug-gallery": {"networks": 2},
    "gradient_checking/bugs-learn": {"width": 8, "steps": 60, "seeds": 2},
    "gradient_checking/directions": {"checks": 2000},
    "gradient_checking/kinks": {"networks": 2, "points": 5},
    "gradient_checking/layers": {"networks": 2, "points": 5},
    "gradient_clipping/bias": {"networks": 2, "examples": 100, "length": 500},
    "gradient_clipping/cliff": {"runs": 30, "steps": 100},
    "gradient_clipping/rates": {"units": 8, "examples": 200, "steps": 30, "seeds": 2},
    "gradient_clipping/spike": {"last": 5000},
    "hyperparameter_search/best-of": {"splits": 2, "draws": 16, "steps": 20},
    "hyperparameter_search/grid-random": {"runs": 30, "largest": 4},
    "hyperparameter_search/halving": {"draws": 145, "searches": 10, "tables": 2, "first": 1},
    "hyperparameter_search/importance": {"searches": 2, "draws": 24, "steps": 10},
    "hyperparameter_search/stages": {"searches": 2, "deals": 1, "full": 9},
    "initialization/tanh-histograms": {"width": 100, "rows": 200, "networks": 2},
    "initialization/relu-depth": {"width": 50, "networks": 50},
    "initialization/singular-values": {"size": 30, "matrices": 10, "networks": 2},
    "initialization/pytorch-default": {"width": 100, "networks": 5},
    "initialization/tanh-variance": {"width": 100, "networks": 4},
    "initialization/assumptions": {"networks": 10},
    "initialization/signals-alike": {"width": 50, "depth": 20, "every": 4, "count": 60, "networks": 2},
    "initialization/trainability": {"width": 8, "steps": 10},
    "initialization/race": {"depth": 4, "width": 12, "seeds": 2, "steps": 40},
    "initialization/width-transfer": {"widths": (16, 32), "hidden": 2, "seeds": 2, "steps": 20},
    "minibatch/adam": {"hidden": 8, "seeds": 3},
    "minibatch/clock": {"hidden": 8, "examples": 128, "seeds": 2},
    "minibatch/critical": {"hidden": 8, "seeds": 3},
    "minibatch/error": {"examples": 128, "draws": 40},
    "minibatch/noise-scale": {"hidden": 4, "seeds": 2},
    "babysitting/decades": {"steps": 200, "seeds": 2},
    "babysitting/accuracy": {"seeds": 2},
    "babysitting/decay": {"steps": 40, "seeds": 2},
    "babysitting/ratios": {"steps": 30, "long": 60, "seeds": 2},
    "babysitting/report": {"steps": 200},
    "momentum/noise-floor": {"runs": 40, "steps": 400},
    "momentum/batches": {"examples": 100, "hidden": 8, "seeds": 2, "steps": 60},
    "minima_saddles/along": {"width": 4, "examples": 60, "doublings": 9, "seeds": 2},
    "minima_saddles/barrier": {"width": 12, "examples": 100, "steps": 100, "pairs": 2},
    "minima_saddles/index-loss": {"searches": 10, "samples": 20_000},
    "minima_saddles/surface": {"examples": 100, "steps": 100, "points": 11},
    "minima_saddles/well": {"noise": 9, "runs": 10},
    "objective/max-margin": {"last": 2000, "fast_last": 300},
    "objective/calibration": {"hidden": 16, "seeds": 2, "steps": 200},
    "objective/staircase": {"networks": 600, "points": 600},
    "objective/after-zero": {"examples": 100, "seeds": 2, "last": 600},
    "objective/capacity": {"widths": (10, 40, 110, 200, 330, 700), "seeds": 2},
    "objective/halting": {"seeds": 3, "last": 600},
    "objective/sure-and-wrong": {"hidden": 16, "seeds": 2, "before": 300, "steps": 200},
    "overfitting/capacity": {"sets": 10, "features": 100},
    "overfitting/more-data": {"width": 8, "steps": 60, "seeds": 2},
    "overfitting/remedies": {"examples": 60, "width": 8, "steps": 20, "seeds": 2, "tuning": 2},
    "overfitting/signs": {"examples": 60, "width": 8, "steps": 100, "seeds": 2},
    "preprocessing/layers": {"width": 12, "seeds": 3, "steps": 100},
    "preprocessing/epsilon": {"train": 300, "number": 5, "points": 6},
    "preprocessing/few-rows": {"number": 20, "digit_splits": 4},
    "preprocessing/leak": {"counts": (6, 15, 40, 100), "number": 100, "features": (10, 100, 300), "draws": 30},
    "preprocessing/tables-images": {"tables": 8},
    "schedules/noisy": {"steps": 100},
    "schedules/horizons": {"most": 200, "points": 3, "axes": 4},
    "schedules/networks": {"examples": 100, "lengths": (20, 60), "seeds": 2},
    "schedules/one-run": {"examples": 100, "shortest": 20, "seeds": 2},
    "schedules/range-test": {"lengths": (20, 50), "steps": 20, "seeds": 2},
    "schedules/warm-up": {"steps": 30, "seeds": 2},
    "symmetry_breaking/equal-start": {"examples": 100, "steps": 90, "seeds": 3},
    "symmetry_breaking/rounding": {"runs": 2, "steps": 200},
    "symmetry_breaking/optimizers": {"runs": 2, "steps": 200, "examples": 40, "units": 4},
    "symmetry_breaking/late-noise": {"examples": 200, "runs": 2, "steps": 100},
    "symmetry_breaking/escape-time": {"runs": 6},
    "vanishing_exploding/factors": {"width": 40, "rows": 20, "networks": 4},
    "vanishing_exploding/transient": {"matrices": 6},
    "vanishing_exploding/jacobians": {"depth": 31, "width": 16, "networks": 2},
    "vanishing_exploding/weight-scale": {"depth": 15, "width": 24, "rows": 10, "networks": 2},
    "vanishing_exploding/skips": {"width": 50, "rows": 20, "networks": 4},
    "vanishing_exploding/remedies": {"depth": 4, "width": 8, "seeds": 2, "steps": 15},
    "vanishing_exploding/reach": {"layers": (2, 4), "width": 8, "seeds": 2, "steps": 20},
    "vanishing_exploding/live": {"depth": 4, "width": 12, "steps": 25},
    "weight_penalties/chatter": {"length": 200, "runs": 4},
    "weight_penalties/ends": {"steps": 1000, "runs": 8},
    "weight_penalties/labels": {"width": 8, "steps": 60, "seeds": 2},
    "weight_penalties/paths": {"steps": 2000},
}


def ranges(figure: str, names: tuple[str, ...]) -> dict[str, known.Range]:
    """Give the range of each argument of a figure that is not held.

    Args:
        figure: The chapter and the figure, `chapter/figure`.
        names: The arguments of the function that gives its numbers.

    Returns:
        The ranges by name.

    Raises:
        ValueError: If an argument has no range.
    """
    own = known.OWN.get(figure, {})
    names = tuple(name for name in names if name not in HELD.get(figure, ()))
    lacking = [name for name in names if name not in own and name not in known.RANGES]
    if lacking:
        raise ValueError(f"dlnotes/figures/ranges.py has no range for {', '.join(lacking)} of {figure}")
    return {name: own.get(name) or known.RANGES[name] for name in names}
