"""Lists of states as SQL writes them. Partial indexes hold the same lists in the same order: else SQLite would not use them."""

from __future__ import annotations

from collections.abc import Iterable

from sara.engines import GIVEN_UP as GIVEN_UP_STATES
from sara.engines import RECEIVED_BY_PROVIDER as RECEIVED_STATES
from sara.engines import UNDELIVERABLE as UNDELIVERABLE_STATES
from sara.engines import UNSENT as UNSENT_STATES
from sara.engines import UNSETTLED as UNSETTLED_STATES
from sara.engines import InboundState, OutboundState

In, Out = InboundState, OutboundState


def sql_list(states: Iterable[str]) -> str:
    """Return states as the right side of `IN`."""
    return "({})".format(", ".join(f"'{state}'" for state in states))


GIVEN_UP = sql_list(GIVEN_UP_STATES)
UNSENT = sql_list(UNSENT_STATES)
UNDELIVERABLE = sql_list(UNDELIVERABLE_STATES)
RECEIVED = sql_list(RECEIVED_STATES)
UNSETTLED = sql_list(UNSETTLED_STATES)
OPEN = sql_list((In.WAITING, *UNSETTLED_STATES))
"""What may still be answered or sent."""
UNSENT_OR_PARKED = sql_list((*UNSENT_STATES, Out.PARKED))
NOT_LEFT = sql_list((Out.QUEUED, Out.PARKED))
"""What certainly did not leave, and can be cancelled."""
DROPPABLE = sql_list((Out.QUEUED, Out.IN_DOUBT, Out.PARKED))
RESCHEDULED = sql_list((Out.QUEUED, Out.IN_DOUBT))
MAY_HAVE_LEFT = sql_list((Out.SENDING, Out.IN_DOUBT, *RECEIVED_STATES))
MAY_HAVE_LEFT_OR_HELD = sql_list((Out.SENDING, Out.IN_DOUBT, *RECEIVED_STATES, Out.HELD))
UNDELIVERED = sql_list((Out.ACCEPTED, Out.SENT))
ARRIVED = sql_list((Out.DELIVERED, Out.READ))
COUNTED = sql_list((In.WAITING, In.ANSWERED, In.DEAD))
"""Customers' messages that count towards their limits."""
TROUBLE = sql_list((*GIVEN_UP_STATES, Out.FAILED, Out.HELD, Out.IN_DOUBT))
FAILING = sql_list((*GIVEN_UP_STATES, Out.FAILED))
DOUBTFUL = sql_list((Out.IN_DOUBT, Out.HELD))
HISTORY = sql_list((In.ANSWERED, In.SKIPPED, In.DEAD, Out.QUEUED, Out.SENDING, *RECEIVED_STATES, Out.IN_DOUBT, Out.HELD))
"""What the AI may be shown as earlier messages."""
