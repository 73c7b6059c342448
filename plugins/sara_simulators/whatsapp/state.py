"""The simulated world: customers, their chats, and the record of requests to the Graph API."""

from __future__ import annotations

import asyncio
import base64
import itertools
import re
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sara_simulators.whatsapp.message_contents import summary
from sara_simulators.whatsapp.records import PRESET_CUSTOMERS, RANK, AcceptedSend, ChatMessage, Customer, GraphRequest, ReadMark
from sara_simulators.whatsapp.reply_windows import ReplyWindows
from sara_simulators.whatsapp.send_requests import SendRequest

TYPING_LASTS = 25_000


def new_wamid(address: str, outbound: bool) -> str:
    """Return a message id in Meta's form, never the same twice, whatever the seed: messages are identified by it."""
    who = address.encode("ascii", "replace")[:60]
    tail = secrets.token_hex(9).upper() if outbound else secrets.token_hex(10).upper()
    raw = b"\x1c\x18" + bytes([len(who)]) + who + b"\x15\x02\x00" + (b"\x11" if outbound else b"\x12")
    return "wamid." + base64.b64encode(raw + b"\x18" + bytes([len(tail)]) + tail.encode() + b"\x00").decode()


@dataclass(slots=True)
class World:
    """The state of the simulator. `listeners` are called with every change that a page shows; `wait` returns at any change."""

    clock: Callable[[], int]
    windows: ReplyWindows
    customers: dict[str, Customer] = field(default_factory=lambda: {customer.id: customer for customer in PRESET_CUSTOMERS})
    chats: dict[str, list[ChatMessage]] = field(default_factory=dict)
    messages: dict[str, ChatMessage] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    accepted: list[AcceptedSend] = field(default_factory=list)
    requests: deque[GraphRequest] = field(default_factory=lambda: deque(maxlen=10_000))
    reads: list[ReadMark] = field(default_factory=list)
    typings: list[ReadMark] = field(default_factory=list)
    typing_until: dict[str, int] = field(default_factory=dict)
    listeners: list[Callable[[dict[str, Any]], None]] = field(default_factory=list)
    _change: asyncio.Event = field(default_factory=asyncio.Event)

    # ── change ──

    def changed(self, **event: Any) -> None:
        """Wake all waiters; with an event, call the listeners too."""
        self._change.set()
        self._change = asyncio.Event()
        if event:
            for listener in self.listeners:
                listener(event)

    async def wait(self) -> None:
        """Return at the next change."""
        await self._change.wait()

    # ── customers ──

    def find(self, key: str | Customer) -> Customer:
        """Return a customer by id, phone, business-scoped id or name."""
        if isinstance(key, Customer):
            if self.customers.get(key.id) != key:
                self.add(key)
            return key
        if key in self.customers:
            return self.customers[key]
        digits = key.lstrip("+")
        for customer in self.customers.values():
            if key in (customer.user_id, customer.name) or digits == customer.phone:
                return customer
        raise KeyError(f"no customer {key!r}; there are {', '.join(self.customers)}")

    def add(self, customer: Customer) -> Customer:
        """Add a customer, or replace the one with this id."""
        self.customers[customer.id] = customer
        self.changed(kind="customer", customer=self.customer_view(customer))
        return customer

    def invent(self, name: str, phone: str | None = None, user_id: str | None = None, username: str | None = None) -> Customer:
        """Add a customer with an id made from the name, and a business-scoped id if none is given."""
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "customer"
        key = next(k for k in itertools.chain([slug], (f"{slug}-{n}" for n in itertools.count(2))) if k not in self.customers)
        return self.add(Customer(key, name, phone, user_id or f"US.{secrets.randbelow(10**20):020d}", username))

    def customer_view(self, customer: Customer) -> dict[str, Any]:
        """Return a customer as the page shows them."""
        return {
            "id": customer.id,
            "name": customer.name,
            "phone": customer.phone,
            "user_id": customer.user_id,
            "username": customer.username,
            "typing_until": self.typing_until.get(customer.id, 0),
            "window_until": self.windows.closes_at(customer.id),
        }

    def hidden_number(self, customer: Customer) -> str:
        """Return the number of a customer who does not show it."""
        return f"1555{int.from_bytes(customer.id.encode(), 'big') % 10**7:07d}"

    def addressee(self, send: SendRequest) -> Customer | None:
        """Return the recipient of a send, added if unknown; None where the send is one that gets lost."""
        if send.lost:
            return None
        return self.known(send) or self.invent(send.user_id or f"+{send.phone}", send.phone, send.user_id)

    def known(self, send: SendRequest) -> Customer | None:
        """Return the recipient of a send, if it is known."""
        try:
            return None if send.lost else self.find(send.user_id or send.phone or "")
        except KeyError:
            return None

    # ── messages ──

    def write(
        self, customer: Customer, content: str | Mapping[str, Any], reply_to: str | None = None, forwarded: bool | str = False
    ) -> ChatMessage:
        """Add a message or reaction of a customer."""
        body = {"type": "text", "text": {"body": content}} if isinstance(content, str) else content
        kind = str(body.get("type", "text"))
        bubble = ChatMessage(
            new_wamid(customer.phone or "00000000000", outbound=False),
            customer.id,
            "customer",
            kind,
            body,
            summary(kind, body.get(kind) or {}),
            self.clock(),
            "sent",
            reply_to,
            seen=True,
            forwarded=forwarded,
        )
        if kind == "reaction":
            self.messages[bubble.id] = bubble
            self._react(body, "own_reaction")
            self.changed()
            return bubble
        if kind != "system":
            self.windows.open(customer.id, bubble.at)
            self.changed(kind="customer", customer=self.customer_view(customer))
        self._put(bubble)
        return bubble

    def accept(self, send: SendRequest, body: Mapping[str, Any]) -> AcceptedSend:
        """Accept a message of the business. It answers the customer, so all earlier messages count as read."""
        customer = self.addressee(send)
        wamid = new_wamid(send.phone or "00000000000", outbound=True)
        taken = AcceptedSend(
            wamid,
            self.clock(),
            send.kind,
            send.text,
            body.get("to") or None,
            body.get("recipient") or None,
            customer.id if customer else None,
            send.callback_data,
            send.reply_to,
            body,
            send.category,
            send.fails,
        )
        self.accepted.append(taken)
        if customer:
            self.typing_until.pop(customer.id, None)
            self._read_by_business(customer.id)
            if send.kind == "reaction":
                self._react(send.content, "reaction")
            else:
                self._put(
                    ChatMessage(
                        wamid,
                        customer.id,
                        "business",
                        send.kind,
                        send.content,
                        send.text,
                        taken.at,
                        "accepted",
                        send.reply_to,
                        rendered=send.rendered,
                    )
                )
            self.changed(kind="customer", customer=self.customer_view(customer))
        self.changed()
        return taken

    def _put(self, bubble: ChatMessage) -> None:
        self.chats.setdefault(bubble.customer, []).append(bubble)
        self.messages[bubble.id] = bubble
        self.show(bubble)

    def _react(self, content: Mapping[str, Any], whose: Literal["reaction", "own_reaction"]) -> None:
        target = self.messages.get(content["reaction"]["message_id"])
        if target:
            setattr(target, whose, content["reaction"].get("emoji") or None)
            self.show(target)

    def show(self, bubble: ChatMessage) -> None:
        """Publish a new or changed message. A reaction is part of another."""
        if bubble.kind == "reaction":
            self.changed()
        else:
            self.changed(kind="bubble", bubble=bubble.view())

    def advance(self, wamid: str, state: str) -> None:
        """Advance a message to a later state; it never goes back."""
        bubble = self.messages.get(wamid)
        if bubble and RANK[state] > RANK[bubble.state]:
            bubble.state = state
            self.show(bubble)

    def mark_seen(self, wamid: str) -> None:
        """Mark a message as seen by the customer."""
        bubble = self.messages.get(wamid)
        if bubble and not bubble.seen:
            bubble.seen = True
            self.show(bubble)

    def knows(self, wamid: str) -> bool:
        """Return whether a message id is one that the business can mark or react to."""
        return wamid in self.messages or wamid in self.foreign

    def mark_read(self, wamid: str, typing: bool) -> None:
        """Mark a message and all before it as read by the business; with `typing`, show the typing indicator."""
        now = self.clock()
        self.reads.append(ReadMark(wamid, now))
        bubble = self.messages.get(wamid)
        if bubble and bubble.side == "customer":
            self._read_by_business(bubble.customer, wamid)
        if typing:
            self.typings.append(ReadMark(wamid, now))
            if bubble:
                self.typing_until[bubble.customer] = now + TYPING_LASTS
                self.changed(kind="customer", customer=self.customer_view(self.customers[bubble.customer]))
        self.changed()

    def _read_by_business(self, customer: str, last: str | None = None) -> None:
        reached = last is None
        for bubble in reversed(self.chats.get(customer, [])):
            reached = reached or bubble.id == last
            if reached and bubble.side == "customer":
                if bubble.state == "read":
                    break
                self.advance(bubble.id, "read")

    def record_posted(self, body: Any) -> None:
        """Record the message ids and authors of a body that was posted as it is, so that messages can be marked as read."""
        try:
            values = [change["value"] for entry in body["entry"] for change in entry["changes"]]
            messages = [message for value in values for message in value.get("messages", ())]
            self.foreign.update(str(message["id"]) for message in messages)
            writers = {message.get("from_user_id") or message.get("from") for message in messages}
        except (KeyError, TypeError, AttributeError):
            return
        for customer in self.customers.values():
            if customer.user_id in writers or customer.phone in writers:
                self.windows.open(customer.id, self.clock())
