"""`bptt verify`: our code in every style, or a user's file, against the equations of a cell."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from derive.calculus.surrogates import surrogate_note
from derive.cell import Cell, catalogue
from derive.network import Network
from derive.typeset.layout import Layout
from numeric.compiler.kernel import Kernel, NetworkKernel, compile_cell, compile_network
from numeric.compiler.target import MissingError
from numeric.compiler.targets import NUMPY, TARGETS
from numeric.verification.batch_first import batch_first
from numeric.verification.derivation.check import require_derivation
from numeric.verification.frameworks.framework import missing
from numeric.verification.frameworks.judged import asked, verify_code
from numeric.verification.process.sandbox import Sandbox
from numeric.verification.verdict import (
    FAIL,
    INCONCLUSIVE,
    NOT_APPLICABLE,
    PARTIAL,
    PASS,
    Verdict,
    diagnoses,
    not_judged,
)
from numeric.verification.verify import verify
from numeric.verification.watch import NO_FUNCTION, Misbehaviour
from reports.arguments.network_flags import network_from, settings
from reports.arguments.segment_flags import segments_asked
from reports.arguments.which_cell import checked_cell, computed_cell
from reports.commands.verify_all import Job, verify_all
from reports.document.words import Speaker
from reports.terminal.answer import fitted
from reports.terminal.console import Answer, CommandError, columns, painted, why
from reports.terminal.progress import progress

TOTAL: Final = 600.0  # seconds for somebody's file, if nobody says another limit
_WORST_LAST: Final = (NOT_APPLICABLE, PASS, PARTIAL, INCONCLUSIVE, FAIL)


def run(arguments: Namespace) -> Answer:
    """The verdict of every style, or of the file.

    Raises:
        CommandError: if a file is given without its cell, or the file cannot be read.
        CellError: if the cell cannot be.
    """
    if arguments.all:
        chosen = TARGETS if arguments.target == "all" else [arguments.target]
        return verify_all(arguments, tuple(t for t in chosen if t not in _missing()), judged)
    if arguments.cell is None:
        raise CommandError("bptt verify: expected a CELL or FILE.py, or --all for the catalogue")
    path = user_file(arguments)
    _require_file(arguments, path)
    cell = checked_cell(arguments.of) if path else computed_cell(arguments.cell)
    network = network_from(arguments, cell)
    if arguments.framework and network is not None:
        raise CommandError(
            "bptt verify: --framework goes with a cell, not with layers of it; leave one out"
        )
    with progress(arguments.quiet) as tell:
        verdicts = _verdicts(arguments, cell, network, path, tell)
    found = merged(verdicts)
    if network is not None:
        found["network"] = settings(network)
    name = arguments.cell if path else network.name if network else cell.name
    data = {"file": str(path), **found} if path else found
    if arguments.framework:
        data |= {"framework": arguments.framework, "name": _file_and_name(arguments)[1]}
    missing = _missing() if arguments.target == "all" and path is None else {}
    if missing:
        data["not_run"] = missing
    say = Speaker(Layout(), language=arguments.language)
    text = painted(say.words("verify.named").format(name, say.phrase(found["status"])), say.phrase)
    notes = [*_lines(verdicts, found, say), *missing.values()]
    if declared := surrogate_note(cell):
        data["surrogate"] = declared
        notes += fitted([say.phrase(declared)])
    return Answer(found["status"], text, "\n".join(notes), data)


def judged(job: Job) -> dict[str, Any]:
    """The verdict on a cell in every style of the targets."""
    require_derivation(catalogue[job.cell])
    return merged({
        name: verify(compile_cell(job.cell, style, target), profile=job.profile, seed=job.seed)
        for target in job.targets for style, name in _named(target)
    })  # fmt: skip


def _require_file(arguments: Namespace, path: Path | None) -> None:
    """What is said of a file goes with one.

    Raises:
        CommandError: if there is none.
    """
    for flag, value in (("--batch-first", arguments.batch_first), ("--timeout", arguments.timeout)):
        if value and path is None:
            raise CommandError(
                f"bptt verify: {flag} goes with a FILE.py, came {arguments.cell!r}; leave it out"
            )


def user_file(arguments: Namespace, *, exists: bool = True) -> Path | None:
    """The file to be verified, if one is given; it has to exist, or need not.

    Raises:
        CommandError: if a file comes without its cell, or a cell with another.
    """
    given, of = arguments.cell, arguments.of
    if getattr(arguments, "framework", None):
        given = _file_and_name(arguments)[0]
    if not given.endswith(".py"):
        if of is not None:
            raise CommandError(
                f"bptt {arguments.command}: --cell goes with a FILE.py, came {given!r}; leave "
                "--cell out"
            )
        return None
    if of is None:
        raise CommandError(
            f"bptt {arguments.command}: {given} needs --cell CELL: the cell that it computes"
        )
    path = Path(given)
    if exists and not path.is_file():
        raise CommandError(f"{path}: no such file; name a Python file that exists")
    return path


def _file_and_name(arguments: Namespace) -> tuple[str, str]:
    """FILE.py and NAME of what --framework is said of.

    Raises:
        CommandError: if it is something else.
    """
    path, _, name = arguments.cell.rpartition(":")
    if not path.endswith(".py") or not name.isidentifier():
        raise CommandError(
            f"bptt verify: --framework goes with FILE.py:NAME, came {arguments.cell!r}; name the "
            "function or class in the file"
        )
    return path, name


def _code_of_framework(
    arguments: Namespace, cell: Cell, path: Path, total: float, **more: Any
) -> Verdict:
    """The verdict on a function, an autograd.Function or a module of a framework.

    Raises:
        CommandError: if the framework is not there.
        Misbehaviour: if the file cannot be loaded, or the code cannot be called.
        OSError: if the file cannot be read.
    """
    framework = arguments.framework
    if (lacks := missing(framework)) is not None:
        raise CommandError(f"bptt verify: {lacks}")
    message = asked(cell, framework, batch_first=arguments.batch_first).message()
    name = _file_and_name(arguments)[1]
    with Sandbox(path, total=total, asked=message, name=name) as sandbox:
        return verify_code(sandbox.subject, cell, **more)


def _verdicts(
    arguments: Namespace, cell: Cell, network: Network | None, path: Path | None,
    tell: Callable[[str], None],
) -> dict[str, Verdict]:  # fmt: skip
    """The verdict of each style; of a file under the name "file".

    Raises:
        CommandError: if the file cannot be read or loaded.
    """
    profile, seed = arguments.profile, arguments.seed
    through = segments_asked(arguments, network)
    if through and path is not None:
        raise CommandError(
            f"bptt verify: --{next(iter(through))} is about our code, came {arguments.cell!r}; "
            "leave it out"
        )

    def checked(module: Any, name: str, **more: Any) -> Verdict:
        say = lambda check: tell(f"{name}: {check}")  # noqa: E731
        return verify(module, profile=profile, seed=seed, progress=say, **more)

    def ours(style: str, target: str = NUMPY.name) -> Kernel | NetworkKernel:
        if network:
            return compile_network(network, style, target)
        return compile_cell(cell, style, target, **through)

    if path is None:
        chosen = [arguments.target]
        if arguments.target == "all":
            chosen = [target for target in TARGETS if target not in _missing()]
        try:
            kernels = {
                name: ours(style, target) for target in chosen for style, name in _named(target)
            }
        except ValueError as problem:
            raise CommandError(f"bptt verify: {problem}") from None
        try:
            return {name: checked(kernel, name) for name, kernel in kernels.items()}
        except MissingError as problem:
            raise CommandError(f"bptt verify: {problem}") from None
    whose = {"cell": cell, "network": network, "plain": ours("fused")}
    wanted = f"a module with {'loss_and_gradient' if network else 'forward and backward'}"
    total = arguments.timeout or (math.inf if profile == "nightly" else TOTAL)
    try:
        if arguments.framework:
            wanted = f"code of {arguments.framework} that computes {cell.name}"
            told = {"profile": profile, "seed": seed,
                    "progress": lambda check: tell(f"{path.name}: {check}")}  # fmt: skip
            return {"file": _code_of_framework(arguments, cell, path, total, **told)}
        with Sandbox(path, network=network is not None, total=total) as sandbox:
            subject = sandbox.subject
            if arguments.batch_first:
                subject = batch_first(subject, every_step=arguments.loss_at != "last")
            return {"file": checked(subject, path.name, **whose)}
    except OSError as problem:
        raise CommandError(f"{path}: cannot be read: {why(problem)}") from None
    except Misbehaviour as problem:
        adapter = NO_FUNCTION in str(problem) and network is None
        raise CommandError(
            f"{path}: expected {wanted}; {problem}".replace("\n", " ")
            + (f"; bptt write-test {path} --cell {arguments.of} --adapter prints one around it"
               if adapter else "")
        ) from None  # fmt: skip


def _missing() -> dict[str, str]:
    """The targets whose code cannot run here, and what they need."""
    found = {}
    for name, styles in TARGETS.items():
        try:
            next(iter(styles.values())).target.ready()
        except MissingError as problem:
            found[name] = str(problem)
    return found


def _named(target: str) -> Iterator[tuple[str, str]]:
    """The styles of a target, and what the verdict calls each."""
    for style in TARGETS[target]:
        yield style, style if target == NUMPY.name else f"{target} {style}"


def merged(verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """One object for all styles: of every check and gradient the worst, beside each verdict."""
    single = {style: verdict.to_dict() for style, verdict in verdicts.items()}
    first = next(iter(single.values()))
    if len(single) == 1:
        return first
    worst = max(single, key=lambda style: _WORST_LAST.index(single[style]["status"]))
    return {
        **first,
        "style": None,
        "status": single[worst]["status"],
        **{
            part: {
                name: _worst({style: found[part].get(name) for style, found in single.items()})
                for name in dict.fromkeys(name for found in single.values() for name in found[part])
            }
            for part in ("checks", "gradients")
        },
        "counterexample": next(
            (
                {"style": style, **found["counterexample"]}
                for style, found in single.items()
                if found["counterexample"]
            ),
            None,
        ),
        "styles": single,
    }


def _worst(entries: Mapping[str, dict[str, Any] | None]) -> dict[str, Any]:
    """The entry with the worst status, then the largest error; and whose it is."""
    style, entry = max(
        ((style, entry) for style, entry in entries.items() if entry is not None),
        key=lambda pair: (_WORST_LAST.index(pair[1]["status"]), pair[1].get("scaled_error") or 0),
    )
    return {**entry, "style": style}


def _lines(verdicts: Mapping[str, Verdict], found: Mapping[str, Any], say: Speaker) -> list[str]:
    """The verdict for people: every check, every gradient, what is wrong and where."""
    several, words = len(verdicts) > 1, say.words
    heads = verdicts if several else [words("verify.status")]
    checks: list[tuple[str, ...]] = [(words("verified.check"), *heads)]
    for name in found["checks"]:
        findings = (_finding(verdict.checks.get(name), say) for verdict in verdicts.values())
        checks.append((name, *findings))
    gradients = _gradients(verdicts, found, say)
    lines = ["", *columns(checks, "  "), "", *columns(gradients, "  ")]
    if above := [*diagnoses(found["gradients"]), *not_judged(found["unjudged"])]:
        lines = ["", *map(say.phrase, above), *lines]
    double = "float32" in found["unjudged"]
    lines.append("  " + words("verify.largest_in_double" if double else "verify.largest"))
    if 0 < (share := max(v.share_of_bound or 0.0 for v in verdicts.values())) <= 1:
        lines.append("  " + words("verify.explained").format(f"{share:.0%}"))
        if lost := [*filter(None, (verdict.lost for verdict in verdicts.values()))]:
            lines.append("  " + words("verify.lost").format(lost[0]))
    chances = [_chance(verdict) for verdict in verdicts.values()]
    if known := [chance for chance in chances if chance is not None]:
        lines.append("  " + words("verify.chance").format(f"{max(known):.0e}"))
    if found["counterexample"]:
        held = ", ".join(f"{key} = {value}" for key, value in found["counterexample"].items())
        lines.append(words("verify.counterexample").format(held))
    for part in ("checks", "gradients"):
        for name, entry in found[part].items():
            style = f" ({entry['style']})" if several and entry.get("style") else ""
            told = entry.get("diagnosis") or found["unjudged"]
            if entry.get("reason") and (entry["status"] == FAIL or not told):
                lines.append(words("verify.named").format(
                    f"{name}{style}", say.phrase(entry["reason"])))  # fmt: skip
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    repeat = words("verify.repeat").format(found["profile"], found["seed"], versions)
    return [*(painted(line, say.phrase) for line in lines), "", repeat]


def _gradients(
    verdicts: Mapping[str, Verdict], found: Mapping[str, Any], say: Speaker
) -> list[tuple[str, ...]]:
    """The table of gradients; of wrong ones, the steps at which a loss shows it."""
    words = say.words
    whens = {
        name: next(filter(None, (v.gradients[name].when() for v in verdicts.values())), "")
        for name in found["gradients"]
    }
    rows: list[tuple[str, ...]] = [
        (words("verify.gradient"), words("verify.status"), words("verify.error"))
    ]
    rows += [
        (name, say.phrase(gradient["status"]), _number(gradient.get("scaled_error")))
        for name, gradient in found["gradients"].items()
    ]
    if not any(whens.values()):
        return rows
    last = (words("verify.one_step"), *map(say.phrase, whens.values()))
    return [(*row, when) for row, when in zip(rows, last, strict=True)]


def _chance(verdict: Verdict) -> float | None:
    """The probability that a wrong formula passes its exact check; None if there was none."""
    check = verdict.checks.get("exact")
    return None if check is None else check.figures.get("error_probability") or None


def _finding(check: Any, say: Speaker) -> str:
    if check is None:
        return say.words("verify.not_run")
    found = [say.phrase(check.status.replace("_", " "))]
    keys = {"lines": "verify.lines", "examples": "verify.examples"}
    found += [say.words(key).format(check.figures[what]) for what, key in keys.items()
              if check.figures.get(what)]  # fmt: skip
    return say.words("words.comma").join(found)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"
