"""A body that kills the process when it is parsed is not parsed for ever."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sara.web.parsing import SLOTS, ParseLog

BODY = b'{"deadly": true}'


def die_parsing(state: Path, *bodies: bytes) -> None:
    """A life that ends while bodies are being parsed."""
    pid = os.fork()
    if pid == 0:
        log = ParseLog(state)
        kept = [log.noted(body) for body in bodies]
        for each in kept:
            each.__enter__()
        os._exit(9)
    os.waitpid(pid, 0)


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning"
)  # this process forks with threads of other tests about; the child only writes
def test_a_body_that_was_parsed_at_two_ends_is_deadly(tmp_path: Path) -> None:
    die_parsing(tmp_path, BODY, b"another")
    assert not ParseLog(tmp_path).deadly(BODY)
    die_parsing(tmp_path, BODY)
    log = ParseLog(tmp_path)
    assert log.deadly(BODY)
    assert not log.deadly(b"another")
    assert ParseLog(tmp_path).deadly(BODY), "a start without a crash forgets nothing"


def test_a_body_that_was_understood_is_harmless(tmp_path: Path) -> None:
    for _ in range(3):
        log = ParseLog(tmp_path)
        with log.noted(BODY):
            assert not log.deadly(BODY)
        with pytest.raises(ValueError, match="odd"), log.noted(BODY):
            raise ValueError("odd")
        log.close()
    assert not ParseLog(tmp_path).deadly(BODY)


def test_more_bodies_at_once_than_there_are_slots_are_parsed_all_the_same(tmp_path: Path) -> None:
    log = ParseLog(tmp_path)
    open_ones = [log.noted(str(n).encode()) for n in range(SLOTS + 5)]
    for each in open_ones:
        each.__enter__()
    for each in open_ones:
        each.__exit__(None, None, None)
    log.close()
    assert not ParseLog(tmp_path).deadly(b"1")


def test_a_tally_that_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "parsing.json").write_text("not JSON", encoding="utf-8")
    assert not ParseLog(tmp_path).deadly(BODY)
