"""The server of the phone page: static files, the files of the chats, and the WebSocket."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from sara_simulators.whatsapp.customer_actions import CustomerActions
from sara_simulators.whatsapp.faults import Faults
from sara_simulators.whatsapp.media import MediaStore
from sara_simulators.whatsapp.page_actions import PageActions, same_origin
from sara_simulators.whatsapp.settings import Settings
from sara_simulators.whatsapp.state import World
from sara_simulators.whatsapp.status_events import StatusEvents
from sara_simulators.whatsapp.webhook_delivery import WebhookSender

_HERE = Path(__file__).parent
_SCRIPT = "text/javascript"
_SCRIPTS = ("phone.js", "people.js", "pieces.js", "bubbles.js", "format.js", "attach.js", "drawers.js", "sheets.js", "send.js")
_FILES = {"phone.css": "text/css", "bubbles.css": "text/css"} | dict.fromkeys(_SCRIPTS, _SCRIPT)
_PLAYABLE = frozenset(
    {"image/png", "image/jpeg", "image/webp", "image/gif", "video/mp4", "video/webm", "video/3gpp"}
    | {"audio/ogg", "audio/opus", "audio/mpeg", "audio/mp4", "audio/aac", "audio/amr", "audio/wav", "audio/webm"}
)
_HISTORY = 300
_BACKLOG = 1_000
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
    " media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class Page:
    """Shows the simulated world in browsers and accepts the actions of their users."""

    def __init__(
        self,
        settings: Settings,
        faults: Faults,
        world: World,
        status_events: StatusEvents,
        webhook_sender: WebhookSender,
        media_store: MediaStore,
        customer_actions: CustomerActions,
    ) -> None:
        self._settings = settings
        self._faults = faults
        self._world = world
        self._status_events = status_events
        self._webhook_sender = webhook_sender
        self._media_store = media_store
        self._actions = PageActions(faults, world, customer_actions)
        self._lines: dict[web.WebSocketResponse, asyncio.Queue[dict[str, Any] | None]] = {}
        world.listeners.append(self._tell)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the page."""
        return [
            web.get("/", self._index),
            web.get("/phone/live", self._live),
            web.get("/phone/state", self._state),
            web.get("/phone/{file}", self._file),
            web.get("/phone/media/{id}", self._media),
            *self._actions.routes(),
        ]

    async def close(self) -> None:
        """Close the WebSockets."""
        await asyncio.gather(*(line.close(code=WSCloseCode.GOING_AWAY) for line in list(self._lines)), return_exceptions=True)

    # ── looking ──

    async def _index(self, request: web.Request) -> web.Response:
        return web.Response(body=(_HERE / "phone.html").read_bytes(), content_type="text/html", charset="utf-8", headers=_HEADERS)

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info["file"]
        if name not in _FILES:
            raise web.HTTPNotFound
        return web.Response(body=(_HERE / name).read_bytes(), content_type=_FILES[name], charset="utf-8", headers=_HEADERS)

    async def _media(self, request: web.Request) -> web.Response:
        media = self._media_store.get(request.match_info["id"])
        if media is None:
            raise web.HTTPNotFound
        # a browser must not open a customer's file as a page of this origin: other types are downloaded
        shows = media.type in _PLAYABLE
        headers = _HEADERS | {"Content-Security-Policy": "default-src 'none'; sandbox", "Cache-Control": "private, max-age=3600"}
        headers |= {"Content-Type": media.type if shows else "application/octet-stream"}
        headers |= {"Content-Disposition": "inline" if shows else "attachment"}
        return web.Response(body=media.data, headers=headers)

    async def _state(self, request: web.Request) -> web.Response:
        return web.json_response(self._snapshot())

    def _snapshot(self) -> dict[str, Any]:
        return {
            "kind": "snapshot",
            "connected": self._webhook_sender.webhook is not None,
            "business": {"name": self._settings.verified_name, "number": self._settings.display_number},
            "customers": [self._world.customer_view(customer) for customer in self._world.customers.values()],
            "bubbles": [bubble.view() for chat in self._world.chats.values() for bubble in chat[-_HISTORY:]],
            "faults": [fault.state() for fault in self._faults.all_switches()],
        }

    async def _live(self, request: web.Request) -> web.WebSocketResponse:
        if not same_origin(request):
            raise web.HTTPForbidden(text="this page is for itself only\n")
        line = web.WebSocketResponse(heartbeat=20)
        await line.prepare(request)
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        queue.put_nowait(self._snapshot())
        self._lines[line] = queue
        self._status_events.open_chat(line, None)
        talk = asyncio.create_task(_talk(line, queue))
        try:
            async for message in line:
                if message.type is WSMsgType.TEXT:
                    self._open_chat(line, message.data)
        finally:
            del self._lines[line]
            self._status_events.close_page(line)
            talk.cancel()
            await asyncio.gather(talk, return_exceptions=True)
        return line

    def _open_chat(self, line: web.WebSocketResponse, data: str) -> None:
        try:
            shown = json.loads(data)["open"]
        except (ValueError, KeyError, TypeError):
            return
        self._status_events.open_chat(line, shown if isinstance(shown, str) and shown in self._world.customers else None)

    def _tell(self, event: dict[str, Any]) -> None:
        for queue in self._lines.values():
            if queue.qsize() < _BACKLOG:
                queue.put_nowait(event)
            elif queue.qsize() == _BACKLOG:
                queue.put_nowait(None)  # too slow to follow: hang up, the page comes back and starts from a snapshot


async def _talk(line: web.WebSocketResponse, queue: asyncio.Queue[dict[str, Any] | None]) -> None:
    while (event := await queue.get()) is not None:
        await line.send_json(event)
    await line.close(code=WSCloseCode.TRY_AGAIN_LATER)
