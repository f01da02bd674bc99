"""Verification: a module against the equations of its cell, by oracles of several kinds.

In: a kernel, or any object with the module interface and its cell. Out: `Verdict`. The one home
of the tolerances: relative to each array where the regime allows it, and where it does not,
what a running error analysis of the very code explains.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from types import ModuleType
from typing import Any, Final

import numpy as np
from hypothesis.errors import UnsatisfiedAssumption

from derive.cell import Cell, cell_of
from derive.network import Network
from numeric.compiler.kernel import compile_cell, compile_network
from numeric.compiler.segments import Segments
from numeric.compiler.target import Target
from numeric.compiler.targets import NUMPY, find_style
from numeric.meaning.sizes import require_shown_sizes
from numeric.verification.cases import SATURATED, Case
from numeric.verification.compare import (
    Difference,
    agreement,
    as_result,
    differences,
    in_range,
    within,
)
from numeric.verification.counterexample import WrongError, search
from numeric.verification.derivation.check import derivation_check
from numeric.verification.directions import analytic, duality
from numeric.verification.explain.audit import precision
from numeric.verification.explain.explain import explain_gradients
from numeric.verification.fit import audited
from numeric.verification.interface import (
    arguments,
    audit_of,
    network_problem,
    padding,
    strict,
)
from numeric.verification.oracles import Answer
from numeric.verification.problems.extents import Result
from numeric.verification.problems.in_segments import SegmentedProblem
from numeric.verification.problems.of_cell import CellProblem
from numeric.verification.problems.problem import Problem
from numeric.verification.profiles import NETWORK_PROFILES, PROFILES, Profile, profile_of
from numeric.verification.scope import WHOLE, Scope
from numeric.verification.session import Session
from numeric.verification.several_cases import answer_together
from numeric.verification.strategies import RELATIVE, calls
from numeric.verification.verdict import (
    FAIL,
    INCONCLUSIVE,
    PASS,
    Check,
    Gradient,
    Verdict,
    conclude,
    gradient_name,
)
from numeric.verification.watch import Misbehaviour
from numeric.verification.weigh import weighed

__all__ = ["NETWORK_PROFILES", "PROFILES", "Profile", "Verdict", "verify", "versions"]

TOLERANCES: Final = {"float64": 1e-12, "float32": 1e-5}
LARGEST: Final = {"float64": 1e150, "float32": 1e15}  # beyond, a product may overflow
COMPLEX_STEP_TOLERANCE: Final = 1e-12
ORACLES_AGREE: Final = 1e-12
MIN_EXAMPLES: Final = 10
ORACLE_ERROR: Final = 2.0**-52
FAR: Final = 0.5  # of what a single step receives: beyond rounding, so far off is wrong
CREDIT: Final = 64.0  # how far somebody's account of rounding may go beyond that of plain code
PACKAGES: Final = ("numpy", "sympy", "autograd", "hypothesis", "mpmath")


def _autograd(session: Session, examples: int) -> Check:
    """Reverse accumulation over the equations: 1e-12 of each array's largest entry.

    Where terms cancel, what rounding explains is granted; in most examples that is a doubt,
    unless the terms cancel to nothing: then the oracle's own rounding is all there is to see.
    Where rounding can do anything to most examples, that is a doubt too.
    """
    doubles, granted, seen, undecided = 0, 0, 0, 0

    def one(case: Case, got: Result) -> float:
        nonlocal doubles, granted, seen, undecided
        want = within(session.autograd(case), got)
        if not in_range(want, LARGEST[case.dtype]):
            raise UnsatisfiedAssumption
        tolerance = TOLERANCES[case.dtype]
        found = list(differences(got, want))
        if any(difference.scaled > tolerance for difference in found):
            found = _explained(session, case, got, want, found)
        seen, undecided = seen + 1, undecided + any(d.undecided for d in found)
        if case.dtype == "float64":
            doubles, granted = doubles + 1, granted + (agreement(got, want)[0] > tolerance)
        _require(session, session.far(case, got, want, FAR, CREDIT), -1.0, "autograd")
        return _require(session, found, tolerance, "autograd")

    of, seed = session.problem, session.seed
    strategy = calls(of, regimes=RELATIVE, limits=of.limits())
    battery = [*of.ordinary_cases(RELATIVE, seed=seed), *of.unusual_cases(seed=seed)]
    answer_together(of, battery)
    test = partial(_each, session, one)
    check = search(session, "autograd", battery, strategy, examples, test)
    if check.status == PASS and doubles > MIN_EXAMPLES and granted > doubles / 2:
        reason = f"beyond {TOLERANCES['float64']:g} in {granted} of {doubles} float64 examples"
        return Check(INCONCLUSIVE, f"{reason}: only rounding could explain it", check.figures)
    if check.status == PASS and undecided > seen / 2:
        reason = f"in {undecided} of {seen} examples rounding can do anything, as at a pole"
        return Check(INCONCLUSIVE, reason, check.figures)
    return check


def _each(session: Session, test: Callable[[Case, Result], float], case: Case) -> float:
    """The largest error in what is judged of the case.

    Raises:
        UnsatisfiedAssumption: if nothing can be judged here.
    """
    errors = []
    for one, got in session.judged(case, LARGEST[case.dtype]):
        with suppress(UnsatisfiedAssumption):
            errors.append(test(one, got))
    if not errors:
        raise UnsatisfiedAssumption
    return max(errors)


def _explained(
    session: Session, case: Case, got: Result, want: Answer, found: list[Difference]
) -> list[Difference]:
    """The same differences beside what rounding explains; to the error of the oracle.

    Raises:
        UnsatisfiedAssumption: if rounding could turn a comparison round, or is all that is left.
    """
    bounds = session.bounds(case, CREDIT)
    if bounds is None:
        return found
    found = list(differences(got, want, bounds[0], ORACLE_ERROR))
    if not bounds[1] or any(d.cancelled for d in found):  # an oracle's zero that is not exact
        raise UnsatisfiedAssumption
    return found


def _require(session: Session, found: list[Difference], tolerance: float, check: str) -> float:
    if wrong := session.judge(found, tolerance, check):
        raise WrongError("; ".join(difference.entry for difference in wrong[:3]))
    sure = (d.scaled for d in found if np.isfinite(d.scaled) and not d.undecided)
    return max(sure, default=0.0)


def _high_precision(session: Session, examples: int) -> Check:
    """Fifty digits in every regime, each entry held to what rounding in this code explains."""
    largest_share, apart, place = 0.0, 0.0, ""

    def one(case: Case, got: Result) -> float:
        nonlocal largest_share, apart, place
        float_answer = within(session.autograd(case), got)
        if not in_range(float_answer, LARGEST[case.dtype]):
            raise UnsatisfiedAssumption
        want = within(session.precise(case), got)
        if case.regime not in SATURATED:
            other, where = agreement(as_result(float_answer), want)
            known = other > ORACLES_AGREE and _oracle_is_right(session, case, float_answer, want)
            if other > apart and not known:
                apart, place = other, where
        found = _explained(session, case, got, want, list(differences(got, want)))
        explained = [d.explained for d in found]
        if np.all(np.isfinite(explained)):
            largest_share = max([largest_share, *explained])
        tolerance = -1.0 if np.all(np.isfinite(explained)) else TOLERANCES[case.dtype]
        return _require(session, found, tolerance, "high_precision")

    of = session.problem
    strategy = calls(of, limits=of.limits(small=True))
    battery = [*of.ordinary_cases(SATURATED, seed=session.seed, small=True)]
    answer_together(of, battery)
    test = partial(_each, session, one)
    check = search(session, "high_precision", battery, strategy, examples, test)
    figures = {
        **check.figures, "digits": 50, "share_of_bound": largest_share, "oracles_apart": apart
    }  # fmt: skip
    if apart > ORACLES_AGREE:
        session.wrong = {label: by for label, by in session.wrong.items() if by != "high_precision"}
        reason = f"autograd and fifty digits differ by {apart:.1e} in {place}"
        return Check(INCONCLUSIVE, reason, figures)
    return replace(check, figures=figures)


def _oracle_is_right(session: Session, case: Case, found: Answer, want: Answer) -> bool:
    """Whether rounding explains how far a float64 oracle is off, where terms cancel."""
    bounds = session.trusted(replace(case.widened(), dtype="float64"))
    if bounds is None:
        return False
    found_too = differences(as_result(found), want, bounds[0], ORACLE_ERROR)
    return all(difference.right(0.0) for difference in found_too)


_CHECKS: Final[Mapping[str, Callable[[Session, Profile], Check]]] = {
    "padding": lambda session, profile: padding(session, profile.exact),
    "autograd": lambda session, profile: _autograd(session, profile.autograd),
    "high_precision": lambda session, profile: _high_precision(session, profile.high_precision),
    "complex_step": lambda session, profile: analytic(session, COMPLEX_STEP_TOLERANCE),
    "exact": lambda session, profile: duality(session, profile.exact),
}


def verify(
    module: Any,
    *,
    cell: Cell | str | None = None,
    network: Network | None = None,
    profile: str = "dev",
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
    plain: Any = None,
    scope: Scope = WHOLE,
) -> Verdict:
    """Whether the module computes its cell's states and gradients, by every check that applies.

    Of a network: its loss and gradients. `plain` is code of the same cell or network whose
    rounding stands in for that of a module that cannot run on numbers with error bounds; the
    fused style, whose σ rounds as that of most forms does, if none is given. `scope` is how far
    somebody's code of a cell is asked for from the start.

    Raises:
        ValueError: if the profile is unknown, no cell is given for a module without one, or only an
            initial state shows a size of the cell.
        MissingError: if what our code needs to run is not there: a C compiler.
    """
    own = _told_by(module)
    network = network or (own if isinstance(own, Network) else None)
    given = network.cell if network else cell or (own if isinstance(own, Cell) else None)
    if given is None:
        raise ValueError("cell: which cell the module should compute is not said; pass cell=…")
    cell = cell_of(given)
    if profile not in PROFILES:
        raise ValueError(f"profile: expected one of {', '.join(PROFILES)}, came {profile!r}")
    require_shown_sizes(cell)
    checks: dict[str, Check] = {}
    ours = _is_ours(module)
    if ours:
        _target(module).ready()
    tell = progress or (lambda name: None)
    tell("derivation")
    checks["derivation"] = derivation_check(cell, ours, seed)
    tell("interface")
    problem, plain = _asked(cell, network, plain, module, scope)
    if ours:  # code that runs on any numbers accounts for its own rounding, beside none of ours
        audit = strict(module, problem, plain, ours=ours, seed=seed)
    else:
        audit = audit_of(module, problem, plain, seed)
    session = audit.session
    checks["interface"] = audit.interface
    if ours and checks["interface"].status == PASS:
        tell("arguments")
        checks["arguments"] = arguments(session)
    if audit.callable and session.stopped is None:
        examples = profile_of(network, scope, profile)
        for name, check in _CHECKS.items():
            if name not in session.problem.checks:
                continue
            tell(name)
            try:
                checks[name] = check(session, examples)
            except Misbehaviour as found:
                checks[name] = Check(session.broken(found), str(found))
            if session.stopped is not None:
                break
    if not ours:
        checks = weighed(session, checks)
    gradients = session.gradients()
    if audit.callable and not session.undefined:  # what has no value there is not held against it
        tell("diagnosis")
        gradients = _diagnosed(session, audit.treated)
    if session.forgiving:
        checks["interface"] = audit.told(session)
    return Verdict(
        cell=cell.name, status=conclude(checks, gradients, session.unjudged), checks=checks,
        gradients=gradients, counterexample=session.counterexample, seed=seed, profile=profile,
        versions=versions(), style=getattr(module, "style", None),
        network=network.name if network else None, unjudged=session.unjudged,
    )  # fmt: skip


def _told_by(module: Any) -> Cell | Network | None:
    """What the code says that it is of; somebody's function may have the same name."""
    named = (getattr(module, name, None) for name in ("network", "cell"))
    return next((one for one in named if isinstance(one, Cell | Network)), None)


def _is_ours(module: Any) -> bool:
    """Whether it is a kernel of ours; somebody's file may hold the cell that it is of."""
    return _told_by(module) is not None and not isinstance(module, ModuleType)


def _asked(
    cell: Cell, network: Network | None, plain: Any, module: Any, scope: Scope
) -> tuple[Problem, Any]:
    """The problem, and plain code of ours beside the module.

    Code of ours that runs on any numbers needs none: it accounts for its own rounding.
    """
    ours = _is_ours(module)
    through: Segments | None = getattr(module, "segments", None) if ours else None
    if plain is None and not (ours and _target(module).any_numbers):
        asked = {} if through is None else {"checkpoint": through.steps, "truncate": through.cut}
        plain = (
            compile_cell(cell, "fused", **{flag: k for flag, k in asked.items() if k})
            if network is None
            else compile_network(network, "fused")
        )
    if network is not None:
        problem = network_problem(network, scope, module, ours=ours)
        if problem.unasked:  # plain code that is called as the module is
            plain = compile_network(replace(network, final=False), "fused")
        return problem, plain
    if through is not None:
        return SegmentedProblem(cell, scope, segments=through), plain
    return CellProblem(cell, scope), plain


def _target(kernel: Any) -> Target:
    """The language of a kernel's code: NumPy, unless it says otherwise."""
    return find_style(
        getattr(kernel, "style", "textbook"), getattr(kernel, "target", NUMPY.name)
    ).target


def _rounded(session: Session, case: Case, got: Result) -> set[str]:
    """What no check found wrong and rounding explains; past the range that is everything."""
    want = within(session.autograd(case), got)
    if not in_range(want, LARGEST[case.dtype]):
        return {*session.labels()} - {*session.wrong}
    bounds = session.bounds(case, CREDIT)
    if bounds is None:
        return set()
    return {d.label for d in differences(got, want, bounds[0], ORACLE_ERROR)
            if d.explained <= 1} - {*session.wrong}  # fmt: skip


def _diagnosed(session: Session, treated: Mapping[str, str]) -> Mapping[str, Gradient]:
    """The gradients, each judged at single time steps, and a wrong one with its mistake."""
    problem = session.problem
    if isinstance(problem, SegmentedProblem) and problem.segments.cut:
        return session.gradients()  # diagnosis knows whole gradients
    problem = problem.explained
    call = audited(problem, session.guard)
    try:
        with precision(problem.scope.dtype("float64")):
            found = explain_gradients(
                problem, call, seed=session.seed, failing=session.wrong,
                counterexample=session.counterexample, excuse=partial(_rounded, session),
            )  # fmt: skip
    except Misbehaviour:
        return session.gradients()
    for label, finding in found.items():
        if finding.wrong and label not in treated:
            session.wrong.setdefault(label, "time_steps")
            worst = session.errors.get(label, 0.0)
            session.errors[label] = max(worst, finding.scaled_error)
    gradients = {
        label: replace(
            gradient,
            diagnosis=found[label].sentence,
            causes=found[label].causes,
            steps=found[label].steps or None,
        ) if label in found else gradient
        for label, gradient in session.gradients().items()
    }  # fmt: skip
    for cause in session.guard.subject.causes:
        for label, gradient in gradients.items():
            if gradient.status == FAIL and not gradient.causes:
                said = f"{gradient_name(label)}: {cause}"
                gradients[label] = replace(gradient, diagnosis=said, causes=(cause,))
    for label, cause in treated.items():
        said = f"{gradient_name(label)}: {cause}"
        gradients[label] = replace(gradients[label], diagnosis=said, causes=(cause,))
    return gradients


def versions() -> dict[str, str]:
    """The versions that a verdict depends on."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
