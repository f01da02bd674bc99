"""How a cell's symbols are written, so that no two are read alike.

In: the LaTeX that an author gives, and the symbols of a cell. Out: that LaTeX, and the bare
name for each symbol that is shown as another one is: W_1 beside W1, x_t beside the input x. The
same for what a derivation names: an intermediate a_2 beside a2, h_dot beside a state's change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sympy import MatrixSymbol

from derive.language.syntax import CellError
from derive.typeset.boxes import Box, Symbol, accent, sub
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


def apart(
    symbols: Mapping[str, bool], made: Mapping[str, bool], letters: Mapping[str, Box],
    changing: Sequence[str], plain: Callable[[str], Box],
) -> dict[str, Box]:  # fmt: skip
    """The letters, and the bare name for each symbol that a derivation would show as another.

    `symbols` are an author's and `made` the intermediates, with whether time changes them; of the
    states in `changing` it shows a small change as well. `plain` is how names are written.
    """
    found, shown, latex = dict(letters), dict[str, str](), Latex()

    def box(name: str) -> Box:
        return found[name] if name in found else plain(name)

    def forms(name: str, timed: bool) -> list[str]:
        return [latex(sub(box(name), time)) for time in _TIMES[:2]] if timed else [latex(box(name))]

    dotted = {latex(accent("dot", box(name))) for name in changing}
    for name in (*symbols, *made):
        if latex(box(name)) in dotted:
            found[name] = Symbol(name)
    for name, timed in symbols.items():
        shown |= {form: name for form in forms(name, timed)}
    for name, timed in made.items():
        if any(form in shown for form in forms(name, timed)):
            found[name] = Symbol(name)
        shown |= {form: name for form in forms(name, timed)}
    return found


def _forms(name: str, latex: Mapping[str, str], times: tuple[str, ...]) -> list[str]:
    """What the page shows of a symbol: at the times it is written at, or as it stands."""
    box = parse_latex(latex[name]) if name in latex else spelled(name)
    return [Latex()(sub(box, time) if time else box) for time in times]
