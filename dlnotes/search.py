"""A search for hyperparameters, carried out on this machine or on many.

The trials are fixed before the first one runs, each with a seed of its own. So what a trial gives depends on neither
the order nor the number of workers, and one that was lost is run again with the same result.
Needs the extra `cluster`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dlnotes import checks
from dlnotes.numpy import hyperparameter_search

if TYPE_CHECKING:
    import optuna

Setting = dict[str, Any]
Evaluate = Callable[[Setting, np.random.Generator], Any]


class Trial(NamedTuple):
    """One trial: its number, its setting, and what its random numbers are drawn from."""

    number: int
    setting: Setting
    seed: tuple[int, int]


def trials(settings: Sequence[Setting], seed: int) -> tuple[Trial, ...]:
    """Fix the trials of a search beforehand.

    Args:
        settings: From `hyperparameter_search.to_settings`, say.
        seed: Of the search, at least 0. Trial i draws from `default_rng((seed, i))`.

    Returns:
        The trials, numbered from 0.

    Raises:
        TypeError: If a setting is no mapping.
        ValueError: If the seed is negative.
    """
    seed = checks.integer("seed", seed, at_least=0)
    for setting in settings:
        checks.instance("an element of settings", setting, Mapping, "a mapping from names to values")
    return tuple(Trial(number, dict(setting), (seed, number)) for number, setting in enumerate(settings))


def run(evaluate: Evaluate, planned: Sequence[Trial], *, where: str = "cores", progress: bool = False) -> list[Any]:
    """Run trials, and give their results in the trials' order.

    Args:
        evaluate: `(setting, generator) -> result`. What it gives may be anything that can be pickled.
        planned: The trials, from `trials`.
        where: "here": one after the other, in this process. "cores": in processes on this machine. The address of a
            Dask scheduler, as "tcp://192.0.0.100:8786": on its workers. Any other name: a backend registered with
            joblib, as "ray".
        progress: Whether a bar shows how many are done. With a backend that gives no results before the end, as Ray's,
            it moves then.

    Returns:
        One result a trial. If `evaluate` draws from its own generator only, they are the same to the bit wherever the
        same code runs on processors of the same kind, with libraries of the same version.

    Raises:
        ValueError: If joblib knows no such backend.
        OSError: If there is no scheduler at that address.
        Exception: The first that `evaluate` raised.
    """
    import joblib

    checks.instance("where", where, str, "a name or an address")
    found: list[Any] = [None] * len(planned)
    place = {trial.number: index for index, trial in enumerate(planned)}
    with _backend(where):
        # Some backends, Ray's among them, give nothing before the end.
        in_between = joblib.parallel.get_active_backend()[0].supports_return_generator
        order = "generator_unordered" if in_between else "list"
        jobs = joblib.Parallel(return_as=order, batch_size=1, pre_dispatch="all")
        done = jobs(joblib.delayed(_run_one)(evaluate, trial) for trial in planned)
        for number, result in _shown(done, len(planned), progress):
            found[place[number]] = result
    return found


def _run_one(evaluate: Evaluate, trial: Trial) -> tuple[int, Any]:
    return trial.number, evaluate(dict(trial.setting), np.random.default_rng(trial.seed))


@contextlib.contextmanager
def _backend(where: str) -> Iterator[None]:
    """Tell joblib where to work."""
    import joblib

    if "://" in where:
        import distributed

        # Not the default client: another search of the program may use another scheduler.
        with (
            distributed.Client(where, set_as_default=False, timeout="10s") as client,
            joblib.parallel_config("dask", client=client),
        ):
            yield
        return
    name = {"here": "sequential", "cores": "loky"}.get(where, where)
    options = {"inner_max_num_threads": 1} if name == "loky" else {}
    with joblib.parallel_config(name, n_jobs=1 if name == "sequential" else -1, **options):
        yield


def _shown(done: Iterable[tuple[int, Any]], total: int, progress: bool) -> Iterator[tuple[int, Any]]:
    import tqdm

    return iter(tqdm.tqdm(done, total=total, unit="trial", disable=not progress))


def tpe(
    evaluate: Evaluate,
    space: Mapping[str, Any],
    count: int,
    *,
    storage: str,
    name: str = "search",
    seed: int = 0,
    at_once: int = 1,
    where: str = "here",
    progress: bool = False,
) -> optuna.Study:
    """Search by Optuna's tree-structured Parzen estimator, and keep all trials in a storage, so that it can be resumed.

    Called again with the same storage, name and seed, it goes on where it stood, and ends as it would have without the
    interruption: trials that were finished are not run again, those that were cut off are. One process at a time
    searches under a name; what is to run side by side is asked for by `at_once`. The draws are random until ten trials
    have given a loss; then hyperparameters that every trial has are fitted jointly, and each of the others by itself.

    Args:
        evaluate: `(setting, generator) -> loss`; nan is kept as a failed trial.
        space: As for `hyperparameter_search.to_settings`.
        count: How many trials there are to be in the end, earlier ones counted.
        storage: Where they are kept, as "sqlite:///search.db".
        name: Of the search in the storage.
        seed: At least 0.
        at_once: How many settings are asked for before the next losses are known; they run side by side.
        where: See `run`.
        progress: See `run`.

    Returns:
        The study, an `optuna.Study`: `best_params`, `best_value`, `trials`.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a number is out of range.
    """
    import optuna

    count = checks.integer("count", count, at_least=0)
    at_once = checks.integer("at_once", at_once, at_least=1)
    seed = checks.integer("seed", seed, at_least=0)
    study = optuna.create_study(storage=storage, study_name=name, load_if_exists=True)
    _give_up_what_was_cut_off(study)
    while (finished := sum(_counts(trial) for trial in study.get_trials(deepcopy=False))) < count:
        # One seed for all would, after a resumption, propose again what was proposed at first.
        # Mixed and not added up, or neighboring seeds would give the same draws, shifted.
        mixed = np.random.SeedSequence((seed, finished)).generate_state(1)[0]
        study.sampler = optuna.samplers.TPESampler(seed=int(mixed))
        asked = [study.ask() for _ in range(min(at_once, count - finished))]
        planned = [Trial(n, _suggested(trial, space), (seed, n)) for n, trial in enumerate(asked, finished)]
        for trial, loss in zip(asked, run(evaluate, planned, where=where, progress=progress), strict=True):
            failed = math.isnan(loss)
            study.tell(trial, None if failed else float(loss), optuna.trial.TrialState.FAIL if failed else None)
    return study


CUT_OFF = "cut off"


def _give_up_what_was_cut_off(study: Any) -> None:
    """Mark trials that an interruption left running, so that they neither count nor lead the sampler."""
    import optuna

    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        optuna.trial.Trial(study, trial._trial_id).set_user_attr(CUT_OFF, True)
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)


def _counts(trial: Any) -> bool:
    return trial.state.is_finished() and CUT_OFF not in trial.user_attrs


def _suggested(trial: Any, space: Mapping[str, Any]) -> Setting:
    """Ask Optuna for a value of each hyperparameter that there is."""
    ways = hyperparameter_search
    setting: Setting = {}
    for name, part in space.items():
        if isinstance(part, ways.Under):
            if setting.get(part.name) not in part.among:
                continue
            part = part.part
        if isinstance(part, ways.Choices):
            setting[name] = trial.suggest_categorical(name, part.options)
        elif isinstance(part, ways.Whole):
            setting[name] = trial.suggest_int(name, part.low, part.high, log=part.log)
        else:
            setting[name] = trial.suggest_float(name, part.low, part.high, log=part.log)
    return setting
