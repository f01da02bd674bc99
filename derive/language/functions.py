"""The elementwise functions of a cell: formula, slope, range. The one table that knows them.

In: a name as an author writes it. Out: an `ElementwiseFunction`. A spelling for a target
language (NumPy, LaTeX) belongs to that language's printer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from typing import Final

from sympy import (
    Expr,
    Heaviside,
    Interval,
    Number,
    Piecewise,
    Rational,
    S,
    Set,
    Symbol,
    atan,
    cos,
    erf,
    exp,
    log,
    pi,
    simplify,
    sin,
    sqrt,
    tanh,
)
from sympy import Max as EvaluatedMax
from sympy import Min as EvaluatedMin

from derive.language.syntax import STEP

X: Final = Symbol("x", real=True)
Y: Final = Symbol("y", real=True)
ALPHA: Final = Symbol("alpha", positive=True)
BETA: Final = Symbol("beta", positive=True)
# As they stand: SymPy asks of any two arguments which is larger, half the time of making this table
Max: Final = partial(EvaluatedMax, evaluate=False)
Min: Final = partial(EvaluatedMin, evaluate=False)


@dataclass(frozen=True)
class ElementwiseFunction:
    """φ applied to every entry: y = φ(x), slope φ′(x), and φ′ through y where that is possible.

    Assumes: `range` and `slope_range` hold for the default parameters, where the argument lies in
    `domain`, and `ranges` are both of them in the letters of the parameters; at a kink `slope`
    takes the value that `kink` states first (a subgradient), and then the places. Where there is a
    `surrogate`, the slope is declared: the derivative of that formula, not of the function's own.
    """

    name: str
    formula: Expr
    slope: Expr
    slope_from_output: Expr | None
    range: Set
    slope_range: Set
    latex: str
    parameters: tuple[tuple[Symbol, Number], ...] = ()
    kink: tuple[str, ...] = ()
    domain: Set = S.Reals
    surrogate: Expr | None = None
    ranges: tuple[Set, Set] | None = None

    def __post_init__(self) -> None:
        """Refuse a row with symbols nobody will bind, or with ranges that disagree.

        Raises:
            ValueError: if a formula uses a symbol other than x, y and the parameters, or `ranges`
                are left out or others at the default parameters.
        """
        both = self.ranges or ((self.range, self.slope_range) if not self.parameters else ())
        if tuple(self.bind(one, ()) for one in both) != (self.range, self.slope_range):
            raise ValueError(f"function {self.name!r}: `ranges` at the defaults: expected "
                             f"{self.range}, {self.slope_range}, came {self.ranges}")  # fmt: skip
        bound = {symbol for symbol, _ in self.parameters}
        for what, expr, own in (
            ("formula", self.formula, {X}),
            ("slope", self.slope, {X}),
            ("slope_from_output", self.slope_from_output or S.Zero, {Y}),
            ("surrogate", self.surrogate or S.Zero, {X}),
        ):
            if unknown := expr.free_symbols - own - bound:
                raise ValueError(f"function {self.name!r}: {what} uses unbound {unknown}")

    def __hash__(self) -> int:
        """By what no two rows share: SymPy writes a set out each time that it hashes it."""
        return hash((self.name, self.formula))

    @property
    def largest_slope(self) -> Expr:
        """γ = sup |φ′|; infinite where there is no bound."""
        return max(abs(self.slope_range.inf), abs(self.slope_range.sup))

    @property
    def needs(self) -> str:
        """What the argument has to be, in words; nothing if any number will do."""
        if self.domain == S.Reals:
            return ""
        return "positive" if self.domain.left_open else "not negative"

    @cached_property
    def is_mirrored(self) -> bool:
        """Whether 1 − φ(x) = φ(−x)."""
        half = self.formula.subs(X, 0) == Rational(1, 2)
        return bool(half and simplify(self.formula + self.formula.subs(X, -X) - 1) == 0)

    def at(self, parameters: tuple[Number, ...]) -> ElementwiseFunction:
        """The row of one variable alone: these parameters put in, defaults where none is given."""
        if not self.parameters:
            return self
        held, slopes = self.ranges or (self.range, self.slope_range)
        through, declared = self.slope_from_output, self.surrogate

        def bound(expr: Expr) -> Expr:
            return self.bind(expr, parameters)

        return replace(
            self, formula=bound(self.formula), slope=bound(self.slope),
            slope_from_output=None if through is None else bound(through),
            surrogate=None if declared is None else bound(declared),
            range=bound(held), slope_range=bound(slopes), parameters=(), ranges=None,
        )  # fmt: skip

    def bind(self, expr: Expr, parameters: tuple[Number, ...]) -> Expr:
        """The expression with the parameters put in; defaults where none is given."""
        given = parameters + tuple(default for _, default in self.parameters[len(parameters) :])
        return expr.subs({
            symbol: value for (symbol, _), value in zip(self.parameters, given, strict=True)
        })


_PRIME: Final = "′"
_SIGMOID = 1 / (1 + exp(-X))
_GELU_INNER = sqrt(2 / pi) * (X + Rational("0.044715") * X**3)

_ROWS = (
    ElementwiseFunction(
        "tanh", tanh(X), 1 - tanh(X) ** 2, 1 - Y**2,
        Interval(-1, 1), Interval(0, 1), r"\tanh",
    ),
    ElementwiseFunction(
        "sigmoid", _SIGMOID, _SIGMOID * (1 - _SIGMOID), Y * (1 - Y),
        Interval(0, 1), Interval(0, Rational(1, 4)), r"\sigma",
    ),
    ElementwiseFunction(
        "identity", X, S.One, S.One,
        S.Reals, Interval(1, 1), r"\operatorname{id}",
    ),
    ElementwiseFunction(
        "relu", Max(X, 0), Heaviside(X, 0), Heaviside(Y, 0),
        Interval(0, S.Infinity), Interval(0, 1), r"\operatorname{relu}",
        kink=("0", "0"),
    ),
    ElementwiseFunction(
        "leaky_relu", Piecewise((X, X > 0), (ALPHA * X, True)),
        Piecewise((1, X > 0), (ALPHA, True)), Piecewise((1, Y > 0), (ALPHA, True)),
        S.Reals, Interval(Rational(1, 100), 1), r"\operatorname{lrelu}",
        parameters=((ALPHA, Rational(1, 100)),), kink=("α", "0"),
        ranges=(S.Reals, Interval(Min(1, ALPHA), Max(1, ALPHA))),
    ),
    ElementwiseFunction(
        "elu", Piecewise((X, X > 0), (ALPHA * (exp(X) - 1), True)),
        Piecewise((1, X > 0), (ALPHA * exp(X), True)), Piecewise((1, Y > 0), (Y + ALPHA, True)),
        Interval(-1, S.Infinity), Interval(0, 1), r"\operatorname{elu}",
        parameters=((ALPHA, S.One),), kink=("α", "0"),
        ranges=(Interval(-ALPHA, S.Infinity), Interval(0, Max(1, ALPHA))),
    ),
    ElementwiseFunction(
        "softplus", log(1 + exp(X)), _SIGMOID, 1 - exp(-Y),
        Interval(0, S.Infinity), Interval(0, 1), r"\operatorname{softplus}",
    ),
    ElementwiseFunction(
        "softsign", Piecewise((X / (1 + X), X > 0), (X / (1 - X), True)),
        Piecewise((1 / (1 + X) ** 2, X > 0), (1 / (1 - X) ** 2, True)),
        Piecewise(((1 - Y) ** 2, Y > 0), ((1 + Y) ** 2, True)),
        Interval(-1, 1), Interval(0, 1), r"\operatorname{softsign}",
    ),
    ElementwiseFunction(
        "hard_sigmoid", Min(Max(X / 5 + Rational(1, 2), 0), 1),
        Piecewise((Rational(1, 5), (Rational(-5, 2) < X) & (Rational(5, 2) > X)), (0, True)),
        Piecewise((Rational(1, 5), (Y > 0) & (Y < 1)), (0, True)),
        Interval(0, 1), Interval(0, Rational(1, 5)), r"\operatorname{hsigm}",
        kink=("0", "±5/2"),
    ),
    ElementwiseFunction(
        "hard_tanh", Min(Max(X, -1), 1),
        Piecewise((1, (X > -1) & (X < 1)), (0, True)),
        Piecewise((1, (Y > -1) & (Y < 1)), (0, True)),
        Interval(-1, 1), Interval(0, 1), r"\operatorname{htanh}",
        kink=("0", "±1"),
    ),
    ElementwiseFunction(
        "scaled_tanh", ALPHA * tanh(BETA * X),
        ALPHA * BETA * (1 - tanh(BETA * X) ** 2), BETA * (ALPHA - Y**2 / ALPHA),
        Interval(-Rational("1.7159"), Rational("1.7159")),
        Interval(0, Rational("1.7159") * Rational(2, 3)), r"\operatorname{stanh}",
        parameters=((ALPHA, Rational("1.7159")), (BETA, Rational(2, 3))),
        ranges=(Interval(-ALPHA, ALPHA), Interval(0, ALPHA * BETA)),
    ),
    ElementwiseFunction(
        "exp", exp(X), exp(X), Y,
        Interval(0, S.Infinity), Interval(0, S.Infinity), r"\exp",
    ),
    ElementwiseFunction(
        "log", log(X), 1 / X, None,
        S.Reals, Interval(0, S.Infinity), r"\log", domain=Interval.Lopen(0, S.Infinity),
    ),
    ElementwiseFunction(
        "sqrt", sqrt(X), 1 / (2 * sqrt(X)), 1 / (2 * Y),
        Interval(0, S.Infinity), Interval(0, S.Infinity), r"\operatorname{sqrt}",
        domain=Interval(0, S.Infinity),
    ),
    ElementwiseFunction(
        "abs", Piecewise((X, X > 0), (-X, X < 0), (0, True)),
        Piecewise((1, X > 0), (-1, X < 0), (0, True)), None,
        Interval(0, S.Infinity), Interval(-1, 1), r"\operatorname{abs}",
        kink=("0", "0"),
    ),
    ElementwiseFunction(
        "sin", sin(X), cos(X), None,
        Interval(-1, 1), Interval(-1, 1), r"\sin",
    ),
    ElementwiseFunction(
        "cos", cos(X), -sin(X), None,
        Interval(-1, 1), Interval(-1, 1), r"\cos",
    ),
    ElementwiseFunction(
        "arctan", atan(X), 1 / (1 + X**2), None,
        Interval(-pi / 2, pi / 2), Interval(0, 1), r"\operatorname{arctan}",
    ),
    ElementwiseFunction(
        "erf", erf(X), 2 / sqrt(pi) * exp(-(X**2)), None,
        Interval(-1, 1), Interval(0, 2 / sqrt(pi)), r"\operatorname{erf}",
    ),
    ElementwiseFunction(
        "relu6", Min(Max(X, 0), 6),
        Piecewise((1, (X > 0) & (X < 6)), (0, True)),
        Piecewise((1, (Y > 0) & (Y < 6)), (0, True)),
        Interval(0, 6), Interval(0, 1), r"\operatorname{relu6}",
        kink=("0", "0", "6"),
    ),
    ElementwiseFunction(
        "gelu", X / 2 * (1 + tanh(_GELU_INNER)),
        (1 + tanh(_GELU_INNER)) / 2
        + X / 2 * (1 - tanh(_GELU_INNER) ** 2)
        * sqrt(2 / pi) * (1 + 3 * Rational("0.044715") * X**2),
        None,
        Interval(-Rational("0.1701"), S.Infinity),
        Interval(-Rational("0.1290"), Rational("1.1290")), r"\operatorname{gelu}",
    ),
    ElementwiseFunction(
        "silu", X * _SIGMOID, _SIGMOID * (1 + X * (1 - _SIGMOID)), None,
        Interval(-Rational("0.2785"), S.Infinity),
        Interval(-Rational("0.0999"), Rational("1.0999")), r"\operatorname{silu}",
    ),
)  # fmt: skip

_STEP: Final = Piecewise((1, X > 0), (0, True))
_POWER: Final = exp(-BETA * Max(X, -X))


def _step(
    slope_name: str, surrogate: Expr, slope: Expr, largest: Expr,
    *parameters: tuple[Symbol, Number], least: Expr = S.Zero,
) -> ElementwiseFunction:  # fmt: skip
    """A step from 0 to 1 above 0, with the slope of that name: the surrogate's derivative."""
    usual, whole = largest.subs(dict(parameters)), Interval(0, 1)
    return ElementwiseFunction(
        f"{STEP}_{slope_name}", _STEP, slope, None, whole, Interval(least, usual),
        r"\operatorname{step}", parameters, kink=("", "0"),
        surrogate=surrogate, ranges=(whole, Interval(least, largest)),
    )  # fmt: skip


# The slopes that spiking networks are trained with. Sources: straight_through, Bengio, Léonard and
# Courville 2013; rectangle, Wu, Deng, Li, Zhu and Shi 2018; triangle, Bellec, Salaj, Subramoney,
# Legenstein and Maass 2018; fast_sigmoid, Zenke and Ganguli 2018; arctan, Fang et al. 2021.
_STEPS: Final = (
    _step("straight_through", X, S.One, S.One, least=S.One),
    _step(
        "rectangle", Min(Max(X, -ALPHA / 2), ALPHA / 2) / ALPHA,
        Piecewise((1 / ALPHA, (X > -ALPHA / 2) & (X < ALPHA / 2)), (0, True)), 1 / ALPHA,
        (ALPHA, S.One),
    ),
    _step(
        "triangle",  # in pieces, so that the derivative at 0 is that of the piece there
        Piecewise((ALPHA / 2, X >= 1), (ALPHA * (X - X**2 / 2), X > 0),
                  (ALPHA * (X + X**2 / 2), X > -1), (-ALPHA / 2, True)),
        ALPHA * Max(Min(1 - X, 1 + X), 0), ALPHA, (ALPHA, Rational(3, 10)),
    ),
    _step(
        "fast_sigmoid",
        Piecewise((X / (1 + BETA * X), X > 0), (X / (1 - BETA * X), True)),
        Piecewise((1 / (1 + BETA * X) ** 2, X > 0), (1 / (1 - BETA * X) ** 2, True)), S.One,
        (BETA, Number(100)),
    ),
    _step(
        "sigmoid", 1 / (1 + exp(-BETA * X)), BETA * _POWER / (1 + _POWER) ** 2, BETA / 4,
        (BETA, Number(4)),
    ),
    _step("arctan", atan(BETA * X) / BETA, 1 / (1 + (BETA * X) ** 2), S.One, (BETA, Number(3))),
)  # fmt: skip


def slope_name(row: ElementwiseFunction) -> str:
    """What an author calls the slope of a step."""
    return row.name.removeprefix(f"{STEP}_")


SLOPES_OF_STEP: Final = tuple(map(slope_name, _STEPS))
FUNCTIONS: Final[dict[str, ElementwiseFunction]] = {row.name: row for row in (*_ROWS, *_STEPS)}


def primed(name: str) -> str:
    """The name of φ′ as a function of its own."""
    return name + _PRIME


def unprimed(name: str) -> str | None:
    """Φ's name, from that of φ′; None where it is no derivative."""
    return name.removesuffix(_PRIME) if name.endswith(_PRIME) else None


@cache
def function_of(name: str) -> ElementwiseFunction:
    """The row of a name: of the table, or φ′ of another row, whose slope is φ″.

    Raises:
        KeyError: for a name that is neither.
    """
    of = unprimed(name)
    if of is None:
        return FUNCTIONS[name]
    row = function_of(of)
    return ElementwiseFunction(
        name, row.slope, row.slope.diff(X), None, row.slope_range, S.Reals, f"{row.latex}'",
        row.parameters, row.kink, ranges=row.ranges and (row.ranges[1], S.Reals),
    )  # fmt: skip
