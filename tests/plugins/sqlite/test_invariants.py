"""Whatever happens in whatever order: what is due is written down, and nobody is written to who must not be."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from dataclasses import replace

import pytest
from sara_sqlite.store import SqliteStore

from sara import Correction, Identity, OperatorEcho, OutgoingContent, Usage
from sara.engines import (
    AttemptResult,
    AttemptState,
    Conflict,
    Handoff,
    InboundBatch,
    InboundDecision,
    OneTimeNotice,
    OperatorNotification,
    OutboundState,
    OverBudget,
    ReplySideEffects,
    UsageLimit,
    UsageReservation,
)
from sara.testing.store.scenario import ACCOUNT, COLLEAGUE, START, STOP, WISH, StoreScenario, message
from tests.effort import chosen, spread

PEOPLE = [Identity(phone="1"), Identity(user_id="U1"), Identity(user_id="U1", phone="1"), Identity(user_id="U2")]
BOSS = OperatorNotification(ACCOUNT, Identity(phone="9"), OutgoingContent("{conversation}"))
HOUR = 3_600_000

BROKEN = {
    "a message waits and no answer is due": "SELECT 1 FROM messages m JOIN conversations c ON c.id = m.conversation"
    " WHERE m.state = 'waiting' AND c.reply_due IS NULL",
    "an answer is due and nothing waits": "SELECT 1 FROM conversations c WHERE reply_due IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.conversation = c.id AND m.state = 'waiting')",
    "something is unsent and no delivery is due, or the other way round": "SELECT 1 FROM conversations c WHERE (deliver_due IS NULL)"
    " = EXISTS (SELECT 1 FROM messages m WHERE m.conversation = c.id AND m.state IN ('queued', 'sending', 'in_doubt'))",
    "what has a time has no timer": "SELECT 1 FROM messages m JOIN conversations c ON c.id = m.conversation"
    " WHERE m.state = 'parked' AND m.reason = 'scheduled' AND coalesce(c.timer_due > m.not_before, 1)",
    "a hand-over that ends has no timer": "SELECT 1 FROM conversations WHERE mode_until IS NOT NULL AND coalesce(timer_due > mode_until, 1)",
    "SARA answers until a time, or a customer waits for a person who is not there": "SELECT 1 FROM conversations"
    " WHERE mode = 'bot' AND (mode_until IS NOT NULL OR person_since IS NOT NULL)",
    "a message waits where a person answers": "SELECT 1 FROM messages m JOIN conversations c ON c.id = m.conversation"
    " WHERE m.state = 'waiting' AND c.mode = 'human' AND m.retried_at IS NULL"
    " AND (c.mode_until IS NULL OR m.created_at < c.mode_until)",
    "an answer is on its way where a person answers": "SELECT 1 FROM messages m JOIN conversations c"
    " ON c.id = m.conversation WHERE m.state = 'queued' AND m.purpose = 'reply' AND m.attempts_first IS NULL AND c.mode = 'human'"
    " AND (c.mode_until IS NULL OR m.created_at < c.mode_until)"
    " AND NOT EXISTS (SELECT 1 FROM events e WHERE e.message = m.id AND e.what IN ('retried', 'unparked'))",
    "a pause is over and still keeps something": "SELECT 1 FROM messages m JOIN conversations c ON c.id = m.conversation"
    " WHERE m.state = 'parked' AND m.reason = 'paused' AND c.mode <> 'paused'",
    "one who wants silence is to be told something": "SELECT 1 FROM messages m JOIN conversations c ON c.id = m.conversation"
    " JOIN contacts p ON p.id = c.contact JOIN contacts h ON h.id = coalesce(p.linked, p.id) WHERE m.state IN ('queued', 'parked')"
    " AND h.opted_out AND m.purpose <> 'operator' AND m.attempts_first IS NULL AND m.text <> 'bye' AND m.created_at > h.opted_out_at",
    "one person is of two minds": "SELECT 1 FROM contacts p JOIN contacts h ON h.id = p.linked WHERE p.opted_out <> h.opted_out",
    "a call is open and nothing waits": "SELECT 1 FROM conversations WHERE attempt_open AND reply_due IS NULL",
    "more was given back than was set aside": "SELECT 1 FROM ai_usage WHERE calls < 0 OR tokens < 0 OR cost_micros < 0",
    "what was withdrawn waits, or is still there": "SELECT 1 FROM messages WHERE withdrawn_at IS NOT NULL"
    " AND (state IN ('waiting', 'dead', 'quarantined') OR text <> '[gone]' OR content <> '{}' OR raw <> '')",
    "what was withdrawn or edited away stands in an event about it": "SELECT 1 FROM messages e JOIN messages m"
    " ON m.account = e.account AND m.external_id = e.corrects AND m.conversation = e.conversation"
    " WHERE m.withdrawn_at IS NOT NULL AND json_extract(e.correction, '$.withdrawn') = 0",
    "a summary holds what is no history": "SELECT 1 FROM conversations WHERE summary_to > 0 AND summary_to < session_start",
}


class Life:
    """Does something that may happen next."""

    def __init__(self, shop: StoreScenario, seed: int) -> None:
        self.shop = shop
        self.random = random.Random(seed)  # noqa: S311  # a seeded course of events
        self.calls: dict[str, tuple[int, list[str]]] = {}
        self.count = 0

    async def step(self) -> str:
        """One thing; its name."""
        self.count += 1
        self.shop.clock.forward(self.random.choice((0, 1, 1_000, 60_000, HOUR)))
        found = [each.id for each in await self.shop.store.conversations(100)]
        names = [name for name in dir(self) if name.startswith("do_")]
        often = ["do_write", "do_correct", "do_call", "do_answer", "do_deliver", "do_hand_back"]
        name = self.random.choice(names + 6 * often) if found else "do_write"
        with contextlib.suppress(Conflict, OverBudget):
            await getattr(self, name)(self.random.choice(found) if found else "")
        return name

    def chance(self) -> bool:
        return self.random.random() < 0.5

    def until(self) -> int | None:
        return self.shop.clock() + HOUR if self.chance() else None

    async def do_write(self, _: str) -> None:
        verdict = self.random.choice((*[None] * 20, WISH, STOP, *[START] * 4))
        after = HOUR if self.chance() else None
        inbound = message(f"in-{self.count}", self.random.choice(PEOPLE), at=self.shop.clock())
        await self.shop.take(inbound, verdict=verdict, chapter_after=after)

    async def do_correct(self, _: str) -> None:
        person, target = self.random.choice(PEOPLE), self.random.randrange(max(1, self.count - 40), self.count + 5)
        withdrawn = self.chance()
        correction = Correction(f"in-{target}", "[gone]" if withdrawn else f"edit {self.count}", "text", withdrawn=withdrawn)
        inbound = message(f"e-{self.count}", person, "an event", self.shop.clock())
        await self.shop.take(replace(inbound, answer=False, corrects=correction), verdict=InboundDecision(skip="recorded"))

    async def do_call(self, conversation: str) -> None:
        reserve = UsageReservation(10, 10, (UsageLimit("2027-01", calls=10_000),)) if self.chance() else None
        view = await self.shop.reading(conversation)
        if view.waiting and not view.opted_out:
            self.calls[conversation] = await self.shop.call(conversation, reserve)

    async def do_answer(self, _: str) -> None:
        if not self.calls:
            return
        conversation, (attempt, ids) = self.calls.popitem()
        store, now = self.shop.store, self.shop.clock()
        match self.random.randrange(5):
            case 0:
                await store.fail_reply_attempt(conversation, attempt, now + 1_000, "busy", now)
            case 1:
                await store.close_turn(conversation, ids, "dead", "max_duration: x", now, [OutgoingContent("sorry")])
            case 2:
                await store.discard_reply(conversation, attempt, ids, 2, Usage(1, 1), 1, now)
            case _:
                over = Handoff("assistant", until=self.until(), tell=BOSS) if self.chance() else None
                also = ReplySideEffects(1, over, now + HOUR)
                await store.save_reply(
                    conversation, attempt, ids, [OutgoingContent("a"), OutgoingContent("b")], Usage(1, 1), now, effects=also
                )

    async def do_deliver(self, conversation: str) -> None:
        view, now = await self.shop.store.delivery_view(conversation), self.shop.clock()
        if view is None:
            return
        if view.state == "in_doubt":
            await self.shop.store.resolve_in_doubt(view.part.id, "resend" if self.chance() else "hold", False, now)
        elif view.state == "queued" and view.mode == "human" and view.part.purpose == "reply":
            await self.shop.store.cancel_outbound(view.part.id, "cancelled", "handed_over", now)
        elif view.state == "queued":
            await self.shop.store.begin_attempt(view.part.id, f"a{self.count}", "life 0", now)
        elif view.last is not None:
            outcome = self.random.choice(
                (
                    AttemptResult(AttemptState.ACCEPTED, OutboundState.ACCEPTED, external_id=f"out-{self.count}"),
                    AttemptResult(AttemptState.NOT_SENT, OutboundState.QUEUED, now + 1_000),
                    AttemptResult(AttemptState.REFUSED, OutboundState.FAILED),
                    AttemptResult(AttemptState.IN_DOUBT, OutboundState.IN_DOUBT, now + 1_000),
                )
            )
            await self.shop.store.record_attempt(view.last.id, outcome, now)

    async def do_hand_over(self, conversation: str) -> None:
        mode = self.random.choice(("human", "paused"))
        change = Handoff("operator", "", mode, self.until(), COLLEAGUE, BOSS)  # type: ignore[arg-type]  # the two modes
        await self.shop.store.hand_over(conversation, change, self.shop.clock())

    async def do_hand_back(self, conversation: str) -> None:
        await self.shop.store.hand_back(
            conversation, self.random.choice(("operator", "sara")), self.shop.clock(), {"": OutgoingContent("x")}
        )

    async def do_echo(self, _: str) -> None:
        person = self.random.choice(PEOPLE)
        echo = OperatorEcho(
            ACCOUNT, f"echo-{self.count}", person, "text", "me", self.shop.clock() - self.random.choice((0, HOUR))
        )
        await self.shop.store.accept(
            InboundBatch(ACCOUNT, changes=(echo,), echoed={echo.external_id: Handoff("operator", until=self.until())}),
            self.shop.clock(),
        )

    async def do_consent(self, conversation: str) -> None:
        wanted = self.random.random() < 0.2
        notice = {"": OutgoingContent("bye" if wanted else "welcome")}
        await self.shop.store.consent(conversation, wanted, "operator", "x", self.shop.clock(), notice)

    async def do_say(self, conversation: str) -> None:
        await self.shop.store.enqueue_messages(
            conversation, [OutgoingContent("o")], "operator", "operator", self.shop.clock(), self.until()
        )

    async def do_text(self, conversation: str) -> None:
        said = OneTimeNotice("away", (OutgoingContent("closed"),), self.shop.clock() - HOUR)
        await self.shop.store.close_turn(conversation, (), "skipped", "", self.shop.clock(), said=said)

    async def do_tend(self, conversation: str) -> None:
        store, now = self.shop.store, self.shop.clock()
        view = await self.shop.tending(conversation)
        silence = max(view.customer_at or 0, view.ours_at or 0)
        await store.queue_scheduled(conversation, now)
        _, lines = await store.unsummarised_messages(conversation, 2, 3)
        if lines:
            await store.save_summary(conversation, "x", lines[-1].id, None, 1, ("2027-01",), now)
        if not (view.waiting or view.unsent) and not view.scheduled:
            await store.close_conversation(conversation, silence, now)
            if view.mode == "bot" and not view.opted_out and not view.followed_up:
                await store.follow_up(conversation, OutgoingContent("?"), silence, now)

    async def do_mend(self, conversation: str) -> None:
        kind = "reply" if self.chance() else "deliver"
        await (self.shop.store.retry_failed if self.chance() else self.shop.store.drop)(conversation, kind, self.shop.clock())

    async def do_crash(self, _: str) -> None:
        self.shop.clock.forward(HOUR)
        await self.shop.store.recover(f"life {self.count}", self.shop.clock())
        self.calls.clear()


@pytest.mark.parametrize("seed", spread(range(8), 3))
async def test_nothing_that_must_hold_is_ever_broken(store: SqliteStore, shop: StoreScenario, seed: int) -> None:
    def broken(db: sqlite3.Connection) -> list[str]:
        return [what for what, sql in BROKEN.items() if db.execute(sql + " LIMIT 1").fetchone() is not None]

    life = Life(shop, seed)
    course = []
    for _ in range(chosen(short=300, full=600)):
        course.append(await life.step())
        assert await store.database.write(broken) == [], course[-8:]
