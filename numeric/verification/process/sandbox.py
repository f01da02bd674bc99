"""Somebody's file in a process of its own, under a time limit, as an object to be verified.

In: the path of a file. Out: `Sandbox`, with the module interface. Oracles and comparison stay
on this side; what crosses is plain arrays, copied. The file runs with the rights of whoever
calls this: the process guards the verdict, not the machine.
"""

from __future__ import annotations

import math
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from numeric.numbers.random_functions import asked_elsewhere, current_constants, current_seed
from numeric.verification.process.wire import encode, receive
from numeric.verification.watch import (
    CELL_FUNCTIONS,
    NETWORK_FUNCTIONS,
    PREDICT,
    Declared,
    Misbehaviour,
    Raised,
    Stopped,
    Subject,
    one_line,
)

ROOT: Final = Path(__file__).resolve().parents[3]
TIME_LIMIT: Final = 20.0
LOAD_LIMIT: Final = 60.0
FIRST_LIMIT: Final = 60.0  # a function's first call may have something to prepare
_NO_ANSWER: Final = "the process sent what is no answer, and was ended"


class Sandbox:
    """A file's functions, called in a process of its own: those of a cell or of a network.

    Used as a context manager; at the end of the block the process is gone.
    """

    def __init__(
        self, path: Path | str, time_limit: float = TIME_LIMIT, *, network: bool = False,
        total: float = math.inf, asked: Mapping[str, Any] | None = None, name: str = "",
    ) -> None:  # fmt: skip
        """Start the process and load the file in it.

        With `asked`, the message of an `Asked`, it is code of a framework that has that name.

        No call may take longer than `time_limit` seconds, a function's first one a minute, and
        all of them together no longer than `total`.

        Raises:
            OSError: if the file cannot be read.
        """
        self.path = Path(path).resolve()
        with self.path.open("rb"):
            pass
        self.time_limit = time_limit
        self._total, self._end_of_time = total, time.monotonic() + total
        self._called: set[str] = set()
        self._noticed: list[str] = []
        self._functions = NETWORK_FUNCTIONS if network else CELL_FUNCTIONS
        self._dead: str | None = None
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "numeric.verification.process.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )  # fmt: skip
        self._answers: queue.Queue[Any] = queue.Queue()
        self._requests: queue.Queue[bytes | None] = queue.Queue()
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._listen, self._speak)
        ]
        for thread in self._threads:
            thread.start()
        self._declared: Declared | Misbehaviour
        try:
            answer = self._ask(
                {
                    "path": str(self.path),
                    "functions": self._functions,
                    "network": network,
                    "asked": asked,
                    "name": name,
                },
                max(time_limit, LOAD_LIMIT),
            )
            self._declared = _declared(answer)
            if PREDICT in answer.get("functions", ()):
                self._functions = (*self._functions, PREDICT)
            self._final = bool(answer.get("final"))
            self._causes = tuple(one_line(str(cause)) for cause in answer.get("causes") or ())
        except Misbehaviour as problem:
            self._declared = problem
        except BaseException:
            self.close()
            raise

    @property
    def subject(self) -> Subject:
        """What the file declares, and its functions.

        Raises:
            Misbehaviour: if the file could not be loaded, or lacks a name of the interface.
        """
        if isinstance(self._declared, Misbehaviour):
            raise self._declared
        functions = {name: getattr(self, f"_{name}") for name in self._functions}
        return Subject(self._declared, functions, self._noticed, self._causes, self._final)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process; a pipe that something else still holds is left to its thread."""
        self._dead = self._dead or "the sandbox is closed: its process was ended"
        self._process.kill()
        self._process.wait()
        self._requests.put(None)
        streams = (self._process.stdout, self._process.stdin)
        for thread, stream in zip(self._threads, streams, strict=True):
            thread.join(timeout=1)
            if stream is not None and not thread.is_alive():
                try:
                    stream.close()
                except OSError:
                    continue

    def _forward(
        self, params: Any, inputs: Any, initial: Any = None, constants: Any = None
    ) -> tuple[dict[str, Any], int]:
        found = self._call(
            {"call": "forward", "params": params, "inputs": inputs, "initial": initial,
             "constants": constants}
        )  # fmt: skip
        if not isinstance(found, dict) or {*found} != {"states", "tape"}:
            raise self._end(_NO_ANSWER)
        return found["states"], found["tape"]

    def _backward(self, params: Any, tape: int, cotangents: Any) -> Any:
        return self._call({
            "call": "backward",
            "params": params,
            "tape": tape,
            "cotangents": cotangents,
        })

    def _loss_and_gradient(self, *arguments: Any) -> Any:
        found = self._call({"call": "loss_and_gradient", "arguments": arguments})
        parts = ("loss", "gradients", "final")[: 3 if len(arguments) > 6 else 2]
        if not isinstance(found, dict) or {*found} != {*parts}:
            raise self._end(_NO_ANSWER)
        return tuple(found[part] for part in parts)

    def _predict(self, *arguments: Any) -> Any:
        found = self._call({"call": PREDICT, "arguments": arguments})
        if not isinstance(found, dict) or {*found} != {"outputs"}:
            raise self._end(_NO_ANSWER)
        return found["outputs"]

    def _call(self, message: dict[str, Any]) -> Any:
        first = message["call"] not in self._called
        answer = self._ask(
            {**message, "key": current_seed(), "numbers": [*map(str, current_constants())]},
            max(self.time_limit, FIRST_LIMIT if first and self.time_limit >= TIME_LIMIT else 0.0),
        )
        self._called.add(message["call"])
        if "result" not in answer:
            raise self._end(_NO_ANSWER)
        noticed = answer.get("noticed")
        if isinstance(noticed, list):
            self._noticed += [one_line(str(what)) for what in noticed if what not in self._noticed]
        try:
            asked_elsewhere(int(answer["asked"]), answer["scales"])
        except (KeyError, TypeError, ValueError):
            raise self._end(_NO_ANSWER) from None
        return answer["result"]

    def _ask(self, message: Mapping[str, Any], limit: float) -> Any:
        if self._dead is not None:
            raise Stopped(self._dead)
        left = self._end_of_time - time.monotonic()
        if left <= 0:
            raise self._end(f"the {self._total:g} s for this file are used up")
        self._requests.put(encode(message))
        try:
            answer = self._answers.get(timeout=min(limit, left))
        except queue.Empty:
            if left < limit:
                raise self._end(f"the {self._total:g} s for this file are used up") from None
            raise self._end(f"no answer within {limit:g} s: the process was ended") from None
        if not isinstance(answer, dict):
            try:
                status = self._process.wait(timeout=1)
            except subprocess.TimeoutExpired:
                raise self._end(_NO_ANSWER) from None
            raise self._end(f"the process ended by itself (exit status {status})")
        if "error" in answer:
            kind = Raised if answer.get("raised") else Misbehaviour
            problem = kind(one_line(str(answer["error"])))
            if answer.get("kind") == "ValueError":
                problem.__cause__ = ValueError(str(problem))
            raise problem
        return answer

    def _end(self, why: str) -> Stopped:
        self._dead = why
        self.close()
        return Stopped(why)

    def _speak(self) -> None:
        stream = self._process.stdin
        assert stream is not None
        try:
            while (request := self._requests.get()) is not None:
                stream.write(request)
                stream.flush()
        except (OSError, ValueError):
            self._answers.put(None)

    def _listen(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        try:
            while True:
                self._answers.put(receive(stream))  # type: ignore[arg-type]
        except (EOFError, ValueError, OSError):
            self._answers.put(None)


def _declared(answer: Any) -> Declared:
    try:
        return {
            group: {name: tuple(sizes) for name, sizes in names.items()}
            for group, names in answer["declared"].items()
        }
    except (AttributeError, KeyError, TypeError):
        raise Misbehaviour(_NO_ANSWER) from None
