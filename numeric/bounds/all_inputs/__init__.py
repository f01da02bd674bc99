"""Bounds that hold for every input in a box."""
