"""A run that stands exactly at a kink is told from one that does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from derive import Cell, catalogue
from derive.language.functions import FUNCTIONS
from numeric.bounds.diagnosis import diagnose
from numeric.meaning.at_kinks import FIRST, AtKink, first_kink

ONES = np.ones((3, 1, 2))
KINKED = [row for row in FUNCTIONS.values() if row.kink and not row.surrogate]


def found(equations: str, h: float = 0.0, after: int = 0, **params: Any) -> AtKink | None:
    cell = Cell.parse(name="one", equations=equations)
    held = {s.name: np.zeros((2, 2) if s.shape[1] != 1 else 2) for s in cell.parameters} | params
    return first_kink(cell, held, {"x": ONES}, {"h": np.full((1, 2), h)}, after=after)


@pytest.mark.parametrize("row", KINKED, ids=lambda row: row.name)
def test_every_function_with_a_kink_is_seen_to_stand_there(row: Any) -> None:
    place = float(row.kink[-1].lstrip("±").replace("5/2", "2.5"))
    signs = (1, -1) if row.kink[-1].startswith("±") else (1,)
    for sign in signs:
        met = found(f"h = {row.name}(h_prev) + 0.3 * (W @ x)", sign * place)
        assert met == AtKink(row.name, "h", 1, 2, 2, row.kink[0])
        assert found(f"h = 0.9 * {row.name}(h_prev + 0.01) + x", sign * place) is None


def test_two_equal_numbers_are_seen_and_of_one_entry_alone_one_is_counted() -> None:
    assert found("h = maximum(h_prev, W @ x) + x") == AtKink("max", "h", 1, 2, 2, FIRST)
    assert found("h = minimum(h_prev, b) + x", b=np.array([0.0, 1.0])) == AtKink(
        "min", "h", 1, 1, 2, FIRST
    )


def test_smooth_functions_and_steps_before_those_asked_for_are_left_out() -> None:
    assert found("h = tanh(h_prev) + W @ x") is None
    assert found("h = relu(h_prev) + x") == AtKink("relu", "h", 1, 2, 2, "0")
    assert found("h = relu(h_prev) + x", after=1) is None


def test_what_vanishes_by_the_rule_of_a_kink_alone_is_said_to() -> None:
    """W relu(h) + U x from the zero state: the first step's Jacobian is 0 where W is one beside."""
    cell = Cell.parse(name="one", equations="h = W @ relu(h_prev) + U @ x")
    held = {"W": np.eye(2), "U": np.eye(2)}
    one = diagnose(cell, held, {"n": 2, "m": 2}, inputs={"x": ONES[:, 0]})
    assert one.verdict == "vanishes"
    assert one.kink == AtKink("relu", "h", 1, 2, 2, "0")
    assert any("relu in the equation of h stands at its kink at step 1" in told
               for told in one.assumptions)  # fmt: skip
    later = diagnose(cell, held, {"n": 2, "m": 2}, inputs={"x": ONES[:, 0]}, lag=2)
    assert later.kink is None
    plain = diagnose(catalogue["rnn"], {"W": np.eye(2), "U": np.eye(2), "b": np.zeros(2)},
                     {"n": 2, "m": 2}, inputs={"x": ONES[:, 0]})  # fmt: skip
    assert plain.kink is None
