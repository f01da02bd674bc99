"""max and min: which of two receives the cotangent, and what a wrong rule becomes."""

from __future__ import annotations

import numpy as np
import pytest
from profiles import by_day

from derive import Cell
from derive.calculus.rules import VJP_RULES, Rule
from derive.language.expr import hadamard
from derive.language.pairs import AtLeast, Below, Maximum, Minimum
from numeric import compile_cell, verify

CELL = Cell.parse(name="pairs", equations="h = maximum(W @ h_prev, minimum(U @ x, 0.5))")


@pytest.mark.parametrize("style", ["textbook", "fused"])
@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_of_two_equal_numbers_the_first_receives_the_cotangent(style: str, name: str) -> None:
    cell = Cell.parse(name="tied", equations=f"h = {name}(h_prev, x)", sizes={"x": "n"})
    kernel = compile_cell(cell, style)
    x = np.array([[[1.0, 2.0, 3.0]]])
    states, tape = kernel.forward({}, {"x": x}, {"h": np.array([[2.0, 2.0, 2.0]])})
    found = kernel.backward({}, tape, {"h": np.ones((1, 1, 3))})
    first = [[1, 1, 0]] if name == "maximum" else [[0, 1, 1]]
    np.testing.assert_array_equal(states["h"][0], getattr(np, name)(x[0], 2.0))
    np.testing.assert_array_equal(found["initial"]["h"], first)
    np.testing.assert_array_equal(found["inputs"]["x"][0], 1 - np.array(first))


def both(y_bar, y, node):
    """Either receives everything."""
    return y_bar, y_bar


def swapped(y_bar, y, node):
    """The other receives it."""
    a, b = node.args if isinstance(node, Maximum) else reversed(node.args)
    return hadamard(y_bar, Below(a, b)), hadamard(y_bar, AtLeast(a, b))


@pytest.mark.parametrize(
    ("node", "wrong"), by_day([(n, w) for n in (Maximum, Minimum) for w in (both, swapped)], 3)
)
def test_a_wrong_rule_is_rejected(node, wrong, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VJP_RULES, node, Rule("wrong", wrong))
    cell = Cell.parse(name="wrong_pairs", equations=CELL.text, title=f"{node} {wrong}")
    assert verify(compile_cell(cell, "textbook")).status == "fail"
