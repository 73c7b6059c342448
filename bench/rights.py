"""What searching costs in a large database, and how long others wait while a person is erased from it or old messages expire."""

from __future__ import annotations

import argparse
import asyncio
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

from sara_sqlite.options import SqliteOptions
from sara_sqlite.store import SqliteStore

from sara import Context
from sara.helpers import ProblemRegistry
from sara.queue.sleep import sleep
from sara.runtime.clock import wall_clock
from sara.testing.store.scenario import StoreScenario, message

WORDS = 5_000
PEOPLE = 10_000
YEAR = 365 * 86_400_000


def fill(database: Path, messages: int) -> None:
    """A year of messages; person 1 wrote one in a hundred of them."""
    chance = random.Random(1)  # noqa: S311  # the same each time
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 10))) for _ in range(WORDS)]
    weights = [1 / (n + 1) for n in range(WORDS)]
    now = wall_clock()
    with closing(sqlite3.connect(database)) as db, db:
        for n in range(1, PEOPLE + 1):
            db.execute("INSERT INTO contacts (provider, user_id, name, created_at) VALUES ('test', ?, ?, 0)", (f"U{n}", f"P{n}"))
            db.execute("INSERT INTO aliases (provider, scheme, value, contact) VALUES ('test', 'user_id', ?, ?)", (f"U{n}", n))
            db.execute("INSERT INTO conversations (account, contact, created_at) VALUES ('test:1', ?, 0)", (n,))
        for n in range(messages):
            text = " ".join(chance.choices(words, weights, k=chance.randint(3, 30)))
            who = 1 if n % 100 == 0 else chance.randint(2, PEOPLE)
            at = now - YEAR + n * YEAR // messages
            db.execute(
                "INSERT INTO messages (conversation, account, direction, external_id, kind, text, raw, state, at, created_at)"
                " VALUES (?, 'test:1', 'in', ?, 'text', ?, ?, 'answered', ?, ?)",
                (who, f"m{n}", text, f'{{"text": {{"body": "{text}"}}, "more": "{"x" * 300}"}}', at, at),
            )
            db.execute("INSERT INTO events (at, conversation, message, what) VALUES (?, ?, ?, 'received')", (at, who, n + 1))


async def waits(shop: StoreScenario, work: Callable[[], Awaitable[object]]) -> tuple[float, list[float]]:
    """How long `work` takes, and what each message taken in meanwhile waited, in milliseconds."""
    waited = []
    start = time.perf_counter()
    running = asyncio.ensure_future(work())
    number = 0
    while not running.done():
        begun = time.perf_counter()
        await shop.take(message(f"{start}-{number}", text=f"hello {number}"))
        waited.append((time.perf_counter() - begun) * 1e3)
        number += 1
        await asyncio.sleep(0.01)
    await running
    return time.perf_counter() - start, waited


async def main(messages: int) -> None:
    """Print it all."""
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(SqliteOptions(), Context("store", Path(folder), wall_clock, ProblemRegistry(wall_clock)))
        await store.open()
        await asyncio.to_thread(fill, store.database.path, messages)
        shop = StoreScenario(store, wall_clock)  # type: ignore[arg-type]  # it only asks for the time
        size = store.database.path.stat().st_size / 1e6
        print(f"{messages:,} messages of {PEOPLE:,} people, {size:,.0f} MB")
        common = (await store.messages(None, None, 1))[0].text.split()
        for words in (common[0], common[0][:3], " ".join(common[:2]), common[-1], "nothing"):
            begun = time.perf_counter()
            hits = await store.search(words, 50)
            print(f"search for {words!r}: {len(hits)} found in {(time.perf_counter() - begun) * 1e3:.1f} ms")

        async def nothing() -> None:
            await asyncio.sleep(2)

        async def forget() -> None:
            told = await store.start_erasure("U1", wall_clock())
            print(f"erased {told.messages:,} messages of one person")
            while await store.continue_erasure(200):
                await sleep(0.02)

        async def expire() -> None:
            for _ in range(25):
                await store.expire(wall_clock() - YEAR // 2, 200, wall_clock())
                await asyncio.sleep(0.2)

        for name, work in (("nothing else", nothing), ("erasing", forget), ("expiring 5,000 messages", expire)):
            took, waited = await waits(shop, work)
            slowest = sorted(waited)[-max(1, len(waited) // 100)]
            print(
                f"{name}: {took:.1f} s; a message meanwhile took {statistics.median(waited):.1f} ms,"
                f" one in a hundred over {slowest:.0f} ms, at most {max(waited):.0f} ms"
            )
        await store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=300_000)
    asyncio.run(main(parser.parse_args().messages))
