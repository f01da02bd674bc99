"""Code of PyTorch and JAX with a backward pass of its own, given the module interface."""
