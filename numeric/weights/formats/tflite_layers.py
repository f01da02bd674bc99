"""Which recurrent operators of a graph feed which: the layers of its modules.

In: a graph, and which of its loops are recurrent operators. Out: `Layer`s, each an operator of one
or both directions, or two operators of opposite directions whose outputs stand beside each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from numeric.weights.formats.tflite_graph import (
    BOTH_LSTM,
    BOTH_RNN,
    CONCATENATION,
    EXPAND_DIMS,
    RECURRENT,
    RESHAPE,
    REVERSE,
    SQUEEZE,
    STRIDED_SLICE,
    TRANSPOSE,
    WHILE,
    Constant,
    Graph,
    Operator,
    same_but_for_ones,
)

MOST: Final = 1000  # recurrent operators of a graph
LONGEST: Final = 64  # of a way back from one to another
Way = tuple[int, int | None, bool]  # a tensor, its axis of time, and whether that was turned
_DECIDES: Final = ("activation", "cell_clip", "proj_clip", "basic", "diagonal", "kind", "after")


@dataclass(frozen=True)
class Loop:
    """Which operand of a loop is its sequence; which results all outputs, −1 for none, and last."""

    sequence: int
    every: int
    last: Sequence[int]


@dataclass(frozen=True)
class Layer:
    """A layer: an operator, or two of opposite directions, and what it takes and gives.

    `backward`: it runs from the last step to the first alone. `output`: the tensor of all outputs,
    −2 if it gives none; `last`: tensors of the last output alone.
    """

    operators: Sequence[Operator]
    source: int
    output: int
    backward: bool = False
    last: Sequence[int] = ()

    @property
    def options(self) -> Mapping[str, Any]:
        """What its operators' options say, in which they are alike."""
        return self.operators[0].options

    @property
    def ways(self) -> int:
        """How many directions it has."""
        return 2 if self.operators[0].kind in {BOTH_LSTM, BOTH_RNN} else len(self.operators)

    def alike(self, other: Layer) -> bool:
        """Whether both may be layers of one module."""
        return self.ways == other.ways and _alike(self.operators[0], other.operators[0])


def chains_of(graph: Graph, constant: Constant, loops: Mapping[int, Loop]) -> list[list[Layer]]:
    """The layers of each module from below; `constant` gives a tensor's whole numbers, if any.

    `loops`: those that are recurrent operators, by their places.

    Raises:
        ValueError: for more recurrent operators than a model has.
    """
    if sum(one.kind in RECURRENT for one in graph.operators) > MOST:
        raise ValueError(f"more than {MOST} recurrent operators")
    paths = _Paths(graph, constant)
    chains: list[list[Layer]] = []
    for layer in _layers(graph, paths, loops):
        home = next((chain for chain in chains
                     if chain[-1].output == layer.source and chain[-1].alike(layer)
                     and not chain[-1].backward and not layer.backward), None)  # fmt: skip
        if home is None:
            chains.append([layer])
        else:
            home.append(layer)
    return chains


def _layers(graph: Graph, paths: _Paths, loops: Mapping[int, Loop]) -> list[Layer]:
    """The layers in the order in which they run."""
    found: list[Layer] = []
    for one in graph.operators:
        if one.kind == CONCATENATION and len(one.inputs) == 2 and min(one.inputs) >= 0:
            _join(found, one, paths)
        elif one.kind in RECURRENT and one.inputs and one.outputs:
            source, turned = paths.back(one.inputs[0], _time(one))
            merged = one.kind not in {BOTH_LSTM, BOTH_RNN} or one.options["merged"]
            found.append(Layer((one,), source, one.outputs[0] if merged else -2, turned))
        elif one.place in loops:
            loop = loops[one.place]
            source, turned = paths.back(one.inputs[loop.sequence], 0)
            output = one.outputs[loop.every] if loop.every >= 0 else -2
            last = [one.outputs[place] for place in loop.last]
            found.append(Layer((one,), source, output, turned, last))
    return found


def _join(found: list[Layer], joint: Operator, paths: _Paths) -> None:
    """Puts a layer in place of two whose outputs stand beside each other, forward first."""
    last_axis = len(paths.shape(joint.inputs[0])) - 1
    if joint.options["axis"] not in {-1, last_axis} or joint.options["fused"]:
        return
    first, second = (paths.walk(name, None) for name in joint.inputs)
    single = [one for one in found if one.ways == 1]
    for whole in (True, False):  # all outputs, or the last ones alone
        forth = [one for one in single if not one.backward and (
            paths.outputs(first, one, turned=False) if whole else paths.ends(first, one)
        )]  # fmt: skip
        back = [one for one in single if one.backward and (
            paths.outputs(second, one, turned=True) if whole else paths.ends(second, one)
        )]  # fmt: skip
        if len(forth) != 1 or len(back) != 1 or forth[0].source != back[0].source:
            continue
        if _alike(forth[0].operators[0], back[0].operators[0]):
            found.remove(forth[0])
            found.remove(back[0])
            both = (*forth[0].operators, *back[0].operators)
            output = joint.outputs[0] if whole and joint.outputs else -2
            found.append(Layer(both, forth[0].source, output))
            return


def _alike(one: Operator, other: Operator) -> bool:
    """Whether both compute the same function of their own weights."""
    given = [[name >= 0 for name in own.inputs[1:]] for own in (one, other)]
    return (one.kind == other.kind and given[0] == given[1]
            and all(one.options.get(name) == other.options.get(name)
                    for name in _DECIDES))  # fmt: skip


def _time(one: Operator) -> int:
    """The axis of time of what a recurrent operator takes and gives."""
    return 0 if one.options.get("time_major") or one.kind == WHILE else 1


class _Paths:
    """Ways back through changes of shape, with what they do to the axis of time."""

    def __init__(self, graph: Graph, constant: Constant) -> None:
        self._graph, self._constant = graph, constant

    def shape(self, name: int) -> Sequence[int]:
        """A tensor's shape."""
        return self._graph.tensors[name].shape

    def back(self, name: int, axis: int | None) -> tuple[int, bool]:
        """Where a tensor comes from, and whether time was turned on the way.

        `axis` is that of time; where it is None, whatever was turned first is taken for it.
        """
        name, _, turned = self.walk(name, axis)
        return name, turned

    def outputs(self, way: Way, layer: Layer, *, turned: bool) -> bool:
        """Whether a way leads to all outputs of a layer, their time being turned or not."""
        found, axis, was_turned = way
        return found == layer.output and was_turned == turned and axis in {
            None, _time(layer.operators[0])
        }  # fmt: skip

    def ends(self, way: Way, layer: Layer) -> bool:
        """Whether a way leads to the last output of a layer alone."""
        found, _, turned = way
        one, axis = self._graph.makers.get(found), _time(layer.operators[0])
        if turned or found in layer.last:
            return not turned
        if one is None or one.kind != STRIDED_SLICE or one.input(0) != layer.output:
            return False
        shape = self._graph.tensors[layer.output].shape
        start = self._numbers(one)
        rest = sum(1 << place for place in range(len(shape)) if place != axis)
        return (
            len(start) == len(shape) == 3 and start[axis] in {-1, shape[axis] - 1}
            and one.options["shrink_axis_mask"] == 1 << axis
            and all(one.options[name] & rest == rest for name in ("begin_mask", "end_mask"))
            and not one.options["begin_mask"] & 1 << axis
            and not one.options["ellipsis_mask"] and not one.options["new_axis_mask"]
            and self._constant(one.input(3)) == [1, 1, 1]
        )  # fmt: skip

    def walk(self, name: int, axis: int | None) -> Way:
        """Where a tensor comes from, the axis of time there, and whether it was turned."""
        turned, lost = False, False
        for _ in range(LONGEST):
            one = self._graph.makers.get(name)
            if one is None or not one.inputs or one.inputs[0] < 0:
                break
            if one.kind == TRANSPOSE:
                order = self._axes(one)
                if axis is not None and not (order and axis < len(order)):
                    break
                axis = None if axis is None else order[axis]
            elif one.kind in {RESHAPE, SQUEEZE, EXPAND_DIMS, STRIDED_SLICE}:
                before, after = (self._graph.tensors[k].shape for k in (one.inputs[0], name))
                if not same_but_for_ones(before, after) or (
                    one.kind == STRIDED_SLICE and {*self._constant(one.input(3))} != {1}
                ):
                    break
                if axis is not None:
                    axis = _same_axis(before, after, axis)
                    lost = lost or axis is None
            elif one.kind == REVERSE and not lost:
                axes = self._axes(one)
                if len(axes) != 1 or axes[0] != (axes[0] if axis is None else axis):
                    break
                axis, turned = axes[0], not turned
            else:
                break
            name = one.inputs[0]
        return name, axis, turned

    def _numbers(self, one: Operator) -> Sequence[int]:
        """The whole numbers of the second input; none where they are not constant."""
        return self._constant(one.input(1))

    def _axes(self, one: Operator) -> list[int]:
        """Likewise as axes of the first input; none where one is not there."""
        rank = len(self._graph.tensors[one.inputs[0]].shape)
        found = [entry + rank * (entry < 0) for entry in self._numbers(one)]
        return found if all(0 <= entry < rank for entry in found) else []


def _same_axis(before: Sequence[int], after: Sequence[int], axis: int) -> int | None:
    """The axis before that is the axis after, where only axes of one entry come and go."""
    if axis >= len(after) or after[axis] == 1:
        return None
    place = sum(extent != 1 for extent in after[:axis])
    return [k for k, extent in enumerate(before) if extent != 1][place]
