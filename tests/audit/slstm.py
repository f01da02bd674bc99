"""An sLSTM by hand, as its paper prints it: exponential input gate, stabiliser, normaliser."""

import numpy as np

GATES = ("z", "i", "f", "o")
PARAMETERS = {}
for _g in GATES:
    PARAMETERS |= {f"W_{_g}": ("n", "m"), f"R_{_g}": ("n", "n"), f"b_{_g}": ("n",)}
INPUTS = {"x": ("m",)}
STATES = {"m": ("n",), "c": ("n",), "n": ("n",), "h": ("n",)}
CONSTANTS = {}


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def log_sigmoid(a):
    return -np.log(1 + np.exp(-a))


def forward(params, inputs, initial=None, constants=None):
    x, initial = inputs["x"], initial or {}
    T, B, _ = x.shape
    width = len(params["b_z"])
    m, c, n, h = (np.zeros((T + 1, B, width), x.dtype) for _ in range(4))
    for name, array in (("m", m), ("c", c), ("n", n), ("h", h)):
        array[0] = initial.get(name, 0)
    z, o, a_f, i, k, j = (np.zeros((T + 1, B, width), x.dtype) for _ in range(6))

    def net(gate, t):
        W, R = params[f"W_{gate}"], params[f"R_{gate}"]
        return x[t - 1] @ W.T + h[t - 1] @ R.T + params[f"b_{gate}"]

    for t in range(1, T + 1):
        z[t], o[t] = np.tanh(net("z", t)), sigmoid(net("o", t))
        i[t], a_f[t] = net("i", t), net("f", t)
        kept = log_sigmoid(a_f[t]) + m[t - 1]
        m[t] = np.maximum(kept, i[t])
        k[t], j[t] = np.exp(kept - m[t]), np.exp(i[t] - m[t])
        c[t] = k[t] * c[t - 1] + j[t] * z[t]
        n[t] = k[t] * n[t - 1] + j[t]
        h[t] = o[t] * c[t] / n[t]
    states = {"m": m[1:].copy(), "c": c[1:].copy(), "n": n[1:].copy(), "h": h[1:].copy()}
    return states, (x.copy(), m, c, n, h, z, o, a_f, i, k, j)


def backward(params, tape, cotangents):
    x, m, c, n, h, z, o, a_f, i, k, j = tape
    T = len(x)
    zeros = np.zeros(c[1:].shape, x.dtype)
    dm_out, dc_out, dn_out, dh_out = (cotangents.get(name, zeros) for name in "mcnh")
    d = {name: np.zeros_like(value) for name, value in params.items()}
    dx = np.zeros_like(x)
    dm_next, dc_next, dn_next, dh_next = (np.zeros_like(c[0]) for _ in range(4))
    for t in range(T, 0, -1):
        dh = dh_out[t - 1] + dh_next
        do = dh * c[t] / n[t]
        dc = dc_out[t - 1] + dc_next + dh * o[t] / n[t]
        dn = dn_out[t - 1] + dn_next - dh * h[t] / n[t]
        dk = dc * c[t - 1] + dn * n[t - 1]
        dj = dc * z[t] + dn
        dz = dc * j[t]
        dkept, di = dk * k[t], dj * j[t]
        dm = dm_out[t - 1] + dm_next - dkept - di
        chosen = log_sigmoid(a_f[t]) + m[t - 1] >= i[t]
        dkept = dkept + np.where(chosen, dm, 0 * dm)
        di = di + np.where(chosen, 0 * dm, dm)
        df = dkept * (1 - sigmoid(a_f[t]))
        da = {"z": dz * (1 - z[t] ** 2), "i": di, "f": df, "o": do * o[t] * (1 - o[t])}
        dh_next = np.zeros_like(dh)
        for gate in GATES:
            d[f"W_{gate}"] += da[gate].T @ x[t - 1]
            d[f"R_{gate}"] += da[gate].T @ h[t - 1]
            d[f"b_{gate}"] += da[gate].sum(axis=0)
            dx[t - 1] += da[gate] @ params[f"W_{gate}"]
            dh_next = dh_next + da[gate] @ params[f"R_{gate}"]
        dm_next, dc_next, dn_next = dkept, dc * k[t], dn * k[t]
    initial = {"m": dm_next, "c": dc_next, "n": dn_next, "h": dh_next}
    return {"params": d, "inputs": {"x": dx}, "initial": initial}
