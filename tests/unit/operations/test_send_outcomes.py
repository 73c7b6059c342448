"""What is said of a message that an operator sent, where the store or a channel's plugin does not help."""

from __future__ import annotations

import pytest

from sara.engines import OpenWork, StoreUnavailable
from sara.operations.send_outcomes import SendOutcomes
from tests.fakes import ACCOUNT, CONVERSATION, House

WORK = [OpenWork(CONVERSATION, ACCOUNT, None, None, parts=("m7",))]


async def test_a_message_that_is_stored_is_never_answered_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator who is shown one sends it again, and the customer gets it twice."""
    for error in (StoreUnavailable("the disk is full"), RuntimeError("broken"), KeyError("x")):
        house = House()

        async def fail(*_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(house.store, "find", fail)
        outcomes = SendOutcomes(house.store, house.routes, house.clock, lambda _: False)
        outcome = await outcomes.wait_for(WORK, 0)
        assert (outcome.state, outcome.detail) == ("on_its_way", "stored; what became of it cannot be looked up now")


async def test_one_that_left_is_said_to_have_left() -> None:
    house = House()
    outcomes = SendOutcomes(house.store, house.routes, house.clock, lambda _: False)
    assert (await outcomes.wait_for(WORK, 0)).state == "sent"
