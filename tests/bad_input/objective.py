"""What the losses refuse."""

from __future__ import annotations

import numpy as np

Z = np.zeros((4, 3))
Y = np.array([0, 1, 2, 0])
WHOLE = np.zeros((4, 3), dtype=int)
RUNS = np.zeros((2, 5, 4, 3))
SCORES = np.zeros(4)
TARGETS = np.full(4, 0.5)


def labeled(name, **extra):
    """Cases that every loss of logits and labels must refuse."""

    def case(argument, error, **given):
        return (name, {**extra, "logits": Z, "labels": Y, **given}, error, argument)

    return [
        case("logits", TypeError, logits=WHOLE),
        case("logits", ValueError, logits=np.zeros((4, 0))),
        case("logits", ValueError, logits=np.zeros((0, 3)), labels=Y[:0]),
        case("logits", ValueError, logits=Z[0]),
        case("labels", TypeError, labels=Y.astype(float)),
        case("labels", TypeError, labels=[0, 1, 2, 0]),
        case("labels", TypeError, labels=Y > 0),
        case("labels", ValueError, labels=Y + 1),
        case("labels", ValueError, labels=Y - 1),
        case("labels", ValueError, labels=Y[:3]),
        case("labels", ValueError, labels=Y[:1]),
        case("labels", ValueError, labels=np.array(0)),
        case("labels", ValueError, labels=Y[:, None]),
        case("labels", ValueError, logits=RUNS, labels=np.zeros((3, 4), dtype=int)),
        case("labels", ValueError, labels=np.zeros((1, 2, 4), dtype=int)),
    ]


def grad_output(name, **given):
    return [
        (name, {"grad_output": np.ones(3), **given}, ValueError, "grad_output"),
        (name, {"grad_output": np.array([np.nan, 1.0]), **given}, ValueError, "grad_output"),
        (name, {"grad_output": "1", **given}, TypeError, "grad_output"),
    ]


PER_RUN = {"logits": RUNS, "labels": Y}

CASES = [
    *labeled("cross_entropy"),
    *labeled("cross_entropy_backward", grad_output=1.0),
    *labeled("cross_entropy_with_gradient"),
    *labeled("zero_one_loss"),
    *labeled("margins"),
    *labeled("hinge"),
    *labeled("hinge_backward", grad_output=1.0),
    *(
        (name, {"logits": Z[:, :1], "labels": Y * 0, **extra}, ValueError, "logits")
        for name, extra in (("margins", {}), ("hinge", {}), ("hinge_backward", {"grad_output": 1.0}))
    ),
    ("hinge", {"logits": Z, "labels": Y, "margin": 0.0}, ValueError, "margin"),
    ("hinge", {"logits": Z, "labels": Y, "margin": np.inf}, ValueError, "margin"),
    ("hinge_backward", {"grad_output": 1.0, "logits": Z, "labels": Y, "margin": -1.0}, ValueError, "margin"),
    *grad_output("cross_entropy_backward", **PER_RUN),
    *grad_output("hinge_backward", **PER_RUN),
    *grad_output("squared_error_backward", outputs=RUNS, targets=Z),
    *grad_output("binary_cross_entropy_with_logits_backward", logits=RUNS[..., 0], targets=TARGETS),
    *((name, {"logits": WHOLE}, TypeError, "logits") for name in ("softmax", "log_softmax", "log_sum_exp")),
    *((name, {"logits": Z[:, :0]}, ValueError, "logits") for name in ("softmax", "log_softmax", "log_sum_exp")),
    *((name, {"logits": np.array(1.0)}, ValueError, "logits") for name in ("softmax", "log_softmax", "log_sum_exp")),
    *(
        (name, {"grad_output": np.ones((3, 4)), "logits": Z}, ValueError, "grad_output")
        for name in ("softmax_backward", "log_softmax_backward", "log_sum_exp_backward")
    ),
    *(
        (name, {"grad_output": WHOLE, "logits": Z}, TypeError, "grad_output")
        for name in ("softmax_backward", "log_softmax_backward", "log_sum_exp_backward")
    ),
    ("binary_cross_entropy_with_logits", {"logits": SCORES, "targets": TARGETS + 1}, ValueError, "targets"),
    ("binary_cross_entropy_with_logits", {"logits": SCORES, "targets": -TARGETS}, ValueError, "targets"),
    ("binary_cross_entropy_with_logits", {"logits": SCORES, "targets": TARGETS * np.nan}, ValueError, "targets"),
    ("binary_cross_entropy_with_logits", {"logits": SCORES, "targets": Y}, TypeError, "targets"),
    ("binary_cross_entropy_with_logits", {"logits": SCORES, "targets": TARGETS[:3]}, ValueError, "targets"),
    ("binary_cross_entropy_with_logits", {"logits": Y, "targets": TARGETS}, TypeError, "logits"),
    ("binary_cross_entropy_with_logits", {"logits": SCORES[:0], "targets": TARGETS[:0]}, ValueError, "logits"),
    (
        "binary_cross_entropy_with_logits_backward",
        {"grad_output": 1.0, "logits": SCORES, "targets": TARGETS + 1},
        ValueError,
        "targets",
    ),
    ("squared_error", {"outputs": WHOLE, "targets": Z}, TypeError, "outputs"),
    ("squared_error", {"outputs": Z, "targets": WHOLE}, TypeError, "targets"),
    ("squared_error", {"outputs": Z, "targets": Z[:2]}, ValueError, "targets"),
    ("squared_error", {"outputs": Z, "targets": RUNS}, ValueError, "targets"),
    ("squared_error", {"outputs": Z, "targets": Z[0]}, ValueError, "targets"),
    ("squared_error", {"outputs": Z, "targets": Z[:1]}, ValueError, "targets"),
    ("squared_error_backward", {"grad_output": 1.0, "outputs": Z, "targets": Z[0]}, ValueError, "targets"),
    ("binary_cross_entropy_with_logits", {"logits": SCORES, "targets": TARGETS[:1]}, ValueError, "targets"),
    ("squared_error", {"outputs": Z[:0], "targets": Z[:0]}, ValueError, "outputs"),
    ("squared_error", {"outputs": Z[0], "targets": Z[0]}, ValueError, "outputs"),
    ("squared_error_backward", {"grad_output": 1.0, "outputs": Z, "targets": Z[:, :2]}, ValueError, "targets"),
]
