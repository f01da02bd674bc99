"""The command's process loads matplotlib without its tables; a caller's has them."""

from __future__ import annotations

import subprocess
import sys

DRAWN = """
import sys
from importlib import import_module
from reports.terminal.unread import unread
loaded = {wanted}
from matplotlib import artist, lines, rc_context
from matplotlib.figure import Figure
import io
for kind in (3, 42):
    with rc_context({{"pdf.fonttype": kind}}):
        figure = Figure()
        figure.subplots().set_xlabel("lag")
        figure.savefig(io.BytesIO(), format="pdf")
    subset = type(sys.modules["fontTools.subset"]).__name__
    print(kind, subset)
print(len(lines.Line2D.set.__doc__) > 2000, "markersize" in artist.kwdoc(lines.Line2D))
"""


def told(wanted: str) -> list[str]:
    source = DRAWN.format(wanted=wanted)
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_tables_are_not_written_and_fonts_not_cut_down_before_they_have_to_be():
    found = told('unread(lambda: import_module("reports.document.figures"))')
    assert found == ["3 _LazyModule", "42 module", "False True"]


def test_a_caller_has_all_of_it():
    found = told('import_module("reports.document.figures")')
    assert found == ["3 module", "42 module", "True True"]
