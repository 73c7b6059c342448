"""The reply job: unanswered messages → gates → responder → saved reply."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import structlog

from sara.domain.conversations import Handoff, OneTimeNotice
from sara.domain.errors import (
    CommitUnknown,
    Conflict,
    ContentRefused,
    GiveUp,
    OverBudget,
    RetryLater,
    SaraError,
    StoreUnavailable,
)
from sara.domain.jobs import Done, Job, JobEnd, OpenWork, Reschedule
from sara.domain.messages import OutgoingContent
from sara.domain.problems import DAY
from sara.domain.replies import Reply, ReplySideEffects, ReplyView, ToolContext
from sara.domain.time import Instant
from sara.pipeline.bindings import ChannelBinding
from sara.pipeline.handoff import compose_notice
from sara.pipeline.media_downloads import wait_for_files
from sara.pipeline.responder_pool import ResponderPool
from sara.pipeline.services import Backoff, ReplyServices, Reporting, Routing
from sara.pipeline.tool_calls import ToolCalls, TurnTools
from sara.pipeline.turns import drafts_of, transcripts_of, turn_of
from sara.pipeline.typing_indicator import TypingIndicator
from sara.plugins.context import Clock
from sara.plugins.responder import HistoryLimits
from sara.plugins.store import Store
from sara.policy import context_window, reply_gates, retry, timers
from sara.policy.retry import ResponderCrashed
from sara.queue.circuit_breaker import PROBE_LONGEST

if TYPE_CHECKING:
    pass

log = structlog.get_logger("sara.pipeline.reply")

_SKIPPED: Mapping[str, tuple[str, str]] = {
    "too_old": (
        "messages older than max_age arrived and were left unanswered",
        "expected after an outage; otherwise check this machine's clock",
    ),
    "over_limit": (
        "customers write more than `limits` allow; the messages above the limits are left unanswered",
        "see who writes with `sara conversations list`; raise `limits` if this traffic is legitimate",
    ),
}
"""Problem and remedy by the reason for which messages are not answered."""

MOST_RETHOUGHT = 2
"""Maximum number of answers to the same messages that are dropped because more was written."""


@dataclass(frozen=True, slots=True)
class Answering:
    """How one answer is made: the responders that are asked, the tools they may call, the typing indicator meanwhile."""

    responders: ResponderPool
    tools: ToolCalls
    typing: TypingIndicator


class ReplyHandler:
    """Answers the unanswered messages of a conversation."""

    def __init__(
        self,
        store: Store,
        routing: Routing,
        reporting: Reporting,
        answering: Answering,
        services: ReplyServices,
        backoff: Backoff,
        clock: Clock,
    ) -> None:
        self._store = store
        self._notifier = routing.notifier
        self._routes = routing.bindings
        self._lanes = routing.lanes
        self._hooks = reporting.hooks
        self._problems = reporting.problems
        self._responders = answering.responders
        self._tools = answering.tools
        self._typing = answering.typing
        self._services = services
        self._policy = backoff.policy
        self._chance = backoff.chance
        self._clock = clock
        # One more than is shown: so it is seen whether something was cut off before it.
        self._limits = HistoryLimits(
            messages=max((route.policy.history.messages for route in routing.bindings), default=0) + 1,
            counted=max((reply_gates.counted(route.policy) for route in routing.bindings), default=0),
        )

    async def close(self) -> None:
        """Wait a moment for the read marks under way."""
        await self._typing.close()

    async def __call__(self, job: Job) -> JobEnd:
        """Look at the conversation `job.key` and do what is due."""
        now = self._clock()
        view = await self._store.reply_view(job.key, self._limits)
        if view is None:
            return Done()
        ordered = context_window.in_order_of_writing
        view = replace(view, waiting=ordered(view.waiting), history=ordered(view.history))
        if self._lanes.let_go(view.conversation, view.due):
            view = replace(view, due=now)
        route = self._routes.of(view.account)
        if route is None:
            return Done()
        if not view.waiting:
            return _end(await self._store.close_turn(job.key, (), "skipped", "", now)) if view.due is not None else Done()
        if not route.responders:
            return await self._wait(view, reply_gates.Defer(now + reply_gates.BLOCKED_LOOK, blocked=True), now)
        facts = reply_gates.GateContext(now, self._lanes.held(route.deliver_lane))
        return await self._follow(view, route, reply_gates.decide(view, route.policy, facts, self._services.gates), now)

    async def _follow(self, view: ReplyView, route: ChannelBinding, decision: reply_gates.Decision, now: Instant) -> JobEnd:
        """Do what the gates said."""
        match decision:
            case reply_gates.Defer():
                held = view.delivery == "clear" and self._lanes.held(route.deliver_lane)
                return await self._wait(view, decision, now, route.deliver_lane if held else None)
            case reply_gates.Skip():
                return await self._skip(view, decision, None, now)
            case reply_gates.SendNotice():
                said = self._said(view, route, decision)
                if isinstance(decision.then, reply_gates.Skip):
                    return await self._skip(view, decision.then, said, now)
                await self._wake_delivery(await self._store.close_turn(view.conversation, (), "skipped", "", now, said=said))
                return await self._follow(view, route, decision.then, now)
        return await self._answer(view, route, now)

    def _said(self, view: ReplyView, route: ChannelBinding, say: reply_gates.SendNotice) -> OneTimeNotice:
        words = self._services.texts.render(say.key, view.contact.language or route.policy.language, **say.values)
        return OneTimeNotice(say.key, tuple(route.channel.compose(OutgoingContent(words))), say.since)

    async def _skip(self, view: ReplyView, skip: reply_gates.Skip, said: OneTimeNotice | None, now: Instant) -> JobEnd:
        log.info("messages_skipped", conversation=view.conversation, reason=skip.reason, messages=len(skip.messages))
        if skip.reason in _SKIPPED:
            what, remedy = _SKIPPED[skip.reason]
            self._problems.report(f"replies:{skip.reason}", what, remedy, severity="warning", lasts=DAY)
        work = await self._store.close_turn(view.conversation, skip.messages, "skipped", skip.reason, now, said=said)
        await self._wake_delivery(work)
        return _end(work)

    async def _wait(self, view: ReplyView, wait: reply_gates.Defer, now: Instant, on: str | None = None) -> JobEnd:
        """Look again later, or as soon as something goes through the lane that it waits for."""
        if not wait.blocked:
            return Reschedule(wait.until)
        if on is not None:
            self._lanes.wait(on, view.conversation, view.waiting[0].at, wait.until)
        why = (wait.reason,) if wait.reason else ()
        await self._store.reschedule(view.conversation, "reply", wait.until, now, *why)
        if view.delivery != "clear":
            # What was in the way may have gone before that was written, and then no job would be scheduled.
            again = await self._store.reply_view(view.conversation, HistoryLimits(messages=0))
            if again is not None and again.delivery == "clear":
                await self._store.reschedule(view.conversation, "reply", now, now)
                return Reschedule(now)
        return Reschedule(wait.until)

    async def _answer(self, view: ReplyView, route: ChannelBinding, now: Instant) -> JobEnd:
        answers = [line.id for line in view.waiting]
        services = self._services
        turn = turn_of(view, route, now)
        reserve = services.budget.reserve((*turn.history, *turn.messages), now)
        try:
            attempt = await self._store.begin_reply(view.conversation, answers, now, reserve)
        except OverBudget as error:
            return await self._over_budget(view, route, error, now)
        self._lanes.prepares(route.deliver_lane)
        try:
            async with self._typing.active(route, view.waiting, lambda: self._is_wanted(view.conversation)):
                until = asyncio.get_running_loop().time() + wait_for_files(view, now) / 1_000
                with self._lanes.trying(route.reply_lane):
                    reply, toolbox = await self._responders.ask(
                        route, turn, partial(self._toolbox, view, route, attempt, now), until
                    )
            drafts = drafts_of(route, reply)
            cost = services.budget.cost(reply.usage)
            self._tell_unpriced(reply)
            if route.policy.on_new_message == "restart" and toolbox.wanted is None:
                again = await self._store.discard_reply(
                    view.conversation, attempt, answers, MOST_RETHOUGHT, reply.usage, cost, self._clock()
                )
                if again is not None:
                    log.info("reply_restarted", conversation=view.conversation)
                    return _end(again)
            done = self._clock()
            timer = timers.first_look(route.policy, done)
            effects = ReplySideEffects(cost, self._wanted(view, route, toolbox, done), timer, transcripts_of(reply))
            work, *others = await self._store.save_reply(view.conversation, attempt, answers, drafts, reply.usage, done, effects)
        except (RetryLater, GiveUp) as error:
            return await self._failed(view, route, attempt, answers, error)
        except Conflict as error:
            log.info("reply_conflict", conversation=view.conversation, reason=str(error))
            return Reschedule(self._clock())
        except (StoreUnavailable, CommitUnknown):
            raise
        except Exception as error:
            log.exception("reply_invalid", conversation=view.conversation)
            return await self._failed(
                view, route, attempt, answers, ResponderCrashed(f"the answer could not be used: {type(error).__name__}")
            )
        await self._wake_delivery(work, *others)
        self._lanes.record_success(route.reply_lane, view.conversation, self._clock())
        self._hooks.call_soon("reply_ready", conversation=view.conversation, answers=answers)
        return _end(work)

    async def _is_wanted(self, conversation: str) -> bool:
        """Return whether an answer in the making may still be said: the customer may have asked for silence or a person meanwhile."""
        try:
            view = await self._store.reply_view(conversation, HistoryLimits(messages=0))
        except SaraError:
            return False
        return view is not None and view.mode == "bot" and not view.opted_out

    def _toolbox(
        self, view: ReplyView, route: ChannelBinding, attempt: int, now: Instant, claim: Callable[[], None]
    ) -> TurnTools:
        scope = ToolContext(view.conversation, view.account, view.contact, now)
        return self._tools.for_turn(route.policy.tools, attempt, scope, claim)

    def _wanted(self, view: ReplyView, route: ChannelBinding, toolbox: TurnTools, now: Instant) -> Handoff | None:
        """Return the handoff that the model asked for."""
        if toolbox.wanted is None:
            return None
        log.info("handoff_started", conversation=view.conversation, by="assistant")
        name = view.contact.name or view.contact.username
        return self._services.handoffs.start(route, "assistant", toolbox.wanted, name, now, announced=True)

    async def _over_budget(self, view: ReplyView, route: ChannelBinding, error: OverBudget, now: Instant) -> JobEnd:
        self._problems.report(
            "ai:budget:limit_reached",
            f"{error}; messages are stored and not answered",
            "raise the limit under `budget`, or wait for the next period",
            lasts=DAY,
        )
        say = reply_gates.SendNotice("busy", reply_gates.Allow(), now - reply_gates.HOUR)
        skip = reply_gates.Skip(tuple(line.id for line in view.waiting), "over_budget")
        return await self._skip(view, skip, self._said(view, route, say), now)

    def _tell_unpriced(self, reply: Reply) -> None:
        if reply.usage is not None and self._services.budget.has_no_price(reply.usage):
            self._problems.report(
                "ai:budget:price_missing",
                f"the model {reply.usage.model or '?'} has no price; its cost is not counted towards the budget",
                "add it to `prices` under `budget`; a prefix of its name is enough",
                severity="warning",
                lasts=DAY,
            )

    async def _failed(
        self, view: ReplyView, route: ChannelBinding, attempt: int, answers: list[str], error: RetryLater | GiveUp
    ) -> JobEnd:
        now = self._clock()
        calls = view.attempts + 1
        decision = retry.GiveUpRetrying("given_up") if isinstance(error, GiveUp) else self._again(view, route, error, calls, now)
        if isinstance(error, GiveUp):
            self._lanes.record_success(
                route.reply_lane, view.conversation, now
            )  # a refusal is an answer too: the other end is there
        if isinstance(decision, retry.GiveUpRetrying):
            log.error("reply_failed", conversation=view.conversation, calls=calls, error=str(error))
            self._problems.report(
                "replies:failed",
                f"messages could not be answered: {error}",
                "list them with `sara queue list` and retry them with `sara queue retry`",
                lasts=DAY,
                detail=error.detail,
            )
            key = "fallback" if isinstance(error, GiveUp) else "apology"
            words = self._services.texts.render(key, view.contact.language or route.policy.language)
            tells = route.policy.apologise or isinstance(error, ContentRefused)
            sorry = [compose_notice(route.channel, words)] if tells and not view.apologised else []
            reason = f"{decision.reason}: {_in_full(error)}"
            work = await self._store.close_turn(view.conversation, answers, "dead", reason, now, sorry)
            await self._wake_delivery(work)
            return _end(work)
        # What a person has to mend says nothing about these messages, however often the call is made meanwhile.
        charged = isinstance(error, RetryLater) and not _is_refused(error)
        try:
            await self._store.fail_reply_attempt(view.conversation, attempt, decision.at, _in_full(error), now, charged)
        except Conflict:
            return Reschedule(now)
        return Reschedule(decision.at)

    def _again(
        self, view: ReplyView, route: ChannelBinding, error: RetryLater, calls: int, now: Instant
    ) -> retry.RetryAt | retry.GiveUpRetrying:
        """Decide when to ask again, and apply the failure to the lane of the responder."""
        lane = route.reply_lane
        if _is_refused(error):
            told = f"{route.policy.responder} cannot answer, and messages wait: {error}"
            remedy = "correct the cause there; the waiting messages are then answered"
            alone = self._lanes.refused(lane, told, remedy, view.conversation)
            # Where the lane is held: due now, and so the last of those that wait; another one is the next probe.
            return retry.RetryAt(now + retry.back_off(self._policy, alone + 1) if alone else now)
        failures, most = calls, None
        if error.scope == "responder":
            alone = self._lanes.record_failure(lane, str(error), view.conversation, is_first=calls == 1)
            failures, most = (max(alone + 1, min(calls, 4)), None) if alone else (calls, PROBE_LONGEST)
        failed = retry.FailedCalls(
            calls=calls,
            first_at=view.first_at or now,
            failures=failures,
            is_message_at_fault=isinstance(error, ResponderCrashed),
            until_mended=error.until_mended,
            after=error.after,
            longest=most,
        )
        decision = retry.decide(self._policy, failed, now, self._chance())
        if most is not None and isinstance(decision, retry.RetryAt):
            if error.after is None:
                # A call that hung has taken its rest itself.
                soon = max(now + self._policy.initial_delay, decision.at - (now - self._lanes.begun(lane)))
                decision = retry.RetryAt(min(decision.at, soon))
            self._lanes.wait(lane, view.conversation, view.waiting[0].at, decision.at)
        return decision

    async def _wake_delivery(self, *work: OpenWork) -> None:
        await self._notifier.notify(work, besides="reply")


def _is_refused(error: RetryLater) -> bool:
    """Return whether no question can be answered until a person fixes something."""
    return error.until_mended and error.scope == "responder"


def _in_full(error: RetryLater | GiveUp) -> str:
    """Return the failure with the other side's own words: for the store, never for the log."""
    return f'{error} (it said: "{error.detail}")' if error.detail else str(error)


def _end(work: OpenWork) -> JobEnd:
    return Done() if work.reply_due is None else Reschedule(work.reply_due)
