"""An emitted JAX module as verification calls it: arrays in, arrays out.

In: source. Out: a module with `forward` and `backward` on arrays. In each precision the calls of
the first few shapes go through JAX, states from the emitted `states` and gradients from `jax.vjp`
of it, both jitted; since JAX translates anew for every shape, the rest run the same text with
NumPy in JAX's place.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Final

import numpy as np

from numeric.compiler import target
from numeric.compiler.to_jax import stand_in

Array = Any
SHAPES: Final = 6  # so many in a precision are translated


def ready() -> None:
    """Nothing, where JAX is.

    Raises:
        MissingError: if it is not installed.
    """
    if find_spec("jax") is None:
        raise target.MissingError(
            "target jax: JAX is not installed; run pip install jax, or choose another --target"
        )


def load(source: str, name: str) -> ModuleType:
    """The file as a module with the interface of arrays; its own functions, with NumPy, beside.

    JAX is imported when it is first called: the text of a file can be had without.
    """
    plain = stand_in.load(source, name)
    calls = Calls(source, name, plain)
    module = ModuleType(name)
    vars(module).update({n: v for n, v in plain.items() if n.isupper()})
    vars(module).update({"forward": calls.forward, "backward": calls.backward, "calls": calls})
    return module


@dataclass(frozen=True)
class Pulled:
    """A call through JAX: what it was called with, the states, and the tape beside."""

    given: tuple[Any, ...]
    states: dict[str, Array]
    plain: Any
    wide: bool


class Calls:
    """Calls of an emitted module: `through` JAX, or of its text with NumPy."""

    def __init__(self, source: str, name: str, plain: dict[str, Any]) -> None:
        self.source, self.name, self.plain = source, name, plain
        self.module: Any = None
        self.run: Any = None
        self.pull: Any = None
        self.translated: dict[str, set[str]] = {}

    def _loaded(self) -> Any:
        if self.module is None:
            ready()
            self.module = target.load(self.source, self.name)
            states, jax = self.module.states, self.module.jax
            self.run = jax.jit(states)
            self.pull = jax.jit(
                lambda p, x, s, c, bars: jax.vjp(lambda *a: states(*a, c), p, x, s)[1](bars)
            )
        return self.module

    def forward(
        self, params: Any, inputs: Any, initial: Any = None, constants: Any = None
    ) -> tuple[dict[str, Array], Any]:
        """The states of every step, and the tape.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        found, plain = self.plain["forward"](params, inputs, initial, constants)
        kind = next(iter(found.values())).dtype.char
        shapes = str([np.shape(a) for g in (inputs, params, constants or {}) for a in g.values()])
        if kind not in "fd" or find_spec("jax") is None:
            return found, plain
        known = self.translated.setdefault(kind, set())
        if shapes not in known and len(known) == SHAPES:
            return found, plain
        known.add(shapes)
        whole = {n: np.zeros(found[n].shape[1:], found[n].dtype) for n in self.plain["STATES"]}
        return self.through(params, inputs, {**whole, **(initial or {})}, constants, plain)

    def through(
        self, params: Any, inputs: Any, initial: Any, constants: Any, plain: Any
    ) -> tuple[dict[str, Array], Pulled]:
        """The states from JAX."""
        module = self._loaded()
        wide = next(iter(initial.values())).dtype == np.float64
        given = (dict(params), dict(inputs), initial, dict(constants or {}))
        with module.jax.enable_x64(wide):
            states = self.run(*given)
        arrays = {name: np.array(value) for name, value in states.items()}
        return {n: a.copy() for n, a in arrays.items()}, Pulled(given, arrays, plain, wide)

    def backward(self, params: Any, tape: Any, cotangents: Any) -> dict[str, dict[str, Array]]:
        """The gradients of L, from cotangents[s][t] = ∂L/∂s_t at each step.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        if not isinstance(tape, Pulled):
            return self.plain["backward"](params, tape, cotangents)  # type: ignore[no-any-return]
        self.plain["backward"](params, tape.plain, cotangents)  # checks
        module = self._loaded()
        with module.jax.enable_x64(tape.wide):
            given = {
                name: module.jnp.asarray((cotangents or {}).get(name, np.zeros_like(array)))
                for name, array in tape.states.items()
            }
            found = self.pull(*tape.given, given)
        return {
            group: {name: np.array(value) for name, value in arrays.items()}
            for group, arrays in zip(("params", "inputs", "initial"), found, strict=True)
        }
