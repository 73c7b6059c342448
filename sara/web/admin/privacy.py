"""What people may ask for, over the admin API: to find what was said, to see what happened, and to be erased."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict

from aiohttp import web

from sara.domain.contacts import ErasureReport
from sara.domain.errors import SaraError
from sara.plugins.store import Store
from sara.web.json_bodies import read_object

MOST = 1_000
"""So many rows an answer has at most."""


class PrivacyRoutes:
    """The addresses under `/api/v1` that `AdminApp` guards."""

    def __init__(self, store: Store, forget: Callable[[str], Awaitable[ErasureReport]] | None) -> None:
        self._store = store
        self._erase = forget

    def add_to(self, app: web.Application) -> None:
        """Add them to the admin application."""
        app.router.add_get("/api/v1/search", self._search)
        app.router.add_get("/api/v1/conversations/{conversation}/events", self._events)
        app.router.add_post("/api/v1/forget", self._forget)

    async def _search(self, request: web.Request) -> web.Response:
        hits = await self._store.search(request.query.get("q", ""), _limit(request, 50))
        return web.json_response({"messages": [asdict(hit) for hit in hits]})

    async def _events(self, request: web.Request) -> web.Response:
        conversation = request.match_info["conversation"]
        events = await self._store.events(conversation, request.query.get("after"), _limit(request, MOST))
        return web.json_response({"events": [asdict(event) for event in events]})

    async def _forget(self, request: web.Request) -> web.Response:
        contact = (await read_object(request, _ASKED)).get("contact")
        if not isinstance(contact, str) or not contact:
            raise web.HTTPBadRequest(reason=_ASKED)
        if self._erase is None:
            raise SaraError("erasure is not available")
        return web.json_response(asdict(await self._erase(contact)))


_ASKED = 'send {"contact": "<contact id, number or user id>"}'


def _limit(request: web.Request, usual: int) -> int:
    asked = request.query.get("limit", str(usual))
    if not asked.isdecimal() or len(asked) > 9:
        raise web.HTTPBadRequest(reason="limit is a whole number")
    return max(1, min(int(asked), MOST))
