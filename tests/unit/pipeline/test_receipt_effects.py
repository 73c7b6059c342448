"""What receipts say about their channel."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from sara import DeliveryFailure, DeliveryReceipt
from sara.engines import AcceptResult
from sara.pipeline.receipt_effects import follow
from tests.fakes import ACCOUNT, NOW, House, stored

LANE = "deliver:support"
Then = Literal["fail", "retry", "park", "send_as_text", "block_channel"]


@pytest.fixture
def house() -> House:
    return House()


def failed(then: Then, after: int | None = None, remedy: str = "mend it") -> DeliveryReceipt:
    return DeliveryReceipt(ACCOUNT, "failed", NOW, "wamid.1", "a1", DeliveryFailure("131042", "no payment", then, after, remedy))


def told(house: House, receipt: DeliveryReceipt, state: str | None) -> None:
    """The receipt came, and its part is now in this state; None where there is no such part."""
    receipts: Any = () if state is None else ((stored("out-1", "out", state), receipt),)
    taken = AcceptResult(receipts=receipts, unknown_receipts=int(state is None))
    follow(house.route, (receipt,), taken, house.lanes, house.problems)


@pytest.mark.parametrize("state", ["queued", "failed", "in_doubt", None])
def test_a_channel_that_takes_and_does_not_deliver_is_held_with_its_remedy(house: House, state: str | None) -> None:
    told(house, failed("block_channel"), state)
    assert house.queue.held(LANE)
    problem = next(each for each in house.problems if each.key == f"lane:{LANE}:blocked")
    assert problem.remedy == "mend it"
    assert "131042: no payment" in problem.message


@pytest.mark.parametrize("state", ["sending", "accepted", "sent", "delivered", "read"])
def test_a_failure_told_again_after_the_part_has_left_anew_holds_nothing(house: House, state: str) -> None:
    told(house, failed("block_channel"), state)
    told(house, failed("retry"), state)
    assert not house.queue.held(LANE)
    assert house.listed() == {}


def test_a_channel_that_is_to_rest_rests_as_long_as_it_is_told(house: House) -> None:
    told(house, failed("block_channel", after=3_600_000), "queued")
    assert house.queue._lane(LANE).held_until == NOW + 3_600_000
    assert house.listed() == {f"lane:{LANE}:throttled": 1}
    quick = House()
    told(quick, failed("block_channel", after=5_000, remedy=""), "queued")
    assert quick.queue.held(LANE)
    assert quick.listed() == {}


@pytest.mark.parametrize(
    ("remedy", "shown"), [("mend it", "mend it"), ("", "see `sara why`; the rest of the conversation is delivered")]
)
def test_a_message_that_failed_is_told_with_its_code_and_what_helps(house: House, remedy: str, shown: str) -> None:
    told(house, failed("fail", remedy=remedy), "failed")
    [problem] = house.problems
    assert (problem.key, problem.severity, problem.remedy) == ("channel:support:message_undelivered", "warning", shown)
    assert "131042: no payment" in problem.message


@pytest.mark.parametrize(
    ("then", "remedy", "keys"),
    [("retry", "mend it", ["channel:support:messages_delayed"]), ("retry", "", []), ("send_as_text", "", [])],
)
def test_what_is_put_back_is_told_only_where_a_person_can_help(house: House, then: Then, remedy: str, keys: list[str]) -> None:
    told(house, failed(then, remedy=remedy), "queued")
    assert list(house.listed()) == keys


def test_a_receipt_of_what_got_through_lets_the_channel_go(house: House) -> None:
    told(house, failed("block_channel"), "queued")
    house.lanes.track(LANE, "a2")
    told(house, DeliveryReceipt(ACCOUNT, "sent", NOW, "wamid.2", "a2"), "sent")
    assert not house.queue.held(LANE)
    assert house.listed() == {}
