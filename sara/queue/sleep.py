"""Sleep by the loop's own clock."""

from __future__ import annotations

import asyncio


async def sleep(seconds: float) -> None:
    """Return after `seconds` of the loop's own clock, which a simulation may replace."""
    await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=seconds)
