from __future__ import annotations

import io
import re
import subprocess
import sys

import numpy as np
import pytest

from dlnotes import checks, optimizers
from dlnotes.numpy import (
    activations,
    adaptive_methods,
    gradient_clipping,
    many_runs,
    minibatch,
    momentum,
    network,
    objective,
    overfitting,
    schedules,
)
from dlnotes.numpy import training as kernels

RUNS = (2, 3)
RATES = np.array([[0.1, 0.01, 0.3], [0.003, 0.2, 0.03]])
SIZES = (4, 8, 3)


def task(examples=30, dtype=np.float64, runs=()):
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(*runs, examples, 4)).astype(dtype)
    inputs.flags.writeable = False
    return inputs, (inputs[..., 0] * inputs[..., 1] > 0) + (inputs[..., 2] > 1).astype(int)


def start(runs=RUNS, dtype=np.float64):
    return network.initialize(SIZES, np.random.default_rng(1), runs=runs, dtype=dtype)


def of_run(parameters, run):
    return {name: value[run] for name, value in parameters.items()}


OPTIMIZERS = {
    "sgd": lambda rate, axes: minibatch.SGD(rate),
    "momentum": lambda rate, axes: momentum.Momentum(rate, 0.8),
    "adam": lambda rate, axes: adaptive_methods.Adam(rate),
    "adamw": lambda rate, axes: adaptive_methods.AdamW(rate, weight_decay=rate),
    "nadam": lambda rate, axes: adaptive_methods.NAdam(rate, beta1=rate),
    "rmsprop": lambda rate, axes: adaptive_methods.RMSprop(rate, momentum=0.5, centered=True),
    "schedule": lambda rate, axes: adaptive_methods.Adam(lambda step: schedules.cosine(step, rate, 20)),
    "chain": lambda rate, axes: optimizers.chain(
        gradient_clipping.ClipByGlobalNorm(rate * 3, axes), gradient_clipping.ClipByValue(0.5), momentum.Nesterov(rate)
    ),
    "chain that ends in clipping": lambda rate, axes: optimizers.chain(
        adaptive_methods.Adam(rate), gradient_clipping.ClipByNorm(0.02, axes)
    ),
    "partition": lambda rate, axes: adaptive_methods.Partition(
        lambda name: name.endswith("weight"),
        adaptive_methods.Muon(rate, run_axes=axes),
        adaptive_methods.Adam(rate),
    ),
    "adam twice": lambda rate, axes: optimizers.chain(*[adaptive_methods.Adam(rate)] * 2),
}


def pure(parameters, inputs, targets, optimizer, steps, batch_size, generator):
    """Train by the plain rules: update, then add."""
    state, losses, batches = optimizer.init(parameters), [], []
    for _ in range(steps):
        if not batches:
            batches = list(minibatch.epoch(len(inputs), batch_size or len(inputs), generator)) if batch_size else [...]
        batch = batches.pop(0)
        loss, grads = network.loss_and_gradient(parameters, inputs[batch], targets[batch])
        updates, state = optimizer.update(grads, state, parameters)
        parameters = optimizers.apply_updates(parameters, updates)
        losses.append(float(loss))
    return parameters, losses


def small_chunks(monkeypatch):
    """Make chunks of two runs, and pieces of a few numbers in each."""
    monkeypatch.setattr(kernels, "CHUNK_SIZE", 2 * sum(value.size for value in start(()).values()) + 5)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [None, 7])
def test_equal_to_the_pure_rules(name, batch_size):
    x, y = task()
    children = np.random.default_rng(5).spawn(6)
    together = kernels.train(
        start(),
        x,
        y,
        OPTIMIZERS[name](RATES, 2),
        steps=25,
        batch_size=batch_size,
        generator=np.random.default_rng(5),
        runs=RUNS,
    )
    assert together.step == 25
    assert together.losses.shape == (2, 3, 25)
    for child, run in zip(children, np.ndindex(RUNS), strict=True):
        own = OPTIMIZERS[name](float(RATES[run]), 0)
        parameters, losses = pure(of_run(start(), run), x, y, own, 25, batch_size, child)
        np.testing.assert_allclose(together.losses[run], losses, rtol=1e-9)
        for key, value in parameters.items():
            np.testing.assert_allclose(together.parameters[key][run], value, rtol=1e-8, atol=1e-10)


def assert_equal(one, other):
    """Compare two trainings to the bit, generators and optimizer state too."""
    for field, value in one._asdict().items():
        found = getattr(other, field)
        if isinstance(value, dict):
            assert list(value) == list(found)
            for key in value:
                np.testing.assert_array_equal(value[key], found[key], strict=True)
        elif field == "state":
            assert len(value) == len(found)
            for leaf, expected in zip(value, found, strict=True):
                np.testing.assert_array_equal(leaf, expected, strict=True)
        elif isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, found, strict=True)
        else:
            assert value == found


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("chunks", ["one", "many"])
def test_a_grid_equals_single_runs_bit_for_bit(name, dtype, chunks, monkeypatch):
    if chunks == "many":
        small_chunks(monkeypatch)
    x, y = task(dtype=dtype)
    settings = {"steps": 25, "batch_size": 7, "measure": accuracy(x, y), "measure_every": 10}
    together = kernels.train(
        start(dtype=dtype), x, y, OPTIMIZERS[name](RATES, 2), generator=np.random.default_rng(5), runs=RUNS, **settings
    )
    assert together.losses.dtype == dtype
    for child, run in zip(np.random.default_rng(5).spawn(6), np.ndindex(RUNS), strict=True):
        alone = kernels.train(
            of_run(start(dtype=dtype), run), x, y, OPTIMIZERS[name](float(RATES[run]), 0), generator=child, **settings
        )
        np.testing.assert_array_equal(together.losses[run], alone.losses)
        np.testing.assert_array_equal(together.measures["accuracy"][run], alone.measures["accuracy"])
        for key, value in alone.parameters.items():
            assert value.dtype == dtype
            np.testing.assert_array_equal(together.parameters[key][run], value)


def accuracy(x, y):
    def measure(params):
        logits, _ = network.forward(params, x)
        return {"accuracy": (logits.argmax(-1) == y).mean(-1), "first weight": params["0.weight"][:, 0, 0]}

    return measure


@pytest.mark.parametrize("name", ["adam", "nadam", "rmsprop", "chain", "partition", "chain that ends in clipping"])
@pytest.mark.parametrize("cut", [0, 1, 4, 5, 10, 17, 30])
def test_a_training_cut_saved_and_resumed_is_the_same_to_the_bit(name, cut, tmp_path, monkeypatch):
    small_chunks(monkeypatch)
    x, y = task()
    limits = np.array([[5, 10, 100], [0, 100, 15]])

    def run(steps, seed=5, **more):
        return kernels.train(
            start(),
            x,
            y,
            OPTIMIZERS[name](RATES, 2),
            steps=steps,
            batch_size=7,
            generator=np.random.default_rng(seed),
            runs=RUNS,
            measure=accuracy(x, y),
            measure_every=5,
            keep_best="accuracy",
            stop=lambda measures: limits <= 5 * (measures["accuracy"].shape[-1] - 1),
            **more,
        )

    whole, first = run(30), run(cut)
    np.testing.assert_array_equal(whole.stopped_at, np.minimum(limits, 30))
    np.testing.assert_array_equal(whole.stopped, limits <= 30)
    kernels.save(tmp_path / "cut.npz", first)
    loaded = kernels.load(tmp_path / "cut.npz")
    assert_equal(first, loaded)
    assert_equal(whole, run(30, seed=99, resume=loaded))
    assert_equal(whole, run(30, seed=99, resume=first))
    for kept in (first, loaded):  # going on has not changed what it went on from
        assert_equal(run(cut), kept)


def test_every_step_can_be_saved(tmp_path):
    def interrupt(step, steps, losses):
        if step == 3:
            raise KeyboardInterrupt

    options = {"steps": 9, "save_to": tmp_path / "run.npz", "save_every": 1, "progress": interrupt}
    with pytest.raises(KeyboardInterrupt):
        kernels.train(start(()), *task(), adaptive_methods.Adam(0.01), **options)
    assert kernels.load(options["save_to"]).step == 2


def test_saved_on_the_way_and_after_an_interruption(tmp_path):
    x, y = task()
    path = tmp_path / "run.npz"

    def run(**more):
        return kernels.train(
            start(()),
            x,
            y,
            adaptive_methods.Adam(0.01),
            steps=20,
            batch_size=7,
            generator=np.random.default_rng(0),
            save_to=path,
            save_every=6,
            **more,
        )

    def interrupt(step, steps, losses):
        if step == 15:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(progress=interrupt)
    assert kernels.load(path).step == 12
    resumed = run(resume=kernels.load(path))
    path.unlink()
    assert_equal(run(), resumed)
    assert_equal(kernels.load(path), resumed)
    assert [file.name for file in tmp_path.iterdir()] == ["run.npz"]


def test_resume_with_another_optimizer_is_refused():
    x, y = task()
    first = kernels.train(start(()), x, y, minibatch.SGD(0.1), steps=2)
    with pytest.raises(ValueError, match="resume must be a training of the same optimizer"):
        kernels.train(start(()), x, y, adaptive_methods.Adam(), steps=4, resume=first)


def test_a_file_that_holds_no_training_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", x=np.ones(3))
    with pytest.raises(ValueError, match="path must be a file that save wrote"):
        kernels.load(tmp_path / "other.npz")


@pytest.mark.filterwarnings("error")
def test_diverged_runs_make_no_noise_and_spoil_nobody():
    x, y = task()
    rates = np.array([0.1, 1e200, 0.05])
    parameters = start((3,))
    together = kernels.train(parameters, x, y, momentum.Momentum(rates), steps=30, runs=(3,))
    assert not np.isfinite(together.losses[1, -1])
    for run in (0, 2):
        alone = kernels.train(of_run(parameters, run), x, y, momentum.Momentum(rates[run]), steps=30)
        assert np.isfinite(alone.losses).all()
        np.testing.assert_array_equal(together.losses[run], alone.losses)


def test_stopped_runs_stay_where_they_are_and_others_go_on(monkeypatch):
    small_chunks(monkeypatch)
    x, y = task()
    limits = np.array([[3, 9, 100], [0, 100, 6]])
    asked = []

    def stop(measures):
        asked.append(measures["accuracy"].shape)
        return limits <= 3 * (len(asked) - 1)

    settings = {"steps": 20, "batch_size": 7, "measure": accuracy(x, y), "measure_every": 3}
    generator = np.random.default_rng(5)
    together = kernels.train(
        start(), x, y, adaptive_methods.Adam(RATES), generator=generator, runs=RUNS, stop=stop, **settings
    )
    assert asked[:2] == [(2, 3, 1), (2, 3, 2)]
    np.testing.assert_array_equal(together.stopped_at, np.minimum(limits, 20))
    assert together.step == 20
    for child, run in zip(np.random.default_rng(5).spawn(6), np.ndindex(RUNS), strict=True):
        settings["steps"] = last = int(together.stopped_at[run])
        own = adaptive_methods.Adam(RATES[run])
        alone = kernels.train(of_run(start(), run), x, y, own, generator=child, **settings)
        np.testing.assert_array_equal(together.losses[run][:last], alone.losses)
        assert np.isnan(together.losses[run][last:]).all()
        for key, value in alone.parameters.items():
            np.testing.assert_array_equal(together.parameters[key][run], value)


def test_all_stopped_ends_the_training():
    x, y = task()
    result = kernels.train(
        start(),
        x,
        y,
        minibatch.SGD(0.1),
        steps=100,
        runs=RUNS,
        measure=accuracy(x, y),
        measure_every=4,
        stop=lambda measures: measures["accuracy"].shape[-1] > 2,
    )
    assert result.step == 8
    assert (result.stopped_at == 8).all()
    assert result.losses.shape == (2, 3, 8)


def test_patience():
    stop = kernels.patience("loss", 3, 0.1)
    history = np.array([[5, 4, 4.05, 3.95, 3.94], [5, 4, 3, 3.0, 2.0], [np.nan] * 5, [5, 1, np.nan, np.nan, np.inf]])
    for length, expected in ((1, [0, 0, 0, 0]), (2, [0, 0, 0, 0]), (3, [0, 0, 1, 0]), (5, [1, 0, 1, 1])):
        np.testing.assert_array_equal(stop({"loss": history[:, :length]}), np.array(expected, dtype=bool))
    assert stop({"loss": history[0]}).shape == ()
    with pytest.raises(ValueError, match="name must be one of 'error', got 'loss'"):
        stop({"error": history})


def test_patience_compares_with_the_best_so_far_as_early_stopping_does():
    # Each step is smaller than what counts, but two of them together are not.
    losses = np.array([2.99, 2.81, 2.64, 2.6, 2.6])
    stop = kernels.patience("loss", 2, 0.3)
    assert [bool(stop({"loss": losses[:length]})) for length in range(1, 6)] == [False, False, False, False, True]
    generator = np.random.default_rng(0)
    for largest_is_best in (False, True):
        drawn = generator.integers(0, 6, size=(40, 12)) / 4
        drawn[generator.random(drawn.shape) < 0.2] = np.nan
        rule = overfitting.EarlyStopping(3, 0.25, largest_is_best=largest_is_best)
        stop, state = kernels.patience("m", 3, 0.25, largest_is_best=largest_is_best), rule.init((40,))
        stopped = np.zeros(40, dtype=bool)
        for length in range(1, 13):
            state = rule.update(drawn[:, length - 1], state)
            stopped |= stop({"m": drawn[:, :length]})
            np.testing.assert_array_equal(stopped, state.stopped)
        assert stopped.any()


def test_the_best_parameters_are_kept():
    x, y = task()
    seen = []

    def measure(params):
        seen.append(params["0.weight"].copy())
        bounce = np.array([3.0, 1.0, 2.0, 1.0, np.nan])[len(seen) - 1]
        return {"score": bounce * np.array([1.0, -1.0])}

    result = kernels.train(
        start((2,)),
        x,
        y,
        minibatch.SGD(0.1),
        steps=4,
        runs=(2,),
        measure=measure,
        measure_every=1,
        keep_best="score",
    )
    np.testing.assert_array_equal(result.best["0.weight"][0], seen[1][0])  # the first of two equals
    np.testing.assert_array_equal(result.best["0.weight"][1], seen[0][1])
    np.testing.assert_array_equal(result.measured_at, np.arange(5))


@pytest.mark.parametrize("batch_size", [None, 7])
def test_data_of_ones_own(batch_size, monkeypatch):
    small_chunks(monkeypatch)
    x, y = task(runs=RUNS)
    together = kernels.train(
        start(),
        x,
        y,
        adaptive_methods.Adam(RATES),
        steps=12,
        batch_size=batch_size,
        generator=np.random.default_rng(5),
        runs=RUNS,
        data_per_run=True,
    )
    for child, run in zip(np.random.default_rng(5).spawn(6), np.ndindex(RUNS), strict=True):
        alone = kernels.train(
            of_run(start(), run),
            x[run],
            y[run],
            adaptive_methods.Adam(RATES[run]),
            steps=12,
            batch_size=batch_size,
            generator=child,
        )
        np.testing.assert_array_equal(together.losses[run], alone.losses)


@pytest.mark.parametrize("batch_size", [None, 7])
def test_noise_comes_from_each_runs_own_generator(batch_size, monkeypatch):
    small_chunks(monkeypatch)
    x, y = task()

    def noisy(params, inputs, targets, generators):
        losses, grads = network.loss_and_gradient(params, inputs, targets)
        noise = np.array([generator.normal() for generator in generators])
        return losses, {name: g + many_runs.aligned(noise, g) for name, g in grads.items()}

    settings = {"steps": 9, "batch_size": batch_size, "gradient": optimizers.WithNoise(noisy)}
    together = kernels.train(
        start(), x, y, minibatch.SGD(RATES), generator=np.random.default_rng(5), runs=RUNS, **settings
    )
    for child, run in zip(np.random.default_rng(5).spawn(6), np.ndindex(RUNS), strict=True):
        own = minibatch.SGD(RATES[run])
        alone = kernels.train(of_run(start(), run), x, y, own, generator=child, **settings)
        np.testing.assert_array_equal(together.losses[run], alone.losses)


@pytest.mark.parametrize("data_per_run", [False, True])
@pytest.mark.parametrize("batch_size", [None, 7])
def test_the_default_gradient_trusts_examples_that_were_checked_and_gives_the_same(
    batch_size, data_per_run, monkeypatch
):
    small_chunks(monkeypatch)
    x, y = task(runs=RUNS if data_per_run else ())
    settings = {"steps": 9, "batch_size": batch_size, "runs": RUNS, "data_per_run": data_per_run}
    by_default, checked = (
        kernels.train(start(), x, y, minibatch.SGD(RATES), generator=np.random.default_rng(5), **settings, **given)
        for given in ({}, {"gradient": lambda *given: network.loss_and_gradient(*given)})
    )
    assert_equal(by_default, checked)


def refused_in_step_0(change, kind, words):
    x, y = change(*task())
    with pytest.raises(kind, match=words):
        kernels.train(start(()), x, y, minibatch.SGD(0.1), steps=0)


def test_the_default_gradient_refuses_any_bad_example_before_the_first_step():
    refused_in_step_0(lambda x, y: (x, np.append(y[:-1], 3)), ValueError, "targets must be integers from 0 to 2")
    refused_in_step_0(lambda x, y: (x, np.append(y[:-1], -1)), ValueError, "targets must be integers from 0 to 2")
    refused_in_step_0(lambda x, y: (x, y.astype(float)), TypeError, "targets must be an array of integers")
    refused_in_step_0(lambda x, y: (x, y[:, None]), ValueError, "targets must be an array of shape")
    refused_in_step_0(lambda x, y: (x[:, :3], y), ValueError, "inputs must be an array whose last axes")
    refused_in_step_0(lambda x, y: (x.astype(int), y), TypeError, "inputs must be an array of floating-point")
    refused_in_step_0(lambda x, y: (x[:, 0], y), ValueError, "inputs must be an array of at least 2 axes")


@pytest.mark.parametrize(
    ("module", "name"), [(activations, "relu"), (activations, "relu_slope"), (objective, "cross_entropy_with_gradient")]
)
def test_a_patched_kernel_reaches_the_default_gradient(module, name, monkeypatch):
    x, y = task()
    right = kernels.train(start(()), x, y, minibatch.SGD(0.1), steps=3).losses
    kernel = getattr(module, name)

    def half(*given):
        found = kernel(*given)
        return objective.LossAndGradient(found[0], found[1] / 2) if isinstance(found, tuple) else found / 2

    monkeypatch.setattr(module, name, half)
    assert (kernels.train(start(()), x, y, minibatch.SGD(0.1), steps=3).losses != right).any()


def test_a_gradient_may_be_written_into_the_arrays_of_the_loop(monkeypatch):
    small_chunks(monkeypatch)
    x, y = task()
    given = []

    def returned(params, inputs, targets):
        return network.loss_and_gradient(params, inputs, targets)

    def written(params, inputs, targets, out):
        losses, grads = network.loss_and_gradient(params, inputs, targets)
        for name, gradient in grads.items():
            out[name][...] = gradient
        given.append(id(out))
        return losses, out

    one, other = (
        kernels.train(start(), x, y, minibatch.SGD(RATES), steps=5, runs=RUNS, gradient=each)
        for each in (returned, optimizers.Written(written))
    )
    assert_equal(one, other)
    assert len(set(given)) > 1  # every chunk has its own


def test_runs_with_one_seed_see_the_same_batches():
    x, y = task()
    generators = np.array([np.random.default_rng(seed) for seed in (3, 3, 4)])
    parameters = {name: np.stack([value] * 3) for name, value in start(()).items()}
    result = kernels.train(parameters, x, y, minibatch.SGD(0.1), steps=9, batch_size=7, generator=generators, runs=(3,))
    np.testing.assert_array_equal(result.losses[0], result.losses[1])
    assert (result.losses[0] != result.losses[2]).any()


def test_in_place_adam_is_adam():
    # The loop takes another route for these two; the averages agree to the bit, the parameters to rounding.
    for make in (adaptive_methods.Adam, adaptive_methods.AdamW):
        for rate in (0.01, np.array([0.01, 1.0])):
            generator, optimizer = np.random.default_rng(0), make(rate, 0.8, 0.95, 1e-3)
            params = {"": generator.normal(size=(2, 50))}
            state = optimizer.init(params)
            own, own_state = {"": params[""].copy()}, optimizer.init(params)
            for _ in range(200):
                grads = {"": generator.normal(size=(2, 50)) * (generator.random((2, 50)) > 0.3)}
                updates, state = optimizer.update(grads, state, params)
                params = optimizers.apply_updates(params, updates)
                own_state = optimizer.update_in_place(grads, own_state, own, {"": np.empty((2, 50))})
                np.testing.assert_array_equal(own_state.mean[""], state.mean[""])
                np.testing.assert_array_equal(own_state.mean_square[""], state.mean_square[""])
                np.testing.assert_allclose(own[""], params[""], rtol=1e-12, atol=1e-13)
            assert own_state.step == state.step == 200


def test_a_patched_update_reaches_the_loop(monkeypatch):
    x, y = task()
    monkeypatch.setattr(adaptive_methods.Adam, "update", lambda self, grads, state, params: (grads, state))
    result = kernels.train(start(()), x, y, adaptive_methods.Adam(), steps=1)
    _, grads = network.loss_and_gradient(start(()), x, y)
    np.testing.assert_array_equal(result.parameters["0.weight"], start(())["0.weight"] + grads["0.weight"])


def test_nothing_given_is_written_over():
    x, y = task()
    parameters = start()
    before = {name: value.copy() for name, value in parameters.items()}
    for value in parameters.values():
        value.flags.writeable = False
    result = kernels.train(parameters, x, y, adaptive_methods.Adam(0.1), steps=3, runs=RUNS)
    for name, value in before.items():
        np.testing.assert_array_equal(parameters[name], value)
        assert (result.parameters[name] != value).any()


@pytest.mark.parametrize("steps", [0, 1])
def test_no_steps_and_one_example(steps):
    x, y = task(1)
    result = kernels.train(
        start(), x, y, minibatch.SGD(0.1), steps=steps, batch_size=5, generator=np.random.default_rng(0), runs=RUNS
    )
    assert result.losses.shape == (2, 3, steps)
    assert result.step == steps


def test_inputs_are_cast_to_the_parameters_type():
    x, y = task()
    result = kernels.train(start((), np.float32), x, y, minibatch.SGD(0.1), steps=2)
    assert {value.dtype for value in result.parameters.values()} == {np.dtype(np.float32)}
    assert result.losses.dtype == np.float32


def test_training_lowers_the_loss():
    x, y = task(200)
    result = kernels.train(start(), x, y, adaptive_methods.Adam(0.02), steps=300, runs=RUNS)
    assert (result.losses[..., -1] < 0.3 * result.losses[..., 0]).all()


def test_progress_is_shown():
    x, y = task()
    stream = io.StringIO()
    progress = kernels.show_progress(0.0, stream)
    kernels.train(start(), x, y, minibatch.SGD(0.1), steps=3, runs=RUNS, progress=progress)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert re.fullmatch(r"step 3 of 3, median loss \d\.\d+, 0 s left", lines[-1])
    quiet = io.StringIO()
    kernels.train(start(), x, y, minibatch.SGD(0.1), steps=3, progress=kernels.show_progress(60.0, quiet), runs=RUNS)
    assert quiet.getvalue().count("\n") == 1  # the last step is always shown


def test_progress_is_shown_once_a_second(monkeypatch):
    clock = iter([0.0, 0.9, 1.0, 1.9, 2.1, 2.2])
    monkeypatch.setattr(kernels.time, "monotonic", lambda: next(clock))
    stream = io.StringIO()
    show = kernels.show_progress(stream=stream)
    for step in range(1, 6):
        show(step, 10, np.ones(2))
    assert [line.split()[1] for line in stream.getvalue().splitlines()] == ["2", "4"]


@pytest.mark.parametrize("damage", ["empty", "text", "cut off", "a member is broken", "a part is missing", "a folder"])
def test_a_broken_file_is_refused_by_name(damage, tmp_path):
    x, y = task()
    path = tmp_path / "run.npz"
    kernels.train(start(()), x, y, minibatch.SGD(0.1), steps=2, save_to=path)
    whole = path.read_bytes()
    if damage == "a part is missing":
        arrays = dict(np.load(path))
        arrays.pop("losses")
        np.savez(path, **arrays)
    elif damage == "a folder":
        path = tmp_path
    else:
        middle = len(whole) // 2
        broken = whole[: middle - 40] + bytes(80) + whole[middle + 40 :]
        path.write_bytes({"empty": b"", "text": b"loss 3", "cut off": whole[:middle]}.get(damage, broken))
    with pytest.raises(ValueError, match="path must be a file that save wrote, got"):
        kernels.load(path)


@pytest.mark.parametrize("where", ["no/such/folder/run.npz", "."])
def test_a_place_where_nothing_can_be_saved_is_refused_before_the_first_step(where, tmp_path):
    def gradient(params, inputs, targets):
        raise AssertionError("a step was taken")

    x, y = task()
    with pytest.raises(ValueError, match="save_to must be a file in a folder that exists, got"):
        kernels.train(start(()), x, y, minibatch.SGD(0.1), steps=9, save_to=tmp_path / where, gradient=gradient)


def test_resuming_what_does_not_fit_is_refused_by_name():
    x, y = task()
    settings = {"batch_size": 7, "generator": np.random.default_rng(0)}
    first = kernels.train(start(()), x, y, adaptive_methods.Adam(), steps=5, **settings)
    for words, change in (
        ("steps must be an integer at least 5, got 3", {"steps": 3}),
        ("resume.parameters must be of the names of parameters", {"parameters": {"0.weight": start(())["0.weight"]}}),
        ("generator must be given as it was at first", {"batch_size": None, "generator": None}),
    ):
        given = {"parameters": start(()), "steps": 9, **settings, **change}
        parameters = given.pop("parameters")
        with pytest.raises(ValueError, match=re.escape(words)):
            kernels.train(parameters, x, y, adaptive_methods.Adam(), resume=first, **given)
    with pytest.raises(TypeError, match=re.escape("resume.parameters['0.weight'] must be of the dtype of parameters")):
        kernels.train(start((), np.float32), x, y, adaptive_methods.Adam(), steps=9, resume=first, **settings)


@pytest.mark.parametrize("width", ["f4", "f8"])
def test_the_order_of_bytes_changes_nothing(width):
    x, y = task(dtype=np.dtype(width))
    turned = {name: value.astype(f">{width}") for name, value in start((), np.dtype(width)).items()}
    one = kernels.train(start((), np.dtype(width)), x, y, adaptive_methods.Adam(0.1), steps=5)
    other = kernels.train(turned, x.astype(f">{width}"), y, adaptive_methods.Adam(0.1), steps=5)
    np.testing.assert_array_equal(one.losses, other.losses)
    np.testing.assert_array_equal(one.parameters["0.weight"], other.parameters["0.weight"])


@pytest.mark.parametrize("largest_is_best", [False, True])
def test_the_best_is_no_nan_and_may_be_the_largest(largest_is_best):
    x, y = task()
    values = np.array([[np.nan, np.nan, np.nan], [np.nan, 2.0, 3.0], [3.0, 2.0, np.nan], [5.0, 9.0, 9.0]]).T
    seen = []

    def measure(params):
        seen.append(params["0.bias"].copy())
        return {"m": values[len(seen) - 1]}

    result = kernels.train(
        start((4,)),
        x,
        y,
        minibatch.SGD(0.1),
        steps=2,
        runs=(4,),
        measure=measure,
        measure_every=1,
        keep_best="m",
        largest_is_best=largest_is_best,
    )
    for run, best in enumerate([0, 2, 0, 1] if largest_is_best else [0, 1, 1, 0]):
        np.testing.assert_array_equal(result.best["0.bias"][run], seen[best][run])


def test_chains_are_flat():
    one, two, three = minibatch.SGD(0.1), schedules.Scale(2.0), gradient_clipping.ClipByValue(1.0)
    assert optimizers.chain(optimizers.chain(three, one), two).parts == (three, one, two)


def test_an_empty_chain_passes_the_gradient():
    grads = {"w": np.ones(3)}
    assert optimizers.chain().update(grads, (), grads) == (grads, ())


def test_modules_may_be_imported_in_any_order():
    # They import each other; each must be importable first.
    code = "import importlib, sys; importlib.import_module('dlnotes.numpy.' + sys.argv[1])"
    for name in ("adaptive_methods", "initialization", "minibatch", "momentum", "network", "schedules", "training"):
        subprocess.run([sys.executable, "-c", code, name], check=True, timeout=60)
    assert activations.ACTIVATIONS


# The torch loop. That it gives the same as the NumPy loop is tested in test_parity.py.


def torch_task(runs=RUNS):
    torch = pytest.importorskip("torch")
    x, y = task()
    parameters = {name: torch.tensor(value) for name, value in start(runs).items()}
    return torch, parameters, torch.tensor(np.array(x)), torch.tensor(y)


def torch_train(steps, seed=5, **more):
    torch, parameters, x, y = torch_task()
    from dlnotes.torch import adaptive_methods as torch_methods
    from dlnotes.torch import network as torch_network
    from dlnotes.torch import training as torch_training

    def measure(params):
        logits, _ = torch_network.forward(params, x)
        return {"accuracy": (logits.argmax(-1) == y).double().mean(-1)}

    return torch_training.train(
        parameters,
        x,
        y,
        torch_methods.NAdam(torch.tensor(RATES), beta1=torch.tensor(RATES)),
        steps=steps,
        batch_size=7,
        generator=torch.Generator().manual_seed(seed),
        runs=RUNS,
        measure=measure,
        measure_every=5,
        keep_best="accuracy",
        **more,
    )


def assert_equal_tensors(one, other):
    import torch

    for field, value in one._asdict().items():
        pairs = [(value, getattr(other, field))]
        if isinstance(value, dict | list):
            items, others = (v.values() if isinstance(v, dict) else v for v in pairs[0])
            pairs = list(zip(items, others, strict=True))
        for a, b in pairs:
            assert torch.equal(a.nan_to_num(), b.nan_to_num()) if isinstance(a, torch.Tensor) else a == b, field


@pytest.mark.parametrize("cut", [0, 1, 4, 5, 17, 30])
def test_torch_training_cut_and_resumed_is_the_same_to_the_bit(cut, tmp_path):
    torch = pytest.importorskip("torch")
    whole, first = torch_train(30), torch_train(cut)
    kept = torch_train(cut)
    assert_equal_tensors(whole, torch_train(30, seed=99, resume=first))
    assert_equal_tensors(first, kept)  # going on has not changed what it went on from
    torch.save(first._asdict(), tmp_path / "cut.pt")
    loaded = type(first)(**torch.load(tmp_path / "cut.pt", weights_only=True))
    assert_equal_tensors(whole, torch_train(30, seed=99, resume=loaded))


def test_torch_runs_are_shuffled_apart_and_see_every_example():
    _, parameters, x, y = torch_task((1,))
    from dlnotes.torch import minibatch as torch_minibatch
    from dlnotes.torch import training as torch_training

    seen = []

    def gradient(params, inputs, targets):
        seen.append(inputs[..., 0])
        return params["0.bias"].sum(-1), {name: 0 * value for name, value in params.items()}

    import torch

    generator = torch.Generator().manual_seed(0)
    twice = {name: value.expand(2, *value.shape[1:]) for name, value in parameters.items()}
    torch_training.train(
        twice, x, y, torch_minibatch.SGD(0.1), steps=5, batch_size=7, generator=generator, runs=(2,), gradient=gradient
    )
    assert [batch.shape for batch in seen] == [(2, 7)] * 4 + [(2, 2)]
    epoch = torch.cat(seen, dim=1)
    assert torch.equal(epoch.sort(-1).values, x[:, 0].sort().values.expand(2, -1))
    assert not torch.equal(epoch[0], epoch[1])


def test_torch_stopped_runs_stay_where_they_are():
    torch = pytest.importorskip("torch")
    limits = torch.tensor([[5, 10, 100], [0, 100, 15]])

    def stop(measures):
        assert measures["accuracy"].shape[:-1] == RUNS
        return limits <= 5 * (measures["accuracy"].shape[-1] - 1)

    free, result = torch_train(20), torch_train(20, stop=stop)
    assert torch.equal(result.stopped_at, limits.clamp(max=20))
    for run in np.ndindex(RUNS):
        last = int(result.stopped_at[run])
        assert torch.equal(result.losses[run][:last], free.losses[run][:last])
        assert result.losses[run][last:].isnan().all()
        if last == 20:
            assert torch.equal(result.parameters["0.weight"][run], free.parameters["0.weight"][run])
    assert torch.equal(result.parameters["0.weight"][1, 0], torch.tensor(start()["0.weight"])[1, 0])
    ended = torch_train(20, stop=lambda measures: torch.tensor(True))
    assert ended.step == 0
    resumed = torch_train(20, resume=torch_train(10, stop=stop))
    assert torch.equal(resumed.stopped_at.reshape(-1) == 20, (limits > 10).reshape(-1))


def test_torch_loop_never_waits_for_the_device(monkeypatch):
    torch, parameters, x, y = torch_task()
    from torch.utils._python_dispatch import TorchDispatchMode

    from dlnotes.torch import adaptive_methods as torch_methods
    from dlnotes.torch import gradient_clipping as torch_clipping
    from dlnotes.torch import momentum as torch_momentum
    from dlnotes.torch import network as torch_network
    from dlnotes.torch import training as torch_training

    class NoWaiting(TorchDispatchMode):
        """Refuse the operations with which the host reads a tensor's value."""

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            assert func not in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default), func
            return func(*args, **(kwargs or {}))

    def squares(logits, targets):
        return (logits * logits).sum((-1, -2)), 2 * logits

    def gradient(params, inputs, targets):
        return torch_network.loss_and_gradient(params, inputs, targets, loss=squares)

    monkeypatch.setattr(checks, "reals", lambda name, value, **limits: value)  # reads no values on an accelerator
    rates = torch.tensor(RATES)
    generator = torch.Generator().manual_seed(0)
    for optimizer in (
        torch_methods.Adam(0.1),
        torch_methods.AdamW(rates, weight_decay=rates),
        torch_momentum.Nesterov(rates, rates),
        optimizers.chain(
            torch_clipping.ClipByGlobalNorm(rates, 2),
            torch_clipping.ClipAdaptively(run_axes=2),
            torch_momentum.Momentum(0.1),
        ),
    ):
        with NoWaiting():
            torch_training.train(
                parameters,
                x,
                y,
                optimizer,
                steps=9,
                batch_size=7,
                generator=generator,
                runs=RUNS,
                gradient=gradient,
                measure=lambda params: {"first": params["0.bias"][:, 0]},
                measure_every=2,
                keep_best="first",
            )
    with pytest.raises(AssertionError, match="_local_scalar_dense"), NoWaiting():
        rates.sum().item()


def test_torch_runs_with_their_own_examples_equal_runs_alone():
    torch, parameters, _, _ = torch_task()
    from dlnotes.torch import minibatch as torch_minibatch
    from dlnotes.torch import training as torch_training

    x, y = (torch.tensor(np.array(array)) for array in task(runs=RUNS))
    settings = {"steps": 5}
    rates = torch.tensor(RATES)
    both = torch_training.train(parameters, x, y, torch_minibatch.SGD(rates), runs=RUNS, data_per_run=True, **settings)
    for run in np.ndindex(RUNS):
        own = {name: value[run] for name, value in parameters.items()}
        alone = torch_training.train(own, x[run], y[run], torch_minibatch.SGD(float(rates[run])), **settings)
        assert torch.allclose(both.losses[run], alone.losses, rtol=1e-12)


def test_torch_hyperparameters_of_fewer_axes_than_the_runs_belong_to_the_first():
    torch, parameters, x, y = torch_task()
    from dlnotes.torch import minibatch as torch_minibatch
    from dlnotes.torch import training as torch_training

    one, other = (
        torch_training.train(parameters, x, y, torch_minibatch.SGD(rates), steps=5, runs=RUNS)
        for rates in (torch.tensor([0.1, 0.01]), torch.tensor([[0.1] * 3, [0.01] * 3]))
    )
    assert torch.equal(one.losses, other.losses)


def test_torch_patience_of_a_grid_of_runs():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import training as torch_training

    falls = torch.tensor([3.0, 2.0, 1.0, 0.5, 0.25])
    rises = torch.tensor([3.0, 2.0, 1.0, 1.5, 1.25])
    history = torch.stack([torch.stack([falls, rises, falls]), torch.stack([rises, rises, falls])])
    expected = [[False, True, False], [True, True, False]]
    assert torch_training.patience("loss", 2)({"loss": history}).tolist() == expected
    assert kernels.patience("loss", 2)({"loss": history.numpy()}).tolist() == expected
