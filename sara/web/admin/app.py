"""The admin listener: authenticated, and never on the public port."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog
from aiohttp import web

from sara.domain.errors import Conflict, NotFound, SaraError
from sara.queue.sleep import sleep
from sara.web.counted_log import CountedLog
from sara.web.refusals import is_compressed

log = structlog.get_logger("sara.web.admin.app")

Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
FAILED_LOGIN_DELAY_S = 1.0
"""How long the answer to a wrong token takes, so that tokens cannot be tried in quick succession."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
HEADERS = {
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class RouteProvider(Protocol):
    """One part of the admin API."""

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the admin application, which guards them."""
        ...


class AdminApp:
    """The admin listener's application: it asks for the token, and the providers answer."""

    def __init__(self, token: str, providers: Sequence[RouteProvider], *, is_loopback: bool) -> None:
        self._token = token.encode()
        self._providers = providers
        self._is_loopback = is_loopback
        self._failed_logins = CountedLog("sara.web.admin.app", "admin_login_failed")

    def application(self) -> web.Application:
        """Return the application for the admin listener."""
        app = web.Application(middlewares=[self._guard], client_max_size=64 * 1024)
        for provider in self._providers:
            app.add_routes(provider.routes())
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Respond) -> web.StreamResponse:
        response = await self._guarded(request, handler)
        response.headers.update(HEADERS)
        return response

    async def _guarded(self, request: web.Request, handler: Respond) -> web.StreamResponse:
        # A page in the operator's browser must not reach a loopback listener through a name of its own.
        if self._is_loopback and request.host.rpartition(":")[0] not in LOOPBACK and request.host not in LOOPBACK:
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
