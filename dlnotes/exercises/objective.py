"""Checkers of the chapter on the objective: each takes a reader's answer and says what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from dlnotes.exercises import _answers as answers
from dlnotes.numpy import objective


def _near(given: np.ndarray | float, wanted: np.ndarray | float) -> bool:
    """Say whether numbers agree as far as float32 can tell, in which an answer may be given."""
    return bool(np.allclose(given, wanted, rtol=2e-6, atol=1e-6))


def check_mistakes_left(mistakes_left: Callable[[float, int], int]) -> None:
    """Check a function that bounds the number of wrong predictions by the mean cross-entropy.

    Args:
        mistakes_left: takes the mean cross-entropy in nats and the number of examples.

    Raises:
        AssertionError: if a bound is too small or larger than it need be; the message shows logits that tell.
    """
    for loss, examples in ((0.1, 100), (0.001, 500), (math.log(2) * 1.01, 10), (2.5, 8), (0.0, 5)):
        call = f"mistakes_left({loss:.4g}, {examples})"
        given = float(answers.array(call, mistakes_left(loss, examples), ()))
        # Each wrong example costs ln 2 at least, and it can cost as little as that; there are no more than all.
        wanted = min(examples, math.floor(loss * examples / math.log(2)))
        hint = ""
        if given == min(examples, math.floor(loss * examples)):
            hint = ". A wrong example can cost less than 1: its label's probability is at most one half"
        elif given == math.floor(loss * examples * math.log(2)):
            hint = ". It is multiplied by ln 2: the sum of all losses holds one wrong example for each ln 2"
        elif given == math.floor((1 - math.exp(-loss)) * examples):
            hint = ". The probability that is missing on average is not the share that is wrong"
        elif given == math.ceil(loss * examples / math.log(2)):
            hint = ". It is rounded up, but that many would cost more than there is"
        elif given == min(examples, math.floor(loss * examples / math.log(10))):
            hint = ". The loss is in natural logarithms, so one half costs ln 2, with the natural logarithm too"
        elif given > examples:
            hint = f". There are only {examples} examples"
        elif given != math.floor(given):
            hint = ". A number of examples is whole"
        if given != wanted:
            raise AssertionError(f"{call} is {given:g}, but at most {wanted} can be wrong{hint}")
    answers.right("a wrong example costs at least ln 2")


def check_softmax_backward(softmax_backward: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
    """Check a function that multiplies a gradient by the Jacobian of the softmax, row by row.

    Args:
        softmax_backward: takes the gradient in the probabilities and the probabilities, both (rows, classes).

    Raises:
        AssertionError: if a product is wrong; the message says how it can be told.
    """
    generator = np.random.default_rng(0)
    for rows, classes in ((3, 3), (4, 5)):  # in a square a sum along the wrong axis has a shape that fits
        probabilities = objective.softmax(generator.standard_normal((rows, classes)))
        gradient = generator.standard_normal((rows, classes))
        p, g = probabilities, gradient
        call = f"softmax_backward of {rows} rows and {classes} classes"
        given = answers.array(call, softmax_backward(g.copy(), p.copy()), (rows, classes))
        wanted = p * (g - (p * g).sum(-1, keepdims=True))
        slips = (
            (p * g, "the sum over the probabilities of the row, which every logit moves, is not taken off"),
            (p * (1 - p) * g, "only the diagonal of the Jacobian is in it, but every logit moves every probability"),
            (-wanted, "the sign is turned"),
            (g * (p - (g * p).sum(-1, keepdims=True)), "gradient and probabilities have changed places"),
            (p * (g - g.mean(-1, keepdims=True)), "the mean of the gradient is weighted by the probabilities"),
            (p * (g - g.sum(-1, keepdims=True)), "the sum over the gradient is weighted by the probabilities"),
            (g - (p * g).sum(-1, keepdims=True), "the factor in front, the probability itself, is missing"),
            (p * (g - (p * g).sum()), "the sum runs over all rows, but each row has a Jacobian of its own"),
            (
                p * (g - np.resize((p * g).sum(-1), classes)),
                "the sum of each row is taken from a column: it needs keepdims=True",
            ),
            (p * (g - (p * g).sum(0)), "the sum runs along the rows, but it belongs to the classes of one row"),
        )
        hint = next((f": {words}" for slip, words in slips if _near(given, slip)), "")
        if not hint and not _near(given.sum(-1), 0):
            hint = ": each row must sum to 0, because a common shift of the logits changes nothing"
        if not _near(given, wanted):
            raise AssertionError(f"{call} is off by up to {np.abs(given - wanted).max():.2g}{hint}")
    answers.right("the product with the Jacobian, and no matrix")


def _arriving(parts: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Give the parts one after the other in the same memory, so that none can be looked at again."""
    memory = np.empty_like(parts[0])
    for part in parts:
        memory[...] = part
        yield memory


def check_streaming_log_sum_exp(log_sum_exp: Callable[[Iterable[np.ndarray]], float]) -> None:
    """Check a function that computes a log-sum-exp from parts that it sees once, one after the other.

    Args:
        log_sum_exp: takes an iterable of arrays, each of which is overwritten by the next.

    Raises:
        AssertionError: if a result is wrong; the message says which.
    """
    generator = np.random.default_rng(0)
    small = [generator.standard_normal(5) for _ in range(3)]
    cases = {
        "small logits": small,
        "one part": small[:1],
        "logits around 1000": [part + 1000 for part in small],
        "logits around -1000": [part - 1000 for part in small],
        "parts that rise by 800": [part + 800 * place for place, part in enumerate(small)],
        "parts that fall by 800": [part - 800 * place for place, part in enumerate(small)],
        "parts that rise by 2": [part + 2 * place for place, part in enumerate(small)],
    }
    for name, parts in cases.items():
        with np.errstate(all="ignore"):
            given = _one_number(f"the result for {name}", log_sum_exp(_arriving(parts)))
        wanted = float(objective.log_sum_exp(np.concatenate(parts)))
        if not _near(given, wanted):
            raise AssertionError(
                f"the result for {name} is {given:.6g} in place of {wanted:.6g}{_streaming_hint(given, parts)}"
            )
    answers.right("one number and one sum are all that is kept")


def _one_number(call: str, given: object) -> float:
    """Read one number; NaN and infinity are let through, since what overflowed has a hint of its own."""
    found = np.asarray(given)
    if found.ndim == 0 and found.dtype.kind == "f" and np.isnan(found):
        return math.nan
    return answers.number(call, given, infinite=True)


def _streaming_hint(given: float, parts: list[np.ndarray]) -> str:
    """Say what is likely to have gone wrong in a log-sum-exp that arrives in parts."""
    everything = np.concatenate(parts)
    wanted, largest = float(objective.log_sum_exp(everything)), everything.max()
    if not math.isfinite(given):
        return ". Something overflowed, or everything underflowed: keep the largest logit seen so far apart"
    slips = (
        (
            float(objective.log_sum_exp(np.tile(parts[-1], len(parts)))),
            "The last part was counted again and again: each is overwritten by the next, so use it at once",
        ),
        (wanted - largest, "The largest logit is not added at the end"),
        (float(objective.log_sum_exp(parts[-1])), "It is that of the last part alone: the parts before it are lost"),
        (float(objective.log_sum_exp(parts[0])), "It is that of the first part alone"),
        (math.log(len(everything)) + float(everything.mean()), "It is the mean of the logits, not of exponentials"),
        (wanted - math.log(len(everything)), "A mean of exponentials is taken in place of their sum"),
        (_rescaled(parts, 0), "The old sum is not rescaled when a larger logit comes"),
        (_rescaled(parts, -1), "The old sum is rescaled the wrong way: it must shrink when a larger logit comes"),
        (
            float(sum(objective.log_sum_exp(part) for part in parts)),
            "The logarithms of the parts are added, but it is the exponentials that add up",
        ),
        (float(np.exp(min(wanted, 700.0))), "The logarithm of the sum is missing"),
    )
    return next((f". {words}" for slip, words in slips if _near(given, slip)), "")


def _rescaled(parts: list[np.ndarray], power: int) -> float:
    """Give what comes out if the sum so far is rescaled by a power of the right factor when a larger logit comes."""
    largest, total = float(parts[0].max()), 0.0
    with np.errstate(over="ignore"):
        for part in parts:
            new = max(largest, float(part.max()))
            total = total * float(np.exp(power * (largest - new))) + float(np.exp(part - new).sum())
            largest = new
    return largest + math.log(total)


def check_smoothed_gradient(gradient: Callable[[np.ndarray, int, float], np.ndarray]) -> None:
    """Check a function that gives the gradient of the cross-entropy with a smoothed label in the logits.

    Args:
        gradient: takes the probabilities of one example, its label and the share that is spread over all classes.

    Raises:
        AssertionError: if a gradient is wrong.
    """
    for classes, label, share in ((3, 0, 0.0), (4, 2, 0.1), (10, 9, 0.3)):
        logits = np.random.default_rng(classes).standard_normal(classes)
        probabilities = objective.softmax(logits)
        one = (np.arange(classes) == label).astype(float)
        call = f"gradient of {classes} classes with share {share}"
        given = answers.array(call, gradient(probabilities.copy(), label, share), (classes,))
        wanted = probabilities - (1 - share) * one - share / classes
        hint = ""
        if share and _near(given, probabilities - one):
            hint = ": this is the gradient of the hard label"
        elif share and _near(given, probabilities - (1 - share) * one):
            hint = ": the share that is taken from the label is spread over no class"
        elif share and _near(given, probabilities - (1 - share) * one - share / (classes - 1) * (1 - one)):
            hint = ": the share is spread over the other classes; here it is spread over all of them"
        elif _near(given, -wanted):
            hint = ": the sign is turned"
        elif not _near(given.sum(), 0):
            hint = ": it must sum to 0, as probabilities and targets both sum to 1"
        if not _near(given, wanted):
            raise AssertionError(f"{call} is off by up to {np.abs(given - wanted).max():.2g}{hint}")
    answers.right("probabilities minus targets, whatever the targets are that sum to 1")


def check_backward(backward: Callable[[list[tuple[tuple[int, float], ...]], int], list[float]]) -> None:
    """Check a function that plays a tape backward.

    Args:
        backward: takes the edges of a tape and the place of the output, and gives the derivative of the output in
            every node.

    Raises:
        AssertionError: if an adjoint is wrong.
    """
    line = objective.Tape()
    x = line.variable(3.0)
    product = 2 * x * 5
    fork = objective.Tape()
    w = fork.variable(0.5)
    root = w * w + w.exp()
    middle = objective.Tape()
    a, b = middle.variable(2.0), middle.variable(-1.0)
    inner = a * b
    _ = inner * 3 + a  # comes later and is no part of the output
    for name, tape, output in (
        ("a chain", line, product),
        ("a number used three times", fork, root),
        ("a node in the middle as the output", middle, inner),
    ):
        edges = list(tape.edges)
        given = answers.array(f"backward of {name}", backward(edges, output.place), (len(edges),))
        if edges != tape.edges:
            raise AssertionError(f"backward of {name} changes the edges")
        wanted = tape.backward(output)
        hint = ""
        if given[output.place] != 1:
            hint = ". The derivative of the output in itself is 1"
        elif _near(given, np.arange(len(edges)) == output.place):
            hint = ". Nothing is handed on: the first place to be played is that of the output itself"
        elif _near(given, _played(edges, range(output.place + 1))):
            hint = ". It is played forward: go from the output to the start, so that each share is complete"
        elif _near(given, _played(edges, reversed(range(output.place + 1)), handed_on=False)):
            hint = ". The slopes are added as they are: each is multiplied by the derivative in its result"
        elif name == "a number used three times" and not _near(given[0], wanted[0]):
            hint = ". What comes from several results adds up"
        elif any(given[output.place + 1 :]):
            hint = ". What was recorded after the output is no part of it"
        worst = int(np.argmax(np.abs(given - wanted)))
        found = f"{given[worst]:.6g} in place of {wanted[worst]:.6g}"
        if not _near(given, wanted):
            raise AssertionError(f"backward of {name} gives node {worst} the derivative {found}{hint}")
    answers.right("from the last node to the first, and shares add up")


def _played(edges: list[tuple[tuple[int, float], ...]], places: Iterable[int], handed_on: bool = True) -> np.ndarray:
    """Play the places up to the output, whichever comes last, in this order; with or without the product."""
    order = list(places)
    adjoints = np.zeros(len(edges))
    adjoints[max(order)] = 1.0
    for place in order:
        for operand, slope in edges[place]:
            adjoints[operand] += (adjoints[place] if handed_on else 1.0) * slope
    return adjoints
