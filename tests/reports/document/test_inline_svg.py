"""Figures inlined in a page: what they share, what is left out, and that nothing dangles."""

from __future__ import annotations

import re

from samples import CELLS, SVG, measurement

from reports.document.figures import gradient_norms, labels
from reports.document.html import STYLE
from reports.document.inline_svg import COLOURS, Drawings

FIGURE = '<svg width="1pt">{}<use xlink:href="#a"/></svg>'


def letter(shift: int) -> str:
    """A figure that draws one letter and writes it three times."""
    return (f'<svg width="1pt" height="1pt"><defs>\n<path id="A" d="M {shift} 1" '
            'transform="scale(0.1)"/></defs><use xlink:href="#A"/>'
            '<use xlink:href="#A" transform="translate(5 0)"/>'
            '<use xlink:href="#A" transform="translate(9 -1.5) scale(0.7)"/></svg>')  # fmt: skip


def test_a_figure_is_described_and_leaves_its_size_to_the_page():
    made = Drawings()(SVG, 'a "picture"')
    assert made.startswith('<svg role="img" aria-label="a &quot;picture&quot;">')
    assert "width" not in made
    assert "<?xml" not in made


def test_figures_of_a_page_have_names_of_their_own():
    draw = Drawings()
    first, second = (draw(FIGURE.format('<g id="a"/>'), "") for _ in range(2))
    assert first.endswith('><g id="d1"/><use href="#d1"/></svg>')
    assert second.endswith('><g id="d2"/><use href="#d2"/></svg>')


def test_letters_are_drawn_once_a_page():
    draw = Drawings()
    first, second, other = (draw(letter(shift), "") for shift in (1, 1, 2))
    assert [first.count("<path"), second.count("<path"), other.count("<path")] == [1, 0, 1]
    (name,) = set(re.findall(r'href="#([^"]*)"', first))
    assert f'<path id="{name}"' in first
    assert set(re.findall(r'href="#([^"]*)"', second)) == {name}
    assert f'href="#{name}"' not in other


def test_a_letter_that_is_only_moved_says_where():
    made = Drawings()(letter(1), "")
    assert re.findall(r'<use href="#d1"(.*?)/>', made) == [
        "", ' x="5"', ' transform="translate(9 -1.5) scale(0.7)"'
    ]  # fmt: skip


def test_a_figure_loses_remarks_and_what_says_nothing():
    kept = Drawings()(FIGURE.format('<!-- a\n-->\n <g id="a">\n<defs>\n</defs> </g>'), "")
    assert kept.endswith('><g id="d1"></g><use href="#d1"/></svg>')
    unused = '<svg><g id="b"><g> <g class="c"><g id="e"/></g></g><path d=""/></g></svg>'
    assert Drawings()(unused, "").endswith('><g class="c"></g><path d=""/></svg>')


def test_colours_of_figures_are_variables_that_a_dark_page_sets():
    styles = ("fill: #BBBBBB; stroke: #000000; color: #123456", "fill: none")
    draw = Drawings()
    made = draw(
        "<svg>" + "".join(f'<path style="{s}"/>' for s in (*styles, styles[0])) + "</svg>", ""
    )
    assert re.findall(r'<path class="(\w+)"/>', made) == ["f1", "f2", "f1"]
    assert draw.style().splitlines() == [
        ".f1 { fill: var(--cbbbbbb, #BBBBBB); stroke: var(--c000000, #000000); color: #123456 }",
        ".f2 { fill: none }",
    ]
    style = STYLE.read_text(encoding="utf-8")
    assert all(f"--c{colour}: #" in style for colour in COLOURS)
    assert "invert(" not in style


def test_what_is_behind_a_hatch_changes_with_the_page():
    draw = Drawings()
    made = draw('<svg><rect x="0" fill="#ffffff"/></svg>', "")
    assert made.endswith('<rect x="0" class="f1"/></svg>')
    assert draw.style() == ".f1 { fill: var(--cffffff, #ffffff) }"


def test_nothing_dangles_in_a_drawn_figure():
    """Each name that a figure refers to is given once; letters and paths are all still there."""
    draw = Drawings()
    figure = gradient_norms(measurement(CELLS["rnn"]), "x", labels("en")).svg
    pages = draw(figure, "") + draw(figure, "")
    given = re.findall(r' id="([^"]*)"', pages)
    referred = {a or b for a, b in re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', pages)}
    assert referred == {*given}
    assert len(given) == len(referred) > 5
    assert pages.count("<use") == 2 * figure.count("<use")
    assert pages.count("<g") - pages.count("</g>") == len(re.findall("<g[^>]*/>", pages))
    classes = {*re.findall(r'class="(\w+)"', pages)}
    assert classes == {*re.findall(r"^\.(\w+) ", draw.style(), re.MULTILINE)}
    assert "style=" not in pages
