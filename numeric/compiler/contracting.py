"""The pass `contract`: matrices that are only summed over are never made.

In: a program. Out: the same with vectors in the place of matrices, where a matrix of each sample
is an outer product or another matrix with factors, and all that reads it are sums: `(g S) k` is
`g (S k)`, `(u vᵀ) k` is `u (v · k)`, the sum of `S ⊙ u vᵀ` along the rows is `u ⊙ (S v)`. A pass
over a matrix of each sample costs as much as all that is done with its vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from sympy import S

from numeric.compiler.program import (
    BATCH,
    LENGTH,
    TEMPORARY,
    Block,
    Dims,
    Operand,
    Program,
    Statement,
    promoted,
)

_MADE_OF_VECTORS = frozenset({"each_outer", "multiply", "scale_rows", "scale_columns"})


def contract(program: Program) -> Program:
    """The program without the matrices that only sums read, and with sums of products as one."""
    work = _Contractor(program)
    if not any(map(work.is_matrix, program.dims)):
        return program
    work.run()
    return promoted(replace(program, blocks=work.blocks, dims=work.dims))


@dataclass
class _Contractor:
    program: Program
    dims: dict[str, Dims] = field(init=False)
    blocks: tuple[Block, ...] = field(init=False)
    made: dict[str, Statement] = field(default_factory=dict)
    before: list[Statement] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dims, self.blocks = dict(self.program.dims), self.program.blocks

    def run(self) -> None:
        """Rewrite until nothing changes any more."""
        while True:
            self.look()
            blocks = tuple(
                replace(b, statements=tuple(n for s in b.statements for n in self.rewritten(s)))
                for b in self.blocks
            )
            blocks = self.alive(blocks)
            if blocks == self.blocks:
                return
            self.blocks = blocks

    def look(self) -> None:
        """What is made once, and who reads it."""
        every = [s for b in self.blocks for s in b.statements]
        grown = {s.target for s in every if s.accumulate}
        self.made = {s.target: s for s in every if s.target not in grown}
        self.readers: dict[str, list[Statement]] = {}
        for s in every:
            for name in s.reads:
                self.readers.setdefault(name, []).append(s)
        self.pinned = {r.name for r in self.program.results} | {*self.program.shifted.values()}
        self.pinned |= {c.update for b in self.blocks for c in b.carries}

    def alive(self, blocks: tuple[Block, ...]) -> tuple[Block, ...]:
        """Without what nobody reads any more."""
        read = {n for b in blocks for s in b.statements for n in s.reads} | self.pinned
        read |= {whole for whole, *_ in self.program.views.values()}
        kept = (
            replace(b, statements=tuple(
                s for s in b.statements if s.accumulate or s.target in read
            ))
            for b in blocks
        )  # fmt: skip
        return tuple(b for b in kept if b.statements)

    # ---- what is known ----------------------------------------------------------------------

    def is_matrix(self, operand: Operand) -> bool:
        """Whether the operand holds a matrix for each sample: no axis of it is 1."""
        dims = [d for d in self.dims[operand] if d != LENGTH] if isinstance(operand, str) else []
        return len(dims) > 2 and dims[0] == BATCH and S.One not in dims

    def maker(self, operand: Operand) -> Statement | None:
        """The statement that makes a matrix of vectors, if all that reads it are sums."""
        s = self.made.get(str(operand)) if self.is_matrix(operand) else None
        if s is None or s.op not in _MADE_OF_VECTORS or s.target in self.pinned:
            return None
        if s.op == "multiply" and sum(self.is_matrix(o) for o in s.operands) != 1:
            return None
        if not all(self.is_number(o) or self.is_matrix(o) for o in s.operands) and (
            s.op == "multiply"
        ):
            return None
        return s if all(self.is_sum(r) for r in self.readers[s.target]) else None

    def is_sum(self, reader: Statement) -> bool:
        """Whether it reads a matrix only to sum its entries, times vectors."""
        if reader.op in {"each_apply", "each_pull"}:
            return True
        return reader.op == "multiply" and self.sum_of(reader) is not None

    def sum_of(self, product: Statement) -> str | None:
        """How the entries of a product of two matrices are summed, if that is all that is done."""
        readers = self.readers.get(product.target, [])
        two = len(product.operands) == 2 and all(self.is_matrix(o) for o in product.operands)
        if not two or len(readers) != 1 or product.target in self.pinned or product.accumulate:
            return None
        return readers[0].op if readers[0].op in {"sum_columns", "sum_rows"} else None

    def is_number(self, operand: Operand) -> bool:
        """Whether it is one number, for all or for each sample."""
        if not isinstance(operand, str):
            return True
        return self.dims[operand][-1:] in {(), (S.One,)}

    # ---- rewriting --------------------------------------------------------------------------

    def rewritten(self, s: Statement) -> Iterable[Statement]:
        """The statement, or those in its place."""
        self.before = []
        rule: Callable[[Statement], Statement | None] | None = getattr(self, f"_{s.op}", None)
        made = rule(s) if rule is not None and not s.accumulate else None
        return [*self.before, s if made is None else made]

    def put(self, op: str, operands: tuple[Operand, ...], like: str, *, wide: bool = True) -> str:
        """A statement before this one; its target, as wide as another array or one number.

        It is of each sample if an operand is.
        """
        count = 1
        while (name := f"{TEMPORARY}{count}") in self.dims:
            count += 1
        own = tuple(d for d in self.dims[like] if d not in {LENGTH, BATCH}) if wide else (S.One,)
        sampled = any(BATCH in self.dims[o] for o in operands if isinstance(o, str))
        self.dims[name] = (BATCH, *own) if sampled else own
        self.before.append(Statement(name, op, operands))
        return name

    def numbers(self, factors: Iterable[Operand]) -> tuple[Operand, ...]:
        """The factors of a matrix that are numbers, without the axes that `lift` gave them."""
        found = []
        for factor in factors:
            lift = self.made.get(factor) if isinstance(factor, str) else None
            found.append(lift.operands[0] if lift is not None and lift.op == "lift" else factor)
        return tuple(found)

    def split(self, s: Statement) -> tuple[tuple[Operand, ...], str]:
        """The numbers and the matrix of a product."""
        (matrix,) = (o for o in s.operands if self.is_matrix(o))
        return self.numbers(o for o in s.operands if o != matrix), str(matrix)

    def _each_apply(self, s: Statement) -> Statement | None:
        """M x."""
        matrix, x = s.operands
        return self._times(s, matrix, str(x), across=True)

    def _each_pull(self, s: Statement) -> Statement | None:
        """Mᵀ x."""
        x, matrix = s.operands
        return self._times(s, matrix, str(x), across=False)

    def _times(self, s: Statement, matrix: Operand, x: str, *, across: bool) -> Statement | None:
        made = self.maker(matrix)
        if made is None:
            return None

        if made.op == "each_outer":
            one, other = made.operands if across else made.operands[::-1]
            both = self.put("multiply", (other, x), x)
            total = self.put("total", (both,), x, wide=False)
            return replace(s, op="multiply", operands=(total, one))
        if made.op == "multiply":
            factors, inner = self.split(made)
            op, operands = self.product(inner, x, across=across)
            return replace(s, op="multiply", operands=(*factors, self.put(op, operands, s.target)))
        along_rows = made.op == "scale_rows"
        gate, inner = made.operands if along_rows else made.operands[::-1]
        if along_rows == across:  # the gate is along what is left
            op, operands = self.product(inner, x, across=across)
            return replace(s, op="multiply", operands=(gate, self.put(op, operands, s.target)))
        op, operands = self.product(inner, self.put("multiply", (gate, x), x), across=across)
        return replace(s, op=op, operands=operands)

    def product(
        self, matrix: Operand, x: Operand, *, across: bool
    ) -> tuple[str, tuple[Operand, ...]]:
        """M x or, not across the rows, Mᵀ x: with a matrix of each sample or one for all."""
        if not self.is_matrix(matrix):
            return "apply" if across else "pull", (x, matrix)
        return ("each_apply", (matrix, x)) if across else ("each_pull", (x, matrix))

    def _multiply(self, s: Statement) -> Statement | None:
        """A number times an outer product."""
        matrices = [o for o in s.operands if self.is_matrix(o)]
        if len(matrices) != 1 or not self.is_matrix(s.target):
            return None
        made = self.made.get(str(matrices[0]))
        others = [o for o in s.operands if o != matrices[0]]
        if made is None or made.op != "each_outer" or not all(map(self.is_number, others)):
            return None
        u, v = made.operands
        scaled = self.put("multiply", (*self.numbers(others), u), str(u))
        return replace(s, op="each_outer", operands=(scaled, v))

    def _sum_columns(self, s: Statement) -> Statement | None:
        return self._summed(s, across=True)

    def _sum_rows(self, s: Statement) -> Statement | None:
        return self._summed(s, across=False)

    def _summed(self, s: Statement, *, across: bool) -> Statement | None:
        """The entries of A ⊙ u vᵀ, summed along one axis."""
        product = self.made.get(str(s.operands[0]))
        if product is None or product.op != "multiply" or self.sum_of(product) != s.op:
            return None
        for place in (0, 1):
            outer = self.made.get(str(product.operands[place]))
            if outer is not None and outer.op == "each_outer":
                u, v = outer.operands
                other = product.operands[1 - place]
                stays, x = (u, v) if across else (v, u)
                op, operands = self.product(other, x, across=across)
                return replace(s, op="multiply", operands=(stays, self.put(op, operands, s.target)))
        return None

    def _total(self, s: Statement) -> Statement | None:
        """The sum of all entries of A ⊙ B."""
        lines = self.made.get(str(s.operands[0]))
        if lines is None or lines.op not in {"sum_columns", "sum_rows"}:
            return None
        if len(self.readers[lines.target]) != 1 or lines.target in self.pinned:
            return None
        product = self.made.get(str(lines.operands[0]))
        if product is None or product.op != "multiply" or self.sum_of(product) != lines.op:
            return None
        if any(getattr(self.made.get(str(o)), "op", "") == "each_outer" for o in product.operands):
            return None
        return replace(s, op="each_dot", operands=product.operands)
