"""Checkers of the chapter's exercises: each takes a reader's answer and says what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from dlnotes import optimizers
from dlnotes.exercises import _answers as answers
from dlnotes.numpy import adaptive_methods

EPSILON = 1e-8


def _near(given: np.ndarray | float, wanted: np.ndarray | float, tolerance: float = 1e-5) -> bool:
    """Compare to five digits, which an answer in float32 has."""
    return bool(np.allclose(given, wanted, rtol=tolerance, atol=0))


def _slips(g: np.ndarray, m: np.ndarray, v: np.ndarray, t: int) -> dict[str, np.ndarray]:
    """Give Adam's update as the likeliest mistakes make it, by what is to be said of each."""
    m_new, v_new = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
    m_hat, v_hat = m_new / (1 - 0.9**t), v_new / (1 - 0.999**t)
    root = np.sqrt(v_hat) + EPSILON
    earlier = np.ones_like(g) if t == 1 else m_new / (1 - 0.9 ** (t - 1))
    late = earlier / (np.sqrt(v_new / max(1 - 0.999 ** (t - 1), 1e-300)) + EPSILON)
    return {
        "The sign: what is to be added leads against the gradient": m_hat / root,
        "A root is missing: the average square has the unit of a square": -m_hat / (v_hat + EPSILON),
        "Epsilon stands outside the root": -m_hat / np.sqrt(v_hat + EPSILON),
        "Both averages start at zero and need their correction": -m_new / (np.sqrt(v_new) + EPSILON),
        "The average square needs its correction too": -m_hat / (np.sqrt(v_new) + EPSILON),
        "The average gradient needs its correction too": -m_new / root,
        "t is 1 in the first step, not 0": -late,
        "The average of the gradient is missing: this is RMSprop with a correction": -g / root,
        "Epsilon is missing: it is what keeps the step from tiny gradients small": -m_hat / np.sqrt(v_hat),
        "Epsilon is added to the root of the corrected average; yours is larger by one over that correction": -m_hat
        * np.sqrt(1 - 0.999**t)
        / (np.sqrt(v_new) + EPSILON),
        "0.9 is kept of the gradient, 0.999 of its square": -((0.999 * m + 0.001 * g) / (1 - 0.999**t))
        / (np.sqrt((0.9 * v + 0.1 * g * g) / (1 - 0.9**t)) + EPSILON),
        "The new gradient has the weight 0.1 = 1 - 0.9": -((0.9 * m + g) / (1 - 0.9**t)) / root,
        "The average square must take in the gradient before it is used": -m_hat
        / (np.sqrt(v / (1 - 0.999**t)) + EPSILON),
        "The gradient counts twice, as in Nesterov's step; Adam's is the corrected average alone": -(
            0.9 * m_hat + 0.1 * g / (1 - 0.9**t)
        )
        / root,
        "This is NAdam's step, which looks ahead; Adam's is the corrected average alone": -(
            0.9 * m_new / (1 - 0.9 ** (t + 1)) + 0.1 * g / (1 - 0.9**t)
        )
        / root,
        "The averages must take in the gradient before they are used": -(m / (1 - 0.9**t))
        / (np.sqrt(v / (1 - 0.999**t)) + EPSILON),
    }


def check_adam_step(adam_step: Callable) -> None:
    """Check one step of Adam with the usual constants, at rate 1.

    Args:
        adam_step: takes the gradient, both averages before the step and t, 1 in the first step; gives what is to be
            added to the parameters at learning rate 1.

    Raises:
        AssertionError: if an update is wrong; the message says which and, where it can be told, why.
    """
    generator = np.random.default_rng(0)
    optimizer, params = adaptive_methods.Adam(1.0, epsilon=EPSILON), {"w": np.zeros(3)}
    state = optimizer.init(params)
    scale = np.array([1e-7, 1e-3, 10.0])
    for t in range(1, 6):
        g = scale * generator.normal(size=3)
        m, v = state.mean["w"], state.mean_square["w"]
        updates, state = optimizer.update({"w": g}, state, params)
        call = f"adam_step(g, m, v, {t})"
        with np.errstate(all="ignore"):
            given = answers.array(call, adam_step(g.copy(), m.copy(), v.copy(), t), (3,))
            slips = _slips(g, m, v, t)
        if not _near(given, updates["w"]):
            hints = [f". {hint}" for hint, slip in slips.items() if np.isfinite(slip).all() and _near(given, slip)]
            wanted, shown = (np.array2string(one, precision=4) for one in (updates["w"], given))
            raise AssertionError(f"{call} is {shown}, but Adam's step is {wanted}{hints[0] if hints else ''}")
    answers.right("five steps, gradients from 1e-7 to 10")


def check_uncorrected(uncorrected: Callable[[float, float, int], float]) -> None:
    """Check a function that says how many times as long Adam's step t is without its corrections.

    Args:
        uncorrected: takes beta1, beta2 and t, 1 in the first step.

    Raises:
        AssertionError: if a ratio is wrong.
    """
    for beta1, beta2, t in ((0.9, 0.999, 1), (0.9, 0.999, 12), (0.0, 0.99, 5), (0.5, 0.95, 200)):
        call = f"uncorrected({beta1}, {beta2}, {t})"
        given = answers.number(call, uncorrected(beta1, beta2, t))
        first, second = 1 - beta1**t, 1 - beta2**t
        wanted = first / math.sqrt(second)
        slips = {
            "This is upside down: how long without, over how long with": 1 / wanted,
            "The second average stands under a root": first / second,
            "The first average stands under no root": math.sqrt(first / second),
            "The first average is corrected too": 1 / math.sqrt(second),
            "The second average is corrected too": first,
            "These are the weights of one gradient: after t steps the weights add up to 1 - beta^t": (1 - beta1)
            / math.sqrt(1 - beta2),
            "t is 1 in the first step: the power is t": (1 - beta1 ** (t + 1)) / math.sqrt(1 - beta2 ** (t + 1)),
        }
        if not _near(given, wanted):
            hints = [f". {hint}" for hint, slip in slips.items() if _near(given, slip)]
            raise AssertionError(f"{call} is {given:.5g}, not {wanted:.5g}{hints[0] if hints else ''}")
    answers.right("four pairs of betas and steps")


def check_round_of_adam(round_of_adam: Callable[[Sequence[float], float], float]) -> None:
    """Check how far Adam without momentum is led by one settled round of gradients, at rate 1 and epsilon 0.

    Args:
        round_of_adam: takes the gradients of the round and beta2.

    Raises:
        AssertionError: if a distance is wrong.
    """
    for cycle, beta2 in (((3.0, -1.0, -1.0), 0.1), ((3.0, -1.0, -1.0), 0.9), ((5.0, -1.0, -2.0, 1.0), 0.5)):
        call = f"round_of_adam({cycle}, {beta2})"
        given = answers.number(call, round_of_adam(cycle, beta2))
        x = np.array(cycle)
        n = len(x)
        sums = sum(beta2**age * np.roll(x * x, age) for age in range(n))
        v = (1 - beta2) / (1 - beta2**n) * sums
        wanted = -(x / np.sqrt(v)).sum()
        from_zero = (1 - beta2) * np.array([sum(beta2 ** (k - i) * x[i] ** 2 for i in range(k + 1)) for k in range(n)])
        slips = {
            "The sign: a positive gradient leads down": -wanted,
            "A root is missing over the average square": -(x / v).sum(),
            "This is the first round from zero; wanted is the round after many": -(x / np.sqrt(from_zero)).sum(),
            "The first round, corrected; wanted is the round after many": -(
                x / np.sqrt(from_zero / (1 - beta2 ** np.arange(1, n + 1)))
            ).sum(),
            "The gradient is divided by the average that already holds it": -(x / np.sqrt(np.roll(v, 1))).sum(),
            "The average here is the plain mean; a gradient's own square counts most": -(
                x / np.sqrt(np.mean(x * x))
            ).sum(),
        }
        if not _near(given, wanted, 1e-4):
            hints = [f". {hint}" for hint, slip in slips.items() if _near(given, slip, 1e-4)]
            if _near(given, wanted, 0.02):
                hints.append(". That is near: go more rounds, until the average square has settled")
            raise AssertionError(f"{call} is {given:.4f}, not {wanted:.4f}{hints[0] if hints else ''}")
    answers.right("three rounds")


# Copies of the weights that a likely mistake counts, by what is to be said of it.
_OWN_COUNTS = {
    "Adam": {
        "Adam keeps two averages": 1,
        "Adam keeps two averages; weights do not count, and the largest average square is AMSGrad's": 3,
    },
    "AMSGrad": {"The largest average square so far is kept too": 2},
    "Lion": {"Lion keeps no average square": 2},
}


def check_numbers_kept(numbers_kept: Callable[[str, int, int], int]) -> None:
    """Check how many numbers an optimizer keeps for a matrix of weights, besides weights and gradients.

    Args:
        numbers_kept: takes a name, "momentum", "Adam", "AMSGrad", "Lion" or "Shampoo", and the rows and columns.

    Raises:
        AssertionError: if a number is wrong.
    """
    makers = {"Adam": adaptive_methods.Adam(), "AMSGrad": adaptive_methods.AMSGrad(), "Lion": adaptive_methods.Lion()}
    for rows, columns in ((30, 40), (64, 10)):
        params = {"w": np.zeros((rows, columns))}
        wanted = {
            name: sum(np.size(leaf) for leaf in optimizers.leaves(one.init(params)) if np.ndim(leaf))
            for name, one in makers.items()
        }
        wanted |= {"momentum": rows * columns, "Shampoo": rows**2 + columns**2}
        for name, right in wanted.items():
            call = f'numbers_kept("{name}", {rows}, {columns})'
            given = answers.number(call, numbers_kept(name, rows, columns))
            slips = {own: cells * rows * columns for own, cells in _OWN_COUNTS.get(name, {}).items()}
            if name == "Shampoo":
                own = "L and R are two matrices: their numbers are rows^2 + columns^2, not (rows + columns)^2"
                slips[own] = (rows + columns) ** 2
                slips["L has rows times rows numbers, and R columns times columns"] = 2 * rows * columns
                slips["L and R are square: count all their numbers, not a row of each"] = rows + columns
            slips["Asked for are numbers, not bytes"] = 4 * right
            slips["The weights themselves do not count"] = right + rows * columns
            slips["Weights and gradients do not count"] = right + 2 * rows * columns
            if given != right:
                hints = [f". {hint}" for hint, slip in slips.items() if given == slip]
                raise AssertionError(f"{call} is {given:g}, not {right}{hints[0] if hints else ''}")
    answers.right("five optimizers, two shapes")
