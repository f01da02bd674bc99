"""The process in which somebody's file runs: calls come in, plain arrays go out.

In: on standard input, the path of a file and then calls of its functions. Out: on what was
standard output, declared names, states, gradients, or what went wrong. Whatever the file
prints is dropped; whatever it returns is checked by the guard before it is sent.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import traceback
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, Final

import numpy as np

from numeric.numbers.elements import Element
from numeric.numbers.random_functions import RandomFunctions, random_functions
from numeric.verification.caller import (
    Caller,
    Misbehaviour,
    Raised,
    predicts,
    takes_final_cotangents,
)
from numeric.verification.frameworks.asked import Asked
from numeric.verification.frameworks.code import FrameworkCode
from numeric.verification.frameworks.framework import find_framework
from numeric.verification.process.wire import encode, receive
from numeric.verification.returned import kind_of
from numeric.verification.watch import NO_FUNCTION, declarations

_TAPES: Final = 8


def load(path: Path) -> ModuleType:
    """The file as a module; files beside it can be imported by it.

    Raises:
        Misbehaviour: if it is no Python file.
        Raised: if it raises while it is loaded.
    """
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location("file_under_audit", path)
    if spec is None or spec.loader is None:
        raise Misbehaviour(f"{path.name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as problem:
        raise Raised(f"importing the file raised {explain(problem, path)}") from problem
    return module


def explain(problem: BaseException, path: Path) -> str:
    """The exception in one line, with the last line of the file that it passed."""
    lines = [
        f.lineno for f in traceback.extract_tb(problem.__traceback__) if f.filename == str(path)
    ]
    where = f" (line {lines[-1]} of {path.name})" if lines else ""
    return f"{type(problem).__name__}: {problem}{where}"


def framework_code(path: Path, name: str, asked: Asked) -> FrameworkCode:
    """What has that name in the file, as a module of the cell.

    Raises:
        Misbehaviour: if there is no such name, or it cannot be called.
    """
    find_framework(asked.framework).prepare()
    module = load(path)
    if not hasattr(module, name):
        own = [n for n in vars(module) if not n.startswith("_") and callable(getattr(module, n))]
        raise Misbehaviour(f"no {name!r} in it; expected one of {', '.join(own) or 'nothing'}")
    return asked.code(getattr(module, name), name)


class Worker:
    """The loaded file and the tapes of its latest forward calls."""

    def __init__(self, first: Mapping[str, Any]) -> None:
        self.path = Path(first["path"])
        functions: tuple[str, ...] = tuple(first["functions"])
        module: Any
        self.causes: tuple[str, ...]
        if (asked := first.get("asked")) is None:
            module = load(self.path)
            self.declared, self.causes = declarations(module), ()
        else:
            module = framework_code(self.path, first["name"], Asked.from_message(asked))
            self.declared, self.causes = module.declared, module.causes
        for name in functions:
            if not callable(getattr(module, name, None)):
                raise Misbehaviour(f"{name}: {NO_FUNCTION}")
        self.final = bool(first["network"]) and takes_final_cotangents(module)
        self.functions = functions + ("predict",) * (bool(first["network"]) and predicts(module))
        self.noticed: list[str] = []
        self.caller = Caller(
            {name: getattr(module, name) for name in self.functions},
            self.noticed.append,
            copies=True,
        )
        self.tapes: OrderedDict[int, Any] = OrderedDict()
        self.count = 0
        self.asked = RandomFunctions(b"")

    def answer(self, call: dict[str, Any]) -> Any:
        """The result of one call.

        Raises:
            Misbehaviour: if the file misbehaves in it.
        """
        name = call["call"]
        with random_functions(call["key"], map(Fraction, call["numbers"])) as self.asked:
            if name == "loss_and_gradient":
                parts = ("loss", "gradients", "final")[: 3 if len(call["arguments"]) > 6 else 2]
                loss, gradients, *ends = self._parts(name, parts, call["arguments"])
                found = {"loss": loss, "gradients": self._watched(gradients)}
                final = [self._watched({"final": end}).get("final") for end in ends]
                return found | dict(zip(parts[2:], final, strict=True))
            if name == "predict":
                made = self.caller(name, tuple(call["arguments"]))
                return self._watched({"predict": {"outputs": made}})["predict"]
            if name == "backward":
                arguments = (call["params"], self.tapes[call["tape"]], call["cotangents"])
                return self._watched(self.caller(name, arguments))
            arguments = tuple(call[part] for part in ("params", "inputs", "initial", "constants"))
            states, tape = self._parts(name, ("states", "tape"), arguments)
        self.count += 1
        self.tapes[self.count] = tape
        while len(self.tapes) > _TAPES:
            self.tapes.popitem(last=False)
        return {"states": self._watched({"states": states})["states"], "tape": self.count}

    def _parts(self, name: str, parts: Sequence[str], arguments: Sequence[Any]) -> tuple[Any, ...]:
        """The parts that the function returns.

        Raises:
            Misbehaviour: if they are not so many.
        """
        result = self.caller(name, tuple(arguments))
        if not isinstance(result, tuple) or len(result) != len(parts):
            raise Misbehaviour(f"{name} returned {kind_of(result)}: expected ({', '.join(parts)})")
        return result

    def _watched(self, groups: Any) -> Any:
        """The arrays by group and name, lists as arrays; each is watched from now on."""
        if not isinstance(groups, Mapping):
            return groups
        found = {
            group: {n: as_array(f"{group}[{n!r}]", value) for n, value in arrays.items()}
            if isinstance(arrays, Mapping) else arrays
            for group, arrays in groups.items()
        }  # fmt: skip
        self.caller.remember({
            f"{group}[{name!r}]": value
            for group, arrays in found.items() if isinstance(arrays, Mapping)
            for name, value in arrays.items() if isinstance(value, np.ndarray)
        })  # fmt: skip
        return found


def as_array(label: str, value: Any) -> Any:
    """A list of arrays or numbers as one array; an array, a number or None as it is.

    Raises:
        Misbehaviour: for anything else.
    """
    if isinstance(value, (list, tuple)):
        try:
            return np.asarray(value)
        except ValueError:
            raise Misbehaviour(f"{label}: expected an array, came a ragged list") from None
    if value is None or isinstance(value, (np.ndarray, np.generic, Element, int, float)):
        return value
    raise Misbehaviour(f"{label}: expected an array, came {kind_of(value)}")


def reply(problem: Misbehaviour, path: Path) -> dict[str, Any]:
    """What is sent instead of a result."""
    cause = problem.__cause__
    text = str(problem)
    if isinstance(problem, Raised) and cause is not None and "line " not in text:
        text = f"{text.split(' raised ')[0]} raised {explain(cause, path)}"
    kind = type(cause).__name__ if cause is not None else ""
    return {"error": text, "raised": isinstance(problem, Raised), "kind": kind}


def serve(requests: BinaryIO, results: BinaryIO) -> None:
    """Answer calls until there are none."""

    def send(message: Any) -> None:
        try:
            data = encode(message)
        except TypeError as problem:
            data = encode({"error": f"returned what is no array: {problem}", "raised": False,
                           "kind": ""})  # fmt: skip
        results.write(data)
        results.flush()

    first = receive(requests)
    path = Path(first["path"])
    try:
        worker = Worker(first)
    except Misbehaviour as problem:
        send(reply(problem, path))
        return
    found = {"declared": worker.declared, "causes": worker.causes, "final": worker.final}
    send({**found, "functions": worker.functions})
    while True:
        try:
            call = receive(requests)
        except EOFError:
            return
        try:
            found = worker.answer(call)
            scales = [(base, *ends) for base, ends in worker.asked.scales.items()]
            send({
                "result": found, "noticed": [*worker.noticed], "asked": worker.asked.asked,
                "scales": np.array(scales, dtype="<i8").reshape(-1, 3),
            })  # fmt: skip
            worker.noticed.clear()
        except Misbehaviour as problem:
            send(reply(problem, path))


def main() -> None:
    """Keep the two pipes for the messages, and give the file empty ones instead."""
    requests, results = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    serve(requests, results)


if __name__ == "__main__":
    main()
