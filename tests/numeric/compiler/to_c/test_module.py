"""Compiled C against the equations: every cell, both dtypes, sizes around the vector length."""

import ctypes
import re
import subprocess
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from c_code import CELLS, DTYPES, SIZES, case_of, cell_named, largest_error, needs_compiler, result
from complete_functions import RISING
from profiles import NIGHTLY, by_day
from programs import MATRICES, MIXED
from sympy import Interval, S, asinh, sqrt

from derive.cell import Cell, catalogue
from derive.language.functions import FUNCTIONS, ElementwiseFunction, X
from numeric.compiler.kernel import compile_cell, without_volatile
from numeric.compiler.operations import OPERATIONS
from numeric.compiler.to_c import build, calls
from numeric.compiler.to_c.names import identifiers
from numeric.compiler.to_c.pools import Memory, address_of
from numeric.compiler.to_c.target import C
from numeric.numbers.primitives import PRIMITIVES, Primitive
from numeric.verification import verify as verification
from numeric.verification.interface import strict
from numeric.verification.problems.of_cell import CellProblem
from numeric.verification.verdict import NOT_APPLICABLE, PASS
from numeric.verification.verify import TOLERANCES

pytestmark = needs_compiler


class AroundVectors(CellProblem):
    """A cell on set sizes alone: just below, at and above whole vectors."""

    def ordinary_cases(self, regimes, *, seed=0, small=False):
        for number, n in enumerate(SIZES):
            for dtype in DTYPES:
                yield case_of(self.cell, n, dtype=dtype, seed=number)

    def unusual_cases(self, *, seed=0):
        yield case_of(self.cell, 130, steps=9, batch=13, seed=1, regime="contracting")
        for dtype in DTYPES:  # several chunks of steps in both passes
            yield case_of(
                self.cell, 5, steps=40, batch=7, seed=2, dtype=dtype, regime="contracting"
            )


@pytest.mark.by_default("rnn-fused")
@pytest.mark.parametrize("style", ["fused", "stable"] if NIGHTLY else ["fused"])
@pytest.mark.parametrize("name", CELLS if NIGHTLY else [*CELLS[::4], "late"])
def test_gradients_at_sizes_around_the_vector_length(name, style):
    cell = cell_named(name)
    kernel = compile_cell(cell, style, "c")
    audited = strict(kernel, AroundVectors(cell), compile_cell(cell), ours=True, seed=0)
    assert audited.interface.status == PASS, audited.interface.reason
    check = verification._autograd(audited.session, 1)
    assert check.status == PASS, check.reason
    assert check.figures["examples"] >= len(SIZES) * len(DTYPES)


@pytest.mark.long
@pytest.mark.parametrize("name", CELLS if NIGHTLY else ["lstm"])
def test_every_other_check_passes_and_two_say_why_they_cannot_run(name):
    verdict = verification.verify(compile_cell(cell_named(name), "fused", "c"))
    assert verdict.status == PASS, verdict.summary()
    found = {check: verdict.checks[check] for check in ("complex_step", "exact")}
    assert {check.status for check in found.values()} == {NOT_APPLICABLE}
    assert "the C code takes float32 or float64, came complex128" in found["complex_step"].reason


@pytest.mark.long
def test_a_wrong_formula_in_c_does_not_pass():
    kernel = compile_cell(catalogue["rnn"], "fused", "c")
    wrong = kernel.source.replace("R(1.0) - h * h", "R(1.0) + h * h")
    assert wrong != kernel.source
    changed = type(kernel)(kernel.cell, kernel.style, wrong, kernel.target)
    assert verification.verify(changed).status == "fail"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("group", "value"), [
    ("inputs", np.nan), ("inputs", np.inf), ("params", np.nan), ("params", -np.inf),
    ("cotangents", np.nan), ("cotangents", np.inf), ("initial", np.nan),
])  # fmt: skip
@pytest.mark.parametrize("cell", [catalogue["lstm"], catalogue["gru"], catalogue["irnn"]],
                         ids=lambda cell: cell.name)  # fmt: skip
def test_nan_and_infinities_go_where_numpy_sends_them(cell, group, value, dtype):
    case = case_of(cell, 9, dtype=dtype)
    arrays = getattr(case, group)
    for array in arrays.values():
        array.reshape(-1)[array.size // 2] = value
    with np.errstate(all="ignore"):
        want = result(compile_cell(cell, "textbook"), case)
    got = result(compile_cell(cell, "fused", "c"), case)
    for part, held in want.items():
        for name, array in held.items():
            np.testing.assert_array_equal(np.isnan(got[part][name]), np.isnan(array), part + name)
            np.testing.assert_array_equal(np.isinf(got[part][name]), np.isinf(array), part + name)


def test_strided_and_fortran_ordered_arrays_are_taken_as_they_are_meant():
    cell = catalogue["lstm"]
    case = case_of(cell, 9, steps=30, batch=13)  # copies whose memory would soon be another's
    kernel = compile_cell(cell, "fused", "c")
    want = result(kernel, case)
    for group in ("params", "inputs", "initial", "cotangents"):
        for name, array in getattr(case, group).items():
            wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]))
            wide[..., ::2] = array
            getattr(case, group)[name] = wide[..., ::2] if array.ndim == 3 else (
                np.asfortranarray(array))  # fmt: skip
    assert largest_error(result(kernel, case), want) == 0


def test_a_wrong_argument_is_refused_in_numpys_words():
    cell = catalogue["lstm"]
    kernels = [compile_cell(cell, "fused", target) for target in ("numpy", "c")]
    case = case_of(cell, 3)
    for change in (
        {"params": {**case.params, "W_fh": np.zeros((3, 4))}},
        {"params": {**case.params, "W_q": np.zeros(3)}},
        {"params": [1]},
        {"inputs": {"x": case.inputs["x"].astype(int)}},
        {"inputs": {"x": case.inputs["x"].astype("f4")}},
        {"initial": {"g": np.zeros((2, 3))}},
        {"constants": {"k": np.zeros(2)}},
        {"constants": np.zeros(2)},
        {"initial": np.zeros((2, 3))},
        {"initial": []},
    ):
        said = []
        given = {"params": case.params, "inputs": case.inputs, "initial": {}, "constants": None}
        for kernel in kernels:
            with pytest.raises(ValueError, match=r"expected|unknown") as refusal:
                kernel.forward(**{**given, **change})
            said.append(str(refusal.value))
        assert said[0] == said[1]
    for kernel in kernels:
        with pytest.raises(ValueError, match="tape: expected what forward returned"):
            kernel.backward(case.params, {}, {})
        _, tape = kernel.forward(case.params, case.inputs)  # what came once is known from now on
        for change in ({"constants": np.zeros(2)}, {"initial": np.zeros((2, 3))}):
            with pytest.raises(ValueError, match="expected a dict of arrays, came ndarray"):
                kernel.forward(case.params, case.inputs, **change)
        with pytest.raises(ValueError, match="cotangents: expected a dict of arrays, came ndarray"):
            kernel.backward(case.params, tape, case.cotangents["h"])


def test_sizes_that_overflow_are_refused():
    module = compile_cell(catalogue["lstm"], "fused", "c").module
    calls = module.forward.__self__
    names = ("tape_bytes", "workspace_bytes")
    tape_bytes, workspace_bytes = map(calls.functions(np.dtype(np.float64)), names)

    def size_of(sizes):
        return ctypes.byref(calls.size_type(*(sizes[name] for name, _ in calls.interface.sizes)))

    for sizes in ({"T": 2**40, "B": 2**40, "m": 1, "n": 1}, {"T": -1, "B": 1, "m": 1, "n": 1},
                  {"T": 1, "B": 1, "m": 2**31, "n": 2**31}):  # fmt: skip
        assert min(tape_bytes(size_of(sizes)), workspace_bytes(size_of(sizes))) == -1
    assert tape_bytes(size_of({"T": 5, "B": 1, "m": 2, "n": 3})) > 0


def test_macros_of_the_file_and_of_compilers_are_names_like_others():
    text = "a = W @ x\nh = tanh(a + LEAST + LN2_HIGH + TILE_ROWS + BIAS + unix + U @ h_prev"
    text += " + a_rows + beside_1 + packed_1)"
    cell = Cell.parse(name="macros", equations=text)
    kernel, case = compile_cell(cell, "fused", "c"), case_of(cell, 3)
    assert largest_error(result(kernel, case), result(compile_cell(cell), case)) < 1e-12


def test_macros_of_the_standard_headers_are_names_like_others():
    text = "h = tanh(INT_MAX + INT8_MAX + UINT8_MAX + NULL + EOF + U @ h_prev + SIZE_MAX + x)"
    cell = Cell.parse(name="INT32_MAX", equations=text)
    kernel, case = compile_cell(cell, "fused", "c"), case_of(cell, 3)
    assert largest_error(result(kernel, case), result(compile_cell(cell), case)) < 1e-12
    headers = ("stddef", "stdint", "string", "math", "stdio", "limits")
    lines = "".join(f"#include <{name}.h>\n" for name in headers)
    done = subprocess.run([build.compiler(), "-std=c99", "-dM", "-E", "-x", "c", "-"], input=lines,
                          text=True, capture_output=True, check=True)  # fmt: skip
    defined = re.findall(r"^#define ([A-Za-z]\w*) +\S", done.stdout, re.MULTILINE)
    assert {"INT_MAX", "SEEK_SET", "SIZE_MAX"} <= {*defined}
    defined += ["M_PI", "M_E", "M_2_SQRTPI", "PATH_MAX"]
    defined += ["C_DOUBLE", "C_PLAIN", "C_MAIN"]  # the macros of a cell c
    made = identifiers(defined, ())
    assert [name for name in defined if made[name] == name] == []


@pytest.mark.by_default(r"h = W @ h_prev + double * x + 0.1 * int_prev\nint = tanh(h)")
@pytest.mark.parametrize("equations", by_day([
    "h = W @ h_prev + double * x + 0.1 * int_prev\nint = tanh(h)",
    "row = tanh(W @ row_prev + U @ x + at) * LANES",
    "h = arctan(W @ h_prev) + relu6(U @ x) + gelu(b) + softplus(h_prev) + elu(U @ x)",
    "h = leaky_relu(W @ h_prev) + hard_tanh(U @ x) - softsign(h_prev) / 3 + hard_sigmoid(h_prev)",
    "h = silu(W @ h_prev) * sin(U @ x) + scaled_tanh(h_prev) + 0.1 * exp(-(h_prev * h_prev))",
], 2))  # fmt: skip
@pytest.mark.parametrize("style", by_day(["fused", "stable"], 2))
def test_names_that_c_keeps_for_itself_and_every_function(equations, style):
    cell = Cell.parse(name="while", equations=equations)
    kernel = compile_cell(cell, style, "c")
    audited = strict(kernel, CellProblem(cell), compile_cell(cell), ours=True, seed=0)
    assert audited.interface.status == PASS, audited.interface.reason
    check = verification._autograd(audited.session, 1)
    assert check.status == PASS, check.reason


def test_source_is_as_reviewed(golden):
    for name in ("rnn", "lstm"):
        source = compile_cell(catalogue[name], "fused", "c").source
        golden(f"{name}_fused.c.txt", without_volatile(source))


def test_sequence_constants_may_differ_by_sample():
    case = case_of(MIXED, 5)
    kernel = compile_cell(MIXED, "fused", "c")
    clock = case.constants["clock"]
    wide = (
        np.broadcast_to(clock[:, None], (3, 2, clock.shape[-1])).copy()
        if clock.ndim == 2
        else clock
    )
    one = {**case.constants, "clock": wide[:, 0].copy()}
    same = {**case.constants, "clock": np.repeat(wide[:, :1], 2, axis=1)}
    states = [kernel.forward(case.params, case.inputs, case.initial, c)[0] for c in (one, same)]
    assert np.array_equal(states[0]["h"], states[1]["h"])


def test_every_operation_has_its_lines():
    assert {*OPERATIONS} == C.operations


@pytest.fixture
def built_quickly(monkeypatch):
    """Libraries whose compiler need not make them fast."""
    flags = ("-std=gnu11", "-O0", "-march=native", "-fPIC", "-shared")
    monkeypatch.setattr(calls, "library", partial(build.library, flags=flags))


@pytest.mark.usefixtures("built_quickly")
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_operation_on_matrices_computes_what_numpy_does(dtype):
    kernel, plain = compile_cell(MATRICES, "fused", "c"), compile_cell(MATRICES, "textbook")
    for n, steps, batch in ((9, 3, 2), (16, 2, 3), (6, 40, 7), (9, 0, 2), (9, 3, 0)):
        case = case_of(MATRICES, n, steps=steps, batch=batch, dtype=dtype, regime="contracting")
        error = largest_error(result(kernel, case), result(plain, case))
        assert error <= 10 * TOLERANCES[dtype], (n, steps, batch)


@pytest.mark.usefixtures("built_quickly")
def test_sums_into_one_parameter_are_all_of_it():
    """Two products with one matrix, three shares of one vector, a number for all its entries."""
    cell = Cell.parse(
        name="shares",
        equations="""
u = W @ p
s = tanh(W @ s_prev + sigmoid(W @ x) + b * b * b + u / norm(u + p))
""",
        sizes={"x": "n"},
    )
    case = case_of(cell, 9)
    got = result(compile_cell(cell, "fused", "c"), case)
    assert largest_error(got, result(compile_cell(cell, "textbook"), case)) < 1e-12


@pytest.mark.usefixtures("built_quickly")
def test_a_cotangent_of_matrices_that_is_not_given_is_zero():
    text = "S = S_prev + outer(V @ x, tanh(K @ x))\nY = S + L"
    cell = Cell.parse(name="shifted", equations=text, outputs=["Y"], matrices=["L"])
    case = replace(case_of(cell, 20, batch=5), cotangents={})
    got = result(compile_cell(cell, "fused", "c"), case)
    assert largest_error(got, result(compile_cell(cell), case)) < 1e-12


def test_a_function_without_a_better_spelling_is_spelled_by_its_formula():
    for row in FUNCTIONS.values():
        assert C.spell(row).value


def test_formulas_of_any_row_compute_in_c_what_they_do_in_numpy(monkeypatch):
    arcsinh = Primitive("arcsinh", lambda a, of=np, *_: 1 / of.sqrt(1 + a * a), True, True)
    monkeypatch.setitem(PRIMITIVES, "arcsinh", arcsinh)
    row = ElementwiseFunction(
        "arcsinh", asinh(X), 1 / sqrt(1 + X**2), None, S.Reals, Interval(0, 1), r"\mathrm{arsinh}"
    )
    monkeypatch.setitem(FUNCTIONS, "arcsinh", row)
    monkeypatch.setitem(FUNCTIONS, "rising", RISING)
    cell = Cell.parse(name="rising", equations="h = arcsinh(rising(W @ h_prev + U @ x))")
    case = case_of(cell, 9)
    got = result(compile_cell(cell, "fused", "c"), case)
    assert largest_error(got, result(compile_cell(cell, "textbook"), case)) < 1e-12


def test_prepared_calls_see_what_the_arrays_hold_now():
    cell = catalogue["lstm"]
    case, kernel = case_of(cell, 9), compile_cell(cell, "fused", "c")
    calls = kernel.module.forward.__self__
    again, found = calls.prepared(case.params, case.inputs, case.cotangents, case.initial)
    case.params["W_fh"][...] *= 0.5
    case.inputs["x"][...] += 1
    again()
    want = result(kernel, case)
    assert largest_error(found, {group: want[group] for group in found}) == 0
    with pytest.raises(ValueError, match="row by row"):
        calls.prepared({**case.params, "W_fh": case.params["W_fh"].T}, case.inputs, {})


def test_a_tape_outlives_the_calls_after_it():
    cell = catalogue["gru"]
    kernel = compile_cell(cell, "fused", "c")
    cases = [case_of(cell, 9, seed=seed) for seed in range(4)]
    tapes = [kernel.forward(c.params, c.inputs, c.initial, c.constants)[1] for c in cases]
    for case, tape in zip(cases, tapes, strict=True):
        late = kernel.backward(case.params, tape, case.cotangents)
        want = result(kernel, case)
        assert largest_error(late, {group: want[group] for group in late}) == 0


def test_a_tape_holds_the_inputs_it_was_made_of():
    cell = catalogue["lstm"]
    kernel = compile_cell(cell, "fused", "c")
    case = case_of(cell, 9)
    want = result(kernel, case)
    for _ in range(2):  # examined, and known from the call before
        inputs = {"x": case.inputs["x"].copy()}
        _, tape = kernel.forward(case.params, inputs, case.initial)
        inputs["x"] = np.full_like(inputs["x"], np.nan)
        late = kernel.backward(case.params, tape, case.cotangents)
        assert largest_error(late, {group: want[group] for group in late}) == 0


def test_results_that_are_held_are_never_written_again():
    cell = catalogue["lstm"]
    kernel = compile_cell(cell, "fused", "c")
    case, other = (case_of(cell, 9, seed=seed) for seed in (1, 2))
    first = result(kernel, case)
    part = first["params"].pop("W_fh")[1:3, ::2]  # a view of an array that is gone
    kept = {g: {k: a.copy() for k, a in arrays.items()} for g, arrays in first.items()}
    slice_then = part.copy()
    for _ in range(5):
        result(kernel, other)
    assert largest_error(first, kept) == 0
    assert np.array_equal(part, slice_then)
    states, tape = kernel.forward(case.params, case.inputs, case.initial)
    only = kernel.backward(case.params, tape, case.cotangents)["initial"]["h"]
    del states, tape
    then = only.copy()
    for _ in range(5):
        result(kernel, other)
    assert np.array_equal(only, then)


def test_an_array_that_changed_its_shape_in_place_is_seen():
    cell = catalogue["rnn"]
    kernel = compile_cell(cell, "fused", "c")
    case = case_of(cell, 4)
    result(kernel, case)
    case.params["U"] = case.params["U"].copy()
    result(kernel, case)
    case.params["U"].shape = case.params["U"].shape[::-1]
    with pytest.raises(ValueError, match=r"params\['U'\]: expected shape"):
        result(kernel, case)


def test_memory_is_taken_again_only_when_nobody_holds_it():
    memory = Memory()
    first = memory.take(100)
    second = memory.take(100)
    assert address_of(first[0]) == first[1] != second[1]
    place = first[1]
    del first
    assert memory.take(100)[1] == place
    read_only = np.frombuffer(b"12345678", np.float64)
    assert address_of(read_only) == read_only.ctypes.data
    with pytest.raises(ValueError, match="arrays that fit in memory"):
        memory.take(-1)
