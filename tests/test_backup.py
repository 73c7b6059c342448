"""`sara backup` and `sara restore`: what is refused, what is asked, and what is said."""

from __future__ import annotations

import asyncio
import builtins
import io
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest
from sara_sqlite.options import SqliteOptions
from sara_sqlite.store import SqliteStore

from sara import Context, Problems, SaraError, logs
from sara.cli import backup as command
from sara.cli import opening
from sara.testing import HandClock
from sara.testing.shop import KOFI, Shop
from tests.fakes import FakeStore

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
def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    clock = HandClock()
    for module in (command, opening):
        monkeypatch.setattr(module, "wall_clock", clock)
    return clock


@pytest.fixture
def config(tmp_path: Path, clock: HandClock) -> Path:
    """A configuration whose store holds a message that waits and an answer that was not sent."""
    file = tmp_path / "sara.yaml"
    names = ("phone_number_id", "business_account_id", "app_id", "app_secret", "access_token", "verify_token")
    number = {"plugin": "whatsapp", "webhook": "/webhook/messages", **dict.fromkeys(names, "1" * 20)}
    sections = {"channels": {"whatsapp": number}, "responders": {"assistant": {"plugin": "openai", "api_key": "sk-invented"}}}
    file.write_text(json.dumps({"state": "state", **sections}), encoding="utf-8")
    asyncio.run(_fill(tmp_path / "state", clock))
    return file


async def _fill(state: Path, clock: HandClock) -> None:
    store = SqliteStore(SqliteOptions(), Context("store", state, clock, Problems(clock)))
    await store.open()
    shop = Shop(store, clock)
    await shop.answered("one")
    await shop.asked(KOFI, "in-2")
    await store.close()


def saved(config: Path) -> Path:
    target = config.parent / "copy.db"
    assert command.backup(config, target, as_json=True) == 0
    return target


def states(config: Path) -> list[str]:
    with sqlite3.connect(config.parent / "state" / "sara.db") as db:
        found = [row[0] for row in db.execute("SELECT state FROM messages ORDER BY id")]
    db.close()
    return found


def test_a_backup_goes_into_the_state_directory_under_its_time(config: Path, clock: HandClock, capsys: Any) -> None:
    assert command.backup(config, None, as_json=True) == 0
    [made] = (config.parent / "state" / "backups").iterdir()
    told = json.loads(capsys.readouterr().out)
    assert told["file"] == str(made)
    assert (told["messages"], told["conversations"], told["attempts"], told["bytes"]) == (3, 2, 0, made.stat().st_size)
    assert made.name.startswith("sara-20")
    assert made.name.endswith("Z.db")
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
    assert command.backup(config, folder / "name.db", as_json=False) == 0
    assert command.backup(config, folder / "name.db", as_json=False) == 1
    assert command.backup(config, folder / "nowhere" / "name.db", as_json=False) == 1
    assert "No such file" in capsys.readouterr().err


def test_a_restore_says_how_much_is_missing_and_what_to_do_next(config: Path, clock: HandClock, capsys: Any) -> None:
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


def test_the_same_for_programs(config: Path, clock: HandClock, capsys: Any) -> None:
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


async def test_a_store_that_makes_no_backups_says_whose_it_is(tmp_path: Path) -> None:
    for refused in (FakeStore().backup(tmp_path), FakeStore().examine(tmp_path), FakeStore().restore(tmp_path, 0)):
        with pytest.raises(SaraError, match="the plugin tests"):
            await refused
