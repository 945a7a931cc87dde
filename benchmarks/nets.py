"""The networks and data on which contestants meet, and the same network as a torch module."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlnotes import datasets
from dlnotes.numpy import adaptive_methods, initialization, network, training

Arrays = dict[str, np.ndarray]


def blobs(
    examples: int, features: int, classes: int, seed: int = 0, apart: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Draw examples around a center for each class, in float32; centers that are 0 apart leave noise."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, examples)
    centers = apart * generator.standard_normal((classes, features))
    inputs = centers[labels] + generator.standard_normal((examples, features))
    return inputs.astype(np.float32), labels


def enlarged_digits(side: int = 28) -> tuple[np.ndarray, np.ndarray]:
    """Give the digits with each image of 8 by 8 enlarged by linear interpolation, standardized, in float32."""
    data = datasets.digits(np.float32)
    images = data.inputs.reshape(-1, 8, 8)
    places = np.linspace(0, 7, side)
    before = np.minimum(places.astype(int), 6)
    share = (places - before).astype(np.float32)
    rows = images[:, before] * (1 - share)[:, None] + images[:, before + 1] * share[:, None]
    both = rows[..., before] * (1 - share) + rows[..., before + 1] * share
    flat = both.reshape(len(both), -1)
    return (flat - flat.mean()) / flat.std(), data.targets.astype(np.int64)


def trained(sizes: tuple[int, ...], x: np.ndarray, y: np.ndarray, steps: int) -> Arrays:
    """Give a network after some steps of Adam on batches of 128."""
    start = network.initialize(sizes, np.random.default_rng(1), dtype=np.float32)
    generator = np.random.default_rng(2)
    found = training.train(start, x, y, adaptive_methods.Adam(1e-3), steps=steps, batch_size=128, generator=generator)
    return found.parameters


def untrained(sizes: tuple[int, ...]) -> Arrays:
    """Give a network with the weights and biases that torch's layers start with."""
    generator = np.random.default_rng(1)
    parameters = network.initialize(sizes, generator, initialization.pytorch_default, dtype=np.float32)
    for name in network.layer_names(parameters):
        shape = parameters[f"{name}.weight"].shape
        parameters[f"{name}.bias"] = initialization.pytorch_default_bias(shape, generator, dtype=np.float32)
    return parameters


def count(parameters: Arrays) -> int:
    """Count the numbers of a network."""
    return sum(value.size for value in parameters.values())


def module(parameters: Arrays) -> Any:
    """Give the network as a torch module with the same weights."""
    import torch

    names = sorted({name.split(".")[0] for name in parameters}, key=int)
    parts: list[torch.nn.Module] = []
    for name in names:
        weight = parameters[f"{name}.weight"]
        parts += [torch.nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.from_numpy(weight).dtype)]
        parts += [torch.nn.ReLU()]
    made = torch.nn.Sequential(*parts[:-1])
    made.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in parameters.items()})
    return made


def flat(tensors: Any) -> np.ndarray:
    """Lay tensors one after the other into an array."""
    return np.concatenate([tensor.detach().numpy().reshape(-1) for tensor in tensors])
