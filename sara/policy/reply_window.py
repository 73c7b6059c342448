"""When a channel's reply window allows a message to be sent."""

from __future__ import annotations

from sara.domain.delivery import DeliveryView
from sara.domain.time import Instant, Milliseconds


def window_closed(view: DeliveryView, window: Milliseconds | None, now: Instant) -> bool:
    """Return whether a message comes too late for its channel's reply window; a template never does. The customer's own time
    stamps count, so that a message delivered late opens nothing."""
    if window is None or not window_matters(view, window):
        return False
    return view.customer_at is None or now >= view.customer_at + window


def window_matters(view: DeliveryView, window: Milliseconds | None) -> bool:
    """Return whether a message needs its channel's reply window to be open at all."""
    return window is not None and view.part.kind != "template"
