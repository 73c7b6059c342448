"""What the bundled store does so that nothing is left of whoever is to be forgotten: not in any file, nor after a crash."""

from __future__ import annotations

import os
import random
import re
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sara_sqlite.cleaning import unused
from sara_sqlite.options import SqliteOptions
from sara_sqlite.store import SqliteStore

from sara import Attachment, Context, DeliveryReceipt, Identity, IdentityChange, OutgoingContent, UnparsedPayload
from sara.engines import AcceptResult, AttemptResult, AttemptState, HistoryLimits, InboundBatch, OutboundState, StoreUnavailable
from sara.helpers import ProblemRegistry
from sara.testing import ManualClock
from sara.testing.store.scenario import ACCOUNT, KOFI, STOP, StoreScenario, message
from tests.effort import chosen, spread

ZOE = Identity(user_id="ZA.99887766554433", phone="27825550199", username="zoe.zulu", name="Zoë Zulu")
TRACES = re.compile(
    "ZA.99887766554433|27825550199|zoe.zulu|Zoë Zulu|xylophone|marimba|wamid.zoe|attempt-zoe|zoo-photo".encode(), re.IGNORECASE
)
DAY = 86_400_000
ROUNDS = chosen(short=14, full=40)
"""In each round Zoë and six others say something and are answered."""


def traces(state: Path) -> dict[str, set[bytes]]:
    """The files below a folder that hold anything of Zoë, with what they hold."""
    found = {}
    for path in sorted(state.rglob("*")):
        if path.is_file() and (held := set(TRACES.findall(path.read_bytes()))):
            found[path.name] = held
    return found


async def talk(shop: StoreScenario, person: Identity, n: int, said: str, name: str) -> str:
    """A message, its answer sent and read; the conversation."""
    photo = Attachment("image", "image/png", f"ref-{name}-{n}", f"{name}.png", url=f"https://files.example/{name}/{n}")
    inbound = replace(message(f"wamid.{name}.{n}", person, said, shop.clock()), raw=f'{{"body": "{said}"}}')
    [stored] = (await shop.take(replace(inbound, attachments=(photo,) if n % 7 == 0 else ()))).stored
    view = await shop.reading(stored.conversation)
    ids = [line.id for line in view.waiting]
    attempt = await shop.store.begin_reply(stored.conversation, ids, shop.clock())
    await shop.store.save_reply(stored.conversation, attempt, ids, [OutgoingContent(f"re: {said}")], None, shop.clock())
    part = (await shop.next(stored.conversation)).part.id
    await shop.store.begin_attempt(part, f"attempt-{name}-{n}", "me", shop.clock())
    outcome = AttemptResult(
        AttemptState.ACCEPTED, OutboundState.ACCEPTED, external_id=f"wamid.{name}.out.{n}", error="e" * (n % 50)
    )
    await shop.store.record_attempt(f"attempt-{name}-{n}", outcome, shop.clock())
    for status in ("sent", "delivered", "read")[: n % 4]:
        await shop.receipt(status, attempt=f"attempt-{name}-{n}")  # type: ignore[arg-type]  # these are receipts' words
    shop.clock.forward(1_000)
    return stored.conversation


def words(chance: random.Random) -> str:
    return " ".join("".join(chance.choices("abcdefgh", k=chance.randint(2, 8))) for _ in range(chance.randint(2, 60)))


async def crowd(shop: StoreScenario, rounds: range, *, zoe: bool = True) -> None:
    """People who talk, Zoë among them."""
    chance = random.Random(rounds.start)  # noqa: S311  # the same people each time
    others = [Identity(user_id=f"US.{n}", phone=f"1555000{n:04}", name=f"Person {n}") for n in range(20)]
    for n in rounds:
        for other in chance.sample(others, 6):
            await talk(shop, other, n, words(chance), f"{other.user_id}")
        if zoe:
            await talk(shop, ZOE, n, f"xylophone {words(chance)} marimba", "zoe")


async def jostle(store: SqliteStore) -> None:
    """Rows that grow push their neighbours onto other pages, as errors and reasons do in the long run."""
    for long in ("x" * 900, "x" * 300, ""):
        await store.database.write(lambda db, long=long: db.execute("UPDATE messages SET error = ? WHERE id % 5 = 0", (long,)))  # type: ignore[misc]


async def erase(store: SqliteStore) -> int:
    """Take all the steps; how many there were."""
    steps = 0
    while await store.continue_erasure(20):
        steps += 1
        assert steps < 5_000
    return steps


def left_by_a_kill(state: Path, name: str) -> Path:
    """What a killed process leaves: all that was committed, and the log beside it."""
    copy = state / name
    copy.mkdir()
    for file in state.glob("*"):
        if file.is_file() and not file.name.endswith(("-shm", ".lock")):
            (copy / file.name).write_bytes(file.read_bytes())
    return copy


def whole(state: Path) -> bool:
    """Whether the database is whole, its index too."""
    with closing(sqlite3.connect(state / "sara.db", isolation_level=None)) as db:
        db.execute("INSERT INTO messages_text (messages_text, rank) VALUES ('integrity-check', 1)")
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        return bool(db.execute("PRAGMA integrity_check").fetchone()[0] == "ok")


async def test_no_file_holds_a_byte_of_a_person_who_was_erased(store: SqliteStore, shop: StoreScenario, tmp_path: Path) -> None:
    await crowd(shop, range(ROUNDS))
    await jostle(store)
    await shop.take(message("wamid.zoe.open", ZOE, "xylophone, please"))
    early = DeliveryReceipt(ACCOUNT, "sent", shop.clock(), "wamid.zoe.open")
    odd = UnparsedPayload(ACCOUNT, "a kind of its own", b'{"from": "27825550199", "odd": true}')
    moved = IdentityChange(ACCOUNT, ZOE, replace(ZOE, username="zoe.zulu2"), shop.clock())
    await store.accept(InboundBatch(ACCOUNT, receipts=(early,), changes=(moved,), unparsed=(odd,)), shop.clock())
    before = traces(tmp_path)
    assert len(set[bytes]().union(*before.values())) >= 8, "the search finds what is there"

    told = await store.start_erasure("+27 82 555-0199", shop.clock())
    assert told.messages == 2 * ROUNDS + 1
    for n in range(100, 103):
        assert await store.continue_erasure(20)
        await crowd(shop, range(n, n + 1), zoe=False)
    await erase(store)
    assert traces(tmp_path) == {}
    # Nothing comes back with the next writes either: no page kept in memory held on to it.
    await crowd(shop, range(200, 210), zoe=False)
    await store.database.alone(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    assert traces(tmp_path) == {}
    await store.close()
    assert traces(tmp_path) == {}
    assert whole(tmp_path)


async def test_what_deleting_leaves_in_unused_space_is_the_reason_for_cleaning(
    store: SqliteStore, shop: StoreScenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should SQLite overwrite that space by itself one day, `cleaning` can go."""
    monkeypatch.setattr(store._cleaning, "_blank", lambda db, start: 0)
    await crowd(shop, range(ROUNDS))
    await jostle(store)
    await store.start_erasure(ZOE.user_id or "", shop.clock())
    await erase(store)
    assert set(traces(tmp_path)) == {"sara.db"}


async def test_a_crash_at_any_step_is_made_good_by_the_next_start(
    store: SqliteStore, shop: StoreScenario, clock: ManualClock, tmp_path: Path
) -> None:
    await crowd(shop, range(12))
    await jostle(store)
    await store.start_erasure(ZOE.phone or "", clock())
    crashes, taken = dict[int, Path](), 0
    for steps in sorted(spread((0, 1, 2, 4, 8, 12, 16), 4)):
        while taken < steps:
            await store.continue_erasure(20)
            taken += 1
        crashes[steps] = left_by_a_kill(tmp_path, f"after-{steps}")
    for steps, state in crashes.items():
        again = SqliteStore(SqliteOptions(), Context("store", state, clock, ProblemRegistry(clock)))
        await again.open()
        assert await again.subject_data(ZOE.phone or "") is None, steps
        await erase(again)
        await again.close()
        assert traces(state) == {}, steps
        assert whole(state), steps


async def test_cleaning_waits_for_nobody(store: SqliteStore, shop: StoreScenario, tmp_path: Path) -> None:
    await crowd(shop, range(5))
    await store.start_erasure(ZOE.user_id or "", shop.clock())
    with closing(sqlite3.connect(f"file:{tmp_path / 'sara.db'}?mode=ro", uri=True, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM messages").fetchone()
        for _ in range(40):
            assert await store.continue_erasure(20), "it is not done while somebody reads what was there before"
        assert traces(tmp_path)
        await shop.take(message("in-9", KOFI))
    await erase(store)
    assert traces(tmp_path) == {}


async def test_nothing_is_overwritten_while_somebody_else_writes(
    store: SqliteStore, shop: StoreScenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await crowd(shop, range(5))
    blank, pages = store._cleaning._blank, store._cleaning._blank_pages
    looked: list[int] = []
    monkeypatch.setattr(store._cleaning, "_blank_pages", lambda start: looked.append(start) or pages(start))
    with closing(sqlite3.connect(tmp_path / "sara.db", isolation_level=None, timeout=0)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE counters SET value = value + 1")
        assert await store.database.alone(lambda db: blank(db, 0)) is None
        assert looked == []
        other.execute("COMMIT")
        # What it wrote stands in the log, and is brought into the file before that is touched.
        assert await store.database.alone(lambda db: blank(db, 0))
        assert looked == [0]
    assert whole(tmp_path)


async def test_who_was_erased_is_known_by_hashes_alone_and_their_key_lies_beside(
    store: SqliteStore, shop: StoreScenario, tmp_path: Path
) -> None:
    key = tmp_path / "forget-key"
    await shop.take(message("in-1", ZOE))
    await shop.take(message("in-2", ZOE, "stop"), verdict=STOP)
    assert not key.exists()
    assert (await store.start_erasure(ZOE.phone or "", shop.clock())).opt_out_retained
    await erase(store)
    assert key.stat().st_mode & 0o777 == 0o600
    kept = await store.database.read(
        lambda db: [tuple(row) for row in db.execute("SELECT digest, until, person FROM tombstones")]
    )
    assert len(kept) == 4
    assert all(len(digest) == 32 for digest, _, _ in kept)
    await store.backup(tmp_path / "copy.db")
    assert key.read_bytes() not in (tmp_path / "copy.db").read_bytes()


async def test_a_key_that_cannot_be_read_is_said_and_not_replaced(make: Callable[[], SqliteStore], tmp_path: Path) -> None:
    (tmp_path / "forget-key").write_text("not hexadecimal", encoding="ascii")
    with pytest.raises(StoreUnavailable, match="forget-key"):
        await make().open()
    assert (tmp_path / "forget-key").read_text(encoding="ascii") == "not hexadecimal"


async def test_the_copies_that_may_hold_somebody_are_named(store: SqliteStore, shop: StoreScenario, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "backups").mkdir()
    await shop.take(message("in-1", KOFI))
    await store.backup(elsewhere / "too-early.db")
    shop.clock.forward(DAY)
    await shop.take(message("in-2", ZOE))
    for name in ("gone.db", "kept.db"):
        shop.clock.forward(DAY)
        await store.backup(elsewhere / name)
    at = shop.clock()
    (elsewhere / "gone.db").unlink()
    late = 4_000_000_000
    for name in ("sara.db.before-2", "sara.db.replaced-x", "sara.db.replaced-x-wal", "backups/by-hand.db"):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (late, late))
    copies = (await store.start_erasure(ZOE.phone or "", shop.clock())).copies
    assert copies.pop(str(elsewhere / "kept.db")) == at  # type: ignore[attr-defined]
    assert {Path(path).name for path in copies} == {"sara.db.before-2", "sara.db.replaced-x", "by-hand.db"}


def test_only_pages_of_trees_have_unused_space() -> None:
    leaf = bytes([13, 0, 0, 0, 2, 0x0F, 0, 0]) + bytes(4088)
    assert unused(leaf, 0) == (12, 0x0F00)
    assert unused(bytes(100) + leaf[:-100], 100) == (112, 0x0F00)
    assert unused(bytes([5, *leaf[1:]]), 0) == (16, 0x0F00)
    for strange in (bytes(4096), bytes([0, *leaf[1:]]), bytes([13, 0, 0, 255, 255, 0, 1, 0]) + bytes(4088)):
        first, end = unused(strange, 0)
        assert first == end


KEPT: Iterable[str] = {
    "contacts", "aliases", "conversations", "replies", "messages", "attachments", "attempts", "early_receipts", "applied_changes", "events",
    "unparsed_payloads", "jobs", "erasures",
    "messages_text", "messages_text_data", "messages_text_idx", "messages_text_docsize",
}  # fmt: skip
OF_NOBODY: Iterable[str] = {
    "message_counts",
    "processes",
    "accounts",
    "account_events",
    "counters",
    "tombstones",
    "messages_text_config",
    "sqlite_sequence",
    "rate_counts",
    "ai_usage",
}


async def test_every_table_is_erased_or_holds_nothing_of_anybody(store: SqliteStore) -> None:
    """A new table has to be judged: one that hangs on contacts, conversations, messages or replies is erased by itself."""

    def hanging(db: sqlite3.Connection) -> dict[str, set[str]]:
        tables = [row["name"] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {each: {row["table"] for row in db.execute(f"PRAGMA foreign_key_list({each})")} for each in tables}

    found = await store.database.read(hanging)
    erased = {"contacts", "conversations", "messages", "replies"}
    assert {name for name, to in found.items() if not to & erased} - set(KEPT) - set(OF_NOBODY) == set()


async def test_a_view_of_a_conversation_that_is_being_erased_shows_nothing_to_do(store: SqliteStore, shop: StoreScenario) -> None:
    conversation = await talk(shop, ZOE, 1, "hello", "zoe")
    await shop.take(message("in-9", ZOE))
    await store.start_erasure(ZOE.phone or "", shop.clock())
    view = await store.reply_view(conversation, HistoryLimits())
    assert view is not None
    assert view.waiting == ()
    assert await store.delivery_view(conversation) is None
    assert await store.open_work(None, 10) == []


async def test_what_is_told_again_of_somebody_who_was_erased_stores_nothing(store: SqliteStore, shop: StoreScenario) -> None:
    await talk(shop, ZOE, 1, "hello", "zoe")
    await store.start_erasure(ZOE.phone or "", shop.clock())
    await erase(store)

    async def count() -> list[int]:
        tables = ("messages", "contacts", "early_receipts", "attachments", "applied_changes", "events")
        return await store.database.read(lambda db: [db.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables])  # noqa: S608

    before = await count()
    receipt = DeliveryReceipt(ACCOUNT, "read", shop.clock(), "wamid.zoe.out.1", "attempt-zoe-1")
    unnamed = DeliveryReceipt(ACCOUNT, "read", shop.clock(), "wamid.zoe.new", "attempt-zoe-1")
    taken = await store.accept(InboundBatch(ACCOUNT, receipts=(receipt, unnamed)), shop.clock())
    assert taken == AcceptResult(unknown_receipts=2)
    assert await count() == before
