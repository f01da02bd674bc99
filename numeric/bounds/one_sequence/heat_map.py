"""log10 ‖∂s_t/∂s_k‖₂, measured, over a grid of times.

In: a `Run`. Out: the times and the array. The factors between neighbouring times are multiplied
up; of small states so are the products of those, of large ones only products with vectors are
taken: Lanczos' method on PᵀP for all pairs of times at once, since those that span a segment
share it.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from numeric.bounds.one_sequence.step_jacobians import Jacobians, Run
from numeric.numbers.matrices import Near, top

Array = Any
_SMALL: Final = 100
_STEPS: Final = 16
_SETTLED: Final = 1e-10
_LOG2: Final = float(np.log10(2.0))


def heat_map(run: Run, points: int = 32) -> tuple[tuple[int, ...], Array]:
    """The norms over a grid of times; NaN above the diagonal, −∞ where the product is zero.

    Shapes: times (p,), from 0 to T; the array (p, p), row t, column k.
    """
    times = tuple(np.unique(np.linspace(0, run.steps, points).astype(int)).tolist())
    segments = _segments(run, {*times[:-1]})
    found = np.full((len(times), len(times)), np.nan)
    np.fill_diagonal(found, 0.0)
    small = not segments or len(segments[0].matrix) <= _SMALL
    by_pair = _by_products if small else _by_vectors
    for (later, earlier), value in by_pair(segments).items():
        found[later, earlier] = value
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


def _by_vectors(segments: list[Near]) -> dict[tuple[int, int], float]:
    """The same by Lanczos' method on PᵀP for all pairs at once, a column for each.

    Each pair's PᵀP is scaled by the size of its first product with a vector. In double precision
    throughout: where states do not mix, what counts in the end may be small on the way. A pair
    whose value has settled is left out of what follows, and settled means to rounding, nearly:
    the method may tarry at the second largest value.
    """
    count, width = len(segments), len(segments[0].matrix)
    pairs = np.array([(k, t) for k in range(count) for t in range(k + 1, count + 1)])
    logs = np.zeros(len(pairs))
    least = np.full(len(pairs), -np.inf)
    active = np.arange(len(pairs))
    start = np.random.default_rng(width).normal(size=width)
    now = np.repeat((start / np.linalg.norm(start))[:, None], len(pairs), axis=1)
    before, beside = np.zeros_like(now), np.zeros(len(pairs))
    small = np.zeros((len(pairs), _STEPS, _STEPS))
    for step in range(_STEPS):
        image, size = _there_and_back(segments, pairs[active], now)
        if step == 0:
            logs = size
        image *= 2.0 ** (size - logs[active])
        image -= before * beside
        own = np.einsum("ij,ij->j", now, image)
        image -= now * own
        small[active, step, step] = own
        values = np.linalg.eigvalsh(small[active, : step + 1, : step + 1])[:, -1]
        moved = values - least[active] > _SETTLED * values
        least[active] = np.maximum(values, least[active])
        beside = np.sqrt(np.einsum("ij,ij->j", image, image))
        going = moved & (beside > 0) & np.isfinite(beside)
        if step == _STEPS - 1 or not going.any():
            break
        small[active[going], step, step + 1] = small[active[going], step + 1, step] = beside[going]
        active, beside = active[going], beside[going]
        before, now = now[:, going], image[:, going] / beside
    with np.errstate(divide="ignore", invalid="ignore"):
        norms = 0.5 * (np.log10(least) + logs * _LOG2)
    return {(int(t), int(k)): -np.inf if np.isnan(v) else float(v)
            for (k, t), v in zip(pairs, norms, strict=True)}  # fmt: skip


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
        moved = (matrix.T if transposed else matrix) @ held[:, spans]
        largest = np.abs(moved).max(axis=0)  # whose squares may underflow
        largest[largest == 0] = 1.0
        held[:, spans] = moved / largest
        size[spans] += np.log2(largest) + segments[place].exponent
    lengths = np.sqrt(np.einsum("ij,ij->j", held, held))
    lengths[lengths == 0] = 1.0
    return held / lengths, size + np.log2(lengths)
