"""The bounds in numbers: what the chapter says, for drawn weights and for given ones."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from browser import BROWSER, measured
from reading import text_of
from samples import measurement, verdict
from studies import chapter_of, small_study, study_of, torch_rnn

from derive import Cell, catalogue, differentiate
from derive.language.defaults import CLOCK
from derive.typeset.text import Text
from numeric.bounds import sensitivity
from reports import write
from reports.cli import main
from reports.commands import report
from reports.document import bound_figures
from reports.document.figures import Picture
from reports.document.html import html
from reports.document.model import Document, Equations, Figure, Table
from reports.document.tex import tex
from reports.document.words import spoken
from reports.sections import all_inputs
from reports.sections.bounds import chapter, placed
from reports.sections.cell import build
from reports.sections.facts import Facts
from reports.sections.numbering import Pages


def document(name: str) -> tuple[Document, dict[str, str]]:
    """A report of a cell with nothing but its derivation and the chapter."""
    bare = build(differentiate(catalogue[name]))
    made = chapter_of(small_study(name))
    pictures = {stem: picture.svg for stem, picture in made.pictures.items()}
    return replace(bare, sections=placed(bare.sections, made)), pictures


def page(made) -> str:
    """The words of a chapter alone."""
    pictures = {stem: picture.svg for stem, picture in made.pictures.items()}
    document = Document("a cell", "a cell", "", "", (), made.sections)
    return " ".join(text_of(html(document, pictures)).split())


@pytest.fixture(scope="module")
def lstm():
    """The report of the LSTM as text of both formats."""
    made, pictures = document("lstm")
    return made, html(made, pictures), tex(made)


def test_the_chapter_stands_after_the_theorems_and_numbers_on(lstm):
    made, page, source = lstm
    anchors = [section.anchor for section in made.sections]
    place = anchors.index("growth")
    assert anchors[place + 1 : place + 4] == ["memory", "all-inputs", "one-sequence"]
    blocks = [block for section in made.sections for block in section.blocks]
    for kind, word in ((Table, "table"), (Figure, "figure")):
        numbers = [block.number for block in blocks if isinstance(block, kind)]
        assert numbers == [*range(1, len(numbers) + 1)]
        for number in numbers:
            assert page.count(f'id="{word}-{number}"') == 1
            assert source.count(rf"\anchor{{{word}-{number}}}") == 1
    stems = {block.stem for block in blocks if isinstance(block, Figure)}
    assert stems == {f"lstm-{kind}" for kind in ("memory", "critical", "region", "bounds", "times")}


def test_the_page_needs_no_script_and_no_network(lstm):
    page = lstm[1]
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)


@pytest.mark.long
@pytest.mark.skipif(BROWSER is None, reason="no browser")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_chapter_fits_a_phone_and_a_desk(language, tmp_path):
    found, facts = small_study("lstm"), Facts(differentiate(catalogue["lstm"]), language=language)
    made = chapter(facts, found, "lstm", "x")
    page = Document("lstm", "t", "s", "a", (), made.sections, language=language)
    text = html(page, {stem: picture.svg for stem, picture in made.pictures.items()})
    seen, log = measured(tmp_path / "frames.html", text)
    assert "CONSOLE" not in log
    for width in ("360", "1200"):
        assert seen[width]["scroll"] <= seen[width]["client"], width
        assert seen[width]["flat"] == []
        assert seen[width]["wide"] == []  # no table of numbers hides a column
        assert seen[width]["parted"] == []
        assert min(seen[width]["points"]) * 6.5 >= 9  # the smallest letters of a figure, in pixels


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_paths_say_once_what_stands_after_a_cross(language):
    """And not where no path has one."""
    found, words = small_study("lstm"), spoken(language).texts["one_sequence.factors"]
    facts = Facts(differentiate(catalogue["lstm"]), language=language)
    made = chapter(facts, found, "lstm", "x")
    captions = [str(block.caption) for section in made.sections for block in section.blocks
                if isinstance(block, Table)]  # fmt: skip
    (caption,) = (caption for caption in captions if "×" in caption)
    assert caption.count("×") == words.count("×") == 1


def test_numbers_and_verdicts_are_those_of_the_study(lstm):
    text, found = text_of(lstm[1]), small_study("lstm")
    (low, worked), (_, at_one) = found.worked
    assert worked.rate < 1 < at_one.rate
    assert f"So at g={low:g} the gradient vanishes, for all inputs in the box" in text
    assert "So at g=1 this decides nothing" in text
    assert "ωβ | ≤" in text
    assert "2.2 times as large as that of Miller and Hardt. It contains all of that one." in text
    assert f"the gradient {found.one.verdict}" in text


@pytest.mark.long
def test_every_bound_is_in_the_table_with_its_distance():
    found = small_study("lstm")
    section = next(s for s in chapter_of(found).sections if s.anchor == "one-sequence")
    table = next(b for b in section.blocks if isinstance(b, Table) and b.align == "lrrl")
    one = found.one
    single = len(one.certificate.methods) + len(one.certificate.finite)
    upper = [name for name in one.log10_upper if not name.startswith("a_priori")]
    assert len(table.rows) == single + len(upper) + len(one.log10_lower)
    best = [row for row in table.rows if getattr(row[0][0], "style", "") == "emphasis"]
    assert [row[0][0].text for row in best] == ["whole product"]


@pytest.mark.by_default("lstm")
@pytest.mark.parametrize(("name", "alone"), [("lstm", True), ("gru", False)])
def test_the_step_of_a_kept_state_has_dots_where_its_jacobian_has_more(name, alone):
    """∂c_t/∂c_{t−1} is diag(f_t) in the section on the step Jacobian: so it is in this one."""
    section = next(s for s in chapter_of(small_study(name)).sections if s.anchor == "memory")
    step, several = next(b for b in section.blocks if isinstance(b, Equations)).rows
    assert ("⋯" in Text()(step.right)) is not alone
    assert "⋯" in Text()(several.right)
    said = "".join(getattr(part, "text", "") for part in section.blocks[0].content)
    assert ("within one step it is the only one" in said) is alone


def test_known_cells_stand_beside_this_one():
    for name, count in (("lstm", 4), ("clockwork_rnn", 5)):
        sections = chapter_of(small_study(name)).sections
        section = next(section for section in sections if section.anchor == "one-sequence")
        table = [block for block in section.blocks if isinstance(block, Table)][-1]
        names = [row[0][0].text for row in table.rows]
        assert len(names) == count
        assert {"rnn", "lstm", "gru", name} == {*names}
        assert sum(len(row[0]) > 1 for row in table.rows) == 1  # the lstm with its usual bias


@pytest.mark.long
@pytest.mark.parametrize("name", ["gru", "gla", "mlstm"])
def test_other_sizes_are_not_called_the_same(name):
    study = small_study(name)
    made = chapter_of(study)
    said = "This cell beside known ones of the same sizes."
    if name != "gru":
        letters = (letter.replace("_", "") for letter in study.sizes)  # n_n, its n below
        own = ", ".join(map("{}={}".format, letters, study.sizes.values()))
        said = f"This cell, of {own}, beside known ones of n=6, m=3."
    text = page(made)
    assert said in text


def test_the_bias_of_the_gate_decides_and_the_table_says_what_was_measured(lstm):
    text, found = text_of(lstm[1]), small_study("lstm").keeping
    for shift in (0.0, 1.0, 3.0):
        exact = f"{found.shifted[shift].log10_measured[-1]:.2f}".replace("-", "−")
        assert exact in text
    faster = found.shifted[0.0].log10_measured[-1] < found.plain.log10_measured[-1]
    assert ("vanish faster than in the plain" in text) == faster


def test_the_gain_of_a_plain_network_has_three_cases():
    made, found = chapter_of(small_study("rnn")), small_study("rnn").by_gain
    text = page(made)
    if found.certified is not None and found.explodes is not None:
        assert "Below one, above one, and the third case" in text
        assert f"At g={found.certified:g} the norm is at most" in text
    assert ("rnn-gain" in made.pictures) == ("the third case" in text)


def test_growth_at_rest_is_said_of_the_gains_tried():
    """And no gain at which some method proves decay is said to be decided by none."""
    study = small_study("rnn")
    made = chapter_of(study)
    text = page(made)
    assert "Hatched: at each value tried from there on, the zero state" in text
    between = re.search(r"Between the two, as at g=([\d.]+),", text)
    assert between is None or not study.scan.decays(float(between[1]))


def test_modules_have_their_rates():
    made = chapter_of(small_study("clockwork_rnn"))
    assert "clockwork_rnn-modules" in made.pictures
    text = page(made)
    assert "slowest to forget of the modules decides" in text
    assert "period of 8 steps" in text


@pytest.mark.long
def test_the_slowest_module_decides_only_where_the_others_do_not_act_on_it():
    woven, clock = "h = tick * tanh(W @ h_prev + U @ x) + (1 - tick) * h_prev", {"tick": CLOCK}
    cell = Cell.parse(name="woven", constants=["tick[t]"], defaults=clock, equations=woven)
    made = chapter_of(study_of(cell))
    text = page(made)
    assert "Blocks between modules act as well" in text
    assert "the rate of the whole state is certified" in text
    assert "slowest to forget" not in text


@pytest.mark.long
def test_what_has_no_bound_is_said_so():
    cell = Cell.parse(name="open", equations="h = h_prev * tanh(W @ h_prev + U @ x) + relu(V @ x)")
    made = chapter_of(study_of(cell))
    text = page(made)
    assert "not known to be finite" in text
    assert "no a-priori rate is certified" in text
    assert "No set was found that the states never leave" in text


@pytest.mark.by_default("True")
@pytest.mark.parametrize("both", [False, True])
def test_the_growth_of_a_stack_is_not_said_of_two_directions(capsys, both):
    words = ["bounds", "gru", "--size", "3", "--lag", "5", "--layers", "2"]
    assert main([*words, *["--bidirectional"] * both]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "of each layer at lag 5" in text
    assert ("over many steps the stack grows as its slowest layer does" in text) is not both


@pytest.mark.long
def test_layers_stand_in_one_table():
    made = chapter_of(small_study("rnn", layers=2))
    tables = [b for section in made.sections for b in section.blocks if isinstance(b, Table)]
    layers = next(table for table in tables if table.align == "llrrrrl")
    assert [row[0][0].text for row in layers.rows] == ["layer0", "layer1"]


@pytest.mark.long
def test_a_number_is_given_no_spectral_radius():
    assert "decides nothing: N<1 is not certified" in text_of(html(*document("gru")))


# ---- given weights -----------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch):
    """Verification and measurement give fixed values."""
    monkeypatch.setattr(report, "verify", lambda kernel, **settings: verdict(kernel.cell.name))
    monkeypatch.setattr(write, "measure", lambda derivation, **settings: measurement(
        derivation.cell))  # fmt: skip


def reported(tmp_path, *words) -> str:
    """The text of the page."""
    out = tmp_path / "out"
    assert main(["report", "rnn", *map(str, words), "-o", str(out), "--formats", "html", "-q"]) == 0
    return text_of((out / "rnn.html").read_text(encoding="utf-8"))


@pytest.mark.long
def test_weights_from_a_file_are_reported_on_layer_by_layer(quick, tmp_path):
    weights = torch_rnn(tmp_path / "w.npz", layers=2)
    np.save(tmp_path / "x.npy", np.random.default_rng(1).normal(size=(15, 3)))
    text = reported(tmp_path, "--weights", weights, "--inputs", tmp_path / "x.npy")
    assert text.index("The parameters are those of w.npz.") < text.index("It maps a small change")
    assert "Of its 2 layers and directions layer" in text
    assert "The sequence is that of x.npy, 15 steps from the zero state." in text
    assert "The weights are those given. Of the layers, layer" in text
    assert "That is the smallest interval with 0 and the sequence on which norms are" in text
    assert "The inputs are those given; 15 steps" in text
    assert "rows of weight_hh_l1" in text
    assert "This cell beside known ones" not in text


@pytest.mark.long
def test_without_a_sequence_one_is_drawn_as_bounds_draws_it(quick, tmp_path, capsys):
    weights = torch_rnn(tmp_path / "w.npz")
    text = reported(tmp_path, "--weights", weights)
    assert "The recurrent weights are multiplied with g." in text
    assert "are drawn" not in text
    assert "Inputs are standard normal, seed 1; 60 steps" in text
    assert main(["bounds", "rnn", "--weights", str(weights), "--json"]) == 0
    exact = json.loads(capsys.readouterr().out)["log10_measured"][-1]
    assert f"measured is {exact:.2f}".replace("-", "−") in text


@pytest.mark.long
def test_the_answer_stands_first_with_its_numbers(quick, tmp_path, capsys):
    weights, x = torch_rnn(tmp_path / "w.npz"), np.random.default_rng(1).normal(size=(4, 12, 3))
    np.save(tmp_path / "x.npy", x)
    words = "--weights", weights, "--inputs", tmp_path / "x.npy", "--batch-first"
    text = reported(tmp_path, *words)
    assert main(["bounds", "rnn", *map(str, words), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    shown = data["sequences"]["shown"]
    assert f"Of the 4 sequences of x.npy number {shown + 1} (counted from 1) is studied" in text
    assert len(data["log10_measured"]) == 12
    exact = f"{data['log10_measured'][-1]:.2f}".replace("-", "−")
    assert f"measured is 10{exact}." in text.replace("^", "")
    unit = data["answer"]["unit"]  # written as in code: h₄ would be h at step 4
    share = f"{100 * unit['share']:.0f} % of the norm"
    assert f"carries most is {unit['state']}[{unit['index']}], with {share}" in text
    assert main(["bounds", "rnn", *map(str, words)]) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.split("\n"))) <= 80
    assert said.startswith("rnn layer0: vanishes\n  Of the 4 sequences of x.npy number")


@pytest.mark.long
def test_an_overflow_is_a_page_with_the_reason(quick, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.savez("w.npz", W=1000 * np.eye(3), U=1000 * np.eye(3))
    equations = "h = W @ h_prev * h_prev + U @ x"
    (tmp_path / "boom.toml").write_text(f'name = "boom"\nequations = "{equations}"\n')
    words = ["boom.toml", "--weights", "w.npz"]
    assert main(["report", *words, "-o", "out", "--formats", "html,tex", "-q"]) == 0
    text = text_of((tmp_path / "out" / "boom.html").read_text(encoding="utf-8"))
    assert "the state h is not finite at step 7, it overflows" in text
    assert "Numbers along one sequence" not in text
    assert main(["bounds", *words]) == 0
    assert "is not finite at step 7" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rnn", "--inputs", "x.npy"], "--inputs goes with --weights"),
        (["lstm", "rnn", "--weights", "w.npz"], "one CELL"),
        (["--all", "--weights", "w.npz"], "not with --all"),
        (["rnn", "--weights", "none.npz"], "cannot be read"),
        (["gru", "--weights", "w.npz"], "report: "),
        (["rnn", "--weights", "w.npz", "--layers", "3"], "--layers asks for others"),
        (["rnn", "--weights", "w.npz", "--inputs", "bad.npy"], "expected the shape (T, m)"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    torch_rnn(tmp_path / "w.npz")
    np.save("bad.npy", np.zeros(3))
    assert main(["report", *words, "-o", "out"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") <= 2
    assert not (tmp_path / "out" / "rnn.html").exists()


CALM = Cell.parse(name="calm", equations="h = tanh(0.3 * (W @ h_prev) + U @ x)")


def test_the_rate_names_the_theorem_that_proves_it():
    """One norm certified to be at most 1: what it is of, and where its numbers are."""
    found = study_of(CALM)
    text = page(chapter_of(found))
    assert found.one.certificate.best.name == "fractional form, scaled"
    order = found.one.certificate.scaled.form.order
    assert f"unknown numbers close one matrix of order {order}" in text


@pytest.mark.long
def test_parameters_have_a_table_and_a_verdict_where_one_is_ill(monkeypatch):
    found = study_of(CALM)
    tables = [b for s in chapter_of(found).sections for b in s.blocks if isinstance(b, Table)]
    assert any(len(table.head) == 6 and len(table.rows) == 2 for table in tables)
    assert "ill-conditioned" not in page(chapter_of(found))
    monkeypatch.setattr(sensitivity, "ILL", 0.0)
    monkeypatch.setattr(sensitivity, "VANISHES", found.one.verdict)
    made = chapter(Facts(differentiate(CALM)), found, "calm", "x")
    assert "the parameters are ill-conditioned" in page(made)


def test_a_drawn_net_that_overflows_has_a_page_with_the_reason():
    squares = "s = W @ (h_prev * h_prev) + s_prev + x\nh = 3 * s"
    cell = Cell.parse(name="squares", sizes={"s": "n", "h": "n"}, equations=squares)
    made = chapter(Facts(differentiate(cell)), study_of(cell), "squares", "x")
    (said,) = [section for section in made.sections if section.anchor == "one-sequence"]
    assert "Nothing is measured or certified along the sequence" in repr(said)


def test_the_region_names_its_gate_as_the_text_does(monkeypatch):
    drawings = []
    monkeypatch.setattr(
        bound_figures, "drawn", lambda made: drawings.append(made) or Picture(b"", "<svg/>")
    )
    found = small_study("lstm")
    renamed = replace(found, region=replace(found.region, gate="phi_1"))
    pages = Pages(Facts(differentiate(catalogue["lstm"])), renamed, "lstm", {})
    assert [*all_inputs.sizes_of_gates(pages)]
    assert drawings[0].axes[0].get_xlabel().endswith(r"gate, $\hat{\phi _{1}}$")
    drawings[0].savefig(io.BytesIO())
