"""What `bptt bounds` prints for people: verdict, table of norms, paths, heat map, assumptions.

In: a `Stack` with what was measured beside it. Out: text, legible without colour.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from derive.calculus.through_time import derivation_of
from derive.cell import Cell
from derive.saying import Said, singular
from derive.theorems.letters import THETA, Letters
from derive.typeset.columns import columns_of
from derive.typeset.letters import spelled
from derive.typeset.text import Text
from numeric.bounds.all_inputs.box_pieces import NAME as PIECES
from numeric.bounds.all_inputs.certify import Certificate
from numeric.bounds.all_inputs.fractional_norm import NAME as FRACTIONAL
from numeric.bounds.diagnosis import A_PRIORI, FINITE, Diagnosis
from numeric.bounds.lost_states import lost_states
from numeric.bounds.sensitivity import Sensitivity, clipping, ill_conditioned
from numeric.bounds.stack import Stack
from numeric.numbers.printed import (
    ceiling,
    floor,
    rate_down,
    rate_up,
    scientific_down,
    scientific_up,
)  # fmt: skip
from reports.document.method_names import method_name
from reports.document.words import Speaker, origin
from reports.terminal.answer import VERDICTS, WIDTH, fitted
from reports.terminal.console import columns

Array = Any
Say = Callable[[str], str]
_SHOWN: Final = (1, 2, 5, 10, 20, 30, 60, 100, 200, 500, 1000)
_PATHS: Final = 6
_LEAST: Final = 0.005
_LARGE: Final = 1e4


@dataclass(frozen=True)
class Measured:
    """log10 ‖∂s_t/∂s_k‖₂ over a grid of times, and the largest Lyapunov exponents."""

    times: tuple[int, ...]
    logs: Array
    exponents: tuple[float, ...]


@dataclass(frozen=True)
class _Written:
    """Signs that are no symbols of the cell, in letters that it does not have."""

    now: str
    then: str
    last: str
    loss: str
    parameter: str
    gradient: str
    earlier: str

    @property
    def lag(self) -> str:
        """The way from the earlier time to t."""
        return f"t−{self.earlier}"


def _letters(cell: Cell) -> _Written:
    derivation, notation, text = derivation_of(cell), cell.notation, Text()
    give, earlier = Letters(derivation), text(spelled(notation.earlier))
    state = derivation.chain.target.args[0].args[0].name
    times = "t", earlier, notation.length
    now, then, last = (f"{text(spelled(state))}_{time}" for time in times)
    theta, gradient = (text(spelled(give(*choices))) for choices in (THETA, ("g", "w", "chi")))
    return _Written(now, then, last, notation.loss, theta, gradient, earlier)


def stack_text(
    stack: Stack, measured: Sequence[Measured | None],
    parameters: Sequence[Mapping[str, Sensitivity]], left: Sequence[str], everything: bool,
    say: Speaker, first: Sequence[str] = (), clip: float | None = None,
) -> str:  # fmt: skip
    """What is said first, all layers in one table, then the one that decides, or all, at length."""
    several, words = len(stack.found) > 1, say.words
    lines = [*first, *(_layers(stack, words) if several else [])]
    for place, (layer, one) in enumerate(zip(stack.layers, stack.found, strict=True)):
        if several and not everything and place != stack.decisive:
            continue
        name = f"{one.cell.name} {layer.prefix}".rstrip(". ")
        at_length = _at_length(name, one, measured[place], parameters[place], everything, say, clip)
        lines += [*fitted(at_length), ""]
    said = words("weights.rows"), words("weights.absent")
    found = [(f"{layer.prefix}{name}", *origin(source, *said)) for layer in stack.layers
             for name, source in layer.origin.items()]  # fmt: skip
    mapping = [(name, template.format(*held)) for name, template, held in found]
    if mapping:
        lines += [words("bounds.weights"), *columns(mapping, "  ")]
    if left:
        names = words("words.comma").join(left[:8]) + (", …" if len(left) > 8 else "")
        lines += fitted(["  " + words("bounds.not_used").format(names)])
    return "\n".join(lines).rstrip("\n")


def _layers(stack: Stack, words: Say) -> list[str]:
    """One line for each layer and direction."""
    rows = [tuple(map(words, (
        "one_sequence.layer", "one_sequence.verdict", "growth.measured", "all_inputs.at_most",
        "one_sequence.at_least", "bounds.a_step", "bounds.carried",
    )))]  # fmt: skip
    for layer, one in zip(stack.layers, stack.found, strict=True):
        upper, lower = one.at_most[0], one.at_least[0]
        seen = one.log10_measured[-1] if one.log10_measured else None
        carried = ""
        if one.shares is not None and (path := one.shares.most) is not None:
            carried = f"{path.label} {path.share:.0%}"
        rows.append((
            layer.prefix.rstrip("."), words(VERDICTS[one.verdict]),
            "" if seen is None else number(seen, words),
            ceiling(upper, 2), floor(lower, 2) if math.isfinite(lower) else "",
            "" if one.rate is None else rate_up(one.rate), carried,
        ))  # fmt: skip
    held = _letters(stack.found[stack.decisive].cell)
    said = words("bounds.of_layers").format(stack.found[0].lags[-1], held.now, held.then)
    # two directions run against each other: no Jacobian leads from a step of the stack to the next
    both = any(layer.reverse for layer in stack.layers)
    remark = [] if both else fitted(["  " + words("bounds.slowest")])
    return [said, *columns(rows, "  "), *remark, ""]


def _at_length(
    name: str, one: Diagnosis, measured: Measured | None, parameters: Mapping[str, Sensitivity],
    everything: bool, say: Speaker, clip: float | None,
) -> list[str]:  # fmt: skip
    words = say.words
    verdict = f"{words(VERDICTS[one.verdict])}{words('words.pause')}{_because(one, say)}"
    opening = words("verify.named").format(name, verdict)
    lines = [opening, "", *_table(one, everything, words)]
    if one.rate is not None and one.certificate is not None:
        lines.append("  " + words("bounds.rate").format(
            rate_up(one.rate), method_name(one.certificate.best.name, words)))  # fmt: skip
        lines += _certificate(one.certificate, _letters(one.cell), words)
    if one.lower_rate is not None:
        lines.append("  " + words("bounds.at_rest").format(rate_down(one.lower_rate)))
    for found in lost_states(derivation_of(one.cell)):
        said = words("bounds.lost" if found.cancels else "bounds.apart")
        lines.append("  " + said.format(found.read, found.state, found.steps))
    if one.track is not None and len(one.track.blocks) > 1:
        held = words("words.comma").join(
            f"∂{a}/∂{b} {number(v, words)}" for (a, b), v in one.track.blocks.items())  # fmt: skip
        lines.append("  " + words("bounds.blocks").format(held))
    if measured is not None:
        exponents = ", ".join(f"{value:.3f}" for value in measured.exponents)
        lines.append("  " + words("bounds.exponents").format(exponents))
    lines += _parameters(one, parameters, words)
    lines += _clipped(parameters, clip, _letters(one.cell), words) if clip is not None else []
    lines += _paths(one, everything, words)
    if measured is not None:
        lines += _heat(measured, _letters(one.cell), words)
    told = (say.phrase(_called(line, one.apart, words)) for line in one.assumptions)
    return [*lines, "", "  " + words("bounds.assumptions"), *(f"  - {line}" for line in told)]


def _because(one: Diagnosis, say: Speaker) -> str:
    """Why, the method at the end called as the table calls it."""
    told = one.because
    for name in {name for _, name in (one.at_most, one.at_least) if name}:
        told = _called(told, {name}, say.words)
    return say.phrase(told)


def _called(told: str, methods: Collection[str], words: Say) -> str:
    """The sentence with these methods, where a slot lists them, called as the table calls them."""
    if not isinstance(told, Said):
        return told
    listed = ", ".join(sorted(methods))
    said = words("words.comma").join(method_name(name, words) for name in sorted(methods))
    return Said(told.template, tuple(said if slot == listed else slot for slot in told.slots))


def _certificate(found: Certificate, held: _Written, words: Say) -> list[str]:
    """What proves the rate, where it is one norm of scaled matrices."""
    scaled, pieces, name = found.scaled, found.pieces, found.best.name
    letters = held.now, held.then, held.lag
    if scaled is not None and name == FRACTIONAL:
        said = words("bounds.certificate").format(
            len(scaled.form.unknowns), scaled.form.order, rate_up(scaled.condition),
            rate_up(scaled.rate), *letters,
        )  # fmt: skip
    elif pieces is not None and name == PIECES:
        said = words("bounds.pieces").format(
            len(pieces.boxes), rate_up(pieces.condition), rate_up(pieces.rate), *letters
        )
    else:
        return []
    return ["    " + said]


def _parameters(one: Diagnosis, found: Mapping[str, Sensitivity], words: Say) -> list[str]:
    """log10 of ‖∂s_T/∂θ‖₂ by parameter, and whether one of them is ill-conditioned."""
    if all(s.along is None and s.all_inputs is None for s in found.values()):
        return []
    rows = [(words("bounds.parameter"), *map(words, (
        "growth.measured", "all_inputs.at_most", "one_sequence.at_least", "bounds.every_input",
        "bounds.times_own",
    )))]  # fmt: skip
    if cut := any(s.cut is not None for s in found.values()):
        rows = [(*rows[0], words("bounds.left_out"))]
    for name, s in found.items():
        along, nothing = s.along, number(-math.inf, words)
        seen = ("", "", "", "") if along is None else (
            number(along.measured, words), ceiling(along.upper, 2), floor(along.lower, 2),
            _times_own(along.amplification, 2),
        )  # fmt: skip
        seen = (nothing, nothing, nothing, "") if s.zero else seen
        above = "" if s.all_inputs is None else ceiling(s.all_inputs, 2)
        left = ("" if s.cut is None else ceiling(s.cut.upper, 2),) * cut
        rows.append((name, *seen[:3], above, seen[3], *left))
    held = _letters(one.cell)
    said = words("bounds.parameters").format(held.last, held.parameter, held.loss, held.gradient)
    lines = ["", *("  " + line for line in textwrap.wrap(said, WIDTH - 2)),
             *columns(rows, "    ", numbers=True)]  # fmt: skip
    worst = ill_conditioned(one, found)
    if worst is not None:
        most = _times_own(found[worst].amplification or 0.0, 1)
        lines.append("    " + words("bounds.ill").format(worst, most, held.last))
    return lines


def _times_own(value: float, digits: int) -> str:
    """A number of times, rounded down; a power of ten where it is large."""
    return floor(value, digits) if value < _LARGE else scientific_down(value, 2)


def _clipped(
    found: Mapping[str, Sensitivity], threshold: float, held: _Written, words: Say
) -> list[str]:
    """What a limit of the norm of all gradients together takes from them."""
    taken, at = clipping(found, threshold), repr(threshold).removesuffix(".0")
    if taken is None:
        return ["    " + words("bounds.clip_unknown")]
    if taken.most == 0.0:
        return ["    " + words("bounds.clip_never").format(at, held.loss, held.last)]
    most, least = scientific_up(taken.most, 3), scientific_down(taken.least, 3)
    return ["    " + words("bounds.clip").format(at, most, least, held.loss, held.last)]


def _table(one: Diagnosis, everything: bool, words: Say) -> list[str]:
    """log10 of the norms at some lags, a method a row: as many lags as a line has room for."""
    shown = [lag for lag in _SHOWN if lag < one.lags[-1]] + [one.lags[-1]]
    upper = one.log10_upper if everything else _folded(one.log10_upper)
    for count in range(7, 1, -1):
        chosen = shown if len(shown) <= count else shown[:1] + shown[1 - count :]
        lines = columns(_rows(one, upper, chosen, words), "  ", numbers=True)
        if max(map(columns_of, lines)) <= WIDTH:
            break
    hidden = len(one.log10_upper) - len(upper)
    more = singular(words("bounds.hidden"), (hidden,)).format(hidden) if hidden else ""
    return [*lines, "  " + words("bounds.smallest") + more]


def _rows(
    one: Diagnosis, upper: Mapping[str, Sequence[float]], shown: Sequence[int], words: Say
) -> list[tuple[str, ...]]:
    """The heading, what is measured, and each method's bounds at these lags."""
    rows = [(words("bounds.at_lag"), *map(str, shown))]
    if one.log10_measured is not None:
        seen = (number(one.log10_measured[lag - 1], words) for lag in shown)
        rows.append((words("growth.measured"), *seen))
    above, below = words("all_inputs.at_most"), words("one_sequence.at_least")
    for side, methods, show in ((above, upper, ceiling), (below, one.log10_lower, floor)):
        for name, values in methods.items():
            mark = " *" if side == above and name == one.winner else ""
            called = method_name(name, words)
            if name == A_PRIORI and one.certificate is not None:
                best = method_name(one.certificate.upper(one.lags[-1])[1], words)
                called = method_name(A_PRIORI if one.certificate.unlimited else FINITE, words)
                called = words("bounds.smallest_by").format(called, best)
            ends = (
                show(values[lag - 1], 2) if math.isfinite(values[lag - 1])
                else number(values[lag - 1] if show is ceiling else -values[lag - 1], words)
                for lag in shown
            )  # fmt: skip
            rows.append((f"{side}{words('words.pause')}{called}{mark}", *ends))
    return rows


def _folded(upper: Mapping[str, Sequence[float]]) -> dict[str, Sequence[float]]:
    """The best window, and the methods that are no windows; window by single steps too."""
    windows = {name: values for name, values in upper.items() if name.startswith("window_")}
    best = min(windows, key=lambda name: windows[name][-1], default="")
    kept = {best, "window_1", *(upper.keys() - windows.keys())}
    order = sorted(kept & upper.keys(), key=lambda name: (upper[name][-1], name))
    return {name: upper[name] for name in order}


def _paths(one: Diagnosis, everything: bool, words: Say) -> list[str]:
    """Which paths of a step carry the norm, and which gate they go through."""
    shares = one.shares
    if shares is None:
        return []
    shown = [p for p in shares.paths if everything or abs(p.share) >= _LEAST]
    shown = shown if everything else shown[:_PATHS]
    rows = [(words("bounds.path"), words("bounds.share"), words("one_sequence.alone"))]
    rows += [(p.label, f"{p.share:7.1%}", f"× {p.growth:.3g}") for p in shown]
    rest = sum(p.share for p in shares.paths) - sum(p.share for p in shown)
    if len(shown) < len(shares.paths):
        more = words("one_sequence.more").format(len(shares.paths) - len(shown))
        rows.append((more, f"{rest:7.1%}", ""))
    lines = ["", "  " + words("bounds.carries").format(shares.lag)]
    lines += columns(rows, "    ")
    named = [f"{name} {share:.0%}" for name, share in shares.by_name().items()
             if abs(share) >= _LEAST][:_PATHS]  # fmt: skip
    if len(shares.paths) > 1 and named:
        lines.append("    " + words("bounds.through").format(words("words.comma").join(named)))
    return lines


def _heat(measured: Measured, held: _Written, words: Say) -> list[str]:
    """The grid of times as numbers: rows t, columns k, blank where k > t."""
    times = measured.times
    rows = [[f"t \\ {held.earlier}", *map(str, times[:-1])]]
    for i, t in enumerate(times[1:], 1):
        rows.append([str(t), *(f"{v:.1f}" if math.isfinite(v) else words("bounds.zero")
                               for v in measured.logs[i][:i])])  # fmt: skip
    width = [max(len(row[j]) for row in rows if j < len(row)) for j in range(len(times))]
    lines = ["", "  " + words("bounds.heat").format(held.now, held.then)]
    lines += ["    " + " ".join(cell.rjust(w) for cell, w in zip(row, width, strict=False))
              for row in rows]  # fmt: skip
    return [*lines, *_where(measured, words)]


def _where(measured: Measured, words: Say) -> list[str]:
    """Between which times of the grid the norm up to the last step changes most and least."""
    times, last = measured.times, measured.logs[-1]
    parts = [(float(last[k] - last[k + 1]) / (times[k + 1] - times[k]), times[k], times[k + 1])
             for k in range(len(times) - 1)
             if math.isfinite(last[k]) and math.isfinite(last[k + 1])]  # fmt: skip
    if len(parts) < 3:
        return []
    (least, a, b), (most, c, d) = min(parts), max(parts)
    return ["    " + words("bounds.changes").format(
        times[-1], f"{10**least:.3g}", b, a, f"{10**most:.3g}", d, c)]  # fmt: skip


def number(value: float, words: Say) -> str:
    """A measured logarithm."""
    if math.isfinite(value):
        return f"{value:.2f}"
    return words("bounds.zero") if value < 0 else words("bounds.no_bound")
