"""The check of a derivation passes what is right, and a wrong line of any part fails it."""

from __future__ import annotations

from dataclasses import replace as change
from time import process_time

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from profiles import NIGHTLY, by_day
from sympy import MatAdd, Transpose

from derive import Cell, CellError, catalogue, differentiate
from derive.calculus import paths, rules, through_time
from derive.calculus.through_time import FACTOR, TIME
from derive.language.expr import TimeProduct, TimeSum, scale
from derive.language.functions import FUNCTIONS
from derive.theorems.claims import Relation
from derive.theorems.domination import domination_matrix
from derive.theorems.lower_bounds import determinant
from derive.theorems.theorems import domination
from numeric.numbers.fifty_digits import Forward, fifty
from numeric.numbers.moving import DIGITS, NothingShownError
from numeric.strategies import cells
from numeric.verification.derivation import check, jacobian_lines, norms
from numeric.verification.derivation.check import (
    WrongDerivationError,
    derivation_check,
    examine,
    require_derivation,
)
from reports.cli import main
from reports.write import write_report

HEUN = Cell.parse(
    name="heun",
    equations="u = h_prev + 0.1 * tanh(W @ h_prev + U @ x)\nh = 0.5 * (h_prev + u)",
)
WIDE = Cell.parse(
    name="wide",
    equations="""
z = softmax(W @ concat(h_prev, x) + b)
q = sigmoid(zeta) * (1 - z) / (2 + z * c_prev) + m * h_prev
h = tanh((blocks * V - V.T) @ q) + V @ h_prev + 0.3 * y
c = c_prev - 2 * alpha * h * h + c_prev
""",
    inputs=["x", "y"], constants=["blocks", "m[t]"], scalars=["zeta", "alpha"],
)  # fmt: skip
LARGER = (catalogue["lstm"], catalogue["nas"]) if NIGHTLY else ()
MUTATED = {cell.name: cell for cell in (catalogue["coupled_lstm"], WIDE, *LARGER)}


def kept_once(total):
    """The old fault: equal terms are kept once instead of added."""
    return rules.add(*dict.fromkeys(total.args)) if isinstance(total, MatAdd) else total


def with_step(derivation, step, value):
    """The derivation with another right side of one line."""
    made = change(step, equation=change(step.equation, value=value))
    steps = tuple(made if own is step else own for own in derivation.steps)
    chain = made.equation if step.equation == derivation.chain else derivation.chain
    return change(derivation, steps=steps, chain=chain)


@pytest.mark.by_default(
    "residual_lstm",
    "mlstm_stabilised",
    "mut3",
    "gru",
    "delta_net",
    "sgrn",
    "fast_rnn",
)
@pytest.mark.parametrize("name", by_day(catalogue, 8))
def test_every_cell_of_the_catalogue_is_derived_right_in_a_third_of_a_second(name):
    derivation = differentiate(catalogue[name])
    start = process_time()
    found = examine(derivation)
    assert process_time() - start < 0.6  # 0.3 where nothing else runs on the machine
    assert found.wrong == ()
    assert found.numbers == "mod 2**61 - 1"
    assert found.lines > len(derivation.steps)


@pytest.mark.parametrize("cell", [HEUN, WIDE], ids=lambda cell: cell.name)
def test_constants_scalars_and_repeated_terms_are_derived_right(cell):
    assert examine(differentiate(cell)).wrong == ()


@pytest.mark.long
@pytest.mark.parametrize("name", by_day(MUTATED, 4, 1))
def test_any_line_doubled_is_found(name):
    derivation = differentiate(MUTATED[name])
    defining = len(derivation.part("chain")) - 1
    missed = []
    for step in by_day(derivation.steps, 4):
        value = step.equation.value
        if scale(2, value) == value or (step.part == "chain" and defining > 0):
            continue
        found = examine(with_step(derivation, step, scale(2, value)))
        if not found.wrong:
            missed.append(step.number)
        elif step.part in {"jacobian", "gradients", "pairs"}:
            assert any(f"line ({step.number})" in said for said in found.wrong), step
    assert missed == []


@pytest.mark.by_default("lif")
@pytest.mark.parametrize("name", ["ligru", "lif"])
def test_a_line_that_the_first_numbers_left_at_zero_is_examined_with_others(name):
    """A relu of negative numbers alone, a neuron that never fires: then any line holds."""
    derivation = differentiate(catalogue[name])
    idle = check._sure(derivation, 0).idle()
    assert idle
    for step in (one for one in derivation.steps if one.number in idle):
        spoilt = with_step(derivation, step, scale(2, step.equation.value))
        assert check._sure(spoilt, 0).wrong == {}
        assert examine(spoilt).wrong


def test_fifty_digits_find_it_too(monkeypatch):
    derivation = differentiate(catalogue["gru"])
    assert not check._lines(derivation, DIGITS, 0)[0].wrong
    step = derivation.part("jacobian")[-1]
    wrong = with_step(derivation, step, scale(-1, step.equation.value))
    assert check._lines(wrong, DIGITS, 0)[0].wrong

    def refuse(constant):
        raise TypeError("no element")

    exact = change(check.EXACT, arithmetic=change(check.EXACT.arithmetic, number=refuse))
    monkeypatch.setattr(check, "EXACT", exact)
    assert examine(differentiate(catalogue["lstm"])).numbers == "50 digits"
    assert examine(wrong).wrong


def examine_drawn(count):
    """Examines drawn cells; a wrong derivation is an AssertionError."""

    @settings(
        max_examples=count, deadline=None, database=None, derandomize=True,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(cells())
    def drawn(cell):
        assert examine(differentiate(cell)).wrong == ()

    drawn()


@pytest.mark.long
def test_the_old_fault_is_found_within_200_drawn_cells(monkeypatch):
    monkeypatch.setattr(rules, "collected", kept_once)
    with pytest.raises(AssertionError):
        examine_drawn(200)


@pytest.mark.long
def test_drawn_cells_are_derived_right():
    examine_drawn(2000 if NIGHTLY else 12)


def test_a_partial_with_a_wrong_sign_is_found(monkeypatch):
    right = rules.JACOBIAN_RULES[rules.Quotient]
    monkeypatch.setitem(
        rules.JACOBIAN_RULES, rules.Quotient,
        lambda y, node, parts: rules.negate(right(y, node, parts)),
    )  # fmt: skip
    assert any("not the derivative of one step" in said for said in examine(
        differentiate(WIDE)).wrong)  # fmt: skip


def test_blocks_that_bounds_use_are_checked_by_themselves():
    derivation = differentiate(catalogue["lstm"])
    jacobian = derivation.step_jacobian
    blocks = {**jacobian.blocks, ("h", "h"): scale(2, jacobian.blocks["h", "h"])}
    wrong = change(derivation, step_jacobian=change(jacobian, blocks=blocks))
    assert any("what bounds make of it" in said for said in examine(wrong).wrong)


@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_a_chain_in_reversed_order_is_found(name):
    derivation = differentiate(catalogue[name])
    body, *limits = derivation.chain.value.args
    turned = Transpose(TimeProduct(Transpose(body), *limits))
    found = examine(with_step(derivation, derivation.part("chain")[-1], turned))
    assert any("several steps" in said for said in found.wrong)


def test_a_chain_with_a_factor_less_is_found():
    derivation = differentiate(catalogue["rnn"])
    body, _, latest, earliest = derivation.chain.value.args
    short = TimeProduct(body, FACTOR, latest, earliest + 1)
    assert examine(with_step(derivation, derivation.part("chain")[-1], short)).wrong


def test_pairs_without_the_step_itself_are_found():
    derivation = differentiate(catalogue["lstm"])
    step = derivation.part("pairs")[0]
    inner, *outer = step.equation.value.args
    body, index, first, _ = inner.args
    short = TimeSum(TimeSum(body, index, first, TIME - 1), *outer)
    (said,) = examine(with_step(derivation, step, short)).wrong
    assert f"line ({step.number})" in said


def test_what_is_added_once_is_part_of_the_sum_over_pairs():
    cell = Cell.parse(name="skew", equations="h = W @ h_prev + tanh((W - W.T) @ h_prev + U @ x)")
    derivation = differentiate(cell)
    assert examine(derivation).wrong == ()
    step = next(s for s in derivation.part("pairs") if isinstance(s.equation.value, MatAdd))
    lost = with_step(derivation, step, step.equation.value.args[0])
    assert any(f"line ({step.number})" in said for said in examine(lost).wrong)


def test_a_wrong_partial_within_a_step_is_found(monkeypatch):
    right = jacobian_lines.partials

    def doubled(cell, forward, by):
        found, named = right(cell, forward, by)
        return {k: v if k == by else scale(2, v) for k, v in found.items()}, named

    monkeypatch.setattr(jacobian_lines, "partials", doubled)
    assert any("sums over pairs" in said for said in examine(
        differentiate(catalogue["lstm"])).wrong)  # fmt: skip


@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_a_determinant_without_a_factor_is_found(monkeypatch, name):
    def short(derivation):
        entries, _ = determinant(derivation).args
        return entries

    monkeypatch.setattr(jacobian_lines, "determinant", short)
    assert any("determinant" in said for said in examine(differentiate(catalogue[name])).wrong)


@pytest.mark.by_default("rnn", "cornn")
@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "cornn"])
def test_half_of_an_entry_of_n_is_found(monkeypatch, name):
    derivation = differentiate(catalogue[name])
    order = len(derivation.cell.states)
    for place in range(order**2):
        i, j = divmod(place, order)
        if domination_matrix(derivation).entries[i][j] == 0:
            continue

        def halved(derivation, split=False, i=i, j=j):
            found = domination_matrix(derivation, split=split)
            rows = [list(row) for row in found.entries]
            rows[i][j] = rows[i][j] / (1 if split else 2)
            return change(found, entries=tuple(map(tuple, rows)))

        monkeypatch.setattr(norms, "domination_matrix", halved)
        assert any("over all steps" in said for said in examine(derivation).wrong), (i, j)
    monkeypatch.setattr(norms, "domination_matrix", domination_matrix)
    last = domination(derivation)[-1]
    short = (*domination(derivation)[:-1], Relation(last.left, "=", last.right / 2))
    monkeypatch.setattr(norms, "domination", lambda derivation: short)
    assert any("along a trajectory" in said for said in examine(derivation).wrong)


@pytest.mark.by_default("gru")
@pytest.mark.parametrize("name", ["lstm", "gru", "nas"])
def test_a_lost_path_and_a_wrong_edge_are_found(monkeypatch, name):
    derivation = differentiate(catalogue[name])
    graph = paths.path_graph(derivation)
    lost = change(graph, routes=graph.routes[:-1])
    target, ((source, slope), *rest) = list(graph.edges.items())[-1]
    edges = {**graph.edges, target: ((source, scale(2, slope)), *rest)}
    for wrong, said in ((lost, "do not add up"), (change(graph, edges=edges), "the edge")):
        monkeypatch.setattr(jacobian_lines, "path_graph", lambda derivation, made=wrong: made)
        assert any(said in line for line in examine(derivation).wrong)


@pytest.fixture
def nothing_kept():
    """No derivation made before a rule was broken, and none made while it was."""
    through_time._kept.cache_clear()
    yield
    through_time._kept.cache_clear()


@pytest.mark.usefixtures("nothing_kept")
def test_nothing_is_said_of_a_cell_whose_derivation_is_wrong(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(rules, "collected", kept_once)
    with pytest.raises(WrongDerivationError, match=r"'heun': line \(\d+\)"):
        require_derivation(HEUN)
    assert derivation_check(HEUN, ours=True).status == "fail"
    assert derivation_check(HEUN, ours=False).status == "inconclusive"
    path, folder = tmp_path / "heun.toml", tmp_path / "o"
    path.write_text(f'name = "heun"\nequations = """{HEUN.text}"""\n')
    for words in (
        ["show"],
        ["bounds"],
        ["verify"],
        ["emit"],
        ["report", "-o", str(folder)],
    ):
        assert main([words[0], str(path), *words[1:]]) == 101
        said = capsys.readouterr()
        assert said.out == ""
        assert "a fault of this program: WrongDerivationError: cell 'heun': line (" in said.err
        assert "∂h_t/∂h_{t−1}" in said.err
    assert not folder.exists()
    with pytest.raises(WrongDerivationError):
        write_report(HEUN, tmp_path / "r", formats=["tex"])
    assert list((tmp_path / "r").iterdir()) == []


NO_VALUE = {
    "of one number": "h = layer_norm(U @ h_prev + W @ x)",
    "of one number, in a function": "a = softmax(U @ h_prev)\nh = log(1 - a) * x",
    "divided by 0 at most numbers": "h = h_prev / relu(x) + x",
    "log of 0 at most numbers": "h = log(relu(x)) * h_prev",
    "all of it cancels": "a = relu(W @ x)\nh = h_prev + a / sum(a)",
}


@pytest.mark.parametrize("what", NO_VALUE)
def test_numbers_that_a_cell_has_no_value_of_are_passed_over(what: str) -> None:
    cell = Cell.parse(name="partial", equations=NO_VALUE[what])
    require_derivation(cell)
    assert derivation_check(cell, ours=True).status == "pass"


def test_a_wrong_line_is_seen_where_most_numbers_have_no_value(monkeypatch) -> None:
    cell = Cell.parse(name="partial", equations="h = tanh(h_prev / relu(x)) + x")
    derivation = differentiate(cell)
    steps = tuple(
        change(step, equation=change(step.equation, value=scale(2, step.equation.value)))
        if step.part == "adjoint" else step
        for step in derivation.steps
    )  # fmt: skip
    assert examine(change(derivation, steps=steps)).wrong


def test_a_cell_that_has_no_value_anywhere_is_refused_in_words() -> None:
    cell = Cell.parse(name="never", equations="h = h_prev / (x - x) + x")
    with pytest.raises(CellError, match="no value at any of 199 drawn calls: the equations divide"):
        require_derivation(cell)


@pytest.mark.parametrize("slope", [n.removeprefix("step_") for n in FUNCTIONS if "step_" in n])
def test_a_declared_slope_is_that_of_its_surrogate_where_the_step_stands(slope):
    cell = Cell.parse(name="at", equations=f"s = abs(step(s_prev, slope={slope})) + 0.0 * x")
    assert examine(differentiate(cell)).wrong == ()


def test_small_numbers_are_no_rounding_where_they_agree_and_decide_nothing_where_they_do_not():
    small = [Forward(fifty("1e-60")), Forward(fifty("3e-60"))]
    assert DIGITS.equal(small, [Forward(entry.value) for entry in small])
    with pytest.raises(NothingShownError):
        DIGITS.equal(small, [Forward(entry.value * 2) for entry in small])
    with pytest.raises(NothingShownError):
        DIGITS.equal([Forward(fifty("1e-49"))], [Forward(fifty(0))])
    assert not DIGITS.equal([Forward(fifty("1e-41"))], [Forward(fifty(0))])


def test_a_wrong_line_of_small_numbers_is_not_let_through(monkeypatch):
    cell = Cell.parse(name="small", equations="h = 1e-60 * relu(W @ h_prev) * x")
    monkeypatch.setattr(check, "EXACT", DIGITS)
    assert examine(differentiate(cell)).wrong == ()
    derivation = differentiate(cell)
    steps = tuple(
        change(s, equation=change(s.equation, value=scale(3, s.equation.value)))
        if (s.part, str(s.equation.target)) == ("gradients", "W.bar") else s
        for s in derivation.steps
    )  # fmt: skip
    assert steps != derivation.steps
    with pytest.raises(CellError, match="nothing could be compared"):
        examine(change(derivation, steps=steps))


def test_norms_that_no_draw_compares_are_not_counted_as_compared(monkeypatch):
    monkeypatch.setattr(norms, "_DRAWS", ((1,),))
    derivation = differentiate(Cell.parse(name="one", equations="h = layer_norm(W @ h_prev + x)"))
    with pytest.raises(CellError, match="no value at any of"):
        norms.undominated(derivation, 0)


def test_a_jacobian_that_cancels_to_zero_is_dominated_by_zero():
    derivation = differentiate(Cell.parse(name="ratio", equations="h = h_prev / h_prev + W @ x"))
    assert examine(derivation).wrong == ()
    assert norms.undominated(derivation, 0)[1] == ()
