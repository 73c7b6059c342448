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


def media_directory(state: Path) -> Path:
    """Return the folder of customers' files within the state directory."""
    return state / "media"


# ── channels ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Channel(PluginObject):
    """Translates between a provider's bytes and SARA's values. A channel never sees the store or the queue."""

    account: str
    """The account that stored data belong to, e.g. `whatsapp:109000000000555`. The part before the colon names the provider; people are known
    by their ids within it."""

    webhook: str | None = None
    """The path at which the public listener hands requests to `receive`; None for a channel that is not pushed to."""

    text_limit: int = 4096
    """The longest text of one part, in UTF-16 code units."""

    receipts_carry_attempt: bool = False
    """True if receipts contain the `attempt_id` given to `send`. Otherwise only time resolves a doubt."""

    on_doubt: Literal["resend", "hold"] = "resend"
    doubt_timeout: Milliseconds = 60_000

    kinds: frozenset[str] = frozenset({"text"})
    """The kinds of `OutgoingContent` that `compose` and `send` know; any other is turned into text."""

    reply_window: Milliseconds | None = None
    """The time after the customer's last message in which free-form messages may be sent; None for no limit."""

    typing_lasts: Milliseconds | None = None
    """The time that `typing` is visible; None for no indicator. It is called again in time while a reply is being made."""

    media_lifetime_ms: Milliseconds = 7 * 86_400_000
    """The time after a message for which the provider keeps its files. Failed downloads are retried until then."""

    monthly_budget: int | None = None
    """The number of counted messages a month (`DeliveryReceipt.counts`) after which the operator is warned; None for no warning."""

    def verify(self, request: Request) -> bool:
        """Return whether the provider itself sent this request, judged by its signature; parse nothing of the body.

        Called before `receive`. A verified body is recorded while `receive` reads it: one that was being read at two crashes
        of the process is stored unparsed from then on. By default no body is verified, recorded or stored unparsed: those of
        strangers never are.
        """
        return False

    @abstractmethod
    def receive(self, request: Request) -> WebhookResult:
        """Parse a request at the webhook. Verify before parsing, by `verify` where that is defined; never raise for anything a
        stranger can send.

        May be called in a thread, and again with the same request: it must have no side effects.
        """

    @abstractmethod
    async def send(self, part: OutboundMessage, attempt_id: str) -> SendResult:
        """Send one message, marked with `attempt_id` where the provider can return it.

        Raises:
            NotSent: the message certainly did not leave and may be retried.
            Rejected: the provider will never accept it.
            ReplyWindowClosed: the provider says that the reply window is closed.
            ChannelUnavailable: nothing can be sent until a person repairs the channel.
            DeliveryUnknown: the outcome is unknown; any other exception counts as this.
        """

    def compose(self, draft: OutgoingContent) -> Sequence[OutgoingContent]:
        """Turn a content into the messages that this channel can carry.

        By default a kind that is not among `kinds` becomes text, and text is split at `text_limit`.
        """
        if draft.kind in self.kinds and draft.kind != "text":
            return (draft,)
        pieces = split_text(render_plain_text(draft), self.text_limit)
        return [OutgoingContent(text=piece, reply_to=draft.reply_to if n == 0 else None) for n, piece in enumerate(pieces)]

    def is_address(self, person: Identity) -> bool:
        """Return whether one of these names is an address of this channel; it need not exist. Used for people named in
        sara.yaml.
        """
        return True

    def reopen_template(self) -> OutgoingContent | None:
        """Return the template that asks the customer to write again once the reply window has closed; None where none is set up.

        It is sent once until the customer writes; messages that could not be sent wait as `parked`.
        """
        return None

    async def mark_read(self, external_id: str) -> None:
        """Show the customer that the message `external_id` was read. Called when a reply is being made; may fail."""

    async def typing(self, external_id: str) -> None:
        """Show the customer that a reply to the message `external_id` is being written. May fail: nothing depends on it."""

    def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        """Return the bytes of an attachment in chunks; the caller limits size and time.

        Raises (while it is read):
            RetryLater: the same call may work later.
            GiveUp: the file is gone or must not be fetched.
        """
        raise GiveUp("this channel fetches no files")
