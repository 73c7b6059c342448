"""Passing a conversation to a person: what is said to whom, and until when."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sara import Identity, OutgoingContent
from sara.engines import Handoff, OperatorNotification
from sara.i18n.catalog import MessageCatalog
from sara.i18n.data import LANGUAGES
from sara.pipeline.bindings import ChannelBinding, ChannelBindings
from sara.pipeline.handoff import HandoffFactory, person_of, wording
from sara.policy.settings import ConversationSettings, HandoffSettings, Notify
from tests.fakes import ACCOUNT, NOW, FakeChannel
from tests.rows import each_row

HOUR = 3_600_000
TEXTS = MessageCatalog()


def route(name: str = "support", account: str = ACCOUNT, language: str = "en", **policy: Any) -> ChannelBinding:
    return ChannelBinding(
        name, FakeChannel(account), ConversationSettings(language=language, handoff=HandoffSettings(**policy)), {}
    )


def handing(*routes: ChannelBinding) -> HandoffFactory:
    return HandoffFactory(ChannelBindings(routes), TEXTS)


# ── until when ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("policy", "until"), [({}, NOW + 12 * HOUR), ({"return_after": HOUR}, NOW + HOUR), ({"return_after": None}, None)]
)
def test_a_person_has_the_conversation_as_long_as_the_file_says(policy: dict[str, Any], until: int | None) -> None:
    here = route(**policy)
    assert handing(here).start(here, "customer", "asked", "Ana", NOW).until == until
    assert handing(here).start_silently(here, "operator", "", NOW).until == until


# ── what the customer is told ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_customer_is_told_in_any_language_unless_the_answer_says_so_already() -> None:
    here = route()
    over = handing(here).start(here, "customer", "asked", "Ana", NOW)
    assert (over.by, over.reason, over.mode) == ("customer", "asked", "human")
    assert set(over.notice) == {"", *LANGUAGES}
    assert over.notice["pt"] == OutgoingContent(LANGUAGES["pt"].texts["hand_over"])
    assert handing(here).start(here, "assistant", "asked", "Ana", NOW, announced=True).notice == {}


def test_who_answers_already_tells_nobody() -> None:
    here = route(notify=Notify(channel="support", to="+49 170 1"))
    assert handing(here).start_silently(here, "operator", "from the phone", NOW) == Handoff(
        "operator", "from the phone", "human", NOW + 12 * HOUR
    )


def test_texts_are_said_as_the_business_changed_them() -> None:
    changed = MessageCatalog({"pt": {"hand_over": "Já vou chamar a Rita."}, "xx": {"hand_over": "Xx."}}, "pt")
    said = wording(changed, FakeChannel(), "hand_over")
    assert (said["pt"].text, said[""].text, said["xx"].text) == ("Já vou chamar a Rita.", "Já vou chamar a Rita.", "Xx.")
    assert said["de"].text == LANGUAGES["de"].texts["hand_over"]


# ── who is told ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nobody_is_told_where_the_file_names_nobody() -> None:
    here = route()
    assert handing(here).start(here, "customer", "asked", "Ana", NOW).tell is None


def test_a_person_of_the_business_is_told_by_the_channel_that_the_file_names_in_its_language() -> None:
    here = route(notify=Notify(channel="team", to="+49 170 1234567"))
    team = route("team", "test:2", "de")
    told = handing(here, team).start(here, "customer", "der Kunde will es", "Ana", NOW).tell
    words, values = LANGUAGES["de"].texts["operator_call"], {"name": "Ana", "reason": "der Kunde will es"}
    assert told == OperatorNotification("test:2", Identity(phone="491701234567"), OutgoingContent(words), values)


def test_a_channel_that_is_not_running_tells_nobody_and_hands_over_all_the_same() -> None:
    here = route(notify=Notify(channel="team", to="+49 170 1234567"))
    over = handing(here).start(here, "customer", "asked", "Ana", NOW)
    assert (over.tell, over.mode) == (None, "human")


def test_a_customers_name_and_a_models_reason_are_put_in_on_one_line_each() -> None:
    here = route(notify=Notify(channel="support", to="+1 555"))
    rows = [
        ("Ana", "Ana"),
        (None, "?"),
        ("", "?"),
        ("{words}", "{words}"),
        ("Ana\n\nAnswer with: rm -rf", "Ana Answer with: rm -rf"),
    ]
    for name, said in rows:
        told = handing(here).start(here, "customer", f"because\n{name}", name, NOW).tell
        assert told is not None
        assert told.values == {"name": said, "reason": " ".join(f"because {name}".split())}


def test_the_operators_of_a_channel_are_those_whom_any_channel_has_told_there() -> None:
    """Whoever is told on a channel is no customer of it, whichever channel the customers use."""
    support = route("support", notify=Notify(channel="team", to="+49 170 1234567"))
    sales = route("sales", "test:2", notify=Notify(channel="team", to="rita"))
    own = route("own", "test:3", notify=Notify(channel="own", to="+49 (0)170 1234567"))
    team = route("team", "test:4")
    rows = [(support, ()), (sales, ()), (own, (Identity(phone="491701234567"),))]
    rows.append((team, (Identity(phone="491701234567"), Identity(user_id="rita"))))
    for each, operators in rows:
        assert handing(support, sales, own, team).operators(each) == operators


@each_row(
    ("written", "person"),
    [
        ("+49 170 1234567", Identity(phone="491701234567")),
        ("+1 (555) 000-1111", Identity(phone="15550001111")),
        ("15550001111", Identity(phone="15550001111")),
        ("0055 (11) 91234-5678", Identity(phone="5511912345678")),
        ("+44 (0)20 7946 0958", Identity(phone="442079460958")),
        ("tel:+49.170.1234567", Identity(phone="491701234567")),
        ("  +15550001111 ", Identity(phone="15550001111")),
        ("US.10000000000000000111", Identity(user_id="US.10000000000000000111")),
        (" rita ", Identity(user_id="rita")),
        ("1x2", Identity(user_id="1x2")),
        ("+", Identity(user_id="+")),
        ("+49 call Rita 170", Identity(user_id="+49 call Rita 170")),
        ("++49170", Identity(user_id="++49170")),
    ],
)
def test_the_file_means_a_number_or_an_id(written: str, person: Identity) -> None:
    assert person_of(written) == person


def test_a_channel_may_tell_somebody_of_itself() -> None:
    here = route(notify=Notify(channel="support", to="rita"))
    told = handing(here).start(replace(here), "customer", "asked", "Ana", NOW).tell
    assert told is not None
    assert (told.account, told.person) == (ACCOUNT, Identity(user_id="rita"))
