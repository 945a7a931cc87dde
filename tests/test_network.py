from __future__ import annotations

import itertools

import numpy as np
import pytest

from dlnotes import optimizers
from dlnotes.numpy import activations, initialization, objective
from dlnotes.numpy import network as kernels

SIZES = (5, 7, 6, 4)


def frozen(x, dtype=np.float64):
    x = np.array(x, dtype=dtype)
    x.flags.writeable = False
    return x


def made(runs=(), sizes=SIZES, dtype=np.float64, seed=0):
    """Draw a network with biases that are not zero, and a batch."""
    generator = np.random.default_rng(seed)
    parameters = {}
    for layer in range(len(sizes) - 1):
        weight = generator.normal(size=(*runs, sizes[layer + 1], sizes[layer])) / np.sqrt(sizes[layer])
        parameters[f"{2 * layer}.weight"] = frozen(weight, dtype)
        parameters[f"{2 * layer}.bias"] = frozen(0.3 * generator.normal(size=(*runs, sizes[layer + 1])), dtype)
    inputs = frozen(generator.normal(size=(*runs, 9, sizes[0])), dtype)
    return parameters, inputs, generator.integers(0, sizes[-1], (*runs, 9))


def of_run(parameters, run):
    return {name: value[run] for name, value in parameters.items()}


def squared_error(outputs, targets):
    delta = outputs - targets
    return 0.5 * (delta * delta).sum((-1, -2)), delta


def centered(function, x, step=1e-6):
    """Differentiate a number by every entry of an array."""
    x, grad = np.array(x), np.empty(np.shape(x))
    for i in np.ndindex(x.shape):
        before = x[i]
        x[i] = before + step
        above = function(x)
        x[i] = before - step
        grad[i] = (above - function(x)) / (2 * step)
        x[i] = before
    return grad


@pytest.mark.parametrize("activation", sorted(activations.ACTIVATIONS))
def test_gradient_equals_finite_differences(activation):
    parameters, inputs, labels = made()
    _, grads = kernels.loss_and_gradient(parameters, inputs, labels, activation)
    assert list(grads) == list(parameters)
    for name, value in parameters.items():

        def loss(x, name=name):
            return float(kernels.loss_and_gradient(parameters | {name: x}, inputs, labels, activation).loss)

        np.testing.assert_allclose(grads[name], centered(loss, value), rtol=1e-6, atol=1e-8)


TORCH_NAMES = {"relu": "ReLU", "tanh": "Tanh", "sigmoid": "Sigmoid", "gelu": "GELU", "silu": "SiLU", "elu": "ELU"}


@pytest.mark.parametrize("activation", TORCH_NAMES)
def test_state_dict_travels_both_ways_and_gradients_equal_autograd(activation):
    torch = pytest.importorskip("torch")
    parameters, inputs, labels = made()
    layers = []
    for fan_in, fan_out in itertools.pairwise(SIZES):
        layers += [torch.nn.Linear(fan_in, fan_out), getattr(torch.nn, TORCH_NAMES[activation])()]
    model = torch.nn.Sequential(*layers[:-1]).double()
    model.load_state_dict({name: torch.tensor(np.array(value)) for name, value in parameters.items()}, strict=True)
    logits = model(torch.tensor(np.array(inputs)))
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(labels))
    loss.backward()
    ours, cache = kernels.forward(parameters, inputs, activation)
    np.testing.assert_allclose(ours, logits.detach().numpy(), rtol=1e-13, atol=1e-14)
    assert cache.preactivations[-1] is ours
    value, grads = kernels.loss_and_gradient(parameters, inputs, labels, activation)
    assert value == pytest.approx(loss.item(), rel=1e-13)
    for name, parameter in model.named_parameters():
        np.testing.assert_allclose(grads[name], parameter.grad.numpy(), rtol=1e-11, atol=1e-14)
    back = {name: value.numpy() for name, value in model.state_dict().items()}
    assert list(back) == list(parameters)
    np.testing.assert_array_equal(kernels.forward(back, inputs, activation)[0], ours)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("batch", [0, 1, 9])
def test_a_grid_of_runs_equals_single_runs_bit_for_bit(dtype, shared, batch):
    parameters, inputs, labels = made((2, 3), dtype=dtype)
    inputs, labels = (
        (inputs[0, 0, :batch], labels[0, 0, :batch]) if shared else (inputs[..., :batch, :], labels[..., :batch])
    )
    logits, cache = kernels.forward(parameters, inputs, "tanh")
    assert logits.dtype == dtype
    assert logits.shape == (2, 3, batch, 4)
    grads = kernels.backward(np.cos(logits), parameters, cache, "tanh")
    for run in np.ndindex(2, 3):
        own, x = of_run(parameters, run), inputs if shared else inputs[run]
        expected, own_cache = kernels.forward(own, x, "tanh")
        np.testing.assert_array_equal(logits[run], expected)
        for name, grad in kernels.backward(np.cos(expected), own, own_cache, "tanh").items():
            np.testing.assert_array_equal(grads[name][run], grad)
            assert grad.dtype == dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_gradient_written_into_given_arrays_is_the_same_to_the_bit(backend, dtype):
    own, array, like = kernels, np.array, np.full_like
    if backend == "torch":
        torch = pytest.importorskip("torch")
        from dlnotes.torch import network as own

        array, like = torch.tensor, torch.full_like
    parameters, inputs, _ = made(runs=(2,), dtype=dtype)
    parameters = {name: array(value) for name, value in parameters.items()}
    logits, cache = own.forward(parameters, array(inputs))
    out = {name: like(value, np.nan) for name, value in parameters.items()}
    kept = dict(out)
    found = own.backward(logits, parameters, cache, out=out)
    for name, expected in own.backward(logits, parameters, cache).items():
        assert found[name] is kept[name]
        np.testing.assert_array_equal(np.asarray(found[name]), np.asarray(expected))


def test_one_layer_is_linear_regression():
    parameters, inputs, _ = made(sizes=(5, 3))
    targets = np.random.default_rng(1).normal(size=(9, 3))
    _, grads = kernels.loss_and_gradient(parameters, inputs, targets, loss=squared_error)
    rest = inputs @ parameters["0.weight"].T + parameters["0.bias"] - targets
    np.testing.assert_allclose(grads["0.weight"], rest.T @ inputs, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(grads["0.bias"], rest.sum(0), rtol=1e-12)


def test_layers_come_in_the_order_of_their_numbers():
    parameters, inputs, _ = made(sizes=(3,) * 8)
    turned = dict(reversed(parameters.items()))
    assert kernels.layer_names(turned) == ["0", "2", "4", "6", "8", "10", "12"]
    expected, cache = kernels.forward(parameters, inputs)
    np.testing.assert_array_equal(kernels.forward(turned, inputs)[0], expected)
    assert list(kernels.backward(expected, turned, cache)) == list(turned)


def test_an_activation_of_ones_own():
    parameters, inputs, labels = made()
    steep = activations.Activation(
        lambda x: activations.leaky_relu(x, 0.3), lambda x: activations.leaky_relu_slope(x, 0.3)
    )
    _, grads = kernels.loss_and_gradient(parameters, inputs, labels, steep)

    def loss(x):
        return float(kernels.loss_and_gradient(parameters | {"0.weight": x}, inputs, labels, steep).loss)

    np.testing.assert_allclose(grads["0.weight"], centered(loss, parameters["0.weight"]), rtol=1e-6, atol=1e-8)


def test_a_patched_kernel_reaches_the_network(monkeypatch):
    parameters, inputs, _ = made()
    monkeypatch.setattr(activations, "relu", lambda x: x)
    expected = kernels.forward(parameters, inputs, "identity")[0]
    np.testing.assert_array_equal(kernels.forward(parameters, inputs)[0], expected)


@pytest.mark.parametrize("runs", [(), (2, 3)])
def test_initialize_draws_each_run_from_its_own_child(runs):
    parameters = kernels.initialize(SIZES, np.random.default_rng(7), runs=runs, dtype=np.float32)
    assert {name: value.shape for name, value in parameters.items()} == {
        name: (*runs, *value.shape) for name, value in made()[0].items()
    }
    sources = np.random.default_rng(7).spawn(6) if runs else [np.random.default_rng(7)]
    for source, run in zip(sources, np.ndindex(*runs), strict=True):
        for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(SIZES)):
            expected = initialization.he_normal((fan_out, fan_in), source, dtype=np.float32)
            np.testing.assert_array_equal(parameters[f"{2 * layer}.weight"][run], expected)
            assert not parameters[f"{2 * layer}.bias"].any()
    other = kernels.initialize(SIZES, np.random.default_rng(7), initialization.xavier_uniform, runs=runs)
    bound = np.sqrt(6 / (SIZES[0] + SIZES[1]))
    assert 0.5 * bound < np.abs(other["0.weight"]).max() <= bound


def naive_conv(inputs, weight, bias, stride, padding):
    x = np.pad(inputs, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    high, wide = ((x.shape[a] - weight.shape[a]) // stride + 1 for a in (2, 3))
    output = np.zeros((len(x), len(weight), high, wide))
    for n, o, i, j in np.ndindex(output.shape):
        patch = x[n, :, i * stride : i * stride + weight.shape[2], j * stride : j * stride + weight.shape[3]]
        output[n, o, i, j] = bias[o] + (patch * weight[o]).sum()
    return output


CONVOLUTIONS = [
    ((2, 3, 6, 5), (4, 3, 3, 2), 1, 0),
    ((2, 3, 6, 5), (4, 3, 3, 3), 2, 1),
    ((1, 1, 4, 7), (2, 1, 2, 3), 3, 2),
    ((2, 2, 3, 3), (1, 2, 3, 3), 1, 0),
    ((2, 2, 5, 5), (3, 2, 1, 1), 2, 0),
    ((0, 2, 5, 5), (3, 2, 2, 2), 1, 0),
]


def images(shapes, runs=(), dtype=np.float64):
    generator = np.random.default_rng(0)
    inputs, weight = (frozen(generator.normal(size=(*runs, *shape)), dtype) for shape in shapes)
    return inputs, weight, frozen(generator.normal(size=(*runs, shapes[1][0])), dtype)


@pytest.mark.parametrize(("shape", "kernel", "stride", "padding"), CONVOLUTIONS)
def test_convolution_equals_its_formula_and_torch(shape, kernel, stride, padding):
    inputs, weight, bias = images((shape, kernel))
    output = kernels.conv2d(inputs, weight, bias, stride, padding)
    np.testing.assert_allclose(output, naive_conv(inputs, weight, bias, stride, padding), rtol=1e-11, atol=1e-13)
    torch = pytest.importorskip("torch")
    tensors = [torch.tensor(np.array(x), requires_grad=True) for x in (inputs, weight, bias)]
    theirs = torch.nn.functional.conv2d(*tensors, stride=stride, padding=padding)
    np.testing.assert_allclose(output, theirs.detach().numpy(), rtol=1e-11, atol=1e-13)
    grad = np.cos(output)
    theirs.backward(torch.tensor(grad))
    grads = kernels.conv2d_backward(grad, inputs, weight, stride, padding)
    for ours, tensor in zip(grads, tensors, strict=True):
        np.testing.assert_allclose(ours, tensor.grad.numpy(), rtol=1e-10, atol=1e-12)


def test_convolution_backward_equals_finite_differences():
    inputs, weight, bias = images(((2, 2, 4, 4), (3, 2, 2, 3)))
    direction = np.random.default_rng(1).normal(size=kernels.conv2d(inputs, weight, bias, 2, 1).shape)
    grads = kernels.conv2d_backward(direction, inputs, weight, 2, 1)
    for grad, function, at in (
        (grads.inputs, lambda x: (kernels.conv2d(x, weight, bias, 2, 1) * direction).sum(), inputs),
        (grads.weight, lambda w: (kernels.conv2d(inputs, w, bias, 2, 1) * direction).sum(), weight),
        (grads.bias, lambda b: (kernels.conv2d(inputs, weight, b, 2, 1) * direction).sum(), bias),
    ):
        np.testing.assert_allclose(grad, centered(function, at, 0.5), rtol=1e-11, atol=1e-12)  # linear: exact


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shared", [False, True])
def test_convolutions_of_runs_at_once_equal_runs_alone(dtype, shared):
    inputs, weight, bias = images(((2, 3, 6, 5), (4, 3, 3, 2)), (2, 2), dtype)
    inputs = inputs[1, 0] if shared else inputs
    output = kernels.conv2d(inputs, weight, bias, 2, 1)
    grads = kernels.conv2d_backward(np.cos(output), inputs, weight, 2, 1)
    for run in np.ndindex(2, 2):
        x = inputs if shared else inputs[run]
        alone = kernels.conv2d(x, weight[run], bias[run], 2, 1)
        assert alone.dtype == dtype
        np.testing.assert_array_equal(output[run], alone)
        for ours, expected in zip(grads, kernels.conv2d_backward(np.cos(alone), x, weight[run], 2, 1), strict=True):
            np.testing.assert_array_equal(ours[run], expected)


def test_a_convolution_as_large_as_the_image_is_a_dense_layer():
    inputs, weight, bias = images(((3, 2, 4, 5), (6, 2, 4, 5)))
    flat = kernels.dense(inputs.reshape(3, -1), weight.reshape(6, -1), bias)
    np.testing.assert_allclose(kernels.conv2d(inputs, weight, bias)[..., 0, 0], flat, rtol=1e-13)


def test_dense_without_the_gradient_in_its_inputs():
    parameters, inputs, _ = made()
    grad = np.ones((9, 7))
    whole = kernels.dense_backward(grad, inputs, parameters["0.weight"])
    part = kernels.dense_backward(grad, inputs, parameters["0.weight"], with_inputs=False)
    assert part.inputs is None
    np.testing.assert_array_equal(part.weight, whole.weight)
    np.testing.assert_array_equal(whole.inputs, grad @ parameters["0.weight"])


def test_a_step_down_the_gradient_lowers_the_loss():
    parameters, inputs, labels = made((4,))
    before, grads = kernels.loss_and_gradient(parameters, inputs, labels, "tanh")
    moved = optimizers.apply_updates(parameters, {name: -0.01 * g for name, g in grads.items()})
    after = kernels.loss_and_gradient(moved, inputs, labels, "tanh").loss
    squares = sum((g * g).reshape(4, -1).sum(-1) for g in grads.values())
    np.testing.assert_allclose(before - after, 0.01 * squares, rtol=0.05)
    assert objective.cross_entropy(kernels.forward(moved, inputs, "tanh")[0], labels).shape == (4,)


def test_torch_initialize():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import network as variant

    parameters = variant.initialize((300, 200, 4), torch.Generator().manual_seed(0), runs=(3,), dtype=torch.float32)
    assert {name: tuple(value.shape) for name, value in parameters.items()} == {
        "0.weight": (3, 200, 300),
        "0.bias": (3, 200),
        "2.weight": (3, 4, 200),
        "2.bias": (3, 4),
    }
    assert {value.dtype for value in parameters.values()} == {torch.float32}
    assert not parameters["0.bias"].any()
    torch.testing.assert_close(
        parameters["0.weight"].std((-1, -2)), torch.full((3,), (2 / 300) ** 0.5), rtol=0.03, atol=0
    )
    assert len(set(parameters["0.weight"][:, 0, 0].tolist())) == 3


def test_torch_convolution_of_an_image_that_is_not_square_equals_the_reference():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import network as variant

    generator = np.random.default_rng(11)
    images, weight, bias = (generator.standard_normal(shape) for shape in ((2, 3, 5, 8), (4, 3, 2, 3), (4,)))
    tensors = [torch.tensor(array) for array in (images, weight, bias)]
    ours, theirs = kernels.conv2d(images, weight, bias, 1, 1), variant.conv2d(*tensors, 1, 1)
    np.testing.assert_allclose(theirs.numpy(), ours, rtol=1e-12)
    above = generator.standard_normal(ours.shape)
    grads = kernels.conv2d_backward(above, images, weight, 1, 1)
    torch_grads = variant.conv2d_backward(torch.tensor(above), *tensors[:2], 1, 1)
    for one, other in zip(torch_grads, grads, strict=True):
        np.testing.assert_allclose(one.numpy(), other, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ([], "parameters must be of a network whose layers are numbered"),
        (["fc1.weight", "fc1.bias"], "parameters must be of a network whose layers are numbered"),
        (["0.bias"], "parameters must be of a network whose layers are numbered"),
        (
            ["0.weight", "0.bias", "2.weight"],
            r"parameters must be of a network with a bias in every layer, got none under \['2.bias'\]",
        ),
    ],
)
def test_parameters_that_make_no_network_are_refused(keys, words):
    parameters = {key: np.ones((3, 3) if key.endswith("weight") else 3) for key in keys}
    with pytest.raises(ValueError, match=words):
        kernels.forward(parameters, np.ones((2, 3)))
    with pytest.raises(ValueError, match=words):
        kernels.loss_and_gradient(parameters, np.ones((2, 3)), np.zeros(2, dtype=int))


def test_layers_are_named_in_the_order_of_their_numbers():
    keys = ["10.weight", "2.weight", "2.bias", "0.weight"]
    assert kernels.layer_names(dict.fromkeys(keys)) == ["0", "2", "10"]
