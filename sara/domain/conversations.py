"""Conversations from the view of operators, timers and health checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sara.domain.contacts import Contact, Identity
from sara.domain.messages import LocalizedContent, OutgoingContent
from sara.domain.states import Mode
from sara.domain.time import Instant


@dataclass(frozen=True, slots=True)
class OperatorNotification:
    """A message to an operator about a conversation.

    The store fills in these placeholders of the text: `{conversation}`, its id; `{number}`, the customer's telephone number,
    else their username or id; `{words}`, the customer's last messages, each in a line that begins with `> `; and the `values`.
    """

    account: str
    person: Identity
    draft: OutgoingContent
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Handoff:
    """The change that a person answers a conversation from now on (`human`), or that it is paused (`paused`).

    `by` is `customer`, `assistant` or `operator`. `until` is when SARA takes over again, None for not before an operator
    decides so. `notice` goes to the customer, `tell` to an operator; neither is sent where a person has the conversation
    already.
    """

    by: str
    reason: str = ""
    mode: Literal["human", "paused"] = "human"
    until: Instant | None = None
    notice: LocalizedContent = field(default_factory=dict)
    tell: OperatorNotification | None = None


@dataclass(frozen=True, slots=True)
class OneTimeNotice:
    """One of SARA's own texts, sent at most once since `since`."""

    key: str
    drafts: tuple[OutgoingContent, ...]
    since: Instant = 0


@dataclass(frozen=True, slots=True)
class TimerView:
    """The data that a timer job decides on.

    `customer_at` is the time of the customer's last message, `ours_at` that of SARA's. `followed_up` is set where the
    follow-up question was sent since the customer last wrote, `closed` where the session was closed since. `scheduled` is the
    time of the next scheduled message. `older` counts the messages that are neither covered by a summary nor part of the
    history.
    """

    conversation: str
    account: str
    contact: Contact
    opted_out: bool
    mode: Mode
    mode_until: Instant | None
    waiting: int
    unsent: int
    customer_at: Instant | None
    ours_at: Instant | None
    window_from: Instant | None
    followed_up: bool
    closed: bool
    scheduled: Instant | None
    older: int
    due: Instant | None


@dataclass(frozen=True, slots=True)
class UnhealthyConversation:
    """A conversation that needs attention, with the reason and since when."""

    conversation: str
    account: str
    contact: str
    name: str | None
    reason: Literal["unanswered", "failing", "doubtful", "waiting_for_person"]
    since: Instant
    detail: str = ""
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """One row of `sara conversations list`.

    `address` is the number or id by which the provider knows the person, and may be all that is known of them; `phone` is
    their number, in bare digits. `person_since` is the time since which the customer waits for a person, None for no such
    wait; `last_direction`, `last_kind` and `last_text` are those of the newest message.
    """

    id: str
    account: str
    contact: str
    name: str | None
    messages: int
    last_at: Instant | None
    waiting: int
    unsent: int
    opted_out: bool
    reply_due: Instant | None
    deliver_due: Instant | None
    error: str | None
    mode: Mode = Mode.BOT
    language: str | None = None
    address: str | None = None
    phone: str | None = None
    mode_until: Instant | None = None
    person_since: Instant | None = None
    last_direction: Literal["in", "out"] | None = None
    last_kind: str | None = None
    last_text: str = ""
    notes: str = ""
