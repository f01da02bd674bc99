"""Pages without a finding of axe, the linter of accessibility, where it is installed."""

from __future__ import annotations

import html as entities
import json
import re
from pathlib import Path

import pytest
from browser import BROWSER, browse
from profiles import night_alone
from samples import SVG, document

from derive import catalogue
from reports.document.html import html
from reports.site.compare import compare_page
from reports.site.index import Entry, index_page

AXE = Path(pytest.importorskip("axe_core_python").__file__).with_name("axe.min.js")
ASK = """<script>
axe.run().then(found => {
  const said = document.createElement("pre");
  said.textContent = "AXE" + JSON.stringify(found.violations.map(one => one.id)) + "END";
  document.body.append(said);
});
</script>"""
GOOD = {"status": "pass", "checks": {"exact": "pass"}, "examples": 10}
CELLS = [catalogue[name] for name in ("rnn", "lstm")]
PAGES = {
    "report": lambda: html(document("lstm"), {"lstm-gradient_norms": SVG}),
    "index": lambda: index_page([Entry(cell, GOOD) for cell in CELLS], ("html", "tex")),
    "compare": lambda: compare_page(CELLS, "index.html", "zh"),
}


def findings(page: str, path: Path) -> list[str]:
    """The rules that the page breaks."""
    script = AXE.read_text(encoding="utf-8").replace("</script>", r"<\/script>")
    asked = page.replace("</body>", f"<script>{script}</script>{ASK}</body>")
    path.write_text(asked, encoding="utf-8")
    (found,) = re.findall(r"AXE(\[[^\]]*\])END", browse(path, 300).stdout)
    return json.loads(entities.unescape(found))


@night_alone
@pytest.mark.skipif(BROWSER is None, reason="no browser")
@pytest.mark.parametrize("name", PAGES)
def test_no_page_has_a_finding(name, tmp_path):
    assert findings(PAGES[name](), tmp_path / "page.html") == []


@night_alone
@pytest.mark.skipif(BROWSER is None, reason="no browser")
def test_a_page_without_language_and_alternative_text_is_found(tmp_path):
    page = PAGES["report"]().replace('<html lang="en">', "<html>")
    page = re.sub(r'aria-label="Norms[^"]*"', "", page)
    assert {"html-has-lang", "svg-img-alt"} <= {*findings(page, tmp_path / "page.html")}
