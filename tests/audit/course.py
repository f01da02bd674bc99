"""An LSTM layer as a course has it, to be put behind an adapter.

Arrays (N, T, D), the gates i, f, o, g side by side in one matrix, float64 arrays made inside, no c
returned, no c_0 taken, no sequence of length 0.
"""

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def step_forward(x, h_prev, c_prev, Wx, Wh, b):
    H = h_prev.shape[1]
    a = x @ Wx + h_prev @ Wh + b
    i, f, o = (sigmoid(a[:, k * H : (k + 1) * H]) for k in range(3))
    g = np.tanh(a[:, 3 * H :])
    c = f * c_prev + i * g
    h = o * np.tanh(c)
    return h, c, (x, h_prev, c_prev, i, f, o, g, c, Wx, Wh)


def lstm_forward(x, h0, Wx, Wh, b):
    N, T, _ = x.shape
    if T == 0:
        raise ValueError("a sequence has one step at least")
    h, c, cache = h0, np.zeros(h0.shape), []
    hs = np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        h, c, kept = step_forward(x[:, t], h, c, Wx, Wh, b)
        hs[:, t] = h
        cache.append(kept)
    return hs, cache


def step_backward(dh, dc, cache):
    x, h_prev, c_prev, i, f, o, g, c, Wx, Wh = cache
    tanh_c = np.tanh(c)
    dc = dc + dh * o * (1 - tanh_c**2)
    da = np.hstack([
        dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dh * tanh_c * o * (1 - o),
        dc * i * (1 - g**2),
    ])  # fmt: skip
    return da @ Wx.T, da @ Wh.T, dc * f, x.T @ da, h_prev.T @ da, da.sum(axis=0)


def lstm_backward(dh, cache):
    N, T, H = dh.shape
    D = cache[0][0].shape[1]
    dx, dWx, dWh, db = np.zeros((N, T, D)), np.zeros((D, 4 * H)), np.zeros((H, 4 * H)), 0
    dh_next, dc_next = np.zeros((N, H)), np.zeros((N, H))
    for t in reversed(range(T)):
        dx[:, t], dh_next, dc_next, a, b, c = step_backward(dh[:, t] + dh_next, dc_next, cache[t])
        dWx, dWh, db = dWx + a, dWh + b, db + c
    return dx, dh_next, dWx, dWh, db
