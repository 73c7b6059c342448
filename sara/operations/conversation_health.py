"""Conversations that need a person: a problem while there are any, and a figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import structlog

from sara.domain.conversations import UnhealthyConversation
from sara.operations.problem_registry import ProblemRegistry
from sara.pipeline.bindings import ChannelBindings
from sara.plugins.context import Clock
from sara.plugins.store import Store

log = structlog.get_logger("sara.operations.conversation_health")

CHECK_EVERY_S = 30.0
"""Seconds between two checks."""

MOST = 1_000

WORDS: Mapping[str, str] = {
    "unanswered": "has waited too long for an answer",
    "failing": "has messages that could not be answered or sent",
    "doubtful": "has messages with unknown delivery",
    "waiting_for_person": "waits for a person",
}


class ConversationHealth:
    """Counts and reports the unhealthy conversations of all channels with one query."""

    def __init__(self, store: Store, routes: ChannelBindings, problems: ProblemRegistry, clock: Clock) -> None:
        self._store = store
        policies = [route.policy for route in routes]
        # One look serves all channels: the most patient of them says when.
        self._unanswered = max((policy.alert_after for policy in policies), default=600_000)
        self._person = max((policy.handoff.late_after for policy in policies), default=1_800_000)
        self._problems = problems
        self._clock = clock
        self.counts: Mapping[str, int] = dict.fromkeys(WORDS, 0)

    async def check(self) -> None:
        """Report the unhealthy conversations, and clear the problems that are solved."""
        self.tell(await self.look())
        await self.forget_mended()

    async def forget_mended(self) -> None:
        """Clear what was reported of messages that were given up, once none is left: retried, dropped, or taken along."""
        dead = [problem.key for problem in self._problems if problem.key == "replies:failed"]
        quarantined = [problem.key for problem in self._problems if problem.key.endswith(":quarantined")]
        if not dead and not quarantined:
            return
        counts = await self._store.counts()
        for keys, state in ((dead, "in.dead"), (quarantined, "in.quarantined")):
            for key in keys if not counts.get(state) else ():
                self._problems.clear(key)

    async def look(self, limit: int = MOST, *, is_asked: bool = False) -> Sequence[UnhealthyConversation]:
        """Return the unhealthy conversations, the longest first. An operator who asks (`is_asked`) sees at once who waits
        for a person; a problem it is after `late_after`."""
        return await self._store.unhealthy(self._clock(), self._unanswered, 0 if is_asked else self._person, limit)

    def tell(self, found: Sequence[UnhealthyConversation]) -> None:
        """Report what is there, and clear what is over."""
        counts: Counter[str] = Counter(each.reason for each in found)
        self.counts = {what: counts[what] for what in WORDS}
        for what, words in WORDS.items():
            if not counts[what]:
                self._problems.clear(f"conversations:{what}")
                continue
            first = next(each for each in found if each.reason == what)
            others = f" and {counts[what] - 1} more" if counts[what] > 1 else ""
            self._problems.report(
                f"conversations:{what}",
                f"{first.conversation}{others} {words}",
                "list them with `sara conversations list --unhealthy`",
                severity="warning",
                count=counts[what],
            )
