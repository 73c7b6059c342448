"""The contract of a channel plugin."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Literal

from sara.domain.contacts import Identity
from sara.domain.delivery import OutboundMessage, SendResult
from sara.domain.errors import GiveUp
from sara.domain.messages import Attachment, OutgoingContent
from sara.domain.plain_text import render_plain_text
from sara.domain.text import split_text
from sara.domain.time import Milliseconds
from sara.domain.webhooks import Request, WebhookResult
from sara.plugins.base import PluginObject


def media_in(state: Path) -> Path:
    """Where customers' files lie in the state directory."""
    return state / "media"


# ── channels ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Channel(PluginObject):
    """Bytes in, domain out, and back. A channel never sees the store or the queue."""

    account: str
    """Whom the data hang on, e.g. `whatsapp:109000000000555`. The part before the colon names the provider; people are known
    by their ids within it."""

    webhook: str | None = None
    """The path at which the public listener hands requests to `receive`; None for a channel that is not pushed to."""

    text_limit: int = 4096
    """The longest text of one part, in UTF-16 code units."""

    receipts_carry_attempt: bool = False
    """Whether receipts bring back the `attempt_id` given to `send`. Where they do not, doubt can only be ended by time."""

    on_doubt: Literal["resend", "hold"] = "resend"
    doubt_timeout: Milliseconds = 60_000

    kinds: frozenset[str] = frozenset({"text"})
    """The kinds of `OutgoingContent` that `compose` and `send` know; any other is turned into text."""

    reply_window: Milliseconds | None = None
    """How long after the customer's last message the provider lets us write freely; None where there is no such limit."""

    typing_lasts: Milliseconds | None = None
    """How long `typing` shows; None where it shows nothing. While an answer is being made it is called again in time."""

    media_lifetime_ms: Milliseconds = 7 * 86_400_000
    """How long after a message the provider keeps its files. Until then a download that fails is tried again."""

    monthly_budget: int | None = None
    """How many messages a month may count (`Receipt.counts`) before the operator is warned; None for no warning."""

    def verify(self, request: Request) -> bool:
        """Tell whether the provider itself sent this request, by its signature; nothing of the body is parsed for it.

        Asked before `receive`. A verified body is noted while `receive` reads it: one that was being read when the process died,
        twice, is set aside unread from then on. By default no body is verified, noted or set aside: those of strangers never are.
        """
        return False

    @abstractmethod
    def receive(self, request: Request) -> WebhookResult:
        """Make sense of a request at the webhook. Verifies before it parses, by `verify` where that is defined; never raises for
        anything a stranger can send. Pure: may be called in a thread, and again with the same request."""

    @abstractmethod
    async def send(self, part: OutboundMessage, attempt_id: str) -> SendResult:
        """Send one part, marked with `attempt_id` where the provider can carry it back.

        Raises:
            NotSent: it certainly did not leave and may be tried again.
            Refused: it will never be accepted.
            WindowClosed: the provider says that the reply window is closed.
            Unavailable: nothing can be sent until a person mends the channel.
            InDoubt: nobody knows; also what any other exception is taken for.
        """

    def compose(self, draft: OutgoingContent) -> Sequence[OutgoingContent]:
        """Turn a draft into the parts that this channel can carry. By default a kind that is not among `kinds` becomes text,
        and text is cut at `text_limit`."""
        if draft.kind in self.kinds and draft.kind != "text":
            return (draft,)
        pieces = split_text(render_plain_text(draft), self.text_limit)
        return [OutgoingContent(text=piece, reply_to=draft.reply_to if n == 0 else None) for n, piece in enumerate(pieces)]

    def is_address(self, person: Identity) -> bool:
        """Whether a person can be written to under one of these names; not whether they exist. For people whom the file names."""
        return True

    def reopen_template(self) -> OutgoingContent | None:
        """What may be said once the reply window has closed, to ask the customer to write again; None where nothing was set up.
        It is said once until they do; what could not be said waits, `parked`."""
        return None

    async def mark_read(self, external_id: str) -> None:
        """Show the customer that the message `external_id` was read. Called once an answer is being made; may fail."""

    async def typing(self, external_id: str) -> None:
        """Show the customer that an answer to the message `external_id` is being written. May fail: nothing depends on it."""

    def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        """The bytes of a file that a message brought, in chunks. Whoever reads them bounds the size and the time.

        Raises (while it is read):
            TryLater: the same may work later.
            GiveUp: it cannot be had any more, or must not be.
        """
        raise GiveUp("this channel fetches no files")
