"""`sara export`: JSON Lines of everything, of one conversation, or of one person."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sara.cli.context import OfflineContext, run_read_only
from sara.cli.conversations import attachments_of, exported, unknown
from sara.cli.output import fail, iso
from sara.domain.contacts import SubjectData

PAGE = 1_000
PAGE_OF_BODIES = 10
"""Maximum number of unparsed bodies in memory at once: each may be megabytes long."""


def export(config: Path, who: str | None, *, person: bool, unparsed: bool = False) -> int:
    """Print one JSON object per stored message, in store order; of a `person` also all that is stored besides; or, with `unparsed`,
    one per body that could not be parsed."""
    if unparsed and (person or who is not None):
        return fail("--unparsed goes with neither --person nor WHO: unparsed contents belong to no conversation", 2)

    async def look(house: OfflineContext) -> int:
        if not person and (who is None or re.fullmatch(r"c[0-9]+", who)):
            found_any = await _messages(house, who)
            return 0 if found_any or who is None else unknown(who)
        if who is None:
            return fail("say whose: a contact (p3), a telephone number, a user id or a conversation (c7)", 2)
        found = await house.store.subject_data(who)
        if found is None:
            return fail(f"no contact matches {who}; give a contact (p3), a telephone number or a user id")
        if person:
            _print(_contact(found))
        for conversation in found.conversations:
            await _messages(house, conversation, {"type": "message"} if person else {})
        if person:
            await _events(house, found)
            await _attachments(house, found)
        return 0

    return run_read_only(config, _bodies if unparsed else look)


async def _bodies(house: OfflineContext) -> int:
    after: str | None = None
    while page := await house.store.unparsed_payloads(after, PAGE_OF_BODIES):
        for item in page:
            body, encoding = item.shown()
            channel = house.names.get(item.account, item.account.partition(":")[0])
            told = {"account": item.account, "channel": channel, "reason": item.reason, "at": iso(item.at)}
            _print({**told, "encoding": encoding, "body": body})
        after = page[-1].id
    return 0


def _print(line: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")


async def _messages(house: OfflineContext, conversation: str | None, kind: Mapping[str, str] | None = None) -> bool:
    """Print the messages; return whether there are any."""
    after: str | None = None
    while page := await house.store.messages(conversation, after, PAGE):
        for message in page:
            _print({**(kind or {}), **exported(message, house)})
        after = page[-1].id
    return after is not None


async def _events(house: OfflineContext, found: SubjectData) -> None:
    for conversation in found.conversations:
        after: str | None = None
        while page := await house.store.events(conversation, after, PAGE):
            for event in page:
                _print({"type": "event", "conversation": conversation, **asdict(event), "at": iso(event.at)})
            after = page[-1].id


async def _attachments(house: OfflineContext, found: SubjectData) -> None:
    for conversation in found.conversations:
        async for message, attachment in attachments_of(house, conversation):
            path = None if attachment.path is None else str(attachment.path)
            _print({"type": "attachment", "message": message, **asdict(attachment), "path": path})


def _contact(found: SubjectData) -> dict[str, Any]:
    """Return the first line of a person's export: the contact as it is now, then what else is known."""
    details = _readable(found.details)
    known_as = details.pop("known_as", [])
    head: Mapping[str, Any] = known_as[0] if known_as else {"id": found.contact}
    return {"type": "contact", **head, "linked": known_as[1:], **details}


def _readable(value: Any) -> Any:
    """Write instants as everywhere else in an export."""
    if isinstance(value, Mapping):
        return {
            name: iso(each) if isinstance(each, int) and (name == "at" or name.endswith("_at")) else _readable(each)
            for name, each in value.items()
        }
    return [_readable(each) for each in value] if isinstance(value, list) else value
