"""Loops in place: every operation writes into an array made before the loop.

In: a block of a program whose passes have run. Out: its lines, one NumPy call each, no array
made inside the loop. A value that no other block reads lives in a buffer; buffers of one shape
are handed on when their value is dead. A view (columns of another array) is made once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from numeric.compiler.program import (
    TEMPORARY,
    WHOLE,
    Block,
    Carry,
    Dims,
    Operand,
    Program,
    Statement,
)
from numeric.compiler.to_numpy.by_part import ByPart
from numeric.compiler.to_numpy.expressions import (
    KINDS,
    Spelled,
    part_text,
    shape_text,
    slice_text,
)
from numeric.compiler.to_numpy.own_names import free

_FRESH: Final = frozenset({"apply", "pull", "product"})  # results that are no view of another


def allocated(program: Program, block: Block) -> Iterator[str]:
    """The arrays with a row for each t that the block fills, wholes before their parts."""
    wholes = [program.extent(s.target)[0] for s in block.statements if not s.accumulate]
    for name in dict.fromkeys(wholes):
        if program.is_sequence(name) and name not in program.shifted.values():
            yield name


def begun(program: Program, carry: Carry) -> Iterator[str]:
    """What a carry is before the first turn of its loop: zero, or a copy of what is given."""
    shape = shape_text(program.dims[carry.name])
    if not carry.start:
        yield f"{carry.name} = np.zeros_like(like, shape={shape})"
        return
    yield f"{carry.name} = np.empty_like(like, shape={shape})"
    yield f"{carry.name}[...] = {carry.start}"


@dataclass
class _Buffers:
    """Which buffer holds which value, statement after statement."""

    program: Program
    block: Block
    layout: ByPart
    names: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, Dims] = field(default_factory=dict)
    terms: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Give every value that stays inside the loop a buffer, reusing those of dead values."""
        self.terms = dict(self.terms_of_sums())
        last: dict[str, int] = {}
        for place, statement in enumerate(self.block.statements):
            for name in (*statement.reads, statement.target):
                last[self.whole(name)] = place
        kept = {carry.update for carry in self.block.carries}
        kept |= {carry.name for carry in self.block.carries}
        free: defaultdict[Dims, list[str]] = defaultdict(list)
        for place, statement in enumerate(self.block.statements):
            name = self.whole(statement.target)
            if self.program.is_sequence(name) and statement.target in self.terms:
                continue
            if statement.accumulate or self.program.is_sequence(name) or name in self.names:
                continue
            dims = self.layout.dims(name)
            if name in kept or not free[dims]:
                self.names[name] = name
                self.shapes[name] = dims
            else:
                self.names[name] = free[dims].pop()
            for dead, at in last.items():
                if at == place and dead in self.names and dead not in kept and dead != name:
                    free[self.layout.dims(dead)].append(self.names[dead])
                    last[dead] = -1

    def whole(self, name: str) -> str:
        """The array in which a value stands."""
        name = self.terms.get(name, name)
        return self.program.extent(name)[0]

    def terms_of_sums(self) -> Iterator[tuple[str, str]]:
        """Matrices that are made where a sum that they are a term of will stand.

        So a loop holds fewer of them, and what it holds stays in the cache.
        """
        statements = self.block.statements
        handed = {carry.update: carry.name for carry in self.block.carries}
        uses = Counter(name for b in self.program.blocks for s in b.statements for name in s.reads)
        for place, total in enumerate(statements):
            if total.op != "add" or total.accumulate or len(total.operands) < 2:
                continue
            signs = total.settings
            for sign, operand in zip(signs, total.operands, strict=True):
                if sign < 0 and (len(signs) > 2 or max(signs) < 0):
                    continue  # something else would be written over it
                made = next((k for k in range(place) if statements[k].target == operand), None)
                if made is None or uses[operand] != 1 or not self._is_term(str(operand), total):
                    continue
                before = {handed.get(total.target, total.target), total.target}
                if not before & {n for s in statements[made : place + 1] for n in s.reads}:
                    yield str(operand), total.target
                    break

    def _is_term(self, name: str, total: Statement) -> bool:
        """Whether the value is a matrix of each sample, and of the sum's own shape."""
        program, dims = self.program, self.program.dims[name]
        own = program.dims[total.target]
        own = own[1:] if program.is_sequence(total.target) else own
        whole = total.target not in program.views and name not in program.views
        return len(dims) > 2 and dims == own and whole and not program.is_sequence(name)


def write_in_place(spelled: Spelled, block: Block) -> Iterator[str]:
    """The block's lines; a block without a loop is written as assignments."""
    program = spelled.program
    if not block.loop:
        yield from _straight(spelled, block)
        return
    for name in allocated(program, block):
        yield f"{name} = np.empty_like(like, shape={shape_text(spelled.layout.dims(name))})"
    buffers = _Buffers(program, block, spelled.layout)
    spelled.terms |= buffers.terms
    for carry in block.carries:
        yield from begun(program, carry)
        spelled.renamed[carry.update] = carry.name
    for name, dims in buffers.shapes.items():
        if name not in {carry.update for carry in block.carries}:
            yield f"{name} = np.empty_like(like, shape={shape_text(dims)})"
    for value, buffer in buffers.names.items():
        spelled.renamed.setdefault(value, buffer)
    yield from _views(spelled, block.statements)
    yield from _parts(spelled, block.statements)
    for name in dict.fromkeys(str(s.operands[1]) for s in block.statements if s.op == "apply"):
        yield f"{spelled.transposed(name)} = {name}.T.copy()"
    yield f"for t in {'range(T)' if block.loop == 'forward' else 'reversed(range(T))'}:"
    for statement in block.statements:
        if statement.comment:
            yield f"    # {statement.comment}"
        for line in _call(spelled, statement):
            yield f"    {line}"


def _views(spelled: Spelled, statements: tuple[Statement, ...]) -> Iterator[str]:
    program, widths = spelled.program, spelled.layout.widths
    used = {
        name
        for s in statements
        for name in {s.target, *s.reads}.difference(spelled.layout.in_rows(s))
    }
    for name, (whole, start, size) in program.views.items():
        if name in used and name not in spelled.viewed:
            spelled.viewed.add(name)
            array = spelled.renamed.get(whole, whole)
            if whole in widths:
                steps = ":, " if program.is_sequence(whole) else ""
                yield f"{name} = {array}[{steps}{part_text(start, size, widths[whole])}]"
            else:
                yield f"{name} = {array}[..., {slice_text(start, size)}]"


def _parts(spelled: Spelled, statements: tuple[Statement, ...]) -> Iterator[str]:
    """Rows as they are looked at where they meet what is kept part by part: views, no copies."""
    program = spelled.program
    for statement in statements:
        for name, width in spelled.layout.in_rows(statement).items():
            whole, start, size = program.extent(name)
            array = spelled.renamed.get(whole, whole)
            text = array if name == whole else name
            spelled.parts[name] = free(f"{text.removesuffix(WHOLE)}_parts", program.dims)
            *rows, columns = program.dims[whole]
            shape, timed = shape_text((*rows, columns / width, width)), len(rows) - 1
            line = f"{array}.reshape{shape}.swapaxes({timed}, {timed + 1})"
            if size != columns:
                line += f"[{':, ' * timed}{part_text(start, size, width)}]"
            if spelled.parts[name] not in spelled.viewed:
                spelled.viewed.add(spelled.parts[name])
                yield f"{spelled.parts[name]} = {line}"


def _straight(spelled: Spelled, block: Block) -> Iterator[str]:
    """Statements outside the loops, on whole sequences; a sum goes into a term that is done."""
    program = spelled.program
    others = [s for other in program.blocks if other is not block for s in other.statements]
    made = program.definitions()
    for place, statement in enumerate(block.statements):
        yield from _views(spelled, (statement,))
        target = spelled.operand(statement.target, in_loop=False)[0]
        part = statement.target in program.views  # of an array that stands already
        first = statement.operands[0] if statement.operands else None
        if statement.op in KINDS:
            name, *parameters = statement.settings
            call = spelled.helper(name, KINDS[statement.op], tuple(parameters))
            source = spelled.operand(first, in_loop=False)[0] if first is not None else ""
            if not part:
                yield f"{target} = np.empty_like({source})"
            yield f"{call}({source}, {target})"
            continue
        later = {
            program.extent(name)[0]
            for s in (*block.statements[place + 1 :], *others)
            for name in s.reads
        }
        if (
            statement.op == "add"
            and statement.target.startswith(TEMPORARY)
            and isinstance(first, str)
            and (first.startswith(TEMPORARY) or first.endswith(WHOLE))
            and first in made
            and made[first][1].op in _FRESH
            and program.extent(first)[0] not in later
            and not any(program.overlap(first, other) for other in statement.reads[1:])
            and program.dims[first] == program.dims[statement.target]
            and statement.settings[0] > 0
        ):
            spelled.renamed[statement.target] = first
            operands = [spelled.operand(o, in_loop=False)[0] for o in statement.operands]
            yield from _sum(first, operands, statement.settings)
            continue
        text, _ = spelled.expression(statement, in_loop=False)
        into = f"{target}[...]" if part and not statement.accumulate else target
        yield f"{into} {'+=' if statement.accumulate else '='} {text}"


def _call(spelled: Spelled, statement: Statement) -> Iterator[str]:
    """The calls of one statement inside a loop, each writing into its target."""
    in_rows = spelled.layout.in_rows(statement)

    def text(operand: Operand) -> str:
        if operand in in_rows:
            operand = str(operand)
            return spelled.parts[operand] + "[t]" * spelled.program.is_sequence(operand)
        return spelled.operand(operand, in_loop=True)[0]

    target = text(statement.target)
    if statement.op == "add":
        statement = _own_term_first(spelled, statement)

    if statement.accumulate:
        yield f"{target} += {spelled.expression(statement, in_loop=True)[0]}"
        return
    operands = [text(operand) for operand in statement.operands]
    match statement.op:
        case "add":
            yield from _sum(target, operands, statement.settings)
        case "multiply" | "divide" | "maximum" | "minimum":
            ufunc = f"np.{statement.op}"
            yield f"{ufunc}({operands[0]}, {operands[1]}, out={target})"
            for operand in operands[2:]:
                yield f"{ufunc}({target}, {operand}, out={target})"
        case "apply":
            yield f"np.matmul({operands[0]}, {spelled.transposed(operands[1])}, out={target})"
        case "pull":
            yield f"np.matmul({operands[0]}, {operands[1]}, out={target})"
        case "each_outer":
            u, v = operands
            yield f"np.multiply({u}[..., None], {v}[..., None, :], out={target})"
        case "scale_rows":
            yield f"np.multiply({operands[0]}[..., None], {operands[1]}, out={target})"
        case "scale_columns":
            yield f"np.multiply({operands[0]}, {operands[1]}[..., None, :], out={target})"
        case "each_apply":
            column, out = (f"{text}[..., None]" for text in (operands[1], target))
            yield f"np.matmul({operands[0]}, {column}, out={out})"
        case "each_pull":
            row, out = (f"{text}[..., None, :]" for text in (operands[0], target))
            yield f"np.matmul({row}, {operands[1]}, out={out})"
        case "total":
            yield f"np.add.reduce({operands[0]}, axis=-1, keepdims=True, out={target})"
        case "sum_columns" | "sum_rows":
            axis = -1 if statement.op == "sum_columns" else -2
            yield f"np.add.reduce({operands[0]}, axis={axis}, out={target})"
        case "spread" if statement.reads:
            yield f"np.copyto({target}, {operands[0]})"
        case "function" | "slope" | "slope_from_output":
            name, *parameters = statement.settings
            call = spelled.helper(name, KINDS[statement.op], tuple(parameters))
            yield f"{call}({operands[0]}, {target})"
        case "select":
            where, old, new = operands
            if old == target:
                yield f"np.copyto({target}, {new}, where=~{where} if ragged else True)"
                return
            yield f"np.copyto({target}, {new})"
            yield "if ragged:"
            yield f"    np.copyto({target}, {old}, where={where})"
        case "concat":
            yield f"np.concatenate(({', '.join(operands)}), axis=-1, out={target})"
        case _:
            yield f"{target}[...] = {spelled.expression(statement, in_loop=True)[0]}"


def _own_term_first(spelled: Spelled, total: Statement) -> Statement:
    """The sum, the term that stands in its place already as the first."""
    terms = zip(total.settings, total.operands, strict=True)
    own_first = sorted(terms, key=lambda t: spelled.terms.get(str(t[1])) != total.target)
    signs, operands = zip(*own_first, strict=True)
    return replace(total, settings=signs, operands=operands)


def _sum(target: str, operands: list[str], signs: tuple[int, ...]) -> Iterator[str]:
    """A signed sum, beginning with a term that has a plus where there is one."""
    terms = sorted(zip(signs, operands, strict=True), key=lambda term: -term[0])
    (sign, first), *rest = terms
    if not rest:
        yield f"np.copyto({target}, {first})" if sign > 0 else f"np.negative({first}, out={target})"
        return
    if sign < 0:
        yield f"np.negative({first}, out={target})"
        first = target
    for sign, operand in rest:
        yield f"np.{'add' if sign > 0 else 'subtract'}({first}, {operand}, out={target})"
        first = target
