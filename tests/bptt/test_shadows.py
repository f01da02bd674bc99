"""What hides our packages is found, named, and no more than that is said."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bptt import shadows

ROOT = Path(__file__).parents[2]


def python(code: str, *before: Path) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(map(str, [*before, ROOT]))
    return subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_our_own_packages_are_not_shadows() -> None:
    shadows.require(*shadows.PACKAGES)
    assert all(shadows.shadow(package) is None for package in shadows.PACKAGES)


@pytest.mark.by_default("numeric.py")
@pytest.mark.parametrize("file", ["numeric/__init__.py", "numeric.py"])
def test_a_package_or_a_file_of_our_name_is_found(tmp_path: Path, file: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text("", encoding="utf-8")
    done = python("import bptt; bptt.compile_cell", tmp_path)
    what = path.parent if path.name == "__init__.py" else path
    assert f"ShadowedError: {what} hides the package 'numeric'" in done.stderr
    assert python("import bptt; print(bptt.Cell.__name__)", tmp_path).stdout == "Cell\n"


def test_nothing_of_ours_anywhere_is_said_as_well(tmp_path: Path) -> None:
    with pytest.raises(shadows.ShadowedError, match=rf"expected from {tmp_path}"):
        shadows.require("numeric", home=tmp_path)


def test_the_command_names_the_shadow_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "reports.py").write_text("", encoding="utf-8")
    done = python("import sys; from bptt.__main__ import main; sys.exit(main(['list']))", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"bptt: {tmp_path / 'reports.py'} hides the package 'reports'")
    assert done.stderr.count("\n") == 1


def test_the_command_is_a_module_and_answers_without_sympy(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "bptt", "list"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "lstm" in done.stdout
    assert "sympy" not in done.stderr
