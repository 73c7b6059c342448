"""Check values from plugins one by one, keep the usable ones and name the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sara.domain.errors import WrongType
from sara.domain.messages import OutgoingContent
from sara.domain.replies import Reply, Usage
from sara.domain.text import sanitize_text
from sara.domain.webhooks import Response
from sara.plugins.type_check import check_type, wrong_type

MAX_PARTS = 1_000
"""Messages that an answer may become: a generator that never ends would hold up everything else."""

_POSITIVE = ("text_limit", "doubt_timeout", "reply_window", "typing_lasts", "media_lifetime_ms", "monthly_budget", "timeout")


def find_value_fault(name: str, value: Any) -> str:
    """Return what is wrong with an attribute of a channel or responder that has the right type; empty for nothing."""
    if name == "account" and not value.strip():
        return "is empty; it must name the account, such as webform:shop"
    if name == "webhook" and value is not None and (not value.startswith("/") or any(char in value for char in "?# \t\r\n")):
        return "is no path; it must begin with a slash, such as /webhook/shop"
    if name in _POSITIVE and value is not None and value <= 0:
        return f"is {value}; it must be more than 0"
    return ""


def salvage_reply(given: Any, faults: list[str]) -> Reply | None:
    """Return the usable part of a reply, None for nothing; append what is wrong to `faults`."""
    if isinstance(given, str | OutgoingContent):
        faults.append(str(wrong_type("its result", given, "a Reply")))
        given = Reply((given if isinstance(given, OutgoingContent) else OutgoingContent(given),))
    if not isinstance(given, Reply):
        faults.append(str(wrong_type("its result", given, "a Reply")))
        return None
    try:
        reply: Reply = check_type(given, Reply, "reply")
        return reply
    except WrongType as error:
        faults.append(str(error))
    several = given.parts if isinstance(given.parts, list | tuple) else [given.parts]
    parts = [each for part in several for each in _as_drafts(part)]
    readings = given.transcripts if isinstance(given.transcripts, dict) else {}
    usage = value_or_none(given.usage, Usage | None)
    known = {line: text for line, text in readings.items() if isinstance(line, str) and isinstance(text, str)}
    return Reply(tuple(parts), usage, known) if parts else None


def _as_drafts(part: Any) -> list[OutgoingContent]:
    if isinstance(part, str):
        return [OutgoingContent(sanitize_text(part))]
    drafted = value_or_none(part, OutgoingContent)
    if drafted is None and isinstance(text := getattr(part, "text", None), str):
        drafted = OutgoingContent(sanitize_text(text))
    return [] if drafted is None else [drafted]


def value_or_none(value: Any, kind: Any) -> Any:
    """Return the value if it is of the kind, else None."""
    try:
        return check_type(value, kind, "")
    except WrongType:
        return None


def compose_parts(compose: Callable[[OutgoingContent], Any], draft: OutgoingContent) -> list[OutgoingContent]:
    """Return the messages that `compose` made, also from a generator."""
    made = compose(draft)
    if isinstance(made, OutgoingContent | str) or not hasattr(made, "__iter__"):
        raise wrong_type("its result", made, "a list of OutgoingContent")
    parts = []
    for number, part in enumerate(made, 1):
        if number > MAX_PARTS:
            raise WrongType(f"its result has more than {MAX_PARTS} entries")
        parts.append(check_type(part, OutgoingContent, f"entry {number} of its result"))
    return parts


def check_items(items: Any, kind: Any, name: str, faults: list[str]) -> tuple[Any, ...]:
    """Return the items of the right type; append what is wrong with the others to `faults`."""
    if not isinstance(items, list | tuple):
        faults.append(str(wrong_type(name, items, "a tuple or a list")))
        return ()
    taken = []
    for number, item in enumerate(items):
        try:
            taken.append(check_type(item, kind, f"{name}[{number}]"))
        except WrongType as error:
            faults.append(str(error))
    same = isinstance(items, tuple) and len(taken) == len(items) and all(a is b for a, b in zip(taken, items, strict=True))
    return items if same else tuple(taken)  # type: ignore[return-value]  # `same` says that it is a tuple


def check_response(response: Response) -> Response:
    """Return a response that HTTP can carry. Raises WrongType for any other."""
    if not 200 <= response.status <= 599:
        raise WrongType("response.status is none of HTTP's")
    if not response.content_type.isascii() or not response.content_type.isprintable():
        raise WrongType("response.content_type holds characters that no header can")
    return response
