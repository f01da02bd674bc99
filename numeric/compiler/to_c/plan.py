"""The layout of tape and workspace as C: where each array begins, and how many bytes they take.

In: the arrays of both passes. Out: a struct of places, the function that fills it, which checks
every product for overflow, and the two functions of the header.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from numeric.compiler.program import BATCH, LENGTH
from numeric.compiler.to_c.interface import Interface, part_bytes
from numeric.compiler.to_c.memory import BACKWARD_ROWS, FORWARD_ROWS, Memory
from numeric.compiler.to_c.names import Sizes
from numeric.compiler.to_c.places import Places
from numeric.compiler.to_c.schedule import shape, step_dims

ROWS: Final = {"forward": FORWARD_ROWS, "backward": BACKWARD_ROWS}


def words_of(text: str) -> set[str]:
    """The identifiers in a text."""
    return set(re.findall(r"\w+", text))


def _room(memory: Memory, sizes: Sizes, whole: str) -> tuple[str, str]:
    """The rows of an array at one step, and the columns of each."""
    dims = step_dims(memory.program, whole)
    row = memory.row(whole, sizes)
    rows = sizes.count(shape(memory.program, whole)[0]) if len(dims) > 1 else "1"
    return rows, memory.padded(whole, sizes) if row == "0" else row


def plan_lines(
    interface: Interface,
    memory: Memory,
    writers: Mapping[str, Places],
    passes: Mapping[str, list[str]],
) -> list[str]:
    """Where each array of tape and workspace begins: one function, for sizes and for use."""
    first, prefix = writers["forward"], interface.prefix
    sizes, names = first.sizes, first.names
    length, batch = sizes.text(LENGTH), sizes.text(BATCH)
    takes: dict[str, list[tuple[str, str, str, str]]] = {
        "tape": [],
        "forward": [],
        "backward": [],
    }
    for whole, kind in memory.kept.items():
        rows, row = _room(memory, sizes, whole)
        lead = sizes.text(LENGTH) if memory.program.is_sequence(whole) else "1"
        for phase, lines in passes.items():
            if f"{names[whole]}_at" in words_of("\n".join(lines)):
                place = "tape" if kind == "tape" else phase
                entry = (
                    f"{place}_{names[whole]}",
                    f"places->{phase}_steps" if kind == "chunk" else lead, rows, row,
                )  # fmt: skip
                if entry not in takes[place]:
                    takes[place].append(entry)
    for phase, writer in writers.items():
        for name, (rows, row) in writer.arrays.items():
            lead, _, rest = rows.partition(" * ") if "_steps" in rows else ("1", "", rows)
            lead = f"places->{lead}" if lead != "1" else lead
            takes[phase].append((f"{phase}_{name}", lead, rest, row))
    across = f"ptrdiff_t {first.across}, " if first.across else ""
    members = [name for entries in takes.values() for name, *_ in entries]
    out = ["", "/* Where each array of tape and workspace begins, in numbers. */"]
    out += ["struct places {", "    ptrdiff_t forward_steps, backward_steps, tape, workspace;"]
    out += [f"    ptrdiff_t {name};" for name in members]
    body: list[str] = []
    for phase in ("forward", "backward"):
        body.append(
            f"places->{phase}_steps = {batch} > 0 && {batch} < {ROWS[phase]} "
            f"? {ROWS[phase]} / {batch} : 1;"
        )
        body.append(
            f"places->{phase}_steps = {length} > 0 ? least(places->{phase}_steps, {length}) : 1;"
        )
    for place, entries in takes.items():
        end = {"tape": "tape", "forward": "workspace", "backward": "end"}[place]
        body.append("end = 0;" if end == "end" else f"places->{end} = 0;")
        target = "&end" if end == "end" else f"&places->{end}"
        for name, lead, rows, row in entries:
            body.append(f"places->{name} = reserve({target}, {lead}, {rows}, {row});")
    body.append("if (end < 0 || places->workspace < 0 || places->tape < 0)")
    body.append("    return 0;")
    body.append("if (places->workspace < end)")
    body.append("    places->workspace = end;")
    body.append("return 1;")
    checks = [
        f"if (sizes->{c} < 0 || sizes->{c} > PTRDIFF_MAX / 65536)\n        return 0;"
        for c in sizes.names.values()
    ]
    text = "\n".join(body)
    locals_ = [
        f"const ptrdiff_t {c} = sizes->{c};"
        for c in sizes.names.values()
        if c in words_of(re.sub(r"->\w+", "", text))
    ]
    if across and first.across not in words_of(text):
        text = f"(void){first.across};\n{text}"
    out += [
        "};",
        f"static int plan(const {prefix}_sizes *sizes, {across}struct places *places)",
        "{",
        "    ptrdiff_t end;",
        *(f"    {line}" for line in (*checks, *locals_, *body)),
        "}",
    ]
    of_all = f"sizes->{batch}, " if across else ""
    for what, title in (("tape", "the tape"), ("workspace", "the workspace")):
        head = [
            f"/* The bytes of {title}; −1 where sizes are negative or too large. */",
            f"ptrdiff_t NAME({what}_bytes)(const {prefix}_sizes *sizes)",
        ]
        given = of_all
        if across and what == "workspace":
            head, given = part_bytes(interface), f"{first.across}, "
        out += [
            *head,
            "{",
            "    struct places places;",
            f"    if (!plan(sizes, {given}&places))",
            "        return -1;",
            f"    return (places.{what} + LANES) * (ptrdiff_t)sizeof(real);",
            "}",
        ]
    return out
