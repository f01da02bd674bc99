"""Padding adds nothing to loss or gradients, whatever it holds and whatever a cell makes of it."""

from dataclasses import replace

import numpy as np
import pytest

from derive import Cell
from derive.network import Network
from numeric.compiler.kernel import compile_network
from numeric.compiler.padding import masked
from numeric.compiler.program import BATCH, LENGTH, Block, Program, Statement
from numeric.compiler.target import load
from numeric.verification.problems.of_network import NetworkProblem
from numeric.verification.promises import check_padding
from numeric.verification.verify import verify
from numeric.verification.watch import Guard, subject_of

DIVIDING = Cell.parse(
    name="dividing",
    equations="""
    u = (W @ h_prev + b) / (U @ x)
    c = c_prev / k + sin(u)
    h = tanh(c) / (1 + p * c_prev)
    """,
    constants=["k[t]"],
)
NETWORKS = {
    "softmax": {"layers": 2},
    "both ways": {"layers": 2, "bidirectional": True, "readout": "linear",
                  "loss": "squared_error", "dropout": True},
    "probabilities": {"readout": "softmax", "loss": "squared_error"},
    "last": {"layers": 2, "bidirectional": True, "loss_at": "last"},
    "embedded": {"embedding": True},
}  # fmt: skip
T, B = 5, 4
RAGGED = np.array([3, 0, 5, 1])
SIZES = {"n": 3, "m": 2, "q": 3, "v": 4, "T": T, "B": B}
BAD = [0.0, np.nan, np.inf, 1e308]


def drawn(network, module, rng):
    """A call with lengths; every array that has steps is drawn anew."""

    def array(dims, *lead):
        shape = tuple(sum(SIZES[part] for part in dim.split("+")) for dim in (*lead, *dims))
        return rng.normal(size=shape)

    def group(declared, *lead):
        return {name: array(dims, *lead) for name, dims in declared.items()}

    # a bidirectional stack reads 2n of the layer below
    params = {
        name: array([d.replace("2*n", "n+n") for d in dims])
        for name, dims in module.PARAMETERS.items()
    }
    steps = ("B",) if network.loss_at == "last" else ("T", "B")
    classes = network.loss == "cross_entropy"
    shape = tuple(SIZES[d] for d in steps)
    targets = rng.integers(3, size=shape) if classes else array(["q"], *steps)
    ids = rng.integers(4, size=(T, B))
    return {
        "params": params,
        "inputs": {"x": ids} if network.embedding else group(module.INPUTS, "T", "B"),
        "targets": targets,
        "initial": group(module.STATES, "B"),
        "constants": {
            name: array(["T", "B", *[d.replace("2*n", "n+n") for d in dims[1:]]])
            for name, dims in module.CONSTANTS.items()
        },
        "lengths": np.maximum(RAGGED, 1) if network.loss_at == "last" else RAGGED,
    }


def outside(arguments):
    return np.arange(T)[:, None] >= arguments["lengths"]


def flat(found):
    loss, gradients = found
    return {"loss": loss} | {
        (group, name): value
        for group, arrays in gradients.items()
        for name, value in arrays.items()
    }


@pytest.mark.parametrize("style", ["textbook", "fused", "stable"])
@pytest.mark.parametrize("settings", NETWORKS.values(), ids=NETWORKS.keys())
def test_no_bit_depends_on_padding_in_a_cell_that_divides_by_what_it_reads(settings, style):
    network = Network(DIVIDING, **settings)
    module = compile_network(network, style).module
    arguments = drawn(network, module, np.random.default_rng(1))
    wanted = flat(module.loss_and_gradient(**arguments))
    assert all(np.isfinite(value).all() for value in wanted.values())
    if not network.embedding:
        assert not wanted["inputs", "x"][outside(arguments)].any()
    for value in BAD:

        def filled(array, value=value):
            other = array.copy()
            if array.ndim > 1 and array.shape[:2] == (T, B):
                other[outside(arguments)] = -7 if array.dtype.kind == "i" else value
            return other

        other = arguments | {
            "inputs": {k: filled(v) for k, v in arguments["inputs"].items()},
            "constants": {k: filled(v) for k, v in arguments["constants"].items()},
            "targets": filled(arguments["targets"]),
        }
        for name, found in flat(module.loss_and_gradient(**other)).items():
            assert np.array_equal(found, wanted[name]), (name, value)


def test_each_sample_has_the_gradients_it_has_alone():
    network = Network(DIVIDING, **NETWORKS["both ways"])
    module = compile_network(network).module
    arguments = drawn(network, module, np.random.default_rng(2))
    total = None
    for b, length in enumerate(arguments["lengths"]):

        def cut(array, b=b, length=length):
            return array[:length, b : b + 1]

        alone = arguments | {
            "inputs": {k: cut(v) for k, v in arguments["inputs"].items()},
            "constants": {k: cut(v) for k, v in arguments["constants"].items()},
            "initial": {k: v[b : b + 1] for k, v in arguments["initial"].items()},
            "targets": cut(arguments["targets"]),
            "lengths": None,
        }
        loss, gradients = module.loss_and_gradient(**alone)
        own = {"loss": loss} | gradients["params"]
        total = own if total is None else {name: total[name] + own[name] for name in own}
    loss, gradients = module.loss_and_gradient(**arguments)
    for name, value in ({"loss": loss} | gradients["params"]).items():
        np.testing.assert_allclose(value, total[name], rtol=1e-11, atol=1e-13 * abs(value).max())


@pytest.mark.parametrize("style", ["textbook", "fused"])
def test_a_sample_of_no_steps_adds_nothing_even_with_a_state_that_is_no_number(style):
    network = Network(DIVIDING, **NETWORKS["both ways"])
    kernel = compile_network(network, style)
    arguments = drawn(network, kernel.module, np.random.default_rng(3))
    wanted = kernel.loss_and_gradient(**arguments)
    lost = {name: value.copy() for name, value in arguments["initial"].items()}
    for value in lost.values():
        value[RAGGED == 0] = np.nan
    with np.errstate(invalid="ignore"):
        found = kernel.loss_and_gradient(**arguments | {"initial": lost})
        for name, value in flat(found).items():
            assert np.array_equal(value, flat(wanted)[name]), name
        unmasked = load(
            kernel.source.replace(", rows) if ragged else rows", ", rows) if 0 else rows"), "m"
        )
        _, gradients = unmasked.loss_and_gradient(**arguments | {"initial": lost})
    assert np.isnan(gradients["params"]["layer0.W"]).any(), "the masks are needed"


@pytest.mark.long
def test_padding_is_not_computed_with_so_that_nothing_warns_or_stops_the_exact_check():
    network = Network(DIVIDING)
    source = compile_network(network).source
    arguments = drawn(network, load(source, "m"), np.random.default_rng(4))
    arguments["inputs"]["x"][outside(arguments)] = 0
    load(source, "right").loss_and_gradient(**arguments)
    reading = load(source.replace("x = x[nearest]", "pass"), "reading")
    with pytest.warns(RuntimeWarning, match="encountered in"):
        found = reading.loss_and_gradient(**arguments)
    assert all(np.isfinite(value).all() for value in flat(found).values()), "masks alone suffice"
    assert verify(load(source, "right"), network=network).checks["exact"].status == "pass"


def test_arrays_may_be_called_as_the_code_calls_its_own():
    names = ("last", "inside", "column", "nearest", "scatter", "from_end", "cross_entropy")
    cell = Cell.parse(
        name="named", equations="h = tanh(W @ h_prev + " + " + ".join(names) + ")", inputs=names
    )
    network = Network(cell, embedding=True)
    module = compile_network(network).module
    problem = NetworkProblem(network)
    check_padding(problem, Guard(subject_of(module, problem.functions)), range(2))


def test_only_sums_over_samples_with_steps_are_masked():
    program = Program(
        arguments=(), results=(),
        blocks=(Block("backward", (
            Statement("u", "zeros", (), (LENGTH, BATCH, 2)),
            Statement("last", "zeros", (), (BATCH, 2)),
            Statement("outside", "zeros", (), (LENGTH, BATCH, 1)),
            Statement("error", "select", ("outside", 0, "u")),
            Statement("W", "outer", ("u", "error")),
            Statement("b", "gather", ("u",), (2,)),
            Statement("V", "outer", ("last", "last")),
            Statement("v", "add", ("u", "u"), (1, 1)),
        )),),
        dims={"u": (LENGTH, BATCH, 2), "v": (LENGTH, BATCH, 2), "error": (LENGTH, BATCH, 2),
              "outside": (LENGTH, BATCH, 1), "last": (BATCH, 2), "W": (2, 2), "V": (2, 2),
              "b": (2,)},
    )  # fmt: skip
    found = {s.target: s for s in masked(program).blocks[0].statements}
    assert found["u_inside"] == Statement("u_inside", "inside", ("u", "outside"))
    assert found["W"].operands == ("u_inside", "error")
    assert found["b"].operands == ("u_inside",)
    assert found["V"].operands == ("last", "last")
    assert found["v"].operands == ("u", "u")
    assert replace(masked(program), blocks=(), results=()).dims["u_inside"] == program.dims["u"]
