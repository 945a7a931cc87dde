"""Right answers in other forms, and what the likeliest slips are told."""

from __future__ import annotations

import numpy as np
import pytest

from dlnotes.exercises import overfitting as exercises


def _stop(losses, patience, form=lambda end, best: (end, best), better=lambda loss, best: loss < best):
    best, waits = 0, 0
    for step, loss in enumerate(losses):
        if better(loss, losses[best]):
            best, waits = step, 0
        elif step:
            waits += 1
        if waits == patience:
            break
    return form(step + 1, best + 1)


def _against_the_last(losses, patience):
    waits, best = 0, int(np.argmin(losses)) + 1
    for step in range(1, len(losses)):
        waits = waits + 1 if losses[step] >= losses[step - 1] else 0
        if waits == patience:
            return step + 1, 1 + int(np.argmin(losses[: step + 1]))
    return len(losses), best


def _parts(fits, target, form=lambda bias, variance: (bias, variance)):
    variance = ((fits - fits.mean(0)) ** 2).sum(0) / (len(fits) - 1)
    return form((np.square(fits.mean(0) - target) - variance / len(fits)).mean(), variance.mean())


def _variance(p, n, noise):
    if abs(p - n) < 2:
        return np.inf
    return noise**2 * p / (n - p - 1) if p < n else n / p * (1 - n / p) + noise**2 * n / (p - n - 1)


@pytest.mark.parametrize(
    ("checker", "answer"),
    [
        ("stop_step", _stop),
        ("stop_step", lambda *given: _stop(*given, form=lambda *pair: list(pair))),
        ("stop_step", lambda *given: _stop(*given, form=lambda *pair: np.array(pair))),
        ("bias_and_variance", _parts),
        ("bias_and_variance", lambda *given: _parts(*given, form=lambda *pair: np.array(pair, dtype=np.float32))),
        ("bias_and_variance", lambda *given: _parts(*given, form=lambda *pair: list(pair))),
        ("variance_of_fit", _variance),
        ("variance_of_fit", lambda *given: np.array(np.float32(_variance(*given)))),
        ("steps_like_ridge", lambda strength, rate: max(1, round(1 / strength / rate))),
        ("steps_like_ridge", lambda strength, rate: np.float32(max(1, np.round(1 / strength / rate)))),
    ],
)
def test_right_answers_in_other_forms_pass(checker, answer, capsys):
    getattr(exercises, f"check_{checker}")(answer)
    assert capsys.readouterr().out.startswith("Right")


@pytest.mark.parametrize(("checker", "answer"), [("stop_step", _stop), ("bias_and_variance", _parts)])
def test_a_tensor_may_stand_for_a_pair(checker, answer, capsys):
    torch = pytest.importorskip("torch")
    getattr(exercises, f"check_{checker}")(
        lambda *given: answer(*given, form=lambda *pair: torch.tensor(pair, dtype=torch.float64))
    )
    assert capsys.readouterr().out.startswith("Right")


@pytest.mark.parametrize(
    ("checker", "answer", "told"),
    [
        ("stop_step", lambda *given: _stop(*given, form=lambda end, best: (end - 1, best - 1)), "from 1"),
        ("stop_step", lambda *given: _stop(*given, form=lambda end, best: (best, end)), "end first"),
        ("stop_step", lambda losses, patience: (_stop(losses, patience)[0], 1 + int(np.argmin(losses))), "nobody sees"),
        ("stop_step", lambda losses, patience: (1 + int(np.argmin(losses)),) * 2, "goes on for the patience"),
        ("stop_step", _against_the_last, "not with the loss before"),
        ("stop_step", lambda losses, patience: _stop(losses, patience + 1), "not one later"),
        ("stop_step", lambda *given: _stop(*given, better=lambda loss, best: loss <= best), "equal loss"),
        ("stop_step", lambda losses, patience: (len(losses), 1 + int(np.argmin(losses))), "used up"),
        ("stop_step", lambda losses, patience: _stop(losses, max(patience - 1, 1)), "too few"),
        ("stop_step", lambda *given: _stop(*given, form=lambda end, best: (end - 1, best)), "end is counted"),
        ("stop_step", lambda *given: _stop(*given, form=lambda end, best: (end, best - 1)), "best is counted"),
        (
            "stop_step",
            lambda losses, patience: _stop(losses, patience, form=lambda end, best: (end, losses[best - 1])),
            "not its loss",
        ),
        ("stop_step", lambda losses, patience: None, "nothing yet"),
        ("bias_and_variance", lambda fits, target: (0.0, fits.var(0).mean()), "one less"),
        ("bias_and_variance", lambda fits, target: (0.0, fits.var(1, ddof=1).mean()), "rows"),
        ("bias_and_variance", lambda fits, target: (0.0, np.square(fits - target).mean()), "not about the target"),
        (
            "bias_and_variance",
            lambda fits, target: (np.square(fits.mean(0) - target).mean(), fits.var(0, ddof=1).mean()),
            "take that away",
        ),
        ("bias_and_variance", lambda *given: _parts(*given)[::-1], "first"),
        (
            "bias_and_variance",
            lambda fits, target: _parts(fits, target, form=lambda *parts: tuple(len(target) * part for part in parts)),
            "not the sum",
        ),
        (
            "bias_and_variance",
            lambda fits, target: (
                np.square(fits.mean(0) - target).mean() - fits.var(0, ddof=1).mean() / len(target),
                fits.var(0, ddof=1).mean(),
            ),
            "not of points",
        ),
        (
            "bias_and_variance",
            lambda *given: _parts(*given, form=lambda bias, variance: (max(bias, 0), variance)),
            "negative",
        ),
        (
            "bias_and_variance",
            lambda fits, target: (
                np.maximum(np.square(fits.mean(0) - target) - fits.var(0, ddof=1) / len(fits), 0).mean(),
                fits.var(0, ddof=1).mean(),
            ),
            "negative",
        ),
        ("bias_and_variance", lambda fits, target: (_parts(fits, target)[0], fits.std(0, ddof=1).mean()), "deviation"),
        ("bias_and_variance", lambda fits, target: (_parts(fits, target)[0], fits.var(ddof=1)), "whole table"),
        ("variance_of_fit", lambda p, n, noise: noise**2 * p / n, "new inputs"),
        ("variance_of_fit", lambda p, n, noise: noise**2 * p / (n - p) if p < n else np.inf, "one less"),
        ("variance_of_fit", lambda p, n, noise: noise * p / (n - p - 1) if p < n - 1 else np.inf, "square"),
        ("variance_of_fit", lambda p, n, noise: noise**2 * p / abs(n - p - 1) if p != n - 1 else 5.0, "infinite"),
        (
            "variance_of_fit",
            lambda p, n, noise: noise**2 * n / (p - n - 1) if p > n + 1 else _variance(p, n, noise),
            "varies from set to set",
        ),
        (
            "variance_of_fit",
            lambda p, n, noise: 1 - n / p + noise**2 * n / (p - n - 1) if p > n + 1 else _variance(p, n, noise),
            "whole error",
        ),
        ("steps_like_ridge", lambda strength, rate: round(1 / strength), "more steps for the same way"),
        ("steps_like_ridge", lambda strength, rate: max(1, round(rate / strength)), "divides"),
        ("steps_like_ridge", lambda strength, rate: 1 / (2 * strength * rate), "cancel"),
        ("steps_like_ridge", lambda strength, rate: strength * rate, "fewer steps"),
        ("steps_like_ridge", lambda strength, rate: 1 / (strength * rate) + 1e-3, "not"),
        ("steps_like_ridge", lambda strength, rate: max(1, int(1 / strength / rate + 1e-9)), "nearest"),
        ("steps_like_ridge", lambda strength, rate: max(1, int(np.ceil(1 / strength / rate - 1e-9))), "nearest"),
        ("steps_like_ridge", lambda strength, rate: round(1 / (strength * rate)), "At least one"),
    ],
)
def test_the_likeliest_slips_are_told_apart(checker, answer, told):
    with pytest.raises(AssertionError, match=told):
        getattr(exercises, f"check_{checker}")(answer)
