"""A daemon that can be killed at any system call, and what must hold once it was started again.

Some hundred daemons are started here. A fresh interpreter would spend most of that time importing; these are forks of a process
that has it behind it, and from there on the very same `sara run`.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import re
import shutil
import signal
import sqlite3
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, TypeVar

from sara_simulators.openai import OpenAISimulator
from sara_simulators.whatsapp import WhatsAppSimulator

from tests.effort import FULL, spread
from tests.faults.child import code, serve
from tests.journeys.conftest import DEADLINE, Town, configuration, exported

T = TypeVar("T")

FORKS = multiprocessing.get_context("forkserver")
# Besides pytest, whose own script every fork looks at. What is missing is passed over.
FORKS.set_forkserver_preload(["pytest", "tests.faults.child", "tests.warm"])

WRITING = "write,writev,pwrite64,pwritev,fsync,fdatasync,ftruncate,fallocate,unlink,unlinkat,rename,renameat,renameat2"
"""The system calls that change files."""

SENDING = "sendto,sendmsg,sendmmsg"
"""Those that let something out."""


DATABASE = ("sara.db", "sara.db-wal", "sara.db-journal", "sara.db-shm")
OTHERS = ("sara.db.lock", "admin-token.new", "admin-token", "listening.json")


class Died(Exception):
    """The process ended while something was expected of it. Its message is what had been logged."""


class Fork:
    """`sara run` in a process of its own, started in two steps: strace can be there before it opens a file."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.log = town.folder / "log"
        self.over = asyncio.Event()
        self.public_url = self.admin_url = ""
        self._pipe, self._theirs = FORKS.Pipe()
        self._process: ForkServerProcess = FORKS.Process(target=serve, args=(town.file, self.log, self._theirs), daemon=True)

    @classmethod
    async def made(cls, town: Town) -> Fork:
        """A process that waits to be let go."""
        town.write()
        (town.folder / "log").unlink(missing_ok=True)
        fork = cls(town)
        await asyncio.to_thread(fork._start)
        asyncio.get_running_loop().add_reader(fork._process.sentinel, fork._ended)
        town.extra.append(fork._left_behind)
        return fork

    def _start(self) -> None:
        self._process.start()
        self._theirs.close()
        if not self._pipe.poll(DEADLINE):
            raise TimeoutError("a forked process never came up")
        assert self._pipe.recv() == code()

    def _ended(self) -> None:
        asyncio.get_running_loop().remove_reader(self._process.sentinel)
        self.over.set()

    async def _left_behind(self) -> None:
        if not self.over.is_set():
            await self.end(signal.SIGKILL)

    @classmethod
    async def serving(cls, town: Town) -> Fork:
        """A process that serves, with webhooks delivered to it."""
        fork = await cls.made(town)
        fork.go()
        await fork.connect()
        return fork

    def go(self) -> None:
        """Let it run."""
        self._pipe.send("go")

    @property
    def has_served(self) -> bool:
        """Whether it came so far as to be asked to verify the webhook."""
        return bool(self.public_url)

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    async def connect(self) -> None:
        """Wait until it serves, and have webhooks delivered to it. Raises Died."""
        where = json.loads((await self.logged('"daemon_started"'))[-1])
        self.public_url, self.admin_url = where["public"], where["admin"]
        await self.alive(self.town.phone.connect(self.public_url + "/webhook/messages"))

    async def logged(self, *words: str, times: int = 1) -> list[str]:
        """Wait until so many lines of its log hold any of these words; return them. Raises Died."""

        def told() -> list[str]:
            return [line for line in self.output().splitlines() if any(each in line for each in words)]

        over = asyncio.ensure_future(self.over.wait())
        try:
            async with asyncio.timeout(DEADLINE):
                while len(found := told()) < times:
                    if over.done():
                        raise Died(self.output())
                    await asyncio.wait([over], timeout=0.01)
        finally:
            over.cancel()
        return found

    def output(self) -> str:
        """All that it has logged."""
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""

    async def alive(self, work: Coroutine[Any, Any, T], within: float = DEADLINE) -> T:
        """The result of `work`, for which the process is needed. Raises Died when it ends before."""
        task, over = asyncio.ensure_future(work), asyncio.ensure_future(self.over.wait())
        try:
            async with asyncio.timeout(within):
                await asyncio.wait({task, over}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise Died(self.output())
            return task.result()
        finally:
            over.cancel()
            task.cancel()
            await asyncio.gather(task, over, return_exceptions=True)

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; its exit code."""
        if not self.over.is_set():
            os.kill(self.pid, number)
        return await self.ended()

    async def ended(self) -> int:
        """Wait for the end; its exit code, negative for a signal."""
        async with asyncio.timeout(DEADLINE):
            await self.over.wait()
        self._process.join()
        self._pipe.close()
        assert self._process.exitcode is not None
        return self._process.exitcode


@dataclass(frozen=True)
class Strace:
    """Sits beside a process and makes its system calls fail, wait or kill."""

    program: str

    @asynccontextmanager
    async def beside(
        self, pid: int, *options: str, paths: Sequence[Path] | None = None, trace: Path = Path(os.devnull)
    ) -> AsyncIterator[None]:
        """While it lasts a process is traced: calls on `paths` in all its threads, or else all calls of its first thread, in which
        the event loop runs. `trace` is whole once it is over."""
        which = [] if paths is None else ["-f", *(word for path in paths for word in ("-P", str(path)))]
        running = await asyncio.create_subprocess_exec(
            self.program, "-p", str(pid), "-o", str(trace), *which, *options, stderr=asyncio.subprocess.PIPE
        )
        assert running.stderr is not None
        try:
            async with asyncio.timeout(DEADLINE):
                said = await running.stderr.readline()
            assert b"attached" in said, said
            yield
        finally:
            if running.returncode is None:
                with suppress(ProcessLookupError):
                    os.kill(running.pid, signal.SIGTERM)  # it lets go of the process, which runs on
            async with asyncio.timeout(DEADLINE):
                await running.communicate()


Point = tuple[str, int]
"""A system call, and the how manieth of its kind."""


def points(trace: Path) -> list[Point]:
    """The calls of a traced run, in order."""
    seen: Counter[str] = Counter()
    found = []
    for line in trace.read_text(encoding="ascii").splitlines():
        if call := re.match(r"(?:\d+ +)?(\w+)\(", line):
            seen[call[1]] += 1
            found.append((call[1], seen[call[1]]))
    return found


def first_writes(found: Sequence[Point]) -> list[Point]:
    """The first write of each commit: all that came before has happened, and nothing of it has. Killed at its other writes, a
    process leaves the same behind."""
    synced = ("fsync", "fdatasync")
    return [point for before, point in pairwise(found) if before[0] in synced and point[0] not in synced]


def killing(point: Point) -> tuple[str, ...]:
    """What makes strace kill there."""
    name, number = point
    return "-e", f"trace={name}", "-e", f"inject={name}:signal=SIGKILL:when={number}"


async def at_each(
    found: Sequence[Point], trip: Callable[[Point], Awaitable[bool]], short: int, telling: Sequence[Point] = ()
) -> None:
    """Make a trip for each of these points, two beside each other; in a short run for `short` of them, or of those that tell more
    than the others. It returns whether it was struck: in full, one goes on past the last point until nothing is."""
    tried = spread(found if FULL or not telling else telling, short)
    room = asyncio.Semaphore(2)
    failed: dict[Point, str] = {}

    async def guarded(point: Point) -> bool:
        async with room:
            try:
                return await trip(point)
            except Exception as error:
                failed[point] = "".join(traceback.format_exception(error, limit=-3))[-3_000:]
                return False

    await asyncio.gather(*map(guarded, tried))
    for name, number in dict(found).items():
        beyond = number + 1
        while FULL and await guarded((name, beyond)):
            beyond += 1
    print(f"{len(tried)} of {len(found)} points, {len(failed)} failed")
    assert not failed, "\n\n".join(f"{name} {number}: {why}" for (name, number), why in failed.items())


@asynccontextmanager
async def built(folder: Path) -> AsyncIterator[Town]:
    """A town of its own, for trips that go on beside each other."""
    ai = OpenAISimulator(mode="echo")
    await ai.start()
    try:
        async with WhatsAppSimulator(sent_delay=0, delivered_delay=0, read_delay=0, retry_gaps=(50,) * 400, seed=1) as phone:
            town = Town(folder, phone, ai, configuration(phone, ai))
            hurry(town)
            try:
                yield town
            finally:
                for leave in town.extra:
                    await leave()
    finally:
        await ai.stop()


def hurry(town: Town) -> None:
    """Shorter waits. A doubt lasts long enough for what the provider knows to arrive."""
    town.config["conversation"] = {"debounce": "10ms", "debounce_max": "100ms"}
    town.config["channels"]["whatsapp"]["doubt_timeout"] = "1s"


async def read_through(town: Town, within: float = DEADLINE) -> None:
    """Wait until everything that customers wrote was answered, and everything reported back was taken."""

    def settled(phone: WhatsAppSimulator) -> bool:
        bubbles = [bubble for customer in phone.customers for bubble in phone.chat(customer)]
        said = sum(bubble.side == "customer" for bubble in bubbles)
        answered = sum(len(words(send.text)) for send in phone.accepted)
        return answered >= said and not phone.under_way and all(bubble.state == "read" for bubble in bubbles)

    await town.phone.wait_for(settled, within)


def words(text: str) -> list[str]:
    """The messages that an echo answers."""
    return text.removeprefix("echo: ").split(" | ")


RANK = {state: rank for rank, state in enumerate(("accepted", "sent", "delivered", "read"))}


def look(file: Path, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a database that nobody has open."""
    with closing(sqlite3.connect(file)) as db:
        return db.execute(sql).fetchall()


def check_wreck(town: Town) -> bool:
    """What must be on the disk at the very moment of a crash; returns whether the answer to "hello" was."""
    wreck = town.folder / "wreck"
    shutil.rmtree(wreck, ignore_errors=True)
    wreck.mkdir()
    for name in ("sara.db", "sara.db-wal", "sara.db-journal"):
        if (town.folder / "state" / name).exists():
            shutil.copy(town.folder / "state" / name, wreck)
    file = wreck / "sara.db"
    if not file.exists() or look(file, "PRAGMA user_version") == [(0,)]:
        assert not town.phone.accepted
        assert not any(delivery.accepted for delivery in town.phone.deliveries)
        return False
    assert look(file, "PRAGMA integrity_check") == [("ok",)]
    stored = {row[0] for row in look(file, "SELECT external_id FROM messages WHERE direction = 'in'")}
    sends = dict(look(file, "SELECT a.id, m.state FROM attempts a JOIN messages m ON m.id = a.message"))
    marks = {send.wamid: send.callback_data for send in town.phone.accepted}
    for customer in town.phone.customers:
        for bubble in town.phone.chat(customer):
            if bubble.side == "customer" and bubble.state == "delivered":
                assert bubble.id in stored, "a message was acknowledged before it was stored"
            elif bubble.side == "business":
                state = sends.get(marks[bubble.id])
                assert state is not None, "a message was sent without its mark"
                assert RANK[bubble.state] <= RANK.get(state, 0), (
                    f"a receipt for {bubble.state} was acknowledged, stored is {state}"
                )
    return "echo: hello" in {row[0] for row in look(file, "SELECT text FROM messages WHERE direction = 'out'")}


async def check_end(town: Town) -> None:
    """What must hold once everything was delivered and the daemon has ended."""
    said = {who: [bubble for bubble in town.phone.chat(who) if bubble.side == "customer"] for who in town.phone.customers}
    stored = await exported(town)
    ours = {bubble.id for bubbles in said.values() for bubble in bubbles}
    inbound = [message for message in stored if message.external_id in ours]
    assert Counter(message.external_id for message in inbound) == Counter(ours), "each message is stored once"
    assert {message.state for message in inbound} == {"answered"}
    for who, bubbles in said.items():
        answers = [answered for send in town.phone.accepted if send.customer == who for answered in words(send.text)]
        assert answers == [bubble.text for bubble in bubbles], "each message is answered once, in order"
    assert {message.state for message in stored if message.direction == "out"} == {"read"}
    file = town.folder / "state" / "sara.db"
    assert look(file, "PRAGMA integrity_check") == [("ok",)]
    assert look(file, "SELECT message FROM attempts WHERE state = 'accepted' GROUP BY message HAVING count(*) > 1") == []
    assert look(file, "SELECT id FROM conversations WHERE reply_due IS NOT NULL OR deliver_due IS NOT NULL") == []
