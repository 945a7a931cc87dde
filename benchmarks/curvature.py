"""Curvature: products with the Hessian, its largest eigenvalues, its spectrum, and gradients checked by differences."""

from __future__ import annotations

import functools
import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import loops, nets, rows
from dlnotes.numpy import conditioning, gradient_checking, network, objective

SMALL, MIDDLE, LARGE = (64, 128, 10), (784, 128, 10), (784, 768, 448, 10)
SEED = 100
EXACT = 1e-5  # what the errors of eigenvalues must not exceed


@functools.cache
def problem(sizes: tuple[int, ...], steps: int, batch: int) -> tuple[nets.Arrays, np.ndarray, np.ndarray]:
    """Give a network that was trained for some steps on digits, and the batch on which its loss is looked at.

    Without a step it has the weights of torch's layers, on noise: there the largest eigenvalues lie closest together.
    """
    if not steps:
        return nets.untrained(sizes), *nets.blobs(batch, sizes[0], sizes[-1], apart=0.0)
    x, y = nets.enlarged_digits(round(sizes[0] ** 0.5))
    return nets.trained(sizes, x, y, steps), x[:batch], y[:batch]


def in_double(parameters: nets.Arrays) -> nets.Arrays:
    """Give the same network in float64."""
    return {name: value.astype(np.float64) for name, value in parameters.items()}


def torch_gradient(parameters: nets.Arrays, x: np.ndarray, y: np.ndarray) -> tuple[Any, list, list]:
    """Give the torch module, its parameters and their gradients, with the graph that leads to them."""
    import torch

    module = nets.module(parameters)
    leaves = list(module.parameters())
    loss = torch.nn.functional.cross_entropy(module(torch.from_numpy(x)), torch.from_numpy(y))
    return module, leaves, list(torch.autograd.grad(loss, leaves, create_graph=True))


def pieces(vector: np.ndarray, leaves: list) -> list:
    """Cut a vector into tensors of the shapes of the parameters."""
    import torch

    ends = np.cumsum([leaf.numel() for leaf in leaves])[:-1]
    parts = np.split(vector, ends)
    return [torch.from_numpy(part.copy()).reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)]


# Products


def product(sizes: tuple[int, ...] = MIDDLE, steps: int = 100, batch: int = 128) -> rows.Case:
    """Multiply the Hessian by a vector."""
    parameters, x, y = problem(sizes, steps, batch)
    vector = np.random.default_rng(SEED).standard_normal(nets.count(parameters)).astype(np.float32)
    ours = conditioning.hessian_vector_product(parameters, x, y)
    contestants = {
        rows.OURS: rows.Timed(lambda: ours(vector)),
        "torch.func": torch_func_product(parameters, x, y, vector),
    }
    absent = {}
    for package, name, make in (
        ("pyhessian", "PyHessian", pyhessian_product),
        ("curvlinops", "curvlinops", curvlinops_product),
    ):
        if rows.is_installed(package):
            contestants[name] = make(parameters, x, y, vector)
        else:
            absent[name] = "not installed"
    return rows.Case(contestants, absent=absent)


def torch_func_product(parameters: nets.Arrays, x: np.ndarray, y: np.ndarray, vector: np.ndarray) -> rows.Timed:
    """Multiply by forward over reverse mode."""
    import torch

    module, inputs, targets = nets.module(parameters), torch.from_numpy(x), torch.from_numpy(y)
    point = {name: value.detach() for name, value in module.named_parameters()}
    direction = dict(zip(point, pieces(vector, list(point.values())), strict=True))

    def loss(values: dict) -> Any:
        return torch.nn.functional.cross_entropy(torch.func.functional_call(module, values, (inputs,)), targets)

    def run() -> dict:
        return torch.func.jvp(torch.func.grad(loss), (point,), (direction,))[1]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what torch loads for its first product warns of what torch is going to drop
        run()
    return rows.Timed(run, lambda: nets.flat(run().values()))


def pyhessian_product(parameters: nets.Arrays, x: np.ndarray, y: np.ndarray, vector: np.ndarray) -> rows.Timed:
    """Multiply as PyHessian does: backward through the graph of the gradient, which is kept."""
    from pyhessian import utils

    _, leaves, gradients = torch_gradient(parameters, x, y)
    direction = pieces(vector, leaves)

    def run() -> tuple:
        return utils.hessian_vector_product(gradients, leaves, direction)

    return rows.Timed(run, lambda: nets.flat(run()))


def curvlinops_product(parameters: nets.Arrays, x: np.ndarray, y: np.ndarray, vector: np.ndarray) -> rows.Timed:
    """Multiply with curvlinops' linear operator."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it imports warns of what torch is going to drop
        import curvlinops

    module = nets.module(parameters)
    data = [(torch.from_numpy(x), torch.from_numpy(y))]
    operator = curvlinops.HessianLinearOperator(
        module, torch.nn.CrossEntropyLoss(), list(module.parameters()), data, check_deterministic=False
    )
    direction = torch.from_numpy(vector)
    return rows.Timed(lambda: operator @ direction, lambda: (operator @ direction).detach().numpy())


# Eigenvalues


def starts(size: int) -> Callable[[], np.ndarray]:
    """Give a function that draws another start vector in each call."""
    seeds = itertools.count(SEED)
    return lambda: np.random.default_rng(next(seeds)).standard_normal(size).astype(np.float32)


@functools.cache
def true_eigenvalues(sizes: tuple[int, ...], steps: int, batch: int, count: int) -> np.ndarray:
    """Find the largest eigenvalues in float64, and let torch's own products confirm that they are eigenvalues."""
    import torch

    parameters, x, y = problem(sizes, steps, batch)
    exact, x = in_double(parameters), x.astype(np.float64)
    vector = np.random.default_rng(SEED - 1).standard_normal(nets.count(exact))
    found = conditioning.top_eigenvalues(
        conditioning.hessian_vector_product(exact, x, y), vector, count=count, tolerance=1e-10, steps=400
    )
    _, leaves, gradients = torch_gradient(exact, x, y)
    for value, eigenvector in zip(found.values, found.vectors, strict=True):
        image = torch.autograd.grad(gradients, leaves, pieces(eigenvector, leaves), retain_graph=True)
        if not rows.difference(nets.flat(image), value * eigenvector) <= 1e-3:
            raise rows.Disagreement(f"{value} is no eigenvalue for torch")
    return found.values


class Errors:
    """Keeps the worst relative error of what was computed while it was timed."""

    def __init__(self, truth: np.ndarray):
        self.truth, self.worst = truth, 0.0

    def of(self, values: Any) -> np.ndarray:
        """Take note of the errors, and give the values, the largest in magnitude first."""
        values = np.asarray(values, dtype=np.float64)
        values = values[np.argsort(-np.abs(values), kind="stable")]
        self.worst = max(self.worst, float(np.max(np.abs(values - self.truth) / np.abs(self.truth))))
        return values


def top_eigenvalues(
    sizes: tuple[int, ...], steps: int, tolerance: float = EXACT, batch: int = 128, count: int = 5
) -> rows.Case:
    """Find the five largest eigenvalues, each time from another start."""
    parameters, x, y = problem(sizes, steps, batch)
    truth = true_eigenvalues(sizes, steps, batch, count)
    ours, theirs, scipys = Errors(truth), Errors(truth), Errors(truth)
    start = starts(nets.count(parameters))

    def run() -> np.ndarray:
        multiply = conditioning.hessian_vector_product(parameters, x, y)
        return ours.of(conditioning.top_eigenvalues(multiply, start(), count=count, tolerance=tolerance).values)

    def facts() -> list[rows.Fact]:
        goal = tolerance if tolerance <= EXACT else None
        found = [rows.Fact(f"largest error, {rows.OURS}", ours.worst, goal)]
        peers = {"PyHessian": theirs.worst, "SciPy eigsh": scipys.worst}
        return found + [rows.Fact(f"largest error, {name}", worst) for name, worst in peers.items() if worst]

    contestants = {rows.OURS: rows.Timed(run, tolerance=max(100 * tolerance, 0.1) if tolerance > EXACT else 1e-3)}
    absent = {}
    if rows.is_installed("pyhessian"):
        contestants["PyHessian"] = pyhessian_eigenvalues(parameters, x, y, count, theirs)
    else:
        absent["PyHessian"] = "not installed"
    if rows.is_installed("scipy"):
        contestants["SciPy eigsh"] = scipy_eigenvalues(parameters, x, y, count, tolerance, scipys)
    else:
        absent["SciPy eigsh"] = "not installed"
    return rows.Case(contestants, truth, facts, absent=absent)


def scipy_eigenvalues(
    parameters: nets.Arrays, x: np.ndarray, y: np.ndarray, count: int, tolerance: float, errors: Errors
) -> rows.Timed:
    """Find them by ARPACK's restarted Lanczos method, with our products and from starts of the same kind."""
    from scipy.sparse import linalg

    size, start = nets.count(parameters), starts(nets.count(parameters))

    def run() -> np.ndarray:
        multiply = conditioning.hessian_vector_product(parameters, x, y)
        operator = linalg.LinearOperator((size, size), matvec=multiply, dtype=np.float32)
        found = linalg.eigsh(operator, k=count, v0=start(), tol=tolerance, return_eigenvectors=False)
        return errors.of(found)

    return rows.Timed(run, tolerance=max(100 * tolerance, 0.1) if tolerance > EXACT else 1e-3)


def pyhessian_computer(parameters: nets.Arrays, x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
    """Give a function that makes PyHessian ready: it runs the network forward and backward."""
    import pyhessian
    import torch

    module, data = nets.module(parameters), (torch.from_numpy(x), torch.from_numpy(y))
    seeds = itertools.count(SEED)

    def make() -> Any:
        torch.manual_seed(next(seeds))
        module.zero_grad(set_to_none=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of the cycle of references that PyHessian makes
            return pyhessian.hessian(module, torch.nn.CrossEntropyLoss(), data=data, cuda=False)

    return make


def pyhessian_eigenvalues(
    parameters: nets.Arrays, x: np.ndarray, y: np.ndarray, count: int, errors: Errors
) -> rows.Timed:
    """Find them by PyHessian's power iteration, with its own tolerance and number of steps."""
    make = pyhessian_computer(parameters, x, y)
    return rows.Timed(lambda: errors.of(make().eigenvalues(top_n=count)[0]), tolerance=0.2)


# Spectrum


def spectral_density(
    sizes: tuple[int, ...] = MIDDLE, steps: int = 100, batch: int = 128, taken: int = 100
) -> rows.Case:
    """Estimate the density of the eigenvalues from one random vector."""
    parameters, x, y = problem(sizes, steps, batch)
    seeds = itertools.count(SEED)

    def run(seed: int | None = None) -> conditioning.SpectralDensity:
        start = same_signs(parameters, next(seeds) if seed is None else seed)
        multiply = conditioning.hessian_vector_product(parameters, x, y)
        return conditioning.spectral_density(multiply, start[None], steps=taken)

    def answer() -> np.ndarray:
        found = run(SEED)
        return _moments(found.nodes, found.weights)

    contestants = {rows.OURS: rows.Timed(run, answer)}
    if not rows.is_installed("pyhessian"):
        return rows.Case(contestants, absent={"PyHessian": "not installed"})
    contestants["PyHessian"] = pyhessian_density(parameters, x, y, taken)
    return rows.Case(contestants)


def same_signs(parameters: nets.Arrays, seed: int) -> np.ndarray:
    """Draw the signs that PyHessian draws from this seed."""
    import torch

    torch.manual_seed(seed)
    drawn = [torch.randint(0, 2, value.shape, dtype=torch.float32) for value in parameters.values()]
    return nets.flat(drawn) * 2 - 1


def _moments(nodes: Any, weights: Any) -> np.ndarray:
    """Sum up a spectrum by the two ends of its nodes and its first two moments."""
    nodes, weights = (np.asarray(values, dtype=np.float64).reshape(-1) for values in (nodes, weights))
    return np.array([nodes.min(), nodes.max(), (weights * nodes).sum(), (weights * nodes * nodes).sum()])


def pyhessian_density(parameters: nets.Arrays, x: np.ndarray, y: np.ndarray, taken: int) -> rows.Timed:
    """Estimate it with PyHessian, which calls `torch.eig`; that is gone, and `torch.linalg.eigh` takes its place."""
    import torch

    def eig(matrix: Any, eigenvectors: bool) -> tuple[Any, Any]:
        values, vectors = torch.linalg.eigh(matrix)
        return values[:, None], vectors

    def run(make: Callable[[], Any]) -> tuple:
        computer = make()
        kept = getattr(torch, "eig", None)
        torch.eig = eig
        try:
            return computer.density(iter=taken)
        finally:
            if kept is not None:
                torch.eig = kept
            else:
                del torch.eig

    kept = pyhessian_computer(parameters, x, y)
    return rows.Timed(lambda: run(kept), lambda: _moments(*run(pyhessian_computer(parameters, x, y))), tolerance=1e-3)


# Gradients by differences


def gradient_check(sizes: tuple[int, ...] = (10, 30, 6), batch: int = 32) -> rows.Case:
    """Check the gradient of every parameter by centered differences, in float64."""
    x, y = nets.blobs(batch, sizes[0], sizes[-1])
    x = x.astype(np.float64)
    parameters = network.initialize(sizes, np.random.default_rng(0))
    gradients = network.loss_and_gradient(parameters, x, y).gradient

    def loss(values: nets.Arrays) -> np.ndarray:
        return objective.cross_entropy_with_gradient(network.forward(values, x)[0], y).loss

    def run() -> np.ndarray:
        found = gradient_checking.check_gradients(loss, parameters, gradients)
        return np.array([found.error < 1e-6, sum(value.size for value in parameters.values())])

    contestants = {
        rows.OURS: rows.Timed(run),
        "plain loop": plain_check(parameters, gradients, x, y),
        "torch gradcheck": torch_check(parameters, x, y),
    }
    return rows.Case(contestants)


def plain_check(parameters: nets.Arrays, gradients: nets.Arrays, x: np.ndarray, y: np.ndarray) -> rows.Timed:
    """Check it with the plain loop, one number at a time."""
    layers = loops.layers_of(parameters)
    arrays = [array for layer in layers for array in layer]

    def run() -> np.ndarray:
        errors = []
        for array, gradient in zip(arrays, gradients.values(), strict=True):
            numeric = loops.numerical_gradient(lambda: loops.loss(layers, x, y), array, 1e-5)
            errors.append(np.max(np.abs(numeric - gradient)) / np.max(np.abs(gradient)))
        return np.array([max(errors) < 1e-6, sum(array.size for array in arrays)])

    return rows.Timed(run)


def torch_check(parameters: nets.Arrays, x: np.ndarray, y: np.ndarray) -> rows.Timed:
    """Check torch's own gradient with torch's own check."""
    import torch

    module = nets.module(parameters)
    names, leaves = zip(*module.named_parameters(), strict=True)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)

    def loss(*values: Any) -> Any:
        scores = torch.func.functional_call(module, dict(zip(names, values, strict=True)), (inputs,))
        return torch.nn.functional.cross_entropy(scores, targets)

    def run() -> np.ndarray:
        fine = torch.autograd.gradcheck(loss, leaves, eps=1e-5, atol=1e-7, rtol=1e-6)
        return np.array([fine, sum(leaf.numel() for leaf in leaves)])

    return rows.Timed(run)


TABLE = "curvature"
_TINY = {"sizes": (64, 4, 10), "batch": 12, "steps": 3}
_TRAINED = (
    "PyHessian iterates until a value moves by less than 0.1 percent, as it does by default. Every call starts from "
    "another vector."
)
_SLOW = (
    "every step of Lanczos' method reads its whole basis twice to keep the vectors at right angles. That is what makes "
    "the errors hundreds of times smaller than those of PyHessian, which stops at its own tolerance."
)
_CLOSE = (
    "The largest eigenvalues of an untrained network lie close together. Power iteration then stops early and gives "
    "them with errors of percents; ours goes on until they are right."
)
_EQUAL = (
    "Ours is asked for no more than what PyHessian's own tolerance delivers: this is the fair comparison of the two."
)
ROWS = (
    rows.Row(
        "hessian-product",
        TABLE,
        "Hessian times vector, MLP 784-128-10 (102 thousand parameters), batch 128",
        product,
        goals={"PyHessian": 0.8},
        tiny=_TINY,
        note="Ours and PyHessian keep the passes that do not depend on the vector; curvlinops and torch.func run them "
        "anew.",
    ),
    rows.Row(
        "top-five-small",
        TABLE,
        "Five largest eigenvalues, 64-128-10 (9.6 thousand), after 300 steps",
        functools.partial(top_eigenvalues, sizes=SMALL, steps=300),
        goals={"PyHessian": 0.4},
        missed=_SLOW,
        tiny=_TINY,
        note=_TRAINED,
    ),
    rows.Row(
        "top-five-middle",
        TABLE,
        "Five largest eigenvalues, 784-128-10 (102 thousand), after 300 steps",
        functools.partial(top_eigenvalues, sizes=MIDDLE, steps=300),
        goals={"PyHessian": 0.4},
        missed=_SLOW,
        tiny=_TINY,
    ),
    rows.Row(
        "top-five-large",
        TABLE,
        "Five largest eigenvalues, 784-768-448-10 (952 thousand), after 100 steps",
        functools.partial(top_eigenvalues, sizes=LARGE, steps=100),
        goals={"PyHessian": 0.5},
        tiny=_TINY,
        missed=_SLOW,
    ),
    rows.Row(
        "top-five-untrained",
        TABLE,
        "Five largest eigenvalues, 784-128-10 (102 thousand), untrained, on noise",
        functools.partial(top_eigenvalues, sizes=MIDDLE, steps=0),
        tiny=_TINY,
        note=_CLOSE,
    ),
    rows.Row(
        "top-five-untrained-loose",
        TABLE,
        "The same with a tolerance of 1 percent, 784-128-10 (102 thousand), untrained, on noise",
        functools.partial(top_eigenvalues, sizes=MIDDLE, steps=0, tolerance=1e-2),
        tiny=_TINY,
        note=_EQUAL,
    ),
    rows.Row(
        "top-five-untrained-large",
        TABLE,
        "Five largest eigenvalues, 784-768-448-10 (952 thousand), untrained, on noise",
        functools.partial(top_eigenvalues, sizes=LARGE, steps=0),
        tiny=_TINY,
        note=_CLOSE,
    ),
    rows.Row(
        "top-five-untrained-large-loose",
        TABLE,
        "The same with a tolerance of 1 percent, 784-768-448-10 (952 thousand), untrained, on noise",
        functools.partial(top_eigenvalues, sizes=LARGE, steps=0, tolerance=1e-2),
        tiny=_TINY,
        note=_EQUAL,
    ),
    rows.Row(
        "spectral-density",
        TABLE,
        "Spectral density, 784-128-10 (102 thousand), 100 Lanczos steps from one vector",
        spectral_density,
        tiny=_TINY | {"taken": 10},
        note="PyHessian 0.1 calls torch.eig, which torch has dropped; it is given torch.linalg.eigh in its place.",
    ),
    rows.Row(
        "gradient-check",
        TABLE,
        "Gradient check of all 516 parameters of an MLP 10-30-6, batch 32, centered differences, float64",
        gradient_check,
        goals={"plain loop": 0.2},
        tiny={"sizes": (3, 4, 2), "batch": 5},
    ),
)
