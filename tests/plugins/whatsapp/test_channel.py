"""The channel's door: who may come in, and what leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sara_simulators.whatsapp import WhatsAppSimulator
from sara_whatsapp import register_channels
from sara_whatsapp.channel import WhatsAppChannel
from sara_whatsapp.formatting import to_whatsapp
from sara_whatsapp.send import composer
from structlog.testing import capture_logs

from sara import Channel, Identity, NotSent, OutboundMessage, OutgoingContent, Rejected, Request, SaraError, WebhookResult
from tests.plugins.whatsapp.provider import Receiver
from tests.plugins.whatsapp.schema import faults_of_body
from tests.rows import each_row

BODY = b'{"object":"whatsapp_business_account","entry":[]}'


def with_header(value: str | None) -> Request:
    headers = {} if value is None else {"x-hub-signature-256": value}
    return Request("POST", "/webhook/messages", headers=headers, body=BODY)


def test_the_plugin_brings_the_channel() -> None:
    assert list(register_channels()) == [WhatsAppChannel]


def test_the_channel_says_what_the_core_needs_to_know(make_channel: Callable[..., WhatsAppChannel]) -> None:
    channel: Channel = make_channel(on_doubt="hold", doubt_timeout="90s", webhook="/hooks/wa")
    assert channel.account == "whatsapp:109000000000555"
    assert (channel.webhook, channel.text_limit, channel.receipts_carry_attempt) == ("/hooks/wa", 4096, True)
    assert (channel.on_doubt, channel.doubt_timeout) == ("hold", 90_000)
    assert channel.kinds == composer.KINDS


def test_the_window_closes_ten_minutes_before_metas_day_is_over(channel: WhatsAppChannel) -> None:
    assert channel.reply_window == (24 * 60 - 10) * 60_000


# signatures


def test_a_right_signature_is_let_in(channel: WhatsAppChannel, sign: Callable[..., Request]) -> None:
    reception = channel.receive(sign(BODY))
    assert (reception.response.status, reception.verified) == (200, True)


@each_row(
    "forge",
    [
        pytest.param(lambda right: None, id="missing"),
        pytest.param(lambda right: "", id="empty"),
        pytest.param(lambda right: right.replace("sha256=", "sha1="), id="another algorithm"),
        pytest.param(lambda right: right.removeprefix("sha256="), id="no algorithm"),
        pytest.param(lambda right: right.replace("sha256", "SHA256"), id="upper-case algorithm"),
        pytest.param(lambda right: "sha256=" + right[7:].upper(), id="upper-case digits"),
        pytest.param(lambda right: right[:-1], id="one digit short"),
        pytest.param(lambda right: right + "0", id="one digit long"),
        pytest.param(lambda right: f" {right}", id="a space before"),
        pytest.param(lambda right: f"{right}, {right}", id="two in one"),
        pytest.param(lambda right: right[:-1] + "é", id="not ASCII"),
        pytest.param(lambda right: "sha256=" + "\u0660" * 64, id="digits of another script"),
        pytest.param(lambda right: right[:-1] + "\udcff", id="undecodable byte"),
        pytest.param(lambda right: "sha256=" + "0" * 64, id="zeros"),
    ],
)
def test_a_wrong_signature_is_kept_out(
    forge: Callable[[str], str | None], channel: WhatsAppChannel, sign: Callable[..., Request]
) -> None:
    right = sign(BODY).headers["x-hub-signature-256"]
    reception = channel.receive(with_header(forge(right)))
    assert reception == WebhookResult(reception.response)
    assert reception.response.status == 401


def test_a_body_that_was_changed_on_its_way_is_kept_out(channel: WhatsAppChannel, sign: Callable[..., Request]) -> None:
    headers = sign(BODY).headers
    for changed in (BODY + b" ", BODY[:-1], BODY.replace(b"[]", b"{}"), b""):
        assert channel.receive(Request("POST", "/", headers=headers, body=changed)).response.status == 401


def test_a_wrong_signature_is_refused_before_the_body_is_read(channel: WhatsAppChannel, sign: Callable[..., Request]) -> None:
    reception = channel.receive(sign(b"[" * 100_000, "another secret"))
    assert (reception.response.status, reception.unparsed) == (401, ())


def test_an_empty_secret_opens_nothing(channel: WhatsAppChannel, sign: Callable[..., Request]) -> None:
    assert channel.receive(sign(BODY, "")).response.status == 401


def test_the_old_secret_stays_valid_while_it_is_being_changed(
    make_channel: Callable[..., WhatsAppChannel], sign: Callable[..., Request]
) -> None:
    channel = make_channel(app_secret=["the new one", "the old one"])
    assert [channel.receive(sign(BODY, secret)).response.status for secret in ("the new one", "the old one", "neither")] == [
        200,
        200,
        401,
    ]


def test_refused_signatures_are_told_once_a_minute_and_without_the_body(
    channel: WhatsAppChannel, sign: Callable[..., Request]
) -> None:
    with capture_logs() as logs:
        for _ in range(100):
            channel.receive(sign(b"secret words", "wrong"))
    assert [line["event"] for line in logs] == ["webhook_signature_rejected"]
    assert "secret words" not in str(logs)


@each_row("method", ["PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "BREW"])
def test_other_methods_are_refused(method: str, channel: WhatsAppChannel, sign: Callable[..., Request]) -> None:
    signed = sign(BODY)
    assert channel.receive(Request(method, signed.path, headers=signed.headers, body=BODY)).response.status == 405


@pytest.mark.parametrize(("encoding", "status"), [("gzip", 415), ("identity, gzip", 415), ("Identity", 200), ("", 200)])
def test_only_plain_bodies_are_read(encoding: str, status: int, channel: WhatsAppChannel, sign: Callable[..., Request]) -> None:
    signed = sign(BODY)
    request = Request("POST", signed.path, headers={**signed.headers, "content-encoding": encoding}, body=BODY)
    assert channel.receive(request).response.status == status


# verification

ASKED = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "invented verify token"}


def test_the_handshake_returns_the_challenge(channel: WhatsAppChannel) -> None:
    reception = channel.receive(Request("GET", "/webhook/messages", query=ASKED))
    assert (reception.response.status, reception.response.body) == (200, b"1158201444")
    assert reception.response.content_type == "text/plain"
    assert not reception.verified


@pytest.mark.parametrize(
    "change",
    [
        {"hub.verify_token": "wrong"},
        {"hub.verify_token": ""},
        {"hub.verify_token": "invented verify tokén"},
        {"hub.verify_token": "\udcff"},
        {"hub.mode": "unsubscribe"},
    ],
)
def test_a_wrong_handshake_is_refused(change: dict[str, str], channel: WhatsAppChannel) -> None:
    reception = channel.receive(Request("GET", "/", query=ASKED | change))
    assert (reception.response.status, reception.response.body) == (403, b"")


@pytest.mark.parametrize("missing", list(ASKED))
def test_an_incomplete_handshake_is_refused(missing: str, channel: WhatsAppChannel) -> None:
    query = {key: value for key, value in ASKED.items() if key != missing}
    assert channel.receive(Request("GET", "/", query=query)).response.status == 403


# out


def test_a_long_text_becomes_parts_that_whatsapp_takes(channel: WhatsAppChannel) -> None:
    parts = channel.compose(OutgoingContent("😀 word " * 1500))
    assert len(parts) > 1
    assert all(len(part.text.encode("utf-16-le")) // 2 <= 4096 for part in parts)


@pytest.mark.parametrize(
    "draft",
    [
        OutgoingContent("**Hi**"),
        OutgoingContent("Pick", "buttons", {"buttons": [{"id": "a", "title": "A"}]}),
        OutgoingContent("", "image"),
        OutgoingContent(""),
    ],
)
def test_a_draft_takes_the_form_that_the_limits_allow(draft: OutgoingContent, channel: WhatsAppChannel) -> None:
    assert channel.compose(draft) == composer.compose(draft, channel.text_limit)


def test_outside_the_window_the_template_of_the_file_is_said(make_channel: Callable[..., WhatsAppChannel]) -> None:
    template = {"name": "we_have_news", "language": "en_US", "parameters": ["Anna ", "two\nlines"]}
    draft = make_channel(template=template).reopen_template()
    content = {"name": "we_have_news", "language": "en_US", "parameters": ["Anna", "two lines"], "category": "utility"}
    assert draft is not None
    assert (draft.kind, draft.content) == ("template", content)
    assert "we_have_news" in draft.text
    assert "Anna" in draft.text


def test_without_a_template_nothing_is_said_outside_the_window(channel: WhatsAppChannel) -> None:
    assert channel.reopen_template() is None


def test_the_budget_is_that_of_the_file(make_channel: Callable[..., WhatsAppChannel]) -> None:
    assert (make_channel().monthly_budget, make_channel(monthly_budget=1_000).monthly_budget) == (None, 1_000)


ANSWER = "**Our prices**, in short.\n\n" + "\n\n".join(f"{n}. " + "A loaf of bread, baked this morning. " * 60 for n in range(8))


def test_a_long_answer_is_split_unless_the_file_says_otherwise(make_channel: Callable[..., WhatsAppChannel]) -> None:
    parts = make_channel().compose(OutgoingContent(ANSWER))
    assert len(parts) > 4
    assert {part.kind for part in parts} == {"text"}


def test_a_long_answer_may_be_a_document_with_its_first_paragraph_as_caption(
    make_channel: Callable[..., WhatsAppChannel],
) -> None:
    [part] = make_channel(long_answers="document").compose(OutgoingContent(ANSWER, reply_to="m1"))
    assert (part.kind, part.reply_to) == ("document", "m1")
    assert part.content["caption"] == "*Our prices*, in short."
    assert part.content["name"].endswith(".txt")
    assert part.text == to_whatsapp(ANSWER), "what was said stands in the history as a whole"


def test_an_answer_of_fewer_parts_stays_text(make_channel: Callable[..., WhatsAppChannel]) -> None:
    count = len(make_channel().compose(OutgoingContent(ANSWER)))
    for least, kinds in ((count, ["document"]), (count + 1, ["text"] * count)):
        channel = make_channel(long_answers="document", document_from=least)
        assert [part.kind for part in channel.compose(OutgoingContent(ANSWER))] == kinds


def test_a_first_paragraph_that_is_no_caption_is_cut_to_one(make_channel: Callable[..., WhatsAppChannel]) -> None:
    [part] = make_channel(long_answers="document").compose(OutgoingContent("A loaf of bread, baked this morning. " * 600))
    assert len(part.content["caption"]) <= 1_024
    assert part.content["caption"].endswith("…")


# with the other end

PNG = b"\x89PNG\r\n\x1a\n not really"


@pytest.fixture
async def open_channel(
    simulator: WhatsAppSimulator, make_channel: Callable[..., WhatsAppChannel]
) -> AsyncIterator[Callable[..., Any]]:
    """Channels that talk to the simulator."""
    opened = []

    async def make(**changes: Any) -> WhatsAppChannel:
        channel = make_channel(**simulator.options(), **changes)
        await channel.open()
        opened.append(channel)
        return channel

    yield make
    for channel in opened:
        await channel.close()


def part(n: int = 1, kind: str = "text", text: str = "Hello", conversation: str = "c1", **content: Any) -> OutboundMessage:
    phone = f"1555000{1000 + int(conversation[1:])}"
    return OutboundMessage(f"p{n}", conversation, "whatsapp:109000000000555", Identity(phone=phone), kind, text, "reply", content)


async def test_a_file_of_ours_is_uploaded_and_sent_once(
    simulator: WhatsAppSimulator, open_channel: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "a1").write_bytes(PNG)
    channel = await open_channel()
    for n in (1, 2):
        await channel.send(part(n, "image", "Our shop", path="a1"), f"p{n}.1")
    (media,) = simulator.media
    assert (media.data, media.mime) == (PNG, "image/png")
    assert [sent.body["image"] for sent in simulator.accepted] == [{"id": media.id, "caption": "Our shop"}] * 2


async def test_a_long_answer_is_uploaded_as_the_text_that_it_is(
    simulator: WhatsAppSimulator, open_channel: Callable[..., Any]
) -> None:
    channel = await open_channel(long_answers="document")
    [draft] = channel.compose(OutgoingContent(ANSWER))
    for n in (1, 2):
        await channel.send(part(n, draft.kind, draft.text, **draft.content), f"p{n}.1")
    (media,) = simulator.media
    assert media.mime == "text/plain"
    assert media.data.decode("utf-8-sig") == to_whatsapp(ANSWER)
    body = simulator.accepted[0].body
    assert body["document"] == {"id": media.id, "caption": "*Our prices*, in short.", "filename": draft.content["name"]}
    assert faults_of_body(body) == []


async def test_a_file_from_elsewhere_is_sent_as_a_link(simulator: WhatsAppSimulator, open_channel: Callable[..., Any]) -> None:
    channel = await open_channel()
    await channel.send(part(1, "document", "", url="https://example.org/a.pdf", name="a.pdf"), "p1.1")
    assert simulator.accepted[0].body["document"] == {"link": "https://example.org/a.pdf", "filename": "a.pdf"}


async def test_a_file_that_is_not_ours_never_leaves(simulator: WhatsAppSimulator, open_channel: Callable[..., Any]) -> None:
    channel = await open_channel()
    with pytest.raises(Rejected):
        await channel.send(part(1, "document", "", path="/etc/passwd"), "p1.1")
    assert list(simulator.requests) == []


async def test_a_file_that_meta_lost_is_uploaded_anew_when_the_message_is_tried_again(
    simulator: WhatsAppSimulator, open_channel: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "a1").write_bytes(PNG)
    channel = await open_channel()
    await channel.send(part(1, "image", "", path="a1"), "p1.1")
    simulator._media_store.remove(simulator.media[0].id)
    with pytest.raises(Rejected):
        await channel.send(part(2, "image", "", path="a1"), "p2.1")
    await channel.send(part(2, "image", "", path="a1"), "p2.2")
    assert len(simulator.accepted) == 2


async def test_what_a_customer_sent_can_be_fetched(
    simulator: WhatsAppSimulator, hook: Receiver, open_channel: Callable[..., Any]
) -> None:
    channel = await open_channel()
    await simulator.say_picture("ana", PNG)
    await simulator.wait_for(lambda _: hook.messages)
    ((raw, signature),) = hook.raw
    reception = channel.receive(Request("POST", "/", headers={"x-hub-signature-256": signature}, body=raw))
    (attachment,) = reception.messages[0].attachments
    assert b"".join([chunk async for chunk in channel.fetch(attachment)]) == PNG


async def test_a_burst_to_one_person_waits_here_and_not_at_meta(
    simulator: WhatsAppSimulator, open_channel: Callable[..., Any]
) -> None:
    channel = await open_channel(throughput=1_000)
    for n in range(45):
        await channel.send(part(n), f"p{n}.1")
    asked = len(simulator.requests)
    with pytest.raises(NotSent) as caught:
        await channel.send(part(45), "p45.1")
    assert caught.value.scope == "conversation"
    assert caught.value.after is not None
    assert 4_000 < caught.value.after <= 6_100
    assert len(simulator.requests) == asked
    await channel.send(part(46, conversation="c2"), "p46.1")


async def test_the_pace_is_kept_for_a_person_whatever_conversation_they_are_in(
    simulator: WhatsAppSimulator, open_channel: Callable[..., Any]
) -> None:
    channel = await open_channel(throughput=1_000)
    for n in range(45):
        await channel.send(replace(part(n), conversation=f"c{n % 2}"), f"p{n}.1")
    for conversation in ("c0", "c1"):
        with pytest.raises(NotSent):
            await channel.send(replace(part(45), conversation=conversation), "p45.1")


async def test_a_limit_on_templates_makes_templates_wait_and_nothing_else(
    simulator: WhatsAppSimulator, open_channel: Callable[..., Any]
) -> None:
    channel = await open_channel()
    asking = {"name": "answer_waiting", "language": "en"}
    simulator.faults.error_code.on(131064, times=1)
    with pytest.raises(NotSent) as caught:
        await channel.send(part(1, "template", "", **asking), "p1.1")
    assert caught.value.scope == "conversation"
    assert "categories" in caught.value.remedy
    asked = len(simulator.requests)
    with pytest.raises(NotSent) as caught:
        await channel.send(part(2, "template", "", "c2", **asking), "p2.1")
    assert caught.value.scope == "conversation"
    assert caught.value.after is not None
    assert 3_590_000 < caught.value.after <= 3_600_000
    assert len(simulator.requests) == asked
    await channel.send(part(3), "p3.1")
    assert [send.kind for send in simulator.accepted] == ["text"]


@pytest.mark.parametrize(("standing", "told"), [("paused", "paused"), ("held_for_quality_assessment", "quality assessment")])
async def test_a_template_that_is_taken_and_held_back_is_told(
    standing: str, told: str, simulator: WhatsAppSimulator, open_channel: Callable[..., Any]
) -> None:
    channel = await open_channel()
    asking = {"name": "answer_waiting", "language": "en"}
    await channel.send(part(1, "template", "", **asking), "p1.1")
    assert len(channel._context.problems) == 0
    simulator.faults.held_back.on(standing)
    assert (await channel.send(part(2, "template", "", **asking), "p2.1")).external_id
    [problem] = channel._context.problems
    assert (problem.key, problem.severity) == ("channel:whatsapp:template_paused", "warning")
    assert "answer_waiting" in problem.message
    assert told in problem.message
    assert problem.remedy


# signs of life


async def test_typing_marks_the_message_as_read_in_the_same_call(
    simulator: WhatsAppSimulator, open_channel: Callable[..., Any]
) -> None:
    channel, wamid = await open_channel(), await simulator.say("ana", "hello")
    await channel.mark_read(wamid)
    await channel.typing(wamid)
    assert channel.typing_lasts == 25_000
    assert len(simulator.requests) == 1
    assert [mark.message_id for mark in (*simulator.typings, *simulator.reads)] == [wamid, wamid]


async def test_without_typing_a_message_is_only_marked_as_read(
    simulator: WhatsAppSimulator, open_channel: Callable[..., Any]
) -> None:
    channel, wamid = await open_channel(typing=False), await simulator.say("ana", "hello")
    await channel.mark_read(wamid)
    await channel.typing(wamid)
    assert channel.typing_lasts is None
    assert ([mark.message_id for mark in simulator.reads], list(simulator.typings)) == ([wamid], [])


async def test_without_either_nothing_is_shown(simulator: WhatsAppSimulator, open_channel: Callable[..., Any]) -> None:
    channel, wamid = await open_channel(typing=False, read_receipts=False), await simulator.say("ana", "hello")
    await channel.mark_read(wamid)
    await channel.typing(wamid)
    assert list(simulator.requests) == []


async def test_a_sign_that_fails_tells_no_secret(simulator: WhatsAppSimulator, open_channel: Callable[..., Any]) -> None:
    channel = await open_channel(typing=False)
    with capture_logs() as logs, pytest.raises(SaraError):
        await channel.mark_read("wamid.unknown")
    assert [line["event"] for line in logs] == ["typing_indicator_failed"]
    assert simulator.settings.access_token not in str(logs)


async def test_signs_and_messages_do_not_stand_in_each_others_way(
    simulator: WhatsAppSimulator, open_channel: Callable[..., Any]
) -> None:
    channel, wamid = await open_channel(), await simulator.say("ana", "hello")
    await asyncio.gather(*(channel.typing(wamid) for _ in range(50)), *(channel.send(part(n), f"p{n}.1") for n in range(20)))
    assert len(simulator.accepted) == 20
    assert len({sent.wamid for sent in simulator.accepted}) == 20


async def test_a_closed_channel_does_nothing_and_may_be_closed_again(
    simulator: WhatsAppSimulator, open_channel: Callable[..., Any]
) -> None:
    channel = await open_channel()
    await channel.close()
    with pytest.raises(NotSent):
        await channel.send(part(), "p1.1")
    with pytest.raises(SaraError):
        await channel.typing("wamid.1")
    await channel.close()
    assert list(simulator.requests) == []
