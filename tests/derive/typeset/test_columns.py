"""How many columns a terminal gives a text."""

from __future__ import annotations

import pytest

from derive.typeset.columns import columns_of


@pytest.mark.parametrize(("text", "columns"), [
    ("", 0), ("norm", 4), ("梯度", 4), ("h\u0304_t", 3), ("第 3 步，", 9), ("∂s", 2),
])  # fmt: skip
def test_chinese_signs_take_two_columns_and_marks_none(text, columns):
    assert columns_of(text) == columns
