"""Implements a hook that does not exist."""

from __future__ import annotations

from sara import (StoredMessage, hookimpl)


@hookimpl
def message_recieved(message: StoredMessage) -> None:
    """The spelling is the point."""
