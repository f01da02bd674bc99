"""Program → Program: the states in which a sequence ends are results, and take cotangents.

In: a program with initial states and their gradients. Out: the same, which besides returns each
state after its last step, and whose way back starts from ∂(what comes later)/∂state in place of
zero. A sample that has ended holds its states and hands its cotangents on, so the end of the array
is each sample's own end, whatever its length; without any step it is the initial state.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from numeric.compiler.program import FINAL, Argument, Carry, Program, initial_name

FINAL_COTANGENTS: Final = "final_cotangents"


def with_final_states(program: Program) -> Program:
    """The program with a final state beside each initial one, and a cotangent of each."""
    states = {initial_name(state): state for state in program.shifted.values()}
    begun = [argument for argument in program.arguments if argument.group == "initial"]
    carried = {result.key: result.name for result in program.results if result.group == "initial"}
    starts = {name: initial_name(name) for name in carried.values()}  # no array of a cell ends so
    dims = {starts[name]: program.dims[name] for name in starts}

    def started(carry: Carry) -> Carry:
        return replace(carry, start=starts.get(carry.name, ""))

    return replace(
        program,
        arguments=(
            *program.arguments,
            *(Argument(FINAL_COTANGENTS, a.key, starts[carried[a.key]]) for a in begun),
        ),
        blocks=tuple(
            replace(block, carries=tuple(map(started, block.carries))) for block in program.blocks
        ),
        results=(*program.results, *(Argument(FINAL, a.key, states[a.name]) for a in begun)),
        dims={**program.dims, **dims},
    )
