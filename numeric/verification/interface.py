"""The interface check: of our code every promise is held; of somebody's what is broken is told.

In: a module and its problem. Out: `Audited`, a session in which the code can be judged as far as it
goes, and the check of the interface.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

from derive.network import Network
from numeric.verification.caller import predicts, takes_final_cotangents
from numeric.verification.compare import differences, within
from numeric.verification.fit import RIGHT, Fit, fitted
from numeric.verification.problems.of_network import NetworkProblem
from numeric.verification.problems.problem import Problem
from numeric.verification.promises import (
    broken_promises,
    check_declared,
    check_padding,
    check_promises,
)
from numeric.verification.scope import Scope
from numeric.verification.session import Session
from numeric.verification.verdict import FAIL, PARTIAL, PASS, Check
from numeric.verification.watch import (
    PREDICT,
    Guard,
    Misbehaviour,
    Raised,
    Stopped,
    Subject,
    subject_of,
)
from numeric.verification.wrong_calls import check_arguments

FIRST_CALL: Final = "first call"


@dataclass(frozen=True)
class Audited:
    """A session, what its interface check says so far, and whether the code can be called.

    `treated`: the gradients to which something is done as a whole, and what.
    """

    session: Session
    interface: Check
    callable: bool
    treated: dict[str, str] = field(default_factory=dict)

    def told(self, session: Session) -> Check:
        """The interface check at the end, with all that was noticed in any call."""
        if self.interface.status == FAIL:
            return self.interface
        for what in session.guard.notes:
            session.unjudged.setdefault("the interface", what)
        reasons = [*session.guard.notes, *session.unjudged.values()]
        if not reasons:
            return self.interface
        return Check(PARTIAL, "; ".join(dict.fromkeys(reasons)))


def offers_prediction(module: Any) -> bool:
    """Whether a kernel, a module or a subject has the forward pass of a network alone."""
    try:
        inner = getattr(module, "subject", module)
    except Misbehaviour:
        return False
    if isinstance(inner, Subject):
        return PREDICT in inner.functions
    return hasattr(inner, PREDICT) and predicts(getattr(inner, "module", inner))


def offers_final_states(module: Any) -> bool:
    """Whether somebody's code of a network takes cotangents of final states."""
    try:
        inner = getattr(module, "subject", module)
    except Misbehaviour:
        return False
    if isinstance(inner, Subject):
        return inner.final
    return takes_final_cotangents(getattr(inner, "module", inner))


def network_problem(network: Network, scope: Scope, module: Any, *, ours: bool) -> NetworkProblem:
    """What code of a network is asked for: of somebody's, final states if it knows of them."""
    final = network.final and (ours or offers_final_states(module))
    return NetworkProblem(network, scope, offers_prediction(module), final)


def strict(module: Any, problem: Problem, plain: Any, *, ours: bool, seed: int) -> Audited:
    """The session of code that has to keep every promise: ours."""
    misfit: Misbehaviour | None = None
    try:
        subject = subject_of(module, problem.functions)
    except Misbehaviour as found:
        misfit, subject = found, Subject({}, {})
    stand_in = None if plain is None else Guard(subject_of(plain, problem.functions))
    session = Session(problem, Guard(subject), stand_in, seed)
    try:
        if misfit is not None:
            raise misfit
        check_declared(problem, session.guard)
        check_promises(problem, session.guard)
    except Misbehaviour as found:
        return Audited(session, Check(FAIL, str(found)), callable=False)
    return Audited(session, Check(PASS), callable=True)


def audit_of(module: Any, whole: Problem, plain: Any, seed: int) -> Audited:
    """The session of somebody's code, as far as it can be judged within the problem's scope."""
    stand_in = Guard(subject_of(plain, whole.functions))
    names, problem = stand_in.subject.declared, whole
    try:
        subject = subject_of(module, whole.functions, names)
    except Misbehaviour as found:
        session = Session(problem, Guard(Subject(names, {})), stand_in, seed, forgiving=True)
        session.unjudged |= dict.fromkeys(session.labels(), str(found))
        return Audited(session, Check(PARTIAL, str(found)), callable=False)
    guard = Guard(replace(subject, declared=names), forgiving=True, lacks=None)
    fit = fitted(whole, guard, seed)
    problem = whole.within(fit.scope)
    session = Session(
        problem, guard.within(fit.scope.lacks), stand_in, seed, forgiving=True,
        unjudged={**fit.unjudged, **whole.unasked}, misshapen=fit.misshapen, stopped=fit.stopped,
    )  # fmt: skip
    try:
        check_declared(whole, Guard(subject))
    except Misbehaviour as found:
        session.unjudged["names declared"] = str(found)
    returned = any(problem.judged(*name) for name in problem.gradients())
    usable = returned and (fit.first is not None or bool(fit.treated))
    if usable and fit.first is not None:
        _judge_first(session, fit)
    if not usable or session.stopped is not None:
        reason = next(iter(session.unjudged.values()))
        return Audited(session, Check(PARTIAL, reason), callable=usable, treated=fit.treated)
    return Audited(session, _promises(session), callable=True, treated=fit.treated)


def _judge_first(session: Session, fit: Fit) -> None:
    """Keep what the first call shows: all there is if the code is never called again."""
    assert fit.first is not None
    case, result = fit.first
    found = [*differences(result, within(session.autograd(case), result))]
    tolerance = RIGHT[case.dtype]
    if fit.stopped is None:
        found = [difference for difference in found if difference.right(tolerance)]
    if session.judge(found, tolerance, FIRST_CALL):
        session.note(FIRST_CALL, case, "the first call")


def _promises(session: Session) -> Check:
    """What is broken; what is wrong in itself fails."""
    wrong = [*session.misshapen.values()]
    for broken in broken_promises(session.problem, session.guard):
        if broken.wrong:
            wrong.append(str(broken.problem))
        else:
            session.unjudged.setdefault(broken.what, str(broken.problem))
        session.broken(broken.problem)
    return Check(FAIL, "; ".join(wrong)) if wrong else Check(PASS)


def arguments(session: Session) -> Check:
    """Wrong arguments are refused by name."""
    try:
        count = check_arguments(session.problem, session.guard)
    except Misbehaviour as problem:
        return Check(FAIL, str(problem))
    return Check(PASS, None, {"examples": count})


def padding(session: Session, examples: int) -> Check:
    """What stands after a sample's end contributes nothing, exactly."""
    seeds = range(session.seed, session.seed + examples)
    try:
        count = check_padding(session.problem, session.guard, seeds)
    except (Raised, Stopped) as found:
        session.unjudged.setdefault("padded calls", str(found))
        return Check(session.broken(found), str(found))
    except Misbehaviour as found:
        return Check(FAIL, str(found))
    return Check(PASS, None, {"examples": count})
