"""A script: two lives of the bundled store, each of whose deeds is acknowledged in a file once the store says that it is done.

python -m tests.faults.deeds FOLDER SYNCHRONOUS ROUNDS
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
from pathlib import Path

from sara_sqlite.options import SqliteOptions
from sara_sqlite.store import SqliteStore

from sara import Context
from sara.engines import AttemptResult, AttemptState, OutboundState
from sara.operations.problem_registry import ProblemRegistry
from sara.testing.clock import ManualClock
from sara.testing.store.scenario import KOFI, StoreScenario, message

TOGETHER = 3
"""So many messages come in at the same moment and share a commit."""


async def live(folder: Path, synchronous: str, rounds: range) -> None:
    """Open, do the deeds of some rounds, close."""
    clock = ManualClock()
    store = SqliteStore(SqliteOptions(), Context("store", folder, clock, ProblemRegistry(clock)))
    await store.open()
    await store.database.write(lambda db: tune(db, synchronous))
    shop = StoreScenario(store, clock)
    acknowledgements = os.open(folder / "acks", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def done(what: str, key: str, value: str) -> None:
        os.write(acknowledgements, json.dumps([what, key, value]).encode() + b"\n")

    async def taken(ident: str, text: str) -> str:
        [stored] = (await shop.take(message(ident, KOFI, text, clock()))).stored
        done("message", ident, text)
        return stored.conversation

    for number in rounds:
        clock.forward(60_000)
        coming = [taken(f"in-{number}-{each}", f"message {number} {each} " * 40) for each in range(TOGETHER)]
        conversation = (await asyncio.gather(*coming))[0]
        attempt, sent = f"attempt-{number}", f"out-{number}"
        await shop.answer(conversation, f"answer {number}")
        done("answer", f"in-{number}-0", "answered")
        await shop.begin(conversation, attempt)
        done("attempt", attempt, "sending")
        await store.record_attempt(
            attempt, AttemptResult(AttemptState.ACCEPTED, OutboundState.ACCEPTED, external_id=sent), clock()
        )
        done("attempt", attempt, "accepted")
        await shop.receipt("read", attempt=attempt)
        done("receipt", sent, "read")
    os.close(acknowledgements)
    await store.close()


def tune(db: sqlite3.Connection, synchronous: str) -> None:
    """Copy the write-ahead log back every few commits, so that cuts fall into that too; sync less than the store does, where
    that is to be seen. Outside of the transaction that every call is run in, as SQLite demands."""
    db.execute("COMMIT")
    db.execute("PRAGMA wal_autocheckpoint = 60")
    if synchronous != "as the store does":
        db.execute(f"PRAGMA synchronous = {synchronous}")
    db.execute("BEGIN IMMEDIATE")
    db.execute("SAVEPOINT call")


if __name__ == "__main__":
    place, mode, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    for half in (range(count // 2), range(count // 2, count)):
        asyncio.run(live(place, mode, half))
