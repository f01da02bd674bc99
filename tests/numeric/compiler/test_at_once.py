"""All steps at once: the same states and gradients as one after the other, in few iterations."""

from __future__ import annotations

import numpy as np
import pytest
from known_cells import VECTORS
from profiles import by_day, night_alone

from derive import catalogue
from derive.cell import Cell
from numeric.bounds.drawn import draw
from numeric.compiler.kernel import compile_cell
from numeric.compiler.target import load
from numeric.compiler.to_jax import stand_in
from numeric.meaning.sizes import usual_sizes
from numeric.verification.verify import verify

STEPS = 13


def called(module, cell: Cell, gain: float = 0.7, steps: int = STEPS):
    """States, sweeps and gradients of two samples."""
    made = draw(cell, usual_sizes(cell, 3, 2), gain, steps, 0, 1.0)
    inputs = {n: np.stack([v, 2 * v[::-1]], axis=1) for n, v in made["inputs"].items()}
    initial = {n: np.stack([v, -v]) for n, v in made["initial"].items()}
    states, tape = module["forward"](made["parameters"], inputs, initial, made["constants"])
    rng = np.random.default_rng(0)
    bars = {name: rng.normal(size=value.shape) for name, value in states.items()}
    return states, tape.get("sweeps"), module["backward"](made["parameters"], tape, bars)


def same(one, other, tolerance: float = 1e-11) -> bool:
    pairs = [(one[0][n], other[0][n]) for n in other[0]]
    pairs += [(one[2][g][n], other[2][g][n]) for g in other[2] for n in other[2][g]]
    return all(a.shape == b.shape and np.abs(a - b).max() <= tolerance * (np.abs(b).max() or 1)
               for a, b in pairs)  # fmt: skip


CASES = [*((name, "numpy") for name in catalogue), *((name, "jax") for name in VECTORS)]


@pytest.mark.parametrize(("name", "target"), by_day(CASES, 26, 1))
def test_states_and_gradients_are_the_sequential_ones(name: str, target: str) -> None:
    cell = catalogue[name]
    kernel = compile_cell(cell, target=target, parallel=True)
    module = stand_in.load(kernel.source, name) if target == "jax" else vars(kernel.module)
    found = called(module, cell)
    assert same(found, called(vars(compile_cell(cell).module), cell))
    assert found[1] <= STEPS


@pytest.mark.parametrize("name", by_day(["min_gru", "gru", "lru", "lstm"], 2))
def test_a_tame_net_takes_far_fewer_iterations_than_steps(name: str) -> None:
    steps = 200
    module = vars(compile_cell(catalogue[name], parallel=True).module)
    found = called(module, catalogue[name], gain=0.5, steps=steps)
    assert found[1] <= (2 if name == "lru" else 8)
    assert same(found, called(vars(compile_cell(name).module), catalogue[name], 0.5, steps))


@pytest.mark.parametrize("target", ["numpy", "jax"])
def test_evaluations_of_the_step_spare_iterations_and_change_no_result(target: str) -> None:
    """As many as there are steps leave one iteration, which finds that nothing moves."""
    cell, steps = catalogue["gru"], 40
    source = compile_cell(cell, target=target, parallel=True).source
    want, found = called(vars(compile_cell(cell).module), cell, 0.5, steps), {}
    for count in (0, 1, 10, steps):
        text = source.replace("EVALUATIONS = 1 ", f"EVALUATIONS = {count} ")
        assert f"EVALUATIONS = {count} " in text
        module = stand_in.load(text, "warm") if target == "jax" else vars(load(text, "warm"))
        found[count] = called(module, cell, 0.5, steps)
        assert same(found[count], want)
    taken = [sweeps for _, sweeps, _ in found.values()]
    assert taken == sorted(taken, reverse=True)
    assert found[1][1] > found[10][1] > found[steps][1] == 1


def test_with_wrong_jacobians_the_states_still_come_but_late_and_the_gradients_are_wrong() -> None:
    source = compile_cell("rnn", parallel=True).source
    text = "    return np.stack(rows, axis=-2)"
    assert text in source
    broken = vars(load(source.replace(text, text + " * 0.5"), "broken"))
    cell, plain = catalogue["rnn"], vars(compile_cell("rnn").module)
    right, wrong = called(vars(load(source, "right")), cell), called(broken, cell)
    assert wrong[1] > right[1]
    assert same(right, called(plain, cell))
    assert not same(wrong, called(plain, cell))
    assert np.allclose(wrong[0]["h"], right[0]["h"], rtol=1e-12)


@pytest.mark.parametrize("change", [
    ("A[reach:] @ A[:-reach]", "A[:-reach] @ A[reach:]"),
    ("J = np.concatenate((J[-1:], J[:-1]))", "J = J"),
    ("bar[:B]", "bar[-B:]"),
    ("np.swapaxes(_jacobians(params, tape[\"step\"], states), -1, -2)[::-1]",
     "_jacobians(params, tape[\"step\"], states)[::-1]"),
])  # fmt: skip
def test_a_changed_scan_is_seen(change: tuple[str, str]) -> None:
    source = compile_cell("rnn", parallel=True).source
    assert change[0] in source
    broken = vars(load(source.replace(*change), "broken"))
    cell = catalogue["rnn"]
    right, wrong = (called(module, cell) for module in (vars(compile_cell("rnn").module), broken))
    assert not same(wrong, right) or wrong[1] > 8


def test_it_is_verified_as_any_code_and_over_the_field_of_primes() -> None:
    found = verify(compile_cell("rnn", parallel=True))
    assert found.status == "pass", found.summary()
    assert found.checks["exact"].status == "pass"


@night_alone
@pytest.mark.parametrize("name", ["gru", "lru", "unicornn", "retnet"])
def test_cells_of_each_form_are_verified(name: str) -> None:
    assert verify(compile_cell(name, parallel=True)).status == "pass"


def test_what_overflows_on_the_way_is_mended() -> None:
    """The first scan gives infinities; the images stand in, and later iterations mend them."""
    module, cell = vars(load(compile_cell("rnn", parallel=True).source, "one")), catalogue["rnn"]
    right, scans = module["_scan"], []

    def overflowing(A, b):
        scans.append(len(b))
        return right(A, b) * (np.inf if len(scans) == 1 else 1)

    module["_scan"] = overflowing
    with np.errstate(invalid="ignore"):
        found = called(module, cell)
    assert same(found, called(vars(compile_cell("rnn").module), cell))


@pytest.mark.parametrize("target", ["numpy", "jax"])
def test_a_state_that_is_infinite_stays_so(target: str) -> None:
    cell = Cell.parse(name="far", equations="h = log(1 + exp(w * x) + h_prev * h_prev)")
    given, x = {"w": np.ones(2)}, np.full((7, 1, 2), 0.5)
    x[2, 0, 0], x[4, 0, 1] = 1e3, -1e3
    source = compile_cell(cell, target=target, parallel=True).source
    module = stand_in.load(source, "far") if target == "jax" else vars(load(source, "far"))
    with np.errstate(all="ignore"):
        found = module["forward"](given, {"x": x})[0]["h"]
        want = vars(compile_cell(cell, "textbook").module)["forward"](given, {"x": x})[0]["h"]
    assert np.isinf(want).sum() == 5
    assert np.array_equal(np.isinf(found), np.isinf(want))
    assert np.allclose(found[np.isfinite(want)], want[np.isfinite(want)], rtol=1e-12)


@pytest.mark.parametrize(("target", "said"), [("c", "numpy or jax"), ("torch", "numpy or jax")])
def test_other_targets_are_refused(target: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        compile_cell("rnn", target=target, parallel=True)
    with pytest.raises(ValueError, match="segments"):
        compile_cell("rnn", parallel=True, truncate=5)


@pytest.mark.parametrize("large", [1e3, 1e17])
@pytest.mark.parametrize("target", ["numpy", "jax"])
def test_a_state_is_settled_by_its_own_size_not_beside_a_larger_one(
    large: float, target: str
) -> None:
    """Of h, which takes twenty iterations; c is right at once, and its numbers are huge."""
    cell = Cell.parse(name="two", equations="c = c_prev + k * x\nh = tanh(g * h_prev + w * x)")
    rng, steps, dtype = np.random.default_rng(0), 100, np.float32
    given = {n: np.full(3, v, dtype) for n, v in {"k": large, "g": 2.5, "w": -2.0}.items()}
    x = rng.normal(size=(steps, 2, 3)).astype(dtype)
    x[:, 1] *= 1e4  # a sample beside another, too
    source = compile_cell(cell, target=target, parallel=True).source
    module = stand_in.load(source, "two") if target == "jax" else vars(load(source, "two"))
    found = module["forward"](given, {"x": x})[0]
    want = vars(compile_cell(cell).module)["forward"](given, {"x": x})[0]
    for name, values in want.items():
        for sample in (0, 1):
            got, own = found[name][:, sample], values[:, sample]
            assert np.abs(got - own).max() <= 1e-5 * np.abs(own).max()


def test_a_unit_is_settled_by_its_own_size_too() -> None:
    cell = Cell.parse(name="one", equations="h = s * tanh(g * h_prev + w * x)")
    given = {"s": [1e4, 1.0], "g": [0.0, 2.5], "w": [1.0, -2.0]}
    given = {name: np.asarray(values, np.float32) for name, values in given.items()}
    x = np.random.default_rng(0).normal(size=(100, 1, 2)).astype(np.float32)
    found = vars(compile_cell(cell, parallel=True).module)["forward"](given, {"x": x})[0]["h"]
    want = vars(compile_cell(cell).module)["forward"](given, {"x": x})[0]["h"]
    assert np.abs(found - want)[..., 1].max() <= 1e-4 * np.abs(want[..., 1]).max()
