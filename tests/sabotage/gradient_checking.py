"""The break under which the evidence of each claim must fail."""

from __future__ import annotations

from tests.sabotage import Patch

SABOTAGE: dict[str, Patch | tuple[Patch, ...]] = {
    "gradient-checking": Patch(
        # A step as small as the numbers allow, which somebody takes who knows of truncation alone.
        "dlnotes.difference_quotients",
        "best_step_size",
        lambda method="centered", *, dtype="float64", value=1.0, derivative=1.0: 1e-12,
    ),
}
