"""Actions on the phone page: write, send files, press, react, add customers, and switch faults."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from sara_simulators.whatsapp import inbound_payloads
from sara_simulators.whatsapp.customer_actions import CustomerActions
from sara_simulators.whatsapp.faults import Faults
from sara_simulators.whatsapp.fixtures import voice
from sara_simulators.whatsapp.media import KINDS
from sara_simulators.whatsapp.send_requests import BSUID
from sara_simulators.whatsapp.state import World


class PageActions:
    """Carries out requests of a browser in the simulated world. A wrong request is answered with 400 and a sentence."""

    def __init__(self, faults: Faults, world: World, customer_actions: CustomerActions) -> None:
        self._faults = faults
        self._world = world
        self._customer_actions = customer_actions

    def routes(self) -> list[web.RouteDef]:
        """Return the routes that change something."""
        return [
            web.post("/phone/say", self._send_message),
            web.post("/phone/file", self._send_file),
            web.post("/phone/customers", self._add_customer),
            web.put("/phone/customers/{id}", self._change_customer),
            web.put("/phone/faults/{name}", self._switch_fault),
        ]

    # ── writing ──

    async def _send_message(self, request: web.Request) -> web.Response:
        asked = await _read_object(request)
        customer, to = self._customer(asked.get("customer")), asked.get("reply_to")
        if to is not None and (not isinstance(to, str) or to not in self._world.messages):
            raise bad_request("there is no such message to answer")
        try:
            return web.json_response({"id": await self._say(customer, asked, to)})
        except (KeyError, TypeError, ValueError) as error:
            raise bad_request(str(error.args[0]) if error.args else "that cannot be sent") from error

    async def _say(self, customer: str, asked: Mapping[str, Any], to: str | None) -> str:
        text, place, contact = asked.get("text"), asked.get("location"), asked.get("contact")
        if isinstance(text, str) and text.strip():
            return await self._customer_actions.say(customer, text, to)
        if "press" in asked and to:
            return await self._customer_actions.press(customer, to, str(asked["press"]))
        if "reaction" in asked and to:
            emoji = asked["reaction"]
            return await self._customer_actions.react(customer, to, emoji if isinstance(emoji, str) and emoji else None)
        if asked.get("forward") and to:
            return await self._forward(customer, to)
        if asked.get("number"):
            return await self._customer_actions.say_number(customer, reply_to=to)
        if isinstance(place, dict):
            latitude, longitude = float(place["latitude"]), float(place["longitude"])
            if not (abs(latitude) <= 90 and abs(longitude) <= 180):
                raise ValueError("that is not on the globe")
            name, address = (str(place.get(key) or "") or None for key in ("name", "address"))
            return await self._customer_actions.say_location(customer, latitude, longitude, name, address, to)
        if isinstance(contact, dict) and str(contact.get("name") or "").strip():
            phones = [str(contact["phone"])] if contact.get("phone") else []
            return await self._customer_actions.say(customer, inbound_payloads.card(str(contact["name"]).strip(), phones), to)
        raise ValueError("there is nothing to say")

    async def _forward(self, customer: str, wamid: str) -> str:
        """SendRequest a message once more, marked as forwarded. What the business wrote becomes the customer's own text or file."""
        bubble = self._world.messages[wamid]
        content = bubble.content.get(bubble.kind) or {}
        if bubble.side == "customer" and bubble.kind not in ("interactive", "button", "system", "reaction"):
            again: str | dict[str, Any] = dict(bubble.content)
        elif bubble.kind in KINDS and "id" in content:
            again = self._customer_actions.received(bubble.kind, content)
        else:
            again = bubble.text
        return await self._customer_actions.say(customer, again, forwarded=True)

    async def _send_file(self, request: web.Request) -> web.Response:
        _same_origin(request)
        query = request.query
        customer, kind, to = self._customer(query.get("customer")), query.get("kind", ""), query.get("reply_to")
        data, mime = await request.read(), request.headers.get("Content-Type", "")
        if kind not in KINDS:
            raise bad_request("that is no kind of file")
        if query.get("sample") and kind == "audio":
            data, mime = voice(), "audio/ogg; codecs=opus"
        if not data:
            raise bad_request("the file is empty")
        if to is not None and to not in self._world.messages:
            raise bad_request("there is no such message to answer")
        more: dict[str, Any] = {"caption": query["caption"]} if query.get("caption") and kind not in ("audio", "sticker") else {}
        if kind == "audio":
            more["voice"] = bool(query.get("voice"))
        if kind == "sticker":
            more["animated"] = b"ANIM" in data[:64]
        name = query.get("name") or None
        id = await self._customer_actions.say_file(
            customer, kind, data, mime or "application/octet-stream", name=name, reply_to=to, **more
        )
        return web.json_response({"id": id})

    # ── customers ──

    def _customer(self, id: object) -> str:
        if not isinstance(id, str) or id not in self._world.customers:
            raise bad_request("there is no such customer")
        return id

    async def _add_customer(self, request: web.Request) -> web.Response:
        asked = await _read_object(request)
        name, phone, user_id, username = (str(asked.get(key) or "").strip() for key in ("name", "phone", "user_id", "username"))
        digits = self._free_number(phone)
        if not name:
            raise bad_request("a customer needs a name")
        if user_id and not BSUID.fullmatch(user_id):
            raise bad_request("a user id looks like US.13491208655302741918; leave it empty for a new one")
        if user_id and any(user_id == other.user_id for other in self._world.customers.values()):
            raise bad_request("somebody else has that number or user id")
        return web.json_response({"id": self._world.invent(name, digits or None, user_id or None, username or None).id})

    async def _change_customer(self, request: web.Request) -> web.Response:
        asked = await _read_object(request)
        customer = self._customer(request.match_info["id"])
        match asked.get("do"):
            case "close_window":
                self._customer_actions.close_window(customer)
            case "change_number":
                await self._customer_actions.change_number(customer, self._free_number(str(asked.get("phone") or "")) or None)
            case "hide_number":
                self._customer_actions.hide_number(customer)
            case "show_number":
                self._customer_actions.show_number(customer)
            case _:
                raise bad_request("that cannot be done")
        return web.json_response({"id": customer})

    def _free_number(self, phone: str) -> str:
        digits = "".join(filter(str.isdigit, phone))
        if phone and not 5 <= len(digits) <= 15:
            raise bad_request("a phone number has 5 to 15 digits; leave it empty to hide it")
        if digits and any(digits == other.phone for other in self._world.customers.values()):
            raise bad_request("somebody else has that number or user id")
        return digits

    # ── faults ──

    async def _switch_fault(self, request: web.Request) -> web.Response:
        asked = await _read_object(request)
        fault = next((fault for fault in self._faults.all_switches() if fault.name == request.match_info["name"]), None)
        if fault is None:
            raise bad_request("there is no such fault")
        try:
            if asked.get("active"):
                fault.on(asked.get("value"), times=asked.get("times"), chance=asked.get("chance"))
            else:
                fault.off()
        except (ValueError, TypeError) as error:
            raise bad_request(str(error)) from error
        return web.json_response(fault.state())


async def _read_object(request: web.Request) -> dict[str, Any]:
    _same_origin(request)
    if request.content_type != "application/json":
        raise bad_request("send JSON")
    try:
        asked = await request.json()
    except ValueError as error:
        raise bad_request("send JSON") from error
    if not isinstance(asked, dict):
        raise bad_request("send a JSON object")
    return asked


def _same_origin(request: web.Request) -> None:
    if not same_origin(request):
        raise web.HTTPForbidden(text="this page is for itself only\n")


def same_origin(request: web.Request) -> bool:
    """Return whether the request does not come from another site that is open in the same browser."""
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


def bad_request(reason: str) -> web.HTTPBadRequest:
    """Return the response to a wrong request of the page."""
    return web.HTTPBadRequest(text=json.dumps({"error": reason}), content_type="application/json")
