"""States whose value reaches nothing that a layer hands up: no path leads there, or all cancel.

In: a derivation. Out: `LostState`s. With a loss on what is handed up alone, the cotangent of such a
state is 0 at every step. Where no path leads from it the adjoint equations show that by what they
read. Where paths do they cancel, exactly: a running maximum that is taken from exponents and added
again, a scale that is divided out. Cotangents are computed by the adjoint equations over
a prime field, functions being random: an expression that is not 0 would be so by chance, at about
its degree / 2⁶¹, and one that is 0 here at every draw is 0 whatever the weights. Comparisons turn
either way at random: a piece of a function that small numbers never meet is met as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import cycle
from typing import Any, Final

import numpy as np
from sympy import Integer, MatrixSymbol

from derive.calculus.adjoint import bar, carry, from_loss
from derive.calculus.through_time import Derivation
from derive.cell import previous
from derive.language.expr import symbols_of
from derive.network import Network
from numeric.meaning.over_time import Line
from numeric.meaning.sizes import extent_of, size_names
from numeric.numbers.moving import EXACT
from numeric.numbers.prime_field import Dual, DualArray
from numeric.numbers.random_functions import CURRENT, PRIME

Array = Any
STEPS: Final = 6
_DRAWS: Final = 6
_SMALL: Final = (2, 3)
_DECADES: Final = (-3, 6)  # of the sizes that comparisons see


@dataclass(frozen=True)
class LostState:
    """A state, what is handed up, and over how many steps its cotangent is 0 at each.

    `cancels`: whether paths lead from it, which cancel; else there are none, over any steps.
    `first`: whether its initial value changes what is handed up; `first_from_zero`: whether it does
    where the other states begin at zero.
    """

    state: str
    read: str
    steps: int
    first: bool
    first_from_zero: bool
    cancels: bool = True

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {
            "state": self.state, "read": self.read, "steps": self.steps,
            "paths_cancel": self.cancels,
            "initial_value_matters": self.first,
            "initial_value_matters_from_zero": self.first_from_zero,
        }  # fmt: skip


@lru_cache(maxsize=16)
def lost_states(derivation: Derivation) -> tuple[LostState, ...]:
    """The states that what is handed up does not depend on, each step's value by itself.

    None where the cell does not run on the field's elements.
    """
    cell = derivation.cell
    read = Network(cell).output if _hands_up(derivation) else None
    if read is None or {state.name for state in cell.states} <= {read.name}:
        return ()
    steps, lost = range(1, STEPS + 1), {state.name for state in cell.states}
    drawn: list[dict[tuple[str, int], bool]] = []
    try:
        for seed in range(_DRAWS):
            drawn.append(_cotangents(derivation, read, seed, zero=False))
            lost = {name for name in lost if all(drawn[-1][name, t] for t in steps)}
            if not lost:  # as in nearly every cell: what one draw shows no other takes back
                return ()
        begun = [_cotangents(derivation, read, seed, zero=True) for seed in range(_DRAWS)]
    except (TypeError, ZeroDivisionError):
        return ()
    joined = _joined(derivation, read)
    return tuple(
        LostState(
            state.name, read.name, STEPS,
            any(not run[state.name, 0] for run in drawn),
            any(not run[state.name, 0] for run in begun),
            state in joined,
        )
        for state in cell.states
        if state.name in lost
    )  # fmt: skip


def _hands_up(derivation: Derivation) -> bool:
    """Whether a layer of the cell would hand up a vector."""
    cell = derivation.cell
    return bool(cell.outputs) or any(state.shape[1] == 1 for state in cell.states)


def _joined(derivation: Derivation, read: MatrixSymbol) -> frozenset[MatrixSymbol]:
    """The states from which paths lead to what is read, over any number of steps."""
    states = derivation.cell.states
    joined, before = {from_loss(read)}, -1
    while len(joined) > before:
        before = len(joined)
        for equation in derivation.adjoint:
            if not joined.isdisjoint(symbols_of(equation.value)):
                joined.add(equation.target)
        for state, equation in zip(states, derivation.carries, strict=True):
            if not joined.isdisjoint(symbols_of(equation.value)):
                joined.add(carry(state))
    return frozenset(state for state in states if bar(state) in joined)


def _cotangents(
    derivation: Derivation, read: MatrixSymbol, seed: int, *, zero: bool
) -> dict[tuple[str, int], bool]:
    """Whether each state's cotangent is 0 at each time; `zero`: all others begin at zero."""
    with EXACT.functions(seed), np.errstate(all="ignore"):
        return _Run(derivation, read, seed, zero=zero).back()


class _Run:
    """One sequence of one sample in the field, forward and back."""

    def __init__(
        self, derivation: Derivation, read: MatrixSymbol, seed: int, *, zero: bool
    ) -> None:
        self.derivation, self.read = derivation, read
        self.rng = np.random.default_rng(seed)
        cell = derivation.cell
        self.sizes = dict(zip(size_names(cell), cycle(_SMALL), strict=False))
        sequences = [c for c in cell.constants if c.name in cell.sequences]
        fixed = {s.name: self.drawn(s) for s in (*cell.parameters, *cell.constants)
                 if s not in sequences}  # fmt: skip
        state = {s.name: self.nothing(s) if zero else self.drawn(s) for s in cell.states}
        self.values: list[dict[str, Array]] = []
        for _ in range(STEPS):
            now = {**fixed, **{s.name: self.drawn(s) for s in (*cell.inputs, *sequences)}}
            now |= {previous(s).name: state[s.name] for s in cell.states}
            line = self.line(now)
            for equation in derivation.forward:
                now[equation.target.name] = _scattered(line(equation.value))
            state = {s.name: now[s.name] for s in cell.states}
            self.values.append(now)

    def line(self, values: dict[str, Array]) -> Line:
        """A reader of equations at one step."""
        return Line(values, self.sizes, EXACT.arithmetic)

    def drawn(self, symbol: MatrixSymbol) -> Array:
        """Elements for the symbol."""
        return _scattered(EXACT.draw(self.rng, self.shape(symbol), 1.0))

    def nothing(self, symbol: MatrixSymbol) -> Array:
        """Zero for the symbol."""
        return EXACT.arithmetic.full(*self.shape(symbol), Integer(0))

    def shape(self, symbol: MatrixSymbol) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = (extent_of(extent, self.sizes) for extent in symbol.shape)
        return rows, columns

    def back(self) -> dict[tuple[str, int], bool]:
        """Whether each state's cotangent is 0, at the steps and at time 0."""
        cell, derivation = self.derivation.cell, self.derivation
        handed = {s.name: self.nothing(s) for s in cell.states}
        found = {}
        for t in range(STEPS, 0, -1):
            now = self.values[t - 1]
            for symbol in cell.returned:
                sent = self.drawn(symbol) if symbol == self.read else self.nothing(symbol)
                now[from_loss(symbol).name] = sent
            now |= {carry(s).name: handed[s.name] for s in cell.states}
            line = self.line(now)
            for equation in derivation.adjoint:
                now[equation.target.name] = line(equation.value)
            for state, equation in zip(cell.states, derivation.carries, strict=True):
                handed[state.name] = line(equation.value)
                found[state.name, t] = _is_zero(now[bar(state).name])
        return found | {(name, 0): _is_zero(value) for name, value in handed.items()}


def _scattered(array: Array) -> Array:
    """The elements, each compared as a float of any size and sign: the same for equal ones."""
    held = DualArray.of(array)
    flat = np.empty(held.size, dtype=object)
    flat[:] = [Dual(e.value, e.tangent, _somewhere(e.value)) for e in held.ravel()]
    return flat.reshape(held.shape).view(DualArray)


def _somewhere(value: int) -> float:
    """A random odd function: 0 at 0, else between so many decades on either side."""
    found = CURRENT.get().odd(b"size", value)
    share = (found if found <= PRIME // 2 else found - PRIME) / (PRIME // 2)
    least, most = _DECADES
    size = 10.0 ** (least + (most - least) * abs(share))
    return float(np.copysign(size, share)) if share else 0.0


def _is_zero(array: Array) -> bool:
    return EXACT.equal(array, array - array)
