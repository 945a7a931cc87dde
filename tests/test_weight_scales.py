"""Counts and variances that starting weights are drawn with."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlnotes import weight_scales
from dlnotes.numpy import initialization


def generator(seed=0):
    return np.random.default_rng(seed)


# Fans and variances.


@pytest.mark.parametrize("shape", [(3, 4), (1, 1), (8, 4, 3), (8, 4, 3, 5), (2, 3, 4, 5, 6)])
def test_fans_are_those_of_torch(shape):
    torch = pytest.importorskip("torch")
    expected = torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
    assert weight_scales.fans(shape) == expected


def test_fans_of_a_convolution_count_the_kernel():
    assert weight_scales.fans((64, 3, 5, 5)) == (75, 1600)
    assert weight_scales.fans((64, 3, 5, 5)).fan_in == 75


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_variances(fan_in, fan_out):
    assert weight_scales.lecun_variance(fan_in) * fan_in == pytest.approx(1)
    assert weight_scales.xavier_variance(fan_in, fan_out) * (fan_in + fan_out) / 2 == pytest.approx(1)
    assert weight_scales.xavier_variance(fan_in, fan_in) == weight_scales.lecun_variance(fan_in)
    assert weight_scales.he_variance(fan_in) == 2 * weight_scales.lecun_variance(fan_in)
    assert weight_scales.he_variance(fan_in, 1.0) == weight_scales.lecun_variance(fan_in)
    assert weight_scales.pytorch_default_variance(fan_in) == pytest.approx(weight_scales.he_variance(fan_in) / 6)


@pytest.mark.parametrize("groups", [1, 2, 4, 8])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("transposed", [False, True])
def test_fans_are_counts_of_what_a_layer_joins(groups, stride, transposed):
    """Count, entry by entry, which inputs reach which outputs, far from the edges and over a whole period of places."""
    torch = pytest.importorskip("torch")
    layer = (torch.nn.ConvTranspose1d if transposed else torch.nn.Conv1d)(8, 16, 6, stride, groups=groups, bias=False)
    layer = layer.double()
    torch.nn.init.ones_(layer.weight)
    length = 60
    joined = torch.autograd.functional.jacobian(layer, torch.zeros(1, 8, length, dtype=torch.float64)).squeeze()
    middle_out, middle_in = joined.shape[1] // 2, length // 2
    per_output = joined[:, middle_out : middle_out + stride].sum((2, 3)).mean().item()
    per_input = joined[:, :, :, middle_in : middle_in + stride].sum((0, 1)).mean().item()
    fans = weight_scales.fans(tuple(layer.weight.shape), groups=groups, stride=stride, transposed=transposed)
    assert fans == (per_output, per_input)


def test_fans_where_the_stride_does_not_divide_the_kernel():
    assert weight_scales.fans((64, 3, 3, 3), stride=2) == (27, 144)  # 64 * 9 / 4
    assert weight_scales.fans((5, 3, 3), stride=2) == (9, 7.5)


def test_torch_counts_groups_and_transposed_layers_otherwise():
    torch = pytest.importorskip("torch")
    count = torch.nn.init._calculate_fan_in_and_fan_out
    grouped = torch.nn.Conv2d(16, 32, 3, groups=8).weight
    assert count(grouped) == (18, 288)
    assert weight_scales.fans(tuple(grouped.shape), groups=8) == (18, 36)
    transposed = torch.nn.ConvTranspose2d(16, 32, 3).weight
    assert count(transposed) == tuple(reversed(weight_scales.fans(tuple(transposed.shape), transposed=True)))


@pytest.mark.parametrize("bound", [0.1, 0.5, 1.0, 2.0, 3.0, 10.0])
def test_truncated_deviation(bound):
    stats = pytest.importorskip("scipy.stats")
    assert weight_scales.truncated_deviation(bound) == pytest.approx(stats.truncnorm.std(-bound, bound), rel=1e-9)


def test_known_truncated_deviations():
    assert weight_scales.truncated_deviation(2.0) == pytest.approx(0.8796256610342398, rel=1e-14)
    assert weight_scales.truncated_deviation(40.0) == 1
    # Between narrow bounds the distribution is even: b / sqrt(3).
    assert weight_scales.truncated_deviation(0.1) == pytest.approx(0.1 / math.sqrt(3), rel=1e-3)


def test_residual_scale_keeps_the_sum_of_branches():
    for blocks in (1, 12, 100):
        assert 2 * blocks * weight_scales.residual_scale(blocks) ** 2 == pytest.approx(1)


def changes_by_training(width, optimizer, scaled, steps=3):
    """Train a network 16 - width - width - 1 for a few steps and measure the root mean square change of each layer."""
    rng = generator(1)
    inputs, targets = rng.standard_normal((32, 16)), rng.standard_normal((32, 1))
    weights, rates = [], []
    for layer, shape in (("input", (width, 16)), ("hidden", (width, width)), ("output", (1, width))):
        scale = weight_scales.mup(shape, layer, optimizer)
        variance = scale.variance if scaled else 1 / shape[1]
        weights.append(initialization.normal(shape, rng, standard_deviation=math.sqrt(variance)))
        rates.append({"sgd": 0.05, "adam": 0.02}[optimizer] * (scale.learning_rate if scaled else 1))

    def forward():
        first = np.tanh(inputs @ weights[0].mT)
        second = np.tanh(first @ weights[1].mT)
        return first, second, second @ weights[2].mT

    before = forward()
    for _ in range(steps):
        first, second, outputs = forward()
        error = (outputs - targets) / len(inputs)
        at_second = (error @ weights[2]) * (1 - second**2)
        at_first = (at_second @ weights[1]) * (1 - first**2)
        gradients = [at_first.mT @ inputs, at_second.mT @ first, error.mT @ second]
        for weight, rate, gradient in zip(weights, rates, gradients, strict=True):
            # Adam's first steps have the size of the learning rate, with the gradient's sign.
            weight -= rate * (gradient if optimizer == "sgd" else np.sign(gradient))
    return [float(np.sqrt(np.mean((new - old) ** 2))) for new, old in zip(forward(), before, strict=True)]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_mup_changes_wide_networks_as_much_as_narrow_ones(optimizer):
    """From width 64 to 1024 each layer's change keeps its size to a factor of 2; without the scales one does not."""
    narrow, wide = (np.array(changes_by_training(width, optimizer, scaled=True)) for width in (64, 1024))
    assert (np.abs(np.log2(wide / narrow)) < 1).all(), wide / narrow
    narrow, wide = (np.array(changes_by_training(width, optimizer, scaled=False)) for width in (64, 1024))
    assert (np.abs(np.log2(wide / narrow)) > 1.5).any(), wide / narrow


def test_mup_of_a_square_layer():
    assert weight_scales.mup((8, 8), "hidden", "sgd") == (1 / 8, 1)
    assert weight_scales.mup((8, 8), "hidden") == (1 / 8, 1 / 8)
    assert weight_scales.mup((8, 3), "input", "sgd") == (1 / 3, 8)
    assert weight_scales.mup((8, 3), "input") == (1 / 3, 1)
    assert weight_scales.mup((2, 8), "output") == weight_scales.mup((2, 8), "output", "sgd") == (1 / 64, 1 / 8)
