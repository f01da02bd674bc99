"""Whether code computes the gradient: cases, oracles, comparison, verdict."""
