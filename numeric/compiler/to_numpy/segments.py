"""The part of an emitted NumPy module that goes through time in segments: Python text.

In: nothing. Out: `forward` and `backward` over `_segment_forward` and `_segment_backward`, which
are what `forward` and `backward` of a module without segments are.
"""

from __future__ import annotations

from typing import Final

from numeric.compiler.segments import Segments


def segmented(passes: str, segments: Segments, *, outputs: bool) -> str:
    """The passes of a module, and those over segments of time above them.

    `outputs`: whether the cell returns what is no state.
    """
    inner = passes.replace("def forward(", "def _segment_forward(")
    inner = inner.replace("def backward(", "def _segment_backward(")
    steps = f"{segments.steps}" if segments.steps else 'int(max(1, sizes["T"]) ** 0.5)'
    names = "{**STATES, **OUTPUTS}" if outputs else "STATES"
    text = _DRIVER.replace("{steps}", steps).replace("{returned}", names)
    return text.replace("{handed}", _CUT.format(segments.cut) if segments.cut else "") + inner


_CUT: Final = """
            if (start + steps) % {} == 0:  # truncated: no gradient goes back from here
                carried = {{}}"""

_DRIVER: Final = '''
def forward(params, inputs, initial=None, constants=None):
    """The states of every step; the tape holds those that segments begin with."""
    sizes, kinds = {}, {}
    params = _take("params", params, PARAMETERS, (), sizes, kinds)
    inputs = _take("inputs", inputs, INPUTS, ("T", "B"), sizes, kinds)
    initial = _take("initial", initial, STATES, ("B",), sizes, kinds, optional=True)
    constants = _take("constants", constants, CONSTANTS, (), sizes, kinds)
    steps = {steps}
    states, kept, before = {}, [], initial
    for start in range(0, max(sizes["T"], 1), steps):
        kept.append(before)
        part = _part(inputs, constants, start, start + steps)
        found, _ = _segment_forward(params, part[0], before, part[1])
        before = {}
        for name, rows in found.items():
            if name not in states:
                states[name] = np.empty_like(rows, shape=(sizes["T"], *rows.shape[1:]))
            states[name][start : start + steps] = rows
            if len(rows) and name in STATES:
                before[name] = np.empty_like(rows[-1])
                before[name][...] = rows[-1]
    like = next(iter((*inputs.values(), *params.values())))
    return states, {
        "sizes": sizes, "like": like, "steps": steps, "kept": kept,
        "inputs": inputs, "constants": constants,
    }


def backward(params, tape, cotangents):
    """The gradients of L; each segment is computed again from the states it begins with."""
    try:
        sizes, like, steps, kept = (tape[k] for k in ("sizes", "like", "steps", "kept"))
    except (TypeError, KeyError):
        raise ValueError("tape: expected what forward returned") from None
    kinds = {like.dtype: "forward"}
    params = _take("params", params, PARAMETERS, (), dict(sizes), kinds)
    cotangents = _take(
        "cotangents", cotangents, {returned}, ("T", "B"), dict(sizes), kinds, optional=True
    )
    totals, over_time, carried = {}, {}, {}
    for number in reversed(range(len(kept))):
        start = number * steps
        part = _part(tape["inputs"], tape["constants"], start, start + steps)
        _, inner = _segment_forward(params, part[0], kept[number], part[1])
        bars = {name: rows[start : start + steps] for name, rows in cotangents.items()}
        if number + 1 < len(kept):{handed}
            for name, bar in carried.items():
                own = np.zeros_like(like, shape=(steps, *bar.shape))
                if name in bars:
                    own[...] = bars[name]
                own[-1] = own[-1] + bar
                bars[name] = own
        found = _segment_backward(params, inner, bars)
        for name, bar in found["params"].items():
            totals[name] = np.asanyarray(totals[name] + bar) if name in totals else bar
        for name, rows in found["inputs"].items():
            if name not in over_time:
                over_time[name] = np.empty_like(rows, shape=(sizes["T"], *rows.shape[1:]))
            over_time[name][start : start + steps] = rows
        carried = found["initial"]
    return {"params": totals, "inputs": over_time, "initial": carried}


def _part(inputs, constants, start, stop):
    """Inputs and constants of the steps of one segment."""
    cut = {name: array[start:stop] for name, array in inputs.items()}
    return cut, {
        name: array[start:stop] if CONSTANTS[name][:1] == ("T",) else array
        for name, array in constants.items()
    }


'''
