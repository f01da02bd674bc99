"""Program → what one pass of the C file does: chunks of steps, and in each the units of work.

In: a program of parts and a phase. Out: `Stage`s. A loop through time runs in chunks: products
that need no state are done for a chunk's rows before its steps (`early`), sums over time after
them (`late`), so that what they share stays in the cache and needs no array of length T. Within a
step, entrywise statements of one shape are one loop (`Group`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sympy import Expr, S

from numeric.compiler.program import BATCH, LENGTH, Block, Carry, Dims, Program, Statement
from numeric.compiler.to_c.unstack import ENTRYWISE


@dataclass(frozen=True)
class Group:
    """Entrywise statements of one shape: one loop over rows and units."""

    rows: Expr
    size: Expr
    statements: tuple[Statement, ...]


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
    """Rows and columns of an array at one step."""
    dims = step_dims(program, name)
    return (dims[0] if len(dims) > 1 else S.One), (dims[-1] if dims else S.One)


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
    done: set[int] = set()
    units: list[Unit] = []

    def ready(statement: Statement) -> bool:
        return all(id(o) in done for o in blockers[id(statement)])

    while waiting:
        other = next((s for s in waiting if s.op not in ENTRYWISE and ready(s)), None)
        if other is not None:
            waiting.remove(other)
            done.add(id(other))
            units.append(other)
            continue
        first = next((s for s in waiting if ready(s)), None)
        if first is None:
            raise ValueError(f"statements that wait for each other: {waiting}")
        size = shape(program, first.target)
        members: list[Statement] = []
        while member := next(
            (s for s in waiting
             if s.op in ENTRYWISE and shape(program, s.target) == size and ready(s)
             and not _spread_from(program, s, members)),
            None,
        ):  # fmt: skip
            waiting.remove(member)
            done.add(id(member))
            members.append(member)
        units.append(Group(*size, tuple(members)))
    return units


def _spread_from(program: Program, statement: Statement, members: list[Statement]) -> bool:
    """Whether it reads in another shape what the loop has only begun to make."""
    made = {member.target for member in members}
    return any(
        shape(program, name) != shape(program, statement.target)
        for name in made.intersection(statement.reads)
    )


__all__ = ["BATCH", "Group", "Stage", "Unit", "ordered", "shape", "stages", "step_dims"]
