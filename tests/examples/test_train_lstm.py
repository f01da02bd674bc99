"""examples/train_lstm.c: an emitted LSTM in a C program, built, run, and learning."""

import subprocess

from c_code import COMPILERS, needs_compiler, source_of
from import_graph import ROOT

from numeric.compiler.to_c.interface import header_text


@needs_compiler
def test_a_c_program_trains_the_emitted_lstm(tmp_path):
    source = source_of("lstm")
    (tmp_path / "lstm.c").write_text(source, encoding="utf-8")
    (tmp_path / "lstm.h").write_text(header_text(source), encoding="utf-8")
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", f"-I{tmp_path}"]
    program = tmp_path / "train"
    command = [COMPILERS[0], *flags, str(ROOT / "examples" / "train_lstm.c"),
               str(tmp_path / "lstm.c"), "-o", str(program), "-lm"]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    done = subprocess.run([program], check=False, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.startswith("loss ")
