"""Figures of the chapter on gradient checking: bugs planted in a backward pass, and which checks find them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.figures import gradient_checking as quotients
from dlnotes.numpy import activations, adaptive_methods, gradient_checking, momentum, network, objective, training

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

BUGS = (
    "no bug",
    "ReLU's mask ignored",
    "weights transposed",
    "1/m missing",
    "last row not summed",
    "penalty forgotten",
    "penalty doubled",
    "sign turned",
    "one weight off by 1%",
    "labels shifted",
)


def shifted(labels: np.ndarray, bug: str) -> np.ndarray:
    """Give the labels as the bug has them: of the next example. The loss takes them too, so its gradient is right."""
    return np.roll(labels, 1, axis=-1) if bug == "labels shifted" else labels


def loss(
    parameters: training.Arrays, inputs: np.ndarray, labels: np.ndarray, strength: float = 0.0, bug: str = "no bug"
) -> np.ndarray:
    """Give the cross-entropy of a ReLU network plus strength / 2 times the squares of its weights."""
    logits, _ = network.forward(parameters, inputs)
    weights = (value for name, value in parameters.items() if name.endswith("weight"))
    penalty = sum((value * value).sum((-1, -2)) for value in weights)
    return objective.cross_entropy(logits, shifted(labels, bug)) + strength / 2 * penalty


def gradient(
    parameters: training.Arrays, inputs: np.ndarray, labels: np.ndarray, strength: float = 0.0, bug: str = "no bug"
) -> training.Arrays:
    """Give the gradient of `loss` by back-propagation, with one bug."""
    logits, cache = network.forward(parameters, inputs)
    delta = objective.cross_entropy_with_gradient(logits, shifted(labels, bug)).gradient
    if bug == "1/m missing":
        delta = delta * inputs.shape[-2]
    if bug == "sign turned":
        delta = -delta
    names, grads = network.layer_names(parameters), {}
    for layer in reversed(range(len(names))):
        weight = parameters[f"{names[layer]}.weight"]
        summed = delta[..., :-1, :] if bug == "last row not summed" else delta
        grads[f"{names[layer]}.weight"] = delta.mT @ cache.inputs[layer]
        grads[f"{names[layer]}.bias"] = summed.sum(-2)
        if bug != "penalty forgotten":
            grads[f"{names[layer]}.weight"] += strength * weight * (2 if bug == "penalty doubled" else 1)
        if layer:
            square = weight.shape[-1] == weight.shape[-2]
            delta = delta @ (weight.mT if bug == "weights transposed" and square else weight)
            if bug != "ReLU's mask ignored":
                delta = delta * activations.relu_slope(cache.preactivations[layer - 1])
    if bug == "one weight off by 1%":
        grads[f"{names[0]}.weight"][..., 0, 0] *= 1.01
    return {name: grads[name] for name in parameters}


# --- which check finds which bug -------------------------------------------------------------------------------------


class BugGallery(NamedTuple):
    """What checks say of a gradient with each bug.

    Attributes:
        stands_out: log10 of the largest relative error of a parameter over that of right code in the same check, median
            over networks; (bug, check).
    """

    stands_out: np.ndarray


CHECKS = (
    "every weight",
    "in float32",
    "4 directions",
    "last layer only",
    "one example",
    "no penalty",
    "no unit off",
)


def worst_error(check: str, right: Sequence[np.ndarray], wrong: Sequence[np.ndarray], draws: Sequence) -> float:
    """Give the largest relative error of a parameter, of what the check compares."""
    pairs = [(own.astype(np.float64), other.astype(np.float64)) for own, other in zip(right, wrong, strict=True)]
    if check == "last layer only":
        pairs = pairs[-2:]
    if check == "4 directions":
        pairs = [(lots @ own.ravel(), lots @ other.ravel()) for lots, (own, other) in zip(draws, pairs, strict=True)]
    return max(float(gradient_checking.relative_error(own, other)) for own, other in pairs)


def numeric(parameters: training.Arrays, function: Callable) -> list[np.ndarray]:
    """Differentiate a function of the parameters by centered differences, in their own precision."""
    return [
        gradient_checking.numerical_gradient(
            lambda moved, name=name: function({**parameters, name: moved}), value, chunk=64
        )
        for name, value in parameters.items()
    ]


def bug_gallery(width: int = 8, batch: int = 16, networks: int = 7, strength: float = 0.1, seed: int = 0) -> BugGallery:
    """Check a ReLU network 6-8-8-4 with each bug in seven ways."""
    sizes = (6, width, width, 4)
    errors = np.empty((networks, len(BUGS), len(CHECKS)))
    for run, place in np.ndindex(networks, len(CHECKS)):
        check, generator = CHECKS[place], np.random.default_rng([seed, run])
        rows = 1 if check == "one example" else batch
        dtype = np.float32 if check == "in float32" else np.float64
        parameters = network.initialize(sizes, generator)
        for name, value in parameters.items():
            if name.endswith("bias"):
                value += 0.3 * generator.standard_normal(value.shape)
            if check == "no unit off":
                value *= 0.2  # small weights and a bias of 4: every pre-activation is above 0
                value += 4 * name.endswith("bias")
        inputs, labels = generator.standard_normal((batch, sizes[0]))[:rows], generator.integers(0, 4, batch)[:rows]
        parameters = {name: value.astype(dtype) for name, value in parameters.items()}
        lots = gradient_checking.random_directions(parameters, generator, count=4)
        draws = [lots[name].reshape(4, -1) for name in parameters]
        given = (inputs.astype(dtype), labels, 0.0 if check == "no penalty" else strength)
        right = numeric(parameters, lambda moved, given=given: loss(moved, *given))
        moved_labels = numeric(parameters, lambda moved, given=given: loss(moved, *given, bug="labels shifted"))
        for row, bug in enumerate(BUGS):
            wrong = list(gradient(parameters, *given, bug=bug).values())
            own = moved_labels if bug == "labels shifted" else right
            errors[run, row, place] = worst_error(check, own, wrong, draws)
    middle = np.log10(np.median(errors, axis=0))
    return BugGallery(middle[1:] - middle[0])


def draw_bug_gallery(numbers: BugGallery, paper: Paper) -> Figure:
    """Draw the table as a map."""
    figure, axes = paper.subplots(height=400 if paper.wide else 470)
    own = axes[0, 0]
    mesh = own.pcolormesh(numbers.stands_out, cmap=paper.ramp, vmin=0, vmax=4)
    mesh.set(edgecolor=paper.background, linewidth=1.5)
    paper.mark(mesh, "stands_out")
    middles = np.arange(len(CHECKS)) + 0.5
    if paper.wide:
        own.set_xticks(middles, [check.replace(" ", "\n") for check in CHECKS])
    else:
        own.set_xticks(middles, CHECKS, rotation=90)
    own.set_yticks(np.arange(len(BUGS) - 1) + 0.5, BUGS[1:])
    own.invert_yaxis()
    own.grid(False)
    own.tick_params(length=0)
    for spine in own.spines.values():
        spine.set_visible(False)
    title = "error over that of right code"
    paper.color_scale(figure, mesh, axes, title, ticks=(0, 2, 4), labels=("1", "100", "10000"))
    return figure


# --- bugs that learn -------------------------------------------------------------------------------------------------


class BugsLearn(NamedTuple):
    """How well networks do that were trained with a wrong gradient.

    Attributes:
        places: Where each bug is drawn; (optimizer, bug). Optimizers are Adam and plain descent.
        mistakes: Share of held-out digits that are classified wrongly; (optimizer, quantile, bug).
    """

    places: np.ndarray
    mistakes: np.ndarray


OPTIMIZERS = (lambda: adaptive_methods.Adam(0.003), lambda: momentum.Momentum(0.3, 0.0))


def bugs_learn(width: int = 24, steps: int = 300, seeds: int = 8, strength: float = 1e-3, seed: int = 0) -> BugsLearn:
    """Train a ReLU network of three hidden layers on digits under each bug, in two ways; the last 500 are held out."""
    digits = datasets.digits()
    inputs = ((digits.inputs - 8) / 8).astype(np.float32)
    shares = np.empty((len(OPTIMIZERS), len(BUGS), seeds))
    for (way, row), bug in zip(np.ndindex(shares.shape[:2]), BUGS * len(OPTIMIZERS), strict=True):
        generator = np.random.default_rng(seed)
        start = network.initialize((64, width, width, width, 10), generator, runs=(seeds,), dtype=np.float32)

        def own(parameters: Any, x: np.ndarray, y: np.ndarray, bug: str = bug) -> network.LossAndGradient:
            return network.LossAndGradient(np.zeros(seeds), gradient(parameters, x, y, strength, bug))

        trained = training.train(
            start,
            inputs[:-500],
            digits.targets[:-500],
            OPTIMIZERS[way](),
            steps=steps,
            batch_size=32,
            generator=generator,
            runs=(seeds,),
            gradient=own,
        )
        logits, _ = network.forward(trained.parameters, inputs[-500:])
        shares[way, row] = (logits.argmax(-1) != digits.targets[-500:]).mean(-1)
    places = np.arange(len(BUGS)) + np.array([[-0.15], [0.15]])
    return BugsLearn(places, quotients.quantiles(shares, -1).swapaxes(0, 1))


def draw_bugs_learn(numbers: BugsLearn, paper: Paper) -> Figure:
    """Draw one row a bug, one color an optimizer, with the spread over seeds."""
    figure, ((axes,),) = paper.subplots(height=360)
    for way, (places, (low, _, high)) in enumerate(zip(numbers.places, numbers.mistakes, strict=True)):
        color = paper.colors[way]
        lines = axes.hlines(places, low, high, color=color, linewidth=1.6)
        paper.mark(lines, f"places[{way}]", x=f"mistakes[{way}, 0]", upper=f"mistakes[{way}, 2]")
        style = {"marker": paper.markers[way], "linestyle": "none", "color": color}
        paper.line(axes, numbers, f"places[{way}]", x=f"mistakes[{way}, 1]", **style)
    paper.label(axes, 0.25, 0, "Adam", color=paper.colors[0], dy=8)
    paper.label(axes, 0.25, 0, "plain descent", color=paper.colors[1], dy=-8)
    paper.guide(axes.axvline(0.9, color=paper.muted, linewidth=0.8))  # guessing one of ten
    axes.set(title="Held-out digits classified wrongly", yticks=range(len(BUGS)), yticklabels=BUGS, xscale="log")
    axes.set_xticks([0.05, 0.1, 0.2, 0.5, 1], ["5%", "10%", "20%", "50%", "100%"])
    axes.minorticks_off()
    axes.grid(False)
    axes.invert_yaxis()
    return figure


# --- random directions -----------------------------------------------------------------------------------------------


class Directions(NamedTuple):
    """How likely a wrong gradient passes a check along random directions.

    Attributes:
        ratios: Tolerance of the check over the true relative error.
        missed: Share of checks that pass; (number of directions, ratio).
        theory: The same by the law of the angle; (number of directions, ratio).
    """

    ratios: np.ndarray
    missed: np.ndarray
    theory: np.ndarray


COUNTS = (1, 2, 4, 8)


def miss_probability(ratios: np.ndarray, count: int, points: int = 4001) -> np.ndarray:
    """Give the probability that `count` directions show less than `ratios` times the true relative error.

    The integral of sin(2 a)^(count - 1) from 0 to arctan(ratio), over the same up to pi / 2.
    """
    angles = np.linspace(0, math.pi / 2, points)
    density = np.sin(2 * angles) ** (count - 1)
    area = np.concatenate(([0], np.cumsum((density[1:] + density[:-1]) / 2)))
    return np.interp(np.arctan(ratios), angles, area / area[-1])


@functools.cache
def _right_and_wrong(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the gradient of a ReLU network's first weights, and one with another of the same length added at 1e-3."""
    generator = np.random.default_rng(seed)
    parameters = network.initialize((10, 16, 16, 5), generator)
    inputs, labels = generator.standard_normal((32, 10)), generator.integers(0, 5, 32)
    right = gradient(parameters, inputs, labels)["0.weight"].ravel()
    error = gradient(parameters, inputs, labels, bug="weights transposed")["0.weight"].ravel() - right
    error -= right * (error @ right) / (right @ right)  # turned, not made longer
    return right, right + 1e-3 * np.linalg.norm(right) * error / np.linalg.norm(error)


def directions(checks: int = 8000, points: int = 13, seed: int = 0) -> Directions:
    """Check a gradient that is off by 0.1% along random directions, and count how often it passes."""
    ratios = np.geomspace(1e-3, 10, points)
    right, wrong = _right_and_wrong(seed)
    generator = np.random.default_rng(seed)
    missed = np.empty((len(COUNTS), points))
    for place, count in enumerate(COUNTS):
        seen = np.empty(checks)
        for first in range(0, checks, 1000):
            rows = slice(first, min(first + 1000, checks))
            size = rows.stop - rows.start
            lots = gradient_checking.random_directions({"w": right}, generator, count=size * count)["w"]
            along = (lots @ np.stack((right, wrong), axis=1)).reshape(size, count, 2)
            seen[rows] = gradient_checking.relative_error(along[..., 0], along[..., 1], run_axes=1)
        missed[place] = (seen < 1e-3 * ratios[:, None]).mean(-1)
    return Directions(ratios, missed, np.stack([miss_probability(ratios, count) for count in COUNTS]))


def draw_directions(numbers: Directions, paper: Paper) -> Figure:
    """Draw the shares on logarithmic axes."""
    figure, ((axes,),) = paper.subplots(height=360)
    for place, (count, color) in enumerate(zip(COUNTS, paper.colors, strict=False)):
        style = {"color": color, "marker": paper.markers[place], "linestyle": "none"}
        paper.line(axes, numbers, f"missed[{place}]", x="ratios", **style)
        paper.theory(axes, numbers, f"theory[{place}]", x="ratios", color=color)
        where = (0.03, 0.045, 0.2, 0.38)[place]
        text = f"{count}" if place else "1 direction"
        shift = {1: {"dx": -4, "dy": 10, "ha": "right"}, 4: {"dx": -7, "dy": -6, "ha": "right"}}
        shift = shift.get(count, {"dx": 9, "dy": -10})
        paper.label(axes, where, float(miss_probability(np.array(where), count)), text, color=color, **shift)
    axes.set(xscale="log", yscale="log", xlabel="tolerance over true relative error", ylim=(1e-4, 2))
    axes.set(title="Probability of missing the bug", xticks=10.0 ** np.arange(-3, 2), yticks=10.0 ** np.arange(-4, 1))
    axes.minorticks_off()
    return figure
