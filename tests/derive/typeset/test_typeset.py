"""Every node in every back end, as exact strings; order, signs and parentheses."""

from __future__ import annotations

import re

import pytest
from sympy import (
    Identity,
    MatAdd,
    MatMul,
    Mul,
    OneMatrix,
    Pow,
    Rational,
    Trace,
    Transpose,
    ZeroMatrix,
)
from sympy import MatrixSymbol as M
from sympy.matrices.expressions import DiagMatrix, HadamardProduct

from derive import Cell, catalogue, differentiate
from derive.calculus import through_time as bptt
from derive.language import expr
from derive.language.expr import (
    At,
    Blocks,
    Broadcast,
    Columns,
    Concat,
    Elementwise,
    Partial,
    Quotient,
    Rows,
    Slope,
    Softmax,
    TimeProduct,
    TimeSum,
    size,
)
from derive.language.functions import FUNCTIONS
from derive.language.norms import BlockBound, Largest, MaxAbs, Norm, Radius, SingularMin
from derive.typeset import boxes
from derive.typeset.boxes import Delimiter, Operator, Row, Sum, Symbol
from derive.typeset.latex import Latex
from derive.typeset.layout import Layout, Notation, size_box, space_of
from derive.typeset.letters import parse_latex
from derive.typeset.mathml import MathML
from derive.typeset.text import Text

n, m = size("n"), size("m")
t, k, j, T_ = bptt.TIME, bptt.EARLIER, bptt.FACTOR, bptt.LENGTH
W, h, x = M("W", n, n), M("h", n, 1), M("x", m, 1)
a, b, nu = M("a", n, 1), M("b", n, 1), M("nu", 1, 1)

CASES = [
    pytest.param(Broadcast(nu, n, 1), "ν", r"\nu ", id="scalar"),
    pytest.param(M("lamda2", n, 1), "λ₂", r"\lambda _{2}", id="lambda"),  # which Python keeps
    pytest.param(W, "W", r"W", id="symbol"),
    pytest.param(Elementwise("sqrt", MatAdd(a, b)), "sqrt(a + b)", r"\sqrt{a + b}", id="root"),
    pytest.param(M("W_fh", n, n), "W_fh", r"W_{fh}", id="subscript"),
    pytest.param(M("c_tilde", n, 1), "c̃", r"\tilde{c}", id="accent"),
    pytest.param(M("c_prev_hat", n, 1), "ĉ_prev", r"\hat{c}_{\mathrm{prev}}", id="hat of a letter"),
    pytest.param(M("alpha", n, 1), "α", r"\alpha ", id="greek"),
    pytest.param(M("blocks", n, n), "blocks", r"\mathrm{blocks}", id="word"),
    pytest.param(M("W2", n, n), "W₂", r"W_{2}", id="digits"),
    pytest.param(M("W_out", n, n), "W_out", r"W_{\mathrm{out}}", id="word below"),
    pytest.param(M("a_sigma", n, 1), "a_σ", r"a_{\sigma}", id="greek below"),
    pytest.param(M("h_prev", n, 1), "h_{t−1}", r"h_{t-1}", id="previous"),
    pytest.param(At(h, t - 1), "h_{t−1}", r"h_{t-1}", id="at"),
    pytest.param(At(M("a_f", n, 1), t), "a_{f,t}", r"a_{f,t}", id="at with subscript"),
    pytest.param(
        At(M("a_c_tilde", n, 1), t), "a_{c̃,t}", r"a_{\tilde{c},t}", id="at with accent below"
    ),
    pytest.param(At(M("h.bar", n, 1), t), "h̄_t", r"\bar{h}_{t}", id="cotangent"),
    pytest.param(
        At(M("c_tilde.bar", n, 1), t), "c̃̄_t", r"\bar{\tilde{c}}_{t}", id="cotangent of an accent"
    ),
    pytest.param(At(M("i.bar", n, 1), t), "ī_t", r"\bar{\imath }_{t}", id="cotangent of i"),
    pytest.param(M("W_fh.bar", n, n), "W̄_fh", r"\bar{W}_{fh}", id="cotangent of a parameter"),
    pytest.param(
        At(M("h.bar_loss", n, 1), t),
        "∂L_t/∂h_t",
        r"\frac{\partial L_{t}}{\partial h_{t}}",
        id="from the loss",
    ),
    pytest.param(
        At(M("h.bar_carry", n, 1), t - 1),
        "h⃖_{t−1}",
        r"\overset{\scriptscriptstyle\leftarrow}{h}_{t-1}",
        id="carried",
    ),
    pytest.param(
        M("h_prev.bar", n, 1),
        "h⃖_{t−1}",
        r"\overset{\scriptscriptstyle\leftarrow}{h}_{t-1}",
        id="carried, step form",
    ),
    pytest.param(MatAdd(b, a, MatMul(W, h)), "b + a + W h", r"b + a + Wh", id="sum in order"),
    pytest.param(MatAdd(a, MatMul(-1, b)), "a − b", r"a - b", id="difference"),
    pytest.param(MatAdd(MatMul(-1, b), a), "−b + a", r"-b + a", id="negative first"),
    pytest.param(MatAdd(OneMatrix(n, 1), MatMul(-1, a)), "1 − a", r"1 - a", id="number"),
    pytest.param(MatMul(2, a), "2 a", r"2a", id="coefficient"),
    pytest.param(MatMul(Rational(1, 2), a), "(1/2) a", r"\frac{1}{2}\,a", id="rational"),
    pytest.param(MatMul(Rational("0.3"), a), "0.3 a", r"0.3a", id="decimal"),
    pytest.param(MatMul(-1, MatAdd(a, b)), "−(a + b)", r"-(a + b)", id="negated sum"),
    pytest.param(MatMul(W, h), "W h", r"Wh", id="product"),
    pytest.param(MatMul(W, MatAdd(a, b)), "W(a + b)", r"W(a + b)", id="product with sum"),
    pytest.param(
        MatMul(W, HadamardProduct(a, b)), "W(a ⊙ b)", r"W(a\odot b)", id="product with hadamard"
    ),
    pytest.param(HadamardProduct(b, a), "b ⊙ a", r"b\odot a", id="hadamard"),
    pytest.param(
        HadamardProduct(MatAdd(OneMatrix(n, 1), MatMul(-1, a)), b),
        "(1 − a) ⊙ b",
        r"(1 - a)\odot b",
        id="hadamard of sum",
    ),
    pytest.param(
        HadamardProduct(a, MatMul(W, h)), "a ⊙ (W h)", r"a\odot (Wh)", id="hadamard of product"
    ),
    pytest.param(HadamardProduct(Broadcast(nu, n, 1), a), "ν a", r"\nu a", id="scalar factor"),
    pytest.param(
        HadamardProduct(Broadcast(nu, n, 1), MatAdd(OneMatrix(n, 1), MatMul(-1, a))),
        "ν(1 − a)",
        r"\nu (1 - a)",
        id="scalar in front of a sum",
    ),
    pytest.param(
        HadamardProduct(nu, Elementwise("tanh", nu)),
        "ν tanh(ν)",
        r"\nu \,\tanh (\nu )",
        id="scalars",
    ),
    pytest.param(Quotient(a, b), "a/b", r"\frac{a}{b}", id="quotient"),
    pytest.param(Elementwise("tanh", a), "tanh(a)", r"\tanh (a)", id="function"),
    pytest.param(Elementwise("sigmoid", a), "σ(a)", r"\sigma (a)", id="sigma"),
    pytest.param(Slope("tanh", At(M("a", n, 1), t)), "tanh′(a_t)", r"\tanh'(a_{t})", id="slope"),
    pytest.param(
        Elementwise("leaky_relu", a, Rational("0.2")),
        "lrelu(a; 0.2)",
        r"\mathrm{lrelu}(a;0.2)",
        id="with parameter",
    ),
    pytest.param(Elementwise("relu", a), "relu(a)", r"\mathrm{relu}(a)", id="named function"),
    pytest.param(Softmax(a), "softmax(a)", r"\mathrm{softmax}(a)", id="softmax"),
    pytest.param(
        Concat(At(h, t - 1), At(x, t)),
        "[h_{t−1}; x_t]",
        r"\begin{bmatrix}h_{t-1} \\ x_{t}\end{bmatrix}",
        id="concat",
    ),
    pytest.param(Rows(a, 0, n), "[a]_{1:n}", r"[a]_{1:n}", id="rows"),
    pytest.param(
        Rows(M("v.bar", n + m, 1), n, m), "[v̄]_{n+1:n+m}", r"[\bar{v}]_{n+1:n+m}", id="rows after"
    ),
    pytest.param(Columns(W, 0, n), "[W]_{:,1:n}", r"[W]_{:,1:n}", id="columns"),
    pytest.param(Transpose(W), "Wᵀ", r"W^{\top}", id="transpose"),
    pytest.param(Transpose(At(h, t - 1)), "h_{t−1}ᵀ", r"h_{t-1}^{\top}", id="transpose of at"),
    pytest.param(
        Transpose(Partial(At(h, t), At(h, k))),
        "(∂h_t/∂h_k)ᵀ",
        r"\Bigl(\frac{\partial h_{t}}{\partial h_{k}}\Bigr)^{\top}",
        id="transpose of partial",
    ),
    pytest.param(DiagMatrix(a), "diag(a)", r"\mathrm{diag}(a)", id="diagonal"),
    pytest.param(ZeroMatrix(n, n), "0", r"0", id="zero"),
    pytest.param(Identity(n), "I", r"I", id="identity"),
    pytest.param(MatMul(OneMatrix(1, n), a), "∑_i a_i", r"\sum_{i} a_{i}", id="sum of entries"),
    pytest.param(MatMul(a, OneMatrix(1, n)), "a 1_nᵀ", r"a1_{n}^{\top}", id="outer ones"),
    pytest.param(
        Partial(At(h, t), At(h, t - 1)),
        "∂h_t/∂h_{t−1}",
        r"\frac{\partial h_{t}}{\partial h_{t-1}}",
        id="partial",
    ),
    pytest.param(
        TimeSum(MatMul(At(a, t), Transpose(At(h, t - 1))), t, 1, T_),
        "∑_{t=1}^{T} a_t h_{t−1}ᵀ",
        r"\sum_{t=1}^{T} a_{t}\,h_{t-1}^{\top}",
        id="time sum",
    ),
    pytest.param(
        TimeSum(MatAdd(At(a, t), At(b, t)), t, 1, T_),
        "∑_{t=1}^{T} (a_t + b_t)",
        r"\sum_{t=1}^{T} (a_{t} + b_{t})",
        id="time sum of sum",
    ),
    pytest.param(
        MatAdd(TimeSum(At(a, t), t, 1, T_), b),
        "(∑_{t=1}^{T} a_t) + b",
        r"\Biggl(\sum_{t=1}^{T} a_{t}\Biggr) + b",
        id="time sum first",
    ),
    pytest.param(
        TimeProduct(MatMul(DiagMatrix(Slope("tanh", At(a, j))), W), j, t, k + 1),
        "∏_{j=t}^{k+1} diag(tanh′(a_j)) W",
        r"\prod_{j=t}^{k+1} \mathrm{diag}(\tanh'(a_{j}))\,W",
        id="time product",
    ),
    pytest.param(
        TimeProduct(MatAdd(W, DiagMatrix(At(a, j))), j, t, k + 1),
        "∏_{j=t}^{k+1} (W + diag(a_j))",
        r"\prod_{j=t}^{k+1} (W + \mathrm{diag}(a_{j}))",
        id="time product of sum",
    ),
    pytest.param(
        Blocks(W, Identity(n), ZeroMatrix(n, n), W),
        "[W, I; 0, W]",
        r"\begin{bmatrix}W & I \\ 0 & W\end{bmatrix}",
        id="blocks",
    ),
    pytest.param(Norm(W), "‖W‖₂", r"\lVert W\rVert _{2}", id="norm"),
    pytest.param(MaxAbs(a), "‖a‖_∞", r"\lVert a\rVert _{\infty}", id="largest entry"),
    pytest.param(
        Pow(Mul(Largest("tanh"), Norm(W), evaluate=False), t - k, evaluate=False),
        "(γ ‖W‖₂)^{t−k}",
        r"(\gamma \lVert W\rVert _{2})^{t-k}",
        id="power of a norm",
    ),
    pytest.param(BlockBound("c", "h", t), "N_{ch,t}", r"N_{ch,t}", id="block bound"),
    pytest.param(Radius(M("N_hat", 2, 2)), "ρ(N̂)", r"\rho (\hat{N})", id="radius"),
]


@pytest.mark.parametrize(("expression", "text", "latex"), CASES)
def test_text_and_latex(expression, text, latex):
    made = Layout().of(expression)
    assert Text()(made) == text
    assert Latex()(made) == latex


@pytest.mark.parametrize(("expression", "text", "latex"), CASES)
def test_mathml_is_balanced_and_plain(expression, text, latex):
    made = MathML("ct")(Layout().of(expression))
    opened = re.findall(r"<([a-z]+)[^>]*?(?<!/)>", made)
    assert sorted(opened) == sorted(re.findall(r"</([a-z]+)>", made))
    assert "bold" not in made
    assert set(opened) <= {
        "mrow", "mi", "mn", "mo", "msub", "msup", "msubsup", "mover", "mfrac", "msqrt", "munder",
        "munderover", "mtable", "mtr", "mtd",
    }  # fmt: skip


def test_mathml_of_a_fraction_sum_and_accent():
    step = At(M("h.bar", n, 1), t)
    bar = '<mover accent="false"><mi>h</mi><mo stretchy="false">¯</mo></mover>'
    marked = f'<mrow class="ct"><msub>{bar}<mi>t</mi></msub></mrow>'
    assert MathML("ct")(Layout().of(step)) == marked
    summed = MathML()(Layout().of(TimeSum(At(a, t), t, 1, T_)))
    low = '<mrow><mi>t</mi><mo lspace="0" rspace="0">=</mo><mn>1</mn></mrow>'
    head = f"<munderover><mo>∑</mo>{low}<mi>T</mi></munderover>"
    assert summed == f"<mrow>{head}<msub><mi>a</mi><mi>t</mi></msub></mrow>"
    before = '<mrow><mi>t</mi><mo lspace="0" rspace="0">−</mo><mn>1</mn></mrow>'
    now, then = "<msub><mi>h</mi><mi>t</mi></msub>", f"<msub><mi>h</mi>{before}</msub>"
    upper, lower = f"<mrow><mi>∂</mi>{now}</mrow>", f"<mrow><mi>∂</mi>{then}</mrow>"
    made = MathML()(Layout().of(Partial(At(h, t), At(h, t - 1))))
    assert made == f"<mfrac>{upper}{lower}</mfrac>"


def test_mathml_names_the_form_of_a_sign_where_its_place_says_another():
    a, b, plus = Symbol("a"), Symbol("b"), Operator("+")
    assert MathML()(Sum((("−", a), ("+", b)))) == (
        "<mrow><mo>−</mo><mi>a</mi><mo>+</mo><mi>b</mi></mrow>"
    )
    continued = '<mrow><mo form="infix">+</mo><mi>b</mi></mrow>'
    assert MathML()(Row((plus, b))) == continued
    assert MathML().element(Row((a, plus, b))) == "<math><mi>a</mi><mo>+</mo><mi>b</mi></math>"
    assert MathML().element(Row((a, b)), "=").startswith("<math><mo>=</mo><mrow>")
    opened = Delimiter("(", tall=False)
    assert MathML()(opened) == '<mo form="prefix" stretchy="false">(</mo>'


def test_cotangents_are_marked_in_each_back_end():
    made = Layout().of(At(M("a_f.bar", n, 1), t))
    assert Text(("<", ">"))(made) == "<ā_{f,t}>"
    assert Latex(r"\ct")(made) == r"\ct{\bar{a}_{f,t}}"
    assert MathML("ct")(made).startswith('<mrow class="ct">')
    plain = Layout().of(At(M("a_f", n, 1), t))
    assert "ct" not in Latex(r"\ct")(plain)


def test_a_cell_may_give_its_own_latex():
    layout = Layout(Notation({"f": r"\tilde{\phi}", "W": r"W^{\mathrm{rec}}"}))
    assert Latex()(layout.of(At(M("f", n, 1), t))) == r"\tilde{\phi }_{t}"
    assert Latex()(layout.of(At(M("f.bar", n, 1), t))) == r"\bar{\tilde{\phi }}_{t}"
    assert Text()(layout.of(W)) == "W^rec"


@pytest.mark.parametrize("text", [r"\input{x}", r"W_", "{W", "W}", "", r"\write18", "W$"])
def test_other_latex_is_refused(text):
    with pytest.raises(ValueError, match=r"LaTeX.*(\\operatorname$|where|brace|a character)"):
        parse_latex(text)


def test_the_author_s_step_form_bears_time():
    layout = Layout(Notation(timed=frozenset({"h", "x"}), now="k"))
    value = MatAdd(MatMul(W, M("h_prev", n, 1)), M("x", n, 1))
    assert Text()(layout.of(value)) == "W h_{k−1} + x_k"


def test_sizes_and_spaces():
    assert Text()(space_of(W)) == "ℝ^{n×n}"
    assert Text()(space_of(a)) == "ℝ^n"
    assert Text()(space_of(nu)) == "ℝ"
    assert Text()(space_of(M("V", n, n + m))) == "ℝ^{n×(n+m)}"
    assert Text()(size_box(n + m)) == "n + m"
    assert Text()(size_box(n + n)) == "2 n"


def test_each_node_can_be_written():
    written = {type(case.values[0]).__name__ for case in CASES}
    nodes = {
        name
        for name, kind in vars(expr).items()
        if isinstance(kind, type) and kind.__module__ == "derive.language.expr"
        if name[0] != "_" and not kind.__subclasses__()
    }
    assert nodes <= written


def test_each_function_has_a_name():
    for row in FUNCTIONS.values():
        written = Text()(Layout().function(row, primed=True))
        assert written.startswith("ψ_") if row.surrogate is not None else written.endswith("′")


def test_an_unknown_node_is_named():
    with pytest.raises(TypeError, match="Trace"):
        Layout().of(Trace(W))


def test_long_sums_break_before_signs():
    layout = Layout()
    made = layout.of(MatAdd(*(MatMul(W, At(M(f"a_{c}", n, 1), t)) for c in "fico")))
    broken = boxes.lines(made, 8.0)
    assert len(broken) > 1
    assert all(Text()(line).startswith(" + ") for line in broken[1:])
    assert "".join(map(Text(), broken)) == Text()(made)
    assert all(boxes.width(line) <= 8.0 for line in broken)


def test_a_long_product_of_a_sum_breaks_inside_its_parentheses():
    made = Layout().of(TimeProduct(MatAdd(W, MatMul(W, W), MatMul(W, W, W)), j, t, k + 1))
    broken = boxes.lines(made, 6.0)
    assert len(broken) > 1
    assert "".join(map(Text(), broken)) == Text()(made)


def test_no_sorting_reaches_the_reader():
    one = Cell.parse(name="one", equations="h = tanh(b + W @ h_prev + x)")
    other = Cell.parse(name="other", equations="h = tanh(W @ h_prev + x + b)")
    assert r"b + Wh_{t-1} + x_{t}" in one._repr_latex_()
    assert r"Wh_{t-1} + x_{t} + b" in other._repr_latex_()


def test_values_show_themselves_in_a_notebook():
    cell = catalogue["rnn"]
    assert cell._repr_latex_() == (
        "$$\\begin{aligned}\n"
        "a_{t} &= Wh_{t-1} + Ux_{t} + b \\\\\n"
        "h_{t} &= \\tanh (a_{t})\n"
        "\\end{aligned}$$"
    )
    derivation = differentiate(cell)
    assert derivation._repr_latex_().count("&&") == len(derivation.steps)
    assert derivation._repr_html_().count("<mtr>") == len(derivation.steps)
    assert cell.equations[0]._repr_html_().startswith("<math")


def test_norms_have_other_letters_where_the_cell_has_their_own():
    """And a name of two letters is no two letters below another: unless x, i is meant."""
    cell = Cell.parse(name="own", inputs=("x",), equations=(
        "mu = tanh(W @ mu_prev + U @ x)\nrho = sigmoid(a) * rho_prev + mu\n"
        "sigma = 0.5 * sigma_prev + rho"))  # fmt: skip
    N = M("N", 2, 2)
    for held, radius, singular in ((cell, "spr(N)", "sv_min (N)"),
                                   (catalogue["rnn"], "ρ(N)", "σ_min (N)")):  # fmt: skip
        layout = Layout(held.notation)
        assert Text()(layout.of(Radius(N))) == radius
        assert Text()(layout.of(SingularMin(N))) == singular
    assert Latex()(Layout(cell.notation).symbol("a_mu")) == r"a_{\mu}"
    assert Latex()(Layout(catalogue["rnn"].notation).symbol("W_xi")) == "W_{xi}"


def test_a_time_has_another_letter_where_the_cell_has_its_own_k():
    """DeltaNet has keys k_t, of size k."""
    for name, chain, steps in (
        ("rnn", r"\frac{\partial h_{t}}{\partial h_{k}}", "k + 1"),
        ("delta_net", r"\frac{\partial S_{t}}{\partial S_{\tau}}", "τ + 1"),
    ):
        derivation = differentiate(catalogue[name])
        layout = Layout(catalogue[name].notation)
        assert Latex()(layout.of(derivation.chain.target)) == chain
        assert Text()(layout.of(k + 1)) == steps
    assert Text()(Layout(catalogue["delta_net"].notation).of(M("k", size("k"), 1))) == "k_t"
    pairs = differentiate(catalogue["star"]).part("pairs")[0].equation.value
    assert "∑_{τ=1}^{t} diag(tanh′(a_{h,τ})" in Text()(Layout(catalogue["star"].notation).of(pairs))
    assert Text()(space_of(M("k", size("k"), 1))) == "ℝ^k"
