"""Broken steps of what writes C, and of the text that every C file shares.

In: nothing. Out: the mutants, and where one is noticed: cells are compiled at sizes around whole
vectors, over several chunks of steps, and compared with autograd in double.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any, Final

from sympy import S
from wrong_steps import Mutant, after, instead

from derive import Cell, catalogue
from derive.calculus.through_time import derivation_of
from derive.cell import declared
from numeric.compiler import passes as stages
from numeric.compiler.lower import lower
from numeric.compiler.target import Header
from numeric.compiler.targets import find_style
from numeric.compiler.to_c import (
    build,
    calls,
    expressions,
    functions,
    loading,
    matrices,
    memory,
    module,
    per_sample,
    places,
    runtime,
    schedule,
    sums,
    threads,
    unstack,
    weights,
    writing,
)
from numeric.verification.compare import differences
from numeric.verification.oracles import Answer, autograd_answer
from numeric.verification.problems.of_cell import CellProblem, call, make_case, ordinary_sizes
from numeric.verification.watch import Guard, subject_of

FLAGS: Final = ("-std=gnu11", "-O1", "-march=native", "-ffp-contract=fast", "-fPIC", "-shared")
OF_MATRICES: Final = Cell.parse(
    name="matrices",
    equations="""
k = sigmoid(K @ x)
v = sigmoid(V @ x)
M = tanh(R @ S_prev @ A + L)
S = sigmoid(dot(w, x)) * (diag(v) @ S_prev) + (M @ diag(k)) * S_prev + outer(v - S_prev @ k, k)
y = (S * M) @ (k + S.T @ v)
""",
    outputs=["y"],
    matrices=["A", "L"],
)
CELLS: Final = (catalogue["rnn"], catalogue["lstm"], catalogue["gru"], OF_MATRICES)


def shared(what: str, helper: str, old: str, new: str) -> Mutant:
    """A helper's text, with a part of it replaced wherever it stands."""

    def wrong(right: tuple[str, Any]) -> tuple[str, Any]:
        text, needs = right
        if old not in text:
            raise LookupError(f"{helper}: the mutant's place {old!r} is gone")
        return text.replace(old, new), needs

    return Mutant("c", what, runtime.ALL_HELPERS, helper, wrong)


def spelling(what: str, name: str, **changed: str) -> Mutant:
    """A function's row, with another text."""
    return Mutant("c", what, functions.FAST, name, lambda right: replace(right, **changed))


def statement(what: str, op: str, **changed: Callable[[Any], Any]) -> Mutant:
    """An entrywise operation, its statement spoilt."""

    def wrong(right: Callable[..., str]) -> Callable[..., str]:
        return lambda s, style, text: right(
            replace(s, **{name: change(s) for name, change in changed.items()}), style, text
        )

    return Mutant("c", what, expressions._SPELLED, op, wrong)


def _never_cleared(right: Callable[..., None]) -> Callable[..., None]:
    def wrong(self: Any, loop: Any, *more: Any) -> None:
        right(self, loop, *more)
        loop.samples[:] = [line for line in loop.samples if not line.startswith("clear(")]

    return wrong


def _forgetful(right: Callable[[Any], None]) -> Callable[[Any], None]:
    def wrong(self: Any) -> None:
        right(self)
        self.copied.clear()
        self.aliases.clear()

    return wrong


C_MUTANTS: Final = (
    shared("tile: an entry is not added", "tile", "+= x * w[v]", "= x * w[v]"),
    shared("tile: the sum's rest is left out", "tile", "; k < depth; k++", "; k < depth - 1; k++"),
    shared("tile: a chain is lost", "tile", "int i = 1; i < chains", "int i = 2; i < chains"),
    shared("tile: what was there is lost", "tile", " += load(c", " = load(c"),
    shared("panel: the last rows are left out", "tile", " + (i < rows % count)", ""),
    shared("panel: an edge is a column short", "tile", "j < columns; j++", "j + 1 < columns; j++"),
    shared("pack: from the wrong row", "pack", "first * step", "0 * step"),
    shared("product: a later run meets the first weights", "product", "i * depth *", "0 * depth *"),
    shared("product: the next run is the first", "product", "a + i * gap", "a"),
    shared("outer: every panel in the first columns", "outer", "c + j, c_row", "c, c_row"),
    shared("outer: the first columns are copied again", "outer", "u_row + j + i", "u_row + i"),
    shared("a gradient is not transposed", "transposed", "a[j * a_row + i]", "a[i * a_row + j]"),
    shared("the sum of rows skips one", "sum_rows", "i = 0; i < rows", "i = 1; i < rows"),
    shared("tanh is 1 too early", "vtanh", "R(20.0)", "R(2.0)"),
    shared("σ takes the wrong side", "vsigmoid", "vmax(-a", "vmax(a"),
    spelling("tanh′ is 1 − y", "tanh", slope_from_output="R(1.0) - y"),
    spelling("σ′ is y", "sigmoid", slope_from_output="y"),
    statement("signs are lost", "add", settings=lambda s: tuple(abs(n) for n in s.settings)),
    statement("a factor is lost", "multiply", operands=lambda s: s.operands[:1] + s.operands[2:]),
    Mutant("c", "a state is read where the one before stands", places.Places, "_is_late_row",
           instead(lambda self, home: False)),
    Mutant("c", "all parts begin where the first does", memory.Memory, "offset",
           lambda right: lambda self, name, sizes, start=S.Zero: ""),
    Mutant("c", "sums of all parts are the first's", sums.Sums, "_before",
           instead(lambda self, name, start: "")),
    Mutant("c", "stacked weights are the first matrix again and again", weights.Weights, "rows_of",
           lambda right: lambda self, stack, start, *more: right(self, stack, S.Zero, *more)),
    Mutant("c", "units of work in the opposite order", schedule, "ordered",
           after(lambda units: units[::-1])),
    Mutant("c", "carries are never handed on", memory.Memory, "_find_carries", _forgetful),
    shared("what stands behind a row's end is in its sum", "within",
           "choose(load(number) < splat((real)some), a, splat(R(0.0)))", "a"),
    shared("half of a vector is not in its sum", "sum_of", "+= x[1]", "+= x[0] - x[0]"),
    shared("the last halves are not in a sum", "sum_of", "/ 4; w > 0", "/ 4; w > 1"),
    Mutant("c", "an outer product is turned", matrices.AXES, "each_outer",
           lambda right: right[::-1]),
    Mutant("c", "sums over the lines go on from sample to sample", per_sample.PerSample, "_summed",
           _never_cleared),
    Mutant("c", "sums are read before they are done", schedule, "_half_made",
           instead(lambda *_: False)),
    Mutant("c", "every sample's matrix is the first's", per_sample.PerSample, "_matrix",
           lambda right: lambda self, name: right(self, name).replace("row *", "0 *")),
    Mutant("c", "every line is the first", per_sample.PerSample, "_place",
           lambda right: lambda *of: right(*of).replace("+ line", "")),
    Mutant("c", "matrices of each sample are summed line by line", places.Places, "each",
           instead(lambda self, name: "")),
    Mutant("c", "a step further is a row further, whatever a sample's rows", places, "lines",
           instead(lambda program, name: None)),
    shared("rows of the other samples are gathered", "together", "a + i * step", "a + i * width"),
    Mutant("c", "a step of a part is one of the whole batch", memory.Memory, "is_callers",
           instead(lambda self, name: False)),
    Mutant("c", "what a chunk writes lies over other samples", writing.Writer, "_is_apart",
           instead(lambda self, unit: False)),
    Mutant("c", "sums read the rows of other samples", places.Places, "gathered",
           instead(lambda self, target, name: ("", []))),
    Mutant("c", "a part is the whole", unstack._Unstacker, "part",
           lambda right: lambda self, name, start, size: right(self, name, S.Zero, size)),
)  # fmt: skip


@cache
def expected(cell: Cell) -> tuple[tuple[Any, Answer], ...]:
    """Cases of the cell, and autograd's answers: around vectors, over several chunks."""
    found = []
    for n, steps, batch in ((9, 3, 2), (20, 40, 7), (130, 3, 5), (5, 300, 1), (9, 40, 9)):
        sizes = {name: max(1, n - place) for place, name in enumerate(ordinary_sizes(cell))}
        case = make_case(cell, sizes, steps=steps, batch=batch, seed=1, regime="contracting")
        case.inputs["x"][0] *= 20  # into saturation and back
        found.append((case, autograd_answer(CellProblem(cell), case)))
    return tuple(found)


def noticed_in_c(mutant: Mutant, broken: Callable[[Mutant], Any]) -> str | None:
    """On which cell and case the mutant is noticed; None if nowhere."""
    style = find_style("fused", "c")
    right = {cell: expected(cell) for cell in CELLS}
    library, least, most = calls.library, threads.LEAST_IN_PLACE, threads.most_threads
    threads.LEAST_IN_PLACE, threads.most_threads = 0, lambda: 2  # batches of 8 and more
    calls.library = partial(build.library, flags=FLAGS)  # type: ignore[assignment]
    try:
        for cell in CELLS:
            program = stages.optimise(lower(derivation_of(cell), style.slope_from), style.passes)
            header = Header("", (), declared(cell), cell.name)
            try:
                with broken(mutant):
                    source = module.emit(program, style, header)
                    loaded = loading.load(source, "mutant")
                for case, want in right[cell]:
                    found = list(differences(call(Guard(subject_of(loaded)), case), want))
                    if not all(difference.right(1e-12) for difference in found):
                        return f"{cell.name}, T = {case.steps}, B = {case.batch}"
            except Exception as problem:
                return f"{cell.name}: {type(problem).__name__}"
    finally:
        calls.library = library
        threads.LEAST_IN_PLACE, threads.most_threads = least, most
    return None
