"""What the numbers of the babysitting chapter's figures must satisfy.

Numbers of the whole experiment come from the cache of the press; what is quick is measured here at another size.
"""

from __future__ import annotations

import functools
import io

import numpy as np
import pytest

from dlnotes.book import drawing, layout
from dlnotes.figures import babysitting as figures
from dlnotes.figures import babysitting_faults as faults
from dlnotes.figures import babysitting_ratios as ratios
from dlnotes.figures import babysitting_report as report
from dlnotes.numpy import babysitting

SMALL = {
    "faults": {},
    "decades": {"steps": 20, "seeds": 2},
    "accuracy": {"seeds": 2},
    "decay": {"steps": 10, "seeds": 2},
    "ratios": {"steps": 12, "long": 20, "seeds": 2},
    "report": {"steps": 40},
}


@functools.cache
def numbers(name: str) -> tuple:
    """The numbers of a figure as the book shows it."""
    return drawing.numbers(layout.find(), drawing.Figure("babysitting", name))


# --- faults


def test_each_of_the_ten_faults_has_a_check_of_its_own() -> None:
    shown = numbers("faults")
    assert shown.failed.shape == (len(faults.TEN) + len(faults.MORE), len(faults.CHECKS)) == (23, 18)
    first = [faults.CHECKS[column] for column in shown.column[shown.row < 10]]
    assert first == [fault.check for fault in faults.TEN]
    unseen = [fault.words for fault, row in zip(faults.MORE, shown.failed[10:], strict=True) if not row.any()]
    assert unseen == ["a fifth of labels dealt", "velocity lost"]


def test_the_tiny_set_fails_for_two_of_the_ten() -> None:
    column = faults.CHECKS.index("tiny set")
    assert (numbers("faults").failed[:10, column] > 0).sum() == 2


def test_the_names_of_the_checks_are_those_of_the_checklist() -> None:
    assert tuple(finding.check for finding in faults.findings(None, 5)) == faults.CHECKS


def test_what_the_author_of_a_fault_sees() -> None:
    seen = {fault.words: faults.symptom(fault) for fault in (*faults.TEN, *faults.MORE)}
    assert [seen[fault.words] for fault in faults.TEN].count("nothing") == 5
    assert [seen[fault.words] for fault in faults.TEN].count("does not learn") == 5
    assert [words for words, said in seen.items() if said == "NaN"] == ["one NaN"]
    badly = [words for words, said in seen.items() if said == "does not generalize"]
    assert badly == ["held-out labels + 1", "held-out unscaled", "training mirrored"]
    # Longer, the gradient that is not zeroed stops learning and softmax twice begins to: five and five again.
    later = [faults.symptom(fault, steps=300) for fault in faults.TEN]
    assert [later.count(said) for said in ("nothing", "does not learn")] == [5, 5]


def test_the_accuracies_behind_what_the_author_sees() -> None:
    by_name = {fault.words: fault for fault in faults.TEN}

    def accuracy(words: str, steps: int) -> float:
        made, rows = faults.planted(by_name[words], 0) if words else (faults.script(), faults.data(0))
        made.restart(0)
        generator = np.random.default_rng(0)
        for _ in range(steps):
            batch = generator.choice(len(rows.targets), 32, replace=False)
            made.step(rows.inputs[batch], rows.targets[batch])
        return round(float((made.logits(rows.inputs).argmax(axis=1) == rows.targets).mean()), 2)

    assert [accuracy(words, 60) for words in ("", "layer left out")] == [0.88, 0.73]
    assert [accuracy(words, 300) for words in ("softmax twice", "gradient not zeroed")] == [0.67, 0.39]


# --- seven decades


def test_on_the_left_branch_rate_times_steps_counts() -> None:
    shown = numbers("decades")
    short, long = shown.short[1], shown.long[1]
    np.testing.assert_allclose(long[1:4], short[2:5], rtol=0.15)
    assert [round(value.item(), 1) for value in (short[3], long[2])] == [1.1, 1.0]
    assert [round(value.item(), 1) for value in (short[2], long[2])] == [2.3, 1.0]


def test_the_right_branch_stays() -> None:
    shown = numbers("decades")
    for end in (shown.short[1], shown.long[1]):
        assert [round(value.item(), 1) for value in end[6:7]] == [2.5]
        assert 40 < end[7] < 45
    assert shown.curves[6].max() > 100
    assert np.isfinite(shown.curves).all()
    assert shown.long[1].argmin() == 4
    assert shown.rates[4] == pytest.approx(0.1)
    assert shown.long[0, 5] < 0.001 < 2 < shown.long[2, 5]


def trained_on(loss: str, rate: float, seed: int, steps: int) -> bool:
    """Train in float32 on the logarithm of probabilities or on logits; tell whether all losses are finite."""
    x, y, *_ = figures.digits(500)
    generator = np.random.default_rng(seed)
    w1, w2 = (
        (generator.standard_normal((rows, columns)) * np.sqrt(2 / columns)).astype(np.float32)
        for rows, columns in ((50, 64), (10, 50))
    )
    b1, b2 = np.zeros(50, np.float32), np.zeros(10, np.float32)
    with np.errstate(all="ignore"):
        for _ in range(steps):
            batch = generator.choice(500, 32, replace=False)
            one_hot = np.eye(10, dtype=np.float32)[y[batch]]
            h = np.maximum(x[batch] @ w1.T + b1, 0)
            z = h @ w2.T + b2
            p = np.exp(z - z.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
            delta = (p - one_hot) / 32
            if loss == "probabilities":  # the derivative of -ln p, then that of the softmax
                back = np.where(one_hot > 0, -one_hot / p, 0)
                delta = p * (back - (back * p).sum(1, keepdims=True)) / 32
            if not np.isfinite(delta).all():
                return False
            through = (delta @ w2) * (h > 0)
            w2 -= np.float32(rate) * (delta.T @ h)
            b2 -= np.float32(rate) * delta.sum(0)
            w1 -= np.float32(rate) * (through.T @ x[batch])
            b1 -= np.float32(rate) * through.sum(0)
    return True


@pytest.mark.parametrize(
    ("loss", "rate", "finite"), [("probabilities", 3, 1), ("probabilities", 0.03, 3), ("logits", 3, 3)]
)
def test_a_logarithm_of_probabilities_breaks_under_long_steps(loss, rate, finite) -> None:
    assert sum(trained_on(loss, rate, seed, 300) for seed in range(3)) == finite


# --- accuracy beside loss


def test_early_accuracy_moves_and_the_loss_does_not() -> None:
    shown = numbers("accuracy")
    assert round(shown.early_loss[1, -1].item(), 2) == 0.92
    assert [round(value.item(), 2) for value in shown.early_accuracy[1, [0, -1]]] == [0.09, 0.56]
    assert shown.early_accuracy[0, -1] > 4 * shown.early_accuracy[0, 0]


def test_late_the_loss_rises_and_accuracy_stays() -> None:
    shown = numbers("accuracy")
    assert round(shown.late_loss[1, -1].item(), 2) in (1.46, 1.47)
    assert shown.late_loss[0, -1] > 1.3
    best = shown.late_loss[1].argmin()
    assert [round(shown.late_accuracy[1, place].item(), 2) for place in (best, -1)] == [0.87, 0.86]


def test_with_right_labels_the_late_loss_hardly_rises() -> None:
    settings = {"optimizer": figures.minibatch.SGD(0.3), "steps": 2000, "measure_every": 50}
    _steps, loss, _right = figures._watched(5, 0, 200, 0.0, 1.0, **settings)
    rise = np.median(loss[:, -1] / loss[:, 1:].min(1))
    assert round(rise.item(), 2) == 1.04


def test_tanh_does_not_stand_still_at_a_high_rate() -> None:
    losses, found = ratios.watched(ratios.SETTINGS[2], np.array([1.0, 3.0, 10.0]), 200, 3)
    ends = np.median(losses[..., -40:].mean(-1), axis=-1)
    assert ends.round().tolist() == [18, 70, 231]
    assert found[..., -20:].max((1, 2, 3)).min() > 0.5
    assert losses[..., :10].max((1, 2)).min() > 12


def test_gelu_and_silu_stand_still_where_relu_does_and_a_layer_of_tanh_does_not() -> None:
    rates, ends, late = np.array([3.0, 10.0, 100.0]), {}, {}
    for activation in ("relu", "gelu", "silu", "tanh"):
        losses, found = ratios.watched((*ratios.SETTINGS[0][:-1], activation), rates, 200, 3)
        ends[activation] = np.median(losses[..., -40:].mean(-1), axis=-1)
        late[activation] = found[..., -20:, :].max()
        assert losses[..., :10].max((1, 2)).min() > 12
    for activation in ("gelu", "silu"):
        np.testing.assert_allclose(ends[activation], ends["relu"], rtol=0.03)
        assert late[activation] < 0.035
    assert ends["tanh"].round().tolist() == [68, 239, 2341]


def test_near_the_best_rate_some_starts_stand_still() -> None:
    losses, _ = ratios.watched(ratios.SETTINGS[0], np.array([0.75, 1.0]), 1000, 12)
    below, at_one = losses[..., -200:].mean(-1)
    assert below.max() < 0.0025
    assert (at_one > 1.9).sum() == 3


@pytest.mark.parametrize("rate", [0.0005, 0.002])
def test_half_and_double_the_rate_show_the_same(rate: float) -> None:
    _steps, loss, right = figures._watched(
        3, 1, 500, 0.0, 0.05, optimizer=figures.minibatch.SGD(rate), steps=round(0.4 / rate), measure_every=50
    )
    assert np.median(loss[:, -1]) / np.log(10) > 0.85
    assert np.median(right[:, -1]) > 0.35
    assert np.median(right[:, 0]) < 0.2


# --- decay


def test_little_decay_changes_nothing_and_much_leaves_no_rate() -> None:
    shown = numbers("decay")
    losses = 10**shown.losses
    none, tiny, little, some, much, most = losses
    assert none.argmin() == tiny.argmin() == little.argmin() == 7
    assert little.min() / none.min() < 1.2
    assert none[8] < 0.5 < 1.5 < some[8]
    assert 0.7 < much.min() < 0.8
    assert most.min() > 2


def test_at_the_rate_1_the_penalty_meets_luck() -> None:
    losses = figures.penalized_losses(np.array([1.0]), np.array([0, 1e-4, 1e-3, 1e-2]), 200, 12, 0)
    assert (losses[..., -40:].mean(-1) < 1.2).sum((1, 2)).tolist() == [9, 10, 10, 4]


# --- ratios


def test_the_ratio_falls_no_further_than_the_gradient() -> None:
    x, y, *_ = figures.digits(1000)
    generator = np.random.default_rng(0)
    targets = np.where(generator.random(1000) < 0.2, generator.integers(0, 10, 1000), y)
    parameters, found = figures.network.initialize((64, 8, 10), generator, dtype=np.float32), []
    for _ in range(6000):
        rows = generator.choice(1000, 32, replace=False)
        _loss, grads = figures.network.loss_and_gradient(parameters, x[rows], targets[rows])
        updates = {name: -0.1 * value for name, value in grads.items()}
        own = babysitting.update_ratios(parameters, updates)
        found.append(max(own["0.weight"], own["2.weight"]))
        parameters = {name: value + updates[name] for name, value in parameters.items()}
    assert [np.median(found[last - 100 : last]) for last in (200, 6000)] == pytest.approx([0.025, 0.011], abs=5e-4)


def test_in_a_longer_training_tanh_begins_higher() -> None:
    rates = 10.0 ** np.array([-0.375, -0.25, -0.125])
    losses, found = ratios.watched(ratios.SETTINGS[2], rates, 1000, 3)
    ends = np.median(losses[..., -200:].mean(-1), axis=-1)
    early = np.median(found[:, :, :10].max(-1), axis=(1, 2))
    assert ends.argmin() == 1
    assert early == pytest.approx([0.123, 0.221, 0.374], abs=0.002)
    assert ends[2] < 1.5 * ends[1]


def test_the_best_rates_begin_with_a_ratio_of_about_a_tenth() -> None:
    shown = numbers("ratios")
    best = shown.losses.argmin(1)
    assert ((best > 0) & (best < shown.losses.shape[1] - 1)).all()
    early = shown.early[np.arange(len(best)), best]
    assert early.min() > 0.055
    assert early.max() < 0.145


def test_late_the_ratio_is_near_a_thousandth_for_good_and_bad_rates() -> None:
    shown = numbers("ratios")
    late = shown.through[1:4, -1]
    assert ((late > 5e-4) & (late < 2e-3)).all()
    assert shown.through[4, -1] == 1e-7  # dead
    assert shown.through[3, 0] > 0.3
    assert shown.through[4, :2].max() > 1


def test_in_a_longer_training_the_best_rate_begins_there_too() -> None:
    rates = 10.0 ** np.arange(-2, 0.6, 0.5)
    losses, found = ratios.watched(ratios.SETTINGS[0], rates, 600, 2)
    best = np.median(losses[..., -120:].mean(-1), axis=-1).argmin()
    assert 0.03 < np.median(found[best, :, :10].max(-1)) < 0.3


# --- the report


def test_a_report_takes_lists_and_has_no_panel_for_what_is_not_given() -> None:
    own = report.of_run([3.0, 2.0, 1.5, 1.0])
    assert own.losses.tolist() == [3.0, 2.0, 1.5, 1.0]
    assert len(own.ratios) == len(own.held_out) == len(own.chance) == 0
    file = io.StringIO()
    report.write(file, [3.0, 2.0, 1.5, 1.0], held_out=[3.0, 2.0], ratios={"w": [0.1, 0.2, 0.1, 0.1]}, chance=2.3)
    assert file.getvalue().startswith("<?xml")


def test_the_run_of_the_report_is_described_as_on_the_page() -> None:
    run = report.run(steps=200)
    found = babysitting.training_report(
        run["losses"], chance=np.log(10), held_out=run["held_out"], ratios=run["ratios"]
    )
    assert not found.flat
    assert found.gap > 0.2
    shown = numbers("report")
    assert shown.held_out.min() > 0.3
    assert shown.means[-1] < 0.1
    assert shown.ratios[:, 0].max() < 0.1
    assert shown.ratios[:, -1].min() > 0.001
