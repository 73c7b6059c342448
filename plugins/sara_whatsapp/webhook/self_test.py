"""The webhook with which `sara doctor` tests the way to SARA.

It names a phone number id that does not exist, so that it has no effect: it is not stored and does not count as a sign that Meta
reaches SARA, after which a message of unknown delivery would be sent again.
"""

from __future__ import annotations

from sara_whatsapp.webhook.parser import IgnoredItem, ParsedWebhook

UNUSED_NUMBER_ID = "0"

_PROBE_RESULT = ParsedWebhook(notes=(IgnoredItem("foreign_number", UNUSED_NUMBER_ID, 1),))
# Escaped and spaced as no encoder writes it, so that a proxy that rewrites the body breaks the signature.
_BODY = (
    r'{"object":"whatsapp_business_account", "entry":[{"id":"0","changes":[{"value":{"messaging_product":"whatsapp",'
    r'"metadata":{"display_phone_number":"0","phone_number_id":"%s"},"note":"gr\u00fc\u00dfe \/ \ud83d\udc4b"},'
    r'"field":"messages"}]}]}'
)


def build_probe(size: int = 0) -> bytes:
    """Return the body to post, at least `size` bytes long."""
    return (_BODY % UNUSED_NUMBER_ID).encode().ljust(size)


def is_probe(parsed: ParsedWebhook) -> bool:
    """Return whether a body held nothing but a probe."""
    return parsed == _PROBE_RESULT
