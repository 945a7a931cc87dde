"""The same kernels in PyTorch, for any device and dtype: same name, same meaning, same result."""
