"""Mistakes of public backward passes, rebuilt from what was said of them: a module each.

Each is the right file beside it with edits; `says` is what the verdict has to say, in one of
its lines, and `of` the gradients that this line is about (every one that is wrong, if empty).
"""

from __future__ import annotations

from dataclasses import dataclass

from corpus import right


@dataclass(frozen=True)
class Public:
    cell: str
    story: str
    edits: tuple[tuple[str, str], ...]
    says: tuple[str, ...]
    status: str = "fail"

    def source(self) -> str:
        """The wrong file; every edit has to find its place, once or several times."""
        text = right(self.cell)
        for old, new in self.edits:
            assert old in text, (self.story, old)
            text = text.replace(old, new)
        return text


def public(
    cell: str, story: str, *edits: tuple[str, str], says: tuple[str, ...], status: str = "fail"
) -> Public:
    return Public(cell, story, edits, says, status)


LSTM_SLOPES = tuple(
    (f"d{g} * {g}[t] * (1 - {g}[t])", f"d{g} * sigmoid({g}[t]) * (1 - sigmoid({g}[t]))")
    for g in "fio"
)
LSTM_BEFORE = ("da.T @ h[t - 1]", "da.T @ (h[t - 1] if t > 1 else h[T])")
RETURNED = 'return {"params": d,'
PUBLIC = (
    public("lstm", "h_T read for h_0 by a negative index", LSTM_BEFORE,
           says=("dW_fh, dW_ih, dW_ch and dW_oh each equal", "h_T read for h_0")),
    public("rnn", "negative index in a short layer",
           ("dW += da.T @ h[t - 1]", "dW += da.T @ h[t - 1 if t > 1 else T]"),
           says=("dW equals", "h_T read for h_0")),
    public("rnn", "carry added after the slope",
           ("dh = dh_out[t - 1] + dh_next", "dh = dh_out[t - 1]"),
           ("da = dh * (1 - h[t] ** 2)", "da = dh * (1 - h[t] ** 2) + dh_next"),
           says=("the carry of h added to ā_t instead of h̄_t", "wrong side")),
    public("lstm", "carry of h added to the gates' cotangent",
           ("dh = dh_out[t - 1] + dh_next", "dh = dh_out[t - 1]"),
           ("do = dh * tanh_c", "do = dh * tanh_c + dh_next"),
           says=("the carry of h added to ō_t instead of h̄_t",)),
    public("rnn", "cotangent of the last step used at every step",
           ("dh_out[t - 1] + dh_next", "dh_out[-1] + dh_next"),
           says=("∂L/∂h_T, the cotangent of the last step, used at every step",)),
    public("rnn", "the losses taken in reverse, as by a loop that runs over views",
           ("dh_out[t - 1] + dh_next", "dh_out[T - t] + dh_next"),
           says=("∂L/∂h_{T+1−t}, the cotangents in reverse order, used at step t",)),
    public("lstm", "loss of the last step alone",
           ("dh = dh_out[t - 1] + dh_next", "dh = dh_out[t - 1] * (t == T) + dh_next"),
           says=("∂L/∂h_t taken at the last step alone",)),
    public("lstm", "slope of i computed again with the bias of f",
           ("    tanh_c = np.tanh(c[t])\n",
            "    tanh_c = np.tanh(c[t])\n        i_ = sigmoid(h[t - 1] @ params[\"W_ih\"].T"
            " + x[t - 1] @ params[\"W_ix\"].T + params[\"b_f\"])\n"),
           ("di * i[t] * (1 - i[t])", "di * i_ * (1 - i_)"),
           says=("sigmoid′ taken at a_{i,t} computed again with b_f for b_i", "equation 18")),
    public("rnn", "the state where its slope belongs",
           ("da = dh * (1 - h[t] ** 2)", "da = dh * h[t]"),
           says=("h_t for tanh′(a_t)", "adjoint equation 4")),
    public("lstm", "h where the slope of tanh(c) belongs",
           ("(1 - tanh_c**2)", "(1 - h[t] ** 2)"), says=("1 − h_t ⊙ h_t for tanh′(c_t)",)),
    public("lstm", "every slope at the activated value, and no carry of c", *LSTM_SLOPES,
           ("dg * (1 - g[t] ** 2)", "dg * (1 - np.tanh(g[t]) ** 2)"),
           ("(1 - tanh_c**2) + dc_next", "(1 - tanh_c**2)"),
           says=("taken of the output o_t as if it were the input", "likewise in 2 more places",
                 "taken of the output c̃_t as if it were the input",
                 "path through c_{t+1} dropped")),
    public("lstm", "four at once: slopes of σ and tanh, no carry, h_t for the weights",
           *LSTM_SLOPES, ("dg * (1 - g[t] ** 2)", "dg"), ("da.T @ h[t - 1]", "da.T @ h[t]"),
           ("(1 - tanh_c**2) + dc_next", "(1 - tanh_c**2)"),
           says=("as if it were the input", "tanh′(a_{c̃,t}) dropped", "h_t for h_{t−1}",
                 "path through c_{t+1} dropped")),
    public("lstm", "i and f the other way round in the whole layer",
           ('sigmoid(net("f", t)), sigmoid(net("i", t))',
            'sigmoid(net("i", t)), sigmoid(net("f", t))'),
           ('(("f", da_f), ("i", da_i)', '(("i", da_f), ("f", da_i)'),
           ('da_f @ params["W_fx"] + da_i @ params["W_ix"]',
            'da_f @ params["W_ix"] + da_i @ params["W_fx"]'),
           ('da_f @ params["W_fh"] + da_i @ params["W_ih"]',
            'da_f @ params["W_ih"] + da_i @ params["W_fh"]'),
           says=("gradient of your own forward", "this cell with f and i swapped")),
    public("gru", "reset after the product, forward and backward",
           ('(r[t] * before) @ p["W_hh"].T', 'r[t] * (before @ p["W_hh"].T)'),
           ("dr = du * before", "dr = da_h * (before @ p[\"W_hh\"].T)"),
           ("da_h.T @ (r[t] * before)", "(da_h * r[t]).T @ before"),
           ("+ du * r[t]", "+ (da_h * r[t]) @ p[\"W_hh\"]"),
           says=("gradient of your own forward", "r_t ⊙ (W_hh h_{t−1}) for W_hh (r_t ⊙ h_{t−1})")),
    public("rnn", "a layer without its bias",
           ("x[t - 1] @ U.T + b)", "x[t - 1] @ U.T)"), ("db += da.sum(axis=0)", "pass"),
           says=("gradient of your own forward", "this cell without the bias b")),
    public("lstm", "forward starts from zero, backward as well",
           ('c[0], h[0] = initial.get("c", 0), initial.get("h", 0)', "pass"),
           says=("c_0: forward starts from c_0 = 0", "h_0: forward starts from h_0 = 0"),
           status="partial"),
    public("lstm", "each entry clipped to five",
           (RETURNED, "d = {k: np.clip(v, -5, 5) for k, v in d.items()}\n    " + RETURNED),
           says=("each entry is clipped to ±5",), status="partial"),
    public("rnn", "gradients scaled to norm one",
           ('    return {\n        "params": {"W": dW,',
            "    s = float((dW ** 2).sum() + (dU ** 2).sum() + (db ** 2).sum()) ** 0.5\n"
            "    s = 1 / max(1.0, s)\n    dW, dU, db = s * dW, s * dU, s * db\n"
            '    return {\n        "params": {"W": dW,'),
           says=("the norm of these gradients together is at most 1",), status="partial"),
    public("gru", "h_T read for h_0 wherever the state before is used",
           ("now, before = x[t - 1], h[t - 1]\n        dh",
            "now, before = x[t - 1], h[t - 1] if t > 1 else h[T]\n        dh"),
           says=("h_T read for h_0", "likewise in 4 more places", "adjoint equations 13, 15")),
    public("rnn", "twice the state where its square belongs",
           ("(1 - h[t] ** 2)", "(1 - h[t] * 2)"), says=("1 − 2 h_t for tanh′(a_t)",)),
    public("lstm", "means over the batch, and a slope dropped",
           ("(1 - tanh_c**2)", "1"),
           (RETURNED, "d = {k: v / max(1, x.shape[1]) for k, v in d.items()}\n    " + RETURNED),
           says=("the slope tanh′(c_t) dropped", "divided by B")),
    public("gru", "the gate inside of the product on the way back",
           ("dr = du * before", "dr = (da_h * before) @ p[\"W_hh\"]"),
           says=("W_hhᵀ (h_{t−1} ⊙ ā_{h̃,t}) for (W_hhᵀ ā_{h̃,t}) ⊙ h_{t−1}", "equation 13")),
    public("lstm", "the carry of c made of the cotangent of h that is handed back",
           ("dc_next = dc * f[t]",
            "dc_next = (dc_out[t - 1] + dh_next * o[t] * (1 - tanh_c**2) + dc_next) * f[t]"),
           says=("c̄_t computed again for c⃖_{t−1}, after h̄_t was overwritten by h⃖_{t−1}",)),
    public("lstm", "gates stacked in one order and split in another",
           ("(\"c\", da_c), (\"o\", da_o)", "(\"o\", da_c), (\"c\", da_o)"),
           ("da_c @ params[\"W_cx\"] + da_o @ params[\"W_ox\"]",
            "da_o @ params[\"W_cx\"] + da_c @ params[\"W_ox\"]"),
           ("da_c @ params[\"W_ch\"] + da_o @ params[\"W_oh\"]",
            "da_o @ params[\"W_ch\"] + da_c @ params[\"W_oh\"]"),
           says=("ā_{o,t} and ā_{c̃,t} in each other's place, as where gates are stacked",)),
    public("lstm", "all divided by the number of steps",
           (RETURNED, "d = {k: v / max(T, 1) for k, v in d.items()}\n    " + RETURNED),
           says=("averaged over time instead of summed",)),
    public("rnn", "the loss is a mean over the batch, the gradient was to be of the sum",
           ("dh = dh_out[t - 1] + dh_next", "dh = dh_out[t - 1] / max(1, x.shape[1]) + dh_next"),
           says=("divided by B",)),
    public("lstm", "truncated after three steps",
           ("dc_next = dc * f[t]", "on = (T - t) % 3 != 2 or t == 1\n"
            "        dc_next, dh_next = on * dc * f[t], on * dh_next"),
           says=("truncated after 3 steps",)),
    public("lstm", "the loop never runs", ("range(T, 0, -1)", "range(0)"),
           ('np.zeros_like(c[0]), np.zeros_like(h[0])', 'np.zeros_like(c[0]), np.zeros_like(h[0])'),
           says=("every gradient is zero: none of them is ever written",)),
    public("gru", "the cotangent of h overwritten by the last gate",
           ("dh_next = dh * (1 - z[t]) + du * r[t]\n        dh_next += da_r",
            "dh_next = da_r"),
           says=("W_rhᵀ ā_{r,t}",)),
    public("lstm", "first step's share of the recurrent weights missing",
           ("da.T @ h[t - 1]", "da.T @ (h[t - 1] * (t > 1))"),
           says=("dW_fh, dW_ih, dW_ch and dW_oh each equal", "h_0 taken as zero",
                 "likewise in 3 more places")),
    public("lstm", "computed in float32",
           ("x, initial = inputs[\"x\"], initial or {}",
            "kind = inputs[\"x\"].dtype\n    low = lambda d: {k: v.astype(np.float32) for k, v in"
            " (d or {}).items()}\n    x, initial, params = low(inputs)[\"x\"], low(initial),"
            " low(params)"),
           ('return {"c": c[1:].copy(), "h": h[1:].copy()}, (x.copy(), c, h, f, i, g, o)',
            'return {"c": c[1:].astype(kind), "h": h[1:].astype(kind)}, '
            "(kind, x.copy(), c, h, f, i, g, o)"),
           ("x, c, h, f, i, g, o = tape",
            "kind, x, c, h, f, i, g, o = tape\n    params = {k: v.astype(np.float32) for k, v in"
            " params.items()}\n    cotangents = {k: v.astype(np.float32) for k, v in"
            " cotangents.items()}"),
           ('return {"params": d, "inputs": {"x": dx}, "initial": {"c": dc_next, "h": dh_next}}',
            "d = {k: v.astype(kind) for k, v in d.items()}\n"
            '    return {"params": d, "inputs": {"x": dx.astype(kind)}, "initial": {"c": '
            'dc_next.astype(kind), "h": dh_next.astype(kind)}}'),
           says=("computes in float32 and returns float64",), status="partial"),
)  # fmt: skip
