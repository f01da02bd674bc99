"""Functions on the integers mod 2⁶¹−1 that are random but obey what gradient code relies on.

In: a seed. Out: `RandomFunctions`, in force within a block. They obey exp(−a) = 1/exp(a),
exp(0) = 1, exp(2a) = exp(a)², log inverse to exp, log(1+exp(a)) = a + log(1+exp(−a)); tanh, sinh
and cosh come of exp; sin² + cos² = 1; a root, or a primitive, is a random function of its own, with
its slope. They do not obey exp(a+b) = exp(a)·exp(b) for other a and b, nor √a·√a = a.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import blake2b
from typing import Any, Final

from numeric.numbers.constants import distinct, simplest_rational
from numeric.numbers.primitives import Primitive

PRIME: Final = 2**61 - 1
HALF: Final = (PRIME + 1) // 2
_SQUARES: Final = (PRIME - 1) // 2  # how many squares but 0: odd, so squaring permutes them
_BITS: Final = 61  # 2⁶¹ = 1 in the field


def inverse(value: int) -> int:
    """1/value in the field.

    Raises:
        ZeroDivisionError: if the value is zero.
    """
    if value == 0:
        raise ZeroDivisionError("division by zero in the field")
    return pow(value, -1, PRIME)


@dataclass
class RandomFunctions:
    """One random function for exp, one for its inverse, one for the sine's half tangent.

    `scales` are the points at which exp is known, but for powers of two: ±c, and the smallest and
    the largest power of two beside it; `elsewhere` counts points that another process asked of
    the same functions. `ties` counts comparisons of different elements with equal shadows: what
    they decided is the shadows' rounding. `constants` are what positive floats stand for where
    their simplest rational is not it.
    """

    key: bytes
    powers: dict[int, int] = field(default_factory=lambda: {0: 1})
    logarithms: dict[int, int] = field(default_factory=lambda: {1: 0})
    scales: dict[int, tuple[int, int]] = field(default_factory=dict)
    elsewhere: int = 0
    ties: int = 0
    others: set[tuple[bytes, int]] = field(default_factory=set)
    constants: Mapping[float, Fraction] = field(default_factory=dict)

    @property
    def asked(self) -> int:
        """At how many points any of the functions is known."""
        return len(self.powers) + len(self.others) + self.elsewhere

    def read(self, number: float) -> Fraction:
        """The constant that the float is the nearest to, else its simplest rational."""
        known = self.constants.get(abs(number))
        if known is None:
            return simplest_rational(number)
        return -known if number < 0 else known

    def hash(self, what: bytes, value: int) -> int:
        """A random element but 0, the same for the same name and value."""
        digest = blake2b(what + value.to_bytes(8), key=self.key, digest_size=16).digest()
        return 1 + int.from_bytes(digest) % (PRIME - 1)

    @property
    def doublings(self) -> int:
        """How far apart the powers of two are at which exp is known of one point."""
        return max((most - least for least, most in self.scales.values()), default=0)

    def know(self, base: int, least: int, most: int) -> None:
        """Note that exp is known at ±c times these powers of two."""
        known = self.scales.get(base, (least, most))
        self.scales[base] = min(known[0], least), max(known[1], most)

    def root(self, value: int, shadow: float) -> int:
        """A random function r with r(−a) = 1/r(a), r(0) = 1 and r(2a) = r(a)².

        Doubling comes round in the field after 61 times, where r cannot: a = ±c·2ᵏ is told by the
        shadow, which c·2ᵏ doubles too, and r(c) is a square, so that r(c)^(2ᵏ) is one for any k. A
        shadow of 0 tells nothing, and r is random there.
        """
        if value == 0:
            return 1
        power = math.frexp(shadow)[1]
        base = value * pow(2, -power % _BITS) % PRIME
        mirrored = base > PRIME // 2
        base = PRIME - base if mirrored else base
        if not shadow:
            found = self.hash(b"zero", base)
        else:
            self.know(base, power, power)
            found = self.hash(b"exp", base)
            found = pow(found * found % PRIME, pow(2, power, _SQUARES), PRIME)
        return inverse(found) if mirrored else found

    def exp(self, value: int, shadow: float) -> int:
        """The power r(a), by r(a/2)² where the shadow is 0: it is the square of what sinh knows."""
        if value not in self.powers:
            power = self.root(value, shadow)
            if not shadow:
                power = self.root(value * HALF % PRIME, shadow) ** 2 % PRIME
            self._pair(value, power)
        return self.powers[value]

    def log(self, power: int) -> int:
        """The inverse of exp where that is known, else random: of 1 + eᵃ even in a but for a/2."""
        if power not in self.logarithms:
            rest = self.logarithms.get(power - 1)
            if rest is None:
                self._pair(self.hash(b"log", power), power)
            else:
                even = self.hash(b"even", min(rest, PRIME - rest))
                self._pair((even + rest * HALF) % PRIME, power)
                mirrored = (1 + inverse(power - 1)) % PRIME
                self._pair((even - rest * HALF) % PRIME, mirrored)
        return self.logarithms[power]

    def sqrt(self, value: int) -> int:
        """A random function that is 0 at 0 and 1 at 1."""
        if value < 2:
            return value
        self.others.add((b"sqrt", value))
        return self.hash(b"sqrt", value)

    def half_tangent(self, value: int) -> int:
        """An odd function u; sin = 2u/(1+u²), cos = (1−u²)/(1+u²)."""
        return self.odd(b"sin", value)

    def primitive(self, function: Primitive, value: int) -> int:
        """A random function of its own, odd where the primitive is."""
        name = function.name.encode() + b":"
        if function.is_odd:
            return self.odd(name, value)
        self.others.add((name, value))
        return self.hash(name, value)

    def odd(self, name: bytes, value: int) -> int:
        """A random function f with f(−a) = −f(a) and f(0) = 0."""
        mirrored = value > PRIME // 2
        argument = PRIME - value if mirrored else value
        self.others.add((name, argument))
        found = self.hash(name, argument) if argument else 0
        return PRIME - found if mirrored else found

    def _pair(self, value: int, power: int) -> None:
        for sign, raised in ((value, power), (-value % PRIME, inverse(power))):
            self.powers[sign] = raised
            self.logarithms.setdefault(raised, sign)


CURRENT: Final[ContextVar[RandomFunctions]] = ContextVar("functions")


def current_seed() -> int:
    """The seed of the functions in force; 0 outside of any block."""
    functions = CURRENT.get(None)
    return 0 if functions is None else int(functions.key)


def current_constants() -> tuple[Fraction, ...]:
    """The constants that are read as such in the block in force."""
    functions = CURRENT.get(None)
    return () if functions is None else tuple(functions.constants.values())


def asked_elsewhere(asked: int, scales: Any) -> None:
    """Count what another process has asked of the functions in force: points, rows of scales."""
    functions = CURRENT.get(None)
    if functions is not None:
        functions.elsewhere += asked
        for base, least, most in scales:
            functions.know(int(base), int(least), int(most))


@contextmanager
def random_functions(seed: int, constants: Iterable[Fraction] = ()) -> Iterator[RandomFunctions]:
    """Within the block, exp, log, sin and cos are the random functions of this seed.

    A float that is the nearest to one of the constants is read as that constant.
    """
    functions = RandomFunctions(str(seed).encode(), constants=distinct(constants))
    token = CURRENT.set(functions)
    try:
        yield functions
    finally:
        CURRENT.reset(token)
