"""A long short-term memory by hand, gate by gate, as a tutorial writes it."""

import numpy as np

GATES = ("f", "i", "c", "o")
PARAMETERS = {}
for _g in GATES:
    PARAMETERS |= {f"W_{_g}h": ("n", "n"), f"W_{_g}x": ("n", "m"), f"b_{_g}": ("n",)}
INPUTS = {"x": ("m",)}
STATES = {"c": ("n",), "h": ("n",)}
CONSTANTS = {}


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def forward(params, inputs, initial=None, constants=None):
    x, initial = inputs["x"], initial or {}
    T, B, _ = x.shape
    n = len(params["b_f"])
    c, h = (np.zeros((T + 1, B, n), x.dtype) for _ in range(2))
    c[0], h[0] = initial.get("c", 0), initial.get("h", 0)
    f, i, g, o = (np.zeros((T + 1, B, n), x.dtype) for _ in range(4))

    def net(gate, t):
        return (
            h[t - 1] @ params[f"W_{gate}h"].T
            + x[t - 1] @ params[f"W_{gate}x"].T
            + (params[f"b_{gate}"])
        )

    for t in range(1, T + 1):
        f[t], i[t], o[t] = sigmoid(net("f", t)), sigmoid(net("i", t)), sigmoid(net("o", t))
        g[t] = np.tanh(net("c", t))
        c[t] = f[t] * c[t - 1] + i[t] * g[t]
        h[t] = o[t] * np.tanh(c[t])
    return {"c": c[1:].copy(), "h": h[1:].copy()}, (x.copy(), c, h, f, i, g, o)


def backward(params, tape, cotangents):
    x, c, h, f, i, g, o = tape
    T = len(x)
    zeros = np.zeros(c[1:].shape, x.dtype)
    dc_out, dh_out = cotangents.get("c", zeros), cotangents.get("h", zeros)
    d = {name: np.zeros_like(value) for name, value in params.items()}
    dx = np.zeros_like(x)
    dc_next, dh_next = np.zeros_like(c[0]), np.zeros_like(h[0])
    for t in range(T, 0, -1):
        dh = dh_out[t - 1] + dh_next
        tanh_c = np.tanh(c[t])
        do = dh * tanh_c
        dc = dc_out[t - 1] + dh * o[t] * (1 - tanh_c**2) + dc_next
        df = dc * c[t - 1]
        di = dc * g[t]
        dg = dc * i[t]
        da_f = df * f[t] * (1 - f[t])
        da_i = di * i[t] * (1 - i[t])
        da_c = dg * (1 - g[t] ** 2)
        da_o = do * o[t] * (1 - o[t])
        for gate, da in (("f", da_f), ("i", da_i), ("c", da_c), ("o", da_o)):
            d[f"W_{gate}h"] += da.T @ h[t - 1]
            d[f"W_{gate}x"] += da.T @ x[t - 1]
            d[f"b_{gate}"] += da.sum(axis=0)
        dx[t - 1] = da_f @ params["W_fx"] + da_i @ params["W_ix"]
        dx[t - 1] += da_c @ params["W_cx"] + da_o @ params["W_ox"]
        dh_next = da_f @ params["W_fh"] + da_i @ params["W_ih"]
        dh_next += da_c @ params["W_ch"] + da_o @ params["W_oh"]
        dc_next = dc * f[t]
    return {"params": d, "inputs": {"x": dx}, "initial": {"c": dc_next, "h": dh_next}}
