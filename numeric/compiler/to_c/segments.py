"""Passes of a C file over segments of time: text around the passes over all of it.

In: the functions of a file and its interface. Out: the same as functions of one segment, and the
functions of the header over them. What a segment needs stands in the workspace; the tape is empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from numeric.compiler.segments import Segments
from numeric.compiler.to_c.interface import ACROSS, Interface, Slot, opening, part_bytes

PLAN: Final = "static int segment_plan("  # a file that has it saves memory
RENAMED: Final = ("tape_bytes", "workspace_part", "forward_part", "backward_part")


def segmented(functions: str, interface: Interface, segments: Segments) -> str:
    """The functions of a file, in segments."""
    for name in RENAMED:
        for kind in ("void", "ptrdiff_t"):
            functions = functions.replace(
                f"\n{kind} NAME({name})(", f"\nstatic {kind} segment_{name}("
            )
    return functions + "\n".join(["", *_Driver(interface, segments).lines(), ""])


class _Driver:
    def __init__(self, interface: Interface, segments: Segments) -> None:
        self.interface, self.segments = interface, segments
        self.sizes: Mapping[str, str] = dict(interface.sizes)
        groups: dict[str, list[Slot]] = {}
        for slot in interface.slots:
            groups.setdefault(slot.group, []).append(slot)
        self.states = groups["states"]
        self.params = groups.get("gradients.params", [])
        self.bars = {slot.key: slot for slot in groups["cotangents"]}

    def count(self, dims: tuple[str, ...], batch: str = "") -> str:
        """How many numbers an array of these sizes has; `batch`: what stands for B."""
        factors = []
        for size in dims:
            terms = [
                "1" if part == "1" else (part == "B" and batch) or f"sizes->{self.sizes[part]}"
                for part in size.split("+")
            ]
            factors.append(terms[0] if len(terms) == 1 else f"({' + '.join(terms)})")
        return " * ".join(factors) or "1"

    def lines(self) -> Iterator[str]:
        prefix, length = self.interface.prefix, self.sizes["T"]
        numbers = [f"carry_{s.member}" for s in self.states]
        numbers += [f"bars_{s.member}" for s in self.states]
        numbers += [f"sum_{s.member}" for s in self.params]
        yield "/* Where in the workspace is what a segment of time needs. */"
        yield f"struct segment {{ {prefix}_sizes sizes; ptrdiff_t steps, tape, room, end;"
        yield f"    ptrdiff_t {', '.join(numbers)}; }};"
        yield f"{PLAN}const {prefix}_sizes *sizes, ptrdiff_t {ACROSS}, struct segment *p)"
        yield "{"
        yield f"    if (sizes->{length} < 0 || sizes->{length} > PTRDIFF_MAX / 65536)"
        yield "        return 0;"
        if self.segments.steps:
            yield f"    p->steps = {self.segments.steps};"
        else:
            yield "    p->steps = 1; /* the root of T */"
            yield f"    while (p->steps < sizes->{length} / p->steps)"
            yield "        p->steps++;"
        yield "    p->sizes = *sizes;"
        yield f"    p->sizes.{length} = least(p->steps, sizes->{length});"
        yield "    const ptrdiff_t tape = segment_tape_bytes(&p->sizes);"
        yield "    const ptrdiff_t room = segment_workspace_part(&p->sizes, across);"
        yield "    if (tape < 0 || room < 0)"
        yield "        return 0;"
        yield "    p->end = 0;"
        yield "    p->tape = reserve(&p->end, 1, 1, tape / (ptrdiff_t)sizeof(real));"
        yield "    p->room = reserve(&p->end, 1, 1, room / (ptrdiff_t)sizeof(real));"
        for slot in self.states:
            row = self.count(slot.dims[1:])
            yield f"    p->carry_{slot.member} = reserve(&p->end, 1, 1, {row});"
            wide = self.count(slot.dims[1:], ACROSS)
            yield f"    p->bars_{slot.member} = reserve(&p->end, 1, p->sizes.{length}, {wide});"
        for slot in self.params:
            yield f"    p->sum_{slot.member} = reserve(&p->end, 1, 1, {self.count(slot.dims)});"
        yield "    return p->end >= 0;"
        yield "}"
        plan, all_of = "segment_plan(sizes, {}, &p) ? {} : -1;", f"sizes->{self.sizes['B']}"
        room = "(p.end + LANES) * (ptrdiff_t)sizeof(real)"
        for head, answer in (
            ([f"ptrdiff_t NAME(tape_bytes)(const {prefix}_sizes *sizes)"],
             plan.format(all_of, "(ptrdiff_t)sizeof(real)")),
            (part_bytes(self.interface), plan.format(ACROSS, room)),
        ):  # fmt: skip
            yield from head
            yield "{"
            yield "    struct segment p;"
            yield f"    return {answer}"
            yield "}"
        yield "/* The arrays from step t on. */"
        yield (
            f"static void segment_arrays(const {prefix}_sizes *sizes, ptrdiff_t {ACROSS}, "
            "const NAME(arrays) *given, NAME(arrays) *part, ptrdiff_t t)"
        )
        yield "{"
        for slot in self.interface.slots:
            if slot.dims[:1] == ("T",):
                moved = f"given->{slot.path} + t * {self.count(slot.dims[1:], ACROSS)}"
                moved = f"given->{slot.path} ? {moved} : NULL" if slot.group == "cotangents" else (
                    moved)  # fmt: skip
                yield f"    part->{slot.path} = {moved};"
        yield "}"
        yield from self.forward()
        yield from self.backward()

    def top(self, phase: str) -> Iterator[str]:
        yield from opening(self.interface, phase, part=True)
        yield "{"
        yield f"    const ptrdiff_t length = sizes->{self.sizes['T']};"
        yield "    real *const base = aligned(workspace);"
        yield "    NAME(arrays) part = *given;"
        yield "    struct segment p;"
        yield "    (void)tape;"
        yield "    if (!segment_plan(sizes, across, &p))"
        yield "        return;"

    def forward(self) -> Iterator[str]:
        length = self.sizes["T"]
        yield from self.top("forward")
        yield "    for (ptrdiff_t t = 0; t == 0 || t < length; t += p.steps) {"
        yield f"        p.sizes.{length} = least(p.steps, length - t);"
        yield "        segment_arrays(sizes, across, given, &part, t);"
        yield "        segment_forward_part(&p.sizes, across, &part, base + p.tape, base + p.room);"
        yield "    }"
        yield "}"

    def backward(self) -> Iterator[str]:
        length = self.sizes["T"]
        yield "/* A segment is computed again from the state it begins with. */"
        yield from self.top("backward")
        yield "    const ptrdiff_t first = length > 0 ? (length - 1) / p.steps * p.steps : 0;"
        yield "    for (ptrdiff_t t = first; t >= 0; t -= p.steps) {"
        yield f"        p.sizes.{length} = least(p.steps, length - t);"
        yield "        segment_arrays(sizes, across, given, &part, t);"
        yield "        segment_forward_part(&p.sizes, across, &part, base + p.tape, base + p.room);"
        handed = "t < first"
        if self.segments.cut:
            cut = self.segments.cut
            yield f"        /* truncated: nothing goes back over a multiple of {cut} steps */"
            handed += f" && (t + p.steps) % {cut} != 0"
        yield f"        if ({handed}) {{"
        for slot in self.states:
            bar, row = self.bars[slot.key], self.count(slot.dims[1:])
            yield "            {"
            yield f"                const real *const from = part.{bar.path};"
            yield f"                real *const bars = base + p.bars_{slot.member};"
            wide = self.count(slot.dims[1:], ACROSS)
            yield f"                const ptrdiff_t row = {row}, next = {wide};"
            yield f"                for (ptrdiff_t i = 0; i < p.sizes.{length}; i++)"
            yield "                    for (ptrdiff_t j = 0; j < row; j++)"
            yield "                        bars[i * next + j] = from ? from[i * next + j] : R(0.0);"
            yield "                for (ptrdiff_t j = 0; j < row; j++)"
            yield f"                    bars[(p.sizes.{length} - 1) * next + j]"
            yield f"                        += base[p.carry_{slot.member} + j];"
            yield f"                part.{bar.path} = bars;"
            yield "            }"
        yield "        }"
        for slot in self.states:
            yield (f"        part.gradients.initial.{slot.member} = base + p.carry_{slot.member};")
        for slot in self.params:
            yield (
                f"        part.{slot.path} = t < first ? base + p.sum_{slot.member} "
                f": given->{slot.path};"
            )
        yield "        segment_backward_part("
        yield "            &p.sizes, across, &part, base + p.tape, base + p.room);"
        yield "        if (t < first) {"
        for slot in self.params:
            yield f"            for (ptrdiff_t i = 0; i < {self.count(slot.dims)}; i++)"
            yield f"                given->{slot.path}[i] += base[p.sum_{slot.member} + i];"
        yield "        }"
        yield "    }"
        for slot in self.states:
            yield f"    for (ptrdiff_t i = 0; i < {self.count(slot.dims[1:])}; i++)"
            yield (
                f"        given->gradients.initial.{slot.member}[i] "
                f"= base[p.carry_{slot.member} + i];"
            )
        yield "}"
