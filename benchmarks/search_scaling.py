"""How a search keeps workers of a dask cluster busy: scheduling alone, without the computing.

First mutants are drawn and judged for the adding problem, as a search with its usual budget does,
for their processor times. Then the search itself runs, its engine, its store and its order of
chunks, but drawing and judging sleep for times picked from these. The cluster is eight worker
processes with as many threads as give the number of workers; the client and the scheduler share
another process. It means something on an idle machine alone. `--slower 3` lets all sleep three
times as long. Run as `python benchmarks/search_scaling.py [--workers 8,16,32,64]
[--candidates 10000]`; prints for each count the share of the linear rate, of the whole search and
of its later half, and the processor time that client and scheduler spend on a candidate, of which
the largest useful cluster follows. Needs `distributed`.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import dask
import distributed

from numeric.engine import Engine
from numeric.search.candidate import Candidate, Record, judge
from numeric.search.proposals import Proposal, Request, propose
from numeric.search.search import Plan, Work, given, search

LONG = 1000
MEASURED = 40
PROCESSES = 8
# Workers that sample their own stacks a hundred times a second are no scheduling.
QUIET = {"distributed.worker.profile.enabled": False,
         "distributed.admin.system-monitor.interval": "10s"}  # fmt: skip
PLAN = Plan(given("lstm", "gru", "rnn"), (("adding", 10),), MEASURED)


@dataclass(frozen=True)
class Asleep:
    """Work that waits instead of computing, for a time that some candidate took."""

    drawn: float
    judged: tuple[float, ...]

    def propose(self, request: Request) -> tuple[Proposal, ...]:
        """Proposals of functions never seen."""
        time.sleep(request.count * self.drawn)
        parent, text = request.parents[0]
        digests = (hashlib.sha256(repr((request.seed, k)).encode()).hexdigest()[:16]
                   for k in range(request.count))  # fmt: skip
        return tuple(Proposal(text, digest, parent, "none") for digest in digests)

    def judge(self, candidate: Candidate) -> Record:
        """A record with how long was slept for it."""
        number = int(candidate.digest, 16)
        seconds = self.judged[number % len(self.judged)]
        time.sleep(seconds)
        return {"name": candidate.name, "digest": candidate.digest, "parent": candidate.parent,
                "equations": candidate.equations, "verdict": "right", "learnt": 0,
                "score": number / 16**16, "seconds": seconds}  # fmt: skip


def measured(slower: float) -> Asleep:
    """Processor times of drawing and of judging first mutants of the cells a search starts from."""
    parents = tuple((name, text) for name, text, _ in PLAN.start)
    inputs = PLAN.start[0][2]
    propose(Request(parents, inputs, (1,), 3))
    begun = time.process_time()
    drawn = propose(Request(parents, inputs, (0,), MEASURED))
    each = (time.process_time() - begun) / len(drawn)
    records = [judge(Candidate(f"c{k}", one.digest, one.equations, inputs, one.parent, one.mutation,
                               PLAN.tasks, 0, PLAN.budget))
               for k, one in enumerate(drawn)]  # fmt: skip
    return Asleep(slower * each, tuple(slower * record["seconds"] for record in records))


def rate(workers: int, candidates: int, asleep: Asleep) -> tuple[float, float, float]:
    """Shares of the linear rate, whole and later half; processor time of a candidate in seconds."""
    passed: list[tuple[int, float]] = []

    def told(done: int, wanted: int, best: object) -> None:
        passed.append((done, time.perf_counter()))

    with (
        dask.config.set(QUIET),
        tempfile.TemporaryDirectory() as folder,
        distributed.LocalCluster(
            n_workers=PROCESSES,
            threads_per_worker=workers // PROCESSES,
            dashboard_address=None,
            memory_limit=0,
        ) as cluster,
        Engine(scheduler=cluster.scheduler_address) as engine,
    ):
        [*engine.results(time.sleep, [0.5] * workers)]
        begun, computed = time.perf_counter(), time.process_time()
        plan = replace(PLAN, candidates=candidates)
        records = search(plan, Path(folder), engine, told, Work(asleep.propose, asleep.judge))
        ended, computed = time.perf_counter(), time.process_time() - computed
    needed = [record["seconds"] + asleep.drawn for record in records]
    half = next(k for k, (done, _) in enumerate(passed) if done >= candidates / 2)
    done, since = passed[half]
    return (sum(needed) / workers / (ended - begun),
            sum(needed[done:]) / workers / (ended - since), computed / candidates)  # fmt: skip


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description="Scheduling of a search, without its computing.")
    parser.add_argument("--workers", default="8,16,32,64")
    parser.add_argument("--candidates", type=int, default=10_000)
    parser.add_argument("--slower", type=float, default=1.0)
    arguments = parser.parse_args()
    asleep, cost = measured(arguments.slower), math.nan
    mean = sum(asleep.judged) / len(asleep.judged)
    print(f"drawing a mutant {asleep.drawn:.3f} s, judging it {mean:.2f} s, "
          f"from {min(asleep.judged):.2f} to {max(asleep.judged):.2f}")  # fmt: skip
    print("workers  candidates  of linear  later half  client and scheduler, a candidate")
    for workers in map(int, arguments.workers.split(",")):
        count = arguments.candidates
        share, later, cost = rate(workers, count, asleep)
        print(f"{workers:7}  {count:10}  {share:9.1%}  {later:10.1%}  {1e3 * cost:8.2f} ms",
              flush=True)  # fmt: skip
    print(f"client and scheduler on one core feed {mean / cost:.0f} workers; {LONG} need "
          f"candidates of {LONG * cost:.1f} s")  # fmt: skip


if __name__ == "__main__":
    main()
