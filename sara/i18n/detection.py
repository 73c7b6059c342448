"""Detect the language of a short message by its everyday words, endings and letters.

A wrong guess is worse than none: a customer who is answered in a wrong language notices, and one who is answered in the
default does not.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache

from sara.i18n.data import LANGUAGES, _unsupported
from sara.i18n.folding import fold_accents

MAX_LENGTH = 1_000
"""Characters of a message that are examined."""

MIN_SCORE = 3.0
"""Lowest score of the best language: one word of three letters or more that only it has is enough."""

MIN_LEAD = 1.8
"""Lowest ratio of the best score to the second best."""

MIN_KNOWN_SHARE = 0.25
"""Lowest share of known words; below it the text is in an unsupported language with a familiar word."""

UNSUPPORTED = ""
"""All languages without texts, as one: it competes with the others, and where it wins the result is None."""

_WORTH = {1: 3.0, 2: 1.2, 3: 0.5}
"""Weight of a word for each language that has it, by the number of these languages; with more it has none."""

_SHORT, _BORROWED, _ENDING, _LETTER = 0.5, 0.25, 0.4, 0.7
"""Weights of other signs: a word of one or two letters, a loan word, an ending of an unknown word, a letter."""

_NO_WORD = re.compile(r"[\d@]|://|^[#/]|^www\.|\.[a-z]{2,3}(?:/|$)")
"""Marks of numbers, codes, links, addresses and tags."""

_STRANGE = re.compile(r"[^\W\d_\u0000-\u024f\u0300-\u036f\u0600-\u06ff\u0900-\u097f\u1e00-\u1eff]|[پچگژکیہھےںٹڈڑۓۂ]")
"""Letters that none of the nine languages uses, among them those of Persian and Urdu that Arabic lacks."""

_MARKS = r"\u0300-\u036f\u064b-\u065f\u0900-\u0903\u093a-\u094f\u0962\u0963"
_WORD = re.compile(rf"[^\W\d_](?:[^\W\d_]|[{_MARKS}])*")
_ELISIONS = re.compile(r"\b\w{1,8}'(?=\w)"), re.compile(r"(?<=\w)'\w{1,2}\b")


def detect_language(text: str) -> str | None:
    """Return the code of a text's language; None where the text is too short, mixed, or only names, numbers, links or emoji."""
    lowered = unicodedata.normalize("NFC", text[:MAX_LENGTH].lower()).replace("’", "'")
    written = " ".join(piece for piece in lowered.split() if not _NO_WORD.search(piece))
    words = split_words(written)
    known = [word for word in words if word in _common()]
    if len(known) < max(1, MIN_KNOWN_SHARE * len(words)) or _STRANGE.search(written):
        return None
    scores = _scores(written, words)
    best = max(scores, key=lambda code: scores[code], default=UNSUPPORTED)
    rival = max((score for code, score in scores.items() if code != best), default=0.0)
    return best if best != UNSUPPORTED and scores[best] >= max(MIN_SCORE, MIN_LEAD * rival) else None


def split_words(text: str) -> list[str]:
    """Return each word in its plain spelling, and the parts around an apostrophe: `l'ordine` is `l`, `ordine` and `l'`."""
    return [fold_accents(found) for pattern in (_WORD, *_ELISIONS) for found in pattern.findall(text)]


def _scores(text: str, words: Iterable[str]) -> Mapping[str, float]:
    """Return the score of each language."""
    scores: dict[str, float] = defaultdict(float)
    for word in words:
        if word in _common():
            _add(scores, _common()[word], _weight(word))
        else:
            _add(scores, _looks(word), _ENDING)
    for letter in set(text) & _letters().keys():
        _add(scores, _letters()[letter], _LETTER)
    return scores


def _add(scores: dict[str, float], languages: frozenset[str], weight: float) -> None:
    for language in languages:
        scores[language] += weight * _WORTH.get(len(languages), 0)


def _weight(word: str) -> float:
    if word in _borrowed():
        return _BORROWED
    return _SHORT if len(word) <= 2 and word.isascii() else 1


def _looks(word: str) -> frozenset[str]:
    """Return the languages in which many words end like this one."""
    found = (code for code, endings in _endings().items() if len(word) > 5 and word.endswith(endings))
    return frozenset(found)


@cache
def _common() -> Mapping[str, frozenset[str]]:
    """Return the languages of each plain word."""
    lists = {code: each.common for code, each in LANGUAGES.items()} | {
        UNSUPPORTED: frozenset(" ".join(_unsupported.COMMON.values()).split())
    }
    return _turned({code: map(fold_accents, words) for code, words in lists.items()})


@cache
def _borrowed() -> frozenset[str]:
    return frozenset(_unsupported.BORROWED.split())


@cache
def _letters() -> Mapping[str, frozenset[str]]:
    """Return the languages that are written with each letter."""
    return _turned({code: each.letters for code, each in LANGUAGES.items()} | {UNSUPPORTED: _unsupported.LETTERS})


@cache
def _endings() -> Mapping[str, tuple[str, ...]]:
    return {code: tuple(map(fold_accents, each.endings)) for code, each in LANGUAGES.items() if each.endings}


def _turned(lists: Mapping[str, Iterable[str]]) -> Mapping[str, frozenset[str]]:
    """Return a mapping from codes to things as one from things to codes."""
    found: dict[str, set[str]] = {}
    for code, things in lists.items():
        for thing in things:
            found.setdefault(thing, set()).add(code)
    return {thing: frozenset(codes) for thing, codes in found.items()}
