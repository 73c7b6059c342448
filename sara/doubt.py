"""When a doubt ends that no receipt settled. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from sara.model import DeliveryView, Instant, Millis

BLIND_AFTER: Millis = 15 * 60_000
"""After this long a doubt ends even if no webhook proved that receipts can reach us."""

LOOK: Millis = 5_000
"""How often to look for such a proof once `doubt_hold` is over."""


@dataclass(frozen=True, slots=True)
class KeepWaiting:
    """A receipt may still come."""

    until: Instant


@dataclass(frozen=True, slots=True)
class End:
    """Act now. `blind` where the receipts' way was never seen alive since the attempt."""

    action: Literal["resend", "hold"]
    blind: bool


Ending: TypeAlias = KeepWaiting | End


def decide(
    view: DeliveryView,
    on_doubt: Literal["resend", "hold"],
    doubt_hold: Millis,
    now: Instant,
    *,
    correlates: bool,
    exhausted: bool,
) -> Ending:
    """What to do about a part in doubt.

    The clock runs from when the doubt arose, which after a crash is the next start: while nobody listened no receipt could come.
    Where receipts carry our attempt id (`correlates`), waiting longer than `doubt_hold` helps only if their way may be down.
    Templates, people who want no more messages, and parts whose attempts are used up (`exhausted`) are never sent again.
    """
    last = view.last
    # A clock that was set back must not prolong a doubt by the step.
    since = now if last is None else min(last.settled_at or last.started_at, now)
    # Each time nobody could tell, it is left twice as long to show.
    hold_ends = since + (doubt_hold << min(max(view.doubts - 1, 0), 8))
    if now < hold_ends:
        return KeepWaiting(hold_ends)
    alive = view.webhook_at is not None and view.webhook_at > since
    blind = correlates and not alive
    if blind and now < since + BLIND_AFTER:
        return KeepWaiting(min(now + LOOK, since + BLIND_AFTER))
    hold = on_doubt == "hold" or view.part.purpose == "template" or view.opted_out or exhausted
    return End("hold" if hold else "resend", blind)
