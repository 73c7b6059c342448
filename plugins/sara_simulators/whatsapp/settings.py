"""Settings of a simulator."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal


def _now() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Everything has a default, so that a simulator can be had for nothing. Lengths of time are milliseconds.

    `latency` is how long a send waits for its answer. The three delays lie between a send and `sent`, between `sent` and
    `delivered`, and between `delivered` and `read`. `auto_read` lets customers read while no page is open; with a page open they
    read the chat that is open there. `window` is how long a business may write freely after a customer's message, 0 for ever;
    `first_contact` lets it write to those who never wrote here, as a test does that hands messages to the daemon by itself;
    `window_refusal` is how Meta says no: in the `answer`, or later in a `status`. `free_messages` is how many service messages a
    month cost nothing. `media_addresses` is whether webhooks hold the address of a file beside its id. `retry_gaps` are the waits before a webhook that was not answered 200 is posted again;
    after the last one it is given up. `seed` fixes the chance of faults. `clock` tells Unix milliseconds.
    """

    phone_number_id: str = "109000000000555"
    business_account_id: str = "104000000000777"
    app_id: str = "101000000000333"
    app_secret: str = field(default_factory=lambda: secrets.token_hex(16))
    access_token: str = field(default_factory=lambda: "EAA" + secrets.token_urlsafe(48))
    verify_token: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    display_number: str = "15550009000"
    verified_name: str = "Corner Bakery"
    latency: int = 0
    sent_delay: int = 150
    delivered_delay: int = 400
    read_delay: int = 700
    auto_read: bool = True
    window: int = 86_400_000
    first_contact: bool = True
    window_refusal: Literal["answer", "status"] = "answer"
    free_messages: int = 1_000
    media_addresses: bool = True
    retry_gaps: tuple[int, ...] = (0, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000, 60_000, 120_000, 300_000)
    webhook_timeout: int = 20_000
    seed: int | None = None
    clock: Callable[[], int] = _now
