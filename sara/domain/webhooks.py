"""What a channel reads from a webhook request."""

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
    """An HTTP request at a channel's webhook. Header names are lower-case; `body` is the raw bytes as they came."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """What the webhook answers once the store has what came."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain"


@dataclass(frozen=True, slots=True)
class IdentityChange:
    """The provider itself says that `before` is now known as `after`. Told again, it changes nothing."""

    account: str
    before: Identity
    after: Identity
    at: Instant


@dataclass(frozen=True, slots=True)
class PreferenceChange:
    """The customer told the provider whether they want messages of a category, e.g. marketing."""

    account: str
    person: Identity
    category: str
    allowed: bool
    at: Instant


@dataclass(frozen=True, slots=True)
class OperatorEcho:
    """A person of the business answered the customer outside SARA, e.g. from the phone app.

    `says` is whether the customer is told something by it: an event such as a reaction, an edit or a deletion is recorded and
    answers nothing. `corrects` is set where it changes a message that the business sent earlier.
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
    """News about the account itself. `serious` ones become a problem for the operator.

    `subject` is what of the account it is about, where there can be several (a template, a number). `ends` are the kinds whose
    problems about the same subject are over by it, whatever the order in which they arrive: `at` decides. Two events with the same
    `kind`, `subject` and `raw` are one and the same, told twice. `summary` is shown and logged; `details` are the provider's own
    words, which may repeat what somebody wrote: they stay in the store.
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
    """Something that was signed but not understood, kept raw. `id` and `at` are the store's: which it is, and when it was kept."""

    account: str
    reason: str
    body: bytes
    at: Instant = 0
    id: str = ""

    def shown(self) -> tuple[str, Literal["text", "base64"]]:
        """The body as text, or in Base64 where it is none."""
        try:
            return self.body.decode("utf-8"), "text"
        except UnicodeDecodeError:
            return b64encode(self.body).decode("ascii"), "base64"


@dataclass(frozen=True, slots=True)
class WebhookResult:
    """What a channel made of one request. `verified` is true only where the provider's signature was checked and right;
    nothing of an unverified reception is ever stored."""

    response: Response = field(default_factory=Response)
    verified: bool = False
    messages: tuple[InboundMessage, ...] = ()
    receipts: tuple[DeliveryReceipt, ...] = ()
    changes: tuple[AccountChange, ...] = ()
    set_aside: tuple[UnparsedPayload, ...] = ()
