"""An emitted JAX module: right gradients, jitted, mapped, in both precisions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from profiles import by_day

from derive import catalogue
from derive.cell import Cell
from numeric import compile_cell, verify
from numeric.compiler.kernel import Kernel
from numeric.compiler.target import load
from numeric.compiler.to_jax.calls import Pulled
from numeric.meaning.sizes import size_names
from numeric.verification.problems.of_cell import CellProblem

jax = pytest.importorskip("jax")


def case_of(cell: Cell, **more: Any) -> Any:
    sizes = {name: 3 + place for place, name in enumerate(size_names(cell))}
    return CellProblem(cell).case(sizes, steps=4, batch=2, seed=0, **more)


def results(kernel: Kernel, case: Any) -> dict[Any, Any]:
    """Of a module of JAX, through JAX: each has translated nothing yet."""
    if kernel.target == "jax":
        kernel.module.calls.translated.clear()
    states, tape = kernel.forward(case.params, case.inputs, case.initial, case.constants)
    assert isinstance(tape, Pulled) == (kernel.target == "jax")
    found = kernel.backward(case.params, tape, case.cotangents)
    return {**states, **{(g, n): v for g, group in found.items() for n, v in group.items()}}


@pytest.mark.parametrize("name", ["lstm", "fast_rnn", *by_day(catalogue, 30, 7)])
@pytest.mark.parametrize("style", ["fused", "stable"])
def test_states_and_gradients_are_those_of_the_numpy_code(name: str, style: str) -> None:
    cell = catalogue[name]
    case = case_of(cell)
    got, want = (results(compile_cell(cell, style, target), case) for target in ("jax", "numpy"))
    assert got.keys() == want.keys()
    for key, value in want.items():
        assert got[key].dtype == value.dtype
        assert np.max(np.abs(got[key] - value), initial=0.0) <= 1e-12 * np.max(np.abs(value)), key


@pytest.mark.parametrize("name", ["gru", *by_day(catalogue, 60)])
def test_every_check_that_applies_holds_through_jax(name: str) -> None:
    verdict = verify(compile_cell(name, "fused", "jax"))
    assert verdict.status == "pass"
    assert {"exact", "complex_step", "autograd"} <= {
        check for check, found in verdict.checks.items() if found.status == "pass"
    }


def test_a_wrong_term_is_seen_without_jax_too() -> None:
    kernel = compile_cell("gru", "fused", "jax")
    right = "1 - h_tilde * h_tilde"
    assert kernel.source.count(right) == 1
    wrong = kernel.source.replace(right, "1 + h_tilde * h_tilde")
    verdict = verify(Kernel(kernel.cell, "fused", wrong, "jax"))
    assert verdict.checks["exact"].status == "fail"


def test_a_wrong_gradient_is_seen_through_jax() -> None:
    kernel = compile_cell("rnn", "fused", "jax")
    good = 'return found["params"], found["inputs"], initial, fixed'
    assert kernel.source.count(good) == 1
    wrong = good.replace("initial,", "{k: -v for k, v in initial.items()},")
    mutant = Kernel(kernel.cell, "fused", kernel.source.replace(good, wrong), "jax")
    case = case_of(kernel.cell)
    got, want = results(mutant, case), results(kernel, case)
    assert not np.allclose(got["initial", "h"], want["initial", "h"])
    verdict = verify(mutant)
    assert verdict.status == "fail"
    assert verdict.gradients["initial.h"].status == "fail"


def test_jit_vmap_and_jaxs_own_gradient_agree() -> None:
    cell = catalogue["gru"]
    module: Any = load(compile_cell(cell, "fused", "jax").source, "gru")
    case = case_of(cell)

    def own(params: Any, x: Any) -> Any:
        """The author's equations, differentiated by JAX."""
        p, sigmoid = params, jax.nn.sigmoid

        def step(h: Any, row: Any) -> Any:
            z = sigmoid(h @ p["W_zh"].T + row @ p["W_zx"].T + p["b_z"])
            r = sigmoid(h @ p["W_rh"].T + row @ p["W_rx"].T + p["b_r"])
            g = jax.numpy.tanh((r * h) @ p["W_hh"].T + row @ p["W_hx"].T + p["b_h"])
            h = (1 - z) * h + z * g
            return h, h

        first = jax.numpy.zeros((x.shape[1], p["b_z"].shape[0]), x.dtype)
        return jax.lax.scan(step, first, x)[1].sum()

    def ours(params: Any, x: Any) -> Any:
        return module.states(params, {"x": x})["h"].sum()

    for wide, close in ((True, 1e-12), (False, 1e-5)):
        with jax.enable_x64(wide):
            kind = np.float64 if wide else np.float32
            params = {name: np.asarray(value, kind) for name, value in case.params.items()}
            x = np.asarray(case.inputs["x"], kind)
            want = jax.grad(own, (0, 1))(params, x)
            for gradient in (jax.grad(ours, (0, 1)), jax.jit(jax.grad(ours, (0, 1)))):
                got = gradient(params, x)
                for a, b in zip(*map(jax.tree_util.tree_leaves, (got, want)), strict=True):
                    assert a.dtype == kind
                    assert np.max(np.abs(a - b)) <= close * np.max(np.abs(b))
            several = np.stack([x, 2 * x, -x])
            mapped = jax.vmap(jax.grad(ours, 1), (None, 0))(params, several)
            for row, one in zip(several, mapped, strict=True):
                alone = jax.grad(ours, 1)(params, row)
                assert np.max(np.abs(one - alone)) <= close * np.max(np.abs(alone))


def test_a_wrong_shape_is_refused_with_its_name() -> None:
    module: Any = load(compile_cell("rnn", "fused", "jax").source, "rnn")
    case = case_of(catalogue["rnn"])
    with pytest.raises(ValueError, match=r"inputs\['x'\]: expected shape"):
        module.states(case.params, {"x": case.inputs["x"][0]})
    with pytest.raises(ValueError, match="unknown name 'y'"):
        module.states(case.params, {**case.inputs, "y": case.inputs["x"]})


@pytest.mark.parametrize("equations", [
    "h = tanh(W @ concat(h_prev, x, y) + b)",  # W shows a sum, and so does what the tape keeps
    "n = tanh(W @ concat(n_prev, x, y) + b)",
    "h = 0.5 * h_prev + x + y",  # nothing is kept at all
])  # fmt: skip
def test_sizes_that_neither_a_parameter_nor_the_tape_shows_come_along(equations: str) -> None:
    cell = Cell.parse(name="joined", equations=equations, inputs=["x", "y"])
    case = case_of(cell)
    got, want = (results(compile_cell(cell, "fused", target), case) for target in ("jax", "numpy"))
    assert got.keys() == want.keys()
    for key, value in want.items():
        np.testing.assert_allclose(got[key], value, rtol=1e-12, atol=1e-14)
    kernel = compile_cell(cell, "fused", "jax")
    _, tape = kernel.module.calls.plain["forward"](case.params, case.inputs)
    found = kernel.module.calls.plain["backward"](case.params, tape, {})
    assert {n: g.shape for n, g in found["inputs"].items()} == {
        n: x.shape for n, x in case.inputs.items()
    }
