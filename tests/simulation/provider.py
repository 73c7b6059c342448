"""The other end: a provider that takes messages to customers and brings theirs, with all that real ones do to one.

It never forgets what it accepted, and delivers every webhook again until it is answered with 200. What is random here is drawn
from the world's one source of chance.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sara import (
    Channel,
    ChannelUnavailable,
    DeliveryFailure,
    DeliveryReceipt,
    DeliveryUnknown,
    Identity,
    InboundMessage,
    NotSent,
    OperatorEcho,
    Options,
    OutboundMessage,
    Rejected,
    Request,
    SendResult,
    WebhookResult,
)
from tests.simulation.disk import Died

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World

PAIR_LIMIT = 3.0
"""Seconds between two messages to one customer, where the provider minds."""


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody who writes. Providers name the same person with more or less."""

    name: str
    phone: str
    user_id: str

    def person(self, *, full: bool) -> Identity:
        """How the provider names them this time."""
        return Identity(user_id=self.user_id if full else None, phone=self.phone, name=self.name)


@dataclass(frozen=True, slots=True)
class Taken:
    """One acceptance: the customer has it, or will."""

    at: float
    account: str
    to: str
    part: str
    attempt: str
    external_id: str
    text: str
    purpose: str


class Provider:
    """The provider of all simulated channels."""

    def __init__(self, world: World) -> None:
        self._world = world
        weather = world.weather
        self.customers = [Customer(f"P{n}", f"49{n:04d}", f"US.{n}") for n in range(weather.people)]
        self.accounts = [f"sim:{n}" for n in range(weather.channels)]
        self.said: dict[str, tuple[Customer, InboundMessage]] = {}
        """Every message of a customer, by its text and number."""
        self.acknowledged: set[str] = set()
        self.taken: list[Taken] = []
        self.left: dict[str, float] = {}
        """When each attempt's request left the process."""
        self.reported: dict[str, float] = {}
        """When a receipt that names an attempt was acknowledged for the first time."""
        self.failing: set[str] = set()
        self.clear: set[str] = set()
        """Attempts whose answer left no doubt."""
        self.storm = ""
        self.under_way = 0
        self._numbers = 0
        self._waiting: list[InboundMessage | DeliveryReceipt | OperatorEcho] = []
        self._requests: list[tuple[InboundMessage | DeliveryReceipt | OperatorEcho, ...]] = []
        self._last_to: dict[str, float] = {}

    # ── customers ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def live(self, customer: Customer, messages: int) -> None:
        """A customer's day: bursts, silences, second thoughts."""
        world, chance, stopped = self._world, self._world.chance, False
        for _ in range(messages):
            await asyncio.sleep(chance.choice((0.1, 1, 10, 60)) * chance.random() * world.weather.lasts / 120)
            account = chance.choice(self.accounts)
            if world.happens(world.weather.echoes, "echo"):
                person = customer.person(full=True)
                self._post(
                    OperatorEcho(account, f"echo.{self._next()}", person, "text", "a person answers", world.provider_time())
                )
            elif world.happens(world.weather.consent, "consent word"):
                stopped = not stopped
                self._say(customer, account, "STOP" if stopped else "START")
            else:
                self._say(customer, account, "")

    def _say(self, customer: Customer, account: str, word: str) -> None:
        chance, number = self._world.chance, self._next()
        message = InboundMessage(
            account=account,
            external_id=f"in.{number}" if word or chance.random() < 0.95 else None,
            person=customer.person(full=chance.random() < 0.7),
            kind="text",
            text=word or f"q{number}",
            at=self._world.provider_time(),
            answer=bool(word) or chance.random() < 0.97,
        )
        self.said[key_of(message)] = customer, message
        self._world.note("say", customer.name, message.text)
        self._post(message)

    # ── webhooks ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _post(self, item: InboundMessage | DeliveryReceipt | OperatorEcho) -> None:
        """Send something to the webhook soon, together with whatever else there is by then."""
        self._waiting.append(item)
        if len(self._waiting) == 1:
            self._soon(self._world.chance.choice((0.01, 0.2, 1.5)), self._flush)

    def _flush(self) -> None:
        items, self._waiting = self._waiting, []
        self._world.chance.shuffle(items)
        self._requests.append(tuple(items))
        self.under_way += 1
        self._world.outside(self._deliver(len(self._requests) - 1))

    async def _deliver(self, number: int) -> None:
        """Until it is answered with 200, and sometimes once more."""
        world, chance, pause = self._world, self._world.chance, 1.0
        request = Request("POST", "/webhook", body=str(number).encode())
        try:
            while True:
                if await self._world.ask(request) == 200:
                    self._answered(number)
                    if not world.happens(world.weather.redelivered, "redelivery"):
                        return
                else:
                    world.faults["delivery not acknowledged"] += not world.calm
                await asyncio.sleep(pause * (0.5 + chance.random()))
                pause = min(pause * 2, 20)
        finally:
            self.under_way -= 1

    def _answered(self, number: int) -> None:
        messages = [item for item in self._requests[number] if isinstance(item, InboundMessage)]
        self._world.note("acknowledged", number, len(self._requests[number]))
        for item in self._requests[number]:
            if isinstance(item, DeliveryReceipt) and item.attempt_id:
                self.reported.setdefault(item.attempt_id, self._world.loop.time())
        for message in messages:
            key = key_of(message)
            self.acknowledged.add(key)
            found = rows_of(self._world.disk, message)
            if found != 1:
                self._world.broken("I1", f"{key} was acknowledged and is stored {found} times")

    def understand(self, account: str, request: Request) -> WebhookResult:
        """What the channel of `account` takes out of a request."""
        items = [item for item in self._requests[int(request.body)] if item.account == account]
        return WebhookResult(
            verified=True,
            messages=tuple(item for item in items if isinstance(item, InboundMessage)),
            receipts=tuple(item for item in items if isinstance(item, DeliveryReceipt)),
            changes=tuple(item for item in items if isinstance(item, OperatorEcho)),
        )

    # ── sends ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def send(self, process: Process, part: OutboundMessage, attempt: str) -> SendResult:
        """What happens within the process: the request leaves, the answer comes, or does not."""
        if process.dead:
            raise Died
        world, chance, weather = self._world, self._world.chance, self._world.weather
        self._check_mark(part, attempt)
        await asyncio.sleep(chance.random() * 0.05)
        if self.storm == "away" or world.happens(weather.not_sent, "not sent"):
            raise NotSent("connection refused", after=chance.choice((None, None, 2_000)))
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._soon(chance.random() * chance.choice((0.02, 1.0)), self._arrives, part, attempt, answer)
        end = await answer
        if isinstance(end, Exception):
            raise end
        return end  # type: ignore[no-any-return]  # a broken channel returns anything

    def _check_mark(self, part: OutboundMessage, attempt: str) -> None:
        sql = "SELECT a.state, m.state AS part FROM attempts a JOIN messages m ON m.id = a.message WHERE a.id = ?"
        mark = [tuple(row) for row in self._world.disk.ask(sql, attempt)]
        if mark != [("sending", "sending")]:
            self._world.broken("mark", f"{part.id} leaves as {attempt}, but the disk says {mark}")
        if attempt in self.left:
            self._world.broken("mark", f"{attempt} left twice")
        self.left[attempt] = self._world.loop.time()

    def _arrives(self, part: OutboundMessage, attempt: str, answer: asyncio.Future[Any]) -> None:
        """The request is here, whether or not anybody still waits for its answer."""
        self._world.note("arrives", part.id, attempt)
        end = self._decide(part, attempt)
        if end is not None:
            self._soon(self._world.chance.random() * 0.3, _settle, answer, end)

    def _decide(self, part: OutboundMessage, attempt: str) -> object:
        """What becomes of a request, and its answer; None for one that never comes."""
        world, chance, weather = self._world, self._world.chance, self._world.weather
        assert part.to.phone is not None
        if self.storm == "token":
            return ChannelUnavailable("the token has expired", remedy="renew it")
        if self.storm == "hangs":
            return None
        if self.storm == "rate":
            return NotSent("too much at once", after=chance.choice((None, 3_000)), scope="channel")
        if weather.pair_limit and world.loop.time() < self._last_to.get(part.to.phone, -9) + PAIR_LIMIT:
            world.faults["pair limit"] += not world.calm
            return NotSent("too much to one customer", after=6_000, scope="conversation")
        if world.happens(weather.refused, "refused"):
            return Rejected("131026: cannot be delivered")
        if self.storm == "5xx":
            if chance.random() < 0.3:
                self._accept(part, attempt)
            return DeliveryUnknown("500")
        if world.happens(weather.broken, "channel broke"):
            if chance.random() < 0.5:
                self._accept(part, attempt)
            return chance.choice((RuntimeError("a bug"), "not what was promised"))
        if world.happens(weather.no_answer, "no answer"):
            if chance.random() < 0.6:
                self._accept(part, attempt)
            return chance.choice((DeliveryUnknown("connection reset"), DeliveryUnknown("connection reset"), None))
        self.clear.add(attempt)
        return SendResult(self._accept(part, attempt))

    def _accept(self, part: OutboundMessage, attempt: str) -> str:
        world = self._world
        external_id = f"out.{self._next()}"
        assert part.to.phone is not None
        self._last_to[part.to.phone] = world.loop.time()
        self.taken.append(
            Taken(world.loop.time(), part.account, part.to.phone, part.id, attempt, external_id, part.text, part.purpose)
        )
        world.note("accepts", part.id, attempt, part.text)
        self._report(part, attempt, external_id)
        return external_id

    def _report(self, part: OutboundMessage, attempt: str, external_id: str) -> None:
        """Receipts: some never come, some come twice, late, or in the wrong order."""
        world, chance, weather = self._world, self._world.chance, self._world.weather
        first = DeliveryReceipt(
            part.account, "sent", world.provider_time(), external_id, attempt if weather.carries_attempt else None, None
        )
        if world.happens(weather.failed, "failed later"):
            self.failing.add(attempt)
            told = [
                replace(first, status="failed", failure=DeliveryFailure("131049", "not delivered to keep the ecosystem healthy"))
            ]
        else:
            told = [first, replace(first, status="delivered"), replace(first, status="read")]
        delays = sorted(chance.choice((0, 0.5, 5, 60)) * chance.random() for _ in told)
        if world.happens(weather.late, "receipts late"):
            delays = [delay + 400 * chance.random() for delay in delays]
        if world.happens(weather.reversed, "receipts reversed"):
            delays.reverse()
        for receipt, delay in zip(told, delays, strict=True):
            if (self.storm == "silent" or chance.random() >= weather.covered) and not world.calm:
                world.faults["receipt lost"] += 1
                continue
            self._soon(delay, self._post, receipt)
            if world.happens(weather.doubled, "receipt doubled"):
                self._soon(delay + 3 * chance.random(), self._post, receipt)

    # ── little helpers ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers

    def _soon(self, delay: float, what: Any, *args: object) -> None:
        """Outside of every process: what has left it happens even if it dies."""
        self.under_way += 1

        def run() -> None:
            self.under_way -= 1
            what(*args)

        self._world.later(delay, run)


def _settle(answer: asyncio.Future[Any], end: object) -> None:
    if not answer.done():
        answer.set_result(end)


def key_of(message: InboundMessage) -> str:
    """What the world knows a message by, also where the provider gives it no id."""
    return message.external_id or message.text


def rows_of(disk: Any, message: InboundMessage) -> int:
    """How often a message is stored."""
    if message.external_id is not None:
        return len(disk.ask("SELECT 1 FROM messages WHERE external_id = ?", message.external_id))
    return len(disk.ask("SELECT 1 FROM messages WHERE direction = 'in' AND text = ?", message.text))


class SimulatedChannel(Channel):
    """A channel to the provider above, as one process has it."""

    Options = Options
    webhook = "/webhook"

    def __init__(self, process: Process, account: str) -> None:
        weather = process.world.weather
        self.account = account
        self.receipts_carry_attempt = weather.carries_attempt
        self.on_doubt = weather.on_doubt  # type: ignore[assignment]  # one of the two words
        self.doubt_timeout = weather.doubt_timeout
        self._process = process

    def verify(self, request: Request) -> bool:
        return True

    def receive(self, request: Request) -> WebhookResult:
        return self._process.world.provider.understand(self.account, request)

    async def send(self, part: OutboundMessage, attempt_id: str) -> SendResult:
        return await self._process.world.provider.send(self._process, part, attempt_id)
