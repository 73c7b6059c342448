"""Warnings before a channel sends more messages in a month than planned."""

from __future__ import annotations

from datetime import UTC, datetime

import structlog

from sara.domain.errors import SaraError
from sara.domain.time import Instant
from sara.operations.problem_registry import ProblemRegistry
from sara.pipeline.bindings import ChannelBinding, ChannelBindings
from sara.plugins.context import Clock
from sara.plugins.store import Store

log = structlog.get_logger("sara.operations.message_quota")

WARN_AT = 0.8
CHECK_EVERY_S = 60.0
"""Seconds between two checks."""


class MessageQuotaMonitor:
    """Compares what each channel sent this month with its `monthly_budget`."""

    def __init__(self, store: Store, routes: ChannelBindings, problems: ProblemRegistry, clock: Clock) -> None:
        self._store = store
        self._routes = [route for route in routes if route.channel.monthly_budget]
        self._problems = problems
        self._clock = clock

    async def check(self) -> None:
        """Report or clear the warning of every channel with a budget."""
        for route in self._routes:
            await self.look(route)

    async def look(self, route: ChannelBinding) -> None:
        """Report or clear the warning of one channel."""
        budget = route.channel.monthly_budget or 0
        month = month_of(self._clock())
        try:
            used = (await self._store.message_counts(route.channel.account, month)).get("counted", 0)
        except SaraError as error:
            log.warning("message_quota_check_failed", channel=route.name, error=type(error).__name__)
            return
        key = f"channel:{route.name}:message_quota"
        if used < budget * WARN_AT:
            self._problems.clear(key)
            return
        self._problems.report(
            key,
            f"{route.name} has sent {used} of {budget} messages of its monthly_budget for {month}",
            "further messages may be charged or rejected: check the provider's billing, then raise monthly_budget",
            severity="error" if used >= budget else "warning",
            count=1,
        )


def month_of(now: Instant) -> str:
    """Return the month of a moment in UTC, as `2026-11`."""
    return datetime.fromtimestamp(now / 1_000, UTC).strftime("%Y-%m")
