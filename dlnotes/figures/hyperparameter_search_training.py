"""Networks trained with drawn hyperparameters, for the figures of the chapter on hyperparameter search.

A draw is a point of the unit cube with one coordinate for each of `SPACE`. All draws of one batch size and one number
of layers are trained at once: a narrower network is a wide one of which some units are cut off at both sides, which
under a ReLU stay cut off.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets, optimizers
from dlnotes.numpy import hyperparameter_search as search
from dlnotes.numpy import momentum, network, objective, training, weight_penalties

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDEST = 16
SPACE: Mapping[str, search.Range | search.Whole | search.Choices] = {
    "rate": search.Range(1e-4, 10.0, log=True),
    "1 - momentum": search.Range(0.01, 1.0, log=True),
    "scale of the start": search.Range(0.1, 10.0, log=True),
    "units": search.Whole(2, WIDEST, log=True),
    "layers": search.Choices((1, 2)),
    "batch": search.Choices((25, 50)),
    "penalty": search.Range(1e-6, 1.0, log=True),
}
SIZES = {"digits": (200, 200, 600), "breast_cancer": (150, 150, 260)}


class Curves(NamedTuple):
    """What was measured of trained networks; nan and infinity where one diverged.

    Attributes:
        steps: Steps before each measurement.
        validation: Mean cross-entropy on rows held out for choosing; (network, measurement).
        test: The same at the end on rows that nothing was chosen by; (network,).
        wrong: Share of the validation rows that are classified wrongly at the end.
        wrong_test: Share of the test rows.
    """

    steps: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    wrong: np.ndarray
    wrong_test: np.ndarray


def parts(name: str, seed: int) -> tuple[datasets.Dataset, ...]:
    """Deal a data set into rows to train on, to choose by and to test on, scaled by what the training rows say."""
    dataset = getattr(datasets, name)()
    own = datasets.split(dataset, SIZES[name], np.random.default_rng(seed))[:3]
    mean, deviation = own[0].inputs.mean(0), own[0].inputs.std(0)
    scale = np.where(deviation > 0, deviation, 1) if name != "digits" else 8.0
    return tuple(part._replace(inputs=(part.inputs - mean) / scale) for part in own)


def started(settings: list[dict], sizes: list[int], generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw the networks, scale their weights, and cut off the units that a network does not have."""
    runs = (len(settings),)
    parameters = network.initialize(sizes, generator, runs=runs, dtype=np.float32)
    scales = np.array([setting["scale of the start"] for setting in settings])
    units = np.array([setting["units"] for setting in settings])
    kept = np.arange(WIDEST) < units[:, None]
    names = [name for name in parameters if name.endswith("weight")]
    for place, name in enumerate(names):
        weight = parameters[name] * scales[:, None, None]
        if place < len(names) - 1:
            weight = weight * kept[:, :, None]
        if place:
            weight = weight * kept[:, None, :] * np.sqrt(WIDEST / units)[:, None, None]  # He's for its own inputs
        parameters[name] = weight.astype(np.float32)
    return parameters


def _optimizer(settings: list[dict]) -> optimizers.Optimizer:
    rate, lag, strength = (
        np.array([setting[name] for setting in settings]) for name in ("rate", "1 - momentum", "penalty")
    )
    penalty = weight_penalties.PenaltyGradient(l2=strength, suffix=".weight")
    return optimizers.chain(penalty, momentum.Momentum(rate, 1 - lag))


def _scored(parameters: dict[str, np.ndarray], part: datasets.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Give the mean cross-entropy of each network, and the share that it classifies wrongly: all, if it diverged."""
    with np.errstate(over="ignore", invalid="ignore"):  # of networks that diverged
        logits, _ = network.forward(parameters, part.inputs.astype(np.float32))
        loss = objective.cross_entropy(logits, part.targets)
    return loss, np.where(np.isfinite(loss), (np.argmax(logits, -1) != part.targets).mean(-1), 1.0)


def trained(
    points: np.ndarray,
    *,
    task: str = "digits",
    steps: int = 108,
    every: int = 108,
    seed: int = 0,
    space: Mapping[str, search.Range | search.Whole | search.Choices] = SPACE,
    held_out: int | None = None,
) -> Curves:
    """Train a network for each point, each from a start and on batches of its own; rows are in the points' order.

    The seed deals the rows too. With `held_out` only so many of the validation rows are looked at.
    """
    own, validation, test = parts(task, seed)
    validation = validation._replace(inputs=validation.inputs[:held_out], targets=validation.targets[:held_out])
    settings = search.to_settings(points, space)
    classes = int(own.targets.max()) + 1
    shuffles, starts = (np.array(np.random.default_rng((seed, one)).spawn(len(points))) for one in (1, 2))
    results: list[tuple[np.ndarray, ...]] = []
    order: list[int] = []
    for layers, batch in sorted({(setting["layers"], setting["batch"]) for setting in settings}):
        rows = [i for i, s in enumerate(settings) if (s["layers"], s["batch"]) == (layers, batch)]
        chosen = [settings[row] for row in rows]
        result = training.train(
            started(chosen, [own.inputs.shape[-1], *[WIDEST] * layers, classes], starts[rows]),
            own.inputs,
            own.targets,
            _optimizer(chosen),
            steps=steps,
            batch_size=batch,
            generator=shuffles[rows],
            runs=(len(rows),),
            measure=lambda parameters: {"validation": _scored(parameters, validation)[0]},
            measure_every=every,
        )
        order += rows
        at_end = _scored(result.parameters, validation)[1], *_scored(result.parameters, test)
        results.append((result.measures["validation"], *at_end))
    back = np.argsort(order)
    curves, wrong, loss, wrong_test = (np.concatenate(values)[back] for values in zip(*results, strict=True))
    return Curves(result.measured_at, curves, loss, wrong, wrong_test)


def capped(losses: np.ndarray, classes: int) -> np.ndarray:
    """Count a network that is worse than guessing, or diverged, as one that guesses."""
    return np.fmin(np.where(np.isnan(losses), np.inf, losses), math.log(classes))
