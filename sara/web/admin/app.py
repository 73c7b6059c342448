"""For the operator: health, figures, problems, and mending by hand. Always authenticated, never on the public port."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

import structlog
from aiohttp import web

from sara.domain.contacts import ErasureReport
from sara.domain.errors import Conflict, NotFound, SaraError
from sara.domain.jobs import OpenWork
from sara.domain.webhooks import UnparsedPayload
from sara.operations.conversation_health import ConversationHealth
from sara.operations.operator_actions import OperatorActions
from sara.operations.problem_registry import ProblemRegistry
from sara.operations.send_outcomes import SendOutcomes
from sara.pipeline.bindings import ChannelBindings
from sara.plugins.context import Clock
from sara.plugins.queue import Queue
from sara.plugins.store import Store
from sara.queue.notifier import JobNotifier
from sara.queue.sleep import sleep
from sara.web.admin.conversations import ActionRoutes
from sara.web.admin.privacy import PrivacyRoutes
from sara.web.counted_log import CountedLog
from sara.web.json_bodies import read_object
from sara.web.refusals import is_compressed

log = structlog.get_logger("sara.web.admin.app")

Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
MOST_BODIES = 20
"""So many bodies that were kept aside are shown at once: each may be megabytes long."""

FAILED_LOGIN_DELAY_S = 1.0
"""How long the answer to a wrong token takes, so that tokens cannot be tried in quick succession."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
HEADERS = {
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class AdminApp:
    """The admin listener's application."""

    def __init__(
        self,
        store: Store,
        queue: Queue,
        routes: ChannelBindings,
        problems: ProblemRegistry,
        token: str,
        clock: Clock,
        *,
        loopback: bool,
        lingering: Callable[[], Mapping[str, int]] = dict,
        forget: Callable[[str], Awaitable[ErasureReport]] | None = None,
        acting: OperatorActions | None = None,
        health: ConversationHealth | None = None,
        spent: Callable[[], Awaitable[Mapping[str, Mapping[str, int]]]] | None = None,
        mended: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._store = store
        self._queue = queue
        self._routes = routes
        self._notifier = JobNotifier(queue, routes.lanes_of)
        self._problems = problems
        self._token = token.encode()
        self._clock = clock
        self._loopback = loopback
        self._lingering = lingering
        self._rights = PrivacyRoutes(store, forget)
        self._acting = acting
        self._health = health
        self._spent = spent
        self._mended = mended
        self._failed_logins = CountedLog("sara.web.admin.app", "admin_login_failed")
        self.serving = False

    def application(self) -> web.Application:
        """The application for the admin listener."""
        app = web.Application(middlewares=[self._guard], client_max_size=64 * 1024)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/api/v1/problems", self._list_problems)
        app.router.add_get("/api/v1/set-aside", self._set_aside)
        app.router.add_get("/api/v1/queue", self._stats)
        app.router.add_get("/api/v1/queue/jobs", self._jobs)
        app.router.add_post("/api/v1/queue/retry", self._retry)
        app.router.add_post("/api/v1/queue/drop", self._drop)
        self._rights.add_to(app)
        app.router.add_get("/api/v1/conversations", self._conversations)
        if self._acting is not None:
            outcomes = SendOutcomes(self._store, self._routes, self._clock, self._queue.held, self._problems)
            app.add_routes(ActionRoutes(self._acting, self._notifier, self._clock, outcomes).routes())
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Respond) -> web.StreamResponse:
        response = await self._guarded(request, handler)
        response.headers.update(HEADERS)
        return response

    async def _guarded(self, request: web.Request, handler: Respond) -> web.StreamResponse:
        # A page in the operator's browser must not reach a loopback listener through a name of its own.
        if self._loopback and request.host.rpartition(":")[0] not in LOOPBACK and request.host not in LOOPBACK:
            return web.json_response({"error": "this listener does not answer to that host name"}, status=421)
        if request.path not in OPEN_PATHS and not self._authorised(request):
            if "Authorization" in request.headers:
                self._failed_logins.add(peer=request.remote or "")
                await sleep(FAILED_LOGIN_DELAY_S)
            return web.json_response(
                {"error": "send `Authorization: Bearer <token>`; the token is in the file admin-token of the state directory"},
                status=401,
                headers={"WWW-Authenticate": "Bearer"},
            )
        if is_compressed(request):
            return web.json_response({"error": "compressed bodies are not accepted"}, status=415)
        try:
            return await handler(request)
        except web.HTTPException as error:
            return web.json_response({"error": error.reason}, status=error.status)
        except NotFound as error:
            return web.json_response({"error": str(error)}, status=404)
        except Conflict as error:
            return web.json_response({"error": str(error)}, status=409)
        except SaraError as error:
            return web.json_response({"error": str(error)}, status=503)
        except Exception:
            log.exception("admin_request_failed", path=request.path)
            return web.json_response({"error": "something went wrong; see the log"}, status=500)

    def _authorised(self, request: web.Request) -> bool:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode("utf-8", "replace"), self._token)

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "serving" if self.serving else "not serving"}, status=200 if self.serving else 503)

    async def _readyz(self, _: web.Request) -> web.Response:
        ready = self.serving and "store:messages:write_failed" not in self._problems
        return web.json_response({"status": "ready" if ready else "not ready"}, status=200 if ready else 503)

    async def _list_problems(self, _: web.Request) -> web.Response:
        return web.json_response({"problems": [asdict(problem) for problem in self._problems]})

    async def _set_aside(self, request: web.Request) -> web.Response:
        found = await self._store.unparsed_payloads(request.query.get("after"), min(_limit(request), MOST_BODIES))
        return web.json_response({"set_aside": [_kept(item) for item in found]})

    async def _stats(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "queue": dict(await self._queue.stats()),
                "messages": dict(await self._store.counts()),
                "problems": [asdict(problem) for problem in self._problems],
            }
        )

    async def _conversations(self, request: web.Request) -> web.Response:
        limit = _limit(request)
        if request.query.get("unhealthy", "") not in ("", "0", "false") and self._health is not None:
            return web.json_response({"conversations": [asdict(each) for each in await self._health.look(limit, is_asked=True)]})
        found = await self._store.conversations(limit, request.query.get("search"))
        return web.json_response({"conversations": [asdict(each) for each in found]})

    async def _jobs(self, request: web.Request) -> web.Response:
        limit = _limit(request)
        return web.json_response({"jobs": [dict(entry) async for entry in self._queue.entries(limit)]})

    async def _retry(self, request: web.Request) -> web.Response:
        kind, key = await self._job_of(request)
        work = await self._store.retry_failed(key, kind, self._clock())
        await self._notifier.notify([work])
        log.info("job_retried", kind=kind, key=key, actor="operator", messages=work.changed)
        return await self._after(work)

    async def _drop(self, request: web.Request) -> web.Response:
        kind, key = await self._job_of(request)
        work = await self._store.drop(key, kind, self._clock())
        await self._queue.drop(kind, key)
        await self._notifier.notify([work])
        log.info("job_dropped", kind=kind, key=key, actor="operator", messages=work.changed)
        return await self._after(work)

    async def _after(self, work: OpenWork) -> web.Response:
        """What an operator changed; problems that it solved go."""
        if self._mended is not None:
            await self._mended()
        return web.json_response(asdict(work))

    async def _job_of(self, request: web.Request) -> tuple[str, str]:
        body = await read_object(request, 'send {"kind": "reply" or "deliver", "key": "<conversation>"}')
        kind, key = body.get("kind"), body.get("key")
        if kind not in ("reply", "deliver") or not isinstance(key, str):
            raise web.HTTPBadRequest(reason="kind is reply or deliver, key is a conversation's id")
        return kind, key

    async def _metrics(self, _: web.Request) -> web.Response:
        from sara.web.admin.metrics import render

        unhealthy = self._health.counts if self._health is not None else {}
        spent = await self._spent() if self._spent is not None else {}
        body = render(
            await self._queue.stats(), await self._store.counts(), len(self._problems), self._lingering(), unhealthy, spent
        )
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


def _kept(item: UnparsedPayload) -> dict[str, Any]:
    body, encoding = item.shown()
    return {"id": item.id, "account": item.account, "reason": item.reason, "at": item.at, "encoding": encoding, "body": body}


def _limit(request: web.Request) -> int:
    asked = request.query.get("limit", "100")
    if not asked.isdecimal() or len(asked) > 9:
        raise web.HTTPBadRequest(reason="limit is a whole number")
    return max(1, min(int(asked), 10_000))
