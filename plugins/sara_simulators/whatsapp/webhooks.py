"""The bodies of webhooks as Meta writes and signs them. Pure."""

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
    """The bytes that are sent and signed: compact, with everything beyond ASCII and every slash escaped."""
    return json.dumps(body, separators=(",", ":")).replace("/", "\\/").encode()


def sign_body(body: bytes, secret: str) -> str:
    """The value of the X-Hub-Signature-256 header."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def envelope(settings: Settings, **value: Any) -> dict[str, Any]:
    """One change of the `messages` field around what it holds."""
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
    """A webhook with messages of customers; each customer stands once among the contacts, and whose number changed does not.
    `quoted` are the messages that may be quoted, by id."""
    pairs = list(written)
    contacts = {customer.id: _contact(customer) for customer, bubble in pairs if bubble.kind != "system"}
    messages = [
        _message(settings, customer, bubble, _author(settings, customer, bubble, quoted or {})) for customer, bubble in pairs
    ]
    return envelope(settings, **({"contacts": list(contacts.values())} if contacts else {}), messages=messages)


def _author(settings: Settings, customer: Customer, bubble: ChatMessage, quoted: Mapping[str, ChatMessage]) -> str:
    """The number of whoever wrote the message that this one quotes; empty where it is hidden."""
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
    """A webhook with one status. `price` is what the message cost; `code` is why it failed."""
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
    """A webhook that tells what became of a template: APPROVED, REJECTED, PAUSED …"""
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
