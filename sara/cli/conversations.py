"""`sara conversations list` and `show`, `sara why`"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sara.cli.context import OfflineContext, run_read_only
from sara.cli.output import (
    Cell,
    Column,
    age,
    byte_count,
    fail,
    is_wide,
    iso,
    lines,
    local,
    number_of,
    print_json,
    printable,
    table,
)
from sara.domain.conversations import ConversationSummary
from sara.domain.messages import Attachment, StoredMessage
from sara.domain.time import Instant
from sara.operations.conversation_health import WORDS
from sara.pipeline.media import located
from sara.plugins.channel import media_directory
from sara.runtime.clock import wall_clock

PAGE = 1_000

ARROWS: Mapping[str, str] = {"in": "←", "out": "→"}
STATE_STYLES: Mapping[str, str] = {
    "waiting": "yellow",
    "dead": "red",
    "quarantined": "red",
    "failed": "red",
    "held": "red",
    "in_doubt": "yellow",
    "parked": "yellow",
    "queued": "yellow",
    "sending": "yellow",
}


def listing(config: Path, limit: int, *, unhealthy: bool = False, as_json: bool) -> int:
    """Print the newest conversations, or those that somebody should look at."""

    async def look(house: OfflineContext) -> int:
        if unhealthy:
            return await _print_unhealthy(house, limit, as_json=as_json)
        found = await house.store.conversations(limit)
        if as_json:
            print_json(
                [
                    {
                        **asdict(each),
                        "last_at": iso(each.last_at),
                        "reply_due": iso(each.reply_due),
                        "deliver_due": iso(each.deliver_due),
                        "mode_until": iso(each.mode_until),
                        "person_since": iso(each.person_since),
                    }
                    for each in found
                ]
            )
            return 0
        lines(*_listed(found, wall_clock()), "There are no conversations yet.")
        return 0

    return run_read_only(config, look)


def _listed(found: Sequence[ConversationSummary], now: Instant) -> tuple[list[Column], list[list[Cell]]]:
    """Return a line for each conversation: the name or the number on a narrow terminal, else both. Where there are several
    accounts, a wide one shows the account."""
    wide = is_wide()
    several = wide and len({each.account for each in found}) > 1
    columns = [
        Column("id", 8),
        Column("who", 24 if wide else 18),
        *([Column("number", 16)] if wide else []),
        *([Column("account", 30)] if several else []),
        Column("last message", None),
        Column("ago", 10, right=True),
        Column("", 30 if wide else 24),
    ]
    rows: list[list[Cell]] = [
        [
            each.id,
            _who(each) if wide else each.name or number_of(each.phone) or _who(each),
            *([number_of(each.phone)] if wide else []),
            *([each.account] if several else []),
            _last(each),
            age(each.last_at, now),
            standing(each, now),
        ]
        for each in found
    ]
    return columns, rows


def _who(each: ConversationSummary) -> str:
    """Return the name, or another identifier of a customer without a name and a number."""
    return each.name or ("" if each.phone else each.address or each.contact)


def standing(each: ConversationSummary, now: Instant) -> Cell:
    """Return what is special about a conversation, in a few words; what needs an operator comes first."""
    if each.mode == "human" and each.person_since is not None:
        return f"waits for a person {age(each.person_since, now)}", "bold red"
    if each.error:
        return each.error, "red"
    if each.opted_out:
        return "opted out", "dim"
    if each.mode == "human":
        return "a person answers", "cyan"
    if each.mode == "paused":
        return "paused", "yellow"
    if each.waiting:
        return f"{each.waiting} unanswered", "yellow"
    return (f"{each.unsent} unsent", "yellow") if each.unsent else ""


def _last(each: ConversationSummary) -> str:
    if each.last_direction is None:
        return ""
    arrow = ARROWS[each.last_direction]
    return f"{arrow} {each.last_text or f'[{each.last_kind}]'}"


async def _print_unhealthy(house: OfflineContext, limit: int, *, as_json: bool) -> int:
    found = await house.health.look(limit, is_asked=True)
    if as_json:
        print_json([{**asdict(each), "since": iso(each.since)} for each in found])
        return 0
    now = wall_clock()
    columns = [Column("id", 8), Column("who", 16), Column("number", 15), Column("what", None), Column("since", 10, right=True)]
    rows: list[list[Cell]] = [
        [
            each.conversation,
            each.name or ("" if each.phone else each.contact),
            number_of(each.phone),
            (WORDS[each.reason] + (f": {each.detail}" if each.detail else ""), "red"),
            age(each.since, now),
        ]
        for each in found
    ]
    lines(columns, rows, "Every conversation is well.")
    return 0


def show(config: Path, conversation: str, limit: int, *, full: bool = False, as_json: bool) -> int:
    """Print a conversation's newest messages, in their order."""

    async def look(house: OfflineContext) -> int:
        found = list(deque([message async for message in _all(house, conversation)], limit))
        if not found:
            return unknown(conversation)
        files = await _files(house, conversation)
        if as_json:
            shown = [(exported(each, house), files.get(each.id, ())) for each in found]
            print_json([{**message, "attachments": [_exported_file(file) for file in brought]} for message, brought in shown])
            return 0
        now, summary = wall_clock(), await house.store.conversation(conversation)
        told, _ = _styled(standing(summary, now))
        facts = [number_of(summary.phone) or summary.address, summary.account, told]
        print(printable(f"{conversation}  {summary.name or ''}".rstrip()))
        print(printable(" · ".join(each for each in facts if each)) + "\n")
        if full:
            _print_whole(found, files)
        else:
            _print_lines(found, files, now)
        return 0

    return run_read_only(config, look)


def _print_lines(found: Sequence[StoredMessage], files: Mapping[str, Sequence[Attachment]], now: Instant) -> None:
    columns = [Column("id", 8), Column("ago", 10, right=True), Column("", 1), Column("message", None), Column("state", 24)]
    rows: list[list[Cell]] = [
        [
            each.id,
            age(each.at, now),
            (ARROWS[each.direction], "green" if each.direction == "in" else "cyan"),
            _words(each),
            (_state(each), STATE_STYLES.get(each.state, "dim")),
        ]
        for each in found
    ]
    lines(columns, rows, "")
    # Not among the lines: a path that is cut short cannot be copied.
    for each in found:
        for file in files.get(each.id, ()):
            print(printable(f"{each.id} [{file.kind}] {_described(file)}"))


def _print_whole(found: Iterable[StoredMessage], files: Mapping[str, Sequence[Attachment]]) -> None:
    for each in found:
        print(printable(f"{each.id}  {local(each.at)}  {ARROWS[each.direction]}  {each.kind}, {_state(each)}"))
        for line in each.text.splitlines():
            print(printable(f"  {line}"))
        for file in files.get(each.id, ()):
            print(printable(f"  [{file.kind}] {_described(file)}"))


def _words(message: StoredMessage) -> str:
    return message.text if message.kind == "text" and message.text else f"[{message.kind}] {message.text}".rstrip()


def _styled(cell: Cell) -> tuple[str, str]:
    return (cell, "") if isinstance(cell, str) else cell


def why(config: Path, message: str, *, as_json: bool) -> int:
    """Print all that happened to a message."""

    async def look(house: OfflineContext) -> int:
        found = await house.store.find(message)
        if found is None:
            return fail(f"there is no message {message}; give our id (such as m12) or the provider's")
        events = await house.store.timeline(found.id)
        attempts = await house.store.attempts(found.id)
        if as_json:
            print_json(
                {
                    "message": {"id": found.id, **exported(found, house)},
                    "timeline": [{**asdict(event), "at": iso(event.at)} for event in events],
                    "attempts": [{**asdict(attempt), "started_at": iso(attempt.started_at)} for attempt in attempts],
                }
            )
            return 0
        way, whom = "from" if found.direction == "in" else "to", await house.store.conversation(found.conversation)
        named = " ".join(part for part in (whom.name, number_of(whom.phone)) if part) or found.contact
        print(printable(f"{found.id} in {found.conversation}, {way} {named}: {_state(found)}"))
        if found.error:
            print(printable(f"error: {found.error}"))
        table(
            ["at", "what", "detail", "by"],
            [(local(each.at), each.what, each.detail, each.actor) for each in events],
            "Nothing is recorded.",
        )
        return 0

    return run_read_only(config, look)


async def _files(house: OfflineContext, conversation: str) -> Mapping[str, Sequence[Attachment]]:
    """Return the files of a conversation by their messages."""
    folder = media_directory(house.config.state)
    found: defaultdict[str, list[Attachment]] = defaultdict(list)
    async for message, attachment in attachments_of(house, conversation):
        found[message].append(located(attachment, folder))
    return found


def _exported_file(file: Attachment) -> dict[str, Any]:
    return {
        "kind": file.kind,
        "mime": file.mime,
        "name": file.name,
        "size": file.size,
        "state": file.state,
        "path": None if file.path is None else str(file.path),
        "error": file.error,
    }


def _described(file: Attachment) -> str:
    """Return `invoice.pdf, 20.5 kB: /var/lib/sara/media/…`, as far as it is known."""
    size = None if file.size is None else byte_count(file.size)
    known = ", ".join(part for part in (file.name, size) if part)
    place = str(file.path) if file.path is not None else file.error or "not fetched yet"
    # A name is the sender's: in more than one line it could look like other files.
    return " ".join((f"{known}: {place}" if known else place).split())


async def attachments_of(house: OfflineContext, conversation: str) -> AsyncIterator[tuple[str, Attachment]]:
    """Yield the files of a conversation, each with its message."""
    after: str | None = None
    while page := await house.store.attachments(conversation, after, PAGE):
        for each in page:
            yield each
        after = page[-1][1].id


async def _all(house: OfflineContext, conversation: str) -> AsyncIterator[StoredMessage]:
    after: str | None = None
    while page := await house.store.messages(conversation, after, PAGE):
        for message in page:
            yield message
        after = page[-1].id


def unknown(conversation: str) -> int:
    """Print that there is no such conversation."""
    return fail(f"there is no conversation {conversation}; `sara conversations list` names them")


def exported(message: StoredMessage, house: OfflineContext) -> dict[str, Any]:
    """Return a message as `sara export` prints it."""
    return {
        "external_id": message.external_id,
        "channel": house.names.get(message.account, message.channel),
        "account": message.account,
        "conversation": message.conversation,
        "contact": message.contact,
        "direction": message.direction,
        "kind": message.kind,
        "text": message.text,
        "state": message.state,
        "reason": message.reason,
        "purpose": message.purpose,
        "at": iso(message.at),
        "error": message.error,
        "id": message.id,
    }


def _state(message: StoredMessage) -> str:
    return f"{message.state} ({message.reason})" if message.reason else message.state
