from __future__ import annotations

import numpy as np

LOSSES = np.array([2.3, 2.4, 2.5])
CHECK = {"losses": LOSSES, "strengths": (0.0, 0.1, 1.0), "classes": 10}
TINY = {"gradient": lambda params: (0.0, params), "parameters": {}, "optimizer": None}
REPORT = {"losses": np.linspace(2.0, 1.0, 20)}
PARAMS = {"w": np.ones((2, 3))}


def seen(backend, array):
    return backend.training_report(np.linspace(2.0, 1.0, 20))


CASES = [
    ("expected_first_loss", {"classes": 1}, ValueError, "classes"),
    ("expected_first_loss", {"classes": 2.0}, TypeError, "classes"),
    ("expected_first_loss", {"classes": 3, "logit_deviation": -1.0}, ValueError, "logit_deviation"),
    ("expected_first_loss", {"classes": 3, "logit_deviation": 21.0}, ValueError, "logit_deviation"),
    ("first_loss_check", {**CHECK, "strengths": (0.0,)}, ValueError, "strengths"),
    ("first_loss_check", {**CHECK, "strengths": (0.1, 0.2, 0.3)}, ValueError, "strengths"),
    ("first_loss_check", {**CHECK, "strengths": (0.0, 0.2, 0.2)}, ValueError, "strengths"),
    ("first_loss_check", {**CHECK, "strengths": (0.0, 0.2)}, ValueError, "losses"),
    ("first_loss_check", {**CHECK, "losses": np.ones(3, dtype=int)}, TypeError, "losses"),
    ("first_loss_check", {**CHECK, "classes": 0}, ValueError, "classes"),
    ("first_loss_check", {**CHECK, "tolerance": 0.0}, ValueError, "tolerance"),
    ("overfit_tiny_set", {**TINY, "steps": 0}, ValueError, "steps"),
    ("overfit_tiny_set", {**TINY, "goal": 0.0}, ValueError, "goal"),
    ("overfit_tiny_set", TINY, ValueError, "parameters"),
    ("overfit_tiny_set", {**TINY, "parameters": PARAMS}, TypeError, "optimizer"),
    ("update_ratios", {"params": PARAMS, "updates": {"v": np.ones((2, 3))}}, ValueError, "updates"),
    ("update_ratios", {"params": PARAMS, "updates": {"w": np.ones(3)}}, ValueError, "updates"),
    ("update_ratios", {"params": PARAMS, "updates": PARAMS, "run_axes": 3}, ValueError, "run_axes"),
    ("update_ratios", {"params": np.ones(3), "updates": PARAMS}, TypeError, "params"),
    ("training_report", {"losses": np.ones(1)}, ValueError, "losses"),
    ("training_report", {"losses": np.ones(5, dtype=int)}, TypeError, "losses"),
    ("training_report", {**REPORT, "chance": 0.0}, ValueError, "chance"),
    ("training_report", {**REPORT, "tolerance": 0.0}, ValueError, "tolerance"),
    ("training_report", {**REPORT, "held_out": np.ones((2, 3))}, ValueError, "held_out"),
    ("training_report", {**REPORT, "held_out": np.ones(0)}, ValueError, "held_out"),
    ("training_report", {**REPORT, "ratios": {"w": np.ones((2, 3))}}, ValueError, "ratios"),
    ("training_report", {**REPORT, "false_alarm_rate": 0.0}, ValueError, "false_alarm_rate"),
    ("training_report", {**REPORT, "false_alarm_rate": 1.0}, ValueError, "false_alarm_rate"),
    ("training_report", {**REPORT, "stopped_at": np.array(1)}, ValueError, "stopped_at"),
    ("training_report", {**REPORT, "stopped_at": np.array(21)}, ValueError, "stopped_at"),
    ("training_report", {**REPORT, "stopped_at": np.array([5, 5])}, ValueError, "stopped_at"),
    ("training_report", {**REPORT, "stopped_at": np.array(5.0)}, TypeError, "stopped_at"),
    ("rise_probability", {"values": np.arange(3)}, TypeError, "values"),
    ("rise_probability", {"values": np.ones(0)}, ValueError, "values"),
    ("rise_probability", {"values": np.array(1.0)}, ValueError, "values"),
    ("higher_probability", {"before": np.ones(3), "after": np.ones(0)}, ValueError, "after"),
    ("higher_probability", {"before": np.ones(0), "after": np.ones(3)}, ValueError, "before"),
    ("higher_probability", {"before": np.ones((2, 3)), "after": np.ones(3)}, ValueError, "after"),
    ("higher_probability", {"before": np.arange(3), "after": np.ones(3)}, TypeError, "before"),
    ("describe", lambda backend, array: {"report": seen(backend, array), "run": (0,)}, ValueError, "run"),
]
