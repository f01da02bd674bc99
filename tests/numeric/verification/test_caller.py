"""Functions are given their arguments as they take them, and what is unusual in that is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from numeric.verification.caller import Caller

GIVEN = tuple({name: np.ones(2)} for name in "Wxhm")


def usual(params: Any, inputs: Any, initial: Any = None, constants: Any = None) -> Any:
    return params, inputs, initial, constants


def short(params: Any, inputs: Any) -> Any:
    return params, inputs, None, None


def other_names(p: Any, x: Any, h0: Any = None) -> Any:
    return p, x, h0, None


def other_order(inputs: Any, params: Any, initial: Any = None) -> Any:
    return params, inputs, initial, None


def without_initial(params: Any, inputs: Any, constants: Any = None) -> Any:
    return params, inputs, None, constants


def by_name(params: Any, inputs: Any, *, initial: Any = None) -> Any:
    return params, inputs, initial, None


def other_last_name(params: Any, inputs: Any, h0: Any = None) -> Any:
    return params, inputs, h0, None


def with_a_setting(inputs: Any, params: Any, verbose: bool = False) -> Any:
    assert not verbose
    return params, inputs, None, None


def mixed(p: Any, x: Any, *, initial: Any = None) -> Any:
    return p, x, initial, None


@pytest.mark.parametrize(
    ("function", "taken", "order"),
    [
        (usual, (0, 1, 2, 3), ""), (short, (0, 1), ""), (other_names, (0, 1, 2), ""),
        (other_order, (0, 1, 2), "forward takes inputs, params, initial: expected by place "),
        (without_initial, (0, 1, 3), "forward takes params, inputs, constants: "),
        (by_name, (0, 1, 2), "forward takes params, inputs, *, initial: "),
        (other_last_name, (0, 1, 2), ""),
        (with_a_setting, (0, 1), "forward takes inputs, params: "),
        (mixed, (0, 1, 2), "forward takes p, x, *, initial: "),
    ],
)  # fmt: skip
def test_arguments_go_where_their_names_are(
    function: Callable[..., Any], taken: tuple[int, ...], order: str
) -> None:
    told: list[str] = []
    caller = Caller({"forward": function}, told.append, copies=False)
    found = caller("forward", GIVEN)
    assert [value and [*value] for value in found] == [
        [name] if k in taken else None for k, name in enumerate("Wxhm")
    ]
    assert len(told) == bool(order)
    assert all(told_.startswith(order) for told_ in told)
