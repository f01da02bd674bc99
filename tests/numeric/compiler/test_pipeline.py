"""Random cells through the whole pipeline: derived, emitted in every style, exactly right.

With any one rule of differentiation broken, a few random cells show it, and the one that is
left after shrinking has at most three operations.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, example, find, given, settings
from profiles import NIGHTLY, PROFILE
from sympy import MatMul, MatrixExpr, MatrixSymbol

from derive import Cell, differentiate
from derive.calculus.rules import VJP_RULES
from derive.cell import declared
from derive.language.expr import Broadcast, scale, split_coefficient
from numeric.compiler.lower import lower
from numeric.compiler.passes import optimise
from numeric.compiler.styles import STYLES, find_style
from numeric.compiler.target import Header, load
from numeric.compiler.to_numpy.checks import HELPERS
from numeric.strategies import cells
from numeric.verification.compare import difference, in_range
from numeric.verification.exact import exact_check
from numeric.verification.oracles import autograd_answer
from numeric.verification.problems.of_cell import CellProblem, call, make_case, ordinary_sizes
from numeric.verification.watch import Guard, subject_of

EXAMPLES = {"dev": 40, "ci": 40, "nightly": 2000}[PROFILE]
LARGEST = 1e6
# a sum in which the array that it is written into comes again
AGAIN = Cell.parse(name="again", equations="s = (U @ x - U @ x) + s_prev + y", inputs=("x", "y"))
# what is done to the cotangents that a rule hands to its operands
SLIPS = {
    "the first twice": lambda bars: (scale(2, bars[0]), *bars[1:]),
    "the last of the wrong sign": lambda bars: (*bars[:-1], scale(-1, bars[-1])),
}
BROKEN = [(node, slip) for slip in SLIPS for node in VJP_RULES]
BROKEN = BROKEN if NIGHTLY else BROKEN[2::9]


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
    noise = 1e-13 * max(sizes)  # what is left where terms cancel
    for group, name, _ in case.groups():
        got, wanted = gradients[group][name], want.gradients[group][name]
        near = np.max(np.abs(got - wanted), initial=0) <= noise
        if not near and not difference(group, name, got, wanted).right(1e-9):
            return False
    return True


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow],
          derandomize=not NIGHTLY, database=None)  # fmt: skip
@given(cells())
@example(AGAIN)
def test_every_random_cell_is_derived_and_emitted_rightly(cell: Cell) -> None:
    derivation = differentiate(cell)
    sizes = ordinary_sizes(cell, 2)
    for number, style in enumerate(STYLES):
        guard = guard_of(cell, derivation, style)
        found = exact_check(CellProblem(cell), guard, sizes, steps=2, batch=2, seed=number)
        assert found.right, (style, cell.text)
        assert is_right(cell, guard), (style, cell.text)


def operations(cell: Cell) -> int:
    """The operations that a cell's equations write: sums, products, functions and the like."""

    def count(node: MatrixExpr) -> int:
        if isinstance(node, MatrixSymbol):
            return 0
        number, rest = split_coefficient(node)
        scaled = number != 1 and not isinstance(rest, MatMul)
        own = 0 if scaled or isinstance(node, Broadcast) else 1
        return own + sum(count(part) for part in node.args if isinstance(part, MatrixExpr))

    return sum(count(equation.value) for equation in cell.equations)


@pytest.mark.parametrize(("node", "slip"), BROKEN, ids=lambda part: getattr(part, "__name__", part))
def test_a_broken_rule_is_found_and_shrinks_to_three_operations(
    node: type, slip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = VJP_RULES[node]

    def wrong(y_bar: Any, y: Any, own: Any) -> tuple[Any, ...]:
        return SLIPS[slip](rule.pullback(y_bar, y, own))

    monkeypatch.setitem(VJP_RULES, node, replace(rule, pullback=wrong))

    def shows_it(cell: Cell) -> bool:
        if cell.outputs:  # beside an output a state has an operation of its own
            return False
        return not is_right(cell, guard_of(cell, differentiate(cell), "textbook"))

    quick = settings(max_examples=200, deadline=None, database=None, derandomize=True,
                     phases=(Phase.generate, Phase.shrink),
                     suppress_health_check=list(HealthCheck))  # fmt: skip
    smallest = find(cells(), shows_it, settings=quick)
    assert operations(smallest) <= 3, smallest.text


def test_what_a_module_may_need_besides_numpy_is_defined_under_its_name():
    assert all(f"\ndef {name}(" in text for name, text in HELPERS.items())
