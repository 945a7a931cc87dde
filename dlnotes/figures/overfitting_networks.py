"""What the figures of the chapter on overfitting train: networks on digits, under one remedy or none.

A run is a remedy and a seed. From generators of its own it draws its training set, which labels are false, its start,
its batches and what the remedy draws. So two runs with one seed differ by the remedy alone, and are compared in pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.numpy import activations, dropout, network, objective, overfitting

BACKGROUND = -1.0  # a pixel without ink, after scaling
CLASSES = 10
SETS, STARTS, BATCHES, NOISE, FALSE = range(5)  # what a seed has a generator for
HELD_OUT = 800  # digits that a run does not train on
CHUNK = 24  # runs trained at a time, so that what they draw fits in memory


class Remedy(NamedTuple):
    """How a network with one hidden layer, or none, is trained.

    Attributes:
        examples: Digits to train on.
        width: Hidden units; 0 for no hidden layer.
        shift: Most pixels by which an image is moved.
        patch: Side of the square that is covered.
        smoothing: Share of each label that goes to all classes.
        concentration: Of the shares with which two images are mixed; 0 mixes none.
        drop: Probability of dropping a hidden unit.
        decay: Strength of the squares of the weights, added to the loss as decay / 2 times their sum.
    """

    examples: int = 100
    width: int = 64
    shift: int = 0
    patch: int = 0
    smoothing: float = 0.0
    concentration: float = 0.0
    drop: float = 0.0
    decay: float = 0.0


class Sets(NamedTuple):
    """The training set of a run, and digits that it does not train on."""

    inputs: np.ndarray
    labels: np.ndarray
    held_out: np.ndarray
    held_out_labels: np.ndarray


class Steps(NamedTuple):
    """What a run trains on, step by step: batches of inputs and targets, and the hidden units kept, if some are not."""

    inputs: np.ndarray
    targets: np.ndarray
    kept: np.ndarray


class Course(NamedTuple):
    """Cross-entropy and share of mistakes, on the training set and on held-out digits; (run, measurement).

    The training set is measured with the labels that were trained on, false ones included; the others are true.
    """

    steps: np.ndarray
    training_loss: np.ndarray
    training_error: np.ndarray
    loss: np.ndarray
    error: np.ndarray


def under(remedy: Remedy, seeds: Sequence[int]) -> list[tuple[Remedy, int]]:
    """Give the runs of one remedy."""
    return [(remedy, seed) for seed in seeds]


def deal_digits(examples: int, seed: int, false: float = 0.0) -> Sets:
    """Deal the digits: the first go to training, the last are held out.

    A smaller training set of a seed is a part of a larger one. A share of the training labels, drawn at random, becomes
    one of the nine wrong classes; at 1 each label is drawn from all ten.
    """
    digits = datasets.digits(np.float32)
    x, order = (digits.inputs - 8) / 8, np.random.default_rng([seed, SETS]).permutation(len(digits.inputs))
    first, last = order[:examples], order[len(x) - HELD_OUT :]
    noise = np.random.default_rng([seed, FALSE])
    moved, wrong = noise.integers(0 if false == 1 else 1, CLASSES, len(x)), noise.random(len(x)) < false
    labels = np.where(wrong, (digits.targets[order] + moved) % CLASSES, digits.targets[order])[:examples]
    return Sets(x[first], labels, x[last], digits.targets[last])


def steps_of(remedy: Remedy, seed: int, sets: Sets, steps: int, batch: int) -> Steps:
    """Draw the batches of a run, epoch by epoch, and apply the remedy to them."""
    shuffle, noise = (np.random.default_rng([seed, purpose]) for purpose in (BATCHES, NOISE))
    epochs = -(-steps * batch // remedy.examples)
    order = np.concatenate([shuffle.permutation(remedy.examples) for _ in range(epochs)])[: steps * batch]
    images, runs = sets.inputs[order].reshape(-1, 1, 8, 8), (len(order),)
    if remedy.shift:
        images = overfitting.shift(images, overfitting.shift_offsets(runs, noise, remedy.shift), fill=BACKGROUND)
    if remedy.patch:
        images = overfitting.cutout(images, overfitting.patch_centers(runs, noise, 8, 8), remedy.patch)
    targets = overfitting.smooth_labels(np.eye(CLASSES, dtype=np.float32)[sets.labels[order]], remedy.smoothing)
    x, targets = images.reshape(steps, batch, 64), targets.reshape(steps, batch, CLASSES)
    if remedy.concentration:
        # As `overfitting.mixup_pairs` draws them, but all steps from one generator, which is four times as fast.
        partners = noise.permuted(np.tile(np.arange(batch), (steps, 1)), axis=1)
        shares = noise.beta(remedy.concentration, remedy.concentration, (steps, batch))
        x, targets = overfitting.mixup(x, targets, partners, shares)
    kept = np.ones((1, 1, 1), dtype=np.float32)
    if remedy.drop:
        mask = dropout.dropout_mask((steps, batch, remedy.width), noise, remedy.drop)
        kept = mask / np.float32(1 - remedy.drop)
    return Steps(x, targets, np.broadcast_to(kept, (steps, batch, remedy.width)))


def gradient(params: dict, x: np.ndarray, targets: np.ndarray, kept: np.ndarray) -> dict:
    """Give the gradient of the cross-entropy behind a hidden layer of ReLUs, each multiplied by what is kept of it."""
    if "2.weight" not in params:  # no hidden layer
        logits = network.dense(x, params["0.weight"], params["0.bias"])
        delta = (objective.softmax(logits) - targets) / logits.shape[-2]
        only = network.dense_backward(delta, x, params["0.weight"], False)
        return {"0.weight": only.weight, "0.bias": only.bias}
    before = network.dense(x, params["0.weight"], params["0.bias"])
    hidden = activations.relu(before) * kept
    logits = network.dense(hidden, params["2.weight"], params["2.bias"])
    delta = (objective.softmax(logits) - targets) / logits.shape[-2]
    last = network.dense_backward(delta, hidden, params["2.weight"])
    first = network.dense_backward(last.inputs * (before > 0) * kept, x, params["0.weight"], False)
    return {"0.weight": first.weight, "0.bias": first.bias, "2.weight": last.weight, "2.bias": last.bias}


def measured(params: dict, sets: Sequence[Sets]) -> list[np.ndarray]:
    """Give loss and share of mistakes on the training sets, then on the held-out digits, one number a run."""
    found = []
    for run, own in enumerate(sets):
        parts = {name: value[run] for name, value in params.items()}
        for x, labels in ((own.inputs, own.labels), (own.held_out, own.held_out_labels)):
            logits = network.forward(parts, x)[0]
            found += [objective.cross_entropy_with_gradient(logits, labels)[0], (logits.argmax(-1) != labels).mean()]
    return list(np.array(found).reshape(-1, 4).T)


def train(
    runs: Sequence[tuple[Remedy, int]],
    *,
    steps: int = 400,
    rate: float = 0.2,
    batch: int = 25,
    false: float = 0.0,
    measure_at: Sequence[int] = (),
) -> Course:
    """Train networks of one width by descent on batches, and measure after the steps given and at the end."""
    at = sorted({*measure_at, steps})
    chunks = [runs[first : first + CHUNK] for first in range(0, len(runs), CHUNK)]
    found = [_train_together(chunk, steps, rate, batch, false, at) for chunk in chunks]
    return Course(np.array(at), *np.concatenate(found, axis=1))


def _train_together(
    runs: Sequence[tuple[Remedy, int]], steps: int, rate: float, batch: int, false: float, at: Sequence[int]
) -> np.ndarray:
    """Train some runs at once; (measure, run, measurement)."""
    sets = [deal_digits(remedy.examples, seed, false) for remedy, seed in runs]
    each = [steps_of(*run, own, steps, batch) for run, own in zip(runs, sets, strict=True)]
    inputs, targets, kept = (np.stack(part) for part in zip(*each, strict=True))
    starts = np.array([np.random.default_rng([seed, STARTS]) for _, seed in runs])
    width = runs[0][0].width
    sizes = [64, width, CLASSES] if width else [64, CLASSES]
    params = network.initialize(sizes, starts, runs=(len(runs),), dtype=np.float32)
    decay = np.array([remedy.decay for remedy, _ in runs], dtype=np.float32)[:, None, None]
    found = []
    for step in range(1, steps + 1):
        grads = gradient(params, inputs[:, step - 1], targets[:, step - 1], kept[:, step - 1])
        for name, grad in grads.items():
            pulled = grad + decay * params[name] if name.endswith("weight") else grad
            params[name] = params[name] - np.float32(rate) * pulled
        if step in at:
            found.append(measured(params, sets))
    return np.moveaxis(np.array(found), 0, -1)
