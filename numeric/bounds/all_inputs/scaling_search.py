"""Scalings that make the norm of a matrix small: convex descent, nothing rigorous.

In: a square matrix, and which places a scaling may mix. Out: L, block by block, with a small
‖L G L⁻¹‖₂. Along L = exp(X) L_0, X symmetric of the same blocks, the logarithm of the norm is
convex in X (the three lines theorem), so that descent from any start ends at the best there is.

The largest singular value has corners where several are equal. What is minimised is the smooth
log (Σ σ_k^{2p})^{1/2p}, between log σ_max and log σ_max + log n / 2p, for larger and larger p; its
derivative in X is Σ w_k (u_k u_kᵀ − v_k v_kᵀ) with the weights w_k ~ σ_k^{2p}.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np

Array = Any
_MEMORY: Final = 12
_LONGEST: Final = 2.0  # a step multiplies by at most e to this
_ENOUGH: Final = 1e-4
_PACE: Final = 8
_LARGE: Final = 32


@dataclass(frozen=True)
class Blocks:
    """A partition of the places of a matrix: each part is scaled by a full matrix of its own."""

    parts: tuple[Array, ...]  # arrays (count, k): count parts of k places each

    @classmethod
    def of(cls, width: int, owners: Sequence[int], full: bool = True) -> Blocks:
        """The state as one part, or each place of it, then places of the same Δ as one part."""
        by_owner: dict[int, list[int]] = {}
        for place, owner in enumerate(owners):
            by_owner.setdefault(owner, []).append(width + place)
        state = [list(range(width))][: min(width, 1)] if full else [[k] for k in range(width)]
        by_size: dict[int, list[list[int]]] = {}
        for part in [*state, *by_owner.values()]:
            by_size.setdefault(len(part), []).append(part)
        return cls(tuple(np.array(parts) for _, parts in sorted(by_size.items())))

    @cached_property
    def by_parts(self) -> bool:
        """Whether a product goes part by part: all are numbers but one that is large."""
        return all(p.shape[1] == 1 or (len(p) == 1 and p.shape[1] >= _LARGE) for p in self.parts)

    def before(self, blocks: Sequence[Array], matrix: Array) -> Array:
        """The block-diagonal matrix of given blocks, times a matrix."""
        if not self.by_parts:
            return np.asarray(self.whole(blocks, len(matrix)) @ matrix)
        made = matrix.copy()
        for p, block in zip(self.parts, blocks, strict=True):
            if p.shape[1] == 1:
                made[p[:, 0]] = block[:, 0] * matrix[p[:, 0]]
            else:
                made[p[0]] = block[0] @ matrix[p[0]]
        return made

    def behind(self, matrix: Array, blocks: Sequence[Array]) -> Array:
        """A matrix times the block-diagonal one of given blocks."""
        if not self.by_parts:
            return np.asarray(matrix @ self.whole(blocks, len(matrix)))
        made = matrix.copy()
        for p, block in zip(self.parts, blocks, strict=True):
            if p.shape[1] == 1:
                made[:, p[:, 0]] = matrix[:, p[:, 0]] * block[:, 0, 0]
            else:
                made[:, p[0]] = matrix[:, p[0]] @ block[0]
        return made

    def whole(self, blocks: Sequence[Array], order: int) -> Array:
        """The block-diagonal matrix of given blocks, the identity where no part is."""
        made = np.eye(order)
        for p, block in zip(self.parts, blocks, strict=True):
            made[p[:, :, None], p[:, None, :]] = block
        return made

    def flat(self, blocks: Sequence[Array]) -> Array:
        """All entries of the blocks in a row."""
        return np.concatenate([np.ravel(block) for block in blocks])

    def folded(self, flat: Array) -> list[Array]:
        """The blocks of a row of entries."""
        made, start = [], 0
        for p in self.parts:
            count, k = p.shape
            made.append(flat[start : start + count * k * k].reshape(count, k, k))
            start += count * k * k
        return made


def exponentials(blocks: Sequence[Array]) -> tuple[list[Array], list[Array]]:
    """exp(X) and exp(−X) of symmetric blocks."""
    made: tuple[list[Array], list[Array]] = [], []
    for X in blocks:
        if X.shape[1] == 1:
            for found, exponents in zip(made, (X, -X), strict=True):
                found.append(np.exp(exponents))
            continue
        values, vectors = np.linalg.eigh((X + np.swapaxes(X, 1, 2)) / 2)
        for found, exponents in zip(made, (values, -values), strict=True):
            found.append((vectors * np.exp(exponents)[:, None, :]) @ np.swapaxes(vectors, 1, 2))
    return made


@dataclass
class Descent:
    """M = L G L⁻¹ on its way down, from G and a first L: the identity, if none is given."""

    M: Array
    blocks: Blocks
    start: InitVar[Array | None] = None
    L: Array = field(init=False)

    def __post_init__(self, start: Array | None) -> None:
        self.L = np.eye(len(self.M))
        if start is not None:
            self.L, self.M = start, start @ self.M @ np.linalg.inv(start)

    @property
    def norm(self) -> float:
        """About ‖M‖₂."""
        return math.sqrt(max(float(np.linalg.eigvalsh(self.M.T @ self.M)[-1]), 0.0))

    def moved(self, X: Sequence[Array]) -> tuple[Array, list[Array]]:
        """exp(X) M exp(−X), and the blocks of exp(X)."""
        E, back = exponentials(X)
        return self.blocks.behind(self.blocks.before(E, self.M), back), E

    def run(self, p: float, steps: int, stop: Callable[[float], bool] | None = None) -> float:
        """The smooth value reached, by a limited-memory quasi-Newton method.

        At the bottom it exceeds the logarithm of the smallest norm by log n / 2p at most. With
        `stop` it ends where that of the norm is true, or where a norm below 1 is out of reach:
        the steps left would not get there at the pace of the last ones.

        Source: Liu and Nocedal 1989, Mathematical Programming 45.
        """
        pairs: list[tuple[Array, Array]] = []
        aim = math.log(len(self.M)) / (2 * p)
        value, slope, _ = self.smooth(self.M, p)
        gains: list[float] = []
        flat = self.blocks.flat(slope)
        for taken in range(1, steps + 1):
            direction = _two_loops(flat, pairs)
            fall = float(direction @ flat)
            if fall >= 0:
                pairs, direction, fall = [], -flat, -float(flat @ flat)
            longest = float(np.abs(direction).max())
            size = min(1.0, _LONGEST / longest) if longest else 0.0
            for _ in range(12):
                moved, E = self.moved(self.blocks.folded(size * direction))
                found = self.smooth(moved, p)
                if found[0] <= value + 1e-4 * size * fall:
                    break
                size *= 0.4
            else:
                break
            after = self.blocks.flat(found[1])
            change, step = after - flat, size * direction
            if float(change @ step) > 1e-14:
                pairs = [*pairs[1 - _MEMORY :], (step, change)]
            gain = value - found[0]
            self.M, self.L, value, flat = moved, self.blocks.before(E, self.L), found[0], after
            gains = [*gains[1 - _PACE :], gain]
            slow = value - aim > (steps - taken) * sum(gains) / len(gains)
            out_of_reach = slow and len(gains) == _PACE
            if gain < _ENOUGH / p or (stop and (out_of_reach or stop(found[2]))):
                break
        return value

    def smooth(self, M: Array, p: float) -> tuple[float, list[Array], float]:
        """Log (Σ σ^{2p})^{1/2p}, its derivative in X by blocks, and about ‖M‖₂."""
        values, V = np.linalg.eigh(M.T @ M)
        values = np.maximum(values, 1e-300)
        weights = np.exp(p * (np.log(values) - np.log(values[-1])))
        total = weights.sum()
        weights = weights / total
        heavy = weights > 1e-14
        V, w, square = V[:, heavy], weights[heavy], values[heavy]
        U = M @ (V / np.sqrt(square))
        made = []
        for part in self.blocks.parts:
            u, v = U[part], V[part]
            made.append((u * w) @ np.swapaxes(u, 1, 2) - (v * w) @ np.swapaxes(v, 1, 2))
        log = 0.5 * float(np.log(values[-1]))
        return log + float(np.log(total)) / (2 * p), made, math.exp(log)


def _two_loops(slope: Array, pairs: Sequence[tuple[Array, Array]]) -> Array:
    """−H slope, H made of the last steps and changes of the slope."""
    q = slope.copy()
    kept = []
    for step, change in reversed(pairs):
        a = float(step @ q) / float(change @ step)
        q -= a * change
        kept.append(a)
    if pairs:
        step, change = pairs[-1]
        q *= float(step @ change) / float(change @ change)
    for (step, change), a in zip(pairs, reversed(kept), strict=True):
        q += (a - float(change @ q) / float(change @ step)) * step
    return -q
