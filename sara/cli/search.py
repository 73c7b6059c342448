"""`sara conversations search` and `sara conversations show --events`"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from sara.cli.context import OfflineContext, run_read_only
from sara.cli.output import fail, iso, local, number_of, print_json, table
from sara.domain.messages import TimelineEvent

PAGE = 1_000


def search(config: Path, words: Sequence[str], limit: int, *, as_json: bool) -> int:
    """Print the messages that hold all these words."""

    async def look(house: OfflineContext) -> int:
        found = await house.store.search(" ".join(words), limit)
        if as_json:
            print_json([{**asdict(hit), "at": iso(hit.at)} for hit in found])
            return 0
        numbers = {hit.conversation: (await house.store.conversation(hit.conversation)).phone for hit in found}
        table(
            ["message", "conversation", "who", "number", "at", "", "text"],
            [
                (
                    hit.message,
                    hit.conversation,
                    hit.name or hit.contact,
                    number_of(numbers[hit.conversation]),
                    local(hit.at),
                    "←" if hit.direction == "in" else "→",
                    hit.snippet,
                )
                for hit in found
            ],
            "No message contains all these words.",
        )
        return 0

    return run_read_only(config, look)


def events(config: Path, conversation: str, limit: int, *, as_json: bool) -> int:
    """Print what happened in a conversation."""

    async def look(house: OfflineContext) -> int:
        found = await events_of(house, conversation, limit)
        if not found:
            return fail(f"there is no conversation {conversation}; `sara conversations list` names them")
        if as_json:
            print_json([{**asdict(event), "at": iso(event.at)} for event in found])
            return 0
        table(
            ["at", "message", "what", "detail", "by"],
            [(local(event.at), event.message, event.what, event.detail, event.actor) for event in found],
            "",
        )
        return 0

    return run_read_only(config, look)


async def events_of(house: OfflineContext, conversation: str, limit: int) -> list[TimelineEvent]:
    """Return the first events of a conversation."""
    found: list[TimelineEvent] = []
    while len(found) < limit:
        after = found[-1].id if found else None
        page = await house.store.events(conversation, after, min(PAGE, limit - len(found)))
        found += page
        if not page:
            break
    return found
