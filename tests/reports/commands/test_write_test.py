"""`bptt write-test`: the file it prints passes or fails with the code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import MGU, ROOT, wrong
from profiles import NIGHTLY

from derive import catalogue
from numeric.compiler.kernel import compile_cell

PYTEST = "import sys, pytest; sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', '.']))"
FEW = (  # examples of a check, by day
    "from numeric.verification.profiles import PROFILES, Profile; "
    "PROFILES['dev'] = Profile(autograd=4, high_precision=1, exact=1); "
)


@pytest.mark.long
def test_write_test_prints_a_file_that_passes_or_fails_with_the_code(bptt: Any) -> None:
    Path("mgu.toml").write_text(MGU, encoding="utf-8")
    Path("right.py").write_text(compile_cell(catalogue["rnn"]).source, encoding="utf-8")
    Path("course").mkdir()
    Path("course/layer.py").write_text(compile_cell(catalogue["rnn"]).source, encoding="utf-8")
    Path("course/beside.py").write_text("from layer import *\n", encoding="utf-8")
    wrong_bias = wrong("rnn", "b_bar += a_bar.sum(axis=0)", "b_bar += h_bar.sum(axis=0)")
    Path("wrong.py").write_text(wrong_bias, encoding="utf-8")
    for name, *words in (
        *([("mgu", "mgu.toml")] if NIGHTLY else []),
        ("right", "right.py", "--cell", "rnn"), ("beside", "course/beside.py", "--cell", "rnn"),
        ("wrong", "wrong.py", "--cell", "rnn"),
    ):  # fmt: skip
        said = bptt("write-test", *words)
        assert said.status == 0
        Path(f"test_{name}.py").write_text(said.out, encoding="utf-8")
    found = subprocess.run(
        [sys.executable, "-c", PYTEST if NIGHTLY else FEW + PYTEST],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert found.returncode == 1, found.stdout
    passed = 5 if NIGHTLY else 2  # the cell in three styles, and the right files
    assert f"{passed} passed" in found.stdout
    assert "1 failed" in found.stdout
    assert "FAILED test_wrong.py" in found.stdout
    assert 'verify_cell(catalogue["rnn"]' in bptt("write-test", "rnn").out
