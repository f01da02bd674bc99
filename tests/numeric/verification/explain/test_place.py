"""The equations named are those in which code parts from the cell, by what shows something."""

from __future__ import annotations

import pytest
from corpus import right

from derive import catalogue
from derive.cell import declared
from numeric.compiler.target import load
from numeric.verification.explain.audit import Audit
from numeric.verification.explain.place import first_parting
from numeric.verification.fit import audited, fitted
from numeric.verification.problems.of_cell import CellProblem
from numeric.verification.watch import Guard, Subject

GRU, PEEPHOLE = "gru", "peephole_lstm"
FROM_ZERO = ('h[0] = (initial or {}).get("h", 0)', "pass")
NO_DH_0 = (', "initial": {"h": dh_next}}', "}")
UPDATE = ("dz = dh * (g[t] - before)", "dz = dh * (np.sin(g[t]) - before)")
Edits = tuple[tuple[str, str], ...]


def audit_of(cell: str, edits: Edits, shape: dict[str, int] | None = None) -> Audit:
    """Somebody's code of the cell, asked for what it returns and takes."""
    source = right(cell)
    for old, new in edits:
        assert old in source, old
        source = source.replace(old, new)
    module, whole = load(source, "edited"), CellProblem(catalogue[cell])
    functions = {"forward": module.forward, "backward": module.backward}
    subject = Subject(declared(catalogue[cell]), functions)
    guard = Guard(subject, forgiving=True, lacks=None)
    fit = fitted(whole, guard, 0)
    problem = whole.within(fit.scope)
    call = audited(problem, guard.within(fit.scope.lacks))
    return Audit(problem, call, 0, shape=shape or {})


@pytest.mark.parametrize("more", [(), (FROM_ZERO,), (NO_DH_0,), (FROM_ZERO, NO_DH_0)])
def test_a_gradient_that_shows_nothing_acquits_no_equation(more: Edits) -> None:
    """From h_0 = 0 dW_zh is zero at one step, and dh_0 may be missing: ā_z is wrong yet."""
    audit = audit_of(GRU, (UPDATE, *more))
    told = first_parting(audit, audit.wrong)
    assert "first in one of adjoint equations 15: z̄_t = " in told, told
    assert "16: ā_{z,t} = " in told
    for inherits in ("18: ", "20: ", "21: ", "22: ", "29: "):
        assert inherits not in told, told


def test_two_places_where_nothing_tells_them_apart() -> None:
    """What r̄ is made of shows in dx alone at one step from zero: it or x̄ may be the place."""
    edits = (("dx[t - 1] = da_h", "dx[t - 1] = 1.5 * da_h"), FROM_ZERO, NO_DH_0)
    told = first_parting(audit := audit_of(GRU, edits), audit.wrong)
    assert told.endswith("first in one of adjoint equations 12, 13, 14 and 29")


@pytest.mark.parametrize("from_zero", [False, True])
def test_one_step_of_zeros_does_not_say_that_steps_pass_something_wrong(from_zero: bool) -> None:
    """σ′(a_r) is wrong within a step, and nothing of r is seen in a first step from h_0 = 0."""
    reset = ("da_r = dr * r[t] * (1 - r[t])", "da_r = dr * r[t] * (1 - r[t] ** 3)")
    audit = audit_of(GRU, (reset, FROM_ZERO) if from_zero else (reset,))
    told = first_parting(audit, audit.wrong)
    if from_zero:
        assert "dx parts at t = 2" in told
        silent = "dW_hh, dW_rh, dW_rx, dW_zh and db_r"
        assert told.endswith(f"but all of {silent} is zero there and shows nothing")
    else:
        assert told.endswith("first in one of adjoint equations 12, 13 and 14"), told


def test_a_step_known_to_be_wrong_is_not_said_to_be_right() -> None:
    """The call of one step that is tried shows nothing, and another has shown it."""
    rare = ("dh_next += da_r", "dh_next += np.sin(h[max(t - 2, 0)]) * (t > 1) + da_r")
    audit = audit_of(GRU, (rare,))
    assert "one step alone is right" in first_parting(audit, audit.wrong)
    told = first_parting(audit, audit.wrong, one_is_wrong=True)
    assert told.startswith("in dh_0, dx, ")
    assert "step" not in told


def test_a_call_of_one_length_is_told_by_its_length() -> None:
    late = ("dh_next = dh * (1 - z[t])", "dh_next = (1 + (t == 6)) * dh * (1 - z[t])")
    audit = audit_of(GRU, (late,), {"T": 6})
    told = first_parting(audit, audit.wrong)
    assert told.startswith("it shows with 6 steps already: "), told
    assert "one step alone is right" in told
    assert first_parting(audit_of(GRU, (late,)), audit.wrong) == ""
