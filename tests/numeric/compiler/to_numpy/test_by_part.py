"""Arrays of loops that are kept part by part: which, and that nothing is computed otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from profiles import by_day

from derive import Cell, catalogue
from derive.calculus.through_time import derivation_of
from derive.cell import declared
from derive.network import Network
from numeric.compiler.kernel import compile_cell, compile_network
from numeric.compiler.lower import lower
from numeric.compiler.passes import optimise
from numeric.compiler.target import Header, load
from numeric.compiler.targets import find_style
from numeric.compiler.to_numpy.by_part import ByPart
from numeric.verification.problems.of_cell import make_case, ordinary_sizes

FUSED = find_style("fused")
TWO_WIDTHS = Cell.parse(
    name="two_widths",
    sizes={"x": "m"},
    equations="""
    f = sigmoid(W_f @ h_prev + b_f)
    g = sigmoid(W_g @ h_prev + b_g)
    h = f * h_prev + V @ (g * x)
    """,
)


def layout_of(cell: Cell) -> ByPart:
    return ByPart(optimise(lower(derivation_of(cell), FUSED.slope_from), FUSED.passes))


def kept(cell: Cell) -> dict[str, str]:
    layout = layout_of(cell)
    return {whole: str(layout.dims(whole)) for whole in layout.widths}


def in_rows(cell: Cell) -> str:
    """The module as it is with no array kept by part."""
    program = optimise(lower(derivation_of(cell), FUSED.slope_from), FUSED.passes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ByPart, "widths", {})
        return FUSED.target.emit(program, FUSED, Header("", (), declared(cell), cell.name))


def answer(source: str, cell: Cell, order: str = "C", steps: int = 4, batch: int = 3) -> Any:
    module = load(source, cell.name)
    case = make_case(cell, ordinary_sizes(cell), steps=steps, batch=batch, seed=5)
    inputs = {name: np.asarray(array, order=order) for name, array in case.inputs.items()}  # type: ignore[call-overload]
    states, tape = module.forward(case.params, inputs, case.initial, case.constants)
    return states, *module.backward(case.params, tape, case.cotangents).values()


def same(left: Any, right: Any) -> bool:
    """To rounding: products of arrays laid out otherwise add up in another order."""
    pairs = [(a[name], b[name]) for a, b in zip(left, right, strict=True) for name in b]
    return all(np.abs(a - b).max(initial=0) <= 1e-14 * np.abs(b).max(initial=0) for a, b in pairs)


def test_the_gates_of_an_lstm_stand_one_after_the_other() -> None:
    assert kept(catalogue["lstm"]) == {
        "values_1_all": "(4, B, n)", "values_2_all": "(T, 3, B, n)",
        "values_3_all": "(3, B, n)", "values_4_all": "(3, B, n)",
    }  # fmt: skip


def test_what_products_meet_stays_in_rows() -> None:
    layout = layout_of(catalogue["gru"])
    met = {
        layout.program.extent(name)[0]
        for block in layout.program.blocks
        for statement in block.statements
        if statement.op in {"apply", "pull", "outer"}
        for name in (statement.target, *statement.reads)
    }
    assert {"products_1_all", "cotangents_1_all"} <= met
    assert layout.widths
    assert not met & layout.widths.keys()


def test_parts_of_two_widths_stay_in_rows() -> None:
    layout = layout_of(TWO_WIDTHS)
    wholes = {whole for whole, *_ in layout.program.views.values()}
    assert wholes
    assert not layout.widths


def test_a_cell_without_gates_is_written_as_before() -> None:
    assert not kept(catalogue["rnn"])
    assert "reshape(B," not in compile_cell("rnn").source


CHANGED = ("lstm", "gru", "mut1", "rhn", "slstm", "depth_gated_lstm", "min_lstm", "star")


@pytest.mark.by_default("C-lstm", "F-lstm")
@pytest.mark.parametrize("name", by_day(CHANGED, 4))
@pytest.mark.parametrize("order", ["C", "F"])
def test_the_same_numbers_come_out(name: str, order: str) -> None:
    cell = catalogue[name]
    source = compile_cell(cell).source
    assert "_parts" in source
    for steps, batch in ((4, 3), (1, 1), (0, 2), (3, 0)):
        old, new = (answer(s, cell, order, steps, batch) for s in (in_rows(cell), source))
        assert same(new, old)


def test_layers_of_a_network_are_kept_so_too() -> None:
    source = compile_network(Network(catalogue["lstm"], layers=2, bidirectional=True)).source
    assert source.count("shape=(T, 3, B, n)") == 4
