"""Figures of the chapter on conditioning in which no network is trained: quadratics, and methods that descend them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes.numpy import conditioning, momentum

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

TOLERANCE = 1e-6  # the gradient is to fall to this share of the first one


# --- steps against the condition number ------------------------------------------------------------------------------


class Steps(NamedTuple):
    """Steps in which the gradient of a quadratic falls to a millionth, over its condition number.

    Attributes:
        kappas: Condition numbers.
        fixed: Steps of gradient descent, of momentum and of Newton's method from their worst start; (method, kappa).
        conjugate: Steps of conjugate gradients, quantiles over random starts; (quantile, kappa).
        theory: What is predicted for descent, momentum and Newton's method, and a bound for conjugate gradients;
            (method, kappa).
    """

    kappas: np.ndarray
    fixed: np.ndarray
    conjugate: np.ndarray
    theory: np.ndarray


def first_below(errors: np.ndarray) -> int:
    """Give the first step after which an error is at most the tolerance times the first one."""
    return int(np.argmax(errors <= TOLERANCE * errors[0]))


def double_root_steps(contraction: float) -> float:
    """Give the steps of momentum along the steepest direction, where its two roots are one.

    (1 + (1 + rho) t) rho^t = tolerance, by Newton's method in t for the logarithm
    """
    t = conditioning.steps_to_tolerance(contraction, TOLERANCE)
    for _ in range(50):
        size = 1 + (1 + contraction) * t
        value = math.log(size) + t * math.log(contraction) - math.log(TOLERANCE)
        t -= value / ((1 + contraction) / size + math.log(contraction))
    return t


def newton_steps(eigenvalues: np.ndarray) -> int:
    """Count steps of Newton's method, each with the dense Hessian, from a start along all eigenvectors alike."""
    hessian, x, steps = np.diag(eigenvalues), np.ones(len(eigenvalues)), 0
    goal = TOLERANCE * np.linalg.norm(hessian @ x)
    while np.linalg.norm(hessian @ x) > goal:
        x, steps = x + conditioning.newton_step(hessian @ x, hessian), steps + 1
    return steps


def steps(size: int = 256, points: int = 9, draws: int = 20, seed: int = 0) -> Steps:
    """Count steps on quadratics whose eigenvalues are evenly spread in their logarithms from 1 to kappa.

    Descent and momentum multiply each coordinate by a number of its own, so the worst of all starts is seen in the
    largest coordinate of one run that begins with ones. Conjugate gradients choose by the start: theirs are random.
    """
    kappas = np.geomspace(3, 1000, points)
    generator = np.random.default_rng(seed)
    fixed, conjugate, theory = [], [], []
    for kappa in kappas:
        eigenvalues, ones = np.geomspace(1, kappa, size), np.ones(size)
        best = momentum.best_momentum(1.0, float(kappa))
        rates = ((kappa - 1) / (kappa + 1), best.contraction)
        predicted = [conditioning.steps_to_tolerance(rates[0], TOLERANCE), double_root_steps(rates[1])]
        counts = []
        for rate, inertia, steps_wanted in ((2 / (1 + kappa), 0.0, predicted[0]), (best[0], best[1], predicted[1])):
            path = conditioning.descend_quadratic(
                eigenvalues, ones, rate, math.ceil(steps_wanted) + 5, momentum=inertia
            )
            counts.append(first_below(np.abs(path).max(-1)))
        fixed.append([*counts, newton_steps(eigenvalues)])
        found = conditioning.conjugate_gradient(
            lambda v, eigenvalues=eigenvalues: v * eigenvalues,
            generator.standard_normal((draws, size)),
            tolerance=TOLERANCE,
            steps=2 * size,
        ).residual_norms
        needed = (found > TOLERANCE * found[:, :1]).sum(-1)
        conjugate.append(np.quantile(needed, (0.1, 0.5, 0.9)))
        # Chebyshev's bound is one for the root of the loss; that of the gradient has the root of kappa besides.
        share = TOLERANCE / (2 * math.sqrt(kappa))
        theory.append([*predicted, 1.0, conditioning.steps_to_tolerance(rates[1], share)])
    return Steps(kappas, np.array(fixed).T, np.array(conjugate).T, np.array(theory).T)


def draw_steps(numbers: Steps, paper: Paper) -> Figure:
    """Draw the counts over the condition number, both logarithmic, with what is predicted as dashed lines."""
    figure, axes = paper.subplots(height=370 if paper.wide else 390)
    own = axes[0, 0]
    names = ("descent", "momentum", "Newton", "conjugate\ngradients")
    for row, color in enumerate(paper.colors[:4]):
        style = {"color": color, "marker": paper.markers[row], "linestyle": "none"}
        shown = f"fixed[{row}]" if row < 3 else "conjugate[1]"
        paper.line(own, numbers, shown, x="kappas", **style)
        paper.theory(own, numbers, f"theory[{row}]", x="kappas", color=color)
    own.set(xscale="log", yscale="log", xlabel="condition number", title="Steps until the gradient is a millionth")
    own.set_ylim(0.7, 2e4)
    own.set_xticks([3, 10, 30, 100, 300, 1000], ["3", "10", "30", "100", "300", "1000"])
    own.set_yticks([1, 10, 100, 1000, 10_000], ["1", "10", "100", "1000", "10,000"])
    own.minorticks_off()
    ends = [*numbers.fixed[:, -1], numbers.conjugate[1, -1]]
    paper.end_labels(own, numbers.kappas[-1], ends, names, paper.colors[:4])
    return figure


# --- each direction has its own factor -------------------------------------------------------------------------------


class Modes(NamedTuple):
    """Descent on a quadratic with curvatures 1, 4 and 10: the factor of a step, and three runs.

    Attributes:
        curvatures: Where the factors are given.
        factors: |1 - rate * curvature|; (rate, curvature).
        steps: Steps taken.
        distances: Distance from the minimum along each eigenvector, measured in a rotated space; (rate, mode, step).
        theory: The same by the closed form.
    """

    curvatures: np.ndarray
    factors: np.ndarray
    steps: np.ndarray
    distances: np.ndarray
    theory: np.ndarray


EIGENVALUES = np.array([1.0, 4.0, 10.0])
RATES = np.array([0.1, 2 / 11, 0.205])  # 1 / L, the best one, and beyond 2 / L


def modes(last: int = 20, points: int = 111, seed: int = 0) -> Modes:
    """Descend on a quadratic in a randomly rotated basis, and read the coordinates along its eigenvectors."""
    generator = np.random.default_rng(seed)
    basis = np.linalg.qr(generator.standard_normal((3, 3)))[0]
    hessian = basis @ np.diag(EIGENVALUES) @ basis.T
    x = np.tile(basis @ np.ones(3), (len(RATES), 1))
    distances = [np.abs(x @ basis)]
    for _ in range(last):
        x = x - RATES[:, None] * (x @ hessian)
        distances.append(np.abs(x @ basis))
    curvatures, taken = np.linspace(0, 11, points), np.arange(last + 1)
    factors = np.abs(1 - RATES[:, None] * curvatures)
    theory = np.abs(1 - RATES[:, None] * EIGENVALUES)[..., None] ** taken
    floor = 1e-12  # at the rate 1 / L one step ends the steepest direction, up to rounding
    measured = np.maximum(np.array(distances).transpose(1, 2, 0), floor)
    return Modes(curvatures, factors, taken, measured, np.maximum(theory, floor))


def label_where_they_end(own: Axes, numbers: Modes, rate: int, paper: Paper, lowest: float = 1e-5) -> None:
    """Write the curvature of each line beside its last point that is above the lower end of the axis."""
    inside, last = [], numbers.steps[-1]
    for mode, (curvature, color) in enumerate(zip(EIGENVALUES, paper.colors[3:6], strict=True)):
        shown = np.flatnonzero(numbers.theory[rate, mode] > lowest)[-1]
        if numbers.steps[shown] == last:
            inside.append((numbers.theory[rate, mode, -1], f"{curvature:g}", color))
        else:
            place = (numbers.steps[shown], numbers.theory[rate, mode, shown])
            own.annotate(f"{curvature:g}", place, (7, 0), textcoords="offset points", color=paper.word(color))
    paper.end_labels(own, last, *zip(*inside, strict=True))


def draw_modes(numbers: Modes, paper: Paper) -> Figure:
    """Draw the factors over the curvature, and the distances over the steps at the best rate and beyond the limit."""
    figure, axes = paper.subplots(*((1, 3) if paper.wide else (3, 1)), height=300 if paper.wide else 690)
    left, middle, right = axes.flat
    names = ("1/L", "best", "too large")
    for row, color in enumerate(paper.colors[:3]):
        style = {"color": color, "linestyle": paper.dashes[row]}
        paper.line(left, numbers, f"factors[{row}]", x="curvatures", **style)
    paper.guide(left.axhline(1, color=paper.muted, linewidth=0.8))
    for curvature in EIGENVALUES:
        paper.guide(left.axvline(curvature, color=paper.grid, linewidth=0.8))
    left.set(title="Factor of a step", xlabel="curvature", xlim=(0, 11), ylim=(0, 1.35), xticks=EIGENVALUES)
    paper.end_labels(left, 11, numbers.factors[:, -1], names, paper.colors[:3], dx=4)
    for own, rate, title in ((middle, 1, "Distance, best rate"), (right, 2, "Distance, too large")):
        for mode in range(3):
            color = paper.colors[3 + mode]
            style = {"color": color, "linestyle": "none", "marker": paper.markers[mode], "markevery": 2}
            paper.line(own, numbers, f"distances[{rate}, {mode}]", x="steps", **style)
            paper.theory(own, numbers, f"theory[{rate}, {mode}]", x="steps", color=color)
        own.set(yscale="log", title=title, xlabel="step", ylim=(1e-5, 10))
        own.minorticks_off()
        label_where_they_end(own, numbers, rate, paper)
    return figure
