"""A store of a third party. It builds on an installed plugin, the bundled store, and adds a file of its own and a counter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sara_sqlite.options import (SqliteOptions)
from sara_sqlite.store import (SqliteStore)

from sara import (Instant, hookimpl)
from sara.engines import (InboundBatch, Store, AcceptResult)


class CountingOptions(SqliteOptions):
    """Where its file is."""

    path: Path | None = Path("counting.db")


class CountingStore(SqliteStore):
    """The bundled store, which counts how often it was asked to take something in."""

    Options = CountingOptions
    accepts = 0

    async def accept(self, intake_: InboundBatch, now: Instant) -> AcceptResult:
        self.accepts += 1
        return await super().accept(intake_, now)

    async def counts(self) -> Mapping[str, int]:
        return {**await super().counts(), "accepts": self.accepts}


@hookimpl
def register_stores() -> list[type[Store]]:
    """`plugin: counting`."""
    return [CountingStore]
