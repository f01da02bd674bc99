"""A term of an adjoint equation with one part exchanged: what a slip of the pen makes of it.

In: the term, and the symbols that could stand in it. Out: `Rewrite`s, with words for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sympy import (
    Add,
    Expr,
    MatAdd,
    MatMul,
    MatrixExpr,
    MatrixSymbol,
    Mul,
    OneMatrix,
    Pow,
    Transpose,
)
from sympy.matrices.expressions import HadamardProduct

from derive.calculus.adjoint import carry, from_loss
from derive.calculus.through_time import Derivation
from derive.cell import previous, timeless_symbols
from derive.language.expr import (
    Elementwise,
    Quotient,
    Slope,
    add,
    broadcast,
    hadamard,
    negate,
    product,
    replace,
    scale,
    symbols_of,
    transpose,
)
from derive.language.functions import FUNCTIONS, Y
from derive.language.syntax import BAR, PREVIOUS
from derive.saying import said
from numeric.verification.explain.change import BEFORE_FIRST, EARLIER, LATER, STALE, SUMMED
from numeric.verification.explain.equation_names import EquationNames

CONFUSED: Final = ("tanh", "sigmoid")


@dataclass(frozen=True)
class Rewrite:
    """The term with one part exchanged; `family` tells the same slip elsewhere."""

    value: MatrixExpr
    what: str
    family: str
    major: bool = True


@dataclass(frozen=True)
class Alphabet:
    """The symbols of one step: what could stand for what.

    `outputs` maps the input of an elementwise function to the symbol of its output, `values`
    such an input to what it is computed from, `gated` a product with a state one step earlier.
    """

    columns: tuple[MatrixSymbol, ...]
    states: dict[MatrixSymbol, MatrixSymbol]
    cotangents: tuple[MatrixSymbol, ...]
    parameters: tuple[MatrixSymbol, ...]
    gates: frozenset[MatrixSymbol]
    outputs: dict[MatrixExpr, MatrixSymbol]
    fixed: frozenset[MatrixSymbol]
    values: dict[MatrixSymbol, MatrixExpr]
    gated: dict[MatrixSymbol, MatrixExpr]

    @classmethod
    def of(cls, derivation: Derivation) -> Alphabet:
        """The alphabet of a derivation."""
        cell = derivation.cell
        fixed = frozenset(timeless_symbols(cell, derivation.forward))
        outputs = {
            equation.value: equation.target
            for equation in derivation.forward if isinstance(equation.value, Elementwise)
        }  # fmt: skip
        arguments = {value.argument for value in outputs}
        made = [e.target for e in derivation.forward if e.target not in fixed | arguments]
        states = {previous(state): state for state in cell.states}
        gates = {s for e in derivation.forward for s in complemented(e.value)}
        return cls(
            columns=tuple(dict.fromkeys((*made, *states, *cell.inputs))),
            states=states | {state: before for before, state in states.items()},
            cotangents=tuple(e.target for e in (*derivation.adjoint, *derivation.carries)),
            parameters=cell.parameters,
            gates=frozenset(gates),
            outputs=outputs,
            fixed=fixed,
            values={e.target: e.value for e in derivation.forward if e.target in arguments},
            gated={
                e.target: e.value
                for e in derivation.forward
                if isinstance(e.value, HadamardProduct) and {*states} & {*e.value.args}
            },
        )


def complemented(node: MatrixExpr) -> Iterator[MatrixSymbol]:
    """The symbols z of which the node has a 1 − z."""
    if (gate := _complement(node)) is not None:
        yield gate
    for part in node.args:
        if isinstance(part, MatrixExpr) and not isinstance(node, MatrixSymbol):
            yield from complemented(part)


def _complement(node: MatrixExpr) -> MatrixSymbol | None:
    if isinstance(node, MatAdd) and len(node.args) == 2 and isinstance(node.args[0], OneMatrix):
        gate = negate(node.args[1])
        return gate if isinstance(gate, MatrixSymbol) else None
    return None


def rewrites(
    node: MatrixExpr, alphabet: Alphabet, naming: EquationNames, known: set[str] | None
) -> Iterator[Rewrite]:
    """Every expression that differs from the node in one part.

    `known`: the cotangents computed so far, all of them if None.
    """
    yield from _alternatives(node, alphabet, naming, known)
    if isinstance(node, MatrixSymbol):
        return
    if (gate := _complement(node)) is not None:
        for moved in _at_other_places(gate, alphabet, naming):
            value = add(OneMatrix(*node.shape), negate(moved.value))
            yield Rewrite(value, said("{0} in {1}", moved.what, naming(node)), moved.family, False)
        return
    if isinstance(node, Quotient):
        what = said("the division by {0} dropped", naming(node.args[1]))
        yield Rewrite(node.args[0], what, "division dropped")
    if (rest := _without_matrix(node, alphabet)) is not None:
        what = said("the factor {0} dropped", naming(node.args[0]))
        yield Rewrite(rest, what, "matrix dropped")
    if isinstance(node, HadamardProduct):
        if (apart := _entry_by_entry(node)) is not None:
            words = said("the slope of softmax taken entry by entry, {0} for {1}", naming(apart),
                         naming(node))  # fmt: skip
            yield Rewrite(apart, words, "softmax by entries")
        for place, factor in enumerate(node.args):
            if not _is_cotangent(factor):
                rest = hadamard(*node.args[:place], *node.args[place + 1 :])
                slope = isinstance(factor, Slope)
                family = f"{factor.function.name}′ dropped" if slope else f"{factor} dropped"
                what = said("the factor {0} dropped", naming(factor))
                if slope:
                    what = said("the slope {0} dropped", naming(factor))
                yield Rewrite(rest, what, family)
    for place, part in enumerate(node.args):
        if isinstance(part, MatAdd) and _complement(part) is None:
            for k, dropped in enumerate(part.args):
                rest = add(*part.args[:k], *part.args[k + 1 :])
                args = (*node.args[:place], rest, *node.args[place + 1 :])
                what = said("the part {0} dropped", naming(dropped))
                yield Rewrite(node.func(*args), what, "part dropped", False)
        if isinstance(part, MatrixExpr):
            for rewrite in rewrites(part, alphabet, naming, known):
                args = (*node.args[:place], rewrite.value, *node.args[place + 1 :])
                yield Rewrite(node.func(*args), rewrite.what, rewrite.family, rewrite.major)


def _entry_by_entry(node: HadamardProduct) -> MatrixExpr | None:
    """Y ⊙ (1 − y) ⊙ ȳ of y ⊙ (ȳ − yᵀȳ), the cotangent of what y = softmax is of."""
    match node.args:
        case (MatrixSymbol() as y, MatAdd(args=parts)) if len(parts) == 2:
            for y_bar, other in (parts, parts[::-1]):
                mean = broadcast(product(transpose(y), y_bar), y.shape)
                if other == negate(mean):
                    return hadamard(y, add(OneMatrix(*y.shape), negate(y)), y_bar)
    return None


def _is_cotangent(node: MatrixExpr) -> bool:
    return isinstance(node, MatrixSymbol) and BAR in node.name


def _alternatives(
    node: MatrixExpr, alphabet: Alphabet, naming: EquationNames, known: set[str] | None
) -> Iterator[Rewrite]:
    """What could stand in the place of the node itself."""
    match node:
        case Slope():
            yield from _slopes(node, alphabet, naming)
        case Elementwise():
            name = node.function.name
            yield _swap(node, node.argument, naming, f"{name} dropped")
            yield _swap(node, Slope(*node.args), naming, f"{name} to its slope")
        case Transpose(arg=MatrixSymbol() as inner) if inner.shape[0] == inner.shape[1]:
            yield _swap(node, inner, naming, "transpose")
        case MatrixSymbol():
            yield from _symbols(node, alphabet, naming, known)
        case MatAdd() if (gate := _complement(node)) is not None:
            yield _swap(node, gate, naming, f"{gate} and 1 − {gate}")


def _swap(
    old: MatrixExpr, new: MatrixExpr, naming: EquationNames, family: str, major: bool = True
) -> Rewrite:
    return Rewrite(new, said("{0} for {1}", naming(new), naming(old)), family, major)


def _symbols(
    symbol: MatrixSymbol, alphabet: Alphabet, naming: EquationNames, known: set[str] | None
) -> Iterator[Rewrite]:
    shape = symbol.shape
    if _is_cotangent(symbol):
        others: Sequence[MatrixSymbol] = [
            c for c in alphabet.cotangents if known is None or c.name in known
        ]
        major = False
        for state in alphabet.states if known is not None else ():  # read before all of it is there
            if symbol.name == f"{state.name}{BAR}":
                for part in (carry(state), from_loss(state)):
                    yield _swap(symbol, part, naming, f"{symbol} in part", False)
        for own in alphabet.columns:
            if symbol.name == f"{own.name}{BAR}":  # e ⊙ y where y only tells what e is of
                what = said("the factor {0} too many", naming(own))
                yield Rewrite(hadamard(symbol, own), what, "own value", False)
    elif symbol in alphabet.fixed:
        others, major = alphabet.parameters, False
        if shape[0] == shape[1] != 1:
            yield _swap(symbol, transpose(symbol), naming, "transpose")
    else:
        others, major = alphabet.columns, False
        if (other := alphabet.states.get(symbol)) is not None:
            yield _swap(symbol, other, naming, f"{symbol} to {other}")
        if symbol in alphabet.gates:
            flipped = add(OneMatrix(*shape), negate(symbol))
            yield _swap(symbol, flipped, naming, f"{symbol} and 1 − {symbol}")
        words_for = STALE if known is not None else {**STALE, **SUMMED}
        yield from _at_other_places(symbol, alphabet, naming, words_for)
        if symbol.name.endswith(PREVIOUS) and symbol in alphabet.states:
            now = alphabet.states[symbol]
            for ending, words in BEFORE_FIRST.items():
                other = MatrixSymbol(now.name + ending, *shape)
                yield Rewrite(other, said(words, now, naming(symbol)), f"before first: {ending}.")
    if (value := alphabet.gated.get(symbol)) is not None:
        yield from _with_another_state(value, alphabet, naming)
    for other in others:
        if other != symbol and other.shape == shape and other != alphabet.states.get(symbol):
            yield _swap(symbol, other, naming, f"{symbol} to {other}", major)


def _at_other_places(
    symbol: MatrixSymbol,
    alphabet: Alphabet,
    naming: EquationNames,
    others: Mapping[str, str] = STALE,
) -> Iterator[Rewrite]:
    """The symbol of a neighbouring step, and `others`; what no step changes has none."""
    if symbol in alphabet.fixed:
        return
    for ending, taken in ((EARLIER, symbol not in alphabet.states), (LATER, True)):
        if taken and not symbol.name.endswith(PREVIOUS):
            moved = MatrixSymbol(symbol.name + ending, *symbol.shape)
            yield _swap(symbol, moved, naming, f"{symbol}{ending}", False)
    for ending, words in others.items():
        moved = MatrixSymbol(symbol.name + ending, *symbol.shape)
        yield Rewrite(moved, said(words, naming(symbol)), f"{symbol}{ending}", False)


def _without_matrix(node: MatrixExpr, alphabet: Alphabet) -> MatrixExpr | None:
    """What a square matrix of parameters is multiplied with."""
    match node:
        case MatMul(args=(MatrixSymbol() | Transpose() as matrix, MatrixExpr() as rest)):
            square = matrix.shape[0] == matrix.shape[1] != 1
            return rest if square and {*symbols_of(matrix)} <= alphabet.fixed else None
    return None


def _with_another_state(
    value: MatrixExpr, alphabet: Alphabet, naming: EquationNames
) -> Iterator[Rewrite]:
    """A product with a state one step earlier, computed again with another state in its place."""
    for place, factor in enumerate(value.args):
        if isinstance(factor, MatrixSymbol) and factor.name.endswith(PREVIOUS):
            rest = hadamard(*value.args[:place], *value.args[place + 1 :])
            for rewrite in _symbols(factor, alphabet, naming, None):
                own = f"{factor} to {alphabet.states[factor]}"
                if rewrite.family == own or rewrite.family.startswith("before first"):
                    what = said("{0} in {1}", rewrite.what, naming(value))
                    yield Rewrite(hadamard(rest, rewrite.value), what, rewrite.family)


def _slopes(node: Slope, alphabet: Alphabet, naming: EquationNames) -> Iterator[Rewrite]:
    """Of the output as if it were the input, the reverse, and of other functions."""
    function, argument = node.function, node.argument
    name, output = function.name, alphabet.outputs.get(Elementwise(*node.args))
    value = output if output is not None else Elementwise(*node.args)
    at_output = Slope(node.args[0], value, *node.parameters)
    words = said(
        "the slope {0}′ taken of the output {1} as if it were the input", name, naming(value)
    )
    yield Rewrite(at_output, words, f"{name}′ at output")
    if (through := through_output(name, argument)) is not None:
        words = said("the slope {0}, which is for the output, taken of the input", naming(through))
        yield Rewrite(through, words, f"{name}′ of input as output")
    if isinstance(value, MatrixSymbol):
        before = alphabet.states.get(value, MatrixSymbol(value.name + EARLIER, *value.shape))
        if (earlier := through_output(name, before)) is not None:
            words = said(
                "the slope {0}, of the step before, for {1}", naming(earlier), naming(node)
            )
            yield Rewrite(earlier, words, f"{name}′ of the step before")
    for other in (n for n in CONFUSED if n != name):
        words = said("the slope of {0} for that of {1}", other, name)
        yield Rewrite(Slope(FUNCTIONS[other].name, argument), words, f"{name}′ to {other}′")
        made = through_output(other, value)
        assert made is not None
        words = said("the slope of {0}, {1}, for that of {2}", other, naming(made), name)
        yield Rewrite(made, words, f"{name}′ to {other}′ of output")
    one = OneMatrix(*node.shape)
    for half in (add(one, negate(value)), hadamard(value, value)):
        yield _swap(node, half, naming, f"{name}′ in part", False)
    if name == "tanh":  # 1 − y · 2, where y ** 2 was meant
        yield _swap(node, add(one, negate(scale(2, value))), naming, "y · 2 for y²")
    yield from _values_for_slopes(node, value, alphabet, naming)
    yield from _recomputed(node, alphabet, naming)


def _values_for_slopes(
    node: Slope, value: MatrixExpr, alphabet: Alphabet, naming: EquationNames
) -> Iterator[Rewrite]:
    """A value where its slope belongs, and the slope through the output of another."""
    name = node.function.name
    yield _swap(node, value, naming, f"{name} for {name}′")
    for other in alphabet.columns:
        if other.shape != node.shape or other == value:
            continue
        near = other in alphabet.states or other == node.argument
        if near and not other.name.endswith(PREVIOUS):
            yield _swap(node, other, naming, f"{other} for {name}′")
        if other != node.argument and (made := through_output(name, other)) is not None:
            yield _swap(node, made, naming, f"{name}′ of {other} as output", near)


def _recomputed(node: Slope, alphabet: Alphabet, naming: EquationNames) -> Iterator[Rewrite]:
    """The slope at a pre-activation computed again with another parameter, or without a term."""
    if (value := alphabet.values.get(node.argument)) is None:
        return
    name = node.function.name
    at_argument = naming(node.argument)
    for symbol in symbols_of(value):
        if symbol in alphabet.parameters:
            for other in alphabet.parameters:
                if other != symbol and other.shape == symbol.shape:
                    at = Slope(node.args[0], replace(value, {symbol: other}), *node.parameters)
                    what = _again(name, at_argument, naming(other), naming(symbol))
                    yield Rewrite(at, what, f"{name}′ at {other} for {symbol}")
        elif (other_time := alphabet.states.get(symbol)) is not None:
            at = Slope(node.args[0], replace(value, {symbol: other_time}), *node.parameters)
            what = _again(name, at_argument, naming(other_time), naming(symbol))
            yield Rewrite(at, what, f"{name}′ at {other_time} for {symbol}")
    for place, term in enumerate(value.args if isinstance(value, MatAdd) else ()):
        left = add(*value.args[:place], *value.args[place + 1 :])
        at = Slope(node.args[0], left, *node.parameters)
        yield Rewrite(
            at,
            said("{0}′ taken at {1} computed again without {2}", name, at_argument, naming(term)),
            f"{name}′ without a term",
        )


def _again(name: str, argument: str, new: str, old: str) -> str:
    return said("{0}′ taken at {1} computed again with {2} for {3}", name, argument, new, old)


def through_output(name: str, y: MatrixExpr) -> MatrixExpr | None:
    """φ′ as a polynomial of the output y; None where it is none, or has parameters of its own."""
    formula = FUNCTIONS[name].slope_from_output
    if formula is None or formula.free_symbols != {Y} or not formula.is_polynomial(Y):
        return None
    return _polynomial(formula, y)


def _polynomial(formula: Expr, y: MatrixExpr) -> MatrixExpr:
    if formula == Y:
        return y
    if isinstance(formula, Add):
        ordered = sorted(formula.args, key=lambda part: part.has(Y))
        return add(*(_polynomial(part, y) for part in ordered))
    if isinstance(formula, Pow):
        return hadamard(*[y] * int(formula.exp))
    if isinstance(formula, Mul):
        number, rest = formula.as_coeff_Mul()
        factors = sorted(Mul.make_args(rest), key=lambda part: part != Y)
        return scale(number, hadamard(*(_polynomial(part, y) for part in factors)))
    return scale(formula, OneMatrix(*y.shape))
