"""A cell as a problem: its module has `forward` and `backward`, its loss weighs what is returned.

In: a cell. Out: `CellProblem`: its calls, and L = Σ_t Σ_s ⟨s̄_t, s_t⟩ over states and outputs by the
author's own equations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, ClassVar, Final

import numpy as np
from sympy import MatrixSymbol, OneMatrix, preorder_traversal

from derive.calculus.surrogates import declared_slopes
from derive.cell import Cell, declared
from derive.language.expr import Elementwise, Softmax
from numeric.meaning.default_constants import default_constants
from numeric.meaning.domains import undefined
from numeric.meaning.run_cell import Run, prepared
from numeric.meaning.sizes import shape_of, size_names
from numeric.numbers.arithmetic import Arithmetic
from numeric.verification.cases import LONG, REGIMES, WIDE, Arrays, Case, pushed, regimes_at_zero
from numeric.verification.problems.extents import Extents, Limits, Outputs, Result
from numeric.verification.scope import WHOLE, Scope
from numeric.verification.watch import CELL_FUNCTIONS, Guard

_SIZES: Final = (3, 2, 4)
_LARGEST: Final = 4
_SMALL: Final = 2
_NORMED: Final = 3
_SHARED: Final = 2
_EARLY: Final = LONG // 4
_ARITHMETICS: Final = 4  # for which the cell's equations are kept ready


@dataclass(frozen=True)
class CellProblem:
    """The states of a cell, and the gradients of L for given cotangents of them.

    `scope` says how much of that code is asked for, `functions` are those of the module; `checks`
    and `promises` the names of those that apply. With `every_step` every step adds to the loss, or
    the last alone.
    """

    cell: Cell
    scope: Scope = WHOLE
    _runs: dict[Arithmetic, Run] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    functions: ClassVar = CELL_FUNCTIONS
    every_step: ClassVar = True

    @property
    def checks(self) -> frozenset[str]:
        """All; the complex step goes through forward code, which knows no declared slope."""
        known = {"complex_step"} if not declared_slopes(self.cell) else set()
        return frozenset({"autograd", "high_precision", "exact", *known})

    def within(self, scope: Scope) -> CellProblem:
        """The same problem, in that scope."""
        return replace(self, scope=scope)

    @property
    def promises(self) -> frozenset[str]:
        """The promises of the interface: a backward pass that clips is linear below its limit."""
        linear = {"linear"} if self.scope.factor == 1 else set()
        empty = set() if self.scope.framework else {"empty"}
        return frozenset({"tape", "repeated", "missing", *empty, *linear})

    def declared(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """The module constants: group → name → size names."""
        return declared(self.cell)

    def gradients(self) -> list[tuple[str, str]]:
        """Group and name of every gradient."""
        cell = self.cell
        groups = {"params": cell.parameters, "inputs": cell.inputs, "initial": cell.states}
        return [(group, s.name) for group, symbols in groups.items() for s in symbols]

    def asked(self, case: Case) -> Case:
        """The case as the code can be asked: what it does not take is zero."""
        return self.scope.asked(case)

    def judged(self, group: str, name: str) -> bool:
        """Whether the code returns that gradient, or of the group "states" that state."""
        return self.scope.judged(group, name)

    def moves(self, group: str, name: str) -> bool:
        """Whether the code's outputs show what the array does, and its gradient is there."""
        return self.scope.moves(group, name) and self.scope.judged(group, name)

    def output_word(self, name: str) -> str:
        """What a state is called in words."""
        return f"states.{name}"

    def ordinary_sizes(self, largest: int | None = None) -> dict[str, int]:
        """Sizes that tell a matrix from its transpose: neighbours differ."""
        return enough(ordinary_sizes(self.cell, largest or _LARGEST), self.least)

    def least(self, size: str) -> int:
        """The smallest number that the size may be."""
        return least_size(self.cell, size)

    def case(
        self, sizes: Mapping[str, int], *, steps: int, batch: int, seed: int = 0,
        regime: str = "ordinary", dtype: str = "float64",
    ) -> Case:  # fmt: skip
        """The call of these sizes, its values from the seed."""
        dtype = self.scope.dtype(dtype)
        return self.asked(make_case(
            self.cell, sizes, steps=steps, batch=batch, seed=seed, regime=regime, dtype=dtype
        ))  # fmt: skip

    def undefined(self, case: Case) -> str:
        """The first place where the equations have no value, in words; empty if there is none."""
        case = case.widened()
        return undefined(self.cell, case.params, case.inputs, case.initial, case.constants)

    def ordinary_cases(
        self, regimes: Iterable[str], *, seed: int = 0, small: bool = False
    ) -> Iterator[Case]:
        """Cases that no mistake of the usual kind survives: several steps, samples and units."""
        sizes = self.ordinary_sizes(_SMALL if small else _LARGEST)
        for number, regime in enumerate(regimes):
            for dtype in self.scope.dtypes:
                for less in (0, 1):
                    yield self.case(
                        sizes, steps=REGIMES[regime].longest - less, batch=2 + less,
                        seed=seed + 2 * number + less, regime=regime, dtype=dtype,
                    )  # fmt: skip

    def unusual_cases(self, *, seed: int = 0) -> Iterator[Case]:
        """Wide ones, long ones, and zeros: code may be right as long as everything is usual.

        One long call has a loss at its last step alone: nothing hides how far back that goes. Its
        inputs end early, if they may be zero: what multiplies them is seen from afar or not at all.
        """
        usual = self.ordinary_sizes()
        wide = {name: WIDE[place % len(WIDE)] for place, name in enumerate(usual)}
        for dtype in self.scope.dtypes:
            for sizes, steps, batch in ((wide, 2, 35), (usual, LONG, 2)):
                yield self.case(
                    sizes, steps=steps, batch=batch, seed=seed, regime="contracting", dtype=dtype
                )
        if "float64" in self.scope.dtypes:  # in float32 what comes from so far is zero
            long = self.case(usual, steps=LONG, batch=2, seed=seed, regime="contracting")
            yield Scope(last_step=True).asked(self._ended_early(long))
        for regime in regimes_at_zero(self.cell):
            yield self.case(usual, steps=4, batch=2, seed=seed, regime=regime)

    def _ended_early(self, case: Case) -> Case:
        """The case with inputs that are zero but at its first steps; itself if they may not be."""
        inputs = {name: value.copy() for name, value in case.inputs.items()}
        for value in inputs.values():
            value[_EARLY:] = 0
        early = replace(case, inputs=inputs)
        return early if regimes_at_zero(self.cell) and not self.undefined(early) else case

    def limits(self, *, small: bool = False) -> Limits:
        """How large a drawn call may be; a framework has to compile each shape."""
        if self.scope.framework:
            return Limits(_SMALL, longest=3, widest=2)
        return Limits(_SMALL, longest=3) if small else Limits(_LARGEST)

    def exact_extents(self, example: int) -> Extents:
        """Usual sizes and small ones in turn; the usual ones count."""
        usual = self.ordinary_sizes()
        if example % 2 == 0:
            return Extents(usual, 4 - example // 2 % 3, 2, True)
        smaller = {name: 1 + place % 2 for place, name in enumerate(usual)}
        return Extents(smaller, 1 + example % 3, 1, False)

    def empty_extents(self) -> tuple[tuple[int, int], ...]:
        """T and B of calls without steps or without samples: any."""
        return ((0, 2), (3, 0), (0, 0))

    def without_steps(self, case: Case) -> Mapping[str, Any]:
        """What is not zero of a call without steps, by word: nothing, there are no states."""
        return {}

    @property
    def without_later(self) -> bool:
        """Whether its calls leave out what comes later: its cotangents are all there is."""
        return False

    @property
    def unasked(self) -> Mapping[str, str]:
        """What is wanted of the code that it cannot be asked for, and why: nothing."""
        return {}

    @property
    def explained(self) -> CellProblem:
        """The problem as a diagnosis asks it: itself, its loss is linear in the states."""
        return self

    def call(self, guard: Guard, case: Case) -> Result:
        """States and gradients of the case.

        Raises:
            Misbehaviour: if the module misbehaves.
        """
        return call(guard, case)

    def outputs(self, case: Case, arithmetic: Arithmetic) -> Outputs:
        """s_1…s_T of every state, and of every output, by the author's equations."""
        if (run := self._runs.get(arithmetic)) is None:
            while len(self._runs) >= _ARITHMETICS:
                del self._runs[next(iter(self._runs))]
            run = self._runs[arithmetic] = prepared(self.cell, arithmetic)
        return run(case.params, case.inputs, case.initial, case.constants)

    def output_shapes(self, case: Case) -> dict[str, tuple[int, ...]]:
        """The shape of each state and output in the module interface: (T, B, n), (T, B, n, k)."""
        return {
            s.name: (case.steps, case.batch, *shape_of(s, case.sizes, True))
            for s in self.cell.returned
        }

    def loss(self, case: Case, outputs: Outputs) -> Any:
        """L = Σ_t Σ_s ⟨s̄_t, s_t⟩, linear in the states and outputs."""
        total: Any = 0.0
        for name, values in outputs.items():
            for value, cotangent in zip(values, case.cotangents[name], strict=True):
                total = total + (cotangent * value).sum()
        return total

    def ends(self, case: Case, outputs: Outputs) -> Iterator[tuple[Any, Any]]:
        """Where reverse accumulation begins: what is returned, the loss's derivative by it."""
        for name, values in outputs.items():
            yield from zip(values, case.cotangents[name], strict=True)


def enough(sizes: Mapping[str, int], least: Callable[[str], int]) -> dict[str, int]:
    """The sizes, none below its least, and where they grow neighbours still differ."""
    return {
        name: size if least(name) <= size else least(name) + place % 2
        for place, (name, size) in enumerate(sizes.items())
    }


def least_size(cell: Cell, size: str) -> int:
    """The smallest number that a size of the cell may be.

    A column of one or two entries over its own norm is made of ±1, a softmax of one entry is 1:
    their gradients are nothing but rounding.
    """
    shared = size in _softmax_sizes(cell)
    return _NORMED if size in _normed_sizes(cell) else _SHARED if shared else 1


@lru_cache(maxsize=256)
def _normed_sizes(cell: Cell) -> frozenset[str]:
    """The sizes over which a cell sums that takes roots."""
    nodes = [node for equation in cell.equations for node in preorder_traversal(equation.value)]
    if not any(isinstance(n, Elementwise) and n.function.name == "sqrt" for n in nodes):
        return frozenset()
    sums = (n.shape[1] for n in nodes if isinstance(n, OneMatrix) and n.shape[0] == 1)
    return frozenset(str(letter) for extent in sums for letter in extent.free_symbols)


@lru_cache(maxsize=256)
def _softmax_sizes(cell: Cell) -> frozenset[str]:
    """The sizes of the columns that a cell takes a softmax of."""
    nodes = [node for equation in cell.equations for node in preorder_traversal(equation.value)]
    extents = (node.shape[0] for node in nodes if isinstance(node, Softmax))
    return frozenset(str(letter) for extent in extents for letter in extent.free_symbols)


def call(guard: Guard, case: Case) -> Result:
    """States and gradients of the case.

    Raises:
        Misbehaviour: if the module misbehaves.
    """
    states, tape = guard.forward(case.params, case.inputs, case.initial, case.constants)
    return states, guard.backward(case.params, tape, case.cotangents)


def make_case(
    cell: Cell,
    sizes: Mapping[str, int],
    *,
    steps: int,
    batch: int,
    seed: int = 0,
    regime: str = "ordinary",
    dtype: str = "float64",
) -> Case:
    """The case of these sizes; nonzero initial states, biases, cotangents of all that is returned.

    Constants are random, but for one seed in three the cell's defaults where it has any.
    """
    rng = np.random.default_rng(seed)
    scale = REGIMES[regime]

    def normal(shape: tuple[int, ...], deviation: float) -> Any:
        return np.asarray(rng.normal(size=shape) * deviation).astype(dtype)

    def parameter(symbol: MatrixSymbol) -> Any:
        shape = shape_of(symbol, sizes)
        if len(shape) == 2:
            return normal(shape, scale.gain / max(1, shape[1]) ** 0.5)
        return pushed(normal(shape, scale.bias), scale.least)

    def sequence(symbol: MatrixSymbol, batched: bool, deviation: float) -> Any:
        width = shape_of(symbol, sizes, symbol not in cell.constants)
        return normal((steps, batch, *width) if batched else (steps, *width), deviation)

    given: Arrays = {}
    if cell.defaults and seed % 3 == 0:
        with suppress(ValueError):  # values in the file that are of other sizes
            given = default_constants(cell, {**sizes, "T": steps}, rng)

    def constant(symbol: MatrixSymbol) -> Any:
        if symbol.name in given:
            return np.asarray(given[symbol.name]).astype(dtype)
        if symbol.name in cell.sequences:
            return sequence(symbol, bool(seed % 2), 1.0)
        return normal(shape_of(symbol, sizes), 1.0)

    return Case(
        steps, batch, dict(sizes), seed, regime, dtype,
        params={s.name: parameter(s) for s in cell.parameters},
        inputs={s.name: sequence(s, True, scale.signal) for s in cell.inputs},
        initial={s.name: normal((batch, *shape_of(s, sizes, True)), scale.state)
                 for s in cell.states},
        constants={s.name: constant(s) for s in cell.constants},
        cotangents={s.name: sequence(s, True, 1.0) for s in cell.returned},
    )  # fmt: skip


def ordinary_sizes(cell: Cell, largest: int = _LARGEST) -> dict[str, int]:
    """Sizes that tell a matrix from its transpose: neighbours differ."""
    return {
        name: min(largest, _SIZES[place % len(_SIZES)])
        for place, name in enumerate(size_names(cell))
    }
