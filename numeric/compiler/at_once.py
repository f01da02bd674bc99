"""All steps at once: the part of an emitted module that is the same in NumPy's words and JAX's.

In: a derivation, or the passes of a module. Out: the structure of the step Jacobian that a scan
over time goes by; the lines of a header; `forward` and `backward` over `_step_forward` and
`_step_backward`, which are those passes at one step, the steps standing side by side as samples.
States are found by Newton's method on the whole trajectory, each iteration one scan over time;
cotangents go back by one scan more. k iterations make the first k steps exact, so that T always
suffice, whatever the numbers are.

Source: Lim, Zhu, Selfridge, Kasim 2023, arXiv:2309.12252 (DEER); Blelloch 1990 for the scan.
"""

from __future__ import annotations

from typing import Final

from derive.calculus.structure import BLOCK, DENSE, structure
from derive.calculus.through_time import Derivation
from numeric.compiler.argument_checks import shown_line
from numeric.compiler.target import Header

NUMPY_LOOP: Final = "while going(now):\n        now = sweep(now)"
JAX_LOOP: Final = "now = jax.lax.while_loop(going, sweep, now)"
NUMPY_GUESS: Final = "for _ in range(EVALUATIONS):\n        states = image(states)"
JAX_GUESS: Final = (
    "states = jax.lax.fori_loop(0, EVALUATIONS, lambda _, states: image(states), states)"
)


def scanned(derivation: Derivation) -> str:
    """The structure that the scan goes by: blocks by unit where all states have one size."""
    shapes = {state.shape for state in derivation.cell.states}
    apart = not derivation.has_matrices and len(shapes) == 1 and structure(derivation) != DENSE
    return BLOCK if apart else DENSE


def at_once_lines(at_once: str) -> tuple[str, ...]:
    """What a header says of it."""
    first, second = _SCANNED[at_once]
    return (
        "All steps at once: Newton's method on the whole trajectory, one scan over time in each",
        f"iteration; {first}",
        f"{second} The iterations stop where a step is at rounding, after T at the latest: k of",
        "them make the first k steps exact. `bptt parallel` says how many a net needs, and after",
        "how many EVALUATIONS of the step.",
    )


_SCANNED: Final = {
    DENSE: ("the step Jacobians are dense, matrices of the whole state, N³ operations for each",
            "two that are joined."),
    BLOCK: ("units do not meet in the step Jacobian: a small block for each, of its states",
            "alone."),
}  # fmt: skip


def at_once(header: Header, guess: str, loop: str) -> str:
    """`forward` and `backward` over all steps at once, in NumPy's words but for these two.

    `guess`: the evaluations before the first iteration; `loop`: the iterations.
    """
    names = "{**STATES, **OUTPUTS}" if header.declared.get("OUTPUTS") else "STATES"
    text = _DRIVER.replace("{returned}", names).replace("{guess}", guess).replace("{loop}", loop)
    text = text.replace("{none}", header.sizes()).replace("{known}", header.sizes("T", "B"))
    text = text.replace("{shown}", "".join(f"\n    {line}" for line in shown_line(header.declared)))
    return text + (_WHOLE if header.at_once == DENSE else _BY_UNIT)


def renamed(passes: str) -> str:
    """The passes of a module, as what goes one step."""
    inner = passes.replace("def forward(", "def _step_forward(")
    return inner.replace("def backward(", "def _step_backward(")


_DRIVER: Final = '''
EVALUATIONS = 1  # of the step at all times at once, before the first iteration


def forward(params, inputs, initial=None, constants=None):
    """The states of every step, found together, and the tape that `backward` needs."""
    sizes, kinds = {none}, {}
    params = _take("params", params, PARAMETERS, (), sizes, kinds)
    inputs = _take("inputs", inputs, INPUTS, ("T", "B"), sizes, kinds)
    initial = _take("initial", initial, STATES, ("B",), sizes, kinds, optional=True)
    constants = _take("constants", constants, CONSTANTS, (), sizes, kinds){shown}
    like, T, B = next(iter((*inputs.values(), *params.values()))), sizes["T"], sizes["B"]
    if not T * B:
        states, tape = _step_forward(params, inputs, initial, constants)
        return states, {"states": states, "empty": tape}
    side = [_side_by_side(inputs, {}, T, B), _side_by_side(constants, CONSTANTS, T, B)]
    first, zeros = {}, {}
    for name, dims in STATES.items():
        shape = [sum(sizes[part] for part in size.split("+")) for size in dims]
        zeros[name] = np.zeros_like(like, shape=(T, B, *shape))
        first[name] = initial.get(name, zeros[name][0])
    exact = like.dtype == object
    unit = 0 if exact else np.finfo(like.dtype).eps

    def image(states):
        """F_t(s_{t−1}) of every t, whatever the states of the steps are."""
        found, _ = _all_steps(params, side, first, states)
        return {name: found[name] for name in STATES}

    def going(now):
        return (now[1] < T) & ~now[2]

    def sweep(now):
        """One iteration: how far each step is from its image, solved for all steps by a scan."""
        states, sweeps, settled, longest = now
        image, tape = _all_steps(params, side, first, states)
        residual = _joined({name: image[name] - states[name] for name in STATES})
        step = _split(_scan(_jacobians(params, tape, states), residual), states)
        moved = {name: states[name] + step[name] for name in STATES}
        if exact:
            return moved, sweeps + 1, settled, longest
        for name in STATES:  # where it overflows, the image; later iterations mend it
            known = (np.arange(T) <= sweeps).reshape(T, *[1] * (image[name].ndim - 1))
            other = np.where(np.isfinite(image[name]) | known, image[name], 0)
            moved[name] = np.where(np.isfinite(moved[name]), moved[name], other)
        length = np.stack([_relative(step[name], moved[name], unit) for name in STATES]).max()
        small = (length <= unit**0.5) & (length >= longest / 2)
        return moved, sweeps + 1, small | (length <= 4 * unit), length

    states = zeros  # and the first guess F_t(0), and F_t of that, …
    {guess}
    longest = np.inf if exact else np.zeros_like(np.abs(like), shape=()) + np.inf
    now = (states, np.asarray(0), np.asarray(False), longest)
    {loop}
    states, tape = _all_steps(params, side, first, now[0])
    return states, {"states": states, "step": tape, "sweeps": now[1]}


def backward(params, tape, cotangents):
    """The gradients of L, from cotangents[s][t] = ∂L/∂s_t at each step; back in one scan."""
    try:
        states = {name: tape["states"][name] for name in STATES}
    except (TypeError, KeyError):
        raise ValueError("tape: expected what forward returned") from None
    like = next(iter(states.values()))
    T, B = like.shape[:2]
    sizes, kinds = {known}, {like.dtype: "forward"}
    params = _take("params", params, PARAMETERS, (), sizes, kinds)
    for name, dims in STATES.items():
        sizes.update({d: k for d, k in zip(dims, states[name].shape[2:]) if "+" not in d})
    cotangents = _take(
        "cotangents", cotangents, {returned}, ("T", "B"), sizes, kinds, optional=True
    )
    if "empty" in tape:
        return _step_backward(params, tape["empty"], cotangents)
    bars = {name: np.zeros_like(state) + cotangents.get(name, 0)
            for name, state in states.items()}
    given = {name: bar.reshape(1, T * B, *bar.shape[2:])
             for name, bar in cotangents.items() if name not in STATES}
    if given:  # what is returned besides looks back one step of its own
        found = _step_backward(params, tape["step"], given)["initial"]
        for name, bar in found.items():
            bar = bar.reshape(bars[name].shape)
            bars[name] = bars[name] + np.concatenate((bar[1:], np.zeros_like(bar[:1])))
    J = np.swapaxes(_jacobians(params, tape["step"], states), -1, -2)[::-1]
    J = np.concatenate((J[-1:], J[:-1]))  # λ_t = g_t + J_{t+1}ᵀ λ_{t+1}
    bars = _split(_scan(J, _joined(bars)[::-1])[::-1], states)
    given.update({name: bar.reshape(1, T * B, *bar.shape[2:]) for name, bar in bars.items()})
    found = _step_backward(params, tape["step"], given)
    for name, bar in found["inputs"].items():
        found["inputs"][name] = bar.reshape(T, B, *bar.shape[2:])
    for name, bar in found["initial"].items():
        found["initial"][name] = bar[:B]
    return found


def _side_by_side(group, declared, T, B):
    """Arrays over time as one step of T·B samples; what knows no time as it is."""
    made = {}
    for name, array in group.items():
        dims = declared.get(name, ("T", "B"))
        if dims[:1] == ("T",):
            if name in declared and array.ndim == len(dims):
                array = np.broadcast_to(array[:, None], (T, B, *array.shape[1:]))
            array = array.reshape(1, T * B, *array.shape[2:])
        made[name] = array
    return made


def _all_steps(params, side, first, states):
    """F_t(s_{t−1}) of every t, and the tape of one step."""
    before = {}
    for name, state in states.items():
        shifted = np.concatenate((first[name][None], state[:-1]))
        before[name] = shifted.reshape(-1, *state.shape[2:])
        T, B = state.shape[:2]
    found, tape = _step_forward(params, side[0], before, side[1])
    return {name: rows.reshape(T, B, *rows.shape[2:]) for name, rows in found.items()}, tape


def _relative(step, moved, unit):
    """How far a state moved, the most of any unit's trajectory beside its largest entry.

    Each by itself: beside a unit a million times larger none would seem to move. What is below
    the rounding of its sample is measured by that.
    """
    step, moved = np.abs(step).max(axis=0), np.abs(moved).max(axis=0)
    axes = tuple(range(1, moved.ndim))
    least = 4 * unit**0.5 * moved.max(axis=axes, keepdims=True, initial=0)
    scale = np.maximum(moved, least)
    return (step / np.where(scale > 0, scale, 1)).max(initial=0)


def _scan(A, b):
    """d_t = A_t d_{t−1} + b_t for all t: maps of 1, 2, 4, … steps are joined, log₂ T times."""
    reach = 1
    while reach < len(b):
        b = np.concatenate((b[:reach], b[reach:] + (A[reach:] @ b[:-reach, ..., None])[..., 0]))
        A = np.concatenate((A[:reach], A[reach:] @ A[:-reach]))
        reach *= 2
    return b


def _row(params, tape, states, name, seed):
    """A cotangent of one state, the same at every step, carried back a step: (T, B, …)."""
    T, B = states[name].shape[:2]
    wide = np.broadcast_to(seed, states[name].shape).reshape(1, T * B, *states[name].shape[2:])
    found = _step_backward(params, tape, {name: wide})["initial"]
    return _joined({k: bar.reshape(T, B, *bar.shape[1:]) for k, bar in found.items()})

'''

_WHOLE: Final = '''
def _joined(states):
    """All states of a sample in one column: (T, B, N)."""
    return np.concatenate(
        [states[name].reshape(*states[name].shape[:2], -1) for name in STATES], axis=-1
    )


def _split(columns, states):
    """A column cut into the states, each in its own shape."""
    made, start = {}, 0
    for name in STATES:
        width = states[name][0, 0].size
        made[name] = columns[..., start : start + width].reshape(states[name].shape)
        start += width
    return made


def _jacobians(params, tape, states):
    """∂s_t/∂s_{t−1} of every t, (T, B, N, N): a row for each unit vector carried back a step."""
    rows = []
    for name in STATES:
        zero = np.zeros_like(states[name][0, 0])
        for unit in range(zero.size):
            seed = zero + (np.arange(zero.size) == unit).reshape(zero.shape)
            rows.append(_row(params, tape, states, name, seed))
    return np.stack(rows, axis=-2)

'''

_BY_UNIT: Final = '''
def _joined(states):
    """The states of each unit together: (T, B, n, k)."""
    return np.stack([states[name] for name in STATES], axis=-1)


def _split(columns, states):
    """The states apart again."""
    return {name: columns[..., place] for place, name in enumerate(STATES)}


def _jacobians(params, tape, states):
    """∂s_t/∂s_{t−1} of every t by unit, (T, B, n, k, k).

    Units do not meet, so that ones carried back a step give a row of every unit's block.
    """
    ones = {name: np.zeros_like(states[name][0, 0]) + 1 for name in STATES}
    rows = [_row(params, tape, states, name, ones[name]) for name in STATES]
    return np.stack(rows, axis=-2)

'''
