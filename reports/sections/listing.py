"""Emitted modules → what a report shows of them: loops with the numbers of their equations.

In: the source of a module, or `Facts`. Out: text, or the section on the code of a cell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from derive.cell import Cell, catalogue
from derive.network import Network
from derive.typeset.boxes import row
from reports.document.model import Listing, Paragraph, Section, Words
from reports.sections.facts import Facts

_COMMENT: Final = re.compile(r"^\s*# \((\d+)\)")
_LAYER: Final = re.compile(r"(layer\d+(?:_reverse)?)_")
_ALLOCATED: Final = re.compile(r"= np\.(zeros|empty)(_like)?\(")
WIDEST: Final = 84
"""Numbers of equations stand in this column at the latest."""


def code(facts: Facts) -> Section | None:
    """The two loops of the emitted module, each line with its equation; use in five lines."""
    if not facts.listing:
        return None
    say = facts.say
    command = Words(f"bptt emit {facts.derivation.cell.name} --style textbook", "code")
    return Section("code", say.words("code.title"), (
        Paragraph(say.sentence("code.opening", command, row("W", "x"))),
        Listing(numbered_loops(facts.listing)),
        Paragraph(say.sentence("code.use")),
        Listing(usage(facts.derivation.cell, say.words)),
    ))  # fmt: skip


def numbered_loops(listing: str) -> str:
    """The loops over time, and what is computed once; behind each line its equation's number."""
    shown: list[str] = []
    inside = numbered = False
    for line in listing.split("\n"):
        starts = line.startswith("    for t in ")
        comment = bool(_COMMENT.match(line))
        left = comment and inside and not line.startswith("        ")
        shown += [""] if shown and (starts or left) else []
        inside = starts or (inside and line.startswith("        "))
        if inside or comment or numbered:
            shown.append(line[4:])
        numbered = comment and not inside
    return "\n".join(aligned(list(_numbered(shown))))


def network_loops(listing: str, words: Callable[[str], str]) -> str:
    """From the first loop of a network's module to its last; the repeated ones in one line.

    `words` gives what a comment says by its key.
    """
    lines = listing.split("\n")
    start = next(k for k, line in enumerate(lines) if line.startswith("    for t in "))
    end = next(k for k in range(start, len(lines)) if lines[k].startswith("    return "))
    shown: list[str] = []
    for block in _blocks(lines[start:end]):
        if not block[0].startswith("for t in "):
            shown += [line for line in block if not _ALLOCATED.search(line)]
            continue
        found = _LAYER.search("\n".join(block[1:]))
        name = found[1] if found else ""
        if name in {"layer0", "layer0_reverse"}:
            shown += ["", *block, ""]
        else:
            first, same = "layer0" + "_reverse" * name.endswith("_reverse"), words("code.same")
            shown += ["", f"{block[0]}  ...  # {same.format(name, first)}", ""]
    return "\n".join(aligned(list(_numbered(_spaced(shown)))))


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """Loops, and what stands between them."""
    block: list[str] = []
    inside = False
    for line in lines:
        starts, deeper = line.startswith("    for t in "), line.startswith("        ")
        if block and (starts or (inside and not deeper)):
            yield block
            block = []
        inside = starts or (inside and deeper)
        block.append(line[4:])
    yield block


def _spaced(lines: list[str]) -> list[str]:
    """One blank line where there are several; none at the ends."""
    made = [line for place, line in enumerate(lines) if line or (place and lines[place - 1])]
    while made and not made[0]:
        made.pop(0)
    while made and not made[-1]:
        made.pop()
    return made


def _numbered(lines: list[str]) -> Iterator[str]:
    """Lines of code, a comment (k) put behind the line that it stands above."""
    number = ""
    for line in lines:
        found = _COMMENT.match(line)
        if found:
            number = f"  # ({found[1]})"
        else:
            yield line + number
            number = ""


def aligned(lines: list[str]) -> list[str]:
    """The numbers of the equations in one column."""
    column = max((len(line.split("  # (")[0]) for line in lines), default=0)
    column = min(column, WIDEST)
    made = []
    for line in lines:
        code, mark, number = line.partition("  # (")
        made.append(f"{code:<{column}}  # ({number}" if mark else line)
    return made


def usage(cell: Cell, words: Callable[[str], str]) -> str:
    """How to use a cell's module, in five lines."""
    state = cell.returned[-1].name
    first = cell.parameters[0].name if cell.parameters else ""
    return "\n".join((
        *_given(cell, words),
        "from numeric import compile_cell",
        f'kernel = compile_cell({_name(cell)}, style="textbook")',
        "states, tape = kernel.forward(params, inputs)",
        f'gradients = kernel.backward(params, tape, {{"{state}": h_bars}})["params"]'
        + (f'  # gradients["{first}"], …' if first else ""),
    ))  # fmt: skip


def network_usage(network: Network, words: Callable[[str], str]) -> str:
    """How to use a network's module."""
    settings = [str(network.layers), *(["bidirectional=True"] * network.bidirectional)]
    settings += [f'readout="{network.readout}"', f'loss="{network.loss}"']
    settings += [f'loss_at="{network.loss_at}"']
    settings += ["embedding=True"] * network.embedding + ["dropout=True"] * network.dropout
    settings += ["final=True"] * network.final
    returned = ", ".join(["loss", "gradients", *["final"] * network.final])
    return "\n".join((
        *_given(network.cell, words),
        "from derive import Network",
        "from numeric import compile_network",
        f"network = Network({_name(network.cell)}, {', '.join(settings)})",
        'kernel = compile_network(network, style="textbook")',
        f"{returned} = kernel.loss_and_gradient(params, inputs, targets, lengths=lengths)",
        "outputs = kernel.predict(params, inputs, lengths=lengths)",
    ))  # fmt: skip


def _given(cell: Cell, words: Callable[[str], str]) -> tuple[str, ...]:
    known = cell.name in catalogue
    return ("from derive import catalogue" if known else f"# {words('code.cell')}",)


def _name(cell: Cell) -> str:
    return f'catalogue["{cell.name}"]' if cell.name in catalogue else "cell"
