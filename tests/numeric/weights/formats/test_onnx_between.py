"""Which recurrent nodes are layers of one module: by what stands between them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from numeric.weights.formats.onnx_between import Node, layer_below, start_of
from numeric.weights.formats.stored import Unread


def below(
    steps: list[tuple[str, dict[str, Any], Any]],
    *,
    both: bool = False,
    layouts: tuple[int, int] = (0, 0),
) -> bool:
    """Whether a node is the layer above another, with these changes of shape between them."""
    first = Node("LSTM", "a", "", ["X"], ["Y"], {"layout": layouts[0]})
    first.attributes["direction"] = "bidirectional" if both else "forward"
    held, makers, name = {}, {"Y": first}, "Y"
    for place, (kind, attributes, given) in enumerate(steps):
        inputs = [name] if given is None else [name, f"given{place}"]
        held[f"given{place}"] = given
        name = f"made{place}"
        makers[name] = Node(kind, "", "", inputs, [name], attributes)
    second = Node("LSTM", "b", "", [name], ["Z"], {"layout": layouts[1]})
    return layer_below(second, makers, held) is first


SQUEEZED = ("Squeeze", {"axes": [1]}, None)
TURNED = ("Transpose", {"perm": [0, 2, 1, 3]}, None)
FLAT = ("Reshape", {}, np.array([0, 0, -1]))
UNKNOWN = ("Reshape", {}, Unread("numbers of integers in a list", (3,)))


@pytest.mark.parametrize("steps", [
    [SQUEEZED],
    [("Squeeze", {}, np.array([1]))],
    [("Squeeze", {}, None)],
    [SQUEEZED, ("Transpose", {"perm": [1, 0, 2]}, None), ("Transpose", {"perm": [1, 0, 2]}, None)],
    [SQUEEZED, ("Dropout", {}, None), ("Cast", {"to": 1}, None), ("Identity", {}, None)],
    [SQUEEZED, ("Unsqueeze", {}, np.array([-1])), ("Squeeze", {}, np.array([-1]))],
    [TURNED, FLAT],
    [UNKNOWN],
])  # fmt: skip
def test_one_direction_through_changes_of_shape(steps: list[Any]) -> None:
    assert below(steps)


@pytest.mark.parametrize("steps", [
    [SQUEEZED, ("Transpose", {"perm": [1, 0, 2]}, None)],
    [SQUEEZED, ("Transpose", {"perm": [2, 1, 0]}, None)],
    [SQUEEZED, ("Transpose", {}, None)],
    [SQUEEZED, ("Cast", {"to": 6}, None), ("Cast", {"to": 1}, None)],
    [("Squeeze", {"axes": [0]}, None)],
    [UNKNOWN, ("Transpose", {"perm": [0, 1, 2]}, None)],
    [SQUEEZED, ("Relu", {}, None)],
])  # fmt: skip
def test_steps_samples_and_units_that_change_places_are_no_layers(steps: list[Any]) -> None:
    assert not below(steps)


def test_two_directions_stand_beside_each_other_for_each_sample() -> None:
    assert below([TURNED, FLAT], both=True)
    assert below([TURNED, UNKNOWN], both=True)
    assert not below([FLAT], both=True)
    assert not below([UNKNOWN], both=True)
    assert not below([("Transpose", {"perm": [0, 2, 3, 1]}, None), FLAT], both=True)


def test_samples_may_come_first_where_the_nodes_say_so() -> None:
    assert below([FLAT], both=True, layouts=(1, 1))
    assert not below([TURNED, FLAT], both=True, layouts=(1, 1))
    turned = ("Transpose", {"perm": [1, 0, 2]}, None)
    assert below([("Squeeze", {"axes": [2]}, None), turned], layouts=(1, 0))
    assert not below([("Squeeze", {"axes": [2]}, None)], layouts=(1, 0))


def start(name: str, *nodes: Node, **held: Any) -> str | None:
    return start_of(name, {made: node for node in nodes for made in node.outputs}, held)


def made(kind: str, inputs: list[str], output: str, **attributes: Any) -> Node:
    return Node(kind, "", "", inputs, [output], attributes)


def test_a_state_starts_at_zeros_at_what_the_caller_gives_or_elsewhere() -> None:
    zeros, ones, shape = np.zeros((1, 1, 4)), np.ones((1, 1, 4)), np.array([1, 1, 4])
    assert start("") == start("a") == start("a", a=zeros) == ""
    assert start("a", a=ones) == start("a", a=Unread("numbers of a sparse tensor", (4,))) == "a"
    blank = made("ConstantOfShape", ["shape"], "z")
    ways = made("Concat", ["z", "z"], "both")
    assert start("a", blank, ways, made("Slice", ["both"], "a"), shape=shape) == ""
    one = made("ConstantOfShape", ["shape"], "z", value=np.array([1.0]))
    assert start("z", one, shape=shape) is None
    assert start("both", made("Concat", ["z", "o"], "both"), blank, shape=shape, o=ones) is None
    assert start("both", made("Concat", ["z", "x"], "both"), blank, shape=shape) is None
    assert start("a", made("Tanh", ["z"], "a"), blank, shape=shape) is None
