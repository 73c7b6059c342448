"""Prices of messages."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

Price = dict[str, str | bool]


class MessagePricing:
    """Prices each message once: a number of service messages a month is free, further ones and every template are billed."""

    def __init__(self, free: int) -> None:
        self._free = free
        self._used: Counter[tuple[int, int]] = Counter()
        self._prices: dict[str, Price] = {}

    def price(self, wamid: str, category: str, at: int) -> Price:
        """Return the `pricing` of a message's statuses; the same at every call."""
        if wamid not in self._prices:
            day = datetime.fromtimestamp(at / 1000, UTC)
            free = category == "service" and self._used[day.year, day.month] < self._free
            if category == "service":
                self._used[day.year, day.month] += 1
            self._prices[wamid] = {
                "billable": not free,
                "pricing_model": "PMP",
                "type": "free_customer_service" if free else "regular",
                "category": category,
            }
        return self._prices[wamid]
