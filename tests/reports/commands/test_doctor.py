"""`bptt doctor`: what this installation consists of."""

from __future__ import annotations

from typing import Any

from command_line import ROOT


def test_doctor_knows_where_the_packages_are(bptt: Any) -> None:
    data = bptt("doctor", "--json").data
    assert data["schema"] == "bptt.doctor/1"
    packages = ("derive", "numeric", "reports", "bptt")
    assert data["packages"] == {name: str(ROOT / name) for name in packages}
    assert {"python", "numpy", "sympy", "hypothesis"} <= {*data["versions"]}
