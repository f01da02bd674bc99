"""A program taken apart again computes what it did, and its units come in an order that works."""

import numpy as np
import pytest
from known_cells import VECTORS
from profiles import by_day
from programs import MIXED, SIZES, arguments
from run_program import run_program
from sympy import Symbol

from derive.calculus.through_time import differentiate
from derive.cell import catalogue
from numeric.compiler.lower import lower
from numeric.compiler.passes import optimise
from numeric.compiler.targets import find_style
from numeric.compiler.to_c.schedule import Group, stages
from numeric.compiler.to_c.unstack import ENTRYWISE, Parts, unstack

CELLS = [*(catalogue[name] for name in VECTORS), MIXED]


def stacked(cell):
    style = find_style("fused", "c")
    return optimise(lower(differentiate(cell), style.slope_from), style.passes)


def results(program, cell):
    given, cotangents = arguments(cell)
    groups = {**given, "cotangents": cotangents}
    arrays = {a.name: np.asarray(groups[a.group][a.key]) for a in program.arguments}
    for name, value in arrays.items():
        if program.is_sequence(name) and value.ndim == 2:
            arrays[name] = np.repeat(value[:, None], SIZES["B"], axis=1)
    return run_program(program, arrays, SIZES)


@pytest.mark.by_default(
    "antisymmetric_rnn",
    "lem",
    "gru",
    "ugrnn",
    "peephole_lstm",
    "mut3",
    "lru",
    "hgrn",
    "rwkv4",
)
@pytest.mark.parametrize("cell", by_day(CELLS, 4), ids=lambda cell: cell.name)
def test_the_program_keeps_its_meaning(cell):
    before = stacked(cell)
    after, _ = unstack(before)
    want, got = results(before, cell), results(after, cell)
    for name, array in want.items():
        np.testing.assert_allclose(got[name], array, rtol=1e-12, err_msg=name)


@pytest.mark.by_default(
    "antisymmetric_rnn",
    "lem",
    "gru",
    "ugrnn",
    "peephole_lstm",
    "mut3",
    "lru",
    "hgrn",
    "rwkv4",
)
@pytest.mark.parametrize("cell", by_day(CELLS, 4), ids=lambda cell: cell.name)
def test_entrywise_statements_are_about_one_part_each(cell):
    program, parts = unstack(stacked(cell))
    for block in program.blocks:
        for statement in block.statements:
            if statement.op in ENTRYWISE:
                assert len(parts.within(*program.extent(statement.target))) == 1


@pytest.mark.by_default(
    "antisymmetric_rnn",
    "lem",
    "gru",
    "ugrnn",
    "peephole_lstm",
    "mut3",
    "lru",
    "hgrn",
    "rwkv4",
)
@pytest.mark.parametrize("cell", by_day(CELLS, 4), ids=lambda cell: cell.name)
def test_nothing_is_read_before_it_is_made(cell):
    program, _ = unstack(stacked(cell))
    known = {a.name for a in program.arguments} | {*program.shifted}
    for phase in ("forward", "backward"):
        for stage in stages(program, phase)[0]:
            known |= {carry.name for carry in stage.carries}
            for unit in (*stage.before, *stage.early, *stage.steps, *stage.late):
                for s in unit.statements if isinstance(unit, Group) else (unit,):
                    assert all(program._is_known(read, known) for read in s.reads), (phase, s)
                    known.add(s.target)


def test_parts_of_an_unknown_order_are_refused():
    n, m = Symbol("n", integer=True, positive=True), Symbol("m", integer=True, positive=True)
    with pytest.raises(ValueError, match="depends on the sizes"):
        Parts({"a": ((n, n),)}).within("a", m, n)
