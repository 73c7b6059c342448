"""`sara hand-over`, `hand-back`, `opt-out`, `opt-in`, `send`, `conversations note`: acting on a conversation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sara.acting import Acting
from sara.cli.opening import daemon_of, guarded, opened, read, usable
from sara.cli.output import local, print_json
from sara.config import parse_duration
from sara.daemon import wall_clock
from sara.errors import SaraError
from sara.model import Instant, Millis, OpenWork

Act = Callable[[Acting], Awaitable[Sequence[OpenWork] | None]]


def hand_over(config: Path, conversation: str, reason: str, lasts: str | None, *, pause: bool, as_json: bool) -> int:
    """A person answers from now on, or nobody."""

    async def main() -> int:
        length = _length(lasts)
        body = {"reason": reason, "for": length, "pause": pause}
        said = "paused; nobody answers" if pause else "a person answers from now on"
        return await _act(
            config,
            conversation,
            "hand-over",
            body,
            lambda to: to.hand_over(conversation, reason, length, pause=pause),
            said,
            as_json,
        )

    return guarded(main)


def hand_back(config: Path, conversation: str, *, quietly: bool, as_json: bool) -> int:
    """SARA answers again."""
    body = {"quietly": quietly}
    return guarded(
        lambda: _act(
            config,
            conversation,
            "hand-back",
            body,
            lambda to: to.hand_back(conversation, quietly=quietly),
            "SARA answers again",
            as_json,
        )
    )


def consent(config: Path, conversation: str, how: str, *, opted_out: bool, as_json: bool) -> int:
    """The person wants no more messages, or messages again."""

    def act(to: Acting) -> Awaitable[Sequence[OpenWork]]:
        return to.opt_out(conversation, how) if opted_out else to.opt_in(conversation, how)

    action, said = ("opt-out", "gets no more messages") if opted_out else ("opt-in", "gets messages again")
    return guarded(lambda: _act(config, conversation, action, {"how": how}, act, said, as_json))


def send(
    config: Path, conversation: str, text: str, at: str | None, after: str | None, *, markdown: bool = False, as_json: bool
) -> int:
    """An operator's own words, in the channel's own marks unless they are `markdown`."""

    async def main() -> int:
        moment = _moment(at, after)
        said = "on its way" if moment is None else f"will be sent at {local(moment)}"
        body = {"text": text, "at": moment, "markdown": markdown}

        def act(to: Acting) -> Awaitable[Sequence[OpenWork]]:
            return to.send(conversation, text, moment, markdown=markdown)

        return await _act(config, conversation, "send", body, act, said, as_json)

    return guarded(main)


def note(config: Path, conversation: str, text: str, *, as_json: bool) -> int:
    """Replace what is noted about a person."""
    return guarded(
        lambda: _act(config, conversation, "note", {"text": text}, lambda to: to.note(conversation, text), "noted", as_json)
    )


async def _act(config: Path, conversation: str, action: str, body: Mapping[str, Any], act: Act, said: str, as_json: bool) -> int:
    """Through the daemon while it runs, straight to the store while it does not: its next start finds what is to be done."""
    api = await daemon_of(usable(await asyncio.to_thread(lambda: read(config)[0])))
    if api is not None:
        path = f"/api/v1/conversations/{quote(conversation, safe='')}/{action}"
        work = (await api.call("POST", path, dict(body)))["work"]
    else:
        async with opened(config, read_only=False) as house:
            work = [asdict(each) for each in await act(house.acting) or ()]
    if as_json:
        print_json({"action": action, "conversation": conversation, "work": work})
    else:
        print(f"{conversation}: {said}")
    return 0


def _length(written: str | None) -> Millis | None:
    if written is None:
        return None
    try:
        return parse_duration(written)
    except ValueError as error:
        raise SaraError(f"--for {written}: {error}") from error


def _moment(at: str | None, after: str | None) -> Instant | None:
    """When something is to be said; None for now."""
    if at is not None and after is not None:
        raise SaraError("say --at or --after, not both")
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
        raise SaraError(f"--at {at} is over already")
    return when
