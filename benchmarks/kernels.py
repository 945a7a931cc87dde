"""Single kernels: loss, dropout, batch norm, Adam, GELU, beside torch and the plain textbook code."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import loops, rows
from dlnotes import optimizers
from dlnotes.numpy import activations, adaptive_methods, batch_normalization, dropout, objective, training

NONE = np.zeros(0)  # the answer of a contestant that checks itself


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Draw normal numbers in float32."""
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def arrays(*parts: Any) -> tuple[np.ndarray, ...]:
    """Give numbers, arrays or tensors as arrays."""
    return tuple(np.asarray(part.detach() if hasattr(part, "detach") else part) for part in parts)


def cross_entropy(batch: int, classes: int) -> rows.Case:
    """Give loss and gradient of the cross-entropy."""
    import torch

    logits, labels = normal(batch, classes), np.random.default_rng(1).integers(0, classes, batch)
    leaf, targets = torch.from_numpy(logits.copy()).requires_grad_(), torch.from_numpy(labels)

    def eager() -> tuple:
        leaf.grad = None
        loss = torch.nn.functional.cross_entropy(leaf, targets)
        loss.backward()
        return loss, leaf.grad

    def ours() -> tuple:
        return objective.cross_entropy_with_gradient(logits, labels)

    def separate() -> tuple:
        return objective.cross_entropy(logits, labels), objective.cross_entropy_backward(1.0, logits, labels)

    def plain() -> tuple:
        return loops.cross_entropy(logits, labels)

    return rows.Case(
        {
            rows.OURS: rows.Timed(ours, lambda: arrays(*ours())),
            "torch": rows.Timed(eager, lambda: arrays(*eager())),
            "plain code": rows.Timed(plain, lambda: arrays(*plain())),
            "dlnotes, loss and gradient in two calls": rows.Timed(separate, lambda: arrays(*separate())),
        }
    )


def dropout_both_ways(shape: tuple[int, ...], p: float = 0.5, given: bool = False) -> rows.Case:
    """Draw a mask, and take activations and a gradient through it, into memory that is there already or not."""
    import torch

    x, gradient = normal(*shape), normal(*shape, seed=1)
    leaf, above = torch.from_numpy(x.copy()).requires_grad_(), torch.from_numpy(gradient)
    generator = np.random.default_rng(2)
    output, grad = (np.empty_like(x), np.empty_like(x)) if given else (None, None)

    def ours() -> tuple:
        mask = dropout.dropout_mask(shape, generator, p)
        return dropout.dropout(x, mask, p, out=output), dropout.dropout_backward(gradient, mask, p, out=grad)

    def eager() -> tuple:
        leaf.grad = None
        output = torch.nn.functional.dropout(leaf, p)
        output.backward(above)
        return output, leaf.grad

    def plain() -> tuple:
        return loops.dropout(x, gradient, p, generator)

    def checked(run: Callable[[], tuple]) -> Callable[[], np.ndarray]:
        return lambda: dropped_right(*arrays(*run()), x, gradient, p)

    return rows.Case(
        {
            rows.OURS: rows.Timed(ours, checked(ours)),
            "torch": rows.Timed(eager, checked(eager)),
            "plain code": rows.Timed(plain, checked(plain)),
        }
    )


def dropped_right(output: np.ndarray, grad: np.ndarray, x: np.ndarray, gradient: np.ndarray, p: float) -> np.ndarray:
    """Check what dropout gave: every number is 0 or scaled, in both directions alike, and the right share is kept."""
    kept = output != 0
    for found, given in ((output, x), (grad, gradient)):
        if not np.allclose(found, np.where(kept, given / (1 - p), 0), rtol=1e-5, atol=0):
            raise rows.Disagreement("dropout must give 0 or x / (1 - p), through one mask in both directions")
    deviations = abs(kept.mean() - (1 - p)) / (p * (1 - p) / x.size) ** 0.5
    if deviations > 5:
        raise rows.Disagreement(f"dropout keeps a share {deviations:.1f} standard deviations from 1 - p")
    return NONE


def batch_norm(batch: int, features: int) -> rows.Case:
    """Normalize a batch, and carry a gradient back."""
    import torch

    x, gradient = 3 + normal(batch, features), normal(batch, features, seed=1)
    scale, shift = 1 + normal(features, seed=2), normal(features, seed=3)
    leaves = [torch.from_numpy(array.copy()).requires_grad_() for array in (x, scale, shift)]
    above = torch.from_numpy(gradient)

    def ours() -> tuple:
        output, cache = batch_normalization.batch_norm(x, scale, shift)
        return output, *batch_normalization.batch_norm_backward(gradient, cache)

    def eager() -> tuple:
        for leaf in leaves:
            leaf.grad = None
        output = torch.nn.functional.batch_norm(leaves[0], None, None, leaves[1], leaves[2], training=True)
        output.backward(above)
        return output, *(leaf.grad for leaf in leaves)

    def plain() -> tuple:
        return loops.batch_norm(x, scale, shift, gradient)

    return rows.Case(
        {
            rows.OURS: rows.Timed(ours, lambda: arrays(*ours())),
            "torch": rows.Timed(eager, lambda: arrays(*eager())),
            "plain code": rows.Timed(plain, lambda: arrays(*plain())),
        }
    )


def adam(size: int, steps: int = 3) -> rows.Case:
    """Take a step of Adam in a vector of parameters."""
    start, gradient = normal(size), normal(size, seed=1)
    return rows.Case(
        {
            rows.OURS: rows.Timed(*loop_adam(start, gradient, steps)),
            "torch, fused": rows.Timed(*torch_adam(start, gradient, steps, fused=True)),
            "torch, default": rows.Timed(*torch_adam(start, gradient, steps, fused=False)),
            "plain code": rows.Timed(*plain_adam(start, gradient, steps)),
            "dlnotes, pure update": rows.Timed(*pure_adam(start, gradient, steps)),
        }
    )


Pair = tuple[Callable[[], Any], Callable[[], np.ndarray]]


def after(steps: int, step: Callable[[], Any], parameters: Callable[[], np.ndarray], start: np.ndarray) -> np.ndarray:
    """Take some steps, and say how far the parameters went."""
    for _ in range(steps):
        step()
    return parameters() - start


def loop_adam(start: np.ndarray, gradient: np.ndarray, steps: int) -> Pair:
    """Take the steps as the training loop takes them: in place, in pieces that fit in the cache."""

    def fresh() -> tuple[Callable[[], Any], np.ndarray]:
        chunk = types.SimpleNamespace(rows=start[None].copy(), grad_rows=gradient[None])
        return training._Part(adaptive_methods.Adam(1e-3), chunk, last=True).step, chunk.rows[0]

    def answer() -> np.ndarray:
        step, moved = fresh()
        return after(steps, step, lambda: moved, start)

    return fresh()[0], answer


def pure_adam(start: np.ndarray, gradient: np.ndarray, steps: int) -> Pair:
    """Take the steps as the formula reads: every line makes a new array."""
    optimizer, grads = adaptive_methods.Adam(1e-3), {"weight": gradient}

    def fresh() -> dict:
        parameters = {"weight": start}
        return {"parameters": parameters, "state": optimizer.init(parameters)}

    def step(at: dict) -> None:
        updates, at["state"] = optimizer.update(grads, at["state"], at["parameters"])
        at["parameters"] = optimizers.apply_updates(at["parameters"], updates)

    def answer() -> np.ndarray:
        at = fresh()
        return after(steps, lambda: step(at), lambda: at["parameters"]["weight"], start)

    kept = fresh()
    return lambda: step(kept), answer


def plain_adam(start: np.ndarray, gradient: np.ndarray, steps: int) -> Pair:
    """Take the steps with the plain textbook code."""

    def fresh() -> tuple[Callable[[], None], np.ndarray]:
        moved = start.copy()
        optimizer = loops.Adam([moved], 1e-3)
        return lambda: optimizer.update([moved], [gradient]), moved

    def answer() -> np.ndarray:
        step, moved = fresh()
        return after(steps, step, lambda: moved, start)

    return fresh()[0], answer


def torch_adam(start: np.ndarray, gradient: np.ndarray, steps: int, fused: bool) -> Pair:
    """Take the steps with torch's Adam."""
    import torch

    def fresh() -> tuple[Callable[[], Any], Any]:
        leaf = torch.from_numpy(start.copy()).requires_grad_()
        leaf.grad = torch.from_numpy(gradient)
        return torch.optim.Adam([leaf], lr=1e-3, fused=fused).step, leaf

    def answer() -> np.ndarray:
        step, leaf = fresh()
        return after(steps, step, lambda: leaf.detach().numpy(), start)

    return fresh()[0], answer


def gelu(size: int, approximate: str = "tanh") -> rows.Case:
    """Apply GELU."""
    import torch

    x = normal(size)
    tensor = torch.from_numpy(x)
    contestants = {
        rows.OURS: rows.Timed(lambda: activations.gelu(x, approximate)),
        "torch": rows.Timed(lambda: torch.nn.functional.gelu(tensor, approximate=approximate)),
    }
    if approximate == "tanh":
        contestants["plain code, with its cube"] = rows.Timed(lambda: loops.gelu(x))
    return rows.Case(contestants)


TABLE = "kernels"
ROWS = (
    rows.Row(
        "cross-entropy-narrow",
        TABLE,
        "Cross-entropy, loss and gradient, 4096 rows of 10 classes",
        functools.partial(cross_entropy, batch=4096, classes=10),
        goals={"torch": 0.2},
        tiny={"batch": 7, "classes": 3},
        missed="on a processor without AVX-512 NumPy's exponentials, and turning the block so that a class lies in "
        "one row, take longer than the goal by themselves.",
    ),
    rows.Row(
        "cross-entropy-wide",
        TABLE,
        "Cross-entropy, loss and gradient, 512 rows of 32 thousand classes",
        functools.partial(cross_entropy, batch=512, classes=32_000),
        goals={"torch": 0.2},
        tiny={"batch": 5, "classes": 70},
        missed="on a processor without AVX-512 NumPy's exponentials, and fresh memory for the gradient, take longer "
        "than the goal by themselves.",
    ),
    rows.Row(
        "dropout",
        TABLE,
        "Dropout with p = 0.5, mask, forward and backward, 8.4 million numbers",
        functools.partial(dropout_both_ways, shape=(4096, 2048)),
        goals={"torch": 0.1},
        tiny={"shape": (40, 30)},
        missed="every call asks the system for fresh memory for mask, activations and gradient, and on a virtual "
        "machine the first touch of each page costs as much as the arithmetic. The next row is without that.",
    ),
    rows.Row(
        "dropout-given-memory",
        TABLE,
        "The same, written into memory that was used before (out=)",
        functools.partial(dropout_both_ways, shape=(4096, 2048), given=True),
        goals={"torch": 0.1},
        tiny={"shape": (40, 30)},
        missed="the ratio lies at the goal, and its rounds on both sides of it.",
    ),
    rows.Row(
        "batch-norm-small",
        TABLE,
        "Batch norm, forward and backward, 128 by 512",
        functools.partial(batch_norm, batch=128, features=512),
        tiny={"batch": 6, "features": 4},
    ),
    rows.Row(
        "batch-norm-large",
        TABLE,
        "Batch norm, forward and backward, 4096 by 1024",
        functools.partial(batch_norm, batch=4096, features=1024),
        tiny={"batch": 7, "features": 5},
    ),
    rows.Row(
        "adam",
        TABLE,
        "Adam, one step of 10 million parameters",
        functools.partial(adam, size=10_000_000),
        tiny={"size": 100},
        note="Ours is the step of the training loop. The pure update is the function that the chapter shows.",
    ),
    rows.Row(
        "gelu-tanh",
        TABLE,
        "GELU by tanh, forward, 4.2 million numbers",
        functools.partial(gelu, size=1 << 22),
        tiny={"size": 50},
    ),
    rows.Row(
        "gelu-exact",
        TABLE,
        "GELU, exact, forward, 4.2 million numbers",
        functools.partial(gelu, size=1 << 22, approximate="none"),
        tiny={"size": 50},
    ),
)
