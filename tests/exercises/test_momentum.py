"""Right answers in other forms, and what the likeliest slips are told."""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest

from dlnotes.exercises import momentum as exercises


def _radius(curvature, rate, beta):
    return max(abs(np.linalg.eigvals([[1 + beta - rate * curvature, -beta], [1, 0]])))


def _sign_forgotten(curvature, rate, beta):
    p = 1 + beta - rate * curvature
    return abs(p + cmath.sqrt(p * p - 4 * beta)) / 2


def _nesterov(point, velocity, gradient, rate, beta, form=lambda p, v: (p, v)):
    g = gradient(point)
    velocity = beta * velocity + g
    return form(point - rate * (g + beta * velocity), velocity)


def _overwriting(point, velocity, gradient, rate, beta):
    g = gradient(point)
    velocity *= beta
    velocity += g
    point -= rate * (g + beta * velocity)
    return [point, velocity]


@pytest.mark.parametrize(
    ("checker", "answer"),
    [
        ("spectral_radius", _radius),
        ("spectral_radius", lambda *given: np.array(_radius(*given))),
        ("spectral_radius", lambda *given: np.float32(_radius(*given))),
        ("beta_for", lambda number: np.float32((number - 1) / (number + 1))),
        ("beta_for", lambda number: np.array(1 - 2 / (number + 1))),
        ("largest_rate", lambda h, beta, nesterov: np.array((2 + 2 * beta) / (1 + 2 * beta * nesterov) / h)),
        ("nesterov_step", _nesterov),
        ("nesterov_step", _overwriting),
        ("nesterov_step", lambda *given: _nesterov(*given, form=lambda p, v: np.stack((p, v)))),
        ("nesterov_step", lambda *given: _nesterov(*given, form=lambda p, v: (p.tolist(), v.astype(np.float32)))),
    ],
)
def test_right_answers_in_other_forms_pass(checker, answer, capsys):
    getattr(exercises, f"check_{checker}")(answer)
    assert capsys.readouterr().out.startswith("Right")


def _step(formula):
    return lambda w, v, gradient, rate, beta: (formula(w, v, gradient, rate, beta), beta * v + gradient(w))


@pytest.mark.parametrize(
    ("checker", "answer", "told"),
    [
        ("spectral_radius", lambda h, rate, beta: math.nan, "complex"),
        ("spectral_radius", lambda h, rate, beta: math.sqrt(beta), "real"),
        ("spectral_radius", lambda h, rate, beta: abs(1 - rate * h), "without momentum"),
        ("spectral_radius", lambda h, rate, beta: max(np.roots([1, rate * h - 1 - beta, beta]).real), "modulus"),
        ("spectral_radius", lambda h, rate, beta: _radius(h, rate * (1 - beta), beta), "averaging form"),
        ("spectral_radius", lambda h, rate, beta: np.array([1.0, 2.0]), "one number"),
        ("spectral_radius", _sign_forgotten, "minus sign"),
        ("beta_for", lambda number: (number + 1) / (number - 1), "upside down"),
        ("beta_for", lambda number: 1 - 1 / number, "mean age"),
        ("beta_for", lambda number: 1 / number, "kept"),
        ("beta_for", lambda number: max(0, 1 - 2 / number), "exactly"),
        ("beta_for", lambda number: math.sqrt(1 - 1 / number), "squared"),
        ("beta_for", lambda number: None, "nothing yet"),
        ("largest_rate", lambda h, beta, nesterov: 2 / h, "limit of descent"),
        ("largest_rate", lambda h, beta, nesterov: 2 * (1 + beta) / h, "stops earlier"),
        ("largest_rate", lambda h, beta, nesterov: 2 * (1 + beta), "division is missing"),
        ("largest_rate", lambda h, beta, nesterov: 2 * (1 + beta) / (1 - beta) / h, "effective rate"),
        ("largest_rate", lambda h, beta, nesterov: (1 + math.sqrt(beta)) ** 2 / h, "overshoots"),
        (
            "nesterov_step",
            _step(lambda w, v, g, rate, beta: w + beta * (beta * v - rate * g(w)) - rate * g(w)),
            "inside",
        ),
        ("nesterov_step", lambda *given: _nesterov(*given, form=lambda p, v: (v, p)), "point first"),
        (
            "nesterov_step",
            _step(lambda w, v, g, rate, beta: w - rate * (g(w) + beta * (beta * v + (1 - beta) * g(w)))),
            "before the gradient in the velocity",
        ),
        ("nesterov_step", _step(lambda w, v, g, rate, beta: w - rate * (beta * v + g(w))), "heavy ball"),
        ("nesterov_step", _step(lambda w, v, g, rate, beta: w - rate * (beta * v + g(w - rate * beta * v))), "ahead"),
        ("nesterov_step", _step(lambda w, v, g, rate, beta: w - rate * (g(w) + beta * v) * 0.5), "not"),
        ("nesterov_step", _step(lambda w, v, g, rate, beta: w - rate * (2 * g(w) + beta * v)), "factor beta"),
        ("nesterov_step", lambda *given: _nesterov(*given, form=lambda p, v: (p, -0.2 * v)), "the point is right"),
        ("nesterov_step", lambda *given: _nesterov(*given)[0], "pair"),
    ],
)
def test_the_likeliest_slips_are_told_apart(checker, answer, told):
    with pytest.raises(AssertionError, match=told):
        getattr(exercises, f"check_{checker}")(answer)
