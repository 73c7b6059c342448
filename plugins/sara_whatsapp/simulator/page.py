"""The phone page's side of the listener: the static files, the live line, and what can be done from the page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import WSCloseCode, WSMsgType, web

from sara_whatsapp.simulator.faults import Faults
from sara_whatsapp.simulator.postman import Postman
from sara_whatsapp.simulator.reports import Reports
from sara_whatsapp.simulator.rules import BSUID
from sara_whatsapp.simulator.settings import Settings
from sara_whatsapp.simulator.state import World

Say = Callable[[str, str | Mapping[str, Any], str | None], Awaitable[str]]

_HERE = Path(__file__).parent
_SCRIPT = "text/javascript"
_FILES = {"phone.css": "text/css", "phone.js": _SCRIPT, "pieces.js": _SCRIPT, "format.js": _SCRIPT, "drawers.js": _SCRIPT}
_HISTORY = 300
_BACKLOG = 1_000
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class Page:
    """Shows the simulated world in browsers and takes what people do there."""

    def __init__(self, settings: Settings, faults: Faults, world: World, reports: Reports, postman: Postman, say: Say) -> None:
        self._settings = settings
        self._faults = faults
        self._world = world
        self._reports = reports
        self._postman = postman
        self._say = say
        self._lines: dict[web.WebSocketResponse, asyncio.Queue[dict[str, Any] | None]] = {}
        world.listeners.append(self._tell)

    def routes(self) -> list[web.RouteDef]:
        """The addresses of the page."""
        return [
            web.get("/", self._index),
            web.get("/phone/live", self._live),
            web.get("/phone/state", self._state),
            web.get("/phone/{file}", self._file),
            web.post("/phone/say", self._said),
            web.post("/phone/customers", self._joined),
            web.put("/phone/faults/{name}", self._switched),
        ]

    async def close(self) -> None:
        """Let the browsers go."""
        await asyncio.gather(*(line.close(code=WSCloseCode.GOING_AWAY) for line in list(self._lines)), return_exceptions=True)

    # ── looking ──

    async def _index(self, request: web.Request) -> web.Response:
        return web.Response(body=(_HERE / "phone.html").read_bytes(), content_type="text/html", charset="utf-8", headers=_HEADERS)

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info["file"]
        if name not in _FILES:
            raise web.HTTPNotFound
        return web.Response(body=(_HERE / name).read_bytes(), content_type=_FILES[name], charset="utf-8", headers=_HEADERS)

    async def _state(self, request: web.Request) -> web.Response:
        return web.json_response(self._snapshot())

    def _snapshot(self) -> dict[str, Any]:
        return {
            "kind": "snapshot",
            "connected": self._postman.webhook is not None,
            "business": {"name": self._settings.verified_name, "number": self._settings.display_number},
            "customers": [self._world.customer_view(customer) for customer in self._world.customers.values()],
            "bubbles": [bubble.view() for chat in self._world.chats.values() for bubble in chat[-_HISTORY:]],
            "faults": [fault.state() for fault in self._faults],
        }

    async def _live(self, request: web.Request) -> web.WebSocketResponse:
        _same_origin(request)
        line = web.WebSocketResponse(heartbeat=20)
        await line.prepare(request)
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        queue.put_nowait(self._snapshot())
        self._lines[line] = queue
        self._reports.look(line, None)
        talk = asyncio.create_task(_talk(line, queue))
        try:
            async for message in line:
                if message.type is WSMsgType.TEXT:
                    self._looked(line, message.data)
        finally:
            del self._lines[line]
            self._reports.leave(line)
            talk.cancel()
            await asyncio.gather(talk, return_exceptions=True)
        return line

    def _looked(self, line: web.WebSocketResponse, data: str) -> None:
        try:
            shown = json.loads(data)["open"]
        except (ValueError, KeyError, TypeError):
            return
        self._reports.look(line, shown if isinstance(shown, str) and shown in self._world.customers else None)

    def _tell(self, event: dict[str, Any]) -> None:
        for queue in self._lines.values():
            if queue.qsize() < _BACKLOG:
                queue.put_nowait(event)
            elif queue.qsize() == _BACKLOG:
                queue.put_nowait(None)  # too slow to follow: hang up, the page comes back and starts from a snapshot

    # ── doing ──

    async def _said(self, request: web.Request) -> web.Response:
        asked = await _asked(request)
        customer, text, tapped, to = (asked.get(key) for key in ("customer", "text", "tapped", "reply_to"))
        if customer not in self._world.customers:
            raise _refused("there is no such customer")
        content: str | dict[str, Any]
        if isinstance(tapped, dict) and isinstance(to, str):
            content = _tap(self._world, to, tapped)
        elif isinstance(text, str) and text.strip():
            content = text
        else:
            raise _refused("there is nothing to say")
        wamid = await self._say(customer, content, to if isinstance(to, str) else None)
        return web.json_response({"id": wamid})

    async def _joined(self, request: web.Request) -> web.Response:
        asked = await _asked(request)
        name, phone, user_id, username = (str(asked.get(key) or "").strip() for key in ("name", "phone", "user_id", "username"))
        digits = "".join(filter(str.isdigit, phone))
        if not name:
            raise _refused("a customer needs a name")
        if phone and not 5 <= len(digits) <= 15:
            raise _refused("a phone number has 5 to 15 digits; leave it empty to hide it")
        if user_id and not BSUID.fullmatch(user_id):
            raise _refused("a user id looks like US.13491208655302741918; leave it empty for a new one")
        known = [(other.phone, other.user_id) for other in self._world.customers.values()]
        if any((digits and digits == other) or (user_id and user_id == theirs) for other, theirs in known):
            raise _refused("somebody else has that number or user id")
        return web.json_response({"id": self._world.invent(name, digits or None, user_id or None, username or None).id})

    async def _switched(self, request: web.Request) -> web.Response:
        asked = await _asked(request)
        fault = next((fault for fault in self._faults if fault.name == request.match_info["name"]), None)
        if fault is None:
            raise _refused("there is no such fault")
        try:
            if asked.get("active"):
                fault.on(asked.get("value"), times=asked.get("times"), chance=asked.get("chance"))
            else:
                fault.off()
        except (ValueError, TypeError) as error:
            raise _refused(str(error)) from error
        return web.json_response(fault.state())


async def _talk(line: web.WebSocketResponse, queue: asyncio.Queue[dict[str, Any] | None]) -> None:
    while (event := await queue.get()) is not None:
        await line.send_json(event)
    await line.close(code=WSCloseCode.TRY_AGAIN_LATER)


def _tap(world: World, to: str, tapped: Mapping[str, Any]) -> dict[str, Any]:
    """A customer taps a button or a list row of the message `to`."""
    asked = world.bubbles.get(to)
    kind = "list_reply" if asked and asked.content.get("interactive", {}).get("type") == "list" else "button_reply"
    answer = {"id": str(tapped.get("id", "")), "title": str(tapped.get("title", ""))}
    return {"type": "interactive", "interactive": {"type": kind, kind: answer}}


async def _asked(request: web.Request) -> dict[str, Any]:
    _same_origin(request)
    if request.content_type != "application/json":
        raise _refused("send JSON")
    try:
        asked = await request.json()
    except ValueError as error:
        raise _refused("send JSON") from error
    if not isinstance(asked, dict):
        raise _refused("send a JSON object")
    return asked


def _same_origin(request: web.Request) -> None:
    """Another site that is open in the same browser must not reach in here."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise web.HTTPForbidden(text="this page is for itself only\n")


def _refused(reason: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=json.dumps({"error": reason}), content_type="application/json")
