"""Outbound messages, attempts to send them, and the receipts of providers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sara.domain.contacts import Identity
from sara.domain.states import AttemptState, Mode, OutboundState, Purpose, ReceiptStatus
from sara.domain.time import Instant, Milliseconds


@dataclass(frozen=True, slots=True)
class DeliveryFailure:
    """The reason why a provider did not deliver: its code as text, and a sentence for people.

    `action` is the consequence: `fail`, the message has failed; `retry`, it may be sent again after `after` milliseconds;
    `park`, the reply window is closed; `send_as_text`, the form was rejected, and the text may be sent plain; `block_channel`, the
    message is not at fault: it stays queued, and the channel is held for `after` milliseconds, or until a person has repaired
    it. `remedy` tells that person how. `details` are the provider's own words, which may repeat what was sent and to whom:
    they are kept with the message and appear in no log and no problem.
    """

    code: str
    reason: str
    action: Literal["fail", "retry", "park", "send_as_text", "block_channel"] = "fail"
    after: Milliseconds | None = None
    remedy: str = ""
    details: str = ""

    @property
    def full_reason(self) -> str:
        """Return the reason with the code and the provider's own words, for the store alone."""
        said = f"{self.code}: {self.reason}" if self.code else self.reason
        return f"{said} ({self.details})" if self.details else said


@dataclass(frozen=True, slots=True)
class DeliveryReceipt:
    """A provider's report about an outbound message; `external_id` or `attempt_id` is set.

    `pricing` is the provider's own price data, with `type` and `category` where there are such. `counts` is set where the
    message counts towards the channel's monthly budget; each message does once.
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
    """One addressed outbound message, as a channel sends it."""

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
    """The provider's acceptance of a message, which says nothing yet about delivery.

    `recipient` is the identity that the provider names, if it does: of several spellings of a number, the one it knows.
    """

    external_id: str
    recipient: Identity | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to send a message. `settled_at` is when its outcome, or the doubt about it, became known."""

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
    """The first unsettled message of a conversation and the data that a deliver job decides on.

    `attempts` counts the charged attempts, `doubts` those in doubt, `blind` the doubts that ended without proof that receipts
    can arrive; `first_at` is the first charged attempt. `webhook_at` is the time of the account's last verified webhook: that
    proof. `customer_at` is when the customer last wrote a message that opens the reply window, by the provider's clock. `mode`
    says who answers the conversation; `marketing` is false where the customer declined marketing messages.
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
    """The outcome of an attempt and the next state of its message.

    `charged` is set where the attempt counts. `part` is the message's next state, `not_before` its next due time.
    `closes_window` is set where the reply window was closed when the attempt began: unless the customer has opened it since,
    it is closed. `recipient` is the identity that the provider named. `details` are the provider's own words, for the store
    alone.
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
    def full_error(self) -> str | None:
        """Return the error with the provider's own words, for the store alone."""
        return f"{self.error} ({self.details})" if self.error and self.details else self.error
