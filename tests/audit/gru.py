"""A gated recurrent unit by hand, the reset before the product, z weighing the new."""

import numpy as np

PARAMETERS = {}
for _g in ("z", "r", "h"):
    PARAMETERS |= {f"W_{_g}h": ("n", "n"), f"W_{_g}x": ("n", "m"), f"b_{_g}": ("n",)}
INPUTS = {"x": ("m",)}
STATES = {"h": ("n",)}
CONSTANTS = {}


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def forward(params, inputs, initial=None, constants=None):
    x, p = inputs["x"], params
    T, B, _ = x.shape
    h = np.zeros((T + 1, B, len(p["b_z"])), x.dtype)
    h[0] = (initial or {}).get("h", 0)
    z, r, g = np.zeros_like(h), np.zeros_like(h), np.zeros_like(h)
    for t in range(1, T + 1):
        now, before = x[t - 1], h[t - 1]
        z[t] = sigmoid(before @ p["W_zh"].T + now @ p["W_zx"].T + p["b_z"])
        r[t] = sigmoid(before @ p["W_rh"].T + now @ p["W_rx"].T + p["b_r"])
        g[t] = np.tanh((r[t] * before) @ p["W_hh"].T + now @ p["W_hx"].T + p["b_h"])
        h[t] = (1 - z[t]) * before + z[t] * g[t]
    return {"h": h[1:].copy()}, (x.copy(), h, z, r, g)


def backward(params, tape, cotangents):
    p, (x, h, z, r, g) = params, tape
    T = len(x)
    dh_out = cotangents.get("h", np.zeros(h[1:].shape, x.dtype))
    d = {name: np.zeros_like(value) for name, value in params.items()}
    dx, dh_next = np.zeros_like(x), np.zeros_like(h[0])
    for t in range(T, 0, -1):
        now, before = x[t - 1], h[t - 1]
        dh = dh_out[t - 1] + dh_next
        dz = dh * (g[t] - before)
        dg = dh * z[t]
        da_h = dg * (1 - g[t] ** 2)
        du = da_h @ p["W_hh"]
        dr = du * before
        da_r = dr * r[t] * (1 - r[t])
        da_z = dz * z[t] * (1 - z[t])
        d["W_hh"] += da_h.T @ (r[t] * before)
        d["W_rh"] += da_r.T @ before
        d["W_zh"] += da_z.T @ before
        for gate, da in (("h", da_h), ("r", da_r), ("z", da_z)):
            d[f"W_{gate}x"] += da.T @ now
            d[f"b_{gate}"] += da.sum(axis=0)
        dx[t - 1] = da_h @ p["W_hx"] + da_r @ p["W_rx"] + da_z @ p["W_zx"]
        dh_next = dh * (1 - z[t]) + du * r[t]
        dh_next += da_r @ p["W_rh"] + da_z @ p["W_zh"]
    return {"params": d, "inputs": {"x": dx}, "initial": {"h": dh_next}}
