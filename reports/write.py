"""Cell → files: NAME.tex, NAME.html, NAME.pdf and the figures, whole or not at all.

In: a cell and a folder. Out: the paths written. Everything is made before anything is written.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from derive.calculus.through_time import Derivation, derivation_of
from derive.cell import Cell, cell_of
from derive.network import Network
from derive.typeset.boxes import sub
from derive.typeset.latex import Latex
from derive.typeset.layout import Layout
from numeric.bounds.one_sequence.measured import Measurement, measure
from numeric.bounds.one_sequence.step_jacobians import StateOverflowError
from numeric.bounds.study import Study, study
from numeric.compiler.kernel import compile_cell, compile_network
from numeric.meaning.domains import UndefinedError
from numeric.verification.derivation.check import require_derivation
from numeric.verification.verdict import PASS, Verdict
from numeric.verification.verify import verify
from reports.document.figures import Picture, gradient_norms, labels
from reports.document.html import html
from reports.document.model import Document, Figure
from reports.document.pdf import HINT, EngineError, compile_pdf, engine_for, find_engine
from reports.document.printed_pdf import find_browser, print_pdf
from reports.document.special_files import special
from reports.document.tex import tex
from reports.sections.bounds import chapter, placed
from reports.sections.cell import build
from reports.sections.facts import Facts
from reports.sections.growth import FIGURE
from reports.sections.network import build_network
from reports.sections.network_facts import facts_of_layer
from reports.sections.picture import pictures
from reports.sections.short import build_short, shortened

FORMATS: Final = ("tex", "html", "pdf")
Progress = Callable[[str], None]


def write_report(
    cell: Cell | str,
    folder: str | os.PathLike[str],
    *,
    formats: Iterable[str] = FORMATS,
    progress: Progress | None = None,
    profile: str = "dev",
    seed: int = 0,
    verdict: Verdict | None = None,
    measurement: Measurement | None = None,
    bounds: Study | None = None,
    home: str = "",
    language: str = "en",
    short: bool = False,
) -> tuple[Path, ...]:
    """The report of a cell in the folder, which is made if it is missing.

    A verdict, a measurement or a study of bounds that is given is not computed again; `home` is
    a page in the folder that lists the cells, to which the report links. A `short` one has no
    proofs and no numbers on bounds.

    Raises:
        ValueError: for an unknown format.
        EngineError: if "pdf" is asked for and no TeX engine and no browser is found, or it fails.
        WrongDerivationError: if a line of the derivation is wrong, a fault of ours.
        UndefinedError: if no bounds are given and the cell has no value along the sequence drawn.
        OSError: if the folder cannot be written to.
    """
    cell = cell_of(cell)
    wanted, target = _checked(formats), Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    tell = progress or (lambda stage: None)
    tell(f"{cell.name}: derive")
    derivation = derivation_of(cell)
    tell(f"{cell.name}: emit")
    kernel = compile_cell(cell, "textbook")
    if verdict is None:
        verdict = verify(
            kernel, profile=profile, seed=seed,
            progress=lambda check: tell(f"{cell.name}: verify, {check}"),
        )  # fmt: skip
    _require(cell, verdict)
    tell(f"{cell.name}: measure")
    if measurement is None and not (bounds is not None and bounds.given):
        measurement = _measured(derivation, seed)
    facts = Facts(derivation, kernel.source, verdict, measurement, language=language)
    document = (build_short if short else build)(
        derivation, kernel.source, verdict, measurement, language
    )
    drawn = {}
    if measurement is not None:
        norms = gradient_norms(
            measurement,
            norm_label(derivation),
            labels(language, derivation.cell.notation.earlier, Latex()(facts.gain).strip()),
        )
        drawn[f"{cell.name}-{FIGURE}"] = norms
    tell(f"{cell.name}: bound")
    document, more = _with_chapter(document, facts, bounds or study(Network(cell), seed))
    document = shortened(document) if short else document
    return write_document(document, {**drawn, **more}, target, wanted, tell, home)


def _measured(derivation: Derivation, seed: int) -> Measurement | None:
    """Norms for drawn weights; None for a cell whose states overflow, or have no value, there."""
    try:
        return measure(derivation, seed=seed)
    except (StateOverflowError, UndefinedError):
        return None


def _require(cell: Cell, verdict: Verdict) -> None:
    """A report says nothing that was not checked.

    Raises:
        WrongDerivationError: if a line of the derivation is wrong.
    """
    check = verdict.checks.get("derivation")
    if check is None or check.status != PASS:
        require_derivation(cell)


def write_network_report(
    network: Network,
    folder: str | os.PathLike[str],
    *,
    formats: Iterable[str] = FORMATS,
    progress: Progress | None = None,
    profile: str = "dev",
    seed: int = 0,
    verdict: Verdict | None = None,
    bounds: Study | None = None,
    language: str = "en",
) -> tuple[Path, ...]:
    """The report of a network in the folder, which is made if it is missing.

    A verdict or a study of bounds that is given is not computed again.

    Raises:
        ValueError: for an unknown format.
        EngineError: if "pdf" is asked for and no TeX engine and no browser is found, or it fails.
        WrongDerivationError: if a line of the derivation is wrong, a fault of ours.
        OSError: if the folder cannot be written to.
    """
    wanted, target = _checked(formats), Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    tell = progress or (lambda stage: None)
    tell(f"{network.name}: derive")
    kernel = compile_network(network, style="textbook")
    if verdict is None:
        verdict = verify(
            kernel, profile=profile, seed=seed,
            progress=lambda check: tell(f"{network.name}: verify, {check}"),
        )  # fmt: skip
    _require(network.cell, verdict)
    document = build_network(network, kernel.source, verdict, language)
    tell(f"{network.name}: bound")
    facts = facts_of_layer(network, verdict, language)
    document, made = _with_chapter(document, facts, bounds or study(network, seed))
    return write_document(document, made, target, wanted, tell)


def _with_chapter(
    document: Document, facts: Facts, found: Study
) -> tuple[Document, Mapping[str, Picture]]:
    """The document with the cell's pictures first and its bounds in numbers, and all pictures."""
    norm = norm_label(facts.derivation)
    made = chapter(facts, found, document.name, norm)
    sections, drawn = document.sections, dict(made.pictures)
    if (opening := pictures(facts, document.name)) is not None:
        sections = opening[0], *sections
        drawn |= opening[1]
    return replace(document, sections=placed(sections, made)), drawn


def _checked(formats: Iterable[str]) -> tuple[str, ...]:
    """The formats.

    Raises:
        ValueError: for an unknown one.
        EngineError: if "pdf" is among them and no TeX engine and no browser is found.
    """
    wanted = tuple(formats)
    if unknown := [name for name in wanted if name not in FORMATS]:
        raise ValueError(f"formats: expected some of {', '.join(FORMATS)}, came {unknown[0]!r}")
    if "pdf" in wanted and find_engine() is None and find_browser() is None:
        raise EngineError(
            f"no TeX engine (latexmk with pdflatex) and no browser found; try: {HINT}"
        )
    return wanted


def write_document(
    document: Document,
    pictures: Mapping[str, Picture],
    target: Path,
    wanted: Sequence[str],
    tell: Progress,
    home: str = "",
) -> tuple[Path, ...]:
    """The files of a document whose formats are asked for, its figures beside them."""
    name = document.name
    tell(f"{name}: write")
    stems = [
        block.stem for section in document.sections for block in section.blocks
        if isinstance(block, Figure)
    ]  # fmt: skip
    files: dict[Path, bytes] = {}
    figures: dict[str, str] = {}
    for stem in stems:
        if stem in pictures:
            files |= _pictures(target / "figures", stem, pictures[stem])
            figures[stem] = pictures[stem].svg
    text = tex(document) if {"tex", "pdf"} & {*wanted} else ""
    by_tex = "pdf" in wanted and (engine_for(text) is not None or find_browser() is None)
    if "tex" in wanted or by_tex:
        files[target / f"{name}.tex"] = text.encode()
    page = html(document, figures, home) if "html" in wanted or not by_tex else ""
    if "html" in wanted:
        files[target / f"{name}.html"] = page.encode()
    write_files(files)
    written = list(files)
    if by_tex:
        tell(f"{name}: compile")
        compile_pdf(target / f"{name}.tex")
        written.append(target / f"{name}.pdf")
        if "tex" not in wanted:
            (target / f"{name}.tex").unlink()
            written.remove(target / f"{name}.tex")
    elif "pdf" in wanted:
        tell(f"{name}: print")
        print_pdf(page, target / f"{name}.pdf")
        written.append(target / f"{name}.pdf")
    return tuple(written)


def _pictures(folder: Path, stem: str, picture: Picture) -> dict[Path, bytes]:
    return {
        folder / f"{stem}.pdf": picture.pdf, folder / f"{stem}.svg": picture.svg.encode(),
    }  # fmt: skip


def norm_label(derivation: Derivation) -> str:
    """‖∂s_t/∂s_k‖₂ for the axis of a figure."""
    letter = Layout(derivation.notation).plain(derivation.chain.target.args[0].args[0].name)
    latex = Latex()
    now, then = latex(sub(letter, "t")), latex(sub(letter, derivation.notation.earlier))
    return rf"\|\partial {now}/\partial {then}\|_2"


def write_files(files: dict[Path, bytes]) -> None:
    """All the files, each whole: first beside their places, then moved there.

    Raises:
        OSError: if one cannot be written; none is left half-written.
    """
    for path in files:
        if special(path):
            raise OSError(errno.EEXIST, "there is a device or a pipe of this name", str(path))
    partial = {path: path.with_name(path.name + ".part") for path in files}
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial[path].write_bytes(content)
        for path, made in partial.items():
            os.replace(made, path)
    finally:
        for made in partial.values():
            made.unlink(missing_ok=True)
