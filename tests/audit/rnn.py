"""An Elman network by hand; time runs from 1 to T, row 0 of `h` is the initial state."""

import numpy as np

PARAMETERS = {"W": ("n", "n"), "U": ("n", "m"), "b": ("n",)}
INPUTS = {"x": ("m",)}
STATES = {"h": ("n",)}
CONSTANTS = {}


def forward(params, inputs, initial=None, constants=None):
    W, U, b, x = params["W"], params["U"], params["b"], inputs["x"]
    T, B, _ = x.shape
    h = np.zeros((T + 1, B, len(b)), x.dtype)
    if initial and "h" in initial:
        h[0] = initial["h"]
    for t in range(1, T + 1):
        h[t] = np.tanh(h[t - 1] @ W.T + x[t - 1] @ U.T + b)
    return {"h": h[1:].copy()}, (x.copy(), h)


def backward(params, tape, cotangents):
    W, U, b = params["W"], params["U"], params["b"]
    x, h = tape
    T = len(x)
    dh_out = cotangents.get("h", np.zeros(h[1:].shape, x.dtype))
    dW, dU, db = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
    dx, dh_next = np.zeros_like(x), np.zeros_like(h[0])
    for t in range(T, 0, -1):
        dh = dh_out[t - 1] + dh_next
        da = dh * (1 - h[t] ** 2)
        dW += da.T @ h[t - 1]
        dU += da.T @ x[t - 1]
        db += da.sum(axis=0)
        dx[t - 1] = da @ U
        dh_next = da @ W
    return {
        "params": {"W": dW, "U": dU, "b": db},
        "inputs": {"x": dx},
        "initial": {"h": dh_next},
    }
