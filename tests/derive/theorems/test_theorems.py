"""Which theorems a cell gets; that their slots are whole; that deriving them takes no time."""

from __future__ import annotations

import time
from functools import cache

import pytest
from on_paths import derived

from derive import catalogue, differentiate
from derive.theorems.certified_rate import closed_condition
from derive.theorems.claims import Display, Line, Relation
from derive.theorems.theorems import theorems
from derive.typeset.layout import Layout
from derive.typeset.text import Text

TEXT = Text()
MEANS = {
    "gru", "gru_reset_after", "mgu", "ligru", "ugrnn", "brc", "nbrc", "rhn", "minimal_rnn",
    "light_ru", "t_rnn", "mut1", "mut2", "mut3", "sru",
    "min_gru", "para_gru",
}  # fmt: skip
CAROUSELS = {
    "lstm", "lstm_1997", "coupled_lstm", "peephole_lstm", "depth_gated_lstm", "lstm_nig",
    "lstm_nfg", "lstm_nog", "lstm_niaf", "lstm_noaf", "lstm_np", "lstm_cifg", "ran",
    "multiplicative_lstm", "nas",
}  # fmt: skip
PRODUCTS = {
    "rnn", "irnn", "indrnn", "mi_rnn", "t_rnn", "brc", "min_gru", "min_lstm", "rg_lru", "sru",
    "para_gru",
}  # fmt: skip


@cache
def claims(name):
    return theorems(derived(name))


def written(thing):
    if isinstance(thing, Relation):
        return f"{written(thing.left)} {thing.sign} {written(thing.right)}"
    return TEXT(Layout().of(thing))


def cells_with(title):
    return {name for name in catalogue if title in {claim.name for claim in claims(name)}}


def test_each_theorem_appears_for_the_cells_whose_structure_admits_it():
    assert cells_with("certified_rate") == set(catalogue)
    assert cells_with("contraction") == {"rnn", "irnn"}
    assert cells_with("kept_state") == CAROUSELS
    assert cells_with("weighted_mean") == MEANS
    columns = {n for n in catalogue if all(s.shape[1] == 1 for s in catalogue[n].states)}
    assert cells_with("scaled_norm") == columns  # of matrices it does not speak
    assert cells_with("clockwork") == {"clockwork_rnn"}
    assert cells_with("smallest_singular_value") == PRODUCTS
    corners = CAROUSELS - {"lstm_nog", "ran", "multiplicative_lstm", "nas"}
    assert cells_with("volume") == PRODUCTS | corners
    assert cells_with("no_uniform_explosion") == {"rnn"}
    still = {n for n in catalogue if closed_condition(derived(n)).stuck}
    assert cells_with("total_gradient") == set(catalogue) - still
    resting = cells_with("at_rest")
    assert {"rnn", "lstm", "gru", "peephole_lstm", "jordan", "cornn", "lem"} <= resting
    assert resting.isdisjoint({"irnn", "clockwork_rnn", "scrn", "lstm_fgr", "cfn", "indrnn"})


@pytest.mark.parametrize("name", catalogue)
def test_every_slot_can_be_written_and_every_number_is_a_step(name):
    derivation = derived(name)
    made = claims(name)
    assert made[1].name == "certified_rate"
    for claim in made:
        for line in claim.lines:
            assert isinstance(line, Line)
            numbers = [slot for slot in line.slots if isinstance(slot, int)]
            parts = {derivation.steps[number - 1].part for number in numbers}
            assert parts <= {"jacobian", "chain"}
            for slot in line.slots:
                parts = slot if isinstance(slot, tuple) else (slot,)
                assert all(isinstance(part, int | str) or written(part) for part in parts)
        shown = (p for p in (*claim.statement, *claim.consequences) if isinstance(p, Display))
        for relation in (*claim.entries, *(r for p in shown for r in p.relations)):
            assert written(relation)
        assert claim.proof
        assert claim.silent


def test_theorems_are_derived_in_no_time():
    derivation = differentiate(catalogue["depth_gated_lstm"])
    start = time.perf_counter()
    theorems(derivation)
    assert time.perf_counter() - start < 1.0
