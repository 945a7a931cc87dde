"""Products of many factors: how gradients vanish and explode with depth, measured and named, on any device.

The norms stay on the device. `diagnose` reads a few numbers of each layer, so it makes the host wait; call it now and
then, not in every step.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dlnotes import checks, diagnosis, measured

if TYPE_CHECKING:
    from jaxtyping import Float


def matrix_power_by_eigenvalues(
    matrix: Float[Tensor, "*runs n n"], exponent: int, *, largest_condition: float = 1e8
) -> Float[Tensor, "*runs n n"]:
    """Raise a matrix to a power by raising its eigenvalues to it.

        W = V diag(l) V^-1   implies   W^t = V diag(l^t) V^-1

    Eigenvalues of a real matrix may be complex; they come in conjugate pairs, whose imaginary parts cancel in W^t.

    Args:
        matrix: W, real.
        exponent: t, at least 0.
        largest_condition: The condition number of V above which W counts as not diagonalizable, at least 1. The
            result loses about as many digits as this number has.

    Returns:
        W^t.

    Raises:
        TypeError: If `matrix` is not an array of floating-point numbers or `exponent` is no integer.
        ValueError: If `matrix` is not square or cannot be diagonalized.

    Source: derived in vanishing_exploding#eq-power.
    """
    checks.finite("matrix", checks.single_or_double("matrix", checks.square("matrix", matrix)))
    exponent = checks.integer("exponent", exponent, at_least=0)
    largest_condition = checks.real("largest_condition", largest_condition, at_least=1)
    values, vectors = torch.linalg.eig(matrix)
    condition = float(torch.linalg.cond(vectors).max()) if matrix.numel() else 1.0
    if not condition <= largest_condition:
        raise ValueError(
            f"matrix must be diagonalizable, with eigenvectors of condition number at most {largest_condition:g}, "
            f"got {condition:g}"
        )
    # The largest eigenvalue is taken out first, so that what is in range is not lost on the way. X V = V diag(l^t) is
    # solved for X, so that V is not inverted.
    radius = values.abs().amax(dim=-1)[..., None, None]
    radius = torch.where(radius > 0, radius, 1)
    scaled = vectors * (values[..., None, :] / radius) ** exponent
    power = torch.linalg.solve(vectors.mT, scaled.mT).mT.real
    return torch.where(power == 0, 0, power * radius**exponent)


def power_norms(matrix: Float[Tensor, "*runs n n"], steps: int) -> Float[Tensor, "*runs steps_and_start"]:
    """Measure the 2-norm of every power of a matrix up to a last one.

        |W^t|_2 for t = 0, 1, ..., steps

    Args:
        matrix: W.
        steps: The last exponent, at least 0.

    Returns:
        The largest singular value of each power; the first is that of the identity, 1.

    Raises:
        TypeError: If `matrix` is not an array of floating-point numbers or `steps` is no integer.
        ValueError: If `matrix` is not square or `steps` is below 0.

    Source: definition.
    """
    checks.finite("matrix", checks.single_or_double("matrix", checks.square("matrix", matrix)))
    steps = checks.integer("steps", steps, at_least=0)
    matrix, doublings = _near_one(matrix)
    power = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device).expand(matrix.shape)
    norms, exponent = matrix.new_empty((*matrix.shape[:-2], steps + 1)), 0 * doublings
    for step in range(steps + 1):
        norms[..., step] = _times_power_of_two(torch.linalg.svdvals(power)[..., 0], exponent)
        power, moved = _near_one(matrix @ power)
        exponent = exponent + doublings + moved
    return norms


def _times_power_of_two(x: Tensor, exponent: Tensor) -> Tensor:
    """Multiply by 2^exponent in parts, because the power alone may be out of range where the product is not."""
    limit = 120 if x.dtype.itemsize == 4 else 1000
    for _ in range(3):
        part = exponent.clamp(-limit, limit)
        x, exponent = x * torch.pow(2.0, part.to(x.dtype)), exponent - part
    return x


def _near_one(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Divide a matrix by a power of 2, so that its largest entry is from 1/2 to 1; give the exponent too."""
    exponent = torch.frexp(matrix.abs().amax(dim=(-2, -1))).exponent
    return _times_power_of_two(matrix, -exponent[..., None, None]), exponent


def lyapunov_exponent(matrices: Float[Tensor, "*runs steps n n"], *, count: int = 1) -> Float[Tensor, "*runs count"]:
    """Measure the growth rates of a product of matrices, step by step.

        A_t Q_(t-1) = Q_t R_t,    lambda_k = mean over t of ln |R_t[k, k]|

    The vectors are made orthonormal again after every factor, so that nothing overflows and each keeps its own rate.
    Q_0 holds the first axes. With random matrices they are as good as any others, and the rates tend to the largest
    Lyapunov exponents. Under given matrices an axis can be special: diag(0.5, 2) again and again halves the first one.
    `dlnotes.numpy.vanishing_exploding.log_singular_values` depends on no axes.

    Args:
        matrices: A_1, A_2, ..., the first to be applied first.
        count: How many rates, from 1 to n.

    Returns:
        The sum of the first k numbers is the rate at which the volume on the first k axes grows over these steps; minus
        infinity where that volume became exactly 0.

    Raises:
        TypeError: If `matrices` is not an array of floating-point numbers.
        ValueError: If the matrices are not square, there are none, or `count` is outside its range.

    Source: rates from the growth of volumes, Benettin et al. (1980); derived in vanishing_exploding#eq-spectrum.
    """
    checks.finite("matrices", checks.single_or_double("matrices", checks.square("matrices", matrices)))
    checks.rank("matrices", matrices, at_least=3)
    *runs, steps, size, _ = matrices.shape
    checks.integer("the number of matrices", steps, at_least=1)
    count = checks.integer("count", count, at_least=1, at_most=size)
    frame = torch.eye(size, count, dtype=matrices.dtype, device=matrices.device).expand(*runs, size, count)
    total = matrices.new_zeros((*runs, count))
    for step in range(steps):
        frame, triangle = torch.linalg.qr(matrices[..., step, :, :] @ frame)
        total += triangle.diagonal(dim1=-2, dim2=-1).abs().log()
    return total / steps


def layer_jacobian(
    weight: Float[Tensor, "*runs fan_out fan_in"], derivative: Float[Tensor, "*runs batch fan_out"]
) -> Float[Tensor, "*runs batch fan_out fan_in"]:
    """Give the Jacobian of a layer's output with respect to its input, for each example.

        h = f(W x + b)   implies   dh/dx = diag(f'(z)) W,  z = W x + b

    Args:
        weight: W.
        derivative: f'(z).

    Returns:
        The Jacobian of each example.

    Raises:
        TypeError: If an argument is not an array of floating-point numbers.
        ValueError: If `derivative` does not have one column for each row of `weight`.

    Source: derived in vanishing_exploding#eq-layer-jacobian.
    """
    checks.rank("weight", checks.floating("weight", weight), at_least=2)
    checks.rank("derivative", checks.floating("derivative", derivative), at_least=2)
    checks.last_axes("derivative", derivative, derivative.shape[-2], weight.shape[-2], of="weight has rows")
    return derivative[..., None] * weight[..., None, :, :]


def _length(tensors: Sequence[Tensor], run_axes: int) -> Tensor:
    """Length of several tensors taken as one vector, for each run, in float64; no square overflows or underflows."""
    rows = [tensor.detach().reshape(*tensor.shape[:run_axes], -1) for tensor in tensors]
    if all(row.dtype.itemsize < 8 for row in rows):  # squares of these fit into float64
        parts = [torch.linalg.vector_norm(row, dim=-1, dtype=torch.float64) for row in rows]
        return parts[0] if len(parts) == 1 else torch.linalg.vector_norm(torch.stack(parts, dim=-1), dim=-1)
    parts = [torch.linalg.vector_norm(row, ord=torch.inf, dim=-1, dtype=torch.float64) for row in rows if row.numel()]
    largest = torch.stack(parts).max(dim=0).values if parts else rows[0].new_zeros(rows[0].shape[:-1])
    usable = torch.isfinite(largest) & (largest > 0)
    scale = torch.where(usable, largest, 1)[..., None]
    squares = sum((row / scale).square().sum(dim=-1) for row in rows)
    return torch.where(usable, largest * squares.sqrt(), largest)


def per_layer_gradient_norms(
    gradients: Mapping[str, Float[Tensor, "..."]], *, run_axes: int = 0
) -> dict[str, Float[Tensor, "*runs"]]:
    """Measure the length of the gradient of each layer, all its parameters together.

        |g_l| = (sum of the squares of layer l's gradients)^(1/2)

    Args:
        gradients: By parameter name, in the order of the layers; "2.weight" and "2.bias" belong to layer "2".
        run_axes: How many leading axes of each array are runs.

    Returns:
        For each layer, in its order, the length in float64, of the shape of the runs; infinity or not a number if an
        entry is.

    Raises:
        TypeError: If a gradient is not an array of floating-point numbers.
        ValueError: If a gradient has fewer axes than `run_axes`.

    Source: definition.
    """
    run_axes = checks.integer("run_axes", run_axes, at_least=0)
    for name, gradient in gradients.items():
        argument = f"gradients[{name!r}]"
        checks.rank(argument, checks.floating(argument, gradient), at_least=run_axes)
    return {
        layer: _length([gradients[name] for name in names], run_axes)
        for layer, names in measured.names_by_layer(gradients).items()
    }


def per_layer_update_ratios(
    parameters: Mapping[str, Float[Tensor, "..."]],
    updates: Mapping[str, Float[Tensor, "..."]],
    *,
    run_axes: int = 0,
) -> dict[str, Float[Tensor, "*runs"]]:
    """Measure how large the step of each layer is beside its weights.

        |updates_l| / |parameters_l|

    Args:
        parameters: By name, in the order of the layers.
        updates: What is added to each parameter, of the same names and shapes.
        run_axes: How many leading axes of each array are runs.

    Returns:
        For each layer the ratio in float64, of the shape of the runs; 0 where nothing moves, infinity where parameters
        of length 0 do.

    Raises:
        TypeError: If a parameter or update is not an array of floating-point numbers.
        ValueError: If names or shapes differ.

    Source: definition.
    """
    checks.same_names("updates", updates, "parameters", parameters)
    for name, value in parameters.items():
        checks.floating(f"parameters[{name!r}]", value)
        update = checks.floating(f"updates[{name!r}]", updates[name])
        checks.same_shape(f"updates[{name!r}]", update, f"parameters[{name!r}]", value)
    lengths = per_layer_gradient_norms(parameters, run_axes=run_axes)
    steps = per_layer_gradient_norms({name: updates[name] for name in parameters}, run_axes=run_axes)
    return {layer: torch.where(step == 0, 0.0, step / lengths[layer]) for layer, step in steps.items()}


def _size(signal: Tensor | None) -> Tensor | None:
    """Root mean square of the numbers of a signal."""
    return None if signal is None else _length([signal], 0) / max(signal.numel(), 1) ** 0.5


def _layer(
    name: str,
    parameters: Mapping[str, Tensor],
    gradients: Mapping[str, Tensor],
    updates: Mapping[str, Tensor],
    sizes: Sequence[Tensor | None],
) -> measured.Layer:
    """Measure one layer; `gradients` and `updates` hold what there is, `sizes` those of its signals."""
    matrices = {key: value for key, value in parameters.items() if value.ndim >= 2 and value.numel()}
    gains = [_length([value], 0) / value.shape[0] ** 0.5 for value in matrices.values()]
    units = silent = None
    if len(matrices) == 1 and gradients.keys() >= matrices.keys():
        units = next(iter(matrices.values())).shape[0]
        rows = [g.reshape(units, -1) for g in gradients.values() if g.shape[:1] == (units,)]
        silent = torch.stack([(row == 0).all(dim=-1) for row in rows]).all(dim=0).sum()
    waits = [
        (parameters[key] == 0).all() & (gradient != 0).any()
        for key, gradient in gradients.items()
        if "bias" not in key.rpartition(".")[2]
    ]
    return measured.Layer(
        name,
        _length([*parameters.values()], 0),
        _length([*gradients.values()], 0) if gradients else None,
        _length([*updates.values()], 0) if updates else None,
        torch.stack(gains).max() if gains else None,
        *sizes,
        units,
        silent,
        torch.stack(waits).any() if waits else False,
        not gradients,
    )


def _read(
    parameters: Mapping[str, Tensor],
    gradients: Mapping[str, Tensor | None],
    updates: Mapping[str, Tensor | None] | None,
    sizes: Mapping[str, Sequence[Tensor | None]],
) -> list[measured.Layer]:
    """Measure every layer; those that have signals stand in the order of `sizes`."""
    named, order, found = measured.names_by_layer(parameters), [*sizes], []
    for place, layer in enumerate(named):
        if layer not in sizes:  # it did not run by itself: behind the one before it
            order.insert(order.index([*named][place - 1]) + 1 if place else 0, layer)
    for layer in order:
        own, grads, steps = (
            {name: group[name].detach() for name in named[layer] if group[name] is not None}
            for group in (parameters, gradients, updates or dict.fromkeys(parameters))
        )
        found.append(_layer(layer, own, grads, steps, sizes.get(layer, (None, None, None))))
    return [_on_host(layer) for layer in found]


def _on_host(layer: measured.Layer) -> measured.Layer:
    return layer._make(value.item() if isinstance(value, Tensor) else value for value in layer)


def diagnose(
    parameters: Mapping[str, Float[Tensor, "..."]],
    gradients: Mapping[str, Float[Tensor, "..."] | None],
    updates: Mapping[str, Float[Tensor, "..."] | None] | None = None,
    *,
    signals: Mapping[str, measured.Signal] | None = None,
    spread: float = 1e3,
    outlier: float = 30.0,
    largest_ratio: float = 1.0,
) -> diagnosis.Diagnosis:
    """Say what is wrong with one network, from its tensors. The rules are those of `dlnotes.diagnosis.judge`.

    Arguments and errors as in `dlnotes.numpy.vanishing_exploding.diagnose`; `diagnose_module` collects them all.
    """
    measured.check(parameters, gradients, updates, signals)
    sizes = {
        name: (_size(taken), _size(given), None if returned is None else _length([returned], 0))
        for name, (taken, given, returned) in (signals or {}).items()
    }
    sizes = {name: sizes[name] for name in measured.names_by_layer(parameters) if name in sizes}
    evidence = measured.Evidence(tuple(_read(parameters, gradients, updates, sizes)))
    return diagnosis.judge(evidence, spread=spread, outlier=outlier, largest_ratio=largest_ratio)


def _tensors(value: Any) -> list[Tensor]:
    """List the tensors in a nest of tuples, lists and mappings."""
    if isinstance(value, Tensor):
        return [value]
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple | list) else ()
    return [tensor for part in parts for tensor in _tensors(part)]


def _floats(value: Any) -> list[Tensor]:
    return [tensor for tensor in _tensors(value) if tensor.is_floating_point()]


class _Recorder:
    """Hooks that measure what each layer takes, gives and gets back, in the order in which the layers run."""

    def __init__(self, module: torch.nn.Module, layers: Collection[str]) -> None:
        self.sizes: dict[str, list[Tensor | None]] = {}
        self.handles = []
        for name, part in module.named_modules():
            if name in layers:
                before, after = functools.partial(self._before, name), functools.partial(self._after, name)
                self.handles += [
                    part.register_forward_pre_hook(before, with_kwargs=True),
                    part.register_forward_hook(after),
                ]

    def _note(self, name: str, place: int, size: Tensor) -> None:
        held = self.sizes[name][place]
        self.sizes[name][place] = size if held is None else torch.maximum(held, size)

    def _before(self, name: str, part: torch.nn.Module, inputs: tuple, options: dict) -> None:
        if not _tensors((inputs, options)):
            return
        self.sizes.setdefault(name, [None, None, None])
        for tensor in _floats((inputs, options))[:1]:
            self._note(name, 0, _size(tensor))

    def _after(self, name: str, part: torch.nn.Module, inputs: tuple, output: Any) -> None:
        for tensor in _floats(output)[:1] if name in self.sizes else ():
            self._note(name, 1, _size(tensor))
            if tensor.requires_grad:
                tensor.register_hook(lambda gradient: self._note(name, 2, _length([gradient], 0)))

    def remove(self) -> None:
        """Take the hooks away."""
        for handle in self.handles:
            handle.remove()


def _random_states() -> tuple[Tensor, list[Tensor]]:
    return torch.get_rng_state(), torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []


def _set_random_states(states: tuple[Tensor, list[Tensor]]) -> None:
    torch.set_rng_state(states[0])
    if states[1]:
        torch.cuda.set_rng_state_all(states[1])


def _kept(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else copy.deepcopy(value)


def _put_back(held: dict, kept: dict) -> None:
    """Make a dictionary what it was; a tensor that is still there gets its numbers back in place."""
    for key in held.keys() - kept.keys():
        del held[key]
    for key, value in kept.items():
        if isinstance(value, Tensor) and isinstance(held.get(key), Tensor):
            held[key].detach().copy_(value)
        else:
            held[key] = value


@contextlib.contextmanager
def _restored(module: torch.nn.Module, optimizer: torch.optim.Optimizer | None) -> Iterator[None]:
    """Leave parameters, gradients, buffers, the optimizer's state and the random numbers as they were."""
    groups = optimizer.param_groups if optimizer is not None else []
    owned = dict.fromkeys([*module.parameters(), *(p for group in groups for p in group["params"])])
    values, grads = {p: p.detach().clone() for p in owned}, {p: p.grad for p in owned}
    buffers = [(part._buffers, dict(part._buffers)) for part in module.modules()]
    buffers = [(held, tensors, {name: _kept(value) for name, value in tensors.items()}) for held, tensors in buffers]
    states = {p: {k: _kept(v) for k, v in state.items()} for p, state in optimizer.state.items()} if optimizer else {}
    options = [{k: _kept(v) for k, v in group.items() if k != "params"} for group in groups]
    random = _random_states()
    try:
        for p in owned:
            p.grad = None
        yield
    finally:
        with torch.no_grad():
            for p, value in values.items():
                p.copy_(value)
                p.grad = grads[p]
            for held, tensors, kept in buffers:
                held.update(tensors)
                _put_back(held, kept)
        for p in [*optimizer.state] if optimizer else ():
            if p in states:
                _put_back(optimizer.state[p], states[p])
            else:
                del optimizer.state[p]
        for group, kept in zip(groups, options, strict=True):
            _put_back(group, {"params": group["params"], **kept})
        _set_random_states(random)


class _Bench:
    """A module on which steps can be tried: all passes see the same examples and the same random numbers."""

    def __init__(self, module: torch.nn.Module, inputs: Any, targets: Any, loss: Callable) -> None:
        self.module, self.targets, self.loss = module, targets, loss
        self.positional = inputs if isinstance(inputs, tuple) else () if isinstance(inputs, Mapping) else (inputs,)
        self.named = inputs if isinstance(inputs, Mapping) else {}
        self.parameters = dict(module.named_parameters())
        self.random = _random_states()

    def value(self) -> Tensor:
        """Run forward and give the loss."""
        _set_random_states(self.random)
        value = self.loss(self.module(*self.positional, **self.named), self.targets)
        checks.shaped("loss", checks.floating("loss", value).reshape(-1), (1,), of="one number is asked for")
        return value.reshape(())

    def gradients(self) -> tuple[float, dict[str, Tensor | None]]:
        """Run forward and back; give the loss and the gradients."""
        for p in self.parameters.values():
            p.grad = None
        with torch.enable_grad():
            value = self.value()
            value.backward()
        grads = {name: p.grad for name, p in self.parameters.items()}
        return float(value.detach()), {
            name: g.to_dense() if g is not None and g.is_sparse else g for name, g in grads.items()
        }

    @torch.no_grad()
    def loss_at(self, start: Mapping[str, Tensor], updates: Mapping[str, Tensor], stride: float) -> float:
        """Give the loss after so many times the step, and stay there."""
        for name, p in self.parameters.items():
            p.copy_(start[name] + stride * updates[name])
        return float(self.value())


def _wide(tensor: Tensor) -> Tensor:
    """Half precision as float32, in which a difference of two is exact or nearly so."""
    return tensor.detach().float() if tensor.dtype.itemsize < 4 else tensor.detach()


def _try_step(
    bench: _Bench, optimizer: torch.optim.Optimizer, gradients: Mapping[str, Tensor | None]
) -> tuple[dict[str, Tensor], measured.Trial]:
    """Take the optimizer's step, look at the loss after it, and go on for as long as that wakes layers."""
    start = {name: p.detach().clone() for name, p in bench.parameters.items()}
    type(optimizer).step(optimizer)  # the class's own: a scheduler counts the calls of the other
    updates = {name: _wide(p) - _wide(start[name]) for name, p in bench.parameters.items()}
    given = {name: gradient for name, gradient in gradients.items() if gradient is not None}
    slope = sum(float((g * updates[name]).sum(dtype=torch.float64)) for name, g in given.items())
    further = bench.loss_at(start, updates, measured.STRIDE)
    after = bench.loss_at(start, updates, 1)
    still = {layer for layer, norm in per_layer_gradient_norms(given).items() if norm == 0}
    for _ in range(len(still)):
        grads = {name: gradient for name, gradient in bench.gradients()[1].items() if gradient is not None}
        norms = per_layer_gradient_norms(grads)
        awake = {layer for layer in still if layer in norms and norms[layer] != 0}
        if not awake:
            break
        still -= awake
        type(optimizer).step(optimizer)
    asleep = tuple(layer for layer in measured.names_by_layer(given) if layer in still)
    return updates, measured.Trial(slope, after, further, asleep)


def diagnose_module(
    module: torch.nn.Module,
    optimizer: torch.optim.Optimizer | None,
    inputs: Any,
    targets: Any,
    loss: Callable,
    *,
    spread: float = 1e3,
    outlier: float = 30.0,
    largest_ratio: float = 1.0,
) -> diagnosis.Diagnosis:
    """Say what is wrong with a module and the next step of its optimizer.

    It runs the module forward and back on one batch, takes the optimizer's step, looks at the loss after it and after a
    longer one, takes more steps for as long as they wake layers that had no gradient, and puts everything back:
    parameters, gradients, buffers, the optimizer's state and the state of Torch's random numbers. What a forward pass
    writes elsewhere is not put back: a plain attribute, NumPy's random numbers. A layer is whatever holds parameters of
    its own; layers stand in the order in which they ran.

    Args:
        module: In the mode, training or evaluation, in which it is to be looked at.
        optimizer: Its step must not ask for a closure. None: no step is tried.
        inputs: What the module takes: one argument, a tuple of them, or a mapping of named ones.
        targets: Handed on to `loss`.
        loss: Takes the module's output and the targets, and gives one number.
        spread: See `diagnose`.
        outlier: See `diagnose`.
        largest_ratio: See `diagnose`.

    Returns:
        The fault, the layer if the evidence singles one out, a sentence, and what was measured.

    Raises:
        TypeError: If `module` or `optimizer` is something else, the step asks for a closure, or `loss` gives no tensor.
        ValueError: If no parameter asks for a gradient, `loss` gives several numbers, or a threshold is outside its
            range.

    Source: definition.
    """
    checks.instance("module", module, torch.nn.Module, "a torch module")
    asking = [name for name, p in module.named_parameters() if p.requires_grad]
    checks.integer("the number of parameters of module that ask for a gradient", len(asking), at_least=1)
    if optimizer is not None:
        checks.instance("optimizer", optimizer, torch.optim.Optimizer, "a torch optimizer, or None")
        closure = inspect.signature(type(optimizer).step).parameters.get("closure")
        asks = closure is not None and closure.default is inspect.Parameter.empty
        checks.instance("optimizer", optimizer, () if asks else object, "one whose step takes no closure")
    with _restored(module, optimizer):
        evidence = _evidence(_Bench(module, inputs, targets, loss), optimizer)
    return diagnosis.judge(evidence, spread=spread, outlier=outlier, largest_ratio=largest_ratio)


def _evidence(bench: _Bench, optimizer: torch.optim.Optimizer | None) -> measured.Evidence:
    parameters = bench.parameters
    named = measured.names_by_layer(parameters)
    recorder = _Recorder(bench.module, named)
    try:
        loss, gradients = bench.gradients()
    finally:
        recorder.remove()
    before = {name: p.detach().clone() for name, p in parameters.items()}
    updates, trial = _try_step(bench, optimizer, gradients) if optimizer is not None else (None, None)
    layers = []
    for layer in _read(before, gradients, updates, recorder.sizes):
        frozen = not any(parameters[name].requires_grad for name in named[layer.name])
        layer = layer._replace(frozen=frozen, update=None if frozen else layer.update)
        if layer.name in recorder.sizes and layer.taken is None:  # rows of a table are no units
            layer = layer._replace(gain=None, units=None, silent=None)
        layers.append(layer)
    data = [_size(tensor) for tensor in _floats((bench.positional, bench.named))]
    return measured.Evidence(tuple(layers), float(torch.stack(data).max()) if data else None, loss, trial)
