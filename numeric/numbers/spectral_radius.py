"""Spectral radii of nonnegative matrices, bounded from above: Collatz and Wielandt's quotients.

In: a matrix N ≥ 0. Out: a rate r and a vector v > 0 with Nv ≤ rv, in rational numbers for few
rows, in floats rounded up for many; and roots of rates, rounded up.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from numeric.numbers.matrices import raised

Array = Any


def perron_rate(N: Array) -> tuple[float, tuple[float, ...]]:
    """(r, v) with v > 0 and Nv ≤ rv, proved in rational numbers, so that ρ(N) ≤ r.

    Collatz and Wielandt: for N ≥ 0 and v > 0, ρ(N) ≤ max_a (Nv)_a / v_a. The quotient is taken
    in exact rationals and rounded up to a float. v is the float Perron vector of N with a little
    added, which makes it positive.
    """
    k = len(N)
    if not np.all(np.isfinite(N)):
        return math.inf, (1.0,) * k
    best, vector = math.inf, (1.0,) * k
    exact = [[Fraction(float(entry)) for entry in row] for row in N]
    size = float(N.max(initial=0.0)) or 1.0
    for more in (0.0, 1e-12, 1e-9, 1e-6, 1e-3, 1.0):
        lifted = N + more * size
        if not np.all(np.isfinite(lifted)):
            break
        try:
            values, vectors = np.linalg.eig(lifted)
        except np.linalg.LinAlgError:
            continue
        place = int(np.argmax(values.real))
        v = np.abs(vectors[:, place].real)
        if v.max(initial=0.0) <= 0 or not np.all(np.isfinite(v)):
            continue
        v = v / v.max()
        if v.min() < 1e-12:
            continue
        rate = collatz(exact, v.tolist())
        if rate < best:
            best, vector = rate, tuple(v.tolist())
    if math.isinf(best):
        best = collatz(exact, list(vector))
    return best, vector


def collatz(N: Sequence[Sequence[Fraction]], v: Sequence[float]) -> float:
    """max_a (Nv)_a / v_a in rational numbers, rounded up to a float."""
    w = [Fraction(value) for value in v]
    rates = [sum((e * x for e, x in zip(row, w, strict=True)), Fraction(0)) / own
             for row, own in zip(N, w, strict=True)]  # fmt: skip
    return above(max(rates, default=Fraction(0)))


def above(exact: Fraction) -> float:
    """The smallest float that is not below a rational number."""
    try:
        rounded = float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -sys.float_info.max
    return rounded if Fraction(rounded) >= exact else math.nextafter(rounded, math.inf)


def root_above(rate: float, exponent: int, steps: int) -> float:
    """A float not below (rate · 2^exponent)^(1/steps), checked in rational numbers."""
    if rate == 0.0 or not math.isfinite(rate):
        return rate
    logarithm = (math.log2(rate) + exponent) / steps
    if logarithm > 1000:
        return math.inf
    found = max(float(2.0**logarithm), sys.float_info.min)
    whole = Fraction(rate) * Fraction(2) ** exponent
    while Fraction(found) ** steps < whole:
        found *= 1 + 2.0**-48
    return found


def log_collatz(N: Array, v: Array) -> float:
    """max_a (Nv)_a / v_a for large N ≥ 0 and v > 0, rounded up in floating point."""
    with np.errstate(over="ignore", invalid="ignore"):
        rate = float(np.max((N @ v) / v, initial=0.0))
    return raised(rate, len(v) + 8) if math.isfinite(rate) else math.inf
