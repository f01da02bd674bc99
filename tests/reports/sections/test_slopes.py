"""The slopes of every function of the table, as the forward section writes them."""

from __future__ import annotations

import pytest

from derive.language.functions import FUNCTIONS
from derive.typeset.latex import Latex
from derive.typeset.layout import Layout
from reports.document.words import Speaker
from reports.sections.slopes import slope_rows


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_its_slope_or_its_range(name: str) -> None:
    rows = [*slope_rows(Speaker(Layout()), FUNCTIONS[name])]
    text = " ".join(Latex()(row.right) for row in rows)
    assert "pi" not in text.replace(r"\pi", "")
    assert not any(row.sign == "≤" and row.number for row in rows)


def test_roots_and_pi_are_written_as_such() -> None:
    (row,) = slope_rows(Speaker(Layout()), FUNCTIONS["erf"])
    assert Latex()(row.right) == r"\frac{2}{\sqrt{\pi }\,e^{u^{2}}}"
