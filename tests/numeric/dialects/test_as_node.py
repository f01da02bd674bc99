"""Which operator of ONNX a cell is, and cells that are none."""

from __future__ import annotations

from fractions import Fraction

import pytest
from profiles import by_day

from derive import Cell
from derive.cell import cell_of
from numeric.dialects import as_node as module
from numeric.dialects.as_node import NoNodeError, as_node
from numeric.dialects.same import OneWay
from numeric.weights.layouts import ONNX

KNOWN = (
    ("rnn", "onnx_rnn"), ("irnn", "onnx_rnn_relu"), ("lstm", "onnx_lstm"), ("gru", "onnx_gru"),
    ("peephole_lstm", "onnx_lstm_peephole"), ("mgu", "onnx_gru"),
    ("gru_reset_after", "onnx_gru_linear_before_reset"), ("tf_block_lstm", "onnx_lstm"),
    ("tf_block_lstm_peephole", "onnx_lstm_peephole"), ("d2l_lstm", "onnx_lstm"),
    ("torch_gru", "onnx_gru_linear_before_reset"), ("keras_gru", "onnx_gru"),
)  # fmt: skip


@pytest.mark.by_default("d2l_lstm", "gru-onnx_gru", "lstm")
@pytest.mark.parametrize(("name", "dialect"), [*KNOWN[:3], *by_day(KNOWN[3:], 3)])
def test_the_operator_of_a_cell(name: str, dialect: str) -> None:
    found = as_node(cell_of(name), 4)
    assert found.dialect == dialect
    assert found.proof.holds
    assert found.proof.error_probability < 1e-20
    assert {*ONNX} >= {"rnn", "irnn"}
    node = found.node
    assert node.units == 4
    assert len(node.B) == 2 * len(node.W) == 2 * len(node.R)
    assert (node.carried is not None) == (node.kind == "LSTM")
    assert bool(node.P) == dialect.endswith("peephole")


def test_gates_stand_in_the_order_of_the_operator() -> None:
    node = as_node(cell_of("lstm"), 4).node
    assert [gate.terms[0].parameter for gate in node.R] == ["W_ih", "W_oh", "W_fh", "W_ch"]
    assert (node.output, node.carried, node.last, node.hidden) == ("h", "c", "c_last", "n")
    gru = as_node(cell_of("gru"), 4).node
    assert [(gate.terms[0].parameter, gate.terms[0].factor) for gate in gru.W] == [
        ("W_zx", -1), ("W_rx", 1), ("W_hx", 1),
    ]  # fmt: skip


def test_a_number_that_multiplies_is_in_the_matrices() -> None:
    text = "h = tanh(2 * (W @ h_prev) + U @ x + 0.5 * b)"
    node = as_node(Cell.parse(name="own", equations=text), 4).node
    assert [(t.parameter, t.factor) for gate in node.R for t in gate.terms] == [("W", 2)]
    assert [t.factor for gate in node.B for t in gate.terms] == [Fraction(1, 2)]


def test_the_same_cell_by_other_names_is_found() -> None:
    """Names, letters, one matrix for both, a bias of a sum, and an offset of one."""
    cell = Cell.parse(
        name="mine", source="a test", inputs=("u",), sizes={"u": "p"},
        equations="""
        i = sigmoid(A @ [s_prev, u] + a)
        f = sigmoid(1 + F @ s_prev + G @ u + b)
        o = sigmoid(O @ [u, s_prev])
        k = f * k_prev + i * tanh(K @ u - L.T @ s_prev)
        s = o * tanh(k)
        """,
    )  # fmt: skip
    node = as_node(cell, 3).node
    assert node.kind == "LSTM"
    assert (node.output, node.carried) == ("s", "k")
    assert node.said["R_i"].startswith("A[:")
    assert node.said["R_c"] == "−L.T"
    assert [gate.offset for gate in node.B].count(1.0) == 1


@pytest.mark.long
def test_a_cell_that_is_no_operator_is_refused() -> None:
    with pytest.raises(NoNodeError, match=r"compute ugrnn: bptt same ugrnn onnx_lstm says what"):
        as_node(cell_of("ugrnn"), 4)
    with pytest.raises(ValueError, match="expected 1 or more"):
        as_node(cell_of("rnn"), 0)


def test_a_search_without_an_end_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    none = OneWay(None, None, "", False, reason="too many steps")
    monkeypatch.setattr(module, "one_way", lambda *given: none)
    with pytest.raises(NoNodeError, match=r"\(onnx_rnn, .*: the search was not finished\)"):
        as_node(cell_of("rnn"), 4)
