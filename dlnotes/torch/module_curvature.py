"""The curvature of the loss of any module of yours over batches of data: eigenvalues, sharpness, spectral density.

Products with the Hessian come from autograd and are summed over the batches; Lanczos' method of `conditioning` does the
rest. Only torch has this: NumPy has neither modules nor autograd.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from dlnotes import checks
from dlnotes.torch import conditioning

Loss = Callable[[Tensor, Tensor], Tensor]
_AGAIN = 1e-3  # by what share two values of the same loss may differ: a GPU adds in another order each time


class Spectrum(NamedTuple):
    """The eigenvalues that are largest in magnitude, and the density of all."""

    eigenvalues: conditioning.Eigenvalues
    density: conditioning.SpectralDensity


class Sharpness(NamedTuple):
    """The largest eigenvalue, the length of `H v - lambda v`, and the products that were taken."""

    value: float
    residual: float
    products: int


def variables(module: torch.nn.Module) -> dict[str, Tensor]:
    """Give the parameters that are the variables of the loss: those that require a gradient, by name.

    Args:
        module: Any module.

    Returns:
        A dictionary in the order of `named_parameters()`, which is the order of the entries of eigenvectors.
        `conditioning.unflatten` reads a vector by it.

    Raises:
        TypeError: If `module` is no module, or a parameter is complex.
        ValueError: If no parameter requires a gradient.

    Source: definition.
    """
    checks.instance("module", module, torch.nn.Module, "a torch.nn.Module")
    found = {name: value for name, value in module.named_parameters() if value.requires_grad}
    checks.integer("the number of parameters of module that require a gradient", len(found), at_least=1)
    return {name: checks.floating(f"the parameter {name} of module", value) for name, value in found.items()}


def _pairs(module: torch.nn.Module, batches: Iterable) -> Iterator[tuple[Tensor, Tensor]]:
    """Give inputs and targets of each batch, where the module is."""
    device = next(iter(variables(module).values())).device
    for number, batch in enumerate(batches):
        checks.instance(f"batch {number} of batches", batch, (tuple, list), "a pair of inputs and targets")
        checks.integer(f"the length of batch {number} of batches", len(batch), at_least=2, at_most=2)
        for part in batch:
            checks.instance(f"a part of batch {number} of batches", part, Tensor, "a tensor")
        inputs, targets = (part.to(device) for part in batch)
        yield (
            checks.axis(f"the inputs of batch {number} of batches", inputs, 0, at_least=1, described="example"),
            targets,
        )


def _check(module: torch.nn.Module, loss: Loss, batches: Iterable) -> None:
    """Refuse what has no one Hessian: a loss that changes from call to call, data that can be read only once."""
    training = [name or "the module itself" for name, part in module.named_modules() if part.training]
    if training:
        raise ValueError(
            f"module must be in evaluation mode, as after module.eval(), got {training[0]} in training mode"
        )
    checks.instance("batches", batches, Iterable, "something to go through again and again, such as a list")
    if iter(batches) is batches:
        raise ValueError(f"batches must be something to go through again and again, got a {type(batches).__name__}")
    first = next(_pairs(module, batches), None)
    if first is None:
        raise ValueError("batches must be at least one batch, got none")
    with torch.no_grad():
        values = [float(checks.rank("loss()", loss(module(first[0]), first[1]), exactly=0)) for _ in range(2)]
    if abs(values[0] - values[1]) > _AGAIN * max(map(abs, values)):
        raise ValueError(f"loss must be the same for the same batch, got {values[0]} and {values[1]}")


def hessian_product(
    module: torch.nn.Module,
    loss: Loss,
    batches: Iterable[tuple[Tensor, Tensor]],
    *,
    progress: Callable[[int], object] | None = None,
) -> conditioning.Product:
    """Give the function that multiplies the Hessian of the mean loss over all batches by a vector, exactly.

        H v = sum_b (n_b / N) H_b v,    N = sum_b n_b

    with H_b the Hessian of the loss of batch b, of n_b examples. A product reads all batches once and keeps the graph
    of one at a time.

    Args:
        module: In evaluation mode, all its parts: in training mode dropout draws anew in every call, and batch
            normalization makes an example's loss depend on its batch and moves its running statistics. Frozen
            parameters (`requires_grad=False`) are constants. Nothing of the module is changed, `grad` neither.
        loss: Takes the module's outputs and the targets of a batch and gives the mean over its examples. A mean that
            weights examples, by class for instance, is not the mean over all batches.
        batches: Pairs of inputs and targets, with the examples along the first axis; they are taken to the module's
            device. A list or a DataLoader, which may shuffle but must not change the examples.
        progress: Is called after each product with the number of products so far.

    Returns:
        A function of vectors of shape (*runs, size), ordered as `variables`, that gives the products. The vectors may
        be wider than the parameters: float64 for a net in float32 adds up the batches in float64.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the module is in training mode or has nothing to vary, the batches can be read only once, or the
            loss is not one number or not the same when it is computed again.

    Source: Pearlmutter (1994).
    """
    size = sum(value.numel() for value in variables(module).values())
    _check(module, loss, batches)
    taken = 0

    def product(vector: Tensor) -> Tensor:
        nonlocal taken
        checks.last_axes("vector", checks.floating("vector", vector), size, of="the module has parameters")
        total, examples = torch.zeros_like(vector), 0
        for inputs, targets in _pairs(module, batches):

            def of_batch(inputs: Tensor = inputs, targets: Tensor = targets) -> Tensor:
                return loss(module(inputs), targets)

            total += len(inputs) * conditioning.module_hessian_vector_product(module, of_batch)(vector)
            examples += len(inputs)
        taken += 1
        if progress is not None:
            progress(taken)
        return total / examples

    return product


def _start(module: torch.nn.Module, generator: torch.Generator) -> Tensor:
    """Draw a start vector, in the widest dtype of the variables and at least float32."""
    checks.instance("generator", generator, torch.Generator, "a torch Generator")
    values = list(variables(module).values())
    dtype = functools.reduce(torch.promote_types, [value.dtype for value in values], torch.float32)
    size = sum(value.numel() for value in values)
    return torch.randn(size, generator=generator, device=generator.device, dtype=dtype).to(values[0].device)


def spectrum(
    module: torch.nn.Module,
    loss: Loss,
    batches: Iterable[tuple[Tensor, Tensor]],
    generator: torch.Generator,
    *,
    count: int = 5,
    tolerance: float = 1e-3,
    steps: int = 100,
    probes: int = 1,
    width: float | None = None,
    progress: Callable[[int], object] | None = None,
) -> Spectrum:
    """Find the extreme eigenvalues of a module's loss and the density of all, by one call.

    The memory is that of `steps` copies of the parameters for each probe.

    Args:
        module: As in `hessian_product`.
        loss: As in `hessian_product`.
        batches: As in `hessian_product`.
        generator: Draws the start vectors.
        count: How many eigenvalues of the largest magnitude, from 1 to the number of variables.
        tolerance: Bound of their relative error, as in `conditioning.top_eigenvalues`.
        steps: The most products for the eigenvalues, and the products of the density.
        probes: Random vectors for the density, at least 1; all go through the batches together.
        width: Of the smoothing, as in `conditioning.spectral_density`.
        progress: Is called after each product with the number of products so far.

    Returns:
        The eigenvalues with their vectors, residuals and products, and the density with its nodes and weights.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If an argument is outside its range, or as in `hessian_product`.

    Source: Lanczos (1950); Ghorbani et al. (2019).
    """
    probes = checks.integer("probes", probes, at_least=1)
    product, start = hessian_product(module, loss, batches, progress=progress), _start(module, generator)
    found = conditioning.top_eigenvalues(product, start, count=count, tolerance=tolerance, steps=steps)
    signs = conditioning.rademacher((probes, start.numel()), generator, dtype=start.dtype, device=start.device)
    return Spectrum(found, conditioning.spectral_density(product, signs, steps=steps, width=width))


def sharpness(
    module: torch.nn.Module,
    loss: Loss,
    batches: Iterable[tuple[Tensor, Tensor]],
    generator: torch.Generator,
    *,
    tolerance: float = 1e-3,
    steps: int = 100,
    progress: Callable[[int], object] | None = None,
) -> Sharpness:
    """Find the largest eigenvalue of the Hessian of a module's loss, by one call.

        sharpness = max over |v| = 1 of v.H v

    Gradient descent with a learning rate above 2 / sharpness diverges on the quadratic that the Hessian describes.

    Args:
        module: As in `hessian_product`.
        loss: As in `hessian_product`.
        batches: As in `hessian_product`.
        generator: Draws the start vector.
        tolerance: Bound of the relative error, as in `conditioning.top_eigenvalues`.
        steps: The most products, at least 1.
        progress: Is called after each product with the number of products so far.

    Returns:
        The sharpness, the residual, which tells the accuracy where `steps` ended the search, and the products taken.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If an argument is outside its range, or as in `hessian_product`.

    Source: definition.
    """
    product, start = hessian_product(module, loss, batches, progress=progress), _start(module, generator)
    found = conditioning.top_eigenvalues(product, start, count=1, which="largest", tolerance=tolerance, steps=steps)
    return Sharpness(float(found.values[0]), float(found.residuals[0]), found.steps)
