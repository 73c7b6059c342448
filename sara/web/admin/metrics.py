"""Metrics for Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import PROCESS_COLLECTOR, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric


class _Figures:
    """Turns the figures of one moment into metrics."""

    def __init__(
        self,
        queue: Mapping[str, Any],
        counts: Mapping[str, int],
        problems: int,
        lingering: Mapping[str, int],
        unhealthy: Mapping[str, int],
        spent: Mapping[str, Mapping[str, int]],
    ) -> None:
        self._queue = queue
        self._counts = counts
        self._problems = problems
        self._lingering = lingering
        self._unhealthy = unhealthy
        self._spent = spent

    def collect(self) -> Iterable[Metric]:
        """Return the metrics for prometheus_client."""
        jobs = CounterMetricFamily("sara_jobs", "Job events since start.", labels=["event"])
        for event in ("woken", "started", "done", "again", "failed"):
            jobs.add_metric([event], self._queue[event])
        yield jobs
        yield GaugeMetricFamily("sara_jobs_pending", "Jobs that wait for their time.", value=self._queue["pending"])
        messages = GaugeMetricFamily("sara_messages", "Stored messages by direction and state.", labels=["direction", "state"])
        for name, value in self._counts.items():
            direction, dot, state = name.partition(".")
            if dot and direction in ("in", "out"):
                messages.add_metric([direction, state], value)
        yield messages
        skipped = CounterMetricFamily("sara_skipped", "Messages that a gate left unanswered, by its reason.", labels=["reason"])
        for name, value in self._counts.items():
            if name.startswith("skipped:"):
                skipped.add_metric([name.removeprefix("skipped:")], value)
        yield skipped
        for name, about in (
            ("duplicate_sends", "Parts that a provider accepted more than once."),
            ("blind", "Doubts ended without proof of the receipts' way."),
        ):
            yield CounterMetricFamily(f"sara_{name}", about, value=self._counts.get(name, 0))
        yield GaugeMetricFamily(
            "sara_set_aside", "Signed bodies that were not understood.", value=self._counts.get("set_aside", 0)
        )
        yield GaugeMetricFamily("sara_problems", "What is wrong right now.", value=self._problems)
        lingering = GaugeMetricFamily(
            "sara_lingering_calls", "Plugin calls that were given up and have not ended.", labels=["plugin"]
        )
        for name, calls in self._lingering.items():
            lingering.add_metric([name], calls)
        yield lingering
        unhealthy = GaugeMetricFamily(
            "sara_unhealthy_conversations", "Conversations that somebody should look at.", labels=["what"]
        )
        for what, conversations in self._unhealthy.items():
            unhealthy.add_metric([what], conversations)
        yield unhealthy
        spent = GaugeMetricFamily(
            "sara_ai_spent", "What the AI has cost in this day and month (UTC); money in millionths.", labels=["period", "what"]
        )
        for period, figures in self._spent.items():
            for what, value in figures.items():
                spent.add_metric([period, what], value)
        yield spent
        yield GaugeMetricFamily("sara_tasks", "Tasks of the event loop.", value=len(asyncio.all_tasks()))


def render(
    queue: Mapping[str, Any],
    counts: Mapping[str, int],
    problems: int,
    lingering: Mapping[str, int] | None = None,
    unhealthy: Mapping[str, int] | None = None,
    spent: Mapping[str, Mapping[str, int]] | None = None,
) -> bytes:
    """Return the text that `GET /metrics` answers: these figures, those of the running event loop and of the process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(queue, counts, problems, lingering or {}, unhealthy or {}, spent or {}))
    registry.register(PROCESS_COLLECTOR)
    return generate_latest(registry)
