"""A cell's code that goes through time in segments, as a problem; truncated, by its own equations.

In: a cell and its segments. Out: `SegmentedProblem`. A truncated gradient is that of a loss in
which the state handed over each cut is a constant: the oracles differentiate just that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from numeric.compiler.segments import Segments
from numeric.meaning.run_cell import run_cell
from numeric.numbers.arithmetic import Arithmetic
from numeric.verification.cases import Case
from numeric.verification.problems.extents import Extents, Outputs
from numeric.verification.problems.of_cell import CellProblem


@dataclass(frozen=True)
class SegmentedProblem(CellProblem):
    """The states of a cell, and gradients that go back no further than the last cut."""

    segments: Segments = field(default=Segments(0))

    @property
    def checks(self) -> frozenset[str]:
        """Those of a cell; the complex step goes through forward code, which knows no cut."""
        return super().checks - ({"complex_step"} if self.segments.cut else set())

    def unusual_cases(self, *, seed: int = 0) -> Iterator[Case]:
        """Those of a cell, and calls of two segments and a step more."""
        yield from super().unusual_cases(seed=seed)
        steps = 2 * (self.segments.cut or self.segments.steps) + 1
        for number, dtype in enumerate(("float64", "float32")):
            yield self.case(
                self.ordinary_sizes(), steps=max(steps, 7), batch=2, seed=seed + number,
                regime="contracting", dtype=dtype,
            )  # fmt: skip

    def exact_extents(self, example: int) -> Extents:
        """Those of a cell; within one cut, where the gradient is that of the forward code."""
        extents = super().exact_extents(example)
        steps = min(extents.steps, self.segments.cut or extents.steps)
        return Extents(extents.sizes, steps, extents.batch, extents.counts)

    def outputs(self, case: Case, arithmetic: Arithmetic) -> Outputs:
        """s_1…s_T by the author's equations, each segment from a state that is a constant."""
        length = self.segments.cut or case.steps
        if not length or case.steps <= length:
            return super().outputs(case, arithmetic)
        found: dict[str, list[object]] = {}
        before = dict(case.initial)
        for start in range(0, case.steps, length):
            constants = {
                name: value[start : start + length] if name in self.cell.sequences else value
                for name, value in case.constants.items()
            }
            inputs = {name: value[start : start + length] for name, value in case.inputs.items()}
            made = run_cell(self.cell, case.params, inputs, before, constants, arithmetic)
            for name, rows in made.items():
                found.setdefault(name, []).extend(rows)
            before = {name: arithmetic.constant(found[name][-1]) for name in before}
        return found
