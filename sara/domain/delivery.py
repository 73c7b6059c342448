"""Outbound messages, attempts to send them, and what providers report about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sara.domain.contacts import Identity
from sara.domain.states import AttemptState, Mode, OutboundState, Purpose, ReceiptStatus
from sara.domain.time import Instant, Milliseconds


@dataclass(frozen=True, slots=True)
class DeliveryFailure:
    """Why a provider did not deliver: its code as text, and a sentence for people.

    `action` is what SARA does next: `fail`, the message has failed; `retry`, it may be sent again after `after` milliseconds; `park`,
    the reply window is closed, and the message waits until the customer writes; `send_as_text`, the provider refused the form, and the
    words may be sent as text; `block_channel`, the message is not at fault: it stays queued, and the channel sends nothing for `after`
    milliseconds, or until a person has corrected it.
    `remedy` tells that person how. `details` are the provider's own words, which may repeat what was sent and to whom: they are kept
    with the message and stand in no log and no problem.
    """

    code: str
    reason: str
    action: Literal["fail", "retry", "park", "send_as_text", "block_channel"] = "fail"
    after: Milliseconds | None = None
    remedy: str = ""
    details: str = ""

    @property
    def told(self) -> str:
        """What is kept of it: with the code and the provider's own words."""
        said = f"{self.code}: {self.reason}" if self.code else self.reason
        return f"{said} ({self.details})" if self.details else said


@dataclass(frozen=True, slots=True)
class DeliveryReceipt:
    """The provider told us more about something we sent. At least one of `external_id` and `attempt_id` is there.

    `pricing` is what the provider says of the price, kept as it is: `type` and `category` where there are such. `counts` is
    whether the message counts towards the channel's monthly budget; each message does once.
    """

    account: str
    status: ReceiptStatus
    at: Instant
    external_id: str | None = None
    attempt_id: str | None = None
    failure: DeliveryFailure | None = None
    pricing: Mapping[str, Any] | None = None
    counts: bool = False


# ── Delivery ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """One outbound message, addressed: what a channel sends."""

    id: str
    conversation: str
    account: str
    to: Identity
    kind: str
    text: str
    purpose: Purpose
    content: Mapping[str, Any] = field(default_factory=dict)
    reply_to: str | None = None


@dataclass(frozen=True, slots=True)
class SendResult:
    """The provider took the message; it says nothing yet about delivery. `recipient` is who it says that it went to, where it names
    them: a number may have several spellings, and this is the one that they are known by."""

    external_id: str
    recipient: Identity | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to send a part. `settled_at` is when its outcome, or the doubt about it, became known."""

    id: str
    part: str
    state: AttemptState
    started_at: Instant
    owner: str
    settled_at: Instant | None = None
    external_id: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """The first unsettled part of a conversation and all that a deliver job needs to decide.

    `attempts` counts those charged to the part, `doubts` those that are in doubt, `blind` the doubts that ended without any proof
    that receipts can reach us; `first_at` is the first try that counts. `webhook_at` is when the account's last verified webhook came: that proof.
    `customer_at` is when the customer last wrote something that opens the channel's reply window, as the provider tells the time.
    `mode` is who answers the conversation; `marketing` whether the customer wants advertisements.
    """

    part: OutboundMessage
    state: OutboundState
    not_before: Instant
    attempts: int
    first_at: Instant | None
    last: Attempt | None
    webhook_at: Instant | None
    opted_out: bool
    doubts: int = 0
    blind: int = 0
    customer_at: Instant | None = None
    mode: Mode = Mode.BOT
    marketing: bool = True


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """How an attempt ended and what becomes of its part.

    `charged` is whether the attempt counts against the part. `part` is the part's next state; `not_before` is when it may be
    looked at again. `closes_window` says that the reply window was closed when the attempt began: unless the customer has opened
    it since, it is, and the part may be looked at at once. `recipient` is who the provider says that the message went to. `details` are
    the provider's own words, for the store alone.
    """

    state: AttemptState
    part: OutboundState
    not_before: Instant = 0
    charged: bool = True
    external_id: str | None = None
    error: str | None = None
    closes_window: bool = False
    recipient: Identity | None = None
    details: str = ""

    @property
    def told(self) -> str | None:
        """What is kept of the error: with the provider's own words."""
        return f"{self.error} ({self.details})" if self.error and self.details else self.error
