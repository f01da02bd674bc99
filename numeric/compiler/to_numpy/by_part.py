"""Which arrays of loops are kept part by part: (parts, B, n) in place of (B, parts · n).

In: a program whose passes have run. Out: the wholes so kept, with the width of a part; and for a
statement on several parts at once, that it is one. A gate beside others in one row is columns with
gaps, over which NumPy goes row by row; kept by itself it is one run of numbers. What products meet
stays in rows, and is looked at part by part where the two come together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from sympy import Expr

from numeric.compiler.program import BATCH, LENGTH, Dims, Program, Statement

_ENTRYWISE: Final = frozenset({
    "add", "multiply", "divide", "maximum", "minimum", "function", "slope", "slope_from_output",
})  # fmt: skip


@dataclass(frozen=True)
class ByPart:
    """The layout of a program's arrays."""

    program: Program

    @cached_property
    def widths(self) -> Mapping[str, Expr]:
        """The wholes that are kept part by part, each with the width of a part."""
        found = {whole: size for whole, size in self._parts() if self._is_free(whole)}
        tried = set(found)
        while True:
            while wrong := {whole for whole in found if not self._holds(whole, found)}:
                found = {whole: size for whole, size in found.items() if whole not in wrong}
            beside = {
                whole: size
                for whole, size in self._beside(found)
                if whole not in tried and self._holds(whole, {**found, whole: size})
            }
            if not beside:
                return found
            found |= beside
            tried |= beside.keys()

    def _is_free(self, whole: str) -> bool:
        """Whether the array may be kept in any way: the code's own, a row for each sample."""
        program = self.program
        elsewhere = {a.name for a in (*program.arguments, *program.results)}
        elsewhere |= {n for b in program.blocks for c in b.carries for n in (c.name, c.update)}
        elsewhere |= {*program.shifted, *program.shifted.values()}
        extents = (program.extent(name)[0] for name in elsewhere)
        return self._in_rows_of_samples(whole) and whole not in extents

    def _parts(self) -> Iterator[tuple[str, Expr]]:
        """Every whole with the least width of what is a part of it and stands in a loop alone."""
        used = {n for b in self.program.blocks if b.loop for s in b.statements for n in _names(s)}
        least: dict[str, Expr] = {}
        for name, (whole, _, size) in self.program.views.items():
            if name in used and (whole not in least or (least[whole] - size).is_positive):
                least[whole] = size
        yield from least.items()

    def _beside(self, kept: Mapping[str, Expr]) -> Iterator[tuple[str, Expr]]:
        """Wholes in rows that meet several parts of one that is kept by part."""
        for block in self.program.blocks:
            for statement in block.statements:
                wholes = {self.program.extent(name)[0] for name in _names(statement)}
                width = next((kept[whole] for whole in wholes if whole in kept), None)
                if width is not None and self.program.dims[statement.target][-1:] != (width,):
                    yield from ((w, width) for w in sorted(wholes) if self._is_free(w))

    def _in_rows_of_samples(self, whole: str) -> bool:
        dims = self.program.dims[whole]
        return dims[:-1] in {(BATCH,), (LENGTH, BATCH)}

    def count(self, name: str, width: Expr) -> int | None:
        """How many parts of a width the name is; none if it does not begin and end with one."""
        _, start, size = self.program.extent(name)
        counts = start / width, size / width
        return int(counts[1]) if all(c.is_Integer for c in counts) else None

    def _holds(self, whole: str, kept: Mapping[str, Expr]) -> bool:
        """Whether all that is done with the whole can be done part by part."""
        width = kept[whole]
        for block in self.program.blocks:
            for statement in block.statements:
                own = [n for n in _names(statement) if self.program.extent(n)[0] == whole]
                if not own:
                    continue
                counts = {self.count(name, width) for name in own}
                if not block.loop or statement.accumulate or None in counts:
                    return False
                if counts == {1}:
                    continue
                (count, *others) = counts
                fits = (self._fits(name, count, width, kept) for name in _names(statement))
                if others or statement.op not in _ENTRYWISE or not all(fits):
                    return False
        return True

    def _fits(self, name: str, count: int | None, width: Expr, kept: Mapping[str, Expr]) -> bool:
        """Whether an array can be looked at in as many parts, or is a number for each sample."""
        whole, dims = self.program.extent(name)[0], self.program.dims[name]
        if not dims or (dims[-1] == 1 and BATCH in dims):
            return True
        if not self._in_rows_of_samples(whole) or self.count(name, width) != count:
            return False
        return kept.get(whole, width) == width and self.count(whole, width) is not None

    # ---- of a statement -------------------------------------------------------------------------

    def is_wide(self, statement: Statement) -> bool:
        """Whether the statement is done on several parts at once, of arrays so kept."""
        return any(
            whole in self.widths and self.program.dims[name][-1] != self.widths[whole]
            for name in _names(statement)
            for whole in (self.program.extent(name)[0],)
        )

    def in_rows(self, statement: Statement) -> dict[str, Expr]:
        """What a wide statement reads or makes that is kept in rows, with the width of a part."""
        if not self.is_wide(statement):
            return {}
        wholes = {name: self.program.extent(name)[0] for name in _names(statement)}
        width = next(self.widths[whole] for whole in wholes.values() if whole in self.widths)
        return {
            name: width
            for name, whole in wholes.items()
            if whole not in self.widths and self.program.dims[name][-1:] not in {(), (1,)}
        }

    def dims(self, whole: str) -> Dims:
        """The dimensions of an array as it is kept."""
        dims = self.program.dims[whole]
        width = self.widths.get(whole)
        return dims if width is None else (*dims[:-2], dims[-1] / width, dims[-2], width)


def _names(statement: Statement) -> tuple[str, ...]:
    return (statement.target, *statement.reads)
