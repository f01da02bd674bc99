"""The loop program: what the emitted code does, before it is spelled in NumPy.

In: statements made by `lower`. Out: `Program`, checked when made, and a small interpreter that
gives it its meaning. Every name is assigned once, except accumulators, which only ever grow.
Inside a loop an array whose first dimension is T is read and written at the loop's t; a carry
holds the value handed from one turn of the loop to the next. Rows are samples: (B, n).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import numpy as np
from sympy import Expr, MatrixSymbol, Number, S, Symbol

from derive.language.syntax import BAR, CARRY, LOSS, PREVIOUS
from numeric.compiler.operations import OPERATIONS

LENGTH: Final = Symbol("T", integer=True)
BATCH: Final = Symbol("B", integer=True)
TEMPORARY: Final = "tmp_"  # how a name begins that no equation has
WHOLE: Final = "_all"  # how the name of an array ends that others are parts of
INITIAL: Final = "_initial"
FINAL: Final = "final"  # the group of results that are the last row of a state
_ENDINGS: Final = {LOSS: "_bars", CARRY: "_bar_carry", BAR: "_bar"}
AS_THEY_ARE: Final[Mapping[str, str]] = MappingProxyType({})

Operand: TypeAlias = str | Number
Dims: TypeAlias = tuple[Expr, ...]
Array: TypeAlias = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Statement:
    """`target = op(operands)`, or `target += …` where it accumulates.

    `settings`: signs of an "add"; function name and numbers of a "function" or its slopes;
    start and size of "columns" and "rows"; dimensions of "zeros" and "spread".
    """

    target: str
    op: str
    operands: tuple[Operand, ...]
    settings: tuple[Any, ...] = ()
    accumulate: bool = False
    comment: str = ""

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """The names it needs."""
        return tuple(operand for operand in self.operands if isinstance(operand, str))


@dataclass(frozen=True)
class Carry:
    """A loop's `name` takes the value of `update` after each turn.

    Before the first it is `start`, an argument that may be missing, or zero where there is none.
    """

    name: str
    update: str
    start: str = ""


@dataclass(frozen=True)
class Block:
    """Statements done once, or at each t where `loop` is "forward" or "reverse"."""

    phase: str
    statements: tuple[Statement, ...]
    loop: str = ""
    carries: tuple[Carry, ...] = ()


@dataclass(frozen=True)
class Argument:
    """An array the caller gives, in the group of the interface it belongs to."""

    group: str
    key: str
    name: str


@dataclass(frozen=True)
class Program:
    """Forward and backward pass in one scope; what crosses from one to the other is the tape.

    `shifted` maps a state's previous value to the state: two views, one step apart, of one
    array of T+1 rows whose first row is the initial state. `views` maps a name to the array
    whose columns, from a start on and so many, it is another name for: either is assigned.
    `backwards` holds the states that run from T to 1: there "previous" is one step later.
    A result of the group FINAL is the state after the last step done: the other end of that array.
    `comments` holds the equation of each name that has one.
    """

    arguments: tuple[Argument, ...]
    blocks: tuple[Block, ...]
    results: tuple[Argument, ...]
    dims: Mapping[str, Dims]
    shifted: Mapping[str, str] = field(default_factory=dict)
    views: Mapping[str, tuple[str, Expr, Expr]] = field(default_factory=dict)
    backwards: frozenset[str] = frozenset()
    comments: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Hold the promises: single assignment, every read defined, every name has dimensions.

        Raises:
            ValueError: naming the statement that breaks one.
        """
        known = {argument.name for argument in self.arguments} | {*self.shifted}
        for block in self.blocks:
            if missing := {carry.start for carry in block.carries} - known - {""}:
                raise ValueError(f"a carry starts from {missing}, never given")
            known |= {carry.name for carry in block.carries}
            for statement in block.statements:
                if missing := {r for r in statement.reads if not self._is_known(r, known)}:
                    raise ValueError(f"{statement} reads {missing}, not defined before it")
                if statement.op not in OPERATIONS:
                    raise ValueError(f"{statement}: unknown operation {statement.op!r}")
                if (statement.target in known) != statement.accumulate:
                    raise ValueError(f"{statement} assigns a second time, or grows from nothing")
                known.add(statement.target)
            if missing := {carry.update for carry in block.carries} - known:
                raise ValueError(f"a carry is updated from {missing}, never assigned")
        if missing := {result.name for result in self.results} - known:
            raise ValueError(f"results {missing} are never assigned")
        if missing := known - set(self.dims):
            raise ValueError(f"no dimensions for {missing}")

    def _is_known(self, name: str, known: set[str]) -> bool:
        """Whether a name is assigned: itself, the whole it is of, or views that cover it."""
        if name in known:
            return True
        whole, start, size = self.extent(name)
        if whole in known:
            return True
        parts = [self.extent(view)[1:] for view in self.views if view in known
                 and self.views[view][0] == whole]  # fmt: skip
        reached = start
        while (start + size - reached).is_positive:
            ends = [s + e for s, e in parts if not (s - reached).is_positive]
            further = [end for end in ends if (end - reached).is_positive]
            if not further:
                return False
            reached = further[0]
        return True

    def extent(self, name: str) -> tuple[str, Expr, Expr]:
        """The array a name lives in, and the columns of it that it is."""
        dims = self.dims[name]
        return self.views.get(name) or (name, S.Zero, dims[-1] if dims else S.One)

    def overlap(self, left: str, right: str) -> bool:
        """Whether two names share an entry."""
        (a, start_a, size_a), (b, start_b, size_b) = self.extent(left), self.extent(right)
        return a == b and bool(
            left == right
            or (
                (start_a + size_a - start_b).is_positive
                and (start_b + size_b - start_a).is_positive
            )
        )

    def is_sequence(self, name: str) -> bool:
        """Whether the array has a row for each t."""
        return self.dims[name][:1] == (LENGTH,)

    def definitions(self) -> dict[str, tuple[int, Statement]]:
        """For each computed name: its block's number and its (first) statement."""
        found: dict[str, tuple[int, Statement]] = {}
        for number, block in enumerate(self.blocks):
            for statement in block.statements:
                found.setdefault(statement.target, (number, statement))
        return found

    def tape(self) -> tuple[str, ...]:
        """What the backward pass reads of what the forward pass made or was given."""
        known = {a.name for a in self.arguments if a.group in {"params", "cotangents"}}
        reads = []
        for block in self.blocks:
            if block.phase == "backward":
                known |= {self.extent(s.target)[0] for s in block.statements}
                known |= {carry.name for carry in block.carries}
                reads += [self.extent(name)[0] for s in block.statements for name in s.reads]
        return tuple(dict.fromkeys(name for name in reads if name not in known))


def name_of(symbol: MatrixSymbol, names: Mapping[str, str] = AS_THEY_ARE) -> str:
    """The array of a symbol: its own name, or the one of `names`, and what says what it is.

    ∂L_t/∂h_t is the row t of `h_bars`.
    """
    base, spelled = str(symbol.name), ""
    for ending, written in _ENDINGS.items():
        if base.endswith(ending):
            base, spelled = base.removesuffix(ending), written
            break
    if base.endswith(PREVIOUS):
        base, spelled = base.removesuffix(PREVIOUS), PREVIOUS + spelled
    return names.get(base, base) + spelled


def together(shapes: Iterable[Dims]) -> Dims:
    """The dimensions of arrays joined entry by entry: an axis of 1, or none, takes the other's."""
    found: Dims = ()
    for dims in shapes:
        long, short = (found, dims) if len(found) >= len(dims) else (dims, found)
        start = len(long) - len(short)
        found = long[:start] + tuple(
            two if one == 1 else one for one, two in zip(long[start:], short, strict=True)
        )
    return found


def initial_name(state: str) -> str:
    """The argument that holds a state before the first step, by the state's array."""
    return f"{state}{INITIAL}"


def promoted(program: Program) -> Program:
    """The same program, with a row for each t of every loop value that another block reads.

    An array has such rows if any part of it has, and every part if the array has.
    """
    home = {
        name: number
        for number, block in enumerate(program.blocks)
        if block.loop
        for statement in block.statements
        if not statement.accumulate
        for name in (statement.target, program.extent(statement.target)[0])
    }
    home |= {view: home[whole] for view, (whole, *_) in program.views.items() if whole in home}
    needed = {
        name
        for number, block in enumerate(program.blocks)
        for statement in block.statements
        for name in statement.reads
        if home.get(name, number) != number
    }
    needed |= {result.name for result in program.results if result.name in home}
    needed |= {name for name in program.dims if program.is_sequence(name)}
    wholes = {program.extent(name)[0] for name in needed}
    needed |= wholes | {view for view, (whole, *_) in program.views.items() if whole in wholes}
    dims = {
        name: (LENGTH, *d) if name in needed and d[:1] != (LENGTH,) else d
        for name, d in program.dims.items()
    }
    return replace(program, dims=dims)
