"""Expressions → presentation tree: the one place that knows how mathematics is written.

In: matrix expressions, with or without time, and what a cell says of its symbols. Out: boxes,
their terms in the order in which the expression stores them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sympy import (
    Add,
    Basic,
    Expr,
    Identity,
    MatAdd,
    MatMul,
    MatrixExpr,
    MatrixSymbol,
    Mul,
    OneMatrix,
    Pow,
    Rational,
    Transpose,
    ZeroMatrix,
)
from sympy import Number as SympyNumber
from sympy.matrices.expressions import DiagMatrix, HadamardProduct

from derive.language.expr import (
    SCALAR,
    At,
    Blocks,
    Broadcast,
    Columns,
    Concat,
    Elementwise,
    Partial,
    Quotient,
    Rows,
    Slope,
    TimeProduct,
    TimeSum,
    VectorFunction,
    size_name,
    split_coefficient,
)
from derive.language.functions import ElementwiseFunction, slope_name
from derive.language.maps import LinearMap, Vec
from derive.language.pairs import AtLeast, Below, Maximum, Minimum
from derive.language.reductions import Extent
from derive.language.syntax import BAR, CARRY, DOT, LOSS, PREVIOUS
from derive.typeset import boxes, forms
from derive.typeset.boxes import (
    Box,
    Fenced,
    Fraction,
    Grid,
    Marked,
    Number,
    Row,
    Script,
    Sum,
    Symbol,
    row,
    sub,
    sup,
)
from derive.typeset.forms import decimal, is_cotangent, opens, scaled, squared, two_columns
from derive.typeset.letters import join, parse_latex, spelled, subscript, word
from derive.typeset.scalars import ATOM, INDEX, PRODUCT, SUM, is_uniform, scalar_box, time_box

_ENDINGS: Final = (PREVIOUS + BAR, PREVIOUS + DOT, LOSS, CARRY, BAR, DOT, PREVIOUS)


@dataclass(frozen=True)
class Notation:
    """How a cell's symbols are written: LaTeX given by the author; which names bear a time.

    `timed` holds the names that change with time; the plain symbol then means step `now`.
    `letters` gives the box of a name outright, before anything else is asked. `earlier` is the
    letter of a time before t, where a Jacobian is of two; `loss`, `length` and `norms` are those
    of the loss, of the last time and of bounds on blocks, `factor` and `index` those that count
    the factors of a product and the entries of a column, `largest`, `radius` and `singular` those
    of a largest slope, spectral radii and singular values; `whole` are names that are no letters.
    """

    latex: Mapping[str, str] = field(default_factory=dict)
    timed: frozenset[str] = frozenset()
    now: str = "t"
    letters: Mapping[str, Box] = field(default_factory=dict)
    earlier: str = "k"
    loss: str = "L"
    length: str = "T"
    norms: str = "N"
    factor: str = "j"
    index: str = "i"
    largest: str = "gamma"
    radius: str = "rho"
    singular: str = "sigma"
    whole: frozenset[str] = frozenset()


PLAIN: Final = Notation()


def size_box(extent: Expr) -> Box:
    """A size: n, n + m, 2n, 2."""
    if extent.has(Pow) or any(term.is_Mul for term in Add.make_args(extent)):
        return _entries_box(extent)
    made: list[tuple[str, Box]] = []
    for name, times in Counter(size_name(extent).split("+")).items():
        head, *below = name.split("_")
        symbol = join(word(head), [subscript(part) for part in below])
        made.append(("+", symbol if times == 1 else row(Number(str(times)), symbol)))
    return made[0][1] if len(made) == 1 else Sum(tuple(made))


def _entries_box(extent: Expr) -> Box:
    """How many entries matrices have: n k + m, n²; 2 n."""
    terms: list[tuple[str, Box]] = []
    for term in Add.make_args(extent):
        number, rest = term.as_coeff_Mul()
        parts: list[Box] = [] if number == 1 else [Number(str(number))]
        factors = sorted(Mul.make_args(rest), key=lambda f: ("nk".find(str(f)[0]) % 3, str(f)))
        for factor in factors:
            base, power = factor.as_base_exp()
            box = size_box(base)
            parts.append(box if power == 1 else sup(box, Number(str(power))))
        terms.append(("+", row(*parts) if len(parts) > 1 else parts[0]))
    terms.sort(key=lambda term: not isinstance(term[1], Row))
    return terms[0][1] if len(terms) == 1 else Sum(tuple(terms))


def space_of(expr: MatrixExpr) -> Box:
    """The space a matrix lives in: ℝ^{n×m}, ℝ^n for a column, ℝ for a scalar."""
    rows, cols = expr.shape
    if (rows, cols) == (1, 1):
        return Symbol("ℝ")
    if cols == 1:
        return sup(Symbol("ℝ"), size_box(rows))
    sides = (
        Fenced(made) if isinstance(made, Sum) else made for made in map(size_box, (rows, cols))
    )
    first, second = sides
    return sup(Symbol("ℝ"), row(first, "×", second))


def size_shift(start: Expr, extent: Expr) -> Box:
    """The index range of `extent` rows after the first `start`: 1:n, n+1:n+m."""
    first = Number("1") if start == 0 else Sum((("+", size_box(start)), ("+", Number("1"))))
    return row(first, ":", size_box(extent if start == 0 else start + extent))


class Layout:
    """Builds the boxes of expressions, symbols and equations in one cell's notation."""

    def __init__(self, notation: Notation = PLAIN) -> None:
        self.notation, self.norms, self.largest = notation, notation.norms, notation.largest
        self.radius, self.singular = notation.radius, notation.singular
        counts = notation.earlier, notation.length, notation.factor, notation.index
        self.letters = dict(zip("kTji", counts, strict=True))

    def symbol(self, name: str, time: Box | None = None) -> Box:
        """A symbol by name, at a time or none: primal, cotangent, or a part of a cotangent."""
        now = Symbol(self.notation.now)
        ending = next((end for end in _ENDINGS if name.endswith(end)), "")
        base = name.removesuffix(ending)
        if ending in {PREVIOUS, PREVIOUS + BAR, PREVIOUS + DOT}:
            time = Sum((("+", now), ("−", Number("1"))))
        elif time is None and (ending == LOSS or base in self.notation.timed):
            time = now
        made = self.notation.letters.get(base)
        if made is None:
            given = self.notation.latex.get(base)
            made = parse_latex(given) if given else spelled(base, self.notation.whole)
        if ending == LOSS:
            loss = row("∂", sub(self.notation.loss, time or now))
            return Marked(Fraction(loss, row("∂", sub(made, time or now))))
        kind = {BAR: "bar", CARRY: "carry", PREVIOUS + BAR: "carry", DOT: "dot",
                PREVIOUS + DOT: "dot"}.get(ending)  # fmt: skip
        if kind:
            made = boxes.accent(kind, made)
        made = made if time is None else sub(made, time)
        return Marked(made) if kind and kind != "dot" else made

    def of(self, expr: Basic) -> Box:
        """The box of an expression."""
        return self._level(expr)[0]

    def time(self, time: Expr) -> Box:
        """A time or a lag, in the letters of the notation."""
        return time_box(time, self.letters)

    def plain(self, name: str) -> Box:
        """A symbol by name, as its author writes it, without time."""
        return Layout(Notation(self.notation.latex, whole=self.notation.whole)).symbol(name)

    def factor(self, expr: Basic, level: int = PRODUCT) -> Box:
        """The box of an expression where at least the level binds; in parentheses if less."""
        made, binds = self._level(expr)
        return made if binds >= level else Fenced(made)

    def function(self, row_: ElementwiseFunction, primed: bool = False) -> Box:
        """φ or φ′; ψ with its name where the slope is declared."""
        if primed and row_.surrogate is not None:
            return sub("psi", Symbol(slope_name(row_).replace("_", " ")))
        name = parse_latex(row_.latex)
        return sup(name, boxes.PRIME) if primed else name

    def partial(self, of: Basic, by: Basic) -> Box:
        """∂u/∂v as a fraction."""
        return Fraction(row("∂", self.of(of)), row("∂", self.of(by)))

    def _level(self, expr: Basic) -> tuple[Box, int]:
        match expr:
            case MatrixSymbol():
                return self.symbol(expr.name), ATOM
            case At():
                return self.symbol(expr.args[0].name, self.time(expr.args[1])), ATOM
            case SympyNumber():
                return self._number(expr)
            case ZeroMatrix():
                return Number("0"), ATOM
            case OneMatrix():
                return Number("1"), ATOM
            case Identity():
                return Symbol("I"), ATOM
            case MatAdd():
                return self._sum(expr.args), SUM
            case MatMul():
                return self._product(expr)
            case HadamardProduct():
                return self._hadamard(expr.args), PRODUCT
            case Quotient(args=(top, bottom)):
                return Fraction(self.of(top), self.of(bottom)), ATOM
            case Extent(args=(extent,)):
                return size_box(extent), ATOM if extent.is_Symbol else SUM
            case Maximum(args=pair) | Minimum(args=pair):
                name = Symbol("max" if isinstance(expr, Maximum) else "min")
                return row(name, Fenced(self._between(",", pair))), ATOM
            case AtLeast(args=pair) | Below(args=pair):
                sign = "≥" if isinstance(expr, AtLeast) else "<"
                return Fenced(self._between(sign, pair), "[", "]"), ATOM
            case Broadcast(args=(scalar, *_)):
                return self._level(scalar)
            case Elementwise(argument=inner) if expr.function.name == "abs":
                return Fenced(self.of(inner), "|", "|"), ATOM
            case Elementwise(argument=inner) if expr.function.name == "sqrt":
                return self._root(inner), ATOM
            case Slope(argument=inner) if expr.function.name == "sqrt":
                return Fraction(Number("1"), row("2", self._root(inner))), ATOM
            case Elementwise() | Slope():
                return self._applied(expr), ATOM
            case VectorFunction(args=(argument,)):
                return row(expr.name, Fenced(self.of(argument))), ATOM
            case Transpose():
                return sup(self.factor(expr.arg, ATOM), boxes.TRANSPOSED), ATOM
            case DiagMatrix(args=(vector,)) if is_uniform(vector):
                return row(self.factor(vector), "I"), PRODUCT
            case DiagMatrix():
                return row("diag", Fenced(self.of(expr.args[0]))), ATOM
            case Concat():
                return Grid(tuple((self.of(part),) for part in expr.args)), ATOM
            case Blocks():
                entries, order = tuple(map(self.of, expr.args)), expr.order
                return Grid(tuple(entries[k : k + order] for k in range(0, order**2, order))), ATOM
            case Rows(args=(argument, start, extent)):
                return self._part(argument, size_shift(start, extent)), ATOM
            case Columns(args=(argument, start, extent)):
                return self._part(argument, row(":", ",", size_shift(start, extent))), ATOM
            case Partial(args=(of, by)):
                return self.partial(of, by), ATOM
            case LinearMap(args=(body, change)):
                return row(self.of(change), "↦", self.of(body)), SUM
            case Vec(args=(argument,)):
                return row("vec", Fenced(self.of(argument))), ATOM
            case TimeSum(args=(body, index, first, last)):
                limits = self.time(first), self.time(last)
                return self._large("∑", self.time(index), *limits, body), PRODUCT
            case TimeProduct(args=(body, index, latest, earliest)):
                limits = self.time(latest), self.time(earliest)
                return self._large("∏", self.time(index), *limits, body), PRODUCT
        found = scalar_box(self, expr)
        if found is not None:
            return found
        raise TypeError(f"no way to write {type(expr).__name__}: give it a case in layout.py")

    def _root(self, inner: MatrixExpr) -> Box:
        """√a, or ‖a‖₂ where a sum of squares is within."""
        column = squared(inner)
        return boxes.Root(self.of(inner)) if column is None else sub(
            Fenced(self.of(column), "‖", "‖"), "2")  # fmt: skip

    def _between(self, sign: str, pair: tuple[MatrixExpr, ...]) -> Box:
        one, two = map(self.of, pair)
        return row(one, boxes.Operator(sign), two)

    def _number(self, number: SympyNumber) -> tuple[Box, int]:
        if number < 0:
            return Sum((("−", self._number(-number)[0]),)), SUM
        if isinstance(number, Rational) and number.q != 1:
            if text := decimal(number):
                return Number(text), ATOM
            return Fraction(Number(str(number.p)), Number(str(number.q))), ATOM
        return Number(str(number)), ATOM

    def _sum(self, args: tuple[MatrixExpr, ...]) -> Box:
        terms = []
        for place, term in enumerate(args):
            number, rest = split_coefficient(term)
            sign = "−" if number < 0 else "+"
            unsigned = term if number > 0 else scaled(-number, rest)
            made, binds = self._level(unsigned)
            is_open = opens(made) and place < len(args) - 1
            terms.append((sign, Fenced(made) if binds == SUM or is_open else made))
        return Sum(tuple(terms))

    def _product(self, expr: MatMul) -> tuple[Box, int]:
        number, rest = split_coefficient(expr)
        if number < 0:
            return self._sum((expr,)), SUM
        factors = list(rest.args if isinstance(rest, MatMul) else (rest,))
        if isinstance(rest, OneMatrix):
            return self._number(number)
        if forms.sums_entries(factors):
            if (pair := two_columns(factors[1])) is not None:
                one, two = (self.factor(part, ATOM) for part in pair)
                return row(*self._lead(number), sup(one, boxes.TRANSPOSED), two), PRODUCT
            inner = self.of(factors[1])
            bare = isinstance(inner, (Symbol, Script, Marked))
            entry = sub(inner if bare else Fenced(inner), self.time(INDEX))
            made: list[Box] = [boxes.Large("∑", self.time(INDEX)), entry]
        else:
            scalars = [isinstance(f, DiagMatrix) and is_uniform(f.args[0]) for f in factors]
            if any(scalars) and not all(scalars):
                factors = [f.args[0] if alone else f
                           for f, alone in zip(factors, scalars, strict=True)]  # fmt: skip
            made = [
                self._ones(part) if isinstance(part, OneMatrix) else self.factor(part, ATOM)
                if isinstance(part, (HadamardProduct, MatAdd)) and not is_uniform(part)
                else self._closed(part, last)
                for part, last in zip(factors, [False] * (len(factors) - 1) + [True], strict=True)
            ]  # fmt: skip
        return forms.multiplied([*self._lead(number), *made]), PRODUCT

    def _lead(self, number: SympyNumber) -> list[Box]:
        return [] if number == 1 else [self._number(number)[0]]

    def _closed(self, part: MatrixExpr, last: bool) -> Box:
        made = self.factor(part)
        return Fenced(made) if opens(made) and not last else made

    def _ones(self, ones: OneMatrix) -> Box:
        rows, cols = ones.shape
        return Script(Number("1"), sub=size_box(rows)) if cols == 1 else sup(
            Script(Number("1"), sub=size_box(cols)), boxes.TRANSPOSED)  # fmt: skip

    def _hadamard(self, factors: tuple[MatrixExpr, ...]) -> Box:
        items: list[Box] = []
        if is_cotangent(factors[0]):  # its scalar factors are ours to place: in front
            factors = tuple(sorted(factors, key=lambda part: not isinstance(part, Broadcast)))
        repeated = Counter(part for part in factors if isinstance(part, Broadcast))
        column = False  # among the factors so far
        for place, part in enumerate(factors):
            scalar = isinstance(part, Broadcast) or part.shape == SCALAR
            if column and not scalar:
                items.append(boxes.Operator("⊙"))
            column |= not scalar
            if repeated[part] > 1:
                if part not in factors[:place]:
                    items.append(sup(self.factor(part, ATOM), Number(str(repeated[part]))))
                continue
            made = self.factor(part, PRODUCT if isinstance(part, Broadcast) else ATOM)
            items.append(Fenced(made) if opens(made) and place < len(factors) - 1 else made)
        return forms.multiplied(items)

    def _applied(self, expr: Elementwise | Slope) -> Box:
        name = self.function(expr.function, isinstance(expr, Slope))
        inside = [self.of(expr.argument)]
        plain = isinstance(expr, Elementwise) and expr.function.surrogate is not None
        for number in () if plain else expr.parameters:
            inside += [boxes.Operator(";" if len(inside) == 1 else ","), self._number(number)[0]]
        return row(name, Fenced(row(*inside)))

    def _part(self, argument: MatrixExpr, index: Box) -> Box:
        inner = self.of(argument)
        marked = isinstance(inner, Marked)
        made = Script(Fenced(inner, "[", "]"), sub=index)
        return Marked(made) if marked else made

    def _large(self, sign: str, index: Box, first: Box, last: Box, body: MatrixExpr) -> Box:
        inner, binds = self._level(body)
        head = boxes.Large(sign, row(index, "=", first), last)
        if binds == SUM:
            return Row((head, Fenced(inner)))
        return Row((head, *(inner.items if isinstance(inner, Row) else (inner,))))
