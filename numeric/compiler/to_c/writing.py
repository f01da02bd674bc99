"""Units of work → lines of C: loops over rows and units, and calls of the products.

In: a `Memory` and a unit, and where it is done: once, for a chunk's rows, or at a step. Out: lines.
What a unit needs besides (packed weights, sums over time) is noted in `Arrays`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sympy import Expr, S

from numeric.compiler.program import BATCH, LENGTH, Statement
from numeric.compiler.target import Style
from numeric.compiler.to_c.expressions import expression
from numeric.compiler.to_c.memory import CHUNK, ONCE, STEP, Memory
from numeric.compiler.to_c.names import Sizes, sum_text
from numeric.compiler.to_c.schedule import Group, Unit, shape


@dataclass
class Writer:
    """The lines of one pass.

    `arrays`: what the pass needs besides the arrays of the program: name → rows and row step.
    `first` and `last`: lines before the loop and after it that the loop's units ask for.
    """

    memory: Memory
    sizes: Sizes
    names: dict[str, str]
    style: Style
    phase: str
    arrays: dict[str, tuple[str, str]] = field(default_factory=dict)
    packed: dict[tuple[str, str, str, str], str] = field(default_factory=dict)
    first: list[str] = field(default_factory=list)
    last: list[str] = field(default_factory=list)
    where: str = ONCE

    # ---- places -----------------------------------------------------------------------------

    def pointer(self, name: str) -> str:
        """The C name of the array that a name lives in."""
        return f"{self.names[self._array(name)]}_at"

    def _array(self, name: str) -> str:
        home = self.memory.home(name)
        return self.memory.program.shifted.get(home, home)

    def step(self, name: str) -> str:
        """From one row of it to the next, as C text; 0 for a row that serves all."""
        home = self.memory.home(name)
        if self.memory.given.get(home) == "cotangents" or home in self.memory.kept:
            rows = self.memory.row(name, self.sizes)
            return "0" if rows == "0" else f"{self.names[home]}_row"
        return self.memory.row(name, self.sizes)

    def index(self, name: str, row: str) -> str:
        """The number of a row, at the place where the text stands."""
        memory, home = self.memory, self.memory.home(name)
        if not memory.is_lead(home):
            return row
        batch = self.sizes.text(BATCH)
        t = {STEP: "t", CHUNK: "t0", ONCE: "0"}[self.where]
        if memory.kept.get(home) == "chunk":
            first = f"({t} - t0) * {batch}" if self.where == STEP else ""
        elif home in memory.program.shifted.values():
            first = f"({t} + 1) * {batch}"
        else:
            first = f"{t} * {batch}"
        return " + ".join(part for part in (first, row) if part) or ""

    def at(self, name: str, row: str = "", column: str = "", start: Expr = S.Zero) -> str:
        """The address of an entry: of a row, and a column counted from the name's own first."""
        step = self.step(name)
        index = "" if step == "0" else self.index(name, row)
        rows = f"({index}) * {step}" if "+" in index else f"{index} * {step}" if index else ""
        offset = self.memory.offset(name, self.sizes, start)
        parts = [self.pointer(name), rows, offset, column]
        return " + ".join(part for part in parts if part)

    def rows(self, name: str) -> str:
        """How many rows the place where the text stands is about."""
        rows, _ = shape(self.memory.program, name)
        return "rows" if self.where == CHUNK and rows == BATCH else self.sizes.text(rows)

    def fixed(self, name: str) -> bool:
        """Whether an array has the same entries in each row."""
        return self.step(name) == "0"

    # ---- units ------------------------------------------------------------------------------

    def unit(self, unit: Unit) -> Iterator[str]:
        """The lines of a unit."""
        if isinstance(unit, Group):
            yield from self.group(unit)
            return
        if unit.comment:
            yield f"/* {unit.comment} */"
        yield from getattr(self, f"_{unit.op}")(unit)

    def group(self, group: Group) -> Iterator[str]:
        """One loop over rows and units; every value is read once and kept in a register."""
        local: dict[str, str] = {}
        body: list[str] = []
        size = self.sizes.text(group.size)
        for statement in group.statements:
            for name in statement.reads:
                if name not in local:
                    local[name] = self.names[name]
                    body.append(f"const vec {local[name]} = {self._read(name, group)};")
            if statement.comment:
                body.append(f"/* {statement.comment} */")
            value = expression(statement, self.style, local.__getitem__)
            target = self.names[statement.target]
            if statement.accumulate:
                before = local.get(statement.target) or self._read(statement.target, group)
                value = f"{before} + ({value})"
                while target in local.values():
                    target += "_"
            local[statement.target] = target
            body.append(f"const vec {target} = {value};")
            if self.memory.has_memory(statement.target):
                place = self.at(statement.target, "row", "unit")
                if self.memory.is_kept(statement.target):
                    body.append(f"store({place}, {target});")
                else:
                    body.append(f"store_some({place}, {target}, {size} - unit);")
        many = group.size != 1
        rows = "rows" if self.where == CHUNK and group.rows == BATCH else (
            self.sizes.text(group.rows))  # fmt: skip
        yield f"for (ptrdiff_t row = 0; row < {rows}; row++) {{"
        if many:
            yield f"    for (ptrdiff_t unit = 0; unit < {size}; unit += LANES) {{"
            yield from (f"        {line}" for line in body)
            yield "    }"
        else:
            yield "    const ptrdiff_t unit = 0;"
            yield from (f"    {line}" for line in body)
        yield "}"

    def _read(self, name: str, group: Group) -> str:
        _, columns = shape(self.memory.program, name)
        if columns != group.size:
            return f"splat(*({self.at(name, 'row')}))"
        if self.memory.is_kept(name):
            return f"load({self.at(name, 'row', 'unit')})"
        return f"load_some({self.at(name, 'row', 'unit')}, {self.sizes.text(group.size)} - unit)"

    # ---- products ---------------------------------------------------------------------------

    def _apply(self, s: Statement) -> Iterator[str]:
        a, weights = map(str, s.operands)
        yield from self.product(s, a, self.pack(s, a, weights))

    _pull = _apply

    def product(self, s: Statement, a: str, packed: str) -> Iterator[str]:
        """Calls that multiply rows by packed weights; parts of one width go together."""
        runs: list[tuple[Expr, Expr, int]] = []
        for start, size in self.memory.within(a):
            if runs and runs[-1][1] == size:
                runs[-1] = (runs[-1][0], size, runs[-1][2] + 1)
            else:
                runs.append((start, size, 1))
        width = self.memory.padded(s.target, self.sizes)
        kept = self.memory.is_kept(a)
        total = self.sizes.text(shape(self.memory.program, a)[1])
        grow = "1" if s.accumulate else "0"
        for start, size, count in runs:
            depth = self.sizes.text(size)
            gap = self.sizes.padded(size) if kept else depth
            yield (
                f"product({self.at(s.target)}, {self.step(s.target)}, {width}, {grow}, "
                f"{self.at(a, start=start)}, {self.step(a)}, {count}, {depth}, {gap}, "
                f"{packed}_at, {total}, {self.sizes.text(start)}, {self.rows(s.target)});"
            )
            grow = "1"

    def pack(self, s: Statement, a: str, weights: str) -> str:
        """The name of the packed weights; the calls that pack them stand before the loop."""
        memory, sizes = self.memory, self.sizes
        key = (s.op, weights, str(memory.within(a)), str(memory.within(s.target)))
        if key in self.packed:
            return self.packed[key]
        name = self.packed[key] = f"packed_{len(self.packed) + 1}"
        total = sizes.text(shape(memory.program, a)[1])
        outputs = [sizes.padded(size) for _, size in memory.within(s.target)]
        self.arrays[name] = (total, sum_text(outputs))
        vectors = f"({sum_text(outputs)}) / LANES"
        for place, (first_out, out) in enumerate(memory.within(s.target)):
            at = f"({sum_text(outputs[:place])}) / LANES" if place else "0"
            for first_in, depth in memory.within(a):
                rows, columns = (first_out, out), (first_in, depth)
                if s.op == "pull":
                    rows, columns = columns, rows
                for source, step, count, done in self.rows_of(weights, *rows, columns[0]):
                    k = sizes.text(first_in + done if s.op == "pull" else first_in)
                    depth_text = sizes.text(count if s.op == "pull" else depth)
                    width = sizes.text(out if s.op == "pull" else count)
                    steps = (step, "1") if s.op == "pull" else ("1", step)
                    self.first.append(
                        f"pack({name}_at, {total}, {vectors}, {k}, {at}, {source}, {depth_text}, "
                        f"{steps[0]}, {width}, {steps[1]});"
                    )
        return name

    def rows_of(
        self, weights: str, start: Expr, size: Expr, column: Expr
    ) -> Iterator[tuple[str, str, Expr, Expr]]:
        """The pieces of the matrices stacked in `weights` that make up rows from start on.

        For each: its address at a column, its row step, its rows, and how many came before it.
        """
        begin: Expr = S.Zero
        for part in self.memory.stacks.get(weights, (weights,)):
            rows, _ = shape(self.memory.program, part)
            low = begin if (begin - start).is_positive else start
            end, stop = begin + rows, start + size
            high = stop if (end - stop).is_positive else end
            if (high - low).is_positive:
                address = self.at(part, self.sizes.factor(low - begin), start=column)
                if low == begin:
                    address = self.at(part, start=column)
                yield address, self.step(part), high - low, low - start
            begin = end

    def _outer(self, s: Statement) -> Iterator[str]:
        u, v = map(str, s.operands)
        memory, sizes = self.memory, self.sizes
        sums = f"{self.names[s.target]}_sums"
        _, columns = shape(memory.program, v)
        if not memory.is_kept(u):
            copied = f"{self.names[s.target]}_copy"
            _, width = shape(memory.program, u)
            self.arrays[copied] = (self._many(u), sizes.padded(width))
            yield (
                f"copy({copied}_at, {copied}_row, {self.at(u)}, {self.step(u)}, {self.rows(u)}, "
                f"{sizes.text(width)}, 0);"
            )
            address, step, padded = f"{copied}_at", f"{copied}_row", sizes.padded(width)
        else:
            address, step = self.at(u), self.step(u)
            padded = memory.padded(u, sizes)
        self.arrays[sums] = (sizes.text(columns), padded)
        clear = f"clear({sums}_at, {sums}_row, {sizes.text(columns)}, {sums}_row);"
        if self.where == CHUNK:
            self.first.append(clear)
        else:
            yield clear
        for start, size in memory.within(v):
            place = f"{sums}_at" + (f" + {sizes.factor(start)} * {sums}_row" if start != 0 else "")
            yield (
                f"outer({place}, {sums}_row, {address}, {step}, {padded}, "
                f"{self.at(v, start=start)}, {self.step(v)}, {sizes.text(size)}, {self.rows(u)});"
            )
        if s.target in memory.lazy:
            return
        where, self.where = self.where, ONCE if self.where == CHUNK else self.where
        finish = [
            line
            for start, size in memory.within(u)
            for line in self._from_sums(
                s.target, sums, start, size, self._before(u, start), s.accumulate
            )
        ]
        self.where = where
        if where == CHUNK:
            self.last += finish
        else:
            yield from finish

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

    def _many(self, name: str) -> str:
        """The largest number of rows at the place where the text stands."""
        rows, _ = shape(self.memory.program, name)
        if self.where == CHUNK and rows == BATCH:
            return f"{self.phase}_steps * {self.sizes.text(BATCH)}"
        return self.sizes.text(rows)

    # ---- other operations -------------------------------------------------------------------

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
        (source,) = map(str, s.operands)
        memory, sizes = self.memory, self.sizes
        width = memory.padded(source, sizes)
        kept = memory.is_kept(s.target) and s.settings and not s.accumulate
        sums = f"{self.names[s.target]}_sums"
        place = self.at(s.target) if kept else f"{sums}_at"
        if not kept:
            while sums in self.arrays:
                sums += "_"
            place = f"{sums}_at"
            self.arrays[sums] = ("1", width if s.settings else "LANES")
        clear = f"clear({place}, 0, 1, {width if s.settings else '1'});"
        if self.where == CHUNK:
            self.first.append(clear)
        else:
            yield clear
        if s.settings:
            yield f"sum_rows({place}, {self.at(source)}, {self.step(source)}, {self.rows(source)}, {width});"
        else:
            yield (
                f"sum_all({place}, {self.at(source)}, {self.step(source)}, {self.rows(source)}, "
                f"{sizes.text(shape(memory.program, source)[1])});"
            )
        if kept:
            return
        where, self.where = self.where, ONCE if self.where == CHUNK else self.where
        grow = int(s.accumulate)
        finish = []
        offset: list[str] = []
        for start, size in memory.within(source) if s.settings else ((S.Zero, S.One),):
            from_ = " + ".join([place, *offset])
            to = self.at(s.target, start=start)
            finish.append(f"copy({to}, 0, {from_}, 0, 1, {sizes.text(size)}, {grow});")
            offset.append(sizes.padded(size))
        self.where = where
        if where == CHUNK:
            self.last += finish
        else:
            yield from finish

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

    def _softmax(self, s: Statement) -> Iterator[str]:
        (source,) = map(str, s.operands)
        _, columns = shape(self.memory.program, source)
        yield (
            f"softmax({self.at(s.target)}, {self.step(s.target)}, {self.at(source)}, "
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

    def _copied(
        self, target: str, to: Expr, source: str, start: Expr, size: Expr
    ) -> Iterator[str]:
        """Columns of one array into columns of another, piece by piece of both layouts."""
        whole, first, _ = self.memory.program.extent(self.memory.aliases.get(source, source))
        for low, width in self.memory.parts.within(whole, first + start, size):
            begin = low - first
            yield (
                f"copy({self.at(target, start=to + begin - start)}, {self.step(target)}, "
                f"{self.at(source, start=begin)}, {self.step(source)}, {self.rows(target)}, "
                f"{self.sizes.text(width)}, 0);"
            )

    def _transpose(self, s: Statement) -> Iterator[str]:
        (source,) = map(str, s.operands)
        rows, columns = shape(self.memory.program, s.target)
        yield (
            f"transposed({self.at(s.target)}, {self.step(s.target)}, {self.at(source)}, "
            f"{self.step(source)}, {self.sizes.text(rows)}, {self.sizes.text(columns)}, 0);"
        )

    def _product(self, s: Statement) -> Iterator[str]:
        a, b = map(str, s.operands)
        rows, columns = shape(self.memory.program, s.target)
        _, depth = shape(self.memory.program, a)
        yield (
            f"multiply({self.at(s.target)}, {self.step(s.target)}, {self.at(a)}, {self.step(a)}, "
            f"{self.at(b)}, {self.step(b)}, {self.sizes.text(rows)}, {self.sizes.text(depth)}, "
            f"{self.sizes.text(columns)});"
        )

    def _stack(self, s: Statement) -> Iterator[str]:
        """Nothing: whoever reads the stack reads its parts."""
        return iter(())


__all__ = ["LENGTH", "Writer"]
