"""Shows the customer that somebody is there while an answer is being made. Nothing depends on it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import structlog

from sara.bounds import Strays
from sara.model import Line
from sara.pause import pause
from sara.routes import Route

log = structlog.get_logger("sara.presence")

SHOW_WITHIN = 10_000
"""A call that takes longer than so many milliseconds is given up."""

RENEW_AT = 0.8
"""Typing is shown again when this share of the time that it lasts has passed."""


class Presence:
    """Marks messages as read and shows typing, as far as a channel can."""

    def __init__(self, strays: Strays) -> None:
        self._strays = strays

    @asynccontextmanager
    async def shown(self, route: Route, lines: tuple[Line, ...]) -> AsyncIterator[None]:
        """While this lasts, the sender of `lines` sees that they were read and are being answered."""
        newest = next((line.external_id for line in reversed(lines) if line.external_id), None)
        if newest is None:
            yield
            return
        showing = asyncio.create_task(self._show(route, newest), name="presence")
        try:
            yield
        finally:
            showing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await showing

    async def _show(self, route: Route, external_id: str) -> None:
        if not await self._try(route, route.channel.mark_read(external_id)):
            return
        lasts = route.channel.typing_lasts
        while lasts is not None and await self._try(route, route.channel.typing(external_id)):
            await pause(lasts * RENEW_AT / 1_000)

    async def _try(self, route: Route, call: Coroutine[Any, Any, None]) -> bool:
        if self._strays.blocked(route.called):
            call.close()
            return False
        try:
            await self._strays.call(route.called, call, SHOW_WITHIN)
        except Exception as error:
            log.info("presence_not_shown", channel=route.name, error=type(error).__name__)
            return False
        return True
