"""A hook that never comes back from its thread. `release` lets it go."""

from __future__ import annotations

import threading

from sara import (StoredMessage, hookimpl)

release = threading.Event()


@hookimpl
def message_received(message: StoredMessage) -> None:
    release.wait()
