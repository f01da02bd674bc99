"""The command's arguments → what a shell completes: a script for bash, zsh or fish.

In: the parser and the names of the catalogue. Out: text that the shell reads once.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from typing import Final

SHELLS: Final = ("bash", "zsh", "fish")
_BASH: Final = """\
_bptt() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" words=""
  case "${{COMP_WORDS[1]}} $before" in
{choices}
    *) case "${{COMP_WORDS[1]}}" in
{commands}
       *) words="{names}" ;;
       esac ;;
  esac
  [ "$COMP_CWORD" = 1 ] && words="{names}"
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}}
complete -o default -F _bptt bptt
"""


def script(shell: str, top: argparse.ArgumentParser, cells: Iterable[str]) -> str:
    """What the shell reads, with `eval` or from its folder of completions."""
    commands = dict(_commands(top))
    known = " ".join(cells)
    if shell == "fish":
        return "\n".join(_fish(commands, known)) + "\n"
    choices, lines = [], []
    for name, command in commands.items():
        words = [flag for action in _flags(command) for flag in action.option_strings]
        lines.append(f'       {name}) words="{" ".join([*words, *_cells(command, known)])}" ;;')
        for action in _flags(command):
            if action.choices:
                held = "|".join(f'"{name} {flag}"' for flag in action.option_strings)
                choices.append(f'    {held}) words="{" ".join(map(str, action.choices))}" ;;')
    made = _BASH.format(
        choices="\n".join(choices), commands="\n".join(lines), names=" ".join(commands)
    )
    return f"autoload -U +X bashcompinit && bashcompinit\n{made}" if shell == "zsh" else made


def _commands(top: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def _flags(command: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    return (action for action in command._actions if action.option_strings)


def _cells(command: argparse.ArgumentParser, known: str) -> Iterator[str]:
    if any("CELL" in str(action.metavar) for action in command._actions):
        yield known


def _fish(commands: dict[str, argparse.ArgumentParser], known: str) -> Iterator[str]:
    yield f'complete -c bptt -n __fish_use_subcommand -a "{" ".join(commands)}"'
    for name, command in commands.items():
        here = f'complete -c bptt -n "__fish_seen_subcommand_from {name}"'
        if any(_cells(command, known)):
            yield f'{here} -a "{known}"'
        for action in _flags(command):
            spelled = " ".join(
                f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}"
                for flag in action.option_strings
            )
            values = " ".join(map(str, action.choices or ()))
            yield f"{here} {spelled}" + (f' -x -a "{values}"' if values else "")
