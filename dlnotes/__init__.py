"""dlnotes: the code behind an executable textbook on training deep neural networks."""

__version__ = "0.1.0"
