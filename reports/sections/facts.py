"""What a report's sections may draw on: the derivation, what was measured, what was verified.

In: values of `derive` and `numeric`. Out: `Facts`, with the cell's notation ready to use.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from typing import Final

from sympy import Basic, preorder_traversal

from derive.calculus.through_time import Derivation
from derive.theorems.claims import Theorem as Claim
from derive.theorems.letters import Letters
from derive.theorems.theorems import theorems
from derive.typeset.boxes import Box, Symbol
from derive.typeset.layout import Layout
from derive.typeset.letters import spelled
from numeric.bounds.one_sequence.measured import Measurement
from numeric.verification.verdict import Verdict
from reports.document.words import Speaker

_LEFT_OUT: Final = ("jacobian", "chain", "pairs")
"""The parts of a derivation that a short report leaves out."""


@dataclass(frozen=True)
class Facts:
    """Everything a section may draw on.

    `flags` are those of the network it is a layer of, `others` the names of what joins its layers.
    """

    derivation: Derivation
    listing: str = ""
    verdict: Verdict | None = None
    measurement: Measurement | None = None
    flags: str = ""
    language: str = "en"
    others: frozenset[str] = frozenset()

    @cached_property
    def layout(self) -> Layout:
        """How this cell's symbols are written."""
        return Layout(self.derivation.notation)

    @cached_property
    def say(self) -> Speaker:
        """The cell's speaker."""
        return Speaker(self.layout, self.number, self.language)

    @property
    def title(self) -> str:
        """What the cell is called."""
        return self.say.phrase(self.derivation.cell.title)

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """The theorems on the cell's gradients; Theorem k of the report is the k-th."""
        return theorems(self.derivation)

    def number(self, name: str) -> int:
        """The number of a theorem by its name.

        Raises:
            ValueError: if the cell has no such theorem.
        """
        return [claim.name for claim in self.claims].index(name) + 1

    @property
    def claim(self) -> Claim:
        """The first of them."""
        return self.claims[0]

    @property
    def earlier(self) -> Box:
        """The letter of a time before t."""
        return Symbol(self.layout.notation.earlier)

    @property
    def loss(self) -> Box:
        """The letter of the loss."""
        return Symbol(self.layout.notation.loss)

    @property
    def length(self) -> Box:
        """The letter of the last time."""
        return Symbol(self.layout.notation.length)

    @cached_property
    def letters(self) -> Letters:
        """Letters of the report's own, beside those of the cell and of its network."""
        return Letters(self.derivation, self.others)

    @property
    def jacobian(self) -> Box:
        """The letter of the step Jacobian."""
        factor = self.derivation.chain.value.args[0]
        several = len(self.derivation.cell.states) > 1
        return spelled(factor.args[0].name if several else self.letters("J", "F", "G"))

    @property
    def gain(self) -> Box:
        """The letter of the factor on all recurrent weights."""
        return spelled(self.letters("g", "omega", "gain"))

    @property
    def whole(self) -> Box:
        """The whole state: the letter of all states together, of one its own."""
        return self.symbol(self.derivation.chain.target.args[0].args[0].name)

    def symbol(self, name: str) -> Box:
        """A symbol of the cell by its name, without time."""
        return self.layout.plain(name)

    def uses(self, *kinds: type, brief: bool = False) -> bool:
        """Whether an equation of the derivation, or of what is brief of it, holds such a node."""
        return any(
            isinstance(node, kinds)
            for step in self.derivation.steps
            if not (brief and step.part in _LEFT_OUT)
            for node in preorder_traversal(step.equation.value)
        )

    def claimed(self, *kinds: type, brief: bool = False) -> bool:
        """Whether a theorem, or, where it is brief, the claim of the first, speaks of such."""
        spoken: object = self.claims
        if brief:
            spoken = replace(self.claim, proof=(), silent=())
        return any(isinstance(node, kinds) for node in _spoken_of(spoken))


def _spoken_of(value: object) -> Iterator[Basic]:
    """Every expression in a theorem, with all that it is made of."""
    if isinstance(value, Basic):
        yield from preorder_traversal(value)
    elif isinstance(value, tuple):
        for part in value:
            yield from _spoken_of(part)
    elif is_dataclass(value):
        for own in fields(value):
            yield from _spoken_of(getattr(value, own.name))
