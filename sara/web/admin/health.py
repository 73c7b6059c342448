"""The admin API's part for monitoring: health, readiness, problems and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from aiohttp import web

from sara.domain.problems import ProblemReporter
from sara.domain.webhooks import UnparsedPayload
from sara.operations.ai_usage import AIUsage
from sara.operations.conversation_health import ConversationHealth
from sara.plugins.queue import Queue
from sara.plugins.store import Store
from sara.web.admin.query import limit_of

MAX_PAYLOADS = 20
"""Maximum number of unparsed payloads in one answer: each may be megabytes long."""


class HealthRoutes:
    """`/healthz`, `/readyz` and the list of problems. The daemon sets `serving`."""

    def __init__(self, problems: ProblemReporter) -> None:
        self._problems = problems
        self.serving = False

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the admin application."""
        return [
            web.get("/healthz", self._healthz),
            web.get("/readyz", self._readyz),
            web.get("/api/v1/problems", self._list_problems),
        ]

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "serving" if self.serving else "not serving"}, status=200 if self.serving else 503)

    async def _readyz(self, _: web.Request) -> web.Response:
        ready = self.serving and "store:messages:write_failed" not in self._problems
        return web.json_response({"status": "ready" if ready else "not ready"}, status=200 if ready else 503)

    async def _list_problems(self, _: web.Request) -> web.Response:
        return web.json_response({"problems": [asdict(problem) for problem in self._problems]})


class MetricsRoutes:
    """`/metrics`. `stuck_calls` counts the plugin calls that were given up and have not ended."""

    def __init__(
        self,
        store: Store,
        queue: Queue,
        problems: ProblemReporter,
        stuck_calls: Callable[[], Mapping[str, int]],
        health: ConversationHealth,
        usage: AIUsage,
    ) -> None:
        self._store = store
        self._queue = queue
        self._problems = problems
        self._stuck_calls = stuck_calls
        self._health = health
        self._usage = usage

    def routes(self) -> list[web.RouteDef]:
        """Return the route for the admin application."""
        return [web.get("/metrics", self._metrics)]

    async def _metrics(self, _: web.Request) -> web.Response:
        from sara.web.admin.metrics import render

        usage = await self._usage.current()
        problems = sum(1 for _ in self._problems)
        queue, counts = await self._queue.stats(), await self._store.counts()
        body = render(queue, counts, problems, self._stuck_calls(), self._health.counts, usage)
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


class UnparsedPayloadRoutes:
    """`/api/v1/unparsed`: signed webhook bodies that a channel did not understand."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[web.RouteDef]:
        """Return the route for the admin application."""
        return [web.get("/api/v1/unparsed", self._list)]

    async def _list(self, request: web.Request) -> web.Response:
        found = await self._store.unparsed_payloads(request.query.get("after"), min(limit_of(request), MAX_PAYLOADS))
        return web.json_response({"unparsed": [_shown(item) for item in found]})


def _shown(item: UnparsedPayload) -> dict[str, Any]:
    body, encoding = item.shown()
    return {"id": item.id, "account": item.account, "reason": item.reason, "at": item.at, "encoding": encoding, "body": body}
