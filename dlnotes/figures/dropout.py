"""Figures of the chapter on dropout: what masks say about uncertainty, beside cases where the answer is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.figures import dropout_training as digits
from dlnotes.numpy import dropout, objective

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


def ridge_of_dropout(x: np.ndarray, y: np.ndarray, p: float) -> np.ndarray:
    """Give the weights that minimize the mean squared error over all masks on the inputs; (*runs, features).

    (X^T X + p / (1 - p) diag(X^T X)) w = X^T y
    """
    gram = x.mT @ x
    whole = gram + p / (1 - p) * gram * np.eye(gram.shape[-1])
    return np.linalg.solve(whole, x.mT @ y[..., None])[..., 0]


def auroc(higher: np.ndarray, lower: np.ndarray) -> float:
    """Give the chance that one of the first numbers is above one of the second; ties count half."""
    both = np.concatenate([higher, lower])
    _, place, counts = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    rise = ranks[: len(higher)].sum() - len(higher) * (len(higher) + 1) / 2
    return float(rise / len(higher) / len(lower))


class Uncertainty(NamedTuple):
    """The spread over masks beside the right answer, and how well spreads and entropies find digits of unseen classes.

    Attributes:
        examples: Examples that a linear model was fitted to.
        masks: Deviation of its prediction over masks, mean over data sets and over test inputs.
        masks_by_formula: The same, from the weights.
        exact: Deviation of the posterior, noise sqrt(x^T (X^T X)^-1 x); it is known here.
        rows: Where each of the `METHODS` stands.
        found: Area under the curve for telling unseen classes from seen ones; (method, pair of `PAIRS`).
    """

    examples: np.ndarray
    masks: np.ndarray
    masks_by_formula: np.ndarray
    exact: np.ndarray
    rows: np.ndarray
    found: np.ndarray


def linear_spread(p: float, sets: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Fit linear models with dropout on their 10 inputs to more and more data, with noise of deviation 1."""
    generator = np.random.default_rng([seed, 6])
    counts, tested = np.array([20, 60, 200, 600, 2000]), generator.standard_normal((20, 10))
    truth = generator.standard_normal(10)
    masks, formula, exact = [], [], []
    for count in counts:
        x = generator.standard_normal((sets, count, 10))
        y = x @ truth + generator.standard_normal((sets, count))
        w = ridge_of_dropout(x, y, p)
        mask = dropout.dropout_mask((400, 20, 10), generator, p)
        passes = (dropout.dropout(tested, mask, p)[:, None] @ w[..., None])[..., 0]
        masks.append(passes.std(0).mean())
        formula.append(np.sqrt(p / (1 - p) * (np.square(w)[:, None] * np.square(tested)).sum(-1)).mean())
        inverse = np.linalg.inv(x.mT @ x)
        exact.append(np.sqrt(np.einsum("ij,rjk,ik->ri", tested, inverse, tested)).mean())
    return counts, np.array(masks), np.array(formula), np.array(exact)


PAIRS = (8, 9), (0, 1), (3, 5)  # classes kept out of training
METHODS = "no dropout", "dropout, off", "masks: entropy", "masks: mutual information", "ensemble of 5: entropy"


def unseen_classes(pair: tuple[int, int], p: float, steps: int, passes: int, seed: int) -> tuple[list, list]:
    """Train on the other eight classes, ten networks of each kind; give areas and likelihoods by method."""
    whole = datasets.digits(np.float32)
    inputs, classes = (whole.inputs - 8) / 8, whole.targets
    unseen = np.isin(classes, pair)
    labels = (np.cumsum(~np.isin(np.arange(10), pair)) - 1)[classes]
    order = np.random.default_rng([seed, 7]).permutation(np.flatnonzero(~unseen))
    tested, trained = order[:500], np.broadcast_to(order[500:750], (10, 250))
    given = digits.Task(inputs[trained], labels[trained], inputs[tested], labels[tested])
    both, seen = np.concatenate([inputs[tested], inputs[unseen]]), len(tested)
    plain, noisy = (
        digits.fit(given, (64, 64, 8), rate, steps=steps, seed=seed, batch=25).parameters for rate in (0.0, p)
    )
    generators = digits.own_generators(10, seed, 5)
    single, off = (objective.softmax(digits.run(params, both).logits) for params in (plain, noisy))
    drawn = [
        objective.softmax(digits.run(noisy, both, [digits.multipliers((len(both), 64), generators, p)]).logits)
        for _ in range(passes)
    ]
    masks = dropout.monte_carlo_prediction(np.stack(drawn, axis=1))
    teams = dropout.monte_carlo_prediction(single.reshape(2, 5, *single.shape[1:]))
    entropies = [dropout.monte_carlo_prediction(each[:, None]).entropy for each in (single, off)]
    scores = [*entropies, masks.entropy, masks.mutual_information, teams.entropy]
    found = [np.mean([auroc(one[seen:], one[:seen]) for one in score]) for score in scores]
    right = [each[..., np.arange(seen), labels[tested]] for each in (single, off, masks.mean, masks.mean, teams.mean)]
    return found, [-np.log(np.maximum(each, 1e-12)).mean() for each in right]


def uncertainty(p: float = 0.5, steps: int = 400, passes: int = 20, sets: int = 20, seed: int = 0) -> Uncertainty:
    """Compare spreads over masks with a known posterior, and on digits of classes that were not trained on."""
    found = np.array([unseen_classes(pair, p, steps, passes, seed)[0] for pair in PAIRS]).T
    return Uncertainty(*linear_spread(p, sets, seed), np.arange(len(METHODS))[::-1], found)


def draw_uncertainty(numbers: Uncertainty, paper: Paper) -> Figure:
    """Draw the two deviations over the number of examples, and the areas for each method."""
    shape = (1, 2) if paper.wide else (2, 1)
    figure, axes = paper.subplots(*shape, height=340 if paper.wide else 640)
    left, right = axes.flat
    blue, orange = paper.palette.blue, paper.palette.orange
    paper.line(left, numbers, "masks", x="examples", color=blue, marker="o", linestyle="none")
    paper.theory(left, numbers, "masks_by_formula", x="examples")
    paper.line(left, numbers, "exact", x="examples", color=orange, marker="s")
    left.set(xscale="log", yscale="log", xlabel="examples", title="Deviation of the prediction", ylim=(0.04, 8))
    left.set_yticks([0.1, 1], ["0.1", "1"])
    left.minorticks_off()
    paper.label(left, 60, numbers.masks[1], "over masks", color=blue, dy=-18, ha="left")
    paper.label(left, 60, numbers.exact[1], "right answer", color=orange, dx=6, dy=12, ha="left")
    for pair, classes in enumerate(PAIRS):
        style = {"color": paper.colors[pair], "marker": paper.markers[pair], "linestyle": "none"}
        paper.line(right, numbers, "rows", x=f"found[:, {pair}]", **style)
        side = -1 if numbers.found[0, pair] in (numbers.found[0].min(), numbers.found[0].max()) else 1
        place = {"dx": 9 * side, "ha": "left" if side > 0 else "right"}
        text = "{} and {}".format(*classes)
        paper.label(right, numbers.found[0, pair], numbers.rows[0], text, color=paper.colors[pair], **place)
    right.set_yticks(numbers.rows, [name.replace(": ", ":\n") for name in METHODS])
    right.set(xlabel="area under the curve", title="Unseen classes told from seen", ylim=(-0.6, len(METHODS) - 0.4))
    right.set_xlim(numbers.found.min() - 0.03, numbers.found.max() + 0.01)
    right.grid(False)
    return figure
