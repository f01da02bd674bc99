"""A batch on several threads: what one thread gives, errors in the same words, and when."""

import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from c_code import (
    DTYPES,
    NETWORKS,
    case_of,
    largest_error,
    needs_compiler,
    network_case,
    network_result,
    result,
)
from profiles import NIGHTLY, by_day

from derive.cell import catalogue
from numeric.compiler.kernel import compile_cell, compile_network
from numeric.compiler.to_c import threads
from numeric.compiler.to_c.build import NoCompilerError
from numeric.verification.verify import TOLERANCES

pytestmark = needs_compiler


@pytest.fixture
def several(monkeypatch):
    """Threads for any work, as many as the test asks for."""

    def ask(count):
        monkeypatch.setattr(threads, "LEAST", 0)
        monkeypatch.setattr(threads, "LEAST_IN_PLACE", 0)
        monkeypatch.setenv("BPTT_THREADS", str(count))

    return ask


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "name", sorted(catalogue) if NIGHTLY else ["lstm", "d_linoss", "delta_net"]
)
@pytest.mark.parametrize("count", [2, 3])
def test_a_cell_on_several_threads_is_the_cell(name, dtype, count, several, monkeypatch):
    cell = catalogue[name]
    case = case_of(cell, 9, steps=5, batch=13, dtype=dtype)
    kernel = compile_cell(cell, "fused", "c")
    want = result(kernel, case)
    several(count)
    states, tape = kernel.forward(case.params, case.inputs, case.initial, case.constants)
    assert len(tape.split.sizes) == count
    for _ in range(2):  # a tape may be read again
        gradients = kernel.backward(case.params, tape, case.cotangents)
        got = {"states": states, **gradients}
        assert largest_error(got, want) <= 10 * TOLERANCES[dtype]
    lazy = _Lazy(threads.crew())
    monkeypatch.setattr(threads, "crew", lambda: lazy)
    twice = {key: 2 * bars for key, bars in case.cotangents.items()}
    found = kernel.backward(case.params, tape, twice)
    wrong = {group: {k: a / 2 for k, a in arrays.items()} for group, arrays in found.items()}
    assert largest_error({"states": states, **wrong}, want) > 10 * TOLERANCES[dtype]


class _Lazy:
    """A crew of whom only the caller works."""

    def __init__(self, crew):
        self.crew = crew

    def crew_run(self, jobs, _):
        self.crew.crew_run(jobs, 1)

    def __getattr__(self, name):
        return getattr(self.crew, name)


@pytest.mark.by_default("deep", "squared", "a clock")
@pytest.mark.parametrize("name", by_day(NETWORKS, 2))
def test_a_network_on_several_threads_is_the_network(name, several):
    network = NETWORKS[name]
    module = compile_network(network, "fused", "c").module
    for seed in (3, 4):  # with lengths and without
        case = network_case(network, 9, batch=9, seed=seed)
        want = network_result(module, case)
        several(2)
        assert len(threads.parts(case.params, case.inputs)) == 2
        got = network_result(module, case)
        assert largest_error(got, want) <= 10 * TOLERANCES["float64"]
        several(1)


def test_segments_of_time_on_two_threads_where_told(several, monkeypatch):
    cell = catalogue["rnn"]
    case = case_of(cell, 5, steps=7, batch=8)
    want = result(compile_cell(cell), case)
    several(2)
    kernel = compile_cell(cell, "fused", "c", checkpoint=3)
    assert largest_error(result(kernel, case), want) <= 10 * TOLERANCES["float64"]
    assert kernel.forward(case.params, case.inputs)[1].split
    monkeypatch.delenv("BPTT_THREADS")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # nobody asked this code for threads
    assert kernel.forward(case.params, case.inputs)[1].split is None
    whole = compile_cell(cell, "fused", "c")
    assert whole.forward(case.params, case.inputs)[1].split


def test_two_tapes_of_one_kernel_keep_what_they_were_given(several):
    several(2)
    kernel = compile_cell("lstm", "fused", "c")
    cases = [case_of(catalogue["lstm"], 5, batch=9, seed=seed) for seed in range(4)]
    want = [result(compile_cell("lstm"), case) for case in cases]
    tapes = [kernel.forward(case.params, case.inputs, case.initial)[1] for case in cases]
    for case, tape, right in zip(cases, tapes, want, strict=True):
        got = kernel.backward(case.params, tape, case.cotangents)
        states = {"states": right["states"]}
        assert largest_error(states | got, right) <= 10 * TOLERANCES["float64"]


def test_the_pass_back_reads_the_parameters_that_it_is_given(several):
    case = case_of(catalogue["lstm"], 3, steps=4, batch=13)
    kernel = compile_cell(catalogue["lstm"], "fused", "c")
    several(2)
    params = {name: array.copy() for name, array in case.params.items()}
    _, tape = kernel.forward(params, case.inputs, case.initial, case.constants)
    want = kernel.backward(case.params, tape, case.cotangents)["params"]["W_fh"].copy()
    for array in params.values():
        array.fill(np.nan)
    got = kernel.backward(case.params, tape, case.cotangents)["params"]["W_fh"]
    np.testing.assert_array_equal(got, want)


def test_a_compiler_without_threads_makes_one_work(several, monkeypatch):
    def refused():
        raise NoCompilerError("no pthread.h")

    several(2)
    case = case_of(catalogue["rnn"], 5, batch=9)
    want = result(compile_cell("rnn"), case)
    monkeypatch.setattr(threads, "crew", refused)
    kernel = compile_cell("rnn", "fused", "c")
    kernel.module.forward.__self__.last_split = None
    assert kernel.forward(case.params, case.inputs, case.initial)[1].split is None
    assert largest_error(result(kernel, case), want) <= 10 * TOLERANCES["float64"]
    kernel.module.forward.__self__.last_split = None


def test_a_cotangent_left_out_is_zero_for_every_part(several):
    case = case_of(catalogue["lstm"], 5, steps=4, batch=9)
    several(2)
    kernel = compile_cell("lstm", "fused", "c")
    _, tape = kernel.forward(case.params, case.inputs, case.initial)
    assert tape.split is not None
    bars = case.cotangents["h"]
    want = kernel.backward(case.params, tape, {"h": bars, "c": np.zeros_like(bars)})
    assert largest_error(kernel.backward(case.params, tape, {"h": bars}), want) == 0


def test_callers_on_threads_of_their_own_share_a_kernel(several):
    several(2)
    kernel = compile_cell("gru_reset_after", "fused", "c")
    cases = [case_of(catalogue["gru_reset_after"], 5, batch=8 + s, seed=s) for s in range(3)]
    want = [result(compile_cell("gru_reset_after"), case) for case in cases]

    def errors(number):
        return max(largest_error(result(kernel, cases[number]), want[number]) for _ in range(20))

    with ThreadPoolExecutor(3) as pool:
        assert max(pool.map(errors, range(3))) <= 10 * TOLERANCES["float64"]


def test_a_call_keeps_its_sizes_when_another_asks_for_others_meanwhile(monkeypatch):
    case, other = (case_of(catalogue["rnn"], n) for n in (3, 4))
    kernel = compile_cell("rnn", "fused", "c")
    kernel.forward(other.params, other.inputs)
    calls = kernel.module.forward.__self__
    others = calls.recent

    def meddled(self, name, value):
        object.__setattr__(self, name, others if name == "recent" else value)

    monkeypatch.setattr(type(calls), "__setattr__", meddled, raising=False)
    states, _ = kernel.forward(case.params, case.inputs)
    assert states["h"].shape == (3, 2, 3)


def test_as_many_threads_work_at_once_as_there_are_jobs():
    """More than a pool of Python's has by default, on any machine."""
    meeting = Barrier(40, timeout=5)
    assert sorted(threads.side_by_side([meeting.wait] * 40)) == [*range(40)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes that go on as copies")
def test_a_forked_process_has_threads_of_its_own(several):
    several(2)
    kernel, case = compile_cell("rnn", "fused", "c"), case_of(catalogue["rnn"], 5, batch=8)
    result(kernel, case)  # the parent has its threads
    child = multiprocessing.get_context("fork").Process(target=result, args=(kernel, case))
    child.start()
    child.join(60)
    ended = child.exitcode
    child.kill()
    assert ended == 0


def test_a_wrong_argument_is_told_with_the_whole_batch(several):
    kernel = compile_cell("lstm", "fused", "c")
    case = case_of(catalogue["lstm"], 4, batch=9)
    several(2)
    with pytest.raises(ValueError, match=r"initial\['h'\]: expected shape .*9, 4"):
        kernel.forward(case.params, case.inputs, {"h": np.zeros((8, 4))})
    _, tape = kernel.forward(case.params, case.inputs)
    with pytest.raises(ValueError, match=r"cotangents\['h'\]: expected shape .*9, 4"):
        kernel.backward(case.params, tape, {"h": np.zeros((3, 4, 4))})
    with pytest.raises(ValueError, match=r"params: expected a dict"):
        kernel.forward(None, case.inputs)


def test_little_work_is_one_threads(monkeypatch):
    monkeypatch.setenv("BPTT_THREADS", "2")
    case = case_of(catalogue["rnn"], 9, batch=9)
    _, tape = compile_cell("rnn", "fused", "c").forward(case.params, case.inputs)
    assert tape.split is None
    params, x = {"W": np.empty((512, 512))}, {"x": np.empty((100, 8, 1))}
    assert threads.parts(params, x) == [slice(0, 4), slice(4, 8)]
    assert len(threads.parts(params, {"x": np.empty((100, 7, 1))})) == 1
    monkeypatch.setenv("BPTT_THREADS", "many")
    with pytest.raises(ValueError, match=r"\$BPTT_THREADS: expected a number of threads"):
        threads.parts(params, x)
    monkeypatch.delenv("BPTT_THREADS")
    monkeypatch.setenv("OMP_NUM_THREADS", "3,2")
    assert threads.most_threads() == 3
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert threads.most_threads() >= 1
