"""The checklist asked of torch modules: healthy ones pass, and faults of PyTorch's own kind are named."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import jaxtyping  # noqa: E402
from torch import nn  # noqa: E402

from dlnotes.figures import babysitting_faults  # noqa: E402
from dlnotes.numpy import checklist  # noqa: E402
from dlnotes.torch import module_checklist  # noqa: E402

pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.fixture
def unchecked():
    """Check no shapes: this is many trainings, and the kernels' own tests check theirs."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


def build(*middle):
    return lambda: nn.Sequential(nn.Linear(64, 50), *(made() for made in middle), nn.ReLU(), nn.Linear(50, 10))


def norm():
    return nn.BatchNorm1d(50)


def dropout():
    return nn.Dropout(0.5)


def sgd(parameters):
    return torch.optim.SGD(parameters, 0.1, momentum=0.9)


def asked(script, seed=0):
    return checklist.checklist(script, babysitting_faults.data(seed), classes=10, seed=seed, steps=50)


@pytest.mark.parametrize("middle", [(), (norm,), (dropout,)], ids=["plain", "norm", "dropout"])
def test_healthy_modules_pass(middle):
    state = torch.get_rng_state()
    found = asked(module_checklist.ModuleScript(build(*middle), sgd))
    assert checklist.first_fault(found) is None, checklist.first_fault(found)
    assert torch.equal(torch.get_rng_state(), state)


def test_images_pass_through_convolutions():
    rows = babysitting_faults.data(1)
    data = rows._replace(inputs=rows.inputs.reshape(-1, 1, 8, 8), held_inputs=rows.held_inputs.reshape(-1, 1, 8, 8))

    def convolutional():
        return nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10))

    script = module_checklist.ModuleScript(convolutional, lambda own: torch.optim.Adam(own, 0.01))
    assert checklist.first_fault(checklist.checklist(script, data, classes=10, steps=50)) is None


BATCH = ("repeats", "rows", "mean", "first loss", "slope", "downhill", "units")


def of_batch(script, seed=0):
    return checklist.check_batch(script, babysitting_faults.data(seed), classes=10, seed=seed)


class Functional(nn.Module):
    """Dropout as a function, which no one can turn off from without."""

    def __init__(self, share=0.2):
        super().__init__()
        self.inner, self.outer, self.share = nn.Linear(64, 50), nn.Linear(50, 10), share

    def forward(self, x):
        return self.outer(nn.functional.dropout(torch.relu(self.inner(x)), self.share, self.training))


def test_noise_that_stays_on_is_averaged_over_and_faults_are_seen_through_it():
    def plain_sgd(parameters):
        return torch.optim.SGD(parameters, 0.1)

    for seed in (0, 1):
        found = of_batch(module_checklist.ModuleScript(Functional, plain_sgd), seed)
        assert checklist.first_fault(found) is None, checklist.first_fault(found)
        assert found[2].sentence.startswith("Noise is on. A batch joined to itself has ")

    def summed(module, inputs, targets):
        module.zero_grad()
        loss = nn.functional.cross_entropy(module(inputs), targets, reduction="sum")
        loss.backward()
        return loss

    assert not of_batch(module_checklist.ModuleScript(Functional, plain_sgd, summed))[2].passed
    uphill = module_checklist.ModuleScript(Functional, lambda own: torch.optim.SGD(own, 0.1, maximize=True))
    assert checklist.first_fault(of_batch(uphill)).check == "downhill"
    loud = of_batch(module_checklist.ModuleScript(lambda: Functional(0.99), plain_sgd))
    assert loud[2].passed


@pytest.mark.parametrize("seed", range(4))
def test_three_layers_of_batch_norm_in_single_precision_have_the_slope_they_say(seed):
    def deep():
        layers = [nn.Linear(64, 50), nn.BatchNorm1d(50), nn.ReLU()]
        for _ in range(2):
            layers += [nn.Linear(50, 50), nn.BatchNorm1d(50), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(50, 10))

    assert checklist.first_fault(of_batch(module_checklist.ModuleScript(deep, sgd), seed)) is None


class Branch(nn.Module):
    """A residual branch whose last layer starts at 0."""

    def __init__(self):
        super().__init__()
        self.first, self.up, self.down, self.last = (nn.Linear(*s) for s in ((64, 50), (50, 50), (50, 50), (50, 10)))
        nn.init.zeros_(self.down.weight)

    def forward(self, x):
        x = self.first(x)
        return self.last(x + self.down(torch.relu(self.up(x))))


def test_a_residual_branch_that_starts_at_zero_is_no_fault():
    assert checklist.first_fault(of_batch(module_checklist.ModuleScript(Branch, sgd))) is None


def not_zeroed(module, inputs, targets):
    loss = nn.functional.cross_entropy(module(inputs), targets)
    loss.backward()
    return loss


@pytest.mark.parametrize(
    ("arguments", "check"),
    [
        ({"backward": not_zeroed}, "repeats"),
        ({"predict": lambda module, x: module.train()(x), "build": build(dropout)}, "repeats"),
        ({"predict": lambda module, x: module.train()(x), "build": build(norm)}, "rows"),
        ({"build": lambda: nn.Sequential(build()(), nn.Softmax(1))}, "tiny set"),
        ({"optimizer": lambda own: torch.optim.SGD(list(own)[2:], 0.1, momentum=0.9)}, "moves"),
        ({"optimizer": lambda own: torch.optim.SGD(own, 10.0, momentum=0.9)}, "rate"),
        ({"optimizer": lambda own: torch.optim.SGD(own, 0.1, momentum=0.9, maximize=True)}, "downhill"),
    ],
)
def test_faults_of_a_module_are_named(arguments, check):
    arguments = {"build": build(), "optimizer": sgd, **arguments}
    script = module_checklist.ModuleScript(**arguments)
    assert checklist.first_fault((of_batch if check in BATCH else asked)(script)).check == check


def test_what_builds_no_module_is_refused():
    script = module_checklist.ModuleScript(lambda: None, sgd)
    with pytest.raises(TypeError, match="build"):
        script.restart(0)


def test_frozen_parameters_are_passed_over():
    def frozen():
        module = build()()
        module[0].weight.requires_grad_(False)
        return module

    script = module_checklist.ModuleScript(
        frozen, lambda own: torch.optim.SGD([p for p in own if p.requires_grad], 0.1, momentum=0.9)
    )
    assert checklist.first_fault(asked(script)) is None
