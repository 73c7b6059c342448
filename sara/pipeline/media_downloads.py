"""Downloads of the files that messages bring: begun when a message arrives, tried again until they end, also after a restart.

The store says what is due. An answer waits only for the files that its responder opens, within one bound for the whole turn.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from sara.domain.errors import Conflict, RetryLater, SaraError
from sara.domain.messages import Attachment, Download, HistoryMessage
from sara.domain.problems import ProblemReporter
from sara.domain.replies import ReplyView, Turn
from sara.domain.time import Instant, Milliseconds
from sara.pipeline.bindings import ChannelBinding, ChannelBindings
from sara.pipeline.media import EXPIRED, DiskError, MediaStore
from sara.plugins.call_guard import CallGuard
from sara.plugins.context import Clock
from sara.plugins.responder import HistoryLimits, Responder
from sara.plugins.store import Store
from sara.plugins.threads import run_in_thread
from sara.policy.context_window import as_it_is_now
from sara.queue.sleep import sleep

log = structlog.get_logger("sara.pipeline.media_downloads")

FILES_WITHIN: Milliseconds = 20_000
"""An answer waits this long for the files that its responder opens, all of them and all responders together."""

LATER = 20
"""Maximum number of new messages during a wait for files behind which the earlier ones are still found."""

AT_ONCE = 4
"""Files that are fetched at the same time in the background for one channel, and for one answer beside these."""

FIRST_DELAY: Milliseconds = 2_000
MAX_DELAY: Milliseconds = 3_600_000
"""A download that fails is tried again after 2, 4, 8 … seconds, at last every hour."""

LOOK_EVERY: Milliseconds = 60_000
RECOVER: Milliseconds = 5_000
"""The wait where nothing can be begun: the store is away, or the channel is not to be called."""

LEAST_FREE = 256 * 1024 * 1024
"""With less room than this on the disk nothing is fetched in the background: the last of it is for messages."""

GONE = "the provider does not keep it any longer"


@dataclass(frozen=True, slots=True)
class _Running:
    """A download that is under way."""

    task: asyncio.Task[Attachment | None]
    conversation: str
    account: str
    in_background: bool


def delay_after(tries: int, after: Milliseconds | None = None) -> Milliseconds:
    """Return how long to wait after a failed download that had failed `tries` times before, or as long as the provider asks."""
    return min(MAX_DELAY, max(FIRST_DELAY << min(tries, 20), after or 0))


def free_bytes(path: Path) -> int:
    """Return the free bytes of the disk that holds a path."""
    return shutil.disk_usage(path).free


class MediaDownloads:
    """Downloads the files that are due, each at most once at a time, for the background and for answers."""

    def __init__(
        self,
        store: Store,
        files: MediaStore,
        routes: ChannelBindings,
        problems: ProblemReporter,
        clock: Clock,
        call_guard: CallGuard,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._store = store
        self._files = files
        self._routes = routes
        self._problems = problems
        self._clock = clock
        self._call_guard = call_guard
        self._free = free
        self._running: dict[str, _Running] = {}
        self._arrivals = {route.channel.account: asyncio.Event() for route in routes}

    def notice(self, account: str) -> None:
        """Look at once what is due for an account: a message with files was stored."""
        if (arrival := self._arrivals.get(account)) is not None:
            arrival.set()

    async def run(self) -> None:
        """Fetch what is due in the background until cancelled, channel by channel."""
        try:
            await asyncio.gather(*(self._serve(route) for route in self._routes))
        finally:
            await self._cancel(list(self._running.values()))
            await self._files.settled()

    async def prepare(self, route: ChannelBinding, turn: Turn, responder: Responder, within: Milliseconds) -> Turn:
        """Return the turn with its files in place. What `responder` opens is waited for, at most `within` milliseconds altogether; what has
        not come by then stays `pending`, and its download goes on.

        What was edited or deleted while a file was waited for is told as it is now. Raises Conflict where that befell a message that is
        to be answered, or where it is not to be answered any more.
        """
        found: dict[str, Attachment] = {}
        wanted = [each for each in responder.select_attachments(turn) if each.state == "pending" and each.id]
        if within > 0:
            await self._wait_for(route, turn.conversation, wanted, within, found)
        else:
            for each in wanted:  # some may have come since the turn was read
                known = await self._store.download(each.id)
                if known is not None:
                    found[each.id] = known.attachment
        if wanted:
            limits = HistoryLimits(messages=len(turn.history) + LATER)
            now = as_it_is_now(turn, await self._store.reply_view(turn.conversation, limits))
            if now is None:
                raise Conflict("a message was edited, deleted or taken over while its files were waited for")
            turn = now

        def placed(line: HistoryMessage) -> HistoryMessage:
            if not line.attachments:
                return line
            return replace(line, attachments=tuple(self._files.place(found.get(each.id, each)) for each in line.attachments))

        return replace(turn, messages=tuple(map(placed, turn.messages)), history=tuple(map(placed, turn.history)))

    async def abandon(self, conversations: Collection[str]) -> None:
        """End the downloads of these conversations; returns once nothing of them is left on the disk."""
        await self._cancel([each for each in self._running.values() if each.conversation in conversations])
        await self._files.settled()

    # ── in the background ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _serve(self, route: ChannelBinding) -> None:
        arrival = self._arrivals[route.channel.account]
        while True:
            arrival.clear()
            try:
                wait = await self._begin_due(route)
            except (SaraError, OSError) as error:
                log.warning("downloads_start_failed", channel=route.name, error=type(error).__name__)
                wait = RECOVER
            await _event_within(arrival, wait)

    async def _begin_due(self, route: ChannelBinding) -> Milliseconds:
        """Begin as many downloads as may run; how long to wait before the next look."""
        account = route.channel.account
        if self._call_guard.is_blocked(route.called):
            return RECOVER
        begun = [each for each in self._running.values() if each.account == account]
        room = AT_ONCE - sum(each.in_background for each in begun)
        if room <= 0:
            return LOOK_EVERY
        now = self._clock()
        for each in await self._store.downloads(account, len(begun) + room + 1):
            if each.attachment.id in self._running:
                continue
            # No wait is longer than the longest delay: what is due after that was put off before the clock went back.
            if each.due is not None and now < each.due <= now + MAX_DELAY:
                return min(each.due - now, LOOK_EVERY)
            if room == 0 or not await self._has_room(each.attachment):
                return LOOK_EVERY
            if each.attachment.id in self._running:
                continue  # an answer has begun it meanwhile
            self._begin(route, each.attachment.id, each.conversation, in_background=True)
            room -= 1
        return LOOK_EVERY

    async def _has_room(self, attachment: Attachment) -> bool:
        free = await run_in_thread(self._free, self._files.folder)
        if free - (attachment.size or 0) >= LEAST_FREE:
            self._problems.clear("media:folder:disk_low")
            return True
        self._problems.report(
            "media:folder:disk_low",
            f"only {free // 1_048_576} MB of disk space are free at {self._files.folder}; customers' files are downloaded only if a reply needs them",
            "free disk space, or shorten `media.keep`; omitted files are downloaded later if the provider still has them",
            severity="warning",
            count=1,
        )
        return False

    # ── for an answer ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _wait_for(
        self,
        route: ChannelBinding,
        conversation: str,
        wanted: Sequence[Attachment],
        within: Milliseconds,
        found: dict[str, Attachment],
    ) -> None:
        """Add the downloads that end within the given milliseconds to the files found."""
        limit = asyncio.Semaphore(AT_ONCE)
        waiting = [asyncio.ensure_future(self._settle(route, conversation, each.id, limit, found)) for each in wanted]
        try:
            if waiting:
                await asyncio.wait(waiting, timeout=within / 1_000)
        finally:
            for each in waiting:
                each.cancel()

    async def _settle(
        self, route: ChannelBinding, conversation: str, attachment: str, limit: asyncio.Semaphore, found: dict[str, Attachment]
    ) -> None:
        """Try until the file is settled, and put it among those found."""
        tries = 0
        while not self._call_guard.is_blocked(route.called):
            async with limit:
                running = self._running.get(attachment) or self._begin(route, attachment, conversation, in_background=False)
                await asyncio.wait([running.task])
            if running.task.cancelled() or running.task.exception() is not None:
                return
            ended = running.task.result()
            if ended is None:
                return
            if ended.state != "pending":
                found[attachment] = ended
                return
            await sleep(delay_after(tries) / 2_000)
            tries += 1

    # ── one try ───────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _begin(self, route: ChannelBinding, attachment: str, conversation: str, *, in_background: bool) -> _Running:
        task = asyncio.ensure_future(self._try(route, attachment))
        running = _Running(task, conversation, route.channel.account, in_background)
        self._running[attachment] = running
        task.add_done_callback(lambda task: self._ended(route, attachment, task))
        return running

    def _ended(self, route: ChannelBinding, attachment: str, task: asyncio.Task[Attachment | None]) -> None:
        del self._running[attachment]
        arrival = self._arrivals[route.channel.account]
        if task.cancelled():
            return
        if (error := task.exception()) is None:
            arrival.set()
            return
        # It could not even be put off. Not at once again: the store is away.
        log.warning("download_failed", channel=route.name, attachment=attachment, error=type(error).__name__)
        asyncio.get_running_loop().call_later(RECOVER / 1_000, arrival.set)

    async def _try(self, route: ChannelBinding, attachment: str) -> Attachment | None:
        """Try once and return the attachment as it is then; None where it is not wanted any more."""
        try:
            # Asked of the store now: its sender may have been erased since it was decided to fetch it.
            found = await self._store.download(attachment)
            if found is None:
                return None
            if found.due is None:
                return found.attachment
            if reason := self._too_late(route, found):
                return await self._files.refuse(found.attachment, reason)
            return await self._fetch(route, found)
        except Conflict:
            return None

    async def _fetch(self, route: ChannelBinding, found: Download) -> Attachment:
        # An address that did not lead to the file is soon out of date; the reference is not.
        wanted = replace(found.attachment, url=None) if found.tries else found.attachment
        try:
            return await self._files.fetch(route, wanted)
        except Conflict:
            raise
        except Exception as error:
            now = self._clock()
            due = now + delay_after(found.tries, error.after if isinstance(error, RetryLater) else None)
            log.info(
                "file_fetch_failed", channel=route.name, attachment=wanted.id, tries=found.tries + 1, error=type(error).__name__
            )
            reason = str(error) if isinstance(error, SaraError | DiskError) else type(error).__name__
            await self._store.postpone_download(wanted.id, due, reason, now)
            return found.attachment

    def _too_late(self, route: ChannelBinding, found: Download) -> str | None:
        if self._files.too_old(found.at):
            return EXPIRED
        return GONE if found.at < self._clock() - route.channel.media_lifetime_ms else None

    async def _cancel(self, running: Collection[_Running]) -> None:
        for each in running:
            each.task.cancel()
        if running:
            await asyncio.wait([each.task for each in running])


def wait_for_files(view: ReplyView, now: Instant) -> Milliseconds:
    """Return how long an answer that is made now may wait for files: of messages that were asked about before, what is left of the bound."""
    newest = max(line.at for line in view.waiting)
    return left_of(FILES_WITHIN, None if view.first_at is None else max(view.first_at, newest), now)


def left_of(within: Milliseconds, since: Instant | None, now: Instant) -> Milliseconds:
    """Return the rest of a time limit that began to run at `since`; all of it where it has not begun."""
    return within if since is None else min(within, max(0, within - (now - since)))


async def _event_within(event: asyncio.Event, within: Milliseconds) -> None:
    """Return when the event is set, or after the given milliseconds."""
    try:
        async with asyncio.timeout(within / 1_000):
            await event.wait()
    except TimeoutError:
        return
