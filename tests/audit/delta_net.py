"""DeltaNet by hand, a step at a time: what a key holds is replaced."""

import numpy as np

PARAMETERS = {"W_q": ("k", "m"), "W_k": ("k", "m"), "W_v": ("n", "m"), "w_beta": ("m",)}
INPUTS = {"x": ("m",)}
STATES = {"S": ("n", "k")}
OUTPUTS = {"y": ("n",)}
CONSTANTS = {}


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def silu_slope(a):
    return sigmoid(a) * (1 + a * (1 - sigmoid(a)))


def normalised(a):
    u = a * sigmoid(a)
    length = np.sqrt((u * u).sum(axis=-1, keepdims=True))
    return u / length, length


def through_norm(d, unit, length):
    """A cotangent of u / ‖u‖ as one of u."""
    along = (d * unit).sum(axis=-1, keepdims=True)
    return (d - unit * along) / length


def forward(params, inputs, initial=None, constants=None):
    x, initial = inputs["x"], initial or {}
    T, B, _ = x.shape
    S = np.zeros((T + 1, B, len(params["W_v"]), len(params["W_k"])), x.dtype)
    S[0] = initial.get("S", 0)
    a_q, a_k, a_v = (x @ params[name].T for name in ("W_q", "W_k", "W_v"))
    (q, q_length), (k, k_length) = normalised(a_q), normalised(a_k)
    v = a_v * sigmoid(a_v)
    beta = sigmoid((x * params["w_beta"]).sum(axis=-1, keepdims=True))
    e, y = np.zeros_like(v), np.zeros_like(v)
    for t in range(T):
        e[t] = v[t] - (S[t] @ k[t][..., None])[..., 0]
        S[t + 1] = S[t] + (beta[t] * e[t])[..., None] * k[t][..., None, :]
        y[t] = (S[t + 1] @ q[t][..., None])[..., 0]
    tape = (x.copy(), S, a_q, a_k, a_v, q, q_length, k, k_length, v, beta, e)
    return {"S": S[1:].copy(), "y": y}, tape


def backward(params, tape, cotangents):
    x, S, a_q, a_k, a_v, q, q_length, k, k_length, v, beta, e = tape
    T = len(x)
    dS_out = cotangents.get("S", np.zeros(S[1:].shape, x.dtype))
    dy_out = cotangents.get("y", np.zeros(v.shape, x.dtype))
    d = {name: np.zeros_like(value) for name, value in params.items()}
    dx = np.zeros_like(x)
    dS_next = np.zeros_like(S[0])
    for t in range(T - 1, -1, -1):
        dy = dy_out[t]
        dS = dS_out[t] + dS_next + dy[..., None] * q[t][..., None, :]
        dq = (dy[..., None, :] @ S[t + 1])[..., 0, :]
        du = (dS @ k[t][..., None])[..., 0]
        de = beta[t] * du
        dbeta = (du * e[t]).sum(axis=-1, keepdims=True)
        dk = ((beta[t] * e[t])[..., None, :] @ dS)[..., 0, :]
        dk = dk - (de[..., None, :] @ S[t])[..., 0, :]
        dS_next = dS - de[..., None] * k[t][..., None, :]
        da_q = through_norm(dq, q[t], q_length[t]) * silu_slope(a_q[t])
        da_k = through_norm(dk, k[t], k_length[t]) * silu_slope(a_k[t])
        da_v = de * silu_slope(a_v[t])
        da_beta = dbeta * beta[t] * (1 - beta[t])
        d["W_q"] += da_q.T @ x[t]
        d["W_k"] += da_k.T @ x[t]
        d["W_v"] += da_v.T @ x[t]
        d["w_beta"] += (da_beta * x[t]).sum(axis=0)
        dx[t] = da_q @ params["W_q"] + da_k @ params["W_k"] + da_v @ params["W_v"]
        dx[t] += da_beta * params["w_beta"]
    return {"params": d, "inputs": {"x": dx}, "initial": {"S": dS_next}}
