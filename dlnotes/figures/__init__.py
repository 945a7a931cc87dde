"""The experiments: for each figure one function that gives the numbers and one that draws them."""
