"""Conversations as operators, timers and checks see them."""

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
    """Something to say to a person of the business about a conversation.

    In the text the store puts in, once and as they are: `{conversation}`, its id; `{number}`, the customer's telephone number, else
    their username or id; `{words}`, the customer's last messages, each in a line that begins with `> `; and the `values`.
    """

    account: str
    person: Identity
    draft: OutgoingContent
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Handoff:
    """From now on a person answers a conversation (`human`), or nobody does for a while (`paused`).

    `by` is who wanted it: `customer`, `assistant` or `operator`. `until` is when SARA takes over again by herself, None for not
    before somebody says so. `notice` is said to the customer, `tell` to somebody of the business; neither where a person has
    the conversation already.
    """

    by: str
    reason: str = ""
    mode: Literal["human", "paused"] = "human"
    until: Instant | None = None
    notice: LocalizedContent = field(default_factory=dict)
    tell: OperatorNotification | None = None


@dataclass(frozen=True, slots=True)
class OneTimeNotice:
    """One of SARA's own texts, said at most once since `since`: told again before that, it is not said."""

    key: str
    drafts: tuple[OutgoingContent, ...]
    since: Instant = 0


@dataclass(frozen=True, slots=True)
class TimerView:
    """All that a timer job needs to decide.

    `customer_at` is when the customer's last words arrived, `ours_at` when we last said something; `followed_up` says that we asked once
    more since the customer last wrote; `closed` that the conversation was closed since. `scheduled` is when the next part is to be
    said that was given a time. `older` counts the messages that no summary holds and that are no longer shown as history.
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
    """A conversation that somebody should look at: `unanswered`, `failing`, `doubtful` or `waiting_for_person`, since when."""

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
    """One line of `sara conversations list`. `address` is the number or id that the provider knows the person by, which may be all
    that is known of them; `phone` is their number, in bare digits. `person_since` is since when the customer waits for a person, None
    where nobody does; `last_direction`, `last_kind` and `last_text` are of the newest message."""

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
