"""The states of an accepted message on the customer's side, and their status events."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from sara_simulators.whatsapp.faults import Faults
from sara_simulators.whatsapp.pricing import MessagePricing
from sara_simulators.whatsapp.records import AcceptedSend, Customer
from sara_simulators.whatsapp.settings import Settings
from sara_simulators.whatsapp.state import World
from sara_simulators.whatsapp.webhook_delivery import WebhookSender
from sara_simulators.whatsapp.webhooks import encode_body, status_webhook


class StatusEvents:
    """Advances messages from accepted to read, and tracks the chats that are open on pages."""

    def __init__(self, settings: Settings, faults: Faults, world: World, webhook_sender: WebhookSender) -> None:
        self.pages: dict[object, str | None] = {}
        """The pages that are open, each with the customer whose chat it shows."""
        self._settings = settings
        self._faults = faults
        self._world = world
        self._webhook_sender = webhook_sender
        self._pricing = MessagePricing(settings.free_messages)
        self._unread: defaultdict[str, list[AcceptedSend]] = defaultdict(list)

    def report(self, send: AcceptedSend) -> None:
        """Start the delivery of an accepted message."""
        if send.customer and not self._faults.stay_silent.strikes():
            self._webhook_sender.spawn(self._carry(send, self._world.customers[send.customer]))

    def open_chat(self, page: object, customer: str | None) -> None:
        """Record that a page shows a customer's chat, or none; delivered messages there become read."""
        self.pages[page] = customer
        for send in self._unread.pop(customer, []) if customer else []:
            self._world.mark_seen(send.wamid)
            self._webhook_sender.spawn(self._report(send, self._world.customers[send.customer or ""], "read"))

    def close_page(self, page: object) -> None:
        """Record that a page was closed."""
        self.pages.pop(page, None)

    def _reading(self, customer: Customer) -> bool:
        return customer.id in self.pages.values() if self.pages else self._settings.auto_read

    async def _carry(self, send: AcceptedSend, customer: Customer) -> None:
        pause = self._settings
        await asyncio.sleep(pause.sent_delay / 1000)
        if send.fails:
            await self._report(send, customer, "failed", code=send.fails)
            return
        if self._faults.failed_status.strikes():
            await self._report(send, customer, "failed", code=self._faults.failed_status.value)
            return
        if self._faults.reverse_statuses.strikes():
            await asyncio.sleep((pause.delivered_delay + pause.read_delay) / 1000)
            self._world.mark_seen(send.wamid)
            for state in ("read", "delivered", "sent"):
                await self._report(send, customer, state)
            return
        await self._report(send, customer, "sent")
        if send.kind == "reaction":
            return
        await asyncio.sleep(pause.delivered_delay / 1000)
        await self._report(send, customer, "delivered")
        await asyncio.sleep(pause.read_delay / 1000)
        if self._reading(customer):
            self._world.mark_seen(send.wamid)
            await self._report(send, customer, "read")
        else:
            self._unread[customer.id].append(send)

    async def _report(self, send: AcceptedSend, customer: Customer, state: str, code: int = 0) -> None:
        if self._faults.lose_statuses.strikes():
            return
        now = self._world.clock()
        price = self._pricing.price(send.wamid, send.category, now) if state in ("sent", "delivered") else None
        told = status_webhook(self._settings, customer, send, state, now, price=price, code=code)
        await self._webhook_sender.deliver(encode_body(told), on_accepted=lambda: self._world.advance(send.wamid, state))
