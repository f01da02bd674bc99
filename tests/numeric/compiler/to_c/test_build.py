"""Building C: no warning under any flags, no clash in the cache, no fault under the sanitizers."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from c_code import (
    CELLS,
    COMPILERS,
    NETWORKS,
    SIZES,
    case_of,
    compiles,
    largest_error,
    loaded,
    needs_compiler,
    network_source,
    plain_flag,
    result,
    source_of,
)
from profiles import NIGHTLY, night_alone

from derive.cell import catalogue
from numeric.compiler.kernel import compile_cell
from numeric.compiler.target import MissingError
from numeric.compiler.to_c import build
from numeric.compiler.to_c.interface import header_text

pytestmark = needs_compiler
HERE = Path(__file__).parent
SANITIZERS = ("-std=gnu11", "-O1" if NIGHTLY else "-O0", "-g", "-march=native", "-fPIC", "-shared",
              "-fsanitize=address,undefined", "-fno-sanitize-recover=all")  # fmt: skip


@pytest.mark.by_default("gcc-mixed")
@pytest.mark.parametrize("name", [*CELLS, *NETWORKS] if NIGHTLY else ["mixed", "deep"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_no_compiler_has_a_complaint(compiler, name, tmp_path):
    source = network_source(name) if name in NETWORKS else source_of(name)
    double = plain_flag(source).replace("PLAIN", "DOUBLE")
    for flags in (("-std=c11", "-pedantic", plain_flag(source)), ("-std=gnu11", "-march=native"),
                  ("-std=gnu11", double)):  # fmt: skip
        assert compiles(compiler, source, tmp_path, *flags) == ""


def test_a_compiler_with_a_complaint_is_heard(tmp_path):
    source = source_of("rnn") + "char narrow(int a);\nchar narrow(int a) { return a; }\n"
    assert "may change value" in compiles(COMPILERS[0], source, tmp_path, "-std=gnu11")


def test_the_header_declares_what_the_file_defines(tmp_path):
    source = source_of("gru")
    assert compiles(COMPILERS[0], header_text(source) + source.replace(
        "typedef struct { ptrdiff_t T", "#if 0\ntypedef struct { ptrdiff_t T", 1).replace(
        "/* Where each array", "#endif\n#define gru_f4_arrays_ gru_f4_arrays\n/* Where each array",
        1), tmp_path, "-std=gnu11") == ""  # fmt: skip


def test_plain_c_computes_the_same(monkeypatch, tmp_path):
    monkeypatch.setenv("BPTT_CACHE", str(tmp_path))
    cell = catalogue["lstm"]
    case = case_of(cell, 9)
    source = source_of("lstm")
    want = result(compile_cell(cell, "fused", "c"), case)
    plain = source.replace("#ifdef LSTM_DOUBLE", "#define LSTM_PLAIN\n#ifdef LSTM_DOUBLE", 1)
    assert plain != source
    assert largest_error(result(loaded(plain), case), want) < 1e-12


@night_alone
def test_builds_side_by_side_do_not_meet(monkeypatch, tmp_path):
    monkeypatch.setenv("BPTT_CACHE", str(tmp_path))
    source = source_of("rnn")
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: build.library(source, "rnn", "f8"), range(4)))
    assert len(set(made)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [made[0].name]
    case = case_of(catalogue["rnn"], 3)
    assert largest_error(result(loaded(source), case),
                         result(compile_cell(catalogue["rnn"]), case)) < 1e-12  # fmt: skip


def test_a_build_that_fails_leaves_nothing_and_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("BPTT_CACHE", str(tmp_path))
    with pytest.raises(MissingError, match=r"refuses the file of 'rnn': .*error"):
        build.library(source_of("rnn") + "int oops(", "rnn", "f4")
    assert not list(tmp_path.iterdir())


def test_flags_and_source_make_another_library(monkeypatch, tmp_path):
    monkeypatch.setenv("BPTT_CACHE", str(tmp_path))
    source = source_of("rnn")
    paths = {
        build.library(source, "rnn", "f4"),
        build.library(source, "rnn", "f8"),
        build.library(source + "\n", "rnn", "f4"),
        build.library(source, "rnn", "f4", (*build.FLAGS, "-DX")),
    }
    assert len(paths) == 4


def test_without_a_compiler_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(MissingError, match=r"^target c: no C compiler is found; .*install gcc$"):
        build.compiler()
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(MissingError, match=r"\$CC names 'no-such-compiler'"):
        build.compiler()


SANITIZED = """
import sys
sys.path[:0] = {paths!r}
from functools import partial
from numeric.compiler.to_c import calls, threads
calls.library = partial(calls.library, flags={flags!r})
threads.LEAST_IN_PLACE = 0
from c_code import (
    DTYPES, NETWORKS, case_of, cell_named, loaded, network_case, network_result, result
)
from pathlib import Path
for name, path in {sources!r}:
    module = loaded(Path(path).read_text(encoding="utf-8"))
    for dtype in DTYPES:
        for n in {sizes}:  # of 130 units, rows that are copied beside each other
            for steps, batch in ((3, 2), (0, 2), (2, 0), (70, 9)) if n == 9 else ((3, 2),):
                more = {{"steps": steps, "batch": batch, "dtype": dtype}}
                if name not in NETWORKS:
                    result(module, case_of(cell_named(name), n, **more))
                elif steps or NETWORKS[name].loss_at == "all":
                    for seed in (3, 4):  # with lengths and without
                        case = network_case(NETWORKS[name], n, seed=seed, **more)
                        network_result(module, case)
    print("clean", name)
"""


def sanitized(sources, tmp_path):
    """A process in which C code of ours runs under both sanitizers."""
    gcc = build.compiler()
    asan = subprocess.run([gcc, "-print-file-name=libasan.so"], capture_output=True, text=True,
                          check=True).stdout.strip()  # fmt: skip
    if not Path(asan).is_absolute():
        pytest.skip("the compiler has no sanitizers")
    held = []
    for name, source in sources.items():
        path = tmp_path / f"{name}.c"
        path.write_text(source, encoding="utf-8")
        held.append((name, str(path)))
    tests = HERE.parents[1]  # where what tests share is
    paths = [str(tests), str(tests.parent), str(tests.parents[1])]
    code = SANITIZED.format(paths=paths, flags=SANITIZERS, sources=held,
                            sizes=(*(SIZES if NIGHTLY else SIZES[::3]), 130))  # fmt: skip
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "LD_PRELOAD": asan, "BPTT_CACHE": str(tmp_path),
             "BPTT_THREADS": "2", "ASAN_OPTIONS": "detect_leaks=0", "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip


@pytest.mark.long
def test_sanitizers_find_nothing(tmp_path):
    names = [*CELLS, *NETWORKS] if NIGHTLY else ["characters", "rnn"]
    sources = {n: network_source(n) if n in NETWORKS else source_of(n) for n in names}
    done = sanitized(sources, tmp_path)
    assert done.stdout == "".join(f"clean {name}\n" for name in names), done.stderr[-3000:]


@night_alone
def test_sanitizers_would_find_a_step_too_far(tmp_path):
    source = source_of("rnn").replace("return some >= LANES ? load(p)", "return some ? load(p)")
    done = sanitized({"rnn": source}, tmp_path)
    assert "AddressSanitizer" in done.stderr
