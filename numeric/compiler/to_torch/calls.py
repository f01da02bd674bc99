"""An emitted PyTorch module as verification calls it: arrays in, through PyTorch, arrays out.

In: source. Out: a module with `forward` and `backward` on arrays, in which the states come from the
emitted `states` and the gradients from `torch.autograd.grad`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np

from numeric.compiler import target
from numeric.compiler.to_c.build import compiler

Array = Any


def ready() -> None:
    """Nothing, where PyTorch and a C compiler are: the file has code for both.

    Raises:
        MissingError: saying which is not installed.
    """
    compiler()
    if find_spec("torch") is None:
        raise target.MissingError(
            "target torch: PyTorch is not installed; run pip install torch, or choose another "
            "--target"
        )


def load(source: str, name: str) -> ModuleType:
    """The file as a module with the interface of arrays.

    PyTorch is imported when it is first called: the text of a file can be had without.
    """
    calls = Calls(source, name)
    module = ModuleType(name)
    vars(module).update(_declared(source))
    vars(module).update({"forward": calls.forward, "backward": calls.backward})
    return module


def _declared(source: str) -> dict[str, Any]:
    """The module's constants, from the assignments at its top."""
    found: dict[str, Any] = {}
    lines = source[source.index("\nPARAMETERS = ") :].split("\n\n", 1)[0]
    exec(compile(lines, "<declared>", "exec"), {}, found)
    return found


@dataclass(frozen=True)
class _Tape:
    """Tensors of one call: what was given, by group, and the states; and the code's own tape."""

    given: Mapping[str, Mapping[str, Any]]
    states: Mapping[str, Any]
    plain: Any


class Calls:
    """Calls of an emitted module through PyTorch."""

    def __init__(self, source: str, name: str) -> None:
        self.source, self.name = source, name
        self.module: Any = None

    def _loaded(self) -> Any:
        if self.module is None:
            ready()
            self.module = target.load(self.source, self.name)
        return self.module

    def forward(
        self, params: Any, inputs: Any, initial: Any = None, constants: Any = None
    ) -> tuple[dict[str, Array], Any]:
        """The states of every step, and the tensors.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        module = self._loaded()
        found, plain = module.forward(params, inputs, initial, constants)  # checks, and shapes
        if any(array.dtype.char not in "fd" for array in found.values()):
            return found, plain  # numbers that no tensor holds: the code that PyTorch calls
        self._is_native(next(iter(found.values())).dtype)
        whole = {n: np.zeros(found[n].shape[1:], found[n].dtype) for n in module.STATES}
        whole |= {name: np.asarray(value) for name, value in (initial or {}).items()}
        groups = {"params": params, "inputs": inputs, "initial": whole}
        given = {
            group: {name: self._tensor(value) for name, value in arrays.items()}
            for group, arrays in groups.items()
        }
        states = module.states(given["params"], given["inputs"], given["initial"], constants)
        return {n: s.detach().numpy() for n, s in states.items()}, _Tape(given, states, plain)

    def _is_native(self, dtype: Any) -> None:
        """Nothing, where tensors go through the C code that the file carries, if it does.

        Raises:
            MissingError: if it cannot be built: what runs in its place would be judged.
        """
        module = self.module
        if not hasattr(module, "_Native"):
            return
        with catch_warnings(record=True) as said:
            simplefilter("always")
            passes = module._passes(getattr(module.torch, dtype.name))
        if passes[0] is module.forward:
            reason = said[0].message if said else "its C code is not built"
            raise target.MissingError(f"target torch: {reason}")

    def _tensor(self, value: Any) -> Any:
        return self.module.torch.tensor(np.asarray(value)).requires_grad_()

    def backward(self, params: Any, tape: Any, cotangents: Any) -> dict[str, dict[str, Array]]:
        """The gradients of L, from cotangents[s][t] = ∂L/∂s_t at each step.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        module = self._loaded()
        if not isinstance(tape, _Tape):
            return module.backward(params, tape, cotangents)  # type: ignore[no-any-return]
        module.backward(params, tape.plain, cotangents)  # checks
        used = [name for name in tape.states if name in (cotangents or {})]
        leaves = [t for group in tape.given.values() for t in group.values()]
        grads: Any = [None] * len(leaves)
        if used:
            grads = module.torch.autograd.grad(
                [tape.states[name] for name in used], leaves,
                [module.torch.tensor(np.asarray(cotangents[name])) for name in used],
                retain_graph=True, allow_unused=True,
            )  # fmt: skip
        left = iter(grads)
        return {
            group: {name: _numpy(next(left), tensor) for name, tensor in tensors.items()}
            for group, tensors in tape.given.items()
        }


def _numpy(gradient: Any, tensor: Any) -> Array:
    return np.zeros(tuple(tensor.shape), tensor.detach().numpy().dtype) if gradient is None else (
        gradient.numpy())  # fmt: skip
