"""Where given weights came from: each parameter beside the name it has in the file.

In: a `Study` of given weights. Out: a section.
"""

from __future__ import annotations

from reports.bounding import Pages
from reports.document import Inlines, Section, Words
from reports.words import listed


def weights_table(pages: Pages) -> Section:
    """Each layer's parameters and what of the file they are; equal sources share a row."""
    say = pages.facts.say
    rows: list[tuple[Inlines, ...]] = []
    for layer in pages.study.stack.layers:
        by_source: dict[str, list[str]] = {}
        for name, source in layer.origin.items():
            by_source.setdefault(source, []).append(name)
        for place, (source, names) in enumerate(by_source.items()):
            where = Words(layer.prefix.rstrip(".")) if not place else Words("")
            letters = listed([say("{0}", pages.facts.symbol(name)) for name in names], ", ")
            rows.append((say("{0}", where), letters, say("{0}", Words(source, "code"))))
    head: tuple[Inlines, ...] = (say("layer"), say("parameters"), say("in the file"))
    if len(pages.study.stack.layers) == 1:
        rows, head = [row[1:] for row in rows], head[1:]
    caption = say("The parameters, and what of the file they are.")
    return Section("weights", "Where the weights come from", (
        pages.table(caption, head, rows, "l" * len(head)),
    ))  # fmt: skip
