"""The checklist: it names what was planted, and is silent on healthy scripts, of other kinds too."""

from __future__ import annotations

import jaxtyping
import numpy as np
import pytest

from dlnotes import datasets
from dlnotes.figures import babysitting_faults as faults
from dlnotes.numpy import adaptive_methods, babysitting, checklist, minibatch, momentum, network, objective

ROWS = faults.data(0)


@pytest.fixture
def unchecked():
    """Check no shapes: this is many trainings, and the kernels' own tests check theirs."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


def fails(found):
    return [finding.check for finding in found if not finding.passed]


def first_fault(fault, seed):
    """Ask as `checklist.checklist` does, and no further than to the first part that fails."""
    made, data = faults.planted(fault, seed)
    parts = (
        lambda: checklist.check_data(data, seed),
        lambda: checklist.check_batch(made, data, classes=10, seed=seed),
        lambda: checklist.check_training(made, data, classes=10, seed=seed),
    )
    return next((found for part in parts if (found := checklist.first_fault(part()))), None)


# --- what issue and page promise


@pytest.mark.usefixtures("unchecked")
def test_it_names_the_planted_fault_in_ten_of_ten_cases():
    named = [first_fault(fault, 1) for fault in faults.TEN]
    assert [found.check for found in named] == [fault.check for fault in faults.TEN]
    assert len(faults.TEN) == len({fault.check for fault in faults.TEN}) == 10


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("seed", range(20))
def test_it_names_nothing_in_twenty_healthy_runs(seed):
    assert fails(faults.findings(None, seed)) == []


@pytest.mark.usefixtures("unchecked")
def test_what_it_says_of_the_others():
    found = {fault.words: first_fault(fault, 3) for fault in faults.MORE}
    named = {words: finding.check if finding else None for words, finding in found.items()}
    assert {words for words, check in named.items() if check is None} == {"a fifth of labels dealt", "velocity lost"}
    for words, check in (
        ("ReLU not in backward", "slope"),
        ("rows sorted by class", "order"),
        ("held-out labels + 1", "generalizes"),
        ("held-out unscaled", "held out"),
        ("one NaN", "finite"),
        ("step uphill", "downhill"),
        ("weights start equal", "units"),
        ("decay of 0.5", "slope"),
        ("training mirrored", "generalizes"),
        ("rate a thousandth", "rate"),
    ):
        assert named[words] == check
    assert found["rate a thousandth"].sentence.startswith("Too low")
    assert named["start near 0"] in ("rate", "learns")


# --- healthy scripts of other kinds


def other(**changes):
    made = faults.script()
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def of_sizes(sizes, activation="relu"):
    return {
        "start": lambda generator: network.initialize(sizes, generator),
        "forward": lambda parameters, x: network.forward(parameters, x, activation)[0],
        "loss_and_gradient": lambda parameters, x, y: network.loss_and_gradient(parameters, x, y, activation),
    }


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": lambda factor: minibatch.SGD(0.05 * factor)},
        {"optimizer": lambda factor: minibatch.SGD(0.2 * factor)},
        {"optimizer": lambda factor: momentum.Momentum(0.02 * factor, 0.9)},
        {"optimizer": lambda factor: adaptive_methods.Adam(0.003 * factor)},
        of_sizes((64, 200, 10)),
        of_sizes((64, 50, 50, 50, 10), "tanh"),
        of_sizes((64, 10)),
    ],
    ids=["half", "double", "momentum", "Adam", "wide", "deep tanh", "linear"],
)
def test_other_healthy_scripts_pass(changes):
    assert fails(checklist.checklist(other(**changes), ROWS, classes=10)) == []


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("name", "classes"), [("wine", 3), ("breast_cancer", 2)])
def test_healthy_scripts_on_other_tables_pass(name, classes):
    table = getattr(datasets, name)()
    inputs = (table.inputs - table.inputs.mean(0)) / table.inputs.std(0)
    order = np.random.default_rng(0).permutation(len(inputs))
    train, held = order[:-50], order[-50:]
    data = checklist.Data(inputs[train], table.targets[train], inputs[held], table.targets[held])
    made = other(**of_sizes((inputs.shape[1], 30, classes)))
    assert fails(checklist.checklist(made, data, classes=classes)) == []


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("seed", [0, 2, 3])
def test_a_deep_relu_network_has_units_that_are_dead_in_one_batch_and_is_not_at_fault(seed):
    made = other(**of_sizes((64, *[50] * 8, 10)))
    data = faults.data(seed)
    assert fails(checklist.check_batch(made, data, classes=10, seed=seed)) == []
    made.restart(seed)
    _, grads = made.gradient(data.inputs[:64], data.targets[:64])
    assert max(checklist._useless(g).mean() for name, g in grads.items() if "weight" in name) > 0.25


def test_an_output_layer_at_zero_hides_the_units_for_a_step_only():
    def start(generator):
        parameters = network.initialize(faults.SIZES, generator)
        return {**parameters, "2.weight": 0 * parameters["2.weight"]}

    assert fails(checklist.check_batch(other(start=start), ROWS, classes=10)) == []


def rare(share, rows, held_out, seed=0):
    """Two classes, one of them rare, told apart by the first column."""
    generator = np.random.default_rng(seed)
    y = (generator.random(rows + held_out) < share).astype(int)
    x = generator.normal(size=(rows + held_out, 10))
    x[:, 0] += 8 * y
    return checklist.Data(x[:rows], y[:rows], x[rows:], y[rows:])


@pytest.mark.usefixtures("unchecked")
def test_rare_positives_and_an_output_bias_at_the_logarithm_of_their_share_pass():
    def informed(generator):
        parameters = network.initialize((10, 30, 2), generator)
        return {**parameters, "2.weight": 0.05 * parameters["2.weight"], "2.bias": np.log([0.97, 0.03])}

    sizes = of_sizes((10, 30, 2))
    assert fails(checklist.checklist(other(**sizes), rare(0.05, 1000, 200), classes=2)) == []
    data = rare(0.03, 2000, 1000)
    made = other(**sizes | {"start": informed})
    assert fails(checklist.checklist(made, data, classes=2)) == []
    # A loss that is divided by the classes too starts too low where they are equally frequent.
    low = other(loss_and_gradient=lambda *given: (network.loss_and_gradient(*given)[0] / 10, {}))
    low.restart(0)
    assert not checklist._first_loss(low, ROWS.inputs, ROWS.targets, ROWS.targets, 10).passed


def judged(logits, targets):
    made = other(start=lambda generator: {}, forward=lambda parameters, x: x)  # the rows are the logits
    made.restart(0)
    return checklist._generalizes(made, checklist.Data(logits, targets, logits, targets), 0)


def test_what_generalizes_is_judged_by_what_could_be_told():
    generator = np.random.default_rng(0)
    y = np.repeat([0, 1], [16, 9])  # breast cancer, 25 held out: 16 / 25 and 4 deviations are above 1
    right = np.eye(2)[y] * 3
    assert judged(right, y).passed
    assert "Cannot tell" not in judged(right, y).sentence
    one = judged(right[:16], y[:16])
    assert one.passed
    assert one.sentence.startswith("Cannot tell")
    y = (np.arange(200) < 10).astype(int)
    leaning = np.c_[np.full(200, 2.0), y + generator.normal(size=200)]  # says 0 nearly always, and leans the right way
    assert judged(leaning, y).passed
    assert not judged(np.tile([3.0, 0.0], (200, 1)), y).passed  # the largest class for every row
    assert not judged(generator.normal(size=(200, 2)), y).passed
    y = np.arange(200) % 10
    assert not judged(np.eye(10)[::-1][y] * 3, y).passed
    assert not judged(np.full((200, 10), np.nan), y).passed


@pytest.mark.usefixtures("unchecked")
def test_smoothed_labels_are_recognized_and_their_floor_is_the_goal():
    def smoothed(logits, y, share=0.1):
        p = objective.softmax(logits)
        wanted = np.full(p.shape, share / p.shape[-1])
        wanted[np.arange(len(y)), y] += 1 - share
        return -(wanted * np.log(p)).sum(-1).mean(), (p - wanted) / len(y)

    made = other(loss_and_gradient=lambda *given: network.loss_and_gradient(*given, loss=smoothed))
    found = checklist.check_training(made, ROWS, classes=10)
    assert fails(found) == []
    assert found[0].sentence.endswith("labels smoothed by 0.10 allow 0.500.")
    assert checklist._smoothing(made, ROWS.inputs, 10) == pytest.approx(0.1, rel=1e-3)
    (twice,) = (fault for fault in faults.TEN if fault.words == "softmax twice")
    for script in (faults.script(), faults.planted(twice, 0)[0]):
        script.restart(0)
        assert checklist._smoothing(script, ROWS.inputs, 10) == 0


@pytest.mark.parametrize(("factor", "passed"), [(None, True), (0.5, False)], ids=["clipped", "halved"])
def test_a_clipped_gradient_points_along_the_slope_and_one_of_another_loss_is_named(factor, passed):
    def shorter(parameters, x, y):
        loss, grads = network.loss_and_gradient(parameters, x, y)
        by = factor or min(1, 1 / np.sqrt(sum((g**2).sum() for g in grads.values())))
        return loss, {name: by * g for name, g in grads.items()}

    made = other(loss_and_gradient=shorter)
    made.restart(0)
    found = checklist._slope(made, ROWS.inputs[:64], ROWS.targets[:64], np.random.default_rng(0))
    assert found.passed == passed
    assert ("clipped" if passed else "0.5 of the slope, in each parameter: another loss") in found.sentence


class WarmUp(minibatch.SGD):
    """SGD whose rate grows from 0."""

    def init(self, params):
        return 0

    def update(self, grads, state, params):
        return {name: -0.1 * min(1, state / 20) * g for name, g in grads.items()}, state + 1


def test_a_warm_up_from_zero_passes_and_a_rate_of_zero_cannot_be_told_from_one_at_first():
    x, y = ROWS.inputs[:64], ROWS.targets[:64]
    for rule, words in ((WarmUp(0.1), "changes its loss by -"), (_Still(0.1), "Cannot tell")):
        made = other(optimizer=lambda factor, rule=rule: rule)
        made.restart(0)
        found = checklist._downhill(made, x, y, range(1))
        assert found.passed
        assert words in found.sentence


class _Still(minibatch.SGD):
    def update(self, grads, state, params):
        return {name: 0 * g for name, g in grads.items()}, state


# --- single checks


def test_natural_duplicates_are_no_leak_and_ten_rows_are():
    flagged = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        for x in (generator.integers(0, 2, (600, 14)).astype(float), generator.integers(1, 7, (600, 5)).astype(float)):
            flagged += not checklist._duplicates(x[:400], x[400:]).passed
    assert flagged == 0
    held = ROWS.held_inputs.copy()
    held[:1] = ROWS.inputs[:1]
    assert checklist._duplicates(ROWS.inputs, held).passed  # one row is no leak
    held[:10] = ROWS.inputs[:10]
    assert not checklist._duplicates(ROWS.inputs, held).passed


def test_a_class_that_is_held_out_and_not_trained_on_is_named():
    kept = ROWS.targets != 9
    without = ROWS._replace(inputs=ROWS.inputs[kept], targets=ROWS.targets[kept])
    (found,) = (finding for finding in checklist.check_data(without) if not finding.passed)
    assert found.check == "held out"
    assert found.sentence.startswith("Class 9 has ")
    once = without._replace(held_targets=np.where(np.arange(200) == 0, 9, ROWS.held_targets % 9))
    assert fails(checklist.check_data(once)) == []  # a rare class may be missing by chance


@pytest.mark.parametrize("last", [0.0, -0.0, 1.0])
def test_leaked_rows_are_found_whatever_they_end_with_and_in_another_precision(last):
    rows = np.random.default_rng(0).integers(0, 50, (100, 6)).astype(float)
    rows[:, -1] = last
    found = checklist._duplicates(rows, abs(rows[:50]).astype(np.float32))
    assert found.sentence.startswith("50 of 50")
    assert not found.passed


def test_data_by_hand():
    rows = np.array([[0.0, 1.0], [0.0, 2.0], [0.0, 1.0], [0.0, 5.0]])
    labels = np.array([0, 1, 0, 1])
    found = checklist.check_data(checklist.Data(rows, labels, rows[3:] + 1, labels[3:]))
    assert found[1].sentence == "1 of 2 columns are constant."
    assert found[1].passed  # half of them may be
    assert found[2].sentence.startswith("0 of 1 held-out rows are trained on too; of the training rows 50.0%")
    still = checklist.check_data(checklist.Data(rows[:, :1].repeat(2, 1), labels, rows[3:], labels[3:]))
    assert not still[1].passed


def test_labels_are_judged_against_dealt_ones_and_order_too():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 300)
    far = labels[:, None] * 3 + generator.normal(size=(300, 2))
    by_name = lambda found: {finding.check: finding.passed for finding in found}  # noqa: E731
    assert by_name(checklist.check_data(checklist.Data(far, labels, far[:9] + 0.01, labels[:9])))["labels"]
    noise = generator.normal(size=(300, 2))
    assert not by_name(checklist.check_data(checklist.Data(noise, labels, noise[:9] + 0.01, labels[:9])))["labels"]
    ordered = np.sort(labels)
    assert not by_name(checklist.check_data(checklist.Data(far, ordered, far[:9] + 0.01, labels[:9])))["order"]


def test_a_slope_wrong_by_a_tenth_in_one_parameter_is_seen_and_named():
    for name in ("0.weight", "0.bias", "2.weight", "2.bias"):

        def wrong(parameters, x, y, name=name):
            loss, grads = network.loss_and_gradient(parameters, x, y)
            return loss, {**grads, name: 0.9 * grads[name]}

        made = other(loss_and_gradient=wrong)
        made.restart(0)
        found = checklist._slope(made, ROWS.inputs[:64], ROWS.targets[:64], np.random.default_rng(0))
        assert not found.passed
        assert name in found.sentence


def test_a_script_is_left_as_the_checks_found_it_between_them():
    made = faults.script()
    made.restart(0)
    before = made.parameters()
    checklist._slope(made, ROWS.inputs[:8], ROWS.targets[:8], np.random.default_rng(0))
    for name, value in made.parameters().items():
        np.testing.assert_array_equal(value, before[name])


def test_units_that_are_alike_or_silent_count_once():
    rows = np.array([[0.0, 0.0], [1.0, 2.0], [1.0, 2.0], [3.0, 1.0]])
    assert checklist._useless(rows).tolist() == [True, False, True, False]
    assert checklist._useless(0 * rows).all()
    assert not checklist._useless(rows[3:]).any()


def test_no_fault_is_none():
    good, bad = (checklist.Finding(name, passed, "") for name, passed in (("a", True), ("b", False)))
    assert checklist.first_fault((good,)) is None
    assert checklist.first_fault((good, bad, good)) == bad


@pytest.mark.parametrize("width", [50, 800])
def test_adam_moves_a_wide_matrix_by_more_of_its_length(width):
    generator = np.random.default_rng(0)
    w = {"w": generator.normal(size=(width, width)) * np.sqrt(2 / width)}
    rule = adaptive_methods.Adam(1e-3)
    updates, _ = rule.update({"w": generator.normal(size=(width, width))}, rule.init(w), w)
    assert babysitting.update_ratios(w, updates)["w"] == pytest.approx(1e-3 * np.sqrt(width / 2), rel=0.05)
