"""`bptt bounds`: verdicts, strict JSON, checkpoints of PyTorch, and clear refusals."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from profiles import NIGHTLY
from safetensors.numpy import save_file

from derive import catalogue
from reports.cli import main

TINY = ["--size", "2", "--lag", "3", "--window", "1"]
SMALL = ["--size", "4", "--lag", "8", "--window", "1,2"]


def said(capsys, *words):
    status = main(["bounds", *words])
    return status, *capsys.readouterr()


def data(capsys, *words):
    status, out, _ = said(capsys, *words, "--json")
    assert status == 0
    return json.loads(out)


def torch_lstm(n=4, m=3, layers=2, ends=("",)):
    rng, found = np.random.default_rng(0), {}
    for layer in range(layers):
        width = m if layer == 0 else n * len(ends)
        for end in ends:
            suffix = f"_l{layer}{end}"
            found[f"weight_ih{suffix}"] = rng.normal(size=(4 * n, width)).astype("f4") * 0.3
            found[f"weight_hh{suffix}"] = rng.normal(size=(4 * n, n)).astype("f4") * 0.3
            found |= {f"bias_{to}{suffix}": np.zeros(4 * n, "f4") for to in ("ih", "hh")}
    return found


@pytest.mark.by_default("rnn", "clockwork_rnn")
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "clockwork_rnn", "cornn"])
def test_bounds_enclose_the_measure_at_every_lag(capsys, cell):
    found = data(capsys, cell, *SMALL)
    assert found["schema"] == "bptt.bounds/1"
    assert found["lags"] == list(range(1, 9))
    for side, group in ((1, "log10_upper"), (-1, "log10_lower")):
        for values in found[group].values():
            for bound, measured in zip(values, found["log10_measured"], strict=True):
                assert bound is None or side * (bound - measured) >= -1e-9
    assert {"window_1", "window_2", "trajectory"} <= set(found["log10_upper"])


def test_a_box_without_inputs_speaks_of_all_lags(capsys):
    calm = data(capsys, "rnn", "--size", "4", "--gain", "0.2", "--input-box", "1")
    assert calm["verdict"] == "vanishes"
    assert calm["rate"] < 1
    assert calm["log10_measured"] is None
    wild = data(capsys, "rnn", "--size", "4", "--gain", "4", "--input-box", "1")
    assert wild["verdict"] == "explodes"
    assert wild["lower_rate"] > 1
    unknown = data(capsys, "lstm", "--gain", "1", "--input-box", "1", *TINY)
    assert unknown["verdict"] == "undecided"


@pytest.mark.long
def test_a_checkpoint_of_pytorch_is_diagnosed_layer_by_layer(capsys, tmp_path):
    weights, inputs = tmp_path / "net.safetensors", tmp_path / "x.npy"
    arrays = {f"lstm.{name}": value for name, value in torch_lstm(ends=("", "_reverse")).items()}
    save_file(arrays, weights)
    np.save(inputs, np.random.default_rng(1).normal(size=(9, 3)))
    found = data(capsys, "lstm", "--weights", str(weights), "--inputs", str(inputs))
    assert len(found["layers"]) == 4
    assert found["mapping"]["layer1.W_fh"] == "rows of lstm.weight_hh_l1"
    assert len(found["lags"]) == 9


def test_an_npz_of_our_names_is_read(capsys, tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "w.npz", W=rng.normal(size=(3, 3)), U=rng.normal(size=(3, 2)),
             b=np.zeros(3))  # fmt: skip
    found = data(capsys, "rnn", "--weights", str(tmp_path / "w.npz"), "--lag", "5")
    assert found["mapping"] == {"W": "W", "U": "U", "b": "b"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rnn", "--lag", "0"], "--lag: expected a whole number from 1"),
        (["rnn", "--input-box", "2,1"], "lies above the upper"),
        (["rnn", "--initial-box", "a"], "--initial-box: expected X"),
        (["rnn", "--window", "0"], "--window: expected whole numbers"),
        (["rnn", "--size", "0"], "--size: expected"),
        (["rnn", "--weights", "none.npz"], "cannot be read"),
        (["rnn", "--weights", "none.bin"], "expected .npz, .safetensors"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(capsys, words, message):
    status, _, err = said(capsys, *words)
    assert status == 2
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"W": np.full((3, 3), np.nan)}, "9 of 9 entries are NaN"),
        ({"W": np.zeros((3, 2))}, "expected the shape"),
        ({"Wx": np.zeros((3, 3))}, "nearest: W"),
        ({"W": np.zeros((3, 3), dtype=int)}, "floating-point"),
    ],
)
def test_weights_that_cannot_be_are_named(capsys, tmp_path, change, message):
    held = {"W": np.eye(3), "U": np.ones((3, 2)), "b": np.zeros(3)} | change
    np.savez(tmp_path / "w.npz", **held)
    status, _, err = said(capsys, "rnn", "--weights", str(tmp_path / "w.npz"))
    assert status == 2
    assert message in err


def test_a_pickle_is_refused(capsys, tmp_path):
    np.savez(tmp_path / "w.npz", W=np.array([{}], dtype=object))
    assert said(capsys, "rnn", "--weights", str(tmp_path / "w.npz"))[0] == 2
    (tmp_path / "w.safetensors").write_bytes(b"\xff" * 20)
    assert said(capsys, "rnn", "--weights", str(tmp_path / "w.safetensors"))[0] == 2


def test_inputs_outside_the_box_are_refused(capsys, tmp_path):
    np.save(tmp_path / "x.npy", np.full((4, 8), 3.0))
    status, _, err = said(capsys, "rnn", "--inputs", str(tmp_path / "x.npy"), "--input-box", "1")
    assert status == 2
    assert "the input box" in err


def test_the_answer_names_paths_a_heat_map_and_exponents(capsys):
    found = data(capsys, "lstm", *SMALL)
    paths = found["path_shares"]["paths"]
    assert sum(path["share"] for path in paths) == pytest.approx(1)
    assert {"c → c × f", "h → o → h"} <= {path["path"] for path in paths}
    grid = found["heat_map"]
    assert len(grid["log10"]) == len(grid["t"]) == 9
    assert grid["log10"][8][0] == pytest.approx(found["log10_measured"][-1], abs=1e-6)
    assert grid["log10"][0][8] is None
    assert len(found["lyapunov"]) == 3
    status, text, _ = said(capsys, "lstm", *SMALL)
    assert status == 0
    parts = ("Most of it goes along", "t \\ k", "shares sum to 100 %", "back from t = 8")
    for part in (*parts, "Assumptions:"):
        assert part in text
    assert "\x1b" not in text
    assert max(map(len, text.split("Assumptions:")[0].splitlines())) <= 120


def test_methods_are_folded_unless_asked_for(capsys):
    _, folded, _ = said(capsys, "rnn", "--size", "4", "--lag", "12")
    _, whole, _ = said(capsys, "rnn", "--size", "4", "--lag", "12", "--all-methods")
    assert folded.count("at most,") < whole.count("at most,")
    assert "more methods with --all-methods" in folded
    assert all(part in whole for part in ("windows of 2, scaled", "at most, all inputs ("))


@pytest.mark.long
def test_every_word_of_the_table_is_of_the_language(capsys):
    """Methods by their names, and what has no bound, in Chinese too."""
    command = ("ttt_linear", "--size", "2", "--lag", "3", "--all-methods", "--language", "zh")
    _, text, _ = said(capsys, *command)
    table = text.split("李雅普诺夫")[0]
    english = set(re.findall(r"[A-Za-z][a-z_]{2,}", table)) - {"ttt_linear"}
    assert english <= {"all", "methods", "log"}
    assert min(map(table.count, ("没有界", "整个乘积"))) > 0
    assert re.search("，依据“(?!product)", "".join(text.split()))


@pytest.mark.long
def test_layers_and_directions_are_diagnosed_each(capsys):
    found = data(capsys, "gru", *TINY, "--layers", "2", "--bidirectional", "--loss-at", "last")
    names = ["layer0", "layer0.reverse", "layer1", "layer1.reverse"]
    assert [layer["layer"] for layer in found["layers"]] == names
    assert found["rate"] == max(layer["rate"] for layer in found["layers"])
    assert found["network"]["loss_at"] == "last"
    boxed = data(capsys, "gru", "--size", "4", "--layers", "2", "--input-box", "1", "--gain", "0.1")
    above = boxed["layers"][1]["assumptions"][1]
    assert "inputs lie in [-1, 1]" not in above
    assert boxed["log10_measured"] is None
    assert boxed["heat_map"] is None
    status, text, _ = said(capsys, "gru", *TINY, "--layers", "2")
    assert status == 0
    assert "carried by" in text


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--layers", "3"], "holds 2 layers, one direction, but --layers asks"),
        (["--bidirectional"], "but --bidirectional asks"),
    ],
)
def test_a_file_with_other_layers_than_asked_for_is_refused(capsys, tmp_path, flags, message):
    save_file(torch_lstm(), tmp_path / "w.safetensors")
    status, _, err = said(capsys, "lstm", "--weights", str(tmp_path / "w.safetensors"), *flags)
    assert status == 2
    assert message in err
    assert "Traceback" not in err


def test_what_else_a_checkpoint_holds_is_listed_and_left_alone(capsys, tmp_path):
    arrays = torch_lstm(layers=1) | {"fc.weight": np.zeros((2, 4), "f4")}
    save_file(arrays, tmp_path / "w.safetensors")
    found = data(capsys, "lstm", "--weights", str(tmp_path / "w.safetensors"), "--lag", "5")
    assert found["unused"] == ["fc.weight"]
    _, text, _ = said(capsys, "lstm", "--weights", str(tmp_path / "w.safetensors"), "--lag", "5")
    assert "not used: fc.weight" in text
    assert "rows of weight_hh_l0" in text


@pytest.mark.parametrize(
    ("name", "message"),
    [("lstm.weight_ih_10", "nearest: weight_ih_l0"), ("Wfh", "nearest: W_fh")],
)
def test_names_that_cannot_be_mapped_come_with_the_nearest(capsys, tmp_path, name, message):
    np.savez(tmp_path / "w.npz", **{name: np.zeros((4, 4))})
    status, _, err = said(capsys, "lstm", "--weights", str(tmp_path / "w.npz"))
    assert status == 2
    assert message in err


def test_weights_that_do_not_fit_the_inputs_are_named(capsys, tmp_path):
    save_file(torch_lstm(), tmp_path / "w.safetensors")
    np.save(tmp_path / "x.npy", np.zeros((5, 7)))
    status, _, err = said(capsys, "lstm", "--weights", str(tmp_path / "w.safetensors"),
                          "--inputs", str(tmp_path / "x.npy"))  # fmt: skip
    assert status == 2
    assert "the input x has 7 entries a step, but the parameters expect m = 3" in err


@pytest.mark.long
def test_an_unstable_net_gets_an_answer_and_no_invariant_set(capsys):
    found = data(capsys, "peephole_lstm", *TINY, "--gain", "5", "--input-box", "2")
    assert found["verdict"] == "explodes"
    assert found["lower_rate"] > 1
    assert (found["invariant_set"], found["rate"]) == (False, None)
    told = str(found["assumptions"])
    assert [w in told for w in ("no invariant set", "by entry with gain², a")] == [True] * 2


def test_what_is_no_number_is_null_with_a_reason(capsys, tmp_path):
    dead = {"W": np.zeros((3, 3)), "U": np.ones((3, 2)), "b": np.zeros(3)}
    np.savez(tmp_path / "w.npz", **dead)
    found = data(capsys, "irnn", "--weights", str(tmp_path / "w.npz"), "--lag", "3")
    assert found["log10_measured"] == [None] * 3
    assert found["reason"].count(": the product is zero") == 2  # of path_shares, log10_measured
    assert found["path_shares"] is None
    assert found["verdict"] == "vanishes"


@pytest.mark.by_default("mlstm")
@pytest.mark.parametrize("cell", catalogue if NIGHTLY else ["nas", "mlstm"])
def test_cells_of_every_kind_are_bounded(capsys, cell):
    found = data(capsys, cell, "--size", "3", "--lag", "4", "--window", "1,2")
    matrices = any(1 not in state.shape for state in catalogue[cell].states)
    assert (found["path_shares"] is None) == (matrices or found["log10_measured"][-1] is None)
    assert ("path_shares: " in found.get("reason", "")) == (found["path_shares"] is None)


def test_a_fresh_cell_file_is_bounded(capsys, tmp_path):
    (tmp_path / "unit.toml").write_text(
        'name = "unit"\nequations = """\nz = sigmoid(W @ x + U @ h_prev + b)\n'
        'h = (1 - z) * h_prev + z * softsign(V @ h_prev)\n"""\n'
    )
    found = data(capsys, str(tmp_path / "unit.toml"), *SMALL)
    labels = {path["path"] for path in found["path_shares"]["paths"]}
    assert "h → h × z" in labels
    boxed = data(capsys, str(tmp_path / "unit.toml"), "--input-box", "1", "--size", "3")
    assert (boxed["invariant_set"], "there is no sequence" in boxed["reason"]) == (True, True)


def test_weights_beyond_all_measure_get_an_answer_or_a_line(capsys):
    status, out, err = said(capsys, "rnn", "--gain", "1e200", "--size", "3", "--lag", "4")
    assert status == 0
    assert "Warning" not in out + err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_hh_l0": np.zeros((12, 4), "f4")}, "weight_hh_l0: expected the shape (4·n, n)"),
        ({"bias_ih_l0": np.zeros(12, "f4")}, "bias_ih_l0: expected the shape (16,)"),
        ({"weight_ih_l0": None}, "weight_ih_l0 is missing"),
    ],
)
def test_a_checkpoint_of_another_shape_is_named_as_pytorch_names_it(
    capsys, tmp_path, change, message
):
    arrays = {k: v for k, v in (torch_lstm(layers=1) | change).items() if v is not None}
    save_file(arrays, tmp_path / "w.safetensors")
    status, _, err = said(capsys, "lstm", "--weights", str(tmp_path / "w.safetensors"))
    assert status == 2
    assert message in err


@pytest.mark.parametrize("cut", [-40, 30])
def test_a_file_cut_short_is_refused_in_a_line(capsys, tmp_path, cut):
    path = tmp_path / "w.safetensors"
    save_file(torch_lstm(layers=1), path)
    path.write_bytes(path.read_bytes()[:cut])
    status, _, err = said(capsys, "lstm", "--weights", str(path))
    assert status == 2
    assert "cut short" in err or "no safetensors file" in err


LEAK = 'name = "leak"\nscalars = ["lam"]\nequations = "h = lam * h_prev + x"\n'


def leaking(tmp_path, decay, steps=300):
    np.savez(tmp_path / "weights.npz", lam=np.array(decay))
    np.save(tmp_path / "inputs.npy", np.ones((steps, 1)))
    (tmp_path / "leak.toml").write_text(LEAK)
    return [str(tmp_path / "leak.toml"), "--weights", str(tmp_path / "weights.npz"),
            "--inputs", str(tmp_path / "inputs.npy"), "--window", "1"]  # fmt: skip


def test_a_stable_state_with_an_ill_conditioned_parameter_is_named(capsys, tmp_path):
    """∂h_T/∂λ at constant inputs: 1/(1 − λ)², and one step's share is 1/(1 − λ)."""
    words = leaking(tmp_path, 0.95)
    found = data(capsys, *words)
    assert (found["verdict"], found["ill_conditioned"]) == ("vanishes", "lam")
    held = found["parameters"]["lam"]
    assert held["certified_below"] <= held["measured"] <= held["certified"] <= held["all_inputs"]
    assert 10 ** held["certified"] == pytest.approx(400, rel=1e-3)
    assert held["amplification"] == pytest.approx(20, rel=1e-3)
    _, out, _ = said(capsys, *words)
    assert "states stable, parameters ill-conditioned: ∂h_T/∂lam is at least 19.9 times" in out


@pytest.mark.long
def test_a_well_conditioned_parameter_is_not_called_ill(capsys, tmp_path):
    words = leaking(tmp_path, 0.5)
    assert data(capsys, *words)["ill_conditioned"] is None
    assert "ill-conditioned" not in said(capsys, *words)[1]


def test_without_a_sequence_parameters_are_bounded_for_all_inputs(capsys):
    found = data(capsys, "rnn", "--size", "3", "--gain", "0.2", "--input-box", "1")
    for held in found["parameters"].values():
        assert held["certified"] is None
        assert isinstance(held["all_inputs"], float)
        assert "no sequence" in held["reason"]


def test_the_certificate_of_a_rate_is_told(capsys):
    words = ["gru", "--size", "3", "--gain", "0.1", "--input-box", "0.5"]
    held = (found := data(capsys, *words))["certificate"]
    assert found["methods"]["fractional form, scaled"] == held["r"] == found["rate"] < 1
    assert held["norm"] <= 1
    assert np.shape(held["T"]) == (3, 3)
    assert {"d", "unit", "centre", "radius", "rows", "S"} == set(held["delta"][0])
    told = said(capsys, *words)[1].replace("\n      ", " ").split("proof: ")[1].split("\n")[0]
    assert "‖diag(P, S) G diag(r P, S)⁻¹‖₂ ≤ 1" in told  # one paragraph, folded once


def test_what_truncation_leaves_out_of_the_gradients(capsys):
    found = data(capsys, "rnn", *SMALL, "--truncate", "3")["parameters"]
    for held in found.values():
        cut = held["truncated"]
        assert cut["measured"] <= cut["certified"] < held["certified"]
    assert "truncated" not in data(capsys, "rnn", *SMALL)["parameters"]["W"]
    status, out, _ = said(capsys, "rnn", *SMALL, "--truncate", "3")
    assert status == 0
    assert "left out" in out
    assert said(capsys, "rnn", "--truncate", "0")[0] == 2


def test_what_clipping_takes_from_the_gradients(capsys):
    taken = data(capsys, "rnn", *SMALL, "--clip", "0.5")["clipped"]
    assert taken["threshold"] == 0.5
    assert 0 < taken["taken_at_least"] < taken["taken_at_most"]
    assert "clipped" not in data(capsys, "rnn", *SMALL)
    flat, never = (" ".join(said(capsys, "rnn", *SMALL, "--clip", limit)[1].split())
                   for limit in ("0.5", "1e4"))  # fmt: skip
    most, least = re.findall(r"lose at (?:most|least) ([\de+.-]+)", flat)
    assert float(least) <= taken["taken_at_least"] < taken["taken_at_most"] <= float(most)
    assert "lose nothing: none is longer" in never
    assert data(capsys, "mlstm", *SMALL, "--clip", "1")["clipped"].keys() == {"reason"}
    assert "--clip: expected a number above 0" in said(capsys, "rnn", "--clip", "-1")[2]


@pytest.mark.long
def test_the_table_of_methods_has_a_row_a_line(capsys):
    for words in ([], ["--input-box", "9"]):
        out = said(capsys, "lstm", "--size", "3", "--lag", "60", *words)[1]
        head, *lines = out.split("norm at lag")[1].split("  * the smallest")[0].splitlines()
        lags = head.split()
        assert (lags[0], lags[-1]) == ("1", "60")
        for line in lines:
            assert len(line) <= 80
            values = re.findall(r"(?<= )(?:-?\d+\.\d\d|no bound)(?= |$)", line)
            assert len(values) == len(lags), line
