"""What a network's module says and does beside, where it returns the states in which it ends.

In: a network's program. Out: the parts of its function that a program without final states has
not: the argument, its check, the sentence about it, the third result.
"""

from __future__ import annotations

from collections.abc import Iterator

from numeric.compiler.final_states import FINAL_COTANGENTS
from numeric.compiler.program import FINAL, WHOLE, Program

_LOSS = "L summed over time and batch, and its gradients: params, inputs, initial."


def takes_cotangents(program: Program) -> bool:
    """Whether the program has cotangents of final states among its arguments."""
    return any(argument.group == FINAL_COTANGENTS for argument in program.arguments)


def taken(program: Program) -> str:
    """The argument more that the function takes."""
    return f", {FINAL_COTANGENTS}=None" if takes_cotangents(program) else ""


def said_of_loss(program: Program) -> Iterator[str]:
    """The docstring of the function."""
    if not takes_cotangents(program):
        yield f'"""{_LOSS}"""'
        return
    yield from (
        f'"""{_LOSS}', "",
        "And the state of each sample after its last step, named as in STATES. The gradients are",
        f"those of L + Σ⟨c, final⟩, the c in {FINAL_COTANGENTS}, zero where one is left out.",
        '"""',
    )  # fmt: skip


def cotangents_checked(program: Program) -> Iterator[str]:
    """The lines that check what is given."""
    if takes_cotangents(program):
        yield f"{FINAL_COTANGENTS} = _take("
        yield f'    "{FINAL_COTANGENTS}", {FINAL_COTANGENTS}, STATES, ("B",), sizes, kinds,'
        yield "    optional=True,"
        yield ")"


def returned(program: Program) -> Iterator[str]:
    """The end of the dict of gradients, and after it the dict of final states if there are any."""
    results = [result for result in program.results if result.group == FINAL]
    yield "}, {" if results else "}"
    for result in results:  # of T+1 rows, the one that no step follows
        end = "0" if result.name in program.backwards else "-1"
        yield f'    "{result.key}": {result.name}{WHOLE}[{end}].copy(),'
    if results:
        yield "}"
