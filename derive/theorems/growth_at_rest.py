"""Zero input, zero state: one trajectory whose Jacobian is a power, and what it makes necessary.

In: a `Derivation`. Out: the theorem ‖∂s_t/∂s_k‖₂ ≥ ρ(J₀)^{t−k} along it, with J₀ in the cell's
weights and its eigenvalues where they are numbers times those of one weight matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sympy import Identity, MatMul, MatPow, MatrixExpr, MatrixSymbol, Mul, Number, OneMatrix, Pow, S
from sympy.matrices.expressions import DiagMatrix

from derive.calculus.through_time import EARLIER, LAG, TIME, Derivation
from derive.language.expr import (
    SCALAR,
    At,
    Blocks,
    Broadcast,
    Partial,
    add,
    hadamard,
    scale,
    split_coefficient,
    symbols_of,
)
from derive.language.norms import Norm, Radius
from derive.theorems.carousel import find_carousel
from derive.theorems.claims import KANAI, Bound, Line, Part, Relation, Theorem
from derive.theorems.jacobian_at_rest import Rest, rest
from derive.theorems.letters import Letters
from derive.theorems.one_sequence import chain_norm


def at_rest(derivation: Derivation) -> Theorem | None:
    """‖∂s_t/∂s_k‖₂ ≥ ρ(J₀)^{t−k} along the zero trajectory, where J₀ holds a weight matrix."""
    found = rest(derivation)
    if found is None or not any(map(_has_matrix, found.blocks.values())):
        return None
    cell = derivation.cell
    norm, target = chain_norm(derivation)
    letters = Letters(derivation)
    J = MatrixSymbol(f"{letters('J', 'Phi')}_0", *target.shape)
    states = {state.name: state for state in cell.states}
    entries = tuple(found.blocks[a, b] for a in states for b in states)
    grid = len(entries) == 1 or found.reduced is not None
    written = (
        (Relation(J, "=", entries[0] if len(entries) == 1 else Blocks(*entries)),) if grid
        else tuple(Relation(Partial(At(states[a], TIME), At(states[b], TIME - 1)), "=",
                            found.blocks[a, b]) for a in states for b in states)
    )  # fmt: skip
    radius = Radius(J)
    consequences: list[Part] = [
        Line("at_rest.growth", (Relation(radius, ">", S.One), Relation(radius, "<", S.One))),
        *_eigenvalues(letters, found, J),
    ]  # fmt: skip
    numbers = _numbers(found.unbiased)
    single = len(cell.states) == 1
    published = single and numbers is not None and 0 < numbers[0] < 1
    return Theorem(
        name="at_rest",
        assumptions=(
            Line("at_rest.at_zero"),
            *_zeroed(found),
        ),
        statement=(Line("at_rest.matrix" if grid else "at_rest.blocks",
                        (J, Relation(EARLIER, "≤", TIME))),),
        bound=Bound(norm, "lower", Pow(radius, LAG, evaluate=False)),
        entries=written,
        consequences=tuple(consequences),
        proof=(
            Line("at_rest.stays", (derivation.part("chain")[-1].number, J,
                  Relation(target, "=", MatPow(J, LAG)))),
            Line("at_rest.radius", (
                  Relation(Radius(MatPow(J, LAG)), "=", Pow(radius, LAG, evaluate=False)),)),
            *_reduction(derivation, found, J),
        ),
        silent=(
            Line("at_rest.silent", (Relation(radius, "<", S.One),)),
        ),
        sources=(KANAI,) if published else (),
    )  # fmt: skip


def _has_matrix(block: MatrixExpr) -> bool:
    return any(symbol.shape[1] != 1 for symbol in symbols_of(block))


def _zeroed(found: Rest) -> tuple[Line, ...]:
    """Which biases are zero; the others are free."""
    if not found.zeroed:
        return ()
    one = len(found.zeroed) == 1
    return (Line("at_rest.bias" if one else "at_rest.biases", (found.zeroed,)),)


@dataclass(frozen=True)
class _Shape:
    """u + v μ, the eigenvalues of diag(u) + diag(v) M diag(w) where u, v, w are constant."""

    eigenvalue: MatrixExpr
    matrix: MatrixExpr


_EIGENVALUES: Final = (
    ("at_rest.those", "at_rest.those_equal", "at_rest.those_equal_or_zero"),
    ("at_rest.values", "at_rest.values_equal", "at_rest.values_equal_or_zero"),
)


def _eigenvalues(letters: Letters, found: Rest, J: MatrixSymbol) -> tuple[Line, ...]:
    """What the eigenvalues of J₀ are, as far as one weight matrix decides them."""
    lines = []
    if found.reduced is not None and len(found.blocks) > 1:
        lines.append(Line("at_rest.eigenvalues", (J, found.reduced)))
    mu = MatrixSymbol(letters("mu", "nu", "zeta"), 1, 1)
    general = _shape(found.reduced, mu, found.biases)
    numbers = _numbers(found.unbiased)
    plain = _shape(found.unbiased, mu, found.biases)
    varied = plain is not None and general is not None and general.eigenvalue != plain.eigenvalue
    if general is not None and (varied or general.eigenvalue != mu):
        last = (plain.eigenvalue,) if varied and numbers and plain is not None else ()
        key = _EIGENVALUES[0 if lines else 1][len(last) + varied]
        whose = () if lines else (J,)
        lines.append(Line(key, (general.eigenvalue, mu, general.matrix, *whose, *last)))
    if numbers is None or plain is None:
        return tuple(lines)
    start, factor = numbers
    if 0 <= start < 1 and factor > 0:
        lines.append(Line("at_rest.decay", (
                           Relation(Radius(J), "≤", _affine(start, factor, Norm(plain.matrix))),
                           Relation(Norm(plain.matrix), "<", (1 - start) / factor))))  # fmt: skip
    return tuple(lines)


def _affine(start: Number, factor: Number, norm: Norm) -> Mul:
    term = norm if factor == 1 else Mul(factor, norm, evaluate=False)
    return term if start == 0 else start + term


def _numbers(matrix: MatrixExpr | None) -> tuple[Number, Number] | None:
    """(p, q) of p I + q M with one weight matrix M."""
    if matrix is None:
        return None
    start, factor = S.Zero, S.Zero
    for term in matrix.args if matrix.is_MatAdd else (matrix,):
        number, other = split_coefficient(term)
        if isinstance(other, Identity):
            start += number
        elif isinstance(other, MatrixSymbol) and factor == 0:
            factor = number
        else:
            return None
    return (start, factor) if factor != 0 else None


def _shape(
    matrix: MatrixExpr | None, mu: MatrixSymbol, biases: tuple[MatrixSymbol, ...]
) -> _Shape | None:
    """The eigenvalues of a sum of diagonals and one diag(v) M diag(w), the diagonals constant.

    They are constant where the biases are; a diagonal of another vector has entries of its own.
    """
    if matrix is None:
        return None
    terms, weight = [], None
    for term in matrix.args if matrix.is_MatAdd else (matrix,):
        number, other = split_coefficient(term)
        made: list[MatrixExpr] = []
        for factor in other.args if isinstance(other, MatMul) else (other,):
            if isinstance(factor, DiagMatrix):
                if any(s not in biases and s.shape != SCALAR for s in symbols_of(factor)):
                    return None
                made.append(_narrow(factor.args[0]))
            elif isinstance(factor, MatrixSymbol) and weight is None:
                weight = factor
                made.append(mu)
            elif not isinstance(factor, Identity):
                return None
        made.sort(key=lambda part: part == mu)
        terms.append(scale(number, hadamard(*made) if made else OneMatrix(1, 1)))
    return None if weight is None else _Shape(add(*terms), weight)


def _narrow(expr: MatrixExpr) -> MatrixExpr:
    """One entry of a column whose entries are all equal."""
    match expr:
        case MatrixSymbol():
            return MatrixSymbol(expr.name, 1, 1)
        case OneMatrix():
            return OneMatrix(1, 1)
        case Broadcast(args=(inner, *_)):
            return inner
    return expr.func(*(_narrow(part) if isinstance(part, MatrixExpr) else part
                       for part in expr.args))  # fmt: skip


def _reduction(derivation: Derivation, found: Rest, J: MatrixSymbol) -> tuple[Line, ...]:
    """Why a matrix of one state's size has the eigenvalues of J₀."""
    if len(found.blocks) == 1 or found.reduced is None:
        return ()
    pair = find_carousel(derivation)
    if pair is None:
        return ()
    states = {state.name: state for state in derivation.cell.states}
    first = (found.blocks[pair.keeper, pair.keeper], found.blocks[pair.keeper, pair.reader])
    return (
        Line("at_rest.reduced", (J, *first, states[pair.reader], states[pair.keeper])),
    )  # fmt: skip
