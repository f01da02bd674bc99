"""Products with weights → lines of C: what is packed before a loop, and the calls within it.

In: an `apply` or `pull`. Out: calls of `product`; calls of `pack` are kept for the lines before.
"""

from __future__ import annotations

from collections.abc import Iterator

from sympy import Expr, S

from numeric.compiler.program import Statement
from numeric.compiler.to_c.names import sum_text
from numeric.compiler.to_c.places import Places
from numeric.compiler.to_c.schedule import shape


class Weights(Places):
    """The lines of products."""

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
        copied, before = self.gathered(s.target, a)
        yield from before
        for start, size, count in runs:
            depth = self.sizes.text(size)
            gap = self.sizes.padded(size) if kept else depth
            first = self.at(a, start=start, copied=copied)
            yield (
                f"product({self.at(s.target)}, {self.step(s.target)}, {width}, {grow}, "
                f"{first}, {self.step(a)}, {count}, {depth}, {gap}, "
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
