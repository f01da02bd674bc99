"""What the contenders of `speed.py` compute: a cell's step, as its paper prints it, and a task.

In: a cell's name and sizes. Out: a `Task` of parameters, an input sequence and cotangents; the
step in NumPy, or in whatever imitates it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from derive import catalogue
from derive.language.expr import size_name

Array = npt.NDArray[Any]
Arrays = dict[str, Array]
Run = Callable[[], Arrays | None]
Values = Mapping[str, Any]
CLOCKS: Final[dict[str, Callable[[], float]]] = {
    "wall": time.perf_counter, "processor": time.process_time
}  # fmt: skip
GATES: Final = {"lstm": "fioc", "rnn": ""}
SIZES: Final = (
    (50, 1, 16, 16), (100, 8, 32, 64), (100, 32, 64, 128), (200, 64, 256, 256), (100, 64, 512, 512),
)  # fmt: skip


@dataclass(frozen=True)
class Functions:
    """tanh and σ of a library."""

    tanh: Callable[[Any], Any]
    sigmoid: Callable[[Any], Any]


def _rnn(f: Functions, p: Values, x: Any, s: Values) -> dict[str, Any]:
    return {"h": f.tanh(s["h"] @ p["W"].T + x @ p["U"].T + p["b"])}


def _lstm(fun: Functions, p: Values, x: Any, s: Values) -> dict[str, Any]:
    h = s["h"]
    f = fun.sigmoid(h @ p["W_fh"].T + x @ p["W_fx"].T + p["b_f"])
    i = fun.sigmoid(h @ p["W_ih"].T + x @ p["W_ix"].T + p["b_i"])
    c_tilde = fun.tanh(h @ p["W_ch"].T + x @ p["W_cx"].T + p["b_c"])
    o = fun.sigmoid(h @ p["W_oh"].T + x @ p["W_ox"].T + p["b_o"])
    c = f * s["c"] + i * c_tilde
    return {"c": c, "h": o * fun.tanh(c)}


def _peephole_lstm(fun: Functions, p: Values, x: Any, s: Values) -> dict[str, Any]:
    h, c = s["h"], s["c"]
    f = fun.sigmoid(h @ p["W_fh"].T + x @ p["W_fx"].T + p["p_f"] * c + p["b_f"])
    i = fun.sigmoid(h @ p["W_ih"].T + x @ p["W_ix"].T + p["p_i"] * c + p["b_i"])
    c_tilde = fun.tanh(h @ p["W_ch"].T + x @ p["W_cx"].T + p["b_c"])
    c = f * c + i * c_tilde
    o = fun.sigmoid(h @ p["W_oh"].T + x @ p["W_ox"].T + p["p_o"] * c + p["b_o"])
    return {"c": c, "h": o * fun.tanh(c)}


def _gru_reset_after(fun: Functions, p: Values, x: Any, s: Values) -> dict[str, Any]:
    h = s["h"]
    z = fun.sigmoid(h @ p["W_zh"].T + x @ p["W_zx"].T + p["b_z"])
    r = fun.sigmoid(h @ p["W_rh"].T + x @ p["W_rx"].T + p["b_r"])
    g = fun.tanh(x @ p["W_hx"].T + p["b_h"] + r * (h @ p["W_hh"].T + p["c_h"]))
    return {"h": (1 - z) * g + z * h}


def _mgu(fun: Functions, p: Values, x: Any, s: Values) -> dict[str, Any]:
    h = s["h"]
    f = fun.sigmoid(x @ p["W_f"].T + h @ p["U_f"].T + p["b_f"])
    h_tilde = fun.tanh(x @ p["W_h"].T + (f * h) @ p["U_h"].T + p["b_h"])
    return {"h": (1 - f) * h + f * h_tilde}


def _mut1(fun: Functions, p: Values, x: Any, s: Values) -> dict[str, Any]:
    h = s["h"]
    z = fun.sigmoid(x @ p["W_xz"].T + p["b_z"])
    r = fun.sigmoid(x @ p["W_xr"].T + h @ p["W_hr"].T + p["b_r"])
    a = (r * h) @ p["W_hh"].T + fun.tanh(x) + p["b_h"]
    return {"h": fun.tanh(a) * z + h * (1 - z)}


STEPS: Final = {
    "lstm": _lstm, "gru_reset_after": _gru_reset_after, "rnn": _rnn,
    "peephole_lstm": _peephole_lstm, "mgu": _mgu, "mut1": _mut1,
}  # fmt: skip


@dataclass(frozen=True)
class Task:
    """One call: the sizes, parameters, an input sequence, zero initial states, ∂L/∂h_t.

    A cell whose input has the size of its state takes n for m. Shapes: x (T, B, m), h_bars
    (T, B, n).
    """

    cell: str
    steps: int
    batch: int
    inputs: int
    size: int
    dtype: str = "float32"
    seed: int = 0
    params: Arrays = field(init=False, repr=False)
    x: Array = field(init=False, repr=False)
    h_bars: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Draw matrices N(0, 1/columns), vectors N(0, 1/16) and the rest N(0, 1).

        With larger peepholes rounding grows through time, and gradients in float agree with none.
        """
        rng, cell = np.random.default_rng(self.seed), catalogue[self.cell]
        if size_name(cell.inputs[0].shape[0]) == "n":
            object.__setattr__(self, "inputs", self.size)
        extent = {"n": self.size, "m": self.inputs, "1": 1}
        drawn = {}
        for parameter in cell.parameters:
            rows, columns = (extent[size_name(size)] for size in parameter.shape)
            is_vector = size_name(parameter.shape[1]) == "1"
            shape = (rows,) if is_vector else (rows, columns)
            drawn[parameter.name] = rng.normal(size=shape) / (4 if is_vector else columns**0.5)
        sequence = (self.steps, self.batch)
        object.__setattr__(self, "params", {k: v.astype(self.dtype) for k, v in drawn.items()})
        for name, width in (("x", self.inputs), ("h_bars", self.size)):
            drawn_sequence = rng.normal(size=(*sequence, width)).astype(self.dtype)
            object.__setattr__(self, name, drawn_sequence)

    @property
    def work(self) -> float:
        """Multiplications of all products, forward and backward, in units of 1e9."""
        entries = sum(array.size for array in self.params.values() if array.ndim == 2)
        return 3e-9 * self.steps * self.batch * entries

    def zeros(self) -> Array:
        """An initial state, (B, n)."""
        return np.zeros((self.batch, self.size), self.dtype)

    def initial(self) -> Arrays:
        """Zeros for each state of the cell."""
        return {state.name: self.zeros() for state in catalogue[self.cell].states}

    def stacked(self, gates: str) -> tuple[Array, Array, Array]:
        """The weights of all gates, one below the other, in the order given."""
        if not gates:
            return self.params["W"], self.params["U"], self.params["b"]
        kinds = ("W_{}h", "W_{}x", "b_{}")
        W, U, b = (np.concatenate([self.params[k.format(g)] for g in gates]) for k in kinds)
        return W, U, b

    def named(self, gates: str, weights: Iterable[Array], x_bar: Array, initial: Arrays) -> Arrays:
        """The gradients by name, from those of the stacked weights."""
        W_bar, U_bar, b_bar = weights
        found = {"inputs.x": x_bar, **{f"initial.{k}": v for k, v in initial.items()}}
        if not gates:
            return found | {"params.W": W_bar, "params.U": U_bar, "params.b": b_bar}
        for place, g in enumerate(gates):
            rows = slice(place * self.size, (place + 1) * self.size)
            found[f"params.W_{g}h"], found[f"params.W_{g}x"] = W_bar[rows], U_bar[rows]
            found[f"params.b_{g}"] = b_bar[rows]
        return found


def seconds_of(run: Run, count: int, clock: str) -> float:
    """The seconds of one call, of so many in a row; asked where it runs."""
    if ask := getattr(run, "seconds", None):
        return float(ask(count, clock))
    now = CLOCKS[clock]
    began = now()
    for _ in range(count):
        run()
    return (now() - began) / count


def copied(gradients: Arrays | None) -> Arrays | None:
    """Gradients of one's own: a contender may use its arrays again."""
    return gradients and {name: np.array(value) for name, value in gradients.items()}
