"""Sources one by one, and the recursion that tutorials copy."""

from __future__ import annotations

import pytest

from derive import catalogue, differentiate
from derive.typeset.text import Text
from reports.sections.facts import Facts
from reports.sections.literature import apart, dropped, drops


@pytest.mark.parametrize(("given", "told"), [
    ("A 1997, B 9; forget gate: C 2000", ["A 1997, B 9", "Forget gate: C 2000"]),
    ("A 2014, arXiv:1; z weighs the new: B 2014", ["A 2014, arXiv:1", "z weighs the new: B 2014"]),
    ("A 2024, NeurIPS; keys are normalised there", ["A 2024, NeurIPS; keys are normalised there"]),
    ("A 2024；键已归一化；B 2023", ["A 2024；键已归一化", "B 2023"]),
])  # fmt: skip
def test_what_has_no_year_is_said_of_the_source_before(given, told):
    assert apart(given) == told


def test_the_copied_recursion_names_its_gap():
    facts = Facts(differentiate(catalogue["lstm"]))
    assert drops(facts)
    _, alone, _, lost, number = dropped(facts)
    assert Text()(alone) == "δ_{t−1} = (∂h_t/∂h_{t−1})ᵀ δ_t"
    assert Text()(facts.layout.of(lost)) == "c_t"
    step = facts.derivation.steps[number - 1]
    assert step.number == number
    assert "c" in step.equation.target.args[0].name
    for name in ("rnn", "mlstm"):  # no second state; two that do not read each other
        assert not drops(Facts(differentiate(catalogue[name])))
