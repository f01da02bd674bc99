"""Bounds and measured norms along one given sequence."""
