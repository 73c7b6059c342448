"""The channel's door: who may come in, and what leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sara_whatsapp import register_channels
from sara_whatsapp.channel import WhatsAppChannel
from structlog.testing import capture_logs

from sara import Channel, Draft, Reception, Request

BODY = b'{"object":"whatsapp_business_account","entry":[]}'


def with_header(value: str | None) -> Request:
    headers = {} if value is None else {"x-hub-signature-256": value}
    return Request("POST", "/webhook/messages", headers=headers, body=BODY)


def test_the_plugin_brings_the_channel() -> None:
    assert list(register_channels()) == [WhatsAppChannel]


def test_the_channel_says_what_the_core_needs_to_know(make_channel: Callable[..., WhatsAppChannel]) -> None:
    channel: Channel = make_channel(on_doubt="hold", doubt_hold="90s", webhook="/hooks/wa")
    assert channel.account == "whatsapp:109000000000555"
    assert (channel.webhook, channel.text_limit, channel.receipts_carry_attempt) == ("/hooks/wa", 4096, True)
    assert (channel.on_doubt, channel.doubt_hold) == ("hold", 90_000)
    assert WhatsAppChannel.simulator is not None


# signatures


def test_a_right_signature_is_let_in(channel: WhatsAppChannel, sign: Callable[..., Request]) -> None:
    reception = channel.receive(sign(BODY))
    assert (reception.response.status, reception.verified) == (200, True)


@pytest.mark.parametrize(
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
    assert reception == Reception(reception.response)
    assert reception.response.status == 401


def test_a_body_that_was_changed_on_its_way_is_kept_out(channel: WhatsAppChannel, sign: Callable[..., Request]) -> None:
    headers = sign(BODY).headers
    for changed in (BODY + b" ", BODY[:-1], BODY.replace(b"[]", b"{}"), b""):
        assert channel.receive(Request("POST", "/", headers=headers, body=changed)).response.status == 401


def test_a_wrong_signature_is_refused_before_the_body_is_read(channel: WhatsAppChannel, sign: Callable[..., Request]) -> None:
    reception = channel.receive(sign(b"[" * 100_000, "another secret"))
    assert (reception.response.status, reception.set_aside) == (401, ())


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
    assert [line["event"] for line in logs] == ["webhook_signature_wrong"]
    assert "secret words" not in str(logs)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "BREW"])
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
    parts = channel.compose(Draft("😀 word " * 1500))
    assert len(parts) > 1
    assert all(len(part.text.encode("utf-16-le")) // 2 <= 4096 for part in parts)


def test_what_is_no_text_is_left_as_it_is(channel: WhatsAppChannel) -> None:
    draft: Any = Draft("", kind="image")
    assert channel.compose(draft) == (draft,)
