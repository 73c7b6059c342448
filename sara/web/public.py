"""What the internet may reach: the channels' webhooks, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

import structlog
from aiohttp import web

from sara.bounds import guarded_call, in_thread, told_of
from sara.errors import StoreLost, StoreUnavailable
from sara.inbox import Inbox
from sara.model import Reception, Request, Response, SetAside
from sara.problems import Problems
from sara.routes import Route
from sara.type_check import wrong
from sara.watch import Watch
from sara.web.bodies import BODY_LIMIT, Bodies, Crowded, TooLarge, TooSlow
from sara.web.parsing import ParseLog

log = structlog.get_logger("sara.web")

IN_THREAD_FROM = 64 * 1024
"""Bodies of this size and more are understood in a thread, so that one of them does not hold up everybody else."""

ANY_PATH = "*"
"""Among the paths of channels that are not running: one of which nobody knows the path. Then nothing that no channel serves is
answered with 404, which could tell a provider to deliver no more."""

RETRY_AFTER = {"Retry-After": "5"}


class PublicApp:
    """Hands requests at a channel's webhook to the channel and what it understood to the inbox."""

    def __init__(
        self,
        routes: Mapping[str, Sequence[Route]],
        down: Set[str],
        inbox: Inbox,
        watch: Watch,
        parsing: ParseLog,
        problems: Problems,
    ) -> None:
        self._routes = routes
        self._down = down
        self._inbox = inbox
        self._watch = watch
        self._parsing = parsing
        self._problems = problems
        self._bodies = Bodies()
        self.draining = False

    def application(self) -> web.Application:
        """The application for the public listener."""
        app = web.Application(client_max_size=BODY_LIMIT)
        app.router.add_route("*", "/{path:.*}", self._handle)
        return app

    async def _handle(self, request: web.Request) -> web.Response:
        routes = self._routes.get(request.path, ())
        if not routes and not {request.path, ANY_PATH} & self._down:
            return web.Response(status=404, text="not found")
        if self.draining:
            return web.Response(status=503, text="stopping", headers=RETRY_AFTER)
        if not self._watch.room and request.method == "POST":
            return web.Response(status=503, text="no room for more at the moment", headers=RETRY_AFTER)
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            return web.Response(status=415, text="compressed bodies are not accepted")
        try:
            async with self._bodies.of(request) as body:
                headers = {name.lower(): value for name, value in request.headers.items()}
                return await self._answer(routes, Request(request.method, request.path, dict(request.query), headers, body))
        except TooLarge:
            return web.Response(status=413, text="the body is too large")
        except Crowded:
            return web.Response(status=503, text="too many bodies at the moment", headers=RETRY_AFTER)
        except TooSlow:
            return web.Response(status=408, text="the body did not arrive in time")

    async def _answer(self, routes: Sequence[Route], asked: Request) -> web.Response:
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
        if answer is None or (asked.path in self._down and answer.status < 400):
            return web.Response(status=503, headers=RETRY_AFTER)
        return web.Response(status=answer.status, body=answer.body, headers={"Content-Type": answer.content_type})

    async def _receive(self, route: Route, asked: Request) -> Reception | None:
        """What the channel makes of it; None where the channel broke."""
        if self._parsing.deadly(asked.body):
            log.error("deadly_body", channel=route.name)
            aside = SetAside(route.channel.account, "the process died whenever this was read", asked.body)
            return Reception(verified=True, set_aside=(aside,))
        try:
            with self._parsing.noted(asked.body):
                if len(asked.body) >= IN_THREAD_FROM:
                    reception = await in_thread(route.channel.receive, asked)
                else:
                    reception = guarded_call(route.channel.receive, asked)
            if not isinstance(reception, Reception):
                raise wrong("its result", reception, "a Reception")
        except Exception as error:
            log.exception("receive_failed", channel=route.name)
            self._problems.report(
                f"receive:{route.name}",
                f"{route.name} could not read a request: its plugin {told_of(error)}",
                "report it to the plugin's author; the provider delivers it again",
            )
            return None
        self._problems.clear(f"receive:{route.name}")
        return reception

    async def _keep(self, route: Route, reception: Reception) -> bool:
        """Whether all that was received is stored."""
        try:
            await self._inbox.accept(route, reception)
        except (StoreUnavailable, StoreLost) as error:
            log.error("not_stored", channel=route.name, error=str(error))
            self._problems.report(
                "store:write",
                f"messages cannot be stored: {error}",
                "free disk space or mend the disk; nothing is acknowledged until then",
            )
            return False
        self._problems.clear("store:write")
        return True
