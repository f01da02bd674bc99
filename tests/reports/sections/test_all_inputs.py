"""Numbers for all inputs: what is said of the proof of a rate."""

from __future__ import annotations

import pytest
from drawn_settings import setting

from derive import catalogue, differentiate
from derive.typeset.text import Text
from numeric.bounds.all_inputs.certify import certify
from reports.document.model import Math
from reports.sections.all_inputs import _proof
from reports.sections.facts import Facts


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
