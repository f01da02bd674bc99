"""The pass `contract`: which matrices are never made, and that nothing else is lost."""

from __future__ import annotations

import numpy as np
import pytest
from profiles import by_day
from programs import Sizes, arguments
from run_program import run_program

from derive import Cell, catalogue
from derive.calculus.through_time import derivation_of
from numeric.compiler.contracting import contract
from numeric.compiler.kernel import compile_cell
from numeric.compiler.lower import lower
from numeric.compiler.passes import share
from numeric.compiler.program import BATCH, LENGTH, Program
from numeric.verification.verify import verify

SIZES = Sizes(T=3, B=2, n=4, k=3, m=2)
OF_MATRICES = [
    name for name, cell in catalogue.items() if any(1 not in state.shape for state in cell.states)
]


def program_of(cell: Cell) -> Program:
    return share(lower(derivation_of(cell)))


def matrices(program: Program) -> list[str]:
    """The operations that make a matrix of each sample."""
    return [
        s.op
        for b in program.blocks
        for s in b.statements
        if len(dims := [d for d in program.dims[s.target] if d != LENGTH]) > 2
        and dims[0] == BATCH and 1 not in dims
    ]  # fmt: skip


def operations(program: Program) -> list[str]:
    return [s.op for b in program.blocks for s in b.statements]


def meaning(cell: Cell, program: Program) -> dict[str, np.ndarray]:
    given, cotangents = arguments(cell, SIZES)
    groups = {**given, "cotangents": cotangents}
    flat = {a.name: np.asarray(groups[a.group][a.key]) for a in program.arguments}
    values = run_program(program, flat, SIZES)
    return {r.name: values[r.name] for r in program.results}


def assert_same_meaning(cell: Cell) -> None:
    plain = program_of(cell)
    want, got = meaning(cell, plain), meaning(cell, contract(plain))
    for name, value in want.items():
        size = np.abs(value).max(initial=0)
        assert np.abs(got[name] - value).max(initial=0) <= 1e-12 * size, name


@pytest.mark.parametrize("name", by_day(OF_MATRICES, 8))
def test_the_pass_keeps_the_meaning(name: str) -> None:
    assert_same_meaning(catalogue[name])


def of(text: str, **more: object) -> Cell:
    return Cell.parse(name="made", inputs=("x",), equations=text, outputs=["y"], **more)


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("M = outer(V @ x, K @ x)\ny = M @ (Q @ x)", "each_outer"),
        ("M = outer(V @ x, K @ x)\ny = M.T @ (V @ x)", "each_outer"),
        ("M = diag(V @ x) @ S\ny = M @ (Q @ x)", "scale_rows"),
        ("M = S @ diag(K @ x)\ny = M @ (Q @ x)", "scale_columns"),
        ("M = diag(V @ x) @ S\ny = M.T @ (V @ x)", "scale_rows"),
        ("M = S @ diag(K @ x)\ny = M.T @ (V @ x)", "scale_columns"),
        ("M = sigmoid(dot(w, x)) * S\ny = M @ (Q @ x)", "multiply"),
    ],
)
def test_what_only_a_product_reads_is_not_made(text: str, gone: str) -> None:
    cell = of(f"S = S_prev + outer(x, K @ x)\n{text}")
    plain = program_of(cell)
    assert len(matrices(contract(plain))) < len(matrices(plain))
    before, after = (matrices(p).count(gone) for p in (plain, contract(plain)))
    assert after < before
    assert_same_meaning(cell)


def test_a_gate_of_one_number_needs_the_sum_of_all_entries_alone() -> None:
    cell = of("S = sigmoid(dot(w, x)) * S_prev + outer(x, K @ x)\ny = S @ (Q @ x)")
    program = contract(program_of(cell))
    assert "each_dot" in operations(program)
    assert "sum_columns" not in operations(program)
    assert_same_meaning(cell)


def test_what_a_state_is_made_of_stays() -> None:
    cell = of("S = S_prev + outer(x, K @ x)\ny = S @ (Q @ x)")
    assert matrices(program_of(cell)) == matrices(contract(program_of(cell)))


def test_a_cell_of_vectors_is_left_as_it_is() -> None:
    program = program_of(catalogue["lstm"])
    assert contract(program) is program


@pytest.mark.long
def test_what_a_matrix_becomes_of_parameters_alone_has_no_axis_of_time():
    """diag(g s) (Wᵀb) kᵀ: Wᵀb is one vector for all steps and samples."""
    cell = Cell.parse(
        name="gated", inputs=("x",), matrices=("S",), sizes={"s": "n", "S": "n"},
        equations="S = S_prev - diag(g * s_prev) @ outer(W.T @ b, K @ x)\n"
        "s = tanh(S @ (W @ s_prev))", scalars=("g",),
    )  # fmt: skip
    verdict = verify(compile_cell(cell, "fused"))
    assert verdict.status == "pass", verdict.summary()
