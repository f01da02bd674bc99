"""What `bptt bounds` prints for people: verdict, table of norms, paths, heat map, assumptions.

In: a `Stack` with what was measured beside it. Out: text, legible without colour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from numeric.bounds.diagnosis import Diagnosis
from numeric.bounds.stack import Stack
from numeric.numbers.printed import ceiling, floor, rate_down, rate_up
from reports.terminal.answer import fitted
from reports.terminal.console import columns

Array = Any
_SHOWN: Final = (1, 2, 5, 10, 20, 30, 60, 100, 200, 500, 1000)
_PATHS: Final = 6
_LEAST: Final = 0.005


@dataclass(frozen=True)
class Measured:
    """log10 ‖∂s_t/∂s_k‖₂ over a grid of times, and the largest Lyapunov exponents."""

    times: tuple[int, ...]
    logs: Array
    exponents: tuple[float, ...]


def stack_text(
    stack: Stack, measured: Sequence[Measured | None], left: Sequence[str], everything: bool,
    first: Sequence[str] = (),
) -> str:  # fmt: skip
    """What is said first, all layers in one table, then the one that decides, or all, at length."""
    several = len(stack.found) > 1
    lines = [*first, *(_layers(stack) if several else [])]
    for place, (layer, one) in enumerate(zip(stack.layers, stack.found, strict=True)):
        if several and not everything and place != stack.decisive:
            continue
        name = f"{one.cell.name} {layer.prefix}".rstrip(". ")
        at_length = _at_length(name, one, measured[place], everything)
        lines += [*fitted(at_length), ""]
    mapping = [(f"{layer.prefix}{name}", source) for layer in stack.layers
               for name, source in layer.origin.items()]  # fmt: skip
    if mapping:
        lines += ["Weights:", *columns(mapping, "  ")]
    if left:
        lines += fitted([f"  not used: {', '.join(left[:8])}{', …' if len(left) > 8 else ''}"])
    return "\n".join(lines).rstrip("\n")


def _layers(stack: Stack) -> list[str]:
    """One line for each layer and direction."""
    rows = [("layer", "verdict", "measured", "at most", "at least", "a step", "carried by")]
    for layer, one in zip(stack.layers, stack.found, strict=True):
        upper, lower = one.at_most[0], one.at_least[0]
        seen = one.log10_measured[-1] if one.log10_measured else None
        carried = ""
        if one.shares is not None and one.shares.paths:
            path = one.shares.paths[0]
            carried = f"{path.label} {path.share:.0%}"
        rows.append((
            layer.prefix.rstrip("."), one.verdict, "" if seen is None else number(seen),
            ceiling(upper, 2), floor(lower, 2) if math.isfinite(lower) else "",
            "" if one.rate is None else rate_up(one.rate), carried,
        ))  # fmt: skip
    said = [f"log10 of ‖∂s_t/∂s_k‖₂ of each layer at lag {stack.found[0].lags[-1]}; a step: the "
            "certified growth for all inputs"]  # fmt: skip
    end = "the growth of the stack is that of its slowest layer, the largest number a step"
    return [*said, *columns(rows, "  "), f"  {end}", ""]


def _at_length(name: str, one: Diagnosis, measured: Measured | None, everything: bool) -> list[str]:
    lines = [f"{name}: {one.verdict}, {one.because}", "", *_table(one, everything)]
    if one.rate is not None and one.certificate is not None:
        lines.append(f"  certified growth a step, all inputs in the box: {rate_up(one.rate)} "
                     f"({one.certificate.best.name})")  # fmt: skip
    if one.lower_rate is not None:
        lines.append(f"  certified growth at rest at zero, at least: {rate_down(one.lower_rate)}")
    if one.track is not None and len(one.track.blocks) > 1:
        held = ", ".join(f"∂{a}/∂{b} {number(v)}" for (a, b), v in one.track.blocks.items())
        lines.append(f"  measured by block at the last lag: {held}")
    if measured is not None:
        exponents = ", ".join(f"{value:.3f}" for value in measured.exponents)
        lines.append(
            f"  largest Lyapunov exponents (natural logarithm a step), measured: {exponents}"
        )
    lines += _paths(one, everything)
    if measured is not None:
        lines += _heat(measured)
    return [*lines, "", "  Assumptions:", *(f"  - {line}" for line in one.assumptions)]


def _table(one: Diagnosis, everything: bool) -> list[str]:
    """log10 of the norms at some lags, a method a row."""
    shown = [lag for lag in _SHOWN if lag < one.lags[-1]] + [one.lags[-1]]
    shown = shown[:1] + shown[-6:] if len(shown) > 7 else shown
    rows = [("log10 of the norm at lag", *map(str, shown))]
    if one.log10_measured is not None:
        rows.append(("measured", *(number(one.log10_measured[lag - 1]) for lag in shown)))
    upper = one.log10_upper if everything else _folded(one.log10_upper)
    for side, methods, show in (("at most", upper, ceiling), ("at least", one.log10_lower, floor)):
        for name, values in methods.items():
            mark = " *" if side == "at most" and name == one.winner else ""
            if name == "a_priori" and one.certificate is not None:
                mark += f" ({one.certificate.upper(one.lags[-1])[1]})"
            rows.append((f"{side}, {name}{mark}", *(show(values[lag - 1], 2) for lag in shown)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  " + row[0].ljust(widths[0]) + "".join(
        "  " + cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)
    ) for row in rows]  # fmt: skip
    hidden = len(one.log10_upper) - len(upper)
    more = f"; {hidden} more methods with --all-methods" if hidden else ""
    return [*lines, f"  * the smallest at the last lag{more}"]


def _folded(upper: Mapping[str, Sequence[float]]) -> dict[str, Sequence[float]]:
    """The best window, and the methods that are no windows; window by single steps too."""
    windows = {name: values for name, values in upper.items() if name.startswith("window_")}
    best = min(windows, key=lambda name: windows[name][-1], default="")
    kept = {best, "window_1", *(upper.keys() - windows.keys())}
    order = sorted(kept & upper.keys(), key=lambda name: (upper[name][-1], name))
    return {name: upper[name] for name in order}


def _paths(one: Diagnosis, everything: bool) -> list[str]:
    """Which paths of a step carry the norm, and which gate they go through."""
    shares = one.shares
    if shares is None:
        return []
    shown = [p for p in shares.paths if everything or abs(p.share) >= _LEAST]
    shown = shown if everything else shown[:_PATHS]
    rows = [("path of a step", "  share", "alone, a step")]
    rows += [(p.label, f"{p.share:7.1%}", f"× {p.growth:.3g}") for p in shown]
    rest = sum(p.share for p in shares.paths) - sum(p.share for p in shown)
    if len(shown) < len(shares.paths):
        rows.append((f"{len(shares.paths) - len(shown)} more", f"{rest:7.1%}", ""))
    lines = ["", f"  What carries the norm at lag {shares.lag} (shares sum to 100 %):"]
    lines += columns(rows, "    ")
    named = [f"{name} {share:.0%}" for name, share in shares.by_name().items()
             if abs(share) >= _LEAST][:_PATHS]  # fmt: skip
    if len(shares.paths) > 1 and named:
        lines.append(f"    by what the paths go through: {', '.join(named)}")
    return lines


def _heat(measured: Measured) -> list[str]:
    """The grid of times as numbers: rows t, columns k, blank where k > t."""
    times = measured.times
    rows = [["t \\ k", *map(str, times[:-1])]]
    for i, t in enumerate(times[1:], 1):
        rows.append([str(t), *(f"{v:.1f}" if math.isfinite(v) else "zero"
                               for v in measured.logs[i][:i])])  # fmt: skip
    width = [max(len(row[j]) for row in rows if j < len(row)) for j in range(len(times))]
    lines = ["", "  log10 of ‖∂s_t/∂s_k‖₂, measured:"]
    lines += ["    " + " ".join(cell.rjust(w) for cell, w in zip(row, width, strict=False))
              for row in rows]  # fmt: skip
    return [*lines, *_where(measured)]


def _where(measured: Measured) -> list[str]:
    """Between which times of the grid the norm up to the last step changes most and least."""
    times, last = measured.times, measured.logs[-1]
    parts = [(float(last[k] - last[k + 1]) / (times[k + 1] - times[k]), times[k], times[k + 1])
             for k in range(len(times) - 1)
             if math.isfinite(last[k]) and math.isfinite(last[k + 1])]  # fmt: skip
    if len(parts) < 3:
        return []
    (least, a, b), (most, c, d) = min(parts), max(parts)
    ends = f"× {10**least:.3g} a step from {b} to {a}, × {10**most:.3g} from {d} to {c}"
    return [f"    back from t = {times[-1]}, the smallest and the largest change: {ends}"]


def number(value: float) -> str:
    """A measured logarithm."""
    return f"{value:.2f}" if math.isfinite(value) else ("zero" if value < 0 else "no bound")
