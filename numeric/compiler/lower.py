"""Derivation → loop program: plain and obvious, one statement an operation.

In: the equations of one step, forward and adjoint, per sample and in columns. Out: `Program`.
The only place that knows rows, with `products` beside it: a vector parameter's gradient is summed
over the batch. And the only place that knows indices.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from sympy import (
    Expr,
    MatAdd,
    MatMul,
    MatrixExpr,
    MatrixSymbol,
    OneMatrix,
    S,
    Transpose,
    ZeroMatrix,
)
from sympy.matrices.expressions import HadamardProduct

from derive.calculus.adjoint import AdjointEquation, bar, carry, from_loss
from derive.calculus.through_time import Derivation
from derive.cell import Equation
from derive.language.expr import (
    SCALAR,
    Broadcast,
    Concat,
    Elementwise,
    Quotient,
    Rows,
    Slope,
    VectorFunction,
    negate,
    scale,
    split_coefficient,
    symbols_of,
)
from derive.language.pairs import AtLeast, Below, Maximum, Minimum
from derive.language.reductions import Extent
from numeric.compiler.array_names import array_names
from numeric.compiler.comments import numbered_equations
from numeric.compiler.products import product, summed
from numeric.compiler.program import (
    BATCH,
    LENGTH,
    TEMPORARY,
    Argument,
    Block,
    Carry,
    Dims,
    Operand,
    Program,
    Statement,
    initial_name,
    name_of,
    promoted,
    together,
)


@dataclass
class _Lowering:
    """Statements of the block being written, and what is known of every name."""

    timeless: set[MatrixSymbol]
    slope_from: str
    names: Mapping[str, str] = field(default_factory=dict)
    dims: dict[str, Dims] = field(default_factory=dict)
    reserved: set[str] = field(default_factory=set)
    statements: list[Statement] = field(default_factory=list)
    prelude: list[Statement] = field(default_factory=list)
    known: dict[MatrixExpr, str] = field(default_factory=dict)
    count: int = 0
    in_loop: bool = True
    comments: dict[str, str] = field(default_factory=dict)
    values: dict[MatrixExpr, MatrixExpr] = field(default_factory=dict)

    def name_of(self, symbol: MatrixSymbol) -> str:
        return name_of(symbol, self.names)

    def is_timeless(self, expr: MatrixExpr) -> bool:
        return self.timeless.issuperset(symbols_of(expr))

    def layout(self, expr: MatrixExpr) -> Dims:
        """The dimensions of an expression's array: rows of samples, or as it stands."""
        rows, cols = expr.shape
        if not self.is_timeless(expr):
            if 1 not in (rows, cols):
                return (BATCH, rows, cols)
            return (BATCH, rows if cols == 1 else cols)
        return () if (rows, cols) == SCALAR else (rows,) if cols == 1 else (rows, cols)

    def emit(
        self, op: str, operands: Iterable[Operand], dims: Dims, *settings: object, name: str = ""
    ) -> str:
        if not name:
            self.count += 1
            name = f"{TEMPORARY}{self.count}"
        self.dims[name] = dims
        statement = Statement(
            name, op, tuple(operands), settings, comment=self.comments.get(name, "")
        )
        changing = [*dims, *(d for read in statement.reads for d in self.dims[read])]
        once = self.in_loop and op != "zeros" and not {BATCH, LENGTH}.intersection(changing)
        (self.prelude if once else self.statements).append(statement)
        return name

    # ---- expressions ------------------------------------------------------------------------

    def value(self, expr: MatrixExpr, name: str = "") -> Operand:
        """The operand that holds the expression; with a name, a statement that assigns it.

        Raises:
            TypeError: if the node has no lowering.
        """
        if expr in self.known and not name:
            return self.known[expr]
        number, rest = split_coefficient(expr)
        dims = self.layout(expr)
        if isinstance(rest, (OneMatrix, ZeroMatrix)):
            value = number if isinstance(rest, OneMatrix) else S.Zero
            return self.emit("spread", [value], dims, *dims, name=name) if name else value
        if isinstance(rest, Broadcast):
            return self.spread(scale(number, rest.args[0]), rest, dims, name)
        if number != 1:
            if number == -1:
                return self.emit("add", [self.value(rest)], dims, -1, name=name)
            return self.emit("multiply", [number, self.value(rest)], dims, name=name)
        match rest:
            case MatrixSymbol():
                operand: Operand = self.name_of(rest)
                return self.emit("add", [operand], dims, 1, name=name) if name else operand
            case MatAdd():
                return self.sum(rest, dims, name)
            case HadamardProduct():
                return self.entrywise("multiply", rest.args, dims, name)
            case Quotient():
                return self.entrywise("divide", rest.args, dims, name)
            case Extent(args=(extent,)):
                ones = self.emit("spread", [S.One], (extent,), extent)
                return self.emit("gather", [ones], (), name=name)
            case Maximum() | Minimum() | AtLeast() | Below():
                return self.entrywise(rest.name, rest.args, dims, name)
            case Elementwise():
                return self.function(rest, dims, name)
            case Slope():
                return self.slope(rest, dims, name)
            case VectorFunction():
                return self.emit(rest.name, [self.full(rest.args[0])], dims, name=name)
            case Concat():
                part_of = self.full if self.is_timeless(rest) else self.rows
                parts = [part_of(part) for part in rest.args]
                return self.emit("concat", parts, dims, name=name)
            case Rows():
                source, start, size = rest.args
                return self.emit("columns", [self.full(source)], dims, start, size, name=name)
            case Transpose() if rest.shape[0] == 1:
                return self.value(rest.arg, name)  # a row lies as its column does
            case Transpose():
                if self.is_timeless(rest):
                    return self.emit("transpose", [self.value(rest.arg)], dims, name=name)
                if len(dims) == 2:
                    return self.value(rest.arg, name)
                return self.emit("each_transpose", [self.value(rest.arg)], dims, name=name)
            case MatMul():
                return product(self, rest.args, dims, name)
        raise TypeError(f"no lowering for {type(rest).__name__}: add one to `_Lowering`")

    def spread(self, number: MatrixExpr, expr: Broadcast, dims: Dims, name: str) -> Operand:
        """A number at every entry: spread where that has a name, else as operations take it."""
        scalar = self.value(number)
        if len(dims) > 2 and not self.is_timeless(expr):
            scalar = self.emit("lift", [scalar], (BATCH, S.One, S.One))
        return self.emit("spread", [scalar], dims, *dims, name=name) if name else scalar

    def full(self, expr: MatrixExpr) -> Operand:
        """The operand in its full shape, where an operation looks at the shape."""
        operand = self.value(expr)
        dims = self.layout(expr)
        if isinstance(operand, str) and self.dims[operand][-len(dims) :] == dims:
            return operand
        return self.emit("spread", [operand], dims, *dims)

    def rows(self, expr: MatrixExpr) -> Operand:
        """The operand with one row for each sample, unless there are none to sum over."""
        operand = self.full(expr)
        if self.in_loop and self.is_timeless(expr):
            dims = (BATCH, expr.shape[0])
            return self.emit("spread", [operand], dims, *dims)
        return operand

    def sum(self, expr: MatAdd, dims: Dims, name: str) -> str:
        if (mirrored := self.mirrored(expr)) is not None:
            if mirrored in self.known and not name:
                return self.known[mirrored]
            own = f"one_minus_{self.value(negate(expr.args[1]))}"
            free = own not in self.dims and own not in self.reserved
            return self.function(mirrored, dims, name or own * free)
        signs, operands = [], []
        for term in expr.args:
            number, rest = split_coefficient(term)
            negative = number.is_negative
            signs.append(-1 if negative else 1)
            operands.append(self.value(negate(term) if negative and number != -1 else
                                       rest if negative else term))  # fmt: skip
        return self.fit(self.emit("add", operands, dims, *signs, name=name), operands, dims)

    def mirrored(self, expr: MatAdd) -> Elementwise | None:
        """1 − σ(a) as σ(−a), which keeps its digits where σ(a) is near 1; None for other sums."""
        one, *others = expr.args
        if self.slope_from == "output" or len(others) != 1 or not isinstance(one, OneMatrix):
            return None
        value = self.values.get(negate(others[0]))
        if not isinstance(value, Elementwise) or not value.function.is_mirrored:
            return None
        return Elementwise(value.args[0], negate(value.argument), *value.parameters)

    def entrywise(self, op: str, args: tuple[MatrixExpr, ...], dims: Dims, name: str) -> str:
        operands = [self.value(argument) for argument in args]
        return self.fit(self.emit(op, operands, dims, name=name), operands, dims)

    def fit(self, made: str, operands: list[Operand], dims: Dims) -> str:
        """The result itself if the operands together have its shape, else spread to it."""
        found = together([self.dims[o] for o in operands if isinstance(o, str)])
        if found[-len(dims) :] == dims:
            return made
        statements = self.prelude if self.prelude[-1:] and self.prelude[-1].target == made else (
            self.statements)  # fmt: skip
        statement = statements.pop()
        self.dims[(inner := f"{TEMPORARY}{made}")] = found
        statements.append(Statement(inner, statement.op, statement.operands, statement.settings))
        return self.emit("spread", [inner], dims, *dims, name=made)

    def function(self, expr: Elementwise, dims: Dims, name: str) -> str:
        """φ(a), kept under a name of its own so that the backward pass finds it."""
        argument = self.value(expr.argument)
        if not isinstance(argument, str):
            argument = self.full(expr.argument)
        if not name:
            spelled = f"{expr.function.name}_{argument}"
            name = "" if spelled in self.dims or spelled in self.reserved else spelled
        made = self.emit(
            "function", [argument], dims, expr.function.name, *expr.parameters, name=name
        )
        self.known[expr] = made
        return made

    def slope(self, expr: Slope, dims: Dims, name: str) -> str:
        output = self.known.get(Elementwise(*expr.args))
        settings = (expr.function.name, *expr.parameters)
        if self.slope_from == "output" and expr.function.slope_from_output is not None:
            operand = output or self.value(Elementwise(*expr.args))
            return self.emit("slope_from_output", [operand], dims, *settings, name=name)
        return self.emit("slope", [self.value(expr.argument)], dims, *settings, name=name)

    # ---- equations --------------------------------------------------------------------------

    def assign(self, equation: Equation) -> None:
        name = self.name_of(equation.target)
        if self.is_timeless(equation.value) and equation.target not in self.timeless:
            dims = self.layout(equation.target)
            self.emit("spread", [self.value(equation.value)], dims, *dims, name=name)
            return
        self.values[equation.target] = equation.value
        self.value(equation.value, name)
        if not isinstance(equation.value, MatrixSymbol):
            self.known.setdefault(equation.value, name)

    def zeros(self, symbol: MatrixSymbol) -> None:
        dims = self.layout(symbol)
        name = self.name_of(bar(symbol))
        self.dims[name] = dims
        self.statements.append(Statement(name, "zeros", (), dims))

    def accumulate(self, equation: AdjointEquation, each_step: bool) -> None:
        """Add the shares of one step, or those that come once, to a parameter's cotangent."""
        target = self.name_of(equation.target)
        for term in equation.terms:
            if term.each_step != each_step:
                continue
            made = summed(self, term.value) if each_step else None
            made = self.value(term.value) if made is None else made
            if isinstance(made, str) and BATCH in self.dims[made]:  # samples are added, not entries
                made = self.full(term.value) if self.dims[made][-1:] == (S.One,) else made
            comment = self.comments.get(target, "")
            reduced = isinstance(made, str) and self.dims[made] == self.dims[target]
            last = self.statements[-1] if self.statements else None
            fresh = last is not None and last.target == made and not last.accumulate
            if reduced and fresh and last is not None and last.op == "outer":
                self.statements[-1] = replace(last, target=target, accumulate=True, comment=comment)
            elif reduced:
                self.statements.append(Statement(target, "add", (made,), (1,), True, comment))
            else:
                settings = self.dims[target]
                self.statements.append(
                    Statement(target, "gather", (made,), settings, True, comment)
                )

    def blocks(self, phase: str, loop: str = "", carries: tuple[Carry, ...] = ()) -> list[Block]:
        """What was written since the last call: what is done once, then the rest."""
        once, rest = tuple(self.prelude), tuple(self.statements)
        self.prelude, self.statements = [], []
        made = [Block(phase, once), Block(phase, rest, loop, carries)]
        return [block for block in made if block.statements]


def lower(derivation: Derivation, slope_from: str = "output") -> Program:
    """The program of forward and backward pass; slopes from the "output" or the "input"."""
    cell = derivation.cell
    fixed = derivation.timeless
    targets = (equation.target for equation in derivation.forward)
    named = [s.name for s in (*cell.inputs, *cell.parameters, *cell.constants, *targets)]
    names = array_names(named)
    work = _Lowering({*fixed, *(bar(symbol) for symbol in fixed)}, slope_from, names)
    work.reserved = {names.get(name, name) for name in named}
    work.comments = {work.name_of(s): text for s, text in numbered_equations(derivation)}
    arguments: list[Argument] = []

    def argue(group: str, key: str, name: str, dims: tuple[Expr, ...]) -> None:
        arguments.append(Argument(group, key, name))
        work.dims[name] = dims

    for parameter in cell.parameters:
        argue("params", parameter.name, work.name_of(parameter), work.layout(parameter))
    for symbol in cell.inputs:
        argue("inputs", symbol.name, work.name_of(symbol), (LENGTH, *work.layout(symbol)))
    for state, before in zip(cell.states, cell.previous_states, strict=True):
        argue("initial", state.name, initial_name(work.name_of(state)), work.layout(state))
        for symbol in (state, before):
            work.dims[work.name_of(symbol)] = (LENGTH, *work.layout(state))
    for constant in cell.constants:
        lead = (LENGTH,) if constant.name in cell.sequences else ()
        argue("constants", constant.name, work.name_of(constant), (*lead, *work.layout(constant)))
    for symbol in cell.returned:
        dims = (LENGTH, *work.layout(symbol))
        argue("cotangents", symbol.name, work.name_of(from_loss(symbol)), dims)

    for equation in derivation.forward:
        work.assign(equation)
    blocks = work.blocks("forward", "forward")
    for adjoint in derivation.parameters:
        work.zeros(adjoint.of)
    blocks += work.blocks("backward")
    carries = []
    for state, handed in zip(cell.states, derivation.carries, strict=True):
        work.dims[work.name_of(carry(state))] = work.layout(state)
        carries.append(Carry(work.name_of(carry(state)), work.name_of(handed.target)))
    for adjoint in (*derivation.adjoint, *derivation.inputs):
        work.assign(adjoint)
    for adjoint in derivation.parameters:
        work.accumulate(adjoint, each_step=True)
    for adjoint in derivation.carries:
        work.assign(adjoint)
    blocks += work.blocks("backward", "reverse", tuple(carries))
    work.in_loop = False
    for adjoint in derivation.parameters:
        work.accumulate(adjoint, each_step=False)
    blocks += work.blocks("backward")

    results = [Argument("states", s.name, work.name_of(s)) for s in cell.returned]
    results += [Argument("params", p.name, work.name_of(bar(p))) for p in cell.parameters]
    results += [Argument("inputs", x.name, work.name_of(bar(x))) for x in cell.inputs]
    results += [Argument("initial", s.name, work.name_of(carry(s))) for s in cell.states]
    return promoted(
        Program(
            arguments=tuple(arguments),
            blocks=tuple(blocks),
            results=tuple(results),
            dims=work.dims,
            shifted={
                work.name_of(before): work.name_of(state)
                for state, before in zip(cell.states, cell.previous_states, strict=True)
            },
            comments=work.comments,
        )
    )
