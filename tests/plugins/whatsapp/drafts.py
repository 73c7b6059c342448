"""Drafts of every kind with whatever a responder may put into them, for Hypothesis; and what is posted for a part."""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import Any

from hypothesis import strategies as st
from sara_whatsapp.send.composer import KINDS
from sara_whatsapp.send.payloads import build_message

from sara import Identity, OutboundMessage, OutgoingContent

URL = "https://shop.example/price%20list.pdf?v=2"
EMOJI = [
    "👍",
    "👍🏽",
    "❤\ufe0f",
    "🇩🇪",
    "1\ufe0f\u20e3",
    "👨\u200d👩\u200d👧",
    "🏴\U000e0067\U000e0062\U000e007f",
    "☎",
    "✅",
    "⭐",
]


def body_of(part: OutgoingContent) -> dict[str, Any]:
    """What goes to Meta for `part`, as it is read there."""
    sent = OutboundMessage(
        "p1", "c1", "whatsapp:1", Identity(phone="15550001111"), part.kind, part.text, "reply", part.content, part.reply_to
    )
    body: dict[str, Any] = json.loads(json.dumps(build_message(sent, "a1", "77" if part.content.get("path") else None)))
    return body


WORD = st.integers(0, 10**6).map("wa{}".format)
MARKED = [
    "{}",
    "**{}**",
    "*{}*",
    "~~{}~~",
    "`{}`",
    "# {}\n",
    "\n- {}",
    "\n1. {}\n",
    "\n> {}\n",
    "\n```\n{}\n```\n",
    "{}.",
    "{}\n\n",
    "🙂{}",
]
PIECE = st.tuples(WORD, st.sampled_from(MARKED), st.sampled_from([1, 1, 1, 60, 400])).map(
    lambda p: (p[1].format(p[0]) + " ") * p[2]
)
TEXT = st.one_of(st.lists(PIECE, max_size=5).map("".join), st.sampled_from(["", " ", "\ud800", "a\x00b", "x" * 5_000, "*" * 30]))
ODD = st.recursive(
    st.one_of(
        TEXT, st.none(), st.booleans(), st.integers(), st.floats(), st.just(PurePath("a/b.pdf")), st.just(URL), st.just(10**400)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=12), st.dictionaries(st.sampled_from(["id", "title", "rows", "url"]), inner)
    ),
    max_leaves=15,
)
OR_ODD = st.sampled_from([False] * 9 + [True])


def usually(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return OR_ODD.flatmap(lambda odd: ODD if odd else good)


ID = st.sampled_from(["", "a", "b", " c ", "x" * 200, "x" * 201, "x" * 300])
ROW = usually(st.fixed_dictionaries({}, optional={"id": ID, "title": TEXT, "description": TEXT}))
SECTION = usually(st.fixed_dictionaries({}, optional={"title": TEXT, "rows": st.lists(ROW, max_size=6)}))
CONTENT = st.fixed_dictionaries(
    {},
    optional={
        "path": usually(st.just("a/b.pdf")),
        "url": usually(st.just(URL)),
        "mime": usually(st.sampled_from(["image/png", "audio/ogg", "x/y"])),
        "name": usually(TEXT),
        "voice": usually(st.booleans()),
        "latitude": usually(st.floats(-100, 100)),
        "longitude": usually(st.floats(-200, 200)),
        "address": usually(TEXT),
        "phones": usually(st.lists(TEXT, max_size=3)),
        "emoji": usually(st.sampled_from([*EMOJI, ""])),
        "buttons": usually(st.lists(ROW, max_size=12)),
        "header": usually(TEXT),
        "footer": usually(TEXT),
        "button": usually(TEXT),
        "sections": usually(st.lists(SECTION, max_size=4)),
        "title": usually(TEXT),
        "language": usually(st.sampled_from(["en", "pt_BR"])),
        "parameters": usually(st.lists(TEXT, max_size=3)),
    },
)
DRAFTS = st.builds(OutgoingContent, TEXT, st.sampled_from([*sorted(KINDS), "poll"]), CONTENT, st.sampled_from([None, "m1"]))
FILE = st.fixed_dictionaries({}, optional={"id": ID, "link": st.just(URL), "filename": TEXT})
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXT,
    "payload": TEXT,
    "action": st.dictionaries(st.sampled_from(["flow_token", "thumbnail_product_retailer_id"]), TEXT),
    "currency": st.fixed_dictionaries(
        {"fallback_value": TEXT, "code": st.sampled_from(["EUR", "euro"]), "amount_1000": usually(st.integers(-(2**40), 2**40))}
    ),
    "date_time": st.fixed_dictionaries({}, optional={"fallback_value": TEXT}),
    **dict.fromkeys(("image", "video", "document"), FILE),
    "nonsense": TEXT,
}


def parameter_of(kind: str) -> st.SearchStrategy[Any]:
    value = {kind: usually(VALUES[kind])}
    return usually(st.fixed_dictionaries({"type": st.just(kind)}, optional={**value, "parameter_name": usually(ID)}))


PARAMETERS = st.lists(st.sampled_from(sorted(VALUES)).flatmap(parameter_of), max_size=3)
COMPONENT = usually(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["header", "body", "BODY", "button", "footer"])},
        optional={
            "sub_type": usually(st.sampled_from(["quick_reply", "url", "catalog", "flow", "nonsense"])),
            "index": usually(st.sampled_from([0, "1", 9, 10, "x"])),
            "parameters": usually(PARAMETERS),
        },
    )
)
TEMPLATES = st.builds(
    OutgoingContent,
    TEXT,
    st.just("template"),
    st.fixed_dictionaries(
        {"name": st.just("hello"), "language": st.just("en")},
        optional={"parameters": usually(st.lists(TEXT)), "components": usually(st.lists(COMPONENT, max_size=3))},
    ),
)
