"""Program → NumPy source text. Pure: the same program and style give the same text.

In: a program, a style, what the header says. Out: a module that depends on NumPy alone, with
the interface `forward(params, inputs, initial, constants)`, `backward(params, tape,
cotangents)`. A loop is written as expressions, one equation a line, for readers; or in place,
into arrays made before the loop, for speed (`inplace.py`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator

from numeric.compiler.argument_checks import WHOLE_NUMBERS, checks_of, shown_line
from numeric.compiler.at_once import NUMPY_GUESS, NUMPY_LOOP, at_once, renamed
from numeric.compiler.final_states import FINAL_COTANGENTS
from numeric.compiler.program import LENGTH, TEMPORARY, Block, Program, initial_name
from numeric.compiler.target import Header, Style
from numeric.compiler.to_numpy.expressions import Spelled, shape_text
from numeric.compiler.to_numpy.final_states import (
    cotangents_checked,
    returned,
    said_of_loss,
    taken,
)
from numeric.compiler.to_numpy.in_place import allocated, begun, write_in_place
from numeric.compiler.to_numpy.own_names import Cleared, cleared
from numeric.compiler.to_numpy.segments import segmented
from numeric.compiler.to_numpy.usage import docstring, shapes, use_of_cell, use_of_network

BlockWriter = Callable[[Spelled, Block], Iterator[str]]


def emit(program: Program, style: Style, header: Header) -> str:
    """The source of a cell's module."""
    clear, helpers = cleared(program), dict[str, str]()
    write = write_in_place if style.in_place else write_expressions
    passes = [
        *_forward(clear, Spelled(clear.program, style, helpers), write, header),
        *_backward(clear, Spelled(clear.program, style, helpers), write, header),
    ]
    text = clear.named("\n".join(passes))
    if header.segments is not None:
        text = segmented(text, header.segments, outputs=bool(header.declared.get("OUTPUTS")))
    if header.at_once:
        text = at_once(header, NUMPY_GUESS, NUMPY_LOOP) + renamed(text)
    return _module(header, use_of_cell(header), helpers, [text], checks_of(header.declared))


def emit_network(program: Program, style: Style, header: Header, lead: tuple[str, ...]) -> str:
    """The source of a network's module; `lead`: the sizes before q of the targets."""
    clear, helpers = cleared(program), dict[str, str]()
    write = write_in_place if style.in_place else write_expressions
    one = _network(clear, Spelled(clear.program, style, helpers), write, header, lead)
    passes = [clear.named("\n".join(one))]
    if header.prediction is not None:
        alone = cleared(header.prediction)
        lines = _prediction(alone, Spelled(alone.program, style, helpers), write, header)
        passes.append(alone.named("\n".join(lines)))
    use, checks = use_of_network(header), checks_of(header.declared) + WHOLE_NUMBERS
    return _module(header, use, helpers, passes, checks)


def _module(
    header: Header, use: tuple[str, ...], helpers: dict[str, str], passes: list[str], checks: str
) -> str:
    top = ['"""' + header.title, "", *header.lines, *docstring(header, use)]
    top += ['"""', "", *["import math", ""] * ("math." in "".join(helpers.values()))]
    top += ["import numpy as np", ""]
    top += declarations(header)
    functions = [helpers[name] for name in sorted(helpers)]
    text = "\n".join([*top, *functions, *passes])
    return _two_blank_lines(text + "\n" + checks)


def declarations(header: Header) -> Iterator[str]:
    """The module's constants: the names of each group with their sizes."""
    for group, declared in header.declared.items():
        if not declared:
            yield f"{group} = {{}}"
            continue
        yield f"{group} = {{"
        yield from (f'    "{k}": {_tuple(v)},' for k, v in declared.items())
        yield "}"


def _tuple(names: tuple[str, ...]) -> str:
    inner = ", ".join(f'"{name}"' for name in names)
    return f"({inner},)" if len(names) == 1 else f"({inner})"


def _two_blank_lines(text: str) -> str:
    """Definitions two lines apart, and nothing further."""
    lines: list[str] = []
    for line in text.split("\n"):
        if line.startswith("def ") or (line and not lines):
            while lines and not lines[-1]:
                lines.pop()
            lines += ["", ""] if lines else []
        lines.append(line.rstrip())
    return "\n".join(lines).rstrip("\n") + "\n"


# ---- the two functions ----------------------------------------------------------------------


def bindings(program: Program, needed: set[str]) -> list[str]:
    """A local name for every array that was given; states of T+1 rows, one of them given."""
    body: list[str] = []
    for argument in program.arguments:
        name, key, dims = argument.name, argument.key, program.dims[argument.name]
        if argument.group == "initial":
            state = next(s for s in program.shifted.values() if initial_name(s) == name)
            previous = next(p for p, s in program.shifted.items() if s == state)
            longer = shape_text(program.dims[state]).replace("(T,", "(T + 1,", 1)
            late = state in program.backwards
            views = (f"{state}_all[1:]", f"{state}_all[:-1]")
            body += [
                f"{state}_all = np.empty_like(like, shape={longer})",
                f'{state}_all[{"T" if late else "0"}] = initial.get("{key}", 0)',
                f"{previous}, {state} = " + ", ".join(views if late else reversed(views)),
            ]
        elif argument.group == "constants" and dims[:1] == (LENGTH,):
            last = "[..., None]" if dims[2] == 1 else ""  # one number a step: (T,) or (T, B)
            body += [
                f'{name} = constants["{key}"]{last}',
                f"{name} = np.broadcast_to({name} if {name}.ndim == 3 else {name}[:, None], "
                f"{shape_text(dims)})",
            ]
        elif argument.group == FINAL_COTANGENTS:
            body.append(f'{name} = {FINAL_COTANGENTS}.get("{key}", 0)')
        elif argument.group in {"params", "inputs", "constants"} and name in needed:
            body.append(f'{name} = {argument.group}["{key}"]')
    return body


def _forward(clear: Cleared, spelled: Spelled, write: BlockWriter, header: Header) -> list[str]:
    program = clear.program
    body = bindings(program, _reads(program, "forward") | set(program.tape()))
    body += _blocks(program, spelled, write, "forward")
    states = ", ".join(f'"{r.key}": {r.name}' for r in program.results if r.group == "states")
    body += ["tape = {", '    "sizes": sizes,', '    "like": like,']
    body += [f'    "{name}": {spelled.operand(name)[0]},' for name in program.tape()]
    body += ["}", f"return {{{states}}}, tape"]
    check = [
        f"sizes, kinds = {header.sizes()}, {{}}",
        *arguments_checked(header),
        "like = next(iter((*inputs.values(), *params.values())))",
    ]
    return [
        "def forward(params, inputs, initial=None, constants=None):",
        '    """The states of every step, and the tape that `backward` needs.',
        "",
        *(f"    {line}" for line in shapes(header, "states")),
        '    """',
        *(f"    {line}" for line in (*check, *sizes_read(clear, body), *body)),
    ]


def _backward(clear: Cleared, spelled: Spelled, write: BlockWriter, header: Header) -> list[str]:
    program = clear.program
    needed = _reads(program, "backward")
    body: list[str] = []
    for argument in program.arguments:
        if argument.group == "params" and argument.name in needed:
            body.append(f'{argument.name} = params["{argument.key}"]')
        elif argument.group == "cotangents":
            shape = shape_text(program.dims[argument.name])
            body += [
                f'{argument.name} = cotangents.get("{argument.key}")',
                f"if {argument.name} is None:",
                f"    {argument.name} = np.zeros_like(like, shape=())",
                f"    {argument.name} = np.broadcast_to({argument.name}, {shape}, True)",
            ]
    body += [f'{name} = tape["{name}"]' for name in program.tape()]
    body += _blocks(program, spelled, write, "backward")
    body += ["return {", *gradients(program), "}"]
    check = [
        "try:",
        '    sizes, like = dict(tape["sizes"]), tape["like"]',
        "except (TypeError, KeyError):",
        '    raise ValueError("tape: expected what forward returned") from None',
        *bars_checked(program),
    ]
    return [
        "def backward(params, tape, cotangents):",
        '    """The gradients of L, from cotangents[s][t] = ∂L/∂s_t at each step.',
        "",
        *(f"    {line}" for line in shapes(header, "cotangents")),
        "    Each gradient has the shape of what it belongs to.",
        '    """',
        *(f"    {line}" for line in (*check, *sizes_read(clear, body), *body)),
    ]


def arguments_checked(
    header: Header, inputs: str = "INPUTS", constants: str = "CONSTANTS"
) -> Iterator[str]:
    """The lines that check what a forward pass is given, by what is declared of it."""
    yield 'params = _take("params", params, PARAMETERS, (), sizes, kinds)'
    yield f'inputs = _take("inputs", inputs, {inputs}, ("T", "B"), sizes, kinds)'
    yield 'initial = _take("initial", initial, STATES, ("B",), sizes, kinds, optional=True)'
    yield f'constants = _take("constants", constants, {constants}, (), sizes, kinds)'
    yield from shown_line(header.declared)


def bars_checked(program: Program) -> Iterator[str]:
    """The lines that check what a backward pass is given, once `like` is known."""
    returned = {a.key for a in program.arguments if a.group == "cotangents"}
    states = {a.key for a in program.arguments if a.group == "initial"}
    names = "STATES" if returned == states else "{**STATES, **OUTPUTS}"
    yield 'kinds = {like.dtype: "forward"}'
    yield 'params = _take("params", params, PARAMETERS, (), sizes, kinds)'
    yield "cotangents = _take("
    yield f'    "cotangents", cotangents, {names}, ("T", "B"), sizes, kinds, optional=True'
    yield ")"


def gradients(program: Program) -> Iterator[str]:
    """The entries of the dict of gradients, group by group."""
    for group in ("params", "inputs", "initial"):
        yield f'    "{group}": {{'
        for result in program.results:
            if result.group == group:
                scalar = not program.dims[result.name]
                value = f"np.asanyarray({result.name})" if scalar else result.name
                yield f'        "{result.key}": {value},'
        yield "    },"


def _network(
    clear: Cleared, spelled: Spelled, write: BlockWriter, header: Header, lead: tuple[str, ...]
) -> list[str]:
    program = clear.program
    check, bound = _network_arguments(program, header)
    targets = next(a for a in program.arguments if a.group == "targets")
    spread = "".join(f'"{size}", ' for size in lead)
    if program.dims[targets.name] == program.dims["logits"]:
        bound += [
            'targets = _take("targets", {"targets": targets}, {"targets": ("q",)}, '
            f"({spread}), sizes, kinds)",
            'targets = targets["targets"]',
        ]
    else:
        inside = ", ~outside[:, :, 0]" if len(lead) == 2 else ""
        bound.append(f'targets = _whole("targets", targets, ({spread}), sizes, sizes["q"]{inside})')
    body = bound
    for phase in ("forward", "backward"):
        body += _blocks(program, spelled, write, phase)
    body += ["return loss, {", *gradients(program), *returned(program)]
    return [
        "def loss_and_gradient(",
        f"    params, inputs, targets, initial=None, constants=None, lengths=None{taken(program)}",
        "):",
        *(f"    {line}" for line in said_of_loss(program)),
        *(f"    {line}" for line in (*check, *sizes_read(clear, body), *body)),
    ]


def _prediction(clear: Cleared, spelled: Spelled, write: BlockWriter, header: Header) -> list[str]:
    """The forward pass alone, as a function of its own."""
    program = clear.program
    check, body = _network_arguments(program, header)
    body += _blocks(program, spelled, write, "forward")
    (made,) = program.results
    shape = shape_text(program.dims[made.name])
    ended = ", zero where a sample has ended" if program.is_sequence(made.name) else ""
    about = [f'"""What the readout gives, {shape}{ended}: no loss, no targets.']
    if header.unused(program):
        about += ["", "Masks of dropout are left out."]
    about = [*about[:-1], f'{about[-1]}"""'] if len(about) == 1 else [*about, '"""']
    return [
        "def predict(params, inputs, initial=None, constants=None, lengths=None):",
        *(f"    {line}" for line in (*about, *check, *sizes_read(clear, body), *body)),
        f"    return {made.name}",
    ]


def _network_arguments(program: Program, header: Header) -> tuple[list[str], list[str]]:
    """The lines that check what a network is given, targets apart, and those that bind it."""
    groups = {argument.group for argument in program.arguments}
    needed = {name for phase in ("forward", "backward") for name in _reads(program, phase)}
    whole = [a for a in program.arguments if a.group == "indices"]
    check = [f"sizes, kinds = {header.sizes()}, {{}}"]
    declared, constants = "INPUTS", "CONSTANTS"
    if unused := header.unused(program):
        constants = f"{{k: v for k, v in CONSTANTS.items() if k not in {unused}}}"
    for argument in whole:
        declared = f'{{k: v for k, v in INPUTS.items() if k != "{argument.key}"}}'
        check += [
            f'if not hasattr(inputs, "keys") or "{argument.key}" not in inputs:',
            f"    raise ValueError(\"inputs['{argument.key}']: expected integers, it is missing\")",
            f'{argument.name} = _whole("inputs[\'{argument.key}\']", inputs["{argument.key}"], '
            '("T", "B"), sizes)',
            f'inputs = {{k: v for k, v in inputs.items() if k != "{argument.key}"}}',
        ]
    check += [
        *arguments_checked(header, declared, constants),
        "like = next(iter((*inputs.values(), *params.values())))",
    ]
    ragged = [
        "ragged = lengths is not None",
        "if ragged:",
        '    lengths = _whole("lengths", lengths, ("B",), sizes, T + 1)',
        "else:",
        "    lengths = np.full(B, T)",
        "outside = (np.arange(T)[:, None] >= lengths)[:, :, None]",
    ]
    if "ends" in groups:
        ragged += [
            "if B and lengths.min() < 1:",
            '    raise ValueError("lengths: a loss at the last step needs lengths of 1 or more")',
            "ends = lengths - 1",
        ]
    check += cotangents_checked(program)
    bound = bindings(program, needed)
    for argument in whole:
        bound.append(f'{argument.name} = _whole("inputs[\'{argument.key}\']", {argument.name}, '
                     '("T", "B"), sizes, sizes["v"], ~outside[:, :, 0])')  # fmt: skip
    given = [
        argument.name for argument in program.arguments
        if argument.group == "indices" or (argument.group == "inputs" and argument.name in needed)
        or (argument.group == "constants" and program.is_sequence(argument.name))
    ]  # fmt: skip
    if not given:
        return check, [*ragged, *bound]
    ragged += [
        "if ragged and B:",
        "    # what stands where a sample has ended is read from its last step instead",
        "    column = np.where(lengths > 0, np.arange(B), lengths.argmax())",
        "    last = np.maximum(lengths[column], 1).astype(np.intp) - 1",
        "    nearest = np.minimum(np.arange(T)[:, None], last), column",
    ]
    bound += ["if ragged and B:", *(f"    {name} = {name}[nearest]" for name in given)]
    return check, [*ragged, *bound]


def _blocks(program: Program, spelled: Spelled, write: BlockWriter, phase: str) -> list[str]:
    return [
        line for block in program.blocks if block.phase == phase for line in write(spelled, block)
    ]


def _reads(program: Program, phase: str) -> set[str]:
    return {
        name
        for block in program.blocks
        if block.phase == phase
        for statement in block.statements
        for name in statement.reads
    }


def sizes_read(clear: Cleared, body: list[str]) -> Iterator[str]:
    """The sizes that the text below needs, by their own names."""
    words = set(re.findall(r"\w+", "\n".join(body)))
    for name, size in sorted({**clear.sizes, "T": "T", "B": "B"}.items()):
        if name in words:
            yield f'{name} = sizes["{size}"]'


# ---- loops as expressions -------------------------------------------------------------------


def write_expressions(spelled: Spelled, block: Block) -> Iterator[str]:
    """The block, one equation a line; temporaries used once stand where they are used."""
    program, indent = spelled.program, ""
    if block.loop:
        for name in allocated(program, block):
            yield f"{name} = np.empty_like(like, shape={shape_text(program.dims[name])})"
        for carry in block.carries:
            yield from begun(program, carry)
            spelled.renamed[carry.update] = carry.name
        yield f"for t in {'range(T)' if block.loop == 'forward' else 'reversed(range(T))'}:"
        indent = "    "
    uses = Counter(name for s in block.statements for name in s.reads)
    every = Counter(name for other in program.blocks for s in other.statements for name in s.reads)
    for statement in block.statements:
        text, binds = spelled.expression(statement, bool(block.loop))
        target = statement.target
        once = uses[target] == every[target] == 1
        if target.startswith(TEMPORARY) and once and not statement.accumulate:
            spelled.inlined[target] = (text, binds)
            continue
        if statement.comment:
            yield f"{indent}# {statement.comment}"
        sign = "+=" if statement.accumulate else "="
        left, _ = spelled.operand(target, bool(block.loop))
        yield f"{indent}{left} {sign} {text}"
