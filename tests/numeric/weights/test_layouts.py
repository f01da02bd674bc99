"""Parameters of PyTorch, Keras and ONNX become ours and back; with them our code is theirs."""

import importlib

import numpy as np
import pytest

from derive.cell import catalogue, dimensions
from numeric.compiler.kernel import compile_cell
from numeric.weights import layouts as interop

SIZES = {"n": 4, "m": 3, "T": 5, "B": 2}
FRAMEWORKS = {"torch": interop.TORCH, "keras": interop.KERAS, "onnx": interop.ONNX}


def random_params(cell, rng, prefix="", width=None):
    sizes = SIZES | ({} if width is None else {"m": width})
    return {
        prefix + s.name: rng.normal(size=tuple(sizes[d] for d in dimensions(s)))
        for s in catalogue[cell].parameters
    }


def scaled_error(got, want):
    want = np.asarray(want)
    return float(np.max(np.abs(got - want)) / np.max(np.abs(want)))


def assert_same(got, want):
    assert got.keys() == want.keys()
    for name in want:
        np.testing.assert_array_equal(got[name], want[name], err_msg=name)


# ---- tables and round trips ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("framework", "cell"), [(f, c) for f, table in FRAMEWORKS.items() for c in table]
)
def test_a_table_names_every_parameter_of_its_cell_once(framework, cell):
    named = [
        name
        for gate in FRAMEWORKS[framework][cell]
        for name in (gate.input, gate.recurrent, gate.bias, gate.recurrent_bias)
        if name is not None
    ]
    named += interop.ONNX_PEEPHOLES.get(cell, ()) if framework == "onnx" else ()
    assert sorted(named) == sorted(s.name for s in catalogue[cell].parameters)


@pytest.mark.parametrize("cell", interop.TORCH)
def test_torch_there_and_back(cell):
    rng = np.random.default_rng(0)
    bare = random_params(cell, rng)
    assert_same(interop.from_torch(interop.to_torch(bare, cell), cell, single=True), bare)
    assert_same(interop.from_torch(interop.to_torch(bare, cell, suffix=""), cell), bare)
    assert "weight_ih" in interop.to_torch(bare, cell, suffix="")
    network = {
        name: value
        for depth in (0, 1)
        for reverse in (False, True)
        for name, value in random_params(
            cell, rng, interop.layer_prefix(depth, reverse=reverse), 8 if depth else 3
        ).items()
    }
    extra = {"readout.V": np.ones((2, 8)), "embedding.E": np.ones((9, 3))}
    state = interop.to_torch({**network, **extra}, cell)
    assert {"weight_ih_l0", "weight_hh_l0_reverse", "bias_ih_l1_reverse"} <= state.keys()
    assert len(state) == 16
    assert_same(interop.from_torch(state, cell), network)


@pytest.mark.parametrize("cell", interop.KERAS)
@pytest.mark.parametrize("prefix", ["", "layer1.reverse."])
def test_keras_there_and_back(cell, prefix):
    params = random_params(cell, np.random.default_rng(1), prefix)
    weights = interop.to_keras(params, cell, prefix=prefix)
    assert [w.shape[0] for w in weights[:2]] == [3, 4]
    assert_same(interop.from_keras(weights, cell, prefix=prefix), params)


@pytest.mark.parametrize("cell", interop.ONNX)
def test_onnx_there_and_back(cell):
    rng = np.random.default_rng(2)
    prefixes = ("layer0.", "layer0.reverse.")
    params = {k: v for p in prefixes for k, v in random_params(cell, rng, p).items()}
    arrays = interop.to_onnx(params, cell, prefixes=prefixes)
    assert arrays["W"].shape[0] == 2
    back = {}
    for direction, prefix in enumerate(prefixes):
        back |= interop.from_onnx(cell, **arrays, direction=direction, prefix=prefix)
    assert_same(back, params)


def test_two_biases_are_summed_but_for_the_candidate_of_the_gru():
    rng = np.random.default_rng(3)
    state = interop.to_torch(random_params("lstm", rng), "lstm")
    state["bias_hh_l0"] = rng.normal(size=16)
    found = interop.from_torch(state, "lstm", single=True)
    np.testing.assert_array_equal(found["b_f"], (state["bias_ih_l0"] + state["bias_hh_l0"])[4:8])
    state = interop.to_torch(random_params("gru_reset_after", rng), "gru_reset_after")
    state["bias_hh_l0"] = rng.normal(size=12)
    found = interop.from_torch(state, "gru_reset_after", single=True)
    np.testing.assert_array_equal(found["b_r"], (state["bias_ih_l0"] + state["bias_hh_l0"])[:4])
    np.testing.assert_array_equal(found["b_h"], state["bias_ih_l0"][8:])
    np.testing.assert_array_equal(found["c_h"], state["bias_hh_l0"][8:])


def test_absent_biases_are_zeros_of_the_same_dtype():
    state = interop.to_torch(random_params("lstm", np.random.default_rng(4)), "lstm")
    state = {k: v.astype(np.float32) for k, v in state.items() if "weight" in k}
    found = interop.from_torch(state, "lstm", single=True)
    assert not found["b_o"].any()
    assert {v.dtype for v in found.values()} == {np.dtype(np.float32)}


GOOD = interop.to_torch(random_params("lstm", np.random.default_rng(5)), "lstm")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: interop.from_torch(GOOD, "mgu"), "PyTorch has one of rnn, irnn, lstm"),
        (lambda: interop.from_torch({"lstm.weight_ih_l0": 0}, "lstm"), "without the name of the"),
        (lambda: interop.from_torch({**GOOD, "weight_hr_l0": 0}, "lstm"), "projection"),
        (lambda: interop.from_torch({"weight_ih_l0": 0}, "lstm"), "weight_hh of layer0 is missing"),
        (lambda: interop.from_torch(GOOD, "gru_reset_after"), r"weight_hh: expected .*\(12, 4\)"),
        (
            lambda: interop.from_torch({**GOOD, "bias_ih_l0": np.zeros(3)}, "lstm"),
            r"bias_ih: expected the shape \(16\), came \(3,\)",
        ),
        (
            lambda: interop.from_torch(
                {**GOOD, **{f"{k}_reverse": v for k, v in GOOD.items()}}, "lstm", single=True
            ),
            "one layer of one direction",
        ),
        (lambda: interop.to_torch({"W_ix": np.ones((2, 2))}, "lstm"), "'W_fx' is missing"),
        (lambda: interop.from_keras([1], "lstm"), "kernel, recurrent kernel"),
        (
            lambda: interop.from_keras(
                [np.ones((3, 12)), np.ones((4, 12)), np.ones(12)], "gru_reset_after"
            ),
            r"\(2, 12\)",
        ),
        (
            lambda: interop.from_onnx("rnn", np.ones((1, 4, 3)), np.ones((1, 4, 4)), direction=1),
            "direction",
        ),
        (
            lambda: interop.from_onnx(
                "rnn", np.ones((1, 4, 3)), np.ones((1, 4, 4)), P=np.ones((1, 12))
            ),
            "no peepholes",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(call, says):
    with pytest.raises(ValueError, match=says):
        call()


# ---- Keras: its equations, written here ------------------------------------------------------


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def keras_step(cell, weights, x, h, c):
    """One step in Keras's rows and gate order."""
    kernel, recurrent, bias = weights
    if cell == "lstm":
        i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c
    if cell == "gru":
        xz, xr, xh = np.split(x @ kernel + bias, 3, axis=1)
        hz, hr = np.split(h @ recurrent[:, : 2 * h.shape[1]], 2, axis=1)
        z, r = sigmoid(xz + hz), sigmoid(xr + hr)
        new = np.tanh(xh + (r * h) @ recurrent[:, 2 * h.shape[1] :])
    else:
        xz, xr, xh = np.split(x @ kernel + bias[0], 3, axis=1)
        hz, hr, hh = np.split(h @ recurrent + bias[1], 3, axis=1)
        z, r = sigmoid(xz + hz), sigmoid(xr + hr)
        new = np.tanh(xh + r * hh)
    return z * h + (1 - z) * new, c


@pytest.mark.parametrize("cell", ["lstm", "gru", "gru_reset_after"])
def test_keras_equations_with_their_weights_are_our_cell_with_ours(cell):
    rng = np.random.default_rng(6)
    gates = 4 if cell == "lstm" else 3
    bias = rng.normal(size=(2, 4 * gates) if cell == "gru_reset_after" else 4 * gates)
    weights = [rng.normal(size=(3, 4 * gates)), rng.normal(size=(4, 4 * gates)), bias]
    x = rng.normal(size=(5, 2, 3))
    states, _ = compile_cell(catalogue[cell]).forward(interop.from_keras(weights, cell), {"x": x})
    h = c = np.zeros((2, 4))
    for t in range(5):
        h, c = keras_step(cell, weights, x[t], h, c)
        assert scaled_error(states["h"][t], h) < 1e-13


# ---- PyTorch ---------------------------------------------------------------------------------

TOLERANCE = 1e-12
MODULES = {
    "rnn": ("RNN", {}),
    "irnn": ("RNN", {"nonlinearity": "relu"}),
    "lstm": ("LSTM", {}),
    "gru_reset_after": ("GRU", {}),
}


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed")


@pytest.mark.parametrize("style", ["textbook", "fused", "stable"])
@pytest.mark.parametrize("cell", interop.TORCH)
def test_states_and_gradients_are_those_of_torch(torch, cell, style):
    name, settings = MODULES[cell]
    torch.manual_seed(0)
    steps, batch, n, m = 20, 3, 6, 4
    module = getattr(torch.nn, name)(m, n, dtype=torch.float64, **settings)
    rng = np.random.default_rng(7)
    x = torch.tensor(rng.normal(size=(steps, batch, m)), requires_grad=True)
    initial = {s.name: rng.normal(size=(batch, n)) for s in catalogue[cell].states}
    starts = {k: torch.tensor(v[None], requires_grad=True) for k, v in initial.items()}
    given = (starts["h"], starts["c"]) if cell == "lstm" else starts["h"]
    output, last = module(x, given)
    h_bars = rng.normal(size=(steps, batch, n))
    c_bar = rng.normal(size=(batch, n))
    loss = (output * torch.tensor(h_bars)).sum()
    if cell == "lstm":
        loss = loss + (last[1][0] * torch.tensor(c_bar)).sum()
    loss.backward()

    kernel = compile_cell(catalogue[cell], style)
    state = {k: v.numpy() for k, v in module.state_dict().items()}
    params = interop.from_torch(state, cell, single=True)
    states, tape = kernel.forward(params, {"x": x.detach().numpy()}, initial)
    assert scaled_error(states["h"], output.detach().numpy()) < TOLERANCE
    cotangents = {"h": h_bars}
    if cell == "lstm":
        assert scaled_error(states["c"][-1], last[1][0].detach().numpy()) < TOLERANCE
        cotangents["c"] = np.zeros_like(h_bars)
        cotangents["c"][-1] = c_bar
    gradients = kernel.backward(params, tape, cotangents)
    stacked = interop.to_torch(gradients["params"], cell)
    theirs = {k: v.grad.numpy() for k, v in module.named_parameters()}
    # a summed bias has one gradient, and both of theirs have it
    for key in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0"):
        assert scaled_error(stacked[key], theirs[key]) < TOLERANCE, key
    if cell == "gru_reset_after":
        ours = gradients["params"]["c_h"]
        assert scaled_error(ours, theirs["bias_hh_l0"][2 * n :]) < TOLERANCE
    assert scaled_error(gradients["inputs"]["x"], x.grad.numpy()) < TOLERANCE
    for key, start in starts.items():
        assert scaled_error(gradients["initial"][key], start.grad.numpy()[0]) < TOLERANCE


@pytest.mark.parametrize("cell", interop.TORCH)
def test_stacked_both_ways_is_ours_layer_by_layer(torch, cell):
    name, settings = MODULES[cell]
    torch.manual_seed(1)
    module = getattr(torch.nn, name)(
        4, 6, num_layers=2, bidirectional=True, dtype=torch.float64, **settings
    )
    x = torch.randn(7, 3, 4, dtype=torch.float64)
    output = module(x)[0].detach().numpy()
    params = interop.from_torch({k: v.numpy() for k, v in module.state_dict().items()}, cell)
    forward = compile_cell(catalogue[cell]).forward
    received = x.numpy()
    for depth in (0, 1):
        halves = []
        for reverse, order in ((False, 1), (True, -1)):
            prefix = interop.layer_prefix(depth, reverse=reverse)
            own = {s.name: params[prefix + s.name] for s in catalogue[cell].parameters}
            states, _ = forward(own, {"x": received[::order]})
            halves.append(states["h"][::order])
        received = np.concatenate(halves, axis=-1)
    assert scaled_error(received, output) < TOLERANCE


def test_a_state_dictionary_of_ours_loads_into_torch(torch):
    rng = np.random.default_rng(8)
    params = random_params("lstm", rng)
    module = torch.nn.LSTMCell(3, 4, dtype=torch.float64)
    state = interop.to_torch(params, "lstm", suffix="")
    module.load_state_dict({k: torch.tensor(v) for k, v in state.items()})
    x = rng.normal(size=(1, 2, 3))
    h, c = module(torch.tensor(x[0]))
    states, _ = compile_cell(catalogue["lstm"]).forward(params, {"x": x})
    assert scaled_error(states["h"][0], h.detach().numpy()) < TOLERANCE
    assert scaled_error(states["c"][0], c.detach().numpy()) < TOLERANCE


def test_a_wrong_gate_order_is_noticed(torch, monkeypatch):
    i, f, c, o = interop.TORCH["lstm"]
    monkeypatch.setattr(interop, "TORCH", {"lstm": (f, i, c, o)})
    with pytest.raises(AssertionError):
        test_a_state_dictionary_of_ours_loads_into_torch(torch)


# ---- ONNX ------------------------------------------------------------------------------------

ONNX_CELLS = {"RNN": "rnn", "LSTM": "lstm", "GRU": "gru"}
ONNX_TESTS = 18
FLOAT32 = 1e-6


@pytest.fixture(scope="module")
def onnx_cases():
    """The recurrent node tests that the package brings: name → (node, inputs, outputs)."""
    pytest.importorskip("onnx", reason="onnx is not installed")
    node = importlib.import_module("onnx.backend.test.case.node")
    for operator in ("rnn", "gru", "lstm"):
        importlib.import_module(f"onnx.backend.test.case.node.{operator}")
    found = {}
    for case in node._NodeTestCases:
        only = case.model.graph.node[0]
        if only.op_type in ONNX_CELLS and len(case.model.graph.node) == 1:
            ((inputs, outputs),) = case.data_sets
            given = dict(zip(filter(None, only.input), inputs, strict=True))
            found[case.name] = (
                only,
                given,
                dict(zip(filter(None, only.output), outputs, strict=True)),
            )
    return found


def onnx_forward(node, given, style):
    """Y, Y_h and Y_c of a node, by our forward code, one run a direction."""
    settings = {a.name: a for a in node.attribute}
    text = settings["direction"].s.decode() if "direction" in settings else "forward"
    batch_first = "layout" in settings and settings["layout"].i == 1
    cell = ONNX_CELLS[node.op_type]
    if "linear_before_reset" in settings and settings["linear_before_reset"].i:
        cell = "gru_reset_after"
    if "P" in given:
        cell = "peephole_lstm"
    x = given["X"].swapaxes(0, 1) if batch_first else given["X"]
    if "sequence_lens" in given:
        assert (given["sequence_lens"] == len(x)).all()
    kernel, outputs, last = compile_cell(catalogue[cell], style), [], {"h": [], "c": []}
    for direction in range(len(given["R"])):
        backwards = text == "reverse" or direction == 1
        params = interop.from_onnx(
            cell, given["W"], given["R"], given.get("B"), given.get("P"), direction=direction
        )
        initial = {s: given[f"initial_{s}"][direction] for s in "hc" if f"initial_{s}" in given}
        states, _ = kernel.forward(params, {"x": x[::-1] if backwards else x}, initial)
        outputs.append(states["h"][::-1] if backwards else states["h"])
        for name in states:
            last[name].append(states[name][-1])
    found = {"Y": np.stack(outputs, axis=1), "Y_h": np.stack(last["h"])}
    if last["c"]:
        found["Y_c"] = np.stack(last["c"])
    if batch_first:
        found["Y"] = found["Y"].transpose(2, 0, 1, 3)
        found |= {k: found[k].swapaxes(0, 1) for k in ("Y_h", "Y_c") if k in found}
    return found


@pytest.mark.parametrize("style", ["textbook", "fused", "stable"])
def test_the_recurrent_node_tests_of_onnx_pass(onnx_cases, style):
    passed = 0
    for name, (node, given, outputs) in onnx_cases.items():
        found = onnx_forward(node, given, style)
        for key, want in outputs.items():
            assert found[key].shape == want.shape, f"{name}: {key}"
            assert scaled_error(found[key], want) < FLOAT32, f"{name}: {key}"
        passed += 1
    assert passed == ONNX_TESTS


def test_a_reset_before_the_product_is_not_one_after_it(onnx_cases):
    onnx = importlib.import_module("onnx")
    evaluator = importlib.import_module("onnx.reference").ReferenceEvaluator
    rng = np.random.default_rng(9)
    given = {
        "X": rng.normal(size=(4, 2, 3)), "W": rng.normal(size=(1, 12, 3)),
        "R": rng.normal(size=(1, 12, 4)), "B": rng.normal(size=(1, 24)),
    }  # fmt: skip
    given = {k: v.astype(np.float32) for k, v in given.items()}
    wanted = {}
    for before in (0, 1):
        node = onnx.helper.make_node(
            "GRU", [*given], ["Y", "Y_h"], hidden_size=4, linear_before_reset=before
        )
        wanted[before] = evaluator(node).run(None, given)[0]
        assert scaled_error(onnx_forward(node, given, "fused")["Y"], wanted[before]) < FLOAT32
    assert scaled_error(wanted[0], wanted[1]) > 1e-3
