"""The JSON bodies of what we send. Pure. Fields are those of Meta's reference of the messages endpoint."""

from __future__ import annotations

import re
from typing import Any

from sara import Part, Person, Refused
from sara_whatsapp.wire import scrub

_LINK = re.compile(r"https?://\S", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9]+")


def message_body(part: Part, attempt_id: str) -> dict[str, Any]:
    """The body that sends `part`; `attempt_id` comes back in every receipt of it.

    Raises:
        Refused: there is no way to say this, or nobody to say it to.
    """
    body: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        **_addressee(part.to),
        "type": part.kind,
        part.kind: _own(part),
        "biz_opaque_callback_data": attempt_id,
    }
    if part.reply_to:
        body["context"] = {"message_id": part.reply_to}
    return body


def _own(part: Part) -> dict[str, Any]:
    if part.kind == "text":
        return {"body": scrub(part.text), "preview_url": bool(_LINK.search(part.text))}
    raise Refused(f"The WhatsApp channel cannot send a message of kind {part.kind!r}.")


def _addressee(person: Person) -> dict[str, str]:
    # With the plus Meta never puts the business's own country code in front. Sending to the number keeps it visible in
    # webhooks, so it comes before the user id, which would be ignored beside it.
    if person.phone and _DIGITS.fullmatch(person.phone):
        return {"to": f"+{person.phone}"}
    if user_id := person.user_id or person.parent_id:
        return {"recipient": user_id}
    raise Refused("Nothing that WhatsApp can address is known of this person.")
