"""Starting weights for every layer of a `torch.nn.Module`, in place, by one rule."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dlnotes import checks, weight_scales
from dlnotes.torch import initialization

RULES = ("lecun", "xavier", "he", "orthogonal")
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_NORMALIZATIONS = (
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm),
    *(nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm),
)


class Start(NamedTuple):
    """What a parameter starts from.

    Attributes:
        rule: One of `RULES`; "normal" for an embedding; "ones" or "zeros"; "left" where the parameter was not touched.
        fan_in: Numbers that a unit is computed from; None where the rule does not ask.
        fan_out: Units that an input enters; None where the rule does not ask.
        standard_deviation: That of the distribution drawn from, rounding to a short dtype left out; 0 for a constant.
            None for what was left.
    """

    rule: str
    fan_in: float | None
    fan_out: float | None
    standard_deviation: float | None


class _Draw(NamedTuple):
    """The rule, and all that drawing by it takes."""

    rule: str
    generator: torch.Generator
    distribution: str
    gain: float
    negative_slope: float

    def matrices(self, parameter: Tensor, blocks: int, fans: weight_scales.Fans) -> Start:
        """Fill a parameter whose first axis holds blocks of rows, each a matrix of a group or a gate."""
        if self.rule == "orthogonal":
            rows = len(parameter) // blocks
            noise = self._noise(parameter, (blocks, rows, parameter.numel() // (blocks * rows)))
            values = initialization.orthogonalize(noise) * self.gain
            return self._filled(parameter, values, fans, self.gain / math.sqrt(max(noise.shape[1:])))
        variance = {
            "lecun": lambda: weight_scales.lecun_variance(fans.fan_in),
            "xavier": lambda: weight_scales.xavier_variance(*fans),
            "he": lambda: weight_scales.he_variance(fans.fan_in, self.negative_slope),
        }[self.rule]()
        deviation = self.gain * math.sqrt(variance)
        return self._filled(parameter, self._noise(parameter, tuple(parameter.shape)) * deviation, fans, deviation)

    def _noise(self, parameter: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Draw noise of deviation 1, in float32 for a shorter dtype."""
        dtype = torch.float64 if parameter.dtype == torch.float64 else torch.float32
        if self.distribution == "uniform" and self.rule in ("lecun", "xavier", "he"):
            return initialization.uniform(shape, self.generator, bound=math.sqrt(3), dtype=dtype)
        return initialization.normal(shape, self.generator, dtype=dtype)

    def _filled(self, parameter: Tensor, values: Tensor, fans: weight_scales.Fans, deviation: float) -> Start:
        parameter.copy_(values.reshape(parameter.shape))
        return Start(self.rule, *fans, deviation)

    def embedding(self, layer: nn.Embedding | nn.EmbeddingBag) -> Start:
        """Draw each row with the gain as its deviation: a row is looked up whole, so nothing is added up over a fan."""
        noise = self._replace(rule="normal")._noise(layer.weight, tuple(layer.weight.shape))
        layer.weight.copy_(noise * self.gain)
        if layer.padding_idx is not None:
            layer.weight[layer.padding_idx] = 0
        return Start("normal", None, None, self.gain)


@torch.no_grad()
def initialize_module(
    module: nn.Module,
    rule: str = "he",
    *,
    generator: torch.Generator,
    distribution: str = "normal",
    gain: float = 1.0,
    negative_slope: float = 0.0,
    others: str = "refuse",
) -> dict[str, Start]:
    """Draw every layer of a module anew by one rule, in place, on its device and in its dtype.

        lecun       Var[w] = gain^2 / fan_in
        xavier      Var[w] = gain^2 2 / (fan_in + fan_out)
        he          Var[w] = gain^2 2 / ((1 + a^2) fan_in)
        orthogonal  W = gain Q, for each group of a convolution and each gate of a recurrent layer

    Fans are those of `weight_scales.fans`, so that groups, strides and transposed convolutions count as they are.
    Biases become 0, normalization layers 1 and 0. The rows of an embedding get the deviation `gain`, its padding row 0.
    Recurrent layers get their hidden weights orthogonal, whatever the rule; attention gets its three projections each
    by the rule. Parameters that are frozen (`requires_grad=False`) are left, and so are those of `nn.PReLU`. A tensor
    that two layers share is drawn for the first.

    Args:
        module: The module; its parameters are written over.
        rule: "lecun", "xavier", "he" or "orthogonal".
        generator: Draws the weights, on its own device; the module may lie on another one.
        distribution: "normal" or "uniform"; orthogonal weights take neither.
        gain: Factor on the deviation, above 0; `initialization.gain` of the NumPy kernels gives it for an activation.
        negative_slope: Slope a of a leaky ReLU, for "he".
        others: "refuse" a parameter of a layer that no rule here knows, or "leave" it as it is.

    Returns:
        For each parameter, by its name in the module, what it starts from.

    Raises:
        TypeError: If an argument is of a wrong kind, or a parameter to be drawn is not of floating-point numbers.
        ValueError: If a word is not one of those above, a number is out of range, a parameter has no shape yet, or no
            rule knows it and `others` is "refuse". Nothing has been written then.

    Source: derived in initialization#eq-he; the rules are those of LeCun et al. (1998), Glorot and Bengio (2010) and He
    et al. (2015).
    """
    checks.instance("module", module, nn.Module, "a torch module")
    checks.instance("generator", generator, torch.Generator, "a torch Generator")
    checks.choice("rule", rule, RULES)
    checks.choice("distribution", distribution, ("normal", "uniform"))
    gain = checks.real("gain", gain, above=0)
    draw = _Draw(rule, generator, distribution, gain, checks.real("negative_slope", negative_slope))
    plan = list(_plan(module))
    _check(plan, checks.choice("others", others, ("refuse", "leave")))
    return {name: _start(layer, own, parameter, draw) for name, layer, own, parameter in plan}


def _plan(module: nn.Module) -> Iterator[tuple[str, nn.Module, str, Tensor]]:
    """List each parameter once: its whole name, the layer that holds it, and its name there."""
    seen = set()
    for prefix, layer in module.named_modules():
        for own, parameter in layer.named_parameters(recurse=False):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield (f"{prefix}.{own}" if prefix else own), layer, own, parameter


def _check(plan: list[tuple[str, nn.Module, str, Tensor]], others: str) -> None:
    """Refuse what cannot be drawn, before anything is."""
    unknown = []
    for name, layer, own, parameter in plan:
        if isinstance(parameter, nn.parameter.UninitializedTensorMixin):
            raise ValueError(f"module must be run once on an example, so that it has shapes, got {name} without one")
        if parameter.requires_grad:
            checks.floating(name, parameter)
            unknown += [name] if _kind(layer, own) is None else []
    if unknown and others == "refuse":
        known = "layers that a rule knows (others='leave' leaves the rest as it is)"
        raise ValueError(f"module must be made of {known}, got {', '.join(unknown)}")


def _kind(layer: nn.Module, own: str) -> str | None:
    """Say how a parameter is to be drawn; None where nothing here knows."""
    if isinstance(layer, nn.PReLU):
        return "left"
    if isinstance(layer, _NORMALIZATIONS):
        return "ones" if own == "weight" else "zeros"
    if isinstance(layer, nn.RNNBase | nn.RNNCellBase) and not getattr(layer, "proj_size", 0):
        return "zeros" if own.startswith("bias") else "hidden" if own.startswith("weight_hh") else "gates"
    if isinstance(layer, nn.MultiheadAttention):
        kinds = {"in_proj_weight": "projections", "in_proj_bias": "zeros"}
        return kinds.get(own, "dense" if own.endswith("proj_weight") else None)
    if isinstance(layer, (nn.Linear, *_CONVOLUTIONS, *_TRANSPOSED)):
        return {"weight": "dense", "bias": "zeros"}.get(own)
    return "embedding" if isinstance(layer, nn.Embedding | nn.EmbeddingBag) else None


def _start(layer: nn.Module, own: str, parameter: Tensor, draw: _Draw) -> Start:
    """Fill one parameter, and say with what."""
    kind = _kind(layer, own) if parameter.requires_grad else "left"
    if kind in (None, "left"):
        return Start("left", None, None, None)
    if kind in ("ones", "zeros"):
        parameter.fill_(float(kind == "ones"))
        return Start(kind, None, None, 0.0)
    if kind == "embedding":
        return draw.embedding(layer)
    if kind == "projections":
        return draw.matrices(parameter, 3, weight_scales.fans((len(parameter) // 3, parameter.shape[1])))
    if kind in ("hidden", "gates"):
        gates = len(parameter) // layer.hidden_size
        own_draw = draw._replace(rule="orthogonal", gain=1.0) if kind == "hidden" else draw
        return own_draw.matrices(parameter, gates, weight_scales.fans((layer.hidden_size, parameter.shape[1])))
    if isinstance(layer, nn.Linear | nn.MultiheadAttention):
        return draw.matrices(parameter, 1, weight_scales.fans(tuple(parameter.shape)))
    return draw.matrices(parameter, layer.groups, _fans_of_convolution(layer))


def _fans_of_convolution(layer: nn.Module) -> weight_scales.Fans:
    """Count the fans; strides that differ by axis enter as what they skip together."""
    shape, transposed = tuple(layer.weight.shape), isinstance(layer, _TRANSPOSED)
    whole = weight_scales.fans(shape, groups=layer.groups, transposed=transposed)
    skipped = math.prod(layer.stride)
    if transposed:
        return weight_scales.Fans(whole.fan_in / skipped, whole.fan_out)
    return weight_scales.Fans(whole.fan_in, whole.fan_out / skipped)
