"""What `sara run` sets up before it serves."""

from __future__ import annotations

import ctypes
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
