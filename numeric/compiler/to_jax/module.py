"""Program → JAX source text. Pure: the same program and style give the same text.

In: a program, a style, what the header says. Out: a module that depends on NumPy and JAX alone:
`forward` and `backward` as every target has them, and `states`, which JAX differentiates by
`backward` through `jax.custom_vjp`. All three are pure: they may be jitted, mapped and sharded.

A loop is a `lax.scan`. Inside it a name is the array's value at one step; what is read of other
arrays at that step comes in beside the carry, what is read elsewhere goes out. The program's
arrays are whole: XLA puts products together by itself, faster than stacked ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final

from numeric.compiler.argument_checks import checks_of
from numeric.compiler.at_once import JAX_GUESS, JAX_LOOP, at_once, renamed
from numeric.compiler.program import Block, Program, Statement, initial_name
from numeric.compiler.target import Header, Style
from numeric.compiler.to_numpy.checks import EACH
from numeric.compiler.to_numpy.expressions import Spelled, shape_text
from numeric.compiler.to_numpy.module import (
    arguments_checked,
    bars_checked,
    declarations,
    gradients,
    sizes_read,
)
from numeric.compiler.to_numpy.own_names import Cleared, cleared

_NP: Final = re.compile(r"\bnp\.")


@dataclass
class Written(Spelled):
    """The right sides of statements where loops are scans: no array is written into.

    `there` holds the names that have a value.
    """

    each: ClassVar[Mapping[str, str]] = {
        name: f"\ndef {name}(a):\n    return jax.lax.{name}(a)\n" for name in EACH
    }

    there: set[str] = field(default_factory=set)


def emit(program: Program, style: Style, header: Header) -> str:
    """The source of a cell's module.

    Raises:
        ValueError: for segments of time: JAX has checkpoints of its own.
    """
    if header.segments is not None:
        raise ValueError("target jax: no checkpoints or truncation; jax.checkpoint has the first")
    clear, helpers = cleared(program), dict[str, str]()
    first = Written(clear.program, style, helpers)
    second = Written(clear.program, style, helpers)
    body = [*_forward(clear, first, header), *_backward(clear, second, header)]
    text = clear.named("\n".join(body))
    if header.at_once:
        text = _np(at_once(header, JAX_GUESS, JAX_LOOP)) + renamed(text)
    top = ['"""' + header.title, "", *header.lines, '"""', "",
           "import jax", "import jax.numpy as jnp", ""]  # fmt: skip
    functions = [_NP.sub("jnp.", helpers[name]) for name in sorted(helpers)]
    checks = checks_of(header.declared)
    checks = checks.replace("np.asanyarray(given[name])", "jnp.asarray(given[name])")
    states = _STATES.format(cell=header.name)
    parts = [*top, *declarations(header), *functions, text, states, checks]
    return _spaced("\n".join(parts))


def emit_network(program: Program, style: Style, header: Header, lead: tuple[str, ...]) -> str:
    """The source of a network's file.

    Raises:
        ValueError: there is none: JAX joins the layers itself.
    """
    raise ValueError("target jax: cells only; join layers of the emitted functions in JAX")


def _spaced(text: str) -> str:
    """Definitions two lines apart."""
    text = re.sub(r"\n{3,}", "\n\n\n", re.sub(r"\n+(?=(@|def )[^\n]*\n)", "\n\n\n", text))
    text = re.sub(r"(\n@[^\n]*)\n{2,}(?=def )", r"\1\n", text)
    return text.strip("\n") + "\n"


# ---- the two functions -----------------------------------------------------------------------


def _forward(clear: Cleared, spelled: Written, header: Header) -> list[str]:
    program = clear.program
    body: list[str] = []
    for argument in program.arguments:
        name, key, dims = argument.name, argument.key, program.dims[argument.name]
        if argument.group == "initial":
            shape = shape_text(dims)
            body.append(f'{name} = initial.get("{key}", jnp.zeros_like(like, shape={shape}))')
        elif argument.group == "constants" and program.is_sequence(name):
            last = "[..., None]" if dims[2] == 1 else ""
            body += [
                f'{name} = constants["{key}"]{last}',
                f"{name} = jnp.broadcast_to({name} if {name}.ndim == 3 else {name}[:, None], "
                f"{shape_text(dims)})",
            ]
        elif argument.group in {"params", "inputs", "constants"}:
            body.append(f'{name} = {argument.group}["{key}"]')
        if argument.group != "cotangents":
            spelled.there.add(name)
    later = {name for name in program.tape()} | {r.name for r in program.results}
    body += _blocks(spelled, "forward", later)
    states = ", ".join(f'"{r.key}": {r.name}' for r in program.results if r.group == "states")
    tape = [f'    "{name}": {_np(spelled.operand(name)[0])},' for name in program.tape()]
    body += ["tape = {", '    "like": like,',
             '    "sizes": {name: jnp.arange(size) for name, size in sizes.items()},', *tape, "}",
             f"return {{{states}}}, tape"]  # fmt: skip
    check = [
        f"sizes, kinds = {header.sizes()}, {{}}",
        *arguments_checked(header),
        "like = jnp.zeros_like(next(iter((*inputs.values(), *params.values()))), shape=())",
    ]
    return [
        "def forward(params, inputs, initial=None, constants=None):",
        '    """The states of every step, and the tape that `backward` needs."""',
        *(f"    {line}" for line in (*check, *sizes_read(clear, body), *body)),
    ]


def _backward(clear: Cleared, spelled: Written, header: Header) -> list[str]:
    program = clear.program
    body: list[str] = []
    for argument in program.arguments:
        if argument.group == "params":
            body.append(f'{argument.name} = params["{argument.key}"]')
            spelled.there.add(argument.name)
        elif argument.group == "cotangents":
            shape = shape_text(program.dims[argument.name])
            body.append(
                f'{argument.name} = cotangents.get("{argument.key}", '
                f"jnp.zeros_like(like, shape={shape}))"
            )
            spelled.there.add(argument.name)
    for name in program.tape():
        body.append(f'{name} = tape["{name}"]')
        spelled.there.add(name)
    body += _blocks(spelled, "backward", {r.name for r in program.results})
    body += ["return {", *(_np(line) for line in gradients(program)), "}"]
    check = [
        "try:",
        '    like = tape["like"]',
        '    sizes = {name: len(held) for name, held in tape["sizes"].items()}',
        "except (TypeError, KeyError):",
        '    raise ValueError("tape: expected what forward returned") from None',
        *bars_checked(program),
    ]
    return [
        "def backward(params, tape, cotangents):",
        '    """The gradients of L, from cotangents[s][t] = ∂L/∂s_t at each step."""',
        *(f"    {line}" for line in (*check, *sizes_read(clear, body), *body)),
    ]


# ---- blocks ----------------------------------------------------------------------------------


def _blocks(spelled: Written, phase: str, later: set[str]) -> list[str]:
    blocks = [block for block in spelled.program.blocks if block.phase == phase]
    lines: list[str] = []
    for place, block in enumerate(blocks):
        rest = [s for other in blocks[place + 1 :] for s in other.statements]
        needed = later | {name for statement in rest for name in statement.reads}
        lines += _scan(spelled, block, needed) if block.loop else _once(spelled, block)
    return lines


def _once(spelled: Written, block: Block) -> Iterator[str]:
    for statement in block.statements:
        yield from _line(spelled, statement)


def _line(spelled: Written, statement: Statement) -> Iterator[str]:
    if statement.comment:
        yield f"# {statement.comment}"
    text, _ = spelled.expression(statement, False)
    if statement.accumulate:
        yield f"{statement.target} = {statement.target} + {_np(text)}"
    else:
        yield f"{statement.target} = {_np(text)}"
    spelled.there.add(statement.target)


def _scan(spelled: Written, block: Block, needed: set[str]) -> Iterator[str]:
    """A loop: its step as a function, and the scan over the steps."""
    program, forward = spelled.program, block.loop == "forward"
    inside = Written(_at_one_step(program), spelled.style, spelled.helpers)
    before = {p: s for p, s in program.shifted.items() if forward and _assigns(block, s)}
    inside.there |= {*before, *(carry.name for carry in block.carries)}
    grown = [s.target for s in block.statements if s.accumulate]
    grown = [name for name in dict.fromkeys(grown) if name in spelled.there]
    inside.there |= {*grown}
    own = {s.target for s in block.statements}
    read = [name for s in block.statements for name in s.reads if name not in inside.there]
    coming: list[str] = []
    outer: list[str] = []
    for name in dict.fromkeys(read):
        if name not in own:
            (coming if program.is_sequence(name) else outer).append(name)
    inside.there |= {*coming, *outer}
    texts = {name: _np(spelled.operand(name)[0]) for name in (*coming, *outer)}
    yield from (f"{n} = {texts[n]}" for n in outer if texts[n] != n)
    spelled.there |= {*outer}
    lines = [line for statement in block.statements for line in _line(inside, statement)]
    leaving = _leaving(program, block, needed)
    handed = [*before, *(carry.name for carry in block.carries), *grown]
    updated = [*before.values(), *(carry.update for carry in block.carries), *grown]
    out = [_np(inside.operand(name)[0]) for name in leaving]
    result = [_np(inside.operand(name)[0]) for name in updated]
    yield "def scan_step(carry, now):"
    yield f"    {_tuple(handed)} = carry" if handed else "    del carry"
    yield f"    {_tuple(coming)} = now" if coming else "    del now"
    yield from (f"    {line}" for line in lines)
    yield f"    return {_tuple(result)}, {_tuple(out)}"
    starts = [initial_name(state) for state in before.values()]
    starts += [f"jnp.zeros_like(like, shape={shape_text(program.dims[carry.name])})"
               for carry in block.carries] + grown  # fmt: skip
    first, given = _tuple(starts), _tuple([texts[name] for name in coming])
    reverse = "" if forward else ", reverse=True"
    yield f"last, made = jax.lax.scan(scan_step, {first}, {given}, length=T{reverse})"
    if leaving:
        yield f"{_tuple(leaving)} = made"
    finals = [*(carry.name for carry in block.carries), *grown]
    if finals:
        places = [f"last[{len(before) + k}]" for k in range(len(finals))]
        yield f"{', '.join(finals)} = {', '.join(places)}"
    spelled.there |= {*leaving, *finals}
    for carry in block.carries:
        if carry.update not in spelled.there:
            yield f"{carry.update} = {carry.name}"
            spelled.there.add(carry.update)
    for previous, state in before.items():
        yield f"{previous} = jnp.concatenate(({initial_name(state)}[None], {state}))[:-1]"
        spelled.there.add(previous)


def _assigns(block: Block, name: str) -> bool:
    return any(statement.target == name for statement in block.statements)


def _leaving(program: Program, block: Block, needed: set[str]) -> list[str]:
    """What other blocks, the tape and the results read of what the loop makes at each step."""
    own = [s.target for s in block.statements if program.is_sequence(s.target)]
    wanted = needed | {program.shifted[name] for name in needed if name in program.shifted}
    return [name for name in dict.fromkeys(own) if name in wanted]


def _at_one_step(program: Program) -> Program:
    """The program with every array's dimensions at one step."""
    dims = {name: d[1:] if program.is_sequence(name) else d for name, d in program.dims.items()}
    return replace(program, dims=dims)


def _tuple(names: Sequence[str]) -> str:
    return f"({', '.join(names)}{',' * (len(names) == 1)})"


def _np(text: str) -> str:
    return _NP.sub("jnp.", text).replace("jnp.asanyarray", "jnp.asarray")


_STATES: Final = '''

@jax.custom_vjp
def _through_time(params, inputs, initial, constants):
    return forward(params, inputs, initial, constants)[0]


def _forth(params, inputs, initial, constants):
    found, tape = forward(params, inputs, initial, constants)
    return found, (params, tape, constants, initial)


def _back(kept, cotangents):
    params, tape, constants, given = kept
    found = backward(params, tape, cotangents)
    initial = {{name: found["initial"][name] for name in given}}
    fixed = jax.tree_util.tree_map(jnp.zeros_like, constants)
    return found["params"], found["inputs"], initial, fixed


_through_time.defvjp(_forth, _back)


def states(params, inputs, initial=None, constants=None):
    """The states of every step of {cell}, by name; their gradients are those of `backward`.

    Shapes: inputs (T, B, m), initial (B, n), states (T, B, n). Constants have the gradient zero.
    """
    return _through_time(params, inputs, initial or {{}}, constants or {{}})
'''
