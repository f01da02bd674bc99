"""The newer cells against PyTorch in float64: equations by hand, gradients by its autograd.

Everything is per sample here: vectors (n,), matrices values × keys; nothing of the toolkit makes a
step. Where a paper has its memory turned round, so has the equation here.
"""

import numpy as np
import pytest

from derive import catalogue
from numeric.compiler.kernel import compile_cell
from numeric.verification.problems.of_cell import make_case, ordinary_sizes

torch = pytest.importorskip("torch")
F = torch.nn.functional
ROUNDING = 1e-12


def unit(a):
    return a / a.norm()


def pair(p, x, k="W_k", v="W_v", q="W_q"):
    return unit(F.silu(p[k] @ x)), F.silu(p[v] @ x), unit(F.silu(p[q] @ x))


def gate(p, x, w, b):
    """Mamba-2's decay of one number."""
    return torch.exp(-p["a_log"].exp() * F.softplus(p[w] @ x + p[b]))


def erase(k, beta):
    return torch.eye(len(k), dtype=k.dtype) - beta * torch.outer(k, k)


def delta_net(p, x, s):
    k, v, q = pair(p, x)
    beta = torch.sigmoid(p["w_beta"] @ x)
    S = s["S"] @ erase(k, beta) + beta * torch.outer(v, k)
    return {"S": S, "y": S @ q}


def kda(p, x, s):
    k, v, q = pair(p, x)
    beta = torch.sigmoid(p["w_beta"] @ x)
    alpha = torch.exp(-p["a_log"].exp() * F.softplus(p["W_a2"] @ p["W_a1"] @ x + p["b_a"]))
    turned = erase(k, beta) @ torch.diag(alpha) @ s["S"].T + beta * torch.outer(k, v)
    return {"S": turned.T, "y": turned.T @ q}


def gated_delta_net_2(p, x, s):
    k, v, q = pair(p, x)
    e, w = torch.sigmoid(p["W_e"] @ x), torch.sigmoid(p["W_w"] @ x)
    alpha = torch.exp(-p["a_log"].exp() * F.softplus(p["W_a2"] @ p["W_a1"] @ x + p["b_a"]))
    eye = torch.eye(len(k), dtype=k.dtype)
    turned = (eye - torch.outer(k, e * k)) @ torch.diag(alpha) @ s["S"].T + torch.outer(k, w * v)
    return {"S": turned.T, "y": turned.T @ q}


def delta_product(p, x, s):
    S = s["S"]
    for j in "12":
        k, v, q = pair(p, x, f"W_k{j}", f"W_v{j}")
        beta = 2 * torch.sigmoid(p[f"w_beta{j}"] @ x)
        S = S @ erase(k, beta) + beta * torch.outer(v, k)
    return {"S": S, "y": S @ q}


def comba(p, x, s):
    k, v, q = pair(p, x)
    beta, b = torch.sigmoid(p["w_beta"] @ x), torch.sigmoid(p["b_p"])
    eye = torch.eye(len(k), dtype=k.dtype)
    kept = gate(p, x, "w_dt", "b_dt") * eye - beta * b * torch.outer(k, k)
    S = s["S"] @ kept + beta * torch.outer(v, k)
    return {"S": S, "y": S @ (q - p["d"] * b * k)}


def momentum_delta_net(p, x, s):
    k, v, _ = pair(p, x, q="W_k")
    eta = 1 + torch.tanh(p["w_eta"] @ x)
    theta = torch.arctan(p["rho"].exp() * eta)
    beta = torch.sin(theta) ** 2 * torch.sigmoid(p["w_beta"] @ x)
    alpha = torch.cos(theta) ** 2 * gate(p, x, "w_alpha", "b_alpha")
    mu = torch.exp(-p["mu_log"].exp() * F.softplus(p["w_mu"] @ x + p["b_mu"]))
    M = mu * s["M"] + eta * torch.outer(alpha * s["S"] @ k - v, k)
    S = alpha * s["S"] - beta * M
    q = unit(F.silu(p["W_q"] @ x) - p["d_log"].exp() * F.silu(p["W_k"] @ x))
    return {"M": M, "S": S, "y": S @ q}


def m2rnn(p, x, s):
    """Keys × values, as in its paper: W and the candidate are on the side of the values."""
    f = torch.sigmoid(p["w_f"] @ x + p["b_f"])
    Z = torch.tanh(s["S"] @ p["W"] + torch.outer(p["W_k"] @ x, p["W_v"] @ x))
    S = f * s["S"] + (1 - f) * Z
    return {"S": S, "y": (p["W_q"] @ x) @ S}


def ttt_linear(p, x, s):
    k, v, q = p["W_k"] @ x, p["W_v"] @ x, p["W_q"] @ x
    eta, n = torch.sigmoid(p["w_eta"] @ x), len(k)

    def answer(weights, bias, a):
        return a + F.layer_norm(weights @ a + bias, (n,), p["gamma"], p["delta"], 1e-6)

    def loss(weights, bias):
        return 0.5 * ((answer(weights, bias, k) - v) ** 2).sum()

    inner = torch.func.grad(loss, argnums=(0, 1))(s["S"], s["s"])
    S, bias = s["S"] - eta * inner[0], s["s"] - eta * inner[1]
    return {"S": S, "s": bias, "y": answer(S, bias, q)}


def mlstm_stabilised(p, x, s):
    q, k, v = (p[f"W_{a}"] @ x + p[f"b_{a}"] for a in "qkv")
    i, f = p["w_i"] @ x + p["b_i"], F.logsigmoid(p["w_f"] @ x + p["b_f"])
    m = torch.maximum(f + s["m"], i)  # (1,)
    a, j = torch.exp(f + s["m"] - m), torch.exp(i - m)
    C, n = a * s["C"] + j * torch.outer(v, k), a * s["n"] + j * k
    h = torch.sigmoid(p["W_o"] @ x + p["b_o"]) * (C @ q)
    return {"m": m, "C": C, "n": n, "h": h / torch.maximum((n @ q).abs(), torch.exp(-m))}


def mamba3(p, x, s):
    dt = F.softplus(p["w_dt"] @ x + p["b_dt"])
    alpha, lam = torch.exp(-p["a_log"].exp() * dt), torch.sigmoid(p["w_lam"] @ x)
    turn = torch.exp(-1j * dt * (p["W_th"] @ x))  # (re, im) of a row times R is this times it
    v, b = p["W_x"] @ x, torch.complex(p["W_Br"] @ x + p["c_br"], p["W_Bi"] @ x + p["c_bi"])
    c = torch.complex(p["W_Cr"] @ x + p["c_cr"], p["W_Ci"] @ x + p["c_ci"])
    last = torch.complex(s["d_re"], s["d_im"])
    h = torch.complex(s["S_re"], s["S_im"])
    h = (alpha * h + (1 - lam) * dt * alpha * s["u"][:, None] * last) * turn
    h = h + lam * dt * v[:, None] * b
    y = (h * c.conj()).real.sum(1) + p["D"] * v
    return {"S_re": h.real, "S_im": h.imag, "u": v, "d_re": b.real, "d_im": b.imag, "y": y}


def preconditioned_gated_delta_net(p, x, s):
    k, v, q = pair(p, x)
    decay = torch.exp(-p["p_log"].exp() * F.softplus(p["w_p"] @ x + p["b_p"]))
    a = decay * s["a"].clamp(min=0) + torch.sigmoid(p["w_a"] @ x) * k**2
    r = torch.log(a + 1e-6) - p["center"]
    written = 1.5 ** (-r / (1 + r.abs())) * k
    M = gate(p, x, "w_dt", "b_dt") * s["S"]
    S = M + torch.sigmoid(p["w_beta"] @ x) * torch.outer(v - M @ k, written)
    return {"a": a, "S": S, "y": S @ q}


def s5(p, x, s):
    eigen = torch.complex(p["nu"], p["omega"])
    over = torch.exp(eigen * p["log_dt"].exp())
    held = (over - 1) / eigen * (torch.complex(p["B_re"], p["B_im"]) @ x.to(torch.complex128))
    h = over * torch.complex(s["re"], s["im"]) + held
    y = 2 * (torch.complex(p["C_re"], p["C_im"]) @ h).real + p["D"] * x
    return {"re": h.real, "im": h.imag, "y": y}


def hgrn(p, x, s):
    kept = s["lower"] + (1 - s["lower"]) * torch.sigmoid(p["W_f"] @ x + p["b_f"])
    new = torch.complex(F.silu(p["W_re"] @ x + p["b_re"]), F.silu(p["W_im"] @ x + p["b_im"]))
    h = kept * torch.exp(1j * p["theta"]) * torch.complex(s["re"], s["im"]) + (1 - kept) * new
    return {"re": h.real, "im": h.imag}


def t_lstm(p, x, s):
    short = torch.tanh(p["W_d"] @ s["c"] + p["b_d"])
    held = s["c"] - short + short / torch.log(np.e + s["dt"].abs())
    f, i, o = (torch.sigmoid(p[f"W_{g}"] @ x + p[f"U_{g}"] @ s["h"] + p[f"b_{g}"]) for g in "fio")
    c = f * held + i * torch.tanh(p["W_c"] @ x + p["U_c"] @ s["h"] + p["b_c"])
    return {"c": c, "h": o * torch.tanh(c)}


def para_gru(p, x, s):
    h = s["h"]
    z, r = (torch.sigmoid(p[f"a_{g}"] * h + p[f"B_{g}"] @ x + p[f"b_{g}"]) for g in "zr")
    new = torch.tanh(p["a_h"] * h * r + p["B_h"] @ x + p["b_h"])
    return {"h": z * new + (1 - z) * h}


class Fires(torch.autograd.Function):
    """1 above the threshold; backwards as its authors' code has it: γ max(0, 1 − |a|)."""

    @staticmethod
    def forward(context, a):
        context.save_for_backward(a)
        return (a > 0).to(a.dtype)

    @staticmethod
    def backward(context, y_bar):
        (a,) = context.saved_tensors
        return y_bar * 0.3 * torch.clamp(1 - a.abs(), min=0)


class FiresFast(Fires):
    """The same with the slope 1/(1 + 100 |a|)²."""

    @staticmethod
    def backward(context, y_bar):
        (a,) = context.saved_tensors
        return y_bar / (100 * a.abs() + 1) ** 2


def lif(p, x, s):
    i = s["alpha"] * s["i"] + p["W"] @ x + p["V"] @ s["s"]
    u = s["beta"] * s["u"] + s["i"] - s["s"]
    return {"i": i, "u": u, "s": FiresFast.apply(u - 1)}


def alif(p, x, s):
    a = s["rho"] * s["a"] + s["z"]
    v = s["alpha"] * s["v"] + p["W_rec"] @ s["z"] + p["W_in"] @ x - s["z"]
    return {"a": a, "v": v, "z": Fires.apply(v - (1 + s["beta"] * a))}


STEPS = (
    delta_net, kda, gated_delta_net_2, delta_product, comba, momentum_delta_net, m2rnn,
    ttt_linear, mlstm_stabilised, mamba3, preconditioned_gated_delta_net, s5, hgrn, t_lstm,
    para_gru, lif, alif,
)  # fmt: skip


def by_hand(step, case):
    """What a step by hand returns of all times, and the gradients of the case's loss."""
    groups = {
        group: {name: torch.tensor(value, requires_grad=True) for name, value in arrays.items()}
        for group, arrays in (
            ("params", case.params), ("inputs", case.inputs), ("initial", case.initial))
    }  # fmt: skip
    cell, loss = catalogue[step.__name__], 0
    fixed = {name: torch.tensor(value) for name, value in case.constants.items()}
    found = {name: np.zeros(array.shape) for name, array in case.cotangents.items()}
    for b in range(case.batch):
        state = {name: value[b] for name, value in groups["initial"].items()}
        for t in range(case.steps):
            given = {name: value[t, b] for name, value in groups["inputs"].items()}
            x = given.pop("x")
            made = step(groups["params"], x, {**state, **given, **fixed})
            state = {symbol.name: made[symbol.name] for symbol in cell.states}
            for name, cotangent in case.cotangents.items():
                found[name][t, b] = made[name].detach().numpy()
                loss = loss + (torch.tensor(cotangent[t, b]) * made[name]).sum()
    loss.backward()
    return found, {
        (group, name): value.grad.numpy()
        for group, values in groups.items() for name, value in values.items()
    }  # fmt: skip


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_a_cell_and_its_gradients_are_what_its_equations_by_hand_say(step):
    cell = catalogue[step.__name__]
    case = make_case(cell, ordinary_sizes(cell, 5), steps=4, batch=2, seed=3)
    for name, value in case.initial.items():
        case.initial[name] = np.abs(value) + 0.1 if name == "a" else value
    states, gradients = by_hand(step, case)
    for style in ("fused", "stable"):
        kernel = compile_cell(cell, style)
        got, tape = kernel.forward(case.params, case.inputs, case.initial, case.constants)
        for name, want in states.items():
            assert np.max(np.abs(got[name] - want)) <= ROUNDING * np.max(np.abs(want)), name
        back = kernel.backward(case.params, tape, case.cotangents)
        for (group, name), want in gradients.items():
            error = np.max(np.abs(back[group][name] - want))
            assert error <= ROUNDING * np.max(np.abs(want)), (group, name)


def test_a_key_that_is_read_before_the_decay_is_noticed():
    cell = catalogue["kda"]
    case = make_case(cell, ordinary_sizes(cell, 5), steps=4, batch=2, seed=3)
    states, _ = by_hand(kda, case)
    text = cell.text.replace("M @ k", "S_prev @ k")
    assert text != cell.text
    early = type(cell).parse(name="early", equations=text, scalars=("a_log",), outputs=("y",))
    got, _ = compile_cell(early).forward(case.params, case.inputs, case.initial)
    assert np.max(np.abs(got["S"] - states["S"])) > 1e-3 * np.max(np.abs(states["S"]))
