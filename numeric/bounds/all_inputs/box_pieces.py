"""One norm for all inputs, proved piece by piece of the box of states and inputs.

In: a `Setting` and its invariant box. Out: `Pieces`: boxes that cover it together with the input
box, and for each of them a `ScaledNorm`, all with the same P:

    ‖P J x‖ ≤ r_i ‖P x‖   for every J at a state and an input of piece i.

Then r = max r_i is a rate: every step starts in some piece, since the box is invariant, and P is
the same whichever it is. The ranges over a piece are narrower than those over the box: of states
and inputs far apart the fractional form of the box makes one J, each of the pieces does not.

A piece that is not proved is cut in two, at a float that both halves share, where the Δ that make
its norm large narrow most. How P, S and the cuts were found does not matter for the proof.

Source: Land and Doig 1960, An automatic method of solving discrete programming problems,
Econometrica 28, has branch and bound.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from derive.typeset.layout import Layout
from derive.typeset.text import Text
from numeric.bounds.all_inputs.fractional_form import Fractional, fractional_form
from numeric.bounds.all_inputs.fractional_norm import ScaledNorm, powers, proved
from numeric.bounds.all_inputs.ranges import Box, Ranges, Setting
from numeric.bounds.all_inputs.scaling_search import Blocks, Descent
from numeric.bounds.growth import Method
from numeric.numbers.intervals import Interval

Array = Any
Halves = tuple["_Piece", "_Piece"]
NAME: Final = "fractional form, box in pieces"
_AIM: Final = 0.999  # the rate that a piece has to reach
_MOST: Final = 90  # pieces tried, proved or cut
_WORK: Final = 40 * 64.0**3  # the same times order³, which a piece costs
_FEWEST: Final = 12  # fewer decide too seldom for what they cost
_DEEPEST: Final = 12
_SHARE: Final = 0.7  # of the box, about its middle, where P is searched for
_FIRST: Final = ((8.0, 30), (32.0, 40), (128.0, 60))
_SMOOTH: Final = 128.0
_STEPS: Final = 15
_SAMPLES: Final = 12
_SHARPNESS: Final = 64.0


@dataclass(frozen=True)
class Pieces:
    """The certificate: the boxes of (states, inputs) before and at a step, and what holds there."""

    boxes: tuple[tuple[Box, Box], ...]
    scaled: tuple[ScaledNorm, ...]

    def __post_init__(self) -> None:
        """Refuse more than one P: nothing follows then.

        Raises:
            ValueError: if the pieces have several.
        """
        if any(not np.array_equal(_metric(one), self.metric) for one in self.scaled):
            raise ValueError("pieces: expected one P for all, came several")

    @property
    def rate(self) -> float:
        """The largest rate of a piece."""
        return max(one.rate for one in self.scaled)

    @property
    def condition(self) -> float:
        """A bound of ‖P‖ ‖P⁻¹‖."""
        return max(one.condition for one in self.scaled)

    @property
    def metric(self) -> Array:
        """P."""
        return _metric(self.scaled[0])

    def to_dict(self) -> dict[str, Any]:
        """What the JSON holds; P as T, and of each piece its box, its rate and its S by blocks.

        The Δ are the same in every piece; their centres and radii follow from its box.
        """
        text, layout, form = Text(), Layout(), self.scaled[0].form
        return {
            "r": self.rate, "condition": self.condition, "T": self.metric.tolist(),
            "delta": [{"d": text(layout.of(u.column)), "unit": u.unit, "rows": own}
                      for u, own in zip(form.unknowns, form.rows, strict=True)],
            "pieces": [
                {"states": _ends(states), "inputs": _ends(inputs), "r": one.rate,
                 "norm": one.norm,
                 "S": [one.scaling[form.width :, form.width :][np.ix_(own, own)].tolist()
                       for own in form.rows]}
                for (states, inputs), one in zip(self.boxes, self.scaled, strict=True)
            ],
        }  # fmt: skip

    def method(self, lags: int) -> Method:
        """The bounds condition · r^lag, rounded up."""
        return powers(NAME, self.condition, self.rate, lags)


def _metric(one: ScaledNorm) -> Array:
    return one.scaling[: one.form.width, : one.form.width]


def _ends(box: Box) -> dict[str, list[list[float]]]:
    return {name: [held.lo.ravel().tolist(), held.hi.ravel().tolist()]
            for name, held in box.items()}  # fmt: skip


@np.errstate(all="ignore")
def box_pieces(ranges: Ranges, box: Box, form: Fractional | None) -> Pieces | None:
    """The certificate of a rate below 1, if so many pieces are enough; None where they are not.

    `form` is that over the whole box; None where there is none.
    """
    whole = _Piece(box, ranges.setting.inputs())
    if form is None or not form.owners or not all(math.isfinite(w) for *_, w in whole.places()):
        return None
    try:
        found = _Cutting(ranges, whole).found(form)
    except np.linalg.LinAlgError:  # nothing was found; nothing is claimed
        return None
    if found is None:
        return None
    return Pieces(tuple((p.states, p.inputs) for p, _ in found), tuple(one for _, one in found))


@dataclass(frozen=True)
class _Piece:
    """A box of states and inputs, and how many cuts made it."""

    states: Box
    inputs: Box
    depth: int = 0

    def places(self) -> Iterator[tuple[str, int, float]]:
        """(symbol, unit, width) of every state and input."""
        for box in (self.states, self.inputs):
            for name, held in box.items():
                width = (held.hi - held.lo).ravel()
                yield from ((name, k, float(width[k])) for k in range(len(width)))

    def part(self, name: str, unit: int, low: float, high: float) -> _Piece:
        """The piece with other ends of one state or input."""

        def cut(box: Box) -> Box:
            if name not in box:
                return box
            lo, hi = box[name].lo.copy(), box[name].hi.copy()
            lo[unit], hi[unit] = low, high
            return {**box, name: Interval(lo, hi)}

        return _Piece(cut(self.states), cut(self.inputs), self.depth + 1)

    def side(self, name: str, unit: int) -> tuple[float, float, float]:
        """The ends of one state or input, and a float between them."""
        held = self.states[name] if name in self.states else self.inputs[name]
        low, high = float(held.lo[unit, 0]), float(held.hi[unit, 0])
        return low, 0.5 * low + 0.5 * high, high

    def halves(self, name: str, unit: int) -> Halves:
        """Both sides of a cut; together they are the piece."""
        low, between, high = self.side(name, unit)
        return self.part(name, unit, low, between), self.part(name, unit, between, high)

    def around(self, share: float, places: Array) -> _Piece:
        """That share of it, about points between its ends, from −1 to 1 for each place."""

        def near(box: Box, at: list[float]) -> Box:
            made = {}
            for name, held in box.items():
                here = np.array([at.pop(0) for _ in range(held.size)]).reshape(held.shape)
                half = 0.5 * (held.hi - held.lo)
                middle = 0.5 * (held.lo + held.hi) + (1 - share) * half * here
                middle = np.clip(middle, held.lo, held.hi)
                made[name] = Interval(np.maximum(middle - share * half, held.lo),
                                      np.minimum(middle + share * half, held.hi))  # fmt: skip
            return made

        at = list(places)
        return _Piece(near(self.states, at), near(self.inputs, at))


class _Cutting:
    """The search: P, then the pieces, the one with the largest norm first."""

    def __init__(self, ranges: Ranges, whole: _Piece) -> None:
        self.ranges, self.whole = ranges, whole

    def form(self, piece: _Piece) -> Fractional | None:
        """The fractional form over a piece."""
        setting: Setting = self.ranges.setting
        values = self.ranges.values(piece.states, piece.inputs)
        return fractional_form(setting.derivation, values, setting.sizes)

    def found(self, root: Fractional) -> list[tuple[_Piece, ScaledNorm]] | None:
        """The pieces with their certificates, that cover the whole together."""
        most = min(_MOST, int(_WORK / root.order**3))
        steps = self._steps(root) if most >= _FEWEST else []
        if not steps or any(np.abs(np.linalg.eigvals(J)).max() >= _AIM for J in steps):
            return None  # no P helps
        first = self._first(root)
        if first is None:
            return None
        self.blocks, self.metric = _beside(root), first[: root.width, : root.width]
        back = np.linalg.inv(self.metric)
        if any(np.linalg.norm(self.metric @ J @ back, 2) >= _AIM for J in steps):
            return None  # no cuts help this P
        self.influence = self._influences(root)
        done: list[tuple[_Piece, ScaledNorm]] = []
        open_: list[tuple[float, _Piece, Fractional, Descent]] = []
        waiting = [(self.whole, first)]
        tried = 0
        while waiting or open_:
            if not waiting:
                _, piece, form, descent = open_.pop(max(range(len(open_)),
                                                        key=lambda k: open_[k][0]))  # fmt: skip
                cut = self._cut(piece, form, descent) if piece.depth < _DEEPEST else None
                if cut is None:
                    return None
                waiting = [(half, descent.L) for half in cut]
            piece, start = waiting.pop()
            tried += 1
            own = self.form(piece)
            if own is None or not _alike(own, root) or tried + len(open_) > most:
                return None
            descent = self._descent(own, start)
            one = self._proved(own, descent)
            if one is not None:
                done.append((piece, one))
            else:
                open_.append((descent.norm, piece, own, descent))
        return done

    def _first(self, root: Fractional) -> Array | None:
        """L = diag(P, S) with a small norm over the middle of the box."""
        middle = self.form(self.whole.around(_SHARE, np.zeros(len(list(self.whole.places())))))
        if middle is None or not _alike(middle, root):
            return None
        descent = Descent(middle.middle.copy(), Blocks.of(root.width, root.owners))
        for p, steps in _FIRST:
            descent.run(p, steps)
        sized = np.linalg.norm(descent.L, 2)
        return descent.L / sized if np.all(np.isfinite(descent.L)) and sized > 0 else None

    def _steps(self, root: Fractional) -> list[Array]:
        """About J in the middle and at some corners of the box; empty where one is not finite."""
        rng = np.random.default_rng(root.order)
        count = len(list(self.whole.places()))
        found = []
        for at in (np.zeros(count), *rng.choice([-1.0, 1.0], size=(_SAMPLES, count))):
            form = self.form(self.whole.around(0.0, at))
            J = None if form is None else form.closed(np.zeros(len(form.unknowns)))
            if J is None or not np.all(np.isfinite(J)):
                return []
            found.append(J)
        return found

    def _influences(self, root: Fractional) -> Mapping[tuple[str, int], Array]:
        """By how much the radii of the Δ shrink where one state or input has half its width."""
        before = np.array([u.radius for u in root.unknowns])
        found = {}
        for name, unit, width in self.whole.places():
            if width > 0:
                low, between, high = self.whole.side(name, unit)
                inner = 0.5 * low + 0.5 * between, 0.5 * between + 0.5 * high
                form = self.form(self.whole.part(name, unit, *inner))
                if form is not None and _alike(form, root):
                    after = np.array([u.radius for u in form.unknowns])
                    found[name, unit] = np.maximum(before - after, 0.0) / width
        return found

    def _descent(self, form: Fractional, start: Array) -> Descent:
        """S with a small norm at the rate aimed at, P kept."""
        G = form.middle.copy()
        G[:, : form.width] /= _AIM
        L = start.copy()
        L[: form.width, : form.width] = self.metric
        descent = Descent(G, self.blocks, L)
        if descent.norm >= 1:
            descent.run(_SMOOTH, _STEPS, lambda norm: norm < 1)
        return descent

    def _proved(self, form: Fractional, descent: Descent) -> ScaledNorm | None:
        if not descent.norm < 1:
            return None
        L = descent.L
        L[: form.width, : form.width] = self.metric
        one = proved(form, L)
        return one if one is not None and one.rate < 1 else None

    def _cut(self, piece: _Piece, form: Fractional, descent: Descent) -> Halves | None:
        """The halves of the piece, cut where the Δ that make its norm large narrow most."""
        values, vectors = np.linalg.eigh(descent.M.T @ descent.M)
        logs = np.log(np.maximum(values, 1e-300))
        weight = np.exp(_SHARPNESS * (logs - logs[-1]))
        each = (vectors**2 @ (weight / weight.sum()))[form.width :]
        share = np.bincount(form.owners, each, len(form.unknowns))
        share = share / np.array([u.radius for u in form.unknowns])
        best, place = 0.0, None
        for name, unit, width in piece.places():
            if (name, unit) in self.influence:
                gain = width * float(share @ self.influence[name, unit])
                low, between, high = piece.side(name, unit)
                if gain > best and low < between < high:
                    best, place = gain, (name, unit)
        return None if place is None else piece.halves(*place)


def _alike(form: Fractional, other: Fractional) -> bool:
    """Whether a scaling of the one is a scaling of the other: the same Δ in the same places."""
    return form.owners == other.owners and all(
        (u.column, u.unit) == (v.column, v.unit)
        for u, v in zip(form.unknowns, other.unknowns, strict=True)
    )


def _beside(form: Fractional) -> Blocks:
    """The parts of a scaling but that of the state."""
    parts = Blocks.of(form.width, form.owners).parts
    return Blocks(tuple(own for p in parts if len(own := p[p[:, 0] >= form.width])))
