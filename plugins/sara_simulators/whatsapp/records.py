"""Records of the simulated world: customers, messages, and requests to the Graph API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sara_simulators.whatsapp.message_contents import choices
from sara_simulators.whatsapp.page_view import describe_content

Side = Literal["customer", "business"]
RANK: Mapping[str, int] = {"accepted": 0, "sent": 1, "delivered": 2, "read": 3, "failed": 4}


@dataclass(frozen=True, slots=True)
class Customer:
    """A person who writes to the business.

    Without `phone` the number is hidden from it; without `user_id` the account is an old one that has none yet.
    """

    id: str
    name: str
    phone: str | None = None
    user_id: str | None = None
    username: str | None = None


PRESET_CUSTOMERS = (
    Customer("ana", "Ana Duarte", "15550001111", "US.10000000000000000111"),
    Customer("kofi", "Kofi Mensah", "15550002222", "GH.20000000000000000222"),
    Customer("mei", "Mei Tan", "15550003333", "SG.30000000000000000333", "mei.tan"),
    Customer("nox", "Nox", None, "DE.40000000000000000444", "nox_nobody"),
)


@dataclass(slots=True)
class ChatMessage:
    """One message in a chat.

    A customer's is `sent` when written, `delivered` when the webhook answered 200, `read` when the business marked it or
    answered. A business's is `accepted`, then in the state last reported. `reaction` is the business's to it, `own_reaction`
    the customer's. `rendered` is the view of a template.
    """

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
    own_reaction: str | None = None
    forwarded: bool | str = False
    rendered: Mapping[str, Any] | None = None

    @property
    def choices(self) -> list[dict[str, str]]:
        """Return the buttons and rows: each with id and title, rows of a list perhaps with a description."""
        if self.side == "customer":
            return []
        return self.rendered["buttons"] if self.rendered else choices(self.content.get("interactive") or {})

    def view(self) -> dict[str, Any]:
        """Return the message as the page shows it."""
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
            "own_reaction": self.own_reaction,
            "forwarded": self.forwarded,
            "seen": self.seen,
            "choices": self.choices,
            "shown": describe_content(self.kind, self.content.get(self.kind), self.rendered),
        }


@dataclass(frozen=True, slots=True)
class AcceptedSend:
    """A send that the Graph API accepted. `to` and `recipient` are as they were given.

    `category` is what it is priced as; `fails` is the code with which it will be reported as failed, 0 for none.
    """

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
    category: str = "service"
    fails: int = 0


@dataclass(frozen=True, slots=True)
class GraphRequest:
    """A request to the Graph API and its response; `status` 0 is a connection that was cut."""

    at: int
    method: str
    path: str
    body: bytes
    status: int


@dataclass(frozen=True, slots=True)
class ReadMark:
    """A read mark or typing indicator of the business for a message."""

    message_id: str
    at: int
