"""Numbers that move in a direction: what a forward derivative is checked with, of two kinds.

In: shapes and a generator. Out: arrays without a tangent, the same moved in a drawn direction,
and the tangents that a computation makes of them. One kind is exact, elements of a prime field
with a random function for exp; the other has fifty digits and the true functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np

from numeric.numbers.arithmetic import Arithmetic
from numeric.numbers.fifty_digits import MULTIPRECISION, Forward, distance, fifty
from numeric.numbers.prime_field import FIELD, Dual, DualArray, random_duals
from numeric.numbers.random_functions import PRIME, RandomFunctions, random_functions

Array = Any
CLOSE: Final = Decimal(10) ** -35  # of the larger array: fifty digits less what cancels
NOTHING: Final = Decimal(10) ** -42  # where all of it cancels: what numbers of size 1 leave of 0


class NothingShownError(ArithmeticError):
    """Two arrays are what rounding leaves of 0, and not the same: other numbers have to decide."""


@dataclass(frozen=True)
class Moving:
    """A kind of numbers with a tangent in one direction.

    `draw(rng, shape, deviation)` makes an array, `direction(rng, shape)` one that is 0 and moves;
    `speed` takes the tangents out as plain numbers of the kind, `same` compares flat arrays.
    """

    name: str
    arithmetic: Arithmetic
    draw: Callable[[np.random.Generator, tuple[int, ...], float], Array]
    direction: Callable[[np.random.Generator, tuple[int, ...]], Array]
    speed: Callable[[Array], Array]
    same: Callable[[Array, Array], bool]

    def equal(self, left: Array, right: Array) -> bool:
        """Whether two arrays have one shape and are the same at every entry.

        Raises:
            NothingShownError: if they differ, and so little that it may be rounding alone.
        """
        left, right = np.asarray(left), np.asarray(right)
        if left.shape != right.shape:
            return False
        if self.same(left.ravel(), right.ravel()):
            return True
        if self is DIGITS and _largest(_digits(left) + _digits(right)) <= NOTHING:
            raise NothingShownError
        return False

    @contextmanager
    def functions(self, seed: int) -> Iterator[RandomFunctions | None]:
        """Within the block the functions are those of the seed, where the kind has random ones."""
        with random_functions(seed) if self is EXACT else nullcontext() as found:
            yield found


def _filled(shape: tuple[int, ...], make: Callable[[], Any]) -> Array:
    array = np.empty(int(np.prod(shape)), dtype=object)
    array[:] = [make() for _ in range(array.size)]
    return array.reshape(shape)


def _dual_direction(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return _filled(shape, lambda: Dual(0, int(rng.integers(0, PRIME)), 0.0)).view(DualArray)


def _dual_speed(array: Array) -> Array:
    flat = [Dual(entry.tangent, 0, 0.0) for entry in DualArray.of(array).ravel()]
    result = np.empty(len(flat), dtype=object)
    result[:] = flat
    return result.reshape(np.shape(array)).view(DualArray)


def _digits_draw(rng: np.random.Generator, shape: tuple[int, ...], deviation: float) -> Array:
    return _filled(shape, lambda: Forward(fifty(rng.normal() * deviation)))


def _digits_direction(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    def make() -> Forward:
        return Forward(fifty(0), {0: fifty(rng.normal())})

    return _filled(shape, make)


def _digits_speed(array: Array) -> Array:
    def one(entry: Any) -> Forward:
        found = getattr(entry, "derivatives", {})
        return Forward(found.get(0, fifty(0)))

    return np.vectorize(one, otypes=[object])(array) if np.size(array) else array


def _largest(entries: Iterable[Decimal]) -> Decimal:
    return max(map(abs, entries), default=Decimal(0))


def _digits(array: Array) -> list[Decimal]:
    return [fifty(getattr(entry, "value", entry)) for entry in np.ravel(array)]


def _digits_same(left: Array, right: Array) -> bool:
    one, two = _digits(left), _digits(right)
    near = CLOSE * _largest(one + two)
    return all(distance(a, b) <= near for a, b in zip(one, two, strict=True))


def _dual_same(left: Array, right: Array) -> bool:
    return all(a.value == b.value for a, b in zip(left, right, strict=True))


EXACT: Final = Moving(
    "mod 2**61 - 1", FIELD, random_duals, _dual_direction, _dual_speed, _dual_same
)
DIGITS: Final = Moving(
    "50 digits", MULTIPRECISION, _digits_draw, _digits_direction, _digits_speed, _digits_same
)
