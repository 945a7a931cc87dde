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

WIDEST = 32
SPACE: Mapping[str, search.Range | search.Whole | search.Choices] = {
    "rate": search.Range(1e-4, 10.0, log=True),
    "1 - momentum": search.Range(0.01, 1.0, log=True),
    "scale of the start": search.Range(0.1, 10.0, log=True),
    "units": search.Whole(2, WIDEST, log=True),
    "layers": search.Choices((1, 2)),
    "batch": search.Choices((8, 32)),
    "penalty": search.Range(1e-6, 1.0, log=True),
}
SIZES = {"digits": (300, 300, 400), "breast_cancer": (150, 150, 260)}


class Curves(NamedTuple):
    """What was measured of trained networks; nan and infinity where one diverged.

    Attributes:
        steps: Steps before each measurement.
        validation: Mean cross-entropy on rows held out for choosing; (network, measurement).
        test: On rows that nothing was chosen by.
        wrong: Share of the validation rows that are classified wrongly.
        wrong_test: Share of the test rows.
        batches: Cross-entropy of each step's batch before the step; (network, step).
    """

    steps: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    wrong: np.ndarray
    wrong_test: np.ndarray
    batches: np.ndarray


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
    parameters = network.initialize(sizes, generator, runs=runs)
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
        parameters[name] = weight
    return parameters


def _optimizer(settings: list[dict]) -> optimizers.Optimizer:
    rate, lag, strength = (
        np.array([setting[name] for setting in settings]) for name in ("rate", "1 - momentum", "penalty")
    )
    penalty = weight_penalties.PenaltyGradient(l2=strength, suffix=".weight")
    return optimizers.chain(penalty, momentum.Momentum(rate, 1 - lag))


def _measured(own: list[datasets.Dataset]):
    def measure(parameters: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        found = {}
        for name, part in zip(("validation", "test"), own[1:], strict=True):
            logits, _ = network.forward(parameters, part.inputs)
            found[name] = objective.cross_entropy(logits, part.targets)
            wrong = (np.argmax(logits, -1) != part.targets).mean(-1)
            found[f"wrong {name}"] = np.where(np.isfinite(found[name]), wrong, 1.0)
        return found

    return measure


def trained(
    points: np.ndarray,
    *,
    task: str = "digits",
    steps: int = 150,
    every: int = 150,
    seed: int = 0,
    space: Mapping[str, search.Range | search.Whole | search.Choices] = SPACE,
    held_out: int | None = None,
) -> Curves:
    """Train a network for each point, each from a start and on batches of its own; rows are in the points' order.

    With `held_out` only so many of the validation rows are looked at.
    """
    own = list(parts(task, seed))
    own[1] = own[1]._replace(inputs=own[1].inputs[:held_out], targets=own[1].targets[:held_out])
    settings = search.to_settings(points, space)
    classes = int(own[0].targets.max()) + 1
    shuffles, starts = (np.array(np.random.default_rng((seed, one)).spawn(len(points))) for one in (1, 2))
    results: dict[str, list] = {}
    order: list[int] = []
    for layers, batch in sorted({(setting["layers"], setting["batch"]) for setting in settings}):
        rows = [i for i, s in enumerate(settings) if (s["layers"], s["batch"]) == (layers, batch)]
        chosen = [settings[row] for row in rows]
        parameters = started(chosen, [own[0].inputs.shape[-1], *[WIDEST] * layers, classes], starts[rows])
        result = training.train(
            parameters,
            own[0].inputs,
            own[0].targets,
            _optimizer(chosen),
            steps=steps,
            batch_size=batch,
            generator=shuffles[rows],
            runs=(len(rows),),
            measure=_measured(own),
            measure_every=every,
        )
        order += rows
        for name, values in {**result.measures, "batches": result.losses}.items():
            results.setdefault(name, []).append(values)
    back = np.argsort(order)
    joined = {name: np.concatenate(values)[back] for name, values in results.items()}
    measured = ("validation", "test", "wrong validation", "wrong test", "batches")
    return Curves(result.measured_at, *(joined[name] for name in measured))


def capped(losses: np.ndarray, classes: int) -> np.ndarray:
    """Count a network that is worse than guessing, or diverged, as one that guesses."""
    return np.fmin(np.where(np.isnan(losses), np.inf, losses), math.log(classes))
