"""How NumPy spells the functions of the table, in each style, and how exactly.

In: the name of a function, and a style. Out: source text over `a` (the input), `y` (the output)
and the function's parameters; a function that is missing here is spelled by its formula
(`formula.py`). `plain` reads as the formula; `fast` is cheap and never
overflows; `exact` keeps full relative accuracy where the function or its slope vanishes.
Relative errors, in units of the dtype's roundoff u, are stated beside the spellings that limit
accuracy and are measured against 50 digits in the tests.
"""

from __future__ import annotations

from typing import Final

from numeric.compiler.target import Spelling

_E = "np.exp(-np.abs(a))"
_GELU = "0.7978845608028654 * (a + 0.044715 * a * a * a)"

PLAIN: Final[dict[str, Spelling]] = {
    "tanh": Spelling(
        "np.tanh(a)", "1 - np.tanh(a) * np.tanh(a)", "1 - y * y",
        "value: a few u; slope: u e^(2|a|), all digits lost beyond |a| = 19 (float32: 9)",
    ),
    "sigmoid": Spelling(
        "1 / (1 + np.exp(-a))", "1 / (1 + np.exp(-a)) / (1 + np.exp(a))", "y * (1 - y)",
        "value: a few u (exp overflows to the right limit below a = −709; "
        "float32: −88); slope from the output: u e^a for a > 0",
    ),
    "elu": Spelling(
        "np.where(a > 0, a, {alpha} * np.expm1(np.minimum(a, 0)))",
        "np.where(a > 0, np.ones_like(a), {alpha} * np.exp(np.minimum(a, 0)))",
        "np.where(y > 0, np.ones_like(y), y + {alpha})",
        "slope from the output: u e^|a| for a < 0",
    ),
    "softplus": Spelling(
        "np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))",
        "np.where(a > 0, np.ones_like(a), np.exp(-np.abs(a))) / (1 + np.exp(-np.abs(a)))",
        "-np.expm1(-y)",
    ),
    "softsign": Spelling(
        "a / (1 + np.abs(a))", "1 / ((1 + np.abs(a)) * (1 + np.abs(a)))",
        "(1 - np.abs(y)) * (1 - np.abs(y))",
        "slope from the output: u |a|",
    ),
    "hard_sigmoid": Spelling(
        "np.minimum(np.maximum(0.2 * a + 0.5, 0), 1)",
        "np.where((a > -2.5) & (a < 2.5), 0.2 * np.ones_like(a), np.zeros_like(a))",
        "np.where((y > 0) & (y < 1), 0.2 * np.ones_like(y), np.zeros_like(y))",
    ),
    "scaled_tanh": Spelling(
        "{alpha} * np.tanh({beta} * a)",
        "(1 - np.tanh({beta} * a) * np.tanh({beta} * a)) * {alpha} * {beta}",
        "{beta} * ({alpha} - y * y / {alpha})",
        "slope: u e^(2 β|a|)",
    ),
    "gelu": Spelling(
        f"0.5 * a * (1 + np.tanh({_GELU}))",
        f"0.5 * (1 + np.tanh({_GELU})) + 0.5 * a * (1 - np.tanh({_GELU}) * np.tanh({_GELU}))"
        " * 0.7978845608028654 * (1 + 3 * 0.044715 * a * a)",
        error="value and slope: u e^|2a| for a < 0",
    ),
    "erf": Spelling(
        "erf(a)", "1.1283791670955126 * np.exp(-a * a)",
        error="value: u; slope: u a², 0 beyond |a| = 27 (float32: 10)",
    ),
    "silu": Spelling(
        "a / (1 + np.exp(-a))",
        "(1 + a / (1 + np.exp(a))) / (1 + np.exp(-a))",
    ),
}  # fmt: skip

FAST: Final[dict[str, Spelling]] = PLAIN | {
    "sigmoid": Spelling(
        "0.5 + 0.5 * np.tanh(0.5 * a)",
        "0.25 * (1 - np.tanh(0.5 * a) * np.tanh(0.5 * a))",
        "y * (1 - y)",
        "value: u e^|a| for a < 0, all digits lost beyond a = −37 (float32: −17); slope from "
        "the output: u e^|a| on both sides",
    ),
}

EXACT: Final[dict[str, Spelling]] = PLAIN | {
    "tanh": Spelling(
        "np.tanh(a)",
        "4 * np.exp(-2 * np.abs(a)) / ((1 + np.exp(-2 * np.abs(a))) "
        "* (1 + np.exp(-2 * np.abs(a))))",
        "",
        "value: a few u; slope: (2|a| + 4) u",
    ),
    "sigmoid": Spelling(
        f"np.where(a > 0, np.ones_like(a), {_E}) / (1 + {_E})",
        f"{_E} / ((1 + {_E}) * (1 + {_E}))",
        "",
        "value: a few u on both sides; slope: a few u",
    ),
    "scaled_tanh": Spelling(
        "{alpha} * np.tanh({beta} * a)",
        "np.exp(np.abs(a) * -2 * {beta}) * 4 * {alpha} * {beta} "
        "/ ((1 + np.exp(np.abs(a) * -2 * {beta})) * (1 + np.exp(np.abs(a) * -2 * {beta})))",
    ),
}

IN_PLACE: Final[dict[str, str]] = {
    "sigmoid": """
def sigmoid(a, out):
    np.multiply(a, 0.5, out=out)
    np.tanh(out, out=out)
    np.multiply(out, 0.5, out=out)
    np.add(out, 0.5, out=out)
""",
    "sigmoid_slope_from_output": """
def sigmoid_slope_from_output(y, out):
    np.subtract(1, y, out=out)
    np.multiply(out, y, out=out)
""",
    "tanh": """
def tanh(a, out):
    np.tanh(a, out=out)
""",
    "tanh_slope_from_output": """
def tanh_slope_from_output(y, out):
    np.multiply(y, y, out=out)
    np.subtract(1, out, out=out)
""",
}
