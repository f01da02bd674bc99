"""Sums, means, norms and normalisations: their values, their gradients, and wrong rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from profiles import by_day
from sympy import MatMul, MatrixSymbol, Rational

from derive import Cell
from derive.calculus.rules import VJP_RULES, Rule
from derive.calculus.through_time import derivation_of
from derive.language.expr import Broadcast, broadcast, operands, product, scale, size, transpose
from derive.language.reductions import REDUCTIONS, layer_norm, norm, rms_norm
from derive.theorems.jacobian_at_rest import rest
from derive.typeset.layout import Layout
from derive.typeset.text import Text
from numeric import compile_cell, verify
from numeric.meaning.interpret import evaluate

n = size("n")
a, b = MatrixSymbol("a", n, 1), MatrixSymbol("b", n, 1)
A, B = (np.random.default_rng(2).normal(size=(4, 3)) for _ in "ab")
WANTED: dict[str, Any] = {
    "sum": A.sum(0),
    "dot": (A * B).sum(0),
    "mean": A.mean(0),
    "norm": np.linalg.norm(A, axis=0),
    "l2norm": A / np.sqrt((A * A).sum(0) + 0.25),
    "rms_norm": A / np.sqrt((A * A).mean(0) + 0.25),
    "layer_norm": (A - A.mean(0)) / np.sqrt(A.var(0) + 0.25),
}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_a_reduction_means_what_numpy_means(name: str) -> None:
    row = REDUCTIONS[name]
    node = row.write((a, b)[: row.columns], Rational(1, 4))
    got = evaluate(node, {"a": A, "b": B}, {"n": 4})
    np.testing.assert_allclose(got, np.atleast_2d(WANTED[name]), rtol=1e-14, atol=0)


def test_without_a_number_nothing_is_added() -> None:
    values = {"a": A}
    root = evaluate(rms_norm(a), values, {"n": 4})
    np.testing.assert_allclose((root * root).mean(0), 1.0, rtol=1e-14, atol=0)
    centred = evaluate(layer_norm(a), values, {"n": 4})
    np.testing.assert_allclose((centred * centred).mean(0), 1.0, rtol=1e-14, atol=0)
    np.testing.assert_allclose(centred.sum(0) + 1, 1.0, rtol=1e-14, atol=0)


def test_a_mean_is_written_as_one() -> None:
    layout, text = Layout(), Text()
    assert text(layout.of(REDUCTIONS["mean"].write((a,), None))) == "(∑_i a_i)/n"
    assert text(layout.of(norm(a))) == "‖a‖₂"


CELL = "h = tanh(W @ h_prev) * {0} + x * mean(h_prev)"
PARTS = ["sum(U @ x)", "dot(p, h_prev)", "norm(1 + h_prev)", "l2norm(h_prev, 0.1)",
         "rms_norm(h_prev, 0.1)", "layer_norm(W @ h_prev, 0.1)"]  # fmt: skip


@pytest.mark.by_default("sum(U @ x)")
@pytest.mark.parametrize("part", by_day(PARTS, 3))
def test_a_cell_with_scalars_in_time_is_verified(part: str) -> None:
    text = CELL.format(part)
    cell = Cell.parse(name="reduced", equations=text, sizes={"x": "n"})
    verdict = verify(compile_cell(cell, "fused"))
    assert verdict.status == "pass", verdict


def twice(y_bar, y, node):
    """The sum's cotangent counted twice."""
    right = VJP[MatMul].pullback(y_bar, y, node)
    ones = operands(node)[0].shape[0] == 1
    return (right[0], scale(2, right[1])) if ones and len(right) == 2 else right


def mean_of(y_bar, y, node):
    """The broadcast's cotangent not summed, but one entry's times two."""
    return tuple(scale(2, part) for part in VJP[Broadcast].pullback(y_bar, y, node))


VJP = dict(VJP_RULES)


@pytest.mark.parametrize(("node", "wrong"), [(MatMul, twice), (Broadcast, mean_of)])
def test_a_wrong_rule_is_rejected(node, wrong, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VJP_RULES, node, Rule("wrong", wrong))
    cell = Cell.parse(name="wrong", equations="h = x * sum(h_prev)", sizes={"x": "n"},
                      title=wrong.__name__)  # fmt: skip
    assert verify(compile_cell(cell, "textbook")).status == "fail"


def test_the_cotangent_of_a_sum_is_spread_over_its_column() -> None:
    y_bar = MatrixSymbol("y_bar", 1, 1)
    node = REDUCTIONS["sum"].write((a,), None)
    _, a_bar = VJP_RULES[MatMul].pullback(y_bar, y_bar, node)
    assert a_bar == broadcast(y_bar, a.shape)
    assert product(transpose(a), a).shape == (1, 1)


def test_at_rest_a_column_over_its_norm_has_no_value() -> None:
    normed = "k = l2norm(W @ h_prev + U @ x)\nh = tanh(0.5 * h_prev + maximum(sum(h_prev), 0) * k)"
    assert rest(derivation_of(Cell.parse(name="normed", equations=normed))) is None
    plain = "h = tanh(0.5 * h_prev + mean(h_prev) * (V @ x))"
    assert rest(derivation_of(Cell.parse(name="averaged", equations=plain))) is not None
