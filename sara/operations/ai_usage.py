"""AI usage of the current day and month."""

from __future__ import annotations

from collections.abc import Mapping

from sara.plugins.context import Clock
from sara.plugins.store import Store
from sara.policy.ai_budget import AIBudget


class AIUsage:
    """Reads the stored AI usage of the periods that a budget limits."""

    def __init__(self, store: Store, budget: AIBudget, clock: Clock) -> None:
        self._store = store
        self._budget = budget
        self._clock = clock

    async def current(self) -> dict[str, Mapping[str, int]]:
        """Return the usage of this day and of this month."""
        periods = self._budget.periods(self._clock())
        return {name: await self._store.ai_usage(period) for name, period in zip(("day", "month"), periods, strict=True)}
