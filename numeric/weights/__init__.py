"""Weights of trained networks: files, and layouts of frameworks."""
