"""Back-propagation through time: one step's adjoint → the gradients over a whole sequence.

In: a cell. Out: `Derivation`: recursion with its boundary condition, parameter gradients as
sums over t, the sum over pairs k ≤ t, the product chain, and all of it as numbered steps that
name their rule. Nothing is unrolled: no size here depends on T, n or m. The one home of time
shifts in symbols.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

from sympy import Expr, Integer, MatrixExpr, MatrixSymbol, S, Symbol, ZeroMatrix
from sympy.matrices.expressions import DiagMatrix

from derive.calculus.adjoint import Adjoint, AdjointEquation, bar, carry, from_loss, reverse
from derive.calculus.intermediates import letters_of, name_intermediates
from derive.calculus.jacobian import (
    StepJacobian,
    change_of,
    has_matrices,
    partials,
    step_jacobian,
)
from derive.cell import Cell, Equation, cell_of, timeless_symbols
from derive.language.expr import (
    At,
    Blocks,
    Concat,
    Partial,
    TimeProduct,
    TimeSum,
    add,
    entries,
    product,
    replace,
    symbols_of,
    transpose,
)
from derive.language.maps import Vec
from derive.language.syntax import BAR, DOT, PREVIOUS
from derive.typeset.alike import apart
from derive.typeset.layout import Layout, Notation
from derive.typeset.notebook import ShownEquation, html_of, latex_of

TIME: Final = Symbol("t", integer=True)
EARLIER: Final = Symbol("k", integer=True)
FACTOR: Final = Symbol("j", integer=True)
LENGTH: Final = Symbol("T", integer=True)
LAG: Final = TIME - EARLIER


@dataclass(frozen=True)
class Step:
    """One numbered line of a derivation: an equation at time t, and why it holds.

    `part` is one of "forward", "adjoint", "recursion", "gradients", "pairs", "jacobian",
    "chain"; `terms` tells for each summand its rule and the number of the step it came from.
    A cell with outputs has no "pairs": they sum what L_t sends by way of the states of step t;
    nor has one with matrices that change with time, whose Jacobians are maps.
    """

    number: int
    part: str
    equation: Equation
    rule: str
    terms: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, eq=False)
class Derivation:
    """∂L/∂θ, ∂L/∂x_t and ∂L/∂s_0 of L = Σ_t L_t for one cell, with every step named.

    `forward`, `adjoint` and `carries` are the equations of one step, without time; the rest
    carries its time index. `chain` is ∂s_t/∂s_k = ∏ J_j, the latest factor on the left.
    """

    cell: Cell
    forward: tuple[Equation, ...]
    adjoint: tuple[AdjointEquation, ...]
    carries: tuple[AdjointEquation, ...]
    inputs: tuple[AdjointEquation, ...]
    parameters: tuple[AdjointEquation, ...]
    parameter_gradients: tuple[Equation, ...]
    input_gradients: tuple[Equation, ...]
    initial_gradients: tuple[Equation, ...]
    step_jacobian: StepJacobian
    chain: Equation
    steps: tuple[Step, ...]

    @cached_property
    def timeless(self) -> frozenset[MatrixSymbol]:
        """The symbols that neither time nor the batch changes."""
        return timeless_symbols(self.cell, self.forward)

    @cached_property
    def has_matrices(self) -> bool:
        """Whether a matrix of a step changes with time, so that blocks of the Jacobian are maps."""
        return has_matrices(self.cell, self.forward)

    @cached_property
    def clock(self) -> Clock:
        """What puts a time on the symbols of a step."""
        return Clock(self.cell, self.timeless)

    @cached_property
    def notation(self) -> Notation:
        """The cell's notation, with the names of the intermediates, those that time changes too."""
        fixed = {equation.of.name for equation in self.parameters}
        fixed |= {s.name for s in self.cell.constants if s.name not in self.cell.sequences}
        named = dict.fromkeys(equation.target.name for equation in self.forward)
        timed = self.cell.notation.timed.union(named) - fixed
        cell, own = self.cell, Layout(self.cell.notation).plain
        symbols = (*cell.inputs, *cell.parameters, *cell.constants,
                   *(equation.target for equation in cell.equations))  # fmt: skip
        authored = {symbol.name: symbol.name in timed for symbol in symbols}
        letters = apart(authored, {name: name in timed for name in named if name not in authored},
                        letters_of(cell, self.forward),
                        [s.name for s in cell.states if self.has_matrices], own)  # fmt: skip
        return dataclasses.replace(cell.notation, timed=timed, letters=letters)

    def part(self, name: str) -> tuple[Step, ...]:
        """The steps of one part, in order."""
        return tuple(step for step in self.steps if step.part == name)

    def _repr_latex_(self) -> str:
        return latex_of(_numbered(self.steps), self.notation)

    def _repr_html_(self) -> str:
        return html_of(_numbered(self.steps), self.notation)


def _numbered(steps: tuple[Step, ...]) -> list[ShownEquation]:
    return [(step.equation.target, step.equation.value, step.number) for step in steps]


@dataclass(frozen=True)
class Clock:
    """Puts a time on the symbols of a step: h ↦ h_t, h_prev ↦ h_{t−1}, W ↦ W."""

    cell: Cell
    timeless: frozenset[MatrixSymbol]

    def at(self, expr: MatrixExpr, time: Expr) -> MatrixExpr:
        """The expression, every symbol of it at that time."""
        return replace(expr, {s: self.symbol(s, time) for s in symbols_of(expr)})

    def symbol(self, symbol: MatrixSymbol, time: Expr) -> MatrixExpr:
        """The symbol at that time; one step earlier if it is a previous state."""
        if before := self.earlier.get(symbol.name):
            return At(before, time - 1)
        return symbol if symbol in self.fixed else At(symbol, time)

    @cached_property
    def earlier(self) -> dict[str, MatrixSymbol]:
        """What stands for the step before, by name: the states, their changes and cotangents."""
        return {
            state.name + PREVIOUS + kind: meaning
            for state in self.cell.states
            for kind, meaning in (("", state), (DOT, change_of(state)), (BAR, carry(state)))
        }

    @cached_property
    def fixed(self) -> frozenset[MatrixSymbol]:
        """What has no time: the timeless symbols and their cotangents."""
        return self.timeless.union(map(bar, self.timeless))

    def equation(self, equation: Equation, time: Expr = TIME) -> Equation:
        """The equation with both sides at that time."""
        return Equation(self.at(equation.target, time), self.at(equation.value, time))


def _over_time(clock: Clock, equation: AdjointEquation) -> Equation:
    """∂L/∂θ: each step's share summed over t, then what is added once."""
    steps = [clock.at(term.value, TIME) for term in equation.terms if term.each_step]
    once = [term.value for term in equation.terms if not term.each_step]
    summed = [TimeSum(add(*steps), TIME, S.One, LENGTH)] if steps else []
    zero = ZeroMatrix(*equation.target.shape)
    return Equation(equation.target, add(*summed, *once) if summed or once else zero)


def _recursion(clock: Clock, derivation: Adjoint) -> Iterator[tuple[Equation, str]]:
    """The boundary condition at T, what each step hands back, and the two joined."""
    for state, handed in zip(clock.cell.states, derivation.carries, strict=True):
        zero = ZeroMatrix(*state.shape)
        yield Equation(At(carry(state), LENGTH), zero), "no step follows the last"
        yield clock.equation(handed), ""
    by_target = {equation.of: equation for equation in derivation.equations}
    for state, handed in zip(clock.cell.states, derivation.carries, strict=True):
        own = by_target[state]
        kept = [clock.at(t.value, TIME) for t in own.terms if t.value != carry(state)]
        arrived = clock.at(handed.value, TIME + 1)
        yield (
            Equation(At(bar(state), TIME), add(*kept, arrived)),
            "the step above at t+1, put into the cotangent of the state",
        )


class _States:
    """The whole state s_t, its Jacobian factor J_j, and how both are written for a cell."""

    def __init__(self, clock: Clock, jacobian: StepJacobian) -> None:
        cell = clock.cell
        self.clock, self.single = clock, len(cell.states) == 1
        taken = {s.name for s in (*cell.inputs, *cell.parameters, *cell.constants)}
        taken |= {equation.target.name for equation in cell.equations}
        rows = sum(map(entries, cell.states), S.Zero)
        names = [next(n for n in (base, base * 2, base * 3) if n not in taken) for base in "sJ"]
        self.vector = cell.states[0] if self.single else MatrixSymbol(names[0], rows, 1)
        self.factor = MatrixSymbol(names[1], rows, rows)
        self.jacobian = jacobian

    def at(self, time: Expr) -> MatrixExpr:
        return At(self.vector, time)

    def definitions(self) -> Iterator[tuple[Equation, str]]:
        """What s_t and J_t stand for, where they are not the only state's own."""
        states = self.clock.cell.states
        if self.single:
            return
        columns = (At(state, TIME) for state in states)
        stack = Concat(*(c if c.shape[1] == 1 else Vec(c) for c in columns))
        yield Equation(self.at(TIME), stack), "the whole state, one part below the other"
        entries = [Partial(At(a, TIME), At(b, TIME - 1)) for a in states for b in states]
        yield Equation(At(self.factor, TIME), Blocks(*entries)), "the blocks above"

    def chain(self) -> Equation:
        """∂s_t/∂s_k as the ordered product of the step Jacobians."""
        body: MatrixExpr = At(self.factor, FACTOR)
        if self.single:
            name = self.vector.name
            body = self.clock.at(self.jacobian.expanded(name, name), FACTOR)
        value = TimeProduct(body, FACTOR, TIME, EARLIER + 1)
        return Equation(Partial(self.at(TIME), self.at(EARLIER)), value)

    def pair_share(self, equation: AdjointEquation, forward: tuple[Equation, ...]) -> MatrixExpr:
        """Σ_t Σ_{k≤t} of what L_t sends to θ by way of step k, and what is added once."""
        loss = At(from_loss(self.vector), TIME)
        through = transpose(Partial(self.at(TIME), self.at(EARLIER)))
        shares, once = [], []
        for term in equation.terms:
            if not term.each_step:
                once.append(term.value)
                continue
            target = forward[term.source - 1].target
            local = transpose(self.local(target, forward))
            if isinstance(local, ZeroMatrix):
                continue
            shares.append(
                replace(
                    self.clock.at(term.value, EARLIER),
                    {At(bar(target), EARLIER): product(local, through, loss)},
                )
            )
        if shares:
            inner = TimeSum(add(*shares), EARLIER, S.One, TIME)
            return add(TimeSum(inner, TIME, S.One, LENGTH), *once)
        return add(ZeroMatrix(*equation.target.shape), *once)

    def local(self, target: MatrixSymbol, forward: tuple[Equation, ...]) -> MatrixExpr:
        """∂s_k/∂(an intermediate of step k), s_{k−1} held fixed; written out if diagonal."""
        if self.single:
            found, _ = partials(self.clock.cell, forward, target)
            value = found.get(self.vector, ZeroMatrix(self.vector.shape[0], target.shape[0]))
            if isinstance(value, (DiagMatrix, ZeroMatrix)) or target == self.vector:
                return self.clock.at(value, EARLIER)
        return Partial(self.at(EARLIER), At(target, EARLIER))


def derivation_of(cell: Cell) -> Derivation:
    """`differentiate(cell)`, kept for the last few cells: every stage of one report asks for it."""
    return _kept(cell, cell.text)


@lru_cache(maxsize=16)
def _kept(cell: Cell, text: str) -> Derivation:
    """By the cell's value and its author's text, which cells are not compared by."""
    return differentiate(cell)


def differentiate(cell: Cell | str) -> Derivation:
    """The gradients of L = Σ_t L_t(s_t) by back-propagation through time.

    `cell` may be a name of the catalogue, as wherever a cell is taken.

    Assumes: L_t depends on the states and outputs of step t alone; s_0 is given; numerator layout.
    Source: Werbos 1990, Backpropagation through time: what it does and how to do it.
    """
    cell = cell_of(cell)
    forward = name_intermediates(cell)
    adjoint = reverse(cell, forward)
    jacobian = step_jacobian(cell, forward)
    clock = Clock(cell, timeless_symbols(cell, forward))
    states = _States(clock, jacobian)
    chain = states.chain()
    parameter_gradients = tuple(_over_time(clock, e) for e in adjoint.parameters)
    input_gradients = tuple(map(clock.equation, adjoint.inputs))
    initial = tuple(Equation(At(bar(s), Integer(0)), At(carry(s), Integer(0))) for s in cell.states)
    steps: list[Step] = []

    def note(
        part: str, equation: Equation, rule: str, terms: tuple[tuple[str, int], ...] = ()
    ) -> None:
        steps.append(Step(len(steps) + 1, part, equation, rule, terms))

    def note_adjoint(part: str, equation: AdjointEquation, stated: Equation) -> None:
        terms = tuple((term.rule, term.source) for term in equation.terms)
        text = "; ".join(f"{rule}, from ({k})" if k else rule for rule, k in terms)
        note(part, stated, text, terms)

    authored = {equation.target for equation in cell.equations}
    for equation in forward:
        why = "the cell's equation" if equation.target in authored else "a name for a part"
        note("forward", clock.equation(equation), why)
    for adjoint_equation in adjoint.equations:
        note_adjoint("adjoint", adjoint_equation, clock.equation(adjoint_equation))
    handed = {clock.equation(e).target: e for e in adjoint.carries}
    for equation, rule in _recursion(clock, adjoint):
        if rule:
            note("recursion", equation, rule)
        else:
            note_adjoint("recursion", handed[equation.target], equation)
    for adjoint_equation, stated in zip(adjoint.parameters, parameter_gradients, strict=True):
        note_adjoint("gradients", adjoint_equation, stated)
    for adjoint_equation, stated in zip(adjoint.inputs, input_gradients, strict=True):
        note_adjoint("gradients", adjoint_equation, stated)
    for equation in initial:
        note("gradients", equation, "what the first step hands back")
    for name, value in jacobian.named:
        if name.args[0] not in cell.states:
            stated = Equation(clock.at(name, TIME), clock.at(value, TIME))
            note("jacobian", stated, "a block needed more than once")
    named, by_name = dict(jacobian.named), {state.name: state for state in cell.states}
    for (of, by), value in jacobian.blocks.items():
        target = Partial(At(by_name[of], TIME), At(by_name[by], TIME - 1))
        written = clock.at(named.get(value, value), TIME)
        note("jacobian", Equation(target, written), "chain rule through the equations of one step")
    for equation, rule in states.definitions():
        note("chain", equation, rule)
    note("chain", chain, "chain rule from step k to step t, the latest factor on the left")
    pairs_apply = not cell.outputs and not has_matrices(cell, forward)
    for adjoint_equation in adjoint.parameters if pairs_apply else ():
        if any(term.each_step for term in adjoint_equation.terms):
            pairs = states.pair_share(adjoint_equation, forward)
            rule = "each L_t by way of each step k ≤ t"
            note("pairs", Equation(adjoint_equation.target, pairs), rule)
    return Derivation(
        cell=cell,
        forward=forward,
        adjoint=adjoint.equations,
        carries=adjoint.carries,
        inputs=adjoint.inputs,
        parameters=adjoint.parameters,
        parameter_gradients=parameter_gradients,
        input_gradients=input_gradients,
        initial_gradients=initial,
        step_jacobian=jacobian,
        chain=chain,
        steps=tuple(steps),
    )
