"""A factor is told as what it is in calls of other sizes, and in calls with lengths."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import pytest
from corpus import right

from derive import Network, catalogue
from numeric.compiler.kernel import compile_network
from numeric.compiler.target import load
from numeric.verification.explain.change import Factor
from numeric.verification.explain.factors import factor_between, factors
from numeric.verification.problems.of_cell import CellProblem
from numeric.verification.verdict import diagnoses
from numeric.verification.verify import verify

RNN = catalogue["rnn"]
NETWORK = Network(RNN)
VALUES = Network(RNN, 1, False, "linear", "squared_error")
LOSS = "    loss = cross_entropy(logits, targets, outside)\n"
SLOPE = "    logits_bar = cross_entropy_slope(logits, targets, outside)\n"
SQUARES = "    loss = tmp_square.sum(keepdims=True).reshape(())\n"


def told(network: Network, *edits: tuple[str, str]) -> list[str]:
    """What is said of the network's code with these edits."""
    source = compile_network(network, "textbook").source
    for old, new in edits:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    verdict = verify(load(source, "edited"), network=network)
    assert verdict.status == "fail"
    return diagnoses(verdict.to_dict()["gradients"])


def divided(by: str) -> Iterator[tuple[str, str]]:
    """The loss, and its slope, over that."""
    for line in (LOSS, SLOPE):
        yield line, line.replace("outside)", f"outside) / {by}")


COUNTS = {
    "T * B": ("T B", "over time and batch", ""),
    "int(np.sum(lengths))": (
        "T B", "over time and batch", "; with lengths, the number of valid steps stands for T B",
    ),
    "int(max(lengths, default=0))": (
        "T", "over time", "; with lengths, the largest length stands for T",
    ),
}  # fmt: skip


@pytest.mark.parametrize("by", COUNTS)
def test_what_a_loss_is_divided_by_is_told_apart_by_lengths(by: str) -> None:
    loss, slope = divided(f"max(1, {by})")
    count, average, more = COUNTS[by]
    assert told(NETWORK, loss, slope) == [
        f"the loss is the right one divided by {count}{more}; the backward pass is the gradient of "
        "that forward pass"
    ]
    (line,) = told(NETWORK, slope)
    assert f"with the slope of the loss averaged {average}{more} (readout: " in line


def test_each_samples_own_length_is_told_and_another_number_is_not_guessed() -> None:
    own = "np.maximum(lengths, 1)[:, None]"
    (line,) = told(NETWORK, (SLOPE, SLOPE.replace("outside)", f"outside) / {own}")))
    assert "averaged over time; with lengths, each sample's own length stands for T (" in line
    odd = "(T * B if np.all(lengths == T) else 11)"
    (line,) = told(NETWORK, (SLOPE, SLOPE.replace("outside)", f"outside) / max(1, {odd})")))
    assert "averaged over time and batch, in calls without lengths (" in line


MEAN = "    count = max(1, T * B * q)\n    error_inside = error_inside * 2 / count\n"
SUM = "error_inside.sum(axis=-1, keepdims=True)"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (f"{SQUARES}    loss = loss * 2 / max(1, T * B * q)\n{MEAN}",
         "the loss is the right one divided by T B q and multiplied by 2; the backward pass"),
        (f"{SQUARES}{MEAN}", "each equal the gradient divided by T B q and multiplied by 2"),
        ("    loss = 0.5 * (error_inside.sum(axis=-1) ** 2).sum()\n"
         f"    error_inside = 0 * error_inside + {SUM}\n",
         "the loss is ½ (Σ e)² of each step's errors, the square of a sum for the sum of squares"),
        ("    loss = error_inside.sum() ** 2\n", "½ (Σ e)² of all errors, the square of a sum for "
         "the sum of squares, multiplied by 2"),
        (f"{SQUARES}    error_inside = 0 * error_inside + {SUM}\n",
         "with the slope of the loss of ½ (Σ e)² of each step's errors"),
    ],
)  # fmt: skip
def test_means_and_squares_of_sums_are_told(code: str, says: str) -> None:
    lines = told(VALUES, (SQUARES, code))
    assert any(says in line for line in lines), lines


def test_a_size_is_not_taken_for_a_number() -> None:
    source = right("rnn").replace("dW += da.T @ h[t - 1]", "dW += da.T @ h[t - 1] / len(b)")
    verdict = verify(load(source, "edited"), cell=RNN)
    said = verdict.gradients["params.W"].diagnosis or ""
    assert "with the term ā_t h_{t−1}ᵀ divided by n (adjoint equation 8" in said


@pytest.mark.parametrize("by", ["T - 1", "B + 1", "m + 1", "n - 1"])
def test_an_extent_is_not_told_for_one_less_or_more_of_another(by: str) -> None:
    """Of the calls of an audit the steps are not all one more than the samples, and so on."""
    source = right("rnn").replace("T = len(x)\n", "T, B, m = x.shape; n = len(b)\n")
    source = source.replace("db += da.sum(axis=0)", f"db += da.sum(axis=0) / max(1, {by})")
    verdict = verify(load(source, "edited"), cell=RNN)
    said = verdict.gradients["params.b"].diagnosis or ""
    assert said.startswith("db equals no gradient that is tried"), said


SIZES = "    T, B, _ = x.shape\n"


@pytest.mark.parametrize("only", ["len(b) == 3", "B <= 3", "T <= 4"])
def test_code_that_takes_no_larger_call_is_told_its_mistake(only: str) -> None:
    source = right("rnn").replace(SIZES, f"{SIZES}    assert {only}\n")
    source = source.replace("dh_next = da @ W", "dh_next = da @ W.T")
    verdict = verify(load(source, "edited"), cell=RNN)
    said = verdict.gradients["params.W"].diagnosis or ""
    assert "with W for Wᵀ in Wᵀ ā_t (adjoint equation 6" in said


def test_what_is_wrong_in_large_calls_alone_is_told_of_those() -> None:
    wrong = "dW += (da.T @ h[t - 1]) * (T <= 4)"
    source = right("rnn").replace("dW += da.T @ h[t - 1]", wrong)
    verdict = verify(load(source, "edited"), cell=RNN)
    said = verdict.gradients["params.W"].diagnosis or ""
    assert "W̄ left at zero" in said
    assert said.endswith("in calls of T = 5")


def test_a_factor_has_to_hold_in_every_call() -> None:
    problem = CellProblem(RNN)
    cases = [problem.case({"n": n, "m": m}, steps=steps, batch=batch)
             for n, m, steps, batch in ((3, 2, 4, 3), (4, 3, 5, 4))]  # fmt: skip
    arrays = [case.params["W"] for case in cases]
    for factor in (Factor(("B", "n"), Fraction(2)), Factor(("T",), over=False), Factor((), 0.37)):
        pairs = [(factor.of(c) * a, a, c) for a, c in zip(arrays, cases, strict=True)]
        assert factor_between(pairs) in (factor, Factor((), Fraction(37, 100)))
    assert Factor(("n",)) in [*factors(1 / 3, cases[0])]
    assert factor_between(zip(arrays, (2 * arrays[0], arrays[1]), cases, strict=True)) is None
    fixed = [(array / 3, array, cases[0]) for array in arrays[:1]]  # 1/n as well
    assert factor_between(fixed) == Factor((), Fraction(1, 3))
