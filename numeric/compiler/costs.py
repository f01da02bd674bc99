"""What code of a cell costs, as formulas in T, B and the sizes: numbers kept, operations done.

In: a program whose passes have run. Out: `Costs`. An array of the program is one array of the
NumPy code; views and what the caller gave take no room.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Final

from sympy import Add, Expr, S, Symbol, factor_terms

from numeric.compiler.program import BATCH, LENGTH, Dims, Program, Statement

_PRODUCTS: Final = frozenset({"apply", "pull", "outer", "product"})


@dataclass(frozen=True)
class Costs:
    """Numbers on the tape, most numbers held in each pass, multiplications and additions.

    Of arrays the leading ones are counted: those with a row for each step.
    """

    tape: Expr
    forward: Expr
    backward: Expr
    operations: Expr

    def memory_lines(self) -> tuple[str, ...]:
        """The formulas of memory in words."""
        return (
            f"Memory in numbers of the dtype: tape {_text(self.tape)};",
            f"pass forward at most {_text(self.forward)}, back {_text(self.backward)},",
            "each with the tape and what it returns, arrays without T left out.",
        )

    def operation_lines(self) -> tuple[str, ...]:
        """The formula of the work in words."""
        return (f"Products with weights: {_text(self.operations)} operations in both passes.",)


def costs_of(program: Program) -> Costs:
    """The costs of a cell's program."""
    given = {argument.name for argument in program.arguments}
    made: dict[str, list[str]] = {"forward": [], "backward": []}
    for block in program.blocks:
        made[block.phase] += [s.target for s in block.statements]
    tape = [*filter(program.is_sequence, program.tape()), *program.shifted]
    operations = Add(*(
        _operations(program, s, bool(block.loop))
        for block in program.blocks for s in block.statements
    ))  # fmt: skip
    forward, backward = (
        _room(program, [*tape, *filter(program.is_sequence, names)], given)
        for names in made.values()
    )
    return Costs(_room(program, tape, given), forward, backward, operations)


def _room(program: Program, names: Iterable[str], given: set[str]) -> Expr:
    """The numbers in the arrays that the names live in; states have a row more."""
    rows: list[Expr] = []
    wholes = dict.fromkeys(program.extent(program.shifted.get(name, name))[0] for name in names)
    for whole in wholes:
        if whole in given:
            continue
        dims = program.dims[whole]
        if whole in program.shifted.values():
            dims = (LENGTH + 1, *dims[1:])
        rows.append(prod(dims, start=S.One))
    return Add(*rows)


def _operations(program: Program, statement: Statement, in_loop: bool) -> Expr:
    """Multiplications and additions of a product, over all steps."""
    if statement.op not in _PRODUCTS:
        return S.Zero
    left, right = (program.dims[str(o)] for o in statement.operands[:2])
    timed = left[:1] == (LENGTH,)
    rows = prod(left[:-1], start=S.One) * (LENGTH if in_loop and not timed else 1)
    if statement.op == "outer":
        return 2 * rows * left[-1] * right[-1]
    if statement.op == "product":
        return _product(left, right) * (LENGTH if in_loop else 1)
    return 2 * rows * prod(right, start=S.One)


def _product(left: Dims, right: Dims) -> Expr:
    """Of a product of matrices where one is weights; of two that samples have none."""
    if BATCH in left and BATCH in right:
        return S.Zero
    samples = BATCH if BATCH in (*left, *right) else S.One
    return 2 * samples * left[-2] * left[-1] * right[-1]


@lru_cache(maxsize=256)  # the styles of a cell have most formulas in common
def _text(formula: Expr) -> str:
    """The formula with T and B in front where they divide it."""
    names = sorted(formula.free_symbols, key=lambda s: (str(s) not in "TB", str(s)))
    expanded = formula.expand()
    for symbol in names[:2]:
        expanded = expanded.collect(symbol) if isinstance(symbol, Symbol) else expanded
    return str(factor_terms(expanded)).replace("**2", "²").replace("*", " ")
