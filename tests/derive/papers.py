"""Cells run forward in plain NumPy, written from their papers' equations; the tests' other side.

Row vectors: x (T, B, m), states (B, n). Nothing of the toolkit is used.
"""

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def lin(W, v):
    return np.einsum("ij,bj->bi", W, v)


def gru(p, x, s, k):
    z = sigmoid(lin(p["W_zx"], x) + lin(p["W_zh"], s["h"]) + p["b_z"])
    r = sigmoid(lin(p["W_rx"], x) + lin(p["W_rh"], s["h"]) + p["b_r"])
    new = np.tanh(lin(p["W_hx"], x) + lin(p["W_hh"], r * s["h"]) + p["b_h"])
    return {"h": s["h"] + z * (new - s["h"])}


def gru_reset_after(p, x, s, k):
    z = sigmoid(lin(p["W_zx"], x) + lin(p["W_zh"], s["h"]) + p["b_z"])
    r = sigmoid(lin(p["W_rx"], x) + lin(p["W_rh"], s["h"]) + p["b_r"])
    new = np.tanh(lin(p["W_hx"], x) + p["b_h"] + r * (lin(p["W_hh"], s["h"]) + p["c_h"]))
    return {"h": new + z * (s["h"] - new)}


def _gate(p, letter, x, h):
    return lin(p[f"W_{letter}x"], x) + lin(p[f"W_{letter}h"], h) + p[f"b_{letter}"]


def coupled_lstm(p, x, s, k):
    f, o = (sigmoid(_gate(p, letter, x, s["h"])) for letter in "fo")
    new = np.tanh(_gate(p, "c", x, s["h"]))
    c = new + f * (s["c"] - new)
    return {"c": c, "h": o * np.tanh(c)}


def peephole_lstm(p, x, s, k):
    i, f = (sigmoid(_gate(p, g, x, s["h"]) + p[f"p_{g}"] * s["c"]) for g in "if")
    c = f * s["c"] + i * np.tanh(_gate(p, "c", x, s["h"]))
    o = sigmoid(_gate(p, "o", x, s["h"]) + p["p_o"] * c)
    return {"c": c, "h": o * np.tanh(c)}


def depth_gated_lstm(p, x, s, k):
    low = k["c_below"]
    i, f = (sigmoid(_gate(p, g, x, s["h"]) + p[f"p_{g}"] * s["c"]) for g in "if")
    d = sigmoid(lin(p["W_dx"], x) + p["b_d"] + p["w_cd"] * s["c"] + p["w_ld"] * low)
    c = d * low + f * s["c"] + i * np.tanh(_gate(p, "c", x, s["h"]))
    o = sigmoid(_gate(p, "o", x, s["h"]) + p["p_o"] * c)
    return {"c": c, "h": o * np.tanh(c)}


def clockwork_rnn(p, x, s, k):
    """Only modules whose turn it is move; a unit hears units of its own or a longer period."""
    y = s["y"].copy()
    for j in np.flatnonzero(k["clock"]):
        heard = [q for q in range(len(k["period"])) if k["period"][q] >= k["period"][j]]
        a = s["y"][:, heard] @ p["W_H"][j, heard] + x @ p["W_I"][j]
        y[:, j] = np.tanh(a)
    return {"y": y}


def greff(p, x, s, k, *, without="", coupled=False, full=False, plain_input=False, plain=False):
    """Vanilla of Greff et al. and its variants; `without` names gates or "p" for peepholes."""
    y, c = s["y"], s["c"]

    def net(g, cell=None):
        a = lin(p[f"W_{g}"], x) + lin(p[f"R_{g}"], y) + p[f"b_{g}"]
        if cell is not None and "p" not in without:
            a = a + p[f"p_{g}"] * cell
        if full and g in "ifo":
            a = a + sum(lin(p[f"R_{q}{g}"], s[q]) for q in "ifo")
        return a

    z = net("z") if plain_input else np.tanh(net("z"))
    i = 1.0 if "i" in without else sigmoid(net("i", c))
    f = 1 - i if coupled else 1.0 if "f" in without else sigmoid(net("f", c))
    c = z * i + c * f
    o = 1.0 if "o" in without else sigmoid(net("o", c))
    out = {"c": c, "y": (c if plain else np.tanh(c)) * o}
    return out | ({"i": i, "f": f, "o": o} if full else {})


def mut1(p, x, s, k):
    h = s["h"]
    z = sigmoid(lin(p["W_xz"], x) + p["b_z"])
    r = sigmoid(lin(p["W_xr"], x) + lin(p["W_hr"], h) + p["b_r"])
    return {"h": np.tanh(lin(p["W_hh"], r * h) + np.tanh(x) + p["b_h"]) * z + h * (1 - z)}


def mut2(p, x, s, k):
    h = s["h"]
    z = sigmoid(lin(p["W_xz"], x) + lin(p["W_hz"], h) + p["b_z"])
    r = sigmoid(x + lin(p["W_hr"], h) + p["b_r"])
    new = np.tanh(lin(p["W_hh"], r * h) + lin(p["W_xh"], x) + p["b_h"])
    return {"h": new * z + h * (1 - z)}


def mut3(p, x, s, k):
    h = s["h"]
    z = sigmoid(lin(p["W_xz"], x) + lin(p["W_hz"], np.tanh(h)) + p["b_z"])
    r = sigmoid(lin(p["W_xr"], x) + lin(p["W_hr"], h) + p["b_r"])
    new = np.tanh(lin(p["W_hh"], r * h) + lin(p["W_xh"], x) + p["b_h"])
    return {"h": new * z + h * (1 - z)}


def highway(p, x, s, k, depth):
    state = s["s"]
    for level in range(1, depth + 1):
        h, t = (lin(p[f"R_{g}_{level}"], state) + p[f"b_{g}_{level}"] for g in "HT")
        if level == 1:
            h, t = h + lin(p["W_H"], x), t + lin(p["W_T"], x)
        state = state + sigmoid(t) * (np.tanh(h) - state)
    return {"s": state}


def fast_grnn(p, x, s, k):
    shared = lin(p["W"], x) + lin(p["U"], s["h"])
    z, new = sigmoid(shared + p["b_z"]), np.tanh(shared + p["b_h"])
    return {"h": (p["zeta"] * (1 - z) + p["nu"]) * new + z * s["h"]}


def cornn(p, x, s, k):
    drive = np.tanh(lin(p["W"], s["y"]) + lin(p["W_z"], s["z"]) + lin(p["V"], x) + p["b"])
    z = s["z"] + k["dt"] * drive - k["dt"] * k["gamma"] * s["y"]
    z = z - k["dt"] * k["epsilon"] * s["z"]
    return {"z": z, "y": s["y"] + k["dt"] * z}


def lem(p, x, s, k):
    first, second, drive = (
        lin(p[f"W_{g}"], s["y"]) + lin(p[f"V_{g}"], x) + p[f"b_{g}"] for g in "12z"
    )
    fast, slow = k["dt"] * sigmoid(first), k["dt"] * sigmoid(second)
    z = s["z"] + fast * (np.tanh(drive) - s["z"])
    out = np.tanh(lin(p["W_y"], z) + lin(p["V_y"], x) + p["b_y"])
    return {"z": z, "y": s["y"] + slow * (out - s["y"])}


def atr(p, x, s, k):
    a, b = lin(p["W_x"], x) + p["b"], lin(p["W_h"], s["h"])
    return {"h": sigmoid(a + b) * a + sigmoid(a - b) * s["h"]}


def antisymmetric_rnn(p, x, s, k):
    n = len(p["W"])
    M = p["W"] - p["W"].T - k["gamma"] * np.eye(n)
    return {"h": s["h"] + k["epsilon"] * np.tanh(lin(M, s["h"]) + lin(p["V"], x) + p["b"])}


def sgrn(p, x, s, k):
    a = lin(p["W_x"], x)
    f = sigmoid(a + lin(p["W_h"], s["h"]) + p["b"])
    return {"h": np.tanh((1 - f) * a + f * s["h"])}


def projected_lstm(p, x, s, k):
    def net(g):
        return lin(p[f"W_{g}x"], x) + lin(p[f"W_{g}r"], s["r"]) + p[f"b_{g}"]

    c = sigmoid(net("f") + p["w_fc"] * s["c"]) * s["c"]
    c = c + sigmoid(net("i") + p["w_ic"] * s["c"]) * np.tanh(net("c"))
    o = sigmoid(net("o") + p["w_oc"] * c)
    return {"c": c, "r": lin(p["W_rm"], o * np.tanh(c))}


def min_gru(p, x, s, k):
    z = sigmoid(lin(p["W_z"], x) + p["b_z"])
    return {"h": s["h"] + z * (lin(p["W_h"], x) + p["b_h"] - s["h"])}


def min_lstm(p, x, s, k):
    f, i = (sigmoid(lin(p[f"W_{g}"], x) + p[f"b_{g}"]) for g in "fi")
    new = lin(p["W_h"], x) + p["b_h"]
    return {"h": (f * s["h"] + i * new) / (f + i)}


def lru(p, x, s, k):
    pole = np.exp(-np.exp(p["nu"]) + 1j * np.exp(p["theta"]))
    z = pole * (s["re"] + 1j * s["im"])
    z = z + np.exp(p["gamma"]) * lin(p["B_re"] + 1j * p["B_im"], x)
    return {"re": z.real, "im": z.imag}


def rg_lru(p, x, s, k):
    r, i = (sigmoid(lin(p[f"W_{g}"], x) + p[f"b_{g}"]) for g in "ax")
    log_a = -8 * np.log1p(np.exp(p["lambda_"])) * r
    return {"h": np.exp(log_a) * s["h"] + np.sqrt(-np.expm1(2 * log_a)) * i * x}


def slstm(p, x, s, k):
    """Without the stabiliser, but for what it has done to the memory before."""
    z, i, f, o = (lin(p[f"W_{g}"], x) + lin(p[f"R_{g}"], s["h"]) + p[f"b_{g}"] for g in "zifo")
    scale = np.exp(s["m"])
    c = sigmoid(f) * s["c"] * scale + np.exp(i) * np.tanh(z)
    n = sigmoid(f) * s["n"] * scale + np.exp(i)
    m = np.maximum(np.log(sigmoid(f)) + s["m"], i)
    return {"m": m, "c": c * np.exp(-m), "n": n * np.exp(-m), "h": sigmoid(o) * c / n}


def qrnn(p, x, s, k):
    z, f = (lin(p[f"V_{g}"], s["last"]) + lin(p[f"W_{g}"], x) for g in "zf")
    return {"c": s["c"] + (1 - sigmoid(f)) * (np.tanh(z) - s["c"]), "last": x}


CELLS = {
    "min_gru": min_gru,
    "min_lstm": min_lstm,
    "lru": lru,
    "rg_lru": rg_lru,
    "slstm": slstm,
    "qrnn": qrnn,
    "gru": gru,
    "gru_reset_after": gru_reset_after,
    "coupled_lstm": coupled_lstm,
    "peephole_lstm": peephole_lstm,
    "depth_gated_lstm": depth_gated_lstm,
    "clockwork_rnn": clockwork_rnn,
    "lstm_nig": lambda *a: greff(*a, without="i"),
    "lstm_nfg": lambda *a: greff(*a, without="f"),
    "lstm_nog": lambda *a: greff(*a, without="o"),
    "lstm_niaf": lambda *a: greff(*a, plain_input=True),
    "lstm_noaf": lambda *a: greff(*a, plain=True),
    "lstm_np": lambda *a: greff(*a, without="p"),
    "lstm_cifg": lambda *a: greff(*a, coupled=True),
    "lstm_fgr": lambda *a: greff(*a, full=True),
    "mut1": mut1,
    "mut2": mut2,
    "mut3": mut3,
    "rhn": lambda *a: highway(*a, depth=1),
    "rhn_3": lambda *a: highway(*a, depth=3),
    "fast_grnn": fast_grnn,
    "cornn": cornn,
    "lem": lem,
    "atr": atr,
    "antisymmetric_rnn": antisymmetric_rnn,
    "sgrn": sgrn,
    "projected_lstm": projected_lstm,
}
