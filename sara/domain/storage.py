"""What a store takes in and reports back."""

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
    """What the immediate rules decided about a message before it is stored.

    `skip` is the reason not to answer it, None to answer. `consent` changes the customer's consent in the same transaction;
    `notice` is said at once, whatever the consent, in the language that the customer writes; `language` is the one that the words
    themselves tell, for somebody whose language is not known yet. `hand_over` makes a person answer.
    `unreadable` is said instead to a customer whom SARA answers, at most once since `unreadable_since`.
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
    """A message with its verdict and the quiet window it falls under (milliseconds).

    `language` is the one it is written in, where that can be told. A message that comes longer than `chapter_after` after the last
    one begins a new chapter: what was said before is no history any more.

    `stamp` is the provider's own time where it could not be right and `message.at` is another: a message without an id is recognised
    by it when it is delivered again. None where it is `message.at`.
    """

    message: InboundMessage
    verdict: InboundDecision
    quiet: Milliseconds
    quiet_longest: Milliseconds
    language: str | None = None
    chapter_after: Milliseconds | None = None
    stamp: Instant | None = None


@dataclass(frozen=True, slots=True)
class InboundBatch:
    """All that one verified request brings into the store, in one transaction. `echoed` holds, by the id of an echo, the hand-over
    that follows from it; an echo that is not named there is only recorded. `stamps` are the provider's own times of the changes, in
    their order: a change is recognised by its own when it is delivered again, whatever time it was taken to have happened at.

    `operators` are the people of the business who are told of customers on this account. What they write is `skipped (operator)`, as
    is a message that quotes what a person was told (`Tell`): no responder gets it. `operator_notice` tells them so, at most once an
    hour.
    """

    account: str
    arrivals: tuple[ClassifiedMessage, ...] = ()
    receipts: tuple[DeliveryReceipt, ...] = ()
    changes: tuple[AccountChange, ...] = ()
    set_aside: tuple[UnparsedPayload, ...] = ()
    echoed: Mapping[str, Handoff] = field(default_factory=dict)
    operators: tuple[Identity, ...] = ()
    operator_notice: LocalizedContent = field(default_factory=dict)
    stamps: tuple[Instant, ...] = ()


@dataclass(frozen=True, slots=True)
class AcceptResult:
    """What `Store.accept` did: every conversation with open work that the intake touched, what was new, and how often each
    kind of thing was met again."""

    work: tuple[OpenWork, ...] = ()
    stored: tuple[StoredMessage, ...] = ()
    known: int = 0
    receipts: tuple[tuple[StoredMessage, DeliveryReceipt], ...] = ()
    unknown_receipts: int = 0


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """What a start found of the process before it.

    `doubtful` sends were cut off. `unclean` counts ends without farewell in the last ten minutes. `suspects` are jobs (kind and
    conversation) that plugin code was busy with at two or more of them in a row; `quarantined` are conversations set aside now.
    """

    doubtful: int = 0
    unclean: int = 0
    suspects: tuple[tuple[JobKind, str], ...] = ()
    quarantined: tuple[str, ...] = ()
