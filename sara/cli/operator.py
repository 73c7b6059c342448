"""`sara handoff`, `resume`, `opt-out`, `opt-in`, `send`, `conversations note`: acting on a conversation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sara.cli.admin_client import connect_admin
from sara.cli.context import OfflineContext, open_store, read, require_config, run_command, run_read_only
from sara.cli.output import fail, local, print_json, printable
from sara.domain.errors import SaraError
from sara.domain.jobs import OpenWork
from sara.domain.options import parse_duration
from sara.domain.time import Instant, Milliseconds
from sara.operations.operator_actions import OperatorActions
from sara.operations.send_outcomes import SendOutcome, SendOutcomes, SendState
from sara.runtime.clock import wall_clock

OUTCOME_WITHIN: Milliseconds = 5_000
"""How long the daemon is given to say what became of a message."""

EX_TEMPFAIL = 75
EXIT_CODES: Mapping[SendState, int] = {"sent": 0, "on_its_way": 0, "scheduled": 0, "waits": EX_TEMPFAIL, "failed": 1}
OUTCOMES: Mapping[SendState, str] = {"sent": "sent, ", "on_its_way": "", "scheduled": "", "waits": "not sent yet: ", "failed": ""}

Act = Callable[[OperatorActions], Awaitable[Sequence[OpenWork] | None]]


def handoff(config: Path, conversation: str, reason: str, lasts: str | None, *, pause: bool, as_json: bool) -> int:
    """Hand a conversation to a person, or pause it."""

    async def main() -> int:
        length = _length(lasts)
        body = {"reason": reason, "for": length, "pause": pause}
        said = "paused; messages wait" if pause else "a person answers from now on"
        return await _act(
            config,
            conversation,
            "handoff",
            body,
            lambda to: to.hand_over(conversation, reason, length, pause=pause),
            said,
            as_json,
        )

    return run_command(main)


def resume(config: Path, conversation: str, *, quietly: bool, as_json: bool) -> int:
    """Let SARA answer again."""
    body = {"quietly": quietly}
    return run_command(
        lambda: _act(
            config,
            conversation,
            "resume",
            body,
            lambda to: to.hand_back(conversation, quietly=quietly),
            "SARA answers again",
            as_json,
        )
    )


def consent(config: Path, conversation: str, how: str, *, opted_out: bool, as_json: bool) -> int:
    """Record that the customer wants no more messages, or messages again."""

    def act(to: OperatorActions) -> Awaitable[Sequence[OpenWork]]:
        return to.opt_out(conversation, how) if opted_out else to.opt_in(conversation, how)

    action, said = ("opt-out", "gets no more messages") if opted_out else ("opt-in", "gets messages again")
    return run_command(lambda: _act(config, conversation, action, {"how": how}, act, said, as_json))


def send(
    config: Path, conversation: str, text: str, at: str | None, after: str | None, *, markdown: bool = False, as_json: bool
) -> int:
    """Send an operator's own words, in the channel's markup unless they are `markdown`."""

    async def main() -> int:
        moment = _moment(at, after)
        body = {"text": text, "at": moment, "markdown": markdown, "wait": OUTCOME_WITHIN}

        def act(to: OperatorActions) -> Awaitable[Sequence[OpenWork]]:
            return to.send(conversation, text, moment, markdown=markdown)

        done = await _done(config, conversation, "send", body, act)
        outcome = SendOutcome(**done["outcome"]) if "outcome" in done else SendOutcome("on_its_way", "on its way")
        if as_json:
            print_json({"action": "send", "conversation": conversation, **done})
        else:
            _print_outcome(conversation, outcome, moment)
        return EXIT_CODES[outcome.state]

    return run_command(main)


def _print_outcome(conversation: str, outcome: SendOutcome, at: Instant | None) -> None:
    told = f"will be sent at {local(at)}" if outcome.state == "scheduled" else outcome.detail
    print(printable(f"{conversation}: {OUTCOMES[outcome.state]}{told}"))
    for each in (outcome.note, outcome.remedy):
        if each:
            print(printable(f"  → {each}"))


def note(config: Path, conversation: str, text: str | None, *, replace: bool, as_json: bool) -> int:
    """Show what is noted about a person, or write it down."""
    if text is None:
        return (
            fail('give the text that replaces the notes; --replace "" deletes them', 2)
            if replace
            else _noted(config, conversation, as_json)
        )
    said = "noted" if text.strip() or not replace else "the notes are forgotten"
    return run_command(
        lambda: _act(
            config,
            conversation,
            "note",
            {"text": text, "replace": replace},
            lambda to: to.note(conversation, text, is_replacing=replace),
            said,
            as_json,
        )
    )


def _noted(config: Path, conversation: str, as_json: bool) -> int:
    async def look(house: OfflineContext) -> int:
        notes = (await house.store.conversation(conversation)).notes
        if as_json:
            print_json({"conversation": conversation, "notes": notes})
        else:
            print(printable(notes) if notes else "Nothing is noted.")
        return 0

    return run_read_only(config, look)


async def _act(config: Path, conversation: str, action: str, body: Mapping[str, Any], act: Act, said: str, as_json: bool) -> int:
    done = await _done(config, conversation, action, body, act)
    if as_json:
        print_json({"action": action, "conversation": conversation, **done})
    else:
        print(f"{conversation}: {said}")
    return 0


async def _done(config: Path, conversation: str, action: str, body: Mapping[str, Any], act: Act) -> dict[str, Any]:
    """Act through the daemon while it runs, straight on the store while it does not: its next start finds what is to be done."""
    api = await connect_admin(require_config(await asyncio.to_thread(lambda: read(config)[0])))
    if api is not None:
        path = f"/api/v1/conversations/{quote(conversation, safe='')}/{action}"
        return dict(await api.call("POST", path, dict(body)))
    async with open_store(config, read_only=False) as house:
        work = list(await act(house.acting) or ())
        done: dict[str, Any] = {"work": [asdict(each) for each in work]}
        if any(each.parts for each in work):
            done["outcome"] = asdict(await SendOutcomes(house.store, house.routes, wall_clock, None).look(work))
        return done


def _length(written: str | None) -> Milliseconds | None:
    if written is None:
        return None
    try:
        return parse_duration(written)
    except ValueError as error:
        raise SaraError(f"--for {written}: {error}") from error


def _moment(at: str | None, after: str | None) -> Instant | None:
    """Return the time of sending; None for now."""
    if at is not None and after is not None:
        raise SaraError("give --at or --after, not both")
    if after is not None:
        try:
            return wall_clock() + parse_duration(after)
        except ValueError as error:
            raise SaraError(f"--after {after}: {error}") from error
    if at is None:
        return None
    try:
        when = round(datetime.fromisoformat(at).timestamp() * 1_000)
    except (ValueError, OverflowError, OSError) as error:
        raise SaraError(f"--at {at}: a moment is written 2026-12-24T09:00, with or without a time zone") from error
    if when <= wall_clock():
        raise SaraError(f"--at {at} is in the past")
    return when
