"""Program → Program: entrywise work on columns side by side becomes work on each part again.

In: a program whose products are stacked. Out: the same, in which every entrywise statement is
about one part of a whole, so that all of them can stand in one loop over units and a value need
not leave its register. Also which parts each whole has: every part begins on a whole vector.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cmp_to_key
from itertools import pairwise
from typing import Final

from sympy import Expr, S

from numeric.compiler.program import BATCH, TEMPORARY, Block, Operand, Program, Statement

ENTRYWISE: Final = frozenset({
    "add",
    "multiply",
    "divide",
    "maximum",
    "minimum",
    "at_least",
    "below",
    "function",
    "slope",
    "slope_from_output",
    "spread",
    "select",
})
_LIKE_SOURCE: Final = frozenset({"gather"})


@dataclass(frozen=True)
class Parts:
    """Where the parts of each whole begin and how many columns each has, in order."""

    of: Mapping[str, tuple[tuple[Expr, Expr], ...]]

    def within(self, whole: str, start: Expr, size: Expr) -> tuple[tuple[Expr, Expr], ...]:
        """The parts, or pieces of parts, that make up the columns from start on."""
        found = []
        for begin, width in self.of[whole]:
            low = begin if _order(begin, start) >= 0 else start
            high = begin + width if _order(begin + width, start + size) <= 0 else start + size
            if _order(low, high) < 0:
                found.append((low, high - low))
        return tuple(found)


def _order(a: Expr, b: Expr) -> int:
    """−1, 0 or 1 as a is less than, equal to or more than b.

    Raises:
        ValueError: if that depends on the sizes.
    """
    if a == b:
        return 0
    if (b - a).is_positive:
        return -1
    if (a - b).is_positive:
        return 1
    raise ValueError(f"columns: the order of {a} and {b} depends on the sizes")


def unstack(program: Program) -> tuple[Program, Parts]:
    """The program with entrywise statements part by part, and the parts of every whole."""
    work = _Unstacker(program)
    work.find_cuts()
    blocks = tuple(
        replace(block, statements=tuple(s for old in block.statements for s in work.split(old)))
        for block in program.blocks
    )
    dims, views = work.dims, work.views
    program = replace(program, blocks=_alive(program, blocks), dims=dims, views=views)
    return program, Parts({name: tuple(work.parts(name)) for name in work.cuts})


def _alive(program: Program, blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """The blocks without stacks of vectors that nothing reads any more."""
    read = {name for b in blocks for s in b.statements for name in s.reads}
    read |= {result.name for result in program.results}
    return tuple(
        replace(b, statements=tuple(s for s in b.statements if s.op != "stack" or s.target in read))
        for b in blocks
    )


class _Unstacker:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.dims, self.views = dict(program.dims), dict(program.views)
        self.cuts: dict[str, set[Expr]] = {}
        self.stacks = {
            s.target: s.operands
            for b in program.blocks
            for s in b.statements
            if s.op == "stack" and len(program.dims[s.target]) == 1
        }
        for name, dims in program.dims.items():
            if name not in program.views and dims[-1:] != (BATCH,):  # rows of numbers only
                self.cuts[name] = {S.Zero, dims[-1] if dims else S.One}
        for whole, start, size in program.views.values():
            self.cuts[whole] |= {start, start + size}
        for target, operands in self.stacks.items():
            end: Expr = S.Zero
            for operand in operands:
                end += self.dims[str(operand)][-1]
                self.cuts[target].add(end)

    def find_cuts(self) -> None:
        """Cut what is computed together at the same columns."""
        groups = [list(self._alike(s)) for b in self.program.blocks for s in b.statements]
        changed = True
        while changed:
            changed = False
            for names in groups:
                shared = {
                    cut - start
                    for whole, start, size in map(self.program.extent, names)
                    for cut in self.cuts[whole]
                    if _order(start, cut) <= 0 and _order(cut, start + size) <= 0
                }
                for whole, start, _ in map(self.program.extent, names):
                    more = {start + cut for cut in shared} - self.cuts[whole]
                    changed = changed or bool(more)
                    self.cuts[whole] |= more

    def _alike(self, statement: Statement) -> Iterable[str]:
        """The names whose columns correspond in a statement."""
        if statement.op in ENTRYWISE or statement.op in _LIKE_SOURCE:
            width = self.width(statement.target)
            for name in (statement.target, *statement.reads):
                if self.width(name) == width and width != 1:
                    yield name

    def width(self, name: str) -> Expr:
        dims = self.dims[name]
        return dims[-1] if dims else S.One

    def parts(self, whole: str) -> list[tuple[Expr, Expr]]:
        cuts = sorted(self.cuts[whole], key=cmp_to_key(_order))
        return [(a, b - a) for a, b in pairwise(cuts)]

    def split(self, statement: Statement) -> Iterable[Statement]:
        """The statement, or one for each part of its target."""
        if statement.op not in ENTRYWISE:
            return [statement]
        whole, start, size = self.program.extent(statement.target)
        inner = Parts({whole: tuple(self.parts(whole))}).within(whole, start, size)
        names = {name: self.pieces(name, statement) for name in statement.reads}
        if len(inner) == 1:
            operands = (names.get(o, [o])[0] if isinstance(o, str) else o
                        for o in statement.operands)  # fmt: skip
            return [replace(statement, operands=tuple(operands))]
        made = []
        for place, (begin, width) in enumerate(inner):
            target = self.part(statement.target, begin - start, width)
            operands = (names[o][place] if isinstance(o, str) else o for o in statement.operands)
            settings = statement.settings
            if statement.op == "spread":
                settings = self.dims[target]
            made.append(
                replace(
                    statement, target=target, operands=tuple(operands), settings=settings,
                    comment=self.program.comments.get(target, ""),
                )
            )  # fmt: skip
        return made

    def pieces(self, name: str, statement: Statement) -> list[Operand]:
        """The operand at each part of the statement's target."""
        _, begin, size = self.program.extent(statement.target)
        whole = self.program.extent(statement.target)[0]
        inner = Parts({whole: tuple(self.parts(whole))}).within(whole, begin, size)
        if self.width(name) != self.width(statement.target) or self.width(name) == 1:
            return [name] * len(inner)
        return [self.part(name, low - begin, width) for low, width in inner]

    def part(self, name: str, start: Expr, size: Expr) -> str:
        """The name of the columns from start on of an array, as its own array."""
        whole, first, width = self.program.extent(name)
        if whole in self.stacks:
            at: Expr = S.Zero
            for operand in self.stacks[whole]:
                one = str(operand)
                if at == first + start and self.dims[one][-1] == size:
                    return one
                at += self.dims[one][-1]
        if start == 0 and size == width:
            return name
        extent = (whole, first + start, size)
        known = [view for view, held in self.views.items() if held == extent]
        if known:
            return min(known, key=lambda view: view.startswith(TEMPORARY))
        count = 1
        while (made := f"{name}_{count}") in self.dims:
            count += 1
        self.dims[made] = (*self.dims[name][:-1], size)
        self.views[made] = extent
        return made
