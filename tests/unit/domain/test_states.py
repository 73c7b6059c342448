"""The states and what may follow on them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from sara.domain.states import (
    ATTEMPT_TRANSITIONS,
    FILE_TRANSITIONS,
    INBOUND_TRANSITIONS,
    MODE_TRANSITIONS,
    OUTBOUND_TRANSITIONS,
    RECEIPT_RANK,
    UNSENT,
    UNSETTLED,
    AttemptState,
    FileState,
    InboundState,
    Mode,
    OutboundState,
)

SCHEMA = Path(__file__).parents[3] / "plugins" / "sara_sqlite" / "migrations" / "0001_initial.sql"
TRANSITIONS: tuple[tuple[type[StrEnum], Mapping[Any, frozenset[Any]]], ...] = (
    (InboundState, INBOUND_TRANSITIONS),
    (OutboundState, OUTBOUND_TRANSITIONS),
    (AttemptState, ATTEMPT_TRANSITIONS),
    (FileState, FILE_TRANSITIONS),
    (Mode, MODE_TRANSITIONS),
)


def test_every_state_says_what_may_follow_and_none_follows_itself() -> None:
    for states, transitions in TRANSITIONS:
        assert set(transitions) == set(states)
        for state, following in transitions.items():
            assert following <= set(states) - {state}, state


def test_a_receipt_leads_out_of_every_lower_rank_and_never_back_by_another() -> None:
    for state, following in OUTBOUND_TRANSITIONS.items():
        higher = {each for each in ("sent", "delivered", "read") if RECEIPT_RANK[each] > RECEIPT_RANK.get(state, 0)}
        assert higher <= following, state
    for final in (OutboundState.READ, InboundState.ANSWERED, InboundState.SKIPPED, AttemptState.ACCEPTED):
        assert not dict(kv for _, transitions in TRANSITIONS for kv in transitions.items() if kv[0] is final)[final]
    assert OUTBOUND_TRANSITIONS[OutboundState.DELIVERED] == {OutboundState.READ}


def test_the_schema_knows_the_same_states_and_groups() -> None:
    text = SCHEMA.read_text(encoding="utf-8")
    checks = [set(re.findall(r"'(\w+)'", found)) for found in re.findall(r"CHECK \((?:state|mode) IN \(([^)]*)\)", text)]
    assert {*InboundState, *OutboundState} in checks
    assert set(AttemptState) in checks
    assert set(Mode) in checks
    assert f"WHERE state IN ({', '.join(repr(str(each)) for each in UNSENT)});" in text, (
        "the index that unsent messages are found by"
    )
    assert set(UNSENT) < set(UNSETTLED)
