"""The states of messages, attempts, files and conversations, and the changes that are allowed between them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, TypeAlias

JobKind: TypeAlias = str
Purpose: TypeAlias = Literal["reply", "notice", "operator", "template"]
ReceiptStatus: TypeAlias = Literal["sent", "delivered", "read", "failed"]
Role: TypeAlias = Literal["customer", "assistant", "operator", "notice"]


class InboundState(StrEnum):
    """A message of a customer."""

    WAITING = "waiting"
    ANSWERED = "answered"
    SKIPPED = "skipped"
    DEAD = "dead"
    QUARANTINED = "quarantined"


class OutboundState(StrEnum):
    """A message to a customer or an operator."""

    QUEUED = "queued"
    SENDING = "sending"
    ACCEPTED = "accepted"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    IN_DOUBT = "in_doubt"
    PARKED = "parked"
    HELD = "held"
    CANCELLED = "cancelled"
    FAILED = "failed"


class AttemptState(StrEnum):
    """One try to send a message."""

    SENDING = "sending"
    IN_DOUBT = "in_doubt"
    NOT_SENT = "not_sent"
    REFUSED = "refused"
    ACCEPTED = "accepted"


class FileState(StrEnum):
    """A file that a customer sent."""

    PENDING = "pending"
    FETCHED = "fetched"
    FAILED = "failed"


class Mode(StrEnum):
    """Who answers a conversation."""

    BOT = "bot"
    HUMAN = "human"
    PAUSED = "paused"


_In, _Out = InboundState, OutboundState

RECEIPT_RANK: Mapping[str, int] = {_Out.ACCEPTED: 1, _Out.SENT: 2, _Out.DELIVERED: 3, _Out.READ: 4}
"""How far along a message is; a receipt only ever moves it to a higher rank."""

# Groups of states. Lists in SQL are made of them, in this order.

GIVEN_UP = (_In.DEAD, _In.QUARANTINED)
"""Customers' messages that stay unanswered until an operator retries them."""

UNSENT = (_Out.QUEUED, _Out.SENDING, _Out.IN_DOUBT)
"""What a deliver job works on."""

UNDELIVERABLE = (_Out.FAILED, _Out.HELD)
"""What stays unsent until an operator retries it."""

RECEIVED_BY_PROVIDER = (_Out.ACCEPTED, _Out.SENT, _Out.DELIVERED, _Out.READ)
"""What the provider is known to have taken."""

UNSETTLED = (*UNSENT, _Out.PARKED, _Out.HELD)
"""What may still be sent."""

# Allowed changes. A receipt proves that a message left, whatever was thought of it, so it leads out of almost every state.

_RECEIVED = frozenset({_Out.SENT, _Out.DELIVERED, _Out.READ})

INBOUND_TRANSITIONS: Mapping[InboundState, frozenset[InboundState]] = {
    _In.WAITING: frozenset({_In.ANSWERED, _In.SKIPPED, _In.DEAD, _In.QUARANTINED}),
    _In.ANSWERED: frozenset(),
    _In.SKIPPED: frozenset(),
    _In.DEAD: frozenset({_In.WAITING, _In.SKIPPED}),
    _In.QUARANTINED: frozenset({_In.WAITING, _In.SKIPPED}),
}

OUTBOUND_TRANSITIONS: Mapping[OutboundState, frozenset[OutboundState]] = {
    _Out.QUEUED: _RECEIVED | {_Out.SENDING, _Out.IN_DOUBT, _Out.PARKED, _Out.HELD, _Out.CANCELLED, _Out.FAILED},
    _Out.SENDING: _RECEIVED | {_Out.ACCEPTED, _Out.QUEUED, _Out.IN_DOUBT, _Out.HELD, _Out.CANCELLED, _Out.FAILED},
    _Out.ACCEPTED: _RECEIVED | {_Out.QUEUED, _Out.IN_DOUBT, _Out.FAILED},
    _Out.SENT: frozenset({_Out.DELIVERED, _Out.READ, _Out.QUEUED, _Out.IN_DOUBT, _Out.FAILED}),
    _Out.DELIVERED: frozenset({_Out.READ}),
    _Out.READ: frozenset(),
    _Out.IN_DOUBT: _RECEIVED | {_Out.ACCEPTED, _Out.QUEUED, _Out.HELD, _Out.CANCELLED, _Out.FAILED},
    _Out.PARKED: _RECEIVED | {_Out.QUEUED, _Out.HELD, _Out.CANCELLED, _Out.FAILED},
    _Out.HELD: _RECEIVED | {_Out.QUEUED, _Out.CANCELLED, _Out.FAILED},
    _Out.CANCELLED: _RECEIVED | {_Out.QUEUED},
    _Out.FAILED: _RECEIVED | {_Out.QUEUED},
}

ATTEMPT_TRANSITIONS: Mapping[AttemptState, frozenset[AttemptState]] = {
    AttemptState.SENDING: frozenset(AttemptState) - {AttemptState.SENDING},
    AttemptState.IN_DOUBT: frozenset({AttemptState.NOT_SENT, AttemptState.REFUSED, AttemptState.ACCEPTED}),
    AttemptState.NOT_SENT: frozenset({AttemptState.ACCEPTED}),
    AttemptState.REFUSED: frozenset({AttemptState.ACCEPTED}),
    AttemptState.ACCEPTED: frozenset(),
}

FILE_TRANSITIONS: Mapping[FileState, frozenset[FileState]] = {
    FileState.PENDING: frozenset({FileState.FETCHED, FileState.FAILED}),
    FileState.FETCHED: frozenset({FileState.FAILED}),  # it is deleted when its time is over
    FileState.FAILED: frozenset(),
}

MODE_TRANSITIONS: Mapping[Mode, frozenset[Mode]] = {
    Mode.BOT: frozenset({Mode.HUMAN, Mode.PAUSED}),
    Mode.HUMAN: frozenset({Mode.BOT, Mode.PAUSED}),
    Mode.PAUSED: frozenset({Mode.BOT, Mode.HUMAN}),
}
