"""Figures for Prometheus."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from sara.web.metrics import render

QUEUE = {"woken": 7, "started": 6, "done": 5, "again": 4, "failed": 3, "pending": 2, "running": 1, "lanes": {}}


def samples(counts: dict[str, int], problems: int = 0) -> dict[tuple[str, tuple[str, ...]], float]:
    """What a Prometheus server would read: name and label values → value."""
    text = render(QUEUE, counts, problems).decode()
    found: dict[tuple[str, tuple[str, ...]], Any] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name, tuple(sample.labels.values())] = sample.value
    return found


def test_job_events_are_counted_by_what_happened() -> None:
    read = samples({})
    assert [read["sara_jobs_total", (event,)] for event in ("woken", "started", "done", "again", "failed")] == [7, 6, 5, 4, 3]
    assert read["sara_jobs_pending", ()] == 2


def test_messages_are_counted_by_direction_and_state() -> None:
    read = samples({"in.waiting": 1, "in.answered": 20, "out.in_doubt": 3, "set_aside": 9})
    messages = {labels: value for (name, labels), value in read.items() if name == "sara_messages"}
    assert messages == {("in", "waiting"): 1, ("in", "answered"): 20, ("out", "in_doubt"): 3}


def test_what_must_stay_at_nothing_is_there_from_the_start() -> None:
    read = samples({})
    for name in ("sara_duplicate_sends_total", "sara_blind_total", "sara_set_aside", "sara_problems"):
        assert read[name, ()] == 0


def test_what_went_wrong_is_counted() -> None:
    read = samples({"duplicate_sends": 1, "blind": 2, "set_aside": 3}, problems=4)
    names = ("sara_duplicate_sends_total", "sara_blind_total", "sara_set_aside", "sara_problems")
    assert [read[name, ()] for name in names] == [1, 2, 3, 4]


def test_every_figure_says_what_it_is() -> None:
    text = render(QUEUE, {"in.waiting": 1}, 0).decode()
    assert all(family.documentation for family in text_string_to_metric_families(text))
