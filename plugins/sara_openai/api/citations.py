"""Removes citation marks, which models write for user interfaces that SARA does not have."""

from __future__ import annotations

import re

# OpenAI's file search (【4:0†source】) and web search (between private-use characters, or what is left of these), Bing and Kimi
# ([^1^]), Gemini ([cite: 1], [span_1](start_span)), DeepSeek ([citation:1]), what ChatGPT copies (contentReference, oai_citation).
_MARKS = re.compile(
    "【[^【】\n]{0,120}†[^【】\n]{0,120}】"
    "|【\\d{1,3}:\\d{1,3}】"
    "|\ue200[^\ue200\ue201]{0,2000}\ue201"
    "|[\ue200-\ue206]"
    r"|\b(?:file)?cite(?:turn\d+[a-z]+\d+)+"
    r"|\[\^\d{1,3}\^\]"
    r"|\[cite_start\]|\[cite: ?[\d, .-]{1,40}\]"
    r"|\[citation: ?\d{1,3}\]"
    r"|\[span_\d+\]\((?:start|end)_span\)"
    r"|:?contentReference\[oaicite:\d+\](?:\{index=\d+\})?"
    r"|\[oai_citation:\d+[^\]\n]{0,80}\](?:\([^()\n]{0,300}\))?"
)
_HINT = re.compile("[【\ue200-\ue206]|cite|\\[\\^|\\[span_|citation|</co")
# Cohere and Anthropic put the words themselves between their marks.
_WRAPPED_WORDS = re.compile(r'<(co|cite)(?:: ?[\d,:\[\] ]{1,20}| index="[\d,: -]{1,40}")>([^<>]*)</\1(?:: ?[\d,:\[\] ]{1,20})?>')


def strip_citations(text: str) -> str:
    """Return `text` without citation marks and without the space that separated a mark from the word before it."""
    if not _HINT.search(text):
        return text
    kept: list[str] = []
    at = 0
    for found in _MARKS.finditer(text):
        before = text[at : found.start()]
        at = found.end()
        kept.append(before.rstrip(" \t") if _closes(text[at : at + 1]) else before)
    kept.append(text[at:])
    return _WRAPPED_WORDS.sub(r"\2", "".join(kept))


def _closes(following: str) -> bool:
    """Return whether the character after a mark takes no space before it."""
    return not following or following.isspace() or following in ".,;:!?)…。，、！？【[\ue200"
