"""Matrices of each sample → lines of C: one loop over samples, lines and units for all it can do.

In: a `Group` with lines, or a product or transpose of matrices. Out: lines. A matrix is read once
and written once in a loop, whatever is made of it; sums over a line stay in a register.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from sympy import Expr

from numeric.compiler.padding import OUTSIDE
from numeric.compiler.program import BATCH, Operand, Statement
from numeric.compiler.to_c.expressions import expression
from numeric.compiler.to_c.matrices import (
    ACROSS,
    AXES,
    BOTH,
    IN_ALL,
    LINE,
    SUMMING,
    UNIT,
    WIDENING,
)
from numeric.compiler.to_c.networks import Networks
from numeric.compiler.to_c.schedule import Group, lines, shape

_Key = tuple[str, str]  # an array, and the axis along which it lies


@dataclass
class _Loop:
    """The lines of a loop: before a sample's lines, at a line, in it, after it, after all."""

    samples: list[str] = field(default_factory=list)
    line: list[str] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    end: list[str] = field(default_factory=list)
    held: dict[_Key, str] = field(default_factory=dict)


class PerSample(Networks):
    """The lines of what is done with a matrix of each sample."""

    def matrices(self, group: Group, inner: Expr) -> Iterator[str]:
        """One loop over samples, lines and units; every entry is read once."""
        loop = _Loop()
        for statement in group.statements:
            if statement.comment:
                loop.body.append(f"/* {statement.comment} */")
            axes = AXES.get(statement.op, (BOTH,) * len(statement.operands))
            texts = {
                f"{place}": self._held(loop, name, axis, group)
                for place, (name, axis) in enumerate(zip(statement.operands, axes, strict=True))
                if isinstance(name, str)
            }
            operands: tuple[Operand, ...] = tuple(
                f"{place}" if isinstance(o, str) else o
                for place, o in enumerate(statement.operands)
            )
            if statement.op in SUMMING:
                self._summed(loop, statement, texts, group)
            else:
                op = "multiply" if statement.op in WIDENING else statement.op
                value = expression(
                    replace(statement, op=op, operands=operands), self.style, texts.__getitem__
                )
                self._made(loop, statement.target, value, group)
        units, size = self.sizes.text(inner), self.sizes.text(group.size)
        yield f"for (ptrdiff_t row = 0; row < {self.samples(group.rows)}; row++) {{"
        yield from (f"    {line}" for line in loop.samples)
        yield f"    for (ptrdiff_t line = 0; line < {units}; line++) {{"
        yield from (f"        {line}" for line in loop.line)
        yield f"        for (ptrdiff_t unit = 0; unit < {size}; unit += LANES) {{"
        yield from (f"            {line}" for line in loop.body)
        yield "        }"
        yield from (f"        {line}" for line in loop.after)
        yield "    }"
        yield from (f"    {line}" for line in loop.end)
        yield "}"

    def _held(self, loop: _Loop, name: str, axis: str, group: Group) -> str:
        """The C name of an operand; where it is new, read where it changes last."""
        matrix, own = lines(self.memory.program, name), self.names[name]
        _, columns = shape(self.memory.program, name)
        if axis == BOTH and matrix is None and columns == 1:
            axis = ""  # a number of each sample, or one for all
        key = (name, axis)
        if key in loop.held:
            return loop.held[key]
        loop.held[key] = own = f"{own}_line" if axis == LINE else own
        if name == OUTSIDE:
            value = f"splat(ended(lengths_at, {self._time()}, row, {self.sizes.text(BATCH)}))"
        elif axis == "":
            value = f"splat(*({self.at(name, 'row')}))"
        elif axis == LINE:
            value = f"splat(*({self.at(name, 'row', self._in_one_part(name))}))"
        else:
            place = self._place(name, axis)
            value = f"load({place})"
            if not self.memory.is_kept(name):
                value = f"load_some({place}, {self.sizes.text(group.size)} - unit)"
        where = {"": loop.samples, LINE: loop.line}.get(axis, loop.body)
        where.append(f"const vec {own} = {value};")
        return own

    def _in_one_part(self, name: str) -> str:
        """The index of an entry that a line is about.

        Raises:
            ValueError: if the entries do not stand one after another.
        """
        if len(self.memory.within(name)) > 1:
            raise ValueError(f"{name!r}: entries with gaps between them are read one by one")
        return "line"

    def _place(self, name: str, axis: str = BOTH) -> str:
        inner = lines(self.memory.program, name)
        if axis == UNIT:
            return self.at(name, "row", "unit")
        if inner is None:
            return self.at(name, "line", "unit")  # a matrix that all samples share
        return self.at(name, f"row * {self.sizes.factor(inner)} + line", "unit")

    def _made(self, loop: _Loop, target: str, value: str, group: Group) -> None:
        own = loop.held[target, BOTH] = self.names[target]
        loop.body.append(f"const vec {own} = {value};")
        if self.memory.has_memory(target):
            place = self._place(target)
            if self.memory.is_kept(target):
                loop.body.append(f"store({place}, {own});")
            else:
                size = self.sizes.text(group.size)
                loop.body.append(f"store_some({place}, {own}, {size} - unit);")

    def _summed(
        self, loop: _Loop, statement: Statement, texts: dict[str, str], group: Group
    ) -> None:
        target, value = statement.target, " * ".join(texts.values())
        size = self.sizes.text(group.size)
        total = f"{self.names[target]}_total"
        if statement.op in IN_ALL:
            loop.samples.append(f"vec {total} = splat(R(0.0));")
            loop.body.append(f"{total} += within({value}, {size} - unit);")
            loop.end.append(f"*({self.at(target, 'row')}) = sum_of({total});")
            return
        if statement.op in ACROSS:
            loop.line.append(f"vec {total} = splat(R(0.0));")
            loop.body.append(f"{total} += within({value}, {size} - unit);")
            place = self.at(target, "row", self._in_one_part(target))
            loop.after.append(f"*({place}) = sum_of({total});")
            return
        row, place = self.at(target, "row"), self.at(target, "row", "unit")
        width = self.memory.padded(target, self.sizes)
        loop.samples.append(f"clear({row}, 0, 1, {width});")
        if self.memory.is_kept(target):
            loop.body.append(f"store({place}, load({place}) + {value});")
        else:
            loop.body.append(
                f"store_some({place}, load_some({place}, {size} - unit) + {value}, {size} - unit);"
            )

    # ---- matrix after matrix ----------------------------------------------------------------

    def _one_by_one(self, s: Statement, call: str) -> Iterator[str]:
        yield f"for (ptrdiff_t row = 0; row < {self.samples(BATCH)}; row++)"
        yield f"    {call}"

    def _matrix(self, name: str) -> str:
        """The address of a sample's matrix, or of the one for all."""
        inner = lines(self.memory.program, name)
        return self.at(name, f"row * {self.sizes.factor(inner)}" if inner is not None else "")

    def _inner_rows(self, name: str) -> Expr:
        inner = lines(self.memory.program, name)
        return shape(self.memory.program, name)[0] if inner is None else inner

    def _each_transpose(self, s: Statement) -> Iterator[str]:
        (source,) = map(str, s.operands)
        _, columns = shape(self.memory.program, s.target)
        yield from self._one_by_one(s, (
            f"transposed({self._matrix(s.target)}, {self.step(s.target)}, "
            f"{self._matrix(source)}, {self.step(source)}, "
            f"{self.sizes.text(self._inner_rows(s.target))}, {self.sizes.text(columns)}, 0);"
        ))  # fmt: skip

    def _product(self, s: Statement) -> Iterator[str]:
        a, b = map(str, s.operands)
        _, columns = shape(self.memory.program, s.target)
        _, depth = shape(self.memory.program, a)
        call = (
            f"multiply({self._matrix(s.target)}, {self.step(s.target)}, "
            f"{self._matrix(a)}, {self.step(a)}, {self._matrix(b)}, {self.step(b)}, "
            f"{self.sizes.text(self._inner_rows(s.target))}, {self.sizes.text(depth)}, "
            f"{self.sizes.text(columns)});"
        )
        if lines(self.memory.program, s.target) is None:
            yield call
        else:
            yield from self._one_by_one(s, call)
