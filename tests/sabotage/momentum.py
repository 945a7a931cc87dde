"""The break under which the evidence of each claim must fail."""

from __future__ import annotations

from dlnotes.numpy import momentum
from tests.sabotage import Patch

KERNELS = "dlnotes.numpy.momentum"


class Forgetful(momentum.Momentum):
    """The heavy ball whose velocity is lost from step to step."""

    def update(self, grads, state, params):
        return super().update(grads, self.init(params), params)


SABOTAGE: dict[str, Patch | tuple[Patch, ...]] = {
    "momentum-average": Patch(KERNELS, "effective_window", lambda beta: 1 / (1 - beta)),
    "momentum-with-any-batch": Patch(KERNELS, "Momentum", Forgetful),
}
