"""Networks in C against the same in NumPy: every kind, both dtypes, samples of every length."""

import ctypes

import numpy as np
import pytest
from c_code import (
    DTYPES,
    NETWORKS,
    SIZES,
    largest_error,
    needs_compiler,
    network_case,
    network_result,
    network_source,
)
from profiles import NIGHTLY, by_day

from numeric.compiler.kernel import compile_network
from numeric.compiler.network import compose
from numeric.compiler.padding import masked
from numeric.compiler.to_c.network_calls import NetworkCalls
from numeric.compiler.to_c.skipping import SUMS, skipping
from numeric.verification.verdict import NOT_APPLICABLE, PASS
from numeric.verification.verify import TOLERANCES, verify

pytestmark = needs_compiler
NAMES = [*NETWORKS]


def kernels(name):
    return [compile_network(NETWORKS[name], "fused", target) for target in ("numpy", "c")]


@pytest.mark.by_default("deep")
@pytest.mark.parametrize("name", by_day(NAMES, 3))
def test_loss_and_gradients_are_those_of_numpy(name):
    plain, compiled = kernels(name)
    for seed, n in enumerate(SIZES if NIGHTLY else SIZES[1::4]):
        for dtype in DTYPES:
            for steps, batch in ((4, 3), (40, 7)):
                case = network_case(NETWORKS[name], n, steps=steps, batch=batch, dtype=dtype,
                                    seed=seed)  # fmt: skip
                want, got = (network_result(kernel, case) for kernel in (plain, compiled))
                assert got["loss"]["loss"].dtype == dtype
                assert largest_error(got, want) < 10 * TOLERANCES[dtype], (n, dtype, steps)


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES if NIGHTLY else ["squared"])
def test_every_check_that_can_run_passes(name):
    verdict = verify(compile_network(NETWORKS[name], "fused", "c"))
    assert verdict.status == PASS, verdict.summary()
    assert {n for n, check in verdict.checks.items() if check.status == NOT_APPLICABLE} == {"exact"}


@pytest.mark.by_default("deep")
@pytest.mark.parametrize("name", by_day([n for n in NAMES if NETWORKS[n].loss_at == "all"], 2))
def test_without_steps_or_samples_there_is_nothing_to_learn(name):
    plain, compiled = kernels(name)
    for steps, batch in ((0, 2), (3, 0), (0, 0)):
        case = network_case(NETWORKS[name], 9, steps=steps, batch=batch)
        want, got = (network_result(kernel, case) for kernel in (plain, compiled))
        assert largest_error(got, want) == 0
        assert {k: a.shape for k, a in got["params"].items()} == {
            k: a.shape for k, a in want["params"].items()
        }


@pytest.mark.by_default("deep", "memory handed upward")
@pytest.mark.parametrize("name", by_day(NAMES, 3))
def test_what_stands_behind_the_end_of_a_sample_is_never_seen(name):
    network = NETWORKS[name]
    _, kernel = kernels(name)
    case = network_case(network, 9, steps=6, batch=5)
    want = network_result(kernel, case)
    for _, array in [*case.inputs.items(), *case.constants.items()]:
        if array.ndim >= 2 and array.shape[:2] == (6, 5):
            for sample, length in enumerate(case.lengths):
                array[length:, sample] = 10**6 if array.dtype.kind == "i" else np.nan
    assert largest_error(network_result(kernel, case), want) == 0


def test_a_wrong_argument_is_refused_in_numpys_words():
    network = NETWORKS["characters"]
    case = network_case(network, 4)
    given = {
        "params": case.params, "inputs": case.inputs, "targets": case.targets,
        "initial": case.initial, "lengths": case.lengths,
    }  # fmt: skip
    for change in (
        {"inputs": {}},
        {"inputs": {"x": case.inputs["x"].astype(float)}},
        {"inputs": {"x": np.full_like(case.inputs["x"], 10**6)}},
        {"targets": np.full_like(case.targets, -1)},
        {"targets": case.targets[:-1]},
        {"lengths": case.lengths + 100},
        {"lengths": case.lengths.astype(float)},
        {"params": {**case.params, "readout.V": np.zeros((2, 2))}},
        {"initial": {"layer7.h": np.zeros((3, 4))}},
    ):
        said = []
        for kernel in kernels("characters"):
            with pytest.raises(ValueError, match=r"expected|unknown") as refusal:
                kernel.loss_and_gradient(**{**given, **change})
            said.append(str(refusal.value))
        assert said[0] == said[1]
    for kernel in kernels("at the end"):
        case = network_case(NETWORKS["at the end"], 4)
        with pytest.raises(ValueError, match="needs lengths of 1 or more"):
            kernel.loss_and_gradient(
                case.params, case.inputs, case.targets, lengths=0 * case.lengths
            )


def test_the_two_passes_are_functions_of_their_own():
    calls = compile_network(NETWORKS["squared"], "fused", "c").module.loss_and_gradient.__self__
    assert isinstance(calls, NetworkCalls)
    found = calls.functions(np.dtype(np.float32))
    assert found("forward")
    assert found("backward")
    sizes = calls.size_type(*(2**40 for _ in calls.interface.sizes))
    assert found("tape_bytes")(ctypes.byref(sizes)) == -1


def test_sums_skip_the_rows_that_have_ended_and_nothing_is_copied_for_them():
    program = masked(compose(NETWORKS["deep"]))
    skipped = skipping(program)

    def ops(of):
        return [s for block in of.blocks for s in block.statements]

    before = [s for s in ops(program) if s.op in SUMS]
    after = [s for s in ops(skipped) if s.op in SUMS]
    copied = {s.target for s in ops(program) if s.op == "inside"}
    assert [bool(copied.intersection(s.reads)) for s in before] == [
        "outside" in s.operands for s in after
    ]
    assert sum("outside" in s.operands for s in after) > len(after) / 2
    read = {name for s in ops(skipped) for name in s.reads} | {r.name for r in skipped.results}
    assert all(s.target in read for s in ops(skipped) if s.op == "inside")
    assert len(ops(skipped)) < len(ops(program))


def test_the_file_says_what_a_network_takes():
    source = network_source("deep")
    for line in (
        "const ptrdiff_t *x; /* (T, B) */",
        "const ptrdiff_t *lengths; /* (B), the steps of each sample; NULL: T for all */",
        "real *layer0_reverse_h; /* (T + 1, B, n), the last row given: the initial state */",
        "real *loss; /* one number */",
        "/* L, the states of every step, and the tape that the backward pass needs. */",
    ):
        assert line in source
