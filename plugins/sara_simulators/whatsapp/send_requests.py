"""Parse the body of a send: the result is a `SendRequest`, a `ReadRequest` or a `GraphError`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sara_simulators.whatsapp.errors import GraphError, invalid, missing, required, wrong
from sara_simulators.whatsapp.message_contents import CHECKS, summary

BSUID = re.compile(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}")
PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{3,30}")
CALLBACK_LIMIT = 512
RECEIVED_ONLY = ("button", "edit", "order", "request_welcome", "revoke", "system", "unsupported")
"""Types that only customers send."""


@dataclass(frozen=True, slots=True)
class SendRequest:
    """A well-formed message to a customer.

    `phone` is the bare digits it goes to, `user_id` the business-scoped id; one of them is set. `lost` marks a message whose
    `to` holds a business-scoped id: it is answered like any other and never arrives. `category` is what it is priced as,
    `rendered` the view of a template, `fails` the code with which it will be reported as failed, 0 for none.
    """

    kind: str
    content: Mapping[str, Any]
    text: str
    input: str
    phone: str | None = None
    user_id: str | None = None
    lost: bool = False
    callback_data: str | None = None
    reply_to: str | None = None
    category: str = "service"
    rendered: Mapping[str, Any] | None = None
    fails: int = 0


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A request to mark a customer's message, and all before it, as read; `typing` also shows the typing indicator."""

    message_id: str
    typing: bool


def parse_send_body(body: Mapping[str, Any]) -> SendRequest | ReadRequest:
    """Parse a request body the way Meta does. Raises `GraphError` with the code that Meta would answer."""
    product = body.get("messaging_product")
    if product is None:
        raise required("messaging_product")
    if product != "whatsapp":
        raise invalid("Param messaging_product must be one of {WHATSAPP}")
    if "status" in body:
        return _mark_read(body)
    return _send(body)


def _mark_read(body: Mapping[str, Any]) -> ReadRequest:
    if body["status"] != "read":
        raise invalid("Param status must be one of {READ}")
    message_id = body.get("message_id")
    if message_id is None:
        raise required("message_id")
    if not isinstance(message_id, str) or not message_id:
        raise wrong("Message ID is invalid.")
    typing = body.get("typing_indicator")
    if typing is not None and typing != {"type": "text"}:
        raise invalid("Param typing_indicator['type'] must be one of {TEXT}")
    return ReadRequest(message_id, typing is not None)


def _send(body: Mapping[str, Any]) -> SendRequest:
    if body.get("recipient_type", "individual") != "individual":
        raise invalid("Param recipient_type must be one of {INDIVIDUAL}: this number has no groups")
    kind = body.get("type", "text")
    if kind in RECEIVED_ONLY:
        raise GraphError(131051, f"Messages of type '{kind}' cannot be sent.")
    if not isinstance(kind, str) or kind not in CHECKS:
        raise invalid(f"Param type must be one of {{{', '.join(sorted(CHECKS)).upper()}}} - got {kind!r}.")
    content = body.get(kind)
    if content is None:
        raise missing(f"Parameter '{kind}' is mandatory for type '{kind}'.")
    CHECKS[kind](content)
    context = body.get("context")
    if context is not None and kind == "reaction":
        raise wrong("A reaction cannot be sent as a contextual reply.")
    return SendRequest(
        kind=kind,
        content={kind: content},
        text=summary(kind, content),
        callback_data=_callback(body.get("biz_opaque_callback_data")),
        reply_to=_quoted(context),
        **_recipient(body.get("to"), body.get("recipient")),
    )


def _recipient(to: object, recipient: object) -> dict[str, Any]:
    """`to` wins over `recipient` where both are there."""
    if to:
        if not isinstance(to, str):
            raise invalid("Param to must be a string.")
        if BSUID.fullmatch(to):
            return {"input": to, "phone": "".join(filter(str.isdigit, to)) or "0", "lost": True}
        if not PHONE.fullmatch(to):
            raise wrong("The recipient phone number is not valid.")
        return {"input": to, "phone": "".join(filter(str.isdigit, to))}
    if recipient:
        if not isinstance(recipient, str) or not BSUID.fullmatch(recipient):
            raise wrong("The recipient user ID is not valid.")
        return {"input": recipient, "user_id": recipient}
    raise required("to")


def _callback(data: object) -> str | None:
    if data is None:
        return None
    if not isinstance(data, str):
        raise invalid("Param biz_opaque_callback_data must be a string.")
    if len(data) > CALLBACK_LIMIT:
        raise invalid(f"Param biz_opaque_callback_data must be at most {CALLBACK_LIMIT} characters long.")
    return data


def _quoted(context: object) -> str | None:
    if context is None:
        return None
    quoted = context.get("message_id") if isinstance(context, dict) else None
    if not isinstance(quoted, str) or not quoted:
        raise invalid("The parameter context['message_id'] is required.")
    return quoted
