"""JAX as a target: pure functions over lax.scan, whose gradients are the derived ones."""
