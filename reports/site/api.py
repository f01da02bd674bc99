"""Public names → pages of an API reference, made by pdoc from the docstrings.

In: a folder. Out: its folder `api`. pdoc runs in a process of its own, in which the lazy names of
`bptt` have been resolved: one page for all of them, one for each module that it offers.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from reports.document.pdf import EngineError

FOLDER: Final = "api"
PAGE: Final = f"{FOLDER}/bptt.html"
HINT: Final = "pip install 'bptt-toolkit[site]'"
_PACKAGE: Final = "pdoc"
_TIMEOUT: Final = 300
_TEMPLATES: Final = Path(__file__).with_name("pdoc")
"""Its style beside pdoc's own: a dark page where the reader's are, long types broken."""
_SCRIPT: Final = """
import pathlib, sys
import bptt, pdoc, pdoc.render
from bptt import _MODULES
bptt.__all__ = [name for name in dir(bptt) if name not in _MODULES]
vars(bptt).update({name: getattr(bptt, name) for name in bptt.__all__})
pdoc.render.configure(docformat="google", show_source=False,
                      template_directory=pathlib.Path(sys.argv[2]))
pdoc.pdoc("bptt", *_MODULES.values(), output_directory=pathlib.Path(sys.argv[1]))
"""


def can_write_api() -> bool:
    """Whether pdoc is installed."""
    return find_spec(_PACKAGE) is not None


def write_api(folder: Path) -> tuple[Path, ...]:
    """The pages of the reference, in the folder `api` of this one; none where pdoc is missing.

    Raises:
        EngineError: if pdoc fails.
    """
    if not can_write_api():
        return ()
    target = folder / FOLDER
    try:
        subprocess.run([sys.executable, "-c", _SCRIPT, str(target), str(_TEMPLATES)],
                       capture_output=True, text=True, timeout=_TIMEOUT, check=True)  # fmt: skip
    except subprocess.CalledProcessError as problem:
        last = (problem.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise EngineError(f"{_PACKAGE} failed: {last}") from None
    except subprocess.TimeoutExpired:
        raise EngineError(f"{_PACKAGE} did not end within {_TIMEOUT} s") from None
    return tuple(sorted(target.rglob("*.html")))
