"""Wrong functions made of right ones: what a mutant of the compiler puts in a step's place.

In: a right function. Out: one that spoils what goes in or what comes out, or another one. All of
it is said in the values that flow between the stages (nodes, terms, statements, lines of emitted
code), so that a stage may be written anew and its mutants stay.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, replace
from typing import Any

from derive.calculus import rules
from derive.language import expr
from numeric.compiler.program import Carry, Program, Statement

Function = Callable[..., Any]


@dataclass(frozen=True)
class Mutant:
    """A named function, the wrong one that takes its place, and what that gets wrong.

    `owner` is a module, a class or a table; `wrong` makes the wrong function of the right one.
    """

    area: str
    what: str
    owner: Any
    key: Any
    wrong: Callable[[Function], Function]

    @property
    def name(self) -> str:
        """Where it is and what it gets wrong."""
        return f"{self.area}: {self.what}"

    @property
    def right(self) -> Any:
        """What stands there while nothing is broken."""
        table = isinstance(self.owner, MutableMapping)
        return self.owner[self.key] if table else vars(self.owner)[self.key]


# ---- making wrong functions of right ones ----------------------------------------------------


def rule(what: str, node: type, pullback: Function) -> Mutant:
    """The rule of a node, with another pullback."""
    return Mutant(
        "rules", what, rules.VJP_RULES, node, lambda right: replace(right, pullback=pullback)
    )


def before(change: Function) -> Callable[[Function], Function]:
    """The first argument is spoilt."""
    return lambda right: lambda first, *more, **named: right(change(first), *more, **named)


def after(change: Function) -> Callable[[Function], Function]:
    """What comes out is spoilt."""
    return lambda right: lambda *given, **named: change(right(*given, **named))


def instead(wrong: Function) -> Callable[[Function], Function]:
    """Another function."""
    return lambda right: wrong


def of_each(change: Callable[[Statement, Program], Statement]) -> Function:
    """Program → Program: every statement spoilt."""
    return lambda program: replace(
        program,
        blocks=tuple(
            replace(block, statements=tuple(change(s, program) for s in block.statements))
            for block in program.blocks
        ),
    )


def of_op(*ops: str, **changed: Function) -> Function:
    """Program → Program: the fields of every statement with one of the operations spoilt."""
    return of_each(
        lambda s, program: (
            replace(s, **{name: f(s, program) for name, f in changed.items()}) if s.op in ops else s
        )
    )


def in_lines(pattern: str, by: str) -> Function:
    """The emitted lines, with a pattern replaced."""
    return lambda lines: [re.sub(pattern, by, line) for line in lines]


def spelled(of: str, **changed: Function) -> Callable[[Function], Function]:
    """`Spelled.expression`, with the statements of one operation spoilt before it."""

    def wrong(right: Function) -> Function:
        def expression(self: Any, statement: Statement, in_loop: bool) -> tuple[str, int]:
            if statement.op == of:
                statement = replace(statement, **{k: f(statement) for k, f in changed.items()})
            return right(self, statement, in_loop)

        return expression

    return wrong


def respelled(op: str, change: Callable[[str], str]) -> Callable[[Function], Function]:
    """`Spelled.expression`, with the text of one operation spoilt after it."""

    def wrong(right: Function) -> Function:
        def expression(self: Any, statement: Statement, in_loop: bool) -> tuple[str, int]:
            text, binds = right(self, statement, in_loop)
            return (change(text) if statement.op == op else text), binds

        return expression

    return wrong


def without_brackets(op: str) -> Callable[[Function], Function]:
    """`Spelled.expression`, in which the operands of one operation get no brackets."""

    def wrong(right: Function) -> Function:
        def expression(self: Any, statement: Statement, in_loop: bool) -> tuple[str, int]:
            if statement.op == op:
                self.bound = lambda operand, in_loop, level: self.operand(operand, in_loop)[0]
            try:
                return right(self, statement, in_loop)
            finally:
                vars(self).pop("bound", None)

        return expression

    return wrong


def calling(op: str, change: Callable[[Statement], Statement]) -> Callable[[Function], Function]:
    """The writer of one statement in place, with the statements of one operation spoilt."""
    return lambda right: lambda text, s: right(text, change(s) if s.op == op else s)


# ---- what is spoilt ---------------------------------------------------------------------------


def terms_of(rule_name: str, change: Function) -> Callable[[Any], Any]:
    """`AdjointEquation.collect`, with the terms of one rule spoilt or, for None, dropped."""

    def wrong(right: Any) -> Any:
        def collect(cls: type, of: Any, terms: tuple[Any, ...]) -> Any:
            changed = (change(t) if t.rule == rule_name else t for t in terms)
            return right.__func__(cls, of, tuple(t for t in changed if t is not None))

        return classmethod(collect)

    return wrong


def others_of(node: Any, place: int) -> tuple[Any, ...]:
    """The factors of ⊙ but for one."""
    return (*node.args[:place], *node.args[place + 1 :])


def product_rule(left: Function, right: Function, number: bool = True) -> Function:
    """The rule of a product: the cotangents of its matrix and its vector by two functions."""

    def pullback(y_bar: Any, y: Any, node: Any) -> tuple[Any, ...]:
        y_bar = expr.scale(expr.split_coefficient(node)[0], y_bar) if number else y_bar
        match expr.operands(node):
            case (_,):
                return (y_bar,)
            case (a, b):
                return left(y_bar, b), right(a, y_bar)
        raise ValueError("a product of more than two factors")

    return pullback


def left_bar(y_bar: Any, b: Any) -> Any:
    """The matrix's cotangent, as it should be."""
    return expr.product(y_bar, expr.transpose(b))


def right_bar(a: Any, y_bar: Any) -> Any:
    """The vector's cotangent, as it should be."""
    return expr.product(expr.transpose(a), y_bar)


def square(matrix: Any) -> bool:
    """Whether rows and columns are as many."""
    return bool(matrix.shape[0] == matrix.shape[1])


def softmax_mean(y_bar: Any, y: Any) -> Any:
    """yᵀȳ in every row."""
    return expr.broadcast(expr.product(expr.transpose(y), y_bar), y.shape)


def one_carry(program: Program) -> Program:
    """Every carry takes the value of the first."""
    return replace(program, blocks=tuple(
        replace(b, carries=tuple(Carry(c.name, b.carries[0].update) for c in b.carries))
        for b in program.blocks
    ))  # fmt: skip


def at_each_step(derivation: Any) -> Any:
    """What a parameter receives once, it receives at each step as well."""
    return replace(derivation, parameters=tuple(
        replace(e, terms=(*e.terms, *(replace(t, each_step=True) for t in e.terms
                                      if not t.each_step)))
        for e in derivation.parameters
    ))  # fmt: skip


def forgetful_of_carries(defer: Function) -> Function:
    """The pass `defer`, which does not see what the carries need."""

    def wrong(program: Program) -> Program:
        held = {c.name: c for b in program.blocks for c in b.carries}
        blind = tuple(replace(b, carries=tuple(Carry(c.name, c.name) for c in b.carries))
                      for b in program.blocks)  # fmt: skip
        made = defer(replace(program, blocks=blind))
        return replace(made, blocks=tuple(
            replace(b, carries=tuple(held[c.name] for c in b.carries)) for b in made.blocks
        ))  # fmt: skip

    return wrong


def assigned_again(program: Program) -> Program:
    """Accumulators that grow outside the loops are assigned, each time."""
    in_loop = {s.target for b in program.blocks if b.loop for s in b.statements if s.accumulate}
    grown = Counter(s.target for b in program.blocks for s in b.statements if s.accumulate)
    return of_each(
        lambda s, _: replace(s, accumulate=s.accumulate and s.target in in_loop)
    )(replace(program, blocks=tuple(
        replace(b, statements=tuple(
            s for s in b.statements
            if s.op != "zeros" or s.target in in_loop or s.target not in grown
        )) for b in program.blocks
    )))  # fmt: skip


def signs_lost(right: Function) -> Function:
    """A sum in two parts: the part in the loop has no signs, and the other a minus."""

    def wrong(statement: Statement, *more: Any) -> Statement:
        made = right(statement, *more)
        if made is statement:
            return made
        return replace(made, settings=(*(1 for _ in made.settings[:-1]), -1))

    return wrong


def first_term_lost(statement: Statement, program: Program) -> tuple[Any, ...]:
    """The operands of a sum with a product of stacked weights, which comes twice instead."""
    stacked = {s.target for b in program.blocks for s in b.statements if s.op == "stack"}
    pulled = {s.target for b in program.blocks for s in b.statements
              if s.op == "pull" and s.operands[1] in stacked}  # fmt: skip
    first, *rest = statement.operands
    return (*rest, rest[-1]) if rest and pulled & {*rest} else (first, *rest)


def one_buffer(right: Function) -> Function:
    """The buffers of a loop: one for all values of one shape, dead or not."""

    def wrong(self: Any) -> None:
        right(self)
        kept = {carry.update for carry in self.block.carries}
        first: dict[Any, str] = {}
        for name, buffer in self.names.items():
            if name not in kept and buffer not in kept:
                self.names[name] = first.setdefault(self.program.dims[name], buffer)

    return wrong


def rounded(made: tuple[str, int]) -> tuple[str, int]:
    """A number as text, one more and to one digit where it has a point."""
    text, binds = made
    return (repr(round(float(text), 1) + 1), binds) if "." in text else (text, binds)


OPPOSITE = {"add": "subtract", "subtract": "add"}
FORWARD = in_lines(r"reversed\(range\(T\)\)", "range(T)")
PULL = r"^np\.matmul\((.+), (.+), out="
