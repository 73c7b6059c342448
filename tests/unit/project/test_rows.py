"""Tables within a test: every row is tried and a failure names its row."""

from __future__ import annotations

import asyncio

import pytest

from tests.rows import each_row


def test_every_row_is_tried_and_each_failure_names_its_row() -> None:
    tried = []

    @each_row("number, word", [(1, "one"), pytest.param(2, "two", id="pair"), (3, "three")])
    def check(number: int, word: str) -> None:
        tried.append((number, word))
        assert number % 2 == 0

    with pytest.raises(ExceptionGroup, match="2 rows failed") as failed:
        check()  # type: ignore[call-arg]  # the rows bring the arguments
    assert tried == [(1, "one"), (2, "two"), (3, "three")]
    assert ["'one'" in note for note in failed.value.exceptions[0].__notes__] == [True]


def test_tables_above_each_other_are_combined_and_a_coroutine_is_awaited() -> None:
    tried = []

    @each_row("left", "ab")
    @each_row("right", [1, 2])
    async def check(left: str, right: int) -> None:
        await asyncio.sleep(0)
        tried.append((left, right))

    asyncio.run(check())  # type: ignore[call-arg]  # the rows bring the arguments
    assert tried == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
