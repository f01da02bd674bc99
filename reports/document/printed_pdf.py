"""A PDF without TeX: a page of HTML as a headless browser prints it.

In: the text of a page. Out: the .pdf, whole or not at all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from reports.document.pdf import EngineError

BROWSERS: Final = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome",
    "microsoft-edge",
)  # fmt: skip
HINT: Final = "apt-get install chromium"
_PRINTED: Final = b"Skia/PDF"
_SCRIPT: Final = Path(__file__).with_name("print_layout.js")
_WINDOW: Final = "794,1123"
"""A page of A4 in CSS pixels: the widths that style sheets ask for are those in print."""
_TIMEOUT: Final = 180


def find_browser() -> str | None:
    """The path of Chromium or one of its kin, if it is installed."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def print_pdf(page: str, target: Path) -> None:
    """The page as a PDF at the path; its figures stand where they leave little of a page blank.

    Raises:
        EngineError: if no browser is installed, or it fails.
    """
    browser = find_browser()
    if browser is None:
        raise EngineError(f"{target.name}: no browser to print it with found; try: {HINT}")
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder, "page.html"), Path(folder, "page.pdf")
        source.write_text(laid_out(page), encoding="utf-8")
        command = [
            browser, "--headless", "--disable-gpu", "--no-first-run", "--disable-sync",
            "--disable-background-networking", "--disable-component-update",
            f"--user-data-dir={folder}/profile", f"--window-size={_WINDOW}",
            "--no-pdf-header-footer",
            f"--print-to-pdf={made}", source.as_uri(),
        ]  # fmt: skip
        if os.geteuid() == 0:  # a browser keeps its sandbox from root
            command.insert(1, "--no-sandbox")
        try:
            subprocess.run(command, capture_output=True, timeout=_TIMEOUT, check=False)
        except subprocess.TimeoutExpired:
            raise EngineError(
                f"{target.name}: {Path(browser).name} ran for more than {_TIMEOUT} s"
            ) from None
        if not made.exists():
            raise EngineError(f"{target.name}: {Path(browser).name} printed nothing")
        partial = target.with_name(target.name + ".part")
        shutil.copyfile(made, partial)
        os.replace(partial, target)


def laid_out(page: str) -> str:
    """The page with the script that places its figures, which the page itself goes without."""
    head, end, tail = page.rpartition("</body>")
    return f"{head}<script>\n{_SCRIPT.read_text(encoding='utf-8')}</script>\n{end}{tail}"


def made_by(pdf: Path) -> str:
    """What made a PDF of ours: TeX, or a browser."""
    with pdf.open("rb") as file:
        return "a browser" if _PRINTED in file.read(4096) else "TeX"
