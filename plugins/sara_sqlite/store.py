"""The bundled store: every method is one function run in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from sara import (
    AccountEvent,
    Attachment,
    Context,
    HistoryMessage,
    Identity,
    Instant,
    Milliseconds,
    OutgoingContent,
    StoredMessage,
    UnparsedPayload,
    Usage,
)
from sara.engines import (
    AcceptResult,
    Attempt,
    AttemptResult,
    ConversationSummary,
    DeliveryView,
    Download,
    ErasureReport,
    Handoff,
    HistoryLimits,
    InboundBatch,
    JobKind,
    LocalizedContent,
    OneTimeNotice,
    OpenWork,
    Purpose,
    RecoveryReport,
    ReplySideEffects,
    ReplyView,
    SearchHit,
    Store,
    SubjectData,
    TimelineEvent,
    TimerView,
    ToolRecord,
    UnhealthyConversation,
    UsageReservation,
)
from sara_sqlite import (
    attachments,
    backup,
    billing,
    copies,
    delivering,
    dossier,
    expiring,
    finding,
    forgetting,
    health,
    intake,
    looking,
    modes,
    recovering,
    replying,
    restore,
    saying,
    spending,
    timing,
    tooling,
)
from sara_sqlite.aside import aside
from sara_sqlite.cleaning import Cleaning
from sara_sqlite.database import Database
from sara_sqlite.keyed import key_in
from sara_sqlite.options import SqliteOptions
from sara_sqlite.remembering import RECOGNISED


class SqliteStore(Store):
    """The truth in one SQLite file."""

    Options = SqliteOptions

    def __init__(self, options: SqliteOptions, context: Context) -> None:
        path = options.file(context)
        self.database = context.once(
            ("database", path),
            lambda: Database(path, read_only=context.read_only, key=key_in(context), problems=context.problems),
        )
        self.lost = self.database.lost
        self._clock = context.clock
        self._backups = context.state / "backups"
        self._key_file = key_in(context)
        self._cleaning = Cleaning(self.database)

    @property
    def corrupt(self) -> str | None:
        """Return what is damaged and what to do, once that is known; `lost` is then set."""
        return self.database.corrupt

    async def open(self) -> None:
        await self.database.open()

    async def close(self) -> None:
        await self.database.close()

    async def accept(self, intake_: InboundBatch, now: Instant) -> AcceptResult:
        return await self.database.write(lambda db: intake.accept(db, intake_, now))

    async def reply_view(self, conversation: str, limits: HistoryLimits) -> ReplyView | None:
        return await self.database.read(lambda db: replying.view(db, conversation, limits))

    async def begin_reply(
        self, conversation: str, answers: Sequence[str], now: Instant, reserve: UsageReservation | None = None
    ) -> int:
        return await self.database.write(lambda db: replying.begin(db, conversation, answers, now, reserve))

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
        return await self.database.write(
            lambda db: replying.save(db, conversation, attempt, answers, parts, usage, now, effects or ReplySideEffects())
        )

    async def discard_reply(
        self, conversation: str, attempt: int, answers: Sequence[str], most: int, usage: Usage | None, money: int, now: Instant
    ) -> OpenWork | None:
        return await self.database.write(lambda db: replying.rethink(db, conversation, attempt, answers, most, usage, money, now))

    async def begin_tool(
        self, conversation: str, attempt: int, name: str, arguments: str, occurrence: int, now: Instant
    ) -> tuple[ToolRecord, bool]:
        return await self.database.write(lambda db: tooling.begin(db, conversation, attempt, name, arguments, occurrence, now))

    async def end_tool(self, record: int, result: str, now: Instant) -> None:
        await self.database.write(lambda db: tooling.end(db, record, result, now))

    async def fail_reply_attempt(
        self, conversation: str, attempt: int | None, due: Instant, error: str | None, now: Instant, charged: bool = True
    ) -> OpenWork:
        return await self.database.write(lambda db: replying.postpone(db, conversation, attempt, due, error, now, charged))

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
        return await self.database.write(lambda db: replying.end(db, conversation, answers, state, reason, now, notices, said))

    async def delivery_view(self, conversation: str) -> DeliveryView | None:
        return await self.database.read(lambda db: delivering.view(db, conversation))

    async def begin_attempt(self, part: str, attempt_id: str, owner: str, now: Instant) -> None:
        await self.database.write(lambda db: delivering.begin(db, part, attempt_id, owner, now))

    async def record_attempt(self, attempt_id: str, outcome: AttemptResult, now: Instant) -> OpenWork:
        return await self.database.write(lambda db: delivering.settle(db, attempt_id, outcome, now))

    async def resolve_in_doubt(self, part: str, action: Literal["resend", "hold"], blind: bool, now: Instant) -> OpenWork:
        return await self.database.write(lambda db: delivering.settle_doubt(db, part, action, blind, now))

    async def cancel_outbound(
        self,
        part: str,
        state: Literal["cancelled", "failed", "parked"],
        reason: str,
        now: Instant,
        instead: OutgoingContent | None = None,
    ) -> OpenWork:
        return await self.database.write(lambda db: delivering.end_part(db, part, state, reason, now, instead))

    async def reschedule(self, conversation: str, kind: JobKind, due: Instant, now: Instant, reason: str = "") -> OpenWork:
        return await self.database.write(lambda db: looking.look_again(db, conversation, kind, due, now, reason))

    async def hand_over(self, conversation: str, change: Handoff, now: Instant) -> Sequence[OpenWork]:
        return await self.database.write(lambda db: modes.hand_over(db, conversation, change, now))

    async def hand_back(
        self, conversation: str, by: str, now: Instant, notice: LocalizedContent = MappingProxyType({})
    ) -> OpenWork:
        return await self.database.write(lambda db: modes.hand_back(db, conversation, by, now, notice))

    async def consent(
        self, conversation: str, opted_out: bool, by: str, how: str, now: Instant, notice: LocalizedContent = MappingProxyType({})
    ) -> OpenWork:
        return await self.database.write(lambda db: modes.consent(db, conversation, opted_out, by, how, now, notice))

    async def enqueue_messages(
        self,
        conversation: str,
        drafts: Sequence[OutgoingContent],
        purpose: Purpose,
        by: str,
        now: Instant,
        at: Instant | None = None,
    ) -> OpenWork:
        return await self.database.write(lambda db: saying.say(db, conversation, drafts, purpose, by, now, at))

    async def note(self, conversation: str, text: str, by: str, now: Instant, *, append: bool = False) -> None:
        await self.database.write(lambda db: modes.note(db, conversation, text, by, now, append=append))

    async def unhealthy(
        self, now: Instant, unanswered: Milliseconds, person: Milliseconds, limit: int
    ) -> Sequence[UnhealthyConversation]:
        return await self.database.read(lambda db: health.unhealthy(db, now, unanswered, person, limit))

    async def timer_view(self, conversation: str, shown: int) -> TimerView | None:
        return await self.database.read(lambda db: timing.view(db, conversation, shown))

    async def set_timer(self, conversation: str, due: Instant | None, now: Instant) -> OpenWork:
        return await self.database.write(lambda db: timing.set_timer(db, conversation, due, now))

    async def follow_up(self, conversation: str, draft: OutgoingContent, silent_since: Instant, now: Instant) -> OpenWork:
        return await self.database.write(lambda db: timing.follow_up(db, conversation, draft, silent_since, now))

    async def close_conversation(self, conversation: str, silent_since: Instant, now: Instant) -> OpenWork:
        return await self.database.write(lambda db: timing.close(db, conversation, silent_since, now))

    async def queue_scheduled(self, conversation: str, now: Instant) -> OpenWork:
        return await self.database.write(lambda db: saying.release(db, conversation, now))

    async def unsummarised_messages(self, conversation: str, shown: int, limit: int) -> tuple[str, Sequence[HistoryMessage]]:
        return await self.database.read(lambda db: timing.older_lines(db, conversation, shown, limit))

    async def save_summary(
        self, conversation: str, text: str, upto: str, usage: Usage | None, money: int, periods: tuple[str, ...], now: Instant
    ) -> None:
        await self.database.write(lambda db: timing.save_summary(db, conversation, text, upto, usage, money, periods, now))

    async def recover(self, owner: str, now: Instant) -> RecoveryReport:
        return await self.database.write(lambda db: recovering.recover(db, owner, now))

    async def mark_clean_shutdown(self, owner: str, now: Instant) -> None:
        await self.database.write(lambda db: recovering.farewell(db, owner, now))

    async def open_work(self, after: str | None, limit: int, before: Instant | None = None) -> Sequence[OpenWork]:
        return await self.database.read(lambda db: looking.due(db, after, limit, before))

    async def reset_future_dues(self, latest: Instant, now: Instant) -> int:
        return await self.database.write(lambda db: looking.clamp(db, latest, now))

    async def retry_failed(self, conversation: str, kind: JobKind, now: Instant) -> OpenWork:
        return await self.database.write(lambda db: looking.revive(db, conversation, kind, now))

    async def drop(self, conversation: str, kind: JobKind, now: Instant) -> OpenWork:
        return await self.database.write(lambda db: looking.drop(db, conversation, kind, now))

    async def keep_attachment(
        self, attachment: str, file: str | None, sha256: str, size: int, error: str | None, now: Instant
    ) -> None:
        await self.database.write(lambda db: attachments.keep(db, attachment, file, sha256, size, error, now))

    async def downloads(self, account: str, limit: int) -> Sequence[Download]:
        return await self.database.read(lambda db: attachments.downloads(db, account, limit))

    async def download(self, attachment: str) -> Download | None:
        return await self.database.read(lambda db: attachments.download(db, attachment))

    async def postpone_download(self, attachment: str, due: Instant, reason: str, now: Instant) -> None:
        await self.database.write(lambda db: attachments.postpone(db, attachment, due, reason, now))

    async def named_files(self, names: Sequence[str]) -> Collection[str]:
        return await self.database.read(lambda db: attachments.named(db, names))

    async def attachment_file(self, sha256: str) -> str | None:
        return await self.database.read(lambda db: attachments.file_of(db, sha256))

    async def old_files(self, before: Instant, limit: int) -> Sequence[str]:
        return await self.database.read(lambda db: attachments.old(db, before, limit))

    async def forget_files(self, names: Sequence[str], now: Instant) -> None:
        await self.database.write(lambda db: attachments.forget(db, names, now))

    async def ai_usage(self, period: str) -> Mapping[str, int]:
        return await self.database.read(lambda db: spending.spent(db, period))

    async def message_counts(self, account: str, month: str) -> Mapping[str, int]:
        return await self.database.read(lambda db: billing.billed(db, account, month))

    async def conversations(self, limit: int, search: str | None = None) -> Sequence[ConversationSummary]:
        return await self.database.read(lambda db: looking.conversations(db, limit, search))

    async def conversation(self, conversation: str) -> ConversationSummary:
        return await self.database.read(lambda db: looking.conversation(db, conversation))

    async def last_said(self, account: str, person: Identity, quoted: str | None = None) -> HistoryMessage | None:
        return await self.database.read(lambda db: looking.last_said(db, account, person, quoted))

    async def messages(self, conversation: str | None, after: str | None, limit: int) -> Sequence[StoredMessage]:
        return await self.database.read(lambda db: looking.messages(db, conversation, after, limit))

    async def find(self, message: str) -> StoredMessage | None:
        return await self.database.read(lambda db: looking.find(db, message))

    async def list_failed(self, limit: int) -> Sequence[StoredMessage]:
        return await self.database.read(lambda db: looking.given_up(db, limit))

    async def timeline(self, message: str) -> Sequence[TimelineEvent]:
        return await self.database.read(lambda db: looking.timeline(db, message))

    async def attempts(self, part: str) -> Sequence[Attempt]:
        return await self.database.read(lambda db: looking.attempts(db, part))

    async def counts(self) -> Mapping[str, int]:
        return await self.database.read(looking.counts)

    async def unparsed_payloads(self, after: str | None, limit: int, since: Instant = 0) -> Sequence[UnparsedPayload]:
        return await self.database.read(lambda db: looking.set_aside(db, after, limit, since))

    async def account_events(self, account: str, since: Instant) -> Sequence[AccountEvent]:
        return await self.database.read(lambda db: looking.account_events(db, account, since))

    async def backlog(self, most: int) -> int:
        return await self.database.read(lambda db: looking.backlog(db, most))

    async def unsettled_accounts(self) -> Mapping[str, int]:
        return await self.database.read(looking.unsettled)

    def data_directory(self) -> Path:
        return self.database.path.parent

    async def search(self, words: str, limit: int) -> Sequence[SearchHit]:
        return await self.database.read(lambda db: finding.search(db, words, limit))

    async def events(self, conversation: str, after: str | None, limit: int) -> Sequence[TimelineEvent]:
        return await self.database.read(lambda db: finding.events(db, conversation, after, limit))

    async def attachments(self, conversation: str, after: str | None, limit: int) -> Sequence[tuple[str, Attachment]]:
        return await self.database.read(lambda db: finding.files(db, conversation, after, limit))

    async def subject_data(self, who: str) -> SubjectData | None:
        return await self.database.read(lambda db: dossier.dossier(db, who))

    async def start_erasure(self, who: str, now: Instant) -> ErasureReport:
        await aside(lambda _: self.database.key.make())
        told, since = await self.database.write(lambda db: forgetting.begin(db, who, now))
        held = await aside(lambda _: copies.copies(self.database.path, self._backups, since))
        return replace(told, copies=held)

    async def forgotten_files(self, limit: int) -> Sequence[str]:
        return await self.database.read(lambda db: forgetting.files(db, limit))

    async def continue_erasure(self, limit: int) -> bool:
        return await self.database.write(lambda db: forgetting.step(db, limit)) or await self._cleaning.step()

    async def expire(self, before: Instant | None, limit: int, now: Instant) -> int:
        if before is not None and before > now - RECOGNISED:
            await aside(lambda _: self.database.key.make())
        return await self.database.write(lambda db: expiring.expire(db, before, limit, now))

    def key_files(self) -> Sequence[Path]:
        return [self._key_file] if self._key_file.exists() else []

    async def backup(self, target: Path, kept_in: Path | None = None) -> Mapping[str, int]:
        return await aside(lambda stop: backup.save(self.database.path, target, self._clock(), stop, kept_in))

    async def inspect_backup(self, backup: Path) -> Mapping[str, int]:
        return await aside(lambda stop: restore.examine(self.database.path, backup, stop))

    async def restore(self, backup: Path, now: Instant) -> Mapping[str, Any]:
        return await aside(lambda stop: restore.restore(self.database.path, backup, now, stop))

    async def ping(self) -> None:
        await self.database.write(
            lambda db: db.execute(
                "INSERT INTO counters (name, value) VALUES ('alive', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1"
            )
        )
