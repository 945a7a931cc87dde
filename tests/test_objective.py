"""Laws, limits and known numbers of the losses."""

from __future__ import annotations

import math

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlnotes.numpy import activations, objective

EPSILON = {np.float32: 2.0**-23, np.float64: 2.0**-52}
DTYPES = [np.float32, np.float64]
OF_LABELS = ("cross_entropy", "hinge", "zero_one_loss")


def read_only(array):
    array = np.array(array)
    array.flags.writeable = False
    return array


@st.composite
def labeled(draw, dtype, least_classes=1, classes=40, largest=50):
    """Draw logits of some runs, and labels of each run or shared."""
    runs = draw(st.sampled_from([(), (1,), (3,), (2, 2)]))
    batch, classes = draw(st.integers(1, 5)), draw(st.integers(least_classes, classes))
    bound = st.floats(-largest, largest, width=np.dtype(dtype).itemsize * 8)
    logits = draw(hnp.arrays(dtype, (*runs, batch, classes), elements=bound))
    shape = draw(st.sampled_from([(*runs, batch), (batch,)]))
    labels = draw(
        hnp.arrays(draw(st.sampled_from([np.int64, np.int8, np.uint8])), shape, elements=st.integers(0, classes - 1))
    )
    return read_only(logits), read_only(labels)


def differences(loss, array, step=1e-6):
    """Measure the gradient of a scalar function by centered differences."""
    measured = np.empty_like(array)
    for place in np.ndindex(array.shape):
        shift = np.zeros_like(array)
        shift[place] = step
        measured[place] = (loss(array + shift) - loss(array - shift)) / (2 * step)
    return measured


# Softmax and its relatives.


@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_gives_probabilities_at_any_distance(dtype):
    @given(hnp.arrays(dtype, (3, 4), elements=st.floats(-(2.0**13), 2.0**13, width=32)))
    def check(logits):
        with np.errstate(all="raise", under="ignore"):
            probabilities = objective.softmax(read_only(logits))
            logarithms = objective.log_softmax(read_only(logits))
            total = objective.log_sum_exp(read_only(logits))
        assert probabilities.dtype == logarithms.dtype == total.dtype == dtype
        assert probabilities.shape == logarithms.shape == (3, 4)
        np.testing.assert_allclose(probabilities.sum(-1), 1, rtol=4 * EPSILON[dtype])
        np.testing.assert_allclose(np.exp(logarithms), probabilities, rtol=0, atol=1e4 * EPSILON[dtype])
        assert (logarithms <= 0).all()
        assert (total >= logits.max(-1)).all()

    check()


def test_known_values_of_softmax():
    logits = np.log([[1.0, 2.0, 5.0], [1.0, 1.0, 1.0]])
    np.testing.assert_allclose(objective.softmax(logits), [[0.125, 0.25, 0.625], [1 / 3] * 3], rtol=1e-15)
    np.testing.assert_allclose(objective.log_sum_exp(logits), [math.log(8), math.log(3)], rtol=1e-15)
    np.testing.assert_array_equal(objective.softmax(np.array([[7.0]])), [[1]])
    np.testing.assert_array_equal(objective.log_softmax(np.array([[7.0]])), [[0]])


def test_a_common_shift_changes_nothing():
    logits = np.random.default_rng(0).integers(-8, 8, (5, 4)).astype(float)
    for kernel in (objective.softmax, objective.log_softmax):
        np.testing.assert_array_equal(kernel(logits + 1024), kernel(logits))
    np.testing.assert_allclose(objective.log_sum_exp(logits + 1024), objective.log_sum_exp(logits) + 1024, rtol=1e-15)


def test_where_the_formula_without_the_shift_fails():
    """The chapter's example: exp(1000) overflows, the shifted form gives ln(1 + e^-1)."""
    logits = np.array([1000.0, 999.0])
    with np.errstate(over="ignore"):
        assert np.isinf(np.log(np.exp(logits).sum()))
    assert objective.log_sum_exp(logits) == pytest.approx(1000 + math.log1p(math.exp(-1)), rel=1e-15)
    np.testing.assert_allclose(objective.log_softmax(np.array([0.0, -1000.0])), [0, -1000], atol=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_accuracy_against_many_digits(dtype):
    mpmath = pytest.importorskip("mpmath")
    rng = np.random.default_rng(0)
    scales = np.array([0.1, 1, 10, 100, 1e3, 1e4])[:, None, None]
    logits = (scales * rng.standard_normal((6, 20, 7))).reshape(-1, 7).astype(dtype)
    probabilities, logarithms = objective.softmax(logits), objective.log_softmax(logits)
    totals = objective.log_sum_exp(logits)
    with mpmath.workdps(40):
        for row, row_p, row_l, row_t in zip(logits, probabilities, logarithms, totals, strict=True):
            exact = [mpmath.mpf(float(value)) for value in row]
            total = mpmath.log(sum(mpmath.exp(value) for value in exact))
            size = float(max(abs(value) for value in exact)) + 1
            for value, given_p, given_l in zip(exact, row_p, row_l, strict=True):
                # Probabilities: relative to their size, times the spread that the exponent is rounded at.
                wanted = mpmath.exp(value - total)
                spread = float(abs(value - total)) + 4
                assert (
                    abs(float(given_p) - float(wanted))
                    <= EPSILON[dtype] * spread * float(wanted) + np.finfo(dtype).tiny
                )
                assert abs(float(mpmath.mpf(float(given_l)) - (value - total))) <= 2 * EPSILON[dtype] * spread
            assert abs(float(mpmath.mpf(float(row_t)) - total)) <= 2 * EPSILON[dtype] * size


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "log_sum_exp"])
def test_backward_against_differences(name):
    rng = np.random.default_rng(3)
    logits = rng.standard_normal((2, 3, 4))
    forward, backward = getattr(objective, name), getattr(objective, f"{name}_backward")
    grad_output = rng.standard_normal(forward(logits).shape)
    gradient = backward(read_only(grad_output), read_only(logits))
    measured = differences(lambda z: (forward(z) * grad_output).sum(), logits)
    np.testing.assert_allclose(gradient, measured, atol=1e-8)
    np.testing.assert_allclose(gradient.sum(-1), grad_output if name == "log_sum_exp" else 0, atol=1e-14)


# Losses of logits and labels.


def naive_cross_entropy(logits, labels):
    """Follow the definition, one example at a time."""
    *runs, batch, _ = logits.shape
    labels = np.broadcast_to(labels, (*runs, batch))
    losses = np.empty(runs)
    for run in np.ndindex(*runs):
        terms = [
            -math.log(math.exp(z[y]) / math.fsum(math.exp(value) for value in z))
            for z, y in zip(logits[run].tolist(), labels[run].tolist(), strict=True)
        ]
        losses[run] = math.fsum(terms) / batch
    return losses


@given(labeled(np.float64))
def test_cross_entropy_follows_its_definition(given_case):
    logits, labels = given_case
    np.testing.assert_allclose(objective.cross_entropy(logits, labels), naive_cross_entropy(logits, labels), atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_pass_gives_the_same_loss_and_gradient(dtype):
    @given(labeled(dtype))
    def check(given_case):
        logits, labels = given_case
        loss, gradient = objective.cross_entropy_with_gradient(logits, labels)
        assert loss.dtype == gradient.dtype == dtype
        assert loss.shape == logits.shape[:-2]
        scale = EPSILON[dtype] * 128  # logits up to 50, so differences of 100
        np.testing.assert_allclose(loss, objective.cross_entropy(logits, labels), rtol=scale, atol=scale)
        np.testing.assert_allclose(gradient, objective.cross_entropy_backward(1.0, logits, labels), atol=scale)

    check()


@pytest.mark.parametrize("classes", [3, objective._FEW_CLASSES, objective._FEW_CLASSES + 1, 100])
def test_one_pass_over_several_blocks(classes, monkeypatch):
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((2, 11, classes)), rng.integers(0, classes, (2, 11))
    whole = objective.cross_entropy_with_gradient(logits, labels)
    monkeypatch.setattr(objective, "_BLOCK", 4 * classes)  # 22 rows in blocks of 4
    in_blocks = objective.cross_entropy_with_gradient(logits, labels)
    np.testing.assert_array_equal(in_blocks.loss, whole.loss)
    np.testing.assert_array_equal(in_blocks.gradient, whole.gradient)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("batch", "classes"), [(1, 10), (1, 100), (32, 2), (7, 33), (64, 10)])
def test_a_grid_equals_its_runs_bit_for_bit(dtype, batch, classes):
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((2, 3, batch, classes)).astype(dtype)
    labels = rng.integers(0, classes, (2, 3, batch))
    grid = {
        "with_gradient": objective.cross_entropy_with_gradient(logits, labels),
        "backward": objective.cross_entropy_backward(1.0, logits, labels),
        "hinge_backward": objective.hinge_backward(1.0, logits, labels),
        **{name: getattr(objective, name)(logits, labels) for name in OF_LABELS},
    }
    for run in np.ndindex(2, 3):
        z, y = logits[run], labels[run]
        alone = objective.cross_entropy_with_gradient(z, y)
        np.testing.assert_array_equal(grid["with_gradient"].loss[run], alone.loss)
        np.testing.assert_array_equal(grid["with_gradient"].gradient[run], alone.gradient)
        np.testing.assert_array_equal(grid["backward"][run], objective.cross_entropy_backward(1.0, z, y))
        np.testing.assert_array_equal(grid["hinge_backward"][run], objective.hinge_backward(1.0, z, y))
        for name in OF_LABELS:
            np.testing.assert_array_equal(grid[name][run], getattr(objective, name)(z, y))


def test_shared_labels_are_those_of_every_run():
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((2, 3, 5, 4)), rng.integers(0, 4, 5)
    repeated = np.broadcast_to(labels, (2, 3, 5))
    for name in (*OF_LABELS, "margins"):
        kernel = getattr(objective, name)
        np.testing.assert_array_equal(kernel(logits, labels), kernel(logits, repeated))


def test_gradient_is_probabilities_minus_labels():
    """The chapter's claim, at one row: 1/N of p - y."""
    logits = np.array([[1.0, -1.0, 0.5], [0.0, 2.0, 0.0]])
    expected = objective.softmax(logits)
    expected[[0, 1], [2, 1]] -= 1
    np.testing.assert_allclose(
        objective.cross_entropy_backward(1.0, logits, np.array([2, 1])), expected / 2, rtol=1e-15
    )


@pytest.mark.parametrize("runs", [(), (3,)])
def test_losses_against_differences(runs):
    rng = np.random.default_rng(5)
    logits, labels = rng.standard_normal((*runs, 4, 3)), rng.integers(0, 3, (*runs, 4))
    grad_output = rng.standard_normal(runs) if runs else 0.7
    targets, outputs = rng.random((*runs, 4)), rng.standard_normal((*runs, 4, 3))
    for name, argument, rest in (
        ("cross_entropy", logits, (labels,)),
        ("hinge", logits, (labels,)),
        ("hinge", logits, (labels, 0.3)),
        ("squared_error", logits, (outputs,)),
        ("binary_cross_entropy_with_logits", logits[..., 0], (targets,)),
    ):
        forward, backward = getattr(objective, name), getattr(objective, f"{name}_backward")
        gradient = backward(grad_output, read_only(argument), *rest)
        assert gradient.shape == argument.shape
        measured = differences(lambda z, f=forward, r=rest: float((f(z, *r) * grad_output).sum()), argument)
        np.testing.assert_allclose(gradient, measured, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtype_of_losses(dtype):
    z, y = np.zeros((2, 4, 3), dtype), np.zeros(4, dtype=int)
    for name in OF_LABELS:
        assert getattr(objective, name)(z, y).dtype == dtype
        assert getattr(objective, name)(z[0], y).dtype == dtype
    for grad_output in (1.0, np.ones(2), np.ones(2, np.float32)):
        assert objective.cross_entropy_backward(grad_output, z, y).dtype == dtype
        assert objective.hinge_backward(grad_output, z, y).dtype == dtype
        assert objective.squared_error_backward(grad_output, z, np.zeros((4, 3))).dtype == dtype
        assert objective.binary_cross_entropy_with_logits_backward(grad_output, z[..., 0], np.ones(4)).dtype == dtype
    assert objective.margins(z, y).dtype == dtype
    assert objective.squared_error(z, np.zeros((4, 3))).dtype == dtype
    assert objective.binary_cross_entropy_with_logits(z[..., 0], np.ones(4)).dtype == dtype


def test_known_losses():
    y = np.array([0, 1])
    assert objective.cross_entropy(np.zeros((2, 10)), y) == pytest.approx(math.log(10), rel=1e-15)
    assert objective.cross_entropy(np.zeros((2, 1)), y * 0) == 0
    assert objective.cross_entropy_with_gradient(np.zeros((2, 1)), y * 0) == (0, pytest.approx(np.zeros((2, 1))))
    logits = np.array([[1.0, 3.0, 0.0], [0.0, 2.5, 2.0]])
    np.testing.assert_array_equal(objective.margins(logits, y), [-2, 0.5])
    assert objective.hinge(logits, y) == 1.75
    assert objective.hinge(logits, y, margin=0.25) == 1.125
    assert objective.zero_one_loss(logits, y) == 0.5
    assert objective.squared_error(logits, np.zeros((2, 3))) == pytest.approx((1 + 9 + 6.25 + 4) / 4, rel=1e-15)
    assert objective.binary_cross_entropy_with_logits(np.zeros(3), np.array([0.0, 1.0, 0.3])) == pytest.approx(
        math.log(2), rel=1e-15
    )


def test_far_logits_neither_overflow_nor_cancel():
    for dtype in DTYPES:
        z = np.array([[1e4, -1e4], [-1e4, 1e4]], dtype)
        with np.errstate(all="raise", under="ignore"):
            right, wrong = np.array([0, 1]), np.array([1, 0])
            assert objective.cross_entropy(z, right) == 0
            assert objective.cross_entropy(z, wrong) == 2e4
            loss, gradient = objective.cross_entropy_with_gradient(z, wrong)
            assert loss == 2e4
            np.testing.assert_array_equal(gradient, [[0.5, -0.5], [-0.5, 0.5]])
            binary = np.array([1e4, -1e4], dtype)
            assert objective.binary_cross_entropy_with_logits(binary, np.array([1.0, 0.0])) == 0
            assert objective.binary_cross_entropy_with_logits(binary, np.array([0.0, 1.0])) == 1e4


def test_binary_loss_keeps_its_digits_where_it_is_small():
    """ln(1 + e^-30) is 9.4e-14; 1 - sigmoid(30) would round it to 0 in float32 and to two digits in float64."""
    for dtype in DTYPES:
        loss = objective.binary_cross_entropy_with_logits(np.array([30.0], dtype), np.ones(1, dtype))
        assert float(loss) == pytest.approx(math.log1p(math.exp(-30)), rel=8 * EPSILON[dtype])


def test_two_classes_are_the_binary_case():
    """With logits (0, m) and label 1 the losses are the surrogates over the margin m that the chapter draws."""
    m = np.linspace(-3, 3, 25)
    logits = np.stack((np.zeros_like(m), m), axis=-1)[:, None, :]  # each margin a run of one row
    one = np.array([1])
    np.testing.assert_array_equal(objective.zero_one_loss(logits, one), (m <= 0).astype(float))
    np.testing.assert_array_equal(objective.hinge(logits, one), np.maximum(0, 1 - m))
    np.testing.assert_allclose(objective.cross_entropy(logits, one), activations.softplus(-m), rtol=1e-13)
    np.testing.assert_allclose(
        objective.binary_cross_entropy_with_logits(m[:, None], np.ones(1)), activations.softplus(-m), rtol=1e-13
    )


@given(labeled(np.float64, least_classes=2, classes=6, largest=4))
def test_surrogates_lie_above_the_zero_one_loss(given_case):
    logits, labels = given_case
    wrong = objective.zero_one_loss(logits, labels)
    assert (wrong <= objective.hinge(logits, labels) + 1e-15).all()
    assert (wrong <= objective.cross_entropy(logits, labels) / math.log(2) + 1e-15).all()


def test_zero_one_loss_is_flat_almost_everywhere():
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((50, 5)), rng.integers(0, 5, 50)
    nearest = np.abs(objective.margins(logits, labels)).min()
    moved = logits + 0.49 * nearest * rng.uniform(-1, 1, logits.shape)
    assert objective.zero_one_loss(moved, labels) == objective.zero_one_loss(logits, labels)
    assert objective.cross_entropy(moved, labels) != objective.cross_entropy(logits, labels)


def test_hinge_gradient_goes_to_label_and_rival_alone():
    # A margin too small, one too large, a tie, and one just enough, where the slope is that of the flat side.
    logits = np.array([[0.5, 0.0, 0.2, -5.0], [9.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0], [1.0, 0.0, 0.0, 0.0]])
    gradient = objective.hinge_backward(4.0, logits, np.array([2, 0, 1, 0]))
    np.testing.assert_array_equal(gradient, [[1, 0, -1, 0], [0, 0, 0, 0], [1, -1, 0, 0], [0, 0, 0, 0]])


def test_against_torch():
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    rng = np.random.default_rng(0)
    logits, labels, targets = rng.standard_normal((9, 6)), rng.integers(0, 6, 9), rng.random((9, 6))
    z = torch.tensor(logits, requires_grad=True)
    for ours, theirs, argument, factor in (
        ("cross_entropy", F.cross_entropy, labels, 1),
        ("squared_error", F.mse_loss, targets, 3),  # half the sum over 6 features, in place of their mean
    ):
        loss = theirs(z, torch.tensor(argument))
        (gradient,) = torch.autograd.grad(loss, z)
        np.testing.assert_allclose(getattr(objective, ours)(logits, argument), factor * loss.item(), rtol=1e-14)
        given = getattr(objective, f"{ours}_backward")(1.0, logits, argument)
        np.testing.assert_allclose(given, factor * gradient.numpy(), atol=1e-16, rtol=1e-14)
    loss = F.binary_cross_entropy_with_logits(z[:, 0], torch.tensor(targets[:, 0]))
    (gradient,) = torch.autograd.grad(loss, z)
    ours = objective.binary_cross_entropy_with_logits(logits[:, 0], targets[:, 0])
    np.testing.assert_allclose(ours, loss.item(), rtol=1e-14)
    given = objective.binary_cross_entropy_with_logits_backward(1.0, logits[:, 0], targets[:, 0])
    np.testing.assert_allclose(given, gradient[:, 0].numpy(), atol=1e-16, rtol=1e-14)


def test_against_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((40, 4)), rng.permutation(np.arange(40) % 4)
    assert objective.cross_entropy(logits, labels) == pytest.approx(
        metrics.log_loss(labels, objective.softmax(logits)), rel=1e-12
    )
    assert objective.hinge(logits, labels) == pytest.approx(metrics.hinge_loss(labels, logits), rel=1e-12)
    assert objective.zero_one_loss(logits, labels) == metrics.zero_one_loss(labels, logits.argmax(-1))


def test_torch_losses_can_be_differentiated():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import objective as variants

    rng = np.random.default_rng(0)
    z = torch.tensor(rng.standard_normal((3, 5, 4)), requires_grad=True)
    labels, targets = torch.tensor(rng.integers(0, 4, (3, 5))), torch.tensor(rng.random((3, 5, 4)))
    weights = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    for name, argument in (("cross_entropy", labels), ("hinge", labels), ("squared_error", targets)):
        loss = getattr(variants, name)(z, argument)
        (gradient,) = torch.autograd.grad((loss * weights).sum(), z)
        by_hand = getattr(variants, f"{name}_backward")(weights, z.detach(), argument)
        torch.testing.assert_close(by_hand, gradient, atol=1e-15, rtol=1e-12)
    both = variants.cross_entropy_with_gradient(z, labels)
    assert not both.loss.requires_grad
    assert not both.gradient.requires_grad


# The tape.


def test_a_tape_gives_the_slopes_of_arithmetic():
    def function(a, b, c, exp, log):
        return (2 - a * b) / (c + 3) + exp(a - c) * log(b + c * c) - 1 / b

    point = (0.7, 1.3, -0.4)
    tape = objective.Tape()
    nodes = [tape.variable(value) for value in point]
    result = function(*nodes, lambda node: node.exp(), lambda node: node.log())
    assert result.value == pytest.approx(function(*point, math.exp, math.log), rel=1e-15)
    adjoints = tape.backward(result)
    for place in range(3):
        up, down = (
            function(*(value + sign * (place == other) for other, value in enumerate(point)), math.exp, math.log)
            for sign in (1e-6, -1e-6)
        )
        assert adjoints[nodes[place].place] == pytest.approx((up - down) / 2e-6, abs=1e-8)


def test_shares_of_several_uses_add_up():
    tape = objective.Tape()
    x = tape.variable(3.0)
    cube = x * x * x
    assert tape.backward(cube)[x.place] == 27
    same = x - x
    assert tape.backward(same)[x.place] == 0
    assert tape.backward(x).tolist() == [1] + [0] * (len(tape.nodes) - 1)


def test_a_tape_differentiates_any_of_its_nodes_and_nothing_later():
    tape = objective.Tape()
    a = tape.variable(2.0)
    square = a * a
    _ = square.exp() / a
    assert tape.backward(square)[: square.place + 1].tolist() == [4, 1]
    assert not tape.backward(square)[square.place + 1 :].any()
    assert [node.place for node in tape.nodes] == list(range(len(tape.nodes)))
    assert all(place > operand for place, edges in enumerate(tape.edges) for operand, _ in edges)


@given(hnp.arrays(float, st.integers(2, 6), elements=st.floats(-20, 20)), st.data())
def test_a_tape_finds_probabilities_minus_labels(logits, data):
    label = data.draw(st.integers(0, len(logits) - 1))
    tape = objective.Tape()
    nodes = [tape.variable(value) for value in logits.tolist()]
    total = nodes[0].exp()
    for node in nodes[1:]:
        total = total + node.exp()
    loss = total.log() - nodes[label]
    gradient = tape.backward(loss)[: len(nodes)]
    np.testing.assert_allclose(
        gradient, objective.cross_entropy_backward(1.0, logits[None], np.array([label]))[0], atol=1e-13
    )


@pytest.mark.usefixtures("unchecked")
def test_what_a_tape_refuses():
    tape, other = objective.Tape(), objective.Tape()
    with pytest.raises(TypeError, match=r"value must be .*, got 'a'"):
        tape.variable("a")
    with pytest.raises(ValueError, match=r"value must be .*, got nan"):
        tape.variable(math.nan)
    for stranger in (other.variable(1.0), 1.0):
        with pytest.raises(ValueError, match=r"output must be a node of this tape, got"):
            tape.backward(stranger)
    with pytest.raises(ValueError, match=r"operand must be a node of this tape, got"):
        tape.variable(2.0) * other.variable(3.0)


# Nothing is lost where the label has the largest score: logits (x, 0) with the label 0 have the loss ln(1 + exp(-x)).


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("classes", [2, 40])
def test_a_right_label_far_above_the_others_keeps_its_loss(dtype, classes):
    for x in (1.0, 17.0, 30.0, 37.0, 80.0):
        logits = np.full((3, classes), -x, dtype)
        logits[:, 1] = 0
        labels = np.ones(3, int)
        rest = (classes - 1) * math.exp(-x)
        near = 8 * float(np.finfo(dtype).eps)
        loss, gradient = objective.cross_entropy_with_gradient(logits, labels)
        assert loss == pytest.approx(math.log1p(rest), rel=near)
        assert objective.cross_entropy(logits, labels) == pytest.approx(math.log1p(rest), rel=near)
        assert objective.log_softmax(logits)[0, 1] == pytest.approx(-math.log1p(rest), rel=near)
        assert objective.log_sum_exp(logits)[0] == pytest.approx(math.log1p(rest), rel=near)
        one_hot = -np.eye(classes, dtype=dtype)[labels] / 3
        for slopes in (
            gradient,
            objective.cross_entropy_backward(1.0, logits, labels),
            objective.log_softmax_backward(one_hot.astype(dtype), logits),
        ):
            assert slopes[0, 1] == pytest.approx(-rest / (1 + rest) / 3, rel=near)
        if classes == 2:
            z, t = np.full(3, x, dtype), np.ones(3, dtype)
            assert objective.binary_cross_entropy_with_logits(z, t) == pytest.approx(math.log1p(rest), rel=near)
            (slope, *_) = objective.binary_cross_entropy_with_logits_backward(1.0, z, t)
            assert slope == pytest.approx(-rest / (1 + rest) / 3, rel=near)


def test_both_backends_keep_it():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import objective as variants

    for x in (0.5, 1.0, 17.0, 40.0, 700.0):
        logits, labels = np.array([[0.0, -x, -x - 1], [x, 1.0, 0.0]]), np.array([0, 0])
        z, y = torch.tensor(logits), torch.tensor(labels)
        ours, theirs = objective.cross_entropy_with_gradient(logits, labels), variants.cross_entropy_with_gradient(z, y)
        # Entry by entry, not in shares of the largest one.
        np.testing.assert_allclose(theirs.loss.numpy(), ours.loss, rtol=1e-13)
        np.testing.assert_allclose(theirs.gradient.numpy(), ours.gradient, rtol=1e-13)
        np.testing.assert_allclose(variants.cross_entropy(z, y).numpy(), ours.loss, rtol=1e-13)
        np.testing.assert_allclose(variants.cross_entropy_backward(1.0, z, y).numpy(), ours.gradient, rtol=1e-13)
        np.testing.assert_allclose(variants.log_softmax(z).numpy(), objective.log_softmax(logits), rtol=1e-13)


def test_a_loss_of_zero_is_not_minus_zero():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import objective as variants

    logits, labels = np.array([[1e4, -1e4]]), np.array([0])
    z, y = torch.tensor(logits), torch.tensor(labels)
    losses = [objective.cross_entropy(logits, labels), variants.cross_entropy(z, y)]
    losses += [objective.cross_entropy_with_gradient(logits, labels).loss]
    losses += [variants.cross_entropy_with_gradient(z, y).loss]
    for loss in losses:
        assert loss == 0
        assert not np.signbit(np.asarray(loss))


def test_torch_losses_can_be_differentiated_where_the_label_is_largest():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import objective as variants

    for logits in ([[0.0, -20.0]], [[0.0, -800.0]], [[3.0]], [[1.0, 1.0]], [[-800.0, 0.0]]):
        z, y = torch.tensor(logits, dtype=torch.float64, requires_grad=True), torch.tensor([0])
        (gradient,) = torch.autograd.grad(variants.cross_entropy(z, y), z)
        wanted = variants.cross_entropy_backward(1.0, z.detach(), y)
        torch.testing.assert_close(gradient, wanted, rtol=1e-12, atol=0.0)


def test_torch_keeps_the_small_gradients_that_autograd_would_round_away():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import objective as variants

    for dtype, rtol in ((torch.float32, 1e-5), (torch.float64, 1e-12)):
        for x in (1.0, 10.0, 20.0, 40.0, 80.0):
            z = torch.tensor([[0.3, -x, -x - 1], [x, 0.5, 0.0]], dtype=dtype, requires_grad=True)
            for labels in (torch.tensor([0, 0]), torch.tensor([1, 2])):
                (gradient,) = torch.autograd.grad(variants.cross_entropy(z, labels), z)
                wanted = variants.cross_entropy_backward(1.0, z.detach(), labels)
                torch.testing.assert_close(gradient, wanted, rtol=rtol, atol=0.0)
            one_hot = torch.tensor([[1.0, 0, 0], [1.0, 0, 0]], dtype=dtype)
            (gradient,) = torch.autograd.grad((variants.log_softmax(z) * one_hot).sum(), z)
            wanted = variants.log_softmax_backward(one_hot, z.detach())
            torch.testing.assert_close(gradient, wanted, rtol=rtol, atol=0.0)


def test_torch_losses_can_be_differentiated_twice():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import objective as variants

    z = torch.tensor(np.random.default_rng(0).standard_normal((3, 4)), requires_grad=True)
    labels = torch.tensor([0, 3, 1])
    assert torch.autograd.gradgradcheck(lambda z: variants.cross_entropy(z, labels), (z,))
    assert torch.autograd.gradgradcheck(variants.log_softmax, (z,))
    hessian = torch.autograd.functional.hessian(lambda z: variants.cross_entropy(z, labels), z.detach())
    p = torch.softmax(z.detach(), -1)
    for row in range(3):
        wanted = (torch.diag(p[row]) - torch.outer(p[row], p[row])) / 3
        torch.testing.assert_close(hessian[row, :, row], wanted, rtol=1e-12, atol=1e-15)


def test_infinite_scores():
    inf = np.inf
    with np.errstate(invalid="ignore"):
        assert objective.log_sum_exp(np.array([[-inf, -inf]])) == -inf
        assert objective.log_sum_exp(np.array([[inf, 0.0]])) == inf
        assert objective.log_sum_exp(np.array([[inf, inf, -inf]])) == inf
        np.testing.assert_array_equal(objective.softmax(np.array([[-inf, 0.0, 0.0]])), [[0, 0.5, 0.5]])
        masked = np.array([[-inf, 0.0, 0.0]])
        assert objective.cross_entropy(masked, np.array([1])) == pytest.approx(math.log(2))
        assert objective.cross_entropy(masked, np.array([0])) == inf
        # A target of 0 or 1 takes nothing from the side that it has no share in.
        sure, z = np.array([1.0, 0.0]), np.array([inf, -inf])
        assert objective.binary_cross_entropy_with_logits(z, sure) == 0
        assert objective.binary_cross_entropy_with_logits(-z, sure) == inf


def test_a_nan_predicts_nothing():
    logits = np.array([[[2.0, 1.0], [0.0, np.nan]], [[2.0, 1.0], [0.0, 3.0]]])
    np.testing.assert_array_equal(objective.zero_one_loss(logits, np.array([0, 1])), [np.nan, 0])
    slopes = objective.hinge_backward(np.ones(2), logits, np.array([0, 1]))
    assert np.isnan(slopes[0, 1]).all()
    assert np.isfinite(slopes[1]).all()
