"""The crew: as many threads work at once as there are jobs, for many callers, and for a fork."""

import ctypes
import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from c_code import needs_compiler

from numeric.compiler.to_c.build import library
from numeric.compiler.to_c.crew import crew

pytestmark = needs_compiler

MEETING = """
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
/* Waits until so many have come, then adds one to a number of its own. */
void meeting_wait(const void *none, ptrdiff_t count, const void *nothing, void *place, void *own)
{
    (void)none, (void)nothing;
    _Atomic ptrdiff_t *come = place;
    atomic_fetch_add(come, 1);
    while (atomic_load(come) % count)
        sched_yield();
    ++*(ptrdiff_t *)own;
}
"""


def meet(count, times):
    """How often each of so many jobs of a call was done."""
    opened = ctypes.CDLL(str(library(MEETING, "meeting", "f4")))
    function = ctypes.cast(opened.meeting_wait, ctypes.c_void_p).value
    place, own = np.zeros(1, np.intp), np.zeros(count, np.intp)
    jobs = np.zeros((count, 6), np.uintp)
    jobs[:, 0], jobs[:, 2], jobs[:, 4] = function, count, place.ctypes.data
    jobs[:, 5] = own.ctypes.data + own.itemsize * np.arange(count)
    for _ in range(times):
        crew().crew_run(jobs.ctypes.data, count)
    return own.tolist()


def test_as_many_threads_work_at_once_as_there_are_jobs():
    assert meet(3, 5) == [5] * 3
    assert meet(12, 1) == [1] * 12
    assert meet(1, 2) == [2]


def test_callers_on_threads_of_their_own_share_the_crew():
    with ThreadPoolExecutor(3) as pool:
        assert [*pool.map(meet, [2] * 3, [200] * 3)] == [[200] * 2] * 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes that go on as copies")
def test_a_fork_has_a_crew_of_its_own():
    assert meet(3, 1) == [1] * 3  # the parent has its threads
    child = multiprocessing.get_context("fork").Process(target=meet, args=(3, 5))
    child.start()
    child.join(60)
    ended = child.exitcode
    child.kill()
    assert ended == 0


@pytest.mark.parametrize(("dtype", "kind"), [(np.float32, "f4"), (np.float64, "f8")])
def test_sums_are_those_of_numpy(dtype, kind):
    rng = np.random.default_rng(3)
    to, other = (rng.normal(size=37).astype(dtype) for _ in range(2))
    want = to + other
    getattr(crew(), f"crew_add_{kind}")(to.ctypes.data, other.ctypes.data, 37)
    np.testing.assert_array_equal(to, want)
