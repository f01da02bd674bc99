"""Every line that `bptt show` prints of a network is read back, and true in numbers.

The lines of one layer, with each layer's letters, and those that join layers, readout and loss
give every value and every cotangent (`network_page.py`). They are compared with the emitted
module's loss and gradients, and these with small steps through the printed equations.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from profiles import NIGHTLY, by_day

from derive import Cell, catalogue, differentiate
from derive.network import Network
from reports.document.html import html
from reports.sections.network import build_network
from reports.terminal.derivation import show_network_latex
from tests.derive.typeset.as_text import latex_lines, report_lines
from tests.derive.typeset.cell_page import nfd
from tests.derive.typeset.network_letters import (
    DOWN,
    LOSS,
    OF_READOUT,
    READOUT,
    TOP,
    TURNED,
    UP,
    Line,
)
from tests.derive.typeset.network_page import NetworkPage
from tests.derive.typeset.printed_values import UnreadableError
from tests.derive.typeset.reader import read

TWO_INPUTS = Cell.parse(
    name="two", inputs=("x", "e", "c_below"), outputs=["y"],
    equations="""
g = sigmoid(W @ concat(h_prev, x) + w * c_below + b)
c = g * c_prev + (1 - g) * tanh(U @ e + V @ (g * h_prev))
h = tanh(c) * h_prev + M @ c
y = E @ h + p
""",
)  # fmt: skip
PRODUCTS = Cell.parse(
    name="products", equations="h = tanh(W @ h_prev + x * h_prev)", sizes={"x": "n"}
)
NETWORKS = {
    "rnn": Network(catalogue["rnn"], 2),
    "bilstm": Network(catalogue["lstm"], 2, bidirectional=True),
    "deep": Network(catalogue["rnn"], 3, True, readout="linear", loss="squared_error"),
    "table": Network(catalogue["depth_gated_lstm"], 2, True, loss_at="last", embedding=True,
                     dropout=True),
    "last": Network(catalogue["gru"], 2, loss="squared_error", loss_at="last"),
    "clock": Network(catalogue["clockwork_rnn"], 1, True),
    "inputs": Network(TWO_INPUTS, 2, True, dropout=True),
    "peephole": Network(catalogue["peephole_lstm"], 3, True, embedding=True),
    "products": Network(PRODUCTS, 1, True, embedding=True, loss_at="last"),
    "matrices": Network(catalogue["mlstm"], 2, True, readout="linear", loss="squared_error"),
}  # fmt: skip


@pytest.mark.by_default("bilstm", "deep", "inputs")
@pytest.mark.parametrize("name", NETWORKS)
def test_every_line_of_a_network_is_true_in_text_latex_and_mathml(name):
    network = NETWORKS[name]
    page = NetworkPage(network)
    page.check()
    page.same_lines(latex_lines(show_network_latex(network)))
    page.same_lines(report_lines(html(build_network(network))))
    assert page.count == sum(value.size for value in page.given["params"].values())


@pytest.mark.by_default("bilstm")
@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_the_slopes_of_the_printed_loss(name):
    page = NetworkPage(NETWORKS[name])
    loss, gradients = page.kernel.loss_and_gradient(**page.given)
    assert page.loss == pytest.approx(float(loss), rel=1e-12)
    rng = np.random.default_rng(1)
    change = {group: {k: rng.normal(size=value.shape) for k, value in arrays.items()}
              for group, arrays in gradients.items() if arrays}  # fmt: skip
    wanted = sum(np.sum(change[g][k] * gradients[g][k]) for g in change for k in change[g])
    assert page.slope(change) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("name", ["bilstm", "deep", "last"])
def test_the_loss_of_a_report_is_the_one_that_is_differentiated(name):
    page = NetworkPage(NETWORKS[name])
    rows = [(left, right) for number, left, right in report_lines(html(build_network(page.network)))
            if not number and left.startswith("L")]  # fmt: skip
    (_, each), (_, whole) = rows[:2]
    total = 0.0
    for t in page.when:
        term = read(each, page.joint.at(t=t))
        page.joint.put("L", t, term)
        total += float(np.squeeze(term))
    assert float(np.squeeze(read(whole, page.joint))) == pytest.approx(page.loss, rel=1e-12)
    assert total == pytest.approx(page.loss, rel=1e-12)


ALTERED = (
    (UP, "[h_t^{(1)}; h_t^{′(1)}]", "[h_t^{′(1)}; h_t^{(1)}]"), (UP, "h_t^{′(1)}", "h_t^{(1)}"),
    (READOUT, "h_t^{(2)}; h_t^{′(2)}", "h_t^{(1)}; h_t^{′(1)}"), (LOSS, "−y_t", "y_t"),
    (LOSS, "p_t − y_t", "y_t − p_t"), (LOSS, "(p̄_t − ", "(p̄_t + "),
    (OF_READOUT, "h_t^{′(2)}]ᵀ", "h_t^{(2)}]ᵀ"), (OF_READOUT, "_{t=1}^{T} ū_t", "_{t=2}^{T} ū_t"),
    (TOP, "_{1:n}", "_{n+1:2n}"), (TOP, "Vᵀ", "V"), (TOP, "h_t^{′(2)}", "h_t^{(2)}"),
    (DOWN, " + (W_ox^{′(2)})ᵀ ā_{o,t}^{′(2)}", ""), (DOWN, "(W_cx^{(2)})ᵀ", "W_cx^{(2)}"),
    (DOWN, "ā_{i,t}^{′(2)}", "ā_{i,t}^{(2)}"), (DOWN, "W_fx^{(2)}", "W_fx^{(1)}"),
    (DOWN, "ā_{o,t}^{(2)} + ", "ā_{o,t}^{(2)} − "), (DOWN, "_{1:n}", "_{n+1:2n}"),
    (DOWN, "h⃖_t^{′(1)}", "h⃖_t^{(1)}"), (DOWN, " + h⃖_t^{(1)}", ""),
    (TURNED, "W_fh′ h_{t+1}′", "W_fh′ h_{t−1}′"), (TURNED, "W_oh′ h", "W_oh h"),
    (TURNED, "f̄_t′ = c̄_t′ ⊙ c_{t+1}′", "f̄_t′ = c̄_t′ ⊙ c_{t−1}′"), (TURNED, "c⃖₁′", "c⃖_T′"),
    (TURNED, "c⃖_{t+1}′ = c̄_t′ ⊙ f_t′", "c⃖_{t+1}′ = c̄_t′ ⊙ f_t"),
    (TURNED, "+ c̄_{t−1}′", "+ c̄_{t+1}′"), (TURNED, "ā_{f,t}′ (h_{t+1}′)ᵀ", "ā_{f,t}′ (h_t′)ᵀ"),
    (TURNED, "h⃖_{T+1}′", "h⃖_T′"), (TURNED, "c̄_{T+1}′", "c̄₀′"),
)  # fmt: skip


@pytest.mark.parametrize(("section", "old", "new"), by_day(ALTERED, 9))
def test_a_false_line_is_seen(section, old, new):
    seen = []

    def altered(line: Line) -> Line:
        whole = f"{line.left} = {line.right}"
        if line.section != section or nfd(old) not in whole:
            return line
        seen.append(line.number)
        left, right = whole.replace(nfd(old), nfd(new)).split(" = ", 1)
        return replace(line, left=left, right=right)

    with pytest.raises((AssertionError, UnreadableError, KeyError)):
        NetworkPage(NETWORKS["bilstm"], altered).check()
    assert seen


@pytest.mark.long
@pytest.mark.parametrize(("of", "old", "new"), [
    ("table", "c_t^{low,′(2)} = c_t^{′(1)}", "c_t^{low,′(2)} = c_t^{(1)}"),
    ("table", "w_ld′ ⊙ c_t^{low,′}", "w_ld′ ⊙ c_t^low"), ("table", "Eᵀ", "E"),
    ("table", "r_t^{(1)} ⊙ [", "["), ("table", "[r_t^{(1)} ⊙ x̄", "[x̄"),
    ("table", "g_t x̄_tᵀ", "g_t x̄_t"), ("table", "h_T^{(2)}", "h_T^{(1)}"),
    ("inputs", "h_{t+1}^{′(1)}", "h_{t−1}^{′(1)}"), ("deep", "x_t^{(l)}", "x_t^{(l−1)}"),
    ("deep", "(U^{(l)})ᵀ", "(U^{(2)})ᵀ"), ("deep", "[x̄_t^{(l)}]_{1:n}", "[x̄_t^{(3)}]_{1:n}"),
    ("products", "+ ā_{h,t}′ ⊙ h_{t+1}′", "+ ā_{h,t}′ ⊙ h_{t−1}′"),
][:: 1 if NIGHTLY else 4])  # fmt: skip
def test_a_false_line_of_a_mask_a_table_or_many_layers_is_seen(of, old, new):
    seen = []

    def altered(line: Line) -> Line:
        whole = f"{line.left} = {line.right}"
        if line.number <= last or nfd(old) not in whole:
            return line
        seen.append(line.number)
        left, right = whole.replace(nfd(old), nfd(new)).split(" = ", 1)
        return replace(line, left=left, right=right)

    last = len(differentiate(NETWORKS[of].cell).steps)
    with pytest.raises((AssertionError, UnreadableError, KeyError)):
        NetworkPage(NETWORKS[of], altered).check()
    assert seen
