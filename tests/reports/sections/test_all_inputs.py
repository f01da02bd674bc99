"""Numbers for all inputs: what is said of the proof of a rate."""

from __future__ import annotations

import pytest
from drawn_settings import setting
from studies import small_study

from derive import catalogue, differentiate
from derive.typeset.text import Text
from numeric.bounds.all_inputs.certify import certify
from reports.document.model import Math
from reports.sections.all_inputs import _proof, drawn_words, what_is_scaled
from reports.sections.facts import Facts
from reports.sections.numbering import Pages


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_rate_that_pieces_of_the_box_prove_says_how_many_there_are(language):
    """Their number, the letters of the theorem for what is shared and what is not, the rate."""
    found = certify(setting("gru", 0.7, 3, n=2, start=(0.0, 0.0)), 8)
    facts = Facts(differentiate(catalogue["gru"]), language=language)
    (told,) = _proof(facts, found)
    said = "".join(Text()(p.box) if isinstance(p, Math) else p.text for p in told)
    count = len(found.pieces.boxes)
    assert ({"en": f"{count} pieces cover", "zh": f"由 {count} 块覆盖"})[language] in said
    assert ({"en": "its own S and with the P", "zh": "自己的 S 和各块共用的 P"})[language] in said
    assert "0.996" in said
    assert found.pieces.rate <= 0.996


def test_the_gain_is_said_to_be_in_no_matrix_that_has_none():
    """Of mut1 matrices of the input have it too, of qrnn all have, and m columns; of jordan one."""
    said = {}
    for name in ("rnn", "mut1", "qrnn", "jordan"):
        pages = Pages(Facts(differentiate(catalogue[name])), small_study(name), name)
        said[name] = [
            "".join(Text()(part.box) if isinstance(part, Math) else part.text for part in words)
            for words in (drawn_words(pages), what_is_scaled(pages))
        ]
    assert said["rnn"][0].startswith("Matrices that multiply a state are drawn from a normal")
    assert "of variance g²/n, other" in said["rnn"][0]
    assert "columns, g² for U and 0.3² for any others" in said["jordan"][0]
    for name in ("mut1", "qrnn"):  # and of others nothing is said
        assert "a normal distribution of variance g² over the number of columns" in said[name][0]
    assert not any("/n" in said[name][0] for name in ("mut1", "qrnn", "jordan"))
    assert said["rnn"][1] == "The recurrent weights are multiplied with g."
    assert said["mut1"][1] == "W_xz, W_xr, W_hr and W_hh are multiplied with g."
