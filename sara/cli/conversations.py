"""`sara conversations list` and `show`, `sara why`"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sara.cli.opening import House, looking
from sara.cli.output import byte_count, fail, iso, local, print_json, printable, table
from sara.contracts import media_in
from sara.files import located
from sara.health import WORDS
from sara.model import Attachment, StoredMessage

PAGE = 1_000

MODES = {"human": "a person answers", "paused": "paused"}


def listing(config: Path, limit: int, *, unhealthy: bool = False, as_json: bool) -> int:
    """Print the newest conversations, or those that somebody should look at."""

    async def look(house: House) -> int:
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
                    }
                    for each in found
                ]
            )
            return 0
        table(
            ["conversation", "who", "account", "messages", "waiting", "unsent", "last", ""],
            [
                (
                    each.id,
                    each.name or each.address or each.contact,
                    each.account,
                    each.messages,
                    each.waiting,
                    each.unsent,
                    local(each.last_at),
                    "opted out" if each.opted_out else MODES.get(each.mode) or each.error,
                )
                for each in found
            ],
            "There are no conversations yet.",
        )
        return 0

    return looking(config, look)


async def _print_unhealthy(house: House, limit: int, *, as_json: bool) -> int:
    found = await house.health.look(limit)
    if as_json:
        print_json([{**asdict(each), "since": iso(each.since)} for each in found])
        return 0
    table(
        ["conversation", "who", "account", "since", "what", "detail"],
        [
            (each.conversation, each.name or each.contact, each.account, local(each.since), WORDS[each.what], each.detail)
            for each in found
        ],
        "Every conversation is well.",
    )
    return 0


def show(config: Path, conversation: str, limit: int, *, as_json: bool) -> int:
    """Print a conversation's newest messages, in their order."""

    async def look(house: House) -> int:
        found = deque([message async for message in _all(house, conversation)], limit)
        if not found:
            return unknown(conversation)
        files = await _files(house, conversation)
        if as_json:
            shown = [(exported(each, house), files.get(each.id, ())) for each in found]
            print_json([{**message, "attachments": [_exported_file(file) for file in brought]} for message, brought in shown])
            return 0
        table(
            ["message", "at", "", "kind", "state", "text"],
            [
                (each.id, local(each.at), "←" if each.direction == "in" else "→", each.kind, _state(each), each.text)
                for each in found
            ],
            "",
        )
        # Not in the table: a path that is folded into a column cannot be copied.
        for each in found:
            for file in files.get(each.id, ()):
                print(printable(f"{each.id} [{file.kind}] {_described(file)}"))
        return 0

    return looking(config, look)


def why(config: Path, message: str, *, as_json: bool) -> int:
    """Print all that happened to a message."""

    async def look(house: House) -> int:
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
        way = "from" if found.direction == "in" else "to"
        print(printable(f"{found.id} in {found.conversation}, {way} {found.contact}: {_state(found)}"))
        if found.error:
            print(printable(f"error: {found.error}"))
        table(
            ["at", "what", "detail", "by"],
            [(local(each.at), each.what, each.detail, each.actor) for each in events],
            "Nothing is recorded.",
        )
        return 0

    return looking(config, look)


async def _files(house: House, conversation: str) -> Mapping[str, Sequence[Attachment]]:
    """The files of a conversation by their messages."""
    folder = media_in(house.config.state)
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
    """`invoice.pdf, 20.5 kB: /var/lib/sara/media/…`, as far as it is known."""
    size = None if file.size is None else byte_count(file.size)
    known = ", ".join(part for part in (file.name, size) if part)
    place = str(file.path) if file.path is not None else file.error or "not fetched yet"
    # A name is the sender's: in more than one line it could look like other files.
    return " ".join((f"{known}: {place}" if known else place).split())


async def attachments_of(house: House, conversation: str) -> AsyncIterator[tuple[str, Attachment]]:
    """The files of a conversation, each with its message."""
    after: str | None = None
    while page := await house.store.attachments(conversation, after, PAGE):
        for each in page:
            yield each
        after = page[-1][1].id


async def _all(house: House, conversation: str) -> AsyncIterator[StoredMessage]:
    after: str | None = None
    while page := await house.store.messages(conversation, after, PAGE):
        for message in page:
            yield message
        after = page[-1].id


def unknown(conversation: str) -> int:
    """Say that there is no such conversation."""
    return fail(f"there is no conversation {conversation}; `sara conversations list` names them")


def exported(message: StoredMessage, house: House) -> dict[str, Any]:
    """A message as `sara export` prints it."""
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
