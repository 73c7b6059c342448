"""What is decided at once, while a message is being stored: words that are orders, as a whole message. Pure."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sara.i18n.data import LANGUAGES
from sara.policy.keyword_context import folded

Command: TypeAlias = Literal["opt_out", "opt_in", "handoff"]

LONGEST = 96
"""A longer message is a sentence, unless somebody set up a longer order."""


_WITHIN_WORDS = "'-"


@dataclass(frozen=True, slots=True)
class Keyword:
    """What a whole message orders, and the language that its words tell, if only one has them. `word` is the word itself where it
    is a common one, which orders nothing where it answers a question."""

    what: Command
    language: str | None
    word: str | None = None


class KeywordMatcher:
    """The words of all languages and those that a business adds. Built once, asked for every message."""

    def __init__(self, opt_out: Iterable[str] = (), opt_in: Iterable[str] = (), handoff: Iterable[str] = ()) -> None:
        known, added = _known(), [_added("handoff", handoff), _added("opt_in", opt_in), _added("opt_out", opt_out)]
        # Later ones win: whoever may have asked to be left alone is left alone, and what means nothing else means it always.
        self._meanings = {
            **known.common["handoff"],
            **added[0],
            **known.plain["handoff"],
            **added[1],
            **known.plain["opt_in"],
            **known.common["opt_out"],
            **added[2],
            **known.plain["opt_out"],
        }
        self._polite, self._around = known.polite, known.around
        phrases = [phrase for each in added for phrase in each]
        self._vocabulary = known.vocabulary | _words_in(phrases)
        self._longest = max(known.longest, 2 * max(map(len, phrases), default=0))

    def match(self, text: str) -> Keyword | None:
        """Return the command of a whole message, or None. A word within a longer sentence never counts; courtesy and repetition
        do not matter, and a greeting or a wish ("could you …") does not where the command can mean nothing else."""
        if len(text) > self._longest:
            return None
        whole = normalised(text)
        found = self._meanings.get(whole) or self._meanings.get(_said_once(whole))
        # Most messages have a word that is in no order, and nothing more is to be looked at.
        if found is not None or not all(_trimmed(word) in self._vocabulary for word in whole.split()):
            return found
        bare = self._polite.taken_off(whole)
        found = self._meanings.get(bare) or self._meanings.get(_said_once(bare))
        if found is not None:
            return found
        for words in (whole, self._polite.left_out(whole)):
            found = self._meanings.get(self._around.taken_off(words))
            if found is not None and found.word is None:
                return found
        return None


def normalised(text: str) -> str:
    """Lower case, one spelling, no invisible marks, no punctuation at the ends, no doubled spaces."""
    return _trimmed(folded(text))


def _trimmed(words: str) -> str:
    start, end = 0, len(words)
    while start < end and not _speaks(words[start]):
        start += 1
    while end > start and not _speaks(words[end - 1]):
        end -= 1
    return words[start:end]


def _said_once(whole: str) -> str:
    """Return `whole` without its repetitions, where it says the same several times: `stop stop`, `stop! stop!`."""
    end = next((number for number, char in enumerate(whole) if not _speaks(char)), 0)
    if not end or whole.count(whole[:end]) == 1:
        return whole
    spoken = "".join(char if _speaks(char) or char in _WITHIN_WORDS else " " for char in whole).split()
    for length in range(1, len(spoken) // 2 + 1):
        if spoken == spoken[:length] * (len(spoken) // length):
            return " ".join(spoken[:length])
    return whole


class _Phrases:
    """Phrases that may stand around an order without changing it."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._known = frozenset(tuple(normalised(phrase).split()) for phrase in phrases)
        self._first, self._last = {each[0] for each in self._known}, {each[-1] for each in self._known}
        self._longest = max(map(len, self._known))
        self.words = frozenset(word for phrase in self._known for word in phrase)

    def taken_off(self, whole: str) -> str:
        """Return `whole` without those words at its beginning and its end."""
        written = whole.split()
        if not written or (_trimmed(written[0]) not in self._first and _trimmed(written[-1]) not in self._last):
            return whole
        spoken = [_trimmed(word) for word in written]
        start, end = 0, len(written)
        while length := next((n for n in self._lengths(end - start) if tuple(spoken[start : start + n]) in self._known), 0):
            start += length
        while length := next((n for n in self._lengths(end - start) if tuple(spoken[end - n : end]) in self._known), 0):
            end -= length
        return _trimmed(" ".join(written[start:end]))

    def left_out(self, whole: str) -> str:
        """Return `whole` without those words anywhere in it."""
        spoken = [_trimmed(word) for word in whole.split()]
        if self._first.isdisjoint(spoken):
            return whole
        kept: list[str] = []
        start = 0
        while start < len(spoken):
            lengths = self._lengths(len(spoken) - start)
            length = next((n for n in lengths if tuple(spoken[start : start + n]) in self._known), 0)
            kept += [] if length else [spoken[start]]
            start += length or 1
        return " ".join(kept)

    def _lengths(self, most: int) -> range:
        return range(min(self._longest, most), 0, -1)


@dataclass(frozen=True, slots=True)
class _Known:
    """What the languages bring: their words by what they order, and the phrases around them."""

    plain: Mapping[Command, Mapping[str, Keyword]]
    common: Mapping[Command, Mapping[str, Keyword]]
    polite: _Phrases
    around: _Phrases
    vocabulary: frozenset[str]
    longest: int


@functools.cache
def _known() -> _Known:
    """Return the keywords of all languages: built once, the same for every configuration."""
    common: dict[Command, Mapping[str, Keyword]] = {
        "handoff": _meanings("handoff", {code: each.hand_over_words for code, each in LANGUAGES.items()}, common=True),
        "opt_out": _meanings("opt_out", {code: each.opt_out_words for code, each in LANGUAGES.items()}, common=True),
    }
    plain: dict[Command, Mapping[str, Keyword]] = {
        "handoff": _meanings("handoff", {code: each.hand_over for code, each in LANGUAGES.items()}),
        "opt_in": _meanings("opt_in", {code: each.opt_in for code, each in LANGUAGES.items()}),
        "opt_out": _meanings("opt_out", {code: each.opt_out for code, each in LANGUAGES.items()}),
    }
    polite = [phrase for each in LANGUAGES.values() for phrase in each.polite]
    around = _Phrases([*polite, *(phrase for each in LANGUAGES.values() for phrase in (*each.greetings, *each.asking))])
    orders = [phrase for each in (*common.values(), *plain.values()) for phrase in each]
    vocabulary = frozenset({"", *around.words}) | _words_in(orders)  # a dash alone is no word
    return _Known(plain, common, _Phrases(polite), around, vocabulary, max(LONGEST, 2 * max(map(len, orders))))


def _words_in(phrases: Iterable[str]) -> frozenset[str]:
    return frozenset(_trimmed(word) for phrase in phrases for word in phrase.split())


def _added(what: Command, words: Iterable[str]) -> dict[str, Keyword]:
    """Return the meanings of words that a business adds; they tell no language."""
    return {word: Keyword(what, None) for word in map(normalised, words) if word}


def _meanings(what: Command, known: Mapping[str, Iterable[str]], *, common: bool = False) -> dict[str, Keyword]:
    """Return meanings by normalised word. A word that several languages have tells no language."""
    languages: dict[str, set[str]] = {}
    for code, words in known.items():
        for word in words:
            languages.setdefault(normalised(word), set()).add(code)
    return {
        word: Keyword(what, min(codes) if len(codes) == 1 else None, word if common else None)
        for word, codes in languages.items()
    }


def _speaks(char: str) -> bool:
    """Return whether a character is part of a word: a letter, a digit, or a mark that belongs to one."""
    return unicodedata.category(char)[0] in "LNM"
