"""Whether a common word answers what the business has just said, or orders something. Pure.

`agent` alone asks for a person; after "Are you the owner or an agent?" it is an answer. What the business said decides: a choice or
a question that names the word, or one that wants to know who or what, and is no open offer of help.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Literal

from sara.language import language_of
from sara.languages import LANGUAGES, Language
from sara.languages.spelling import plain
from sara.model import Instant, Line

STALE_AFTER = 24 * 3_600_000
"""Milliseconds after which nobody answers a question with a single word any more."""

_SENTENCES = re.compile(r"[^.!?؟？।…\n]*(?:[.!…।]+(?=\s|$)|[?؟？]+|\n|$)|.")
_ASKING = "?؟？"
_UNBOUND = ("ar",)
"""Languages that write articles and pronouns onto the word: a stem may stand anywhere in it."""


def folded(text: str) -> str:
    """Lower case, one spelling, no invisible marks, no doubled spaces."""
    visible = "".join(char for char in text if unicodedata.category(char) != "Cf")
    return " ".join(plain(unicodedata.normalize("NFKC", visible).casefold()).split())


def is_answer(word: str, command: Literal["opt_out", "opt_in", "hand_over"], said: Line | None, now: Instant) -> bool:
    """Whether the common word `word` plausibly answers `said`, the last thing that the customer was told.

    SARA's own notices ask nothing that such a word answers, and nobody answers a question of yesterday with one word.
    """
    if said is None or said.role in ("customer", "notice") or now - said.at > STALE_AFTER:
        return False
    options = [folded(option) for option in _options(said.content)]
    asking = [sentence for sentence in _SENTENCES.findall(said.text) if _asks(sentence)]
    if command == "opt_in" or _is_about(command, [*map(folded, asking), *options]):
        return False
    named = re.compile(rf"(?<!\w){re.escape(folded(word))}(?!\w)")
    if any(named.search(each) for each in (*options, *map(folded, asking))):
        return True
    if command == "opt_out":
        # Whoever may have asked to be left alone is left alone: only a choice that names the word makes it an answer.
        return False
    language = language_of(said.text)
    return any(_wants_a_name(sentence, language) for sentence in asking)


def _asks(sentence: str) -> bool:
    return any(mark in sentence for mark in _ASKING) or _stems("requests").search(folded(sentence)) is not None


def _wants_a_name(sentence: str, language: str | None) -> bool:
    """Whether somebody or something is asked for, and not only a yes, and not what help is wanted."""
    if _stems("offers_help").search(folded(sentence)):
        return False
    return (
        _question_words(language).search(sentence.casefold()) is not None
        or _stems("requests").search(folded(sentence)) is not None
    )


def _is_about(command: str, texts: Iterable[str]) -> bool:
    """Whether the business itself speaks of what the command orders: then the word means that, as an answer too."""
    stems = _stems("offers_a_person" if command == "hand_over" else "about_messages")
    return any(stems.search(text) for text in texts)


def _options(content: Mapping[str, Any]) -> Iterator[str]:
    """The labels of the buttons and rows that the customer was shown."""
    rows = [row for group in _listed(content.get("sections")) if isinstance(group, Mapping) for row in _listed(group.get("rows"))]
    for row in (*_listed(content.get("buttons")), *rows):
        label = row.get("title") if isinstance(row, Mapping) else row
        if isinstance(label, str):
            yield label


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else ()


@cache
def _stems(name: Literal["requests", "offers_help", "offers_a_person", "about_messages"]) -> re.Pattern[str]:
    """Beginnings of words of all languages as one pattern."""

    def pattern(code: str, language: Language) -> str:
        words = "|".join(re.escape(folded(stem)) for stem in getattr(language, name))
        return words if code in _UNBOUND else rf"(?<!\w)(?:{words})"

    return re.compile("|".join(pattern(code, language) for code, language in LANGUAGES.items()))


@cache
def _question_words(code: str | None) -> re.Pattern[str]:
    """The words of one language, or of all, as they are written: without its accent `qué` would be any `que`."""
    languages = LANGUAGES.values() if code is None else (LANGUAGES[code],)
    words = (re.escape(word) for language in languages for word in language.question_words)
    return re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)")
