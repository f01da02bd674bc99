"""Every line that `bptt show` prints of a cell is read back, and true in numbers.

The reader (`reader.py`) knows nothing of the typesetting. The printed forward equations give the
symbols their values; every other line is compared with them, with the gradients of the emitted
code, or with Jacobians by small steps through the printed equations.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import assume, given, settings
from profiles import NIGHTLY

from derive import Cell, catalogue, differentiate
from derive.calculus.surrogates import surrogate_note
from derive.language.functions import FUNCTIONS as FUNCTION_TABLE
from derive.language.functions import slope_name
from numeric import compile_cell
from numeric.meaning.default_constants import default_constants
from numeric.meaning.sizes import shape_of, size_names
from numeric.strategies import cells
from reports.terminal.derivation import show_latex, show_text
from tests.derive.typeset.as_text import latex_lines, mathml_lines
from tests.derive.typeset.printed_names import BAR, CARRY, Known, join_name, split_name
from tests.derive.typeset.printed_values import AtKinkError, Eye, Map, UnreadableError, dense, sized
from tests.derive.typeset.reader import lines, read

Array = Any
STEPS: Final = 3
STEP: Final = 1e-5
FORWARD, ADJOINT, RECURSION = "Forward", "One step back", "Recursion through time"
GRADIENTS, JACOBIAN, CHAIN = "Gradients", "Step Jacobian", "Product chain"
PAIRS = "Gradients as sums over pairs of times"


def nfd(text: str) -> str:
    """Letters and marks apart."""
    return unicodedata.normalize("NFD", text)


FUNCTIONS: Final = {
    "tanh": np.tanh, "σ": lambda a: 1 / (1 + np.exp(-a)), "exp": np.exp, "log": np.log,
    "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "arctan": np.arctan, "abs": np.abs,
    "erf": np.vectorize(math.erf), "id": lambda a: a, "relu6": lambda a: np.clip(a, 0, 6),
    "lrelu": lambda a, c=0.01: np.where(a > 0, a, c * a), "htanh": lambda a: np.clip(a, -1, 1),
    "hsigm": lambda a: np.clip(a / 5 + 0.5, 0, 1),
    "stanh": lambda a, c=1.7159, b=2 / 3: c * np.tanh(b * a),
    "gelu": lambda a: a / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (a + 0.044715 * a**3))),
    "softplus": lambda a: np.log1p(np.exp(a)), "silu": lambda a: a / (1 + np.exp(-a)),
    "relu": lambda a: np.maximum(a, 0), "max": np.maximum, "min": np.minimum,
    "elu": lambda a, c=1: np.where(a > 0, a, c * (np.exp(a) - 1)),
    "softsign": lambda a: a / (1 + np.abs(a)),
    "step": lambda a: (a > 0).astype(float), "diag": lambda a: np.diag(np.ravel(a)),
    "vec": lambda a: np.reshape(a, (-1, 1)),
    "softmax": lambda a: np.exp(a) / np.exp(a).sum(axis=0),
    "ψ_straightthrough": np.ones_like, "ψ_arctan": lambda a, b=3: 1 / (1 + (b * a) ** 2),
    "ψ_rectangle": lambda a, c=1: (np.abs(a) < c / 2) / c,
    "ψ_triangle": lambda a, c=0.3: c * np.maximum(0, 1 - np.abs(a)),
    "ψ_sigmoid": lambda a, b=4: b / (4 * np.cosh(b * a / 2) ** 2),
    "ψ_fastsigmoid": lambda a, b=100: (1 + b * np.abs(a)) ** -2.0,
}  # fmt: skip


Lines = Callable[[Cell], Iterable[tuple[str, str, str, str]]]


def column(value: Any) -> Array:
    """A vector as a column, a number as a scalar."""
    value = np.asarray(value, dtype=float)
    return value if value.ndim == 2 else value.reshape((-1, 1))


def target(left: str, known: Known) -> tuple[str, int | None]:
    """The symbol and the time of a left side."""
    base, *parts = split_name(left)
    numbered = bool(parts) and parts[-1].isdigit() and parts[-1] != "0"
    time = known.time(parts[-1]) if parts and not numbered else None
    return join_name(base, parts if time is None else parts[:-1]), time


class Page:
    """What `bptt show` prints of a cell, with numbers for what it declares."""

    def __init__(self, cell: Cell, read_as: Lines | None = None, seed: int = 0) -> None:
        self.cell, self.text = cell, show_text(cell)
        rng = np.random.default_rng(seed)
        sizes = {name: 3 + k for k, name in enumerate(size_names(cell))}

        def moving(symbol: Any) -> tuple[int, ...]:
            return tuple(shape_of(symbol, sizes, moves=True))

        self.params = {s.name: 0.6 * rng.normal(size=shape_of(s, sizes)) for s in cell.parameters}
        self.inputs = {s.name: rng.normal(size=(STEPS, 1, *moving(s))) for s in cell.inputs}
        self.initial = {s.name: 0.5 * rng.normal(size=(1, *moving(s))) for s in cell.states}
        self.constants = default_constants(cell, {**sizes, "T": STEPS}, rng)
        self.loss = {s.name: rng.normal(size=(STEPS, 1, *moving(s))) for s in cell.returned}
        self.known = Known(functions=FUNCTIONS, partial=self.partial)
        self.printed: dict[str, str] = {}  # by the name in the cell
        self.runs: dict[tuple[str, int, bool], list[tuple[Known, Known]]] = {}
        self.declare(sizes)
        self.lines = list(read_as(cell) if read_as else lines(self.text))
        self.forward = [(left, right) for _, left, right in self.of(FORWARD)]
        stack = [(left, right) for _, left, right in self.of(CHAIN)
                 if not left.startswith(("∂", "J"))]  # fmt: skip
        self.whole, self.stack = stack[0] if stack else ("", "")
        self.whole = self.whole and split_name(self.whole)[0]
        self.compute(self.known)
        if self.whole:
            self.known.timed[self.whole] = {
                t: read(self.stack, self.known.at(t=t, T=STEPS)) for t in range(STEPS + 1)
            }
            total = [self.known.timed["∂L/∂" + self.printed[s.name]] for s in cell.states]
            self.known.timed["∂L/∂" + self.whole] = {
                t: np.concatenate([np.reshape(g[t], (-1, 1)) for g in total])
                for t in range(1, STEPS + 1)}  # fmt: skip
        self.assigned = {target(left, self.known.at(t=1, T=STEPS))[0] for left, _ in self.forward}
        self.surrogate = bool(surrogate_note(cell))

    def of(self, section: str) -> list[tuple[str, str, str]]:
        """(number, left side, right side) of the lines of a section."""
        return [(number, left, right) for title, number, left, right in self.lines
                if title == section]  # fmt: skip

    def declare(self, sizes: Any) -> None:
        """Each symbol of the list of shapes, and what its space says of the sizes."""
        cell, known = self.cell, self.known
        roles = {"inputs": cell.inputs, "states": cell.states, "outputs": cell.outputs,
                 "parameters": cell.parameters, "constants": cell.constants}  # fmt: skip
        for role, listed in re.findall(r"^  (\w+) +(.*∈.*)$", self.text, flags=re.MULTILINE):
            parts = nfd(listed).split(", ")
            assert len(parts) == len(roles[role]), listed
            for part, symbol in zip(parts, roles[role], strict=True):
                name, space = part.split(" ∈ ")
                base, *below = split_name(name)
                key = join_name(base, below)
                assert key not in self.printed.values(), f"{key} is printed of two symbols"
                self.printed[symbol.name] = key
                extents = space.removeprefix("ℝ").removeprefix("^").strip("{}").split("×")
                for letter, size in zip(extents, symbol.shape, strict=False):
                    if size.is_Symbol:
                        base, *below = split_name(letter)
                        known.sizes[join_name(base, below)] = sizes[str(size)]
        for name, value in {**self.params, **self.constants}.items():
            if name in cell.sequences:
                known.timed[self.printed[name]] = {t: column(v) for t, v in enumerate(value, 1)}
            else:
                known.still[self.printed[name]] = column(value)
        for name, value in self.inputs.items():
            known.timed[self.printed[name]] = {t: column(v[0]) for t, v in enumerate(value, 1)}
        for name, value in self.initial.items():
            known.timed[self.printed[name]] = {0: column(value[0])}
        for name, value in self.loss.items():
            known.timed["∂L/∂" + self.printed[name]] = {
                t: column(v[0]) for t, v in enumerate(value, 1)}  # fmt: skip

    # ---- forward ---------------------------------------------------------------------------

    def compute(
        self, known: Known, first: int = 1, changed: tuple[str, int] | None = None,
        change: Any = None,
    ) -> None:  # fmt: skip
        """The forward equations from a step on; one symbol changed where it gets its value."""
        for t in range(first, STEPS + 1):
            now = known.at(t=t, T=STEPS)
            for left, right in self.forward:
                name, time = target(left, now)
                value = dense(read(right, now))
                if changed == (name, time):
                    value = value + change.reshape(value.shape)
                known.put(name, time, value)

    def partial(self, of: str, a: int, by: str, b: int) -> Any:
        """∂u_a/∂v_b by small steps through the printed equations that come after v_b.

        A later u depends on v as on a state that the steps after b start from.
        """
        if (of, a) == (by, b):
            return np.eye(self.known.timed[by][b].size)
        names = [self.printed[s.name] for s in self.cell.states] if by == self.whole else [by]
        runs = [run for name in names for run in self.moved(name, b, later=a > b)]
        ends = [[self.read_at(known, of, a) for known in run] for run in runs]
        return np.stack([(up - down) / (2 * STEP) for up, down in ends], axis=1)

    def moved(self, name: str, time: int, *, later: bool) -> list[tuple[Known, Known]]:
        """What is computed where each entry of a symbol is larger, and smaller, by a step."""
        if (name, time, later) not in self.runs:
            held, made = self.known.timed[name][time], []
            for change in STEP * np.eye(held.size).reshape((-1, *held.shape)):
                pair = self.known.copy(), self.known.copy()
                for known, one in zip(pair, (change, -change), strict=True):
                    if later:
                        known.put(name, time, held + one)
                        self.compute(known, time + 1)
                    else:
                        self.compute(known, time, (name, time), one)
                made.append(pair)
            self.runs[name, time, later] = made
        return self.runs[name, time, later]

    def read_at(self, known: Known, name: str, time: int) -> Any:
        """The entries of a symbol, or of all states one below the other."""
        if name == self.whole:
            return np.ravel(read(self.stack, known.at(t=time, T=STEPS)))
        return np.ravel(known.timed[name][time])

    # ---- the lines ---------------------------------------------------------------------------

    @cached_property
    def gradients(self) -> dict[str, Array]:
        """What the emitted code computes, by the name of what it is a gradient of."""
        kernel = compile_cell(self.cell, "textbook")
        _, tape = kernel.forward(self.params, self.inputs, self.initial, self.constants or None)
        found = kernel.backward(self.params, tape, self.loss)
        made = {self.printed[n]: column(v) for n, v in found["params"].items()}
        made |= {self.printed[n]: {t: column(v[0]) for t, v in enumerate(g, 1)}
                 for n, g in found["inputs"].items()}  # fmt: skip
        return made | {self.printed[n]: {0: column(v[0])} for n, v in found["initial"].items()}

    def backward(self) -> None:
        """The adjoint equations from T to 1, and each carry where it is printed."""
        known = self.known
        arriving = [line for line in self.of(RECURSION) if CARRY in line[1]]
        last = [line for line in arriving if split_name(line[1])[-1].endswith("T")]
        for _, left, right in last:
            name, time = target(left, known.at(T=STEPS))
            held = known.timed[name.replace(CARRY, "")][0]
            assert right == "0"
            known.put(name, time, np.zeros_like(held))
        steps = [*self.of(ADJOINT), *(line for line in arriving if line not in last)]
        for t in range(STEPS, 0, -1):
            now = known.at(t=t, T=STEPS)
            for _, left, right in steps:
                name, time = target(left, now)
                held = known.timed[name.replace(BAR, "").replace(CARRY, "")]  # of the same shape
                known.put(name, time, sized(read(right, now), next(iter(held.values())).shape))
        for number, left, right in self.of(RECURSION):
            if CARRY not in left:
                for t in range(1, STEPS):
                    now = known.at(t=t, T=STEPS)
                    self.same(number, known.value_at(*target(left, now)), read(right, now))

    def same(self, number: str, expected: Any, found: Any) -> None:
        """The two sides of a line."""
        found = sized(found, np.shape(expected))
        assert np.shape(found) == np.shape(expected), f"({number}) of {self.cell.name}"
        scale = 1 + np.abs(expected).max(initial=0.0)
        assert np.abs(found - expected).max(initial=0.0) < 2e-6 * scale, (
            f"({number}) of {self.cell.name}\n{found}\n{expected}"
        )

    def check_gradients(self, section: str) -> None:
        """Gradients of parameters, of what is computed from them alone, inputs, initial states."""
        known = self.known
        for number, left, right in self.of(section):
            base, *below = split_name(left)
            name = join_name(base.replace(BAR, "", 1), below)
            if name in self.gradients and not isinstance(self.gradients[name], dict):
                value = read(right, known.at(T=STEPS))
                self.same(number, self.gradients[name], value)
                continue
            timed = join_name(base.replace(BAR, "", 1), below[:-1])
            if timed not in self.gradients:
                value = dense(read(right, known.at(T=STEPS)))
                if section == GRADIENTS:
                    known.put(join_name(base, below), None, value)
                else:
                    self.same(number, known.still[join_name(base, below)], value)
                continue
            for t, expected in self.gradients[timed].items():
                now = known.at(t=t, T=STEPS)
                assert target(left, now)[1] == t
                self.same(number, expected, read(right, now))

    def check_jacobians(self) -> None:
        """Each block of the step Jacobian, and the product chain."""
        known, blocks = self.known, {number for number, *_ in self.of(JACOBIAN)}
        for number, left, right in (*self.of(JACOBIAN), *self.of(CHAIN)):
            if left.startswith("J"):
                for t in range(1, STEPS + 1):
                    known.put("J", t, read(right, known.at(t=t, T=STEPS)))
            if not left.startswith("∂"):
                continue
            times = {"t": 1 if number in blocks else 2, "k": 0, "τ": 0}
            value = read(right, known.at(**times))
            expected = read(left, known.at(**times))
            value = value.matrix if isinstance(value, Map) else value
            self.same(number, expected, value)

    def check(self) -> None:
        """Every line."""
        self.backward()
        self.check_gradients(GRADIENTS)
        if not self.surrogate:  # of its Jacobians small steps through the equations know nothing
            self.check_jacobians()
            self.check_gradients(PAIRS)

    def same_lines(self, others: Iterable[tuple[str, str, str]]) -> None:
        """The lines in another notation: each side says what it says in text."""
        others = list(others)
        assert [number for number, *_ in others] == [number for _, number, *_ in self.lines]
        known = self.known.at(t=2, k=1, τ=1, T=STEPS)
        for (section, number, left, right), (_, *sides) in zip(self.lines, others, strict=True):
            other_left, other_right = map(nfd, sides)
            if section in {JACOBIAN, CHAIN, PAIRS} and self.surrogate:
                continue
            if left.startswith("∂"):
                self.same(number, read(left, known), read(other_left, known))
            else:
                assert target(left, known) == target(other_left, known)
            one, two = (read(side, known) for side in (right, other_right))
            if isinstance(one, Eye):
                one, two = one.times, two.times
            one, two = (v.matrix if isinstance(v, Map) else dense(v) for v in (one, two))
            self.same(number, one, two)


@pytest.mark.by_default(
    "rnn",
    "lstm",
    "gru",
    "mut1",
    "clockwork_rnn",
    "lif",
    "ltc",
    "delta_net",
    "mlstm",
)
@pytest.mark.parametrize("name", catalogue)
def test_every_line_of_a_cell_is_true_in_text_latex_and_mathml(name):
    cell = catalogue[name]
    page = Page(cell)
    page.check()
    page.same_lines(latex_lines(show_latex(cell)))
    page.same_lines(mathml_lines(differentiate(cell)._repr_html_()))


@pytest.mark.parametrize(
    "name", [row.name for row in FUNCTION_TABLE.values() if row.name not in {"log", "sqrt"}]
)
def test_every_function_is_read_by_its_printed_name(name):
    call = f"step(a, slope={slope_name(FUNCTION_TABLE[name])})" if name.startswith("step") else (
        f"{name}(a)"
    )  # fmt: skip
    equations = f"a = W @ h_prev + U @ x\nh = {call} + 0.5 * h_prev"
    Page(Cell.parse(name="one", equations=equations)).check()


@settings(max_examples=2000 if NIGHTLY else 5)
@given(cells())
def test_every_line_of_a_drawn_cell_is_true(cell):
    try:
        Page(cell).check()
    except AtKinkError:
        assume(False)


@pytest.mark.parametrize(
    ("number", "old", "new"),
    [
        ("15", "⊙ h_{t−1}", "⊙ h_t"), ("11", "h̃̄_t", "h̄_t"), ("18", "(1 − z_t)", "1 − z_t"),
        ("19", "r_{t+1}", "r_t"), ("20", "h_{t−1}ᵀ", "h_tᵀ"), ("24", "W̄_rx", "W̄_zx"),
        ("26", "_{t=1}", "_{t=2}"), ("29", "W_hxᵀ", "W_hx"),
        ("31", "h̃_t − h_{t−1}", "h_{t−1} − h̃_t"),
        ("32", "{j=t}^{k+1}", "{j=t}^{k}"), ("38", "_{k=1}^{t}", "_{k=2}^{t}"), ("12", "ᵀ", ""),
        ("10", " ⊙ ", " "), ("39", "u_{h̃,k}", "u_{h̃,t}"), ("13", "r̄_t", "r̄_{t−1}"),
    ],
)  # fmt: skip
def test_a_false_line_is_seen(number, old, new):
    seen = []

    def altered(cell: Cell) -> Iterable[tuple[str, str, str, str]]:
        for section, at, left, right in lines(show_text(cell)):
            if at == number:
                change = (nfd(side).replace(nfd(old), nfd(new)) for side in (left, right))
                seen.append((left, right) != (sides := tuple(change)))
                yield section, at, *sides
            else:
                yield section, at, left, right

    page = Page(catalogue["gru"], altered)
    assert seen == [True]
    with pytest.raises((AssertionError, UnreadableError, KeyError)):
        page.check()


def test_a_symbol_that_may_be_two_is_seen():
    known = Known(still={"q_z_0": 1.0}, timed={"q_z": {0: 2.0}}, times={"t": 0})
    with pytest.raises(UnreadableError, match="may be"):
        read("q_{z,0}", known)
