from __future__ import annotations

import importlib
import tempfile
from pathlib import Path

import numpy as np

from dlnotes import optimizers
from tests.parity.network import LABELS, X, parameters


def stopped(length, *arguments):
    """Ask a rule for stopping about histories that fall, stay, rise and break."""
    history = np.array([[5, 4, 4.05, 3.95, 3.94], [5, 4, 3, 3.0, 2.0], [np.nan] * 5, [5, 1, np.nan, np.nan, np.inf]])
    return lambda backend, array: (
        ("loss", *arguments),
        {},
        lambda stop, array: stop({"loss": array(history[:, :length])}),
    )


CASES = {
    "patience": [stopped(length, 3, 0.1) for length in (1, 3, 4, 5)] + [stopped(5, 1), stopped(5, 2)],
}


def optimizer(backend, array, name, per_run=True):
    """Make an optimizer of the backend that the module belongs to."""
    adaptive, momentum, clipping, schedules = (
        importlib.import_module(backend.__name__.replace("training", stem))
        for stem in ("adaptive_methods", "momentum", "gradient_clipping", "schedules")
    )
    rate = array(np.array([[0.1, 0.01, 0.3], [0.003, 0.2, 0.03]])) if per_run else 0.05
    makes = {
        "adam": lambda: adaptive.Adam(rate),
        "adamw": lambda: adaptive.AdamW(rate, weight_decay=0.1),
        "momentum": lambda: momentum.Momentum(rate, 0.8, 0.3),
        "nesterov": lambda: momentum.Nesterov(rate, rate),
        "scheduled": lambda: adaptive.Adam(lambda step: schedules.cosine(step, rate, 10)),
        "chain": lambda: optimizers.chain(
            clipping.ClipByGlobalNorm(rate, 2), clipping.ClipByValue(0.1), adaptive.Adam(0.1)
        ),
        "partition": lambda: adaptive.Partition(
            lambda name: name.endswith("weight"), adaptive.Muon(rate, run_axes=2), adaptive.NAdam(rate)
        ),
    }
    return makes[name]()


def trained(name, per_run=True):
    """Train with the full batch, which needs no random numbers."""

    def case(backend, array):
        def measure(params):
            return {"first": params["0.weight"][:, 0, 0]}

        def use(training, array):
            return training.step, training.parameters, training.losses, training.measures, list(training.measured_at)

        arguments = parameters(array), array(X[0, 0]), array(LABELS[0, 0]), optimizer(backend, array, name, per_run)
        return arguments, {"steps": 12, "runs": (2, 3), "measure": measure, "measure_every": 5}, use

    return case


CASES["train"] = [
    (trained(name, per_run), 1e-9)
    for per_run in (True, False)
    for name in ("adam", "adamw", "momentum", "nesterov", "scheduled", "chain", "partition")
    if per_run or name not in ("nesterov", "scheduled", "chain")
]


def kept(backend, array):
    """Train a little, and name a file."""
    arguments = parameters(array), array(X[0, 0]), array(LABELS[0, 0]), optimizer(backend, array, "adam")
    return Path(tempfile.mkdtemp()) / "training", backend.train(*arguments, steps=3, runs=(2, 3))


def loaded(backend, array):
    path, training = kept(backend, array)
    backend.save(path, training)
    return (path,), {}, lambda found, array: (found.step, found.parameters, found.losses, found.state)


CASES["save"] = [(lambda backend, array: (kept(backend, array), {}, lambda found, array: found.losses), 1e-9)]
CASES["load"] = [(loaded, 1e-9)]
