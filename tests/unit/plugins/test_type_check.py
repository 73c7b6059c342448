"""What plugins hand over is checked by the types of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sara import (
    Attachment,
    DeliveryFailure,
    DeliveryReceipt,
    Identity,
    InboundMessage,
    OutgoingContent,
    Reply,
    Response,
    Usage,
    WebhookResult,
)
from sara.domain.errors import WrongType
from sara.plugins.type_check import check_type

ANA = Identity(user_id="ana")


def message(**changes: Any) -> InboundMessage:
    given: dict[str, Any] = {
        "account": "test:1", "external_id": "1", "person": ANA, "kind": "text", "text": "hi", "at": 1_000, **changes
    }  # fmt: skip
    return InboundMessage(**given)


DEEP: list[Any] = []
for _ in range(200):
    DEEP = [DEEP]

WRONG = (
    (None, WebhookResult, "it is None, not a WebhookResult"),
    ({"messages": []}, WebhookResult, "it is a dict, not a WebhookResult"),
    (WebhookResult(messages=None), WebhookResult, "it.messages is None, not a tuple or a list"),  # type: ignore[arg-type]
    (WebhookResult(messages="hi"), WebhookResult, "it.messages is a str, not a tuple or a list"),  # type: ignore[arg-type]
    (WebhookResult(messages=(None,)), WebhookResult, "it.messages[0] is None, not an InboundMessage"),  # type: ignore[arg-type]
    (WebhookResult(verified="yes"), WebhookResult, "it.verified is a str, not True or False"),  # type: ignore[arg-type]
    (WebhookResult(Response("200")), WebhookResult, "it.response.status is a str, not a whole number"),  # type: ignore[arg-type]
    (message(at="1796031600"), InboundMessage, "it.at is a str, not a whole number"),
    (message(at=None), InboundMessage, "it.at is None, not a whole number"),
    (message(at=True), InboundMessage, "it.at is a bool, not a whole number"),
    (message(at=datetime(2026, 12, 1, tzinfo=UTC)), InboundMessage, "it.at is a datetime, not a whole number"),
    (message(at=float("nan")), InboundMessage, "it.at is a float, not a whole number"),
    (message(at=1e300), InboundMessage, "it.at is a number that is too large"),
    (message(text=None), InboundMessage, "it.text is None, not text"),
    (message(text=b"hi"), InboundMessage, "it.text is a bytes, not text"),
    (message(external_id=7), InboundMessage, "it.external_id is an int, not text"),
    (message(person="ana"), InboundMessage, "it.person is a str, not an Identity"),
    (message(person=Identity(phone=4915)), InboundMessage, "it.person.phone is an int, not text"),  # type: ignore[arg-type]
    (message(content=None), InboundMessage, "it.content is None, not a mapping"),
    (message(content={1: "x"}), InboundMessage, "a key in it.content is an int, not text"),
    (message(content={"x": {"y": {1, 2}}}), InboundMessage, "it.content.x.y is a set, not something that JSON can hold"),
    (message(content={"x": DEEP}), InboundMessage, "is nested too deeply"),
    (message(attachments=[Attachment("image", "image/png", 7)]), InboundMessage, "it.attachments[0].reference is an int"),  # type: ignore[arg-type]
    (DeliveryReceipt("test:1", "seen", 1), DeliveryReceipt, "it.status is none of sent, delivered, read, failed"),  # type: ignore[arg-type]
    (DeliveryReceipt("test:1", [], 1), DeliveryReceipt, "it.status is none of"),  # type: ignore[arg-type]
    (DeliveryReceipt("test:1", "failed", 1, failure="no"), DeliveryReceipt, "it.failure is a str, not a DeliveryFailure"),  # type: ignore[arg-type]
    (DeliveryReceipt("test:1", "failed", 1, failure=DeliveryFailure("1", "no", after="1 s")), DeliveryReceipt, "it.failure.after is a str"),  # type: ignore[arg-type]
    (OutgoingContent(None), OutgoingContent, "it.text is None, not text"),  # type: ignore[arg-type]
    (Reply(parts=("hi",)), Reply, "it.parts[0] is a str, not an OutgoingContent"),  # type: ignore[arg-type]
    (Reply(parts=(OutgoingContent("hi"),), usage={}), Reply, "it.usage is a dict, not a Usage"),  # type: ignore[arg-type]
    (Reply(parts=(OutgoingContent("hi"),), transcripts={"in-1": 7}), Reply, "it.transcripts.in-1 is an int, not text"),  # type: ignore[dict-item]
    ("x", int | None, "it is a str, not a whole number"),
    (7, str | None, "it is an int, not text"),
    ({"text", 7}, frozenset[str], "an entry of it is an int, not text"),
    (7, Identity | OutgoingContent, "it is an int, not Identity or OutgoingContent"),
)  # fmt: skip


def test_a_value_of_another_type_is_named_by_its_place_and_its_type() -> None:
    for value, kind, told in WRONG:
        with pytest.raises(WrongType) as error:
            check_type(value, kind, "it")
        assert told in str(error.value), (value, kind)


def test_what_is_right_stays_the_very_object() -> None:
    for right in (
        message(),
        message(external_id=None, content={"a": [1, 2.5, None, True, {"b": "c"}]}, attachments=(Attachment("image", "i/p", "r", path=Path("x")),)),
        WebhookResult(verified=True, messages=(message(),), receipts=(DeliveryReceipt("test:1", "read", 1),)),
        Reply(parts=(OutgoingContent("hi", content={"a": 1}),), usage=Usage(1, 2, "m"), transcripts={"in-1": "x"}),
    ):  # fmt: skip
        assert check_type(right, type(right), "it") is right


def test_what_can_be_taken_is_taken_as_the_core_wants_it() -> None:
    rows: tuple[tuple[Any, Any, Any], ...] = (
        (message(at=1_000.4), InboundMessage, message(at=1_000)),
        (message(text="half \ud83d"), InboundMessage, message(text="half �")),
        (message(external_id="a\x00b"), InboundMessage, message(external_id="ab")),
        (WebhookResult(messages=[message(at=2.0)]), WebhookResult, WebhookResult(messages=(message(at=2),))),  # type: ignore[arg-type]
        (Response(body=bytearray(b"ok")), Response, Response(body=b"ok")),  # type: ignore[arg-type]
        (["a", "b"], frozenset[str], frozenset({"a", "b"})),
        (None, int | None, None),
        ({"a": "b"}, Mapping[str, str], {"a": "b"}),
    )
    for given, kind, taken in rows:
        assert check_type(given, kind, "it") == taken
