"""A main function for a C file: one small case with its answer, to be run without Python.

In: the source of a file, the arrays of a case, its exact results. Out: the source with a `main`
that is compiled where PREFIX_MAIN is defined. Where the answer comes from is the caller's affair.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from numeric.compiler.to_c.interface import INTEGERS, Interface, Slot, read

Groups = Mapping[str, Mapping[str, Any]]


def with_main(
    source: str, sizes: Mapping[str, int], given: Groups, want: Groups, allowed: Groups
) -> str:
    """The source with a self-test behind it.

    `given` and `want` hold arrays by the groups of the listing; the states given are the initial
    ones. What is given must be exact in float. `allowed` holds for each array of `want` how far
    rounding may move an entry, in float and in double.
    """
    interface = read(source)
    return source + "\n" + "\n".join(_lines(interface, sizes, given, want, allowed)) + "\n"


def _lines(
    interface: Interface, sizes: Mapping[str, int], given: Groups, want: Groups, allowed: Groups
) -> Iterator[str]:
    prefix = interface.prefix
    upper = prefix.upper()
    yield f"#ifdef {upper}_MAIN"
    yield f"/* A self-test: cc -D{upper}_MAIN FILE.c -lm, for double with -D{upper}_DOUBLE besides."
    yield "   The answers were computed with fifty digits. */"
    yield "#include <stdio.h>"
    yield ""
    held = [slot for slot in interface.slots if slot.key in given.get(slot.group, ())]
    asked = [slot for slot in interface.slots if slot.key in want.get(slot.group, ())]
    for slot in held:
        values, kind = given[slot.group][slot.key], "ptrdiff_t" if slot.mode == INTEGERS else "real"
        first = "first_" if slot.group == "states" else ""
        yield from _array(first + _name(slot), values, kind)
        if first:
            room = max(1, np.size(values) * (sizes["T"] + 1))
            yield f"static real {_name(slot)}[{room}];"
    for slot in asked:
        values = want[slot.group][slot.key]
        yield from _array(f"want_{_name(slot)}", values)
        if slot not in held:
            yield f"static real {_name(slot)}[{max(1, np.size(values))}];"
    yield from _COMPARE.replace("{prefix}", prefix).replace("{PREFIX}", upper).strip().split("\n")
    yield ""
    yield "int main(void)"
    yield "{"
    values = ", ".join(str(sizes[name]) for name, _ in interface.sizes)
    yield f"    const {prefix}_sizes sizes = {{{values}}};"
    yield "    NAME(arrays) given;"
    yield "    int wrong = 0;"
    yield "    memset(&given, 0, sizeof given);"
    for slot in (*held, *(slot for slot in asked if slot not in held)):
        yield f"    given.{slot.path} = {_name(slot)};"
    for slot in held:
        if slot.group == "states":
            size = np.size(given[slot.group][slot.key])
            place = f" + {sizes['T'] * size}" if slot.key in interface.late else ""
            yield (f"    memcpy({_name(slot)}{place}, first_{_name(slot)}, {size} * sizeof(real));")
    yield "    if (NAME(tape_bytes)(&sizes) > (ptrdiff_t)sizeof tape"
    yield "        || NAME(workspace_bytes)(&sizes) > (ptrdiff_t)sizeof workspace) {"
    yield f'        puts("{prefix}: define {upper}_MAIN_BYTES larger");'
    yield "        return 2;"
    yield "    }"
    yield "    NAME(forward)(&sizes, &given, tape, workspace);"
    yield "    NAME(backward)(&sizes, &given, tape, workspace);"
    for slot in asked:
        size = np.size(want[slot.group][slot.key])
        single, double = (_literal(limit) for limit in allowed[slot.group][slot.key])
        place = ""
        if slot.group == "states" and slot.key not in interface.late:  # the answer's rows are last
            rows = (sizes["T"] + 1) * np.size(given[slot.group][slot.key])
            place = f" + {rows - size}"
        yield (
            f'    wrong += compare("{slot.path}", {_name(slot)}{place}, '
            f"want_{_name(slot)}, {size}, {single}, {double});"
        )
    yield f'    puts(wrong ? "{prefix}: WRONG" : "{prefix}: right");'
    yield "    return wrong != 0;"
    yield "}"
    yield "#endif"


def _name(slot: Slot) -> str:
    return f"{slot.group.replace('.', '_')}_{slot.member}"


def _array(name: str, values: Any, kind: str = "real") -> Iterator[str]:
    """Numbers as C text, to the digits that tell a double from its neighbours."""
    flat = np.asarray(values).ravel()
    texts = [f"R({_literal(v)})" if kind == "real" else str(int(v)) for v in flat]
    yield f"static const {kind} {name}[{max(1, flat.size)}] = {{"
    for start in range(0, flat.size, 4):
        yield "    " + ", ".join(texts[start : start + 4]) + ","
    if not flat.size:
        yield "    0"
    yield "};"


def _literal(value: float) -> str:
    text = repr(float(value))
    return text if "." in text or "e" in text else f"{text}.0"


_COMPARE = """
#ifndef {PREFIX}_MAIN_BYTES
#define {PREFIX}_MAIN_BYTES 262144
#endif
static unsigned char tape[{PREFIX}_MAIN_BYTES], workspace[{PREFIX}_MAIN_BYTES];

/* 1, and a line, where an entry is further from its answer than rounding explains. */
static int compare(
    const char *name, const real *got, const real *want, int size, double single, double dual)
{
    const double limit = sizeof(real) == 4 ? single : dual;
    for (int i = 0; i < size; i++) {
        const double off = (double)got[i] - (double)want[i];
        if (!(off <= limit && -off <= limit)) {
            printf("%s, entry %d: got %.9g, want %.9g\\n", name, i, (double)got[i],
                   (double)want[i]);
            return 1;
        }
    }
    return 0;
}
"""
