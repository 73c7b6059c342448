"""The bundled store and queue: one SQLite file, one writer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sara import hookimpl

if TYPE_CHECKING:
    from sara.engines import Queue, Store


@hookimpl
def register_stores() -> Sequence[type[Store]]:
    """Return the store plugin for `plugin: sqlite`."""
    from sara_sqlite.store import SqliteStore

    return [SqliteStore]


@hookimpl
def register_queues() -> Sequence[type[Queue]]:
    """Return the queue plugin for `plugin: sqlite`."""
    from sara_sqlite.queue import SqliteQueue

    return [SqliteQueue]
