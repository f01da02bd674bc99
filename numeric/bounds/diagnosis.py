"""Does the gradient of this cell with these weights vanish or explode? Verdict and bounds.

In: a cell, weights, an input sequence or a box of inputs. Out: `Diagnosis`: the verdict with what
it is conditional on, measured norms and certified bounds by method at every lag.

With a sequence the verdict speaks of the lag asked for; without one, of all lags.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from derive.calculus.through_time import derivation_of
from derive.cell import Cell, cell_of
from derive.saying import said
from numeric.bounds.all_inputs.certify import Certificate, certify
from numeric.bounds.all_inputs.ranges import Setting
from numeric.bounds.domination import Partition
from numeric.bounds.lost_states import lost_states
from numeric.bounds.one_sequence.path_shares import PathShares, path_shares
from numeric.bounds.one_sequence.step_jacobians import Run, run
from numeric.bounds.one_sequence.tracks import Track, follow
from numeric.meaning.at_kinks import FIRST, AtKink, first_kink
from numeric.numbers.printed import box_text, ceiling, floor, rate_down

Array = Any
Arrays = Mapping[str, Array]
Ends = tuple[float, float]
VANISHES: Final = "vanishes"
EXPLODES: Final = "explodes"
UNDECIDED: Final = "undecided"
EXACT: Final = said("the parameters are exactly the given float64 numbers")
A_PRIORI: Final = "a_priori"
FINITE: Final = "a_priori_finite"
WHOLE: Final = (-1.0, 1.0)
"""The box of the inputs where nothing is said of them."""
_LARGEST: Final = 2100


@dataclass(frozen=True)
class Diagnosis:
    """The verdict on ∂s_t/∂s_k of one cell with one set of weights.

    `rate` is a certified growth per step that no admissible sequence exceeds; `lower_rate` one
    that the sequence resting at zero reaches. Either may be None. `shares` says which paths of a
    step carry the norm at the last lag. `apart` are methods that hold for exact sequences and
    are not known to hold at the stored states of the run: no bound along it is made with them.
    `kink` is where the run first stands at a kink, within the last lag: every norm along it is one
    of the slope that a rule gives there.
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
    apart: frozenset[str] = frozenset()
    kink: AtKink | None = None

    @property
    def at_most(self) -> tuple[float, str]:
        """The smallest log10 upper bound at the last lag, and its method; of the run if any."""
        held = [(v[-1], name) for name, v in self.log10_upper.items() if name not in self.apart]
        return min(held, default=(math.inf, ""))

    @property
    def at_least(self) -> tuple[float, str]:
        """The largest log10 lower bound at the last lag, and its method; of the run if any."""
        held = [(v[-1], name) for name, v in self.log10_lower.items() if name not in self.apart]
        return max(held, default=(-math.inf, ""))

    @property
    def winner(self) -> str:
        """The method with the smallest upper bound at the last lag."""
        return self.at_most[1]

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
            "exact_sequences_only": sorted(self.apart),
            "methods": {m.name: m.rate for m in certificate.methods if math.isfinite(m.rate)}
            if certificate else {},
            "a_priori_winner": certificate.upper(self.lags[-1])[1]
            if certificate and certificate.methods else None,
            "certificate": certificate.scaled.to_dict()
            if certificate and certificate.scaled else None,
            "pieces": certificate.pieces.to_dict()
            if certificate and certificate.pieces else None,
            "invariant_set": bool(certificate and certificate.box is not None),
            "blocks": {f"{a},{b}": value for (a, b), value in track.blocks.items()}
            if track else {},
            "lost_states": [found.to_dict() for found in lost_states(derivation_of(self.cell))],
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
    windows: Sequence[int] | None = None,
    partition: Partition | None = None,
    drawn: str = "",
    weights: str = EXACT,
    zero: bool = True,
    summed: bool = False,
) -> Diagnosis:
    """The verdict and every bound; `drawn` and `weights` are said of inputs and parameters.

    `zero`: whether zero inputs at every step may be what the cell is given, if the box has them.
    `summed`: whether ∂s_T/∂θ is summed along the way, for whoever asks for it afterwards.

    Shapes: inputs (T, m), initial (n,), constants (T, size) where a sequence.

    Raises:
        ValueError: for a box with low above high, a lag or window out of range, inputs outside
            the input box, a wrong shape.
    """
    cell = cell_of(cell)
    derivation = derivation_of(cell)
    constants = constants or {}
    path = track = None
    told: list[str] = [weights]
    if inputs is not None:
        path = run(derivation, parameters, inputs, initial, constants)
        count = path.steps if lag is None else lag
        if not 1 <= count <= path.steps:
            raise ValueError(f"lag: expected 1 to {path.steps}, the steps there are, came {count}")
        track = follow(path, lags=count, windows=windows, parameters=summed)
        box = _around_all("inputs", "the input box", path.inputs, input_box)
        begun = {name: value[0] for name, value in path.states.items()}
        first = _around_all("initial states", "the initial box", begun, initial_box)
        told.append(said(
            "{0}, {1} steps: the trajectory bounds hold for the product of the exact step "
            "Jacobians at the stored float64 states",
            drawn or said("the given input sequence"), path.steps,
        ))  # fmt: skip
    else:
        count, box, first = lag or 60, WHOLE, (0.0, 0.0)
        if count < 1:
            raise ValueError(f"lag: expected a whole number from 1, came {count}")
        told += [drawn] if drawn else []
    box, first = input_box or box, initial_box or first
    setting = Setting(derivation, parameters, sizes, box, first, constants)
    certificate = None
    if setting.width <= _LARGEST:
        certificate = certify(setting, count, partition, path.steps if path else None)
        told += _conditions(certificate, box, first, cell)
    upper = {} if certificate is None else _a_priori(certificate)
    lower = _from_below(certificate, count)
    apart = frozenset[str]()
    if path is not None and certificate is not None:
        every = frozenset({*upper, *lower})
        apart = every & {FINITE} if certificate.holds_at(path.states) else every
    kink = _kink(path, count)
    if kink is not None:
        told.append(_told_of(kink))
    if apart == {FINITE}:
        told.append(said(
            "the bounds for the first steps hold for exact sequences, and rounded states are not "
            "known to lie where those do, so no bound on this trajectory uses them"
        ))  # fmt: skip
    elif apart:
        told.append(said(
            "all bounds for all inputs hold for exact sequences, and rounded states are not known "
            "to lie where those do, so no bound on this trajectory uses them"
        ))  # fmt: skip
    if track is not None:
        upper |= track.log10_upper
        lower |= track.log10_lower
    rate = certificate.rate if certificate else math.inf
    rest = certificate.rest_rate if certificate and zero else None
    found = Diagnosis(
        cell, UNDECIDED, "", tuple(told), tuple(range(1, count + 1)),
        track.log10_measured if track else None, upper, lower,
        rate if math.isfinite(rate) else None, rest, certificate, track, path,
        path_shares(path, count, track.direction)
        if path and track and not derivation.has_matrices else None, setting, apart, kink,
    )  # fmt: skip
    verdict, because = _verdict(found, _floors(certificate))
    return replace(found, verdict=verdict, because=because)


def _kink(path: Run | None, lag: int) -> AtKink | None:
    if path is None:
        return None
    signal = {name: value[:, None] for name, value in path.inputs.items()}
    first = {name: value[:1] for name, value in path.states.items()}
    cell = path.derivation.cell
    return first_kink(cell, path.parameters, signal, first, path.constants, path.steps - lag)


def _told_of(kink: AtKink) -> str:
    place = kink.function, kink.target, kink.step, kink.count, kink.of
    if kink.slope == FIRST:
        return said(
            "{0} in the equation of {1} is asked of equal numbers at step {2}, in {3} of {4} "
            "entries: its slope there is that of the first", *place,
        )  # fmt: skip
    return said(
        "{0} in the equation of {1} stands at its kink at step {2}, in {3} of {4} entries: its "
        "slope there is taken to be {5}", *place, kink.slope,
    )  # fmt: skip


def _around_all(what: str, named: str, arrays: Arrays, box: Ends | None) -> Ends:
    """The smallest interval that all entries, and 0, lie in.

    Raises:
        ValueError: for entries outside the box, where one is given.
    """
    values = np.concatenate([np.ravel(value) for value in arrays.values()])
    if box is not None and not np.all((box[0] <= values) & (values <= box[1])):
        raise ValueError(f"{what}: expected entries in {box_text(*box)}, {named}, "
                         f"came {float(values.min())!r} to {float(values.max())!r}")  # fmt: skip
    return float(values.min(initial=0.0)), float(values.max(initial=0.0))


def _a_priori(found: Certificate) -> dict[str, tuple[float, ...]]:
    """The smallest bound at each lag, for sequences of any length and for so many steps."""
    groups = {A_PRIORI: found.methods, FINITE: found.finite}
    return {name: tuple(map(min, zip(*(m.log10_upper for m in methods), strict=True)))
            for name, methods in groups.items() if methods}  # fmt: skip


def _from_below(found: Certificate | None, lags: int) -> dict[str, tuple[float, ...]]:
    lower = {}
    for name, least in _floors(found).items():
        log = math.log10(least)
        lower[name] = tuple(m * log - 1e-12 * m * (1 + abs(log)) for m in range(1, lags + 1))
    return lower


def _conditions(found: Certificate, box: Ends, first: Ends, cell: Cell) -> list[str]:
    told: list[str] = [said(
        "the bounds for all inputs hold for every sequence whose inputs lie in {0} and whose "
        "initial states lie in {1}, entry by entry, and for every two times so far apart",
        box_text(*box), box_text(*first),
    )]  # fmt: skip
    if cell.constants and cell.sequences and found.unlimited:
        told.append(said(
            "the constants are the ones in use, repeated as a whole without end"))  # fmt: skip
    elif cell.constants:
        told.append(said("the constants are the ones in use"))
    short = said("hold for sequences that start at step 0 and have at most {0} steps", found.steps)
    if not found.unlimited:
        told.append(said("no invariant set of the states was found: the bounds for all inputs "
                         "{0}, and there is no rate", short))  # fmt: skip
    elif found.box is None:
        told.append(said(
            "no invariant set of the states was found: the bounds for all inputs hold for any "
            "states"))  # fmt: skip
    if found.finite:
        told.append(said("the bounds for the first steps {0}", short))
    return told


def _floors(found: Certificate | None) -> dict[str, float]:
    """Rates that the growth of no admissible sequence falls below, by method."""
    if found is None:
        return {}
    rates = {"carousel": found.carousel_rate, "sigma_min": found.least_rate}
    return {name: rate for name, rate in rates.items() if rate}


def _verdict(found: Diagnosis, floors: Mapping[str, float]) -> tuple[str, str]:
    rate, rest, lag = found.rate, found.lower_rate, found.lags[-1]
    if found.track is None:
        if rate is not None and rate < 1:
            return VANISHES, said(
                "for all inputs in the box, by a factor of {0} a step or less", ceiling(rate)
            )
        if rest is not None and rest > 1:
            return EXPLODES, said(
                "the sequence of zero inputs from the zero state is admissible, and grows by {0} "
                "a step or more", rate_down(rest))  # fmt: skip
        for name, least in floors.items():
            if least > 1:
                return EXPLODES, said(
                    "for all inputs in the box, by a factor of {0} a step or more, by {1}",
                    rate_down(least), name)  # fmt: skip
        if rate is not None and rate <= 1:
            return UNDECIDED, said(
                "it does not explode for any inputs in the box, by a factor of 1 a step or less; "
                "no certified rate is below 1")  # fmt: skip
        return UNDECIDED, said(
            "no certified rate is below 1, and no sequence is known to grow")  # fmt: skip
    (above, by), (below, under) = found.at_most, found.at_least
    if above < 0 and math.isinf(above):
        return VANISHES, said(
            "at lag {0} the norm is certified to be zero on this trajectory, by {1}", lag, by
        )
    if above < 0:
        return VANISHES, said(
            "at lag {0} the norm is certified to be at most 10^{1} on this trajectory, by {2}",
            lag, ceiling(above), by)  # fmt: skip
    if below > 0:
        return EXPLODES, said(
            "at lag {0} the norm is certified to be at least 10^{1} on this trajectory, by {2}",
            lag, floor(below), under)  # fmt: skip
    return UNDECIDED, said("at lag {0} the certified bounds lie on both sides of 1", lag)
