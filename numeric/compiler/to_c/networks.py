"""What networks do besides their cells → lines of C: tables, ends of samples, losses.

In: a statement about rows of samples. Out: a call that is told which step the rows begin at and
how long each sample is.
"""

from __future__ import annotations

from collections.abc import Iterator

from sympy import Expr, S

from numeric.compiler.padding import OUTSIDE
from numeric.compiler.program import BATCH, LENGTH, Statement
from numeric.compiler.to_c.memory import CHUNK, ONCE, STEP
from numeric.compiler.to_c.places import Places
from numeric.compiler.to_c.schedule import shape


class Networks(Places):
    """The lines of what only networks do."""

    def _time(self) -> str:
        """The step that the rows begin at."""
        return {STEP: "t", CHUNK: "t0", ONCE: "0"}[self.where]

    def _alive(self, masked: bool = True) -> str:
        """What a call is told to see whether a row's sample has ended."""
        lengths = "lengths_at" if masked else "NULL"
        return f"{lengths}, {self._time()}, {self.sizes.text(BATCH)}"

    def _whole_numbers(self, name: str) -> str:
        """The address of the integers of the rows that the place is about."""
        timed = self.memory.program.is_sequence(name)
        rows = f" + {self._time()} * {self.sizes.text(BATCH)}" if timed else ""
        return f"{self.names[name]}_at{rows}"

    def skipped(self, lines: list[str]) -> Iterator[str]:
        """A sum's lines for every run of rows that have not ended; they say "row" and "some"."""
        rows = "rows" if self.where == CHUNK else self.sizes.text(BATCH)
        yield (
            f"for (ptrdiff_t row = 0, some; (some = run(&row, {rows}, {self._alive()})) > 0; "
            "row += some) {"
        )
        yield from (f"    {line}" for line in lines)
        yield "}"

    def pieces(
        self, target: str, to: Expr, source: str, start: Expr, size: Expr
    ) -> Iterator[tuple[Expr, Expr, Expr]]:
        """Columns that stand side by side in both: where they begin in each, and how many."""
        memory, program = self.memory, self.memory.program
        whole, first, _ = program.extent(memory.aliases.get(source, source))
        home, place, _ = program.extent(memory.aliases.get(target, target))
        for low, width in memory.parts.within(whole, first + start, size):
            begin = low - first - start  # of this piece, counted from the first column copied
            for at, some in memory.parts.within(home, place + to + begin, width):
                yield at - place, at - place - to + start, some

    def _inside(self, s: Statement) -> Iterator[str]:
        source = str(s.operands[0])
        _, size = shape(self.memory.program, s.target)
        for to, start, some in self.pieces(s.target, S.Zero, source, S.Zero, size):
            yield (
                f"inside({self.at(s.target, start=to)}, {self.step(s.target)}, "
                f"{self.at(source, start=start)}, {self.step(source)}, {self.rows(s.target)}, "
                f"{self.sizes.text(some)}, {self._alive()});"
            )

    def _embed(self, s: Statement) -> Iterator[str]:
        table, places = map(str, s.operands)
        _, columns = shape(self.memory.program, s.target)
        yield (
            f"embed({self.at(s.target)}, {self.step(s.target)}, {self.at(table)}, "
            f"{self._whole_numbers(places)}, {self.rows(s.target)}, {self.sizes.text(columns)}, "
            f"{self._alive()});"
        )

    def _scatter(self, s: Statement) -> Iterator[str]:
        rows, places, *masked = map(str, s.operands)
        vocabulary, columns = map(self.sizes.text, shape(self.memory.program, s.target))
        self.first.append(f"clear({self.at(s.target)}, {columns}, {vocabulary}, {columns});")
        yield (
            f"scatter({self.at(s.target)}, {self.at(rows)}, {self.step(rows)}, "
            f"{self._whole_numbers(places)}, {self.rows(rows)}, {columns}, "
            f"{self._alive(OUTSIDE in masked)});"
        )

    def _ends(self) -> str:
        batch, length = self.sizes.text(BATCH), self.sizes.text(LENGTH)
        return f"lengths_at, {length}, t0, t1, {batch}"

    def _at_end(self, s: Statement) -> Iterator[str]:
        yield from self._moved("at_end", s)
        rows, _ = shape(self.memory.program, s.target)
        width = self.memory.padded(s.target, self.sizes)
        self.first.append(
            f"clear({self.at(s.target)}, {self.step(s.target)}, {self.sizes.text(rows)}, {width});"
        )

    def _from_end(self, s: Statement) -> Iterator[str]:
        yield from self._moved("from_end", s)

    def _moved(self, name: str, s: Statement) -> Iterator[str]:
        source = str(s.operands[0])
        _, size = shape(self.memory.program, s.target)
        for to, start, some in self.pieces(s.target, S.Zero, source, S.Zero, size):
            yield (
                f"{name}({self.at(s.target, start=to)}, {self.step(s.target)}, "
                f"{self.at(source, start=start)}, {self.step(source)}, "
                f"{self.sizes.text(some)}, {self._ends()});"
            )

    def _cross_entropy(self, s: Statement) -> Iterator[str]:
        logits, targets, *masked = map(str, s.operands)
        _, columns = shape(self.memory.program, logits)
        scratch = f"{self.names[s.target]}_sums"
        self.arrays[scratch] = ("1", self.sizes.padded(columns))
        clear = f"*{self.pointer(s.target)} = R(0.0);"
        if self.where == CHUNK:
            self.first.append(clear)
        else:
            yield clear
        yield (
            f"cross_entropy({self.pointer(s.target)}, {self.at(logits)}, {self.step(logits)}, "
            f"{self._whole_numbers(targets)}, {self.rows(logits)}, {self.sizes.text(columns)}, "
            f"{scratch}_at, {self._alive(bool(masked))});"
        )

    def _cross_entropy_slope(self, s: Statement) -> Iterator[str]:
        logits, targets, *masked = map(str, s.operands)
        _, columns = shape(self.memory.program, logits)
        yield (
            f"cross_entropy_slope({self.at(s.target)}, {self.step(s.target)}, {self.at(logits)}, "
            f"{self.step(logits)}, {self._whole_numbers(targets)}, {self.rows(logits)}, "
            f"{self.sizes.text(columns)}, {self._alive(bool(masked))});"
        )
