"""Every theorem of a report is read back from its page, and what it claims is computed.

Formulas are read from the MathML that is printed (`claim_reader.py`), letters get their numbers by
the theorem's own definitions along a trajectory of the printed equations, and Jacobians are small
steps through these (`claims_page.py`). Weights are of any size; where a theorem asks for more,
they are drawn so that it holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pytest
from profiles import NIGHTLY, by_day

from derive import Cell, catalogue
from numeric.meaning.default_constants import default_constants
from tests.derive.typeset.cell_page import Page, nfd
from tests.derive.typeset.claims_above import printed_theorems
from tests.derive.typeset.claims_page import Claims
from tests.derive.typeset.printed_values import AtKinkError, UnreadableError

SMALL: Final = 0.12
ODD: Final = {
    "not fed back": "h = tanh(W @ h_prev + U @ x)\nm = 0.5 * m_prev + V @ h",
    "relu": "h = relu(W @ h_prev + U @ x + b)",
    "products": "a = tanh(W @ (a_prev * h_prev) + U @ x)\nh = a * h_prev + V @ a_prev",
    "shown weight": (
        "z = sigmoid(Z @ h_prev + Y @ x + b_z)\n"
        "h = h_prev + (1 - z) * (tanh(W @ (z * h_prev) + U @ x) - h_prev)"
    ),
    "reversed gate": (
        "z = sigmoid(Z @ h_prev + Y @ x + b_z)\nh = z * h_prev + (1 - z) * tanh(W @ h_prev + U @ x)"
    ),
    "carousel reversed": (
        "f = sigmoid(F @ h_prev + V @ x + b_f)\nc = (1 - f) * c_prev + f * tanh(W @ h_prev + U @ x)"
        "\nh = sigmoid(O @ h_prev + b_o) * tanh(c)"
    ),
    "peephole": (
        "f = sigmoid(F @ h_prev + p * c_prev + b)\nc = f * c_prev - tanh(W @ h_prev + U @ x) * f\n"
        "h = sigmoid(O @ h_prev + q * c + b_o) * c"
    ),
    "negative weight": "h = 0.3 * h_prev - 0.6 * tanh(W @ h_prev + U @ x)",
    "gelu": "h = gelu(W @ h_prev + U @ x)",
    "weights squared": "h = tanh((W * W) @ h_prev + U @ x)",
    "stack": "h = tanh(W @ [h_prev, x] + b)",
    "normed": "a = W @ h_prev + U @ x\nh = a / sqrt(1 + mean(a * a))",
    "erasing": (
        "k = softmax(K @ x)\nb = sigmoid(B @ x)\n"
        "S = S_prev + outer(b * (V @ x - S_prev @ k), k)"
    ),
    "quotient": (
        "n = exp(W @ x)\nd = 0.9 * d_prev + n\nh = (0.9 * h_prev * d_prev + n * (V @ x)) / d"
    ),
}  # fmt: skip
TIMED: Final = Cell.parse(
    name="timed", constants=["m[t]"],
    equations="g = m * sigmoid(W @ h_prev + U @ x)\nh = (1 - g) * h_prev + g * tanh(V @ x + b)",
)  # fmt: skip


def scaled(by: float) -> Callable[[Page], None]:
    """All weights larger, or smaller."""

    def change(page: Page) -> None:
        page.params = {name: by * value for name, value in page.params.items()}

    return change


def keeping(seed: int) -> Callable[[Page], None]:
    """Small weights, and biases that open a gate or close it."""

    def change(page: Page) -> None:
        rng = np.random.default_rng(seed)
        for name, value in page.params.items():
            page.params[name] = 0.1 * value
            if np.ndim(value) == 1:
                page.params[name] = np.full_like(value, rng.choice([4.0, 4.0, -2.0, 0.0]))

    return change


def computed(cell: Cell, seed: int, change: Callable[[Page], None]) -> int:
    """How many relations of a cell's theorems hold, of those that can be computed."""
    try:
        return Claims(cell, seed, change).check()
    except AtKinkError:
        return 0


@pytest.mark.by_default("lstm")
@pytest.mark.parametrize("name", catalogue)
def test_every_theorem_of_a_cell_is_true_of_any_weights(name):
    assert computed(catalogue[name], 0, scaled(1.0))
    if NIGHTLY:
        for seed, by in ((1, 1.0), (2, 4.0), (3, 0.4)):
            computed(catalogue[name], seed, scaled(by))


@pytest.mark.by_default("mlstm")
@pytest.mark.parametrize("name", catalogue)
def test_every_theorem_of_a_cell_is_true_of_small_weights(name):
    assert computed(catalogue[name], 1, scaled(SMALL))


@pytest.mark.by_default("1.0-negative weight")
@pytest.mark.parametrize("name", by_day(ODD, 7))
@pytest.mark.parametrize("by", [1.0, SMALL])
def test_every_theorem_of_an_odd_cell_is_true(name, by):
    assert computed(Cell.parse(name=name.replace(" ", "_"), equations=ODD[name]), 3, scaled(by))


@pytest.mark.long
def test_every_theorem_of_a_cell_with_constants_of_time_is_true():
    assert computed(TIMED, 3, scaled(1.0))


CAROUSELS = ("lstm", "peephole_lstm", "coupled_lstm", "lstm_1997", "lstm_np", "nas")


@pytest.mark.by_default("lstm")
@pytest.mark.parametrize("name", by_day(CAROUSELS, 3))
def test_what_a_state_keeps_is_kept(name):
    """The first draw of biases by which the theorem's conditions hold."""
    title = "What the kept state carries"
    for seed in range(40):
        claims = Claims(catalogue[name], seed, keeping(seed))
        claims.of_what_the_kept_state_carries(title)
        if claims.checked:
            return
    raise AssertionError(f"no draw of {name} meets the conditions")


@pytest.mark.parametrize("name", by_day(("gru", "mut1", "mgu", "ugrnn", "minimal_rnn"), 3))
def test_a_weighted_mean_contracts(name):
    claims = Claims(catalogue[name], 1, scaled(SMALL))
    claims.of_weighted_means("Weighted means")
    assert claims.checked > 15  # its conditions hold


def test_nothing_certifies_growth_in_all_directions():
    """At a large gain some state of the box is contracted in some direction."""
    title = "No certificate of growth in all directions"
    ((left, right),) = (
        part for part in printed_theorems(catalogue["rnn"])[title] if len(part) == 2
    )
    assert (left, right) == ("σ_{min} ((∂h_{t}/∂h_{k}))", "≤1")
    least = []
    for seed in range(12):

        def change(page: Page, seed: int = seed) -> None:
            rng = np.random.default_rng(100 + seed)
            page.params["W"] = 8 * page.params["W"]
            page.initial["h"] = rng.uniform(-1, 1, size=page.initial["h"].shape)

        claims = Claims(catalogue["rnn"], 0, change)
        least.append([np.linalg.svd(claims.jacobian("h", t, "h", k))[1].min()
                      for t, k in claims.pairs()])  # fmt: skip
    assert np.all(np.min(least, axis=0) <= 1)


def test_a_clockwork_grows_no_faster_than_its_modules():
    """Slopes up to γ are chosen so that the product is long; the rate is read as it is printed."""
    cell = catalogue["clockwork_rnn"]
    told = "\n".join(part[0] for part in printed_theorems(cell)["Clockwork"] if len(part) == 1)
    assert "r>max_{i} (γ‖M_{u,ii}‖_{2})^{1/T_{i}}" in told
    assert "is at most ⟦γ = 1⟧" in told
    T, n, rng = 960, 8, np.random.default_rng(2)
    made = default_constants(cell, {"n": n, "m": 2, "T": T}, rng)
    clock, mask = (np.asarray(made[c.name]) for c in cell.constants)
    periods = np.array([round(T / clock[:, i].sum()) for i in range(n)])
    M = mask * rng.normal(size=(n, n)) * 0.7
    rate = max(np.linalg.norm(M[np.ix_(periods == p, periods == p)], 2) ** (1 / p)
               for p in np.unique(periods))  # fmt: skip
    product, log = np.eye(n), 0.0
    for t in range(T):
        product = np.diag(clock[t]) @ M @ product + np.diag(1 - clock[t]) @ product
        size = np.linalg.norm(product, 2)
        product, log = product / size, log + np.log(size)
    assert log / T <= np.log(rate) + 12 / T


ALTERED = [
    ("rnn", "(γ‖W‖_{2})^{t−k}", "(0.2 γ‖W‖_{2})^{t−k}"), ("rnn", "T ĝ ê (1", "0.1 ĝ ê (1"),
    ("rnn", "∏_{j=t}^{k+1} min_{i}", "∏_{j=t}^{k+1} max_{i}"), ("rnn", "^{1/n}", "^{2/n}"),
    ("rnn", "(ρ(J_{0}))^{t−k}", "(2 ρ(J_{0}))^{t−k}"), ("rnn", "sup ‖tanh′", "inf ‖tanh′"),
    ("lstm", "‖W_{fh}‖_{2} + ", ""), ("lstm", "‖f_{t}‖_{∞}", "‖1 − f_{t}‖_{∞}"),
    ("lstm", "α + ω β]", "α]"), ("lstm", "v_{c} v_{h}^{−1}", "v_{h} v_{c}^{−1}"),
    ("lstm", "(1 − f̂) (1 − α)", "(1 + f̂) (1 − α)"), ("lstm", "det W_{oh}|", "det W_{ch}|"),
    ("lstm", "diag(σ(b_{o}) ⊙ σ(b_{f}))", "diag(σ(b_{f}))"), ("lstm", "((1)/(4)) μ", "((1)/(2)) μ"),
    ("lstm", "^{1/(2n)}", "^{1/n}"), ("gru", "‖1 − z_{t}‖_{∞}", "‖z_{t}‖_{∞}"),
    ("gru", "σ(b_{z}) σ(b_{r}) μ", "σ(b_{z}) μ"), ("gru", "(1 − w_{t}) ⊙ h", "w_{t} ⊙ h"),
    ("gru", "P B S^{−1}", "B S^{−1}"), ("gru", "‖P‖_{2} ‖P^{−1}‖_{2} ", ""),
    ("mlstm", "‖f_{t}‖_{∞}", "‖f_{t} f_{t}‖_{∞}"), ("lstm", "T ĝ N^{K+1}", "0.001 ĝ N^{K+1}"),
]  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize(("name", "old", "new"), by_day(ALTERED, 6))
def test_a_false_claim_is_seen(name, old, new):
    seen = []

    def altered(text: str) -> str:
        if nfd(old) in text:
            seen.append(text)
        return text.replace(nfd(old), nfd(new))

    def checked() -> None:
        for seed, by in ((0, 1.0), (1, SMALL), (0, 4.0), (2, 2.0), (3, SMALL)):
            Claims(catalogue[name], seed, scaled(by), altered).check()

    with pytest.raises((AssertionError, UnreadableError)):
        checked()
    assert seen
