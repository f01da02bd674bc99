"""The arrays of a C file: their struct in C, and the listing from which calls are made.

In: slots. Out: the C declarations with the listing as a comment; and from the source of a file
the slots again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from numeric.compiler.final_states import FINAL_COTANGENTS
from numeric.compiler.to_c.names import wrapped

GIVEN: Final = frozenset({
    "params", "inputs", "constants", "targets", "lengths", "cotangents", FINAL_COTANGENTS,
})  # fmt: skip
IN, OUT, INTEGERS = "in", "out", "integers"  # only read, written, only read and integers
_ALONE: Final = frozenset({"targets", "lengths", "loss"})  # groups of one array: no struct
ACROSS: Final = "across"  # what a C file calls the samples of a step, of which a part is some
_TITLE: Final = "Arrays, in the order of the struct: group, name, member, sizes."


@dataclass(frozen=True)
class Slot:
    """One pointer of the struct; `mode`: only read, written, or integers."""

    group: str
    key: str
    member: str
    dims: tuple[str, ...]
    mode: str

    @property
    def path(self) -> str:
        """Where in the struct it is."""
        return self.member if self.group in _ALONE else f"{self.group}.{self.member}"


@dataclass(frozen=True)
class Interface:
    """What the names begin with, the sizes (name → member), and the pointers in order.

    `late` holds the states that run from T to 1: the initial one is their last row. `in_parts`:
    whether there are passes of some of the samples, where they stand among the others.
    """

    prefix: str
    sizes: tuple[tuple[str, str], ...]
    slots: tuple[Slot, ...]
    late: frozenset[str] = frozenset()
    in_parts: bool = False

    @property
    def is_network(self) -> bool:
        """Whether it is the interface of a network: the file knows the loss."""
        return any(slot.group == LOSS for slot in self.slots)

    @property
    def returns_final(self) -> bool:
        """Whether a network's final states are results, with cotangents of their own."""
        return any(slot.group == FINAL_COTANGENTS for slot in self.slots)


def declarations(interface: Interface) -> str:
    """The struct types for the type of a file, below the listing."""
    lines = [f"/* {_TITLE}"]
    lines.append(" * sizes " + " ".join(f"{name}={member}" for name, member in interface.sizes))
    for slot in interface.slots:
        sizes = "; ".join(slot.dims)
        turned = " from T to 1" if slot.group == "states" and slot.key in interface.late else ""
        lines.append(f" * {slot.group} {slot.key} {slot.member} {slot.mode} ({sizes}){turned}")
    lines += [" */", *_sizes(interface), *_arrays(interface, "NAME(arrays)", "real")]
    return "\n".join(lines)


GROUPS: Final = (
    "params", "inputs", "constants", "targets", "lengths", "states", "outputs", "cotangents",
    FINAL_COTANGENTS, "loss",
)  # fmt: skip
LOSS: Final = "loss"


def opening(
    interface: Interface, phase: str, part: bool = False, name: str = "NAME({})"
) -> list[str]:
    """The first lines of a pass, of all samples or of a part of them, with what it does."""
    first = "L, the states" if interface.is_network else "The states"
    last = "" if interface.is_network else ", from cotangents[s][t] = ∂L/∂s_t at each step"
    if interface.returns_final:
        last = f" + Σ⟨c, final state⟩, the c in {FINAL_COTANGENTS}"
    title = {
        "forward": f"/* {first} of every step, and the tape that the backward pass needs. */",
        "backward": f"/* The gradients of L{last}. */",
    }[phase]
    const = "const " if phase == "backward" else ""
    return [
        f"/* `{phase}` for B of `{ACROSS}` samples; pointers are to the first of the B. */"
        if part else title,
        f"void {name.format(f'{phase}_part' if part else phase)}(",
        f"    const {interface.prefix}_sizes *sizes, " + f"ptrdiff_t {ACROSS}, " * part
        + f"const {name.format('arrays')} *given, {const}void *tape, void *workspace)",
    ]  # fmt: skip


def part_bytes(interface: Interface, name: str = "NAME({})") -> list[str]:
    """The first lines of the function that tells what workspace a part of the samples needs."""
    return [
        "/* Bytes of workspace for a part of the samples. */",
        f"ptrdiff_t {name.format('workspace_part')}(",
        f"    const {interface.prefix}_sizes *sizes, ptrdiff_t {ACROSS})",
    ]


def _sizes(interface: Interface) -> Iterator[str]:
    members = ", ".join(member for _, member in interface.sizes)
    yield f"typedef struct {{ ptrdiff_t {members}; }} {interface.prefix}_sizes;"


def _arrays(interface: Interface, name: str, real: str) -> Iterator[str]:
    yield "typedef struct {"
    for group in GROUPS:
        yield from _members(interface, group, real, "    ", group)
    yield "    struct {"
    for group in ("params", "inputs", "initial"):
        yield from _members(interface, f"gradients.{group}", real, "        ", group)
    yield "    } gradients;"
    yield f"}} {name};"


def _members(interface: Interface, group: str, real: str, indent: str, name: str) -> Iterator[str]:
    slots = [slot for slot in interface.slots if slot.group == group]
    if not slots:
        return
    alone = group in _ALONE
    if not alone:
        yield f"{indent}struct {{"
    inner = indent if alone else f"{indent}    "
    for slot in slots:
        const = "" if slot.mode == OUT else "const "
        kind = "ptrdiff_t" if slot.mode == INTEGERS else real
        yield f"{inner}{const}{kind} *{slot.member}; /* {_said(interface, slot)} */"
    if not alone:
        yield f"{indent}}} {name};"


def _said(interface: Interface, slot: Slot) -> str:
    """What the struct says of an array."""
    sizes = ", ".join(slot.dims)
    if slot.group == "states":
        length, *rest = slot.dims
        place = "last" if slot.key in interface.late else "first"
        sizes = ", ".join([f"{length} + 1", *rest])
        last = ""
        if interface.returns_final:
            last = f"; the {'first' if slot.key in interface.late else 'last'} is the final state"
        return f"({sizes}), the {place} row given: the initial state{last}"
    if slot.group == FINAL_COTANGENTS:
        return f"({sizes}); NULL: zero"
    if slot.group == "lengths":
        return f"({sizes}), the steps of each sample; NULL: T for all"
    return f"({sizes})" if slot.dims else "one number"


def header_text(source: str) -> str:
    """The header that belongs to a file.

    Raises:
        ValueError: if the source has no listing.
    """
    interface = read(source)
    prefix = interface.prefix
    guard = f"{prefix.upper()}_H"
    about = source[: source.index("*/") + 2]
    lines = [about, "", f"#ifndef {guard}", f"#define {guard}", "", "#include <stddef.h>", ""]
    lines += ["#ifdef __cplusplus", 'extern "C" {', "#endif", "", *_sizes(interface)]
    for kind, real in (("f4", "float"), ("f8", "double")):
        name = f"{prefix}_{kind}"
        called = name + "_{}"
        lines += [
            "",
            *_arrays(interface, f"{name}_arrays", real),
            "/* Bytes to hand over; −1 where sizes are negative or too large. */",
            f"ptrdiff_t {name}_tape_bytes(const {prefix}_sizes *sizes);",
            f"ptrdiff_t {name}_workspace_bytes(const {prefix}_sizes *sizes);",
            *_declared(opening(interface, "forward", name=called)),
            *_declared(opening(interface, "backward", name=called)),
        ]
        if interface.in_parts:
            lines += _declared(part_bytes(interface, called))
            for phase in ("forward", "backward"):
                lines += _declared(opening(interface, phase, part=True, name=called))
    lines += ["", "#ifdef __cplusplus", "}", "#endif", "", f"#endif /* {guard} */", ""]
    return "\n".join(lines)


def _declared(lines: list[str]) -> list[str]:
    return [part for line in (*lines[:-1], f"{lines[-1]};") for part in wrapped(line)]


def read(source: str) -> Interface:
    """The interface that a file lists.

    Raises:
        ValueError: if there is none.
    """
    prefix = re.search(r"#define NAME\(x\) (\w+)_f4_##x", source)
    start = source.find(_TITLE)
    if prefix is None or start < 0:
        raise ValueError("C source: expected the listing of its arrays, came none")
    listing = source[start : source.index("*/", start)].split("\n")[1:]
    sizes: tuple[tuple[str, str], ...] = ()
    slots = []
    late: set[str] = set()
    for line in listing:
        words = line.lstrip(" *").split(" ", 1)
        if words[0] == "sizes":
            pairs = (pair.split("=") for pair in words[1].split())
            sizes = tuple((name, member) for name, member in pairs)
        elif found := _LISTED.fullmatch(line):
            group, key, member, mode, dims, turned = found.groups()
            parts = tuple(d for d in dims.split("; ") if d)
            slots.append(Slot(group, key, member, parts, mode))
            late |= {key} if turned else set()
    in_parts = "NAME(forward_part)(" in source
    return Interface(prefix.group(1), sizes, tuple(slots), frozenset(late), in_parts)


_LISTED: Final = re.compile(r" \* (\S+) (\S+) (\w+) (in|out|integers) \((.*?)\)( from T to 1)?")
