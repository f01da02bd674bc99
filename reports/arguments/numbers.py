"""Words of the command line → numbers.

In: text. Out: a number, or a refusal that says what was expected.
"""

from __future__ import annotations

import argparse
import math


def whole_number(text: str) -> int:
    """A seed, or another number from 0 up.

    Raises:
        ArgumentTypeError: if it is no whole number from 0 up.
    """
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 up, came {text!r}")
    return int(text)


def seconds(text: str) -> float:
    """A time.

    Raises:
        ArgumentTypeError: if it is no number of seconds above 0.
    """
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not found > 0:
        raise argparse.ArgumentTypeError(f"expected seconds, a number above 0, came {text!r}")
    return found


def count(text: str) -> int:
    """How many, from 1 up.

    Raises:
        ArgumentTypeError: if it is no whole number from 1 up.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 up, came {text!r}")
    return int(text)
