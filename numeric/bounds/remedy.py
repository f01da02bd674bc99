"""What would change the verdict: changes of the parameters, tried, with their effect.

In: a `Diagnosis` along a sequence. Out: `Remedies`: each change with log10 of ‖∂s_T/∂s_k‖₂ that
it leads to, measured; the one that comes nearest to 1 is bounded as well, so that its effect is
certified. What is tried comes from the equations: each bias one up and one
down over all units, and the recurrent weights times the factor that a norm of 1 asks for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sympy import MatAdd, MatrixSymbol, preorder_traversal

from derive.cell import Cell, Equation
from derive.language.expr import Elementwise, VectorFunction, symbols_of
from numeric.bounds.all_inputs.gain_scan import recurrent, scaled
from numeric.bounds.drawn import multipliers, of_states
from numeric.bounds.one_sequence.measured_norms import measured_norms
from numeric.bounds.one_sequence.step_jacobians import Run, StateOverflowError, run
from numeric.bounds.one_sequence.tracks import Track, enclosed
from numeric.compiler.kernel import compile_cell

Array = Any
Arrays = Mapping[str, Array]
ADD: Final = "add"
MULTIPLY: Final = "multiply"
_SHIFTS: Final = (1.0, -1.0)
_LIMITS: Final = (0.5, 2.0)
_MANY: Final = 256
"""States of more entries than this have fewer changes tried: those of the gates on the paths."""
_WIDE: Final = 100
"""Of states of more entries than this the norm is measured with vectors alone."""
_ENCLOSED: Final = 1024
"""Of states of more entries than this the effect is measured, not bounded."""
_BEST: Final = 0.9
"""A remedy leaves at most this share of the decades between the norm and 1."""
_NONE: Final = 0.005
"""A norm of fewer decades than this, 1 as it is printed, asks for no remedy."""
_FEW: Final = 2


@dataclass(frozen=True)
class Change:
    """A change of some parameters: so much added to each entry, or each entry times so much.

    `target` is the symbol that a bias belongs to; empty for several parameters.
    """

    kind: str
    names: tuple[str, ...]
    amount: float
    target: str = ""

    def applied(self, cell: Cell, parameters: Arrays) -> dict[str, Array]:
        """The parameters with the change."""
        if self.kind == MULTIPLY:
            return scaled(cell, parameters, self.amount)
        return {name: value + self.amount if name in self.names else value
                for name, value in parameters.items()}  # fmt: skip


@dataclass(frozen=True)
class Remedies:
    """The changes that were tried with their measured log10, the nearest to 0 first.

    `upper` and `lower` bound log10 of the norm with the first change: certified; ±∞ where states
    are too wide for that.
    """

    before: float
    tried: tuple[tuple[Change, float], ...]
    upper: float
    lower: float

    @property
    def needed(self) -> bool:
        """Whether the norm differs from 1."""
        return abs(self.before) >= _NONE

    @property
    def best(self) -> tuple[Change, float] | None:
        """The change that comes nearest to 1, if it takes a tenth of the decades away.

        Not of a norm of 0 what may be another: where the new one is not known from below, what is
        measured of it may be rounding.
        """
        if not self.tried or not self.needed:
            return None
        change, after = self.tried[0]
        if self.before == self.lower == -math.inf and math.isfinite(self.upper):
            return None
        if math.isfinite(self.before) and abs(after) > _BEST * abs(self.before):
            return None
        return change, after

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "before": self.before if math.isfinite(self.before) else None,
            "tried": [{"kind": change.kind, "parameters": list(change.names),
                       "amount": change.amount, "log10_measured": after}
                      for change, after in self.tried],
            "log10_upper": self.upper if math.isfinite(self.upper) else None,
            "log10_lower": self.lower if math.isfinite(self.lower) else None,
        }  # fmt: skip


def biases(cell: Cell) -> dict[MatrixSymbol, str]:
    """The vector parameters that are added alone on the way to a state, and to what each is."""
    scaling, steering = multipliers(cell), of_states(cell)
    found: dict[MatrixSymbol, str] = {}
    for equation in cell.equations:
        for node in preorder_traversal(equation.value):
            if getattr(node, "is_MatAdd", False):
                for term in {*node.args} & {*cell.parameters} & steering:
                    if term.shape[1] == 1 and term.shape[0] != 1 and term not in scaling:
                        found.setdefault(term, equation.target.name)
    order = {symbol: place for place, symbol in enumerate(cell.parameters)}
    return dict(sorted(found.items(), key=lambda item: order[item[0]]))


def is_bias_of(symbol: MatrixSymbol, equation: Equation) -> bool:
    """Whether the symbol is one term of what the equation's function takes, or of its sum itself.

    Times a number, inside another function, or in two places, it is no bias of the target.
    """
    value = equation.value
    if isinstance(value, (Elementwise, VectorFunction)):
        value = value.args[-1] if isinstance(value, VectorFunction) else value.argument
    terms = value.args if isinstance(value, MatAdd) else ()
    return [term for term in terms if symbol in {*symbols_of(term)}] == [symbol]


def measured_norm(path: Run, lag: int) -> float:
    """log10 ‖∂s_T/∂s_{T−lag}‖₂ by the emitted code, all rows of the product in one batch.

    Of states too wide for that by products with vectors.
    """
    if _wide(path):
        return measured_norms([path], lag)[0]
    cell, last = path.derivation.cell, path.steps
    first = last - lag
    shapes = {s.name: path.states[s.name].shape[1:] for s in cell.states}
    widths = {name: math.prod(shape) for name, shape in shapes.items()}
    rows = sum(widths.values())

    def repeated(value: Array) -> Array:
        return np.repeat(value[:, None], rows, axis=1)

    inputs = {name: repeated(value[first:]) for name, value in path.inputs.items()}
    initial = {name: repeated(value[first : first + 1])[0] for name, value in path.states.items()}
    constants = {name: value[first:] if name in cell.sequences else value
                 for name, value in path.constants.items()}  # fmt: skip
    kernel = compile_cell(cell)
    _, tape = kernel.forward(path.parameters, inputs, initial, constants)
    units, cotangents, start = np.eye(rows), {}, 0
    for name, width in widths.items():
        seeds = np.zeros((lag, rows, *shapes[name]))
        seeds[-1] = units[:, start : start + width].reshape(rows, *shapes[name])
        cotangents[name], start = seeds, start + width
    found = kernel.backward(path.parameters, tape, cotangents)["initial"]
    product = np.concatenate([found[name].reshape(rows, -1) for name in widths], axis=1)
    if not np.all(np.isfinite(product)):
        return math.inf
    size = float(np.linalg.norm(product, 2))
    return math.log10(size) if size else -math.inf


def _wide(path: Run) -> bool:
    return _entries(path) > _WIDE and not path.derivation.has_matrices


def _entries(path: Run) -> int:
    return sum(math.prod(value.shape[1:]) for value in path.states.values())


@np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore")
def remedies(
    path: Run, lag: int, named: Mapping[str, float] | None = None, track: Track | None = None
) -> Remedies:
    """The changes tried on a run.

    `named` are shares of the norm by symbol, for large states; `track` what is known of the run.
    """
    known = track is not None and _wide(path)
    before = math.inf if known else measured_norm(path, lag)
    if track is not None and before == math.inf:  # it is no float, its logarithm is
        before = track.log10_measured[-1]
    made: list[tuple[Change, Run]] = []
    for change in _changes(path, before, lag, named or {}):
        with suppress(StateOverflowError):
            made.append((change, _again(path, change)))
    runs = [run for _, run in made]
    if runs and _wide(path):
        after = measured_norms(runs, lag, track.direction if track else None)
    else:
        after = [measured_norm(run, lag) for run in runs]
    order = [k for k in np.argsort(np.abs(after), kind="stable") if math.isfinite(after[k])]
    upper, lower = math.inf, -math.inf
    if order and _entries(path) <= _ENCLOSED:
        upper, lower, *_ = enclosed(runs[order[0]], lag)
    return Remedies(before, tuple((made[k][0], after[k]) for k in order), upper, lower)


def _again(path: Run, change: Change) -> Run:
    """The same sequence from the same initial state, with the change.

    Raises:
        StateOverflowError: if its states overflow.
    """
    initial = {name: value[0] for name, value in path.states.items()}
    parameters = change.applied(path.derivation.cell, path.parameters)
    return run(path.derivation, parameters, path.inputs, initial, path.constants)


def _changes(
    path: Run, before: float, lag: int, named: Mapping[str, float]
) -> Iterator[Change]:  # fmt: skip
    cell = path.derivation.cell
    found = [(symbol.name, target) for symbol, target in biases(cell).items()]
    if _entries(path) > _MANY:
        found = sorted(found, key=lambda item: -abs(named.get(item[1], 0.0)))[:_FEW]
    for name, target in found:
        yield from (Change(ADD, (name,), amount, target) for amount in _SHIFTS)
    if (names := recurrent(cell)) and math.isfinite(before):
        factor = float(np.clip(10.0 ** (-before / lag), *_LIMITS))
        factor = float(f"{factor:.2g}")
        if factor != 1.0:
            yield Change(MULTIPLY, names, factor)
