"""Where a framework's equations find their parameters in its stacked arrays.

In: the arrays of one layer and direction. Out: the framework's cell, as `derive/cells/dialects/`
has it, and its parameters by the names of its equations. The orders of the gates are written down
from each framework's documentation, apart from the tables by which weights are converted: a
mistake in either shows when the two functions are compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from derive.cell import Cell, dialects

Array = Any


@dataclass(frozen=True)
class Arrays:
    """W (g·n, m), R (g·n, n or p), two biases (g·n,), peepholes (3·n,), a projection (p, n)."""

    W: Array
    R: Array
    biases: tuple[Array | None, Array | None] = (None, None)
    peepholes: Array | None = None
    projection: Array | None = None


@dataclass(frozen=True)
class Form:
    """A framework's cell: its gates in their order, and how its names are made of a gate's letter.

    `turned`: kernels stand right of the rows. `states`: our names of its states.
    """

    cell: str
    gates: Sequence[str]
    W: str
    R: str
    first: str = ""
    second: str = ""
    turned: bool = False
    peepholes: Sequence[str] = ()
    states: Mapping[str, str] = field(default_factory=lambda: {"h": "h"})


_LONG: Final = {"c": "c", "h": "h"}


def _form(
    cell: str, gates: Sequence[str], W: str, R: str, first: str = "", second: str = "",
    **more: Any,
) -> Form:  # fmt: skip
    more.setdefault("states", _LONG if "lstm" in cell else {"h": "h"})
    if cell.startswith("onnx"):
        more["states"] = {name.upper(): own for name, own in more["states"].items()}
    return Form(cell, gates, W, R, first, second, **more)


_TORCH: Final = ("W_i{}", "W_h{}", "b_i{}", "b_h{}")
_ONNX: Final = ("W_{}", "R_{}", "Wb_{}", "Rb_{}")
_ONE: Final = ("kernel_{}", "recurrent_{}", "bias_{}")
_TWO: Final = ("kernel_{}", "recurrent_{}", "input_bias_{}", "recurrent_bias_{}")
_FLAX: Final = ("W_i{}", "W_h{}", "b_i{}", "b_h{}")
_TFLITE: Final = ("input_to_{}", "recurrent_to_{}", "bias_{}")
_PROJECTED: Final = {"c": "c", "h": "r"}
_RNN: Final = _form("torch_rnn", ("h",), *_TORCH)
FORMS: Final[Mapping[tuple[str, str], Form]] = {
    ("PyTorch", "rnn"): _RNN,
    ("PyTorch", "lstm"): _form("torch_lstm", "ifgo", *_TORCH),
    ("PyTorch", "projected_lstm"): _form(
        "torch_lstm_projected", "ifgo", *_TORCH, states=_PROJECTED
    ),
    ("PyTorch", "gru_reset_after"): _form("torch_gru", "rzn", *_TORCH),
    ("Keras", "rnn"): _form("keras_simple_rnn", ("",), "kernel", "recurrent", "bias", turned=True),
    ("Keras", "lstm"): _form("keras_lstm", "ifco", *_ONE, turned=True),
    ("Keras", "gru"): _form("keras_gru", "zrh", *_ONE, turned=True),
    ("Keras", "gru_reset_after"): _form("keras_gru_reset_after", "zrh", *_TWO, turned=True),
    ("ONNX", "rnn"): _form("onnx_rnn", "i", *_ONNX),
    ("ONNX", "lstm"): _form("onnx_lstm", "iofc", *_ONNX),
    ("ONNX", "peephole_lstm"): _form("onnx_lstm_peephole", "iofc", *_ONNX, peepholes="iof"),
    ("ONNX", "gru"): _form("onnx_gru", "zrh", *_ONNX),
    ("ONNX", "gru_reset_after"): _form("onnx_gru_linear_before_reset", "zrh", *_ONNX),
    ("TFLite", "rnn"): _form(
        "tflite_rnn", ("",), "input_weights", "recurrent_weights", "bias"
    ),
    ("TFLite", "lstm"): _form("tflite_lstm", "ifco", *_TFLITE),
    ("TFLite", "tflite_lstm_clip_10"): _form(
        "tflite_lstm_clip_10", "ifco", "W_{}x", "W_{}h", "b_{}"
    ),
    ("TFLite", "peephole_lstm"): _form("tflite_lstm_peephole", "ifco", *_TFLITE, peepholes="ifo"),
    ("TFLite", "projected_lstm"): _form(
        "tflite_lstm_projected", "ifco", *_TFLITE, peepholes="ifo", states=_PROJECTED
    ),
    ("TFLite", "gru"): _form("keras_gru", "zrh", *_ONE, turned=True),
    ("TFLite", "gru_reset_after"): _form("keras_gru_reset_after", "zrh", *_TWO, turned=True),
    ("TFLite", "coupled_lstm"): _form("tflite_lstm_coupled", "fco", *_TFLITE),
    ("Flax", "lstm"): _form("flax_lstm", "ifgo", *_FLAX, turned=True),
    ("Flax", "gru_reset_after"): _form("flax_gru", "rzn", *_FLAX, turned=True),
    ("Equinox", "lstm"): _form("equinox_lstm", "ifgo", "W_i{}", "W_h{}", "b_{}"),
    ("Equinox", "gru_reset_after"): _form(
        "equinox_gru", "rzn", "W_i{}", "W_h{}", "b_{}", "bias_{}"
    ),
}  # fmt: skip


def dialect(framework: str, cell: str) -> tuple[Cell, Form]:
    """The framework's own cell for one of ours, and where its parameters stand.

    Raises:
        ValueError: if its equations are not known here.
    """
    form = FORMS.get((framework, "rnn" if cell == "irnn" else cell))
    if form is None:
        raise ValueError(f"the equations by which {framework} computes {cell} are not known here")
    own = dialects[form.cell]
    if cell == "irnn":
        text = own.text.replace("tanh(", "relu(")
        inputs = tuple(symbol.name for symbol in own.inputs)
        own = Cell.parse(name=f"{own.name}_relu", equations=text, inputs=inputs, source=own.source)
    return own, form


def parameters_of(cell: Cell, form: Form, given: Arrays) -> dict[str, Array]:
    """The dialect's parameters in stacked arrays.

    Raises:
        ValueError: if the arrays hold more than the equations read.
    """
    count = len(form.gates)
    n = given.R.shape[0] // count
    zeros = np.zeros(count * n, given.R.dtype)
    known = {symbol.name for symbol in cell.parameters}
    found: dict[str, Array] = {}

    def put(pattern: str, array: Array | None, *, turned: bool = False) -> None:
        for place, gate in enumerate(form.gates):
            rows = (zeros if array is None else array)[place * n : (place + 1) * n]
            name = pattern.format(gate)
            if name in known:
                found[name] = rows.T if turned else rows
            elif np.any(rows):
                raise ValueError(f"{cell.name} has no {name or 'bias there'}, and it is not 0")

    put(form.W, given.W, turned=form.turned)
    put(form.R, given.R, turned=form.turned)
    put(form.first, given.biases[0])
    put(form.second, given.biases[1])
    for place, gate in enumerate(form.peepholes):
        held = np.zeros(3 * n, given.R.dtype) if given.peepholes is None else given.peepholes
        found[f"P_{gate}"] = held[place * n : (place + 1) * n]
    if given.projection is not None:
        found["W_hr"] = given.projection
    return found
