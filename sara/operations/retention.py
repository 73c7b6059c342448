"""Retention: what is too old is deleted in the background, in steps short enough for the store's other users."""

from __future__ import annotations

import asyncio

import structlog

from sara.domain.time import Milliseconds
from sara.pipeline.media import MediaStore
from sara.plugins.context import Clock
from sara.plugins.store import Store
from sara.queue.sleep import sleep

log = structlog.get_logger("sara.operations.retention")

EXPIRE_EVERY_S = 3_600.0
"""Seconds between two passes."""

STEP = 200
"""Messages that are deleted at once."""

BETWEEN = 0.2
"""Seconds between two steps, in which others use the store."""


class Retention:
    """Deletes messages older than the policy keeps; without a policy, only rows with a fixed term."""

    def __init__(self, store: Store, files: MediaStore, keep: Milliseconds | None, clock: Clock) -> None:
        self._store = store
        self._files = files
        self._keep = keep
        self._clock = clock

    async def expire(self, ended: asyncio.Event) -> int:
        """Delete all that is too old, and return the number of messages."""
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
