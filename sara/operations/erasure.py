"""Erasure of a person: files, messages and freed space, in steps short enough for the store's other users."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

import structlog

from sara.domain.contacts import ErasureReport
from sara.domain.errors import SaraError
from sara.pipeline.media import MediaStore
from sara.plugins.context import Clock
from sara.plugins.queue import Queue
from sara.plugins.store import Store
from sara.plugins.threads import run_in_thread
from sara.queue.sleep import sleep

log = structlog.get_logger("sara.operations.erasure")

STEP = 200
"""Messages that are erased at once."""

BETWEEN = 0.02
"""Seconds between two steps, in which others use the store."""

FINISH_EVERY_S = 60.0
"""Seconds between two attempts to finish erasures that were cut off."""

KINDS = ("reply", "deliver", "timer")


class ErasureService:
    """Erases people. An erasure that a crash cut off is finished at the next start."""

    def __init__(
        self,
        store: Store,
        queue: Queue,
        files: MediaStore,
        clock: Clock,
        end_downloads: Callable[[Collection[str]], Awaitable[None]] | None = None,
    ) -> None:
        self._store = store
        self._queue = queue
        self._files = files
        self._clock = clock
        self._end_downloads = end_downloads
        self._one_at_a_time = asyncio.Lock()

    async def forget(self, who: str) -> ErasureReport:
        """Erase a person and return when no data of them is left. Raises NotFound if there is no such person."""
        async with self._one_at_a_time:
            told = await self._store.start_erasure(who, self._clock())
            log.info("erasure_started", contacts=told.contacts, conversations=told.conversations)
            await self._drop_jobs(told)
            if self._end_downloads is not None:
                await self._end_downloads(told.conversations)
            try:
                await self._finish()
            except (SaraError, OSError) as error:
                raise SaraError(
                    f"{who} was anonymised, but the erasure is not complete: {error}; it continues in the background"
                ) from error
            # What still ran for them may have woken itself meanwhile.
            await self._drop_jobs(told)
        told = replace(told, copies={**told.copies, **await run_in_thread(self._files.kept_aside)})
        log.info("erasure_completed", contacts=told.contacts, messages=told.messages, files=told.files, copies=len(told.copies))
        return told

    async def finish(self) -> None:
        """Finish erasures that were cut off."""
        async with self._one_at_a_time:
            await self._finish()

    async def _drop_jobs(self, told: ErasureReport) -> None:
        for conversation in told.conversations:
            for kind in KINDS:
                await self._queue.drop(kind, conversation)

    async def _finish(self) -> None:
        # Files first: a crash in between leaves a row without its file, never a file without a row.
        erased = False
        while await self._files.drop_forgotten() or await self._store.continue_erasure(STEP):
            erased = True
            await sleep(BETWEEN)
        if erased:
            await self._files.remove_unnamed()
