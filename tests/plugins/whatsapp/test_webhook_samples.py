"""Every sample body in tests/data/webhooks, read through the channel as Meta would deliver it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sara_whatsapp.channel import WhatsAppChannel
from structlog.testing import capture_logs

from sara import AccountEvent, Attachment, Identity, IdentityChange, OperatorEcho, PreferenceChange, Request, WebhookResult
from tests.rows import each_row
from tests.samples import ANA, BODIES, EXPECTED, FIGURES, KOFI, NOX, OLD_ANA, OLD_NOX, Said

ACCOUNT = "whatsapp:109000000000555"


@pytest.fixture
def deliver(channel: WhatsAppChannel, sign: Callable[..., Request]) -> Callable[[str], WebhookResult]:
    """Deliver a sample body, byte for byte."""
    return lambda name: channel.receive(sign((BODIES / f"{name}.json").read_bytes()))


def test_the_table_knows_every_sample_body() -> None:
    assert {path.stem for path in BODIES.glob("*.json")} == EXPECTED.keys() == FIGURES.keys()


@each_row("name", EXPECTED)
def test_a_body_gives_what_it_says_and_nothing_else(name: str, deliver: Callable[[str], WebhookResult]) -> None:
    expected = EXPECTED[name]
    with capture_logs() as logs:
        reception = deliver(name)
    assert (reception.response.status, reception.verified, reception.unparsed) == (200, True, ())
    assert tuple(Said(m.person, m.text, m.kind, m.answer) for m in reception.messages) == expected.said
    assert tuple(_receipt(receipt) for receipt in reception.receipts) == expected.receipts
    assert tuple(type(change) for change in reception.changes) == expected.changes
    left_out = [line for line in logs if line["event"] == "webhook_ignored"]
    assert Counter({f"{line['what']} {line['which']}": line["count"] for line in left_out}) == expected.left_out
    assert {item.account for item in (*reception.messages, *reception.receipts, *reception.changes)} <= {ACCOUNT}


def _receipt(receipt: Any) -> str:
    status = f"{receipt.status} {receipt.failure.code}" if receipt.failure else receipt.status
    return f"{status}:{receipt.attempt_id}"


@each_row("name", [name for name, figures in FIGURES.items() if not figures.get("foreign")])
def test_nothing_that_can_be_counted_in_a_body_is_missing(name: str, deliver: Callable[[str], WebhookResult]) -> None:
    figures = FIGURES[name]
    reception = deliver(name)
    assert Counter(message.kind for message in reception.messages) == Counter(figures.get("kinds", {}))
    assert len({message.external_id for message in reception.messages}) == figures["distinct"]
    senders = {(message.person.user_id or message.person.phone) for message in reception.messages}
    assert len(senders) == figures.get("senders", len(senders))
    if "48_" not in name:
        assert len(reception.receipts) == figures["statuses"]


def test_a_message_keeps_its_id_its_time_its_words_and_its_raw_form(deliver: Callable[[str], WebhookResult]) -> None:
    (message,) = deliver("06_text_reply_context").messages
    assert message.external_id == "wamid.HBgLMTU1NTAwMDExMTEVAgASGBQyMEUxNzdGNTBBQ0Y3NTVBMDJEMAA="
    assert message.at == 1_795_308_030_000
    assert message.reply_to == "wamid.HBgLMTU1NTAwMDExMTEVAgARGBJEMkQzNzZFRERBNEM2QkRDNDAA"
    sent = json.loads((BODIES / "06_text_reply_context.json").read_text())
    assert json.loads(message.raw) == sent["entry"][0]["changes"][0]["value"]["messages"][0]


def test_the_structured_content_stays_with_the_message(deliver: Callable[[str], WebhookResult]) -> None:
    (image,) = deliver("10_image_caption_url").messages
    assert image.content["image"]["id"] == "1003300000000010"
    (advert,) = deliver("09_text_ad_referral").messages
    assert advert.content["referral"]["source_type"] == "ad"
    (poll,) = deliver("29_unsupported_poll").messages
    assert poll.content["errors"][0]["code"] == 131051


def test_a_reaction_an_edit_and_a_deletion_point_at_their_message(deliver: Callable[[str], WebhookResult]) -> None:
    first = deliver("01_text_basic").messages[0].external_id
    edit, _ = deliver("32_edit_and_revoke").messages
    assert edit.reply_to == first
    assert deliver("24_reactions_add_remove").messages[0].reply_to == "wamid.HBgLMTU1NTAwMDExMTEVAgARGBI3RkE0ODI4REFFQzk2RkMyOTgA"


def test_a_changed_number_moves_the_person(deliver: Callable[[str], WebhookResult]) -> None:
    (change,) = deliver("26_system_number_changed").changes
    after = Identity(user_id="US.10000000000000000199", phone="15550001199")
    assert change == IdentityChange(ACCOUNT, before=OLD_ANA, after=after, at=1_795_308_160_000)


def test_a_changed_user_id_moves_the_person_without_any_number(deliver: Callable[[str], WebhookResult]) -> None:
    (change,) = deliver("27_system_bsuid_changed").changes
    after = Identity(user_id="DE.40000000000000000499")
    assert change == IdentityChange(ACCOUNT, before=OLD_NOX, after=after, at=1_795_308_165_000)


def test_marketing_wishes_are_told_apart(deliver: Callable[[str], WebhookResult]) -> None:
    stop, resume = deliver("70_user_preferences").changes
    assert stop == PreferenceChange(ACCOUNT, KOFI, "marketing_messages", False, 1_795_308_500_000)
    assert resume == PreferenceChange(ACCOUNT, NOX, "marketing_messages", True, 1_795_308_501_000)


def test_an_answer_from_the_phone_app_is_an_echo_to_the_customer(deliver: Callable[[str], WebhookResult]) -> None:
    (echo,) = deliver("74_smb_message_echo").changes
    assert isinstance(echo, OperatorEcho)
    assert (echo.person, echo.kind, echo.text) == (ANA, "text", "Yes, we are open on Sunday.")


def test_a_threatened_account_is_serious_and_good_news_is_not(deliver: Callable[[str], WebhookResult]) -> None:
    events = [event for event in deliver("71_account_and_quality_events").changes if isinstance(event, AccountEvent)]
    assert [event.serious for event in events] == [True, False, False]
    assert "SCHEDULE_FOR_DISABLE" in events[0].summary
    assert [event.at for event in events] == [1_795_308_510_000] * 3
    templates = [event for event in deliver("72_template_status").changes if isinstance(event, AccountEvent)]
    assert [event.serious for event in templates] == [True, False]


def test_an_error_without_a_message_is_serious(deliver: Callable[[str], WebhookResult]) -> None:
    (event,) = deliver("51_value_errors").changes
    assert isinstance(event, AccountEvent)
    assert event.serious
    assert event.summary.startswith("130429: The number sends faster than Meta allows it.")


def test_a_failed_message_says_why_in_words(deliver: Callable[[str], WebhookResult]) -> None:
    (receipt,) = deliver("44_status_failed_window").receipts
    assert receipt.failure is not None
    assert receipt.failure.reason.startswith("More than 24 hours since the customer's last message")


def test_words_stay_the_customers_and_what_surrounds_them_is_noted_beside(deliver: Callable[[str], WebhookResult]) -> None:
    def notes(name: str) -> list[str | None]:
        return [message.content.get("note") for message in deliver(name).messages]

    assert notes("01_text_basic") == [None]
    assert notes("07_forwarded_two") == ["[forwarded]", "[forwarded many times]"]
    assert notes("08_text_referred_product") == ["[about the product sku-blue-01]"]
    assert notes("09_text_ad_referral") == ["[came from the ad “Chat with us: Summer plants are here!”]"]
    assert notes("33_group_text") == ["[said in a group]", "[said in a group]"]


def test_a_tap_points_at_the_message_that_had_the_button(deliver: Callable[[str], WebhookResult]) -> None:
    for name in ("20_interactive_button_reply", "21_interactive_list_reply", "22_interactive_flow_reply"):
        (message,) = deliver(name).messages
        assert message.reply_to == message.content["context"]["id"]
    (button,) = deliver("23_button_template_quick_reply").messages
    assert button.reply_to == button.content["context"]["id"]
    assert button.content["button"]["payload"] == "reminder-ok-77"


def test_a_file_comes_with_all_that_is_needed_to_fetch_and_check_it(deliver: Callable[[str], WebhookResult]) -> None:
    (picture,) = deliver("10_image_caption_url").messages
    assert picture.attachments == (
        Attachment(
            kind="image",
            mime="image/jpeg",
            reference="1003300000000010",
            url="https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1003300000000010&source=webhook"
            "&ext=1795000000&hash=ARinvented000010",
            sha256="087f4c7109d76636536c712c5121252018fa2dd0fddeba804f1df78494d8ea01",
        ),
    )
    ((bare,),) = (message.attachments for message in deliver("11_image_minimal").messages)
    assert (bare.url, bare.name, bare.voice) == (None, None, False)


def test_a_voice_note_is_told_from_a_song(deliver: Callable[[str], WebhookResult]) -> None:
    ((note,),) = (message.attachments for message in deliver("12_audio_voice").messages)
    ((song,),) = (message.attachments for message in deliver("13_audio_file").messages)
    assert (note.kind, note.mime, note.voice) == ("audio", "audio/ogg", True)
    assert (song.kind, song.mime, song.voice) == ("audio", "audio/mpeg", False)


def test_a_document_keeps_the_name_that_its_sender_gave_it(deliver: Callable[[str], WebhookResult]) -> None:
    ((document,),) = (message.attachments for message in deliver("15_document_pdf").messages)
    assert (document.kind, document.name) == ("document", "../Rechnung März 2026 – №7.pdf")


def test_only_what_the_customer_says_to_the_business_opens_the_window(deliver: Callable[[str], WebhookResult]) -> None:
    def opening(name: str) -> list[bool]:
        return [message.opens_window for message in deliver(name).messages]

    assert opening("01_text_basic") == [True]
    assert opening("28_request_welcome") == [True]
    assert opening("34_unknown_type_and_keys") == [False, True]
    assert opening("29_unsupported_poll") == [True]
    for name in ("24_reactions_add_remove", "26_system_number_changed", "32_edit_and_revoke"):
        assert not any(opening(name))
    assert opening("33_group_text") == [False, False]


def test_what_counts_towards_the_months_messages(deliver: Callable[[str], WebhookResult]) -> None:
    def counting(name: str) -> list[bool]:
        return [receipt.counts for receipt in deliver(name).receipts]

    assert counting("40_status_sent_priced") == [True]
    assert counting("41_status_delivered_billed") == [True]
    assert counting("42_status_read_only_bsuid") == [False]
    assert counting("43_status_out_of_order") == [False, True, True, True]
    assert counting("50_status_conversation_free_entry") == [False]


def test_prices_come_along(deliver: Callable[[str], WebhookResult]) -> None:
    (receipt,) = deliver("41_status_delivered_billed").receipts
    assert receipt.pricing == {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "service"}


def test_reading_a_body_twice_gives_the_same(deliver: Callable[[str], WebhookResult]) -> None:
    assert deliver("61_batch_entries_and_changes") == deliver("61_batch_entries_and_changes")
