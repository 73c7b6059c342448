"""Does anything grow? `sara run` under an even load; memory, open files, threads, tasks and the database's
log, minute by minute.

python bench/soak.py                        # half an hour at 20 messages a second
python bench/soak.py --minutes 480          # before a release

Judged is the slope of the resident memory after the first third, in which caches fill. The straight line has an error of its own,
and only what is above the limit by more than twice that error fails; it must also grow from one stretch to the next more often than
not, because a leak goes on and on, while a busy moment is a single step. Where less than twenty minutes are left, in which caches go
on filling, the slope says nothing: then only growth that no cache explains fails.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import math
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

import aiohttp

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.faults.test_kills import Scene, scene

SAMPLE = 5.0
"""Seconds between two samples."""

MOST_SLOPE = 1.0
"""Megabytes an hour."""

LEAST_MINUTES = 19.5
"""So many minutes the slope needs after the first third."""

MOST_GROWTH = 5.0
"""Megabytes that caches may still take in a shorter run."""

MOST_FILES, MOST_THREADS, MOST_TASKS = 16, 2, 16
"""By so many, at most, may open files, threads and tasks grow after the first third. Taken at their lowest in each quarter of that
time: a leak lifts every floor above the one before, while a busy moment lifts it once, by the connections that are kept from then."""

STRETCHES = 10
"""Memory is looked at in so many stretches: samples a few seconds apart are too much alike to tell how sure the slope is."""

MOST_LOG = 64.0
"""Megabytes of the database's write-ahead log."""

MOST_BACKLOG = 10.0
"""Seconds' worth of messages that may be unanswered at any time."""


@dataclass(frozen=True, slots=True)
class Sample:
    """How the daemon is. Memory and log in MB; `backlog` counts messages without an accepted answer."""

    at: float
    memory: float
    files: int
    threads: int
    tasks: int
    log: float
    backlog: int


async def main(minutes: float, rate: float, conversations: int, seed: int) -> int:
    """Run, print, judge; return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        async with scene(Path(folder), seed, conversations) as here:
            await here.lives.start()
            over = asyncio.Event()
            writing = asyncio.create_task(here.write(rate, over.is_set))
            print(
                f"{'minute':>6} {'RSS MB':>8} {'files':>6} {'threads':>8} {'tasks':>6} {'WAL MB':>7} {'backlog':>8} {'written':>8}"
            )
            samples = await watched(here, writing, minutes * 60)
            over.set()
            await writing
            findings = await here.examined()
    failures = judged(samples, rate)
    failures += [f"{len(findings.violations)} violations:\n{findings.report(seed)}"] if findings.violations else []
    for failure in failures:
        print(f"FAILED: {failure}")
    if not failures:
        print("Passed.")
    return 1 if failures else 0


async def watched(here: Scene, writing: asyncio.Task[None], seconds: float) -> list[Sample]:
    """Take samples for so long, and print one each minute."""
    process = here.lives.process
    assert process is not None
    began, samples, told = time.monotonic(), list[Sample](), 0
    while (at := time.monotonic() - began) < seconds and not writing.done():
        samples.append(await sampled(process.pid, at, here))
        if at >= told * 60:
            show(samples[-1], here)
            told += 1
        await asyncio.wait([writing], timeout=min(SAMPLE, seconds - at))
    show(samples[-1], here)
    return samples


def show(sample: Sample, here: Scene) -> None:
    """One line of the table."""
    print(
        f"{sample.at / 60:6.1f} {sample.memory:8.2f} {sample.files:6} {sample.threads:8} {sample.tasks:6} {sample.log:7.1f} {sample.backlog:8}"
        f" {len(here.ledger.said):8}",
        flush=True,
    )


async def sampled(pid: int, at: float, here: Scene) -> Sample:
    """Look at the process from outside, and ask it for what cannot be seen from there."""
    proc = Path(f"/proc/{pid}")
    state = here.town.folder / "state"
    log = state / "sara.db-wal"
    tasks = int((await metrics(state))["sara_event_loop_tasks"])
    return Sample(
        at,
        memory(pid),
        len(os.listdir(proc / "fd")),
        len(os.listdir(proc / "task")),
        tasks,
        log.stat().st_size / 1e6 if log.exists() else 0.0,
        here.ledger.unanswered,
    )


def memory(pid: int) -> float:
    """Resident memory in MB. Summed up page by page: the figure in `statm` is kept per processor and may be off by a megabyte."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1_024 / 1e6 for line in lines if line.startswith("Rss:"))


async def metrics(state: Path) -> dict[str, float]:
    """What `GET /metrics` answers, with labels as part of the name."""
    url = json.loads((state / "listening.json").read_text(encoding="utf-8"))["admin"]
    token = (state / "admin-token").read_text(encoding="ascii").strip()
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}, raise_for_status=True) as session,
        session.get(f"{url}/metrics") as answer,
    ):
        lines = [line.rpartition(" ") for line in (await answer.text()).splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def judged(samples: Sequence[Sample], rate: float) -> list[str]:
    """What is not as it should be."""
    late = [sample for sample in samples if sample.at >= samples[-1].at / 3]
    stretches = [stretch for stretch in split(late, STRETCHES) if stretch]
    grows, error = slope([(mean(each.at for each in part) / 3600, mean(each.memory for each in part)) for part in stretches])
    steady = median(steps(stretches) or [0.0])
    minutes = (late[-1].at - late[0].at) / 60
    print(
        f"memory after the first third: {grows:+.2f} ± {2 * error:.2f} MB/h over {minutes:.1f} minutes"
        f" ({late[-1].memory - late[0].memory:+.2f} MB in all), {steady:+.2f} MB/h in the median step; limit {MOST_SLOPE:.0f} MB/h"
    )
    failures = []
    if minutes >= LEAST_MINUTES:
        if grows - 2 * error > MOST_SLOPE and steady > MOST_SLOPE:
            failures.append(f"memory grows by {grows:.1f} MB/h, at least by {grows - 2 * error:.1f}")
    else:
        print(f"Too short to judge the slope, that takes 30 minutes; judged is only growth over {MOST_GROWTH:.0f} MB.")
        if (growth := late[-1].memory - late[0].memory) > MOST_GROWTH:
            failures.append(f"memory grew by {growth:.1f} MB")
    quarters = [quarter for quarter in split(late, 4) if quarter]
    for name, most in (("files", MOST_FILES), ("threads", MOST_THREADS), ("tasks", MOST_TASKS)):
        floors = [min(getattr(sample, name) for sample in quarter) for quarter in quarters]
        print(f"{name} at their lowest, quarter by quarter: {', '.join(map(str, floors))}")
        if floors[-1] - floors[0] > most and all(after > before for before, after in itertools.pairwise(floors)):
            failures.append(f"the {name} grow from {floors[0]} to {floors[-1]}")
    if (log := max(sample.log for sample in samples)) > MOST_LOG:
        failures.append(f"the write-ahead log grew to {log:.0f} MB, over {MOST_LOG:.0f}")
    if (backlog := max(sample.backlog for sample in late)) > MOST_BACKLOG * rate:
        failures.append(f"{backlog} messages were unanswered at once, over {MOST_BACKLOG:.0f} seconds' worth")
    return failures


def split(samples: Sequence[Sample], count: int) -> list[Sequence[Sample]]:
    """So many stretches of the same length."""
    ends = [round(len(samples) * n / count) for n in range(count + 1)]
    return [samples[start:end] for start, end in itertools.pairwise(ends)]


def steps(stretches: Sequence[Sequence[Sample]]) -> list[float]:
    """By how many MB/h the lowest memory of a stretch lies above that of the one before."""
    lowest = [(mean(each.at for each in part) / 3600, min(each.memory for each in part)) for part in stretches]
    return [(after - before) / (end - start) for (start, before), (end, after) in itertools.pairwise(lowest)]


def slope(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The straight line through the points: how steep it is, and the standard error of that."""
    count = len(points)
    if count < 3:
        return 0.0, math.inf
    middle_x, middle_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    steep = sum((x - middle_x) * (y - middle_y) for x, y in points) / spread
    rest = sum((y - middle_y - steep * (x - middle_x)) ** 2 for x, y in points)
    return steep, math.sqrt(rest / (count - 2) / spread)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=20, help="messages a second")
    parser.add_argument("--conversations", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.minutes, given.rate, given.conversations, given.seed)))
