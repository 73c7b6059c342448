"""What a short run of the suites of faults leaves out, the next ones try."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests import effort

ROOT = Path(__file__).parents[3]


def test_a_short_run_tries_points_from_end_to_end_and_shifted_ones_come_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    points = list(range(23))
    monkeypatch.setattr(effort, "FULL", False)
    monkeypatch.setattr(effort, "OFFSET", 0)
    rows = [(1, [0]), (2, [0, 22]), (3, [0, 11, 22]), (5, [0, 5, 11, 16, 22]), (23, points), (40, points)]
    for short, expected in rows:
        assert effort.spread(points, short) == expected, short
    assert effort.spread([], 3) == []
    for short in range(1, 23):
        met: set[int] = set()
        for offset in range(23):
            monkeypatch.setattr(effort, "OFFSET", offset)
            found = effort.spread(points, short)
            assert len(set(found)) == short, (short, offset)
            met |= set(found)
        assert met == set(points), short
    assert effort.chosen(short=1, full=2) == 1


def test_a_full_run_tries_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effort, "FULL", True)
    monkeypatch.setattr(effort, "OFFSET", 5)
    assert effort.spread(list(range(100)), 3) == list(range(100))
    assert effort.chosen(short=1, full=2) == 2


def test_whatever_has_a_short_form_is_run_in_full_by_make_faults() -> None:
    told = subprocess.run(["make", "--dry-run", "faults"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    [command] = [line for line in told.splitlines() if "SARA_FAULTS=full" in line]
    paths = [ROOT / word for word in command.split() if word.startswith("tests/")]
    assert all(path.exists() for path in paths)
    written = {path: path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")}
    short = [path for path, text in written.items() if re.search(r"\btests\.effort\b|tests import effort", text)]
    assert len(short) > 15
    assert [path for path in short if not any(path.is_relative_to(each) for each in paths) and path != Path(__file__)] == []
