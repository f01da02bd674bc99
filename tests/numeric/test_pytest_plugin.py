"""The pytest plugin: one line in a test, and nothing paid for at the start."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLUGIN = "numeric.pytest_plugin"
TESTS = """
def test_right(verify_cell):
    assert verify_cell("rnn", style="textbook").profile == "dev"

def test_wrong(verify_gradients):
    verify_gradients("rnn", lambda *arguments: None, lambda *arguments: None)
"""


def python(*words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, env=environment, check=False
    )
    return done.stdout + done.stderr


def test_a_test_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "test_one.py"
    path.write_text(TESTS, encoding="utf-8")
    said = python("-m", "pytest", "-q", "-p", PLUGIN, "-c", os.devnull, str(path))
    assert "1 failed, 1 passed" in said, said
    assert "AssertionError: rnn: fail" in said
    assert "forward returned NoneType" in said
    assert "testing.py" not in said


def test_the_plugin_is_entered_and_costs_nothing_at_the_start() -> None:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert PLUGIN in data["project"]["entry-points"]["pytest11"].values()
    heavy = "{'numpy', 'sympy', 'hypothesis'} & {*sys.modules}"
    assert python("-c", f"import sys, {PLUGIN}; print({heavy})").strip() == "set()"
