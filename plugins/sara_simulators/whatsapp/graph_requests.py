"""The common part of all Graph API endpoints: authorization, the record of requests, and the form of responses."""

from __future__ import annotations

import hmac
import json
import secrets
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from sara_simulators.whatsapp.errors import GraphError, expired_token, no_such_object, wrong_token
from sara_simulators.whatsapp.faults import Faults
from sara_simulators.whatsapp.records import GraphRequest
from sara_simulators.whatsapp.settings import Settings
from sara_simulators.whatsapp.state import World

Answer = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OBJECT = r"/{version:v\d+\.\d+}/{object:\d+}"
"""The path of anything that has an id."""


class ConnectionCut(Exception):
    """The connection is to be dropped without a response."""


class GraphGateway:
    """The entry of all Graph API endpoints.

    Each group of endpoints has a function `routes(gateway, …)` that wraps its handlers by `wrap`, calls `authorize` first, and
    raises `GraphError` to refuse.
    """

    def __init__(self, settings: Settings, faults: Faults, world: World) -> None:
        self.settings = settings
        self.faults = faults
        self.world = world
        self.number: dict[str, Callable[[], Any]] = {}
        """The fields of the phone number beyond the plain ones: each name with what tells its value."""
        self.refusal: Callable[[], GraphError | None] = lambda: None
        """The error that every send gets in the present set-up; None for no error."""

        self.used: Callable[[], int] = lambda: 0
        """Used percentage of the calls that Meta allows in an hour."""

    def wrap(self, answer: Answer, *, form: bool = False) -> Handler:
        """Return a handler that turns exceptions into errors in Meta's form, and records the request.

        With `form` the body is left for the wrapped function to read, and is not recorded.
        """

        async def handle(request: web.Request) -> web.StreamResponse:
            raw = b"" if form else await request.read()
            status = 0
            response: web.StreamResponse
            try:
                response = await answer(request, raw)
                status = response.status
            except GraphError as error:
                status = error.status
                response = error_response(error)
            except ConnectionCut:
                _reset(request)
                response = web.Response()
            finally:
                if status and (used := self.used()):
                    figures = {"type": "whatsapp", "call_count": used, "estimated_time_to_regain_access": 0}
                    response.headers["X-Business-Use-Case-Usage"] = json.dumps({self.settings.business_account_id: [figures]})
                self.world.requests.append(GraphRequest(self.world.clock(), request.method, request.path, raw, status))
                self.world.changed()
            return response

        return handle

    def authorize(self, request: web.Request, *, counts: bool = False) -> None:
        """Refuse a request without the access token. With `counts` the request uses up a fault that is on for a number of
        sends.
        """
        if not hmac.compare_digest(bearer_token(request).encode(), self.settings.access_token.encode()):
            raise wrong_token()
        expired = self.faults.token_expired
        if expired.strikes() if counts else expired.active:
            raise expired_token()

    def own_number(self, request: web.Request) -> None:
        """Refuse a path whose object is not the business's phone number."""
        if request.match_info["object"] != self.settings.phone_number_id:
            raise no_such_object(request.method, request.match_info["object"])


def bearer_token(request: web.Request) -> str:
    """Return the bearer token of a request; empty where there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def parse_object(raw: bytes) -> dict[str, Any] | None:
    """Return a body as a JSON object; None where it is none."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def json_response(body: Mapping[str, Any], status: int = 200) -> web.Response:
    """Return a response with the Graph API's headers."""
    return web.json_response(body, status=status, headers={"facebook-api-version": "v26.0"})


def error_response(error: GraphError) -> web.Response:
    """Return the response for an error."""
    trace = "A" + secrets.token_urlsafe(16)
    response = json_response(error.body(trace), error.status)
    response.headers["x-fb-trace-id"] = trace
    if error.status == 401:
        response.headers["WWW-Authenticate"] = f'OAuth "Facebook Platform" "invalid_token" "{error.message}"'
    return response


def _reset(request: web.Request) -> None:
    """Drop the connection so that the other end sees a reset, not an orderly close."""
    transport = request.transport
    if transport is None:
        return
    plug = transport.get_extra_info("socket")
    if plug is not None:
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
