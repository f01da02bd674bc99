"""Equation text → cell: shapes are inferred; what cannot be is refused, with its place."""

import numpy as np
import pytest
from sympy import MatAdd, Transpose, preorder_traversal

from derive.calculus.through_time import differentiate
from derive.cell import Cell, catalogue, dimensions
from derive.language.calls import known_functions
from derive.language.syntax import MAX_TEXT, CellError
from numeric.meaning.interpret import evaluate
from numeric.meaning.sizes import size_names


def parse(equations, **declared):
    return Cell.parse(name="trial", equations=equations, **declared)


def shapes(cell):
    symbols = (*cell.inputs, *cell.states, *cell.parameters, *cell.constants)
    return {symbol.name: dimensions(symbol) for symbol in symbols}


def test_shapes_follow_from_the_equations():
    cell = parse("a = W @ h_prev + U @ x + b\nh = tanh(a)")
    assert shapes(cell) == {
        "x": ("m",), "h": ("n",), "W": ("n", "n"), "U": ("n", "m"), "b": ("n",),
    }  # fmt: skip


def test_lstm_has_the_interface_names_and_state_order():
    cell = catalogue["lstm"]
    assert [state.name for state in cell.states] == ["c", "h"]
    assert shapes(cell)["W_fx"] == ("n", "m")
    names = [p.name for p in cell.parameters]
    assert names == [f"{k}_{g}{v}" for g in "fico" for k, v in (("W", "h"), ("W", "x"), ("b", ""))]


def test_terms_keep_the_authors_order():
    cell = parse("h = tanh(b + U @ x + W @ h_prev)")
    (total,) = cell.equations[0].value.atoms(MatAdd)
    assert [str(term) for term in total.args] == ["b", "U*x", "W*h_prev"]


def test_concatenation_splits_its_size():
    assert shapes(parse("h = tanh(W @ concat(h_prev, x))"))["W"] == ("n", "n+m")


def test_matrices_are_found_in_compound_left_operands():
    cell = parse("h = tanh((blocks * W - W.T) @ h_prev + U @ x)", constants=["blocks"])
    assert shapes(cell)["W"] == ("n", "n") == shapes(cell)["blocks"]


def test_scalars_broadcast_and_sequences_are_constants():
    cell = parse(
        "h = (m[t]) * h_prev + alpha * x".replace("m[t]", "clock"),
        constants=["clock[t]"], scalars=["alpha"],
    )  # fmt: skip
    assert shapes(cell)["alpha"] == ()
    assert cell.sequences == {"clock"}


def test_open_sizes_are_named_in_order_and_can_be_renamed():
    text = "c = tanh(A @ c_prev + P @ (Q @ x))\nh = tanh(W @ h_prev + V @ c)"
    assert shapes(parse(text))["W"] == ("n_h", "n_h")
    assert shapes(parse(text))["Q"] == ("k1", "m")
    assert shapes(parse(text, sizes={"h": "n"}))["V"] == ("n", "n")


def test_sizes_tie_the_input_to_the_state():
    assert shapes(parse("h = tanh(W @ h_prev + x)"))["x"] == ("n",)
    assert shapes(parse("h = W @ h_prev + U @ x", sizes={"x": "n"}))["U"] == ("n", "n")


def test_brackets_stack_as_concat_does():
    text = "h = tanh(W @ {} + b)"
    stacked, named = (parse(text.format(s)) for s in ("[h_prev, x]", "concat(h_prev, x)"))
    assert stacked.equations == named.equations
    assert shapes(stacked)["W"] == ("n", "n+m")


def test_one_vector_in_brackets_is_that_vector():
    assert parse("h = [x] + h_prev").equations == parse("h = x + h_prev").equations


@pytest.mark.parametrize(("written", "by_name"), [
    ("h = x.T @ x * h_prev", "h = dot(x, x) * h_prev"),
    ("h = x @ h_prev.T @ x", "h = outer(x, h_prev) @ x"),
    ("h = x @ x.T @ h_prev", "h = outer(x, x) @ h_prev"),
])  # fmt: skip
def test_an_input_left_of_a_product_stays_a_column(written, by_name):
    cell = parse(f"{written} + W @ x")
    assert shapes(cell)["h"] == ("n",)
    assert cell.equations == parse(f"{by_name} + W @ x").equations


@pytest.mark.parametrize(
    ("left", "W"),
    [("softplus(W)", ("n", "n")), ("(W * sigmoid(2 * W))", ("n", "n")),
     ("tanh(softplus(W) - V)", ("n", "n"))],
)  # fmt: skip
def test_a_parameter_in_a_function_left_of_a_product_is_a_matrix(left, W):
    assert shapes(parse(f"h = {left} @ h_prev + U @ x"))["W"] == W


def test_what_a_function_does_not_show_to_be_a_matrix_is_a_vector_unless_declared():
    text = "h = h_prev * exp(p) + (sigmoid(b).T @ h_prev) * x"
    assert shapes(parse(text))["b"] == shapes(parse(text))["p"] == ("n",)
    declared = parse("M = exp(L)\nh = tanh(M @ h_prev + U @ x)", matrices=["L"])
    assert shapes(declared)["L"] == ("n", "n")


@pytest.mark.parametrize(
    ("equations", "line", "column", "says"),
    [
        ("h = foo(h_prev) + x", 1, 5,
         f"unknown function 'foo': known are {', '.join(sorted(known_functions()))}"),
        ("h = tahn(h_prev) + x", 1, 5, "unknown function 'tahn': the nearest is tanh"),
        ("h = tanh(x @ W.T + U @ h_prev)", 1, 12, "write W @ x for x @ W.T"),
        ("h = tanh(x @ W + U @ h_prev)", 1, 12, "write W.T @ x for x @ W"),
        ("h = x @ (W + V).T + 0.1 * h_prev", 1, 7,
         "x is a column here: write (W + V) @ x for x @ (W + V).T, or outer(x, W + V) for"),
        ("h = h_prev + x @ (2 * W.T)", 1, 16, "write (2 * W.T).T @ x for x @ (2 * W.T), or"),
        ("h = h_prev + -x @ (W @ V).T", 1, 17, "write (W @ V) @ (-x) for (-x) @ (W @ V).T, or"),
        ("r = sigmoid(x + b)\nh = tanh((r * h_prev) @ W.T)", 2, 23,
         "write W @ (r * h_prev) for (r * h_prev) @ W.T, or outer(r * h_prev, W) for"),
        ("h = tanh([x, h_prev] @ W.T)", 1, 22, "write W @ concat(x, h_prev) for"),
        ("a = tanh(V @ x)\nh = a @ W.T + h_prev", 2, 7, "write W @ a for a @ W.T, or outer(a, W)"),
        ("h = h_prev + [x, x)", 1, 19, "expected ',' or ']'"),
        ("h = tanh(W @ h_prev + U @ x", 1, 28, "expected ',' or ')'"),
        ("h = tanh(W @ h_prev + U @ x\n", 1, 28, "expected ',' or ')'"),
        ("a = z + x\nz = a\nh = h_prev + z", 1, 5, "used before line 2 defines it"),
        ("h = h_prev + x\nk = k + x", 2, 5, "in the line that assigns it: use 'k_prev'"),
        ("x = W @ x\nh = h_prev + x", 1, 1, "declared as input: it cannot be assigned"),
        ("h = tanh(c_prev) + x", 1, 10, "the state 'c' is never assigned"),
        ("h = x + h_prev\nh = x", 2, 1, "assigned in line 1 already"),
        ("h = tanh(W @ h_prev + x)\ng = g_prev + W @ concat(h, g_prev)", 2, 16,
         "shapes clash at '@'"),
        ("h = h_prev * x_prev", 1, 14, "is an input and has no previous value"),
        ("h = h_prev + x + 1..2", 1, 20, "expected an operator"),
        ("h = h_prev + x $ 2", 1, 16, "unexpected '$'"),
        ("h = h_prev + x * if", 1, 18, "keyword of Python"),
        ("h = h_prev + x * lambda", 1, 18, "keyword of Python"),
        ("h = h_prev + x * None", 1, 18, "keyword of Python"),
        ("h = h_prev + x * __", 1, 18, "is no symbol"),
        ("h = h_prev_prev + x", 1, 5, "two steps back"),
        ("h = h_prev + x / 0", 1, 16, "division by zero"),
        ("h = h_prev + x + tanh(1)", 1, 18, "of a number"),
        ("h = h_prev @ x + h_prev", 1, 12, "shapes clash"),
        ("h = h_prev + x\ng = 3", 2, 1, "assigned and never used"),
        ("g = 3\nh = g * h_prev + x", 1, 5, "expected a vector or a matrix, came a number"),
        ("a = h_prev * x\nh = tanh(h_prev) + x", 1, 1, "assigned and never used"),
        ("h = h_prev + tanh(x, 2)", 1, 14, "takes one argument"),
        ("h = maximum(h_prev, x, x)", 1, 5, "takes two arguments, came 3"),
        ("h = sum(h_prev, x) * x", 1, 5, "sum takes one vector"),
        ("h = rotate(h_prev, x, x)", 1, 5, "makes two values"),
        ("h, g = h_prev + x", 1, 8, "two names take what rotate(a, b, theta) makes"),
        ("h, 2 = rotate(h_prev, x, x)", 1, 4, "a second name"),
        ("h, g = rotate(h_prev, x)", 1, 8, "two names take"),
        ("h = dot(h_prev) * x", 1, 5, "dot takes two vectors"),
        ("h = l2norm(h_prev, x) + x", 1, 5, "takes one vector, and a number after it"),
        ("h = h_prev * sum(sum(x))", 1, 18, "sum takes vectors"),
        ("h = h_prev + minimum(2, 3) * x", 1, 14, "of numbers"),
        ("h = power(h_prev, x) + x", 1, 19, "takes a number"),
        ("h = power(h_prev, 0) + x", 1, 19, "takes a number"),
        ("h = power(h_prev, 99) + x", 1, 19, "takes a number"),
        ("h = h_prev + sigmoid * x", 1, 14, "is a function"),
    ],
)  # fmt: skip
def test_errors_name_line_and_column(equations, line, column, says):
    with pytest.raises(CellError) as caught:
        parse(equations)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert says in str(caught.value)
    assert str(caught.value).endswith("^")


def test_a_vector_beside_a_matrix_state_is_named_and_not_the_state():
    with pytest.raises(CellError, match="U is taken for a vector: name it in 'matrices'"):
        parse("S = S_prev @ U + outer(W @ x, x)")
    assert parse("S = S_prev @ U + outer(W @ x, x)", matrices=("U",)).states


def test_a_row_that_is_said_to_be_one_makes_an_outer_product():
    """By `outer`, by a declared size, or where what stands in the row changes with time."""
    named = shapes(parse("h = x @ (W + V).T + h_prev", sizes={"W": "p", "V": "p"}))
    assert named["h"] == ("n", "p")
    assert shapes(parse("h = outer(x, W + V) + h_prev"))["h"] == ("n", "k")
    assert shapes(parse("S = S_prev + x @ (K @ x + b).T"))["S"] == ("n", "k")


@pytest.mark.parametrize("factor", ["tanh(W)", "(W @ U)", "[h_prev, x]", "x.T"])
def test_what_is_no_matrix_by_name_is_not_advised_to_be_turned(factor):
    with pytest.raises(CellError) as caught:
        parse(f"h = h_prev @ {factor} + x")
    assert "is a column here" not in str(caught.value)


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        ({"inputs": []}, "no inputs"),
        ({"inputs": ["x", "y"]}, "input 'y' is in no equation"),
        ({"constants": ["k"]}, "constant 'k' is in no equation"),
        ({"scalars": ["x"]}, "shapes clash at '@': (.*) on the left, .1, 1. on the right"),
        ({"sizes": {"q": "n"}}, "'sizes' names 'q'"),
        ({"sizes": {"b": "n", "h": "k"}}, "both 'n' and 'k'"),
        ({"inputs": ["x", "x"]}, "declared twice"),
        ({"inputs": ["while"]}, "keyword"),
        ({"matrices": ["Q"]}, "matrix 'Q' is in no equation"),
        ({"matrices": ["x"]}, "matrix 'x' is no parameter, constant or state"),
        ({"matrices": ["b"], "scalars": ["b"]}, "declared as scalar and as matrix"),
    ],
)
def test_wrong_declarations_are_refused(declared, says):
    with pytest.raises(CellError, match=says):
        parse("h = tanh(W @ h_prev + b) + U @ x", **declared)


def test_text_is_bounded_in_size_and_depth():
    for equations in (
        "h = h_prev + x" + " " * MAX_TEXT,
        "h = " + "(" * 400 + "x" + ")" * 400 + " + h_prev",
        "h = h_prev + " + "-" * 5000 + "x",
        "h = h_prev + x" + ".T" * 5000,
        "h = h_prev" + " + x" * 2000,
    ):
        with pytest.raises(CellError):
            parse(equations)


def test_nothing_in_a_cell_is_executed():
    for equations in (
        "h = __import__('os').system('true') + h_prev",
        "h = h_prev + x.real",
        "h = h_prev + x if x else x",
        "h = h_prev + [x][0]",
        "h = (lambda: x)() + h_prev",
    ):
        with pytest.raises(CellError):
            parse(equations)


def test_a_line_goes_on_inside_brackets_and_comments_are_ignored():
    cell = parse("h = tanh(W @ h_prev   # the state\n         + U @ x)  # the input\n")
    assert len(cell.equations) == 1


def test_a_rotation_is_two_equations():
    cell = parse("u, v = rotate(a_prev, b_prev, w)\na = u + x\nb = v - x", sizes={"x": "n"})
    assert [str(e.target) for e in cell.equations] == ["u", "v", "a", "b"]
    values = {"a_prev": 3.0, "b_prev": 4.0, "w": np.pi / 6}
    columns = {name: np.array([[value]]) for name, value in values.items()}
    turned = [float(evaluate(e.value, columns, {"n": 1})[0, 0]) for e in cell.equations[:2]]
    wanted = (3 + 4j) * np.exp(1j * np.pi / 6)
    np.testing.assert_allclose(turned, [wanted.real, wanted.imag], rtol=1e-15, atol=0)


@pytest.mark.parametrize(
    ("written", "by_hand"),
    [
        ("(x.T @ W @ h_prev) * h_prev", lambda h, x, b, W: (x.T @ W @ h) * h),
        ("outer(h_prev, x) @ b", lambda h, x, b, W: h @ x.T @ b),
        ("outer(W @ x, b).T @ (W @ x)", lambda h, x, b, W: ((W @ x) @ b.T).T @ (W @ x)),
        ("2 * outer(b, x) @ x + h_prev", lambda h, x, b, W: 2 * (b @ x.T) @ x + h),
        ("W @ outer(h_prev, x) @ b", lambda h, x, b, W: W @ (h @ x.T) @ b),
    ],
)
def test_columns_times_rows_in_time_are_numbers_times_columns(written, by_hand):
    rng = np.random.default_rng(0)
    h, x, b = rng.normal(size=(3, 3, 1))
    W = rng.normal(size=(3, 3))
    cell = parse(f"h = {written} + 0 * h_prev")
    given = {"h_prev": h, "x": x, "b": b, "W": W}
    got = evaluate(cell.equations[0].value, given, dict.fromkeys(size_names(cell), 3))
    np.testing.assert_allclose(got, by_hand(h, x, b, W), rtol=1e-12)
    assert not differentiate(cell).has_matrices


def test_a_column_times_one_number_is_scaled():
    (by_matrix,), (by_entry,) = (
        parse(f"h = tanh(x {sign} sum(h_prev)) + h_prev").equations for sign in "@*"
    )
    assert by_matrix == by_entry


def test_a_row_of_parameters_stays_a_row():
    value = parse("h = (p.T @ h_prev) * x + V @ x").equations[0].value
    assert any(isinstance(n, Transpose) and n.arg.name == "p" for n in preorder_traversal(value))


@pytest.mark.parametrize(
    ("equations", "free"),
    [("h = U @ h_tm1 + W @ x", "U, W, h_tm1"), ("h = U @ h_prev + W @ x_t", "U, W, x_t")],
)
def test_where_a_state_or_an_input_is_missed_the_parameters_are_named(equations, free):
    with pytest.raises(CellError, match=f"parameters: {free}$"):
        parse(equations)


@pytest.mark.parametrize("value", [
    "0.5 * S_prev + diag(sigmoid(G @ x))", "S_prev - 2 * diag(x)",
    "tanh(diag(x)) @ S_prev + outer(x, x)",
    "M * diag(x) + S_prev", "(diag(x) + outer(x, x)) @ S_prev + outer(x, x)", "diag(x)",
    "S_prev + diag(x) @ diag(x)",
])  # fmt: skip
def test_a_diagonal_matrix_by_itself_is_refused_in_words(value):
    """It has a rule beside a matrix alone: added, its adjoint ended in a fault of the program."""
    with pytest.raises(CellError, match=r"column \d+: diag\(…\) stands beside `@` alone"):
        Cell.parse(name="one", equations=f"S = {value}\nh = S @ x + S_prev @ x", outputs=("h",),
                   sizes={"x": "n"}, matrices=("M",) if "M" in value else ())  # fmt: skip


def test_a_diagonal_matrix_beside_a_product_stays():
    equations = "S = -diag(x) @ S_prev @ (diag(w) @ diag(x)) / 2 + diag(w) @ outer(x, x)\nh = S @ x"
    cell = Cell.parse(name="one", equations=equations, outputs=("h",), sizes={"x": "n"})
    assert differentiate(cell).has_matrices
