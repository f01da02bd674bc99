"""What a rate below 1 says of products: no product of step Jacobians in the box beats it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from derive import catalogue
from derive.calculus.curvature import step_curvature
from derive.calculus.through_time import derivation_of
from derive.cell import Cell
from numeric.bounds.all_inputs.ranges import Ranges, Setting, invariant_box
from numeric.bounds.drawn import draw
from numeric.bounds.one_sequence.step_jacobians import Jacobians, Run
from numeric.bounds.parallel_in_time import contraction as module
from numeric.bounds.parallel_in_time.contraction import NoContractionError, contraction
from numeric.bounds.parallel_in_time.distance import Errors
from numeric.meaning.sizes import usual_sizes

STEPS = 90


def over(cell: Cell, gain: float, beyond: float = 0.0, seed: int = 0, made=None):
    """What holds for inputs in [−1, 1], and the run of drawn inputs there."""
    sizes = usual_sizes(cell, 4, 2)
    made = made or draw(cell, sizes, gain, STEPS, seed, 1.0)
    setting = Setting(derivation_of(cell), made["parameters"], sizes, (-1.0, 1.0), (0.0, 0.0),
                      made["constants"])  # fmt: skip
    ranges = Ranges(setting)
    box = invariant_box(ranges)
    return contraction(ranges, box, beyond, step_curvature(setting.derivation), STEPS), made


def products(cell: Cell, made, box, seed: int):
    """Spectral norms of products of step Jacobians at states and inputs drawn from the boxes."""
    rng = np.random.default_rng(seed)

    def pick(lo, hi):
        inner = rng.random((STEPS + 1, len(lo)))
        return np.where(inner < 0.5, rng.choice([0, 1], inner.shape), inner) * (hi - lo) + lo

    states = {name: pick(v.lo[:, 0], v.hi[:, 0]) for name, v in box.items()}
    inputs = {name: rng.choice([-1.0, 1.0], v.shape) for name, v in made["inputs"].items()}
    path = Run(derivation_of(cell), made["parameters"], inputs, states, made["constants"])
    near = [*Jacobians(path).backwards()][::-1]
    product = np.eye(len(near[0].matrix))
    for lag, one in enumerate(near, 1):
        product = one.matrix @ product
        yield lag, np.linalg.norm(product, 2)


@pytest.mark.parametrize(("name", "gain"), [("rnn", 0.5), ("ltc", 1.0), ("clockwork_rnn", 0.4),
                                            ("jordan", 0.3)])  # fmt: skip
def test_no_product_in_the_box_beats_the_norms(name: str, gain: float) -> None:
    found, made = over(catalogue[name], gain, beyond=0.05)
    close = 0.0
    for seed in range(6):
        for lag, norm in products(catalogue[name], made, found.box, seed):
            shift = np.zeros(STEPS)
            shift[0] = 1.0
            bound = found.sums.along(shift)[lag] if lag < STEPS else np.inf
            assert norm <= bound
            close = max(close, norm / bound)
    assert close > 1e-3


def test_a_norm_left_out_is_shown_wrong(monkeypatch) -> None:
    """Were products of two and more factors 0, some product would beat them."""
    right = module._norms
    monkeypatch.setattr(module, "_norms", lambda *given: right(*given) * (np.arange(61) < 2))
    found, made = over(catalogue["rnn"], 0.5)
    one = np.zeros(STEPS)
    one[0] = 1.0
    assert any(norm > found.sums.along(one)[min(lag, STEPS - 1)]
               for lag, norm in products(catalogue["rnn"], made, found.box, 0))  # fmt: skip


def test_slow_norms_go_on_by_products_and_by_the_scaled_norm() -> None:
    """Beyond the lags κ_{a+b} ≤ κ_a κ_b, or c r^l where that is smaller."""
    scaled = SimpleNamespace(method=lambda lags: SimpleNamespace(
        log10_upper=tuple(1 - 0.02 * lag for lag in range(1, lags + 1))))  # fmt: skip
    slow = SimpleNamespace(log10_upper=(0.3, 0.2, -0.1), scaled=None, pieces=None)
    plain = np.log10(module._norms(slow, 8))
    np.testing.assert_allclose(plain, [0, 0.3, 0.2, -0.1, 0.2, 0.1, -0.2, 0.1, 0.0], atol=1e-9)
    slow.scaled = scaled
    both = np.log10(module._norms(slow, 200))
    for lag in range(4, 201):
        want = min(1 - 0.02 * lag, both[lag - 3] - 0.1)
        assert both[lag] == pytest.approx(want, abs=1e-9)
    quick = SimpleNamespace(log10_upper=(0.3, -0.2, -0.4), scaled=None, pieces=None)
    assert len(module._norms(quick, 200)) == 4


def test_sums_and_squares_are_their_formulas() -> None:
    found, _ = over(catalogue["rnn"], 0.5)
    rng = np.random.default_rng(0)
    shift = np.zeros(STEPS)
    shift[0] = 1.0
    kappa = found.sums.along(shift)
    speeds = replace(found.speeds, own=rng.uniform(0.1, 1, STEPS))
    found = replace(found, speeds=speeds)
    errors, rounded = rng.uniform(0, 0.1, (2, STEPS))
    carried = found.carried(Errors(0 * errors, errors)).whole
    squared = found.squared(Errors(0 * errors, errors), rounded)
    before = np.append(0.0, errors[:-1])
    for t in range(STEPS):
        own = kappa[: t + 1][::-1]
        assert carried[t] == pytest.approx(own @ errors[: t + 1], rel=1e-9)
        left = speeds.own * before**2 / 2 + rounded
        assert squared.whole[t] == pytest.approx(own @ left[: t + 1], rel=1e-9)
        assert squared.whole[t] >= (own @ left[: t + 1]) * (1 - 1e-12)
    np.testing.assert_array_equal(squared.fed, rounded)


def test_it_says_why_there_is_none() -> None:
    grows = Cell.parse(name="g", equations="h = 2 * h_prev + tanh(h_prev + U @ x)", inputs=("x",))
    for cell, gain, why in ((catalogue["irnn"], 0.1, "kink"), (catalogue["lif"], 0.1, "declared"),
                            (catalogue["rnn"], 3.0, "rate below 1"),
                            (grows, 1.0, "no invariant box")):  # fmt: skip
        with pytest.raises(NoContractionError, match=why):
            over(cell, gain)


def test_of_all_states_second_derivatives_may_have_no_bound() -> None:
    """No box is found where the slopes of all states contract, and silu″ has no bound."""
    cell = Cell.parse(name="s", equations="h = silu(W @ h_prev + U @ x)", inputs=("x",))
    rng = np.random.default_rng(0)
    weights = {"W": 0.7 * np.linalg.qr(rng.normal(size=(16, 16)))[0], "U": rng.normal(size=(16, 2))}
    setting = Setting(derivation_of(cell), weights, {"n": 16, "m": 2}, (-1.0, 1.0), (0.0, 0.0))
    ranges = Ranges(setting)
    assert invariant_box(ranges) is None
    with pytest.raises(NoContractionError, match="no Lipschitz constant was found"):
        contraction(ranges, None, 0.0, step_curvature(setting.derivation), STEPS)


def test_of_all_states_it_speaks_where_a_rate_needs_no_box() -> None:
    """What cornn keeps may grow for long, and its step Jacobians contract wherever they are."""
    found, _ = over(catalogue["cornn"], 0.3)
    assert found.box is None
    assert found.beyond == np.inf
    assert found.holds_at({"y": np.full((2, 4), 1e9), "z": np.full((2, 4), -1e9)})
