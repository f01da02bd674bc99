"""JAX as a framework whose code is verified: functions, with `jax.custom_vjp` or without."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from numeric.verification.frameworks.framework import (
    Callee,
    Framework,
    Function,
    Key,
    Pullback,
    arguments_of,
)

Tensor = Any


class Jax(Framework):
    """JAX's arrays and its reverse accumulation, which calls a backward pass of one's own."""

    def prepare(self) -> None:
        """Numbers of 64 bits, on the processor; each shape is compiled for a call or two alone."""
        jax.config.update("jax_disable_most_optimizations", True)
        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_platforms", "cpu")

    def array(self, value: Any) -> Tensor:
        """The array, not differentiated."""
        return jnp.asarray(np.asarray(value))

    def is_array(self, value: Any) -> bool:
        """Whether the value is a floating array."""
        return isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jnp.floating)

    def stack(self, tensors: Sequence[Tensor]) -> Tensor:
        """Along a new first axis."""
        return jnp.stack([*tensors])

    def joined(self, tensors: Sequence[Tensor]) -> Tensor:
        """One below the other."""
        return jnp.concatenate([*tensors])

    def swapped(self, tensor: Tensor) -> Tensor:
        """The first two axes exchanged."""
        return jnp.swapaxes(tensor, 0, 1)

    def numbers(self, tensor: Tensor) -> Any:
        """A NumPy array of its own."""
        return np.array(tensor)

    def pulled_back(
        self, function: Function, arrays: Mapping[Key, Any], fixed: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Pullback]:
        """What the function makes of arrays and constants, and its gradients by cotangents."""
        forward, backward = _compiled(function)
        with jax.enable_x64(True):
            leaves = {key: self.array(value) for key, value in arrays.items()}
            given = {name: self.array(value) for name, value in fixed.items()}
            outputs = forward(leaves, given)

        def pullback(cotangents: Mapping[str, Any]) -> dict[Key, Any]:
            with jax.enable_x64(True):
                bars = {
                    name: jnp.asarray(cotangents.get(name, np.zeros(value.shape)), value.dtype)
                    for name, value in outputs.items()
                }
                found = backward(leaves, given, bars)
                return {key: self.numbers(gradient) for key, gradient in found.items()}

        return {name: self.numbers(value) for name, value in outputs.items()}, pullback

    def function(self, thing: Any) -> Callee | None:
        """A function, with a backward pass of its own or without."""
        if isinstance(thing, type) or not callable(thing):
            return None
        return Callee(lambda _, places, names: thing(*places, **names), arguments_of(thing))


@lru_cache(maxsize=64)
def _compiled(function: Function) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The function, and what takes its cotangents back, compiled once for each shape.

    What is judged is what XLA makes of it: jax 0.10.2 simplifies log(exp(a)) to a, for one
    (findings/jax_jit_rewrites_formulas.sh), whatever `prepare` says of optimisations.
    """

    def backward(leaves: Any, fixed: Any, bars: Any) -> Any:
        _, transposed = jax.vjp(lambda given: function(given, fixed), leaves)
        return transposed(bars)[0]

    return _either(jax.jit(function), function), _either(jax.jit(backward), backward)


def _either(compiled: Callable[..., Any], plain: Callable[..., Any]) -> Callable[..., Any]:
    """The compiled function; the plain one where code looks at the numbers it is given."""

    def call(*arguments: Any) -> Any:
        try:
            return compiled(*arguments)
        except jax.errors.ConcretizationTypeError:
            return plain(*arguments)

    return call


FRAMEWORK: Final = Jax()
