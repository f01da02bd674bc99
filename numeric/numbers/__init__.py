"""Kinds of numbers: field elements, error bounds, fifty digits, intervals, matrices."""
