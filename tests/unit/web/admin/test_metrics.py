"""Metrics for Prometheus."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sara.web.admin.metrics import render

QUEUE = {"woken": 7, "started": 6, "done": 5, "again": 4, "failed": 3, "pending": 2, "running": 1, "lanes": {}}


def samples(counts: dict[str, int], problems: int = 0) -> dict[tuple[str, tuple[str, ...]], float]:
    """What a Prometheus server would read: name and label values → value."""
    text = render(QUEUE, counts, problems).decode()
    found: dict[tuple[str, tuple[str, ...]], Any] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name, tuple(sample.labels.values())] = sample.value
    return found


async def test_job_events_are_counted_by_what_happened() -> None:
    read = samples({})
    assert [read["sara_jobs_total", (event,)] for event in ("scheduled", "started", "done", "rescheduled", "failed")] == [
        7,
        6,
        5,
        4,
        3,
    ]
    assert read["sara_jobs_pending", ()] == 2


async def test_messages_are_counted_by_direction_and_state() -> None:
    read = samples({"in.waiting": 1, "in.answered": 20, "out.in_doubt": 3, "unparsed_payloads": 9})
    messages = {labels: value for (name, labels), value in read.items() if name == "sara_messages"}
    assert messages == {("in", "waiting"): 1, ("in", "answered"): 20, ("out", "in_doubt"): 3}


async def test_stuck_calls_are_counted_by_plugin() -> None:
    text = render(QUEUE, {}, 0, {"responder:assistant": 2}).decode()
    assert 'sara_stuck_plugin_calls{plugin="responder:assistant"} 2.0' in text


async def test_what_must_stay_at_nothing_is_there_from_the_start() -> None:
    read = samples({})
    for name in ("sara_duplicate_sends_total", "sara_unverified_resolutions_total", "sara_unparsed_payloads", "sara_problems"):
        assert read[name, ()] == 0


async def test_what_went_wrong_is_counted() -> None:
    read = samples({"duplicate_sends": 1, "unverified_resolutions": 2, "unparsed_payloads": 3}, problems=4)
    names = ("sara_duplicate_sends_total", "sara_unverified_resolutions_total", "sara_unparsed_payloads", "sara_problems")
    assert [read[name, ()] for name in names] == [1, 2, 3, 4]


async def test_tasks_of_the_event_loop_are_counted() -> None:
    before = samples({})["sara_event_loop_tasks", ()]
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(asyncio.Event().wait()) for _ in range(3)]
        assert samples({})["sara_event_loop_tasks", ()] == before + 3
        for task in waiting:
            task.cancel()
    assert samples({})["sara_event_loop_tasks", ()] == before


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the figures of the process come from /proc")
async def test_memory_and_open_files_of_the_process_are_told() -> None:
    read = samples({})
    assert read["process_resident_memory_bytes", ()] > 1_000_000
    opened = os.open(os.devnull, os.O_RDONLY)
    try:
        assert samples({})["process_open_fds", ()] == read["process_open_fds", ()] + 1
    finally:
        os.close(opened)


async def test_every_figure_says_what_it_is() -> None:
    text = render(QUEUE, {"in.waiting": 1}, 0).decode()
    assert all(family.documentation for family in text_string_to_metric_families(text))


async def test_messages_that_a_gate_left_unanswered_are_counted_by_its_reason() -> None:
    text = render(QUEUE, {"skipped:over_limit": 3, "skipped:v1.spam": 1, "in.skipped": 4}, 0).decode()
    assert 'sara_messages_skipped_total{reason="over_limit"} 3.0' in text
    assert 'sara_messages_skipped_total{reason="v1.spam"} 1.0' in text
    assert text.count("sara_messages{") == 1


async def test_unhealthy_conversations_are_counted_by_reason() -> None:
    text = render(QUEUE, {}, 0, unhealthy={"unanswered": 2, "failing": 0}).decode()
    assert 'sara_unhealthy_conversations{reason="unanswered"} 2.0' in text
    assert 'sara_unhealthy_conversations{reason="failing"} 0.0' in text


async def test_what_the_ai_has_cost_is_told_by_day_and_month() -> None:
    spent = {"day": {"calls": 3, "tokens": 400, "money": 650}, "month": {"calls": 30, "tokens": 4_000, "money": 6_500}}
    text = render(QUEUE, {}, 0, ai_usage=spent).decode()
    assert 'sara_ai_cost{period="day"} 0.00065' in text
    assert 'sara_ai_calls{period="month"} 30.0' in text


async def test_without_health_and_spending_the_figures_are_there_without_values() -> None:
    text = render(QUEUE, {}, 0).decode()
    assert "# TYPE sara_unhealthy_conversations gauge" in text
    assert "# TYPE sara_ai_cost gauge" in text
