"""What the sample webhook bodies say, read by hand: who wrote, in which words, and whether that calls for an answer."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sara import AccountEvent, Identity, IdentityChange, OperatorEcho, PreferenceChange

DATA = Path(__file__).parent / "data"
BODIES = DATA / "webhooks"

FIGURES: dict[str, dict[str, Any]] = json.loads((DATA / "webhook_figures.json").read_bytes())
"""What can be counted in each body, without any understanding of it. Every element counts, also those told twice."""

ANA = Identity(user_id="US.10000000000000000111", phone="15550001111", name="Ana Example")
KOFI = Identity(user_id="GH.20000000000000000222", phone="15550002222", name="Kofi Sample 🌍")
MEI = Identity(user_id="SG.30000000000000000333", phone="15550003333", username="mei.placeholder", name="Mei Placeholder")
NOX = Identity(user_id="DE.40000000000000000444", username="nox_nobody", name="Nox")


@dataclass(frozen=True)
class Said:
    """One message that a body should give."""

    who: Identity
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


def noted(who: Identity, text: str, kind: str) -> Said:
    return Said(who, text, kind, answer=False)


def said(*messages: Said) -> Expected:
    return Expected(messages)


OLD_ANA = Identity(user_id="US.10000000000000000111", phone="15550001111")
OLD_NOX = Identity(user_id="DE.40000000000000000444")
PAT = Identity("BR.50000000000000000555", "BR.ENT.55500000000000000001", "15550005555", "pat.parent", "Pat Parent")
IDA = Identity(user_id="NO.70000000000000000777", phone="15550007777", name="Ida Hash")
UNICODE = (
    "Family 👨‍👩‍👧‍👦 cafe\u0301 \u202bשלום\u202c\n*not bold * and _under_score_ ~x~ ```code```\n"
    "https://example.invalid/a_b_c?x=*1*&y=~2"
)
LOREM = ("/new " + "lorem ipsum dolor sit amet " * 200)[:4096]
BULK = [
    Identity(f"US.600000000000000000{n:02}", username=f"bulk.user{n:02}", name=f"Bulk {n:02}")
    if n % 5 == 0
    else Identity(f"US.600000000000000000{n:02}", phone=f"155501000{n:02}", name=f"Bulk {n:02}")
    for n in range(12)
]

EXPECTED = {
    "01_text_basic": said(Said(ANA, "Hi, are you open on Sunday?")),
    "02_text_legacy_no_bsuid": said(Said(Identity(phone="15550006666", name="Lee Legacy"), "hello")),
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
        Said(
            ANA,
            "[location] Sample Square, Sample Square 1, 10000 Sampletown (52.520008, 13.404954) url: https://places.example.invalid/1",
            "location",
        ),
        Said(ANA, "[location] (-33, -70.5)", "location"),
    ),
    "18_contacts_card": said(
        Said(
            MEI,
            "[contact] Dr. Invented Person, Example Clinic, Front desk, Receptionist, +1 555-000-8888, +1 555-000-8889,"
            " person@example.invalid, 1 Sample St, 00000, Sampletown, ST, Nowhere, https://example.invalid, birthday: 1990-01-02",
            "contacts",
        )
    ),
    "19_contacts_phone_shared": said(Said(NOX, "[own contact details] +15550004444", "contacts")),
    "20_interactive_button_reply": said(Said(ANA, "Confirm", "interactive")),
    "21_interactive_list_reply": said(Said(NOX, "Wed 10:00: Next free slot", "interactive")),
    "22_interactive_flow_reply": said(Said(KOFI, '[form] rating: 4; comment: Très bien "merci"', "interactive")),
    "23_button_template_quick_reply": said(Said(MEI, "OK, thanks [button: reminder-ok-77]", "button")),
    "24_reactions_add_remove": said(
        noted(ANA, "[reacted with 👍]", "reaction"),
        noted(ANA, "[took back the reaction]", "reaction"),
        noted(ANA, "[took back the reaction]", "reaction"),
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
        Said(NOX, "[message, not received: This message is currently unavailable.]", "unsupported")
    ),
    "31_media_too_large": said(Said(MEI, "[video, not received: Media file size too big]", "unsupported")),
    "32_edit_and_revoke": said(
        noted(ANA, "[changed an earlier message to:] Hi, are you open on Saturday?", "edit"),
        noted(ANA, "[deleted an earlier message]", "revoke"),
    ),
    "33_group_text": said(noted(ANA, "What do you all think?", "text"), noted(KOFI, "Fine for me", "text")),
    "34_unknown_type_and_keys": Expected(
        (
            noted(ANA, "[hologram message] hologram.id: h1; hologram.frames.n: 1; presence.mood: curious", "hologram"),
            Said(ANA, "did you get my hologram?"),
        ),
        left_out=Counter({"unknown_kind hologram": 1}),
    ),
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
        (Said(ANA, "first"), Said(NOX, "second"), noted(KOFI, "[reacted with ❤️]", "reaction")),
        ("delivered:sara-out-000010", "sent:sara-out-000011", "read:sara-out-000011"),
    ),
    "62_batch_messages_and_statuses_same_value": Expected(
        (Said(MEI, "mixed bag"),), ("delivered:sara-out-000012",), left_out=Counter({"error_beside_message 131000": 1})
    ),
    "63_redelivery_of_01_and_new": said(
        Said(ANA, "Hi, are you open on Sunday?"), Said(ANA, "Anybody there?"), Said(ANA, "Anybody there?")
    ),
    "64_foreign_phone_number_id": Expected(left_out=Counter({"foreign_number 123000123": 1})),
    "65_batch_36_messages_12_users": said(*(Said(BULK[n % 12], f"bulk message {n}") for n in range(36))),
    "70_user_preferences": Expected(changes=(PreferenceChange, PreferenceChange)),
    "71_account_and_quality_events": Expected(changes=(AccountEvent, AccountEvent, AccountEvent)),
    "72_template_status": Expected(changes=(AccountEvent, AccountEvent)),
    "73_calls": Expected(left_out=Counter({"unused_field calls": 2})),
    "74_smb_message_echo": Expected(changes=(OperatorEcho,)),
    "75_history_chunk": Expected(left_out=Counter({"unused_field history": 1})),
    "76_standby": Expected(left_out=Counter({"unused_field standby": 2})),
    "77_unknown_field": Expected(
        (Said(MEI, "normal message beside the unknown"),), left_out=Counter({"unused_field teleport_update": 1})
    ),
    "78_wire_form_escaped": said(Said(KOFI, "Grüße 👋 see https://example.invalid/a/b?x=<1>&y=50%@home")),
}
