"""Scalar expressions → presentation tree: times, norms, suprema, sums and powers of numbers.

In: scalar expressions, and a `Writer` for the matrices inside them. Out: boxes with the level at
which they bind; sums and products in the order in which the expression stores them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from sympy import (
    Abs,
    Add,
    Basic,
    Expr,
    MatAdd,
    MatMul,
    MatPow,
    MatrixExpr,
    Max,
    Mul,
    OneMatrix,
    Pow,
)
from sympy import Number as SympyNumber
from sympy import Symbol as SympySymbol
from sympy.core.numbers import Pi
from sympy.matrices.expressions import HadamardProduct

from derive.language.expr import Broadcast, Quotient
from derive.language.norms import (
    BlockBound,
    BlockSup,
    Component,
    Determinant,
    Entries,
    EntryProduct,
    EntrywiseAbs,
    EntrywiseSup,
    Extreme,
    Immediate,
    Infimum,
    Largest,
    MaxAbs,
    MinAbs,
    Norm,
    Radius,
    RowNorm,
    SingularMin,
    Smallest,
    StepProduct,
    Supremum,
)
from derive.language.pairs import Maximum, Minimum
from derive.language.reductions import Extent
from derive.typeset.boxes import (
    Box,
    Fenced,
    Fraction,
    Grid,
    Large,
    Number,
    Operator,
    Root,
    Row,
    Script,
    Sum,
    Symbol,
    row,
    sub,
    sup,
)
from derive.typeset.letters import spelled

SUM, PRODUCT, ATOM = 1, 2, 3
INDEX: Final = SympySymbol("i", integer=True)
"""Counts the entries of a column."""


class Writer(Protocol):
    """What writes the matrices inside a scalar."""

    @property
    def norms(self) -> str:
        """The letter of bounds on blocks."""

    @property
    def largest(self) -> str:
        """The letter of a function's largest slope."""

    @property
    def radius(self) -> str:
        """The letter of spectral radii."""

    @property
    def singular(self) -> str:
        """The letter of singular values."""

    def of(self, expr: Basic) -> Box:
        """The box of an expression."""

    def factor(self, expr: Basic, level: int = PRODUCT) -> Box:
        """The box of an expression where at least the level binds."""

    def time(self, time: Expr) -> Box:
        """The box of a time or a lag."""

    def plain(self, name: str) -> Box:
        """The box of a symbol, without time."""


def time_box(time: Expr, letters: Mapping[str, str]) -> Box:
    """A time or a lag: t, t − 1, k + 1, t − k, 0, T, of which some have letters given."""

    def lettered(symbol: Expr) -> Box:
        size = symbol.is_positive  # a size may have the letter of a time
        return Symbol(str(symbol) if size else letters.get(str(symbol), str(symbol)))

    if not time.is_Add:
        return Number(str(time)) if time.is_Number else lettered(time)
    terms = []
    for part in time.args:
        count, letter = part.as_coeff_Mul()
        made = Number(str(abs(count))) if letter == 1 else lettered(letter)
        terms.append((letter == 1, bool(count < 0), "−" if count < 0 else "+", made))
    terms.sort(key=lambda term: term[:2])
    return Sum(tuple(term[2:] for term in terms))


def is_uniform(vector: MatrixExpr) -> bool:
    """Whether every entry of the column is the same scalar by its form: 1 − α, Δt γ, 1/α."""
    if isinstance(vector, (MatAdd, HadamardProduct, MatMul, Quotient, Maximum, Minimum)):
        return all(part.is_Number or is_uniform(part) for part in vector.args)
    return isinstance(vector, (Broadcast, OneMatrix))


def scalar_box(write: Writer, expr: Basic) -> tuple[Box, int] | None:
    """The box of a scalar, or of a matrix of scalars, and how it binds; None if it is neither."""
    match expr:
        case SympySymbol(is_integer=True, is_positive=None):
            return write.time(expr), ATOM
        case SympySymbol():
            return spelled(str(expr)), ATOM
        case Norm(args=(OneMatrix(args=(rows, columns)),)):
            return Root(write.of(Extent(rows if columns == 1 else columns))), ATOM
        case Norm(args=(matrix,)):
            return sub(Fenced(write.of(matrix), "‖", "‖"), "2"), ATOM
        case MaxAbs(args=(column,)) if is_uniform(column) or column.shape == (1, 1):
            return Fenced(write.of(column), "|", "|"), ATOM
        case MaxAbs(args=(matrix,)) | RowNorm(args=(matrix,)):
            return sub(Fenced(write.of(matrix), "‖", "‖"), "∞"), ATOM
        case MinAbs(args=(column,)):
            inner = Fenced(_entry(write, column), "|", "|")
            return row(sub("min", write.time(INDEX)), inner), PRODUCT
        case Smallest(args=(column,)):
            return row(sub("min", write.time(INDEX)), _entry(write, column)), PRODUCT
        case Supremum(args=(body,)):
            return row(Symbol("sup"), write.factor(body)), PRODUCT
        case Infimum(args=(body,)):
            return row(Symbol("inf"), write.factor(body)), PRODUCT
        case Extreme(args=(kind, index, body)):
            return row(sub(kind.name, write.of(index)), write.factor(body)), PRODUCT
        case SingularMin(args=(matrix,)):
            return row(sub(write.singular, "min"), Fenced(write.of(matrix))), ATOM
        case BlockBound(args=(of, by, time)):
            index = row(write.plain(of.name), write.plain(by.name))
            return sub(Symbol(write.norms), index, ",", write.time(time)), ATOM
        case BlockSup(args=(of, by)):
            return sub(Symbol(write.norms), row(write.plain(of.name), write.plain(by.name))), ATOM
        case Component(args=(vector, state)):
            return sub(spelled(vector.name), write.plain(state.name)), ATOM
        case Radius(args=(matrix,)):
            return row(write.radius, Fenced(write.of(matrix))), ATOM
        case Determinant(args=(matrix,)):
            return row("det", write.factor(matrix, ATOM)), ATOM
        case EntryProduct(args=(column,)):
            return row(Large("∏", write.time(INDEX)), _entry(write, column)), PRODUCT
        case StepProduct(args=(body, index, latest, earliest)):
            lower = row(write.time(index), "=", write.time(latest))
            return row(Large("∏", lower, write.time(earliest)), write.factor(body)), PRODUCT
        case Entries():
            made, order = tuple(map(write.of, expr.args)), expr.order
            lines = (made[k : k + order] for k in range(0, order**2, order))
            return Grid(tuple(lines)), ATOM
        case EntrywiseSup(args=(column,)):
            return row(Symbol("sup"), Fenced(write.of(column), "|", "|")), ATOM
        case EntrywiseAbs(args=(matrix,)):
            return Fenced(write.of(matrix), "|", "|"), ATOM
        case Immediate(args=(of, by)):
            top = row(sup(Operator("∂"), Operator("+")), write.of(of))
            return Fraction(top, row("∂", write.of(by))), ATOM
        case Largest():
            return Symbol(write.largest), ATOM
        case Max(args=bodies):
            first, *others = bodies
            listed = [part for body in others for part in (", ", write.of(body))]
            return row("max", Fenced(row(write.of(first), *listed))), ATOM
        case Abs(args=(body,)):
            return Fenced(write.of(body), "|", "|"), ATOM
    return _arithmetic(write, expr)


def _arithmetic(write: Writer, expr: Basic) -> tuple[Box, int] | None:
    match expr:
        case Pi():
            return Symbol("pi"), ATOM
        case MatPow(args=(base, exponent)) | Pow(args=(base, exponent)):
            made = write.factor(base, ATOM)
            return sup(made, _exponent(write, exponent)), ATOM
        case Add() if all(_is_time(part) for part in expr.args):
            return write.time(expr), SUM
        case Add(args=terms):
            return Sum(tuple(_signed(write, term) for term in terms)), SUM
        case Mul(args=(SympyNumber() as number, *_)) if number < 0:
            return Sum((_signed(write, expr),)), SUM
        case Mul(args=factors):
            return row(*_factors(write, factors)), PRODUCT
    return None


def _is_time(part: Expr) -> bool:
    """Whether a summand is a number or a whole-numbered letter, as in t − k + 1."""
    letter = part.as_coeff_Mul()[1]
    return letter == 1 or bool(letter.is_Symbol and letter.is_integer)


def _entry(write: Writer, column: MatrixExpr) -> Box:
    inner = write.of(column)
    return sub(inner if isinstance(inner, Symbol) else Fenced(inner), write.time(INDEX))


def _signed(write: Writer, term: Expr) -> tuple[str, Box]:
    """A summand with its sign taken out."""
    match term:
        case SympyNumber() if term < 0:
            return "−", write.factor(-term)
        case Mul(args=(SympyNumber() as number, *rest)) if number < 0:
            left = rest if number == -1 else (-number, *rest)
            return "−", row(*_factors(write, tuple(left)))
    return "+", write.factor(term)


def _factors(write: Writer, factors: tuple[Expr, ...]) -> list[Box]:
    """The factors side by side; one that would swallow what follows it is put in parentheses."""
    made = [write.factor(part) for part in factors]
    return [
        Fenced(part) if _opens(part) and place < len(made) - 1 else part
        for place, part in enumerate(made)
    ]


def _opens(part: Box) -> bool:
    """Whether a ∏ over steps, sup, inf, max or min in front would reach over the next factor."""
    match part:
        case Row((Large(_, _, upper), *_)):
            return upper is not None
        case Row((Script(Symbol(name)) | Symbol(name), *_)):
            return name in {"sup", "inf", "max", "min"}
    return False


def _exponent(write: Writer, exponent: Expr) -> Box:
    """An exponent: t − k, −1, 1/2, 1/n."""
    if exponent.is_Integer and exponent < 0:
        return Sum((("−", Number(str(-exponent))),))
    top, bottom = exponent.as_numer_denom()
    if bottom != 1:
        below = write.of(bottom)
        return row(write.of(top), "/", below if isinstance(below, (Symbol, Number, Script)) else
                   Fenced(below))  # fmt: skip
    return write.time(exponent)
