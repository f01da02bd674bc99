"""tanh, σ and e^a of the emitted C against fifty digits, and mistakes in them that this shows."""

import mpmath
import numpy as np
import pytest
from c_code import loaded, needs_compiler

from derive.cell import Cell
from derive.language.syntax import call_text
from numeric.compiler.kernel import compile_cell

pytestmark = needs_compiler
MOST = 4.0  # roundoffs; 3 are stated and measured
EXACT = {
    "tanh": mpmath.tanh,
    "sigmoid": lambda a: 1 / (1 + mpmath.exp(-a)),
    "exp": mpmath.exp,
}
RANGE = {
    ("tanh", "float32"): 12, ("tanh", "float64"): 22, ("sigmoid", "float32"): 88,
    ("sigmoid", "float64"): 709, ("exp", "float32"): 87, ("exp", "float64"): 700,
}  # fmt: skip
MUTANTS = [
    ("a coefficient of e^r is off", "float64", "R(0.16666666666666284768)", "R(0.1666666666666)"),
    ("a coefficient of e^r is off in float", "float32", "R(0.04166720071081649508)", "R(0.0418)"),
    ("ln 2 has its first digits only", "float64", "- k * LN2_LOW", "- k * R(0.0)"),
    ("ln 2 has its first digits only in float", "float32", "- k * LN2_LOW", "- k * R(0.0)"),
]


def source_of(name):
    cell = Cell.parse(name=f"only_{name}", equations=f"h = {call_text(name, 'x')} + 0 * h_prev")
    return compile_cell(cell, "fused", "c").source


def worst(name, dtype, source):
    """The largest error found, in roundoffs of the dtype."""
    rng = np.random.default_rng(3)
    span, unit = RANGE[name, dtype], 2.0 ** (-24 if dtype == "float32" else -53)
    points = [rng.uniform(-span, span, 600), rng.uniform(-2, 2, 800),
              rng.normal(size=600) * 10.0 ** rng.uniform(-9, 0, 600)]  # fmt: skip
    x = np.concatenate(points).astype(dtype)
    found = loaded(source).forward({}, {"x": x.reshape(1, -1, 100)})[0]["h"].ravel()
    with mpmath.workdps(50):
        want = [EXACT[name](mpmath.mpf(float(a))) for a in x]
        errors = [abs((mpmath.mpf(float(f)) - w) / w) for f, w in zip(found, want, strict=True)]
        return float(max(errors)) / unit


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", EXACT)
def test_functions_are_right_to_a_few_roundoffs(name, dtype):
    assert worst(name, dtype, source_of(name)) <= MOST


@pytest.mark.parametrize(("what", "dtype", "old", "new"), MUTANTS, ids=[m[0] for m in MUTANTS])
def test_a_mistake_in_them_is_noticed(what, dtype, old, new):
    source = source_of("tanh")
    assert old in source, "the mutant's place is gone"
    assert worst("tanh", dtype, source.replace(old, new)) > MOST, what


def test_they_end_where_they_should():
    for name, ends in (("tanh", (-1, 1)), ("sigmoid", (0, 1)), ("exp", (0, np.inf))):
        module = loaded(source_of(name))
        for dtype in ("float32", "float64"):
            x = np.array([[[-np.inf], [np.inf], [-1e4], [1e4]]], dtype)
            states, _ = module.forward({}, {"x": x})
            assert states["h"].ravel().tolist() == [*ends, *ends]
