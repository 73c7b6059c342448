"""JSON objects as bodies of the admin API."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web


async def read_object(request: web.Request, expected: str) -> dict[str, Any]:
    """Return the JSON object that the request carries; an empty one where it carries no body. Raises HTTPBadRequest, with
    `expected` as its reason, for anything else, also for text that no database and no log can hold."""
    try:
        body = await request.read()
        found = json.loads(body.decode("utf-8")) if body else {}
        # A lone surrogate (`\\ud800`) passes the parser and fails wherever the text is encoded.
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    except (web.RequestPayloadError, ValueError, RecursionError) as error:
        raise web.HTTPBadRequest(reason=expected) from error
    if not isinstance(found, dict):
        raise web.HTTPBadRequest(reason=expected)
    return found
