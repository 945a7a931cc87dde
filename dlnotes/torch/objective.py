"""Losses, from the outputs of a network to one number a run, and their gradients, on any device.

Every loss takes the outputs of shape `(*runs, batch, classes)` and gives the mean over the batch, of shape `(*runs,)`.
`f_backward` takes the gradient in that number, `1.0` where nothing follows, and gives the gradient in the outputs.
Labels are class numbers, of shape `(*runs, batch)`, or `(batch,)` where all runs share them. Nothing makes the host
wait for the device: on an accelerator the range of labels is left to the device's own check.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from dlnotes import checks, precision
from dlnotes.torch import activations

if TYPE_CHECKING:
    from jaxtyping import Float, Integer


class LossAndGradient(NamedTuple):
    """The loss of each run, and the gradient of each loss in the outputs of its run."""

    loss: Float[Tensor, "*runs"]
    gradient: Float[Tensor, "*runs batch outputs"]


def _classes(logits: Float[Tensor, "*batch classes"]) -> Float[Tensor, "*batch classes"]:
    return checks.axis("logits", checks.floating("logits", logits), -1, at_least=1, described="class")


def _labels(
    logits: Float[Tensor, "*runs batch classes"], labels: Integer[Tensor, "*some"], classes: int = 1
) -> Integer[Tensor, "*runs batch"]:
    checks.axis("logits", checks.floating("logits", logits), -1, at_least=classes, described="classes")
    checks.axis("logits", logits, -2, at_least=1, described="rows")
    checks.labels("labels", labels, logits.shape[-1])
    rows = logits.shape[:-1]
    return checks.shared("labels", labels, rows, axes=1, of="logits ask for").broadcast_to(rows).to(torch.int64)


def _one_hot(
    labels: Integer[Tensor, "*batch"], like: Float[Tensor, "*batch classes"]
) -> Float[Tensor, "*batch classes"]:
    return (labels[..., None] == torch.arange(like.shape[-1], device=like.device)).to(like.dtype)


class _Exponentials(NamedTuple):
    """Exponentials of scores less the largest, apart at one class of each row; see the NumPy backend."""

    others: Float[Tensor, "*batch classes"]
    rest: Float[Tensor, "*batch 1"]
    own: Float[Tensor, "*batch 1"]
    log_total: Float[Tensor, "*batch 1"]


def _exponentials(
    logits: Float[Tensor, "*batch classes"], largest: Float[Tensor, "*batch 1"], apart: Integer[Tensor, "*batch 1"]
) -> _Exponentials:
    exponentials = torch.exp(logits - largest)
    own = exponentials.gather(-1, apart)
    others = exponentials.scatter(-1, apart, 0)
    rest = others.sum(-1, keepdim=True)
    return _Exponentials(others, rest, own, torch.log1p(rest + (own - 1)))


def _share(
    grad_output: float | Float[Tensor, "*runs"], outputs: Float[Tensor, "*runs batch n"]
) -> float | Float[Tensor, "*runs 1 1"]:
    """Spread the gradient in a mean over the rows of its batch."""
    runs = outputs.shape[:-2]
    if not isinstance(checks.one_a_run("grad_output", grad_output, runs), Tensor):
        return grad_output / outputs.shape[-2]
    return grad_output.to(outputs.dtype).broadcast_to(runs)[..., None, None] / outputs.shape[-2]


@precision.rounded_once("logits")
def log_sum_exp(logits: Float[Tensor, "*batch classes"]) -> Float[Tensor, "*batch"]:
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
    largest = _classes(logits).max(-1, keepdim=True)
    m = torch.where(largest.values.isinf(), 0, largest.values)  # exp is then infinite or 0 where it should be
    return (m + _exponentials(logits, m, largest.indices).log_total)[..., 0]


@precision.rounded_once("logits")
def log_sum_exp_backward(
    grad_output: Float[Tensor, "*batch"], logits: Float[Tensor, "*batch classes"]
) -> Float[Tensor, "*batch classes"]:
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
def softmax(logits: Float[Tensor, "*batch classes"]) -> Float[Tensor, "*batch classes"]:
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
    return torch.softmax(_classes(logits), -1)


@precision.rounded_once("logits")
def softmax_backward(
    grad_output: Float[Tensor, "*batch classes"], logits: Float[Tensor, "*batch classes"]
) -> Float[Tensor, "*batch classes"]:
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
    return probabilities * (grad_output - (probabilities * grad_output).sum(-1, keepdim=True))


@precision.rounded_once("logits")
def log_softmax(logits: Float[Tensor, "*batch classes"]) -> Float[Tensor, "*batch classes"]:
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
    m, largest = _classes(logits).max(-1, keepdim=True)
    shifted = logits - m
    # At the largest this is m - m, the constant 0, or nan if m is infinite. Autograd would send 1 there and -1 back,
    # and a small gradient beside them would be lost in rounding.
    own = shifted.detach().gather(-1, largest)
    shifted = shifted.scatter(-1, largest, own)
    rest = torch.exp(shifted).scatter(-1, largest, own).sum(-1, keepdim=True)
    return shifted - torch.log1p(rest)


@precision.rounded_once("logits")
def log_softmax_backward(
    grad_output: Float[Tensor, "*batch classes"], logits: Float[Tensor, "*batch classes"]
) -> Float[Tensor, "*batch classes"]:
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
    m, largest = _classes(logits).max(-1, keepdim=True)
    others, rest, own, _ = _exponentials(logits, m, largest)
    checks.same_shape("grad_output", checks.floating("grad_output", grad_output), "logits", logits)
    others = others / (rest + own)
    probabilities = others.scatter(-1, largest, own / (rest + own))
    complements = (1 - others).scatter(-1, largest, rest / (rest + own))
    return grad_output * complements - probabilities * (grad_output.sum(-1, keepdim=True) - grad_output)


@precision.rounded_once("logits")
def cross_entropy(
    logits: Float[Tensor, "*runs batch classes"], labels: Integer[Tensor, "*runs_or_none batch"]
) -> Float[Tensor, "*runs"]:
    """Give the mean negative log-likelihood of the labels.

        L = -1/N sum_i ln softmax(z_i)_(y_i)

    Where the label has by far the largest score, the loss is the sum of the other exponentials, and not rounded to 0.
    So is autograd's gradient at the label, which is minus the sum of the other probabilities.

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
    labels = _labels(logits, labels)[..., None]
    return (0 - log_softmax(logits).gather(-1, labels))[..., 0].mean(-1)  # a loss of 0 is not to be -0


@precision.rounded_once("logits")
def cross_entropy_backward(
    grad_output: float | Float[Tensor, "*runs"],
    logits: Float[Tensor, "*runs batch classes"],
    labels: Integer[Tensor, "*runs_or_none batch"],
) -> Float[Tensor, "*runs batch classes"]:
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
    labels = _labels(logits, labels)[..., None]
    others, rest, own, _ = _exponentials(logits, logits.amax(-1, keepdim=True), labels)
    return others.scatter(-1, labels, -rest) / (rest + own) * _share(grad_output, logits)


@precision.rounded_once("logits")
def cross_entropy_with_gradient(
    logits: Float[Tensor, "*runs batch classes"], labels: Integer[Tensor, "*runs_or_none batch"]
) -> LossAndGradient:
    """Give the cross-entropy and its gradient together.

        L = -1/N sum_i ln softmax(z_i)_(y_i),    dL/dz_ij = (softmax(z_i)_j - [j = y_i]) / N

    The log-probabilities are computed once, in a pass of PyTorch's own, and turned into the gradient in place. At the
    label it is minus the sum r of the other probabilities, and where that is small the loss is -ln(1 - r). The result
    is no part of autograd's graph.

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
    at_labels, share = _labels(logits, labels)[..., None], 1 / logits.shape[-2]
    gradient = torch.log_softmax(logits.detach(), -1)
    far = -gradient.gather(-1, at_labels)
    rest = gradient.exp_().scatter_(-1, at_labels, 0).sum(-1, keepdim=True)
    gradient.scatter_(-1, at_labels, -rest).mul_(share)
    losses = torch.where(rest < 0.5, -torch.log1p(-rest), far)
    return LossAndGradient(losses[..., 0].mean(-1), gradient)


@precision.rounded_once("logits")
def binary_cross_entropy_with_logits(
    logits: Float[Tensor, "*runs batch"], targets: Float[Tensor, "*runs_or_none batch"]
) -> Float[Tensor, "*runs"]:
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
    size, against = logits.abs(), torch.where(logits > 0, 1 - targets, targets)
    losses = torch.where(against == 0, 0, against * size) + torch.log1p(torch.exp(-size))
    return losses.mean(-1, dtype=logits.dtype)


def _targets(
    logits: Float[Tensor, "*runs batch"], targets: Float[Tensor, "*runs_or_none batch"]
) -> Float[Tensor, "*runs_or_none batch"]:
    checks.axis("logits", checks.floating("logits", logits), -1, at_least=1, described="example")
    checks.reals("targets", checks.floating("targets", targets), at_least=0, at_most=1)
    return checks.shared("targets", targets, logits.shape, axes=1, of="logits ask for")


@precision.rounded_once("logits")
def binary_cross_entropy_with_logits_backward(
    grad_output: float | Float[Tensor, "*runs"],
    logits: Float[Tensor, "*runs batch"],
    targets: Float[Tensor, "*runs_or_none batch"],
) -> Float[Tensor, "*runs batch"]:
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
    return (difference.to(logits.dtype)[..., None] * _share(grad_output, logits[..., None]))[..., 0]


def _outputs(
    outputs: Float[Tensor, "*runs batch features"], targets: Float[Tensor, "*some features"]
) -> Float[Tensor, "*runs batch features"]:
    checks.axis("outputs", checks.floating("outputs", outputs), -2, at_least=1, described="rows")
    checks.shared("targets", checks.floating("targets", targets), outputs.shape, axes=2, of="outputs ask for")
    return (outputs - targets).to(outputs.dtype)


@precision.rounded_once("outputs")
def squared_error(
    outputs: Float[Tensor, "*runs batch features"], targets: Float[Tensor, "*runs_or_none batch features"]
) -> Float[Tensor, "*runs"]:
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
    grad_output: float | Float[Tensor, "*runs"],
    outputs: Float[Tensor, "*runs batch features"],
    targets: Float[Tensor, "*runs_or_none batch features"],
) -> Float[Tensor, "*runs batch features"]:
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
    logits: Float[Tensor, "*runs batch classes"], labels: Integer[Tensor, "*runs_or_none batch"]
) -> Float[Tensor, "*runs batch"]:
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
    return logits.gather(-1, labels[..., None])[..., 0] - _without_labels(logits, labels).amax(-1)


def _without_labels(
    logits: Float[Tensor, "*batch classes"], labels: Integer[Tensor, "*batch"]
) -> Float[Tensor, "*batch classes"]:
    return logits.scatter(-1, labels[..., None], -torch.inf)


def zero_one_loss(
    logits: Float[Tensor, "*runs batch classes"], labels: Integer[Tensor, "*runs_or_none batch"]
) -> Float[Tensor, "*runs"]:
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
    wrong = (logits.argmax(-1) != labels).to(logits.dtype)
    return torch.where(logits.amax(-1).isnan(), torch.nan, wrong).mean(-1)


@precision.rounded_once("logits")
def hinge(
    logits: Float[Tensor, "*runs batch classes"], labels: Integer[Tensor, "*runs_or_none batch"], margin: float = 1.0
) -> Float[Tensor, "*runs"]:
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
    return (margin - margins(logits, labels)).clamp(min=0).mean(-1)


@precision.rounded_once("logits")
def hinge_backward(
    grad_output: float | Float[Tensor, "*runs"],
    logits: Float[Tensor, "*runs batch classes"],
    labels: Integer[Tensor, "*runs_or_none batch"],
    margin: float = 1.0,
) -> Float[Tensor, "*runs batch classes"]:
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
    short = torch.where(given.isnan(), torch.nan, (given < margin).to(logits.dtype))
    labels = _labels(logits, labels)
    rival = _without_labels(logits, labels).argmax(-1)
    return (_one_hot(rival, logits) - _one_hot(labels, logits)) * short[..., None] * _share(grad_output, logits)
