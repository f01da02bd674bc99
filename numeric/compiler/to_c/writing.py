"""Units of work → lines of C: loops over rows and units, and calls of the rest.

In: a `Memory` and a unit, and where it is done: once, for a chunk's rows, or at a step. Out: lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sympy import Expr, S

from derive.language.expr import VECTOR_FUNCTIONS
from numeric.compiler.operations import OPERATIONS
from numeric.compiler.padding import OUTSIDE
from numeric.compiler.program import BATCH, Statement
from numeric.compiler.to_c.expressions import expression
from numeric.compiler.to_c.matrices import GONE, SUMMING, WIDENING
from numeric.compiler.to_c.memory import CHUNK, SPAN
from numeric.compiler.to_c.per_sample import PerSample
from numeric.compiler.to_c.places import GATHERED
from numeric.compiler.to_c.runtime import ALL_HELPERS
from numeric.compiler.to_c.schedule import Group, Unit, shape
from numeric.compiler.to_c.sums import Sums
from numeric.compiler.to_c.unstack import ENTRYWISE
from numeric.compiler.to_c.weights import Weights


class Writer(Weights, Sums, PerSample):
    """The lines of one pass."""

    def unit(self, unit: Unit) -> Iterator[str]:
        """The lines of a unit, span by span where it meets more samples than its own."""
        if not self._is_apart(unit):
            yield from self._lines(unit)
            return
        self.where = SPAN
        lines = list(self._lines(unit))
        self.where = CHUNK
        yield "for (ptrdiff_t t = t0; t < t1; t += span) {"
        yield from (f"    {line}" for line in lines)
        yield "}"

    def _is_apart(self, unit: Unit) -> bool:
        """Whether the rows that a unit of a chunk is about may have others between them."""
        if self.where != CHUNK or not self.across:
            return False
        statements = unit.statements if isinstance(unit, Group) else (unit,)
        names = {
            str(name)
            for s in statements
            for place, name in enumerate((*s.operands, s.target))
            if isinstance(name, str) and place != GATHERED.get(s.op)
        }
        return any(self.memory.has_memory(n) and self.memory.is_callers(n) for n in names)

    def _lines(self, unit: Unit) -> Iterator[str]:
        if isinstance(unit, Group):
            yield from self.group(unit)
            return
        if unit.comment:
            yield f"/* {unit.comment} */"
        yield from getattr(self, f"_{unit.op}", self._of_rows)(unit)

    def group(self, group: Group) -> Iterator[str]:
        """One loop over rows and units; every value is read once and kept in a register."""
        if group.lines is not None:
            yield from self.matrices(group, group.lines)
            return
        local: dict[str, str] = {}
        used: set[str] = set()
        body: list[str] = []
        size = self.sizes.text(group.size)
        for statement in group.statements:
            for name in statement.reads:
                if name not in local:
                    local[name] = self.names[name]
                    used.add(local[name])
                    body.append(f"const vec {local[name]} = {self._read(name, group)};")
            if statement.comment:
                body.append(f"/* {statement.comment} */")
            value = expression(statement, self.style, local.__getitem__)
            target = self.names[statement.target]
            if statement.accumulate:
                before = local.get(statement.target) or self._read(statement.target, group)
                value = f"{before} + ({value})"
                while target in used:
                    target += "_"
            local[statement.target] = target
            used.add(target)
            body.append(f"const vec {target} = {value};")
            if self.memory.has_memory(statement.target):
                place = self.at(statement.target, "row", "unit")
                if self.memory.is_kept(statement.target):
                    body.append(f"store({place}, {target});")
                else:
                    body.append(f"store_some({place}, {target}, {size} - unit);")
        many = group.size != 1
        yield f"for (ptrdiff_t row = 0; row < {self.samples(group.rows)}; row++) {{"
        if many:
            yield f"    for (ptrdiff_t unit = 0; unit < {size}; unit += LANES) {{"
            yield from (f"        {line}" for line in body)
            yield "    }"
        else:
            yield "    const ptrdiff_t unit = 0;"
            yield from (f"    {line}" for line in body)
        yield "}"

    def _read(self, name: str, group: Group) -> str:
        if name == OUTSIDE:
            return f"splat(ended(lengths_at, {self._time()}, row, {self.sizes.text(BATCH)}))"
        _, columns = shape(self.memory.program, name)
        if columns != group.size:
            return f"splat(*({self.at(name, 'row')}))"
        if self.memory.is_kept(name):
            return f"load({self.at(name, 'row', 'unit')})"
        return f"load_some({self.at(name, 'row', 'unit')}, {self.sizes.text(group.size)} - unit)"

    # ---- other operations -------------------------------------------------------------------

    def _zeros(self, s: Statement) -> Iterator[str]:
        rows, _ = shape(self.memory.program, s.target)
        yield (
            f"clear({self.at(s.target)}, {self.step(s.target)}, {self.sizes.text(rows)}, "
            f"{self.memory.padded(s.target, self.sizes)});"
        )

    def _total(self, s: Statement) -> Iterator[str]:
        (source,) = map(str, s.operands)
        _, columns = shape(self.memory.program, source)
        yield (
            f"sum_columns({self.at(s.target)}, {self.step(s.target)}, {self.at(source)}, "
            f"{self.step(source)}, {self.rows(source)}, {self.sizes.text(columns)}, 0);"
        )

    def _of_rows(self, s: Statement) -> Iterator[str]:
        """A function of whole vectors: a call of the helper that has its name.

        Raises:
            ValueError: if there is none.
        """
        if s.op not in ALL_HELPERS:
            raise ValueError(f"target c: no code for {s.op!r}; target numpy writes this cell")
        (source,) = map(str, s.operands)
        _, columns = shape(self.memory.program, source)
        yield (
            f"{s.op}({self.at(s.target)}, {self.step(s.target)}, {self.at(source)}, "
            f"{self.step(source)}, {self.rows(source)}, {self.sizes.text(columns)});"
        )

    def _concat(self, s: Statement) -> Iterator[str]:
        start: Expr = S.Zero
        for part in map(str, s.operands):
            _, size = shape(self.memory.program, part)
            yield from self._copied(s.target, start, part, S.Zero, size)
            start += size

    def _columns(self, s: Statement) -> Iterator[str]:
        start, size = s.settings
        yield from self._copied(s.target, S.Zero, str(s.operands[0]), start, size)

    def _copied(self, target: str, to: Expr, source: str, start: Expr, size: Expr) -> Iterator[str]:
        """Columns of one array into columns of another, piece by piece of both layouts."""
        for there, here, width in self.pieces(target, to, source, start, size):
            yield (
                f"copy({self.at(target, start=there)}, {self.step(target)}, "
                f"{self.at(source, start=here)}, {self.step(source)}, {self.rows(target)}, "
                f"{self.sizes.text(width)}, 0);"
            )

    def _transpose(self, s: Statement) -> Iterator[str]:
        (source,) = map(str, s.operands)
        rows, columns = shape(self.memory.program, s.target)
        yield (
            f"transposed({self.at(s.target)}, {self.step(s.target)}, {self.at(source)}, "
            f"{self.step(source)}, {self.sizes.text(rows)}, {self.sizes.text(columns)}, 0);"
        )

    def _stack(self, s: Statement) -> Iterator[str]:
        """Nothing: whoever reads the stack reads its parts."""
        return iter(())


_IN_LOOPS: Final = ENTRYWISE | WIDENING | SUMMING | GONE
_OF_ROWS: Final = VECTOR_FUNCTIONS.keys() & ALL_HELPERS.keys()
SPELLED: Final = frozenset(
    op for op in OPERATIONS if op in _IN_LOOPS | _OF_ROWS or hasattr(Writer, f"_{op}")
)
