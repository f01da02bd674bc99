"""The adjoint equations as they stand, in numbers, with any of their terms exchanged.

In: a derivation, a case, and the terms to be exchanged. Out: the gradients that code with
such terms computes. Every equation is evaluated per sample, as the derivation writes it, with
a column of its own for each sample: what is summed over batch and time is summed here, last,
and may be summed wrongly on purpose. What no cotangent enters is computed once for a case.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any, Final

import numpy as np
from sympy import MatrixExpr, MatrixSymbol

from derive.calculus.adjoint import AdjointEquation
from derive.calculus.through_time import Derivation
from derive.cell import previous, timeless_symbols
from derive.language.expr import operands, symbols_of
from derive.language.syntax import BAR, CARRY, LOSS
from numeric.meaning.interpret import Step, compiled
from numeric.meaning.sizes import extent_of
from numeric.verification.cases import Case
from numeric.verification.explain.change import (
    LIMITS,
    LOSSES,
    READ,
    REDUCTIONS,
    SCALES,
    STARTED,
    Change,
    Place,
)

Array = Any
Values = Mapping[str, Array]
Labels = dict[str, Array]
KEPT: Final = 4000  # loops over time, for the changes of parameters that share them


class ForwardPass:
    """The forward pass of one case, and the gradients that changed equations make of it."""

    def __init__(self, derivation: Derivation, case: Case) -> None:
        """Run the forward equations, every value kept: columns (T, B, n, 1), or (T, B, n, k)."""
        self.derivation, self.case = derivation, case
        self.sizes = case.sizes
        cell = derivation.cell
        self.timeless = {s.name for s in timeless_symbols(cell, derivation.forward)}
        self.fixed = {name: _matrix(value) for name, value in case.params.items()}
        self.whole: dict[str, Array] = {name: _column(value) for name, value in case.inputs.items()}
        for name, value in case.constants.items():
            if name not in cell.sequences:
                self.fixed[name] = _matrix(value)
            else:
                rank = 1 + any(s.name == name and s.shape[0] != 1 for s in cell.constants)
                rows = value.reshape((*value.shape, *[1] * (2 - rank)))
                self.whole[name] = _column(rows if rows.ndim == 3 else rows[:, None])
        self._walk()
        self._ready: dict[MatrixExpr, MatrixExpr] = {}
        self._receive(case.cotangents)

    def _receive(self, cotangents: Mapping[str, Array]) -> None:
        self.cotangents = {name: _column(value, 2) for name, value in cotangents.items()}
        given = [np.any(value, axis=tuple(range(1, value.ndim))) for value in
                 self.cotangents.values()]  # fmt: skip
        self._latest = int(np.max(np.nonzero(np.any(given, axis=0))[0], initial=0))
        self._loops: dict[Any, Any] = {}

    def under(self, cotangents: Mapping[str, Array]) -> ForwardPass:
        """The same forward pass with other cotangents of the states, (T, B, n)."""
        other = copy(self)
        other._receive(cotangents)
        return other

    def _walk(self) -> None:
        cell, steps = self.derivation.cell, self.case.steps
        made: dict[str, list[Array]] = {}
        before = {s.name: _column(self.case.initial[s.name], 1) for s in cell.states}
        for t in range(steps):
            values = {**self.fixed, **{name: value[t] for name, value in self.whole.items()}}
            values |= {previous(s).name: before[s.name] for s in cell.states}
            for equation in self.derivation.forward:
                name = equation.target.name
                value = self.evaluate(equation.value, values)
                if name in self.timeless:
                    self.fixed[name] = values[name] = value
                else:
                    shape = (self.case.batch, *value.shape[-2:])
                    values[name] = np.broadcast_to(value, shape)
            before = {name: values[name] for name in before}
            for name in {*values} - {*self.fixed} - {*self.whole}:
                made.setdefault(name, []).append(values[name])
        self.whole |= {name: np.stack(found) for name, found in made.items()}
        for name, value in tuple(self.whole.items()):
            self.whole |= {name + ending: read(value) for ending, read in READ.items()}
        for state in cell.states:
            started = self.whole[state.name + STARTED] = self.whole[previous(state).name].copy()
            started[:1] = 0

    @property
    def outputs(self) -> Labels:
        """What a module's forward pass returns: the states."""
        return self.states

    @property
    def states(self) -> Labels:
        """The states and outputs over time, (T, B, n) or (T, B, n, k)."""
        returned = self.derivation.cell.returned
        return {s.name: _as_returned(self.whole[s.name], s) for s in returned}

    def evaluate(self, expression: MatrixExpr, values: Values) -> Array:
        """The value of an expression."""
        return compiled(expression)(Step(values, self.sizes))

    def learn(self, forward: Iterable[Any]) -> None:
        """Values for the targets of other forward equations, from what is known already."""
        for equation in forward:
            name = equation.target.name
            if name not in self.whole and name not in self.fixed:
                self.whole[name] = self.evaluate(equation.value, {**self.fixed, **self.whole})

    # ---- the backward pass ------------------------------------------------------------------

    def gradients(self, change: Change, derivation: Derivation | None = None) -> Gradients:
        """The gradients by label, each computed when it is asked for."""
        derivation = derivation or self.derivation
        touched = {e.target.name for e in (*derivation.adjoint, *derivation.carries)}
        places = [p for p in (*change.terms, *change.at_first) if p[0] in touched]
        key = (id(derivation), change.of_time(), *sorted(change.limits.items()), *(
            (place, change.terms.get(place, 0), change.at_first.get(place, 0))
            for place in places
        ))  # fmt: skip
        if key not in self._loops:
            if len(self._loops) > KEPT:
                self._loops.clear()
            self._loops[key] = self._loop(change, derivation)
        return Gradients(self, change, derivation, self._loops[key])

    def _loop(self, change: Change, derivation: Derivation) -> tuple[dict[str, Array], Any]:
        """Every cotangent of the steps, stacked over time, and what step 1 handed back."""
        states = derivation.cell.states
        equations = [
            (e.target.name, self._terms(e, change.terms), self._terms(e, {**change.terms,
                                                                          **change.at_first}))
            for e in (*derivation.adjoint, *derivation.carries)
            if e.target.name.removesuffix(BAR) not in self.timeless
        ]  # fmt: skip
        nothing = {
            e.target.name: np.zeros((
                self.case.batch,
                *(extent_of(x, self.sizes) for x in e.of.shape),
            ))
            for e in (*derivation.adjoint, *derivation.carries)
        }
        stacked = {
            name: np.zeros((self.case.steps, *nothing[name].shape)) for name, *_ in equations
        }
        handed = {s.name: np.zeros_like(self.cotangents[s.name][0]) for s in states}
        first = int(change.stops_early)
        latest = self._latest if not _takes_other_losses(change) else self.case.steps
        for span, losses in _spans(change, self.case.steps):
            bars, last = self._run(equations, nothing, span, losses, change, latest)
            for name, values in bars.items():
                stacked[name][span.start : span.stop] += values
            if span.start == first:
                handed = {name: handed[name] + value for name, value in last.items()}
        return stacked, handed

    def _run(
        self,
        equations: list[Any],
        nothing: Labels,
        span: range,
        losses: slice,
        change: Change,
        latest: int,
    ) -> tuple[Labels, Labels]:
        """The cotangents of those steps, and what the first of them handed back.

        After the step `latest` there is no loss, and all of them are zero.
        """
        states, steps = self.derivation.cell.states, self.case.steps
        found = {name: np.zeros((len(span), *nothing[name].shape)) for name, *_ in equations}
        given = self.cotangents if losses == slice(0, steps) else _only(self.cotangents, losses)
        zeros = {s.name: np.zeros_like(self.cotangents[s.name][0]) for s in states}
        handed, piece = zeros, change.piece
        for t in reversed(span):
            if t > latest:
                continue
            values = _AtTime(self.fixed, self.whole, given, t)
            cut = piece and t < steps - 1 and (steps - 1 - t if piece[1] else t + 1) % piece[0] == 0
            for state in states:
                values[state.name + CARRY] = (zeros if cut else handed)[state.name]
            for name, always, at_first in equations:
                terms = always if t else at_first
                value = _summed(terms, values, self.sizes)
                value = nothing[name] if value is None else value
                if name in change.limits:
                    how, limit = change.limits[name]
                    value = LIMITS[how][1](value, limit)
                values[name] = value
                found[name][t - span.start] = value
            handed = {s.name: values[previous(s).name + BAR] for s in states}
        return found, handed

    def _terms(
        self, equation: AdjointEquation, changed: Mapping[Place, MatrixExpr | None]
    ) -> list[Any]:
        name = equation.target.name
        values: list[MatrixExpr | None] = [
            changed.get((name, place), term.value) for place, term in enumerate(equation.terms)
        ]
        values += [v for (n, k), v in changed.items() if n == name and k >= len(equation.terms)]
        return [compiled(self.prepared(value)) for value in values if value is not None]

    def prepared(self, expression: MatrixExpr) -> MatrixExpr:
        """The expression with a name for every part that no cotangent enters."""
        if expression not in self._ready:
            self._ready[expression] = self._prepared(expression)
        return self._ready[expression]

    def _prepared(self, expression: MatrixExpr) -> MatrixExpr:
        if isinstance(expression, MatrixSymbol):
            return expression
        names = {s.name for s in symbols_of(expression)}
        if names and names <= {*self.whole, *self.fixed}:
            key = f"known {expression}"
            if key not in self.whole and key not in self.fixed:
                home = self.fixed if names <= {*self.fixed} else self.whole
                home[key] = self.evaluate(expression, {**self.fixed, **self.whole})
            return MatrixSymbol(key, *expression.shape)
        if not operands(expression):
            return expression
        return expression.func(*(
            self.prepared(part) if isinstance(part, MatrixExpr) else part
            for part in expression.args
        ))  # fmt: skip


class _AtTime(dict[str, Array]):
    """Values of one step: those of the whole sequence are cut when they are asked for."""

    def __init__(self, fixed: Values, whole: Values, cotangents: Values, time: int) -> None:
        super().__init__(fixed)
        self.whole, self.cotangents, self.time = whole, cotangents, time

    def __missing__(self, name: str) -> Array:
        if name in self.whole:
            value = self.whole[name][self.time]
        else:
            state, _, ending = name.partition(LOSS)
            value = LOSSES[ending](self.cotangents[state], self.time)
        self[name] = value
        return value


def _only(cotangents: Labels, losses: slice) -> Labels:
    """The cotangents of those steps, zeros at the others."""
    found = {name: np.zeros_like(value) for name, value in cotangents.items()}
    for name, value in cotangents.items():
        found[name][losses] = value[losses]
    return found


class Gradients:
    """The gradients of a changed backward pass, by label, computed when asked for."""

    def __init__(
        self, tape: ForwardPass, change: Change, derivation: Derivation, loop: Any
    ) -> None:
        self.tape, self.change, self.derivation = tape, change, derivation
        self.bars, self.handed = loop
        self.totals: dict[str, Array] = {}

    def __getitem__(self, label: str) -> Array:
        """The gradient with that label: "params.W", "inputs.x", "initial.h"."""
        group, name = label.split(".", 1)
        found = self._of(group, name)
        if (how := self.change.scaled.get(label)) is not None:
            found = found * SCALES[how].of(self.tape.case)
        return found

    def _of(self, group: str, name: str) -> Array:
        if group == "initial":
            whose = self.change.handed.get(name)
            value = self.handed[name] if whose is None else self.bars[whose][0]
            (state,) = (s for s in self.derivation.cell.states if s.name == name)
            return _as_returned(value, state)
        if group == "inputs":
            (equation,) = (e for e in self.derivation.inputs if e.of.name == name)
            terms = self.tape._terms(equation, self.change.terms)
            value = _summed(terms, self._known(), self.tape.sizes)
            shape = (*self.tape.case.inputs[name].shape, 1)
            value = np.zeros(shape) if value is None else np.array(np.broadcast_to(value, shape))
            self._left_out(value)
            return value[..., 0]
        value = self.total(name)
        return value.reshape(self.tape.case.params[name].shape)

    def _left_out(self, shares: Array) -> None:
        """Nothing for the steps that the loop leaves out."""
        if self.change.stops_early:
            shares[:1] = 0
        if self.change.starts_late:
            shares[-1:] = 0

    def _known(self) -> ChainMap[str, Array]:
        """Every value, what is prepared later too."""
        return ChainMap({}, self.bars, self.tape.whole, self.tape.fixed)

    def total(self, name: str) -> Array:
        """The cotangent of what time does not change: shares summed, then what comes once."""
        if name in self.totals:
            return self.totals[name]
        (equation,) = (e for e in self.derivation.parameters if e.of.name == name)
        known = self._known()
        shape = self.tape.fixed[name].shape
        extents = (self.tape.case.steps, self.tape.case.batch, *shape)
        how = REDUCTIONS[self.change.reductions.get(name, "summed")]
        total = np.zeros(shape)
        for timed in (True, False):
            chosen = [t for t in equation.terms if t.each_step is timed]
            if not timed:
                for symbol in {s for t in chosen for s in symbols_of(t.value)}:
                    inner = symbol.name.removesuffix(BAR)
                    if symbol.name not in known and inner != symbol.name:
                        known[symbol.name] = self.total(inner)
            value = self._share(equation, chosen, known)
            if value is not None and timed:
                shares = np.array(np.broadcast_to(value, extents))
                self._left_out(shares)
                total = total + how(shares, self.tape.fixed[name])
            elif value is not None:
                total = total + value
        self.totals[name] = total
        return total

    def _share(self, equation: AdjointEquation, chosen: list[Any], known: Values) -> Array | None:
        name, tape = equation.target.name, self.tape
        values = [
            self.change.terms.get((name, place), term.value)
            for place, term in enumerate(equation.terms) if term in chosen
        ]  # fmt: skip
        functions = [compiled(tape.prepared(v)) for v in values if v is not None]
        return _summed(functions, known, tape.sizes)


def _takes_other_losses(change: Change) -> bool:
    """Whether the loss of another step comes in."""
    return any(
        LOSS in symbol.name and not symbol.name.endswith(LOSS)
        for value in (*change.terms.values(), *change.at_first.values())
        if value is not None
        for symbol in symbols_of(value)
    )


def _spans(change: Change, steps: int) -> list[tuple[range, slice]]:
    """The loops that are run: over which steps, with the loss of which."""
    first, last = int(change.stops_early), steps - int(change.starts_late)
    if not change.window:
        return [(range(first, last), slice(first, last))]
    return [
        (range(max(first, k + 1 - change.window), k + 1), slice(k, k + 1))
        for k in range(first, last)
    ]


def _summed(terms: list[Any], values: Values, sizes: Mapping[str, int]) -> Array | None:
    total, step = None, Step(values, sizes)
    for term in terms:
        value = term(step)
        total = value if total is None else total + value
    return total


def _matrix(value: Array) -> Array:
    value = np.asarray(value, dtype=float)
    return value if value.ndim == 2 else value.reshape((-1, 1))


def _column(value: Array, lead: int = 2) -> Array:
    """Vectors as columns after so many axes, matrices as they are."""
    value = np.asarray(value, dtype=float)
    return value if value.ndim == lead + 2 else value[..., None]


def _as_returned(value: Array, symbol: MatrixSymbol) -> Array:
    """A matrix as it is, a column without its last axis."""
    return value if symbol.shape[1] != 1 else value[..., 0]
