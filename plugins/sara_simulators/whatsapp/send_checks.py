"""Checks of a well-formed send against the present state: window, limits, template, file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sara_simulators.whatsapp.errors import GraphError, wrong
from sara_simulators.whatsapp.faults import Faults
from sara_simulators.whatsapp.media import DAY, KINDS, MediaStore
from sara_simulators.whatsapp.rate_limits import RateLimits
from sara_simulators.whatsapp.send_requests import SendRequest
from sara_simulators.whatsapp.settings import Settings
from sara_simulators.whatsapp.state import World
from sara_simulators.whatsapp.templates import Templates

_STILL_STICKER = 100 * 1024
_REACTABLE = 30 * DAY


class SendChecks:
    """All checks of a send beyond its own form."""

    def __init__(self, settings: Settings, faults: Faults, world: World, media_store: MediaStore, templates: Templates) -> None:
        self._settings = settings
        self._faults = faults
        self._world = world
        self._media_store = media_store
        self._templates = templates
        self._limits = RateLimits()

    def check(self, send: SendRequest) -> SendRequest:
        """Return the send completed by the checks. Raises `GraphError` where it is refused."""
        if send.phone == self._settings.display_number:
            raise GraphError(131021, "Recipient phone number is the sender's own.")
        now = self._world.clock()
        self._hurry(send, now)
        if send.kind == "reaction":
            self._reaction(send.content["reaction"]["message_id"], now)
        if send.kind == "template":
            send = self._template(send)
        elif self._closed(send, now):
            details = "More than 24 hours have passed since the customer last replied to this number."
            if self._settings.window_refusal == "answer":
                raise GraphError(131047, details)
            send = replace(send, fails=131047)
        send = self._files(send)
        self._limits.count(send.input.lstrip("+"), now)
        return send

    def _hurry(self, send: SendRequest, now: int) -> None:
        pair, number = self._faults.pair_limit, self._faults.throughput
        if number.active and not self._limits.number_allows(number.value, now) and number.strikes():
            raise GraphError(130429, "Message failed to send because there were too many messages sent from this phone number.")
        if pair.active and not self._limits.pair_allows(send.input.lstrip("+"), now) and pair.strikes():
            raise GraphError(131056, "Too many messages sent from this phone number to the same customer.")

    def _reaction(self, wamid: str, now: int) -> None:
        target = self._world.messages.get(wamid)
        if not self._world.knows(wamid) or (target and now - target.at > _REACTABLE):
            raise wrong("The message to react to is not known, or older than 30 days.")

    def _template(self, send: SendRequest) -> SendRequest:
        wanted = send.content["template"]
        template = self._templates.check(wanted)
        if template.category == "authentication" and send.user_id:
            raise GraphError(131062, "Authentication templates go to phone numbers only.")
        rendered = self._templates.render(template, wanted)
        return replace(send, text=rendered["body"], rendered=rendered, category=template.category)

    def _closed(self, send: SendRequest, now: int) -> bool:
        customer = self._world.known(send)
        name = customer.id if customer else send.input
        if not send.lost and not self._world.windows.is_open(name, now):
            return True
        return self._faults.window_closed.strikes()

    def _files(self, send: SendRequest) -> SendRequest:
        for kind, file in _named(send):
            media = self._media_store.get(str(file["id"]))
            if media is None or not media.uploaded:
                raise wrong(f"{kind}['id'] is not the id of a file that this number uploaded.")
            largest, types = KINDS[kind]
            still = kind == "sticker" and b"ANIM" not in media.data[:64]
            voice = bool(file.get("voice")) and media.type not in ("audio/ogg", "audio/opus")
            if media.type not in types or len(media.data) > (_STILL_STICKER if still else largest) or voice:
                send = replace(send, fails=131053)
        return send


def _named(send: SendRequest) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the files that a message names by id, each with its kind."""
    content = send.content[send.kind]
    if send.kind == "interactive":
        header = content.get("header") or {}
        found = [(str(header.get("type")), header.get(str(header.get("type"))))]
    else:
        found = [(send.kind, content)]
    return [(kind, file) for kind, file in found if kind in KINDS and isinstance(file, Mapping) and "id" in file]
