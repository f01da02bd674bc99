"""The tables of completeness: every node and every function against every interpretation.

A row is a node or a function; a column is one interpretation of it, a probe that runs it and
looks at what comes. `gaps` names each cell of the table that is empty by row and column. Where a
row has no place in a column, `ABSENT` says so with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import autograd.numpy as anp
import mpmath
import numpy as np
from autograd import elementwise_grad
from sympy import (
    Identity,
    MatAdd,
    MatMul,
    MatrixExpr,
    MatrixSymbol,
    OneMatrix,
    Symbol,
    Transpose,
    ZeroMatrix,
    lambdify,
)
from sympy.matrices.expressions import DiagMatrix, HadamardProduct

from derive.calculus.rules import JACOBIAN_RULES, VJP_RULES
from derive.language import expr
from derive.language.expr import operands, size, symbols_of
from derive.language.functions import ElementwiseFunction, X
from derive.typeset.latex import Latex
from derive.typeset.layout import Layout
from derive.typeset.mathml import MathML
from derive.typeset.text import Text
from numeric.compiler.lower import _Lowering
from numeric.compiler.operations import OPERATIONS
from numeric.compiler.program import name_of
from numeric.compiler.styles import TARGETS
from numeric.compiler.target import Style, Target
from numeric.compiler.to_numpy.expressions import spell
from numeric.meaning.compiled import compiled
from numeric.meaning.enclose import enclose
from numeric.meaning.enclose_functions import slope_on, value_on
from numeric.meaning.interpret import evaluate, scalar
from numeric.numbers.arithmetic import COMPLEX, FLOATS
from numeric.numbers.degree import DegreeArray, variables
from numeric.numbers.fifty_digits import MP, MULTIPRECISION, Forward
from numeric.numbers.intervals import Interval, interval
from numeric.numbers.prime_field import PRIME, DualArray, random_duals, random_functions
from numeric.numbers.prime_field import with_tangents as moved
from numeric.numbers.rounding import BOUNDED, COARSE, data
from numeric.verification.exact import FORMS
from numeric.verification.oracles import AUTOGRAD

Probe = Callable[[Any], None]
Table = Mapping[str, Probe]


def gaps(rows: Iterable[Any], table: Table, absent: Mapping[tuple[str, str], str]) -> list[str]:
    """Each row and column that does not work, and why; what is absent must not work."""
    found = []
    for row in rows:
        for column, probe in table.items():
            place = (name(row), column)
            try:
                probe(row)
            except Exception as problem:
                if place not in absent:
                    found.append(f"{place[0]} × {column}: {type(problem).__name__}: {problem}")
            else:
                if place in absent:
                    found.append(f"{place[0]} × {column}: is there, but said to be absent")
    return found


def name(row: Any) -> str:
    """What the row is called: a function by its own name, a node by its class."""
    return row.name if isinstance(row, ElementwiseFunction) else row.__name__


# ---- functions -----------------------------------------------------------------------------------

POINTS = np.array([-3.3, -0.7, 0.45, 2.2, 7.1])


def exactly(row: ElementwiseFunction, what: str) -> Any:
    """Formula or slope at the points, from SymPy and mpmath alone."""
    formula = row.bind(getattr(row, what), ())
    with mpmath.workdps(40):
        function = lambdify(X, formula, "mpmath")
        return np.array([float(function(mpmath.mpf(float(p)))) for p in POINTS])


def agree(got: Any, want: Any) -> None:
    """Refuse values of another size than wanted.

    Raises:
        AssertionError: saying what came.
    """
    got = np.broadcast_to(got, np.shape(want))
    wrong = ~(np.abs(got - want) <= 1e-8 * np.abs(want))
    assert not wrong.any(), f"at {POINTS[wrong]} expected {want[wrong]}, came {got[wrong]}"


def letters(row: ElementwiseFunction) -> None:
    for write in (Text(), Latex(), MathML()):
        assert write(Layout().function(row, primed=True))


def floats(row: ElementwiseFunction) -> None:
    for what in ("formula", "slope"):
        agree(scalar(row.bind(getattr(row, what), ()), POINTS, FLOATS), exactly(row, what))


def autograd(row: ElementwiseFunction) -> None:
    def value(points: Any) -> Any:
        return scalar(row.bind(row.formula, ()), points, AUTOGRAD) + 0 * points

    agree(value(anp.array(POINTS)), exactly(row, "formula"))
    agree(elementwise_grad(value)(POINTS), exactly(row, "slope"))


def complex_step(row: ElementwiseFunction) -> None:
    got = scalar(row.bind(row.formula, ()), POINTS + 1e-30j, COMPLEX)
    agree(np.real(got), exactly(row, "formula"))
    agree(np.imag(got) / 1e-30, exactly(row, "slope"))


def fifty_digits(row: ElementwiseFunction) -> None:
    one = np.array([MP.mpf(1)])
    points = np.array([Forward(MP.mpf(float(p)), one) for p in POINTS], dtype=object)
    got = scalar(row.bind(row.formula, ()), points, MULTIPRECISION)
    agree(np.array([float(e.value) for e in got]), exactly(row, "formula"))
    slopes = [0.0 if e.derivatives is None else float(e.derivatives[0]) for e in got]
    agree(np.array(slopes), exactly(row, "slope"))


def duals() -> Any:
    """Field elements with tangents, whose shadows are the points."""
    rng = np.random.default_rng(5)
    array = moved(random_duals(rng, POINTS.shape), rng)
    for element, point in zip(array.ravel(), POINTS, strict=True):
        element.shadow = float(point)
    return array


def field(row: ElementwiseFunction) -> None:
    with random_functions(7):
        a = duals()
        value = scalar(row.bind(row.formula, ()), a, FORMS[0])
        slope = scalar(row.bind(row.slope, ()), a, FORMS[0])
        tied(a, value, slope)


def tied(a: Any, value: Any, slope: Any) -> None:
    """The tangent of the value is the slope times that of the argument, in the field."""
    slope = np.broadcast_to(np.asarray(slope, dtype=object), a.shape)
    triples = zip(a, DualArray.of(value), DualArray.of(slope), strict=True)
    assert all(v.tangent == s.value * e.tangent % PRIME for e, v, s in triples), "slope"


def intervals(row: ElementwiseFunction) -> None:
    for rule, what in ((value_on, "formula"), (slope_on, "slope")):
        want = exactly(row, what)
        at = rule(row, (), interval(POINTS))
        over = rule(row, (), Interval(POINTS - 0.5, POINTS + 0.5))
        everywhere = rule(row, (), Interval(np.full(5, -np.inf), np.full(5, np.inf)))
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
            with np.errstate(all="ignore"):
                value = eval(texts["value"], {"np": np, "a": array})
                slopes = [eval(texts["slope"], {"np": np, "a": array})]
                if texts["slope_from_output"]:
                    slopes.append(eval(texts["slope_from_output"], {"np": np, "y": value}))
            return value, slopes

        for dtype in (np.float64, np.float32):
            found = on(POINTS.astype(dtype))
            assert all(array.dtype == dtype for array in (found[0], *found[1])), "dtype"
        value, slopes = on(POINTS)
        agree(value, exactly(row, "formula"))
        for slope in slopes:
            agree(slope, exactly(row, "slope"))
        with random_functions(7):
            a = duals()
            value, slopes = on(a)
            for slope in slopes:
                tied(a, value, slope)
            value, slopes = on(variables(a))
            assert all(isinstance(array, DegreeArray) for array in (value, *slopes)), "degree"
        for kind in (*BOUNDED.values(), *COARSE.values()):
            value, slopes = on(data(kind, POINTS))
            for array, what in ((value, "formula"), *((slope, "slope") for slope in slopes)):
                pairs = zip(kind.of(array), exactly(row, what), strict=True)
                assert all(abs(e.value - w) <= e.error + 1e-15 * abs(w) for e, w in pairs), what
        on((POINTS + 1e-30j).astype(np.complex128))

    return probe


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
}  # fmt: skip
ABSENT_FUNCTIONS: Mapping[tuple[str, str], str] = {}


# ---- nodes ---------------------------------------------------------------------------------------

n, m = size("n"), size("m")
SIZES = {"n": 3, "m": 2, "B": 4, "T": 2}
W, V, g = MatrixSymbol("W", n, n), MatrixSymbol("V", n, m), MatrixSymbol("g", 1, 1)
h, k, x = MatrixSymbol("h", n, 1), MatrixSymbol("k", n, 1), MatrixSymbol("x", m, 1)
TIMELESS = {W, V, g}
_rng = np.random.default_rng(3)
VALUES = {
    symbol.name: _rng.normal(size=[SIZES.get(str(extent), 1) for extent in symbol.shape])
    for symbol in (W, V, g, h, k, x)
}
_t = Symbol("t", integer=True)

SAMPLES: dict[type, MatrixExpr] = {
    MatrixSymbol: h,
    MatAdd: MatAdd(h, k),
    MatMul: MatMul(W, h),
    HadamardProduct: HadamardProduct(h, k),
    Transpose: Transpose(W),
    OneMatrix: OneMatrix(n, 1),
    ZeroMatrix: ZeroMatrix(n, 1),
    Identity: Identity(n),
    DiagMatrix: DiagMatrix(k),
    expr.Elementwise: expr.Elementwise("tanh", h),
    expr.Slope: expr.Slope("tanh", h),
    expr.Softmax: expr.Softmax(h),
    expr.Quotient: expr.Quotient(h, k),
    expr.Broadcast: expr.Broadcast(g, n, 1),
    expr.Concat: expr.Concat(h, x),
    expr.Rows: expr.Rows(h, 0, 1),
    expr.Columns: expr.Columns(W, 1, m),
    expr.At: expr.At(h, _t),
    expr.TimeSum: expr.TimeSum(expr.At(h, _t), _t, 1, Symbol("T", integer=True)),
    expr.TimeProduct: expr.TimeProduct(W, _t, Symbol("T", integer=True), 1),
    expr.Partial: expr.Partial(h, k),
    expr.Blocks: expr.Blocks(W, W, W, W),
}


def nodes() -> list[type]:
    """Every node of the language: SymPy's that serve in it, and its own."""
    own = {
        kind for kind in vars(expr).values()
        if isinstance(kind, type) and issubclass(kind, MatrixExpr)
        and kind.__module__ == expr.__name__ and kind.__name__[0] != "_"
        and kind is not expr.VectorFunction
    }  # fmt: skip
    return [*dict.fromkeys([*(kind for kind in SAMPLES if kind not in own), *_ordered(own)])]


def _ordered(kinds: set[type]) -> list[type]:
    return sorted(kinds, key=lambda kind: kind.__name__)


def sample(kind: type) -> MatrixExpr:
    """An expression of the node.

    Raises:
        LookupError: if the table has none, and the node is no function of vectors.
    """
    if kind in SAMPLES:
        return SAMPLES[kind]
    if issubclass(kind, expr.VectorFunction):
        return kind(h)
    raise LookupError("give it an expression in SAMPLES of tests/completeness.py")


def shape(kind: type) -> None:
    rows, columns = sample(kind).shape
    assert rows.is_positive
    assert columns.is_positive


def typeset(kind: type) -> None:
    box = Layout().of(sample(kind))
    for write in (Text(), Latex(), MathML()):
        assert write(box)


def vjp(kind: type) -> None:
    node = sample(kind)
    y, y_bar = (MatrixSymbol(letter, *node.shape) for letter in ("y", "y_bar"))
    found = VJP_RULES[kind].pullback(y_bar, y, node)
    for cotangent, operand in zip(found, operands(node), strict=True):
        assert cotangent.shape == operand.shape, f"{cotangent} for {operand}"


def jacobian(kind: type) -> None:
    node = sample(kind)
    y = MatrixSymbol("y", *node.shape)
    parts = tuple(MatrixSymbol(f"J{i}", part.shape[0], m) for i, part in enumerate(operands(node)))
    made = JACOBIAN_RULES[kind](y, node, parts)
    assert made.shape == (node.shape[0], m), made


def numbers(kind: type) -> None:
    node = sample(kind)
    found = evaluate(node, VALUES, SIZES)
    assert found.shape == tuple(int(extent.subs({n: 3, m: 2})) for extent in node.shape)


def many_samples(kind: type) -> None:
    """What the compiled expression makes of leading axes is what the interpreter makes of each."""
    found = compiled(sample(kind))({key: value[None, None] for key, value in VALUES.items()}, SIZES)
    want = evaluate(sample(kind), VALUES, SIZES)
    np.testing.assert_allclose(np.broadcast_to(found, (1, 1, *want.shape))[0, 0], want, rtol=1e-13)


def enclosed(kind: type) -> None:
    node = sample(kind)
    want = evaluate(node, VALUES, SIZES)
    for width in (0.0, 0.1):
        boxes = {key: Interval(value - width, value + width) for key, value in VALUES.items()}
        found = enclose(node, boxes, SIZES)
        assert found.shape == want.shape
        slack = 1e-14 * np.abs(want).max(initial=0.0)
        assert np.all((found.lo - slack <= want) & (want <= found.hi + slack))


def lowered(kind: type) -> list[str]:
    """The operations that the node becomes."""
    work = _Lowering(set(TIMELESS), "output")
    node = sample(kind)
    for symbol in symbols_of(node):
        work.dims[name_of(symbol)] = work.layout(symbol)
    work.value(node, "made")
    done = [statement.op for statement in (*work.prelude, *work.statements)]
    assert done
    assert OPERATIONS.keys() >= {*done}, {*done} - OPERATIONS.keys()
    return done


def operations(target: Target) -> Probe:
    """Whether the target can write what the node becomes."""

    def probe(kind: type) -> None:
        missing = {*lowered(kind)} - target.operations
        assert not missing, f"the target cannot write {', '.join(sorted(missing))}"

    return probe


NODE_COLUMNS: Table = {
    "shape": shape, "letters": typeset, "VJP rule": vjp, "Jacobian rule": jacobian,
    "numbers": numbers, "numbers of many samples": many_samples, "intervals": enclosed,
    "lowering": lowered,  # type: ignore[dict-item]
    **{f"{key}, operations": operations(next(iter(rows.values())).target)
       for key, rows in TARGETS.items()},
}  # fmt: skip

_READERS: Mapping[type, str] = {
    expr.At: "a time in a line for readers",
    expr.TimeSum: "a sum over time in a line for readers",
    expr.TimeProduct: "a product over time in a line for readers",
    expr.Partial: "the name of a block that another line writes out",
    expr.Blocks: "the arrangement of blocks in a line for readers",
}
_LOWERED = ("lowering", *(f"{key}, operations" for key in TARGETS))
_REASONS: Mapping[tuple[tuple[type, ...], tuple[str, ...]], str] = {
    ((MatrixSymbol,), ("VJP rule", "Jacobian rule")): "a name: its cotangent is what is sought",
    ((OneMatrix, ZeroMatrix, Identity), ("VJP rule", "Jacobian rule")):
        "a constant: no cotangent leaves it",
    ((expr.Slope, expr.Rows, expr.Columns, DiagMatrix), ("VJP rule", "Jacobian rule")):
        "made by the rules of differentiation, whose results are not differentiated again",
    ((Transpose,), ("Jacobian rule",)): "only on matrices that the step's states do not change",
    ((Identity, DiagMatrix, expr.Columns), ("numbers of many samples", *_LOWERED)):
        "made for Jacobians, which are enclosed and measured, not emitted",
}  # fmt: skip
ABSENT_NODES: Mapping[tuple[str, str], str] = {
    (kind.__name__, column): reason
    for (kinds, columns), reason in _REASONS.items() for kind in kinds for column in columns
} | {
    (kind.__name__, column): reason
    for kind, reason in _READERS.items()
    for column in NODE_COLUMNS if column not in {"shape", "letters"}
}  # fmt: skip
