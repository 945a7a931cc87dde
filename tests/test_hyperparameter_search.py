from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlnotes.numpy import hyperparameter_search as search

Range, Stage = search.Range, search.Stage


def frozen(x):
    x = np.array(x)
    x.flags.writeable = False
    return x


# --- samplers ---


def test_grid_points():
    points = search.grid_points((2, 3))
    expected = list(itertools.product([0.25, 0.75], [1 / 6, 1 / 2, 5 / 6]))
    np.testing.assert_allclose(points, expected, rtol=1e-15)
    assert search.grid_points((1,)).tolist() == [[0.5]]


def test_on_each_axis_random_draws_are_all_different_and_a_grid_repeats():
    grid, random = search.grid_points((5, 5, 5)), search.random_points((125, 3), np.random.default_rng(0))
    assert [len(set(axis)) for axis in grid.T] == [5, 5, 5]
    assert [len(set(axis)) for axis in random.T] == [125, 125, 125]


def test_random_points_of_runs_come_from_children():
    together = search.random_points((7, 3), np.random.default_rng(0), runs=(2, 3))
    for i, child in zip(np.ndindex(2, 3), np.random.default_rng(0).spawn(6), strict=True):
        np.testing.assert_array_equal(together[i], search.random_points((7, 3), child))
    assert search.random_points((0, 3), np.random.default_rng(0), runs=(2,)).shape == (2, 0, 3)


def test_halton_by_hand_and_against_scipy():
    points = search.halton_points(5, 2)
    np.testing.assert_allclose(points[:, 0], [1 / 2, 1 / 4, 3 / 4, 1 / 8, 5 / 8], rtol=1e-15)
    np.testing.assert_allclose(points[:, 1], [1 / 3, 2 / 3, 1 / 9, 4 / 9, 7 / 9], rtol=1e-15)
    qmc = pytest.importorskip("scipy.stats.qmc")
    np.testing.assert_allclose(search.halton_points(200, 8), qmc.Halton(8, scramble=False).random(201)[1:], rtol=1e-12)


@pytest.mark.parametrize("draws", [0, 1, 2, 3, 64, 100])
def test_sobol_equals_scipy(draws):
    qmc = pytest.importorskip("scipy.stats.qmc")
    expected = qmc.Sobol(10, scramble=False).random_base2(7)[:draws]
    np.testing.assert_array_equal(search.sobol_points(draws, 10), expected)


@pytest.mark.parametrize("power", [0, 1, 4, 10])
def test_sobol_puts_one_point_into_each_interval(power):
    cells = np.sort(np.floor(search.sobol_points(2**power, 10) * 2**power).astype(int), axis=0)
    np.testing.assert_array_equal(cells, np.broadcast_to(np.arange(2**power)[:, None], cells.shape))


def test_quasi_random_points_are_more_even_than_random_ones():
    qmc = pytest.importorskip("scipy.stats.qmc")
    generator = np.random.default_rng(0)
    random = np.median([qmc.discrepancy(generator.random((128, 3))) for _ in range(20)])
    shifts = search.random_points((1, 3), generator, runs=(20,))[:, 0]
    for sampler in (search.halton_points, search.sobol_points):
        assert qmc.discrepancy(sampler(128, 3)) < random / 4
        shifted = sampler(128, 3, shift=shifts)
        assert np.median([qmc.discrepancy(points) for points in shifted]) < random / 4


@pytest.mark.parametrize("sampler", [search.halton_points, search.sobol_points])
def test_shifted_points(sampler):
    shift = frozen([[0.0, 0.0, 0.0], [0.25, 0.5, 0.999]])
    points = sampler(64, 3, shift=shift)
    np.testing.assert_array_equal(points[0], sampler(64, 3))
    np.testing.assert_allclose(points[1], (sampler(64, 3) + shift[1]) % 1, atol=1e-15)
    assert (points >= 0).all()
    assert (points < 1).all()


@pytest.mark.parametrize("power", [0, 1, 4, 8])
def test_scrambled_sobol_points_keep_the_evenness(power):
    points = search.scrambled_sobol_points(2**power, 10, np.random.default_rng(0), runs=(5,))
    cells = np.sort(np.floor(points * 2**power).astype(int), axis=-2)
    np.testing.assert_array_equal(cells, np.broadcast_to(np.arange(2**power)[:, None], cells.shape))


def test_scrambled_sobol_points_are_uniform_each_and_even_in_the_plane():
    points = search.scrambled_sobol_points(16, 2, np.random.default_rng(1), runs=(400,))
    assert points.shape == (400, 16, 2)
    for number in (0, 5):
        np.testing.assert_allclose(points[:, number].mean(axis=0), 0.5, atol=4 * np.sqrt(1 / 12 / 400))
        np.testing.assert_allclose(points[:, number].var(axis=0), 1 / 12, atol=4 * np.sqrt(1 / 180 / 400))
    # The first two dimensions form a net: each of the 4 by 4 squares holds one of 16 points.
    squares = (np.floor(points * 4) @ np.array([4, 1])).astype(int)
    np.testing.assert_array_equal(np.sort(squares, axis=-1), np.broadcast_to(np.arange(16), squares.shape))
    assert len(np.unique(points[:, 0])) == 800
    child = np.random.default_rng(1).spawn(2)[1]
    np.testing.assert_array_equal(points[1], search.scrambled_sobol_points(16, 2, child))


def test_scrambled_sobol_points_leave_a_mean_with_less_error_than_random_ones():
    generator = np.random.default_rng(2)
    scrambled = search.scrambled_sobol_points(64, 3, generator, runs=(200,))
    random = search.random_points((64, 3), generator, runs=(200,))
    errors = [np.prod(1 + (points - 0.5), axis=-1).mean(axis=-1) - 1 for points in (scrambled, random)]
    assert errors[0].std() < errors[1].std() / 8
    assert abs(errors[0].mean()) < 4 * errors[0].std() / np.sqrt(200)


# --- ranges ---


def test_to_ranges_by_hand():
    ranges = (Range(-1.0, 3.0), Range(1e-4, 1.0, log=True))
    values = search.to_ranges(frozen([[0.0, 0.0], [0.5, 0.5], [1.0, 1.0], [0.25, 0.75]]), ranges)
    np.testing.assert_allclose(values, [[-1, 1e-4], [1, 1e-2], [3, 1], [0, 1e-1]], rtol=1e-12, atol=1e-15)


def test_log_uniform_draws_decades_alike():
    values = search.to_ranges(
        search.random_points((40_000, 1), np.random.default_rng(0)), (Range(1e-4, 1.0, log=True),)
    )
    shares = np.histogram(np.log10(values), bins=[-4, -3, -2, -1, 0])[0] / 40_000
    np.testing.assert_allclose(shares, 0.25, atol=4 * np.sqrt(0.1875 / 40_000))


@given(
    low=st.floats(1e-6, 10),
    factor=st.floats(1.001, 1e6),
    log=st.booleans(),
    u=st.lists(st.floats(0, 1), min_size=1, max_size=5),
)
def test_ranges_there_and_back(low, factor, log, u):
    ranges, points = (Range(low, low * factor, log),), frozen(np.array(u)[:, None])
    values = search.to_ranges(points, ranges)
    assert (values >= low).all()
    assert (values <= low * factor).all()
    np.testing.assert_allclose(search.from_ranges(values, ranges), points, atol=1e-9)


def test_ranges_of_runs():
    points = search.random_points((5, 2), np.random.default_rng(0), runs=(3,))
    ranges = (Range(0.0, 2.0), Range(0.1, 10.0, log=True))
    together = search.to_ranges(points, ranges)
    for run in range(3):
        np.testing.assert_array_equal(together[run], search.to_ranges(points[run], ranges))


SPACE = {
    "rate": Range(1e-4, 1.0, log=True),
    "layers": search.Whole(1, 3),
    "units": search.Whole(8, 64, log=True),
    "optimizer": search.Choices(("sgd", "momentum", "adam")),
    "beta": search.Under("optimizer", ("momentum", "adam"), Range(0.5, 1.0)),
}


def test_to_settings_by_hand():
    points = frozen([[0.5, 0.0, 0.0, 0.0, 0.5], [0.25, 0.5, 0.5, 0.5, 0.5], [1.0, 1.0, 1.0, 1.0, 1.0]])
    first, second, third = search.to_settings(points, SPACE)
    assert first == {"rate": pytest.approx(0.01), "layers": 1, "units": 8, "optimizer": "sgd"}
    assert second["layers"] == 2
    assert second["units"] == int(np.sqrt(8 * 65))
    assert (second["optimizer"], second["beta"]) == ("momentum", 0.75)
    assert third == {"rate": 1.0, "layers": 3, "units": 64, "optimizer": "adam", "beta": 1.0}
    assert type(second["layers"]) is int
    assert type(second["rate"]) is float
    assert search.to_settings(points[:0], SPACE) == ()


def test_whole_numbers_and_choices_come_alike_often():
    points = search.random_points((30_000, 5), np.random.default_rng(0))
    settings = search.to_settings(points, SPACE)
    for name, options in (("layers", (1, 2, 3)), ("optimizer", ("sgd", "momentum", "adam"))):
        shares = [np.mean([setting[name] == option for setting in settings]) for option in options]
        np.testing.assert_allclose(shares, 1 / 3, atol=4 * np.sqrt(2 / 9 / 30_000))
    units = np.array([setting["units"] for setting in settings])
    assert (units.min(), units.max()) == (8, 64)
    expected = np.log(33 / 16) / np.log(65 / 8)  # of 16 to 32
    assert ((units >= 16) & (units <= 32)).mean() == pytest.approx(expected, abs=4 * np.sqrt(0.25 / 30_000))
    assert all(("beta" in setting) == (setting["optimizer"] != "sgd") for setting in settings)


def test_a_condition_may_hang_on_one_that_was_left_out():
    space = {
        "optimizer": search.Choices(("sgd", "momentum")),
        "kind": search.Under("optimizer", ("momentum",), search.Choices(("heavy", "nesterov"))),
        "restart": search.Under("kind", ("nesterov",), search.Whole(1, 9)),
    }
    found = search.to_settings(np.array([[0.0, 0.9, 0.5], [0.9, 0.0, 0.5], [0.9, 0.9, 0.5]]), space)
    assert [sorted(setting) for setting in found] == [
        ["optimizer"],
        ["kind", "optimizer"],
        ["kind", "optimizer", "restart"],
    ]


# --- how many draws ---


def test_sixty_draws_hit_the_best_five_percent():
    assert search.hit_probability(60, 0.05) == pytest.approx(0.954, abs=5e-4)
    hits = (np.random.default_rng(0).random((20_000, 60)).min(axis=1) < 0.05).mean()
    assert hits == pytest.approx(search.hit_probability(60, 0.05), abs=4 * np.sqrt(0.954 * 0.046 / 20_000))
    assert search.draws_needed(0.95, 0.05) == 59
    assert search.hit_probability(0, 0.3) == 0
    assert search.hit_probability(0, 1.0) == 0
    assert search.hit_probability(1, 1.0) == 1
    assert search.hit_probability(5, 0.0) == 0
    assert search.hit_probability(10**6, 1e-12) == pytest.approx(1e-6, rel=1e-5)


@given(draws=st.integers(0, 300), share=st.floats(0.001, 0.9))
def test_draws_needed_is_the_least_number(draws, share):
    probability = search.hit_probability(draws, share)
    if probability < 1:
        needed = search.draws_needed(probability, share)
        assert search.hit_probability(needed, share) >= probability
        assert needed == 0 or search.hit_probability(needed - 1, share) < probability


# --- coarse to fine ---


def test_refine_by_hand():
    ranges = (Range(0.0, 10.0), Range(1e-4, 1.0, log=True))
    values = frozen([[1.0, 1e-3], [9.0, 1e-1], [5.0, 1e-2], [4.0, 1e-3]])
    losses = frozen([np.nan, 3.0, 1.0, 2.0])
    first, second = search.refine(ranges, values, losses, 2, margin=0.05)
    assert (first.low, first.high) == pytest.approx((3.5, 5.5))
    assert (second.low, second.high) == pytest.approx((10**-3.2, 10**-1.8))
    assert (first.log, second.log) == (False, True)
    edge, _ = search.refine(ranges, frozen([[0.0, 1e-3]]), frozen([1.0]), 1)
    assert (edge.low, edge.high) == (0.0, 1.0)


def bowl(values, budget):
    """A loss with its minimum at rate 0.02 and share 0.3, with noise that longer runs have less of."""
    distance = np.square(np.log10(values[:, 0] / 0.02)) + np.square(values[:, 1] - 0.3)
    return distance + np.sin(1e4 * values.sum(axis=-1)) / (10 * budget)


RANGES = (Range(1e-6, 1e2, log=True), Range(0.0, 1.0))
STAGES = (Stage(20, 1, 4), Stage(10, 2, 3), Stage(5, 4, 1))


def test_coarse_to_fine_comes_nearer_than_one_stage_of_the_same_cost():
    staged, flat = [], []
    for seed in range(40):
        found = search.coarse_to_fine(bowl, RANGES, STAGES, np.random.default_rng(seed))
        assert found.cost == 60
        values = found.values[-1][found.losses[-1].argmin()]
        staged.append(bowl(values[None], 1e9)[0])
        one = search.coarse_to_fine(bowl, RANGES, (Stage(15, 4, 1),), np.random.default_rng(seed))
        assert one.cost == 60
        flat.append(bowl(one.values[0][one.losses[0].argmin()][None], 1e9)[0])
    assert np.median(staged) < np.median(flat) / 3


def test_the_best_at_the_edge_of_a_range_is_said():
    ranges = (Range(1e-4, 1.0, log=True), Range(0.0, 1.0), Range(0.0, 1.0))
    values = frozen([[1.2e-4, 0.5, 0.97], [1e-2, 0.01, 0.5], [1.0, 0.5, 0.0]])
    assert search.at_edge(ranges, values, np.array([1.0, 2.0, 3.0])).tolist() == [-1, 0, 1]
    assert search.at_edge(ranges, values, np.array([np.nan, 2.0, 3.0])).tolist() == [0, -1, 0]
    assert search.at_edge(ranges, values, np.array([3.0, 2.0, 1.0]), share=0.01).tolist() == [1, 0, -1]
    assert search.at_edge(ranges, values, np.array([1.0, 2.0, 3.0]), share=0.01).tolist() == [0, 0, 0]
    assert search.at_edge(ranges, values, np.full(3, np.nan)).tolist() == [0, 0, 0]
    # Too narrow a range of the rate, whose best value is 0.02; the share's 0.3 lies inside.
    narrow = (Range(1e-6, 1e-3, log=True), Range(0.0, 1.0))
    found = [search.coarse_to_fine(bowl, narrow, STAGES, np.random.default_rng(seed)).edges for seed in range(40)]
    assert np.mean(np.array(found)[:, 0] == 1) > 0.85
    found = [search.coarse_to_fine(bowl, RANGES, STAGES, np.random.default_rng(seed)).edges for seed in range(40)]
    assert np.mean(np.any(found, axis=1)) < 0.15


def test_refining_by_losses_that_are_nan_changes_nothing():
    ranges = (Range(0.0, 10.0),)
    values = frozen([[1.0], [9.0], [5.0]])
    assert search.refine(ranges, values, np.full(3, np.nan), 2) == ranges
    one = search.refine(ranges, values, frozen([np.nan, np.nan, 1.0]), 3, margin=0.1)
    assert (one[0].low, one[0].high) == pytest.approx((4.0, 6.0))


def test_ranges_may_span_all_numbers():
    ranges = (Range(-1.5e308, 1.5e308), Range(1e-300, 1e300, log=True))
    values = search.to_ranges(np.array([[0.5, 0.5], [1.0, 0.0]]), ranges)
    np.testing.assert_allclose(values, [[0, 1], [1.5e308, 1e-300]], rtol=1e-12)
    np.testing.assert_allclose(search.from_ranges(values, ranges), [[0.5, 0.5], [1, 0]], atol=1e-12)


def test_coarse_to_fine_keeps_within_the_ranges_of_each_stage():
    found = search.coarse_to_fine(bowl, RANGES, STAGES, np.random.default_rng(0))
    assert found.ranges[0] == RANGES
    for values, ranges, losses, stage in zip(found.values, found.ranges, found.losses, STAGES, strict=True):
        assert values.shape == (stage.draws, 2)
        assert losses.shape == (stage.draws,)
        for column, item in zip(values.T, ranges, strict=True):
            assert (column >= item.low).all()
            assert (column <= item.high).all()
    for before, after in itertools.pairwise(found.ranges):
        for old, new in zip(before, after, strict=True):
            assert old.low * (1 - 1e-12) <= new.low < new.high <= old.high * (1 + 1e-12)
    again = search.coarse_to_fine(bowl, RANGES, STAGES, np.random.default_rng(0))
    np.testing.assert_array_equal(found.values[-1], again.values[-1])


# --- successive halving ---


def test_successive_halving_finds_the_best_where_ranks_hold():
    quality = np.random.default_rng(0).permutation(27).astype(float)
    calls = []

    def evaluate(numbers, budget):
        calls.append((len(numbers), budget))
        return quality[numbers] + 100 / budget

    result = search.successive_halving(evaluate, 27, budget=2, factor=3)
    assert result.best == quality.argmin()
    assert calls == [(27, 2), (9, 6), (3, 18), (1, 54)]
    assert result.budgets == (2, 6, 18, 54)
    assert result.cost == 4 * 54
    for before, after in itertools.pairwise(result.survivors):
        assert set(after) < set(before)
        assert quality[after].max() < quality[np.setdiff1d(before, after)].min()


def test_successive_halving_may_drop_a_slow_starter():
    def evaluate(numbers, budget):
        return np.where(numbers == 0, 10.0 / budget**2, 2.0 + numbers / 10)  # number 0 is best from a budget of 3 on

    assert search.successive_halving(evaluate, 8).best == 1
    assert search.successive_halving(evaluate, 8, budget=3).best == 0


@pytest.mark.parametrize(("candidates", "factor", "rounds"), [(1, 2, 1), (2, 2, 2), (2, 3, 1), (5, 2, 3), (10, 3, 3)])
def test_successive_halving_at_its_edges(candidates, factor, rounds):
    losses = np.arange(candidates, 0, -1).astype(float)
    losses[0] = np.nan if candidates > 1 else 1
    result = search.successive_halving(lambda numbers, budget: losses[numbers], candidates, factor=factor)
    assert result.best == candidates - 1
    assert len(result.survivors) == rounds


def test_successive_halving_ends_with_fewer_than_the_factor():
    result = search.successive_halving(lambda numbers, budget: numbers + 0.0, 20, factor=3)
    assert [len(numbers) for numbers in result.survivors] == [20, 6, 2]
    assert result.best == 0
    lost = search.successive_halving(lambda numbers, budget: np.full(len(numbers), np.nan), 4)
    assert lost.best == -1


def test_successive_halving_stops_at_the_largest_budget():
    result = search.successive_halving(lambda numbers, budget: numbers + 0.0, 27, factor=3, largest=10)
    assert result.budgets == (1, 3, 9)
    assert result.cost == 27 + 27 + 27
    assert search.successive_halving(lambda numbers, budget: numbers + 0.0, 27, largest=1).budgets == (1,)
    assert search.successive_halving(lambda numbers, budget: numbers + 0.0, 4, largest=4).budgets == (1, 2, 4)


# --- hyperband ---


def test_hyperband_brackets_of_the_source():
    # Table 1 of Li et al. (2016): R = 81, eta = 3.
    brackets = search.hyperband_brackets(81, 3)
    assert brackets == ((81, 1), (34, 3), (15, 9), (8, 27), (5, 81))
    rounds = [
        search.successive_halving(lambda numbers, budget: numbers + 0.0, n, budget=r, factor=3, largest=81)
        for n, r in brackets
    ]
    assert [[len(numbers) for numbers in each.survivors] for each in rounds] == [
        [81, 27, 9, 3, 1],
        [34, 11, 3, 1],
        [15, 5, 1],
        [8, 2],
        [5],
    ]
    assert max(each.cost for each in rounds) <= 5 * 81 + 27
    assert search.hyperband_brackets(1) == ((1, 1),)
    assert search.hyperband_brackets(100, 10) == ((100, 1), (15, 10), (3, 100))


# --- asynchronous halving ---


def test_to_promote_by_hand():
    rungs = ({1: 0.5, 2: 0.2, 3: 0.9, 4: np.nan}, {}, {})
    assert search.to_promote(rungs, ({}, {}, {}), 4) == (0, 2)
    assert search.to_promote(rungs, ({2}, {}, {}), 4) is None
    assert search.to_promote(rungs, ({2}, {}, {}), 2) == (0, 1)
    assert search.to_promote(({1: 0.5}, {}), ({}, {}), 2) is None
    # The higher rung comes first, and nothing leaves the highest.
    rungs = ({1: 0.1, 2: 0.2, 3: 0.3, 4: 0.4}, {1: 0.1, 2: 0.2}, {1: 0.0})
    assert search.to_promote(rungs, ({1, 2}, set(), set()), 2) == (1, 1)
    assert search.to_promote(rungs, ({1, 2}, {1}, set()), 2) is None
    assert search.to_promote(({1: np.nan, 2: np.nan}, {}), (set(), set()), 2) is None


@pytest.mark.parametrize("seed", range(5))
def test_without_waiting_each_rung_holds_at_most_its_share_and_good_candidates_rise(seed):
    quality = np.random.default_rng(seed).permutation(81).astype(float)
    rungs, promoted = ({}, {}, {}, {}), (set(), set(), set(), set())
    begun = 0
    while not rungs[-1]:
        job = search.to_promote(rungs, promoted, 3)
        if job is None:
            rungs[0][begun] = quality[begun]
            begun += 1
        else:
            rung, number = job
            promoted[rung].add(number)
            rungs[rung + 1][number] = quality[number]
    # Early promotions are made on few losses, so that fewer begin than successive halving needs: 27.
    assert 9 <= begun <= 27
    risen = quality[list(rungs[1])]
    assert np.median(risen) < np.median(quality[:begun])
    assert quality[next(iter(rungs[3]))] <= np.quantile(quality[:begun], 0.4)
    assert [len(rung) for rung in rungs[2:]] == [3, 1]


# --- importance ---


def assert_mean_shares(points, losses, expected):
    shares = search.importance(points, losses)
    error = shares.std(axis=0) / np.sqrt(len(shares))
    # Ten pieces leave out 0.7% of a sine with two periods; hence the second term.
    assert (np.abs(shares.mean(axis=0) - expected) < 4 * error + 0.007 * np.array(expected)).all()


def test_importance_of_an_additive_loss():
    points = np.random.default_rng(0).random((100, 1000, 4))  # Var(a u) = a^2 / 12
    assert_mean_shares(points, points @ np.array([3.0, -2.0, 1.0, 0.0]), np.array([9, 4, 1, 0]) / 14)


def test_importance_of_the_ishigami_function():
    x = np.pi * (2 * np.random.default_rng(1).random((100, 1000, 3)) - 1)
    losses = np.sin(x[..., 0]) + 7 * np.square(np.sin(x[..., 1])) + 0.1 * x[..., 2] ** 4 * np.sin(x[..., 0])
    assert_mean_shares(x, losses, np.array([0.3139, 0.4424, 0.0]))


def test_importance_of_noise_is_zero_on_average():
    generator = np.random.default_rng(0)
    points, losses = generator.random((400, 60, 2)), generator.normal(size=(400, 60))
    shares = search.importance(points, losses)
    np.testing.assert_allclose(shares.mean(axis=0), 0, atol=4 * shares.std() / np.sqrt(400))
    np.testing.assert_allclose(shares[3], search.importance(points[3], losses[3]), rtol=1e-12)


def test_importance_depends_on_order_alone():
    generator = np.random.default_rng(1)
    points, losses = generator.random((100, 2)), generator.normal(size=100)
    np.testing.assert_array_equal(search.importance(points**3, losses), search.importance(points, losses))
    np.testing.assert_allclose(search.importance(points, 5 * losses - 2), search.importance(points, losses), rtol=1e-9)
    assert (search.importance(points, np.full(100, 2.0)) == 0).all()


def test_random_beats_the_grid_where_one_axis_matters_and_not_where_all_do():
    # Distance of the best of 25 draws from a minimum at a random place: along one of two axes, and along both.
    generator = np.random.default_rng(2)
    places, draws = generator.random((4000, 1, 2)), search.random_points((25, 2), generator, runs=(4000,))
    grid = search.grid_points((5, 5))
    for axes, wins in ((slice(0, 1), True), (slice(0, 2), False)):
        by_random, by_grid = (
            np.square(points - places)[..., axes].sum(axis=-1).min(axis=-1).mean() for points in (draws, grid)
        )
        assert (by_random < by_grid) == wins


@pytest.mark.usefixtures("unchecked")
def test_bad_results_of_evaluate_are_refused():
    with pytest.raises(ValueError, match=r"result of evaluate must be an array of shape \(4,\), as candidates"):
        search.successive_halving(lambda numbers, budget: np.zeros(2), 4)
    with pytest.raises(ValueError, match=r"result of evaluate must be an array of shape \(20,\), as values"):
        search.coarse_to_fine(lambda values, budget: 0.0, RANGES, STAGES, np.random.default_rng(0))


def test_successive_halving_begins_with_a_budget_of_one():
    assert search.successive_halving(lambda numbers, budget: numbers + 0.0, 4).budgets == (1, 2, 4)


def test_importance_takes_two_draws_a_bin():
    points = np.random.default_rng(0).random((10, 2))
    assert np.isfinite(search.importance(points, points[:, 0] + points[:, 1], bins=5)).all()
    for draws in range(3, 12):
        points = np.random.default_rng(draws).random((draws, 1))
        assert np.isfinite(search.importance(points, points[:, 0] ** 2, bins=draws // 2)).all()


def test_importance_is_not_misled_by_losses_that_scatter_more_at_the_ends():
    points = np.random.default_rng(5).random((400, 60, 1))
    losses = np.random.default_rng(6).normal(size=(400, 60)) * np.square(2 * points[..., 0] - 1)
    shares = search.importance(points, losses)
    assert shares.mean() == pytest.approx(0, abs=4 * shares.std() / 20)


def test_importance_of_losses_that_are_equal_up_to_rounding_or_of_any_scale():
    points = np.random.default_rng(7).random((40, 2))
    for dtype in (np.float32, np.float64):
        constant = np.full(40, 0.1, dtype)
        constant[3] = np.nextafter(constant[3], dtype(1))
        assert (search.importance(points, constant) == 0).all()
    losses = np.random.default_rng(8).normal(size=40)
    for scale in (1e-300, 1e300):
        np.testing.assert_allclose(
            search.importance(points, losses * scale), search.importance(points, losses), rtol=1e-9
        )


def test_a_stage_may_draw_once():
    generator = np.random.default_rng(0)
    found = search.coarse_to_fine(lambda values, budget: values[:, 0] ** 2, RANGES, (Stage(1, 1, 1),), generator)
    assert len(found.losses[0]) == 1
