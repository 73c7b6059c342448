"""The files that messages bring: what is believed of Meta's description, and what is not."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from sara_whatsapp.webhook.attachments import read_attachments, read_digest, read_mime, read_url
from sara_whatsapp.webhook.message_types import MEDIA

from tests.rows import each_row

DIGEST = hashlib.sha256(b"a picture").digest()


def described(kind: str = "image", **own: Any) -> dict[str, Any]:
    return {"type": kind, kind: {"id": "1003300000000010"} | own}


@each_row("kind", sorted(MEDIA))
def test_each_kind_of_file_is_an_attachment(kind: str) -> None:
    (attachment,) = read_attachments(kind, described(kind))
    assert (attachment.kind, attachment.reference) == (kind, "1003300000000010")


@each_row("kind", ["text", "contacts", "location", "interactive", "unsupported", "hologram"])
def test_other_kinds_bring_none(kind: str) -> None:
    assert read_attachments(kind, described(kind)) == ()


@each_row("own", [None, 1, "x", [], {}, {"id": None}, {"id": " "}, {"id": []}, {"id": "x" * 600}])
def test_what_could_not_be_fetched_is_no_attachment(own: Any) -> None:
    assert read_attachments("image", {"type": "image", "image": own}) == ()


def test_what_meta_itself_did_not_get_is_no_attachment() -> None:
    assert read_attachments("video", {**described("video"), "errors": [{"code": 131052}]}) == ()


@each_row("wrong", [None, 1, 1.5, True, "", "\n", [], {}, ["x"], {"x": 1}])
def test_a_field_of_a_wrong_type_costs_only_itself(wrong: Any) -> None:
    own = dict.fromkeys(("mime_type", "sha256", "filename", "voice", "url", "caption"), wrong)
    (attachment,) = read_attachments("document", described("document", **own))
    assert (attachment.mime, attachment.sha256, attachment.url) == ("application/octet-stream", None, None)
    assert attachment.voice is (wrong is True)


@each_row(
    ("given", "mime"),
    [
        ("audio/ogg; codecs=opus", "audio/ogg"),
        ("Image/JPEG ", "image/jpeg"),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document",) * 2,
        ("image", "application/octet-stream"),
        ("image/", "application/octet-stream"),
        ("image/png\r\nx: y", "application/octet-stream"),
        ("../x/y", "application/octet-stream"),
        (";", "application/octet-stream"),
        ("a/" + "b" * 900, "application/octet-stream"),
    ],
)
def test_a_media_type_is_plain_or_unknown(given: str, mime: str) -> None:
    assert read_mime(given) == mime


@each_row(
    ("given", "digest"),
    [
        (base64.b64encode(DIGEST).decode(), DIGEST.hex()),
        (base64.b64encode(DIGEST[:31]).decode(), None),
        (base64.b64encode(DIGEST + b"x").decode(), None),
        (base64.b64encode(DIGEST).decode()[:-1], None),
        (base64.b64encode(DIGEST).decode()[:-3] + "\u00e4==", None),
        (DIGEST.hex(), None),
        ("", None),
    ],
)
def test_a_digest_is_turned_into_hexadecimal_or_dropped(given: str, digest: str | None) -> None:
    assert read_digest(given) == digest


@each_row("url", ["http://lookaside.fbsbx.com/x", "file:///etc/passwd", "https://x y", "https://ä.example", "x", 1])
def test_what_is_no_plain_https_address_is_dropped(url: Any) -> None:
    assert read_url(url) is None


def test_a_name_is_kept_as_its_sender_wrote_it_but_not_without_end() -> None:
    (attachment,) = read_attachments("document", described("document", filename="../../etc/pässwd [1].pdf"))
    assert attachment.name == "../../etc/pässwd [1].pdf"
    (long,) = read_attachments("document", described("document", filename="x" * 9_000))
    assert long.name == "x" * 255
