"""What the AI may cost."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sara import HistoryMessage, Usage
from sara.engines import UsageLimit, UsageReservation
from sara.policy.ai_budget import ANSWER, INSTRUCTIONS, MILLION, AIBudget
from sara.policy.context_window import estimated_tokens
from sara.policy.settings import BudgetSettings, Price
from sara.policy.settings import UsageLimitSettings as Allowed
from tests.fakes import NOW, line, steady
from tests.rows import each_row

PRICES = {
    "gpt-5": Price(input=1.25, output=10),
    "gpt-5-mini": Price(input=0.25, output=2),
    "gpt-5-mini-2026": Price(input=0.2, output=1.5),
    "llama": Price(input=0, output=0),
}
DAY, MONTH = "2027-01-15", "2027-01"


def spending(**changes: Any) -> AIBudget:
    return AIBudget(BudgetSettings(**{"prices": PRICES, **changes}))


# ── what a call cost ──────────────────────────────────────────────────────────────────────────────────────────────────────


@each_row(
    ("model", "cost"),
    [
        ("gpt-5", 11_250_000),
        ("gpt-5.1", 11_250_000),
        ("gpt-5-nano", 11_250_000),
        ("gpt-5-mini", 2_250_000),
        ("gpt-5-mini-2025-08-07", 2_250_000),
        ("gpt-5-mini-2026-02-01", 1_700_000),
        ("llama3.2:1b", 0),
        ("gpt-4", 0),
        ("GPT-5", 0),
        ("", 0),
    ],
)
def test_a_call_costs_what_the_longest_name_says_that_its_model_begins_with(model: str, cost: int) -> None:
    assert spending().cost(Usage(MILLION, MILLION, model)) == cost


def test_a_price_without_a_name_is_for_every_model() -> None:
    anything = AIBudget(BudgetSettings(prices={"": Price(input=1, output=1), **PRICES}))
    assert anything.cost(Usage(MILLION, 0, "claude")) == 1_000_000
    assert anything.cost(Usage(MILLION, 0, "gpt-5-mini")) == 250_000


def test_small_costs_are_kept_to_the_millionth() -> None:
    assert spending().cost(Usage(1_000, 200, "gpt-5-mini")) == 650
    assert spending().cost(Usage(1, 0, "gpt-5-mini")) == 0


def test_what_nobody_counted_costs_nothing() -> None:
    assert spending().cost(None) == 0
    assert AIBudget(BudgetSettings()).cost(Usage(MILLION, MILLION, "gpt-5")) == 0


# ── what is set aside ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_call_is_set_aside_at_the_dearest_price_and_for_the_day_and_month() -> None:
    lines = [line("m1", "x" * 400), line("m2", "y" * 40)]
    read = INSTRUCTIONS + sum(estimated_tokens(each.text) for each in lines)
    money = round(read * 1.25 + ANSWER * 10)
    reserve = spending(day=Allowed(calls=5), month=Allowed(tokens=9, money=2.5)).reserve(lines, NOW)
    assert reserve == UsageReservation(
        read + ANSWER, money, (UsageLimit(DAY, calls=5), UsageLimit(MONTH, tokens=9, money=2_500_000))
    )


def test_without_prices_no_money_is_set_aside_and_without_ceilings_all_the_same_counted() -> None:
    reserve = AIBudget(BudgetSettings()).reserve([], NOW)
    assert reserve == UsageReservation(INSTRUCTIONS + ANSWER, 0, (UsageLimit(DAY), UsageLimit(MONTH)))


@steady
@given(st.lists(st.text(max_size=50), max_size=5), st.text(max_size=50), st.sampled_from(sorted(PRICES)))
def test_a_call_that_reads_what_was_estimated_never_costs_more_than_was_set_aside(
    texts: list[str], more: str, model: str
) -> None:
    lines: list[HistoryMessage] = [line("m", text) for text in texts]
    aside = spending().reserve(lines, NOW)
    assert aside.money >= spending().cost(Usage(aside.tokens - ANSWER, ANSWER, model))
    assert spending().reserve([*lines, line("m", more)], NOW).money >= aside.money


@each_row(
    ("now", "expected"),
    [
        (1_796_083_199_999, ("2026-11-30", "2026-11")),
        (1_796_083_200_000, ("2026-12-01", "2026-12")),
        (1_798_761_600_000, ("2027-01-01", "2027-01")),
        (0, ("1970-01-01", "1970-01")),
    ],
)
def test_days_and_months_change_by_utc(now: int, expected: tuple[str, str]) -> None:
    assert spending().periods(now) == expected


# ── ceilings ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@each_row(
    ("budget", "bounded"),
    [
        ({}, False),
        ({"day": Allowed()}, False),
        ({"day": Allowed(calls=1)}, True),
        ({"month": Allowed(tokens=1)}, True),
        ({"month": Allowed(money=0.01)}, True),
    ],
)
def test_one_ceiling_is_enough_to_be_bounded(budget: dict[str, Any], bounded: bool) -> None:
    assert spending(**budget).bounded is bounded


@each_row(
    ("day", "month", "used_up"),
    [
        ({}, {}, False),
        ({"calls": 9, "tokens": 999, "money": 1_999_999}, {"money": 4_999_999}, False),
        ({"calls": 10}, {}, True),
        ({"tokens": 1_000}, {}, True),
        ({"money": 2_000_000}, {}, True),
        ({"money": 2_000_001}, {}, True),
        ({}, {"money": 5_000_000}, True),
        ({}, {"calls": 10_000, "tokens": 10_000}, False),
    ],
)
def test_a_budget_is_used_up_when_any_ceiling_is_reached(day: dict[str, int], month: dict[str, int], used_up: bool) -> None:
    allowed = spending(day=Allowed(calls=10, tokens=1_000, money=2), month=Allowed(money=5))
    assert allowed.used_up([day, month]) is used_up


def test_without_ceilings_nothing_is_ever_used_up() -> None:
    assert not AIBudget(BudgetSettings()).used_up([{"calls": 1 << 40}, {"money": 1 << 60}])


@each_row(
    ("budget", "usage", "unpriced"),
    [
        ({"day": Allowed(money=1)}, Usage(1, 1, "gpt-5"), False),
        ({"day": Allowed(money=1)}, Usage(1, 1, "gpt-4"), True),
        ({"month": Allowed(money=1)}, Usage(1, 1, ""), True),
        ({"month": Allowed(money=1)}, Usage(1, 1, "llama3"), False),
        ({"month": Allowed(money=1)}, None, False),
        ({"month": Allowed(tokens=1)}, Usage(1, 1, "gpt-4"), False),
    ],
)
def test_a_ceiling_of_money_that_does_not_see_a_model_is_noticed(
    budget: dict[str, Any], usage: Usage | None, unpriced: bool
) -> None:
    assert spending(**budget).has_no_price(usage) is unpriced
