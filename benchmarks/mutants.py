# ruff: noqa: E501 (an edit stands as its source does)
"""Are the checks any good? Each step of the compiler is broken on purpose, one way at a time.

A mutant is an edit of the source of the rule table, the lowering, a pass or the emitter that
changes what emitted code computes. The battery derives, lowers, improves and emits rnn, lstm,
gru and a cell of all nodes in every style, and compares with autograd and over the prime field.
A mutant is killed if the battery notices it.

    python benchmarks/mutants.py [--json]

Prints the mutants and the kill rate; exit status 1 unless it is 100 %.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from derive import Cell, catalogue
from derive.calculus import adjoint as adjoints
from derive.calculus import rules, through_time
from derive.cell import declared
from numeric.compiler import lower, stacking
from numeric.compiler import passes as stages
from numeric.compiler.styles import STYLES
from numeric.compiler.target import Header, load
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
CELLS = (catalogue["rnn"], catalogue["gru"], catalogue["lstm"], MIXED)


@dataclass(frozen=True)
class Mutant:
    """One edit of one module, and what it gets wrong."""

    area: str
    what: str
    module: ModuleType
    old: str
    new: str

    @property
    def name(self) -> str:
        """Where it is and what it gets wrong."""
        return f"{self.area}: {self.what}"


def of(area: str, module: ModuleType) -> Callable[[str, str, str], Mutant]:
    """A maker of mutants of one module."""
    return lambda what, old, new: Mutant(area, what, module, old, new)


rule = of("rules", rules)
adjoint = of("adjoint", adjoints)
lowering = of("lower", lower)
passes = of("passes", stages)
stacking = of("stack", stacking)
spelling = of("emit", expressions)
number = of("emit", formula)
in_place = of("emit", in_place_code)
emitting = of("emit", to_numpy)

MUTANTS = (
    rule("sum: later terms counted twice", "return tuple(y_bar for _ in node.args)",
         "return tuple(scale(1 if k == 0 else 2, y_bar) for k, _ in enumerate(node.args))"),
    rule("product: number forgotten", "y_bar = scale(split_coefficient(node)[0], y_bar)", "pass"),
    rule("product: not transposed", "product(transpose(a), y_bar)",
         "product(a if a.shape[0] == a.shape[1] else transpose(a), y_bar)"),
    rule("product: of the wrong sign", "return product(y_bar, transpose(b)),",
         "return negate(product(y_bar, transpose(b))),"),
    rule("⊙: the others forgotten", "tuple(hadamard(y_bar, *others) for _, others",
         "tuple(y_bar for _, others"),
    rule("⊙: the factor itself", "tuple(hadamard(y_bar, *others) for _, others",
         "tuple(hadamard(y_bar, own) for own, others"),
    rule("⊘: numerator", "return quotient(y_bar, b), negate", "return y_bar, negate"),
    rule("⊘: sign", "negate(quotient(hadamard(y_bar, y), b))", "quotient(hadamard(y_bar, y), b)"),
    rule("function: slope forgotten", "return (hadamard(y_bar, Slope(*node.args)),)",
         "return (y_bar,)"),
    rule("function: slope of the output", "hadamard(y_bar, Slope(*node.args))",
         "hadamard(y_bar, Slope(node.args[0], y, *node.args[2:]))"),
    rule("softmax: mean forgotten", "add(y_bar, negate(mean))", "y_bar"),
    rule("softmax: weight forgotten", "(hadamard(y, add(y_bar, negate(mean))),)",
         "(add(y_bar, negate(mean)),)"),
    rule("transpose: not transposed", "return (transpose(y_bar),)", "return (y_bar,)"),
    rule("concat: from the first row", "Rows(y_bar, start, part.shape[0])",
         "Rows(y_bar, S.Zero, part.shape[0])"),
    rule("broadcast: mean", "return (product(total, OneMatrix(cols, 1)) if cols != 1 else total,)",
         "return (scale(2, total),)"),
    adjoint("the next step forgotten", 'terms.append(Term(carry(symbol), "the next step"))', "pass"),
    adjoint("the loss of the wrong sign", 'Term(from_loss(state), "the loss at this step")',
            'Term(-from_loss(state), "the loss at this step")'),
    lowering("sum: signs dropped", "signs.append(-1 if negative else 1)", "signs.append(1)"),
    lowering("Wᵀu as W u",
             '("pull", first.arg) if isinstance(first, Transpose)',
             '(("apply" if first.shape[0] == first.shape[1] else "pull"), first.arg) '
             "if isinstance(first, Transpose)"),
    lowering("carry of another state", "carries.append(Carry(state.name + CARRY, name_of(handed.target)))",
             "carries.append(Carry(state.name + CARRY, name_of(derivation.carries[0].target)))"),
    lowering("accumulator overwritten in turn",
             'Statement(target, "add", (made,), (1,), True, comment)',
             'Statement(target, "add", (made,), (-1,), True, comment)'),
    lowering("slope of the output as the input's",
             'return self.emit("slope_from_output", [operand], dims, *settings, name=name)',
             'return self.emit("slope", [operand], dims, *settings, name=name)'),
    lowering("slope of the input as the output's",
             'return self.emit("slope", [self.value(expr.argument)], dims, *settings, name=name)',
             'return self.emit("slope_from_output" if expr.function.slope_from_output is not None '
             'else "function", [self.value(expr.argument)], dims, *settings, name=name)'),
    lowering("what comes once comes at each step too", "if term.each_step != each_step:",
             "if term.each_step and not each_step:"),
    passes("share: the settings overlooked", "key = (statement.op, operands, statement.settings)",
           "key = (statement.op, operands[:1], len(operands))"),
    passes("share: the signs overlooked", "key = (statement.op, operands, statement.settings)",
           "key = (statement.op, operands)"),
    passes("hoist: a sum in parts loses signs",
           "*(s for s, _ in late), 1)", "*(1 for s, _ in late), -1)"),
    passes("defer: carries deferred as well", "needed = {carry.update for carry in block.carries}",
           "needed = set()"),
    passes("defer: what grows twice is assigned", "if count == 1} - in_loop", "if count} - in_loop"),
    stacking("products in another order", "tuple(str(s.operands[1]) for s in group), \"weights\")",
             "tuple(str(s.operands[1]) for s in group[::-1]), \"weights\")"),
    stacking("columns at one place", "            start += self.width(name)\n", "            pass\n"),
    stacking("merged though unlike", "if (s.op, s.settings, len(s.operands)) == (first.op, "
             "first.settings,", "if (s.op, first.settings, len(s.operands)) == (first.op, "
             "first.settings,"),
    stacking("rows not moved on", "                start += size\n", "                start += 0 * size\n"),
    stacking("a term of the sum lost", "operands=(*(o for _, o in kept), joint.target),",
             "operands=(*(o for _, o in kept[1:]), joint.target, joint.target)[:len(kept) + 1],"),
    spelling("minus without its sign", '(" - " if sign < 0 else " + ")', '" + "'),
    spelling("minus without brackets", "PRODUCT if sign < 0 else SUM)", "0)"),
    spelling("no brackets in products", '" * ".join(self.bound(o, in_loop, ATOM)',
             '" * ".join(self.bound(o, in_loop, 0)'),
    spelling("apply without the transpose", 'transposed: str = ".T"', 'transposed: str = ""'),
    spelling("outer of the wrong side", 'return f"{u}.T @ {v}", PRODUCT',
             'return f"({v}.T @ {u}).T * 2", PRODUCT'),
    spelling("the batch averaged", '.sum(axis={axes})"', '.mean(axis={axes})"'),
    spelling("total over the wrong axis", ".sum(axis=-1, keepdims=True)\", ATOM",
             ".mean(axis=-1, keepdims=True)\", ATOM"),
    spelling("slices from the start", "return f\"{'' if start == 0 else size_text(start)}:{end}\"",
             'return f":{size_text(size)}"'),
    number("numbers rounded", "text = repr(p / q)", "text = repr(round(p / q, 1) + 1)"),
    emitting("backward runs forward", "'range(T)' if block.loop == 'forward' else 'reversed(range(T))'",
             "'range(T)'"),
    emitting("accumulators overwritten", 'sign = "+=" if statement.accumulate else "="', 'sign = "="'),
    emitting("initial state left out", 'initial.get("{key}", 0)', '0 * initial.get("{key}", 0)'),
    emitting("a state's views exchanged", '", ".join(views if late else reversed(views))',
             '", ".join(views)'),
    in_place("buffers handed on too early", "if at == place and dead in self.names",
             "if at >= place and dead in self.names"),
    in_place("in place, backward runs forward",
             "'range(T)' if block.loop == 'forward' else 'reversed(range(T))'", "'range(T)'"),
    in_place("subtracts instead of adding", "'add' if sign > 0 else 'subtract'",
             "'subtract' if sign > 0 else 'add'"),
    in_place("third factors forgotten", "for operand in operands[2:]:", "for operand in operands[3:]:"),
    in_place("pull with the transpose",
             'yield f"np.matmul({operands[0]}, {operands[1]}, out={target})"',
             'yield f"np.matmul({operands[0]}, {operands[1]}.T, out={target})"'),
)  # fmt: skip
QUICK = MUTANTS[::5]


# ---- breaking a module, and mending it -------------------------------------------------------


@contextmanager
def broken(mutant: Mutant) -> Iterator[None]:
    """The module with the edit, wherever its functions are known; mended at the end.

    Raises:
        LookupError: if the edit does not find its place: the source has changed.
    """
    module = mutant.module
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    if mutant.old not in source:
        raise LookupError(f"{mutant.name}: {mutant.old!r} is not in {module.__name__}")
    edited = source.replace(mutant.old, mutant.new)
    made = ModuleType(module.__name__)
    made.__file__ = module.__file__
    homes, own = users(), dict(vars(module))
    sys.modules[module.__name__] = made
    changed: list[tuple[ModuleType, str, Any]] = []
    try:
        exec(compile(edited, str(module.__file__), "exec"), made.__dict__)
        for home in homes:
            for name, value in list(vars(home).items()):
                ours = getattr(value, "__module__", None) == module.__name__
                if ours and hasattr(made, name) and own.get(name) is value:
                    changed.append((home, name, value))
                    setattr(home, name, getattr(made, name))
        if mutant.module is rules:
            changed.append((adjoints, "VJP_RULES", adjoints.VJP_RULES))
            adjoints.VJP_RULES = made.VJP_RULES
        yield
    finally:
        sys.modules[module.__name__] = module
        for home, name, value in changed:
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


def noticed(mutant: Mutant) -> str | None:
    """On which cell and style the mutant is noticed; None if nowhere."""
    early = mutant.area in {"rules", "adjoint"}
    right = {cell: expected(cell) for cell in CELLS}
    derivations = {} if early else {cell: derived(cell) for cell in CELLS}
    with broken(mutant):
        for exactly in (False, True):
            for cell in CELLS:
                try:
                    derivation = through_time.differentiate(cell) if early else derivations[cell]
                    wrong = wrong_style(cell, derivation, *right[cell], exactly)
                except Exception as problem:
                    return f"{cell.name}: {type(problem).__name__}"
                if wrong is not None:
                    return f"{cell.name}, {wrong}"
    return None


def wrong_style(cell: Cell, derivation: Any, case: Any, want: Answer, exactly: bool) -> str | None:
    """The first style whose code is wrong."""
    fused = (stages.share, stages.stack, stages.hoist, stages.defer)
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
