"""The text of a page, as a reader sees it."""

from __future__ import annotations

from html.parser import HTMLParser


class Reading(HTMLParser):
    """The text of a page a line per block, formulas in one piece."""

    BLOCKS = frozenset((
        "p",
        "li",
        "tr",
        "h1",
        "h2",
        "figcaption",
        "pre",
        "section",
        "title",
        "td",
        "th",
    ))

    def __init__(self):
        super().__init__()
        self.parts, self.hidden = [], 0

    def handle_starttag(self, tag, attrs):
        if tag in {"style", "svg", "button", "samp"}:
            self.hidden += 1
        if tag in self.BLOCKS:
            self.parts.append(" | " if tag in {"td", "th"} else "\n")

    def handle_endtag(self, tag):
        if tag in {"style", "svg", "button", "samp"}:
            self.hidden -= 1

    def handle_data(self, data):
        if not self.hidden:
            self.parts.append(data.replace("\n", " ") if not data.count("\n    ") else data)


def text_of(page: str) -> str:
    reading = Reading()
    reading.feed(page)
    lines = (" ".join(line.split()) for line in "".join(reading.parts).split("\n"))
    return "\n".join(line for line in lines if line) + "\n"
