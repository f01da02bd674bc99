"""What `bptt parallel` prints for people: a table of the iterates, and what they come to.

In: `Sweeps` and the structure of the step Jacobian. Out: text.
"""

from __future__ import annotations

from typing import Final

from derive.calculus.through_time import Derivation
from derive.typeset.letters import spelled
from derive.typeset.text import Text
from numeric.bounds.parallel_in_time.newton import Sweeps
from numeric.numbers.printed import scientific_up
from reports.document.words import Speaker
from reports.terminal.answer import fitted
from reports.terminal.console import columns

_SHAPES: Final = {
    "diagonal": "parallel.diagonal", "block": "parallel.block", "dense": "parallel.dense",
}  # fmt: skip
_HEADS: Final = (
    "parallel.iterate", "parallel.residual", "parallel.certified", "parallel.measured",
    "parallel.cotangents",
)  # fmt: skip


def sweeps_text(
    derivation: Derivation, found: Sweeps, shape: str, tolerance: float, say: Speaker
) -> str:
    """Each iterate's residual, certified and measured error; then the counts."""
    words, state = say.words, Text()(spelled(derivation.chain.target.args[0].args[0].name))
    rows = [(*map(words, _HEADS), "")]
    for k, one in enumerate(found.iterates):
        rows.append((
            str(k), f"{one.residual:.1e}", _bound(one.certified), _plain(one.measured),
            _bound(one.adjoint), say.phrase(one.reason),
        ))  # fmt: skip
    at, steps, least = found.certified_at, len(found.iterates) - 1, f"{tolerance:g}"
    certified = words("parallel.none" if at is None else "parallel.first").format(at)
    ended = words("parallel.ended" if found.converged else "parallel.open").format(least, steps)
    warm = found.evaluations > 1
    begun = [words("parallel.start").format(found.evaluations)] if warm else []
    ahead = words("parallel.unpredicted").format(say.phrase(found.unpredicted))
    if found.predicted is not None:
        ahead = words("parallel.predicted").format(found.predicted, _bound(found.within))
    elif found.foreseen is not None:
        after, whole = found.foreseen
        within = _bound(found.iterates[after].within)
        ahead += words("parallel.foreseen").format(after, whole, within)
    return "\n".join([
        words("parallel.title").format(derivation.cell.name), "", *columns(rows, "  "), "",
        *fitted([
            words("parallel.counts").format(certified, ended), *begun, ahead,
            words("parallel.structure").format(words(_SHAPES[shape])),
        ]), "",
        *fitted([words("parallel.errors").format(state), words("parallel.shares")]),
    ])  # fmt: skip


def _bound(value: float | None) -> str:
    return "–" if value is None else scientific_up(value)


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.1e}"
