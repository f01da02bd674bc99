"""Wrong backward passes from the descriptions of real mistakes, as edits of right files.

Each `Wrong` says what a person did, how the file differs from the right one beside it, which
gradient shows it, and the number of the adjoint equation in `bptt show CELL` that it breaks
(None: found, but no term of an equation).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Wrong:
    cell: str
    story: str
    edits: tuple[tuple[str, str], ...]
    gradient: str
    equation: int | None
    says: str = ""

    def source(self) -> str:
        """The wrong file; every edit has to find its place."""
        text = right(self.cell)
        for old, new in self.edits:
            assert text.count(old) == 1, (self.story, old)
            text = text.replace(old, new)
        return text


def right(cell: str) -> str:
    return (HERE / f"{cell}.py").read_text(encoding="utf-8")


def wrong(
    cell: str, story: str, *edits: tuple[str, str], at: tuple[str, int | None], says: str = ""
) -> Wrong:
    return Wrong(cell, story, edits, *at, says)


CORPUS = (
    wrong("rnn", "derivative of tanh forgotten",
          ("da = dh * (1 - h[t] ** 2)", "da = dh"), at=("params.W", 4), says="tanh′"),
    wrong("rnn", "weight gradient paired with h_t",
          ("dW += da.T @ h[t - 1]", "dW += da.T @ h[t]"), at=("params.W", 8),
          says="h_t for h_{t−1}"),
    wrong("rnn", "missing transpose on the way back",
          ("dh_next = da @ W", "dh_next = da @ W.T"), at=("params.U", 6), says="W for Wᵀ"),
    wrong("rnn", "step 0 never propagated",
          ("range(T, 0, -1)", "range(T, 1, -1)"), at=("params.b", 6), says="first step"),
    wrong("rnn", "accumulator started from the weights",
          ("np.zeros_like(b)\n", "b.copy()\n"), at=("params.b", 10), says="weights"),
    wrong("rnn", "bias summed over the batch but not over time",
          ("db += da.sum(axis=0)", "db = da.sum(axis=0)"), at=("params.b", 10),
          says="overwritten"),
    wrong("rnn", "batch mean for batch sum",
          ("db += da.sum(axis=0)", "db += da.sum(axis=0) / max(1, len(da))"), at=("params.b", 10),
          says="averaged over the batch"),
    wrong("rnn", "gradients of the recurrent weights transposed",
          ('"W": dW,', '"W": dW.T.copy(),'), at=("params.W", 8), says="transposed"),
    wrong("rnn", "truncated: the loss of later steps never arrives",
          ("dh = dh_out[t - 1] + dh_next", "dh = dh_out[t - 1]"), at=("params.U", 3),
          says="carry of h is missing"),
    wrong("rnn", "slope taken of the output as if it were the input",
          ("1 - h[t] ** 2", "1 - np.tanh(h[t]) ** 2"), at=("params.W", 4),
          says="as if it were the input"),
    wrong("lstm", "the tutorial form: no carry of c",
          ("(1 - tanh_c**2) + dc_next", "(1 - tanh_c**2)"), at=("params.W_fh", 12),
          says="path through c_{t+1} dropped"),
    wrong("lstm", "forget-gate bias from the input gate",
          ("d[f\"b_{gate}\"] += da.sum(axis=0)",
           "d[f\"b_{gate}\"] += (da_i if gate == \"f\" else da).sum(axis=0)"),
          at=("params.b_f", 29), says="ā_{i,t} for ā_{f,t}"),
    wrong("lstm", "sigmoid slope of the output as if it were the input",
          ("df * f[t] * (1 - f[t])", "df * sigmoid(f[t]) * (1 - sigmoid(f[t]))"),
          at=("params.W_fx", 20), says="as if it were the input"),
    wrong("lstm", "derivative of tanh(c) missing",
          ("dh * o[t] * (1 - tanh_c**2)", "dh * o[t]"), at=("params.W_ih", 12),
          says="slope tanh′(c_t) dropped"),
    wrong("lstm", "input gradient from the forget gate only",
          ("dx[t - 1] += da_c @", "0 * da_c @"),
          ("da_f @ params[\"W_fx\"] + da_i @ params[\"W_ix\"]", "da_f @ params[\"W_fx\"]"),
          at=("inputs.x", 39), says="W_fxᵀ ā_{f,t} alone"),
    wrong("lstm", "carry of c overwritten in place before the gates read it",
          ("        df = dc * c[t - 1]", "        dc *= f[t]\n        df = dc * c[t - 1]"),
          ("dc_next = dc * f[t]", "dc_next = dc"), at=("params.W_ch", 19), says="overwritten"),
    wrong("lstm", "initial gradient of c not handed through the first step",
          ('"initial": {"c": dc_next,', '"initial": {"c": dc if T else dc_next,'),
          at=("initial.c", 22), says="first step"),
    wrong("lstm", "initial gradient missing c",
          ('"initial": {"c": dc_next,', '"initial": {"c": 0 * dc_next,'),
          at=("initial.c", 22), says="t = 0"),
    wrong("lstm", "forget gate reads the current cell state",
          ("df = dc * c[t - 1]", "df = dc * c[t]"), at=("params.b_f", 19),
          says="c_t for c_{t−1}"),
    wrong("lstm", "two at once: no carry of c, and h_t in the weights",
          ("(1 - tanh_c**2) + dc_next", "(1 - tanh_c**2)"), ("da.T @ h[t - 1]", "da.T @ h[t]"),
          at=("params.W_fh", 27), says="h_t for h_{t−1}"),
    wrong("gru", "reset applied after the product",
          ("dr = du * before", "dr = da_h * (before @ p[\"W_hh\"].T)"),
          ("da_h.T @ (r[t] * before)", "(da_h * r[t]).T @ before"),
          ("+ du * r[t]", "+ (da_h * r[t]) @ p[\"W_hh\"]"), at=("params.W_rh", 12),
          says="r_t ⊙ (W_hh h_{t−1})"),
    wrong("gru", "1 − z and z the wrong way round",
          ("dg = dh * z[t]", "dg = dh * (1 - z[t])"),
          ("dh * (1 - z[t]) + du", "dh * z[t] + du"), at=("params.W_hh", 10),
          says="1 − z_t for z_t"),
    wrong("gru", "sign of the update gate",
          ("dh * (g[t] - before)", "dh * (before - g[t])"), at=("params.W_zh", 15),
          says="wrong sign"),
    wrong("gru", "candidate weights paired with h, not with r h",
          ("da_h.T @ (r[t] * before)", "da_h.T @ before"), at=("params.W_hh", 26),
          says="h_{t−1} for u_{h̃,t}"),
    wrong("gru", "the direct path to the state before forgotten",
          ("dh_next = dh * (1 - z[t]) + du * r[t]", "dh_next = du * r[t]"), at=("params.b_z", 18),
          says="h̄_t ⊙ (1 − z_t) missing"),
    wrong("peephole_lstm", "peephole of f through c_t",
          ("(da_f * c[t - 1])", "(da_f * c[t])"), at=("params.p_f", 29), says="c_t for c_{t−1}"),
    wrong("peephole_lstm", "output peephole handed to the step before",
          ("        dc = dc + da_o * p[\"p_o\"]\n", ""),
          ("dc_next + da_f", "dc_next + da_o * p[\"p_o\"] + da_f"), at=("params.W_fh", 14),
          says="handed back"),
    wrong("peephole_lstm", "peepholes forgotten on the way back",
          ("dc_next = dc_next + da_f * p[\"p_f\"] + da_i * p[\"p_i\"]", "pass"),
          at=("params.p_i", 22), says="c̄_t ⊙ f_t alone"),
    wrong("gru", "carry added to what it has to replace",
          ("dh_next = dh * (1 - z[t]) + du * r[t]", "dh_next += dh * (1 - z[t]) + du * r[t]"),
          at=("params.W_hx", 18), says="h⃖_{t−1} added to h⃖_t, whose place it has to take"),
    wrong("rnn", "cotangent added to itself",
          ("dh_next = da @ W", "dh_next = dh + da @ W"), at=("params.U", 6),
          says="h⃖_{t−1} added to h̄_t"),
    wrong("peephole_lstm", "both carries added to themselves",
          ("dx[t - 1], dh_next = 0, 0", "dx[t - 1] = 0"), ("dc_next = dc * f[t]\n",
                                                          "dc_next = dc_next + dc * f[t]\n"),
          at=("params.p_f", 22), says="what every state hands back added to what it got"),
    wrong("rnn", "dh_0 without the matrix",
          ('{"h": dh_next}', '{"h": da if T else dh_next}'), at=("initial.h", 6),
          says="the factor Wᵀ dropped in Wᵀ ā_t, at the first step alone"),
    wrong("lstm", "x of the last step in all gradients of weights",
          ("da.T @ x[t - 1]", "da.T @ x[-1]"), at=("params.W_fx", 28),
          says="the x_t of the last step used at every step"),
    wrong("rnn", "x of the first step in the gradient of the input weights",
          ("da.T @ x[t - 1]", "da.T @ x[0]"), at=("params.U", 9),
          says="the x_t of the first step used at every step"),
    wrong("gru", "one sample's state for all",
          ("d[\"W_rh\"] += da_r.T @ before", "d[\"W_rh\"] += da_r.T @ before[[0] * len(before)]"),
          at=("params.W_rh", 23), says="the h_{t−1} of the first sample used for every sample"),
    wrong("peephole_lstm", "peepholes of i and f exchanged on the way back",
          ('da_f * p["p_f"] + da_i * p["p_i"]', 'da_f * p["p_i"] + da_i * p["p_f"]'),
          at=("params.W_fh", 22), says="ā_{i,t} and ā_{f,t} in each other's place"),
    wrong("gru", "gate of the step before in 1 − z",
          ("dh * (1 - z[t]) + du", "dh * (1 - np.roll(z[1:], 1, 0)[t - 1]) + du"),
          at=("params.W_zh", 18), says="z_{t−1} for z_t in 1 − z_t"),
    wrong("lstm", "gates in two orders where gradients are taken apart",
          ('d[f"b_{gate}"] += da.sum(axis=0)',
           'd[f"b_{gate}"] += {"i": da_o, "o": da_i}.get(gate, da).sum(axis=0)'),
          ("da.T @ x[t - 1]", '{"i": da_o, "o": da_i}.get(gate, da).T @ x[t - 1]'),
          ("da.T @ h[t - 1]", '{"i": da_o, "o": da_i}.get(gate, da).T @ h[t - 1]'),
          at=("params.b_i", 32), says="in each other's place"),
    wrong("lstm", "index of the gate on the way back held at the last step",
          ("dc_next = dc * f[t]", "dc_next = dc * f[min(t + 1, T)]"), at=("params.W_oh", 22),
          says="the f_t of the step after used, in the last step its own"),
    wrong("rnn", "index of the state before held at the first step",
          ("da.T @ h[t - 1]", "da.T @ h[max(t - 1, 1)]"), at=("params.W", 8),
          says="h_1 read for h_0 in the first step, as an index held at the start does"),
    wrong("rnn", "index of the cotangents held at the first step",
          ("dh_out[t - 1]", "dh_out[max(t - 2, 0)]"), at=("initial.h", 3),
          says="the cotangent of the step before, used at step t, in the first step its own"),
    wrong("rnn", "cotangents one step late, the last step without",
          ("dh_out[t - 1]", "(dh_out[t] if t < T else 0)"), at=("params.U", 3),
          says="the cotangent of the step after, used at step t, and none at the last"),
    wrong("rnn", "inputs summed over time before the product",
          ("da.T @ x[t - 1]", "da.T @ x.sum(axis=0)"), at=("params.U", 9),
          says="x_t summed over time by itself, a product of sums for the sum of products"),
    wrong("gru", "the batch summed before the product",
          ('da_h.T @ (r[t] * before)', 'np.outer(da_h.sum(0), (r[t] * before).sum(0))'),
          at=("params.W_hh", 26), says="u_{h̃,t} summed over the batch by itself"),
    wrong("lstm", "the mean over units for the sum in what a gate gets",
          ("dc = dc_out[t - 1] + dh * o[t]", "dc = dc_out[t - 1] + dh / dh.size * o[t]"),
          at=("params.W_fh", 12), says="divided by B n"),
    wrong("lstm", "cell state reads the cotangent before the loss is added to it",
          ("dc = dc_out[t - 1] + dh * o[t]", "dc = dc_out[t - 1] + dh_next * o[t]"),
          at=("params.W_ih", 12), says="h⃖_t for h̄_t in h̄_t ⊙ o_t ⊙ tanh′(c_t)"),
    wrong("lstm", "gradients scaled by a learning rate on the way",
          ("dh_next += da_c", "dh_next = 0.9 * dh_next + da_c"), at=("params.W_fh", None)),
)  # fmt: skip
