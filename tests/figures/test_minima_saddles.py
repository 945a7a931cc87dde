"""What the numbers of the figures of the chapter on minima and saddle points must satisfy.

Numbers of the whole experiment come from the cache of the press; what is quick is measured here at another size.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from dlnotes.book import drawing, layout
from dlnotes.figures import minima_saddles as points
from dlnotes.figures import minima_saddles_networks as networks

SMALL = {
    "saddle": {"runs": 3, "points": 5},
    "index-loss": {"size": 2, "searches": 4, "samples": 2000},
    "well": {"noise": 12.0, "runs": 4},
    "barrier": {"width": 6, "examples": 40, "steps": 20, "pairs": 2, "points": 5},
    "surface": {"width": 4, "examples": 40, "points": 5, "steps": 20},
    "along": {"width": 3, "examples": 30, "batch": 5, "doublings": 6, "seeds": 2},
}


@functools.cache
def numbers(name: str) -> tuple:
    """The numbers of a figure as the book shows it."""
    return drawing.numbers(layout.find(), drawing.Figure("minima_saddles", name))


# --- a saddle


def test_paths_end_where_the_caption_says() -> None:
    descent, newton, saddle_free = numbers("saddle").paths[:, -1]
    np.testing.assert_allclose(newton, [0, 0], atol=1e-12)
    np.testing.assert_allclose(saddle_free, [0, 1], atol=1e-12)
    np.testing.assert_allclose(descent, [0, 1], atol=0.01)


def test_steps_off_the_ridge_obey_the_logarithmic_law() -> None:
    shown = numbers("saddle")
    np.testing.assert_allclose(shown.descent, shown.theory, atol=2)
    np.testing.assert_allclose(np.diff(shown.descent), math.log(10) / math.log(1.1), atol=1)  # 24 for a factor of 10
    np.testing.assert_allclose(np.diff(shown.saddle_free[3:]), math.log2(10), atol=1)
    assert shown.saddle_free[-1] == 39
    assert shown.descent[-1] == 284


def test_noise_bounds_the_wait() -> None:
    shown = numbers("saddle")
    floor = 0.001 * math.sqrt(0.1 / 2)
    bound = math.log(1 / (math.sqrt(3) * floor)) / math.log(1.1)
    assert np.all(np.abs(shown.noisy[1, 5:] - bound) < 0.12 * bound)
    assert np.all(np.abs(shown.noisy[1, :3] - shown.descent[:3]) <= 2)


# --- index against loss, random signs


def test_index_goes_with_the_loss_and_not_from_point_to_point() -> None:
    shown = numbers("index-loss")
    order = np.argsort(shown.losses)
    shares = shown.shares[order]
    assert (shares[0], shares[-1]) == (0, 0.5)
    assert len(shares) == 16
    assert np.all(shares[1:] > 0)  # no other minimum
    assert np.any(np.diff(shares) < 0)
    assert np.corrcoef(shown.losses, shown.shares)[0, 1] > 0.7


def test_the_search_finds_points_of_the_closed_form() -> None:
    shown = numbers("index-loss")
    assert len(shown.found_losses) >= 75
    distance = np.abs(shown.found_losses[:, None] - shown.losses)
    nearest = distance.argmin(axis=1)
    assert distance.min(axis=1).max() < 1e-6
    np.testing.assert_array_equal(shown.found_shares, shown.shares[nearest])
    lowest = np.argsort(shown.losses)[:2]
    assert set(range(16)) - set(nearest.tolist()) == set(lowest.tolist())  # what the text says of the two lowest


def test_probabilities_of_random_matrices() -> None:
    """The numbers of the plan: .5, .1464, .0249, .0024567, .00014012."""
    shown = numbers("index-loss")
    np.testing.assert_allclose(shown.exact, [0.5, 0.1464, 0.0249, 0.0024567, 0.00014012], rtol=1e-3)
    closed = [1 / 2, (2 - math.sqrt(2)) / 4, (math.pi - 2 * math.sqrt(2)) / (4 * math.pi)]
    np.testing.assert_allclose(shown.exact[:3], closed, rtol=1e-12)
    error = np.sqrt(shown.exact * (1 - shown.exact) / 300_000)
    assert np.all(np.abs(shown.sampled - shown.exact) < 4 * error)
    assert np.all(shown.exact < shown.rate)


def test_the_share_of_two_rows_is_that_of_a_cone() -> None:
    """Half the trace must exceed the length of two other normal numbers: a cone of 45 degrees."""
    draws = np.random.default_rng(1).standard_normal((200_000, 3))
    inside = np.mean(draws[:, 0] > np.hypot(draws[:, 1], draws[:, 2]))
    assert inside == pytest.approx(points.positive_probability(2), abs=0.004)


# --- out of a well


def test_waits_grow_as_the_law_says() -> None:
    shown = numbers("well")
    ratio = shown.means / shown.theory
    assert np.all((ratio > 1) & (ratio < 2))  # steps of this size take longer
    growth = np.log(shown.means[:, -1] / shown.means[:, 0])
    law = np.log(shown.theory[:, -1] / shown.theory[:, 0])
    np.testing.assert_allclose(growth, law, atol=0.5)
    assert growth[1] > 2 * growth[0]
    assert np.all(shown.steps[:, 2] > 10 * shown.steps[:, 0])


# --- networks


def test_barriers() -> None:
    shown = numbers("barrier")
    middle = shown.losses[:, :, len(shown.fractions) // 2]
    ends = shown.losses[:, 1, [0, -1]]
    assert np.all(ends < 0.015)
    copy, other, matched, _ = middle[:, 1]
    assert copy == pytest.approx(0.22, abs=0.03)
    assert other == pytest.approx(0.20, abs=0.03)
    assert matched == pytest.approx(0.035, abs=0.01)
    assert np.max(shown.losses[3]) < 0.02
    assert np.min(middle[0]) > 10 * np.max(ends)


def test_matching_finds_the_order_of_a_copy() -> None:
    generator = np.random.default_rng(0)
    net = {"0.weight": generator.standard_normal((7, 3)), "0.bias": generator.standard_normal(7)}
    net["2.weight"] = generator.standard_normal((2, 7))
    order = generator.permutation(7)
    copy = {"0.weight": net["0.weight"][order], "0.bias": net["0.bias"][order], "2.weight": net["2.weight"][:, order]}
    back = networks._matched(net, copy)
    np.testing.assert_array_equal(copy["0.weight"][back], net["0.weight"])


def test_one_function_two_surfaces() -> None:
    shown = numbers("surface")
    center = shown.plain.shape[-1] // 2
    middle = shown.plain[:, center, center]
    assert middle[0] == pytest.approx(middle[1], abs=1e-12)
    np.testing.assert_allclose(shown.normalized[0], shown.normalized[1], atol=1e-9)
    assert np.median(shown.plain[1]) > 5 * np.median(shown.plain[0])
    np.testing.assert_allclose(shown.sharpness, [1.5, 13.6], atol=0.06)


def test_gradient_and_signs_along_training() -> None:
    shown = numbers("along")
    at = int(np.argmax(shown.steps == 2048))
    np.testing.assert_allclose(shown.losses[:, 1, at], 0.035, atol=0.002)
    assert 4.5 < shown.norms[1, 1, at] / shown.norms[0, 1, at] < 6
    assert np.all(shown.norms[1, 1, 6:] > shown.norms[0, 1, 6:])
    assert shown.norms[0, 1, -1] == pytest.approx(0.005, abs=0.0005)
    assert shown.negative[1, 0] == pytest.approx(0.44, abs=0.01)
    assert shown.negative[1, -1] == pytest.approx(0.15, abs=0.01)
    assert np.all(shown.clearly[:, -1] == 0)
    assert shown.positive[1, -1] == pytest.approx(0.14, abs=0.01)
