"""Composes neutral content into WhatsApp messages, in the richest form within WhatsApp's limits.

No text is lost: what does not fit a form is sent before it as text, and content that fits no form becomes text. Text goes first,
because a failed part cancels the parts behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import Any, TypeAlias
from urllib.parse import unquote

from sara import OutboundMessage, OutgoingContent, utf16_length
from sara.helpers import render_plain_text
from sara_whatsapp.formatting import split, split_off_end, to_whatsapp
from sara_whatsapp.formatting.markup import FENCE
from sara_whatsapp.send.content import list_items, read_coordinate, read_url, to_plain_line, to_text
from sara_whatsapp.send.interactive import build_form, shorten
from sara_whatsapp.send.templates import read_components, read_texts
from sara_whatsapp.webhook.safe_json import scrub

_MAX_BODY_UNITS = 1024
"""Maximum length of a form's body and of a caption. Documented to be longer for lists, but not in Meta's schema."""

_MAX_LABEL_UNITS = 20
# A form needs a body: symbols for forms without text.
_BELOW, _PLACE, _NUMBER = "👇", "📍", "📞"
_CAPTIONED = frozenset({"image", "video", "document"})
_TEXT_FILE = {"mime": "text/plain", "name": "answer.txt"}
_FILES = frozenset({"image", "video", "audio", "document", "sticker"})
TYPES: Mapping[str, frozenset[str]] = {
    "image": frozenset({"image/jpeg", "image/png"}),
    "video": frozenset({"video/mp4", "video/3gpp"}),
    "audio": frozenset({"audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"}),
    "sticker": frozenset({"image/webp"}),
}
"""The media types that WhatsApp accepts as each kind; others can be sent as a document."""

_BASE, _DRESS = "[\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff]", "[\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]*"
_EMOJI = re.compile(
    f"[\U0001f1e6-\U0001f1ff]{{2}}|[0-9#*]\ufe0f?\u20e3|{_BASE}{_DRESS}(?:\u200d{_BASE}{_DRESS})*"  # flag, key, all others
)
_TEMPLATE = re.compile(r"[a-z0-9_]{1,512}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[_-][A-Za-z0-9]{2,4})?")

_Composer: TypeAlias = Callable[[OutgoingContent, int], list[OutgoingContent] | None]


def compose(draft: OutgoingContent, limit: int = 4096) -> list[OutgoingContent]:
    """Return the messages that express `draft`, in the order of sending, each within WhatsApp's limits.

    `limit` is the longest text of one message in UTF-16 units. Content without text gives no messages. The first message quotes
    what the draft quotes.
    """
    draft = replace(draft, text=scrub(draft.text))
    compose_kind = _COMPOSERS.get(draft.kind)
    parts = compose_kind(draft, limit) if compose_kind else None
    if parts is None:
        parts = _compose_texts(replace(draft, text=scrub(render_plain_text(draft))), limit)
    if draft.reply_to and parts and not any(part.reply_to for part in parts):
        parts[0] = replace(parts[0], reply_to=draft.reply_to)
    return parts


def _compose_texts(draft: OutgoingContent, limit: int) -> list[OutgoingContent]:
    return [OutgoingContent(piece) for piece in split(_format_text(draft), limit)]


def _format_text(draft: OutgoingContent) -> str:
    """Return the text of a draft with WhatsApp's marks."""
    return to_whatsapp(draft.text) if draft.markdown else draft.text


# ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _compose_file(draft: OutgoingContent, limit: int) -> list[OutgoingContent] | None:
    path, url = to_text(draft.content.get("path")), read_url(draft.content, "url")
    if not path and not url:
        return None
    mime = to_text(draft.content.get("mime")).lower()
    # The type of a local file is detected at the upload; of a remote file only the claimed type is known.
    kind = draft.kind if path else _choose_kind(draft.kind, mime.partition(";")[0].strip())
    name = " ".join(to_text(draft.content.get("name")).split())
    if kind == "document":
        name = name or PurePath(path).name or _guess_name(url)
    # Only Ogg files can be voice notes.
    voice = kind == "audio" and draft.content.get("voice") is True and (not mime or mime.startswith("audio/ogg"))
    given = {"path": path, "url": url, "mime": mime, "name": name, "voice": voice}
    content = {key: value for key, value in given.items() if value}
    caption = _format_text(draft)
    if kind in _CAPTIONED and utf16_length(caption) <= min(_MAX_BODY_UNITS, limit):
        return [OutgoingContent(caption, kind, content)]
    return [*_compose_texts(draft, limit), OutgoingContent("", kind, content)]


def to_text_file(draft: OutgoingContent) -> OutgoingContent:
    """Return a text as a file with its first paragraph as the caption; the message's text stays complete."""
    text = _format_text(replace(draft, text=scrub(draft.text)))
    beginning = split(text, _MAX_BODY_UNITS - 1)[0]
    first, more, _ = beginning.partition("\n\n")
    if first.count(FENCE) % 2:
        first, more = beginning, ""  # a blank line inside a code block separates no paragraphs
    caption = first if more or beginning == text else f"{first}…"
    return OutgoingContent(text, "document", {"written": True, "caption": caption, **_TEXT_FILE}, draft.reply_to)


def to_document(part: OutboundMessage) -> OutboundMessage | None:
    """Return a message with a file as a document; None if it is one already or has no file."""
    return replace(part, kind="document") if part.kind in _FILES and part.kind != "document" else None


def to_text_message(part: OutboundMessage) -> OutboundMessage | None:
    """Return the text that accompanies a file as a text message; None if there is none."""
    if part.kind not in _FILES or not part.text.strip() or part.content.get("written"):
        return None  # a text that became a file is too long for a message
    return replace(part, kind="text", content={})


def _choose_kind(kind: str, mime: str) -> str:
    """Return the kind as which WhatsApp accepts a file of type `mime`."""
    if not mime or mime in TYPES.get(kind, {mime}):
        return kind
    return "image" if kind == "sticker" and mime in TYPES["image"] else "document"


def _guess_name(url: str) -> str:
    """Return the most likely name of the file at an address."""
    path = re.split("[?#]", url.partition("://")[2])[0].partition("/")[2]
    return scrub(PurePath(unquote(path)).name).strip()


# ── forms to fill in or to tap ────────────────────────────────────────────────────────────────────────────────────────────


def _compose_choices(draft: OutgoingContent, limit: int) -> list[OutgoingContent] | None:
    form = build_form(draft)
    if form is None:
        return None
    text = "\n\n".join(filter(None, [*form.above, _format_text(draft), "\n".join(form.below)]))
    if not text:
        # A form needs a body more than a header or a footer.
        text = form.content.pop("header", "") or form.content.pop("footer", "") or _BELOW
    return _compose_form(text, form.kind, form.content, limit)


def _compose_link(draft: OutgoingContent, limit: int) -> list[OutgoingContent] | None:
    url = read_url(draft.content, "url")
    if not url:
        return None
    title = to_plain_line(draft.content, "title")
    whole: list[str] = []
    label = shorten(title or re.split("[/?#]", url.partition("://")[2])[0], _MAX_LABEL_UNITS, whole)
    text = "\n\n".join(filter(None, [_format_text(draft), *whole])) or title or _BELOW
    return _compose_form(text, "link", {"title": label, "url": url}, limit)


def _compose_request(draft: OutgoingContent, limit: int) -> list[OutgoingContent]:
    sign = _PLACE if draft.kind == "ask_location" else _NUMBER
    return _compose_form(_format_text(draft) or sign, draft.kind, {}, limit)


def _compose_form(text: str, kind: str, content: dict[str, Any], limit: int) -> list[OutgoingContent]:
    """Return a form with as much of the end of `text` as it holds, after text messages with the rest."""
    before, body = split_off_end(text, min(_MAX_BODY_UNITS, limit))
    return [*(OutgoingContent(piece) for piece in split(before, limit)), OutgoingContent(body or _BELOW, kind, content)]


# ── the rest ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _compose_location(draft: OutgoingContent, limit: int) -> list[OutgoingContent] | None:
    latitude, longitude = read_coordinate(draft.content, "latitude", 90), read_coordinate(draft.content, "longitude", 180)
    if latitude is None or longitude is None:
        return None
    words = {key: to_plain_line(draft.content, key) for key in ("name", "address")}
    content = {"latitude": latitude, "longitude": longitude, **{key: text for key, text in words.items() if text}}
    return [*_compose_texts(draft, limit), OutgoingContent("", "location", content)]


def _compose_contact(draft: OutgoingContent, limit: int) -> list[OutgoingContent] | None:
    phones = [phone for phone in map(to_text, list_items(draft.content, "phones")) if phone]
    if not phones:
        return None
    content = {"name": to_plain_line(draft.content, "name") or phones[0], "phones": phones}
    return [*_compose_texts(draft, limit), OutgoingContent("", "contact", content)]


def _compose_reaction(draft: OutgoingContent, limit: int) -> list[OutgoingContent] | None:
    given = draft.content.get("emoji")
    # An empty emoji removes the reaction, so it must be given explicitly.
    emoji, text = (to_text(given), draft.text) if isinstance(given, str) else (draft.text.strip(), "")
    if not draft.reply_to or not (_EMOJI.fullmatch(emoji) or given == ""):
        return None
    return [*_compose_texts(replace(draft, text=text), limit), OutgoingContent("", "reaction", {"emoji": emoji}, draft.reply_to)]


def _compose_template(draft: OutgoingContent, limit: int) -> list[OutgoingContent] | None:
    name, language = to_text(draft.content.get("name")), to_text(draft.content.get("language"))
    if not _TEMPLATE.fullmatch(name) or not _LANGUAGE.fullmatch(language):
        return None
    content: dict[str, Any] = {"name": name, "language": language.replace("-", "_")}
    components = read_components(draft.content)
    if components:
        content["components"] = components
    elif parameters := read_texts(draft.content):
        content["parameters"] = parameters
    elif components is None and draft.text.strip():
        return None
    return [OutgoingContent(draft.text, "template", content)]


_COMPOSERS: Mapping[str, _Composer] = {
    **dict.fromkeys(_FILES, _compose_file),
    **dict.fromkeys(("buttons", "list"), _compose_choices),
    **dict.fromkeys(("ask_location", "ask_contact"), _compose_request),
    "link": _compose_link,
    "location": _compose_location,
    "contact": _compose_contact,
    "reaction": _compose_reaction,
    "template": _compose_template,
}

KINDS: frozenset[str] = frozenset({"text", *_COMPOSERS})
"""The kinds of content that WhatsApp has a form for."""
