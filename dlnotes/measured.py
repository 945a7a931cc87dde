"""What was measured of a network and its next step: the records that a diagnosis rests on, for both backends."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from dlnotes import checks

# The loss is looked at once more after a step so many times as long.
STRIDE = 100


class Signal(NamedTuple):
    """What passes through one layer, one row an example; arrays of either backend, or None where it is not known.

    Attributes:
        taken: What the layer takes.
        given: What it gives, before the activation function.
        returned: The gradient of the loss in what it gives.
    """

    taken: Any = None
    given: Any = None
    returned: Any = None


class Layer(NamedTuple):
    """What was measured of one layer; None where it was not, or where there is no such thing.

    Attributes:
        name: Of the layer; "2.weight" and "2.bias" belong to layer "2".
        parameters: Length of all its parameters taken as one vector.
        gradient: Length of their gradient; None if none of them has one.
        update: Length of the next step.
        gain: |W| / sqrt(rows) of its weight matrix: by how much it makes the numbers of an unrelated input larger.
        taken: Root mean square of the numbers that the layer takes.
        given: Root mean square of those that it gives, before the activation function.
        returned: Length of the loss's gradient in what it gives.
        units: Rows of its weight matrix.
        silent: How many of these have a gradient of 0.
        waits: A weight that multiplies is 0 and has a gradient, so that what lies behind it gets none yet.
        frozen: None of its parameters asks for a gradient.
    """

    name: str
    parameters: float
    gradient: float | None = None
    update: float | None = None
    gain: float | None = None
    taken: float | None = None
    given: float | None = None
    returned: float | None = None
    units: int | None = None
    silent: int | None = None
    waits: bool = False
    frozen: bool = False

    @property
    def update_ratio(self) -> float | None:
        """Length of the step over that of the parameters: 0 if nothing moves, infinity if only the parameters are 0."""
        if self.update is None or self.update == 0:
            return self.update
        return self.update / self.parameters if self.parameters else math.inf if self.update > 0 else math.nan


class Trial(NamedTuple):
    """What trying the step showed, on the same examples.

    Attributes:
        slope: What the step changes the loss by if the loss is a plane: gradient times step.
        after: The loss after the step.
        further: The loss after `STRIDE` times the step.
        asleep: Layers that had no gradient before the step, and got none in as many steps as brought a change.
    """

    slope: float
    after: float
    further: float
    asleep: tuple[str, ...] = ()


class Evidence(NamedTuple):
    """What a diagnosis rests on: the layers in the order in which they run, and what is known besides.

    Attributes:
        layers: The layers, that of the output last.
        data: Root mean square of the inputs; None if they were not looked at.
        loss: The loss; None if it was not looked at.
        trial: None if no step was tried.
    """

    layers: tuple[Layer, ...]
    data: float | None = None
    loss: float | None = None
    trial: Trial | None = None


def names_by_layer(names: Iterable[str]) -> dict[str, list[str]]:
    """Group the names of parameters by layer, in their order: "2.weight" and "2.bias" belong to "2".

    Args:
        names: What comes before the last dot is the layer; a name without a dot is a layer of its own.

    Returns:
        The names of each layer.

    Source: definition.
    """
    layers: dict[str, list[str]] = {}
    for name in names:
        layers.setdefault(name.rpartition(".")[0] or name, []).append(name)
    return layers


def check(parameters: Any, gradients: Any, updates: Any, signals: Any) -> None:
    """Refuse what is not one mapping of names to arrays for parameters, gradients and updates; an entry may be None."""
    checks.instance("parameters", parameters, Mapping, "a mapping from names to arrays")
    checks.integer("the number of parameters", len(parameters), at_least=1)
    for argument, group in (("gradients", gradients), ("updates", updates)):
        if group is None:
            continue
        checks.same_names(argument, group, "parameters", parameters)
        for name, value in parameters.items():
            checks.floating(f"parameters[{name!r}]", value)
            if group[name] is not None:
                given = checks.floating(f"{argument}[{name!r}]", group[name])
                checks.same_shape(f"{argument}[{name!r}]", given, f"parameters[{name!r}]", value)
    for layer, signal in checks.instance("signals", signals or {}, Mapping, "a mapping from layers to signals").items():
        checks.choice("the layers of signals", layer, names_by_layer(parameters))
        checks.instance(f"signals[{layer!r}]", signal, Signal, "a measured.Signal")
