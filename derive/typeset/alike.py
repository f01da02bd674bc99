"""How a cell's symbols are written, so that no two are read alike.

In: the LaTeX that an author gives, and the symbols of a cell. Out: that LaTeX, and the bare
name for each symbol that is shown as another one is: W_1 beside W1, x_t beside the input x.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sympy import MatrixSymbol

from derive.language.syntax import CellError
from derive.typeset.boxes import sub
from derive.typeset.latex import Latex
from derive.typeset.letters import parse_latex, spelled

_TIMES: Final = ("t", "k", "T", "1", "2", "3")
"""What stands below a letter that changes with time: any step, and those of worked examples."""
_FIRST: Final = "0"
"""Below a state there is this as well."""


def written(
    latex: Mapping[str, str], states: Sequence[MatrixSymbol], timed: Sequence[MatrixSymbol],
    fixed: Sequence[MatrixSymbol], cell: str,
) -> dict[str, str]:  # fmt: skip
    r"""The LaTeX of a cell's symbols, with \mathrm{W_1} for a W_1 that would be read as W1 is.

    Of names that are read alike the first keeps its form.

    Raises:
        CellError: if an author's LaTeX is not that of a symbol, of this cell, or of one alone.
    """
    times: dict[str, tuple[str, ...]] = {s.name: (*_TIMES, _FIRST) for s in states}
    for symbols, at in ((timed, _TIMES), (fixed, ("",))):
        times = {**{s.name: at for s in symbols}, **times}
    names = tuple(s.name for s in (*states, *timed, *fixed))
    for symbol, text in latex.items():
        if symbol not in names:
            raise CellError(f"'latex' names {symbol!r}, which is in no equation", cell=cell)
        try:
            parse_latex(text)
        except ValueError as problem:
            raise CellError(f"'latex' of {symbol!r}: {problem}", cell=cell) from None
    found, shown = dict(latex), dict[str, str]()
    for name in sorted(dict.fromkeys(names), key=lambda name: name not in latex):
        forms = _forms(name, found, times[name])
        if other := next((shown[form] for form in forms if form in shown), None):
            if name in latex:
                raise CellError(f"'latex' writes {other!r} and {name!r} alike", cell=cell)
            found[name] = rf"\mathrm{{{name}}}"
            forms = _forms(name, found, times[name])
        shown |= dict.fromkeys(forms, name)
    return found


def _forms(name: str, latex: Mapping[str, str], times: tuple[str, ...]) -> list[str]:
    """What the page shows of a symbol: at the times it is written at, or as it stands."""
    box = parse_latex(latex[name]) if name in latex else spelled(name)
    return [Latex()(sub(box, time) if time else box) for time in times]
