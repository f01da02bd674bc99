"""Document → LaTeX for latex-base alone: amsmath, amssymb, amsthm, longtable, hyperref.

In: `Document`. Out: one .tex text; figures are included by the stem of their file. Long sums are
broken by their estimated width, so that no line leaves the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from math import ceil
from typing import Final

from derive.typeset.boxes import Operator, levels, lines, width
from derive.typeset.columns import columns_of
from derive.typeset.latex import Latex
from reports.document.heights import WHOLE, depth, row_height
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
from reports.document.preamble import CHINESE, COMPACT, SIGNS, headed
from reports.document.words import spoken

TEXT_WIDTH: Final = 46.5
"""The line, in em."""
SENTENCES: Final = 29.0
"""The column of sentences of a table, in em of its letters."""
LONG, TALL = 6, 10  # rows of sentences, or of numbers, from which on a table may go over a page
"""A table of sentences with more rows breaks over pages."""
FIRST: Final = 24.0
"""So high a section's first words and equations may be to stay with its heading, in em."""
ENOUGH: Final = 5.0
"""So high words below a heading may stand there without what follows them, in em."""
ALONE: Final = 3
"""So few equations are not parted, however high: no row stands alone on a page."""
BREAK: Final = r"\allowbreak{}"
CODE_WIDTH: Final = 104
"""A line of code, in characters."""
Say = Callable[[str], str]
_CHINESE: Final = re.compile(f"[{CHINESE}]")
_DISPLAY: Final = Latex(r"\ct")
_INLINE: Final = Latex(r"\ct", display=False)
_TOGETHER: Final = r"\sbox{\whole}{\begin{minipage}{\textwidth}\centering"
_APART: Final = r"\end{minipage}}\placed"
_SPECIAL: Final = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\^{}", "~": r"\~{}", "–": "--", "—": "---",
    "\u00a0": "~", "’": "'", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
}  # fmt: skip


def escape(text: str) -> str:
    """Plain words for TeX, a number and % on one line."""
    return "".join(
        _SPECIAL.get(c) or (rf"\ensuremath{{{SIGNS[c]}}}" if c in SIGNS else c) for c in text
    ).replace(r" \%", r"~\%")


def inline(part: Inline) -> str:
    """A part of a line."""
    match part:
        case Math(box):
            return f"${_INLINE(box)}$"
        case Reference(anchor, text):
            return rf"\hyperlink{{{anchor}}}{{{text}}}"
        case Words(text, "code"):
            shown = escape(text).replace("_", "_" + BREAK).replace(" ", r"\gap{}")
            return rf"\texttt{{{shown}}}"
        case Words(text, "emphasis"):
            return rf"\emph{{{escape(text)}}}"
    return escape(part.text)


def said(parts: Inlines) -> str:
    """A sentence."""
    return "".join(map(inline, parts))


def equations(group: Equations, limit: float = TEXT_WIDTH) -> str:
    """Equations as a table that breaks over pages, aligned at the relation sign.

    Few stay together, and no row stands alone on a page.
    """
    rows, together = group.rows, _whole(group)
    note, room, space, number = _shares(group, limit)
    columns = r"@{\hspace{1em}}r@{}l@{\extracolsep{\fill}}"
    if note:
        columns += f"p{{{note:.1f}em}}"
    if note and (space or number):
        columns += r"@{\extracolsep{0pt}\hspace{0.8em}}"
    columns += "l" if space else ""
    columns += r"@{\extracolsep{0pt}\hspace{1.2em}}" if space and number else ""
    columns += ("r" if number else "") + "@{}"
    made = [_row(row, room, bool(note), bool(space), bool(number)) for row in rows]
    body = "\n".join(
        row + "*" * ((together or k in {0, len(made) - 2}) and k < len(made) - 1)
        for k, row in enumerate(made)
    )
    return f"\\begin{{longtable}}{{{columns}}}\n{body}\n\\end{{longtable}}"


def _shares(group: Equations, limit: float) -> tuple[float, float, float, float]:
    """The widths of the notes, of the right sides, of the spaces and of the numbers, in em."""
    rows = group.rows
    left = max(width(row.left) for row in rows)
    space = max((0.85 * width(row.space) + 0.8 for row in rows if row.space), default=0.0)
    number = max((0.45 * len(row.shown) + 1.2 for row in rows if row.number), default=0.0)
    free = limit - left - space - number - 1.5 - 1.6
    wanted = max((0.38 * _length(row.note) + 0.6 for row in rows if row.note), default=0.0)
    spare = free - max(width(row.right) for row in rows) - 2.0
    note = min(wanted, max(10.0, spare)) if wanted else 0.0
    return note, free - note - 0.8 * bool(note) - 1.0, space, number


def _row(row: EquationRow, room: float, note: bool, space: bool, number: bool) -> str:
    parts = lines(row.right, room)
    sign = _DISPLAY(Operator(row.sign)).strip()
    first = rf"{{}}{sign} {_DISPLAY(parts[0])}"
    if len(parts) > 1:
        more = "".join(r" \\ &" + r"\quad" * (1 + level) + f" {{}}{_DISPLAY(part)}"
                       for part, level in zip(parts[1:], levels(parts), strict=True))  # fmt: skip
        first = rf"\begin{{aligned}}[t] &{first}{more} \end{{aligned}}"
    deep = max(map(depth, (row.left, *parts)))
    strut = rf"\rule[-{deep:.3g}em]{{0pt}}{{{2 * deep + 0.6:.3g}em}}"
    cells = [rf"$\displaystyle {_DISPLAY(row.left)}$", rf"$\displaystyle {first}$"]
    if note:
        cells.append(rf"\raggedright\note{{{said(row.note)}}}")
    if space:
        cells.append(rf"\note{{${_INLINE(row.space)}$}}" if row.space else "")
    if number:
        anchor = "".join(rf"\anchor{{eq-{number}}}" for number in row.numbers)
        anchor += escape(row.shown) if row.number else ""
        cells.append(anchor)
    return strut + " & ".join(cells) + (r" \tabularnewline")


def _length(parts: Inlines) -> float:
    found = 0.0
    for part in parts:
        found += 2.2 * width(part.box) if isinstance(part, Math) else columns_of(part.text)
    return found


def bullets(items: Bullets) -> str:
    """A list."""
    kind = "enumerate" if items.numbered else "itemize"
    body = "\n".join(rf"\item {said(item)}" for item in items.items)
    return f"\\begin{{{kind}}}\n{body}\n\\end{{{kind}}}"


def table(block: Table, say: Say) -> str:
    """A table with its caption above."""
    align = "".join(r"p{0.58\textwidth}" if c == "p" else c for c in block.align)
    head = " & ".join(rf"\textit{{{said(cell)}}}" for cell in block.head)
    rows = [" & ".join(map(said, cells)) for cells in block.rows]
    strut = r"\rule{0pt}{1.2em}"
    named = say("page.table").format(block.number)
    caption = rf"\anchor{{table-{block.number}}}\small {named} {said(block.caption)}"
    top = (r"\hline", strut + head + r" \tabularnewline", r"\hline")
    last = (r" \tabularnewline[0.2em]", r"\hline")
    if _breaks(block):
        few = _few(block)
        held = {*range(few - 1), *range(len(rows) - few, len(rows) - 1)}
        ends = (r" \tabularnewline" + "*" * (k in held) for k in range(len(rows) - 1))
        body = "\n".join(row + end for row, end in zip(rows, (*ends, last[0]), strict=True))
        lines = strut + body, last[1]
        return "\n".join((
            rf"\need{{{_start(block):.3g}em}}{{\centering {caption}\par}}\nopagebreak", r"{\small",
            rf"\begin{{longtable}}[c]{{{align}}}", *top, r"\noalign{\vskip0.2em}\endhead", *lines,
            r"\end{longtable}}",
        ))  # fmt: skip
    lines = strut + " \\tabularnewline\n".join(rows) + last[0], last[1]
    return "\n".join((
        _TOGETHER, rf"{caption}\\[0.4em]", rf"\begin{{tabular}}{{{align}}}",
        *top, *lines, r"\end{tabular}", _APART,
    ))  # fmt: skip


def _few(block: Table) -> int:
    """How many rows of a table stay together at either end."""
    return 3 if "p" in block.align else 5


def _start(block: Table) -> float:
    """How high of a table is what stays together with its caption, in em."""
    rows = (max(ceil(0.47 * _length(cell) / SENTENCES) if kind == "p" else 1
                for cell, kind in zip(cells, block.align, strict=True))
            for cells in block.rows[: _few(block) if _breaks(block) else None])  # fmt: skip
    return _high(Paragraph(block.caption)) + 2.8 + 1.1 * sum(rows)


def _breaks(block: Table) -> bool:
    """Whether a table may go over a page."""
    return len(block.rows) > (LONG if "p" in block.align else TALL)


def listing(block: Listing) -> str:
    """Code; the preamble declares the signs that it may hold."""
    text = re.sub("(.)\u0304", r"\1_bar", block.code)
    text = "\n".join(part for line in text.split("\n") for part in _wrapped(line))
    longest = max(map(len, text.split("\n")))
    size = r"\footnotesize" if longest <= 92 else r"\scriptsize"
    return (
        f"{{{size}\\interlinepenalty=0\n\\begin{{verbatim}}\n{_known(text)}\n\\end{{verbatim}}\n}}"
    )


def _wrapped(line: str) -> Iterator[str]:
    """A line of code on as many lines as it needs; a comment is parted where it alone is longer."""
    indent = len(line) - len(line.lstrip())
    while len(line) > CODE_WIDTH:
        sign = line.find("#") % (len(line) + 1)
        cut = line.rfind(" ", indent + 20, min(sign, CODE_WIDTH - 2))
        said = cut < 0 and not line[:sign].strip()
        if said:
            cut = line.rfind(" ", sign + 2, CODE_WIDTH)
        if cut < 0:
            break
        yield line[:cut].rstrip() + " \\" * bool(line[cut:sign].strip())
        line = (
            " " * sign + "# " * said + line[cut:].lstrip()
            if said
            else (" " * (indent + 8) + line[cut:].lstrip())
        )
    yield line


def _known(text: str) -> str:
    return "".join(c if ord(c) < 0x180 or c in SIGNS or _CHINESE.match(c) else "?" for c in text)


def _below(blocks: tuple[Block, ...], say: Say) -> str:
    """Blocks one below the other; words stay with the equations that they lead to."""
    return "\n\n".join(
        (f"\\need{{{room:.3g}em}}\n" if place and (room := _room(block, after)) else "")
        + write(block, say)
        for place, (block, after) in enumerate(zip(blocks, (*blocks[1:], None), strict=True))
    )


def _room(block: Block, after: Block | None) -> float:
    """What a block needs to stand with the first lines of equations or code after it, in em."""
    if not isinstance(after, Equations | Listing) or isinstance(block, Equations):
        return 0.0
    below = 6.0
    if isinstance(after, Equations):
        heights = _heights(after)
        whole = sum(heights) <= WHOLE or len(heights) <= ALONE
        below = sum(heights if whole else heights[:2])
    return max(6.0, 1.0 + _high(block) + below)


def _high(block: Block) -> float:
    """How high the text of a paragraph is, in em; 0 for other blocks."""
    if not isinstance(block, Paragraph):
        return 0.0
    text = 0.47 * (_length(block.content) + columns_of(block.lead))
    return 1.2 * ceil(text / TEXT_WIDTH)


def _opening(blocks: tuple[Block, ...]) -> float:
    """What the paragraphs at the head of a section need with the equations after them, in em."""
    above = 0.0
    for block, after in pairwise((*blocks, None)):
        if not isinstance(block, Paragraph):
            break
        if room := _room(block, after):
            return above + room if above + room <= FIRST else 0.0
        above += _high(block) + 0.55
        if above >= ENOUGH:
            return above
    return 0.0


def _whole(group: Equations) -> bool:
    """Whether a group of equations is low enough to stay on one page."""
    return sum(_heights(group)) <= WHOLE


def _heights(group: Equations) -> list[float]:
    """How high each row of a group is, in em."""
    _, room, *_ = _shares(group, TEXT_WIDTH)
    return [row_height(row, room) for row in group.rows]


def theorem(block: Theorem, say: Say) -> str:
    """A claim and its proof, under the number that sentences call it by, wherever it stands."""
    claim = _below(block.claim, say)
    steps = "\n".join(rf"\item {said(step)}" for step in block.proof)
    stated = (
        f"\\medskip\\need{{9em}}\\setcounter{{theorem}}{{{block.number - 1}}}\n"
        f"\\begin{{theorem}}[{escape(block.name)}]\\anchor{{theorem-{block.number}}}\n{claim}\n"
        "\\end{theorem}"
    )
    if not steps:
        return stated
    return (
        f"{stated}\n\\begin{{proof}}\\leavevmode\n\\begin{{enumerate}}\n{steps}\n"
        "\\qedhere\n\\end{enumerate}\n\\end{proof}"
    )


def write(block: Block, say: Say) -> str:
    """A block."""
    match block:
        case Paragraph(content, lead):
            return (rf"\lead{{{escape(lead)}}}" if lead else "") + said(content)
        case Equations():
            return equations(block)
        case Bullets():
            return bullets(block)
        case Callout(title, content):
            inside = "\n\n".join(write(part, say) for part in content)
            return rf"\inframe{{\textit{{{escape(title)}}}" + f"\n\n{inside}\n}}"
        case Theorem():
            return theorem(block, say)
        case Table():
            return table(block, say)
        case Figure(number, stem, caption, _):
            return "\n".join((
                r"\begin{figure}[!htb]\centering", rf"\anchor{{figure-{number}}}"
                rf"\includegraphics[width=0.92\textwidth]{{figures/{stem}}}\\[0.4em]",
                rf"\parbox{{0.92\textwidth}}{{\small {say('page.figure').format(number)} "
                rf"{said(caption)}}}",
                r"\end{figure}",
            ))  # fmt: skip
        case Listing():
            return listing(block)
        case Beside(parts):
            return "\n\n".join(rf"\need{{4em}}\noindent {said(title)}" + f"\n\n{listing(code)}"
                               for title, code in parts)  # fmt: skip


def section(part: Section, say: Say) -> str:
    """A section with its anchor."""
    blocks = _below(part.blocks, say)
    first = part.blocks[0]
    room = {Theorem: 14.0, Figure: 26.0}.get(type(first), max(8.0, 4 + _opening(part.blocks)))
    if isinstance(first, Table):
        room = 5.2 + _start(first)
    head = rf"\section{{{escape(part.title)}}}\hypertarget{{{part.anchor}}}{{}}"
    text = f"{{\\small\n{blocks}\n\n}}" if part.small else blocks
    return f"\\need{{{room:g}em}}\n{head}\n\n{text}\n"


def tex(document: Document) -> str:
    """The whole file."""
    say = spoken(document.language).texts.__getitem__
    title = say("network.named").format(escape(document.title), escape(document.subtitle))
    meta = ",".join((
        f"pdftitle={{{title}}}",
        f"pdfauthor={{{escape(document.author)}}}",
        f"pdfkeywords={{{escape(', '.join(document.keywords))}}}",
    ))  # fmt: skip
    body = "\n".join((
        rf"\hypersetup{{{meta}}}", r"\begin{document}",
        r"\begin{center}",
        rf"{{\LARGE {escape(document.title)}}}\\[0.4em]",
        rf"{{\large {escape(document.subtitle)}}}",
        r"\end{center}", "",
        "\n".join(section(part, say) for part in document.sections), r"\end{document}", "",
    ))  # fmt: skip
    text = "\n".join(headed(body, document.language, say))
    for whole, small in COMPACT if document.compact else ():
        text = text.replace(whole, small)
    return text
