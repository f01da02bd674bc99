"""What is asked of PyTorch or JAX, and the one place where they are imported, when asked for.

In: the name of a framework. Out: `Framework`, a protocol, with the values `TORCH` of `with_torch`
and `JAX` of `with_jax`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, Protocol

Tensor = Any
Key = tuple[str, str]  # group and name
Function = Callable[[Mapping[Key, Tensor], Mapping[str, Tensor]], dict[str, Tensor]]
Pullback = Callable[[Mapping[str, Any]], dict[Key, Any]]
FRAMEWORKS: Final = ("torch", "jax")


@dataclass(frozen=True)
class Argument:
    """An argument of somebody's function."""

    name: str
    required: bool
    default: Any = field(default=None, compare=False)


@dataclass(frozen=True)
class Callee:
    """What is called: its arguments, and whether they are given by place alone.

    `parameters` are a module's own, name → shape, None of a function's; `call` takes them first,
    then the arguments by place and by name.
    """

    call: Callable[[Mapping[str, Tensor], Sequence[Tensor], Mapping[str, Tensor]], Any]
    arguments: tuple[Argument, ...]
    by_place: bool = False
    parameters: Mapping[str, tuple[int, ...]] | None = None


class Framework(Protocol):
    """How arrays are made and joined in a framework, and how it pulls cotangents back."""

    others: str = ""  # what may be given instead of a function, in words

    def prepare(self) -> None:
        """Settings of a process of its own: float64, one thread."""

    def array(self, value: Any) -> Tensor:
        """The array, not differentiated."""

    def is_array(self, value: Any) -> bool:
        """Whether the value is a floating array of the framework."""

    def stack(self, tensors: Sequence[Tensor]) -> Tensor:
        """Along a new first axis."""

    def joined(self, tensors: Sequence[Tensor]) -> Tensor:
        """One below the other."""

    def swapped(self, tensor: Tensor) -> Tensor:
        """The first two axes exchanged."""

    def numbers(self, tensor: Tensor) -> Any:
        """A NumPy array of its own."""

    def pulled_back(
        self, function: Function, arrays: Mapping[Key, Any], fixed: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Pullback]:
        """What the function makes of the arrays and constants, and its gradients by cotangents.

        A gradient is None where the framework has none.
        """

    def makes_modules(self, thing: Any) -> bool:
        """Whether it is a class of modules; without modules, code is functions of parameters."""
        return False

    def is_module(self, thing: Any) -> bool:
        """Whether it is a module."""
        return False

    def module(self, made: Any, dtype: Any) -> Callee:
        """The module as what is called, in the dtype.

        Raises:
            TypeError: if the framework has none.
        """
        raise TypeError(f"{type(self).__name__} has no modules of its own")

    def function(self, thing: Any) -> Callee | None:
        """What is called of a function, or of an object with a backward pass of its own."""


def arguments_of(function: Callable[..., Any]) -> tuple[Argument, ...]:
    """The arguments that a function takes by name."""
    empty = inspect.Parameter.empty
    return tuple(
        Argument(p.name, p.default is empty, None if p.default is empty else p.default)
        for p in inspect.signature(function).parameters.values()
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    )


def missing(name: str) -> str | None:
    """What to install if the framework is not there, else None."""
    if find_spec(name) is not None:
        return None
    return f"{name} is not installed; install it where bptt is: python -m pip install {name}"


def find_framework(name: str) -> Framework:
    """The framework, imported now.

    Raises:
        ImportError: if it is not there.
    """
    found: Framework = import_module(f"numeric.verification.frameworks.with_{name}").FRAMEWORK
    return found
