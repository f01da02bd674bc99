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


@pytest.mark.parametrize(
    ("one", "other"),
    [("relu(a)", "relu6(a)"), ("a", "minimum(a, 10)"), ("minimum(a, 10)", "minimum(a, 100)"),
     ("maximum(a, -3)", "a")],
)  # fmt: skip
def test_a_kink_elsewhere_than_at_zero_is_seen(one: str, other: str) -> None:
    lines = "a = W @ h_prev + U @ x + b\nh = {}"
    assert digest_of(cell(lines.format(one))) != digest_of(cell(lines.format(other)))


def test_a_kink_at_zero_is_the_field_s() -> None:
    lines = "a = W @ h_prev + U @ x + b\nh = {}"
    assert digest_of(cell(lines.format("relu(a)"))) == digest_of(
        cell(lines.format("maximum(a, 0)"))
    )
    digests = {digest_of(cell(text)) for text in ("h = relu6(W @ h_prev + U @ x)",
               "a = U @ x + W @ h_prev\nh = relu6(a)")}  # fmt: skip
    assert len(digests) == 1


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


SUM_OF_PRODUCTS = """a = tanh({0} @ h_prev)
b = tanh({1} @ h_prev)
c = tanh({2} @ h_prev)
d = tanh({3} @ h_prev)
h = {4} + 0 * (U @ x)"""
PAIRED = cell(SUM_OF_PRODUCTS.format("A", "B", "C", "D", "2 * (a * c + b * d)"))


def test_parameters_of_one_mark_are_told_apart_by_pairs() -> None:
    """With all matrices equal, and with one of them another, both are the same numbers."""
    crossed = cell(SUM_OF_PRODUCTS.format("A", "B", "C", "D", "(a + b) * (c + d)"))
    assert digest_of(PAIRED) != digest_of(crossed)


@pytest.mark.parametrize("names", ["BADC", "CDAB", "DCBA", "ADCB"])
def test_parameters_of_one_mark_may_be_named_as_one_likes(names: str) -> None:
    named = cell(SUM_OF_PRODUCTS.format(*names, "2 * (a * c + b * d)"))
    assert digest_of(named) == digest_of(PAIRED)
