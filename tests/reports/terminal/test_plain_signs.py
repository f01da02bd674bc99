"""What a stream cannot show is spelled, and no question mark stands in its place."""

from __future__ import annotations

import pytest

from derive import catalogue
from reports.terminal.derivation import show_text
from reports.terminal.plain_signs import shown_in


@pytest.mark.parametrize(("text", "ascii"), [
    ("‖∂s_t/∂s_k‖₂ ≤ 1", "||ds_t/ds_k||_2 <= 1"), ("σ′(a) ⊙ Σ", "sigma'(a) (*) Sigma"),
    ("h\u0304_t ∈ ℝ^n", "h_bar_t in R^n"), ("Koutník, van Merriënboer", "Koutnik, van Merrienboer"),
    ("plain?", "plain?"), ("n² + 10⁻³", "n^2 + 10^-^3"), ("梯", "U+68AF"),
])  # fmt: skip
def test_signs_are_spelled(text: str, ascii: str) -> None:
    assert shown_in(text, "ascii") == ascii
    assert shown_in(text, "utf-8") == text


@pytest.mark.parametrize("name", ["lstm", "clockwork_rnn"])
def test_a_derivation_in_ascii_has_no_question_mark(name: str) -> None:
    text = shown_in(show_text(catalogue[name]), "ascii")
    assert text.isascii()
    assert "?" not in text
    assert "U+" not in text


def test_latin_letters_stay_where_the_encoding_has_them() -> None:
    assert shown_in("Koutník ≤", "latin-1") == "Koutnik <="
    assert shown_in("Koutník", "latin-1") == "Koutník"
