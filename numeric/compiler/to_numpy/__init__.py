"""Program → a NumPy module."""
