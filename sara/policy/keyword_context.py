"""Whether a common word answers what the business has just said, or orders something. Pure.

`agent` alone asks for a person; after "Are you the owner or an agent?" it is an answer. What the business said decides: a choice or
a question that names the word, or one that wants to know who somebody is. Whoever answers "What is your order number?" with it has
lost patience.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Literal

from sara.domain.messages import HistoryMessage
from sara.domain.time import Instant
from sara.i18n.data import LANGUAGES, Language
from sara.i18n.detection import detect_language
from sara.i18n.folding import fold_accents

STALE_AFTER = 24 * 3_600_000
"""Milliseconds after which nobody answers a question with a single word any more."""

_BETWEEN_SENTENCES = re.compile(r"(?<=[.!?؟？।…])\s+|\n")
_ASKING = "?؟？"
_UNBOUND = ("ar",)
"""Languages that write articles and pronouns onto the word: a stem may stand anywhere in it."""


def folded(text: str) -> str:
    """Lower case, one spelling, no invisible marks, no doubled spaces."""
    if text.isascii():
        return " ".join(text.lower().split())
    visible = "".join(char for char in text if unicodedata.category(char) != "Cf")
    return " ".join(fold_accents(unicodedata.normalize("NFKC", visible).casefold()).split())


def is_answer(word: str, command: Literal["opt_out", "opt_in", "handoff"], said: HistoryMessage | None, now: Instant) -> bool:
    """Return whether the common word `word` plausibly answers `said`, the last message to the customer.

    SARA's own notices ask nothing that such a word answers, and nobody answers a question of yesterday with one word.
    """
    if said is None or said.role in ("customer", "notice") or now - said.at > STALE_AFTER:
        return False
    options = [folded(option) for option in _options(said.content)]
    sentences = _BETWEEN_SENTENCES.split(said.text)
    asking = [sentence for sentence in sentences if _asks(sentence)]
    if command == "opt_in" or _is_about(command, [*map(folded, asking), *options]):
        return False
    language = detect_language(said.text)
    # "We have A, B and C. Which one?" names its choices before it asks.
    choices = sentences if any(_asks_with("which", language).search(each.casefold()) for each in asking) else asking
    # `un agente` answers what names an `agente`.
    noun = folded(word).split()[-1] if command == "handoff" else folded(word)
    named = re.compile(rf"(?<!\w){re.escape(noun)}(?!\w)")
    if any(named.search(each) for each in (*options, *map(folded, choices))):
        return True
    # Whoever may have asked to be left alone is left alone: only a choice that names such a word makes it an answer.
    return command == "handoff" and any(_asks_for_somebody(sentence, language) for sentence in asking)


def _asks(sentence: str) -> bool:
    return any(mark in sentence for mark in _ASKING) or _stems("requests").search(folded(sentence)) is not None


def _asks_for_somebody(sentence: str, language: str | None) -> bool:
    """Return whether a sentence asks who a person is, or what they do: no other question is answered with `agent`."""
    return bool(_asks_with("who", language).search(sentence.casefold()) or _stems("roles").search(folded(sentence)))


def _is_about(command: str, texts: Iterable[str]) -> bool:
    """Return whether the business itself speaks of what the command orders: then the word means that, as an answer too."""
    stems = _stems("offers_a_person" if command == "handoff" else "about_messages")
    return any(stems.search(text) for text in texts)


def _options(content: Mapping[str, Any]) -> Iterator[str]:
    """Return the labels of the buttons and rows that the customer was shown."""
    rows = [row for group in _listed(content.get("sections")) if isinstance(group, Mapping) for row in _listed(group.get("rows"))]
    for row in (*_listed(content.get("buttons")), *rows):
        label = row.get("title") if isinstance(row, Mapping) else row
        if isinstance(label, str):
            yield label


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else ()


@cache
def _stems(name: Literal["roles", "requests", "offers_a_person", "about_messages"]) -> re.Pattern[str]:
    """Return beginnings of words of all languages as one pattern."""

    def pattern(code: str, language: Language) -> str:
        words = "|".join(re.escape(folded(stem)) for stem in getattr(language, name))
        return words if code in _UNBOUND else rf"(?<!\w)(?:{words})"

    return re.compile("|".join(pattern(code, language) for code, language in LANGUAGES.items()))


@cache
def _asks_with(name: Literal["who", "which"], code: str | None) -> re.Pattern[str]:
    """Such words of one language, or of all, as they are written: without its accent `cuál` would be any `cual`."""
    languages = LANGUAGES.values() if code is None else (LANGUAGES[code],)
    words = (re.escape(word) for language in languages for word in getattr(language, name))
    return re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)")
