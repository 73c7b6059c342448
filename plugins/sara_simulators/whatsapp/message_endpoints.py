"""Endpoints of messages and of the phone number, with the faults that affect them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

from sara_simulators.whatsapp import media_endpoints
from sara_simulators.whatsapp.errors import GraphError, invalid, no_such_object, no_such_path, wrong
from sara_simulators.whatsapp.graph_requests import OBJECT, ConnectionCut, GraphGateway, json_response, parse_object
from sara_simulators.whatsapp.media import MediaStore
from sara_simulators.whatsapp.records import AcceptedSend
from sara_simulators.whatsapp.send_checks import SendChecks
from sara_simulators.whatsapp.send_requests import ReadRequest, parse_send_body

_HTML = "<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Sorry, something went wrong.</h1></body></html>"


def routes(
    gateway: GraphGateway, media_store: MediaStore, send_checks: SendChecks, accepted: Callable[[AcceptedSend], None]
) -> list[web.RouteDef]:
    """Return the routes. `accepted` is called with every accepted send."""
    endpoints = _MessageEndpoints(gateway, media_store, send_checks, accepted)
    return [web.post(f"{OBJECT}/messages", gateway.wrap(endpoints.messages)), web.get(OBJECT, gateway.wrap(endpoints.get_object))]


def fallback_routes(gateway: GraphGateway) -> list[web.RouteDef]:
    """Return the last routes, which answer unknown paths with an error in Meta's form."""

    async def refuse_unknown_path(request: web.Request, raw: bytes) -> web.Response:
        raise no_such_path(request.path)

    return [web.route("*", "/{rest:.*}", gateway.wrap(refuse_unknown_path))]


class _MessageEndpoints:
    def __init__(
        self, gateway: GraphGateway, media_store: MediaStore, send_checks: SendChecks, accepted: Callable[[AcceptedSend], None]
    ) -> None:
        self._gateway = gateway
        self._settings = gateway.settings
        self._faults = gateway.faults
        self._world = gateway.world
        self._media_store = media_store
        self._send_checks = send_checks
        self._accepted = accepted

    # ── sending ──

    async def messages(self, request: web.Request, raw: bytes) -> web.Response:
        body = parse_object(raw)
        sends = "status" not in body if body else True
        if sends and self._faults.reset_before.strikes():
            raise ConnectionCut
        self._gateway.authorize(request, counts=sends)
        self._gateway.own_number(request)
        if request.content_type != "application/json":
            raise invalid(f"The content type must be application/json, not {request.content_type}.")
        if body is None:
            raise invalid("The request body is not a JSON object.")
        wanted = parse_send_body(body)
        if isinstance(wanted, ReadRequest):
            return self._mark_read(wanted)
        if self._faults.error_code.strikes():
            raise GraphError(self._faults.error_code.value, "Switched on in the simulator.")
        if (refusal := self._gateway.refusal()) is not None:
            raise refusal
        if self._faults.server_error.strikes():
            return _broken(self._faults.server_error.value)
        wanted = self._send_checks.check(wanted)
        taken = self._world.accept(wanted, body)
        self._accepted(taken)
        if self._faults.reset_after_accept.strikes():
            raise ConnectionCut
        if self._faults.error_after_accept.strikes():
            return _broken("html")
        await asyncio.sleep((self._faults.slow.value if self._faults.slow.strikes() else self._settings.latency) / 1000)
        who = {"user_id": wanted.user_id} if wanted.user_id else {"wa_id": wanted.phone}
        message = {"id": taken.wamid}
        if wanted.kind == "template":
            message["message_status"] = self._faults.held_back.value if self._faults.held_back.strikes() else "accepted"
        return json_response(
            {"messaging_product": "whatsapp", "contacts": [{"input": wanted.input, **who}], "messages": [message]}
        )

    def _mark_read(self, mark: ReadRequest) -> web.Response:
        if not self._world.knows(mark.message_id):
            raise wrong("Message ID is invalid.")
        self._world.mark_read(mark.message_id, mark.typing)
        return json_response({"success": True})

    # ── things with an id ──

    async def get_object(self, request: web.Request, raw: bytes) -> web.Response:
        self._gateway.authorize(request)
        if request.match_info["object"] == self._settings.phone_number_id:
            return self._phone_number(request)
        file = media_endpoints.media_response(self._gateway, self._media_store, request)
        if file is None:
            raise no_such_object(request.method, request.match_info["object"])
        return file

    def _phone_number(self, request: web.Request) -> web.Response:
        node = {
            "id": self._settings.phone_number_id,
            "display_phone_number": f"+{self._settings.display_number}",
            "verified_name": self._settings.verified_name,
            "code_verification_status": "VERIFIED",
            "throughput": {"level": "STANDARD"},
        }
        node |= {name: value() for name, value in self._gateway.number.items()}
        fields = [name for name in request.query.get("fields", "").split(",") if name]
        for name in fields:
            if name not in node:
                raise invalid(f"Tried accessing nonexisting field ({name})")
        return json_response({key: node[key] for key in dict.fromkeys([*fields, "id"])} if fields else node)


def _broken(form: str) -> web.Response:
    if form == "html":
        return web.Response(status=502, text=_HTML, content_type="text/html")
    return json_response({"error": {"message": "An unexpected error has occurred. Please retry your request later."}}, 500)
