"""examples/long_memory.py: the adding problem, what is learnt, and the norms beside the bounds."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from derive import catalogue
from numeric import compile_cell

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TINY = ["--size", "4", "--steps", "3", "--jobs", "1", "--cells", "rnn", "clockwork_rnn"]


@pytest.fixture
def problem(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module("adding_problem")


@pytest.fixture
def long_memory(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module("long_memory")


# ---- the problem ----------------------------------------------------------------------------


@pytest.mark.parametrize("lag", [1, 5, 40])
def test_the_target_is_the_sum_of_two_marked_numbers_the_first_a_lag_from_the_end(problem, lag):
    x, y = problem.sequences(lag, 300, np.random.default_rng(0))
    marks = x[..., 1]
    np.testing.assert_allclose((x[..., 0] * marks).sum(axis=0)[:, None], y, rtol=1e-6)
    assert (marks.sum(axis=0) == 2).all()
    assert set(np.unique(marks)) == {0, 1}
    first, last = marks.argmax(axis=0), len(x) - 1 - marks[::-1].argmax(axis=0)
    assert (len(x) - 1 - first >= lag).all()
    assert first.max() == problem.lead(lag) - 1, "the first mark is at every early step"
    assert last.min() == problem.lead(lag), "the second anywhere after them"
    assert last.max() == len(x) - 1


def test_the_bar_is_the_variance_of_two_uniform_numbers(problem):
    _, y = problem.sequences(3, 20000, np.random.default_rng(0))
    assert np.var(y) == pytest.approx(problem.MEAN, rel=0.03)


def test_error_is_that_of_the_cells_own_forward_code_and_the_gradient_its_slope(
    problem, monkeypatch
):
    learner = problem.Learner(catalogue["clockwork_rnn"], 6, 5, 1)
    params = {k: value.astype(float) for k, value in learner.initial_params().items()}
    x, y = (part.astype(float) for part in learner.test_sequences(20))
    constants = learner.constants("float64")
    own = {k.removeprefix("layer0."): v for k, v in params.items() if k.startswith("layer0.")}

    def error(weights):
        states, _ = compile_cell(learner.cell).forward(
            own | {"W_H": weights}, {"x": x}, None, constants
        )
        answer = states["y"][-1] @ params["readout.V"].T + params["readout.c"]
        return float(np.mean((answer - y) ** 2))

    monkeypatch.setattr(problem, "DTYPE", "float64")
    found, gradients = learner.mean_gradient(params, x, y)
    assert found == pytest.approx(error(own["W_H"]), rel=1e-12)
    way = np.random.default_rng(2).normal(size=own["W_H"].shape)
    slope = (error(own["W_H"] + 1e-6 * way) - error(own["W_H"] - 1e-6 * way)) / 2e-6
    assert 2 * np.vdot(gradients["layer0.W_H"], way) == pytest.approx(slope, rel=1e-6)


# ---- learning -------------------------------------------------------------------------------


def test_a_short_lag_is_learnt_and_a_training_without_updates_learns_nothing(problem):
    learner = problem.Learner(catalogue["gru"], 2, 16, 0)
    done = learner.learn(300, (0.03,))
    assert done.learnt
    assert done.error < problem.LEARNT
    assert done.updates is not None
    idle = learner.learn(1, (0.0,))
    assert not idle.learnt
    assert idle.updates is None
    assert idle.error > problem.MEAN / 2


LINEAR = """
name = "linear"
source = "a test"
inputs = ["x"]
equations = "h = W @ h_prev + U @ x"
"""


def test_the_best_rate_is_that_of_full_trainings_and_a_broken_one_is_never_chosen(
    problem, tmp_path
):
    learner = problem.Learner(catalogue["rnn"], 3, 8, 0)
    rates = (1e-5, 0.02, 0.01)
    full = {rate: list(learner.train(rate, 60))[-1][1] for rate in rates}
    assert learner.learn(60, rates).rate == min(full, key=full.get)
    path = tmp_path / "linear.toml"
    path.write_text(LINEAR, encoding="utf-8")
    linear = problem.adding_cell(str(path))
    burst = problem.Learner(linear, 200, 4, 0).learn(5, (1e6, 1e-4))
    assert burst.rate == 1e-4
    assert np.isfinite(burst.error)


def test_the_lag_changes_the_sequences_and_not_the_first_weights(problem):
    short, long = (problem.Learner(catalogue["lstm"], lag, 4, 3).initial_params() for lag in (2, 9))
    assert short.keys() == long.keys()
    assert all(np.array_equal(short[name], long[name]) for name in short)
    assert (short["layer0.b_f"] == 1).all()


# ---- norms and bounds -----------------------------------------------------------------------


def test_certified_bounds_enclose_the_measured_norm_at_every_lag(problem, long_memory):
    learner = problem.Learner(catalogue["clockwork_rnn"], 12, 5, 0)
    found = long_memory.norms(learner, learner.initial_params())
    assert len(found.measured) == 12
    for below, measured, above, windows in zip(
        found.below, found.measured, found.above, found.windows, strict=True
    ):
        assert below <= measured + 1e-9
        assert measured <= above + 1e-9
        assert above <= windows
    assert found.any_inputs is not None
    assert found.above[-1] <= found.any_inputs


# ---- the command ----------------------------------------------------------------------------


@pytest.mark.long
def test_the_command_prints_a_line_a_run_says_what_failed_and_writes_the_figure(
    long_memory, tmp_path, capsys
):
    assert long_memory.main([*TINY, "--lags", "3", "5", "-o", str(tmp_path)]) == 0
    said = capsys.readouterr()
    rows = [line.split() for line in said.out.splitlines()]
    found = [row[:2] + row[3:5] for row in rows if len(row) == 12]
    assert found == [
        [cell, lag, "no", "-"] for cell in ("rnn", "clockwork_rnn") for lag in ("3", "5")
    ]
    assert said.out.count("failed at lag") == 4
    assert "rnn: learnt no lag" in said.out
    assert "4 of 4" in said.err
    assert (tmp_path / "long_memory.svg").read_text(encoding="utf-8").count("<path") > 20
    assert (tmp_path / "long_memory.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cells", "nosuch"], "nosuch"),
        (["--cells", "depth_gated_lstm"], "expected one input"),
    ],
)
def test_a_cell_that_cannot_be_used_is_refused_in_a_line(long_memory, arguments, said, capsys):
    assert long_memory.main(arguments) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--lags", "0"], ["--steps", "0"], ["--jobs", "0"]])
def test_numbers_that_cannot_be_are_refused(long_memory, arguments):
    with pytest.raises(SystemExit) as stop:
        long_memory.parse_arguments(arguments)
    assert stop.value.code == 2


def test_quick_gives_way_to_what_is_asked_for(long_memory):
    assert long_memory.parse_arguments(["--quick"]).steps == long_memory.QUICK["steps"]
    assert long_memory.parse_arguments(["--quick", "--lags", "7"]).lags == [7]
