"""Cells beside the packages that implement them: outputs and gradients agree, weights mapped.

`fla-core` (the recurrent reference functions of flash-linear-attention) and `xlstm`, where they and
PyTorch are installed. Their files are loaded by themselves: the packages import Triton and more.
What they round to float32 is kept in float64 here, so that 1e-10 means what it says; their scales,
1/√k of the queries or keys, are put in or taken out, as said. `minGRU-pytorch` has another cell
than the catalogue: its candidate is made positive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import metadata, util
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from derive import catalogue
from numeric.compiler.kernel import compile_cell
from numeric.verification.problems.of_cell import make_case

torch = pytest.importorskip("torch")
F = torch.nn.functional
Tensor = Any
SIZES = {"n": 3, "k": 4, "m": 5, "k1": 2}
TOLERANCE = 1e-10
LOW = torch.float32


def module_of(package: str, ending: str) -> Any:
    """A file of an installed package as a module of its own; skips where it is not there."""
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        pytest.skip(f"{package} is not installed")
    path = next(file.locate() for file in files if str(file).endswith(ending))
    spec = util.spec_from_file_location(ending.replace("/", "_").removesuffix(".py"), path)
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ImportError as missing:  # einops, of which some of them are made
        pytest.skip(f"{package}: {missing}")
    return module


@pytest.fixture
def doubles() -> Iterator[None]:
    """What they turn into float32 stays as it is."""
    to = torch.Tensor.to

    def kept(self: Tensor, *args: Any, **given: Any) -> Tensor:
        low = LOW in args or given.get("dtype") is LOW
        return to(self, torch.float64) if low else to(self, *args, **given)

    with (
        patch.object(torch.Tensor, "float", torch.Tensor.double),
        patch.object(torch.Tensor, "to", kept),
        patch.object(torch, "float32", torch.float64),
        patch.object(torch, "float", torch.float64),
    ):
        yield


def silu(a: Tensor) -> Tensor:
    return a * torch.sigmoid(a)


def unit(a: Tensor) -> Tensor:
    return a / a.norm(dim=-1, keepdim=True)


def heads(*arrays: Tensor) -> tuple[Tensor, ...]:
    """(T, B, …) as (B, T, 1, …): one head, the batch first."""
    return tuple(a.transpose(0, 1).unsqueeze(2) for a in arrays)


def from_heads(y: Tensor) -> Tensor:
    return y.squeeze(2).transpose(0, 1)


def keys_and_values(p: dict[str, Tensor], x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return unit(silu(x @ p["W_q"].T)), unit(silu(x @ p["W_k"].T)), silu(x @ p["W_v"].T)


def delta_net(p: dict[str, Tensor], x: Tensor, s: dict[str, Tensor]) -> dict[str, Tensor]:
    """Theirs takes heads before time, S as keys × values, and divides queries by √k."""
    theirs = module_of("fla-core", "ops/delta_rule/naive.py").delta_rule_recurrence
    q, k, v = keys_and_values(p, x)
    beta = torch.sigmoid(x @ p["w_beta"])
    q, k, v, beta = (a.transpose(0, 1).unsqueeze(1) for a in (q * q.shape[-1] ** 0.5, k, v, beta))
    y, last = theirs(q, k, v, beta, s["S"].transpose(-1, -2).unsqueeze(1))
    return {"y": y.squeeze(1).transpose(0, 1), "S": last.squeeze(1).transpose(-1, -2)}


def gla(p: dict[str, Tensor], x: Tensor, s: dict[str, Tensor]) -> dict[str, Tensor]:
    theirs = module_of("fla-core", "ops/gla/naive.py").naive_recurrent_gla
    q, k, v = (x @ p[name].T for name in ("W_q", "W_k", "W_v"))
    gate = F.logsigmoid(x @ p["W_a1"].T @ p["W_a2"].T + p["b_a"]) / 16
    q, k, v, gate = heads(q * q.shape[-1] ** 0.5, k, v, gate)
    y, last = theirs(q, k, v, gate, s["S"].transpose(-1, -2).unsqueeze(1), True)
    return {"y": from_heads(y), "S": last.squeeze(1).transpose(-1, -2)}


def rwkv6(p: dict[str, Tensor], x: Tensor, s: dict[str, Tensor]) -> dict[str, Tensor]:
    theirs = module_of("fla-core", "ops/rwkv6/recurrent_naive.py").naive_recurrent_rwkv6
    q, k, v = (x @ p[name].T for name in ("W_r", "W_k", "W_v"))
    w = -torch.exp(p["omega"] + torch.tanh(x @ p["A_w"].T) @ p["B_w"].T)
    q, k, v, w = (a.transpose(0, 1).unsqueeze(1) for a in (q, k, v, w))
    start = s["S"].transpose(-1, -2).unsqueeze(1)
    y, last = theirs(q, k, v, w, p["u"][None], 1.0, start, True)
    return {"y": y.squeeze(1).transpose(0, 1), "S": last.squeeze(1).transpose(-1, -2)}


def gated_delta_net(p: dict[str, Tensor], x: Tensor, s: dict[str, Tensor]) -> dict[str, Tensor]:
    theirs = module_of("fla-core", "ops/gated_delta_rule/naive.py").naive_recurrent_gated_delta_rule
    beta = torch.sigmoid(x @ p["w_beta"])
    gate = -torch.exp(p["a_log"]) * F.softplus(x @ p["w_dt"] + p["b_dt"])
    q, k, v, beta, gate = heads(*keys_and_values(p, x), beta, gate)
    start = s["S"].transpose(-1, -2).unsqueeze(1)
    y, last = theirs(q, k, v, beta, gate, 1.0, start, True)
    return {"y": from_heads(y), "S": last.squeeze(1).transpose(-1, -2)}


def kda(p: dict[str, Tensor], x: Tensor, s: dict[str, Tensor]) -> dict[str, Tensor]:
    theirs = module_of("fla-core", "ops/kda/naive.py").naive_recurrent_kda
    beta = torch.sigmoid(x @ p["w_beta"])
    gate = -torch.exp(p["a_log"]) * F.softplus(x @ p["W_a1"].T @ p["W_a2"].T + p["b_a"])
    q, k, v, gate, beta = heads(*keys_and_values(p, x), gate, beta)
    start = s["S"].transpose(-1, -2).unsqueeze(1)
    y, last = theirs(q, k, v, gate, beta, 1.0, start, True)
    return {"y": from_heads(y), "S": last.squeeze(1).transpose(-1, -2)}


def slstm(p: dict[str, Tensor], x: Tensor, s: dict[str, Tensor]) -> dict[str, Tensor]:
    """Theirs has the gates i, f, z, o side by side, and the states y, c, n, m."""
    step = module_of("xlstm", "slstm/src/vanilla/slstm.py").slstm_forward_pointwise
    W, R, b = (torch.cat([p[f"{letter}_{gate}"] for gate in "ifzo"]) for letter in "WRb")
    states = torch.stack([s[name] for name in "hcnm"])
    found: list[Tensor] = []
    for x_t in x:
        states, _ = step(x_t @ W.T, states[0] @ R.T, b[None], states, {})
        found.append(states)
    return {name: torch.stack([one[i] for one in found]) for i, name in enumerate("hcnm")}


def mlstm_stabilised(p: dict[str, Tensor], x: Tensor, s: dict[str, Tensor]) -> dict[str, Tensor]:
    """Theirs divides keys by √k, adds 1e-6 to the denominator if not told otherwise."""
    step = module_of("xlstm", "blocks/mlstm/backends.py").recurrent_step_stabilized_simple
    q, k, v = (x @ p[f"W_{name}"].T + p[f"b_{name}"] for name in "qkv")
    i, f = (x @ p[f"w_{name}"] + p[f"b_{name}"] for name in "if")
    o = torch.sigmoid(x @ p["W_o"].T + p["b_o"])
    C, n = s["C"].transpose(-1, -2)[:, None], s["n"][:, None, :, None]
    m = s["m"].reshape(-1, 1, 1, 1)
    found: dict[str, list[Tensor]] = {name: [] for name in ("h", "C", "n", "m")}
    for t in range(len(x)):
        given = (a[t][:, None, None].clone() for a in (q, k * k.shape[-1] ** 0.5, v))
        gates = (a[t].reshape(-1, 1, 1, 1) for a in (i, f))
        h, (C, n, m) = step(C, n, m, *given, *gates, eps=0.0)
        made = {"h": o[t] * h[:, 0, 0], "C": C[:, 0].transpose(-1, -2), "n": n[:, 0, :, 0],
                "m": m.reshape(-1, 1)}  # fmt: skip
        for name, value in made.items():
            found[name].append(value)
    return {name: torch.stack(values) for name, values in found.items()}


THEIRS: dict[str, Callable[..., dict[str, Tensor]]] = {
    "delta_net": delta_net, "gla": gla, "rwkv6": rwkv6, "gated_delta_net": gated_delta_net,
    "kda": kda, "slstm": slstm, "mlstm_stabilised": mlstm_stabilised,
}  # fmt: skip


@pytest.mark.usefixtures("doubles")
@pytest.mark.parametrize("name", THEIRS)
def test_outputs_and_gradients_are_those_of_the_package(name: str) -> None:
    cell = catalogue[name]
    sizes = {**SIZES, "k": 3} if name == "mlstm_stabilised" else SIZES  # theirs is square
    case = make_case(cell, sizes, steps=4, batch=2, seed=1)
    leaves = {
        group: {key: torch.tensor(value, requires_grad=True) for key, value in arrays.items()}
        for group, arrays in (("params", case.params), ("inputs", case.inputs),
                              ("initial", case.initial))
    }  # fmt: skip
    found = THEIRS[name](leaves["params"], leaves["inputs"]["x"], leaves["initial"])
    kernel = compile_cell(cell)
    states, tape = kernel.forward(case.params, case.inputs, case.initial)
    loss, bars = 0, {}
    for key, value in found.items():  # the last state alone, where they return no others
        alone = value.ndim < states[key].ndim
        bars[key] = np.array(case.cotangents[key])
        if alone:
            bars[key][:-1] = 0
        want = states[key][-1] if alone else states[key]
        assert_near(value, want, key)
        bar = bars[key][-1] if alone else bars[key]
        loss = loss + (value * torch.tensor(bar)).sum()
    loss.backward()
    gradients = kernel.backward(case.params, tape, bars)
    for group, arrays in leaves.items():
        for key, leaf in arrays.items():
            assert leaf.grad is not None, (group, key)
            assert_near(leaf.grad, gradients[group][key], f"{group}.{key}")


def assert_near(theirs: Tensor, ours: Any, where: str) -> None:
    theirs = theirs.detach().numpy()
    assert theirs.shape == ours.shape, where
    off = np.max(np.abs(theirs - ours), initial=0)
    assert off <= TOLERANCE * np.max(np.abs(ours), initial=1e-300), where
