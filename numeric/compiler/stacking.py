"""The pass `stack`: like operations on different gates become one operation on their columns.

In: a program. Out: the same with arrays side by side in one whole, of which the old names are
views. Nothing here knows of gates: what meets the same vector is stacked, what is then done
alike to neighbouring columns is done once, and what is summed from several products becomes
one product (superword-level parallelism, Larsen and Amarasinghe 2000, on matrix columns).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

from sympy import Expr, S

from numeric.compiler.program import (
    BATCH,
    LENGTH,
    TEMPORARY,
    WHOLE,
    Block,
    Operand,
    Program,
    Statement,
    promoted,
)

_ENTRYWISE = frozenset({"add", "multiply", "divide", "function", "slope", "slope_from_output"})


def stack(program: Program) -> Program:
    """Gates side by side: one product for all that meet the same vector, one sum, one sigmoid."""
    stacks: dict[tuple[str, ...], str] = {}
    blocks: list[Block] = []
    for block in program.blocks:
        if not block.loop:
            blocks.append(block)
            continue
        work = _Stacker(program, list(block.statements), stacks)
        work.run()
        program = replace(program, dims=work.dims, views=work.views)
        before, after = (Block(block.phase, tuple(made)) for made in (work.before, work.after))
        made = (before, replace(block, statements=tuple(work.statements)), after)
        blocks.extend(b for b in made if b.statements)
    assigned = {s.target for b in blocks for s in b.statements if s.op == "rows"}
    blocks = [
        replace(b, statements=tuple(
            s for s in b.statements if s.op != "zeros" or s.target not in assigned
        ))
        for b in blocks
    ]  # fmt: skip
    return promoted(replace(program, blocks=tuple(b for b in blocks if b.statements)))


@dataclass
class _Stacker:
    """One loop being rewritten; `stacks` remembers which weights already stand together."""

    program: Program
    statements: list[Statement]
    stacks: dict[tuple[str, ...], str]
    before: list[Statement] = field(default_factory=list)
    after: list[Statement] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dims = dict(self.program.dims)
        self.views = dict(self.program.views)
        self.pinned = {carry.update for block in self.program.blocks for carry in block.carries}
        self.pinned |= {*self.program.shifted.values(), *(r.name for r in self.program.results)}

    def run(self) -> None:
        self.stack_products()
        while self.merge_consumers():
            pass
        self.stack_sums_of_products()
        while self.merge_producers():
            pass
        self.stack_accumulators()

    # ---- what is known ----------------------------------------------------------------------

    def is_fixed(self, name: Operand) -> bool:
        return isinstance(name, str) and not {BATCH, LENGTH}.intersection(self.dims[name])

    def width(self, name: str) -> Expr:
        return self.dims[name][-1]

    def readers(self, name: str) -> list[Statement]:
        return [s for s in self.statements if name in s.reads]

    def use(self, name: str, depth: int = 4) -> str:
        """What finally becomes of a value: gates of one function shall be neighbours."""
        for reader in self.readers(name):
            if reader.op in {"function", "slope_from_output", "slope"}:
                return str(reader.settings)
            if reader.op == "add" and depth:
                return self.use(reader.target, depth - 1)
        return "~"

    def neighbours(self, names: list[str]) -> bool:
        """Whether the names are columns of one whole, one right after the other."""
        if not all(name in self.views for name in names):
            return False
        parts = [self.views[name] for name in names]
        return all(a[0] == b[0] and a[1] + a[2] == b[1] for a, b in pairwise(parts))

    # ---- making wholes ----------------------------------------------------------------------

    def fresh(self, stem: str) -> str:
        count = 1
        while f"{stem}_{count}{WHOLE}" in self.dims:
            count += 1
        return f"{stem}_{count}{WHOLE}"

    def side_by_side(self, names: list[str], stem: str) -> str:
        """A whole of which the names are the columns, in order."""
        if self.neighbours(names):
            return self.span(names)
        whole = self.fresh(stem)
        self.dims[whole] = (*self.dims[names[0]][:-1], sum(map(self.width, names), S.Zero))
        start: Expr = S.Zero
        for name in names:
            self.views[name] = (whole, start, self.width(name))
            start += self.width(name)
        return whole

    def span(self, names: list[str]) -> str:
        """The name of the columns from the first of the neighbours to the last."""
        whole, start, _ = self.views[names[0]]
        size = sum((self.views[name][2] for name in names), S.Zero)
        if size == self.width(whole):
            return whole
        for view, extent in self.views.items():
            if extent == (whole, start, size):
                return view
        name = f"{TEMPORARY}{names[0]}_to_{names[-1]}"
        self.dims[name] = (*self.dims[names[0]][:-1], size)
        self.views[name] = (whole, start, size)
        return name

    def stacked(self, names: tuple[str, ...], stem: str) -> str:
        """Fixed arrays one below the other, made once before the loop."""
        if names not in self.stacks:
            whole = self.fresh(stem)
            rows = sum((self.dims[name][0] for name in names), S.Zero)
            self.dims[whole] = (rows, *self.dims[names[0]][1:])
            self.before.append(Statement(whole, "stack", names))
            self.stacks[names] = whole
        return self.stacks[names]

    def exchange(self, group: list[Statement], made: Statement) -> bool:
        """Put one statement in the place of several, if an order of computing is left."""
        rest = [statement for statement in self.statements if statement not in group]
        place = max(self.statements.index(member) for member in group)
        rest.insert(place - len(group) + 1, made)
        ordered = self.ordered(rest)
        program = replace(self.program, dims=self.dims, views=self.views, blocks=(), results=())
        if ordered is None or any(program.overlap(read, made.target) for read in made.reads):
            return False  # the latter where one of the group reads another, a gate inside a gate
        self.statements = ordered
        return True

    def ordered(self, statements: list[Statement]) -> list[Statement] | None:
        """The statements, each after what it reads, else as they stand; none if they circle."""
        program = replace(self.program, dims=self.dims, views=self.views, blocks=(), results=())
        makers: defaultdict[str, list[int]] = defaultdict(list)
        for place, statement in enumerate(statements):
            makers[program.extent(statement.target)[0]].append(place)
        needs = [
            {other for read in statement.reads for other in makers[program.extent(read)[0]]
             if other != place and program.overlap(read, statements[other].target)}
            for place, statement in enumerate(statements)
        ]  # fmt: skip
        waiting, done = [*range(len(statements))], dict[int, None]()
        while waiting:
            free = next((place for place in waiting if needs[place] <= done.keys()), None)
            if free is None:
                return None
            waiting.remove(free)
            done[free] = None
        return [statements[place] for place in done]

    # ---- the four rewritings ----------------------------------------------------------------

    def stack_products(self) -> None:
        """W₁v, W₂v, … with one v: [W₁; W₂; …] v."""
        groups: defaultdict[Operand, list[Statement]] = defaultdict(list)
        for statement in self.statements:
            if statement.op == "apply" and self.is_fixed(statement.operands[1]):
                groups[statement.operands[0]].append(statement)
        for vector, group in groups.items():
            group = [s for s in group if s.target not in self.pinned]
            if len(group) > 1 and not any(s.target in self.views for s in group):
                group.sort(key=lambda statement: self.use(statement.target))
                weights = self.stacked(tuple(str(s.operands[1]) for s in group), "weights")
                whole = self.side_by_side([s.target for s in group], "products")
                self.exchange(group, Statement(whole, "apply", (vector, weights)))

    def merge_consumers(self) -> bool:
        """φ(a₁), φ(a₂), … of neighbours, or sums with them: one operation on the columns."""
        wholes = dict.fromkeys(whole for whole, *_ in self.views.values())
        for whole in wholes:
            parts = sorted(
                (name for name in self.views if self.views[name][0] == whole),
                key=lambda name: list(self.views).index(name),
            )
            for run in _runs(parts):
                if self.neighbours(run) and self.merge_readers_of(run):
                    return True
        return False

    def merge_readers_of(self, run: list[str]) -> bool:
        for first in self.readers(run[0]):
            if first.op not in _ENTRYWISE or first.accumulate:
                continue
            position = first.operands.index(run[0])
            group = [first]
            for name in run[1:]:
                readers = [s for s in self.readers(name) if s.operands[position:][:1] == (name,)]
                alike = [s for s in readers if likeness(s) == likeness(first) and not s.accumulate]
                group += alike[:1]
            free = not any(s.target in self.views for s in group)
            if len(group) == len(run) and free and self.merge(group):
                return True
        return False

    def merge(self, group: list[Statement], *, pack: bool = False) -> bool:
        """One statement for a group alike, if its operands can stand side by side."""
        if len({id(s) for s in group}) < len(group) or self.pinned & {s.target for s in group}:
            return False
        saved = dict(self.dims), dict(self.views), list(self.before), dict(self.stacks)
        operands: list[Operand] = []
        for column in zip(*(s.operands for s in group), strict=True):
            operand = self.joined(column, group, pack=pack)
            if operand is None:
                break
            operands.append(operand)
        else:
            whole = self.side_by_side([s.target for s in group], "values")
            if self.exchange(
                group, replace(group[0], target=whole, operands=tuple(operands), comment="")
            ):
                return True
        self.dims, self.views, self.before = saved[:3]
        self.stacks.clear()
        self.stacks.update(saved[3])
        return False

    def joined(
        self, column: tuple[Operand, ...], group: list[Statement], *, pack: bool
    ) -> Operand | None:
        """The one operand that stands for the group's operands at a place; none if none can."""
        names = [operand for operand in column if isinstance(operand, str)]
        if len(set(column)) == 1 and (not names or self.dims[names[0]][-1:] in {(), (S.One,)}):
            return column[0]
        if len(names) < len(column) or len(set(names)) < len(names):
            return None
        widths = [self.width(name) if self.dims[name] else S.One for name in names]
        if widths != [self.width(s.target) for s in group]:
            return None
        if self.neighbours(names):
            return self.span(names)
        if all(self.is_fixed(name) and len(self.dims[name]) == 1 for name in names):
            return self.stacked(tuple(names), "vectors")
        if pack and all(map(self.can_move, names)):
            return self.side_by_side(names, "values")
        return None

    def can_move(self, name: str) -> bool:
        """Whether the value may live in columns of another array: made entry by entry, here."""
        makers = [s for s in self.statements if s.target == name]
        return (
            len(makers) == 1
            and makers[0].op in _ENTRYWISE
            and name not in self.views
            and name not in self.pinned
            and self.dims[name][:1] == (BATCH,)
        )

    def stack_sums_of_products(self) -> None:
        """W₁ᵀu₁ + W₂ᵀu₂ + …: [W₁; W₂; …]ᵀ [u₁; u₂; …]."""
        for total in list(self.statements):
            if total.op != "add":
                continue
            terms = [
                pull
                for sign, name in zip(total.settings, total.operands, strict=True)
                for pull in self.statements
                if pull.target == name and pull.op == "pull" and sign > 0
                and self.is_fixed(pull.operands[1]) and len(self.readers(str(name))) == 1
                and total.operands.count(name) == 1
            ]  # fmt: skip
            if len({pull.operands for pull in terms}) < max(2, len(terms)):
                continue
            terms = self.in_order_of_stack(terms)
            vectors = [str(pull.operands[0]) for pull in terms]
            if not (self.neighbours(vectors) or all(map(self.can_move, vectors))):
                continue
            if len(set(vectors)) < len(vectors):
                continue
            weights = self.stacked(tuple(str(pull.operands[1]) for pull in terms), "weights")
            whole = self.side_by_side(vectors, "cotangents")
            gone = {pull.target for pull in terms}
            kept = [
                (sign, operand)
                for sign, operand in zip(total.settings, total.operands, strict=True)
                if operand not in gone
            ]
            joint = replace(total, op="pull", operands=(whole, weights), settings=())
            if kept:
                joint = replace(joint, target=f"{TEMPORARY}{total.target}_sum", comment="")
                self.dims[joint.target] = self.dims[terms[0].target]
                rest = replace(
                    total,
                    operands=(*(o for _, o in kept), joint.target),
                    settings=(*(s for s, _ in kept), 1),
                )
                place = self.statements.index(total)
                self.statements[place : place + 1] = [joint, rest]
                self.statements = [s for s in self.statements if s not in terms]
            else:
                self.exchange([*terms, total], joint)

    def in_order_of_stack(self, terms: list[Statement]) -> list[Statement]:
        """The products in the order in which their weights, or vectors, already stand."""
        for names in self.stacks:
            if sorted(str(pull.operands[1]) for pull in terms) == sorted(names):
                return sorted(terms, key=lambda pull: names.index(str(pull.operands[1])))
        if all(str(pull.operands[0]) in self.views for pull in terms):
            order = list(self.views)
            return sorted(terms, key=lambda pull: order.index(str(pull.operands[0])))
        return terms

    def merge_producers(self) -> bool:
        """Neighbours that are made alike are made at once, their operands put side by side."""
        makers = {s.target: s for s in self.statements if s.op in _ENTRYWISE and not s.accumulate}
        for whole in dict.fromkeys(whole for whole, *_ in self.views.values()):
            parts = [n for n in self.views if self.views[n][0] == whole and n in makers]
            for run in _runs(parts):
                group = [makers[name] for name in run]
                alike = len({*map(likeness, group)}) == 1
                if alike and self.neighbours(run) and self.merge(group, pack=True):
                    return True
        return False

    def stack_accumulators(self) -> None:
        """Σ u₁vᵀ, Σ u₂vᵀ, … with neighbours u: rows of Σ [u₁; u₂; …] vᵀ."""
        groups: defaultdict[tuple[object, ...], list[Statement]] = defaultdict(list)
        grown = [s.target for b in self.program.blocks for s in b.statements if s.accumulate]
        for s in self.statements:
            first = s.operands[0] if s.operands else None
            if (
                s.accumulate and s.op in {"outer", "gather"} and isinstance(first, str)
                and first in self.views and grown.count(s.target) == 1
                and len(self.dims[s.target]) == (2 if s.op == "outer" else 1)
            ):  # fmt: skip
                groups[s.op, self.views[first][0], *s.operands[1:]].append(s)
        for (op, *_), group in groups.items():
            group.sort(key=lambda s: list(self.views).index(str(s.operands[0])))
            vectors = [str(s.operands[0]) for s in group]
            if len(group) < 2 or not self.neighbours(vectors):
                continue
            source = self.span(vectors)
            target = self.fresh("gradients")
            rows = sum((self.dims[s.target][0] for s in group), S.Zero)
            self.dims[target] = (rows, *self.dims[group[0].target][1:])
            self.before.append(Statement(target, "zeros", (), self.dims[target]))
            settings = self.dims[target] if op == "gather" else group[0].settings
            made = replace(
                group[0],
                target=target,
                operands=(source, *group[0].operands[1:]),
                settings=settings,
                comment="",
            )
            self.exchange(group, made)
            start: Expr = S.Zero
            for s in group:
                size = self.dims[s.target][0]
                self.after.append(
                    Statement(s.target, "rows", (target,), (start, size), comment=s.comment)
                )
                start += size


def likeness(statement: Statement) -> tuple[object, ...]:
    """What statements have in common that can be done at once, on columns side by side."""
    return statement.op, statement.settings, len(statement.operands)


def _runs(parts: list[str]) -> Iterator[list[str]]:
    """Every run of two or more in a row, long ones first."""
    for length in range(len(parts), 1, -1):
        for start in range(len(parts) - length + 1):
            yield parts[start : start + length]
