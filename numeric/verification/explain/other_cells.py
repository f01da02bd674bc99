"""Cells that differ from one in what people confuse, told by their forward pass.

In: a cell. Out: `Dialect`s: another cell, or the same from other initial states, and how it
differs in words that complete "this cell …". None of them knows of a particular cell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Final

from sympy import MatAdd, MatMul, MatrixExpr, MatrixSymbol, OneMatrix, Transpose
from sympy.matrices.expressions import HadamardProduct

from derive.calculus.through_time import Derivation
from derive.cell import Cell, Equation, previous
from derive.language.expr import Elementwise, add, hadamard, negate, symbols_of, transpose
from derive.language.expr import replace as exchange
from derive.language.functions import FUNCTIONS
from derive.saying import said
from numeric.verification.explain.equation_names import EquationNames
from numeric.verification.explain.other_order import commuted
from numeric.verification.explain.rewrites import complemented
from numeric.verification.verdict import listed

MOST_GATES: Final = 4  # whose parameters are tried in every order
FUNCTIONS_TRIED: Final = ("tanh", "sigmoid", "relu", "identity")


@dataclass(frozen=True)
class Dialect:
    """Another cell, and what tells it from the one that was asked for."""

    cell: Cell
    what: str
    from_zero: bool = False


def dialects(derivation: Derivation, naming: EquationNames) -> Iterator[Dialect]:
    """The likely ones first; each differs in one thing, at one place or at all."""
    cell = derivation.cell
    yield Dialect(cell, "with the initial states taken as zero", from_zero=True)
    found = [
        *_swapped(derivation, naming), *_left_out(cell, naming), *_in_nodes(cell, naming),
        *_renamed(cell, naming),
    ]  # fmt: skip
    for equations, what in found:
        try:
            yield Dialect(replace(cell, equations=equations, text="", defaults={}), what)
        except (ValueError, KeyError):
            continue  # what it leaves is no cell


Found = Iterator[tuple[tuple[Equation, ...], str]]


def _throughout(cell: Cell, mapping: dict[MatrixExpr, MatrixExpr]) -> tuple[Equation, ...]:
    return tuple(replace(e, value=exchange(e.value, mapping)) for e in cell.equations)


def _put(cell: Cell, place: int, value: MatrixExpr) -> tuple[Equation, ...]:
    equations = cell.equations
    changed = replace(equations[place], value=value)
    return (*equations[:place], changed, *equations[place + 1 :])


# ---- parameters in another's place -------------------------------------------------------------


def _swapped(derivation: Derivation, naming: EquationNames) -> Found:
    """Gates of one form with their parameters in another order."""
    cell = derivation.cell
    forms: dict[MatrixExpr, list[tuple[MatrixSymbol, list[MatrixSymbol]]]] = {}
    names = {e.value.argument: e.target for e in derivation.forward
             if isinstance(e.value, Elementwise)}  # fmt: skip
    for equation in derivation.forward:
        own = [s for s in symbols_of(equation.value) if s in cell.parameters]
        if own:
            blank = {s: MatrixSymbol(f"parameter {k}", *s.shape) for k, s in enumerate(own)}
            gate = names.get(equation.target, equation.target)
            forms.setdefault(exchange(equation.value, dict(blank)), []).append((gate, own))
    for gates in forms.values():
        if len(gates) > MOST_GATES:
            continue
        for order in permutations(range(len(gates))):
            moved = [k for k, other in enumerate(order) if k != other]
            if not moved:
                continue
            mapping: dict[MatrixExpr, MatrixExpr] = {
                old: new
                for k in moved
                for old, new in zip(gates[k][1], gates[order[k]][1], strict=True)
            }
            here = [naming.bare(gates[k][0]) for k in moved]
            there = [naming.bare(gates[order[k]][0]) for k in moved]
            what = (
                said("with {0} and {1} swapped", here[0], here[1]) if len(moved) == 2
                else said("with the parameters of {0} in the places of {1}",
                          listed(there), listed(here))
            )  # fmt: skip
            yield _throughout(cell, mapping), what


def _renamed(cell: Cell, naming: EquationNames) -> Found:
    """A square matrix transposed, or all; a state of the other time in one equation."""
    square = [s for s in cell.parameters if s.shape[0] == s.shape[1] != 1]
    groups = [[s] for s in square] + ([square] if len(square) > 1 else [])
    for group in groups:
        mapping: dict[MatrixExpr, MatrixExpr] = {s: transpose(s) for s in group}
        mapping |= {Transpose(s): s for s in group}
        words = listed(naming.bare(s) for s in group)
        yield (
            _throughout(cell, mapping),
            said("with {0} transposed", words),
        )
    known: set[MatrixSymbol] = set()
    for place, equation in enumerate(cell.equations):
        for state in cell.states:
            for old, new in ((previous(state), state), (state, previous(state))):
                if old in {*symbols_of(equation.value)} and (new != state or state in known):
                    value = exchange(equation.value, {old: new})
                    what = said(
                        "with {0} for {1} in {2}",
                        naming(new),
                        naming(old),
                        naming.bare(equation.target),
                    )
                    yield _put(cell, place, value), what
        known.add(equation.target)


# ---- terms and factors -------------------------------------------------------------------------


def _left_out(cell: Cell, naming: EquationNames) -> Found:
    """Without a term that holds a parameter, without all biases, with 1 added to a gate."""
    biases = [s for s in cell.parameters if s.shape[1] == 1]
    summands = dict.fromkeys(t for e in cell.equations for s in _sums(e.value) for t in s.args)
    added = [s for s in biases if s in summands]
    groups: list[list[MatrixExpr]] = [[s] for s in added]
    if len(added) > 1:
        groups.insert(0, list(added))
    for node in summands:
        if isinstance(node, MatMul) and any(s in cell.parameters for s in symbols_of(node)):
            groups.append([node])
    for group in groups:
        what = "without the biases" if len(group) > 1 else (
            said("without the bias {0}", naming(group[0])) if group[0] in added
            else said("without {0}", naming(group[0]))
        )  # fmt: skip
        kept = tuple(replace(e, value=_without(e.value, group)) for e in cell.equations)
        yield kept, what


def _sums(node: MatrixExpr) -> Iterator[MatrixExpr]:
    if isinstance(node, MatAdd):
        yield node
    if not isinstance(node, MatrixSymbol):
        for part in node.args:
            if isinstance(part, MatrixExpr):
                yield from _sums(part)


def _without(node: MatrixExpr, terms: list[MatrixExpr]) -> MatrixExpr:
    if isinstance(node, MatrixSymbol) or not node.args:
        return node
    parts = [_without(p, terms) if isinstance(p, MatrixExpr) else p for p in node.args]
    if isinstance(node, MatAdd):
        kept = [p for p, old in zip(parts, node.args, strict=True) if old not in terms]
        return add(*kept) if kept else node
    return node.func(*parts)


def _in_nodes(cell: Cell, naming: EquationNames) -> Found:
    """One node exchanged: a function, a factor, a sign, z and 1 − z, a product's order."""
    for place, equation in enumerate(cell.equations):
        name = naming.bare(equation.target)
        for value, what in _exchanged(equation.value, naming):
            yield _put(cell, place, value), said("{0} in {1}", what, name)
        for value, old, new in commuted(equation.value):
            yield (
                _put(cell, place, value),
                said("with {0} for {1} in {2}", naming(new), naming(old), name),
            )
        for gate in dict.fromkeys(complemented(equation.value)):
            turned = add(OneMatrix(*gate.shape), negate(gate))
            value = exchange(equation.value, {turned: gate, gate: turned})
            words = said(
                "with {0} and 1 − {1} swapped in {2}", naming.bare(gate), naming.bare(gate), name
            )
            yield _put(cell, place, value), words


def _exchanged(node: MatrixExpr, naming: EquationNames) -> Iterator[tuple[MatrixExpr, str]]:
    """The node with one part of it exchanged, and the words."""
    match node:
        case Elementwise():
            for other in FUNCTIONS_TRIED:
                if other != node.function.name and not node.parameters:
                    made = Elementwise(type(node.args[0])(FUNCTIONS[other].name), node.argument)
                    instead = "nothing" if other == "identity" else other
                    yield made, said("with {0} for {1}", instead, node.function.name)
            raised = add(node.argument, OneMatrix(*node.shape))
            yield (
                Elementwise(node.args[0], raised, *node.parameters),
                (said("with 1 added under {0}", node.function.name)),
            )
        case HadamardProduct():
            for k, factor in enumerate(node.args):
                rest = hadamard(*node.args[:k], *node.args[k + 1 :])
                yield rest, said("without the factor {0}", naming(factor))
        case MatAdd():
            for k, term in enumerate(node.args):
                signed = add(*node.args[:k], negate(term), *node.args[k + 1 :])
                yield signed, said("with the sign of {0} turned", naming(term))
    if not isinstance(node, MatrixSymbol):
        for k, part in enumerate(node.args):
            if isinstance(part, MatrixExpr):
                for value, what in _exchanged(part, naming):
                    yield node.func(*node.args[:k], value, *node.args[k + 1 :]), what
