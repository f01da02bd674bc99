"""Finds and runs the TeX engine: .tex → .pdf.

In: a .tex file. Out: the .pdf beside it, whole or not at all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

from reports.document.preamble import PROGRAM

HINT: Final = "apt-get install latexmk texlive-latex-base"
HINT_CHINESE: Final = (
    "apt-get install latexmk texlive-xetex texlive-lang-chinese texlive-fonts-recommended"
)
_TIMEOUT: Final = 180


class EngineError(Exception):
    """No TeX engine was found, or it failed; one line, with what to do."""


def find_engine() -> str | None:
    """The path of latexmk, if it and pdflatex are installed."""
    return shutil.which("latexmk") if shutil.which("pdflatex") else None


@cache
def find_chinese_engine() -> str | None:
    """The path of latexmk, if it, XeLaTeX and the package ctex with its fonts are installed."""
    tools = [shutil.which(name) for name in ("latexmk", "xelatex", "kpsewhich")]
    if not all(tools):
        return None
    asked = [str(tools[2]), "ctex.sty", "FandolSong-Regular.otf"]
    found = subprocess.run(asked, capture_output=True, timeout=_TIMEOUT, check=False)
    return tools[0] if found.returncode == 0 else None


def engine_for(source: str) -> str | None:
    """The engine that a .tex text asks for, if it is installed."""
    return find_chinese_engine() if source.startswith(PROGRAM) else find_engine()


def compile_pdf(source: Path) -> str:
    """Compile a .tex file; the log of the last run.

    Raises:
        EngineError: if the engine that it asks for is not installed, or it fails.
    """
    with source.open(encoding="utf-8") as file:
        unicode = file.readline().startswith(PROGRAM)
    engine = find_chinese_engine() if unicode else find_engine()
    if engine is None and unicode:
        raise EngineError(f"{source.name}: needs latexmk with xelatex and the package ctex, not "
                          f"found; try: {HINT_CHINESE}")  # fmt: skip
    if engine is None:
        raise EngineError(f"no TeX engine (latexmk with pdflatex) found; try: {HINT}")
    with tempfile.TemporaryDirectory() as folder:
        command = [
            engine, "-pdfxe" if unicode else "-pdf", "-interaction=nonstopmode",
            "-halt-on-error", "-quiet", "-norc",
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
