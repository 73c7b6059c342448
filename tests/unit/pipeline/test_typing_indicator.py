"""Read marks and typing while an answer is made: shown where a channel can, and never in the way."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest

from sara.pipeline.typing_indicator import TypingIndicator
from tests.fakes import FakeChannel, House, line, without_waiting

LINES = (replace(line("in-1", "hello"), external_id="w1"), replace(line("in-2", "are you there?"), external_id="w2"))


async def pass_time(seconds: float) -> None:
    await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=seconds)


class Shop(FakeChannel):
    """Notes what it shows."""

    typing_lasts = 25_000

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.shown: list[str] = []
        self.error = error

    async def mark_read(self, external_id: str) -> None:
        self.shown.append(f"read {external_id}")
        if self.error is not None:
            raise self.error

    async def typing(self, external_id: str) -> None:
        self.shown.append(f"typing {external_id}")


def test_the_newest_message_is_marked_read_and_typing_is_renewed_until_the_answer_is_there() -> None:
    async def main() -> None:
        house, shop = House(), Shop()
        async with TypingIndicator(house.call_guard).active(replace(house.route, channel=shop), LINES):
            await pass_time(45)
        assert shop.shown == ["read w2", "typing w2", "typing w2", "typing w2"]
        await pass_time(60)
        assert len(shop.shown) == 4, "nothing is shown once the answer is there"

    without_waiting(main())


def test_typing_ends_once_the_answer_is_not_wanted_any_more() -> None:
    """A customer asked for silence or for a person while the model was thinking: what it says is dropped."""

    async def main() -> None:
        for unwanted_at, typings in ((0, 0), (1, 1), (3, 3)):
            asked = 0

            async def is_wanted(limit: int = unwanted_at) -> bool:
                nonlocal asked
                asked += 1
                return asked <= limit

            house, shop = House(), Shop()
            async with TypingIndicator(house.call_guard).active(replace(house.route, channel=shop), LINES, is_wanted):
                await pass_time(120)
            assert shop.shown == ["read w2", *["typing w2"] * typings]

    without_waiting(main())


async def test_a_channel_without_either_costs_nothing() -> None:
    house = House()
    presence = TypingIndicator(house.call_guard)
    async with presence.active(house.route, LINES):
        pass
    async with presence.active(house.route, (line("in-3", "no id"),)):
        pass
    await presence.close()
    assert len(asyncio.all_tasks()) == 1


def test_the_message_is_marked_read_however_fast_the_answer_comes() -> None:
    """An answer from a cache, a refusal, an error: whatever ends the call, the customer's message was read."""

    class Slow(Shop):
        async def mark_read(self, external_id: str) -> None:
            await pass_time(self.takes)
            self.shown.append(f"read {external_id}")

        takes = 0.0

    async def answered(takes: float, makes: float, error: Exception | None) -> list[str]:
        house, shop = House(), Slow()
        shop.takes = takes
        presence = TypingIndicator(house.call_guard)
        with contextlib.suppress(KeyError):
            async with presence.active(replace(house.route, channel=shop), LINES):
                if makes:
                    await pass_time(makes)
                if error is not None:
                    raise error
        await pass_time(takes + 1)
        await presence.close()
        return shop.shown

    async def main() -> None:
        for takes in (0.001, 0.5, 1.9):
            for makes in (0.0, 0.0005, takes / 2):
                for error in (None, KeyError("the answer failed")):
                    assert await answered(takes, makes, error) == ["read w2"], (takes, makes, error)

    without_waiting(main())


@pytest.mark.parametrize("error", [RuntimeError("a bug"), ConnectionResetError(), asyncio.CancelledError()])
async def test_what_cannot_be_shown_is_left_and_the_answer_goes_on(error: Exception) -> None:
    house, shop = House(), Shop(error)
    async with TypingIndicator(house.call_guard).active(replace(house.route, channel=shop), LINES):
        while not shop.shown:
            await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=0.001)
    assert shop.shown == ["read w2"]
    assert house.listed() == {}


async def test_an_error_while_answering_is_not_hidden() -> None:
    house = House()
    with pytest.raises(KeyError):
        async with TypingIndicator(house.call_guard).active(house.route, LINES):
            raise KeyError("mine")
