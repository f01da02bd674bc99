"""`bptt emit`: gradient code of a cell or a network, verified, then written whole or not at all."""

from __future__ import annotations

import re
from argparse import Namespace
from pathlib import Path
from typing import Any, Final

from numeric.compiler.kernel import Kernel, NetworkKernel, compile_cell, compile_network, same_code
from numeric.compiler.target import MissingError, Target
from numeric.compiler.targets import NUMPY, find_style
from numeric.verification.self_test import self_tested
from numeric.verification.verdict import PASS, Verdict
from numeric.verification.verify import verify
from reports.arguments.network_flags import flags, network_from, settings
from reports.arguments.segment_flags import segment_words, segments_asked
from reports.arguments.which_cell import computed_cell
from reports.commands.emit_onnx import emit_model
from reports.document.special_files import special
from reports.terminal.console import Answer, CommandError, why, write_whole
from reports.terminal.progress import progress

_HEADER: Final = 8000  # letters at the head of a file
OURS: Final = re.compile(r"[Cc]ell digest [0-9a-f]{16}")
_STYLE: Final = re.compile(r"[Cc]ell digest [0-9a-f]{16}, style (\w+)(?:, target (\w+))?")


def run(arguments: Namespace) -> Answer:
    """The module; to standard output, to a file, or compared with that file.

    Raises:
        CommandError: for `--check` without a file, or a file that cannot be read or written.
        CellError: if the cell cannot be.
    """
    if arguments.check and arguments.output is not None:
        _as_it_says(arguments)
    arguments.style, arguments.target = arguments.style or "fused", arguments.target or NUMPY.name
    if arguments.main and arguments.target != "c":
        raise CommandError("bptt emit: --main goes with --target c: a NumPy module needs none")
    if arguments.node is not None and arguments.target != "onnx":
        raise CommandError("bptt emit: --node goes with --target onnx: other targets have no nodes")
    if arguments.check and arguments.output is None:
        raise CommandError("bptt emit: --check compares with a file: say which with -o FILE.py")
    cell = computed_cell(arguments.cell)
    network = network_from(arguments, cell)
    name = network.name if network else cell.name

    more = {"target": arguments.target}
    through = segments_asked(arguments, network)
    if arguments.target == "onnx":
        return emit_model(arguments, cell, alone=network is None and not any(through.values()))

    def made(verified: str = "") -> Kernel | NetworkKernel:
        if network is not None:
            return compile_network(network, arguments.style, **more, verified=verified)
        return compile_cell(cell, arguments.style, **more, **through, verified=verified)

    try:
        kernel = made()
        target = find_style(arguments.style, arguments.target).target
    except ValueError as problem:
        raise CommandError(f"bptt emit: {problem}") from None
    facts: dict[str, Any] = {
        "cell": cell.name, "style": arguments.style, "target": target.name, "digest": cell.digest,
    }  # fmt: skip
    facts |= through
    if isinstance(kernel, Kernel):
        facts["costs"] = list(kernel.costs)
    if network is not None:
        facts["network"] = settings(network)
    if arguments.check:
        return _check(arguments, kernel, facts, target)
    if arguments.output is not None:
        for path in files_of(arguments.output, kernel.source, target):
            _require_ours(path, arguments)
    try:
        target.ready()
    except MissingError as problem:
        raise CommandError(f"bptt emit: {problem}; nothing is written unverified") from None
    with progress(arguments.quiet) as tell:
        verdict = verify(
            kernel, seed=arguments.seed, progress=lambda check: tell(f"verifying: {check}")
        )
    facts |= {"seed": arguments.seed, "versions": dict(verdict.versions)}
    facts["verdict"] = verdict.to_dict()
    if verdict.status != PASS:
        refused = f"{name}: the code is not verified, so nothing was written"
        return Answer(verdict.status, text=refused, notes=verdict.summary(), data=facts)
    source = made(what_was_verified(verdict)).source
    if arguments.main:
        source = self_tested(network or cell, target, source, seed=arguments.seed)
    facts["source"] = source
    if arguments.output is None:
        return Answer(text=source, data=facts)
    files = files_of(arguments.output, source, target)
    for path, text in files.items():
        write_whole(path, text)
    facts["file"] = str(arguments.output)
    done = f"{arguments.output}: {name}, style {arguments.style}, verified"
    return Answer(notes="\n".join([done, *facts.get("costs", ())]), data=facts)


def _as_it_says(arguments: Namespace) -> None:
    """The style and the target that the file's header names, where the command names none.

    Raises:
        CommandError: if the file cannot be read.
    """
    found = _STYLE.search(_held(arguments.output)[:_HEADER])
    if found is None:
        return
    arguments.style = arguments.style or found[1]
    arguments.target = arguments.target or found[2]


def _require_ours(path: Path, arguments: Namespace) -> None:
    """Nothing is written over but what this command wrote, unless --force says so.

    Raises:
        CommandError: if there is another file.
    """
    if arguments.force or not path.exists() or special(path) or path.is_dir():
        return
    if not OURS.search(_held(path)[:_HEADER]):
        raise CommandError(
            f"{path}: expected no file, or one that bptt emit wrote, came another; name another "
            "file, or write over it with --force"
        )


def what_was_verified(verdict: Verdict) -> str:
    """The header's words: the checks that passed, and what it takes to repeat them."""
    passed = [name for name, check in verdict.checks.items() if check.status == PASS]
    versions = ", ".join(f"{name} {version}" for name, version in verdict.versions.items())
    return f"{', '.join(passed)}; profile {verdict.profile}, seed {verdict.seed}; {versions}"


def files_of(path: Path, source: str, target: Target) -> dict[Path, str]:
    """What stands at the path and beside it, the file itself last: it vouches for the others.

    Raises:
        CommandError: if the path is that of a file beside it.
    """
    if path.suffix in target.beside:
        raise CommandError(
            f"{path}: expected a name that ends in {target.suffix}; the {path.suffix} file is "
            "written beside it"
        )
    beside = {path.with_suffix(suffix): text(source) for suffix, text in target.beside.items()}
    return {**beside, path: source}


def _check(
    arguments: Namespace, kernel: Kernel | NetworkKernel, facts: dict[str, Any], target: Target
) -> Answer:
    path: Path = arguments.output
    source = kernel.source
    if arguments.main:
        of = kernel.cell if isinstance(kernel, Kernel) else kernel.network
        source = self_tested(of, target, source, seed=arguments.seed)
    files = files_of(path, source, target)
    current = all([same_code(_held(file), text) for file, text in files.items()])
    facts |= {"file": str(path)}
    words = [arguments.cell, *flags(arguments), *segment_words(arguments), "--style", kernel.style]
    words += ["--target", target.name] if target.beside else []
    words += [*["--main"] * arguments.main, "-o", str(path)]
    again = " ".join(["bptt emit", *words])
    if current:
        return Answer(notes=f"{path}: up to date", data=facts)
    return Answer("stale", text=f"{path}: out of date; write it again with `{again}`", data=facts)


def _held(path: Path) -> str:
    """What a file holds now; nothing if it is no text.

    Raises:
        CommandError: if it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as problem:
        raise CommandError(
            f"{path}: cannot be read: {why(problem)}; write it first, without --check"
        ) from None
    except UnicodeDecodeError:
        return ""
