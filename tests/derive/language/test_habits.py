"""What is written in other notations is answered with what is written in this one."""

from __future__ import annotations

import re

import pytest

from derive import Cell, CellError
from derive.language.habits import _CALLS


def said_of(equations: str) -> CellError:
    with pytest.raises(CellError) as caught:
        Cell.parse(name="trial", equations=equations)
    return caught.value


@pytest.mark.parametrize(
    ("equations", "column", "says"),
    [
        ("h = σ(W @ x) * h_prev", 5, "write sigmoid(a)"),
        ("h = σ * h_prev + x", 5, "write sigma"),
        ("h = Γ * h_prev + x", 5, "write Gamma"),
        ("h = a ⊙ h_prev + x", 7, "write * for"),
        ("h = a · h_prev + x", 7, "@ for one with a matrix"),
        ("h = h_prev − x", 12, "write - for"),
        ("S = S_prev + x @ kᵀ", 19, "write .T"),
        ("S = S_prev + x @ k^T", 19, "write .T"),
        ("S = S_prev + x @ x.transpose()", 19, "write .T"),
        ("h = x^2 + h_prev", 6, "write power(a, 2)"),
        ("h = x**2 + h_prev", 7, "write power(a, 2)"),
        ("h = np.tanh(h_prev) + x", 7, "write tanh(a)"),
        ("h = F.silu(h_prev) + x", 6, "write silu(a)"),
        ("h = W @ torch.cat([h_prev, x])", 14, "write concat(a, b)"),
        ("h = torch.linalg.norm(x) * h_prev", 10, "write norm(a)"),
        ("h = U @ h[t-1] + x", 10, "h_prev the one a step earlier"),
        ("h = U @ h_{t-1} + x", 11, "h_prev the one a step earlier"),
        ("h := h_prev + x", 3, "write = to assign"),
        ("h = (x > 0) * h_prev", 8, "maximum(a, b)"),
        ("h = softmax(x, axis=-1) * h_prev", 20, "arguments have no names"),
        ("h = tanh(W x + h_prev)", 12, "write * for a product entry by entry, @"),
        ("h = 2 h_prev + x", 7, "write * for a product entry by entry, @"),
        ("h = tanh(W @ x)(h_prev)", 16, "write * for a product entry by entry, @"),
        ("f = x; h = h_prev + f", 6, "a line of its own"),
        ("h = \\tanh(h_prev) + x", 5, "the name of a function or symbol alone"),
        ("h\u0303 = h_prev + x", 2, "as in h_tilde"),
        ("h = √(x) + h_prev", 5, "write sqrt(a)"),
    ],
)  # fmt: skip
def test_a_sign_of_another_notation_is_answered_with_ours(equations, column, says):
    error = said_of(equations)
    assert (error.line, error.column) == (1, column)
    assert says in error.message


def test_nothing_is_advised_where_nothing_is_known():
    assert "the notation has names" in said_of("h = h_prev + x $ 2").message
    assert said_of("tanh(h_prev + x)").message.endswith("came '('")


def test_a_bracket_left_open_in_a_line_before_is_named():
    error = said_of("h = tanh(x + (h_prev)\nc = c_prev + h")
    assert (error.line, error.column) == (2, 1)
    assert "'(' of line 1, column 9 is still open" in error.message


@pytest.mark.parametrize("name", _CALLS)
def test_what_an_unknown_function_is_written_as_is_of_the_notation(name):
    assert f"write {_CALLS[name]}; " in said_of(f"h = {name}(h_prev) + x").message
    assert "unknown function" in said_of(f"h = {name.upper()}(h_prev) + x").message
    written = re.sub(r"\ba\b", "h_prev", re.sub(r"\bb\b", "x", _CALLS[name]))
    Cell.parse(name="trial", equations=f"u = {written}\nh = V @ h_prev + D @ u + x")
