"""The search for a call on which code is wrong, and the smallest one like it.

In: a test of one case, set cases and a strategy of drawn ones. Out: `Check`, with the failure of
the smallest case found.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from hypothesis import HealthCheck, Phase, Verbosity, given, target
from hypothesis import seed as with_seed
from hypothesis import settings as hypothesis_settings
from hypothesis.errors import Flaky, Unsatisfiable, UnsatisfiedAssumption
from hypothesis.internal import conjecture

from derive.saying import said
from numeric.verification.cases import Case
from numeric.verification.problems.problem import smaller_cases
from numeric.verification.session import Session
from numeric.verification.verdict import FAIL, INCONCLUSIVE, PARTIAL, PASS, Check
from numeric.verification.watch import Misbehaviour

_CALLS: Final = ("further calls", "some calls")
SMALLER: Final = 15.0  # seconds in which a failing case is made smaller
_FROM_SOURCES: Final = ("_get_local_constants", "CONSTANTS_CACHE")  # what Hypothesis calls them
_SEARCHES: Final = threading.Lock()
_put_back: Final[list[dict[str, Any]]] = []  # what stood there, then an entry for each search
MANY: Final = 200  # from so many examples on, the search climbs towards the largest error


class WrongError(AssertionError):
    """The module differs from the oracle on an example."""


def search(
    session: Session,
    check: str,
    battery: Iterable[Case],
    strategy: Any,
    examples: int,
    test: Callable[[Case], float],
) -> Check:
    """The test on set cases, then on drawn ones; the smallest failing one is noted.

    `test` gives the scaled error. Drawn failures shrink by Hypothesis, a set one by its sizes.
    """
    worst, count, lost = 0.0, 0, 0
    known = len(session.undefined)
    failures: dict[bytes, Exception] = {}
    end = math.inf
    target_largest = examples >= MANY

    def attempt(case: Case) -> float:
        nonlocal worst, count, lost, end
        if failures and time.monotonic() > end:  # what failed fails again, nothing else is tried
            if (again := failures.get(case.content())) is not None:
                raise again
            raise UnsatisfiedAssumption
        if not session.is_defined(case):
            lost += 1
            raise UnsatisfiedAssumption
        try:
            error = test(case)
        except (Misbehaviour, WrongError) as problem:
            if session.forgiving and isinstance(problem, Misbehaviour):
                session.forgive(case, problem)
                raise UnsatisfiedAssumption from problem
            session.note(check, case, str(problem))
            end = min(end, time.monotonic() + SMALLER)
            failures[case.content()] = problem
            raise
        worst, count = max(worst, error), count + 1
        return error

    @with_seed(session.seed)
    @hypothesis_settings(
        max_examples=examples, deadline=None, database=None, print_blob=False,
        verbosity=Verbosity.quiet, suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.target, Phase.shrink), report_multiple_bugs=False,
    )  # fmt: skip
    @given(strategy)
    def example(case: Case) -> None:
        error = attempt(case)
        if target_largest:
            target(error)

    failed = _first_failure(attempt, battery)
    problem: Exception | None = None
    try:
        if session.stopped is None:
            with _by_the_seed():
                example()
    except (Misbehaviour, WrongError) as found:
        problem = found
    except Flaky:
        problem = Misbehaviour("the module gives different results for equal calls")
    except Unsatisfiable:
        pass
    if problem is None and failed is None and not count:
        unjudged = [session.unjudged[what] for what in _CALLS if what in session.unjudged]
        if unjudged:
            return Check(PARTIAL, unjudged[0])
        if not lost:
            reason = "every example lies at a kink of a function, or beyond the range of the oracle"
            return Check(INCONCLUSIVE, reason)
    if problem is None and failed is None and lost > count:
        place = [*session.undefined][known - len(session.undefined) or 0]
        reason = said("undefined in {0} of {1} examples: {2}", lost, lost + count, place)
        return Check(INCONCLUSIVE, reason, {"examples": count, "scaled_error": worst})
    if problem is None and failed is not None:
        problem = _shrunk(session, attempt, *failed)
    figures = {"examples": count, "scaled_error": worst}
    return Check(PASS, None, figures) if problem is None else Check(FAIL, str(problem), figures)


@contextmanager
def _by_the_seed() -> Iterator[None]:
    """Examples that follow from the seed alone, not from the source files of the process.

    Hypothesis draws some numbers from the constants that stand in modules outside site-packages,
    and parses all of these for it: ours, where they are not installed, and the caller's. Of
    several searches at once the first takes them out and the last puts them back.
    """
    drawing: Any = getattr(conjecture, "providers", None)
    if not all(hasattr(drawing, name) for name in ("Constants", *_FROM_SOURCES)):
        yield  # a version that draws none
        return
    with _SEARCHES:
        if not _put_back:
            _put_back.append({name: getattr(drawing, name) for name in _FROM_SOURCES})
            none, cache = drawing.Constants(), type(drawing.CONSTANTS_CACHE)(1024)
            vars(drawing).update(zip(_FROM_SOURCES, (lambda: none, cache), strict=True))
        _put_back.append({})
    try:
        yield
    finally:  # the caller's own tests go on with theirs
        with _SEARCHES:
            _put_back.pop()
            if len(_put_back) == 1:
                vars(drawing).update(_put_back.pop())


def _first_failure(
    attempt: Callable[[Case], float], battery: Iterable[Case]
) -> tuple[Case, Exception] | None:
    """The first of the set cases that fails; one beyond the oracle's range is passed over."""
    for case in battery:
        try:
            attempt(case)
        except UnsatisfiedAssumption:
            continue
        except (Misbehaviour, WrongError) as problem:
            return case, problem
    return None


def _shrunk(
    session: Session, attempt: Callable[[Case], float], case: Case, problem: Exception
) -> Exception:
    """The failure of the smallest case that one smaller size after another leads to."""
    smaller = smaller_cases(session.problem, case)
    while session.stopped is None and (candidate := next(smaller, None)) is not None:
        failure = _first_failure(attempt, [candidate])
        if failure is not None:
            case, problem = failure
            smaller = smaller_cases(session.problem, case)
    return problem
