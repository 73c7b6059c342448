"""A warning before a month's messages cost more than was planned."""

from __future__ import annotations

from collections.abc import Mapping

from sara.engines import StoreUnavailable
from sara.operations.message_quota import MessageQuotaMonitor
from sara.pipeline.bindings import ChannelBindings
from tests.fakes import FakeStore, House
from tests.rows import each_row

JANUARY = 1_767_225_600_000
"""2026-01-01T00:00Z."""


class Ledger(FakeStore):
    """Says what was sent in each month."""

    def __init__(self) -> None:
        super().__init__()
        self.counted: dict[str, int] = {}

    async def message_counts(self, account: str, month: str) -> Mapping[str, int]:
        self._note("message_counts", account, month)
        return {"counted": self.counted[month]} if month in self.counted else {}


class Place(House):
    """A house whose channel may send a thousand messages a month."""

    def __init__(self) -> None:
        super().__init__()
        self.clock.now = JANUARY
        self.ledger = Ledger()
        self.channel.monthly_budget = 1_000
        self.budget = MessageQuotaMonitor(self.ledger, ChannelBindings([self.route]), self.problems, self.clock)


@each_row(("counted", "severity"), [(0, None), (799, None), (800, "warning"), (999, "warning"), (1_000, "error")])
async def test_it_warns_at_eighty_percent_and_says_how_much_was_sent(counted: int, severity: str | None) -> None:
    place = Place()
    place.ledger.counted["2026-01"] = counted
    await place.budget.look(place.route)
    assert [problem.severity for problem in place.problems] == ([severity] if severity else [])
    assert all(f"{counted} of 1000" in problem.message for problem in place.problems)


async def test_a_new_month_begins_anew() -> None:
    place = Place()
    place.ledger.counted["2026-01"] = 900
    place.clock.now = month_end = JANUARY + 31 * 86_400_000 - 1
    await place.budget.look(place.route)
    assert "channel:support:message_quota" in place.problems
    place.clock.now = month_end + 1
    await place.budget.look(place.route)
    assert place.listed() == {}
    assert [month for _, month in place.ledger.called("message_counts")] == ["2026-01", "2026-02"]


async def test_a_store_that_cannot_tell_changes_nothing() -> None:
    place = Place()
    place.ledger.fails["message_counts"] = [StoreUnavailable()]
    await place.budget.look(place.route)
    assert place.listed() == {}


async def test_where_nobody_set_a_budget_nobody_looks() -> None:
    place = Place()
    place.channel.monthly_budget = None
    await MessageQuotaMonitor(place.ledger, ChannelBindings([place.route]), place.problems, place.clock).check()
    assert place.ledger.called("message_counts") == []
