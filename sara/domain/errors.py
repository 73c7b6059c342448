"""What can go wrong, named by what happens next. The class is the decision; nobody needs a table of exceptions."""

from __future__ import annotations

from typing import Literal

from sara.domain.time import Milliseconds

SendScope = Literal["message", "conversation", "channel"]
FailureScope = Literal["conversation", "responder"]


class SaraError(Exception):
    """Something went wrong in SARA.

    `details` are the words of whoever refused. They may repeat what was sent and to whom: they are kept with the message, for
    `sara why`, and stand in no log, problem or finding.
    """

    details: str = ""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


# ── raised by responders ──────────────────────────────────────────────────────────────────────────────────────────────────


class RetryLater(SaraError):
    """The same call may work after `after` milliseconds.

    `scope` is what the failure tells about. *conversation*: of this call alone, e.g. an empty answer; each wait is twice as long.
    *responder*: of the whole other side, e.g. a refused connection, a time-out, a 503 or a rate limit; it is asked again every few
    seconds, by one conversation at a time once several have failed. With `until_mended` a person has to mend something first,
    e.g. a refused key: messages wait for it as long as `max_age` lets them. `detail` is what the other side said, without keys and
    without the customer's words: operators see it, and it is never logged.
    """

    def __init__(
        self,
        message: str = "",
        *,
        after: Milliseconds | None = None,
        scope: FailureScope | None = None,
        until_mended: bool = False,
        detail: str = "",
    ) -> None:
        super().__init__(message)
        self.after = after
        self.scope: FailureScope = scope or ("responder" if until_mended else "conversation")
        self.until_mended = until_mended
        self.detail = detail


class GiveUp(SaraError):
    """This will never be answered by this responder; asking again cannot help. `detail` is as for TryLater."""

    def __init__(self, message: str = "", *, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class ContentRefused(GiveUp):
    """The responder's provider does not let these messages pass, e.g. its content filter. The customer is told once."""


# ── raised by channels ────────────────────────────────────────────────────────────────────────────────────────────────────


class NotSent(SaraError):
    """The message certainly did not leave; it may be sent again after `after` milliseconds. Only scope *message* counts an
    attempt; *conversation* and *channel* say how much has to wait. With `message_at_fault` it may be the message that the other side
    does not like: it is tried again only as long as its attempts last. With a `remedy` a person is told, and how to mend it."""

    def __init__(
        self,
        message: str = "",
        *,
        after: Milliseconds | None = None,
        scope: SendScope = "message",
        message_at_fault: bool = False,
        remedy: str = "",
    ) -> None:
        super().__init__(message)
        self.after = after
        self.scope = scope
        self.message_at_fault = message_at_fault
        self.remedy = remedy


class ReplyWindowClosed(SaraError):
    """The time in which this person may be written to freely is over, whatever we thought; the message waits until they write.
    Only for channels that declare a `reply_window`."""


class Rejected(SaraError):
    """The other side will never accept this message; trying again cannot help."""


class ChannelUnavailable(SaraError):
    """Nothing can go through this channel until a person mends it, e.g. an expired token. `remedy` says how."""

    def __init__(self, message: str = "", *, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class DeliveryUnknown(SaraError):
    """The request may or may not have been carried out; nobody can tell yet."""


# ── raised by stores and queues ───────────────────────────────────────────────────────────────────────────────────────────


class Conflict(SaraError):
    """The stored state has changed since this result was prepared; the result is dropped."""


class NotFound(Conflict):
    """No stored object has this id. It may have been deleted since: a job then drops its result, as for any Conflict."""


class OverBudget(SaraError):
    """The call would cost more than may still be spent; it must not be made. `period` is the day or month whose ceiling it is."""

    def __init__(self, message: str = "", *, period: str = "") -> None:
        super().__init__(message)
        self.period = period


class StoreUnavailable(SaraError):
    """The store could not take this just now and nothing of it was kept; the same call may work later."""


class CommitUnknown(SaraError):
    """Whether the last write was kept cannot be known; the process has to end and start again to find out."""


class StoreLocked(SaraError):
    """Another process has this store open."""


# ── found at the boundary of plugins ──────────────────────────────────────────────────────────────────────────────────────


class WrongType(Exception):
    """A plugin handed over something of another type than was agreed."""


# ── raised while starting ─────────────────────────────────────────────────────────────────────────────────────────────────


class ConfigError(SaraError):
    """The configuration cannot be used."""


class PluginError(SaraError):
    """A plugin could not be found, imported or set up."""
