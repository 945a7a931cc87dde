"""What a few numbers of each layer say about a network that does not train, for both backends.

Nothing here touches an array. `judge` takes numbers that do not change when the loss is multiplied and the learning
rate divided by the same: it compares layers with each other, steps with weights, and the loss after a step with what
the gradient promised. What these numbers do not settle it does not say: then no layer is named, and those that it could
be stand in `candidates`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from dlnotes import checks, measured

FAULTS = (
    "healthy",
    "not finite",
    "large weights",
    "small weights",
    "exploding",
    "vanishing",
    "dead",
    "silent units",
    "large step",
    "unused",
    "not updated",
    "small step",
)

# How seldom a layer whose units fall silent by chance may be called faulty.
SILENT_BY_CHANCE = 1e-6
# The least share of a layer that is worth a word.
SILENT_SHARE = 0.4


class Diagnosis(NamedTuple):
    """What is wrong, and where.

    Attributes:
        fault: One of `FAULTS`.
        layer: The layer at fault; None if there is none, or the evidence does not single one out.
        candidates: The layers that it could be; empty where the fault lies in all of them or in none.
        sentence: The same in words, with the numbers, and what to try next.
        evidence: What was measured.
    """

    fault: str
    layer: str | None
    candidates: tuple[str, ...]
    sentence: str
    evidence: measured.Evidence

    @property
    def gradient_norms(self) -> dict[str, float | None]:
        """The length of the gradient of each layer."""
        return {layer.name: layer.gradient for layer in self.evidence.layers}

    @property
    def update_ratios(self) -> dict[str, float | None]:
        """The length of the step over that of the weights, for each layer."""
        return {layer.name: layer.update_ratio for layer in self.evidence.layers}


class _Finding(NamedTuple):
    fault: str
    sentence: str
    layer: str | None = None
    candidates: tuple[str, ...] = ()


def judge(
    evidence: measured.Evidence, *, spread: float = 1e3, outlier: float = 30.0, largest_ratio: float = 1.0
) -> Diagnosis:
    """Say what is wrong with a network, and in which layer. The first rule that applies decides.

        not finite     NaN or infinity in loss, parameters, gradients or steps; traced to where the first one arose
        large weights  one layer's |W| / sqrt(rows), and its output over its input, exceed the others' by `outlier`
        small weights  the same downward, and the signal or the gradient is lost in it; not the last layer
        exploding      signal or gradient grows along the hidden layers by `spread`, by the median of the slopes
        vanishing      they shrink by as much
        dead           a layer's gradient is 0 in every entry, and stays so after trial steps if these were taken
        silent units   more rows of a layer have gradient 0 than in the layers beside it, beyond chance
        large step     the trial step raises the loss by more than sum_l |g_l| |update_l|, the most that a plane of
                       this slope changes by, or by a tenth of that and more than the loss itself; or the step of a
                       layer is longer than `largest_ratio` times its weights
        unused         no path leads from a layer to the loss
        not updated    a layer has a gradient and its step is 0
        small step     a step `measured.STRIDE` times as long would still lower the loss by 2/3 of what the gradient
                       promises: on a parabola the best step is then at least 1.5 `measured.STRIDE` times as long
        healthy        none of these

    Args:
        evidence: What was measured. A rule whose numbers are missing is passed over.
        spread: At least 1.
        outlier: At least 1.
        largest_ratio: Above 0.

    Returns:
        The fault, the layer if the evidence singles one out, and one sentence.

    Raises:
        ValueError: If there are no layers or a threshold is outside its range.

    Source: definition.
    """
    spread = checks.real("spread", spread, at_least=1)
    outlier = checks.real("outlier", outlier, at_least=1)
    largest_ratio = checks.real("largest_ratio", largest_ratio, above=0)
    checks.integer("the number of layers", len(evidence.layers), at_least=1)
    rules: tuple[Callable[[], _Finding | None], ...] = (
        lambda: _not_finite(evidence),
        lambda: _outlying_weights(evidence.layers, outlier),
        lambda: _trend(evidence.layers, spread),
        lambda: _dead(evidence),
        lambda: _silent(evidence.layers),
        lambda: _large_step(evidence, largest_ratio, outlier),
        lambda: _unused(evidence.layers),
        lambda: _not_updated(evidence.layers),
        lambda: _small_step(evidence, outlier),
    )
    finding = next((found for rule in rules if (found := rule()) is not None), None) or _healthy(evidence)
    return Diagnosis(finding.fault, finding.layer, finding.candidates, finding.sentence, evidence)


def _called(name: str) -> str:
    return f"layer {name}"


def _begin(words: str) -> str:
    return words[:1].upper() + words[1:]


def _all_called(names: Sequence[str]) -> str:
    if len(names) > 4:
        return f"the {len(names)} layers from {names[0]} to {names[-1]}"
    return "layers " + ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else _called(names[0])


def _bad(value: float | None) -> bool:
    return value is not None and not math.isfinite(value)


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value > 0


# --- NaN and infinity


def _not_finite(evidence: measured.Evidence) -> _Finding | None:
    layers = evidence.layers
    held = [layer.name for layer in layers if _bad(layer.parameters)]
    spoiled = [layer for layer in layers if _bad(layer.gradient) or _bad(layer.update)]
    if not (held or spoiled or _bad(evidence.loss)):
        return None
    if _bad(evidence.data):
        also = f", and so do the parameters of {_all_called(held)}" if held else ""
        return _Finding("not finite", f"The inputs hold NaN or infinity{also}: look for them in the data.")
    if len(held) == 1:
        words = f"The parameters of {_called(held[0])} hold NaN or infinity: go back to a saved copy."
        return _Finding("not finite", words, held[0])
    if held:
        words = (
            f"The parameters of {_all_called(held)} hold NaN or infinity, and which came first cannot be told from "
            "this: go back to a saved copy, lower the rate, and look in every step."
        )
        return _Finding("not finite", words, None, tuple(held))
    return _born_forward(evidence) or _born_backward(evidence)


def _born_forward(evidence: measured.Evidence) -> _Finding | None:
    """Follow the forward pass to the first number that is not finite; the parameters and the data are."""
    before = None
    for layer in evidence.layers:
        if _bad(layer.taken):
            places = tuple(name for name in (before, layer.name) if name is not None)
            where = f"between {_all_called(places)}" if before is not None else f"before {_called(layer.name)}"
            words = f"NaN or infinity arises {where}, outside their weights: look for a division, root or logarithm."
            return _Finding("not finite", words, None, places)
        if _bad(layer.given):
            size = f" of size {layer.taken:.1e}" if layer.taken is not None else ""
            words = (
                f"{_begin(_called(layer.name))} takes finite numbers{size} and gives NaN or infinity: "
                "draw smaller weights, normalize, or compute in a type of wider range."
            )
            return _Finding("not finite", words, layer.name)
        before = layer.name
    if _bad(evidence.loss) and all(layer.given is not None for layer in evidence.layers):
        words = (
            f"All layers give finite numbers and the loss is {evidence.loss}: look for a logarithm of 0 in the loss."
        )
        return _Finding("not finite", words)
    return None


def _born_backward(evidence: measured.Evidence) -> _Finding:
    """Follow the backward pass; the forward pass is finite, or was not looked at."""
    layers = evidence.layers
    if evidence.loss is not None and not _bad(evidence.loss):
        found = _born_on_the_way_back(layers)
        if found is not None:
            return found
    spoiled = [layer.name for layer in layers if _bad(layer.gradient)]
    if not spoiled:
        spoiled = [layer.name for layer in layers if _bad(layer.update)]
        words = f"Gradients are finite, and the step of {_all_called(spoiled)} is not: look at the optimizer."
        return _single("not finite", words, spoiled) if spoiled else _Finding("not finite", "The loss is not finite.")
    if len(spoiled) == len(layers):
        words = (
            "Every gradient holds NaN or infinity and every parameter is finite: whether data, a layer or the loss "
            "brought it in cannot be told from gradients; look at what the layers give."
        )
        return _Finding("not finite", words, None, tuple(spoiled))
    words = f"Going back, {_called(spoiled[-1])} is the first whose gradient is not finite: scale the loss down."
    return _Finding("not finite", words, spoiled[-1])


def _born_on_the_way_back(layers: Sequence[measured.Layer]) -> _Finding | None:
    """Follow what comes back to each layer; the loss is finite."""
    after = None
    for layer in reversed(layers):
        if _bad(layer.returned):
            if after is None:
                return _Finding(
                    "not finite", "The loss is finite and its gradient is not: look for a root or norm of 0."
                )
            places = (layer.name, after)
            words = f"NaN or infinity arises going back between {_all_called(places)}: look for a root or norm of 0."
            return _Finding("not finite", words, None, places)
        if _bad(layer.gradient) and layer.returned is not None:
            words = (
                f"{_begin(_called(layer.name))} gets back finite numbers and its gradient is not finite: scale the "
                "loss down, or compute in a type of wider range."
            )
            return _Finding("not finite", words, layer.name)
        after = layer.name
    return None


def _single(fault: str, words: str, names: Sequence[str]) -> _Finding:
    """Name the layer if there is one, and candidates if there are several."""
    return _Finding(fault, words, names[0]) if len(names) == 1 else _Finding(fault, words, None, tuple(names))


# --- the weights of one layer


def _upper_median(values: Iterable[float]) -> float:
    """Give the middle of the values, the upper one of two; the standard library's module takes long to import."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


def _median(values: Iterable[float]) -> float:
    """Give the middle of the values, and of two their mean."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return (ordered[middle] + ordered[~middle]) / 2


def _beside(values: dict[str, float]) -> dict[str, float]:
    """Divide each value by the median of the others, the upper one of two; nothing if there are fewer than two."""
    if len(values) < 3:
        return {}
    return {
        name: value / _upper_median(other for key, other in values.items() if key != name)
        for name, value in values.items()
    }


def _gains_beside(layers: Sequence[measured.Layer]) -> dict[str, float]:
    return _beside({layer.name: layer.gain for layer in layers if _known(layer.gain)})


def _outlying_weights(layers: Sequence[measured.Layer], outlier: float) -> _Finding | None:
    """Compare each weight matrix with the others, and what it does to the signal with what they do."""
    gains = _gains_beside(layers)
    stretches = _beside(
        {
            layer.name: layer.given / layer.taken
            for layer in layers
            if _known(layer.gain) and _known(layer.given) and _known(layer.taken)
        }
    )
    signs = {name: (gain, stretches.get(name, gain)) for name, gain in gains.items()}
    large = max(signs, key=lambda name: min(signs[name]), default=None)
    if large is not None and min(signs[large]) > outlier:
        words = (
            f"The weights of {_called(large)} are {signs[large][0]:.2g} times as large as those of a typical layer: "
            "draw them again, or look at what scales them."
        )
        return _Finding("large weights", words, large)
    hidden = [name for name in signs if name != layers[-1].name]
    small = min(hidden, key=lambda name: max(signs[name]), default=None)
    if small is None or max(signs[small]) >= 1 / outlier or not _is_bottleneck(layers, small, outlier):
        return None
    words = (
        f"The weights of {_called(small)} are {signs[small][0]:.2g} of those of a typical layer, and signal or "
        "gradient is lost there: draw them again, or look at what scales them."
    )
    return _Finding("small weights", words, small)


def _is_bottleneck(layers: Sequence[measured.Layer], name: str, outlier: float) -> bool:
    """Say whether signal or gradient is lost in the layer; beside a skip connection it is not."""
    forward, backward = {}, {}
    for layer, after in itertools.pairwise(layers):
        if _known(layer.taken) and _known(after.taken):
            forward[layer.name] = after.taken / layer.taken
        if _known(layer.returned) and _known(after.returned):
            backward[after.name] = layer.returned / after.returned
    steps = [_beside(forward).get(name), _beside(backward).get(name)]
    if any(step is not None for step in steps):
        return any(step is not None and step < 1 / outlier for step in steps)
    own = next(layer.gradient for layer in layers if layer.name == name)
    others = [layer.gradient for layer in layers if layer.name != name and layer.gradient is not None]
    return own is not None and bool(others) and _upper_median(others) < own / outlier


# --- signal and gradient along the layers


def _growth(values: Sequence[float]) -> float:
    """Give the growth from the first value to the last, by the median slope of the logarithms over all pairs."""
    logs = [math.log(value) for value in values]
    slopes = [(logs[j] - logs[i]) / (j - i) for i in range(len(logs)) for j in range(i + 1, len(logs))]
    total = _median(slopes) * (len(logs) - 1)
    return math.exp(min(max(total, -700), 700))


def _trend(layers: Sequence[measured.Layer], spread: float) -> _Finding | None:
    """Ask whether signal or gradient changes too much along the hidden layers. The output layer has its own scale."""
    hidden = layers[:-1]
    sizes = {
        "signal": [(layer.name, layer.taken) for layer in layers[1:] if _known(layer.taken)],
        "gradient": [(layer.name, layer.returned) for layer in hidden[::-1] if _known(layer.returned)],
    }
    if not sizes["gradient"]:
        sizes["gradient"] = [(layer.name, layer.gradient) for layer in hidden[::-1] if _known(layer.gradient)]
    found = {}
    for what, values in sizes.items():
        if len(values) > 1:
            growth = _growth([value for _, value in values])
            if not 1 / spread <= growth <= spread:
                found[what] = (growth, values[0][0], values[-1][0], len(values) - 1)
    if not found:
        return None
    what = max(found, key=lambda key: abs(math.log(found[key][0])))
    growth, first, last, steps = found[what]
    verb, cure = ("grows", "smaller") if growth > 1 else ("shrinks", "larger")
    words = (
        f"From layer {first} to layer {last} the {what} {verb} to {growth:.1e} of what it was, by "
        f"{growth ** (1 / steps):.2g} in each layer: draw {cure} weights, normalize, or add skip connections."
    )
    return _Finding("exploding" if growth > 1 else "vanishing", words)


# --- units and layers without a gradient


def _without_gradient(evidence: measured.Evidence) -> list[measured.Layer]:
    """Give the layers whose gradient is 0 and will stay so, as far as is known."""
    found = [layer for layer in evidence.layers if layer.gradient == 0]
    if evidence.trial is not None:
        return [layer for layer in found if layer.name in evidence.trial.asleep]
    return [] if any(layer.waits for layer in evidence.layers) else found


def _dead(evidence: measured.Evidence) -> _Finding | None:
    layers, found = evidence.layers, _without_gradient(evidence)
    if not found:
        return None
    names = [layer.name for layer in found]
    starved = next((place for place, layer in enumerate(layers) if layer.taken == 0), None)
    if starved == 0 or evidence.data == 0:
        return _Finding("dead", "The inputs are 0 in every entry: look at the data.")
    if starved is not None:
        place = layers[starved - 1].name
        words = (
            f"Layer {layers[starved].name} takes nothing but zeros, so that no unit of {_called(place)} is active: "
            "draw its weights again, look at its biases, and lower the rate."
        )
        return _Finding("dead", words, place)
    known = [layer for layer in found if layer.returned is not None]
    if known:
        if known[-1].name == layers[-1].name:
            return _Finding("dead", "The loss has no gradient in what the network gives: look at the loss.")
        words = (
            f"No gradient passes back through the activation of {_called(known[-1].name)}: its units are saturated or "
            "off for every example; draw smaller weights, look at its biases, and lower the rate."
        )
        return _Finding("dead", words, known[-1].name)
    run = [names[-1]]  # the layers without gradient that follow each other, up to the last of them
    order = [layer.name for layer in layers]
    while (place := order.index(run[0])) and order[place - 1] in names:
        run.insert(0, order[place - 1])
    if len(run) > 1 and order[-2:-1] == run[-1:]:
        words = (
            f"The gradient is 0 in {_all_called(run)}; which of them died cannot be told from gradients, because after "
            "a dead layer without biases all are still: look at what the layers give."
        )
        return _Finding("dead", words, None, tuple(run))
    words = (
        f"The gradient is 0 up to {_called(run[-1])}: draw its weights again, look at its biases, and lower the rate."
    )
    return _Finding("dead", words, run[-1])


def _tail(count: int, trials: int, chance: float) -> float:
    """Give the probability of at least `count` in so many independent trials."""
    terms = (
        math.comb(trials, k) * chance**k * (1 - chance) ** (trials - k) if trials < 1000 else 0.0
        for k in range(count, trials + 1)
    )
    if trials < 1000:
        return math.fsum(terms)
    excess = max(count / trials - chance, 0.0)
    return math.exp(-2 * trials * excess * excess)  # Hoeffding's bound


def _silent(layers: Sequence[measured.Layer]) -> _Finding | None:
    """Compare the units without gradient with chance: the largest share of the two layers on each side, or a half.

    A unit whose weights and bias are symmetric about 0 is off for all examples with a probability of at most 1/2, since
    it is off for the first.
    """
    known = [layer for layer in layers[:-1] if layer.units and layer.silent is not None and layer.silent < layer.units]
    worst, least = None, SILENT_BY_CHANCE
    for place, layer in enumerate(known):
        beside = known[max(place - 2, 0) : place] + known[place + 1 : place + 3]
        shares = [(other.silent + 1) / (other.units + 2) for other in beside]
        chance = _tail(layer.silent, layer.units, min(0.5, max(shares, default=0.5)))
        if chance < least and layer.silent >= SILENT_SHARE * layer.units:
            worst, least = layer, chance
    if worst is None:
        return None
    words = (
        f"{worst.silent} of {worst.units} units of {_called(worst.name)} have no gradient in any example: look at "
        "their biases, lower the rate, or let the activation function leak."
    )
    return _Finding("silent units", words, worst.name)


# --- the step


def _large_step(evidence: measured.Evidence, largest_ratio: float, outlier: float) -> _Finding | None:
    layers, trial = evidence.layers, evidence.trial
    small = _gains_beside(layers)
    ratios = {
        layer.name: ratio
        for layer in layers
        if (ratio := layer.update_ratio) is not None
        and layer.parameters > 0
        and small.get(layer.name, 1) >= 1 / outlier
    }
    worst = max(ratios, key=lambda name: ratios[name], default=None)
    if worst is not None and ratios[worst] > largest_ratio:
        others = [ratio for name, ratio in ratios.items() if name != worst]
        alone = bool(others) and _upper_median(others) < largest_ratio / outlier
        words = f"The step of {_called(worst)} is {ratios[worst]:.2g} times as long as its weights" + (
            ", that of the others is not: lower its own rate." if alone else ": lower the rate, or clip."
        )
        return _Finding("large step", words, worst if alone else None)
    if trial is None or evidence.loss is None:
        return None
    rise = trial.after - evidence.loss
    most = sum(layer.gradient * layer.update for layer in layers if layer.gradient and layer.update)
    beyond = rise > most or (rise > abs(evidence.loss) and rise > most / 10)
    if math.isfinite(rise) and not (beyond and rise > 1e-3 * abs(evidence.loss)):
        return None
    words = (
        f"The step takes the loss of its own examples from {evidence.loss:.3g} to {trial.after:.3g}, and a "
        f"plane of the same slope would have changed it by {most:.1g} at most: lower the rate."
    )
    return _Finding("large step", words)


def _unused(layers: Sequence[measured.Layer]) -> _Finding | None:
    names = [layer.name for layer in layers if layer.gradient is None and not layer.frozen]
    if not names:
        return None
    words = f"The loss does not depend on {_all_called(names)}: use what is given there, or freeze it if this is meant."
    return _single("unused", words, names)


def _not_updated(layers: Sequence[measured.Layer]) -> _Finding | None:
    names = [layer.name for layer in layers if layer.update == 0 and _known(layer.gradient)]
    moved = [layer.name for layer in layers if _known(layer.update)]
    if not names:
        return None
    if not moved:
        return _Finding("small step", "No layer moves: look at the rate and its schedule.")
    words = (
        f"The gradient reaches {_all_called(names)} and the optimizer does not move it: hand its parameters to the "
        "optimizer, or freeze it if this is meant."
    )
    return _single("not updated", words, names)


def _small_step(evidence: measured.Evidence, outlier: float) -> _Finding | None:
    trial, layers = evidence.trial, evidence.layers
    # Behind weights of 0, or nearly 0, most of the network does not move yet, and this step says nothing of the next.
    waiting = any(layer.gradient == 0 for layer in layers) or any(
        gain < 1 / outlier for gain in _gains_beside(layers).values()
    )
    if trial is None or evidence.loss is None or waiting or not trial.slope < 0:
        return None
    if not trial.further <= evidence.loss + 2 / 3 * measured.STRIDE * trial.slope:
        return None
    words = (
        f"Even {measured.STRIDE} times the step would still lower the loss nearly along a straight line, from "
        f"{evidence.loss:.4g} to {trial.further:.4g}: raise the rate, if this is not the foot or the end of a schedule."
    )
    return _Finding("small step", words)


def _healthy(evidence: measured.Evidence) -> _Finding:
    layers, trial = evidence.layers, evidence.trial
    missing = [
        what
        for what, seen in (
            ("what the layers give", any(layer.given is not None for layer in layers)),
            ("the step", any(layer.update is not None for layer in layers)),
            ("the loss after it", trial is not None),
        )
        if not seen
    ]
    words = "No fault seen" + (f"; not looked at: {', '.join(missing)}." if missing else ".")
    still = [layer.name for layer in layers if layer.gradient == 0]
    if still:
        words += f" {_begin(_all_called(still))} had no gradient yet, behind weights that are 0" + (
            " and moved after a step." if trial is not None else ": look again after a step."
        )
    frozen = [layer.name for layer in layers if layer.frozen]
    return _Finding("healthy", words + (f" Frozen: {', '.join(frozen)}." if frozen else ""))
