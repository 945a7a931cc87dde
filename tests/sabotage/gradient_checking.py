"""The break under which the evidence of each claim must fail."""

from __future__ import annotations

import numpy as np

from tests.sabotage import Patch

SABOTAGE: dict[str, Patch | tuple[Patch, ...]] = {
    "gradient-checking": Patch(
        # A step as small as the numbers allow, which somebody takes who knows of truncation alone.
        "dlnotes.numpy.gradient_checking",
        "best_step_size",
        lambda method="centered", *, dtype=np.float64, value=1.0, derivative=1.0: 1e-12,
    ),
}
