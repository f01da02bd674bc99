"""The two checks along directions: exactly over a prime field, and by the complex step.

In: a session. Out: `Check`. Both differentiate the module's own forward code in a direction and
hold its gradients against that.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from derive.saying import said
from numeric.verification.cases import Case
from numeric.verification.exact import ExactResult, exact_check
from numeric.verification.known_to_field import unknown_to_field
from numeric.verification.oracles import complex_step
from numeric.verification.session import Session
from numeric.verification.verdict import FAIL, NOT_APPLICABLE, PASS, Check
from numeric.verification.watch import Misbehaviour, Raised

Array = Any
TRIES = 40  # to find values at which the cell is defined


def duality(session: Session, examples: int) -> Check:
    """L̇ = g·d over the prime field at several sizes; no tolerance.

    The error probability is that of passing by accident at each example whose sizes count.
    """
    problem, count, chance = session.problem, 0, 1.0
    if names := unknown_to_field(problem.cell):
        return Check(NOT_APPLICABLE, said(
            "irrational numbers meet in {0}, and a field does not know that √2·√2 is 2",
            ", ".join(names),
        ))  # fmt: skip
    for example in range(examples):
        at, seed = problem.exact_extents(example), session.seed + example
        try:
            found = exact_check(
                problem, session.guard, at.sizes, steps=at.steps, batch=at.batch, seed=seed
            )
        except Raised as raised:
            return Check(NOT_APPLICABLE, said("does not run on field elements: {0}", str(raised)))
        except Misbehaviour as other:
            return Check(session.broken(other), str(other))
        count += 1
        if not found.right:
            case = problem.case(at.sizes, steps=at.steps, batch=at.batch, seed=seed)
            return _not_exact(session, case, found)
        chance *= found.error_probability if at.counts else 1.0
    figures = {"examples": count, "modulus": "2**61 - 1", "error_probability": chance}
    return Check(PASS, None, figures)


def _not_exact(session: Session, case: Case, found: ExactResult) -> Check:
    wrong = [session.problem.output_word(n) for n, right in found.outputs.items() if not right]
    labels = [".".join(name) for name, right in found.gradients.items() if not right]
    for label in labels:
        session.wrong.setdefault(label, "exact")
    what = f"not equal over the field: {', '.join([*wrong, *labels])}"
    session.note("exact", case, what)
    return Check(FAIL, what)


def analytic(session: Session, tolerance: float) -> Check:
    """Im L(θ + ihd)/h through the forward code against ⟨gradient, d⟩, array by array."""
    problem, worst = session.problem, 0.0
    rng = np.random.default_rng(session.seed)
    tried = (
        problem.case(problem.ordinary_sizes(), steps=4, batch=2, seed=session.seed + more)
        for more in range(TRIES)
    )
    case = next(filter(session.is_defined, tried), None)
    if case is None:
        return Check(NOT_APPLICABLE, next(iter(session.undefined)))
    if case.dtype != "float64":
        return Check(NOT_APPLICABLE, f"the code is judged in {case.dtype}")
    _, gradients = session.result(case)
    oracle = session.autograd(case).gradients
    wrong = []

    def forward(*arguments: Any) -> tuple[dict[str, Any], Any]:
        """The code's states but for wrong ones, which say nothing of a gradient."""
        states, tape = session.guard.forward(*arguments)
        return {n: a for n, a in states.items() if f"states.{n}" not in session.wrong}, tape

    for group, name, value in case.groups():
        if not problem.moves(group, name):
            continue
        direction = rng.normal(size=np.shape(value))
        try:
            want, scale = complex_step(forward, problem, case, group, name, direction)
        except Misbehaviour as found:
            why = said("forward does not run on complex numbers: {0}", str(found))
            return Check(NOT_APPLICABLE, why)
        terms = gradients[group][name] * direction
        got, own = float(np.sum(terms)), float(np.sum(oracle[group][name] * direction))
        scale += float(np.sum(np.abs(terms)))
        limit = tolerance * scale
        if limit < abs(got - want) <= _rounding(session, case, group, name, direction):
            continue  # terms cancel, and nothing but their rounding is left to compare
        if abs(got - want) <= limit:
            worst = max(worst, abs(got - want) / scale if scale else 0.0)
        elif abs(own - got) <= limit:
            why = said(
                "forward is not analytic in {0}: it uses abs, keeps real parts alone, or the like",
                f"{group}.{name}",
            )
            return Check(NOT_APPLICABLE, why)
        else:
            wrong.append(f"{group}.{name}: got {got:.17g}, want {want:.17g} along a direction")
            session.wrong.setdefault(f"{group}.{name}", "complex_step")
    if wrong:
        session.note("complex_step", case, "; ".join(wrong[:3]))
        return Check(FAIL, "; ".join(wrong[:3]))
    return Check(PASS, None, {"examples": len([*case.groups()]), "scaled_error": worst})


def _rounding(session: Session, case: Case, group: str, name: str, direction: Array) -> float:
    """What rounding in the gradient, and as much in the complex step, can come to."""
    found = session.trusted(case)
    if found is None or not found[1]:
        return 0.0
    bound = found[0][1][group][name]
    return 2 * float(np.sum(bound * np.abs(direction))) if np.all(np.isfinite(bound)) else 0.0
