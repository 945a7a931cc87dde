from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlnotes import optimizers
from dlnotes.numpy import minibatch as kernels


@given(examples=st.integers(1, 60), batch_size=st.integers(1, 80), drop_last=st.booleans(), seed=st.integers(0, 9))
def test_an_epoch_takes_every_example_once(examples, batch_size, drop_last, seed):
    batches = list(kernels.epoch(examples, batch_size, np.random.default_rng(seed), drop_last=drop_last))
    assert len(batches) == kernels.batches_per_epoch(examples, batch_size, drop_last)
    taken = np.concatenate(batches)
    assert len(set(taken.tolist())) == len(taken)
    assert set(taken.tolist()) <= set(range(examples))
    assert all(len(batch) == min(batch_size, examples) for batch in batches[:-1])
    if drop_last:
        assert len(batches[-1]) == min(batch_size, examples)
        assert examples - len(taken) < batch_size
    else:
        assert len(taken) == examples


@pytest.mark.parametrize(
    ("examples", "batch_size", "kept", "dropped"),
    [(1, 1, 1, 1), (10, 3, 4, 3), (9, 3, 3, 3), (5, 100, 1, 1), (5, 5, 1, 1), (6, 5, 2, 1), (10**6, 1, 10**6, 10**6)],
)
def test_updates_in_an_epoch(examples, batch_size, kept, dropped):
    assert kernels.batches_per_epoch(examples, batch_size) == kept
    assert kernels.batches_per_epoch(examples, batch_size, drop_last=True) == dropped


def test_every_order_is_as_likely():
    generator = np.random.default_rng(0)
    orders = [tuple(kernels.shuffled_order(4, generator).tolist()) for _ in range(24_000)]
    counts = np.array([orders.count(order) for order in set(orders)])
    assert len(counts) == 24
    assert ((counts - 1000) ** 2 / 1000).sum() < 55  # chi-square with 23 degrees: beyond it once in 4000 seeds


def test_runs_at_once_equal_runs_alone():
    together = kernels.shuffled_order(50, np.random.default_rng(3), runs=(2, 3))
    children = np.random.default_rng(3).spawn(6)
    assert together.shape == (2, 3, 50)
    for child, run in zip(children, np.ndindex(2, 3), strict=True):
        np.testing.assert_array_equal(together[run], kernels.shuffled_order(50, child))
    for batch, whole in zip(kernels.epoch(50, 7, np.random.default_rng(3), runs=(2, 3)), range(0, 50, 7), strict=True):
        np.testing.assert_array_equal(batch, together[..., whole : whole + 7])


def test_batches_are_views():
    order = np.arange(10)
    assert all(batch.base is order for batch in kernels.split_into_batches(order, 3))


def test_sgd_goes_down_the_gradient():
    optimizer = kernels.SGD(0.25)
    params = {"w": np.array([2.0, -4.0])}
    updates, state = optimizer.update({"w": np.array([8.0, 2.0])}, optimizer.init(params), params)
    np.testing.assert_array_equal(optimizers.apply_updates(params, updates)["w"], [0.0, -4.5])
    assert state.step == 1


def test_mean_of_single_gradients_is_the_batch_gradient():
    # The gradient of a mean is the mean of the gradients, so it is the same for any partition into equal batches.
    generator = np.random.default_rng(0)
    x, y, w = generator.normal(size=(12, 3)), generator.normal(size=12), generator.normal(size=3)

    def gradient(rows):
        return x[rows].T @ (x[rows] @ w - y[rows]) / len(rows)

    for size in (1, 2, 3, 4, 6, 12):
        mean = np.mean([gradient(rows) for rows in kernels.epoch(12, size, generator)], axis=0)
        np.testing.assert_allclose(mean, gradient(np.arange(12)), rtol=1e-13)


def test_torch_orders_are_drawn_alike():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import minibatch as variant

    generator = torch.Generator().manual_seed(0)
    orders = variant.shuffled_order(4, generator, runs=(24_000,))
    assert orders.shape == (24_000, 4)
    _, counts = torch.unique(orders @ torch.tensor([64, 16, 4, 1]), return_counts=True)
    assert len(counts) == 24
    assert ((counts - 1000.0) ** 2 / 1000).sum() < 55
    batches = list(variant.epoch(10, 4, generator, runs=(2, 3)))
    assert [batch.shape for batch in batches] == [(2, 3, 4), (2, 3, 4), (2, 3, 2)]
    assert torch.equal(torch.cat(batches, -1).sort(-1).values, torch.arange(10).expand(2, 3, 10))
    assert len(list(variant.epoch(10, 4, generator, drop_last=True))) == 2


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_the_variance_of_a_batch_is_that_of_all_batches_that_there_are(size):
    numbers = np.array([0.0, 1.0, 3.0, 10.0, 11.0, -4.0, 2.5])
    batches = np.array(list(itertools.combinations(numbers, size)))
    counted = ((batches.mean(1) - numbers.mean()) ** 2).mean() / numbers.var()
    assert kernels.batch_variance(size, 7) == pytest.approx(counted, abs=1e-15)
    again = np.array(list(itertools.product(numbers[:4], repeat=min(size, 3))))
    counted = ((again.mean(1) - numbers[:4].mean()) ** 2).mean() / numbers[:4].var()
    assert kernels.batch_variance(min(size, 3)) == pytest.approx(counted)
    assert kernels.batch_variance(1, 1) == 0


def test_each_stretch_of_a_stratified_order_holds_each_class_in_its_share():
    labels = np.repeat([0, 5, 2], [60, 30, 10])
    generator = np.random.default_rng(0)
    firsts = set()
    for _ in range(40):
        order = kernels.stratified_order(labels, generator)
        assert sorted(order.tolist()) == list(range(100))
        firsts.add(int(order[0]))
        for batch in kernels.split_into_batches(order, 20):
            for label, wanted in ((0, 12), (5, 6), (2, 2)):
                assert abs((labels[batch] == label).sum() - wanted) <= 3
    assert len(firsts) > 20  # shuffled within the classes, and where each begins


def test_the_noise_scale_is_unbiased_and_known_for_normal_gradients():
    generator = np.random.default_rng(0)
    gradients = 0.5 + 2 * generator.standard_normal((4000, 16, 10))
    found = kernels.noise_scale(gradients)
    assert found.noise.shape == (4000,)
    assert found.noise.mean() == pytest.approx(40, rel=0.01)  # ten components of variance 4
    assert found.signal.mean() == pytest.approx(2.5, abs=0.1)  # 10 x 0.25; without the correction 5
    whole = kernels.noise_scale(0.5 + 2 * generator.standard_normal((100_000, 10)))
    assert whole.scale == pytest.approx(16, rel=0.05)
    assert whole.scale == whole.noise / whole.signal


def test_parts_join_to_the_gradient_of_the_whole():
    generator = np.random.default_rng(0)
    singles = generator.standard_normal((10, 3))
    parts = [singles[:1], singles[1:7], singles[7:]]
    joined = kernels.mean_gradient([{"w": part.mean(0)} for part in parts], [1, 6, 3])
    np.testing.assert_allclose(joined["w"], singles.mean(0), rtol=1e-13)


def test_torch_draws_stratified_orders_alike():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import minibatch as variant

    labels = torch.repeat_interleave(torch.tensor([0, 5, 2]), torch.tensor([60, 30, 10]))
    generator, firsts = torch.Generator().manual_seed(0), set()
    for _ in range(40):
        order = variant.stratified_order(labels, generator)
        assert sorted(order.tolist()) == list(range(100))
        firsts.add(int(order[0]))
        counts = torch.stack([torch.bincount(labels[batch], minlength=6) for batch in order.split(20)])
        assert (abs(counts[:, [0, 5, 2]] - torch.tensor([12, 6, 2])) <= 3).all()
    assert len(firsts) > 20
