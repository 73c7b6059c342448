"""The states of messages, attempts, files, jobs and conversations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

JobKind: TypeAlias = str
Purpose: TypeAlias = Literal["reply", "notice", "operator", "template"]
InboundState: TypeAlias = Literal["waiting", "answered", "skipped", "dead", "quarantined"]
OutboundState: TypeAlias = Literal[
    "queued", "sending", "accepted", "sent", "delivered", "read", "in_doubt", "parked", "held", "cancelled", "failed"
]
FileState: TypeAlias = Literal["fetched", "failed", "pending"]
AttemptState: TypeAlias = Literal["sending", "in_doubt", "not_sent", "refused", "accepted"]
ReceiptStatus: TypeAlias = Literal["sent", "delivered", "read", "failed"]
Mode: TypeAlias = Literal["bot", "human", "paused"]
Role: TypeAlias = Literal["customer", "assistant", "operator", "notice"]

RECEIPT_RANK: Mapping[str, int] = {"accepted": 1, "sent": 2, "delivered": 3, "read": 4}
"""How far along a part is; a receipt only ever moves a part to a higher rank."""
