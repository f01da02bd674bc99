"""The gallery: an index and a page for each cell, made again where something changed."""

from __future__ import annotations

import json
import re
import shutil

import pytest
from browser import BROWSER, measured
from profiles import by_day
from samples import measurement, verdict
from studies import small_study, undrawn

from derive import Cell, catalogue
from derive.typeset.layout import Layout
from reports import write
from reports.document.words import Speaker
from reports.site import gallery
from reports.site.gallery import STAMP, fingerprint, toolkit_digest, write_gallery
from reports.site.index import OTHER, Entry, families, index_page

SAY = Speaker(Layout()).words
TEXT = "h = tanh(W @ h_prev + U @ x + b)"


def small(source="", text=TEXT):
    """A cell whose report is quickly made."""
    return Cell.parse(name="small", equations=text, source=source, title="A small cell")


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Verification and measurement give fixed values."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(gallery, "verify", lambda kernel, **settings: verdict(kernel.cell.name))
        patched.setattr(write, "measure", lambda derivation, **settings: measurement(
            derivation.cell))  # fmt: skip
        patched.setattr(write, "study", lambda network, seed: small_study("rnn"))
        undrawn(patched)
        yield


@pytest.fixture(scope="module")
def first(quick, tmp_path_factory):
    """A folder with the gallery of two cells, and what was told on the way."""
    folder, told = tmp_path_factory.mktemp("gallery"), []
    made = write_gallery(
        folder, {"rnn": catalogue["rnn"], "small": small()},
        progress=lambda *news: told.append(news),
    )  # fmt: skip
    return folder, made, told


@pytest.fixture
def site(first, tmp_path):
    """A copy of it."""
    return shutil.copytree(first[0], tmp_path / "site")


def again(site, cell=None):
    return write_gallery(site, {"rnn": catalogue["rnn"], "small": cell or small()})


def test_every_cell_has_its_pages_and_the_index(first):
    folder, made, told = first
    assert made.made == ("rnn", "small")
    assert made.kept == ()
    assert {path.name for path in made.files} >= {"index.html", "rnn.html", "rnn.tex", "small.html"}
    assert all(path.is_file() for path in made.files)
    assert {entry["status"] for entry in made.verified.values()} == {"pass"}
    assert told[0] == ("", 0, 2)
    assert told[-1][1:] == (2, 2)
    assert not list(folder.rglob("*.part"))


def test_links_go_both_ways(first):
    folder = first[0]
    index = (folder / "index.html").read_text(encoding="utf-8")
    for link in re.findall(r'href="([^"#][^"]*)"', index):
        assert link.startswith("data:") or (folder / link).is_file(), link
    for name in ("rnn", "small"):
        page = (folder / f"{name}.html").read_text(encoding="utf-8")
        back = re.search(r'href="index\.html#(\w+)"', page)
        assert back
        assert f'id="{back[1]}"' in index
    assert set(re.findall(r'href="#([^"]+)"', index)) <= set(re.findall(r'id="([^"]+)"', index))
    assert re.findall("<script[^>]*>", index) == ["<script>"]  # the search box, from disk


def test_nothing_is_made_again_when_nothing_changed(site, monkeypatch):
    monkeypatch.setattr(gallery, "_make", None)
    monkeypatch.setattr(gallery, "index_page", None)
    found = again(site)
    assert found.made == ()
    assert found.kept == ("rnn", "small")
    assert {path.name for path in found.files} >= {"index.html", "rnn.html", "small.html"}


CHANGED = [small("Somebody 2020"), small(text=TEXT.replace("tanh", "relu"))]


@pytest.mark.long
@pytest.mark.parametrize("cell", by_day(CHANGED, 2))
def test_a_changed_cell_is_made_again(site, cell):
    assert again(site, cell).made == ("small",)
    shown = (site / "index.html").read_text(encoding="utf-8")
    assert (cell.source or "relu") in shown


@pytest.mark.long
@pytest.mark.parametrize("name", by_day(["small.html", "figures/small-gradient_norms.svg"], 2, 1))
def test_a_missing_or_altered_file_is_made_again(site, name):
    (site / name).unlink()
    assert again(site).made == ("small",)
    assert (site / name).is_file()


def test_an_altered_page_is_made_again(site):
    page = site / "small.html"
    whole = page.read_text(encoding="utf-8")
    page.write_text(whole[:1000], encoding="utf-8")
    assert again(site).made == ("small",)
    assert page.read_text(encoding="utf-8") == whole


def test_a_missing_index_is_written_again(site):
    (site / "index.html").unlink()
    assert again(site).made == ()
    assert (site / "index.html").is_file()


@pytest.mark.parametrize("stamp", ["", "[]", '{"cells": 3}', '{"schema": "bptt.gallery/1"}'])
def test_a_stamp_that_says_nothing_is_no_stamp(site, stamp, monkeypatch):
    made = []
    monkeypatch.setattr(gallery, "_make", lambda job: made.append(job.cell.name) or stop())

    def stop():
        raise KeyboardInterrupt

    (site / STAMP).write_text(stamp)
    with pytest.raises(KeyboardInterrupt):
        again(site)
    assert made


def test_other_sources_of_the_toolkit_make_everything_again(site, monkeypatch):
    monkeypatch.setattr(gallery, "toolkit_digest", lambda: "another")
    monkeypatch.setattr(gallery, "_make", lambda job: (job.cell.name, held[job.cell.name]))
    held = json.loads((site / STAMP).read_text(encoding="utf-8"))["cells"]
    assert again(site).made == ("rnn", "small")


@pytest.mark.long
def test_an_interrupted_run_goes_on_where_it_stopped(site, monkeypatch):
    (site / "rnn.html").unlink()
    (site / "small.html").unlink()
    make, count = gallery._make, []

    def once(job):
        if count:
            raise KeyboardInterrupt
        count.append(job)
        return make(job)

    monkeypatch.setattr(gallery, "_make", once)
    with pytest.raises(KeyboardInterrupt):
        again(site)
    monkeypatch.setattr(gallery, "_make", make)
    assert len(again(site).made) == 1


def test_digests_are_those_of_the_mathematics_and_of_what_is_shown():
    assert toolkit_digest() == toolkit_digest()
    assert fingerprint(small()) == fingerprint(small())
    assert fingerprint(small()) != fingerprint(small("Somebody 2020"))


def test_the_index_groups_families_and_names_failures():
    good = {"status": "pass", "checks": {"exact": "pass"}, "examples": 10}
    bad = {"status": "fail", "checks": {"exact": "pass", "autograd": "fail"}, "examples": 10}
    entries = [Entry(small(), bad), Entry(catalogue["lstm"], good), Entry(catalogue["rnn"], good)]
    assert [*families(entries, SAY)][-1] == SAY(OTHER)
    assert [entry.cell.name for group in families(entries, SAY).values() for entry in group] == [
        "rnn", "lstm", "small",
    ]  # fmt: skip
    page = index_page(entries, ("html",))
    assert "<em>fail</em>: autograd" in page
    assert "The code of 2 of them" in page


def test_the_index_refers_to_no_theorem_and_says_where_letters_are_named():
    """Theorems stand on the pages of the cells; mlstm's verdict is one of them."""
    good = {"status": "pass", "checks": {"exact": "pass"}, "examples": 10}
    names = ("rnn", "gru", "mlstm", "delta_net", "min_gru")
    for language, theorem, told in (
        ("en", "Theorem", "It never explodes, whatever the weights and inputs."),
        ("zh", "定理", "不论权重和输入如何，它从不爆炸。"),
    ):
        page = index_page([Entry(catalogue[n], good) for n in names], ("html",), language)
        assert theorem not in page
        assert page.count(told) == 3
    assert "is a part of them, which the cell" in index_page(
        [Entry(catalogue["gru"], good)], ("html",)
    )


def test_every_family_of_the_catalogue_has_a_name():
    entries = [Entry(cell, {}) for cell in catalogue.values()]
    assert SAY(OTHER) not in families(entries, SAY)
    assert sum(map(len, families(entries, SAY).values())) == len(catalogue)


@pytest.mark.long
@pytest.mark.skipif(BROWSER is None, reason="no browser")
def test_the_index_fits_a_phone_and_a_desk(tmp_path):
    good = {"status": "pass", "checks": {"exact": "pass"}, "examples": 10}
    names = ("rnn", "lstm", "gru", "lstm_fgr", "rhn_3")
    page = index_page([Entry(catalogue[name], good) for name in names], ("html", "tex"))
    found, log = measured(tmp_path / "frames.html", page)
    assert "CONSOLE" not in log
    for width in ("360", "1200"):
        assert found[width]["scroll"] <= found[width]["client"], width
        assert found[width]["math"] > 30
        assert found[width]["flat"] == []
