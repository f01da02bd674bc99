"""The reference of passes: a program run statement by statement, without emitting anything.

In: a `Program`, arrays and sizes. Out: its results.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from sympy import Expr

from numeric.compiler.operations import OPERATIONS
from numeric.compiler.program import (
    BATCH,
    FINAL,
    LENGTH,
    Array,
    Dims,
    Operand,
    Program,
    Statement,
    initial_name,
)

_SIZED: Final = frozenset({"columns", "rows", "zeros", "spread", "gather", "scatter", "from_end"})


def run_program(
    program: Program, given: Mapping[str, Array], sizes: Mapping[str, int]
) -> dict[str, Array]:
    """The results by name, from the arguments by name: the program's meaning, slow and plain."""
    extents = {s for dims in program.dims.values() for e in dims for s in e.free_symbols}
    at = {extent: sizes[str(extent)] for extent in extents | {LENGTH, BATCH}}

    def shape(dims: Dims) -> tuple[int, ...]:
        return tuple(int(extent.subs(at)) for extent in dims)

    values: dict[str, Array] = dict(given)
    whole_of: dict[str, Array] = {}
    for previous, state in program.shifted.items():
        rows = np.zeros((sizes["T"] + 1, *shape(program.dims[state])[1:]))
        values[previous], values[state] = rows[:-1], rows[1:]
        if state in program.backwards:
            values[previous], values[state] = rows[1:], rows[:-1]
        rows[-1 if state in program.backwards else 0] = given[initial_name(state)]
        whole_of[state] = rows

    def store(name: str) -> Array:
        whole, start, size = program.extent(name)
        if whole not in values:
            values[whole] = np.zeros(shape(program.dims[whole]))
        first, count = shape((start, size))
        return values[whole][..., first : first + count]

    wholes = {whole for whole, *_ in program.views.values()}
    for view in program.views:
        values[view] = store(view)

    def step(statement: Statement, t: int | None) -> None:
        def read(operand: Operand) -> Any:
            if not isinstance(operand, str):
                return float(operand)
            value = values[operand]
            return value[t] if t is not None and program.is_sequence(operand) else value

        settings = tuple(
            int(s.subs(at)) if isinstance(s, Expr) and s.free_symbols else s
            for s in statement.settings
        )
        if statement.op in _SIZED:
            settings = tuple(int(s) for s in settings)
        value = OPERATIONS[statement.op]([read(o) for o in statement.operands], settings)
        target = statement.target
        if statement.accumulate:
            values[target] = values[target] + value
        elif t is not None and program.is_sequence(target):
            values[target][t] = value
        elif program.extent(target)[0] in wholes:
            values.setdefault(target, store(target))[...] = value
        else:
            values[target] = np.asarray(value)

    for block in program.blocks:
        for carry in block.carries:
            values[carry.name] = np.zeros(shape(program.dims[carry.name]))
            if carry.start:
                values[carry.name] = given[carry.start]
        for target in {s.target for s in block.statements if program.is_sequence(s.target)}:
            values.setdefault(target, np.zeros(shape(program.dims[target])))
        for t in _times(block.loop, sizes["T"]):
            for statement in block.statements:
                step(statement, t)
            for carry in block.carries:
                values[carry.name] = values[carry.update]
    return {
        result.name: whole_of[result.name][0 if result.name in program.backwards else -1]
        if result.group == FINAL
        else values[result.name]
        for result in program.results
    }


def _times(loop: str, length: int) -> Iterator[int | None]:
    if not loop:
        yield None
    else:
        yield from range(length) if loop == "forward" else range(length - 1, -1, -1)
