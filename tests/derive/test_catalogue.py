"""Every cell of the catalogue: derived, emitted, right, counted; and compared with its paper."""

import gc
import time

import numpy as np
import pytest
from papers import CELLS as PAPERS
from profiles import by_day

from derive.calculus.through_time import differentiate
from derive.cell import build, catalogue, load
from derive.cells import FOLDER, read_tables, tables
from derive.language.syntax import CellError
from numeric.compiler.kernel import compile_cell
from numeric.compiler.targets import STYLES
from numeric.meaning.default_constants import default_constants
from numeric.meaning.sizes import shape_of
from numeric.verification.exact import exact_check
from numeric.verification.problems.of_cell import CellProblem, make_case, ordinary_sizes
from numeric.verification.verify import verify
from numeric.verification.watch import Guard, subject_of
from numeric.weights import layouts as interop

NAMES = tuple(catalogue)
FIXED = (
    "rnn", "lstm", "peephole_lstm", "coupled_lstm", "gru", "gru_reset_after", "clockwork_rnn",
    "depth_gated_lstm", "lstm_nig", "lstm_nfg", "lstm_nog", "lstm_niaf", "lstm_noaf", "lstm_np",
    "lstm_cifg", "lstm_fgr", "mut1", "mut2", "mut3",
)  # fmt: skip
FEWEST = 90
SECONDS_A_CELL, SECONDS_ON_AVERAGE = 0.5, 0.19
ROUNDING = 1e-12
GATES = {
    "lstm": "fico", "peephole_lstm": "fico", "coupled_lstm": "fco", "gru": "zrh",
    "gru_reset_after": "zrh", "depth_gated_lstm": "fico",
}  # fmt: skip
MORE = {
    "peephole_lstm": {"p_f", "p_i", "p_o"},
    "gru_reset_after": {"c_h"},
    "depth_gated_lstm": {"p_f", "p_i", "p_o", "W_dx", "w_cd", "w_ld", "b_d"},
}


def count(name, **sizes):
    """The number of parameters at these sizes."""
    return sum(int(np.prod(shape_of(s, sizes))) for s in catalogue[name].parameters)


def scaled_error(got, want):
    return float(np.max(np.abs(got - want)) / np.max(np.abs(want)))


# ---- what is there ---------------------------------------------------------------------------


def test_the_names_promised_are_there_and_many_more():
    assert set(FIXED) <= set(NAMES)
    assert len(NAMES) >= FEWEST


def test_no_name_stands_in_two_files_and_the_order_is_that_of_the_files():
    listed = [name for path in sorted(FOLDER.glob("*.toml")) for name in read_tables(path)]
    assert listed == list(NAMES) == list(tables())


@pytest.mark.parametrize("name", by_day(NAMES, 3))
def test_a_cell_says_its_title_and_source_and_learns_from_all_it_has(name):
    cell = catalogue[name]
    assert cell.title != name
    assert any(character.isdigit() for character in cell.source)
    case = make_case(cell, ordinary_sizes(cell), steps=4, batch=3, seed=1)
    kernel = compile_cell(cell, "textbook")
    _, tape = kernel.forward(case.params, case.inputs, case.initial, case.constants)
    gradients = kernel.backward(case.params, tape, case.cotangents)
    for group, arrays in gradients.items():
        for key, array in arrays.items():
            assert np.any(array), f"{group}.{key}"


@pytest.mark.parametrize("name", GATES)
def test_parameters_have_the_promised_names(name):
    stems = {f"W_{g}{v}" for g in GATES[name] for v in "hx"} | {f"b_{g}" for g in GATES[name]}
    assert {s.name for s in catalogue[name].parameters} == stems | MORE.get(name, set())


@pytest.mark.parametrize("name", [n for n in FIXED if n.startswith("lstm_")])
def test_only_the_variant_without_peepholes_has_none(name):
    peepholes = {s.name for s in catalogue[name].parameters if s.name.startswith("p_")}
    missing = {"lstm_nig": "i", "lstm_cifg": "f", "lstm_nfg": "f", "lstm_nog": "o"}.get(name, "")
    expected = set() if name == "lstm_np" else {f"p_{g}" for g in "ifo" if g not in missing}
    assert peepholes == expected


# ---- speed -----------------------------------------------------------------------------------


@pytest.fixture
def alone():
    """What other tests left behind is not searched for garbage meanwhile."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.long
@pytest.mark.usefixtures("alone")
def test_deriving_takes_half_a_second_a_cell_and_everything_a_fifth_on_average():
    started, names = time.process_time(), by_day(NAMES, 4)
    for name in names:
        at = time.process_time()
        cell = build(name, tables()[name], name)
        differentiate(cell)
        assert time.process_time() - at < SECONDS_A_CELL, name
        for style in STYLES:
            compile_cell.__wrapped__(cell, style)
    assert time.process_time() - started < SECONDS_ON_AVERAGE * len(names)


# ---- right -----------------------------------------------------------------------------------


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", by_day(NAMES, 14))
def test_the_emitted_gradients_are_exact(name, style):
    cell = catalogue[name]
    guard = Guard(subject_of(compile_cell(cell, style)))
    assert exact_check(
        CellProblem(cell), guard, ordinary_sizes(cell), steps=3, batch=2, seed=5
    ).right


def paper_states(name, case):
    """The states of every step by the forward of the paper."""
    state, found = dict(case.initial), {key: [] for key in case.initial}
    given = {**case.constants, **{k: v for k, v in case.inputs.items() if k != "x"}}
    period = 2 ** (np.arange(case.sizes["n"]) * 4 // case.sizes["n"])
    sequences = catalogue[name].sequences | {*case.inputs}
    for t in range(case.steps):
        known = {k: v[t] if k in sequences else v for k, v in given.items()}
        state = PAPERS[name](case.params, case.inputs["x"][t], state, known | {"period": period})
        for key in found:
            found[key].append(state[key])
    return {key: np.stack(values) for key, values in found.items()}


def paper_case(name):
    cell = catalogue[name]
    sizes = {key: 4 if key == "n" else 3 for key in ordinary_sizes(cell)}
    case = make_case(cell, sizes, steps=9, batch=3, seed=2)
    for key, value in default_constants(cell, {**sizes, "T": 9}).items():
        case.constants[key] = value
    return case


@pytest.mark.parametrize("name", PAPERS)
def test_forward_is_what_the_paper_says(name):
    case = paper_case(name)
    states, _ = compile_cell(catalogue[name]).forward(
        case.params, case.inputs, case.initial, case.constants
    )
    for key, want in paper_states(name, case).items():
        assert scaled_error(states[key], want) < ROUNDING, key


def test_a_gate_that_weighs_the_other_way_is_noticed():
    case, cell = paper_case("gru"), catalogue["gru"]
    text = cell.text.replace("(1 - z) * h_prev + z * h_tilde", "z * h_prev + (1 - z) * h_tilde")
    assert text != cell.text
    turned = type(cell).parse(name="turned", equations=text)
    states, _ = compile_cell(turned).forward(case.params, case.inputs, case.initial)
    assert scaled_error(states["h"], paper_states("gru", case)["h"]) > 1e-3


@pytest.mark.parametrize("style", STYLES)
def test_concatenated_weights_have_the_gradients_of_the_split_ones(style):
    split = catalogue["lstm"]
    gates = {"f": "sigmoid", "i": "sigmoid", "c": "tanh", "o": "sigmoid"}
    lines = [f"g_{g} = {fn}(W_{g} @ concat(h_prev, x) + b_{g})" for g, fn in gates.items()]
    lines += ["c = g_f * c_prev + g_i * g_c", "h = g_o * tanh(c)"]
    joined = type(split).parse(name="joined_lstm", equations="\n".join(lines))
    case = make_case(split, {"n": 4, "m": 3}, steps=7, batch=3, seed=6)
    params = {f"b_{g}": case.params[f"b_{g}"] for g in gates}
    for g in gates:
        params[f"W_{g}"] = np.hstack([case.params[f"W_{g}h"], case.params[f"W_{g}x"]])
    answers = []
    for cell, given in ((split, case.params), (joined, params)):
        kernel = compile_cell(cell, style)
        states, tape = kernel.forward(given, case.inputs, case.initial)
        answers.append((states, kernel.backward(given, tape, case.cotangents)))
    (states, ours), (other, theirs) = answers
    for key in states:
        assert scaled_error(other[key], states[key]) < ROUNDING
    for g in gates:
        want = np.hstack([ours["params"][f"W_{g}h"], ours["params"][f"W_{g}x"]])
        assert scaled_error(theirs["params"][f"W_{g}"], want) < ROUNDING
        assert scaled_error(theirs["params"][f"b_{g}"], ours["params"][f"b_{g}"]) < ROUNDING
    for group in ("inputs", "initial"):
        for key, want in ours[group].items():
            assert scaled_error(theirs[group][key], want) < ROUNDING


# ---- counted ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 2), (100, 39)])
def test_the_counts_of_greff_and_others(n, m):
    block = n * m + n * n + n
    counts = {
        "lstm_nig": 3 * block + 2 * n, "lstm_nfg": 3 * block + 2 * n,
        "lstm_nog": 3 * block + 2 * n, "lstm_cifg": 3 * block + 2 * n,
        "lstm_niaf": 4 * block + 3 * n, "lstm_noaf": 4 * block + 3 * n,
        "lstm_np": 4 * block, "lstm_fgr": 4 * block + 3 * n + 9 * n * n,
        "lstm": 4 * block, "peephole_lstm": 4 * block + 3 * n, "coupled_lstm": 3 * block,
        "rnn": block, "gru": 3 * block, "gru_reset_after": 3 * block + n, "mgu": 2 * block,
        "mut1": 3 * n * n + n * n + 3 * n, "indrnn": n * m + 2 * n, "fast_rnn": block + 2,
        "fast_grnn": n * m + n * n + 2 * n + 2,
        "rhn_3": 2 * (n * m + 3 * n * n + 3 * n),
    }  # fmt: skip
    tied = {"mut1": n}
    for name, want in counts.items():
        assert count(name, n=n, m=tied.get(name, m)) == want, name


def test_seventeen_weights_of_gers_with_one_output_unit():
    readout = 2
    assert count("peephole_lstm", n=1, m=1) + readout == 17


@pytest.mark.parametrize(
    ("cell", "n", "m", "published"),
    [("lstm", 128, 64, 98_816), ("gru_reset_after", 256, 64, 247_296), ("rnn", 128, 256, 49_280)],
)
def test_the_counts_that_keras_prints(cell, n, m, published):
    params = {s.name: np.zeros(shape_of(s, {"n": n, "m": m})) for s in catalogue[cell].parameters}
    assert sum(array.size for array in interop.to_keras(params, cell)) == published


@pytest.mark.parametrize(("cell", "gates"), [("rnn", 1), ("gru_reset_after", 3), ("lstm", 4)])
def test_two_biases_make_the_counts_of_torch(cell, gates):
    n, m = 20, 10
    params = {s.name: np.zeros(shape_of(s, {"n": n, "m": m})) for s in catalogue[cell].parameters}
    found = sum(array.size for array in interop.to_torch(params, cell).values())
    assert found == gates * (n * n + n * m + 2 * n)


@pytest.mark.parametrize("n", [4, 8, 20])
def test_clockwork_counts_and_learns_under_its_block_mask(n):
    cell, module = catalogue["clockwork_rnn"], n // 4
    blocks = default_constants(cell, {"n": n, "m": 2, "T": 9})["blocks"]
    assert blocks.sum() == n * n / 2 + n * module / 2
    case = make_case(cell, {"n": n, "m": 2}, steps=9, batch=2, seed=3)
    kernel = compile_cell(cell)
    _, tape = kernel.forward(case.params, case.inputs, case.initial, case.constants)
    gradient = kernel.backward(case.params, tape, case.cotangents)["params"]["W_H"]
    assert not gradient[blocks == 0].any()
    assert gradient[blocks == 1].all()


# ---- a cell of one's own ---------------------------------------------------------------------

OWN = '''
name = "own"
title = "A cell made up for this test"
source = "nobody 2000"
inputs = ["x", "v"]
constants = ["mask[t]", "rate"]
scalars = ["rate", "scale"]
defaults = { rate = 0.5 }
equations = """
g = sigmoid(W_g @ concat(h_prev, x) + b_g)
k = softmax(A @ h_prev + C @ v)
c = mask * (g * c_prev) + rate * (W @ x) / (2 + g)
h = scale * tanh(c) + k
"""
'''


@pytest.mark.long
def test_a_cell_from_a_file_goes_through_every_stage(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(OWN, encoding="utf-8")
    (cell,) = load(path).values()
    derivation = differentiate(cell)
    assert {s.name for s in cell.states} == {"c", "h"}
    assert derivation.step_jacobian
    assert derivation.chain
    assert len(derivation.parameter_gradients) >= len(cell.parameters)
    for style in STYLES:
        assert verify(compile_cell(cell, style)).status == "pass"
    sizes = {**ordinary_sizes(cell), "T": 3}
    assert default_constants(cell, sizes)["rate"] == 0.5


def test_a_cell_from_a_file_that_cannot_be_is_refused(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(OWN.replace('"rate"]\nscalars', '"speed"]\nscalars'), encoding="utf-8")
    with pytest.raises(CellError, match="constant 'speed' is in no equation"):
        load(path)
