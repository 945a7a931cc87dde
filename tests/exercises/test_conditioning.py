"""Right answers in other forms, and what the likeliest slips are told."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlnotes.exercises import conditioning as exercises


def _steps(kappa, share, count=math.ceil):
    factor = (kappa - 1) / (kappa + 1)
    return max(1, count(math.log(share) / math.log(factor) - 1e-9)) if factor else 1


def _product(x, p, v):
    return x.T @ (p * (1 - p) * (x @ v)) / len(x)


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        ("best_rate", lambda m, L: [2 / (m + L), (L - m) / (L + m)]),
        ("best_rate", lambda m, L: np.array([2 / (m + L), (L / m - 1) / (L / m + 1)], np.float32)),
        ("steps_needed", lambda k, e: float(_steps(k, e))),
        ("steps_needed", lambda k, e: np.int64(_steps(k, e))),
        ("steps_needed", lambda k, e: np.array([_steps(k, e)])),
        ("steps_needed", lambda k, e: [_steps(k, e)]),
        ("logistic_product", lambda x, p, v: (x.T * (p - p * p)) @ x @ v / len(x)),
        ("logistic_product", lambda x, p, v: list(_product(x, p, v).astype(np.float32))),
        ("logistic_product", lambda x, p, v: x.T @ ((p * (1 - p))[:, None] * (x @ v[:, None])) / len(x)),
        ("trace", lambda product, u: np.mean((u * product(u)).sum(-1), keepdims=True)),
        ("trace", lambda product, u: np.mean([v @ product(v[None])[0] for v in u])),
        ("trace", lambda product, u: np.float32(np.einsum("pi,pi->", u, product(u)) / len(u))),
    ],
)
def test_right_answers_in_other_forms_pass(check, answer, capsys):
    getattr(exercises, f"check_{check}")(answer)
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("check", "answer", "words"),
    [
        ("best_rate", lambda m, L: (2 / L, 1.0), "limit of the rate"),
        ("best_rate", lambda m, L: (1 / L, 1 - m / L), "leaves the flattest one slow"),
        ("best_rate", lambda m, L: (1 / m, 0), "steepest one flies apart"),
        ("best_rate", lambda m, L: (1 / (m + L), 0), "equally slow at twice"),
        ("best_rate", lambda m, L: (2 / math.sqrt(m * L), 0), "plain mean"),
        ("best_rate", lambda m, L: (4 / (math.sqrt(m) + math.sqrt(L)) ** 2, 0), "rate of momentum"),
        ("best_rate", lambda m, L: (2 / (m + L), (math.sqrt(L / m) - 1) / (math.sqrt(L / m) + 1)), "momentum's factor"),
        ("best_rate", lambda m, L: (2 / (m + L), (m - L) / (m + L)), "without the sign"),
        ("best_rate", lambda m, L: (2 / (m + L), ((m - L) / (m + L)) ** 2), "factor of the loss"),
        ("best_rate", lambda m, L: (2 / (m + L), L / m), "condition number"),
        ("best_rate", lambda m, L: (2 / (m + L), 1 - m / L), "at the rate 1 / largest"),
        ("best_rate", lambda m, L: ((L - m) / (L + m), 2 / (m + L)), "the other way round"),
        ("best_rate", lambda m, L: 2 / (m + L), r"must have the shape \(2,\)"),
        ("steps_needed", lambda k, e: math.log(e) / math.log((k - 1) / (k + 1)) if k > 1 else 1, "round up"),
        ("steps_needed", lambda k, e: _steps(k, e, math.floor), "one step too few"),
        ("steps_needed", lambda k, e: math.ceil(math.log(e) / math.log(1 - 1 / k)) if k > 1 else 1, "1 / largest"),
        (
            "steps_needed",
            lambda k, e: _steps(k, e, lambda t: math.floor(t + 1e-6) + 1) if k < 10 else _steps(k, e),
            "whole",
        ),
        ("steps_needed", lambda k, e: math.ceil(k / 2 * math.log(1 / e)), "bound"),
        ("steps_needed", lambda k, e: _steps(math.sqrt(k), e), "momentum's factor"),
        ("steps_needed", lambda k, e: math.ceil(_steps(k, e) / 2), "for the loss"),
        ("logistic_product", lambda x, p, v: len(x) * _product(x, p, v), "divide by the number of examples"),
        ("logistic_product", lambda x, p, v: len(x) / x.shape[1] * _product(x, p, v), "not of features"),
        ("logistic_product", lambda x, p, v: x.T @ (x @ v) / len(x), "slope of the sigmoid"),
        ("logistic_product", lambda x, p, v: x.T @ (p * (x @ v)) / len(x), "not p"),
        ("logistic_product", lambda x, p, v: x.T @ ((1 - p) * (x @ v)) / len(x), "not 1 - p"),
        ("logistic_product", lambda x, p, v: x.T @ (np.sqrt(p * (1 - p)) * (x @ v)) / len(x), "not its root"),
        ("logistic_product", lambda x, p, v: -_product(x, p, v), "sign is turned"),
        ("logistic_product", lambda x, p, v: np.outer(v, v), "must have the shape"),
        (
            "logistic_product",
            lambda x, p, v: _product(x, p, v) + 0 * np.multiply(x, 2, out=x)[0],
            "changes an argument",
        ),
        ("steps_needed", lambda k, e: [[1], [2, 3]], "must be real numbers"),
        ("trace", lambda product, u: (u * product(u)).sum(), "take their mean"),
        ("trace", lambda product, u: (u * product(u)).mean(), "mean eigenvalue"),
        ("trace", lambda product, u: product(u).sum(-1).mean(), "its own signs"),
        ("trace", lambda product, u: np.trace(product(np.eye(u.shape[1]))), "exact trace"),
        ("trace", lambda product, u: (u @ product(u).T).mean(), "another"),
    ],
)
def test_slips_get_their_reason(check, answer, words):
    with pytest.raises(AssertionError, match=words):
        getattr(exercises, f"check_{check}")(answer)
