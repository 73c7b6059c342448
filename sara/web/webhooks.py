"""The public listener: the channels' webhooks, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import nullcontext
from dataclasses import replace
from typing import TypeVar

import structlog
from aiohttp import web

from sara.domain.errors import CommitUnknown, StoreUnavailable
from sara.domain.problems import problem_key
from sara.domain.webhooks import Request, Response, UnparsedPayload, WebhookResult
from sara.operations.load_shedding import IntakeGuard
from sara.operations.problem_registry import ProblemRegistry
from sara.pipeline.bindings import ChannelBinding
from sara.pipeline.inbound import InboundHandler
from sara.plugins.call_guard import describe_failure, guarded_call
from sara.plugins.threads import run_in_thread
from sara.plugins.type_check import wrong_type
from sara.web.body_limits import BODY_LIMIT, BodyCutOff, BodyReader, MemoryLimitReached, TooLarge, TooSlow
from sara.web.crash_log import ParseCrashLog
from sara.web.refusals import is_compressed

log = structlog.get_logger("sara.web")
T = TypeVar("T")

IN_THREAD_FROM = 64 * 1024
"""Bodies of this size and more are understood in a thread, so that one of them does not hold up everybody else."""

ANY_PATH = "*"
"""Among the paths of channels that are not running: one of which nobody knows the path. Then nothing that no channel serves is
answered with 404, which could tell a provider to deliver no more."""

MOST_SET_ASIDE = 200
"""Beyond this number of elements that a channel did not understand, the whole body is set aside once in their place."""

RETRY_AFTER = {"Retry-After": "5"}


class WebhookApp:
    """Passes a request to the channel at its path, and the channel's result to the inbound handler."""

    def __init__(
        self,
        routes: Mapping[str, Sequence[ChannelBinding]],
        down: Set[str],
        inbox: InboundHandler,
        watch: IntakeGuard,
        parsing: ParseCrashLog,
        problems: ProblemRegistry,
    ) -> None:
        self._routes = routes
        self._down = down
        self._inbox = inbox
        self._watch = watch
        self._parsing = parsing
        self._problems = problems
        self._bodies = BodyReader()
        self.draining = False

    def application(self) -> web.Application:
        """Return the application for the public listener."""
        app = web.Application(client_max_size=BODY_LIMIT)
        app.router.add_route("*", "/{path:.*}", self._handle)
        return app

    async def _handle(self, request: web.Request) -> web.Response:
        routes = self._routes_at(request.path)
        if not routes and not self._is_down(request.path) and ANY_PATH not in self._down:
            return web.Response(status=404, text="not found")
        if self.draining:
            return web.Response(status=503, text="stopping", headers=RETRY_AFTER)
        if not self._watch.accepting and request.method == "POST":
            return web.Response(status=503, text="no room for more at the moment", headers=RETRY_AFTER)
        if is_compressed(request):
            return web.Response(status=415, text="compressed bodies are not accepted")
        try:
            async with self._bodies.of(request) as body:
                return await self._answer(
                    routes, Request(request.method, request.path, dict(request.query), _headers_of(request), body)
                )
        except TooLarge:
            return web.Response(status=413, text="the body is too large")
        except MemoryLimitReached:
            return web.Response(status=503, text="too many bodies at the moment", headers=RETRY_AFTER)
        except TooSlow:
            return web.Response(status=408, text="the body did not arrive in time")
        except BodyCutOff:
            return web.Response(status=400, text="the body is malformed or was cut off")

    def _routes_at(self, path: str) -> Sequence[ChannelBinding]:
        return [route for spelling in _spellings(path) for route in self._routes.get(spelling, ())]

    def _is_down(self, path: str) -> bool:
        return any(spelling in self._down for spelling in _spellings(path))

    async def _answer(self, routes: Sequence[ChannelBinding], asked: Request) -> web.Response:
        """Offer the request to every channel at its path: numbers of one app share a webhook, and each takes what is its own.

        The 200 waits until all of it is stored; the answer is that of the first channel that took the request for genuine.
        While one of the path's channels is down its share cannot be stored: the provider has to deliver again, and what was
        stored meanwhile is known then.
        """
        answer: Response | None = None
        for route in routes:
            reception = await self._receive(route, asked)
            if reception is None or not await self._keep(route, reception):
                return web.Response(status=503, headers=RETRY_AFTER)
            if answer is None or (answer.status >= 400 and reception.response.status < 400):
                answer = reception.response
        if answer is None or (self._is_down(asked.path) and answer.status < 400):
            return web.Response(status=503, headers=RETRY_AFTER)
        return web.Response(status=answer.status, body=answer.body, headers={"Content-Type": answer.content_type})

    async def _receive(self, route: ChannelBinding, asked: Request) -> WebhookResult | None:
        """Return what the channel understood; None where the channel failed.

        Only a body that the channel has verified is noted while it is read, and set aside unread if it ended the process before:
        anybody can send any other, and have it in hand when the process happens to end.
        """
        try:
            verified = await self._call(route.channel.verify, asked)
            if verified and self._parsing.is_blocked(asked.body):
                log.error("payload_blocked", channel=route.name)
                aside = UnparsedPayload(route.channel.account, "the process died whenever this was read", asked.body)
                return WebhookResult(verified=True, unparsed=(aside,))
            with self._parsing.track(asked.body) if verified else nullcontext():
                reception = await self._call(route.channel.receive, asked)
            if not isinstance(reception, WebhookResult):
                raise wrong_type("its result", reception, "a WebhookResult")
        except Exception as error:
            log.exception("webhook_receive_failed", channel=route.name)
            self._problems.report(
                problem_key("channel", route.name, "webhook_unreadable"),
                f"{route.name}: a webhook could not be read: its plugin {describe_failure(error)}",
                "report it to the plugin's author; the provider delivers the webhook again",
            )
            return None
        self._problems.clear(problem_key("channel", route.name, "webhook_unreadable"))
        if len(reception.unparsed) > MOST_SET_ASIDE:
            reason = f"{len(reception.unparsed)} elements were not understood, the first: {reception.unparsed[0].reason}"
            return replace(reception, unparsed=(UnparsedPayload(route.channel.account, reason, asked.body),))
        return reception

    async def _call(self, method: Callable[[Request], T], asked: Request) -> T:
        """Call a channel's method, in a thread where the body is large."""
        return await run_in_thread(method, asked) if len(asked.body) >= IN_THREAD_FROM else guarded_call(method, asked)

    async def _keep(self, route: ChannelBinding, reception: WebhookResult) -> bool:
        """Store what was received, and return whether all of it is stored."""
        try:
            await self._inbox.accept(route, reception)
        except (StoreUnavailable, CommitUnknown) as error:
            log.error("webhook_store_failed", channel=route.name, error=str(error))
            self._problems.report(
                "store:messages:write_failed",
                f"messages cannot be stored: {error}",
                "free disk space or repair the disk; until then no webhook is acknowledged",
            )
            return False
        self._problems.clear("store:messages:write_failed")
        return True


def _spellings(path: str) -> tuple[str, str]:
    """Return a path without and with a slash at its end; both mean the same webhook."""
    bare = path.removesuffix("/")
    return bare, f"{bare}/"


def _headers_of(request: web.Request) -> dict[str, str]:
    """Return the headers by lower-case names; several of one name are joined as HTTP joins them."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers
