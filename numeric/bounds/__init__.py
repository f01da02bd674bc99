"""Certified bounds on the growth of gradients, and measured norms beside them."""
