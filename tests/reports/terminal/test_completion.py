"""What a shell completes: commands, options, their choices, names of cells."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from derive import catalogue
from reports.arguments.command_list import COMMANDS
from reports.cli import main, parser
from reports.commands import completion
from reports.terminal.completion import SHELLS, script


@pytest.mark.parametrize(("words", "found"), [
    (["bptt", "ver"], ["verify"]), (["bptt", "show", "peep"], ["peephole_lstm"]),
    (["bptt", "emit", "--style", ""], ["textbook", "fused", "stable"]),
    (["bptt", "bounds", "lstm", "--inp"], ["--inputs", "--input-box"]),
])  # fmt: skip
@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_commands_cells_options_and_choices(words, found):
    asked = " ".join(f"'{word}'" for word in words)
    call = f"COMP_WORDS=({asked}); COMP_CWORD={len(words) - 1}; _bptt; echo ${{COMPREPLY[@]}}"
    lines = [script("bash", parser(), catalogue), call]
    done = subprocess.run(["bash", "-c", "\n".join(lines)], capture_output=True, text=True,
                          check=True)  # fmt: skip
    assert sorted(done.stdout.split()) == sorted(found)
    assert done.stderr == ""


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_is_in_the_script_of_every_shell(shell):
    text = script(shell, parser(), catalogue)
    assert all(command.name in text for command in COMMANDS)
    assert "gru_reset_after" in text


def test_the_command_prints_the_script(capsys):
    assert main(["completion", "bash"]) == 0
    printed = capsys.readouterr().out
    assert printed.strip() == completion.script("bash", parser(), catalogue).strip()
