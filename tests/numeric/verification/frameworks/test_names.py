"""What a name stands for in a cell, and what is said of one that stands for nothing."""

from __future__ import annotations

import pytest

from derive import catalogue
from derive.cell import declared
from numeric.verification.caller import Misbehaviour
from numeric.verification.frameworks.names import Naming, Slot

LSTM = Naming("lstm", declared(catalogue["lstm"]))
RNN = Naming("rnn", declared(catalogue["rnn"]))


def test_the_cell_s_own_names_and_the_values_before() -> None:
    found = RNN.of_arguments(["x", "h_prev", "W", "U", "b"])
    assert found == {
        "x": Slot("input", ("x",)), "h_prev": Slot("initial", ("h",)),
        **{name: Slot("parameter", (name,)) for name in "WUb"},
    }  # fmt: skip
    assert LSTM.of_arguments(["input", "hx"])["hx"] == Slot("bundle", ("h", "c"))
    assert LSTM.of_arguments(["hx", "cx"])["cx"] == Slot("initial", ("c",))
    assert RNN.of_arguments(["params", "inputs"])["inputs"] == Slot("inputs", ("x",))


def test_the_stacked_arrays_of_pytorch_gate_by_gate() -> None:
    found = LSTM.of_parameters(["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"])
    assert found["weight_hh_l0"].names == ("W_ih", "W_fh", "W_ch", "W_oh")
    assert found["bias_hh_l0"].names == ("b_i_hh", "b_f_hh", "b_c_hh", "b_o_hh")
    wider = LSTM.with_second_biases(found["bias_hh_l0"].names)
    assert wider.declared["PARAMETERS"]["b_f_hh"] == ("n",)
    after = Naming("gru_reset_after", declared(catalogue["gru_reset_after"]))
    assert after.of_parameters([
        "cell.weight_ih",
        "cell.weight_hh",
        "cell.bias_ih",
        "cell.bias_hh",
    ])["cell.bias_hh"].names == ("b_r_hh", "b_z_hh", "c_h")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["W", "U", "b", "W2"], "the parameter 'W2' is none of the cell's: expected W, U, b"),
        (["W", "U"], "no parameter stands for b"),
        (["W", "U", "b", "a.W"], "two parameters stand for W"),
    ],
)
def test_a_parameter_that_says_nothing_is_refused(names: list[str], said: str) -> None:
    with pytest.raises(Misbehaviour, match=said):
        RNN.of_parameters(names)


def test_an_argument_that_says_nothing_or_what_another_says() -> None:
    assert RNN.of_arguments(["x", "scale"])["scale"] is None
    with pytest.raises(Misbehaviour, match="x and input both stand for x"):
        RNN.of_arguments(["x", "input"])


def test_sizes_are_known_by_name() -> None:
    sizes = {"n": 3, "m": 2}
    assert RNN.of_sizes(["input_size", "hidden_size"], sizes) == {"input_size": 2, "hidden_size": 3}
    assert RNN.of_sizes(["m", "dropout"], sizes) is None
