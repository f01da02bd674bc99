"""An M²RNN by hand: a matrix state, keys × values, that goes through a weight and tanh."""

import numpy as np

PARAMETERS = {
    "w_f": ("m",), "b_f": (), "W": ("k", "k"),
    "W_k": ("n", "m"), "W_v": ("k", "m"), "W_q": ("n", "m"),
}  # fmt: skip
INPUTS = {"x": ("m",)}
STATES = {"S": ("n", "k")}
OUTPUTS = {"y": ("k",)}
CONSTANTS = {}


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def forward(params, inputs, initial=None, constants=None):
    x, initial = inputs["x"], initial or {}
    T, B, _ = x.shape
    k, v, q = (x @ params[name].T for name in ("W_k", "W_v", "W_q"))
    f = sigmoid((x * params["w_f"]).sum(axis=-1) + params["b_f"])[..., None, None]
    S = np.zeros((T + 1, B, k.shape[-1], v.shape[-1]), x.dtype)
    S[0] = initial.get("S", 0)
    Z, y = np.zeros_like(S[1:]), np.zeros_like(v)
    for t in range(T):
        Z[t] = np.tanh(S[t] @ params["W"] + k[t][..., None] * v[t][..., None, :])
        S[t + 1] = f[t] * S[t] + (1 - f[t]) * Z[t]
        y[t] = (q[t][..., None, :] @ S[t + 1])[..., 0, :]
    return {"S": S[1:].copy(), "y": y}, (x.copy(), S, Z, f, k, v, q)


def backward(params, tape, cotangents):
    x, S, Z, f, k, v, q = tape
    T = len(x)
    W = params["W"]
    dS_out = cotangents.get("S", np.zeros(Z.shape, x.dtype))
    dy_out = cotangents.get("y", np.zeros(v.shape, x.dtype))
    d = {name: np.zeros_like(value) for name, value in params.items()}
    dx = np.zeros_like(x)
    dS_next = np.zeros_like(S[0])
    for t in range(T - 1, -1, -1):
        dy = dy_out[t]
        dS = dS_out[t] + dS_next + q[t][..., None] * dy[..., None, :]
        dq = (S[t + 1] @ dy[..., None])[..., 0]
        df = (dS * (S[t] - Z[t])).sum(axis=(-2, -1))
        dA = dS * (1 - f[t]) * (1 - Z[t] ** 2)
        dk = (dA @ v[t][..., None])[..., 0]
        dv = (k[t][..., None, :] @ dA)[..., 0, :]
        da = df * f[t][..., 0, 0] * (1 - f[t][..., 0, 0])
        d["W"] += (S[t].swapaxes(-1, -2) @ dA).sum(axis=0)
        d["W_k"] += dk.T @ x[t]
        d["W_v"] += dv.T @ x[t]
        d["W_q"] += dq.T @ x[t]
        d["w_f"] += (da[..., None] * x[t]).sum(axis=0)
        d["b_f"] = d["b_f"] + da.sum()
        dx[t] = dk @ params["W_k"] + dv @ params["W_v"] + dq @ params["W_q"]
        dx[t] += da[..., None] * params["w_f"]
        dS_next = f[t] * dS + dA @ W.T
    d["b_f"] = np.asanyarray(d["b_f"])
    return {"params": d, "inputs": {"x": dx}, "initial": {"S": dS_next}}
