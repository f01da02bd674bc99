"""Time in segments: the same gradients of less memory, or those that look back only so far."""

import tracemalloc

import numpy as np
import pytest
from c_code import case_of, cell_named, compiles, largest_error, needs_compiler, plain_flag, result
from profiles import NIGHTLY, by_day, night_alone

from derive.cell import Cell, catalogue
from numeric.compiler.kernel import compile_cell
from numeric.compiler.segments import Segments, segments
from numeric.compiler.to_c.segments import RENAMED
from numeric.verification.verify import verify

TARGETS = ["numpy", pytest.param("c", marks=needs_compiler)]
CELLS = ["mixed"] if not NIGHTLY else [*catalogue, "mixed"]


@pytest.mark.by_default("mixed-numpy")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", CELLS)
def test_checkpoints_change_no_gradient(name, target):
    cell = cell_named(name)
    for checkpoint in (0, 4) if NIGHTLY or target == "numpy" else (0,):
        kernel = compile_cell(cell, "fused", target, checkpoint=checkpoint)
        plain = compile_cell(cell, "fused")
        for steps in (0, 1, 4, 5, 17):
            case = case_of(cell, 4, steps=steps, batch=3)
            case.cotangents.pop(next(iter(case.cotangents)))
            assert largest_error(result(kernel, case), result(plain, case)) < 1e-13
        empty = case_of(cell, 4, steps=5, batch=0)
        assert largest_error(result(kernel, empty), result(plain, empty)) == 0


def pieces(case, length):
    """The gradient truncated at each multiple of `length`, from whole gradients of segments."""
    plain, found = compile_cell(catalogue["lstm"], "textbook"), {}
    before = case.initial
    for start in range(0, case.steps, length):
        stop = start + length
        states, tape = plain.forward(case.params, {"x": case.inputs["x"][start:stop]}, before)
        bars = {name: rows[start:stop] for name, rows in case.cotangents.items()}
        made = plain.backward(case.params, tape, bars)
        before = {name: rows[-1] for name, rows in states.items()}
        if not found:
            found = made
            continue
        for name, bar in made["params"].items():
            found["params"][name] = found["params"][name] + bar
        found["inputs"]["x"] = np.concatenate([found["inputs"]["x"], made["inputs"]["x"]])
    return found


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("more", by_day([{"checkpoint": 3}, {}], 2))
def test_a_truncated_gradient_is_the_sum_of_those_of_its_segments(target, more):
    case = case_of(catalogue["lstm"], 4, steps=15, batch=2)
    kernel = compile_cell(catalogue["lstm"], "fused", target, truncate=6, **more)
    want = pieces(case, 6)
    got = result(kernel, case)
    assert largest_error({group: got[group] for group in want}, want) < 1e-13
    whole = result(compile_cell(catalogue["lstm"]), case)
    assert largest_error(got, whole) > 1e-3
    assert largest_error({"states": got["states"]}, {"states": whole["states"]}) < 1e-13


WRONG = {
    "numpy": (
        ("nothing is cut", "carried = {}\n            for", "pass\n            for"),
        ("what comes back is lost", "own[-1] = own[-1] + bar", "own[-1] = own[-1]"),
        ("a segment's own part is lost", "own[...] = bars[name]", "own[...] = 0"),
        ("only the first segment's parameters", "totals[name] + bar", "bar"),
        ("a segment begins with the first state", "part[0], kept[number]", "part[0], kept[0]"),
    ),
    "c": (
        ("nothing is cut", " && (t + p.steps) % 4 != 0", ""),
        ("what comes back is lost", "+= base[p.carry_h + j]", "+= R(0.0)"),
        ("a segment's own part is lost", "= from ? from[i * next + j] : R(0.0)", "= R(0.0)"),
        ("only the last segment's parameters", "[i] += base[p.sum_W + i]", "[i] += R(0.0)"),
        ("a segment reads the first inputs", "given->inputs.x + t * ", "given->inputs.x + 0 * "),
    ),
}  # fmt: skip


@pytest.mark.by_default("c")
@pytest.mark.parametrize("target", TARGETS)
def test_verification_knows_what_is_left_out_and_sees_what_is_wrong(target):
    """Right code passes; each mistake of one of the two ways through time is seen."""
    right = compile_cell(catalogue["rnn"], "fused", target, checkpoint=2, truncate=4)
    verdict = verify(right)
    assert verdict.status == "pass", verdict.summary()
    assert "complex_step" not in verdict.checks
    for number, (what, old, new) in enumerate(WRONG[target]):
        assert right.source.count(old) >= 1, what
        if NIGHTLY or (number < 2 and target == "numpy"):
            source = right.source.replace(old, new)
            wrong = type(right)(right.cell, right.style, source, target, right.segments)
            assert verify(wrong).status == "fail", what
    whole = compile_cell(catalogue["rnn"], "fused", target)
    as_if = type(right)(right.cell, right.style, whole.source, target, right.segments)
    assert verify(as_if).status == "fail"


@pytest.mark.long
def test_the_tape_of_segments_is_a_small_part():
    cell = catalogue["lstm"]
    case = case_of(cell, 16, steps=2500, batch=2, regime="contracting")
    peaks = []
    for checkpoint in (None, 0):
        kernel = compile_cell(cell, "fused", checkpoint=checkpoint)
        tracemalloc.start()
        states, tape = kernel.forward(case.params, case.inputs, case.initial)
        gradients = kernel.backward(case.params, tape, case.cotangents)
        handed = sum(a.nbytes for a in (*states.values(), *gradients["inputs"].values()))
        peaks.append(tracemalloc.get_traced_memory()[1] - handed)
        tracemalloc.stop()
    assert peaks[1] < peaks[0] / 10


WITH_OUTPUT = Cell.parse(
    name="seen", equations="h = tanh(W @ h_prev + U @ x)\ny = V @ h", outputs=["y"]
)  # fmt: skip


ONE_NUMBER = Cell.parse(
    name="one", equations="h = g * h_prev + v\ny = sum(b) * h", scalars=["h", "g", "v"],
    inputs=["v"], outputs=["y"],
)  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("cell", [WITH_OUTPUT, ONE_NUMBER], ids=lambda cell: cell.name)
def test_outputs_that_are_no_states_go_with_them(cell, target):
    kernel = compile_cell(cell, "fused", target, checkpoint=3)
    case = case_of(cell, 4, steps=8)
    want = result(compile_cell(cell, "textbook"), case)
    assert {*want["states"]} == {"h", "y"}
    assert largest_error(result(kernel, case), want) < 1e-13


def test_what_is_left_out_stands_in_the_file():
    for target in ("numpy", "c"):
        source = compile_cell("rnn", "fused", target, truncate=7).source
        assert "Truncated: no gradient goes back over a multiple of 7 steps." in source
        assert "this omits ∑ ∂L/∂s_t ∂s_t/∂s_j ∂s_j/∂θ" in source
        if target == "c":
            assert all(f"segment_{name}(" in source for name in RENAMED)
        kept = compile_cell("rnn", "fused", target, checkpoint=0).source
        assert "states are kept every k steps, k the root of T" in kept


def test_segments_that_cannot_be_are_refused():
    assert segments(None, None) is None
    assert segments(0, 5) == Segments(5, 5)
    with pytest.raises(ValueError, match="multiple of the 4 steps between checkpoints, came 6"):
        segments(4, 6)
    with pytest.raises(ValueError, match="truncate: expected 1 step or more, came 0"):
        segments(None, 0)
    with pytest.raises(ValueError, match="expected whole numbers of steps"):
        segments(-1, None)


@needs_compiler
@night_alone
def test_a_file_in_segments_compiles_without_a_complaint(tmp_path):
    source = compile_cell(cell_named("mixed"), "fused", "c", checkpoint=0, truncate=6).source
    for flags in (("-std=c11", "-pedantic", plain_flag(source)), ("-std=gnu11", "-march=native")):
        assert compiles("gcc", source, tmp_path, *flags) == ""
