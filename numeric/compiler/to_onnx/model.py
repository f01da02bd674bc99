"""Cell → an ONNX model: its forward pass over a sequence, parameters among the inputs.

In: a cell, NumPy's float32 or float64. Out: a `ModelProto`. Inputs are parameters, constants, the
cell's inputs (T, B, m) and the states before the first step, `h_initial` (B, n); outputs are the
states of every step, (T, B, n). One step is the body of a Scan; nothing is differentiated: to
train, other targets have the gradient.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from derive.calculus.through_time import derivation_of
from derive.cell import Cell
from numeric.compiler.lower import lower
from numeric.compiler.program import LENGTH, Block, Program, initial_name
from numeric.compiler.target import MissingError
from numeric.compiler.to_onnx.graph import IR_VERSION, OPSET, Graph, helper, onnx
from numeric.compiler.to_onnx.operations import write

Values = dict[str, tuple[Any, ...]]
_GROUPS: Final = ("params", "constants", "inputs", "initial")


def ready() -> None:
    """Nothing, where the package onnx is.

    Raises:
        MissingError: if it is not installed.
    """
    if onnx is None:
        raise MissingError(
            "target onnx: onnx is not installed; run pip install 'bptt-toolkit[onnx]'"
        )


def model_of(cell: Cell, kind: Any = np.float32, about: str = "") -> Any:
    """The model.

    Raises:
        ValueError: for an operation or a function that has no nodes.
        MissingError: if the package onnx is not installed.
    """
    ready()
    program = lower(derivation_of(cell), "output")
    top = Graph(np.dtype(kind))
    top.know_sizes(given_of(program))
    names = {a.name: _shown(a.group, a.key) for a in program.arguments if a.group in _GROUPS}
    results = {r.name: r.key for r in program.results if r.group == "states"}
    for block in program.blocks:
        if block.phase == "forward":
            if block.loop:
                _scan(top, program, block, names, results)
            else:
                _written(top, block, names)
    made = {key: program.dims[name] for name, key in results.items()}
    return modelled(top, cell, given_of(program), made, about)


def given_of(program: Program) -> Values:
    """The model's inputs by name.

    Raises:
        ValueError: if the cell has a name that is the model's for a state before the first step.
    """
    found: Values = {}
    for argument in program.arguments:
        if argument.group in _GROUPS:
            name = _shown(argument.group, argument.key)
            if name in found:
                raise ValueError(
                    f"target onnx: {name} is the model's name for a state before the first step; "
                    f"expected another name for the cell's own {name}"
                )
            found[name] = program.dims[argument.name]
    return found


def modelled(top: Graph, cell: Cell, given: Values, made: Values, about: str) -> Any:
    """The model of a graph with its inputs and outputs."""
    numbers = helper.np_dtype_to_tensor_dtype(top.kind)
    inputs, outputs = (
        [helper.make_tensor_value_info(name, numbers, [*map(_extent, dims)])
         for name, dims in values.items()]
        for values in (given, made)
    )  # fmt: skip
    graph = helper.make_graph(
        top.nodes, cell.name, inputs, outputs, [*top.held.values()], doc_string=about or cell.text
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)],
                             ir_version=IR_VERSION, producer_name="bptt-toolkit")  # fmt: skip


def _extent(size: Any) -> str | int:
    """A size that is known, or its name."""
    return int(size) if size.is_Integer else str(size)


def _shown(group: str, key: str) -> str:
    return initial_name(key) if group == "initial" else key


def _written(graph: Graph, block: Block, names: dict[str, str]) -> None:
    for statement in block.statements:
        operands = [names[o] if isinstance(o, str) else o for o in statement.operands]
        settings = _in_step(statement.settings) if statement.op == "spread" else statement.settings
        names[statement.target] = write(graph, statement.op, operands, settings)


def _in_step(settings: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(size for size in settings if size != LENGTH)


def _scan(
    top: Graph, program: Program, block: Block, names: dict[str, str], results: dict[str, str]
) -> None:
    """A loop over the steps: its body, and what comes of it."""
    body = Graph(top.kind, outer=top)
    numbers = helper.np_dtype_to_tensor_dtype(top.kind)
    own = {statement.target for statement in block.statements}
    before = {previous: state for previous, state in program.shifted.items() if state in own}
    read = dict.fromkeys(o for s in block.statements for o in s.reads)
    coming = [n for n in read if n not in own and n not in before and program.is_sequence(n)]
    inside = {n: names[n] for n in read if n in names and n not in coming}
    inside |= {name: f"{name}/step" for name in (*before, *coming)}

    def info(name: str, label: str, *, step: bool) -> Any:
        dims = program.dims[name]
        dims = dims[1:] if step and dims[:1] == (LENGTH,) else dims
        return helper.make_tensor_value_info(label, numbers, [*map(str, dims)])

    _written(body, block, inside)
    states = [body.add("Identity", [inside[s]], f"{s}/next") for s in before.values()]
    made = [body.add("Identity", [inside[name]], f"{name}/made") for name in results]
    graph = helper.make_graph(
        body.nodes, "step",
        [info(n, inside[n], step=True) for n in (*before, *coming)],
        [info(s, label, step=True) for s, label in zip(before.values(), states, strict=True)]
        + [info(n, label, step=True) for n, label in zip(results, made, strict=True)],
    )  # fmt: skip
    given = [names[initial_name(state)] for state in before.values()]
    last = [f"{state}/last" for state in before.values()]
    top.nodes.append(helper.make_node(
        "Scan", [*given, *(names[name] for name in coming)], [*last, *results.values()],
        num_scan_inputs=len(coming), body=graph,
    ))  # fmt: skip
    names |= {name: key for name, key in results.items()}
