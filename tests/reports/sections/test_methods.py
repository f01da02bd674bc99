"""What each method of bounding does: one sentence for each name, in the languages there are."""

from __future__ import annotations

import pytest
from studies import small_study

from derive.calculus.through_time import derivation_of
from reports.document.bound_figures import _families
from reports.document.figures import labels
from reports.document.method_names import (
    ALONG,
    MEANINGS,
    METHODS,
    SCALED,
    WINDOW,
    method_key,
    method_name,
)
from reports.document.model import Table
from reports.document.words import spoken
from reports.sections.facts import Facts
from reports.sections.methods import methods
from reports.sections.numbering import Pages


def test_every_method_has_a_meaning_and_every_meaning_a_method():
    assert set(MEANINGS) == {*METHODS.values(), *ALONG.values(), WINDOW, SCALED}


@pytest.mark.parametrize("name", ["rnn", "lstm", "clockwork_rnn"])
def test_every_method_that_bounds_has_a_name(name):
    found = small_study(name)
    assert found.one.certificate is not None
    made = {name for name in (*found.one.log10_upper, *found.one.log10_lower)
            if not name.startswith("a_priori")}  # fmt: skip
    made |= {method.name for method in found.one.certificate.methods}
    unnamed = sorted(method for method in made if not method_key(method))
    assert not unnamed, f"reports/document/method_names.py and reports/languages/ lack {unnamed}"


@pytest.mark.parametrize(("name", "stepwise"), [("rnn", False), ("lstm", True)])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_report_says_what_its_own_methods_do(language, name, stepwise):
    found = small_study(name)
    facts = Facts(derivation_of(found.one.cell), language=language)
    (table,) = methods(Pages(facts, found, name)).blocks
    assert isinstance(table, Table)
    said = {"".join(getattr(part, "text", "k") for part in row[0]) for row in table.rows}
    words = spoken(language).texts
    names = {name for name in found.one.log10_upper if name != "a_priori"}
    for key in {key for name in names for key in method_key(name)} - {SCALED}:
        assert words[key].replace("{0}", "k") in said
    assert words["methods.modules"] not in said  # no clock, no modules
    assert bool(found.one.certificate.finite) is stepwise
    assert (words["one_sequence.step_by_step"].format(words["meanings.any"]) in said) is stepwise
    (closed,) = (row[1] for row in table.rows if row[0][0].text == words["methods.closed"])
    number = facts.number("certified_rate")
    assert words["words.reference"].format(number) in "".join(part.text for part in closed)


def test_a_method_has_one_name_in_figure_and_table():
    one, words = small_study("lstm").one, labels("en")
    drawn_as = {name: label for name, label, *_ in _families(one, words)}
    for name in ("window_1", "product"):
        assert drawn_as[name] == method_name(name, words)
