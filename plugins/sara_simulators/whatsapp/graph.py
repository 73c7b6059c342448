"""The addresses of sending and of the phone number: what is answered, and what goes wrong when it shall."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

from sara_simulators.whatsapp import media_endpoints
from sara_simulators.whatsapp.errors import GraphError, invalid, no_such_object, no_such_path, wrong
from sara_simulators.whatsapp.graph_requests import OBJECT, Cut, Front, parsed, told
from sara_simulators.whatsapp.media import Shelf
from sara_simulators.whatsapp.records import AcceptedSend
from sara_simulators.whatsapp.rules import MarkRead, check
from sara_simulators.whatsapp.send_checks import Judge

_HTML = "<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Sorry, something went wrong.</h1></body></html>"


def routes(front: Front, shelf: Shelf, judge: Judge, accepted: Callable[[AcceptedSend], None]) -> list[web.RouteDef]:
    """The addresses answered here. `accepted` is told of every send that was taken."""
    graph = _Graph(front, shelf, judge, accepted)
    return [web.post(f"{OBJECT}/messages", front.recorded(graph.messages)), web.get(OBJECT, front.recorded(graph.thing))]


def elsewhere(front: Front) -> list[web.RouteDef]:
    """Whatever is not known is an error in Meta's shape too. These come last."""

    async def nowhere(request: web.Request, raw: bytes) -> web.Response:
        raise no_such_path(request.path)

    return [web.route("*", "/{rest:.*}", front.recorded(nowhere))]


class _Graph:
    def __init__(self, front: Front, shelf: Shelf, judge: Judge, accepted: Callable[[AcceptedSend], None]) -> None:
        self._front = front
        self._settings = front.settings
        self._faults = front.faults
        self._world = front.world
        self._shelf = shelf
        self._judge = judge
        self._accepted = accepted

    # ── sending ──

    async def messages(self, request: web.Request, raw: bytes) -> web.Response:
        body = parsed(raw)
        sends = "status" not in body if body else True
        if sends and self._faults.reset_before.strikes():
            raise Cut
        self._front.authorize(request, counts=sends)
        self._front.own_number(request)
        if request.content_type != "application/json":
            raise invalid(f"The content type must be application/json, not {request.content_type}.")
        if body is None:
            raise invalid("The request body is not a JSON object.")
        wanted = check(body)
        if isinstance(wanted, MarkRead):
            return self._mark_read(wanted)
        if self._faults.error_code.strikes():
            raise GraphError(self._faults.error_code.value, "Switched on in the simulator.")
        if (refusal := self._front.refusal()) is not None:
            raise refusal
        if self._faults.server_error.strikes():
            return _broken(self._faults.server_error.value)
        wanted = self._judge.judge(wanted)
        taken = self._world.accept(wanted, body)
        self._accepted(taken)
        if self._faults.reset_after_accept.strikes():
            raise Cut
        if self._faults.error_after_accept.strikes():
            return _broken("html")
        await asyncio.sleep((self._faults.slow.value if self._faults.slow.strikes() else self._settings.latency) / 1000)
        who = {"user_id": wanted.user_id} if wanted.user_id else {"wa_id": wanted.phone}
        message = {"id": taken.wamid}
        if wanted.kind == "template":
            message["message_status"] = self._faults.held_back.value if self._faults.held_back.strikes() else "accepted"
        return told({"messaging_product": "whatsapp", "contacts": [{"input": wanted.input, **who}], "messages": [message]})

    def _mark_read(self, mark: MarkRead) -> web.Response:
        if not self._world.knows(mark.message_id):
            raise wrong("Message ID is invalid.")
        self._world.mark_read(mark.message_id, mark.typing)
        return told({"success": True})

    # ── things with an id ──

    async def thing(self, request: web.Request, raw: bytes) -> web.Response:
        self._front.authorize(request)
        if request.match_info["object"] == self._settings.phone_number_id:
            return self._phone_number(request)
        file = media_endpoints.look(self._front, self._shelf, request)
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
        node |= {name: value() for name, value in self._front.number.items()}
        fields = [name for name in request.query.get("fields", "").split(",") if name]
        for name in fields:
            if name not in node:
                raise invalid(f"Tried accessing nonexisting field ({name})")
        return told({key: node[key] for key in dict.fromkeys([*fields, "id"])} if fields else node)


def _broken(form: str) -> web.Response:
    if form == "html":
        return web.Response(status=502, text=_HTML, content_type="text/html")
    return told({"error": {"message": "An unexpected error has occurred. Please retry your request later."}}, 500)
