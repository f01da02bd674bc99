"""How the parts of a network join: its equations, and how errors pass down through them.

In: a network. Out: `Joined`: equations with their rules, in letters of the layers, and the
cell's own equations with time turned round, for the layers that run from T to 1. Every
cotangent comes from the cell's derivation or from the rules of the nodes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from sympy import Basic, Expr, MatrixExpr, MatrixSymbol

from derive.calculus.adjoint import bar, from_loss, pull_back
from derive.calculus.through_time import LENGTH, TIME, Derivation, Step, derivation_of
from derive.cell import Equation
from derive.language.expr import (
    At,
    Concat,
    Quotient,
    Rows,
    Softmax,
    TimeSum,
    add,
    hadamard,
    negate,
    product,
    replace,
    size,
    symbols_of,
    transpose,
)
from derive.language.syntax import BAR, CARRY, LOSS
from derive.network import Network
from derive.typeset.boxes import PRIME, Box, Fenced, Number, Script, Sum, Symbol, row, sup
from derive.typeset.layout import Notation
from derive.typeset.letters import parse_latex, spelled

ENDINGS: Final = (LOSS, CARRY, BAR)
LOW, UP, TOP, FIRST, TURNED, REVERSE = ".low", ".up", ".top", ".first", ".turned", ".reverse"
_LETTERS: Final = {
    "V": ("V", "S", "Q"), "c": ("c", "d", "e"), "o": ("o", "u", "v"), "p": ("p", "pi", "phi"),
    "y": ("y", "tau", "omega"), "E": ("E", "F", "G"), "e": ("e", "w", "g"), "r": ("r", "k", "eta"),
}  # fmt: skip


@dataclass(frozen=True)
class Join:
    """An equation that joins parts of a network, the part of the story it belongs to, its rule.

    `part` is "table", "up", "readout", "loss", "readout gradients", "top", "down" or "table
    gradients"; `step` is the step of the cell's derivation that it is an instance of, if it is one.
    """

    part: str
    equation: Equation
    rule: str
    step: int | None = None


@dataclass(frozen=True)
class Joined:
    """What joins the parts of a network.

    The cotangent of a layer's input is what its loss term is for the layer below.
    """

    network: Network

    @cached_property
    def derivation(self) -> Derivation:
        """The cell's own."""
        return derivation_of(self.network.cell)

    # ---- letters ----------------------------------------------------------------------------

    @cached_property
    def free(self) -> Mapping[str, MatrixSymbol]:
        """The symbols of readout, table and mask, in letters that the cell has not taken."""
        cell, q, rows = self.network.cell, size("q"), size("v")
        symbols = (*cell.inputs, *cell.states, *cell.parameters, *cell.constants)
        names = [s.name for s in symbols] + [e.target.name for e in self.derivation.forward]
        taken = {name.split("_")[0].rstrip("0123456789") for name in names}
        width, first = self.network.width, cell.inputs[0].shape[0]
        shapes = {"V": (q, width), "E": (rows, first), "e": (rows, 1), "r": (width, 1)}
        found: dict[str, MatrixSymbol] = {}
        for role, letters in _LETTERS.items():
            name = next((letter for letter in letters if letter not in taken), letters[-1])
            taken.add(name)
            found[role] = MatrixSymbol(name, *shapes.get(role, (q, 1)))
        return found

    @cached_property
    def notation(self) -> Notation:
        """The cell's notation, with the letters of layers and directions."""
        cell = self.network.cell
        symbols = (*cell.inputs, *cell.states, *cell.parameters, *cell.constants)
        names = {s.name for s in symbols} | {e.target.name for e in self.derivation.forward}
        names.add(self.free["r"].name)
        letters = {}
        for tag, index in self._indices.items():
            for reverse in (False, True):
                prime = (PRIME,) if reverse else ()
                above = (*prime, Fenced(index)) if index is not None else prime
                for name in names:
                    given = cell.latex.get(name)
                    base = self.derivation.notation.letters.get(name) or (
                        parse_latex(given) if given else spelled(name, cell.notation.whole)
                    )
                    made = _marked(base, above) if above else base
                    letters[name + tag + REVERSE * reverse] = made
        return dataclasses.replace(cell.notation, timed=frozenset(), letters=letters, earlier="k")

    @cached_property
    def _indices(self) -> dict[str, Box | None]:
        layers, one = self.network.layers, Number("1")
        up: Box | None = Symbol("l") if layers > 2 else Number("2")
        low: Box | None = Sum((("+", Symbol("l")), ("−", one))) if layers > 2 else one
        top = Number(str(layers)) if layers > 1 else None
        lowest = one if layers > 1 else None
        return {LOW: low, UP: up, TOP: top, FIRST: lowest, TURNED: None}

    @property
    def directions(self) -> tuple[str, ...]:
        """The endings of the tags: forward, and reverse where there is one."""
        return ("", REVERSE)[: 1 + self.network.bidirectional]

    def tagged(self, expr: Basic, tag: str) -> MatrixExpr:
        """The cell's expression in the letters of a layer; above the first its input is wider."""
        network = self.network
        fixed = {c.name for c in network.cell.constants}
        if tag.startswith((FIRST, TURNED)):
            fixed |= {x.name for x in network.cell.inputs}
        if tag.startswith(TURNED) and network.layers > 1:  # the layer below has one for each
            fixed -= {x.name for x in network.cell.inputs[1:] if network.lower_state(x)}
        mapping: dict[MatrixExpr, MatrixExpr] = {}
        wider = {size("m"): self.network.width} if tag.startswith(UP) else {}
        if self.network.input_size != size("m"):
            wider = {}
        mapping.update(wider)
        for symbol in symbols_of(expr):
            ending = next((end for end in ENDINGS if symbol.name.endswith(end)), "")
            base = symbol.name.removesuffix(ending)
            shape = (side.subs(wider) for side in symbol.shape)
            name = base + tag + ending if base not in fixed or ending else symbol.name
            mapping[symbol] = MatrixSymbol(name, *shape)
        return replace(expr, mapping)

    def _directed(self, expr: Basic, tag: str, end: str) -> MatrixExpr:
        """The expression in the letters of a direction of a layer, turned where that runs back."""
        return self.tagged(turn(expr) if end else expr, tag + end)

    def output(self, tag: str) -> MatrixSymbol:
        """What a layer hands up, in the layer's letters."""
        state = self.network.output
        return MatrixSymbol(state.name + tag, *state.shape)

    # ---- equations --------------------------------------------------------------------------

    @cached_property
    def joins(self) -> tuple[Join, ...]:
        """What a layer receives, the readout; then the cotangents, top to bottom."""
        return (*self._table(), *self._up(), *self._readout(), *self._loss(), *self._gradients(),
                *self._top(), *self._down(), *self._table_gradients())  # fmt: skip

    def part(self, name: str) -> tuple[Join, ...]:
        """The joins of one part, in order."""
        return tuple(join for join in self.joins if join.part == name)

    def _table(self) -> Iterator[Join]:
        """An index as input: the row of a table, Eᵀ times a column that is 1 at the index."""
        if self.network.embedding:
            E, e = self.free["E"], self.free["e"]
            row_of = product(transpose(E), At(e, TIME))
            equation = Equation(At(self.network.cell.inputs[0], TIME), row_of)
            yield Join("table", equation, "the row that the index chooses")

    def _table_gradients(self) -> Iterator[Join]:
        """The table's gradient, from the cotangent of the lowest layer's input."""
        if not self.network.embedding:
            return
        x_bar = At(bar(self.network.cell.inputs[0]), TIME)
        step = self._input_step
        shares = [self._directed(step.equation.value, FIRST, end) for end in self.directions]
        why = "both directions added" if self.network.bidirectional else "the gradient of an input"
        yield Join("table gradients", Equation(x_bar, add(*shares)), why, step.number)
        share = product(At(self.free["e"], TIME), transpose(x_bar))
        summed = Equation(bar(self.free["E"]), TimeSum(share, TIME, 1, LENGTH))
        yield Join("table gradients", summed, "matrix product")

    @property
    def _input_step(self) -> Step:
        """The step of the cell's derivation that gives the cotangent of its first input."""
        target = At(bar(self.network.cell.inputs[0]), TIME)
        return next(s for s in self.derivation.part("gradients") if s.equation.target == target)

    def _masked(self, whole: MatrixExpr) -> MatrixExpr:
        """What passes the mask between a layer and the next; all of it where there is none."""
        if not self.network.dropout:
            return whole
        mask = self.free["r"]
        return hadamard(At(MatrixSymbol(mask.name + LOW, *mask.shape), TIME), whole)

    def _up(self) -> Iterator[Join]:
        network = self.network
        if network.layers == 1:
            return
        first, *others = network.cell.inputs
        x = MatrixSymbol(first.name + UP, network.width, 1)
        handed = Equation(At(x, TIME), self._masked(self._stacked(LOW)))
        yield Join("up", handed, "what the layer below hands up")
        for extra in others:
            state = network.lower_state(extra)
            if state is None:
                continue
            if network.bidirectional:
                lowest = MatrixSymbol(extra.name + FIRST + REVERSE, *extra.shape)
                equation = Equation(At(lowest, TIME), At(extra, TIME))
                yield Join("up", equation, "the input, which both directions read")
            for end in self.directions:
                equation = Equation(
                    At(MatrixSymbol(extra.name + UP + end, *extra.shape), TIME),
                    At(MatrixSymbol(state.name + LOW + end, *extra.shape), TIME),
                )
                yield Join("up", equation, "the memory of the layer below")

    def _stacked(self, tag: str, time: Expr = TIME) -> MatrixExpr:
        parts = [At(self.output(tag + end), time) for end in self.directions]
        return parts[0] if len(parts) == 1 else Concat(*parts)

    @property
    def _when(self) -> Expr:
        return LENGTH if self.network.loss_at == "last" else TIME

    def _readout(self) -> Iterator[Join]:
        V, c, o, p = (self.free[role] for role in "Vcop")
        now = self._when
        logits = add(product(V, self._stacked(TOP, now)), c)
        yield Join("readout", Equation(At(o, now), logits), "an affine map")
        if self.network.readout == "softmax":
            yield Join("readout", Equation(At(p, now), Softmax(At(o, now))), "softmax")

    def _loss(self) -> Iterator[Join]:
        o, p, y = (self.free[role] for role in "opy")
        network, now = self.network, self._when
        softmax = network.readout == "softmax"
        out = p if softmax else o
        if network.loss == "cross_entropy":
            slope = negate(Quotient(At(y, now), At(p, now)))
            yield Join("loss", Equation(At(bar(p), now), slope), "slope of the logarithm")
        else:
            slope = add(At(out, now), negate(At(y, now)))
            yield Join("loss", Equation(At(bar(out), now), slope), "slope of half a square")
        if softmax:
            for _, share, path in pull_back(bar(p), p, Softmax(o)):
                timed = replace(share, {s: At(s, now) for s in symbols_of(share)})
                yield Join("loss", Equation(At(bar(o), now), timed), path[0])
        if network.loss == "cross_entropy":
            short = add(At(p, now), negate(At(y, now)))
            why = "the entries of the target sum to 1"
            yield Join("loss", Equation(At(bar(o), now), short), why)

    def _gradients(self) -> Iterator[Join]:
        V, c, o = (self.free[role] for role in "Vco")
        now = self._when
        shares = ((V, product(At(bar(o), now), transpose(self._stacked(TOP, now)))),
                  (c, At(bar(o), now)))  # fmt: skip
        for leaf, share in shares:
            total = share if now == LENGTH else TimeSum(share, TIME, 1, LENGTH)
            rule = "matrix product" if leaf == V else "sum rule"
            yield Join("readout gradients", Equation(bar(leaf), total), rule)

    def _top(self) -> Iterator[Join]:
        V, o, now = self.free["V"], self.free["o"], self._when
        sent = product(transpose(V), At(bar(o), now))
        for place, end in enumerate(self.directions):
            state = self.output(TOP + end)
            equation = Equation(At(from_loss(state), now), self._part(sent, place))
            yield Join("top", equation, "matrix product, what the readout sends")

    def _down(self) -> Iterator[Join]:
        """The cotangent of a layer's input, both directions added, and where it arrives."""
        network = self.network
        if network.layers == 1:
            return
        first, *others = network.cell.inputs
        step = self._input_step
        shares = [self._directed(step.equation.value, UP, end) for end in self.directions]
        x_bar = bar(MatrixSymbol(first.name + UP, network.width, 1))
        why = "both directions added" if network.bidirectional else "the gradient of an input"
        yield Join("down", Equation(At(x_bar, TIME), add(*shares)), why, step.number)
        for place, end in enumerate(self.directions):
            arrives = self._part(self._masked(At(x_bar, TIME)), place)
            yield self._received(network.output, end, arrives)
        for extra in others:
            state = network.lower_state(extra)
            if state is None:
                continue
            for end in self.directions:
                extra_bar = bar(MatrixSymbol(extra.name + UP + end, *extra.shape))
                yield self._received(state, end, At(extra_bar, TIME))

    def _received(self, state: MatrixSymbol, end: str, arrives: MatrixExpr) -> Join:
        """The cotangent of a lower layer's state, what comes from above as its loss term."""
        step = next(s for s in self.derivation.part("adjoint")
                    if s.equation.target == At(bar(state), TIME))  # fmt: skip
        own = self._directed(step.equation.value, LOW, end)
        term = At(from_loss(MatrixSymbol(state.name + LOW + end, *state.shape)), TIME)
        target = At(bar(MatrixSymbol(state.name + LOW + end, *state.shape)), TIME)
        return Join("down", Equation(target, replace(own, {term: arrives})),
                    "the loss term from above", step.number)  # fmt: skip

    def _part(self, whole: MatrixExpr, place: int) -> MatrixExpr:
        if not self.network.bidirectional:
            return whole
        rows = self.network.output.shape[0]
        return Rows(whole, place * rows, rows)

    # ---- the direction from T to 1 ----------------------------------------------------------

    def turned(self) -> tuple[tuple[Step, Equation], ...]:
        """The steps of both passes that time enters, as a layer from T to 1 has them."""
        if not self.network.bidirectional:
            return ()
        wanted = ("forward", "adjoint", "recursion", "gradients")
        steps = [step for name in wanted for step in self.derivation.part(name)]
        made = []
        for step in steps:
            sides = [turn(side) for side in (step.equation.target, step.equation.value)]
            if sides != [step.equation.target, step.equation.value]:
                made.append((step, Equation(*(self.tagged(s, TURNED + REVERSE) for s in sides))))
        return tuple(made)

    def sizes_of(self, symbol: MatrixSymbol, depth: int) -> tuple[Expr, ...]:
        """The sizes of a parameter in a layer: above the first, the input's is the width below."""
        tied = self.network.input_size != size("m")
        wider = {size("m"): self.network.width} if depth and not tied else {}
        return tuple(side.subs(wider) for side in symbol.shape)


def _marked(base: Box, above: tuple[Box, ...]) -> Box:
    """The letter with a superscript, after the one it may have."""
    if isinstance(base, Script) and base.sup is not None:
        return Script(base.base, base.sub, row(base.sup, ",", *above))
    return sup(base, *above)


def turn(expr: Basic) -> MatrixExpr:
    """The expression of a sequence read from T to 1: step t becomes T + 1 − t, renamed t."""
    if isinstance(expr, At):
        symbol, time = expr.args
        return At(symbol, LENGTH + 1 - time.subs(TIME, LENGTH + 1 - TIME))
    if not expr.args or isinstance(expr, MatrixSymbol):
        return expr
    return expr.func(*map(turn, expr.args))


def joins(network: Network) -> tuple[Join, ...]:
    """What a layer receives, the readout and the loss; then their cotangents, top to bottom."""
    return Joined(network).joins
