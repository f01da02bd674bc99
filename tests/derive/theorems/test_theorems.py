"""Which theorems a cell gets; that their slots are whole; that deriving them takes no time."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from on_paths import derived, proved
from sympy import Basic, MatrixSymbol, Symbol

from derive import Cell, catalogue, differentiate
from derive.calculus.through_time import LENGTH
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


def written(thing):
    if isinstance(thing, Relation):
        return f"{written(thing.left)} {thing.sign} {written(thing.right)}"
    return TEXT(Layout().of(thing))


def cells_with(title):
    return {name for name in catalogue if title in {claim.name for claim in proved(name)}}


def test_each_theorem_appears_for_the_cells_whose_structure_admits_it():
    columns = {n for n in catalogue if all(s.shape[1] == 1 for s in catalogue[n].states)}
    corners = CAROUSELS - {"lstm_nog", "ran", "multiplicative_lstm", "nas"}
    still = {n for n in catalogue if closed_condition(derived(n)).stuck}
    wanted = {
        "certified_rate": set(catalogue), "contraction": {"rnn", "irnn"},
        "kept_state": CAROUSELS, "weighted_mean": MEANS,
        "scaled_norm": columns,  # of matrices it does not speak
        "clockwork": {"clockwork_rnn"}, "smallest_singular_value": PRODUCTS,
        "volume": PRODUCTS | corners, "no_uniform_explosion": {"rnn"},
        "total_gradient": set(catalogue) - still,
    }  # fmt: skip
    for title, names in wanted.items():
        found = cells_with(title)
        assert found == names, (
            f"{title}: expected and not of {sorted(names - found)}, of {sorted(found - names)} and "
            "not expected; a new cell that it is true of belongs into the tables of this file"
        )
    resting = cells_with("at_rest")
    assert {"rnn", "lstm", "gru", "peephole_lstm", "jordan", "cornn", "lem"} <= resting
    assert resting.isdisjoint({"irnn", "clockwork_rnn", "scrn", "lstm_fgr", "cfn", "indrnn"})


@pytest.mark.parametrize("name", catalogue)
def test_every_slot_can_be_written_and_every_number_is_a_step(name):
    derivation = derived(name)
    made = proved(name)
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


COLLIDING = {
    "loss": "h = tanh(L @ h_prev + T @ x + B)",
    "two states": "c = sigmoid(N @ x) * c_prev + K @ x\nh = tanh(G @ h_prev + M @ c + u)",
}


def said(claim):
    """Each formula of a theorem, as it is written in the cell's own notation."""
    parts = (*claim.statement, *claim.consequences, *claim.assumptions, *claim.proof)
    slots = [slot for part in parts if isinstance(part, Line) for slot in part.slots]
    slots += [r for part in parts if isinstance(part, Display) for r in part.relations]
    slots += [claim.bound.relation] if claim.bound else []
    return [*slots, *claim.entries]


@pytest.mark.parametrize("equations", COLLIDING.values(), ids=COLLIDING)
def test_a_letter_of_a_theorem_is_none_of_the_cell(equations):
    derivation = differentiate(Cell.parse(name="c", equations=equations, matrices=("L",)
                                          if "L @" in equations else ()))  # fmt: skip
    meant = {p.name: p for p in derivation.cell.parameters}
    any_matrix = {MatrixSymbol(name, 2, 2) for name in "ABM"}  # of ‖A + B‖ ≤ ‖A‖ + ‖B‖
    layout = Layout(replace(derivation.cell.notation, timed=frozenset()))
    for claim in theorems(derivation):
        for slot in said(claim):
            sides = (slot.left, slot.right) if isinstance(slot, Relation) else (slot,)
            for side in (s for s in sides if isinstance(s, Basic)):
                for symbol in side.atoms(MatrixSymbol, Symbol) - any_matrix - {LENGTH}:
                    assert meant.get(symbol.name, symbol) == symbol, (claim.name, slot)
                assert TEXT(layout.of(side))


def test_the_loss_and_the_last_time_give_way_to_the_cell():
    cell = Cell.parse(name="c", equations=COLLIDING["loss"], matrices=("L",))
    derivation = differentiate(cell)
    layout = Layout(cell.notation)
    gradients = [TEXT(layout.of(s.equation.value)) for s in derivation.part("gradients")]
    assert gradients[0] == "∑_{t=1}^{H} ā_{h,t} h_{t−1}ᵀ"
    assert not any("{T}" in text or "∂L" in text for text in gradients)
    carried = [s.equation for s in derivation.part("recursion")]
    assert TEXT(layout.of(carried[-1].value)).startswith("∂E_t/∂h_t")
    found = next(c for c in theorems(derivation) if c.name == "total_gradient")
    assert TEXT(layout.of(found.bound.quantity)) == "‖∂E/∂θ‖₂"
    assert TEXT(layout.of(found.bound.expression)) == "H ĝ ê (1 − N)^{−1}"


def test_bounds_on_blocks_give_way_to_the_cell():
    cell = Cell.parse(name="c", equations=COLLIDING["two states"])
    first = theorems(differentiate(cell))[0]
    layout = Layout(cell.notation)
    assert TEXT(layout.of(first.entries[0].left)) == "D_{cc,t}"
    assert TEXT(layout.of(first.statement[0].slots[0])) == "D_t"
