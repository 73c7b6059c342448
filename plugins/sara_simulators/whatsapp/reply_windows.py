"""Until when a business may write freely to each customer. Pure."""

from __future__ import annotations


class ReplyWindows:
    """A window opens with each message of the customer and closes `lasts` milliseconds later; 0 never closes it. Somebody who
    never wrote here may be written to where `first_contact` says so."""

    def __init__(self, lasts: int, first_contact: bool) -> None:
        self._lasts = lasts
        self._first_contact = first_contact
        self._wrote: dict[str, int | None] = {}

    def open(self, customer: str, at: int) -> None:
        """The customer wrote; an older message never shortens the time."""
        self._wrote[customer] = max(at, self._wrote.get(customer) or 0)

    def close(self, customer: str) -> None:
        """As if the time were over, until the customer writes again."""
        self._wrote[customer] = None

    def is_open(self, customer: str, now: int) -> bool:
        """Whether anything but a template may be sent."""
        until = self.closes_at(customer)
        return until is None or now < until

    def closes_at(self, customer: str) -> int | None:
        """When the window closes, 0 where it is closed for good; None where it never does."""
        if customer not in self._wrote:
            return None if self._first_contact else 0
        wrote = self._wrote[customer]
        if wrote is None:
            return 0
        return wrote + self._lasts if self._lasts else None
