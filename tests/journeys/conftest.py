"""A town for whole trips: the real daemon, the real plugins, and both simulators, all on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sara_simulators.openai import OpenAISimulator
from sara_simulators.whatsapp import WhatsAppSimulator

from sara.cli.context import open_store, read
from sara.domain.messages import StoredMessage
from sara.runtime.daemon import Daemon
from tests.command_server import Command, run_command
from tests.patience import patience

DEADLINE = patience(20)


def configuration(phone: WhatsAppSimulator, ai: OpenAISimulator, **changes: Any) -> dict[str, Any]:
    """A sara.yaml for the simulators, with short times; `changes` replace whole top-level keys."""
    return {
        "server": {"listen": "127.0.0.1:0"},
        "admin": {"listen": "127.0.0.1:0"},
        "state": "state",
        "channels": {
            "whatsapp": {"plugin": "whatsapp", "webhook": "/webhook/messages", "doubt_timeout": "2s", **phone.options()}
        },
        "responders": {"assistant": {"plugin": "openai", "timeout": "5s", **ai.options()}},
        "conversation": {"debounce": "50ms", "debounce_max": "500ms"},
        "retry": {
            "reply": {"initial_delay": "50ms", "max_delay": "400ms"},
            "send": {"initial_delay": "50ms", "max_delay": "400ms"},
        },
        **changes,
    }


@dataclass
class Town:
    """Both simulators, and a daemon between them that can be started, stopped and started again."""

    folder: Path
    phone: WhatsAppSimulator
    ai: OpenAISimulator
    config: dict[str, Any]
    daemon: Daemon | None = None
    extra: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.folder / "sara.yaml"

    def write(self) -> None:
        """Write the configuration as it now is."""
        self.file.write_text(json.dumps(self.config, indent=1), encoding="utf-8")

    async def start(self) -> Daemon:
        """Start the daemon in this process and have webhooks delivered to it."""
        self.write()
        loaded, plugins = read(self.file)
        assert loaded.config is not None, [finding.render() for finding in loaded.errors]
        daemon = Daemon(loaded, plugins)
        await daemon.start()
        self.daemon = daemon
        await self.connect()
        return daemon

    async def connect(self) -> None:
        assert self.daemon is not None
        await self.phone.connect(self.daemon.public_url + "/webhook/messages")

    async def stop(self) -> None:
        if self.daemon is not None:
            daemon, self.daemon = self.daemon, None
            await daemon.stop(2_000)

    async def messages(self, **wanted: str) -> list[StoredMessage]:
        """Stored messages whose fields have these values."""
        assert self.daemon is not None
        found = await self.daemon.store.messages(None, None, 100_000)
        return [message for message in found if all(getattr(message, name) == value for name, value in wanted.items())]

    async def until(self, what: Callable[[], Awaitable[Any]], timeout: float = DEADLINE) -> Any:
        """Look again whenever something happens at either simulator, or at the latest after 20 ms, until `what` is true."""
        async with asyncio.timeout(timeout):
            while not (result := await what()):
                try:
                    await self.phone.wait_for(_never_twice(), timeout=0.02)
                except TimeoutError:
                    continue
        return result

    async def stored(self, count: int, **wanted: str) -> list[StoredMessage]:
        """Wait until so many stored messages have these fields."""

        async def enough() -> list[StoredMessage] | None:
            found = await self.messages(**wanted)
            return found if len(found) >= count else None

        result: list[StoredMessage] = await self.until(enough)
        return result

    async def answers(self, count: int) -> list[str]:
        """Wait until the provider has accepted so many messages; their texts in order."""
        await self.phone.wait_for(lambda phone: len(phone.accepted) >= count, timeout=DEADLINE)
        return [send.text or "" for send in self.phone.accepted]


def _never_twice() -> Callable[[WhatsAppSimulator], bool]:
    """True from the second look on: the first is made before anything has happened."""
    looks = 0

    def look(_: WhatsAppSimulator) -> bool:
        nonlocal looks
        looks += 1
        return looks > 1

    return look


def quick_phone() -> WhatsAppSimulator:
    """The provider's other end, without any delays."""
    return WhatsAppSimulator(sent_delay=0, delivered_delay=0, read_delay=0, retry_gaps=(50,) * 100, seed=1)


@asynccontextmanager
async def echoing_ai() -> AsyncIterator[OpenAISimulator]:
    """The AI's other end, repeating what it is asked."""
    simulator = OpenAISimulator(mode="echo")
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
async def phone() -> AsyncIterator[WhatsAppSimulator]:
    """The provider's other end, without any delays."""
    async with quick_phone() as simulator:
        yield simulator


@pytest.fixture
async def ai() -> AsyncIterator[OpenAISimulator]:
    """The AI's other end, repeating what it is asked."""
    async with echoing_ai() as simulator:
        yield simulator


@pytest.fixture
async def town(tmp_path: Path, phone: WhatsAppSimulator, ai: OpenAISimulator) -> AsyncIterator[Town]:
    """Everything but a running daemon."""
    place = Town(tmp_path, phone, ai, configuration(phone, ai))
    yield place
    await place.stop()


@dataclass
class Process:
    """`sara run` as people run it: a process of its own."""

    town: Town
    process: asyncio.subprocess.Process | Command | None = None
    output: list[str] = field(default_factory=list)
    _reading: asyncio.Task[None] | None = None

    async def start(self, environ: Mapping[str, str] | None = None) -> None:
        """Start it, wait until it serves, and have webhooks delivered to it."""
        await self.launch(environ)
        url = await self.served()
        await self.town.phone.connect(url + "/webhook/messages")

    async def launch(self, environ: Mapping[str, str] | None = None, *, user: Sequence[str] = (), write: bool = True) -> None:
        """Start it. `user` is a command that runs it as somebody else; without `write` the file stays as it is."""
        if write:
            self.town.write()
        (self.town.folder / "state" / "listening.json").unlink(missing_ok=True)
        self.output.clear()
        words, everything = ("run", "--config", str(self.town.file)), {**os.environ, **(environ or {})}
        if user:
            self.process = await asyncio.create_subprocess_exec(
                *(*user, sys.executable, "-m", "sara", *words),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=everything,
            )
        else:
            self.process = await run_command(words, everything, joined=True)
        self._reading = asyncio.create_task(self._read())

    async def served(self) -> str:
        """The public URL, once it serves."""
        return str(json.loads((await self.logged('"daemon_started"'))[-1])["public"])

    async def logged(self, words: str, times: int = 1) -> list[str]:
        """Wait until so many lines of the log hold these words."""
        assert self._reading is not None
        async with asyncio.timeout(DEADLINE):
            while len(found := [line for line in self.output if words in line]) < times:
                assert not self._reading.done(), "".join(self.output)
                await asyncio.wait([self._reading], timeout=0.02)
        return found

    async def kill(self) -> None:
        """kill -9"""
        await self.end(signal.SIGKILL)

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; its exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await self.ended()

    async def ended(self) -> int:
        assert self.process is not None
        assert self._reading is not None
        async with asyncio.timeout(DEADLINE * 2):
            await self._reading
            code = await self.process.wait()
        self.process = None
        return code

    async def _read(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.output.append(line.decode())


@pytest.fixture
async def process(town: Town) -> AsyncIterator[Process]:
    """`sara run`, not yet started."""
    running = Process(town)
    yield running
    print("".join(running.output[-60:]))  # shown where the test fails
    if running.process is not None:
        await running.kill()


async def exported(town: Town) -> list[StoredMessage]:
    """All stored messages, read without a daemon."""
    async with open_store(town.file, read_only=True) as house:
        return list(await house.store.messages(None, None, 100_000))
