"""Program → what one pass of the C file does: chunks of steps, and in each the units of work.

In: a program of parts and a phase. Out: `Stage`s. A loop through time runs in chunks: products
that need no state are done for a chunk's rows before its steps (`early`), sums over time after
them (`late`), so that what they share stays in the cache and needs no array of length T. Within a
step, entrywise statements of one shape are one loop (`Group`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TypeAlias

from sympy import Expr, S

from numeric.compiler.program import BATCH, LENGTH, Block, Carry, Dims, Program, Statement
from numeric.compiler.to_c.matrices import AXES, BOTH, SUMMING, WIDENING
from numeric.compiler.to_c.unstack import ENTRYWISE

Frame: TypeAlias = tuple[Expr, Expr | None, Expr]


@dataclass(frozen=True)
class Group:
    """Statements of one frame: one loop over rows and units; a matrix of each row has `lines`."""

    rows: Expr
    size: Expr
    statements: tuple[Statement, ...]
    lines: Expr | None = None


Unit = Group | Statement


@dataclass(frozen=True)
class Stage:
    """What is done once (`before`, `after`) around a loop in chunks; `loop` empty: no loop."""

    before: tuple[Unit, ...]
    loop: str = ""
    early: tuple[Unit, ...] = ()
    steps: tuple[Unit, ...] = ()
    late: tuple[Unit, ...] = ()
    carries: tuple[Carry, ...] = ()


def step_dims(program: Program, name: str) -> Dims:
    """The dimensions of an array at one step."""
    dims = program.dims[name]
    return dims[1:] if dims[:1] == (LENGTH,) else dims


def shape(program: Program, name: str) -> tuple[Expr, Expr]:
    """Rows and columns of an array at one step; the rows of all samples' matrices are counted."""
    *rows, columns = step_dims(program, name) or (S.One,)
    return prod(rows, start=S.One), columns


def lines(program: Program, name: str) -> Expr | None:
    """The rows of the matrix that each sample has; None for an array of another kind."""
    dims = step_dims(program, name)
    return dims[1] if len(dims) > 2 else None


def frame(program: Program, statement: Statement) -> Frame | None:
    """The loop that a statement stands in: its rows, a matrix's lines, its units; None: in none."""
    if statement.op in ENTRYWISE | WIDENING:
        name = statement.target
    elif statement.op in SUMMING:
        name = str(statement.operands[AXES[statement.op].index(BOTH)])
    else:
        return None
    dims = step_dims(program, name)
    if len(dims) == 2 and statement.op not in ENTRYWISE:  # of a matrix that all samples share
        dims = (S.One, *dims)
    if len(dims) > 2:
        return dims[0], dims[1], dims[2]
    rows, size = shape(program, name)
    return rows, None, size


def changes(program: Program, statement: Statement) -> bool:
    """Whether a statement outside the loops is about every step."""
    return any(program.is_sequence(name) for name in (statement.target, *statement.reads))


def stages(program: Program, phase: str) -> tuple[tuple[Stage, ...], frozenset[str]]:
    """The stages of a phase, and the names of what is made chunk by chunk before the steps."""
    blocks = [block for block in program.blocks if block.phase == phase]
    given = {a.name for a in program.arguments}
    known = set(given)
    for block in program.blocks:
        if not block.loop:
            known |= {s.target for s in block.statements if not changes(program, s)}
    found: list[Stage] = []
    once: list[Statement] = []
    waiting: list[Statement] = []
    made: set[str] = set()
    for block in blocks:
        if block.loop:
            early, steps = _early(program, block, known)
            made |= {s.target for s in early}
            found.append(
                Stage(
                    tuple(ordered(program, once)), block.loop,
                    tuple(ordered(program, [*waiting, *early])),
                    tuple(ordered(program, steps, block.carries)), (), block.carries,
                )
            )  # fmt: skip
            once, waiting = [], []
            known |= {s.target for s in block.statements if program.is_sequence(s.target)}
            continue
        every = [s for s in block.statements if changes(program, s)]
        once += [s for s in block.statements if not changes(program, s)]
        known |= {s.target for s in every if program.is_sequence(s.target)}
        if found:
            last = found[-1]
            found[-1] = replace(last, late=(*last.late, *ordered(program, every)))
        else:
            waiting += every
    found.append(Stage(tuple(ordered(program, once))))
    return tuple(found), frozenset(made)


def _early(
    program: Program, block: Block, known: set[str]
) -> tuple[list[Statement], list[Statement]]:
    """The products of a loop that need no state, and the rest."""
    pinned = {carry.update for carry in block.carries} | {*program.shifted.values()}
    early = [
        s
        for s in block.statements
        if s.op in {"apply", "pull"} and known.issuperset(s.reads) and not s.accumulate
        and s.target not in pinned and s.target not in program.views
        and program.dims[s.operands[0]][:1] == (LENGTH,)
    ]  # fmt: skip
    return early, [s for s in block.statements if s not in early]


def ordered(
    program: Program, statements: Iterable[Statement], carries: Sequence[Carry] = ()
) -> list[Unit]:
    """The statements, each after what it reads, those that can share a loop together.

    Loops over matrices come last, so that as much as can be is done in one pass over a matrix.

    Raises:
        ValueError: if some wait for each other.
    """
    waiting = list(statements)
    updates = {carry.update: carry.name for carry in carries}
    blockers = {
        id(s): [
            o
            for place, o in enumerate(waiting)
            if o is not s
            and (
                (any(program.overlap(read, o.target) for read in s.reads)
                and not (o.accumulate and place > waiting.index(s)))
                or (o.target == s.target and place < waiting.index(s))
                or (s.target in updates and updates[s.target] in o.reads
                    and s.target not in o.reads)
            )
        ]
        for s in waiting
    }  # fmt: skip
    frames = {id(s): frame(program, s) for s in waiting}
    done: set[int] = set()
    units: list[Unit] = []

    def ready(statement: Statement) -> bool:
        return all(id(o) in done for o in blockers[id(statement)])

    while waiting:
        other = next((s for s in waiting if frames[id(s)] is None and ready(s)), None)
        if other is not None:
            waiting.remove(other)
            done.add(id(other))
            units.append(other)
            continue
        able = [s for s in waiting if ready(s)]
        if not able:
            raise ValueError(f"statements that wait for each other: {waiting}")
        first = next((s for s in able if _lines(frames[id(s)]) is None), able[0])
        loop = frames[id(first)]
        members: list[Statement] = []
        while member := next(
            (s for s in waiting
             if frames[id(s)] == loop and ready(s) and not _half_made(s, members, updates)),
            None,
        ):  # fmt: skip
            waiting.remove(member)
            done.add(id(member))
            members.append(member)
        if loop is not None:
            units.append(Group(loop[0], loop[2], tuple(members), loop[1]))
    return units


def _lines(loop: Frame | None) -> Expr | None:
    return loop[1] if loop is not None else None


def _half_made(statement: Statement, members: list[Statement], updates: dict[str, str]) -> bool:
    """Whether the loop has only begun to make what it reads, or still reads what it sums into."""
    before = updates.get(statement.target)
    return any(
        (member.op in SUMMING and member.target in statement.reads)
        or (statement.op in SUMMING and before in member.reads)
        for member in members
    )


__all__ = ["BATCH", "Group", "Stage", "Unit", "lines", "ordered", "shape", "stages", "step_dims"]
