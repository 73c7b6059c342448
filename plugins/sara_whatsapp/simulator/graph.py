"""The Graph API's side of the listener: who may ask, what is answered, and what goes wrong when it shall."""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from sara_whatsapp.simulator.errors import GraphError, expired_token, invalid, no_such_object, no_such_path, wrong, wrong_token
from sara_whatsapp.simulator.faults import Faults
from sara_whatsapp.simulator.rules import MarkRead, check
from sara_whatsapp.simulator.settings import Settings
from sara_whatsapp.simulator.state import AcceptedSend, GraphRequest, World

Answer = Callable[[web.Request, bytes], Awaitable[web.Response]]

_HTML = "<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Sorry, something went wrong.</h1></body></html>"


class Cut(Exception):
    """The connection is to be dropped without an answer."""


class Graph:
    """Answers requests to the Graph API out of the simulated world."""

    def __init__(self, settings: Settings, faults: Faults, world: World, accepted: Callable[[AcceptedSend], None]) -> None:
        self._settings = settings
        self._faults = faults
        self._world = world
        self._accepted = accepted

    def routes(self) -> list[web.RouteDef]:
        """The addresses answered here; whatever is not known is an error in Meta's shape too."""
        return [
            web.post(r"/{version:v\d+\.\d+}/{object:\d+}/messages", self._recorded(self._messages)),
            web.get(r"/{version:v\d+\.\d+}/{object:\d+}", self._recorded(self._phone_number)),
            web.route("*", "/{rest:.*}", self._recorded(self._elsewhere)),
        ]

    def _recorded(self, answer: Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            raw = await request.read()
            status = 0
            try:
                response = await answer(request, raw)
                status = response.status
            except GraphError as error:
                status = error.status
                response = _refusal(error)
            except Cut:
                _reset(request)
                response = web.Response()
            finally:
                self._world.requests.append(GraphRequest(self._world.clock(), request.method, request.path, raw, status))
                self._world.changed()
            return response

        return handle

    # ── sending ──

    async def _messages(self, request: web.Request, raw: bytes) -> web.Response:
        body = _parsed(raw)
        sends = "status" not in body if body else True
        if sends and self._faults.reset_before.strikes():
            raise Cut
        self._authorize(request, counts=sends)
        if request.match_info["object"] != self._settings.phone_number_id:
            raise no_such_object(request.method, request.match_info["object"])
        if request.content_type != "application/json":
            raise invalid(f"The content type must be application/json, not {request.content_type}.")
        if body is None:
            raise invalid("The request body is not a JSON object.")
        wanted = check(body)
        if isinstance(wanted, MarkRead):
            return self._mark_read(wanted)
        if self._faults.error_code.strikes():
            raise GraphError(self._faults.error_code.value, "Switched on in the simulator.")
        if self._faults.server_error.strikes():
            return _broken(self._faults.server_error.value)
        if wanted.phone == self._settings.display_number:
            raise GraphError(131021, "Recipient phone number is the sender's own.")
        if wanted.kind == "reaction" and not self._world.knows(wanted.content["reaction"]["message_id"]):
            raise wrong("The message to react to is not known.")
        taken = self._world.accept(wanted, body)
        self._accepted(taken)
        if self._faults.reset_after_accept.strikes():
            raise Cut
        if self._faults.error_after_accept.strikes():
            return _broken("html")
        await asyncio.sleep((self._faults.slow.value if self._faults.slow.strikes() else self._settings.latency) / 1000)
        who = {"user_id": wanted.user_id} if wanted.user_id else {"wa_id": wanted.phone}
        message = {"id": taken.wamid} | ({"message_status": "accepted"} if wanted.kind == "template" else {})
        return _json({"messaging_product": "whatsapp", "contacts": [{"input": wanted.input, **who}], "messages": [message]})

    def _mark_read(self, mark: MarkRead) -> web.Response:
        if not self._world.knows(mark.message_id):
            raise wrong("Message ID is invalid.")
        self._world.mark_read(mark.message_id, mark.typing)
        return _json({"success": True})

    # ── set-up ──

    async def _phone_number(self, request: web.Request, raw: bytes) -> web.Response:
        self._authorize(request, counts=False)
        if request.match_info["object"] != self._settings.phone_number_id:
            raise no_such_object(request.method, request.match_info["object"])
        digits = self._settings.display_number
        node = {
            "id": self._settings.phone_number_id,
            "display_phone_number": f"+{digits}",
            "verified_name": self._settings.verified_name,
            "quality_rating": "GREEN",
            "code_verification_status": "VERIFIED",
            "name_status": "APPROVED",
            "platform_type": "CLOUD_API",
            "throughput": {"level": "STANDARD"},
            "health_status": {"can_send_message": "AVAILABLE", "entities": []},
        }
        fields = [name for name in request.query.get("fields", "").split(",") if name]
        for name in fields:
            if name not in node:
                raise invalid(f"Tried accessing nonexisting field ({name})")
        return _json({key: node[key] for key in dict.fromkeys([*fields, "id"])} if fields else node)

    async def _elsewhere(self, request: web.Request, raw: bytes) -> web.Response:
        raise no_such_path(request.path)

    def _authorize(self, request: web.Request, *, counts: bool) -> None:
        """`counts` says that the request uses up a fault that is on for a number of sends."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        right = hmac.compare_digest(token.strip().encode(), self._settings.access_token.encode())
        if scheme.lower() != "bearer" or not right:
            raise wrong_token()
        expired = self._faults.token_expired
        if expired.strikes() if counts else expired.active:
            raise expired_token()


def _parsed(raw: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _json(body: Mapping[str, Any], status: int = 200) -> web.Response:
    return web.json_response(body, status=status, headers={"facebook-api-version": "v26.0"})


def _refusal(error: GraphError) -> web.Response:
    trace = "A" + secrets.token_urlsafe(16)
    response = _json(error.body(trace), error.status)
    response.headers["x-fb-trace-id"] = trace
    if error.status == 401:
        response.headers["WWW-Authenticate"] = f'OAuth "Facebook Platform" "invalid_token" "{error.message}"'
    return response


def _broken(form: str) -> web.Response:
    if form == "html":
        return web.Response(status=502, text=_HTML, content_type="text/html")
    return _json({"error": {"message": "An unexpected error has occurred. Please retry your request later."}}, 500)


def _reset(request: web.Request) -> None:
    """Drop the connection so that the other end sees a reset, not an orderly close."""
    transport = request.transport
    if transport is None:
        return
    plug = transport.get_extra_info("socket")
    if plug is not None:
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
