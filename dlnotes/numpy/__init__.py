"""Reference kernels in NumPy, each read as its equation: `from dlnotes.numpy import initialization`."""
