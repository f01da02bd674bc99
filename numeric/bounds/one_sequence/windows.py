"""Windows: ‖J_T ⋯ J_k‖ ≤ ∏ ‖products of w consecutive factors‖, for several w at once.

In: J_T, J_{T−1}, … with the errors of their floats. Out: log10 of the bound at every lag. Longer
windows are made of shorter ones that divide them. Between two neighbours A B a diagonal D of
powers of two may be put, A D⁻¹ · D B, which is exact: with D_i² = ‖A e_i‖ / ‖e_iᵀ B‖ the product
of the Frobenius norms is smallest (Cauchy and Schwarz: Σ ‖A e_i‖ ‖e_iᵀ B‖).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from numeric.numbers.matrices import Near, bounds, multiply, up

Array = Any
_MOST: Final = 40.0
_SMALL: Final = 100
_STEPS, _FEWER = 24, 12  # of Lanczos' method: how close a bound is, not whether it holds


@dataclass
class _Window:
    """One length: Σ log10 ‖window‖ at every lag; what is left over by the next shorter length."""

    length: int
    shorter: _Window | None
    scaled: bool
    totals: list[float] = field(default_factory=lambda: [0.0])
    scaled_totals: list[float] = field(default_factory=lambda: [0.0])
    base: int = 0
    product: Near | None = None
    count: int = 0
    pending: Near | None = None
    done: float = 0.0
    near: list[Array | None] = field(default_factory=lambda: [None, None, None])

    def add(self, lag: int, factor: Near, norm: float) -> tuple[Near, float] | None:
        """One more window of the next shorter length, of at most that norm; a window that ends."""
        self.product = (factor if self.product is None
                        else multiply(self.product, factor, (math.inf, norm)))  # fmt: skip
        self.count += 1
        steps = self.shorter.length if self.shorter else 1
        if self.count * steps < self.length:
            return None
        whole = self.product.balanced()
        if self.length > 1:
            norm = self.norm(whole, 0)
        self.product, self.count = None, 0
        self.totals.append(up(self.totals[self.base] + whole.log10(norm, 1)))
        if self.scaled:
            self.scaled_totals.append(self.balance(whole))
        self.base = lag
        return whole, norm

    def norm(self, whole: Near, place: int) -> float:
        """A bound of the norm, the search begun where that of the window before ended."""
        steps = _STEPS if len(whole.matrix) <= _SMALL else _FEWER
        _, high, self.near[place] = bounds(whole, self.near[place], steps)
        return high

    def balance(self, whole: Near) -> float:
        """log10 of the scaled bound with this window as the last."""
        if self.pending is not None:
            columns = np.linalg.norm(self.pending.matrix, axis=0)
            rows = np.linalg.norm(whole.matrix, axis=1)
            with np.errstate(divide="ignore", invalid="ignore"):
                powers = np.nan_to_num(0.5 * np.log2(columns / rows), posinf=0.0, neginf=0.0)
            powers = np.clip(np.rint(powers - np.median(powers)), -_MOST, _MOST)
            before = scaled_columns(self.pending, -powers)
            self.done = up(self.done + before.log10(self.norm(before, 1), 1))
            whole = scaled_columns(whole.T, powers).T
        self.pending = whole
        return up(self.done + whole.log10(self.norm(whole, 2), 1))

    def fill(self, lag: int) -> None:
        """A lag at which no window ended: the rest by shorter windows."""
        if len(self.totals) > lag or self.shorter is None:
            return
        rest = self.shorter.totals[lag] - self.shorter.totals[self.base]
        if math.isnan(rest):
            rest = math.inf if self.shorter.totals[lag] > 0 else -math.inf
        self.totals.append(up(self.totals[self.base] + rest, rest))
        if self.scaled:
            self.scaled_totals.append(up(self.scaled_totals[self.base] + rest, rest))


def scaled_columns(near: Near, powers: Array) -> Near:
    """A diag(2^p): exact, since no entry of ours is near the ends of the exponent's range."""
    matrix = np.ldexp(near.matrix, powers.astype(int))
    largest = float(2.0 ** powers.max(initial=0.0))
    return Near(matrix, near.error * largest + 1e-280, near.exponent)


class Windows:
    """All lengths; a completed window goes on into those that it divides.

    `more` are lengths for which no bound is asked: `add` hands those windows out with the others.
    """

    def __init__(
        self, lengths: Sequence[int], scaled: Sequence[int] = (), more: Sequence[int] = ()
    ) -> None:
        self.wanted = tuple(lengths)
        self.all = {1: _Window(1, None, 1 in scaled)}
        for length in sorted({*lengths, *more} - {1}):
            divisor = max(w for w in self.all if length % w == 0)
            self.all[length] = _Window(length, self.all[divisor], length in scaled)

    def add(self, lag: int, factor: Near, norm: float) -> dict[int, tuple[Near, float]]:
        """The factor of that lag, with a bound of its norm; the windows that end, by length."""
        ended: dict[int, tuple[Near, float]] = {}
        self._feed(self.all[1], lag, factor, norm, ended)
        for window in self.all.values():
            window.fill(lag)
        return ended

    def _feed(
        self, window: _Window, lag: int, factor: Near, norm: float,
        ended: dict[int, tuple[Near, float]],
    ) -> None:  # fmt: skip
        done = window.add(lag, factor, norm)
        if done is not None:
            ended[window.length] = done
            for user in self.all.values():
                if user.shorter is window:
                    self._feed(user, lag, *done, ended)

    def log10_upper(self) -> dict[str, tuple[float, ...]]:
        """The bounds at the lags 1, 2, … by method."""
        found = {}
        for length in self.wanted:
            window = self.all[length]
            found[f"window_{length}"] = tuple(window.totals[1:])
            if window.scaled:
                found[f"window_{length}_scaled"] = tuple(window.scaled_totals[1:])
        return found
