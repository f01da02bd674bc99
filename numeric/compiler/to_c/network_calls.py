"""A network's C file as a module with `loss_and_gradient`, called on NumPy arrays.

In: the source of a C file. Out: the interface that emitted NumPy code of a network has, and its
words for what is wrong with an argument.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from numeric.compiler.argument_checks import each_sample, shown, take, whole
from numeric.compiler.final_states import FINAL_COTANGENTS
from numeric.compiler.to_c.calls import GRADIENTS, Calls, in_order, native
from numeric.compiler.to_c.interface import INTEGERS, LOSS
from numeric.compiler.to_c.known import Known
from numeric.compiler.to_c.pools import Array

_RESULTS: Final = ("states", LOSS, *GRADIENTS)
Answer = tuple[Any, dict[str, dict[str, Array]], dict[str, Array]]


class NetworkCalls(Calls):
    """Loss and gradients of one file, for both dtypes."""

    def loss_and_gradient(
        self, params: Any, inputs: Any, targets: Any, initial: Any = None, constants: Any = None,
        lengths: Any = None,
    ) -> tuple[Any, dict[str, dict[str, Array]]]:  # fmt: skip
        """L summed over time and batch, and its gradients: params, inputs, initial.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        return self.answer(params, inputs, targets, initial, constants, lengths, None)[:2]

    def with_final_states(
        self, params: Any, inputs: Any, targets: Any, initial: Any = None, constants: Any = None,
        lengths: Any = None, final_cotangents: Any = None,
    ) -> Answer:  # fmt: skip
        """L, the gradients of L + Σ⟨c, final⟩, the c in final_cotangents, and the final states.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        return self.answer(params, inputs, targets, initial, constants, lengths, final_cotangents)

    def answer(
        self, params: Any, inputs: Any, targets: Any, initial: Any, constants: Any, lengths: Any,
        final_cotangents: Any,
    ) -> Answer:  # fmt: skip
        """Loss, gradients, and each state as its sample ends.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        known, groups, initial = self.given(
            params, inputs, targets, initial, constants, lengths, final_cotangents
        )
        pointers = self.pointers()
        self.point(pointers, groups)
        block, made = self.results(known, pointers, _RESULTS)
        for name, rows in made["states"].items():
            rows[-1 if name in self.interface.late else 0] = initial.get(name, 0)
        tape, address = self.tapes.take(known.tape_bytes)
        for number in (0, 1):
            self.ready(known, number, pointers, address, None)()
        del tape, block
        gradients = {group.removeprefix("gradients."): made.get(group, {}) for group in GRADIENTS}
        late = self.interface.late
        final = {n: rows[0 if n in late else -1].copy() for n, rows in made["states"].items()}
        return made[LOSS][LOSS][()], gradients, final

    def given(
        self, params: Any, inputs: Any, targets: Any, initial: Any, constants: Any, lengths: Any,
        final_cotangents: Any,
    ) -> tuple[Known, dict[str, dict[str, Array]], dict[str, Array]]:  # fmt: skip
        """The arguments as C wants them, and what is known of their shapes.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        sizes = dict(self.fixed_sizes)
        kinds: dict[Any, str] = {}
        held, slots = self.declared, self.interface.slots
        integers = [s.key for s in slots if s.group == "inputs" and s.mode == INTEGERS]
        indices: dict[str, Array] = {}
        for key in integers:
            if not hasattr(inputs, "keys") or key not in inputs:
                raise ValueError(f"inputs[{key!r}]: expected integers, it is missing")
            indices[key] = whole(f"inputs[{key!r}]", inputs[key], ("T", "B"), sizes)
            inputs = {k: v for k, v in inputs.items() if k != key}
        real = {k: v for k, v in held["INPUTS"].items() if k not in integers}
        groups = {"params": take("params", params, held["PARAMETERS"], (), sizes, kinds)}
        groups["inputs"] = take("inputs", inputs, real, ("T", "B"), sizes, kinds)
        initial = take("initial", initial, held["STATES"], ("B",), sizes, kinds, optional=True)
        constants = take("constants", constants, held["CONSTANTS"], (), sizes, kinds)
        shown(sizes, self.shown_by_states)
        groups[FINAL_COTANGENTS] = take(
            FINAL_COTANGENTS, final_cotangents, held["STATES"], ("B",), sizes, kinds, optional=True
        )
        dtype = native(kinds)
        groups["constants"] = {
            name: each_sample(array, held["CONSTANTS"][name], sizes["B"])
            for name, array in constants.items()
        }
        steps, batch = sizes["T"], sizes["B"]
        (asked,) = (s for s in slots if s.group == "targets")
        inside, ends = None, np.full(batch, steps)
        if lengths is not None:
            ends = whole("lengths", lengths, ("B",), sizes, steps + 1)
            groups["lengths"] = {"lengths": ends}
            inside = np.arange(steps)[:, None] < ends
        if "T" not in asked.dims and batch and ends.min() < 1:
            raise ValueError("lengths: a loss at the last step needs lengths of 1 or more")
        for key, array in indices.items():
            name = f"inputs[{key!r}]"
            groups["inputs"][key] = whole(name, array, ("T", "B"), sizes, sizes["v"], inside)
        if asked.mode == INTEGERS:
            there = inside if "T" in asked.dims else None
            groups["targets"] = {
                "targets": whole("targets", targets, asked.dims, sizes, sizes["q"], there)
            }
        else:
            dims = {"targets": asked.dims[-1:]}
            found = {"targets": targets}
            groups["targets"] = take("targets", found, dims, asked.dims[:-1], sizes, kinds)
        modes = {(s.group, s.key): s.mode for s in slots}
        groups = {
            group: {
                name: in_order(array.astype(np.intp) if modes[group, name] == INTEGERS else array)
                for name, array in arrays.items()
            }
            for group, arrays in groups.items()
        }
        return self.of_sizes(sizes, dtype, _RESULTS), groups, initial
