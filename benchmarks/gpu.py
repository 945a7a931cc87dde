"""The table for a CUDA device: how near each kernel comes to the speed of a copy, and how it stands beside torch.

Ours are the functions of `dlnotes.torch`; those that are pure are compiled, which makes one pass of many. Inputs are
ten times as large as a large second-level cache. Every answer is compared with float64 first. The tests run the same
functions on the processor, small and not compiled.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from benchmarks import kernels, learning, nets, rows
from dlnotes import optimizers
from dlnotes.numpy import adaptive_methods, batch_normalization, momentum

COPY = "copy"
COPIED = 1 << 28  # numbers in float32: 1 GiB is read, and as much is written
SIZE = 1 << 27  # 512 MiB an array
SAMPLE = 1 << 14  # numbers that are compared
ROUNDED = 2e-5


def copy(device: str, size: int = COPIED) -> rows.Timed:
    """Copy a large array; a unit of work is a byte read or written."""
    import torch

    source = torch.randn(size, device=device)
    target = torch.empty_like(source)
    return rows.Timed(lambda: target.copy_(source), parts=8.0 * size)


def function(pure: Callable, compiled: bool) -> Callable:
    """Compile a pure function, if that is wanted."""
    import torch

    return torch.compile(pure) if compiled else pure


def normal(device: str, *shape: int, seed: int = 0) -> Any:
    """Draw normal numbers on the device."""
    import torch

    return torch.randn(shape, generator=torch.Generator(device).manual_seed(seed), device=device)


def sample(tensors: Iterable[Any]) -> tuple[np.ndarray, ...]:
    """Give the first numbers of some tensors."""
    return tuple(in_double(tensor) for tensor in tensors)


def in_double(tensor: Any) -> np.ndarray:
    """Give the first numbers of a tensor in float64."""
    return tensor.detach().reshape(-1)[:SAMPLE].cpu().double().numpy()


# Optimizers


def adam(size: int = SIZE, device: str = "cuda", compiled: bool = True, clipped: bool = False) -> rows.Case:
    """Take a step of Adam, with the gradient clipped or not."""
    import torch

    from dlnotes.torch import adaptive_methods as torch_adaptive
    from dlnotes.torch import gradient_clipping

    w, g, m = (normal(device, size, seed=seed) for seed in range(3))
    v = normal(device, size, seed=3).square_()
    limit = 0.5 * float(torch.linalg.vector_norm(g))
    optimizer = torch_adaptive.Adam(1e-3)
    state = torch_adaptive.AdamState(99, {"w": m}, {"w": v})

    def step(params: dict, grads: dict, before: Any) -> tuple:
        if clipped:
            grads = gradient_clipping.clip_by_global_norm(grads, limit)
        updates, after = optimizer.update(grads, before, params)
        return optimizers.apply_updates(params, updates), after

    ours = function(step, compiled)
    factor = 0.5 if clipped else 1.0
    reference = adam_in_double(*(in_double(tensor) for tensor in (w, g, m, v)), factor)
    name = "torch, clip_grad_norm_ and fused" if clipped else "torch, fused"
    return rows.Case(
        {
            rows.OURS: rows.Timed(
                lambda: ours({"w": w}, {"w": g}, state),
                lambda: adam_sample(w, *_moved(ours({"w": w}, {"w": g}, state))),
                tolerance=ROUNDED,
            ),
            name: torch_adam(w, g, m, v, limit if clipped else None),
        },
        reference=reference,
        traffic=(32.0 if clipped else 28.0) * size,
    )


def _moved(stepped: tuple) -> tuple:
    params, state = stepped
    return params["w"], state.mean["w"], state.mean_square["w"]


def adam_sample(before: Any, after: Any, mean: Any, mean_square: Any) -> tuple:
    """Give how far the first parameters went, and their averages."""
    return in_double(after) - in_double(before), in_double(mean), in_double(mean_square)


def adam_in_double(w: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray, factor: float) -> tuple:
    """Take the same step in float64 with the reference kernel."""
    state = adaptive_methods.AdamState(99, {"w": m}, {"w": v})
    updates, after = adaptive_methods.Adam(1e-3).update({"w": factor * g}, state, {"w": w})
    # The parameters themselves are kept in float32, which rounds where they went.
    moved = (w + updates["w"]).astype(np.float32).astype(np.float64) - w
    return (moved, after.mean["w"], after.mean_square["w"])


def torch_adam(w: Any, g: Any, m: Any, v: Any, limit: float | None) -> rows.Timed:
    """Take it with torch's fused Adam, after clipping if there is a limit."""
    import torch

    def fresh() -> tuple:
        leaf = w.clone().requires_grad_()
        leaf.grad = g.clone()
        optimizer = torch.optim.Adam([leaf], lr=1e-3, fused=True)
        step = torch.tensor(99.0, device=w.device)
        optimizer.state[leaf] = {"step": step, "exp_avg": m.clone(), "exp_avg_sq": v.clone()}
        return leaf, optimizer

    def run(leaf: Any, optimizer: Any) -> None:
        if limit is not None:
            torch.nn.utils.clip_grad_norm_([leaf], limit)
        optimizer.step()

    def answer() -> tuple:
        leaf, optimizer = fresh()
        run(leaf, optimizer)
        state = optimizer.state[leaf]
        return adam_sample(w, leaf, state["exp_avg"], state["exp_avg_sq"])

    kept = fresh()
    return rows.Timed(lambda: run(*kept), answer, tolerance=ROUNDED)


def momentum_step(size: int = SIZE, device: str = "cuda", compiled: bool = True) -> rows.Case:
    """Take a step with momentum."""
    import torch

    from dlnotes.torch import momentum as torch_momentum

    w, g, velocity = (normal(device, size, seed=seed) for seed in range(3))
    optimizer = torch_momentum.Momentum(0.1)
    state = torch_momentum.MomentumState(1, {"w": velocity})

    def step(params: dict, grads: dict, before: Any) -> tuple:
        updates, after = optimizer.update(grads, before, params)
        return optimizers.apply_updates(params, updates), after

    ours = function(step, compiled)

    def ours_answer() -> tuple:
        params, after = ours({"w": w}, {"w": g}, state)
        return sample([params["w"], after.velocity["w"]])

    def fresh() -> tuple:
        leaf = w.clone().requires_grad_()
        leaf.grad = g
        made = torch.optim.SGD([leaf], lr=0.1, momentum=0.9, fused=True)
        made.state[leaf]["momentum_buffer"] = velocity.clone()
        return leaf, made

    def fused_answer() -> tuple:
        leaf, made = fresh()
        made.step()
        return sample([leaf, made.state[leaf]["momentum_buffer"]])

    exact = {name: {"w": in_double(tensor)} for name, tensor in (("w", w), ("g", g), ("v", velocity))}
    updates, after = momentum.Momentum(0.1).update(exact["g"], momentum.MomentumState(1, exact["v"]), exact["w"])
    reference = (exact["w"]["w"] + updates["w"], after.velocity["w"])
    kept = fresh()[1]
    contestants = {
        rows.OURS: rows.Timed(lambda: ours({"w": w}, {"w": g}, state), ours_answer, tolerance=ROUNDED),
        "torch, fused": rows.Timed(kept.step, fused_answer, tolerance=ROUNDED),
    }
    return rows.Case(contestants, reference=reference, traffic=20.0 * size)


# Layers and losses


def cross_entropy(batch: int = 16_384, classes: int = 32_000, device: str = "cuda", compiled: bool = True) -> rows.Case:
    """Give loss and gradient of the cross-entropy."""
    import torch

    from dlnotes.torch import objective

    logits = normal(device, batch, classes)
    labels = torch.randint(0, classes, (batch,), device=device)
    ours = function(objective.cross_entropy_with_gradient, compiled)
    leaf = logits.clone().requires_grad_()

    def eager() -> tuple:
        leaf.grad = None
        loss = torch.nn.functional.cross_entropy(leaf, labels)
        loss.backward()
        return loss, leaf.grad

    def exact() -> tuple:
        """Give the loss in float64, some rows at a time, and the gradient of the first."""
        parts = zip(logits.split(256), labels.split(256), strict=True)
        losses = [torch.nn.functional.cross_entropy(z.double(), y, reduction="sum") for z, y in parts]
        gradient = torch.softmax(logits[:64].double(), -1)
        gradient -= torch.nn.functional.one_hot(labels[:64], classes)
        return torch.stack(losses).sum() / batch, gradient / batch

    return rows.Case(
        {
            rows.OURS: rows.Timed(
                lambda: ours(logits, labels), lambda: sample(ours(logits, labels)), tolerance=ROUNDED
            ),
            "torch": rows.Timed(eager, lambda: sample(eager()), tolerance=ROUNDED),
        },
        reference=sample(exact()),
        traffic=8.0 * batch * classes,
    )


def batch_norm(
    batch: int = 32_768, features: int = 4096, device: str = "cuda", compiled: bool = True, backward: bool = False
) -> rows.Case:
    """Run batch norm forward, or backward."""
    import torch

    from dlnotes.torch import batch_normalization as torch_normalization

    x, g = 3 + normal(device, batch, features), normal(device, batch, features, seed=1)
    scale, shift = 1 + normal(device, features, seed=2), normal(device, features, seed=3)
    leaves = [tensor.clone().requires_grad_() for tensor in (x, scale, shift)]
    forward = function(torch_normalization.batch_norm, compiled)
    back = function(torch_normalization.batch_norm_backward, compiled)
    cache = forward(x, scale, shift)[1]

    def theirs() -> Any:
        return torch.nn.functional.batch_norm(leaves[0], None, None, leaves[1], leaves[2], training=True)

    def first(tensor: Any) -> np.ndarray:
        return tensor.detach()[:, :4].cpu().double().numpy()

    parameters = [tensor[:4].cpu().double().numpy() for tensor in (scale, shift)]
    output, exact_cache = batch_normalization.batch_norm(first(x), *parameters)
    if backward:
        y = theirs()
        pair = (lambda: back(g, cache).x, lambda: torch.autograd.grad(y, leaves, g, retain_graph=True)[0])
        reference = batch_normalization.batch_norm_backward(first(g), exact_cache).x
    else:
        pair, reference = (lambda: forward(x, scale, shift)[0], theirs), output
    ours, torchs = (rows.Timed(run, lambda run=run: first(run()), tolerance=ROUNDED) for run in pair)
    traffic = (20.0 if backward else 12.0) * batch * features
    return rows.Case({rows.OURS: ours, "torch": torchs}, reference=reference, traffic=traffic)


def dropout(
    shape: tuple[int, ...] = (32_768, 4096), p: float = 0.5, device: str = "cuda", compiled: bool = True
) -> rows.Case:
    """Draw a mask, and take activations and a gradient through it."""
    import torch

    from dlnotes.torch import dropout as torch_dropout

    x, g = normal(device, *shape), normal(device, *shape, seed=1)
    leaf, generator = x.clone().requires_grad_(), torch.Generator(device).manual_seed(2)

    def both(activations: Any, gradient: Any, mask: Any) -> tuple:
        return torch_dropout.dropout(activations, mask, p), torch_dropout.dropout_backward(gradient, mask, p)

    through = function(both, compiled)

    def ours() -> tuple:
        return through(x, g, torch_dropout.dropout_mask(shape, generator, p))

    def eager() -> tuple:
        leaf.grad = None
        output = torch.nn.functional.dropout(leaf, p)
        output.backward(g)
        return output, leaf.grad

    def checked(run: Callable[[], tuple]) -> np.ndarray:
        parts = [tensor.detach().reshape(-1)[:SAMPLE].cpu().numpy() for tensor in (*run(), x, g)]
        return kernels.dropped_right(*parts, p)

    return rows.Case(
        {
            rows.OURS: rows.Timed(ours, lambda: checked(ours)),
            "torch": rows.Timed(eager, lambda: checked(eager)),
        },
        traffic=16.0 * x.numel(),
    )


# Many runs


class ManyRuns:
    """Networks with learning rates of their own, and momentum; a step of all of them is one CUDA graph."""

    def __init__(self, start: nets.Arrays, x: np.ndarray, y: np.ndarray, rates: np.ndarray, device: str):
        import torch

        from dlnotes.torch import momentum as torch_momentum

        self.start = {name: torch.from_numpy(value).to(device) for name, value in start.items()}
        self.x, self.y = torch.from_numpy(x).to(device), torch.from_numpy(y).to(device)
        self.optimizer = torch_momentum.Momentum(torch.from_numpy(rates).to(device))
        self.state = torch_momentum.MomentumState(1, {})
        self.params: dict = {}
        self.begin()
        self.step = self.capture() if device == "cuda" else self.body

    def begin(self) -> None:
        """Go back to the start, in the same memory."""
        import torch

        for name, value in self.start.items():
            self.params.setdefault(name, torch.empty_like(value)).copy_(value)
            self.state.velocity.setdefault(name, torch.empty_like(value)).zero_()

    def body(self) -> Any:
        """Take a step in place, and give the losses before it."""
        import torch

        from dlnotes.torch import network as torch_network

        with torch.no_grad():
            losses, gradients = torch_network.loss_and_gradient(self.params, self.x, self.y)
            self.optimizer.update_in_place(gradients, self.state, self.params)
        return losses

    def capture(self) -> Callable[[], Any]:
        """Record a step once, and give what replays it."""
        import torch

        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):  # a graph may only hold what has been set up before
                self.body()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            losses = self.body()

        def replay() -> Any:
            graph.replay()
            return losses

        return replay

    def answer(self, steps: int) -> np.ndarray:
        """Give the losses of the first steps."""
        self.begin()
        return np.stack([self.step().cpu().numpy().copy() for _ in range(steps)])


def runs_loop(
    start: nets.Arrays, x: np.ndarray, y: np.ndarray, rates: np.ndarray, device: str, steps: int
) -> rows.Timed:
    """Take a step in one network after the other."""
    import torch

    batch = [(torch.from_numpy(x).to(device), torch.from_numpy(y).to(device))]

    def fresh() -> list:
        made = [
            nets.module({name: value[run] for name, value in start.items()}).to(device) for run in range(len(rates))
        ]
        pairs = zip(made, rates, strict=True)
        return [(one, torch.optim.SGD(one.parameters(), lr=float(rate), momentum=0.9)) for one, rate in pairs]

    def step(pairs: list) -> Any:
        return torch.stack([learning.torch_losses(module, optimizer, batch) for module, optimizer in pairs])[:, 0]

    def answer() -> np.ndarray:
        pairs = fresh()
        return np.stack([step(pairs).cpu().numpy() for _ in range(steps)])

    kept = fresh()
    return rows.Timed(lambda: step(kept), answer, tolerance=1e-3)


def runs_vmap(
    start: nets.Arrays, x: np.ndarray, y: np.ndarray, rates: np.ndarray, device: str, steps: int
) -> rows.Timed:
    """Take a step in all networks with `torch.func.vmap`."""
    import torch

    loss = learning.stacked_loss(sorted({name.split(".")[0] for name in start}, key=int))
    gradient = torch.func.vmap(torch.func.grad_and_value(loss), in_dims=(0, None, None))
    inputs, targets = torch.from_numpy(x).to(device), torch.from_numpy(y).to(device)
    rate = torch.from_numpy(rates).to(device, torch.float32)

    def fresh() -> tuple[dict, dict]:
        made = {name: torch.from_numpy(value.copy()).to(device) for name, value in start.items()}
        return made, {name: torch.zeros_like(value) for name, value in made.items()}

    def step(params: dict, velocity: dict) -> Any:
        gradients, losses = gradient(params, inputs, targets)
        for name, value in params.items():
            velocity[name].mul_(0.9).add_(gradients[name])
            value.sub_(rate.reshape(-1, *[1] * (value.ndim - 1)) * velocity[name])
        return losses

    def answer() -> np.ndarray:
        params, velocity = fresh()
        return np.stack([step(params, velocity).cpu().numpy() for _ in range(steps)])

    kept = fresh()
    return rows.Timed(lambda: step(*kept), answer, tolerance=1e-3)


def many_runs(
    count: int = 512, sizes: tuple[int, ...] = (2, 32, 32, 2), batch: int = 32, device: str = "cuda", steps: int = 5
) -> rows.Case:
    """Take a training step in many small networks."""
    from dlnotes.numpy import network

    x, y = nets.blobs(batch, sizes[0], sizes[-1])
    start = network.initialize(sizes, np.random.default_rng(0), runs=(count,), dtype=np.float32)
    rates = np.geomspace(1e-4, 1e-2, count)
    ours = ManyRuns(start, x, y, rates, device)
    return rows.Case(
        {
            rows.OURS: rows.Timed(lambda: ours.step(), lambda: ours.answer(steps), tolerance=1e-3),
            "torch, loop": runs_loop(start, x, y, rates, device, steps),
            "torch.func.vmap": runs_vmap(start, x, y, rates, device, steps),
        }
    )


def _row(name: str, title: str, prepare: Callable[..., rows.Case], goals: dict[str, float], **more: Any) -> rows.Row:
    tiny = {"device": "cpu", "compiled": False} | more.pop("tiny")
    return rows.Row(f"gpu-{name}", "gpu", title, prepare, goals, tiny=tiny, clock="CUDA events", **more)


_NORM = {"batch": 9, "features": 5}
ROWS = (
    _row(
        "adam",
        "Adam, 134 million parameters",
        adam,
        {COPY: 0.92, "torch, fused": 1.0},
        tiny={"size": 100},
        note="At least 28 bytes a parameter move.",
    ),
    _row(
        "adam-clipped",
        "Adam after clipping the gradient's norm, 134 million parameters",
        functools.partial(adam, clipped=True),
        {"torch, clip_grad_norm_ and fused": 0.8},
        tiny={"size": 100},
        note="At least 32 bytes a parameter move, because the norm is known only after the gradient was read once.",
    ),
    _row(
        "momentum",
        "Momentum, 134 million parameters",
        momentum_step,
        {COPY: 0.92},
        tiny={"size": 100},
        note="At least 20 bytes a parameter move.",
    ),
    _row(
        "cross-entropy",
        "Cross-entropy, loss and gradient, 16 384 rows of 32 thousand classes",
        cross_entropy,
        {COPY: 0.88, "torch": 0.4},
        tiny={"batch": 6, "classes": 5},
        note="At least 8 bytes a logit move.",
    ),
    _row(
        "batch-norm-forward",
        "Batch norm forward, 32 768 by 4096",
        batch_norm,
        {COPY: 0.85, "torch": 0.8},
        tiny=_NORM,
        note="At least 12 bytes a number move.",
    ),
    _row(
        "batch-norm-backward",
        "Batch norm backward, 32 768 by 4096",
        functools.partial(batch_norm, backward=True),
        {COPY: 0.85, "torch": 0.8},
        tiny=_NORM,
        note="At least 20 bytes a number move.",
    ),
    _row(
        "dropout",
        "Dropout with p = 0.5, mask, forward and backward, 134 million numbers",
        dropout,
        {COPY: 0.9, "torch": 0.9},
        tiny={"shape": (50, 40)},
        note="At least 16 bytes a number move, if the seed is kept in place of the mask.",
        missed="our mask is an array, drawn once and kept, so that the same one can be shown, checked and used again; "
        "keeping the seed would save writing and reading it.",
    ),
    rows.Row(
        "gpu-many-runs",
        "gpu",
        "512 networks 2-32-32-2 with learning rates of their own, batch 32: one step with momentum",
        many_runs,
        {"torch, loop": 0.01, "torch.func.vmap": 1 / 3},
        tiny={"count": 3, "sizes": (2, 4, 2), "batch": 5, "device": "cpu", "steps": 3},
        note="Our step is recorded once as a CUDA graph and replayed.",
        clock="CUDA events",
    ),
)
