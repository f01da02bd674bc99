"""The derivation is right: against SymPy's own scalar differentiation, exactly; and mutants fail.

The oracle unrolls the cell's equations over explicit SymPy matrices and differentiates the
loss entry by entry. It shares no rule with `derive`: only this file's evaluator of expressions.
"""

import itertools
from dataclasses import replace as change

import pytest
from profiles import NIGHTLY, by_day, night_alone
from sympy import (
    Function,
    HadamardProduct,
    Identity,
    Integer,
    MatAdd,
    MatMul,
    Matrix,
    MatrixSymbol,
    Number,
    OneMatrix,
    S,
    Symbol,
    Transpose,
    ZeroMatrix,
    diff,
    expand,
)
from sympy.matrices.expressions import DiagMatrix

from derive.calculus import rules
from derive.calculus.adjoint import BAR
from derive.calculus.through_time import EARLIER, FACTOR, LENGTH, TIME, differentiate
from derive.cell import Cell, catalogue
from derive.language.expr import (
    At,
    Broadcast,
    Columns,
    Concat,
    Elementwise,
    Partial,
    Quotient,
    Rows,
    Slope,
    TimeProduct,
    TimeSum,
    size,
)


def evaluate(expr, values):
    """An expression over explicit matrices; `values` maps (name, time) or name to a matrix."""
    go = lambda part: evaluate(part, values)  # noqa: E731
    extent = lambda e: int(S(e).subs(values["sizes"]))  # noqa: E731
    match expr:
        case At():
            return values[expr.args[0].name, extent(expr.args[1])]
        case MatrixSymbol():
            return values[expr.name]
        case MatAdd():
            return sum((go(a) for a in expr.args[1:]), go(expr.args[0]))
        case MatMul():
            result = Integer(1)
            for part in expr.args:
                result = result * (part if isinstance(part, Number) else go(part))
            return result
        case HadamardProduct():
            result = go(expr.args[0])
            for part in expr.args[1:]:
                result = result.multiply_elementwise(go(part))
            return result
        case Quotient():
            return go(expr.args[0]).multiply_elementwise(
                go(expr.args[1]).applyfunc(lambda v: 1 / v)
            )
        case Elementwise():
            return go(expr.argument).applyfunc(
                Function(expr.function.name)
            )  # nothing but the chain rule
        case Slope():
            z = Symbol("z")
            slope = diff(Function(expr.function.name)(z), z)
            return go(expr.argument).applyfunc(lambda v: slope.subs(z, v).doit())
        case Transpose():
            return go(expr.arg).T
        case DiagMatrix():
            return Matrix.diag(*go(expr.args[0]))
        case Identity():
            return Matrix.eye(extent(expr.shape[0]))
        case ZeroMatrix():
            return Matrix.zeros(*map(extent, expr.shape))
        case OneMatrix():
            return Matrix.ones(*map(extent, expr.shape))
        case Broadcast():
            return Matrix.ones(*map(extent, expr.shape)) * go(expr.args[0])[0]
        case Concat():
            return Matrix.vstack(*map(go, expr.args))
        case Rows():
            start, size = map(extent, expr.args[1:])
            return go(expr.args[0])[start : start + size, :]
        case Columns():
            start, size = map(extent, expr.args[1:])
            return go(expr.args[0])[:, start : start + size]
        case Partial():
            return values[expr]
        case TimeSum():
            body, index, first, last = expr.args
            total = Matrix.zeros(*map(extent, expr.shape))
            for time in range(extent(first), extent(last) + 1):
                inner = values | {"sizes": values["sizes"] | {index: time}}
                total += evaluate(body, inner)
            return total
        case TimeProduct():
            body, index, latest, earliest = expr.args
            result = Matrix.eye(extent(expr.shape[0]))
            for time in range(extent(latest), extent(earliest) - 1, -1):
                result = result * evaluate(
                    body, values | {"sizes": values["sizes"] | {index: time}}
                )
            return result
    raise TypeError(type(expr).__name__)


class Unrolled:
    """A cell over T steps with entries as symbols: states, loss, and all of the derivation."""

    def __init__(self, cell, T, sizes):
        self.cell, self.T = cell, T
        self.values = {"sizes": {Symbol(k, integer=True, positive=True): v
                                 for k, v in sizes.items()} | {LENGTH: T}}  # fmt: skip
        for symbol in (*cell.parameters, *cell.constants):
            self.values[symbol.name] = self.entries(symbol, "")
        for t in range(1, T + 1):
            for symbol in cell.inputs:
                self.values[symbol.name, t] = self.entries(symbol, f"_{t}")
        for symbol in cell.states:
            self.values[symbol.name, 0] = self.entries(symbol, "_0")
        for t in range(1, T + 1):
            now = dict(self.values)
            for symbol in cell.inputs:
                now[symbol.name] = self.values[symbol.name, t]
            for state in cell.states:
                now[f"{state.name}_prev"] = self.values[state.name, t - 1]
            for equation in cell.equations:
                now[equation.target.name] = evaluate(equation.value, now)
                self.values[equation.target.name, t] = now[equation.target.name]
        self.weights = {
            (s.name, t): self.entries(s, f"_loss_{t}") for s in cell.states for t in range(1, T + 1)
        }
        self.loss = sum(
            (self.values[key].multiply_elementwise(w) * Matrix.ones(w.cols, 1)).dot(
                Matrix.ones(w.rows, 1)
            )
            for key, w in self.weights.items()
        )

    def entries(self, symbol, suffix):
        rows, cols = (int(S(e).subs(self.values["sizes"])) for e in symbol.shape)
        return Matrix(rows, cols, lambda i, j: Symbol(f"{symbol.name}{suffix}_{i}{j}"))

    def gradient(self, matrix):
        return matrix.applyfunc(lambda entry: diff(self.loss, entry))

    def run_backward(self, derivation):
        """The derivation's equations, computed from t = T down to 1 as a reader would."""
        values = self.values
        for state in self.cell.states:
            values[f"{state.name}.bar_carry", self.T] = 0 * values[state.name, 0]
        for t in range(self.T, 0, -1):
            values["sizes"] = values["sizes"] | {TIME: t}
            for s in self.cell.states:
                values[f"{s.name}.bar_loss", t] = self.weights[s.name, t]
            for step in derivation.part("forward"):
                self.assign(step.equation, t)
        for t in range(self.T, 0, -1):
            values["sizes"] = values["sizes"] | {TIME: t}
            for step in derivation.part("adjoint"):
                self.assign(step.equation, t)
            for step in derivation.part("recursion"):
                if step.terms:
                    self.assign(step.equation, t)
            for equation in derivation.input_gradients:
                self.assign(equation, t)
        values["sizes"].pop(TIME, None)
        for equation in (*derivation.parameter_gradients, *derivation.initial_gradients):
            self.assign(equation, 0)

    def assign(self, equation, t):
        value = evaluate(equation.value, self.values)
        target = equation.target
        if isinstance(target, At):
            time = int(S(target.args[1]).subs({TIME: t, LENGTH: self.T}))
            self.values[target.args[0].name, time] = value
        else:
            self.values[target.name] = value


def equal(left, right):
    return all(expand((a - b).doit()) == 0 for a, b in zip(left, right, strict=True))


def check(cell, T, sizes, derivation=None, only=()):
    """Whether every gradient of the derivation, or those asked for, equals SymPy's own."""
    unrolled = Unrolled(cell, T, sizes)
    unrolled.run_backward(derivation or differentiate(cell))
    values = unrolled.values
    wanted = {p.name + BAR: values[p.name] for p in cell.parameters}
    wanted |= {(s.name + BAR, 0): values[s.name, 0] for s in cell.states}
    wanted |= {(x.name + BAR, t): values[x.name, t] for x in cell.inputs for t in range(1, T + 1)}
    return {key: equal(values[key], unrolled.gradient(matrix))
            for key, matrix in wanted.items() if not only or key in only}  # fmt: skip


MIXED = Cell.parse(
    name="mixed",
    equations="""
z = sigmoid(W @ concat(h_prev, x))
h = (sigmoid(zeta) * (1 - z) + 0.5) * tanh((blocks * V - V.T) @ h_prev) + x / (2 + z * c_prev)
c = c_prev - 2 * alpha * h
""",
    constants=["blocks"],
    scalars=["zeta", "alpha"],
)


def test_rnn_gradients_equal_sympys_scalar_differentiation():
    assert all(check(catalogue["rnn"], 3 if NIGHTLY else 2, {"n": 2, "m": 2}).values())


@night_alone
def test_lstm_gradients_equal_sympys_scalar_differentiation():
    assert all(check(catalogue["lstm"], 2, {"n": 1, "m": 1}).values())


@pytest.mark.long
def test_every_node_at_once_equals_sympys_scalar_differentiation():
    assert all(check(MIXED, 2, {"n": 1, "m": 1}).values())


def test_rnn_chain_is_the_ordered_product_of_slope_and_weight():
    derivation = differentiate(catalogue["rnn"])
    W = MatrixSymbol("W", *catalogue["rnn"].parameters[0].shape)
    a = At(derivation.forward[0].target, FACTOR)
    h = catalogue["rnn"].states[0]
    body = MatMul(DiagMatrix(Slope("tanh", a)), W)
    assert derivation.chain.target == Partial(At(h, TIME), At(h, EARLIER))
    assert derivation.chain.value == TimeProduct(body, FACTOR, TIME, EARLIER + 1)


REPEATED = {
    "a term twice": "h = h_prev + h_prev + U @ x",
    "Heun": "u = h_prev + 0.1 * tanh(W @ h_prev + U @ x)\nh = 0.5 * (h_prev + u)",
    "a matrix twice": "h = W @ h_prev - 3 * tanh(W @ h_prev) + 2 * (W @ h_prev) + U @ x",
    "taken away again": "q = W @ h_prev\nh = q - q + h_prev - h_prev + U @ x",
    "through two states": "c = c_prev + h_prev + U @ x\nh = c + c_prev + 0.5 * (c + h_prev)",
    "a product twice": "h = h_prev * tanh(W @ h_prev) + h_prev * tanh(W @ h_prev) + U @ x",
}  # fmt: skip
REPEATING = [
    Cell.parse(name=name.replace(" ", "_"), equations=equations, sizes={"x": "n"})
    for name, equations in REPEATED.items()
]


def step_jacobian_is_sympys(cell, sizes):
    """Whether every block equals SymPy's own Jacobian of one unrolled step."""
    derivation = differentiate(cell)
    jacobian = derivation.step_jacobian
    unrolled = Unrolled(cell, 1, sizes)
    values = unrolled.values
    for equation in derivation.forward:
        now = {k[0]: v for k, v in values.items() if isinstance(k, tuple) and k[1] == 1}
        now |= {f"{s.name}_prev": values[s.name, 0] for s in cell.states}
        now |= {k: v for k, v in values.items() if not isinstance(k, tuple)}
        values[equation.target.name, 1] = evaluate(equation.value, now)
    now |= {k[0]: v for k, v in values.items() if isinstance(k, tuple) and k[1] == 1}
    return all(
        equal(
            evaluate(jacobian.expanded(a.name, b.name), now),
            now[a.name].jacobian(values[b.name, 0]),
        )
        for a, b in itertools.product(cell.states, cell.states)
    )


@pytest.mark.parametrize(
    ("cell", "sizes"),
    [(catalogue["rnn"], {"n": 2, "m": 1}), (catalogue["lstm"], {"n": 1, "m": 1}),
     *((cell, {"n": 2}) for cell in REPEATING)],
    ids=lambda part: getattr(part, "name", ""),
)  # fmt: skip
def test_step_jacobian_equals_sympys(cell, sizes):
    assert step_jacobian_is_sympys(cell, sizes)


def test_equal_terms_kept_once_give_a_wrong_step_jacobian(monkeypatch):
    def kept_once(total):
        return rules.add(*dict.fromkeys(total.args)) if isinstance(total, MatAdd) else total

    monkeypatch.setattr(rules, "collected", kept_once)
    assert not any(step_jacobian_is_sympys(cell, {"n": 2}) for cell in REPEATING[:2])


def test_equal_terms_add_up():
    twice, heun = (differentiate(cell).step_jacobian.blocks["h", "h"] for cell in REPEATING[:2])
    n = size("n")
    assert twice == rules.scale(2, Identity(n))
    assert rules.scale(2, Identity(n)) in heun.args[1].args


def test_pair_sum_over_k_equals_the_gradient():
    cell = catalogue["rnn"]
    unrolled = Unrolled(cell, 3, {"n": 1, "m": 1})
    derivation = differentiate(cell)
    unrolled.run_backward(derivation)
    values = unrolled.values
    for step in derivation.part("pairs"):
        total = 0 * values[step.equation.target.name]
        inner = step.equation.value.args[0]
        for t in range(1, 4):
            for k in range(1, t + 1):
                chain = evaluate(
                    derivation.chain.value,
                    values | {"sizes": values["sizes"] | {TIME: t, EARLIER: k}},
                )
                at = values | {
                    "sizes": values["sizes"] | {TIME: t, EARLIER: k},
                    derivation.chain.target: chain,
                }
                total += evaluate(inner.args[0], at)
        assert equal(total, values[step.equation.target.name])


def test_every_step_names_its_rule_and_nothing_is_unrolled():
    for cell in (*by_day(catalogue.values(), 5), MIXED):
        derivation = differentiate(cell)
        assert [step.number for step in derivation.steps] == list(
            range(1, len(derivation.steps) + 1)
        )
        assert all(step.rule for step in derivation.steps)
        gradients = {equation.target.name for equation in derivation.parameter_gradients}
        assert gradients >= {p.name + BAR for p in cell.parameters}


def swapped(node, pullback):
    rule = rules.VJP_RULES[node]
    return {node: change(rule, pullback=pullback)}


def drop_slope(y_bar, y, node):
    return (y_bar,)


def transposed(y_bar, y, node):
    a, b = rules.vjp_product(y_bar, y, node)
    return (a.T.doit() if a.shape[0] == a.shape[1] else a), rules.product(node.args[0], y_bar) if (
        node.args[0].shape[0] == node.args[0].shape[1]
    ) else b


def swap_factors(y_bar, y, node):
    return tuple(reversed(rules.vjp_hadamard(y_bar, y, node)))


SPOILT = [(Elementwise, drop_slope), (MatMul, transposed), (HadamardProduct, swap_factors)]


@pytest.mark.parametrize(("node", "pullback"), by_day(SPOILT, 3, 1))
def test_a_wrong_rule_gives_a_wrong_gradient(monkeypatch, node, pullback):
    cell, T = (catalogue["lstm"], 2)
    monkeypatch.setattr(rules, "VJP_RULES", rules.VJP_RULES)
    for key, value in swapped(node, pullback).items():
        monkeypatch.setitem(rules.VJP_RULES, key, value)
    sizes = {"n": 2, "m": 1} if node is MatMul else {"n": 1, "m": 1}
    if node is MatMul:
        cell, T = catalogue["rnn"], 2
    assert not all(check(cell, T, sizes).values())


def test_a_missing_carry_of_c_gives_a_wrong_gradient():
    cell = catalogue["lstm"]
    derivation = differentiate(cell)
    steps = tuple(
        change(step, equation=change(step.equation, value=0 * step.equation.value))
        if step.part == "recursion" and step.terms and step.equation.target.args[0].name ==
        "c.bar_carry" else step
        for step in derivation.steps
    )  # fmt: skip
    broken = change(derivation, steps=steps)
    result = check(cell, 2, {"n": 1, "m": 1}, broken, only=("W_fh.bar", ("c.bar", 0)))
    assert result == {"W_fh.bar": False, ("c.bar", 0): False}


def test_deriving_does_not_depend_on_sizes_or_length():
    derivation = differentiate(catalogue["lstm"])
    assert len(derivation.steps) < 70
    sizes = {s for step in derivation.steps for side in step.equation.target.shape
             for s in side.free_symbols}  # fmt: skip
    assert sizes == {size("n"), size("m")}
