"""The simulated world: customers, their chats, and a record of all that was asked of the Graph API. No I/O."""

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

from sara_whatsapp.simulator.contents import choices, summary
from sara_whatsapp.simulator.rules import Send

Side = Literal["customer", "business"]
RANK: Mapping[str, int] = {"accepted": 0, "sent": 1, "delivered": 2, "read": 3, "failed": 4}
TYPING_LASTS = 25_000


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody who writes to the business. Without `phone` the number is hidden from it; without `user_id` the account is an
    old one that has none yet."""

    id: str
    name: str
    phone: str | None = None
    user_id: str | None = None
    username: str | None = None


PRESET = (
    Customer("ana", "Ana Duarte", "15550001111", "US.10000000000000000111"),
    Customer("kofi", "Kofi Mensah", "15550002222", "GH.20000000000000000222"),
    Customer("mei", "Mei Tan", "15550003333", "SG.30000000000000000333", "mei.tan"),
    Customer("nox", "Nox", None, "DE.40000000000000000444", "nox_nobody"),
)


@dataclass(slots=True)
class Bubble:
    """One message in a chat. A customer's is `sent` when written, `delivered` when the webhook answered 200, `read` when the
    business marked it or answered. A business's is `accepted`, then whatever was reported back about it."""

    id: str
    customer: str
    side: Side
    kind: str
    content: Mapping[str, Any]
    text: str
    at: int
    state: str
    reply_to: str | None = None
    reaction: str | None = None
    seen: bool = False

    def view(self) -> dict[str, Any]:
        """The bubble as the page shows it."""
        return {
            "id": self.id,
            "customer": self.customer,
            "side": self.side,
            "kind": self.kind,
            "text": self.text,
            "at": self.at,
            "state": self.state,
            "reply_to": self.reply_to,
            "reaction": self.reaction,
            "seen": self.seen,
            "choices": choices(self.content) if self.side == "business" else [],
        }


@dataclass(frozen=True, slots=True)
class AcceptedSend:
    """A send that the Graph API took. `to` and `recipient` are as they were given."""

    wamid: str
    at: int
    kind: str
    text: str
    to: str | None
    recipient: str | None
    customer: str | None
    callback_data: str | None
    reply_to: str | None
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GraphRequest:
    """A request to the Graph API and how it was answered; `status` 0 is a connection that was cut."""

    at: int
    method: str
    path: str
    body: bytes
    status: int


@dataclass(frozen=True, slots=True)
class Mark:
    """The business marked a message as read, or showed that it is typing an answer to it."""

    message_id: str
    at: int


def new_wamid(address: str, outbound: bool) -> str:
    """A message id in Meta's form. Never the same twice, whatever the seed: ids are what messages are told apart by."""
    who = address.encode("ascii", "replace")[:60]
    tail = secrets.token_hex(9).upper() if outbound else secrets.token_hex(10).upper()
    raw = b"\x1c\x18" + bytes([len(who)]) + who + b"\x15\x02\x00" + (b"\x11" if outbound else b"\x12")
    return "wamid." + base64.b64encode(raw + b"\x18" + bytes([len(tail)]) + tail.encode() + b"\x00").decode()


@dataclass(slots=True)
class World:
    """All that the simulator knows. `listeners` are told of every change that a page shows; `wait` wakes at any change."""

    clock: Callable[[], int]
    customers: dict[str, Customer] = field(default_factory=lambda: {customer.id: customer for customer in PRESET})
    chats: dict[str, list[Bubble]] = field(default_factory=dict)
    bubbles: dict[str, Bubble] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    accepted: list[AcceptedSend] = field(default_factory=list)
    requests: deque[GraphRequest] = field(default_factory=lambda: deque(maxlen=10_000))
    reads: list[Mark] = field(default_factory=list)
    typings: list[Mark] = field(default_factory=list)
    typing_until: dict[str, int] = field(default_factory=dict)
    listeners: list[Callable[[dict[str, Any]], None]] = field(default_factory=list)
    _change: asyncio.Event = field(default_factory=asyncio.Event)

    # ── change ──

    def changed(self, **event: Any) -> None:
        """Wake whoever waits; with an event, tell the listeners too."""
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
        """A customer by id, phone, business-scoped id or name."""
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
        """Let somebody new exist, or change who somebody is."""
        self.customers[customer.id] = customer
        self.changed(kind="customer", customer=self.customer_view(customer))
        return customer

    def invent(self, name: str, phone: str | None = None, user_id: str | None = None, username: str | None = None) -> Customer:
        """A new customer with an id made from the name, and a business-scoped id if none is given."""
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "customer"
        key = next(k for k in itertools.chain([slug], (f"{slug}-{n}" for n in itertools.count(2))) if k not in self.customers)
        return self.add(Customer(key, name, phone, user_id or f"US.{secrets.randbelow(10**20):020d}", username))

    def customer_view(self, customer: Customer) -> dict[str, Any]:
        """A customer as the page shows them."""
        return {
            "id": customer.id,
            "name": customer.name,
            "phone": customer.phone,
            "user_id": customer.user_id,
            "username": customer.username,
            "typing_until": self.typing_until.get(customer.id, 0),
        }

    def addressee(self, send: Send) -> Customer | None:
        """Whom a send goes to. Whoever is written to exists; nobody where the send is one that gets lost."""
        if send.lost:
            return None
        try:
            return self.find(send.user_id or send.phone or "")
        except KeyError:
            shown = send.user_id or f"+{send.phone}"
            return self.invent(shown, send.phone, send.user_id)

    # ── messages ──

    def write(self, customer: Customer, content: str | Mapping[str, Any], reply_to: str | None = None) -> Bubble:
        """A customer writes."""
        body = {"type": "text", "text": {"body": content}} if isinstance(content, str) else content
        kind = str(body.get("type", "text"))
        bubble = Bubble(
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
        )
        self._put(bubble)
        return bubble

    def accept(self, send: Send, body: Mapping[str, Any]) -> AcceptedSend:
        """Take a message of the business. It answers the customer, so all they wrote before counts as read."""
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
        )
        self.accepted.append(taken)
        if customer:
            self.typing_until.pop(customer.id, None)
            self._read_by_business(customer.id)
            if send.kind == "reaction":
                self._react(send)
            else:
                self._put(
                    Bubble(
                        wamid, customer.id, "business", send.kind, send.content, send.text, taken.at, "accepted", send.reply_to
                    )
                )
            self.changed(kind="customer", customer=self.customer_view(customer))
        self.changed()
        return taken

    def _put(self, bubble: Bubble) -> None:
        self.chats.setdefault(bubble.customer, []).append(bubble)
        self.bubbles[bubble.id] = bubble
        self.show(bubble)

    def _react(self, send: Send) -> None:
        target = self.bubbles.get(send.content["reaction"]["message_id"])
        if target:
            target.reaction = send.text or None
            self.show(target)

    def show(self, bubble: Bubble) -> None:
        """A bubble is new or has changed."""
        self.changed(kind="bubble", bubble=bubble.view())

    def move(self, wamid: str, state: str) -> None:
        """A message got further; it never goes back."""
        bubble = self.bubbles.get(wamid)
        if bubble and RANK[state] > RANK[bubble.state]:
            bubble.state = state
            self.show(bubble)

    def look(self, wamid: str) -> None:
        """The customer looked at a message."""
        bubble = self.bubbles.get(wamid)
        if bubble and not bubble.seen:
            bubble.seen = True
            self.show(bubble)

    def knows(self, wamid: str) -> bool:
        """Whether a message id is one that the business can mark or react to."""
        return wamid in self.bubbles or wamid in self.foreign

    def mark_read(self, wamid: str, typing: bool) -> None:
        """The business read a message and all before it; perhaps it is typing."""
        now = self.clock()
        self.reads.append(Mark(wamid, now))
        bubble = self.bubbles.get(wamid)
        if bubble and bubble.side == "customer":
            self._read_by_business(bubble.customer, wamid)
        if typing:
            self.typings.append(Mark(wamid, now))
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
                self.move(bubble.id, "read")

    def learn(self, body: Any) -> None:
        """Remember the message ids in a body that was posted as it is, so that they can be marked as read."""
        try:
            values = [change["value"] for entry in body["entry"] for change in entry["changes"]]
            self.foreign.update(str(message["id"]) for value in values for message in value.get("messages", ()))
        except (KeyError, TypeError, AttributeError):
            return
