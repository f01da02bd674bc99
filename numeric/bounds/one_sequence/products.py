"""J_T ⋯ J_{T−l+1} for l = 1, 2, …, each with a bound of its error, and windows on the way.

In: J_T, J_{T−1}, … with the errors of their floats. Out: the products. Each is made of windows of
b, 2b, 4b, … steps, as a binary counter has digits, and of fewer than b single factors at the end:
few factors with tight norms meet, so that errors stay small, and single factors, whose blocks are
often diagonal, cost less than a dense one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from numeric.bounds.one_sequence.windows import Windows
from numeric.numbers.matrices import Near, bounds, multiply

Array = Any
_LEAST, _USUAL, _MOST = 6, 8, 12


@dataclass
class _Part:
    """A factor or window that ends at a lag, its norm, and the product up to there once asked."""

    end: int
    own: Near
    norm: float
    whole: Near | None = None


class Products:
    """The products of the first factors, one more with each, and the windows asked for.

    `product` is made when it is asked for; `log10_factor` is at least log10 of the norm of the last
    factor. With `keep` windows that divide the factors into at most so many segments stay.
    """

    def __init__(
        self, count: int, lengths: Sequence[int] = (), scaled: Sequence[int] = (), keep: int = 0
    ) -> None:
        base = max((w for w in lengths if _LEAST <= w <= _MOST), default=_USUAL)
        levels = [base << k for k in range(count.bit_length()) if base << k <= count]
        self.windows = Windows(lengths, scaled, levels)
        self.levels: Final = levels
        fit = (w for w in sorted({*lengths, *levels}) if -(-count // w) <= keep)
        self.kept_length: Final = next(fit, 0)
        self.kept: list[_Part] = []
        self.parts: list[_Part] = []
        self.lag = 0
        self.log10_factor = math.inf
        self._start: Array | None = None

    def add(self, factor: Near) -> None:
        """One more, earlier factor."""
        self.lag += 1
        factor = factor.balanced()
        _, norm, self._start = bounds(factor, self._start)
        self.log10_factor = factor.log10(norm, 1)
        ended = self.windows.add(self.lag, factor, norm)
        if self.kept_length in ended:
            self.kept.append(_Part(self.lag, *ended[self.kept_length]))
        longest = max((level for level in self.levels if level in ended), default=1)
        while self.parts and self.parts[-1].end > self.lag - longest:
            self.parts.pop()
        self.parts.append(_Part(self.lag, *(ended[longest] if longest > 1 else (factor, norm))))

    def segments(self) -> tuple[tuple[int, Near], ...]:
        """The windows kept, with the lags at which they end, and what is left over at the end."""
        last = self.kept[-1].end if self.kept else 0
        rest: Near | None = None
        for part in self.parts:
            if part.end > last:
                rest = part.own if rest is None else multiply(rest, part.own, (math.inf, part.norm))
        made = [(part.end, part.own) for part in self.kept]
        return tuple(made if rest is None else [*made, (self.lag, rest)])

    @property
    def product(self) -> Near:
        """The product of all that was added.

        Assumes: something was.
        """
        whole: Near | None = None
        for part in self.parts:
            if part.whole is None:
                part.whole = part.own
                if whole is not None:
                    part.whole = multiply(whole, part.own, (math.inf, part.norm))
            whole = part.whole
        assert whole is not None
        return whole
