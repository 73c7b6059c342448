"""A store in a file, and the shop that its exam tells stories of."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from sara_sqlite.options import SqliteOptions
from sara_sqlite.store import SqliteStore

from sara import Context
from sara.domain.states import ATTEMPT_TRANSITIONS, INBOUND_TRANSITIONS, MODE_TRANSITIONS, OUTBOUND_TRANSITIONS
from sara.helpers import ProblemRegistry
from sara.testing import ManualClock
from sara.testing.store.scenario import StoreScenario

TRANSITIONS: Sequence[tuple[str, str, str, Mapping[Any, frozenset[Any]]]] = (
    # (table, column, rows, allowed changes)
    ("messages", "state", "OLD.direction = 'in'", INBOUND_TRANSITIONS),
    ("messages", "state", "OLD.direction = 'out'", OUTBOUND_TRANSITIONS),
    ("attempts", "state", "1", ATTEMPT_TRANSITIONS),
    ("conversations", "mode", "1", MODE_TRANSITIONS),
)


def forbid_other_transitions(db: sqlite3.Connection) -> None:
    """Let every change of a state fail that `sara.domain.states` does not allow, as long as this connection is open."""
    for number, (table, column, rows, allowed) in enumerate(TRANSITIONS):
        pairs = ", ".join(f"'{old}>{new}'" for old, following in allowed.items() for new in following)
        db.execute(
            f"CREATE TEMP TRIGGER allowed_{number} BEFORE UPDATE OF {column} ON main.{table}"
            f" WHEN {rows} AND OLD.{column} <> NEW.{column} AND OLD.{column} || '>' || NEW.{column} NOT IN ({pairs})"
            f" BEGIN SELECT RAISE(ABORT, 'a change of {table}.{column} that is not allowed'); END"
        )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def make(tmp_path: Path, clock: ManualClock) -> Callable[[], SqliteStore]:
    """Another store on the same file."""
    return lambda: SqliteStore(SqliteOptions(), Context("store", tmp_path, clock, ProblemRegistry(clock)))


@pytest.fixture
async def store(make: Callable[[], SqliteStore]) -> AsyncIterator[SqliteStore]:
    store = make()
    await store.open()
    await store.database.write(forbid_other_transitions)
    yield store
    await store.close()


@pytest.fixture
def shop(store: SqliteStore, clock: ManualClock) -> StoreScenario:
    return StoreScenario(store, clock)
