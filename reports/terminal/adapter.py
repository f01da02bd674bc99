"""The adapter of `bptt write-test --adapter`: a module of ten lines around a course's layer.

In: a cell, and the name of the module that the layer is in. Out: Python source in which a person
fills in how the layer is called. The parameters of gates are joined, as such layers have them.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from string import Template
from typing import Final

from derive.cell import Cell

_GATED: Final = re.compile(r"(?P<letter>[A-Za-z]+)_(?P<gate>[a-z])(?P<of>[a-z]*)")
_JOINED: Final = Template("""\
import $module, numpy as np  # fill in: your module, below its functions and how they are called
GATES, KINDS = "$gates", ($kinds)  # fill in: your order of the gates
def forward(params, inputs, initial=None, constants=None):  # (N, T, D) with --batch-first
    $names = (np.concatenate([params[k % g] for g in GATES]).T for k in KINDS)
    $state, tape = $module.$forward($call)
    return {"$state": $state}, tape  # leave out what your layer does not return, here and below
def backward(params, tape, cotangents):
    $gradients = $module.$backward(cotangents["$state"], tape)
    p = {k % g: a for k, d in zip(KINDS, ($parts)) for g, a in zip(GATES, np.split(d.T, $count))}
    return {"params": p, $rest}
""")
_PLAIN: Final = Template("""\
import $module  # fill in: your module, below its functions and how they are called
def forward(params, inputs, initial=None, constants=None):  # (N, T, D) with --batch-first
    $names = (params[name] for name in ($quoted))  # .T where you have x @ W
    $state, tape = $module.$forward($call)
    return {"$state": $state}, tape  # leave out what your layer does not return, here and below
def backward(params, tape, cotangents):
    $gradients = $module.$backward(cotangents["$state"], tape)
    return {"params": {$params}, $rest}
""")


_LISTED: Final = Template("""\
import $module  # fill in: your module, below its functions and how they are called
$order
def forward(params, inputs, initial=None, constants=None):  # (N, T, D) with --batch-first
    $state, tape = $module.$forward($call)
    return {"$state": $state}, tape  # leave out what your layer does not return, here and below
def backward(params, tape, cotangents):
    $gradients = $module.$backward(cotangents["$state"], tape)
    return {"params": dict(zip(params, dparams)), $rest}
""")
WIDTH: Final = 100  # of a line; parameters that take more are listed in a comment
SPELLED: Final = 24  # letters of a name that functions are called by; a longer one is left out


@dataclass(frozen=True)
class Joined:
    """Parameters that a layer holds as one array for all gates: "W_%sx" of the gates f, i, c, o."""

    kinds: tuple[str, ...]
    gates: str

    @property
    def names(self) -> list[str]:
        """What the joined arrays are called."""
        return [kind.replace("_%s", "") for kind in self.kinds]


def adapter(cell: Cell, module: str) -> str:
    """The source of the adapter."""
    joined = joined_of(cell)
    own = [symbol.name for symbol in cell.parameters]
    names = joined.names if joined else own
    inputs = [symbol.name for symbol in cell.inputs]
    state, handed = cell.states[-1].name, cell.returned[-1].name
    stem = f"{cell.name}_" if len(cell.name) <= SPELLED else ""
    words = {
        "module": module, "forward": f"{stem}forward", "backward": f"{stem}backward",
        "state": handed, "names": _tuple(names),
        "call": ", ".join([*(f'inputs["{x}"]' for x in inputs), f'initial["{state}"]', *names]),
        "gradients": ", ".join(f"d{n}" for n in (*inputs, f"{state}0", *names)),
        "rest": f'"inputs": {{{", ".join(f"{_quoted(x)}: d{x}" for x in inputs)}}}, '
                f'"initial": {{"{state}": d{state}0}}',
    }  # fmt: skip
    if joined is None:
        plain = _PLAIN.substitute(
            words, quoted=_tuple([*map(_quoted, own)]),
            params=", ".join(f"{_quoted(n)}: d{n}" for n in own),
        )  # fmt: skip
        if _widest(plain) <= WIDTH:
            return plain
        listed = _LISTED.substitute(_listed(words, cell, own))
        return listed if _widest(listed) <= WIDTH else _broken(listed)
    return _JOINED.substitute(
        words, gates=joined.gates, count=len(joined.gates),
        kinds=_tuple([*map(_quoted, joined.kinds)]),
        parts=_tuple([f"d{n}" for n in names]),
    )  # fmt: skip


def _widest(source: str) -> int:
    return max(map(len, source.splitlines()))


def _broken(source: str) -> str:
    """The last line, which returns the groups, on two."""
    return source.replace(', "inputs": {', ',\n            "inputs": {')


def _listed(words: dict[str, str], cell: Cell, own: list[str]) -> dict[str, str]:
    """The words of an adapter that passes parameters one after the other, in the cell's order."""
    inputs, state = [symbol.name for symbol in cell.inputs], cell.states[-1].name
    order = textwrap.wrap(f"params and dparams, in this order: {', '.join(own)}", WIDTH - 2)
    given = [*(f'inputs["{x}"]' for x in inputs)] if len(inputs) == 1 else ["*inputs.values()"]
    given += [f'initial["{state}"]', "*params.values()"]
    return {
        **words,
        "order": "\n".join(f"# {line}" for line in order),
        "call": ", ".join(given),
        "gradients": ", ".join([*(f"d{n}" for n in (*inputs, f"{state}0")), "*dparams"]),
    }


def joined_of(cell: Cell) -> Joined | None:
    """The parameters gate by gate, if every kind has the same gates, and two at least."""
    kinds: dict[str, list[str]] = {}
    for symbol in cell.parameters:
        found = _GATED.fullmatch(symbol.name)
        if found is None:
            return None
        kinds.setdefault(f"{found['letter']}_%s{found['of']}", []).append(found["gate"])
    gates = {tuple(sorted(found)) for found in kinds.values()}
    first = next(iter(kinds.values()), [])
    if len(gates) != 1 or len(first) < 2:
        return None
    order = sorted(kinds, key=lambda kind: (kind.startswith("b"), not kind.endswith("x"), kind))
    return Joined(tuple(order), "".join(first))


def _tuple(names: list[str]) -> str:
    return ", ".join(names) + ("," if len(names) == 1 else "")


def _quoted(name: str) -> str:
    return f'"{name}"'
