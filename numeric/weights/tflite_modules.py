"""The recurrent operators of a model of TensorFlow Lite, and what cells they are.

In: arrays by name, and what the reader says of their operators. Out: `Module`s. An operator that
clips, couples gates or projects is the cell that does; what no cell does is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from numeric.weights.formats.stored import Stored, Unread
from numeric.weights.layouts import layer_prefix
from numeric.weights.module import (
    Computed,
    Module,
    Part,
    Stack,
    filled,
    of_all,
    shape_of,
    starts_of,
)

Array = Any
Arrays = Mapping[str, Array]
CONVERTED_CLIP: Final = (
    10.0  # of the cell state, by TensorFlow's converter, whatever the layer says
)
_GATES: Final[Mapping[str, Sequence[str]]] = {
    "LSTM": ("input", "forget", "cell", "output"), "GRU": ("update", "reset", "cell"),
    "RNN": ("",),
}  # fmt: skip
_ROLES: Final = ("input_to_{}", "recurrent_to_{}", "{}_gate_bias")
_ROLES_OF_ONE: Final = ("input_weights", "recurrent_weights", "bias")
_ACTIVATIONS: Final = {"TANH": "rnn", "RELU": "irnn"}


def tflite_modules(arrays: Arrays) -> Iterator[Module]:
    """The operators that the file names, a layer each."""
    for name, said in getattr(arrays, "modules", {}).items():
        if said.get("framework") != "TFLite":
            continue
        if not said["layers"]:
            yield Module(name, "TFLite", (), (0, 0), 1, False, frozenset(), (), said["why"])
            continue
        stacks: list[Stack] = []
        computed: list[Computed] = []
        names: list[str] = []
        sizes, layers = (0, 0), said["layers"]
        for depth, layer in enumerate(layers):
            for place, way in enumerate(layer["ways"]):
                own = _Way(way, said["kind"], layer, arrays)
                names += own.names
                cells, why = own.cells()
                computed.append((cells, why))
                sizes = sizes if depth or place else own.sizes
                if not why:
                    alone = len(layers) == 1 and len(layer["ways"]) == 1
                    stacks.append(
                        own.stack("" if alone else layer_prefix(depth, reverse=place == 1))
                    )
        cells, why = of_all(computed, "layers")
        yield Module(name, "TFLite", cells, sizes, len(layers), len(layers[0]["ways"]) > 1,
                     frozenset(names), tuple(stacks), why, kept=_kept(arrays, names),
                     starts=starts_of(layers))  # fmt: skip


def _kept(arrays: Arrays, names: Sequence[str]) -> str:
    """How the file keeps numbers that are no float32; empty where there are none."""
    held = [arrays[name] for name in names if not isinstance(arrays[name], Unread)]
    whole = sorted({one.kept for one in held if isinstance(one, Stored) and one.kept})
    short = ["float16"] if any(one.dtype == np.float16 for one in held) else []
    return "quantised to " + " and ".join([*short, *whole]) if short or whole else ""


def _named(arrays: Arrays, name: str) -> str:
    """An array's name, and what its numbers are where the file keeps whole ones."""
    kept = getattr(arrays[name], "kept", "")
    return f"{name} ({kept}, scale·(q − zero point))" if kept else name


class _Way:
    """A direction of a layer: its arrays, and what they and the options say that it computes."""

    def __init__(self, prefix: str, kind: str, layer: Mapping[str, Any], arrays: Arrays) -> None:
        self._prefix, self._kind, self._layer, self._arrays = prefix, kind, layer, arrays
        self._held = {
            name.removeprefix(f"{prefix}."): value for name, value in arrays.items()
            if name.startswith(f"{prefix}.") and "." not in name.removeprefix(f"{prefix}.")
        }  # fmt: skip
        self.names = [f"{prefix}.{role}" for role in self._held]
        self._loop = "kind" in layer
        gates = _GATES[kind]
        self._gates = gates[1:] if self._coupled else gates
        patterns = _ROLES if gates[0] else _ROLES_OF_ONE
        self._W, self._R, self._biases = (
            [pattern.format(gate) for gate in self._gates] for pattern in patterns
        )
        self._seconds = [self._second(role) for role in self._biases]

    @property
    def _coupled(self) -> bool:
        """Whether the input gate is left out, being one minus the forget gate."""
        own = {"input_to_input", "recurrent_to_input", "input_gate_bias"}
        return self._kind == "LSTM" and not own & {*self._held}

    def _second(self, bias: str) -> str:
        """The role of a gate's other bias: one inside the reset product, or one more."""
        inner = f"{bias}_inner"
        return inner if inner in self._held else f"{bias}_2"

    @property
    def _peepholes(self) -> list[str]:
        return [role for role in self._held if role.startswith("cell_to_")]

    # ---- what it is --------------------------------------------------------------------------

    def cells(self) -> Computed:
        """The cells that it may be, or why it is none."""
        if why := self._wrong_options() or self._wrong_arrays():
            return (), why
        activation = self._layer["activation"]
        if self._kind == "RNN":
            cell = _ACTIVATIONS.get(activation)
            return ((cell,), "") if cell else ((), f"activation {activation}")
        if activation != "TANH":
            return (), f"activation {activation}"
        if self._kind == "GRU":
            return ("gru_reset_after" if self._layer["after"] else "gru",), ""
        return self._long_cells()

    def _long_cells(self) -> Computed:
        """Likewise of an LSTM with tanh."""
        clip = self._layer["cell_clip"]
        more = {
            "a projection": "projection" in self._held, "peepholes": bool(self._peepholes),
            "coupled gates": self._coupled, "a clipped cell state": clip > 0 or clip != clip,
        }  # fmt: skip
        what = [name for name, there in more.items() if there]
        cell = {
            (): "lstm", ("peepholes",): "peephole_lstm", ("coupled gates",): "coupled_lstm",
            ("a projection",): "projected_lstm", ("a projection", "peepholes"): "projected_lstm",
            ("a clipped cell state",): "tflite_lstm_clip_10",
        }.get(tuple(what))  # fmt: skip
        if more["a clipped cell state"] and clip != CONVERTED_CLIP:
            return (), f"cell_clip {clip:g}: its cell state is clipped"
        if cell is None:
            return (), f"{' and '.join(what)} together" + (f" (cell_clip {clip:g})" if clip else "")
        return (cell,), ""

    def _wrong_options(self) -> str:
        """What the options say that no cell does; empty where there is nothing."""
        layer, projected = self._layer, "projection" in self._held
        if layer.get("basic"):
            return "the kernel type BASIC: one matrix for all gates, of x beside h"
        if layer["backward"]:
            return "it runs from the last step to the first (REVERSE_V2)"
        if layer["beside"]:
            return "a second input beside the first"
        if layer.get("diagonal"):
            return "diagonal_recurrent_tensors: vectors in place of matrices"
        if any(role.endswith("_layer_norm") for role in self._held):
            return "layer normalisation of each gate"
        if "projection_bias" in self._held:
            return "a projection with a bias"
        if projected and layer["proj_clip"]:
            return f"proj_clip {layer['proj_clip']:g}: its projection is clipped"
        return ""

    def _wrong_arrays(self) -> str:
        """What of the arrays is missing or of another shape; empty where all is well."""
        W, R, biases = self._W, self._R, self._biases
        for role in (*W, *R, *biases):
            if role not in self._held and not (self._loop and role in biases):
                return f"{self._prefix}.{role} is missing"
        for role, array in self._held.items():
            if isinstance(array, Unread):
                return f"{self._prefix}.{role}: expected numbers, came {array.dtype}"
        n, m = self.sizes
        last = "projection" if "projection" in self._held else ""
        r = self._held[last].shape[0] if last and len(self._held[last].shape) == 2 else n
        vectors = [*biases, *(self._seconds if self._loop else []), *self._peepholes]
        wanted = dict.fromkeys(W, (n, m)) | dict.fromkeys(R, (n, r)) | dict.fromkeys(vectors, (n,))
        wanted["projection"] = (r, n)
        for role, array in self._held.items():
            shape = tuple(array.shape)
            if role not in wanted:
                return f"{self._prefix}.{role}: an array that has no place there"
            if shape != wanted[role] or 0 in shape:
                return f"{self._prefix}.{role}: expected the shape {wanted[role]}, came {shape}"
        if self._peepholes and len(self._peepholes) != len(self._gates) - 1:
            return f"peepholes of {' and '.join(self._peepholes)} alone"
        return ""

    @property
    def sizes(self) -> tuple[int, int]:
        """Units and inputs."""
        found = shape_of(self._arrays, f"{self._prefix}.{self._W[0]}", 2) or (0, 0)
        return found[0], found[1]

    # ---- its arrays --------------------------------------------------------------------------

    def stack(self, prefix: str) -> Stack:
        """Its arrays as rows of gates."""
        W, R = self._part(self._W), self._part(self._R)
        assert W is not None
        assert R is not None
        return Stack(
            prefix, W, R, (self._part(self._biases), self._part(self._seconds)),
            self._part(self._peepholes), self._part(["projection"]),
        )  # fmt: skip

    def _part(self, roles: Sequence[str]) -> Part | None:
        """The arrays one below the other, zeros for one that is not there; None without any."""
        there = [role in self._held for role in roles]
        names = [f"{self._prefix}.{role}" for role in roles if role in self._held]
        if not names:
            return None
        said = tuple(_named(self._arrays, name) for name in names)
        return Part(tuple(names), lambda *held: filled(held, there), said)
