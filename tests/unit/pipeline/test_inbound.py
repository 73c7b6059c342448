"""Stored first, everything else after."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest

from sara import (
    AccountEvent,
    Correction,
    DeliveryReceipt,
    HistoryMessage,
    Identity,
    InboundMessage,
    OperatorEcho,
    PreferenceChange,
    UnparsedPayload,
    WebhookResult,
)
from sara.engines import (
    AcceptResult,
    AccountChange,
    CommitUnknown,
    InboundBatch,
    InboundDecision,
    JobRequest,
    OpenWork,
    StoreUnavailable,
)
from sara.i18n.catalog import MessageCatalog
from sara.pipeline.inbound import HEAVY, MESSAGE_WEIGHT, SLICE, InboundHandler
from sara.policy.settings import ConversationSettings, HandoffSettings, Notify
from tests.fakes import ACCOUNT, ANA, CONVERSATION, NOW, House, stored
from tests.rows import each_row


def message(words: str = "hello", **changes: Any) -> InboundMessage:
    return InboundMessage(ACCOUNT, "in-1", ANA, changes.pop("kind", "text"), words, NOW, **changes)


@pytest.fixture
def house() -> House:
    house = House(policy=ConversationSettings(responder="assistant", debounce=700, debounce_max=9_000))
    house.store.taken = AcceptResult(work=(OpenWork(CONVERSATION, ACCOUNT, NOW + 700, None),), stored=(stored(),))
    return house


@pytest.fixture
def inbox(house: House) -> InboundHandler:
    return house.inbound


async def test_what_came_is_stored_with_its_verdict_and_quiet_window(house: House, inbox: InboundHandler) -> None:
    receipt = DeliveryReceipt(ACCOUNT, "read", NOW, "out-1")
    change = PreferenceChange(ACCOUNT, ANA, "marketing_messages", False, NOW)
    aside = UnparsedPayload(ACCOUNT, "unknown kind", b"{}")
    await inbox.accept(
        house.route,
        WebhookResult(verified=True, messages=(message(),), receipts=(receipt,), changes=(change,), unparsed=(aside,)),
    )
    [(intake, now)] = house.store.called("accept")
    assert now == NOW
    assert intake.account == ACCOUNT
    [arrival] = intake.arrivals
    assert (arrival.message, arrival.verdict, arrival.debounce, arrival.debounce_max) == (
        message(),
        InboundDecision(),
        700,
        9_000,
    )
    assert (intake.receipts, intake.changes, intake.unparsed) == ((receipt,), (change,), (aside,))
    await inbox.close()


async def test_what_no_database_can_take_is_taken_out_whatever_the_channel_let_through(
    house: House, inbox: InboundHandler
) -> None:
    odd = replace(message("half \ud83d\x00 done", raw='{"name": "\ud83d"}'), person=replace(ANA, name="Ana\x00"))
    await inbox.accept(house.route, WebhookResult(verified=True, messages=(odd,)))
    await inbox.close()
    [(intake, _)] = house.store.called("accept")
    [arrival] = intake.arrivals
    kept = arrival.message
    assert (kept.text, kept.raw, kept.person.name) == ("half \ufffd done", '{"name": "\ufffd"}', "Ana")


async def test_nothing_unverified_is_ever_stored(house: House, inbox: InboundHandler) -> None:
    await inbox.accept(house.route, WebhookResult(messages=(message(),), unparsed=(UnparsedPayload(ACCOUNT, "odd", b""),)))
    await inbox.close()
    assert house.store.calls == []
    assert house.queue.woken == []
    assert house.listed() == {}


class TestLargeReceptions:
    def large(self) -> WebhookResult:
        """More of everything than one slice holds; the messages in no order of time."""
        return WebhookResult(
            verified=True,
            messages=tuple(replace(message(str(n)), external_id=f"in-{n}", at=NOW + n * 7_919 % 11_000) for n in range(11_000)),
            receipts=tuple(DeliveryReceipt(ACCOUNT, "read", NOW, f"out-{n}") for n in range(SLICE + 1)),
            changes=tuple(PreferenceChange(ACCOUNT, ANA, f"c{n}", False, NOW) for n in range(SLICE * 2)),
            unparsed=tuple(UnparsedPayload(ACCOUNT, "odd", str(n).encode()) for n in range(3)),
        )

    async def test_they_are_stored_in_slices_and_in_order(self, house: House, inbox: InboundHandler) -> None:
        reception = self.large()
        await inbox.accept(house.route, reception)
        await inbox.close()
        intakes = [intake for intake, _ in house.store.called("accept")]
        assert max(len(each.arrivals + each.receipts + each.changes + each.unparsed) for each in intakes) == SLICE
        arrived = [arrival.message for each in intakes for arrival in each.arrivals]
        assert arrived == sorted(reception.messages, key=lambda each: each.at)
        assert tuple(receipt for each in intakes for receipt in each.receipts) == reception.receipts
        assert tuple(change for each in intakes for change in each.changes) == reception.changes
        assert tuple(item for each in intakes for item in each.unparsed) == reception.unparsed
        kinds = ["arrivals", "receipts", "changes", "unparsed"]
        first = [next(n for n, each in enumerate(intakes) if getattr(each, kind)) for kind in kinds]
        last = [max(n for n, each in enumerate(intakes) if getattr(each, kind)) for kind in kinds]
        assert all(before < after for before, after in zip(last, first[1:], strict=False)), "one kind after the other"
        assert len(house.queue.woken) == len(intakes), "who was stored first is answered meanwhile"
        assert house.listed() == {"channel:support:webhook_unparsed": 3}

    async def test_nothing_is_acknowledged_until_all_of_them_are_stored(self, house: House, inbox: InboundHandler) -> None:
        accept, calls = house.store.accept, 0

        async def third_fails(intake: Any, now: int) -> AcceptResult:
            nonlocal calls
            calls += 1
            if calls == 3:
                raise StoreUnavailable("disk full")
            return await accept(intake, now)

        house.store.accept = third_fails  # type: ignore[method-assign]  # the same, but for one call
        with pytest.raises(StoreUnavailable):
            await inbox.accept(house.route, self.large())
        await inbox.close()
        assert calls == 3
        await inbox.accept(house.route, self.large())
        await inbox.close()

    async def test_a_usual_one_is_stored_in_one_transaction(self, house: House, inbox: InboundHandler) -> None:
        reception = WebhookResult(
            verified=True,
            messages=tuple(replace(message(str(n)), at=NOW - n) for n in range(SLICE - 2)),
            receipts=(DeliveryReceipt(ACCOUNT, "read", NOW, "out-1"),),
            unparsed=(UnparsedPayload(ACCOUNT, "odd", b"1"),),
        )
        await inbox.accept(house.route, reception)
        await inbox.close()
        [(intake, _)] = house.store.called("accept")
        assert tuple(arrival.message for arrival in intake.arrivals) == reception.messages

    async def test_the_rules_do_not_hold_up_the_loop(
        self, house: House, inbox: InboundHandler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        inline: list[int] = []
        intake = house.rules.intake

        def noticed(reception: WebhookResult, *rest: Any) -> InboundBatch:
            if threading.current_thread() is threading.main_thread():
                inline.append(sum(MESSAGE_WEIGHT + len(each.text) for each in reception.messages))
            return intake(reception, *rest)

        monkeypatch.setattr(house.rules, "intake", noticed)
        for messages in ((message(),), (message("x" * 4_000_000),), (message("x" * 4_096),) * 90, (message(),) * 99):
            await inbox.accept(house.route, WebhookResult(verified=True, messages=messages))
        await inbox.accept(house.route, self.large())
        await inbox.close()
        assert inline
        assert max(inline) < HEAVY


async def test_whoever_has_work_is_woken(house: House, inbox: InboundHandler) -> None:
    await inbox.accept(house.route, WebhookResult(verified=True, messages=(message(),)))
    await inbox.close()
    assert house.queue.woken == [JobRequest("reply", CONVERSATION, NOW + 700, "reply:assistant")]


async def test_the_store_is_the_only_one_that_is_waited_for(house: House, inbox: InboundHandler) -> None:
    await inbox.accept(house.route, WebhookResult(verified=True, messages=(message(),)))
    assert house.store.called("accept")
    assert house.queue.woken == []
    await inbox.close()
    assert house.queue.woken


@pytest.mark.parametrize("error", [StoreUnavailable(), CommitUnknown()])
async def test_what_could_not_be_stored_is_said_and_nobody_is_woken(
    house: House, inbox: InboundHandler, error: Exception
) -> None:
    house.store.fails["accept"] = [error]
    with pytest.raises(type(error)):
        await inbox.accept(house.route, WebhookResult(verified=True, messages=(message(),)))
    await inbox.close()
    assert house.queue.woken == []


@pytest.mark.parametrize("error", [StoreUnavailable("disk full"), RuntimeError("no connection")])
async def test_a_failed_wake_is_the_operators_problem_until_one_works(
    house: House, inbox: InboundHandler, error: Exception
) -> None:
    house.queue.fails = error
    await inbox.accept(house.route, WebhookResult(verified=True, messages=(message(),)))
    await inbox.close()
    assert house.listed() == {"queue:jobs:schedule_failed": 1}
    house.queue.fails = None
    await inbox.accept(house.route, WebhookResult(verified=True, messages=(message(),)))
    await inbox.close()
    assert house.listed() == {}


async def test_what_was_not_understood_is_a_problem_that_counts_it(house: House, inbox: InboundHandler) -> None:
    await inbox.accept(
        house.route,
        WebhookResult(verified=True, unparsed=(UnparsedPayload(ACCOUNT, "odd", b"1"), UnparsedPayload(ACCOUNT, "odd", b"2"))),
    )
    await inbox.close()
    assert house.listed() == {"channel:support:webhook_unparsed": 2}


async def told(house: House, inbox: InboundHandler, *events: AccountEvent) -> dict[str, int]:
    await inbox.accept(house.route, WebhookResult(verified=True, changes=events))
    await asyncio.gather(*inbox._following)
    return house.listed()


async def test_serious_news_of_the_account_is_a_problem_until_it_is_over(house: House, inbox: InboundHandler) -> None:
    banned = AccountEvent(ACCOUNT, "ban", "the account is banned", NOW - 3, serious=True, raw="1")
    renamed = AccountEvent(ACCOUNT, "name", "the name was approved", NOW - 3, raw="2")
    lifted = AccountEvent(ACCOUNT, "lifted", "the ban is lifted", NOW - 2, raw="3", ends=("ban",))
    again = replace(banned, at=NOW - 1, raw="4")
    assert await told(house, inbox, banned, renamed) == {"account:support:ban": 1}
    assert await told(house, inbox, banned) == {"account:support:ban": 1}, "delivered again it is no other event"
    assert await told(house, inbox, lifted) == {}
    assert await told(house, inbox, banned) == {}, "delivered again when it is over it raises nothing"
    assert await told(house, inbox, again) == {"account:support:ban": 1}


async def test_what_is_wrong_with_an_account_outlives_a_restart_and_not_its_time(house: House, inbox: InboundHandler) -> None:
    day = 86_400_000
    old = AccountEvent(ACCOUNT, "ban", "the account is banned", NOW - 8 * day, serious=True, raw="1")
    recent = AccountEvent(ACCOUNT, "flag", "the number is flagged", NOW - 5 * day, serious=True, raw="2")
    house.store.account_news = [old, recent]
    await inbox.remember()
    assert house.listed() == {"account:support:flag": 1}
    house.clock.forward(2 * day)
    assert house.listed() == {}


async def test_news_that_cannot_be_read_back_costs_no_message(house: House, inbox: InboundHandler) -> None:
    house.store.fails["account_events"] = [StoreUnavailable("busy")]
    await inbox.accept(
        house.route, WebhookResult(verified=True, messages=(message(),), changes=(AccountEvent(ACCOUNT, "x", "", NOW),))
    )
    await inbox.close()
    assert house.queue.woken


async def test_plugins_are_told_of_new_messages_and_of_receipts(house: House, inbox: InboundHandler) -> None:
    listener = house.listens()
    receipt = DeliveryReceipt(ACCOUNT, "delivered", NOW, "out-1")
    house.store.taken = AcceptResult(
        stored=(stored("in-1"), stored("in-2")), known=1, receipts=((stored("out-1", "out"), receipt),)
    )
    await inbox.accept(house.route, WebhookResult(verified=True, messages=(message(),), receipts=(receipt,)))
    await inbox.close()
    assert listener.told == [
        ("message_received", "in-1"),
        ("message_received", "in-2"),
        ("delivery_changed", ("out-1", "delivered")),
    ]


# ── the immediate rules ───────────────────────────────────────────────────────────────────────────────────────────────────


def judge(message: InboundMessage, house: House | None = None) -> InboundDecision:
    house = house or House()
    return house.rules.judge(message, house.route, NOW)


def test_a_message_calls_for_an_answer() -> None:
    assert judge(message("Hello, do you open on Sunday?")) == InboundDecision()


@each_row(
    ("words", "consent", "language"),
    [("STOP", "opt_out", None), ("Arrêt", "opt_out", "fr"), ("start", "opt_in", None), ("ابدأ", "opt_in", "ar")],
)
def test_a_consent_word_takes_effect_is_confirmed_and_not_answered(words: str, consent: str, language: str | None) -> None:
    verdict = judge(message(words))
    assert (verdict.consent, verdict.skip, verdict.language) == (consent, consent, language)
    key = "opted_out" if consent == "opt_out" else "opted_in"
    assert {code: draft.text for code, draft in verdict.notice.items()} == MessageCatalog().render_all(key)


def test_a_choice_that_says_stop_means_it_whatever_stands_beside_it() -> None:
    for words, kind, choice in (
        ("Stop", "button", None),
        ("STOP [button: promo-77]", "button", "STOP"),
        ("Stop promotions", "button", "Stop promotions"),
        ("Parar promoções [button: x]", "button", "Parar promoções"),
        ("STOP", "interactive", "STOP"),
        ("Stop all: no more messages from us", "interactive", "Stop all"),
        ("Darme de baja", "interactive", "Darme de baja"),
    ):
        assert judge(message(words, kind=kind, choice=choice)).consent == "opt_out", words
    assert judge(message("Talk to a human: we answer within an hour", kind="interactive", choice="Talk to a human")).hand_over
    assert judge(message("stop", kind="interactive", choice="Stop 12, Main Street")) == InboundDecision()


async def test_a_common_word_is_judged_by_what_the_customer_was_told_before(house: House, inbox: InboundHandler) -> None:
    asked = HistoryMessage("m1", "assistant", "Are you the owner or an agent?", NOW - 5_000)
    for said, verdicts in ((asked, [None, None, "opt_out"]), (None, [None, "handed_over", "opt_out"])):
        house.store.calls.clear()
        house.store.said_before = said
        messages = (message("Hello!"), message("Agent"), message("STOP"))
        await inbox.accept(house.route, WebhookResult(verified=True, messages=messages))
        [(intake, _)] = house.store.called("accept")
        assert [arrival.verdict.skip for arrival in intake.arrivals] == verdicts
        assert house.store.called("last_said") == [(ACCOUNT, ANA)], "only for the message that depends on it"
    await inbox.close()


async def test_where_the_store_cannot_be_asked_nothing_is_acknowledged(house: House, inbox: InboundHandler) -> None:
    house.store.fails["last_said"] = [StoreUnavailable("disk full")]
    with pytest.raises(StoreUnavailable):
        await inbox.accept(house.route, WebhookResult(verified=True, messages=(message("agent"),)))
    assert house.store.called("accept") == []


@pytest.mark.parametrize("kind", ["image", "contacts", "location"])
def test_a_word_that_was_not_written_says_nothing_about_consent(kind: str) -> None:
    assert judge(message("STOP", kind=kind)) == InboundDecision()


def test_what_calls_for_no_answer_is_only_recorded() -> None:
    assert judge(message("👍", kind="reaction", answer=False)) == InboundDecision(skip="recorded")


@pytest.mark.parametrize(("words", "language"), [("atendente", "pt"), ("Mitarbeiter", "de")])
def test_a_word_for_a_person_hands_over_tells_the_customer_and_is_not_answered(words: str, language: str) -> None:
    verdict = judge(message(words))
    assert (verdict.skip, verdict.consent, verdict.language) == ("handed_over", None, language)
    over = verdict.hand_over
    assert over is not None
    assert (over.by, over.mode, over.until, over.tell) == ("customer", "human", NOW + 43_200_000, None)
    assert over.notice[language].text == MessageCatalog().render("hand_over", language)


def test_somebody_of_the_business_is_told_who_asks_for_a_person() -> None:
    notify = Notify(channel="support", to="+49 171 5550000")
    house = House(policy=ConversationSettings(responder="assistant", handoff=HandoffSettings(notify=notify, return_after=None)))
    over = judge(message("human"), house).hand_over
    assert over is not None
    assert over.until is None
    assert over.tell is not None
    assert (over.tell.account, over.tell.person) == (ACCOUNT, Identity(phone="491715550000"))
    assert over.tell.values == {"name": "Ana", "reason": "the customer asked for it"}
    assert {"{name}", "{reason}", "{conversation}", "{number}", "{words}"} <= set(
        over.tell.draft.text.replace("(", "").replace(",", " ").replace(")", " ").replace(":", " ").split()
    )


def test_words_for_a_person_mean_nothing_where_nobody_is_to_take_over() -> None:
    house = House(policy=ConversationSettings(responder="assistant", handoff=HandoffSettings(words=False)))
    assert judge(message("human"), house) == InboundDecision()


async def test_a_message_comes_with_the_language_it_is_written_in(house: House, inbox: InboundHandler) -> None:
    said = message("Bom dia, vocês abrem no domingo?")
    await inbox.accept(house.route, WebhookResult(verified=True, messages=(said, message("👍"))))
    [(intake, _)] = house.store.called("accept")
    assert [arrival.language for arrival in intake.arrivals] == ["pt", None]
    await inbox.close()


async def test_an_answer_from_the_phone_app_hands_the_conversation_over_quietly(house: House, inbox: InboundHandler) -> None:
    echo = OperatorEcho(ACCOUNT, "echo-1", ANA, "text", "I am on it", NOW)
    await inbox.accept(house.route, WebhookResult(verified=True, changes=(echo,)))
    [(intake, _)] = house.store.called("accept")
    over = intake.echoed["echo-1"]
    assert (over.by, over.mode, over.notice, over.tell) == ("operator", "human", {}, None)
    await inbox.close()


# ── clocks ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

HOUR = 3_600_000
DAY = 24 * HOUR


def taken_in(house: House, *messages: InboundMessage, changes: tuple[AccountChange, ...] = ()) -> InboundBatch:
    return house.rules.intake(WebhookResult(verified=True, messages=messages, changes=changes), house.route, NOW)


def test_words_for_operators_come_along_where_one_of_them_may_have_written(house: House) -> None:
    plain, quoting = message("hello"), replace(message("hello"), reply_to="out-1")
    assert not taken_in(house, plain).operator_notice, "nobody is an operator, and nothing is quoted"
    assert taken_in(house, plain, quoting).operator_notice, (
        "what is quoted may be what an operator was told, before notify was taken out"
    )
    policy = ConversationSettings(
        responder="assistant", handoff=HandoffSettings(notify=Notify(channel="support", to="+49 170 1"))
    )
    told = House(policy=policy)
    assert taken_in(told, plain).operators
    assert taken_in(told, plain).operator_notice["de"].text
    assert not taken_in(told).operator_notice


def test_a_hand_over_counts_from_the_event_and_not_from_its_arrival() -> None:
    rows: list[tuple[int | None, int, int | None]] = [
        # return_after, how long ago; until when from now, None for no hand-over at all
        (12 * HOUR, 0, 12 * HOUR),
        (12 * HOUR, HOUR, 11 * HOUR),
        (12 * HOUR, 12 * HOUR - 1, 1),
        (12 * HOUR, 12 * HOUR, None),
        (12 * HOUR, 3 * DAY, None),
        (12 * HOUR, 90 * DAY, None),
        (12 * HOUR, -60_000, 12 * HOUR),
        (12 * HOUR, -9 * DAY, 12 * HOUR),
        (5 * DAY, 3 * DAY, 2 * DAY),
    ]
    for return_after, ago, until in rows:
        house = House(policy=ConversationSettings(responder="assistant", handoff=HandoffSettings(return_after=return_after)))
        echo = OperatorEcho(ACCOUNT, "echo-1", ANA, "text", "I am on it", NOW - ago)
        intake = taken_in(house, changes=(echo, replace(echo, external_id="echo-2", kind="revoke", says=False)))
        expected = {} if until is None else {"echo-1": NOW + until}
        assert {name: over.until for name, over in intake.echoed.items()} == expected, (return_after, ago)
        assert len(intake.changes) == 2
        if ago < 60 * DAY:
            verdict = judge(replace(message("human"), at=NOW - ago), house)
            assert (verdict.hand_over and verdict.hand_over.until) == (None if until is None else NOW + until), (
                return_after,
                ago,
            )
            assert verdict.skip == (None if until is None else "handed_over")
    by_hand = House(policy=ConversationSettings(responder="assistant", handoff=HandoffSettings(return_after=None)))
    assert (
        taken_in(by_hand, changes=(OperatorEcho(ACCOUNT, "echo-1", ANA, "text", "x", NOW - 3 * DAY),)).echoed["echo-1"].until
        is None
    )


def test_a_stamp_that_cannot_be_right_is_the_time_of_arrival(house: House) -> None:
    for at, kept in ((NOW - DAY, NOW - DAY), (NOW + DAY, NOW), (5, NOW), (NOW + 60_000, NOW + 60_000)):
        [arrival] = taken_in(house, replace(message(), at=at)).arrivals
        assert arrival.message.at == kept
    wish = PreferenceChange(ACCOUNT, ANA, "marketing_messages", False, NOW + DAY)
    assert [change.at for change in taken_in(house, changes=(wish,)).changes] == [NOW]


# ── events about messages ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_edit_into_a_word_of_consent_or_for_a_person_means_it(house: House) -> None:
    def edited(words: str, **changes: Any) -> InboundDecision:
        now = Correction("in-0", words, changes.pop("kind", "text"), **changes)
        return judge(message(f"[changed:] {words}", kind="edit", answer=False, corrects=now), house)

    assert edited("three, please") == InboundDecision(skip="recorded")
    assert (edited("STOP").consent, edited("start").consent) == ("opt_out", "opt_in")
    assert edited("human").hand_over is not None
    assert edited("STOP", kind="image") == InboundDecision(skip="recorded")
    assert edited("STOP", withdrawn=True) == InboundDecision(skip="recorded")


def test_who_sends_what_cannot_be_read_is_told_so_unless_it_was_long_ago(house: House) -> None:
    poll = message("[unsupported message: poll]", kind="unsupported", answer=False, unreadable=True)
    verdict = judge(poll, house)
    assert (verdict.skip, verdict.notice, verdict.unreadable_since) == ("unreadable", {}, NOW - HOUR)
    assert {code: draft.text for code, draft in verdict.unreadable.items()} == MessageCatalog().render_all("unreadable")
    assert judge(replace(poll, at=NOW - DAY), house) == InboundDecision(skip="unreadable")
