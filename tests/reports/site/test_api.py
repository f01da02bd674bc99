"""The API reference: made by pdoc of every public name, or said to be missing."""

from __future__ import annotations

import subprocess

import pytest
from profiles import night_alone

import bptt
from reports.document.pdf import EngineError
from reports.site import api
from reports.site.api import PAGE, can_write_api, write_api


@night_alone
@pytest.mark.skipif(not can_write_api(), reason="no pdoc")
def test_the_reference_has_every_public_name(tmp_path):
    made = write_api(tmp_path)
    assert tmp_path / PAGE in made
    page = (tmp_path / PAGE).read_text(encoding="utf-8")
    missing = [name for name in dir(bptt) if name not in {"strategies", "testing"}
               and f'id="{name}"' not in page]  # fmt: skip
    assert missing == []
    assert (tmp_path / "api" / "numeric" / "testing.html") in made


def test_without_pdoc_there_is_none(monkeypatch, tmp_path):
    monkeypatch.setattr(api, "find_spec", lambda name: None)
    assert write_api(tmp_path) == ()
    assert not (tmp_path / "api").exists()


def test_a_failure_is_one_line(monkeypatch, tmp_path):
    def failing(*given, **known):
        raise subprocess.CalledProcessError(1, "pdoc", stderr="Traceback\nNameError: name 'x'\n")

    monkeypatch.setattr(api, "find_spec", lambda name: name)
    monkeypatch.setattr(subprocess, "run", failing)
    with pytest.raises(EngineError, match=r"^pdoc failed: NameError: name 'x'$"):
        write_api(tmp_path)
