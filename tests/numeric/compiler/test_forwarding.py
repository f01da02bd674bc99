"""The pass `forward`: copies and spread numbers, read where they come from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from run_program import run_program
from sympy import S, Symbol

from numeric.compiler.forwarding import forward
from numeric.compiler.program import BATCH, Argument, Block, Carry, Program, Statement

N = Symbol("n", integer=True, positive=True)
SIZES = {"T": 1, "B": 2, "n": 3}
X = np.arange(6.0).reshape(2, 3)
GIVEN = {"x": X, "g": np.array([[2.0], [3.0]])}


def program_of(*statements: Statement, **dims: Any) -> Program:
    return Program(
        arguments=(Argument("inputs", "x", "x"), Argument("inputs", "g", "g")),
        blocks=(Block("forward", statements),),
        results=(Argument("states", "y", "y"),),
        dims={"x": (BATCH, N), "g": (BATCH, S.One), "y": (BATCH, N),
              **{name: (BATCH, N) for name in "abc"}, **dims},
    )  # fmt: skip


def operations(program: Program) -> list[tuple[str, str]]:
    return [(s.target, s.op) for b in program.blocks for s in b.statements]


def same(program: Program) -> bool:
    before, after = (run_program(p, GIVEN, SIZES)["y"] for p in (program, forward(program)))
    return np.array_equal(before, after)


def test_a_copy_of_a_copy_is_read_where_it_comes_from() -> None:
    program = program_of(
        Statement("a", "add", ("x",), (1,)), Statement("b", "add", ("a",), (1,)),
        Statement("y", "multiply", ("b", "a")),
    )  # fmt: skip
    assert operations(forward(program)) == [("y", "multiply")]
    assert same(program)


def test_a_result_stays_and_so_does_what_has_another_sign() -> None:
    program = program_of(Statement("a", "add", ("x",), (-1,)), Statement("y", "add", ("a",), (1,)))
    assert operations(forward(program)) == [("a", "add"), ("y", "add")]


def test_a_number_stands_where_another_operand_has_the_shape() -> None:
    spread = Statement("a", "spread", ("g",), (BATCH, N))
    program = program_of(spread, Statement("y", "divide", ("x", "a")))
    assert operations(forward(program)) == [("y", "divide")]
    assert same(program)
    alone = program_of(spread, Statement("y", "multiply", ("a", "a")))
    assert operations(forward(alone)) == [("a", "spread"), ("y", "multiply")]
    called = program_of(spread, Statement("y", "function", ("a",), ("tanh",)))
    assert forward(called) is called


def test_of_two_spread_numbers_one_keeps_the_shape() -> None:
    spread = [Statement(name, "spread", ("g",), (BATCH, N)) for name in "ab"]
    program = program_of(*spread, Statement("y", "multiply", ("a", "b")))
    assert operations(forward(program)) == [("b", "spread"), ("y", "multiply")]
    assert same(program)


def test_what_changes_from_turn_to_turn_is_copied() -> None:
    block = Block(
        "forward",
        (Statement("a", "add", ("c",), (1,)), Statement("b", "multiply", ("a", "x")),
         Statement("y", "multiply", ("b", "a"))),
        "forward", (Carry("c", "b"),),
    )  # fmt: skip
    program = replace(program_of(Statement("y", "add", ("x",), (1,))), blocks=(block,))
    assert forward(program) is program
