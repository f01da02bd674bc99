"""The self-test of a C file: right code passes it without Python, wrong code does not."""

import subprocess

import pytest
from c_code import (
    BY_DAY,
    CELLS,
    COMPILERS,
    NETWORKS,
    WARNINGS,
    cell_named,
    needs_compiler,
    network_source,
    source_of,
)
from profiles import NIGHTLY, by_day

from numeric.compiler.targets import NUMPY
from numeric.compiler.to_c import self_test
from numeric.compiler.to_c.interface import read
from numeric.compiler.to_c.target import C
from numeric.verification.self_test import self_tested

pytestmark = needs_compiler


def outcome(source, prefix, folder, *flags):
    path, program = folder / "cell.c", folder / "program"
    path.write_text(source, encoding="utf-8")
    defined = [f"-D{prefix.upper()}_{word}" for word in ("MAIN", *flags)]
    subprocess.run([COMPILERS[0], "-std=gnu11", *WARNINGS, *defined, str(path), "-o",
                    str(program), "-lm"], check=True, capture_output=True)  # fmt: skip
    return subprocess.run([program], check=False, capture_output=True, text=True)


@pytest.mark.by_default("rnn", "clockwork_rnn")
@pytest.mark.parametrize("name", CELLS if NIGHTLY else (*BY_DAY, "mixed"))
def test_right_code_passes_its_self_test_in_every_form(name, tmp_path):
    source = self_tested(cell_named(name), C, source_of(name))
    for flags in by_day([(), ("DOUBLE",), ("PLAIN",), ("PLAIN", "DOUBLE")], 3):
        done = outcome(source, name, tmp_path, *flags)
        assert (done.returncode, done.stdout) == (0, f"{name}: right\n")


@pytest.mark.long
@pytest.mark.parametrize("name", by_day(NETWORKS, 12))
def test_networks_have_one_too(name, tmp_path):
    source = self_tested(NETWORKS[name], C, network_source(name))
    prefix = read(source).prefix
    for flags in ((), ("DOUBLE",), ("PLAIN",)):
        done = outcome(source, prefix, tmp_path, *flags)
        assert (done.returncode, done.stdout) == (0, f"{prefix}: right\n")
    wrong = source.replace("c[targets[i]] -= R(1.0)", "c[targets[i]] -= R(0.999)")
    if wrong != source:
        assert outcome(wrong, prefix, tmp_path).returncode == 1


def test_wrong_code_fails_it_and_says_where(tmp_path):
    source = self_tested(cell_named("lstm"), C, source_of("lstm"))
    wrong = source.replace("o * (R(1.0) - o)", "o * (R(1.00001) - o)")
    assert wrong != source
    done = outcome(wrong, "lstm", tmp_path, "DOUBLE")
    assert done.returncode == 1
    assert "gradients.params.W_oh, entry " in done.stdout
    nan = source.replace("o * (R(1.0) - o)", "o * (R(0.0) / (o - o))")
    assert outcome(nan, "lstm", tmp_path).returncode == 1


def test_too_little_memory_is_said(tmp_path):
    source = self_tested(cell_named("rnn"), C, source_of("rnn"))
    done = outcome(source, "rnn", tmp_path, "MAIN_BYTES=64")
    assert done.returncode == 2
    assert "define RNN_MAIN_BYTES larger" in done.stdout


def test_numbers_are_written_so_that_they_read_back():
    for value in (0.1, -3.0, 1e-30, 2.0**60):
        assert float(self_test._literal(value)) == value


def test_a_language_without_one_says_so():
    with pytest.raises(ValueError, match="target numpy: its files have no self-test"):
        self_tested(cell_named("rnn"), NUMPY, "")
