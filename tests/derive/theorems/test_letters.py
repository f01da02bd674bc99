"""A letter has one meaning in a theorem, whatever the author's symbols are called."""

from __future__ import annotations

import re
import string

import pytest
from renamed import ASKED, CELLS, of, one_meaning, symbols

from derive.theorems.claims import Display, Line, Relation
from derive.theorems.letters import Letters
from derive.theorems.sentences import languages, sentences
from derive.theorems.theorems import theorems
from derive.typeset.boxes import GREEK
from derive.typeset.layout import Layout


def written(derivation):
    """The letters of each theorem: of its statement, conditions, proof and limits."""
    layout = Layout(derivation.cell.notation)

    def slots(part):
        if isinstance(part, Line):
            for slot in part.slots:
                yield from slots(slot)
        elif isinstance(part, Display):
            for relation in part.relations:
                yield from slots(relation)
        elif isinstance(part, tuple):
            for one in part:
                yield from slots(one)
        elif isinstance(part, Relation):
            yield from symbols((layout.of(part.left), layout.of(part.right)))
        elif not isinstance(part, (int, str)):
            yield from symbols(layout.of(part))

    return {
        claim.name: [
            *slots(claim.statement), *slots(claim.consequences), *slots(claim.lines),
            *slots(claim.entries), *slots(claim.bound.relation if claim.bound else ()),
        ]
        for claim in theorems(derivation)
    }  # fmt: skip


@pytest.mark.by_default("kept", "three", "mean-A-B-M", "matrix-A-B-M", "matrix-d-D-L")
@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: "-".join(asked))
@pytest.mark.parametrize("kind", CELLS)
def test_a_letter_of_the_authors_means_nothing_else(kind, asked):
    """The same cell in neutral names has the same theorems; letter for letter they correspond."""
    one_meaning(kind, asked, written)


@pytest.mark.parametrize("language", languages())
def test_no_sentence_has_a_letter_of_its_own(language):
    """A letter in a text could not give way; "a" is a word."""
    alone = re.compile(r"(?<![A-Za-z{'])[A-Za-z](?![A-Za-z}])")
    for key, text in sentences(language).texts.items():
        found = set(alone.findall(text)) - {"a", "A"}
        assert not found, (key, found)


def test_letters_run_out_one_after_the_other():
    """Every letter of the alphabets is taken: what is asked for is named all the same, apart."""
    letters = Letters(of(CELLS["plain"], {}))
    letters.used |= {*string.ascii_letters, *GREEK}
    made = [letters("A", "B"), letters("A"), letters("A", "C"), letters("A", "B")]
    assert made == ["A_star", "A_starstar", "A_starstarstar", "A_star"]
