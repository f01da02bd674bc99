"""A long short-term memory by hand, the four gates stacked: rows f, i, c_tilde, o."""

import numpy as np

GATES = ("f", "i", "c", "o")
PARAMETERS = {
    name: sizes
    for g in GATES
    for name, sizes in ((f"W_{g}h", ("n", "n")), (f"W_{g}x", ("n", "m")), (f"b_{g}", ("n",)))
}
INPUTS = {"x": ("m",)}
STATES = {"c": ("n",), "h": ("n",)}
CONSTANTS = {}


def check(what, array, shape, dtype):
    if array.shape != shape or array.dtype != dtype:
        raise ValueError(
            f"{what}: expected {shape} of {dtype}, came {array.shape} of {array.dtype}"
        )


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def stacked(params):
    W = np.concatenate([params[f"W_{g}h"] for g in GATES])
    U = np.concatenate([params[f"W_{g}x"] for g in GATES])
    b = np.concatenate([params[f"b_{g}"] for g in GATES])
    return W, U, b


def forward(params, inputs, initial=None, constants=None):
    x = inputs["x"]
    T, B, m = x.shape
    n = len(params["b_f"])
    extents = {"n": n, "m": m}
    for name, sizes in PARAMETERS.items():
        check(name, params[name], tuple(extents[size] for size in sizes), x.dtype)
    W, U, b = stacked(params)
    c = np.zeros((T + 1, B, n), x.dtype)
    h = np.zeros((T + 1, B, n), x.dtype)
    for name, array in (initial or {}).items():
        check(name, array, (B, n), x.dtype)
        {"c": c, "h": h}[name][0] = array
    gates = np.empty((T, 4, B, n), x.dtype)
    for t in range(T):
        a = h[t] @ W.T + x[t] @ U.T + b
        f, i, o = sigmoid(a[:, :n]), sigmoid(a[:, n : 2 * n]), sigmoid(a[:, 3 * n :])
        g = np.tanh(a[:, 2 * n : 3 * n])
        gates[t] = np.stack([f, i, g, o])
        c[t + 1] = f * c[t] + i * g
        h[t + 1] = o * np.tanh(c[t + 1])
    return {"c": c[1:].copy(), "h": h[1:].copy()}, (x.copy(), c, h, gates)


def backward(params, tape, cotangents):
    x, c, h, gates = tape
    T, B, _ = x.shape
    n = c.shape[-1]
    W, U, b = stacked(params)
    zeros = np.zeros((T, B, n), x.dtype)
    c_bars, h_bars = cotangents.get("c", zeros), cotangents.get("h", zeros)
    check("c", c_bars, (T, B, n), x.dtype)
    check("h", h_bars, (T, B, n), x.dtype)
    W_bar, U_bar, b_bar, x_bar = map(np.zeros_like, (W, U, b, x))
    c_carry, h_carry = np.zeros_like(c[0]), np.zeros_like(h[0])
    for t in range(T - 1, -1, -1):
        f, i, g, o = gates[t]
        s = np.tanh(c[t + 1])
        h_bar = h_bars[t] + h_carry
        c_bar = c_bars[t] + h_bar * o * (1 - s * s) + c_carry
        f_bar = c_bar * c[t] * f * (1 - f)
        i_bar = c_bar * g * i * (1 - i)
        g_bar = c_bar * i * (1 - g * g)
        o_bar = h_bar * s * o * (1 - o)
        a_bar = np.concatenate([f_bar, i_bar, g_bar, o_bar], axis=1)
        W_bar += a_bar.T @ h[t]
        U_bar += a_bar.T @ x[t]
        b_bar += a_bar.sum(axis=0)
        x_bar[t] = a_bar @ U
        h_carry = a_bar @ W
        c_carry = c_bar * f
    params_bar = {}
    for k, gate in enumerate(GATES):
        rows = slice(k * n, (k + 1) * n)
        params_bar[f"W_{gate}h"] = W_bar[rows].copy()
        params_bar[f"W_{gate}x"] = U_bar[rows].copy()
        params_bar[f"b_{gate}"] = b_bar[rows].copy()
    return {
        "params": params_bar,
        "inputs": {"x": x_bar},
        "initial": {"c": c_carry, "h": h_carry},
    }
