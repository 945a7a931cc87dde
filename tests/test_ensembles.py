from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlnotes.numpy import ensembles


def frozen(x):
    x = np.array(x)
    x.flags.writeable = False
    return x


def drawn(*shape, dtype=np.float64, seed=0):
    return frozen(np.random.default_rng((seed, *shape)).normal(size=shape).astype(dtype))


def predictions(*shape, dtype=np.float64, seed=0, spread=2.0):
    """Give log-probabilities from random logits."""
    logits = spread * np.random.default_rng((seed, *shape)).normal(size=shape)
    return frozen((logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)).astype(dtype))


LABELS = np.random.default_rng(7).integers(0, 4, 6)


# --- averages of predictions ---


@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.0, 5.0, 2.0]])
def test_average_of_probabilities_is_what_it_says(weights):
    logs = predictions(5, 6, 4)
    weights = None if weights is None else np.array(weights)
    result = ensembles.average_probabilities(logs, weights=weights)
    np.testing.assert_allclose(np.exp(result), np.average(np.exp(logs), axis=0, weights=weights), rtol=1e-13)
    np.testing.assert_allclose(np.exp(result).sum(axis=-1), 1, rtol=1e-13)


def test_average_of_probabilities_that_are_no_floats():
    # e^-1000 and e^-1001 are 0 in float64; their average is e^(-1000 + ln((1 + e^-1) / 2)).
    logs = np.array([[[-1000.0, 0.0]], [[-1001.0, 0.0]]])
    result = ensembles.average_probabilities(logs)
    assert result[0, 0] == pytest.approx(-1000 + np.log((1 + np.exp(-1)) / 2), rel=1e-15)
    assert result[0, 1] == 0
    ruled_out = ensembles.average_probabilities(np.array([[[-np.inf, 0.0]], [[-np.inf, 0.0]]]))
    assert ruled_out.tolist() == [[-np.inf, 0.0]]
    half = ensembles.average_probabilities(np.array([[[-np.inf, 0.0]], [[0.0, -np.inf]]]))
    np.testing.assert_allclose(half, np.log(0.5), rtol=1e-15)


def test_a_member_that_counts_nothing_takes_no_digits():
    # The member of weight 0 is sure; the others give the class e^-2000, which only their own scale can hold.
    logs = np.array([[[0.0]], [[-2000.0]], [[-2001.0]]])
    expected = -2000 + np.log((1 + np.exp(-1)) / 2)
    for factor in (1.0, 1.7e308, 1e-308):
        result = ensembles.average_probabilities(logs, weights=np.array([0.0, factor, factor]))
        assert result == pytest.approx(expected, rel=1e-14)
    veto = np.array([[[-np.inf, 0.0]], [[np.log(0.5), np.log(0.5)]]])
    for average in (ensembles.average_probabilities, ensembles.geometric_average):
        np.testing.assert_allclose(average(veto, weights=np.array([0.0, 1.0])), veto[1])


def test_the_gap_where_a_label_is_ruled_out():
    labels = np.array([0])
    half, out = [[np.log(0.5), np.log(0.5)]], [[-np.inf, 0.0]]
    assert ensembles.jensen_gap(np.array([half, out]), labels) == np.inf
    assert np.isnan(ensembles.jensen_gap(np.array([out, out]), labels))


@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.0, 5.0, 2.0]])
def test_geometric_average_is_the_average_of_the_logits(weights):
    logits = drawn(5, 6, 4)
    logs = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    weights = None if weights is None else np.array(weights)
    averaged = np.average(logits, axis=0, weights=weights)
    expected = averaged - np.logaddexp.reduce(averaged, axis=-1, keepdims=True)
    np.testing.assert_allclose(ensembles.geometric_average(logs, weights=weights), expected, rtol=1e-12)


def test_one_veto_decides_the_geometric_average():
    logs = np.array([[[-np.inf, np.log(0.5), np.log(0.5)]], [[np.log(0.8), np.log(0.1), np.log(0.1)]]])
    np.testing.assert_allclose(ensembles.geometric_average(logs), [[-np.inf, np.log(0.5), np.log(0.5)]], rtol=1e-14)
    np.testing.assert_allclose(ensembles.average_probabilities(logs), np.log([[0.4, 0.3, 0.3]]), rtol=1e-14)
    alone = ensembles.geometric_average(logs, weights=np.array([0.0, 3.0]))
    np.testing.assert_allclose(alone, logs[1], rtol=1e-14)
    nothing_left = ensembles.geometric_average(np.array([[[-np.inf, 0.0]], [[0.0, -np.inf]]]))
    assert np.isnan(nothing_left).all()


def test_negative_log_likelihood_equals_its_loop():
    logs = predictions(6, 4)
    expected = -sum(logs[i, LABELS[i]] for i in range(6)) / 6
    assert ensembles.negative_log_likelihood(logs, LABELS) == pytest.approx(expected, rel=1e-14)
    sure = np.log(np.full((6, 4), 0.25))
    assert ensembles.negative_log_likelihood(sure, LABELS) == pytest.approx(np.log(4), rel=1e-14)


@given(members=st.integers(1, 6), spread=st.sampled_from([0.01, 1.0, 30.0]), seed=st.integers(0, 200))
def test_averaged_probabilities_are_never_worse_than_the_mean_member(members, spread, seed):
    logs = predictions(members, 6, 4, seed=seed, spread=spread)
    gap = ensembles.jensen_gap(logs, LABELS)
    own = [ensembles.negative_log_likelihood(member, LABELS) for member in logs]
    together = ensembles.negative_log_likelihood(ensembles.average_probabilities(logs), LABELS)
    assert gap == pytest.approx(np.mean(own) - together, rel=1e-9, abs=1e-12)
    assert gap >= -1e-12
    assert members > 1 or gap == pytest.approx(0, abs=1e-13)


def test_accuracy_of_the_average_can_be_below_the_mean_member():
    # Two of three members are right on each of two examples by a hair; the third is sure of the other class.
    right, wrong = np.log([0.51, 0.49]), np.log([0.01, 0.99])
    logs = np.array([[right, right], [right, wrong], [wrong, right]])
    labels = np.array([0, 0])
    accuracy = (logs.argmax(axis=-1) == labels).mean()
    together = (ensembles.average_probabilities(logs).argmax(axis=-1) == labels).mean()
    assert accuracy == pytest.approx(2 / 3)
    assert together == 0
    assert ensembles.jensen_gap(logs, labels) > 0


def test_disagreement_equals_its_loop_over_pairs():
    logs = predictions(5, 6, 4)
    named = logs.argmax(axis=-1)
    expected = np.mean([(named[a] != named[b]).mean() for a, b in itertools.combinations(range(5), 2)])
    assert ensembles.disagreement(logs) == pytest.approx(expected, rel=1e-13)
    assert ensembles.disagreement(np.stack([logs[0], logs[0]])) == 0
    assert ensembles.disagreement(np.log(np.array([[[0.9, 0.1]], [[0.1, 0.9]]]))) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predictions_of_runs_equal_runs_alone_bit_for_bit(dtype):
    logs = predictions(2, 3, 5, 6, 4, dtype=dtype)
    functions = {
        "average": ensembles.average_probabilities,
        "weighted": lambda logs: ensembles.average_probabilities(logs, weights=np.arange(5.0)),
        "geometric": ensembles.geometric_average,
        "disagreement": ensembles.disagreement,
        "gap": lambda logs: ensembles.jensen_gap(logs, LABELS),
        "members": lambda logs: ensembles.negative_log_likelihood(logs, LABELS),
    }
    for function in functions.values():
        together = function(logs)
        assert together.dtype == dtype
        for i in np.ndindex(2, 3):
            np.testing.assert_array_equal(together[i], function(logs[i]))


def test_one_example_one_class_and_none():
    assert ensembles.average_probabilities(np.zeros((1, 1, 1))).tolist() == [[0.0]]
    assert ensembles.geometric_average(np.zeros((2, 1, 1))).tolist() == [[0.0]]
    assert ensembles.average_probabilities(np.zeros((2, 0, 3))).shape == (0, 3)
    assert ensembles.disagreement(np.zeros((2, 1, 1))) == 0


# --- which members ---


def brute_force(logs, labels, size):
    chosen, losses = [], []
    for _ in range(size):
        options = [
            ensembles.negative_log_likelihood(ensembles.average_probabilities(logs[[*chosen, k]]), labels)
            for k in range(len(logs))
        ]
        chosen.append(int(np.argmin(options)))
        losses.append(min(options))
    return chosen, losses


@pytest.mark.parametrize("seed", range(5))
def test_greedy_selection_equals_brute_force(seed):
    logs = predictions(7, 6, 4, seed=seed)
    result = ensembles.greedy_selection(logs, LABELS, 6)
    members, losses = brute_force(logs, LABELS, 6)
    assert result.members.tolist() == members
    np.testing.assert_allclose(result.losses, losses, rtol=1e-12)


def test_greedy_selection_avoids_what_rules_a_label_out():
    logs = np.log(np.array([[[0.9, 0.1]], [[1e-300, 1.0]]]))
    logs[1, 0, 0] = -np.inf
    result = ensembles.greedy_selection(logs, np.array([0]), 3)
    assert result.members.tolist() == [0, 0, 0]
    np.testing.assert_allclose(result.losses, -np.log(0.9))


def test_snapshot_steps():
    assert ensembles.snapshot_steps(100, 4).tolist() == [25, 50, 75, 100]
    assert ensembles.snapshot_steps(10, 3).tolist() == [3, 7, 10]
    assert ensembles.snapshot_steps(5, 5).tolist() == [1, 2, 3, 4, 5]
    assert ensembles.snapshot_steps(7, 1).tolist() == [7]


# --- averages of weights ---


def weights_along_the_way(steps, dtype=np.float64):
    return [{"w": drawn(3, 2, dtype=dtype, seed=t), "b": drawn(3, dtype=dtype, seed=t)} for t in range(steps)]


def test_equal_average_is_the_mean():
    visited = weights_along_the_way(9)
    averaging = ensembles.EqualWeightAverage()
    state = averaging.init(visited[0])
    for params in visited[1:]:
        state = averaging.update(params, state)
    assert state.count == 9
    for name in visited[0]:
        np.testing.assert_allclose(
            state.average[name], np.mean([params[name] for params in visited], axis=0), rtol=1e-13
        )


def test_exponential_average_by_its_sum():
    visited, decay = weights_along_the_way(9), 0.8
    averaging = ensembles.ExponentialWeightAverage(decay)
    state = averaging.init(visited[0])
    for params in visited[1:]:
        state = averaging.update(params, state)
    shares = np.array([decay**8, *((1 - decay) * decay ** (8 - t) for t in range(1, 9))])
    assert shares.sum() == pytest.approx(1)
    for name in visited[0]:
        expected = np.tensordot(shares, np.stack([params[name] for params in visited]), 1)
        np.testing.assert_allclose(state.average[name], expected, rtol=1e-12)
    same = averaging.update(visited[0], averaging.init(visited[0]))
    np.testing.assert_allclose(same.average["w"], visited[0]["w"], rtol=1e-15)


@pytest.mark.parametrize("kind", ["equal", "exponential"])
def test_averages_of_weights_equal_torch(kind):
    torch = pytest.importorskip("torch")
    swa = pytest.importorskip("torch.optim.swa_utils")
    model = torch.nn.Linear(2, 3, dtype=torch.float64)
    average = {} if kind == "equal" else {"multi_avg_fn": swa.get_ema_multi_avg_fn(0.9)}
    theirs = swa.AveragedModel(model, **average)
    averaging = ensembles.EqualWeightAverage() if kind == "equal" else ensembles.ExponentialWeightAverage(0.9)
    state = None
    for params in weights_along_the_way(6):
        with torch.no_grad():
            model.weight.copy_(torch.tensor(np.array(params["w"])))
            model.bias.copy_(torch.tensor(np.array(params["b"])))
        theirs.update_parameters(model)
        state = averaging.init(params) if state is None else averaging.update(params, state)
    np.testing.assert_allclose(state.average["w"], theirs.module.weight.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(state.average["b"], theirs.module.bias.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_averages_of_runs_equal_runs_alone_and_leave_their_input(dtype):
    visited = [{"w": drawn(2, 3, 4, dtype=dtype, seed=t)} for t in range(4)]
    decays = np.array([0.5, 0.9])
    start = {"w": np.array(visited[0]["w"])}
    state = ensembles.ExponentialWeightAverage(decays).init(start)
    start["w"][...] = 0  # the state keeps its own copy
    for params in visited[1:]:
        state = ensembles.ExponentialWeightAverage(decays).update(params, state)
    for run in range(2):
        averaging = ensembles.ExponentialWeightAverage(float(decays[run]))
        alone = averaging.init({"w": visited[0]["w"][run]})
        for params in visited[1:]:
            alone = averaging.update({"w": params["w"][run]}, alone)
        assert state.average["w"].dtype == dtype
        np.testing.assert_array_equal(state.average["w"][run], alone.average["w"])


def test_weights_of_16_bits_are_averaged_in_32():
    # One more step of 2^-11 is half a unit of the last place: in 16 bits the average would stay where it is.
    start, moved = {"w": np.ones(2, np.float16)}, {"w": np.full(2, 1.5, np.float16)}
    averaging = ensembles.ExponentialWeightAverage(0.9999)
    state = averaging.init(start)
    for _ in range(1000):
        state = averaging.update(moved, state)
    assert state.average["w"].dtype == np.float32
    np.testing.assert_allclose(state.average["w"], 1.5 - 0.5 * 0.9999**1000, rtol=1e-4)
    mean = ensembles.EqualWeightAverage()
    state = mean.init({"w": np.full(1, -1.7e308)})
    assert mean.update({"w": np.full(1, 1.7e308)}, state).average["w"] == 0


def test_torch_weights_of_16_bits_are_averaged_in_32():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import ensembles as variant

    for dtype in (torch.float16, torch.bfloat16):
        averaging = variant.ExponentialWeightAverage(0.9999)
        state = averaging.init({"w": torch.ones(2, dtype=dtype)})
        for _ in range(1000):
            state = averaging.update({"w": torch.full((2,), 1.5, dtype=dtype)}, state)
        assert state.average["w"].dtype == torch.float32
        np.testing.assert_allclose(state.average["w"].numpy(), 1.5 - 0.5 * 0.9999**1000, rtol=1e-4)


@pytest.mark.usefixtures("unchecked")
def test_weights_of_another_shape_are_refused():
    for averaging in (ensembles.EqualWeightAverage(), ensembles.ExponentialWeightAverage()):
        state = averaging.init({"w": np.ones((2, 3))})
        with pytest.raises(ValueError, match=r"of the shape of .*, got shape"):
            averaging.update({"w": np.ones(3)}, state)


@pytest.mark.usefixtures("unchecked")
def test_weights_under_other_names_are_refused():
    for averaging in (ensembles.EqualWeightAverage(), ensembles.ExponentialWeightAverage()):
        state = averaging.init({"w": np.ones(2)})
        with pytest.raises(ValueError, match=r"params must be of the names of state.average, \['w'\], got"):
            averaging.update({"v": np.ones(2)}, state)


def test_a_warm_up_forgets_the_start():
    visited = weights_along_the_way(9)
    kept = {}
    for warm_up in (0.0, 1.0, 9.0):
        averaging = ensembles.ExponentialWeightAverage(0.999, warm_up)
        state, own = averaging.init(visited[0]), averaging.init({"w": np.ones(1)})
        for params in visited[1:]:
            state = averaging.update(params, state)
            own = averaging.update({"w": np.zeros(1)}, own)
        kept[warm_up] = float(own.average["w"][0])
        if warm_up == 1:  # all alike
            mean = np.mean([params["w"] for params in visited], axis=0)
            np.testing.assert_allclose(state.average["w"], mean, rtol=1e-12)
    assert kept[0.0] == pytest.approx(0.999**8)
    assert kept[1.0] == pytest.approx(1 / 9)
    assert kept[9.0] == pytest.approx(np.prod([t / (t + 9) for t in range(1, 9)]))
    long = ensembles.ExponentialWeightAverage(0.5, 9.0)
    state = long.init({"w": np.zeros(1)})._replace(count=1000)
    assert long.update({"w": np.ones(1)}, state).average["w"] == 0.5  # the decay is the most


# --- how sure to be ---


def test_brier_score_by_hand():
    logs = np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]]))
    expected = (0.3**2 + 0.2**2 + 0.1**2 + 0.1**2 + 0.8**2 + 0.9**2) / 2
    assert ensembles.brier_score(logs, np.array([0, 2])) == pytest.approx(expected, rel=1e-14)
    wrong = np.array([[-np.inf, 0.0]])
    assert ensembles.brier_score(wrong, np.array([0])) == 2
    assert ensembles.brier_score(wrong, np.array([1])) == 0


def test_reliability_and_calibration_error_equal_their_loop():
    logs = predictions(3, 200, 4)
    labels = np.random.default_rng(1).integers(0, 4, 200)
    for bins in (1, 4, 10):
        found = ensembles.reliability(logs, labels, bins)
        for run in range(3):
            sure = np.exp(logs[run]).max(-1)
            total = 0.0
            for b in range(bins):
                inside = (sure >= b / bins) & ((sure < (b + 1) / bins) | (b == bins - 1))
                assert found.share[run, b] == pytest.approx(inside.mean())
                if inside.any():
                    right = (logs[run].argmax(-1) == labels)[inside].mean()
                    assert found.confidence[run, b] == pytest.approx(sure[inside].mean())
                    assert found.accuracy[run, b] == pytest.approx(right)
                    total += inside.mean() * abs(right - sure[inside].mean())
                else:
                    assert np.isnan(found.confidence[run, b])
            assert ensembles.calibration_error(logs, labels, bins)[run] == pytest.approx(total)
    assert ensembles.calibration_error(np.array([[0.0, -np.inf]]), np.array([0])) == 0
    assert ensembles.calibration_error(np.array([[0.0, -np.inf]]), np.array([1])) == 1


def test_the_temperature_is_where_the_labels_surprise_least():
    logs = predictions(2, 300, 4, spread=3)
    labels = np.random.default_rng(2).integers(0, 4, 300)
    labels[:150], labels[150:260] = logs[0, :150].argmax(-1), logs[1, 150:260].argmax(-1)
    found = ensembles.fit_temperature(logs, labels)
    for run in range(2):

        def loss(temperature, run=run):
            scaled = logs[run] / temperature
            scaled = scaled - np.logaddexp.reduce(scaled, axis=-1, keepdims=True)
            return ensembles.negative_log_likelihood(scaled, labels)

        assert loss(found[run]) <= min(loss(0.999 * found[run]), loss(1.001 * found[run]))
        # A member that was sharpened by a factor needs a temperature larger by it.
        sharp = 3 * logs[run] - np.logaddexp.reduce(3 * logs[run], axis=-1, keepdims=True)
        assert ensembles.fit_temperature(sharp, labels) == pytest.approx(3 * found[run], rel=1e-9)
    right = predictions(50, 4)
    assert ensembles.fit_temperature(right, right.argmax(-1)) < 0.2
