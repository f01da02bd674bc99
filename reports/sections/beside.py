"""A cell beside the best known ones, drawn in the same way, and which weights that are.

In: `Pages`. Out: a table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from derive.cell import catalogue
from derive.language.expr import size
from derive.typeset.boxes import Number, row
from derive.typeset.layout import Layout, size_box
from numeric.bounds.memory import kept_state
from numeric.bounds.one_sequence.tracks import Track
from numeric.bounds.study import KNOWN
from numeric.meaning.sizes import shape_of
from reports.document.model import Block, Inlines, Words
from reports.document.numerals import DOWN, NEAR, UP, places, signed
from reports.sections.numbering import Pages

_LAGS: Final = (1, 10, 30)


def beside(pages: Pages) -> Iterator[Block]:
    """Measured norms at some lags, and certified bounds at the last."""
    study, say = pages.study, pages.facts.say
    if not study.beside or len(study.stack.found) > 1 or study.one.track is None:
        return
    name, tracks = study.one.cell.name, dict[tuple[str, float], Track]()
    if name not in {known for known, _ in KNOWN}:
        held = study.keeping.shifted if study.keeping else {0.0: study.one.track}
        tracks |= {(name, shift): held[shift] for shift in (0.0, 1.0) if shift in held}
    tracks |= study.beside
    last = study.one.lags[-1]
    lags = [lag for lag in (*_LAGS, last) if lag <= last]
    rows = [(_title(pages, key), *_numbers(pages, track, lags)) for key, track in tracks.items()]
    head = [*say.heads("beside.cell"), *(say.sentence("beside.lag", str(lag)) for lag in lags),
            *say.heads("beside.at_most", "beside.at_least")]  # fmt: skip
    usual = [say.sentence("beside.usual")] if any(shift for _, shift in tracks) else []
    caption = say.together([*_sizes(pages), say.sentence("beside.table"), *usual])
    yield pages.table(caption, head, rows, "l" + "r" * (len(lags) + 2))


def _sizes(pages: Pages) -> Iterator[Inlines]:
    """Which sizes stand beside each other."""
    say, own, known = pages.facts.say, pages.study.sizes, pages.study.known_sizes
    cell = pages.study.one.cell
    shapes = [shape_of(symbol, own, moves=True) for symbol in (*cell.states, *cell.inputs)]
    if shapes == [(known["n"],)] * len(cell.states) + [(known["m"],)] * len(cell.inputs):
        yield say.sentence("beside.same")
    else:
        yield say.sentence("beside.other", *(say.listed([
            say("{0}", row(size_box(size(name)), "=", Number(str(count))))
            for name, count in sizes.items()
        ], "words.pause") for sizes in (own, known)))  # fmt: skip


def _title(pages: Pages, key: tuple[str, float]) -> Inlines:
    """The name of the cell, with the bias of its gate where that is not 0."""
    (name, shift), say = key, pages.facts.say
    own = name == pages.study.one.cell.name
    title = (Words(name, "emphasis" if own else ""),)
    cell = pages.study.one.cell if own else catalogue[name]
    held = kept_state(cell)
    if not shift or held is None:
        return title
    value = held.signed(shift)
    letter = Layout(cell.notation).plain(held.bias)
    return say.sentence(
        "beside.biased", title, row(letter, "=", signed(Number(f"{abs(value):g}"), value < 0))
    )


def _numbers(pages: Pages, track: Track, lags: Sequence[int]) -> Iterator[Inlines]:
    say = pages.facts.say
    for lag in lags:
        yield say("{0}", places(track.log10_measured[lag - 1], 2, NEAR))
    yield say("{0}", places(min(v[-1] for v in track.log10_upper.values()), 2, UP))
    yield say("{0}", places(max(v[-1] for v in track.log10_lower.values()), 2, DOWN))
