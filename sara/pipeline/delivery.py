"""The deliver job: unsent part → attempt → Channel.send → outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import structlog

from sara.domain.delivery import AttemptResult, DeliveryView, SendResult
from sara.domain.errors import (
    ChannelUnavailable,
    Conflict,
    DeliveryUnknown,
    NotSent,
    Rejected,
    ReplyWindowClosed,
    StoreUnavailable,
)
from sara.domain.jobs import Done, Job, JobEnd, OpenWork, Reschedule
from sara.domain.problems import DAY, problem_key
from sara.domain.states import AttemptState, OutboundState
from sara.domain.time import Instant, Milliseconds
from sara.pipeline.bindings import ChannelBinding
from sara.pipeline.receipt_effects import tell_limit
from sara.pipeline.services import Backoff, Reporting, Routing
from sara.plugins.call_guard import CallGuard, describe_failure
from sara.plugins.context import Clock
from sara.plugins.store import Store
from sara.policy import in_doubt, reply_window, retry
from sara.queue.circuit_breaker import PROBE_LONGEST, SEND_WITHIN
from sara.queue.sleep import sleep

log = structlog.get_logger("sara.pipeline.delivery")

LANE_PAUSE: Milliseconds = 5_000
"""How long a lane rests where the other end asks for a pause and does not say how long."""

CONVERSATION_PAUSE: Milliseconds = 6_000
CONVERSATION_PAUSE_LONGEST: Milliseconds = 300_000
"""The same for one conversation; twice as long each time it is asked for again."""

SETTLE_FIRST, SETTLE_LONGEST = 0.2, 5.0
"""Seconds between two tries to record an outcome."""


@dataclass(frozen=True, slots=True)
class AttemptSource:
    """Ids of new send attempts, and the run of the daemon that makes them."""

    new_id: Callable[[], str]
    owner: str


class DeliveryHandler:
    """Sends the unsent parts of a conversation, one after the other."""

    def __init__(
        self,
        store: Store,
        routing: Routing,
        reporting: Reporting,
        backoff: Backoff,
        attempts: AttemptSource,
        call_guard: CallGuard,
        clock: Clock,
    ) -> None:
        self._store = store
        self._notifier = routing.notifier
        self._routes = routing.bindings
        self._lanes = routing.lanes
        self._hooks = reporting.hooks
        self._problems = reporting.problems
        self._policy = backoff.policy
        self._chance = backoff.chance
        self._attempts = attempts
        self._call_guard = call_guard
        self._clock = clock
        # How often in a row the other end asked for a pause in a conversation.
        self._paused: dict[str, int] = {}
        self.draining = False

    async def __call__(self, job: Job) -> JobEnd:
        """Look at the conversation `job.key` and send what is due."""
        while not self.draining:
            view = await self._store.delivery_view(job.key)
            route = None if view is None else self._routes.of(view.part.account)
            if view is None or route is None:
                return Done()
            try:
                end = await self._step(view, route, job)
            except Conflict as error:
                log.info("delivery_conflict", conversation=job.key, part=view.part.id, reason=str(error))
                continue
            if end is not None:
                return end
        return Reschedule(self._clock())

    async def _step(self, view: DeliveryView, route: ChannelBinding, job: Job) -> JobEnd | None:
        """Do what the first unsettled part needs now; None to look at the next at once."""
        now = self._clock()
        part = view.part
        if view.state == "sending":
            # Only this job sends this conversation's parts: whoever left the mark did not live to settle it.
            assert view.last is not None  # noqa: S101  # a part is never `sending` without an attempt
            await self._settle(view.last.id, mark_in_doubt(route, now, "the send was cut off"))
            return None
        if view.state == "in_doubt":
            return await self._end_doubt(view, route, now)
        if view.opted_out and part.purpose in ("reply", "template"):
            return await self._tell_replies(await self._store.cancel_outbound(part.id, "cancelled", "opted_out", now))
        if view.mode != "bot" and part.purpose == "reply":
            # The store ends these when a conversation is handed over; this one came back, from a doubt or by hand.
            state: Literal["cancelled", "parked"] = "cancelled" if view.mode == "human" else "parked"
            reason = "handed_over" if view.mode == "human" else "paused"
            return await self._tell_replies(await self._store.cancel_outbound(part.id, state, reason, now))
        if not view.marketing and part.content.get("category") == "marketing":
            return await self._tell_replies(await self._store.cancel_outbound(part.id, "cancelled", "no_marketing", now))
        if view.not_before > now:
            return Reschedule(view.not_before)
        if self._lanes.on_hold(route.deliver_lane):
            # It keeps its place: whoever has waited longest tries first when the lane opens. In a lane of another name, as before
            # the channel was renamed, it would not be kept waiting.
            return Reschedule(min(job.due, now) if job.lane == route.deliver_lane else now + 1_000)
        if reply_window.window_closed(view, route.channel.reply_window, now):
            return await self._park(view, route, now)
        return await self._send(view, route)

    async def _park(self, view: DeliveryView, route: ChannelBinding, now: Instant) -> JobEnd | None:
        """Too late to write freely: set the part aside until the customer writes, and ask them to, where something is set up."""
        self._problems.report(
            problem_key("channel", route.name, "reply_window_closed"),
            f"{route.name}: the reply window is closed; replies are parked until the customer writes",
            "list them with `sara queue list`; configure a template in the channel's section to ask the customer to write",
            severity="warning",
            lasts=DAY,
        )
        instead = route.channel.reopen_template() if view.part.purpose in ("reply", "operator") else None
        log.info("message_parked", part=view.part.id, reason="window_closed", instead=instead is not None)
        work = await self._store.cancel_outbound(view.part.id, "parked", "window_closed", now, instead)
        return await self._tell_replies(work)

    async def _end_doubt(self, view: DeliveryView, route: ChannelBinding, now: Instant) -> JobEnd | None:
        channel = route.channel
        ending = in_doubt.decide(
            view, channel.on_doubt, channel.doubt_timeout, now, self._policy, correlates=channel.receipts_carry_attempt
        )
        if isinstance(ending, in_doubt.WaitForReceipt):
            work = await self._store.reschedule(view.part.conversation, "deliver", ending.until, now)
            return Done() if work.deliver_due is None else Reschedule(min(ending.until, work.deliver_due))
        log.warning("in_doubt_resolved", part=view.part.id, action=ending.action, blind=ending.blind)
        return await self._tell_replies(await self._store.resolve_in_doubt(view.part.id, ending.action, ending.blind, now))

    async def _send(self, view: DeliveryView, route: ChannelBinding) -> JobEnd | None:
        if self._call_guard.is_blocked(route.called):
            # Before the `sending` mark: no attempt is made of it. The next look finds the lane held.
            self._lanes.block(
                route.deliver_lane,
                f"{route.name} cannot send: too many of its calls do not end",
                "restart SARA to end them; update or replace the channel's plugin",
            )
            return None
        attempt = self._attempts.new_id()
        await self._store.begin_attempt(view.part.id, attempt, self._attempts.owner, self._clock())
        self._lanes.track(route.deliver_lane, attempt)
        begun = self._clock()
        with self._lanes.trying(route.deliver_lane):
            outcome = await self._try(view, route, attempt, begun)
        work = await self._settle(attempt, outcome)
        if outcome.state in ("accepted", "refused") or outcome.closes_window:
            # A refusal is an answer too: the other end is there.
            if outcome.external_id is not None:
                self._lanes.track(route.deliver_lane, outcome.external_id)
            self._lanes.record_success(route.deliver_lane, view.part.conversation, begun)
        if outcome.state in ("accepted", "refused"):
            self._paused.pop(view.part.conversation, None)
        if outcome.state == "accepted":
            if self._hooks.has_any("message_sent"):
                message = await self._store.find(view.part.id)
                self._hooks.call_soon("message_sent", message=message)
        else:
            log.warning("send_failed", part=view.part.id, attempt=attempt, outcome=outcome.state, error=outcome.error)
        return await self._tell_replies(work)

    async def _try(self, view: DeliveryView, route: ChannelBinding, attempt: str, begun: Instant) -> AttemptResult:
        """Send, and say what the outcome means. Cancellation leaves the `sending` mark: the next start finds it in doubt."""
        try:
            accepted = await self._call_guard.call(route.called, route.channel.send(view.part, attempt), SEND_WITHIN)
            if not isinstance(accepted, SendResult):
                raise DeliveryUnknown(f"the channel answered with a {type(accepted).__name__}")
            return AttemptResult(
                AttemptState.ACCEPTED, OutboundState.ACCEPTED, external_id=accepted.external_id, recipient=accepted.recipient
            )
        except NotSent as error:
            return self._not_sent(view, route, error, begun)
        except ReplyWindowClosed as error:
            if not reply_window.window_matters(view, route.channel.reply_window):
                return self._refused(route, error)
            # If the customer has written since, it is tried again after a pause; else it is parked at the next look.
            wait = self._conversation_pause(view, None)
            return AttemptResult(
                AttemptState.NOT_SENT,
                OutboundState.QUEUED,
                self._clock() + wait,
                charged=False,
                error=str(error),
                details=error.details,
                closes_window=True,
            )
        except Rejected as error:
            return self._refused(route, error)
        except ChannelUnavailable as error:
            self._lanes.block(route.deliver_lane, f"{route.name} cannot send: {error}", error.remedy)
            return AttemptResult(
                AttemptState.NOT_SENT, OutboundState.QUEUED, self._clock(), charged=False, error=str(error), details=error.details
            )
        except DeliveryUnknown as error:
            self._stumbled(view, route, str(error), begun)
            return mark_in_doubt(route, self._clock(), str(error), error.details)
        except Exception as error:
            log.exception("channel_exception", channel=route.name, part=view.part.id)
            told = f"the channel {describe_failure(error)}"
            self._stumbled(view, route, told, begun)
            return mark_in_doubt(route, self._clock(), told)

    def _refused(self, route: ChannelBinding, error: Rejected | ReplyWindowClosed) -> AttemptResult:
        self._problems.report(
            problem_key("channel", route.name, "message_rejected"),
            f"{route.name} rejected a message: {error}",
            "see `sara why`; the rest of the conversation is delivered",
            severity="warning",
            lasts=DAY,
        )
        return AttemptResult(AttemptState.REFUSED, OutboundState.FAILED, error=str(error), details=error.details)

    def _not_sent(self, view: DeliveryView, route: ChannelBinding, error: NotSent, begun: Instant) -> AttemptResult:
        now = self._clock()
        if error.scope == "channel":
            told = f"{route.name} has to wait: {error}"
            self._lanes.throttle(route.deliver_lane, error.after or LANE_PAUSE, told, error.remedy)
            return AttemptResult(
                AttemptState.NOT_SENT, OutboundState.QUEUED, now, charged=False, error=str(error), details=error.details
            )
        if error.remedy:
            tell_limit(self._problems, route, str(error), error.remedy)
        if error.scope == "conversation":
            wait = self._conversation_pause(view, error.after)
            return AttemptResult(
                AttemptState.NOT_SENT, OutboundState.QUEUED, now + wait, charged=False, error=str(error), details=error.details
            )
        calls, most = view.attempts + 1, None
        failures = calls
        if not error.message_at_fault:
            alone = self._stumbled(view, route, str(error), begun)
            failures, most = (max(alone + 1, min(calls, 4)), None) if alone else (calls, PROBE_LONGEST)
        failed = retry.FailedCalls(
            calls=calls,
            first_at=view.first_at or now,
            failures=failures,
            is_message_at_fault=error.message_at_fault,
            after=error.after,
            longest=most,
        )
        decision = retry.decide(self._policy, failed, now, self._chance())
        if isinstance(decision, retry.GiveUpRetrying):
            self._problems.report(
                problem_key("channel", route.name, "message_unsent"),
                f"{route.name}: a message could not be sent: {error}",
                "find it with `sara queue list` and send it again with `sara queue retry`",
                lasts=DAY,
            )
            return AttemptResult(
                AttemptState.NOT_SENT, OutboundState.FAILED, error=f"{decision.reason}: {error}", details=error.details
            )
        return AttemptResult(AttemptState.NOT_SENT, OutboundState.QUEUED, decision.at, error=str(error), details=error.details)

    def _stumbled(self, view: DeliveryView, route: ChannelBinding, how: str, begun: Instant) -> int:
        is_first = view.attempts == 0 and view.doubts == 0
        return self._lanes.record_failure(route.deliver_lane, how, view.part.conversation, is_first=is_first, begun=begun)

    def _conversation_pause(self, view: DeliveryView, after: Milliseconds | None) -> Milliseconds:
        """Return how long a conversation has to wait now; twice as long each time in a row."""
        paused = self._paused.get(view.part.conversation, 0)
        self._paused[view.part.conversation] = paused + 1
        return min((after or CONVERSATION_PAUSE) << min(paused, 16), CONVERSATION_PAUSE_LONGEST)

    async def _settle(self, attempt: str, outcome: AttemptResult) -> OpenWork:
        """Record an outcome that cannot be found out again: while the store cannot take it, it is held here and offered again.

        Given up only when the daemon drains; the next start then finds the attempt in doubt.
        """
        wait = SETTLE_FIRST
        while True:
            try:
                return await self._store.record_attempt(attempt, outcome, self._clock())
            except StoreUnavailable:
                if self.draining:
                    raise
                log.warning("attempt_record_retried", attempt=attempt)
                await sleep(wait)
                wait = min(wait * 2, SETTLE_LONGEST)

    async def _tell_replies(self, work: OpenWork) -> JobEnd | None:
        """Wake an answer that waited for this delivery, then look at the next part."""
        if work.reply_due is not None:
            await self._notifier.notify([work], besides="deliver")
        return Done() if work.deliver_due is None else None


def mark_in_doubt(route: ChannelBinding, now: Instant, error: str, details: str = "") -> AttemptResult:
    """Return the result of an attempt whose delivery is unknown: checked after `doubt_timeout`, or when a receipt arrives."""
    return AttemptResult(
        AttemptState.IN_DOUBT, OutboundState.IN_DOUBT, now + route.channel.doubt_timeout, error=error, details=details
    )
