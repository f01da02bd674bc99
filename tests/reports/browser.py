"""Pages in a headless browser: what scrolls, what is flat, what the console says."""

from __future__ import annotations

import html as entities
import json
import re
import shutil
import subprocess
from pathlib import Path

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


ALLOWED_OVERFULL = 5.0


MEASURE = r"""
<script>
const found = {};
let waiting = 0;
for (const frame of document.querySelectorAll("iframe")) {
  waiting += 1;
  frame.addEventListener("load", () => {
    const page = frame.contentDocument;
    const flat = [...page.querySelectorAll("math")].filter(math => {
      const box = math.getBoundingClientRect();
      return box.width < 1 || box.height < 1;
    });
    const wide = [...page.querySelectorAll(".scroll:has(> .data)")].filter(
      box => box.scrollWidth > box.clientWidth + 1
    ).map(box => box.previousElementSibling?.textContent);
    const formulas = [...page.querySelectorAll(".scroll:has(> .equations)")].filter(
      box => box.scrollWidth > box.clientWidth + 1
    ).map(box => box.querySelector("[id]")?.id);
    // names in Chinese whose line ends within a word, that is, not after a mark or a space
    const names = [...page.querySelectorAll(".data td:first-child")];
    const parted = names.filter(cell => {
      const letters = page.createTreeWalker(cell, NodeFilter.SHOW_TEXT), place = page.createRange();
      let above = null;
      for (let node; (node = letters.nextNode());)
        for (let k = 0; k < node.length; k += 1) {
          place.setStart(node, k);
          place.setEnd(node, k + 1);
          const han = /\p{Script=Han}/u.test(node.data[k]);
          const top = han ? place.getBoundingClientRect().top : null;
          if (above !== null && top !== null && top > above + 5) return true;
          above = top;
        }
      return false;
    }).map(cell => cell.textContent);
    const points = [...page.querySelectorAll("figure svg")].map(
      svg => svg.getBoundingClientRect().width / svg.viewBox.baseVal.width);
    const root = page.documentElement;
    found[frame.width] = {
      scroll: root.scrollWidth, client: root.clientWidth,
      math: page.querySelectorAll("math").length, flat: flat.map(math => math.outerHTML),
      wide, formulas, parted, points,
    };
    waiting -= 1;
    if (waiting === 0)
      document.getElementById("found").textContent = "found" + JSON.stringify(found) + "end";
  });
}
</script>"""


def browse(page: Path, limit: float = 60) -> subprocess.CompletedProcess[str]:
    folder = page.parent / "profile"
    return subprocess.run(
        [
            str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--enable-logging=stderr", f"--user-data-dir={folder}", "--virtual-time-budget=8000",
            "--dump-dom", page.as_uri(),
        ],
        capture_output=True, text=True, timeout=limit, check=True,
    )  # fmt: skip


def frames(text: str) -> str:
    inside = entities.escape(text, quote=True)
    made = "".join(
        f'<iframe width="{width}" height="900" srcdoc="{inside}"></iframe>' for width in (360, 1200)
    )
    return f"<!DOCTYPE html><meta charset=utf-8><body><pre id=found></pre>{made}{MEASURE}"


def measured(page: Path, text: str) -> tuple[dict[str, dict[str, object]], str]:
    page.write_text(frames(text), encoding="utf-8")
    done = browse(page)
    found = re.search(r"found(\{.*\})end", done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    return json.loads(entities.unescape(found[1])), done.stderr
