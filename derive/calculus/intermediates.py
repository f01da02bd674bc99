"""Cell → forward equations in which every intermediate that a derivative meets has a name.

In: the author's equations. Out: the same computation, longer and flatter: the argument of a
function (the pre-activation), the vector a matrix meets, a compound factor of ⊙ or ⊘ become
equations of their own, placed before the one that uses them. What is equal gets one name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sympy import MatAdd, MatMul, MatrixExpr, MatrixSymbol, Number, OneMatrix, Transpose, ZeroMatrix
from sympy.matrices.expressions import DiagMatrix, HadamardProduct

from derive.cell import Cell, Equation, timeless_symbols
from derive.language.expr import (
    Broadcast,
    Concat,
    Elementwise,
    Quotient,
    VectorFunction,
    split_coefficient,
    symbols_of,
)
from derive.language.pairs import Maximum, Minimum
from derive.language.reductions import Extent
from derive.language.syntax import PREVIOUS
from derive.typeset.boxes import ACCENTS, Box, Symbol
from derive.typeset.letters import join, parse_latex, word

_MARKS: Final = frozenset((*ACCENTS, PREVIOUS.strip("_")))
"""What a name says of the letter before it; a state may be called so as well."""
_LETTERS: Final = ("a", "u", "q", "M", "v")
PREACTIVATION, OPERAND, FACTOR, MATRIX, STACK = _LETTERS


@dataclass
class _Namer:
    """`stems` are what the first intermediates of every symbol may be called."""

    taken: set[str]
    stems: frozenset[str] = frozenset()
    timeless: set[MatrixSymbol] = field(default_factory=set)
    target: str = ""
    names: dict[MatrixExpr, MatrixSymbol] = field(default_factory=dict)
    equations: list[Equation] = field(default_factory=list)

    def name(self, value: MatrixExpr, letter: str) -> MatrixExpr:
        """The symbol that stands for the value; symbols and numbers stand for themselves."""
        if isinstance(split_coefficient(value)[1], OneMatrix | ZeroMatrix | Extent) or isinstance(
            value, MatrixSymbol
        ):
            return value
        if value not in self.names:
            self.names[value] = MatrixSymbol(self.fresh(letter), *value.shape)
            self.equations.append(Equation(self.names[value], value))
            if self.timeless.issuperset(symbols_of(value)):
                self.timeless.add(self.names[value])
        return self.names[value]

    def fresh(self, letter: str) -> str:
        marked = self.target.partition("_")[0] in _MARKS  # a_prev would be the a of a step before
        stem = name = letter if marked else f"{letter}_{self.target}"
        count = 1
        while name in self.taken or (count > 1 and name in self.stems):
            count += 1
            name = f"{stem}_{count}"
        self.taken.add(name)
        return name

    def flat(self, node: MatrixExpr) -> MatrixExpr:
        """The node with names in place of its compound parts."""
        match node:
            case Elementwise():
                argument = self.name(self.flat(node.argument), PREACTIVATION)
                return Elementwise(node.args[0], argument, *node.parameters)
            case VectorFunction():
                return type(node)(self.name(self.flat(node.args[0]), PREACTIVATION))
            case Concat():
                return Concat(*(self.name(self.flat(part), OPERAND) for part in node.args))
            case Quotient() | Maximum() | Minimum():
                return type(node)(*(self.name(self.flat(part), FACTOR) for part in node.args))
            case Broadcast():
                return Broadcast(self.factor(self.flat(node.args[0])), *node.shape)
            case MatMul():
                return self.matmul(node)
            case HadamardProduct():
                return HadamardProduct(*(self.factor(self.flat(part)) for part in node.args))
            case MatAdd():
                return MatAdd(*map(self.flat, node.args))
            case Transpose():
                letter = OPERAND if node.arg.shape[1] == 1 else MATRIX
                return Transpose(self.name(self.flat(node.arg), letter))
            case DiagMatrix():
                return DiagMatrix(self.name(self.flat(node.args[0]), OPERAND))
        return node

    def matmul(self, node: MatMul) -> MatrixExpr:
        number, rest = split_coefficient(node)
        if not isinstance(rest, MatMul):
            return MatMul(number, self.flat(rest))
        factors = [self.side(self.flat(factor)) for factor in rest.args]
        is_sum = isinstance(factors[0], OneMatrix) and factors[0].shape[0] == 1
        while len(factors) > 2:
            fixed = not is_sum and self.timeless.issuperset(symbols_of(MatMul(*factors[:2])))
            first = 0 if fixed or factors[-1].shape[1] != 1 else len(factors) - 2
            inner = MatMul(*factors[first : first + 2])
            factors[first : first + 2] = [self.side(inner)]
        return MatMul(*([] if number == 1 else [number]), *factors)

    def side(self, factor: MatrixExpr) -> MatrixExpr:
        """A factor of a matrix product: a name, one transposed, or the diagonal of one."""
        if isinstance(factor, (Transpose, DiagMatrix)):
            return factor
        if isinstance(factor, Concat):
            return self.name(factor, STACK)
        return self.name(factor, OPERAND if factor.shape[1] == 1 else MATRIX)

    def factor(self, node: MatrixExpr) -> MatrixExpr:
        """A factor may stay as it is if one look tells its derivative: φ(symbol), 1 − symbol."""
        if isinstance(node, (Elementwise, Broadcast)) or _is_affine(node):
            return node
        return self.name(node, FACTOR)


def _is_affine(node: MatrixExpr) -> bool:
    """Whether the node is a sum of symbols and numbers."""
    terms = node.args if isinstance(node, MatAdd) else (node,)
    leaves = (split_coefficient(term)[1] for term in terms)
    return all(
        isinstance(leaf, (MatrixSymbol, OneMatrix))
        or (isinstance(leaf, Broadcast) and isinstance(leaf.args[0], (MatrixSymbol, Number)))
        for leaf in leaves
    )


def name_intermediates(cell: Cell) -> tuple[Equation, ...]:
    """The cell's equations with every intermediate named, in an order that can be computed."""
    symbols = (*cell.inputs, *cell.states, *cell.parameters, *cell.constants)
    fixed = timeless_symbols(cell, cell.equations)
    namer = _Namer({symbol.name for symbol in symbols}, timeless={*fixed})
    namer.taken |= {symbol.name for symbol in cell.previous_states}
    targets = {equation.target.name for equation in cell.equations}
    namer.taken |= targets
    namer.stems = frozenset(f"{letter}_{of}" for letter in _LETTERS for of in targets)
    for equation in cell.equations:
        namer.target = equation.target.name
        value = namer.flat(equation.value)
        namer.names.setdefault(value, equation.target)
        namer.equations.append(Equation(equation.target, value))
    return tuple(namer.equations)


def letters_of(cell: Cell, equations: Iterable[Equation]) -> Mapping[str, Box]:
    """How intermediates of a symbol with LaTeX of its own are written: that stands below them."""
    own = {equation.target.name for equation in cell.equations}
    found = {}
    for name in (equation.target.name for equation in equations):
        letter, _, of = name.partition("_")
        count = ""
        if of not in own:
            of, _, count = of.rpartition("_")
        if name not in own and (given := cell.latex.get(of)) and of in own:
            below = [parse_latex(given), *([word(count)] if count else [])]
            found[name] = join(Symbol(letter), below)
    return found
