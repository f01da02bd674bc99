"""examples/recurrent.py: the networks of both examples descend their own loss."""

from math import inf

import numpy as np
import pytest

from derive import catalogue
from derive.network import Network
from numeric.compiler.kernel import compile_network

SIZES = {"vocabulary": 7, "outputs": 7, "size": 5, "width": 3}


EMBEDDED = {"layers": 2, "embedding": True}  # as in char_rnn.py


BOTH_SIDES = {"layers": 2, "bidirectional": True}  # as in restore_case.py


NETWORKS = pytest.mark.parametrize("settings", [EMBEDDED, BOTH_SIDES], ids=["up", "both"])


def example_model(recurrent, settings, cell="lstm"):
    network = Network(catalogue[cell], **settings)
    return recurrent.Model(network, compile_network(network, "fused").module, **SIZES)


def example_data(model):
    """Parameters, characters, targets and lengths, (5, 4) with one sample a character long."""
    rng = np.random.default_rng(1)
    params = model.initial_params(rng, "float64")
    ids, targets = rng.integers(7, size=(2, 5, 4))
    return params, ids, targets, np.array([5, 1, 4, 2])


def slope_errors(model, gradients_of):
    """Per parameter: |directional derivative − gradient · direction| / (‖gradient‖ ‖direction‖)."""
    params, ids, targets, lengths = example_data(model)
    rng = np.random.default_rng(2)
    state = {name: rng.normal(size=s.shape) for name, s in model.initial_state(4).items()}
    given = (ids, targets, state, lengths)
    gradients = gradients_of(model, params, *given)
    errors = {}
    for name, value in params.items():
        direction, width = rng.normal(size=value.shape), 1e-5
        ahead, behind = (
            model.loss_and_gradient({**params, name: moved}, *given)[0]
            for moved in (value + width * direction, value - width * direction)
        )
        slope, claimed = (ahead - behind) / (2 * width), np.vdot(gradients[name], direction)
        scale = np.linalg.norm(gradients[name]) * np.linalg.norm(direction)
        errors[name] = abs(slope - claimed) / scale
    return errors


def model_gradients(model, *given):
    return model.loss_and_gradient(*given)[1]


@pytest.mark.by_default("up")
@NETWORKS
def test_the_examples_descend_their_own_loss(recurrent, settings):
    errors = slope_errors(example_model(recurrent, settings), model_gradients)
    assert {"embedding.E", "readout.V", "readout.c", "layer1.W_fh"} < errors.keys()
    assert max(errors.values()) < 1e-8


@NETWORKS
@pytest.mark.parametrize("name", ["embedding.E", "readout.V", "layer0.b_i"])
def test_a_wrong_gradient_of_the_examples_is_seen(recurrent, settings, name):
    def doubled(model, *given):
        gradients = model_gradients(model, *given)
        return {**gradients, name: 2 * gradients[name]}

    errors = slope_errors(example_model(recurrent, settings), doubled)
    assert errors[name] > 1e-3


@NETWORKS
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_forward_code_has_the_loss_of_the_module(recurrent, settings, cell):
    model = example_model(recurrent, settings, cell)
    params, ids, targets, lengths = example_data(model)
    assert model.disagreement(params, ids, targets, lengths) < 1e-14
    assert model.disagreement(params, ids, targets) < 1e-14


def swapped(params):
    """The parameters of the two directions of the lower layer, each in the other's place."""
    ahead = {name for name in params if name.startswith("layer0.W")}
    pairs = {name: name.replace("layer0.", "layer0.reverse.") for name in ahead}
    pairs |= {back: name for name, back in pairs.items()}
    return {name: params[pairs.get(name, name)] for name in params}


def test_forward_code_that_ignores_lengths_or_directions_disagrees(recurrent, monkeypatch):
    model = example_model(recurrent, BOTH_SIDES)
    params, ids, targets, lengths = example_data(model)
    run = recurrent.Model.run
    with monkeypatch.context() as changed:
        changed.setattr(recurrent.Model, "run", lambda *given: run(*given[:3]))  # no lengths
        assert model.disagreement(params, ids, targets, lengths) > 1e-4
    with monkeypatch.context() as changed:
        changed.setattr(
            recurrent.Model, "run", lambda model, given, *rest: run(model, swapped(given), *rest)
        )
        assert model.disagreement(params, ids, targets, lengths) > 1e-4
    assert model.disagreement(params, ids, targets, lengths) < 1e-14


def test_states_carried_on_are_those_of_one_long_run(recurrent):
    model = example_model(recurrent, EMBEDDED)
    params, ids, _, _ = example_data(model)
    whole, last = model.run(params, ids)
    _, middle = model.run(params, ids[:2])
    rest, end = model.run(params, ids[2:], middle)
    np.testing.assert_allclose(rest, whole[2:], rtol=1e-13)
    assert end.keys() == last.keys() == model.module.STATES.keys()
    for name, value in last.items():
        np.testing.assert_allclose(end[name], value, rtol=1e-13)
    assert not np.allclose(model.run(params, ids[2:])[0], whole[2:], rtol=1e-4)


def counted_updates(recurrent, monkeypatch, plan):
    """The updates of a training on a machine so slow that a thousand seconds pass at each look."""
    now, params = iter(range(0, 10**9, 1000)), {"a": np.ones(2)}
    monkeypatch.setattr(recurrent.time, "perf_counter", lambda: next(now))
    steps = []
    recurrent.train(plan, params, lambda: (steps.append(1) or 0.5, {"a": np.ones(2)}), str)
    return len(steps), params["a"]


def test_a_plan_of_updates_heeds_no_clock(recurrent, monkeypatch, capsys):
    plan = recurrent.Plan(seconds=inf, updates=6, rate=0.1, pause=inf)
    count, slow = counted_updates(recurrent, monkeypatch, plan)
    assert count == 6
    monkeypatch.undo()
    quick = {"a": np.ones(2)}
    recurrent.train(plan, quick, lambda: (0.5, {"a": np.ones(2)}), str)
    assert slow.tolist() == quick["a"].tolist()
    assert len(capsys.readouterr().out.splitlines()) == 4  # the first and the last look, twice


def test_a_plan_of_seconds_ends_on_a_slow_machine(recurrent, monkeypatch):
    plan = recurrent.Plan(seconds=60, updates=inf, rate=0.1)
    assert counted_updates(recurrent, monkeypatch, plan)[0] < 2
