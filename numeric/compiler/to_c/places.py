"""Where the entries of an array are, as C text at the place where the text stands.

In: a `Memory`, and whether the text is about all of time, a chunk's rows, a span of it or a step.
Out: addresses, row steps and row counts. A caller's arrays may hold more samples than the pass is
about; then a span is one step, else the chunk.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sympy import Expr, S

from numeric.compiler.program import BATCH
from numeric.compiler.target import Style
from numeric.compiler.to_c.memory import CHUNK, ONCE, SPAN, STEP, Memory
from numeric.compiler.to_c.names import Sizes
from numeric.compiler.to_c.schedule import lines, shape

GATHERED: Final = {"apply": 0, "pull": 0, "outer": 1}  # the operand that is, by operation


@dataclass
class Places:
    """One pass being written.

    `arrays`: what the pass needs besides the arrays of the program: name → rows and row step.
    `first` and `last`: lines before the loop and after it that the loop's units ask for.
    `across`: how many samples a step has in the caller's arrays, if not B.
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
    across: str = ""

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
        inner = lines(memory.program, home)
        batch = (memory.is_callers(home) and self.across) or self.sizes.text(BATCH)
        batch += f" * {self.sizes.factor(inner)}" if inner else ""
        t = {STEP: "t", SPAN: "t", CHUNK: "t0", ONCE: "0"}[self.where]
        if memory.kept.get(home) == "chunk":
            first = f"({t} - t0) * {batch}" if t == "t" else ""
        elif self._is_late_row(home):
            first = f"({t} + 1) * {batch}"
        else:
            first = f"{t} * {batch}"
        return " + ".join(part for part in (first, row) if part) or ""

    def _is_late_row(self, home: str) -> bool:
        """Whether a step's value stands one row further: of T + 1 rows one is the initial state."""
        program = self.memory.program
        if home in program.shifted:
            return program.shifted[home] in program.backwards
        return home in program.shifted.values() and home not in program.backwards

    def at(
        self, name: str, row: str = "", column: str = "", start: Expr = S.Zero, copied: str = ""
    ) -> str:
        """The address of an entry: of a row, and a column counted from the name's own first.

        `copied`: where the rows that the place is about stand, if not where they stood.
        """
        step = self.step(name)
        index = "" if step == "0" else self.index(name, row)
        rows = f"({index}) * {step}" if "+" in index else f"{index} * {step}" if index else ""
        offset = self.memory.offset(name, self.sizes, start)
        parts = [copied, offset] if copied else [self.pointer(name), rows, offset, column]
        return " + ".join(part for part in parts if part)

    def rows(self, name: str) -> str:
        """How many rows the place where the text stands is about."""
        rows, _ = shape(self.memory.program, name)
        if self.in_chunk and rows.has(BATCH):
            inner = rows / BATCH
            return self.several if inner == 1 else f"{self.several} * {self.sizes.factor(inner)}"
        return self.sizes.text(rows)

    @property
    def in_chunk(self) -> bool:
        """Whether the text is about several steps of a chunk."""
        return self.where in {CHUNK, SPAN}

    @property
    def several(self) -> str:
        """The samples' rows of several steps."""
        return f"span * {self.sizes.text(BATCH)}" if self.where == SPAN else "rows"

    def samples(self, rows: Expr) -> str:
        """The rows of a loop at the place where the text stands: of a chunk all its steps'."""
        return self.several if self.in_chunk and rows == BATCH else self.sizes.text(rows)

    def many(self, name: str) -> str:
        """The largest number of rows at the place where the text stands."""
        rows, _ = shape(self.memory.program, name)
        if self.in_chunk and rows.has(BATCH):
            return f"{self.phase}_steps * {self.sizes.count(rows)}"
        return self.sizes.count(rows)

    def fixed(self, name: str) -> bool:
        """Whether an array has the same entries in each row."""
        return self.step(name) == "0"

    def gathered(self, target: str, name: str) -> tuple[str, list[str]]:
        """Rows of a chunk without those of other parts between: their name, and how it is made."""
        if self.where != CHUNK or not self.across or not self.memory.is_callers(name):
            return "", []
        copied, batch, row = self.own_array(target, "rows"), self.sizes.text(BATCH), self.step(name)
        width = self.memory.row(name, self.sizes)
        self.arrays[copied] = (self.many(name), f"({self.across} == {batch} ? 0 : {width})")
        each, first = self.each(name), self.at(self.memory.home(name))
        return copied, [
            f"const real *const {copied} = together({copied}_at, {first}, t1 - t0, "
            f"{batch}{each} * {row}, {self.across}{each} * {row});"
        ]

    def own_array(self, target: str, what: str) -> str:
        """A name that nothing else made for the same target has."""
        name = f"{self.names[target]}_{what}"
        while name in self.arrays:
            name += "_"
        return name

    def each(self, name: str) -> str:
        """How many rows each sample has, as a factor."""
        inner = lines(self.memory.program, name)
        return f" * {self.sizes.factor(inner)}" if inner is not None else ""
