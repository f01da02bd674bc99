"""What a C file says of itself and stands on: the words of its head, and the helpers it calls.

In: the text of a file's functions, and its prefix. Out: the text above them.
"""

from __future__ import annotations

from typing import Final

from numeric.compiler.to_c.products import PRODUCTS
from numeric.compiler.to_c.samples import SAMPLES
from numeric.compiler.to_c.vectors import HELPERS

ALL_HELPERS: Final = {**HELPERS, **PRODUCTS, **SAMPLES}

RESERVE: Final = """
/* Takes room for a · b · c numbers at the end of a memory; once there is none, −1 for good. */
static ptrdiff_t reserve(ptrdiff_t *end, ptrdiff_t a, ptrdiff_t b, ptrdiff_t c)
{
    const ptrdiff_t at = *end, most = PTRDIFF_MAX / 64;
    if (at < 0 || (b > 0 && a > most / b) || (c > 0 && a * b > most / c)
        || a * b * c > most - at - LANES)
        *end = -1;
    else
        *end = at + whole(a * b * c);
    return at;
}
/* The first address from p on at which whole vectors begin. */
INLINE real *aligned(const void *p)
{
    const uintptr_t side = (uintptr_t)LANES * sizeof(real);
    return (real *)(((uintptr_t)p + side - 1) / side * side);
}
"""


def needed(text: str) -> list[str]:
    """The helpers that a text calls, and those they need, in the order of the tables."""
    open_ones = [name for name in ALL_HELPERS if f"{name}(" in text]
    found: set[str] = set()
    while open_ones:
        name = open_ones.pop()
        if name not in found:
            found.add(name)
            open_ones += ALL_HELPERS[name][1]
    return [name for name in ALL_HELPERS if name in found]


def told(text: str, prefix: str) -> str:
    """A text of ours with the file's prefix in it."""
    return text.strip("\n").replace("{prefix}", prefix).replace("{PREFIX}", prefix.upper()) + "\n"


def harmless(text: str) -> str:
    """A line that neither ends a comment nor begins one."""
    return text.replace("*/", "* /").replace("/*", "/ *")


ABOUT: Final = """
How to use it: {prefix}_f4_… takes float; compiled with -D{PREFIX}_DOUBLE the file defines
{prefix}_f8_…, which takes double. Compile it twice for both. C11 and libm are all it needs; it
allocates nothing and keeps no state, so calls may run side by side on memory of their own: on
several threads each with a part of the batch, their gradients of parameters then added up, which
gives to rounding what one call gives.
With GCC or Clang it uses their vectors, unless {PREFIX}_PLAIN is defined. It is made for
-O3 -march=native -fno-math-errno -fno-trapping-math -ffp-contract=fast, never for -ffast-math.
Arrays are row by row, without gaps. The pass back reads what the pass forward left in the states
and on the tape, as often as asked. A cotangent that is NULL counts as zero."""
IN_PARTS: Final = """
The passes named _part work on some samples where they stand among those of the whole batch."""
