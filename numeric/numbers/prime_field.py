# ruff: noqa: D102 (the methods are NumPy's functions under their own names)
"""Dual numbers over the integers mod 2⁶¹−1: arithmetic without rounding, with a derivative.

In: integers, float constants. Out: `Dual`, an element (value, tangent, shadow): the field value,
its derivative in one direction, and a float that decides comparisons only. Functions are
random but obey the identities that gradient code uses: exp(−a) = 1/exp(a), exp(0) = 1,
exp(2a) = exp(a)², log inverse to exp, log(1+exp(a)) = a + log(1+exp(−a)), tanh, sinh and cosh
through exp, sin² + cos² = 1; a root, or a primitive, is a random function of its own, with its
slope. They do not obey exp(a+b) = exp(a)·exp(b) for other a and b, nor √a·√a = a.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from numeric.numbers.arithmetic import Arithmetic
from numeric.numbers.constants import distinct, simplest_rational
from numeric.numbers.elements import Element, ElementArray
from numeric.numbers.primitives import Primitive

if TYPE_CHECKING:  # the process of a file under audit does without SymPy
    from sympy import Expr

PRIME: Final = 2**61 - 1
_HALF: Final = (PRIME + 1) // 2
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


def residue(number: Fraction) -> int:
    """The field element of a fraction."""
    return number.numerator * inverse(number.denominator % PRIME) % PRIME


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
                power = self.root(value * _HALF % PRIME, shadow) ** 2 % PRIME
            self._pair(value, power)
        return self.powers[value]

    def log(self, power: int) -> int:
        if power not in self.logarithms:
            rest = self.logarithms.get(power - 1)
            if rest is None:
                self._pair(self.hash(b"log", power), power)
            else:
                even = self.hash(b"even", min(rest, PRIME - rest))
                self._pair((even + rest * _HALF) % PRIME, power)
                mirrored = (1 + inverse(power - 1)) % PRIME
                self._pair((even - rest * _HALF) % PRIME, mirrored)
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


_CURRENT: Final[ContextVar[RandomFunctions]] = ContextVar("functions")


def current_seed() -> int:
    """The seed of the functions in force; 0 outside of any block."""
    functions = _CURRENT.get(None)
    return 0 if functions is None else int(functions.key)


def current_constants() -> tuple[Fraction, ...]:
    """The constants that are read as such in the block in force."""
    functions = _CURRENT.get(None)
    return () if functions is None else tuple(functions.constants.values())


def asked_elsewhere(asked: int, scales: Any) -> None:
    """Count what another process has asked of the functions in force: points, rows of scales."""
    functions = _CURRENT.get(None)
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
    token = _CURRENT.set(functions)
    try:
        yield functions
    finally:
        _CURRENT.reset(token)


class Dual(Element):
    """value + tangent·ε over the field, with a float as shadow."""

    __slots__ = ("shadow", "tangent", "value")

    def __init__(self, value: int, tangent: int, shadow: float) -> None:
        self.value = value
        self.tangent = tangent
        self.shadow = shadow

    @classmethod
    def lift(cls, number: Any) -> Self:
        if isinstance(number, (int, np.integer, np.bool_)):
            return cls(int(number) % PRIME, 0, float(number))
        if isinstance(number, (float, np.floating)):
            functions = _CURRENT.get(None)
            read = simplest_rational if functions is None else functions.read
            return cls(residue(read(float(number))), 0, float(number))
        if isinstance(number, Fraction):
            return cls(residue(number), 0, float(number))
        raise TypeError(f"{number!r} is no number that a field element can meet")

    def key(self) -> float:
        return self.shadow

    def _other(self, other: Any) -> float:
        taken = other if isinstance(other, Dual) else self.lift(other)
        if self.shadow == taken.shadow and self.value != taken.value:
            functions = _CURRENT.get(None)
            if functions is not None:
                functions.ties += 1
        return taken.shadow

    def __repr__(self) -> str:
        return f"Dual({self.value}, {self.tangent}, {self.shadow:g})"

    def __neg__(self) -> Dual:
        return Dual(-self.value % PRIME, -self.tangent % PRIME, -self.shadow)

    def __pos__(self) -> Dual:
        return self

    def __abs__(self) -> Dual:
        return -self if self.shadow < 0 else self

    def __add__(self, other: Any) -> Any:
        if other.__class__ is not Dual:
            if isinstance(other, np.ndarray):
                return NotImplemented
            other = Dual.lift(other)
        return Dual(
            (self.value + other.value) % PRIME,
            (self.tangent + other.tangent) % PRIME,
            self.shadow + other.shadow,
        )

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        if other.__class__ is not Dual:
            if isinstance(other, np.ndarray):
                return NotImplemented
            other = Dual.lift(other)
        return Dual(
            (self.value - other.value) % PRIME,
            (self.tangent - other.tangent) % PRIME,
            self.shadow - other.shadow,
        )

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __mul__(self, other: Any) -> Any:
        if other.__class__ is not Dual:
            if isinstance(other, np.ndarray):
                return NotImplemented
            other = Dual.lift(other)
        return Dual(
            self.value * other.value % PRIME,
            (self.value * other.tangent + self.tangent * other.value) % PRIME,
            self.shadow * other.shadow,
        )

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        if other.__class__ is not Dual:
            if isinstance(other, np.ndarray):
                return NotImplemented
            other = Dual.lift(other)
        return self * other.reciprocal()

    def __rtruediv__(self, other: Any) -> Any:
        return self.reciprocal() * other

    def __pow__(self, exponent: Any) -> Any:
        power = int(exponent.shadow if isinstance(exponent, Dual) else exponent)
        if power != exponent:
            raise TypeError(f"the power {exponent!r} of a field element: only integers")
        if power < 0:
            return self.reciprocal() ** -power
        result: Any = Dual(1, 0, 1.0)
        for _ in range(power):
            result = result * self
        return result

    def reciprocal(self) -> Dual:
        value = inverse(self.value)
        shadow = 1 / self.shadow if self.shadow else math.copysign(math.inf, self.shadow)
        return Dual(value, -self.tangent * value * value % PRIME, shadow)

    def exp(self) -> Dual:
        value = _CURRENT.get().exp(self.value, self.shadow)
        return Dual(value, value * self.tangent % PRIME, _exp(self.shadow))

    def log(self) -> Dual:
        value = _CURRENT.get().log(self.value)
        shadow = math.log(self.shadow) if self.shadow > 0 else -math.inf
        return Dual(value, self.tangent * inverse(self.value) % PRIME, shadow)

    def sqrt(self) -> Dual:
        """A random function with the slope 1/(2√a); its square is not a, for want of roots."""
        value = _CURRENT.get().sqrt(self.value)
        tangent = self.tangent * inverse(2 * value) % PRIME
        return Dual(value, tangent, math.sqrt(max(self.shadow, 0.0)))

    def expm1(self) -> Any:
        return self.exp() - 1

    def log1p(self) -> Any:
        return (self + 1).log()

    def logaddexp(self, other: Any) -> Any:
        other = other if isinstance(other, Dual) else Dual.lift(other)
        return (self.exp() + other.exp()).log()

    def tanh(self) -> Dual:
        power = (self + self).exp()
        ratio = (power - 1) * (power + 1).reciprocal()
        return Dual(ratio.value, ratio.tangent, math.tanh(self.shadow))

    def sinh(self) -> Dual:
        value, back = self._roots()
        tangent = (value + back) * _HALF * self.tangent
        return Dual((value - back) * _HALF % PRIME, tangent % PRIME, _sinh(self.shadow))

    def cosh(self) -> Dual:
        value, back = self._roots()
        tangent = (value - back) * _HALF * self.tangent
        return Dual((value + back) * _HALF % PRIME, tangent % PRIME, abs(_exp(abs(self.shadow))))

    def _roots(self) -> tuple[int, int]:
        root = _CURRENT.get().root(self.value, self.shadow)
        return root, inverse(root)

    def sin(self) -> Dual:
        sine, cosine = self._circle()
        return Dual(sine, cosine * self.tangent % PRIME, math.sin(self.shadow))

    def cos(self) -> Dual:
        sine, cosine = self._circle()
        return Dual(cosine, -sine * self.tangent % PRIME, math.cos(self.shadow))

    def _circle(self) -> tuple[int, int]:
        u = _CURRENT.get().half_tangent(self.value)
        scale = inverse((1 + u * u) % PRIME)
        return 2 * u * scale % PRIME, (1 - u * u) * scale % PRIME

    def primitive(self, function: Primitive) -> Dual:
        value = _CURRENT.get().primitive(function, self.value)
        slope = function.slope(Dual(self.value, 0, self.shadow))
        return Dual(value, slope.value * self.tangent % PRIME, function.at(self.shadow))


class DualArray(ElementArray):
    """An array of dual numbers over the field."""

    element = Dual


def _exp(shadow: float) -> float:
    return math.exp(shadow) if shadow < 700 else math.inf


def _sinh(shadow: float) -> float:
    return math.copysign(_exp(abs(shadow)) / 2, shadow) if abs(shadow) > 20 else math.sinh(shadow)


def random_duals(
    rng: np.random.Generator, shape: tuple[int, ...], deviation: float = 1.0
) -> DualArray:
    """Uniform field elements without tangent, with normal shadows."""
    count = math.prod(shape)
    values = rng.integers(0, PRIME, count)
    shadows = rng.normal(size=count) * deviation
    array = np.empty(count, dtype=object)
    array[:] = [Dual(int(v), 0, float(s)) for v, s in zip(values, shadows, strict=True)]
    return array.reshape(shape).view(DualArray)


def with_tangents(array: DualArray, rng: np.random.Generator) -> DualArray:
    """The same values with uniform tangents."""
    flat = [(e.value, e.shadow) for e in array.ravel()]
    tangents = rng.integers(0, PRIME, len(flat))
    result = np.empty(len(flat), dtype=object)
    result[:] = [Dual(v, int(d), s) for (v, s), d in zip(flat, tangents, strict=True)]
    return result.reshape(array.shape).view(DualArray)


def number(constant: Expr) -> Dual:
    """A rational as it is, an irrational number as the simplest rational near its float."""
    if constant.is_Rational:
        return Dual.lift(Fraction(int(constant.p), int(constant.q)))
    return Dual.lift(simplest_rational(float(constant)))


FIELD: Final = Arithmetic(number=number)
