"""The type checker of the tests: an int is fine where a float is annotated, as it is for readers."""

from __future__ import annotations

import beartype

checked = beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))
