"""Transforms of the inputs that are fitted on the training data, in PyTorch; see `dlnotes.numpy.preprocessing`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from dlnotes import checks

if TYPE_CHECKING:
    from jaxtyping import Float


class StandardizerState(NamedTuple):
    """Mean and standard deviation of each feature; the deviation of a constant feature is exactly 0."""

    mean: Tensor
    deviation: Tensor


class PCAState(NamedTuple):
    """Mean, principal axes as rows, and the deviation along each, largest first; 0 where the rows do not vary."""

    mean: Tensor
    axes: Tensor
    deviation: Tensor

    @property
    def variance(self) -> Tensor:
        """The square of the deviation, S^2 / n."""
        return self.deviation * self.deviation


class ZCAState(NamedTuple):
    """Mean, the symmetric whitening matrix, and the matrix that undoes it."""

    mean: Tensor
    whitening: Tensor
    coloring: Tensor


def _observations(x: Tensor) -> Tensor:
    """Give `x` back if statistics can be taken of it."""
    checks.at_least_single("x", x)
    checks.rank("x", x, at_least=2)
    checks.axis("x", x, -2, at_least=1, described="rows")
    checks.axis("x", x, -1, at_least=1, described="features")
    return checks.reals("x", x)


def _features(name: str, x: Tensor, count: int) -> Tensor:
    """Give `x` back if a fitted transform for `count` features applies to it."""
    checks.at_least_single(name, x)
    checks.rank(name, x, at_least=2)
    return checks.last_axes(name, x, count, of="the state")


def _mean(x: Tensor) -> Tensor:
    """Average the rows in float64; a feature whose rows are all equal gets that value, without rounding."""
    first = x[..., 0, :]
    constant = (x == first[..., None, :]).all(dim=-2)
    return torch.where(constant, first.double(), x.mean(dim=-2, dtype=torch.float64))


def _rounding(x: Tensor) -> Tensor:
    """Give the deviation of each feature that may be rounding: 8 machine epsilons times its largest number."""
    return 8 * torch.finfo(x.dtype).eps * x.abs().amax(dim=-2).double()


class _PrincipalAxes(NamedTuple):
    """Singular values over sqrt(rows), largest first, and right singular vectors as rows."""

    deviation: Tensor
    axes: Tensor


def _principal_axes(x: Tensor, mean: Tensor | float, full: bool) -> _PrincipalAxes:
    """Give the deviations along the principal axes of the rows less their mean, X - m = U S V, and the axes V."""
    rows, features = x.shape[-2:]
    _, triangle = torch.linalg.qr(x.double() - mean, mode="r")
    _, singular, axes = torch.linalg.svd(triangle, full_matrices=full)
    deviation = singular / math.sqrt(rows)
    of_data = (axes[..., : min(rows, features), :].abs() @ _rounding(x)[..., None])[..., 0]
    of_decomposition = max(rows, features) * torch.finfo(torch.float64).eps * deviation[..., :1]
    deviation = torch.where(deviation > torch.maximum(of_data, of_decomposition), deviation, 0.0)
    # The sign of an axis is free. Its largest entry is made positive, so that the same data give the same axes.
    largest = axes.gather(-1, axes.abs().argmax(dim=-1, keepdim=True))
    return _PrincipalAxes(deviation, axes * torch.where(largest < 0, -1.0, 1.0).to(axes.dtype))


def _inverse_root(deviation: Tensor, epsilon: float) -> Tensor:
    """Give 1 / sqrt(deviation^2 + epsilon), and 0 where that is not a number to divide by."""
    total = _root(deviation, epsilon)
    return torch.where(total > 0, 1 / torch.where(total > 0, total, 1), 0)


def _root(deviation: Tensor, epsilon: float) -> Tensor:
    """Give sqrt(deviation^2 + epsilon) without the square, which may over- or underflow."""
    return torch.hypot(deviation, torch.full_like(deviation, math.sqrt(epsilon)))


@dataclass(frozen=True, eq=False)
class Standardizer:
    """Take off each feature's mean and divide by its standard deviation.

    Equation, arguments and errors as in `dlnotes.numpy.preprocessing.Standardizer`.
    """

    scale: bool = True

    def __post_init__(self) -> None:
        checks.instance("scale", self.scale, bool, "True or False")

    def fit(self, x: Float[Tensor, "*runs rows features"]) -> StandardizerState:
        """Estimate mean and deviation of each feature."""
        _observations(x)
        mean = _mean(x)
        centered = x - mean[..., None, :]
        # Measured against the largest distance, squares neither overflow nor vanish.
        span = centered.abs().amax(dim=-2)
        unit = torch.where(span > 0, span, 1)
        centered /= unit[..., None, :]
        deviation = unit * (centered * centered).mean(dim=-2).sqrt()
        deviation = torch.where(deviation > _rounding(x), deviation, 0)
        return StandardizerState(mean.to(x.dtype), deviation.to(x.dtype))

    def transform(
        self, x: Float[Tensor, "*batch rows features"], state: StandardizerState
    ) -> Float[Tensor, "*runs rows features"]:
        """Apply the fitted transform to any rows."""
        _features("x", x, state.mean.shape[-1])
        centered = x - state.mean[..., None, :]
        return centered / self._divisor(state) if self.scale else centered

    def inverse(
        self, z: Float[Tensor, "*batch rows features"], state: StandardizerState
    ) -> Float[Tensor, "*runs rows features"]:
        """Undo `transform`."""
        _features("z", z, state.mean.shape[-1])
        return (z * self._divisor(state) if self.scale else z) + state.mean[..., None, :]

    @staticmethod
    def _divisor(state: StandardizerState) -> Tensor:
        return torch.where(state.deviation > 0, state.deviation, 1)[..., None, :]


@dataclass(frozen=True, eq=False)
class PCA:
    """Rotate the centered rows onto their principal axes, which decorrelates them.

    Equation, arguments and errors as in `dlnotes.numpy.preprocessing.PCA`.
    """

    components: int | None = None
    whiten: bool = False
    epsilon: float = 0.0

    def __post_init__(self) -> None:
        if self.components is not None:
            checks.integer("components", self.components, at_least=1)
        checks.instance("whiten", self.whiten, bool, "True or False")
        checks.real("epsilon", self.epsilon, at_least=0)

    def fit(self, x: Float[Tensor, "*runs rows features"]) -> PCAState:
        """Find the mean, the principal axes and the deviation along each."""
        _observations(x)
        rows, features = x.shape[-2:]
        most = min(rows, features)
        kept = most if self.components is None else checks.integer("components", self.components, at_most=most)
        mean = _mean(x)
        deviation, axes = _principal_axes(x, mean[..., None, :], full=False)
        return PCAState(*(part.to(x.dtype) for part in (mean, axes[..., :kept, :], deviation[..., :kept])))

    def transform(
        self, x: Float[Tensor, "*batch rows features"], state: PCAState
    ) -> Float[Tensor, "*runs rows components"]:
        """Apply the fitted transform to any rows."""
        _features("x", x, state.mean.shape[-1])
        checks.same_dtype("x", x, "state.axes", state.axes)
        z = (x - state.mean[..., None, :]) @ state.axes.mT
        return z * _inverse_root(state.deviation, self.epsilon)[..., None, :] if self.whiten else z

    def inverse(
        self, z: Float[Tensor, "*batch rows components"], state: PCAState
    ) -> Float[Tensor, "*runs rows features"]:
        """Undo `transform`, as far as the components that were kept allow: the nearest point in their span."""
        _features("z", z, state.axes.shape[-2])
        checks.same_dtype("z", z, "state.axes", state.axes)
        if self.whiten:
            z = z * _root(state.deviation, self.epsilon)[..., None, :]
        return z @ state.axes + state.mean[..., None, :]


@dataclass(frozen=True, eq=False)
class ZCA:
    """Whiten the rows and turn them back, so that they stay as near to the data as whitened rows can.

    Equation, arguments and errors as in `dlnotes.numpy.preprocessing.ZCA`.
    """

    epsilon: float = 0.0

    def __post_init__(self) -> None:
        checks.real("epsilon", self.epsilon, at_least=0)

    def fit(self, x: Float[Tensor, "*runs rows features"]) -> ZCAState:
        """Find the mean and the whitening matrix."""
        _observations(x)
        features = x.shape[-1]
        mean = _mean(x)
        found, axes = _principal_axes(x, mean[..., None, :], full=True)
        deviation = found.new_zeros((*found.shape[:-1], features))
        deviation[..., : found.shape[-1]] = found
        whitening = (axes.mT * _inverse_root(deviation, self.epsilon)[..., None, :]) @ axes
        coloring = (axes.mT * _root(deviation, self.epsilon)[..., None, :]) @ axes
        return ZCAState(mean.to(x.dtype), whitening.to(x.dtype), coloring.to(x.dtype))

    def transform(
        self, x: Float[Tensor, "*batch rows features"], state: ZCAState
    ) -> Float[Tensor, "*runs rows features"]:
        """Apply the fitted transform to any rows."""
        _features("x", x, state.mean.shape[-1])
        checks.same_dtype("x", x, "state.whitening", state.whitening)
        return (x - state.mean[..., None, :]) @ state.whitening

    def inverse(
        self, z: Float[Tensor, "*batch rows features"], state: ZCAState
    ) -> Float[Tensor, "*runs rows features"]:
        """Undo `transform`, in the directions in which the fitted rows vary."""
        _features("z", z, state.mean.shape[-1])
        checks.same_dtype("z", z, "state.coloring", state.coloring)
        return z @ state.coloring + state.mean[..., None, :]


def least_squares_hessian(x: Float[Tensor, "*runs rows features"]) -> Float[Tensor, "*runs features features"]:
    """Give the Hessian of the mean squared error of a linear model in its weights.

    Equation, arguments and errors as in `dlnotes.numpy.preprocessing.least_squares_hessian`.
    """
    _observations(x)
    largest = x.abs().amax(dim=(-2, -1), keepdim=True)
    unit = torch.ldexp(
        torch.ones_like(largest), torch.frexp(largest)[1]
    )  # a power of 2: sums of squares do not overflow
    x = x / unit
    return x.mT @ x / x.shape[-2] * unit * unit


def least_squares_condition(x: Float[Tensor, "*runs rows features"]) -> Float[Tensor, "*runs"]:
    """Give the condition number of `least_squares_hessian(x)`, largest over smallest eigenvalue.

    Equation, arguments and errors as in `dlnotes.numpy.preprocessing.least_squares_condition`.
    """
    _observations(x)
    rows, features = x.shape[-2:]
    deviation, _ = _principal_axes(x, 0.0, full=False)
    smallest = deviation[..., -1] if rows >= features else torch.zeros_like(deviation[..., 0])
    ratio = torch.where(smallest > 0, deviation[..., 0] / torch.where(smallest > 0, smallest, 1), torch.inf)
    return (ratio * ratio).to(x.dtype)
