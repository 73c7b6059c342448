"""What travels between the rooms."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from sara import Identity, WebhookResult
from sara.domain.states import RECEIPT_RANK
from tests.rows import each_row


@pytest.mark.parametrize("person", [Identity(user_id="US.1"), Identity(parent_id="US.0"), Identity(phone="15550001111")])
def test_a_person_is_nameable_by_an_id_or_a_number(person: Identity) -> None:
    assert person.is_identifiable


@each_row("person", [Identity(), Identity(name="Ana"), Identity(username="ana"), Identity(user_id="", phone="")])
def test_names_and_usernames_are_claims_that_name_nobody(person: Identity) -> None:
    assert not person.is_identifiable


def test_a_receipt_further_along_ranks_higher() -> None:
    assert sorted(RECEIPT_RANK, key=RECEIPT_RANK.__getitem__) == ["accepted", "sent", "delivered", "read"]
    assert len(set(RECEIPT_RANK.values())) == len(RECEIPT_RANK)


def test_what_was_received_counts_as_forged_until_somebody_says_otherwise() -> None:
    assert not WebhookResult().verified


def test_what_travels_cannot_be_changed_on_the_way() -> None:
    with pytest.raises(FrozenInstanceError):
        Identity(name="Ana").name = "Eve"  # type: ignore[misc]  # that is the point
