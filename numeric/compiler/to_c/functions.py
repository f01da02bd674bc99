"""How C spells the functions of the table, and how exactly.

In: the name of a function. Out: C text over `a` (the input), `y` (the output) and the function's
parameters. `FAST` takes slopes from the output, `EXACT` from the input. Errors in units of the
dtype's roundoff u.
"""

from __future__ import annotations

from typing import Final

from numeric.compiler.target import Spelling

_GELU = "R(0.7978845608028654) * (a + R(0.044715) * a * a * a)"
_ONE, _ZERO = "splat(R(1.0))", "splat(R(0.0))"
_SQUARE_Y = "(R(1.0) - vabs(y)) * (R(1.0) - vabs(y))"

FAST: Final[dict[str, Spelling]] = {
    "tanh": Spelling(
        "vtanh(a)", "R(1.0) - vtanh(a) * vtanh(a)", "R(1.0) - y * y",
        "value: a few u; slope: u e^(2|a|), all digits lost beyond |a| = 19 (float: 9)",
    ),
    "sigmoid": Spelling(
        "vsigmoid(a)", "vsigmoid(a) * vsigmoid(-a)", "y * (R(1.0) - y)",
        "value: a few u on both sides, 0 below a = −709 (float: −88); slope from the output: "
        "u e^a for a > 0",
    ),
    "identity": Spelling("a", _ONE, _ONE),
    "relu": Spelling(
        "vmax(a, R(0.0))", f"choose(a > {_ZERO}, {_ONE}, {_ZERO})",
        f"choose(y > {_ZERO}, {_ONE}, {_ZERO})",
    ),
    "leaky_relu": Spelling(
        f"choose(a > {_ZERO}, a, {{alpha}} * a)",
        f"choose(a > {_ZERO}, {_ONE}, splat({{alpha}}))",
        f"choose(y > {_ZERO}, {_ONE}, splat({{alpha}}))",
    ),
    "elu": Spelling(
        f"choose(a > {_ZERO}, a, {{alpha}} * vexpm1(vmin(a, R(0.0))))",
        f"choose(a > {_ZERO}, {_ONE}, {{alpha}} * vexp(vmin(a, R(0.0))))",
        f"choose(y > {_ZERO}, {_ONE}, y + {{alpha}})",
        "slope from the output: u e^|a| for a < 0",
    ),
    "softplus": Spelling(
        "vmax(a, R(0.0)) + each(LIBM(log1p), vexp(-vabs(a)))",
        f"choose(a > {_ZERO}, {_ONE}, vexp(-vabs(a))) / (R(1.0) + vexp(-vabs(a)))",
        "-vexpm1(-y)",
    ),
    "softsign": Spelling(
        "a / (R(1.0) + vabs(a))",
        "R(1.0) / ((R(1.0) + vabs(a)) * (R(1.0) + vabs(a)))",
        _SQUARE_Y,
        "slope from the output: u |a|",
    ),
    "hard_sigmoid": Spelling(
        "vmin(vmax(R(0.2) * a + R(0.5), R(0.0)), R(1.0))",
        f"choose(a > splat(-R(2.5)), choose(a < splat(R(2.5)), splat(R(0.2)), {_ZERO}), {_ZERO})",
        f"choose(y > {_ZERO}, choose(y < {_ONE}, splat(R(0.2)), {_ZERO}), {_ZERO})",
    ),
    "hard_tanh": Spelling(
        "vmin(vmax(a, -R(1.0)), R(1.0))",
        f"choose(a > splat(-R(1.0)), choose(a < {_ONE}, {_ONE}, {_ZERO}), {_ZERO})",
        f"choose(y > splat(-R(1.0)), choose(y < {_ONE}, {_ONE}, {_ZERO}), {_ZERO})",
    ),
    "scaled_tanh": Spelling(
        "{alpha} * vtanh({beta} * a)",
        "{alpha} * {beta} * (R(1.0) - vtanh({beta} * a) * vtanh({beta} * a))",
        "{beta} * ({alpha} - y * y / {alpha})",
        "slope: u e^(2 β|a|)",
    ),
    "exp": Spelling("vexp(a)", "vexp(a)", "y"),
    "sin": Spelling("each(LIBM(sin), a)", "each(LIBM(cos), a)"),
    "gelu": Spelling(
        f"R(0.5) * a * (R(1.0) + vtanh({_GELU}))",
        f"R(0.5) * (R(1.0) + vtanh({_GELU})) + R(0.5) * a * (R(1.0) - vtanh({_GELU}) "
        f"* vtanh({_GELU})) * R(0.7978845608028654) * (R(1.0) + R(3.0) * R(0.044715) * a * a)",
        error="value and slope: u e^|2a| for a < 0",
    ),
    "erf": Spelling(
        "each(LIBM(erf), a)", "R(1.1283791670955126) * vexp(-a * a)",
        error="value: u; slope: u a², 0 beyond |a| = 27 (float: 10)",
    ),
    "silu": Spelling(
        "a * vsigmoid(a)", "vsigmoid(a) * (R(1.0) + a * vsigmoid(-a))",
        error="value and slope: a few u, 0 below a = −709 (float: −88)",
    ),
}  # fmt: skip

_E2 = "vexp(-R(2.0) * vabs(a))"
_EB2 = "vexp(-R(2.0) * {beta} * vabs(a))"

EXACT: Final[dict[str, Spelling]] = FAST | {
    "tanh": Spelling(
        "vtanh(a)",
        f"R(4.0) * {_E2} / ((R(1.0) + {_E2}) * (R(1.0) + {_E2}))",
        error="value: a few u; slope: (2|a| + 4) u",
    ),
    "scaled_tanh": Spelling(
        "{alpha} * vtanh({beta} * a)",
        f"R(4.0) * {{alpha}} * {{beta}} * {_EB2} / ((R(1.0) + {_EB2}) * (R(1.0) + {_EB2}))",
    ),
}
