"""Formulas as NumPy source: exact strings, and the same numbers as the formula."""

from __future__ import annotations

import numpy as np
import pytest
from sympy import And, Max, Min, Ne, Or, Piecewise, Rational, S, Si, atan, erf, exp, pi, sin, sqrt

from derive import Cell
from derive.language.functions import ALPHA, FUNCTIONS, X, Y
from numeric import compile_cell
from numeric.compiler.targets import STYLES
from numeric.compiler.to_numpy.expressions import spell
from numeric.compiler.to_numpy.formula import spelled, written
from numeric.meaning.formulas import scalar
from numeric.numbers.arithmetic import FLOATS
from numeric.numbers.primitives import NOT_IN_NUMPY

TEXTS = {
    "a / (1 + a)": X / (1 + X),
    "1 / (1 + a * a)": 1 / (1 + X**2),
    "-a / (1 - a)": -X / (1 - X),
    "(1 / 3) * a - 2": X / 3 - 2,
    "-2 * a": -2 * X,
    "0.5 * erf(a)": erf(X) / 2,
    "{alpha} * np.arctan(0.1 * a)": ALPHA * atan(X / 10),
    "0.7978845608028654 * a": sqrt(2 / pi) * X,
    "3 * (1.772453850905516 * a)": 3 * sqrt(pi) * X,
    "np.minimum(np.maximum(a, 0), 6)": Min(Max(X, 0), 6),
    "0.5 * np.ones_like(a)": Rational(1, 2),
    "np.zeros_like(a)": Rational(0),
    "np.where((a > 0) & (a < 6), np.ones_like(a), np.zeros_like(a))": Piecewise(
        (1, And(X > 0, X < 6)), (0, True)
    ),
    "np.where(a < -1, a, np.where(a > 1, -a, np.sin(a)))": Piecewise(
        (X, X < -1), (-X, X > 1), (sin(X), True)
    ),
    "np.where((a >= 1) | (a < -1), a, np.zeros_like(a))": Piecewise(
        (X, Or(X >= 1, X < -1)), (0, True)
    ),
    "(1 + a) * (1 + a)": (1 + X) ** 2,
    "np.exp(-a * a)": exp(-(X**2)),
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_formula_is_written_so(text: str) -> None:
    assert written(TEXTS[text], "a") == text


@pytest.mark.parametrize("text", TEXTS)
def test_the_text_has_the_formula_s_values(text: str) -> None:
    a = np.array([-3.1, -0.7, 0.4, 2.5, 7.7])
    got = eval(text.format(alpha=0.25), {"np": np, **NOT_IN_NUMPY, "a": a})
    want = scalar(TEXTS[text].subs(ALPHA, 0.25), a, FLOATS) + 0 * a
    np.testing.assert_allclose(got, want, rtol=1e-14, atol=0)


def test_a_slope_through_the_output_is_written_over_it() -> None:
    assert written(1 - Y**2, "y") == "1 - y * y"
    assert written(Rational(1), "y") == "np.ones_like(y)"


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_the_dtype_of_the_argument_is_kept(dtype: type) -> None:
    everywhere = np.array([-3.1, 0.4, 7.7], dtype)
    for name, row in FUNCTIONS.items():
        if name in NOT_IN_NUMPY and dtype is np.complex128:
            continue
        a = everywhere if row.domain == S.Reals else everywhere[1:]
        made = spelled(FUNCTIONS[name])
        for text in (made.value, made.slope):
            assert eval(spell(text, name, ()), {"np": np, **NOT_IN_NUMPY, "a": a}).dtype == dtype, (
                text
            )


def test_what_numpy_cannot_say_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="no NumPy source for the condition Unequality"):
        written(Piecewise((X, Ne(X, 0)), (0, True)), "a")
    with pytest.raises(TypeError, match="no NumPy source for the function Si"):
        written(Si(X), "a")
    with pytest.raises(TypeError, match="no NumPy source for Pow"):
        written((1 + X**2) ** Rational(1, 3), "a")


def test_a_style_spells_by_formula_what_it_has_no_own_way_for() -> None:
    for style in STYLES.values():
        assert style.spelling("arctan").value == "np.arctan(a)"
        assert style.spelling("relu6").value == "np.minimum(np.maximum(a, 0), 6)"
        assert style.spelling("relu6").error == "a few u everywhere"
        assert "sums" in style.spelling("arctan").error


@pytest.mark.parametrize("number", ["0.0000001", "300000000000000000000000", "1e-30"])
def test_numbers_of_a_function_make_a_name_whatever_their_size(number: str) -> None:
    cell = Cell.parse(name="leak", equations=f"h = leaky_relu(W @ h_prev + x, {number})")
    kernel = compile_cell(cell)
    states, _ = kernel.forward({"W": np.eye(2)}, {"x": -np.ones((1, 1, 2))})
    np.testing.assert_allclose(states["h"], -float(number) * np.ones((1, 1, 2)))
