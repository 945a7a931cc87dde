from __future__ import annotations

CASES = {
    "aligned": "shapes one number a run, and computes nothing",
    "generators": "takes generators and no numbers",
    "zeros_like": "gives zeros whatever it is given",
}
