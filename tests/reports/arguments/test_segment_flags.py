"""The flags of code in segments of time: what they mean, and where they are refused."""

from argparse import Namespace
from pathlib import Path

import pytest
from command_line import is_refusal

from reports.arguments.segment_flags import segment_words, segments_asked


def test_flags_are_settings_and_words_again():
    given = Namespace(command="emit", checkpoint=0, truncate=6)
    assert segments_asked(given) == {"checkpoint": 0, "truncate": 6}
    assert segment_words(given) == ["--checkpoint", "--truncate", "6"]
    assert segments_asked(Namespace(command="emit")) == {}


@pytest.mark.parametrize("words", [
    ("emit", "rnn", "--checkpoint", "--layers", "2"),
    ("verify", "rnn", "--truncate", "2", "--readout", "linear"),
    ("emit", "rnn", "--truncate", "0"),
    ("emit", "rnn", "--checkpoint", "4", "--truncate", "6"),
    ("verify", "code.py", "--cell", "rnn", "--checkpoint"),
])  # fmt: skip
def test_what_cannot_be_is_refused_in_a_line(bptt, words):
    Path("code.py").write_text("", encoding="utf-8")
    assert is_refusal(bptt(*words))


def test_emit_writes_them_and_names_them_when_the_file_is_out_of_date(bptt):
    words = ("emit", "rnn", "--truncate", "3", "-o", "rnn.py")
    assert bptt(*words).status == 0
    assert "Truncated: no gradient goes back" in Path("rnn.py").read_text(encoding="utf-8")
    assert bptt(*words, "--check").status == 0
    stale = bptt("emit", "rnn", "--truncate", "4", "-o", "rnn.py", "--check")
    assert stale.status == 1
    assert "bptt emit rnn --truncate 4 --style fused -o rnn.py" in stale.out
