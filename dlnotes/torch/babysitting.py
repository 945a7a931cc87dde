"""Update ratios and the tiny set in PyTorch; see `dlnotes.numpy.babysitting`.

Only what reads parameters has a variant here: the other checks work on losses, which are on the host anyway.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from dlnotes import checks, optimizers, precision
from dlnotes.torch import gradient_clipping

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
    optimizer: optimizers.Optimizer,
    *,
    steps: int = 300,
    goal: float = 0.01,
) -> TinySetReport:
    """Train on a handful of examples, which a network that works learns by heart.

    Equation, arguments and errors as in `dlnotes.numpy.babysitting.overfit_tiny_set`.
    """
    steps = checks.integer("steps", steps, at_least=1)
    goal = checks.real("goal", goal, above=0)
    checks.integer("number of parameters", len(parameters), at_least=1)
    optimizers.check_optimizer("optimizer", optimizer)
    state, losses = optimizer.init(parameters), []
    for step in range(steps + 1):
        loss, grads = gradient(parameters)
        losses.append(loss)
        if step < steps:
            updates, state = optimizer.update(grads, state, parameters)
            parameters = optimizers.apply_updates(parameters, updates)
    curve = torch.stack(losses, dim=-1)
    below = curve < goal
    passed = below.any(dim=-1)
    return TinySetReport(curve, torch.where(passed, below.long().argmax(dim=-1), -1), passed)


def update_ratios(params: Tensors, updates: Tensors, run_axes: int = 0) -> dict[str, Float[Tensor, "*runs"]]:
    """Compare the size of a step with the size of what it changes.

    Equation, arguments and errors as in `dlnotes.numpy.babysitting.update_ratios`.
    """
    checks.same_names("updates", updates, "params", params)
    ratios = {}
    for name, w in params.items():
        checks.same_shape(f"updates[{name!r}]", updates[name], f"params[{name!r}]", w)
        length, step = (gradient_clipping.norm(precision.single(array), run_axes) for array in (w, updates[name]))
        ratios[name] = step / length
    return ratios
