"""From a neutral draft to the best form that WhatsApp's limits allow. Pure.

Nothing that people should read is lost: what a form cannot hold goes before it as text, and what no form can hold becomes text
altogether. Text goes first, because a part that is refused takes those behind it along.
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
from sara_whatsapp.formatting import split, split_end, to_whatsapp
from sara_whatsapp.formatting.markup import FENCE
from sara_whatsapp.send.content import address, degrees, items, line, said
from sara_whatsapp.send.interactive import form_of, shortened
from sara_whatsapp.send.templates import components_of, texts_of
from sara_whatsapp.webhook.safe_json import scrub

_BODY = 1024
"""The longest text in a form and the longest caption. Lists are documented to take more, but Meta's schema says the same."""

_LABEL = 20
# A form needs a body: signs for those without words.
_BELOW, _PLACE, _NUMBER = "👇", "📍", "📞"
_CAPTIONED = frozenset({"image", "video", "document"})
_WRITTEN = {"mime": "text/plain", "name": "answer.txt"}
_FILES = frozenset({"image", "video", "audio", "document", "sticker"})
TYPES: Mapping[str, frozenset[str]] = {
    "image": frozenset({"image/jpeg", "image/png"}),
    "video": frozenset({"video/mp4", "video/3gpp"}),
    "audio": frozenset({"audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"}),
    "sticker": frozenset({"image/webp"}),
}
"""The types that WhatsApp takes as each kind; anything else can be sent as a document."""

_BASE, _DRESS = "[\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff]", "[\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]*"
_EMOJI = re.compile(
    f"[\U0001f1e6-\U0001f1ff]{{2}}|[0-9#*]\ufe0f?\u20e3|{_BASE}{_DRESS}(?:\u200d{_BASE}{_DRESS})*"  # flag, key, all others
)
_TEMPLATE = re.compile(r"[a-z0-9_]{1,512}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[_-][A-Za-z0-9]{2,4})?")

_Maker: TypeAlias = Callable[[OutgoingContent, int], list[OutgoingContent] | None]


def compose(draft: OutgoingContent, limit: int = 4096) -> list[OutgoingContent]:
    """The parts that say `draft`, in the order in which they are to be sent; each is within WhatsApp's limits.

    `limit` is the longest text of one part, in UTF-16 units. What fits no richer form becomes text; a draft that says nothing
    gives no parts. The first part quotes what the draft quotes.
    """
    draft = replace(draft, text=scrub(draft.text))
    make = _MAKERS.get(draft.kind)
    parts = make(draft, limit) if make else None
    if parts is None:
        parts = _texts(replace(draft, text=scrub(render_plain_text(draft))), limit)
    if draft.reply_to and parts and not any(part.reply_to for part in parts):
        parts[0] = replace(parts[0], reply_to=draft.reply_to)
    return parts


def _texts(draft: OutgoingContent, limit: int) -> list[OutgoingContent]:
    return [OutgoingContent(piece) for piece in split(_marked(draft), limit)]


def _marked(draft: OutgoingContent) -> str:
    """The text of a draft in WhatsApp's own marks."""
    return to_whatsapp(draft.text) if draft.markdown else draft.text


# ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _file(draft: OutgoingContent, limit: int) -> list[OutgoingContent] | None:
    path, url = said(draft.content.get("path")), address(draft.content, "url")
    if not path and not url:
        return None
    mime = said(draft.content.get("mime")).lower()
    # What a file of our own really is shows when it is uploaded; of one elsewhere there is only the claim.
    kind = draft.kind if path else _kind(draft.kind, mime.partition(";")[0].strip())
    name = " ".join(said(draft.content.get("name")).split())
    if kind == "document":
        name = name or PurePath(path).name or _last_of(url)
    # A voice note is Ogg; the same recording in another coat is an ordinary file.
    voice = kind == "audio" and draft.content.get("voice") is True and (not mime or mime.startswith("audio/ogg"))
    given = {"path": path, "url": url, "mime": mime, "name": name, "voice": voice}
    content = {key: value for key, value in given.items() if value}
    caption = _marked(draft)
    if kind in _CAPTIONED and utf16_length(caption) <= min(_BODY, limit):
        return [OutgoingContent(caption, kind, content)]
    return [*_texts(draft, limit), OutgoingContent("", kind, content)]


def file_of(draft: OutgoingContent) -> OutgoingContent:
    """A text as a file of its own, its first paragraph beside it. The part's text stays what was said."""
    text = _marked(replace(draft, text=scrub(draft.text)))
    beginning = split(text, _BODY - 1)[0]
    first, more, _ = beginning.partition("\n\n")
    if first.count(FENCE) % 2:
        first, more = beginning, ""  # a paragraph within code is none
    caption = first if more or beginning == text else f"{first}…"
    return OutgoingContent(text, "document", {"written": True, "caption": caption, **_WRITTEN}, draft.reply_to)


def document_of(part: OutboundMessage) -> OutboundMessage | None:
    """A part with a file as a document; None where it is one, or has no file."""
    return replace(part, kind="document") if part.kind in _FILES and part.kind != "document" else None


def words_of(part: OutboundMessage) -> OutboundMessage | None:
    """What a part with a file says beside it, as text; None where that is nothing."""
    if part.kind not in _FILES or not part.text.strip() or part.content.get("written"):
        return None  # a text that was made a file is too long for a message
    return replace(part, kind="text", content={})


def _kind(kind: str, mime: str) -> str:
    """The kind as which WhatsApp takes a file of type `mime`."""
    if not mime or mime in TYPES.get(kind, {mime}):
        return kind
    return "image" if kind == "sticker" and mime in TYPES["image"] else "document"


def _last_of(url: str) -> str:
    """What the file at an address is most likely called."""
    path = re.split("[?#]", url.partition("://")[2])[0].partition("/")[2]
    return scrub(PurePath(unquote(path)).name).strip()


# ── forms to fill in or to tap ────────────────────────────────────────────────────────────────────────────────────────────


def _choices(draft: OutgoingContent, limit: int) -> list[OutgoingContent] | None:
    form = form_of(draft)
    if form is None:
        return None
    text = "\n\n".join(filter(None, [*form.above, _marked(draft), "\n".join(form.below)]))
    if not text:
        # A form needs a body more than a header or a footer.
        text = form.content.pop("header", "") or form.content.pop("footer", "") or _BELOW
    return _formed(text, form.kind, form.content, limit)


def _link(draft: OutgoingContent, limit: int) -> list[OutgoingContent] | None:
    url = address(draft.content, "url")
    if not url:
        return None
    title = line(draft.content, "title")
    whole: list[str] = []
    label = shortened(title or re.split("[/?#]", url.partition("://")[2])[0], _LABEL, whole)
    text = "\n\n".join(filter(None, [_marked(draft), *whole])) or title or _BELOW
    return _formed(text, "link", {"title": label, "url": url}, limit)


def _ask(draft: OutgoingContent, limit: int) -> list[OutgoingContent]:
    sign = _PLACE if draft.kind == "ask_location" else _NUMBER
    return _formed(_marked(draft) or sign, draft.kind, {}, limit)


def _formed(text: str, kind: str, content: dict[str, Any], limit: int) -> list[OutgoingContent]:
    """A form with as much of the end of `text` as it holds, behind the rest of it."""
    before, body = split_end(text, min(_BODY, limit))
    return [*(OutgoingContent(piece) for piece in split(before, limit)), OutgoingContent(body or _BELOW, kind, content)]


# ── the rest ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _location(draft: OutgoingContent, limit: int) -> list[OutgoingContent] | None:
    latitude, longitude = degrees(draft.content, "latitude", 90), degrees(draft.content, "longitude", 180)
    if latitude is None or longitude is None:
        return None
    words = {key: line(draft.content, key) for key in ("name", "address")}
    content = {"latitude": latitude, "longitude": longitude, **{key: text for key, text in words.items() if text}}
    return [*_texts(draft, limit), OutgoingContent("", "location", content)]


def _contact(draft: OutgoingContent, limit: int) -> list[OutgoingContent] | None:
    phones = [phone for phone in map(said, items(draft.content, "phones")) if phone]
    if not phones:
        return None
    content = {"name": line(draft.content, "name") or phones[0], "phones": phones}
    return [*_texts(draft, limit), OutgoingContent("", "contact", content)]


def _reaction(draft: OutgoingContent, limit: int) -> list[OutgoingContent] | None:
    given = draft.content.get("emoji")
    # An empty one takes the reaction back, which only somebody who says so can mean.
    emoji, text = (said(given), draft.text) if isinstance(given, str) else (draft.text.strip(), "")
    if not draft.reply_to or not (_EMOJI.fullmatch(emoji) or given == ""):
        return None
    return [*_texts(replace(draft, text=text), limit), OutgoingContent("", "reaction", {"emoji": emoji}, draft.reply_to)]


def _template(draft: OutgoingContent, limit: int) -> list[OutgoingContent] | None:
    name, language = said(draft.content.get("name")), said(draft.content.get("language"))
    if not _TEMPLATE.fullmatch(name) or not _LANGUAGE.fullmatch(language):
        return None
    content: dict[str, Any] = {"name": name, "language": language.replace("-", "_")}
    components = components_of(draft.content)
    if components:
        content["components"] = components
    elif parameters := texts_of(draft.content):
        content["parameters"] = parameters
    elif components is None and draft.text.strip():
        return None
    return [OutgoingContent(draft.text, "template", content)]


_MAKERS: Mapping[str, _Maker] = {
    **dict.fromkeys(_FILES, _file),
    **dict.fromkeys(("buttons", "list"), _choices),
    **dict.fromkeys(("ask_location", "ask_contact"), _ask),
    "link": _link,
    "location": _location,
    "contact": _contact,
    "reaction": _reaction,
    "template": _template,
}

KINDS: frozenset[str] = frozenset({"text", *_MAKERS})
"""The kinds of draft that WhatsApp has a form for."""
