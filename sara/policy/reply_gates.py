"""Whether and when a turn is answered: pure functions of what the store knows, each with a reason for `sara why`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from sara.domain.messages import HistoryMessage
from sara.domain.replies import ReplyView
from sara.domain.time import Instant, Milliseconds
from sara.policy import opening_hours as hours

if TYPE_CHECKING:
    from sara.policy.settings import ConversationSettings, Rate


BLOCKED_LOOK: Milliseconds = 30_000
"""How long to wait before looking at a blocked conversation again, if nothing wakes it earlier."""

LANE_LOOK: Milliseconds = 5_000
"""The same while a lane is on hold: nobody wakes each conversation when it is let go."""

TIMER_LOOK: Milliseconds = 5_000
"""The same where a timer is about to hand the conversation back."""

PAUSED_LOOK: Milliseconds = 3_600_000
"""The same while a conversation is paused until somebody says otherwise, who wakes it."""

LATEST: Instant = 2**62
LONGEST_REASON = 500
"""Characters of a reason that a plugin gives."""

MINUTE: Milliseconds = 60_000
HOUR: Milliseconds = 3_600_000
DAY: Milliseconds = 86_400_000


@dataclass(frozen=True, slots=True)
class Allow:
    """Nothing is in the way."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Do not answer these messages; `reason` is stored with them."""

    messages: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Defer:
    """Not yet. `blocked` says that something else than the turn's own clock is in the way. `reason` is why a plugin puts the turn off:
    `sara why` shows it, and the time until then does not count towards `max_age`."""

    until: Instant
    blocked: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SendNotice:
    """Say SARA's own text `key`, unless it was said since `since`, and then go on as `then` says: with `Allow`, as the gates
    behind this one say. `values` fill its braces."""

    key: str
    then: Decision
    since: Instant = 0
    values: Mapping[str, str] = field(default_factory=dict)


Decision: TypeAlias = Allow | Skip | Defer | SendNotice


@dataclass(frozen=True, slots=True)
class GateContext:
    """What a gate may know besides the turn."""

    now: Instant
    lane_held: bool = False


Gate: TypeAlias = "Callable[[ReplyView, ConversationSettings, GateContext], Decision]"
"""Says of a turn whether it is answered now. Pure and quick: it is asked again whenever somebody looks."""


def opt_out(view: ReplyView, policy: ConversationSettings, facts: GateContext) -> Decision:
    """Skip messages of a customer who opted out."""
    return Skip(_all(view), "opted_out") if view.opted_out else Allow()


def handoff(view: ReplyView, policy: ConversationSettings, facts: GateContext) -> Decision:
    """Skip messages where a person answers; let them wait where the conversation is paused."""
    if view.mode == "bot":
        return Allow()
    if view.mode_until is not None and view.mode_until <= facts.now:
        return Defer(facts.now + TIMER_LOOK, blocked=True)
    if view.mode == "human":
        return Skip(_all(view), "human")
    return Defer(view.mode_until or facts.now + PAUSED_LOOK, blocked=True)


def opening_hours(view: ReplyView, policy: ConversationSettings, facts: GateContext) -> Decision:
    """Tell the customer once, outside the opening hours, and answer when it opens."""
    if policy.opening_hours is None or (at := hours.next_opening(policy.opening_hours, facts.now)) is None:
        return Allow()
    then: Allow | Defer = Allow() if policy.opening_hours.answer else Defer(at, blocked=True)
    since = hours.closed_since(policy.opening_hours, facts.now)
    return SendNotice("away", then, since, {"opens": hours.format_opening(policy.opening_hours, at, facts.now)})


def max_age(view: ReplyView, policy: ConversationSettings, facts: GateContext) -> Decision:
    """Skip messages that waited longer than `max_age`; the time in which it was closed does not count."""
    if policy.too_old == "answer":
        return Allow()
    since = {line.id: (line.revived_at or line.at) + put_off(line, view, facts.now) for line in view.waiting}
    oldest = facts.now - policy.max_age
    if policy.opening_hours is not None and not policy.opening_hours.answer:
        oldest = hours.subtract_open_time(policy.opening_hours, facts.now, policy.max_age, min(since.values(), default=facts.now))
    old = tuple(ident for ident, at in since.items() if at < oldest)
    if not old:
        return Allow()
    skip = Skip(old, "too_old")
    return SendNotice("late", skip, facts.now - policy.max_age) if policy.too_old == "apologise" else skip


def put_off(line: HistoryMessage, view: ReplyView, now: Instant) -> Milliseconds:
    """For how long gates of plugins have kept a message waiting."""
    if view.deferred is None:
        return line.deferred
    begun, until = view.deferred
    return line.deferred + max(0, min(now, until) - max(begun, line.revived_at or line.at))


def debounce(view: ReplyView, policy: ConversationSettings, facts: GateContext) -> Decision:
    """Wait until the customer has finished writing; a back-off is not cut short."""
    return Defer(view.due) if view.due is not None and view.due > facts.now else Allow()


def rate_limit(view: ReplyView, policy: ConversationSettings, facts: GateContext) -> Decision:
    """Skip messages above the limits; the customer is told at most once an hour."""
    limits = policy.limits
    channel = limits.channel
    if _is_above(view.on_channel.get("minute", 0), channel.minute) or _is_above(view.on_channel.get("day", 0), channel.day):
        # Not this customer's doing, and they are not told that it is.
        return SendNotice("apology", Skip(_all(view), "over_limit"), facts.now - HOUR)
    above = min(_above(view.recent, limits.person), len(view.waiting))
    if not above:
        return Allow()
    return SendNotice("limit", Skip(_all(view)[-above:], "over_limit"), facts.now - HOUR)


def _above(recent: Sequence[Instant], limit: Rate) -> int:
    """Return how many of the newest messages are above a limit, counted back from the newest."""
    if not recent:
        return 0
    newest = recent[0]
    spans = ((limit.minute, MINUTE), (limit.day, DAY))
    return max([0, *(sum(at > newest - span for at in recent) - most for most, span in spans if most is not None)])


def _is_above(count: int, limit: int | None) -> bool:
    return limit is not None and count > limit


def delivery_blocked(view: ReplyView, policy: ConversationSettings, facts: GateContext) -> Decision:
    """Wait while answers could not leave: the AI is not asked for nothing."""
    if view.delivery != "clear":
        return Defer(facts.now + BLOCKED_LOOK, blocked=True)
    if facts.lane_held:
        return Defer(facts.now + LANE_LOOK, blocked=True)
    return Allow()


def counted(policy: ConversationSettings) -> int:
    """Return how many of the last messages the limits have to see."""
    limits = [limit for limit in (policy.limits.person.minute, policy.limits.person.day) if limit is not None]
    any_channel = policy.limits.channel.minute is not None or policy.limits.channel.day is not None
    return max(limits) + SPARE if limits else int(any_channel)


SPARE = 200
"""So many messages more than a limit are looked at, so that it is seen how many are above it."""


CORE: Sequence[Gate] = (opt_out, handoff, opening_hours, max_age, debounce, rate_limit, delivery_blocked)


def decide(view: ReplyView, policy: ConversationSettings, facts: GateContext, gates: Sequence[Gate] = CORE) -> Decision:
    """Return the first decision that does not let the turn proceed. A notice that was sent already is not sent again; one after
    which the turn may proceed keeps no further gate from being asked."""
    for number, gate in enumerate(gates):
        decision = gate(view, policy, facts)
        if isinstance(decision, SendNotice) and decision.key in view.said and view.said[decision.key] >= decision.since:
            decision = decision.then
        if isinstance(decision, SendNotice) and isinstance(decision.then, Allow):
            return replace(decision, then=decide(view, policy, facts, gates[number + 1 :]))
        if not isinstance(decision, Allow):
            return decision
    return Allow()


def _all(view: ReplyView) -> tuple[str, ...]:
    return tuple(line.id for line in view.waiting)
