"""The timer job: return from a handoff, scheduled messages, follow-up, session end, summary."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from sara.domain.conversations import TimerView
from sara.domain.errors import CommitUnknown, Conflict, GiveUp, RetryLater, SaraError, StoreUnavailable
from sara.domain.jobs import Done, Job, JobEnd, OpenWork, Reschedule
from sara.domain.messages import HistoryMessage, OutgoingContent
from sara.domain.problems import DAY, ProblemReporter, problem_key
from sara.domain.replies import Summary
from sara.domain.text import sanitize_text
from sara.domain.time import Instant, Milliseconds
from sara.pipeline.bindings import ChannelBinding, ChannelBindings
from sara.pipeline.handoff import compose_notice, wording
from sara.pipeline.responder_pool import GRACE
from sara.pipeline.services import ReplyServices
from sara.plugins.call_guard import CallGuard
from sara.plugins.context import Clock
from sara.plugins.store import Store
from sara.policy import context_window, timers
from sara.policy.ai_budget import counted
from sara.queue.notifier import JobNotifier

if TYPE_CHECKING:
    from collections.abc import Sequence

log = structlog.get_logger("sara.pipeline.timers")

NOT_NOW: Milliseconds = 600_000
"""How soon a summary is tried again that could not be written."""

MOST_ACTS = 20
"""Maximum number of actions in one job; the rest is done by the next."""

SUMMED_AT_ONCE = 200
"""Maximum number of messages in one summary."""


class TimerHandler:
    """Runs the timers of a conversation without new messages."""

    def __init__(
        self,
        store: Store,
        notifier: JobNotifier,
        routes: ChannelBindings,
        services: ReplyServices,
        problems: ProblemReporter,
        clock: Clock,
        call_guard: CallGuard,
    ) -> None:
        self._store = store
        self._notifier = notifier
        self._routes = routes
        self._services = services
        self._problems = problems
        self._clock = clock
        self._call_guard = call_guard

    async def __call__(self, job: Job) -> JobEnd:
        """Look at the timers of the conversation `job.key` and do what is due."""
        for _ in range(MOST_ACTS):
            now = self._clock()
            view, route = await self._look(job.key)
            if view is None or route is None:
                return Done()
            due = timers.decide(view, route.policy, route.channel.reply_window, now)
            if due is None or due.at > now:
                return await self._later(view, None if due is None else due.at, now)
            try:
                later = await self._act(due.act, view, route, now)
            except Conflict as error:
                log.info("timer_conflict", conversation=job.key, act=due.act, reason=str(error))
                continue
            if later is not None:
                # What could not be done now keeps nothing else waiting.
                other = timers.decide(view, route.policy, route.channel.reply_window, now, but=due.act)
                return await self._later(view, later if other is None else min(later, other.at), now)
        return Reschedule(self._clock())

    async def _look(self, conversation: str) -> tuple[TimerView | None, ChannelBinding | None]:
        # The policy says how much of the history is shown, and the account, known from the view alone, which policy it is.
        view = await self._store.timer_view(conversation, self._most_shown)
        route = None if view is None else self._routes.of(view.account)
        if view is not None and route is not None and (shown := timers.shown(route.policy)) != self._most_shown:
            view = await self._store.timer_view(conversation, shown)
        return view, route

    @property
    def _most_shown(self) -> int:
        return max((timers.shown(route.policy) for route in self._routes), default=1)

    async def _later(self, view: TimerView, at: Instant | None, now: Instant) -> JobEnd:
        if at != view.due:
            await self._store.set_timer(view.conversation, at, now)
        return Done() if at is None else Reschedule(at)

    async def _act(self, act: timers.Act, view: TimerView, route: ChannelBinding, now: Instant) -> Instant | None:
        """Do it. Returns when to look again, None for at once: something else may be due."""
        silent_since = max(view.customer_at or 0, view.ours_at or 0)
        match act:
            case "hand_back":
                log.info("handoff_ended", conversation=view.conversation)
                notice = wording(self._services.texts, route.channel, "hand_back") if view.mode == "human" else {}
                await self._wake(await self._store.hand_back(view.conversation, "sara", now, notice))
            case "release":
                await self._wake(await self._store.queue_scheduled(view.conversation, now))
            case "follow_up":
                await self._wake(await self._store.follow_up(view.conversation, self._question(view, route), silent_since, now))
            case "close":
                await self._wake(await self._store.close_conversation(view.conversation, silent_since, now))
            case "summarise":
                return await self._summarise(view, route, now)
            case "look":
                return now + timers.UNSENT_LOOK
        return None

    def _question(self, view: TimerView, route: ChannelBinding) -> OutgoingContent:
        wanted = route.policy.follow_up
        if wanted is not None and wanted.text is not None:
            return compose_notice(route.channel, wanted.text)
        words = self._services.texts.render("follow_up", view.contact.language or route.policy.language)
        return compose_notice(route.channel, words)

    async def _wake(self, work: OpenWork) -> None:
        await self._notifier.notify([work], besides="timer")

    # ── summaries ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _summarise(self, view: TimerView, route: ChannelBinding, now: Instant) -> Instant | None:
        spending = self._services.budget
        periods = spending.periods(now)
        if spending.bounded and spending.used_up([dict(await self._store.ai_usage(period)) for period in periods]):
            return now + NOT_NOW
        former, lines = await self._store.unsummarised_messages(view.conversation, timers.shown(route.policy), SUMMED_AT_ONCE)
        if not lines:
            return now + NOT_NOW
        try:
            summary = await self._sum_up(route, context_window.in_order_of_writing(lines), former, now)
        except (StoreUnavailable, CommitUnknown):
            raise
        except SaraError as error:
            log.warning("summary_failed", conversation=view.conversation, error=str(error))
            self._problems.report(
                problem_key("channel", route.name, "summary_failed"),
                f"{route.name}: a conversation could not be summarised: {error}",
                "replies are produced without a summary; remove `history: {summarise: true}` if no responder of this channel can summarise",
                severity="warning",
                lasts=DAY,
            )
            return now + NOT_NOW
        cost = spending.cost(summary.usage)
        await self._store.save_summary(
            view.conversation, sanitize_text(summary.text), lines[-1].id, summary.usage, cost, periods, self._clock()
        )
        self._problems.clear(problem_key("channel", route.name, "summary_failed"))
        return None

    async def _sum_up(self, route: ChannelBinding, lines: Sequence[HistoryMessage], former: str, now: Instant) -> Summary:
        """Ask the responders in turn. Raises RetryLater or GiveUp where none of them did it."""
        failed: SaraError = RetryLater("no responder is running")
        for name, responder in route.responders:
            called = f"responder:{name}"
            if self._call_guard.is_blocked(called):
                continue
            within = responder.timeout + min(GRACE, responder.timeout)
            try:
                summary = await self._call_guard.call(called, responder.summarise(lines, former, now), within)
            except (RetryLater, GiveUp) as error:
                failed = error
            except Exception as error:
                log.exception("summary_exception", responder=name)
                failed = GiveUp(f"{name} broke: {type(error).__name__}")
            else:
                if isinstance(summary, Summary) and summary.text.strip():
                    return replace(summary, usage=counted(summary.usage))
                failed = GiveUp(f"{name} brought no summary")
        raise failed
