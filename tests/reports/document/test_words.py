"""Sentences of reports are data: the sections that are listed here hold keys and no prose."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Final

import pytest
from spoken import parsed, prose, slots_of, used

from derive import catalogue
from derive.theorems.sentences import languages, sentences
from derive.typeset.layout import Layout
from reports.document.figures import CHINESE
from reports.document.method_names import METHODS
from reports.document.model import Words
from reports.document.tex import escape
from reports.document.words import FOLDER, Speaker, phrases, spoken
from reports.sections.literature import WERBOS

REPORTS: Final = FOLDER.parent
SECTIONS: Final = [
    *(path for path in sorted((REPORTS / "sections").glob("*.py")) if path.stem != "__init__"),
    REPORTS / "site" / "compare.py",
    REPORTS / "site" / "families.py",
    REPORTS / "site" / "index.py",
    REPORTS / "terminal" / "answer.py",
    REPORTS / "terminal" / "bounds.py",
    REPORTS / "terminal" / "derivation.py",
    REPORTS / "terminal" / "parallel.py",
    REPORTS / "commands" / "same.py",
    REPORTS / "commands" / "verify.py",
    REPORTS / "commands" / "verify_all.py",
    REPORTS / "document" / "drawn_once.py",
    REPORTS / "document" / "figures.py",
    REPORTS / "document" / "search_figures.py",
    REPORTS / "document" / "sweep_figures.py",
    REPORTS / "document" / "method_names.py",
    REPORTS / "document" / "bound_figures.py",
    REPORTS / "document" / "graph_figures.py",
    REPORTS / "document" / "memory_figures.py",
]
SPEAKER: Final = REPORTS / "document" / "words.py"
WRITERS: Final = [REPORTS / "document" / f"{name}.py" for name in ("html", "tex", "preamble")]
# What looks like prose and is none: why.
NO_PROSE: Final = {
    "the loss at this step": "a rule's name, as the derivation gives it",
    "the next step": "a rule's name, as the derivation gives it",
    "sum rule": "a rule's name, as the derivation gives it",
    "a name for a part": "a rule's name, as the derivation gives it",
    "bptt verify ": "a command",
    " --profile ": "a command",
    " --seed ": "a command",
    "bptt emit ": "a command",
    " --style textbook": "a command",
    WERBOS: "a work that is cited",
    "= np\\.(zeros|empty)(_like)?\\(": "code that is shown",
    "    for t in ": "code that is shown",
    "from numeric import compile_cell": "code that is shown",
    "states, tape = kernel.forward(params, inputs)": "code that is shown",
    "from derive import Network": "code that is shown",
    "from numeric import compile_network": "code that is shown",
    'kernel = compile_network(network, style="textbook")': "code that is shown",
    " = kernel.loss_and_gradient(params, inputs, targets, lengths=lengths)": "code that is shown",
    "outputs = kernel.predict(params, inputs, lengths=lengths)": "code that is shown",
    "from derive import catalogue": "code that is shown",
    "for t in ": "code that is shown",
    "kernel = compile_cell(": "code that is shown",
    ', style="textbook")': "code that is shown",
    "network = Network(": "code that is shown",
    "    return ": "code that is shown",
    'gradients = kernel.backward(params, tape, {"': "code that is shown",
    '": h_bars})["params"]': "code that is shown",
    '  # gradients["': "code that is shown",
    "--layers ": "flags of a command",
    "--readout ": "flags of a command",
    "--loss ": "flags of a command",
    "--loss-at ": "flags of a command",
    "forward and backward": "names of functions",
    " selected": "a mark of HTML",
    "a module with ": "what an error says",
    "code of ": "what an error says",
    " that computes ": "what an error says",
    "layer0.reverse.": "a name of parameters",
    "readout gradients": "a part of the story, as the derivation names it",
    "table gradients": "a part of the story, as the derivation names it",
    "t \\ ": "a formula",
    r"$\partial h/\partial\lambda$": "a formula",
    r"$\log_{10}\,\mathrm{E}(\partial h/\partial\,\cdot)^2$": "a formula",
    "Date": "a field of a file",
    "CreationDate": "a field of a file",
    "offset points": "a unit of the figures",
}
# What looks like a key and is none.
NO_KEY: Final = {
    "font.size", "font.family", "mathtext.fontset", "axes.linewidth", "svg.hashsalt",
    "svg.fonttype", "pdf.fonttype", "index.html", "index.css", "index.js",
    "compare.html", "compare.js", "report.css", "readout.c",
    "notations.toml",
}  # fmt: skip


def ours(language: str = "en") -> Mapping[str, str]:
    return sentences(language, FOLDER).texts


def miscounted(tree: ast.Module, texts: Mapping[str, str]) -> Iterator[str]:
    """Calls of `sentence` that fill another number of slots than the sentence has."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or getattr(node.func, "attr", "") != "sentence":
            continue
        keys = [part.value for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant)]
        given = node.args[1:]
        some = any(isinstance(part, ast.Starred) for part in given)
        for key in (key for key in keys if key in texts):
            asked = len(slots_of(texts[key]))
            if len(given) - some > asked or (not some and len(given) != asked):
                yield f"line {node.lineno}: {key} has {asked} slots, {len(given)} are filled"


def test_no_sentence_is_in_the_sections():
    found = {said for tree in parsed(SECTIONS).values() for said in prose(tree)}
    literals = {said.partition(": ")[2] for said in found}
    names = {repr(name) for name in (*CHINESE, *METHODS)}  # fonts, and methods as they are found
    assert literals - names == {repr(text) for text in NO_PROSE}


def test_a_sentence_is_there_if_and_only_if_it_is_used():
    theorems = {key for key in sentences().texts if key.startswith("words.")}
    assert used(parsed([*SECTIONS, SPEAKER, *WRITERS]).values()) - theorems - NO_KEY == set(ours())


def test_every_slot_is_filled():
    for name, tree in parsed(SECTIONS).items():
        assert list(miscounted(tree, spoken("en").texts)) == [], name


def test_the_slots_of_a_sentence_have_no_gaps():
    for key, text in spoken("en").texts.items():
        assert slots_of(text) == set(range(len(slots_of(text)))), key


def test_reports_speak_each_language_of_the_theorems():
    assert languages(FOLDER) == languages()
    for language in languages():
        assert {key: slots_of(text) for key, text in ours(language).items()} == {
            key: slots_of(text) for key, text in ours().items()
        }
        assert set(ours(language)).isdisjoint(sentences(language).texts)


@pytest.mark.parametrize("code", [
    'say("The norm grows.")', 'f"<p>{count} cells are listed</p>"', "'<dt>Step Jacobian</dt>'",
    'words + "the largest"', 'axes.set_xlabel("gain of all weights")',
])  # fmt: skip
def test_a_sentence_left_in_a_section_is_found(code):
    assert len([*prose(ast.parse(f"made = {code}"))]) >= 1


@pytest.mark.parametrize(("code", "wrong"), [
    ('say.sentence("a.b", x, y)', 0), ('say.sentence("a.b", x)', 1), ('say.sentence("a.b")', 1),
    ('say.sentence("a.b", x, y, z)', 1), ('say.sentence("a.b", *pair)', 0),
    ('say.sentence("a.b", x, y, z, *pair)', 1), ('say.sentence("a.b" if one else "a.c", x, y)', 1),
])  # fmt: skip
def test_a_wrong_number_of_slots_is_found(code, wrong):
    texts = {"a.b": "{0} and {1}", "a.c": "{0}"}
    assert len(list(miscounted(ast.parse(code), texts))) == wrong


def test_a_speaker_says_sentences_titles_and_enumerations():
    say = Speaker(Layout(), {"volume": 7}.__getitem__)
    a, b, c = (say(letter) for letter in "abc")
    joined = "".join(part.text for part in say.listed([a, b, c]) if isinstance(part, Words))
    assert joined == "a, b and c"
    sizes = Speaker(Layout(), language="zh").listed([a, b, c], "words.pause")
    assert "".join(part.text for part in sizes if isinstance(part, Words)) == "a，b，c"
    assert "".join(part.text for part in say.together([a, b])) == "a b"
    assert say.words("volume.title") == "Volume"
    assert say.heads("glance.space") == ((Words("space"),),)
    with pytest.raises(ValueError, match="certified_rate"):
        Speaker(Layout()).sentence("shared.over_sets", "x")


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("Elman 1990.", " 1990."),
        ("遗忘门：Gers and Cummins 2000, Neural Computation 12", " 12."),
        ("Beck et al. 2024, NeurIPS；在归一化之后以另一投影的 silu 代替 o", " o。"),
        ("以 tanh 的斜率代替它的斜率。", "的斜率。"),
    ],
)
def test_a_full_stop_is_that_of_the_script_before_it(text, end):
    assert Speaker(Layout()).closed(text).endswith(end)


def test_what_a_source_remarks_of_a_work_is_in_chinese():
    """Behind the work's number, or what it is called by, no English goes on."""
    sources = [phrases("zh").get(cell.source, "") for cell in catalogue.values()]
    assert len([source for source in sources if "arXiv:" in source]) > 30
    remark = re.compile(r"arXiv:[\d.]+(?:v\d)?, [a-z]|\b\d{4}, .*, (?:one|the|without) ")
    assert [source for source in sources if remark.search(source)] == []
    assert remark.search("Beck et al. 2024, NeurIPS, arXiv:2405.04517, one head；")


def test_a_theorem_stays_on_the_line_of_its_number_in_chinese():
    told = Speaker(Layout(), {"volume": 7}.__getitem__, "zh").reference("volume")
    assert told == "定理\u00a07"
    assert escape(told) == "定理~7"


def test_no_space_stands_before_a_percent_sign_in_chinese():
    said_ = spoken("zh").texts
    assert {key for key, sentence in said_.items() if re.search(r"\s%", sentence)} == set()
    assert said_["one_sequence.of_it"].endswith("{1}%")
