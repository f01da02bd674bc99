"""Lowering and passes: the program means the derivation, and every pass keeps the meaning."""

from dataclasses import replace
from functools import cache
from itertools import cycle, product

import numpy as np
import pytest
from profiles import NIGHTLY, by_day
from programs import MIXED, SIZES, Sizes, arguments
from run_program import run_program

from derive.calculus.through_time import differentiate
from derive.cell import Cell, catalogue
from numeric.compiler.kernel import compile_cell
from numeric.compiler.lower import lower
from numeric.compiler.passes import FUSED, defer, hoist, optimise, share
from numeric.compiler.program import Block, Carry, Program, Statement
from numeric.compiler.stacking import stack
from numeric.compiler.targets import STYLES

GATED = Cell.parse(
    name="gated",
    equations="""
z = sigmoid(W_zh @ h_prev + W_zx @ x + b_z)
r = sigmoid(W_rh @ h_prev + W_rx @ x + b_r)
h_tilde = tanh(W_hh @ (r * h_prev) + W_hx @ x + b_h)
h = (1 - z) * h_prev + z * h_tilde
""",
)
CELLS = [*catalogue.values(), GATED, MIXED]


BY_NAME = pytest.mark.parametrize("cell", by_day(CELLS, 10), ids=lambda cell: cell.name)


def meaning(cell, program, sizes=SIZES):
    """The program's results by group and key, by the interpreter."""
    given, cotangents = arguments(cell, sizes)
    groups = {**given, "cotangents": cotangents}
    flat = {a.name: np.asarray(groups[a.group][a.key]) for a in program.arguments}
    for argument in program.arguments:
        if argument.group == "constants" and argument.key in cell.sequences:
            value = flat[argument.name]
            shape = (sizes["T"], sizes["B"], *value.shape[1:])
            flat[argument.name] = np.broadcast_to(value[:, None], shape)
    values = run_program(program, flat, sizes)
    return {(r.group, r.key): values[r.name] for r in program.results}


def assert_same(left, right, tolerance=1e-12):
    assert left.keys() == right.keys()
    for key, value in left.items():
        assert value.shape == right[key].shape, key
        scale = np.abs(right[key]).max(initial=0)
        assert np.abs(value - right[key]).max(initial=0) <= tolerance * scale, key


def kernel_meaning(cell, style):
    given, cotangents = arguments(cell)
    kernel = compile_cell(cell, style)
    states, tape = kernel.forward(*given.values())
    gradients = kernel.backward(given["params"], tape, cotangents)
    found = {("states", k): v for k, v in states.items()}
    for group, arrays in gradients.items():
        found |= {(group, k): v for k, v in arrays.items()}
    return found


@cache
def plain(cell):
    return lower(differentiate(cell))


def styles():
    """Each cell in every style; by day in one, in turn."""
    pairs = product(CELLS, STYLES)
    turns = zip(CELLS, cycle(STYLES), strict=False)
    return [*(pairs if NIGHTLY else turns)]


@pytest.mark.parametrize(
    ("cell", "style"), by_day(styles(), 11), ids=lambda part: getattr(part, "name", part)
)
def test_emitted_code_means_what_the_plain_program_means(cell, style):
    assert_same(kernel_meaning(cell, style), meaning(cell, plain(cell)), 1e-11)


@pytest.mark.by_default(
    "depth_gated_lstm",
    "delta_net",
    "lstm_nog",
    "cfn",
    "mut1",
    "lmu",
    "ugrnn",
    "fast_rnn",
    "antisymmetric_rnn",
)
@BY_NAME
def test_each_pass_keeps_the_meaning(cell):
    program = plain(cell)
    wanted = meaning(cell, program)
    for improve in FUSED:
        program = improve(program)
        assert_same(meaning(cell, program), wanted)


def test_passes_do_their_work_on_the_lstm():
    program = optimise(plain(catalogue["lstm"]), FUSED)
    inside = [s for block in program.blocks if block.loop for s in block.statements]
    products = [s.op for s in inside if s.op in {"apply", "pull", "outer", "gather"}]
    assert products == ["apply", "pull"]
    assert not any(s.accumulate for s in inside)


def wrong_hoist(program):
    """A mutant: the recurrent product done before the loop, from states not yet computed."""
    blocks = list(program.blocks)
    place = next(i for i, block in enumerate(blocks) if block.loop)
    first = blocks[place].statements[0]
    blocks[place] = replace(blocks[place], statements=blocks[place].statements[1:])
    blocks.insert(place, Block("forward", (first,)))
    return replace(program, blocks=tuple(blocks),
                   dims={**program.dims, first.target: program.dims["h"]})  # fmt: skip


def wrong_stack(program):
    """A mutant: two gates' columns exchanged."""
    stacked = stack(program)
    views = dict(stacked.views)
    views["f"], views["i"] = views["i"], views["f"]
    return replace(stacked, views=views)


def wrong_defer(program):
    """A mutant: a weight gradient from one step only."""
    blocks = list(program.blocks)
    place = next(i for i, b in enumerate(blocks) if b.phase == "backward" and b.loop)
    kept = tuple(replace(s, accumulate=False) if s.target == "b_f_bar" else s
                 for s in blocks[place].statements)  # fmt: skip
    before = [
        replace(b, statements=tuple(s for s in b.statements if s.target != "b_f_bar"))
        for b in blocks[:place]
    ]
    return replace(
        program, blocks=(*before, replace(blocks[place], statements=kept), *blocks[place + 1 :])
    )


@pytest.mark.parametrize("mutant", [wrong_hoist, wrong_stack, wrong_defer])
def test_a_pass_that_changes_the_meaning_is_seen(mutant):
    cell = catalogue["lstm"]
    program = plain(cell)
    with pytest.raises(AssertionError):
        assert_same(meaning(cell, mutant(program)), meaning(cell, program))


@pytest.mark.by_default(
    "depth_gated_lstm",
    "delta_net",
    "lstm_nog",
    "cfn",
    "mut1",
    "lmu",
    "ugrnn",
    "fast_rnn",
    "antisymmetric_rnn",
)
@BY_NAME
def test_passes_keep_the_meaning_at_degenerate_sizes(cell):
    fused = optimise(plain(cell), FUSED)
    for change in ({"T": 0}, {"B": 0}, {"n": 1, "m": 1}):
        sizes = Sizes(SIZES | change)
        assert_same(meaning(cell, fused, sizes), meaning(cell, plain(cell), sizes))


@pytest.mark.parametrize(
    ("statements", "carries", "says"),
    [
        ((Statement("new", "add", ("a",), (1,)),), (), "not defined before it"),
        ((Statement("x", "add", ("x",), (1,)),), (), "assigns a second time"),
        ((Statement("new", "add", ("x",), (1,), accumulate=True),), (), "grows from nothing"),
        ((Statement("new", "wave", ("x",)),), (), "unknown operation"),
        ((Statement("new", "add", ("x",), (1,)),), (), "no dimensions"),
        ((), (Carry("c", "d"),), "never assigned"),
    ],
)
def test_a_program_that_breaks_its_promises_is_refused(statements, carries, says):
    block = Block("forward", statements, "forward", carries)
    program = plain(catalogue["rnn"])
    with pytest.raises(ValueError, match=says):
        Program(program.arguments, (block,), (), program.dims)


def test_shared_work_is_done_once():
    program = plain(MIXED)
    count = lambda p: sum(len(block.statements) for block in p.blocks)  # noqa: E731
    assert count(share(program)) < count(program)
    assert count(defer(hoist(program))) <= count(program) + len(program.arguments)


ONE_NUMBER = Cell.parse(
    name="one_number", scalars=["b"],
    equations="h = tanh(U @ x) + sigmoid(-(dot(w, x) + b)) * h_prev",
)  # fmt: skip


def test_equal_work_of_other_shapes_is_not_shared():
    """−ā of a gate of one number fills the cotangent of a vector, and is summed as one number."""
    wanted = meaning(ONE_NUMBER, plain(ONE_NUMBER))
    assert_same(kernel_meaning(ONE_NUMBER, "fused"), wanted, 1e-12)


def test_a_pass_that_breaks_the_program_is_at_fault_itself():
    def forgetful(program):
        return replace(program, blocks=program.blocks[1:])

    program = lower(differentiate(catalogue["lstm"]))
    with pytest.raises(RuntimeError, match=r"^pass forgetful: "):
        optimise(program, [share, forgetful])
