"""What the timers of a conversation call for: pure functions of what the store knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from sara.domain.conversations import TimerView
from sara.domain.time import Instant, Milliseconds

if TYPE_CHECKING:
    from sara.policy.settings import ConversationSettings

Act: TypeAlias = Literal["hand_back", "release", "follow_up", "close", "summarise", "look"]

UNSENT_LOOK: Milliseconds = 300_000
"""How soon to look again at a conversation in which something of ours is still to be sent."""


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be done, and when."""

    at: Instant
    act: Act


def decide(
    view: TimerView, policy: ConversationSettings, window: Milliseconds | None, now: Instant, but: Act | None = None
) -> Due | None:
    """Return the next thing that the timers call for, now or later, and that is not `but`; None for nothing until something
    happens."""
    found = [
        *_back(view),
        *_scheduled(view),
        *_asking(view, policy, window, now),
        *_closing(view, policy),
        *_summing(view, policy, now),
    ]
    return min((due for due in found if due.act != but), key=lambda due: due.at, default=None)


def first_look(policy: ConversationSettings, now: Instant) -> Instant | None:
    """Return when to check the timers after an answer; None where the policy has none."""
    looks = [now] if policy.history.summarise else []
    looks += [now + policy.follow_up.after] if policy.follow_up is not None else []
    looks += [now + policy.session_timeout] if policy.session_timeout is not None else []
    return min(looks, default=None)


def shown(policy: ConversationSettings) -> int:
    """Return how many of the newest messages a summary leaves out: half of the history, so that none leaves the history before it
    is summed up."""
    return max(1, policy.history.messages // 2)


def _back(view: TimerView) -> list[Due]:
    return [Due(view.mode_until, "hand_back")] if view.mode != "bot" and view.mode_until is not None else []


def _scheduled(view: TimerView) -> list[Due]:
    return [Due(view.scheduled, "release")] if view.scheduled is not None else []


def _asking(view: TimerView, policy: ConversationSettings, window: Milliseconds | None, now: Instant) -> list[Due]:
    """Ask once more after the customer fell silent, while the reply window is open."""
    wanted = policy.follow_up
    if wanted is None or view.mode != "bot" or view.opted_out or view.followed_up or view.closed or view.waiting:
        return []
    if view.unsent:
        return [Due(now + UNSENT_LOOK, "look")]
    if view.ours_at is None or (view.customer_at is not None and view.customer_at > view.ours_at):
        return []
    at = view.ours_at + wanted.after
    ends = None if window is None else (view.window_from or 0) + window
    return [] if ends is not None and max(at, now) >= ends else [Due(at, "follow_up")]


def _closing(view: TimerView, policy: ConversationSettings) -> list[Due]:
    last = max(view.ours_at or 0, view.customer_at or 0)
    if policy.session_timeout is None or view.closed or view.waiting or view.unsent or not last:
        return []
    return [Due(last + policy.session_timeout, "close")]


def _summing(view: TimerView, policy: ConversationSettings, now: Instant) -> list[Due]:
    enough = max(1, policy.history.messages - shown(policy))
    return [Due(now, "summarise")] if policy.history.summarise and view.older >= enough else []
