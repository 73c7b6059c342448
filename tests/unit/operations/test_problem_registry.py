"""One list of what is wrong right now."""

from __future__ import annotations

from sara.helpers import Problem, ProblemRegistry
from sara.testing import ManualClock
from tests.fakes import NOW


def test_a_problem_is_listed_once_and_counted() -> None:
    clock = ManualClock(NOW)
    problems = ProblemRegistry(clock)
    problems.report("disk", "the disk is full", "free some space")
    clock.forward(5_000)
    problems.report("disk", "the disk is very full", "free more space", severity="warning")
    assert list(problems) == [Problem("disk", "the disk is very full", "free more space", NOW, "warning", 2)]
    assert len(problems) == 1


def test_a_count_that_is_given_is_taken() -> None:
    problems = ProblemRegistry(ManualClock(NOW))
    problems.report("orphans", "3 conversations", count=3)
    assert [problem.count for problem in problems] == [3]
    problems.report("orphans", "2 conversations", count=2)
    assert [problem.count for problem in problems] == [2]
    problems.report("orphans", "one more")
    assert [problem.count for problem in problems] == [3]


def test_what_is_mended_is_gone_and_begins_anew() -> None:
    clock = ManualClock(NOW)
    problems = ProblemRegistry(clock)
    problems.report("disk", "the disk is full")
    problems.report("disk", "the disk is full")
    problems.clear("disk")
    assert list(problems) == []
    assert "disk" not in problems
    later = clock.forward(60_000)
    problems.report("disk", "the disk is full")
    assert [(problem.since, problem.count) for problem in problems] == [(later, 1)]


def test_clearing_what_nobody_reported_does_nothing() -> None:
    problems = ProblemRegistry(ManualClock(NOW))
    problems.report("disk", "the disk is full")
    problems.clear("token")
    assert [problem.key for problem in problems] == ["disk"]


def test_the_oldest_problem_comes_first_however_often_others_are_met() -> None:
    clock = ManualClock(NOW)
    problems = ProblemRegistry(clock)
    for key in ("first", "second", "third"):
        problems.report(key, key)
        clock.forward(1)
    problems.report("second", "again")
    assert [problem.key for problem in problems] == ["first", "second", "third"]


def test_a_problem_is_an_error_unless_it_is_said_to_be_a_warning() -> None:
    problems = ProblemRegistry(ManualClock(NOW))
    problems.report("disk", "the disk is full")
    problems.report("plugin", "it is slow", severity="warning")
    assert {problem.key: problem.severity for problem in problems} == {"disk": "error", "plugin": "warning"}


def test_a_list_may_be_read_while_it_changes() -> None:
    problems = ProblemRegistry(ManualClock(NOW))
    problems.report("a", "a")
    problems.report("b", "b")
    for problem in problems:
        problems.clear(problem.key)
    assert len(problems) == 0


def test_what_has_happened_is_shown_for_a_while_after_the_last_time() -> None:
    clock = ManualClock(NOW)
    problems = ProblemRegistry(clock)
    problems.report("refused", "a message was refused", lasts=1_000)
    clock.forward(900)
    problems.report("refused", "a message was refused", lasts=1_000)
    clock.forward(999)
    assert [problem.count for problem in problems] == [2]
    clock.forward(1)
    assert list(problems) == []
    assert len(problems) == 0
    problems.report("refused", "a message was refused", lasts=1_000)
    problems.clear("refused")
    problems.report("refused", "for ever")
    clock.forward(5_000)
    assert "refused" in problems
