"""Webhook bodies as Meta writes and signs them."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Any

from sara_simulators.whatsapp.errors import failure
from sara_simulators.whatsapp.records import AcceptedSend, ChatMessage, Customer
from sara_simulators.whatsapp.settings import Settings
from sara_simulators.whatsapp.templates import Template


def encode_body(body: Mapping[str, Any]) -> bytes:
    """Return the bytes that are sent and signed: compact, with everything beyond ASCII and every slash escaped."""
    return json.dumps(body, separators=(",", ":")).replace("/", "\\/").encode()


def sign_body(body: bytes, secret: str) -> str:
    """Return the value of the X-Hub-Signature-256 header."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def envelope(settings: Settings, **value: Any) -> dict[str, Any]:
    """Return a body with one change of the `messages` field that has this value."""
    metadata = {"display_phone_number": settings.display_number, "phone_number_id": settings.phone_number_id}
    change = {"value": {"messaging_product": "whatsapp", "metadata": metadata, **value}, "field": "messages"}
    return {"object": "whatsapp_business_account", "entry": [{"id": settings.business_account_id, "changes": [change]}]}


def _contact(customer: Customer, username: bool = True) -> dict[str, Any]:
    profile = {"name": customer.name}
    if customer.username and username:
        profile["username"] = customer.username
    contact: dict[str, Any] = {"profile": profile}
    if customer.phone:
        contact["wa_id"] = customer.phone
    if customer.user_id:
        contact["user_id"] = customer.user_id
    return contact


def _message(settings: Settings, customer: Customer, bubble: ChatMessage, author: str) -> dict[str, Any]:
    message: dict[str, Any] = {}
    if customer.phone:
        message["from"] = customer.phone
    if customer.user_id and bubble.kind != "system":
        message["from_user_id"] = customer.user_id
    if bubble.reply_to:
        message["context"] = ({"from": author} if author else {}) | {"id": bubble.reply_to}
    elif bubble.forwarded:
        message["context"] = {"frequently_forwarded" if bubble.forwarded == "often" else "forwarded": True}
    message |= {"id": bubble.id, "timestamp": str(bubble.at // 1000)}
    return {**message, **bubble.content}


def inbound_webhook(
    settings: Settings, written: Iterable[tuple[Customer, ChatMessage]], quoted: Mapping[str, ChatMessage] | None = None
) -> dict[str, Any]:
    """Return a webhook with messages of customers, each customer once among the contacts, except for a change of number.

    `quoted` are the messages that may be quoted, by id.
    """
    pairs = list(written)
    contacts = {customer.id: _contact(customer) for customer, bubble in pairs if bubble.kind != "system"}
    messages = [
        _message(settings, customer, bubble, _author(settings, customer, bubble, quoted or {})) for customer, bubble in pairs
    ]
    return envelope(settings, **({"contacts": list(contacts.values())} if contacts else {}), messages=messages)


def _author(settings: Settings, customer: Customer, bubble: ChatMessage, quoted: Mapping[str, ChatMessage]) -> str:
    """Return the number of the author of the quoted message; empty where it is hidden."""
    original = quoted.get(bubble.reply_to or "")
    own = original is not None and original.side == "customer"
    return (customer.phone or "") if own else settings.display_number


def status_webhook(
    settings: Settings,
    customer: Customer,
    send: AcceptedSend,
    state: str,
    at: int,
    *,
    price: Mapping[str, Any] | None = None,
    code: int = 0,
) -> dict[str, Any]:
    """Return a webhook with one status. `price` is the price of the message; `code` is the reason of a failure."""
    told: dict[str, Any] = {"id": send.wamid, "status": state, "timestamp": str(at // 1000)}
    if customer.phone:
        told["recipient_id"] = customer.phone
    if customer.user_id and not (state == "failed" and send.to):
        told["recipient_user_id"] = customer.user_id
    if send.callback_data is not None:
        told["biz_opaque_callback_data"] = send.callback_data
    if state == "failed":
        return envelope(settings, statuses=[told | {"errors": [failure(code)]}])
    if price is not None:
        told["pricing"] = dict(price)
    return envelope(settings, contacts=[_contact(customer, username=state != "sent")], statuses=[told])


def template_webhook(settings: Settings, template: Template, event: str, at: int) -> dict[str, Any]:
    """Return a webhook that reports the new status of a template: APPROVED, REJECTED, PAUSED …"""
    value = {
        "event": event,
        "message_template_id": int(template.id),
        "message_template_name": template.name,
        "message_template_language": template.language,
        "message_template_category": template.category.upper(),
        "reason": "INCORRECT_CATEGORY" if event == "REJECTED" else "NONE",
    }
    change = {"value": value, "field": "message_template_status_update"}
    entry = {"id": settings.business_account_id, "time": at // 1000, "changes": [change]}
    return {"object": "whatsapp_business_account", "entry": [entry]}
