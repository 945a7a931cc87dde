"""What overfitting looks like, and remedies: learning curves, bias and variance, early stopping, augmentation.

The regressions here are solved in closed form, so that capacity can be varied without an optimizer in the way. Random
functions draw what a deterministic one takes: the offsets for `shift`, the mask for `flip`, the pairs for `mixup`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dlnotes import checks, precision
from dlnotes.numpy import activations, many_runs

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    # NumPy gives a scalar where an array would have no axes.
    Array = np.ndarray | np.generic
    Generators = np.random.Generator | np.ndarray


class LearningCurve(NamedTuple):
    """Error on the rows fitted and on held-out rows, one column a size, shape (*runs, sizes)."""

    sizes: tuple[int, ...]
    training: np.ndarray
    held_out: np.ndarray


class BiasVariance(NamedTuple):
    """Squared bias, variance and their sum at each point; the sum is the mean squared distance to the target."""

    bias_squared: np.ndarray
    variance: np.ndarray
    error: np.ndarray


class StoppingState(NamedTuple):
    """What early stopping knows.

    Attributes:
        step: How many values it has seen.
        best: The best value of each run, infinitely bad before the first.
        best_step: When it was seen, counted from 0; -1 before the first.
        waits: How many values have come since the last that counted.
        stopped: Whether the run is to be ended.
    """

    step: int
    best: np.ndarray
    best_step: np.ndarray
    waits: np.ndarray
    stopped: np.ndarray


class Fold(NamedTuple):
    """One round of cross-validation: the numbers of the examples fitted, and of those held out."""

    training: np.ndarray
    held_out: np.ndarray


class MixupPairs(NamedTuple):
    """For each example the partner it is mixed with, and the share that it keeps."""

    partner: np.ndarray
    share: np.ndarray


@precision.rounded_once("x")
def polynomial_features(x: Float[Array, "*shape"], degree: int) -> Float[np.ndarray, "*shape terms"]:
    """Give the Legendre polynomials up to a degree, scaled to mean square 1 over [-1, 1].

        P_0 = 1,    P_1 = x,    (k + 1) P_(k+1) = (2k + 1) x P_k - k P_(k-1),    features sqrt(2k + 1) P_k(x)

    They span the same curves as 1, x, ..., x^degree, whose least-squares problem is hopelessly conditioned from a
    degree of about 15 on.

    Args:
        x: Points; outside [-1, 1] the polynomials grow fast.
        degree: At least 0.

    Returns:
        The features, shape (*shape, degree + 1).

    Raises:
        TypeError: If `x` does not hold floating-point numbers.
        ValueError: If `degree` is below 0.

    Source: definition.
    """
    degree = checks.integer("degree", degree, at_least=0)
    x = np.asarray(checks.floating("x", x))
    columns = [np.ones_like(x), x]
    for k in range(1, degree):
        columns.append(((2 * k + 1) * x * columns[k] - k * columns[k - 1]) / (k + 1))
    features = np.stack(columns[: degree + 1], axis=-1)
    return features * np.sqrt(2 * np.arange(degree + 1) + 1).astype(x.dtype)


@precision.rounded_once("x")
def random_features(
    x: Float[np.ndarray, "*runs rows inputs"],
    weight: Float[np.ndarray, "*own width inputs"],
    bias: Float[np.ndarray, "*own width"],
) -> Float[np.ndarray, "*all rows width"]:
    """Pass rows through one random ReLU layer, whose outputs a linear model is then fitted to.

        features = relu(x W^T + b) / sqrt(width)

    Args:
        x: Rows, shape (*runs, rows, inputs).
        weight: W, shape (*runs, width, inputs), drawn once and not trained.
        bias: b, shape (*runs, width).

    Returns:
        The features, shape (*runs, rows, width).

    Raises:
        TypeError: If an array does not hold floating-point numbers.
        ValueError: If the shapes do not fit.

    Source: Rahimi and Recht (2007) for the idea.
    """
    checks.rank("weight", checks.floating("weight", weight), at_least=2)
    checks.rank("x", checks.floating("x", x), at_least=2)
    checks.last_axes("x", x, weight.shape[-1], of="weight")
    checks.shaped("bias", checks.floating("bias", bias), weight.shape[:-1], of="weight")
    width = weight.shape[-2]
    return activations.relu(x @ weight.mT + bias[..., None, :]) / x.dtype.type(np.sqrt(width))


def ridge(
    features: Float[np.ndarray, "*runs rows features"],
    targets: Float[np.ndarray, "*runs rows outputs"],
    strength: float | Float[Array, "*own"] = 0.0,
) -> Float[np.ndarray, "*runs features outputs"]:
    """Solve least squares with an L2 penalty in closed form.

        w = argmin 1/n |X w - Y|^2 + strength |w|^2 = V diag(1 / (s + n strength / s)) U^T Y,    X = U S V^T

    With strength 0, singular values that are rounding of 0 are left out: the solution of least length among all that
    fit best, which is also where gradient descent from 0 ends.

    Args:
        features: X, shape (*runs, rows, features), at least one row and one feature.
        targets: Y, shape (*runs, rows, outputs).
        strength: At least 0: a number, or an array of shape (*runs,).

    Returns:
        w, shape (*runs, features, outputs); predictions are `features @ w`.

    Raises:
        TypeError: If an array does not hold floating-point numbers.
        ValueError: If the shapes do not fit, numbers are not finite, or `strength` is negative.

    Derivation: set the gradient 2/n X^T (X w - Y) + 2 strength w to 0 and put in X = U S V^T.

    Source: Hoerl and Kennard (1970); derived here.
    """
    checks.rank("features", checks.single_or_double("features", features), at_least=2)
    checks.axis("features", features, -2, at_least=1, described="rows")
    checks.axis("features", features, -1, at_least=1, described="columns")
    checks.reals("features", features)
    checks.rank("targets", checks.single_or_double("targets", targets), exactly=features.ndim)
    checks.last_axes("targets", targets[..., 0], *features.shape[:-1], of="features")
    checks.reals("strength", strength, at_least=0)
    checks.shaped("strength", np.asarray(strength), features.shape[: np.ndim(strength)], of="the runs of features")
    left, singular, right = np.linalg.svd(features, full_matrices=False)
    rounding = np.finfo(features.dtype).eps * max(features.shape[-2:])
    kept = singular > rounding * singular[..., :1]
    own = np.where(kept, singular, 1)  # divided out, because the squares of large and of small ones are no numbers
    penalty = many_runs.aligned(strength, singular) * features.shape[-2]
    with np.errstate(over="ignore"):
        factor = np.where(kept, 1 / (own + penalty / own), 0)
    return right.mT @ (factor[..., None] * (left.mT @ targets))


@precision.rounded_once("curvature")
def ridge_filter(curvature: Float[Array, "*shape"], strength: float) -> Float[Array, "*shape"]:
    """Give the share of the least-squares solution that ridge keeps along a direction.

        e / (e + strength),    e the eigenvalue of X^T X / n

    Args:
        curvature: e, at least 0.
        strength: As in `ridge`, above 0.

    Returns:
        Shares from 0 to 1.

    Raises:
        ValueError: If a number is out of range.

    Derivation: along an eigenvector (e + strength) w = e w_ls, from the gradient set to 0.

    Source: derived here.
    """
    checks.reals("curvature", curvature, at_least=0)
    return curvature / (curvature + checks.real("strength", strength, above=0))


@precision.rounded_once("curvature")
def early_stopping_filter(
    curvature: Float[Array, "*shape"], learning_rate: float, steps: int
) -> Float[Array, "*shape"]:
    """Give the share of the least-squares solution that gradient descent from 0 has reached along a direction.

        1 - (1 - learning_rate e)^steps,    e an eigenvalue of X^T X / n, the curvature of 1/(2n) |X w - y|^2

    It is near r = `ridge_filter` at strength 1 / (learning_rate steps). With x = learning_rate e and u = x steps, the
    share is at least r for x up to 1, by 1 - exp(-u) - u / (1 + u), at most 0.2036, in the limit of small x, and by
    up to 1/2 at x = 1 after one step. For x between 1 and 2 the shares of odd numbers of steps lie above 1 and those of
    even numbers below, some of them below r.

    Args:
        curvature: e, at least 0 and below 2 / learning_rate, where descent begins to diverge.
        learning_rate: Above 0.
        steps: At least 0.

    Returns:
        Shares, from 0 to 1 where learning_rate e is at most 1.

    Raises:
        ValueError: If a number is out of range.

    Derivation: the error along an eigenvector is multiplied by 1 - learning_rate e in every step, and is the whole
    solution at first.

    Source: derived here.
    """
    learning_rate = checks.real("learning_rate", learning_rate, above=0)
    steps = checks.integer("steps", steps, at_least=0)
    checks.reals("curvature", curvature, at_least=0, below=2 / learning_rate)
    along = learning_rate * np.asarray(curvature)
    slow = along < 1  # where nothing must be lost of a share much smaller than 1
    share = -np.expm1(steps * np.log1p(-np.where(slow, along, 0)))
    return np.where(slow, share, 1 - (1 - along) ** steps)[()]


def bootstrap(
    examples: int, size: int, generator: Generators, *, runs: tuple[int, ...] = ()
) -> Int[np.ndarray, "*runs size"]:
    """Draw a training set with replacement, as numbers of examples.

        each entry uniform on 0, ..., examples - 1

    Args:
        examples: How many there are, at least 1.
        size: How many to draw, at least 0.
        generator: Draws them. With runs, each run draws from its own child, or from its own entry of an array.
        runs: The shape of the grid of runs.

    Returns:
        Numbers of examples, shape (*runs, size).

    Raises:
        ValueError: If a number is out of range, or the generators are not as many as runs.

    Source: Efron (1979).
    """
    examples, size = checks.integer("examples", examples, at_least=1), checks.integer("size", size, at_least=0)
    return _draw(lambda source: source.integers(0, examples, size), generator, runs)


def _draw(
    draw: Callable[[np.random.Generator], np.ndarray], generator: Generators, runs: tuple[int, ...]
) -> np.ndarray:
    """Stack what each run draws from its own generator."""
    generators = many_runs.generators(generator, checks.shape("runs", runs, at_least=1))
    draws = [draw(generators[run]) for run in np.ndindex(*runs)]
    return np.stack(draws).reshape((*runs, *draws[0].shape))


def learning_curve(
    fit: Callable[[np.ndarray, np.ndarray], Any],
    error: Callable[[Any, np.ndarray, np.ndarray], np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    held_out: tuple[np.ndarray, np.ndarray],
    sizes: Sequence[int],
    order: Int[np.ndarray, "*runs examples"],
) -> LearningCurve:
    """Fit to more and more rows, and measure on these and on held-out rows.

        for each size m: model = fit(first m rows in the order);  error on them, error on the held-out rows

    The sets are nested, so that a curve does not jump because other rows came in.

    Args:
        fit: `(x, y) -> model`; given rows of shape (*runs, m, ...), it fits all runs at once.
        error: `(model, x, y) -> error`, one number a run.
        x: Inputs, examples along the first axis.
        y: Targets, likewise.
        held_out: Inputs and targets that are never fitted.
        sizes: How many rows to fit, each from 1 to the number of examples in `order`.
        order: From `minibatch.shuffled_order`, one order a run.

    Returns:
        Errors for each size.

    Raises:
        TypeError: If `order` does not hold integers.
        ValueError: If `sizes` is empty or out of range, `order` names examples that are not there, or `x` and `y`
            differ in
            length.

    Source: definition.
    """
    checks.rank("order", checks.labels("order", order, len(x)), at_least=1)
    checks.integer("number of examples in y", len(y), at_least=len(x), at_most=len(x))
    checks.integer("number of sizes", len(sizes), at_least=1)
    sizes = tuple(checks.integer("sizes", size, at_least=1, at_most=order.shape[-1]) for size in sizes)
    on_training, on_held_out = [], []
    for size in sizes:
        rows = order[..., :size]
        model = fit(x[rows], y[rows])
        on_training.append(error(model, x[rows], y[rows]))
        on_held_out.append(error(model, *held_out))
    return LearningCurve(sizes, np.stack(on_training, axis=-1), np.stack(on_held_out, axis=-1))


def cross_validation_folds(order: Int[np.ndarray, " examples"], folds: int) -> tuple[Fold, ...]:
    """Deal the examples into folds, each of which is held out once.

        held_out_k = the k-th of `folds` pieces of the order,    training_k = all others

    Args:
        order: Numbers of examples, each once, from `minibatch.shuffled_order` say. Rows that belong together, of one
            patient say, are to be dealt together, by dealing the patients.
        folds: How many, from 2 to the number of examples; the first folds are one longer where it does not come out.

    Returns:
        The folds, in the order of the pieces.

    Raises:
        TypeError: If `order` does not hold integers.
        ValueError: If an example comes twice, or `folds` is out of range.

    Source: definition.
    """
    checks.rank("order", checks.integers("order", order), exactly=1)
    folds = checks.integer("folds", folds, at_least=2, at_most=len(order))
    if len(np.unique(order)) < len(order):
        raise ValueError("order must name each example once, got one that comes twice")
    pieces = np.array_split(order, folds)
    rest = (np.concatenate([*pieces[:k], *pieces[k + 1 :]]) for k in range(folds))
    return tuple(Fold(training, held_out) for training, held_out in zip(rest, pieces, strict=True))


@precision.rounded_once("predictions")
def bias_variance_decomposition(
    predictions: Float[np.ndarray, "*runs_and_sets_and_points"], target: Float[Array, "*points"]
) -> BiasVariance:
    """Split the error of models fitted to many training sets into squared bias and variance, without bias in either.

        variance = 1/(S - 1) sum_s (f_s - mean f)^2
        bias^2   = (mean f - target)^2 - variance / S
        error    = 1/S sum_s (f_s - target)^2 = bias^2 + variance, exactly

    The mean over S sets is itself off by variance / S; without that term the squared bias would come out too large.
    Where the true bias is 0 its estimate scatters about 0 and may be negative.

    Args:
        predictions: f, shape (*runs, sets, *points): one model a training set, at least two sets.
        target: The true function, without noise, shape (*points). With noise in it, the bias contains the noise.

    Returns:
        Squared bias, variance and error at each point, shape (*runs, *points).

    Raises:
        TypeError: If an array does not hold floating-point numbers.
        ValueError: If the shapes do not fit or there are fewer than two sets.

    Derivation: E (mean f - target)^2 = bias^2 + Var(f) / S, and the sample variance is an unbiased estimate of Var(f).

    Source: Geman et al. (1992) for the decomposition; derived here.
    """
    checks.floating("target", target)
    checks.rank("predictions", checks.floating("predictions", predictions), at_least=target.ndim + 1)
    checks.last_axes("predictions", predictions, *target.shape, of="target")
    axis = -1 - target.ndim
    checks.axis("predictions", predictions, axis, at_least=2, described="training sets")
    sets = predictions.shape[axis]
    mean = predictions.mean(axis=axis, keepdims=True)
    rest, distance = predictions - mean, predictions - target
    variance = (rest * rest).sum(axis=axis) / (sets - 1)
    offset = mean.squeeze(axis) - target
    return BiasVariance(offset * offset - variance / sets, variance, (distance * distance).mean(axis=axis))


def _improves(value: Array, best: Array | float, least_improvement: float, largest_is_best: bool) -> Array:
    """Say where a value is better than the best by more than the least improvement; nan is better than nothing."""
    return value > best + least_improvement if largest_is_best else value < best - least_improvement


def waits_since_best(
    values: Float[np.ndarray, "*runs measurements"],
    least_improvement: float = 0.0,
    *,
    largest_is_best: bool = False,
    baseline: float | None = None,
) -> Int[Array, "*runs"]:
    """Count the measurements since the last that improved on the best before it: the rule of early stopping.

        best = inf,  waits = 0;    for each value: waits <- waits + 1,
        where value < best - least_improvement: best <- value, and waits <- 0 if value < baseline - least_improvement

    The best is what the next value has to beat: a slow descent whose every step is smaller than the least improvement
    counts as soon as it has come that far below it. A value that is nan improves nothing, at the start too.

    Args:
        values: One a measurement, in their order.
        least_improvement: By how much a value must beat the best, at least 0.
        largest_is_best: Whether large values are good, as for an accuracy; then all signs above are turned.
        baseline: What a value must beat besides, by as much; None asks for nothing.

    Returns:
        How many values have come since the last that counted; as many as there are where none did.

    Raises:
        TypeError: If `values` does not hold floating-point numbers.
        ValueError: If `values` has no axis, or a number is out of range.

    Source: definition, the same as in EarlyStopping of Keras.
    """
    checks.rank("values", checks.floating("values", values), at_least=1)
    stopping = EarlyStopping(1, least_improvement, largest_is_best=largest_is_best, baseline=baseline)
    state = stopping.init(values.shape[:-1])
    for value in np.moveaxis(np.asarray(values, dtype=np.float64), -1, 0):
        state = stopping.follow(value, state)
    return state.waits[()]


@dataclass(frozen=True, eq=False)
class EarlyStopping:
    """End a run when its validation loss has not improved for a while; the best step is what to go back to.

        stopped where `waits_since_best` of the values so far >= patience

    What was stopped stays stopped, with its best.

    Args:
        patience: How many values without improvement end a run, at least 1.
        least_improvement: By how much a value must beat the best, at least 0.
        largest_is_best: See `waits_since_best`.
        baseline: See `waits_since_best`.

    Source: Prechelt (1998) for the question; definition.
    """

    patience: int = 10
    least_improvement: float = 0.0
    largest_is_best: bool = False
    baseline: float | None = None

    def __post_init__(self) -> None:
        checks.integer("patience", self.patience, at_least=1)
        checks.real("least_improvement", self.least_improvement, at_least=0)
        checks.instance("largest_is_best", self.largest_is_best, bool, "True or False")
        if self.baseline is not None:
            checks.real("baseline", self.baseline)

    def init(self, runs: tuple[int, ...] = ()) -> StoppingState:
        """Start without a value.

        Args:
            runs: The shape of the grid of runs.

        Returns:
            The state, arrays of shape `runs`.
        """
        runs = checks.shape("runs", runs)
        worst = np.full(runs, -np.inf if self.largest_is_best else np.inf)
        return StoppingState(0, worst, np.full(runs, -1), np.zeros(runs, dtype=int), np.zeros(runs, dtype=bool))

    def follow(self, value: Array, state: StoppingState) -> StoppingState:
        """Take in one value of each run, and stop none."""
        improved = _improves(value, state.best, self.least_improvement, self.largest_is_best)
        counts = improved
        if self.baseline is not None:
            counts = improved & _improves(value, self.baseline, self.least_improvement, self.largest_is_best)
        return state._replace(
            step=state.step + 1,
            best=np.where(improved, value, state.best),
            best_step=np.where(improved, state.step, state.best_step),
            waits=np.where(counts, 0, state.waits + 1),
        )

    def update(self, loss: float | Float[Array, "*runs"], state: StoppingState) -> StoppingState:
        """Take in one value of each run.

        Args:
            loss: One number a run; an accuracy, say, where the largest is best.
            state: What was known before; it is left as it was.

        Returns:
            The new state.

        Raises:
            ValueError: If `loss` has another shape than the runs.
        """
        loss = checks.shaped("loss", np.asarray(loss, dtype=np.float64), state.best.shape, of="the runs of the state")
        after = self.follow(np.where(state.stopped, np.nan, loss), state)
        return after._replace(stopped=state.stopped | (after.waits >= self.patience))


def shift_offsets(
    shape: tuple[int, ...], generator: Generators, most: int, *, runs: tuple[int, ...] = ()
) -> Int[np.ndarray, "..."]:
    """Draw how far each image is moved: down and to the right, negative for up and to the left.

        each entry uniform on -most, ..., most

    Args:
        shape: Shape of one run's batch without channels, height and width: (batch,).
        generator: Draws the offsets. With runs, each run draws from its own child, or from its own entry of an array.
        most: The farthest, in pixels, at least 0.
        runs: The shape of the grid of runs.

    Returns:
        Offsets, shape (*runs, *shape, 2).

    Raises:
        ValueError: If a number is out of range, or the generators are not as many as runs.

    Source: definition.
    """
    shape, most = checks.shape("shape", shape), checks.integer("most", most, at_least=0)
    return _draw(lambda source: source.integers(-most, most, (*shape, 2), endpoint=True), generator, runs)


def _moved(x: np.ndarray, offset: np.ndarray, axis: int, fill: float) -> np.ndarray:
    """Move along one axis of the images, each by its own offset, shape (*runs, batch)."""
    size = x.shape[axis]
    source = np.arange(size) - offset[..., None]
    shape = [1, 1, 1]
    shape[axis] = size
    source = source.reshape(*offset.shape, *shape)
    taken = np.take_along_axis(x, source.clip(0, size - 1), axis)
    return np.where((source >= 0) & (source < size), taken, x.dtype.type(fill))


def shift(
    x: Float[np.ndarray, "*shape"], offsets: Int[np.ndarray, "*batch two"], *, fill: float = 0.0
) -> Float[np.ndarray, "..."]:
    """Move each image by whole pixels.

        y[n, c, i, j] = x[n, c, i - offsets[n, 0], j - offsets[n, 1]], and `fill` where that lies outside

    Args:
        x: Images, shape (*runs, batch, channels, height, width).
        offsets: From `shift_offsets`, shape (*runs, batch, 2). With more leading axes each is applied to the same
            images.
        fill: What comes in at the edges.

    Returns:
        y, of the shape of x.

    Raises:
        TypeError: If `x` does not hold floating-point numbers or `offsets` integers.
        ValueError: If the shapes do not fit.

    Source: definition.
    """
    checks.rank("x", checks.floating("x", x), at_least=3)
    checks.last_axes("offsets", checks.integers("offsets", offsets), *x.shape[:-3], 2, of="x")
    fill = checks.real("fill", fill)
    x = np.broadcast_to(x, (*offsets.shape[:-1], *x.shape[-3:]))
    if 0 in x.shape:
        return x.copy()
    return _moved(_moved(x, offsets[..., 0], -2, fill), offsets[..., 1], -1, fill)


def flip_mask(
    shape: tuple[int, ...], generator: Generators, probability: float = 0.5, *, runs: tuple[int, ...] = ()
) -> Bool[np.ndarray, "..."]:
    """Draw which images are flipped.

        P(mask = True) = probability

    Args:
        shape: Shape of one run's batch without channels, height and width: (batch,).
        generator: Draws the mask. With runs, each run draws from its own child, or from its own entry of an array.
        probability: From 0 to 1.
        runs: The shape of the grid of runs.

    Returns:
        The mask, shape (*runs, *shape).

    Raises:
        ValueError: If a number is out of range, or the generators are not as many as runs.

    Source: definition.
    """
    shape = checks.shape("shape", shape)
    probability = checks.real("probability", probability, at_least=0, at_most=1)
    return _draw(lambda source: np.asarray(source.random(shape) < probability), generator, runs)


def flip(x: Float[np.ndarray, "*shape"], mask: Bool[np.ndarray, "*batch"]) -> Float[np.ndarray, "..."]:
    """Mirror the images in the mask, left to right.

        y[n, c, i, j] = x[n, c, i, width - 1 - j] where mask[n], else x[n, c, i, j]

    Args:
        x: Images, shape (*runs, batch, channels, height, width).
        mask: Shape (*runs, batch). With more leading axes each mask is applied to the same images.

    Returns:
        y, of the shape of x.

    Raises:
        TypeError: If `x` does not hold floating-point numbers or `mask` booleans.
        ValueError: If the shapes do not fit.

    Source: definition.
    """
    checks.rank("x", checks.floating("x", x), at_least=3)
    checks.last_axes("mask", checks.booleans("mask", mask), *x.shape[:-3], of="x")
    return np.where(mask[..., None, None, None], x[..., ::-1], x)


@precision.rounded_once("x")
def add_noise(
    x: Float[np.ndarray, "*shape"], noise: Float[np.ndarray, "*runs_and_shape"], deviation: float | Float[Array, "*own"]
) -> Float[np.ndarray, "*runs_and_shape"]:
    """Blur the inputs by noise.

        y = x + deviation * noise

    Args:
        x: Inputs, of any shape.
        noise: Standard normal numbers, say, of the shape of x; with more leading axes each is added to the same x.
        deviation: At least 0: a number, or one for each of the leading axes of the noise.

    Returns:
        y, of the shape of the noise.

    Raises:
        TypeError: If an array does not hold floating-point numbers.
        ValueError: If the shapes do not fit or `deviation` is negative.

    Source: definition.
    """
    checks.last_axes("noise", checks.floating("noise", noise), *checks.floating("x", x).shape, of="x")
    checks.reals("deviation", deviation, at_least=0)
    checks.shaped("deviation", np.asarray(deviation), noise.shape[: np.ndim(deviation)], of="the leading axes of noise")
    return x + many_runs.aligned(deviation, noise) * noise


def patch_centers(
    shape: tuple[int, ...],
    generator: Generators,
    height: int,
    width: int,
    *,
    runs: tuple[int, ...] = (),
) -> Int[np.ndarray, "..."]:
    """Draw the pixel in the middle of the patch that `cutout` covers in each image.

        row uniform on 0, ..., height - 1,    column uniform on 0, ..., width - 1

    Args:
        shape: Shape of one run's batch without channels, height and width: (batch,).
        generator: Draws the pixels. With runs, each run draws from its own child, or from its own entry of an array.
        height: Rows of an image, at least 1.
        width: Columns of an image, at least 1.
        runs: The shape of the grid of runs.

    Returns:
        Rows and columns, shape (*runs, *shape, 2).

    Raises:
        ValueError: If a number is out of range, or the generators are not as many as runs.

    Source: DeVries and Taylor (2017).
    """
    shape = checks.shape("shape", shape)
    sides = checks.integer("height", height, at_least=1), checks.integer("width", width, at_least=1)
    return _draw(lambda source: source.integers(0, sides, (*shape, 2)), generator, runs)


def cutout(
    x: Float[np.ndarray, "*shape"], centers: Int[np.ndarray, "*batch two"], size: int, *, fill: float = 0.0
) -> Float[np.ndarray, "..."]:
    """Cover a square patch of each image; near an edge a part of it lies outside.

        y[n, c, i, j] = fill where -floor(size / 2) <= i - row_n < ceil(size / 2), and so for j, else x[n, c, i, j]

    Args:
        x: Images, shape (*runs, batch, channels, height, width).
        centers: From `patch_centers`, shape (*runs, batch, 2). With more leading axes each is applied to the same
            images.
        size: Pixels along a side of the patch, at least 0.
        fill: What covers it.

    Returns:
        y, of the shape of x.

    Raises:
        TypeError: If `x` does not hold floating-point numbers or `centers` integers.
        ValueError: If the shapes do not fit or `size` is negative.

    Source: DeVries and Taylor (2017).
    """
    checks.rank("x", checks.floating("x", x), at_least=3)
    checks.last_axes("centers", checks.integers("centers", centers), *x.shape[:-3], 2, of="x")
    size, fill = checks.integer("size", size, at_least=0), checks.real("fill", fill)
    covered = [_near(centers[..., axis, None] - size // 2, size, x.shape[axis - 2]) for axis in (0, 1)]
    patch = covered[0][..., None, :, None] & covered[1][..., None, None, :]
    return np.where(patch, x.dtype.type(fill), x)


def _near(first: np.ndarray, size: int, length: int) -> np.ndarray:
    """Say which of the places 0, ..., length - 1 are among `size` places from the first on."""
    places = np.arange(length)
    return (places >= first) & (places < first + size)


@precision.rounded_once("targets")
def smooth_labels(targets: Float[np.ndarray, "*batch classes"], smoothing: float) -> Float[np.ndarray, "..."]:
    """Move a part of each target's probability to all classes alike.

        t <- (1 - smoothing) t + smoothing / classes

    Args:
        targets: Probabilities, or one-hot classes, shape (*batch, classes), at least one class.
        smoothing: From 0 to 1.

    Returns:
        The smoothed targets.

    Raises:
        TypeError: If `targets` does not hold floating-point numbers.
        ValueError: If there are no classes, or `smoothing` is out of range.

    Source: Szegedy et al. (2016).
    """
    checks.rank("targets", checks.floating("targets", targets), at_least=1)
    checks.axis("targets", targets, -1, at_least=1, described="classes")
    smoothing = checks.real("smoothing", smoothing, at_least=0, at_most=1)
    return (1 - smoothing) * targets + smoothing / targets.shape[-1]


def mixup_pairs(
    examples: int, generator: Generators, concentration: float = 0.2, *, runs: tuple[int, ...] = ()
) -> MixupPairs:
    """Draw a partner for each example of a batch, and the share that it keeps.

        partner a random order of the batch,    share ~ Beta(concentration, concentration)

    Args:
        examples: The size of the batch, at least 1.
        generator: Draws them. With runs, each run draws from its own child, or from its own entry of an array.
        concentration: alpha, above 0: near 0 most shares are near 0 or 1, at 1 they are uniform.
        runs: The shape of the grid of runs.

    Returns:
        Partners and shares, shape (*runs, examples).

    Raises:
        ValueError: If a number is out of range, or the generators are not as many as runs.

    Source: Zhang et al. (2018), with a share for each example.
    """
    examples = checks.integer("examples", examples, at_least=1)
    alpha = checks.real("concentration", concentration, above=0)
    generators = many_runs.generators(generator, checks.shape("runs", runs, at_least=1))
    partner = _draw(lambda source: source.permutation(examples), generators, runs)
    return MixupPairs(partner, _draw(lambda source: source.beta(alpha, alpha, examples), generators, runs))


@precision.rounded_once("x")
def mixup(
    x: Float[np.ndarray, "*shape"],
    targets: Float[np.ndarray, "*batch outputs"],
    partner: Int[np.ndarray, "*batch"],
    share: Float[np.ndarray, "*batch"],
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*batch outputs"]]:
    """Mix each example with another, inputs and targets alike.

        x_i <- share_i x_i + (1 - share_i) x_partner(i),    the same for the targets

    A term of share 0 is left out, be it infinite or nan.

    Args:
        x: Inputs, shape (*runs, batch, *features).
        targets: Probabilities, or one-hot classes, shape (*runs, batch, outputs).
        partner: From `mixup_pairs`, shape (*runs, batch).
        share: From `mixup_pairs`, shape (*runs, batch), from 0 to 1.

    Returns:
        Mixed inputs and targets.

    Raises:
        TypeError: If an array is of a wrong kind.
        ValueError: If the shapes do not fit, a partner is not in the batch, or a share is not from 0 to 1.

    Source: Zhang et al. (2018).
    """
    checks.rank("partner", checks.integers("partner", partner), at_least=1)
    checks.labels("partner", partner, partner.shape[-1])
    checks.same_shape("share", checks.floating("share", share), "partner", partner)
    checks.reals("share", share, at_least=0, at_most=1)
    mixed = []
    for name, values in (("x", x), ("targets", targets)):
        checks.rank(name, checks.floating(name, values), at_least=partner.ndim)
        checks.shaped(f"leading axes of {name}", np.empty(values.shape[: partner.ndim]), partner.shape, of="partner")
        trailing = (1,) * (values.ndim - partner.ndim)
        others = np.take_along_axis(values, partner.reshape(*partner.shape, *trailing), axis=partner.ndim - 1)
        own, rest = (part.astype(values.dtype).reshape(*share.shape, *trailing) for part in (share, 1 - share))
        with np.errstate(invalid="ignore"):
            both = own * values + rest * others
        both[share == 1], both[share == 0] = values[share == 1], others[share == 0]
        mixed.append(both)
    return mixed[0], mixed[1]
