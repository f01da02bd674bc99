# ruff: noqa: D102 (the methods are NumPy's functions under their own names)
"""Arrays of numbers that are not floats, on which unmodified NumPy code runs.

In: an element class with `lift`. Out: `ElementArray`, an object array that stays one through
NumPy's functions, puts elements in place of the plain numbers that `zeros_like`, `where` and
`maximum` leave behind, and supplies the functions that NumPy lacks for objects.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, Self

import numpy as np

from numeric.numbers.primitives import PRIMITIVES, Primitive

METHODS: Final = frozenset({
    "exp", "expm1", "log", "log1p", "tanh", "sinh", "cosh", "sin", "cos", "sqrt", "square",
    "logaddexp", "heaviside", "sign", "isfinite", "isnan", "isinf", *PRIMITIVES,
})  # fmt: skip
_PASS_ON: Final = frozenset({
    "maximum", "minimum", "fmax", "fmin", "clip", "where", "zeros_like", "ones_like", "full_like",
})  # fmt: skip
_TESTS: Final = frozenset({"isfinite", "isnan", "isinf"})


class Element:
    """A number of a kind of its own; `lift` takes plain numbers into the kind.

    A kind has a method for each function it has a construction for; the others of `PRIMITIVES`
    come from what it makes of any primitive.
    """

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def __init_subclass__(cls) -> None:
        """Supply a method for each primitive."""
        super().__init_subclass__()
        for name, row in PRIMITIVES.items():
            if not hasattr(cls, name):
                setattr(cls, name, _method(row))

    def primitive(self, function: Primitive) -> Any:
        """φ of the number, derived from what is known of φ.

        Raises:
            TypeError: if numbers of this kind derive none.
        """
        raise TypeError(f"{type(self).__name__} has no {function.name}")

    @classmethod
    def lift(cls, number: Any) -> Self:
        """The element that the plain number stands for.

        Raises:
            TypeError: if it is no number.
        """
        raise NotImplementedError

    def key(self) -> float:
        """What a comparison looks at."""
        raise NotImplementedError

    def reciprocal(self) -> Any:
        """1 over the number."""
        raise NotImplementedError

    def _take(self, other: Any) -> Any:
        return other if isinstance(other, Element) else self.lift(other)

    def _other(self, other: Any) -> float:
        taken: Element = self._take(other)
        return taken.key()

    def __pos__(self) -> Self:
        return self

    def __rsub__(self, other: Any) -> Any:
        return -self + other  # type: ignore[operator]

    def __truediv__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        return self * self._take(other).reciprocal()

    def __rtruediv__(self, other: Any) -> Any:
        return self.reciprocal() * other

    def __lt__(self, other: Any) -> bool:
        return self.key() < self._other(other)

    def __le__(self, other: Any) -> bool:
        return self.key() <= self._other(other)

    def __gt__(self, other: Any) -> bool:
        return self.key() > self._other(other)

    def __ge__(self, other: Any) -> bool:
        return self.key() >= self._other(other)

    def __eq__(self, other: object) -> bool:
        return self.key() == self._other(other)

    def __bool__(self) -> bool:
        return self.key() != 0

    def isfinite(self) -> bool:
        return bool(np.isfinite(self.key()))

    def isnan(self) -> bool:
        return bool(np.isnan(self.key()))

    def isinf(self) -> bool:
        return bool(np.isinf(self.key()))

    def sign(self) -> Self:
        return type(self).lift(int(np.sign(self.key())))

    def heaviside(self, at_zero: Any) -> Any:
        key = self.key()
        return at_zero if key == 0 else type(self).lift(int(key > 0))

    def square(self) -> Any:
        return self * self  # type: ignore[operator]


def _method(function: Primitive) -> Any:
    return lambda number: number.primitive(function)


class ElementArray(np.ndarray[Any, Any]):
    """An object array of elements; every result of NumPy on it is one again."""

    element: ClassVar[type[Element]]

    @classmethod
    def of(cls, values: Any) -> Self:
        """The array of the values, every plain number lifted."""
        plain = np.asarray(values, dtype=object)
        lifted = np.empty(plain.shape, dtype=object)
        lifted.ravel()[:] = [cls._element(value) for value in plain.ravel()]
        return lifted.view(cls)

    @classmethod
    def _element(cls, value: Any) -> Element:
        return value if isinstance(value, cls.element) else cls.element.lift(value)

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any
    ) -> Any:
        plain = [_plain(value) for value in inputs]
        if out is not None:
            options["out"] = tuple(_plain(value) for value in out)
        if ufunc.__name__ in METHODS and method == "__call__":
            function = np.frompyfunc(self._call(ufunc.__name__), ufunc.nin, 1)
            dtype = bool if ufunc.__name__ in _TESTS else object
            result = np.asarray(function(*plain, **options)).astype(dtype, copy=False)[()]
        else:
            result = getattr(ufunc, method)(*plain, **options)
        if out is not None and ufunc.__name__ in _PASS_ON and out[0].dtype == object:
            _plain(out[0])[...] = _plain(self.of(out[0]))
        return out[0] if out is not None else self._wrap(result, ufunc.__name__)

    def _call(self, name: str) -> Any:
        return lambda first, *rest: getattr(self._element(first), name)(*rest)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return self._wrap(super().__array_function__(func, types, args, kwargs), func.__name__)

    def _wrap(self, result: Any, name: str) -> Any:
        if isinstance(result, np.ndarray) and result.dtype == object:
            return self.of(result) if name in _PASS_ON else result.view(type(self))
        return result


def _plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, ElementArray) else value
