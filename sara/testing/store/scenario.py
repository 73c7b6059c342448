"""A store with the few steps that most of its exam takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from sara import (
    DeliveryFailure,
    DeliveryReceipt,
    Identity,
    InboundMessage,
    Instant,
    Milliseconds,
    OutgoingContent,
    StoredMessage,
    Usage,
)
from sara.engines import (
    AcceptResult,
    AccountChange,
    AttemptResult,
    AttemptState,
    ClassifiedMessage,
    DeliveryView,
    Handoff,
    HistoryLimits,
    InboundBatch,
    InboundDecision,
    LocalizedContent,
    OpenWork,
    OutboundState,
    ReplyView,
    Store,
    TimerView,
    UsageReservation,
)
from sara.testing.clock import ManualClock

ACCOUNT = "test:1"
ANA = Identity(user_id="US.1", phone="15550001111", name="Ana")
KOFI = Identity(user_id="GH.2", phone="15550002222", name="Kofi")
QUIET = 1_000
LONGEST = 15_000
INVITATION = OutgoingContent("May we go on?", "template", {"name": "go_on", "language": "en"})
STOP = InboundDecision(skip="opt_out", consent="opt_out")
START = InboundDecision(skip="opt_in", consent="opt_in")
COLLEAGUE: LocalizedContent = {"": OutgoingContent("A colleague will answer."), "de": OutgoingContent("Eine Kollegin antwortet.")}
WISH = InboundDecision(skip="handed_over", hand_over=Handoff("customer", "asked for a person", notice=COLLEAGUE))


def message(external_id: str | None, person: Identity = ANA, text: str = "hello", at: Instant = 0) -> InboundMessage:
    """Return a text message."""
    return InboundMessage(ACCOUNT, external_id, person, "text", text, at, raw="{}")


def arrival(inbound: InboundMessage, verdict: InboundDecision | None = None) -> ClassifiedMessage:
    """Return a message with its decision, by default one that calls for an answer."""
    return ClassifiedMessage(inbound, verdict or InboundDecision(), QUIET, LONGEST)


def later(shop: StoreScenario, external_id: str, ago: Milliseconds = 0) -> InboundMessage:
    """Return a message that the customer wrote `ago` milliseconds ago."""
    return message(external_id, at=shop.clock() - ago)


class StoreScenario:
    """A store with the few steps that most tests take."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.store = store
        self.clock = clock

    async def take(
        self,
        *messages: InboundMessage,
        verdict: InboundDecision | None = None,
        language: str | None = None,
        chapter_after: Milliseconds | None = None,
    ) -> AcceptResult:
        """Take in messages."""
        arrivals = (replace(arrival(each, verdict), language=language, chapter_after=chapter_after) for each in messages)
        return await self.store.accept(InboundBatch(ACCOUNT, tuple(arrivals)), self.clock())

    async def receipt(
        self,
        status: Literal["sent", "delivered", "read", "failed"],
        *,
        attempt: str | None = None,
        external_id: str | None = None,
        then: Literal["fail", "retry", "park", "send_as_text", "block_channel"] = "fail",
        after: Milliseconds | None = None,
        pricing: Mapping[str, Any] | None = None,
        counts: bool = False,
        at: Instant | None = None,
    ) -> AcceptResult:
        """Store a receipt."""
        failure = DeliveryFailure("131026", "undeliverable", then, after) if status == "failed" else None
        receipt = DeliveryReceipt(
            ACCOUNT, status, self.clock() if at is None else at, external_id, attempt, failure, pricing, counts
        )
        return await self.store.accept(InboundBatch(ACCOUNT, receipts=(receipt,)), self.clock())

    async def change(self, *changes: AccountChange) -> AcceptResult:
        """Store changes that the provider reports."""
        return await self.store.accept(InboundBatch(ACCOUNT, changes=changes), self.clock())

    async def asked(self, person: Identity = ANA, external_id: str = "in-1", text: str = "hello") -> str:
        """Store a message that waits; return its conversation."""
        [stored] = (await self.take(message(external_id, person, text, self.clock()))).stored
        return stored.conversation

    async def answered(self, *texts: str, person: Identity = ANA, external_id: str = "in-1") -> str:
        """Store a message answered with parts that are not sent yet; return its conversation."""
        conversation = await self.asked(person, external_id)
        await self.answer(conversation, *texts)
        return conversation

    async def call(self, conversation: str, reserve: UsageReservation | None = None) -> tuple[int, list[str]]:
        """Begin to answer what waits in a conversation: the call's number, and what it answers."""
        ids = [line.id for line in (await self.reading(conversation)).waiting]
        return await self.store.begin_reply(conversation, ids, self.clock(), reserve), ids

    async def answer(self, conversation: str, *says: str | OutgoingContent) -> OpenWork:
        """Answer what waits in a conversation."""
        attempt, ids = await self.call(conversation)
        [work] = await self.store.save_reply(
            conversation,
            attempt,
            ids,
            [each if isinstance(each, OutgoingContent) else OutgoingContent(each) for each in says],
            Usage(10, 5, "test"),
            self.clock(),
        )
        return work

    async def lose(self, conversation: str, reason: str = "max_duration: away") -> None:
        """Give up what waits in a conversation."""
        ids = [line.id for line in (await self.reading(conversation)).waiting]
        await self.store.close_turn(conversation, ids, "dead", reason, self.clock())

    async def begin(self, conversation: str, attempt: str) -> str:
        """Mark the first unsettled part as being sent; its id."""
        view = await self.store.delivery_view(conversation)
        assert view is not None
        await self.store.begin_attempt(view.part.id, attempt, "me", self.clock())
        return view.part.id

    async def send(self, conversation: str, attempt: str, external_id: str) -> str:
        """Send the first unsettled part and have it accepted; its id."""
        part = await self.begin(conversation, attempt)
        await self.store.record_attempt(
            attempt, AttemptResult(AttemptState.ACCEPTED, OutboundState.ACCEPTED, external_id=external_id), self.clock()
        )
        return part

    async def state(self, ident: str) -> str:
        """Return the state of a message."""
        return (await self.found(ident)).state

    async def found(self, ident: str) -> StoredMessage:
        """Return a message that must be there."""
        found = await self.store.find(ident)
        assert found is not None
        return found

    async def id(self, external_id: str) -> str:
        """Our id of a message that must be there."""
        return (await self.found(external_id)).id

    async def states(self, conversation: str) -> Sequence[str]:
        """Return the states of a conversation's messages, in store order."""
        return [each.state for each in await self.store.messages(conversation, None, 100)]

    async def due(self, conversation: str) -> tuple[Instant | None, Instant | None]:
        """Return when reply and deliver are due."""
        for work in await self.store.open_work(None, 100):
            if work.conversation == conversation:
                return work.reply_due, work.deliver_due
        return None, None

    async def reading(self, conversation: str) -> ReplyView:
        """Return what a reply job sees of a conversation."""
        view = await self.store.reply_view(conversation, HistoryLimits())
        assert view is not None
        return view

    async def next(self, conversation: str) -> DeliveryView:
        """Return what a deliver job sees of a conversation that has something unsent."""
        view = await self.store.delivery_view(conversation)
        assert view is not None
        return view

    async def tending(self, conversation: str, shown: int = 2) -> TimerView:
        """Return what a timer job sees of a conversation, if so many messages are shown as history."""
        view = await self.store.timer_view(conversation, shown)
        assert view is not None
        return view

    async def lines(self, conversation: str) -> Sequence[tuple[str, str]]:
        """Return the texts of a conversation's messages with their states, in store order."""
        return [(each.text, each.state) for each in await self.store.messages(conversation, None, 1_000)]

    async def told(self, ident: str) -> Sequence[str]:
        """Return the events of a message."""
        return [each.what for each in await self.store.timeline(ident)]

    async def park(self, conversation: str, instead: OutgoingContent | None = INVITATION) -> str:
        """Park the first unsettled part, as when the reply window has closed; its id."""
        part = (await self.next(conversation)).part.id
        await self.store.cancel_outbound(part, "parked", "window_closed", self.clock(), instead)
        return part
