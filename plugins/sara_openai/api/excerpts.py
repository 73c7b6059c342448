"""Excerpts of a server's message without keys, phone numbers, names and the customer's text."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_EXCERPT_CHARS = 200
"""Maximum length of an excerpt."""

HIDDEN = "…"

_MAX_COMPARED_CHARS = 20_000
"""Maximum length of the customer's texts that an excerpt is compared with, the newest."""

_MIN_MATCH_CHARS = 8
_MIN_WIDE_MATCH_CHARS = 4
"""Minimum length of a repetition of the customer's text that is hidden; shorter in scripts with shorter words."""

_SECRETS = re.compile(
    r"data:[\w/+.-]+;base64,[\w+/=]*"
    r"|\b(?:bearer|basic)\s+[^\s,;\"']+"
    r"|\b(?:sk|pk|rk|xai|gsk|hf|pplx|org|proj|req|key|cfut|cfat|AIza)[-_][\w*.-]{3,}"
    r"|\bAIza[\w-]{10,}"
    r"|[\w-]*\*{2,}[\w*-]*"
    r"|(?<![\w/.])(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{20,}"
    r"|[\w.+-]+@[\w-]+\.[\w.]+"
    r"|\+?\d(?:[\s().-]?\d){7,}",
    re.IGNORECASE,
)
_QUERY = re.compile(r"(https?://[^\s?#\"']+)[?#][^\s\"']*")
_WORD = re.compile(r"[\w'’-]{4,}")

# Words that errors commonly contain: they reveal nothing, even if the customer wrote them, too.
_COMMON_WORDS = re.compile(
    r"access|account|allowed|api|argument|balance|been|billing|body|budget|called|calling|cannot|capacity|certain"
    r"|chat|check|code|content|context|could|credit|credits|current|does|enabled|error|exceeded|exceeds|failed|field"
    r"|file|filter|format|from|function|have|image|images|input|inputs|invalid|json|least|length|limit|longer|many"
    r"|maximum|message|messages|missing|model|more|most|must|name|only|output|parameter|picture|plan|please|prompt"
    r"|provided|quota|rate|reduce|refused|request|requested|required|response|retry|role|roles|server|shorter|should"
    r"|size|support|supported|system|text|than|that|their|there|this|token|tokens|tool|tools|try|type|unknown"
    r"|unsupported|valid|value|with|would|your"
)


def redact_excerpt(said: str, secrets: Iterable[str], texts: Iterable[str], names: Iterable[str] = ()) -> str:
    """Return a server's message as one short line without `secrets`, without repetitions of `texts` and without `names`."""
    line = " ".join(said.split())[: MAX_EXCERPT_CHARS * 4]
    for secret in secrets:
        if secret:
            line = line.replace(secret, HIDDEN)
    for part in {part for name in names for part in name.split() if len(part) > 1}:
        line = re.sub(rf"(?<!\w){re.escape(part)}(?!\w)", HIDDEN, line, flags=re.IGNORECASE)
    line = _QUERY.sub(r"\1", _SECRETS.sub(HIDDEN, line))
    line = re.sub(rf"{HIDDEN}(?:[\s,;:]*{HIDDEN})+", HIDDEN, _hide_repeated(line, " ".join(texts)[-_MAX_COMPARED_CHARS:]))
    return line if len(line) <= MAX_EXCERPT_CHARS else line[:MAX_EXCERPT_CHARS].rstrip() + HIDDEN


def _hide_repeated(line: str, text: str) -> str:
    """Replace the words and parts of words of `line` that occur in `text`."""
    text = " ".join(text.split()).casefold()
    folded = line.casefold()
    if not text or len(folded) != len(line):
        return _WORD.sub(HIDDEN, line) if text else line
    hidden = [False] * len(line)
    for size in (_MIN_MATCH_CHARS, _MIN_WIDE_MATCH_CHARS):
        known = {text[at : at + size] for at in range(len(text) - size + 1)}
        for at in range(len(folded) - size + 1):
            part = folded[at : at + size]
            if part in known and (size == _MIN_MATCH_CHARS or not part.isascii()) and not _is_common(folded, at, size):
                hidden[at : at + size] = [True] * size
    written = set(_WORD.findall(text))
    for word in _WORD.finditer(folded):
        if word[0] in written and not _COMMON_WORDS.fullmatch(word[0]):
            hidden[word.start() : word.end()] = [True] * len(word[0])
    # A word is hidden as a whole.
    for word in re.finditer(r"\S+", line):
        if line[word.start() : word.end()].isascii() and any(hidden[word.start() : word.end()]):
            hidden[word.start() : word.end()] = [True] * (word.end() - word.start())
    return "".join(HIDDEN if hide else char for char, hide in zip(line, hidden, strict=True)).replace(HIDDEN * 2, HIDDEN)


def _is_common(folded: str, at: int, size: int) -> bool:
    """Return whether a part consists only of words that errors commonly contain."""
    start = folded.rfind(" ", 0, at + 1) + 1
    end = folded.find(" ", at + size - 1)
    words = _WORD.findall(folded[start : len(folded) if end < 0 else end])
    return bool(words) and all(_COMMON_WORDS.fullmatch(word) for word in words)
