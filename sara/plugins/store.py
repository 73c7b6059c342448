"""The contract of a store plugin: opening, transactions, maintenance and backups."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from sara.domain.contacts import ErasureReport
from sara.domain.conversations import Handoff, OneTimeNotice, TimerView
from sara.domain.delivery import AttemptResult, DeliveryView
from sara.domain.errors import SaraError
from sara.domain.jobs import OpenWork
from sara.domain.messages import HistoryMessage, LocalizedContent, OutgoingContent
from sara.domain.replies import ReplySideEffects, ReplyView, ToolRecord, Usage, UsageReservation
from sara.domain.states import JobKind, Purpose
from sara.domain.storage import AcceptResult, InboundBatch, RecoveryReport
from sara.domain.time import Instant
from sara.plugins.base import _plugin_of
from sara.plugins.responder import HistoryLimits
from sara.plugins.store_queries import StoreQueries


class Store(StoreQueries):
    """The durable state of all conversations.

    Every write is one idempotent, atomic call, and every write that causes or settles work sets the conversation's `reply_due`,
    `deliver_due` and `timer_due` in the same transaction. Every method may raise `StoreUnavailable` (nothing was stored) or
    `CommitUnknown` (the process has to end), and `NotFound` for an id that does not exist.
    """

    lost: asyncio.Event
    """Set once a write could not be confirmed: the daemon ends and starts again."""

    # inbound

    @abstractmethod
    async def accept(self, intake: InboundBatch, now: Instant) -> AcceptResult:
        """Store everything that one webhook request contained.

        Resolves contacts, deduplicates by (account, external id), or by content where there is no id, applies the decisions, and
        advances outbound messages by their receipts. A known message changes nothing; its conversation's open work is returned all
        the same.

        Words about consent count by the time at which they were written: older ones than the latest change nothing. A correction
        changes the message that it names if both have the same author, also when it arrives first: a waiting message is read as
        corrected, a reply under way to the former text is dropped, a withdrawn message is not answered, and text that was withdrawn
        or edited away is not kept."""

    # reply job

    @abstractmethod
    async def reply_view(self, conversation: str, limits: HistoryLimits) -> ReplyView | None:
        """Return the unanswered messages of a conversation with their context; None if the conversation does not exist."""

    @abstractmethod
    async def begin_reply(
        self, conversation: str, answers: Sequence[str], now: Instant, reserve: UsageReservation | None = None
    ) -> int:
        """Count a call to the responders before it is made, reserve what it may cost, and return its number.

        Raises `OverBudget` where a limit of `reserve` does not allow it; then nothing is counted."""

    @abstractmethod
    async def save_reply(
        self,
        conversation: str,
        attempt: int,
        answers: Sequence[str],
        parts: Sequence[OutgoingContent],
        usage: Usage | None,
        now: Instant,
        effects: ReplySideEffects | None = None,
    ) -> Sequence[OpenWork]:
        """Store a reply: `answers` become answered and `parts` queued, in one transaction.

        The transcripts of `effects` replace the texts of inbound messages of this conversation. The reservation of the call is replaced by its cost.
        Returns the open work of the conversation, followed by that of the notified operator's conversation. Raises `Conflict` if
        the attempt is not the open one or any of `answers` is no longer waiting."""

    @abstractmethod
    async def discard_reply(
        self, conversation: str, attempt: int, answers: Sequence[str], most: int, usage: Usage | None, money: int, now: Instant
    ) -> OpenWork | None:
        """Drop a reply if messages wait that are not among `answers` and fewer than `most` replies were dropped before.

        The dropped reply cost `usage` and `money` and counts as no failure. Returns the open work, or None to keep the reply."""

    @abstractmethod
    async def begin_tool(
        self, conversation: str, attempt: int, name: str, arguments: str, occurrence: int, now: Instant
    ) -> tuple[ToolRecord, bool]:
        """Record a tool call before it is made; return its record and whether it is new.

        The `occurrence`-th call of this tool with these arguments for the messages that wait now is always the same record, in
        every attempt: a known call is not repeated. Raises `Conflict` if the attempt is not the open one."""

    @abstractmethod
    async def end_tool(self, record: int, result: str, now: Instant) -> None:
        """Store the result of a tool call."""

    @abstractmethod
    async def fail_reply_attempt(
        self, conversation: str, attempt: int | None, due: Instant, error: str | None, now: Instant, charged: bool = True
    ) -> OpenWork:
        """Reschedule the reply job at `due`, recording a failed attempt where `attempt` is given.

        An attempt that is not `charged` counts neither as a call nor as the first call for these messages."""

    @abstractmethod
    async def close_turn(
        self,
        conversation: str,
        answers: Sequence[str],
        state: Literal["skipped", "dead"],
        reason: str,
        now: Instant,
        notices: Sequence[OutgoingContent] = (),
        said: OneTimeNotice | None = None,
    ) -> OpenWork:
        """End `answers` without a reply, and queue `notices`, and `said` unless it was queued before.

        Messages that no longer wait are left alone. Without `answers` only the notices are queued."""

    # deliver job

    @abstractmethod
    async def delivery_view(self, conversation: str) -> DeliveryView | None:
        """Return the first message that is queued, sending or in doubt; None if there is none."""

    @abstractmethod
    async def begin_attempt(self, part: str, attempt_id: str, owner: str, now: Instant) -> None:
        """Mark a message as `sending`; the request may leave only after this returned.

        Raises `Conflict` unless the message is queued and the first unsettled one of its conversation."""

    @abstractmethod
    async def record_attempt(self, attempt_id: str, outcome: AttemptResult, now: Instant) -> OpenWork:
        """Store the result of an attempt.

        A receipt that came first wins: an attempt only moves forward. A message that becomes `failed` cancels the rest of its
        reply. Raises `NotFound` if there is no such attempt."""

    @abstractmethod
    async def resolve_in_doubt(self, part: str, action: Literal["resend", "hold"], blind: bool, now: Instant) -> OpenWork:
        """Resolve a message whose delivery is unknown and for which no receipt came.

        `blind` is set where no webhook proved since the attempt that receipts can arrive. Raises `Conflict` if the message is no
        longer in doubt."""

    @abstractmethod
    async def cancel_outbound(
        self,
        part: str,
        state: Literal["cancelled", "failed", "parked"],
        reason: str,
        now: Instant,
        instead: OutgoingContent | None = None,
    ) -> OpenWork:
        """End a queued message without an attempt. Raises `Conflict` unless it is queued.

        `instead` is a template that may be sent outside the reply window: it is queued (purpose `template`) unless one was since
        the customer's last message. A message parked as `window_closed` is queued again when the customer writes something that
        opens the window within seven days."""

    @abstractmethod
    async def reschedule(self, conversation: str, kind: JobKind, due: Instant, now: Instant, reason: str = "") -> OpenWork:
        """Store when a deliver or reply job is due next, so that the sweep agrees with the queue.

        With a `reason` a gate defers the waiting messages until `due`: that is an event of each of them and counts towards
        `HistoryMessage.deferred` and `ReplyView.deferred`."""

    # operators, consent and notices

    @abstractmethod
    async def hand_over(self, conversation: str, change: Handoff, now: Instant) -> Sequence[OpenWork]:
        """Hand a conversation to a person, or pause it.

        In the same transaction replies that are not sent yet are cancelled, or parked where the conversation is paused, and waiting
        messages become `skipped` where a person answers. Returns the open work of every conversation that it changed, the notified
        operator's included."""

    @abstractmethod
    async def hand_back(
        self, conversation: str, by: str, now: Instant, notice: LocalizedContent = MappingProxyType({})
    ) -> OpenWork:
        """Return a conversation to the responder; change nothing where the responder answers already.

        Messages that came while a person answered stay unanswered; those that waited during a pause are answered now."""

    @abstractmethod
    async def consent(
        self, conversation: str, opted_out: bool, by: str, how: str, now: Instant, notice: LocalizedContent = MappingProxyType({})
    ) -> OpenWork:
        """Store a customer's consent, with the operator `by` who recorded it and `how` the customer expressed it.

        It takes effect at once, as when customers write it themselves; `notice` is queued only where the consent changes."""

    @abstractmethod
    async def enqueue_messages(
        self,
        conversation: str,
        drafts: Sequence[OutgoingContent],
        purpose: Purpose,
        by: str,
        now: Instant,
        at: Instant | None = None,
    ) -> OpenWork:
        """Queue messages that answer nothing: an operator's message, or a notice.

        With `at` they are sent no earlier; until then no other message waits for them."""

    @abstractmethod
    async def note(self, conversation: str, text: str, by: str, now: Instant, *, append: bool = False) -> None:
        """Replace the operators' notes about a contact; with `append` add a line to them."""

    # timers

    @abstractmethod
    async def timer_view(self, conversation: str, shown: int) -> TimerView | None:
        """Return the data that the timers of a conversation need; the newest `shown` messages still count as history."""

    @abstractmethod
    async def set_timer(self, conversation: str, due: Instant | None, now: Instant) -> OpenWork:
        """Store when the timer job is due next; None for no timer."""

    @abstractmethod
    async def follow_up(self, conversation: str, draft: OutgoingContent, silent_since: Instant, now: Instant) -> OpenWork:
        """Queue the follow-up question. Raises `Conflict` where a message was written or sent after `silent_since`."""

    @abstractmethod
    async def close_conversation(self, conversation: str, silent_since: Instant, now: Instant) -> OpenWork:
        """Close the session of a conversation; the customer's next message begins a new one.

        Raises `Conflict` where a message was written or sent after `silent_since`."""

    @abstractmethod
    async def queue_scheduled(self, conversation: str, now: Instant) -> OpenWork:
        """Queue the scheduled messages that are due."""

    @abstractmethod
    async def unsummarised_messages(self, conversation: str, shown: int, limit: int) -> tuple[str, Sequence[HistoryMessage]]:
        """Return the summary so far, and up to `limit` of the oldest messages of this session that it does not cover.

        The newest `shown` messages are not among them."""

    @abstractmethod
    async def save_summary(
        self, conversation: str, text: str, upto: str, usage: Usage | None, money: int, periods: tuple[str, ...], now: Instant
    ) -> None:
        """Store a summary that covers everything up to the message `upto`; its cost counts in `periods`."""

    # start, stop and sweep

    @abstractmethod
    async def recover(self, owner: str, now: Instant) -> RecoveryReport:
        """Begin a new run: put attempts still `sending` by another owner in doubt, and evaluate how the last runs ended.

        A conversation that plugin code was working on at three unclean ends in a row within ten minutes, the last time as the only
        suspect, is quarantined: its waiting messages become `quarantined` and the message being sent is held."""

    @abstractmethod
    async def mark_clean_shutdown(self, owner: str, now: Instant) -> None:
        """Record that this run ends cleanly."""

    @abstractmethod
    async def open_work(self, after: str | None, limit: int, before: Instant | None = None) -> Sequence[OpenWork]:
        """Return a page of conversations with work due (not after `before`), ordered by conversation, following `after`."""

    @abstractmethod
    async def reset_future_dues(self, latest: Instant, now: Instant) -> int:
        """Make everything due `now` that is due after `latest`; return the number of changed conversations.

        No wait is that long, so the clock was set back. A doubt or a webhook recorded after `now` is moved to `now`."""

    # manual repair

    @abstractmethod
    async def retry_failed(self, conversation: str, kind: JobKind, now: Instant) -> OpenWork:
        """Retry dead messages (`reply`), or failed and held ones (`deliver`), now; `changed` is their number."""

    @abstractmethod
    async def drop(self, conversation: str, kind: JobKind, now: Instant) -> OpenWork:
        """Give up unanswered (`reply`) or unsent (`deliver`) messages of a conversation; `changed` is their number."""

    # files

    @abstractmethod
    async def keep_attachment(
        self, attachment: str, file: str | None, sha256: str, size: int, error: str | None, now: Instant
    ) -> None:
        """Store how the download of an attachment ended: as `file` in the media folder, or for good with `error`.

        Raises `NotFound` where the attachment does not exist or its sender is being erased."""

    @abstractmethod
    async def postpone_download(self, attachment: str, due: Instant, reason: str, now: Instant) -> None:
        """Record a failed download that is retried at `due`; change nothing for one that is settled."""

    @abstractmethod
    async def forget_files(self, names: Sequence[str], now: Instant) -> None:
        """Record that these files were removed because of their age."""

    # erasure and retention

    @abstractmethod
    async def start_erasure(self, who: str, now: Instant) -> ErasureReport:
        """Begin to erase a person, named as for `subject_data`.

        Once this returns, nothing is read, answered or sent for the person, open calls and attempts conflict, and a message from
        their ids begins a new contact. For 30 days their old messages are recognised when they are delivered again, and not stored;
        an opt-out stays. After a crash `continue_erasure` does the rest. Raises `NotFound` if there is no such person."""

    @abstractmethod
    async def continue_erasure(self, limit: int) -> bool:
        """Erase up to `limit` messages of the people to erase; return false once nothing of them is left, also in freed space."""

    @abstractmethod
    async def expire(self, before: Instant | None, limit: int, now: Instant) -> int:
        """Delete up to `limit` settled messages stored before `before`, with all that belongs to them; return their number.

        Deletes contacts of whom nothing else is left, and records with a limited lifetime. Never deletes messages that wait or may
        still be sent, or whose file is still to be removed."""

    # backup and restore: optional, as a store may be backed up by other means

    def key_files(self) -> Sequence[Path]:
        """Return the existing key files that no backup contains: they are stored apart from backups and moved with the data."""
        return ()

    async def backup(self, target: Path, kept_in: Path | None = None) -> Mapping[str, int]:
        """Write a consistent, verified copy of all data to the new file `target`, while the store is in use.

        `target` is complete or does not exist. `kept_in` is the archive that it goes into: erasure reports name that. Returns the
        numbers of `messages`, `conversations`, `attempts` and `bytes`. Raises SaraError where `target` exists."""
        raise SaraError(f"the store of the plugin {_plugin_of(self)} makes no backups; see its manual")

    async def inspect_backup(self, backup: Path) -> Mapping[str, int]:
        """Verify a backup without changing anything, on a store that is not open.

        Returns the numbers of `messages`, `conversations`, `attempts`, of `unanswered` and `unsent` messages at that time, and
        `newest`, the time of its last event. Raises SaraError where it could not be restored now."""
        raise SaraError(f"the store of the plugin {_plugin_of(self)} restores no backups; see its manual")

    async def restore(self, backup: Path, now: Instant) -> Mapping[str, Any]:
        """Replace the stored data by a backup, on a store that is not open.

        Returns what `inspect_backup` does, and as `replaced` the name under which the former data are kept. Work that is open in
        the backup may have been done since: unsent messages become `held` and unanswered ones `dead`, with the reason `restored`,
        and messages delivered again are recognised. The present data stay in place until the backup has been verified."""
        raise SaraError(f"the store of the plugin {_plugin_of(self)} restores no backups; see its manual")

    @abstractmethod
    async def ping(self) -> None:
        """Return once the store has completed one write; for the watchdog."""
