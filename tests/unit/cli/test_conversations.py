"""`sara conversations list`, `show` and `note`, on a terminal and in a pipe, and what `sara send` says of a message."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import pytest
from rich.cells import cell_len
from sara_sqlite.options import SqliteOptions
from sara_sqlite.store import SqliteStore

from sara import Context, Identity, InboundMessage, OutgoingContent
from sara.cli.app import app
from sara.engines import ClassifiedMessage, Handoff, InboundBatch, InboundDecision
from sara.helpers import ProblemRegistry
from sara.runtime.clock import wall_clock
from tests.unit.cli.test_operator import LOFT, Shop, shop_in

MINUTE = 60_000
ESCAPE = re.compile(r"\x1b\[([0-9;]*)m")
COLOURS = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7]|38;)")
LONG = "I would like to know whether you deliver on Sundays,\nand what that costs for twelve people at the harbour."


@pytest.fixture(autouse=True)
def left_as_it_was(own_logging: None) -> Iterator[None]:
    """The commands set up logging and import plugins; other tests expect neither."""
    yield
    for name in ("parrot", "pigeon"):
        sys.modules.pop(f"sara_{name}", None)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A shop with a conversation for each thing that can be said of one; c1 is of Ana, who wrote before."""
    shop = shop_in(tmp_path)

    async def fill() -> None:
        now = wall_clock()
        store = SqliteStore(SqliteOptions(), Context("store", tmp_path / "state", wall_clock, ProblemRegistry(wall_clock)))
        await store.open()
        try:
            for n, (who, text, ago) in enumerate(PEOPLE):
                said = InboundMessage("pigeon:roof", f"p{n}", who, "text" if text else "image", text, now - ago)
                await store.accept(
                    InboundBatch("pigeon:roof", (ClassifiedMessage(said, InboundDecision(skip="recorded"), 0, 0),)), now - ago
                )
            await store.hand_over("c2", Handoff("customer", "asked for it"), now - 4 * MINUTE - 1)
            await store.hand_over("c3", Handoff("customer", "asked for it"), now - 9 * MINUTE)
            await store.enqueue_messages("c3", [OutgoingContent("I am Rita.")], "operator", "operator", now - 8 * MINUTE)
            await store.consent("c4", True, "operator", "by phone", now, {})
            await store.hand_over("c5", Handoff("operator", mode="paused"), now)
        finally:
            await store.close()

    asyncio.run(fill())
    return shop


PEOPLE = (
    (Identity(user_id="bea", phone="4915112345678", name="Bea Beispielmeier-Musterfrau von und zu Hohenlohe"), LONG, 5 * MINUTE),
    (Identity(user_id="cem", phone="4915112345679", name="Cem"), "help", 9 * MINUTE),
    (
        Identity(user_id="dan", phone="4915112345670", name="日本太郎"),
        "もしもし、明日は開いていますか。予約したいのですが、大丈夫でしょうか。",
        180 * MINUTE,
    ),
    (Identity(user_id="eve", phone="15550001111"), "\x1b[31mred\x1b[0m", 3 * 24 * 60 * MINUTE),
    (Identity(user_id="fay"), "", 30 * 24 * 60 * MINUTE),
)


@contextmanager
def terminal(columns: int) -> Iterator[Sequence[str]]:
    """Standard output is a terminal of so many columns; the list has its lines afterwards."""
    above, below = pty.openpty()
    fcntl.ioctl(below, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    lines: list[str] = []
    former: TextIO = sys.stdout
    try:
        with os.fdopen(below, "w", encoding="utf-8", closefd=False) as shown:
            sys.stdout = shown
            try:
                yield lines
            finally:
                sys.stdout = former
        os.set_blocking(above, False)
        data = b""
        while True:
            try:
                data += os.read(above, 65_536)
            except BlockingIOError:
                break
        lines += data.decode().replace("\r\n", "\n").splitlines()
    finally:
        os.close(below)
        os.close(above)


def shown(monkeypatch: pytest.MonkeyPatch, shop: Shop, columns: int, *arguments: str, **environment: str) -> Sequence[str]:
    """What a command prints on a terminal."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm-256color", "COLUMNS": str(columns), **environment}.items():
        monkeypatch.setenv(name, value)
    with terminal(columns) as lines:
        app([*arguments, "--config", str(shop.file)], standalone_mode=False)
    return lines


def plainly(lines: Sequence[str]) -> list[str]:
    return [ESCAPE.sub("", line).rstrip() for line in lines]


def test_a_list_has_a_line_for_each_conversation_in_eighty_columns(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, shop, 80, "conversations", "list")
    assert all(cell_len(ESCAPE.sub("", line)) <= 80 for line in lines), lines
    heading, *rows = plainly(lines)
    assert heading.split() == ["id", "who", "last", "message", "ago"]
    found = {row.split()[0]: row for row in rows}
    assert len(rows) == len(found) == 6
    expected = {
        "c1": ("Ana", "← hello"),
        "c2": ("Bea Beispielmeier…", "← I", "5 min", "waits for a person 4 min"),
        "c3": ("Cem", "→ I am Rita.", "a person answers"),
        "c4": ("日本太郎", "← もし", "opted out"),
        "c5": ("+15550001111", "3 d", "paused"),
        "c6": ("fay", "← [image]"),
    }
    for id, parts in expected.items():
        for part in parts:
            assert part in found[id], (id, part, found[id])


def test_colours_are_for_a_terminal_that_wants_them(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[tuple[dict[str, str], bool]] = [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
    for environment, coloured in rows:
        printed = "\n".join(shown(monkeypatch, shop, 80, "conversations", "list", **environment))
        assert bool(COLOURS.search(printed)) is coloured, environment
        assert "\x1b[31mred" not in printed, "a customer colours nothing"
    assert "\x1b" not in shop.sara("conversations", "list").stdout


def test_a_pipe_and_a_wide_terminal_get_name_number_and_more(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for printed in (
        shop.sara("conversations", "list").stdout.splitlines(),
        plainly(shown(monkeypatch, shop, 160, "conversations", "list")),
    ):
        [bea] = [line for line in printed if line.startswith("c2")]
        assert "Bea Beispielmeier" in bea
        assert "+4915112345678" in bea
    [bea] = [line for line in shop.sara("conversations", "list").stdout.splitlines() if line.startswith("c2")]
    assert " ".join(LONG.split()) in bea, "nothing is cut where a program reads"


def test_who_waits_for_a_person_is_among_those_that_need_somebody_at_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = plainly(shown(monkeypatch, shop, 80, "conversations", "list", "--unhealthy"))
    assert [line.split()[0] for line in lines] == ["id", "c2"]
    assert all(part in lines[1] for part in ("+4915112345678", "waits for a person", "4 min")), lines
    [found] = json.loads(shop.sara("conversations", "list", "--unhealthy", "--json").stdout)
    assert (found["conversation"], found["reason"], found["phone"]) == ("c2", "waiting_for_person", "4915112345678")


def test_a_conversation_is_shown_in_lines_or_whole(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = plainly(shown(monkeypatch, shop, 80, "conversations", "show", "c2"))
    assert all(cell_len(line) <= 80 for line in lines), lines
    assert "Bea" in lines[0]
    assert "+4915112345678" in lines[1]
    assert "waits for a person" in lines[1]
    [line] = [line for line in lines if line.startswith("m")]
    assert "I would like to know" in line
    assert "…" in line
    whole = shop.sara("conversations", "show", "c2", "--full").stdout
    assert all(part in whole for part in LONG.splitlines())
    [message] = json.loads(shop.sara("conversations", "show", "c2", "--json").stdout)
    assert message["text"] == LONG


def test_a_program_gets_everything_that_is_listed(shop: Shop) -> None:
    found = {each["id"]: each for each in json.loads(shop.sara("conversations", "list", "--json").stdout)}
    assert found["c2"]["person_since"].endswith("Z")
    rows = (
        ("c2", {"phone": "4915112345678", "last_text": LONG, "last_direction": "in", "mode": "human"}),
        ("c3", {"person_since": None, "last_text": "I am Rita.", "last_direction": "out", "mode": "human"}),
        ("c6", {"phone": None, "last_kind": "image", "notes": "", "mode_until": None}),
    )
    for id, values in rows:
        assert {name: found[id][name] for name in values} == values


def test_notes_are_shown_added_to_and_replaced(shop: Shop) -> None:
    rows: tuple[tuple[tuple[str, ...], int, str, str], ...] = (
        ((), 0, "Nothing is noted.\n", ""),
        (("Allergic to nuts.",), 0, "c2: noted\n", "Allergic to nuts."),
        (("Pays by invoice.",), 0, "c2: noted\n", "Allergic to nuts.\nPays by invoice."),
        ((), 0, "Allergic to nuts.\nPays by invoice.\n", "Allergic to nuts.\nPays by invoice."),
        (("--replace",), 2, "", "Allergic to nuts.\nPays by invoice."),
        (("Moved.", "--replace"), 0, "c2: noted\n", "Moved."),
        (("",), 1, "", "Moved."),
        (("", "--replace"), 0, "c2: the notes are forgotten\n", ""),
    )
    for arguments, code, printed, kept in rows:
        result = shop.sara("conversations", "note", "c2", *arguments)
        assert (result.exit_code, result.stdout) == (code, printed), arguments
        assert json.loads(shop.sara("conversations", "note", "c2", "--json").stdout) == {"conversation": "c2", "notes": kept}


def test_without_a_daemon_a_message_is_said_to_wait(shop: Shop) -> None:
    windows: dict[str, Any] = {"loft": {**LOFT}}
    shop.write(channels=windows)
    rows: tuple[tuple[str, tuple[str, ...], int, str], ...] = (
        ("c2", (), 75, "no daemon is running"),
        ("c4", (), 75, "asked for no more messages"),
        ("c2", ("--after", "2h"), 0, "will be sent at"),
    )
    for conversation, arguments, code, said in rows:
        result = shop.sara("send", conversation, "Hello", *arguments)
        assert result.exit_code == code, result.output
        assert said in result.stdout
