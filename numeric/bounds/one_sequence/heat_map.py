"""log10 ‖∂s_t/∂s_k‖₂, measured, over a grid of times.

In: a `Run`. Out: the times and the array. The factors between neighbouring times are multiplied
up; of small states so are the products of those, of large ones only products with vectors are
taken: Lanczos' method on PᵀP for all pairs of times at once, since those that span a segment
share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from numeric.bounds.one_sequence.side_by_side import log10_norms, scaled
from numeric.bounds.one_sequence.step_jacobians import Jacobians, Run
from numeric.bounds.one_sequence.tracks import Track
from numeric.numbers.lanczos import top
from numeric.numbers.matrices import Near

Array = Any
_SMALL: Final = 40  # entries of a state up to which products are not dearer than vectors
_STEPS: Final = 16
_SETTLED: Final = 1e-10


def heat_map(
    run: Run, points: int = 32, track: Track | None = None
) -> tuple[tuple[int, ...], Array]:
    """The norms over a grid of times; NaN above the diagonal, −∞ where the product is zero.

    With a track that has kept products the grid is made of the times at which these end, the
    nearest to those of equal distances.

    Shapes: times (p,), from 0 to T; the array (p, p), row t, column k.
    """
    times = tuple(np.unique(np.linspace(0, run.steps, points).astype(int)).tolist())
    if track is not None and track.segments:
        ends = np.array([run.steps, *(run.steps - lag for lag, _ in track.segments)])[::-1]
        segments = [near for _, near in track.segments][::-1]
        places = np.unique([int(np.abs(ends - time).argmin()) for time in times]).tolist()
        times = tuple(ends[places].tolist())
    else:
        segments = _segments(run, {*times[:-1]})
        places = [*range(len(times))]
    found = np.full((len(times), len(times)), np.nan)
    np.fill_diagonal(found, 0.0)
    small = not segments or len(segments[0].matrix) <= _SMALL
    by_pair = _by_products(segments) if small else _by_vectors(segments, places)
    for (later, earlier), value in by_pair.items():
        found[places.index(later), places.index(earlier)] = value
    return times, found


def _segments(run: Run, ends: set[int]) -> list[Near]:
    """The products of the factors between neighbouring times, the earliest first."""
    found: list[Near] = []
    part: Near | None = None
    for back, factor in enumerate(Jacobians(run).backwards(), 1):
        plain = factor.balanced()
        if part is not None:
            exponent = part.exponent + plain.exponent
            plain = Near(plain.after(part.matrix), 0.0, exponent).balanced()
        part = plain
        if run.steps - back in ends:
            found.append(part)
            part = None
    return found[::-1]


def _by_products(segments: list[Near]) -> dict[tuple[int, int], float]:
    """The norm of every product of neighbouring segments, each multiplied out."""
    found = {}
    for k in range(len(segments)):
        whole: Near | None = None
        direction: Array | None = None
        for t in range(k + 1, len(segments) + 1):
            left = segments[t - 1]
            if whole is None:
                whole = left
            else:
                exponent = left.exponent + whole.exponent
                whole = Near(left.matrix @ whole.matrix, 0.0, exponent).balanced()
            value, direction = top(whole.matrix, direction, _STEPS)
            found[t, k] = whole.log10(value, 0)
    return found


def _by_vectors(
    segments: list[Near], places: Sequence[int] | None = None
) -> dict[tuple[int, int], float]:
    """The same for all pairs at once, a column for each; of those ends of segments alone, if given.

    In double precision throughout: where states do not mix, what counts in the end may be small
    on the way. Settled means to rounding, nearly: the method may tarry at the second largest value.
    """
    count, width = len(segments), len(segments[0].matrix)
    held = range(count + 1) if places is None else places
    pairs = np.array([(k, t) for k in held for t in held if k < t])
    start = np.random.default_rng(width).normal(size=width)

    def sweep(which: Array, vectors: Array) -> tuple[Array, Array]:
        return _there_and_back(segments, pairs[which], vectors)

    norms = log10_norms(sweep, np.repeat(start[:, None], len(pairs), axis=1), _STEPS, _SETTLED)
    return {(int(t), int(k)): float(v) for (k, t), v in zip(pairs, norms, strict=True)}


def _there_and_back(segments: list[Near], pairs: Array, vectors: Array) -> tuple[Array, Array]:
    """PᵀP v of each pair's column, of length 1 or 0, and log2 of what it is to be multiplied with.

    Shapes: pairs (p, 2), of the first segment and of that after the last; vectors (d, p).
    """
    held, size = vectors.copy(), np.zeros(len(pairs))
    places = range(len(segments))
    for place, transposed in [(s, False) for s in places] + [(s, True) for s in reversed(places)]:
        spans = np.flatnonzero((pairs[:, 0] <= place) & (place < pairs[:, 1]))
        if not len(spans):
            continue
        matrix = segments[place].matrix
        held[:, spans], more = scaled((matrix.T if transposed else matrix) @ held[:, spans])
        size[spans] += more + segments[place].exponent
    return held, size
