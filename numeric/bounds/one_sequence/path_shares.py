"""How much of the norm of a Jacobian product each path of a step carries.

In: a `Run`. Out: `PathShares`. Let P = J_t ⋯ J_{k+1} have the largest singular value σ, with unit
vectors u, v and P v = σ u. For every step s from k+1 to t

    σ = uᵀ L_s J_s R_s v,   L_s = J_t ⋯ J_{s+1},   R_s = J_{s−1} ⋯ J_{k+1},

and J_s is the sum of its paths' terms (`paths`). So the share of a path at step s,

    share_s = uᵀ L_s (its term) R_s v / σ,

sums to 1 over the paths; so does its mean over the steps, which is what is reported. It is also a
derivative: where the term is scaled by 1 + ε at every step, log σ changes by (t − k) · share · ε
to first order, because ∂σ/∂J_s = L_sᵀ u (R_s v)ᵀ for a simple σ. A share may be negative: that
path works against the others. Measured in float64; nothing here is certified.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sympy import MatrixSymbol

from derive.calculus.paths import PathGraph, Route, path_graph
from numeric.bounds.one_sequence.path_products import Steps
from numeric.bounds.one_sequence.step_jacobians import Jacobians, Run
from numeric.numbers.lanczos import top
from numeric.numbers.lengths import length, lengths
from numeric.numbers.matrices import Near

Array = Any
_CHUNK: Final = 1024
_UNITS: Final = 5


@dataclass(frozen=True)
class PathShare:
    """One path: `share` of the norm, the mean over the steps; `size` the mean of its |share|.

    `growth` is the geometric mean of ‖term r‖ / ‖r‖ over the steps where it is not 0, r being
    what arrives at the path's start on the way of v: by how much the path alone shrinks or
    stretches it a step.
    """

    route: Route
    share: float
    size: float
    growth: float

    @property
    def label(self) -> str:
        """As h → f → c."""
        return self.route.label


@dataclass(frozen=True)
class UnitShare:
    """How much of the norm goes through one entry of a state, the mean over the steps.

    Units count from 1, through a matrix state row by row.
    """

    state: str
    index: int
    share: float


@dataclass(frozen=True)
class PathShares:
    """The paths, those with the largest |share| first; the shares sum to 1.

    `log10_norm` is log10 σ at that lag.
    `units` are the units with the largest shares; those of all units of all states sum to 1.
    """

    lag: int
    log10_norm: float
    paths: tuple[PathShare, ...]
    units: tuple[UnitShare, ...] = ()

    @property
    def most(self) -> PathShare | None:
        """The path that carries most; one of a share below 0 works against the others."""
        return max(self.paths, key=lambda path: path.share, default=None)

    def by_name(self) -> dict[str, float]:
        """For each gate or result the sum of the shares of the paths it is on, largest first.

        A state that a path begins with is on it where its new value is on the way.
        """
        found: dict[str, float] = {}
        for path in self.paths:
            route = path.route
            factors = [name for name in route.factors if name not in {route.by, route.of}]
            for name in dict.fromkeys((*route.via, *factors)):
                found[name] = found.get(name, 0.0) + path.share
        return dict(sorted(found.items(), key=lambda item: -abs(item[1])))

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "lag": self.lag,
            "log10_norm": self.log10_norm,
            "paths": [
                {"path": p.label, "from": p.route.by, "to": p.route.of, "via": list(p.route.via),
                 "factors": list(p.route.factors), "share": p.share, "size": p.size,
                 "growth": p.growth if math.isfinite(p.growth) else None}
                for p in self.paths
            ],
            "units": [{"state": u.state, "index": u.index, "share": u.share} for u in self.units],
            "by_name": self.by_name(),
        }  # fmt: skip


def path_shares(
    run: Run, lag: int | None = None, direction: Array | None = None
) -> PathShares | None:
    """The shares in ‖J_T ⋯ J_{T−lag+1}‖₂; None where that product is zero.

    `direction` is a right singular vector of the largest singular value, where one is known.
    Any v will do for the sum: with σ = ‖Pv‖ and u = Pv/σ the shares of every step sum to 1.

    Raises:
        ValueError: for a lag out of range.
    """
    count = run.steps if lag is None else lag
    if not 1 <= count <= run.steps:
        raise ValueError(f"lag: expected 1 to {run.steps}, the steps there are, came {count}")
    jacobians = Jacobians(run)
    v = _leading(jacobians, count) if direction is None else direction
    if not np.any(v):
        return None
    graph = path_graph(run.derivation)
    starts = np.cumsum([0, *jacobians.widths])
    spans = {name: slice(starts[i], starts[i + 1]) for i, name in enumerate(jacobians.names)}
    arriving, log10_norm = _arriving(run, graph, spans, v, count)
    if not math.isfinite(log10_norm):
        return None
    totals = np.zeros((len(graph.routes), 4))
    through = np.zeros(starts[-1])
    adjoint = arriving[:, -1]
    for first, last in _chunks(run.steps - count, run.steps, backwards=True):
        step = Steps(run, graph, first, last)
        leaving = np.zeros((starts[-1], last - first))
        for s in range(last - first - 1, -1, -1):
            leaving[:, s] = adjoint
            adjoint = _unit(step.backward(adjoint[:, None], spans, slice(s, s + 1))[:, 0])
        offset = first - (run.steps - count)
        totals += _flows(step, graph, spans, arriving[:, offset : offset + last - first], leaving)
        through += _by_unit(arriving[:, offset + 1 : offset + 1 + last - first], leaving)
    made = [PathShare(route, float(a / count), float(b / count), math.exp(c / d) if d else 0.0)
            for route, (a, b, c, d) in zip(graph.routes, totals, strict=True)]  # fmt: skip
    order = np.argsort(-np.abs(through), kind="stable")[:_UNITS]
    units = []
    for place in order.tolist():
        name = next(name for name, span in spans.items() if span.start <= place < span.stop)
        units.append(
            UnitShare(name, int(place - spans[name].start) + 1, float(through[place] / count))
        )
    paths = tuple(sorted(made, key=lambda p: -abs(p.share)))
    return PathShares(count, log10_norm, paths, tuple(units))


def _by_unit(arriving: Array, leaving: Array) -> Array:
    """Sums over the steps of each unit's share: uᵀ L_s e_i e_iᵀ R_{s+1} v / σ.

    Shapes: both (d, steps): what arrives after each step, and the adjoint there.
    """
    flows = arriving * leaving
    total = flows.sum(axis=0)
    return np.asarray((flows / np.where(total == 0, 1.0, total)).sum(axis=1))


def _leading(jacobians: Jacobians, count: int) -> Array:
    """About the right singular vector of the largest singular value of the product."""
    product: Near | None = None
    for factor in jacobians.backwards(count):
        product = factor if product is None else Near(product.matrix @ factor.matrix)
        largest = float(np.max(np.abs(product.matrix), initial=0.0))
        product = Near(product.matrix / (largest or 1.0))
    return top(product.matrix)[1] if product is not None else np.zeros(0)


def _chunks(first: int, last: int, backwards: bool = False) -> Iterator[tuple[int, int]]:
    ends = [(k, min(k + _CHUNK, last)) for k in range(first, last, _CHUNK)]
    yield from reversed(ends) if backwards else ends


def _unit(vector: Array) -> Array:
    size = length(vector)
    return vector / size if size else vector


def _arriving(
    run: Run, graph: PathGraph, spans: Mapping[str, slice], v: Array, count: int
) -> tuple[Array, float]:
    """R_s v of each step, scaled to length 1, then u; and log10 ‖Pv‖.

    Shapes: (d, lag + 1).
    """
    begin = run.steps - count
    found, log = np.zeros((len(v), count + 1)), 0.0
    found[:, 0] = _unit(v)
    for first, last in _chunks(begin, run.steps):
        step = Steps(run, graph, first, last)
        for s in range(last - first):
            place = first - begin + s
            after = step.forward(found[:, place : place + 1], spans, slice(s, s + 1))[:, 0]
            size = length(after)
            log += math.log10(size) if size else -math.inf
            found[:, place + 1] = after / size if size else after
    return found, log


def _flows(
    step: Steps, graph: PathGraph, spans: Mapping[str, slice], arriving: Array, leaving: Array
) -> Array:
    """Sums over the steps of share, |share|, log growth and of where it is not 0, by route."""
    count = arriving.shape[1]
    flows, growths = np.zeros((len(graph.routes), count)), np.zeros((len(graph.routes), count))
    adjoints = {of: step.adjoints(of, leaving[spans[of]])
                for of in dict.fromkeys(route.of for route in graph.routes)}  # fmt: skip
    pushed: dict[tuple[MatrixSymbol, ...], Array] = {}
    every = slice(None)
    with np.errstate(divide="ignore", invalid="ignore"):
        for place, route in enumerate(graph.routes):
            start = arriving[spans[route.by]]
            value = start
            for end in range(2, len(route.nodes) + 1):
                nodes = route.nodes[:end]
                if nodes not in pushed:
                    edge = step.edges[nodes[-1]][nodes[-2]]
                    pushed[nodes] = edge.times(value, every, False)
                value = pushed[nodes]
            adjoint = adjoints[route.of].get(route.nodes[-1])
            if adjoint is not None:
                flows[place] = np.sum(adjoint * value, axis=0)
            sizes = lengths(value, 0) / lengths(start, 0)
            growths[place] = np.log(sizes)
    total = flows.sum(axis=0)
    flows = np.where(total == 0, 0.0, flows / np.where(total == 0, 1.0, total))
    moving = np.isfinite(growths)
    return np.stack([
        flows.sum(axis=1), np.abs(flows).sum(axis=1),
        np.where(moving, growths, 0.0).sum(axis=1), moving.sum(axis=1),
    ], axis=1)  # fmt: skip
