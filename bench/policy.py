"""Whether answering stays as quick with a year of messages as with a day: what a reply job reads, and its gates.

Two databases, one with 100 conversations and one with 10,000, of 100 messages each, over a year; the same questions to both.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from sara_sqlite.options import SqliteOptions
from sara_sqlite.store import SqliteStore

from sara import Context
from sara.engines import HistoryLimits
from sara.helpers import ProblemRegistry
from sara.policy.reply_gates import GateContext, counted, decide
from sara.policy.settings import ConversationSettings, Limits, Rate

YEAR = 365 * 86_400_000
NOW = 1_800_000_000_000
POLICY = ConversationSettings(responder="a", limits=Limits(person=Rate(minute=10, day=200), channel=Rate(minute=600)))
ROUNDS = 300
WAITING = 50


async def filled(folder: Path, conversations: int, messages: int) -> SqliteStore:
    """A store with so many conversations of so many messages, spread over a year; in some of them the last one waits."""
    store = SqliteStore(SqliteOptions(), Context("store", folder, lambda: NOW, ProblemRegistry(lambda: NOW)))
    await store.open()
    await store.close()
    db = sqlite3.connect(folder / "sara.db")
    db.execute("PRAGMA synchronous = OFF")
    with db:
        db.executemany(
            "INSERT INTO contacts (id, provider, user_id, name, language, created_at) VALUES (?, 'test', ?, 'Somebody', 'en', 0)",
            ((n, f"US.{n}") for n in range(1, conversations + 1)),
        )
        db.executemany(
            "INSERT INTO conversations (id, account, contact, reply_due, waiting_since, last_at, customer_at, created_at)"
            " VALUES (?, 'test:1', ?, ?, ?, ?, ?, 0)",
            ((n, n, *((NOW, NOW) if n <= WAITING else (None, None)), NOW, NOW) for n in range(1, conversations + 1)),
        )
        db.executemany(
            "INSERT INTO messages (conversation, account, direction, external_id, kind, text, state, purpose, at, created_at)"
            " VALUES (?, 'test:1', ?, ?, 'text', 'Some words that somebody wrote to somebody', ?, ?, ?, ?)",
            (
                (
                    n,
                    "in" if turn % 2 == 0 else "out",
                    f"{n}.{turn}",
                    "waiting" if turn == messages - 2 and n <= WAITING else "answered" if turn % 2 == 0 else "read",
                    None if turn % 2 == 0 else "reply",
                    at := NOW - YEAR + turn * (YEAR // messages),
                    at,
                )
                for turn in range(messages)
                for n in range(1, conversations + 1)
            ),
        )
        db.execute("ANALYZE")
    db.close()
    await store.open()
    return store


async def timed(what: Callable[[], Awaitable[object]]) -> float:
    """The median of many, in microseconds."""
    took = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        await what()
        took.append(time.perf_counter() - start)
    return statistics.median(took) * 1e6


async def questions(store: SqliteStore) -> dict[str, float]:
    """What each costs on this store."""
    limits = HistoryLimits(41, counted=counted(POLICY))
    turn = iter(range(10**9))

    def one() -> str:
        return f"c{next(turn) % WAITING + 1}"

    async def gates() -> None:
        view = await store.reply_view("c1", limits)
        assert view is not None
        decide(view, POLICY, GateContext(NOW))

    return {
        "context of an answer": await timed(lambda: store.reply_view(one(), limits)),
        "context and gates": await timed(gates),
        "timers": await timed(lambda: store.timer_view(one(), 20)),
        "unhealthy conversations": await timed(lambda: store.unhealthy(NOW, 600_000, 600_000, 100)),
        "open work, one page": await timed(lambda: store.open_work(None, 100, NOW - 1)),
    }


async def main(conversations: int, messages: int) -> None:
    """Print what each question costs on both, and the ratio."""
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder) / name for name in ("small", "large")]
        for place in places:
            await asyncio.to_thread(place.mkdir)
        small, large = await filled(places[0], 100, messages), await filled(places[1], conversations, messages)
        few, many = await questions(small), await questions(large)
        print(f"{'':26}{f'100 × {messages}':>12}{f'{conversations} × {messages}':>16}{'ratio':>8}")
        for name, cost in few.items():
            print(f"{name:26}{cost:10.0f} µs{many[name]:13.0f} µs{many[name] / cost:8.2f}")
        await small.close()
        await large.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=10_000)
    parser.add_argument("--messages", type=int, default=100, help="of each")
    options = parser.parse_args()
    asyncio.run(main(options.conversations, options.messages))
