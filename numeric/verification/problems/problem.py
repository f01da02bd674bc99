"""A problem to be verified: what the checks ask, whether a cell or a network answers.

In: nothing. Out: `Problem`: a `CellProblem` of `of_cell`, which says what each method is, or a
`NetworkProblem` of `of_network`, which has the same ones. Oracles, exact check, promises, session
and diagnosis are written once, over both; nothing here knows of code of ours.
"""

from __future__ import annotations

from collections.abc import Iterator

from numeric.verification.cases import Case
from numeric.verification.problems.of_cell import CellProblem
from numeric.verification.problems.of_network import NetworkProblem

Problem = CellProblem | NetworkProblem


def smaller_cases(problem: Problem, case: Case) -> Iterator[Case]:
    """The same seed and regime with one size smaller: first by half, then by one."""
    extents_now = {"T": case.steps, "B": case.batch, **case.sizes}
    for by_half in (True, False):
        for name, size in extents_now.items():
            less = size // 2 if by_half else size - 1
            if less >= (1 if name in "TB" else problem.least(name)):
                extents = {**extents_now, name: less}
                steps, batch = extents.pop("T"), extents.pop("B")
                yield problem.case(
                    extents, steps=steps, batch=batch, seed=case.seed, regime=case.regime,
                    dtype=case.dtype,
                )  # fmt: skip
