"""The admin API's part for the queue: figures, jobs, and retrying or dropping failed messages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict

import structlog
from aiohttp import web

from sara.domain.jobs import OpenWork
from sara.domain.problems import ProblemReporter
from sara.plugins.context import Clock
from sara.plugins.queue import Queue
from sara.plugins.store import Store
from sara.queue.notifier import JobNotifier
from sara.web.admin.query import limit_of
from sara.web.json_bodies import read_object

log = structlog.get_logger("sara.web.admin.queue")


class QueueRoutes:
    """`/api/v1/queue` and what is below it. `clear_solved` is called after an operator changed messages."""

    def __init__(
        self,
        store: Store,
        queue: Queue,
        notifier: JobNotifier,
        problems: ProblemReporter,
        clear_solved: Callable[[], Awaitable[None]],
        clock: Clock,
    ) -> None:
        self._store = store
        self._queue = queue
        self._notifier = notifier
        self._problems = problems
        self._clear_solved = clear_solved
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the admin application."""
        return [
            web.get("/api/v1/queue", self._stats),
            web.get("/api/v1/queue/jobs", self._jobs),
            web.post("/api/v1/queue/retry", self._retry),
            web.post("/api/v1/queue/drop", self._drop),
        ]

    async def _stats(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "queue": dict(await self._queue.stats()),
                "messages": dict(await self._store.counts()),
                "problems": [asdict(problem) for problem in self._problems],
            }
        )

    async def _jobs(self, request: web.Request) -> web.Response:
        limit = limit_of(request)
        return web.json_response({"jobs": [dict(entry) async for entry in self._queue.entries(limit)]})

    async def _retry(self, request: web.Request) -> web.Response:
        kind, key = await self._job_of(request)
        work = await self._store.retry_failed(key, kind, self._clock())
        await self._notifier.notify([work])
        log.info("job_retried", kind=kind, key=key, actor="operator", messages=work.changed)
        return await self._changed(work)

    async def _drop(self, request: web.Request) -> web.Response:
        kind, key = await self._job_of(request)
        work = await self._store.drop(key, kind, self._clock())
        await self._queue.drop(kind, key)
        await self._notifier.notify([work])
        log.info("job_dropped", kind=kind, key=key, actor="operator", messages=work.changed)
        return await self._changed(work)

    async def _changed(self, work: OpenWork) -> web.Response:
        """Clear the problems that an operator's change solved, and answer with the open work."""
        await self._clear_solved()
        return web.json_response(asdict(work))

    async def _job_of(self, request: web.Request) -> tuple[str, str]:
        body = await read_object(request, 'send {"kind": "reply" or "deliver", "key": "<conversation>"}')
        kind, key = body.get("kind"), body.get("key")
        if kind not in ("reply", "deliver") or not isinstance(key, str):
            raise web.HTTPBadRequest(reason="kind is reply or deliver, key is a conversation's id")
        return kind, key
