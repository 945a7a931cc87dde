"""Reference kernels in NumPy: each reads as its equation. Import the chapter you need: `from dlnotes.numpy import initialization`."""
