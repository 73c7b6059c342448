"""What a look or a write costs must not grow with all that is kept."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import replace

from sara_sqlite.store import SqliteStore

from sara import Attachment
from sara.engines import HistoryLimits
from sara.testing.store.scenario import ACCOUNT, KOFI, STOP, StoreScenario, later, message

SCANNED = re.compile(
    r"SCAN (messages|attachments|attempts|conversations|contacts|events|m|q|a|c)\b(?!.*USING (COVERING )?INDEX)|messages_state"
)


class Spy:
    """Writes down the statements that a store runs."""

    def __init__(self) -> None:
        self.said: list[str] = []

    async def watch(self, store: SqliteStore) -> None:
        await store.database.write(lambda db: db.set_trace_callback(self.said.append))
        await store.database.read(lambda db: db.set_trace_callback(self.said.append))
        self.said.clear()

    def statements(self) -> list[str]:
        """What reads or changes rows, without the frame of transactions around it."""
        return [each for each in self.said if each.lstrip().upper().startswith(("SELECT", "INSERT", "UPDATE", "DELETE"))]


async def plans(store: SqliteStore, statements: set[str]) -> dict[str, list[str]]:
    """How SQLite goes about these."""

    def explain(db: sqlite3.Connection) -> dict[str, list[str]]:
        db.set_trace_callback(None)
        return {each: [row["detail"] for row in db.execute(f"EXPLAIN QUERY PLAN {each}")] for each in statements}

    return await store.database.write(explain)


async def everything(store: SqliteStore, shop: StoreScenario) -> None:
    """Each call that a conversation takes, at least once."""
    photo = Attachment("image", "image/png", "ref")
    [stored] = (await shop.take(replace(message("in-1"), attachments=(photo,)))).stored
    conversation = stored.conversation
    await shop.take(replace(message("in-2"), reply_to="in-1"), message("in-3", KOFI))
    [kept] = (await shop.reading(conversation)).waiting[0].attachments
    await store.attachment_file("aa" * 32)
    await store.downloads(ACCOUNT, 10)
    await store.download(kept.id)
    await store.named_files(["x"])
    await store.postpone_download(kept.id, shop.clock(), "busy", shop.clock())
    await store.keep_attachment(kept.id, "x", "aa" * 32, 1, None, shop.clock())
    await shop.answer(conversation, "one", "two", "three")
    await shop.send(conversation, "a1", "out-1")
    await shop.receipt("failed", attempt="a1", then="retry")
    await shop.send(conversation, "a2", "out-2")
    await shop.receipt("failed", external_id="out-2", then="park")
    await shop.park(conversation)
    shop.clock.forward(1_000)
    await shop.take(later(shop, "in-4"))
    await shop.send(conversation, "a3", "out-3")
    await shop.receipt("sent", external_id="out-3", pricing={"type": "regular", "category": "service"}, counts=True)
    await store.message_counts(ACCOUNT, "2027-01")
    await store.forget_files(await store.old_files(shop.clock() + 1, 10), shop.clock())
    await shop.take(message("in-5"), verdict=STOP)


async def test_nothing_that_a_conversation_takes_reads_a_whole_table(store: SqliteStore, shop: StoreScenario) -> None:
    spy = Spy()
    await spy.watch(store)
    await everything(store, shop)
    found = await plans(store, set(spy.statements()))
    assert len(found) > 50
    assert {each: steps for each, steps in found.items() if any(map(SCANNED.search, steps))} == {}


async def test_nothing_that_people_may_ask_for_reads_a_whole_table(store: SqliteStore, shop: StoreScenario) -> None:
    photo = Attachment("image", "image/png", "ref")
    [stored] = (await shop.take(replace(message("in-1"), attachments=(photo,)))).stored
    await shop.answer(stored.conversation, "one")
    await shop.send(stored.conversation, "a1", "out-1")
    await shop.answer(await shop.asked(KOFI, "in-2"))
    spy = Spy()
    await spy.watch(store)
    await store.search("hello", 10)
    await store.subject_data("15550001111")
    await store.events(stored.conversation, None, 10)
    await store.attachments(stored.conversation, None, 10)
    shop.clock.forward(1_000)
    await store.expire(shop.clock(), 1, shop.clock())
    await store.expire(None, 10, shop.clock())
    await store.start_erasure("15550002222", shop.clock())
    await store.forgotten_files(10)
    while await store.continue_erasure(10):
        pass
    found = await plans(store, set(spy.statements()))
    assert len(found) > 50
    assert {each: steps for each, steps in found.items() if any(map(SCANNED.search, steps))} == {}
    # The index gives the newest first by itself: nothing is gathered to be sorted.
    [search] = [steps for each, steps in found.items() if "MATCH" in each]
    assert not [step for step in search if "TEMP B-TREE" in step]


async def test_a_view_takes_as_many_queries_for_one_message_as_for_many(store: SqliteStore, shop: StoreScenario) -> None:
    spy = Spy()
    await spy.watch(store)
    taken = []
    for n in range(3):
        photo = Attachment("image", "image/png", f"ref-{n}")
        [stored] = (await shop.take(replace(message(f"in-{n}"), reply_to="in-0", attachments=(photo,)))).stored
        spy.said.clear()
        await store.reply_view(stored.conversation, HistoryLimits())
        taken.append(len(spy.statements()))
    assert len(set(taken)) == 1


async def test_a_plain_message_costs_no_query_for_what_it_does_not_bring(store: SqliteStore, shop: StoreScenario) -> None:
    await shop.take(message("in-1"))
    spy = Spy()
    await spy.watch(store)
    shop.clock.forward(1_000)
    await shop.take(later(shop, "in-2"))
    assert not [each for each in spy.statements() if "attachments" in each or "reply_to =" in each]
    assert len(spy.statements()) <= 25


async def test_what_a_message_costs_does_not_grow_with_what_its_conversation_holds(
    store: SqliteStore, shop: StoreScenario
) -> None:
    steps = [0]

    def count() -> int:
        steps[0] += 1
        return 0

    await store.database.write(lambda db: db.set_progress_handler(count, 10))
    taken = []
    for n in range(40):
        steps[0] = 0
        await shop.take(*(later(shop, f"in-{n}-{each}") for each in range(50)))
        taken.append(steps[0])
    assert taken[-1] < 1.5 * taken[2], taken
