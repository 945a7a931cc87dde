from __future__ import annotations

CASES = {
    "SGD": "an optimizer: the gradient times the rate",
    "epoch": "integers of a generator alone",
    "shuffled_order": "integers of a generator alone",
    "split_into_batches": "cuts integers into views",
}
