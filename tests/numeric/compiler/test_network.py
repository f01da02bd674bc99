"""Networks: the composed program, its passes, its module, and what padding may not change."""

import itertools

import numpy as np
import pytest
from c_code import needs_compiler
from profiles import by_day
from run_program import run_program

from derive.calculus.joins import joins
from derive.cell import Cell, catalogue
from derive.language.syntax import CellError
from derive.network import Network
from numeric.compiler.kernel import compile_cell, compile_network
from numeric.compiler.network import compose
from numeric.compiler.padding import masked
from numeric.compiler.passes import FUSED
from numeric.compiler.program import initial_name
from numeric.verification.verify import verify

SIZES = {"T": 4, "B": 3, "n": 3, "m": 2, "q": 4, "v": 5}
LENGTHS = np.array([4, 2, 1])
STYLES = ("textbook", "fused", "stable")
OUTPUTS = [("softmax", "cross_entropy"), ("linear", "squared_error"), ("softmax", "squared_error")]


def networks():
    """One of every kind on the RNN; the LSTM where its second state matters."""
    for layers, both, (readout, loss), at in itertools.product(
        (1, 2), (False, True), OUTPUTS, ("all", "last")
    ):
        yield Network(catalogue["rnn"], layers, both, readout, loss, at)
    for cell, both in itertools.product(("rnn", "lstm"), (False, True)):
        yield Network(catalogue[cell], 2, both, embedding=True, dropout=True)
    yield Network(catalogue["lstm"], 3, True)
    yield Network(catalogue["depth_gated_lstm"], 2, True)
    yield Network(catalogue["clockwork_rnn"], 2)


def name(network):
    return network.name


KINDS = pytest.mark.parametrize("network", by_day(networks(), 5), ids=name)


def draw(network, *, lengths=LENGTHS, dtype=float, seed=3, sizes=SIZES):
    """Arguments of the network's module."""
    random = np.random.default_rng(seed)
    module = compile_network(network, "textbook").module
    T, B = sizes["T"], sizes["B"]

    def array(dims, *lead):
        shape = (*lead, *(sum(sizes[part] for part in d.split("+")) for d in dims))
        return np.asarray(random.normal(size=shape) * 0.8, dtype)

    lead = (B,) if network.loss_at == "last" else (T, B)
    return {
        "params": {k: array(d) for k, d in module.PARAMETERS.items()},
        "inputs": {
            k: array(d, T, B) if d else random.integers(0, sizes["v"], (T, B))
            for k, d in module.INPUTS.items()
        },
        "targets": random.integers(0, sizes["q"], lead)
        if network.loss == "cross_entropy"
        else array(("q",), *lead),
        "initial": {k: array(d, B) for k, d in module.STATES.items()},
        "constants": {k: array(d[1:], T) if d[0] == "T" else array(d)
                      for k, d in module.CONSTANTS.items()},
        "lengths": lengths,
    }  # fmt: skip


def flat(gradients):
    return {(g, k): v for g, arrays in gradients.items() for k, v in arrays.items()}


def assert_same(left, right, tolerance=1e-11):
    assert left.keys() == right.keys()
    for key, value in left.items():
        scale = np.abs(right[key]).max(initial=0)
        assert np.abs(value - right[key]).max(initial=0) <= tolerance * scale, key


def meaning(network, program, arguments):
    """Loss and gradients by the interpreter of programs."""
    T, B = SIZES["T"], SIZES["B"]
    lengths = arguments["lengths"]
    outside = (np.arange(T)[:, None] >= lengths)[:, :, None]
    given = {"outside": outside, "ends": lengths - 1, "targets": arguments["targets"]}
    for argument in program.arguments:
        source = {"indices": "inputs"}.get(argument.group, argument.group)
        if argument.group == "initial":
            given[initial_name(argument.name.removesuffix("_initial"))] = arguments["initial"][
                argument.key
            ]
        elif source in arguments and argument.group != "targets":
            value = arguments[source][argument.key]
            if argument.group == "inputs":
                value = np.where(outside, 0, value)
            if argument.group == "constants" and len(program.dims[argument.name]) == 3:
                value = np.broadcast_to(value[:, None], (T, B, value.shape[-1]))
            given[argument.name] = value
    values = run_program(program, given, SIZES)
    return {(r.group, r.key): values[r.name] for r in program.results}


@KINDS
def test_modules_and_passes_mean_what_the_composed_program_means(network):
    arguments = draw(network)
    program = compose(network)
    wanted = meaning(network, masked(program), arguments)
    for improve in FUSED:
        program = improve(program)
        assert_same(meaning(network, masked(program), arguments), wanted)
    for style in STYLES:
        loss, gradients = compile_network(network, style).loss_and_gradient(**arguments)
        assert_same({("loss", "loss"): loss, **flat(gradients)}, wanted)


@KINDS
def test_gradients_are_the_slopes_of_the_loss(network):
    kernel = compile_network(network, "fused")
    arguments = draw(network)
    _, gradients = kernel.loss_and_gradient(**arguments)
    random = np.random.default_rng(1)
    for group, arrays in gradients.items():
        for key, gradient in arrays.items():
            direction = random.normal(size=gradient.shape)
            losses = []
            for step in (1e-5, -1e-5):
                moved = {**arguments[group], key: arguments[group][key] + step * direction}
                losses.append(kernel.loss_and_gradient(**{**arguments, group: moved})[0])
            slope = (losses[0] - losses[1]) / 2e-5
            scale = np.abs(gradient).max() * np.sqrt(gradient.size)
            assert abs(slope - np.sum(gradient * direction)) <= 1e-7 * max(scale, 1e-3), key


@KINDS
@pytest.mark.parametrize("style", STYLES)
def test_padding_contributes_nothing_exactly(network, style):
    kernel = compile_network(network, style)
    arguments = draw(network)
    _, wanted = kernel.loss_and_gradient(**arguments)
    outside = np.arange(SIZES["T"])[:, None] >= LENGTHS
    inputs = {k: v.copy() for k, v in arguments["inputs"].items()}
    for value in inputs.values():
        value[outside] = -7 if value.dtype.kind == "i" else np.nan
    targets = arguments["targets"].copy()
    if network.loss_at == "all":
        targets[outside] = -7 if targets.dtype.kind == "i" else 1e6
    changed = {**arguments, "inputs": inputs, "targets": targets}
    _, got = kernel.loss_and_gradient(**changed)
    for key, value in flat(got).items():
        assert np.array_equal(value, flat(wanted)[key]), key
    for key, value in got["inputs"].items():
        assert not value[outside].any(), key


@pytest.mark.parametrize("style", STYLES)
def test_lengths_give_what_each_sample_gives_alone(style):
    network = Network(catalogue["lstm"], 2, True)
    kernel = compile_network(network, style)
    arguments = draw(network)
    loss, gradients = kernel.loss_and_gradient(**arguments)
    total, sums = 0.0, {key: 0 * value for key, value in gradients["params"].items()}
    for sample, length in enumerate(LENGTHS):
        alone = {
            "params": arguments["params"],
            "inputs": {"x": arguments["inputs"]["x"][:length, [sample]]},
            "targets": arguments["targets"][:length, [sample]],
            "initial": {k: v[[sample]] for k, v in arguments["initial"].items()},
        }
        part, gradient = kernel.loss_and_gradient(**alone)
        total += part
        for key, value in gradient["params"].items():
            sums[key] = sums[key] + value
    assert loss == pytest.approx(total, rel=1e-12)
    assert_same(gradients["params"], sums)


def test_a_layer_of_one_direction_is_the_cell_itself():
    cell = catalogue["lstm"]
    network = Network(cell, readout="linear", loss="squared_error")
    arguments = draw(network, lengths=None)
    _, gradients = compile_network(network).loss_and_gradient(**arguments)
    own = lambda arrays: {k.removeprefix("layer0."): v for k, v in arrays.items()}  # noqa: E731
    kernel = compile_cell(cell)
    params = {k: v for k, v in own(arguments["params"]).items() if not k.startswith("readout")}
    states, tape = kernel.forward(params, arguments["inputs"], own(arguments["initial"]))
    V, c = arguments["params"]["readout.V"], arguments["params"]["readout.c"]
    error = states["h"] @ V.T + c - arguments["targets"]
    wanted = kernel.backward(params, tape, {"h": error @ V})
    assert_same(wanted["params"], {k: own(gradients["params"])[k] for k in wanted["params"]})


@pytest.mark.parametrize("style", STYLES)
def test_dtype_is_kept(style):
    network = Network(catalogue["lstm"], 2, True, "softmax", "squared_error", dropout=True)
    loss, gradients = compile_network(network, style).loss_and_gradient(
        **draw(network, dtype=np.float32)
    )
    assert loss.dtype == np.float32
    assert {value.dtype for value in flat(gradients).values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"targets": np.full((4, 3), 9)}, "targets: expected integers from 0 to 3, came 0 to 9"),
        ({"targets": np.zeros((4, 3))}, "targets: expected integers, came float64"),
        ({"targets": np.zeros((3, 3), int)}, r"targets: expected shape \(T, B\) = \(4, 3\)"),
        ({"lengths": np.array([5, 1, 1])}, "lengths: expected integers from 0 to 4"),
        ({"lengths": np.array([1, 1])}, r"lengths: expected shape \(B,\)"),
        ({"inputs": {}}, r"inputs\['x'\]: expected an array, it is missing"),
        ({"params": {}}, r"params\['layer0.W'\]: expected an array, it is missing"),
    ],
)
@pytest.mark.parametrize("style", STYLES)
def test_a_wrong_argument_is_named(style, change, says):
    network = Network(catalogue["rnn"])
    with pytest.raises(ValueError, match=says):
        compile_network(network, style).loss_and_gradient(**(draw(network) | change))


def test_a_loss_at_the_last_step_needs_a_step():
    network = Network(catalogue["rnn"], loss_at="last")
    with pytest.raises(ValueError, match="lengths: a loss at the last step"):
        compile_network(network).loss_and_gradient(**draw(network, lengths=np.array([1, 0, 2])))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"layers": 0}, "layers: expected 1 or more"),
        ({"readout": "cubic"}, "readout: expected one of"),
        ({"readout": "linear"}, "needs readout softmax"),
        ({"loss_at": "first"}, "loss_at: expected one of all, last"),
    ],
)
def test_a_network_without_meaning_is_refused(settings, says):
    with pytest.raises(CellError, match=says):
        Network(catalogue["rnn"], **settings)


@pytest.mark.parametrize("target", ["numpy", "c"])
def test_a_size_that_only_an_initial_state_shows_is_asked_for(target):
    cell = Cell.parse(name="halved", equations="h = tanh(W @ h_prev + U @ x)\ns = 0.5 * s_prev")
    kernel = compile_network(Network(cell, final=True), "fused", target)
    params = {"layer0.W": (3, 3), "layer0.U": (3, 2), "readout.V": (2, 3), "readout.c": (2,)}
    given = {name: np.ones(shape) for name, shape in params.items()}, {"x": np.ones((4, 2, 2))}
    targets = np.zeros((4, 2), int)
    with pytest.raises(ValueError, match="initial: expected a state that has the size n_s: no"):
        kernel.loss_and_gradient(*given, targets)
    *_, final = kernel.loss_and_gradient(*given, targets, {"layer0.s": np.ones((2, 5))})
    assert final["layer0.s"].shape == (2, 5)


def test_a_cell_whose_input_is_tied_to_its_state_stacks_in_one_direction_only():
    cell = Cell.parse(name="tied", equations="h = tanh(W @ h_prev + x)")
    assert compile_network(Network(cell, 2)).module.PARAMETERS["layer1.W"] == ("n", "n")
    with pytest.raises(CellError, match="cannot be stacked"):
        Network(cell, 2, True)


def test_the_joins_hand_the_error_of_a_layers_input_to_the_layer_below():
    down = [join for join in joins(Network(catalogue["lstm"], 2, True)) if join.part == "down"]
    assert [join.rule for join in down[1:]] == ["the loss term from above"] * 2


TWO = {
    "a parameter": "h = tanh(W @ h_prev + U @ x + V @ u)\nz = Q @ h\ny = P @ h",
    "an input": "h = tanh(W @ h_prev + U @ x)\nz = Q @ u\ny = P @ h",
    "a state": "h = tanh(W @ h_prev + U @ x)\ns = s_prev + V @ u\nz = Q @ s\ny = P @ h",
}


@pytest.mark.by_default("c-a state")
@pytest.mark.parametrize("seen", TWO)
@pytest.mark.parametrize("target", ["numpy", pytest.param("c", marks=needs_compiler)])
def test_what_only_an_output_below_no_loss_reads_has_a_gradient_of_zero(seen, target):
    """Two outputs, of which the network hands up the last."""
    cell = Cell.parse(name="two", equations=TWO[seen], inputs=("x", "u"), outputs=("z", "y"))
    for style in STYLES if target == "numpy" else ("fused",):
        verdict = verify(compile_network(Network(cell), style, target=target))
        assert verdict.status == "pass", verdict.summary()
