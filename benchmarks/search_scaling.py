"""How a search keeps workers of a dask cluster busy: scheduling alone, without the computing.

Tasks sleep as long as candidates were measured to compute, and go through the engine and in the
order of `bptt search`: chunks are handed out ahead of those that are still being judged. The
cluster is one process with so many workers, so client, scheduler and workers share a single core:
a real scheduler has less to do. The share means something on an idle machine alone; the processor
time of a task does on any. Run as
`python benchmarks/search_scaling.py [--workers 8,16,32,64] [--each 10]`; prints for each count the
share of the linear rate and the processor time of a task, of which the largest useful cluster
follows. The cost of drawing a candidate, which one process does for all workers, is measured beside
it. Needs `distributed`.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import deque
from itertools import islice

import dask
import distributed
import numpy as np

from derive.cell import catalogue
from numeric.search.engine import Engine
from numeric.search.identity import digest_of
from numeric.search.mutations import mutate
from numeric.search.search import CHUNK

LONG = 1000
DRAWN = 20
# Sixty-four workers that sample their own stacks a hundred times a second are no scheduling.
QUIET = {"distributed.worker.profile.enabled": False,
         "distributed.admin.system-monitor.interval": "10s"}  # fmt: skip


def sleeps(seconds: float) -> float:
    """A candidate that waits instead of computing."""
    time.sleep(seconds)
    return seconds


def rate(workers: int, waits: list[float]) -> tuple[float, float]:
    """The share of the linear rate, and the seconds of processor time of each task."""
    with (
        dask.config.set(QUIET),
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        Engine(scheduler=cluster.scheduler_address) as engine,
    ):
        [*engine.results(sleeps, [0.0] * workers)]
        begun, computed = time.perf_counter(), time.process_time()
        chunks = (waits[k : k + CHUNK] for k in range(0, len(waits), CHUNK))
        ahead = -(-2 * workers // CHUNK)
        under_way = deque(engine.results(sleeps, one) for one in islice(chunks, ahead))
        while under_way:
            [*under_way.popleft()]
            under_way.extend(engine.results(sleeps, one) for one in islice(chunks, 1))
        passed, computed = time.perf_counter() - begun, time.process_time() - computed
    return sum(waits) / workers / passed, computed / len(waits)


def drawing() -> float:
    """Seconds of processor time to draw one mutant of the LSTM and to know it again."""
    rng = np.random.default_rng(0)
    begun = time.process_time()
    for place in range(DRAWN):
        digest_of(mutate(catalogue["lstm"], rng, f"c{place}").cell)
    return (time.process_time() - begun) / DRAWN


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description="Scheduling of a search, without its computing.")
    parser.add_argument("--workers", default="8,16,32,64")
    parser.add_argument("--each", type=int, default=10, help="tasks for each worker")
    parser.add_argument("--seconds", type=float, default=0.66, help="of a candidate, the mean")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    cost = math.nan
    print("workers  tasks  of linear  processor time of a task")
    for workers in map(int, arguments.workers.split(",")):
        count = workers * arguments.each
        waits = (arguments.seconds * rng.uniform(0.3, 1.7, size=count)).tolist()
        share, cost = rate(workers, waits)
        print(f"{workers:7}  {count:5}  {share:8.1%}  {1e3 * cost:8.2f} ms", flush=True)
    print(f"one core, for client, scheduler and all workers together, feeds "
          f"{arguments.seconds / cost:.0f} workers; {LONG} need candidates of {LONG * cost:.1f} s "
          "or a scheduler that is alone on its core")  # fmt: skip
    each = drawing()
    print(f"drawing one candidate: {each:.3f} s in one process, which feeds "
          f"{arguments.seconds / each:.0f} workers")  # fmt: skip


if __name__ == "__main__":
    main()
