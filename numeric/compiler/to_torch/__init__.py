"""PyTorch as a target: a module whose gradients are those of the NumPy code in the same file."""
