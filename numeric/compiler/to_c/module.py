"""Program → one C11 file, and its header.

In: a program whose passes have run, a style, what the file says of itself. Out: its source. The
file needs the C library alone: no allocation, no global state. The listing of its arrays is the
comment above their struct; the header and the calls from Python are made from that listing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from derive.language.expr import size_name
from numeric.compiler.final_states import FINAL_COTANGENTS
from numeric.compiler.program import BATCH, LENGTH, Program, initial_name
from numeric.compiler.target import Header, Style
from numeric.compiler.to_c.interface import (
    ACROSS,
    GIVEN,
    IN,
    INTEGERS,
    OUT,
    Interface,
    Slot,
    declarations,
    opening,
)
from numeric.compiler.to_c.matrices import settled
from numeric.compiler.to_c.memory import (
    CHUNK,
    ONCE,
    OUTPUTS,
    STEP,
    Memory,
)
from numeric.compiler.to_c.names import KEYWORDS, Sizes, identifiers, wrapped
from numeric.compiler.to_c.plan import plan_lines, words_of
from numeric.compiler.to_c.runtime import (
    ABOUT,
    ALL_HELPERS,
    IN_PARTS,
    RESERVE,
    harmless,
    needed,
    told,
)
from numeric.compiler.to_c.schedule import Stage, shape, stages
from numeric.compiler.to_c.schedule import lines as step_lines
from numeric.compiler.to_c.segments import segmented
from numeric.compiler.to_c.skipping import skipping
from numeric.compiler.to_c.unstack import unstack
from numeric.compiler.to_c.vectors import NUMBERS
from numeric.compiler.to_c.writing import Writer

_OWN: Final = frozenset(
    """
    t t0 t1 row line unit rows span across sizes given tape workspace places plan real word flag vec
    bits mask loose whole least load store splat bits_of vec_of choose reserve forward_steps
    backward_steps tape_base base fraction two_to vabs vmax vmin log1p sin cos exp main at end
    """.split()  # noqa: SIM905
)
_MACROS: Final = frozenset(
    re.findall(r"#define (\w+)", NUMBERS + "".join(text for text, _ in ALL_HELPERS.values()))
)


def emit(program: Program, style: Style, header: Header) -> str:
    """The source of a cell's C file."""
    return _File(program, style, header).text()


def emit_network(program: Program, style: Style, header: Header, lead: tuple[str, ...]) -> str:
    """The source of a network's C file; `lead`: the sizes before q of the targets."""
    return _File(skipping(program), style, header, lead).text()


class _File:
    def __init__(
        self, program: Program, style: Style, header: Header, lead: tuple[str, ...] = ()
    ) -> None:
        self.header, self.style, self.lead = header, style, lead
        program, parts = unstack(settled(program))
        self.program = program
        early: set[str] = set()
        phases: dict[str, tuple[Stage, ...]] = {}
        for phase in ("forward", "backward"):
            phases[phase], made = stages(program, phase)
            early |= made
        self.memory = Memory(program, parts, phases, frozenset(early))
        extents = sorted(
            {str(s) for dims in program.dims.values() for e in dims for s in e.free_symbols}
            | {str(LENGTH), str(BATCH)},
            key=lambda name: (name not in {"T", "B"}, name != "T", name),
        )
        taken = _OWN | _MACROS | {*ALL_HELPERS}
        sizes = identifiers(extents, taken)
        self.sizes = Sizes(sizes)
        # a member of a struct may be called like a size, and like the loop's index
        keys = dict.fromkeys(a.key for a in (*program.arguments, *program.results))
        keys |= dict.fromkeys(("targets", "lengths"))
        self.members = identifiers(keys, taken - {"t"})
        self.names = identifiers(program.dims, taken | {*sizes.values()})
        self.interface = self._interface()
        self.across = ACROSS if self.interface.in_parts else ""
        self.writers = {
            phase: Writer(self.memory, self.sizes, self.names, style, phase, across=self.across)
            for phase in ("forward", "backward")
        }

    def _interface(self) -> Interface:
        """The arrays in the order of the struct, and where each stands in it."""
        declared = self.header.declared
        params, inputs, states = (declared[g] for g in ("PARAMETERS", "INPUTS", "STATES"))
        constants = {
            key: ("T", "B", *dims[1:]) if dims[:1] == ("T",) else dims
            for key, dims in declared["CONSTANTS"].items()
        }
        timed = {key: ("T", "B", *dims) for key, dims in inputs.items()}
        rows = {key: ("T", "B", *dims) for key, dims in states.items()}
        whole = {a.key for a in self.program.arguments if a.group == "indices"}
        targets = [a.name for a in self.program.arguments if a.group == "targets"]
        groups: dict[str, Mapping[str, tuple[str, ...]]] = {
            "params": params, "inputs": timed, "constants": constants
        }  # fmt: skip
        if targets:
            shape = tuple(map(size_name, self.program.dims[targets[0]]))
            whole |= {"targets", "lengths"} if shape == self.lead else {"lengths"}
            groups |= {"targets": {"targets": shape}, "lengths": {"lengths": ("B",)}}
        others = {k: ("T", "B", *dims) for k, dims in declared.get("OUTPUTS", {}).items()}
        groups |= {"states": rows, OUTPUTS: others}
        if self.header.final:
            groups[FINAL_COTANGENTS] = {key: ("B", *dims) for key, dims in states.items()}
        groups |= {"loss": {"loss": ()}} if targets else {"cotangents": rows | others}
        groups |= {
            "gradients.params": params,
            "gradients.inputs": {k: dims for k, dims in timed.items() if k not in whole},
            "gradients.initial": {key: ("B", *dims) for key, dims in states.items()},
        }
        prefix = identifiers([self.header.name], KEYWORDS)[self.header.name]
        slots = [
            Slot(group, key, self.members[key], dims,
                 OUT if group not in GIVEN else INTEGERS if key in whole else IN)
            for group, members in groups.items()
            for key, dims in members.items()
        ]  # fmt: skip
        late = {
            a.key
            for a in self.program.arguments
            if a.group == "initial" and a.name in map(initial_name, self.program.backwards)
        }
        sizes = tuple(self.sizes.names.items())
        return Interface(prefix, sizes, tuple(slots), frozenset(late), not targets)

    # ---- the file ---------------------------------------------------------------------------

    def text(self) -> str:
        """All of it."""
        prefix = self.interface.prefix
        passes = {phase: self._pass(phase) for phase in ("forward", "backward")}
        plan = plan_lines(self.interface, self.memory, self.writers, passes)
        every = (line for lines in (plan, *passes.values()) for line in lines)
        functions = "\n".join(part for line in every for part in wrapped(line))
        if self.header.segments is not None:
            text = segmented(functions, self.interface, self.header.segments)
            functions = "\n".join(part for line in text.split("\n") for part in wrapped(line))
        if self.across:
            functions += "\n" + "\n".join(self._of_all())
        helpers = needed(functions)
        runtime = told(
            NUMBERS + RESERVE + "".join(ALL_HELPERS[name][0] for name in helpers), prefix
        )
        top = [
            "/* " + self.header.title, "", *self.header.lines, "",
            *told(ABOUT + IN_PARTS * bool(self.across), prefix).split("\n")[:-1],
        ]  # fmt: skip
        about = "\n".join([top[0], *(f" * {harmless(line)}".rstrip() for line in top[1:]), " */"])
        includes = ["#include <stddef.h>", "#include <stdint.h>", "#include <string.h>"]
        if "LIBM" in functions + "".join(ALL_HELPERS[name][0] for name in helpers):
            includes.append("#include <math.h>")
        return (
            "\n".join([about, "", *includes])
            + "\n\n" + runtime + "\n" + declarations(self.interface) + "\n" + functions + "\n"
        )  # fmt: skip

    def _of_all(self) -> Iterator[str]:
        """The passes of all samples, as those of a part that is the whole."""
        batch = self.sizes.names["B"]
        yield "/* The bytes of the workspace; −1 where sizes are negative or too large. */"
        yield f"ptrdiff_t NAME(workspace_bytes)(const {self.interface.prefix}_sizes *sizes)"
        yield "{"
        yield f"    return NAME(workspace_part)(sizes, sizes->{batch});"
        yield "}"
        for phase in ("forward", "backward"):
            yield from opening(self.interface, phase)
            yield "{"
            yield f"    NAME({phase}_part)(sizes, sizes->{batch}, given, tape, workspace);"
            yield "}"

    def _is_whole(self, group: str) -> bool:
        """Whether the group's one array holds integers."""
        return any(s.group == group and s.mode == INTEGERS for s in self.interface.slots)

    def _pass(self, phase: str) -> list[str]:
        """The function of a pass, but for its first lines: they are known when it is written."""
        writer = self.writers[phase]
        body: list[str] = []
        for stage in self.memory.phases[phase]:
            body += self._stage(writer, stage, phase)
        for r in self.program.results:
            if r.group == "initial" and phase == "backward":
                rows, columns = shape(self.program, r.name)
                body.append(
                    f"copy(given->gradients.initial.{self.members[r.key]}, "
                    f"{self.sizes.text(columns)}, "
                    f"{writer.at(r.name)}, {writer.step(r.name)}, {self.sizes.text(rows)}, "
                    f"{self.sizes.text(columns)}, 0);"
                )
        used = "\n".join(body)
        return [
            *opening(self.interface, phase, part=bool(self.across)),
            "{",
            *(f"    {line}" for line in self._prologue(writer, phase, used)),
            *(f"    {line}" for line in body),
            "}",
        ]

    def _stage(self, writer: Writer, stage: Stage, phase: str) -> Iterator[str]:
        writer.where = ONCE
        for unit in stage.before:
            lines = list(writer.unit(unit))
            yield from writer.first
            writer.first.clear()
            yield from lines
        if not stage.loop:
            return
        for carry in stage.carries:
            rows, _ = shape(self.program, carry.name)
            yield (
                f"clear({writer.at(carry.name)}, {writer.step(carry.name)}, "
                f"{self.sizes.text(rows)}, {writer.step(carry.name)});"
            )
            if carry.start:
                yield f"if ({writer.pointer(carry.start)})"
                yield f"    {self._copied(writer, carry.name, carry.start)}"
        writer.where = CHUNK
        early = [line for unit in stage.early for line in writer.unit(unit)]
        writer.where = STEP
        steps = [line for unit in stage.steps for line in writer.unit(unit)]
        for carry in self.memory.copied:
            if carry in stage.carries:
                steps.append(self._copied(writer, carry.name, carry.update))
        writer.where = CHUNK
        late = [line for unit in stage.late for line in writer.unit(unit)]
        writer.where = ONCE
        yield from writer.first
        writer.first.clear()
        length, batch = self.sizes.text(LENGTH), self.sizes.text(BATCH)
        if stage.loop == "forward":
            yield f"for (ptrdiff_t t0 = 0; t0 < {length}; t0 += {phase}_steps) {{"
            yield f"    const ptrdiff_t t1 = least({length}, t0 + {phase}_steps);"
            loop = "for (ptrdiff_t t = t0; t < t1; t++) {"
        else:
            yield f"for (ptrdiff_t t1 = {length}, t0; t1 > 0; t1 = t0) {{"
            yield f"    t0 = t1 > {phase}_steps ? t1 - {phase}_steps : 0;"
            loop = "for (ptrdiff_t t = t1 - 1; t >= t0; t--) {"
        if re.search(r"\brows\b", around := "\n".join([*early, *late])):
            yield f"    const ptrdiff_t rows = (t1 - t0) * {batch};"
        if re.search(r"\bspan\b", around):
            yield f"    const ptrdiff_t span = {self.across} == {batch} ? t1 - t0 : 1;"
        yield from (f"    {line}" for line in early)
        if steps:
            yield f"    {loop}"
            yield from (f"        {line}" for line in steps)
            yield "    }"
        yield from (f"    {line}" for line in late)
        yield "}"
        yield from writer.last
        writer.last.clear()

    def _copied(self, writer: Writer, target: str, source: str) -> str:
        """The line that makes the one array what the other is."""
        rows, columns = shape(self.program, target)
        return (
            f"copy({writer.at(target)}, {writer.step(target)}, {writer.at(source)}, "
            f"{writer.step(source)}, {self.sizes.text(rows)}, {self.sizes.text(columns)}, 0);"
        )

    def _prologue(self, writer: Writer, phase: str, used: str) -> Iterator[str]:
        """The sizes, pointers and row steps that the body names."""
        lines: list[tuple[str, str]] = []  # the name, and its declaration
        memory, names = self.memory, self.names
        keys = {a.name: a.key for a in self.program.arguments if a.group == "initial"}
        for whole, kind in memory.kept.items():
            if f"{names[whole]}_at" in words_of(used):
                base, place = ("tape_base", "tape") if kind == "tape" else ("base", phase)
                const = "const " if kind == "tape" and phase == "backward" else ""
                lines.append((
                    f"{names[whole]}_at",
                    f"{const}real *const {names[whole]}_at "
                        f"= {base} + places.{place}_{names[whole]};",
                ))  # fmt: skip
            row = memory.row(whole, self.sizes)
            if row != "0":
                lines.append((
                    f"{names[whole]}_row", f"const ptrdiff_t {names[whole]}_row = {row};"
                ))  # fmt: skip
        for name, (_, row) in writer.arrays.items():
            lines.append((f"{name}_at", f"real *const {name}_at = base + places.{phase}_{name};"))
            lines.append((f"{name}_row", f"const ptrdiff_t {name}_row = {row};"))
        for argument in self.program.arguments:
            name, group = names[argument.name], argument.group
            member = f"given->{group}.{self.members[argument.key]}"
            kind = "real"
            if group in {"mask", "ends", "targets"}:
                member = "given->" + ("targets" if group == "targets" else "lengths")
                name = name if group == "targets" else "lengths"
            if group == "indices":
                member = f"given->inputs.{self.members[argument.key]}"
            if group in {"mask", "ends", "indices"} or (
                group == "targets" and self._is_whole("targets")
            ):
                kind = "ptrdiff_t"
            if group == "cotangents":
                if f"{name}_at" not in words_of(used):
                    continue
                _, columns = shape(self.program, argument.name)
                inner = step_lines(self.program, argument.name)  # a matrix is read as one row too
                many = "1" if inner is None else self.sizes.text(inner)
                writer.arrays[f"{name}_zeros"] = (many, self.sizes.padded(columns))
                empty = f"(base + places.{phase}_{name}_zeros)"
                lines += [
                    (f"{name}_at", f"const real *const {name}_at = {member} ? {member} : {empty};"),
                    (f"{name}_row",
                     f"const ptrdiff_t {name}_row = {member} ? {self.sizes.text(columns)} : 0;"),
                ]  # fmt: skip
            elif group != "initial":
                line = (f"{name}_at", f"const {kind} *const {name}_at = {member};")
                lines += [line] * (line not in lines)
        for state in self.program.shifted.values():
            const = "const " if phase == "backward" else ""
            lines.append((
                f"{names[state]}_at",
                f"{const}real *const {names[state]}_at = "
                    f"given->states.{self.members[keys[initial_name(state)]]};",
            ))  # fmt: skip
        for result in self.program.results:
            if result.name in memory.results:
                group = memory.results[result.name]
                home = {OUTPUTS: f"{group}.", "loss": ""}.get(group, f"gradients.{group}.")
                member = f"given->{home}{self.members[result.key]}"
                name = names[result.name]
                lines.append((f"{name}_at", f"real *const {name}_at = {member};"))
        wanted = [line for name, line in lines if name in words_of(used)]
        zeros = [
            f"clear(base + places.{phase}_{name}, {width}, {many}, {width});"
            for name, (many, width) in writer.arrays.items()
            if name.endswith("_zeros")
        ]
        whole_text = re.sub(r"->[\w.]+", "", "\n".join([used, *wanted, *zeros]))
        top = [
            f"const ptrdiff_t {c} = sizes->{c};"
            for c in self.sizes.names.values()
            if c in words_of(whole_text)
        ]
        top += [
            "struct places places;",
            f"plan(sizes, {f'{self.across}, ' * bool(self.across)}&places);",
        ]
        if "tape_base" in words_of(whole_text):
            const = "const " if phase == "backward" else ""
            top.append(f"{const}real *const tape_base = aligned(tape);")
        else:
            top.append("(void)tape;")
        top.append("real *const base = aligned(workspace);" if "base" in words_of(whole_text)
                   else "(void)workspace;")  # fmt: skip
        if f"{phase}_steps" in words_of(whole_text):
            top.append(f"const ptrdiff_t {phase}_steps = places.{phase}_steps;")
        return iter([*top, *wanted, *zeros])
