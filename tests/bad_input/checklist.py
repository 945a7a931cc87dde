from __future__ import annotations

import numpy as np

from dlnotes.figures import babysitting_faults
from dlnotes.numpy import checklist

ROWS = np.random.default_rng(0).normal(size=(20, 3))
LABELS = np.arange(20) % 2
DATA = checklist.Data(ROWS, LABELS, ROWS[:5] + 1, LABELS[:5])
SCRIPT = babysitting_faults.script(sizes=(3, 4, 2))
MADE = {"start": len, "forward": len, "loss_and_gradient": len, "optimizer": len}
ALL = {"script": SCRIPT, "data": DATA, "classes": 2}

CASES = [
    ("check_data", {"data": ROWS}, TypeError, "data"),
    ("check_data", {"data": DATA._replace(inputs=LABELS[:, None])}, TypeError, "inputs"),
    ("check_data", {"data": DATA._replace(inputs=ROWS[:, 0])}, ValueError, "inputs"),
    ("check_data", {"data": DATA._replace(inputs=ROWS[:1], targets=LABELS[:1])}, ValueError, "inputs"),
    ("check_data", {"data": DATA._replace(targets=LABELS[:7])}, ValueError, "targets"),
    ("check_data", {"data": DATA._replace(targets=LABELS / 2)}, TypeError, "targets"),
    ("check_data", {"data": DATA._replace(held_inputs=ROWS[:5, :2])}, ValueError, "held_inputs"),
    ("check_data", {"data": DATA._replace(held_targets=LABELS[:4])}, ValueError, "held_targets"),
    *(
        (name, {**ALL, **change}, error, argument)
        for name in ("check_batch", "check_training", "checklist")
        for change, error, argument in (
            ({"script": None}, TypeError, "script"),
            ({"classes": 1}, ValueError, "classes"),
            ({"data": DATA._replace(targets=LABELS + 1)}, ValueError, "targets"),
            ({"data": DATA._replace(held_targets=LABELS[:5] + 1)}, ValueError, "held_targets"),
        )
    ),
    ("check_batch", {**ALL, "size": 2}, ValueError, "size"),
    *(
        (name, {**ALL, **change}, ValueError, argument)
        for name in ("check_training", "checklist")
        for change, argument in (({"steps": 9}, "steps"), ({"batch_size": 21}, "batch_size"))
    ),
    ("Plain", {**MADE, "start": 3}, TypeError, "start"),
    ("first_fault", {"findings": 3}, TypeError, "findings"),
]
