"""The LSTM by a careful hand in NumPy, the matrix products alone, and the cores' limit.

In: a `Task`. Out: functions without arguments that run forward and backward once, or as much of
it as nobody can do without.
"""

from __future__ import annotations

import ctypes
import re
from typing import Any, Final

import numpy as np
from tasks import GATES, Arrays, Run, Task

from numeric.compiler.to_c.build import library
from numeric.compiler.to_c.crew import crew
from numeric.compiler.to_c.loading import load
from numeric.compiler.to_c.threads import FEWEST, LEAST_IN_PLACE, most_threads


def by_hand(task: Task) -> Run:
    """The LSTM as a careful person writes it in NumPy.

    Gates stacked; the input's products for all t in one; σ(a) = (1 + tanh(a/2))/2 with the half
    in the weights, so that one tanh serves all four gates; each gate's values contiguous; the
    weights' gradients in one product after the loop; nothing allocated inside the loops.
    """
    T, B, m, n, dtype = task.steps, task.batch, task.inputs, task.size, task.dtype

    def run() -> Arrays:
        W, U, b = task.stacked("fioc")
        half = np.ones((4 * n, 1), dtype)
        half[: 3 * n] = 0.5
        W_half = np.ascontiguousarray((half * W).T)
        from_x = task.x.reshape(T * B, m) @ (half * U).T
        from_x += b * half[:, 0]
        from_x = from_x.reshape(T, B, 4 * n)
        h, c = np.zeros((T + 1, B, n), dtype), np.zeros((T + 1, B, n), dtype)
        gates, tanh_c = np.empty((T, 4, B, n), dtype), np.empty((T, B, n), dtype)
        a, term = np.empty((B, 4 * n), dtype), np.empty((B, n), dtype)
        a_by_gate = a.reshape(B, 4, n).swapaxes(0, 1)
        for t in range(T):
            np.matmul(h[t], W_half, out=a)
            a += from_x[t]
            np.tanh(a_by_gate, out=gates[t])
            sigmoids = gates[t, :3]
            sigmoids *= 0.5
            sigmoids += 0.5
            f, i, o, c_tilde = gates[t]
            np.multiply(f, c[t], out=c[t + 1])
            np.multiply(i, c_tilde, out=term)
            c[t + 1] += term
            np.tanh(c[t + 1], out=tanh_c[t])
            np.multiply(o, tanh_c[t], out=h[t + 1])

        a_bar = np.empty((T, B, 4 * n), dtype)
        a_bar_by_gate = a_bar.reshape(T, B, 4, n).swapaxes(1, 2)
        h_bar, c_bar = np.zeros((B, n), dtype), np.zeros((B, n), dtype)
        bars, slopes = np.empty((4, B, n), dtype), np.empty((4, B, n), dtype)
        for t in reversed(range(T)):
            f, i, o, c_tilde = gates[t]
            h_bar += task.h_bars[t]
            np.multiply(tanh_c[t], tanh_c[t], out=term)
            np.subtract(1, term, out=term)
            term *= o
            term *= h_bar
            c_bar += term
            np.multiply(c_bar, c[t], out=bars[0])
            np.multiply(c_bar, c_tilde, out=bars[1])
            np.multiply(h_bar, tanh_c[t], out=bars[2])
            np.multiply(c_bar, i, out=bars[3])
            np.subtract(1, gates[t, :3], out=slopes[:3])
            slopes[:3] *= gates[t, :3]
            np.multiply(c_tilde, c_tilde, out=slopes[3])
            np.subtract(1, slopes[3], out=slopes[3])
            np.multiply(bars, slopes, out=a_bar_by_gate[t])
            c_bar *= f
            np.matmul(a_bar[t], W, out=h_bar)

        rows = a_bar.reshape(T * B, 4 * n)
        weights = (
            rows.T @ h[:-1].reshape(T * B, n), rows.T @ task.x.reshape(T * B, m), rows.sum(axis=0)
        )  # fmt: skip
        x_bar = (rows @ U).reshape(T, B, m)
        return task.named("fioc", weights, x_bar, {"h": h_bar, "c": c_bar})

    return run


def floor(task: Task) -> Run:
    """The matrix products alone, which no NumPy code can do without: the floor of the time."""
    T, B, m, n, dtype = task.steps, task.batch, task.inputs, task.size, task.dtype
    W, U, _ = task.stacked(GATES[task.cell])
    W_T, x, rows = np.ascontiguousarray(W.T), task.x.reshape(T * B, m), len(W)

    def run() -> None:
        a, h = x @ U.T, np.empty((B, n), dtype)
        a, at_t = a.reshape(T, B, rows), np.empty((B, rows), dtype)
        for t in range(T):
            np.matmul(task.h_bars[t], W_T, out=at_t)
        for t in range(T):
            np.matmul(a[t], W, out=h)
        a_bar = a.reshape(T * B, rows)
        _ = a_bar.T @ task.h_bars.reshape(T * B, n), a_bar.T @ x, a_bar @ U

    return run


_ENTRYWISE: Final = re.compile(
    r"^( *)for \(ptrdiff_t row = 0; row < .*\{\n(?:\1 .*\n|\n)*?\1\}\n", re.M
)


_PRODUCTS: Final = re.compile(
    r"^ *(?:const real \*const \w+ = together|product|outer|sum_rows|transposed|pack)\([^;]*;\n",
    re.M,
)


def without(what: re.Pattern[str], source: str) -> str:
    """The passes of a C file of ours without some of what they do."""
    start = source.index("void NAME(forward")
    left, count = what.subn("", source[start:])
    assert count, what.pattern
    return source[:start] + left


def floor_in_c(task: Task, source: str) -> Run:
    """The products of the C file itself, on zeros: the floor of its time."""
    return _on_zeros(task, without(_ENTRYWISE, source))


def limit_in_c(task: Task, source: str) -> Run:
    """The multiplications at the cores' peak, then the C file's functions of every unit.

    Code that does both at once may take less, as far as they keep other units of a core busy.
    """
    peak, functions = peak_in_c(task), _on_zeros(task, without(_PRODUCTS, source))

    def run() -> None:
        peak()
        functions()

    return run


def _on_zeros(task: Task, source: str) -> Run:
    module: Any = load(source, task.cell)
    calls = module.forward.__self__

    again, _ = calls.prepared(task.params, {"x": task.x}, {"h": task.h_bars})
    tape, rooms, *_ = again.keep
    for memory in (*rooms, tape.memory[0], tape.states):
        memory[:] = 0  # which nothing writes here: what was there may be subnormal

    def run() -> None:
        again()

    return run


_PEAK: Final = """
#include <stddef.h>
#ifdef PEAK_DOUBLE
typedef double real;
#define NAME(x) peak_f8_##x
#else
typedef float real;
#define NAME(x) peak_f4_##x
#endif
#if defined(__AVX512F__)
typedef real vec __attribute__((vector_size(64)));
#elif defined(__AVX__)
typedef real vec __attribute__((vector_size(32)));
#else
typedef real vec __attribute__((vector_size(16)));
#endif
/* At least so many multiplications with an addition each, in twelve sums that stay in registers. */
void NAME(run)(const ptrdiff_t *count, ptrdiff_t none, const void *nothing, real *to)
{
    vec sum[12], all = {0}, x = all + (real)0.5, y = all + (real)1;
    for (int i = 0; i < 12; i++)
        sum[i] = all + (real)i;
    for (ptrdiff_t done = 0; done < *count; done += 12 * (ptrdiff_t)(sizeof(vec) / sizeof(real)))
        _Pragma("GCC unroll 12") for (int i = 0; i < 12; i++)
            sum[i] = sum[i] * x + y;
    for (int i = 0; i < 12; i++)
        all += sum[i];
    (void)none, (void)nothing;
    *to = all[0];
}
"""


def peak_in_c(task: Task) -> Run:
    """As many multiply-adds as the products have, without memory: what the cores can do at most."""
    kind = {"float32": "f4", "float64": "f8"}[task.dtype]
    function = getattr(ctypes.CDLL(str(library(_PEAK, "peak", kind))), f"peak_{kind}_run")
    alone = task.work < 3e-9 * LEAST_IN_PLACE
    parts = 1 if alone else max(1, min(most_threads(), task.batch // FEWEST))
    count, found = ctypes.c_ssize_t(int(1e9 * task.work / parts)), np.zeros((parts, 8))
    jobs = np.zeros((parts, 6), np.uintp)
    jobs[:, 0] = ctypes.cast(function, ctypes.c_void_p).value
    jobs[:, 1] = ctypes.addressof(count)
    jobs[:, 4] = [row.ctypes.data for row in found]
    at = jobs.ctypes.data

    def run(keep: object = (count, found, jobs)) -> None:
        crew().crew_run(at, parts)

    return run
