"""Every sample body in tests/data/webhooks, read through the channel as Meta would deliver it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sara_whatsapp.channel import WhatsAppChannel
from structlog.testing import capture_logs

from sara import AccountEvent, Echo, IdentityChange, Person, PreferenceChange, Reception, Request

BODIES = Path(__file__).parents[2] / "data" / "webhooks"
ACCOUNT = "whatsapp:109000000000555"

ANA = Person(user_id="US.10000000000000000111", phone="15550001111", name="Ana Example")
KOFI = Person(user_id="GH.20000000000000000222", phone="15550002222", name="Kofi Sample 🌍")
MEI = Person(user_id="SG.30000000000000000333", phone="15550003333", username="mei.placeholder", name="Mei Placeholder")
NOX = Person(user_id="DE.40000000000000000444", username="nox_nobody", name="Nox")


@dataclass(frozen=True)
class Said:
    """One message that a body should give."""

    who: Person
    text: str
    kind: str = "text"
    answer: bool = True


@dataclass(frozen=True)
class Expected:
    """All that a body should give: messages in order, receipts as `status:attempt`, changes by type, log lines."""

    said: tuple[Said, ...] = ()
    receipts: tuple[str, ...] = ()
    changes: tuple[type, ...] = ()
    left_out: Counter[str] = field(default_factory=Counter)


def noted(who: Person, text: str, kind: str) -> Said:
    return Said(who, text, kind, answer=False)


def said(*messages: Said) -> Expected:
    return Expected(messages)


OLD_ANA = Person(user_id="US.10000000000000000111", phone="15550001111")
OLD_NOX = Person(user_id="DE.40000000000000000444")
PAT = Person("BR.50000000000000000555", "BR.ENT.55500000000000000001", "15550005555", "pat.parent", "Pat Parent")
IDA = Person(user_id="NO.70000000000000000777", phone="15550007777", name="Ida Hash")
UNICODE = (
    "Family 👨‍👩‍👧‍👦 cafe\u0301 \u202bשלום\u202c\n*not bold * and _under_score_ ~x~ ```code```\n"
    "https://example.invalid/a_b_c?x=*1*&y=~2"
)
LOREM = ("/new " + "lorem ipsum dolor sit amet " * 200)[:4096]

EXPECTED = {
    "01_text_basic": said(Said(ANA, "Hi, are you open on Sunday?")),
    "02_text_legacy_no_bsuid": said(Said(Person(phone="15550006666", name="Lee Legacy"), "hello")),
    "03_text_bsuid_only": said(Said(NOX, "Can you help me without my number?")),
    "04_text_all_identifiers": said(Said(PAT, "Bom dia!")),
    "05_text_unicode_markers": said(Said(KOFI, UNICODE)),
    "06_text_reply_context": said(Said(ANA, "That one please")),
    "07_forwarded_two": said(Said(ANA, "FYI"), Said(ANA, "Share with ten friends!")),
    "08_text_referred_product": said(Said(MEI, "Is this available in blue?")),
    "09_text_ad_referral": said(Said(KOFI, "Hello! Can I get more info on this?")),
    "10_image_caption_url": said(Said(ANA, "[image] What plant is this?", "image")),
    "11_image_minimal": said(Said(NOX, "[image]", "image")),
    "12_audio_voice": said(Said(ANA, "[voice message]", "audio")),
    "13_audio_file": said(Said(KOFI, "[audio]", "audio")),
    "14_video_caption": said(Said(MEI, "[video] Noise starts at 0:12", "video")),
    "15_document_pdf": said(Said(ANA, "[document: ../Rechnung März 2026 – №7.pdf] Invoice", "document")),
    "16_stickers": said(Said(KOFI, "[sticker]", "sticker"), Said(KOFI, "[animated sticker]", "sticker")),
    "17_locations": said(
        Said(ANA, "[location] Sample Square, Sample Square 1, 10000 Sampletown (52.520008, 13.404954)", "location"),
        Said(ANA, "[location] (-33, -70.5)", "location"),
    ),
    "18_contacts_card": said(
        Said(
            MEI,
            "[contact] Dr. Invented Person, Example Clinic, +1 555-000-8888, +1 555-000-8889, person@example.invalid",
            "contacts",
        )
    ),
    "19_contacts_phone_shared": said(Said(NOX, "[own contact details] +15550004444", "contacts")),
    "20_interactive_button_reply": said(Said(ANA, "Confirm", "interactive")),
    "21_interactive_list_reply": said(Said(NOX, "Wed 10:00", "interactive")),
    "22_interactive_flow_reply": said(Said(KOFI, '[form] rating: 4; comment: Très bien "merci"', "interactive")),
    "23_button_template_quick_reply": said(Said(MEI, "OK, thanks", "button")),
    "24_reactions_add_remove": said(
        noted(ANA, "[reaction 👍]", "reaction"),
        noted(ANA, "[reaction removed]", "reaction"),
        noted(ANA, "[reaction removed]", "reaction"),
    ),
    "25_order": said(Said(KOFI, "[order] 2 × sku-1 at 7.99 USD, 1 × sku-2 at 20 USD: Love these!", "order")),
    "26_system_number_changed": Expected(
        (noted(OLD_ANA, "[User Ana Example changed from 15550001111 to 15550001199]", "system"),), changes=(IdentityChange,)
    ),
    "27_system_bsuid_changed": Expected(
        (noted(OLD_NOX, "[User Nox changed from DE.40000000000000000444 to DE.40000000000000000499]", "system"),),
        changes=(IdentityChange,),
    ),
    "28_request_welcome": said(noted(ANA, "[opened the chat]", "request_welcome")),
    "29_unsupported_poll": said(noted(KOFI, "[unsupported message: poll creation; Message type unknown]", "unsupported")),
    "30_unsupported_unavailable": said(
        noted(NOX, "[unsupported message: media placeholder; This message is currently unavailable.]", "unsupported")
    ),
    "31_media_too_large": said(noted(MEI, "[unsupported message: video; Media file size too big]", "unsupported")),
    "32_edit_and_revoke": said(
        noted(ANA, "[edited] Hi, are you open on Saturday?", "edit"), noted(ANA, "[deleted a message]", "revoke")
    ),
    "33_group_text": said(noted(ANA, "What do you all think?", "text"), noted(KOFI, "Fine for me", "text")),
    "34_unknown_type_and_keys": said(noted(ANA, "[hologram message]", "hologram"), Said(ANA, "did you get my hologram?")),
    "35_text_stop": said(Said(KOFI, "STOP")),
    "36_text_identity_hash": said(Said(IDA, "It is still me")),
    "37_text_max_length": said(Said(ANA, LOREM)),
    "40_status_sent_priced": Expected(receipts=("sent:sara-out-000001",)),
    "41_status_delivered_billed": Expected(receipts=("delivered:sara-out-000002",)),
    "42_status_read_only_bsuid": Expected(receipts=("read:sara-out-000003",)),
    "43_status_out_of_order": Expected(
        receipts=("read:sara-out-000004", "delivered:sara-out-000004", "sent:sara-out-000004", "delivered:sara-out-000004")
    ),
    "44_status_failed_window": Expected(receipts=("failed 131047:sara-out-000005",)),
    "45_status_failed_undeliverable_bsuid": Expected(receipts=("failed 131026:sara-out-000006",)),
    "46_status_failed_pair_limit": Expected(receipts=("failed 131056:None",)),
    "47_status_played": Expected(receipts=("read:sara-out-000007",)),
    "48_status_unknown_values": Expected(left_out=Counter({"unused_status deleted": 1, "unused_status warning": 1})),
    "49_status_group": Expected(receipts=("delivered:None", "read:None")),
    "50_status_conversation_free_entry": Expected(receipts=("sent:sara-out-000008",)),
    "51_value_errors": Expected(changes=(AccountEvent,)),
    "60_batch_many_users_one_value": said(
        Said(ANA, "one"),
        Said(NOX, "from nobody"),
        Said(KOFI, "[image]", "image"),
        Said(ANA, "two"),
        Said(MEI, "[voice message]", "audio"),
        Said(NOX, "second from nobody"),
        Said(ANA, "zero (older timestamp, arrives last)"),
    ),
    "61_batch_entries_and_changes": Expected(
        (Said(ANA, "first"), Said(NOX, "second"), noted(KOFI, "[reaction ❤️]", "reaction")),
        ("delivered:sara-out-000010", "sent:sara-out-000011", "read:sara-out-000011"),
    ),
    "62_batch_messages_and_statuses_same_value": Expected(
        (Said(MEI, "mixed bag"),), ("delivered:sara-out-000012",), (AccountEvent,)
    ),
    "63_redelivery_of_01_and_new": said(
        Said(ANA, "Hi, are you open on Sunday?"), Said(ANA, "Anybody there?"), Said(ANA, "Anybody there?")
    ),
    "64_foreign_phone_number_id": Expected(left_out=Counter({"foreign_number 123000123": 1})),
    "70_user_preferences": Expected(changes=(PreferenceChange, PreferenceChange)),
    "71_account_and_quality_events": Expected(changes=(AccountEvent, AccountEvent, AccountEvent)),
    "72_template_status": Expected(changes=(AccountEvent, AccountEvent)),
    "73_calls": Expected(left_out=Counter({"unused_field calls": 2})),
    "74_smb_message_echo": Expected(changes=(Echo,)),
    "75_history_chunk": Expected(left_out=Counter({"unused_field history": 1})),
    "76_standby": Expected(left_out=Counter({"unused_field standby": 2})),
    "77_unknown_field": Expected(
        (Said(MEI, "normal message beside the unknown"),), left_out=Counter({"unused_field teleport_update": 1})
    ),
    "78_wire_form_escaped": said(Said(KOFI, "Grüße 👋 see https://example.invalid/a/b?x=<1>&y=50%@home")),
}


@pytest.fixture
def deliver(channel: WhatsAppChannel, sign: Callable[..., Request]) -> Callable[[str], Reception]:
    """Deliver a sample body, byte for byte."""
    return lambda name: channel.receive(sign((BODIES / f"{name}.json").read_bytes()))


def test_the_table_knows_every_sample_body() -> None:
    assert {path.stem for path in BODIES.glob("*.json")} == {*EXPECTED, "65_batch_36_messages_12_users"}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_body_gives_what_it_says_and_nothing_else(name: str, deliver: Callable[[str], Reception]) -> None:
    expected = EXPECTED[name]
    with capture_logs() as logs:
        reception = deliver(name)
    assert (reception.response.status, reception.verified, reception.set_aside) == (200, True, ())
    assert tuple(Said(m.person, m.text, m.kind, m.answer) for m in reception.messages) == expected.said
    assert tuple(_receipt(receipt) for receipt in reception.receipts) == expected.receipts
    assert tuple(type(change) for change in reception.changes) == expected.changes
    assert Counter({f"{line['what']} {line['which']}": line["count"] for line in logs}) == expected.left_out
    assert {item.account for item in (*reception.messages, *reception.receipts, *reception.changes)} <= {ACCOUNT}


def _receipt(receipt: Any) -> str:
    status = f"{receipt.status} {receipt.failure.code}" if receipt.failure else receipt.status
    return f"{status}:{receipt.attempt_id}"


def test_each_of_thirty_six_messages_goes_to_its_own_sender(deliver: Callable[[str], Reception]) -> None:
    messages = deliver("65_batch_36_messages_12_users").messages
    assert [message.text for message in messages] == [f"bulk message {index}" for index in range(36)]
    for index, message in enumerate(messages):
        assert message.person.name == f"Bulk {index % 12:02}"
        assert message.person.user_id == f"US.600000000000000000{index % 12:02}"
    assert len({message.external_id for message in messages}) == 36


def test_a_message_keeps_its_id_its_time_its_words_and_its_raw_form(deliver: Callable[[str], Reception]) -> None:
    (message,) = deliver("06_text_reply_context").messages
    assert message.external_id == "wamid.HBgLMTU1NTAwMDExMTEVAgASGBQyMEUxNzdGNTBBQ0Y3NTVBMDJEMAA="
    assert message.at == 1_795_308_030_000
    assert message.reply_to == "wamid.HBgLMTU1NTAwMDExMTEVAgARGBJEMkQzNzZFRERBNEM2QkRDNDAA"
    sent = json.loads((BODIES / "06_text_reply_context.json").read_text())
    assert json.loads(message.raw) == sent["entry"][0]["changes"][0]["value"]["messages"][0]


def test_the_structured_content_stays_with_the_message(deliver: Callable[[str], Reception]) -> None:
    (image,) = deliver("10_image_caption_url").messages
    assert image.content["image"]["id"] == "1003300000000010"
    (advert,) = deliver("09_text_ad_referral").messages
    assert advert.content["referral"]["source_type"] == "ad"
    (poll,) = deliver("29_unsupported_poll").messages
    assert poll.content["errors"][0]["code"] == 131051


def test_a_reaction_an_edit_and_a_deletion_point_at_their_message(deliver: Callable[[str], Reception]) -> None:
    first = deliver("01_text_basic").messages[0].external_id
    edit, _ = deliver("32_edit_and_revoke").messages
    assert edit.reply_to == first
    assert deliver("24_reactions_add_remove").messages[0].reply_to == "wamid.HBgLMTU1NTAwMDExMTEVAgARGBI3RkE0ODI4REFFQzk2RkMyOTgA"


def test_a_changed_number_moves_the_person(deliver: Callable[[str], Reception]) -> None:
    (change,) = deliver("26_system_number_changed").changes
    after = Person(user_id="US.10000000000000000199", phone="15550001199")
    assert change == IdentityChange(ACCOUNT, before=OLD_ANA, after=after, at=1_795_308_160_000)


def test_a_changed_user_id_moves_the_person_without_any_number(deliver: Callable[[str], Reception]) -> None:
    (change,) = deliver("27_system_bsuid_changed").changes
    after = Person(user_id="DE.40000000000000000499")
    assert change == IdentityChange(ACCOUNT, before=OLD_NOX, after=after, at=1_795_308_165_000)


def test_marketing_wishes_are_told_apart(deliver: Callable[[str], Reception]) -> None:
    stop, resume = deliver("70_user_preferences").changes
    assert stop == PreferenceChange(ACCOUNT, KOFI, "marketing_messages", False, 1_795_308_500_000)
    assert resume == PreferenceChange(ACCOUNT, NOX, "marketing_messages", True, 1_795_308_501_000)


def test_an_answer_from_the_phone_app_is_an_echo_to_the_customer(deliver: Callable[[str], Reception]) -> None:
    (echo,) = deliver("74_smb_message_echo").changes
    assert isinstance(echo, Echo)
    assert (echo.person, echo.kind, echo.text) == (ANA, "text", "Yes, we are open on Sunday.")


def test_a_threatened_account_is_serious_and_good_news_is_not(deliver: Callable[[str], Reception]) -> None:
    events = [event for event in deliver("71_account_and_quality_events").changes if isinstance(event, AccountEvent)]
    assert [event.serious for event in events] == [True, False, False]
    assert "SCHEDULE_FOR_DISABLE" in events[0].summary
    assert [event.at for event in events] == [1_795_308_510_000] * 3
    templates = [event for event in deliver("72_template_status").changes if isinstance(event, AccountEvent)]
    assert [event.serious for event in templates] == [True, False]


def test_an_error_without_a_message_is_serious(deliver: Callable[[str], Reception]) -> None:
    (event,) = deliver("51_value_errors").changes
    assert isinstance(event, AccountEvent)
    assert event.serious
    assert event.summary.startswith("130429: The number sends faster than Meta allows it.")


def test_a_failed_message_says_why_in_words(deliver: Callable[[str], Reception]) -> None:
    (receipt,) = deliver("44_status_failed_window").receipts
    assert receipt.failure is not None
    assert receipt.failure.reason.startswith("More than 24 hours since the customer's last message")


def test_prices_come_along(deliver: Callable[[str], Reception]) -> None:
    (receipt,) = deliver("41_status_delivered_billed").receipts
    assert receipt.pricing == {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "service"}


def test_reading_a_body_twice_gives_the_same(deliver: Callable[[str], Reception]) -> None:
    assert deliver("61_batch_entries_and_changes") == deliver("61_batch_entries_and_changes")
