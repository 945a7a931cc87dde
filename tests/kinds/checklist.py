from __future__ import annotations

CASES = {
    "Data": "holds rows and computes nothing",
    "Script": "says what is asked and computes nothing",
    "Plain": "computes what the functions given to it compute",
    "Finding": "holds words and computes nothing",
    "check_data": "gives sentences and no numbers",
    "check_batch": "gives sentences and no numbers",
    "check_training": "gives sentences and no numbers",
    "checklist": "gives sentences and no numbers",
    "first_fault": "takes what a check gave",
}
