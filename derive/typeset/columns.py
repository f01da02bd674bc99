"""Text → how many columns it takes where every letter is as wide as the next.

In: text of any script. Out: a number. Needs the standard library alone.
"""

from __future__ import annotations

import unicodedata


def columns_of(text: str) -> int:
    """How many columns a terminal gives the text: two to a Chinese sign, none to a mark over one.

    Source: Unicode Standard Annex 11, East Asian Width.
    """
    return sum(
        0 if unicodedata.combining(sign) else 1 + (unicodedata.east_asian_width(sign) in "WF")
        for sign in text
    )
