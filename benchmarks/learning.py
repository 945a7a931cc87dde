"""Training: many networks at once, a whole sweep, and single steps, beside loops over networks."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import loops, nets, rows
from dlnotes.numpy import adaptive_methods, network, training
from dlnotes.numpy import many_runs as axes_of_runs

ROOT = Path(__file__).resolve().parent.parent
RATE = 1e-3
ROUNDED = 2e-3  # what rounding in float32 does to losses after some steps of Adam, whose first steps divide by |g|


def torch_losses(module: Any, optimizer: Any, batches: Iterable) -> Any:
    """Take a step on each batch, and give the loss before each, as a tensor."""
    import torch

    losses = []
    for x, y in batches:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(module(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def torch_steps(module: Any, optimizer: Any, batches: Iterable) -> np.ndarray:
    """Give the same as an array."""
    return torch_losses(module, optimizer, batches).numpy()


def same_batch(x: np.ndarray, y: np.ndarray, steps: int) -> list:
    """Give one batch as often as there are steps."""
    import torch

    return [(torch.from_numpy(x), torch.from_numpy(y))] * steps


def torch_loop(starts: list[nets.Arrays], x: np.ndarray, y: np.ndarray, steps: int) -> rows.Timed:
    """Train networks one by one in torch, with fused Adam."""
    import torch

    batches = same_batch(x, y, steps)

    def fresh() -> list:
        made = [nets.module(start) for start in starts]
        return [(one, torch.optim.Adam(one.parameters(), lr=RATE, fused=True)) for one in made]

    def run(pairs: list) -> np.ndarray:
        return np.stack([torch_steps(module, optimizer, batches) for module, optimizer in pairs])

    kept = fresh()
    return rows.Timed(lambda: run(kept), lambda: run(fresh()), parts=steps, tolerance=ROUNDED)


def plain_loop(starts: list[nets.Arrays], x: np.ndarray, y: np.ndarray, steps: int) -> rows.Timed:
    """Train networks one by one with the plain textbook loop."""

    def fresh() -> list:
        made = [loops.layers_of(start) for start in starts]
        return [(layers, loops.Adam([array for layer in layers for array in layer], RATE)) for layers in made]

    def run(pairs: list) -> np.ndarray:
        return np.stack([loops.train(layers, optimizer, x, y, steps) for layers, optimizer in pairs])

    kept = fresh()
    return rows.Timed(lambda: run(kept), lambda: run(fresh()), parts=steps, tolerance=ROUNDED)


def stacked_loss(names: list[str]) -> Callable:
    """Give the loss of one network with layers of these names, as a function that `torch.func` maps over many."""
    import torch

    def loss(parameters: dict, x: Any, y: Any) -> Any:
        for number, name in enumerate(names):
            x = torch.relu(x) if number else x
            x = torch.nn.functional.linear(x, parameters[f"{name}.weight"], parameters[f"{name}.bias"])
        return torch.nn.functional.cross_entropy(x, y)

    return loss


def torch_vmap(start: nets.Arrays, x: np.ndarray, y: np.ndarray, steps: int, compiled: bool) -> rows.Timed:
    """Train all networks at once in torch: the gradient mapped over them, and fused Adam on the stacked weights."""
    import torch

    loss = stacked_loss(network.layer_names(start))
    gradient = torch.func.vmap(torch.func.grad_and_value(loss), in_dims=(0, None, None))
    gradient = torch.compile(gradient) if compiled else gradient
    batches = same_batch(x, y, steps)

    def fresh() -> tuple:
        stacked = {name: torch.from_numpy(value.copy()) for name, value in start.items()}
        return stacked, torch.optim.Adam(stacked.values(), lr=RATE, fused=True)

    def run(stacked: dict, optimizer: Any) -> np.ndarray:
        losses = []
        for inputs, targets in batches:
            gradients, value = gradient(stacked, inputs, targets)
            for name, tensor in stacked.items():
                tensor.grad = gradients[name]
            optimizer.step()
            losses.append(value)
        return torch.stack(losses, dim=-1).numpy()

    kept = fresh()
    return rows.Timed(lambda: run(*kept), lambda: run(*fresh()), parts=steps, tolerance=ROUNDED)


def ours(start: nets.Arrays, x: np.ndarray, y: np.ndarray, steps: int, runs: tuple[int, ...]) -> rows.Timed:
    """Train all networks at once with the loop of the book; setting it up is in the time."""
    optimizer = adaptive_methods.Adam(RATE)

    def run() -> np.ndarray:
        return training.train(start, x, y, optimizer, steps=steps, runs=runs).losses

    return rows.Timed(run, parts=steps)


def compiles() -> str:
    """Say why torch.compile does not work here; nothing where it does."""
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.compile(lambda x: x + 1)(torch.zeros(2))
    except Exception as error:  # a compiler may be missing or too old, each in its own words
        return f"torch.compile does not work here ({type(error).__name__})"
    return ""


def many_runs(
    count: int = 64, sizes: tuple[int, ...] = (2, 32, 32, 2), batch: int = 32, steps: int = 25, compiled: bool = True
) -> rows.Case:
    """Take a training step in many small networks."""
    x, y = nets.blobs(batch, sizes[0], sizes[-1])
    start = network.initialize(sizes, np.random.default_rng(0), runs=(count,), dtype=np.float32)
    starts = [{name: value[run] for name, value in start.items()} for run in range(count)]
    contestants = {
        rows.OURS: ours(start, x, y, steps, (count,)),
        "torch, loop": torch_loop(starts, x, y, steps),
        "torch.func.vmap": torch_vmap(start, x, y, steps, compiled=False),
        "plain loop": plain_loop(starts, x, y, steps),
    }
    why = compiles() if compiled else "not asked for"
    if not why:
        contestants["torch.func.vmap, compiled"] = torch_vmap(start, x, y, steps, compiled=True)
    return rows.Case(contestants, absent={"torch.func.vmap, compiled": why} if why else {})


def one_step(sizes: tuple[int, ...], batch: int, steps: int) -> rows.Case:
    """Take a training step in one network."""
    x, y = nets.blobs(batch, sizes[0], sizes[-1])
    start = network.initialize(sizes, np.random.default_rng(0), dtype=np.float32)
    contestants = {
        rows.OURS: our_step(sizes, batch, steps),
        "torch, fused Adam": _single(torch_loop([start], x, y, steps)),
        "plain loop": _single(plain_loop([start], x, y, steps)),
    }
    if rows.is_installed("sklearn"):
        return rows.Case(contestants | {"scikit-learn": sklearn_steps(start, x, y, steps)})
    return rows.Case(contestants, absent={"scikit-learn": "not installed"})


# In a process of its own: a library for linear algebra picks its kernel while it is loaded.
ALONE = """
import json, time
from benchmarks import learning
run = learning.our_step({sizes}, {batch}, {steps}).run
answer, begun = run().tolist(), time.process_time()
for _ in range({calls}):
    run()
print(json.dumps([time.process_time() - begun, answer]))
"""


def our_step(sizes: tuple[int, ...], batch: int, steps: int) -> rows.Timed:
    """Take a training step in one network with the loop of the book."""
    x, y = nets.blobs(batch, sizes[0], sizes[-1])
    return ours(network.initialize(sizes, np.random.default_rng(0), dtype=np.float32), x, y, steps, ())


def widest_kernel() -> dict[str, str]:
    """Give the setting under which OpenBLAS takes the kernel for AVX-512, where the processor has it."""
    path = Path("/proc/cpuinfo")
    wide = path.is_file() and " avx512dq " in path.read_text("utf-8", errors="replace")
    return {"OPENBLAS_CORETYPE": "SkylakeX"} if wide else {}


def one_step_wide(sizes: tuple[int, ...], batch: int, steps: int, calls: int = 20) -> rows.Case:
    """Take a training step in one network, ours with the widest kernel of OpenBLAS."""
    program = ALONE.format(sizes=sizes, batch=batch, steps=steps, calls=calls)

    def alone() -> list:
        settings = os.environ | widest_kernel()
        command = [sys.executable, "-c", program]
        ran = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, check=True)
        return json.loads(ran.stdout)

    case = one_step(sizes, batch, steps)
    timed = rows.Timed(lambda: alone()[0], lambda: np.array(alone()[1]), parts=calls * steps, gives_seconds=True)
    return case._replace(contestants={**case.contestants, rows.OURS: timed})


def _single(timed: rows.Timed) -> rows.Timed:
    """Take off the axis of runs of the answer."""
    return timed._replace(answer=lambda: timed.answer()[0])


def sklearn_steps(start: nets.Arrays, x: np.ndarray, y: np.ndarray, steps: int) -> rows.Timed:
    """Train with scikit-learn, which does not let one say where to start: the weights are put in place afterwards."""
    from sklearn.neural_network import MLPClassifier

    layers = loops.layers_of(start)
    classes = np.arange(len(layers[-1][1]))

    def fresh() -> Any:
        hidden = tuple(len(bias) for _, bias in layers[:-1])
        made = MLPClassifier(hidden, alpha=0.0, batch_size=len(x), learning_rate_init=RATE, shuffle=False)
        made.partial_fit(x, y, classes=classes)
        for i, (weight, bias) in enumerate(layers):
            made.coefs_[i][...], made.intercepts_[i][...] = weight.T, bias
        optimizer = made._optimizer
        optimizer.t = 0
        for average in (*optimizer.ms, *optimizer.vs):
            average[...] = 0
        return made

    def run(model: Any) -> np.ndarray:
        losses = []
        for _ in range(steps):
            model.partial_fit(x, y)
            losses.append(model.loss_)
        return np.array(losses)

    kept = fresh()
    return rows.Timed(lambda: run(kept), lambda: run(fresh()), parts=steps, tolerance=ROUNDED)


class Sweep:
    """Seeds and learning rates in a grid, from drawing the weights to the last step."""

    def __init__(self, seeds: int, rates: int, sizes: tuple[int, ...], examples: int, batch: int, steps: int):
        self.runs, self.sizes, self.batch, self.steps = (seeds, rates), sizes, batch, steps
        self.x, self.y = nets.blobs(examples, sizes[0], sizes[-1])
        self.rates = np.geomspace(1e-4, 1e-2, rates)

    def ours(self) -> tuple[nets.Arrays, np.ndarray]:
        """Train the whole grid, and give where it began and its losses."""
        start = network.initialize(self.sizes, np.random.default_rng(0), runs=self.runs, dtype=np.float32)
        optimizer = adaptive_methods.Adam(np.broadcast_to(self.rates, self.runs).copy())
        options = {"steps": self.steps, "batch_size": self.batch, "generator": np.random.default_rng(1)}
        return start, training.train(start, self.x, self.y, optimizer, runs=self.runs, **options).losses

    def ours_alone(self, start: nets.Arrays, run: tuple[int, int]) -> np.ndarray:
        """Train one run of the grid without the others."""
        generator = axes_of_runs.generators(np.random.default_rng(1), self.runs)[run]
        parameters = {name: value[run] for name, value in start.items()}
        options = {"steps": self.steps, "batch_size": self.batch, "generator": generator}
        optimizer = adaptive_methods.Adam(float(self.rates[run[1]]))
        return training.train(parameters, self.x, self.y, optimizer, **options).losses

    def answer(self) -> np.ndarray:
        """Give the losses of the first seed's first steps, if runs alone give the same to the bit."""
        start, losses = self.ours()
        for run in {(0, 0), (0, len(self.rates) - 1), (self.runs[0] - 1, len(self.rates) // 2)}:
            if not np.array_equal(self.ours_alone(start, run), losses[run]):
                raise rows.Disagreement(f"run {run} alone differs from the same run in the grid")
        return losses[0, :, : self.steps // 4]

    def torch(self, start: Callable[[int], nets.Arrays], orders: Callable[[int], Iterator]) -> np.ndarray:
        """Train the first seed's runs one by one in torch, with the default Adam."""
        import torch

        x, y = torch.from_numpy(self.x), torch.from_numpy(self.y)
        losses = []
        for number, rate in enumerate(self.rates):
            module = nets.module(start(number))
            optimizer = torch.optim.Adam(module.parameters(), lr=rate)
            losses.append(torch_steps(module, optimizer, self._batches(x, y, orders(number))))
        return np.stack(losses)

    def _batches(self, x: Any, y: Any, orders: Iterator) -> Iterator:
        order, position = None, len(x)
        for _ in range(self.steps):
            if position >= len(x):
                order, position = next(orders), 0
            batch = order[position : position + self.batch]
            position += self.batch
            yield x[batch], y[batch]

    def torch_timed(self) -> np.ndarray:
        """Train from weights and in orders drawn on the way."""
        import torch

        def start(number: int) -> nets.Arrays:
            return network.initialize(self.sizes, np.random.default_rng(number), dtype=np.float32)

        def orders(number: int) -> Iterator:
            return iter(functools.partial(torch.randperm, len(self.x)), None)

        return self.torch(start, orders)

    def torch_answer(self) -> np.ndarray:
        """Train from the weights and in the orders of our grid."""
        import torch

        start, _ = self.ours()
        generators = axes_of_runs.generators(np.random.default_rng(1), self.runs)

        def orders(number: int) -> Iterator:
            while True:
                yield torch.from_numpy(generators[0, number].permutation(len(self.x)))

        found = self.torch(lambda number: {name: value[0, number] for name, value in start.items()}, orders)
        return found[:, : self.steps // 4]


def sweep(
    seeds: int = 64,
    rates: int = 8,
    sizes: tuple[int, ...] = (2, 32, 32, 2),
    examples: int = 512,
    batch: int = 32,
    steps: int = 200,
) -> rows.Case:
    """Train a grid of seeds and learning rates from end to end."""
    made = Sweep(seeds, rates, sizes, examples, batch, steps)
    return rows.Case(
        {
            rows.OURS: rows.Timed(made.ours, made.answer),
            "torch, loop, default Adam": rows.Timed(
                made.torch_timed, made.torch_answer, parts=1 / seeds, tolerance=ROUNDED
            ),
        }
    )


TABLE = "training"
ROWS = (
    rows.Row(
        "many-runs",
        TABLE,
        "64 networks 2-32-32-2 at once, batch 32: one training step of all of them",
        many_runs,
        goals={"torch, loop": 1 / 12},
        tiny={"count": 3, "sizes": (2, 4, 2), "batch": 5, "steps": 4, "compiled": False},
        note="25 steps a call. Adam is fused in every torch peer; a loop over networks takes one after the other.",
    ),
    rows.Row(
        "sweep",
        TABLE,
        "64 seeds by 8 learning rates, 200 steps of 2-32-32-2 on batches of 32 out of 512, end to end",
        sweep,
        goals={"torch, loop, default Adam": 1 / 18},
        tiny={"seeds": 2, "rates": 3, "sizes": (2, 4, 2), "examples": 16, "batch": 8, "steps": 8},
        note="The loop in torch trains one seed with all eight rates, and its time is multiplied by 64. Three runs of "
        "the grid are trained alone and must give the same losses to the bit.",
    ),
    rows.Row(
        "small-step",
        TABLE,
        "MLP 20-64-64-10, batch 32: one training step with Adam",
        functools.partial(one_step, sizes=(20, 64, 64, 10), batch=32, steps=500),
        goals={"torch, fused Adam": 0.35},
        tiny={"steps": 5},
        note="500 steps a call.",
        missed="a step of so small a network is about seventy calls of NumPy, each as dear to begin as to do. The next "
        "row shows what the choice of the BLAS kernel costs.",
    ),
    rows.Row(
        "small-step-wide",
        TABLE,
        "The same, ours with the BLAS kernel for AVX-512 where the processor has it",
        functools.partial(one_step_wide, sizes=(20, 64, 64, 10), batch=32, steps=500),
        goals={"torch, fused Adam": 0.35},
        tiny={"steps": 5, "calls": 1},
        note="NumPy's wheel may pick a slower kernel than the processor allows; OPENBLAS_CORETYPE=SkylakeX asks for "
        "this one. Ours runs in a process of its own, because the kernel is picked while NumPy is loaded.",
    ),
    rows.Row(
        "large-step",
        TABLE,
        "MLP 784-512-512-10, batch 128: one training step with Adam",
        functools.partial(one_step, sizes=(784, 512, 512, 10), batch=128, steps=3),
        tiny={"sizes": (30, 20, 10), "batch": 8, "steps": 3},
        note="Matrix products take nearly all of the time, so the ratio mostly says which BLAS kernel multiplies.",
    ),
)
