"""The admin API's part for privacy: search, events of a conversation, erasure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict

from aiohttp import web

from sara.domain.contacts import ErasureReport
from sara.plugins.store import Store
from sara.web.admin.query import limit_of
from sara.web.json_bodies import read_object

MAX_ROWS = 1_000
"""Maximum number of rows in one answer."""


class PrivacyRoutes:
    """`/api/v1/search`, `/api/v1/forget` and the events of a conversation."""

    def __init__(self, store: Store, erase: Callable[[str], Awaitable[ErasureReport]]) -> None:
        self._store = store
        self._erase = erase

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the admin application."""
        return [
            web.get("/api/v1/search", self._search),
            web.get("/api/v1/conversations/{conversation}/events", self._events),
            web.post("/api/v1/forget", self._forget),
        ]

    async def _search(self, request: web.Request) -> web.Response:
        hits = await self._store.search(request.query.get("q", ""), limit_of(request, 50, MAX_ROWS))
        return web.json_response({"messages": [asdict(hit) for hit in hits]})

    async def _events(self, request: web.Request) -> web.Response:
        conversation = request.match_info["conversation"]
        events = await self._store.events(conversation, request.query.get("after"), limit_of(request, MAX_ROWS, MAX_ROWS))
        return web.json_response({"events": [asdict(event) for event in events]})

    async def _forget(self, request: web.Request) -> web.Response:
        contact = (await read_object(request, _ASKED)).get("contact")
        if not isinstance(contact, str) or not contact:
            raise web.HTTPBadRequest(reason=_ASKED)
        return web.json_response(asdict(await self._erase(contact)))


_ASKED = 'send {"contact": "<contact id, number or user id>"}'
