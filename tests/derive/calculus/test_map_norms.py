"""The norm of a map is never above its bound, and where the bound is exact it is met."""

from __future__ import annotations

import numpy as np
import pytest
from sympy import Max, OneMatrix

from derive import Cell, differentiate
from derive.calculus import map_norms, tangents
from derive.calculus.fold import Algebra, NoValueError
from derive.language.expr import Rows, add
from derive.language.maps import LinearMap, Vec
from derive.theorems.one_sequence import dominate
from derive.theorems.suprema import Quantities
from numeric.verification.derivation.check import examine
from numeric.verification.derivation.norms import undominated

DELTA = Cell.parse(
    name="delta", outputs=["y"],
    equations="""
k = tanh(W_k @ x)
beta = 2 * sigmoid(W_b @ x)
S = S_prev + outer(beta * (W_v @ x - S_prev @ k), k)
y = S @ k
""",
)  # fmt: skip
MIXED = Cell.parse(
    name="mixed", matrices=["W", "A"], scalars=["c"],
    equations="""
Z = tanh(diag(f) @ S_prev @ W + outer(h_prev, K @ x))
S = S_prev @ diag(sigmoid(g)) / (2 + S_prev * S_prev) + c * Z
h = tanh(S.T @ v + U @ h_prev) + (S_prev * A).T @ (B_q @ x)
""",
)  # fmt: skip


def block(cell: Cell, of: str = "S", by: str = "S") -> LinearMap:
    return differentiate(cell).step_jacobian.blocks[of, by]


def test_a_block_of_a_matrix_is_a_map_of_its_change():
    found = block(DELTA)
    assert isinstance(found, LinearMap)
    n, k = DELTA.states[0].shape
    assert found.shape == (n * k, n * k)
    assert Vec(DELTA.states[0]).shape == (n * k, 1)


def test_what_erases_of_a_state_is_taken_together_with_it():
    assert isinstance(dominate(block(DELTA)), Max)
    other = Cell.parse(
        name="other", equations="S = S_prev - outer(S_prev @ k, W @ x) + outer(V @ x, k)"
    )
    assert not dominate(block(other)).has(Max)  # another row: no symmetric factor


@pytest.mark.parametrize("cell", [DELTA, MIXED], ids=lambda cell: cell.name)
def test_no_norm_exceeds_its_bound_and_every_line_holds(cell):
    derivation = differentiate(cell)
    assert not examine(derivation).wrong
    assert undominated(derivation, 3)[1] == ()


def test_a_bound_that_leaves_a_factor_out_is_found(monkeypatch):
    monkeypatch.setattr(map_norms, "_upright", lambda factor: OneMatrix(1, 1))
    assert undominated(differentiate(MIXED), 3)[1]


def test_a_bound_that_forgets_what_is_not_erased_is_found(monkeypatch):
    monkeypatch.setattr(
        Quantities, "erasing", lambda self, d: self.diagonal(add(OneMatrix(*d.shape), d))
    )
    assert undominated(differentiate(DELTA), 3)[1]


def test_a_wrong_rule_for_a_change_is_found_in_the_lines_of_the_jacobian(monkeypatch):
    hadamard_rule = tangents.TANGENT_RULES[map_norms.HadamardProduct]

    def first_alone(y, node, dots):
        return hadamard_rule(y, node, (dots[0], *(0 * dot for dot in dots[1:])))

    assert not examine(differentiate(MIXED)).wrong
    monkeypatch.setitem(tangents.TANGENT_RULES, map_norms.HadamardProduct, first_alone)
    assert examine(differentiate(MIXED)).wrong


def test_a_form_without_a_norm_is_refused_in_words():
    S = DELTA.states[0]
    with pytest.raises(TypeError, match="no norm for a map through Rows"):
        dominate(LinearMap(Rows(S, 0, 1), S))
    with pytest.raises(NoValueError, match="gives no value to a map"):
        Algebra().of(block(DELTA))


def test_the_erasing_norm_is_the_norm_of_the_map():
    rng = np.random.default_rng(0)
    for _ in range(20):
        k, b = rng.normal(size=3), rng.normal(size=2) * 2
        rows = [np.eye(3) - weight * np.outer(k, k) for weight in b]
        norm = max(np.linalg.norm(row, 2) for row in rows)
        assert norm == pytest.approx(max(1, *np.abs(1 - b * (k @ k))), rel=1e-12)
