"""What is wrong with an account, from the events that its provider told. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sara.domain.time import Milliseconds
from sara.domain.webhooks import AccountEvent

STANDS: Milliseconds = 7 * 86_400_000
"""How long serious news counts, from when it happened, unless other news ends it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Serious news that nothing has ended: the latest event of its kind, and how many there were."""

    event: AccountEvent
    count: int


def standing(events: Iterable[AccountEvent]) -> Mapping[str, Standing]:
    """Return the current restrictions, by kind and subject. Events may come in any order: the time of each decides."""
    found: dict[tuple[str, str], Standing] = {}
    for event in sorted(events, key=lambda each: each.at):
        for kind in event.ends:
            found.pop((kind, event.subject), None)
        if event.serious:
            before = found.get((event.kind, event.subject))
            found[event.kind, event.subject] = Standing(event, 1 if before is None else before.count + 1)
    return {f"{kind}:{subject}" if subject else kind: each for (kind, subject), each in found.items()}
