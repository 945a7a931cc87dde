from __future__ import annotations

import numpy as np

RATES, LOSSES = np.array([0.1, 0.2, 0.3]), np.ones((2, 3))


def part(step):
    return 0.1


PARTS = (part, part)
SCHEDULES = {
    "step_decay": {"learning_rate": 0.1, "every": 2},
    "exponential_decay": {"learning_rate": 0.1, "factor": 0.5},
    "inverse_time_decay": {"learning_rate": 0.1, "decay": 0.1},
    "cosine": {"learning_rate": 0.1, "steps": 5},
    "linear": {"learning_rate": 0.1, "steps": 5},
    "one_minus_sqrt": {"learning_rate": 0.1, "steps": 5},
    "cosine_restarts": {"learning_rate": 0.1, "steps": 5},
    "one_cycle": {"learning_rate": 0.1, "steps": 5},
    "warm_up": {"learning_rate": 0.1, "steps": 5},
    "warm_up_stable_decay": {"learning_rate": 0.1, "warm_up_steps": 1, "stable_steps": 1, "decay_steps": 1},
    "exponential_sweep": {"lowest": 0.1, "highest": 1.0, "steps": 5},
    "join": {"parts": PARTS, "boundaries": (2,)},
}

CASES = [
    *(
        (name, {"step": step, **others}, kind, "step")
        for name, others in SCHEDULES.items()
        for step, kind in (
            (-1, ValueError),
            (np.array([3, -1]), ValueError),
            (np.nan, ValueError),
            (np.array([np.inf]), ValueError),
            ("late", TypeError),
        )
    ),
    ("join", {"step": 1, "parts": (), "boundaries": ()}, ValueError, "parts"),
    ("join", {"step": 1, "parts": PARTS, "boundaries": ()}, ValueError, "boundaries"),
    ("join", {"step": 1, "parts": PARTS, "boundaries": (-1,)}, ValueError, "boundaries"),
    ("join", {"step": 1, "parts": (part, part, part), "boundaries": (3, 2)}, ValueError, "boundaries"),
    ("join", {"step": 1, "parts": PARTS, "boundaries": (1.5,)}, TypeError, "boundaries"),
    ("step_decay", {"step": 1, "learning_rate": -0.1, "every": 2}, ValueError, "learning_rate"),
    ("step_decay", {"step": 1, "learning_rate": 0.1, "every": 0}, ValueError, "every"),
    ("step_decay", {"step": 1, "learning_rate": 0.1, "every": 2, "factor": 1.5}, ValueError, "factor"),
    ("exponential_decay", {"step": 1, "learning_rate": 0.1, "factor": 0.0}, ValueError, "factor"),
    ("exponential_decay", {"step": 1, "learning_rate": "fast", "factor": 0.5}, TypeError, "learning_rate"),
    ("inverse_time_decay", {"step": 1, "learning_rate": 0.1, "decay": -1.0}, ValueError, "decay"),
    ("inverse_time_decay", {"step": 1, "learning_rate": 0.1, "decay": 1.0, "power": -1.0}, ValueError, "power"),
    ("cosine", {"step": 1, "learning_rate": np.array([np.nan]), "steps": 2}, ValueError, "learning_rate"),
    ("cosine", {"step": 1, "learning_rate": 0.1, "steps": 0}, ValueError, "steps"),
    ("cosine", {"step": 1, "learning_rate": 0.1, "steps": 2, "final_rate": -0.1}, ValueError, "final_rate"),
    *(
        (name, {"step": 1, "learning_rate": 0.1, "steps": 5, **wrong}, ValueError, *wrong)
        for name in ("linear", "one_minus_sqrt", "cosine_restarts")
        for wrong in ({"learning_rate": -0.1}, {"steps": 0}, {"final_rate": -0.1})
    ),
    ("cosine_restarts", {"step": 1, "learning_rate": 0.1, "steps": 5, "growth": 0}, ValueError, "growth"),
    ("cosine_restarts", {"step": 1, "learning_rate": 0.1, "steps": 5, "growth": 1.5}, TypeError, "growth"),
    *(
        ("one_cycle", {"step": 1, "learning_rate": 0.1, "steps": 5, **wrong}, ValueError, *wrong)
        for wrong in (
            {"learning_rate": -0.1},
            {"steps": 1},
            {"rise": 1.0},
            {"rise": -0.1},
            {"start": 0.0},
            {"end": 0.0},
        )
    ),
    ("reduce_on_plateau", {"losses": np.array(1.0), "learning_rate": 0.1}, ValueError, "losses"),
    ("reduce_on_plateau", {"losses": np.ones(3, dtype=int), "learning_rate": 0.1}, TypeError, "losses"),
    *(
        ("reduce_on_plateau", {"losses": LOSSES, "learning_rate": 0.1, **wrong}, ValueError, *wrong)
        for wrong in (
            {"learning_rate": -0.1},
            {"patience": -1},
            {"factor": 0.0},
            {"factor": 1.5},
            {"threshold": 1.0},
            {"threshold": -0.1},
        )
    ),
    ("warm_up", {"step": 1, "learning_rate": 0.1, "steps": -1}, ValueError, "steps"),
    ("warm_up", {"step": 1, "learning_rate": 0.1, "steps": 1.5}, TypeError, "steps"),
    *(
        (
            "warm_up_stable_decay",
            {"step": 1, "learning_rate": 0.1, "warm_up_steps": 1, "stable_steps": 1, "decay_steps": 1, **wrong},
            ValueError,
            *wrong,
        )
        for wrong in (
            {"learning_rate": -1.0},
            {"warm_up_steps": -1},
            {"stable_steps": -1},
            {"decay_steps": 0},
            {"final_rate": -1.0},
        )
    ),
    ("exponential_sweep", {"step": 1, "lowest": 0.0, "highest": 1.0, "steps": 5}, ValueError, "lowest"),
    ("exponential_sweep", {"step": 1, "lowest": 0.1, "highest": 0.0, "steps": 5}, ValueError, "highest"),
    ("exponential_sweep", {"step": 1, "lowest": 0.1, "highest": 1.0, "steps": 1}, ValueError, "steps"),
    ("range_test", {"rates": RATES[:1], "losses": LOSSES[:, :1]}, ValueError, "rates"),
    ("range_test", {"rates": RATES[::-1], "losses": LOSSES}, ValueError, "rates"),
    ("range_test", {"rates": RATES - 0.1, "losses": LOSSES}, ValueError, "rates"),
    ("range_test", {"rates": RATES[None], "losses": LOSSES}, ValueError, "rates"),
    ("range_test", {"rates": RATES, "losses": -LOSSES}, ValueError, "losses"),
    ("range_test", {"rates": RATES, "losses": LOSSES[:, :2]}, ValueError, "losses"),
    ("range_test", {"rates": RATES, "losses": np.ones(3, dtype=int)}, TypeError, "losses"),
    ("range_test", {"rates": RATES, "losses": LOSSES, "beta": 1.0}, ValueError, "beta"),
    ("range_test", {"rates": RATES, "losses": LOSSES, "tolerance": 1.0}, ValueError, "tolerance"),
    ("Scale", {"factor": np.nan}, ValueError, "factor"),
]
