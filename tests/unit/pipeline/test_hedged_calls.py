"""Calls beside a call that hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sara import GiveUp, RetryLater
from sara.engines import Conflict
from sara.pipeline.hedged_calls import AGAIN_AFTER, MOMENT, MOST_BESIDE, SILENT_AFTER, STEP, TIMES_USUAL, HedgedCalls
from tests.fakes import without_waiting

TIMEOUT = 60.0


class Server:
    """Takes questions. While it is silent it never answers what it takes then."""

    def __init__(self, thinks: float = 0.1) -> None:
        self.hedging = HedgedCalls()
        self.thinks = thinks
        self.silent = True
        self.stops = True
        self.asked: list[tuple[str, float]] = []
        self.under_way = 0
        self.most = 0

    async def ask(self, who: str, acts: Callable[[Callable[[], None]], Awaitable[Any]] | None = None) -> float:
        """Ask a question; when it was answered."""
        loop = asyncio.get_running_loop()

        async def call(claim: Callable[[], None]) -> float:
            self.asked.append((who, loop.time()))
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            try:
                async with asyncio.timeout(TIMEOUT):
                    await (asyncio.Event().wait() if self.silent else asyncio.sleep(self.thinks))
                    if acts is not None:
                        await acts(claim)
            except TimeoutError as error:
                raise RetryLater("timed out", scope="responder") from error
            finally:
                self.under_way -= 1
            return loop.time()

        return await self.hedging.ask("assistant", call, lambda: None, lambda: self.stops)

    async def returns(self, at: float) -> None:
        await asyncio.sleep(at - asyncio.get_running_loop().time())
        self.silent = False


def test_a_silent_server_is_asked_again_until_it_is_back_and_the_first_answer_is_the_answer() -> None:
    async def main(back: float) -> None:
        server = Server()
        answer, _ = await asyncio.gather(server.ask("a"), server.returns(back))
        assert answer - back <= max(SILENT_AFTER, AGAIN_AFTER) + server.thinks
        assert len(server.asked) <= 2 + back / AGAIN_AFTER
        assert server.most <= 1 + MOST_BESIDE
        await asyncio.sleep(0)
        assert server.under_way == 0, "the others are given up"

    for back in (0.5, 8.5, 14, 40, 52):
        without_waiting(main(back))


def test_when_it_is_back_all_that_hang_are_asked_again_in_order_slowly_at_first() -> None:
    async def main() -> None:
        server = Server()
        questions = [asyncio.create_task(server.ask(f"q{n:02}")) for n in range(40)]
        await server.returns(30)
        answers = await asyncio.gather(*questions)
        assert max(answers) - 30 <= AGAIN_AFTER + MOMENT + 6 * STEP + 2 * server.thinks
        again = [who for who, at in server.asked if at > 30]
        assert again[1:] == sorted(again[1:])
        assert len(again) <= 41
        assert len(server.asked) <= 41 + 40 + 30 / AGAIN_AFTER

    without_waiting(main())


def test_a_model_that_is_slow_is_left_its_time_and_soon_not_asked_twice() -> None:
    async def main() -> None:
        server = Server(thinks=40)
        server.silent = False
        assert await server.ask("a") == pytest.approx(40)
        first = len(server.asked)
        assert first <= 1 + 40 / AGAIN_AFTER
        for _ in range(3):
            await server.ask("b")
        assert len(server.asked) == first + 3, "the time that it takes is usual"

    without_waiting(main())


def test_how_long_silence_is_follows_what_is_usual() -> None:
    async def main(usual: float, outliers: int) -> float:
        server = Server(usual)
        server.silent = False
        for n in range(20):
            server.thinks = 50 if n < outliers else usual
            await server.ask("a")
        server.silent, server.asked = True, []
        began = asyncio.get_running_loop().time()
        with pytest.raises(RetryLater):
            await server.ask("b")
        return server.asked[1][1] - began if len(server.asked) > 1 else 0

    for usual, outliers, after in ((1, 0, SILENT_AFTER), (4, 0, 4 * TIMES_USUAL), (4, 2, 4 * TIMES_USUAL), (30, 0, 0)):
        assert without_waiting(main(usual, outliers)) == pytest.approx(after), (usual, outliers)


def test_one_long_answer_beside_others_is_no_silence() -> None:
    async def main() -> None:
        server = Server(thinks=55)
        server.silent = False
        long = asyncio.create_task(server.ask("long"))
        await asyncio.sleep(1)
        server.thinks = 1
        while not long.done():
            await server.ask("short")
            await asyncio.sleep(3)
        assert sum(who == "long" for who, _ in server.asked) == 1

    without_waiting(main())


def test_what_must_not_be_done_twice_is_done_by_one_call_alone() -> None:
    async def main() -> None:
        server = Server()
        done: list[str] = []
        refused: list[Exception] = []

        async def books(claim: Callable[[], None]) -> None:
            claim()
            claim()
            done.append("a table")
            await asyncio.sleep(50)

        deaf = asyncio.Event()

        async def call(claim: Callable[[], None]) -> str:
            if not deaf.is_set():
                deaf.set()
                try:
                    await asyncio.sleep(100)
                except asyncio.CancelledError:
                    try:
                        claim()
                    except Conflict as error:
                        refused.append(error)
                    raise
            await books(claim)
            return "booked"

        assert await server.hedging.ask("assistant", call, lambda: None, lambda: True) == "booked"
        assert done == ["a table"]
        assert len(refused) == 1, "a call that is given up does nothing any more"
        assert asyncio.get_running_loop().time() == pytest.approx(SILENT_AFTER + 50), "no other is made meanwhile"

    without_waiting(main())


def test_how_a_question_ends_that_nobody_answers() -> None:
    """What the first call and those beside it do, and what comes of it."""
    away, other, verdict = RetryLater("away", scope="responder"), RetryLater("other", scope="responder"), GiveUp("no")
    key = RetryLater("key", until_mended=True, scope="responder")
    rows: list[tuple[str, tuple[float, Exception], tuple[float, Exception], Exception, float]] = [
        ("refused at once", (1, away), (0, other), away, 1),
        ("each call beside it is refused", (60, away), (0.1, other), other, 60),
        ("all hang", (60, away), (100, other), away, 57 + AGAIN_AFTER),
        ("one beside it is given a verdict", (60, away), (0.5, verdict), verdict, SILENT_AFTER + 0.5),
        ("one beside it finds the key refused", (60, away), (0.5, key), key, SILENT_AFTER + 0.5),
    ]

    async def main(first: tuple[float, Exception], beside: tuple[float, Exception]) -> tuple[Exception, float]:
        calls = iter([first])

        async def call(claim: Callable[[], None]) -> None:
            takes, error = next(calls, beside)
            await asyncio.sleep(takes)
            raise error

        with pytest.raises((RetryLater, GiveUp)) as raised:
            await HedgedCalls().ask("assistant", call, lambda: None, lambda: True)
        return raised.value, asyncio.get_running_loop().time()

    for why, first, beside, error, at in rows:
        raised, ended = without_waiting(main(first, beside))
        assert raised is error, why
        assert ended == pytest.approx(at, abs=AGAIN_AFTER), why


def test_where_calls_do_not_end_when_they_are_given_up_none_is_made_beside_them() -> None:
    async def main() -> None:
        server = Server()
        server.stops = False
        with pytest.raises(RetryLater):
            await server.ask("a")
        assert len(server.asked) == 1

    without_waiting(main())
