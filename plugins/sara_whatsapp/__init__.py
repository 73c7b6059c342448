"""WhatsApp for SARA: customers' messages in, answers out, through Meta's Cloud API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sara import hookimpl

if TYPE_CHECKING:
    from sara import Channel


@hookimpl
def register_channels() -> Sequence[type[Channel]]:
    """The WhatsApp channel. Imported only when somebody asks, so that listing plugins stays cheap."""
    from sara_whatsapp.channel import WhatsAppChannel

    return [WhatsAppChannel]
