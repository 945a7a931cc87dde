from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlnotes import optimizers
from dlnotes.numpy import adaptive_methods, minibatch, training
from dlnotes.numpy import weight_penalties as penalties


def frozen(x):
    x = np.array(x)
    x.flags.writeable = False
    return x


def drawn(*shape, dtype=np.float64, seed=0):
    return frozen(np.random.default_rng((seed, *shape)).normal(size=shape).astype(dtype))


def differences(function, x, step=1e-5):
    x, grad = np.array(x), np.zeros_like(x)
    for i in np.ndindex(x.shape):
        here = x[i]
        x[i] = here + step
        above = function(x)
        x[i] = here - step
        grad[i] = (above - function(x)) / (2 * step)
        x[i] = here
    return grad


def descend(optimizer, params, gradient, steps):
    """Run the pure chain."""
    state = optimizer.init(params)
    for _ in range(steps):
        updates, state = optimizer.update(gradient(params), state, params)
        params = optimizers.apply_updates(params, updates)
    return params


def regression(rows=40, features=6, seed=0):
    x = drawn(rows, features, seed=seed)
    y = x @ np.arange(features) / features + 0.3 * drawn(rows, seed=seed + 1)
    return x, y


def squared_error_gradient(x, y):
    return lambda params: {"w": ((params["w"] @ x.T - y) @ x) / len(x)}


def test_values():
    weight = frozen([[1.0, -2.0], [0.0, 3.0]])
    assert penalties.l1_penalty(weight, 0.5) == 3.0
    assert penalties.l2_penalty(weight, 0.5) == 3.5
    assert penalties.elastic_net_penalty(weight, 0.5, 0.5) == 6.5
    np.testing.assert_array_equal(penalties.l1_gradient(weight, 0.5), [[0.5, -0.5], [0.0, 0.5]])
    np.testing.assert_array_equal(penalties.l2_gradient(weight, 0.5), weight / 2)


@pytest.mark.parametrize(("l1", "l2"), [(0.3, 0.0), (0.0, 0.7), (0.3, 0.7)])
def test_gradients_equal_finite_differences(l1, l2):
    weight = drawn(4, 3)
    expected = differences(lambda w: penalties.elastic_net_penalty(w, l1, l2), weight)
    np.testing.assert_allclose(penalties.elastic_net_gradient(weight, l1, l2), expected, rtol=1e-8)
    parts = penalties.l1_gradient(weight, l1) + penalties.l2_gradient(weight, l2)
    np.testing.assert_allclose(parts, expected, rtol=1e-8)
    total = penalties.l1_penalty(weight, l1) + penalties.l2_penalty(weight, l2)
    assert penalties.elastic_net_penalty(weight, l1, l2) == pytest.approx(total, rel=1e-14)


def test_the_penalty_adds_a_term_to_the_cost_and_leaves_smaller_weights():
    x, y = regression()
    gradient = squared_error_gradient(x, y)
    lengths = []
    for l2 in (0.0, 0.1, 1.0, 10.0):
        w = descend(
            optimizers.chain(penalties.PenaltyGradient(l2=l2), minibatch.SGD(0.05)), {"w": np.zeros(6)}, gradient, 4000
        )["w"]
        np.testing.assert_allclose(w, np.linalg.solve(x.T @ x / 40 + l2 * np.eye(6), x.T @ y / 40), atol=1e-9)
        lengths.append(np.sqrt(w @ w))
    assert (np.diff(lengths) < 0).all()


@given(
    x=st.floats(-10, 10),
    threshold=st.floats(0, 5),
)
def test_soft_threshold_solves_its_problem(x, threshold):
    z = penalties.soft_threshold(np.array([x]), threshold)[0]
    grid = np.append(np.linspace(-11, 11, 4001), [0.0, x])
    costs = (grid - x) ** 2 / 2 + threshold * np.abs(grid)
    assert (z - x) ** 2 / 2 + threshold * abs(z) <= costs.min() + 1e-12
    assert penalties.soft_threshold(np.array([-x]), threshold)[0] == -z
    assert (z == 0) == (abs(x) <= threshold)
    assert z * x >= 0
    assert abs(z) == pytest.approx(max(abs(x) - threshold, 0), rel=1e-12, abs=1e-300)


def test_soft_threshold_at_the_edges():
    x = frozen([np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 1e308, 5e-324])
    np.testing.assert_array_equal(penalties.soft_threshold(x, 1.0), [np.inf, -np.inf, 0, 0, 0, 0, 1e308, 0])
    np.testing.assert_array_equal(penalties.soft_threshold(x, 0.0), x)
    assert np.isnan(penalties.soft_threshold(np.array([np.nan]), 1.0)).all()


def test_soft_threshold_never_moves_two_points_apart():
    a, b = drawn(1000) * 3, drawn(1000, seed=1) * 3
    closer = np.abs(penalties.soft_threshold(a, 0.7) - penalties.soft_threshold(b, 0.7)) <= np.abs(a - b) + 1e-15
    assert closer.all()


def test_proximal_descent_finds_the_lasso_of_scikit_learn_with_its_exact_zeros():
    linear_model = pytest.importorskip("sklearn.linear_model")
    diabetes = pytest.importorskip("sklearn.datasets").load_diabetes(scaled=False)
    x = (diabetes.data - diabetes.data.mean(axis=0)) / diabetes.data.std(axis=0)
    y = diabetes.target - diabetes.target.mean()
    strength = 8.0
    expected = linear_model.Lasso(alpha=strength, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(x, y).coef_
    chain = optimizers.chain(minibatch.SGD(0.2), penalties.ProximalL1(strength, 0.2))
    w = descend(chain, {"w": np.zeros(10)}, squared_error_gradient(x, y), 2000)["w"]
    np.testing.assert_allclose(w, expected, atol=1e-7)
    np.testing.assert_array_equal(w == 0, expected == 0)
    assert 0 < np.count_nonzero(w == 0) < 10
    subgradient = optimizers.chain(penalties.PenaltyGradient(l1=strength), minibatch.SGD(0.2))
    w = descend(subgradient, {"w": np.zeros(10)}, squared_error_gradient(x, y), 2000)["w"]
    assert np.count_nonzero(w == 0) == 0


def test_l2_is_weight_decay_under_descent_and_not_under_adam():
    gradient = squared_error_gradient(*regression())

    def ends(optimizer):
        penalized = optimizers.chain(penalties.PenaltyGradient(l2=0.5), optimizer)
        decayed = optimizers.chain(optimizer, penalties.DecoupledWeightDecay(0.5, 0.01))
        return [descend(chain, {"w": drawn(6)}, gradient, 100)["w"] for chain in (penalized, decayed)]

    plain = ends(minibatch.SGD(0.01))
    np.testing.assert_allclose(*plain, rtol=1e-13)
    adam = ends(adaptive_methods.Adam(0.01))
    assert np.abs(adam[0] - adam[1]).max() > 0.05


def test_adam_then_decay_is_adamw():
    gradient, start = squared_error_gradient(*regression()), {"w": drawn(6)}
    decayed = optimizers.chain(adaptive_methods.Adam(0.02), penalties.DecoupledWeightDecay(0.1, 0.02))
    adamw = adaptive_methods.AdamW(0.02, weight_decay=0.1)
    expected = descend(adamw, start, gradient, 50)["w"]
    np.testing.assert_allclose(descend(decayed, start, gradient, 50)["w"], expected, rtol=1e-13)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_weight_decay_equals_torch(name):
    torch = pytest.importorskip("torch")
    x, y = regression()
    gradient = squared_error_gradient(x, y)
    tensor = torch.tensor(np.array(drawn(6)), requires_grad=True)
    theirs = getattr(torch.optim, name)([tensor], lr=0.02, weight_decay=0.1)
    chain = {
        "SGD": optimizers.chain(penalties.PenaltyGradient(l2=0.1), minibatch.SGD(0.02)),
        "Adam": optimizers.chain(penalties.PenaltyGradient(l2=0.1), adaptive_methods.Adam(0.02)),
        "AdamW": optimizers.chain(adaptive_methods.Adam(0.02), penalties.DecoupledWeightDecay(0.1, 0.02)),
    }[name]
    for _ in range(50):
        tensor.grad = torch.tensor(gradient({"w": tensor.detach().numpy()})["w"])
        theirs.step()
    ours = descend(chain, {"w": drawn(6)}, gradient, 50)["w"]
    np.testing.assert_allclose(ours, tensor.detach().numpy(), rtol=1e-12)


def test_schedules_reach_decay_and_threshold():
    def rate(step):
        return 0.1 if step < 2 else 0.0

    params, zero = {"w": np.array([1.0, -1.0])}, {"w": np.zeros(2)}
    decayed = descend(penalties.DecoupledWeightDecay(0.5, rate), params, lambda params: zero, 5)
    np.testing.assert_allclose(decayed["w"], [0.95**2, -(0.95**2)], rtol=1e-15)
    proximal = descend(penalties.ProximalL1(0.5, rate), params, lambda params: zero, 5)
    np.testing.assert_allclose(proximal["w"], [0.9, -0.9], rtol=1e-15)
    added, _ = penalties.PenaltyGradient(l2=lambda step: 2.0).update(zero, penalties.PenaltyState(7), params)
    np.testing.assert_array_equal(added["w"], [2.0, -2.0])


@pytest.mark.parametrize("shape", [(5, 3), (4, 3, 2, 2)])
def test_max_norm(shape):
    weight = drawn(*shape)
    lengths = np.sqrt(np.square(weight).reshape(shape[0], -1).sum(axis=-1))
    limit = float(np.median(lengths))
    bounded = penalties.max_norm(weight, limit)
    new = np.sqrt(np.square(bounded).reshape(shape[0], -1).sum(axis=-1))
    np.testing.assert_allclose(new, np.minimum(lengths, limit), rtol=1e-13)
    short = lengths <= limit
    assert short.any()
    assert not short.all()
    np.testing.assert_array_equal(bounded[short], weight[short])
    ratio = bounded / weight
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[(slice(None), *[slice(0, 1)] * (len(shape) - 1))], shape))
    np.testing.assert_allclose(penalties.max_norm(bounded, limit), bounded, rtol=1e-15)


@given(length=st.floats(0, 5), threshold=st.floats(0, 5), angle=st.floats(0, 6.3))
def test_group_soft_threshold_solves_its_problem(length, threshold, angle):
    w = length * np.array([np.cos(angle), np.sin(angle)])
    z = penalties.group_soft_threshold(np.array([w, -w]), threshold)
    np.testing.assert_array_equal(z[1], -z[0])
    grid = np.stack(np.meshgrid(*[np.linspace(-6, 6, 61)] * 2), axis=-1).reshape(-1, 2)
    grid = np.concatenate([grid, np.zeros((1, 2)), z[:1] * 0.99, z[:1] + 1e-3 * drawn(20, 2)])
    costs = ((grid - w) ** 2).sum(-1) / 2 + threshold * np.sqrt((grid**2).sum(-1))
    cost = ((z[0] - w) ** 2).sum() / 2 + threshold * np.sqrt((z[0] ** 2).sum())
    assert cost <= costs.min() + 1e-12
    assert np.hypot(*z[0]) == pytest.approx(max(np.hypot(*w) - threshold, 0), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("shape", [(5, 3), (4, 3, 2, 2)])
def test_group_soft_threshold_takes_units_whole(shape):
    weight = drawn(*shape)
    lengths = np.sqrt(np.square(weight).reshape(shape[0], -1).sum(axis=-1))
    threshold = float(np.median(lengths))
    shrunk = penalties.group_soft_threshold(weight, threshold)
    new = np.sqrt(np.square(shrunk).reshape(shape[0], -1).sum(axis=-1))
    np.testing.assert_allclose(new, np.maximum(lengths - threshold, 0), rtol=1e-12, atol=1e-15)
    assert 0 < (new == 0).sum() < shape[0]
    np.testing.assert_array_equal((shrunk == 0).reshape(shape[0], -1).all(-1), lengths <= threshold)


def test_proximal_groups_set_whole_units_to_zero_and_spare_biases():
    params = {"0.weight": drawn(6, 3), "0.bias": drawn(6)}
    target = np.array(drawn(6, 3, seed=1))
    target[:3] *= 0.1
    chain = optimizers.chain(minibatch.SGD(0.2), penalties.ProximalGroups(0.8, 0.2))
    end = descend(chain, params, lambda p: {"0.weight": p["0.weight"] - target, "0.bias": 0 * p["0.bias"]}, 200)
    np.testing.assert_allclose(end["0.weight"], penalties.group_soft_threshold(target, 0.8), atol=1e-9)
    assert (end["0.weight"][:3] == 0).all()
    np.testing.assert_array_equal(end["0.bias"], params["0.bias"])


def test_max_norm_equals_torch():
    torch = pytest.importorskip("torch")
    weight = drawn(5, 3)
    expected = torch.renorm(torch.tensor(np.array(weight)), p=2, dim=0, maxnorm=1.2).numpy()
    np.testing.assert_allclose(penalties.max_norm(weight, 1.2), expected, rtol=1e-6)  # theirs divides by norm + 1e-7


def test_max_norm_of_zeros_and_of_huge_weights():
    weight = frozen([[0.0, 0.0], [1e300, 1e300], [3e-300, 4e-300]])
    np.testing.assert_allclose(
        penalties.max_norm(weight, 2.0), [[0, 0], [2**0.5, 2**0.5], [3e-300, 4e-300]], rtol=1e-12
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_penalties_and_bounds_of_numbers_whose_squares_or_sums_leave_their_type(dtype, backend):
    module, array = penalties, np.array
    if backend == "torch":
        torch = pytest.importorskip("torch")
        from dlnotes.torch import weight_penalties as module

        array = torch.tensor
    big = {np.float16: 6e4, np.float32: 3e38}[dtype]
    weight = array(np.full((3, 50), big, dtype))
    bounded = np.asarray(module.max_norm(weight, 2.0)).astype(float)
    np.testing.assert_allclose(bounded, 2 / np.sqrt(50), rtol=1e-3)
    if dtype == np.float16:
        ones = array(np.full((100, 100), 1.0, dtype))
        assert float(module.l1_penalty(ones, 1e-3)) == pytest.approx(10, rel=1e-3)
        assert float(module.l2_penalty(array(np.full(4, 3e2, dtype)), 0.1)) == pytest.approx(18000, rel=1e-3)
        assert float(module.elastic_net_penalty(ones, 1e-3, 2e-3)) == pytest.approx(20, rel=1e-3)
        assert float(module.l2_gradient(array(np.array([4e4], dtype)), 1e-8)[0]) == pytest.approx(4e-4, rel=1e-3)


def test_max_norm_in_a_chain_keeps_weights_inside_and_biases_free():
    params = {"0.weight": drawn(4, 3), "0.bias": drawn(4)}
    chain = optimizers.chain(minibatch.SGD(1.0), penalties.MaxNorm(0.5))
    result = descend(chain, params, lambda params: {name: -value for name, value in params.items()}, 5)
    lengths = np.sqrt(np.square(result["0.weight"]).sum(axis=-1))
    np.testing.assert_allclose(lengths, 0.5, rtol=1e-14)
    np.testing.assert_allclose(result["0.bias"], params["0.bias"] * 2**5)


@pytest.mark.parametrize(
    "make",
    [
        lambda suffix: penalties.PenaltyGradient(l1=0.1, l2=0.2, suffix=suffix),
        lambda suffix: penalties.DecoupledWeightDecay(0.5, 1.0, suffix),
        lambda suffix: penalties.ProximalL1(0.5, 1.0, suffix),
    ],
)
def test_a_suffix_spares_the_biases(make):
    params = {"0.weight": drawn(4, 3), "0.bias": drawn(4)}
    grads = {"0.weight": drawn(4, 3, seed=1), "0.bias": drawn(4, seed=1)}
    every, some = make(""), make(".weight")
    assert every.elementwise
    assert not some.elementwise
    on_all, _ = every.update(grads, every.init(params), params)
    on_some, _ = some.update(grads, some.init(params), params)
    assert list(on_some) == list(grads)
    np.testing.assert_array_equal(on_some["0.weight"], on_all["0.weight"])
    np.testing.assert_array_equal(on_some["0.bias"], grads["0.bias"])
    assert (on_all["0.bias"] != grads["0.bias"]).any()


STRENGTHS = np.array([[0.0, 0.3, 1.0], [2.0, 0.1, 0.7]])
PARTS = {
    "gradient": lambda strength, axes: optimizers.chain(
        penalties.PenaltyGradient(l1=strength, l2=strength), minibatch.SGD(0.1)
    ),
    "decay-of-weights": lambda strength, axes: optimizers.chain(
        minibatch.SGD(0.1), penalties.DecoupledWeightDecay(strength, 0.1, ".weight")
    ),
    "decay": lambda strength, axes: optimizers.chain(
        adaptive_methods.Adam(0.1), penalties.DecoupledWeightDecay(strength, 0.1)
    ),
    "proximal": lambda strength, axes: optimizers.chain(minibatch.SGD(0.1), penalties.ProximalL1(strength, 0.1)),
    "groups": lambda strength, axes: optimizers.chain(
        minibatch.SGD(0.1), penalties.ProximalGroups(strength, 0.1, run_axes=axes)
    ),
    "max-norm": lambda strength, axes: optimizers.chain(minibatch.SGD(0.1), penalties.MaxNorm(strength + 0.5, axes)),
}


@pytest.mark.parametrize("make", PARTS.values(), ids=PARTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_runs_at_once_equal_runs_alone_bit_for_bit(make, dtype):
    params = {"0.weight": drawn(2, 3, 4, 5, dtype=dtype), "0.bias": drawn(2, 3, 4, dtype=dtype)}

    def gradient(params):
        return {name: value - dtype(1) for name, value in params.items()}

    together = descend(make(STRENGTHS, 2), params, gradient, 6)
    for i in np.ndindex(2, 3):
        alone = descend(
            make(float(STRENGTHS[i]), 0), {name: frozen(value[i]) for name, value in params.items()}, gradient, 6
        )
        for name in params:
            assert together[name].dtype == dtype
            np.testing.assert_array_equal(together[name][i], alone[name])


@pytest.mark.parametrize("make", PARTS.values(), ids=PARTS)
def test_the_training_loop_takes_the_parts(make, monkeypatch):
    monkeypatch.setattr(training, "CHUNK_SIZE", 30)  # one run at a time, so that what is one a run is cut too
    params = {"0.weight": drawn(2, 3, 4, 5), "0.bias": drawn(2, 3, 4)}

    def gradient(params, inputs=None, targets=None):
        leading = next(iter(params.values())).shape[:-2]
        return np.zeros(leading), {name: value - 1 for name, value in params.items()}

    result = training.train(
        params,
        np.zeros((1, 1)),
        np.zeros(1, dtype=int),
        make(STRENGTHS, 2),
        steps=6,
        runs=(2, 3),
        gradient=lambda params, x, y: (np.zeros(len(params["0.bias"])), gradient(params)[1]),
    )
    pure = descend(make(STRENGTHS, 2), params, lambda params: gradient(params)[1], 6)
    for name in params:
        np.testing.assert_allclose(result.parameters[name], pure[name], rtol=1e-13, atol=1e-15)


def test_penalties_of_runs():
    weight, strengths = drawn(2, 3, 4, 5), STRENGTHS
    for function in (penalties.l1_penalty, penalties.l2_penalty):
        together = function(weight, strengths, 2)
        for i in np.ndindex(2, 3):
            assert together[i] == function(weight[i], float(strengths[i]))
    assert penalties.l1_penalty(weight, strengths[:, 0], 1).shape == (2,)


@given(
    shape=st.lists(st.integers(0, 4), min_size=1, max_size=4).map(tuple),
    dtype=st.sampled_from([np.float32, np.float64]),
    strength=st.floats(0, 10),
)
def test_any_shape_and_dtype(shape, dtype, strength):
    weight = np.asarray(drawn(*shape, dtype=dtype))
    for function in (penalties.l1_gradient, penalties.l2_gradient, penalties.soft_threshold):
        result = function(weight, strength)
        assert result.shape == shape
        assert result.dtype == dtype
    for function in (penalties.l1_penalty, penalties.l2_penalty):
        assert function(weight, strength).dtype == dtype
        assert function(weight, strength) >= 0
    if len(shape) >= 2:
        assert penalties.max_norm(weight, strength + 1).shape == shape
        assert penalties.group_soft_threshold(weight, strength).shape == shape
