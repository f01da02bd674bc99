"""Certified numbers once more, by an independent slow path in exact rational numbers.

The cells here are rational: σ is (1 + a/(1+|a|))/2 and tanh is a/(1+|a|), so that at rational
states every Jacobian is a matrix of rational numbers. Norms are compared by eliminating
s²I − PᵀP without roots. Nothing of the interval arithmetic takes part in the truth.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from exact_norms import above, below
from sympy import Rational

from derive import Cell, differentiate
from derive.cell import previous
from numeric.bounds.all_inputs.certify import certify, suprema
from numeric.bounds.all_inputs.from_below import least_rate, resting_rate
from numeric.bounds.all_inputs.ranges import Ranges, Setting, invariant_box
from numeric.bounds.all_inputs.row_stack import _FACTORS, Sharpened, _searched, balance
from numeric.bounds.domination import Domination, Parts
from numeric.bounds.one_sequence.step_jacobians import run
from numeric.bounds.one_sequence.tracks import follow
from numeric.meaning.interpret import evaluate
from numeric.numbers.arithmetic import Arithmetic

CELLS = {
    "rnn": "h = softsign(W @ h_prev + U @ x)",
    "gru": """
z = (1 + softsign(W_z @ h_prev + U_z @ x)) / 2
r = (1 + softsign(W_r @ h_prev + U_r @ x)) / 2
g = softsign(W @ (r * h_prev) + U @ x)
h = (1 - z) * h_prev + z * g
""",
    "lstm": """
f = (1 + softsign(W_f @ h_prev + U_f @ x + b_f)) / 2
i = (1 + softsign(W_i @ h_prev + U_i @ x)) / 2
g = softsign(W_g @ h_prev + U_g @ x)
o = (1 + softsign(W_o @ h_prev + U_o @ x)) / 2
c = f * c_prev + i * g
h = o * softsign(c)
""",
    "leak": "h = h_prev + 0.25 * softsign(W @ h_prev + U @ x)",
}


def _whole(value):
    return Fraction(int(value.p), int(value.q)) if isinstance(value, Rational) else Fraction(value)


def _matrix_product(a, b):
    return [[sum(p * q for p, q in zip(row, column, strict=True))
             for column in zip(*b, strict=True)] for row in a]  # fmt: skip


FRACTIONS = Arithmetic(number=_whole, decide=lambda a: np.asarray(a, dtype=float))
AS_FRACTIONS = np.vectorize(lambda value: Fraction(float(value)), otypes=[object])


def setting(name, gain=0.2, seed=0, n=2, m=2):
    cell = Cell.parse(name=name, equations=CELLS[name])
    rng = np.random.default_rng(seed)
    sizes = {"n": n, "m": m}
    weights = {}
    for symbol in cell.parameters:
        shape = tuple(sizes[str(e)] for e in symbol.shape if e != 1)
        weights[symbol.name] = rng.normal(size=shape) * gain
    return Setting(differentiate(cell), weights, sizes)


def jacobian(found, states, inputs):
    """J in rationals at rational states and inputs."""
    derivation, sizes = found.derivation, found.sizes
    values = {name: AS_FRACTIONS(v if v.ndim == 2 else v[:, None])
              for name, v in found.parameters.items()}  # fmt: skip
    values |= {name: AS_FRACTIONS(v)[:, None] for name, v in inputs.items()}
    values |= {f"{name}_prev": AS_FRACTIONS(v)[:, None] for name, v in states.items()}
    for equation in derivation.forward:
        values[equation.target.name] = evaluate(equation.value, values, sizes, FRACTIONS)
    names = [state.name for state in derivation.cell.states]
    assert {previous(s).name for s in derivation.cell.states} <= set(values)
    blocks = [[evaluate(derivation.step_jacobian.expanded(a, b), values, sizes, FRACTIONS)
               for b in names] for a in names]  # fmt: skip
    return [[Fraction(entry) for entry in row] for row in np.block(blocks).tolist()]


def somewhere(found, box, rng):
    """A point of the boxes, often a corner."""

    def inside(value):
        s = rng.choice([0.0, 1.0, rng.uniform()], size=value.shape)
        point = np.clip(value.lo + s * (value.hi - value.lo), value.lo, value.hi)
        return point[:, 0]

    return ({name: inside(value) for name, value in box.items()},
            {name: inside(value) for name, value in found.inputs().items()})  # fmt: skip


def power_of_ten(log, sign):
    """Fraction beyond 10^log by the error of the float power."""
    return Fraction(10.0**log) * (1 + sign * Fraction(1, 10**12))


@pytest.mark.by_default("gru", "leak", "rnn")
@pytest.mark.parametrize("name", CELLS)
def test_every_a_priori_method_holds_for_products_of_exact_jacobians(name):
    found = setting(name)
    certificate = certify(found, 3)
    box = certificate.box or {s.name: found.initial()[s.name] for s in found.derivation.cell.states}
    assert len(certificate.methods) >= 4
    rng = np.random.default_rng(1)
    for _ in range(2):
        product = None
        for lag in range(2):
            J = jacobian(found, *somewhere(found, box, rng))
            product = J if product is None else _matrix_product(product, J)
            for method in certificate.methods:
                assert below(product, power_of_ten(method.log10_upper[lag], 1)), method.name
            if certificate.least_rate:
                least = Fraction(certificate.least_rate) ** (lag + 1)
                assert above(product, least * (1 - Fraction(1, 10**9)))


@pytest.mark.by_default("gru")
@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_the_domination_matrices_bound_every_block_exactly(name):
    found = setting(name, 0.7, seed=3)
    ranges = Ranges(found)
    box = invariant_box(ranges)
    values = ranges.values(box)
    sup = suprema(found, values)
    plain = Domination(found.derivation, values, Parts(found.sizes)).matrix(sup, values)
    units = Domination(found.derivation, values, Parts(found.sizes, finest=True)).matrix(
        sup, values
    )
    stacked = Sharpened(found.derivation, values, found.sizes)
    row = stacked.matrix(sup, values)
    scales = balance(stacked, sup, values)
    scaled = Sharpened(found.derivation, values, found.sizes, scales).matrix(sup, values)
    assert np.all(row <= plain)
    D = [Fraction(float(value)) for value in scales[found.derivation.cell.states[0].shape[0]]]
    rng = np.random.default_rng(2)
    for _ in range(4):
        J = jacobian(found, *somewhere(found, box, rng))
        for i, line in enumerate(J):
            assert all(abs(entry) <= Fraction(float(units[i, j])) for j, entry in enumerate(line))
        for a in range(len(plain)):
            for b in range(len(plain)):
                block = [line[2 * b : 2 * b + 2] for line in J[2 * a : 2 * a + 2]]
                assert below(block, row[a, b] * (1 + 1e-15))
                moved = [[D[i] * block[i][j] / D[j] for j in range(2)] for i in range(2)]
                assert below(moved, scaled[a, b] * (1 + 1e-15))


def test_bounds_hold_where_the_squares_of_slopes_and_weights_are_zero_in_floats():
    """At rest J = 2 d w I; every method has to stay above 2 d w."""
    text = "h = softsign(d * (V @ h_prev)) + softsign(e * (W @ h_prev)) + softsign(U @ x)"
    cell = Cell.parse(name="small", equations=text)
    for d, w in ((1e-70, 1e-100), (1e-4, 1e-170), (1e150, 1e155)):
        weights = {"d": np.full(2, d), "e": np.full(2, d), "V": w * np.eye(2), "W": w * np.eye(2),
                   "U": np.zeros((2, 2))}  # fmt: skip
        with np.errstate(over="ignore"):
            found = certify(Setting(differentiate(cell), weights, {"n": 2, "k1": 2, "m": 2}), 2)
        exact = 2 * Fraction(d) * Fraction(w)
        assert {"row-stack", "states, 2-norm"} <= {method.name for method in found.methods}
        assert all(method.rate >= exact for method in found.methods), (d, w)


def test_an_entry_a_little_smaller_than_the_norm_would_be_rejected():
    found = setting("rnn", 0.7)
    zero = {"h": np.zeros(2)}, {"x": np.zeros(2)}
    J = jacobian(found, *zero)
    N = certify(found, 1).methods[0].matrix[0, 0]
    assert below(J, N)
    assert not below(J, N * (1 - 1e-8))


@pytest.mark.by_default("gru", "leak", "rnn")
@pytest.mark.parametrize("name", CELLS)
def test_every_bound_along_a_trajectory_encloses_the_exact_product(name):
    """What is certified is the product of the exact Jacobians at the stored states."""
    found = setting(name, 0.9, seed=5)
    rng = np.random.default_rng(4)
    steps = 3 if name == "lstm" else 5
    path = run(found.derivation, found.parameters, {"x": rng.normal(size=(steps, 2))})
    track = follow(path, windows=(1, 2, 3))
    product = None
    for lag in range(steps):
        t = steps - 1 - lag
        J = jacobian(found, {k: v[t] for k, v in path.states.items()}, {"x": path.inputs["x"][t]})
        product = J if product is None else _matrix_product(product, J)
        smallest = min(values[lag] for values in track.log10_upper.values())
        assert below(product, power_of_ten(smallest, 1))
        assert not below(product, power_of_ten(track.log10_lower["direction"][lag], -1))
    exact_log = track.log10_measured[-1]
    assert not below(product, power_of_ten(exact_log - 1e-9, 0))
    assert below(product, power_of_ten(exact_log + 1e-9, 0))


def test_the_cone_holds_for_every_direction_exactly():
    bias = {"b_f": np.full(2, 6.0)}
    base = setting("lstm", 0.05, seed=2)
    found = Setting(base.derivation, {**base.parameters, **bias}, base.sizes)
    certificate = certify(found, 3)
    rate = certificate.carousel_rate
    assert rate is not None
    assert rate > 0.5
    rng = np.random.default_rng(0)
    for _ in range(4):
        start = [Fraction(float(v)) for v in rng.normal(size=2)]
        vector = [[v] for v in (*start, 0, 0)]
        for lag in range(1, 4):
            vector = _matrix_product(
                jacobian(found, *somewhere(found, certificate.box, rng)), vector)  # fmt: skip
            kept = sum(v[0] ** 2 for v in vector[:2])
            assert kept >= Fraction(rate) ** (2 * lag) * sum(v * v for v in start)


def test_the_spectral_radius_at_rest_is_no_less_than_certified():
    """Jury: a 2 × 2 matrix has ρ < r iff |det| < r² and |tr| r < r² + det."""
    for seed in range(6):
        found = setting("gru", 3.0, seed)
        rate = resting_rate(Ranges(found))
        J = jacobian(found, {"h": np.zeros(2)}, {"x": np.zeros(2)})
        r = Fraction(rate)
        trace, det = J[0][0] + J[1][1], J[0][0] * J[1][1] - J[0][1] * J[1][0]
        assert r > Fraction(1, 4)
        assert not (abs(det) < r * r and abs(trace) * r < r * r + det)
        r = r * (1 + Fraction(1, 10**8))
        assert abs(det) < r * r
        assert abs(trace) * r < r * r + det


def test_a_least_rate_is_proved_for_a_leak_and_not_beyond():
    found = setting("leak", 0.3)
    rate = least_rate(found, Ranges(found).values(found.initial()))
    assert 0.7 < rate < 1
    J = jacobian(found, {"h": np.zeros(2)}, {"x": np.zeros(2)})
    assert above(J, rate)
    assert not above(J, 1.2)


def test_weights_of_a_row_stack_are_those_of_one_trial_after_the_other(monkeypatch):
    rng = np.random.default_rng(5)
    asked, usual = [], np.linalg.eigvalsh
    for known, others in ((2, 1), (3, 0), (0, 2)):
        ds = rng.uniform(0.01, 1, (known + others, 6))
        grams = [m.T @ m for m in rng.normal(size=(known, 6, 6)) * rng.uniform(0.1, 3)]
        nu = rng.uniform(0.1, 2, others)
        start = rng.uniform(0.1, 3, known + others)

        def value(b, grams=grams, ds=ds, nu=nu):
            rows = (ds**2 / b[:, None]).sum(axis=0).max()
            square = (b[len(grams) :] * nu**2).sum()
            held = sum(w * G for w, G in zip(b, grams, strict=False))
            return rows * (square + (usual(held)[-1] if grams else 0.0))

        want, best = start, value(start)
        for place in [*range(known + others)] * 2:
            for factor in _FACTORS:
                tried = want.copy()
                tried[place] *= factor
                if (found := value(tried)) < best:
                    want, best = tried, found
        monkeypatch.setattr(np.linalg, "eigvalsh", lambda a: asked.append(a.shape) or usual(a))
        np.testing.assert_allclose(_searched(start, ds, grams, nu), want, rtol=1e-12)
    assert 0 < len(asked) < 3 * 2 * len(_FACTORS)
