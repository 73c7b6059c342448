"""Ten times more than can be answered: is memory bounded, does the door close in time, and does it open again?

python bench/overload.py                    # some three minutes

`sara run` is a process of its own, and its AI takes every question and never answers. Thousands of people write, each message in a
signed webhook, until more wait than the daemon takes in; then for a while against the closed door. Strangers send the largest bodies
all the while. At last the AI is well again, and the provider delivers what was refused once more. Exit code 1 if memory grows beyond the limit, if the door does not close or
open in time, or if anything that was answered 200 is not in the store.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from sara_simulators.openai import OpenAISimulator
from sara_simulators.whatsapp import ChatMessage, Customer, WhatsAppSimulator
from sara_simulators.whatsapp.state import new_wamid
from sara_simulators.whatsapp.webhooks import encode_body, inbound_webhook, sign_body
from yarl import URL

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.soak import memory, metrics
from sara.cli.context import open_store
from sara.operations.load_shedding import CHECK_EVERY_S, MOST_WAITING
from sara.web.body_limits import BODY_LIMIT
from tests.faults.test_kills import PROMPT, Lives
from tests.journeys.conftest import Town, configuration

MOST_MEMORY = 256.0
"""Megabytes that the daemon may take at any time."""

LATE = 3.0
"""Seconds by which the door may close or open later than at the next look of the daemon."""

BODY = 1_000
"""Bytes of a webhook, about."""

SAMPLE = 2.0
"""Seconds between two samples."""

LONGEST = 240.0
"""Seconds in which the door has to close."""

REDELIVERIES = 10
"""Refused webhooks that are delivered again each second once the AI is well."""

STRANGERS = 20
"""Connections that send the largest bodies, without a signature and without an end."""

LEAVE_ALONE = (1_000, 2_000, 4_000, 8_000, *(15_000,) * 20)
"""The provider's gaps before it delivers a refused receipt again."""

WAITING = 'sara_messages{direction="in",state="waiting"}'


@dataclass(frozen=True, slots=True)
class Post:
    """A webhook with one message."""

    message: str
    body: bytes
    signature: str


@dataclass
class Answers:
    """How the webhooks of some time were answered. Latencies in seconds, by status; 0 where there was no answer."""

    counts: Counter[int] = field(default_factory=Counter)
    latencies: dict[int, list[float]] = field(default_factory=dict)

    def add(self, status: int, took: float) -> None:
        """One more answer."""
        self.counts[status] += 1
        self.latencies.setdefault(status, []).append(took)

    def quantile(self, status: int, share: float) -> float:
        """Milliseconds within which this share of the answers came."""
        found = sorted(self.latencies.get(status, ()))
        return found[min(int(len(found) * share), len(found) - 1)] * 1_000 if found else 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """How the daemon is at a moment, and what it took in since the last one."""

    at: float
    memory: float
    waiting: int
    tasks: int
    rate: float


class Storm:
    """The provider, delivering more than can be answered, over many connections that it keeps."""

    def __init__(
        self, phone: WhatsAppSimulator, url: str, people: list[Customer], connections: int, chance: random.Random
    ) -> None:
        self.acknowledged: set[str] = set()
        self.refused: deque[Post] = deque(maxlen=10_000)
        self.all = Answers()
        self.recent = Answers()
        self._phone = phone
        self._url = url
        self._people = people
        self._connections = connections
        self.strangers: Counter[int] = Counter()
        self._chance = chance
        self._next = 0.0
        connector = aiohttp.TCPConnector(limit=connections, keepalive_timeout=10)
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=20))

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def blow(self, rate: float, enough: Callable[[], bool]) -> None:
        """Deliver so many a second, or as many as the door answers, until it is enough."""
        self._next = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for _ in range(self._connections):
                group.create_task(self._deliver(rate, enough))

    async def _deliver(self, rate: float, enough: Callable[[], bool]) -> None:
        while not enough():
            now = time.monotonic()
            # What could not be delivered in time is not caught up with.
            self._next = max(self._next + 1 / rate, now - 0.1)
            await asyncio.sleep(max(0.0, self._next - now))
            await self.post(self._write())

    async def strange(self, enough: Callable[[], bool]) -> None:
        """Send bodies as large as they may be, whose last byte never comes, each second."""
        where = URL(self._url)
        assert where.host is not None
        assert where.port is not None
        head = f"POST {where.path} HTTP/1.1\r\nHost: {where.host}\r\nContent-Length: {BODY_LIMIT}\r\n\r\n".encode()
        while not enough():
            reader, writer = await asyncio.open_connection(where.host, where.port)
            with suppress(OSError):
                writer.write(head + bytes(BODY_LIMIT - 1))
                status = (await reader.readline()).split()
                self.strangers[int(status[1]) if len(status) > 1 else 0] += 1
            writer.close()
            await asyncio.sleep(1)

    async def redeliver(self, rate: float, enough: Callable[[], bool]) -> None:
        """Deliver again what was refused."""
        while not enough() and self.refused:
            await self.post(self.refused.popleft())
            await asyncio.sleep(1 / rate)

    async def post(self, post: Post) -> int:
        """Deliver one webhook; the status, 0 if there is no answer."""
        began = time.monotonic()
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": post.signature}
        try:
            async with self._session.post(self._url, data=post.body, headers=headers) as answer:
                await answer.read()
                status = answer.status
        except (aiohttp.ClientError, TimeoutError):
            status = 0
        took = time.monotonic() - began
        self.all.add(status, took)
        self.recent.add(status, took)
        if status == 200:
            self.acknowledged.add(post.message)
        else:
            self.refused.append(post)
        return status

    def _write(self) -> Post:
        who = self._chance.choice(self._people)
        words = f"{who.name} says {self._chance.getrandbits(64)} "
        words += "and so on, " * ((BODY - 600) // 11)
        id = new_wamid(who.phone or "", outbound=False)
        at = time.time_ns() // 1_000_000
        bubble = ChatMessage(id, who.id, "customer", "text", {"type": "text", "text": {"body": words}}, words, at, "sent")
        body = encode_body(inbound_webhook(self._phone.settings, [(who, bubble)]))
        return Post(id, body, sign_body(body, self._phone.settings.app_secret))


class Run:
    """One daemon, the storm, and what was seen."""

    def __init__(self, town: Town, lives: Lives, storm: Storm) -> None:
        self.town = town
        self.lives = lives
        self.storm = storm
        self.samples: list[Sample] = []
        self._began = time.monotonic()
        self._answered = 0

    @property
    def at(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    async def watch(self, phase: str, enough: Callable[[], bool]) -> None:
        """Take and print samples until it is enough."""
        while not enough():
            since = self.at
            await asyncio.sleep(SAMPLE)
            await self._sample(phase, since)

    async def _sample(self, phase: str, since: float) -> None:
        assert self.lives.process is not None
        recent, self.storm.recent = self.storm.recent, Answers()
        seconds = self.at - since
        figures = await metrics(self.town.folder / "state")
        waiting = int(figures.get(WAITING, 0))
        sample = Sample(
            self.at, memory(self.lives.process.pid), waiting, int(figures["sara_event_loop_tasks"]), recent.counts[200] / seconds
        )
        self.samples.append(sample)
        answered = len(self.town.phone.accepted)
        print(
            f"{sample.at:6.1f} {phase:>10} {sample.rate:8.0f} {recent.counts[503] / seconds:8.0f}"
            f" {recent.quantile(200, 0.5):8.1f} {recent.quantile(200, 0.99):8.1f} {sample.memory:8.1f} {sample.tasks:6}"
            f" {sample.waiting:8} {(answered - self._answered) / seconds:9.0f}",
            flush=True,
        )
        self._answered = answered

    async def fill(self, rate: float, seconds: float) -> None:
        """Write until the door has been closed for so long; if it does not close, stop after `LONGEST`."""
        closed: list[float] = []

        def enough() -> bool:
            if self.storm.all.counts[503] and not closed:
                closed.append(self.at)
            return self.at > LONGEST or bool(closed and self.at > closed[0] + seconds)

        async with asyncio.TaskGroup() as group:
            group.create_task(self.storm.blow(rate, enough))
            group.create_task(self.watch("storm", enough))
            for _ in range(STRANGERS):
                group.create_task(self.storm.strange(enough))

    async def drain(self, seconds: float) -> tuple[float, float, float]:
        """The AI is well. When the backlog was first seen under the limit, when the door was open again (both in seconds since the
        beginning), and how many messages a second were done from the first answer on."""
        began, answers = self.at, len(self.town.phone.accepted)
        under, opened_at, first = [0.0], [0.0], [0.0]
        taken = self.storm.all.counts[200]

        def enough() -> bool:
            if not first[0] and len(self.town.phone.accepted) > answers:
                first[0] = self.at
            if not under[0] and self.samples[-1].at > began and self.samples[-1].waiting <= MOST_WAITING:
                under[0] = self.samples[-1].at
            if not opened_at[0] and self.storm.all.counts[200] > taken:
                opened_at[0] = self.at
            return self.at > began + (seconds if opened_at[0] else 3 * seconds)

        before = self.samples[-1].waiting
        async with asyncio.TaskGroup() as group:
            group.create_task(self.storm.redeliver(REDELIVERIES, enough))
            group.create_task(self.watch("drain", enough))
        last = next((sample for sample in self.samples if sample.at > first[0] and not sample.waiting), self.samples[-1])
        done = before + self.storm.all.counts[200] - taken - last.waiting
        return under[0], opened_at[0], done / (last.at - first[0]) if first[0] else 0.0

    async def lost(self) -> int:
        """How many messages were answered 200 and are not in the store."""
        async with open_store(self.town.file, read_only=True) as house:
            stored, after = set[str](), None
            while page := await house.store.messages(None, after, 5_000):
                stored.update(message.external_id or "" for message in page)
                after = page[-1].id
        return len(self.storm.acknowledged - stored)


async def main(rate: float, conversations: int, connections: int, seconds: float, seed: int) -> int:
    """Run, print, judge; return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        async with prepared(Path(folder), conversations, connections, seed) as run:
            print(
                f"{'second':>6} {'phase':>10} {'200/s':>8} {'503/s':>8} {'p50 ms':>8} {'p99 ms':>8} {'RSS MB':>8} {'tasks':>6}"
                f" {'waiting':>8} {'answers/s':>9}"
            )
            run.town.ai.fault("hang", times=None)
            await run.fill(rate, seconds)
            storm = run.storm.all
            print(
                f"200: {storm.counts[200]}, p50 {storm.quantile(200, 0.5):.1f} ms, p99 {storm.quantile(200, 0.99):.1f} ms;"
                f" 503: {storm.counts[503]}, p50 {storm.quantile(503, 0.5):.1f} ms, p99 {storm.quantile(503, 0.99):.1f} ms;"
                f" the AI was asked {len(run.town.ai.calls)} times"
            )
            run.town.ai.clear_faults()
            under, opened_at, drained = await run.drain(seconds)
            assert run.lives.process is not None
            peak = highest_memory(run.lives.process.pid)
            code = await run.lives.end()
            lost = await run.lost()
    failures = judged(run, under, opened_at, drained, peak)
    if lost:
        failures.append(f"{lost} messages were answered 200 and are not in the store")
    if code:
        failures.append(f"the daemon ended with {code}: {''.join(run.lives.output[-5:])}")
    print(f"strangers' large bodies were answered {dict(run.storm.strangers)}")
    print(f"{len(run.storm.acknowledged)} messages answered 200, {lost} of them not stored; seed {seed}")
    for failure in failures:
        print(f"FAILED: {failure}")
    if not failures:
        print("Passed.")
    return 1 if failures else 0


@asynccontextmanager
async def prepared(folder: Path, conversations: int, connections: int, seed: int) -> AsyncIterator[Run]:
    """Both simulators, a daemon that serves, and a storm yet to break."""
    ai = OpenAISimulator(mode=["Thank you."])
    await ai.start()
    async with WhatsAppSimulator(**PROMPT, retry_gaps=LEAVE_ALONE, seed=seed) as phone:
        town = Town(folder, phone, ai, configuration(phone, ai))
        town.config["channels"]["whatsapp"] |= {"throughput": 1_000}
        lives = Lives(town)
        people = [
            phone.add_customer(f"Person {n}", phone=f"1555{n:07d}", user_id=f"US.9{n:018d}", username=f"person{n}")
            for n in range(conversations)
        ]
        await lives.launch()
        url = await lives.served() + "/webhook/messages"
        await phone.connect(url)
        storm = Storm(phone, url, people, connections, random.Random(seed))  # noqa: S311  # people, no secrets
        try:
            yield Run(town, lives, storm)
        finally:
            await storm.close()
            if lives.process is not None:
                await lives.kill()
            await ai.stop()


def judged(run: Run, under: float, opened_at: float, drained: float, peak: float) -> list[str]:
    """What is not as it should be."""
    counts, most = run.storm.all.counts, max(sample.waiting for sample in run.samples)
    fastest = max(sample.rate for sample in run.samples)
    print(f"memory: {run.samples[0].memory:.0f} MB at first, {peak:.0f} MB at most; limit {MOST_MEMORY:.0f} MB")
    print(
        f"backlog: {most} at most, limit {MOST_WAITING}, looked at every {CHECK_EVERY_S:.0f} s; {fastest:.0f}/s came in at most"
    )
    told = [f"at {at:.1f} s" if at else "never" for at in (under, opened_at)]
    print(f"under the limit: {told[0]}; open again: {told[1]}; {drained:.0f} messages a second were done once the AI was well")
    failures = []
    if peak > MOST_MEMORY:
        failures.append(f"memory grew to {peak:.0f} MB")
    if not counts[503]:
        failures.append("the door never closed")
    if others := {status: count for status, count in counts.items() if status not in (200, 503)}:
        failures.append(f"webhooks were answered neither 200 nor 503: {others}")
    if most > MOST_WAITING + fastest * (CHECK_EVERY_S + LATE):
        failures.append(f"the door closed too late: {most} messages waited")
    if not opened_at:
        failures.append("the door did not open again")
    elif under and opened_at > under + CHECK_EVERY_S + LATE:
        failures.append(f"the door opened {opened_at - under:.0f} s after there was room")
    if drained <= 0:
        failures.append("nothing was answered once the AI was well")
    return failures


def highest_memory(pid: int) -> float:
    """The most that was ever resident, in MB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1_024 / 1e6 for line in status if line.startswith("VmHWM:"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=2_000, help="messages a second, ten times what is answered")
    parser.add_argument("--conversations", type=int, default=5_000)
    parser.add_argument("--connections", type=int, default=100, help="of the provider")
    parser.add_argument("--seconds", type=float, default=20, help="against the closed door, and of draining")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.rate, given.conversations, given.connections, given.seconds, given.seed)))
