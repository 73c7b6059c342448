"""Messages and their attachments, in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Literal, TypeAlias

from sara.domain.contacts import Identity
from sara.domain.states import FileState, Role
from sara.domain.time import Instant, Milliseconds

# ── Files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a message: `image`, `video`, `audio`, `document` or `sticker`.

    A channel names its kind and the `reference` by which it can be fetched; SARA fills in the rest. `name` is the sender's, a
    claim that names nothing on the disk. `voice` marks a note recorded in the app. `url` may save the channel a request and
    expires soon. `sha256` is hexadecimal, `size` in bytes. `path` is set once the file was fetched, `error` where it never
    will be. A file with neither is still pending.
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
        """Return whether the file is fetched, failed or pending."""
        if self.error is not None:
            return FileState.FAILED
        return FileState.PENDING if self.path is None else FileState.FETCHED


@dataclass(frozen=True, slots=True)
class Download:
    """A file to be fetched, with its conversation and account.

    `at` is the time of its message; `due` is the time of the next attempt, None once it is settled; `tries` counts the
    failures.
    """

    attachment: Attachment
    conversation: str
    account: str
    at: Instant
    due: Instant | None
    tries: int = 0


# ── Inbound ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Correction:
    """An edit or deletion of a message by its author. `target` is the provider's id of that message.

    `text`, `kind` and `content` replace those of the message; without a `kind` its own stays. With `withdrawn` the message was
    deleted: `text` is the placeholder in its place, and nothing else of it is kept.
    """

    target: str
    text: str
    kind: str | None = None
    content: Mapping[str, Any] = field(default_factory=dict)
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """One message from a customer.

    `kind` is the provider's own word for its type; `text` is its readable form, for the AI too; `answer` is false where it is
    only recorded. `at` is the provider's timestamp. `raw` is the provider's JSON text. `external_id` is the provider's id, unique
    within `account`; None where the provider gives none. `reply_to` is the provider's id of the quoted message. `opens_window` is
    set where the message (re)opens the reply window of a channel that has one. `choice` is the label of the button or row that
    the customer tapped: `text` may say more than they did.

    `unreadable` marks content that the provider does not pass on: the customer is told so. `corrects` is set for an event by
    which the customer changes a message sent earlier. Neither is answered itself.
    """

    account: str
    external_id: str | None
    person: Identity
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


# ── What the store takes in, and what it gives back ───────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class OutgoingContent:
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


LocalizedContent: TypeAlias = Mapping[str, OutgoingContent]
"""The same thing to say in several languages, by ISO 639-1 code; under the empty text what is said in any other."""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A stored message of either direction; one line of `sara export`."""

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


# ── Replies ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class HistoryMessage:
    """One message of a conversation, as history or to be answered.

    `revived_at` is when an operator retried it: its age counts from then. `quoted` is the text of the quoted message, if it is
    known, and `quoted_by` its author. `deferred` is how long gates of plugins have deferred it. `withdrawn` is set where its
    author deleted it: `text` is then a placeholder.
    """

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
    deferred: Milliseconds = 0
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One event, for `sara why` and `sara conversations show --events`.

    `message` is the message that it concerns, None for the conversation as a whole.
    """

    at: Instant
    what: str
    detail: str = ""
    actor: str = "sara"
    id: str = ""
    message: str | None = None


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A message found by a search. In `snippet`, the words that were searched for stand in brackets."""

    message: str
    conversation: str
    contact: str
    name: str | None
    direction: Literal["in", "out"]
    at: Instant
    snippet: str
