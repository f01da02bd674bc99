"""Default constants: rules, numbers and values of a cell file; what cannot be is refused."""

import numpy as np
import pytest

from derive.cell import Cell, catalogue, load
from derive.language.defaults import RULES
from derive.language.syntax import CellError
from numeric.meaning import default_constants as defaults
from numeric.meaning.default_constants import default_constants
from numeric.meaning.sizes import usual_sizes
from numeric.verification.problems.of_cell import make_case

EQUATIONS = """
u = tanh((M * W) @ h_prev + U @ x)
h = m * u + (1 - m) * h_prev + rate * v
"""


def cell(**given):
    return Cell.parse(
        name="trial",
        equations=EQUATIONS,
        constants=("m[t]", "M", "v", "rate"),
        scalars=("rate",),
        defaults=given,
    )


SIZES = {"n": 3, "m": 2, "T": 5}


def test_values_of_a_constant_fix_the_sizes_of_drawn_nets():
    assert usual_sizes(cell(), 7, 5) == {"n": 7, "m": 5}
    assert usual_sizes(cell(M=1.5, m="clock"), 7, 5) == {"n": 7, "m": 5}
    assert usual_sizes(cell(v=[1.0, 2.0]), 7, 5) == {"n": 2, "m": 5}
    assert usual_sizes(cell(M=[[1, 0, 0]] * 3), 7, 5) == {"n": 3, "m": 5}


def test_every_rule_is_made():
    assert defaults._RULES.keys() == RULES.keys()


def test_a_clock_ticks_at_the_multiples_of_its_period():
    found = default_constants(catalogue["clockwork_rnn"], {"n": 4, "m": 1, "T": 8})
    ticks = [np.flatnonzero(found["clock"][:, j]) + 1 for j in range(4)]
    assert [list(t) for t in ticks] == [[*range(1, 9)], [2, 4, 6, 8], [4, 8], [8]]
    np.testing.assert_array_equal(found["blocks"], np.triu(np.ones((4, 4))))


def test_the_legendre_memory_holds_a_window_of_its_input():
    cell = catalogue["lmu"]
    found = default_constants(cell, {"d": 3, "n": 1, "m": 1, "T": 1})
    np.testing.assert_array_equal(found["A"], [[-1, -1, -1], [3, -3, -3], [-5, 5, -5]])
    np.testing.assert_array_equal(found["B"], [1, -3, 5])
    held = default_constants(cell, {"d": 12, "n": 1, "m": 1, "T": 1})
    m, theta, signal = np.zeros(12), 400, lambda t: np.sin(2 * np.pi * t / 400)
    for t in range(1, 1001):
        m += (held["A"] @ m + held["B"] * signal(t)) / theta
    for back in (0.25, 0.5, 0.75):  # the shifted Legendre polynomials at that part of the window
        read = np.polynomial.legendre.legval(2 * back - 1, m)
        assert abs(read - signal(1000 - back * theta)) < 0.05


@pytest.mark.parametrize(
    ("units", "expected"),
    [(0, []), (1, [0]), (3, [0, 1, 2]), (5, [0, 0, 1, 2, 3]), (8, [0, 0, 1, 1, 2, 2, 3, 3])],
)
def test_modules_are_four_and_as_equal_as_can_be(units, expected):
    assert list(defaults.modules(units)) == expected


def test_numbers_and_values_fill_the_shape():
    found = default_constants(cell(m=[1, 0, 0.5], M=[[1, 2, 3]] * 3, v=2, rate=0.1), SIZES)
    assert {k: v.shape for k, v in found.items()} == {
        "m": (5, 3), "M": (3, 3), "v": (3,), "rate": (),
    }  # fmt: skip
    np.testing.assert_array_equal(found["m"], [[1, 0, 0.5]] * 5)
    np.testing.assert_array_equal(found["v"], [2, 2, 2])
    assert found["rate"] == 0.1
    found["m"][0, 0] = 7  # its own memory
    assert found["m"][1, 0] == 1


def test_what_is_left_open_is_standard_normal_and_repeatable():
    first, again = (default_constants(cell(), SIZES) for _ in range(2))
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])
    other = default_constants(cell(), SIZES, np.random.default_rng(1))
    assert not np.array_equal(other["M"], first["M"])


@pytest.mark.parametrize(
    ("sizes", "says"),
    [({"n": 3, "m": 2}, "'m' needs the size 'T'"), ({**SIZES, "n": 4}, r"shape \(3,\), .*\(4,\)")],
)
def test_sizes_that_do_not_fit_are_named(sizes, says):
    with pytest.raises(ValueError, match=says):
        default_constants(cell(m=[1, 0, 0.5]), sizes)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"speed": 1}, "'speed', which is no constant of the cell"),
        ({"m": "clok"}, r"'m': expected .* a rule \(clock, block_upper, legendre\), came 'clok'"),
        ({"M": "clock"}, "'clock' makes a vector given anew at each step"),
        ({"v": "clock"}, "makes a vector given anew"),
        ({"m": "block_upper"}, "makes a square matrix"),
        ({"rate": [1]}, "'rate': expected a number"),
        ({"v": [[1, 2, 3]]}, "expected a list of numbers"),
        ({"M": [1, 2, 3]}, "expected a list of equally long rows"),
        ({"M": [[1, 2], [3]]}, "equally long rows"),
        ({"v": []}, "all finite, came"),
        ({"v": [1, True]}, "all finite, came"),
        ({"v": float("nan")}, "came nan"),
        ({"v": 10**400}, "expected a list of numbers or the name of a rule"),
        ({"v": {"rule": "clock"}}, "name of a rule, came"),
        ({"v": [0] * 10_001}, "at most 10000"),
    ],
)
def test_a_default_that_cannot_be_is_refused_when_the_cell_is_made(given, says):
    with pytest.raises(CellError, match=says):
        cell(**given)


def test_a_file_with_a_wrong_default_is_refused(tmp_path):
    path = tmp_path / "trial.toml"
    path.write_text(
        'constants = ["m"]\ndefaults = { m = "often" }\nequations = "h = m * h_prev + U @ x"\n',
        encoding="utf-8",
    )
    with pytest.raises(CellError, match="cell 'trial': the default of 'm'"):
        load(path)


def test_cases_use_the_defaults_for_one_seed_in_three():
    clockwork, sizes = catalogue["clockwork_rnn"], {"n": 4, "m": 2}
    usual = default_constants(clockwork, {**sizes, "T": 6})
    same = [
        all(
            np.array_equal(value, usual[name])
            for name, value in make_case(
                clockwork, sizes, steps=6, batch=2, seed=seed
            ).constants.items()
        )
        for seed in range(6)
    ]
    assert same == [True, False, False, True, False, False]
    single = make_case(clockwork, sizes, steps=6, batch=2, seed=0, dtype="float32")
    assert single.constants["clock"].dtype == np.float32


def test_values_of_other_sizes_leave_cases_random():
    case = make_case(cell(m=[1, 0, 0.5]), {"n": 2, "m": 1}, steps=3, batch=2, seed=0)
    assert case.constants["m"].shape[-1] == 2
