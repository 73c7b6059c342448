"""`sara backup` and `sara restore`: what is refused, what is asked, and what is said."""

from __future__ import annotations

import asyncio
import builtins
import fcntl
import hashlib
import io
import json
import os
import sqlite3
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sara_sqlite.options import SqliteOptions
from sara_sqlite.store import SqliteStore

from sara import Context, SaraError
from sara.cli import backup as command
from sara.cli import context
from sara.engines import ErasureReport, StoreUnavailable
from sara.helpers import ProblemRegistry
from sara.operations.erasure import ErasureService
from sara.pipeline.media import MediaStore
from sara.plugins.call_guard import CallGuard
from sara.policy.settings import MediaSettings
from sara.runtime import logging as logs
from sara.testing import ManualClock
from sara.testing.store.attachments import PHOTO, with_files
from sara.testing.store.scenario import ACCOUNT, KOFI, StoreScenario
from tests.fakes import FakeStore, MemoryQueue

MINUTE = 60_000


class Terminal(io.StringIO):
    """Somebody who types one line."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _log_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands set up the log of their process; here it belongs to all tests."""
    monkeypatch.setattr(logs, "set_up", lambda *_: None)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    clock = ManualClock()
    for module in (command, context):
        monkeypatch.setattr(module, "wall_clock", clock)
    return clock


@pytest.fixture
def config(tmp_path: Path, clock: ManualClock) -> Path:
    """A configuration whose store holds a message that waits and an answer that was not sent."""
    file = tmp_path / "sara.yaml"
    names = ("phone_number_id", "business_account_id", "app_id", "app_secret", "access_token", "verify_token")
    number = {"plugin": "whatsapp", "webhook": "/webhook/messages", **dict.fromkeys(names, "1" * 20)}
    sections = {"channels": {"whatsapp": number}, "responders": {"assistant": {"plugin": "openai", "api_key": "sk-invented"}}}
    file.write_text(json.dumps({"state": "state", **sections}), encoding="utf-8")
    asyncio.run(_fill(tmp_path / "state", clock))
    return file


async def _fill(state: Path, clock: ManualClock) -> None:
    store = SqliteStore(SqliteOptions(), Context("store", state, clock, ProblemRegistry(clock)))
    await store.open()
    shop = StoreScenario(store, clock)
    await shop.answered("one")
    await shop.asked(KOFI, "in-2")
    await store.close()


def saved(config: Path) -> Path:
    target = config.parent / "copy.tar"
    assert command.backup(config, target, as_json=True) == 0
    return target


def states(config: Path) -> list[str]:
    with sqlite3.connect(config.parent / "state" / "sara.db") as db:
        found = [row[0] for row in db.execute("SELECT state FROM messages ORDER BY id")]
    db.close()
    return found


def test_a_backup_goes_into_the_state_directory_under_its_time(config: Path, clock: ManualClock, capsys: Any) -> None:
    assert command.backup(config, None, as_json=True) == 0
    [made] = (config.parent / "state" / "backups").iterdir()
    told = json.loads(capsys.readouterr().out)
    assert told["file"] == str(made)
    assert (told["messages"], told["conversations"], told["attempts"], told["bytes"]) == (3, 2, 0, made.stat().st_size)
    assert made.name.startswith("sara-20")
    assert made.name.endswith("Z.tar")
    assert made.stat().st_mode & 0o777 == 0o600
    assert told["left_out"] == [str(config)]
    # Twice within a second: the first one stays.
    assert command.backup(config, None, as_json=True) == 1
    assert "exists already" in capsys.readouterr().err
    clock.forward(1_000)
    assert command.backup(config, None, as_json=True) == 0


def test_a_backup_can_be_put_into_a_folder_or_a_file(config: Path, capsys: Any) -> None:
    folder = config.parent / "elsewhere"
    folder.mkdir()
    assert command.backup(config, folder, as_json=False) == 0
    [made] = folder.iterdir()
    out = capsys.readouterr().out
    assert str(made) in out
    assert "3 messages in 2 conversations, 0 attempts to send" in out
    assert command.backup(config, folder / "name.tar", as_json=False) == 0
    assert command.backup(config, folder / "name.tar", as_json=False) == 1
    assert command.backup(config, folder / "nowhere" / "name.tar", as_json=False) == 1
    assert "No such file" in capsys.readouterr().err


def test_a_restore_says_how_much_is_missing_and_what_to_do_next(config: Path, clock: ManualClock, capsys: Any) -> None:
    target = saved(config)
    clock.forward(37 * MINUTE - 1)
    capsys.readouterr()
    assert command.restore(config, target, yes=True, as_json=False) == 0
    out = capsys.readouterr().out
    for expected in (
        "Restored 3 messages in 2 conversations, 0 attempts to send",
        "37 minutes are missing",
        "sara.db.replaced-",
        "1 unanswered message: dead, reason restored",
        "1 part of an answer not known to be sent: held, reason restored",
        "sara queue list",
        "sara queue retry",
    ):
        assert expected in out
    assert states(config) == ["answered", "held", "dead"]


def test_the_same_for_programs(config: Path, clock: ManualClock, capsys: Any) -> None:
    target = saved(config)
    clock.forward(MINUTE + 1)
    capsys.readouterr()
    assert command.restore(config, target, yes=True, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["missing_minutes"], told["unanswered"], told["unsent"], told["messages"]) == (2, 1, 1, 3)
    assert Path(told["replaced"]).exists()
    assert told["newest"].endswith("Z")


@pytest.mark.parametrize(("typed", "done"), [("yes\n", True), ("YES \n", True), ("y\n", False), ("\n", False), ("", False)])
def test_it_is_asked_for_before_anything_is_replaced(
    config: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch, typed: str, done: bool
) -> None:
    target = saved(config)
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    assert command.restore(config, target, yes=False, as_json=False) == (0 if done else 1)
    told = capsys.readouterr()
    assert "is whole. It holds 3 messages" in told.out
    assert "missing" in told.out
    assert ("nothing was changed" in told.err) is not done
    assert states(config) == (["answered", "held", "dead"] if done else ["answered", "queued", "waiting"])


def test_ctrl_c_is_no(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: str) -> str:
        raise KeyboardInterrupt

    target = saved(config)
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(builtins, "input", interrupted)
    assert command.restore(config, target, yes=False, as_json=False) == 1
    assert states(config) == ["answered", "queued", "waiting"]


def test_without_a_terminal_it_takes_a_yes(config: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    target = saved(config)
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    assert command.restore(config, target, yes=False, as_json=False) == 2
    assert "--yes" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))
    assert command.restore(config, target, yes=False, as_json=True) == 2
    assert states(config) == ["answered", "queued", "waiting"]


def test_a_file_that_is_no_backup_is_refused_before_anybody_is_asked(
    config: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))
    assert command.restore(config, config, yes=False, as_json=False) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "sara.yaml cannot be used" in told.err
    assert states(config) == ["answered", "queued", "waiting"]


# ── customers' files ──────────────────────────────────────────────────────────────────────────────────────────────────────

CAT, DOG, ORPHAN = (char * 32 for char in "abc")
MENU = "offers/menu.pdf"


async def _bring(state: Path, clock: ManualClock, **files: bytes) -> None:
    """A message for each of these files, which was fetched."""
    store = SqliteStore(SqliteOptions(), Context("store", state, clock, ProblemRegistry(clock)))
    await store.open()
    shop = StoreScenario(store, clock)
    for name, content in files.items():
        await shop.take(with_files(f"in-{name}", PHOTO, at=clock()))
        [due] = await store.downloads(ACCOUNT, 2)
        digest = hashlib.sha256(content).hexdigest()
        await store.keep_attachment(due.attachment.id, name, digest, len(content), None, clock())
        (state / "media" / name).write_bytes(content)
    await store.close()


@pytest.fixture
def media(config: Path, clock: ManualClock) -> Path:
    """The media folder: a file that a row names, one of the operator's, and half a file."""
    folder = config.parent / "state" / "media"
    (folder / "offers").mkdir(parents=True)
    asyncio.run(_bring(config.parent / "state", clock, **{CAT: b"a cat"}))
    (folder / MENU).write_bytes(b"a menu")
    (folder / f"{DOG}.part").write_bytes(b"half a dog")
    return folder


def held(folder: Path) -> dict[str, bytes]:
    """The files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_backup_holds_customers_files_and_says_what_it_leaves_out(config: Path, media: Path, capsys: Any) -> None:
    state = config.parent / "state"
    (state / "forget-key").write_text("00" * 32, encoding="ascii")
    (config.parent / "secrets.yaml").write_text("{}", encoding="ascii")
    assert command.backup(config, config.parent / "copy.tar", as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["files"] == 2
    assert told["left_out"] == [str(config), str(config.with_name("secrets.yaml")), str(state / "forget-key")]
    with tarfile.open(config.parent / "copy.tar") as tar:
        assert tar.getnames() == ["store", f"media/{CAT}", f"media/{MENU}", "contents.json"]
    assert b"00" * 32 not in (config.parent / "copy.tar").read_bytes()
    assert command.backup(config, config.parent / "other.tar", as_json=False) == 0
    out = capsys.readouterr().out
    assert "2 files of customers" in out
    for path in told["left_out"]:
        assert f"\n  {path}\n" in out
    assert [path.name for path in config.parent.iterdir() if path.name.startswith(".")] == []


def test_files_come_back_with_the_messages_that_brought_them(config: Path, media: Path, clock: ManualClock, capsys: Any) -> None:
    """In the place that they were saved from, where files came and went since, and on a machine that has nothing yet."""
    target = saved(config)
    (media / CAT).unlink()
    clock.forward(MINUTE)
    asyncio.run(_bring(config.parent / "state", clock, **{DOG: b"a dog"}))
    (media / MENU).write_bytes(b"a newer menu")
    capsys.readouterr()
    assert command.restore(config, target, yes=True, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["files"] == 2
    assert held(media) == {CAT: b"a cat", DOG: b"a dog", MENU: b"a newer menu", f"{DOG}.part": b"half a dog"}
    assert held(Path(told["replaced_files"])) == {DOG: b"a dog"}
    assert Path(told["replaced_files"]).parent == media.parent

    elsewhere = config.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "sara.yaml").write_bytes(config.read_bytes())
    assert command.restore(elsewhere / "sara.yaml", target, yes=True, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["replaced"], told["replaced_files"]) == ("", "")
    assert held(elsewhere / "state" / "media") == {CAT: b"a cat", MENU: b"a menu"}
    assert not (elsewhere / "state" / ".restoring").exists()


def test_the_next_start_removes_what_the_restored_data_do_not_name_and_keeps_the_copy_aside(
    config: Path, media: Path, clock: ManualClock, capsys: Any
) -> None:
    state, target = config.parent / "state", saved(config)
    asyncio.run(_bring(state, clock, **{DOG: b"a dog"}))
    capsys.readouterr()
    assert command.restore(config, target, yes=True, as_json=False) == 0
    out = capsys.readouterr().out
    assert "With 2 files of customers." in out
    assert "The former files are kept as " in out

    async def clean_and_forget() -> ErasureReport:
        store = SqliteStore(SqliteOptions(), Context("store", state, clock, ProblemRegistry(clock)))
        await store.open()
        files = MediaStore(media, store, MediaSettings(), ProblemRegistry(clock), clock, str, CallGuard(ProblemRegistry(clock)))
        assert await files.remove_unnamed(0) == 2
        told = await ErasureService(store, MemoryQueue(clock), files, clock).forget("US.1")
        await store.close()
        return told

    told = asyncio.run(clean_and_forget())
    assert held(media) == {MENU: b"a menu"}
    [aside] = state.glob("media.replaced-*")
    assert held(aside) == {CAT: b"a cat", DOG: b"a dog"}
    assert {str(aside), str(target)} <= set(told.copies), "what may still hold somebody who was erased is named"


def rewritten(
    target: Path, change: Callable[[dict[str, bytes]], object], *, link: str | None = None, relist: bool = True
) -> None:
    """An archive with other members, whose list is true of them."""
    with tarfile.open(target) as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]  # all are files
    listed = json.loads(members.pop("contents.json"))
    change(members)
    if relist:
        listed["members"] = {name: [len(data), hashlib.sha256(data).hexdigest()] for name, data in members.items()}
    members["contents.json"] = json.dumps(listed).encode()
    with tarfile.open(target, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
            if link is not None and name == "store":
                info = tarfile.TarInfo(link)
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
                tar.addfile(info)


def test_an_archive_that_is_damaged_or_hostile_changes_nothing(config: Path, media: Path, capsys: Any) -> None:
    whole = saved(config).read_bytes()
    target = config.parent / "broken.tar"
    store_at, cat_at = whole.index(b"SQLite format 3"), whole.index(b"a cat")

    def cut(at: int) -> Callable[[], object]:
        return lambda: target.write_bytes(whole[:at])

    def flipped(at: int) -> Callable[[], object]:
        return lambda: target.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])

    def members(change: Callable[[dict[str, bytes]], object], **how: Any) -> Callable[[], object]:
        return lambda: rewritten(target, change, **how)

    rows: list[tuple[str, Callable[[], object]]] = [
        *(("damaged", cut(at)) for at in (600, 5_000, cat_at + 2, whole.index(b'"members"') + 9)),
        ("damaged", flipped(cat_at)),
        ("damaged", flipped(store_at + 9_000)),
        ("damaged", members(lambda held: held.pop(f"media/{CAT}"), relist=False)),
        ("damaged", members(lambda held: held.pop("store"))),
        ("damaged", members(lambda held: held.update({f"media/{DOG}": b"a dog"}), relist=False)),
        *(
            ("does not belong", members(lambda held, name=name: held.update({name: b"x"})))
            for name in (
                "../sara.yaml",
                "/etc/passwd",
                "media/../../x",
                "media",
                "media/",
                "admin-token",
                "media//x",
                "media/./x",
            )
        ),
        ("does not belong", members(lambda held: None, link="media/x")),
        ("broken.tar", members(lambda held: held.update(store=b"SQLite format 3\0 nonsense"))),
        ("broken.tar", members(lambda held: held.update(store=b""))),
    ]
    before = held(config.parent / "state")
    for words, damage in rows:
        target.write_bytes(whole)
        damage()
        capsys.readouterr()
        assert command.restore(config, target, yes=True, as_json=False) == 1, words
        told = capsys.readouterr()
        assert (told.out, words in told.err) == ("", True), told.err
        assert ".restoring" not in told.err
        after = held(config.parent / "state")
        changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        assert changed <= {"sara.db.lock", "sara.db-wal", "sara.db-shm"}, words


def test_an_archive_of_a_newer_sara_says_so(config: Path, media: Path, capsys: Any) -> None:
    target = saved(config)
    whole = target.read_bytes()
    target.write_bytes(whole.replace(b'"format": 1', b'"format": 2'))
    capsys.readouterr()
    assert command.restore(config, target, yes=True, as_json=False) == 1
    assert "written by a newer SARA" in capsys.readouterr().err


def test_a_restore_while_a_daemon_runs_or_that_the_store_refuses_changes_no_file(
    config: Path, media: Path, clock: ManualClock, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, state = saved(config), config.parent / "state"
    (media / CAT).unlink()
    (media / ORPHAN).write_bytes(b"x")
    before = held(media)

    async def beside() -> None:
        store = SqliteStore(SqliteOptions(), Context("store", state, clock, ProblemRegistry(clock)))
        await store.open()
        assert await asyncio.to_thread(command.restore, config, target, yes=True, as_json=False) == 1
        await store.close()

    asyncio.run(beside())
    assert "is in use by another SARA" in capsys.readouterr().err

    async def full(*_: Any) -> Any:
        raise StoreUnavailable("the disk is full; the present database is untouched")

    monkeypatch.setattr(SqliteStore, "restore", full)
    assert command.restore(config, target, yes=True, as_json=False) == 1
    assert held(media) == before
    assert list(state.glob("media.replaced-*")) == []
    assert not (state / ".restoring").exists()


def test_a_bare_backup_of_the_store_leaves_the_files_where_they_are(config: Path, media: Path, capsys: Any) -> None:
    with tarfile.open(saved(config)) as tar:
        (config.parent / "bare.db").write_bytes(tar.extractfile("store").read())  # type: ignore[union-attr]  # it is a file
    capsys.readouterr()
    assert command.restore(config, config.parent / "bare.db", yes=True, as_json=False) == 0
    assert "It holds no files of customers" in capsys.readouterr().out
    assert held(media)[CAT] == b"a cat"


def test_what_a_killed_backup_left_is_cleared_and_one_under_way_is_not(config: Path, media: Path, capsys: Any) -> None:
    left = config.parent / ".sara-1.tar.sara-unfinished"
    busy = config.parent / ".sara-2.tar.sara-unfinished"
    for folder in (left, busy):
        folder.mkdir()
        (folder / "store").write_bytes(b"customers' words")
    handle = os.open(busy, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    saved(config)
    assert (left.exists(), busy.exists()) == (False, True)
    assert command.backup(config, config.parent / "sara-2.tar", as_json=True) == 1
    assert "under way" in capsys.readouterr().err
    os.close(handle)
    assert command.backup(config, config.parent / "sara-2.tar", as_json=True) == 0


async def test_a_store_that_makes_no_backups_says_whose_it_is(tmp_path: Path) -> None:
    for refused in (FakeStore().backup(tmp_path), FakeStore().inspect_backup(tmp_path), FakeStore().restore(tmp_path, 0)):
        with pytest.raises(SaraError, match="the plugin tests"):
            await refused
