"""`sara forget`, `sara export` of a person and `sara conversations search`: what is asked, what is said, and what is refused."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from sara_sqlite.options import SqliteOptions
from sara_sqlite.store import SqliteStore

from sara import Context
from sara.cli import export, forget, search
from sara.helpers import ProblemRegistry
from sara.testing import ManualClock
from sara.testing.store.scenario import KOFI, STOP, StoreScenario, message
from tests.unit.cli.test_backup import Terminal, _log_left_alone, clock, config, saved

__all__ = ["_log_left_alone", "clock", "config"]  # fixtures


@pytest.fixture
def anas(config: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration whose store knows Ana, who was answered, and Kofi."""
    monkeypatch.setattr(forget, "wall_clock", clock)
    return config


def left(config: Path) -> list[str]:
    """The texts that are still there."""

    async def look() -> list[str]:
        context = Context("store", config.parent / "state", ManualClock(), ProblemRegistry(ManualClock()), read_only=True)
        store = SqliteStore(SqliteOptions(), context)
        await store.open()
        found = [each.text for each in await store.messages(None, None, 100)]
        await store.close()
        return found

    return asyncio.run(look())


def test_what_was_erased_is_said_and_what_may_still_hold_it(anas: Path, clock: ManualClock, capsys: Any) -> None:
    copy = saved(anas)
    capsys.readouterr()
    assert forget.forget(anas, "+1 555 000 1111", yes=True, as_json=False) == 0
    out = capsys.readouterr().out
    for expected in ("Erased p1: 2 messages, 1 conversation, 0 files.", str(copy), "snapshots"):
        assert expected in out
    assert "opted out" not in out
    assert left(anas) == ["hello"]


def test_the_same_for_programs(anas: Path, clock: ManualClock, capsys: Any) -> None:
    copy = saved(anas)
    capsys.readouterr()
    assert forget.forget(anas, "US.1", yes=True, as_json=True) == 0
    out = capsys.readouterr().out
    told = json.loads(out[out.index("{\n") :])  # behind the log, which a test does not set up
    assert (told["contacts"], told["messages"], told["opt_out_retained"]) == (["p1"], 2, False)
    assert told["copies"] == [{"path": str(copy), "at": "2027-01-15T08:00:00.000Z"}]


@pytest.mark.parametrize(("typed", "done"), [("yes\n", True), ("y\n", False), ("", False)])
def test_it_is_asked_for_before_anybody_is_erased(
    anas: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch, typed: str, done: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    assert forget.forget(anas, "p1", yes=False, as_json=False) == (0 if done else 1)
    out = capsys.readouterr().out
    for expected in ("p1, Ana", "15550001111", "2 messages, 1 conversation", "no way back"):
        assert expected in out
    assert len(left(anas)) == (1 if done else 3)


def test_without_a_terminal_it_takes_a_yes(anas: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))
    assert forget.forget(anas, "p1", yes=False, as_json=True) == 2
    assert "--yes" in capsys.readouterr().err
    assert len(left(anas)) == 3


@pytest.mark.parametrize("yes", [True, False])
def test_a_person_whom_nobody_knows_is_not_erased(anas: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch, yes: bool) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))
    assert forget.forget(anas, "+49 151 0000", yes=yes, as_json=False) == 1
    assert "+49 151 0000" in capsys.readouterr().err
    assert len(left(anas)) == 3


def test_who_opted_out_is_said_to_stay_so(anas: Path, clock: ManualClock, capsys: Any) -> None:
    async def stop() -> None:
        store = SqliteStore(SqliteOptions(), Context("store", anas.parent / "state", clock, ProblemRegistry(clock)))
        await store.open()
        await StoreScenario(store, clock).take(message("in-3", KOFI, "stop"), verdict=STOP)
        await store.close()

    asyncio.run(stop())
    assert forget.forget(anas, "15550002222", yes=True, as_json=False) == 0
    assert "still are when they write again" in capsys.readouterr().out


def test_an_export_of_a_person_begins_with_who_they_are(anas: Path, capsys: Any) -> None:
    assert export.export(anas, "US.1", person=True) == 0
    first, *rest = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (first["type"], first["id"], first["name"], first["linked"]) == ("contact", "p1", "Ana", [])
    assert first["created_at"] == "2027-01-15T08:00:00.000Z"
    assert [each["value"] for each in first["ids"]] == ["15550001111", "US.1"]
    assert [each["text"] for each in rest if each["type"] == "message"] == ["hello", "one"]
    assert {each["type"] for each in rest} == {"message", "event"}


def test_an_export_without_a_person_is_messages_alone(anas: Path, capsys: Any) -> None:
    for who, texts in ((None, ["hello", "one", "hello"]), ("c1", ["hello", "one"]), ("p2", ["hello"])):
        assert export.export(anas, who, person=False) == 0
        found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [each["text"] for each in found] == texts
        assert not [each for each in found if "type" in each]
    assert export.export(anas, None, person=True) == 2
    for nobody in ("p9", "c9"):
        assert export.export(anas, nobody, person=False) == 1
        assert nobody in capsys.readouterr().err


def test_a_search_prints_what_it_found(anas: Path, capsys: Any) -> None:
    assert search.search(anas, ["hel"], 10, as_json=False) == 0
    out = capsys.readouterr().out
    assert out.count("[hello]") == 2
    assert search.search(anas, ["nothing"], 10, as_json=False) == 0
    assert "No message" in capsys.readouterr().out


def test_events_are_listed_up_to_a_limit(anas: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "PAGE", 2)
    assert search.events(anas, "c1", 3, as_json=True) == 0
    assert [each["what"] for each in json.loads(capsys.readouterr().out)] == ["received", "asked", "queued"]
    assert search.events(anas, "c1", 100, as_json=False) == 0
    assert "answered" in capsys.readouterr().out
    assert search.events(anas, "c9", 3, as_json=False) == 1
