"""Networks that do not do all of the interface are judged as far as they go, and told how far."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from profiles import by_day

from derive import catalogue
from derive.network import Network
from numeric.compiler.kernel import compile_network
from numeric.compiler.target import load
from numeric.verification.batch_first import batch_first
from numeric.verification.verdict import diagnoses
from numeric.verification.verify import verify
from numeric.verification.watch import Subject, subject_of

RNN = catalogue["rnn"]
DECLARED = '"layer0.W": ("n", "n")'
END, B_BAR = "return loss, {", '"layer0.b": layer0_b_bar'


@pytest.mark.by_default(
    "writes to its argument params",
    r"expected shape \\(\\), came \\(1,\\)",
    "loss is not zero at T = 3",
    "unknown name 'layer0.W'",
)
@pytest.mark.parametrize(
    ("old", "new", "status", "says"),
    by_day([
        (END, f"params['layer0.b'] += 1; {END}", "partial", "writes to its argument params"),
        (END, f"lengths[:] = T; {END}", "partial", "writes to its argument lengths"),
        (END, f"targets[:] = 0; {END}", "partial", "writes to its argument targets"),
        (END, "return loss[None], {", "partial", r"expected shape \(\), came \(1,\)"),
        (END, "return {", "inconclusive", r"expected \(loss, gradients\)"),
        (END, "return loss.astype(float), {", "partial", "expected dtype float32, came float64"),
        (B_BAR, f"{B_BAR}[:1]", "fail", r"expected shape \(3,\)"),
        (B_BAR, '"layer0.b": layer0_b', "fail", "is not zero at T = 0"),
        (B_BAR, '"layer0.b": None', "partial", r"returns no params\['layer0.b'\]"),
        (DECLARED, DECLARED.replace("W", "w"), "inconclusive", "unknown name 'layer0.W'"),
        ("np.full(B, T)", "np.full(B, min(T, 1))", "fail", "without lengths: other"),
        ('initial.get("layer0.h", 0)', 'initial.get("layer0.h", 1)', "partial", "without initial"),
        (END, f"loss = loss + (B == 0); {END}", "fail", "loss is not zero at T = 3"),
        (END, f"1 / T; {END}", "partial", "with T = 0 raised ZeroDivisionError"),
        ('initial.get("layer0.h", 0)', "0", "partial", r"starts from layer0.h_0 = 0"),
        (END, f"assert T == lengths.min(); {END}", "partial", "raised AssertionError"),
    ], 3),
)  # fmt: skip
def test_misbehaviour_is_told_and_the_rest_is_judged(
    old: str, new: str, status: str, says: str
) -> None:
    network = Network(RNN, readout="linear", loss="squared_error")
    source = compile_network(network, "textbook").source
    assert old in source
    verdict = verify(load(source.replace(old, new), "mutant"), network=network)
    assert verdict.status == status
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(verdict.checks["interface"].reason)
    wrong = {name for name, gradient in verdict.gradients.items() if gradient.status == "fail"}
    assert wrong <= {"params.layer0.b"} or "lengths" in says
    if status == "partial":
        judged = {name for name, found in verdict.gradients.items() if found.status == "pass"}
        assert judged >= {*verdict.gradients} - {"params.layer0.b", "initial.layer0.h"}


def test_a_wrong_gradient_fails_beside_what_is_not_judged() -> None:
    network = Network(RNN, readout="linear", loss="squared_error")
    source = compile_network(network, "textbook").source
    named = '"layer0.U": layer0_U_bar'
    assert source.count(named) == 1
    half = source.replace(named, f"{named} / 2").replace(B_BAR, '"layer0.b": None')
    verdict = verify(load(half, "mutant"), network=network)
    assert verdict.status == "fail"
    assert "params.layer0.b" in verdict.unjudged
    failed = [name for name, gradient in verdict.gradients.items() if gradient.status == "fail"]
    assert failed == ["params.layer0.U"]


P = "found['params']"
CLIPPED = f"{P} = {{n: np.clip(a, -1, 1) for n, a in {P}.items()}}"
SHORTER = (f"s = sum((a * a).sum() for a in {P}.values()) ** 0.5; s = min(1, 1 / s) if s else 1; "
           f"{P} = {{n: a * np.asarray(s, a.dtype) for n, a in {P}.items()}}")  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize(
    ("line", "status", "says"),
    by_day([
        (CLIPPED, "partial", "each entry is clipped to ±1; it is right where"),
        (SHORTER, "partial", "the norm of these gradients together is at most 1; it is right"),
        (CLIPPED + f"; {P}['layer0.W'][0] = 0", "fail", "each entry is clipped to ±1; it is right"),
        (f"{P} = {{n: 0.37 * a for n, a in {P}.items()}}", "fail", "multiplied by 37/100"),
    ], 4, 2),
)  # fmt: skip
@pytest.mark.whole_profile
def test_limits_on_whole_gradients_are_told_and_the_rest_is_judged(
    line: str, status: str, says: str
) -> None:
    network = Network(RNN)
    end = "\ndef _after(loss, found):\n    " + line + "\n    return loss, found\n"
    source = compile_network(network, "textbook").source.replace(END, "return _after(loss, {")
    source = source.replace("        },\n    }\n\n\n", "        },\n    })\n\n\n", 1) + end
    verdict = verify(load(source, "clipped"), network=network)
    assert verdict.status == status, verdict.summary()
    assert says in "\n".join(diagnoses({n: g.to_dict() for n, g in verdict.gradients.items()}))
    wrong = {name for name, found in verdict.gradients.items() if found.status == "fail"}
    assert wrong == ({"params.layer0.W"} if "[0] = 0" in line else wrong)
    assert ("exact" in verdict.checks) == ("0.37" in line)


def test_code_that_takes_no_lengths_is_judged_without() -> None:
    kernel = compile_network(Network(RNN))

    def full(params, inputs, targets, initial=None, constants=None):
        return kernel.loss_and_gradient(params, inputs, targets, initial, constants)

    verdict = verify(SimpleNamespace(loss_and_gradient=full), network=Network(RNN))
    assert (verdict.status, {*verdict.unjudged}) == ("partial", {"lengths"})
    assert "padding" not in verdict.checks


def test_a_module_that_declares_nothing_and_has_the_batch_first() -> None:
    network = Network(RNN)
    kernel = compile_network(network)

    def turned(params, inputs, targets, *others):
        loss, found = kernel.loss_and_gradient(
            params, {"x": inputs["x"].swapaxes(0, 1)}, targets.swapaxes(0, 1), *others
        )
        return loss, {**found, "inputs": {"x": found["inputs"]["x"].swapaxes(0, 1).copy()}}

    subject = Subject(
        subject_of(kernel, ("loss_and_gradient",)).declared, {"loss_and_gradient": turned}
    )
    verdict = verify(batch_first(subject), network=network)
    assert verdict.status in {"pass", "partial"}, verdict.summary()
    assert {gradient.status for gradient in verdict.gradients.values()} == {"pass"}
    assert verify(subject, network=network).status not in {"pass", "partial"}


def test_what_is_no_network_s_module_fails() -> None:
    nothing = SimpleNamespace(PARAMETERS={}, loss_and_gradient=lambda *given: None)
    verdict = verify(nothing, network=Network(RNN))
    assert verdict.status == "inconclusive"
    assert r"returned NoneType: expected (loss, gradients)" in verdict.checks["interface"].reason


# ---- in a process of its own -----------------------------------------------------------------
