"""Reports of networks: their equations, numbers and pages; and what `show` prints."""

from __future__ import annotations

import json
import re
from functools import cache

import pytest
from browser import ALLOWED_OVERFULL, BROWSER, measured
from reading import text_of
from sympy import symbols

from derive import Cell, catalogue
from derive.calculus.joins import Joined, joins, turn
from derive.calculus.through_time import LENGTH, TIME
from derive.language.expr import At
from derive.network import LOSSES, PLACES, READOUTS, Network
from derive.typeset.layout import Layout
from derive.typeset.text import Text
from numeric.compiler.kernel import compile_network
from reports.arguments import network_flags as of_flags
from reports.cli import main
from reports.document.html import html
from reports.document.model import Math
from reports.document.pdf import compile_pdf, find_engine
from reports.document.tex import tex
from reports.document.words import Speaker
from reports.sections.listing import network_loops
from reports.sections.network import build_network
from reports.sections.network_facts import facts_of_layer, flags
from reports.sections.page_one import conventions
from reports.terminal.derivation import show_network_latex, show_network_text

SAY = Speaker(Layout()).words
NETWORKS = {
    "bilstm": Network(catalogue["lstm"], 2, bidirectional=True),
    "deep": Network(catalogue["depth_gated_lstm"], 3, loss_at="last"),
    "linear": Network(catalogue["cornn"], 1, True, readout="linear", loss="squared_error"),
    "squared": Network(catalogue["gru"], 2, loss="squared_error"),
    "table": Network(catalogue["rnn"], 2, True, embedding=True, dropout=True),
}


@cache
def document(name):
    network = NETWORKS[name]
    return build_network(network, compile_network(network, "textbook").source)


def spoken(network, part):
    """The joins of one part as plain text."""
    joined, text = Joined(network), Text()
    layout = Layout(joined.notation)
    return [
        f"{text(layout.of(j.equation.target))} = {text(layout.of(j.equation.value))}"
        for j in joined.part(part)
    ]


@pytest.mark.parametrize(("name", "entry"), [("bilstm", "j"), ("table", "i")])
def test_the_loss_sums_over_entries_by_a_letter_that_no_gate_has(name, entry):
    """An LSTM's i is its input gate."""
    assert rf"\sum_{{{entry}}} y_{{t,{entry}}}\,\log \,p_{{t,{entry}}}" in tex(document(name))


def test_layers_are_counted_from_one_and_in_code_from_zero_and_that_is_said():
    told = "Code and tables of numbers count them from 0: layer0 is layer 1."
    assert told in text_of(html(document("bilstm")))
    assert told not in text_of(html(document("linear")))  # of one layer


def test_indices_choose_rows_and_masks_stand_between_layers_on_both_ways():
    network = NETWORKS["table"]
    assert spoken(network, "table") == ["x_t = Eᵀ e_t"]
    assert spoken(network, "up") == ["x_t^{(2)} = r_t^{(1)} ⊙ [h_t^{(1)}; h_t^{′(1)}]"]
    assert spoken(network, "down")[1:] == [
        "h̄_t^{(1)} = [r_t^{(1)} ⊙ x̄_t^{(2)}]_{1:n} + h⃖_t^{(1)}",
        "h̄_t^{′(1)} = [r_t^{(1)} ⊙ x̄_t^{(2)}]_{n+1:2n} + h⃖_t^{′(1)}",
    ]
    assert spoken(network, "table gradients") == [
        "x̄_t = (U^{(1)})ᵀ ā_t^{(1)} + (U^{′(1)})ᵀ ā_t^{′(1)}", "Ē = ∑_{t=1}^{T} e_t x̄_tᵀ",
    ]  # fmt: skip
    plain = Network(catalogue["rnn"], 2, True)
    assert not spoken(plain, "table")
    assert not spoken(plain, "table gradients")


def test_a_layer_receives_what_the_one_below_hands_up():
    assert spoken(NETWORKS["bilstm"], "up") == ["x_t^{(2)} = [h_t^{(1)}; h_t^{′(1)}]"]
    assert spoken(NETWORKS["deep"], "up") == [
        "x_t^{(l)} = h_t^{(l−1)}", "c_t^{low,(l)} = c_t^{(l−1)}",
    ]  # fmt: skip
    assert spoken(NETWORKS["linear"], "up") == []


def test_the_letters_of_the_readout_are_free_ones():
    assert spoken(NETWORKS["bilstm"], "readout")[0] == "u_t = V [h_t^{(2)}; h_t^{′(2)}] + d"
    assert spoken(NETWORKS["linear"], "readout") == ["o_t = S [y_t; y_t′] + c"]
    for network in NETWORKS.values():
        own = {s.name for s in (*network.cell.states, *network.cell.parameters)}
        assert not own & {s.name for s in Joined(network).free.values()}


def test_the_loss_starts_with_its_own_slope():
    assert spoken(NETWORKS["bilstm"], "loss")[-1] == "ū_t = p_t − y_t"
    assert spoken(NETWORKS["linear"], "loss") == ["ō_t = o_t − τ_t"]
    assert spoken(NETWORKS["squared"], "loss") == [
        "p̄_t = p_t − y_t", "ō_t = p_t ⊙ (p̄_t − p_tᵀ p̄_t)",
    ]  # fmt: skip


def test_the_error_of_a_layers_input_is_the_loss_term_below():
    down = spoken(NETWORKS["squared"], "down")
    assert down[0].startswith("x̄_t^{(2)} = (W_")
    assert down[1].startswith("h̄_t^{(1)} = x̄_t^{(2)} + ")
    both = spoken(NETWORKS["bilstm"], "down")
    assert both[0].count("′(2)") == 8
    assert both[1:] == ["h̄_t^{(1)} = [x̄_t^{(2)}]_{1:n} + h⃖_t^{(1)}",
                        "h̄_t^{′(1)} = [x̄_t^{(2)}]_{n+1:2n} + h⃖_t^{′(1)}"]  # fmt: skip
    memory = spoken(NETWORKS["deep"], "down")[-1]
    assert memory.startswith("c̄_t^{(l−1)} = c̄_t^{low,(l)} + h̄_t^{(l−1)} ⊙ ")


def test_at_the_last_step_the_loss_is_met_once():
    assert spoken(NETWORKS["deep"], "top") == ["∂L_T/∂h_T^{(3)} = Vᵀ ū_T"]
    assert spoken(NETWORKS["deep"], "readout gradients")[0] == "V̄ = ū_T (h_T^{(3)})ᵀ"


def test_turning_time_round_is_an_involution_and_swaps_the_ends():
    (h,) = catalogue["rnn"].states
    for time, turned in ((TIME, TIME), (TIME - 1, TIME + 1), (LENGTH, 1), (0, LENGTH + 1)):
        assert turn(At(h, time)) == At(h, turned)
        assert turn(turn(At(h, time))) == At(h, time)
    assert turn(At(h, symbols("t", integer=True))) == At(h, TIME)


def test_the_reverse_direction_hands_back_towards_t():
    joined = Joined(Network(catalogue["rnn"], bidirectional=True))
    layout, text = Layout(joined.notation), Text()
    said = [f"{text(layout.of(e.target))} = {text(layout.of(e.value))}" for _, e in joined.turned()]
    assert said[0] == "a_t′ = W′ h_{t+1}′ + U′ x_t + b′"
    assert "h⃖₁′ = 0" in said
    assert "h⃖_{t+1}′ = (W′)ᵀ ā_t′" in said
    assert "W̄′ = ∑_{t=1}^{T} ā_t′ (h_{t+1}′)ᵀ" in said
    assert said[-1] == "h̄_{T+1}′ = h⃖_{T+1}′"
    assert Joined(Network(catalogue["rnn"])).turned() == ()


@pytest.mark.parametrize("name", ["bilstm", "squared", "table"])
def test_letters_that_mean_nothing_are_none_of_the_network_s(name):
    """The readout has u_t and p_t, the target y_t: so no u, p and y are any column."""
    network = NETWORKS[name]
    cell = facts_of_layer(network)
    joined = {symbol.name for symbol in Joined(network).free.values()}
    assert {"y", "p" if network.loss == "cross_entropy" else "o"} & joined
    text = Text()
    layout = conventions(cell).content[0].items[1]
    told = {text(part.box) for part in layout if isinstance(part, Math)}
    used = {letter for said in told for letter in re.findall("[a-zξζψχι]", said)}
    assert used.isdisjoint(joined)
    assert cell.letters("u", "y", "xi", "p") not in joined


def test_a_cell_of_a_users_own_joins_too():
    cell = Cell.parse(name="mine", equations="V = tanh(p @ concat(V_prev, x) + y)")
    network = Network(cell, 2, True)
    assert spoken(network, "up") == ["x_t^{(2)} = [V_t^{(1)}; V_t^{′(1)}]"]
    assert len(joins(network)) > 8
    assert "[S_t" not in show_network_text(network)


@pytest.mark.by_default("squared", "bilstm", "linear", "table")
@pytest.mark.parametrize("name", NETWORKS)
def test_a_layer_is_derived_once_and_numbers_go_on(name):
    network, page = NETWORKS[name], html(document(name))
    numbers = [int(found) for found in re.findall(r'<(?:tr|span) id="eq-(\d+)"', page)]
    joined = Joined(network)
    count = len(joined.derivation.steps) + len(joined.joins) + len(joined.turned())
    assert sorted(numbers) == [*range(1, count + 1)]
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(re.findall(r'id="([^"]+)"', page))
    titles = [section.title for section in document(name).sections]
    assert titles.count("One layer: one step back") == 1
    assert ("The reverse direction" in titles) == network.bidirectional
    assert ("From a layer to the layer below" in titles) == (network.layers > 1)


def test_the_parameters_of_all_layers_are_counted():
    said = text_of(html(document("bilstm"))).replace(" ", "")
    assert "theyhold32n2+8nm+16n+2nq+qnumbers.Bothdirectionsarecounted." in said
    assert "layer2|" in said


@pytest.mark.parametrize("name", ["bilstm"])
def test_network_documents_are_the_golden_files(name, golden):
    golden(f"network_{name}.tex", tex(document(name)))
    golden(f"network_{name}.txt", text_of(html(document(name))))


def test_the_listing_shows_each_loop_once():
    made = network_loops(compile_network(NETWORKS["bilstm"], "textbook").source, SAY)
    assert made.startswith("for t in range(T):\n    layer0_a_f = ")
    assert "for t in range(T):  ...  # layer1: as layer0\n" in made
    assert "# layer1_reverse: as layer0_reverse" in made
    assert "np.empty" not in made
    assert "layer0_h_bars = layer1_input_bar_inside[..., :n]" in made
    assert len(made.split("\n")) < 140


def test_show_prints_the_layer_once_and_the_joins():
    said = show_network_text(NETWORKS["bilstm"])
    assert said.count("One step back") == 1
    assert "ū_t = p_t − y_t" in said
    assert "From layer to layer" in said
    latex = show_network_latex(NETWORKS["bilstm"])
    assert latex.count(r"\begin{align*}") == latex.count(r"\end{align*}") > 8
    assert r"h_{t}^{\prime (1)}" in latex


def test_the_command_shows_a_network_where_a_flag_asks_for_one(capsys):
    assert main(["show", "rnn", "--bidirectional", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["network"] == "rnn_1l_bi_softmax_cross_entropy_all"
    assert {join["part"] for join in data["joins"]} >= {"readout", "loss", "top"}
    assert main(["show", "rnn", "--json"]) == 0
    assert "joins" not in json.loads(capsys.readouterr().out)
    assert main(["show", "rnn", "--loss", "squared_error"]) == 0
    assert "ō_t = o_t − y_t" in capsys.readouterr().out


def test_the_flags_that_ask_for_a_network_are_those_that_it_prints():
    assert flags(NETWORKS["deep"]) == (
        "--layers 3 --readout softmax --loss cross_entropy --loss-at last"
    )
    assert (of_flags.READOUTS, of_flags.LOSSES, of_flags.PLACES) == (READOUTS, LOSSES, PLACES)


@pytest.mark.long
@pytest.mark.skipif(find_engine() is None, reason="no TeX engine")
def test_tex_of_a_network_compiles_with_no_box_above_five_points(tmp_path):
    source = tmp_path / "network.tex"
    source.write_text(tex(document("bilstm")), encoding="utf-8")
    wide = re.findall(r"Overfull \\hbox \(([\d.]+)pt", compile_pdf(source))
    assert max(map(float, wide), default=0.0) <= ALLOWED_OVERFULL


@pytest.mark.long
@pytest.mark.skipif(BROWSER is None, reason="no browser")
def test_html_of_a_network_fits_a_phone_and_a_desk(tmp_path):
    found, log = measured(tmp_path / "frames.html", html(document("bilstm")))
    assert "CONSOLE" not in log
    for width in ("360", "1200"):
        assert found[width]["scroll"] <= found[width]["client"], width
        assert found[width]["math"] > 100
        assert found[width]["flat"] == []


def test_the_names_of_the_readout_are_told_by_its_letters():
    page = text_of(html(document("bilstm"), {}))
    assert "readout.V (V), readout.c (d) there: layers count from 0" in page
    assert "embedding.E (E), readout.V (V), readout.c (c) there" in text_of(
        html(document("table"), {}))  # fmt: skip


def test_signs_of_a_network_alone_are_explained_where_it_has_them():
    said = {name: text_of(html(document(name))) for name in ("bilstm", "deep", "linear")}
    rows, fraction = "are the rows 1 to n of", "A fraction of two vectors divides entry by entry."
    assert [rows in said[name] for name in said] == [True, False, True]
    assert [fraction in said[name] for name in said] == [True, True, False]
