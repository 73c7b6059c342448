"""Thousands of seeds of the simulated daemon: how many a second, which faults they met, what doubt costs in duplicates.

A seed that breaks a promise is printed; `--start SEED --seeds 1 --trace` tells its story.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

from tests.simulation.world import Broken, World, quiet  # noqa: E402  # found from here

CHUNK = 50


def story(seed: int, state: Path) -> tuple[World, str]:
    """One seed, and what it broke."""
    world = World(seed, state)
    try:
        world.run()
    except Broken as broken:
        return world, str(broken)
    return world, ""


def several(seeds: Iterable[int]) -> tuple[Counter[str], dict[float, Counter[str]], list[str], float]:
    """Faults, figures by the share of receipts that came, broken promises, and the longest it took to drain."""
    quiet()
    gc.disable()
    faults: Counter[str] = Counter()
    by_cover: dict[float, Counter[str]] = {}
    wrong: list[str] = []
    longest = 0.0
    with tempfile.TemporaryDirectory() as state:
        for seed in seeds:
            world, broken = story(seed, Path(state))
            faults += world.faults
            by_cover.setdefault(world.weather.covered, Counter()).update(world.tally)
            wrong += [broken] if broken else []
            longest = max(longest, world.drained_after)
            gc.collect(1)
    gc.collect()
    return faults, by_cover, wrong, longest


def main(start: int, seeds: int, jobs: int) -> int:
    """Print what was met; 1 if a promise was broken."""
    began = time.perf_counter()
    faults: Counter[str] = Counter()
    by_cover: dict[float, Counter[str]] = {}
    wrong: list[str] = []
    longest = 0.0
    chunks = [range(first, min(first + CHUNK, start + seeds)) for first in range(start, start + seeds, CHUNK)]
    with ProcessPoolExecutor(jobs) as pool:
        for found, figures, broken, drained in pool.map(several, chunks):
            faults += found
            for cover, counts in figures.items():
                by_cover.setdefault(cover, Counter()).update(counts)
            for line in broken:
                print(line, flush=True)
            wrong += broken
            longest = max(longest, drained)
    took = time.perf_counter() - began
    print(f"{seeds} seeds, {len(wrong)} broke a promise; {seeds / took:.1f} seeds/s in {jobs} processes")
    print(f"the longest time of calm until nothing was open: {longest / 60:.0f} min")
    print("faults: " + ", ".join(f"{what} {count}" for what, count in sorted(faults.items())))
    print(
        f"\n{'receipts that come':>18}  {'parts':>7}  {'in doubt':>8}  {'accepted twice':>14}  {'of them known':>13}  {'held':>5}"
    )
    for cover, counts in sorted(by_cover.items(), reverse=True):
        print(
            f"{cover:>18.0%}  {counts['parts']:>7}  {counts['in doubt']:>8}  {counts['duplicates']:>14}"
            f"  {counts['duplicates known']:>13}  {counts['held']:>5}"
        )
    return 1 if wrong else 0


def tell(seed: int) -> int:
    """Print the story of one seed."""
    quiet()
    with tempfile.TemporaryDirectory() as state:
        world, broken = story(seed, Path(state))
    print(world.weather)
    print("\n".join(world.trace))
    print(f"seed={seed} fingerprint={world.fingerprint} {broken}")
    return 1 if broken else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--trace", action="store_true", help="tell the story of the seed --start")
    given = parser.parse_args()
    sys.exit(tell(given.start) if given.trace else main(given.start, given.seeds, given.jobs))
