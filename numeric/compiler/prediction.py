"""Network → loop program of the forward pass alone: what the readout makes of the inputs.

In: a network. Out: the part of its program that the outputs need, without targets, loss and masks
of dropout. Nothing of it is kept for a backward pass.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from derive.network import Network
from numeric.compiler.network import compose
from numeric.compiler.padding import INSIDE, OUTSIDE
from numeric.compiler.program import (
    BATCH,
    LENGTH,
    Argument,
    Block,
    Program,
    Statement,
    initial_name,
    promoted,
)

OUTPUTS: Final = "outputs"
_LOGITS: Final = "logits"


def predicting(network: Network) -> Program:
    """The program of the outputs: probabilities of a softmax, else what the readout gives.

    Shapes: (T, B, q), zero where a sample has ended; (B, q) with a loss at the last step.
    """
    program = _needed_for(_LOGITS, compose(replace(network, dropout=False, final=False)))
    dims, blocks = dict(program.dims), [*program.blocks]
    made, shape = _LOGITS, dims[_LOGITS]

    def put(target: str, op: str, *operands: str) -> str:
        dims[target] = shape
        blocks.append(Block("forward", (Statement(target, op, operands),)))
        return target

    if network.readout == "softmax":
        made = put(OUTPUTS, "softmax", made)
    if shape[:2] == (LENGTH, BATCH):
        made = put(f"{OUTPUTS}_inside", INSIDE, made, OUTSIDE)
    results = (Argument(OUTPUTS, OUTPUTS, made),)
    return replace(program, blocks=tuple(blocks), dims=dims, results=results)


def _needed_for(result: str, program: Program) -> Program:
    """The forward statements that the result needs; no argument but targets is left out."""
    forward = [block for block in program.blocks if block.phase == "forward"]
    needed, before = {result}, set[str]()
    while needed != before:
        before = set(needed)
        for statement in (s for block in forward for s in block.statements):
            if statement.target in needed:
                needed |= {*statement.reads}
        needed |= {state for previous, state in program.shifted.items() if previous in needed}
    blocks = [
        replace(block, statements=kept) for block in forward
        if (kept := tuple(s for s in block.statements if s.target in needed))
    ]  # fmt: skip
    shifted = {p: state for p, state in program.shifted.items() if state in needed}
    begun = {initial_name(state) for state in shifted.values()}
    arguments = tuple(
        a for a in program.arguments
        if a.group != "targets" and (a.group != "initial" or a.name in begun)
    )  # fmt: skip
    names = needed | {*shifted} | {a.name for a in arguments}
    inside = {s.target for block in blocks if block.loop for s in block.statements}
    passing = inside - {*shifted.values()}  # kept for a step, unless another block reads it
    return promoted(Program(
        arguments=arguments,
        blocks=tuple(blocks),
        results=(),
        dims={name: dims[1:] if name in passing and dims[:1] == (LENGTH,) else dims
              for name, dims in program.dims.items() if name in names},
        shifted=shifted,
        backwards=program.backwards & needed,
        comments=program.comments,
    ))  # fmt: skip
