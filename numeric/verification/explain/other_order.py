"""A product and a gate that change their order: in the backward pass alone, or in another cell.

In: a derivation. Out: `Mistake`s, those of another cell each with its derivation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sympy import MatMul, MatrixExpr, MatrixSymbol
from sympy.matrices.expressions import HadamardProduct

from derive.calculus.adjoint import AdjointEquation
from derive.calculus.through_time import Derivation, differentiate
from derive.language.expr import add, hadamard, product, symbols_of
from derive.language.expr import replace as replaced
from derive.saying import said
from numeric.verification.explain.change import Change, Mistake
from numeric.verification.explain.equation_names import EquationNames


def other_order(derivation: Derivation, naming: EquationNames) -> Iterator[Mistake]:
    """Each product with a gate taken before it, or after."""
    cell = derivation.cell
    for place, equation in enumerate(cell.equations):
        for value, old, new in commuted(equation.value):
            changed = replace(equation, value=value)
            equations = (*cell.equations[:place], changed, *cell.equations[place + 1 :])
            try:
                other = differentiate(replace(cell, equations=equations))
            except (ValueError, KeyError):
                continue
            what = said("of another cell, with {0} for {1}", naming(new), naming(old))
            users = [e.target.name for e in derivation.adjoint if _uses(e, old)]
            targets = [e.target.name for e in derivation.carries if _uses(e, old)]
            yield Mistake(what, Change(), (*users, *targets), "order", False, other)


def reordered(derivation: Derivation, naming: EquationNames) -> Iterator[Mistake]:
    """Each product with a gate in the backward pass taken before it, or after: r ⊙ Wᵀ ā."""
    gated = [
        e for e in derivation.adjoint
        if len(e.terms) == 1 and isinstance(e.terms[0].value, HadamardProduct | MatMul)
    ]  # fmt: skip
    for equation in (*derivation.adjoint, *derivation.carries):
        for place, term in enumerate(equation.terms):
            inner = [e for e in gated if e.target in symbols_of(term.value)]
            for value in (term.value, *(_inlined(term.value, e) for e in inner)):
                for whole, old, new in commuted(value):
                    change = Change({(equation.target.name, place): whole})
                    what = said("with {0} for {1}", naming(new), naming(old))
                    yield Mistake(what, change, (equation.target.name,), "order", False)


def _inlined(value: MatrixExpr, equation: AdjointEquation) -> MatrixExpr:
    return replaced(value, {equation.target: equation.terms[0].value})


def _uses(equation: AdjointEquation, old: MatrixExpr) -> bool:
    matrices = {s for s in symbols_of(old) if s.shape[1] != 1}
    return any(matrices & {*symbols_of(term.value)} for term in equation.terms)


def commuted(node: MatrixExpr) -> Iterator[tuple[MatrixExpr, MatrixExpr, MatrixExpr]]:
    """M (r ⊙ h) as r ⊙ (M h), and the reverse; the whole, the old part, the new part."""
    match node:
        case MatMul(args=(matrix, HadamardProduct() as inner)) if isinstance(matrix, MatrixExpr):
            for k, factor in enumerate(inner.args):
                moved = product(matrix, hadamard(*inner.args[:k], *inner.args[k + 1 :]))
                if moved.shape == factor.shape:  # a gate fits on both sides of a square matrix
                    new = hadamard(factor, moved)
                    yield new, node, new
        case HadamardProduct():
            for k, part in enumerate(node.args):
                terms = part.args if part.is_MatAdd else (part,)
                inner = [t for t in terms if isinstance(t, MatMul) and len(t.args) == 2
                         and isinstance(t.args[0], MatrixExpr)]  # fmt: skip
                factor = hadamard(*node.args[:k], *node.args[k + 1 :])
                for term in inner if factor.shape[1] == 1 else ():
                    if factor.shape != term.args[1].shape:
                        continue
                    put = product(term.args[0], hadamard(factor, term.args[1]))
                    rest = [t for t in terms if t is not term]
                    new = add(put, *rest)
                    yield new, node, new
                    if rest:
                        new = add(put, *(hadamard(factor, t) for t in rest))
                        yield new, node, new
    if not isinstance(node, MatrixSymbol):
        for k, part in enumerate(node.args):
            if isinstance(part, MatrixExpr):
                for value, old, new in commuted(part):
                    yield node.func(*node.args[:k], value, *node.args[k + 1 :]), old, new
