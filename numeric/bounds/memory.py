"""How a cell keeps gradients, in numbers: by the bias of the gate that keeps its state, by gain.

In: a cell, sizes, a seed. Out: `Keeping`: tracks for biases 0, 1, 3 of that gate beside a plain
RNN at gain 1, all along one input sequence; and `ByGain`: the norm at one lag along a sequence
for weights times growing factors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sympy import MatAdd, MatrixExpr, MatrixSymbol, OneMatrix
from sympy.matrices.expressions import DiagMatrix

from derive.calculus.gates import gates, kept
from derive.calculus.through_time import derivation_of
from derive.cell import Cell, Equation, catalogue
from derive.language.expr import Elementwise, negate, symbols_of
from derive.language.functions import X
from numeric.bounds.all_inputs.gain_scan import CLOSED, REST, Scan, scaled
from numeric.bounds.drawn import draw
from numeric.bounds.one_sequence.step_jacobians import Run, StateOverflowError, run
from numeric.bounds.one_sequence.tracks import Track, follow
from numeric.bounds.remedy import biases, is_bias_of, measured_norm
from numeric.meaning.default_constants import default_constants
from numeric.meaning.interpret import Step, compiled
from numeric.meaning.run_cell import run_cell
from numeric.meaning.sizes import extent_of, usual_sizes
from numeric.numbers.arithmetic import FLOATS
from numeric.numbers.matrices import up

Array = Any
SHIFTS: Final = (0.0, 1.0, 3.0)
_FROM: Final = 0.09


@dataclass(frozen=True)
class Kept:
    """A state with a term that is itself before times a gate, or times 1 − gate if `opposite`.

    `bias` is the gate's; what is kept rises with the bias, or falls if `opposite`.
    """

    state: str
    gate: str
    bias: str
    opposite: bool

    def at(self, cell: Cell, shift: float) -> float:
        """What is kept where all else in the gate is 0: φ(shift), the same for both signs."""
        equation = next(e for e in cell.equations if e.target.name == self.gate)
        value = equation.value
        assert isinstance(value, Elementwise)
        made = float(value.function.formula.subs(X, -shift if self.opposite else shift))
        return 1 - made if self.opposite else made

    def signed(self, shift: float) -> float:
        """What is added to the bias so that more is kept."""
        return -shift if self.opposite else shift


@dataclass(frozen=True)
class Keeping:
    """Tracks by the shift of the bias, and that of the plain RNN; which gate keeps the state."""

    kept: Kept
    shifted: Mapping[float, Track]
    plain: Track


@dataclass(frozen=True)
class ByGain:
    """log10 of ‖∂s_T/∂s_{T−lag}‖₂ by factor on the recurrent weights.

    `measured` is along the sequence; `upper` holds for all inputs, `lower` for the sequence at
    rest: both certified, ±∞ where nothing is. At the factors `open` no method proves decay, those
    that `upper` does not show among them.
    """

    lag: int
    factors: tuple[float, ...]
    measured: tuple[float, ...]
    upper: tuple[float, ...]
    lower: tuple[float, ...]
    certified: float | None
    explodes: float | None
    open: tuple[float, ...] = ()


def kept_state(cell: Cell) -> Kept | None:
    """The first state that a gate with a bias keeps."""
    equations = {equation.target: equation for equation in cell.equations}
    for equation in cell.equations:
        found = kept(cell, equation)
        if found is None or not isinstance(found[1], DiagMatrix):
            continue
        factor = found[1].args[0]
        gate = next(symbols_of(factor), None)
        if gate is None or gate not in gates(cell) or factor not in _shares(gate):
            continue
        own = [b for b, target in biases(cell).items()
               if target == gate.name and is_bias_of(b, equations[gate])]  # fmt: skip
        if own and _silent(cell, equations[gate]):
            return Kept(equation.target.name, gate.name, own[0].name, factor != gate)
    return None


def _shares(gate: MatrixSymbol) -> tuple[MatrixExpr, ...]:
    """What a gate keeps of a state: itself, or 1 − gate, however that is written."""
    one, less = OneMatrix(*gate.shape), negate(gate)
    return gate, MatAdd(one, less), MatAdd(less, one)


def _silent(cell: Cell, gate: Equation) -> bool:
    """Whether the gate's function takes 0 where inputs, states and biases are 0."""
    sizes = usual_sizes(cell, 3, 2)
    drawn = draw(cell, sizes, 1.0, 1, 0, 1.0)
    inputs = {name: 0 * value[:, None] for name, value in drawn["inputs"].items()}
    initial = {name: 0 * value[None] for name, value in drawn["initial"].items()}
    taken: list[Array] = []

    def look(_: int, step: Step) -> None:
        taken.append(compiled(gate.value.argument, FLOATS)(step))

    with np.errstate(all="ignore"):
        run_cell(cell, drawn["parameters"], inputs, initial, drawn["constants"], look=look)
    return not np.any(taken)


def keeping(
    cell: Cell, sizes: Mapping[str, int], inputs: Mapping[str, Array], seed: int,
    input_scale: float, own: Track | None = None, plain: Track | None = None,
) -> Keeping | None:  # fmt: skip
    """The tracks; `own` is that of the cell as it is drawn, `plain` that of the RNN, if known.

    None where no gate with a bias keeps a state, or the cell has several inputs.

    Shapes: inputs (T, m).
    """
    found = kept_state(cell)
    if found is None or len(cell.inputs) != 1:
        return None
    parameters = draw(cell, sizes, 1.0, 1, seed, input_scale)["parameters"]
    tracks = {} if own is None else {0.0: own}
    for shift in SHIFTS:
        if shift not in tracks:
            value = parameters[found.bias] + found.signed(shift)
            tracks[shift] = _track(cell, {**parameters, found.bias: value}, sizes, inputs)
    if plain is None:
        rnn = catalogue["rnn"]
        state = next(s for s in cell.states if s.name == found.state)
        (x,) = inputs.values()
        wide = {"n": extent_of(state.shape[0], sizes), "m": x.shape[1]}
        drawn = draw(rnn, wide, 1.0, 1, seed, input_scale)["parameters"]
        plain = _track(rnn, drawn, wide, {"x": x})
    return Keeping(found, dict(sorted(tracks.items())), plain)


def _track(
    cell: Cell, parameters: Mapping[str, Array], sizes: Mapping[str, int],
    inputs: Mapping[str, Array],
) -> Track:  # fmt: skip
    """The product alone, measured and bounded on both sides."""
    steps = len(next(iter(inputs.values())))
    constants = default_constants(cell, {**sizes, "T": steps})
    path = run(derivation_of(cell), parameters, inputs, constants=constants)
    return follow(path, windows=(), dominate=False)


@np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore")
def by_gain(path: Run, found: Scan, lag: int) -> ByGain | None:
    """The norm at a lag for the factors of a scan; None where N is no single number.

    Assumes: N of one block bounds the norm of a step, and a spectral radius that of a power.
    """
    if CLOSED not in found.upper or found.worked[0].certificate.order != 1:
        return None
    cell = path.derivation.cell
    rates = [*found.upper[CLOSED], *[math.inf] * len(found.factors)]
    rest = found.lower.get(REST, (0.0,) * len(found.factors))
    points: list[tuple[float, float, float, float]] = []
    for factor, rate, least in zip(found.factors, rates, rest, strict=False):
        if factor < _FROM:
            continue
        try:
            made = run(path.derivation, scaled(cell, path.parameters, factor), path.inputs,
                       {n: v[0] for n, v in path.states.items()}, path.constants)  # fmt: skip
        except StateOverflowError:
            break
        upper = up(lag * up(math.log10(rate))) if 0 < rate < math.inf else math.inf
        lower = -up(-lag * math.log10(least)) if least > 0 else -math.inf
        points.append((factor, measured_norm(made, lag), upper, lower))
    if not points:
        return None
    factors, measured, above, below = zip(*points, strict=True)
    grown = next((f for f, _, _, value in points if value > 0), None)
    calm = found.certified(CLOSED)
    return ByGain(lag, factors, measured, above, below, calm if calm in factors else None, grown,
                  tuple(factor for factor in factors if not found.decays(factor)))  # fmt: skip
