"""The contract of a store plugin."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from sara.domain.contacts import ErasureReport, Identity, SubjectData
from sara.domain.conversations import ConversationSummary, Handoff, OneTimeNotice, TimerView, UnhealthyConversation
from sara.domain.delivery import Attempt, AttemptResult, DeliveryView
from sara.domain.errors import SaraError
from sara.domain.jobs import OpenWork
from sara.domain.messages import (
    Attachment,
    Download,
    HistoryMessage,
    LocalizedContent,
    OutgoingContent,
    SearchHit,
    StoredMessage,
    TimelineEvent,
)
from sara.domain.replies import ReplySideEffects, ReplyView, ToolRecord, Usage, UsageReservation
from sara.domain.states import JobKind, Purpose
from sara.domain.storage import AcceptResult, InboundBatch, RecoveryReport
from sara.domain.time import Instant, Milliseconds
from sara.domain.webhooks import AccountEvent, UnparsedPayload
from sara.plugins.base import PluginObject, _plugin_of
from sara.plugins.responder import HistoryLimits


class Store(PluginObject):
    """The truth. Every write is one idempotent atomic call, and every write that causes or settles work sets the
    conversation's `reply_due` and `deliver_due` in the same transaction.

    Every method may raise `StoreUnavailable` (nothing was kept) or `StoreLost` (unknown: end the process).
    """

    lost: asyncio.Event
    """Set once a write could not be confirmed: the daemon ends and starts again."""

    # the inbox

    @abstractmethod
    async def accept(self, intake: InboundBatch, now: Instant) -> AcceptResult:
        """Take in all that one request brought. Resolves people, dedupes by (account, external id), by content where there is
        none, applies the verdicts, moves parts forward by receipts. Known messages change nothing; their conversations' open
        work is returned all the same.

        Words about consent count by the time at which they were written: one that is older than the latest changes nothing. A
        correction changes the message that it names if that is its author's own, also one that arrives after it: what waits is read
        as corrected, an answer in the making to the former words is dropped, a withdrawn message is not answered, and what is
        withdrawn or was edited away is not kept."""

    # a reply job

    @abstractmethod
    async def reply_view(self, conversation: str, limits: HistoryLimits) -> ReplyView | None:
        """What is unanswered in a conversation; None if there is no such conversation."""

    @abstractmethod
    async def begin_reply(
        self, conversation: str, answers: Sequence[str], now: Instant, reserve: UsageReservation | None = None
    ) -> int:
        """Count a call to the responders before it is made, and set aside what it may cost; return its number, which settles it.
        Raises `OverBudget` where a ceiling of `reserve` cannot hold it, and then counts nothing."""

    @abstractmethod
    async def save_reply(
        self,
        conversation: str,
        attempt: int,
        answers: Sequence[str],
        parts: Sequence[OutgoingContent],
        usage: Usage | None,
        now: Instant,
        readings: Mapping[str, str] = MappingProxyType({}),
        also: ReplySideEffects | None = None,
    ) -> Sequence[OpenWork]:
        """Keep the answer: `answers` become answered, `parts` queued, in one transaction; `readings` replace the texts of inbound
        messages of this conversation. What was set aside for the call becomes what it cost. Returns the open work of the
        conversation, and behind it that of whoever was told. Raises `Stale` if the attempt is not the open one or any of `answers`
        is no longer waiting."""

    @abstractmethod
    async def discard_reply(
        self, conversation: str, attempt: int, answers: Sequence[str], most: int, usage: Usage | None, money: int, now: Instant
    ) -> OpenWork | None:
        """If messages wait that are not among `answers`, and fewer than `most` answers to these were dropped before: drop this one,
        which cost `usage` and `money` and counts as no failure, and return the work that is open. None: keep it."""

    @abstractmethod
    async def begin_tool(
        self, conversation: str, attempt: int, name: str, arguments: str, occurrence: int, now: Instant
    ) -> tuple[ToolRecord, bool]:
        """Write down a call of a tool before it is made; whether it is new. The `occurrence`-th call of this tool with these
        arguments for the messages that wait now is one and the same, whatever attempt makes it: known, it is not made again.
        Raises `Stale` if the attempt is not the open one."""

    @abstractmethod
    async def end_tool(self, record: int, result: str, now: Instant) -> None:
        """Keep what a call of a tool brought."""

    @abstractmethod
    async def fail_reply_attempt(
        self, conversation: str, attempt: int | None, due: Instant, error: str | None, now: Instant, charged: bool = True
    ) -> OpenWork:
        """Look again at `due`. With an attempt: it failed with `error`, and stays counted, unless it was not `charged`: then
        neither the number of calls nor the time of the first says anything about these messages."""

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
        """End `answers` without an answer, saying `notices`, and `said` unless it was said already; those no longer waiting are
        left alone. Without `answers` only that is said."""

    # a deliver job

    @abstractmethod
    async def delivery_view(self, conversation: str) -> DeliveryView | None:
        """The first part that is queued, being sent or in doubt; None if there is none."""

    @abstractmethod
    async def begin_attempt(self, part: str, attempt_id: str, owner: str, now: Instant) -> None:
        """Write the `sending` mark. The request may leave only after this returned. Raises `Stale` unless the part is queued and
        the first unsettled one of its conversation."""

    @abstractmethod
    async def record_attempt(self, attempt_id: str, outcome: AttemptResult, now: Instant) -> OpenWork:
        """Record how an attempt ended. A receipt that came first wins: an attempt only moves forward. A part that becomes
        `failed` cancels the rest of its reply. Raises `Stale` if there is no such attempt."""

    @abstractmethod
    async def resolve_in_doubt(self, part: str, action: Literal["resend", "hold"], blind: bool, now: Instant) -> OpenWork:
        """End a doubt that no receipt settled. `blind` says that the receipts' way was never seen alive since the attempt.
        Raises `Stale` if the part is no longer in doubt."""

    @abstractmethod
    async def cancel_outbound(
        self,
        part: str,
        state: Literal["cancelled", "failed", "parked"],
        reason: str,
        now: Instant,
        instead: OutgoingContent | None = None,
    ) -> OpenWork:
        """End a queued part without an attempt. Raises `Stale` unless it is queued.

        `instead` is a template that may be said outside the reply window: it is queued (purpose `template`) unless one was since
        the customer's last message. What was parked with the reason `window_closed` is queued again when the customer writes
        something that opens the window, within seven days."""

    @abstractmethod
    async def reschedule(self, conversation: str, kind: JobKind, due: Instant, now: Instant, reason: str = "") -> OpenWork:
        """Write when a deliver or reply job wants to look again, so that the sweep agrees with the queue. With a `reason` somebody puts
        the waiting messages off until `due`: that is an event of each of them, and counted (`HistoryMessage.deferred`, `ReplyView.deferred`)."""

    # who answers, and what is said out of turn

    @abstractmethod
    async def hand_over(self, conversation: str, change: Handoff, now: Instant) -> Sequence[OpenWork]:
        """A person answers from now on, or nobody. In the same transaction the answers that are not sent yet are cancelled, or
        parked where it is paused, and what waits becomes `skipped` where a person answers. Returns the open work of every
        conversation that it touched, that of whoever is told included."""

    @abstractmethod
    async def hand_back(
        self, conversation: str, by: str, now: Instant, notice: LocalizedContent = MappingProxyType({})
    ) -> OpenWork:
        """SARA answers again. What came meanwhile stays unanswered where a person answered; what waited while it was paused is
        answered now. Changes nothing where SARA answers already."""

    @abstractmethod
    async def consent(
        self, conversation: str, opted_out: bool, by: str, how: str, now: Instant, notice: LocalizedContent = MappingProxyType({})
    ) -> OpenWork:
        """Note what the person of a conversation wants: no more messages, or messages again; and who noted it, and how they said
        so. Takes effect at once, as when they write it themselves; `notice` is said only where it changes something."""

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
        """Say something that answers nothing: an operator's words, or a notice. With `at` not before that: until then it keeps
        nobody waiting."""

    @abstractmethod
    async def note(self, conversation: str, text: str, by: str, now: Instant, *, append: bool = False) -> None:
        """Replace what is noted about the person of a conversation; with `append` write it in a line below that."""

    @abstractmethod
    async def unhealthy(
        self, now: Instant, unanswered: Milliseconds, person: Milliseconds, limit: int
    ) -> Sequence[UnhealthyConversation]:
        """The conversations that somebody should look at: a message that waits for longer than `unanswered`, an answer that failed
        or a doubt within the last seven days that is still open, a customer who waits for a person for longer than `person`."""

    # timers

    @abstractmethod
    async def timer_view(self, conversation: str, shown: int) -> TimerView | None:
        """What the timers of a conversation go by; the newest `shown` messages are still shown as history."""

    @abstractmethod
    async def set_timer(self, conversation: str, due: Instant | None, now: Instant) -> OpenWork:
        """When a timer job is to look next; None for not until something sets it."""

    @abstractmethod
    async def follow_up(self, conversation: str, draft: OutgoingContent, silent_since: Instant, now: Instant) -> OpenWork:
        """Ask once more. Raises `Stale` where the customer or we said something after `silent_since`."""

    @abstractmethod
    async def close_conversation(self, conversation: str, silent_since: Instant, now: Instant) -> OpenWork:
        """Close a conversation until the customer writes; that begins a new chapter. Raises `Stale` where something was said after
        `silent_since`."""

    @abstractmethod
    async def queue_scheduled(self, conversation: str, now: Instant) -> OpenWork:
        """Queue the parts whose time has come."""

    @abstractmethod
    async def unsummarised_messages(self, conversation: str, shown: int, limit: int) -> tuple[str, Sequence[HistoryMessage]]:
        """The summary so far, and up to `limit` of the oldest messages of this chapter that it does not hold and that are not among
        the newest `shown`."""

    @abstractmethod
    async def save_summary(
        self, conversation: str, text: str, upto: str, usage: Usage | None, money: int, periods: tuple[str, ...], now: Instant
    ) -> None:
        """Keep a summary that holds everything up to the message `upto`; what it cost counts in `periods`."""

    # start-up and sweep

    @abstractmethod
    async def recover(self, owner: str, now: Instant) -> RecoveryReport:
        """Begin a new life: put every attempt still marked `sending` by another owner in doubt, and look at how the former
        lives ended. A conversation that plugin code was busy with at three unclean ends in a row within ten minutes, the last
        time as the only suspect, is quarantined: its waiting messages are set aside and what it was sending is held."""

    @abstractmethod
    async def mark_clean_shutdown(self, owner: str, now: Instant) -> None:
        """Note that this life ends cleanly."""

    @abstractmethod
    async def open_work(self, after: str | None, limit: int, before: Instant | None = None) -> Sequence[OpenWork]:
        """A page of conversations with something due (not after `before`), ordered by conversation, from behind `after`."""

    @abstractmethod
    async def reset_future_dues(self, latest: Instant, now: Instant) -> int:
        """Make everything due `now` that is due after `latest`: no wait is that long, the clock must have gone back. What seems to
        have happened after `now`, a doubt or a webhook, happened now. Returns how many conversations that changed."""

    # mending by hand

    @abstractmethod
    async def retry_failed(self, conversation: str, kind: JobKind, now: Instant) -> OpenWork:
        """Give dead messages (`reply`), or failed and held parts (`deliver`), another chance, due now; says how many (`changed`)."""

    @abstractmethod
    async def drop(self, conversation: str, kind: JobKind, now: Instant) -> OpenWork:
        """Give up what is unanswered (`reply`) or unsent (`deliver`) in a conversation; says how many (`changed`)."""

    # files

    @abstractmethod
    async def keep_attachment(
        self, attachment: str, file: str | None, sha256: str, size: int, error: str | None, now: Instant
    ) -> None:
        """Note how fetching the attachment with our id ended: it lies as `file` in the media folder, or never will (`error`). Raises
        `Stale` where there is none by that id, or its sender is being erased."""

    @abstractmethod
    async def downloads(self, account: str, limit: int) -> Sequence[Download]:
        """The files of an account that are still to be fetched, the soonest due first. A file is due from the moment its message
        is stored, whoever answers it, until `keep_attachment`; those of people who are being erased are not."""

    @abstractmethod
    async def download(self, attachment: str) -> Download | None:
        """The file with our id, fetched or not; None if there is none, or its sender is being erased."""

    @abstractmethod
    async def postpone_download(self, attachment: str, due: Instant, reason: str, now: Instant) -> None:
        """Note that fetching a file failed and is tried again at `due`. Changes nothing for one that is settled meanwhile."""

    @abstractmethod
    async def named_files(self, names: Sequence[str]) -> Collection[str]:
        """Which of these names in the media folder belong to an attachment."""

    @abstractmethod
    async def attachment_file(self, sha256: str) -> str | None:
        """The name of a kept file with these contents, if there is one: the same file need not be kept twice."""

    @abstractmethod
    async def old_files(self, before: Instant, limit: int) -> Sequence[str]:
        """The names of up to `limit` kept files, the oldest first, of which every message is older than `before`."""

    @abstractmethod
    async def forget_files(self, names: Sequence[str], now: Instant) -> None:
        """Note that these files are gone, by age."""

    @abstractmethod
    async def ai_usage(self, period: str) -> Mapping[str, int]:
        """What the AI has cost in a period (`2026-11-27`, `2026-11`): `calls`, `tokens`, `money` (millionths), what is set aside for
        calls under way included."""

    @abstractmethod
    async def message_counts(self, account: str, month: str) -> Mapping[str, int]:
        """Messages of an account in a month (`2026-11`, UTC) by what they cost: `<type>.<category>` of `Receipt.pricing`, and
        under `counted` those that count towards the budget."""

    # looking

    @abstractmethod
    async def conversations(self, limit: int, search: str | None = None) -> Sequence[ConversationSummary]:
        """The conversations with the newest messages first."""

    @abstractmethod
    async def conversation(self, conversation: str) -> ConversationSummary:
        """One of them. Raises `Stale` if there is none by that id."""

    @abstractmethod
    async def last_said(self, account: str, person: Identity, quoted: str | None = None) -> HistoryMessage | None:
        """The last thing that a person was told on an account, if it is among the newest 20 messages and has left; None otherwise, and
        for somebody unknown. Where `quoted` is the provider's id of something that this person was told, it is that. Asked for while a
        message is taken in: it costs the same however long the conversation is."""

    @abstractmethod
    async def messages(self, conversation: str | None, after: str | None, limit: int) -> Sequence[StoredMessage]:
        """A page of stored messages in store order, from behind the message `after`."""

    @abstractmethod
    async def find(self, message: str) -> StoredMessage | None:
        """A message by our id or the provider's."""

    @abstractmethod
    async def list_failed(self, limit: int) -> Sequence[StoredMessage]:
        """Messages that only a person can set going again: dead, quarantined, failed, held and parked ones, newest first."""

    @abstractmethod
    async def timeline(self, message: str) -> Sequence[TimelineEvent]:
        """All that happened to the message with our id `message`, in order of time."""

    @abstractmethod
    async def attempts(self, part: str) -> Sequence[Attempt]:
        """The attempts of a part, oldest first."""

    @abstractmethod
    async def counts(self) -> Mapping[str, int]:
        """Figures for statistics and problems: `in.<state>`, `out.<state>`, `unparsed_payloads`, `duplicate_sends`,
        `unverified_resolutions`,
        and `skipped:<reason>` for messages that a gate left unanswered."""

    async def unparsed_payloads(self, after: str | None, limit: int, since: Instant = 0) -> Sequence[UnparsedPayload]:
        """A page of what was signed but not understood and was kept at or after `since`, the oldest first, from behind `after`."""
        return ()

    async def account_events(self, account: str, since: Instant) -> Sequence[AccountEvent]:
        """The news of an account that happened at or after `since`, each once however often it was told, in the order in which they
        arrived."""
        return ()

    @abstractmethod
    async def backlog(self, most: int) -> int:
        """How many messages wait for an answer; counted up to `most`, so that it costs the same however many there are."""

    @abstractmethod
    async def unsettled_accounts(self) -> Mapping[str, int]:
        """How many conversations with open work hang on each account."""

    def data_directory(self) -> Path | None:
        """The folder in which it keeps its data, so that the room there is watched; None where that is not on this machine."""
        return None

    # what people may ask for: to be found, shown, erased, and kept no longer than needed

    @abstractmethod
    async def search(self, words: str, limit: int) -> Sequence[SearchHit]:
        """Messages of both directions that hold all these words, newest first; the last word may be the beginning of one, from
        three letters on. No character has a meaning of its own. Quarantined texts are not found."""

    @abstractmethod
    async def events(self, conversation: str, after: str | None, limit: int) -> Sequence[TimelineEvent]:
        """A page of all that happened in a conversation, in the order in which it was written down, from behind the event `after`."""

    @abstractmethod
    async def attachments(self, conversation: str, after: str | None, limit: int) -> Sequence[tuple[str, Attachment]]:
        """A page of the files that a conversation's messages brought, each with its message, from behind the attachment `after`."""

    @abstractmethod
    async def subject_data(self, who: str) -> SubjectData | None:
        """The person with this contact id, conversation, number or user id, with whoever turned out to be the same person. Raises
        SaraError where it may be either of several people."""

    @abstractmethod
    async def start_erasure(self, who: str, now: Instant) -> ErasureReport:
        """Begin to erase a person, named as for `person`. From the moment that this returns nothing is read, answered or sent for
        them, open calls and attempts are stale, and whoever writes from their ids is somebody new. For 30 days what they wrote is
        still recognised when it is delivered again, and stored no more; whoever was opted out still is. Told after a crash or not,
        `erase` does the rest. Raises `Stale` if there is no such person."""

    @abstractmethod
    async def forgotten_files(self, limit: int) -> Sequence[str]:
        """The names of up to `limit` kept files that only people being erased have brought. Remove them and tell `forget_files`
        before `erase`."""

    @abstractmethod
    async def continue_erasure(self, limit: int) -> bool:
        """Take one small step in erasing those who are to be forgotten, at most `limit` messages; false once nothing is left of
        them, also in what the store has freed."""

    @abstractmethod
    async def expire(self, before: Instant | None, limit: int, now: Instant) -> int:
        """Delete up to `limit` settled messages that were stored before `before`, with all that belongs to them, and people of whom
        nothing else is left; never what waits or may still be sent, and nothing whose file is still to be removed. Also what is only
        kept for a while. Returns how many messages went."""

    # backup and restore: optional, as a store may be kept safe by other means

    def key_files(self) -> Sequence[Path]:
        """The files with keys of its own that are there and stand in no backup: to be kept apart from it, and moved with it."""
        return ()

    async def backup(self, target: Path, kept_in: Path | None = None) -> Mapping[str, int]:
        """Write all that is kept to the new file `target`, while others read and write; return how much it holds: `messages`,
        `conversations`, `attempts`, `bytes`. It shows one moment, was read again and checked, and is there whole or not at all.
        Raises SaraError where `target` exists. `kept_in` is the archive into which it goes from there: that is what `forget` is to name."""
        raise SaraError(f"the store of the plugin {_plugin_of(self)} makes no backups; see its manual")

    async def inspect_backup(self, backup: Path) -> Mapping[str, int]:
        """Check a backup without changing anything, on a store that is not open; return how much it holds: `messages`,
        `conversations`, `attempts`, `newest` (when the last thing in it happened), and what was still to be done then:
        `unanswered` messages, `unsent` parts. Raises SaraError where it could not be restored now."""
        raise SaraError(f"the store of the plugin {_plugin_of(self)} restores no backups; see its manual")

    async def restore(self, backup: Path, now: Instant) -> Mapping[str, Any]:
        """Put a backup in the place of what is kept, on a store that is not open; return what `examine` does, and as `replaced`
        the name under which the former data are kept, if there were any.

        What was still to be done in it may have been done since. So that nothing is done twice, unsent parts become `held` and
        unanswered messages `dead`, with the reason `restored`; messages in it are recognised when they are delivered again.
        The present data stay as they are until the backup has proved good."""
        raise SaraError(f"the store of the plugin {_plugin_of(self)} restores no backups; see its manual")

    @abstractmethod
    async def ping(self) -> None:
        """Return once the store has done one write. For the watchdog."""
