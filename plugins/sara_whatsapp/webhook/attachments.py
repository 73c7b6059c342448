"""Reads the files of messages and forms, as Meta describes them; nothing is downloaded here."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from sara import Attachment
from sara_whatsapp.webhook.form_answers import find_files, find_form_reply, read_answers
from sara_whatsapp.webhook.message_types import MEDIA
from sara_whatsapp.webhook.safe_json import read_id, to_dict, to_list, to_text

UNKNOWN_MIME = "application/octet-stream"

_MIME = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_URL = re.compile(r"https://[!-~]{1,2040}")
_DIGEST_BYTES = 32
_MAX_NAME_CHARS = 255


def read_attachments(kind: str, message: Mapping[str, Any]) -> tuple[Attachment, ...]:
    """Return the files of a message of `kind`, those of a form included; empty if none can be downloaded. Never raises."""
    # Errors mean that Meta itself did not get the file.
    if to_list(message.get("errors")):
        return ()
    if kind in MEDIA:
        return _read_attachment(kind, to_dict(message.get(kind)), "filename")
    reply = find_form_reply(message) if kind == "interactive" else None
    if reply is None:
        return ()
    found = (_read_attachment(_choose_kind(each), each, "file_name") for each in find_files(read_answers(reply)))
    return tuple(attachment for attachments in found for attachment in attachments)


def _read_attachment(kind: str, own: Mapping[str, Any], name_key: str) -> tuple[Attachment, ...]:
    reference = read_id(own.get("id"))
    if reference is None:
        return ()
    return (
        Attachment(
            kind=kind,
            mime=read_mime(own.get("mime_type")),
            reference=reference,
            name=to_text(own.get(name_key)).strip()[:_MAX_NAME_CHARS] or None,
            voice=own.get("voice") is True,
            url=read_url(own.get("url")),
            sha256=read_digest(own.get("sha256")),
        ),
    )


def _choose_kind(own: Mapping[str, Any]) -> str:
    """Return the kind of a file of which only the media type is known."""
    family = read_mime(own.get("mime_type")).partition("/")[0]
    return family if family in MEDIA else "document"


def read_mime(value: Any) -> str:
    """Return a media type in lower case without its parameters; `UNKNOWN_MIME` if the value is none."""
    mime = to_text(value).partition(";")[0].strip().lower()
    return mime if _MIME.fullmatch(mime) else UNKNOWN_MIME


def read_digest(value: Any) -> str | None:
    """Return Meta's base64 SHA-256 as hexadecimal; None for anything else."""
    try:
        digest = base64.b64decode(to_text(value).strip().encode(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest.hex() if len(digest) == _DIGEST_BYTES else None


def read_url(value: Any) -> str | None:
    """Return an https address; None for anything else. Which hosts may be asked is decided elsewhere."""
    url = to_text(value)
    return url if _URL.fullmatch(url) else None
