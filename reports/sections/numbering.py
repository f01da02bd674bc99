"""The chapter on bounds as it is written: what comes next is numbered, pictures are kept.

In: `Facts` and a `Study`. Out: `Pages`, and the words by which methods are called.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from derive.typeset.boxes import Number, row
from derive.typeset.latex import Latex
from numeric.bounds.all_inputs.gain_scan import recurrent
from numeric.bounds.study import Study
from reports.document.figures import Labels, Picture, labels
from reports.document.method_names import method_name
from reports.document.model import Figure, Inlines, Reference, Table
from reports.sections.facts import Facts


@dataclass
class Pages:
    """The chapter as it is written: how many tables and figures it has, and their pictures.

    `above` is the section that has said already which net and sequence the numbers are of.
    """

    facts: Facts
    study: Study
    name: str
    tables: int = 0
    figures: int = 0
    pictures: dict[str, Picture] = field(default_factory=dict)
    above: Reference | None = None

    def table(
        self, caption: Inlines, head: Sequence[Inlines], rows: Sequence[tuple[Inlines, ...]],
        align: str,
    ) -> Table:  # fmt: skip
        """The next table."""
        self.tables += 1
        return Table(self.tables, caption, tuple(head), tuple(rows), align)

    def figure(self, kind: str, picture: Picture, caption: Inlines, description: str) -> Figure:
        """The next figure, its picture kept under its stem."""
        self.figures += 1
        stem = f"{self.name}-{kind}"
        self.pictures[stem] = picture
        return Figure(self.figures, stem, caption, description)

    @property
    def labels(self) -> Labels:
        """What the figures say."""
        earlier = self.facts.layout.notation.earlier
        return labels(self.facts.language, earlier, Latex()(self.facts.gain).strip())

    def at(self, factor: float) -> Inlines:
        """G = 0.5; "these weights" where none multiplies a state, so that no gain varies them."""
        say = self.facts.say
        if not recurrent(self.facts.derivation.cell):
            return say.sentence("all_inputs.these_weights")
        return say("{0}", row(self.facts.gain, "=", Number(f"{factor:g}")))

    def method(self, name: str) -> str:
        """What a method of bounding is called."""
        return method_name(name, self.facts.say.words)
