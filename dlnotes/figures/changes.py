"""What a reader may change of each figure: the range of each argument of its numbers, and a smaller form to begin with.

An argument of one name has one range in all figures, in `RANGES`; where it means something else, or would take another
size, the figure has its own in `OWN`. In the page Python is many times slower than at home: figures whose numbers would
take long there begin with the arguments of `SMALLER`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Range(NamedTuple):
    """The numbers that an argument may be.

    Attributes:
        low: The least.
        high: The largest.
        words: What the argument is.
        whole: Whether it is a whole number.
        counts: The least and the largest count of a list of numbers; `None` for one number.
    """

    low: float
    high: float
    words: str
    whole: bool = True
    counts: tuple[int, int] | None = None

    def holds(self, value: Any) -> bool:
        """Say whether a number, or each of a list, lies in the range."""
        if self.counts is not None:
            least, most = self.counts
            return least <= len(value) <= most and all(self._replace(counts=None).holds(one) for one in value)
        return self.low <= value <= self.high and (not self.whole or value == int(value))


def _real(low: float, high: float, words: str) -> Range:
    return Range(low, high, words, whole=False)


RANGES: Mapping[str, Range] = {
    "batch": Range(2, 512, "examples in a batch"),
    "before": Range(50, 3000, "steps before the change"),
    "bins": Range(11, 101, "bars of the histogram"),
    "checks": Range(100, 20_000, "checks, each along another direction"),
    "count": Range(50, 1000, "images"),
    "decay": _real(0, 0.1, "weight decay"),
    "depth": Range(2, 60, "layers"),
    "digit_splits": Range(2, 50, "ways to split the digits"),
    "digits": Range(2, 10, "digits shown"),
    "draws": Range(20, 500, "random draws for each point"),
    "epochs": Range(1, 20, "passes over the training data"),
    "every": Range(1, 50, "steps or layers from one measurement to the next"),
    "examples": Range(20, 1000, "examples to train on"),
    "fan_in": Range(16, 1024, "inputs of a unit"),
    "fast_last": Range(100, 30_000, "steps of the faster descent"),
    "fast_rate": _real(0.01, 2, "learning rate of the faster descent"),
    "features": Range(2, 200, "features"),
    "held_out": Range(50, 1000, "examples held out"),
    "hidden": Range(1, 16, "hidden layers"),
    "inputs": Range(4, 400, "inputs of a unit"),
    "last": Range(200, 30_000, "steps"),
    "limit": _real(1, 10, "how far the axis reaches to either side"),
    "matrices": Range(2, 200, "random matrices"),
    "measurements": Range(2, 12, "measurements"),
    "networks": Range(2, 400, "networks, each with other random weights"),
    "noise": _real(0, 5, "size of the noise"),
    "number": Range(5, 1000, "random repetitions"),
    "points": Range(5, 1001, "points of a curve"),
    "powers": Range(3, 9, "scales of the start, from 0.001 to 0.1"),
    "rate": _real(0.001, 2, "learning rate"),
    "rates": Range(3, 12, "learning rates"),
    "rows": Range(10, 2000, "inputs sent through a network"),
    "runs": Range(2, 50, "runs, each with other random numbers"),
    "seed": Range(0, 999_999, "which random numbers are drawn"),
    "seeds": Range(2, 50, "runs, each with other random numbers"),
    "size": Range(4, 256, "rows and columns of a matrix"),
    "steps": Range(10, 2000, "steps"),
    "strength": _real(0.0001, 1, "strength of the weight penalty"),
    "tables": Range(4, 200, "tables of data"),
    "test": Range(20, 500, "examples to test on"),
    "train": Range(100, 1200, "examples to train on"),
    "units": Range(2, 200, "hidden units"),
    "width": Range(2, 512, "units in each layer"),
}

_SIZES = Range(2, 1024, "sizes of a batch", counts=(2, 12))

# By figure: what an argument is there, if not what its name says above.
OWN: Mapping[str, Mapping[str, Range]] = {
    "activations/gallery": {"negative_slopes": Range(0, 1, "two slopes left of 0", whole=False, counts=(2, 2))},
    "activations/growth": {"depth": Range(5, 60, "layers")},
    "activations/revival": {
        "seeds": Range(2, 100, "runs, each with other random numbers"),
        "rates": Range(0.01, 5, "learning rates: until units die, and after", whole=False, counts=(2, 2)),
        "first": Range(2, 200, "steps at the first rate"),
    },
    "activations/signs": {
        "units": Range(2, 200, "units on random inputs"),
        "largest": Range(2, 10, "the largest batch, as a power of 2"),
    },
    "activations/zig-zag": {
        "seeds": Range(2, 1000, "runs, each with other random numbers"),
        "shown": Range(4, 60, "steps of the path that is drawn"),
    },
    "adaptive_methods/correction": {"last": Range(200, 10_000, "steps whose length is measured")},
    "adaptive_methods/counterexample": {
        "large": _real(2.01, 20, "the large gradient"),
        "rate": _real(0.01, 1, "learning rate of the first step"),
        "points": Range(5, 40, "points that are measured"),
    },
    "adaptive_methods/epsilon": {"points": Range(6, 24, "powers of ten, on either axis")},
    "adaptive_methods/race": {"tuning": Range(2, 10, "networks for each rate of the first grid")},
    "adaptive_methods/rotation": {
        "condition": _real(2, 10_000, "how many times as steep across as along"),
        "starts": Range(5, 100, "starts"),
        "every": Range(1, 15, "degrees from one angle to the next"),
    },
    "adaptive_methods/singular-values": {
        "rows": Range(4, 64, "rows of the gradient"),
        "features": Range(64, 128, "columns of the gradient"),
    },
    "adaptive_methods/units": {"decades": Range(1, 5, "powers of ten between the units, at most")},
    "batch_normalization/batch-noise": {"sizes": _SIZES},
    "batch_normalization/depth": {
        "depths": Range(1, 40, "numbers of hidden layers", counts=(2, 8)),
        "rates": Range(0.001, 2, "learning rates, of which the best counts", whole=False, counts=(1, 4)),
    },
    "batch_normalization/explosion": {
        "batches": _SIZES,
        "short": Range(5, 60, "layers of the networks whose batch is changed"),
    },
    "batch_normalization/inference": {"sizes": Range(2, 64, "sizes of a batch", counts=(2, 12))},
    "batch_normalization/noisy": {
        "steps": Range(60, 1000, "steps"),
        "every": Range(5, 20, "steps from one measurement to the next"),
        "scale": _real(0.1, 2, "starting weights, as a part of He's"),
    },
    "batch_normalization/sight": {
        "examples": Range(2, 20, "examples in the batch"),
        "features": Range(4, 20, "features, an even number"),
        "pixels": Range(2, 12, "pixels of a feature"),
    },
    "batch_normalization/shifted-fits": {"samples": Range(10, 500, "samples, each fitted by itself")},
    "conditioning/edge": {"steps": Range(100, 2000, "steps")},
    "conditioning/modes": {"last": Range(5, 100, "steps")},
    "conditioning/spectrum": {
        "products": Range(10, 200, "products for each random vector"),
        "probes": Range(1, 50, "random vectors"),
    },
    "gradient_checking/complex-step": {"steps": Range(7, 40, "step sizes of the difference quotient")},
    "gradient_checking/precision": {"bits": Range(6, 50, "bits of the numbers computed with", counts=(3, 10))},
    "gradient_checking/two-vs": {"steps": Range(11, 60, "step sizes of the difference quotient")},
    "gradient_clipping/bias": {
        "runs": Range(20, 1000, "descents that are averaged"),
        "length": Range(100, 4000, "steps of a descent"),
    },
    "gradient_clipping/cliff": {
        "max_norm": _real(0.01, 1000, "longest gradient allowed"),
        "runs": Range(2, 400, "starts"),
        "length": Range(5, 100, "times that the unit runs"),
    },
    "gradient_clipping/spike": {
        "length": _real(10, 100_000, "length of the longest spike"),
        "max_norm": _real(1, 100, "longest gradient allowed"),
        "beta": _real(0, 0.99, "share of the velocity that is kept"),
        "last": Range(1000, 20_000, "steps after the spike"),
    },
    "gradient_clipping/steepness": {"longest": Range(15, 60, "times that the unit runs, at most")},
    "gradient_clipping/turning": {"points": Range(9, 60, "thresholds")},
    "initialization/signals-alike": {"width": Range(16, 512, "units in each layer")},
    "initialization/tanh-variance": {"depth": Range(21, 60, "layers")},
    "initialization/width-transfer": {"widths": Range(8, 512, "widths", counts=(2, 6))},
    "momentum/hundred": {
        "condition": _real(2, 10_000, "largest curvature over the least"),
        "last": Range(10, 1000, "steps"),
    },
    "momentum/ravine": {"last": Range(5, 60, "steps")},
    "momentum/plane": {
        "condition": _real(2, 10_000, "largest curvature over the least"),
        "points": Range(9, 121, "cells along each axis"),
    },
    "momentum/windows": {"paths": Range(20, 5000, "random sequences that are averaged")},
    "momentum/noise-floor": {"runs": Range(3, 400, "runs"), "steps": Range(40, 2000, "steps")},
    "momentum/batches": {
        "small": Range(1, 100, "examples in a small batch"),
        "hidden": Range(2, 64, "hidden units"),
        "steps": Range(40, 400, "steps"),
    },
    "minima_saddles/along": {
        "width": Range(2, 16, "units in the hidden layer"),
        "examples": Range(20, 400, "examples to train on"),
        "rate": _real(0.02, 0.5, "learning rate"),
        "doublings": Range(6, 13, "how often the number of steps is doubled"),
        "seeds": Range(2, 8, "runs, each with other random numbers"),
    },
    "minima_saddles/barrier": {
        "width": Range(2, 128, "units in the hidden layer"),
        "pairs": Range(2, 10, "pairs of networks"),
        "points": Range(5, 101, "points of a curve"),
    },
    "minima_saddles/index-loss": {
        "size": Range(2, 5, "inputs, hidden units and outputs"),
        "searches": Range(5, 200, "searches for a point without slope"),
        "samples": Range(1000, 1_000_000, "random matrices of each size"),
    },
    "minima_saddles/saddle": {
        "rate": _real(0.02, 0.5, "learning rate"),
        "noise": _real(0, 0.1, "deviation of the gradient's noise"),
        "points": Range(11, 161, "rows and columns of the map"),
    },
    "minima_saddles/surface": {
        "width": Range(2, 64, "units in the hidden layer"),
        "factor": _real(0.25, 16, "what the first layer of the rescaled network is multiplied by"),
        "points": Range(5, 41, "rows and columns of a map"),
    },
    "minima_saddles/well": {
        "rate": _real(0.02, 0.03, "learning rate"),
        "noise": _real(6, 12, "deviation of the gradient's noise"),
        "runs": Range(2, 200, "runs, each with other random numbers"),
    },
    "objective/after-zero": {"hidden": Range(2, 128, "hidden units")},
    "objective/calibration": {"hidden": Range(2, 128, "hidden units")},
    "objective/capacity": {
        "widths": Range(2, 1600, "widths of the hidden layer", counts=(2, 20)),
        "tested": Range(50, 1000, "examples to test on"),
    },
    "objective/graph": {
        "weight": _real(-5, 5, "the weight"),
        "value": _real(-5, 5, "the input"),
        "bias": _real(-5, 5, "the bias"),
        "label": _real(-5, 5, "the label"),
    },
    "objective/halting": {"hidden": Range(2, 128, "hidden units")},
    "objective/max-margin": {"last": Range(200, 30_000, "steps at the constant rate")},
    "objective/staircase": {
        "few": Range(5, 500, "examples that the trained network has learned"),
        "hidden": Range(2, 128, "hidden units"),
        "networks": Range(100, 5000, "networks that are moved a little"),
        "points": Range(100, 3000, "places on the way from the start to the trained network"),
    },
    "objective/surrogates": {
        "lowest": _real(-5, 0, "left end of the axis"),
        "highest": _real(1, 6, "right end of the axis"),
    },
    "objective/sure-and-wrong": {"hidden": Range(2, 128, "hidden units")},
    "preprocessing/leak": {
        "counts": Range(4, 100, "numbers of examples", counts=(2, 10)),
        "features": Range(2, 1000, "numbers of features", counts=(3, 6)),
        "test": Range(10, 78, "examples to test on"),
    },
    "preprocessing/refit": {
        "sizes": Range(2, 89, "sizes of a batch", counts=(2, 10)),
        "drifts": Range(0, 8, "how far the data move, in standard deviations", whole=False, counts=(2, 12)),
    },
    "symmetry_breaking/rounding": {
        "steps": Range(101, 1000, "steps"),
        "start": Range(7, 100, "step from which the linear law is followed"),
    },
    "vanishing_exploding/lyapunov": {
        "least": Range(1, 12, "rows of the smallest matrices on the right"),
        "most": Range(13, 40, "rows of the largest matrices on the right"),
        "size": Range(2, 16, "rows of the matrices on the left"),
    },
    "vanishing_exploding/reach": {"layers": Range(2, 40, "numbers of layers", counts=(2, 6))},
    "vanishing_exploding/live": {"depth": Range(4, 40, "layers")},
    "vanishing_exploding/transient": {"steps": Range(40, 200, "powers of the matrices")},
}

# By figure: what stays as in the book, because the drawing names it or takes its places from it.
HELD: Mapping[str, tuple[str, ...]] = {
    "activations/race": ("hidden", "target"),
    "adaptive_methods/race": ("width",),
    "batch_normalization/grid": ("rates", "scales"),
    "batch_normalization/groups": ("sizes",),
    "gradient_checking/kinks": ("batches",),
    "initialization/trainability": ("depths",),
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
    "preprocessing/layers": {"width": 12, "seeds": 3, "steps": 100},
    "preprocessing/epsilon": {"train": 300, "number": 5, "points": 6},
    "preprocessing/few-rows": {"number": 20, "digit_splits": 4},
    "preprocessing/leak": {"counts": (6, 15, 40, 100), "number": 100, "features": (10, 100, 300), "draws": 30},
    "preprocessing/tables-images": {"tables": 8},
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
}


def ranges(figure: str, names: tuple[str, ...]) -> dict[str, Range]:
    """Give the range of each argument of a figure that is not held.

    Args:
        figure: The chapter and the figure, `chapter/figure`.
        names: The arguments of the function that gives its numbers.

    Returns:
        The ranges by name.

    Raises:
        ValueError: If an argument has no range.
    """
    own = OWN.get(figure, {})
    names = tuple(name for name in names if name not in HELD.get(figure, ()))
    lacking = [name for name in names if name not in own and name not in RANGES]
    if lacking:
        raise ValueError(f"dlnotes/figures/changes.py has no range for {', '.join(lacking)} of {figure}")
    return {name: own.get(name) or RANGES[name] for name in names}
