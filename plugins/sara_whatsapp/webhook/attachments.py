"""The files that messages and filled-in forms bring, as Meta describes them. Pure: nothing is fetched here."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from sara import Attachment
from sara_whatsapp.webhook.form_answers import answers_of, files_in, reply_of
from sara_whatsapp.webhook.message_types import MEDIA
from sara_whatsapp.webhook.safe_json import listed, mapping, name_of, words

UNKNOWN_MIME = "application/octet-stream"

_MIME = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_URL = re.compile(r"https://[!-~]{1,2040}")
_DIGEST_BYTES = 32
_LONGEST_NAME = 255


def attachments_of(kind: str, message: Mapping[str, Any]) -> tuple[Attachment, ...]:
    """The files of a message of `kind`, those that a filled-in form names included; nothing where it brings none, or none that
    could be fetched. Never raises."""
    # Where Meta names errors, it did not get the file itself.
    if listed(message.get("errors")):
        return ()
    if kind in MEDIA:
        return _attachment(kind, mapping(message.get(kind)), "filename")
    reply = reply_of(message) if kind == "interactive" else None
    if reply is None:
        return ()
    found = (_attachment(_kind_of(each), each, "file_name") for each in files_in(answers_of(reply)))
    return tuple(attachment for attachments in found for attachment in attachments)


def _attachment(kind: str, own: Mapping[str, Any], name_key: str) -> tuple[Attachment, ...]:
    reference = name_of(own.get("id"))
    if reference is None:
        return ()
    return (
        Attachment(
            kind=kind,
            mime=mime_of(own.get("mime_type")),
            reference=reference,
            name=words(own.get(name_key)).strip()[:_LONGEST_NAME] or None,
            voice=own.get("voice") is True,
            url=url_of(own.get("url")),
            sha256=digest_of(own.get("sha256")),
        ),
    )


def _kind_of(own: Mapping[str, Any]) -> str:
    """The kind of a file that says only of which media type it is."""
    family = mime_of(own.get("mime_type")).partition("/")[0]
    return family if family in MEDIA else "document"


def mime_of(value: Any) -> str:
    """A media type in lower case without its parameters; `UNKNOWN_MIME` for what is none."""
    mime = words(value).partition(";")[0].strip().lower()
    return mime if _MIME.fullmatch(mime) else UNKNOWN_MIME


def digest_of(value: Any) -> str | None:
    """Meta's base64 of a SHA-256 as hexadecimal; None for anything else."""
    try:
        digest = base64.b64decode(words(value).strip().encode(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest.hex() if len(digest) == _DIGEST_BYTES else None


def url_of(value: Any) -> str | None:
    """An address to fetch from, if it is one at all; which hosts may be asked is not decided here."""
    url = words(value)
    return url if _URL.fullmatch(url) else None
