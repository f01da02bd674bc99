"""What printed symbols stand for: W_fh, h_{t−1}, a_{z,t}, and the sizes below 1 and [a].

In: a name as it is printed. Out: the symbol and the time that it means, if it means one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final

from tests.derive.typeset.printed_values import Array, UnreadableError, Value

BAR, CARRY, DOT = "\u0304", "\u20d6", "\u0307"
_DIGITS: Final = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_TIME: Final = re.compile(r"(\w+|\d+)([+−](\w+|\d+))*")


@dataclass
class Known:
    """What the symbols stand for: `timed` by (name, time), `still` by name; sizes by name.

    `partial` gives ∂u/∂v of symbols at their times, `functions` what a printed name is applied
    as, `parsed` the lines that were read before.
    """

    still: dict[str, Value] = field(default_factory=dict)
    timed: dict[str, dict[int, Value]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    partial: Callable[[str, int, str, int], Value] | None = None
    functions: Mapping[str, Callable[..., Array]] = field(default_factory=dict)
    index: str = ""
    steps: Sequence[int] = ()  # of a trajectory
    paths: Sequence[Known] = ()  # the trajectories that suprema are over
    parsed: dict[str, Any] = field(default_factory=dict)

    def copy(self) -> Known:
        """The same, to be changed."""
        timed = {name: dict(values) for name, values in self.timed.items()}
        return replace(self, still=dict(self.still), timed=timed)

    def put(self, name: str, time: int | None, value: Value) -> None:
        """A value for a symbol, at a time or at all."""
        if time is None:
            self.still[name] = value
        else:
            self.timed.setdefault(name, {})[time] = value

    def value_at(self, name: str, time: int | None) -> Value:
        """The value of a symbol."""
        return self.still[name] if time is None else self.timed[name][time]

    def at(self, **times: int) -> Known:
        """The same at some times."""
        return replace(self, times={**self.times, **times})

    def time(self, text: str) -> int | None:
        """The number that a time is, such as t − 1; None where it is no time."""
        if text in self.times:
            return self.times[text]
        if not _TIME.fullmatch(text):
            return None
        total = 0
        for sign, part in re.findall(r"([+−]?)(\w+)", text):
            if not part.isdigit() and part not in self.times:
                return None
            value = int(part) if part.isdigit() else self.times[part]
            total += -value if sign == "−" else value
        return total

    def meant(self, name: str) -> tuple[str, int | None]:
        """The symbol and the time that a printed name stands for.

        Raises:
            UnreadableError: if it stands for none, or for two.
        """
        base, *parts = split_name(name)
        found: list[tuple[str, int | None]] = []
        if join_name(base, parts) in self.still:
            found.append((join_name(base, parts), None))
        if parts and (time := self.time(parts[-1])) is not None:
            held = join_name(base, parts[:-1])
            numeral = parts[-1].isdigit()  # of times only 0 is ever written as a number
            if held in self.timed and (not numeral or (time in self.timed[held] and time == 0)):
                found.append((held, time))
        if len(found) != 1:
            raise UnreadableError(f"{name} may be {[n for n, _ in found] or 'nothing'}")
        return found[0]

    def value(self, name: str) -> Value:
        """The value of a printed symbol."""
        symbol, time = self.meant(name)
        if time is None:
            return self.still[symbol]
        try:
            return self.timed[symbol][time]
        except KeyError:
            raise UnreadableError(f"{name}: {symbol} has no value at {time}") from None


@cache
def split_name(name: str) -> tuple[str, ...]:
    """The letter of a printed symbol, and what stands below it, part by part."""
    above = "".join(re.findall(r"\^(?:\w+|\{\w+\})", name))
    name = re.sub(r"\^(?:\w+|\{\w+\})", "", name)
    name = name.translate(_DIGITS) if "_" not in name else name
    found = re.fullmatch(r"([^_]*?)(\d*)(?:_(?:\{(.*)\}|(.*)))?", name)
    assert found is not None, name
    base, digits, braced, plain = found.groups()
    below = digits or braced or plain or ""
    base += re.sub(r"[{}]", "", above)
    return (base, *map(_flat, _outer(below))) if below else (base,)


def _flat(part: str) -> str:
    """A part below, without what only sets it: a₂ and a_{2} are a2."""
    return re.sub(r"_\{([^{}]*)\}", r"\1", part).translate(_DIGITS)


def _outer(text: str) -> list[str]:
    """The parts between commas that no brace encloses."""
    parts, depth = [""], 0
    for sign in text:
        depth += (sign == "{") - (sign == "}")
        if sign == "," and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def join_name(base: str, parts: Sequence[str]) -> str:
    """A name as it is looked up."""
    return base + "".join(f"_{part}" for part in parts)


def extent(text: str, known: Known) -> int:
    """The number that a size is: n, n+m, 2n, 3."""
    total = 0
    for term in text.replace(" ", "").split("+"):
        found = re.fullmatch(r"(\d*)(.*)", term)
        assert found is not None
        base, *below = split_name(found[2])
        total += int(found[1] or 1) * (known.sizes[join_name(base, below)] if base else 1)
    return total


def part(value: Array, index: str, known: Known) -> Array:
    """The rows 1:n, or the columns :,1:m."""
    rows = not index.startswith(":")
    first, last = (extent(end, known) for end in index.removeprefix(":,").split(":"))
    return value[first - 1 : last] if rows else value[:, first - 1 : last]


def symbol(name: str, known: Known) -> Value:
    base, *parts = split_name(name)
    if known.index and parts and parts[-1] == known.index:
        held = join_name(base, parts[:-1])
        without = f"{base}_{{{','.join(parts[:-1])}}}" if parts[:-1] else base
        if held in known.still or parts[:-1]:
            return known.value(without)
    if known.index:
        raise UnreadableError(f"{name} has no entry {known.index}")
    whole = join_name(base, parts)
    if whole in known.sizes and whole not in known.still:
        return float(known.sizes[whole])
    return known.value(name)


def direction(name: str, known: Known) -> tuple[str, int]:
    """The symbol and time of a change, which has no value of its own before it is given one."""
    inner = known.at()
    base, *parts = split_name(name)
    inner.timed = {**known.timed, join_name(base, parts[:-1]): {}}
    symbol, time = inner.meant(name)
    if time is None or DOT not in name:
        raise UnreadableError(f"{name} ↦")
    return symbol, time


# ---- tokens ----------------------------------------------------------------------------------

_MARKS: Final = "\u0300-\u036f\u20d0-\u20ff"
_TOKEN: Final = re.compile(
    rf"(?P<space>\s+)|(?P<number>\d+(?:\.\d+)?(?:e-?\d+)?)"
    rf"|(?P<large>[∑∏])"
    rf"|(?P<name>relu6|(?:[^\W\d_ᵀ⁰¹²³⁴⁵⁶⁷⁸⁹][{_MARKS}]*)+)"
    r"|(?P<sub>_\{(?:[^{}]|\{[^{}]*\})*\}|_[^\Wᵀ⁰¹²³⁴⁵⁶⁷⁸⁹]+|_[^\s\w]|[₀₁₂₃₄₅₆₇₈₉]+)"
    r"|(?P<sup>\^\{[^{}]*\}|\^\w+|[⁰¹²³⁴⁵⁶⁷⁸⁹]+|ᵀ|′)"
    r"|(?P<sign>[()\[\]|‖,;:+−⊙·×/=≥<↦∂])"
)


@dataclass(frozen=True)
class Token:
    """A token; `apart` if a space stands before it."""

    kind: str
    text: str
    apart: bool = False


def tokens(text: str, declared: Iterable[str]) -> list[Token]:
    """The tokens of a line, in decomposed letters; a declared name of two words is one token."""
    text = unicodedata.normalize("NFD", text)
    found, place, apart = [], 0, False
    several = sorted((name for name in declared if " " in name), key=len, reverse=True)
    while place < len(text):
        if word := next((n for n in several if text.startswith(n, place)), None):
            found.append(Token("name", word, apart))
            place, apart = place + len(word), False
            continue
        if (match := _TOKEN.match(text, place)) is None:
            raise UnreadableError(f"{text[place:]!r} in {text!r}")
        kind = str(match.lastgroup)
        if kind == "space":
            apart = True
        else:
            found.append(Token(kind, match[0], apart))
            apart = False
        place = match.end()
    return found
