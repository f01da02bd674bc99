"""Numbers of the command line, and what is none."""

from __future__ import annotations

from argparse import ArgumentTypeError

import pytest

from reports.arguments.numbers import seconds, whole_number


def test_numbers_are_read():
    assert whole_number("12") == 12
    assert seconds("0.5") == 0.5


@pytest.mark.parametrize(("read", "text"), [
    (whole_number, "-1"), (whole_number, "1.5"), (whole_number, "x"), (seconds, "0"),
    (seconds, "nan"), (seconds, "soon"),
])  # fmt: skip
def test_what_is_no_number_is_refused(read, text):
    with pytest.raises(ArgumentTypeError, match="expected"):
        read(text)
