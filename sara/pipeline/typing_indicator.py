"""Read marks and the typing indicator while an answer is made. No other component depends on them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import structlog

from sara.domain.messages import HistoryMessage
from sara.pipeline.bindings import ChannelBinding
from sara.plugins.call_guard import CallGuard
from sara.queue.sleep import sleep

log = structlog.get_logger("sara.pipeline.typing_indicator")

SHOW_WITHIN = 10_000
"""Time limit of a call, in milliseconds."""

CLOSE_WITHIN = 2_000
"""How many milliseconds the process waits at its end for read marks under way."""

RENEW_AT = 0.8
"""Typing is shown again when this share of the time that it lasts has passed."""


async def _always() -> bool:
    return True


class TypingIndicator:
    """Marks messages as read and shows typing, as far as a channel can."""

    def __init__(self, call_guard: CallGuard) -> None:
        self._call_guard = call_guard
        self._marking: set[asyncio.Task[bool]] = set()

    @asynccontextmanager
    async def active(
        self, route: ChannelBinding, lines: tuple[HistoryMessage, ...], is_wanted: Callable[[], Awaitable[bool]] = _always
    ) -> AsyncIterator[None]:
        """While this lasts, the sender of `lines` sees that they were read and are being answered. Typing ends earlier once the
        answer is not wanted any more."""
        newest = next((line.external_id for line in reversed(lines) if line.external_id), None)
        if newest is None:
            yield
            return
        # However fast the answer comes, the message was read: only typing ends with it.
        marking = asyncio.create_task(self._try(route, route.channel.mark_read(newest)), name="read mark")
        self._marking.add(marking)
        marking.add_done_callback(self._marking.discard)
        typing = asyncio.create_task(self._type(route, newest, marking, is_wanted), name="typing")
        try:
            yield
        finally:
            typing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await typing

    async def close(self) -> None:
        """Wait a moment for the read marks under way."""
        if self._marking:
            await asyncio.wait(self._marking, timeout=CLOSE_WITHIN / 1_000)

    async def _type(
        self, route: ChannelBinding, external_id: str, marking: asyncio.Task[bool], is_wanted: Callable[[], Awaitable[bool]]
    ) -> None:
        if not await asyncio.shield(marking):
            return
        lasts = route.channel.typing_lasts
        while lasts is not None and await is_wanted() and await self._try(route, route.channel.typing(external_id)):
            await sleep(lasts * RENEW_AT / 1_000)

    async def _try(self, route: ChannelBinding, call: Coroutine[Any, Any, None]) -> bool:
        if self._call_guard.is_blocked(route.called):
            call.close()
            return False
        try:
            await self._call_guard.call(route.called, call, SHOW_WITHIN)
        except Exception as error:
            log.info("typing_indicator_failed", channel=route.name, error=type(error).__name__)
            return False
        return True
