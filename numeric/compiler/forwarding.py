"""The pass `forward`: what is a copy, or one number spread out, is read where it comes from.

In: a program. Out: the same without copies that only other statements read, and with one number
of each sample in the place of an array of it where the other operands have the shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from sympy import S

from numeric.compiler.program import (
    LENGTH,
    Dims,
    Operand,
    Program,
    Statement,
    promoted,
    together,
)

_JOINING: Final = frozenset({"add", "multiply", "divide", "maximum", "minimum"})


def forward(program: Program) -> Program:
    """The program in which nothing is copied that could be read as it stands."""
    sources = _copies(program)
    while True:
        sources = {name: sources.get(source, source) for name, source in sources.items()}
        numbers = _numbers(program, sources)
        if not numbers:
            break
        sources |= numbers
    if not sources:
        return program
    blocks = tuple(
        replace(
            block,
            statements=tuple(
                replace(s, operands=_read(s.operands, sources))
                for s in block.statements
                if s.target not in sources
            ),
        )
        for block in program.blocks
    )
    return promoted(replace(program, blocks=tuple(b for b in blocks if b.statements)))


def _read(operands: tuple[Operand, ...], sources: Mapping[Operand, str]) -> tuple[Operand, ...]:
    return tuple(sources.get(o, o) for o in operands)


def _at_one_time(program: Program, name: str) -> Dims:
    dims = program.dims[name]
    return dims[1:] if dims[:1] == (LENGTH,) else dims


def _free(program: Program) -> set[str]:
    """The names that something other than a statement's operands holds on to."""
    held = {r.name for r in program.results} | {*program.shifted, *program.shifted.values()}
    held |= {n for b in program.blocks for c in b.carries for n in (c.name, c.update)}
    held |= {s.target for b in program.blocks for s in b.statements if s.accumulate}
    held |= {*program.views, *(whole for whole, *_ in program.views.values())}
    return {s.target for b in program.blocks for s in b.statements} - held


def _copies(program: Program) -> dict[Operand, str]:
    """The copies, and of what: not of what changes from turn to turn."""
    free = _free(program)
    turning = {c.name for b in program.blocks for c in b.carries}
    turning |= {s.target for b in program.blocks for s in b.statements if s.accumulate}
    found: dict[Operand, str] = {}
    for block in program.blocks:
        for s in block.statements:
            (source, *others) = s.operands or ("",)
            if (
                s.op == "add" and not others and s.settings == (1,) and isinstance(source, str)
                and not s.accumulate and s.target in free and source not in turning
                and _at_one_time(program, source) == _at_one_time(program, s.target)
            ):  # fmt: skip
                found[s.target] = str(found.get(source, source))
    return found


def _numbers(program: Program, sources: Mapping[Operand, str]) -> dict[Operand, str]:
    """One array of a number that all readers can do without, and the number."""
    free = _free(program)
    every = [s for b in program.blocks for s in b.statements if s.target not in sources]
    for s in every:
        (source, *others) = s.operands or ("",)
        if s.op != "spread" or others or not isinstance(source, str) or s.target not in free:
            continue
        source = str(sources.get(source, source))
        if _at_one_time(program, source)[-1:] not in {(), (S.One,)}:
            continue
        readers = [reader for reader in every if s.target in _read(reader.operands, sources)]
        more = {**sources, s.target: source}
        if readers and all(_fits(program, reader, more) for reader in readers):
            return {s.target: source}
    return {}


def _fits(program: Program, reader: Statement, sources: Mapping[Operand, str]) -> bool:
    """Whether the operands still make up the target's shape."""
    if reader.op not in _JOINING or reader.accumulate:
        return False
    operands = _read(reader.operands, sources)
    shape = together(_at_one_time(program, o) for o in operands if isinstance(o, str))
    return shape == _at_one_time(program, reader.target)
