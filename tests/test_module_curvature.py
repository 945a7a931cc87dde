from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from dlnotes.torch import conditioning, module_curvature  # noqa: E402 - needs torch

LOSS = torch.nn.functional.cross_entropy


def small_net(dtype=torch.float64):
    """A convolutional net with batch normalization and dropout, in evaluation mode."""
    torch.manual_seed(0)
    parts = [torch.nn.Conv2d(1, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.Softplus(), torch.nn.Flatten()]
    parts += [torch.nn.Dropout(0.5), torch.nn.Linear(48, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3)]
    module = torch.nn.Sequential(*parts).to(dtype)
    module(torch.randn(50, 1, 6, 6, dtype=dtype))  # gives the running statistics values
    return module.eval()


def small_data(dtype=torch.float64, sizes=(5, 8, 2)):
    torch.manual_seed(1)
    return [(torch.randn(size, 1, 6, 6, dtype=dtype), torch.randint(0, 3, (size,))) for size in sizes]


def dense(module, batches):
    """The Hessian of the mean loss over all examples, by torch's own functions."""
    variables = {name: value.detach() for name, value in module_curvature.variables(module).items()}
    inputs, targets = (torch.cat(parts) for parts in zip(*batches, strict=True))

    def loss(flat):
        moved = conditioning.unflatten(flat, variables)
        return LOSS(torch.func.functional_call(module, moved, (inputs,)), targets)

    return torch.autograd.functional.hessian(loss, conditioning.flatten(variables))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_products_over_batches_are_those_of_the_mean_over_all_examples():
    module, batches = small_net(), small_data()
    hessian = dense(module, batches)
    product = module_curvature.hessian_product(module, LOSS, batches)
    vectors = torch.randn(2, len(hessian), dtype=torch.float64)
    torch.testing.assert_close(product(vectors), vectors @ hessian, rtol=0, atol=1e-13)
    torch.testing.assert_close(product(vectors[0]), hessian @ vectors[0], rtol=0, atol=1e-13)


def test_nothing_of_the_module_changes():
    module, batches = small_net(), small_data()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    module_curvature.sharpness(module, LOSS, batches, generator(), steps=4)
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(value.grad is None and value.requires_grad for value in module.parameters())


def test_the_spectrum_is_that_of_the_dense_hessian():
    module, batches = small_net(), small_data()
    exact = torch.linalg.eigvalsh(dense(module, batches))
    exact = exact[exact.abs().argsort(descending=True)]
    found = module_curvature.spectrum(
        module, LOSS, batches, generator(), count=4, tolerance=1e-8, steps=60, probes=20, width=0.02
    )
    torch.testing.assert_close(found.eigenvalues.values, exact[:4], rtol=1e-7, atol=0)
    assert (found.eigenvalues.residuals < 1e-3 * exact[0]).all()
    grid, density = found.density.grid, found.density.density
    assert float(torch.trapezoid(density, grid)) == pytest.approx(1, abs=1e-4)
    smooth = (-0.5 * ((grid[:, None] - exact) / 0.02) ** 2).exp().mean(1) / (0.02 * math.sqrt(2 * math.pi))
    assert float((density - smooth).abs().max()) < 0.05 * float(smooth.max())


def test_sharpness_is_the_largest_eigenvalue_and_no_magnitude():
    module, batches = small_net(), small_data()
    exact = float(torch.linalg.eigvalsh(dense(module, batches))[-1])
    found = module_curvature.sharpness(module, LOSS, batches, generator(), tolerance=1e-8)
    assert found.value == pytest.approx(exact, rel=1e-7)
    down = module_curvature.sharpness(module, lambda z, y: -LOSS(z, y), batches, generator(), tolerance=1e-8)
    assert down.value == pytest.approx(-float(torch.linalg.eigvalsh(dense(module, batches))[0]), rel=1e-6)


def test_frozen_and_unused_parameters():
    module, batches = small_net(), small_data()
    whole = dense(module, batches)
    module[0].requires_grad_(False)
    module.register_parameter("unused", torch.nn.Parameter(torch.ones(2, dtype=torch.float64)))
    names = list(module_curvature.variables(module))
    assert "0.weight" not in names
    assert "unused" in names
    product = module_curvature.hessian_product(module, lambda z, y: LOSS(z, y), batches)
    size = sum(value.numel() for value in module_curvature.variables(module).values())
    hessian = conditioning.dense_hessian(product, size)
    frozen = sum(value.numel() for value in module[0].parameters())
    place = conditioning.unflatten(torch.arange(size).double(), module_curvature.variables(module))
    kept = torch.cat([part.reshape(-1) for name, part in place.items() if name != "unused"]).long()
    torch.testing.assert_close(hessian[kept][:, kept], whole[frozen:, frozen:], rtol=0, atol=1e-13)
    assert (hessian[place["unused"].long()] == 0).all()


def test_parameters_of_two_dtypes():
    class Mixed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.narrow, self.wide = torch.nn.Linear(4, 5), torch.nn.Linear(5, 3).double()

        def forward(self, x):
            return self.wide(torch.tanh(self.narrow(x)).double())

    torch.manual_seed(2)
    module = Mixed().eval()
    batches = [(torch.randn(20, 4), torch.randint(0, 3, (20,)))]
    found = module_curvature.sharpness(module, LOSS, batches, generator())
    exact = torch.linalg.eigvalsh(dense(module.double(), [(x.double(), y) for x, y in batches]))[-1]
    assert found.value == pytest.approx(float(exact), rel=1e-3)


def test_a_net_in_single_precision_that_is_large_enough_for_a_second_search():
    torch.manual_seed(4)
    module = torch.nn.Sequential(torch.nn.Linear(20, 16), torch.nn.Tanh(), torch.nn.Linear(16, 5)).eval()
    batches = [(torch.randn(50, 20), torch.randint(0, 5, (50,)))]
    found = module_curvature.spectrum(module, LOSS, batches, generator(), count=3, steps=60)
    exact = torch.linalg.eigvalsh(dense(module.double(), [(x.double(), y) for x, y in batches]))
    exact = exact[exact.abs().argsort(descending=True)]
    torch.testing.assert_close(found.eigenvalues.values.double(), exact[:3], rtol=1e-3, atol=0)


def test_progress_counts_products():
    seen = []
    module, batches = small_net(), small_data()
    found = module_curvature.sharpness(module, LOSS, batches, generator(), steps=7, progress=seen.append)
    assert seen == list(range(1, found.products + 1))


def once():
    return (pair for pair in small_data())


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda a: a | {"module": small_net().train()}, ValueError, "module must be in evaluation mode"),
        (lambda a: a | {"module": lambda x: x}, TypeError, "module must be a torch.nn.Module"),
        (lambda a: a | {"module": torch.nn.Tanh().eval()}, ValueError, "parameters of module that require a gradient"),
        (lambda a: a | {"batches": once()}, ValueError, "batches must be something to go through again"),
        (lambda a: a | {"batches": []}, ValueError, "batches must be at least one batch"),
        (lambda a: a | {"batches": [torch.ones(3)]}, TypeError, "batch 0 of batches must be a pair"),
        (
            lambda a: a | {"batches": [(torch.ones(0, 1, 6, 6).double(), torch.ones(0))]},
            ValueError,
            "inputs of batch 0",
        ),
        (lambda a: a | {"loss": lambda z, y: z.sum(1)}, ValueError, r"loss\(\) must be an array of 0 axes"),
        (lambda a: a | {"loss": lambda z, y: z.sum() + torch.rand(())}, ValueError, "loss must be the same"),
    ],
)
def test_what_has_no_hessian_is_refused(change, error, words):
    arguments = change({"module": small_net(), "loss": LOSS, "batches": small_data()})
    with pytest.raises(error, match=words):
        module_curvature.hessian_product(**arguments)


@pytest.mark.usefixtures("unchecked")
def test_a_generator_is_asked_for():
    with pytest.raises(TypeError, match="generator must be a torch Generator"):
        module_curvature.sharpness(small_net(), LOSS, small_data(), 0)


def test_a_larger_net_has_the_eigenvalues_that_other_products_say():
    """12 thousand parameters, three batches; the products of torch.autograd.functional, and power iteration on them."""
    torch.manual_seed(3)
    module = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.Tanh(), torch.nn.Linear(128, 32)).double().eval()
    batches = [(torch.randn(size, 64).double(), torch.randint(0, 32, (size,))) for size in (100, 60, 30)]
    inputs, targets = (torch.cat(parts) for parts in zip(*batches, strict=True))
    point = {name: value.detach() for name, value in module.named_parameters()}

    def multiply(vector):
        def loss(flat):
            moved = conditioning.unflatten(flat, point)
            return LOSS(torch.func.functional_call(module, moved, (inputs,)), targets)

        return torch.autograd.functional.vhp(loss, conditioning.flatten(point), vector)[1]

    found = module_curvature.spectrum(module, LOSS, batches, generator(), count=3, tolerance=1e-6, steps=60).eigenvalues
    for value, vector in zip(found.values, found.vectors, strict=True):
        assert float(multiply(vector) @ vector) == pytest.approx(float(value), rel=1e-6)
        assert float((multiply(vector) - value * vector).norm()) < 1e-2 * float(value.abs())
    vector = torch.randn(found.vectors.shape[-1]).double()
    for _ in range(60):
        image = multiply(vector / vector.norm())
        vector = image
    assert float(found.values[0].abs()) * 0.95 < float(image.norm()) <= float(found.values[0].abs()) * (1 + 1e-6)
