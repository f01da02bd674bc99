"""Watching a module while it runs: what it writes to, what it returns, what it shares.

In: any object with the interface of a cell's module or of a network's. Out: `Subject`, its declared
names and functions, and `Guard`, which calls them and raises `Misbehaviour` for anything but fresh
arrays of the right names, shapes and dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from numeric.numbers.elements import Element, ElementArray

LONGEST: Final = 500
Declared = Mapping[str, Mapping[str, tuple[str, ...]]]
CONSTANT_NAMES: Final = ("PARAMETERS", "INPUTS", "STATES", "CONSTANTS")
CELL_FUNCTIONS: Final = ("forward", "backward")
NETWORK_FUNCTIONS: Final = ("loss_and_gradient",)
LOSS: Final = "L"  # the name of a network's one output


class Misbehaviour(Exception):  # noqa: N818 (it is the module's error, not ours)
    """The module did what no module may do; the message says what."""


class Raised(Misbehaviour):
    """The module raised an exception of its own."""


class Stopped(Misbehaviour):
    """The module's process is gone: it ended itself or was out of time."""


@dataclass(frozen=True)
class Subject:
    """The code under test: what it declares, and its functions by name."""

    declared: Declared
    functions: Mapping[str, Callable[..., Any]]


@dataclass(frozen=True)
class Tape:
    """A module's own tape, and the shapes that its gradients must have."""

    inner: Any
    shapes: Mapping[str, Mapping[str, tuple[int, ...]]]
    states: Mapping[str, tuple[int, ...]]
    dtype: Any


def subject_of(thing: Any, functions: tuple[str, ...] = CELL_FUNCTIONS) -> Subject:
    """The subject that a kernel, a module or any object of that form is.

    Raises:
        Misbehaviour: if a module constant or a function is missing or is something else.
    """
    if isinstance(inner := getattr(thing, "subject", thing), Subject):
        return inner
    declared = declarations(getattr(thing, "module", thing))
    for name in functions:
        if not callable(getattr(thing, name, None)):
            raise Misbehaviour(f"{name}: expected a function of this name, found none")
    return Subject(declared, {name: getattr(thing, name) for name in functions})


def declarations(home: Any) -> Declared:
    """The module constants.

    Raises:
        Misbehaviour: if one of them is missing or is something else.
    """
    declared = {}
    for group in CONSTANT_NAMES:
        found = getattr(home, group, {} if group == "CONSTANTS" else None)
        if not isinstance(found, Mapping):
            raise Misbehaviour(f"{group}: expected a dict, name → tuple of size names")
        declared[group] = {str(name): _names(sizes) for name, sizes in found.items()}
    return declared


def _names(sizes: Any) -> tuple[str, ...]:
    return tuple(map(str, sizes)) if isinstance(sizes, (tuple, list)) else (repr(sizes),)


class Guard:
    """The subject's functions, each call watched."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self._returned: list[tuple[str, Any, Any]] = []

    def forward(
        self,
        params: Mapping[str, Any],
        inputs: Mapping[str, Any],
        initial: Mapping[str, Any] | None = None,
        constants: Mapping[str, Any] | None = None,
    ) -> tuple[dict[str, Any], Tape]:
        """States and tape.

        Raises:
            Misbehaviour: if the module writes to an argument or returns something else.
        """
        groups = {"params": params, "inputs": inputs, "initial": initial, "constants": constants}
        given = labelled(groups)
        result = self._call("forward", given, (params, inputs, initial, constants or None))
        if not isinstance(result, tuple) or len(result) != 2:
            raise Misbehaviour(f"forward returned {kind_of(result)}: expected (states, tape)")
        states, inner = result
        dtype = next(iter(given.values())).dtype if given else np.dtype(float)
        steps, batch = next(iter(inputs.values())).shape[:2]
        sizes = sizes_in(self.subject.declared["CONSTANTS"], constants or {})
        sizes |= sizes_in(self.subject.declared["PARAMETERS"], params)
        sizes |= sizes_in(self.subject.declared["INPUTS"], inputs)
        sizes |= sizes_in(self.subject.declared["STATES"], initial or {})
        shapes = {}
        for name, names in self.subject.declared["STATES"].items():
            shapes[name] = (steps, batch, *(extent_in(size, sizes) for size in names))
        states = self._check("states", states, shapes, dtype, given)
        expected = {
            group: {name: np.shape(array) for name, array in arrays.items()}
            for group, arrays in (("params", params), ("inputs", inputs))
        }
        expected["initial"] = {name: shape[1:] for name, shape in shapes.items()}
        return states, Tape(inner, expected, shapes, dtype)

    def backward(
        self, params: Mapping[str, Any], tape: Tape, cotangents: Mapping[str, Any]
    ) -> dict[str, dict[str, Any]]:
        """Gradients by group and name.

        Raises:
            Misbehaviour: if the module writes to an argument or returns something else.
        """
        given = labelled({"params": params, "cotangents": cotangents})
        result = self._call("backward", given, (params, tape.inner, cotangents))
        if not isinstance(result, Mapping) or {*result} != {*tape.shapes}:
            raise Misbehaviour(
                f"backward returned {kind_of(result)}: expected a dict with the keys "
                + ", ".join(tape.shapes)
            )
        return {
            group: self._check(group, result[group], shapes, tape.dtype, given)
            for group, shapes in tape.shapes.items()
        }

    def loss_and_gradient(
        self, params: Mapping[str, Any], inputs: Mapping[str, Any], targets: Any,
        initial: Mapping[str, Any] | None = None, constants: Mapping[str, Any] | None = None,
        lengths: Any = None,
    ) -> tuple[Any, dict[str, dict[str, Any]]]:  # fmt: skip
        """Loss and gradients.

        Raises:
            Misbehaviour: if the module writes to an argument or returns something else.
        """
        (name,) = NETWORK_FUNCTIONS
        groups = {"params": params, "inputs": inputs, "initial": initial, "constants": constants}
        given = labelled(groups)
        others = {"targets": targets, "lengths": lengths}
        given |= {n: array for n, array in others.items() if isinstance(array, np.ndarray)}
        arguments = (params, inputs, targets, initial, constants or None, lengths)
        result = self._call(name, given, arguments)
        if not isinstance(result, tuple) or len(result) != 2:
            raise Misbehaviour(f"{name} returned {kind_of(result)}: expected (loss, gradients)")
        loss, gradients = result
        dtype = next(iter(params.values())).dtype
        if isinstance(loss, float) and not isinstance(loss, np.generic):
            loss = np.asarray(loss, dtype)
        found = self._check("loss", {LOSS: loss}, {LOSS: ()}, dtype, given)
        if not isinstance(gradients, Mapping) or {*gradients} != {"params", "inputs", "initial"}:
            raise Misbehaviour(
                f"gradients: {kind_of(gradients)}, expected a dict with the keys params, inputs, "
                "initial"
            )
        shapes = self._shapes(params, inputs, initial or {})
        return found[LOSS], {
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

    def _call(self, name: str, given: dict[str, Any], arguments: tuple[Any, ...]) -> Any:
        copies = {label: array.copy() for label, array in given.items()}
        try:
            with np.errstate(all="ignore"):
                result = self.subject.functions[name](*arguments)
        except Misbehaviour:
            raise
        except (Exception, SystemExit) as problem:
            raise Raised(
                one_line(f"{name} raised {type(problem).__name__}: {problem}")
            ) from problem
        for label, array in given.items():
            if not _same(array, copies[label]):
                raise Misbehaviour(f"{name} writes to its argument {label}")
        for label, array, copy in self._returned:
            if not _same(array, copy):
                raise Misbehaviour(f"{name} changed {label}, returned by an earlier call")
        return result

    def _check(
        self,
        group: str,
        found: Any,
        shapes: Mapping[str, tuple[int, ...]],
        dtype: Any,
        given: Mapping[str, Any],
    ) -> dict[str, Any]:
        if not isinstance(found, Mapping) or {*found} != {*shapes}:
            raise Misbehaviour(
                f"{group}: expected a dict with the keys {', '.join(shapes) or 'none'}, "
                f"came {kind_of(found)}"
            )
        checked = {}
        for name, shape in shapes.items():
            label, value = f"{group}[{name!r}]", found[name]
            if not isinstance(value, (np.ndarray, np.generic, Element)):
                raise Misbehaviour(f"{label}: expected an array, came {kind_of(value)}")
            array = value if isinstance(value, ElementArray) else np.asarray(value)
            if array.shape != shape:
                raise Misbehaviour(f"{label}: expected shape {shape}, came {array.shape}")
            if array.dtype != dtype:
                raise Misbehaviour(f"{label}: expected dtype {dtype}, came {array.dtype}")
            for other, argument in given.items():
                if np.may_share_memory(array, argument) and np.shares_memory(array, argument):
                    raise Misbehaviour(f"{label} shares memory with the argument {other}")
            if array.dtype == object:
                _require_kind(label, array, given)
            checked[name] = array
        self._returned = self._returned[-40:]
        self._returned += [
            (f"{group}[{n!r}]", array, np.array(array, copy=True)) for n, array in checked.items()
        ]
        return checked


def labelled(groups: Mapping[str, Mapping[str, Any] | None]) -> dict[str, Any]:
    """Every array of the groups under the name that a message gives it."""
    return {
        f"{group}[{name!r}]": array
        for group, arrays in groups.items()
        for name, array in (arrays or {}).items()
    }


def sizes_in(declared: Mapping[str, Iterable[str]], arrays: Mapping[str, Any]) -> dict[str, int]:
    """The sizes that the arrays have, by the names declared for their last axes."""
    found: dict[str, int] = {}
    for name, array in arrays.items():
        names = tuple(declared.get(name, ()))
        shape = np.shape(array)
        found.update(zip(names, shape[len(shape) - len(names) :], strict=False))
    return found


def extent_in(size: str, sizes: Mapping[str, int]) -> int:
    """The number that a size name stands for, "n+m" a sum; −1 where it is unknown."""
    if size in sizes:
        return sizes[size]
    return sum(int(part) if part.isdigit() else sizes.get(part, -1) for part in size.split("+"))


def _require_kind(label: str, array: Any, given: Mapping[str, Any]) -> None:
    """The elements are of the kind that went in, or plain numbers.

    Raises:
        Misbehaviour: if one is something else.
    """
    kinds = {type(value) for value in given.values() if isinstance(value, ElementArray)}
    for kind in kinds:
        try:
            kind.of(array)
        except TypeError as problem:
            raise Misbehaviour(f"{label}: an entry is none of this call: {problem}") from problem


def _same(left: Any, right: Any) -> bool:
    if left.dtype == object:
        return all(a is b for a, b in zip(left.ravel(), right.ravel(), strict=True))
    return bool(left.tobytes() == right.tobytes())


def one_line(text: str) -> str:
    """The text of somebody's code, fit to be printed: one line, no control characters, not long."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return clean if len(clean) <= LONGEST else f"{clean[:LONGEST]}…"


def kind_of(value: Any) -> str:
    """What a value is, in words."""
    if isinstance(value, Mapping):
        return "a dict with the keys " + (", ".join(map(str, value)) or "none")
    return f"{type(value).__name__}"
