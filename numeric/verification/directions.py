"""The two checks along directions: exactly over a prime field, and by the complex step.

In: a session. Out: `Check`. Both differentiate the module's own forward code in a direction and
hold its gradients against that.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from numeric.verification.cases import make_case, ordinary_sizes
from numeric.verification.exact import exact_check
from numeric.verification.oracles import autograd_answer, complex_step
from numeric.verification.session import Session
from numeric.verification.verdict import FAIL, NOT_APPLICABLE, PASS, Check
from numeric.verification.watch import Misbehaviour, Raised


def duality(session: Session, examples: int) -> Check:
    """Σ s̄·ṡ = g·d over the prime field at several sizes; no tolerance.

    The error probability is that of passing by accident at each example of the first sizes.
    """
    cell, sizes = session.cell, ordinary_sizes(session.cell)
    smaller = {name: 1 + place % 2 for place, name in enumerate(sizes)}
    count, chance = 0, 1.0
    for example in range(examples):
        chosen = sizes if example % 2 == 0 else smaller
        steps, batch = (4 - example // 2 % 3, 2) if chosen is sizes else (1 + example % 3, 1)
        seed = session.seed + example
        try:
            found = exact_check(cell, session.guard, chosen, steps=steps, batch=batch, seed=seed)
        except Raised as problem:
            return Check(NOT_APPLICABLE, f"does not run on field elements: {problem}")
        except Misbehaviour as problem:
            return Check(FAIL, str(problem))
        count += 1
        if not found.right:
            return _not_exact(session, found.states, found.gradients, chosen, steps, batch, seed)
        chance *= found.error_probability if chosen is sizes else 1.0
    figures = {"examples": count, "modulus": "2**61 - 1", "error_probability": chance}
    return Check(PASS, None, figures)


def _not_exact(
    session: Session, states: Any, gradients: Any, sizes: Any, steps: int, batch: int, seed: int
) -> Check:
    wrong = [f"states.{name}" for name, right in states.items() if not right]
    wrong += [f"{group}.{name}" for (group, name), right in gradients.items() if not right]
    what = f"not equal over the field: {', '.join(wrong)}"
    for label in wrong:
        session.wrong.setdefault(label, "exact")
    case = make_case(session.cell, sizes, steps=steps, batch=batch, seed=seed)
    session.note("exact", case, what)
    return Check(FAIL, what)


def analytic(session: Session, tolerance: float) -> Check:
    """Im L(θ + ihd)/h through the forward code against ⟨gradient, d⟩, array by array."""
    cell, worst = session.cell, 0.0
    rng = np.random.default_rng(session.seed)
    case = make_case(cell, ordinary_sizes(cell), steps=4, batch=2, seed=session.seed)
    _, gradients = session.result(case)
    oracle = autograd_answer(cell, case).gradients
    wrong = []
    for group, name, value in case.groups():
        direction = rng.normal(size=np.shape(value))
        try:
            want, scale = complex_step(session.guard.forward, case, group, name, direction)
        except Misbehaviour as problem:
            return Check(NOT_APPLICABLE, f"forward does not run on complex numbers: {problem}")
        terms = gradients[group][name] * direction
        got, own = float(np.sum(terms)), float(np.sum(oracle[group][name] * direction))
        scale += float(np.sum(np.abs(terms)))
        limit = tolerance * scale
        if abs(got - want) <= limit:
            worst = max(worst, abs(got - want) / scale if scale else 0.0)
        elif abs(own - got) <= limit:
            return Check(
                NOT_APPLICABLE,
                f"forward is not analytic in {group}.{name}: it uses abs or the like",
            )
        else:
            wrong.append(f"{group}.{name}: got {got:.17g}, want {want:.17g} along a direction")
            session.wrong.setdefault(f"{group}.{name}", "complex_step")
    if wrong:
        session.note("complex_step", case, "; ".join(wrong[:3]))
        return Check(FAIL, "; ".join(wrong[:3]))
    return Check(PASS, None, {"examples": len([*case.groups()]), "scaled_error": worst})
