"""What the AI may cost: prices, ceilings, and what is set aside for a call. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sara.domain.messages import HistoryMessage
from sara.domain.replies import Usage, UsageLimit, UsageReservation
from sara.domain.text import sanitize_text
from sara.domain.time import Instant
from sara.policy.context_window import estimated_tokens

if TYPE_CHECKING:
    from sara.policy.settings import BudgetSettings, Price
    from sara.policy.settings import UsageLimitSettings as Allowed

MILLION = 1_000_000

MOST_TOKENS = 1_000_000_000
"""More tokens than any call takes; what is counted beyond is not believed."""

LONGEST_MODEL = 200
"""Characters of a model's name that are kept."""

INSTRUCTIONS = 1_000
ANSWER = 1_000
"""Tokens set aside for what the model is told beforehand, and for what it says."""


class AIBudget:
    """What calls cost by the file's prices, and how much may be spent."""

    def __init__(self, budget: BudgetSettings) -> None:
        self._budget = budget

    @property
    def bounded(self) -> bool:
        """Return whether there is any limit."""
        return any(allowed.model_dump(exclude_none=True) for allowed in (self._budget.day, self._budget.month))

    def periods(self, now: Instant) -> tuple[str, str]:
        """Return the day and the month of a moment, by UTC."""
        moment = datetime.fromtimestamp(now / 1_000, UTC)
        return f"{moment:%Y-%m-%d}", f"{moment:%Y-%m}"

    def reserve(self, lines: Sequence[HistoryMessage], now: Instant) -> UsageReservation:
        """Return the most that a call with these lines may cost, by the dearest price; the real cost replaces it when the answer
        is there."""
        read = INSTRUCTIONS + sum(estimated_tokens(line.text) for line in lines)
        dearest = [
            max((getattr(price, what) for price in self._budget.prices.values()), default=0.0) for what in ("input", "output")
        ]
        money = round(read * dearest[0] + ANSWER * dearest[1])
        day, month = self.periods(now)
        return UsageReservation(read + ANSWER, money, (_ceiling(day, self._budget.day), _ceiling(month, self._budget.month)))

    def cost(self, usage: Usage | None) -> int:
        """Return the cost of a call, in millionths; 0 where it is unknown."""
        if usage is None or (price := self._price(usage.model)) is None:
            return 0
        # A price is for a million tokens, and a cost in millionths: these cancel out.
        return round(usage.input_tokens * price.input + usage.output_tokens * price.output)

    def has_no_price(self, usage: Usage | None) -> bool:
        """Return whether a limit of money does not see the cost of a call, because the file has no price for its model."""
        ceiling = self._budget.day.money is not None or self._budget.month.money is not None
        return ceiling and usage is not None and self._price(usage.model) is None

    def used_up(self, spent: Sequence[dict[str, int]]) -> bool:
        """Return whether a limit is reached, given the use in the day and in the month."""
        for allowed, so_far in zip((self._budget.day, self._budget.month), spent, strict=True):
            ceiling = _ceiling("", allowed)
            for what in ("calls", "tokens", "money"):
                most = getattr(ceiling, what)
                if most is not None and so_far.get(what, 0) >= most:
                    return True
        return False

    def _price(self, model: str) -> Price | None:
        return price_of(self._budget.prices, model)


def price_of(prices: Mapping[str, Price], model: str) -> Price | None:
    """Return the price whose name is the longest beginning of the model's; None if there is none."""
    names = [name for name in prices if model.startswith(name)]
    return prices[max(names, key=len)] if names else None


def counted(usage: Usage | None) -> Usage | None:
    """Usage as every store keeps it: an answer is not lost because of what its responder says that it cost."""
    if not isinstance(usage, Usage):
        return None
    asked, said = _tokens(usage.input_tokens), _tokens(usage.output_tokens)
    if max(asked, said) > MOST_TOKENS:
        return None  # nobody can tell what it cost: what was set aside for it counts
    return Usage(asked, said, sanitize_text(str(usage.model))[:LONGEST_MODEL])


def _tokens(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        return 0
    return int(min(value, MOST_TOKENS + 1))


def _ceiling(period: str, allowed: Allowed) -> UsageLimit:
    money = None if allowed.money is None else round(allowed.money * MILLION)
    return UsageLimit(period, allowed.calls, allowed.tokens, money)
