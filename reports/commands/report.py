"""`bptt report`: a report on each cell, in the formats asked for."""

from __future__ import annotations

import tempfile
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from derive.cell import Cell
from derive.network import Network
from numeric.bounds.stack import sizes_of_layer
from numeric.bounds.study import STEPS, Asked, Study, sizes_for, study_given
from numeric.compiler.kernel import compile_cell, compile_network
from numeric.compiler.target import MissingError
from numeric.engine import Engine
from numeric.meaning.domains import UndefinedError
from numeric.search.found import is_search, records_of
from numeric.search.store import Store
from numeric.verification.verdict import FAIL, INCONCLUSIVE, PASS, Verdict
from numeric.verification.verify import verify
from reports.arguments.given_files import given_layers, normal_inputs, refused, studied_inputs
from reports.arguments.network_flags import asks_for_network, network_from
from reports.arguments.which_cell import computed_cell
from reports.document.graph_layout import HINT as GRAPHVIZ_HINT
from reports.document.graph_layout import find_graphviz
from reports.document.pdf import (
    HINT,
    HINT_CHINESE,
    EngineError,
    find_chinese_engine,
    find_engine,
)
from reports.document.printed_pdf import find_browser, made_by
from reports.sections.search import build_search
from reports.site.api import HINT as API_HINT
from reports.site.api import can_write_api
from reports.site.gallery import FORMATS as GALLERY_FORMATS
from reports.site.gallery import Gallery, write_gallery
from reports.site.index import INDEX
from reports.terminal.console import Answer, CommandError, why
from reports.terminal.progress import progress, progress_bar
from reports.write import FORMATS, write_document, write_network_report, write_report


def run(arguments: Namespace) -> Answer:
    """The files written, and what verification said of each cell.

    Raises:
        CommandError: for an unknown format or cell, an unwritable folder, a missing engine.
        CellError: if a cell cannot be.
    """
    if arguments.all:
        return _gallery(arguments)
    if arguments.search is not None:
        return _search(arguments)
    if not arguments.cells:
        raise CommandError("bptt report: expected a CELL, or --all for the whole catalogue")
    formats, remark = wanted_formats(arguments.formats, arguments.language)
    if find_graphviz() is None:
        missing = f"no Graphviz found, so no picture of the cell; try: {GRAPHVIZ_HINT}"
        remark = "\n".join(part for part in (remark, missing) if part)
    cells = [computed_cell(word) for word in arguments.cells]
    subjects = [network_from(arguments, cell) or cell for cell in cells]
    _require_names(subjects)
    if arguments.short and any(isinstance(subject, Network) for subject in subjects):
        raise CommandError("bptt report: --short is for a cell; a network has the whole report")
    with progress(arguments.quiet) as tell:
        bounds = _given(cells, arguments, tell)
    require_folder(arguments.output)
    files: list[str] = []
    verified: dict[str, Any] = {}
    with progress(arguments.quiet) as tell:
        for subject in subjects:
            verdict, made = _report(subject, arguments, formats, tell, bounds)
            verified[subject.name] = verdict.to_dict()
            files += map(str, made)
    worst, doubts = _judged(verified)
    return Answer(
        worst,
        text=doubts,
        notes="\n".join([*map(_noted, files), *([remark] if remark else [])]),
        data={
            "cells": [cell.name for cell in cells],
            "reports": [subject.name for subject in subjects],
            "formats": formats,
            "files": files,
            "pdf_made_by": {file: made_by(Path(file)) for file in files if _is_pdf(file)},
            "seed": arguments.seed,
            "verified": verified,
            **({"remark": remark} if remark else {}),
        },
    )


def _search(arguments: Namespace) -> Answer:
    """The report of a search.

    Raises:
        CommandError: for a folder without one, a cell beside it, files that cannot be written.
    """
    if arguments.cells:
        raise CommandError("bptt report: --search DIR reports a search: no CELL beside it")
    folder: Path = arguments.search
    if not is_search(folder):
        raise CommandError(f"bptt report: --search {folder}: expected the folder of a search, as "
                           "`bptt search -o DIR` makes it")  # fmt: skip
    formats, remark = wanted_formats(arguments.formats, arguments.language)
    require_folder(arguments.output)
    try:
        records, settings = records_of(folder), Store(folder).settings()
        document, pictures = build_search(records, settings, arguments.language)
        with progress(arguments.quiet) as tell:
            made = write_document(document, pictures, arguments.output, formats, tell)
    except ValueError as problem:
        raise CommandError(f"{folder}: {problem}") from None
    except OSError as problem:
        raise CommandError(f"{arguments.output}: cannot be written: {why(problem)}") from None
    except EngineError as problem:
        raise CommandError(str(problem)) from None
    files = [*map(str, made)]
    return Answer(
        notes="\n".join([*map(_noted, files), *([remark] if remark else [])]),
        data={"candidates": len(records), "formats": formats, "files": files},
    )


def _given(
    cells: Sequence[Cell], arguments: Namespace, tell: Callable[[str], None]
) -> Study | None:
    """What the weights in a file, if one was given, do to gradients.

    Raises:
        CommandError: for files that cannot be read or do not fit, or several cells for one file.
    """
    if arguments.weights is None:
        if arguments.inputs is not None:
            raise CommandError("bptt report: --inputs goes with --weights; without them both are "
                               "drawn")  # fmt: skip
        return None
    if len(cells) > 1:
        raise CommandError("bptt report: --weights holds the weights of one CELL; name one")
    (cell,) = cells
    try:
        network, layers, _ = given_layers(cell, arguments)
        asked = Asked(arguments.weights.name)
        if arguments.inputs is not None:
            inputs, batch = studied_inputs(network, layers, sizes_for(cell), arguments, tell)
            asked = replace(asked, inputs=arguments.inputs.name, batch=batch)
        else:
            sizes = sizes_of_layer(cell, layers[0], sizes_for(cell))
            inputs = normal_inputs(cell, sizes, STEPS, arguments.seed)
        tell(f"{arguments.weights.name}: bound")
        return study_given(network, layers, inputs, arguments.seed,
                           drawn=arguments.inputs is None, asked=asked)  # fmt: skip
    except OSError as problem:
        raise CommandError(f"{problem.filename}: cannot be read: {why(problem)}") from None
    except ValueError as problem:
        raise CommandError(f"report: {str(problem).split(chr(10), 1)[0]}") from None


def _report(
    subject: Cell | Network,
    arguments: Namespace,
    formats: Sequence[str],
    tell: Callable[[str], None],
    bounds: Study | None,
) -> tuple[Verdict, tuple[Path, ...]]:
    """The verdict on the code of a cell or a network, and the files of its report.

    Raises:
        CommandError: if they cannot be written, the TeX engine fails, or the cell has no value
            along the sequence that is drawn.
    """

    def say(stage: str) -> None:
        tell(f"{subject.name}: verify, {stage}")

    folder, seed = arguments.output, arguments.seed
    try:
        if isinstance(subject, Network):
            verdict = verify(compile_network(subject, "textbook"), seed=seed, progress=say)
            return verdict, write_network_report(
                subject, folder, formats=formats, progress=tell, seed=seed, verdict=verdict,
                bounds=bounds, language=arguments.language,
            )  # fmt: skip
        verdict = verify(compile_cell(subject, "textbook"), seed=seed, progress=say)
        return verdict, write_report(
            subject, folder, formats=formats, progress=tell, seed=seed, verdict=verdict,
            bounds=bounds, language=arguments.language, short=arguments.short,
        )  # fmt: skip
    except UndefinedError as problem:
        raise CommandError(refused("report", subject.name, problem)) from None
    except OSError as problem:
        raise CommandError(f"{folder}: cannot be written: {why(problem)}") from None
    except EngineError as problem:
        raise CommandError(str(problem)) from None


def _is_pdf(file: str) -> bool:
    """A report's PDF, none of its figures."""
    return file.endswith(".pdf") and Path(file).parent.name != "figures"


def _noted(file: str) -> str:
    """The file, and of a PDF what made it where that is no TeX engine."""
    printed = _is_pdf(file) and made_by(Path(file)) != "TeX"
    return f"{file}, printed by {made_by(Path(file))}" if printed else file


def _judged(verified: Mapping[str, Mapping[str, Any]]) -> tuple[str, str]:
    """The worst status, and a line for each cell that did not pass."""
    statuses = {found["status"] for found in verified.values()}
    worst = next((status for status in (FAIL, INCONCLUSIVE) if status in statuses), "ok")
    return worst, "\n".join(
        f"{name}: {found['status']}; the report says what was found"
        for name, found in verified.items()
        if found["status"] != PASS
    )


def _gallery(arguments: Namespace) -> Answer:
    """The whole catalogue with its index; what has not changed is kept.

    Raises:
        CommandError: for cells or a network beside it, an unwritable folder, a missing engine.
    """
    if arguments.cells or asks_for_network(arguments):
        raise CommandError(
            "bptt report: --all means every cell of the catalogue: no CELL and no network beside it"
        )
    if arguments.weights is not None or arguments.inputs is not None:
        raise CommandError("bptt report: --weights and --inputs go with one CELL, not with --all")
    if arguments.short:
        raise CommandError("bptt report: --short goes with CELLs, not with --all")
    formats: tuple[str, ...] = GALLERY_FORMATS
    if arguments.formats is not None:
        formats = tuple(wanted_formats(arguments.formats, arguments.language)[0])
    folder: Path = arguments.output
    require_folder(folder)
    try:
        with (
            Engine(arguments.workers, arguments.scheduler) as engine,
            progress_bar(arguments.quiet, "reports") as tell,
        ):
            found = _made(arguments, folder, formats, engine, tell)
    except MissingError as problem:
        raise CommandError(f"bptt report: {problem}") from None
    except OSError as problem:
        raise CommandError(f"{arguments.scheduler}: cannot be used: {why(problem)}") from None
    worst, doubts = _judged(found.verified)
    counted = f"{len(found.made)} reports made, {len(found.kept)} kept: {folder / INDEX}"
    if not can_write_api():
        counted += f"\nno pdoc found, so no API reference; try: {API_HINT}"
    return Answer(
        worst,
        text=doubts,
        notes=counted,
        data={
            "cells": list(found.verified),
            "formats": list(formats),
            "index": str(folder / INDEX),
            "files": [*map(str, found.files)],
            "made": list(found.made),
            "kept": list(found.kept),
            "seed": arguments.seed,
            "verified": found.verified,
        },
    )


def _made(
    arguments: Namespace, folder: Path, formats: Sequence[str], engine: Engine,
    tell: Callable[[str, int, int], None],
) -> Gallery:  # fmt: skip
    """The gallery.

    Raises:
        CommandError: if it cannot be written, or an engine for its pages is missing.
        ConnectionError: if the scheduler is gone.
    """
    try:
        return write_gallery(folder, formats=formats, seed=arguments.seed, progress=tell,
                             language=arguments.language, engine=engine)  # fmt: skip
    except ConnectionError:
        raise
    except OSError as problem:
        raise CommandError(f"{folder}: cannot be written: {why(problem)}") from None
    except EngineError as problem:
        raise CommandError(str(problem)) from None


def wanted_formats(given: str | None, language: str = "en") -> tuple[list[str], str]:
    """The formats to write, and a remark if one of them cannot be.

    Raises:
        CommandError: for an unknown format, or "pdf" asked for without a TeX engine or a browser.
    """
    found = (find_engine() if language == "en" else find_chinese_engine()) is not None
    hint = HINT if language == "en" else HINT_CHINESE
    if given is None:
        if found:
            return [*FORMATS], ""
        other = ", or --formats html,tex,pdf, printed by a browser" if find_browser() else ""
        return [f for f in FORMATS if f != "pdf"], (
            f"no TeX engine found, so no .pdf; try: {hint}{other}"
        )
    formats = [*dict.fromkeys(word.strip() for word in given.split(",") if word.strip())]
    if not formats or not {*formats} <= {*FORMATS}:
        raise CommandError(
            f"bptt report: --formats: expected some of {','.join(FORMATS)}, came {given!r}"
        )
    if "pdf" in formats and not found and find_browser() is None:
        raise CommandError(
            "bptt report: --formats pdf needs a TeX engine, or a browser such as chromium, none "
            f"found; try: {hint}"
        )
    return formats, ""


def _require_names(subjects: Sequence[Cell | Network]) -> None:
    names = [subject.name for subject in subjects]
    for name in names:
        if names.count(name) > 1:
            raise CommandError(
                f"bptt report: two reports are named {name!r}: give each its own folder with -o"
            )


def require_folder(folder: Path) -> None:
    """The folder exists and can be written to, before any work is done for it.

    Raises:
        CommandError: if it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as problem:
        raise CommandError(
            f"{folder}: cannot be written to: {why(problem)}; name another folder with -o"
        ) from None
