"""Starting weights of torch modules: what is drawn, for every kind of layer, and what is left alone."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from dlnotes.torch import module_initialization  # noqa: E402

start = module_initialization.initialize_module


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


LAYERS = {
    "linear": lambda: nn.Linear(300, 200),
    "convolution": lambda: nn.Conv2d(16, 64, 3),
    "grouped": lambda: nn.Conv2d(64, 128, 3, groups=8),
    "depthwise": lambda: nn.Conv2d(512, 512, 5, groups=512),
    "strided": lambda: nn.Conv1d(64, 64, 4, stride=2),
    "transposed": lambda: nn.ConvTranspose2d(64, 32, 4, stride=2),
    "three axes": lambda: nn.Conv3d(8, 64, 3),
}
FAN_IN = {"linear": 300, "convolution": 144, "grouped": 72, "depthwise": 25, "strided": 256, "transposed": 256}
FAN_IN["three axes"] = 216


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("distribution", ["normal", "uniform"])
@pytest.mark.parametrize("kind", LAYERS)
def test_he_has_its_variance(kind, distribution, dtype):
    layer = LAYERS[kind]().to(dtype)
    given = start(layer, "he", generator=generator(), distribution=distribution)
    deviation = math.sqrt(2 / FAN_IN[kind])
    assert given["weight"].standard_deviation == pytest.approx(deviation)
    assert given["weight"].fan_in == FAN_IN[kind]
    weight = layer.weight.detach()
    assert weight.dtype == dtype
    assert weight.double().std().item() == pytest.approx(deviation, rel=5 / math.sqrt(weight.numel()))
    assert not layer.bias.any()
    bound = weight.double().abs().max().item() / deviation
    assert (1.7 < bound < 1.74) if distribution == "uniform" else bound > 3


@pytest.mark.parametrize("kind", ["linear", "convolution", "grouped", "transposed"])
def test_a_signal_keeps_its_mean_square(kind):
    """LeCun's rule through a linear layer, edges left out: what the fans are for."""
    layer = LAYERS[kind]()
    start(layer, "lecun", generator=generator())
    channels = layer.in_features if kind == "linear" else layer.in_channels
    shape = (64, channels) if kind == "linear" else (16, channels, 12, 12)
    output = layer(torch.randn(shape, generator=generator(1)))
    middle = output if kind == "linear" else output[..., 4:-4, 4:-4]
    assert middle.square().mean().item() == pytest.approx(1, abs=0.1)


def test_other_rules_and_their_gains():
    layer = nn.Linear(300, 200)
    for rule, variance in (("lecun", 1 / 300), ("xavier", 2 / 500), ("he", 2 / (300 * 1.25))):
        given = start(layer, rule, generator=generator(), gain=3.0, negative_slope=0.5)
        assert given["weight"].standard_deviation == pytest.approx(3 * math.sqrt(variance))
        assert layer.weight.std().item() == pytest.approx(3 * math.sqrt(variance), rel=0.02)


@pytest.mark.parametrize("kind", ["linear", "grouped", "transposed", "three axes"])
def test_orthogonal_in_each_group(kind):
    layer = LAYERS[kind]().double()
    given = start(layer, "orthogonal", generator=generator(), gain=2.0)
    groups = getattr(layer, "groups", 1)
    matrices = layer.weight.detach().reshape(groups, layer.weight.shape[0] // groups, -1)
    values = torch.linalg.svdvals(matrices)
    torch.testing.assert_close(values, torch.full_like(values, 2.0))
    assert given["weight"].standard_deviation == pytest.approx(layer.weight.std(correction=0).item(), rel=0.01)


def test_each_gate_and_each_projection_by_itself():
    recurrent = nn.LSTM(20, 30, num_layers=2, bidirectional=True).double()
    start(recurrent, "lecun", generator=generator())
    for name, value in recurrent.named_parameters():
        if "weight_hh" in name:
            gates = value.detach().reshape(4, 30, 30)
            torch.testing.assert_close(gates @ gates.mT, torch.eye(30, dtype=torch.float64).expand(4, 30, 30))
        elif "weight_ih" in name:
            assert value.std().item() == pytest.approx(1 / math.sqrt(value.shape[1]), rel=0.1)
        else:
            assert not value.any()
    attention = nn.MultiheadAttention(64, 4)
    given = start(attention, "xavier", generator=generator())
    assert given["in_proj_weight"].standard_deviation == pytest.approx(math.sqrt(2 / 128))
    assert attention.in_proj_weight.std().item() == pytest.approx(math.sqrt(2 / 128), rel=0.05)


def test_embedding_and_normalization():
    embedding = nn.Embedding(500, 20, padding_idx=3)
    given = start(embedding, generator=generator(), gain=0.02)
    assert given["weight"] == ("normal", None, None, 0.02)
    assert not embedding.weight[3].any()
    assert embedding.weight[4:].std().item() == pytest.approx(0.02, rel=0.05)
    net = nn.Sequential(nn.BatchNorm1d(4), nn.LayerNorm(4), nn.GroupNorm(2, 4), nn.RMSNorm(4))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(7)
    start(net, generator=generator())
    for name, parameter in net.named_parameters():
        assert (parameter == float(name.endswith("weight"))).all()


def test_what_is_left_alone():
    net = nn.Sequential(nn.Linear(4, 4), nn.PReLU(init=0.1), nn.Linear(4, 4))
    net[0].requires_grad_(False)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    given = start(net, generator=generator())
    assert [name for name, what in given.items() if what.rule == "left"] == ["0.weight", "0.bias", "1.weight"]
    after = net.state_dict()
    for name in ("0.weight", "0.bias", "1.weight"):
        assert torch.equal(before[name], after[name])
    assert not torch.equal(before["2.weight"], after["2.weight"])
    assert all(parameter.grad is None for parameter in net.parameters())


def test_a_shared_tensor_is_drawn_once_and_a_seed_gives_the_same():
    first, second = nn.Linear(8, 8), nn.Linear(8, 8)
    second.weight = first.weight
    given = start(nn.Sequential(first, second), generator=generator())
    assert list(given) == ["0.weight", "0.bias", "1.bias"]
    again = nn.Linear(8, 8)
    start(again, generator=generator())
    assert torch.equal(again.weight, first.weight)


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.scale = nn.Linear(3, 3), nn.Parameter(torch.ones(3))


def test_a_layer_of_ones_own_is_refused_before_anything_is_written():
    net = Own()
    before = net.inner.weight.clone()
    with pytest.raises(ValueError, match=r"module must be made of layers that a rule knows .*, got scale"):
        start(net, generator=generator())
    assert torch.equal(before, net.inner.weight)
    given = start(net, generator=generator(), others="leave")
    assert given["scale"].rule == "left"
    assert not torch.equal(before, net.inner.weight)


@pytest.mark.parametrize(
    ("arguments", "error", "word"),
    [
        ({"module": nn.ReLU}, TypeError, "module"),
        ({"rule": "kaiming"}, ValueError, "rule"),
        ({"distribution": "truncated"}, ValueError, "distribution"),
        ({"gain": 0.0}, ValueError, "gain"),
        ({"negative_slope": math.nan}, ValueError, "negative_slope"),
        ({"generator": 3}, TypeError, "generator"),
        ({"others": "skip"}, ValueError, "others"),
        ({"module": nn.LazyLinear(3)}, ValueError, "module"),
        ({"module": nn.Linear(3, 3, dtype=torch.complex64)}, TypeError, "weight"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_input(arguments, error, word):
    given = {"module": nn.Linear(3, 3), "generator": generator(), **arguments}
    with pytest.raises(error, match=rf"\b{word} must be .*, got "):
        start(**given)
