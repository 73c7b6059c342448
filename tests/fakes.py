"""Small stand-ins for what the core talks to: they write down what they were asked and answer as they are told."""

from __future__ import annotations

import asyncio
import itertools
import selectors
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from aiohttp.test_utils import TestServer
from hypothesis import settings

from sara import (
    AccountEvent,
    Attachment,
    Channel,
    Contact,
    HistoryMessage,
    Identity,
    Instant,
    Milliseconds,
    OutboundMessage,
    OutgoingContent,
    Reply,
    Request,
    Responder,
    SendResult,
    StoredMessage,
    ToolCaller,
    Turn,
    Usage,
    WebhookResult,
    hookimpl,
)
from sara.engines import (
    AcceptResult,
    Attempt,
    AttemptResult,
    Conflict,
    ConversationSummary,
    DeliveryView,
    Download,
    Entry,
    ErasureReport,
    Handoff,
    HistoryLimits,
    InboundBatch,
    Job,
    JobKind,
    JobRequest,
    LocalizedContent,
    NotFound,
    OneTimeNotice,
    OpenWork,
    Purpose,
    RecoveryReport,
    ReplySideEffects,
    ReplyView,
    ScheduledQueue,
    SearchHit,
    Store,
    SubjectData,
    TimelineEvent,
    TimerView,
    ToolRecord,
    UnhealthyConversation,
    UsageReservation,
)
from sara.helpers import Clock
from sara.i18n.catalog import MessageCatalog
from sara.operations.problem_registry import ProblemRegistry
from sara.pipeline.bindings import ChannelBinding, ChannelBindings
from sara.pipeline.handoff import HandoffFactory
from sara.pipeline.inbound import InboundHandler, InboundRules
from sara.pipeline.media import MediaStore
from sara.pipeline.media_downloads import MediaDownloads
from sara.pipeline.reply import Answering
from sara.pipeline.responder_pool import ResponderPool
from sara.pipeline.services import ReplyServices, Reporting, Routing
from sara.pipeline.tool_calls import ToolCalls
from sara.pipeline.typing_indicator import TypingIndicator
from sara.plugins.call_guard import CallGuard
from sara.plugins.hooks import Hooks
from sara.plugins.loader import Plugins
from sara.plugins.tool import Tool
from sara.policy.ai_budget import AIBudget
from sara.policy.keywords import KeywordMatcher
from sara.policy.settings import BudgetSettings, ConversationSettings, MediaSettings
from sara.queue.circuit_breaker import LaneBreaker
from sara.queue.notifier import JobNotifier
from sara.testing import ManualClock
from sara.web.connection_limit import ConnectionLimits, LimitedRunner
from tests.patience import patience

T = TypeVar("T")
ACCOUNT = "test:1"
CONVERSATION = "c1"
NOW: Instant = 1_800_000_000_000
ANA = Identity(user_id="US.1", phone="15550001111", name="Ana")
DEADLINE = patience(5)

steady = settings(deadline=None, derandomize=True, database=None)
"""The same examples in every run, and no clock that a busy machine could trip over."""


# ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Impatient(selectors.DefaultSelector):
    """Never waits: where nothing is ready, the time that would have been waited is added to the loop's clock."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout is None:
            return ready or super().select(timeout)
        self.skipped += max(timeout, 0)
        return ready


class _SkippingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._impatient = _Impatient()
        super().__init__(self._impatient)

    def time(self) -> float:
        # Skipped time alone: a busy machine adds nothing to a duration that is asserted.
        return self._impatient.skipped


def without_waiting(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on a loop whose time passes at once whenever everybody waits. For work without threads and sockets."""
    with asyncio.Runner(loop_factory=_SkippingLoop) as runner:
        return runner.run(work)


# ── listeners ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class DoorServer(TestServer):
    """A listener on loopback as the daemon has it."""

    __test__ = False

    async def _make_runner(self, **_: Any) -> LimitedRunner:
        return LimitedRunner(self.app, ConnectionLimits())


# ── the queue ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class MemoryQueue(ScheduledQueue):
    """Keeps its entries in a mapping, which may be handed to the next queue as a disk would be. `fails` makes keeping fail."""

    def __init__(self, clock: Clock, kept: dict[tuple[JobKind, str], Entry] | None = None) -> None:
        super().__init__(clock)
        self.kept: dict[tuple[JobKind, str], Entry] = {} if kept is None else kept
        self.fails: Exception | None = None
        self.woken: list[JobRequest] = []

    async def wake(self, wakes: Sequence[JobRequest]) -> None:
        await super().wake(wakes)
        self.woken += wakes

    async def _keep(self, entries: Sequence[Entry]) -> None:
        self._may_fail()
        for entry in entries:
            job = (entry.wake.kind, entry.wake.key)
            known = self.kept.get(job)
            if known is not None:
                due = min(known.wake.due, entry.wake.due)
                priority = max(known.wake.priority, entry.wake.priority)
                entry = replace(entry, wake=replace(entry.wake, due=due, priority=priority), failures=known.failures)
            self.kept[job] = entry

    async def _keep_again(self, entry: Entry, claimed: int) -> None:
        self._may_fail()
        job = (entry.wake.kind, entry.wake.key)
        if job in self.kept and self.kept[job].stamp == claimed:
            self.kept[job] = entry

    async def _forget(self, job: tuple[JobKind, str], claimed: int | None) -> bool:
        self._may_fail()
        known = self.kept.get(job)
        if known is None or (claimed is not None and known.stamp != claimed):
            return False
        del self.kept[job]
        return True

    async def _fetch(self, before: Instant, lane: str | None, limit: int) -> Sequence[Entry]:
        self._may_fail()
        found = [each for each in self.kept.values() if each.wake.due < before and lane in (None, each.wake.lane)]
        return sorted(found, key=lambda each: (-each.wake.priority, each.wake.due))[:limit]

    async def _kept(self) -> int:
        return len(self.kept)

    def _may_fail(self) -> None:
        if self.fails is not None:
            raise self.fails


# ── the store ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def line(ident: str, text: str = "hello", at: Instant = NOW, role: str = "customer") -> HistoryMessage:
    """A message of a conversation."""
    return HistoryMessage(ident, role, text, at)  # type: ignore[arg-type]  # callers name one of the four roles


def reply_view(*waiting: HistoryMessage, **changes: Any) -> ReplyView:
    """A conversation in which these messages wait and nothing is in the way."""
    view = ReplyView(CONVERSATION, ACCOUNT, Contact("p1"), False, waiting, (), None, 0, None, "clear")
    return replace(view, **changes)


def delivery_view(part: str = "out-1", **changes: Any) -> DeliveryView:
    """A conversation whose next part is queued and was never tried. `purpose` and `kind` are the part's."""
    kind = changes.pop("kind", "text")
    addressed = OutboundMessage(part, CONVERSATION, ACCOUNT, ANA, kind, "Hello!", changes.pop("purpose", "reply"))
    return replace(DeliveryView(addressed, "queued", 0, 0, None, None, None, False), **changes)


def stored(ident: str = "in-1", direction: Literal["in", "out"] = "in", state: str = "waiting") -> StoredMessage:
    """A message as the store gives it back."""
    return StoredMessage(
        ident, None, "test", ACCOUNT, CONVERSATION, "p1", direction, "text", "hello", state, None, None, NOW, None
    )


class FakeStore(Store):
    """One conversation. Its views are set by hand and follow what is written; `fails` raises instead, once per error listed."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.fails: dict[str, list[Exception]] = {}
        self.lost = asyncio.Event()
        self.replying: ReplyView | None = None
        self.delivering: list[DeliveryView] = []
        self.taken = AcceptResult()
        self.reply_due: Instant | None = None
        self.pages: list[Sequence[OpenWork]] = []
        self.figures: dict[str, int] = {}
        self.to_remove: list[Sequence[str]] = []
        self.erasing = 0
        self.expired = 0
        self.also: ReplySideEffects | None = None
        self.notices: list[OutgoingContent] = []
        self.rethinks: list[OpenWork] = []
        self.journal: dict[tuple[Any, ...], ToolRecord] = {}
        self.timing: TimerView | None = None
        self.ill: Sequence[UnhealthyConversation] = ()
        self.said_before: HistoryMessage | None = None
        self.older: tuple[str, Sequence[HistoryMessage]] = ("", ())
        self.account_news: list[AccountEvent] = []

    def called(self, name: str) -> list[tuple[Any, ...]]:
        """The arguments of every call of a method."""
        return [arguments for called, arguments in self.calls if called == name]

    def wrote(self) -> list[str]:
        """The names of the writing methods that were called, in order."""
        return [name for name, _ in self.calls if name not in ("reply_view", "delivery_view", "find", "open_work", "timer_view")]

    def _note(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, arguments))
        if self.fails.get(name):
            raise self.fails[name].pop(0)

    def _work(self, now: Instant) -> OpenWork:
        due = max(now, self.delivering[0].not_before) if self.delivering else None
        return OpenWork(CONVERSATION, ACCOUNT, self.reply_due, due)

    async def accept(self, intake: InboundBatch, now: Instant) -> AcceptResult:
        self._note("accept", intake, now)
        self.account_news += [each for each in intake.changes if isinstance(each, AccountEvent) and each not in self.account_news]
        return self.taken

    async def account_events(self, account: str, since: Instant) -> Sequence[AccountEvent]:
        self._note("account_events", account, since)
        return [each for each in self.account_news if each.account == account and each.at >= since]

    async def reply_view(self, conversation: str, limits: HistoryLimits) -> ReplyView | None:
        self._note("reply_view", conversation, limits)
        return self.replying

    async def begin_reply(
        self, conversation: str, answers: Sequence[str], now: Instant, reserve: UsageReservation | None = None
    ) -> int:
        self._note("begin_reply", conversation, tuple(answers), now)
        assert self.replying is not None
        attempts = self.replying.attempts + 1
        self.replying = replace(self.replying, attempts=attempts, first_at=self.replying.first_at or now)
        return attempts

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
        self._note(
            "save_reply",
            conversation,
            attempt,
            tuple(answers),
            tuple(parts),
            usage,
            now,
            *([effects.transcripts] if effects and effects.transcripts else []),
        )
        self.also = effects
        return [OpenWork(conversation, ACCOUNT, self.reply_due, now)]

    async def fail_reply_attempt(
        self, conversation: str, attempt: int | None, due: Instant, error: str | None, now: Instant, charged: bool = True
    ) -> OpenWork:
        self._note("fail_reply_attempt", conversation, attempt, due, error, now)
        assert self.replying is not None
        self.replying = replace(self.replying, due=due)
        if not charged:
            calls = self.replying.attempts - 1
            self.replying = replace(self.replying, attempts=calls, first_at=self.replying.first_at if calls else None)
        return OpenWork(conversation, ACCOUNT, due, None)

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
        self._note("close_turn", conversation, tuple(answers), state, reason, now, *([said] if said else []))
        self.notices += notices
        return OpenWork(conversation, ACCOUNT, self.reply_due, None)

    async def delivery_view(self, conversation: str) -> DeliveryView | None:
        self._note("delivery_view", conversation)
        return self.delivering[0] if self.delivering else None

    async def begin_attempt(self, part: str, attempt_id: str, owner: str, now: Instant) -> None:
        self._note("begin_attempt", part, attempt_id, owner, now)
        if not self.delivering or self.delivering[0].part.id != part or self.delivering[0].state != "queued":
            raise Conflict
        view = self.delivering[0]
        attempt = Attempt(attempt_id, part, "sending", now, owner)
        self.delivering[0] = replace(view, state="sending", first_at=view.first_at or now, last=attempt)

    async def record_attempt(self, attempt_id: str, outcome: AttemptResult, now: Instant) -> OpenWork:
        self._note("record_attempt", attempt_id, outcome, now)
        view = self.delivering.pop(0)
        if outcome.part in ("queued", "in_doubt"):
            assert view.last is not None
            last = replace(view.last, state=outcome.state, settled_at=now, error=outcome.error)
            attempts = view.attempts + outcome.charged
            still = replace(view, state=outcome.part, not_before=outcome.not_before, attempts=attempts, last=last)
            if outcome.closes_window:
                still = replace(still, customer_at=None, not_before=now)
            self.delivering.insert(0, still)
        return self._work(now)

    async def resolve_in_doubt(self, part: str, action: Literal["resend", "hold"], blind: bool, now: Instant) -> OpenWork:
        self._note("resolve_in_doubt", part, action, blind, now)
        view = self.delivering.pop(0)
        if action == "resend":
            self.delivering.insert(0, replace(view, state="queued", not_before=now))
        return self._work(now)

    async def cancel_outbound(
        self,
        part: str,
        state: Literal["cancelled", "failed", "parked"],
        reason: str,
        now: Instant,
        instead: OutgoingContent | None = None,
    ) -> OpenWork:
        self._note("cancel_outbound", part, state, reason, now, *([instead] if instead else []))
        self.delivering.pop(0)
        return self._work(now)

    async def keep_attachment(
        self, attachment: str, file: str | None, sha256: str, size: int, error: str | None, now: Instant
    ) -> None:
        self._note("keep_attachment", attachment, file, sha256, size, error, now)

    async def downloads(self, account: str, limit: int) -> Sequence[Download]:
        return ()

    async def download(self, attachment: str) -> Download | None:
        view = self.replying
        lines = (*view.waiting, *view.history) if view is not None else ()
        found = [each for line in lines for each in line.attachments if each.id == attachment]
        return Download(found[0], CONVERSATION, ACCOUNT, NOW, NOW) if found else None

    async def postpone_download(self, attachment: str, due: Instant, reason: str, now: Instant) -> None:
        self._note("postpone_download", attachment, due, reason, now)

    async def named_files(self, names: Sequence[str]) -> Collection[str]:
        return names

    async def attachment_file(self, sha256: str) -> str | None:
        self._note("attachment_file", sha256)
        return None

    async def old_files(self, before: Instant, limit: int) -> Sequence[str]:
        self._note("old_files", before, limit)
        return ()

    async def forget_files(self, names: Sequence[str], now: Instant) -> None:
        self._note("forget_files", tuple(names), now)

    async def message_counts(self, account: str, month: str) -> Mapping[str, int]:
        self._note("message_counts", account, month)
        return {}

    async def reschedule(self, conversation: str, kind: JobKind, due: Instant, now: Instant, reason: str = "") -> OpenWork:
        self._note("reschedule", conversation, kind, due, now)
        if kind == "deliver" and self.delivering:
            self.delivering[0] = replace(self.delivering[0], not_before=due)
        return self._work(now)

    async def recover(self, owner: str, now: Instant) -> RecoveryReport:
        self._note("recover", owner, now)
        return RecoveryReport()

    async def reset_future_dues(self, latest: Instant, now: Instant) -> int:
        self._note("reset_future_dues", latest, now)
        return 0

    async def mark_clean_shutdown(self, owner: str, now: Instant) -> None:
        self._note("mark_clean_shutdown", owner, now)

    async def backlog(self, most: int) -> int:
        self._note("backlog", most)
        return min(self.figures.get("backlog", 0), most)

    async def open_work(self, after: str | None, limit: int, before: Instant | None = None) -> Sequence[OpenWork]:
        self._note("open_work", after, limit, before)
        return self.pages.pop(0) if self.pages else ()

    async def retry_failed(self, conversation: str, kind: JobKind, now: Instant) -> OpenWork:
        self._note("retry_failed", conversation, kind, now)
        return OpenWork(conversation, ACCOUNT, now, None)

    async def drop(self, conversation: str, kind: JobKind, now: Instant) -> OpenWork:
        self._note("drop", conversation, kind, now)
        return OpenWork(conversation, ACCOUNT, None, None)

    async def conversations(self, limit: int, search: str | None = None) -> Sequence[ConversationSummary]:
        return ()

    async def conversation(self, conversation: str) -> ConversationSummary:
        self._note("conversation", conversation)
        if conversation != CONVERSATION:
            raise NotFound("there is nothing by that id")
        return ConversationSummary(conversation, ACCOUNT, "p1", "Ana", 1, NOW, 0, 0, False, None, None, None)

    async def last_said(self, account: str, person: Identity, quoted: str | None = None) -> HistoryMessage | None:
        self._note("last_said", account, person)
        return self.said_before

    async def messages(self, conversation: str | None, after: str | None, limit: int) -> Sequence[StoredMessage]:
        return ()

    async def find(self, message: str) -> StoredMessage | None:
        self._note("find", message)
        return stored(message, "out", "accepted")

    async def list_failed(self, limit: int) -> Sequence[StoredMessage]:
        return ()

    async def timeline(self, message: str) -> Sequence[TimelineEvent]:
        return ()

    async def attempts(self, part: str) -> Sequence[Attempt]:
        return ()

    async def search(self, words: str, limit: int) -> Sequence[SearchHit]:
        self._note("search", words, limit)
        return [SearchHit("m1", CONVERSATION, "p1", "Ana", "in", NOW, "[hello]")]

    async def events(self, conversation: str, after: str | None, limit: int) -> Sequence[TimelineEvent]:
        self._note("events", conversation, after, limit)
        return [TimelineEvent(NOW, "received", "text", id="e1", message="m1")]

    async def attachments(self, conversation: str, after: str | None, limit: int) -> Sequence[tuple[str, Attachment]]:
        return ()

    async def subject_data(self, who: str) -> SubjectData | None:
        return None

    async def start_erasure(self, who: str, now: Instant) -> ErasureReport:
        self._note("start_erasure", who, now)
        return ErasureReport(("p1",), (CONVERSATION,), 2, 0, False)

    async def forgotten_files(self, limit: int) -> Sequence[str]:
        self._note("forgotten_files", limit)
        return self.to_remove.pop(0) if self.to_remove else ()

    async def continue_erasure(self, limit: int) -> bool:
        self._note("continue_erasure", limit)
        self.erasing -= 1
        return self.erasing >= 0

    async def expire(self, before: Instant | None, limit: int, now: Instant) -> int:
        self._note("expire", before, limit, now)
        gone = min(self.expired, limit)
        self.expired -= gone
        return gone

    async def counts(self) -> Mapping[str, int]:
        self._note("counts")
        return self.figures

    async def unsettled_accounts(self) -> Mapping[str, int]:
        return {}

    async def ping(self) -> None:
        return

    async def discard_reply(
        self, conversation: str, attempt: int, answers: Sequence[str], most: int, usage: Usage | None, money: int, now: Instant
    ) -> OpenWork | None:
        self._note("discard_reply", conversation, attempt, tuple(answers), most, usage, money, now)
        return self.rethinks.pop(0) if self.rethinks else None

    async def begin_tool(
        self, conversation: str, attempt: int, name: str, arguments: str, occurrence: int, now: Instant
    ) -> tuple[ToolRecord, bool]:
        self._note("begin_tool", conversation, attempt, name, arguments, occurrence, now)
        key = (conversation, name, arguments, occurrence)
        if key in self.journal:
            return self.journal[key], False
        self.journal[key] = ToolRecord(len(self.journal) + 1, None)
        return self.journal[key], True

    async def end_tool(self, record: int, result: str, now: Instant) -> None:
        self._note("end_tool", record, result, now)
        key = next(key for key, known in self.journal.items() if known.id == record)
        self.journal[key] = ToolRecord(record, result)

    async def hand_over(self, conversation: str, change: Handoff, now: Instant) -> Sequence[OpenWork]:
        self._note("hand_over", conversation, change, now)
        return [self._work(now)]

    async def hand_back(
        self, conversation: str, by: str, now: Instant, notice: LocalizedContent = MappingProxyType({})
    ) -> OpenWork:
        self._note("hand_back", conversation, by, now)
        return self._work(now)

    async def consent(
        self, conversation: str, opted_out: bool, by: str, how: str, now: Instant, notice: LocalizedContent = MappingProxyType({})
    ) -> OpenWork:
        self._note("consent", conversation, opted_out, by, how, now)
        return self._work(now)

    async def enqueue_messages(
        self,
        conversation: str,
        drafts: Sequence[OutgoingContent],
        purpose: Purpose,
        by: str,
        now: Instant,
        at: Instant | None = None,
    ) -> OpenWork:
        self._note("enqueue_messages", conversation, tuple(drafts), purpose, by, now, at)
        return self._work(now)

    async def note(self, conversation: str, text: str, by: str, now: Instant, *, append: bool = False) -> None:
        self._note("note", conversation, text, by, now, append)

    async def unhealthy(
        self, now: Instant, unanswered: Milliseconds, person: Milliseconds, limit: int
    ) -> Sequence[UnhealthyConversation]:
        return self.ill

    async def timer_view(self, conversation: str, shown: int) -> TimerView | None:
        self._note("timer_view", conversation, shown)
        return self.timing

    async def set_timer(self, conversation: str, due: Instant | None, now: Instant) -> OpenWork:
        self._note("set_timer", conversation, due, now)
        return self._work(now)

    async def follow_up(self, conversation: str, draft: OutgoingContent, silent_since: Instant, now: Instant) -> OpenWork:
        self._note("follow_up", conversation, draft, silent_since, now)
        return self._work(now)

    async def close_conversation(self, conversation: str, silent_since: Instant, now: Instant) -> OpenWork:
        self._note("close_conversation", conversation, silent_since, now)
        return self._work(now)

    async def queue_scheduled(self, conversation: str, now: Instant) -> OpenWork:
        self._note("queue_scheduled", conversation, now)
        return self._work(now)

    async def unsummarised_messages(self, conversation: str, shown: int, limit: int) -> tuple[str, Sequence[HistoryMessage]]:
        self._note("unsummarised_messages", conversation, shown, limit)
        return self.older

    async def save_summary(
        self, conversation: str, text: str, upto: str, usage: Usage | None, money: int, periods: tuple[str, ...], now: Instant
    ) -> None:
        self._note("save_summary", conversation, text, upto, usage, money, periods, now)

    async def ai_usage(self, period: str) -> Mapping[str, int]:
        return {}


# ── channels and responders ───────────────────────────────────────────────────────────────────────────────────────────────


class FakeChannel(Channel):
    """Accepts what it is to send, or raises the next of `errors`; makes of a request what `understands` says."""

    def __init__(self, account: str = ACCOUNT) -> None:
        self.account = account
        self.webhook = "/webhook/messages"
        self.errors: deque[Exception] = deque()
        self.sending: Callable[[], Awaitable[None]] | None = None
        self.sent: list[tuple[str, str]] = []
        self.asked: list[Request] = []
        self.understands: Callable[[Request], WebhookResult] = lambda _: WebhookResult(verified=True)
        self.verifies: Callable[[Request], bool] = lambda _: True

    def verify(self, request: Request) -> bool:
        return self.verifies(request)

    def receive(self, request: Request) -> WebhookResult:
        self.asked.append(request)
        return self.understands(request)

    async def send(self, part: OutboundMessage, attempt_id: str) -> SendResult:
        self.sent.append((part.id, attempt_id))
        if self.sending is not None:
            await self.sending()
        if self.errors:
            raise self.errors.popleft()
        return SendResult(f"provider-{attempt_id}")


class FakeResponder(Responder):
    """Says what it was told to say, in turn, and the last thing for ever; an exception is raised."""

    def __init__(self, *says: str | Reply | Exception) -> None:
        self.says: deque[str | Reply | Exception] = deque(says or ["Hi!"])
        self.turns: list[Turn] = []
        self.boxes: list[ToolCaller | None] = []
        self.thinking: Callable[[], Awaitable[None]] | None = None

    async def answer(self, turn: Turn, tools: ToolCaller | None = None) -> Reply:
        self.turns.append(turn)
        self.boxes.append(tools)
        if self.thinking is not None:
            await self.thinking()
        said = self.says.popleft() if len(self.says) > 1 else self.says[0]
        if isinstance(said, Exception):
            raise said
        return Reply((OutgoingContent(said),)) if isinstance(said, str) else said


class Listener:
    """A plugin that writes down the moments it is told of."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    @hookimpl
    async def message_received(self, message: StoredMessage) -> None:
        self.told.append(("message_received", message.id))

    @hookimpl
    async def delivery_changed(self, message: StoredMessage, receipt: Any) -> None:
        self.told.append(("delivery_changed", (message.id, receipt.status)))

    @hookimpl
    async def reply_ready(self, conversation: str, answers: Sequence[str]) -> None:
        self.told.append(("reply_ready", (conversation, list(answers))))

    @hookimpl
    async def message_sent(self, message: StoredMessage) -> None:
        self.told.append(("message_sent", message.id))

    @hookimpl
    async def job_finished(self, event: Any) -> None:
        self.told.append(("job_finished", (event.what, event.job.key)))


# ── a house ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


WORDS = KeywordMatcher()
"""Those of all languages. Building them takes longer than most tests, and they never change."""


@dataclass
class House:
    """The core's rooms need these; one channel named `support`, answered by `assistant`."""

    responders: Mapping[str, Responder] = field(default_factory=lambda: {"assistant": FakeResponder()})
    policy: ConversationSettings = field(default_factory=lambda: ConversationSettings(responder="assistant"))
    folder: Path = Path("media")
    tools: Mapping[str, Tool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.problems = ProblemRegistry(self.clock)
        self.store = FakeStore()
        self.queue = MemoryQueue(self.clock)
        self.channel = FakeChannel()
        self.route = ChannelBinding("support", self.channel, self.policy, self.responders)
        self.routes = ChannelBindings([self.route])
        self.notifier = JobNotifier(self.queue, self.routes.lanes_of)
        self.lanes = LaneBreaker(self.queue, self.problems, self.clock)
        self.plugins = Plugins(None)
        self.call_guard = CallGuard(self.problems)
        self.hooks = Hooks(self.plugins, self.problems, call_guard=self.call_guard)
        names = itertools.count(1)
        self.texts = MessageCatalog()
        self.handing = HandoffFactory(self.routes, self.texts)
        self.reporting = Reporting(self.problems, self.hooks)
        self.manners = ReplyServices(self.texts, AIBudget(BudgetSettings()), self.handing)
        self.rules = InboundRules(WORDS, self.texts, self.handing)
        self.files = MediaStore(
            self.folder, self.store, MediaSettings(), self.problems, self.clock, lambda: f"file{next(names)}", self.call_guard
        )

    @property
    def routing(self) -> Routing:
        """Where the work of the moment goes."""
        return Routing(self.routes, self.notifier, self.lanes)

    @property
    def answering(self) -> Answering:
        """How an answer is made with the responders and tools of the moment."""
        return Answering(
            ResponderPool(self.call_guard, self.downloads, self.lanes, self.problems),
            ToolCalls(self.store, self.tools, self.call_guard, self.problems, self.clock),
            TypingIndicator(self.call_guard),
        )

    @property
    def inbound(self) -> InboundHandler:
        """What accepts a webhook's contents."""
        return InboundHandler(self.store, self.routing, self.reporting, self.rules, self.downloads.notice, self.clock)

    @property
    def downloads(self) -> MediaDownloads:
        """The downloads of the routes of the moment."""
        return MediaDownloads(self.store, self.files, self.routes, self.problems, self.clock, self.call_guard)

    def listens(self) -> Listener:
        """A plugin that is told of every moment."""
        listener = Listener()
        self.plugins.manager.register(listener, name="listener")
        return listener

    def listed(self) -> dict[str, int]:
        """The problems of the moment, and how often each was met."""
        return {problem.key: problem.count for problem in self.problems}


def job(kind: str = "deliver", key: str = CONVERSATION, lane: str = "deliver:support", failures: int = 0) -> Job:
    """A claimed wake."""
    return Job(kind, key, lane, NOW, failures=failures)
