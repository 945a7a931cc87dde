"""The break under which the evidence of each claim must fail."""

from __future__ import annotations

import numpy as np

from dlnotes.numpy import minibatch, network, objective
from tests.sabotage import Patch

KERNELS = "dlnotes.numpy.minibatch"
right_update, right_loss = minibatch.SGD.update, objective.cross_entropy_with_gradient
right_gradient = network.loss_and_gradient


def first_rate_only(self, grads, state, params):
    """A schedule that is asked at step 0 alone."""
    updates, _ = right_update(self, grads, state._replace(step=0), params)
    return updates, state._replace(step=state.step + 1)


def one_number_only(self, grads, state, params):
    """An update of one weight, as the note has it."""
    updates, state = right_update(self, grads, state, params)
    kept = {name: np.zeros_like(value) for name, value in updates.items()}
    first = next(iter(updates))
    kept[first].flat[-1] = updates[first].flat[-1]
    return kept, state


def summed(logits, labels):
    """A loss that is a sum over the batch, not its mean."""
    loss, gradient = right_loss(logits, labels)
    return loss * logits.shape[-2], gradient * logits.shape[-2]


def one_by_one(params, inputs, targets, *others):
    """Gradients of the examples, one after the other, and their mean."""
    each = [right_gradient(params, inputs[i : i + 1], targets[i : i + 1], *others) for i in range(len(inputs))]
    gradient = {name: np.mean([one.gradient[name] for one in each], 0) for name in params}
    return network.LossAndGradient(np.mean([one.loss for one in each]), gradient)


def plain_mean(gradients, counts):
    """A mean of means that forgets how many examples are behind each."""
    return {name: np.mean([part[name] for part in gradients], 0) for name in gradients[0]}


SABOTAGE: dict[str, Patch | tuple[Patch, ...]] = {
    "batch-stochastic-minibatch": Patch(
        KERNELS, "batches_per_epoch", lambda examples, batch_size, drop_last=False: max(1, examples // batch_size)
    ),
    "approximate-gradient": Patch(KERNELS, "batch_variance", lambda batch_size, examples=None: 1 / batch_size**2),
    "sgd-never-converges": Patch(KERNELS, "SGD.update", first_rate_only),
    "vectorization": Patch("dlnotes.numpy.network", "loss_and_gradient", one_by_one),
    "batch-size-choice": Patch("dlnotes.numpy.objective", "cross_entropy_with_gradient", summed),
    "one-weight-per-update": Patch(KERNELS, "SGD.update", one_number_only),
    "batch-gradient-is-exact": Patch(KERNELS, "mean_gradient", plain_mean),
    "sgd-is-online": Patch(
        KERNELS, "epoch", lambda examples, batch_size, generator, **options: iter(np.arange(examples)[:, None] // 4)
    ),
    "sgd-right-on-average": Patch("dlnotes.numpy.objective", "cross_entropy_with_gradient", summed),
}
