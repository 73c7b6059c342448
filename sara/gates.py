"""Whether and when a turn is answered: pure functions of what the store knows, each with a reason for `sara why`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from sara.model import DeliveryView, Instant, Millis, ReplyView

if TYPE_CHECKING:
    from sara.config import Conversation

BLOCKED_LOOK: Millis = 30_000
"""How long to wait before looking at a blocked conversation again, if nothing wakes it earlier."""


LANE_LOOK: Millis = 5_000
"""The same while a lane is on hold: nobody wakes each conversation when it is let go."""


@dataclass(frozen=True, slots=True)
class Proceed:
    """Nothing is in the way."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Do not answer these messages; `reason` is stored with them."""

    messages: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Not yet. `blocked` says that the delivery, not the clock, is in the way."""

    until: Instant
    blocked: bool = False


Decision: TypeAlias = Proceed | Skip | Wait


@dataclass(frozen=True, slots=True)
class Facts:
    """What a gate may know besides the turn."""

    now: Instant
    lane_held: bool = False


Gate: TypeAlias = "Callable[[ReplyView, Conversation, Facts], Decision]"


def silence(view: ReplyView, policy: Conversation, facts: Facts) -> Decision:
    """A person who opted out gets no answers."""
    return Skip(tuple(line.id for line in view.waiting), "opted_out") if view.opted_out else Proceed()


def age(view: ReplyView, policy: Conversation, facts: Facts) -> Decision:
    """Messages that waited longer than `max_age` are kept, not answered."""
    old = tuple(line.id for line in view.waiting if (line.revived_at or line.at) < facts.now - policy.max_age)
    return Skip(old, "too_old") if old else Proceed()


def quiet(view: ReplyView, policy: Conversation, facts: Facts) -> Decision:
    """A burst is one turn; a back-off is not cut short."""
    return Wait(view.due) if view.due is not None and view.due > facts.now else Proceed()


def blocked(view: ReplyView, policy: Conversation, facts: Facts) -> Decision:
    """The AI is not asked for answers that could not leave."""
    if view.delivery != "clear":
        return Wait(facts.now + BLOCKED_LOOK, blocked=True)
    if facts.lane_held:
        return Wait(facts.now + LANE_LOOK, blocked=True)
    return Proceed()


def window_closed(view: DeliveryView, window: Millis | None, now: Instant) -> bool:
    """Whether a part comes too late for its channel's reply window; a template never does. The customer's own time stamps count,
    so that a message delivered late opens nothing."""
    if window is None or not window_matters(view, window):
        return False
    return view.customer_at is None or now >= view.customer_at + window


def window_matters(view: DeliveryView, window: Millis | None) -> bool:
    """Whether a part needs its channel's reply window to be open at all."""
    return window is not None and view.part.kind != "template"


CORE: Sequence[Gate] = (silence, age, quiet, blocked)


def decide(view: ReplyView, policy: Conversation, facts: Facts, gates: Sequence[Gate] = CORE) -> Decision:
    """What the first gate says that does not let the turn proceed."""
    for gate in gates:
        decision = gate(view, policy, facts)
        if not isinstance(decision, Proceed):
            return decision
    return Proceed()
