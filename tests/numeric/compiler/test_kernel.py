"""The emitted module: its text, its checks of its own arguments, its arithmetic's promises."""

import dataclasses
import subprocess
import sys

import mpmath
import numpy as np
import pytest
from profiles import NIGHTLY
from programs import MIXED, arguments
from sympy import Rational, S

from derive.cell import Cell, catalogue
from derive.language.functions import FUNCTIONS, X
from derive.language.syntax import call_text
from derive.network import Network
from numeric.compiler.kernel import compile_cell, compile_network, same_code, without_volatile
from numeric.compiler.targets import STYLES
from numeric.compiler.to_numpy.functions import IN_PLACE
from numeric.verification.oracles import autograd_answer
from numeric.verification.problems.of_cell import CellProblem, make_case, ordinary_sizes

STYLED = pytest.mark.parametrize("style", STYLES)


def run(cell, style, dtype=float, **changes):
    given, cotangents = arguments(cell, dtype=dtype)
    for group, change in changes.items():
        if group in given:
            given[group] = {**given[group], **change} if isinstance(change, dict) else change
    kernel = compile_cell(cell, style)
    states, tape = kernel.forward(*given.values())
    cotangents = {**cotangents, **changes.get("cotangents", {})}
    return states, kernel.backward(given["params"], tape, cotangents)


@STYLED
@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_source_is_as_reviewed(name, style, golden):
    golden(f"{name}_{style}.py.txt", without_volatile(compile_cell(catalogue[name], style).source))


@STYLED
def test_dtype_is_kept(style):
    for dtype in (np.float32, np.float64, np.complex128):
        for cell in (catalogue["lstm"], MIXED):
            states, gradients = run(cell, style, dtype)
            arrays = [*states.values(), *(a for g in gradients.values() for a in g.values())]
            assert {array.dtype for array in arrays} == {np.dtype(dtype)}
            assert all(isinstance(array, np.ndarray) for array in arrays)


@STYLED
@pytest.mark.parametrize(
    ("group", "change", "says"),
    [
        ("params", {"W_fh": np.zeros((3, 4))}, r"params\['W_fh'\]: expected shape \(n, n\)"),
        ("params", {"W_fh": np.zeros((3, 3), int)}, "expected float32 or float64, came int64"),
        ("params", {"W_fh": np.zeros((3, 3), "f4")}, "give all arrays one dtype"),
        ("params", {"W_q": np.zeros(3)}, "unknown name 'W_q'; expected W_fh"),
        ("params", [1, 2], "params: expected a dict of arrays, came list"),
        ("inputs", {"x": np.zeros((4, 3))}, r"inputs\['x'\]: expected shape \(T, B, m\)"),
        ("inputs", {"x": np.zeros((4, 3, 5))}, "expected shape"),
        ("initial", {"h": np.zeros((2, 3))}, r"initial\['h'\]: expected shape \(B, n\)"),
        ("initial", {"g": np.zeros((3, 3))}, "initial: unknown name 'g'"),
        ("constants", {"k": np.zeros(2)}, "constants: unknown name 'k'; expected none"),
        ("cotangents", {"h": np.zeros((5, 3, 3))}, r"cotangents\['h'\]: expected shape"),
        ("cotangents", {"q": np.zeros((4, 3, 3))}, "cotangents: unknown name 'q'"),
    ],
)
def test_a_wrong_argument_is_named(style, group, change, says):
    with pytest.raises(ValueError, match=says):
        run(catalogue["lstm"], style, **{group: change})


HALVED = Cell.parse(name="halved", equations="h = tanh(W @ h_prev + U @ x)\ns = 0.5 * s_prev")
STACKED = Cell.parse(
    name="stacked",
    equations="h = 0.5 * h_prev + sum(W @ [h_prev, s_prev]) + sum(x)\ns = 0.5 * s_prev",
)


@pytest.mark.parametrize(
    ("target", "parallel"), [("numpy", False), ("numpy", True), ("c", False), ("jax", False)]
)
@pytest.mark.parametrize(("cell", "first"), [(HALVED, "s"), (STACKED, "h")])
def test_a_size_that_only_an_initial_state_shows_is_asked_for(target, parallel, cell, first):
    kernel = compile_cell(cell, "fused", target, parallel=parallel)
    shapes = {"W": (3, 3) if cell is HALVED else (2, 5), "U": (3, 2)}
    params = {name: np.ones(shapes[name]) for name in kernel.module.PARAMETERS}
    inputs, width = {"x": np.ones((4, 2, 2))}, {"s": 2, "h": 3}[first]
    said = f"initial: expected a state that has the size {kernel.module.STATES[first][0]}: no input"
    with pytest.raises(ValueError, match=said):
        kernel.forward(params, inputs)
    states, _ = kernel.forward(params, inputs, {first: np.ones((2, width))})
    assert states["s"].shape == (4, 2, 2)
    assert states["h"].shape == (4, 2, 3)


@STYLED
def test_a_sum_of_sizes_is_held_to_its_parts_where_these_are_known(style):
    cell = Cell.parse(name="two", equations="h = tanh(W @ concat(h_prev, x, y))", inputs=("x", "y"))
    kernel = compile_cell(cell, style)
    case = make_case(cell, {"n": 4, "m": 2, "m_y": 3}, steps=3, batch=2, seed=0)
    states, tape = kernel.forward(case.params, case.inputs)
    for wider, says in ((10, r"n\+m\+m_y = 10 as arrays before have it, came 9"), (8, "came 9")):
        with pytest.raises(ValueError, match=says):
            kernel.forward({"W": np.zeros((4, wider))}, case.inputs)
    with pytest.raises(ValueError, match=r"inputs\['x'\]: expected n\+m\+m_y = 9 .* came 10"):
        kernel.forward(case.params, case.inputs | {"y": np.zeros((3, 2, 4))})
    with pytest.raises(ValueError, match=r"params\['W'\].* = \(4, 9\), came \(4, 8\)"):
        kernel.backward({"W": np.zeros((4, 8))}, tape, {"h": states["h"]})


@STYLED
def test_a_size_that_a_sum_leaves_is_known_without_initial_states(style):
    text = "r = tanh(r_prev)\nh = tanh(W @ concat(r, x)) + h_prev + b"
    kernel = compile_cell(Cell.parse(name="left", equations=text), style)
    params, x = {"W": np.ones((4, 5)), "b": np.ones(4)}, np.ones((3, 2, 2))
    assert kernel.forward(params, {"x": x})[0]["r"].shape == (3, 2, 3)


@STYLED
def test_a_missing_parameter_and_a_foreign_tape_are_named(style):
    kernel = compile_cell(catalogue["rnn"], style)
    given, _ = arguments(catalogue["rnn"])
    with pytest.raises(ValueError, match=r"params\['b'\]: expected an array, it is missing"):
        kernel.forward({k: v for k, v in given["params"].items() if k != "b"}, given["inputs"])
    with pytest.raises(ValueError, match="tape: expected what forward returned"):
        kernel.backward(given["params"], {}, {})


@STYLED
@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("kind", [np.matrix, np.ma.MaskedArray])
def test_arrays_whose_operators_mean_something_else_are_refused(style, kind):
    given, _ = arguments(catalogue["rnn"])
    says = rf"params\['W'\]: expected an array, came {kind.__name__}"
    with pytest.raises(ValueError, match=says):
        run(catalogue["rnn"], style, params={"W": given["params"]["W"].view(kind)})


@STYLED
def test_the_emitted_file_stands_alone(style, tmp_path):
    path = tmp_path / "gradients.py"
    path.write_text(compile_cell(catalogue["lstm"], style).source, encoding="utf-8")
    code = (
        "import sys, numpy as np, gradients as g\n"
        "try: g.forward({}, {'x': np.zeros((2, 2, 2))})\n"
        "except ValueError as error: print(error)\n"
        "print(sorted(m for m in sys.modules if m in {'derive', 'numeric', 'reports', 'sympy'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True,
                          text=True, check=True)  # fmt: skip
    assert done.stdout == "params['W_fh']: expected an array, it is missing\n[]\n"


@STYLED
def test_absent_states_and_cotangents_are_zero(style):
    cell = catalogue["lstm"]
    given, cotangents = arguments(cell)
    kernel = compile_cell(cell, style)
    none = {k: 0 * v for k, v in given["initial"].items()}
    states, tape = kernel.forward(given["params"], given["inputs"])
    same, other = kernel.forward(given["params"], given["inputs"], none)
    assert np.array_equal(states["h"], same["h"])
    left = kernel.backward(given["params"], tape, {"h": cotangents["h"]})
    right = kernel.backward(
        given["params"], other, {"h": cotangents["h"], "c": 0 * cotangents["c"]}
    )
    assert all(np.array_equal(left["params"][k], v) for k, v in right["params"].items())


@STYLED
def test_sequence_constants_may_differ_by_sample(style):
    given, _ = arguments(MIXED)
    kernel = compile_cell(MIXED, style)
    clock = given["constants"]["clock"]
    wide = np.broadcast_to(clock[:, None], (4, 3, 3)).copy()
    states, _ = kernel.forward(*given.values())
    given["constants"]["clock"] = wide
    same, _ = kernel.forward(*given.values())
    assert np.array_equal(states["h"], same["h"])
    wide[:, 1] += 1
    other, _ = kernel.forward(*given.values())
    changed = np.any(states["h"] != other["h"], axis=(0, 2))
    assert changed.tolist() == [False, True, False]


def test_a_symbol_may_be_called_like_a_size():
    cell = Cell.parse(name="trial", equations="m = W @ m_prev + n * x")
    for style in STYLES:
        assert run(cell, style)[0]["m"].shape == (4, 3, 3)


def test_code_is_compared_without_its_volatile_lines():
    plain = compile_cell(catalogue["rnn"], "fused").source
    verified = compile_cell(catalogue["rnn"], verified="today, by all checks").source
    assert plain != verified
    assert same_code(plain, verified)
    assert not same_code(plain, plain.replace("h_bar", "h_bat"))


def test_an_unknown_style_is_refused():
    with pytest.raises(ValueError, match="style: expected one of textbook, fused, stable"):
        compile_cell(catalogue["rnn"], "fancy")
    with pytest.raises(ValueError, match="style: expected one of textbook, fused, stable"):
        compile_network(Network(catalogue["rnn"]), "fancy")


def test_an_unknown_target_is_answered_with_the_known():
    with pytest.raises(ValueError, match=r"target: expected one of numpy.*came 'fortran'"):
        compile_cell(catalogue["rnn"], target="fortran")
    with pytest.raises(ValueError, match=r"target: expected one of numpy.*came 'fortran'"):
        compile_network(Network(catalogue["rnn"]), "fused", "fortran")


def test_a_style_whose_slopes_come_from_nowhere_is_refused():
    with pytest.raises(ValueError, match="style 'odd': slope_from is 'output' or 'input'"):
        dataclasses.replace(STYLES["fused"], name="odd", slope_from="both")


# ---- spellings against 50 digits --------------------------------------------------------------


def test_every_function_has_a_spelling_in_every_style():
    for style in STYLES.values():
        assert set(style.spellings) <= set(FUNCTIONS)
        for name, row in FUNCTIONS.items():
            spelling = style.spelling(name)
            has = row.slope_from_output is not None
            assert has or not spelling.slope_from_output
    assert {name.split("_slope")[0] for name in IN_PLACE} <= set(FUNCTIONS)


def module_of(name, style, slope):
    cell = Cell.parse(name="probe", equations=f"h = {call_text(name, 'x')} + 0 * h_prev")
    kernel = compile_cell(cell, style)
    if not slope:
        return lambda a: kernel.forward({}, {"x": a[None, None]})[0]["h"][0, 0]

    def slope_of(a):
        _, tape = kernel.forward({}, {"x": a[None, None]})
        return kernel.backward({}, tape, {"h": np.ones((1, 1, a.size))})["inputs"]["x"][0, 0]

    return slope_of


def loss_of_digits(name, style, slope, a):
    """The relative error that the style states, in units of u, as a function of |a|."""
    cancels = {
        ("textbook", "tanh", True): np.exp(2 * abs(a)),
        ("fused", "tanh", True): np.exp(2 * abs(a)),
        ("textbook", "sigmoid", True): np.exp(np.maximum(a, 0)),
        ("fused", "sigmoid", True): np.exp(abs(a)),
        ("fused", "sigmoid", False): np.exp(np.maximum(-a, 0)),
        ("textbook", "elu", True): np.exp(np.maximum(-a, 0)),
        ("fused", "elu", True): np.exp(np.maximum(-a, 0)),
    }
    for other in ("textbook", "fused"):
        cancels[other, "softsign", True] = 1 + abs(a)
        cancels[other, "scaled_tanh", True] = np.exp(4 / 3 * abs(a))
    for other in STYLES:
        cancels[other, "gelu", slope] = np.exp(np.minimum(2 * abs(a) + 0.1 * abs(a) ** 3, 300))
        cancels[other, "erf", True] = 1 + abs(a)  # with the factor below, a²
        cancels[other, "sin", slope] = 1 + abs(a) * 100
    return 8 * (1 + abs(a)) * cancels.get((style, name, slope), 1)


@STYLED
@pytest.mark.parametrize("slope", [False, True], ids=["value", "slope"])
@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_the_stated_errors_hold_against_fifty_digits(name, style, slope):
    row = FUNCTIONS[name]
    a = np.concatenate([np.linspace(-30, 30, 61), np.linspace(-3.1, 3.3, 41), [-1e-8, 1e-8]])
    a = a[:: 1 if NIGHTLY else 4] if row.domain == S.Reals else a[a > 0]
    got = module_of(name, style, slope)(a)
    if name == "gelu":
        a, got = a[abs(a) < 6], got[abs(a) < 6]
    with mpmath.workdps(50):
        formula = row.bind(row.slope if slope else row.formula, ())
        want = [mpmath.mpf(str(formula.subs(X, x).evalf(50))) for x in map(exactly, a)]
        u = mpmath.mpf(2) ** -53
        for x, g, w in zip(a, got, want, strict=True):
            allowed = u * float(loss_of_digits(name, style, slope, x)) * abs(w)
            allowed += mpmath.mpf(2) ** -1074  # what is smaller is no float
            assert abs(mpmath.mpf(float(g)) - w) <= allowed, (x, g, w)


def exactly(x):
    """The double as a rational."""
    return Rational(*float(x).as_integer_ratio())


# ---- cells that random search found broken once ------------------------------------------------

ONCE_WRONG = {
    "accumulator of an intermediate": "s = tanh((W - W.T) @ b) + r_prev + U @ x\nr = V @ "
    "concat(s_prev, s_prev)",
    "one product used twice": "s = tanh((U @ x) / (2 + sigmoid(U @ x))) + s_prev",
    "a state that needs no state": "r = U @ x\ns = tanh(s_prev) + r_prev + V @ x",
    "a state that is a stacked product": "s = tanh(W @ r_prev) + s_prev + U @ x\n"
    "r = (W - W.T) @ r_prev",
    "in place into a view of a parameter": "s = tanh(W @ r_prev) + s_prev\nr = (W - W.T) @ (U @ x)",
    "a number times a product": "s = 2 * (U @ x) + s_prev - V @ x",
    "a state without time": "s = U @ x + s_prev + r_prev\nr = b * b",
    "batched beside unbatched": "s = tanh(V @ concat(U @ x - b, (W - W.T) @ b)) + s_prev",
    "sizes that a later array tells": "s = tanh(V @ concat(U @ x, b)) + s_prev",
    "a product added and taken away": "s = tanh((W - W.T) @ sigmoid((U @ x) * b)) + s_prev\n"
    "r = tanh((U @ x - U @ x) * s_prev) + s + r_prev",
    "a state that repeats a parameter": "s = tanh(W.T @ (sigmoid(W.T @ b) * r_prev)) + U @ x\n"
    "r = b\nq = s_prev + q_prev",
    "a scalar without time": "s = tanh(g * b) + s_prev + U @ x",
    "an input that does not matter": "s = tanh(W @ s_prev + b) + 0 * x",
    "a gate of a gate, all three stacked": "s = sigmoid(sigmoid(A @ s_prev + U @ x) * (B @ s_prev) "
    "+ V @ x) * (C @ s_prev) + W @ x",
    "one number at every entry, with a minus": "a = U @ x\ns = tanh(s_prev * (1 - sum(a)) + b)",
    "sizes that inputs alone tell apart": "s = tanh(V @ concat(s_prev, x, y)) + b",
    "one of two stacked cotangents is made after the loop": "s = (2 - W.T @ (2 + U @ x)) + s_prev "
    "+ r_prev + y\nr = U @ x",
    "a cotangent handed back that needs no state": "s = W @ x\no = V @ s_prev",
    "a sum of a parameter's entries in time": "s = (sum(x) + sum(b)) * s_prev",
    "one function of one argument twice": "a = W @ s_prev + U @ x\ns = elu(a) + elu(a, 2)",
    "a name that a temporary would take": "a = W @ s_prev + U @ x\ntanh_a = V @ x\n"
    "s = tanh(a) * tanh_a",
    "a function of a number": "s = sigmoid(0.5 + 0 * x) * s_prev + x",
    "a function of zeros": "s = sigmoid(0 * x) * s_prev + x",
    "a row in time and a parameter": "s = (x.T @ b) * s_prev",
    "zeros made by a function": "s = elu(W @ s_prev + U @ x) + tanh(relu(s_prev))",
}


@STYLED
@pytest.mark.parametrize("what", ONCE_WRONG)
def test_cells_that_were_wrong_once_are_right(what, style):
    text = ONCE_WRONG[what]
    inputs = ["x", "y"] if "y" in text else ["x"]
    outputs = ["o"] if "\no = " in text else []
    cell = Cell.parse(name="once", equations=text, inputs=inputs, outputs=outputs,
                      scalars=["g"] if "g *" in text else [])  # fmt: skip
    kernel = compile_cell(cell, style)
    case = make_case(cell, ordinary_sizes(cell), steps=4, batch=3, seed=1)
    before = {name: value.copy() for name, value in case.params.items()}
    wanted = autograd_answer(CellProblem(cell), case).gradients
    _, tape = kernel.forward(case.params, case.inputs, case.initial, case.constants)
    for gradients in (kernel.backward(case.params, tape, case.cotangents) for _ in range(2)):
        for group, arrays in gradients.items():
            for name, value in arrays.items():
                want = np.asarray(wanted[group][name])
                assert value.shape == want.shape, name
                assert np.abs(value - want).max() <= 1e-12 * np.abs(want).max(), name
    assert all(np.array_equal(before[name], value) for name, value in case.params.items())
