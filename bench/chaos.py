"""The promise, tried: kill -9 about every five seconds, while the provider accepts messages and cuts the connection.

python bench/chaos.py                       # 5,000 messages, some minutes
python bench/chaos.py --kills 1000          # all night

`sara run` is a process of its own. A stub of the Graph API accepts what is sent and then resets one connection in a hundred, and
reports nothing at all about one message in a hundred. Customers write all the time, some webhooks come three times, and long answers go out in two parts.
At the end the provider's record is set against the store's, by the checker that the tests use. Exit code 1 if it finds anything, or
if there are more doubles than messages without a receipt explain.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.faults.invariants import EXAMPLES, Findings, Violation
from tests.faults.test_kills import UNHURRIED, Scene, scene, wordy

EVERY = 3.8
"""Seconds from one start to the next kill, about; with the start itself there are five between two kills."""

RESET, SILENT = 0.01, 0.01
"""The share of sends that are accepted and cut off, and of accepted messages of which nothing is ever reported."""

DOUBT_HOLD = "5s"
"""Short, so that many doubts end by themselves; 60 s is what people get who set nothing."""


async def main(messages: int, kills: int, seed: int, conversations: int, rate: float) -> int:
    """Run, print what happened, and return the exit code."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        async with scene(Path(folder), seed, conversations, UNHURRIED, doubt_timeout=DOUBT_HOLD) as here:
            phone = here.town.phone
            here.town.ai.mode, here.town.ai.delay_ms = wordy, 40
            phone.faults.redeliver.on(3, chance=0.1)
            phone.faults.reset_after_accept.on(chance=RESET)
            phone.faults.stay_silent.on(chance=SILENT)
            await here.lives.start()
            writing = asyncio.create_task(
                here.write(rate, lambda: len(here.ledger.said) >= messages and here.lives.kills >= kills)
            )
            telling = asyncio.create_task(tell(here, began))
            await kill_while(here, lambda: not writing.done())
            await writing
            telling.cancel()
            resets = phone.faults.reset_after_accept.hits
            findings = await here.examined()
            if (doubles := findings.figures.doubles_seen) > (silent := findings.figures.silent):
                findings.violations.append(Violation("I3", f"{doubles} doubles, and only {silent} messages without any receipt"))
            report(here, findings, resets, time.monotonic() - began)
            return 1 if findings.violations else 0


async def kill_while(here: Scene, going_on: Callable[[], bool]) -> None:
    """Kill and start again; one life in ten ends before it has got up."""
    while going_on():
        await asyncio.sleep(here.chance.uniform(0.4, 1.6) * EVERY)
        await here.lives.kill()
        if here.chance.random() < 0.1:
            await here.lives.launch()
            await asyncio.sleep(here.chance.uniform(0, 1))
            await here.lives.kill()
        await here.lives.start()


async def tell(here: Scene, began: float) -> None:
    """Say each half minute how far it is."""
    while True:
        await asyncio.sleep(30)
        ledger = here.ledger
        print(
            f"{time.monotonic() - began:6.0f} s: {here.lives.kills} kills, {len(ledger.said)} messages written,"
            f" {len(ledger.answered)} answered",
            flush=True,
        )


def report(here: Scene, findings: Findings, resets: int, seconds: float) -> None:
    """Print the figures, then every kind of violation with examples."""
    figures = findings.figures
    lines: list[tuple[str, object, str]] = [
        ("acknowledged", figures.acknowledged, f"messages answered 200, of {figures.said} written"),
        ("stored", figures.stored, ""),
        ("answered", figures.answered, "an accepted message speaks of them"),
        ("given up", figures.given_up, "without an answer, with a reason, where people see them"),
        ("lost", figures.lost, "must be 0"),
        ("out of order", figures.out_of_order, "must be 0"),
        ("accepted", figures.accepted, "by the provider"),
        ("cut off", resets, f"of these, {RESET:.0%} by chance"),
        ("doubles", figures.doubles_seen, "seen by the provider; must not be more than those that are silent"),
        ("silent", figures.silent, f"accepted messages of which no receipt ever came, {SILENT:.0%} by chance"),
        ("counted", figures.doubles_counted, "doubles by SARA; it cannot know of those that are silent"),
        (
            "in doubt",
            figures.doubts,
            f"attempts of which nobody knew for a while; doubt_timeout was {DOUBT_HOLD}, the default is 60 s",
        ),
        ("held", figures.held, "left for a person to decide"),
        ("kills", here.lives.kills, "by SIGKILL"),
        ("duration", f"{seconds:.0f} s", f"seed {here.seed}"),
    ]
    for name, value, remark in lines:
        print(f"{name:>16}  {value!s:>8}  {remark}".rstrip())
    if findings.violations:
        print(f"\nVIOLATED ({len(findings.violations)}, {EXAMPLES} of a kind are shown):\n{findings.report()}")
    else:
        print("\nEvery invariant holds.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, help="go on until so many were written; 5,000 unless --kills is given")
    parser.add_argument("--kills", type=int, help="go on until so many kills were made")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--conversations", type=int, default=50)
    parser.add_argument("--rate", type=float, default=40, help="messages a second")
    given = parser.parse_args()
    wanted = given.messages if given.messages is not None else 0 if given.kills else 5_000
    sys.exit(asyncio.run(main(wanted, given.kills or 0, given.seed, given.conversations, given.rate)))
