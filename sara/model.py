"""What travels between the rooms: values only, no I/O and no clock.

Instants are whole Unix milliseconds (`Instant`), lengths of time whole milliseconds (`Millis`). Ids of conversations, contacts
and messages are opaque strings that the store makes.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Literal, TypeAlias

Instant: TypeAlias = int
"""A moment: Unix time in milliseconds."""

Millis: TypeAlias = int
"""A length of time in milliseconds."""

JobKind: TypeAlias = str
Purpose: TypeAlias = Literal["reply", "notice", "operator", "template"]
InboundState: TypeAlias = Literal["waiting", "answered", "skipped", "dead", "quarantined"]
PartState: TypeAlias = Literal[
    "queued", "sending", "accepted", "sent", "delivered", "read", "in_doubt", "parked", "held", "cancelled", "failed"
]
FileState: TypeAlias = Literal["fetched", "failed", "pending"]
AttemptState: TypeAlias = Literal["sending", "in_doubt", "not_sent", "refused", "accepted"]
ReceiptStatus: TypeAlias = Literal["sent", "delivered", "read", "failed"]
Mode: TypeAlias = Literal["bot", "human", "paused"]
Role: TypeAlias = Literal["customer", "assistant", "operator", "notice"]

RECEIPT_RANK: Mapping[str, int] = {"accepted": 1, "sent": 2, "delivered": 3, "read": 4}
"""How far along a part is; a receipt only ever moves a part to a higher rank."""


_NUMBERED = re.compile(r":\d+$")


def _letters(name: str) -> str:
    """A name as those compare that spell it differently."""
    return re.sub(r"[\W_]+", "", name).casefold()


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


# ── People ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody as a provider names them. `user_id` is the id scoped to the business, `phone` the bare digits or a channel's
    own address. Name and username are claims: shown, never looked up."""

    user_id: str | None = None
    parent_id: str | None = None
    phone: str | None = None
    username: str | None = None
    name: str | None = None

    @property
    def nameable(self) -> bool:
        """Whether anything here identifies the person."""
        return bool(self.user_id or self.parent_id or self.phone)


@dataclass(frozen=True, slots=True)
class Contact:
    """A person as the store knows them. `language` is the one they write (ISO 639-1), once it could be told; `notes` is what the
    business wrote down about them."""

    id: str
    name: str | None = None
    username: str | None = None
    language: str | None = None
    notes: str = ""


# ── Files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that a message brings: `image`, `video`, `audio`, `document` or `sticker`.

    A channel says what it is and by which `reference` it can be fetched there; the rest is filled in by SARA. `name` is what the
    sender calls it, a claim that names nothing on the disk. `voice` is a note spoken into the app. `url` may spare the channel a
    question and is soon out of date. `sha256` is hexadecimal, `size` in bytes. `path` is where the file lies once it was fetched,
    `error` why it never will be. A file with neither is still being fetched.
    """

    kind: str
    mime: str
    reference: str
    name: str | None = None
    voice: bool = False
    url: str | None = None
    sha256: str | None = None
    size: int | None = None
    id: str = ""
    path: PurePath | None = None
    error: str | None = None

    @property
    def state(self) -> FileState:
        """Whether the file is here, never will be, or is still to come."""
        if self.error is not None:
            return "failed"
        return "pending" if self.path is None else "fetched"


@dataclass(frozen=True, slots=True)
class Download:
    """A file that is to be fetched, and for whom. `at` is the time of its message; `due` is when it is tried next, None once it
    is settled; `tries` is how often it failed so far."""

    attachment: Attachment
    conversation: str
    account: str
    at: Instant
    due: Instant | None
    tries: int = 0


# ── Inbound ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Correction:
    """The author of a message edited or deleted it after it was sent. `target` is the provider's id of that message.

    `text`, `kind` and `content` replace those of the message; without a `kind` its own stays. With `withdrawn` the message was
    deleted: `text` is the placeholder that stands in its place, and nothing else of it is kept.
    """

    target: str
    text: str
    kind: str | None = None
    content: Mapping[str, Any] = field(default_factory=dict)
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """One message from a customer.

    `kind` is the provider's own word for its type; `text` is what a reader (the AI included) should read for it; `answer` says
    whether it calls for an answer or is only recorded. `at` is the provider's timestamp. `raw` is the provider's JSON text.
    `external_id` is the provider's id, unique within `account`; None where the provider gives none. `reply_to` is the provider's
    id of the message that this one quotes. `opens_window` is whether it (re)opens the time in which the channel lets us answer
    freely, where a channel knows such a time. `choice` is the label of the button or row that the customer tapped: `text` may say
    more than they did.

    `unreadable` says that the customer sent something whose content the provider does not hand on: the customer is told so.
    `corrects` is set for an event by which the customer changes a message sent earlier; neither calls for an answer itself.
    """

    account: str
    external_id: str | None
    person: Person
    kind: str
    text: str
    at: Instant
    answer: bool = True
    content: Mapping[str, Any] = field(default_factory=dict)
    reply_to: str | None = None
    raw: str = ""
    attachments: tuple[Attachment, ...] = ()
    opens_window: bool = True
    unreadable: bool = False
    corrects: Correction | None = None
    choice: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a provider did not deliver: its code as text, and a sentence for people.

    `then` is what follows: `end`, the message has failed; `later`, it may be sent again after `after` milliseconds; `window`, the
    time in which we may write freely is over; `plain`, the form was refused, and its words may be sent as text; `channel`, it was
    no fault of the message: it stays queued, and the channel rests for `after` milliseconds, or until a person has mended it.
    `remedy` tells that person how. `details` are the provider's own words, which may repeat what was sent and to whom: they are kept
    with the message and stand in no log and no problem.
    """

    code: str
    reason: str
    then: Literal["end", "later", "window", "plain", "channel"] = "end"
    after: Millis | None = None
    remedy: str = ""
    details: str = ""

    @property
    def told(self) -> str:
        """What is kept of it: with the code and the provider's own words."""
        said = f"{self.code}: {self.reason}" if self.code else self.reason
        return f"{said} ({self.details})" if self.details else said


@dataclass(frozen=True, slots=True)
class Receipt:
    """The provider told us more about something we sent. At least one of `external_id` and `attempt_id` is there.

    `pricing` is what the provider says of the price, kept as it is: `type` and `category` where there are such. `counts` is
    whether the message counts towards the channel's monthly budget; each message does once.
    """

    account: str
    status: ReceiptStatus
    at: Instant
    external_id: str | None = None
    attempt_id: str | None = None
    failure: Failure | None = None
    pricing: Mapping[str, Any] | None = None
    counts: bool = False


@dataclass(frozen=True, slots=True)
class IdentityChange:
    """The provider itself says that `before` is now known as `after`. Told again, it changes nothing."""

    account: str
    before: Person
    after: Person
    at: Instant


@dataclass(frozen=True, slots=True)
class PreferenceChange:
    """The customer told the provider whether they want messages of a category, e.g. marketing."""

    account: str
    person: Person
    category: str
    allowed: bool
    at: Instant


@dataclass(frozen=True, slots=True)
class Echo:
    """A person of the business answered the customer outside SARA, e.g. from the phone app.

    `says` is whether the customer is told something by it: an event such as a reaction, an edit or a deletion is recorded and
    answers nothing. `corrects` is set where it changes a message that the business sent earlier.
    """

    account: str
    external_id: str
    person: Person
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


Change: TypeAlias = IdentityChange | PreferenceChange | Echo | AccountEvent


@dataclass(frozen=True, slots=True)
class SetAside:
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
class Reception:
    """What a channel made of one request. `verified` is true only where the provider's signature was checked and right;
    nothing of an unverified reception is ever stored."""

    response: Response = field(default_factory=Response)
    verified: bool = False
    messages: tuple[InboundMessage, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    changes: tuple[Change, ...] = ()
    set_aside: tuple[SetAside, ...] = ()


# ── What the store takes in, and what it gives back ───────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Draft:
    """One thing to say, not yet addressed to anybody. `text` may be Markdown, and the channel turns it into its own dialect; unless
    `markdown`, it stands in the channel's own marks already, as a person of the business typed it, and stays as it is.

    `reply_to` is our id of the message to quote. What `content` holds depends on the kind; for every kind `text` is the part that
    people read, and `plain` turns the whole into text for channels that lack the kind:

    | kind | content |
    |---|---|
    | `text` | |
    | `image` `video` `audio` `document` `sticker` | `path` or `url`; `mime`, `name`, `voice`. `text` is the caption |
    | `location` | `latitude`, `longitude`, `name`, `address` |
    | `contact` | `name`, `phones` (a list) |
    | `reaction` | `emoji`, empty to take it back; to the message `reply_to` |
    | `buttons` | `buttons`: a list of `id`, `title`; `header`, `footer` |
    | `list` | `button` (what opens it), `sections`: a list of `title`, `rows`: a list of `id`, `title`, `description`; `header`, `footer` |
    | `link` | `title`, `url` |
    | `ask_location` `ask_contact` | |
    | `template` | `name`, `language`, `parameters` (a list of texts for the body), or `components` in the provider's own form |
    """

    text: str
    kind: str = "text"
    content: Mapping[str, Any] = field(default_factory=dict)
    reply_to: str | None = None
    markdown: bool = True


Wording: TypeAlias = Mapping[str, Draft]
"""The same thing to say in several languages, by ISO 639-1 code; under the empty text what is said in any other."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Something to say to a person of the business about a conversation.

    In the text the store puts in, once and as they are: `{conversation}`, its id; `{number}`, the customer's telephone number, else
    their username or id; `{words}`, the customer's last messages, each in a line that begins with `> `; and the `values`.
    """

    account: str
    person: Person
    draft: Draft
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HandOver:
    """From now on a person answers a conversation (`human`), or nobody does for a while (`paused`).

    `by` is who wanted it: `customer`, `assistant` or `operator`. `until` is when SARA takes over again by herself, None for not
    before somebody says so. `notice` is said to the customer, `tell` to somebody of the business; neither where a person has
    the conversation already.
    """

    by: str
    reason: str = ""
    mode: Literal["human", "paused"] = "human"
    until: Instant | None = None
    notice: Wording = field(default_factory=dict)
    tell: Tell | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the immediate rules decided about a message before it is stored.

    `skip` is the reason not to answer it, None to answer. `consent` changes the customer's consent in the same transaction;
    `notice` is said at once, whatever the consent, in the language that the customer writes; `language` is the one that the words
    themselves tell, for somebody whose language is not known yet. `hand_over` makes a person answer.
    `unreadable` is said instead to a customer whom SARA answers, at most once since `unreadable_since`.
    """

    skip: str | None = None
    consent: Literal["opt_out", "opt_in"] | None = None
    notice: Wording = field(default_factory=dict)
    language: str | None = None
    hand_over: HandOver | None = None
    unreadable: Wording = field(default_factory=dict)
    unreadable_since: Instant = 0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message with its verdict and the quiet window it falls under (milliseconds).

    `language` is the one it is written in, where that can be told. A message that comes longer than `chapter_after` after the last
    one begins a new chapter: what was said before is no history any more.

    `stamp` is the provider's own time where it could not be right and `message.at` is another: a message without an id is recognised
    by it when it is delivered again. None where it is `message.at`.
    """

    message: InboundMessage
    verdict: Verdict
    quiet: Millis
    quiet_longest: Millis
    language: str | None = None
    chapter_after: Millis | None = None
    stamp: Instant | None = None


@dataclass(frozen=True, slots=True)
class Intake:
    """All that one verified request brings into the store, in one transaction. `echoed` holds, by the id of an echo, the hand-over
    that follows from it; an echo that is not named there is only recorded. `stamps` are the provider's own times of the changes, in
    their order: a change is recognised by its own when it is delivered again, whatever time it was taken to have happened at.

    `operators` are the people of the business who are told of customers on this account. What they write is `skipped (operator)`, as
    is a message that quotes what a person was told (`Tell`): no responder gets it. `operator_notice` tells them so, at most once an
    hour.
    """

    account: str
    arrivals: tuple[Arrival, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    changes: tuple[Change, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    echoed: Mapping[str, HandOver] = field(default_factory=dict)
    operators: tuple[Person, ...] = ()
    operator_notice: Wording = field(default_factory=dict)
    stamps: tuple[Instant, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenWork:
    """What a conversation still has to do; None where nothing is due. `account` tells which lanes it belongs to. `changed` says how
    many messages an operator's `revive` or `drop` changed, `parts` which messages were queued by `say`."""

    conversation: str
    account: str
    reply_due: Instant | None
    deliver_due: Instant | None
    timer_due: Instant | None = None
    changed: int | None = None
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as it stands in the store, either direction; one line of `sara export`."""

    id: str
    external_id: str | None
    channel: str
    account: str
    conversation: str
    contact: str
    direction: Literal["in", "out"]
    kind: str
    text: str
    state: str
    reason: str | None
    purpose: str | None
    at: Instant
    error: str | None


@dataclass(frozen=True, slots=True)
class Taken:
    """What `Store.accept` did: every conversation with open work that the intake touched, what was new, and how often each
    kind of thing was met again."""

    work: tuple[OpenWork, ...] = ()
    stored: tuple[StoredMessage, ...] = ()
    known: int = 0
    receipts: tuple[tuple[StoredMessage, Receipt], ...] = ()
    unknown_receipts: int = 0


# ── Replies ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Line:
    """One message of a conversation, as history or as something to answer. `revived_at` is when an operator gave it another
    chance: its age counts from then. `quoted` is the text of the message that this one quotes, if we have it, and `quoted_by` who said
    that. `deferred` is for how long gates of plugins have put it off. `withdrawn` says that its author deleted it: `text` is a
    placeholder, which nobody wrote."""

    id: str
    role: Role
    text: str
    at: Instant
    kind: str = "text"
    content: Mapping[str, Any] = field(default_factory=dict)
    external_id: str | None = None
    revived_at: Instant | None = None
    attachments: tuple[Attachment, ...] = ()
    quoted: str | None = None
    quoted_by: Role | None = None
    deferred: Millis = 0
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """What a responder is asked: the customer's unanswered messages, each on its own, after the history before them.

    `summary` is what was said before that history, in short, where it was summarised. `channel` is the channel's name in the
    file. `timezone` is that of the opening hours, empty where
    there are none.
    """

    conversation: str
    account: str
    contact: Contact
    messages: tuple[Line, ...]
    history: tuple[Line, ...] = ()
    now: Instant = 0
    channel: str = ""
    summary: str = ""
    timezone: str = ""


def is_tool_named(name: str, written: str) -> bool:
    """Whether a model that wrote `written` means the tool `name`."""
    bare = _NUMBERED.sub("", written.partition("<")[0].strip())
    return written == name or _letters(re.split(r"[./:]", bare)[-1]) == (_letters(name) or name)


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model is told of it: `parameters` is a JSON Schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]

    def is_named(self, written: str) -> bool:
        """Whether a model that wrote `written` means this tool: `functions.hand_over`, `Hand-Over`, `hand_over:0` and
        `hand_over<|channel|>commentary` are all `hand_over`."""
        return is_tool_named(self.name, written)

    def is_named_in(self, text: str) -> bool:
        """Whether `text` holds the name of this tool in any spelling."""
        return _letters(self.name) in _letters(text)


@dataclass(frozen=True, slots=True)
class ToolScope:
    """For whom a tool works: taken from the conversation, never from the model."""

    conversation: str
    account: str
    contact: Contact
    now: Instant


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer cost, in tokens, over all calls that it took."""

    input_tokens: int = 0
    output_tokens: int = 0
    model: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """A responder's answer, in the order in which its parts are to be said.

    `readings` are texts that the responder found in what the customer sent, by the line's id (the transcript of a voice message,
    say): kept as that message's text, so that nobody has to find them again.
    """

    parts: tuple[Draft, ...]
    usage: Usage | None = None
    readings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Summary:
    """What was said, in short, and what it cost to say so."""

    text: str
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class ReplyView:
    """All that a reply job needs to decide, from one query.

    `due` is when the quiet window or a back-off ends. `attempts` counts the calls made for the waiting messages, `first_at` is
    the first of them. `delivery` is `clear`, or why an answer could not leave now: `in_doubt` or `backing_off`. `apologised` says
    that the customer was told of an earlier failure and has had no answer since.

    `mode` is who answers, `mode_until` when SARA does again. `recent` are the times of arrival of the messages that call for an
    answer, the waiting ones included, newest first, as many as were asked for; `on_channel` counts those of everybody on the
    account: in the last `minute` and `day`. `said` is when each of SARA's own texts was last said, by its key. `rethought` counts
    the answers to these messages that were dropped because more was written. `deferred` is since and until when a gate of a plugin
    puts the turn off; what it put off before stands with each line.
    """

    conversation: str
    account: str
    contact: Contact
    opted_out: bool
    waiting: tuple[Line, ...]
    history: tuple[Line, ...]
    due: Instant | None
    attempts: int
    first_at: Instant | None
    delivery: Literal["clear", "in_doubt", "backing_off"]
    apologised: bool = False
    mode: Mode = "bot"
    mode_until: Instant | None = None
    recent: tuple[Instant, ...] = ()
    on_channel: Mapping[str, int] = field(default_factory=dict)
    said: Mapping[str, Instant] = field(default_factory=dict)
    rethought: int = 0
    summary: str = ""
    deferred: tuple[Instant, Instant] | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """One of SARA's own texts, said at most once since `since`: told again before that, it is not said."""

    key: str
    drafts: tuple[Draft, ...]
    since: Instant = 0


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What may be used within a period, named `2026-11-27` or `2026-11`; None for no end. Money is in millionths."""

    period: str
    calls: int | None = None
    tokens: int | None = None
    money: int | None = None


@dataclass(frozen=True, slots=True)
class Reserve:
    """What a call may cost at most, set aside before it is made; the ceilings that must hold it."""

    tokens: int
    money: int = 0
    ceilings: tuple[Ceiling, ...] = ()


@dataclass(frozen=True, slots=True)
class Also:
    """What is kept together with an answer: what it really cost (millionths), that a person takes over from here, and when to
    look at the conversation's timers."""

    money: int = 0
    hand_over: HandOver | None = None
    timer: Instant | None = None


@dataclass(frozen=True, slots=True)
class ToolRecord:
    """A call of a tool as it was written down. `result` is None while its outcome is not known."""

    id: int
    result: str | None


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
class Unhealthy:
    """A conversation that somebody should look at: `unanswered`, `failing`, `doubtful` or `waiting_for_person`, since when."""

    conversation: str
    account: str
    contact: str
    name: str | None
    what: Literal["unanswered", "failing", "doubtful", "waiting_for_person"]
    since: Instant
    detail: str = ""
    phone: str | None = None


# ── Delivery ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Part:
    """One outbound message, addressed: what a channel sends."""

    id: str
    conversation: str
    account: str
    to: Person
    kind: str
    text: str
    purpose: Purpose
    content: Mapping[str, Any] = field(default_factory=dict)
    reply_to: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the message; it says nothing yet about delivery. `recipient` is who it says that it went to, where it names
    them: a number may have several spellings, and this is the one that they are known by."""

    external_id: str
    recipient: Person | None = None


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

    part: Part
    state: PartState
    not_before: Instant
    attempts: int
    first_at: Instant | None
    last: Attempt | None
    webhook_at: Instant | None
    opted_out: bool
    doubts: int = 0
    blind: int = 0
    customer_at: Instant | None = None
    mode: Mode = "bot"
    marketing: bool = True


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a start found of the process before it.

    `doubtful` sends were cut off. `unclean` counts ends without farewell in the last ten minutes. `suspects` are jobs (kind and
    conversation) that plugin code was busy with at two or more of them in a row; `quarantined` are conversations set aside now.
    """

    doubtful: int = 0
    unclean: int = 0
    suspects: tuple[tuple[JobKind, str], ...] = ()
    quarantined: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended and what becomes of its part.

    `charged` is whether the attempt counts against the part. `part` is the part's next state; `not_before` is when it may be
    looked at again. `closes_window` says that the reply window was closed when the attempt began: unless the customer has opened
    it since, it is, and the part may be looked at at once. `recipient` is who the provider says that the message went to. `details` are
    the provider's own words, for the store alone.
    """

    state: AttemptState
    part: PartState
    not_before: Instant = 0
    charged: bool = True
    external_id: str | None = None
    error: str | None = None
    closes_window: bool = False
    recipient: Person | None = None
    details: str = ""

    @property
    def told(self) -> str | None:
        """What is kept of the error: with the provider's own words."""
        return f"{self.error} ({self.details})" if self.error and self.details else self.error


# ── The queue ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Wake:
    """Somebody needs attention at `due`. A higher `priority` runs first among those that are due."""

    kind: JobKind
    key: str
    due: Instant
    lane: str
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed wake: `handler(job)` looks, does what is due, and says Done or Again."""

    kind: JobKind
    key: str
    lane: str
    due: Instant
    priority: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing more to do for this job until somebody wakes it."""


@dataclass(frozen=True, slots=True)
class Again:
    """Look again at `at`."""

    at: Instant


JobEnd: TypeAlias = Done | Again


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something happened to a job: `woken started done again failed`."""

    what: Literal["woken", "started", "done", "again", "failed"]
    job: Job
    error: str | None = None


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One line of what happened, for `sara why` and `sara conversations show --events`. `message` is what it happened to, None for
    the conversation as a whole."""

    at: Instant
    what: str
    detail: str = ""
    actor: str = "sara"
    id: str = ""
    message: str | None = None


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
    mode: Mode = "bot"
    language: str | None = None
    address: str | None = None
    phone: str | None = None
    mode_until: Instant | None = None
    person_since: Instant | None = None
    last_direction: Literal["in", "out"] | None = None
    last_kind: str | None = None
    last_text: str = ""
    notes: str = ""


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A message that a search found. In `snippet`, what was looked for stands in brackets."""

    message: str
    conversation: str
    contact: str
    name: str | None
    direction: Literal["in", "out"]
    at: Instant
    snippet: str


@dataclass(frozen=True, slots=True)
class Dossier:
    """All that is stored about a person besides what was said: `contact` is how they are known now, `linked` the contacts that
    turned out to be them, `details` whatever else the store knows, as it could stand in JSON; instants end in `_at`."""

    contact: str
    linked: tuple[str, ...]
    conversations: tuple[str, ...]
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Whom the store was told to forget, and how much it knew. `still_out` is whether a hash keeps them opted out. `copies` are
    files outside the store's reach that may hold them, with the time up to which each knows what happened."""

    contacts: tuple[str, ...]
    conversations: tuple[str, ...]
    messages: int
    files: int
    still_out: bool
    copies: Mapping[str, Instant] = field(default_factory=dict)
