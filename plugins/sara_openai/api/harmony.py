"""OpenAI's harmony format, for servers that return it unparsed: an answer in channels, of which one is for the reader."""

from __future__ import annotations

import re
from dataclasses import dataclass

_MESSAGE = "<|message|>"
_ENDS = re.compile(r"<\|(?:end|return|call|start|channel|endoftext)\|>")
_CHANNEL = re.compile(r"(?:<\|channel\|>|^)\s*(analysis|commentary|final)\b")
_RECIPIENT = re.compile(r"\bto=([^\s<]{1,128})")
# The same for servers that drop the tokens and keep the words between them.
_BARE_FINAL = re.compile(r"assistant\s?final(?=[^a-z])|assistantfinal")
_BARE_BEGIN = re.compile(r"\s*(?:assistant)?(?:analysis|commentary)(?=[A-Z]|\s+to=)")
_BARE_CALL = re.compile(r"commentary\s+to=([^\s{]{1,128}?)(?:<\|constrain\|>|\s)*(?:json|code)?\s*(?=\{)")


@dataclass(frozen=True, slots=True)
class Channels:
    """The content of a harmony answer: the text for the reader, and calls as (recipient, arguments).

    `is_unfinished` is set if the answer ended before either.
    """

    final: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    is_unfinished: bool = False


def parse_channels(text: str) -> Channels | None:
    """Parse the channels of `text`; None if it is not in this format."""
    if _MESSAGE in text:
        return _parse_tokens(text)
    if _BARE_BEGIN.match(text) or text.lstrip().startswith("assistantfinal"):
        return _parse_bare(text)
    return None


def _parse_tokens(text: str) -> Channels | None:
    final: str | None = None
    preamble = ""
    calls: list[tuple[str, str]] = []
    pieces = text.split(_MESSAGE)
    header = pieces[0]
    if not _is_header(header):
        return None
    for piece in pieces[1:]:
        end = _ENDS.search(piece)
        body = piece if end is None else piece[: end.start()]
        channel = _CHANNEL.search(header)
        if recipient := _RECIPIENT.search(header):
            calls.append((recipient[1], body.strip()))
        elif channel is None or channel[1] == "final":
            final = body if final is None else final
        elif channel[1] == "commentary" and not preamble:
            preamble = body  # meant for the reader: what the model is about to do
        header = "" if end is None else piece[end.start() :]
    if final is None and not calls:
        return Channels(preamble.strip(), is_unfinished=not preamble.strip())
    return Channels((final or "").strip(), tuple(calls))


def _is_header(text: str) -> bool:
    """Return whether the text before the first message is a header, and not a sentence that mentions the token."""
    return "<|channel|>" in text or "<|start|>" in text or text.strip() in ("", "analysis", "commentary", "final", "assistant")


def _parse_bare(text: str) -> Channels:
    if found := _BARE_FINAL.search(text):
        return Channels(text[found.end() :].strip())
    if found := _BARE_CALL.search(text):
        return Channels(calls=((found[1], text[found.end() :].strip()),))
    return Channels(is_unfinished=True)
