"""kill -9 at any moment, again and again, while customers write: every invariant holds.

In full it is 30 kills (`tests/effort.py`); `SARA_SEED=…`, which a failure prints, chooses the same moments again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sara_simulators.openai import Call, OpenAISimulator
from sara_simulators.whatsapp import AcceptedSend, WhatsAppSimulator

from sara.cli.context import open_store
from sara.domain.delivery import Attempt
from sara.domain.messages import StoredMessage, TimelineEvent
from tests.effort import chosen
from tests.faults.invariants import CANARY, Evidence, Findings, Ledger, Said, examine, gather
from tests.journeys.conftest import Process, Town, configuration
from tests.journeys.test_kill_and_restart import crowd
from tests.patience import patience
from tests.rows import each_row

RATE = 30.0
"""Messages a second."""

PEOPLE = 50
LIFE = (0.2, 2.5)
"""Between the start and the kill of a daemon lie so many seconds; the least are not enough to get up."""

RETRY_GAPS = (50, 100, 200, *(400,) * 1_000)
"""The provider tries again for minutes, so that a crash never costs a webhook."""

PROMPT = {"latency": 0, "sent_delay": 0, "delivered_delay": 0, "read_delay": 0}
"""A provider that does all at once."""

UNHURRIED = {"latency": 25, "sent_delay": 100, "delivered_delay": 100, "read_delay": 100}
"""A provider that takes its time, so that a crash finds requests under way and receipts yet to come."""

LONG = "\n\n" + ", ".join(f"and so on to {number}" for number in range(250))
"""Makes an answer one of two parts; words that only repeated themselves would be cut off as a model's runaway."""


def fresh_seed() -> int:
    """Another each time, unless a failure is to be seen again."""
    return int(os.environ.get("SARA_SEED") or random.SystemRandom().randrange(1_000_000))


@dataclass
class Lives(Process):
    """`sara run`, life after life. All that they print is kept."""

    kills: int = 0
    restarts: list[int] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)

    async def launch(self, environ: Any = None) -> None:
        self.printed += self.output
        await super().launch(environ)
        # What the life before had asked is in by now, and this one cannot ask yet.
        self.restarts.append(len(self.town.ai.calls))

    async def kill(self) -> None:
        await super().kill()
        self.kills += 1

    @property
    def everything_printed(self) -> list[str]:
        """What all lives printed, the present one included."""
        return self.printed + self.output


@dataclass
class Scene:
    """A town whose provider keeps a ledger."""

    town: Town
    lives: Lives
    ledger: Ledger
    people: list[str]
    seed: int
    chance: random.Random

    async def write(self, rate: float, enough: Callable[[], bool]) -> None:
        """Let the people write, now one, now several in one webhook, until it is enough.

        Whoever still waits for a 200 writes nothing: webhooks of the same customer may overtake each other, and then nobody
        could say in which order they ought to be answered.
        """
        while not enough():
            idle = await self.town.phone.wait_for(lambda _: self._idle(), timeout=patience(60))
            size = self.chance.choices((1, 2, 4), (7, 2, 1))[0]
            chosen = self.chance.sample(idle, min(size, len(idle)))
            if self.chance.random() < 0.1:
                chosen.append(chosen[0])
            await self.ledger.write(chosen)
            await asyncio.sleep(self.chance.expovariate(rate / len(chosen)))

    def _idle(self) -> list[str]:
        waiting = self.ledger.waiting
        return [who for who in self.people if who not in waiting]

    async def rest(self, timeout: float = patience(60)) -> None:
        """Wait until everything was answered and reported, and nobody has anything left to do. What is left after that time is for
        the checker to name."""
        phone = self.town.phone
        async with open_store(self.town.file, read_only=True) as house:

            async def quiet() -> bool:
                nothing = not await house.store.open_work(None, 1) and not (await house.queue.stats())["pending"]
                return nothing and not phone.under_way

            async def quiet_at_last() -> None:
                while True:
                    # A provider is never silent for long. An old webhook that comes again brings no work, only a sign of life.
                    assert self.ledger.last is not None
                    await phone.post(self.ledger.last.body)
                    with contextlib.suppress(TimeoutError):
                        await self.town.until(quiet, 0.5)
                        return

            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(quiet_at_last(), timeout)

    async def examined(self, *, in_turn: bool = True) -> Findings:
        """Let everything come to rest, stop the daemon, and look."""
        await self.rest()
        if self.town.daemon is not None:
            await self.town.stop()
        else:
            code = await self.lives.end()
            assert code == 0, self.lives.everything_printed[-20:]
        return examine(
            await gather(
                self.town.file,
                self.ledger,
                output=self.lives.everything_printed,
                secrets=[self.town.ai.api_key],
                calls=self.town.ai.calls,
                restarts=self.lives.restarts,
                in_turn=in_turn,
            )
        )


@asynccontextmanager
async def scene(
    folder: Path, seed: int, people: int = PEOPLE, provider: Mapping[str, int] = PROMPT, **changes: Any
) -> AsyncIterator[Scene]:
    """A scene with nobody running yet. `provider` are its delays, `changes` further options of the channel."""
    ai = OpenAISimulator(mode="echo")
    await ai.start()
    async with WhatsAppSimulator(**provider, retry_gaps=RETRY_GAPS, seed=seed) as phone, Ledger(phone) as ledger:
        town = Town(folder, phone, ai, configuration(phone, ai))
        town.config["channels"]["whatsapp"] |= {"throughput": 1_000, **changes}
        lives = Lives(town)
        try:
            chance = random.Random(seed)  # noqa: S311  # moments and people, no secrets
            yield Scene(town, lives, ledger, crowd(phone, people), seed, chance)
        except BaseException:
            print(f"\nSARA_SEED={seed}")
            raise
        finally:
            if lives.process is not None:
                await lives.kill()
            await town.stop()
            await ai.stop()


async def kill_again_and_again(scene: Scene, writing: asyncio.Task[None], kills: int) -> None:
    """Kill the daemon at moments of chance, one in five of them while it gets up, and start it again."""
    lives = scene.lives
    while lives.kills < kills and not writing.done():
        await asyncio.wait([writing], timeout=scene.chance.uniform(*LIFE))
        await lives.kill()
        if scene.chance.random() < 0.2 and lives.kills < kills:
            await lives.launch()
            await asyncio.wait([writing], timeout=scene.chance.uniform(0, 1))
            await lives.kill()
        await lives.start()


def wordy(call: Call) -> str:
    """An echo; one in seven is so long that it goes out in two parts."""
    said = "echo: " + " | ".join(call.asked)
    return said + LONG if call.number % 7 == 0 else said


async def test_nothing_is_lost_swapped_or_doubled_however_often_the_daemon_is_killed(tmp_path: Path) -> None:
    kills = chosen(short=2, full=30)
    async with scene(tmp_path, fresh_seed(), provider=UNHURRIED) as here:
        here.town.ai.mode, here.town.ai.delay_ms = wordy, 40
        here.town.phone.faults.redeliver.on(3, chance=0.3)
        await here.lives.start()
        killed = asyncio.Event()
        writing = asyncio.create_task(here.write(chosen(short=12.0, full=RATE), killed.is_set))
        await kill_again_and_again(here, writing, kills)
        killed.set()
        await writing
        findings = await here.examined()
        assert not findings.violations, findings.report(here.seed)
        assert here.lives.kills == kills
        assert findings.figures.answered + findings.figures.given_up == findings.figures.said


# ── the checker itself ────────────────────────────────────────────────────────────────────────────────────────────────────


def honest() -> Evidence:
    """Ana wrote twice and Kofi once; all were answered, Kofi after a doubt that ended in a double."""
    said = [Said(f"w{n}", who, f"{who} says {n} {CANARY}") for n, who in ((1, "ana"), (2, "kofi"), (3, "ana"))]
    inbound = [message(f"m{n}", each.id, each.customer, "in", each.text, "answered") for n, each in enumerate(said, 1)]
    parts = [message(f"m{n + 3}", f"s{n}", each.customer, "out", f"echo: {each.text}", "read") for n, each in enumerate(said, 1)]
    attempts = {part.id: [attempt(f"a{part.id}", part.id, part.external_id)] for part in parts}
    attempts["m5"].append(attempt("b", "m5", "s9"))
    sends = [send(part.external_id or "", f"a{part.id}", part.conversation, part.text) for part in parts]
    sends.insert(2, send("s9", "b", "kofi", parts[1].text))
    doubt = [
        TimelineEvent(1, "sending", "am5"),
        TimelineEvent(2, "attempt_in_doubt", "am5: the process ended"),
        TimelineEvent(1_002, "in_doubt_resolved", "resend, no receipt came"),
        TimelineEvent(1_003, "sending", "b"),
    ]
    calls = [Call(n, {"messages": [{"role": "user", "content": each.text}]}, {}, 200) for n, each in enumerate(said, 1)]
    return Evidence(
        said=said,
        acknowledged=[each.id for each in said],
        receipts=[("s1", "read"), ("s2", "read"), ("s3", "read"), ("s9", "sent")],
        accepted=sends,
        messages=inbound + parts,
        attempts=attempts,
        timelines={"m4": [], "m5": doubt, "m6": []},
        doubt_timeout=1_000,
        counts={"duplicate_sends": 1},
        pending=0,
        open_work=0,
        unsound=[],
        output=['{"event": "daemon_started"}'],
        secrets=["s3cret"],
        calls=calls,
    )


def message(id: str, external: str, who: str, direction: Any, text: str, state: str) -> StoredMessage:
    purpose = "reply" if direction == "out" else None
    return StoredMessage(id, external, "whatsapp", "whatsapp:1", who, who, direction, "text", text, state, None, purpose, 0, None)


def attempt(id: str, part: str, external: str | None) -> Attempt:
    return Attempt(id, part, "accepted", 0, "owner", 1, external)


def send(wamid: str, mark: str, who: str, text: str) -> AcceptedSend:
    return AcceptedSend(wamid, 0, "text", text, "1555", None, who, mark, None, {})


def with_message(evidence: Evidence, id: str, **changes: Any) -> Evidence:
    messages = [replace(each, **changes) if each.id == id else each for each in evidence.messages]
    return replace(evidence, messages=messages)


def without(evidence: Evidence, what: str) -> list[TimelineEvent]:
    return [event for event in evidence.timelines["m5"] if event.what != what]


def test_the_checker_finds_nothing_in_an_honest_run() -> None:
    findings = examine(honest())
    assert findings.violations == []
    assert (findings.figures.doubles_seen, findings.figures.doubles_counted, findings.figures.doubts) == (1, 1, 1)


FALSIFIED: list[tuple[str, str, Callable[[Evidence], Evidence]]] = [
    ("a message is not stored", "I1", lambda e: replace(e, messages=e.messages[1:])),
    ("a receipt had no effect", "I1", lambda e: with_message(e, "m4", state="accepted")),
    ("a message is stored twice", "I1", lambda e: replace(e, messages=[e.messages[0], *e.messages])),
    ("a sound body is set aside", "I1", lambda e: replace(e, counts={**e.counts, "unparsed_payloads": 1})),
    ("two replies", "I2", lambda e: with_message(e, "m6", text=f"echo: ana says 1 {CANARY} | ana says 3 {CANARY}")),
    ("a reply to nothing", "I2", lambda e: with_message(e, "m5", text="echo: hm")),
    ("sent to somebody else", "I2", lambda e: replace(e, accepted=[replace(e.accepted[0], customer="kofi"), *e.accepted[1:]])),
    ("sent without a mark", "I3", lambda e: replace(e, accepted=[*e.accepted, send("s7", "zz", "ana", "hi")])),
    ("sent twice without doubt", "I3", lambda e: replace(e, timelines={**e.timelines, "m5": []})),
    ("sent again while in doubt", "I3", lambda e: replace(e, timelines={**e.timelines, "m5": without(e, "in_doubt_resolved")})),
    ("a doubt cut short", "I3", lambda e: replace(e, doubt_timeout=1_001)),
    ("one attempt, sent twice", "I3", lambda e: replace(e, accepted=[*e.accepted, replace(e.accepted[0], wamid="s8")])),
    ("a double that nobody counted", "I3", lambda e: replace(e, counts={})),
    ("sent in the wrong order", "I4", lambda e: replace(e, accepted=list(reversed(e.accepted)))),
    ("stored in the wrong order", "I4", lambda e: replace(e, said=list(reversed(e.said)))),
    ("never answered", "I5", lambda e: with_message(e, "m3", state="waiting")),
    ("skipped without a reason", "I5", lambda e: with_message(e, "m3", state="skipped")),
    ("the answer never left", "I5", lambda e: replace(e, accepted=e.accepted[:-1])),
    ("a part in doubt for ever", "I5", lambda e: with_message(e, "m6", state="in_doubt")),
    ("a broken page", "I6", lambda e: replace(e, unsound=["row 3 missing from index"])),
    ("a job left over", "I7", lambda e: replace(e, pending=1)),
    ("open work", "I7", lambda e: replace(e, open_work=1)),
    ("a secret in the log", "I8", lambda e: replace(e, output=["token=s3cret"])),
    ("words in the log", "I8", lambda e: replace(e, output=[f"ana says 1 {CANARY}"])),
    ("asked twice", "ASK", lambda e: replace(e, calls=[*e.calls, replace(e.calls[0], number=4)])),
    (
        "shown another's words",
        "ASK",
        lambda e: replace(
            e, calls=[replace(e.calls[0], body={"messages": [{"role": "user", "content": each.text} for each in e.said]})]
        ),
    ),
]


@each_row(("invariant", "falsify"), [pytest.param(*rest, id=name) for name, *rest in FALSIFIED])
def test_the_checker_sees_each_kind_of_violation(invariant: str, falsify: Callable[[Evidence], Evidence]) -> None:
    assert invariant in examine(falsify(honest())).ids
