"""What is called of somebody's thing: a function, or the module of given sizes that a class makes.

In: it, the names of a cell, sizes. Out: `Calls`. A module is made anew for sizes, by its class or
by a function whose arguments are sizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numeric.verification.caller import Misbehaviour
from numeric.verification.frameworks.arrange import Calls
from numeric.verification.frameworks.framework import Callee, Framework, arguments_of
from numeric.verification.frameworks.names import Naming, Slot


@dataclass(frozen=True)
class Thing:
    """Somebody's function, class or function that makes a module, by its name."""

    thing: Any
    name: str
    framework: Framework
    batch_first: bool

    def calls(self, naming: Naming, sizes: Mapping[str, int], dtype: Any) -> Calls:
        """The calls of the function, or of the module of these sizes.

        Raises:
            Misbehaviour: if it is neither, or a name does not say what it stands for.
        """
        callee = self._callee(naming, sizes, dtype)
        shapes = callee.parameters or {}
        own = {} if callee.parameters is None else naming.of_parameters(shapes)
        for name, slot in own.items():
            self._require_shape(naming, name, slot, shapes[name], sizes)
        names = [argument.name for argument in callee.arguments]
        slots = naming.of_arguments(names)
        for argument in callee.arguments:
            if argument.required and slots[argument.name] is None:
                raise Misbehaviour(self._unknown(naming, argument.name, is_module=bool(own)))
        taken = {name for slot in (*slots.values(), *own.values()) if slot for name in slot.names}
        for group in ("PARAMETERS", "INPUTS"):
            if absent := [name for name in naming.declared[group] if name not in taken]:
                raise Misbehaviour(
                    f"{self.name}: no argument stands for {', '.join(absent)}; expected "
                    f"{naming.expected()}; came {', '.join(names)}"
                )
        return Calls(self.framework, callee, slots, own, naming.timed, self.batch_first)

    def _callee(self, naming: Naming, sizes: Mapping[str, int], dtype: Any) -> Callee:
        framework, thing = self.framework, self.thing
        if framework.makes_modules(thing):
            return self._module(self._constructed(naming, sizes), dtype)
        if framework.is_module(thing):
            raise Misbehaviour(
                f"{self.name} is a module of sizes that are fixed; expected its class, or a "
                "function of input_size and hidden_size that makes one"
            )
        callee = framework.function(thing)
        if callee is None:
            raise Misbehaviour(
                f"{self.name}: expected a function{framework.others}, came {type(thing).__name__}"
            )
        required = [argument.name for argument in callee.arguments if argument.required]
        chosen = naming.of_sizes(required, sizes)
        if required and chosen and not any(naming.of_arguments(required).values()):
            return self._module(thing(**chosen), dtype)
        return callee

    def _module(self, made: Any, dtype: Any) -> Callee:
        if not self.framework.is_module(made):
            raise Misbehaviour(
                f"{self.name} takes sizes and returns {type(made).__name__}; expected a module"
            )
        return self.framework.module(made, dtype)

    def _constructed(self, naming: Naming, sizes: Mapping[str, int]) -> Any:
        """A module of these sizes.

        Raises:
            Misbehaviour: if its class asks for more than sizes.
        """
        required = [a.name for a in arguments_of(self.thing) if a.required]
        if required and (chosen := naming.of_sizes(required, sizes)) is not None:
            return self.thing(**chosen)
        order = naming.of_sizes(("input_size", "hidden_size"), sizes)
        if required or order is None:
            raise Misbehaviour(
                f"{self.name}({', '.join(required)}): expected the arguments input_size and "
                "hidden_size, or sizes as the cell calls them; write a function of these that "
                "makes the module"
            )
        return self.thing(*order.values())

    def _unknown(self, naming: Naming, argument: str, *, is_module: bool) -> str:
        states, inputs = (", ".join(naming.declared[group]) for group in ("STATES", "INPUTS"))
        parameters = "" if is_module else f"parameters {naming.expected()}; "
        return (
            f"{self.name}: the argument {argument!r} says nothing; expected {parameters}inputs "
            f"{inputs}; states {states}, each as h, h0, h_prev or the like, or all in one as state"
        )

    def _require_shape(
        self, naming: Naming, name: str, slot: Slot, shape: tuple[int, ...],
        sizes: Mapping[str, int],
    ) -> None:  # fmt: skip
        parts = [tuple(map(sizes.__getitem__, naming.axes(part))) for part in slot.names]
        rows = (sum(part[0] for part in parts), *parts[0][1:]) if parts[0] else ()
        if shape != rows:
            raise Misbehaviour(
                f"{self.name}: expected its parameter {name!r} to have the shape {rows}, for "
                f"{', '.join(slot.names)}; came {shape}"
            )
