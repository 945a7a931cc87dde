"""Figures of the chapter on gradient checking: how near a difference quotient comes to the gradient, and why no nearer.

Quantiles over networks are 10%, 50% and 90%, and stand on an axis of three in this order. Errors are relative, of the
gradient of all parameters as one vector, against the gradient by back-propagation in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import difference_quotients
from dlnotes.numpy import gradient_checking, network, objective

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

SIZES = (10, 16, 5)
BATCH = 32


def quantiles(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Give the 10%, 50% and 90% quantiles over an axis, on the first axis."""
    return np.quantile(values, (0.1, 0.5, 0.9), axis=axis)


class Subject(NamedTuple):
    """What is checked: a loss that takes parameters with or without a run axis, the point, and the gradient there."""

    loss: Callable
    parameters: dict[str, np.ndarray]
    gradient: np.ndarray


def joined(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Lay all arrays out as one vector of float64."""
    return np.concatenate([np.ravel(array) for array in arrays.values()]).astype(np.float64)


def numeric(subject: Subject, step: float, method: str = "centered") -> np.ndarray:
    """Differentiate the loss numerically in every parameter, as one vector."""

    def along(name: str) -> Callable:
        return lambda moved: subject.loss({**subject.parameters, name: moved})

    return joined(
        {
            name: gradient_checking.numerical_gradient(along(name), value, method=method, step=step, chunk=64)
            for name, value in subject.parameters.items()
        }
    )


def error(subject: Subject, step: float, method: str = "centered") -> float:
    """Give the relative error of the numerical gradient."""
    return float(gradient_checking.relative_error(numeric(subject, step, method), subject.gradient))


def tanh_network(
    generator: np.random.Generator,
    *,
    batch: int = BATCH,
    dtype: type = np.float64,
    uniform: bool = False,
    training_steps: int = 0,
) -> Subject:
    """Draw a network 10-16-5 of tanh with He's weights, a batch with random labels, and cross-entropy.

    Args:
        generator: Draws all.
        batch: Examples.
        dtype: What the loss is computed in; the gradient to compare with is that of float64.
        uniform: Inputs from 0 to 1 in place of normal ones.
        training_steps: Steps of descent of rate 0.5 on this batch before the check.
    """
    parameters = network.initialize(SIZES, generator)
    inputs = generator.random((batch, SIZES[0])) if uniform else generator.standard_normal((batch, SIZES[0]))
    labels = generator.integers(0, SIZES[-1], batch)
    for _ in range(training_steps):
        gradient = network.loss_and_gradient(parameters, inputs, labels, "tanh").gradient
        parameters = {name: value - 0.5 * gradient[name] for name, value in parameters.items()}
    # What both precisions hold, so that they are two computations at one point.
    parameters = {name: value.astype(dtype).astype(np.float64) for name, value in parameters.items()}
    inputs = inputs.astype(dtype).astype(np.float64)
    gradient = joined(network.loss_and_gradient(parameters, inputs, labels, "tanh").gradient)
    own = inputs.astype(dtype)

    def loss(moved: dict[str, np.ndarray]) -> np.ndarray:
        return objective.cross_entropy(network.forward(moved, own, "tanh")[0], labels)

    return Subject(loss, {name: value.astype(dtype) for name, value in parameters.items()}, gradient)


def second_derivatives(subject: Subject, step: float = 1e-3) -> np.ndarray:
    """Give the second derivative along each coordinate: forward less centered is h f'' / 2."""
    return 2 / step * (numeric(subject, step, "forward") - numeric(subject, step))


def third_derivatives(subject: Subject, step: float = 0.02) -> np.ndarray:
    """Give the third derivative along each coordinate: centered at 2 h less centered at h is h^2 f''' / 2."""
    return 2 / step**2 * (numeric(subject, 2 * step) - numeric(subject, step))


def root_mean_square(values: np.ndarray) -> float:
    """Give the root of the mean of the squares."""
    return float(np.sqrt((values * values).mean()))


# --- two Vs ----------------------------------------------------------------------------------------------------------


class TwoVs(NamedTuple):
    """Relative error of numerical gradients against the step, over networks.

    Attributes:
        steps: h.
        forward: Error of forward differences; (quantile, step).
        centered: Error of centered ones; (quantile, step).
        bug: Centered differences against a gradient whose bias sums leave out one of the 32 examples; (quantile, step).
        forward_bound: Truncation plus rounding, as derived, from the sizes of f, f'' and f''' of these networks.
        centered_bound: The same for centered differences.
    """

    steps: np.ndarray
    forward: np.ndarray
    centered: np.ndarray
    bug: np.ndarray
    forward_bound: np.ndarray
    centered_bound: np.ndarray


def without_last_row(generator: np.random.Generator) -> np.ndarray:
    """Give the gradient of the network that `tanh_network` draws, with bias sums that leave out the last example."""
    parameters = network.initialize(SIZES, generator)
    inputs, labels = generator.standard_normal((BATCH, SIZES[0])), generator.integers(0, SIZES[-1], BATCH)
    gradient = network.loss_and_gradient(parameters, inputs, labels, "tanh").gradient
    fewer = network.loss_and_gradient(parameters, inputs[:-1], labels[:-1], "tanh").gradient
    share = (BATCH - 1) / BATCH  # the mean over the batch still divides by all
    return joined({name: share * fewer[name] if "bias" in name else value for name, value in gradient.items()})


def two_vs(seeds: int = 10, steps: int = 27, seed: int = 0) -> TwoVs:
    """Check networks with forward and centered differences at steps from 1e-13 to 1."""
    sizes = np.geomspace(1e-13, 1, steps)
    errors, bounds = np.empty((3, seeds, steps)), np.empty((2, seeds, steps))
    for run in range(seeds):
        subject = tanh_network(np.random.default_rng([seed, run]))
        wrong = without_last_row(np.random.default_rng([seed, run]))
        value = float(subject.loss(subject.parameters))
        scale = math.sqrt(subject.gradient.size) / np.linalg.norm(subject.gradient)
        derivatives = {
            "forward": root_mean_square(second_derivatives(subject)),
            "centered": root_mean_square(third_derivatives(subject)),
        }
        for place, step in enumerate(sizes):
            centered = numeric(subject, step)
            errors[0, run, place] = error(subject, step, "forward")
            errors[1, run, place] = gradient_checking.relative_error(centered, subject.gradient)
            errors[2, run, place] = gradient_checking.relative_error(centered, wrong)
            bounds[:, run, place] = [
                scale * difference_quotients.difference_error(step, method, value=value, derivative=derivative)
                for method, derivative in derivatives.items()
            ]
    return TwoVs(sizes, *quantiles(errors, 1).swapaxes(0, 1), *np.median(bounds, axis=1))


def draw_two_vs(numbers: TwoVs, paper: Paper) -> Figure:
    """Draw the errors against the step on logarithmic axes."""
    figure, ((axes,),) = paper.subplots(height=400)
    colors = (paper.palette.orange, paper.palette.blue, paper.palette.purple)
    for series, (name, color) in enumerate(zip(("forward", "centered", "bug"), colors, strict=True)):
        paper.band(axes, numbers, f"{name}[0]", f"{name}[2]", x="steps", color=color)
        style = {"color": color, "marker": paper.markers[series], "markevery": 3}
        paper.line(axes, numbers, f"{name}[1]", x="steps", **style)
    for name in ("forward", "centered"):
        paper.theory(axes, numbers, f"{name}_bound", x="steps")
    axes.set(xscale="log", yscale="log", xlabel="step h", title="Relative error of the gradient")
    axes.set(xticks=10.0 ** np.arange(-12, 1, 3), yticks=10.0 ** np.arange(-10, 3, 2), ylim=(3e-11, 100))
    axes.minorticks_off()
    paper.label(axes, 1e-8, numbers.bug[1, 10], "one example left out\nof the bias sums", color=colors[2], dx=14, dy=26)
    paper.label(axes, 1e-4, 6e-5, "forward", color=colors[0], dx=-12, dy=12, ha="right")
    paper.label(axes, 2e-4, 3e-9, "centered", color=colors[1], dx=16, dy=-16)
    return figure


# --- the least error -------------------------------------------------------------------------------------------------


SETTINGS = {
    "inputs from 0 to 1": {"uniform": True},
    "normal inputs": {},
    "one example": {"batch": 1},
    "200 steps later": {"training_steps": 200},
}
KINDS = (("forward", np.float64), ("centered", np.float64), ("forward", np.float32), ("centered", np.float32))


class LeastErrors(NamedTuple):
    """Least relative error over the step, for two methods in two precisions, in four settings.

    Attributes:
        places: Where each setting is drawn; (kind, setting). Kinds are forward and centered in float64, then float32.
        least: Least error over the steps; (kind, quantile, setting).
        theory: The same from the noise of the loss and its higher derivatives; (kind, setting).
    """

    places: np.ndarray
    least: np.ndarray
    theory: np.ndarray


def predicted_least(subject: Subject, exact: Subject, method: str, small: float) -> float:
    """Predict the least error from the noise of the loss, seen at one small step, and the higher derivatives.

    With noise nu and the mean squares of f'' and f''' over the coordinates,
    the least of h^2 f''^2 / 4 + 2 nu^2 / h^2 and of h^4 f'''^2 / 36 + nu^2 / (2 h^2).
    """
    count = subject.gradient.size
    noise = small * np.linalg.norm(numeric(subject, small) - subject.gradient) * math.sqrt(2 / count)
    if method == "forward":
        least = math.sqrt(math.sqrt(2) * root_mean_square(second_derivatives(exact)) * noise)
    else:
        third = root_mean_square(third_derivatives(exact)) / 6
        least = math.sqrt(3) * third * (noise / (2 * third)) ** (2 / 3)
    return math.sqrt(count) * least / np.linalg.norm(subject.gradient)


def least_errors(seeds: int = 8, seed: int = 0) -> LeastErrors:
    """Measure the least error over steps around the best one, and predict it."""
    least = np.empty((len(KINDS), seeds, len(SETTINGS)))
    theory = np.empty_like(least)
    for kind, run, place in np.ndindex(least.shape):
        method, dtype = KINDS[kind]
        settings = list(SETTINGS.values())[place]
        subject, exact = (
            tanh_network(np.random.default_rng([seed, run]), dtype=own, **settings) for own in (dtype, np.float64)
        )
        best = difference_quotients.best_step_size(method, dtype=dtype)
        small = difference_quotients.best_step_size("centered", dtype=dtype) / 50
        least[kind, run, place] = min(error(subject, best * 10**power, method) for power in np.arange(-0.5, 1.3, 0.25))
        theory[kind, run, place] = predicted_least(subject, exact, method, small)
    places = np.arange(len(SETTINGS)) + np.tile((-0.12, 0.12), len(KINDS) // 2)[:, None]
    return LeastErrors(places, quantiles(least, 1).swapaxes(0, 1), np.median(theory, axis=1))


def draw_least_errors(numbers: LeastErrors, paper: Paper) -> Figure:
    """Draw one row a setting, one color a method, in each precision."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=300 if paper.wide else 520, sharey=True)
    for kind, (method, dtype) in enumerate(KINDS):
        own = axes.flat[kind // 2]
        color = paper.palette.orange if method == "forward" else paper.palette.blue
        ends = (numbers.least[kind, quantile] for quantile in (0, 2))
        lines = own.hlines(numbers.places[kind], *ends, color=color, linewidth=1.4)
        paper.mark(lines, f"places[{kind}]", x=f"least[{kind}, 0]", upper=f"least[{kind}, 2]")
        style = {"marker": paper.markers[kind % 2], "linestyle": "none", "color": color}
        paper.line(own, numbers, f"places[{kind}]", x=f"least[{kind}, 1]", **style)
        tick = {"marker": "|", "markersize": 11, "linestyle": "none"}
        paper.theory(own, numbers, f"places[{kind}]", x=f"theory[{kind}]", **tick)
        own.set(xscale="log", title=f"Least relative error, {np.dtype(dtype).name}")
        own.set(yticks=range(len(SETTINGS)), yticklabels=SETTINGS)
        own.grid(False)
        own.minorticks_off()
        paper.label(own, numbers.least[kind, 1, 0], -0.5, method, color=color, ha="center")
    axes.flat[0].set(ylim=(len(SETTINGS) - 0.6, -0.75), xlim=(2e-11, 2e-6), xticks=10.0 ** np.arange(-10, -5))
    axes.flat[1].set(xlim=(1e-5, 3e-2), xticks=10.0 ** np.arange(-5, -1))
    axes.flat[1].set(ylim=(len(SETTINGS) - 0.6, -0.75))
    return figure


# --- the complex step ------------------------------------------------------------------------------------------------


class ComplexStep(NamedTuple):
    """Relative error of three numerical gradients against the step, down to steps of 1e-30.

    Attributes:
        steps: h of the complex step.
        centered_steps: h of the centered differences: steps that are not lost when they are added to a weight.
        centered: Centered differences; (quantile, step).
        complex_step: The complex step; (quantile, step).
        modulus: The complex step through a loss that takes the modulus of a number; (quantile, step).
    """

    steps: np.ndarray
    centered_steps: np.ndarray
    centered: np.ndarray
    complex_step: np.ndarray
    modulus: np.ndarray


def analytic_loss(
    parameters: dict[str, np.ndarray], inputs: np.ndarray, labels: np.ndarray, penalty: Callable | None = None
) -> np.ndarray:
    """Give the cross-entropy of a tanh network with operations alone that complex numbers pass through.

    The largest logit is found by its real part; subtracting it changes no value, so no maximum is differentiated.
    """
    h = inputs
    for layer in (0, 2):
        z = h @ parameters[f"{layer}.weight"].mT + parameters[f"{layer}.bias"][..., None, :]
        h = np.tanh(z)
    z = z - z.real.max(-1, keepdims=True)
    chosen = np.take_along_axis(z, np.broadcast_to(labels, z.shape[:-1])[..., None], -1)[..., 0]
    loss = (np.log(np.exp(z).sum(-1)) - chosen).mean(-1)
    if penalty is None:
        return loss
    return loss + 0.01 * sum(penalty(parameters[f"{layer}.weight"]).sum((-1, -2)) for layer in (0, 2))


def complex_step(seeds: int = 6, steps: int = 16, seed: int = 0) -> ComplexStep:
    """Check the network of `tanh_network` through a loss that takes complex numbers, without and with |w|."""
    sizes, coarse = np.geomspace(1e-30, 0.1, steps), np.geomspace(1e-13, 0.1, steps)
    errors = np.empty((3, seeds, steps))
    for run in range(seeds):
        generator = np.random.default_rng([seed, run])
        parameters = network.initialize(SIZES, generator)
        inputs, labels = generator.standard_normal((BATCH, SIZES[0])), generator.integers(0, SIZES[-1], BATCH)
        gradient = network.loss_and_gradient(parameters, inputs, labels, "tanh").gradient
        signs = {name: 0.01 * np.sign(value) if "weight" in name else 0 for name, value in parameters.items()}
        plain = Subject(lambda p, i=inputs, y=labels: analytic_loss(p, i, y), parameters, joined(gradient))
        penalized = Subject(
            lambda p, i=inputs, y=labels: analytic_loss(p, i, y, np.abs),
            parameters,
            joined({name: gradient[name] + signs[name] for name in parameters}),
        )
        for place in range(steps):
            errors[0, run, place] = error(plain, coarse[place])
            errors[1, run, place] = error(plain, sizes[place], "complex")
            errors[2, run, place] = error(penalized, sizes[place], "complex")
    return ComplexStep(sizes, coarse, *quantiles(errors, 1).swapaxes(0, 1))


def draw_complex_step(numbers: ComplexStep, paper: Paper) -> Figure:
    """Draw the errors against the step on logarithmic axes."""
    figure, ((axes,),) = paper.subplots(height=360)
    colors = (paper.palette.blue, paper.palette.green, paper.palette.purple)
    for series, (name, color) in enumerate(zip(("centered", "complex_step", "modulus"), colors, strict=True)):
        x = "steps" if series else "centered_steps"
        paper.band(axes, numbers, f"{name}[0]", f"{name}[2]", x=x, color=color)
        paper.line(axes, numbers, f"{name}[1]", x=x, color=color, marker=paper.markers[series], markevery=2)
    axes.set(xscale="log", yscale="log", xlabel="step h", title="Relative error of the gradient")
    axes.set(xticks=10.0 ** np.arange(-30, 1, 6), yticks=10.0 ** np.arange(-16, 3, 4), ylim=(3e-17, 1e3))
    axes.minorticks_off()
    paper.label(axes, 1e-18, numbers.complex_step[1, 6], "complex step", color=colors[1], dy=16)
    paper.label(axes, 1e-22, numbers.modulus[1, 4], "complex step\nthrough |w|", color=colors[2], dy=-24, dx=-50)
    paper.label(axes, 1e-10, 1.7e-5, "centered", color=colors[0], dx=8, dy=12)
    return figure


# --- the precision ---------------------------------------------------------------------------------------------------


class Precision(NamedTuple):
    """Least relative error against the precision in which the loss is computed.

    Attributes:
        units: Machine epsilon u, the distance from 1 to the next number.
        forward: Least error over the step of forward differences; (quantile, precision).
        centered: The same of centered ones.
        forward_theory: A line in proportion to u^(1/2).
        centered_theory: A line in proportion to u^(2/3).
    """

    units: np.ndarray
    forward: np.ndarray
    centered: np.ndarray
    forward_theory: np.ndarray
    centered_theory: np.ndarray


def rounded(values: np.ndarray, bits: int) -> np.ndarray:
    """Round float64 to so many bits of the significand, the first one included (Dekker's splitting)."""
    shifted = values * (2.0 ** (53 - bits) + 1)
    return shifted - (shifted - values)


def rounding_loss(subject_inputs: np.ndarray, labels: np.ndarray, bits: int) -> Callable:
    """Give a loss that rounds the result of each operation to so many bits."""

    def loss(parameters: dict[str, np.ndarray]) -> np.ndarray:
        h = rounded(subject_inputs, bits)
        for layer in (0, 2):
            product = rounded(h @ rounded(parameters[f"{layer}.weight"], bits).mT, bits)
            z = rounded(product + rounded(parameters[f"{layer}.bias"], bits)[..., None, :], bits)
            h = rounded(np.tanh(z), bits)
        return rounded(objective.cross_entropy(z, labels), bits)

    return loss


def rounding_error(subject: Subject, bits: int, step: float, method: str) -> float:
    """Give the relative error when points and values are rounded; the points' own distance is divided by."""
    quotients = []
    for name, value in subject.parameters.items():
        points = np.repeat(value.reshape(1, -1), value.size, axis=0)
        diagonal = np.arange(value.size)
        ahead, behind = points.copy(), points.copy()
        ahead[diagonal, diagonal] = rounded(ahead[diagonal, diagonal] + step, bits)
        if method == "centered":
            behind[diagonal, diagonal] = rounded(behind[diagonal, diagonal] - step, bits)
        distance = (ahead - behind)[diagonal, diagonal]
        values = [
            subject.loss({**subject.parameters, name: moved.reshape(-1, *value.shape)}) for moved in (ahead, behind)
        ]
        quotients.append((values[0] - values[1]) / np.where(distance > 0, distance, step))
    return float(gradient_checking.relative_error(np.concatenate(quotients), subject.gradient))


def precision(bits: Sequence[int] = (8, 11, 17, 24, 32, 40, 47), seeds: int = 5, seed: int = 0) -> Precision:
    """Emulate precisions from bfloat16 (8 bits) to nearly float64, and find the least error over the step in each."""
    units = 2.0 ** (1 - np.array(bits))
    least = np.empty((2, seeds, len(bits)))
    for run, (place, own) in [(run, entry) for run in range(seeds) for entry in enumerate(bits)]:
        generator = np.random.default_rng([seed, run])
        parameters = {name: rounded(value, own) for name, value in network.initialize(SIZES, generator).items()}
        inputs = rounded(generator.standard_normal((BATCH, SIZES[0])), own)
        labels = generator.integers(0, SIZES[-1], BATCH)
        gradient = joined(network.loss_and_gradient(parameters, inputs, labels, "tanh").gradient)
        subject = Subject(rounding_loss(inputs, labels, own), parameters, gradient)
        for kind, (method, power) in enumerate((("forward", 1 / 2), ("centered", 1 / 3))):
            around = 2 * units[place] ** power * 2.0 ** np.arange(-1, 4)
            least[kind, run, place] = min(rounding_error(subject, own, step, method) for step in around)
    forward, centered = quantiles(least, 1).swapaxes(0, 1)
    lines = [
        middle[len(bits) // 2] * (units / units[len(bits) // 2]) ** power
        for middle, power in ((forward[1], 1 / 2), (centered[1], 2 / 3))
    ]
    return Precision(units, forward, centered, *lines)


FORMATS = {"bfloat16": 8, "float16": 11, "float32": 24}


def draw_precision(numbers: Precision, paper: Paper) -> Figure:
    """Draw the least errors against u on logarithmic axes."""
    figure, ((axes,),) = paper.subplots(height=360)
    colors = (paper.palette.orange, paper.palette.blue)
    for series, (name, color) in enumerate(zip(("forward", "centered"), colors, strict=True)):
        paper.band(axes, numbers, f"{name}[0]", f"{name}[2]", x="units", color=color)
        style = {"color": color, "marker": paper.markers[series], "linestyle": "none"}
        paper.line(axes, numbers, f"{name}[1]", x="units", **style)
        paper.theory(axes, numbers, f"{name}_theory", x="units", color=color)
    axes.set(xscale="log", yscale="log", xlabel="machine epsilon u", title="Least relative error over the step")
    axes.set(xlim=(3e-15, 0.03), ylim=(1e-10, 20), xticks=10.0 ** np.arange(-14, -1, 3))
    axes.set(yticks=10.0 ** np.arange(-10, 1, 2))
    axes.minorticks_off()
    for name, bits in FORMATS.items():
        unit = 2.0 ** (1 - bits)
        paper.guide(axes.axvline(unit, color=paper.muted, linewidth=0.8, linestyle=paper.dashes[2]))
        paper.label(axes, unit, 8e-10, name, dx=-5, ha="right", va="bottom", rotation=90, color=paper.muted)
    paper.label(axes, 1e-10, 4e-5, "forward,\nslope 1/2", color=colors[0], dx=-10, dy=22, ha="right")
    paper.label(axes, 1e-11, 1.7e-7, "centered,\nslope 2/3", color=colors[1], dx=14 if paper.wide else 4, dy=-20)
    return figure
