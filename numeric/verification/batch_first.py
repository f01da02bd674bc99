"""Arrays with the batch in front, turned on the way in and out: (B, T, m) outside, (T, B, m) here.

In: a subject whose functions take and return arrays of (B, T, …). Out: a subject of the module
interface.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from numeric.verification.caller import parameters_of, taken
from numeric.verification.watch import Subject


def batch_first(subject: Subject, *, every_step: bool = True) -> Subject:
    """The subject of somebody's code whose sequences are (B, T, m), each turned in each call.

    Of a network, targets are turned too if there is one for `every_step`.
    """

    def call(name: str, *arguments: Any) -> Any:
        """The function with what it takes of the arguments, as whoever calls it else does."""
        function = subject.functions[name]
        chosen, by_name, unusual = taken(parameters_of(function), name, arguments)
        if unusual and unusual not in subject.noticed:
            subject.noticed.append(unusual)
        return function(*chosen, **by_name)

    def forward(params: Any, inputs: Any, initial: Any = None, constants: Any = None) -> Any:
        given = {name: turned(a) if np.ndim(a) == 3 else a for name, a in (constants or {}).items()}
        found = call("forward", params, _all_turned(inputs), initial, given or None)
        if not isinstance(found, tuple) or len(found) != 2:
            return found
        return _all_turned(found[0]), found[1]

    def backward(params: Any, tape: Any, cotangents: Any) -> Any:
        found = call("backward", params, tape, _all_turned(cotangents))
        return _inputs_turned(found)

    def loss_and_gradient(
        params: Any, inputs: Any, targets: Any, initial: Any = None, constants: Any = None,
        lengths: Any = None, *more: Any,
    ) -> Any:  # fmt: skip
        targets = turned(targets) if every_step else targets
        given = (params, _all_turned(inputs), targets, initial, constants, lengths, *more)
        found = call("loss_and_gradient", *given)
        if not isinstance(found, tuple) or len(found) != 2 + len(more):
            return found
        return found[0], _inputs_turned(found[1]), *found[2:]

    def predict(
        params: Any, inputs: Any, initial: Any = None, constants: Any = None, lengths: Any = None
    ) -> Any:
        made = call("predict", params, _all_turned(inputs), initial, constants, lengths)
        return turned(made) if every_step else made

    turning: dict[str, Callable[..., Any]] = {
        "forward": forward, "backward": backward, "loss_and_gradient": loss_and_gradient,
        "predict": predict,
    }  # fmt: skip
    return replace(subject, functions={name: turning[name] for name in subject.functions})


def turned(array: Any) -> Any:
    """The array with its first two axes exchanged; what has no two is left as it is."""
    if isinstance(array, (list, tuple)):
        array = np.asarray(array)
    if not isinstance(array, np.ndarray) or array.ndim < 2:
        return array
    return np.swapaxes(array, 0, 1).copy()


def _all_turned(arrays: Any) -> Any:
    if not isinstance(arrays, Mapping):
        return arrays
    return {name: turned(array) for name, array in arrays.items()}


def _inputs_turned(gradients: Any) -> Any:
    if not isinstance(gradients, Mapping) or "inputs" not in gradients:
        return gradients
    return {**gradients, "inputs": _all_turned(gradients["inputs"])}
