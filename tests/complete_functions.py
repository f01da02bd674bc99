"""Every function against every arithmetic and target: formula and slopes, run on each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import autograd.numpy as anp
import mpmath
import numpy as np
from autograd import elementwise_grad
from completeness import Probe, Table
from sympy import And, Piecewise, Rational, S, lambdify, sqrt
from sympy import Interval as Range

from derive.language.functions import FUNCTIONS, ElementwiseFunction, X
from derive.typeset.latex import Latex
from derive.typeset.layout import Layout
from derive.typeset.mathml import MathML
from derive.typeset.text import Text
from numeric.compiler.target import Style
from numeric.compiler.targets import TARGETS
from numeric.compiler.to_numpy.checks import EACH
from numeric.compiler.to_numpy.expressions import spell
from numeric.compiler.to_onnx.graph import Graph
from numeric.compiler.to_onnx.operations import WRITTEN
from numeric.meaning.enclose_functions import slope_on, value_on
from numeric.meaning.formulas import function_of, scalar
from numeric.numbers.arithmetic import FLOATS, Arithmetic
from numeric.numbers.degree import DegreeArray, variables
from numeric.numbers.fifty_digits import MULTIPRECISION, Forward, fifty
from numeric.numbers.intervals import Interval, interval
from numeric.numbers.prime_field import DualArray, random_duals
from numeric.numbers.prime_field import with_tangents as moved
from numeric.numbers.primitives import NOT_IN_NUMPY
from numeric.numbers.random_functions import PRIME, random_functions
from numeric.numbers.rounding import BOUNDED, COARSE, data
from numeric.verification.exact import FORMS
from numeric.verification.oracles import AUTOGRAD

HELPED: dict[str, Any] = {"np": np, "math": math}
exec("".join(EACH.values()), HELPED)
ANYWHERE = np.array([-3.3, -0.7, 0.45, 2.2, 7.1])
POSITIVE = np.array([0.65, 1.2, 3.3, 0.7, 7.1])

COMPLEX = Arithmetic(decide=np.real)
_PAST: Final = (1 + X**2) ** Rational(3, 2)
_WITHIN: Final = And(X >= -1, X <= 1)
RISING: Final = ElementwiseFunction(  # whatever a formula may be made of and no row has
    "rising", Piecewise((2 * sqrt(2) * X**9, _WITHIN), (_PAST, X >= 0), (-_PAST, True)),
    Piecewise((18 * sqrt(2) * X**8, _WITHIN), (_PAST.diff(X), X >= 0), (-_PAST.diff(X), True)),
    None, S.Reals, Range(0, S.Infinity), r"\operatorname{rising}", kink=("18√2", "±1"),
)  # fmt: skip


def points_of(row: ElementwiseFunction) -> Any:
    """Points in the function's domain."""
    return POSITIVE if row.needs else ANYWHERE


def exactly(row: ElementwiseFunction, what: str) -> Any:
    """Formula or slope at the points, from SymPy and mpmath alone."""
    formula = row.bind(getattr(row, what), ())
    with mpmath.workdps(40):
        function = lambdify(X, formula, "mpmath")
        return np.array([float(function(mpmath.mpf(float(p)))) for p in points_of(row)])


def agree(got: Any, want: Any) -> None:
    """Refuse values of another size than wanted.

    Raises:
        AssertionError: saying what came.
    """
    got = np.broadcast_to(got, np.shape(want))
    wrong = ~(np.abs(got - want) <= 1e-8 * np.abs(want))
    assert not wrong.any(), f"expected {want[wrong]}, came {got[wrong]}"


def letters(row: ElementwiseFunction) -> None:
    for write in (Text(), Latex(), MathML()):
        assert write(Layout().function(row, primed=True))


def floats(row: ElementwiseFunction) -> None:
    for what in ("formula", "slope"):
        agree(scalar(row.bind(getattr(row, what), ()), points_of(row), FLOATS), exactly(row, what))


def autograd(row: ElementwiseFunction) -> None:
    def value(points: Any) -> Any:
        return function_of(row, (), AUTOGRAD)(points) + 0 * points

    agree(value(anp.array(points_of(row))), exactly(row, "formula"))
    agree(elementwise_grad(value)(points_of(row)), exactly(row, "slope"))


def complex_step(row: ElementwiseFunction) -> None:
    got = scalar(row.bind(row.formula, ()), points_of(row) + 1e-30j, COMPLEX)
    agree(np.real(got), exactly(row, "formula"))
    agree(np.imag(got) / 1e-30, exactly(row, "slope"))


def fifty_digits(row: ElementwiseFunction) -> None:
    points = np.array([Forward(fifty(p), {0: fifty(1)}) for p in points_of(row)], dtype=object)
    got = function_of(row, (), MULTIPRECISION)(points)
    agree(np.array([float(e.value) for e in got]), exactly(row, "formula"))
    agree(np.array([e.along(1)[0] for e in got]), exactly(row, "slope"))


def duals(row: ElementwiseFunction) -> Any:
    """Field elements with tangents, whose shadows are the points."""
    rng = np.random.default_rng(5)
    points = points_of(row)
    array = moved(random_duals(rng, points.shape), rng)
    for element, point in zip(array.ravel(), points, strict=True):
        element.shadow = float(point)
    return array


def field(row: ElementwiseFunction) -> None:
    with random_functions(7):
        a = duals(row)
        value = function_of(row, (), FORMS[0])(a)
        slope = scalar(row.bind(row.slope, ()), a, FORMS[0])
        tied(a, value, slope)


def tied(a: Any, value: Any, slope: Any) -> None:
    """The tangent of the value is the slope times that of the argument, in the field."""
    slope = np.broadcast_to(np.asarray(slope, dtype=object), a.shape)
    triples = zip(a, DualArray.of(value), DualArray.of(slope), strict=True)
    right = all(v.tangent == s.value * e.tangent % PRIME for e, v, s in triples)
    assert right, "not the formula's slope as differentiation leaves it (√a·√a is not a here)"


def intervals(row: ElementwiseFunction) -> None:
    for rule, what in ((value_on, "formula"), (slope_on, "slope")):
        want = exactly(row, what)
        at = rule(row, ())(interval(points_of(row)))
        over = rule(row, ())(Interval(points_of(row) - 0.5, points_of(row) + 0.5))
        everywhere = rule(row, ())(Interval(np.full(5, -np.inf), np.full(5, np.inf)))
        for found in (at, over, everywhere):
            slack = 1e-15 * np.abs(want)
            assert np.all((found.lo <= want + slack) & (want - slack <= found.hi)), what
        agree(at.lo, at.hi)
        assert np.all(np.isfinite(over.lo) & np.isfinite(over.hi)), f"{what}: no bound on a box"


def spelling(style: Style) -> Probe:
    """The style's text, run on every kind of number that emitted code is run on."""

    def probe(row: ElementwiseFunction) -> None:
        made = style.spelling(row.name)
        texts = {part: spell(getattr(made, part), row.name, ())
                 for part in ("value", "slope", "slope_from_output")}  # fmt: skip

        def on(array: Any) -> tuple[Any, Any]:
            known = {"np": np, **HELPED}
            with np.errstate(all="ignore"):
                value = eval(texts["value"], {**known, "a": array})
                slopes = [eval(texts["slope"], {**known, "a": array})]
                if texts["slope_from_output"]:
                    slopes.append(eval(texts["slope_from_output"], {**known, "y": value}))
            return value, slopes

        for dtype in (np.float64, np.float32):
            found = on(points_of(row).astype(dtype))
            assert all(array.dtype == dtype for array in (found[0], *found[1])), "dtype"
        value, slopes = on(points_of(row))
        agree(value, exactly(row, "formula"))
        for slope in slopes:
            agree(slope, exactly(row, "slope"))
        with random_functions(7):
            a = duals(row)
            value, slopes = on(a)
            if row.surrogate is not None:  # code knows no slope but in its backward pass
                value = function_of(row, (), FORMS[0])(a)
            for slope in slopes:
                tied(a, value, slope)
            value, slopes = on(variables(a))
            assert all(isinstance(array, DegreeArray) for array in (value, *slopes)), "degree"
        for kind in (*BOUNDED.values(), *COARSE.values()):
            value, slopes = on(data(kind, points_of(row)))
            for array, what in ((value, "formula"), *((slope, "slope") for slope in slopes)):
                pairs = zip(kind.of(array), exactly(row, what), strict=True)
                assert all(abs(e.value - w) <= e.error + 1e-15 * abs(w) for e, w in pairs), what
        if row.name not in NOT_IN_NUMPY:
            on((points_of(row) + 1e-30j).astype(np.complex128))

    return probe


def nodes(row: ElementwiseFunction) -> None:
    """The forward pass alone is written in ONNX, which need not be installed."""

    class Named(Graph):
        def add(self, op: str, *_: Any, **__: Any) -> str:
            return op

        def constant(self, *_: Any) -> str:
            return "Constant"

    defaults = (default for _, default in row.parameters)
    assert WRITTEN["function"](Named(None), ["a"], (row.name, *defaults))


def written(style: Style) -> Probe:
    """The style of a language that is not run here has a spelling."""
    return lambda row: style.spelling(row.name)  # type: ignore[return-value]


FUNCTION_COLUMNS: Table = {
    "letters": letters, "floats": floats, "autograd": autograd, "complex step": complex_step,
    "fifty digits": fifty_digits, "prime field": field, "intervals": intervals,
    **{
        f"{target}, {style.name}": (spelling if target == "numpy" else written)(style)
        for target, styles in TARGETS.items() for style in styles.values()
    },
    "onnx": nodes,
}  # fmt: skip
ABSENT_FUNCTIONS: Mapping[tuple[str, str], str] = {
    ("erf", "complex step"): "C's library has no erf of complex numbers",
    **{
        (row.name, "complex step"): "a slope that is declared is no derivative of any code"
        for row in FUNCTIONS.values()
        if row.surrogate is not None
    },
}
