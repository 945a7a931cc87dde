"""The checklist: it names what was planted, and is silent on healthy scripts, of other kinds too."""

from __future__ import annotations

import numpy as np
import pytest

from dlnotes import datasets
from dlnotes.figures import babysitting_faults as faults
from dlnotes.numpy import adaptive_methods, babysitting, checklist, minibatch, momentum, network

ROWS = faults.data(0)


def fails(found):
    return [finding.check for finding in found if not finding.passed]


# --- what issue and page promise


def test_it_names_the_planted_fault_in_ten_of_ten_cases():
    for seed in (1, 2):
        named = [checklist.first_fault(faults.findings(fault, seed)) for fault in faults.TEN]
        assert [found.check for found in named] == [fault.check for fault in faults.TEN]
    assert len(faults.TEN) == len({fault.check for fault in faults.TEN}) == 10


@pytest.mark.parametrize("seed", range(20))
def test_it_names_nothing_in_twenty_healthy_runs(seed):
    assert fails(faults.findings(None, seed)) == []


def test_what_it_says_of_the_others():
    found = {fault.words: checklist.first_fault(faults.findings(fault, 3)) for fault in faults.MORE}
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
    ):
        assert named[words] == check
    assert {named[words] for words in ("rate a thousandth", "start near 0")} <= {"rate", "learns"}


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


@pytest.mark.parametrize(("name", "classes"), [("wine", 3), ("breast_cancer", 2)])
def test_healthy_scripts_on_other_tables_pass(name, classes):
    table = getattr(datasets, name)()
    inputs = (table.inputs - table.inputs.mean(0)) / table.inputs.std(0)
    order = np.random.default_rng(0).permutation(len(inputs))
    train, held = order[:-50], order[-50:]
    data = checklist.Data(inputs[train], table.targets[train], inputs[held], table.targets[held])
    made = other(**of_sizes((inputs.shape[1], 30, classes)))
    assert fails(checklist.checklist(made, data, classes=classes)) == []


# --- single checks


def test_data_by_hand():
    rows = np.array([[0.0, 1.0], [0.0, 2.0], [0.0, 1.0], [0.0, 5.0]])
    labels = np.array([0, 1, 0, 1])
    found = checklist.check_data(checklist.Data(rows, labels, rows[3:] + 1, labels[3:]))
    assert found[1].sentence == "1 of 2 columns are constant."
    assert found[1].passed  # half of them may be
    assert found[2].sentence.startswith("0 of 1 held-out rows are trained on too; of the training rows 25.0%")
    shared = checklist.check_data(checklist.Data(rows, labels, rows[:1], labels[:1]))
    assert not shared[2].passed  # all of the one against twice a quarter
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

        found = {finding.check: finding for finding in checklist.check_batch(
            other(loss_and_gradient=wrong), ROWS, classes=10
        )}  # fmt: skip
        assert not found["slope"].passed
        assert name in found["slope"].sentence


def test_a_script_is_left_as_the_checks_found_it_between_them():
    made = faults.script()
    made.restart(0)
    before = made.parameters()
    checklist._slope(made, ROWS.inputs[:8], ROWS.targets[:8], np.random.default_rng(0))
    for name, value in made.parameters().items():
        np.testing.assert_array_equal(value, before[name])


def test_units_that_are_alike_or_silent_count_once():
    rows = np.array([[0.0, 0.0], [1.0, 2.0], [1.0, 2.0], [3.0, 1.0]])
    assert checklist._useless(rows) == 0.5
    assert checklist._useless(0 * rows) == 1
    assert checklist._useless(rows[3:]) == 0


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
