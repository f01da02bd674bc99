"""How numbers are written: norms, suprema, powers, sums in their order, and what is put apart."""

from __future__ import annotations

import pytest
from sympy import Abs, Add, Mul, Pow, Rational, S, Symbol, Xor
from sympy import MatrixSymbol as M

from derive.calculus.through_time import EARLIER, FACTOR, TIME
from derive.language.expr import At, Partial, size
from derive.language.norms import (
    BlockSup,
    Component,
    Entries,
    EntrywiseAbs,
    EntrywiseSup,
    Extreme,
    Immediate,
    Infimum,
    MaxAbs,
    MinAbs,
    Norm,
    RowNorm,
    SingularMin,
    Smallest,
    StepProduct,
    Supremum,
)
from derive.typeset.latex import Latex
from derive.typeset.layout import Layout
from derive.typeset.scalars import scalar_box
from derive.typeset.text import Text

n = size("n")
A, d = M("A", n, n), M("d", n, 1)
a, b, f = Symbol("a"), Symbol("b"), Symbol("f_hat")
HALF = Rational(1, 2)


@pytest.mark.parametrize(("expr", "text"), [
    (Supremum(MaxAbs(d)), "sup ‖d‖_∞"),
    (Infimum(Smallest(d)), "inf min_i d_i"),
    (MinAbs(d), "min_i |d_i|"),
    (Mul(MinAbs(d), Norm(A), evaluate=False), "(min_i |d_i|) ‖A‖₂"),
    (SingularMin(A), "σ_min (A)"),
    (RowNorm(A), "‖A‖_∞"),
    (BlockSup("c", "h"), "N_ch"),
    (Component("v", "c"), "v_c"),
    (Entries(a, b, S.Zero, S.One), "[a, b; 0, 1]"),
    (EntrywiseAbs(A), "|A|"),
    (EntrywiseSup(d), "sup|d|"),
    (Extreme("max", Symbol("i"), Symbol("v_i")), "max_i v_i"),
    (Immediate(At(d, TIME), M("theta", 1, 1)), "(∂^{+} d_t)/∂θ"),
    (StepProduct(Norm(At(A, FACTOR)), FACTOR, TIME, EARLIER + 1), "∏_{j=t}^{k+1} ‖A_j‖₂"),
    (Add(S.One, Mul(-1, f, evaluate=False), evaluate=False), "1 − f̂"),
    (Mul(a, Add(b, -f, evaluate=False), evaluate=False), "a(b − f̂)"),
    (Add(a, Mul(-2, b, f, evaluate=False), evaluate=False), "a − 2 b f̂"),
    (Mul(-1, a, b, evaluate=False), "−a b"),
    (Pow(a, HALF), "a^{1/2}"),
    (Pow(a, 1 / (2 * n)), "a^{1/(2n)}"),
    (Pow(a, -1), "a^{−1}"),
    (Pow(a, TIME - EARLIER), "a^{t−k}"),
    (Abs(Norm(A) - a, evaluate=False), "|−a + ‖A‖₂|"),
])  # fmt: skip
def test_written_as_it_is_read(expr, text):
    box = Layout().of(expr)
    assert Text()(box) == text
    assert Latex()(box).count("{") == Latex()(box).count("}")


def test_what_is_no_scalar_is_left_to_the_layout():
    assert scalar_box(Layout(), Xor(Symbol("p"), Symbol("q"))) is None
    assert Text()(Layout().of(Norm(Partial(At(d, TIME), At(d, EARLIER))))) == "‖∂d_t/∂d_k‖₂"
