"""With thousands of conversations a look costs what one conversation costs: no statement reads all of them, or all messages."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Awaitable, Callable

import pytest
from sara_sqlite.store import SqliteStore

from sara import OutgoingContent
from sara.engines import Handoff, HistoryLimits, OneTimeNotice, UsageLimit, UsageReservation
from sara.testing.store.scenario import ANA, StoreScenario
from tests.effort import chosen

COUNT = chosen(short=2_000, full=10_000)
"""Conversations."""

LENGTH = chosen(short=8_000, full=50_000)
"""Messages of a long conversation."""

HOUR = 3_600_000
WHOLE = re.compile(r"SCAN (?!CONSTANT|\(|json_each)(\w+)")
"""A step that reads a table, or an index, from its beginning to its end."""

HARMLESS = re.compile(
    r"SCAN \w+ USING (COVERING )?INDEX (conversations_open|messages_trouble|conversations_(reply|deliver|timer)_due)"
)
"""Indexes of what is open alone: they hold nothing of a conversation that is at rest."""

FULL = re.compile(r"messages_state|AUTOMATIC")
"""An index of half of all messages, and one that is made for a single statement: as good as reading everything."""


def fill(db: sqlite3.Connection) -> None:
    """Thousands of conversations at rest, each with a question and an answer."""
    now = 1_790_000_000_000
    db.executemany(
        "INSERT INTO contacts (id, provider, user_id, name, created_at) VALUES (?, 'test', ?, 'x', 1)",
        ((n, f"O{n}") for n in range(1_000, 1_000 + COUNT)),
    )
    db.executemany(
        "INSERT INTO conversations (id, account, contact, last_at, created_at) VALUES (?, 'test:1', ?, ?, 1)",
        ((n, n, now + n) for n in range(1_000, 1_000 + COUNT)),
    )
    db.executemany(
        "INSERT INTO messages (conversation, account, direction, kind, text, state, purpose, at, created_at)"
        " VALUES (?, 'test:1', ?, 'text', 'x', ?, ?, ?, ?)",
        (
            (n, direction, state, purpose, now + n, now + n)
            for n in range(1_000, 1_000 + COUNT)
            for direction, state, purpose in (("in", "answered", None), ("out", "read", "reply"))
        ),
    )


@pytest.fixture
async def conversation(store: SqliteStore, shop: StoreScenario) -> str:
    """One conversation among thousands."""
    await store.database.write(fill)
    return await shop.answered("one")


Looks = dict[str, Callable[[SqliteStore, str, int], Awaitable[object]]]

LOOKS: Looks = {
    "unhealthy": lambda store, _, now: store.unhealthy(now, 1, 1, 100),
    "timer_view": lambda store, conversation, _: store.timer_view(conversation, 20),
    "unsummarised_messages": lambda store, conversation, _: store.unsummarised_messages(conversation, 0, 100),
    "open_work": lambda store, *_: store.open_work(None, 100),
    "open_work before": lambda store, _, now: store.open_work("c5", 100, before=now),
    "reply_view": lambda store, conversation, _: store.reply_view(conversation, HistoryLimits(counted=20)),
    "conversation": lambda store, conversation, _: store.conversation(conversation),
    "spent": lambda store, *_: store.ai_usage("2027-01"),
    "hand_over": lambda store, conversation, now: store.hand_over(conversation, Handoff("operator", mode="paused"), now),
    "hand_back": lambda store, conversation, now: store.hand_back(conversation, "operator", now),
    "consent": lambda store, conversation, now: store.consent(conversation, True, "operator", "", now),
    "note": lambda store, conversation, now: store.note(conversation, "x", "operator", now),
    "say": lambda store, conversation, now: store.enqueue_messages(
        conversation, [OutgoingContent("x")], "operator", "operator", now, now + HOUR
    ),
    "release": lambda store, conversation, now: store.queue_scheduled(conversation, now),
    "close": lambda store, conversation, now: store.close_conversation(conversation, now, now),
    "save_summary": lambda store, conversation, now: store.save_summary(conversation, "x", "m1", None, 0, ("2027",), now),
    "begin_reply": lambda store, conversation, now: store.begin_reply(
        conversation, [], now, UsageReservation(1, 1, (UsageLimit("2027", calls=9),))
    ),
    "close_turn": lambda store, conversation, now: store.close_turn(
        conversation, (), "skipped", "", now, said=OneTimeNotice("away", (OutgoingContent("x"),))
    ),
}


async def plans(store: SqliteStore, look: Awaitable[object]) -> dict[str, list[str]]:
    """The statements that a look runs, with the steps that SQLite plans for each."""
    said: list[str] = []

    def watched(on: bool) -> Callable[[sqlite3.Connection], None]:
        return lambda db: db.set_trace_callback(said.append if on else None)

    for ask in (store.database.write, store.database.read):
        await ask(watched(on=True))
    await look
    for ask in (store.database.write, store.database.read):
        await ask(watched(on=False))
    verbs = ("SELECT", "INSERT", "UPDATE", "DELETE")
    statements = [each for each in said if each.lstrip().upper().startswith(verbs)]
    return await store.database.write(
        lambda db: {each: [row["detail"] for row in db.execute(f"EXPLAIN QUERY PLAN {each}")] for each in statements}
    )


@pytest.mark.parametrize("analysed", [False, True], ids=["as it comes", "with statistics"])
async def test_no_look_reads_every_message_or_every_conversation(
    store: SqliteStore, shop: StoreScenario, conversation: str, analysed: bool
) -> None:
    if analysed:
        await store.database.write(lambda db: db.execute("ANALYZE"))
    for name, look in LOOKS.items():
        if name in ("close", "unsummarised_messages"):
            await store.drop(conversation, "deliver", shop.clock())
        found = await plans(store, look(store, conversation, shop.clock()))
        assert found, name
        bad = {
            statement: step
            for statement, steps in found.items()
            for step in steps
            if (WHOLE.search(step) and not HARMLESS.search(step)) or FULL.search(step)
        }
        assert bad == {}, name


@pytest.mark.parametrize("state", ["answered", "skipped"], ids=["a year of talk", "a flood"])
async def test_a_long_conversation_is_not_read_from_its_beginning(store: SqliteStore, shop: StoreScenario, state: str) -> None:
    conversation = await shop.asked()
    short = await _steps(store, conversation, shop.clock())
    await store.database.write(lambda db: _lengthen(db, state))
    await shop.answer(conversation, "one")
    await shop.asked(ANA, "in-2")
    assert await _steps(store, conversation, shop.clock()) < 10 * short


async def _steps(store: SqliteStore, conversation: str, now: int) -> int:
    """How much work the looks at a conversation are, in steps of SQLite's machine."""
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    await store.database.read(lambda db: db.set_progress_handler(step, 10))
    for name in ("unsummarised_messages", "reply_view", "open_work"):
        await LOOKS[name](store, conversation, now)
    await store.database.read(lambda db: db.set_progress_handler(None, 0))
    return steps


def _lengthen(db: sqlite3.Connection, state: str) -> None:
    """A year of messages in one conversation, all but the newest of them summed up."""
    db.executemany(
        "INSERT INTO messages (conversation, account, direction, kind, text, state, purpose, at, created_at)"
        " VALUES (1, 'test:1', 'in', 'text', 'x', ?, NULL, 1, 1)",
        ((state,) for _ in range(LENGTH)),
    )
    db.execute("UPDATE conversations SET summary = 'x', summary_to = (SELECT max(id) - 10 FROM messages) WHERE id = 1")
