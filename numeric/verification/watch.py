"""Watching a module while it runs: what it writes to, what it returns, what it shares.

In: any object with the interface of a cell's module or of a network's. Out: `Subject`, its declared
names and functions, and `Guard`, which calls them and raises `Misbehaviour` for anything but fresh
arrays of the right names, shapes and dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from numeric.numbers.elements import Element, ElementArray
from numeric.verification.caller import Caller, Misbehaviour, Raised, labelled, one_line
from numeric.verification.caller import given as given_to
from numeric.verification.returned import extent_in, kind_of, sizes_in, solved

__all__ = ["Guard", "Misbehaviour", "Raised", "Stopped", "Subject", "WatchedTape", "one_line"]

Declared = Mapping[str, Mapping[str, tuple[str, ...]]]
CONSTANT_NAMES: Final = ("PARAMETERS", "INPUTS", "STATES", "OUTPUTS", "CONSTANTS")
MAY_BE_MISSING: Final = ("OUTPUTS", "CONSTANTS")
CELL_FUNCTIONS: Final = ("forward", "backward")
NETWORK_FUNCTIONS: Final = ("loss_and_gradient",)
_GROUPS: Final = ("params", "inputs", "initial")
NO_FUNCTION: Final = "expected a function of this name, found none"
PREDICT: Final = "predict"  # what a network's module may have besides
LOSS, OUTPUTS = "L", "outputs"  # what a network gives, and what it predicts


class Stopped(Misbehaviour):
    """The module's process is gone: it ended itself or was out of time."""


@dataclass(frozen=True)
class Subject:
    """The code under test: what it declares, and its functions by name.

    `noticed` are broken promises that whoever calls the functions for us has seen, `causes` what
    is known to be wrong with gradients before they are compared. `final`: a network's function
    takes cotangents of final states.
    """

    declared: Declared
    functions: Mapping[str, Callable[..., Any]]
    noticed: list[str] = field(default_factory=list)
    causes: tuple[str, ...] = ()
    final: bool = False


@dataclass(frozen=True)
class WatchedTape:
    """A module's own tape, and the shapes that its gradients must have."""

    inner: Any
    shapes: Mapping[str, Mapping[str, tuple[int, ...]]]
    states: Mapping[str, tuple[int, ...]]
    dtype: Any


def subject_of(
    thing: Any, functions: tuple[str, ...] = CELL_FUNCTIONS, known: Declared | None = None
) -> Subject:
    """The subject that a kernel, a module or any object of that form is.

    What it does not declare is as `known`, where that is given.

    Raises:
        Misbehaviour: if a module constant or a function is missing or is something else.
    """
    known = {group: {} for group in MAY_BE_MISSING} | dict(known or {})
    if isinstance(inner := getattr(thing, "subject", thing), Subject):
        return replace(inner, declared={**known, **inner.declared})
    declared = {**known, **declarations(getattr(thing, "module", thing))}
    for name in functions:
        if not callable(getattr(thing, name, None)):
            raise Misbehaviour(f"{name}: {NO_FUNCTION}")
    for group in CONSTANT_NAMES:
        if group not in declared:
            raise Misbehaviour(f"{group}: expected a dict, name → tuple of size names")
    return Subject(declared, {name: getattr(thing, name) for name in functions})


def declarations(home: Any) -> dict[str, dict[str, tuple[str, ...]]]:
    """The module constants that there are.

    Raises:
        Misbehaviour: if one of them is something else.
    """
    declared = {}
    for group in CONSTANT_NAMES:
        found = getattr(home, group, None)
        if found is None:
            continue
        if not isinstance(found, Mapping):
            raise Misbehaviour(f"{group}: expected a dict, name → tuple of size names")
        declared[group] = {str(name): _names(sizes) for name, sizes in found.items()}
    return declared


def _names(sizes: Any) -> tuple[str, ...]:
    return tuple(map(str, sizes)) if isinstance(sizes, (tuple, list)) else (repr(sizes),)


class Guard:
    """The subject's functions, each call watched.

    Nothing is forgiven of code of ours. Of somebody else's, `forgiving`, a broken promise is a
    note, lists and numbers are arrays, and a result in another dtype is cast, and noted. Without
    `lacks`, the labels that the code is known not to return, what it lacks is being found out.
    """

    def __init__(
        self,
        subject: Subject,
        *,
        forgiving: bool = False,
        lacks: frozenset[str] | None = frozenset(),
    ) -> None:
        self.subject = subject
        self.forgiving = forgiving
        self.lacks = lacks
        self.noted: dict[str, None] = {}
        self.missing: dict[str, str] = {}
        self.misshapen: dict[str, str] = {}
        self.foreign: dict[str, str] = {}
        self._caller = Caller(subject.functions, self._tell, copies=forgiving)

    @property
    def notes(self) -> list[str]:
        """The promises that were seen to be broken, here and by whoever calls the code for us."""
        return [*dict.fromkeys([*self.noted, *self.subject.noticed])]

    def within(self, lacks: frozenset[str]) -> Guard:
        """A guard of the same code that expects all but what the code lacks."""
        guard = Guard(self.subject, forgiving=self.forgiving, lacks=lacks)
        guard.noted.update(self.noted)
        return guard

    def forward(
        self,
        params: Mapping[str, Any],
        inputs: Mapping[str, Any],
        initial: Mapping[str, Any] | None = None,
        constants: Mapping[str, Any] | None = None,
    ) -> tuple[dict[str, Any], WatchedTape]:
        """States and tape.

        Raises:
            Misbehaviour: if the module writes to an argument or returns something else.
        """
        groups = {"params": params, "inputs": inputs, "initial": initial, "constants": constants}
        given = labelled(groups)
        result = self._caller("forward", (params, inputs, initial, constants or None))
        if not isinstance(result, tuple) or len(result) != 2:
            raise Misbehaviour(f"forward returned {kind_of(result)}: expected (states, tape)")
        states, inner = result
        dtype = next(iter(given.values())).dtype if given else np.dtype(float)
        steps, batch = next(iter(inputs.values())).shape[:2]
        sizes = sizes_in(self.subject.declared["CONSTANTS"], constants or {})
        sizes |= sizes_in(self.subject.declared["PARAMETERS"], params)
        sizes |= sizes_in(self.subject.declared["INPUTS"], inputs)
        sizes = solved(sizes | sizes_in(self.subject.declared["STATES"], initial or {}))
        shapes = {}
        initials = self.subject.declared["STATES"]
        for name, names in {**initials, **self.subject.declared.get("OUTPUTS", {})}.items():
            shapes[name] = (steps, batch, *(extent_in(size, sizes) for size in names))
        states = self._check("states", states, shapes, dtype, given)
        expected = {
            group: {name: np.shape(array) for name, array in arrays.items()}
            for group, arrays in (("params", params), ("inputs", inputs))
        }
        expected["initial"] = {n: shape[1:] for n, shape in shapes.items() if n in initials}
        return states, WatchedTape(inner, expected, shapes, dtype)

    def backward(
        self, params: Mapping[str, Any], tape: WatchedTape, cotangents: Mapping[str, Any]
    ) -> dict[str, dict[str, Any]]:
        """Gradients by group and name.

        Raises:
            Misbehaviour: if the module writes to an argument or returns something else.
        """
        given = labelled({"params": params, "cotangents": cotangents})
        result = self._caller("backward", (params, tape.inner, cotangents))
        known = {*tape.shapes}
        usable = isinstance(result, Mapping) and bool({*result} & known)
        if not usable or (not self.forgiving and {*result} != known):
            raise Misbehaviour(
                f"backward returned {kind_of(result)}: expected a dict with the keys "
                + ", ".join(tape.shapes)
            )
        for group in [] if known >= {*result} else sorted({*map(str, result)} - known):
            self._tell(f"backward returned {group!r} too: expected {', '.join(known)}")
        return {
            group: self._check(group, result.get(group), shapes, tape.dtype, given)
            for group, shapes in tape.shapes.items()
        }

    def loss_and_gradient(
        self, params: Mapping[str, Any], inputs: Mapping[str, Any], targets: Any,
        initial: Mapping[str, Any] | None = None, constants: Mapping[str, Any] | None = None,
        lengths: Any = None, *later: Any,
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:  # fmt: skip
        """The loss by its name, and gradients.

        With one argument more, the cotangents of final states, these states are there as well.

        Raises:
            Misbehaviour: if the module writes to an argument or returns something else.
        """
        (name,) = NETWORK_FUNCTIONS
        arguments = (params, inputs, targets, initial, constants or None, lengths, *later)
        given = given_to(name, arguments)
        result = self._caller(name, arguments)
        if not isinstance(result, tuple) or len(result) != 2 + len(later):
            parts = f"(loss, gradients{', final' * len(later)})"
            raise Misbehaviour(f"{name} returned {kind_of(result)}: expected {parts}")
        loss, gradients, *ends = result
        if self.forgiving and isinstance(gradients, Mapping):
            if more := {*map(str, gradients)} - {*_GROUPS}:
                self._tell(f"{name} returned {', '.join(sorted(more))} too")
            gradients = {group: gradients.get(group) for group in _GROUPS}
        dtype = next(iter(params.values())).dtype
        if isinstance(loss, float) and not isinstance(loss, np.generic):
            loss = np.asarray(loss, dtype)
        if self.forgiving and np.shape(loss) and np.size(loss) == 1:
            self._tell(f"loss: expected shape (), came {np.shape(loss)}")
            loss = np.asanyarray(loss).reshape(())
        found = self._check("loss", {LOSS: loss}, {LOSS: ()}, dtype, given)
        if not isinstance(gradients, Mapping) or {*gradients} != {*_GROUPS}:
            raise Misbehaviour(
                f"gradients: {kind_of(gradients)}, expected a dict with the keys params, inputs, "
                "initial"
            )
        if LOSS not in found:
            raise Misbehaviour(f"loss: expected a number, came {kind_of(loss)}")
        shapes = self._shapes(params, inputs, initial or {})
        for final in ends:
            found |= self._check("final", final, shapes["initial"], dtype, given)
        return found, {
            group: self._check(group, gradients[group], expected, dtype, given)
            for group, expected in shapes.items()
        }

    def predict(self, shape: tuple[int, ...], params: Mapping[str, Any], *rest: Any) -> Any:
        """What the readout gives, of that shape, by its name; of somebody's perhaps nothing.

        Raises:
            Misbehaviour: if the module writes to an argument or returns something else.
        """
        given = given_to(PREDICT, (params, *rest))
        dtype = next(iter(params.values())).dtype
        try:
            found = {OUTPUTS: self._caller(PREDICT, (params, *rest))}
            return self._check(PREDICT, found, {OUTPUTS: shape}, dtype, given)
        except Raised as problem:
            self._tell(str(problem))
            return {}

    def _shapes(
        self, params: Mapping[str, Any], inputs: Mapping[str, Any], initial: Mapping[str, Any]
    ) -> dict[str, dict[str, tuple[int, ...]]]:
        """The shape of each gradient: of what it belongs to; integers have none."""
        declared = self.subject.declared
        batch = next(iter(inputs.values())).shape[1]
        sizes = sizes_in(declared["PARAMETERS"], params) | sizes_in(declared["INPUTS"], inputs)
        sizes = solved(sizes | sizes_in(declared["STATES"], initial))
        return {
            "params": {name: np.shape(array) for name, array in params.items()},
            "inputs": {n: np.shape(a) for n, a in inputs.items() if a.dtype.kind not in "iu"},
            "initial": {
                name: (batch, *(extent_in(size, sizes) for size in names))
                for name, names in declared["STATES"].items()
            },
        }

    def _check(
        self,
        group: str,
        found: Any,
        shapes: Mapping[str, tuple[int, ...]],
        dtype: Any,
        given: Mapping[str, Any],
    ) -> dict[str, Any]:
        found = self._named(group, found, shapes)
        checked: dict[str, Any] = {}
        for name, value in found.items():
            label, shape = f"{group}[{name!r}]", shapes[name]
            array = self._array(label, value, dtype)
            if self.forgiving and not array.size and 0 in shape and array.ndim < len(shape):
                array = array.reshape(shape)  # an empty list has lost its other axes
            if array.shape != shape:
                what = f"{label}: expected shape {shape}, came {array.shape}"
                if self.lacks is not None:
                    raise Misbehaviour(what)
                self.misshapen.setdefault(f"{group}.{name}", what)
                continue
            if array.dtype == object:
                _require_kind(label, array, given)
            checked[name] = array
        self._caller.remember({f"{group}[{n!r}]": a for n, a in checked.items()})
        return {n: a.copy() for n, a in checked.items()} if self.forgiving else checked

    def _named(
        self, group: str, found: Any, shapes: Mapping[str, tuple[int, ...]]
    ) -> dict[str, Any]:
        """What was returned, by the names that are expected.

        Raises:
            Misbehaviour: if a name is missing that was there, or there is no dict.
        """
        lacks = self.lacks or frozenset()
        if self.forgiving and (found is None or isinstance(found, Mapping)):
            found = {str(name): value for name, value in (found or {}).items() if value is not None}
            if {*found} - {*shapes}:
                self._tell(
                    f"{group}: expected a dict with the keys {', '.join(shapes) or 'none'}, "
                    f"came {kind_of(found)}"
                )
            found = {n: v for n, v in found.items() if n in shapes and f"{group}.{n}" not in lacks}
        wanted = [name for name in shapes if f"{group}.{name}" not in lacks]
        if self.lacks is None and isinstance(found, Mapping):
            for name in {*wanted} - {*found}:
                home = {"states": "forward", PREDICT: PREDICT}.get(group)
                home = home or [f for f in self.subject.functions if f != PREDICT][-1]
                self.missing[f"{group}.{name}"] = f"{home} returns no {group}[{name!r}]"
        elif not isinstance(found, Mapping) or {*found} != {*wanted}:
            raise Misbehaviour(
                f"{group}: expected a dict with the keys {', '.join(wanted) or 'none'}, "
                f"came {kind_of(found)}"
            )
        return {name: found[name] for name in wanted if name in found}

    def _array(self, label: str, value: Any, dtype: Any) -> Any:
        """What was returned as an array of the dtype that went in.

        Raises:
            Misbehaviour: if it is none.
        """
        if self.forgiving and isinstance(value, (list, tuple, int, float)):
            try:
                value = np.asarray(value)
            except ValueError:
                raise Misbehaviour(f"{label}: expected an array, came a ragged list") from None
            if "O" not in (value.dtype.kind, dtype.kind):
                return value.astype(dtype)
        if not isinstance(value, (np.ndarray, np.generic, Element)):
            raise Misbehaviour(f"{label}: expected an array, came {kind_of(value)}")
        array = value if isinstance(value, ElementArray) else np.asarray(value)
        if array.dtype == dtype:
            return array
        what = f"{label}: expected dtype {dtype}, came {array.dtype}"
        if not self.forgiving or array.dtype.kind not in "fiu" or dtype.kind != "f":
            raise Misbehaviour(what)
        if array.dtype.kind == "f":
            self.foreign.setdefault(str(dtype), what)
        else:
            self._tell(what)
        return array.astype(dtype)

    def _tell(self, what: str) -> None:
        """A broken promise: of our code the end of the call, of somebody else's a note.

        Raises:
            Misbehaviour: if nothing is forgiven.
        """
        if not self.forgiving:
            raise Misbehaviour(what)
        self.noted.setdefault(what)


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
