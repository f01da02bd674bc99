"""Mistakes told of backward passes of matrix memories and stabilised gates, rebuilt from words.

What public kernels and their users said in 2026: the gradient of an initial state returned as zero
or accepted and ignored, cotangents of final states ignored, a stabiliser taken for a constant, a
term that is missing, results that are wrong below a window. Each is the right file beside it with
edits; `says` is what the verdict has to say in one of its lines.
"""

from __future__ import annotations

from public import Public, public

MEMORIES: tuple[Public, ...] = (
    public("slstm", "the gradient of the stabiliser's initial value is zero",
           ('{"m": dm_next,', '{"m": 0 * dm_next,'),
           says=("dm_0 equals", "the carry of m missing at t = 0")),
    public("slstm", "the stabiliser taken for a constant",
           ("dm = dm_out[t - 1] + dm_next - dkept - di", "dm = 0 * dm_next"),
           says=("m̄_t left at zero",)),
    public("slstm", "the stabiliser taken for a constant, its initial value too",
           ("dm = dm_out[t - 1] + dm_next - dkept - di", "dm = 0 * dm_next"),
           ("dm_next, dc_next, dn_next = dkept,", "dm_next, dc_next, dn_next = 0 * dkept,"),
           says=("m̄_t left at zero",)),
    public("slstm", "cotangents of the memory, normaliser and stabiliser not taken",
           ("dm_out[t - 1] + dm_next", "dm_next"), ("dc_out[t - 1] + dc_next", "dc_next"),
           ("dn_out[t - 1] + dn_next", "dn_next"),
           says=("∂L/∂m", "∂L/∂c", "∂L/∂n"), status="partial"),
    public("slstm", "the normaliser taken for a constant",
           ("dn = dn_out[t - 1] + dn_next - dh * h[t] / n[t]", "dn = dn_out[t - 1] + dn_next"),
           says=("missing",)),
    public("slstm", "of the maximum the input gate's side forgotten",
           ("di = di + np.where(chosen, 0 * dm, dm)", "pass"), says=("missing",)),
    public("slstm", "the slope of log σ taken for that of σ",
           ("dkept * (1 - sigmoid(a_f[t]))", "dkept * sigmoid(a_f[t]) * (1 - sigmoid(a_f[t]))"),
           says=("f",)),
    public("delta_net", "an initial state accepted, its gradient zero",
           ('"initial": {"S": dS_next}', '"initial": {"S": 0 * dS_next}'),
           says=("dS_0 equals", "the carry of S missing at t = 0")),
    public("delta_net", "the cotangent of the final state accepted and ignored",
           ("dS_out[t] + dS_next", "dS_next"), says=("∂L/∂S",), status="partial"),
    public("delta_net", "the cotangent of the final state taken at no other step",
           ("dS_out[t] + dS_next", "dS_out[t] * (t == T - 1) + dS_next"),
           says=("∂L/∂S_t taken at the last step alone",)),
    public("delta_net", "the key's share in what is erased forgotten",
           ("        dk = dk - (de[..., None, :] @ S[t])[..., 0, :]\n", ""),
           says=("missing",)),
    public("delta_net", "the rate's gradient from the value alone",
           ("(du * e[t])", "(du * v[t])"), says=("v_t for",)),
    public("delta_net", "the keys' length taken for a constant",
           ("(d - unit * along) / length", "d / length"),
           says=("q̄_{k,2,t} left at zero", "q̄_{q,2,t} left at zero")),
    public("delta_net", "the query reads the memory of the step before",
           ("(dy[..., None, :] @ S[t + 1])", "(dy[..., None, :] @ S[t])"),
           says=("S_{t−1} for S_t",)),
    public("delta_net", "what is erased not taken off the carry",
           ("dS_next = dS - de[..., None] * k[t][..., None, :]", "dS_next = dS"),
           says=("missing",)),
    public("delta_net", "nothing handed from one chunk of two steps to the one before",
           ("dS_next = dS - de", "dS_next = (t % 2 > 0) * dS - (t % 2 > 0) * de"),
           ('"initial": {"S": dS_next}', '"initial": {"S": dS - de[..., None] * k[0][..., None, :] '
            "if T else dS_next}"),
           says=("nothing is handed across every 2 steps",)),
    public("m2rnn", "the term of the candidate missing in the gate's gradient",
           ("(dS * (S[t] - Z[t]))", "(dS * S[t])"), says=("missing",)),
    public("m2rnn", "the carry without its gate",
           ("dS_next = f[t] * dS + dA @ W.T", "dS_next = dA @ W.T"), says=("missing",)),
    public("m2rnn", "an initial state accepted, its gradient zero",
           ('"initial": {"S": dS_next}', '"initial": {"S": 0 * dS_next}'),
           says=("dS_0 equals", "the carry of S missing at t = 0")),
    public("m2rnn", "the weight not turned on the way back", ("dA @ W.T", "dA @ W"),
           says=("W for Wᵀ",)),
    public("m2rnn", "the weight's gradient from the new state",
           ("(S[t].swapaxes(-1, -2) @ dA)", "(S[t + 1].swapaxes(-1, -2) @ dA)"),
           says=("S_t for S_{t−1}",)),
    public("m2rnn", "wrong below a window of three steps",
           ("dS = dS_out[t] + dS_next +", "dS = dS_out[t] + dS_next * (T >= 3) +"),
           says=("the carry of S is missing", "T = 2")),
)  # fmt: skip
