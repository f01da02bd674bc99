"""Tests mirror the sources, and no file is too long to be read at a sitting.

`derive/language/build.py` is tested in `tests/derive/language/test_build.py`. Where a law needs
several sources at once, one test file holds it, and `THROUGH` says which sources it stands for
and why; a test file of no source is in `ALONE`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from import_graph import PACKAGES, ROOT, files, graph, imports, module_name

LONGEST: Final = 400
HOPS: Final = 3  # from what a test imports to what it stands for


@dataclass(frozen=True)
class Through:
    """Sources tested through one test file, and why they have none of their own."""

    test: str
    reason: str
    sources: tuple[str, ...]


THROUGH: Final = (
    Through("bptt/test_face.py", "a table of names is tested by its names", ("derive/lazy.py",)),
    Through("bptt/test_shadows.py", "the command in front of hidden packages",
            ("bptt/__main__.py",)),
    Through("derive/calculus/test_through_time.py",
            "a derivation is right as a whole: it equals SymPy's scalar differentiation",
            ("derive/calculus/adjoint.py", "derive/calculus/intermediates.py",
             "derive/calculus/jacobian.py", "derive/calculus/rules.py",
             "derive/calculus/tangents.py")),
    Through("derive/calculus/test_map_norms.py", "a map beside its norm",
            ("derive/language/maps.py",)),
    Through("derive/language/test_build.py", "what a text means, from its words to its shapes",
            ("derive/language/syntax.py", "derive/language/calls.py", "derive/language/shapes.py",
             "derive/language/matrices.py", "derive/language/unification.py")),
    Through("derive/test_cell.py", "nodes are made, and numbers refused, where a cell is",
            ("derive/language/cell_keys.py", "derive/language/expr.py",
             "derive/language/numbers.py")),
    Through("derive/theorems/test_certified_rate.py",
            "norms, suprema and contraction are what the rate is made of",
            ("derive/language/norms.py", "derive/theorems/suprema.py",
             "derive/theorems/contraction.py")),
    Through("derive/theorems/test_theorems.py", "a claim is tested in the theorems that state it",
            ("derive/theorems/claims.py",)),
    Through("derive/theorems/test_cone.py", "the cone of a carousel",
            ("derive/theorems/carousel.py",)),
    Through("derive/theorems/test_convex_update.py", "a clock's update is convex",
            ("derive/theorems/clockwork.py",)),
    Through("derive/theorems/test_jacobian_at_rest.py", "the growth is that of this Jacobian",
            ("derive/theorems/growth_at_rest.py",)),
    Through("derive/typeset/test_typeset.py", "one formula in every notation, letter by letter",
            ("derive/typeset/boxes.py", "derive/typeset/latex.py", "derive/typeset/layout.py",
             "derive/typeset/letters.py", "derive/typeset/mathml.py", "derive/typeset/spacing.py",
             "derive/typeset/text.py")),
    Through("derive/test_catalogue.py", "what a notebook shows of every cell",
            ("derive/typeset/notebook.py",)),
    Through("numeric/compiler/test_network.py", "a network's equations and its code are one law",
            ("derive/network.py", "derive/calculus/joins.py")),
    Through("numeric/meaning/test_default_constants.py", "a rule and the numbers it gives",
            ("derive/language/defaults.py",)),
    Through("numeric/meaning/test_interpret.py", "a cell's sizes are those of its evaluation",
            ("numeric/meaning/run_cell.py", "numeric/meaning/sizes.py")),
    Through("numeric/numbers/test_intervals.py", "an expression over intervals encloses its values",
            ("numeric/meaning/enclose.py",)),
    Through("derive/calculus/test_curvature.py", "second derivatives; wrong ones are found",
            ("numeric/verification/derivation/curvature_lines.py",)),
    Through("numeric/verification/derivation/test_check.py",
            "each part of the check passes what is right and fails on a mutant of its own",
            ("numeric/verification/derivation/adjoint_lines.py",
             "numeric/verification/derivation/findings.py",
             "numeric/verification/derivation/jacobian_lines.py",
             "numeric/verification/derivation/norms.py",
             "numeric/verification/derivation/trajectory.py",
             "numeric/meaning/over_time.py", "numeric/numbers/moving.py")),
    Through("numeric/verification/test_exact.py", "what a float means where nothing is rounded",
            ("numeric/numbers/constants.py",)),
    Through("numeric/numbers/test_rational.py",
            "bounds against exact rational arithmetic, with no rounding of its own",
            ("numeric/bounds/all_inputs/row_stack.py", "numeric/numbers/arithmetic.py")),
    Through("numeric/bounds/test_study.py", "a study is these in a row",
            ("numeric/bounds/all_inputs/clock_modules.py",
             "numeric/bounds/all_inputs/gain_scan.py",
             "numeric/bounds/all_inputs/gate_region.py")),
    Through("numeric/bounds/one_sequence/test_measured.py", "what is measured is drawn first",
            ("numeric/bounds/drawn.py",)),
    Through("numeric/bounds/one_sequence/test_parameter_sums.py",
            "what one step sends to a parameter, in the sum over all steps",
            ("numeric/bounds/step_shares.py",)),
    Through("numeric/bounds/one_sequence/test_path_shares.py", "the shares of paths",
            ("derive/calculus/paths.py",
             "numeric/bounds/one_sequence/path_products.py")),
    Through("numeric/bounds/one_sequence/test_tracks.py", "windows on step Jacobians are a track",
            ("numeric/bounds/one_sequence/windows.py",)),
    Through("reports/commands/test_bounds.py", "a diagnosis of given weights, as a user asks",
            ("numeric/bounds/diagnosis.py", "numeric/bounds/sensitivity.py",
             "reports/arguments/given_files.py")),
    Through("reports/commands/test_parallel.py", "the table as a user sees it",
            ("reports/terminal/parallel.py",)),
    Through("numeric/search/tasks/test_known.py", "every task by one law",
            ("numeric/search/tasks/adding.py", "numeric/search/tasks/arithmetic.py",
             "numeric/search/tasks/brackets.py", "numeric/search/tasks/copying.py",
             "numeric/search/tasks/parity.py", "numeric/search/tasks/reading.py",
             "numeric/search/tasks/task.py")),
    Through("numeric/search/test_search.py", "a small search as a whole",
            ("numeric/search/candidate.py", "numeric/search/engine.py", "numeric/search/found.py",
             "numeric/search/store.py", "numeric/search/training.py")),
    Through("reports/commands/test_search.py", "the table as a user sees it",
            ("reports/document/search_figures.py", "reports/sections/search.py",
             "reports/terminal/search.py")),
    Through("numeric/compiler/test_program.py", "a program before and after each step",
            ("numeric/compiler/lower.py", "numeric/compiler/operations.py",
             "numeric/compiler/passes.py", "numeric/compiler/products.py",
             "numeric/compiler/reference.py",
             "numeric/compiler/stacking.py")),
    Through("numeric/compiler/test_kernel.py", "a kernel of each style and target",
            ("numeric/compiler/styles.py", "numeric/compiler/target.py")),
    Through("numeric/compiler/test_pipeline.py", "emitted code computes what its program says",
            ("numeric/compiler/argument_checks.py", "numeric/compiler/comments.py",
             "numeric/compiler/to_numpy/checks.py",
             "numeric/compiler/to_numpy/expressions.py", "numeric/compiler/to_numpy/functions.py",
             "numeric/compiler/to_numpy/in_place.py", "numeric/compiler/to_numpy/module.py")),
    Through("numeric/compiler/to_c/test_module.py", "compiled code is right as a whole",
            ("numeric/compiler/to_c/calls.py", "numeric/compiler/to_c/expressions.py",
             "numeric/compiler/to_c/formula.py", "numeric/compiler/to_c/interface.py",
             "numeric/compiler/to_c/memory.py", "numeric/compiler/to_c/names.py",
             "numeric/compiler/to_c/places.py", "numeric/compiler/to_c/plan.py",
             "numeric/compiler/to_c/pools.py",
             "numeric/compiler/to_c/sums.py", "numeric/compiler/to_c/target.py",
             "numeric/compiler/to_c/weights.py", "numeric/compiler/to_c/writing.py")),
    Through("numeric/compiler/to_c/test_networks.py", "a network's compiled code as a whole",
            ("numeric/compiler/to_c/loading.py", "numeric/compiler/to_c/network_calls.py",
             "numeric/compiler/to_c/skipping.py")),
    Through("numeric/compiler/test_segments.py", "both languages, and what is true of them",
            ("numeric/compiler/to_c/segments.py", "numeric/compiler/to_numpy/segments.py",
             "numeric/verification/problems/in_segments.py")),
    Through("numeric/compiler/to_c/test_mutants.py", "what a mistake in them would do",
            ("numeric/compiler/to_c/products.py", "numeric/compiler/to_c/samples.py",
             "numeric/compiler/to_c/vectors.py")),
    Through("numeric/verification/test_self_test.py", "the text of a test and its numbers",
            ("numeric/compiler/to_c/self_test.py",)),
    Through("numeric/compiler/to_c/test_unstack.py", "a program before and after each step",
            ("numeric/compiler/to_c/schedule.py",)),
    Through("numeric/verification/test_exact.py", "dual numbers over the field are its elements",
            ("numeric/numbers/prime_field.py", "numeric/numbers/elements.py")),
    Through("numeric/verification/test_oracles.py", "the oracle of fifty digits",
            ("numeric/numbers/fifty_digits.py",)),
    Through("numeric/verification/process/test_sandbox.py", "both ends of one pipe",
            ("numeric/verification/process/wire.py", "numeric/verification/process/worker.py",
             "numeric/numbers/degree.py")),
    Through("numeric/verification/test_verify.py", "a verdict is made of all of these",
            ("numeric/numbers/rounding.py", "numeric/verification/cases.py",
             "numeric/verification/compare.py", "numeric/verification/directions.py",
             "numeric/verification/problems/of_cell.py",
             "numeric/verification/problems/problem.py", "numeric/verification/counterexample.py",
             "numeric/verification/wrong_calls.py",
             "numeric/verification/promises.py", "numeric/verification/session.py",
             "numeric/verification/verdict.py", "numeric/verification/watch.py")),
    Through("audit/test_halfway.py", "code that does part of the interface",
            ("numeric/verification/batch_first.py", "numeric/verification/caller.py",
             "numeric/verification/fit.py", "numeric/verification/interface.py",
             "numeric/verification/scope.py")),
    Through("numeric/verification/test_verify_network.py", "the verdict on a network",
            ("numeric/verification/problems/network_loss.py",
             "numeric/verification/problems/of_network.py")),
    Through("numeric/meaning/test_interpret.py", "an expression with its functions",
            ("numeric/meaning/formulas.py",)),
    Through("numeric/verification/test_strategies.py", "one module behind two names",
            ("numeric/strategies.py", "numeric/verification/random_cells.py")),
    Through("audit/test_corpus.py", "a corpus of wrong code, and what is said of each",
            ("numeric/verification/explain/audit.py",
             "numeric/verification/explain/changed_equations.py",
             "numeric/verification/explain/explain.py",
             "numeric/verification/explain/mistakes.py",
             "numeric/verification/explain/place.py",
             "numeric/verification/explain/rewrites.py",
             "numeric/verification/explain/equation_names.py")),
    Through("audit/test_explain.py", "what a diagnosis is made of, none of it a right gradient",
            ("numeric/verification/explain/change.py",
             "numeric/verification/explain/other_cells.py",
             "numeric/verification/explain/other_order.py",
             "numeric/verification/explain/loop.py",
             "numeric/verification/explain/search.py",
             "numeric/verification/explain/treated.py")),
    Through("numeric/verification/explain/test_layers.py", "a network in parts, and their words",
            ("numeric/verification/explain/anatomy.py",)),
    Through("reports/sections/test_network.py", "the flags and the pages of a network",
            ("reports/arguments/network_flags.py", "reports/sections/listing.py",
             "reports/sections/network_facts.py", "reports/terminal/derivation.py")),
    Through("reports/document/test_model.py", "one document in every format",
            ("reports/document/html.py", "reports/document/tex.py",
             "reports/document/figures.py", "reports/sections/cell.py",
             "reports/sections/code.py", "reports/sections/derivation.py",
             "reports/sections/growth.py", "reports/sections/page_one.py",
             "reports/sections/verified.py", "reports/sections/theorems.py",
             "reports/sections/literature.py", "reports/sections/slopes.py",
             "reports/sections/stages.py", "reports/sections/written_out.py")),
    Through("reports/terminal/test_completion.py", "the script that the command prints",
            ("reports/commands/completion.py",)),
    Through("reports/terminal/test_console.py", "files as they are written",
            ("reports/document/special_files.py",)),
    Through("reports/document/test_chinese.py", "terms of two languages",
            ("reports/sections/glossary.py",)),
    Through("reports/site/test_gallery.py", "families as the index shows them",
            ("reports/site/families.py",)),
    Through("reports/document/test_pages.py", "files as a browser and a TeX engine read them",
            ("reports/document/pdf.py", "reports/write.py")),
    Through("reports/sections/test_bounds.py", "the two chapters of bounds and their figures",
            ("reports/document/bound_figures.py", "reports/document/method_names.py",
             "reports/sections/all_inputs.py",
             "reports/sections/answer.py", "reports/terminal/answer.py",
             "reports/sections/beside.py", "reports/sections/memory.py",
             "reports/document/memory_figures.py",
             "reports/sections/facts.py", "reports/sections/numbering.py",
             "reports/sections/one_sequence.py", "reports/sections/parameters.py")),
    Through("reports/sections/test_picture.py", "the pictures as they are laid out and drawn",
            ("reports/document/graph_layout.py", "reports/document/graph_figures.py")),
    Through("reports/sections/test_patterns.py", "gradients and symbols in tables",
            ("reports/sections/dictionary.py",)),
    Through("reports/site/test_gallery.py", "the gallery's first page", ("reports/site/index.py",)),
    Through("reports/document/test_numerals.py", "numbers as the terminal prints them",
            ("reports/terminal/bounds.py",)),
    Through("reports/commands/test_emit.py", "shown on a terminal alone",
            ("reports/terminal/progress.py",)),
)  # fmt: skip
ALONE: Final = {
    "audit/test_corpus.py": "code that people and models wrote, right and wrong",
    "audit/test_course.py": "a course's layer, right and wrong",
    "audit/test_halfway.py": "code that does part of the interface",
    "audit/test_explain.py": "changed loops, other cells, treated arrays",
    "audit/test_public.py": "public code's mistakes, rebuilt",
    "audit/test_styles.py": "right code in the styles of different authors",
    "audit/test_tricks.py": "code that tries to deceive the checks",
    "bptt/test_face.py": "the public names of all packages",
    "derive/test_catalogue.py": "the cells, each by what its paper says",
    "derive/test_fuzz.py": "random texts end in a cell or in an error that says where",
    "derive/typeset/test_typeset.py": "one formula in every notation",
    "numeric/bounds/all_inputs/test_every_time.py": "any two times so many steps apart",
    "numeric/bounds/test_falling.py": "gains, boxes and cells at the edge of the floats",
    "numeric/bounds/test_oracle.py": "every certified bound beside sixty digits",
    "examples/test_train_lstm.py": "a program in C, which the tests build",
    "numeric/compiler/to_c/test_mutants.py": "mistakes in C, each noticed",
    "numeric/compiler/test_network_torch.py": "networks beside PyTorch's",
    "numeric/compiler/test_pipeline.py": "from equations to right code, step by step",
    "numeric/numbers/test_rational.py": "bounds against rational arithmetic",
    "numeric/verification/test_matrix_states.py": "states that are matrices, the whole road",
    "numeric/verification/test_outputs.py": "what is returned and is no state, the whole road",
    "numeric/verification/test_verify_network.py": "verdicts on networks",
    "numeric/verification/test_decimals.py": "numbers of many digits on both sides of a check",
    "reports/test_numbers_and_constants.py": "cells of many digits, cells of given weights",
    "reports/document/test_chinese.py": "reports in another language, and titles in any script",
    "reports/document/test_pages.py": "pages in a browser and in a TeX engine",
    "test_completeness.py": "nodes and functions against every interpretation",
    "test_layering.py": "who may import whom, between the packages",
    "test_mirror.py": "this file",
    "test_project.py": "the README, the versions, the configuration",
    "test_walls.py": "who may import whom, inside the packages",
}
MIRRORED: Final = (*PACKAGES, "benchmarks", "examples")


def edges(root: Path) -> Mapping[str, set[str]]:
    """The imports of the packages; those by a name in a text, and the commands, among them."""
    found = {name: {*targets} for name, targets in graph(root).items()}
    for path in files(root):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and node.value in found:
                found[module_name(path, root)].add(str(node.value))
    commands = {name for name in found if name.startswith("reports.commands.")}
    found.setdefault("reports.cli", set()).update(commands)
    return found


def knows(test: Path, module: str, known: Mapping[str, set[str]]) -> bool:
    """Whether the test imports the module, at most so many hops away, or names it in a text."""
    text = test.read_text(encoding="utf-8")
    if module in text:
        return True
    met = {target for _, target in imports(ast.parse(text))}
    for _ in range(HOPS):
        met |= {further for name in met for further in known.get(name, ())}
    return module in met


def complaints(root: Path, through: tuple[Through, ...], alone: Mapping[str, str]) -> Iterator[str]:
    """A line for each source without a test, each test without a source, each stale entry."""
    tests, known = root / "tests", edges(root)
    sources = {
        path.relative_to(root).as_posix(): path
        for folder in MIRRORED
        for path in sorted((root / folder).rglob("*.py"))
        if path.name != "__init__.py"
    }
    exempt = {source: entry for entry in through for source in entry.sources}
    mirrored = set()
    for name in sources:
        folder, _, file = name.rpartition("/")
        own = tests / folder / f"test_{file}"
        if own.is_file():
            mirrored.add(own)
            if name in exempt:
                yield f"{name}: has a test of its own; its entry in THROUGH is stale"
        elif folder in {"benchmarks", "examples"}:
            continue  # programs: what they print is held where it is claimed
        elif name not in exempt:
            yield f"{name}: no {own.relative_to(root)}, and no entry in THROUGH"
    for entry in through:
        if not (test := tests / entry.test).is_file():
            yield f"tests/{entry.test}: in THROUGH, but there is no such file"
            continue
        for source in entry.sources:
            if source not in sources:
                yield f"{source}: in THROUGH, but there is no such file"
            elif not knows(test, module_name(root / source, root), known):
                yield f"{source}: tests/{entry.test} neither imports nor names it"
    for path in sorted(tests.rglob("test_*.py")):
        name = path.relative_to(tests).as_posix()
        if (path in mirrored) == (name in alone):
            yield f"tests/{name}: " + (
                "tests a source; its entry in ALONE is stale" if path in mirrored
                else "mirrors no source, and has no entry in ALONE")  # fmt: skip


def too_long(root: Path) -> Iterator[str]:
    """The files of more lines than one reads at a sitting."""
    for folder in (*MIRRORED, "tests"):
        for path in sorted((root / folder).rglob("*.py")):
            count = path.read_text(encoding="utf-8").count("\n")
            if count > LONGEST:
                yield f"{path.relative_to(root).as_posix()}: {count} lines, at most {LONGEST}"


def test_tests_mirror_the_sources() -> None:
    assert list(complaints(ROOT, THROUGH, ALONE)) == []


def test_no_source_is_exempt_twice_and_every_reason_is_said() -> None:
    sources = [source for entry in THROUGH for source in entry.sources]
    assert len(sources) == len({*sources})
    assert all(entry.reason for entry in THROUGH)


def test_no_file_is_too_long() -> None:
    assert list(too_long(ROOT)) == []


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in {
        "derive/a.py": "",
        "derive/b.py": "import derive.a\n",
        "tests/derive/test_b.py": "import derive.b\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def test_a_source_without_a_test_is_named(project: Path) -> None:
    assert list(complaints(project, (), {})) == [
        "derive/a.py: no tests/derive/test_a.py, and no entry in THROUGH"
    ]
    assert (
        list(complaints(project, (Through("derive/test_b.py", "b", ("derive/a.py",)),), {})) == []
    )


def test_an_exemption_has_to_hold(project: Path) -> None:
    (project / "tests/derive/test_b.py").write_text("import json\n", encoding="utf-8")
    entries = (
        Through("derive/test_b.py", "b", ("derive/a.py", "derive/c.py", "derive/b.py")),
        Through("derive/test_d.py", "d", ()),
    )
    assert list(complaints(project, entries, {})) == [
        "derive/b.py: has a test of its own; its entry in THROUGH is stale",
        "derive/a.py: tests/derive/test_b.py neither imports nor names it",
        "derive/c.py: in THROUGH, but there is no such file",
        "derive/b.py: tests/derive/test_b.py neither imports nor names it",
        "tests/derive/test_d.py: in THROUGH, but there is no such file",
    ]


def test_a_test_of_no_source_is_named(project: Path) -> None:
    (project / "tests/test_more.py").write_text("", encoding="utf-8")
    through = (Through("derive/test_b.py", "b", ("derive/a.py",)),)
    assert list(complaints(project, through, {"derive/test_b.py": "stale"})) == [
        "tests/derive/test_b.py: tests a source; its entry in ALONE is stale",
        "tests/test_more.py: mirrors no source, and has no entry in ALONE",
    ]


def test_a_long_file_is_named(project: Path) -> None:
    (project / "derive/a.py").write_text("\n" * (LONGEST + 1), encoding="utf-8")
    assert list(too_long(project)) == [f"derive/a.py: {LONGEST + 1} lines, at most {LONGEST}"]
