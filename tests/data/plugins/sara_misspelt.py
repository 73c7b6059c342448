"""Implements a hook that does not exist."""

from __future__ import annotations

from sara_pigeon import PigeonChannel

from sara import Channel, StoredMessage, hookimpl


@hookimpl
def register_channels() -> list[type[Channel]]:
    return [PigeonChannel]


@hookimpl
def message_recieved(message: StoredMessage) -> None:
    """The spelling is the point."""
