"""Plugin `whatsapp`: messages of Meta's WhatsApp Cloud API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sara import hookimpl

if TYPE_CHECKING:
    from sara import Channel


@hookimpl
def register_channels() -> Sequence[type[Channel]]:
    """Return the WhatsApp channel class, imported only now so that listing plugins stays fast."""
    from sara_whatsapp.channel import WhatsAppChannel

    return [WhatsAppChannel]
