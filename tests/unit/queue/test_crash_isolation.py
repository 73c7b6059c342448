"""After a second unclean end the suspects are let in again in halves."""

from __future__ import annotations

from sara.domain.jobs import Done, Job, Reschedule
from sara.domain.states import JobKind
from sara.queue.crash_isolation import PATIENCE, CrashIsolation

NOW = 1_000_000


def job(key: str, kind: JobKind = "reply") -> Job:
    return Job(kind, key, "lane", NOW)


def waits(caution: CrashIsolation, keys: str, now: int = NOW) -> list[bool]:
    return [caution.must_wait(job(key), now) for key in keys]


def test_without_suspects_nobody_waits() -> None:
    assert waits(CrashIsolation((), NOW), "abc") == [False, False, False]


def test_half_of_the_suspects_wait_and_nobody_else() -> None:
    caution = CrashIsolation([("reply", key) for key in "abc"], NOW)
    assert waits(caution, "abcx") == [False, False, True, False]
    assert not caution.must_wait(job("c", "deliver"), NOW)


def test_a_single_suspect_does_not_wait() -> None:
    assert waits(CrashIsolation([("reply", "a")], NOW), "a") == [False]


def test_the_others_follow_once_the_first_half_has_come_back() -> None:
    caution = CrashIsolation([("reply", key) for key in "abcd"], NOW)
    caution.ended(job("a"), Done())
    assert waits(caution, "cd") == [True, True]
    caution.ended(job("b"), Reschedule(NOW + 1_000))
    assert waits(caution, "cd") == [False, False]


def test_a_delivery_that_only_waits_for_the_end_of_a_doubt_has_not_come_back() -> None:
    caution = CrashIsolation([("deliver", "a"), ("deliver", "b")], NOW)
    caution.ended(job("a", "deliver"), Reschedule(NOW + 60_000))
    assert caution.must_wait(job("b", "deliver"), NOW)
    caution.ended(job("a", "deliver"), Done())
    assert not caution.must_wait(job("b", "deliver"), NOW)


def test_nobody_waits_for_ever() -> None:
    caution = CrashIsolation([("reply", "a"), ("reply", "b")], NOW)
    assert waits(caution, "b", NOW + PATIENCE - 1) == [True]
    assert waits(caution, "b", NOW + PATIENCE) == [False]
