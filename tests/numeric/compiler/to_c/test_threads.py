"""A batch on several threads: what one thread gives, errors in the same words, and when."""

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
from profiles import by_day

from derive.cell import catalogue
from numeric.compiler.kernel import compile_cell, compile_network
from numeric.compiler.to_c import threads
from numeric.compiler.to_c.calls import NativeTape
from numeric.verification.verify import TOLERANCES

pytestmark = needs_compiler


@pytest.fixture
def several(monkeypatch):
    """Threads for any work, as many as the test asks for."""

    def ask(count):
        monkeypatch.setattr(threads, "LEAST", 0)
        monkeypatch.setenv("BPTT_THREADS", str(count))

    return ask


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", by_day(["lstm", "clockwork_rnn", "gru_reset_after"], 2))
@pytest.mark.parametrize("count", [2, 3])
def test_a_cell_on_several_threads_is_the_cell(name, dtype, count, several, monkeypatch):
    cell = catalogue[name]
    case = case_of(cell, 9, steps=5, batch=13, dtype=dtype)
    kernel = compile_cell(cell, "fused", "c")
    want = result(kernel, case)
    several(count)
    states, tape = kernel.forward(case.params, case.inputs, case.initial, case.constants)
    assert len(tape.parts) == count
    for _ in range(2):  # a tape may be read again
        gradients = kernel.backward(case.params, tape, case.cotangents)
        got = {"states": states, **gradients}
        assert largest_error(got, want) <= 10 * TOLERANCES[dtype]
    monkeypatch.setattr(threads, "sum", lambda pieces, first: first, raising=False)
    wrong = kernel.backward(case.params, tape, case.cotangents)
    assert largest_error({"states": states, **wrong}, want) > 10 * TOLERANCES[dtype]


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


def test_segments_of_time_on_two_threads(several):
    cell = catalogue["rnn"]
    case = case_of(cell, 5, steps=7, batch=8)
    want = result(compile_cell(cell), case)
    several(2)
    kernel = compile_cell(cell, "fused", "c", checkpoint=3)
    assert largest_error(result(kernel, case), want) <= 10 * TOLERANCES["float64"]


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
    assert isinstance(tape, NativeTape)
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
