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
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, Final

from numeric.numbers.prime_field import random_functions
from numeric.verification.process.wire import encode, receive
from numeric.verification.watch import Guard, Misbehaviour, Raised, Tape, subject_of

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


class Worker:
    """The loaded file and the tapes of its latest forward calls."""

    def __init__(self, path: Path, functions: tuple[str, ...]) -> None:
        self.path = path
        subject = subject_of(load(path), functions)
        self.declared = subject.declared
        self.guard = Guard(subject)
        self.tapes: OrderedDict[int, Tape] = OrderedDict()
        self.count = 0

    def answer(self, call: dict[str, Any]) -> Any:
        """The result of one call.

        Raises:
            Misbehaviour: if the file misbehaves in it.
        """
        with random_functions(call["key"], map(Fraction, call["constants"])):
            if call["call"] == "loss_and_gradient":
                loss, gradients = self.guard.loss_and_gradient(*call["arguments"])
                return {"loss": loss, "gradients": gradients}
            if call["call"] == "backward":
                tape = self.tapes[call["tape"]]
                return self.guard.backward(call["params"], tape, call["cotangents"])
            states, tape = self.guard.forward(
                call["params"], call["inputs"], call["initial"], call["constants"]
            )
        self.count += 1
        self.tapes[self.count] = tape
        while len(self.tapes) > _TAPES:
            self.tapes.popitem(last=False)
        return {"states": states, "tape": self.count}


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
        worker = Worker(path, tuple(first["functions"]))
    except Misbehaviour as problem:
        send(reply(problem, path))
        return
    send({"declared": worker.declared})
    while True:
        try:
            call = receive(requests)
        except EOFError:
            return
        try:
            send({"result": worker.answer(call)})
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
