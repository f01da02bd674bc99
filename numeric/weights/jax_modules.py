"""The recurrent cells of JAX's libraries in a file: Equinox's, Flax's of linen and of nnx.

In: arrays by the names of the libraries' trees, joined by dots or strokes. Out: `Module`s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from numeric.weights.module import CELLS_OF, Module, Part, Stack, filled, shape_of

Array = Any
Arrays = Mapping[str, Array]
_EQUINOX: Final = re.compile(r"(?P<module>.*\.)?(?P<key>weight_ih|weight_hh|bias|bias_n)")
_FLAX: Final = re.compile(
    r"(?P<module>.*[./])?(?P<gate>i[ifgorzn]_?|h[ifgorzn]|dense_[ih]|[ih])[./](?P<what>kernel|bias)"
)


def equinox_modules(arrays: Arrays) -> Iterator[Module]:
    """Equinox's LSTMCell and GRUCell: PyTorch's matrices, one bias, and `bias_n`."""
    held: dict[str, dict[str, str]] = {}
    for name in arrays:
        if found := _EQUINOX.fullmatch(name):
            held.setdefault(found["module"] or "", {})[found["key"]] = name
    for module, keys in held.items():
        W, R = (shape_of(arrays, keys.get(key, ""), 2) for key in ("weight_ih", "weight_hh"))
        if W is None or R is None or "bias" not in keys or not R[1]:
            continue
        gates, last = R[0] // R[1], keys.get("bias_n")
        if last is None and gates != 4:
            continue
        second = None
        if last is not None:
            second = Part((last,), lambda b: np.concatenate([np.zeros(2 * len(b)), b]))
        stack = Stack("", Part((keys["weight_ih"],)), Part((keys["weight_hh"],)),
                      (Part((keys["bias"],)), second))  # fmt: skip
        cells = CELLS_OF.get(gates, ())
        yield Module(module.strip("."), "Equinox", cells, (R[1], W[1]), 1, False,
                     frozenset(keys.values()), (stack,), "" if cells else f"{gates} gates"
                     )  # fmt: skip


_ORDERS: Final = {4: "ifgo", 3: "rzn", 1: ""}
_UNSAID: Final = "its activations"
_UNSAID_OF_ONE: Final = "its activation, whether it has a residual connection"


def flax_modules(arrays: Arrays) -> Iterator[Module]:
    """Flax's cells, of linen a kernel for each gate, of nnx one for all or one for each."""
    held: dict[str, dict[tuple[str, str], str]] = {}
    for name in arrays:
        if found := _FLAX.fullmatch(name):
            key = (found["gate"].rstrip("_"), found["what"])
            held.setdefault(found["module"] or "", {})[key] = name
    for module, keys in held.items():
        for gates, order in _ORDERS.items():
            for lead, kinds in (("dense_", ("",)), ("", tuple(order) or ("",))):
                stack = _flax_stack(arrays, keys, lead, kinds)
                if stack is None:
                    continue
                W, R = (np.sum([arrays[name].shape for name in part.names], axis=0)
                        for part in (stack.W, stack.R))  # fmt: skip
                n = R[0] // len(stack.R.names)
                if R[1] != gates * n:
                    continue
                yield Module(module.strip("./"), "Flax", CELLS_OF[gates],
                             (int(n), int(W[0]) // len(stack.W.names)), 1, False,
                             frozenset(keys.values()), (stack,),
                             unsaid=_UNSAID if order else _UNSAID_OF_ONE)  # fmt: skip


def _flax_stack(
    arrays: Arrays, keys: Mapping[tuple[str, str], str], lead: str, kinds: Sequence[str]
) -> Stack | None:
    """The kernels side by side, or None if one is missing."""
    kernels = []
    for side in "ih":
        names = [keys.get((f"{lead}{side}{kind}", "kernel"), "") for kind in kinds]
        if any(shape_of(arrays, name, 2) is None for name in names):
            return None
        kernels.append(Part(tuple(names), _side_by_side))
    biases: list[Part | None] = []
    for side in "ih":
        names = [keys.get((f"{lead}{side}{kind}", "bias"), "") for kind in kinds]
        there = tuple(name for name in names if name)
        if not there:
            biases.append(None)
            continue
        places = [bool(name) for name in names]
        biases.append(Part(there, lambda *b, places=places: filled(b, places)))
    return Stack("", kernels[0], kernels[1], (biases[0], biases[1]))


def _side_by_side(*kernels: Array) -> Array:
    return np.concatenate(kernels, axis=1).T
