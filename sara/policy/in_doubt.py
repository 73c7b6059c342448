"""When a doubt ends that no receipt settled. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from sara.domain.delivery import DeliveryView
from sara.domain.time import Instant, Milliseconds

if TYPE_CHECKING:
    from sara.policy.settings import RetryPolicy

BLIND_AFTER: Milliseconds = 15 * 60_000
"""After this long a doubt ends even if no webhook proved that receipts can reach us."""

LOOK: Milliseconds = 5_000
"""How often to look for such a proof once `doubt_timeout` is over."""


@dataclass(frozen=True, slots=True)
class WaitForReceipt:
    """A receipt may still come."""

    until: Instant


@dataclass(frozen=True, slots=True)
class Resolve:
    """Act now. `blind` where the receipts' way was never seen alive since the attempt."""

    action: Literal["resend", "hold"]
    blind: bool


Ending: TypeAlias = WaitForReceipt | Resolve


def decide(
    view: DeliveryView,
    on_doubt: Literal["resend", "hold"],
    doubt_timeout: Milliseconds,
    now: Instant,
    policy: RetryPolicy,
    *,
    correlates: bool,
) -> Ending:
    """Decide about a message in doubt.

    The clock runs from when the doubt arose, which after a crash is the next start: while nobody listened no receipt could come.
    Where receipts carry our attempt id (`correlates`), waiting longer than `doubt_timeout` helps only if their way may be down.
    Templates and people who want no more messages are never sent again.

    Nobody gets more than `policy.attempts` copies that nothing speaks against. Where receipts do come in and none tells of an
    attempt, that speaks against it: such a part is sent again until `policy.max_duration` is over, so that a long outage drains.
    """
    last = view.last
    # A clock that was set back must not prolong a doubt by the step.
    since = now if last is None else min(last.settled_at or last.started_at, now)
    # Each time nobody could tell, it is left twice as long to show.
    hold_ends = since + min(doubt_timeout << min(max(view.doubts - 1, 0), 16), max(doubt_timeout, BLIND_AFTER))
    if now < hold_ends:
        return WaitForReceipt(hold_ends)
    alive = view.webhook_at is not None and view.webhook_at > since
    blind = correlates and not alive
    if blind and now < since + BLIND_AFTER:
        return WaitForReceipt(min(now + LOOK, since + BLIND_AFTER))
    unproven = view.blind + int(blind) if correlates else view.doubts
    exhausted = unproven >= policy.attempts or (view.first_at is not None and now - view.first_at >= policy.max_duration)
    hold = on_doubt == "hold" or "template" in (view.part.purpose, view.part.kind) or view.opted_out or exhausted
    return Resolve("hold" if hold else "resend", blind)
