from __future__ import annotations

import dataclasses
import decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlnotes import optimizers
from dlnotes.numpy import adaptive_methods as kernels
from dlnotes.numpy import minibatch, momentum, schedules, weight_penalties

SHAPES = {"0.weight": (4, 3), "0.bias": (4,), "2.weight": (2, 4), "2.bias": (2,)}
MATRICES = {"tall": (5, 3), "wide": (3, 5), "square": (4, 4)}

OPTIMIZERS = {
    "sgd": minibatch.SGD(0.1),
    "momentum": momentum.Momentum(0.1, 0.8, 0.3),
    "nesterov": momentum.Nesterov(0.1, 0.8),
    "adagrad": kernels.Adagrad(0.1),
    "rmsprop": kernels.RMSprop(0.01),
    "rmsprop with everything": kernels.RMSprop(0.01, 0.9, 1e-6, 0.7, True),
    "adam": kernels.Adam(0.01),
    "adamw": kernels.AdamW(0.01, weight_decay=0.1),
    "amsgrad": kernels.AMSGrad(0.01),
    "nadam": kernels.NAdam(0.01),
    "lion": kernels.Lion(0.01, weight_decay=0.1),
}


def drawn(shapes, seed=0, runs=(), dtype=np.float64):
    generator = np.random.default_rng(seed)
    return {name: frozen(generator.normal(size=(*runs, *shape)), dtype) for name, shape in shapes.items()}


def frozen(x, dtype=np.float64):
    x = np.array(x, dtype=dtype)
    x.flags.writeable = False
    return x


def path(optimizer, steps=300, shapes=SHAPES, sparse=True):
    """Walk from one start under one sequence of gradients; give the parameters after each step."""
    params = drawn(shapes)
    state = optimizer.init(params)
    walked = []
    for step in range(steps):
        grads = gradient(params, step, sparse)
        updates, state = optimizer.update(grads, state, params)
        params = {name: frozen(value) for name, value in optimizers.apply_updates(params, updates).items()}
        walked.append(params)
    return walked


def gradient(params, step, sparse):
    """Give a gradient that depends on where one is, changes in size by orders of magnitude and is often zero."""
    generator = np.random.default_rng((1, step))
    grads = {}
    for name, value in params.items():
        noise = generator.normal(size=value.shape) * 10 ** generator.uniform(-4, 2)
        grads[name] = frozen((0.3 * value + noise) * (generator.random(value.shape) > (0.4 if sparse else 0)))
    return grads


def torch_path(make, steps=300, shapes=SHAPES, sparse=True, schedule=None):
    torch = pytest.importorskip("torch")
    params = {name: torch.nn.Parameter(torch.tensor(np.array(value))) for name, value in drawn(shapes).items()}
    optimizer = make(torch, list(params.values()))
    walked = []
    for step in range(steps):
        if schedule is not None:
            optimizer.param_groups[0]["lr"] = schedule(step)
        now = {name: value.detach().numpy().copy() for name, value in params.items()}
        for name, grad in gradient(now, step, sparse).items():
            params[name].grad = torch.tensor(np.array(grad))
        optimizer.step()
        walked.append({name: value.detach().numpy().copy() for name, value in params.items()})
    return walked


def assert_same_path(ours, theirs, rtol=1e-12):
    for step, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        for name in one:
            scale = np.abs(other[name]).max()
            np.testing.assert_allclose(
                one[name], other[name], rtol=rtol, atol=rtol * scale, err_msg=f"{name} at step {step}"
            )


PAIRS = {
    "sgd": (lambda: minibatch.SGD(0.01), lambda t, p: t.optim.SGD(p, lr=0.01)),
    "momentum": (lambda: momentum.Momentum(0.01, 0.9), lambda t, p: t.optim.SGD(p, lr=0.01, momentum=0.9)),
    "dampened": (
        lambda: momentum.Momentum(0.01, 0.8, 0.8),
        lambda t, p: t.optim.SGD(p, lr=0.01, momentum=0.8, dampening=0.8),
    ),
    "nesterov": (
        lambda: momentum.Nesterov(0.01, 0.9),
        lambda t, p: t.optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True),
    ),
    "adagrad": (lambda: kernels.Adagrad(), lambda t, p: t.optim.Adagrad(p)),
    "adagrad from a sum": (
        lambda: kernels.Adagrad(0.1, 1e-3, 0.5),
        lambda t, p: t.optim.Adagrad(p, lr=0.1, eps=1e-3, initial_accumulator_value=0.5),
    ),
    "rmsprop": (lambda: kernels.RMSprop(), lambda t, p: t.optim.RMSprop(p)),
    "rmsprop with momentum": (
        lambda: kernels.RMSprop(0.003, 0.95, 1e-5, momentum=0.8),
        lambda t, p: t.optim.RMSprop(p, lr=0.003, alpha=0.95, eps=1e-5, momentum=0.8),
    ),
    "rmsprop centered": (
        lambda: kernels.RMSprop(0.003, 0.95, 1e-3, centered=True),
        lambda t, p: t.optim.RMSprop(p, lr=0.003, alpha=0.95, eps=1e-3, centered=True),
    ),
    "rmsprop with both": (
        lambda: kernels.RMSprop(0.003, 0.95, 1e-3, 0.8, True),
        lambda t, p: t.optim.RMSprop(p, lr=0.003, alpha=0.95, eps=1e-3, momentum=0.8, centered=True),
    ),
    "adam": (lambda: kernels.Adam(), lambda t, p: t.optim.Adam(p)),
    "adam with other constants": (
        lambda: kernels.Adam(0.02, 0.7, 0.95, 1e-3),
        lambda t, p: t.optim.Adam(p, lr=0.02, betas=(0.7, 0.95), eps=1e-3),
    ),
    "adam without averages": (
        lambda: kernels.Adam(0.02, 0.0, 0.0, 1e-3),
        lambda t, p: t.optim.Adam(p, lr=0.02, betas=(0.0, 0.0), eps=1e-3),
    ),
    "adamw": (lambda: kernels.AdamW(), lambda t, p: t.optim.AdamW(p)),
    "adamw with other constants": (
        lambda: kernels.AdamW(0.02, 0.7, 0.95, 1e-3, 0.3),
        lambda t, p: t.optim.AdamW(p, lr=0.02, betas=(0.7, 0.95), eps=1e-3, weight_decay=0.3),
    ),
    "amsgrad": (lambda: kernels.AMSGrad(), lambda t, p: t.optim.Adam(p, amsgrad=True)),
    "amsgrad with other constants": (
        lambda: kernels.AMSGrad(0.02, 0.7, 0.6, 1e-3),
        lambda t, p: t.optim.Adam(p, lr=0.02, betas=(0.7, 0.6), eps=1e-3, amsgrad=True),
    ),
    "nadam": (lambda: kernels.NAdam(), lambda t, p: t.optim.NAdam(p)),
    "nadam with other constants": (
        lambda: kernels.NAdam(0.02, 0.7, 0.95, 1e-3, 0.05),
        lambda t, p: t.optim.NAdam(p, lr=0.02, betas=(0.7, 0.95), eps=1e-3, momentum_decay=0.05),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_equal_to_torch_step_by_step(name):
    torch = pytest.importorskip("torch")
    ours, theirs = PAIRS[name]
    # torch keeps NAdam's product of momenta in the default dtype, so in float32 unless told otherwise.
    torch.set_default_dtype(torch.float64)
    try:
        expected = torch_path(theirs)
    finally:
        torch.set_default_dtype(torch.float32)
    assert_same_path(path(ours()), expected)


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_muon_equal_to_torch_step_by_step(nesterov, steps, monkeypatch):
    torch = pytest.importorskip("torch")
    # torch rounds the matrix to bfloat16 before the iteration; without that its Muon computes in float64 like ours.
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    theirs = torch_path(
        lambda t, p: t.optim.Muon(p, lr=0.02, weight_decay=0.2, momentum=0.9, nesterov=nesterov, ns_steps=steps),
        200,
        MATRICES,
    )
    ours = path(kernels.Muon(0.02, 0.9, 0.2, nesterov, steps), 200, MATRICES)
    assert_same_path(ours, theirs, 1e-10)
    assert_same_path(path(kernels.Muon(), 20, MATRICES), torch_path(lambda t, p: t.optim.Muon(p), 20, MATRICES), 1e-10)


def test_lion_equal_to_a_loop_over_numbers():
    optimizer = kernels.Lion(0.01, 0.8, 0.9, 0.3)
    params = drawn({"w": (3,)})
    w, m = [float(x) for x in params["w"]], [0.0] * 3
    for step, walked in enumerate(path(optimizer, 100, {"w": (3,)})):
        g = gradient({"w": np.array(w)}, step, True)["w"].tolist()
        for i in range(3):
            c = 0.8 * m[i] + 0.2 * g[i]
            w[i] -= 0.01 * ((c > 0) - (c < 0) + 0.3 * w[i])
            m[i] = 0.9 * m[i] + 0.1 * g[i]
        np.testing.assert_allclose(walked["w"], w, rtol=1e-13)


def test_a_schedule_sets_the_rate_of_each_step():
    def schedule(step):
        return 0.01 / (1 + step)

    assert_same_path(
        path(kernels.AdamW(schedule, weight_decay=0.3)),
        torch_path(lambda t, p: t.optim.AdamW(p, weight_decay=0.3), schedule=schedule),
    )


@pytest.mark.parametrize("home", ["numpy", "torch"])
@pytest.mark.parametrize("name", ["Adagrad", "RMSprop", "Adam", "AdamW", "AMSGrad", "NAdam", "Lion", "Muon"])
def test_a_schedule_takes_the_steps_of_its_values_given_one_by_one(name, home):
    array, plain, maker = np.array, np.asarray, getattr(kernels, name)
    if home == "torch":
        torch = pytest.importorskip("torch")
        from dlnotes.torch import adaptive_methods as variant

        array, plain, maker = (lambda value: torch.tensor(np.array(value))), torch.Tensor.numpy, getattr(variant, name)
    fields = [field.name for field in dataclasses.fields(maker) if isinstance(field.default, float)]
    numbers = [field for field in fields if field != "initial_sum"]
    assert "learning_rate" in numbers
    # Each number falls from step to step, at a speed of its own.
    falling = {field: lambda step, kept=0.9 - 0.07 * i: 0.8 * kept**step for i, field in enumerate(numbers)}
    scheduled = maker(**falling)
    params = {key: array(value) for key, value in drawn(MATRICES).items()}
    state = by_hand_state = scheduled.init(params)
    in_place = hasattr(scheduled, "update_in_place")
    own, own_state = {key: array(plain(value)) for key, value in params.items()}, scheduled.init(params)
    for step in range(6):
        by_hand = maker(**{field: value(step) for field, value in falling.items()})
        grads = {key: array(value) for key, value in drawn(MATRICES, 1 + step).items()}
        updates, state = scheduled.update(grads, state, params)
        expected, by_hand_state = by_hand.update(grads, by_hand_state, params)
        for key in params:
            np.testing.assert_array_equal(plain(updates[key]), plain(expected[key]))
        params = optimizers.apply_updates(params, updates)
        if in_place:
            own_state = scheduled.update_in_place(grads, own_state, own)
            for key in params:
                np.testing.assert_allclose(plain(own[key]), plain(params[key]), rtol=1e-11, atol=1e-12)


KEPT = {
    0: [minibatch.SGD(0.1)],
    1: [momentum.Momentum(0.1), kernels.Adagrad(), kernels.RMSprop(), kernels.Lion(), kernels.Muon()],
    2: [kernels.Adam(), kernels.AdamW()],
    3: [kernels.AMSGrad()],
}


@pytest.mark.parametrize(("kept", "optimizer"), [(kept, one) for kept, all_ in KEPT.items() for one in all_])
def test_numbers_kept_for_each_weight(kept, optimizer):
    leaves = optimizers.leaves(optimizer.init({"w": np.zeros((40, 30))}))
    assert sum(np.size(leaf) for leaf in leaves if np.ndim(leaf)) == 1200 * kept


def test_epsilon_stands_outside_the_root():
    # With a constant gradient g both averages are exact after correction, so each step is rate g / (|g| + epsilon).
    optimizer = kernels.Adam(1.0, epsilon=1.0)
    params = {"w": frozen([0.0])}
    state = optimizer.init(params)
    for _ in range(50):
        updates, state = optimizer.update({"w": frozen([3.0])}, state, params)
        assert updates["w"][0] == pytest.approx(-3 / (3 + 1), rel=1e-13)
    under_the_root = 3 / np.sqrt(9 + 1)
    assert abs(-updates["w"][0] - under_the_root) > 0.1


def test_first_steps_with_and_without_correction():
    # Without correction the first step is (1 - beta1) / sqrt(1 - beta2) = 3.16 times as long as with it.
    params, grads = {"w": frozen([0.0])}, {"w": frozen([2.0])}
    corrected = kernels.Adam(1.0, epsilon=0.0)
    updates, state = corrected.update(grads, corrected.init(params), params)
    assert updates["w"][0] == pytest.approx(-1, rel=1e-13)
    plain = state.mean["w"][0] / np.sqrt(state.mean_square["w"][0])
    assert plain == pytest.approx(0.1 / np.sqrt(0.001), rel=1e-13)


def test_adam_joins_rmsprop_and_momentum():
    # With beta1 = 0 Adam's step is RMSprop's times the root of the correction; epsilon 0 makes this exact.
    shapes = {"w": (6,)}
    params = drawn(shapes)
    adam, rmsprop = kernels.Adam(0.1, 0.0, 0.9, 0.0), kernels.RMSprop(0.1, 0.9, 0.0)
    a, r = adam.init(params), rmsprop.init(params)
    for t in range(1, 30):
        grads = drawn(shapes, t)
        (u, a), (v, r) = adam.update(grads, a, params), rmsprop.update(grads, r, params)
        np.testing.assert_allclose(u["w"], v["w"] * np.sqrt(1 - 0.9**t), rtol=1e-12)
    # With a large epsilon the quotient is m_hat / epsilon: an average of gradients, momentum's direction.
    adam, ball = kernels.Adam(1e8, 0.9, 0.999, 1e8), momentum.Momentum(1.0, 0.9)
    a, b = adam.init(params), ball.init(params)
    for t in range(1, 30):
        grads = drawn(shapes, t)
        (u, a), (v, b) = adam.update(grads, a, params), ball.update(grads, b, params)
        np.testing.assert_allclose(u["w"], v["w"] * 0.1 / (1 - 0.9**t), rtol=1e-6)


def reddi(optimizer, steps=3000, period=3, large=3.0):
    """Walk on [-1, 1] under the gradient C at every third step and -1 else; the mean is positive, so -1 is best."""
    params = {"w": np.zeros(1)}
    state = optimizer.init(params)
    for step in range(steps):
        grads = {"w": np.array([large if step % period == 0 else -1.0])}
        updates, state = optimizer.update(grads, state, params)
        params = {"w": np.clip(params["w"] + updates["w"], -1, 1)}
    return float(params["w"][0])


def test_counterexample_of_reddi_kale_and_kumar():
    def rate(step):
        return 0.5 / np.sqrt(step + 1)

    assert reddi(kernels.Adam(rate, 0.0, 0.1, 0.0)) > 0.9
    assert reddi(kernels.AMSGrad(rate, 0.0, 0.1, 0.0)) < -0.9
    assert reddi(kernels.Adam(rate, 0.9, 0.99, 0.0)) < -0.9


def test_amsgrads_divisor_never_falls():
    optimizer = kernels.AMSGrad(beta2=0.5)
    params = drawn({"w": (20,)})
    state, largest = optimizer.init(params), np.zeros(20)
    for step in range(100):
        _, state = optimizer.update(drawn({"w": (20,)}, step), state, params)
        assert (state.largest["w"] >= largest).all()
        assert (state.largest["w"] >= state.mean_square["w"]).all()
        largest = state.largest["w"]


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (1, 6), (6, 1), (1, 1)])
def test_newton_schulz_keeps_the_singular_vectors(shape):
    matrix = frozen(np.random.default_rng(0).normal(size=shape))
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    s /= np.linalg.norm(s)
    for _ in range(5):
        s = 3.4445 * s - 4.775 * s**3 + 2.0315 * s**5
    np.testing.assert_allclose(kernels.newton_schulz(matrix), (u * s) @ vt, rtol=1e-11, atol=1e-12)


def test_newton_schulz_brings_singular_values_near_one():
    # Five steps bring every share of the length from 0.01 up to between 0.68 and 1.21, and converge nowhere.
    values = np.geomspace(0.01, 1, 2000)
    for _ in range(5):
        values = 3.4445 * values - 4.775 * values**3 + 2.0315 * values**5
    assert 0.67 < values.min() < 0.72
    assert 1.1 < values.max() < 1.21
    # These coefficients do converge; twelve steps of them give the nearest orthogonal matrix.
    matrix = np.random.default_rng(0).normal(size=(4, 6))
    u, _, vt = np.linalg.svd(matrix, full_matrices=False)
    polar = kernels.newton_schulz(matrix, 40, (15 / 8, -10 / 8, 3 / 8))
    np.testing.assert_allclose(polar, u @ vt, rtol=1e-12, atol=1e-13)


def test_newton_schulz_of_zero_is_zero():
    assert not kernels.newton_schulz(np.zeros((3, 4))).any()
    assert kernels.newton_schulz(np.zeros((0, 4))).shape == (0, 4)
    assert kernels.newton_schulz(np.zeros((2, 3, 4))).shape == (2, 3, 4)


def test_muon_refuses_what_is_no_matrix():
    with pytest.raises(ValueError, match=r"params\['0.bias'\] must be an array of 2 axes"):
        kernels.Muon().init(drawn(SHAPES))


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept_and_nothing_is_written_over(name, dtype):
    optimizer = OPTIMIZERS[name]
    params, grads = drawn(SHAPES, dtype=dtype), drawn(SHAPES, 1, dtype=dtype)
    state = optimizer.init(params)
    for _ in range(3):
        updates, after = optimizer.update(grads, state, params)
        again, _ = optimizer.update(grads, state, params)
        for key, update in updates.items():
            assert update.dtype == dtype
            assert update.shape == params[key].shape
            np.testing.assert_array_equal(update, again[key])
        for field in after:
            for array in field.values() if isinstance(field, dict) else ():
                assert array.dtype == dtype
        state = after
    assert state.step == 3


RATES = np.array([[0.1, 0.01], [0.3, 0.0], [1e-4, 2.0]])
BETAS = np.array([[0.1, 0.9], [0.0, 0.5], [0.99, 0.2]])

GRIDS = {
    "sgd": lambda rate, beta: minibatch.SGD(rate),
    "momentum": lambda rate, beta: momentum.Momentum(rate, beta, beta / 2),
    "nesterov": lambda rate, beta: momentum.Nesterov(rate, beta),
    "adagrad": lambda rate, beta: kernels.Adagrad(rate, beta),
    "rmsprop": lambda rate, beta: kernels.RMSprop(rate, beta, rate, beta, True),
    "adam": lambda rate, beta: kernels.Adam(rate, beta, beta / 2, rate),
    "adam with a schedule": lambda rate, beta: kernels.Adam(lambda step: rate / (1 + step), beta),
    "adamw": lambda rate, beta: kernels.AdamW(rate, beta, beta / 2, rate, beta),
    "amsgrad": lambda rate, beta: kernels.AMSGrad(rate, beta, beta / 2, rate),
    "nadam": lambda rate, beta: kernels.NAdam(rate, beta, beta / 2, rate, beta),
    "lion": lambda rate, beta: kernels.Lion(rate, beta, beta / 2, rate),
    "muon": lambda rate, beta: kernels.Muon(rate, beta, rate, run_axes=np.ndim(rate)),
}


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_grid_of_runs_equals_single_runs_bit_for_bit(name, dtype):
    make, shapes = GRIDS[name], MATRICES if name == "muon" else SHAPES
    params = drawn(shapes, runs=(3, 2), dtype=dtype)
    together = make(RATES, BETAS)
    single = {run: make(float(RATES[run]), float(BETAS[run])) for run in np.ndindex(3, 2)}
    state = together.init(params)
    alone = {run: each.init({k: v[run] for k, v in params.items()}) for run, each in single.items()}
    for step in range(6):
        grads = drawn(shapes, step + 1, (3, 2), dtype)
        updates, state = together.update(grads, state, params)
        for run, each in single.items():
            own = {k: v[run] for k, v in params.items()}
            expected, alone[run] = each.update({k: v[run] for k, v in grads.items()}, alone[run], own)
            for key in own:
                np.testing.assert_array_equal(updates[key][run], expected[key])


def test_rates_broadcast_from_the_left():
    params, grads = drawn({"w": (4,)}, runs=(3, 2)), drawn({"w": (4,)}, 1, (3, 2))
    left, full = kernels.Adam(RATES[:, 0]), kernels.Adam(np.repeat(RATES[:, :1], 2, axis=1))
    one, _ = left.update(grads, left.init(params), params)
    other, _ = full.update(grads, full.init(params), params)
    np.testing.assert_array_equal(one["w"], other["w"])


@given(
    gradients=st.lists(st.floats(0.001, 1e6), min_size=1, max_size=30),
    beta1=st.floats(0, 0.99),
    beta2=st.floats(0, 0.999),
    scale=st.sampled_from([2.0**-20, 0.5, 4.0, 2.0**30]),
)
def test_adam_does_not_see_the_scale_of_the_gradient(gradients, beta1, beta2, scale):
    optimizer = kernels.Adam(0.1, beta1, beta2, 0.0)
    params = {"w": np.zeros(1)}
    a = b = optimizer.init(params)
    for sign, g in enumerate(gradients):
        grads = {"w": np.array([-g if sign % 3 == 0 else g])}
        u, a = optimizer.update(grads, a, params)
        v, b = optimizer.update({"w": scale * grads["w"]}, b, params)
        np.testing.assert_array_equal(u["w"], v["w"])  # to the bit, since the scale is a power of two


@given(gradients=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40), rate=st.floats(1e-6, 1))
def test_first_step_and_bounds(gradients, rate):
    params = {"w": np.zeros(1)}
    lion, adagrad = kernels.Lion(rate), kernels.Adagrad(rate)
    a, b = lion.init(params), adagrad.init(params)
    for g in gradients:
        grads = {"w": np.array([g])}
        (u, a), (v, b) = lion.update(grads, a, params), adagrad.update(grads, b, params)
        assert abs(u["w"][0]) in (0, rate)  # Lion's steps have one length
        assert abs(v["w"][0]) <= rate  # Adagrad's never exceed the rate


@given(
    beta=st.floats(0.5, 0.999),
    mean=st.floats(-100, 100),
    spread=st.sampled_from([0.0, 1e-9, 1e-3, 1.0]),
    seed=st.integers(0, 99),
)
def test_a_centered_variance_is_right_where_the_difference_of_averages_is_all_rounding(beta, mean, spread, seed):
    gradients = mean + spread * np.random.default_rng(seed).normal(size=60)
    optimizer, params = kernels.RMSprop(0.1, beta, centered=True), {"w": np.zeros(1)}
    state = optimizer.init(params)
    for g in gradients:
        updates, state = optimizer.update({"w": np.array([g])}, state, params)
        assert np.isfinite(updates["w"]).all()
    # The same averages in 60 digits.
    with decimal.localcontext(prec=60):
        kept, m, v = decimal.Decimal(beta), decimal.Decimal(0), decimal.Decimal(0)
        for g in map(decimal.Decimal, gradients.tolist()):
            m, v = kept * m + (1 - kept) * g, kept * v + (1 - kept) * g * g
        exact = float(v - m * m)
    assert state.mean_square["w"][0] == pytest.approx(exact, rel=1e-6, abs=(1e-12 * mean) ** 2)


def test_a_constant_gradient_never_breaks_centered_rmsprop():
    # E g^2 - m^2 is below 0 at step 3227 for g = 0.1, by rounding, and its root nan.
    optimizer, params = kernels.RMSprop(centered=True), {"w": np.zeros(3)}
    state, grads = optimizer.init(params), {"w": np.array([0.1, 1e-3, 7.0])}
    for _ in range(5000):
        updates, state = optimizer.update(grads, state, params)
        assert np.isfinite(updates["w"]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_adam_where_squares_leave_the_range_of_the_dtype(dtype):
    def walked(scale, epsilon):
        optimizer, params = kernels.Adam(0.1, epsilon=epsilon), {"w": np.zeros(4, dtype)}
        state, generator = optimizer.init(params), np.random.default_rng(0)
        with np.errstate(all="ignore"):
            for _ in range(20):
                grads = {"w": (generator.normal(size=4) * scale).astype(dtype)}
                updates, state = optimizer.update(grads, state, params)
                params = optimizers.apply_updates(params, updates)
        return params["w"]

    like = walked(1.0, 0.0)
    for scale in (2.0**-40, 2.0**40):  # inside the range of both dtypes
        np.testing.assert_array_equal(walked(scale, 0.0), like)
    for scale in (2.0**-100, 2.0**100):  # squares of 1e-60 and 1e60, beyond float32
        if dtype is np.float64:
            np.testing.assert_array_equal(walked(scale, 0.0), like)
    if dtype is np.float32:
        np.testing.assert_array_equal(walked(2.0**100, 1e-8), np.zeros(4))  # v is inf
        assert np.abs(walked(2.0**-100, 1e-8)).max() < 1e-20  # epsilon alone divides


def test_the_factor_of_amsgrad_grows_after_a_single_gradient():
    optimizer, params = kernels.AMSGrad(1.0, beta1=0.0, epsilon=0.0), {"w": np.zeros(1)}
    state, factors = optimizer.init(params), {}
    for step in range(1, 3001):
        _, state = optimizer.update({"w": np.array([float(step == 1)])}, state, params)
        factors[step] = float(np.sqrt((1 - 0.999**step) / state.largest["w"][0]))
    grown = [factors[step] / factors[1] for step in (1, 2, 100, 1000, 3000)]
    np.testing.assert_allclose(grown, [1, 1.4139, 9.7583, 25.145, 30.828], rtol=1e-4)
    assert grown[-1] < 1 / np.sqrt(1 - 0.999)


def test_adamw_is_adam_with_a_decay_and_the_rate_in_a_chain():
    rate, decay = 0.03, 0.2
    chained = optimizers.chain(
        kernels.Adam(1.0), weight_penalties.DecoupledWeightDecay(decay, 1.0), schedules.Scale(rate)
    )
    assert_same_path(path(kernels.AdamW(rate, weight_decay=decay)), path(chained), rtol=1e-11)


@pytest.mark.parametrize("exponent", [-300, -170, -30, 30, 160, 300])
def test_newton_schulz_does_not_see_the_scale(exponent):
    matrix = np.random.default_rng(0).normal(size=(2, 5, 3))
    scaled = kernels.newton_schulz(matrix * 10.0**exponent, epsilon=1e-320)
    np.testing.assert_allclose(scaled, kernels.newton_schulz(matrix), rtol=1e-9, atol=1e-9)


def test_newton_schulz_of_few_bits_is_taken_in_float32():
    matrix = (300 * np.random.default_rng(0).normal(size=(4, 6))).astype(np.float16)  # its squares overflow
    expected = kernels.newton_schulz(matrix.astype(np.float32)).astype(np.float16)
    np.testing.assert_array_equal(kernels.newton_schulz(matrix), expected, strict=True)


def test_muon_takes_gradients_beyond_the_range_of_squares():
    params = drawn(MATRICES)
    optimizer = kernels.Muon(0.1, weight_decay=0.0)
    large, small = (
        optimizer.update({n: g * scale for n, g in drawn(MATRICES, 1).items()}, optimizer.init(params), params)[0]
        for scale in (1e200, 1.0)
    )
    for name in params:
        np.testing.assert_allclose(large[name], small[name], rtol=1e-9, atol=1e-12)


def test_empty_parameters():
    params = {"w": np.zeros((0, 3))}
    for optimizer in OPTIMIZERS.values():
        updates, _ = optimizer.update(params, optimizer.init(params), params)
        assert updates["w"].shape == (0, 3)
        assert optimizer.update({}, optimizer.init({}), {})[0] == {}


@pytest.mark.parametrize("name", ["Adam", "AdamW", "Momentum", "Nesterov"])
@pytest.mark.parametrize("per_run", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_torch_in_place_equals_update(name, per_run, dtype):
    torch = pytest.importorskip("torch")
    from dlnotes.torch import adaptive_methods as variant
    from dlnotes.torch import momentum as torch_momentum

    rates, betas = torch.tensor([0.1, 0.01]), torch.tensor([0.5, 0.9])
    arguments = {
        "Adam": (rates, betas, betas, rates),
        "AdamW": (rates, betas, betas, rates, betas),
        "Momentum": (rates, betas, betas / 2),
        "Nesterov": (rates, betas),
    }[name]
    home = variant if name.startswith("Adam") else torch_momentum
    optimizer = getattr(home, name)(*(value if per_run else float(value[1]) for value in arguments))
    dtype = getattr(torch, dtype)
    generator = torch.Generator().manual_seed(0)
    params = {"": torch.randn(2, 40, generator=generator, dtype=dtype)}
    state, own_state, own = optimizer.init(params), optimizer.init(params), {"": params[""].clone()}
    for _ in range(100):
        grads = {"": torch.randn(2, 40, generator=generator, dtype=dtype)}
        updates, state = optimizer.update(grads, state, params)
        params = optimizers.apply_updates(params, updates)
        own_state = optimizer.update_in_place(grads, own_state, own)
        torch.testing.assert_close(
            own[""],
            params[""],
            rtol=1e-4 if dtype is torch.float32 else 1e-11,
            atol=1e-5 if dtype is torch.float32 else 1e-12,
        )
    assert own_state.step == state.step == 100


def test_torch_updates_leave_no_graph():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import adaptive_methods as variant

    params = {"w": torch.nn.Parameter(torch.ones(3))}
    optimizer = variant.AdamW()
    state = optimizer.init(params)
    loss = (params["w"] ** 2).sum()
    loss.backward()
    updates, state = optimizer.update({"w": params["w"].grad}, state, params)
    assert not updates["w"].requires_grad
    assert not state.mean["w"].requires_grad
