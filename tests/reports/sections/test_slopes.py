"""The slopes of every function of the table, as the forward section writes them."""

from __future__ import annotations

import pytest
from sympy import Rational

from derive.language.functions import FUNCTIONS
from derive.typeset.latex import Latex
from derive.typeset.layout import Layout
from derive.typeset.text import Text
from reports.document.model import Words
from reports.document.words import Speaker
from reports.sections.slopes import declared_rule, slope_rows


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_its_slope_or_its_range(name: str) -> None:
    rows = [*slope_rows(Speaker(Layout()), FUNCTIONS[name])]
    text = " ".join(Latex()(row.right) for row in rows)
    assert "pi" not in text.replace(r"\pi", "")
    assert not any(row.sign == "≤" and row.number for row in rows)


def test_roots_and_pi_are_written_as_such() -> None:
    (row,) = slope_rows(Speaker(Layout()), FUNCTIONS["erf"])
    assert Latex()(row.right) == r"\frac{2}{\sqrt{\pi }\,e^{u^{2}}}"


@pytest.mark.parametrize(("name", "english", "chinese"), [
    ("elu", "slope α at 0", "在 0 处导数取 α"),
    ("relu6", "slope 0 at 0 and 6", "在 0 和 6 处导数取 0"),
    ("step_arctan", "declared, since step jumps at 0", "声明的，因为 step 在 0 处跳变"),
])  # fmt: skip
def test_what_is_taken_at_a_kink_is_said_in_every_language(
    name: str, english: str, chinese: str
) -> None:
    for language, words in (("en", english), ("zh", chinese)):
        *_, row = slope_rows(Speaker(Layout(), language=language), FUNCTIONS[name])
        assert words in "".join(part.text for part in row.note if isinstance(part, Words))


def test_a_declared_slope_is_written_with_its_numbers_and_said_to_be_declared() -> None:
    say, triangle = Speaker(Layout()), FUNCTIONS["step_triangle"]
    (row,) = slope_rows(say, triangle, (Rational(1, 2),))
    assert Text()(row.left) == "ψ_triangle (u)"
    assert "max(min(" in Text()(row.right)
    assert "α" not in Text()(row.right)
    (told,) = declared_rule(say, [triangle, FUNCTIONS["tanh"]])
    words = "".join(p.text if isinstance(p, Words) else Text()(p.box) for p in told.content)
    assert "+ Ψ(ξ) − Ψ(ξ" in words
    assert "not the derivative of the loss" in words
    assert [*declared_rule(say, [FUNCTIONS["tanh"]])] == []
