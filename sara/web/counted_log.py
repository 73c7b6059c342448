"""Log lines for events that strangers can cause at any rate: occurrences are counted and logged once a minute."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

INTERVAL_S = 60.0


class CountedLog:
    """Log one kind of event: the first occurrence at once, those of the following minute as one line with their count."""

    def __init__(self, logger: str, event: str) -> None:
        self._log = structlog.get_logger(logger)
        self._event = event
        self._count = 0
        self._fields: dict[str, Any] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, **fields: Any) -> None:
        """Count one occurrence; the line shows the fields of the latest one."""
        self._count += 1
        self._fields = fields
        if self._timer is None:
            self._write()

    def _write(self) -> None:
        self._timer = None
        if not self._count:
            return
        self._log.warning(self._event, count=self._count, **self._fields)
        self._count = 0
        self._timer = asyncio.get_running_loop().call_later(INTERVAL_S, self._write)
