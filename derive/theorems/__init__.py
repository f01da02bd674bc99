"""What bounds the growth of gradients: theorems with assumptions and proofs."""
