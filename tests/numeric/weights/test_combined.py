"""Weights kept in parts, under other names or not at all: combined and said so, or refused."""

from __future__ import annotations

import numpy as np
import pytest

from derive import catalogue
from derive.cell import dimensions
from numeric.weights.mapping import map_weights, unused

N, M = 3, 2


def layer(gates, module="", seed=0):
    rng = np.random.default_rng(seed)
    rows = gates * N
    shapes = {"weight_ih_l0": (rows, M), "weight_hh_l0": (rows, N), "bias_ih_l0": (rows,),
              "bias_hh_l0": (rows,)}  # fmt: skip
    return {module + name: rng.normal(size=shape) for name, shape in shapes.items()}


def mapped(arrays, cell="rnn"):
    (found,) = map_weights(catalogue[cell], arrays)
    return found


@pytest.mark.parametrize("module", ["", "rnn.", "net.rnn."])
def test_a_pruned_bias_is_its_mask_times_its_original(module):
    arrays = layer(1, module)
    bias = arrays.pop(f"{module}bias_hh_l0")
    mask = np.array([1.0, 0.0, 1.0])
    arrays |= {f"{module}bias_hh_l0_orig": bias, f"{module}bias_hh_l0_mask": mask}
    found = mapped(arrays)
    np.testing.assert_array_equal(
        found.parameters["b"], arrays[f"{module}bias_ih_l0"] + mask * bias
    )
    assert found.origin["b"] == (
        f"rows of {module}bias_ih_l0 + {module}bias_hh_l0_mask × {module}bias_hh_l0_orig"
    )
    assert not found.exact
    assert unused(catalogue["rnn"], arrays) == ()


@pytest.mark.parametrize("names", [
    ("weight_hh_l0_g", "weight_hh_l0_v"),
    tuple(f"parametrizations.weight_hh_l0.original{k}" for k in (0, 1)),
])  # fmt: skip
@pytest.mark.parametrize("shape", [(N, 1), (1, N), ()])
def test_weight_norm_divides_by_the_length_along_the_axis_that_g_leaves(names, shape):
    arrays = layer(1)
    v = arrays.pop("weight_hh_l0")
    g = np.random.default_rng(1).normal(size=shape)
    found = mapped(arrays | {names[0]: g, names[1]: v})
    axes = {(N, 1): 1, (1, N): 0, (): None}[shape]
    size = np.sqrt((v**2).sum(axis=axes, keepdims=axes is not None))
    np.testing.assert_allclose(found.parameters["W"], g * v / size, rtol=1e-14)
    assert found.origin["W"] == f"rows of {names[0]} × {names[1]} / ‖{names[1]}‖"


@pytest.mark.parametrize(("held", "run"), [
    ({"weight_hh_l0_orig": (N, N), "weight_hh_l0_u": (N,)}, "remove_spectral_norm"),
    ({"weight_hh_l0_orig": (N, N)}, "prune.remove"),
    ({"parametrizations.weight_hh_l0.original": (N, N)}, "remove_parametrizations"),
    ({"parametrizations.weight_hh_l0.0.base": (N, N)}, "remove_parametrizations"),
    ({"weight_hh_l0": (N, N), "weight_hh_l0_orig": (N, N)}, "keep one"),
    ({"weight_hh_l0_g": (2, 1), "weight_hh_l0_v": (N, N)}, "along one axis"),
    ({"weight_hh_l0_mask": (N,), "weight_hh_l0_orig": (N, N)}, "its mask"),
])  # fmt: skip
def test_what_no_rule_puts_together_is_refused_with_what_to_run(held, run):
    arrays = layer(1)
    del arrays["weight_hh_l0"]
    with pytest.raises(ValueError, match=run):
        mapped(arrays | {name: np.ones(shape) for name, shape in held.items()})


def test_weights_that_dropout_masks_are_not_taken_for_the_networks():
    arrays = layer(1, "rnns.0.module.")
    whole, raw = "rnns.0.module.weight_hh_l0", "rnns.0.weight_hh_l0_raw"
    found = mapped(arrays | {raw: arrays[whole]})  # saved in eval()
    np.testing.assert_array_equal(found.parameters["W"], arrays[whole])
    with pytest.raises(ValueError, match=f"{whole}: the file holds {raw} as well"):
        mapped(arrays | {raw: 2 * arrays[whole]})


def test_a_bias_under_another_librarys_name_is_named_beside_the_missing_one():
    arrays = layer(3)
    arrays |= {"bias": arrays.pop("bias_ih_l0"), "bias_n": np.ones(N)}
    with pytest.raises(ValueError, match="bias_ih_l0: missing, while bias, bias_n"):
        mapped(arrays, "gru_reset_after")


def test_absent_biases_are_said_to_be_absent_and_another_modules_arrays_are_no_matter():
    arrays = {name: value for name, value in layer(1, "rnn.").items() if "weight" in name}
    found = mapped(arrays | {"fc.bias": np.ones(2)})
    assert not found.parameters["b"].any()
    assert found.origin["b"] == "0; the file has no bias_ih or bias_hh here"
    one = mapped(arrays | {"rnn.bias_hh_l0": np.ones(N)})
    assert one.origin["b"] == "rows of rnn.bias_hh_l0; the file has no bias_ih here"
    assert one.exact


def test_the_two_biases_of_a_candidate_are_named_apart():
    found = mapped(layer(3), "gru_reset_after")
    assert found.origin["b_h"] == "rows of bias_ih_l0"
    assert found.origin["c_h"] == "rows of bias_hh_l0"
    assert found.origin["b_z"] == "rows of bias_ih_l0 + bias_hh_l0"
    assert found.origin["W_zh"] == "rows of weight_hh_l0"
    names = {*layer(3)}
    assert all(any(name in said for name in names) for said in found.origin.values())


@pytest.mark.parametrize(("b", "exact"), [(1.0, True), (2.0**-60, False)])
def test_a_sum_of_biases_that_rounds_is_not_said_to_be_exact(b, exact):
    arrays = layer(1) | {"bias_ih_l0": np.full(N, 1.0), "bias_hh_l0": np.full(N, b)}
    assert mapped(arrays).exact is exact


def test_a_cell_may_have_parameters_that_are_called_like_parts():
    cell = catalogue["m2rnn"]
    shapes = {s.name: tuple(map(str, s.shape)) for s in cell.parameters}
    assert {"W", "W_v"} <= {*shapes}
    rng, sizes = np.random.default_rng(0), {"n": 2, "m": 3, "k": 4}
    arrays = {s.name: rng.normal(size=[sizes[name] for name in dimensions(s)])
              for s in cell.parameters}  # fmt: skip
    (found,) = map_weights(cell, arrays)
    for name, value in arrays.items():
        assert np.array_equal(found.parameters[name], value)


def test_what_a_plain_cell_has_not_is_no_part_of_one():
    norm = {"cell.norm_i.weight": np.ones(N), "cell.norm_i.bias": np.ones(N)}
    for more in (norm, {"cell.w_c": np.ones(N)}):
        with pytest.raises(ValueError, match=r"cell\.(norm_i\.weight|w_c): a .* the recurrent"):
            mapped(layer(1, "cell.") | more)
    outside = {"norm.weight": np.ones(N), "cell2.norm.weight": np.ones(N), "cell.mask": np.ones(7)}
    assert mapped(layer(1, "cell.") | outside).prefix == "layer0."


def test_a_layer_without_its_projection_is_not_dropped():
    arrays = {"weight_ih_l0": np.ones((16, 3)), "weight_hh_l0": np.ones((16, 2)),
              "weight_hr_l0": np.ones((2, 4)), "weight_ih_l1": np.ones((16, 2)),
              "weight_hh_l1": np.ones((16, 4))}  # fmt: skip
    with pytest.raises(ValueError, match="weight_hr_l1 is missing"):
        map_weights(catalogue["projected_lstm"], arrays)


@pytest.mark.parametrize(("change", "said"), [
    ({"weight_hh_l0": np.ones(())}, r"expected the shape \(1·n, n\)"),
    ({name: np.ones((0, N) if "weight" in name else 0) for name in layer(1)} |
     {"weight_hh_l0": np.ones((0, 0))}, "leaves no network"),
    ({"weight_ih_l0": np.ones((N, 0))}, "leaves no network"),
])  # fmt: skip
def test_shapes_of_no_network_are_refused(change, said):
    with pytest.raises(ValueError, match=said):
        mapped(layer(1) | change)


def test_names_of_ours_beside_a_module_are_not_passed_over():
    own = {"W": np.ones((N, N)), "U": np.ones((N, N)), "b": np.ones(N)}
    with pytest.raises(ValueError, match="by its own names, and beside them net"):
        mapped(own | layer(1, "net."))
    (found,) = map_weights(catalogue["rnn"], own | layer(1, "net."), "net")
    assert found.origin["W"] == "rows of net.weight_hh_l0"
