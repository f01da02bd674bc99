"""Final states of a network: results with cotangents of their own, in programs and in modules."""

from dataclasses import replace

import numpy as np
import pytest
from c_code import DTYPES, largest_error, needs_compiler, network_case, network_result
from profiles import by_day
from run_program import run_program

from derive.cell import Cell, catalogue
from derive.network import Network
from numeric.compiler.final_states import FINAL_COTANGENTS, with_final_states
from numeric.compiler.kernel import compile_network
from numeric.compiler.network import compose
from numeric.compiler.padding import masked
from numeric.compiler.passes import FUSED
from numeric.compiler.program import FINAL, Carry, initial_name
from numeric.verification.cases import Case
from numeric.verification.problems.of_network import NetworkProblem
from numeric.verification.verify import TOLERANCES
from numeric.verification.watch import Guard, subject_of

STYLES = ("textbook", "fused", "stable")
READ = Cell.parse(
    name="read", equations="h = tanh(W @ h_prev + U @ x)\ny = V @ h + c", outputs=("y",)
)
KINDS = {
    "lstm, two layers": Network(catalogue["lstm"], 2, final=True),
    "gru, two layers": Network(catalogue["gru"], 2, final=True),
    "lstm, both ways": Network(catalogue["lstm"], 2, True, final=True),
    "embedding and dropout": Network(catalogue["rnn"], 2, embedding=True, dropout=True, final=True),
    "matrix states": Network(catalogue["mlstm"], 1, final=True),
    "an output": Network(READ, 2, final=True),
    "squares of the last step": Network(
        catalogue["rnn"], 2, readout="linear", loss="squared_error", loss_at="last", final=True
    ),
    "a size of one name with an array": Network(
        Cell.parse(name="named", equations="T = tanh(W @ T_prev + B @ t)", inputs=("t",)), 2,
        final=True,
    ),
}  # fmt: skip
EVERY = pytest.mark.parametrize("kind", KINDS)


def case_of(network: Network, *, steps: int = 5, batch: int = 3, seed: int = 1) -> Case:
    problem = NetworkProblem(network, final=True)
    return problem.case(problem.ordinary_sizes(), steps=steps, batch=batch, seed=seed)


def call(module, case: Case):
    return module.loss_and_gradient(
        case.params, case.inputs, case.targets, case.initial, case.constants or None,
        case.lengths, case.cotangents or None,
    )  # fmt: skip


def agree(got, want, tolerance: float = 1e-12) -> None:
    assert got.keys() == want.keys()
    for name, array in got.items():
        assert np.shape(array) == np.shape(want[name])
        scale = np.max(np.abs(want[name]), initial=0)
        assert np.max(np.abs(array - want[name]), initial=0) <= tolerance * scale, name


def flat(gradients):
    return {
        f"{group}.{name}": a for group, arrays in gradients.items() for name, a in arrays.items()
    }


def meaning(program, case: Case):
    """Every result of the program by the interpreter, keyed by group and key."""
    outside = case.outside[:, :, None]
    given = {"outside": outside, "ends": case.ends - 1, "targets": case.targets}
    for argument in program.arguments:
        home = {"indices": "inputs", FINAL_COTANGENTS: "cotangents"}.get(
            argument.group, argument.group
        )
        if home in {"params", "inputs", "initial", "constants", "cotangents"}:
            value = getattr(case, home)[argument.key]
            if home == "constants" and np.ndim(value) == 2:
                value = np.broadcast_to(value[:, None], (case.steps, case.batch, value.shape[-1]))
            given[argument.name] = value
    values = run_program(program, given, {**case.sizes, "T": case.steps, "B": case.batch})
    return {f"{r.group}.{r.key}": values[r.name] for r in program.results}


@pytest.mark.by_default(
    "embedding and dropout",
    "an output",
    "squares of the last step",
    "a size of one name with an array",
)
@EVERY
def test_modules_and_passes_mean_what_the_program_means(kind: str) -> None:
    network = KINDS[kind]
    case = case_of(network)
    program = compose(network)
    wanted = meaning(masked(program), case)
    for improve in FUSED:
        program = improve(program)
        agree(meaning(masked(program), case), wanted, 1e-11)
    for style in STYLES:
        loss, gradients, final = call(compile_network(network, style).module, case)
        got = {"loss.loss": loss, **flat(gradients)}
        agree(got | {f"{FINAL}.{name}": array for name, array in final.items()}, wanted, 1e-11)


@EVERY
def test_gradients_are_the_slopes_of_the_loss_and_of_what_comes_later(kind: str) -> None:
    network = KINDS[kind]
    module, case = compile_network(network).module, case_of(network)

    def along(moved: Case) -> float:
        loss, _, final = call(module, moved)
        return loss + sum(np.sum(case.cotangents[name] * final[name]) for name in final)

    _, gradients, _ = call(module, case)
    random = np.random.default_rng(0)
    for group, name, value in case.groups():
        way = random.normal(size=value.shape)
        ahead, behind = (along(case.moved({(group, name): value + h * way})) for h in (1e-5, -1e-5))
        slope, found = (ahead - behind) / 2e-5, np.sum(gradients[group][name] * way)
        assert abs(slope - found) <= 1e-7 * max(np.linalg.norm(gradients[group][name]), 1e-2), name


@EVERY
def test_a_final_state_is_that_of_the_sample_alone(kind: str) -> None:
    network = KINDS[kind]
    module, case = compile_network(network).module, case_of(network)
    case = replace(case, lengths=np.array([5, 2, 1]))
    _, _, final = call(module, case)
    for sample, length in enumerate(case.lengths):

        def cut(array, sample=sample, length=length):
            return array[:length, sample : sample + 1]

        alone = replace(
            case, steps=length, batch=1, lengths=None, cotangents={},
            inputs={n: cut(a) for n, a in case.inputs.items()},
            initial={n: a[sample : sample + 1] for n, a in case.initial.items()},
            constants={n: cut(a) if a.ndim == 3 else a[:length] for n, a in case.constants.items()},
            targets=case.targets[sample : sample + 1] if network.loss_at == "last"
            else cut(case.targets),
        )  # fmt: skip
        agree(call(module, alone)[2], {n: a[sample : sample + 1] for n, a in final.items()})


CHAINED = [kind for kind in KINDS if not KINDS[kind].bidirectional and KINDS[kind].loss_at == "all"]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kind", by_day(CHAINED, 2))
def test_two_segments_have_the_gradient_of_the_whole(kind: str, style: str) -> None:
    network = KINDS[kind]
    module = compile_network(network, style).module
    case = replace(case_of(network), lengths=None)
    where = 2

    def part(first: bool, **more) -> Case:
        def cut(array):
            return array[:where] if first else array[where:]

        return replace(
            case, steps=where if first else case.steps - where, targets=cut(case.targets),
            inputs={name: cut(array) for name, array in case.inputs.items()},
            constants={name: cut(array) for name, array in case.constants.items()}, **more,
        )  # fmt: skip

    loss, gradients, final = call(module, case)
    loss_1, _, between = call(module, part(True, cotangents={}))
    loss_2, second, end = call(module, part(False, initial=between))
    again, first, _ = call(module, part(True, cotangents=second["initial"]))
    assert again == loss_1
    assert loss == pytest.approx(loss_1 + loss_2, rel=1e-13)
    agree(end, final)
    agree({n: first["params"][n] + second["params"][n] for n in first["params"]},
          gradients["params"], 1e-11)  # fmt: skip
    agree(first["initial"], gradients["initial"], 1e-11)
    agree({n: np.concatenate((first["inputs"][n], second["inputs"][n])) for n in first["inputs"]},
          gradients["inputs"], 1e-11)  # fmt: skip


def test_the_last_segment_of_two_directions_takes_what_comes_later() -> None:
    network = KINDS["lstm, both ways"]
    module, case = compile_network(network).module, case_of(network)
    _, plain, _ = call(module, replace(case, cotangents={}))
    _, weighed, final = call(module, case)
    name = "layer1.reverse.h"
    assert np.any(plain["initial"][name] != weighed["initial"][name])
    only = {name: case.cotangents[name]}
    _, one, _ = call(module, replace(case, cotangents=only))
    untouched = (
        "params.layer1.W_fh"  # the forward half of the top layer never meets the reverse one
    )
    np.testing.assert_array_equal(flat(one)[untouched], flat(plain)[untouched])
    assert {*final} == {*module.STATES}


@pytest.mark.parametrize("style", STYLES)
@EVERY
def test_without_steps_or_samples(kind: str, style: str) -> None:
    network = KINDS[kind]
    module = compile_network(network, style).module
    if network.loss_at == "all":
        case = replace(case_of(network, steps=0, batch=2), lengths=None)
        loss, gradients, final = call(module, case)
        assert loss == 0
        agree(final, case.initial, 0)
        agree(gradients["initial"], case.cotangents, 0)
        assert not any(np.any(array) for array in gradients["params"].values())
        for given, got in ((case.initial, final), (case.cotangents, gradients["initial"])):
            assert not any(np.shares_memory(given[name], got[name]) for name in got)
    case = replace(case_of(network, batch=0), lengths=None)
    _, gradients, final = call(module, case)
    assert {n: a.shape for n, a in final.items()} == {n: a.shape for n, a in case.initial.items()}
    assert not any(np.any(array) for array in gradients["params"].values())


def test_what_is_left_out_is_zero() -> None:
    network = KINDS["lstm, two layers"]
    module, case = compile_network(network).module, case_of(network)
    zeros = {name: np.zeros_like(bar) for name, bar in case.cotangents.items()}
    _, nothing, _ = call(module, replace(case, cotangents={}))
    _, zero, _ = call(module, replace(case, cotangents=zeros))
    agree(flat(nothing), flat(zero), 0)
    plain = compile_network(replace(network, final=False)).module
    agree(flat(plain.loss_and_gradient(
        case.params, case.inputs, case.targets, case.initial, None, case.lengths
    )[1]), flat(nothing), 0)  # fmt: skip
    one = {"layer1.c": case.cotangents["layer1.c"]}
    _, some, _ = call(module, replace(case, cotangents=one))
    _, rest, _ = call(module, replace(case, cotangents=zeros | one))
    agree(flat(some), flat(rest), 0)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"layer0.z": (3, 3)}, "final_cotangents: unknown name 'layer0.z'"),
        ({"layer0.h": (5, 3, 3)}, r"final_cotangents\['layer0.h'\]: expected shape \(B, n\)"),
        ({"layer0.h": (3, 3, "f4")}, r"final_cotangents\['layer0.h'\]: expected float64"),
        ({"layer0.h": (3, 3, "i8")}, r"final_cotangents\['layer0.h'\]: expected float32 or"),
        ([1.0], "final_cotangents: expected a dict"),
    ],
)
def test_wrong_cotangents_are_refused_by_name(given, says: str) -> None:
    network = Network(catalogue["rnn"], 2, final=True)
    module, case = compile_network(network).module, case_of(network)
    bars = given
    if isinstance(given, dict):
        bars = {
            name: np.zeros([s for s in shape if isinstance(s, int)],
                           next((s for s in shape if isinstance(s, str)), float))
            for name, shape in given.items()
        }  # fmt: skip
    with pytest.raises(ValueError, match=says):
        module.loss_and_gradient(
            case.params, case.inputs, case.targets, case.initial, None, None, bars
        )


@pytest.mark.by_default("squares of the last step")
@needs_compiler
@pytest.mark.parametrize("kind", by_day(KINDS, 2))
def test_c_means_what_numpy_means(kind: str) -> None:
    network = KINDS[kind]
    plain, compiled = (compile_network(network, "fused", target) for target in ("numpy", "c"))
    for dtype in DTYPES:
        for steps, batch in ((4, 3), (40, 7)):
            for bars in (lambda all_of: all_of, lambda all_of: dict([*all_of.items()][1:])):
                case = network_case(network, 9, steps=steps, batch=batch, dtype=dtype)
                case = replace(case, cotangents=bars(case.cotangents))
                want, got = (network_result(kernel, case) for kernel in (plain, compiled))
                assert {*got} == {"loss", "params", "inputs", "initial", FINAL}
                assert largest_error(got, want) < 10 * TOLERANCES[dtype], (dtype, steps)


@needs_compiler
def test_final_states_in_c_are_nobody_elses_memory() -> None:
    network = KINDS["gru, two layers"]
    module, case = compile_network(network, "fused", "c").module, case_of(network)
    _, _, first = call(module, case)
    kept = {name: array.copy() for name, array in first.items()}
    call(module, case_of(network, seed=2))
    agree(first, kept, 0)


@pytest.mark.parametrize("style", STYLES)
def test_the_docstring_shows_how_to_train_over_segments(style: str) -> None:
    network = Network(catalogue["rnn"], 2, embedding=True, final=True)
    module = compile_network(network, style).module
    text = module.__doc__
    shown = text[text.index("To use it:") :].splitlines()[2:]
    code = "\n".join(
        line.removeprefix("    ") for line in shown if line.startswith("    ") or not line
    )
    case = replace(case_of(network), lengths=None)
    parts = [({"x": case.inputs["x"][cut]}, case.targets[cut]) for cut in (np.s_[:2], np.s_[2:])]
    (inputs_1, targets_1), (inputs_2, targets_2) = parts
    held = {
        **vars(module), "params": {n: a.copy() for n, a in case.params.items()},
        "inputs": case.inputs, "targets": case.targets, "segments": parts, "inputs_1": inputs_1,
        "inputs_2": inputs_2, "targets_1": targets_1, "targets_2": targets_2,
        "print": lambda *told: None,
    }  # fmt: skip
    exec(compile(code, "docstring", "exec"), held)
    whole = module.loss_and_gradient(held["params"], case.inputs, case.targets)
    agree({n: held["first"]["params"][n] + held["second"]["params"][n] for n in whole[1]["params"]},
          whole[1]["params"], 1e-10)  # fmt: skip


def test_no_docstring_carries_a_reverse_layer_over_a_cut() -> None:
    text = compile_network(Network(catalogue["rnn"], 1, True, final=True)).module.__doc__
    assert "initial=final" not in text
    assert "A reverse layer begins where the sequence ends" in text


def test_nothing_changes_where_it_is_not_asked_for() -> None:
    network = Network(catalogue["lstm"], 2)
    plain, asked = compose(network), compose(replace(network, final=True))
    assert with_final_states(plain) == asked
    assert replace(
        asked, arguments=plain.arguments, results=plain.results, dims=plain.dims,
        blocks=tuple(
            replace(b, carries=tuple(Carry(c.name, c.update) for c in b.carries))
            for b in asked.blocks
        ),
    ) == plain  # fmt: skip
    for text in (compile_network(network).source, network.name):
        assert "final" not in text


def test_a_carry_that_starts_from_nothing_is_refused() -> None:
    program = compose(Network(catalogue["rnn"], final=True))
    fewer = tuple(a for a in program.arguments if a.group != FINAL_COTANGENTS)
    with pytest.raises(ValueError, match=r"a carry starts from .*, never given"):
        replace(program, arguments=fewer)
    assert {c.start for b in program.blocks for c in b.carries} == {
        initial_name("layer0_h_bar_carry")
    }


def test_a_guard_sees_shapes_and_shared_memory_of_final_states() -> None:
    network = Network(catalogue["rnn"], final=True)
    module, case = compile_network(network).module, case_of(network)
    problem = NetworkProblem(network, final=True)
    outputs, _ = problem.call(Guard(subject_of(module, problem.functions)), case)
    assert {*outputs} == {"L", "layer0.h"}
