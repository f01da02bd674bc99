"""One function, one digest; another function, another."""

from __future__ import annotations

import pytest

from derive import catalogue
from derive.cell import Cell
from numeric.search.identity import digest_of


def cell(text: str) -> Cell:
    return Cell.parse(name="c", equations=text, inputs=("x",))


RNN = "h = tanh(W @ h_prev + U @ x + b)"


@pytest.mark.parametrize(
    "other",
    [
        "h = tanh(A @ h_prev + Z @ x + q)",
        "a = U @ x + b\nh = tanh(a + W @ h_prev)",
        "h = 0 - tanh(0 - (b + W @ h_prev + U @ x))",
        "h = 2 * tanh(W @ h_prev + U @ x + b) - tanh(W @ h_prev + U @ x + b)",
    ],
)
def test_renamed_and_rearranged(other: str) -> None:
    assert digest_of(cell(RNN)) == digest_of(cell(other))


@pytest.mark.parametrize(
    "other",
    [
        "h = tanh(W @ h_prev + U @ x)",
        "h = sigmoid(W @ h_prev + U @ x + b)",
        "h = tanh(W.T @ h_prev + U @ x + b)",
        "h = tanh(W @ h_prev + U @ x + b) + b",
        "h = tanh(W @ h_prev + U @ x + b + W @ h_prev)",
    ],
)
def test_other_functions(other: str) -> None:
    assert digest_of(cell(RNN)) != digest_of(cell(other))


def test_a_tie_is_another_function() -> None:
    free = "z = sigmoid(W @ h_prev + U @ x)\nh = z * h_prev + tanh(V @ h_prev)"
    tied = "z = sigmoid(W @ h_prev + U @ x)\nh = z * h_prev + tanh(W @ h_prev)"
    assert digest_of(cell(free)) != digest_of(cell(tied))


def test_of_the_catalogue_only_the_lstm_without_peepholes_is_another_again() -> None:
    names = ["rnn", "lstm", "lstm_np", "coupled_lstm", "lstm_cifg", "gru", "gru_reset_after", "mgu",
             "ugrnn", "lstm_nog"]  # fmt: skip
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(digest_of(catalogue[name]), []).append(name)
    assert [same for same in found.values() if len(same) > 1] == [["lstm", "lstm_np"]]
