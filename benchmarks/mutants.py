"""Are the checks any good? Each step of the compiler is broken on purpose, one way at a time.

A mutant puts a wrong function in the place of a right one that it names: a rule of the table, a
step, or one around it that spoils what goes in or comes out. So it says what is computed
wrongly, in the words of the stage, and quotes no line of its source. The battery derives,
lowers, improves and emits rnn, lstm, gru and a cell of all nodes in every style, and compares
with autograd and over the prime field. A mutant is killed if the battery notices it. Those of what
writes C, and of the text that all C files share, are compiled and compared with autograd.

    python benchmarks/mutants.py [--json]

Prints the mutants and the kill rate; exit status 1 unless it is 100 %.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from c_mutants import C_MUTANTS, noticed_in_c
from sympy import MatAdd, MatMul, OneMatrix, S, Transpose
from sympy.matrices.expressions import HadamardProduct
from wrong_steps import (
    FORWARD,
    OPPOSITE,
    PULL,
    Mutant,
    after,
    assigned_again,
    at_each_step,
    before,
    calling,
    first_term_lost,
    forgetful_of_carries,
    in_lines,
    instead,
    left_bar,
    of_op,
    one_buffer,
    one_carry,
    product_rule,
    respelled,
    right_bar,
    rounded,
    rule,
    signs_lost,
    softmax_mean,
    spelled,
    square,
    terms_of,
    without_brackets,
)

from derive import Cell, catalogue
from derive.calculus import adjoint as adjoints
from derive.calculus import through_time
from derive.cell import declared
from derive.language import expr, pairs
from derive.language.functions import FUNCTIONS
from numeric.compiler import lower, stacking
from numeric.compiler import passes as stages
from numeric.compiler.target import Header, MissingError, load
from numeric.compiler.targets import STYLES
from numeric.compiler.to_c.target import C
from numeric.compiler.to_numpy import expressions, formula
from numeric.compiler.to_numpy import in_place as in_place_code
from numeric.compiler.to_numpy import module as to_numpy
from numeric.verification.compare import differences
from numeric.verification.exact import exact_check
from numeric.verification.oracles import Answer, autograd_answer
from numeric.verification.problems.of_cell import CellProblem, call, make_case, ordinary_sizes
from numeric.verification.verify import TOLERANCES
from numeric.verification.watch import Guard, subject_of

MIXED = Cell.parse(
    name="mixed",
    inputs=("x", "y"),
    scalars=("g",),
    equations="""
        v = concat(h_prev, U_x @ x)
        a = softmax(V @ v + b)
        q = (W - W.T) @ (h_prev * a)
        k = g * tanh(M.T @ s_prev - 0.3 * q) / (2 + sigmoid(M @ h_prev - b))
        s = 0.5 * s_prev - k * a + U_y @ y
        h = s * sigmoid(p.T @ h_prev) - (softplus(M @ s) - g * (b - s_prev)) - s_prev
    """,
    sizes={"s": "n", "h": "n"},
)
CHOSEN = Cell.parse(
    name="chosen",
    equations="""
        f = sigmoid(U @ x + b)
        m = maximum(log(f) + m_prev, V @ x)
        k = l2norm(K @ x, 0.01)
        v = 0.3 * (f + k) * (f - k) + sqrt(1 - f * f) * mean(m_prev)
        h = minimum(f * h_prev - dot(k, h_prev) * k, abs(m) - 0.5) + v
    """,
    sizes={"m": "n", "h": "n"},
)
CELLS = (catalogue["rnn"], catalogue["gru"], catalogue["lstm"], MIXED, CHOSEN)


MUTANTS = (
    rule("sum: later terms counted twice", MatAdd, lambda y_bar, y, node: tuple(
        expr.scale(2 if k else 1, y_bar) for k, _ in enumerate(node.args))),
    rule("product: number forgotten", MatMul, product_rule(left_bar, right_bar, number=False)),
    rule("product: not transposed", MatMul, product_rule(left_bar, lambda a, y_bar: expr.product(
        a if square(a) else expr.transpose(a), y_bar))),
    rule("product: of the wrong sign", MatMul, product_rule(
        lambda y_bar, b: expr.negate(left_bar(y_bar, b)), right_bar)),
    rule("⊙: the others forgotten", HadamardProduct,
         lambda y_bar, y, node: tuple(y_bar for _ in node.args)),
    rule("⊙: the factor itself", HadamardProduct,
         lambda y_bar, y, node: tuple(expr.hadamard(y_bar, own) for own in node.args)),
    rule("⊘: numerator", expr.Quotient, lambda y_bar, y, node: (
        y_bar, expr.negate(expr.quotient(expr.hadamard(y_bar, y), node.args[1])))),
    rule("⊘: sign", expr.Quotient, lambda y_bar, y, node: (
        expr.quotient(y_bar, node.args[1]),
        expr.quotient(expr.hadamard(y_bar, y), node.args[1]))),
    rule("maximum: both receive it", pairs.Maximum, lambda y_bar, y, node: (y_bar, y_bar)),
    rule("maximum: the smaller receives it", pairs.Maximum, lambda y_bar, y, node: (
        expr.hadamard(y_bar, pairs.Below(*node.args)),
        expr.hadamard(y_bar, pairs.AtLeast(*node.args)))),
    rule("minimum: the first receives it", pairs.Minimum, lambda y_bar, y, node: (
        y_bar, expr.scale(0, y_bar))),
    rule("minimum: the larger receives it", pairs.Minimum, lambda y_bar, y, node: (
        expr.hadamard(y_bar, pairs.AtLeast(*node.args)),
        expr.hadamard(y_bar, pairs.Below(*node.args)))),
    rule("function: slope forgotten", expr.Elementwise, lambda y_bar, y, node: (y_bar,)),
    rule("function: slope of the output", expr.Elementwise, lambda y_bar, y, node: (
        expr.hadamard(y_bar, expr.Slope(node.args[0], y, *node.args[2:])),)),
    rule("softmax: mean forgotten", expr.Softmax,
         lambda y_bar, y, node: (expr.hadamard(y, y_bar),)),
    rule("softmax: weight forgotten", expr.Softmax, lambda y_bar, y, node: (
        expr.add(y_bar, expr.negate(softmax_mean(y_bar, y))),)),
    rule("transpose: not transposed", Transpose, lambda y_bar, y, node: (y_bar,)),
    rule("concat: from the first row", expr.Concat, lambda y_bar, y, node: tuple(
        expr.Rows(y_bar, S.Zero, part.shape[0]) for part in node.args)),
    rule("broadcast: mean", expr.Broadcast, lambda y_bar, y, node: (
        expr.scale(2, expr.product(OneMatrix(1, node.shape[0]), y_bar)),)),
    Mutant("adjoint", "the next step forgotten", adjoints.AdjointEquation, "collect",
           terms_of("the next step", lambda term: None)),
    Mutant("adjoint", "the loss of the wrong sign", adjoints.AdjointEquation, "collect",
           terms_of("the loss at this step", lambda term: replace(term, value=-term.value))),
    Mutant("lower", "sum: signs dropped", lower, "lower", after(of_op(
        "add", settings=lambda s, _: s.settings[:1] if len(s.operands) == 1
        else tuple(1 for _ in s.settings)))),
    Mutant("lower", "Wᵀu as W u", lower, "lower", after(of_op(
        "pull", op=lambda s, program: "apply" if len({*program.dims[s.operands[1]]}) == 1
        else "pull"))),
    Mutant("lower", "carry of another state", lower, "lower", after(one_carry)),
    Mutant("lower", "accumulator overwritten in turn", lower, "lower", after(of_op(
        "add", settings=lambda s, _: (-1,) if s.accumulate else s.settings))),
    Mutant("lower", "slope of the output as the input's", lower, "lower", after(of_op(
        "slope_from_output", op=lambda s, _: "slope"))),
    Mutant("lower", "slope of the input as the output's", lower, "lower", after(of_op(
        "slope", op=lambda s, _: "function" if FUNCTIONS[s.settings[0]].slope_from_output is None
        else "slope_from_output"))),
    Mutant("lower", "what comes once comes at each step too", lower, "lower",
           before(at_each_step)),
    Mutant("passes", "share: the settings overlooked", stages, "computation",
           instead(lambda s: (s.op, s.operands[:1], len(s.operands)))),
    Mutant("passes", "share: the signs overlooked", stages, "computation",
           instead(lambda s: (s.op, s.operands))),
    Mutant("passes", "hoist: a sum in parts loses signs", stages, "_split_sum", signs_lost),
    Mutant("passes", "defer: carries deferred as well", stages, "defer", forgetful_of_carries),
    Mutant("passes", "defer: what grows twice is assigned", stages, "_without_zeros",
           instead(assigned_again)),
    Mutant("stack", "products in another order", stacking, "stack", after(of_op(
        "stack", operands=lambda s, program: s.operands[::-1]
        if len(program.dims[s.target]) == 2 else s.operands))),
    Mutant("stack", "columns at one place", stacking, "stack", after(lambda program: replace(
        program, views={name: (whole, S.Zero, size)
                        for name, (whole, _, size) in program.views.items()}))),
    Mutant("stack", "merged though unlike", stacking, "likeness",
           instead(lambda s: (s.op, len(s.operands)))),
    Mutant("stack", "rows not moved on", stacking, "stack", after(of_op(
        "rows", settings=lambda s, _: (S.Zero, s.settings[1])))),
    Mutant("stack", "a term of the sum lost", stacking, "stack", after(of_op(
        "add", operands=first_term_lost))),
    Mutant("emit", "minus without its sign", expressions.Spelled, "expression",
           spelled("add", settings=lambda s: (s.settings[0], *(1 for _ in s.settings[1:])))),
    Mutant("emit", "minus without brackets", expressions.Spelled, "expression",
           without_brackets("add")),
    Mutant("emit", "no brackets in products", expressions.Spelled, "expression",
           without_brackets("multiply")),
    Mutant("emit", "apply without the transpose", expressions.Spelled, "expression",
           spelled("apply", op=lambda s: "pull")),
    Mutant("emit", "outer of the wrong side", expressions.Spelled, "expression",
           lambda right: respelled("outer", lambda text: f"({text}).T * 2")(
               spelled("outer", operands=lambda s: s.operands[::-1])(right))),
    Mutant("emit", "the batch averaged", expressions.Spelled, "expression",
           respelled("gather", lambda text: text.replace(".sum(axis", ".mean(axis"))),
    Mutant("emit", "total over the wrong axis", expressions.Spelled, "expression",
           respelled("total", lambda text: text.replace(".sum(", ".mean("))),
    Mutant("emit", "slices from the start", expressions, "slice_text",
           instead(lambda start, size: f":{expressions.size_text(size)}")),
    Mutant("emit", "numbers rounded", formula, "number_text", after(rounded)),
    Mutant("emit", "backward runs forward", to_numpy, "write_expressions", after(FORWARD)),
    Mutant("emit", "accumulators overwritten", to_numpy, "write_expressions",
           after(in_lines(r" \+= ", " = "))),
    Mutant("emit", "initial state left out", to_numpy, "bindings",
           after(in_lines(r"initial\.get\(", "0 * initial.get("))),
    Mutant("emit", "a state's views exchanged", to_numpy, "bindings",
           after(in_lines(r"^(\w+), (\w+) = ", r"\2, \1 = "))),
    Mutant("emit", "buffers handed on too early", in_place_code._Buffers, "__post_init__",
           one_buffer),
    Mutant("emit", "in place, backward runs forward", in_place_code, "write_in_place",
           after(FORWARD)),
    Mutant("emit", "subtracts instead of adding", in_place_code, "_sum",
           after(in_lines(r"np\.(add|subtract)\(",
                          lambda m: f"np.{OPPOSITE[m[1]]}("))),
    Mutant("emit", "third factors forgotten", in_place_code, "_call",
           calling("multiply", lambda s: replace(s, operands=(*s.operands[:2], *s.operands[3:])))),
    Mutant("emit", "pull with the transpose", in_place_code, "_call",
           lambda right: lambda text, s: in_lines(PULL, r"np.matmul(\1, \2.T, out=")(
               right(text, s)) if s.op == "pull" else right(text, s)),
)  # fmt: skip
QUICK = MUTANTS[::5]


# ---- breaking a step, and mending it ---------------------------------------------------------


@contextmanager
def broken(mutant: Mutant) -> Iterator[None]:
    """The wrong function in its place, wherever the right one is known; mended at the end."""
    right = mutant.right
    wrong = mutant.wrong(right)
    changed: list[tuple[Any, Any]] = [(mutant.owner, mutant.key)]
    if isinstance(mutant.owner, ModuleType):
        changed = [(home, name) for home in users() for name, value in list(vars(home).items())
                   if value is right]  # fmt: skip
    try:
        for home, name in changed:
            put(home, name, wrong)
        yield
    finally:
        for home, name in changed:
            put(home, name, right)


def put(home: Any, name: Any, value: Any) -> None:
    """A value in a module, a class or a table."""
    if isinstance(home, MutableMapping):
        home[name] = value
    else:
        setattr(home, name, value)


def users() -> list[ModuleType]:
    """The modules of the compiler, whose names are exchanged for those of a mutant."""
    return [module for name, module in sys.modules.items()
            if name.startswith(("derive.", "numeric."))]  # fmt: skip


# ---- the battery ------------------------------------------------------------------------------


@cache
def expected(cell: Cell) -> tuple[Any, Answer]:
    """A case of the cell, and autograd's answer to it."""
    case = make_case(cell, ordinary_sizes(cell), steps=3, batch=2, seed=1)
    return case, autograd_answer(CellProblem(cell), case)


@cache
def derived(cell: Cell) -> Any:
    """The right derivation, for mutants of later stages."""
    return through_time.differentiate(cell)


def derive_anew(cell: Cell) -> Any:
    """The derivation, none that was made before."""
    function = through_time.differentiate
    return getattr(function, "__wrapped__", function)(cell)


def noticed(mutant: Mutant) -> str | None:
    """On which cell and style the mutant is noticed; None if nowhere."""
    early = mutant.area in {"rules", "adjoint"}
    right = {cell: expected(cell) for cell in CELLS}
    derivations = {} if early else {cell: derived(cell) for cell in CELLS}
    with broken(mutant):
        for exactly in (False, True):
            for cell in CELLS:
                try:
                    derivation = derive_anew(cell) if early else derivations[cell]
                    wrong = wrong_style(cell, derivation, *right[cell], exactly)
                except Exception as problem:
                    return f"{cell.name}: {type(problem).__name__}"
                if wrong is not None:
                    return f"{cell.name}, {wrong}"
    return None


def wrong_style(cell: Cell, derivation: Any, case: Any, want: Answer, exactly: bool) -> str | None:
    """The first style whose code is wrong."""
    fused = (
        stages.share, stages.contract, stages.share, stages.forward, stages.stack, stages.hoist,
        stages.defer,
    )  # fmt: skip
    for style, row in STYLES.items():
        program = lower.lower(derivation, row.slope_from)
        program = stages.optimise(program, fused if row.passes else ())
        header = Header("", (), declared(cell))
        source = to_numpy.emit(program, row, header)
        guard = Guard(subject_of(load(source, "mutant")))
        if exactly:
            sizes = ordinary_sizes(cell, 2)
            if not exact_check(CellProblem(cell), guard, sizes, steps=2, batch=2, seed=3).right:
                return f"{style}, exactly"
        else:
            found = differences(call(guard, case), want)
            if not all(difference.right(TOLERANCES["float64"]) for difference in found):
                return style
    return None


def main(words: list[str] | None = None) -> int:
    """Print where each mutant is noticed; 1 unless every one is."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    arguments = parser.parse_args(words)
    begin = time.perf_counter()
    with np.errstate(all="ignore"):
        found = {mutant.name: noticed(mutant) for mutant in MUTANTS}
        try:
            C.ready()
            found |= {mutant.name: noticed_in_c(mutant, broken) for mutant in C_MUTANTS}
        except MissingError as problem:
            print(f"{problem}; mutants of C are left out", file=sys.stderr)
    killed = sum(where is not None for where in found.values())
    rate = killed / len(found)
    if arguments.json:
        print(json.dumps({"mutants": found, "kill_rate": rate}))
        return 0 if rate == 1 else 1
    width = max(map(len, found))
    for name, where in found.items():
        print(f"{name.ljust(width)}  {where or 'SURVIVES'}")
    seconds = time.perf_counter() - begin
    print(f"kill rate {100 * rate:.0f} % ({killed} of {len(found)}), {seconds:.0f} s")
    return 0 if rate == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
