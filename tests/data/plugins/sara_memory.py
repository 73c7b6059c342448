"""A queue of a third party that keeps nothing: what a restart forgets, the sweep finds again in the store."""

from __future__ import annotations

from collections.abc import Sequence

from sara import (Context, Instant, Options, hookimpl)
from sara.engines import (Entry, JobKind, Queue, ScheduledQueue, JobRequest)


class MemoryOptions(Options):
    """There is nothing to choose."""


class MemoryQueue(ScheduledQueue):
    """Its entries live in a dict."""

    Options = MemoryOptions

    def __init__(self, options: MemoryOptions, context: Context) -> None:
        super().__init__(context.clock)
        self._entries: dict[tuple[JobKind, str], Entry] = {}

    async def _keep(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            job = (entry.wake.kind, entry.wake.key)
            known = self._entries.get(job)
            self._entries[job] = entry if known is None else _merged(known, entry)

    async def _keep_again(self, entry: Entry, claimed: int) -> None:
        job = (entry.wake.kind, entry.wake.key)
        if job in self._entries and self._entries[job].stamp == claimed:
            self._entries[job] = entry

    async def _forget(self, job: tuple[JobKind, str], claimed: int | None) -> bool:
        known = self._entries.get(job)
        if known is None or claimed not in (None, known.stamp):
            return False
        del self._entries[job]
        return True

    async def _fetch(self, before: Instant, lane: str | None, limit: int) -> Sequence[Entry]:
        due = [each for each in self._entries.values() if each.wake.due < before]
        due.sort(key=lambda entry: (-entry.wake.priority, entry.wake.due))
        lanes = {each.wake.lane for each in due} if lane is None else {lane}
        return [each for name in sorted(lanes) for each in [one for one in due if one.wake.lane == name][:limit]]

    async def _kept(self) -> int:
        return len(self._entries)


def _merged(known: Entry, new: Entry) -> Entry:
    due, priority = min(known.wake.due, new.wake.due), max(known.wake.priority, new.wake.priority)
    wake = JobRequest(new.wake.kind, new.wake.key, due, new.wake.lane, priority)
    return Entry(wake, max(known.stamp, new.stamp), known.failures)


@hookimpl
def register_queues() -> list[type[Queue]]:
    """`plugin: memory`."""
    return [MemoryQueue]
