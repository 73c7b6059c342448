"""Metrics in the text format of Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import PROCESS_COLLECTOR, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

JOB_EVENTS = {"woken": "scheduled", "started": "started", "done": "done", "again": "rescheduled", "failed": "failed"}
"""Name in the statistics of the queue → value of the label `event`."""

AI_USAGE = {
    "calls": ("sara_ai_calls", "Calls of AI responders in this day and month (UTC).", 1),
    "tokens": ("sara_ai_tokens", "Tokens used by AI responders in this day and month (UTC).", 1),
    "money": ("sara_ai_cost", "Cost of AI responders in this day and month (UTC), in the currency of `prices`.", 1_000_000),
}
"""Figure of the AI usage → its metric, its description, and the figure's units per unit of the metric."""


class _Collector:
    """The figures of one moment as metrics."""

    def __init__(
        self,
        queue: Mapping[str, Any],
        counts: Mapping[str, int],
        problems: int,
        stuck_calls: Mapping[str, int],
        unhealthy: Mapping[str, int],
        ai_usage: Mapping[str, Mapping[str, int]],
    ) -> None:
        self._queue = queue
        self._counts = counts
        self._problems = problems
        self._stuck_calls = stuck_calls
        self._unhealthy = unhealthy
        self._ai_usage = ai_usage

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics, as prometheus_client asks for them."""
        yield from self._jobs()
        yield from self._messages()
        yield from self._health()
        yield from self._ai()
        yield GaugeMetricFamily("sara_event_loop_tasks", "Tasks of the event loop.", value=len(asyncio.all_tasks()))

    def _jobs(self) -> Iterable[Metric]:
        jobs = CounterMetricFamily("sara_jobs", "Job events since the start of the process.", labels=["event"])
        for name, event in JOB_EVENTS.items():
            jobs.add_metric([event], self._queue[name])
        yield jobs
        yield GaugeMetricFamily("sara_jobs_pending", "Jobs that wait for their due time.", value=self._queue["pending"])

    def _messages(self) -> Iterable[Metric]:
        messages = GaugeMetricFamily("sara_messages", "Stored messages by direction and state.", labels=["direction", "state"])
        skipped = CounterMetricFamily(
            "sara_messages_skipped", "Inbound messages left unanswered by a gate, by its reason.", labels=["reason"]
        )
        for name, value in self._counts.items():
            direction, dot, state = name.partition(".")
            if name.startswith("skipped:"):
                skipped.add_metric([name.removeprefix("skipped:")], value)
            elif dot and direction in ("in", "out"):
                messages.add_metric([direction, state], value)
        yield messages
        yield skipped
        for counter, name, about in (
            ("duplicate_sends", "sara_duplicate_sends", "Outbound messages that a provider accepted more than once."),
            (
                "unverified_resolutions",
                "sara_unverified_resolutions",
                "Sends in doubt resolved without proof that receipts arrive.",
            ),
        ):
            yield CounterMetricFamily(name, about, value=self._counts.get(counter, 0))
        yield GaugeMetricFamily(
            "sara_unparsed_payloads", "Signed webhooks that were stored unparsed.", value=self._counts.get("unparsed_payloads", 0)
        )

    def _health(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("sara_problems", "Active problems.", value=self._problems)
        stuck = GaugeMetricFamily("sara_stuck_plugin_calls", "Plugin calls that ignored their cancellation.", labels=["plugin"])
        for plugin, calls in self._stuck_calls.items():
            stuck.add_metric([plugin], calls)
        yield stuck
        unhealthy = GaugeMetricFamily(
            "sara_unhealthy_conversations", "Conversations that need an operator, by reason.", labels=["reason"]
        )
        for reason, conversations in self._unhealthy.items():
            unhealthy.add_metric([reason], conversations)
        yield unhealthy

    def _ai(self) -> Iterable[Metric]:
        for figure, (name, about, scale) in AI_USAGE.items():
            metric = GaugeMetricFamily(name, about, labels=["period"])
            for period, figures in self._ai_usage.items():
                if figure in figures:
                    metric.add_metric([period], figures[figure] / scale)
            yield metric


def render(
    queue: Mapping[str, Any],
    counts: Mapping[str, int],
    problems: int,
    stuck_calls: Mapping[str, int] | None = None,
    unhealthy: Mapping[str, int] | None = None,
    ai_usage: Mapping[str, Mapping[str, int]] | None = None,
) -> bytes:
    """Return the text for `GET /metrics`: these figures, those of the running event loop and of the process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(queue, counts, problems, stuck_calls or {}, unhealthy or {}, ai_usage or {}))
    registry.register(PROCESS_COLLECTOR)
    return generate_latest(registry)
