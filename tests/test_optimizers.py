from __future__ import annotations

import functools
import importlib
import inspect
import re
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from dlnotes import optimizers
from dlnotes.numpy import adaptive_methods, many_runs, minibatch, momentum, network, training

RUNS = (2, 3)
RATES = np.array([[0.1, 0.01, 0.3], [0.003, 0.2, 0.03]])
SIZES = (4, 8, 3)
X = np.random.default_rng(0).normal(size=(30, 4))
Y = (X[:, 0] * X[:, 1] > 0) + (X[:, 2] > 1).astype(int)


def start(runs=RUNS):
    return network.initialize(SIZES, np.random.default_rng(1), runs=runs)


class Backend(NamedTuple):
    """What a test needs of a backend, so that one text tests both."""

    array: Any
    train: Any
    many_runs: Any
    zeros: Any
    modules: Any

    def grid(self, optimizer, runs=RUNS, **options):
        parameters = {name: self.array(value) for name, value in start(runs).items()}
        return self.train(parameters, self.array(X), self.array(Y), optimizer, steps=7, runs=runs, **options)


@pytest.fixture(params=["numpy", "torch"])
def backend(request):
    if request.param == "numpy":
        modules = functools.partial(lambda name: importlib.import_module(f"dlnotes.numpy.{name}"))
        return Backend(np.array, training.train, many_runs, np.zeros_like, modules)
    torch = pytest.importorskip("torch")
    modules = functools.partial(lambda name: importlib.import_module(f"dlnotes.torch.{name}"))
    return Backend(torch.tensor, modules("training").train, modules("many_runs"), torch.zeros_like, modules)


# A reader's own optimizers: heavy balls, each written another way.


def moved(backend, rate, grads, velocity):
    aligned = backend.many_runs.aligned
    velocity = {name: 0.5 * velocity[name] + g for name, g in grads.items()}
    return {name: -aligned(rate, v) * v for name, v in velocity.items()}, velocity


class Plain:
    """No dataclass: attributes are set in `__init__`; the state is a dict."""

    def __init__(self, backend, rate):
        self.backend, self.rate = backend, rate

    def init(self, params):
        return {"step": 0, "velocity": {name: self.backend.zeros(value) for name, value in params.items()}}

    def update(self, grads, state, params):
        updates, velocity = moved(self.backend, self.rate, grads, state["velocity"])
        return updates, {"step": state["step"] + 1, "velocity": velocity}


class Slots:
    """Everything is in slots, a private one too; the state is a tuple."""

    __slots__ = ("__rate", "backend")

    def __init__(self, backend, rate):
        self.backend, self.__rate = backend, rate

    def init(self, params):
        return ({name: self.backend.zeros(value) for name, value in params.items()},)

    def update(self, grads, state, params):
        updates, velocity = moved(self.backend, self.__rate, grads, state[0])
        return updates, (velocity,)


class OfParts:
    """Rates in a list in a dict, a schedule, and another optimizer inside; the state is a named tuple."""

    class State(NamedTuple):
        steps: int
        inner: Any
        nothing: None = None

    def __init__(self, backend, rate):
        self.settings = {"rates": [rate], "other": "a word"}
        self.schedule, self.inner = lambda step: rate / (1 + step), Plain(backend, rate)
        self.backend = backend

    def init(self, params):
        return self.State(0, self.inner.init(params))

    def update(self, grads, state, params):
        updates, inner = self.inner.update(grads, state.inner, params)
        aligned = self.backend.many_runs.aligned
        rate = self.settings["rates"][0] + self.schedule(state.steps)
        return {name: u - aligned(rate, u) * grads[name] for name, u in updates.items()}, self.State(
            state.steps + 1, inner
        )


@dataclass
class DataState:
    """A state that is a dataclass."""

    velocity: dict


class WithDataState(Plain):
    """The state is a dataclass."""

    def init(self, params):
        return DataState({name: self.backend.zeros(value) for name, value in params.items()})

    def update(self, grads, state, params):
        updates, velocity = moved(self.backend, self.rate, grads, state.velocity)
        return updates, DataState(velocity)


def closure(backend, rate, cuts=True):
    """Make an optimizer without a class; with `cuts` it says itself what it is for some of the runs."""

    def init(params):
        return {name: backend.zeros(value) for name, value in params.items()}

    def update(grads, state, params):
        return moved(backend, rate, grads, state)

    more = {"cut_to_runs": lambda cut: closure(backend, cut(rate))} if cuts else {}
    return types.SimpleNamespace(init=init, update=update, **more)


OWN = {
    "plain": Plain,
    "slots": Slots,
    "parts": OfParts,
    "state in a dataclass": WithDataState,
    "closure": closure,
    "in a chain": lambda backend, rate: optimizers.chain(
        backend.modules("gradient_clipping").ClipByValue(0.5), Plain(backend, rate)
    ),
    "in a partition": lambda backend, rate: backend.modules("adaptive_methods").Partition(
        lambda name: name.endswith("weight"), Slots(backend, rate), Plain(backend, rate)
    ),
}


@pytest.mark.parametrize("chunks", ["one", "many"])
@pytest.mark.parametrize("name", OWN)
def test_a_readers_own_optimizer_trains_a_grid_bit_equal_to_single_runs(name, chunks, backend, monkeypatch):
    if chunks == "many" and hasattr(backend.modules("training"), "CHUNK_SIZE"):
        monkeypatch.setattr(training, "CHUNK_SIZE", 2 * sum(value.size for value in start(()).values()))
    together = backend.grid(OWN[name](backend, backend.array(RATES)))
    for run in np.ndindex(RUNS):
        own = {key: backend.array(value[run]) for key, value in start().items()}
        optimizer = OWN[name](backend, float(RATES[run]))
        alone = backend.train(own, backend.array(X), backend.array(Y), optimizer, steps=7)
        for key, value in alone.parameters.items():
            found = np.asarray(together.parameters[key][run])
            if backend.array is np.array:
                np.testing.assert_array_equal(found, np.asarray(value))
            else:  # PyTorch's products of one matrix and of many take other routes
                np.testing.assert_allclose(found, np.asarray(value), rtol=1e-9, atol=1e-12)
        assert np.abs(np.asarray(alone.parameters["0.weight"]) - start()["0.weight"][run]).max() > 1e-4


@pytest.mark.parametrize("name", OWN)
def test_a_readers_own_optimizer_can_be_cut_and_resumed(name, backend):
    def run(steps, **more):
        parameters = {key: backend.array(value) for key, value in start().items()}
        optimizer = OWN[name](backend, backend.array(RATES))
        return backend.train(parameters, backend.array(X), backend.array(Y), optimizer, steps=steps, runs=RUNS, **more)

    whole, resumed = run(9), run(9, resume=run(4))
    for key, value in whole.parameters.items():
        np.testing.assert_array_equal(np.asarray(resumed.parameters[key]), np.asarray(value))


def test_an_optimizer_that_hides_its_rates_is_told_what_it_lacks(backend):
    with pytest.raises((ValueError, RuntimeError)) as caught:
        backend.grid(closure(backend, backend.array(RATES), cuts=False))
    (note,) = caught.value.__notes__
    assert "must be attributes of the optimizer" in note
    assert "cut_to_runs" in note


def test_an_array_that_is_not_of_the_runs_is_refused_by_name(backend):
    optimizer = Plain(backend, backend.array(np.ones(4)))
    with pytest.raises(ValueError, match=re.escape("optimizer.rate must be a number, or an array of the shape of the")):
        backend.grid(optimizer)
    with pytest.raises(ValueError, match=re.escape("optimizer.settings['rates'][0] must be")):
        backend.grid(OfParts(backend, backend.array(np.ones((2, 3, 1)))))


class Stretching(Plain):
    """An update whose shape is not its parameter's."""

    def update(self, grads, state, params):
        return {name: g[None] for name, g in grads.items()}, state


class Forgetting(Plain):
    """An update that leaves a parameter out."""

    def update(self, grads, state, params):
        return {name: g for name, g in grads.items() if name != "0.bias"}, state


class Hoarding(Plain):
    """A state that holds something else than numbers."""

    def init(self, params):
        return {"log": "text"}


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        (Stretching, ValueError, "updates['0.weight'] of the optimizer must be of the shape of its parameter"),
        (Forgetting, ValueError, "updates of the optimizer must be of the names of parameters"),
        (Hoarding, TypeError, "state of the optimizer must be made of numbers and arrays"),
    ],
)
def test_what_does_not_fit_is_named(kind, error, words, backend):
    with pytest.raises(error, match=re.escape(words)):
        backend.grid(kind(backend, 0.1))


def test_cutting_leaves_what_was_given_as_it_was(backend):
    optimizer = OfParts(backend, backend.array(RATES))
    before = dict(vars(optimizer))
    backend.grid(optimizer)
    assert vars(optimizer) == before
    np.testing.assert_array_equal(np.asarray(optimizer.settings["rates"][0]), RATES)


def test_run_axes_of_a_copy_is_one():
    muon = adaptive_methods.Muon(RATES, run_axes=2)
    own = many_runs.cut(muon, RUNS, slice(1, 4))
    assert (own.run_axes, muon.run_axes) == (1, 2)
    np.testing.assert_array_equal(own.learning_rate, RATES.reshape(-1)[1:4])


def test_a_schedule_with_attributes_keeps_them_and_other_functions_are_left_alone():
    class Schedule:
        warm = 3

        def __call__(self, step):
            return RATES * step

    holder = closure(None, 0.1)
    holder.schedule, holder.square = Schedule(), np.square
    del holder.cut_to_runs
    own = many_runs.cut(holder, RUNS, slice(0, 2))
    assert own.schedule.warm == 3
    np.testing.assert_array_equal(own.schedule(2), 2 * RATES.reshape(-1)[:2])
    np.testing.assert_array_equal(own.square(RATES), RATES**2)


# Steps in place


def test_a_subclass_with_another_update_does_not_take_the_inherited_step(backend):
    home = backend.modules("adaptive_methods")

    class Lazy(home.Adam):
        def update(self, grads, state, params):
            return {name: 0 * g for name, g in grads.items()}, state

    class Same(home.Adam):
        pass

    assert optimizers.steps_in_place(home.Adam())
    assert optimizers.steps_in_place(Same())
    assert not optimizers.steps_in_place(Lazy())
    still = backend.grid(Lazy(0.1))
    np.testing.assert_array_equal(np.asarray(still.parameters["0.weight"]), start()["0.weight"])


def test_a_patched_update_is_taken_in_place_of_the_step(backend, monkeypatch):
    home = backend.modules("adaptive_methods")
    monkeypatch.setattr(
        home.AdamW, "update", lambda self, grads, state, params: ({n: 0 * g for n, g in grads.items()}, state)
    )
    assert not optimizers.steps_in_place(home.AdamW())
    still = backend.grid(home.AdamW(0.1))
    np.testing.assert_array_equal(np.asarray(still.parameters["0.weight"]), start()["0.weight"])


def test_a_subclass_with_another_update_has_to_say_again_that_it_is_elementwise(backend):
    home, clipping = backend.modules("minibatch"), backend.modules("gradient_clipping")

    class Clipped(home.SGD):
        def update(self, grads, state, params):
            return super().update(clipping.clip_by_global_norm(grads, 0.1, 1), state, params)

    class Halved(home.SGD):
        elementwise = True

        def update(self, grads, state, params):
            return super().update({name: g / 2 for name, g in grads.items()}, state, params)

    assert [optimizers.is_elementwise(kind(0.1)) for kind in (home.SGD, Clipped, Halved)] == [True, False, True]
    one = backend.grid(Clipped(0.1)).parameters["0.weight"]
    other = backend.grid(optimizers.chain(clipping.ClipByGlobalNorm(0.1, 2), home.SGD(0.1))).parameters["0.weight"]
    np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-12)


IN_PLACE = [
    ("numpy", "adaptive_methods", "Adam"),
    ("numpy", "adaptive_methods", "AdamW"),
    ("torch", "adaptive_methods", "Adam"),
    ("torch", "adaptive_methods", "AdamW"),
    ("torch", "momentum", "Momentum"),
    ("torch", "momentum", "Nesterov"),
]
FIELDS = {
    "Adam": ("rate", "beta", "beta", "rate"),
    "AdamW": ("rate", "beta", "beta", "rate", "rate"),
    "Momentum": ("rate", "beta", "beta"),
    "Nesterov": ("rate", "beta"),
}


def drawn_settings(generator, name, array, kind):
    """Draw every hyperparameter: one number, one a run, or a schedule of either."""

    def draw(field):
        low, high = (0.0, 0.99) if field == "beta" else (1e-3, 0.3)
        values = generator.uniform(low, high, size=3)
        if kind == "numbers":
            return float(values[0])
        if kind == "schedules":
            one = float(values[0]) if generator.random() < 0.5 else array(values)
            return (lambda step: one / (1 + 0.1 * step)) if field == "rate" else one
        return array(values) if kind == "runs" or generator.random() < 0.5 else float(values[0])

    return [draw(field) for field in FIELDS[name]]


def test_every_optimizer_that_steps_in_place_stands_in_the_list(backend):
    package = backend.modules("momentum").__package__
    folder = Path(backend.modules("momentum").__file__).parent
    modules = [importlib.import_module(f"{package}.{path.stem}") for path in folder.glob("[!_]*.py")]
    found = [
        (package.rpartition(".")[2], module.__name__.rpartition(".")[2], name)
        for module in modules
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__ and hasattr(value, "update_in_place")
    ]
    assert sorted(found) == [entry for entry in IN_PLACE if entry[0] == found[0][0]]


@pytest.mark.parametrize(("backend", "stem", "name"), IN_PLACE, indirect=["backend"])
@pytest.mark.parametrize("kind", ["numbers", "runs", "schedules", "some of each"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_in_place_is_the_equation_to_rounding(stem, name, kind, dtype, backend):
    optimizer_class = getattr(backend.modules(stem), name)
    generator = np.random.default_rng(len(name + kind))
    tolerance = 3e-5 if dtype == "float32" else 1e-12
    for _ in range(5):
        optimizer = optimizer_class(*drawn_settings(generator, name, backend.array, kind))
        draw = lambda: {key: backend.array(generator.normal(size=(3, 2, 4)).astype(dtype)) for key in ("a", "b")}  # noqa: E731
        params = draw()
        own = {key: value + 0 for key, value in params.items()}
        state, own_state = optimizer.init(params), optimizer.init(own)
        for _ in range(25):
            grads = draw()
            before = {key: np.asarray(value).copy() for key, value in grads.items()}
            updates, state = optimizer.update(grads, state, params)
            params = optimizers.apply_updates(params, updates)
            own_state = optimizer.update_in_place(grads, own_state, own)
            for key, value in params.items():
                scale = max(1.0, float(np.abs(np.asarray(value)).max()))
                np.testing.assert_allclose(np.asarray(own[key]), np.asarray(value), rtol=0, atol=tolerance * scale)
                np.testing.assert_array_equal(np.asarray(grads[key]), before[key])
        assert own_state.step == state.step == 25


# Gradients


def test_a_prepared_function_is_called_as_the_function_and_says_whose_it_is():
    def prepare(params, inputs, targets, out, generators):
        return lambda *given: ("prepared", *given)

    @optimizers.prepared_by(prepare)
    def gradient(params, inputs, targets):
        """Give nothing."""
        return params, inputs, targets

    assert gradient(1, 2, targets=3) == (1, 2, 3)
    assert (gradient.__name__, gradient.__doc__) == ("gradient", "Give nothing.")
    assert isinstance(gradient, optimizers.PreparedGradient)
    assert gradient.prepare(0, 0, 0, 0, 0)(1) == ("prepared", 1)
    assert isinstance(network.loss_and_gradient, optimizers.PreparedGradient)


def test_noise_and_given_arrays_reach_the_gradient(backend):
    plain = backend.modules("network").loss_and_gradient
    seen = []

    def noisy(params, inputs, targets, generators):
        seen.append(generators)
        return plain(params, inputs, targets)

    def written(params, inputs, targets, out):
        losses, grads = plain(params, inputs, targets)
        for name, gradient in grads.items():
            out[name][...] = gradient
        return losses, out

    expected = backend.grid(backend.modules("minibatch").SGD(0.1)).parameters["0.weight"]
    for gradient in (optimizers.WithNoise(noisy), optimizers.Written(written), lambda *given: plain(*given)):
        found = backend.grid(backend.modules("minibatch").SGD(0.1), gradient=gradient).parameters["0.weight"]
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
    assert len(seen) == 7


def test_losses_and_gradients_of_a_wrong_shape_are_refused(backend):
    plain, sgd = backend.modules("network").loss_and_gradient, backend.modules("minibatch").SGD(0.1)

    def one_loss(*given):
        losses, grads = plain(*given)
        return losses[:1], grads

    def stretched(*given):
        losses, grads = plain(*given)
        return losses, {name: g[:1] for name, g in grads.items()}

    with pytest.raises(ValueError, match="losses must be an array of shape"):
        backend.grid(sgd, gradient=one_loss)
    with pytest.raises(ValueError, match=r"gradients\['0.weight'\] must be of the shape of its parameter"):
        backend.grid(sgd, gradient=stretched)


# The rest of the module


class Still:
    """An optimizer that stays where it is."""

    def init(self, params):
        return ()

    def update(self, grads, state, params):
        return {name: 0 * g for name, g in grads.items()}, state


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: optimizers.Chain((Still(), 1)), TypeError, "parts must be an optimizer, with init and update"),
        (lambda: optimizers.chain(Still(), 1), TypeError, "parts must be an optimizer"),
        (lambda: optimizers.apply_updates({"a": X}, {"b": X}), ValueError, "updates must be of the names of params"),
        (lambda: optimizers.apply_updates([X], {"b": X}), TypeError, "params must be a mapping"),
        (lambda: optimizers.check_optimizer("this", 3), TypeError, "this must be an optimizer"),
        (lambda: optimizers.check_rate("rate", -1.0), ValueError, "rate must be a finite number at least 0"),
        (lambda: optimizers.check_rate("rate", "fast"), TypeError, "rate must be a finite number"),
        (lambda: optimizers.check_rate("rate", np.array([1.0, np.nan])), ValueError, "rate must be finite numbers"),
        (lambda: optimizers.check_beta("beta", 1.0), ValueError, "beta must be a finite number at least 0 and below 1"),
    ],
)
def test_bad_input_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_updates_are_added_without_a_graph():
    torch = pytest.importorskip("torch")
    weight = torch.nn.Parameter(torch.ones(3))
    moved_weight = optimizers.apply_updates({"w": weight}, {"w": weight * 2})["w"]
    assert moved_weight.tolist() == [3.0] * 3
    assert not moved_weight.requires_grad


def take_a_step(make, rate, grads):
    optimizer = make(rate)
    optimizer.update(grads, optimizer.init(grads), grads)


@pytest.mark.parametrize("rate", [-1, lambda step: -1.0, lambda step: np.nan, lambda step: np.array([0.1, -0.1])])
def test_a_rate_or_a_schedule_below_zero_is_refused_by_name(rate):
    grads = {"w": np.ones((2, 3))}
    for make in (minibatch.SGD, momentum.Momentum, momentum.Nesterov, adaptive_methods.Adam, adaptive_methods.Muon):
        with pytest.raises(ValueError, match="learning_rate"):
            take_a_step(make, rate, grads)
    with pytest.raises(ValueError, match="beta1 at step 0 must be a finite number at least 0 and below 1"):
        adaptive_methods.Adam(0.1, lambda step: 1.0).update(grads, adaptive_methods.Adam().init(grads), grads)


def test_a_gradient_that_lacks_a_name_does_not_drop_state():
    params = {"a": np.ones(2), "b": np.ones(2)}
    for optimizer in (
        momentum.Momentum(0.1),
        momentum.Nesterov(0.1),
        adaptive_methods.Adagrad(),
        adaptive_methods.RMSprop(),
        adaptive_methods.Adam(),
        adaptive_methods.AdamW(),
        adaptive_methods.AMSGrad(),
        adaptive_methods.NAdam(),
        adaptive_methods.Lion(),
        adaptive_methods.Partition(lambda name: name == "a", minibatch.SGD(0.1), minibatch.SGD(0.1)),
    ):
        state = optimizer.init(params)
        with pytest.raises(ValueError, match="grads must be of the names of params"):
            optimizer.update({"a": np.ones(2)}, state, params)
