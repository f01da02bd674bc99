"""Document → one HTML file: MathML, inline SVG, no script, nothing from the network.

In: `Document` and the SVG text of its figures. Out: the text of the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from html import escape
from itertools import count
from pathlib import Path
from typing import Final

from derive.typeset.boxes import RELATIONS, Box, Operator, Row, levels, lines, row, width
from derive.typeset.latex import Latex
from derive.typeset.mathml import MathML
from reports.document.heights import WHOLE, row_height
from reports.document.inline_svg import Drawings
from reports.document.model import (
    Beside,
    Block,
    Bullets,
    Callout,
    Document,
    EquationRow,
    Equations,
    Figure,
    Inline,
    Inlines,
    Listing,
    Math,
    Paragraph,
    Reference,
    Section,
    Table,
    Theorem,
    Words,
)
from reports.document.words import spoken

LINE: Final = 34.0
"""Where a long right side is broken, in em."""
NOTED: Final = 25.0
"""The same where a remark stands beside it."""
COLUMN: Final = 41.0
"""The width of the text, less what the estimates of widths are off."""
BESIDE: Final = 5.4
"""What a wide group of equations takes of the margin where the page has one."""
INDENT: Final = 2.0
"""How far in the further lines of a right side stand: report.css says so too."""
NARROW: Final = 14.0
"""Up to this width in em a formula in the line stays in one piece: what a phone has room for."""
_MATH: Final = MathML("ct")
_SOURCE: Final = Latex()
_MARKS: Final = re.compile("(?:[ \u00a0]?%|[,.;:)，。；：、）”])+")
_FIXED: Final = "\u00a0"
_BLANK: Final = '<span class="whole"> </span>'
"""A fixed space as wide as any other: Latin Modern has none, and that of other fonts is wider."""
_OPENING: Final = re.compile("[(（“]$")
_FLAG: Final = re.compile(r"(?<!\S)-\S{1,20}(?!\S)")
_NORM: Final = re.compile("[0-9∞]-(?:norm|范数)|[0-9]+[ \u00a0]%")
_WORD: Final = re.compile("[\u3400-\u9fff]{2,3}")
_SHORT_CODE: Final = 12
"""Code of so many characters stays on its line."""
_ALIGNED: Final = {"l": "", "p": ' class="text"', "c": ' class="mid"', "r": ' class="end"'}
Say = Callable[[str], str]
TAGS: Final = {"en": "en", "zh": "zh-Hans"}
STYLE: Final = Path(__file__).with_name("report.css")
_ALONE: Final = 3
"""So few equations are not parted at the foot of a page."""
_COMPACT: Final = "\n@page { margin: 15mm 18mm; }"
"""The margins of a short report in print."""
HEAD: Final = """\
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">"""


def inline(part: Inline) -> str:
    """A part of a line."""
    match part:
        case Math(box):
            return "<wbr>".join(_MATH.element(piece) for piece in pieces(box))
        case Reference(anchor, text):
            return f'<a href="#{anchor}">{_escaped(text)}</a>'
        case Words(text, "code"):
            whole = ' class="whole"' * (" " in text and len(text) <= _SHORT_CODE)
            return f"<code{whole}>{escape(text) if whole else _unbroken(_FLAG, text)}</code>"
        case Words(text, "emphasis"):
            return f"<em>{_escaped(text)}</em>"
    return _unbroken(_NORM, part.text)


def _unbroken(kind: re.Pattern[str], text: str) -> str:
    """The text, with what is of a kind kept on its line: a hyphen is a place to break one."""
    made, end = "", 0
    for found in kind.finditer(text):
        made += _escaped(text[end : found.start()])
        made += f'<span class="whole">{escape(found[0].replace(_FIXED, " "))}</span>'
        end = found.end()
    return made + _escaped(text[end:])


def _escaped(text: str) -> str:
    return escape(text).replace(_FIXED, _BLANK)


def pieces(box: Box) -> tuple[Box, ...]:
    """A formula in the line cut where it may break: before a relation, then before + and ⊙."""
    if width(box) <= NARROW:
        return (box,)
    items = box.items if isinstance(box, Row) else (box,)
    signs = (isinstance(item, Operator) and item.sign in RELATIONS for item in items)
    place = next((place for place, sign in enumerate(signs) if sign), 0)
    sides = (row(*items[:place]), row(*items[place:])) if place else (box,)
    return tuple(piece for side in sides for piece in lines(side, NARROW))


def said(parts: Inlines) -> str:
    """A sentence; a formula stays on the line of the mark after it and the bracket before it.

    So do two with a fixed space between them, where browsers would break a line all the same.
    """
    made = [inline(part) for part in parts]
    for place, part in enumerate(parts):
        if not isinstance(part, Math):
            continue
        first, *rest = made[place].split("<wbr>")
        if place and (opened := _OPENING.search(_plain(parts[place - 1]))):
            made[place - 1] = made[place - 1].removesuffix(escape(opened[0]))
            first = f'<span class="whole">{escape(opened[0])}{first}</span>'
        *before, last = first, *rest
        after = _plain(parts[place + 1]) if place + 1 < len(parts) else ""
        if mark := _MARKS.match(after):
            last = f'<span class="whole">{last}{escape(mark[0].replace(_FIXED, " "))}</span>'
            made[place + 1] = _escaped(after[mark.end() :])
        made[place] = "<wbr>".join((*before, last))
    for place, part in enumerate(parts):
        if _plain(part) == _FIXED:
            made[place - 1] = f'<span class="whole">{made[place - 1]}'
            made[place + 1] += "</span>"
    return "".join(made)


def _plain(part: Inline) -> str:
    """The text of words without a style."""
    return part.text if isinstance(part, Words) and not part.style else ""


def equations(group: Equations, names: Iterator[int] | None = None) -> str:
    """Equations aligned at the relation sign, in a box that scrolls where it must.

    With `names` each has a button that shows its LaTeX source, which one click then selects.
    """
    note = any(row.note for row in group.rows)
    space = any(row.space for row in group.rows)
    number = any(row.number for row in group.rows) or names is not None
    free = COLUMN - _other_columns(group, names is not None)
    limit = _limit(group, NOTED if note else LINE, free)
    made = [_row(row, limit, note, space, number, names) for row in group.rows]
    # no row stands alone on a page
    parts = (made[:2], made[2:-2], made[-2:]) if len(made) > _ALONE else (made,)
    body = "\n".join("<tbody>" + "\n".join(part) + "</tbody>" for part in parts if part)
    longest = max(_reach(row, limit) for row in group.rows)
    kind = "scroll wide" if longest > free else "scroll"
    together = sum(row_height(row, limit) for row in group.rows) <= WHOLE
    table = "equations together" if together else "equations"
    return f'<div class="{kind}" tabindex="0"><table class="{table}">\n{body}\n</table></div>'


def _limit(group: Equations, most: float, free: float) -> float:
    """Where right sides are broken: in the column if they part there as beside it, line for line.

    No more lines, that is, and none that begins in a bracket where it need not.
    """
    wide, column = min(most, free + BESIDE), min(most, free)
    same = all([*levels(lines(r.right, column))] == [*levels(lines(r.right, wide))]
               for r in group.rows)  # fmt: skip
    return column if same else wide


def _reach(row: EquationRow, limit: float) -> float:
    """How far a right side reaches, the indents of its further lines counted."""
    first, *rest = parts = lines(row.right, limit)
    further = zip(rest, levels(parts), strict=True)
    return max((width(first), *(INDENT + level + width(line) for line, level in further)))


def _other_columns(group: Equations, sources: bool) -> float:
    """The width in em of all but the right sides, remarks as narrow as they may be."""
    rows = group.rows
    left = max(width(row.left) for row in rows)
    note = 7.8 * any(row.note for row in rows)
    space = max((0.82 * width(row.space) + 0.75 for row in rows if row.space), default=0.0)
    number = max((0.5 * len(row.shown) for row in rows if row.number), default=0.0)
    return 1.0 + left + note + space + number + 2.0 * sources + 0.75 * bool(number or sources)


def _row(
    row: EquationRow,
    limit: float,
    note: bool,
    space: bool,
    number: bool,
    names: Iterator[int] | None,
) -> str:
    first, *rest = parts = lines(row.right, limit)
    right = f"<div>{_MATH.element(first, sign=row.sign)}</div>"
    for part, level in zip(rest, levels(parts), strict=True):
        further = f" style=margin-left:{level}em" if level else ""
        right += f"<div class=more{further}>{_MATH.element(part)}</div>"
    cells = [
        f'<td class="left">{_MATH.element(row.left)}</td>',
        f'<td class="right">{right}</td>',
    ]
    if note:
        cells.append(f'<td class="note">{said(row.note)}</td>')
    if space:
        made = _MATH.element(row.space) if row.space else ""
        cells.append(f'<td class="space">{made}</td>')
    if number:
        link = f'<a href="#eq-{row.number}">{row.shown}</a>' if row.number else ""
        link += "".join(f'<span id="eq-{number}"></span>' for number in row.numbers[1:])
        shown_source = "" if names is None else _latex(row, f"tex-{next(names)}")
        cells.append(f'<td class="number">{link}{shown_source}</td>')
    anchor = f' id="eq-{row.number}"' if row.number else ""
    return f"<tr{anchor}>{''.join(cells)}</tr>"


def _latex(row: EquationRow, name: str) -> str:
    """The button and the source it shows."""
    source = " ".join(_SOURCE(box).strip() for box in (row.left, Operator(row.sign), row.right))
    return (f'<button type="button" popovertarget="{name}">TeX</button>'
            f'<samp popover id="{name}">{escape(source)}</samp>')  # fmt: skip


def table(block: Table, say: Say) -> str:
    """A table with its caption above."""
    kinds = [_ALIGNED[c] for c in block.align]
    head = "".join(
        f'<th scope="col"{k}>{_head(c)}</th>' for k, c in zip(kinds, block.head, strict=True)
    )
    body = "\n".join(
        "<tr>" + "".join(f"<td{k}>{_cell(c)}</td>" for k, c in zip(kinds, cells, strict=True))
        + "</tr>"
        for cells in block.rows
    )  # fmt: skip
    caption = f"{say('page.table').format(block.number)} {said(block.caption)}"
    return (
        f'<p class="caption" id="table-{block.number}">{caption}</p>\n'
        '<div class="scroll" tabindex="0"><table class="data">'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>"
    )


def _cell(cell: Inlines) -> str:
    """A cell; a name of several parts may break after a dot, as layer0.reverse does on a phone."""
    return re.sub(r"(?<=<code>)[^<]+", lambda name: name[0].replace(".", ".<wbr>"), said(cell))


def _head(cell: Inlines) -> str:
    """The head of a column, a short word of Chinese in one piece, which may break anywhere."""
    whole = _WORD.fullmatch("".join(map(_plain, cell)))
    return f'<span class="whole">{said(cell)}</span>' if whole else said(cell)


class _Writer:
    def __init__(self, figures: Mapping[str, str], say: Say) -> None:
        self.figures, self.say = figures, say
        self.draw = Drawings()
        self.names = count(1)

    def __call__(self, block: Block) -> str:
        match block:
            case Paragraph(content, lead):
                opening = f'<span class="lead">{escape(lead)}</span> ' if lead else ""
                return f"<p>{opening}{said(content)}</p>"
            case Equations():
                return equations(block, self.names)
            case Bullets(items, numbered):
                kind = "ol" if numbered else "ul"
                body = "".join(f"<li>{said(item)}</li>\n" for item in items)
                return f"<{kind}>\n{body}</{kind}>"
            case Callout(title, content):
                inside = "\n".join(map(self, content))
                return f'<aside><p class="lead">{escape(title)}</p>\n{inside}</aside>'
            case Theorem():
                return "\n".join(self.theorem(block))
            case Table():
                return table(block, self.say)
            case Figure(number, stem, caption, description):
                picture = self.draw(self.figures[stem], description)
                return (
                    f'<figure id="figure-{number}">\n<div class="scroll" tabindex="0">{picture}'
                    "</div>\n<figcaption>"
                    f"{self.say('page.figure').format(number)} {said(caption)}"
                    "</figcaption></figure>"
                )
            case Listing(code):
                return f'<pre tabindex="0"><code>{_code(code)}</code></pre>'
            case Beside(parts):
                inside = "\n".join(f"<div><p>{said(title)}</p>\n{self(code)}</div>"
                                   for title, code in parts)  # fmt: skip
                return f'<div class="beside">\n{inside}\n</div>'

    def theorem(self, block: Theorem) -> Iterator[str]:
        yield f'<section class="theorem" id="theorem-{block.number}">'
        named = f"<b>{_escaped(self.say('words.reference').format(block.number))}</b>"
        yield f"<p>{self.say('page.named').format(named, escape(block.name))}</p>"
        yield from map(self, block.claim)
        yield "</section>"
        if not block.proof:
            return
        yield '<section class="proof">'
        yield f'<p class="lead">{self.say("page.proof")}</p>\n<ol>'
        yield from (f"<li>{said(step)}</li>" for step in block.proof)
        yield "</ol>\n</section>"

    def section(self, part: Section, number: int) -> str:
        blocks = "\n".join(map(self, part.blocks))
        title = f'<span class="count">{number}</span>{escape(part.title)}'
        return f'<section id="{part.anchor}">\n<h2>{title}</h2>\n{blocks}\n</section>'


def _code(text: str) -> str:
    return re.sub(r"(#[^\n]*)", r'<span class="comment">\1</span>', escape(text))


def html(document: Document, figures: Mapping[str, str] | None = None, home: str = "") -> str:
    """The whole file; `figures` holds the SVG text of each figure by its stem.

    `home` is the page beside it that lists all cells; without one there is no link.
    """
    say = spoken(document.language).texts.__getitem__
    write = _Writer(figures or {}, say)
    contents = "\n".join(
        f'<li><a href="#{part.anchor}">{escape(part.title)}</a></li>' for part in document.sections
    )
    sections = "\n".join(write.section(p, k) for k, p in enumerate(document.sections, start=1))
    title = say("network.named").format(document.title, document.subtitle)
    back = (
        f'<p><a href="{home}#{document.name}" rel="up">{say("page.home")}</a></p>\n' if home else ""
    )
    return f"""<!DOCTYPE html>
<html lang="{TAGS[document.language]}">
<head>
{HEAD}
<meta name="author" content="{escape(document.author)}">
<meta name="keywords" content="{escape(", ".join(document.keywords))}">
<title>{escape(title)}</title>
<style>
{STYLE.read_text(encoding="utf-8").strip()}
{write.draw.style()}{_COMPACT if document.compact else ""}
</style>
</head>
<body{' class="compact"' if document.compact else ""}>
<nav aria-label="{say("page.contents")}">
{back}<ol>
{contents}
</ol></nav>
<main>
<header>
<h1>{escape(document.title)}</h1>
<p>{escape(document.subtitle)}</p>
</header>
{sections}
</main>
</body>
</html>
"""
