"""How far a reader may change each argument of a figure's numbers.

An argument of one name has one range in all figures, in `RANGES`; where it means something else, or would take another
size, the figure has its own in `OWN`.
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
    "babysitting/accuracy": {"wrong": _real(0, 0.5, "share of the labels dealt at random")},
    "babysitting/ratios": {"long": Range(20, 2000, "steps that are followed")},
    "babysitting/report": {"wrong": _real(0, 0.5, "share of the labels dealt at random")},
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
    "dropout/rates": {"widths": Range(2, 256, "hidden units of the two networks", counts=(2, 2))},
    "dropout/uncertainty": {
        "p": _real(0.05, 0.9, "rate of dropout"),
        "passes": Range(2, 200, "passes under masks"),
        "sets": Range(2, 200, "data sets for the linear model"),
    },
    "ensembles/calibration": {
        "deal_count": Range(2, 10, "ways to deal the digits"),
        "steps": Range(40, 5000, "steps"),
        "networks": Range(2, 16, "members"),
    },
    "ensembles/members": {
        "deal_count": Range(2, 10, "ways to deal the data"),
        "longer": Range(10, 5000, "steps of the longer training"),
        "networks": Range(2, 16, "members"),
    },
    "ensembles/race": {
        "deal_count": Range(2, 10, "ways to deal the digits"),
        "tuning": Range(1, 10, "deals on which the rate is chosen"),
        "most": Range(2, 16, "networks that share the units, at most"),
        "total": Range(16, 256, "hidden units of the larger budget"),
        "smaller": Range(16, 256, "hidden units of the smaller budget"),
        "validation": Range(50, 600, "examples by which the rate is chosen"),
    },
    "ensembles/sources": {
        "deal_count": Range(2, 10, "ways to deal the digits"),
        "networks": Range(2, 16, "members"),
        "fast_rate": _real(0.01, 2, "the other learning rate"),
    },
    "ensembles/variance": {
        "networks": Range(6, 48, "members of each training set"),
        "tables": Range(2, 50, "training sets"),
    },
    "ensembles/weights": {
        "branches": Range(2, 16, "branches of a training"),
        "deal_count": Range(2, 10, "ways to deal the digits"),
        "after": Range(5, 1000, "steps after the branches parted"),
        "steps": Range(20, 2000, "steps of the training along which is averaged"),
        "decay": _real(0, 0.9999, "decay of the averages"),
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
        "runs": Range(2, 1000, "starts"),
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
    "hyperparameter_search/best-of": {
        "splits": Range(2, 20, "ways to deal the rows"),
        "draws": Range(8, 64, "networks that are drawn"),
        "rows": Range(20, 300, "rows that the networks are chosen by"),
    },
    "hyperparameter_search/grid-random": {
        "runs": Range(10, 2000, "places of the minimum"),
        "largest": Range(3, 6, "values on each axis of the largest grid"),
    },
    "hyperparameter_search/halving": {
        "draws": Range(145, 300, "networks in a table"),
        "searches": Range(10, 2000, "searches among them"),
        "tables": Range(2, 10, "tables of networks"),
        "first": Range(1, 12, "steps up to the first rung"),
    },
    "hyperparameter_search/importance": {
        "searches": Range(2, 12, "searches"),
        "draws": Range(20, 300, "networks in a search"),
    },
    "hyperparameter_search/stages": {
        "searches": Range(2, 20, "searches on each deal"),
        "deals": Range(1, 10, "ways to deal the digits"),
        "full": Range(9, 108, "steps of a full training"),
    },
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
    "minibatch/adam": {"hidden": Range(4, 64, "hidden units"), "seeds": Range(3, 12, "starts")},
    "minibatch/clock": {
        "overhead": _real(0, 10_000, "examples that a step costs besides its own"),
        "hidden": Range(4, 64, "hidden units"),
        "examples": Range(64, 1000, "examples to train on"),
    },
    "minibatch/critical": {"hidden": Range(4, 64, "hidden units"), "seeds": Range(3, 12, "starts")},
    "minibatch/error": {"examples": Range(32, 1000, "digits"), "draws": Range(20, 500, "batches of each size")},
    "minibatch/noise-scale": {"hidden": Range(4, 64, "hidden units"), "seeds": Range(2, 12, "starts")},
    "minibatch/wander": {"steps": Range(100, 10_000, "steps")},
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
    "overfitting/capacity": {
        "rows": Range(20, 80, "examples to train on"),
        "features": Range(100, 400, "features that there are"),
        "noise": _real(0, 2, "deviation of the noise in the targets"),
        "sets": Range(8, 200, "training sets"),
    },
    "overfitting/remedies": {
        "examples": Range(30, 240, "examples to train on"),
        "width": Range(4, 128, "hidden units"),
        "tuning": Range(2, 10, "runs for each strength"),
    },
    "overfitting/more-data": {"steps": Range(40, 3000, "updates")},
    "overfitting/signs": {"steps": Range(50, 4000, "steps")},
    "overfitting/stopping": {"steps": Range(100, 20_000, "steps"), "rate": _real(0.01, 0.5, "learning rate")},
    "preprocessing/leak": {
        "counts": Range(4, 100, "numbers of examples", counts=(2, 10)),
        "features": Range(2, 1000, "numbers of features", counts=(3, 6)),
        "test": Range(10, 78, "examples to test on"),
    },
    "preprocessing/refit": {
        "sizes": Range(2, 89, "sizes of a batch", counts=(2, 10)),
        "drifts": Range(0, 8, "how far the data move, in standard deviations", whole=False, counts=(2, 12)),
    },
    "schedules/gallery": {"steps": Range(40, 1000, "steps")},
    "schedules/horizons": {
        "most": Range(60, 1000, "the largest number of steps"),
        "points": Range(2, 8, "numbers of steps"),
        "axes": Range(2, 12, "curvatures on the right"),
        "noise": _real(0.1, 10, "variance of the noise"),
    },
    "schedules/networks": {
        "examples": Range(60, 1797, "examples to train on"),
        "lengths": Range(6, 600, "numbers of steps", counts=(2, 3)),
        "seeds": Range(2, 8, "runs, each with other random numbers"),
    },
    "schedules/noisy": {
        "steps": Range(12, 400, "steps"),
        "axes": Range(2, 12, "curvatures"),
        "noise": _real(0.1, 10, "variance of the noise"),
    },
    "schedules/one-run": {
        "rate": _real(0.05, 1, "the rate that is held"),
        "share": _real(0.1, 0.5, "share of the steps in which it falls"),
        "shortest": Range(10, 100, "steps of the shortest branch"),
        "seeds": Range(2, 8, "runs, each with other random numbers"),
    },
    "schedules/range-test": {
        "lengths": Range(10, 800, "steps of the sweeps", counts=(2, 4)),
        "steps": Range(4, 400, "steps at a constant rate"),
        "seeds": Range(2, 6, "runs, each with other random numbers"),
    },
    "schedules/warm-up": {
        "steps": Range(6, 300, "steps at the full rate"),
        "ramp": Range(1, 60, "steps of warm-up"),
        "seeds": Range(2, 8, "runs, each with other random numbers"),
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
    "weight_penalties/chatter": {
        "length": Range(100, 5000, "steps on batches"),
        "features": Range(6, 100, "features of a regression"),
        "shown": Range(45, 200, "steps that are drawn"),
    },
    "weight_penalties/corners": {
        "correlation": _real(-0.9, 0.9, "correlation of the two features"),
        "points": Range(21, 201, "rows and columns of the map"),
    },
    "weight_penalties/ends": {"steps": Range(200, 10_000, "steps")},
    "weight_penalties/labels": {"examples": Range(60, 600, "examples to train on")},
    "weight_penalties/paths": {
        "points": Range(61, 121, "strengths"),
        "steps": Range(200, 20_000, "proximal steps"),
    },
}
