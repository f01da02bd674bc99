"""Studies of small nets for the tests of reports, made once."""

from __future__ import annotations

from functools import cache

import numpy as np
import profiles
import pytest
from samples import SVG

from derive import Cell, catalogue
from derive.network import Network
from numeric.bounds import study as studies
from numeric.bounds.study import Study
from reports.document import figures
from reports.sections.bounds import Chapter, chapter
from reports.sections.facts import Facts


@cache
def small_study(name: str, layers: int = 1) -> Study:
    """The study of a drawn net with few units and steps."""
    return _study(Network(catalogue[name], layers=layers))


def study_of(cell: Cell) -> Study:
    """The same for a cell that is not of the catalogue."""
    return _study(Network(cell))


def _study(network: Network) -> Study:
    with pytest.MonkeyPatch.context() as patched:
        for name, value in (("SIZE", 6), ("INPUT_SIZE", 3), ("STEPS", 24)):
            patched.setattr(studies, name, value)
        patched.setattr(studies, "known_track", _known)
        return studies.study(network)


_known = cache(studies.known_track.__wrapped__)


def chapter_of(found: Study) -> Chapter:
    """The sections and pictures of a study, made once for each."""
    if id(found) not in _made:
        _made[id(found)] = found, _chapter(found)
    return _made[id(found)][1]


_made: dict[int, tuple[Study, Chapter]] = {}


def _chapter(found: Study) -> Chapter:
    """Where long tests are left out the pictures of one cell are drawn, those of the LSTM."""
    one = found.one
    assert one.setting is not None
    with pytest.MonkeyPatch.context() as patched:
        if one.cell.name != "lstm":
            undrawn(patched)
        return chapter(Facts(one.setting.derivation), found, one.cell.name, "x")


def undrawn(patched: pytest.MonkeyPatch) -> None:
    """Where long tests are left out figures are made, not drawn: a fifth of the reports' time."""
    if not profiles.all_drawn:
        patched.setattr(figures, "drawn_once", lambda figure: (b"%PDF", SVG.encode()))


def torch_rnn(path, layers=1, n=4, m=3):
    """A file with PyTorch's names."""
    rng, held = np.random.default_rng(0), {}
    for depth in range(layers):
        shapes = {"weight_ih": (n, n if depth else m), "weight_hh": (n, n), "bias_ih": n,
                  "bias_hh": n}  # fmt: skip
        held |= {f"{key}_l{depth}": 0.4 * rng.normal(size=s) for key, s in shapes.items()}
    np.savez(path, **held)
    return path
