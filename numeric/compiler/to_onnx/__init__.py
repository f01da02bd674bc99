"""ONNX as a target: a cell over a sequence as a model with a Scan, forward pass alone."""
