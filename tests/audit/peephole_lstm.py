"""A long short-term memory with peepholes by hand: i and f see c_{t−1}, o sees c_t."""

import numpy as np

PARAMETERS = {}
for _g in ("f", "i", "c", "o"):
    PARAMETERS |= {f"W_{_g}h": ("n", "n"), f"W_{_g}x": ("n", "m"), f"b_{_g}": ("n",)}
PARAMETERS |= {"p_f": ("n",), "p_i": ("n",), "p_o": ("n",)}
INPUTS = {"x": ("m",)}
STATES = {"c": ("n",), "h": ("n",)}
CONSTANTS = {}


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def forward(params, inputs, initial=None, constants=None):
    x, p, initial = inputs["x"], params, initial or {}
    T, B, _ = x.shape
    c, h, f, i, g, o = (np.zeros((T + 1, B, len(p["b_f"])), x.dtype) for _ in range(6))
    c[0], h[0] = initial.get("c", 0), initial.get("h", 0)

    def net(gate, t):
        return h[t - 1] @ p[f"W_{gate}h"].T + x[t - 1] @ p[f"W_{gate}x"].T + p[f"b_{gate}"]

    for t in range(1, T + 1):
        f[t] = sigmoid(net("f", t) + p["p_f"] * c[t - 1])
        i[t] = sigmoid(net("i", t) + p["p_i"] * c[t - 1])
        g[t] = np.tanh(net("c", t))
        c[t] = f[t] * c[t - 1] + i[t] * g[t]
        o[t] = sigmoid(net("o", t) + p["p_o"] * c[t])
        h[t] = o[t] * np.tanh(c[t])
    return {"c": c[1:].copy(), "h": h[1:].copy()}, (x.copy(), c, h, f, i, g, o)


def backward(params, tape, cotangents):
    p, (x, c, h, f, i, g, o) = params, tape
    T = len(x)
    zeros = np.zeros(c[1:].shape, x.dtype)
    dc_out, dh_out = cotangents.get("c", zeros), cotangents.get("h", zeros)
    d = {name: np.zeros_like(value) for name, value in params.items()}
    dx = np.zeros_like(x)
    dc_next, dh_next = np.zeros_like(c[0]), np.zeros_like(h[0])
    for t in range(T, 0, -1):
        dh = dh_out[t - 1] + dh_next
        tanh_c = np.tanh(c[t])
        da_o = dh * tanh_c * o[t] * (1 - o[t])
        dc = dc_out[t - 1] + dc_next
        dc = dc + dh * o[t] * (1 - tanh_c**2)
        dc = dc + da_o * p["p_o"]
        da_f = dc * c[t - 1] * f[t] * (1 - f[t])
        da_i = dc * g[t] * i[t] * (1 - i[t])
        da_c = dc * i[t] * (1 - g[t] ** 2)
        dx[t - 1], dh_next = 0, 0
        for gate, da in (("f", da_f), ("i", da_i), ("c", da_c), ("o", da_o)):
            d[f"W_{gate}h"] += da.T @ h[t - 1]
            d[f"W_{gate}x"] += da.T @ x[t - 1]
            d[f"b_{gate}"] += da.sum(axis=0)
            dx[t - 1] += da @ p[f"W_{gate}x"]
            dh_next = dh_next + da @ p[f"W_{gate}h"]
        d["p_f"] += (da_f * c[t - 1]).sum(axis=0)
        d["p_i"] += (da_i * c[t - 1]).sum(axis=0)
        d["p_o"] += (da_o * c[t]).sum(axis=0)
        dc_next = dc * f[t]
        dc_next = dc_next + da_f * p["p_f"] + da_i * p["p_i"]
    return {"params": d, "inputs": {"x": dx}, "initial": {"c": dc_next, "h": dh_next}}
