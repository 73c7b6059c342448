"""Stored first, everything else after."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sara import (
    AccountEvent,
    Echo,
    InboundMessage,
    Line,
    OpenWork,
    Person,
    PreferenceChange,
    Receipt,
    Reception,
    SetAside,
    StoreLost,
    StoreUnavailable,
    Taken,
    Verdict,
    Wake,
)
from sara.config import Conversation, HandOverPolicy, Notify
from sara.inbox import Inbox
from sara.texts import Texts
from tests.fakes import ACCOUNT, ANA, CONVERSATION, NOW, House, stored


def message(words: str = "hello", **changes: Any) -> InboundMessage:
    return InboundMessage(ACCOUNT, "in-1", ANA, changes.pop("kind", "text"), words, NOW, **changes)


@pytest.fixture
def house() -> House:
    house = House(policy=Conversation(responder="assistant", quiet=700, quiet_longest=9_000))
    house.store.taken = Taken(work=(OpenWork(CONVERSATION, ACCOUNT, NOW + 700, None),), stored=(stored(),))
    return house


@pytest.fixture
def inbox(house: House) -> Inbox:
    return Inbox(house.store, house.queue, house.routes, house.lanes, house.hooks, house.problems, house.clock, house.rules)


async def test_what_came_is_stored_with_its_verdict_and_quiet_window(house: House, inbox: Inbox) -> None:
    receipt = Receipt(ACCOUNT, "read", NOW, "out-1")
    change = PreferenceChange(ACCOUNT, ANA, "marketing_messages", False, NOW)
    aside = SetAside(ACCOUNT, "unknown kind", b"{}")
    await inbox.accept(
        house.route, Reception(verified=True, messages=(message(),), receipts=(receipt,), changes=(change,), set_aside=(aside,))
    )
    [(intake, now)] = house.store.called("accept")
    assert now == NOW
    assert intake.account == ACCOUNT
    [arrival] = intake.arrivals
    assert (arrival.message, arrival.verdict, arrival.quiet, arrival.quiet_longest) == (message(), Verdict(), 700, 9_000)
    assert (intake.receipts, intake.changes, intake.set_aside) == ((receipt,), (change,), (aside,))
    await inbox.close()


async def test_what_no_database_can_take_is_taken_out_whatever_the_channel_let_through(house: House, inbox: Inbox) -> None:
    odd = replace(message("half \ud83d\x00 done", raw='{"name": "\ud83d"}'), person=replace(ANA, name="Ana\x00"))
    await inbox.accept(house.route, Reception(verified=True, messages=(odd,)))
    await inbox.close()
    [(intake, _)] = house.store.called("accept")
    [arrival] = intake.arrivals
    kept = arrival.message
    assert (kept.text, kept.raw, kept.person.name) == ("half \ufffd done", '{"name": "\ufffd"}', "Ana")


async def test_nothing_unverified_is_ever_stored(house: House, inbox: Inbox) -> None:
    await inbox.accept(house.route, Reception(messages=(message(),), set_aside=(SetAside(ACCOUNT, "odd", b""),)))
    await inbox.close()
    assert house.store.calls == []
    assert house.queue.woken == []
    assert house.listed() == {}


async def test_whoever_has_work_is_woken(house: House, inbox: Inbox) -> None:
    await inbox.accept(house.route, Reception(verified=True, messages=(message(),)))
    await inbox.close()
    assert house.queue.woken == [Wake("reply", CONVERSATION, NOW + 700, "reply:assistant")]


async def test_the_store_is_the_only_one_that_is_waited_for(house: House, inbox: Inbox) -> None:
    await inbox.accept(house.route, Reception(verified=True, messages=(message(),)))
    assert house.store.called("accept")
    assert house.queue.woken == []
    await inbox.close()
    assert house.queue.woken


@pytest.mark.parametrize("error", [StoreUnavailable(), StoreLost()])
async def test_what_could_not_be_stored_is_said_and_nobody_is_woken(house: House, inbox: Inbox, error: Exception) -> None:
    house.store.fails["accept"] = [error]
    with pytest.raises(type(error)):
        await inbox.accept(house.route, Reception(verified=True, messages=(message(),)))
    await inbox.close()
    assert house.queue.woken == []


@pytest.mark.parametrize("error", [StoreUnavailable("disk full"), RuntimeError("no connection")])
async def test_a_failed_wake_is_the_operators_problem_until_one_works(house: House, inbox: Inbox, error: Exception) -> None:
    house.queue.fails = error
    await inbox.accept(house.route, Reception(verified=True, messages=(message(),)))
    await inbox.close()
    assert house.listed() == {"queue:wake": 1}
    house.queue.fails = None
    await inbox.accept(house.route, Reception(verified=True, messages=(message(),)))
    await inbox.close()
    assert house.listed() == {}


async def test_what_was_not_understood_is_a_problem_that_counts_it(house: House, inbox: Inbox) -> None:
    await inbox.accept(
        house.route, Reception(verified=True, set_aside=(SetAside(ACCOUNT, "odd", b"1"), SetAside(ACCOUNT, "odd", b"2")))
    )
    await inbox.close()
    assert house.listed() == {"set-aside:support": 2}


async def test_serious_news_of_the_account_is_a_problem_and_other_news_is_not(house: House, inbox: Inbox) -> None:
    banned = AccountEvent(ACCOUNT, "ban", "the account is banned", NOW, serious=True)
    renamed = AccountEvent(ACCOUNT, "name", "the name was approved", NOW)
    await inbox.accept(house.route, Reception(verified=True, changes=(banned, renamed)))
    await inbox.close()
    assert house.listed() == {"account:support:ban": 1}


async def test_plugins_are_told_of_new_messages_and_of_receipts(house: House, inbox: Inbox) -> None:
    listener = house.listens()
    receipt = Receipt(ACCOUNT, "delivered", NOW, "out-1")
    house.store.taken = Taken(stored=(stored("in-1"), stored("in-2")), known=1, receipts=((stored("out-1", "out"), receipt),))
    await inbox.accept(house.route, Reception(verified=True, messages=(message(),), receipts=(receipt,)))
    await inbox.close()
    assert listener.told == [
        ("message_received", "in-1"),
        ("message_received", "in-2"),
        ("delivery_changed", ("out-1", "delivered")),
    ]


# ── the immediate rules ───────────────────────────────────────────────────────────────────────────────────────────────────


def judge(message: InboundMessage, house: House | None = None) -> Verdict:
    house = house or House()
    return house.rules.judge(message, house.route, NOW)


def test_a_message_calls_for_an_answer() -> None:
    assert judge(message("Hello, do you open on Sunday?")) == Verdict()


@pytest.mark.parametrize(
    ("words", "consent", "language"),
    [("STOP", "opt_out", None), ("Arrêt", "opt_out", "fr"), ("start", "opt_in", None), ("ابدأ", "opt_in", "ar")],
)
def test_a_consent_word_takes_effect_is_confirmed_and_not_answered(words: str, consent: str, language: str | None) -> None:
    verdict = judge(message(words))
    assert (verdict.consent, verdict.skip, verdict.language) == (consent, consent, language)
    key = "opted_out" if consent == "opt_out" else "opted_in"
    assert {code: draft.text for code, draft in verdict.notice.items()} == Texts().everywhere(key)


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
    assert judge(message("stop", kind="interactive", choice="Stop 12, Main Street")) == Verdict()


async def test_a_common_word_is_judged_by_what_the_customer_was_told_before(house: House, inbox: Inbox) -> None:
    asked = Line("m1", "assistant", "Are you the owner or an agent?", NOW - 5_000)
    for said, verdicts in ((asked, [None, None, "opt_out"]), (None, [None, "handed_over", "opt_out"])):
        house.store.calls.clear()
        house.store.said_before = said
        messages = (message("Hello!"), message("Agent"), message("STOP"))
        await inbox.accept(house.route, Reception(verified=True, messages=messages))
        [(intake, _)] = house.store.called("accept")
        assert [arrival.verdict.skip for arrival in intake.arrivals] == verdicts
        assert house.store.called("last_said") == [(ACCOUNT, ANA)], "only for the message that depends on it"
    await inbox.close()


async def test_where_the_store_cannot_be_asked_nothing_is_acknowledged(house: House, inbox: Inbox) -> None:
    house.store.fails["last_said"] = [StoreUnavailable("disk full")]
    with pytest.raises(StoreUnavailable):
        await inbox.accept(house.route, Reception(verified=True, messages=(message("agent"),)))
    assert house.store.called("accept") == []


@pytest.mark.parametrize("kind", ["image", "contacts", "location"])
def test_a_word_that_was_not_written_says_nothing_about_consent(kind: str) -> None:
    assert judge(message("STOP", kind=kind)) == Verdict()


def test_what_calls_for_no_answer_is_only_recorded() -> None:
    assert judge(message("👍", kind="reaction", answer=False)) == Verdict(skip="recorded")


@pytest.mark.parametrize(("words", "language"), [("atendente", "pt"), ("Mitarbeiter", "de")])
def test_a_word_for_a_person_hands_over_tells_the_customer_and_is_not_answered(words: str, language: str) -> None:
    verdict = judge(message(words))
    assert (verdict.skip, verdict.consent, verdict.language) == ("handed_over", None, language)
    over = verdict.hand_over
    assert over is not None
    assert (over.by, over.mode, over.until, over.tell) == ("customer", "human", NOW + 43_200_000, None)
    assert over.notice[language].text == Texts().say("hand_over", language)


def test_somebody_of_the_business_is_told_who_asks_for_a_person() -> None:
    notify = Notify(channel="support", to="+49 171 5550000")
    house = House(policy=Conversation(responder="assistant", hand_over=HandOverPolicy(notify=notify, back_after=None)))
    over = judge(message("human"), house).hand_over
    assert over is not None
    assert over.until is None
    assert over.tell is not None
    assert (over.tell.account, over.tell.person) == (ACCOUNT, Person(phone="491715550000"))
    assert over.tell.values == {"name": "Ana", "reason": "the customer asked for it"}
    assert {"{name}", "{reason}", "{conversation}", "{number}", "{words}"} <= set(
        over.tell.draft.text.replace("(", "").replace(",", " ").replace(")", " ").replace(":", " ").split()
    )


def test_words_for_a_person_mean_nothing_where_nobody_is_to_take_over() -> None:
    house = House(policy=Conversation(responder="assistant", hand_over=HandOverPolicy(words=False)))
    assert judge(message("human"), house) == Verdict()


async def test_a_message_comes_with_the_language_it_is_written_in(house: House, inbox: Inbox) -> None:
    said = message("Bom dia, vocês abrem no domingo?")
    await inbox.accept(house.route, Reception(verified=True, messages=(said, message("👍"))))
    [(intake, _)] = house.store.called("accept")
    assert [arrival.language for arrival in intake.arrivals] == ["pt", None]
    await inbox.close()


async def test_an_answer_from_the_phone_app_hands_the_conversation_over_quietly(house: House, inbox: Inbox) -> None:
    echo = Echo(ACCOUNT, "echo-1", ANA, "text", "I am on it", NOW)
    await inbox.accept(house.route, Reception(verified=True, changes=(echo,)))
    [(intake, _)] = house.store.called("accept")
    assert intake.echoed is not None
    assert (intake.echoed.by, intake.echoed.mode, intake.echoed.notice, intake.echoed.tell) == ("operator", "human", {}, None)
    await inbox.close()
