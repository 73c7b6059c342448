"""Keeping nothing longer than `retention` says: deleted in the background, in steps that keep nobody waiting."""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from sara.domain.errors import SaraError
from sara.domain.time import Milliseconds
from sara.pipeline.media import MediaStore
from sara.plugins.context import Clock
from sara.plugins.store import Store
from sara.queue.sleep import sleep

log = structlog.get_logger("sara.operations.retention")

EVERY = 3_600.0
STEP = 200
"""Messages that are deleted at once."""

BETWEEN = 0.2
"""Seconds between two steps, in which others use the store."""


class Retention:
    """Deletes what is older than the policy keeps; without one, only what has a term of its own."""

    def __init__(self, store: Store, files: MediaStore, keep: Milliseconds | None, clock: Clock) -> None:
        self._store = store
        self._files = files
        self._keep = keep
        self._clock = clock

    async def run(self, ended: asyncio.Event) -> None:
        """Look every hour until `ended`."""
        while not ended.is_set():
            try:
                await self.expire(ended)
            except (SaraError, OSError) as error:
                log.warning("message_expiry_failed", error=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY):
                    await ended.wait()

    async def expire(self, ended: asyncio.Event) -> int:
        """Delete all that is too old; how many messages that were."""
        # A message stays as long as its file.
        await self._files.expire_all()
        gone = 0
        while not ended.is_set():
            now = self._clock()
            deleted = await self._store.expire(None if self._keep is None else now - self._keep, STEP, now)
            gone += deleted
            if deleted < STEP:
                break
            await sleep(BETWEEN)
        if gone:
            log.info("messages_expired", count=gone)
        return gone
