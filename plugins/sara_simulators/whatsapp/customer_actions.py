"""The actions of a customer with a phone, which `WhatsAppSimulator` offers."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sara_simulators.whatsapp import fixtures, inbound_payloads
from sara_simulators.whatsapp.media import Media, MediaStore
from sara_simulators.whatsapp.records import ChatMessage, Customer
from sara_simulators.whatsapp.settings import Settings
from sara_simulators.whatsapp.state import World


class CustomerActions(ABC):
    """Methods that return the new message's id at once; the webhook is delivered in the background."""

    settings: Settings
    _world: World
    _media_store: MediaStore

    @abstractmethod
    async def say(
        self,
        customer: str | Customer,
        content: str | Mapping[str, Any],
        reply_to: str | None = None,
        *,
        forwarded: bool | str = False,
    ) -> str:
        """Send a text, or a whole message such as `{"type": "location", "location": {...}}`.

        `forwarded` marks it as forwarded, `"often"` as forwarded many times.
        """

    # ── files ──

    async def say_file(
        self,
        customer: str | Customer,
        kind: str,
        data: bytes,
        mime: str,
        *,
        name: str | None = None,
        reply_to: str | None = None,
        forwarded: bool | str = False,
        **more: Any,
    ) -> str:
        """Send a file. `kind` is image, video, audio, document or sticker; `more` goes into the message as it is."""
        media = self._media_store.add(data, mime, name)
        content = inbound_payloads.file(kind, media, self._address(media), filename=name if kind == "document" else None, **more)
        return await self.say(customer, content, reply_to, forwarded=forwarded)

    async def say_picture(
        self,
        customer: str | Customer,
        data: bytes | None = None,
        *,
        mime: str = "image/png",
        caption: str | None = None,
        **how: Any,
    ) -> str:
        """Send a photograph; a ready-made one where `data` is None."""
        return await self.say_file(
            customer, "image", fixtures.picture() if data is None else data, mime, **_caption(caption), **how
        )

    async def say_voice(self, customer: str | Customer, data: bytes | None = None, **how: Any) -> str:
        """Send a voice note as the app records it; a ready-made one where `data` is None."""
        spoken = fixtures.voice() if data is None else data
        return await self.say_file(customer, "audio", spoken, "audio/ogg; codecs=opus", voice=True, **how)

    async def say_audio(self, customer: str | Customer, data: bytes, *, mime: str = "audio/mpeg", **how: Any) -> str:
        """Send a sound file that was not recorded in the app."""
        return await self.say_file(customer, "audio", data, mime, voice=False, **how)

    async def say_video(
        self,
        customer: str | Customer,
        data: bytes = fixtures.VIDEO,
        *,
        mime: str = "video/mp4",
        caption: str | None = None,
        **how: Any,
    ) -> str:
        """Send a video."""
        return await self.say_file(customer, "video", data, mime, **_caption(caption), **how)

    async def say_document(
        self,
        customer: str | Customer,
        data: bytes = fixtures.DOCUMENT,
        *,
        name: str = "document.pdf",
        mime: str = "application/pdf",
        caption: str | None = None,
        **how: Any,
    ) -> str:
        """Send a document under a name."""
        return await self.say_file(customer, "document", data, mime, name=name, **_caption(caption), **how)

    async def say_sticker(
        self, customer: str | Customer, data: bytes = fixtures.STICKER, *, animated: bool = False, **how: Any
    ) -> str:
        """Send a sticker."""
        return await self.say_file(customer, "sticker", data, "image/webp", animated=animated, **how)

    def picked(self, data: bytes, mime: str, name: str) -> dict[str, Any]:
        """Return a file as the pickers of a form name it among the answers; it can be fetched like any other."""
        return inbound_payloads.picked(self._media_store.add(data, mime, name))

    async def say_form(self, customer: str | Customer, answers: Mapping[str, Any], reply_to: str | None = None) -> str:
        """Send a filled-in form (a flow)."""
        return await self.say(customer, inbound_payloads.form(answers), reply_to)

    def received(self, kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return a file of the business as a message of a customer who forwards it.

        Raises `KeyError` where it no longer exists.
        """
        media = self._media_store.get(str(content["id"]))
        if media is None:
            raise KeyError("that file is not there any more")
        more = {key: content[key] for key in ("caption", "filename") if content.get(key)}
        if kind == "audio":
            more["voice"] = bool(content.get("voice"))
        if kind == "sticker":
            more["animated"] = b"ANIM" in media.data[:64]
        kept = self._media_store.add(media.data, media.mime, media.name)
        return inbound_payloads.file(kind, kept, self._address(kept), **more)

    def _address(self, media: Media) -> str | None:
        return (
            self._media_store.create_url(media, "webhook") if self._media_store.origin and self.settings.media_addresses else None
        )

    # ── other things ──

    async def say_location(
        self,
        customer: str | Customer,
        latitude: float,
        longitude: float,
        name: str | None = None,
        address: str | None = None,
        reply_to: str | None = None,
    ) -> str:
        """Send a place, in degrees."""
        return await self.say(customer, inbound_payloads.location(latitude, longitude, name, address), reply_to)

    async def say_contact(
        self, customer: str | Customer, name: str, phones: Sequence[str] = (), reply_to: str | None = None
    ) -> str:
        """Send a contact card."""
        return await self.say(customer, inbound_payloads.card(name, phones), reply_to)

    async def say_number(self, customer: str | Customer, phone: str | None = None, reply_to: str | None = None) -> str:
        """Send the customer's own number, which the business had asked for; an invented one for those who hide it."""
        who = self._world.find(customer)
        return await self.say(who, inbound_payloads.own_number(phone or who.phone or self._world.hidden_number(who)), reply_to)

    async def react(self, customer: str | Customer, wamid: str, emoji: str | None) -> str:
        """React to a message; None takes the reaction back."""
        return await self.say(customer, inbound_payloads.reaction(wamid, emoji))

    async def press(self, customer: str | Customer, wamid: str, what: str) -> str:
        """Press a button, or choose from a list, by its id or title. Raises `KeyError` where the message has none such."""
        return await self.say(customer, inbound_payloads.pressed(self._world.messages[wamid], what), wamid)

    # ── who they are ──

    async def change_number(self, customer: str | Customer, phone: str | None = None) -> str:
        """Change the customer's number and with it the business-scoped id, and notify the business.

        A customer who hides the number gets only another id.
        """
        old = self._world.find(customer)
        phone = None if old.phone is None else phone or f"1555{secrets.randbelow(10**7):07d}"
        new = replace(old, phone=phone, user_id=f"{(old.user_id or 'US.')[:2]}.{secrets.randbelow(10**20):020d}")
        told = inbound_payloads.changed_number(old.name, *({"phone": who.phone, "user_id": who.user_id} for who in (old, new)))
        wamid = await self.say(old, told)
        self._world.add(new)
        return wamid

    def show_number(self, customer: str | Customer, phone: str | None = None) -> Customer:
        """Show the number of a customer who hid it to the business from now on."""
        who = self._world.find(customer)
        return self._world.add(replace(who, phone=phone or who.phone or self._world.hidden_number(who)))

    def hide_number(self, customer: str | Customer) -> Customer:
        """Hide the customer's number from the business from now on."""
        who = self._world.find(customer)
        return self._world.add(replace(who, phone=None))

    def close_window(self, customer: str | Customer) -> None:
        """Close the reply window: until the customer writes again, the business can only send templates."""
        who = self._world.find(customer)
        self._world.windows.close(who.id)
        self._world.changed(kind="customer", customer=self._world.customer_view(who))

    # ── looking ──

    def chat(self, customer: str | Customer) -> Sequence[ChatMessage]:
        """Return a customer's chat, oldest first; reactions are part of their messages."""
        return tuple(self._world.chats.get(self._world.find(customer).id, ()))

    def message(self, wamid: str) -> ChatMessage:
        """Return one message of a chat, of either side; reactions too."""
        return self._world.messages[wamid]


def _caption(caption: str | None) -> dict[str, str]:
    return {} if caption is None else {"caption": caption}
