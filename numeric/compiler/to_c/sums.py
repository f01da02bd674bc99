"""Sums over samples and steps → lines of C: weight gradients, vectors' gradients, their parts.

In: an `outer`, `gather` or `rows`. Out: calls that grow a sum over a chunk's rows; it is cleared
before the loop and handed over after it.
"""

from __future__ import annotations

from collections.abc import Iterator

from sympy import Expr, S

from numeric.compiler.program import BATCH, Statement
from numeric.compiler.to_c.memory import ONCE
from numeric.compiler.to_c.names import sum_text
from numeric.compiler.to_c.networks import Networks
from numeric.compiler.to_c.schedule import shape


class Sums(Networks):
    """The lines of sums."""

    def _outer(self, s: Statement) -> Iterator[str]:
        u, v, *masked = map(str, s.operands)
        memory, sizes = self.memory, self.sizes
        each = self.each(u)
        row = f"row{each}" if masked else ""
        sums = self.own_array(s.target, "sums")
        _, columns = shape(memory.program, v)
        if not memory.is_kept(u):
            copied = self.own_array(s.target, "copy")
            _, width = shape(memory.program, u)
            self.arrays[copied] = (self.many(u), sizes.padded(width))
            yield (
                f"copy({copied}_at, {copied}_row, {self.at(u)}, {self.step(u)}, {self.rows(u)}, "
                f"{sizes.text(width)}, 0);"
            )
            address, step, padded = f"{copied}_at", f"{copied}_row", sizes.padded(width)
            address += f" + {row} * {copied}_row" if masked else ""
        else:
            address, step = self.at(u, row), self.step(u)
            padded = memory.padded(u, sizes)
        self.arrays[sums] = (sizes.text(columns), padded)
        clear = f"clear({sums}_at, {sums}_row, {sizes.text(columns)}, {sums}_row);"
        if self.in_chunk:
            self.first.append(clear)
        else:
            yield clear
        rows = f"some{each}" if masked else self.rows(u)
        beside = self._beside(self.many(u), f"side({padded}, {sizes.text(columns)})")
        copied, lines = self.gathered(s.target, v)
        for start, size in memory.within(v):
            place = f"{sums}_at" + (f" + {sizes.factor(start)} * {sums}_row" if start != 0 else "")
            lines.append(
                f"outer({place}, {sums}_row, {address}, {step}, {padded}, "
                f"{self.at(v, row, start=start, copied=copied)}, {self.step(v)}, "
                f"{sizes.text(size)}, {rows}, {beside}_at, {beside}_row);"
            )
        yield from self.skipped(lines) if masked else lines
        if s.target in memory.lazy:
            return
        where, self.where = self.where, ONCE if self.in_chunk else self.where
        finish = [
            line
            for start, size in memory.within(u)
            for line in self._from_sums(
                s.target, sums, start, size, self._before(u, start), s.accumulate
            )
        ]
        self.where = where
        if self.in_chunk:
            self.last += finish
        else:
            yield from finish

    def _beside(self, rows: str, width: str) -> str:
        """The name of an array of copied columns, one for all sums that need the same."""
        held = (name for name, room in self.arrays.items() if room == (rows, width))
        if (name := next(held, "")) == "":
            name = f"beside_{len(self.arrays) + 1}"
            self.arrays[name] = (rows, width)
        return name

    def _before(self, name: str, start: Expr) -> str:
        """Where the columns of a name from a start on begin in the sums over it."""
        parts = [sz for low, sz in self.memory.within(name) if (start - low).is_positive]
        return sum_text(self.sizes.padded(size) for size in parts) if parts else ""

    def _from_sums(
        self, target: str, sums: str, start: Expr, size: Expr, offset: str, grow: bool
    ) -> Iterator[str]:
        _, columns = shape(self.memory.program, target)
        row = self.sizes.factor(start) if start != 0 else ""
        source = f"{sums}_at" + (f" + {offset}" if offset else "")
        yield (
            f"transposed({self.at(target, row)}, {self.step(target)}, {source}, {sums}_row, "
            f"{self.sizes.text(size)}, {self.sizes.text(columns)}, {int(grow)});"
        )

    def _rows(self, s: Statement) -> Iterator[str]:
        (source,) = map(str, s.operands)
        start, size = s.settings
        memory = self.memory
        if source in memory.lazy:
            maker = next(
                made for made in self._every() if made.op == "outer" and made.target == source
            )
            u = str(maker.operands[0])
            done: Expr = S.Zero
            for low, width in memory.within(u):
                if (low - start).is_negative or not (start + size - low).is_positive:
                    continue
                yield from self._from_sums(
                    s.target, f"{self.names[source]}_sums", done, width, self._before(u, low), False
                )
                done += width
            return
        rows, columns = shape(memory.program, s.target)
        if len(memory.program.dims[s.target]) == 1:
            yield (
                f"copy({self.at(s.target)}, 0, {self.at(source, start=start)}, 0, 1, "
                f"{self.sizes.text(columns)}, 0);"
            )
            return
        row = self.sizes.factor(start) if start != 0 else ""
        yield (
            f"copy({self.at(s.target)}, {self.step(s.target)}, {self.at(source, row)}, "
            f"{self.step(source)}, {self.sizes.text(rows)}, {self.sizes.text(columns)}, 0);"
        )

    def _every(self) -> Iterator[Statement]:
        for block in self.memory.program.blocks:
            yield from block.statements

    def _gather(self, s: Statement) -> Iterator[str]:
        source, *masked = map(str, s.operands)
        row, rows = ("row", "some") if masked else ("", self.rows(source))
        memory, sizes = self.memory, self.sizes
        width = memory.padded(source, sizes)
        step = self.step(source)
        if matrix := self.each(source):  # each sample's matrix as one row
            width, step = f"({width}){matrix}", f"{step}{matrix}"
            row += matrix * bool(row)
            if not masked:
                rows = self.samples(BATCH)
        kept = memory.is_kept(s.target) and s.settings and not s.accumulate
        sums = self.own_array(s.target, "sums")
        place = self.at(s.target) if kept else f"{sums}_at"
        if not kept:
            self.arrays[sums] = ("1", width if s.settings else "LANES")
        clear = f"clear({place}, 0, 1, {width if s.settings else '1'});"
        if self.in_chunk:
            self.first.append(clear)
        else:
            yield clear
        helper = "sum_rows" if s.settings else "sum_all"
        many = width if s.settings else sizes.text(shape(memory.program, source)[1])
        call = f"{helper}({place}, {self.at(source, row)}, {step}, {rows}, {many});"
        yield from self.skipped([call]) if masked else [call]
        if kept:
            return
        where, self.where = self.where, ONCE if self.in_chunk else self.where
        grow = int(s.accumulate)
        finish = []
        offset: list[str] = []
        if matrix:
            columns = memory.padded(source, sizes)
            lines_, units = map(sizes.text, shape(memory.program, s.target))
            finish.append(
                f"copy({self.at(s.target)}, {self.step(s.target)}, {place}, {columns}, {lines_}, "
                f"{units}, {grow});"
            )
        parts = memory.within(source) if s.settings else ((S.Zero, S.One),)
        for start, size in () if matrix else parts:
            from_ = " + ".join([place, *offset])
            to = self.at(s.target, start=start)
            finish.append(f"copy({to}, 0, {from_}, 0, 1, {sizes.text(size)}, {grow});")
            offset.append(sizes.padded(size))
        self.where = where
        if self.in_chunk:
            self.last += finish
        else:
            yield from finish
