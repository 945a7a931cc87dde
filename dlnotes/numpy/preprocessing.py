"""Transforms of the inputs that are fitted on the training data: center, standardize, decorrelate, whiten.

Each is a frozen dataclass of its settings with three methods, in the spirit of the optimizers: `fit(x) -> state`,
`transform(x, state)` and `inverse(z, state)`. The state holds what was estimated and is all that test data need.
Variances divide by the number of rows n, not by n - 1, so that the fitted rows come out with variance exactly 1 in that
sense; scikit-learn's PCA divides by n - 1. Statistics are computed in float64 and stored in the dtype of the data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import checks

if TYPE_CHECKING:
    from jaxtyping import Float

    # NumPy gives a scalar where an array would have no axes.
    Array = np.ndarray | np.generic


class StandardizerState(NamedTuple):
    """Mean and standard deviation of each feature; the deviation of a constant feature is exactly 0."""

    mean: np.ndarray
    deviation: np.ndarray


class PCAState(NamedTuple):
    """Mean, principal axes as rows, and the deviation along each, largest first; 0 where the rows do not vary."""

    mean: np.ndarray
    axes: np.ndarray
    deviation: np.ndarray

    @property
    def variance(self) -> np.ndarray:
        """The square of the deviation, S^2 / n."""
        return self.deviation * self.deviation


class ZCAState(NamedTuple):
    """Mean, the symmetric whitening matrix, and the matrix that undoes it."""

    mean: np.ndarray
    whitening: np.ndarray
    coloring: np.ndarray


def _observations(x: np.ndarray) -> np.ndarray:
    """Give `x` back if statistics can be taken of it."""
    checks.at_least_single("x", x)
    checks.rank("x", x, at_least=2)
    checks.axis("x", x, -2, at_least=1, described="rows")
    checks.axis("x", x, -1, at_least=1, described="features")
    return checks.reals("x", x)


def _features(name: str, x: np.ndarray, count: int) -> np.ndarray:
    """Give `x` back if a fitted transform for `count` features applies to it."""
    checks.at_least_single(name, x)
    checks.rank(name, x, at_least=2)
    return checks.last_axes(name, x, count, of="the state")


def _mean(x: np.ndarray) -> np.ndarray:
    """Average the rows in float64; a feature whose rows are all equal gets that value, without rounding."""
    first = x[..., 0, :]
    constant = (x == first[..., None, :]).all(axis=-2)
    return np.where(constant, first, x.mean(axis=-2, dtype=np.float64))


def _rounding(x: np.ndarray) -> np.ndarray:
    """Give the deviation of each feature that may be rounding: 8 machine epsilons times its largest number."""
    return 8 * np.finfo(x.dtype).eps * np.abs(x).max(axis=-2).astype(np.float64)


class _PrincipalAxes(NamedTuple):
    """Singular values over sqrt(rows), largest first, and right singular vectors as rows."""

    deviation: np.ndarray
    axes: np.ndarray


def _principal_axes(x: np.ndarray, mean: np.ndarray | float, full: bool) -> _PrincipalAxes:
    """Give the deviations along the principal axes of the rows less their mean, X - m = U S V, and the axes V.

    The triangular factor of a QR decomposition has the same ones and is small. The eigenvectors of the covariance are
    the same too, but squaring loses half of the digits: a direction a hundred million times smaller than the largest
    comes out wrong. Deviations that are rounding of 0 are set to 0: along v the rounding r_j of the features adds up to
    at most sum_j |v_j| r_j, and that of the decomposition in float64 is in proportion to the largest deviation.
    """
    rows, features = x.shape[-2:]
    triangle = np.linalg.qr(x - mean, mode="r")
    _, singular, axes = np.linalg.svd(triangle, full_matrices=full)
    deviation = singular / math.sqrt(rows)
    of_data = (np.abs(axes[..., : min(rows, features), :]) @ _rounding(x)[..., None])[..., 0]
    of_decomposition = max(rows, features) * np.finfo(np.float64).eps * deviation[..., :1]
    deviation = np.where(deviation > np.maximum(of_data, of_decomposition), deviation, 0.0)
    # The sign of an axis is free. Its largest entry is made positive, so that the same data give the same axes.
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=-1, keepdims=True), axis=-1)
    return _PrincipalAxes(deviation, axes * np.where(largest < 0, -1.0, 1.0))


def _inverse_root(deviation: np.ndarray, epsilon: float) -> np.ndarray:
    """Give 1 / sqrt(deviation^2 + epsilon), and 0 where that is not a number to divide by."""
    total = _root(deviation, epsilon)
    return np.where(total > 0, 1 / np.where(total > 0, total, 1), 0)


def _root(deviation: np.ndarray, epsilon: float) -> np.ndarray:
    """Give sqrt(deviation^2 + epsilon) without the square, which may over- or underflow."""
    return np.hypot(deviation, deviation.dtype.type(math.sqrt(epsilon)))


@dataclass(frozen=True, eq=False)
class Standardizer:
    """Take off each feature's mean and divide by its standard deviation.

        z = (x - m) / s,    m = mean of x,    s = sqrt(mean of (x - m)^2)

    A constant feature has s = 0: it is centered and not divided, so it comes out as 0 on the fitted rows, and test rows
    keep their distance from the constant in its own units. Constant is also what differs by rounding alone, as sums do
    that should be 1: a deviation of at most 8 machine epsilons times the largest number.

    Args:
        scale: If False, only center.

    Source: definition.
    """

    scale: bool = True

    def __post_init__(self) -> None:
        checks.instance("scale", self.scale, bool, "True or False")

    def fit(self, x: Float[np.ndarray, "*runs rows features"]) -> StandardizerState:
        """Estimate mean and deviation of each feature.

        Args:
            x: Training rows, shape (*runs, rows, features), at least one row, finite.

        Returns:
            The state, arrays of shape (*runs, features).

        Raises:
            TypeError: If `x` does not hold floating-point numbers.
            ValueError: If `x` has fewer than two axes, no rows or no features, or numbers that are not finite.
        """
        _observations(x)
        mean = _mean(x)
        centered = x - mean[..., None, :]
        # Measured against the largest distance, squares neither overflow nor vanish.
        span = np.abs(centered).max(axis=-2)
        unit = np.where(span > 0, span, 1)
        centered /= unit[..., None, :]
        deviation = unit * np.sqrt((centered * centered).mean(axis=-2))
        deviation = np.where(deviation > _rounding(x), deviation, 0)
        return StandardizerState(mean.astype(x.dtype), deviation.astype(x.dtype))

    def transform(
        self, x: Float[np.ndarray, "*batch rows features"], state: StandardizerState
    ) -> Float[np.ndarray, "*runs rows features"]:
        """Apply the fitted transform to any rows.

        Args:
            x: Rows, shape (*runs, rows, features); without run axes every run's transform is applied to the same rows.
            state: From `fit`.

        Returns:
            z, shape (*runs, rows, features).

        Raises:
            TypeError: If `x` does not hold floating-point numbers.
            ValueError: If `x` has another number of features than the state.
        """
        _features("x", x, state.mean.shape[-1])
        centered = x - state.mean[..., None, :]
        return centered / self._divisor(state) if self.scale else centered

    def inverse(
        self, z: Float[np.ndarray, "*batch rows features"], state: StandardizerState
    ) -> Float[np.ndarray, "*runs rows features"]:
        """Undo `transform`.

        Args:
            z: Transformed rows, shape (*runs, rows, features).
            state: From `fit`.

        Returns:
            x, shape (*runs, rows, features).

        Raises:
            TypeError: If `z` does not hold floating-point numbers.
            ValueError: If `z` has another number of features than the state.
        """
        _features("z", z, state.mean.shape[-1])
        return (z * self._divisor(state) if self.scale else z) + state.mean[..., None, :]

    @staticmethod
    def _divisor(state: StandardizerState) -> np.ndarray:
        return np.where(state.deviation > 0, state.deviation, np.ones_like(state.deviation))[..., None, :]


@dataclass(frozen=True, eq=False)
class PCA:
    """Rotate the centered rows onto their principal axes, which decorrelates them.

        z = (x - m) V^T                                 with X - m = U S V, singular values S falling
        z = (x - m) V^T / sqrt(S^2 / n + epsilon)       if whiten

    The covariance of the fitted z is diag(S^2 / n), and the identity if whitened with epsilon = 0. A direction in which
    the fitted rows do not vary (constant features, copies, or fewer rows than features) has variance 0; whitening with
    epsilon = 0 maps it to 0, since there is nothing to divide by. A deviation of at most max(rows, features) machine
    epsilons of float64 times the largest one counts as 0: standardize features of very unlike units first.

    Args:
        components: How many axes to keep, from 1 to min(rows, features); None keeps them all.
        whiten: Whether to divide by the deviation along each axis.
        epsilon: Added to the variances in whitening, at least 0; it bounds how much small directions are blown up.

    Source: derived in preprocessing#eq-pca and preprocessing#eq-pca-whitening.
    """

    components: int | None = None
    whiten: bool = False
    epsilon: float = 0.0

    def __post_init__(self) -> None:
        if self.components is not None:
            checks.integer("components", self.components, at_least=1)
        checks.instance("whiten", self.whiten, bool, "True or False")
        checks.real("epsilon", self.epsilon, at_least=0)

    def fit(self, x: Float[np.ndarray, "*runs rows features"]) -> PCAState:
        """Find the mean, the principal axes and the deviation along each.

        Args:
            x: Training rows, shape (*runs, rows, features), at least one row, finite.

        Returns:
            The state: mean (*runs, features), axes (*runs, components, features) with orthonormal rows whose largest
            entry is positive, deviation (*runs, components).

        Raises:
            TypeError: If `x` does not hold floating-point numbers.
            ValueError: If `x` has fewer than two axes, no rows or no features, or numbers that are not finite, or if
                `components` is more than min(rows, features).
        """
        _observations(x)
        rows, features = x.shape[-2:]
        most = min(rows, features)
        kept = most if self.components is None else checks.integer("components", self.components, at_most=most)
        mean = _mean(x)
        deviation, axes = _principal_axes(x, mean[..., None, :], full=False)
        return PCAState(*(part.astype(x.dtype) for part in (mean, axes[..., :kept, :], deviation[..., :kept])))

    def transform(
        self, x: Float[np.ndarray, "*batch rows features"], state: PCAState
    ) -> Float[np.ndarray, "*runs rows components"]:
        """Apply the fitted transform to any rows.

        Args:
            x: Rows, shape (*runs, rows, features); without run axes every run's transform is applied to the same rows.
            state: From `fit`.

        Returns:
            z, shape (*runs, rows, components).

        Raises:
            TypeError: If `x` does not hold floating-point numbers.
            ValueError: If `x` has another number of features than the state.
        """
        _features("x", x, state.mean.shape[-1])
        z = (x - state.mean[..., None, :]) @ state.axes.mT
        return z * _inverse_root(state.deviation, self.epsilon)[..., None, :] if self.whiten else z

    def inverse(
        self, z: Float[np.ndarray, "*batch rows components"], state: PCAState
    ) -> Float[np.ndarray, "*runs rows features"]:
        """Undo `transform`, as far as the components that were kept allow: the nearest point in their span.

        Args:
            z: Transformed rows, shape (*runs, rows, components).
            state: From `fit`.

        Returns:
            x, shape (*runs, rows, features).

        Raises:
            TypeError: If `z` does not hold floating-point numbers.
            ValueError: If `z` has another number of components than the state.
        """
        _features("z", z, state.axes.shape[-2])
        if self.whiten:
            z = z * _root(state.deviation, self.epsilon)[..., None, :]
        return z @ state.axes + state.mean[..., None, :]


@dataclass(frozen=True, eq=False)
class ZCA:
    """Whiten the rows and turn them back, so that they stay as near to the data as whitened rows can.

        z = (x - m) W,    W = V^T diag(1 / sqrt(S^2 / n + epsilon)) V        with X - m = U S V

    The covariance of the fitted z is the identity for epsilon = 0. Where the rows do not vary in some directions and
    epsilon = 0, these are mapped to 0 and the covariance is the projection on the others.

    Args:
        epsilon: Added to the variances, at least 0; it bounds how much small directions are blown up.

    Source: Bell and Sejnowski (1997); derived in preprocessing#eq-zca.
    """

    epsilon: float = 0.0

    def __post_init__(self) -> None:
        checks.real("epsilon", self.epsilon, at_least=0)

    def fit(self, x: Float[np.ndarray, "*runs rows features"]) -> ZCAState:
        """Find the mean and the whitening matrix.

        Args:
            x: Training rows, shape (*runs, rows, features), at least one row, finite.

        Returns:
            The state: mean (*runs, features), whitening and coloring (*runs, features, features).

        Raises:
            TypeError: If `x` does not hold floating-point numbers.
            ValueError: If `x` has fewer than two axes, no rows or no features, or numbers that are not finite.
        """
        _observations(x)
        features = x.shape[-1]
        mean = _mean(x)
        found, axes = _principal_axes(x, mean[..., None, :], full=True)
        deviation = np.zeros((*found.shape[:-1], features))
        deviation[..., : found.shape[-1]] = found
        whitening = (axes.mT * _inverse_root(deviation, self.epsilon)[..., None, :]) @ axes
        coloring = (axes.mT * _root(deviation, self.epsilon)[..., None, :]) @ axes
        return ZCAState(mean.astype(x.dtype), whitening.astype(x.dtype), coloring.astype(x.dtype))

    def transform(
        self, x: Float[np.ndarray, "*batch rows features"], state: ZCAState
    ) -> Float[np.ndarray, "*runs rows features"]:
        """Apply the fitted transform to any rows.

        Args:
            x: Rows, shape (*runs, rows, features); without run axes every run's transform is applied to the same rows.
            state: From `fit`.

        Returns:
            z, shape (*runs, rows, features).

        Raises:
            TypeError: If `x` does not hold floating-point numbers.
            ValueError: If `x` has another number of features than the state.
        """
        _features("x", x, state.mean.shape[-1])
        return (x - state.mean[..., None, :]) @ state.whitening

    def inverse(
        self, z: Float[np.ndarray, "*batch rows features"], state: ZCAState
    ) -> Float[np.ndarray, "*runs rows features"]:
        """Undo `transform`, in the directions in which the fitted rows vary.

        Args:
            z: Transformed rows, shape (*runs, rows, features).
            state: From `fit`.

        Returns:
            x, shape (*runs, rows, features).

        Raises:
            TypeError: If `z` does not hold floating-point numbers.
            ValueError: If `z` has another number of features than the state.
        """
        _features("z", z, state.mean.shape[-1])
        return z @ state.coloring + state.mean[..., None, :]


def least_squares_hessian(x: Float[np.ndarray, "*runs rows features"]) -> Float[np.ndarray, "*runs features features"]:
    """Give the Hessian of the mean squared error of a linear model in its weights.

        L(w) = 1/(2n) sum_i (x_i w - y_i)^2,    H = X^T X / n

    It is the covariance if the rows are centered, which is also what is left of it once a fitted bias is eliminated.

    Args:
        x: Inputs, shape (*runs, rows, features), at least one row.

    Returns:
        H, shape (*runs, features, features).

    Raises:
        TypeError: If `x` does not hold floating-point numbers.
        ValueError: If `x` has fewer than two axes, no rows or no features, or numbers that are not finite.

    Source: derived in preprocessing#eq-hessian.
    """
    _observations(x)
    largest = np.abs(x).max(axis=(-2, -1), keepdims=True)
    unit = np.ldexp(np.ones_like(largest), np.frexp(largest)[1])  # a power of 2: sums of squares do not overflow
    x = x / unit
    return x.mT @ x / x.shape[-2] * unit * unit


def least_squares_condition(x: Float[np.ndarray, "*runs rows features"]) -> Float[Array, "*runs"]:
    """Give the condition number of `least_squares_hessian(x)`, largest over smallest eigenvalue.

        kappa = (S_max / S_min)^2,    S the singular values of X

    From the singular values, because the eigenvalues of H lose twice as many digits.

    Args:
        x: Inputs, shape (*runs, rows, features), at least one row.

    Returns:
        kappa, shape (*runs,), at least 1; infinite if the columns are linearly dependent to rounding.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.
        ValueError: If `x` has fewer than two axes, no rows or no features, or numbers that are not finite.

    Source: derived in preprocessing#eq-svd.
    """
    _observations(x)
    rows, features = x.shape[-2:]
    deviation, _ = _principal_axes(x, np.float64(0), full=False)
    smallest = deviation[..., -1] if rows >= features else np.zeros_like(deviation[..., 0])
    ratio = np.where(smallest > 0, deviation[..., 0] / np.where(smallest > 0, smallest, 1), np.inf)
    return (ratio * ratio).astype(x.dtype)
