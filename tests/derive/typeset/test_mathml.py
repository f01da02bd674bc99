"""What MathML says to browsers beside its letters: room where they would touch."""

from __future__ import annotations

from derive.typeset import boxes
from derive.typeset.boxes import Fenced, Fraction, Symbol, sub, sup
from derive.typeset.mathml import MathML


def test_mathml_has_room_where_letters_lean_and_bars_stand():
    """Browsers set a superscript over the right stem of an N, and a norm's bars on a fraction."""
    gap = '<mspace width="0.11em"/>'
    assert MathML()(sup(Symbol("N"), "2")) == (
        f"<msup><mi>N</mi><mrow>{gap}<mn>2</mn></mrow></msup>")  # fmt: skip
    assert gap not in MathML()(sup(Symbol("r"), "2"))
    tall = Fraction(Symbol("a"), Symbol("b"))
    assert MathML()(Fenced(tall, "‖", "‖")).count('<mspace width="0.1em"/>') == 2
    assert "mspace" not in MathML()(Fenced(Symbol("W"), "‖", "‖"))
    assert '<mo lspace="0" rspace="0.17em">,</mo>' in MathML()(boxes.row("1", ",", "2"))
    assert '<mo lspace="0" rspace="0">,</mo>' in MathML()(sub("f", "c", ",", "t"))
    named = boxes.row(Symbol("inf"), boxes.row(sub("min", "p"), Symbol("a")))
    assert MathML()(named).startswith('<mrow><mi>inf</mi><mspace width="0.33em"/>')
