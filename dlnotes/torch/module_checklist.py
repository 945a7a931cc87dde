"""A `torch.nn.Module` and its optimizer as a script for `dlnotes.numpy.checklist`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from dlnotes import checks

_DROPOUT = (
    *(nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d),
    *(nn.AlphaDropout, nn.FeatureAlphaDropout),
)


def cross_entropy_backward(module: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """Set the gradient to zero, and leave that of the mean cross-entropy in the parameters.

    Args:
        module: Gives logits.
        inputs: One row an example.
        targets: Their classes.

    Returns:
        The loss.

    Source: definition.
    """
    module.zero_grad()
    loss = nn.functional.cross_entropy(module(inputs), targets)
    loss.backward()
    return loss


class ModuleScript:
    """What the checklist asks, asked of a module.

    It is judged in `eval` mode and trained in `train` mode, but layers such as `nn.Dropout` are off in both, because
    the checks compare losses. Other noise, as of `functional.dropout`, of attention or between the layers of `nn.LSTM`,
    stays on: a gradient draws it with the seed it is given, a step from Torch's own state, which gradients leave alone.
    Arrays that come and go are NumPy's.

    Args:
        build: Makes the module anew, its weights drawn by Torch's generators.
        optimizer: Makes the optimizer of the parameters given.
        backward: `(module, inputs, targets) -> loss`, which leaves the gradient in the parameters, as your training
            does it, zeroing included.
        predict: `(module, inputs) -> logits`, as you judge it; by default the module itself in `eval` mode.

    Raises:
        TypeError: If `build` gives no module.

    Source: definition.
    """

    def __init__(
        self,
        build: Callable[[], nn.Module],
        optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
        backward: Callable[[nn.Module, Tensor, Tensor], Tensor] = cross_entropy_backward,
        predict: Callable[[nn.Module, Tensor], Tensor] | None = None,
    ):
        self.build, self.make_optimizer, self.backward, self.predict = build, optimizer, backward, predict

    def restart(self, seed: int, factor: float = 1.0) -> None:
        """Build the module with this seed, and the optimizer with its rates times the factor."""
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.module = checks.instance("what build gives", self.build(), nn.Module, "a torch.nn.Module")
        self.optimizer = self.make_optimizer(self.module.parameters())
        for group in self.optimizer.param_groups:
            group["lr"] = group["lr"] * factor

    def _named(self) -> dict[str, nn.Parameter]:
        return dict(self.module.named_parameters())

    def _tensors(self, *arrays: Any) -> list[Tensor]:
        place = next(self.module.parameters())
        tensors = [torch.tensor(array).to(place.device) for array in arrays]
        return [tensor.to(place.dtype) if tensor.is_floating_point() else tensor.long() for tensor in tensors]

    def parameters(self) -> dict[str, Any]:
        """Copy the parameters."""
        return {name: value.detach().cpu().numpy().copy() for name, value in self._named().items()}

    @torch.no_grad()
    def load(self, parameters: dict[str, Any]) -> None:
        """Write such a copy back."""
        for name, value in self._named().items():
            value.copy_(torch.from_numpy(parameters[name]))

    @torch.no_grad()
    def logits(self, inputs: Any) -> Any:
        """Give what the module is judged by."""
        (x,) = self._tensors(inputs)
        if self.predict is None:
            self.module.eval()
            return self.module(x).cpu().numpy()
        return self.predict(self.module, x).cpu().numpy()

    def _train_without_dropout(self) -> None:
        self.module.train()
        for layer in self.module.modules():
            if isinstance(layer, _DROPOUT):
                layer.eval()

    def gradient(self, inputs: Any, targets: Any, noise: int = 0) -> tuple[float, dict[str, Any]]:
        """Give loss and gradient as training has them, noise drawn with this seed; what has no gradient is left out."""
        self._train_without_dropout()
        with torch.random.fork_rng():
            torch.manual_seed(noise)
            loss = self.backward(self.module, *self._tensors(inputs, targets))
        grads = {name: value.grad for name, value in self._named().items() if value.grad is not None}
        return float(loss.detach()), {name: grad.cpu().numpy().copy() for name, grad in grads.items()}

    def step(self, inputs: Any, targets: Any) -> float:
        """Take a step of the optimizer."""
        self._train_without_dropout()
        loss = self.backward(self.module, *self._tensors(inputs, targets))
        self.optimizer.step()
        return float(loss.detach())
