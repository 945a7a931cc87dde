"""Axes of runs: what optimizers share, so that one call works on many runs at once; see `dlnotes.numpy.many_runs`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dlnotes import checks, optimizers

if TYPE_CHECKING:
    from jaxtyping import Shaped

Tensors = dict[str, Tensor]


def zeros_like(params: Tensors) -> Tensors:
    """Give zeros in the shapes of the parameters, on their devices.

    Arguments and errors as in `dlnotes.numpy.many_runs.zeros_like`.
    """
    checks.instance("params", params, Mapping, "a mapping from names to arrays")
    for name, value in params.items():
        checks.at_least_single(f"params[{name!r}]", value)
    return {name: torch.zeros_like(value, requires_grad=False) for name, value in params.items()}


def at_step(
    value: Any, step: int, name: str = "value", *, at_least: float | None = None, below: float | None = None
) -> float | Tensor:
    """Give the value of a hyperparameter at a step: one number, or a tensor with one a run, in float64.

    Arguments and errors as in `dlnotes.numpy.many_runs.at_step`. A number on an accelerator stays there.
    """
    if isinstance(value, float):
        return float(value)
    if callable(value):
        value = checks.reals(f"{name} at step {step}", value(step), at_least=at_least, below=below)
    elif not isinstance(value, Tensor):
        value = checks.reals(name, value)
    if not isinstance(value, Tensor) or (value.ndim == 0 and value.device.type == "cpu"):
        return float(value)
    return value if value.device.type == "mps" else value.to(torch.float64)  # that device has no float64


def rate_at_step(value: Any, step: int, name: str = "learning_rate") -> float | Tensor:
    """Give the value of a hyperparameter that is at least 0, as `at_step` does; see there for arguments and errors."""
    return value if type(value) is float else at_step(value, step, name, at_least=0)


def beta_at_step(value: Any, step: int, name: str = "beta") -> float | Tensor:
    """Give the value of a share from 0 to below 1, as `at_step` does; see there for arguments and errors."""
    return value if type(value) is float else at_step(value, step, name, at_least=0, below=1)


def aligned(value: Any, array: Shaped[Tensor, "..."]) -> float | Tensor:
    """Shape one number a run so that it multiplies a tensor whose first axes are the runs.

    Arguments and errors as in `dlnotes.numpy.many_runs.aligned`.
    """
    if not isinstance(value, Tensor) or (value.ndim == 0 and value.device.type == "cpu"):
        return float(value)
    checks.rank("array", array, at_least=value.ndim)
    return value.reshape(value.shape + (1,) * (array.ndim - value.ndim)).to(array)


def cut(
    optimizer: optimizers.Optimizer,
    runs: tuple[int, ...],
    rows: slice = slice(None),
    *,
    device: torch.device | str | None = None,
) -> optimizers.Optimizer:
    """Give an optimizer for some of the runs, which lie along one axis then, on a device.

    Arguments and errors as in `dlnotes.numpy.many_runs.cut`.
    """

    def of_rows(name: str, value: Any) -> Any:
        if not isinstance(value, Tensor) or not value.ndim:
            return value
        checks.first_axes_of_runs(name, value, runs)
        from_left = value.reshape(value.shape + (1,) * (len(runs) - value.ndim))
        return from_left.broadcast_to(runs).reshape(-1)[rows].to(device, non_blocking=True)

    return optimizers.cut_to_runs(optimizers.check_optimizer("optimizer", optimizer), of_rows)
