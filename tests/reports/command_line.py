"""The command as tests call it: what it said, and files to call it on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from derive import catalogue
from numeric.compiler.kernel import compile_cell

ROOT = Path(__file__).parents[2]


MGU = '''
name = "mgu"
source = "Zhou et al. 2016"
equations = """
f = sigmoid(W_f @ x + U_f @ h_prev + b_f)
g = tanh(W_h @ x + U_h @ (f * h_prev) + b_h)
h = (1 - f) * h_prev + f * g
"""
'''


class Said(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        def refuse(constant: str) -> None:
            raise ValueError(f"{constant} is not JSON")

        return json.loads(self.out, parse_constant=refuse)


def command(*words: str, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    code = "import sys; from reports.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=cwd, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def wrong(name: str, term: str, instead: str) -> str:
    """The textbook code of a cell with one wrong term."""
    right = compile_cell(catalogue[name], "textbook").source
    assert right.count(term) == 1
    return right.replace(term, instead)


def is_refusal(said: Said) -> bool:
    """Exit status 2, nothing on standard output, one or two lines on standard error."""
    lines = said.err.rstrip("\n").split("\n")
    assert "Traceback" not in said.err
    return said.status == 2 and not said.out and 1 <= len(lines) <= 2 and bool(lines[0])
