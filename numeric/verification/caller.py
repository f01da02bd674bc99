"""Calls of somebody's functions: on copies if wanted, watched for what they write to.

In: functions by name. Out: `Caller`, which gives back what a function returns, and tells what no
module may do beside: write to an argument, change what it returned before.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

LONGEST: Final = 500
REMEMBERED: Final = 40
GROUPS: Final = {
    "forward": ("params", "inputs", "initial", "constants"),
    "backward": ("params", "tape", "cotangents"),
    "loss_and_gradient": (
        "params", "inputs", "targets", "initial", "constants", "lengths", "final_cotangents",
    ),
    "predict": ("params", "inputs", "initial", "constants", "lengths"),
}  # fmt: skip


class Misbehaviour(Exception):  # noqa: N818 (it is the module's error, not ours)
    """The module did what no module may do; the message says what."""


class Raised(Misbehaviour):
    """The module raised an exception of its own."""


class Caller:
    """The functions, each call watched; `tell` is called with what is noticed.

    With `copies` a function gets copies, so that what it writes to harms nobody.
    """

    def __init__(
        self,
        functions: Mapping[str, Callable[..., Any]],
        tell: Callable[[str], None],
        *,
        copies: bool,
    ) -> None:
        self.functions = functions
        self.tell = tell
        self.copies = copies
        self._parameters = {name: parameters_of(call) for name, call in functions.items()}
        self._given: dict[str, Any] = {}
        self._returned: list[tuple[str, Any, Any]] = []

    def __call__(self, name: str, arguments: tuple[Any, ...]) -> Any:
        """What the function returns.

        Raises:
            Raised: if it raises.
            Misbehaviour: what it raises if it is a watched function of ours.
        """
        before = given(name, arguments)
        if self.copies:
            arguments = tuple(map(copied, arguments))
            after = given(name, arguments)
        else:
            before, after = {label: array.copy() for label, array in before.items()}, before
        self._given = after
        function = self.functions[name]
        arguments, by_name, unusual = taken(self._parameters[name], name, arguments)
        if unusual:
            self.tell(unusual)
        try:
            with np.errstate(all="ignore"):
                result = function(*arguments, **by_name)
        except Misbehaviour:
            raise
        except (Exception, SystemExit) as problem:
            raise Raised(
                one_line(f"{name} raised {type(problem).__name__}: {problem}")
            ) from problem
        for label, array in after.items():
            if not same(array, before[label]):
                self.tell(f"{name} writes to its argument {label}")
        for label, array, copy in self._returned:
            if not same(array, copy):
                self.tell(f"{name} changed {label}, returned by an earlier call")
        return result

    def remember(self, returned: Mapping[str, Any]) -> None:
        """Watch the arrays from now on; one that shares memory with an argument is told."""
        for label, array in returned.items():
            for other, argument in self._given.items():
                if np.may_share_memory(array, argument) and np.shares_memory(array, argument):
                    self.tell(f"{label} shares memory with the argument {other}")
        self._returned = self._returned[-REMEMBERED:]
        self._returned += [(n, array, np.array(array, copy=True)) for n, array in returned.items()]


def parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter] | None:
    """What the function says that it takes, where it says all of it."""
    try:
        parameters = [*inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        return None
    return None if any(p.kind is p.VAR_POSITIONAL for p in parameters) else parameters


def taken(
    parameters: list[inspect.Parameter] | None, name: str, arguments: tuple[Any, ...]
) -> tuple[tuple[Any, ...], dict[str, Any], str]:
    """The arguments that a function takes: by place, by name alone, and what is unusual in that.

    One that has no last ones is not given any; one that has them by their names in another order
    is given them in that order.
    """
    if parameters is None:
        return arguments, {}, ""
    expected = GROUPS.get(name, ())
    given = dict(zip(expected, arguments, strict=False))
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    by_name = {p.name: given[p.name] for p in parameters
               if p.kind is p.KEYWORD_ONLY and p.name in given}  # fmt: skip
    known = [*places]
    while known and known[-1].name not in given and known[-1].default is not known[-1].empty:
        known.pop()  # a setting of its own, unless it stands where something is given
    names = [p.name for p in known]
    chosen = arguments[: max(2, len(places))]
    reordered = names != [*expected[: len(names)]] and {*names} <= {*given}
    if reordered:
        chosen = tuple(given[name] for name in names)
    if not by_name and not reordered:
        return chosen, {}, ""
    told = ", ".join([*names, *(["*", *by_name] if by_name else [])])
    return chosen, by_name, f"{name} takes {told}: expected by place {', '.join(expected)}"


def predicts(module: Any) -> bool:
    """Whether a module has the forward pass alone: its own `predict(params, inputs, …)`."""
    function = getattr(module, "predict", None)
    if not callable(function):
        return False
    try:
        first = [*inspect.signature(function).parameters][:2]
    except (TypeError, ValueError):
        return False
    return first == ["params", "inputs"]


def takes_final_cotangents(module: Any) -> bool:
    """Whether the function of a network's module takes cotangents of final states, by that name."""
    function = getattr(module, "loss_and_gradient", None)
    try:
        return callable(function) and "final_cotangents" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


def given(name: str, arguments: tuple[Any, ...]) -> dict[str, Any]:
    """Every array of the arguments under the name that a message gives it."""
    found: dict[str, Any] = {}
    for group, value in zip(GROUPS.get(name, ()), arguments, strict=False):
        if group == "tape":
            continue
        if isinstance(value, np.ndarray):
            found[group] = value
        elif isinstance(value, Mapping):
            found |= labelled({group: value})
    return found


def labelled(groups: Mapping[str, Mapping[str, Any] | None]) -> dict[str, Any]:
    """Every array of the groups under the name that a message gives it."""
    return {
        f"{group}[{name!r}]": array
        for group, arrays in groups.items()
        for name, array in (arrays or {}).items()
    }


def copied(argument: Any) -> Any:
    """An array or a dict of arrays copied; a tape is the function's own."""
    if isinstance(argument, np.ndarray):
        return argument.copy()
    if isinstance(argument, dict) and all(isinstance(a, np.ndarray) for a in argument.values()):
        return {name: array.copy() for name, array in argument.items()}
    return argument


def same(left: Any, right: Any) -> bool:
    """Whether two arrays are one, entry by entry, to the bit."""
    if left.dtype == object:
        return all(a is b for a, b in zip(left.ravel(), right.ravel(), strict=True))
    return bool(left.tobytes() == right.tobytes())


def one_line(text: str) -> str:
    """The text of somebody's code, fit to be printed: one line, no control characters, not long."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return clean if len(clean) <= LONGEST else f"{clean[:LONGEST]}…"
