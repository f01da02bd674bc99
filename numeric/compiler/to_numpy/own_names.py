"""The module's own sizes and its loop's index give way to an author's names.

In: a program. Out: the same with sizes renamed that an array, or something of the emitted code, is
called like; and, for arrays that are called T, B or t, the source with `T_size`, `B_size` and
`t_index` for what the module itself calls so. What the author wrote is never renamed.
"""

from __future__ import annotations

import io
import tokenize
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import Final

from sympy import Expr, Symbol

from numeric.compiler.array_names import is_ours, local
from numeric.compiler.program import WHOLE, Program, Statement, initial_name

_OWN: Final = {"T": "T_size", "B": "B_size", "t": "t_index"}


def free(name: str, taken: Container[str]) -> str:
    """The name, with as many underscores more as it needs to be no other's."""
    while name in taken:
        name += "_"
    return name


@dataclass(frozen=True)
class Cleared:
    """A program whose arrays stand aside for now, the words to put in, and the sizes by name."""

    program: Program
    words: Mapping[str, str]
    sizes: Mapping[str, str]

    def named(self, source: str) -> str:
        """The source with every word in its place; strings, comments and attributes stay."""
        if not self.words:
            return source
        lines = [list(line) for line in source.splitlines(keepends=True)]
        before = ""
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.NAME and token.string in self.words and before != ".":
                row, (first, last) = token.start[0] - 1, (token.start[1], token.end[1])
                lines[row][first:last] = [self.words[token.string], *[""] * (last - first - 1)]
            before = token.string
        return "".join("".join(line) for line in lines)


def cleared(program: Program) -> Cleared:
    """The program with no array called like a size or the loop's index."""
    extents = {s for dims in program.dims.values() for extent in dims for s in extent.free_symbols}
    given = {str(s) for s in extents} - {*_OWN}
    taken = {s for s in given if s in program.dims or is_ours(s) or local(s) != s}
    sizes = {free(f"{s}_size", {*program.dims, *given}) if s in taken else s: s for s in given}
    spelled = {Symbol(new): old for new, old in sizes.items() if new != old}
    program = _with_sizes(program, {s: new for s in extents for new, old in spelled.items()
                                    if str(s) == old and str(s) not in _OWN})  # fmt: skip
    aside: dict[str, str] = {}
    words: dict[str, str] = {}
    for own in _OWN:
        if own in program.dims:
            aside[own] = free(f"{own}_", {*program.dims, *aside.values()})
            words |= {own: free(_OWN[own], program.dims), aside[own]: own}
            words[aside[own] + WHOLE] = own + WHOLE
            if initial_name(own) in program.dims:
                aside[initial_name(own)] = initial_name(aside[own])
    return Cleared(_with_arrays(program, aside) if aside else program, words, sizes)


def _with_sizes(program: Program, sizes: Mapping[Expr, Expr]) -> Program:
    if not sizes:
        return program

    def clear(statement: Statement) -> Statement:
        settings = (s.subs(sizes) if isinstance(s, Expr) else s for s in statement.settings)
        return replace(statement, settings=tuple(settings))

    return replace(
        program,
        dims={k: tuple(e.subs(sizes) for e in d) for k, d in program.dims.items()},
        views={k: (v[0], *(e.subs(sizes) for e in v[1:])) for k, v in program.views.items()},
        blocks=tuple(
            replace(block, statements=tuple(map(clear, block.statements)))
            for block in program.blocks
        ),
    )


def _with_arrays(program: Program, names: Mapping[str, str]) -> Program:
    """The program with arrays called otherwise."""

    def of(name: str) -> str:
        return names.get(name, name)

    def written(statement: Statement) -> Statement:
        operands = (of(o) if isinstance(o, str) else o for o in statement.operands)
        return replace(statement, target=of(statement.target), operands=tuple(operands))

    return replace(
        program,
        arguments=tuple(replace(a, name=of(a.name)) for a in program.arguments),
        results=tuple(replace(r, name=of(r.name)) for r in program.results),
        blocks=tuple(
            replace(
                block,
                statements=tuple(map(written, block.statements)),
                carries=tuple(
                    replace(c, name=of(c.name), update=of(c.update), start=of(c.start))
                    for c in block.carries
                ),
            )
            for block in program.blocks
        ),
        dims={of(name): dims for name, dims in program.dims.items()},
        shifted={of(before): of(state) for before, state in program.shifted.items()},
        views={of(name): (of(view[0]), *view[1:]) for name, view in program.views.items()},
        backwards=frozenset(map(of, program.backwards)),
        comments={of(name): text for name, text in program.comments.items()},
    )
