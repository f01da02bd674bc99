"""How a search keeps workers of a dask cluster busy: scheduling alone, without the computing.

The search itself runs, its engine, its store and its order of chunks, but drawing a mutant and
judging it sleep as long as they were measured to compute. The cluster is one process with so many
workers, so client, scheduler and workers share a single core: a real scheduler has less to do. The
share means something on an idle machine alone; the processor time of a candidate does on any.
`--slower 3` lets all sleep three times as long, for a machine that others use. Run as
`python benchmarks/search_scaling.py [--workers 8,16,32,64] [--candidates 10000]`; prints for each
count the share of the linear rate, of the whole search and of its later half, and the processor
time of a candidate, of which the largest useful cluster follows. What drawing one costs is measured
beside it. Needs `distributed`.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import dask
import distributed
import numpy as np

from derive.cell import catalogue
from numeric.engine import Engine
from numeric.search.candidate import Candidate, Record
from numeric.search.identity import digest_of
from numeric.search.mutations import mutate
from numeric.search.proposals import Proposal, Request
from numeric.search.search import Plan, Work, given, search

LONG = 1000
DRAWN = 20
# Sixty-four workers that sample their own stacks a hundred times a second are no scheduling.
QUIET = {"distributed.worker.profile.enabled": False,
         "distributed.admin.system-monitor.interval": "10s"}  # fmt: skip
EACH_DRAWN = 0.025  # seconds of processor time, on the machine where 0.66 s were measured
EACH_JUDGED = 0.66  # the mean; from 0.3 to 1.7 times that


@dataclass(frozen=True)
class Asleep:
    """Work that waits instead of computing, `slower` times as long."""

    slower: float

    def propose(self, request: Request) -> tuple[Proposal, ...]:
        """Proposals of functions never seen."""
        time.sleep(self.slower * request.count * EACH_DRAWN)
        parent, text = request.parents[0]
        digests = (hashlib.sha256(repr((request.seed, k)).encode()).hexdigest()[:16]
                   for k in range(request.count))  # fmt: skip
        return tuple(Proposal(text, digest, parent, "none") for digest in digests)

    def judge(self, candidate: Candidate) -> Record:
        """A record with how long was slept for it."""
        chance = int(candidate.digest, 16) / 16**16
        seconds = self.slower * EACH_JUDGED * (0.3 + 1.4 * chance)
        time.sleep(seconds)
        return {"name": candidate.name, "digest": candidate.digest, "parent": candidate.parent,
                "equations": candidate.equations, "verdict": "right", "learnt": 0,
                "score": chance, "seconds": seconds}  # fmt: skip


def rate(workers: int, candidates: int, slower: float) -> tuple[float, float, float]:
    """Shares of the linear rate, whole and later half; processor time of a candidate in seconds."""
    plan = Plan(given("lstm", "gru", "rnn"), (("adding", 10),), candidates)
    asleep = Asleep(slower)
    passed: list[tuple[int, float]] = []

    def told(done: int, wanted: int, best: object) -> None:
        passed.append((done, time.perf_counter()))

    with (
        dask.config.set(QUIET),
        tempfile.TemporaryDirectory() as folder,
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=False,
            dashboard_address=None,
            memory_limit=0,
        ) as cluster,
        Engine(scheduler=cluster.scheduler_address) as engine,
    ):
        [*engine.results(time.sleep, [0.0] * workers)]
        begun, computed = time.perf_counter(), time.process_time()
        records = search(plan, Path(folder), engine, told, Work(asleep.propose, asleep.judge))
        ended, computed = time.perf_counter(), time.process_time() - computed
    needed = [record["seconds"] + slower * EACH_DRAWN for record in records]
    half = next(k for k, (done, _) in enumerate(passed) if done >= candidates / 2)
    done, since = passed[half]
    return (sum(needed) / workers / (ended - begun),
            sum(needed[done:]) / workers / (ended - since), computed / candidates)  # fmt: skip


def drawing() -> float:
    """Seconds of processor time to draw one mutant of the LSTM and to know it again."""
    rng = np.random.default_rng(0)
    digest_of(mutate(catalogue["lstm"], rng, "first").cell)
    begun = time.process_time()
    for place in range(DRAWN):
        digest_of(mutate(catalogue["lstm"], rng, f"c{place}").cell)
    return (time.process_time() - begun) / DRAWN


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description="Scheduling of a search, without its computing.")
    parser.add_argument("--workers", default="8,16,32,64")
    parser.add_argument("--candidates", type=int, default=10_000)
    parser.add_argument("--slower", type=float, default=1.0)
    arguments = parser.parse_args()
    cost = math.nan
    print("workers  candidates  of linear  later half  processor time of a candidate")
    for workers in map(int, arguments.workers.split(",")):
        count = arguments.candidates
        share, later, cost = rate(workers, count, arguments.slower)
        print(f"{workers:7}  {count:10}  {share:9.1%}  {later:10.1%}  {1e3 * cost:8.2f} ms",
              flush=True)  # fmt: skip
    print(f"one core, for client, scheduler and all workers together, feeds "
          f"{EACH_JUDGED / cost:.0f} workers; {LONG} need candidates of {LONG * cost:.1f} s "
          "or a scheduler that is alone on its core")  # fmt: skip
    each = drawing()
    print(f"drawing one candidate: {each:.3f} s, by whichever worker is free")


if __name__ == "__main__":
    main()
