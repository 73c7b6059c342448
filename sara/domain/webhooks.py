"""The contents of a webhook request."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from sara.domain.contacts import Identity
from sara.domain.delivery import DeliveryReceipt
from sara.domain.messages import Correction, InboundMessage
from sara.domain.time import Instant

# ── HTTP, as a channel sees it ────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request at a channel's webhook. Header names are lower-case; `body` is the raw bytes."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """The response to a webhook once its contents are stored."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain"


@dataclass(frozen=True, slots=True)
class IdentityChange:
    """The provider's report that `before` is now known as `after`. A repeated one changes nothing."""

    account: str
    before: Identity
    after: Identity
    at: Instant


@dataclass(frozen=True, slots=True)
class PreferenceChange:
    """The customer's choice at the provider whether they want messages of a category, e.g. marketing."""

    account: str
    person: Identity
    category: str
    allowed: bool
    at: Instant


@dataclass(frozen=True, slots=True)
class OperatorEcho:
    """A message that an operator sent outside SARA, e.g. from the phone app.

    `says` is false for an event that tells the customer nothing, such as a reaction, an edit or a deletion. `corrects` is set
    where it changes a message that the business sent earlier.
    """

    account: str
    external_id: str
    person: Identity
    kind: str
    text: str
    at: Instant
    raw: str = ""
    says: bool = True
    corrects: Correction | None = None


@dataclass(frozen=True, slots=True)
class AccountEvent:
    """An event of the account itself. `serious` ones become a problem for the operator.

    `subject` is the object concerned, where the account has several (a template, a number). `ends` are the kinds whose
    problems about the same subject it clears, in any order of arrival: `at` decides. Two events with the same `kind`,
    `subject` and `raw` are the same event. `summary` is shown and logged; `details` are the provider's own words, which may
    repeat a message: they stay in the store.
    """

    account: str
    kind: str
    summary: str
    at: Instant
    serious: bool = False
    raw: str = ""
    subject: str = ""
    ends: tuple[str, ...] = ()
    details: str = ""


AccountChange: TypeAlias = IdentityChange | PreferenceChange | OperatorEcho | AccountEvent


@dataclass(frozen=True, slots=True)
class UnparsedPayload:
    """A signed payload that could not be parsed, stored raw. `id` and `at` are set by the store."""

    account: str
    reason: str
    body: bytes
    at: Instant = 0
    id: str = ""

    def shown(self) -> tuple[str, Literal["text", "base64"]]:
        """Return the body as text, or in Base64 where it is none."""
        try:
            return self.body.decode("utf-8"), "text"
        except UnicodeDecodeError:
            return b64encode(self.body).decode("ascii"), "base64"


@dataclass(frozen=True, slots=True)
class WebhookResult:
    """The contents of one webhook request.

    `verified` is true only where the provider's signature was checked and correct; nothing of an unverified result is ever
    stored.
    """

    response: Response = field(default_factory=Response)
    verified: bool = False
    messages: tuple[InboundMessage, ...] = ()
    receipts: tuple[DeliveryReceipt, ...] = ()
    changes: tuple[AccountChange, ...] = ()
    unparsed: tuple[UnparsedPayload, ...] = ()
