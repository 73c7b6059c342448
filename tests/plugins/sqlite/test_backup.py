"""A copy while others write, and putting it back so that nothing is done twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sara_sqlite import backup, migrate, restore
from sara_sqlite.aside import Cancelled, CancelToken, aside
from sara_sqlite.options import SqliteOptions
from sara_sqlite.store import SqliteStore

from sara import Attachment, Context, Identity, SaraError
from sara.engines import AttemptResult, AttemptState, HistoryLimits, OutboundState, StoreLocked, StoreUnavailable
from sara.helpers import ProblemRegistry
from sara.testing import ManualClock
from sara.testing.store.scenario import ANA, KOFI, StoreScenario, later, message
from tests.patience import patience

DEADLINE = patience(30)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder / "sara.db"


@contextlib.contextmanager
def looked_into(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        yield connection
    finally:
        connection.close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


PRECIOUS = "precious"


def put_precious(path: Path) -> None:
    path.write_text(PRECIOUS, encoding="ascii")


def content(path: Path) -> str:
    return path.read_text(encoding="ascii")


async def fill(store: SqliteStore, count: int) -> None:
    """Many messages, so that a copy takes many steps."""

    def write(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO contacts (id, provider, created_at) VALUES (900, 'test', 1)")
        db.execute("INSERT INTO conversations (id, account, contact, created_at) VALUES (900, 'test:1', 900, 1)")
        db.executemany(
            "INSERT INTO messages (conversation, account, direction, external_id, kind, text, state, at, created_at)"
            " VALUES (900, 'test:1', 'in', ?, 'text', ?, 'answered', 1, 1)",
            ((f"old-{n}", "x" * 1_000) for n in range(count)),
        )

    await store.database.write(write)


# ── saving ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_backup_taken_under_load_shows_one_moment_and_ends(store: SqliteStore, shop: StoreScenario, target: Path) -> None:
    await fill(store, 5_000)
    taken = 0

    async def load() -> None:
        nonlocal taken
        while True:
            await shop.take(message(f"in-{taken}", ANA if taken % 2 else KOFI))
            taken += 1

    loading = asyncio.create_task(load())
    async with asyncio.timeout(DEADLINE):
        while not taken:
            await shop.store.ping()
        before = taken
        saved = await store.backup(target)
        during = taken - before
    loading.cancel()
    await asyncio.gather(loading, return_exceptions=True)
    assert during > 0, "nothing was written meanwhile: this proves nothing"
    with looked_into(target) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        [held] = copy.execute("SELECT count(*) FROM messages").fetchone()
        assert saved["messages"] == held
        assert 5_000 + before <= held <= 5_000 + taken
        # What one transaction wrote is there together: each message with the event that it came.
        [events] = copy.execute("SELECT count(*) FROM events WHERE what = 'received'").fetchone()
        assert events == held - 5_000
    assert names(target.parent) == ["sara.db"]


async def test_a_backup_is_one_file_for_its_owner_alone_and_says_when_it_was_made(
    store: SqliteStore, shop: StoreScenario, clock: ManualClock, target: Path
) -> None:
    await shop.asked()
    clock.forward(60_000)
    await store.backup(target)
    assert mode(target) == 0o600
    with looked_into(target) as copy:
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert copy.execute("SELECT at, what FROM events ORDER BY id DESC").fetchone() == (clock(), "backed_up")
    assert names(target.parent) == ["sara.db"]
    assert "backed_up" not in await store.database.read(lambda db: [row[0] for row in db.execute("SELECT what FROM events")])


async def test_a_backup_needs_no_lock_and_no_daemon(
    store: SqliteStore, shop: StoreScenario, tmp_path: Path, clock: ManualClock, target: Path
) -> None:
    await shop.asked()
    beside = SqliteStore(SqliteOptions(), Context("store", tmp_path, clock, ProblemRegistry(clock), read_only=True))
    await beside.open()
    assert (await beside.backup(target))["messages"] == 1
    await beside.close()
    await store.close()
    await beside.open()
    assert (await beside.backup(target.with_name("second.db")))["messages"] == 1
    await beside.close()


async def test_a_backup_never_replaces_a_file(store: SqliteStore, target: Path) -> None:
    put_precious(target)
    with pytest.raises(SaraError, match="exists already"):
        await store.backup(target)
    assert content(target) == PRECIOUS
    assert names(target.parent) == ["sara.db"]


async def test_a_file_that_appears_meanwhile_is_not_replaced_either(
    store: SqliteStore, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = backup._seal

    def seal(*args: Any) -> None:
        real(*args)
        put_precious(target)

    monkeypatch.setattr(backup, "_seal", seal)
    with pytest.raises(SaraError, match="exists already"):
        await store.backup(target)
    assert content(target) == PRECIOUS
    assert names(target.parent) == ["sara.db"]


async def test_where_there_are_no_links_a_backup_gets_its_name_all_the_same(
    store: SqliteStore, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    await store.backup(target)
    assert names(target.parent) == ["sara.db"]


async def test_a_backup_that_cannot_be_written_leaves_nothing(
    store: SqliteStore, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(store, 500)

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup, "sync", full)
    with pytest.raises(StoreUnavailable, match="No space left"):
        await store.backup(target)
    assert names(target.parent) == []
    with pytest.raises(StoreUnavailable, match="No such file"):
        await store.backup(target.parent / "nowhere" / "sara.db")


def spoil(database: Path) -> None:
    """Let an index miss a row: nobody notices but who reads and compares everything."""

    def change(sql: str, *values: object) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as db:
            db.execute("PRAGMA writable_schema = ON")
            return db.execute(sql, values).fetchall()

    [index] = change("SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema WHERE name = 'messages_external'")
    change("DELETE FROM sqlite_schema WHERE name = 'messages_external'")
    change("UPDATE messages SET external_id = 'another' WHERE id = 1")
    change("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", *index)


async def test_a_damaged_copy_is_not_kept(store: SqliteStore, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(store, 500)
    real = backup.copy_database

    def copy(source: Path, written: Path, stop: CancelToken) -> dict[str, int]:
        counted = real(source, written, stop)
        spoil(written)
        return counted

    monkeypatch.setattr(backup, "copy_database", copy)
    with pytest.raises(StoreUnavailable, match="damaged"):
        await store.backup(target)
    assert names(target.parent) == []


async def test_a_cancelled_backup_leaves_nothing(store: SqliteStore, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(store, 2_000)
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()
    real = CancelToken.check

    def check(stop: CancelToken) -> None:
        loop.call_soon_threadsafe(begun.set)
        real(stop)

    monkeypatch.setattr(CancelToken, "check", check)
    task = asyncio.create_task(store.backup(target))
    async with asyncio.timeout(DEADLINE):
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert names(target.parent) == []


async def test_long_work_within_sqlite_is_called_off_too() -> None:
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()
    ended: list[str] = []

    def work(stop: CancelToken) -> None:
        connection = sqlite3.connect(":memory:", check_same_thread=False)
        stop.watch(connection)
        loop.call_soon_threadsafe(begun.set)
        try:
            connection.execute(
                "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
            ).fetchone()
        except sqlite3.OperationalError as error:
            ended.append(str(error))
            with pytest.raises(Cancelled):
                stop.check()
        finally:
            connection.close()

    task = asyncio.create_task(aside(work))
    async with asyncio.timeout(DEADLINE):
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert ended == ["interrupted"]


KILLED = """
import os, signal, sys
from pathlib import Path
from sara_sqlite import backup
from sara_sqlite.aside import CancelToken

at = sys.argv[3]
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
if at == "copying":
    steps = []
    CancelToken.check = lambda self: die() if len(steps) > 3 else steps.append(1)
else:
    setattr(backup, at, die)
backup.save(Path(sys.argv[1]), Path(sys.argv[2]), 1, CancelToken())
"""


def killed(source: Path, target: Path, at: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, source, target, at], capture_output=True, check=False, timeout=patience(60)
    )
    assert done.returncode == -9, done.stderr.decode()


async def test_a_killed_backup_leaves_no_half_file_named_as_one_and_the_next_clears_up(store: SqliteStore, target: Path) -> None:
    await fill(store, 2_000)
    other = target.with_name("other.db")
    for at in ("copying", "_seal", "check", "sync", "_publish"):
        await asyncio.to_thread(killed, store.database.path, target, at)
        left = names(target.parent)
        assert left, at
        assert all(name.startswith(".") for name in left), at
        await store.backup(other)
        assert names(target.parent) == ["other.db"], at
        other.unlink()


async def test_an_unfinished_backup_of_a_living_process_is_left_alone(
    store: SqliteStore, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = backup._seal
    saved: list[Any] = []

    def seal(copy: Path, *args: Any) -> None:
        if not saved:
            saved.append(copy)
            saved.append(backup.save(store.database.path, target.with_name("second.db"), 1, CancelToken()))
            with pytest.raises(SaraError, match="under way"):
                backup.save(store.database.path, target, 1, CancelToken())
        real(copy, *args)

    monkeypatch.setattr(backup, "_seal", seal)
    await store.backup(target)
    assert names(target.parent) == ["sara.db", "second.db"]


# ── restoring ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def everything_open(shop: StoreScenario) -> dict[str, str]:
    """A message that waits, a part that is queued, one being sent, one in doubt and one sent; their ids."""
    found = {}
    for name in ("waiting", "queued", "sending", "in_doubt", "sent"):
        person = Identity(user_id=f"US.{name}")
        if name == "waiting":
            conversation = await shop.asked(person, f"in-{name}")
            [found[name]] = [each.id for each in await shop.store.messages(conversation, None, 10)]
            continue
        conversation = await shop.answered(name, person=person, external_id=f"in-{name}")
        if name == "queued":
            found[name] = (await shop.store.messages(conversation, None, 10))[-1].id
        else:
            found[name] = await shop.begin(conversation, f"a-{name}")
        if name == "in_doubt":
            await shop.store.record_attempt(
                "a-in_doubt", AttemptResult(AttemptState.IN_DOUBT, OutboundState.IN_DOUBT, shop.clock() + 60_000), shop.clock()
            )
        if name == "sent":
            await shop.store.record_attempt(
                "a-sent", AttemptResult(AttemptState.ACCEPTED, OutboundState.ACCEPTED, external_id="out-sent"), shop.clock()
            )
    return found


async def put_back(store: SqliteStore, shop: StoreScenario, target: Path) -> dict[str, Any]:
    """Close, restore, open again."""
    await store.close()
    done = dict(await store.restore(target, shop.clock()))
    await store.open()
    return done


async def test_what_was_open_in_a_backup_is_not_done_again_by_itself(
    store: SqliteStore, shop: StoreScenario, target: Path
) -> None:
    ids = await everything_open(shop)
    await store.backup(target)
    shop.clock.forward(600_000)
    await shop.take(message("in-lost"))
    done = await put_back(store, shop, target)
    assert (done["unsent"], done["unanswered"], done["messages"]) == (3, 1, 9)
    assert shop.clock() - done["newest"] == 600_000
    assert await store.open_work(None, 100) == []
    for name, state in {"waiting": "dead", "queued": "held", "sending": "held", "in_doubt": "held", "sent": "accepted"}.items():
        found = await shop.found(ids[name])
        assert (name, found.state, found.reason) == (name, state, None if state == "accepted" else "restored")
    assert {each.id for each in await store.list_failed(100)} == {
        ids[name] for name in ("waiting", "queued", "sending", "in_doubt")
    }
    assert [event.what for event in await store.timeline(ids["queued"])] == ["queued", "held"]
    assert "since the backup of" in (await store.timeline(ids["waiting"]))[-1].detail
    # A start finds nothing to recover, and no crash of the life in the backup counts.
    recovered = await store.recover("next", shop.clock())
    assert (recovered.doubtful, recovered.unclean) == (0, 0)
    assert await store.open_work(None, 100) == []


async def test_a_person_can_have_it_done(store: SqliteStore, shop: StoreScenario, target: Path) -> None:
    ids = await everything_open(shop)
    await store.backup(target)
    await put_back(store, shop, target)
    for each in await store.list_failed(100):
        await store.retry_failed(each.conversation, "reply" if each.direction == "in" else "deliver", shop.clock())
    assert [await shop.state(ids[name]) for name in ("waiting", "queued", "sending", "in_doubt")] == ["waiting", *["queued"] * 3]
    assert len(await store.open_work(None, 100, before=shop.clock())) == 4


async def test_a_receipt_that_still_comes_settles_what_was_being_sent(
    store: SqliteStore, shop: StoreScenario, target: Path
) -> None:
    ids = await everything_open(shop)
    await store.backup(target)
    await put_back(store, shop, target)
    await shop.receipt("delivered", attempt="a-sending", external_id="out-sending")
    assert await shop.state(ids["sending"]) == "delivered"
    assert (await store.attempts(ids["sending"]))[0].state == "accepted"


async def test_what_waited_for_the_customer_does_not_go_out_when_they_write(
    store: SqliteStore, shop: StoreScenario, target: Path
) -> None:
    conversation = await shop.answered("one")
    await shop.park(conversation, None)
    await store.backup(target)
    done = await put_back(store, shop, target)
    assert done["unsent"] == 1
    shop.clock.forward(1_000)
    await shop.take(later(shop, "in-2"))
    assert await shop.states(conversation) == ["answered", "held", "waiting"]


async def test_a_failure_told_after_a_restore_sends_nothing_again(store: SqliteStore, shop: StoreScenario, target: Path) -> None:
    conversation = await shop.answered("one")
    part = await shop.send(conversation, "a1", "out-1")
    await store.backup(target)
    await put_back(store, shop, target)
    await shop.receipt("failed", attempt="a1", then="retry")
    assert await shop.state(part) == "failed"


async def test_files_and_bills_come_back_too(store: SqliteStore, shop: StoreScenario, target: Path) -> None:
    conversation = await shop.answered("one")
    await shop.send(conversation, "a1", "out-1")
    await shop.receipt("sent", attempt="a1", counts=True, at=1_796_083_199_999)
    await shop.take(replace(message("in-2"), attachments=(Attachment("image", "image/png", "ref"),)))
    [photo] = (await shop.reading(conversation)).waiting[0].attachments
    await store.keep_attachment(photo.id, "x7f3", "aa" * 32, 1, None, shop.clock())
    await store.backup(target)
    await put_back(store, shop, target)
    assert await store.attachment_file("aa" * 32) == "x7f3"
    assert await store.message_counts("test:1", "2026-11") == {"counted": 1}


async def test_messages_in_the_backup_are_recognised_and_later_ones_start_nothing_old(
    store: SqliteStore, shop: StoreScenario, target: Path
) -> None:
    conversation = await shop.asked(ANA, "in-1")
    await store.backup(target)
    await put_back(store, shop, target)
    taken = await shop.take(message("in-1"))
    assert (taken.known, taken.stored, taken.work) == (1, (), ())
    await shop.take(message("in-2"))
    view = await store.reply_view(conversation, HistoryLimits())
    assert view is not None
    assert [line.external_id for line in view.waiting] == ["in-2"]
    assert [line.external_id for line in view.history] == ["in-1"]


async def test_the_former_database_is_kept_with_its_log_and_can_be_put_back_itself(
    store: SqliteStore, shop: StoreScenario, tmp_path: Path, target: Path
) -> None:
    await shop.asked(ANA, "in-1")
    await store.backup(target)
    await shop.asked(KOFI, "in-2")
    # As after a kill: part of what is kept stands in the log alone.
    copies = {name: (tmp_path / name).read_bytes() for name in ("sara.db", "sara.db-wal")}
    await store.close()
    for name, held in copies.items():
        (tmp_path / name).write_bytes(held)
    done = await store.restore(target, shop.clock())
    aside = Path(done["replaced"])
    assert aside.name.startswith("sara.db.replaced-")
    assert aside.with_name(aside.name + "-wal").exists()
    assert not (tmp_path / "sara.db-wal").exists()
    assert not (tmp_path / "sara.db-shm").exists()
    await store.open()
    assert await store.find("in-2") is None
    await store.close()
    again = await store.restore(aside, shop.clock())
    assert again["replaced"] != done["replaced"]
    await store.open()
    assert (await shop.found("in-2")).state == "dead"


async def test_a_backup_comes_to_a_new_place(store: SqliteStore, shop: StoreScenario, tmp_path: Path, target: Path) -> None:
    await shop.asked()
    await store.backup(target)
    elsewhere = tmp_path / "new" / "state"
    fresh = SqliteStore(SqliteOptions(), Context("store", elsewhere, shop.clock, ProblemRegistry(shop.clock)))
    assert (await fresh.restore(target, shop.clock()))["replaced"] == ""
    assert mode(elsewhere / "sara.db") == 0o600
    await fresh.open()
    assert await fresh.find("in-1") is not None
    await fresh.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
async def test_what_root_restores_still_belongs_to_whom_the_daemon_runs_as(
    store: SqliteStore, shop: StoreScenario, tmp_path: Path, target: Path
) -> None:
    await store.backup(target)
    await store.close()
    os.chown(tmp_path / "sara.db", 4711, 4712)
    await store.restore(target, shop.clock())
    for name in ("sara.db", "sara.db.lock"):
        owner = os.stat(tmp_path / name)
        assert (owner.st_uid, owner.st_gid) == (4711, 4712)


async def test_nothing_is_restored_while_somebody_has_the_database(
    store: SqliteStore, shop: StoreScenario, make: Callable[[], SqliteStore], target: Path
) -> None:
    await store.backup(target)
    await shop.asked()
    for refused in (make().inspect_backup(target), make().restore(target, 1)):
        with pytest.raises(StoreLocked, match=str(os.getpid())):
            await refused
    assert await store.find("in-1") is not None


def garbage(target: Path) -> None:
    target.write_bytes(b"no database" * 1_000)


def emptied(target: Path) -> None:
    target.write_bytes(b"")


def cut(target: Path) -> None:
    os.truncate(target, target.stat().st_size // 2)


def zeroed(target: Path) -> None:
    """The root page of the table of messages."""
    with looked_into(target) as copy:
        [page] = copy.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'messages'").fetchone()
    with target.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(bytes(4096))


def newer(target: Path) -> None:
    _run(target, "PRAGMA user_version = 999")


def foreign(target: Path) -> None:
    target.unlink()
    _run(target, "CREATE TABLE bookmarks (url)", "PRAGMA user_version = 1")


def dangling(target: Path) -> None:
    _run(target, "INSERT INTO attempts (id, message, owner, state, started_at) VALUES ('x', 999, 'me', 'sending', 1)")


def gone(target: Path) -> None:
    target.unlink()


def _run(target: Path, *statements: str) -> None:
    connection = sqlite3.connect(target, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize("spoil", [garbage, emptied, cut, zeroed, newer, foreign, dangling, gone])
async def test_a_file_that_is_no_good_backup_leaves_the_present_database_untouched(
    store: SqliteStore, shop: StoreScenario, tmp_path: Path, target: Path, spoil: Callable[[Path], None]
) -> None:
    await shop.asked()
    await store.backup(target)
    await store.close()
    await asyncio.to_thread(spoil, target)
    before = (tmp_path / "sara.db").read_bytes()
    for refused in (store.inspect_backup(target), store.restore(target, shop.clock())):
        with pytest.raises(SaraError, match=r"sara\.db"):
            await refused
    assert (tmp_path / "sara.db").read_bytes() == before
    assert not [name for name in names(tmp_path) if "restor" in name or "replaced" in name]
    await store.open()
    assert await store.find("in-1") is not None


async def test_the_database_itself_is_no_backup(store: SqliteStore, tmp_path: Path) -> None:
    await store.close()
    with pytest.raises(SaraError, match="in use"):
        await store.restore(tmp_path / "sara.db", 1)


async def test_a_backup_of_an_older_sara_is_brought_up_to_date(
    store: SqliteStore, shop: StoreScenario, tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.asked()
    await store.backup(target)
    await store.close()
    known = migrate.steps()
    monkeypatch.setattr(migrate, "steps", lambda: known | {max(known) + 1: "CREATE TABLE later (x);"})
    await store.restore(target, shop.clock())
    with looked_into(tmp_path / "sara.db") as restored:
        assert restored.execute("PRAGMA user_version").fetchone() == (max(known) + 1,)
        assert restored.execute("SELECT count(*) FROM later").fetchone() == (0,)
    with looked_into(target) as untouched:
        assert untouched.execute("PRAGMA user_version").fetchone() == (max(known),)


class Cut(Exception):
    """The power went."""


@pytest.mark.parametrize("step", range(1, 10))
async def test_a_restore_that_is_cut_off_has_either_not_begun_or_is_ended_by_the_next_start(
    store: SqliteStore, shop: StoreScenario, tmp_path: Path, target: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.asked(ANA, "in-1")
    await store.backup(target)
    await shop.asked(KOFI, "in-2")
    log = (tmp_path / "sara.db-wal").read_bytes()
    await store.close()
    (tmp_path / "sara.db-wal").write_bytes(log)
    taken = 0

    def cut_at(real: Callable[..., Any]) -> Callable[..., Any]:
        def count(path: Path, *args: Any) -> Any:
            nonlocal taken
            taken += 1
            if taken >= step:
                raise Cut
            return real(path, *args)

        return count

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", cut_at(Path.rename))
        patch.setattr(restore, "sync", cut_at(restore.sync))
        with contextlib.suppress(Cut):
            await store.restore(target, shop.clock())
    if restore.pending(tmp_path / "sara.db"):
        looking = SqliteStore(
            SqliteOptions(), Context("store", tmp_path, shop.clock, ProblemRegistry(shop.clock), read_only=True)
        )
        with pytest.raises(StoreUnavailable, match="cut off"):
            await looking.open()
    await store.open()
    assert restore.pending(tmp_path / "sara.db") == []
    aside = sorted(name for name in names(tmp_path) if "replaced" in name)
    restored = await store.find("in-2") is None
    assert restored == bool(aside)
    if restored:
        assert [name.endswith("-wal") for name in aside] == [False, True]
        assert (await shop.found("in-1")).reason == "restored"
    assert restored == (step >= 3)
