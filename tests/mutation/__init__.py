"""Breaks the kernels in many small ways and asks whether a test notices: `make mutants`.

A survivor is either a gap in the tests or a change without effect. `explained.yaml` says which of them have no effect,
and why.
"""
