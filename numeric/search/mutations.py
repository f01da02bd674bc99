"""Changes of a cell's equations that give another cell, drawn from a generator.

In: a cell. Out: a cell and what was done, in words. A change exchanges a function or two operands,
puts a gate in or takes one out, adds a path from a state, ties two parameters or unties one. Each
works on the text's syntax tree; whatever the notation then refuses is drawn again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from derive.cell import Cell
from derive.language.syntax import (
    PREVIOUS,
    Assignment,
    CellError,
    Node,
    parse,
    states_of,
)
from derive.language.written import written
from derive.saying import Said, said

FUNCTIONS: Final = ("tanh", "sigmoid", "relu", "softplus", "sin", "identity", "softsign")
_TRIES: Final = 60
_MOST: Final = 40  # operations in a cell
_ONE = Node("number", "1", (), 0, 0)


@dataclass(frozen=True)
class Mutant:
    """A changed cell, and what was done."""

    cell: Cell
    what: str


@dataclass
class _Draft:
    """The equations in the making, and where the choices come from."""

    lines: list[Assignment]
    rng: np.random.Generator
    inputs: tuple[str, ...]

    def places(self, *kinds: str) -> list[tuple[int, Node]]:
        """Each node of these kinds, with the number of its line."""
        return [(k, node) for k, line in enumerate(self.lines)
                for node in line.value.walk() if node.kind in kinds]  # fmt: skip

    def chosen(self, places: list[tuple[int, Node]]) -> tuple[int, Node] | None:
        """One of them; None of none."""
        return places[int(self.rng.integers(len(places)))] if places else None

    def pick(self, names: tuple[str, ...] | list[str]) -> str:
        """One of the names."""
        return names[int(self.rng.integers(len(names)))]

    def put(self, line: int, old: Node, new: Node) -> None:
        """Exchange a node, by identity."""
        at = self.lines[line]
        self.lines[line] = replace(at, value=_exchanged(at.value, old, new))

    def fresh(self, letter: str) -> str:
        """A name that is not used."""
        used = {node.value for line in self.lines for node in (line.target, *line.value.walk())}
        return next(f"{letter}{k}" for k in range(1, 1000) if f"{letter}{k}" not in used)

    def gate(self) -> Node:
        """σ(W s_prev + U x + b), of new parameters."""
        state = self.pick([f"{name}{PREVIOUS}" for name in states_of(tuple(self.lines))])
        inner = _sum(_product(self.fresh("W"), state), _product(self.fresh("U"), self.inputs[0]))
        return _call("sigmoid", _sum(inner, _name(self.fresh("b"))))


def _name(text: str) -> Node:
    return Node("name", text, (), 0, 0)


def _call(function: str, argument: Node) -> Node:
    return Node("call", function, (argument,), 0, 0)


def _join(operator: str, left: Node, right: Node) -> Node:
    return Node(operator, operator, (left, right), 0, 0)


def _sum(left: Node, right: Node) -> Node:
    return _join("+", left, right)


def _product(matrix: str, vector: str) -> Node:
    return _join("@", _name(matrix), _name(vector))


def _exchanged(node: Node, old: Node, new: Node) -> Node:
    if node is old:
        return new
    return replace(node, children=tuple(_exchanged(child, old, new) for child in node.children))


# ---- changes -------------------------------------------------------------------------------------


def _another_function(draft: _Draft) -> Said | None:
    calls = [(k, n) for k, n in draft.places("call") if len(n.children) == 1]
    if (found := draft.chosen(calls)) is None:
        return None
    line, node = found
    other = draft.pick([name for name in FUNCTIONS if name != node.value])
    draft.put(line, node, _call(other, node.children[0]))
    return said("{0} to {1}", node.value, other)


def _operands(draft: _Draft) -> Said | None:
    """Two vectors of the cell change places."""
    leaves = [(k, n) for k, n in draft.places("name") if not _left_of_product(draft.lines[k], n)]
    one, two = draft.chosen(leaves), draft.chosen(leaves)
    if one is None or two is None or one[1].value == two[1].value:
        return None
    draft.put(one[0], one[1], _name(two[1].value))
    draft.put(two[0], two[1], _name(one[1].value))
    return said("{0} and {1} exchanged", one[1].value, two[1].value)


def _left_of_product(line: Assignment, node: Node) -> bool:
    return any(other.kind == "@" and any(part is node for part in other.children[0].walk())
               for other in line.value.walk())  # fmt: skip


def _gated(draft: _Draft) -> Said | None:
    """A term is multiplied by a new gate."""
    found = draft.chosen(draft.places("@", "call", "*"))
    if found is None:
        return None
    line, node = found
    draft.put(line, node, _join("*", draft.gate(), node))
    return said("a gate put in")


def _halved(draft: _Draft, kind: str) -> bool:
    """Whether there is an operation of two of that kind; one of its two is left."""
    found = draft.chosen(draft.places(kind))
    if found is not None:
        line, node = found
        draft.put(line, node, node.children[int(draft.rng.integers(2))])
    return found is not None


def _ungated(draft: _Draft) -> Said | None:
    """A product of vectors loses a factor."""
    return said("a factor taken out") if _halved(draft, "*") else None


def _shorter(draft: _Draft) -> Said | None:
    """A sum loses a term."""
    return said("a term taken out") if _halved(draft, "+") else None


def _another_path(draft: _Draft) -> Said | None:
    """A weighted state, or a bare one, joins a sum."""
    line = int(draft.rng.integers(len(draft.lines)))
    state = f"{draft.pick(list(states_of(tuple(draft.lines))))}{PREVIOUS}"
    calls = [(k, n) for k, n in draft.places("call") if k == line and len(n.children) == 1]
    bare = draft.rng.random() < 0.3
    term = _name(state) if bare else _product(draft.fresh("W"), state)
    target = draft.chosen(calls)
    if target is None:
        value = draft.lines[line].value
        draft.put(line, value, _sum(value, term))
    else:
        _, node = target
        draft.put(line, node, _call(node.value, _sum(node.children[0], term)))
    return said("a path from {0} added", state)


def _kept(draft: _Draft) -> Said | None:
    """A state becomes a weighted mean of itself and of what it was."""
    states = states_of(tuple(draft.lines))
    lines = [k for k, line in enumerate(draft.lines) if line.target.value in states]
    line = lines[int(draft.rng.integers(len(lines)))]
    name, gate = draft.fresh("g"), draft.gate()
    at = draft.lines[line]
    old = _name(at.target.value + PREVIOUS)
    rest = _join("*", _join("-", _ONE, _name(name)), old)
    draft.lines[line] = replace(at, value=_sum(_join("*", _name(name), at.value), rest))
    draft.lines.insert(line, Assignment(_name(name), gate))
    return said("{0} made a weighted mean with its earlier value", at.target.value)


def _tied(draft: _Draft) -> Said | None:
    """Two matrices become one."""
    names = [n.children[0] for _, n in draft.places("@") if n.children[0].kind == "name"]
    if len({n.value for n in names}) < 2:
        return None
    kept = draft.pick(sorted({n.value for n in names}))
    lost = draft.pick(sorted({n.value for n in names} - {kept}))
    for k, node in draft.places("name"):
        if node.value == lost:
            draft.put(k, node, _name(kept))
    return said("{0} tied to {1}", lost, kept)


def _untied(draft: _Draft) -> Said | None:
    """One use of a parameter gets a parameter of its own."""
    found = draft.chosen([(k, n) for k, n in draft.places("@") if n.children[0].kind == "name"])
    if found is None:
        return None
    line, node = found
    old = node.children[0].value
    if sum(n.value == old for _, n in draft.places("name")) < 2:
        return None
    draft.put(line, node, _join("@", _name(draft.fresh("W")), node.children[1]))
    return said("a use of {0} untied", old)


_AND: Final = "; "
_WORDS: Final = (
    "a gate put in", "a factor taken out", "a term taken out", "a path from {0} added",
    "a use of {0} untied", "{0} made a weighted mean with its earlier value",
    "{0} and {1} exchanged", "{0} tied to {1}", "{0} to {1}",
)  # fmt: skip


def retold(what: str) -> tuple[str, ...]:
    """What was done, change by change, so that another language can say it."""
    return tuple(map(_retold, what.split(_AND)))


def _retold(change: str) -> str:
    for words in _WORDS:
        pattern = re.escape(words).replace(r"\{0\}", r"(\w+)").replace(r"\{1\}", r"(\w+)")
        if found := re.fullmatch(pattern, change):
            return said(words, *found.groups())
    return change


CHANGES: Final[tuple[Callable[[_Draft], Said | None], ...]] = (
    _another_function, _operands, _gated, _ungated, _shorter, _another_path, _kept, _tied, _untied,
)  # fmt: skip


def mutate(cell: Cell, rng: np.random.Generator, name: str, most: int = 3) -> Mutant:
    """A valid cell of one to `most` changes.

    Raises:
        CellError: if no valid one was found in many tries.
    """
    inputs = tuple(symbol.name for symbol in cell.inputs)
    for _ in range(_TRIES):
        draft = _Draft([*parse(cell.text)], rng, inputs)
        done = [*_changed(draft, 1 + int(rng.integers(most)))]
        if not done:
            continue
        text = "\n".join(f"{line.target.value} = {written(line.value)}" for line in draft.lines)
        try:
            made = Cell.parse(name=name, equations=text, inputs=inputs)
        except CellError:
            continue
        if _whole(cell, made, draft.lines):
            return Mutant(made, _AND.join(done))
    raise CellError(f"no valid mutation of {cell.name} in {_TRIES} tries", cell=name)


def _changed(draft: _Draft, count: int) -> Iterator[Said]:
    for _ in range(count):
        if not states_of(tuple(draft.lines)):  # the notation will refuse it
            return
        change = CHANGES[int(draft.rng.integers(len(CHANGES)))]
        if (what := change(draft)) is not None:
            yield what


def _whole(before: Cell, after: Cell, lines: list[Assignment]) -> bool:
    """The same states, of one size that is no input's; inputs read; nothing idle; not too long."""
    states = [state.name for state in before.states]
    if [state.name for state in after.states] != states or len(after.inputs) != len(before.inputs):
        return False
    sizes = {state.shape[0] for state in after.states}
    if len(sizes) != 1 or not sizes.isdisjoint(x.shape[0] for x in after.inputs):
        return False
    read = {n.value.removesuffix(PREVIOUS) for line in lines for n in line.value.walk()
            if n.kind == "name"}  # fmt: skip
    idle = [line.target.value for line in lines if line.target.value not in read | {*states}]
    count = sum(node.kind not in {"name", "number"} for line in lines for node in line.value.walk())
    return not idle and count <= _MOST
