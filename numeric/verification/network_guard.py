"""Watching a network's module while it runs: one function, its loss and its gradients.

In: any object with the interface of a network's module. Out: `NetworkSubject`, and
`NetworkGuard`, which calls it and raises `Misbehaviour` as `Guard` does for a cell's module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from numeric.numbers.elements import Element
from numeric.verification.watch import (
    Declared,
    Guard,
    Misbehaviour,
    declarations,
    extent_in,
    kind_of,
    labelled,
    sizes_in,
)

NAME = "loss_and_gradient"


@dataclass(frozen=True)
class NetworkSubject:
    """The code under test: what it declares, and its function."""

    declared: Declared
    loss_and_gradient: Callable[..., Any]


def is_network(thing: Any) -> bool:
    """Whether the object has the interface of a network's module."""
    inner = getattr(thing, "subject", thing)
    return isinstance(inner, NetworkSubject) or callable(getattr(inner, NAME, None))


def network_subject_of(thing: Any) -> NetworkSubject:
    """The subject that a kernel, a module or any object of that form is.

    Raises:
        Misbehaviour: if a module constant or the function is missing or is something else.
    """
    if isinstance(inner := getattr(thing, "subject", thing), NetworkSubject):
        return inner
    declared = declarations(getattr(thing, "module", thing))
    if not callable(getattr(thing, NAME, None)):
        raise Misbehaviour(f"{NAME}: expected a function of this name, found none")
    return NetworkSubject(declared, thing.loss_and_gradient)


class NetworkGuard(Guard):
    """The subject's function, each call watched."""

    def loss_and_gradient(
        self, params: Mapping[str, Any], inputs: Mapping[str, Any], targets: Any,
        initial: Mapping[str, Any] | None = None, constants: Mapping[str, Any] | None = None,
        lengths: Any = None,
    ) -> tuple[Any, dict[str, dict[str, Any]]]:  # fmt: skip
        """Loss and gradients.

        Raises:
            Misbehaviour: if the module writes to an argument or returns something else.
        """
        groups = {"params": params, "inputs": inputs, "initial": initial, "constants": constants}
        given = labelled(groups)
        others = {"targets": targets, "lengths": lengths}
        given |= {name: array for name, array in others.items() if isinstance(array, np.ndarray)}
        arguments = (params, inputs, targets, initial, constants or None, lengths)
        result = self._call(NAME, given, arguments)
        if not isinstance(result, tuple) or len(result) != 2:
            raise Misbehaviour(f"{NAME} returned {kind_of(result)}: expected (loss, gradients)")
        loss, gradients = result
        dtype = next(iter(params.values())).dtype
        if isinstance(loss, float) and not isinstance(loss, np.generic):
            loss = np.asarray(loss, dtype)
        found = self._check("loss", {"L": loss}, {"L": ()}, dtype, given)
        if not isinstance(gradients, Mapping) or {*gradients} != {"params", "inputs", "initial"}:
            raise Misbehaviour(
                f"gradients: {kind_of(gradients)}, expected a dict with the keys params, inputs, "
                "initial"
            )
        shapes = self._shapes(params, inputs, initial or {})
        return found["L"], {
            group: self._check(group, gradients[group], expected, dtype, given)
            for group, expected in shapes.items()
        }

    def _shapes(
        self, params: Mapping[str, Any], inputs: Mapping[str, Any], initial: Mapping[str, Any]
    ) -> dict[str, dict[str, tuple[int, ...]]]:
        """The shape of each gradient: of what it belongs to; integers have none."""
        declared = self.subject.declared
        batch = next(iter(inputs.values())).shape[1]
        sizes = sizes_in(declared["PARAMETERS"], params) | sizes_in(declared["INPUTS"], inputs)
        sizes |= sizes_in(declared["STATES"], initial)
        return {
            "params": {name: np.shape(array) for name, array in params.items()},
            "inputs": {n: np.shape(a) for n, a in inputs.items() if a.dtype.kind not in "iu"},
            "initial": {
                name: (batch, *(extent_in(size, sizes) for size in names))
                for name, names in declared["STATES"].items()
            },
        }


def loss_value(loss: Any) -> Any:
    """The number in a loss, whatever holds it."""
    return loss if isinstance(loss, Element) else np.asarray(loss)[()]
