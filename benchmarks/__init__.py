"""How fast the kernels of the book are beside what a learner would take instead: `python -m benchmarks`.

Nothing is imported here, so that the command can set the number of threads before NumPy reads it.
"""
