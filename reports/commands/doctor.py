"""`bptt doctor`: what this installation consists of, and whether it holds together."""

from __future__ import annotations

import platform
import sys
from argparse import Namespace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from reports.document.figures import labels
from reports.document.graph_layout import HINT as GRAPHVIZ_HINT
from reports.document.graph_layout import find_graphviz
from reports.document.pdf import HINT, HINT_CHINESE, find_chinese_engine, find_engine
from reports.document.printed_pdf import HINT as HINT_BROWSER
from reports.document.printed_pdf import find_browser
from reports.terminal.console import DISTRIBUTION, Answer, CommandError, columns, toolkit_version

PACKAGES: Final = ("derive", "numeric", "reports", "bptt")
NEEDED: Final = (
    "sympy", "numpy", "autograd", "hypothesis", "mpmath", "matplotlib", "rich", "safetensors",
)  # fmt: skip


def run(arguments: Namespace) -> Answer:
    """Versions, TeX engine and import paths.

    Raises:
        CommandError: if something needed is missing, or a package comes from elsewhere.
    """
    versions = {
        DISTRIBUTION: toolkit_version(), "python": platform.python_version(),
        **{name: _version(name) for name in NEEDED},
    }  # fmt: skip
    paths = {name: _path(name) for name in PACKAGES}
    if missing := [name for name in NEEDED if versions[name] is None]:
        raise CommandError(
            f"{', '.join(missing)}: expected to be installed for {sys.executable}, not found; "
            f"run python -m pip install {' '.join(missing)}"
        )
    homes = {None if path is None else str(Path(path).parent) for path in paths.values()}
    if len(homes) > 1:
        places = ", ".join(f"{name} from {path}" for name, path in paths.items())
        raise CommandError(
            f"{places}: expected one folder for all of them; another package of the same name is "
            "in the way"
        )
    engine = find_engine()
    rows = [(name, str(found)) for name, found in versions.items()]
    rows.append(("TeX engine", str(engine) if engine else f"none found; try: {HINT}"))
    layout = find_graphviz()
    rows.append(("Graphviz", layout or f"none found; try: {GRAPHVIZ_HINT}"))
    chinese = find_chinese_engine()
    rows.append(("TeX engine for Chinese", f"{chinese}, xelatex with ctex" if chinese else
                 f"none found; try: {HINT_CHINESE}"))  # fmt: skip
    browser = find_browser()
    rows.append(("browser for PDF without TeX",
                 browser or f"none found; try: {HINT_BROWSER}"))  # fmt: skip
    fonts = labels("zh").fonts
    without = "none found, so figures stay English; try: apt-get install fonts-noto-cjk"
    rows.append(("font for Chinese in figures", fonts[0] if fonts else without))
    rows += [(name, str(path)) for name, path in paths.items()]
    return Answer(
        text="\n".join(columns(rows)),
        data={
            "versions": versions,
            "tex_engine": str(engine) if engine else None,
            "graphviz": layout,
            "tex_engine_for_chinese": chinese,
            "browser": browser,
            "font_for_chinese": fonts[0] if fonts else None,
            "packages": paths,
        },
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _path(name: str) -> str | None:
    spec = find_spec(name)
    return str(Path(spec.origin).parent) if spec and spec.origin else None
