"""Does the gradient of this cell with these weights vanish or explode? Verdict and bounds.

In: a cell, weights, an input sequence or a box of inputs. Out: `Diagnosis`: the verdict with what
it is conditional on, measured norms and certified bounds by method at every lag.

With a sequence the verdict speaks of the lag asked for; without one, of all lags.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR
from typing import Any, Final

import numpy as np

from derive.calculus.through_time import derivation_of
from derive.cell import Cell, cell_of
from numeric.bounds.all_inputs.certify import Certificate, certify
from numeric.bounds.all_inputs.ranges import Setting
from numeric.bounds.domination import Partition
from numeric.bounds.one_sequence.path_shares import PathShares, path_shares
from numeric.bounds.one_sequence.step_jacobians import Run, run
from numeric.bounds.one_sequence.tracks import WINDOWS, Track, follow
from numeric.numbers.matrices import decimal

Array = Any
Arrays = Mapping[str, Array]
Ends = tuple[float, float]
VANISHES: Final = "vanishes"
EXPLODES: Final = "explodes"
UNDECIDED: Final = "undecided"
_LARGEST: Final = 2100


@dataclass(frozen=True)
class Diagnosis:
    """The verdict on ∂s_t/∂s_k of one cell with one set of weights.

    `rate` is a certified growth per step that no admissible sequence exceeds; `lower_rate` one
    that the sequence resting at zero reaches. Either may be None. `shares` says which paths of a
    step carry the norm at the last lag.
    """

    cell: Cell
    verdict: str
    because: str
    assumptions: tuple[str, ...]
    lags: tuple[int, ...]
    log10_measured: tuple[float, ...] | None
    log10_upper: Mapping[str, tuple[float, ...]]
    log10_lower: Mapping[str, tuple[float, ...]]
    rate: float | None
    lower_rate: float | None
    certificate: Certificate | None = field(default=None, repr=False, compare=False)
    track: Track | None = field(default=None, repr=False, compare=False)
    run: Run | None = field(default=None, repr=False, compare=False)
    shares: PathShares | None = field(default=None, repr=False, compare=False)
    setting: Setting | None = field(default=None, repr=False, compare=False)

    @property
    def winner(self) -> str:
        """The method with the smallest upper bound at the last lag."""
        return min(self.log10_upper, key=lambda name: self.log10_upper[name][-1], default="")

    def to_dict(self) -> dict[str, Any]:
        """What the JSON of `bptt bounds` holds of it."""
        track, certificate = self.track, self.certificate
        return {
            "cell": self.cell.name,
            "verdict": self.verdict,
            "because": self.because,
            "assumptions": list(self.assumptions),
            "lags": list(self.lags),
            "log10_measured": None if self.log10_measured is None else list(self.log10_measured),
            "log10_upper": {name: list(values) for name, values in self.log10_upper.items()},
            "log10_lower": {name: list(values) for name, values in self.log10_lower.items()},
            "rate": self.rate,
            "lower_rate": self.lower_rate,
            "winner": self.winner,
            "methods": {m.name: m.rate for m in certificate.methods if math.isfinite(m.rate)}
            if certificate else {},
            "a_priori_winner": certificate.upper(self.lags[-1])[1]
            if certificate and certificate.methods else None,
            "invariant_set": bool(certificate and certificate.box is not None),
            "blocks": {f"{a},{b}": value for (a, b), value in track.blocks.items()}
            if track else {},
            "path_shares": self.shares.to_dict() if self.shares else None,
        }  # fmt: skip


@np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore")
def diagnose(
    cell: Cell | str,
    parameters: Arrays,
    sizes: Mapping[str, int],
    *,
    inputs: Arrays | None = None,
    initial: Arrays | None = None,
    constants: Arrays | None = None,
    input_box: Ends | None = None,
    initial_box: Ends | None = None,
    lag: int | None = None,
    windows: Sequence[int] = WINDOWS,
    partition: Partition | None = None,
    drawn: str = "",
) -> Diagnosis:
    """The verdict and every bound.

    Shapes: inputs (T, m), initial (n,), constants (T, size) where a sequence.

    Raises:
        ValueError: for a box with low above high, a lag or window out of range, inputs outside
            the input box, a wrong shape.
    """
    cell = cell_of(cell)
    derivation = derivation_of(cell)
    constants = constants or {}
    path = track = None
    said: list[str] = ["the parameters are exactly the given float64 numbers"]
    if inputs is not None:
        path = run(derivation, parameters, inputs, initial, constants)
        count = path.steps if lag is None else lag
        if not 1 <= count <= path.steps:
            raise ValueError(f"lag: expected 1 to {path.steps}, the steps there are, came {count}")
        track = follow(path, lags=count, windows=windows)
        values = np.concatenate([np.ravel(value) for value in path.inputs.values()])
        box = (float(values.min(initial=0.0)), float(values.max(initial=0.0)))
        if input_box is not None and not (input_box[0] <= box[0] and box[1] <= input_box[1]):
            raise ValueError(f"inputs: expected entries from {input_box[0]:g} to {input_box[1]:g}, "
                             f"the input box, came {box[0]:g} to {box[1]:g}")  # fmt: skip
        start = np.concatenate([value[0] for value in path.states.values()])
        first = (float(start.min(initial=0.0)), float(start.max(initial=0.0)))
        if initial_box is not None and not (
            initial_box[0] <= first[0] and first[1] <= initial_box[1]
        ):
            raise ValueError(f"initial states: expected entries from {initial_box[0]:g} to "
                             f"{initial_box[1]:g}, the initial box, came {first[0]:g} to "
                             f"{first[1]:g}")  # fmt: skip
        said.append(
            f"{drawn or 'the given input sequence'}, {path.steps} steps: the trajectory bounds "
            "hold for the product of the exact step Jacobians at the stored float64 states"
        )
    else:
        count, box, first = lag or 60, (-1.0, 1.0), (0.0, 0.0)
        if count < 1:
            raise ValueError(f"lag: expected a whole number from 1, came {count}")
    box, first = input_box or box, initial_box or first
    setting = Setting(derivation, parameters, sizes, box, first, constants)
    certificate = None
    if setting.width <= _LARGEST:
        certificate = certify(setting, count, partition, path.steps if path else None)
        said += _conditions(certificate, box, first, cell)
    upper: dict[str, tuple[float, ...]] = {}
    if certificate is not None and certificate.methods:
        upper["a_priori"] = certificate.log10_upper
    if certificate is not None and certificate.finite:
        upper["a_priori_finite"] = tuple(
            map(min, zip(*(m.log10_upper for m in certificate.finite), strict=True))
        )
    lower: dict[str, tuple[float, ...]] = {}
    if track is not None:
        upper |= track.log10_upper
        lower |= track.log10_lower
    for name, floor in _floors(certificate).items():
        log = math.log10(floor)
        lower[name] = tuple(m * log - 1e-12 * m * (1 + abs(log)) for m in range(1, count + 1))
    rate = certificate.rate if certificate else math.inf
    rest = certificate.rest_rate if certificate else None
    verdict, because = _verdict(track, upper, lower, rate, rest, _floors(certificate), count)
    return Diagnosis(
        cell, verdict, because, tuple(said), tuple(range(1, count + 1)),
        track.log10_measured if track else None, upper, lower,
        rate if math.isfinite(rate) else None, rest, certificate, track, path,
        path_shares(path, count, track.direction) if path and track else None, setting,
    )  # fmt: skip


def _conditions(found: Certificate, box: Ends, first: Ends, cell: Cell) -> list[str]:
    said = [
        f"a_priori holds for every sequence whose inputs lie in [{box[0]:g}, {box[1]:g}] and whose "
        f"initial states lie in [{first[0]:g}, {first[1]:g}], entry by entry"
    ]
    if cell.constants:
        again = ", repeated without end where a rate is stated" if cell.sequences else ""
        said.append(f"the constants are the given ones{again}")
    short = f"holds for sequences that start at step 0 and have at most {found.steps} steps"
    if not found.unlimited:
        said.append(f"no invariant set of the states was found: a_priori {short}, and there is "
                    "no rate")  # fmt: skip
    elif found.box is None:
        said.append("no invariant set of the states was found: a_priori holds for any states")
    if found.finite:
        said.append(f"a_priori_finite {short}")
    return said


def _floors(found: Certificate | None) -> dict[str, float]:
    """Rates that the growth of no admissible sequence falls below, by method."""
    if found is None:
        return {}
    rates = {"carousel": found.carousel_rate, "sigma_min": found.least_rate}
    return {name: rate for name, rate in rates.items() if rate}


def _verdict(
    track: Track | None, upper: Mapping[str, tuple[float, ...]],
    lower: Mapping[str, tuple[float, ...]], rate: float, rest: float | None,
    floors: Mapping[str, float], lag: int,
) -> tuple[str, str]:  # fmt: skip
    if track is None:
        if rate < 1:
            return VANISHES, f"for all inputs in the box, by a factor of {_up(rate)} a step or less"
        if rest is not None and rest > 1:
            return EXPLODES, (f"the sequence of zero inputs from the zero state is admissible, and "
                              f"grows by {_down(rest)} a step or more")  # fmt: skip
        for name, floor in floors.items():
            if floor > 1:
                return EXPLODES, (f"for all inputs in the box, by a factor of {_down(floor)} a "
                                  f"step or more, by {name}")  # fmt: skip
        return UNDECIDED, "no certified rate is below 1, and no sequence is known to grow"
    above = min((values[-1], name) for name, values in upper.items())
    below = max((values[-1], name) for name, values in lower.items())
    if above[0] < 0:
        return VANISHES, (f"at lag {lag} the norm is certified to be at most 10^{_up(above[0])} on "
                          f"this trajectory, by {above[1]}")  # fmt: skip
    if below[0] > 0:
        return EXPLODES, (f"at lag {lag} the norm is certified to be at least 10^{_down(below[0])} "
                          f"on this trajectory, by {below[1]}")  # fmt: skip
    return UNDECIDED, f"at lag {lag} the certified bounds lie on both sides of 1"


def _up(value: float) -> str:
    return f"{decimal(value, 4, ROUND_CEILING):f}"


def _down(value: float) -> str:
    return f"{decimal(value, 4, ROUND_FLOOR):f}"
