"""An Elman network by hand: h_t = tanh(W h_{t−1} + U x_t + b)."""

import numpy as np

PARAMETERS = {"W": ("n", "n"), "U": ("n", "m"), "b": ("n",)}
INPUTS = {"x": ("m",)}
STATES = {"h": ("n",)}
CONSTANTS = {}


def check(what, array, shape, dtype):
    if array.shape != shape or array.dtype != dtype:
        raise ValueError(
            f"{what}: expected {shape} of {dtype}, came {array.shape} of {array.dtype}"
        )


def forward(params, inputs, initial=None, constants=None):
    W, U, b, x = params["W"], params["U"], params["b"], inputs["x"]
    T, B, m = x.shape
    n = len(b)
    for name, array, shape in (("W", W, (n, n)), ("U", U, (n, m)), ("b", b, (n,))):
        check(name, array, shape, x.dtype)
    h_first = (initial or {}).get("h")
    if h_first is None:
        h_first = np.zeros((B, n), x.dtype)
    check("h", h_first, (B, n), x.dtype)
    h = np.empty((T + 1, B, n), x.dtype)
    h[0] = h_first
    for t in range(T):
        h[t + 1] = np.tanh(h[t] @ W.T + x[t] @ U.T + b)
    return {"h": h[1:].copy()}, (x.copy(), h)


def backward(params, tape, cotangents):
    W, U, b = params["W"], params["U"], params["b"]
    x, h = tape
    T = len(x)
    h_bars = cotangents.get("h", np.zeros((T, *h.shape[1:]), x.dtype))
    check("h", h_bars, (T, *h.shape[1:]), x.dtype)
    W_bar, U_bar, b_bar = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
    x_bar, h_bar = np.zeros_like(x), np.zeros_like(h[0])
    for t in range(T, 0, -1):
        h_bar = h_bar + h_bars[t - 1]
        a_bar = h_bar * (1 - h[t] * h[t])
        W_bar += a_bar.T @ h[t - 1]
        U_bar += a_bar.T @ x[t - 1]
        b_bar += a_bar.sum(axis=0)
        x_bar[t - 1] = a_bar @ U
        h_bar = a_bar @ W
    return {
        "params": {"W": W_bar, "U": U_bar, "b": b_bar},
        "inputs": {"x": x_bar},
        "initial": {"h": h_bar},
    }
