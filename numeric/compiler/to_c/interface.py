"""The arrays of a C file: their struct in C, and the listing from which calls are made.

In: slots. Out: the C declarations with the listing as a comment; and from the source of a file
the slots again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

GIVEN: Final = frozenset({"params", "inputs", "constants", "cotangents"})  # only read
_TITLE: Final = "Arrays, in the order of the struct: group, name, member, sizes."


@dataclass(frozen=True)
class Slot:
    """One pointer of the struct; `given`: it is only read."""

    group: str
    key: str
    member: str
    dims: tuple[str, ...]
    given: bool


@dataclass(frozen=True)
class Interface:
    """What the names begin with, the sizes (name → member), and the pointers in order."""

    prefix: str
    sizes: tuple[tuple[str, str], ...]
    slots: tuple[Slot, ...]


def declarations(interface: Interface) -> str:
    """The struct types for the type of a file, below the listing."""
    lines = [f"/* {_TITLE}"]
    lines.append(" * sizes " + " ".join(f"{name}={member}" for name, member in interface.sizes))
    for slot in interface.slots:
        sizes = "; ".join(slot.dims)
        mode = "in" if slot.given else "out"
        lines.append(f" * {slot.group} {slot.key} {slot.member} {mode} ({sizes})")
    lines += [" */", *_sizes(interface), *_arrays(interface, "NAME(arrays)", "real")]
    return "\n".join(lines)


def _sizes(interface: Interface) -> Iterator[str]:
    members = ", ".join(member for _, member in interface.sizes)
    yield f"typedef struct {{ ptrdiff_t {members}; }} {interface.prefix}_sizes;"


def _arrays(interface: Interface, name: str, real: str) -> Iterator[str]:
    yield "typedef struct {"
    for group in ("params", "inputs", "constants", "states", "outputs", "cotangents"):
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
    yield f"{indent}struct {{"
    for slot in slots:
        const = "const " if slot.given else ""
        sizes = ", ".join(slot.dims)
        if group == "states":
            length, *rest = slot.dims
            sizes = (
                ", ".join([f"{length} + 1", *rest]) + "), the first row given: the initial state"
            )
        else:
            sizes += ")"
        yield f"{indent}    {const}{real} *{slot.member}; /* ({sizes} */"
    yield f"{indent}}} {name};"


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
        lines += [
            "",
            *_arrays(interface, f"{name}_arrays", real),
            "/* Bytes to hand over; −1 where sizes are negative or too large. */",
            f"ptrdiff_t {name}_tape_bytes(const {prefix}_sizes *sizes);",
            f"ptrdiff_t {name}_workspace_bytes(const {prefix}_sizes *sizes);",
            "/* The states of every step, and the tape that the backward pass needs. */",
            f"void {name}_forward(",
            f"    const {prefix}_sizes *sizes, const {name}_arrays *given, void *tape, "
            "void *workspace);",
            "/* The gradients of L, from cotangents[s][t] = ∂L/∂s_t at each step. */",
            f"void {name}_backward(",
            f"    const {prefix}_sizes *sizes, const {name}_arrays *given, const void *tape, "
            "void *workspace);",
        ]
    lines += ["", "#ifdef __cplusplus", "}", "#endif", "", f"#endif /* {guard} */", ""]
    return "\n".join(lines)


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
    for line in listing:
        words = line.lstrip(" *").split(" ", 1)
        if words[0] == "sizes":
            pairs = (pair.split("=") for pair in words[1].split())
            sizes = tuple((name, member) for name, member in pairs)
        elif found := re.fullmatch(r" \* (\S+) (\S+) (\w+) (in|out) \((.*)\)", line):
            group, key, member, mode, dims = found.groups()
            parts = tuple(d for d in dims.split("; ") if d)
            slots.append(Slot(group, key, member, parts, mode == "in"))
    return Interface(prefix.group(1), sizes, tuple(slots))
