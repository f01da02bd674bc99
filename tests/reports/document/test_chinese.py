"""Reports in Chinese: every sentence there, no English left, Chinese titles in any report."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Final

import matplotlib as mpl
import pytest
from browser import ALLOWED_OVERFULL
from matplotlib.figure import Figure
from matplotlib.text import Text
from profiles import NIGHTLY, by_day, night_alone
from reading import text_of
from samples import CELLS, LISTING, measurement, verdict
from spoken import parsed, slots_of, text
from studies import small_study, undrawn

import numeric
from derive import Cell, catalogue
from derive.calculus.joins import Joined
from derive.calculus.rules import VJP_RULES
from derive.calculus.through_time import derivation_of
from derive.language.defaults import RULES
from derive.network import Network
from derive.saying import in_words, said
from derive.theorems.sentences import languages
from derive.typeset.boxes import Box
from numeric.compiler.kernel import compile_cell
from numeric.verification.explain import unknown_numbers
from numeric.verification.explain.anatomy import Part
from numeric.verification.explain.change import LIMITS
from numeric.verification.explain.equation_names import EquationNames
from numeric.verification.explain.layers import SLOPES as LOSS_SLOPES
from numeric.verification.explain.mistakes import mistakes
from numeric.verification.explain.other_cells import dialects
from numeric.verification.explain.treated import said_of
from numeric.verification.scope import Limit
from numeric.verification.verdict import FAIL, INCONCLUSIVE, NOT_APPLICABLE, PARTIAL, PASS
from numeric.verification.verify import verify
from reports.cli import main
from reports.document import bound_figures, figures, pdf
from reports.document.figures import drawn, labels
from reports.document.html import html
from reports.document.model import Listing, Section, Words
from reports.document.pdf import compile_pdf, find_chinese_engine
from reports.document.preamble import PROGRAM
from reports.document.tex import tex
from reports.document.words import closed_up, origin, phrases, spoken
from reports.sections import all_inputs, numbering
from reports.sections.bounds import chapter
from reports.sections.cell import build
from reports.sections.facts import Facts
from reports.sections.glossary import glossary
from reports.sections.literature import WERBOS
from reports.sections.network import build_network
from reports.sections.numbering import Pages
from reports.sections.verified import METHODS

ROOT: Final = Path(numeric.__file__).parents[1]
SAYS: Final = re.compile(r"import (\w+, )*said\n")
SPEAKING: Final = sorted(
    path for package in ("derive", "numeric", "reports") for path in (ROOT / package).rglob("*.py")
    if SAYS.search(path.read_text(encoding="utf-8")) or path.parent.name == "explain"
)  # fmt: skip
ENGLISH: Final = re.compile(r"(?<![\w-])[A-Za-z]{2,}'?[a-z]* [a-z]{2,}")
STATUSES: Final = (PASS, FAIL, INCONCLUSIVE, PARTIAL, NOT_APPLICABLE)
SLOPE: Final = re.compile(r"\w+′")
SETTINGS: Final = (
    {"bidirectional": True, "embedding": True, "dropout": True}, {"loss_at": "last"},
    {"readout": "linear", "loss": "squared_error"},
)  # fmt: skip
# Rules that few cells need.
OF_OTHERS: Final = {
    "a block needed more than once", "constant factor", "the blocks above", "equality",
}  # fmt: skip
# A source that says more than who, when and where.
NOTE: Final = re.compile(r"^after |; (?!arXiv)|forget gate:")


def templates(trees) -> set[str]:
    """The templates of all calls of `said`."""
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = [call for call in calls if getattr(call.func, "id", "") == "said"]
    return {text(call.args[0]) for call in named} - {""}


def texts(value: object) -> Iterator[str]:
    """What a document says in words: no formulas, no code, no English terms of a glossary."""
    if isinstance(value, Section) and value.anchor == "glossary":
        return
    if isinstance(value, (Box, Listing)) or (isinstance(value, Words) and value.style == "code"):
        return
    if isinstance(value, str):
        yield value
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from texts(part)
    elif is_dataclass(value):
        for field in fields(value):
            yield from texts(getattr(value, field.name))


def english(value: object, cited: Iterable[str] = ()) -> list[str]:
    """Two English words one after the other, or more, apart from works that are cited."""
    works = {re.split(r"(?<=\d{4})\b", work)[0] for work in cited} | {*cited}
    found = []
    for said_ in texts(value):
        rest = said_
        for work in sorted(works, key=len, reverse=True):
            rest = re.sub(re.escape(work), "", rest, flags=re.IGNORECASE)
        found += [said_] if ENGLISH.search(rest) else []
    return found


def works(facts: Facts) -> list[str]:
    """The works that a report cites, as it writes them."""
    source = facts.say.phrase(facts.derivation.cell.source)
    return [source, *re.split("[；：;]", source), WERBOS,
            *(work for claim in facts.claims for work in claim.sources)]  # fmt: skip


@pytest.mark.by_default("rnn")
@pytest.mark.parametrize("name", by_day(["clockwork_rnn", "lstm", "rnn", "gru_reset_after"], 2))
def test_a_chinese_report_leaves_no_english_sentence(monkeypatch, name):
    undrawn(monkeypatch)
    cell = catalogue[name]
    made = build(derivation_of(cell), LISTING, verdict(name), measurement(cell), "zh")
    facts = Facts(derivation_of(cell), LISTING, verdict(name), measurement(cell), language="zh")
    assert english(made, works(facts)) == []
    found = small_study(name)
    assert english(chapter(facts, found, name, "x").sections, works(facts)) == []
    assert english(made) != []  # the works that are cited are seen where nothing is left out


@pytest.mark.by_default("settings0")
@pytest.mark.parametrize("settings", [
    {"bidirectional": True, "embedding": True, "dropout": True}, {"loss_at": "last", "layers": 3},
    {"layers": 1, "readout": "linear", "loss": "squared_error"},
])  # fmt: skip
def test_a_chinese_report_of_a_network_leaves_no_english_sentence(settings):
    network = Network(catalogue["lstm"], **{"layers": 2, **settings})
    facts = Facts(derivation_of(network.cell), language="zh")
    made = build_network(network, "", verdict("lstm"), "zh")
    assert english(made, works(facts)) == []


def test_names_of_parameters_in_a_module_are_joined_in_chinese():
    listing = "    for t in range(T):\n        pass\n    return loss"
    made = build_network(Network(catalogue["rnn"], 2, True), listing, None, "zh")
    (code,) = (section for section in made.sections if section.anchor == "code")
    told = "".join(getattr(part, "text", "") for part in code.blocks[0].content)
    assert "layer0.W、layer0.reverse.W、readout.V" in told


def test_figures_speak_english_where_no_font_has_chinese_letters(monkeypatch):
    written = []
    monkeypatch.setattr(figures, "CHINESE", ())
    monkeypatch.setattr(figures, "labels", figures.labels.__wrapped__)
    monkeypatch.setattr(numbering, "labels", figures.labels)
    monkeypatch.setattr(
        bound_figures,
        "drawn",
        lambda figure: (
            written.extend(text.get_text() for text in figure.findobj(Text))
            or figures.Picture(b"", "<svg/>")
        ),
    )
    facts = Facts(derivation_of(catalogue["rnn"]), language="zh")
    assert [*all_inputs.critical(Pages(facts, small_study("rnn"), "rnn", {}))]
    assert any("∞" in label or "infty" in label for label in written)
    assert not figures._CHINESE.search("".join(written))


def test_an_english_sentence_is_found():
    document_ = build(derivation_of(CELLS["rnn"]), LISTING, verdict("rnn"))
    assert len(english(document_)) > 30
    assert english((Words("见 the norm"), "softmax 读出层", Words("bptt emit lstm", "code"))) == [
        "见 the norm"
    ]


def test_the_glossary_gives_the_english_of_each_term_to_chinese_readers_alone():
    cell = CELLS["rnn"]
    facts = Facts(derivation_of(cell), "", verdict("rnn"), measurement(cell), language="zh")
    (table,) = glossary(facts).blocks
    held = {"".join(part.text for part in said_) for row in table.rows for said_ in row}
    assert {"梯度爆炸", "exploding gradient", "谱半径"} <= held
    assert not {"遗忘门", "forget gate", "重置门"} & held
    assert glossary(Facts(derivation_of(cell))) is None
    (gated,) = glossary(Facts(derivation_of(CELLS["lstm"]), language="zh")).blocks
    held = {"".join(part.text for part in said_) for row in gated.rows for said_ in row}
    assert {"遗忘门", "forget gate"} <= held
    assert not {"更新门", "重置门"} & held


def test_what_is_never_exceeded_stands_after_the_number_that_bounds_it():
    page = text_of(html(build(derivation_of(CELLS["rnn"]), language="zh"), {}))
    assert "这里 γ=1，tanh′(u) 永远不超过它" in " ".join(page.split())


def test_authors_are_named_and_arrays_of_a_file_described_in_chinese():
    cell = CELLS["lstm"]
    page = " ".join(text_of(html(build(derivation_of(cell), language="zh"), {})).split())
    assert (
        "据 Miller 和 Hardt 2019；Terzi、Bonassi、Farina 和 Scattolini 2021；Yoshihara 等 2025"
        in page
    )
    assert "由 (7)、(5)、(3)、(1)" in page
    ours, english_ = ([spoken(language).texts[f"weights.{key}"] for key in ("rows", "absent")]
                      for language in ("zh", "en"))  # fmt: skip
    for source, said_ in {
        "rows of a + b": "a + b 的若干行", "−rows of a": "−a 的若干行", "0": "0", "R": "R",
        "rows of a; the file has no bias_ih here": "a 的若干行；文件中没有 bias_ih",
    }.items():  # fmt: skip
        template, held = origin(source, *ours)
        assert template.format(*held) == said_
        template, held = origin(source, *english_)
        assert template.format(*held) == source


def test_a_number_of_a_state_is_no_cell_and_the_layer_below_is_not_the_next():
    """单元 is a cell, 分量 an entry of its state; 下一层 is read as the layer above."""
    words = "\n".join(
        path.read_text(encoding="utf-8") for folder in ("derive/theorems", "reports")
        for path in (ROOT / folder / "languages").rglob("zh.toml")
    )  # fmt: skip
    assert not re.findall(
        r"每个单元 |逐单元|按单元|同一单元|一个单元的因子|每块两个单元|[上下]一层", words
    )


def test_every_phrase_of_a_computation_is_said_in_every_language():
    rules = {
        rule for cell in by_day(catalogue.values(), 9, 5) for step in derivation_of(cell).steps
        for rule in (
            [one for rule, _ in step.terms for one in rule.split("; ")] if step.terms
            else [step.rule]
        )
    }  # fmt: skip
    for settings in SETTINGS:
        rules |= {join.rule for join in Joined(Network(catalogue["lstm"], 2, **settings)).joins}
    rules = {SLOPE.sub("{0}", rule) for rule in rules}
    titles = {cell.title for cell in catalogue.values()}
    notes = {cell.source for cell in catalogue.values() if NOTE.search(cell.source)}
    trees = parsed(SPEAKING).values()
    in_code = templates(trees)
    checks = {name.replace("_", " ") for name in (*METHODS, *STATUSES)}
    parts = {name for cell in catalogue.values() for name in cell.parts.values()}
    stages = {text for cell in catalogue.values() for stage in cell.stages
              for text in (stage.name, stage.says)}  # fmt: skip
    rules |= {rule.name for rule in VJP_RULES.values()}
    asked = rules | titles | notes | in_code | checks | parts | stages | {*RULES.values()}
    literals = {text(node) for tree in trees for node in ast.walk(tree)}
    for language in languages():
        if language != "en":
            known = phrases(language)
            lacking = asked - {*known}
            assert not lacking, f"reports/languages/phrases/{language}.toml: {sorted(lacking)}"
            assert not NIGHTLY or {*known} - asked - literals <= OF_OTHERS
            assert [key for key, said_ in known.items() if slots_of(key) != slots_of(said_)] == []


def test_a_template_is_read_off_the_code():
    tree = ast.parse('told = said("at lag {0}, " "by {1}", lag, said("all"))')
    assert templates([tree]) == {"at lag {0}, by {1}", "all"}


def test_the_labels_of_curves_have_a_chinese_comma(monkeypatch):
    seen: list[str] = []
    monkeypatch.setattr(
        figures, "label_ends", lambda _, marks, *x: seen.extend(m[1] for m in marks)
    )
    for language in ("zh", "en"):
        figures.gradient_norms(
            measurement(CELLS["rnn"]), "x", figures.Labels(spoken(language).texts.__getitem__)
        )
    assert seen[0].startswith("测量值，$g=")
    assert seen[len(seen) // 2].startswith("measured, $g=")


def test_chinese_signs_are_not_set_apart():
    parts = closed_up((Words("见 "), Words("第二节"), Words(" 和 x 与 y")))
    assert parts == (Words("见第二节和 x 与 y"),)


@night_alone
@pytest.mark.skipif(find_chinese_engine() is None, reason="no XeLaTeX with ctex")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_chinese_is_set_by_xelatex(language, tmp_path):
    cell = Cell.parse(name="any", equations="h = tanh(W @ h_prev + U @ x)", title="循环网络 Сеть")
    made = build(derivation_of(cell), LISTING, verdict("any"), language=language)
    (tmp_path / "any.tex").write_text(tex(made), encoding="utf-8")
    log = compile_pdf(tmp_path / "any.tex")
    assert (tmp_path / "any.pdf").read_bytes().startswith(b"%PDF")
    assert "Missing character" not in log
    wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    assert not [points for points in wide if points > ALLOWED_OVERFULL]


@pytest.mark.skipif(not labels("zh").fonts, reason="no Chinese font")
def test_formulas_beside_chinese_words_are_set_as_formulas():
    def shown(label: str) -> str:
        with mpl.rc_context(labels("zh").style):
            figure = Figure()
            figure.text(0.1, 0.5, label)
            return drawn(figure).svg

    assert shown(r"门的最大值，$\hat{f}$") != shown("门的最大值，$f$") != shown("门的最大值，f")
    assert shown("门的最大值，$f$") != shown("，$f$")


def test_a_missing_chinese_engine_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(pdf, "find_chinese_engine", lambda: None)
    (tmp_path / "any.tex").write_text(f"{PROGRAM}\n", encoding="utf-8")
    with pytest.raises(pdf.EngineError, match="texlive-lang-chinese"):
        compile_pdf(tmp_path / "any.tex")


@pytest.mark.parametrize("words", [
    ["show", "lstm"], ["show", "rnn", "--layers", "2", "--bidirectional"],
    ["bounds", "lstm", "--size", "3", "--lag", "4"], ["bounds", "rnn", "--input-box", "1"],
])  # fmt: skip
def test_the_terminal_speaks_chinese(words, capsys):
    assert main([*words, "--language", "zh"]) == 0
    printed = capsys.readouterr().out
    for work in re.split("[；：;]", phrases("zh").get(catalogue[words[1]].source, "")):
        printed = printed.replace(work, "")
    printed = printed.replace(catalogue["rnn"].source, "")
    assert [line for line in printed.split("\n") if ENGLISH.search(line)] == []
    assert re.search("[一-鿿]", printed)
    assert re.findall(": ?[一-鿿]+", printed) == []  # marks are Chinese before Chinese


@pytest.mark.by_default("gru")
@pytest.mark.parametrize("name", by_day(["lstm", "rnn", "gru"], 2))
def test_every_mistake_is_told_in_chinese(name):
    derivation = derivation_of(catalogue[name])
    naming = EquationNames(derivation)
    told = [mistake.what for mistake in mistakes(derivation, naming)]
    told += [dialect.what for dialect in dialects(derivation, naming)]
    told += [*LOSS_SLOPES]
    assert len(told) > 200
    english_ = {what for what in told if ENGLISH.search(in_words(what, phrases("zh")))}
    assert english_ == set()


@night_alone
def test_a_verdict_on_wrong_code_is_told_in_chinese(tmp_path, capsys):
    source = compile_cell("rnn", "textbook").source
    wrong = source.replace("h_bar = h_bars[t] + h_bar_carry", "h_bar = h_bars[t]")
    assert wrong != source
    (tmp_path / "wrong.py").write_text(wrong, encoding="utf-8")
    status = main(["verify", str(tmp_path / "wrong.py"), "--cell", "rnn", "--language", "zh"])
    assert status == 1
    printed = capsys.readouterr().out
    assert "丢掉经过 h_{t+1} 的路径：缺少 h 传回的量（伴随方程" in printed
    assert "通过" in printed
    assert "失败" in printed


def test_numbers_found_in_wrong_code_are_told_in_chinese():
    derivation = derivation_of(catalogue["lstm"])
    naming = EquationNames(derivation)
    carried = [naming(e.target) for e in derivation.carries]
    told = [said(words, unknown_numbers._listed(carried)) for words, _ in LIMITS.values()]
    told = [said("{0} is at most {1} in size, cut at every step", one, "5") for one in told]
    told += [what for _, what in unknown_numbers._places(Part("", derivation))]
    told += [said_of(Limit(("a",) * count, how, 5.0)) for count in (1, 2)
             for how in ("entry", "norm")]  # fmt: skip
    assert len(told) > 30
    assert [one for one in told if ENGLISH.search(in_words(one, phrases("zh")))] == []


@pytest.mark.by_default("exact", "h = log(x) + h_prev-autograd", "h = softsign(U @ h_prev + W @ x)")
@pytest.mark.parametrize(
    ("equations", "check", "has"),
    [
        ("h = softsign(U @ h_prev + W @ x)", "complex_step", "forward 关于 params.U 不解析"),
        ("h = h_prev / relu(x) + x", "exact", "不能在域的元素上运行"),
        (
            "h = h_prev / relu(x) + x",
            "complex_step",
            "在 h 的方程中，h_{t−1}/relu(x) 在第 1 步除以",
        ),
        ("h = log(x) + h_prev", "complex_step", "在 h 的方程中，log(x) 在第 1 步取在 -"),
        ("h = log(x) + h_prev", "autograd", "个没有定义：在 h 的方程中，log(x) 在第 1 步"),
    ],
)
def test_why_a_check_does_not_apply_is_said_in_chinese(equations, check, has):
    made = verify(compile_cell(Cell.parse(name="made", equations=equations)))
    assert made.checks[check].status in {"not_applicable", "inconclusive"}
    assert has in in_words(made.checks[check].reason, phrases("zh"))
