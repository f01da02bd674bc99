"""Program → Program: each pass keeps the meaning and improves one thing.

In: the plain program of `lower`. Out: the program a careful person would have written by hand:
equal work done once (`share`), gates side by side (`stack`, in `stacking.py`), what needs no
state before the loop (`hoist`), what no later step needs after it (`defer`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from numeric.compiler.contracting import contract
from numeric.compiler.forwarding import forward
from numeric.compiler.program import (
    LENGTH,
    TEMPORARY,
    Block,
    Dims,
    Program,
    Statement,
    promoted,
    together,
)
from numeric.compiler.stacking import stack

Pass = Callable[[Program], Program]
_PRODUCTS: Final = frozenset({"apply", "pull", "outer", "gather"})


def optimise(program: Program, passes: Sequence[Pass]) -> Program:
    """The program after all the passes, in order.

    Raises:
        RuntimeError: naming the pass that broke the program, which no input is to blame for.
    """
    for improve in passes:
        try:
            program = improve(program)
        except ValueError as problem:
            raise RuntimeError(f"pass {improve.__name__}: {problem}") from problem
    return program


def computation(statement: Statement) -> tuple[object, ...]:
    """What statements have in common that compute one value."""
    return statement.op, statement.operands, statement.settings


def share(program: Program) -> Program:
    """Equal operations on equal operands, with results of one shape, are done once in a block.

    A number for each sample may fill a vector in one place and stay a number in another.
    """
    fixed = {carry.update for block in program.blocks for carry in block.carries}
    fixed |= {result.name for result in program.results}
    blocks = []
    renamed: dict[str, str] = {}
    for block in program.blocks:
        done: dict[tuple[object, ...], str] = {}
        kept = []
        for statement in block.statements:
            operands = tuple(
                renamed.get(o, o) if isinstance(o, str) else o for o in statement.operands
            )
            statement = replace(statement, operands=operands)
            key = (*computation(statement), program.dims[statement.target])
            if not statement.accumulate and statement.op != "zeros":
                if key in done and statement.target not in fixed:
                    renamed[statement.target] = done[key]
                    continue
                done.setdefault(key, statement.target)
            kept.append(statement)
        blocks.append(replace(block, statements=tuple(kept)))
    return promoted(replace(program, blocks=tuple(blocks)))


def hoist(program: Program) -> Program:
    """Matrix products that need no state are done for all t at once, before the loop."""
    blocks: list[Block] = []
    dims = dict(program.dims)
    available = {argument.name for argument in program.arguments}
    for block in program.blocks:
        if not block.loop:
            available |= {statement.target for statement in block.statements}
            blocks.append(block)
            continue
        before: list[Statement] = []
        inside: list[Statement] = []
        early: set[str] = set()
        kept = {*program.shifted.values(), *(carry.update for carry in block.carries)}
        for statement in block.statements:
            ready = not statement.accumulate and available.issuperset(statement.reads)
            ready = ready and statement.target not in kept
            if (
                ready
                and statement.op in {"apply", "pull"}
                and statement.target not in program.views
            ):
                views = [v for v, (whole, *_) in program.views.items() if whole == statement.target]
                for name in (statement.target, *views):
                    dims[name] = _for_all(dims, name, statement.reads)
                    available.add(name)
                    early.add(name)
                before.append(statement)
            elif statement.op == "add" and early.intersection(statement.reads):
                inside.append(_split_sum(statement, before, available, early, dims))
            else:
                inside.append(statement)
        if before:
            blocks.append(Block(block.phase, tuple(before)))
        blocks.append(replace(block, statements=tuple(inside)))
        done = {statement.target for statement in block.statements}
        available |= done | {prev for prev, state in program.shifted.items() if state in done}
    return replace(program, blocks=tuple(blocks), dims=dims)


def _at_one_time(dims: Dims) -> Dims:
    return dims[1:] if dims[:1] == (LENGTH,) else dims


def _for_all(dims: Mapping[str, Dims], like: str, reads: Iterable[str]) -> Dims:
    """The dimensions for all t at once; without an axis of time where nothing read moves."""
    moves = any(dims[name][:1] == (LENGTH,) for name in reads)
    return (LENGTH,) * moves + _at_one_time(dims[like])


def _split_sum(
    statement: Statement,
    before: list[Statement],
    available: set[str],
    done: set[str],
    dims: dict[str, Dims],
) -> Statement:
    """The sum inside the loop, over one term that holds all that is known before it."""
    terms = list(zip(statement.settings, statement.operands, strict=True))
    early = [(s, o) for s, o in terms if not isinstance(o, str) or o in available]
    late = [term for term in terms if term not in early]
    if len(early) < 2 or not late:
        return statement
    name = f"{TEMPORARY}{statement.target}"
    early.sort(key=lambda term: term[1] not in done)
    made = Statement(name, "add", tuple(o for _, o in early), tuple(s for s, _ in early))
    dims[name] = _for_all(dims, statement.target, made.reads)
    before.append(made)
    available.add(name)
    return replace(
        statement,
        operands=(*(o for _, o in late), name),
        settings=(*(s for s, _ in late), 1),
    )


def defer(program: Program) -> Program:
    """Products that no later step reads are done for all t at once, after the loop."""
    blocks: list[Block] = []
    dims = dict(program.dims)
    for block in program.blocks:
        if not block.loop:
            blocks.append(block)
            continue
        products = {s.target for s in block.statements if s.op in _PRODUCTS}
        needed = {carry.update for carry in block.carries}
        needed |= {program.extent(name)[0] for name in needed} | {*program.shifted.values()}
        inside: list[Statement] = []
        after: list[Statement] = []
        for statement in reversed(block.statements):
            whole = program.extent(statement.target)[0]
            sums_products = statement.op == "add" and products.issuperset(statement.reads)
            late = statement.op in _PRODUCTS or sums_products
            if late and not {statement.target, whole} & needed:
                if not statement.accumulate:
                    dims[statement.target] = (LENGTH, *_at_one_time(dims[statement.target]))
                after.append(statement)
            else:
                inside.append(statement)
                needed |= {n for r in statement.reads for n in (r, program.extent(r)[0])}
        blocks.append(replace(block, statements=tuple(reversed(inside))))
        if after:
            blocks.append(Block(block.phase, tuple(reversed(after))))
    return _without_zeros(promoted(replace(program, blocks=tuple(blocks), dims=dims)))


def _without_zeros(program: Program) -> Program:
    """An accumulator that grows once, outside a loop, is simply assigned."""
    grown = Counter(s.target for b in program.blocks for s in b.statements if s.accumulate)
    in_loop = {s.target for b in program.blocks if b.loop for s in b.statements if s.accumulate}
    once = {name for name, count in grown.items() if count == 1} - in_loop
    once -= {
        s.target
        for b in program.blocks
        for s in b.statements
        if s.accumulate and not _fills(s, program.dims)
    }
    blocks = []
    for block in program.blocks:
        kept = [
            replace(s, accumulate=False) if s.target in once else s
            for s in block.statements
            if not (s.op == "zeros" and s.target in once)
        ]
        if kept:
            blocks.append(replace(block, statements=tuple(kept)))
    return replace(program, blocks=tuple(blocks))


_ENTRYWISE: Final = frozenset({"add", "multiply", "divide"})


def _fills(statement: Statement, dims: Mapping[str, Dims]) -> bool:
    """Whether the operands make the target's shape: one number that it grows by does not."""
    own = dims[statement.target]
    if statement.op == "gather":  # over the axes before those of the target
        return len(dims[statement.reads[0]]) >= len(own)
    return statement.op not in _ENTRYWISE or together(dims[n] for n in statement.reads) == own


READABLE: Final[tuple[Pass, ...]] = ()
FUSED: Final[tuple[Pass, ...]] = (share, contract, share, forward, stack, hoist, defer)
