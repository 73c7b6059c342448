"""What the rules of a conversation leave in the file: who wanted what, what is forgotten again, and what a backup brings back."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sara_sqlite.replying import CALLS_TOLD
from sara_sqlite.store import SqliteStore

from sara import Identity, OutgoingContent, Usage
from sara.engines import (
    AttemptResult,
    AttemptState,
    Handoff,
    HistoryLimits,
    OneTimeNotice,
    OutboundState,
    ReplySideEffects,
    UsageLimit,
    UsageReservation,
)
from sara.testing.store.scenario import ANA, STOP, WISH, StoreScenario, later, message

HOUR = 3_600_000
DAY = 24 * HOUR


async def rows(store: SqliteStore, sql: str) -> list[tuple[Any, ...]]:
    def ask(db: sqlite3.Connection) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in db.execute(sql)]

    return await store.database.read(ask)


async def events(store: SqliteStore, *whats: str) -> list[tuple[Any, ...]]:
    """What happened to conversations: what, by whom, how."""
    found = await rows(
        store, "SELECT what, actor, detail, conversation, at FROM events WHERE conversation IS NOT NULL ORDER BY id"
    )
    return [each for each in found if each[0] in whats]


async def restored(store: SqliteStore, shop: StoreScenario, target: Path, after: int = 0) -> None:
    """A backup that is put back so much later."""
    await store.backup(target)
    shop.clock.forward(after)
    await store.close()
    await store.restore(target, shop.clock())
    await store.open()


# ── who, when and how ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_consent_is_on_record_with_who_when_and_how(store: SqliteStore, shop: StoreScenario) -> None:
    conversation = await shop.asked()
    first = shop.clock()
    await store.consent(conversation, True, "operator", "by phone, 12 May", first)
    await store.consent(conversation, True, "operator", "again", shop.clock.forward(1))
    second = shop.clock.forward(1)
    await store.consent(conversation, False, "operator", "by letter", second)
    third = shop.clock.forward(1)
    await shop.take(message("in-2"), verdict=STOP)
    assert await events(store, "opted_out", "opted_in") == [
        ("opted_out", "operator", "by phone, 12 May", 1, first),
        ("opted_in", "operator", "by letter", 1, second),
        ("opted_out", "customer", "in a message", 1, third),
    ]
    assert await rows(store, "SELECT opted_out, opted_out_at FROM contacts") == [(1, third)]


async def test_every_change_of_who_answers_is_on_record_once(store: SqliteStore, shop: StoreScenario) -> None:
    conversation = await shop.asked()
    await shop.take(message("in-2"), verdict=WISH)
    await store.hand_over(conversation, Handoff("operator", "mine"), shop.clock())
    await store.hand_over(conversation, Handoff("operator", "lunch", "paused", shop.clock()), shop.clock())
    await store.hand_back(conversation, "sara", shop.clock())
    await store.hand_back(conversation, "operator", shop.clock())
    assert [each[:3] for each in await events(store, "mode_human", "mode_paused", "mode_bot")] == [
        ("mode_human", "customer", "asked for a person"),
        ("mode_paused", "operator", "lunch"),
        ("mode_bot", "sara", "after paused"),
    ]


async def test_a_note_is_on_record_without_its_words(store: SqliteStore, shop: StoreScenario) -> None:
    conversation = await shop.asked()
    await store.note(conversation, "secret", "operator", shop.clock())
    assert [each[:3] for each in await events(store, "noted")] == [("noted", "operator", "6 characters")]


# ── what is forgotten again ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_counts_of_messages_are_kept_for_two_days(store: SqliteStore, shop: StoreScenario) -> None:
    for n in range(5):
        await shop.asked(ANA, f"in-{n}")
        shop.clock.forward(DAY)
    assert await rows(store, "SELECT n FROM rate_counts WHERE period LIKE 'd%'") == [(1,)] * 3
    assert await rows(store, "SELECT n FROM rate_counts WHERE period NOT LIKE 'd%'") == [(1,)] * 3


async def test_a_clock_that_runs_back_loses_no_count(store: SqliteStore, shop: StoreScenario) -> None:
    conversation = await shop.asked()
    shop.clock.forward(-10 * DAY)
    await shop.asked(ANA, "in-2")
    view = await store.reply_view(conversation, HistoryLimits(counted=5))
    assert view is not None
    assert view.on_channel["day"] == 1


# ── backups ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "backups").mkdir()
    return tmp_path / "backups" / "sara.db"


async def test_who_answers_what_was_noted_and_what_was_spent_come_back(
    store: SqliteStore, shop: StoreScenario, target: Path
) -> None:
    await shop.take(message("in-0", text="Guten Tag"), language="de")
    conversation = await shop.answered("one")
    await shop.send(conversation, "a1", "out-1")
    await store.save_summary(conversation, "so far", await shop.id("out-1"), Usage(1, 1), 3, ("2027-01",), shop.clock())
    await store.note(conversation, "likes tea", "operator", shop.clock())
    await store.close_turn(
        conversation, (), "skipped", "", shop.clock(), said=OneTimeNotice("away", (OutgoingContent("We are closed."),))
    )
    until = shop.clock() + DAY
    await store.hand_over(conversation, Handoff("operator", until=until), shop.clock())
    await restored(store, shop, target)
    view = await shop.reading(conversation)
    assert (view.mode, view.mode_until, view.summary, view.said) == ("human", until, "so far", {"away": shop.clock()})
    assert (view.contact.notes, view.contact.language) == ("likes tea", "de")
    assert (await shop.tending(conversation)).due == until
    assert await store.ai_usage("2027-01") == {"calls": 1, "tokens": 2, "money": 3}
    assert await rows(store, "SELECT count(*) FROM rate_counts") != [(0,)]


async def test_what_was_to_be_said_later_is_not_said_again_by_itself(
    store: SqliteStore, shop: StoreScenario, target: Path
) -> None:
    conversation = await shop.asked()
    await store.enqueue_messages(
        conversation, [OutgoingContent("later")], "operator", "operator", shop.clock(), shop.clock() + HOUR
    )
    part = (await store.messages(conversation, None, 10))[-1].id
    await restored(store, shop, target, 2 * HOUR)
    await store.queue_scheduled(conversation, shop.clock())
    assert (await shop.state(part), await shop.due(conversation)) == ("held", (None, None))
    await store.retry_failed(conversation, "deliver", shop.clock())
    assert await shop.state(part) == "queued"


async def test_one_who_may_have_been_asked_once_more_is_not_asked_again(
    store: SqliteStore, shop: StoreScenario, target: Path
) -> None:
    conversation = await shop.asked()
    attempt, ids = await shop.call(conversation)
    also = ReplySideEffects(timer=shop.clock() + HOUR)
    await store.save_reply(conversation, attempt, ids, [OutgoingContent("one")], None, shop.clock(), effects=also)
    await shop.send(conversation, "a1", "out-1")
    await restored(store, shop, target, 2 * HOUR)
    assert (await shop.tending(conversation)).followed_up
    await shop.take(later(shop, "in-2"))
    assert not (await shop.tending(conversation)).followed_up


async def test_a_hand_over_whose_time_is_over_was_ended_and_told_of_since(
    store: SqliteStore, shop: StoreScenario, target: Path
) -> None:
    conversations = {}
    for n, until in enumerate((HOUR, 3 * HOUR, None)):
        conversations[until] = await shop.asked(Identity(user_id=f"U{n}"), f"in-{n}")
        end = None if until is None else shop.clock() + until
        await store.hand_over(conversations[until], Handoff("operator", until=end), shop.clock())
    await restored(store, shop, target, 2 * HOUR)
    modes = [(await store.conversation(conversations[until])).mode for until in (HOUR, 3 * HOUR, None)]
    assert modes == ["bot", "human", "human"]
    assert [each[3] for each in await events(store, "mode_bot")] == [1]


async def test_a_tool_that_may_have_been_called_is_not_called_again_after_a_restore(
    store: SqliteStore, shop: StoreScenario, target: Path
) -> None:
    conversation = await shop.asked()
    attempt, _ = await shop.call(conversation, UsageReservation(10, 10, (UsageLimit("2027-01"),)))
    await store.begin_tool(conversation, attempt, "book", "{}", 1, shop.clock())
    await restored(store, shop, target)
    await store.retry_failed(conversation, "reply", shop.clock())
    attempt, _ = await shop.call(conversation)
    record, new = await store.begin_tool(conversation, attempt, "book", "{}", 1, shop.clock())
    assert (record.result, new) == (None, False)
    await store.fail_reply_attempt(conversation, attempt, shop.clock(), "busy", shop.clock())
    assert await store.ai_usage("2027-01") == {"calls": 1, "tokens": 10, "money": 10}, "what was set aside then stays spent"


async def test_an_outage_is_told_where_it_begins_and_where_it_ends(store: SqliteStore, shop: StoreScenario) -> None:
    """Each row: the errors of calls in turn, which of them are charged, and what the message's history then says."""
    rows: list[tuple[list[str], bool, list[str]]] = [
        (["no key"] * 50, False, ["no key"] * 2),
        (["no key"] * 20 + ["away"] * 20 + ["no key"], False, ["no key", "no key", "away", "away", "no key"]),
        (["away"] * 3, True, ["away"] * 3),
        (["away"] * 300, True, ["away"] * CALLS_TOLD),
        ([f"no key (it is {n} o'clock)" for n in range(50)], False, ["no key (it is 0 o'clock)", "no key (it is 49 o'clock)"]),
    ]
    for number, (errors, charged, told) in enumerate(rows):
        conversation = await shop.asked(Identity(phone=f"4915100000{number}"), f"in-{number}")
        for error in errors:
            shop.clock.forward(1_000)
            attempt, _ = await shop.call(conversation)
            await store.fail_reply_attempt(conversation, attempt, shop.clock(), error, shop.clock(), charged)
        await shop.call(conversation)
        view = await store.reply_view(conversation, HistoryLimits())
        assert view is not None
        events = await store.timeline(view.waiting[0].id)
        calls = [line for error in told for line in ("asked", error)]
        assert [each.detail if each.what == "asking_failed" else each.what for each in events] == ["received", *calls, "asked"]
        assert events[-2].at == shop.clock(), "the latest failure is told"


async def test_a_refusal_of_a_week_is_told_where_it_begins_and_where_it_ends(store: SqliteStore, shop: StoreScenario) -> None:
    """Each row: the errors of attempts in turn, which of them are charged, and which of them are kept."""
    expired = "the token is refused (expired on 1 May. The current time is {}:00, trace A{}x)"
    rows: list[tuple[list[str], bool, list[int]]] = [
        (["refused"] * 60, False, [0, 59]),
        (["refused"] * 20 + ["away"] * 20 + ["refused"], False, [0, 19, 20, 39, 40]),
        ([expired.format(n, n * 7) for n in range(60)], False, [0, 59]),
        (["refused", "refused"], False, [0, 1]),
        (["away"] * 12, True, [*range(12)]),
    ]
    for number, (errors, charged, kept) in enumerate(rows):
        conversation = await shop.answered("Hi", person=Identity(phone=f"4915100000{number}"), external_id=f"in-{number}")
        for n, error in enumerate(errors):
            shop.clock.forward(1_000)
            part = await shop.begin(conversation, f"{number}-{n}")
            outcome = AttemptResult(AttemptState.NOT_SENT, OutboundState.QUEUED, shop.clock(), charged=charged, error=error)
            await store.record_attempt(f"{number}-{n}", outcome, shop.clock())
        assert [each.id for each in await store.attempts(part)] == [f"{number}-{n}" for n in kept]
        told = [each.detail for each in await store.timeline(part) if each.what in ("sending", "attempt_not_sent")]
        assert told == [text for n in kept for text in (f"{number}-{n}", f"{number}-{n}: {errors[n]}")]
        await shop.send(conversation, f"{number}-sent", f"out-{number}")
        assert (await store.attempts(part))[-1].state == "accepted"
