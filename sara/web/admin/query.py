"""Query parameters that several endpoints take."""

from __future__ import annotations

from aiohttp import web

MAX_LIMIT = 10_000


def limit_of(request: web.Request, default: int = 100, largest: int = MAX_LIMIT) -> int:
    """Return the maximum number of rows that a request asks for, between 1 and `largest`."""
    asked = request.query.get("limit", str(default))
    if not asked.isdecimal() or len(asked) > 9:
        raise web.HTTPBadRequest(reason="limit is a whole number")
    return max(1, min(int(asked), largest))
