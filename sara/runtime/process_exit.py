"""The end of the process when a plugin's task ignores its cancellation: the loop would wait for it without end."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import NoReturn

LEAVE_AFTER = 0.5
"""Seconds that plugins' tasks are given to end when everything is closed or said."""


async def cancel_remaining_tasks() -> int:
    """Tell every other task to end, and say how many do not."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    return len((await asyncio.wait(others, timeout=LEAVE_AFTER))[1]) if others else 0


def force_exit(code: int) -> NoReturn:
    """End the process at once, without waiting for tasks and threads."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
