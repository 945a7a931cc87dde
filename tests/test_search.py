"""The runner of searches on this machine, and Optuna's search with its storage. A cluster: test_search_cluster.py."""

from __future__ import annotations

import numpy as np
import pytest

from dlnotes import search
from dlnotes.numpy import hyperparameter_search as ranges

pytest.importorskip("joblib")

SPACE = {
    "rate": ranges.Range(1e-4, 10.0, log=True),
    "layers": ranges.Whole(1, 3),
    "kind": ranges.Choices(("plain", "momentum")),
    "beta": ranges.Under("kind", ("momentum",), ranges.Range(0.0, 0.99)),
}
SETTINGS = ranges.to_settings(ranges.random_points((12, 4), np.random.default_rng(0)), SPACE)


def loss(setting, generator):
    """A loss with its minimum at rate 0.1, with noise."""
    return np.log10(setting["rate"] / 0.1) ** 2 + setting["layers"] + 1e-3 * generator.random()


def broken(setting, generator):
    raise ArithmeticError("this trial cannot be")


def test_trials_are_fixed_beforehand():
    planned = search.trials(SETTINGS, 3)
    assert [trial.number for trial in planned] == list(range(12))
    found = search.run(loss, planned, where="here")
    expected = [loss(setting, np.random.default_rng((3, i))) for i, setting in enumerate(SETTINGS)]
    assert found == expected
    assert search.run(loss, planned[::-1], where="here") == expected[::-1]
    assert search.run(loss, planned[4:6], where="here") == expected[4:6]
    assert search.run(loss, search.trials(SETTINGS, 4), where="here") != expected
    assert search.run(loss, (), where="here") == []


def test_a_trial_cannot_change_the_setting_of_another():
    def greedy(setting, generator):
        setting["rate"] = 0.0
        return setting

    planned = search.trials(SETTINGS[:2], 0)
    search.run(greedy, planned, where="here")
    assert planned[0].setting == SETTINGS[0]


@pytest.mark.filterwarnings("ignore")
def test_processes_give_the_same_to_the_bit():
    planned = search.trials(SETTINGS, 0)
    assert search.run(loss, planned, where="cores") == search.run(loss, planned, where="here")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("backend", ["threading", "multiprocessing"])
def test_other_backends_of_joblib_give_the_same(backend):
    """Ray's is derived from that of processes, which gives no result before the end."""
    planned = search.trials(SETTINGS, 0)
    assert search.run(loss, planned, where=backend) == search.run(loss, planned, where="here")


def test_the_bar_shows_how_many_are_done(capsys):
    search.run(loss, search.trials(SETTINGS, 0), where="here", progress=True)
    shown = capsys.readouterr().err
    assert "12/12" in shown
    search.run(loss, search.trials(SETTINGS, 0), where="here")
    assert capsys.readouterr().err == ""


def test_an_exception_of_a_trial_arrives():
    with pytest.raises(ArithmeticError, match="this trial cannot be"):
        search.run(broken, search.trials(SETTINGS, 0), where="here")


def test_bad_arguments():
    with pytest.raises(ValueError, match="seed"):
        search.trials(SETTINGS, -1)
    with pytest.raises(TypeError, match="settings"):
        search.trials([1], 0)
    with pytest.raises(TypeError, match="where"):
        search.run(loss, search.trials(SETTINGS, 0), where=4)
    with pytest.raises(ValueError, match="nowhere"):
        search.run(loss, search.trials(SETTINGS, 0), where="nowhere")


@pytest.fixture
def storage(tmp_path):
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return f"sqlite:///{tmp_path}/search.db"


@pytest.mark.filterwarnings("ignore")
def test_a_search_by_optuna_is_resumed_after_an_interruption(storage):
    calls = []

    def interrupted(setting, generator):
        calls.append(setting)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return loss(setting, generator)

    with pytest.raises(KeyboardInterrupt):
        search.tpe(interrupted, SPACE, 16, storage=storage)
    study = search.tpe(interrupted, SPACE, 16, storage=storage)
    complete = [trial for trial in study.trials if trial.state.name == "COMPLETE"]
    assert len(complete) == 16
    assert len(calls) == 17  # the one that was cut off is the only one run in vain
    assert len({setting["rate"] for setting in calls}) == 16  # it is run again, and nothing else is proposed twice
    alone = search.tpe(loss, SPACE, 16, storage=storage, name="without interruption")
    assert [(trial.params, trial.value) for trial in alone.trials] == [(one.params, one.value) for one in complete]
    assert all(("beta" in trial.params) == (trial.params["kind"] == "momentum") for trial in complete)
    search.tpe(interrupted, SPACE, 16, storage=storage)
    assert len(calls) == 17


@pytest.mark.filterwarnings("ignore")
def test_neighboring_seeds_draw_apart(storage):
    """With a seed for each step that is a sum, one search would be the other, shifted by a draw."""
    rates = [
        [
            trial.params["rate"]
            for trial in search.tpe(loss, SPACE, 4, storage=storage, name=f"of {seed}", seed=seed).trials
        ]
        for seed in (0, 1, 2**40)
    ]
    assert len({rate for own in rates for rate in own}) == 12


@pytest.mark.filterwarnings("ignore")
def test_ten_draws_are_random_and_the_next_look_at_the_losses(storage):
    def other(setting, generator):
        return -loss(setting, generator)

    one, two = (search.tpe(own, SPACE, 12, storage=storage, name=own.__name__).trials for own in (loss, other))
    same = [a.params == b.params for a, b in zip(one, two, strict=True)]
    assert same == [True] * 10 + [False] * 2


@pytest.mark.filterwarnings("ignore")
def test_several_at_once_and_a_loss_that_is_nan(storage):
    study = search.tpe(
        lambda setting, generator: float("nan") if setting["layers"] == 2 else loss(setting, generator),
        SPACE,
        9,
        storage=storage,
        at_once=4,
        seed=1,
    )
    states = [trial.state.name for trial in study.trials]
    assert len(states) == 9
    assert "FAIL" in states
    assert study.best_value == min(trial.value for trial in study.trials if trial.value is not None)


def test_bad_numbers_are_refused(storage):
    for name, value in (("count", -1), ("at_once", 0), ("seed", -1)):
        with pytest.raises(ValueError, match=name):
            search.tpe(loss, SPACE, **{"count": 1, "storage": storage, name: value})
