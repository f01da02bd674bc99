"""A framework of NumPy and autograd, for tests where neither PyTorch nor JAX is installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import make_vjp
from autograd.builtins import tuple as joined
from autograd.extend import Box, defvjp, primitive

from numeric.verification.frameworks.framework import Callee, Key, Pullback, arguments_of


class Plain:
    others = ""

    def array(self, value: Any) -> Any:
        return np.array(value)

    def is_array(self, value: Any) -> bool:
        return isinstance(value, (np.ndarray, Box))

    def stack(self, tensors: Any) -> Any:
        return anp.stack([*tensors])

    def joined(self, tensors: Any) -> Any:
        return anp.concatenate([*tensors])

    def swapped(self, tensor: Any) -> Any:
        return anp.swapaxes(tensor, 0, 1)

    def numbers(self, tensor: Any) -> Any:
        return np.array(tensor)

    def pulled_back(
        self, function: Any, arrays: Mapping[Key, Any], fixed: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Pullback]:
        names: list[str] = []

        def of(values: Any) -> Any:
            given = {key: values[place] for place, key in enumerate(arrays)}
            found = function(given, fixed)
            names[:] = found
            return joined([*found.values()])

        back, values = make_vjp(of)(tuple(arrays.values()))
        outputs = dict(zip(names, values, strict=True))

        def pullback(cotangents: Mapping[str, Any]) -> dict[Key, Any]:
            bars = [cotangents.get(n, np.zeros(value.shape)) for n, value in outputs.items()]
            return dict(zip(arrays, back(tuple(bars)), strict=True))

        return outputs, pullback

    def makes_modules(self, thing: Any) -> bool:
        return isinstance(thing, type)

    def is_module(self, thing: Any) -> bool:
        return hasattr(thing, "weights")

    def module(self, made: Any, dtype: Any) -> Callee:
        shapes = {name: array.shape for name, array in made.weights.items()}
        return Callee(
            lambda own, places, names: made(own, **names), arguments_of(made.call),
            parameters=shapes,
        )  # fmt: skip

    def function(self, thing: Any) -> Callee | None:
        if not callable(thing):
            return None
        by_hand = hasattr(thing, "__signature__")  # its arguments by name are not differentiated
        return Callee(
            lambda own, places, names: thing(*places, **names), arguments_of(thing),
            by_place=by_hand,
        )  # fmt: skip


def with_backward(function: Callable[..., Any], *backs: Callable[..., Any]) -> Any:
    """The function of arrays, its backward pass written by hand."""
    made = primitive(function)
    made.__signature__ = signature(function)
    defvjp(made, *backs)
    return made
