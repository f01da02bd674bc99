"""Finds and runs the TeX engine: .tex → .pdf.

In: a .tex file. Out: the .pdf beside it, whole or not at all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

HINT: Final = "apt-get install latexmk texlive-latex-base"
_TIMEOUT: Final = 180


class EngineError(Exception):
    """No TeX engine was found, or it failed; one line, with what to do."""


def find_engine() -> str | None:
    """The path of latexmk, if it and pdflatex are installed."""
    return shutil.which("latexmk") if shutil.which("pdflatex") else None


def compile_pdf(source: Path) -> str:
    """Compile a .tex file; the log of the last run.

    Raises:
        EngineError: if no engine is installed, or it fails.
    """
    engine = find_engine()
    if engine is None:
        raise EngineError(f"no TeX engine (latexmk with pdflatex) found; try: {HINT}")
    with tempfile.TemporaryDirectory() as folder:
        command = [
            engine, "-pdf", "-interaction=nonstopmode", "-halt-on-error", "-quiet", "-norc",
            "-no-shell-escape", f"-outdir={folder}", source.name,
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command, cwd=source.parent, capture_output=True, timeout=_TIMEOUT, check=False,
                env={**os.environ, "SOURCE_DATE_EPOCH": "0", "max_print_line": "1000"},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise EngineError(f"{source.name}: latexmk ran for more than {_TIMEOUT} s") from None
        log_file, made = Path(folder, f"{source.stem}.log"), Path(folder, f"{source.stem}.pdf")
        log = log_file.read_text(encoding="utf-8", errors="replace") if log_file.exists() else ""
        if done.returncode or not made.exists():
            first = next((line for line in log.split("\n") if line.startswith("!")), "no log")
            raise EngineError(f"{source.name}: latexmk failed: {first.removeprefix('! ')}")
        target = source.with_suffix(".pdf")
        partial = target.with_name(target.name + ".part")
        shutil.copyfile(made, partial)
        os.replace(partial, target)
    return log
