"""What stands before a recurrent node of ONNX: the layer below, and the state that it starts in.

In: a node, which node makes each name, the graph's constants. Out: the node whose output arrives at
its input as it is, but for changes of shape. Those are followed axis by axis: an output whose steps
and samples change places, or whose directions come beside each other in another order, is no
layer's. A start is followed to zeros, or to what is none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from numeric.weights.formats.stored import Unread

Array = Any
RECURRENT: Final = ("RNN", "GRU", "LSTM")
_FLOATS: Final = (1, 10, 11, 16)  # the types of numbers that a Cast may make
_Axes = list[tuple[str, ...]]


@dataclass
class Node:
    """A node of the graph, as the file has it."""

    kind: str = ""
    name: str = ""
    domain: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Order:
    """What an array's axes hold: steps T, samples B, directions D, units n; `axes` None if unknown.

    An axis of one entry holds nothing; `flat` is the order of the entries in memory.
    """

    flat: tuple[str, ...]
    axes: _Axes | None


class _OtherOrderError(Exception):
    """The entries are other ones, or in another order."""


def layer_below(node: Node, makers: Mapping[str, Node], held: Mapping[str, Array]) -> Node | None:
    """The recurrent node whose output is the node's input; None where there is none.

    An unknown shape is taken for the right one, if the order of the entries is.
    """
    path: list[Node] = []
    name = node.inputs[0] if node.inputs else ""
    for _ in range(len(makers) + 1):
        maker = makers.get(name)
        if maker is None or maker.outputs[0] != name:
            return None
        if maker.kind in RECURRENT:
            break
        if maker.kind not in _CHANGES or not maker.inputs:
            return None
        path.append(maker)
        name = maker.inputs[0]
    else:
        return None
    own = ("D",) if maker.attributes.get("direction") == "bidirectional" else ()
    given: _Axes = [("T",), own, ("B",), ("n",)]
    if maker.attributes.get("layout"):
        given = [("B",), ("T",), own, ("n",)]
    lead: _Axes = [("B",), ("T",)] if node.attributes.get("layout") else [("T",), ("B",)]
    wanted = [*lead, (*own, "n")]
    order = _Order(_flat(given), given)
    try:
        for step in reversed(path):
            order = _CHANGES[step.kind](step, order, held)
    except _OtherOrderError:
        return None
    known = order.axes is not None
    return maker if (order.axes == wanted if known else order.flat == _flat(wanted)) else None


def start_of(name: str, makers: Mapping[str, Node], held: Mapping[str, Array]) -> str | None:
    """What a state begins as: "" for zeros and for what the caller gives, else what the file has.

    None where the graph computes it, and it is not known to be zeros.
    """
    if name in held:
        return name if _is_other(held[name]) else ""
    left, seen = [name] if name in makers else [], set[str]()
    while left:
        one = left.pop()
        maker = makers.get(one)
        if one in seen or (one in held and not _is_other(held[one])):
            continue
        if one in held or maker is None or maker.kind not in _ZEROS_OF_ZEROS:
            return None
        seen.add(one)
        if maker.kind == "ConstantOfShape":
            if _is_other(maker.attributes.get("value", 0)):
                return None
        else:
            left += maker.inputs if maker.kind == "Concat" else maker.inputs[:1]
    return ""


def _is_other(array: Array) -> bool:
    """Whether an entry is, or may be, another number than 0."""
    return isinstance(array, Unread) or bool(np.any(np.asarray(array)))


def _flat(axes: _Axes) -> tuple[str, ...]:
    return tuple(label for axis in axes for label in axis)


def _whole(step: Node, attribute: str, place: int, held: Mapping[str, Array]) -> list[int] | None:
    """Whole numbers that a node has as an attribute or as an input; None if they are not known."""
    value = step.attributes.get(attribute)
    if value is None and place < len(step.inputs):
        value = held.get(step.inputs[place])
    if value is None or isinstance(value, Unread):
        return None
    numbers = np.ravel(np.asarray(value))
    return numbers.tolist() if numbers.dtype.kind in "iu" else None


def _same(step: Node, order: _Order, held: Mapping[str, Array]) -> _Order:
    return order


def _cast(step: Node, order: _Order, held: Mapping[str, Array]) -> _Order:
    if step.attributes.get("to") not in _FLOATS:
        raise _OtherOrderError
    return order


def _transposed(step: Node, order: _Order, held: Mapping[str, Array]) -> _Order:
    if order.axes is None:
        raise _OtherOrderError
    perm = _whole(step, "perm", 1, held) or [*range(len(order.axes))][::-1]
    if sorted(perm) != [*range(len(order.axes))]:
        raise _OtherOrderError
    axes = [order.axes[place] for place in perm]
    return _Order(_flat(axes), axes)


def _squeezed(step: Node, order: _Order, held: Mapping[str, Array]) -> _Order:
    if order.axes is None:
        return order
    count, gone = len(order.axes), _whole(step, "axes", 1, held)
    if gone is None:
        return _Order(order.flat, [axis for axis in order.axes if axis])
    places = {place % count for place in gone if -count <= place < count}
    if any(order.axes[place] for place in places):
        raise _OtherOrderError
    return _Order(order.flat, [a for place, a in enumerate(order.axes) if place not in places])


def _unsqueezed(step: Node, order: _Order, held: Mapping[str, Array]) -> _Order:
    new = _whole(step, "axes", 1, held)
    if order.axes is None or new is None:
        return _Order(order.flat, None)
    axes = list(order.axes)
    for place in sorted(place % (len(axes) + len(new)) for place in new):
        axes.insert(place, ())
    return _Order(order.flat, axes)


def _reshaped(step: Node, order: _Order, held: Mapping[str, Array]) -> _Order:
    """Known where axes in front stay and the rest become one."""
    shape = _whole(step, "shape", 1, held)
    if order.axes is None or not shape or any(shape[:-1]):
        return _Order(order.flat, None)
    stay = len(shape) - 1
    return _Order(order.flat, [*order.axes[:stay], _flat(order.axes[stay:])])


def _flattened(step: Node, order: _Order, held: Mapping[str, Array]) -> _Order:
    return _Order(order.flat, None)


_CHANGES: Final[Mapping[str, Callable[[Node, _Order, Mapping[str, Array]], _Order]]] = {
    "Transpose": _transposed, "Reshape": _reshaped, "Squeeze": _squeezed,
    "Unsqueeze": _unsqueezed, "Identity": _same, "Dropout": _same, "Cast": _cast,
    "Flatten": _flattened,
}  # fmt: skip
_ZEROS_OF_ZEROS: Final = (  # of their first input, or of all
    *_CHANGES, "Concat", "ConstantOfShape", "Expand", "Gather", "Slice", "Split", "Tile",
)  # fmt: skip
