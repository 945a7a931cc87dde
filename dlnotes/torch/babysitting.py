"""Update ratios and the tiny set in PyTorch; see `dlnotes.numpy.babysitting`.

Only what reads parameters has a variant here: the other checks work on losses, which are on the host anyway.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from dlnotes import checks
from dlnotes.torch import training

if TYPE_CHECKING:
    from jaxtyping import Float

Tensors = dict[str, Tensor]


class TinySetReport(NamedTuple):
    """How training on a handful of examples went."""

    losses: Tensor
    steps_to_goal: Tensor
    passed: Tensor


def overfit_tiny_set(
    gradient: Callable[[Tensors], tuple[Tensor, Tensors]],
    parameters: Tensors,
    optimizer: training.Optimizer,
    *,
    steps: int = 300,
    goal: float = 0.01,
) -> TinySetReport:
    """Train on a handful of examples, which a network that works learns by heart.

    Equation, arguments and errors as in `dlnotes.numpy.babysitting.overfit_tiny_set`.
    """
    steps = checks.integer("steps", steps, at_least=1)
    goal = checks.real("goal", goal, above=0)
    state, losses = optimizer.init(parameters), []
    for step in range(steps + 1):
        loss, grads = gradient(parameters)
        losses.append(loss)
        if step < steps:
            updates, state = optimizer.update(grads, state, parameters)
            parameters = training.apply_updates(parameters, updates)
    curve = torch.stack(losses, dim=-1)
    below = curve < goal
    passed = below.any(dim=-1)
    return TinySetReport(curve, torch.where(passed, below.long().argmax(dim=-1), -1), passed)


def _norm(tensor: Tensor, run_axes: int) -> Tensor:
    """Give the Euclidean length of all of a tensor, for each run."""
    run_axes = checks.integer("run_axes", run_axes, at_least=0, at_most=tensor.ndim)
    own = tuple(range(run_axes, tensor.ndim))
    return torch.linalg.vector_norm(tensor, dim=own) if own else tensor.abs()


def update_ratios(params: Tensors, updates: Tensors, run_axes: int = 0) -> dict[str, Float[Tensor, "*runs"]]:
    """Compare the size of a step with the size of what it changes.

    Equation, arguments and errors as in `dlnotes.numpy.babysitting.update_ratios`.
    """
    checks.same_names("updates", updates, "params", params)
    ratios = {}
    for name, w in params.items():
        checks.same_shape(f"updates[{name!r}]", updates[name], f"params[{name!r}]", w)
        length, step = _norm(w, run_axes), _norm(updates[name], run_axes)
        quotient = step / torch.where(length > 0, length, 1)
        ratios[name] = torch.where((length == 0) & (step > 0), torch.inf, quotient)
    return ratios
