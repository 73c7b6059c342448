"""One seed: people, a provider, an AI, a disk and a daemon that dies now and then; in the end calm, and a reckoning."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import logging
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import structlog
from sara_sqlite.options import SqliteOptions

from sara import Options, Request, Turn
from sara.config.loader import Loaded
from sara.config.settings import Config
from sara.plugins.section import Section
from sara.policy.settings import ConversationSettings, RetryPolicy, RetrySettings
from tests.simulation import promises
from tests.simulation.disk import Died, Disk, Fault
from tests.simulation.loop import SimulatedLoop, Stuck
from tests.simulation.process import Process, SimulatedPlugins
from tests.simulation.provider import Provider
from tests.simulation.weather import Weather

EPOCH = 1_800_000_000_000
HOUR = 3_600_000
DRAINED_WITHIN = 7_200.0
"""Seconds of calm after which nothing may be open any more: the longest doubt, and twice the clock's widest jump, are within it."""


class Broken(AssertionError):
    """A promise was broken. The message names the seed."""


class World:
    """Everything that one seed is about. `run` raises Broken, or returns what there was."""

    answered_within = 15_000
    """The time-out of the responders."""

    def __init__(self, seed: int, state: Path, *, calm: bool = False, weather: Weather | None = None) -> None:
        self.seed = seed
        self.state = state
        self.chance = random.Random(seed)  # noqa: S311  # that it can be foretold is the point
        self.weather = weather or Weather.of(self.chance)
        self.calm = calm
        self.loop = SimulatedLoop(self.chance if self.weather.shuffled else None)
        self.loop.set_exception_handler(self._unhandled)
        self.disk = Disk.empty()
        self.disk.fault, self.disk.die = self._disk_fault, self._die
        self.process: Process | None = None
        self.trace: list[str] = []
        self.faults: Counter[str] = Counter()
        self.tally: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.drained_after = 0.0
        self._digest = hashlib.blake2b(digest_size=12)
        self._jumped = 0
        self._attempts = 0
        self._over = False
        self.loaded = Loaded(self._config())
        self.plugins = SimulatedPlugins(self)
        self.provider = Provider(self)

    # ── what the rest of the simulation uses ──────────────────────────────────────────────────────────────────────────────

    def clock(self) -> int:
        """The daemon's clock, which may be set."""
        return self.provider_time() + self._jumped

    def provider_time(self) -> int:
        """Everybody else's clock."""
        return EPOCH + round(self.loop.time() * 1_000)

    def new_id(self) -> str:
        """An attempt's id."""
        self._attempts += 1
        return f"a{self._attempts}"

    def happens(self, chance: float, what: str) -> bool:
        """Whether a fault happens now; none does once it is calm."""
        if self.calm or self.chance.random() >= chance:
            return False
        self.faults[what] += 1
        return True

    def refusal(self, turn: Turn) -> Exception | None:
        """What the AI raises for a turn, where a test says so."""
        return None

    def is_silent(self) -> bool:
        """Whether the AI takes what it is asked and never says anything, where a test says so."""
        return False

    def note(self, *what: object) -> None:
        """Write down what happened: the same seed writes the same."""
        line = f"{self.loop.time():10.3f} " + " ".join(map(str, what))
        self.trace.append(line)
        self._digest.update(line.encode())

    def broken(self, promise: str, how: str) -> None:
        """A promise was broken."""
        self.note("BROKEN", promise, how)
        self.wrong.append(f"{promise}: {how}")

    def later(self, delay: float, what: Callable[[], None]) -> None:
        """Do something outside of every process."""
        self.loop.call_later(delay, what, context=contextvars.Context())

    def outside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """The same for what takes a while."""
        return self.loop.create_task(work, context=contextvars.Context())

    async def ask(self, request: Request) -> int:
        """A request at the webhook; 0 where nobody answers."""
        await asyncio.sleep(self.chance.random() * 0.1)
        process = self.process
        if process is None or not process.serving:
            return 0
        task = process.run(process.daemon.answer(request))
        await asyncio.wait({task})
        if task.cancelled() or isinstance(task.exception(), Died):
            return 0
        if error := task.exception():
            self.broken("webhook", f"raised {error!r}")
            return 500
        return 0 if self.happens(0.01, "answer lost") else int(task.result())

    def disk_wait(self) -> float:
        """Half of what a commit takes."""
        slow = 2.0 if self.happens(self.weather.slow_disk, "slow disk") else 0.002
        return self.chance.random() * slow

    @property
    def fingerprint(self) -> str:
        """Equal for equal runs."""
        return self._digest.hexdigest()

    # ── a run ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> World:
        """The whole story. Raises Broken."""
        try:
            self.loop.run_until_complete(self._story())
        except Stuck as error:
            self.broken("I7", str(error))
        finally:
            self.loop.close()
        for row in self.disk.ask("SELECT id, direction, state, reason, text FROM messages ORDER BY id"):
            self.note(*row)
        if self.wrong:
            raise Broken(f"seed={self.seed} " + "; ".join(self.wrong[:5]))
        self.disk.close()
        return self

    async def _story(self) -> None:
        keeper = self.outside(self._keep_running())
        await self._happens()
        self.calm, self.provider.storm = True, ""
        self.note("calm")
        if await self._drain() and not self.wrong:
            promises.check(self)
            await self._start_once_more()
        self._over = True
        if self.process is not None:
            self.process.gone.set()
        await keeper

    async def _happens(self) -> None:
        """Everything until it is calm."""
        troubles = [] if self.calm else [self.outside(trouble) for trouble in self._troubles()]
        messages = self.weather.messages // len(self.provider.customers) + 1
        days = [self.outside(self.provider.live(each, messages)) for each in self.provider.customers]
        await asyncio.wait(days)
        await asyncio.sleep(self.chance.random() * 60)
        for trouble in troubles:
            trouble.cancel()

    async def _drain(self) -> bool:
        """Wait until nothing is open; that it gets there is a promise itself."""
        start = self.loop.time()
        while not self._settled():
            await asyncio.sleep(1)
            if self.loop.time() - start > DRAINED_WITHIN or self.wrong:
                left = [tuple(row) for row in self.disk.ask(promises.OPEN)] + [
                    tuple(row) for row in self.disk.ask("SELECT kind, key, due FROM jobs")
                ]
                self.broken("I7", f"still open: {left}, under way: {self.provider.under_way}")
                return False
        self.drained_after = self.loop.time() - start
        return True

    def _settled(self) -> bool:
        process = self.process
        return (
            process is not None
            and process.serving
            and not self.provider.under_way
            and not self.disk.ask(promises.OPEN)
            and not self.disk.ask("SELECT 1 FROM jobs WHERE kind <> 'timer'")
            and process.daemon.idle
        )

    async def _start_once_more(self) -> None:
        """A last start finds nothing to do."""
        taken, asked = len(self.provider.taken), self.tally["asked"]
        assert self.process is not None
        self.process.run(self.process.stop())
        await self.process.gone.wait()
        await asyncio.sleep(60)
        if (len(self.provider.taken), self.tally["asked"]) != (taken, asked) or not self._settled():
            self.broken("I2", "something was asked or sent again after a last start")

    async def _keep_running(self) -> None:
        """What systemd does."""
        while not self._over:
            self.process = Process(self)
            self.tally["starts"] += 1
            self.note("starts")
            await self.process.live()
            self.process = None
            await asyncio.sleep(1 if self.calm else self.weather.down_for * self.chance.random())

    # ── troubles ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _troubles(self) -> list[Coroutine[Any, Any, None]]:
        weather = self.weather
        return [
            self._every(weather.crash_every, "crash", self._crash),
            self._every(weather.restart_every, "restart", self._restart),
            self._every(weather.jump_every, "clock jump", self._jump),
            self._every(weather.storm_every, "storm", self._storm),
        ]

    async def _every(self, mean: float, what: str, does: Callable[[], None]) -> None:
        while mean:
            await asyncio.sleep(self.chance.expovariate(1 / mean))
            self.faults[what] += 1
            self.note(what)
            does()

    def _crash(self) -> None:
        if self.process is not None and not self.process.dead:
            self.process.die()

    def _restart(self) -> None:
        if self.process is not None and self.process.serving and not self.process.daemon.ended.is_set():
            self.process.run(self.process.stop(self.chance.choice((500, 30_000))))

    def _jump(self) -> None:
        self._jumped = 0 if self._jumped else self.chance.choice((HOUR, -HOUR))

    def _storm(self) -> None:
        self.provider.storm = self.chance.choice(("token", "rate", "5xx", "away", "silent"))
        self.faults[f"storm: {self.provider.storm}"] += 1
        self.note("storm", self.provider.storm)
        self.later(self.chance.choice((2, 20, 90)), self._clear)

    def _clear(self) -> None:
        self.provider.storm = ""

    def _die(self) -> None:
        assert self.process is not None
        self.process.die()

    def _disk_fault(self) -> Fault:
        weather, drawn = self.weather, self.chance.random()
        if self.calm:
            return ""
        faults: tuple[tuple[float, Fault], ...] = (
            (weather.unavailable, "unavailable"),
            (weather.lost / 2, "lost, kept"),
            (weather.lost / 2, "lost, not kept"),
            (weather.crash_at_commit / 2, "crash before"),
            (weather.crash_at_commit / 2, "crash after"),
        )
        for chance, fault in faults:
            if drawn < chance:
                self.faults[f"commit: {fault}"] += 1
                self.note("commit", fault)
                return fault
            drawn -= chance
        return ""

    # ── the rest ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _config(self) -> Config:
        weather = self.weather
        policy = ConversationSettings(
            responder="assistant",
            fallback=("fallback",) if weather.fallback else (),
            debounce=weather.debounce,
            debounce_max=weather.debounce_max,
            max_age=weather.max_age,
        )
        again = RetryPolicy(
            attempts=weather.attempts, initial_delay=1_000, max_delay=weather.max_delay, max_duration=weather.max_duration
        )
        names = ("assistant", "fallback") if weather.fallback else ("assistant",)
        return Config(
            state=self.state,
            store=Section("store", "sqlite", SqliteOptions()),
            queue=Section("queue", "sqlite", SqliteOptions()),
            channels={f"sim:{n}": Section(f"sim:{n}", "provider", Options(), policy) for n in range(weather.channels)},
            responders={name: Section(name, "thinker", Options()) for name in names},
            conversation=policy,
            retry=RetrySettings(reply=again, send=again),
        )

    def _unhandled(self, _: asyncio.AbstractEventLoop, what: dict[str, Any]) -> None:
        error = what.get("exception")
        if not isinstance(error, Died):
            self.broken("unhandled", f"{what.get('message')} {error!r}")


def quiet() -> None:
    """The daemon's log is not what is looked at here."""
    structlog.configure(
        processors=[structlog.processors.KeyValueRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.ReturnLoggerFactory(),
        cache_logger_on_first_use=False,
    )
