"""The reverse pass over one step: forward equations → named adjoint equations.

In: the named forward equations of a cell. Out: for each of them the cotangent of its target,
as the sum of what the later equations, the loss and the next step send back; and the same for
what the step receives: previous states, inputs, parameters. Nothing here knows of time: a
state's `LOSS` is ∂L_t/∂s_t, its `CARRY` what step t+1 hands back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from sympy import MatMul, MatrixExpr, MatrixSymbol, OneMatrix, ZeroMatrix

from derive.calculus.rules import VJP_RULES
from derive.cell import Cell, Equation, timeless_symbols
from derive.language.expr import Elementwise, add, operands
from derive.language.syntax import BAR, CARRY, LOSS


@dataclass(frozen=True)
class Term:
    """One contribution to a cotangent, the rule it follows from, and the equation it passed.

    `source` is the number of a forward equation; 0 for the loss and for the next step.
    `each_step` is false for what is added once, after the sum over time and batch.
    """

    value: MatrixExpr
    rule: str
    source: int = 0
    each_step: bool = True


@dataclass(frozen=True)
class AdjointEquation(Equation):
    """`target = Σ terms`: the cotangent of one symbol of the step."""

    terms: tuple[Term, ...]
    of: MatrixSymbol

    @classmethod
    def collect(cls, of: MatrixSymbol, terms: tuple[Term, ...]) -> AdjointEquation:
        """The equation of the cotangent of a symbol from its terms; 0 without any."""
        values = [term.value for term in terms] or [ZeroMatrix(*of.shape)]
        return cls(bar(of), add(*values), terms, of)


@dataclass(frozen=True)
class Adjoint:
    """The cotangents of one step: of its targets, and of what it received.

    `equations` in the order of computing. `parameters` holds everything that time does not
    change: what was computed from parameters alone, latest first, then the parameters.
    """

    equations: tuple[AdjointEquation, ...]
    carries: tuple[AdjointEquation, ...]
    inputs: tuple[AdjointEquation, ...]
    parameters: tuple[AdjointEquation, ...]


def bar(symbol: MatrixSymbol) -> MatrixSymbol:
    """The cotangent of a symbol: ∂L/∂symbol, of its shape."""
    return MatrixSymbol(symbol.name + BAR, *symbol.shape)


def from_loss(symbol: MatrixSymbol) -> MatrixSymbol:
    """∂L_t/∂s_t, the part of a state's, or an output's, cotangent that the loss of a step sends."""
    return MatrixSymbol(symbol.name + LOSS, *symbol.shape)


def carry(state: MatrixSymbol) -> MatrixSymbol:
    """The part of a state's cotangent that the next step sends back."""
    return MatrixSymbol(state.name + CARRY, *state.shape)


def pull_back(
    y_bar: MatrixExpr, y: MatrixExpr, node: MatrixExpr, path: tuple[str, ...] = ()
) -> Iterator[tuple[MatrixSymbol, MatrixExpr, tuple[str, ...]]]:
    """For every occurrence of a symbol below the node: its share of the cotangent, by which rules.

    Raises:
        KeyError: if the node has no rule.
    """
    if isinstance(node, MatrixSymbol):
        yield node, y_bar, path
        return
    children = operands(node)
    if not children:
        return
    rule = VJP_RULES[type(node)]
    name = rule.name
    if isinstance(node, Elementwise):
        name = f"{name}, {node.function.name}′"
    elif isinstance(node, MatMul) and len(children) == 1:
        name = "constant factor"
    elif isinstance(node, MatMul) and any(isinstance(child, OneMatrix) for child in children):
        name = "derivative of a sum over entries"
    for child, child_bar in zip(children, rule.pullback(y_bar, y, node), strict=True):
        yield from pull_back(child_bar, child, child, (*path, name))


def reverse(cell: Cell, forward: tuple[Equation, ...]) -> Adjoint:
    """The adjoint of one step: each cotangent is the sum over the symbol's uses.

    Source: reverse accumulation, Linnainmaa 1970; through time, Werbos 1990.
    """
    timeless = timeless_symbols(cell, forward)
    shares: defaultdict[MatrixSymbol, list[Term]] = defaultdict(list)
    for symbol in cell.returned:
        shares[symbol].append(Term(from_loss(symbol), "the loss at this step"))

    def collect(symbol: MatrixSymbol) -> AdjointEquation:
        terms = list(shares[symbol])
        if symbol in cell.states:
            terms.append(Term(carry(symbol), "the next step"))
        return AdjointEquation.collect(symbol, tuple(terms))

    def visit(number: int, each_step: bool) -> AdjointEquation:
        target, value = forward[number - 1].target, forward[number - 1].value
        for leaf, share, path in pull_back(bar(target), target, value):
            rules = "; ".join(dict.fromkeys(path)) or "equality"
            shares[leaf].append(Term(share, rules, number, each_step))
        return collect(target)

    numbers = range(len(forward), 0, -1)
    in_time = [visit(k, True) for k in numbers if forward[k - 1].target not in timeless]
    fixed = [visit(k, False) for k in numbers if forward[k - 1].target in timeless]
    return Adjoint(
        equations=tuple(in_time),
        carries=tuple(map(collect, cell.previous_states)),
        inputs=tuple(map(collect, cell.inputs)),
        parameters=(*fixed, *map(collect, cell.parameters)),
    )
