"""Where every array of a C file stands: given, on the tape, or in the workspace; and its layout.

In: a program of parts and its stages. Out: `Memory`. What the caller hands over is tight; what
the file keeps for itself has rows in which every part begins on a whole vector, so that whole
vectors may be read and written. A value that only its own loop reads has no memory at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from sympy import Expr, S

from numeric.compiler.program import LENGTH, Carry, Program, Statement
from numeric.compiler.to_c.matrices import SUMMING
from numeric.compiler.to_c.names import Sizes, sum_text
from numeric.compiler.to_c.schedule import Group, Stage, Unit, shape
from numeric.compiler.to_c.unstack import Parts

STEP, CHUNK, SPAN, ONCE = "step", "chunk", "span", "once"
FORWARD_ROWS: Final = 64  # of a chunk: its products stay in the first cache
BACKWARD_ROWS: Final = 256  # of a chunk: its cotangents stay in the second
OUTPUTS: Final = "outputs"  # the group of what a step returns that is no state
_VIRTUAL: Final = frozenset({"stack"})


def statements_of(units: Iterable[Unit]) -> Iterator[Statement]:
    """The statements of units, in order."""
    for unit in units:
        yield from unit.statements if isinstance(unit, Group) else (unit,)


def units_of(stage: Stage) -> tuple[Unit, ...]:
    """All units of a stage, in order."""
    return (*stage.before, *stage.early, *stage.steps, *stage.late)


def outputs_of(program: Program) -> dict[str, str]:
    """The outputs, name → key: what the forward pass returns that is no state."""
    states = {*program.shifted.values()}
    returned = {r.name: r.key for r in program.results if r.group == "states"}
    return {name: key for name, key in returned.items() if name not in states}


@dataclass
class Memory:
    """For every name its array, and for every array where it is.

    `kept`: whole → "tape", "long", "chunk" or "fixed", for arrays that the file keeps for itself;
    a long one has rows for all steps, but is no part of the tape. `copied`: carries whose update
    has another home.
    """

    program: Program
    parts: Parts
    phases: Mapping[str, tuple[Stage, ...]]
    early: frozenset[str]
    kept: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    copied: list[Carry] = field(default_factory=list)
    stacks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lazy: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Decide for every array."""
        program = self.program
        groups = {a.name: a.group for a in program.arguments}
        self.given = {n: g for n, g in groups.items() if g != "initial"}
        self.given |= {n: "states" for pair in program.shifted.items() for n in pair}
        self.results = {
            r.name: r.group for r in program.results if r.group in {"params", "inputs", "loss"}
        }
        self.results |= {name: OUTPUTS for name in outputs_of(program)}
        every = [s for stages in self.phases.values() for stage in stages
                 for s in statements_of(units_of(stage))]  # fmt: skip
        self.stacks = {s.target: tuple(map(str, s.operands)) for s in every if s.op == "stack"}
        self.readers: dict[str, list[Statement]] = {}
        for s in every:
            for name in s.reads:
                self.readers.setdefault(program.extent(name)[0], []).append(s)
        for s in every:
            if s.op == "outer" and s.target not in self.results:
                readers = self.readers.get(s.target, [])
                if readers and all(reader.op == "rows" for reader in readers) and not s.accumulate:
                    self.lazy.add(s.target)
        self._find_carries()
        self.stages_of = self._stages_of()
        tape = {*program.tape()}
        tape |= {program.extent(part)[0] for name in tape for part in self.stacks.get(name, ())}
        for stages in self.phases.values():
            for stage in stages:
                for unit in units_of(stage):
                    members = unit.statements if isinstance(unit, Group) else (unit,)
                    for s in members:
                        self._keep(s, unit, tape)
                for carry in stage.carries:
                    self.kept[carry.name] = "fixed"

    def _find_carries(self) -> None:
        """A carry and its update share one array, where nothing reads the old value later."""
        for stages in self.phases.values():
            for stage in stages:
                order = list(statements_of(stage.steps))
                updates = [carry.update for carry in stage.carries]
                for carry in stage.carries:
                    place = next((i for i, s in enumerate(order) if s.target == carry.update), -1)
                    late = any(carry.name in s.reads for s in order[place + 1 :])
                    own = place >= 0 and updates.count(carry.update) == 1
                    unseen = not self.program.is_sequence(carry.update)
                    held = carry.update in self.program.views or carry.update in self.given
                    if own and unseen and not late and not held:
                        self.aliases[carry.update] = carry.name
                    else:
                        self.copied.append(carry)

    def _keep(self, statement: Statement, unit: Unit, tape: set[str]) -> None:
        name, program = statement.target, self.program
        whole = program.extent(name)[0]
        if whole in self.given or whole in self.results or whole in self.lazy:
            return
        if statement.op in _VIRTUAL or name in self.aliases:
            return
        if isinstance(unit, Group) and not statement.accumulate and statement.op not in SUMMING:
            inside = {id(s) for s in unit.statements}
            outside = [s for s in self.readers.get(whole, []) if id(s) not in inside
                       and any(program.overlap(name, read) for read in s.reads)]  # fmt: skip
            updates = {carry.update for carry in self.copied}
            if not outside and name not in updates:
                return
        timed = program.is_sequence(whole) or whole in self.early
        kind = "long" if len(self.stages_of[whole]) > 1 else "chunk"
        self.kept[whole] = "tape" if whole in tape else kind if timed else "fixed"

    def _stages_of(self) -> dict[str, set[tuple[str, int]]]:
        """For each array the stages that write or read it."""
        found: dict[str, set[tuple[str, int]]] = {}
        for phase, several in self.phases.items():
            for number, stage in enumerate(several):
                for s in statements_of(units_of(stage)):
                    for name in (s.target, *s.reads):
                        found.setdefault(self.program.extent(name)[0], set()).add((phase, number))
        return found

    # ---- layout -----------------------------------------------------------------------------

    def home(self, name: str) -> str:
        """The array that a name lives in."""
        name = self.aliases.get(name, name)
        return self.program.extent(name)[0]

    def is_kept(self, name: str) -> bool:
        """Whether the file keeps the array for itself, in whole vectors."""
        return self.home(name) in self.kept

    def has_memory(self, name: str) -> bool:
        """Whether the value is more than a register."""
        whole = self.home(name)
        return whole in self.kept or whole in self.given or whole in self.results

    def is_callers(self, name: str) -> bool:
        """Whether the array has rows for each t in memory of the caller."""
        return self.is_lead(name) and self.home(name) not in self.kept

    def is_lead(self, name: str) -> bool:
        """Whether the array has rows for each t, of all time or of a chunk."""
        whole = self.home(name)
        return self.program.is_sequence(whole) or self.kept.get(whole) == "chunk"

    def within(self, name: str) -> tuple[tuple[Expr, Expr], ...]:
        """The parts of a name: where each begins within it, and its columns."""
        whole, start, size = self.program.extent(self.aliases.get(name, name))
        found = self.parts.within(whole, start, size)
        return tuple((low - start, width) for low, width in found)

    def offset(self, name: str, sizes: Sizes, start: Expr = S.Zero) -> str:
        """Where in a row of its array the columns of a name begin, from a start on."""
        whole, first, _ = self.program.extent(self.aliases.get(name, name))
        begin = first + start
        if whole not in self.kept:
            return sizes.text(begin) if begin != 0 else ""
        terms = []
        for low, width in self.parts.within(whole, S.Zero, begin) if begin != 0 else ():
            ends = (low, width) in self.parts.of[whole]
            terms.append(sizes.padded(width) if ends else sizes.text(width))
        return sum_text(terms) if terms else ""

    def row(self, name: str, sizes: Sizes) -> str:
        """From one row of an array to the next; 0 where one row serves all samples."""
        whole = self.home(name)
        rows, columns = shape(self.program, whole)
        if rows == 1:
            return "0"
        if whole in self.kept:
            return sum_text(sizes.padded(width) for _, width in self.parts.of[whole])
        return sizes.factor(columns)

    def padded(self, name: str, sizes: Sizes) -> str:
        """The columns of a name that may be written: whole vectors, where it is kept."""
        if not self.is_kept(name):
            return sizes.text(shape(self.program, name)[1])
        return sum_text(sizes.padded(width) for _, width in self.within(name))


__all__ = ["CHUNK", "LENGTH", "ONCE", "SPAN", "STEP", "Memory", "statements_of", "units_of"]
