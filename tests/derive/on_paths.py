"""Printed formulas in numbers: what a theorem's letters are worth on one drawn trajectory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from profiles import NIGHTLY
from sympy import Abs, Add, MatAdd, MatMul, MatrixSymbol, Max, Mul, OneMatrix, Pow
from sympy.matrices.expressions import HadamardProduct

from derive import catalogue, differentiate
from derive.calculus.through_time import FACTOR, TIME
from derive.cell import previous
from derive.language.expr import At, replace
from derive.language.norms import (
    Determinant,
    Entries,
    EntryProduct,
    EntrywiseAbs,
    EntrywiseSup,
    Infimum,
    MaxAbs,
    MinAbs,
    Norm,
    SingularMin,
    Smallest,
    StepProduct,
    Supremum,
)
from derive.theorems.theorems import theorems
from numeric.bounds.drawn import draw
from numeric.meaning.default_constants import default_constants
from numeric.meaning.interpret import evaluate
from numeric.meaning.sizes import as_columns, size_names

SEEDS = range(200 if NIGHTLY else 2)


@dataclass(frozen=True)
class Path:
    """One trajectory: the values of every symbol and the Jacobian, step by step."""

    derivation: object
    sizes: dict
    values: tuple
    jacobians: tuple

    def product(self, t, k):
        """∂s_t/∂s_k."""
        made = np.eye(len(self.jacobians[0]))
        for jacobian in self.jacobians[k:t]:
            made = jacobian @ made
        return made

    def rows(self, name):
        """The rows of one state in the whole state."""
        start = 0
        for state in self.derivation.cell.states:
            size = np.size(self.values[0][state.name])
            if state.name == name:
                return slice(start, start + size)
            start += size
        raise KeyError(name)

    def block(self, matrix, of, by):
        """The block of a matrix over the whole state."""
        return matrix[self.rows(of), self.rows(by)]


@cache
def derived(name):
    """The derivation of a cell of the catalogue."""
    return differentiate(catalogue[name])


@cache
def proved(name):
    """The theorems of a cell of the catalogue."""
    return theorems(derived(name))


def walk(cell, seed=0, gain=0.5, steps=6, n=3, m=2, zero=False, still=(), **changed):
    """A trajectory of a cell, or of one of the catalogue, with drawn weights and inputs.

    `zero` puts inputs and initial states to 0, `still` the parameters of these names.
    """
    derivation = derived(cell) if isinstance(cell, str) else differentiate(cell)
    cell = derivation.cell
    own = {str(s) for state in cell.states for s in state.shape[0].free_symbols}
    sizes = {size: n if size in own else m for size in size_names(cell)}
    drawn = draw(cell, sizes, gain, steps, seed, 0.4)
    rng = np.random.default_rng(seed + 1)
    for symbol in cell.parameters:
        value = drawn["parameters"][symbol.name]
        if value.ndim < 2:
            drawn["parameters"][symbol.name] = rng.normal(size=value.shape) * 0.5
        if symbol.name in still:
            drawn["parameters"][symbol.name] = np.zeros(value.shape)
    drawn["parameters"] |= changed
    constants = default_constants(cell, {**sizes, "T": steps}, rng)
    fixed = {name: as_columns(value) for name, value in drawn["parameters"].items()}
    fixed |= {k: as_columns(v) for k, v in constants.items() if k not in cell.sequences}
    state = {k: as_columns(v) * (not zero) for k, v in drawn["initial"].items()}
    rows, jacobians = [], []
    for t in range(steps):
        values = dict(fixed)
        values |= {k: v[t].reshape(-1, 1) * (not zero) for k, v in drawn["inputs"].items()}
        values |= {k: constants[k][t].reshape(-1, 1) for k in cell.sequences}
        values |= {previous(s).name: state[s.name] for s in cell.states}
        for equation in derivation.forward:
            values[equation.target.name] = evaluate(equation.value, values, sizes)
        state = {s.name: values[s.name] for s in cell.states}
        step = derivation.step_jacobian
        jacobians.append(
            np.block([
                [evaluate(step.expanded(a.name, b.name), values, sizes) for b in cell.states]
                for a in cell.states
            ])
        )
        rows.append(values)
    return Path(derivation, sizes, tuple(rows), tuple(jacobians))


class Numbers:
    """Evaluates what a theorem prints, its own definitions first."""

    def __init__(self, path, relations=(), known=None):
        self.path = path
        self.named = {relation.left: relation.right for relation in relations}
        self.known = dict(known or {})
        self.window = (0, len(path.values))

    def get(self, symbol):
        """A letter's number; 0 for one that the cell does not need."""
        return self(symbol) if symbol in self.named else 0.0

    def matrix(self, expr, step=0):
        """A matrix at one step; the letters at the times t and j are that step's."""
        plain = {}
        for node in expr.atoms(At):
            symbol, time = node.args
            plain[node] = symbol if time in {TIME, FACTOR} else previous(symbol)
        values = self.path.values[step]
        return evaluate(replace(expr, plain), values, self.path.sizes)

    def vector(self, expr, step=None):
        """A column in absolute values, suprema and sums."""
        match expr:
            case _ if expr in self.named:
                return self.vector(self.named[expr])
            case EntrywiseSup(args=(column,)):
                every = range(len(self.path.values))
                return np.max([np.abs(self.matrix(column, k)) for k in every], axis=0)
            case EntrywiseAbs(args=(matrix,)):
                return np.abs(self.matrix(matrix))
            case OneMatrix():
                return self.matrix(expr)
            case HadamardProduct(args=parts):
                return math.prod(map(self.vector, parts))
            case MatAdd(args=parts):
                return sum(map(self.vector, parts))
            case MatMul(args=parts):
                found = self.vector(parts[-1])
                for part in reversed(parts[:-1]):
                    found = part * found if part.is_number else self.vector(part) @ found
                return found
        raise TypeError(type(expr).__name__)

    def __call__(self, expr, step=None):
        """A number; with a step, of that step."""
        every = range(len(self.path.values))
        match expr:
            case _ if expr in self.known:
                return self.known[expr]
            case _ if expr in self.named and not isinstance(expr, MatrixSymbol):
                return self(self.named[expr], step)
            case Supremum(args=(body,)):
                return max(self(body, k) for k in every)
            case Infimum(args=(body,)):
                return min(self(body, k) for k in every)
            case MaxAbs(args=(column,)):
                return float(np.abs(self.matrix(column, step or 0)).max(initial=0))
            case MinAbs(args=(column,)):
                return float(np.abs(self.matrix(column, step or 0)).min())
            case Smallest(args=(column,)):
                return float(self.matrix(column, step or 0).min())
            case Norm(args=(matrix,)):
                return float(np.linalg.norm(self.matrix(matrix, step or 0), 2))
            case SingularMin(args=(matrix,)):
                return float(np.linalg.svd(self.matrix(matrix, step or 0))[1].min())
            case Determinant(args=(matrix,)):
                return float(np.linalg.det(self.matrix(matrix, step or 0)))
            case EntryProduct(args=(column,)):
                return float(np.prod(self.matrix(column, step or 0)))
            case Entries(args=entries):
                order = expr.order
                return np.array([self(e) for e in entries]).reshape(order, order)
            case StepProduct(args=(body, *_)):
                return math.prod(self(body, k) for k in range(*self.window))
            case Abs(args=(body,)):
                return abs(self(body, step))
            case Max(args=bodies):
                return max(self(body, step) for body in bodies)
            case Add(args=terms):
                return sum(self(term, step) for term in terms)
            case Mul(args=factors):
                return math.prod(self(factor, step) for factor in factors)
            case Pow(args=(base, exponent)):
                return self(base, step) ** self(exponent, step)
        return float(expr.subs({k: v for k, v in self.known.items() if expr.has(k)}))
