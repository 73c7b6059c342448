"""A body that kills the process when it is parsed is not parsed for ever."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from sara.helpers import ProblemRegistry
from sara.testing import ManualClock
from sara.web.crash_log import SLOTS, WIDTH, ParseCrashLog

BODY = b'{"deadly": true}'


def log_of(state: Path, problems: ProblemRegistry | None = None) -> ParseCrashLog:
    return ParseCrashLog(state, ProblemRegistry(ManualClock()) if problems is None else problems)


def die_parsing(state: Path, *bodies: bytes) -> None:
    """A life that ends while bodies are being parsed."""
    pid = os.fork()
    if pid == 0:
        log = log_of(state)
        kept = [log.track(body) for body in bodies]
        for each in kept:
            each.__enter__()
        os._exit(9)
    os.waitpid(pid, 0)


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning"
)  # this process forks with threads of other tests about; the child only writes
def test_a_body_that_was_parsed_at_two_ends_is_deadly(tmp_path: Path) -> None:
    die_parsing(tmp_path, BODY, b"another")
    assert not log_of(tmp_path).is_blocked(BODY)
    die_parsing(tmp_path, BODY)
    log = log_of(tmp_path)
    assert log.is_blocked(BODY)
    assert not log.is_blocked(b"another")
    assert log_of(tmp_path).is_blocked(BODY), "a start without a crash forgets nothing"


def test_a_body_that_was_understood_is_harmless(tmp_path: Path) -> None:
    for _ in range(3):
        log = log_of(tmp_path)
        with log.track(BODY):
            assert not log.is_blocked(BODY)
        with pytest.raises(ValueError, match="odd"), log.track(BODY):
            raise ValueError("odd")
        log.close()
    assert not log_of(tmp_path).is_blocked(BODY)


def test_more_bodies_at_once_than_there_are_slots_are_parsed_all_the_same(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    open_ones = [log.track(str(n).encode()) for n in range(SLOTS + 5)]
    for each in open_ones:
        each.__enter__()
    for each in open_ones:
        each.__exit__(None, None, None)
    log.close()
    assert not log_of(tmp_path).is_blocked(b"1")


def test_a_tally_that_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "parsing.json").write_text("not JSON", encoding="utf-8")
    assert not log_of(tmp_path).is_blocked(BODY)


def test_a_disk_that_takes_nothing_costs_the_note_alone_and_no_slot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problems = ProblemRegistry(ManualClock())
    log = log_of(tmp_path, problems)
    understood = []
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", failing)
        for number in range(SLOTS + 1):
            with log.track(str(number).encode()):
                understood.append(number)
    assert understood == list(range(SLOTS + 1))
    [problem] = problems
    assert problem.key == "state:crash_log:write_failed"
    assert "No space" in problem.message
    with log.track(BODY):
        assert os.pread(log._handle, SLOTS * WIDTH, 0).strip(b"\0"), "it is noted again"
    assert not list(problems)


def test_a_note_that_cannot_be_wiped_out_is_overwritten_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = log_of(tmp_path)
    with monkeypatch.context() as full, log.track(BODY):
        full.setattr(os, "pwrite", failing)
    with log.track(b"another"):
        left = os.pread(log._handle, SLOTS * WIDTH, 0)
    assert hashlib.sha256(BODY).digest() not in left


def failing(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
