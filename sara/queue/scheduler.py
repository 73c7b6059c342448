"""The in-process scheduler: due jobs are started from memory, every change is kept before it is acted upon.

`ScheduledQueue` is a whole queue but for the keeping: a subclass writes entries down (or not, for tests). Memory holds a
window: what is due soon, at most `WINDOW_ENTRIES` of a lane. The rest stays where it is kept until there is room.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from abc import abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from sara.domain.errors import StoreUnavailable
from sara.domain.jobs import Job, JobEvent, JobRequest, Reschedule
from sara.domain.states import JobKind
from sara.domain.time import Instant, Milliseconds
from sara.plugins.context import Clock
from sara.plugins.queue import JobHandler, JobListener, Queue
from sara.queue.entries import Entry, Id, LaneState, job_of, merged

log = structlog.get_logger("sara.queue.scheduler")

WINDOW: Milliseconds = 300_000
"""Entries due later than this are not held in memory."""

WINDOW_ENTRIES = 2_000
"""Maximum number of entries of one lane that are held in memory."""

SOON: Milliseconds = 2_000
"""Entries due within this time may take the places of a lane that are kept free of later ones."""

REFILL: Milliseconds = 60_000
FAILURE_FIRST: Milliseconds = 1_000
FAILURE_LONGEST: Milliseconds = 300_000
KEPT_AGAIN: Milliseconds = 1_000

CANCELLED_WITHIN = 1.0
"""Seconds that a job which is cut off is given to end."""


class ScheduledQueue(Queue):
    """Runs jobs from memory. Subclasses keep the entries by overriding the five `_keep…`, `_forget`, `_fetch` methods."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pending: dict[Id, Entry] = {}
        self._running: dict[Id, asyncio.Task[None]] = {}
        self._rewoken: dict[Id, Entry] = {}
        self._hastened: set[Id] = set()
        self._future: list[tuple[Instant, int, Id]] = []
        self._lanes: dict[str, LaneState] = {}
        self._stamps = itertools.count(clock() * 1_000)
        self._order = itertools.count()
        self._changed = asyncio.Event()
        self._stopping = False
        self._next_refill: Instant = 0
        self._refilling: asyncio.Task[None] | None = None
        self._ended_meanwhile: set[Id] | None = None
        self._counts: Counter[str] = Counter()
        self._listener: JobListener | None = None

    # ── keeping: what a subclass adds ─────────────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    async def _keep(self, entries: Sequence[Entry]) -> None:
        """Merge entries into what is kept: the earliest due, the highest priority, the newest stamp."""

    @abstractmethod
    async def _keep_again(self, entry: Entry, claimed: int) -> None:
        """Set an entry's due and failures, unless its stamp is no longer `claimed`."""

    @abstractmethod
    async def _forget(self, job: Id, claimed: int | None) -> bool:
        """Remove an entry, unless `claimed` is given and is no longer its stamp. False if there was nothing to remove."""

    @abstractmethod
    async def _fetch(self, before: Instant, lane: str | None, limit: int) -> Sequence[Entry]:
        """Kept entries due before `before`, of one lane (or at most `limit` of each), most urgent first."""

    @abstractmethod
    async def _kept(self) -> int:
        """Return how many entries are kept."""

    # ── the contract ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def wake(self, wakes: Sequence[JobRequest]) -> None:
        if not wakes:
            return
        entries = [Entry(wake, next(self._stamps)) for wake in wakes]
        await self._keep(entries)
        for entry in entries:
            self._merge(entry)
            self._tell("woken", job_of(entry))
        self._changed.set()

    async def run(self, handler: JobHandler, listener: JobListener | None = None) -> None:
        self._listener = listener
        while not self._stopping:
            self._changed.clear()
            now = self._clock()
            if now >= self._next_refill:
                self._next_refill = now + REFILL
                self._refill(None)
            self._promote(now)
            self._start_ready(handler, now)
            await self._until(self._next_moment(now), now)

    async def stop(self, grace: Milliseconds) -> None:
        self._stopping = True
        self._changed.set()
        if self._refilling is not None:
            self._refilling.cancel()
        running = list(self._running.values())
        if running:
            _, late = await asyncio.wait(running, timeout=grace / 1_000)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=CANCELLED_WITHIN)

    def hold(self, lane: str, until: Instant | None = None, tried: Collection[str] = ()) -> None:
        state = self._lane(lane)
        if state.held and until is not None:
            # A short hold never cuts a longer one.
            until = None if state.held_until is None else max(state.held_until, until)
        state.held, state.held_until, state.allowance, state.tried = True, until, 1, tried
        state.held_for = 0 if until is None else until - self._clock()
        self._changed.set()

    def release(self, lane: str) -> None:
        state = self._lane(lane)
        state.held, state.held_until = False, None
        self._changed.set()

    def record_success(self, lane: str) -> None:
        state = self._lane(lane)
        # What still goes through during a hold left before it, and says nothing about what comes after.
        if state.allowance is not None and not state.held:
            state.allowance *= 2
            if state.allowance >= state.limit:
                state.allowance = None
            self._changed.set()

    def hangs(self, lane: str, more: int) -> None:
        self._lane(lane).hanging += more
        self._changed.set()

    def hasten(self, jobs: Iterable[Id]) -> None:
        for job in jobs:
            if job in self._running:
                self._hastened.add(job)  # it is about to say until when it waits, for what is there already
            else:
                self._bring_forward(job)
        self._changed.set()

    def limit(self, lane: str, concurrency: int) -> None:
        self._lane(lane).limit = concurrency

    def held(self, lane: str) -> bool:
        return self._lane(lane).held

    async def stats(self) -> Mapping[str, Any]:
        counts = {what: self._counts[what] for what in ("woken", "started", "done", "again", "failed")}
        lanes = {
            name: {"running": lane.running, "due": len(lane.ready), "held": lane.held}
            for name, lane in sorted(self._lanes.items())
        }
        return {**counts, "pending": await self._kept(), "running": len(self._running), "lanes": lanes}

    async def entries(self, limit: int) -> AsyncIterator[Mapping[str, Any]]:
        for entry in await self._fetch(1 << 62, None, limit):
            job = (entry.wake.kind, entry.wake.key)
            yield {
                "kind": job[0],
                "key": job[1],
                "lane": entry.wake.lane,
                "due": entry.wake.due,
                "priority": entry.wake.priority,
                "failures": entry.failures,
                "running": job in self._running,
            }

    async def drop(self, kind: JobKind, key: str) -> bool:
        job = (kind, key)
        kept = await self._forget(job, None)
        self._rewoken.pop(job, None)
        return self._remove(job) is not None or kept

    # ── memory ────────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _lane(self, name: str) -> LaneState:
        return self._lanes.setdefault(name, LaneState())

    def _merge(self, entry: Entry) -> None:
        """Bring a kept entry into the window, or leave it outside if it is far off or its lane is full."""
        job = (entry.wake.kind, entry.wake.key)
        if job in self._running:
            known = self._rewoken.get(job)
            self._rewoken[job] = entry if known is None else merged(known, entry)
            return
        known = self._pending.get(job)
        lane = self._lane(entry.wake.lane)
        if known is None and not self._admit(lane, entry):
            return
        joined = entry if known is None else merged(known, entry)
        if known is not None:
            self._lane(known.wake.lane).waiting -= 1
        self._pending[job] = joined
        self._lane(joined.wake.lane).waiting += 1
        if known is None or joined.wake != known.wake:
            heapq.heappush(self._future, (joined.wake.due, next(self._order), job))
            if len(self._future) > 64 + 4 * len(self._pending):
                # Entries that were moved leave records behind; rebuild the heap before they outweigh the rest.
                self._future = [(entry.wake.due, next(self._order), job) for job, entry in self._pending.items()]
                heapq.heapify(self._future)

    def _admit(self, lane: LaneState, entry: Entry) -> bool:
        """Return whether an entry comes into the window. Half of a lane's places are kept for what is due about now, so that many
        that wait for later never keep one waiting that could run."""
        now = self._clock()
        if entry.wake.due > now + WINDOW:
            return False
        soon = entry.wake.due <= now + SOON
        if lane.waiting < (WINDOW_ENTRIES if soon else WINDOW_ENTRIES // 2):
            return True
        lane.more_kept = True
        if not soon:
            left_out = entry.wake.due - SOON
            lane.look_at = left_out if lane.look_at is None else min(lane.look_at, left_out)
        return False

    def _bring_forward(self, job: Id) -> None:
        """Make a pending job due now. Only in memory: a process that ends loses nothing but the haste."""
        entry, now = self._pending.get(job), self._clock()
        if entry is not None and entry.wake.due > now:
            self._merge(replace(entry, wake=replace(entry.wake, due=now)))

    def _remove(self, job: Id) -> Entry | None:
        entry = self._pending.pop(job, None)
        if entry is not None:
            self._lane(entry.wake.lane).waiting -= 1
        return entry

    def _promote(self, now: Instant) -> None:
        """Move what has become due to its lane. Entries that changed since leave stale records behind, passed over here."""
        while self._future and self._future[0][0] <= now:
            due, _, job = heapq.heappop(self._future)
            entry = self._pending.get(job)
            if entry is not None and entry.wake.due == due:
                heapq.heappush(self._lane(entry.wake.lane).ready, (-entry.wake.priority, due, next(self._order), job))
        for lane in self._lanes.values():
            if not lane.held or lane.held_until is None:
                continue
            # A clock that was set back must not prolong a hold by the step.
            lane.held_until = min(lane.held_until, now + lane.held_for)
            if lane.held_until <= now:
                lane.held, lane.held_until = False, None

    def _start_ready(self, handler: JobHandler, now: Instant) -> None:
        for name, lane in self._lanes.items():
            while lane.ready and lane.room() > 0:
                _, due, _, job = lane.pop()
                entry = self._pending.get(job)
                if entry is None or entry.wake.due != due or entry.wake.lane != name:
                    continue
                self._remove(job)
                lane.running += 1
                self._running[job] = asyncio.create_task(self._work(handler, entry, lane), name=f"{job[0]}:{job[1]}")
            late = lane.look_at is not None and lane.look_at <= now
            if (late or (lane.more_kept and lane.waiting < WINDOW_ENTRIES // 4)) and self._refill(name):
                lane.look_at = None

    def _next_moment(self, now: Instant) -> Instant:
        moments = [self._next_refill]
        if self._future:
            moments.append(self._future[0][0])
        moments += [lane.look_at for lane in self._lanes.values() if lane.look_at is not None]
        moments += [lane.held_until for lane in self._lanes.values() if lane.held and lane.held_until is not None]
        return min(moments)

    async def _until(self, moment: Instant, now: Instant) -> None:
        # The wall clock may jump; a wait is cut so that a jump forward is noticed within seconds.
        delay = max(0, min(moment - now, 5_000)) / 1_000
        try:
            async with asyncio.timeout(delay):
                await self._changed.wait()
        except TimeoutError:
            return

    # ── running ───────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _work(self, handler: JobHandler, entry: Entry, lane: LaneState) -> None:
        job = job_of(entry)
        identity = (job.kind, job.key)
        following: Entry | None = entry
        try:
            self._tell("started", job)
            following = await self._run_one(handler, entry, job)
        finally:
            lane.running -= 1
            self._running.pop(identity, None)
            if self._ended_meanwhile is not None:
                self._ended_meanwhile.add(identity)
            if following is not None:
                self._merge(following)
            rewoken = self._rewoken.pop(identity, None)
            if rewoken is not None:
                self._merge(rewoken)
            if identity in self._hastened:
                self._hastened.discard(identity)
                self._bring_forward(identity)
            self._changed.set()

    async def _run_one(self, handler: JobHandler, entry: Entry, job: Job) -> Entry | None:
        """Run a job and keep how it ended; return the entry that follows from it, if any."""
        try:
            end = await handler(job)
        except (Exception, asyncio.CancelledError) as error:
            if self._stopping and isinstance(error, asyncio.CancelledError):
                raise
            delay = min(FAILURE_FIRST << min(entry.failures, 16), FAILURE_LONGEST)
            following = replace(entry, wake=replace(entry.wake, due=self._clock() + delay), failures=entry.failures + 1)
            log.exception("job_failed", kind=job.kind, key=job.key, failures=following.failures)
            # The error's own words may quote a customer; its type and the frames in the log are enough to find it.
            self._tell("failed", replace(job, failures=following.failures), type(error).__name__)
            return await self._kept_or_soon(following, entry.stamp)
        if isinstance(end, Reschedule):
            following = replace(entry, wake=replace(entry.wake, due=end.at), failures=0)
            self._tell("again", job)
            return await self._kept_or_soon(following, entry.stamp)
        self._tell("done", job)
        try:
            await self._forget((job.kind, job.key), entry.stamp)
        except StoreUnavailable:
            # The entry is still kept; running the job once more does no harm and removes it.
            return replace(entry, wake=replace(entry.wake, due=self._clock() + KEPT_AGAIN))
        return None

    async def _kept_or_soon(self, following: Entry, claimed: int) -> Entry:
        try:
            await self._keep_again(following, claimed)
        except StoreUnavailable:
            log.warning("queue_write_failed", kind=following.wake.kind, key=following.wake.key)
        return following

    def _refill(self, lane: str | None) -> bool:
        """Begin to fill the window from what is kept; false while that is going on already."""
        if self._refilling is not None and not self._refilling.done():
            return False
        self._refilling = asyncio.create_task(self._load(lane), name="queue-refill")
        return True

    async def _load(self, lane: str | None) -> None:
        # What is read may be a moment old: a job that ended since must not come back from it.
        self._ended_meanwhile = set()
        for state in self._lanes.values() if lane is None else [self._lane(lane)]:
            state.more_kept = False
        try:
            found = await self._fetch(self._clock() + WINDOW, lane, WINDOW_ENTRIES)
        except StoreUnavailable as error:
            log.warning("queue_read_failed", error=str(error))
            return
        finally:
            ended, self._ended_meanwhile = self._ended_meanwhile, None
        for name, count in Counter(entry.wake.lane for entry in found).items():
            state = self._lane(name)
            state.more_kept = state.more_kept or count >= WINDOW_ENTRIES
        for entry in found:
            job = (entry.wake.kind, entry.wake.key)
            if job not in self._running and job not in ended:
                self._merge(entry)
        self._changed.set()

    def _tell(self, what: str, job: Job, error: str | None = None) -> None:
        self._counts[what] += 1
        if self._listener is not None:
            self._listener(JobEvent(what, job, error))  # type: ignore[arg-type]  # callers pass the event's own words
