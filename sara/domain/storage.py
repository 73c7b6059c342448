"""Values that a store receives and returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sara.domain.contacts import Identity
from sara.domain.conversations import Handoff
from sara.domain.delivery import DeliveryReceipt
from sara.domain.jobs import OpenWork
from sara.domain.messages import InboundMessage, LocalizedContent, StoredMessage
from sara.domain.states import JobKind
from sara.domain.time import Instant, Milliseconds
from sara.domain.webhooks import AccountChange, UnparsedPayload


@dataclass(frozen=True, slots=True)
class InboundDecision:
    """The decision about a message before it is stored.

    `skip` is the reason not to answer it, None to answer. `consent` changes the customer's consent in the same transaction;
    `notice` is sent at once, regardless of consent, in the customer's language; `language` is the one that the keyword
    implies, for a contact whose language is not known yet. `hand_over` hands the conversation to a person. `unreadable` is
    sent instead to a customer whom SARA answers, at most once since `unreadable_since`.
    """

    skip: str | None = None
    consent: Literal["opt_out", "opt_in"] | None = None
    notice: LocalizedContent = field(default_factory=dict)
    language: str | None = None
    hand_over: Handoff | None = None
    unreadable: LocalizedContent = field(default_factory=dict)
    unreadable_since: Instant = 0


@dataclass(frozen=True, slots=True)
class ClassifiedMessage:
    """A message with the decision about it and its debounce times.

    `language` is the detected one, None where it is unknown. A message that comes longer than `chapter_after` after the last one
    begins a new session: earlier messages are not history any more.

    `stamp` is the provider's own time where it could not be right and `message.at` differs: a message without an id is
    recognised by it when it is delivered again. None where it is `message.at`.
    """

    message: InboundMessage
    verdict: InboundDecision
    debounce: Milliseconds
    debounce_max: Milliseconds
    language: str | None = None
    chapter_after: Milliseconds | None = None
    stamp: Instant | None = None


@dataclass(frozen=True, slots=True)
class InboundBatch:
    """All contents of one verified request, stored in one transaction.

    `echoed` holds, by the id of an echo, the handoff that follows from it; other echoes are only recorded. `stamps` are the
    provider's own times of the changes, in their order: a change is recognised by its own when it is delivered again, whatever
    time it was assigned.

    `operators` are the operators notified on this account. Their messages become `skipped (operator)`, as does a message that
    quotes an `OperatorNotification`: no responder gets it. `operator_notice` tells them so, at most once an hour.
    """

    account: str
    arrivals: tuple[ClassifiedMessage, ...] = ()
    receipts: tuple[DeliveryReceipt, ...] = ()
    changes: tuple[AccountChange, ...] = ()
    unparsed: tuple[UnparsedPayload, ...] = ()
    echoed: Mapping[str, Handoff] = field(default_factory=dict)
    operators: tuple[Identity, ...] = ()
    operator_notice: LocalizedContent = field(default_factory=dict)
    stamps: tuple[Instant, ...] = ()


@dataclass(frozen=True, slots=True)
class AcceptResult:
    """The effects of `Store.accept`: every conversation with open work in the batch, the new messages and receipts, and the
    numbers of known messages and unknown receipts.
    """

    work: tuple[OpenWork, ...] = ()
    stored: tuple[StoredMessage, ...] = ()
    known: int = 0
    receipts: tuple[tuple[StoredMessage, DeliveryReceipt], ...] = ()
    unknown_receipts: int = 0


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """The state in which a start found the store.

    `doubtful` counts interrupted sends, `unclean` the ends of a process without `mark_clean_shutdown` in the last ten minutes.
    `suspects` are jobs (kind and conversation) that plugin code was working on at two or more of them in a row; `quarantined`
    are the conversations quarantined now.
    """

    doubtful: int = 0
    unclean: int = 0
    suspects: tuple[tuple[JobKind, str], ...] = ()
    quarantined: tuple[str, ...] = ()
