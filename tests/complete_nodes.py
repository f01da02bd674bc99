"""Every node against every interpretation; where it has no place, the reason."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from completeness import Probe, Table
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
)
from sympy.matrices.expressions import DiagMatrix, HadamardProduct

from derive.calculus.rules import JACOBIAN_RULES, VJP_RULES
from derive.language import expr, maps, pairs, reductions
from derive.language.expr import operands, size, symbols_of
from derive.typeset.latex import Latex
from derive.typeset.layout import Layout
from derive.typeset.mathml import MathML
from derive.typeset.text import Text
from numeric.compiler.lower import _Lowering
from numeric.compiler.operations import OPERATIONS
from numeric.compiler.program import name_of
from numeric.compiler.target import Target
from numeric.compiler.targets import TARGETS
from numeric.meaning.enclose import enclose
from numeric.meaning.interpret import Step, compiled, evaluate
from numeric.numbers.intervals import Interval

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
    reductions.Extent: reductions.Extent(n),
    pairs.Maximum: pairs.Maximum(h, k),
    pairs.Minimum: pairs.Minimum(h, k),
    pairs.AtLeast: pairs.AtLeast(h, k),
    pairs.Below: pairs.Below(h, k),
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
    maps.Vec: maps.Vec(V),
    maps.LinearMap: maps.LinearMap(MatMul(W, h), h),
}


def nodes() -> list[type]:
    """Every node of the language: SymPy's that serve in it, and its own."""
    own = {
        kind for module in (expr, pairs, reductions) for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, MatrixExpr)
        and kind.__module__ == module.__name__ and kind.__name__[0] != "_"
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
    raise LookupError("give it an expression in SAMPLES of tests/complete_nodes.py")


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
    """What the compiled expression makes of leading axes is the interpreter's of each sample."""
    scales = np.array([1.0, -0.5, 0.25])
    many = {key: value * scales[:, None, None] for key, value in VALUES.items()}
    found = compiled(sample(kind))(Step(many, SIZES))
    for place, scale in enumerate(scales):
        one = {key: value * scale for key, value in VALUES.items()}
        want = evaluate(sample(kind), one, SIZES)
        got = np.broadcast_to(found, (3, *want.shape))[place]
        np.testing.assert_allclose(got, want, rtol=1e-13, atol=0)


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
    ((OneMatrix, ZeroMatrix, Identity, reductions.Extent), ("VJP rule", "Jacobian rule")):
        "a constant: no cotangent leaves it",
    ((expr.Rows, expr.Columns), ("VJP rule", "Jacobian rule")):
        "made by the rules of differentiation, whose results are not differentiated again",
    ((expr.Slope, pairs.AtLeast, pairs.Below), ("VJP rule",)):
        "made by the rules of differentiation; only the step Jacobian is differentiated again",
    ((Transpose, DiagMatrix), ("Jacobian rule",)):
        "a matrix: where a state changes it, the change itself passes (`tangents`)",
    ((DiagMatrix,), tuple(_LOWERED)): "a factor of a product, which scales rows or columns",
    ((DiagMatrix,), ("VJP rule",)): "its cotangent is that of a product, never written out",
    ((Identity, expr.Columns), tuple(_LOWERED)):
        "made for Jacobians, which are enclosed and measured, not emitted",
    ((maps.Vec, maps.LinearMap), ("VJP rule", "Jacobian rule", *_LOWERED)):
        "made for Jacobians of matrices, which are enclosed and measured, not emitted",
    ((maps.LinearMap,), ("numbers of many samples",)): "a Jacobian of one sample at one step",
}  # fmt: skip
ABSENT_NODES: Mapping[tuple[str, str], str] = {
    (kind.__name__, column): reason
    for (kinds, columns), reason in _REASONS.items() for kind in kinds for column in columns
} | {
    (kind.__name__, column): reason
    for kind, reason in _READERS.items()
    for column in NODE_COLUMNS if column not in {"shape", "letters"}
}  # fmt: skip
