"""Inputs, states and outputs of one number: they broadcast, and keep an axis of their own."""

import numpy as np
import pytest
from profiles import by_day

from derive import Cell
from derive.cell import declared
from derive.language.syntax import CellError
from derive.network import Network
from numeric.compiler import lower as lowering
from numeric.compiler.kernel import compile_cell, compile_network
from numeric.verification.problems.of_cell import make_case, ordinary_sizes
from numeric.verification.verify import verify

# time elapsed, one number a step and sample; the largest score so far; a reading of one number
WAITING = Cell.parse(
    name="waiting",
    inputs=("x", "dt"),
    outputs=("y",),
    scalars=("dt", "top"),
    sizes={"h": "n"},
    equations="""
s = dot(w, x) + dot(v, h_prev)
top = maximum(top_prev, s)
h = exp(-abs(dt)) * h_prev + tanh(U @ x) * exp(s - top)
y = dot(r, h) + dt
""",
)


def test_a_number_that_moves_has_an_axis_of_its_own():
    groups = declared(WAITING)
    assert groups["INPUTS"] == {"x": ("m",), "dt": ("1",)}
    assert groups["STATES"] == {"top": ("1",), "h": ("n",)}
    assert groups["OUTPUTS"] == {"y": ("1",)}


@pytest.mark.long
@pytest.mark.parametrize("style", by_day(["textbook", "fused", "stable"], 3, 1))
def test_every_style_is_right_of_it(style):
    assert verify(compile_cell(WAITING, style), seed=1).status == "pass"


@pytest.mark.parametrize("target", ["numpy", "c"])
def test_an_entry_too_many_is_refused(target):
    kernel = compile_cell(WAITING, "fused", target)
    case = make_case(WAITING, ordinary_sizes(WAITING, 3), steps=3, batch=2)
    doubled = np.concatenate([case.inputs["dt"]] * 2, axis=-1)
    with pytest.raises(ValueError, match=r"inputs\['dt'\]: expected shape \(T, B, 1\)"):
        kernel.forward(case.params, {**case.inputs, "dt": doubled}, case.initial)
    shown, _ = kernel.forward(case.params, case.inputs, case.initial)
    assert shown["y"].shape == (3, 2, 1)


SUMMED = Cell.parse(
    name="summed", equations="h = tanh(W @ x + U @ h_prev)\no = sum(h_prev)", outputs=("o",)
)


@pytest.mark.by_default("c-False", "numpy-False", "numpy-True")
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("target", ["numpy", "c"])
def test_a_network_of_such_outputs_refuses_an_entry_too_many(target, both):
    kernel = compile_network(Network(SUMMED, bidirectional=both), "fused", target)
    sizes = {"n": 3, "m": 2, "q": 2, "1": 1, "2": 2}
    params = {name: np.ones([sizes[size] for size in dims])
              for name, dims in kernel.module.PARAMETERS.items()}  # fmt: skip
    targets = np.zeros((4, 3), int)
    kernel.loss_and_gradient(params, {"x": np.ones((4, 3, 2))}, targets)
    params["readout.V"] = np.ones((2, 4))
    with pytest.raises(ValueError, match=r"params\['readout.V'\]: expected shape \(q, [12]\) = "):
        kernel.loss_and_gradient(params, {"x": np.ones((4, 3, 2))}, targets)


def test_the_largest_so_far_is_what_it_says():
    case = make_case(WAITING, ordinary_sizes(WAITING, 3), steps=5, batch=2, seed=2)
    p, x, h = case.params, case.inputs["x"], case.initial["h"]
    top, shown = case.initial["top"][:, 0], []
    for t in range(5):
        s = x[t] @ p["w"] + h @ p["v"]
        top = np.maximum(top, s)
        h = (np.exp(-abs(case.inputs["dt"][t])) * h
             + np.tanh(x[t] @ p["U"].T) * np.exp(s - top)[:, None])  # fmt: skip
        shown.append(h @ p["r"] + case.inputs["dt"][t][:, 0])
    states, _ = compile_cell(WAITING).forward(p, case.inputs, case.initial)
    assert np.max(np.abs(states["y"][..., 0] - shown)) < 1e-13 * np.max(np.abs(shown))


def test_a_target_that_is_no_state_is_no_declared_number():
    with pytest.raises(CellError, match="no parameter, constant, input or state"):
        Cell.parse(name="a", equations="s = dot(w, x)\nh = s * h_prev", scalars=("s",))


VECTOR_TIMES_NUMBER = Cell.parse(
    name="encoded", constants=("e",), sizes={"h": "n"},
    equations="u = dot(w, x)\nh = tanh(h_prev + e * u)",
)  # fmt: skip


def test_a_fixed_vector_times_a_number_of_the_step_has_a_row_for_each_sample(monkeypatch):
    case = make_case(VECTOR_TIMES_NUMBER, ordinary_sizes(VECTOR_TIMES_NUMBER, 3), steps=2, batch=2)
    right = compile_cell(VECTOR_TIMES_NUMBER, "fused")
    states, _ = right.forward(case.params, case.inputs, case.initial, case.constants)
    u = case.inputs["x"][0] @ case.params["w"]
    want = np.tanh(case.initial["h"] + case.constants["e"] * u[:, None])
    assert np.max(np.abs(states["h"][0] - want)) < 1e-14
    monkeypatch.setattr(lowering, "together", lambda shapes: max(shapes, key=len, default=()))
    wrong = compile_cell.__wrapped__(VECTOR_TIMES_NUMBER, "fused")
    with pytest.raises(ValueError, match="broadcast"):
        wrong.forward(case.params, case.inputs, case.initial, case.constants)
