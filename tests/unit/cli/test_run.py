"""What `sara run` sets up before it serves."""

from __future__ import annotations

import ctypes
import gc
import weakref
from types import SimpleNamespace

import pytest

from sara.cli import run


def test_memory_that_a_busy_moment_took_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, int]] = []
    glibc = SimpleNamespace(mallopt=lambda parameter, value: calls.append((parameter, value)))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: glibc)
    run._steady_memory()
    assert calls == [(-1, 131_072), (-3, 131_072)]


def test_where_there_is_no_glibc_nothing_needs_to_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace())
    run._steady_memory()


class Knot:
    """Something that only the collector can free."""

    def __init__(self) -> None:
        self.itself = self


def test_what_is_there_after_a_start_is_not_looked_through_again_and_again() -> None:
    gone, former = weakref.ref(Knot()), Knot()
    stays = weakref.ref(former)
    try:
        run._shorten_collections()
        frozen = gc.get_freeze_count()
        assert gone() is None, "garbage of the start is freed first"
        assert frozen > 10_000
        lost = weakref.ref(Knot())
        del former
        run._shorten_collections()
        assert lost() is None
        assert stays() is not None, "what was there after the start is not looked through"
        run._shorten_collections(again=True)
        assert stays() is None, "nor does a reload keep anything of the daemon that it ended"
        assert gc.get_freeze_count() < frozen * 2
    finally:
        gc.unfreeze()


def test_a_loop_on_a_crowded_machine_is_given_more_time_before_it_counts_as_blocked() -> None:
    second = 1_000_000_000
    rows = [
        ((0, 0), (second, 0), 1.0),  # alone on the machine
        ((0, 0), (second, second), 2.0),  # half of a processor
        ((second, 5 * second), (2 * second, 8 * second), 4.0),  # what was before does not count
        ((0, 0), (second, 100 * second), run.MOST_CROWDED),  # a loop that stands still must end some time
        ((0, 0), (0, second), 1.0),  # it slept: nothing is known
        ((0, 0), (0, 0), 1.0),  # Linux does not say
    ]
    for before, after, factor in rows:
        assert run.crowding(before, after) == factor, (before, after)
    assert run._processor_times() > (0, -1)
