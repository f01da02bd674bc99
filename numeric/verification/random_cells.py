"""Random equation texts: what a strategy needs to know of the notation to write in it.

In: a source of choices. Out: the text of a cell that the notation accepts. Every choice tried
first is the simplest, and operands are drawn before what joins them, so that shrinking leads
to a cell of few operations: a simpler operation keeps its operands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from derive.language.expr import VECTOR_FUNCTIONS
from derive.language.functions import FUNCTIONS
from derive.language.pairs import PAIR_FUNCTIONS
from derive.language.reductions import REDUCTIONS
from derive.language.syntax import call_text

_PLAIN: Final = {name: row for name, row in FUNCTIONS.items() if row.surrogate is None}
TAME: Final = tuple(name for name, row in _PLAIN.items() if name != "exp" and not row.needs)
STEPS: Final = tuple(name for name, row in FUNCTIONS.items() if row.surrogate is not None)
REDUCED: Final = tuple(row for row in REDUCTIONS.values() if row.name != "norm")
CHOOSY: Final = tuple(name for name, row in FUNCTIONS.items() if row.needs)
NUMBERS: Final = ("2", "0.5", "0.3", "1.25")


class Choices(Protocol):
    """Where the random choices come from."""

    def whole(self, most: int) -> int:
        """A number from 0 to `most`, the simplest first."""

    def part(self, make: Callable[[], str]) -> str:
        """What the function makes, as a part that may take the place of one around it."""


@dataclass
class Writer:
    """Writes expressions of column vectors of one size, from the names known so far.

    Every matrix name is used with one pair of sizes; some names are used again.
    """

    choices: Choices
    known: list[str]
    inputs: list[str]
    matrices: dict[tuple[str, ...], list[str]] = field(default_factory=dict)
    vectors: list[str] = field(default_factory=list)
    scalars: list[str] = field(default_factory=list)
    memories: list[str] = field(default_factory=list)  # matrices that move, n×k

    def vector(self, depth: int) -> str:
        """An expression of size n of at most this depth."""
        return self.choices.part(lambda: self.node(depth))

    def node(self, depth: int) -> str:
        """A leaf, or one operation on smaller expressions."""
        chosen = self.choices.whole(len(_RULES)) if depth else 0
        return _RULES[chosen - 1](self, depth - 1) if chosen else self.leaf()

    def leaf(self) -> str:
        """A state, an earlier result, an input through a matrix, or a bias."""
        options = [*self.known, *(f"U_{x} @ {x}" for x in self.inputs), ""]
        chosen = options[self.choices.whole(len(options) - 1)]
        return f"({chosen})" if "@" in chosen else chosen or self.again(self.vectors, "b")

    def key(self, depth: int) -> str:
        """An expression of size k, which the columns of matrix states have."""
        options = [*(f"K_{x} @ {x}" for x in self.inputs), *(f"{m}.T" for m in self.memories)]
        chosen = options[self.choices.whole(len(options) - 1)]
        column = f"({chosen} @ {self.vector(depth)})" if chosen.endswith(".T") else f"({chosen})"
        wrap = _KEYS[self.choices.whole(len(_KEYS) - 1)]
        return wrap.format(column)

    def again(self, names: list[str], letter: str) -> str:
        """A name of the list once more, or a new one."""
        place = self.choices.whole(len(names))
        if place < len(names):
            return names[place]
        names.append(f"{letter}{len(names) + 1}")
        return names[-1]

    def matrix(self, kind: tuple[str, ...], letter: str) -> str:
        """A matrix of these sizes, new or used before."""
        return self.again(self.matrices.setdefault(kind, []), letter)


def _call(write: Writer, depth: int) -> str:
    argument = write.vector(depth)
    return f"{TAME[write.choices.whole(len(TAME) - 1)]}({argument})"


def _step(write: Writer, depth: int) -> str:
    """A step with one of the slopes that may be declared for it."""
    argument = write.vector(depth)
    return call_text(STEPS[write.choices.whole(len(STEPS) - 1)], f"{argument} - {NUMBERS[2]}")


def _choosy(write: Writer, depth: int) -> str:
    """A function of positive numbers, of one that is."""
    argument = write.vector(depth)
    name = CHOOSY[write.choices.whole(len(CHOOSY) - 1)]
    return f"{name}({('1.25 + tanh', '0.3 + softplus')[write.choices.whole(1)]}({argument}))"


def _pair(write: Writer, depth: int) -> str:
    """The larger or the smaller of two, or of one and a number."""
    one, names = write.vector(depth), tuple(PAIR_FUNCTIONS)
    other = write.vector(depth) if write.choices.whole(1) else NUMBERS[1]
    return f"{names[write.choices.whole(len(names) - 1)]}({one}, {other})"


def _reduced(write: Writer, depth: int) -> str:
    """A number made of one vector, or of two, times another; or a vector normalised."""
    one, row = write.vector(depth), REDUCED[write.choices.whole(len(REDUCED) - 1)]
    if row.takes_number:
        return f"{row.name}({one}, 0.3)"
    two = write.vector(depth)
    made = f"{row.name}({one}, {two})" if row.columns == 2 else f"{row.name}({one})"
    return f"({made} * {two})"


def _square(write: Writer, depth: int) -> str:
    vector = write.vector(depth)
    transposed = "" if write.choices.whole(1) else ".T"
    return f"({write.matrix(('n', 'n'), 'W')}{transposed} @ {vector})"


def _sum(write: Writer, depth: int) -> str:
    one, two = write.vector(depth), write.vector(depth)
    return f"({one} {'+-'[write.choices.whole(1)]} {two})"


def _hadamard(write: Writer, depth: int) -> str:
    return f"({write.vector(depth)} * {write.vector(depth)})"


def _number(write: Writer, depth: int) -> str:
    vector = write.vector(depth)
    number = NUMBERS[write.choices.whole(len(NUMBERS) - 1)]
    return f"({number} {'*+-'[write.choices.whole(2)]} {vector})"


def _scalar(write: Writer, depth: int) -> str:
    vector = write.vector(depth)
    return f"({write.again(write.scalars, 'g')} * {vector})"


def _quotient(write: Writer, depth: int) -> str:
    one, two = write.vector(depth), write.vector(depth)
    number = "2 + " if write.choices.whole(1) else ""
    return f"({one} / ({number}sigmoid({two})))"


def _whole(write: Writer, depth: int) -> str:
    vector, names = write.vector(depth), tuple(VECTOR_FUNCTIONS)
    chosen = write.choices.whole(len(names) - 1) if len(names) > 1 else 0
    return f"{names[chosen]}({vector})"


def _concat(write: Writer, depth: int) -> str:
    one, two = write.vector(depth), write.vector(depth)
    return f"({write.matrix(('n', 'n+n'), 'V')} @ concat({one}, {two}))"


def _skew(write: Writer, depth: int) -> str:
    vector, matrix = write.vector(depth), write.matrix(("n", "n"), "W")
    return f"(({matrix} - {matrix}.T) @ {vector})"


def _twice(write: Writer, depth: int) -> str:
    """A term once more, with a number or without: what a derivative has to add up."""
    term, number = write.vector(depth), write.choices.whole(len(NUMBERS))
    again = f"{NUMBERS[number - 1]} * {term}" if number else term
    return f"({term} {'+-'[write.choices.whole(1)]} {again})"


def _power(write: Writer, depth: int) -> str:
    """One factor twice."""
    factor = write.vector(depth)
    return f"({factor} * {factor})"


def _residual(write: Writer, depth: int) -> str:
    """What was there and a small change of it: a skip, an Euler step."""
    kept, change = write.leaf(), write.vector(depth)
    return f"({kept} + 0.1 * tanh({change}))"


def _heun(write: Writer, depth: int) -> str:
    """Half of what was there and half of what an Euler step makes of it."""
    kept, change = write.leaf(), write.vector(depth)
    return f"(0.5 * ({kept} + ({kept} + 0.1 * tanh({change}))))"


def _inner(write: Writer, depth: int) -> str:
    one, two = write.vector(depth), write.vector(depth)
    return f"(sigmoid({write.matrix(('n', '1'), 'p')}.T @ {one}) * {two})"


def _read(write: Writer, depth: int) -> str:
    """What a matrix state holds under a key; a square matrix times a vector where there is none."""
    if not write.memories:
        return _square(write, depth)
    memory = write.memories[write.choices.whole(len(write.memories) - 1)]
    return f"({memory} @ {write.key(depth)})"


def _kept(write: Writer, depth: int, before: str) -> str:
    """What is kept of a matrix state."""
    gate, key = write.vector(depth), write.key(depth)
    return (
        before,
        f"sigmoid(dot({gate}, {gate})) * {before}",
        f"{before} @ diag({key})",
        f"diag({gate}) @ {before}",
        f"tanh({before} @ {write.matrix(('k', 'k'), 'R')})",
        f"tanh({write.matrix(('n', 'n'), 'W')} @ {before})",
        f"sigmoid({before}) * {before}",
    )[write.choices.whole(6)]


def _memory(write: Writer, depth: int, name: str) -> str:
    """A matrix state anew: what is kept of it, in one way or several, and what is written."""
    before = f"{name}_prev"
    gate, value, under = write.vector(depth), write.vector(depth), write.key(depth)
    kept = " + ".join(_kept(write, depth, before) for _ in range(1 + write.choices.whole(2)))
    written = (
        f"outer({value}, {under})",
        f"outer({value} - {before} @ {under}, {under})",
        f"diag({value}) @ outer({gate}, {under})",
    )[write.choices.whole(2)]
    return f"{kept} {'+-'[write.choices.whole(1)]} {written}"


def _turned(write: Writer, one: str) -> str:
    """A pair of vectors turned by an angle."""
    return f"rotate({one}, {write.leaf()}, {write.leaf()})"


_KEYS: Final = ("{}", "tanh({})", "l2norm({}, 0.3)", "softmax({})")
_RULES: Final[tuple[Callable[[Writer, int], str], ...]] = (  # each after what it shrinks to
    _call, _square, _skew, _sum, _hadamard, _number, _scalar, _reduced, _quotient, _whole, _concat,
    _inner, _twice, _power, _residual, _heun, _pair, _choosy, _step, _call, _read, _read,
)  # fmt: skip


@dataclass(frozen=True)
class CellText:
    """The text of a cell and what it declares."""

    equations: str
    inputs: tuple[str, ...]
    scalars: tuple[str, ...]
    sizes: dict[str, str]
    outputs: tuple[str, ...] = ()
    matrices: tuple[str, ...] = ()


def cell_text(choices: Choices, depth: int) -> CellText:
    """One to three states of one size, each a squashed expression of all that comes before.

    Results that several lines share come between them, alone or as a turned pair, an output of a
    size of its own after them. One cell in two has a matrix state besides, which the others may
    read.
    """
    states = [f"s{number + 1}" for number in range(1 + choices.whole(2))]
    inputs = [f"x{number + 1}" for number in range(1 + choices.whole(1))]
    write = Writer(choices, [f"{state}_prev" for state in states], inputs)
    lines: list[list[str]] = []
    matrices = ("S",) * choices.whole(1)
    for memory in matrices:
        write.memories.append(f"{memory}_prev")
        lines.append([memory, _memory(write, min(depth - 1, 1), memory)])
        write.memories.append(memory)
    for state in states:
        kind = write.choices.whole(5)
        if kind > 3:
            result = f"u{len(lines) + 1}"
            lines.append([result, write.vector(depth - 1)])
            if kind == 5:
                lines[-1] = [f"{result}, v{result[1:]}", _turned(write, lines[-1][1])]
            write.known += lines[-1][0].split(", ")
        inner = write.vector(depth)
        line = inner if not choices.whole(1) else f"tanh({inner})"
        lines.append([state, line])
        write.known.append(state)
    for place, (names, _) in enumerate(lines):
        for name in names.split(", "):
            if name[0] in "uv" and all(name not in later for _, later in lines[place + 1 :]):
                lines[-1][1] += f" + {name}"
    text = "\n".join(" = ".join(line) for line in lines)
    first = [f"{state}_prev" for state in states if f"{state}_prev" not in text]
    first += [x for x in inputs if f" {x}" not in text]
    begin = next(line for line in lines if line[0] == states[0])
    begin[1] = " + ".join([begin[1], *first])
    text = "\n".join(" = ".join(line) for line in lines)
    outputs = ("y",) * (write.choices.whole(2) == 2)
    if outputs:
        line = f"{write.matrix(('q', 'n'), 'C')} @ {write.vector(depth - 1)}"
        text += f"\ny = {line if write.choices.whole(1) else f'tanh({line})'}"
    used = tuple(name for name in write.scalars if f"{name} " in text)
    declared = (*matrices, *(n for n in write.matrices.get(("k", "k"), ()) if f"@ {n})" in text))
    sizes = dict.fromkeys([*states, *matrices], "n")
    return CellText(text, tuple(inputs), used, sizes, outputs, declared)
