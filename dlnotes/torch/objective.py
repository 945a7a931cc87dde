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

from dlnotes import checks
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
    return checks.broadcasts("labels", labels, rows, of="logits ask for").broadcast_to(rows).to(torch.int64)


def _one_hot(
    labels: Integer[Tensor, "*batch"], like: Float[Tensor, "*batch classes"]
) -> Float[Tensor, "*batch classes"]:
    return (labels[..., None] == torch.arange(like.shape[-1], device=like.device)).to(like.dtype)


def _share(
    grad_output: float | Float[Tensor, "*runs"], outputs: Float[Tensor, "*runs batch n"]
) -> float | Float[Tensor, "*runs 1 1"]:
    """Spread the gradient in a mean over the rows of its batch."""
    runs = outputs.shape[:-2]
    if not isinstance(checks.per_run("grad_output", grad_output, runs), Tensor):
        return grad_output / outputs.shape[-2]
    return grad_output.to(outputs.dtype).broadcast_to(runs)[..., None, None] / outputs.shape[-2]


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

    Source: derived in the chapter.
    """
    return torch.logsumexp(_classes(logits), -1)


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

    Source: derived in the chapter.
    """
    probabilities = softmax(logits)
    checks.shaped("grad_output", checks.floating("grad_output", grad_output), logits.shape[:-1], of="logits has rows")
    return grad_output[..., None] * probabilities


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

    Source: derived in the chapter.
    """
    return torch.softmax(_classes(logits), -1)


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

    Source: derived in the chapter.
    """
    probabilities = softmax(logits)
    checks.same_shape("grad_output", checks.floating("grad_output", grad_output), "logits", logits)
    return probabilities * (grad_output - (probabilities * grad_output).sum(-1, keepdim=True))


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

    Source: derived in the chapter.
    """
    return torch.log_softmax(_classes(logits), -1)


def log_softmax_backward(
    grad_output: Float[Tensor, "*batch classes"], logits: Float[Tensor, "*batch classes"]
) -> Float[Tensor, "*batch classes"]:
    """Carry a gradient back through the logarithm of the softmax.

        dL/dz_j = g_j - p_j sum_k g_k,    g = dL/d ln p

    Args:
        grad_output: Gradient of the loss in the log-probabilities, of the shape of `logits`.
        logits: Scores that the forward pass took, of shape (*batch, classes).

    Returns:
        Gradient of the loss in `logits`.

    Raises:
        TypeError: If an argument does not hold floating-point numbers.
        ValueError: If the shapes differ.

    Source: derived in the chapter.
    """
    probabilities = softmax(logits)
    checks.same_shape("grad_output", checks.floating("grad_output", grad_output), "logits", logits)
    return grad_output - probabilities * grad_output.sum(-1, keepdim=True)


def cross_entropy(
    logits: Float[Tensor, "*runs batch classes"], labels: Integer[Tensor, "*runs_or_none batch"]
) -> Float[Tensor, "*runs"]:
    """Give the mean negative log-likelihood of the labels.

        L = -1/N sum_i ln softmax(z_i)_(y_i)

    Args:
        logits: Scores, of shape (*runs, batch, classes), not probabilities.
        labels: Classes, integers from 0 to classes - 1, of shape (*runs, batch) or (batch,).

    Returns:
        The loss of each run, of shape (*runs,) and the dtype of `logits`.

    Raises:
        TypeError: If `logits` does not hold floating-point numbers or `labels` integers.
        ValueError: If a label is no class, a shape does not fit, or the batch is empty.

    Source: derived in the chapter.
    """
    labels = _labels(logits, labels)
    return -log_softmax(logits).gather(-1, labels[..., None])[..., 0].mean(-1)


def cross_entropy_backward(
    grad_output: float | Float[Tensor, "*runs"],
    logits: Float[Tensor, "*runs batch classes"],
    labels: Integer[Tensor, "*runs_or_none batch"],
) -> Float[Tensor, "*runs batch classes"]:
    """Carry a gradient back through the cross-entropy: probabilities minus labels.

        dL/dz_ij = (softmax(z_i)_j - [j = y_i]) / N

    Args:
        grad_output: Gradient in the loss of each run, of shape (*runs,), or a number; 1.0 where nothing follows.
        logits: Scores that the forward pass took, of shape (*runs, batch, classes).
        labels: Classes that the forward pass took, of shape (*runs, batch) or (batch,).

    Returns:
        Gradient in `logits`.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a label is no class, a shape does not fit, or the batch is empty.

    Source: derived in the chapter.
    """
    labels = _labels(logits, labels)
    return (softmax(logits) - _one_hot(labels, logits)) * _share(grad_output, logits)


def cross_entropy_with_gradient(
    logits: Float[Tensor, "*runs batch classes"], labels: Integer[Tensor, "*runs_or_none batch"]
) -> LossAndGradient:
    """Give the cross-entropy and its gradient together.

        L = -1/N sum_i ln softmax(z_i)_(y_i),    dL/dz_ij = (softmax(z_i)_j - [j = y_i]) / N

    The log-probabilities are computed once, in a pass of PyTorch's own, and turned into the gradient in place. The
    result is no part of autograd's graph.

    Args:
        logits: Scores, of shape (*runs, batch, classes), not probabilities.
        labels: Classes, integers from 0 to classes - 1, of shape (*runs, batch) or (batch,).

    Returns:
        The loss of each run, of shape (*runs,), and the gradient, of the shape of `logits`.

    Raises:
        TypeError: If `logits` does not hold floating-point numbers or `labels` integers.
        ValueError: If a label is no class, a shape does not fit, or the batch is empty.

    Source: derived in the chapter.
    """
    at_labels, share = _labels(logits, labels)[..., None], 1 / logits.shape[-2]
    gradient = log_softmax(logits.detach())
    loss = -gradient.gather(-1, at_labels)[..., 0].mean(-1)
    gradient.exp_().mul_(share)
    gradient.scatter_add_(-1, at_labels, torch.full_like(at_labels, -share, dtype=gradient.dtype))
    return LossAndGradient(loss, gradient)


def binary_cross_entropy_with_logits(
    logits: Float[Tensor, "*runs batch"], targets: Float[Tensor, "*runs_or_none batch"]
) -> Float[Tensor, "*runs"]:
    """Give the mean negative log-likelihood of targets between 0 and 1 under a sigmoid.

        L = -1/N sum_i (t_i ln s(z_i) + (1 - t_i) ln(1 - s(z_i))) = 1/N sum_i (softplus(z_i) - t_i z_i)

    Computed as max(z, 0) - t z + ln(1 + exp(-|z|)), which neither overflows nor cancels for a target of 0 or 1.

    Args:
        logits: Scores, one an example, of shape (*runs, batch).
        targets: Probabilities of the positive class, from 0 to 1, of shape (*runs, batch) or (batch,).

    Returns:
        The loss of each run, of shape (*runs,) and the dtype of `logits`.

    Raises:
        TypeError: If an argument does not hold floating-point numbers.
        ValueError: If a target is not from 0 to 1, a shape does not fit, or the batch is empty.

    Source: derived in the chapter.
    """
    _targets(logits, targets)
    return (logits.clamp(min=0) - targets * logits + torch.log1p(torch.exp(-logits.abs()))).mean(-1, dtype=logits.dtype)


def _targets(
    logits: Float[Tensor, "*runs batch"], targets: Float[Tensor, "*runs_or_none batch"]
) -> Float[Tensor, "*runs_or_none batch"]:
    checks.axis("logits", checks.floating("logits", logits), -1, at_least=1, described="example")
    checks.reals("targets", checks.floating("targets", targets), at_least=0, at_most=1)
    return checks.broadcasts("targets", targets, logits.shape, of="logits ask for")


def binary_cross_entropy_with_logits_backward(
    grad_output: float | Float[Tensor, "*runs"],
    logits: Float[Tensor, "*runs batch"],
    targets: Float[Tensor, "*runs_or_none batch"],
) -> Float[Tensor, "*runs batch"]:
    """Carry a gradient back through the binary cross-entropy: probability minus target.

        dL/dz_i = (s(z_i) - t_i) / N

    Args:
        grad_output: Gradient in the loss of each run, of shape (*runs,), or a number; 1.0 where nothing follows.
        logits: Scores that the forward pass took, of shape (*runs, batch).
        targets: Targets that the forward pass took, of shape (*runs, batch) or (batch,).

    Returns:
        Gradient in `logits`.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a target is not from 0 to 1, a shape does not fit, or the batch is empty.

    Source: derived in the chapter.
    """
    _targets(logits, targets)
    difference = (activations.sigmoid(logits) - targets).to(logits.dtype)
    return (difference[..., None] * _share(grad_output, logits[..., None]))[..., 0]


def _outputs(
    outputs: Float[Tensor, "*runs batch features"], targets: Float[Tensor, "*some features"]
) -> Float[Tensor, "*runs batch features"]:
    checks.axis("outputs", checks.floating("outputs", outputs), -2, at_least=1, described="rows")
    checks.broadcasts("targets", checks.floating("targets", targets), outputs.shape, of="outputs ask for")
    return (outputs - targets).to(outputs.dtype)


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

    Source: derived in the chapter.
    """
    difference = _outputs(outputs, targets)
    return 0.5 * (difference * difference).sum(-1).mean(-1)


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

    Source: derived in the chapter.
    """
    return _outputs(outputs, targets) * _share(grad_output, outputs)


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

    Source: derived in the chapter.
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

    The prediction is the class of the largest score, the first of them in a tie.

    Args:
        logits: Scores, of shape (*runs, batch, classes).
        labels: Classes, integers from 0 to classes - 1, of shape (*runs, batch) or (batch,).

    Returns:
        The share of each run, from 0 to 1, of shape (*runs,) and the dtype of `logits`.

    Raises:
        TypeError: If `logits` does not hold floating-point numbers or `labels` integers.
        ValueError: If a label is no class, a shape does not fit, or the batch is empty.

    Source: derived in the chapter.
    """
    labels = _labels(logits, labels)
    return (logits.argmax(-1) != labels).to(logits.dtype).mean(-1)


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

    Source: derived in the chapter.
    """
    margin = checks.real("margin", margin, above=0)
    return (margin - margins(logits, labels)).clamp(min=0).mean(-1)


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

    Source: derived in the chapter.
    """
    short = margins(logits, labels) < checks.real("margin", margin, above=0)
    labels = _labels(logits, labels)
    rival = _without_labels(logits, labels).argmax(-1)
    return (_one_hot(rival, logits) - _one_hot(labels, logits)) * short[..., None] * _share(grad_output, logits)
