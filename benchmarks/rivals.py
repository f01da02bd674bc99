"""What the emitted code is measured against, each computing the same gradients.

In: a `Task`. Out: functions without arguments that run forward and backward once and return
gradients by name (`"params.W_fh"`, `"inputs.x"`, `"initial.c"`); None where the library is not
installed. Everything is measured from raw arrays to raw arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import autograd
import autograd.numpy as anp
import numpy as np
from tasks import STEPS, Arrays, Functions, Run, Task, Values

from numeric.compiler.target import MissingError
from numeric.compiler.to_c.build import compiler


def with_autograd(task: Task) -> Run:
    """`autograd.grad` of the unrolled equations; x as a list, which spares it T copies of x."""
    step = STEPS[task.cell]
    functions = Functions(anp.tanh, lambda a: 1 / (1 + anp.exp(-a)))

    def loss(params: Any, xs: Any, state: Any) -> Any:
        total = 0.0
        for x, h_bar in zip(xs, task.h_bars, strict=True):
            state = step(functions, params, x, state)
            total = total + anp.sum(state["h"] * h_bar)
        return total

    gradient = autograd.grad(loss, (0, 1, 2))

    def run() -> Arrays:
        params, xs, initial = gradient(task.params, list(task.x), task.initial())
        return {
            **{f"params.{k}": v for k, v in params.items()},
            "inputs.x": np.stack(xs),
            **{f"initial.{k}": v for k, v in initial.items()},
        }

    return run


def with_jax(task: Task) -> Run | None:
    """`jax.grad` of a scan over the equations, compiled; None where JAX is not installed."""
    if find_spec("jax") is None:
        return None
    jax, jnp = import_module("jax"), import_module("jax.numpy")
    jax.config.update("jax_enable_x64", task.dtype == "float64")
    step, functions = STEPS[task.cell], Functions(jnp.tanh, jax.nn.sigmoid)

    def loss(params: Any, xs: Any, state: Any) -> Any:
        def advance(state: Any, x: Any) -> Any:
            state = step(functions, params, x, state)
            return state, state["h"]

        return (jax.lax.scan(advance, state, xs)[1] * task.h_bars).sum()

    gradient = jax.jit(jax.grad(loss, (0, 1, 2)))

    def run() -> Arrays:
        params, x_bar, initial = gradient(task.params, task.x, task.initial())
        return {
            **{f"params.{k}": np.asarray(v) for k, v in params.items()},
            "inputs.x": np.asarray(x_bar),
            **{f"initial.{k}": np.asarray(v) for k, v in initial.items()},
        }

    return run


# ---- PyTorch --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layer:
    """A layer of PyTorch that computes a cell: its name, and whose rows stand in its arrays.

    A name of "" stands for zeros: PyTorch adds two biases where the cell has one.
    """

    kind: str
    arrays: dict[str, tuple[str, ...]]


LAYERS: Final = {
    "lstm": Layer("LSTM", {
        "weight_hh": ("W_ih", "W_fh", "W_ch", "W_oh"),
        "weight_ih": ("W_ix", "W_fx", "W_cx", "W_ox"),
        "bias_ih": ("b_i", "b_f", "b_c", "b_o"),
    }),
    "gru_reset_after": Layer("GRU", {
        "weight_hh": ("W_rh", "W_zh", "W_hh"),
        "weight_ih": ("W_rx", "W_zx", "W_hx"),
        "bias_ih": ("b_r", "b_z", "b_h"),
        "bias_hh": ("", "", "c_h"),
    }),
    "rnn": Layer("RNN", {"weight_hh": ("W",), "weight_ih": ("U",), "bias_ih": ("b",)}),
}  # fmt: skip


def with_torch(task: Task) -> Run | None:
    """PyTorch's own layer and its backward pass; None where PyTorch or such a layer is missing."""
    if find_spec("torch") is None or task.cell not in LAYERS:
        return None
    torch, layer = import_module("torch"), LAYERS[task.cell]
    network = getattr(torch.nn, layer.kind)(task.inputs, task.size)
    network = network.to(getattr(torch, task.dtype))
    with torch.no_grad():
        network.bias_hh_l0.zero_()
        for name, parts in layer.arrays.items():
            rows = [task.params[part] if part else task.zeros()[0] for part in parts]
            getattr(network, f"{name}_l0").copy_(torch.from_numpy(np.concatenate(rows)))
    h_bars = torch.from_numpy(task.h_bars)

    def run() -> Arrays:
        network.zero_grad()
        x = torch.from_numpy(task.x).requires_grad_()
        state = {k: torch.from_numpy(v[None]).requires_grad_() for k, v in task.initial().items()}
        outputs, _ = network(x, (state["h"], state["c"]) if "c" in state else state["h"])
        outputs.backward(h_bars)
        found = {"inputs.x": x.grad.numpy()}
        for name, parts in layer.arrays.items():
            bars = getattr(network, f"{name}_l0").grad.numpy()
            for place, part in enumerate(parts):
                if part:
                    rows = slice(place * task.size, (place + 1) * task.size)
                    found[f"params.{part}"] = bars[rows]
        return found | {f"initial.{k}": v.grad.numpy()[0] for k, v in state.items()}

    return run


def with_torch_loop(task: Task, compiled: bool = False) -> Run | None:
    """A loop in Python over the cell's equations, under PyTorch's autograd: a user's own cell.

    `compiled`: the cell under `torch.compile`; None where no C++ compiler is found for it.
    """
    if find_spec("torch") is None:
        return None
    torch, step = import_module("torch"), STEPS[task.cell]
    functions = Functions(torch.tanh, torch.sigmoid)

    def advance(params: Values, x: Any, state: Values) -> dict[str, Any]:
        return step(functions, params, x, state)

    if compiled:
        try:
            compiler()
        except MissingError:
            return None
        import_module("torch._dynamo").reset()  # it compiles one function a few times only
        advance = torch.compile(advance)
    params = {k: torch.from_numpy(v).requires_grad_() for k, v in task.params.items()}
    h_bars = torch.from_numpy(task.h_bars)

    def run() -> Arrays:
        for value in params.values():
            value.grad = None
        x = torch.from_numpy(task.x).requires_grad_()
        initial = {k: torch.from_numpy(v).requires_grad_() for k, v in task.initial().items()}
        state, outputs = dict(initial), []
        for x_t in x.unbind():
            state = advance(params, x_t, state)
            outputs.append(state["h"])
        torch.stack(outputs).backward(h_bars)
        return {
            **{f"params.{k}": v.grad.numpy() for k, v in params.items()},
            "inputs.x": x.grad.numpy(),
            **{f"initial.{k}": v.grad.numpy() for k, v in initial.items()},
        }

    return run
