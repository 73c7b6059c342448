"""Asks a hook for an argument that it does not have."""

from __future__ import annotations

from sara import (StoredMessage, hookimpl)


@hookimpl
def message_received(mesage: StoredMessage) -> None:
    """The spelling is the point."""
