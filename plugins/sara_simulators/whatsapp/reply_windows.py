"""The reply window of each customer."""

from __future__ import annotations


class ReplyWindows:
    """Windows that open with each message of the customer and close `lasts` milliseconds later; 0 never closes them.

    A customer who never wrote may be written to where `first_contact` is set.
    """

    def __init__(self, lasts: int, first_contact: bool) -> None:
        self._lasts = lasts
        self._first_contact = first_contact
        self._wrote: dict[str, int | None] = {}

    def open(self, customer: str, at: int) -> None:
        """Open the window for a message of the customer; an older message never shortens the time."""
        self._wrote[customer] = max(at, self._wrote.get(customer) or 0)

    def close(self, customer: str) -> None:
        """Close the window until the customer writes again."""
        self._wrote[customer] = None

    def is_open(self, customer: str, now: int) -> bool:
        """Return whether anything but a template may be sent."""
        until = self.closes_at(customer)
        return until is None or now < until

    def closes_at(self, customer: str) -> int | None:
        """Return when the window closes, 0 where it is closed for good; None where it never does."""
        if customer not in self._wrote:
            return None if self._first_contact else 0
        wrote = self._wrote[customer]
        if wrote is None:
            return 0
        return wrote + self._lasts if self._lasts else None
