"""Whatever a draft holds: its parts can be sent, keep within all limits, and lose no word."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sara_whatsapp.send.composer import KINDS, compose

from sara import OutgoingContent, utf16_length
from tests.effort import chosen
from tests.fakes import steady
from tests.plugins.whatsapp.drafts import DRAFTS, TEMPLATES, body_of
from tests.plugins.whatsapp.schema import faults_of_body

LIMITS = {"header": 60, "footer": 60, "button": 20}
# What people read besides the text: of each kind, and of what its lists hold.
SHOWN: Mapping[str, tuple[str, ...]] = {
    "buttons": ("header", "buttons", "footer"),
    "list": ("header", "sections", "footer"),
    "link": ("title",),
    "location": ("name", "address"),
}
WITHIN: Mapping[str, tuple[str, ...]] = {
    "buttons": ("title", "description"),
    "sections": ("title", "rows"),
    "rows": ("title", "description"),
}


def shown(content: Mapping[str, Any], keys: Iterable[str]) -> Iterator[str]:
    for key in keys:
        value = content.get(key)
        if isinstance(value, str) and key not in WITHIN:
            yield value
        for each in value if isinstance(value, list) and key in WITHIN else ():
            if isinstance(each, Mapping):
                yield from shown(each, WITHIN[key])
            elif isinstance(each, str) and key != "sections":
                yield each


def words_of(*texts: str) -> set[str]:
    return set(re.findall(r"wa\d+", " ".join(texts)))


def too_long(part: OutgoingContent) -> list[str]:
    """The texts of a part that WhatsApp would not take for their length."""
    content = part.content
    rows = [row for section in content.get("sections", ()) for row in section["rows"]]
    measured = [
        (part.text, {"text": 4_096, "template": 10**6}.get(part.kind, 1_024)),
        *((content.get(key, ""), limit) for key, limit in LIMITS.items()),
        *((each[key], limit) for each in content.get("buttons", ()) for key, limit in (("id", 256), ("title", 20))),
        *((row.get(key, ""), limit) for row in rows for key, limit in (("id", 200), ("title", 24), ("description", 72))),
    ]
    return [text for text, limit in measured if utf16_length(text) > limit]


@settings(steady, max_examples=chosen(short=40, full=100))
@given(st.one_of(DRAFTS, TEMPLATES))
def test_whatever_the_draft_holds_its_parts_can_be_sent(draft: OutgoingContent) -> None:
    for part in compose(draft):
        assert part.kind in KINDS
        assert too_long(part) == []
        assert faults_of_body(body_of(part)) == []
        assert json.loads(json.dumps(part.content)) == part.content
        buttons = part.content.get("buttons", [])
        assert len({each["title"] for each in buttons}) == len(buttons) <= 3
        choices = [row for section in part.content.get("sections", ()) for row in section["rows"]] + buttons
        assert len({each["id"] for each in choices}) == len(choices) <= 10
        assert all(each["id"].strip() and each["title"].strip() for each in choices)


@settings(steady, max_examples=chosen(short=40, full=100))
@given(st.one_of(DRAFTS, TEMPLATES), st.integers(64, 4_096))
def test_no_word_is_lost_and_no_text_is_longer_than_the_limit(draft: OutgoingContent, limit: int) -> None:
    parts = compose(draft, limit)
    kept = words_of(*(part.text for part in parts), *(json.dumps(part.content) for part in parts))
    assert words_of(draft.text) <= kept
    assert words_of(*shown(draft.content, SHOWN.get(draft.kind, ()))) <= kept
    assert all(utf16_length(part.text) <= limit for part in parts if part.kind != "template")


@settings(steady, max_examples=chosen(short=40, full=100))
@given(DRAFTS)
def test_the_first_part_quotes_and_no_other(draft: OutgoingContent) -> None:
    parts = compose(draft)
    quoting = [part.reply_to for part in parts]
    if parts and parts[-1].kind == "reaction":
        assert quoting == [None] * (len(parts) - 1) + ["m1"]
    else:
        assert quoting == [draft.reply_to, *[None] * (len(parts) - 1)][: len(parts)]
