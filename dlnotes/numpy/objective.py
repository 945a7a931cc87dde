"""Losses, from the outputs of a network to one number a run, and their gradients.

Every loss takes the outputs of shape `(*runs, batch, classes)` and gives the mean over the batch, of shape `(*runs,)`.
`f_backward` takes the gradient in that number, `1.0` where nothing follows, and gives the gradient in the outputs.
Labels are class numbers, of shape `(*runs, batch)`, or `(batch,)` where all runs share them.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import checks, precision
from dlnotes.numpy import activations

if TYPE_CHECKING:
    from jaxtyping import Float, Integer

    # NumPy gives a scalar where an array would have no axes.
    Array = np.ndarray | np.generic

_BLOCK = 1 << 18  # logits worked on at a time: a block stays in the cache from its maximum to its gradient
_FEW_CLASSES = 32  # up to here a block is turned, so that NumPy runs along the examples


class LossAndGradient(NamedTuple):
    """The loss of each run, and the gradient of each loss in the outputs of its run."""

    loss: Float[Array, "*runs"]
    gradient: Float[Array, "*runs batch outputs"]


def _classes(logits: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:
    return checks.axis("logits", checks.floating("logits", logits), -1, at_least=1, described="class")


def _labels(
    logits: Float[Array, "*runs batch classes"], labels: Integer[Array, "*some"], classes: int = 1
) -> Integer[Array, "*runs batch"]:
    checks.axis("logits", checks.floating("logits", logits), -1, at_least=classes, described="classes")
    checks.axis("logits", logits, -2, at_least=1, described="rows")
    checks.labels("labels", labels, logits.shape[-1])
    rows = logits.shape[:-1]
    return np.broadcast_to(checks.shared("labels", labels, rows, axes=1, of="logits ask for"), rows)


def _at_labels(values: Float[Array, "*batch classes"], labels: Integer[Array, "*batch"]) -> Float[Array, "*batch"]:
    return np.take_along_axis(values, labels[..., None], axis=-1)[..., 0]


def _one_hot(labels: Integer[Array, "*batch"], like: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:
    return (labels[..., None] == np.arange(like.shape[-1])).astype(like.dtype)


class _Exponentials(NamedTuple):
    """Exponentials of scores less the largest, apart at one class of each row: the label, or the largest itself.

    Attributes:
        others: exp(z_j - m), with 0 at that class.
        rest: Their sum, R.
        own: e = exp(z_y - m).
        log_total: ln(R + e), as ln(1 + (R + (e - 1))): where e is 1, R counts however small it is.
    """

    others: Float[Array, "*batch classes"]
    rest: Float[Array, "*batch 1"]
    own: Float[Array, "*batch 1"]
    log_total: Float[Array, "*batch 1"]


def _exponentials(
    logits: Float[Array, "*batch classes"], largest: Float[Array, "*batch 1"], apart: Integer[Array, "*batch"]
) -> _Exponentials:
    others = np.exp(logits - largest)
    own = np.take_along_axis(others, apart[..., None], axis=-1)
    np.put_along_axis(others, apart[..., None], 0, axis=-1)
    rest = others.sum(-1, keepdims=True)
    return _Exponentials(others, rest, own, np.log1p(rest + (own - 1)))


def _share(
    grad_output: float | Float[Array, "*runs"], outputs: Float[Array, "*runs batch n"]
) -> Float[Array, "*runs 1 1"]:
    """Spread the gradient in a mean over the rows of its batch."""
    runs = outputs.shape[:-2]
    grad_output = np.asarray(checks.one_a_run("grad_output", grad_output, runs), outputs.dtype)
    return np.broadcast_to(grad_output, runs)[..., None, None] / outputs.shape[-2]


@precision.rounded_once("logits")
def log_sum_exp(logits: Float[Array, "*batch classes"]) -> Float[Array, "*batch"]:
    """Give the logarithm of a sum of exponentials, without overflow.

        f(z) = ln sum_j exp(z_j) = m + ln sum_j exp(z_j - m),    m = max_j z_j

    Args:
        logits: Scores, of shape (*batch, classes), with at least one class.

    Returns:
        One number a row, of shape (*batch,) and the dtype of `logits`.

    Raises:
        TypeError: If `logits` does not hold floating-point numbers.
        ValueError: If there is no class.

    Source: derived in objective#eq-shift.
    """
    m = _classes(logits).max(-1, keepdims=True)
    m = np.where(np.isinf(m), 0, m)  # exp is then infinite or 0 where it should be
    with np.errstate(divide="ignore"):
        return (m + _exponentials(logits, m, logits.argmax(-1)).log_total)[..., 0]


@precision.rounded_once("logits")
def log_sum_exp_backward(
    grad_output: Float[Array, "*batch"], logits: Float[Array, "*batch classes"]
) -> Float[Array, "*batch classes"]:
    """Carry a gradient back through the log-sum-exp, whose slopes are the softmax.

        dL/dz_j = dL/df softmax(z)_j

    Args:
        grad_output: Gradient of the loss in the output, of shape (*batch,).
        logits: Scores that the forward pass took, of shape (*batch, classes).

    Returns:
        Gradient of the loss in `logits`.

    Raises:
        TypeError: If an argument does not hold floating-point numbers.
        ValueError: If the shapes do not fit.

    Source: derivative of `log_sum_exp`.
    """
    probabilities = softmax(logits)
    checks.shaped("grad_output", checks.floating("grad_output", grad_output), logits.shape[:-1], of="logits has rows")
    return grad_output[..., None] * probabilities


@precision.rounded_once("logits")
def softmax(logits: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:
    """Turn scores into probabilities.

        p_j = exp(z_j) / sum_k exp(z_k) = exp(z_j - m) / sum_k exp(z_k - m),    m = max_k z_k

    Args:
        logits: Scores, of shape (*batch, classes), with at least one class.

    Returns:
        Probabilities that sum to 1 in each row, of the shape and dtype of `logits`.

    Raises:
        TypeError: If `logits` does not hold floating-point numbers.
        ValueError: If there is no class.

    Source: definition, as in objective#eq-softmax.
    """
    exponentials = np.exp(_classes(logits) - logits.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


@precision.rounded_once("logits")
def softmax_backward(
    grad_output: Float[Array, "*batch classes"], logits: Float[Array, "*batch classes"]
) -> Float[Array, "*batch classes"]:
    """Carry a gradient back through the softmax.

        dL/dz_j = p_j (dL/dp_j - sum_k p_k dL/dp_k)

    Args:
        grad_output: Gradient of the loss in the probabilities, of the shape of `logits`.
        logits: Scores that the forward pass took, of shape (*batch, classes).

    Returns:
        Gradient of the loss in `logits`.

    Raises:
        TypeError: If an argument does not hold floating-point numbers.
        ValueError: If the shapes differ.

    Source: derived in objective#eq-jacobian.
    """
    probabilities = softmax(logits)
    checks.same_shape("grad_output", checks.floating("grad_output", grad_output), "logits", logits)
    return probabilities * (grad_output - (probabilities * grad_output).sum(-1, keepdims=True))


@precision.rounded_once("logits")
def log_softmax(logits: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:
    """Give the logarithms of the softmax probabilities, without computing the probabilities.

        ln p_j = z_j - m - ln sum_k exp(z_k - m),    m = max_k z_k

    Args:
        logits: Scores, of shape (*batch, classes), with at least one class.

    Returns:
        Numbers of at most 0, of the shape and dtype of `logits`.

    Raises:
        TypeError: If `logits` does not hold floating-point numbers.
        ValueError: If there is no class.

    Source: derived in objective#eq-shift.
    """
    m = _classes(logits).max(-1, keepdims=True)
    return logits - m - _exponentials(logits, m, logits.argmax(-1)).log_total


@precision.rounded_once("logits")
def log_softmax_backward(
    grad_output: Float[Array, "*batch classes"], logits: Float[Array, "*batch classes"]
) -> Float[Array, "*batch classes"]:
    """Carry a gradient back through the logarithm of the softmax.

        dL/dz_j = g_j - p_j sum_k g_k = g_j (1 - p_j) - p_j sum_(k != j) g_k,    g = dL/d ln p

    In the second form nothing cancels where a probability is near 1.

    Args:
        grad_output: Gradient of the loss in the log-probabilities, of the shape of `logits`.
        logits: Scores that the forward pass took, of shape (*batch, classes).

    Returns:
        Gradient of the loss in `logits`.

    Raises:
        TypeError: If an argument does not hold floating-point numbers.
        ValueError: If the shapes differ.

    Source: derivative of `log_softmax`.
    """
    largest = _classes(logits).argmax(-1)
    others, rest, own, _ = _exponentials(logits, logits.max(-1, keepdims=True), largest)
    checks.same_shape("grad_output", checks.floating("grad_output", grad_output), "logits", logits)
    probabilities = others / (rest + own)
    complements = 1 - probabilities
    np.put_along_axis(probabilities, largest[..., None], own / (rest + own), axis=-1)
    np.put_along_axis(complements, largest[..., None], rest / (rest + own), axis=-1)
    return grad_output * complements - probabilities * (grad_output.sum(-1, keepdims=True) - grad_output)


@precision.rounded_once("logits")
def cross_entropy(
    logits: Float[Array, "*runs batch classes"], labels: Integer[Array, "*runs_or_none batch"]
) -> Float[Array, "*runs"]:
    """Give the mean negative log-likelihood of the labels.

        L = -1/N sum_i ln softmax(z_i)_(y_i)

    Where the label has by far the largest score, the loss is the sum of the other exponentials, and not rounded to 0.

    Args:
        logits: Scores, of shape (*runs, batch, classes), not probabilities.
        labels: Classes, integers from 0 to classes - 1, of shape (*runs, batch) or (batch,).

    Returns:
        The loss of each run, of shape (*runs,) and the dtype of `logits`.

    Raises:
        TypeError: If `logits` does not hold floating-point numbers or `labels` integers.
        ValueError: If a label is no class, a shape does not fit, or the batch is empty.

    Source: derived in objective#eq-lse.
    """
    labels = _labels(logits, labels)
    largest = logits.max(-1, keepdims=True)
    log_total = _exponentials(logits, largest, labels).log_total
    return (log_total[..., 0] - (_at_labels(logits, labels) - largest[..., 0])).mean(-1)


@precision.rounded_once("logits")
def cross_entropy_backward(
    grad_output: float | Float[Array, "*runs"],
    logits: Float[Array, "*runs batch classes"],
    labels: Integer[Array, "*runs_or_none batch"],
) -> Float[Array, "*runs batch classes"]:
    """Carry a gradient back through the cross-entropy: probabilities minus labels.

        dL/dz_ij = (softmax(z_i)_j - [j = y_i]) / N

    At the label that is minus the sum of the other probabilities, which does not cancel where the label's is near 1.

    Args:
        grad_output: Gradient in the loss of each run, of shape (*runs,), or a number; 1.0 where nothing follows.
        logits: Scores that the forward pass took, of shape (*runs, batch, classes).
        labels: Classes that the forward pass took, of shape (*runs, batch) or (batch,).

    Returns:
        Gradient in `logits`.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a label is no class, a shape does not fit, or the batch is empty.

    Source: derived in objective#eq-p-minus-y.
    """
    labels = _labels(logits, labels)
    others, rest, own, _ = _exponentials(logits, logits.max(-1, keepdims=True), labels)
    np.put_along_axis(others, labels[..., None], -rest, axis=-1)
    return others / (rest + own) * _share(grad_output, logits)


@checks.before(_labels)
def cross_entropy_with_gradient(
    logits: Float[Array, "*runs batch classes"], labels: Integer[Array, "*runs_or_none batch"]
) -> LossAndGradient:
    """Give the cross-entropy and its gradient in one pass over the logits.

        L = -1/N sum_i ln softmax(z_i)_(y_i),    dL/dz_ij = (softmax(z_i)_j - [j = y_i]) / N

    The same numbers, to rounding, as `cross_entropy` and `cross_entropy_backward`, in a fraction of their time: the
    rows are worked on in blocks that stay in the cache, in place.

    Args:
        logits: Scores, of shape (*runs, batch, classes), not probabilities.
        labels: Classes, integers from 0 to classes - 1, of shape (*runs, batch) or (batch,).

    Returns:
        The loss of each run, of shape (*runs,), and the gradient, of the shape of `logits`.

    Raises:
        TypeError: If `logits` does not hold floating-point numbers or `labels` integers.
        ValueError: If a label is no class, a shape does not fit, or the batch is empty.

    Source: derived in objective#eq-lse and objective#eq-p-minus-y.
    """
    if precision.is_half(logits):  # here and not around it: the training loop calls this in every step
        return precision.rounded(cross_entropy_with_gradient(precision.single(logits), labels), logits.dtype)
    *runs, batch, classes = logits.shape
    rows = logits.reshape(-1, classes)
    row_labels = (labels if labels.size == len(rows) else np.broadcast_to(labels, logits.shape[:-1])).reshape(-1)
    block_loss = _loss_of_few_classes if classes <= _FEW_CLASSES else _loss_of_many_classes
    gradient = np.empty(rows.shape, logits.dtype)
    if rows.size <= _BLOCK:
        losses = block_loss(rows, row_labels, 1 / batch, gradient)
    else:
        step = max(1, _BLOCK // classes)
        blocks = [slice(start, start + step) for start in range(0, len(rows), step)]
        losses = np.concatenate([block_loss(rows[at], row_labels[at], 1 / batch, gradient[at]) for at in blocks])
    return LossAndGradient(np.add.reduce(losses.reshape(*runs, batch), -1) / batch, gradient.reshape(logits.shape))


def _loss_of_many_classes(
    logits: Float[np.ndarray, "rows classes"],
    labels: Integer[np.ndarray, "rows"],
    share: float,
    gradient: Float[np.ndarray, "rows classes"],
) -> Float[np.ndarray, "rows"]:
    """Give the loss of each row, and write `share` times its gradient to `gradient`."""
    at_labels = (np.arange(len(labels)), labels)
    np.subtract(logits, logits.max(-1, keepdims=True), out=gradient)
    shifted = gradient[at_labels]
    np.exp(gradient, out=gradient)
    own = gradient[at_labels]
    gradient[at_labels] = 0
    rest = gradient.sum(-1)
    total = rest + own
    gradient[at_labels] = -rest
    gradient *= (share / total)[:, None]
    return _log_of_sum(total, rest, own) - shifted


def _loss_of_few_classes(
    logits: Float[np.ndarray, "rows classes"],
    labels: Integer[np.ndarray, "rows"],
    share: float,
    gradient: Float[np.ndarray, "rows classes"],
) -> Float[np.ndarray, "rows"]:
    """Do the same on the block turned: a sum of ten numbers costs NumPy more to start than to add."""
    columns = logits.T.copy()
    flat, rows = columns.reshape(-1), len(labels)
    at_labels = labels.astype(np.intp, copy=False) * rows + np.arange(rows)
    columns -= np.maximum.reduce(columns)
    shifted = flat.take(at_labels)
    np.exp(columns, out=columns)
    own = flat.take(at_labels)
    flat[at_labels] = 0
    # One row alone would be added up in another order by a sum, and not be what it is among others.
    rest = np.add.reduce(columns) if rows > 1 else np.add.accumulate(columns)[-1]
    total = rest + own
    flat[at_labels] = -rest
    columns *= share / total
    gradient[...] = columns.T
    return _log_of_sum(total, rest, own) - shifted


def _log_of_sum(
    total: Float[np.ndarray, "rows"], rest: Float[np.ndarray, "rows"], own: Float[np.ndarray, "rows"]
) -> Float[np.ndarray, "rows"]:
    """Give ln(rest + own), of which total is the rounded sum; however small the rest is beside an own of 1, it counts.

    ln(total + e) = ln total + e / total,  e = rest + (own - total), what rounding took. NumPy has a quick logarithm,
    and no quick ln(1 + x). Where own is the smaller of the two, e is wrong by a rounding, and the loss above ln 2.
    """
    own -= total
    own += rest
    own /= total
    own += np.log(total)
    return own


@precision.rounded_once("logits")
def binary_cross_entropy_with_logits(
    logits: Float[Array, "*runs batch"], targets: Float[Array, "*runs_or_none batch"]
) -> Float[Array, "*runs"]:
    """Give the mean negative log-likelihood of targets between 0 and 1 under a sigmoid.

        L = -1/N sum_i (t_i ln s(z_i) + (1 - t_i) ln(1 - s(z_i))) = 1/N sum_i (softplus(z_i) - t_i z_i)

    Computed as w |z| + ln(1 + exp(-|z|)), with w = 1 - t where z > 0 and t elsewhere, which neither overflows nor
    cancels. Where w is 0, the first term is 0 for infinite z too.

    Args:
        logits: Scores, one an example, of shape (*runs, batch).
        targets: Probabilities of the positive class, from 0 to 1, of shape (*runs, batch) or (batch,).

    Returns:
        The loss of each run, of shape (*runs,) and the dtype of `logits`.

    Raises:
        TypeError: If an argument does not hold floating-point numbers.
        ValueError: If a target is not from 0 to 1, a shape does not fit, or the batch is empty.

    Source: definition; the second form by softplus(-z) = softplus(z) - z, as in objective#eq-binary.
    """
    _targets(logits, targets)
    size, against = np.abs(logits), np.where(logits > 0, 1 - targets, targets)
    with np.errstate(invalid="ignore"):  # 0 times infinity, which is not taken
        losses = np.where(against == 0, 0, against * size) + np.log1p(np.exp(-size))
    return losses.mean(-1).astype(logits.dtype)


def _targets(
    logits: Float[Array, "*runs batch"], targets: Float[Array, "*runs_or_none batch"]
) -> Float[Array, "*runs_or_none batch"]:
    checks.axis("logits", checks.floating("logits", logits), -1, at_least=1, described="example")
    checks.reals("targets", checks.floating("targets", targets), at_least=0, at_most=1)
    return checks.shared("targets", targets, logits.shape, axes=1, of="logits ask for")


@precision.rounded_once("logits")
def binary_cross_entropy_with_logits_backward(
    grad_output: float | Float[Array, "*runs"],
    logits: Float[Array, "*runs batch"],
    targets: Float[Array, "*runs_or_none batch"],
) -> Float[Array, "*runs batch"]:
    """Carry a gradient back through the binary cross-entropy: probability minus target.

        dL/dz_i = (s(z_i) - t_i) / N = ((1 - t_i) s(z_i) - t_i s(-z_i)) / N

    The second form does not cancel where the probability is near its target of 1.

    Args:
        grad_output: Gradient in the loss of each run, of shape (*runs,), or a number; 1.0 where nothing follows.
        logits: Scores that the forward pass took, of shape (*runs, batch).
        targets: Targets that the forward pass took, of shape (*runs, batch) or (batch,).

    Returns:
        Gradient in `logits`.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a target is not from 0 to 1, a shape does not fit, or the batch is empty.

    Source: derived in objective#eq-binary.
    """
    _targets(logits, targets)
    difference = (1 - targets) * activations.sigmoid(logits) - targets * activations.sigmoid(-logits)
    return difference.astype(logits.dtype, copy=False) * _share(grad_output, logits[..., None])[..., 0]


def _outputs(
    outputs: Float[Array, "*runs batch features"], targets: Float[Array, "*some features"]
) -> Float[Array, "*runs batch features"]:
    checks.axis("outputs", checks.floating("outputs", outputs), -2, at_least=1, described="rows")
    checks.shared("targets", checks.floating("targets", targets), outputs.shape, axes=2, of="outputs ask for")
    return (outputs - targets).astype(outputs.dtype, copy=False)


@precision.rounded_once("outputs")
def squared_error(
    outputs: Float[Array, "*runs batch features"], targets: Float[Array, "*runs_or_none batch features"]
) -> Float[Array, "*runs"]:
    """Give half the squared distance from outputs to targets, the mean over the batch.

        L = 1/(2N) sum_i |o_i - t_i|^2

    Half the sum over features, so that the gradient is outputs minus targets; `torch.nn.functional.mse_loss`, the mean
    over features too, is 2 / features times as large.

    Args:
        outputs: Outputs of the network, of shape (*runs, batch, features).
        targets: What they should be, of shape (*runs, batch, features) or (batch, features).

    Returns:
        The loss of each run, of shape (*runs,) and the dtype of `outputs`.

    Raises:
        TypeError: If an argument does not hold floating-point numbers.
        ValueError: If a shape does not fit or the batch is empty.

    Source: definition.
    """
    difference = _outputs(outputs, targets)
    return 0.5 * (difference * difference).sum(-1).mean(-1)


@precision.rounded_once("outputs")
def squared_error_backward(
    grad_output: float | Float[Array, "*runs"],
    outputs: Float[Array, "*runs batch features"],
    targets: Float[Array, "*runs_or_none batch features"],
) -> Float[Array, "*runs batch features"]:
    """Carry a gradient back through the squared error: outputs minus targets.

        dL/do_i = (o_i - t_i) / N

    Args:
        grad_output: Gradient in the loss of each run, of shape (*runs,), or a number; 1.0 where nothing follows.
        outputs: Outputs that the forward pass took, of shape (*runs, batch, features).
        targets: Targets that the forward pass took, of shape (*runs, batch, features) or (batch, features).

    Returns:
        Gradient in `outputs`.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a shape does not fit or the batch is empty.

    Source: derivative of `squared_error`.
    """
    return _outputs(outputs, targets) * _share(grad_output, outputs)


@precision.rounded_once("logits")
def margins(
    logits: Float[Array, "*runs batch classes"], labels: Integer[Array, "*runs_or_none batch"]
) -> Float[Array, "*runs batch"]:
    """Give by how much the label's score exceeds the best other one; above 0 where the prediction is right.

        M_i = z_(i,y_i) - max_(j != y_i) z_ij

    Args:
        logits: Scores, of shape (*runs, batch, classes), with at least two classes.
        labels: Classes, integers from 0 to classes - 1, of shape (*runs, batch) or (batch,).

    Returns:
        Margins, of shape (*runs, batch) and the dtype of `logits`.

    Raises:
        TypeError: If `logits` does not hold floating-point numbers or `labels` integers.
        ValueError: If a label is no class, a shape does not fit, or the batch is empty.

    Source: definition, as in objective#eq-margin.
    """
    labels = _labels(logits, labels, classes=2)
    return _at_labels(logits, labels) - _without_labels(logits, labels).max(-1)


def _without_labels(
    logits: Float[Array, "*batch classes"], labels: Integer[Array, "*batch"]
) -> Float[Array, "*batch classes"]:
    rivals = np.array(logits)
    np.put_along_axis(rivals, labels[..., None], -np.inf, axis=-1)
    return rivals


def zero_one_loss(
    logits: Float[Array, "*runs batch classes"], labels: Integer[Array, "*runs_or_none batch"]
) -> Float[Array, "*runs"]:
    """Give the share of wrong predictions.

        L = 1/N sum_i [argmax_j z_ij != y_i]

    The prediction is the class of the largest score, the first of them in a tie. A row that holds a nan predicts
    nothing: its run gets nan.

    Args:
        logits: Scores, of shape (*runs, batch, classes).
        labels: Classes, integers from 0 to classes - 1, of shape (*runs, batch) or (batch,).

    Returns:
        The share of each run, from 0 to 1, of shape (*runs,) and the dtype of `logits`.

    Raises:
        TypeError: If `logits` does not hold floating-point numbers or `labels` integers.
        ValueError: If a label is no class, a shape does not fit, or the batch is empty.

    Source: definition.
    """
    labels = _labels(logits, labels)
    wrong = np.where(np.isnan(logits.max(-1)), np.nan, logits.argmax(-1) != labels)
    return wrong.mean(-1).astype(logits.dtype)


@precision.rounded_once("logits")
def hinge(
    logits: Float[Array, "*runs batch classes"], labels: Integer[Array, "*runs_or_none batch"], margin: float = 1.0
) -> Float[Array, "*runs"]:
    """Give by how much margins fall short of the margin asked for, the mean over the batch.

        L = 1/N sum_i max(0, margin - M_i),    M_i = z_(i,y_i) - max_(j != y_i) z_ij

    With two classes and logits (0, z) this is the hinge of a binary classifier.

    Args:
        logits: Scores, of shape (*runs, batch, classes), with at least two classes.
        labels: Classes, integers from 0 to classes - 1, of shape (*runs, batch) or (batch,).
        margin: The margin asked for, above 0.

    Returns:
        The loss of each run, of shape (*runs,) and the dtype of `logits`.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a label is no class, a shape does not fit, the batch is empty, or `margin` is not above 0.

    Source: definition.
    """
    margin = checks.real("margin", margin, above=0)
    return np.maximum(margin - margins(logits, labels), 0).mean(-1)


@precision.rounded_once("logits")
def hinge_backward(
    grad_output: float | Float[Array, "*runs"],
    logits: Float[Array, "*runs batch classes"],
    labels: Integer[Array, "*runs_or_none batch"],
    margin: float = 1.0,
) -> Float[Array, "*runs batch classes"]:
    """Carry a gradient back through the hinge.

        dL/dz_ij = [M_i < margin] ([j = r_i] - [j = y_i]) / N,    r_i the first best class besides y_i

    Args:
        grad_output: Gradient in the loss of each run, of shape (*runs,), or a number; 1.0 where nothing follows.
        logits: Scores that the forward pass took, of shape (*runs, batch, classes).
        labels: Classes that the forward pass took, of shape (*runs, batch) or (batch,).
        margin: The margin that the forward pass took.

    Returns:
        Gradient in `logits`.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a label is no class, a shape does not fit, the batch is empty, or `margin` is not above 0.

    Source: derivative of `hinge`.
    """
    margin, given = checks.real("margin", margin, above=0), margins(logits, labels)
    short = np.where(np.isnan(given), np.nan, given < margin).astype(logits.dtype)
    labels = _labels(logits, labels)
    rival = _without_labels(logits, labels).argmax(-1)
    return (_one_hot(rival, logits) - _one_hot(labels, logits)) * short[..., None] * _share(grad_output, logits)


class Node:
    """A number on a tape. Arithmetic with nodes and plain numbers puts the result on the same tape.

        c = a + b: dc/da = 1, dc/db = 1        c = a b: dc/da = b, dc/db = a        c = a / b: da 1/b, db -c/b
        c = exp(a): dc/da = c                  c = ln(a): dc/da = 1/a

    Attributes:
        tape: Where it is written.
        place: Its number on the tape, from 0.
        value: What it is.
    """

    def __init__(self, tape: Tape, place: int, value: float) -> None:
        self.tape, self.place, self.value = tape, place, value

    def _apply(self, other: Node | float, value: Callable, slopes: Callable, swap: bool = False) -> Node:
        other = other if isinstance(other, Node) else self.tape.variable(other)
        a, b = (other, self) if swap else (self, other)
        return self.tape.record(value(a.value, b.value), *zip((a, b), slopes(a.value, b.value), strict=True))

    def __add__(self, other: Node | float) -> Node:
        """Give the sum."""
        return self._apply(other, operator.add, lambda a, b: (1.0, 1.0))

    def __mul__(self, other: Node | float) -> Node:
        """Give the product."""
        return self._apply(other, operator.mul, lambda a, b: (b, a))

    def __sub__(self, other: Node | float, swap: bool = False) -> Node:
        """Give the difference."""
        return self._apply(other, operator.sub, lambda a, b: (1.0, -1.0), swap)

    def __truediv__(self, other: Node | float, swap: bool = False) -> Node:
        """Give the quotient."""
        return self._apply(other, operator.truediv, lambda a, b: (1 / b, -a / (b * b)), swap)

    def __rsub__(self, other: float) -> Node:
        """Give a number less the node."""
        return self.__sub__(other, swap=True)

    def __rtruediv__(self, other: float) -> Node:
        """Give a number over the node."""
        return self.__truediv__(other, swap=True)

    __radd__, __rmul__ = __add__, __mul__

    def exp(self) -> Node:
        """Give the exponential."""
        value = math.exp(self.value)
        return self.tape.record(value, (self, value))

    def log(self) -> Node:
        """Give the natural logarithm."""
        return self.tape.record(math.log(self.value), (self, 1 / self.value))


class Tape:
    """A record of scalar operations in the order in which they ran, with the slope of each at its numbers.

    Played backward it gives the derivatives of one result in everything that was recorded. This is back-propagation.

    Attributes:
        nodes: Every number, in order.
        edges: For each node, what it was made of: pairs of an earlier place and the slope there.

    Source: Rumelhart et al. (1986) for networks; derived in objective#eq-adjoint.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.edges: list[tuple[tuple[int, float], ...]] = []

    def variable(self, value: float) -> Node:
        """Write down a number that is made of nothing.

        Args:
            value: A finite number.

        Returns:
            Its node.

        Raises:
            TypeError: If `value` is no real number.
            ValueError: If it is not finite.
        """
        return self.record(checks.real("value", value))

    def record(self, value: float, *edges: tuple[Node, float]) -> Node:
        """Write down the result of an operation.

        Args:
            value: The result.
            edges: For each operand its node, and the derivative of the result in it.

        Returns:
            The node of the result.

        Raises:
            ValueError: If an operand is on another tape.
        """
        for operand, _ in edges:
            self._own("operand", operand)
        self.nodes.append(Node(self, len(self.nodes), float(value)))
        self.edges.append(tuple((operand.place, slope) for operand, slope in edges))
        return self.nodes[-1]

    def backward(self, output: Node) -> Float[np.ndarray, " nodes"]:
        """Give the derivative of a node in every node of the tape.

            adjoint_i = sum over operations k that took i of adjoint_k dv_k/dv_i,    adjoint of the output = 1

        Args:
            output: The node to be differentiated.

        Returns:
            The adjoints, by place; 0 for what the output was not made of.

        Raises:
            ValueError: If the node is on another tape.
        """
        self._own("output", output)
        adjoints = np.zeros(len(self.nodes))
        adjoints[output.place] = 1
        for place in reversed(range(output.place + 1)):
            for operand, slope in self.edges[place]:
                adjoints[operand] += adjoints[place] * slope
        return adjoints

    def _own(self, name: str, node: Node) -> None:
        if getattr(node, "tape", None) is not self:
            raise ValueError(f"{name} must be a node of this tape, got {node!r}")
