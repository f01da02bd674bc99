"""SVG files → the figures of one page, which share letters, styles and short names.

In: the text of the files, one after the other. Out: an <svg> element each, and the style of all.
"""

from __future__ import annotations

import re
from html import escape
from itertools import count
from typing import Final

COLOURS: Final = (
    "000000", "ffffff", "4a4a4a", "6a6a6a", "8a8a8a", "aaaaaa", "bbbbbb", "d5d5d5", "dddddd",
    "b3261e",
)  # fmt: skip
"""The colours of figures, each a variable of the page's style."""
_COLOUR: Final = re.compile(rf"#({'|'.join(COLOURS)})\b", re.IGNORECASE)
_SIZE: Final = re.compile(r' (?:width|height|xmlns:xlink)="[^"]*"')
_REMARKS: Final = re.compile(r"<metadata>.*?</metadata>|<!--.*?-->", re.DOTALL)
_LETTER: Final = re.compile(r'<path id="([^"]*)" (d="[^"]*" transform="scale[^>]*)/>')
_REFERRED: Final = re.compile(r'xlink:href="#([^"]*)"|url\(#([^)]*)\)')
_NAMED: Final = re.compile(r' id="([^"]*)"')
_STYLE: Final = re.compile(r' style="([^"]*)"')
_FILL: Final = re.compile(r' fill="(#[0-9a-f]{6})"')
"""What is behind a hatch has its colour apart from its style."""
_PLACED: Final = re.compile(r' transform="translate\(([-\d.]+) ([-\d.]+)\)"/>')
_GROUP: Final = re.compile(r"<(/?)g\b([^>]*?)(/?)>")


class Drawings:
    """The figures of a page; each call inlines one, `style` then says how they are drawn."""

    def __init__(self) -> None:
        self._letters: dict[str, str] = {}
        self._classes: dict[str, str] = {}
        self._names = count(1)

    def __call__(self, text: str, description: str) -> str:
        """The <svg> element of a file, its ids the page's, its size left to the page.

        Letters that an earlier figure has drawn are used again. Colours that the page knows
        become its variables, which a dark page sets otherwise.
        """
        body = _REMARKS.sub("", text[text.index("<svg") :])
        body = re.sub(r">\s+<", "><", body)
        body = self._named(body)
        body = _STYLE.sub(self._class, _FILL.sub(r' style="fill: \1"', body))
        body = re.sub("<use [^>]*>", lambda use: _PLACED.sub(_place, use[0]), body)
        body = _grouped(body.replace("<defs></defs>", "")).replace("xlink:href=", "href=")
        opening, rest = body.split(">", 1)
        opening = _SIZE.sub("", opening).removeprefix("<svg")
        return f'<svg role="img" aria-label="{escape(description)}"{opening}>{rest}'.strip()

    def style(self) -> str:
        """The rules of the classes that the figures so far are drawn with."""
        return "\n".join(f".{name} {{ {rule} }}" for rule, name in self._classes.items())

    def _named(self, body: str) -> str:
        """The figure with short names, without those that nothing uses and letters known."""
        names: dict[str, str] = {}

        def letter(found: re.Match[str]) -> str:
            known = found[2] in self._letters
            names[found[1]] = self._letters.setdefault(found[2], "" if known else self._name())
            return "" if known else found[0]

        def name(of: str) -> str:
            return names.get(of) or names.setdefault(of, self._name())

        def referred(found: re.Match[str]) -> str:
            return f'xlink:href="#{name(found[1])}"' if found[1] else f"url(#{name(found[2])})"

        body = _REFERRED.sub(referred, _LETTER.sub(letter, body))
        return _NAMED.sub(
            lambda found: f' id="{names[found[1]]}"' if found[1] in names else "", body
        )

    def _name(self) -> str:
        return f"d{next(self._names)}"

    def _class(self, found: re.Match[str]) -> str:
        rule = _COLOUR.sub(lambda colour: f"var(--c{colour[1].lower()}, {colour[0]})", found[1])
        return f' class="{self._classes.setdefault(rule, f"f{len(self._classes) + 1}")}"'


def _place(found: re.Match[str]) -> str:
    """The place of a letter that is moved and not turned or scaled."""
    return "".join(f' {axis}="{at}"' for axis, at in zip("xy", found.groups(), strict=True)
                   if at != "0") + "/>"  # fmt: skip


def _grouped(body: str) -> str:
    """The figure without groups that say nothing of what is in them."""
    kept: list[bool] = []

    def group(found: re.Match[str]) -> str:
        if found[1]:
            return found[0] * kept.pop()
        if found[3]:
            return found[0] * bool(found[2].strip())
        kept.append(bool(found[2].strip()))
        return found[0] * kept[-1]

    return _GROUP.sub(group, body)
