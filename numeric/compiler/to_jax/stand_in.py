"""NumPy in JAX's place, so that an emitted file runs on arrays of any numbers, unmodified.

In: source that imports JAX. Out: its functions, in which `jax.numpy` is NumPy, and `jax.lax.scan`,
`while_loop` and `fori_loop` loop. What the file computes is judged on them, over the prime field as
well; what JAX makes of it is judged through JAX.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

import numpy as np

from numeric.numbers.primitives import NOT_IN_NUMPY

Array = Any


def scan(
    step: Callable[[Any, Any], tuple[Any, Any]], first: Any, given: Any, length: int,
    reverse: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """Every step after the other; what each gives, one array a name."""
    times = range(length)[::-1] if reverse else range(length)
    carry, made = first, None
    for time in times:
        carry, found = step(carry, tuple(array[time] for array in given))
        made = made or tuple(_rows(value, length) for value in found)
        for array, value in zip(made, found, strict=True):
            array[time] = value
    if made is None:  # no step: one on zeros says what shapes it gives
        zeros = tuple(np.zeros_like(array, shape=array.shape[1:]) for array in given)
        made = tuple(_rows(value, 0) for value in step(first, zeros)[1])
    return carry, made


def while_loop(going: Callable[[Any], Any], step: Callable[[Any], Any], first: Any) -> Any:
    """A step after the other, as long as it is to go on."""
    carry = first
    while going(carry):
        carry = step(carry)
    return carry


def fori_loop(low: int, high: int, step: Callable[[int, Any], Any], first: Any) -> Any:
    """So many steps, one after the other."""
    carry = first
    for place in range(low, high):
        carry = step(place, carry)
    return carry


def _rows(value: Array, length: int) -> Array:
    return np.empty_like(value, shape=(length, *np.shape(value)))


class _Numbers:
    """NumPy under the name of jax.numpy."""

    asarray = staticmethod(np.asanyarray)

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


class _Plain:
    """A function without its derivative."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)

    def defvjp(self, *both: Any) -> None:
        """Nothing: who wants derivatives asks JAX."""


JAX: Final = SimpleNamespace(
    numpy=_Numbers(),
    lax=SimpleNamespace(scan=scan, while_loop=while_loop, fori_loop=fori_loop, **NOT_IN_NUMPY),
    custom_vjp=_Plain,
    tree_util=SimpleNamespace(),
)


def load(source: str, name: str) -> dict[str, Any]:
    """The names that the source defines, with NumPy in JAX's place.

    Raises:
        ImportError: if it imports anything else.
    """

    def imported(module: str, *more: Any) -> Any:
        if module.startswith("numpy."):  # NumPy's C code imports by the builtins of who calls it
            return builtins.__import__(module, *more)
        if module.split(".")[0] != "jax":
            raise ImportError(f"{name}: a file for JAX imports JAX alone, not {module}")
        return JAX

    own = {**vars(builtins), "__import__": imported}
    found: dict[str, Any] = {"__builtins__": own, "__name__": name}
    exec(compile(source, f"<{name}>", "exec"), found)
    return found
