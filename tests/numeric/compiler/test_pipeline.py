"""Random cells through the whole pipeline: derived, emitted in every style, exactly right.

With any one rule of differentiation broken, a few random cells show it, and the one that is
left after shrinking has at most three operations.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, example, find, given, settings
from profiles import NIGHTLY, PROFILE, by_day
from sympy import MatMul, MatrixExpr, MatrixSymbol, OneMatrix, Transpose
from sympy.matrices.expressions import DiagMatrix, HadamardProduct

from derive import Cell, differentiate
from derive.calculus.rules import VJP_RULES
from derive.cell import declared
from derive.language.expr import (
    Broadcast,
    Elementwise,
    operands,
    scale,
    symbols_of,
)
from derive.language.syntax import Node, parse
from numeric.compiler.lower import lower
from numeric.compiler.passes import optimise
from numeric.compiler.target import Header, load
from numeric.compiler.targets import STYLES, find_style
from numeric.compiler.to_numpy.checks import HELPERS
from numeric.strategies import cells
from numeric.verification.compare import difference, in_range
from numeric.verification.exact import exact_check
from numeric.verification.oracles import autograd_answer
from numeric.verification.problems.of_cell import CellProblem, call, make_case, ordinary_sizes
from numeric.verification.watch import Guard, subject_of

EXAMPLES = {"dev": 10, "ci": 10, "nightly": 2000}[PROFILE]
LARGEST = 1e6
# a sum in which the array that it is written into comes again
AGAIN = Cell.parse(name="again", equations="s = (U @ x - U @ x) + s_prev + y", inputs=("x", "y"))
# a gate and a vector, both parameters, before what each sample has of its own
FIXED = Cell.parse(
    name="fixed", equations="S = S_prev - diag(a) @ outer(b, K @ x)", sizes={"S": "n"},
)  # fmt: skip
# one number of a parameter, whose gradient is one number for each of its entries
MEAN = Cell.parse(name="mean", equations="h = mean(b) * h_prev + x")
# a gate of one number, whose cotangent fills a vector and is a parameter's as it is
GATE = Cell.parse(
    name="gate", equations="h = sigmoid(-(g + dot(h_prev, x))) * x", scalars=["g"],
)  # fmt: skip
# a square with a negative number in front, which is no power of SymPy's
SQUARES = Cell.parse(name="squares", equations="h = x + h_prev * h_prev - 2 * (h_prev * h_prev)")
# a sum over entries with a minus, whose cotangent is one number at all of them
LESS = Cell.parse(name="less", equations="a = U @ x\nh = tanh(h_prev * (1 - sum(a)) + b)")
# exactly zero, which rounding leaves only where both terms are computed alike
NOTHING = Cell.parse(
    name="nothing", equations="s = s_prev * ((U @ x) * (U @ x)) - s_prev * ((U @ x) * (U @ x))"
)
# what is done to the cotangents that a rule hands to its operands
SLIPS = {
    "the first twice": lambda bars: (scale(2, bars[0]), *bars[1:]),
    "the last of the wrong sign": lambda bars: (*bars[:-1], scale(-1, bars[-1])),
}
BROKEN = by_day([(node, slip) for slip in SLIPS for node in VJP_RULES], 9, 2)


def of_memory(part: MatrixExpr) -> bool:
    """Whether it is a matrix state, or made of one."""
    return 1 not in part.shape and any(s.name.startswith("S") for s in symbols_of(part))


# where a rule meets a number of each step: the node, and whether it is such a place
NUMBERS = {
    "a sum of entries": (MatMul, lambda a, b: isinstance(a, OneMatrix) and b.shape[1] == 1),
    "a function of a number": (Elementwise, lambda a: a.shape == (1, 1)),
    "a number at every entry": (Broadcast, lambda a: isinstance(a, MatrixSymbol)),
}
# where it meets matrices that move
MEETINGS = {
    "an outer product": (MatMul, lambda a, b: a.shape[1] == 1 == b.shape[0] != a.shape[0]),
    "what a key reads": (MatMul, lambda a, b: of_memory(a) and b.shape[1] == 1),
    "a gate of its rows": (MatMul, lambda a, b: isinstance(a, DiagMatrix) and 1 not in b.shape),
    "a gate of its columns": (MatMul, lambda a, b: isinstance(b, DiagMatrix) and of_memory(a)),
    "a parameter to its right": (MatMul, lambda a, b: of_memory(a) and isinstance(b, MatrixSymbol)
                                 and 1 not in b.shape),
    "a parameter to its left": (MatMul, lambda a, b: of_memory(b) and isinstance(a, MatrixSymbol)),
    "a matrix turned": (Transpose, of_memory),
    "a product entry by entry": (HadamardProduct, lambda a, *others: of_memory(a)),
    "a function of its entries": (Elementwise, of_memory),
}  # fmt: skip
ONES = ("a sum of entries", "the first twice")  # its first operand is all ones, and has no use
MET = by_day([pair for pair in product((*MEETINGS, *NUMBERS), SLIPS) if pair != ONES], 9, 1)


def guard_of(cell: Cell, derivation: Any, style: str) -> Guard:
    chosen = find_style(style)
    program = optimise(lower(derivation, chosen.slope_from), chosen.passes)
    source = chosen.target.emit(program, chosen, Header("", (), declared(cell)))
    return Guard(subject_of(load(source, style)))


def is_right(cell: Cell, guard: Guard) -> bool:
    """Whether the code agrees with autograd, each array to its own size."""
    case = make_case(cell, ordinary_sizes(cell, 2), steps=2, batch=2, seed=1, regime="small")
    want = autograd_answer(CellProblem(cell), case)
    if not in_range(want, LARGEST):
        return True
    _, gradients = call(guard, case)
    sizes = [np.max(np.abs(want.gradients[g][name]), initial=0) for g, name, _ in case.groups()]
    noise = max(1e-13 * max(sizes), 1e-16)  # what is left where terms cancel, or all of them do
    for group, name, _ in case.groups():
        got, wanted = gradients[group][name], want.gradients[group][name]
        near = np.max(np.abs(got - wanted), initial=0) <= noise
        if not near and not difference(group, name, got, wanted).right(1e-9):
            return False
    return True


drawn = settings(max_examples=EXAMPLES, deadline=None, derandomize=not NIGHTLY, database=None,
                 suppress_health_check=[HealthCheck.too_slow])  # fmt: skip


@drawn
@given(cells())
@example(AGAIN)
@example(FIXED)
@example(MEAN)
@example(GATE)
@example(SQUARES)
@example(LESS)
@example(NOTHING)
def test_every_random_cell_is_derived_and_emitted_rightly(cell: Cell) -> None:
    rightly_emitted(cell)


@pytest.mark.long
@settings(drawn, max_examples=2 * EXAMPLES)
@given(cells())
def test_twice_as_many_others_are(cell: Cell) -> None:
    rightly_emitted(cell)


def rightly_emitted(cell: Cell) -> None:
    derivation = differentiate(cell)
    sizes = ordinary_sizes(cell, 2)
    for number, style in enumerate(STYLES):
        guard = guard_of(cell, derivation, style)
        found = exact_check(CellProblem(cell), guard, sizes, steps=2, batch=2, seed=number)
        assert found.right, (style, cell.text)
        assert is_right(cell, guard), (style, cell.text)


def operations(cell: Cell) -> int:
    """The operations that a cell's equations write: sums, products, functions and the like."""

    def counts(node: Node) -> bool:
        scaled = node.kind in "*/" and any(part.kind == "number" for part in node.children)
        return bool(node.children) and node.kind != "negate" and not scaled

    return sum(counts(node) for line in parse(cell.text) for node in line.value.walk())


def beside(cell: Cell) -> int:
    """The operations of the simplest output and matrix state, `S_prev + outer(s_prev, K @ x)`."""
    return len(cell.outputs) + 3 * any(1 not in state.shape for state in cell.states)


@pytest.mark.by_default("Broadcast")
@pytest.mark.parametrize(("node", "slip"), BROKEN, ids=lambda part: getattr(part, "__name__", part))
def test_a_broken_rule_is_found_and_shrinks_to_three_operations(
    node: type, slip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = VJP_RULES[node]

    def wrong(y_bar: Any, y: Any, own: Any) -> tuple[Any, ...]:
        return SLIPS[slip](rule.pullback(y_bar, y, own))

    monkeypatch.setitem(VJP_RULES, node, replace(rule, pullback=wrong))

    def shows_it(cell: Cell) -> bool:
        return not is_right(cell, guard_of(cell, differentiate(cell), "textbook"))

    quick = settings(max_examples=200, deadline=None, database=None, derandomize=True,
                     phases=(Phase.generate, Phase.shrink),
                     suppress_health_check=list(HealthCheck))  # fmt: skip
    smallest = find(cells(), shows_it, settings=quick)
    assert operations(smallest) - beside(smallest) <= 3, smallest.text


@pytest.mark.by_default("an outer product")
@pytest.mark.parametrize(("meeting", "slip"), MET)
def test_a_rule_broken_where_it_meets_a_matrix_or_a_number_is_found_within_200_cells(
    meeting: str, slip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, is_there = (MEETINGS | NUMBERS)[meeting]
    rule = VJP_RULES[node]

    def wrong(y_bar: Any, y: Any, own: Any) -> tuple[Any, ...]:
        bars = rule.pullback(y_bar, y, own)
        parts = operands(own)
        there = len(parts) == len(bars) > (node is MatMul) and is_there(*parts)
        return SLIPS[slip](bars) if there else bars

    monkeypatch.setitem(VJP_RULES, node, replace(rule, pullback=wrong))

    def shows_it(cell: Cell) -> bool:
        met = meeting in NUMBERS or any(1 not in state.shape for state in cell.states)
        return met and not is_right(cell, guard_of(cell, differentiate(cell), "textbook"))

    quick = settings(max_examples=200, deadline=None, database=None,
                     phases=(Phase.generate, Phase.shrink),
                     suppress_health_check=list(HealthCheck))  # fmt: skip
    draws = None if NIGHTLY else Random(3)  # any do
    smallest = find(cells(), shows_it, settings=quick, random=draws)
    # a gate of one number for a matrix is six operations; a norm, written as one, is eight
    assert operations(smallest) - beside(smallest) <= 6 or meeting in NUMBERS, smallest.text


def test_what_a_module_may_need_besides_numpy_is_defined_under_its_name():
    assert all(f"\ndef {name}(" in text for name, text in HELPERS.items())
