"""Conversations that somebody should look at."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from sara import Instant, Milliseconds
from sara.engines import StoreUnavailable, UnhealthyConversation
from sara.operations.conversation_health import CHECK_EVERY_S, MOST, WORDS, ConversationHealth
from sara.pipeline.bindings import ChannelBinding, ChannelBindings
from sara.policy.settings import ConversationSettings, HandoffSettings
from sara.runtime.background import periodic
from tests.fakes import ACCOUNT, NOW, FakeChannel, FakeStore, House, without_waiting
from tests.rows import each_row

MINUTE = 60_000


def ill(conversation: str, what: Any = "unanswered") -> UnhealthyConversation:
    return UnhealthyConversation(conversation, ACCOUNT, "p1", "Ana", what, NOW - MINUTE)


class Ward(FakeStore):
    """Notes what was asked for, and gives no more of it than that."""

    async def unhealthy(
        self, now: Instant, unanswered: Milliseconds, person: Milliseconds, limit: int
    ) -> Sequence[UnhealthyConversation]:
        self._note("unhealthy", now, unanswered, person, limit)
        return list(self.ill)[:limit]


def health_of(house: House, store: FakeStore | None = None, *policies: ConversationSettings) -> ConversationHealth:
    routes = ChannelBindings(ChannelBinding(f"r{n}", FakeChannel(f"test:{n}"), policy, {}) for n, policy in enumerate(policies))
    return ConversationHealth(store or house.store, routes if policies else house.routes, house.problems, house.clock)


async def test_the_longest_are_looked_for_by_the_most_patient_channel() -> None:
    house, ward = House(), Ward()
    ward.ill = [ill("c1"), ill("c2")]
    hasty = ConversationSettings(alert_after=MINUTE, handoff=HandoffSettings(late_after=9 * MINUTE))
    patient = ConversationSettings(alert_after=5 * MINUTE, handoff=HandoffSettings(late_after=2 * MINUTE))
    health = health_of(house, ward, hasty, patient)
    assert await health.look() == [ill("c1"), ill("c2")]
    assert await health.look(1) == [ill("c1")]
    assert ward.called("unhealthy") == [(NOW, 5 * MINUTE, 9 * MINUTE, MOST), (NOW, 5 * MINUTE, 9 * MINUTE, 1)]


async def test_without_any_channel_there_is_something_to_look_by_all_the_same() -> None:
    house, ward = House(), Ward()
    assert await ConversationHealth(ward, ChannelBindings([]), house.problems, house.clock).look() == []
    [(_, unanswered, person, _)] = ward.called("unhealthy")
    assert (unanswered, person) == (10 * MINUTE, 30 * MINUTE)


@each_row("what", sorted(WORDS))
def test_each_kind_is_a_problem_of_its_own_that_names_the_first_and_counts_them(what: str) -> None:
    house = House()
    health = health_of(house)
    health.tell([ill("c7", what), ill("c8", what), ill("c9", what)])
    [problem] = house.problems
    assert (problem.key, problem.count, problem.severity) == (f"conversations:{what}", 3, "warning")
    assert problem.message == f"c7 and 2 more {WORDS[what]}"
    assert "--unhealthy" in problem.remedy
    assert health.counts == {**dict.fromkeys(WORDS, 0), what: 3}


def test_one_alone_is_named_alone() -> None:
    house = House()
    health_of(house).tell([ill("c7")])
    assert next(iter(house.problems)).message == "c7 has waited too long for an answer"


def test_a_conversation_may_have_several_things() -> None:
    house = House()
    health_of(house).tell([ill("c7"), ill("c7", "failing"), ill("c8", "doubtful")])
    assert set(house.listed()) == {"conversations:unanswered", "conversations:failing", "conversations:doubtful"}


def test_what_is_over_is_no_problem_any_more() -> None:
    house = House()
    health = health_of(house)
    health.tell([ill("c7"), ill("c8", "failing")])
    health.tell([ill("c8", "failing")])
    assert house.listed() == {"conversations:failing": 1}
    health.tell([])
    assert (house.listed(), health.counts) == ({}, dict.fromkeys(WORDS, 0))


def test_before_the_first_look_every_count_is_there() -> None:
    assert health_of(House()).counts == dict.fromkeys(WORDS, 0)


def test_it_looks_every_half_minute_also_when_the_store_could_not_tell() -> None:
    async def main() -> tuple[int, dict[str, int]]:
        house, ward, ended = House(), Ward(), asyncio.Event()
        ward.ill, ward.fails["unhealthy"] = [ill("c1")], [StoreUnavailable()]
        running = asyncio.create_task(periodic(health_of(house, ward).check, CHECK_EVERY_S, ended))
        await asyncio.sleep(2.5 * CHECK_EVERY_S)
        ended.set()
        await running
        return len(ward.called("unhealthy")), house.listed()

    assert without_waiting(main()) == (3, {"conversations:unanswered": 1})
