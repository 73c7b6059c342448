"""What is decided at once, while a message is being stored: words that are orders, as a whole message. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sara.languages import LANGUAGES
from sara.languages.spelling import plain

Order: TypeAlias = Literal["opt_out", "opt_in", "hand_over"]

LONGEST = 64
"""A longer message is a sentence, unless somebody set up a longer order."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a whole message orders, and the language that its words tell, if only one has them."""

    what: Order
    language: str | None


class Words:
    """The words of all languages and those that a business adds. Built once, asked for every message."""

    def __init__(self, opt_out: Iterable[str] = (), opt_in: Iterable[str] = (), hand_over: Iterable[str] = ()) -> None:
        # Later ones win: whoever may have asked to be left alone is left alone.
        self._meanings = {
            **_meanings("hand_over", hand_over, {code: each.hand_over for code, each in LANGUAGES.items()}),
            **_meanings("opt_in", opt_in, {code: each.opt_in for code, each in LANGUAGES.items()}),
            **_meanings("opt_out", opt_out, {code: each.opt_out for code, each in LANGUAGES.items()}),
        }
        self._longest = max(LONGEST, 2 * max(map(len, self._meanings)))

    def meaning(self, text: str) -> Meaning | None:
        """What a whole message orders, or None. A word within a longer sentence never counts."""
        return self._meanings.get(normalised(text)) if len(text) <= self._longest else None


def normalised(text: str) -> str:
    """Lower case, one spelling, no invisible marks, no punctuation at the ends, no doubled spaces."""
    visible = "".join(char for char in text if unicodedata.category(char) != "Cf")
    folded = plain(unicodedata.normalize("NFKC", visible).casefold())
    words = " ".join(folded.split())
    start, end = 0, len(words)
    while start < end and not _speaks(words[start]):
        start += 1
    while end > start and not _speaks(words[end - 1]):
        end -= 1
    return words[start:end]


def _meanings(what: Order, added: Iterable[str], known: Mapping[str, Iterable[str]]) -> dict[str, Meaning]:
    """By normalised word. One that several languages have tells no language, and neither does one that a business adds."""
    languages: dict[str, set[str]] = {word: set() for word in map(normalised, added) if word}
    for code, words in known.items():
        for word in words:
            languages.setdefault(normalised(word), set()).add(code)
    return {word: Meaning(what, min(codes) if len(codes) == 1 else None) for word, codes in languages.items()}


def _speaks(char: str) -> bool:
    """Whether a character is part of a word: a letter, a digit, or a mark that belongs to one."""
    return unicodedata.category(char)[0] in "LNM"
