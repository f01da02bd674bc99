"""A letter has one meaning on a page, whatever the author's symbols are called."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from renamed import ASKED, CELLS, of, one_meaning, symbols

from reports.sections.derivation import _functions
from reports.sections.facts import Facts
from reports.sections.page_one import conventions
from reports.sections.sweeps import _Letters, _theorem


def written(derivation):
    """The letters of the conventions, of the functions and of the theorem on sweeps."""
    facts = Facts(derivation)
    pages = {"conventions": conventions(facts), "functions": (*_functions(facts),)}
    if not derivation.has_matrices:
        pages["sweeps"] = (_Letters(facts).step(), _theorem(SimpleNamespace(facts=facts)))
    return {name: [*symbols(page)] for name, page in pages.items()}


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: "-".join(asked))
@pytest.mark.parametrize("kind", CELLS)
def test_a_letter_of_the_authors_means_nothing_else(kind, asked):
    one_meaning(kind, asked, written)


def test_the_loss_and_the_lipschitz_constant_have_letters_of_their_own():
    """Both bore a t: L_t was what the loss sums and how fast J_t changes."""
    found = written(of(CELLS["plain"], {}))
    assert "L" not in found["sweeps"]
    assert "L" in found["conventions"]
