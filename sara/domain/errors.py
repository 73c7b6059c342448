"""Errors, each named by its consequence."""

from __future__ import annotations

from typing import Literal

from sara.domain.time import Milliseconds

SendScope = Literal["message", "conversation", "channel"]
FailureScope = Literal["conversation", "responder"]


class SaraError(Exception):
    """Something went wrong in SARA.

    `details` are the words of the other side. They may repeat what was sent and to whom: they are kept with the message, for
    `sara why`, and appear in no log, problem or check result.
    """

    details: str = ""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or " ".join((type(self).__doc__ or "").partition("\n\n")[0].split()))


# ── raised by responders ──────────────────────────────────────────────────────────────────────────────────────────────────


class RetryLater(SaraError):
    """The same call may work after `after` milliseconds.

    `scope` is the extent of the failure. *conversation*: this call alone, e.g. an empty answer; each wait is twice as long.
    *responder*: the whole other side, e.g. a refused connection, a time-out, a 503 or a rate limit; it is tried every few
    seconds, by one conversation at a time once several have failed. With `until_mended` a person has to repair something
    first, e.g. a rejected key: messages wait as long as `max_age` allows. `detail` is the other side's explanation, without
    keys and without the customer's words: shown to operators and never logged.
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
    """This responder will never answer this; asking again cannot help. `detail` is as for RetryLater."""

    def __init__(self, message: str = "", *, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class ContentRefused(GiveUp):
    """The responder's provider rejects these messages, e.g. by its content filter. The customer is told once."""


# ── raised by channels ────────────────────────────────────────────────────────────────────────────────────────────────────


class NotSent(SaraError):
    """The message certainly did not leave; it may be sent again after `after` milliseconds.

    Only scope *message* counts an attempt; *conversation* and *channel* say how much has to wait. With `message_at_fault` the
    message itself may be the cause: it is retried only as long as its attempts last. A `remedy` is reported to the operator.
    """

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
    """The reply window of this person is closed, whatever SARA computed; the message waits until they write.

    Only for channels that declare a `reply_window`.
    """


class Rejected(SaraError):
    """The provider will never accept this message; trying again cannot help."""


class ChannelUnavailable(SaraError):
    """Nothing can be sent through this channel until a person repairs it, e.g. an expired token. `remedy` says how."""

    def __init__(self, message: str = "", *, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class DeliveryUnknown(SaraError):
    """The request may or may not have been carried out; the outcome is unknown."""


# ── raised by stores and queues ───────────────────────────────────────────────────────────────────────────────────────────


class Conflict(SaraError):
    """The stored state has changed since this result was prepared; the result is dropped."""


class NotFound(Conflict):
    """No stored object has this id. It may have been deleted since: a job then drops its result, as for any Conflict."""


class OverBudget(SaraError):
    """The call may cost more than the budget allows; it must not be made. `period` is the day or month of the limit."""

    def __init__(self, message: str = "", *, period: str = "") -> None:
        super().__init__(message)
        self.period = period


class StoreUnavailable(SaraError):
    """The store is not available and nothing was stored; the same call may work later."""


class CommitUnknown(SaraError):
    """The last write may or may not have been stored; the process has to restart to find out."""


class StoreLocked(SaraError):
    """Another process has this store open."""


# ── found at the boundary of plugins ──────────────────────────────────────────────────────────────────────────────────────


class WrongType(Exception):
    """A plugin returned a value of a wrong type."""


# ── raised while starting ─────────────────────────────────────────────────────────────────────────────────────────────────


class ConfigError(SaraError):
    """The configuration cannot be used."""


class PluginError(SaraError):
    """A plugin could not be found, imported or set up."""
