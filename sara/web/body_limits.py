"""Limits for request bodies: they are not verified yet, so the bytes held at a time are bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

BODY_LIMIT = 4 * 1024 * 1024
"""Meta sends up to 3 MB; more than this is refused."""

BODY_WITHIN = 10.0
"""Seconds in which a body has to arrive."""

MOST_HELD = 64 * 1024 * 1024
"""Bytes of all bodies that are being read or understood."""

LARGE = 64 * 1024
"""A body that has become larger than this has to leave the last quarter of that room to smaller ones, as most are."""


class TooLarge(Exception):
    """The body is larger than any that a provider sends."""


class MemoryLimitReached(Exception):
    """Too many bytes are held already; the same body may be sent again later."""


class TooSlow(Exception):
    """The body did not arrive in time."""


class BodyCutOff(Exception):
    """The body is not what its headers say, or the connection ended before it was complete."""


class BodyReader:
    """Reads bodies, and counts their bytes for as long as they are in use."""

    def __init__(self) -> None:
        self.held = 0

    @asynccontextmanager
    async def of(self, request: web.BaseRequest) -> AsyncIterator[bytes]:
        """Read the request's body and hold it until the block is left. Raises TooLarge, MemoryLimitReached, TooSlow or BodyCutOff."""
        if (request.content_length or 0) > BODY_LIMIT:
            raise TooLarge
        arrived = bytearray()
        size = 0
        try:
            async with asyncio.timeout(BODY_WITHIN):
                async for chunk in request.content.iter_any():
                    arrived += chunk
                    size = len(arrived)
                    self.held += len(chunk)
                    if size > BODY_LIMIT:
                        raise TooLarge
                    if self.held > (MOST_HELD if size <= LARGE else MOST_HELD * 3 // 4):
                        raise MemoryLimitReached
        except BaseException as error:
            self.held -= size
            if isinstance(error, TimeoutError):
                raise TooSlow from error
            if isinstance(error, web.RequestPayloadError | OSError):
                raise BodyCutOff from error
            raise
        body = bytes(arrived)
        del arrived
        try:
            yield body
        finally:
            self.held -= size
