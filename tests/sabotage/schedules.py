"""The break under which the evidence of each claim must fail."""

from __future__ import annotations

from dlnotes.numpy import schedules
from tests.sabotage import Patch

inverse_time = schedules.inverse_time_decay

SABOTAGE: dict[str, Patch | tuple[Patch, ...]] = {
    # A schedule that forgets its decay.
    "learning-rate-decay": Patch(
        "dlnotes.numpy.schedules",
        "inverse_time_decay",
        lambda step, learning_rate, decay, power=1.0: inverse_time(step, learning_rate, 0 * decay, power),
    ),
}
